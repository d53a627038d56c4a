"""Beats, rhythms and statements of an HL7 annotated ECG, by a device or a reader.

Sources: HL7 aECG Implementation Guide (2005), on annotation sets, and DICOM PS3.16, CID 3335, for the codes of beats.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from xml.etree.ElementTree import Element

from ectopy.formats.annotation_codes import NOTE
from ectopy.formats.annotation_files import Mark
from ectopy.formats.identity import fact, hl7_moment
from ectopy.formats.xml_tree import value_at

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0}
"""Units of time."""

_BEAT, _RHYTHM = "MDC_ECG_BEAT", "MDC_ECG_RHY"
_QRS = ("MDC_ECG_WAVC_QRSWAVE", "MDC_ECG_WAVC_QRSTWAVE", "MDC_ECG_WAVC_RWAVE")
_CODES = {
    **{"NORMAL": "N", "BB_BLK": "B", "LBB_BLK_COMP": "L", "RBB_BLK_COMP": "R"},
    **{"SV_P_C": "S", "ATR_P_C": "A", "JUNC_P_C": "J", "ATR_P_C_ABERR": "a", "ATR_PWAVE_BLK": "x"},
    **{"SV_ESC": "n", "ATR_ESC": "e", "JUNC_ESC": "j", "V_ESC": "E"},
    **{"V_P_C": "V", "V_P_C_RonT": "r", "V_P_C_FUSION": "F", "PACED": "/", "PACED_FUS": "f", "LEARN": "?"},
}
"""PhysioNet codes of the kinds of beats; any other beat is ``Q``, unclassifiable."""


def marks(series: Element, start: datetime | None, rate_hz: float) -> Iterator[Mark]:
    """Beats in the middle of their QRS complex, and rhythms as comments where they begin.

    Parameters
    ----------
    series : Element
    start : datetime or None
        Of the first sample; without it, only times relative to it are known.
    rate_hz : float
    """
    for annotation in _annotations(series):
        code, kind = value_at(annotation, "code", "code"), value_at(annotation, "value", "code")
        if code == _BEAT:
            waves = [part for part in annotation.iter("annotation") if value_at(part, "value", "code") in _QRS]
            times_s = next(filter(None, (_times_s(part, start) for part in (annotation, *waves))), [])
            if times_s:
                symbol = _CODES.get(kind.removeprefix(f"{_BEAT}_"), "Q")
                yield Mark(round(sum(times_s) / len(times_s) * rate_hz), symbol)
        elif code == _RHYTHM and (times_s := _times_s(annotation, start)):
            text = fact(value_at(annotation, "value", "displayName") or kind.removeprefix(f"{_RHYTHM}_"))
            yield Mark(round(times_s[0] * rate_hz), NOTE, 0, text)


def statements(series: Element) -> list[str]:
    """What a device or a reader says of the ECG in words."""
    texts = [(annotation.findtext("value") or "").strip(" ,\n\t") for annotation in _annotations(series)]
    return [text for text in texts if text]


def _annotations(series: Element) -> Iterator[Element]:
    for element in series.iterfind("subjectOf/annotationSet"):
        yield from element.iter("annotation")


def _times_s(annotation: Element, start: datetime | None) -> list[float]:
    """When an annotation begins and ends, or is; empty where it does not say."""
    times: list[float] = []
    for boundary in annotation.iterfind("support/supportingROI/component/boundary"):
        code, value = value_at(boundary, "code", "code"), boundary.find("value")
        if value is None or not code.startswith("TIME_"):
            continue
        for element in (value, value.find("low"), value.find("high")):
            seconds = None if element is None else _seconds(element, code, start)
            if seconds is not None:
                times.append(seconds)
    return times


def _seconds(element: Element, code: str, start: datetime | None) -> float | None:
    text = element.get("value", "")
    if code == "TIME_ABSOLUTE":
        moment = hl7_moment(text)
        return None if moment is None or start is None else (moment - start).total_seconds()
    try:
        seconds = float(text) * SECONDS[element.get("unit", "ms")]
    except (KeyError, ValueError):
        return None
    return seconds if abs(seconds) < 1e9 else None
