"""CSV: one row a sample, one column a lead, and maybe a column ``time`` in seconds."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.columns import Columns, choose_columns, is_number, number, numbered, on_grid, to_samples
from ectopy.formats.leads import MAX_VALUES, Stated, check_size
from ectopy.recording import Recording

MAX_LINE_CHARACTERS = 100_000
"""Longest line that is read."""

_BLOCK_ROWS = 2**16
_COUNT_BYTES = 2**20
_OTHERS = {";": "semicolons", "\t": "tabs"}


class _Line(NamedTuple):
    number: int
    text: str


def read(path: Path, stated: Stated) -> Recording:
    """Read samples separated by commas, with or without a header of lead names.

    The rate is that of the column ``time``, and the unit that in the names, ``II (uV)``; the caller states what the
    file does not. Rows that the times leave out are NaN, as is a cell that is empty, ``?``, ``NA``, ``null`` or not
    finite.

    Raises
    ------
    DataError
        If the file is no such table, is too large, or rate or unit are not stated.
    """
    try:
        rows = _count_rows(path)
        lines = _lines(path)
        first = next(lines, None)
        if first is None:
            raise DataError(f"{path} holds no rows; expected one sample a row.")
        cells = _cells(first)
        if len(cells) == 1 and (found := [name for sign, name in _OTHERS.items() if sign in first.text]):
            raise DataError(f"{path} separates its columns by {found[0]}; expected commas, and points in numbers.")
        has_header = not any(is_number(cell) for cell in cells)
        columns = choose_columns(path, cells if has_header else numbered(len(cells)), stated)
        check_size(path, rows - has_header, len(columns.leads))
        samples = np.empty((rows, len(columns.leads)), np.float32)
        times = None if columns.time is None else np.empty(rows)
        filled = 0
        if not has_header:
            lines = _with_first(first, lines)
        while block := list(islice(lines, _BLOCK_ROWS)):
            values = _numbers(path, block, cells if has_header else None, len(cells), columns)
            end = filled + len(values)
            samples[filled:end] = to_samples(values[:, : len(columns.leads)], columns)
            if times is not None:
                times[filled:end] = values[:, -1]
            filled = end
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8, as .csv files are: save it as such.") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a readable .csv file: {error}.") from error
    check_size(path, filled, len(columns.leads))
    signal, rate = on_grid(path, samples[:filled], None if times is None else times[:filled], stated)
    return Recording(signal, rate, columns.names, source=str(path))


def _count_rows(path: Path) -> int:
    """At least as many rows as there are, so that they can be read to where they stay."""
    rows = 1
    with path.open("rb") as file:
        while content := file.read(_COUNT_BYTES):
            rows += content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
            if rows > MAX_VALUES:
                raise DataError(f"{path} has more than {MAX_VALUES:,} rows: split it.")
    return rows


def _lines(path: Path) -> Iterator[_Line]:
    """Numbered lines that are not blank."""
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        while line := file.readline(MAX_LINE_CHARACTERS):
            number += 1
            if len(line) == MAX_LINE_CHARACTERS:
                raise DataError(
                    f"{path} has a line of more than {MAX_LINE_CHARACTERS:,} characters; expected one sample a row."
                )
            if line.strip():
                yield _Line(number, line)


def _with_first(first: _Line, others: Iterator[_Line]) -> Iterator[_Line]:
    yield first
    yield from others


def _cells(line: _Line) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line.text.rstrip("\n")]))]


def _numbers(
    path: Path, block: Sequence[_Line], names: Sequence[str] | None, width: int, columns: Columns
) -> NDArray[np.float64]:
    """The leads of a block of lines and, last, their times where they have them."""
    wanted = [*columns.leads, *([] if columns.time is None else [columns.time])]
    lines = [line.text for line in block]
    if all(line.count(",") == width - 1 for line in lines):
        try:
            return np.loadtxt(lines, delimiter=",", comments=None, quotechar='"', usecols=wanted, ndmin=2)
        except ValueError:
            pass  # an empty cell, or one to complain of
    return np.array([_row(path, line, names, width, wanted) for line in block])


def _row(path: Path, line: _Line, names: Sequence[str] | None, width: int, wanted: Sequence[int]) -> list[float]:
    cells = _cells(line)
    if len(cells) != width:
        raise DataError(
            f"{path}, line {line.number} has {len(cells)} columns, and the lines before it have {width}; "
            "expected as many in every row, separated by commas."
        )
    numbers = []
    for column in wanted:
        value = number(cells[column])
        if value is None:
            name = f" ({names[column]})" if names else ""
            raise DataError(
                f"{path}, line {line.number}, column {column + 1}{name}: {cells[column][:30]!r} is text where a number "
                "belongs."
            )
        numbers.append(value)
    return numbers
