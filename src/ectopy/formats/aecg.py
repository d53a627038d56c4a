"""HL7 annotated ECG (``AnnotatedECG``): leads as text, in sets that share their times.

Source: HL7 Version 3 Standard: Annotated ECG, Release 1 (ANSI/HL7 V3 ECG R1-2004); implementation guide of 21 March
2005, sections on series, sequence sets and sequences.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.aecg_annotations import SECONDS, marks, statements
from ectopy.formats.annotation_files import within
from ectopy.formats.identity import facts, hl7_moment, patient, reading
from ectopy.formats.leads import (
    Signal,
    Stated,
    check_size,
    check_unit,
    choose_leads,
    left_out,
    millivolt,
    sampling_rate,
    unique_names,
)
from ectopy.formats.plausibility import check_gaps, check_step
from ectopy.formats.spelling import readable_unit, stated_number
from ectopy.formats.xml_tree import read_xml, text_at, value_at
from ectopy.recording import Patient, Recording

_LEAD_PREFIX = "MDC_ECG_LEAD_"
_SPELLINGS = {"AVR": "aVR", "AVL": "aVL", "AVF": "aVF", "AVRneg": "-aVR"}
_EVEN = 1e-6


class _Sequence(NamedTuple):
    """A lead of a set: values times `step` plus `origin`, in `unit`."""

    name: str
    unit: str
    origin: float
    step: float
    values: NDArray[np.float64]


class _Set(NamedTuple):
    """Leads with one time: their rate, and when they begin, as a time of day or seconds after the series."""

    rate_hz: float
    start: datetime | None
    begins_s: float
    sequences: list[_Sequence]


def read(path: Path, stated: Stated) -> Recording:
    """Read the rhythm, of several sets of leads those that continue each other, else the longest; and its annotations.

    Raises
    ------
    DataError
        If the file is damaged, not whole, too large, or has no rhythm. What is intact is read if `stated` says so.
    """
    root, notes = read_xml(path, stated.partial)
    last = list(root.iter())[-1]
    if notes and last.tag == "digits":  # its last number may lack digits
        last.text = (last.text or "").rpartition(" ")[0]
    sets = [part for series in root.iterfind("component/series") for part in _sets(path, series, stated)]
    if not sets:
        raise DataError(f"{path} holds no series of samples; expected the rhythm of an annotated ECG.")
    longest = max(sets, key=lambda part: max(len(sequence.values) for sequence in part.sequences))
    parts = _continued(longest, sets)
    if len(parts) < len(sets):
        notes.append(f"Left out: {len(sets) - len(parts)} further sets of leads, at other times or of other leads.")
    signals = [Signal(sequence.name, sequence.unit, longest.rate_hz) for sequence in longest.sequences]
    leads = choose_leads(path, signals, stated.unit)
    check_unit(path, [signals[lead].unit for lead in leads], stated.unit)
    rate = sampling_rate(path, longest.rate_hz, stated.sampling_rate_hz)

    begins = [round(_seconds_between(parts[0], part) * rate) for part in parts]
    lengths = [max(len(part.sequences[lead].values) for lead in leads) for part in parts]
    samples = begins[-1] + lengths[-1]
    check_size(path, samples, len(leads))
    check_gaps(path, samples, samples - sum(lengths), len(leads))
    signal = np.full((samples, len(leads)), np.nan, np.float32)
    for begin, part in zip(begins, parts, strict=True):
        for column, lead in enumerate(leads):
            sequence = part.sequences[lead]
            factor = millivolt(sequence.unit or stated.unit or "") or math.nan
            check_step(path, sequence.name, sequence.step * factor)
            with np.errstate(over="ignore", invalid="ignore"):  # such values are refused later
                values = ((sequence.values * sequence.step + sequence.origin) * factor).astype(np.float32)
            signal[begin : begin + len(values), column] = values
    names = unique_names([signal.name for signal in signals])
    all_series = root.findall("component/series")
    start = parts[0].start or hl7_moment(_effective(all_series[0]) or _effective(root))
    annotations = within((mark for series in all_series for mark in marks(series, start, rate)), samples)
    if root.find("component/series/derivation") is not None:
        notes.append("Left out: derived series, as of representative beats.")
    return Recording(
        signal,
        rate,
        tuple(names[lead] for lead in leads),
        start,
        annotations if len(annotations) else None,
        str(path),
        (*notes, *left_out(signals, leads), *reading(text for series in all_series for text in statements(series))),
        patient=_patient(root),
        device=_device(all_series[0]),
    )


def _sets(path: Path, series: Element, stated: Stated) -> Iterator[_Set]:
    for element in series.iterfind("component/sequenceSet"):
        rate, start, begins_s = None, None, 0.0
        sequences = []
        for sequence in element.iterfind("component/sequence"):
            code, value = value_at(sequence, "code", "code"), sequence.find("value")
            if value is None:
                continue
            if code.startswith("TIME_"):
                rate, start, begins_s = _times(path, value)
            elif value.find("digits") is not None:
                sequences.append(_sequence(path, code, value, stated))
        sequences = [sequence for sequence in sequences if len(sequence.values)]
        if not sequences:
            continue
        if rate is None:
            rate = sampling_rate(path, None, stated.sampling_rate_hz)
        yield _Set(rate, start, begins_s, sequences)


def _times(path: Path, value: Element) -> tuple[float, datetime | None, float]:
    """Read a list of times (GLIST): its rate, and its head, a point in time or an amount of it."""
    seconds = SECONDS.get(value_at(value, "increment", "unit") or "s")
    increment = stated_number(path, "the time between samples", value_at(value, "increment"))
    if seconds is None or not increment > 0:
        raise DataError(f"{path} states {increment:g} {value_at(value, 'increment', 'unit')!r} between samples.")
    head, unit = value_at(value, "head"), value_at(value, "head", "unit")
    if unit in SECONDS:
        return 1 / (increment * seconds), None, stated_number(path, "its beginning", head or "0") * SECONDS[unit]
    return 1 / (increment * seconds), hl7_moment(head), 0.0


def _sequence(path: Path, code: str, value: Element, stated: Stated) -> _Sequence:
    name = code.removeprefix(_LEAD_PREFIX)
    name = facts(_SPELLINGS.get(name, name)) or "lead"
    units = {value_at(value, part, "unit") for part in ("scale", "origin")} - {""}
    if len(units) > 1:
        raise DataError(f"{path} states the scale and the origin of {name!r} in different units; expected one.")
    unit = readable_unit(path, name, units.pop() if units else "", stated.unit)
    origin = stated_number(path, f"the origin of {name!r}", value_at(value, "origin") or "0")
    step = stated_number(path, f"the scale of {name!r}", value_at(value, "scale") or "1")
    return _Sequence(name, unit, origin, step, _digits(path, name, text_at(value, "digits")))


def _digits(path: Path, name: str, text: str) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's word for text that is not all numbers
        try:
            return np.fromstring(text, np.float64, sep=" ") if text else np.empty(0)
        except (DeprecationWarning, ValueError) as error:
            raise DataError(f"{path} has digits of the lead {name!r} that are not numbers.") from error


def _continued(longest: _Set, sets: list[_Set]) -> list[_Set]:
    """The sets with the leads and the rate of the longest that lie before or behind it, in order, none on another."""
    alike = [
        part
        for part in sets
        if math.isclose(part.rate_hz, longest.rate_hz, rel_tol=_EVEN)
        and [sequence.name for sequence in part.sequences] == [sequence.name for sequence in longest.sequences]
        and (part.start is None) == (longest.start is None)
    ]
    alike.sort(key=lambda part: _seconds_between(longest, part))
    result: list[_Set] = []
    for part in alike:
        if result and _seconds_between(result[-1], part) < _length_s(result[-1]) - _EVEN:
            if part is not longest:
                continue
            result.pop()
        result.append(part)
    return result


def _seconds_between(first: _Set, second: _Set) -> float:
    if first.start is None or second.start is None:
        return second.begins_s - first.begins_s
    return (second.start - first.start) / timedelta(seconds=1)


def _length_s(part: _Set) -> float:
    return max(len(sequence.values) for sequence in part.sequences) / part.rate_hz


def _effective(element: Element | None) -> str:
    return next(filter(None, (value_at(element, f"effectiveTime/{part}") for part in ("low", "center"))), "")


def _patient(root: Element) -> Patient:
    subject = root.find(".//subject/trialSubject")
    person = None if subject is None else subject.find("subjectDemographicPerson")
    name = None if person is None else person.find("name")
    born = hl7_moment(value_at(person, "birthTime"))
    return patient(
        "" if name is None else facts(*name.itertext()),
        value_at(subject, "id", "extension") or value_at(subject, "id", "root"),
        value_at(person, "administrativeGenderCode", "code"),
        born.date() if born else None,
    )


def _device(series: Element) -> str:
    author = series.find("author/seriesAuthor")
    return facts(
        text_at(author, "manufacturerOrganization/name"),
        text_at(author, "manufacturedSeriesDevice/manufacturerModelName"),
        value_at(author, "id", "extension"),
    )
