"""Marks on a recording, one at a time, and as files of CSV and JSON, which results of Ectopy are too."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np

from ectopy.errors import DataError, short_text
from ectopy.files import write_text
from ectopy.formats.leads import MAX_RATE_HZ, MIN_RATE_HZ
from ectopy.presentation import table_text
from ectopy.recording import Annotations

MAX_BYTES = 512 << 20
"""Largest file of CSV or JSON; the results of a fortnight have less."""

_COLUMNS = ("position", "time_s", "symbol", "subtype", "note")
_MOST_POSITION, _MOST_S = 1 << 53, 1e8


class Mark(NamedTuple):
    """One annotation."""

    position: int
    symbol: str
    subtype: int = 0
    note: str = ""


class Span(NamedTuple):
    """Something that lasts, as an episode of a rhythm: seconds from the start of the recording, and a text."""

    start_s: float
    duration_s: float
    text: str


def each_mark(annotations: Annotations) -> Iterator[Mark]:
    """The annotations one by one."""
    subtypes = repeat(0) if annotations.subtypes is None else annotations.subtypes.tolist()
    notes = repeat("") if annotations.notes is None else annotations.notes
    return map(Mark, annotations.positions.tolist(), annotations.symbols.tolist(), subtypes, notes)


def collect(marks: Sequence[Mark]) -> Annotations:
    """Annotations of marks in any order; without subtypes or notes where no mark has one."""
    marks = sorted(marks, key=lambda mark: mark.position)
    return Annotations(
        np.array([mark.position for mark in marks], np.int64),
        np.array([mark.symbol for mark in marks], np.str_),
        np.array([mark.subtype for mark in marks], np.int8) if any(mark.subtype for mark in marks) else None,
        tuple(mark.note for mark in marks) if any(mark.note for mark in marks) else None,
    )


def within(marks: Iterable[Mark], samples: int) -> Annotations:
    """Annotations of the marks that lie on a recording of so many samples."""
    return collect([mark for mark in marks if 0 <= mark.position < samples])


def write_csv(path: Path, annotations: Annotations, sampling_rate_hz: float) -> None:
    """Write a table of position, time_s, symbol, subtype and note, one mark a row, atomically.

    A note that a spreadsheet would take for a formula has an apostrophe before it.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "note": table_text(row["note"])} for row in _rows(annotations, sampling_rate_hz))
    write_text(path, buffer.getvalue())


def write_json(path: Path, annotations: Annotations, sampling_rate_hz: float) -> None:
    """Write the sampling rate and a list of marks, as the CSV file has them, atomically."""
    content = {"sampling_rate_hz": sampling_rate_hz, "annotations": list(_rows(annotations, sampling_rate_hz))}
    write_text(path, json.dumps(content, indent=1))


def _rows(annotations: Annotations, sampling_rate_hz: float) -> Iterator[dict[str, Any]]:
    for mark in each_mark(annotations):
        time_s = round(mark.position / sampling_rate_hz, 6)
        yield dict(zip(_COLUMNS, (mark.position, time_s, mark.symbol, mark.subtype, mark.note), strict=True))


def at_rate(path: Path, marks: Iterable[Mark], own_hz: float, sampling_rate_hz: float) -> Annotations:
    """Annotations of marks that a file counts at its own rate, moved to another rate.

    A `DataError` if its own is not one.
    """
    if not MIN_RATE_HZ <= own_hz <= MAX_RATE_HZ:
        raise DataError(f"{path} states a sampling rate of {own_hz:g} Hz; expected one of an ECG.")
    scale = sampling_rate_hz / own_hz
    return within((mark._replace(position=round(mark.position * scale)) for mark in marks), _MOST_POSITION)


class _Row(msgspec.Struct):
    """A mark as a row of a table has it; other columns are left out."""

    symbol: str
    position: Annotated[int, msgspec.Meta(ge=0, lt=_MOST_POSITION)] | None = None
    time_s: Annotated[float, msgspec.Meta(ge=0, lt=_MOST_S)] | None = None
    subtype: Annotated[int, msgspec.Meta(ge=-128, le=127)] = 0
    note: str = ""

    def mark(self, sampling_rate_hz: float) -> Mark:
        """Place the mark by its position, else by its time; a ValueError if it has neither."""
        position = self.position
        if position is None:
            if self.time_s is None:
                raise ValueError(f"the mark {self.symbol!r} has neither a position nor a time")
            position = round(self.time_s * sampling_rate_hz)
        return Mark(position, self.symbol, self.subtype, self.note)


class _Table(msgspec.Struct):
    """A file of annotations, or results of Ectopy, as JSON."""

    sampling_rate_hz: float
    annotations: list[_Row] = []
    beat_list: list[_Row] = []


def read_json(path: Path, sampling_rate_hz: float) -> Annotations:
    """Read what `write_json` wrote, or results of Ectopy; positions are moved to this rate.

    A `DataError` if the file is something else.
    """
    try:
        table = msgspec.json.decode(_content(path), type=_Table)
        marks = [row.mark(table.sampling_rate_hz) for row in table.annotations or table.beat_list]
    except (ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{path} does not hold annotations as JSON: {short_text(error)}.") from error
    return at_rate(path, marks, table.sampling_rate_hz, sampling_rate_hz)


def read_csv(path: Path, sampling_rate_hz: float) -> Annotations:
    """Read a table of symbol and position, in samples, or time_s, with a header; positions are moved to this rate.

    The column ``sampling_rate_hz`` tells the rate of the table, if there is one.

    A `DataError` if the file is something else.
    """
    try:
        table = csv.DictReader(io.StringIO(_content(path).decode("utf-8-sig")), strict=True)
        columns = set(table.fieldnames or ())
        if "symbol" not in columns or not columns & {"position", "time_s"}:
            raise ValueError("it needs columns 'symbol', as N and V, and 'position', in samples, or 'time_s'")
        stored = [{name: value for name, value in row.items() if name and value} for row in table]
        rates_hz = {float(row["sampling_rate_hz"]) for row in stored if "sampling_rate_hz" in row}
        if len(rates_hz) > 1:
            raise ValueError("it has several sampling rates, of several recordings")
        own_hz = next(iter(rates_hz), sampling_rate_hz)
        marks = [row.mark(own_hz) for row in msgspec.convert(stored, list[_Row], strict=False)]
    except (csv.Error, ValueError, OverflowError) as error:
        raise DataError(f"{path} does not hold annotations as CSV: {short_text(error)}.") from error
    return at_rate(path, marks, own_hz, sampling_rate_hz)


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} is larger than the {MAX_BYTES >> 20} MiB that annotations may take.")
    return path.read_bytes()
