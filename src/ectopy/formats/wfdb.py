"""WFDB, the format of PhysioNet: a header, files of samples, and files of annotations.

Headers and samples are read in `wfdb_header` and `wfdb_samples`, annotations here.

Source: https://physionet.org/physiotools/wag/annot-5.htm.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.errors import DataError
from ectopy.files import atomic_path
from ectopy.formats.annotation_codes import CODES, NOTE
from ectopy.formats.annotation_files import Mark, at_rate, collect, each_mark, within
from ectopy.formats.identity import decoded, patient
from ectopy.formats.leads import (
    BLOCK_S,
    Signal,
    Stated,
    check_size,
    check_unit,
    choose_leads,
    factors,
    left_out,
    millivolt,
    sampling_rate,
    unique_names,
)
from ectopy.formats.library_errors import raising_data_error
from ectopy.formats.plausibility import check_gaps, check_step
from ectopy.formats.pulse_channels import choose_pulses, contradictions, pulse_unit, readable_pulse
from ectopy.formats.spelling import readable_unit
from ectopy.formats.wfdb_header import Header, Line, check_name, find_beside, find_header, read_comments, read_header
from ectopy.formats.wfdb_samples import NULL, DataFile, invalid_sample
from ectopy.recording import Annotations, Patient, PulseWave, Recording

MAX_FRAME_VALUES = 2**20
"""Most samples of all signals together in one frame."""
MAX_ANNOTATION_BYTES = 16 * 2**20
"""Largest annotation file; two weeks of beats have half of it."""
MAX_NOTE_BYTES = 255

_GAP = "~"
_BLOCK_VALUES = 2**24
_CHECKSUM_MODULUS = 2**16

_Samples = NDArray[np.float32]


def read(path: Path, stated: Stated) -> Recording:
    """Read a record, by its header, its file of samples or its name, with its ``.atr`` annotations if it has them.

    A lead without a unit is in mV if it has a gain, as the specification says; one without a gain is not calibrated,
    and the unit of its 200 steps is asked for. Where signals have several samples per frame, the leads with the most
    are read, and annotations are moved to their sampling rate. Pulse waves keep their own rate. Segments that lack a
    signal leave NaN in it. A signal whose samples do not add up to the checksum in the header is named in the notes,
    and so is a pulse wave that cannot be read.

    Raises
    ------
    DataError
        If the record is damaged, not whole, too large, or says too little of itself. A record whose data file is
        shorter than its header says is read as far as it goes if `stated` says so.
    MissingExtraError
        If the record is compressed and soundfile is not installed.
    """
    header = read_header(path)
    record = header.path.with_suffix("")
    frame_rate = header.frame_rate_hz
    if frame_rate is None:
        frame_rate = sampling_rate(header.path, None, stated.sampling_rate_hz)
        stated = stated._replace(sampling_rate_hz=None)
    segments = _segments(header)
    pattern = _pattern(header, segments)
    signals = _signals(pattern, range(len(pattern.lines)), frame_rate, stated.unit)
    leads = choose_leads(header.path, signals, stated.unit)
    check_unit(header.path, [signals[lead].unit for lead in leads], stated.unit)
    per_frame = pattern.lines[leads[0]].per_frame
    rate = sampling_rate(header.path, per_frame * frame_rate, stated.sampling_rate_hz)
    names = unique_names([signal.name for signal in signals])
    lead_names = tuple(names[lead] for lead in leads)
    pulses = choose_pulses(signals, leads)

    # Nothing is read before it is known that it fits and all of it is there.
    check_size(header.path, sum(segment.frames for segment in segments) * per_frame, len(leads))
    parts, notes = [], [*header.notes, *left_out(signals, [*leads, *pulses]), *contradictions(signals, leads)]
    for segment in segments:
        part, note = _measure(header, segment, _columns(header, segment, lead_names, leads), stated.partial)
        parts.append(part)
        notes += [note] if note else []
        notes += [
            f"The header names {name}, which is not there; read is {file.path.name}."
            for name, file in part.files.items()
            if file.path.name.casefold() != name.casefold()
        ]
    frames = sum(part.frames for part in parts)
    check_size(header.path, frames * per_frame, len(leads))
    missing = sum(part.frames - part.intact for part in parts)
    check_gaps(header.path, frames * per_frame, missing * per_frame, len(leads))

    result = large_arrays.empty((frames * per_frame, len(leads)), np.float32)
    begin = 0
    wrong: dict[str, list[str]] = {}
    for part in parts:
        end = begin + part.frames * per_frame
        for lead in _fill(part, lead_names, per_frame, frame_rate, stated.unit, result[begin:end]):
            wrong.setdefault(lead, []).append(part.segment.header.path.stem if part.segment.header else _GAP)
        begin = end
    notes += [_checksum_note(f"lead {lead!r}", records) for lead, records in wrong.items()]
    waves = []
    for pulse in pulses:
        try:
            wave, sentences = _read_pulse(header, parts, pattern.lines[pulse], names[pulse], pulse, frame_rate)
            waves.append(wave)
            notes += sentences
        except DataError as error:  # an ECG is read without a pulse wave that is damaged
            notes.append(f"The pulse wave {names[pulse]!r} is left out: {error}")
    return Recording(
        result,
        rate,
        lead_names,
        header.start,
        _annotations_beside(record, frame_rate, rate, len(result)),
        str(path),
        tuple(notes),
        tuple(waves),
        _patient(header),
    )


# The header


class _Segment(NamedTuple):
    """A part of the recording; a gap where it has no header."""

    frames: int
    header: Header | None


def _signals(header: Header, indices: Iterable[int], frame_rate_hz: float, unit: str | None) -> list[Signal]:
    """The signals of a header, with their units as they are usually spelt."""
    lines = [header.lines[index] for index in indices]
    return [
        Signal(line.name, readable_unit(header.path, line.name, line.unit, unit), line.per_frame * frame_rate_hz)
        for line in lines
    ]


def _segments(header: Header) -> list[_Segment]:
    """The parts of the record in their order; itself where it has no segments."""
    if header.variable is None:
        return [_Segment(_frames(header), header)]
    listed = header.segments[1:] if header.variable else header.segments
    return [
        _Segment(length, None if name == _GAP else _segment_header(header, name, length)) for name, length in listed
    ]


def _segment_header(header: Header, name: str, frames: int) -> Header:
    segment = _header_beside(header, name)
    if segment.variable is not None:
        raise DataError(f"{header.path} has the segment {name}, which has segments itself; expected a plain record.")
    if segment.frames not in (None, frames) or segment.frame_rate_hz not in (None, header.frame_rate_hz):
        raise DataError(f"{segment.path} has another length or rate than {header.path} says; copy the record again.")
    return segment._replace(frames=frames)


def _header_beside(header: Header, name: str) -> Header:
    check_name(header.path, name)
    return read_header(header.path.with_name(f"{name}.hea"))


def _pattern(header: Header, segments: Sequence[_Segment]) -> Header:
    """The header that names the signals of the whole record."""
    if header.variable is None:
        return header
    if header.variable:
        return _header_beside(header, header.segments[0][0])
    headers = [segment.header for segment in segments if segment.header is not None]
    if not headers:
        raise DataError(f"{header.path} lists nothing but gaps; expected segments with signals.")
    for other in headers[1:]:
        if [line.name for line in other.lines] != [line.name for line in headers[0].lines]:
            raise DataError(
                f"{other.path} has other signals than {headers[0].path}; expected the same in all segments."
            )
    return headers[0]


def _columns(header: Header, segment: _Segment, names: Sequence[str], columns: Sequence[int]) -> Sequence[int | None]:
    """Return where a segment has the signals of these names, which the whole record has in these columns."""
    if not header.variable or segment.header is None:
        return columns
    present = unique_names([line.name for line in segment.header.lines])
    return [present.index(name) if name in present else None for name in names]


def _frames(header: Header) -> int:
    """Return how long a record without segments is; where its header does not say, its data files do."""
    if header.frames is not None:
        return header.frames
    files = [_data_file(header, line) for line in header.lines if line.storage != NULL]
    with raising_data_error(f"{header.path} does not state the number of samples; add it after the rate."):
        return min((file.frames() for file in files), default=0)


_AGE = re.compile(r"\b<?age>?[\s:=]*(\d{1,3})\b", re.ASCII | re.IGNORECASE)
_SEX = re.compile(r"<?(?:sex|gender)>?[\s:=]*([a-z]+)\b", re.ASCII | re.IGNORECASE)
_AGE_AND_SEX = re.compile(r"(\d{1,3}) ([MF])\b", re.ASCII)


def _patient(header: Header) -> Patient:
    """The patient as comments usually describe them: ``Age: 74``, ``<sex>: F``, or ``69 M`` at the beginning."""
    comments = read_comments(header.path)
    text = "\n".join(comments)
    years, sex = _AGE.search(text), _SEX.search(text)
    if not years and not sex and comments and (first := _AGE_AND_SEX.match(comments[0])):
        return patient(sex=first[2], age_years=float(first[1]))
    return patient(sex=sex[1] if sex else "", age_years=float(years[1]) if years else None)


# The samples


class _Part(NamedTuple):
    """A segment as it is read.

    `columns` are the indices of each lead in its header, None where it lacks the lead, and `files` those that hold the
    leads, by the name that the header has for them. `intact` frames are in all files, and the part takes up `frames` in
    the recording.
    """

    segment: _Segment
    columns: Sequence[int | None]
    files: dict[str, DataFile]
    intact: int
    frames: int


class _Column(NamedTuple):
    """A signal of a segment: its place in the recording, its index and line in the header, and the factor to its unit.

    That is millivolt, or the unit of a pulse wave.
    """

    place: int
    column: int
    line: Line
    factor: float


def _data_file(header: Header, line: Line) -> DataFile:
    """The data file of a signal, with all signals that lie in it."""
    together = [other for other in header.lines if other.file == line.file]
    path = find_beside(header.path, line.file)
    if path is None and len(together) == len(header.lines):  # a record that was renamed
        path = find_beside(header.path, f"{header.path.stem}{Path(line.file).suffix}")
    if path is None:
        raise DataError(f"{header.path} names the data file {line.file}, which is not beside it; put it there.")
    if any((other.storage, other.offset) != (line.storage, line.offset) for other in together):
        raise DataError(f"{header.path} describes {line.file} in several formats; expected one.")
    per_frame = tuple(other.per_frame for other in together)
    if sum(per_frame) > MAX_FRAME_VALUES:
        raise DataError(f"{header.path} has frames of {sum(per_frame):,} samples; expected up to {MAX_FRAME_VALUES:,}.")
    return DataFile(path, line.storage, line.offset, per_frame, tuple(other.initial for other in together))


def _data_files(segment: _Segment, columns: Sequence[int | None]) -> dict[str, DataFile]:
    """The files that hold the leads of a segment, by the name that its header has for them."""
    header = segment.header
    if header is None or not segment.frames:
        return {}
    lines = [header.lines[column] for column in columns if column is not None]
    return {line.file: _data_file(header, line) for line in lines if line.storage != NULL}


def _measure(header: Header, segment: _Segment, columns: Sequence[int | None], partial: bool) -> tuple[_Part, str]:
    """The part with its intact frames, and a note on what is missing, if anything is."""
    files = _data_files(segment, columns)
    if segment.header is None or not files:
        return _Part(segment, columns, files, 0, segment.frames), ""
    with raising_data_error(f"{segment.header.path} has data files that cannot be read; copy the record again."):
        frames_in = {name: file.frames() for name, file in files.items()}
    short = min(frames_in, key=lambda name: frames_in[name])
    if frames_in[short] >= segment.frames:
        return _Part(segment, columns, files, segment.frames, segment.frames), ""
    intact = frames_in[short]
    lacking = f"{segment.header.path} promises {segment.frames:,} samples, and {short} holds {intact:,} of them"
    if not partial:
        raise DataError(
            f"{lacking}: copy the record again, or read what is there with partial=True (--partial on the command "
            "line)."
        )
    # A record without segments ends there; a segment keeps its place among the others.
    frames = intact if header.variable is None else segment.frames
    return _Part(segment, columns, files, intact, frames), f"{lacking}; the rest is missing."


def _fill(
    part: _Part,
    names: Sequence[str],
    per_frame: int,
    frame_rate_hz: float,
    unit: str | None,
    target: _Samples,
) -> list[str]:
    """Read the leads of a segment into the columns of `target`, and NaN where there is nothing.

    Return the leads whose samples do not add up to their checksum.
    """
    header = part.segment.header
    if header is None or not len(target):
        target[:] = np.nan
        return []
    leads = _leads(header, part.columns, names, per_frame, frame_rate_hz, unit)
    return [names[place] for place in _fill_columns(header, part, leads, per_frame, frame_rate_hz, target)]


def _fill_columns(
    header: Header, part: _Part, leads: Sequence[_Column], per_frame: int, frame_rate_hz: float, target: _Samples
) -> list[int]:
    """Read signals of a segment into the columns of `target`; return the columns that have a wrong checksum."""
    target[part.intact * per_frame :] = np.nan
    target[:, sorted(set(range(target.shape[1])) - {lead.place for lead in leads})] = np.nan
    wrong = []
    with raising_data_error(f"{header.path} has data files that cannot be read; copy the record again."):
        for name, file in part.files.items():
            together = [column for column, line in enumerate(header.lines) if line.file == name]
            inside = {together.index(lead.column): lead for lead in leads if lead.line.file == name}
            block = max(1, min(int(BLOCK_S * frame_rate_hz), _BLOCK_VALUES // file.frame_values))
            wrong += _fill_from(file, inside, per_frame, block, target[: part.intact * per_frame])
    for lead in leads:
        _unskew(target[:, lead.place], lead.line.skew * per_frame)
    # A checksum is one of all samples.
    verifiable = part.intact == part.segment.frames and header.frames is not None
    return sorted(wrong) if verifiable else []


def _read_pulse(
    header: Header, parts: Sequence[_Part], line: Line, name: str, column: int, frame_rate_hz: float
) -> tuple[PulseWave, list[str]]:
    """Read a pulse wave beside the leads in `parts`, with notes; where its data file ends before theirs it is NaN."""
    unit = pulse_unit(line.name, line.unit)
    assert unit is not None
    per_frame = line.per_frame
    check_size(header.path, sum(part.frames for part in parts) * per_frame, 1)
    result = np.full((sum(part.frames for part in parts) * per_frame, 1), np.nan, np.float32)
    wrong, notes = [], []
    begin = 0
    for lead_part in parts:
        target = result[begin : begin + lead_part.frames * per_frame]
        begin += len(target)
        segment = lead_part.segment
        if segment.header is None or not len(target):
            continue
        part, note = _measure(header, segment, _columns(header, segment, (name,), (column,)), partial=True)
        notes += [note] if note and lead_part.intact == segment.frames else []
        for place in part.columns:
            if place is None or segment.header.lines[place].storage == NULL:
                continue
            own = segment.header.lines[place]
            own_unit = pulse_unit(own.name, own.unit)
            if own.per_frame != per_frame or own_unit is None or own_unit.unit != unit.unit:
                notes.append(f"{segment.header.path} has the pulse wave {name!r} in another unit or at another rate.")
                continue
            part = part._replace(intact=min(part.intact, lead_part.frames))
            columns = [_Column(0, place, own, own_unit.factor)]
            if _fill_columns(segment.header, part, columns, per_frame, frame_rate_hz, target):
                wrong.append(segment.header.path.stem)
    notes += [_checksum_note(f"pulse wave {name!r}", wrong)] if wrong else []
    return PulseWave(name, unit.unit, per_frame * frame_rate_hz, readable_pulse(result[:, 0])), notes


def _leads(
    header: Header,
    columns: Sequence[int | None],
    names: Sequence[str],
    per_frame: int,
    frame_rate_hz: float,
    unit: str | None,
) -> list[_Column]:
    """The leads that a segment has samples of."""
    places = [
        place for place, column in enumerate(columns) if column is not None and header.lines[column].storage != NULL
    ]
    present = [column for column in columns if column is not None and header.lines[column].storage != NULL]
    if not present:
        return []
    if any(header.lines[column].per_frame != per_frame for column in present):
        raise DataError(f"{header.path} has another number of samples per frame than the rest of the record.")
    signals = _signals(header, present, frame_rate_hz, unit)
    choose_leads(header.path, signals, unit)  # raises where a segment states no unit and its record does
    for signal in signals:
        if millivolt(signal.unit or unit or "") is None:
            raise DataError(
                f"{header.path} states the unit {signal.unit!r} for the lead {signal.name!r}; expected V, mV or uV, as "
                "in the rest of the record."
            )
    leads = [
        _Column(place, column, header.lines[column], factor)
        for place, column, factor in zip(places, present, factors(signals, range(len(signals)), unit), strict=True)
    ]
    for lead in leads:
        check_step(header.path, names[lead.place], lead.factor / lead.line.gain)
    return leads


def _fill_from(file: DataFile, leads: dict[int, _Column], per_frame: int, block: int, target: _Samples) -> list[int]:
    """Read leads, by their index in a file, in blocks of frames; return the columns that have a wrong checksum."""
    frames = len(target) // per_frame
    sums = dict.fromkeys(leads, 0)
    before = file.initial
    for part in large_arrays.blocks(frames, block, target):
        begin, end = part.start, part.stop
        digital = file.read(begin, end, before)
        before = tuple(int(samples[-1]) for samples in digital)
        for index, lead in leads.items():
            samples = digital[index]
            sums[index] += int(samples.sum(dtype=np.int64))
            values = (samples - lead.line.baseline) / lead.line.gain * lead.factor
            values[samples == invalid_sample(file.storage)] = np.nan
            target[begin * per_frame : end * per_frame, lead.place] = values
    # Programs that do not count write a checksum of 0.
    return [
        lead.place
        for index, lead in leads.items()
        if lead.line.checksum and (sums[index] - lead.line.checksum) % _CHECKSUM_MODULUS
    ]


def _checksum_note(signal: str, records: Sequence[str]) -> str:
    more = f" and {len(records) - 1} more" if len(records) > 1 else ""
    return (
        f"The samples of the {signal} do not add up to the checksum in the header of {records[0]}{more}: "
        "the data file was changed or damaged; copy the record again."
    )


def _unskew(samples: _Samples, late: int) -> None:
    """Move a signal that is stored so many samples late to where it belongs."""
    if late:
        late = min(late, len(samples))
        samples[: len(samples) - late] = samples[late:].copy()
        samples[len(samples) - late :] = np.nan


# Annotations: words of 16 bits, of which 6 say what and 10 how much later than the one before.

_DATA_BITS = 10
_LARGEST_STEP = 2**_DATA_BITS - 1
_LARGEST_SKIP = 2**31 - 1
_SKIP, _NUMBER, _SUBTYPE, _CHANNEL, _TEXT = 59, 60, 61, 62, 63
_NO_MARK = 0
_SYMBOLS = {code: symbol for symbol, code in CODES.items()}
_RESOLUTION = re.compile(r"## time resolution: (\d+\.?\d*)")
_DEFINITION = re.compile(r"(\d{1,2}) (\S{1,3}) ")
_DEFINITIONS_BEGIN, _DEFINITIONS_END = "## annotation type definitions", "## end of definitions"


class _Word(NamedTuple):
    """An annotation as it is stored."""

    time: int
    code: int
    subtype: int
    text: str


def read_annotations(path: Path, sampling_rate_hz: float | None = None) -> Annotations:
    """Read an annotation file, for example ``100.atr``; positions are as the file counts them, or at a rate.

    A code that is neither PhysioNet's nor defined in the file becomes a comment. A `DataError` if the file is missing,
    empty, too large, damaged or cut short.
    """
    marks, _ = _read_marks(path)
    own_hz = None if sampling_rate_hz is None else annotation_timing(path).sampling_rate_hz
    if sampling_rate_hz is None or own_hz is None:
        return collect(marks)
    return at_rate(path, marks, own_hz, sampling_rate_hz)


def write_annotations(path: Path, annotations: Annotations, sampling_rate_hz: float) -> None:
    """Write an annotation file, which may replace an older one, atomically.

    Raises
    ------
    DataError
        If a symbol is none of PhysioNet's, a position is negative, or a note is too long.
    OutputError
        If the file cannot be written.
    """
    content = b"".join(_encode(path, annotations, sampling_rate_hz))
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


class Timing(NamedTuple):
    """Sampling rate in Hz that positions are counted in, and the recording's length in samples; None where unknown."""

    sampling_rate_hz: float | None
    samples: int | None


