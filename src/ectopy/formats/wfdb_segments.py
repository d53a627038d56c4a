"""Segments of a WFDB record: which data files hold its signals, and how much of each is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ectopy.errors import DataError
from ectopy.formats.leads import unique_names
from ectopy.formats.library_errors import raising_data_error
from ectopy.formats.wfdb_header import Header, Line, check_name, find_beside, read_header
from ectopy.formats.wfdb_samples import NULL, DataFile

MAX_FRAME_VALUES = 2**20
"""Most samples of all signals together in one frame."""

GAP = "~"
"""Name of a segment without signals."""


class Segment(NamedTuple):
    """A part of the recording; a gap where it has no header."""

    frames: int
    header: Header | None


def read_segments(header: Header) -> list[Segment]:
    """Read the headers of the parts of a record, in their order; its own where it has no segments."""
    if header.variable is None:
        return [Segment(_frames(header), header)]
    listed = header.segments[1:] if header.variable else header.segments
    return [Segment(length, None if name == GAP else _segment_header(header, name, length)) for name, length in listed]


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


def read_pattern(header: Header, segments: Sequence[Segment]) -> Header:
    """Read the header that names the signals of the whole record."""
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


def find_columns(
    header: Header, segment: Segment, names: Sequence[str], columns: Sequence[int]
) -> Sequence[int | None]:
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


class Part(NamedTuple):
    """A segment as it is read.

    `columns` are the indices of each lead in its header, None where it lacks the lead, and `files` those that hold the
    leads, by the name that the header has for them. `intact` frames are in all files, and the part takes up `frames` in
    the recording.
    """

    segment: Segment
    columns: Sequence[int | None]
    files: dict[str, DataFile]
    intact: int
    frames: int


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


def _data_files(segment: Segment, columns: Sequence[int | None]) -> dict[str, DataFile]:
    """The files that hold the leads of a segment, by the name that its header has for them."""
    header = segment.header
    if header is None or not segment.frames:
        return {}
    lines = [header.lines[column] for column in columns if column is not None]
    return {line.file: _data_file(header, line) for line in lines if line.storage != NULL}


def measure_segment(header: Header, segment: Segment, columns: Sequence[int | None], partial: bool) -> tuple[Part, str]:
    """Return the part with its intact frames, and a note on what is missing, if anything is."""
    files = _data_files(segment, columns)
    if segment.header is None or not files:
        return Part(segment, columns, files, 0, segment.frames), ""
    with raising_data_error(f"{segment.header.path} has data files that cannot be read; copy the record again."):
        frames_in = {name: file.frames() for name, file in files.items()}
    short = min(frames_in, key=lambda name: frames_in[name])
    if frames_in[short] >= segment.frames:
        return Part(segment, columns, files, segment.frames, segment.frames), ""
    intact = frames_in[short]
    lacking = f"{segment.header.path} promises {segment.frames:,} samples, and {short} holds {intact:,} of them"
    if not partial:
        raise DataError(
            f"{lacking}: copy the record again, or read what is there with partial=True (--partial on the command "
            "line)."
        )
    # A record without segments ends there; a segment keeps its place among the others.
    frames = intact if header.variable is None else segment.frames
    return Part(segment, columns, files, intact, frames), f"{lacking}; the rest is missing."
