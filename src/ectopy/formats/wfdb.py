"""WFDB, the format of PhysioNet: a header, files of samples, and files of annotations.

Signals are read with the package wfdb, annotations here: wfdb runs for ever on some notes, passes over others, and
cannot write a file without marks.

Sources: https://physionet.org/physiotools/wag/header-5.htm, signal-5.htm and annot-5.htm beside it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, MissingExtraError
from ectopy.files import atomic_path
from ectopy.formats.codes import CODES, NOTE
from ectopy.formats.leads import BLOCK_S, Signal, Stated, check_size, choose_leads, factors, sampling_rate
from ectopy.formats.marks import Mark, collect, each_mark, within
from ectopy.formats.rim import refusing
from ectopy.recording import Annotations, Recording

MAX_HEADER_BYTES = 4 * 2**20
MAX_HEADER_LINE_BYTES = 1024
"""Longest line of a header; the WFDB library takes 255."""
MAX_FRAME_VALUES = 2**20
"""Most samples of all signals together in one frame."""
MAX_ANNOTATION_BYTES = 16 * 2**20
"""Largest annotation file; two weeks of beats have half of it."""
MAX_NOTE_BYTES = 255

_GAP = "~"
_UNCALIBRATED_UNIT = ""
_UNSTATED_UNIT = "mV"  # so says the specification

_BLOCK_VALUES = 2**24

_Samples = NDArray[np.float32]


def require_extra() -> None:
    """Raise MissingExtraError before long work starts when WFDB records could not be read at its end."""
    _package()


def read(path: Path, stated: Stated) -> Recording:
    """Read a record, by its header, its file of samples or its name, with its ``.atr`` annotations if it has them.

    A lead without a unit is in mV if it has a gain, as the specification says; one without a gain is not calibrated,
    and the unit of its 200 steps is asked for. Where signals have several samples per frame, the leads with the most
    are read, and annotations are moved to their sampling rate. Segments that lack a lead leave NaN in it.

    Raises
    ------
    DataError
        If the record is damaged, not whole, too large, or says too little of itself.
    MissingExtraError
        If wfdb is not installed.
    """
    record = path.with_suffix("") if path.suffix else path
    header = _read_header(record)
    frame_rate = header.frame_rate_hz
    if frame_rate is None:
        frame_rate = sampling_rate(header.path, None, stated.sampling_rate_hz)
        stated = stated._replace(sampling_rate_hz=None)
    segments = _segments(header)
    pattern = _pattern(header, segments)
    signals = [Signal(line.name, line.unit, line.per_frame * frame_rate) for line in pattern.lines]
    leads = choose_leads(header.path, signals, stated.unit)
    per_frame = pattern.lines[leads[0]].per_frame
    rate = sampling_rate(header.path, per_frame * frame_rate, stated.sampling_rate_hz)
    names = tuple(signals[lead].name for lead in leads)
    frames = sum(segment.frames for segment in segments)
    check_size(header.path, frames * per_frame, len(leads))

    result = np.empty((frames * per_frame, len(leads)), np.float32)
    begin = 0
    for segment in segments:
        part = result[begin : begin + segment.frames * per_frame]
        begin += segment.frames * per_frame
        if segment.header is None:
            part[:] = np.nan
            continue
        columns = leads if header.variable is False else _columns_by_name(segment.header, names)
        _fill(segment.header, columns, per_frame, frame_rate, stated.unit, part)
    return Recording(
        result,
        rate,
        names,
        header.start,
        _annotations_beside(record, frame_rate, rate, len(result)),
        str(path),
    )


# The header


class _Line(NamedTuple):
    """One signal in a header."""

    name: str
    unit: str
    file: str
    storage: str
    per_frame: int
    skew: int


class _Header(NamedTuple):
    """What the header of a record says; None where it says nothing. `variable` is None in a record without segments."""

    path: Path
    lines: tuple[_Line, ...]
    frame_rate_hz: float | None
    frames: int | None
    start: Any
    segments: tuple[tuple[str, int], ...]
    variable: bool | None

    @property
    def record(self) -> str:
        """Name of the record with its folder, as wfdb takes it."""
        return str(self.path.with_suffix(""))


class _Segment(NamedTuple):
    """A part of the recording; a gap where it has no header."""

    frames: int
    header: _Header | None


def _package() -> Any:
    try:
        import wfdb
    except ImportError as error:
        raise MissingExtraError.of("formats", "reading WFDB records") from error
    return wfdb


def _read_header(record: Path) -> _Header:
    wfdb = _package()
    from wfdb.io.header import parse_header_content, rx_record, rx_signal

    path = record.with_name(f"{record.name}.hea")
    if not path.is_file():
        raise DataError(f"{path} does not exist, and a WFDB record cannot be read without its header; put it there.")
    if path.stat().st_size > MAX_HEADER_BYTES:
        raise DataError(f"{path} is larger than {MAX_HEADER_BYTES / 2**20:.0f} MiB; expected a WFDB header.")
    content = path.read_bytes()
    if any(len(line) > MAX_HEADER_LINE_BYTES for line in content.splitlines()):
        raise DataError(f"{path} has a line of more than {MAX_HEADER_LINE_BYTES} bytes; expected a WFDB header.")
    with refusing(f"{path} is not a whole WFDB header; copy the record again from its source."):
        parsed = wfdb.rdheader(str(record))
        # wfdb drops what is not ASCII, which makes V of µV, and fills in a rate, a gain and a unit where there is none.
        (first, *others), _ = parse_header_content(content.decode("utf-8", errors="replace"))
        rate = float(parsed.fs) if rx_record.match(first)["fs"] else None
        if getattr(parsed, "n_seg", None) is not None:
            segments = tuple(zip(parsed.seg_name, parsed.seg_len, strict=True))
            if len(segments) != parsed.n_seg or sum(length for _, length in segments) != parsed.sig_len:
                raise DataError(f"{path} lists segments that do not add up to the record; copy it again.")
            variable = parsed.layout == "variable"
            return _Header(path, (), rate, parsed.sig_len, parsed.base_datetime, segments, variable)
        if len(others) != parsed.n_sig:
            raise DataError(f"{path} announces {parsed.n_sig} signals and describes {len(others)}; copy it again.")
        lines = tuple(
            _Line(
                match["sig_name"] or f"lead {number}",
                _unit(match["adc_gain"], match["units"]),
                match["file_name"],
                match["fmt"],
                int(match["samps_per_frame"] or 1),
                int(match["skew"] or 0),
            )
            for number, match in enumerate(map(rx_signal.match, others), start=1)
        )
        return _Header(path, lines, rate, parsed.sig_len, parsed.base_datetime, (), None)


def _unit(gain: str, unit: str) -> str:
    if not gain or float(gain) == 0:
        return _UNCALIBRATED_UNIT
    return unit or _UNSTATED_UNIT


def _segments(header: _Header) -> list[_Segment]:
    """The parts of the record in their order; itself where it has no segments."""
    if header.variable is None:
        return [_Segment(_frames(header), header)]
    listed = header.segments[1:] if header.variable else header.segments
    return [
        _Segment(length, None if name == _GAP else _segment_header(header, name, length)) for name, length in listed
    ]


def _segment_header(header: _Header, name: str, frames: int) -> _Header:
    segment = _read_header(header.path.with_name(name))
    if segment.variable is not None:
        raise DataError(f"{header.path} has the segment {name}, which has segments itself; expected a plain record.")
    if segment.frames not in (None, frames) or segment.frame_rate_hz not in (None, header.frame_rate_hz):
        raise DataError(f"{segment.path} has another length or rate than {header.path} says; copy the record again.")
    return segment._replace(frames=frames)


def _pattern(header: _Header, segments: Sequence[_Segment]) -> _Header:
    """The header that names the signals of the whole record."""
    if header.variable is None:
        return header
    if header.variable:
        return _read_header(header.path.with_name(header.segments[0][0]))
    headers = [segment.header for segment in segments if segment.header is not None]
    if not headers:
        raise DataError(f"{header.path} lists nothing but gaps; expected segments with signals.")
    for other in headers[1:]:
        if [line.name for line in other.lines] != [line.name for line in headers[0].lines]:
            raise DataError(
                f"{other.path} has other signals than {headers[0].path}; expected the same in all segments."
            )
    return headers[0]


def _columns_by_name(header: _Header, names: Sequence[str]) -> list[int | None]:
    present = [line.name for line in header.lines]
    return [present.index(name) if name in present else None for name in names]


def _frames(header: _Header) -> int:
    """How long the record is; where its header does not say, its data file does."""
    if header.frames is not None or not header.lines:
        return header.frames or 0
    _check_files(header, header.lines[:1])
    size = header.path.with_name(header.lines[0].file).stat().st_size
    check_size(header.path, size, 1)
    with refusing(f"{header.path} does not say how many samples the record has; add the number after the rate."):
        return int(_package().rdrecord(header.record, channels=[0], physical=False, smooth_frames=False).sig_len)


# The samples


def _fill(
    header: _Header,
    columns: Sequence[int | None],
    per_frame: int,
    frame_rate_hz: float,
    unit: str | None,
    part: _Samples,
) -> None:
    """Read signals into the columns of `part`, and NaN where there is no signal; frame by frame they must fill it."""
    frames = len(part) // per_frame
    places = [place for place, column in enumerate(columns) if column is not None]
    chosen = [column for column in columns if column is not None]
    for place in range(part.shape[1]):
        if place not in places:
            part[:, place] = np.nan
    if not chosen or not frames:
        return
    lines = [header.lines[column] for column in chosen]
    for line in lines:
        if line.per_frame != per_frame:
            raise DataError(f"{header.path} has another number of samples per frame than the rest of the record.")
    signals = [Signal(line.name, line.unit, per_frame * frame_rate_hz) for line in lines]
    choose_leads(header.path, signals, unit)  # raises where a segment states other units than its record
    to_millivolt = factors(signals, range(len(signals)), unit)
    _check_files(header, lines)
    frame_values = sum(line.per_frame for line in header.lines)
    if not 0 < frame_values <= MAX_FRAME_VALUES:
        raise DataError(f"{header.path} has frames of {frame_values:,} samples; expected up to {MAX_FRAME_VALUES:,}.")
    block = max(1, min(int(BLOCK_S * frame_rate_hz), _BLOCK_VALUES // frame_values))
    if header.frames is None or any(line.storage == "8" for line in header.lines):
        check_size(header.path, frames, frame_values)
        block = frames  # wfdb takes no part of a record without a length, nor do differences have one
    damaged = (
        f"{header.path} promises {frames:,} samples that its data file does not hold whole; copy the record again."
    )
    with refusing(damaged), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for begin in range(0, frames, block):
            end = min(begin + block, frames)
            limit = end if header.frames is not None else None
            read = _package().rdrecord(
                header.record, begin, limit, channels=chosen, smooth_frames=False, ignore_skew=True
            )
            target = part[begin * per_frame : end * per_frame]
            for place, values, factor in zip(places, read.e_p_signal, to_millivolt, strict=True):
                values[~np.isfinite(values)] = np.nan
                target[:, place] = values * factor
    for place, line in zip(places, lines, strict=True):
        _unskew(part[:, place], line.skew * per_frame)


def _check_files(header: _Header, lines: Iterable[_Line]) -> None:
    for line in lines:
        if not header.path.with_name(line.file).is_file():
            raise DataError(f"{header.path} names the data file {line.file}, which is not beside it; put it there.")


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


def read_annotations(path: Path) -> Annotations:
    """Read an annotation file, for example ``100.atr``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Annotations
        Positions as the file counts them. A code that is neither PhysioNet's nor defined in the file becomes a comment.

    Raises
    ------
    DataError
        If the file is missing, empty, too large, damaged or cut short.
    """
    return collect(_read_marks(path)[0])


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

    Raises
    ------
    DataError
        If the file or its header cannot be used.
    """
    _, rate_hz = _read_marks(path)
    record = path.with_suffix("")
    if not record.with_name(f"{record.name}.hea").is_file():
        return Timing(rate_hz, None)
    header = _read_header(record)
    rate_hz = rate_hz or header.frame_rate_hz
    if not (rate_hz and header.frame_rate_hz and header.frames):
        return Timing(rate_hz, None)
    return Timing(rate_hz, round(header.frames * rate_hz / header.frame_rate_hz))


def _annotations_beside(record: Path, frame_rate_hz: float, rate_hz: float, samples: int) -> Annotations | None:
    """The reference annotations of a record, if it has them, on samples of the rate that was read."""
    path = record.with_name(f"{record.name}.atr")
    if not path.is_file():
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
    found: list[_Word] = []
    time = place = 0
    while True:
        (word,) = struct.unpack_from("<H", content, place)
        place += 2
        code, data = word >> _DATA_BITS, word & _LARGEST_STEP
        if word == 0:
            return found
        if code == _SKIP:
            high, low = struct.unpack_from("<hH", content, place)
            time += (high << 16) + low
            place += 4
        elif code == _SUBTYPE:
            found[-1] = found[-1]._replace(subtype=_signed_byte(data))
        elif code == _TEXT:
            (text,) = struct.unpack_from(f"{data}s", content, place)
            place += data + data % 2
            found[-1] = found[-1]._replace(text=_decode_text(text))
        elif code not in (_NUMBER, _CHANNEL):
            time += data
            found.append(_Word(time, code, 0, ""))


def _signed_byte(data: int) -> int:
    return (data & 0xFF) - ((data & 0x80) << 1)


def _decode_text(text: bytes) -> str:
    text = text.rstrip(b"\0")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


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
