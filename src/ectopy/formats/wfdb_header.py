"""Headers of WFDB records.

A header is read here to the last character: the package wfdb takes what it cannot read for a default, so that ``1/µV``
in Latin-1 becomes millivolt.

Source: https://physionet.org/physiotools/wag/header-5.htm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

from ectopy.errors import DataError, printable
from ectopy.formats.identity import calendar_date, date_of
from ectopy.formats.spelling import WHOLE_NUMBER, spell_unit, stated_number, stated_whole_number
from ectopy.formats.wfdb_samples import FORMATS

MAX_HEADER_BYTES = 4 * 2**20
MAX_HEADER_LINE_BYTES = 1024
"""Longest line of a header; the WFDB library takes 255."""

_UNCALIBRATED_GAIN = 200.0
_UNSTATED_UNIT = "mV"  # so says the specification

_COMMENT = "#"
_AFTER_NAME = re.compile(r"(?:/(?P<segments>\d+))?\s+(?P<signals>\d+)(?:\s+(?P<rest>\S.*))?", re.ASCII)
_RECORD = re.compile(f".+?{_AFTER_NAME.pattern}", re.ASCII)
_AFTER_FILE = (
    r"\s+(?P<storage>\d+)(?:x(?P<per_frame>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?"
    r"(?:\s+(?P<rest>\S.*))?"
)
_SIGNAL = re.compile(rf"(?P<file>.+?){_AFTER_FILE}", re.ASCII)
_SEGMENT = re.compile(r"(?P<name>.+?)\s+(?P<frames>\d+)", re.ASCII)
_GAIN = re.compile(r"(?P<gain>[^(/]*)(?:\((?P<baseline>[^)]*)\))?(?:/(?P<unit>\S+))?")
_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)", re.ASCII)
_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", re.ASCII)


class Line(NamedTuple):
    """One signal in a header.

    Attributes
    ----------
    name : str
    unit : str
        Empty where the signal is not calibrated.
    file, storage : str
        Name of its data file, and the format of the samples in it.
    per_frame, skew, offset : int
        Samples in each frame, frames by which it is late, and bytes before the first frame.
    gain, baseline : float
        Units of the converter in one `unit`, and its value at 0.
    initial, checksum : int
        The first sample, and the sum of all modulo 65,536; 0 where not stated.
    """

    name: str
    unit: str
    file: str
    storage: str
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: float
    initial: int
    checksum: int


class Header(NamedTuple):
    """Statements of the header of a record; None where it says nothing.

    Attributes
    ----------
    lines : tuple of Line
        The signals of a record without segments.
    frames : int or None
        A length of 0 says nothing.
    segments : tuple of (str, int)
        Name and length in frames of each, in a record with segments.
    variable : bool or None
        Whether segments may have different signals; None in a record without segments.
    notes : tuple of str
        What could not be read and does not matter for the signal.
    """

    path: Path
    lines: tuple[Line, ...]
    frame_rate_hz: float | None
    frames: int | None
    start: datetime | None
    segments: tuple[tuple[str, int], ...]
    variable: bool | None
    notes: tuple[str, ...]


def find_beside(path: Path, name: str) -> Path | None:
    """A file in the folder of `path`, by its name or else by the only name that differs in nothing but case."""
    exact = path.with_name(name)
    if exact.is_file():
        return exact
    try:
        alike = [item for item in path.parent.iterdir() if item.name.casefold() == name.casefold() and item.is_file()]
    except OSError:
        return None
    return alike[0] if len(alike) == 1 else None


def find_header(record: Path) -> Path | None:
    """The header of a record that is named by its header, by its file of samples, or without a suffix."""
    by_suffix = record.suffix.lower() in (".hea", ".dat")
    names = [f"{record.stem}.hea"] if by_suffix else []
    return next(filter(None, (find_beside(record, name) for name in (*names, f"{record.name}.hea"))), None)


def read_header(record: Path) -> Header:
    """Read the header of a record, which is named as for `find_header`.

    A `DataError` if it is missing, too large, or says anything that cannot be read.
    """
    path = record if record.suffix.lower() == ".hea" and record.is_file() else find_header(record)
    if path is None:
        missing = record.with_suffix(".hea") if record.suffix.lower() in (".hea", ".dat") else f"{record}.hea"
        raise DataError(f"{missing} does not exist, and a WFDB record cannot be read without its header; put it there.")
    first, *signal_lines = _content_lines(path)
    fields = _match_record(path, first)
    rate, frames, start, notes = _timing(path, (fields["rest"] or "").split())
    if fields["segments"] is not None:
        segments = _segments(path, signal_lines[: int(fields["segments"])])
        # The first segment of a record with a variable layout is empty and describes the signals.
        variable = bool(segments) and segments[0][1] == 0
        total = sum(length for _, length in segments)
        if len(segments) != int(fields["segments"]) or frames not in (None, total):
            raise DataError(f"{path} lists segments that do not add up to the record; copy it again.")
        return Header(path, (), rate, total, start, segments, variable, notes)
    announced = signal_lines[: int(fields["signals"])]
    further = signal_lines[len(announced) :]  # which are not read, as the specification says
    if len(announced) < int(fields["signals"]) or _share_a_file(announced, further):
        raise DataError(
            f"{path} announces {fields['signals']} signals and describes {len(signal_lines)}; copy it again."
        )
    lines = tuple(_line(path, number, text) for number, text in enumerate(announced, start=1))
    return Header(path, lines, rate, frames or None, start, (), None, notes)


def read_comments(header: Path) -> tuple[str, ...]:
    """Read the comments of a header, one for each line, without the mark and the blanks around them.

    A `DataError` if it is missing, too large, or is not text.
    """
    try:
        lines = _text_lines(header)
    except OSError as error:
        raise DataError(f"{header} cannot be read: {error.strerror or error}; copy it again.") from error
    return tuple(line.removeprefix(_COMMENT).strip() for line in lines if line.startswith(_COMMENT))


def check_name(path: Path, name: str) -> None:
    """Raise DataError unless a header may name this file or record."""
    if "/" in name or "\\" in name or not name.isprintable() or name in (".", ".."):
        raise DataError(f"{path} names {name!r}; expected a file or record beside it.")


def segment_names(path: Path) -> tuple[str, ...]:
    """Names of the segments that a header lists, but for its own; none where it cannot be read, or is not a header."""
    if path.suffix.lower() != ".hea":
        return ()
    try:
        return tuple(name for name, _ in read_header(path).segments if name.casefold() != path.stem.casefold())
    except (DataError, OSError):
        return ()


def _content_lines(path: Path) -> list[str]:
    """The lines that are not comments, of which there is one at least."""
    lines = [line for line in _text_lines(path) if not line.startswith(_COMMENT)]
    if not lines:
        raise DataError(f"{path} holds nothing but comments; expected a WFDB header.")
    return lines


def _text_lines(path: Path) -> list[str]:
    """All lines that are not empty, without the blanks around them."""
    if path.stat().st_size > MAX_HEADER_BYTES:
        raise DataError(f"{path} is larger than {MAX_HEADER_BYTES / 2**20:.0f} MiB; expected a WFDB header.")
    content = path.read_bytes()
    if not content:
        raise DataError(f"{path} is empty; expected a WFDB header.")
    if any(len(line) > MAX_HEADER_LINE_BYTES for line in content.splitlines()):
        raise DataError(f"{path} has a line of more than {MAX_HEADER_LINE_BYTES} bytes; expected a WFDB header.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is text in UTF-16, which WFDB headers are not; save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    # Only these ends of lines: others, such as the one of 0x85, are characters in Latin-1.
    return [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def _match_record(path: Path, line: str) -> re.Match[str]:
    # A name may hold blanks and numbers; that of the file tells where it ends.
    match = _AFTER_NAME.fullmatch(line, len(path.stem)) if line.startswith(path.stem) else None
    match = match or _RECORD.fullmatch(line)
    if match:
        return match
    raise DataError(
        f"{path} does not begin as a WFDB header does, with the name of the record and the number of signals, but "
        f"with {line[:60]!r}."
    )


def _timing(path: Path, words: Sequence[str]) -> tuple[float | None, int | None, datetime | None, tuple[str, ...]]:
    """Frame rate, length, start, and what is to be said of it."""
    rate = frames = None
    if words:
        rate = stated_number(path, "the sampling rate", words[0].split("/")[0])
    if len(words) > 1:
        frames = stated_whole_number(path, "the number of samples", words[1])
        if frames < 0:
            raise DataError(f"{path} states {frames} samples; expected a number from 0.")
    stated = words[2:]
    # The records of the Challenges of 2020 and 2021 have the date in front.
    start = _start(*stated) or _start(*reversed(stated)) if len(stated) == 2 else None
    if not stated or start or (len(stated) == 1 and _clock(stated[0])):
        return rate, frames, start, ()
    return rate, frames, None, (f"{path.name} states the start {' '.join(stated)[:40]!r}: not a time and a date.",)


def _start(clock: str, day: str) -> datetime | None:
    since_midnight, match = _clock(clock), _DATE.fullmatch(day)
    begins_on = date_of(int(match[3]), int(match[2]), int(match[1])) if match else calendar_date(day.replace("-", " "))
    return None if since_midnight is None or begins_on is None else datetime.combine(begins_on, time()) + since_midnight


def _clock(text: str) -> timedelta | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = int(match[1] or 0), int(match[2] or 0), float(match[3])
    valid = hours < 24 and minutes < 60 and seconds < 60
    return timedelta(hours=hours, minutes=minutes, seconds=seconds) if valid else None


def _share_a_file(announced: Sequence[str], further: Sequence[str]) -> bool:
    """Check for a data file of announced signals and of others: how it is to be read is not certain."""
    return not {text.split()[0] for text in announced}.isdisjoint(text.split()[0] for text in further)


def _segments(path: Path, lines: Sequence[str]) -> tuple[tuple[str, int], ...]:
    matches = [_SEGMENT.fullmatch(line) for line in lines]
    for line, match in zip(lines, matches, strict=True):
        if match is None:
            raise DataError(f"{path} lists the segment {line[:60]!r}; expected a name and a number of samples.")
    return tuple((match["name"], int(match["frames"])) for match in matches if match)


def _line(path: Path, number: int, text: str) -> Line:
    # A name may hold blanks and numbers; most data files are called like their record.
    named = rf"(?P<file>{re.escape(path.stem)}\S*){_AFTER_FILE}"
    match = re.fullmatch(named, text, re.ASCII) or _SIGNAL.fullmatch(text)
    if match is None:
        raise DataError(f"{path} describes a signal as {text[:60]!r}; expected a data file, a format and a gain.")
    file, storage = match["file"], match["storage"]
    check_name(path, file)
    if storage not in FORMATS:
        raise DataError(f"{path} stores a signal in the format {storage}; known are {', '.join(FORMATS)}.")
    if match["per_frame"] and int(match["per_frame"]) < 1:
        raise DataError(f"{path} stores no samples of a signal in a frame: {text[:60]!r}; expected one at least.")
    stated_gain, *rest = (match["rest"] or "").split(None, 1) or [""]
    if rest and rest[0].startswith(("/", "(")):  # else the unit would count as the name, and mV as the unit
        raise DataError(
            f"{path} states a gain with a blank in it: {match['rest'][:40]!r}; expected one such as 200/mV."
        )
    numbers, name = _leading_numbers(rest[0] if rest else "")
    name = printable(name) or f"lead {number}"
    adc_zero = numbers.get("zero", 0)
    gain, baseline, unit = _gain(path, name, stated_gain, adc_zero)
    return Line(
        name,
        unit,
        file,
        storage,
        int(match["per_frame"] or 1),
        int(match["skew"] or 0),
        int(match["offset"] or 0),
        gain,
        baseline,
        numbers.get("initial", adc_zero),
        numbers.get("checksum", 0),
    )


def _leading_numbers(text: str) -> tuple[dict[str, int], str]:
    """The whole numbers that follow the gain, and the name of the signal after them."""
    numbers = {}
    for field in ("resolution", "zero", "initial", "checksum", "block"):
        word, *rest = text.split(None, 1) or [""]
        match = WHOLE_NUMBER.fullmatch(word)
        if match is None:
            break
        numbers[field] = int(match[1])
        text = rest[0] if rest else ""
    return numbers, text


def _gain(path: Path, name: str, text: str, adc_zero: int) -> tuple[float, float, str]:
    """Gain, baseline and unit of a signal; the unit is empty where it is not calibrated."""
    match = _GAIN.fullmatch(text)
    if match is None:
        raise DataError(f"{path} states the gain {text!r} of {name!r}; expected one such as 200(0)/mV.")
    gain = stated_number(path, f"the gain of {name!r}", match["gain"]) if match["gain"] else 0.0
    baseline = float(adc_zero)
    if match["baseline"] is not None:
        baseline = stated_number(path, f"the baseline of {name!r}", match["baseline"])
    if gain == 0:
        return _UNCALIBRATED_GAIN, baseline, ""
    return gain, baseline, _UNSTATED_UNIT if match["unit"] is None else spell_unit(match["unit"])
