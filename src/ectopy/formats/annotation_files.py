"""Marks on a recording, one at a time, and as files of CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ectopy.files import write_text
from ectopy.recording import Annotations

_COLUMNS = ("position", "time_s", "symbol", "subtype", "note")


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
    blank = [""] * len(annotations)
    zero = [0] * len(annotations)
    yield from map(
        Mark._make,
        zip(
            annotations.positions.tolist(),
            annotations.symbols.tolist(),
            zero if annotations.subtypes is None else annotations.subtypes.tolist(),
            blank if annotations.notes is None else annotations.notes,
            strict=True,
        ),
    )


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
    """Write a table of position, time_s, symbol, subtype and note, one mark a row, atomically."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(annotations, sampling_rate_hz))
    write_text(path, buffer.getvalue())


def write_json(path: Path, annotations: Annotations, sampling_rate_hz: float) -> None:
    """Write the sampling rate and a list of marks, as the CSV file has them, atomically."""
    content = {"sampling_rate_hz": sampling_rate_hz, "annotations": list(_rows(annotations, sampling_rate_hz))}
    write_text(path, json.dumps(content, indent=1))


def _rows(annotations: Annotations, sampling_rate_hz: float) -> Iterator[dict[str, Any]]:
    for mark in each_mark(annotations):
        time_s = round(mark.position / sampling_rate_hz, 6)
        yield dict(zip(_COLUMNS, (mark.position, time_s, mark.symbol, mark.subtype, mark.note), strict=True))
