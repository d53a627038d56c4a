"""Annotation files of WFDB: words of 16 bits, of which 6 say what and 10 how much later than the one before.

Source: https://physionet.org/physiotools/wag/annot-5.htm.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ectopy.errors import DataError
from ectopy.files import atomic_path
from ectopy.formats.annotation_codes import CODES, NOTE
from ectopy.formats.annotation_files import Mark, at_rate, collect, each_mark, within
from ectopy.formats.identity import decoded
from ectopy.formats.wfdb_header import find_header, read_header
from ectopy.recording import Annotations

MAX_ANNOTATION_BYTES = 16 * 2**20
"""Largest annotation file; two weeks of beats have half of it."""
MAX_NOTE_BYTES = 255
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


def annotations_beside(record: Path, frame_rate_hz: float, rate_hz: float, samples: int) -> Annotations | None:
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
