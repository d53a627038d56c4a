"""HL7 annotated ECG (``AnnotatedECG``): leads as text, in sets that share their times.

Source: HL7 Version 3 Standard: Annotated ECG, Release 1 (ANSI/HL7 V3 ECG R1-2004); implementation guide of 21 March
2005, sections on series, sequence sets and sequences.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.aecg_annotations import SECONDS, marks, statements
from ectopy.formats.annotation_files import within
from ectopy.formats.calibration_pulse import pulse_note
from ectopy.formats.identity import age, facts, hl7_moment, hl7_start, patient, reading
from ectopy.formats.leads import (
    MAX_LEADS,
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
_REPORTED_AGE = "21612-7"


class _Sequence(NamedTuple):
    """A lead of a set: values in `unit`, of which one step of the converter is `step`; NaN where there are none."""

    name: str
    unit: str
    step: float
    values: NDArray[np.float64]


class _Set(NamedTuple):
    """Leads with one time: their rate, and when they begin, as a time of day or seconds after the series."""

    rate_hz: float
    start: datetime | None
    begins_s: float
    sequences: list[_Sequence]


def read(path: Path, stated: Stated) -> Recording:
    """Read the rhythm and its annotations.

    Of several sets of leads, those that begin together are one. Those that continue each other are read, else the
    longest with further leads beside, before or behind it, as where four columns of three leads are printed.

    Raises
    ------
    DataError
        If the file is damaged, not whole, too large, or has no rhythm. What is intact is read if `stated` says so.
    """
    root, notes = read_xml(path, stated.partial)
    last = list(root.iter())[-1]
    if notes and last.tag == "digits":  # its last number may lack digits
        last.text = (last.text or "").rpartition(" ")[0]
    all_sets = [_together(list(_sets(path, series, stated))) for series in root.iterfind("component/series")]
    sets = [part for of_series in all_sets for part in of_series]
    if not sets:
        raise DataError(f"{path} holds no series of samples; expected the rhythm of an annotated ECG.")
    longest = max(sets, key=_length)
    parts, used = _continued(longest, sets), 0
    if len(parts) == 1:
        same_series = next(of_series for of_series in all_sets if any(part is longest for part in of_series))
        longest, used = _with_leads_beside(path, longest, same_series)
        parts = [longest]
    if unread := len(sets) - len(parts) - used:
        notes.append(f"Left out: {unread} further sets of leads, at other times or of other leads.")
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
                values = (sequence.values * factor).astype(np.float32)
            signal[begin : begin + len(values), column] = values
    notes += pulse_note(signal, rate)
    names = unique_names([signal.name for signal in signals])
    all_series = root.findall("component/series")
    start = parts[0].start or hl7_start(_effective(all_series[0]) or _effective(root))
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
    return 1 / (increment * seconds), hl7_start(head), 0.0


def _sequence(path: Path, code: str, value: Element, stated: Stated) -> _Sequence:
    name = code.removeprefix(_LEAD_PREFIX)
    name = facts(_SPELLINGS.get(name, name)) or "lead"
    origin = stated_number(path, f"the origin of {name!r}", value_at(value, "origin") or "0")
    step = stated_number(path, f"the scale of {name!r}", value_at(value, "scale") or "1")
    units = [
        readable_unit(path, name, value_at(value, part, "unit"), stated.unit)
        for part in ("scale", "origin")
        if value_at(value, part, "unit") and (part == "scale" or origin)  # an origin of 0 is one in any unit
    ]
    unit = units[0] if units else ""
    if len(set(units)) > 1:
        to_unit = (millivolt(units[1]) or math.nan) / (millivolt(unit) or math.nan)
        if math.isnan(to_unit):
            raise DataError(f"{path} states the scale of {name!r} in {unit} and its origin in {units[1]}.")
        origin *= to_unit
    with np.errstate(over="ignore", invalid="ignore"):  # such values are refused later
        return _Sequence(name, unit, step, _digits(path, name, text_at(value, "digits")) * step + origin)


def _digits(path: Path, name: str, text: str) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's word for text that is not all numbers
        try:
            return np.fromstring(text, np.float64, sep=" ") if text else np.empty(0)
        except (DeprecationWarning, ValueError) as error:
            raise DataError(f"{path} has digits of the lead {name!r} that are not numbers.") from error


def _together(sets: list[_Set]) -> list[_Set]:
    """The sets of a series, with those of other leads that begin at the same time in one."""
    result: list[_Set] = []
    places: dict[tuple[float, datetime | None, float], int] = {}
    for part in sets:
        place = places.setdefault((part.rate_hz, part.start, part.begins_s), len(result))
        whole = result[place] if place < len(result) else part
        fits = len(whole.sequences) + len(part.sequences) <= MAX_LEADS
        if whole is not part and fits and _names(whole).isdisjoint(_names(part)):
            whole.sequences.extend(part.sequences)
        else:
            result.append(part)
    return result


def _with_leads_beside(path: Path, longest: _Set, sets: list[_Set]) -> tuple[_Set, int]:
    """The longest set with the leads that it lacks, of sets without a gap to it, and how many sets these are.

    A lead is missing where no set has it.
    """
    begin, end, names = 0, _length(longest), _names(longest)
    members = [(0, longest)]
    for part in sorted(_alike(longest, sets), key=lambda part: _seconds_between(longest, part)):
        first = round(_seconds_between(longest, part) * longest.rate_hz)
        further = _names(part) - names
        if further and first <= end and first + _length(part) >= begin and len(names | further) <= MAX_LEADS:
            members.append((first, part))
            begin, end, names = min(begin, first), max(end, first + _length(part)), names | further
    if len(members) == 1:
        return longest, 0
    check_size(path, end - begin, len(names))
    columns: dict[str, _Sequence] = {}
    places = {id(part): place for place, part in enumerate(sets)}
    for first, part in sorted(members, key=lambda place: places[id(place[1])]):
        for sequence in part.sequences:
            whole = columns.setdefault(sequence.name, sequence._replace(values=np.full(end - begin, np.nan)))
            if whole.unit == sequence.unit:
                target = whole.values[first - begin :][: len(sequence.values)]
                np.copyto(target, sequence.values, where=np.isnan(target))
    begins_s = begin / longest.rate_hz
    start = longest.start and longest.start + timedelta(seconds=begins_s)
    begins_s = longest.begins_s + (0.0 if longest.start else begins_s)
    return _Set(longest.rate_hz, start, begins_s, list(columns.values())), len(members) - 1


def _names(part: _Set) -> set[str]:
    return {sequence.name for sequence in part.sequences}


def _length(part: _Set) -> int:
    return max(len(sequence.values) for sequence in part.sequences)


def _alike(longest: _Set, sets: Iterable[_Set]) -> list[_Set]:
    """The other sets with the rate of the longest, whose times can be compared with its own."""
    return [
        part
        for part in sets
        if part is not longest
        and math.isclose(part.rate_hz, longest.rate_hz, rel_tol=_EVEN)
        and (part.start is None) == (longest.start is None)
    ]


def _continued(longest: _Set, sets: list[_Set]) -> list[_Set]:
    """The sets with the leads and the rate of the longest that lie before or behind it, in order, none on another."""
    names = [sequence.name for sequence in longest.sequences]
    alike = [part for part in _alike(longest, sets) if [sequence.name for sequence in part.sequences] == names]
    alike.append(longest)
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
    return _length(part) / part.rate_hz


def _effective(element: Element | None) -> str:
    return next(filter(None, (value_at(element, f"effectiveTime/{part}") for part in ("low", "center", "."))), "")


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
        next(_ages(root), None),
    )


def _ages(root: Element) -> Iterator[float | None]:
    """The age of the subject in years, as a control variable by its code of LOINC."""
    for variable in root.iterfind("controlVariable/relatedObservation"):
        if value_at(variable, "code", "code") == _REPORTED_AGE:
            yield age(value_at(variable, "value"), value_at(variable, "value", "unit"))


def _device(series: Element) -> str:
    author = series.find("author/seriesAuthor")
    return facts(
        text_at(author, "manufacturerOrganization/name"),
        text_at(author, "manufacturedSeriesDevice/manufacturerModelName"),
        value_at(author, "id", "extension"),
    )