def annotation_timing(path: Path) -> Timing:
    """Rate and length that belong to an annotation file: from the file itself, else from the header beside it.

    A `DataError` if the file or its header cannot be used.
    """
    _, rate_hz = _read_marks(path)
    if find_header(path.with_suffix("")) is None:
        return Timing(rate_hz, None)
    header = read_header(path.with_suffix(""))
    rate_hz = rate_hz or header.frame_rate_hz
    if not (rate_hz and header.frame_rate_hz and header.frames):
        return Timing(rate_hz, None)
    return Timing(rate_hz, round(header.frames * rate_hz / header.frame_rate_hz))


def _annotations_beside(record: Path, frame_rate_hz: float, rate_hz: float, samples: int) -> Annotations | None:
    """The reference annotations of a record, if it has them, on samples of the rate that was read."""
    paths = (record.with_name(f"{record.name}{suffix}") for suffix in (".atr", ".ATR"))
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    marks, resolution_hz = _read_marks(path)
    scale = rate_hz / (resolution_hz or frame_rate_hz)
    return within((mark._replace(position=round(mark.position * scale)) for mark in marks), samples)


def _read_marks(path: Path) -> tuple[list[Mark], float | None]:
    """Marks, and how many positions a second has where the file says so."""
    try:
        if path.stat().st_size > MAX_ANNOTATION_BYTES:
            raise DataError(f"{path} is larger than {MAX_ANNOTATION_BYTES / 2**20:.0f} MiB; expected annotations.")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}; name an annotation file.") from error
    if not content:
        raise DataError(f"{path} is empty; name a file with WFDB annotations.")
    try:
        words = _decode(content)
    except (IndexError, struct.error) as error:
        raise DataError(f"{path} is not a whole WFDB annotation file; copy it again from its source.") from error
    return _interpret(words)


