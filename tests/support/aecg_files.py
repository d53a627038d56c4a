"""Documents of HL7 annotated ECG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

COUNTS = np.rint(200 * np.sin(np.arange(400)[:, None] / [9, 14])).astype(int)


def lead(code: str, counts: np.ndarray, *, origin: str = "10", scale: str = "2.5", unit: str = "uV") -> str:
    digits = "\n ".join(map(str, counts.tolist()))
    return sequence(
        code,
        f'<value xsi:type="SLIST_PQ"><origin value="{origin}" unit="{unit}"/><scale value="{scale}" unit="{unit}"/>'
        f"<digits>{digits}</digits></value>",
    )


def sequence(code: str, value: str) -> str:
    return f'<component><sequence><code code="{code}"/>{value}</sequence></component>'


def times(head: str = '"20021122091000.250"', increment: str = '"0.002" unit="s"', kind: str = "TIME_ABSOLUTE") -> str:
    return sequence(kind, f'<value xsi:type="GLIST_TS"><head value={head}/><increment value={increment}/></value>')


def annotation(code: str, value: str, times: str = "", *parts: str) -> str:
    """One annotation with a value, a boundary in time, and annotations within it."""
    region = f"<support><supportingROI><component>{times}</component></supportingROI></support>" if times else ""
    inner = "".join(f"<component>{part}</component>" for part in parts)
    return f'<annotation><code code="{code}"/>{value}{region}{inner}</annotation>'


def boundary(kind: str, value: str) -> str:
    return f'<boundary><code code="{kind}"/>{value}</boundary>'


def series(*sequences: str, annotations: tuple[str, ...] = (), further: str = "") -> str:
    author = (
        "<author><seriesAuthor><manufacturedSeriesDevice><manufacturerModelName>ELI</manufacturerModelName>"
        "</manufacturedSeriesDevice><manufacturerOrganization><name>Maker</name></manufacturerOrganization>"
        "</seriesAuthor></author>"
    )
    sets = f"<component><sequenceSet>{''.join(sequences)}</sequenceSet></component>"
    marks = "".join(f"<component>{part}</component>" for part in annotations)
    sets += f"<subjectOf><annotationSet>{marks}</annotationSet></subjectOf>{further}"
    return f'<component><series><code code="RHYTHM"/>{author}{sets}</series></component>'


LEADS = (lead("MDC_ECG_LEAD_II", COUNTS[:, 0]), lead("MDC_ECG_LEAD_AVR", COUNTS[:, 1]))
SUBJECT = (
    "<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>"
    '<id root="1.2" extension="P-17"/><subjectDemographicPerson><name><given>Ada</given><family>Byron</family></name>'
    '<administrativeGenderCode code="F"/><birthTime value="19530508"/></subjectDemographicPerson></trialSubject>'
    "</subject></subjectAssignment></componentOf></timepointEvent></componentOf>"
)


def aecg(path: Path, *parts: str) -> Path:
    path.write_text(
        '<?xml version="1.0"?>\n<AnnotatedECG xmlns="urn:hl7-org:v3" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{SUBJECT}{"".join(parts)}</AnnotatedECG>'
    )
    return path
