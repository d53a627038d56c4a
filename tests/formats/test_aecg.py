"""HL7 annotated ECG: documents of the elements of the implementation guide, and the examples of the standard."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy.recording import Patient
from support.data_sets import example_file
from support.refusals import refusal

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


def series(*sequences: str) -> str:
    author = (
        "<author><seriesAuthor><manufacturedSeriesDevice><manufacturerModelName>ELI</manufacturerModelName>"
        "</manufacturedSeriesDevice><manufacturerOrganization><name>Maker</name></manufacturerOrganization>"
        "</seriesAuthor></author>"
    )
    sets = f"<component><sequenceSet>{''.join(sequences)}</sequenceSet></component>"
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


def test_a_document(tmp_path: Path):
    recording = ectopy.read(aecg(tmp_path / "ecg", series(times(), *LEADS)))
    np.testing.assert_allclose(recording.signal, (COUNTS * 2.5 + 10) * 1e-3, atol=1e-6)
    assert (recording.leads, recording.sampling_rate_hz) == (("II", "aVR"), 500)
    assert recording.start == datetime(2002, 11, 22, 9, 10, 0, 250000)
    assert recording.patient == Patient("Ada Byron", "P-17", "female", date(1953, 5, 8))
    assert recording.device == "Maker ELI"


@pytest.mark.parametrize(("increment", "rate"), [('"4" unit="ms"', 250), ('"1000" unit="us"', 1000), ('"0.01"', 100)])
def test_periods_and_units(tmp_path: Path, increment: str, rate: float):
    leads = lead("MDC_ECG_LEAD_V1", COUNTS[:, 0], origin="0", scale="0.001", unit="mV")
    head = times('"0" unit="s"', increment, "TIME_RELATIVE")
    recording = ectopy.read(aecg(tmp_path / "ecg", series(head, leads)))
    assert recording.sampling_rate_hz == pytest.approx(rate)
    np.testing.assert_allclose(recording.signal[:, 0], COUNTS[:, 0] * 1e-3, rtol=1e-6)


def test_series_that_continue_each_other_and_others(tmp_path: Path):
    first = series(times('"20021122091000"'), *LEADS)
    second = series(times('"20021122091002"'), *LEADS)
    other = series(times('"20021122091009"'), LEADS[0])
    recording = ectopy.read(aecg(tmp_path / "ecg", second, other, first))
    assert len(recording.signal) == 1400
    expected = (COUNTS * 2.5 + 10) * 1e-3
    np.testing.assert_allclose(recording.signal[:400], expected, atol=1e-6)
    np.testing.assert_allclose(recording.signal[1000:], expected, atol=1e-6)
    assert np.isnan(recording.signal[400:1000]).all()
    assert recording.start == datetime(2002, 11, 22, 9, 10)
    assert "1 further sets of leads" in recording.notes[0]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), "holds no series"),
        ((series(times()),), "holds no series"),
        ((series(*LEADS),), "states no sampling rate"),
        ((series(times(increment='"0"'), *LEADS),), "between samples"),
        ((series(times(increment='"1" unit="parsec"'), *LEADS),), "'parsec' between samples"),
        ((series(times(), lead("MDC_ECG_LEAD_II", COUNTS[:, 0], unit="mmHg")),), "holds no lead"),
        ((series(times(), lead("MDC_ECG_LEAD_II", COUNTS[:, 0], scale="0")),), "one step of the lead 'II' is 0 mV"),
        ((series(times(), LEADS[0].replace("<digits>", "<digits>x")),), "digits of the lead 'II' that are not numbers"),
        ((series(times('"19000101000000"'), *LEADS), series(times('"20020101000000"'), *LEADS)), "split it"),
    ],
)
def test_documents_that_are_refused(tmp_path: Path, parts: tuple[str, ...], expected: str):
    assert expected in refusal(aecg(tmp_path / "ecg", *parts))


def test_the_examples_of_the_standard():
    recording = ectopy.read(example_file("aecg_example.xml"))
    assert recording.signal.shape == (5000, 12)
    assert recording.start == datetime(2002, 11, 22, 9, 10)
    assert recording.patient == Patient("Clark", "SBJ-123", "male", date(1953, 5, 8))
    # Einthoven's law holds within the rounding of each lead.
    first, second, third = (recording.signal[:, recording.leads.index(name)] for name in ("I", "II", "III"))
    np.testing.assert_allclose(third, second - first, atol=2 * 2.5e-3)
    smallest = ectopy.read(example_file("aecg_minimum.xml"))
    np.testing.assert_allclose(smallest.signal[:5, 0], np.array([-2, -2, -2, -2, -3]) * 2.5e-3, rtol=1e-5)
    assert "holds no series" in refusal(example_file("aecg_empty.xml"))
