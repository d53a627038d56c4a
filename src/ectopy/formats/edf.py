"""EDF and EDF+, the European Data Format, and BDF and BDF+, the same with 24 bits a sample.

Files are read here, and annotations written with the package edfio: it refuses headers that differ from the
specification in what does not matter, and its expressions take for ever on some annotations.

Sources: https://www.edfplus.info/specs/edf.html, https://www.edfplus.info/specs/edfplus.html and
https://www.biosemi.com/faq/file_format.htm.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.errors import DataError, printable
from ectopy.files import GENERATOR, atomic_path
from ectopy.formats.annotation_codes import CODES, NOTE
from ectopy.formats.annotation_files import Mark, Span, each_mark, within
from ectopy.formats.identity import calendar_date, date_of, decoded, fact, moment_of, patient
from ectopy.formats.leads import (
    BLOCK_S,
    MAX_VALUES,
    Signal,
    Stated,
    check_size,
    check_unit,
    choose_leads,
    damaged,
    factors,
    left_out,
    sampling_rate,
    unique_names,
)
from ectopy.formats.plausibility import check_gaps, check_step
from ectopy.formats.pulse_channels import choose_pulses, contradictions, pulse_unit, readable_pulse
from ectopy.formats.spelling import readable_unit, stated_number, stated_whole_number
from ectopy.recording import Annotations, Patient, PulseWave, Recording

_ANNOTATION_LABELS = ("EDF Annotations", "BDF Annotations")
_AFTER_TEXT, _BEFORE_DURATION, _AFTER_ANNOTATION = b"\x14", b"\x15", b"\0"
_FIRST_YEAR = 85  # of two digits, as EDF counts them
_YEARS = range(1985, 2085)  # that EDF can hold
_FACT_BYTES = 28  # of a fact in the header of a file of annotations


def read(path: Path, stated: Stated) -> Recording:
    """Read an EDF, EDF+, BDF or BDF+ file.

    Gaps between data records are NaN where the file says when each begins. An annotation whose text is a PhysioNet code
    becomes that mark and any other a comment; durations are left out. Pulse waves keep their own rate, and one that
    cannot be read is named in the notes. A file without leads is refused.

    Raises
    ------
    DataError
        If the file is damaged, not whole, too large, or says too little of itself. The whole data records of a file
        that was cut short are read if `stated` says so.
    """
    layout = _read_layout(path)
    records, notes = _count_records(path, layout, stated.partial)
    signals = [
        Signal(line.label, readable_unit(path, line.label, line.unit, stated.unit), _rate(path, layout, line))
        for line in layout.lines
    ]
    leads = choose_leads(path, signals, stated.unit)
    check_unit(path, [signals[lead].unit for lead in leads], stated.unit)
    rate = sampling_rate(path, signals[leads[0]].sampling_rate_hz, stated.sampling_rate_hz)
    lead_lines = [layout.lines[lead] for lead in leads]
    to_millivolt = factors(signals, leads, stated.unit)
    scales = [_lead_scale(path, line, factor) for line, factor in zip(lead_lines, to_millivolt, strict=True)]
    check_size(path, records * lead_lines[0].samples, len(leads))

    content = np.memmap(path, np.uint8, "r", layout.header_bytes, (records, layout.record_bytes))
    first_onset, starts, jumped = _starts(path, layout, content, lead_lines[0].samples, rate)
    samples = int(starts[-1]) + lead_lines[0].samples
    check_size(path, samples, len(leads))
    check_gaps(path, samples, samples - records * lead_lines[0].samples, len(leads))
    result = _read_samples(layout, content, lead_lines, scales, starts, samples)
    texts = _texts(layout, content)
    annotations = within((_mark(round((onset - first_onset) * rate), text) for onset, text in texts), samples)
    start, doubt = _start(path, layout, first_onset)
    names = unique_names([signal.name for signal in signals])
    pulses = choose_pulses(signals, leads)
    waves = []
    for pulse in pulses:
        line = layout.lines[pulse]
        try:
            waves.append(_read_pulse(path, layout, content, line, names[pulse], starts, lead_lines[0].samples))
        except DataError as error:  # an ECG is read without a pulse wave that is damaged
            notes.append(f"The pulse wave {names[pulse]!r} is left out: {error}")
    left = (*left_out(signals, [*leads, *pulses]), *contradictions(signals, leads))
    return Recording(
        result,
        rate,
        tuple(names[lead] for lead in leads),
        start,
        annotations if len(annotations) else None,
        str(path),
        (*notes, *jumped, *doubt, *left),
        tuple(waves),
        _patient(layout.patient),
        _device(layout.recording),
    )


def read_annotations(path: Path, sampling_rate_hz: float) -> Annotations:
    """Read the annotations of an EDF+ or BDF+ file with or without leads, on samples of this rate.

    A `DataError` if the file is damaged or not whole.
    """
    layout = _read_layout(path)
    records, _ = _count_records(path, layout, partial=False)
    content = np.memmap(path, np.uint8, "r", layout.header_bytes, (records, layout.record_bytes))
    first_onset = _onset(content[0, layout.marks_at[0]].tobytes()) if records and layout.marks_at else 0.0
    first_onset = first_onset if math.isfinite(first_onset) else 0.0
    marks = (_mark(round((onset - first_onset) * sampling_rate_hz), text) for onset, text in _texts(layout, content))
    return within(marks, MAX_VALUES)


def write_annotations(
    path: Path,
    annotations: Annotations,
    sampling_rate_hz: float,
    start: datetime | None = None,
    source: str = "",
    spans: Sequence[Span] = (),
) -> None:
    """Write an EDF+ file of annotations only, atomically; an `OutputError` if it cannot be written.

    Its header says when the recording began, unless that was before 1985 or after 2084, names Ectopy with its version
    as the equipment, and gives the sampling rate and the source.

    The text of each is its code, ``V``; its comment, where it is a comment; or its code, subtype and note, as in ``~
    subtype -1`` and ``+ subtype 0 (AFIB``. What lasts has its duration and its text.
    """
    import edfio

    entries = [
        *(edfio.EdfAnnotation(mark.position / sampling_rate_hz, None, _text(mark)) for mark in each_mark(annotations)),
        *(edfio.EdfAnnotation(span.start_s, span.duration_s, _UNPRINTABLE.sub(" ", span.text)) for span in spans),
    ]
    entries.sort(key=lambda entry: entry.onset)
    if start is not None and start.year not in _YEARS:
        start = None
    # The header has 80 bytes for all of this, words without blanks in ASCII.
    facts = [f"{sampling_rate_hz:g}_Hz", Path(source).name]
    words = [re.sub(r"[^!-~]", "_", fact)[:_FACT_BYTES] for fact in facts if fact]
    origin = edfio.Recording(
        startdate=None if start is None else start.date(),
        equipment_code=GENERATOR.replace(" ", "_"),
        additional=words,
    )
    # edfio makes no file of nothing; an empty text is none.
    file = edfio.Edf(
        [],
        recording=origin,
        starttime=None if start is None else start.time(),
        annotations=entries or [edfio.EdfAnnotation(0, None, "")],
    )
    with atomic_path(path) as temporary:
        file.write(temporary)


# The header

_FIXED_BYTES = 256
_SIGNAL_BYTES = 256
_FIELDS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "filter": 80,
    "samples": 8,
    "reserved": 32,
}
"""Fields of each signal, and their bytes; a header has the first of all signals, then the second, and so on."""
_BDF = b"\xffBIOSEMI"
_ANONYMOUS = "01.01.85"  # the date of EDF+ where there is none


class _Line(NamedTuple):
    """One signal in the header; `bytes` are those of a data record that hold its samples."""

    label: str
    unit: str
    physical: tuple[str, str]
    digital: tuple[str, str]
    samples: int
    bytes: slice


class _Layout(NamedTuple):
    """Statements of the header.

    `sample_bytes` is 2 in EDF and 3 in BDF; `lines` are the signals, but for those of annotations, which are in the
    bytes `marks_at` of each data record. Of `records`, which last `duration_s` each, there are below 1 where the
    recorder did not say. They are `discontinuous` where they may be apart. `date` and `clock` say when the recording
    began, and the file is `anonymous` where it says that its date is not one. `patient` and `recording` are
    the texts that describe these.
    """

    sample_bytes: int
    lines: tuple[_Line, ...]
    marks_at: tuple[slice, ...]
    header_bytes: int
    record_bytes: int
    records: int
    duration_s: float
    discontinuous: bool
    date: str
    clock: str
    anonymous: bool
    patient: str
    recording: str


def _read_layout(path: Path) -> _Layout:
    with path.open("rb") as stream:
        fixed = stream.read(_FIXED_BYTES)
        bdf = fixed.startswith(_BDF)
        if not bdf and not re.match(rb"0[ \0]", fixed):
            raise DataError(f"{path} does not begin as an EDF or BDF file does: it is something else, or damaged.")
        text = fixed.decode("latin-1")
        signals = stated_whole_number(path, "the number of signals", text[252:256])
        fields = stream.read(_SIGNAL_BYTES * signals).decode("latin-1") if signals > 0 else ""
    if signals < 1 or len(fields) < _SIGNAL_BYTES * signals:
        raise DataError(f"{path} ends within its header of {signals} signals; copy it again from its source.")
    header_bytes = _FIXED_BYTES + _SIGNAL_BYTES * signals
    if stated_whole_number(path, "the size of its header", text[184:192]) != header_bytes:
        raise DataError(
            f"{path} states a header of {text[184:192].strip()} bytes, and one of {signals} signals has "
            f"{header_bytes}: copy it again from its source."
        )
    lines, marks_at = _lines(path, fields, signals, 3 if bdf else 2)
    duration = text[244:252]
    reserved = text[192:236]
    return _Layout(
        3 if bdf else 2,
        lines,
        marks_at,
        header_bytes,
        max(part.stop for part in (*marks_at, *(line.bytes for line in lines))),
        stated_whole_number(path, "the number of data records", text[236:244]),
        stated_number(path, "the duration of a data record", duration),
        reserved.startswith(("EDF+D", "BDF+D")),
        _stripped(text[168:176]),
        _stripped(text[176:184]),
        text[88:168].startswith("Startdate X") and text[168:176] == _ANONYMOUS,
        _local_text(text[8:88]),
        _local_text(text[88:168]),
    )


def _lines(path: Path, fields: str, signals: int, sample_bytes: int) -> tuple[tuple[_Line, ...], tuple[slice, ...]]:
    """The signals, and where annotations lie in a data record."""
    columns: dict[str, list[str]] = {}
    begin = 0
    for name, width in _FIELDS.items():
        columns[name] = [_stripped(fields[begin + width * i : begin + width * (i + 1)]) for i in range(signals)]
        begin += width * signals
    lines: list[_Line] = []
    marks_at: list[slice] = []
    place = 0
    for i, label in enumerate(columns["label"]):
        samples = stated_whole_number(path, f"the samples of {label!r} in a data record", columns["samples"][i])
        if samples < 0:
            raise DataError(f"{path} states {samples} samples of {label!r} in a data record; expected a number from 0.")
        part = slice(place, place + samples * sample_bytes)
        place = part.stop
        if label in _ANNOTATION_LABELS:
            marks_at.append(part)
            continue
        physical = columns["physical_min"][i], columns["physical_max"][i]
        digital = columns["digital_min"][i], columns["digital_max"][i]
        lines.append(_Line(printable(label), columns["unit"][i], physical, digital, samples, part))
    if place < 1:
        raise DataError(f"{path} has data records without samples; expected a recording.")
    return tuple(lines), tuple(marks_at)


def _count_records(path: Path, layout: _Layout, partial: bool) -> tuple[int, list[str]]:
    """Return how many whole data records are read, and what is to be said of the others."""
    whole_records, rest = divmod(max(path.stat().st_size - layout.header_bytes, 0), layout.record_bytes)
    if whole_records < 1:
        raise DataError(f"{path} ends before its first data record is whole: it holds no samples.")
    length = f"{whole_records:,} whole data records of {layout.duration_s:g} s"
    cut = f"{path.name} ends within a data record; read are {length} before it."
    if layout.records < 1:
        return whole_records, [
            f"{path.name} was not closed by its recorder and does not say how long it is; read are {length}.",
            *([cut] if rest else []),
        ]
    if whole_records == layout.records and not rest:
        return whole_records, []
    lacking = f"announces {layout.records:,} data records and holds {whole_records:,} whole ones"
    if whole_records < layout.records:
        reason = f"is cut short: it {lacking}"
    else:
        reason = f"is longer than its header says: it {lacking}, or other data after them"
    if not partial:
        raise damaged(path, reason)
    records = min(whole_records, layout.records)
    missing_s = (layout.records - records) * layout.duration_s
    left_out = f"{missing_s:g} s at the end are missing" if missing_s else "what lies behind the announced is left out"
    return records, [f"{path.name} {reason}; {left_out}."]


def _rate(path: Path, layout: _Layout, line: _Line) -> float:
    if layout.duration_s <= 0:
        raise DataError(
            f"{path} states data records of {layout.duration_s:g} s, which leaves the sampling rate of {line.label!r} "
            "open; expected a duration above 0."
        )
    return line.samples / layout.duration_s


class _Scale(NamedTuple):
    """Storage of samples: (stored + `offset`) * `step` * `to_unit`, which is millivolt or that of a pulse wave."""

    offset: float
    step: float
    to_unit: float


def _lead_scale(path: Path, line: _Line, to_millivolt: float) -> _Scale:
    scale = _scale(path, line, to_millivolt)
    check_step(path, line.label, scale.step * to_millivolt)
    return scale


def _scale(path: Path, line: _Line, to_unit: float) -> _Scale:
    low, high = (stated_number(path, f"the physical limits of {line.label!r}", text) for text in line.physical)
    lowest, highest = (stated_number(path, f"the digital limits of {line.label!r}", text) for text in line.digital)
    if low == high or lowest == highest:
        raise DataError(f"{path} says no range for the signal {line.label!r}; expected a calibrated signal.")
    step = (high - low) / (highest - lowest)
    return _Scale(high / step - highest, step, to_unit)


def _start(path: Path, layout: _Layout, first_onset: float) -> tuple[datetime | None, list[str]]:
    """Time of the first sample, None in a file made anonymous; and what is to be said if it cannot be read."""
    if layout.anonymous or not (layout.date or layout.clock):
        return None, []
    separated = r"(\d{1,2})[^\d\s]\s?(\d{1,2})[^\d\s]\s?(\d{1,2})"
    day, clock = (re.fullmatch(separated, text, re.ASCII) for text in (layout.date, layout.clock))
    year = int(day[3]) + (1900 if int(day[3]) >= _FIRST_YEAR else 2000) if day else 0
    begins_on = date_of(year, int(day[2]), int(day[1])) if day else None
    # EDF+, on the startdate: after 2084 the year is "yy" there, and only the subfield Startdate defines the date.
    begin = clock and moment_of(
        begins_on or _startdate(layout.recording), (int(clock[1]), int(clock[2]), int(clock[3]))
    )
    try:
        if begin:
            return begin + timedelta(seconds=first_onset), []
    except OverflowError:
        pass
    return None, [f"{path.name} states the start {layout.date!r} {layout.clock!r}, which is not a date and a time."]


def _patient(text: str) -> Patient:
    """Read the subfields of EDF+, code, sex, birth date and name, which have no blanks; of EDF the whole text."""
    code, sex, born, name = (*text.split(" "), "", "", "", "")[:4]
    if sex not in ("F", "M", "X"):
        return patient(text)
    return patient(name.replace("_", " "), code.replace("_", " "), sex, _date(born))


def _startdate(text: str) -> date | None:
    """Read the date of the recording field of EDF+, its second subfield behind the word Startdate."""
    word, day = (*text.split(" "), "", "")[:2]
    return _date(day) if word == "Startdate" else None


def _date(text: str) -> date | None:
    """Read a date of EDF+, ``02-MAR-2002``."""
    match = re.fullmatch(r"(\d\d)-([A-Za-z]{3})-(\d{4})", text, re.ASCII)
    return calendar_date(text.replace("-", " ")) if match else None


def _device(text: str) -> str:
    """Read the equipment of EDF+, the fourth subfield behind the word Startdate; of EDF the whole text."""
    fields = text.split(" ")
    if fields[0] != "Startdate":
        return fact(text)
    return fact(fields[4].replace("_", " ")) if len(fields) > 4 else ""


def _local_text(text: str) -> str:
    """Text that should be ASCII, and is UTF-8 or Latin-1 where names have other letters."""
    return _stripped(decoded(text.encode("latin-1")))


def _stripped(text: str) -> str:
    return text.strip(" \0")


# The samples

_CONTINUOUS_TOLERANCE = 0.1
"""Part of a data record by which one may begin late in a continuous file, whose recorder stamps when it writes."""


def _starts(
    path: Path, layout: _Layout, content: NDArray[np.uint8], record_samples: int, rate: float
) -> tuple[float, NDArray[np.int64], list[str]]:
    """Return when the recording begins, seconds after the start in the header; its data records, samples after; a note.

    Files that say that they are continuous are not believed where a data record begins late.
    """
    records = len(content)
    expected = np.arange(records, dtype=np.int64) * record_samples
    if not layout.marks_at:
        return 0.0, expected, []
    onsets = np.array([_onset(record[layout.marks_at[0]].tobytes()) for record in _each_record(layout, content)])
    silent = np.flatnonzero(~np.isfinite(onsets))
    if len(silent) and layout.discontinuous:
        raise DataError(f"{path} does not say when its data record {silent[0] + 1} begins; it is damaged.")
    first_onset = float(onsets[0]) if math.isfinite(onsets[0]) else 0.0
    if np.nanmax(np.abs(onsets - first_onset), initial=0.0) * rate > MAX_VALUES:
        raise DataError(f"{path} has data records that are too far apart: split it.")

    # How late each record is, in samples; what is within the tolerance, or not known, is as late as the one before.
    late = (onsets - first_onset) * rate - expected
    tolerance = 1.0 if layout.discontinuous else max(1.0, _CONTINUOUS_TOLERANCE * record_samples)
    shifts = np.zeros(records, np.int64)
    overlapping = 0
    shift = 0
    for record, lateness in enumerate(late.tolist()):
        if lateness - shift > tolerance:
            shift = round(lateness)
        elif shift - lateness > tolerance:
            overlapping += 1
        shifts[record] = shift
    if overlapping and layout.discontinuous:
        raise DataError(f"{path} has data records that overlap; expected them in order of time.")
    notes = []
    if len(silent):
        notes.append(
            f"{path.name} does not say when {len(silent):,} of its data records begin; they are read as if they "
            "followed each other."
        )
    if overlapping:
        notes.append(
            f"{path.name} says that it is continuous, and {overlapping:,} of its data records begin too early; they "
            "are read as if they followed each other."
        )
    if shift and not layout.discontinuous:
        notes.append(
            f"{path.name} says that it is continuous, but its data records are {shift / rate:g} s apart in all; these "
            "gaps are kept."
        )
    return first_onset, expected + shifts, notes


def _each_record(layout: _Layout, content: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The data records one by one, of which no more than a block stays in memory; they may last no time."""
    length = max(1, int(BLOCK_S / layout.duration_s)) if layout.duration_s > 0 else max(1, len(content))
    for rows in large_arrays.blocks(len(content), length, content):
        yield from content[rows]


def _onset(annotation: bytes) -> float:
    """Return when an annotation begins, in seconds; NaN where it does not say."""
    try:
        return float(annotation.partition(_AFTER_TEXT)[0].partition(_BEFORE_DURATION)[0])
    except ValueError:
        return math.nan


def _texts(layout: _Layout, content: NDArray[np.uint8]) -> Iterator[tuple[float, str]]:
    """Onset and text of each annotation, but for the empty ones that say when a data record begins."""
    for record in _each_record(layout, content) if layout.marks_at else ():
        for place in layout.marks_at:
            for annotation in filter(None, record[place].tobytes().split(_AFTER_ANNOTATION)):
                for text in filter(None, annotation.split(_AFTER_TEXT)[1:]):
                    onset = _onset(annotation)
                    if math.isfinite(onset):
                        yield onset, text.decode("utf-8", errors="replace")


def _read_samples(
    layout: _Layout,
    content: NDArray[np.uint8],
    lines: Sequence[_Line],
    scales: Sequence[_Scale],
    starts: NDArray[np.int64],
    samples: int,
) -> NDArray[np.float32]:
    result = large_arrays.empty((samples, len(lines)), np.float32)
    ends = np.append(starts[1:], samples)
    block = max(1, int(BLOCK_S / layout.duration_s))
    for part in large_arrays.blocks(len(starts), block, result, content):
        first, last = part.start, part.stop
        # Records that follow each other without a gap are put down together.
        joints = first + 1 + np.flatnonzero(ends[first : last - 1] > starts[first : last - 1] + lines[0].samples)
        runs = list(zip([first, *joints.tolist()], [*joints.tolist(), last], strict=True))
        for column, (line, scale) in enumerate(zip(lines, scales, strict=True)):
            stored = _stored(content[first:last, line.bytes], layout.sample_bytes)
            with np.errstate(over="ignore"):  # such values are refused later
                values = ((stored + scale.offset) * scale.step * scale.to_unit).astype(np.float32)
            for begin, end in runs:
                target = result[starts[begin] : ends[end - 1], column]
                filled = (end - begin) * line.samples
                target[:filled] = values[begin - first : end - first].ravel()
                target[filled:] = np.nan
    return result


def _read_pulse(
    path: Path,
    layout: _Layout,
    content: NDArray[np.uint8],
    line: _Line,
    name: str,
    starts: NDArray[np.int64],
    lead_samples: int,
) -> PulseWave:
    """Read a pulse wave beside leads with so many samples in a data record, which begin at `starts`."""
    unit = pulse_unit(line.label, line.unit)
    assert unit is not None
    records = np.arange(len(starts), dtype=np.int64)
    late = np.rint((starts - records * lead_samples) / lead_samples * line.samples).astype(np.int64)
    own = records * line.samples + late
    samples = int(own[-1]) + line.samples
    check_size(path, samples, 1)
    scale = _scale(path, line, unit.factor)
    values = _read_samples(layout, content, [line], [scale], own, samples)
    return PulseWave(name, unit.unit, _rate(path, layout, line), readable_pulse(values[:, 0]))


def _stored(content: NDArray[np.uint8], sample_bytes: int) -> NDArray[Any]:
    """Samples as they are stored, shape (records, samples)."""
    content = np.ascontiguousarray(content)
    if sample_bytes == 2:
        return content.view("<i2")
    low, middle, high = np.moveaxis(content.reshape(len(content), -1, 3), 2, 0).astype(np.int32)
    return low | middle << 8 | (high ^ 0x80) - 0x80 << 16


# The texts of annotations

_EXPLICIT = re.compile(r"(\S) subtype (-?\d{1,3})(?: (.*))?", re.DOTALL)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


def _mark(position: int, text: str) -> Mark:
    if text in CODES:
        return Mark(position, text)
    explicit = _EXPLICIT.fullmatch(text)
    if explicit and explicit[1] in CODES and -128 <= int(explicit[2]) <= 127:
        return Mark(position, explicit[1], int(explicit[2]), explicit[3] or "")
    return Mark(position, NOTE, 0, text)


def _text(mark: Mark) -> str:
    """The shortest text that is read as the mark; what EDF+ cannot hold becomes a space."""
    mark = mark._replace(note=_UNPRINTABLE.sub(" ", mark.note))
    shortest = mark.note if mark.symbol == NOTE and mark.note else mark.symbol
    if _mark(mark.position, shortest) == mark:
        return shortest
    return f"{mark.symbol} subtype {mark.subtype} {mark.note}".rstrip(" " if not mark.note else None)