def _decode(content: bytes) -> list[_Word]:
    """Annotations with their attributes; raises IndexError or struct.error where the end is missing."""
    words: list[_Word] = []
    time = place = 0
    while True:
        (word,) = struct.unpack_from("<H", content, place)
        place += 2
        code, data = word >> _DATA_BITS, word & _LARGEST_STEP
        if word == 0:
            return words
        if code == _SKIP:
            high, low = struct.unpack_from("<hH", content, place)
            time += (high << 16) + low
            place += 4
        elif code == _SUBTYPE:
            words[-1] = words[-1]._replace(subtype=(data & 0xFF) - ((data & 0x80) << 1))
        elif code == _TEXT:
            (text,) = struct.unpack_from(f"{data}s", content, place)
            place += data + data % 2
            words[-1] = words[-1]._replace(text=decoded(text.rstrip(b"\0")))
        elif code not in (_NUMBER, _CHANNEL):
            time += data
            words.append(_Word(time, code, 0, ""))


def _interpret(words: Iterable[_Word]) -> tuple[list[Mark], float | None]:
    """Tell marks from what the file says of itself, which are comments at time 0."""
    marks: list[Mark] = []
    symbols = _SYMBOLS.copy()
    resolution_hz: float | None = None
    defining = False
    for word in words:
        if word.code == _NO_MARK:
            continue
        if word.time == 0 and word.code == CODES[NOTE]:
            if defining and (definition := _DEFINITION.match(word.text)):
                symbols[int(definition[1])] = definition[2]
                continue
            if word.text.startswith("## "):
                defining = word.text == _DEFINITIONS_BEGIN or (defining and word.text != _DEFINITIONS_END)
                if stated := _RESOLUTION.match(word.text):
                    resolution_hz = float(stated[1]) or None
                continue
        if word.code in symbols:
            marks.append(Mark(word.time, symbols[word.code], word.subtype, word.text))
        else:
            marks.append(Mark(word.time, NOTE, word.subtype, f"annotation code {word.code} {word.text}".rstrip()))
    return marks, resolution_hz


def _encode(path: Path, annotations: Annotations, sampling_rate_hz: float) -> Iterator[bytes]:
    yield _word(CODES[NOTE], 0) + _encode_text(path, f"## time resolution: {sampling_rate_hz:.10g}")
    # Where what the file says of itself ends: one back, and one forth to no mark.
    yield _skip(-1) + _word(_NO_MARK, 1)
    time = 0
    for mark in each_mark(annotations):
        if mark.symbol not in CODES:
            raise DataError(f"{path} cannot hold the symbol {mark.symbol!r}; expected PhysioNet's annotation codes.")
        if mark.position < time:
            raise DataError(f"{path} cannot hold the position {mark.position}; expected positions from 0.")
        step = mark.position - time
        time = mark.position
        while step > _LARGEST_STEP:
            yield _skip(min(step, _LARGEST_SKIP))
            step -= min(step, _LARGEST_SKIP)
        yield _word(CODES[mark.symbol], step)
        if mark.subtype:
            yield _word(_SUBTYPE, mark.subtype & 0xFF)
        if mark.note:
            yield _encode_text(path, mark.note)
    yield _word(_NO_MARK, 0)


def _word(code: int, data: int) -> bytes:
    return struct.pack("<H", code << _DATA_BITS | data)


def _skip(step: int) -> bytes:
    return _word(_SKIP, 0) + struct.pack("<hH", step >> 16, step & 0xFFFF)


def _encode_text(path: Path, text: str) -> bytes:
    content = text.encode()
    if len(content) > MAX_NOTE_BYTES:
        raise DataError(f"{path} cannot hold the note {text[:30]!r}...; expected at most {MAX_NOTE_BYTES} bytes.")
    return _word(_TEXT, len(content)) + content + b"\0" * (len(content) % 2)
