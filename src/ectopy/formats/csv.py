"""Text: one row a sample, one column a lead, and maybe columns of times; with or without preamble and header."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.clocks import parse_clock
from ectopy.formats.leads import MAX_VALUES, Stated, check_size, damaged
from ectopy.formats.row_times import StatedRates, columns_to_read, first_start, order_column, place_rows
from ectopy.formats.sample_table import Column, choose_columns, number
from ectopy.formats.text_table import HEAD_CHARACTERS, HEAD_LINES, Layout, Line, find_layout, is_comment
from ectopy.recording import Recording

MAX_LINE_CHARACTERS = 100_000
"""Longest line that is read."""

_BLOCK_ROWS = 2**16
_AT_ONCE = 8
_BLOCK_CHARACTERS = 2**24
_COUNT_BYTES = 2**20
_HEAD_BYTES = 2**16
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


def read(path: Path, stated: Stated) -> Recording:
    """Read samples separated by commas, semicolons, tabs or white space.

    Preamble, header and columns are told by `find_layout` and `choose_columns`. The rate is that of the times or of the
    preamble, and the unit that of the header or the preamble; the caller states what the file does not. Rows that the
    times leave out are NaN, as is a cell that is empty, ``?``, ``NA``, ``null`` or not finite.

    Raises
    ------
    DataError
        If the file is not such a table, is too large, was cut short, or rate or unit are not stated. A file that was
        cut short is read without its last line if `stated` says so.
    """
    try:
        return _read(path, stated)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not a text file in UTF-8, as {path.suffix or '.csv'} files are: save it as such."
        ) from error


def _read(path: Path, stated: Stated) -> Recording:
    encoding = _encoding(path)
    rows = _count_rows(path)
    lines = _lines(path, encoding)
    head = _block(lines, HEAD_LINES, HEAD_CHARACTERS)
    if not head:
        raise DataError(f"{path} holds no rows; expected one sample a row.")
    layout = find_layout(path, head)
    body = head[layout.first :]
    values = first_values(layout, [line.text for line in body])
    columns = choose_columns(path, layout.headers, values, stated, layout.preamble.unit)
    check_size(path, rows - layout.first, len(columns.read))
    notes = _check_end(path, layout, encoding, stated.partial)

    by = order_column(columns, values)
    clock = by in columns.times and isinstance(values[by], list)
    places = columns_to_read(columns, values)
    preamble = layout.preamble
    recording = place_rows(
        path,
        columns,
        (
            _numbers(path, block, layout, places, clock)
            for block in _row_blocks(chain(body, lines), layout, bool(notes))
        ),
        rows,
        values,
        StatedRates(preamble.sampling_rate_hz, preamble.rate_step_hz, stated.sampling_rate_hz),
        first_start(columns, values) or preamble.start,
    )
    return replace(recording, notes=(*recording.notes, *notes), patient=preamble.patient, device=preamble.device)


def _encoding(path: Path) -> str:
    """The encoding of a text: UTF-16 by its byte-order mark, else UTF-8, or Windows-1252 where it is not that.

    German and French programs of Windows write ``µV`` so. What begins with other control characters is not text.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "utf-8-sig" if _CONTROL.search(head) else "cp1252"
    return "utf-8-sig"


def _check_end(path: Path, layout: Layout, encoding: str, partial: bool) -> list[str]:
    """Return what is to be said where the last line was cut short; a `DataError` unless `partial`."""
    with path.open("rb") as file:
        mark = file.read(2) if encoding == "utf-16" else b""
        # Whole characters of two bytes; of UTF-8 the first one may be cut.
        file.seek(max(path.stat().st_size // 2 * 2 - MAX_LINE_CHARACTERS, len(mark)))
        last = (mark + file.read()).decode(encoding, errors="replace").splitlines(keepends=True)[-1]
    if not _is_cut(last, layout):
        return []
    lacking = f"is cut short: its last line has {len(layout.cells(last))} of {len(layout.headers)} columns"
    if not partial:
        raise damaged(path, lacking)
    return [f"{path.name} {lacking}; it is left out."]


def _is_cut(line: str, layout: Layout) -> bool:
    """Check for a line that does not end, and has fewer columns than the others."""
    return not line.endswith(("\n", "\r")) and bool(line.strip()) and len(layout.cells(line)) < len(layout.headers)


def _row_blocks(lines: Iterator[Line], layout: Layout, cut: bool) -> Iterator[list[Line]]:
    """Yield the rows of samples in blocks, without remarks, and without the last one where it was cut short."""
    while block := _block(lines, _BLOCK_ROWS, _BLOCK_CHARACTERS):
        rows = [line for line in block if not is_comment(line.text)]
        if cut and rows and _is_cut(rows[-1].text, layout):
            rows = rows[:-1]
        if rows:
            yield rows


def first_values(layout: Layout, rows: Sequence[str]) -> list[Column]:
    """The first values of each column: an array of numbers where it holds some, else its text."""
    table = [cells for text in rows if not is_comment(text) and len(cells := layout.cells(text)) == len(layout.headers)]
    return [_column([cells[place] for cells in table]) for place in range(len(layout.headers))]


def _column(cells: list[str]) -> Column:
    numbers = [number(cell) for cell in cells]
    if 2 * sum(value is None for value in numbers) > len(numbers):
        return cells
    return np.array([np.nan if value is None else value for value in numbers])


def _count_rows(path: Path) -> int:
    """At least as many rows as there are, so that they can be read to where they stay."""
    rows = 1
    with path.open("rb") as file:
        while content := file.read(_COUNT_BYTES):
            rows += content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
            if rows > MAX_VALUES:
                raise DataError(f"{path} has more than {MAX_VALUES:,} rows: split it.")
    return rows


def _lines(path: Path, encoding: str) -> Iterator[Line]:
    """Numbered lines that are not blank."""
    with path.open(encoding=encoding) as file:
        number = 0
        while line := file.readline(MAX_LINE_CHARACTERS):
            number += 1
            if len(line) == MAX_LINE_CHARACTERS:
                raise DataError(
                    f"{path} has a line of more than {MAX_LINE_CHARACTERS:,} characters; expected one sample a row."
                )
            if line.strip():
                yield Line(number, line)


def _block(lines: Iterator[Line], most_lines: int, most_characters: int) -> list[Line]:
    """The next lines: a number of them, or fewer if they are long."""
    block: list[Line] = []
    characters = 0
    while (
        len(block) < most_lines
        and characters < most_characters
        and (next_lines := list(islice(lines, min(_AT_ONCE, most_lines - len(block)))))
    ):
        block += next_lines
        characters += sum([len(line.text) for line in next_lines])
    return block


def _numbers(
    path: Path, block: Sequence[Line], layout: Layout, places: Sequence[int], clock: bool
) -> NDArray[np.float64]:
    """The wanted columns of a block of lines; the last of them is a clock, where `clock` says so."""
    if not clock and (numbers := _fast_numbers([line.text for line in block], layout, places)) is not None:
        return numbers
    return np.array([_row(path, line, layout, places, clock) for line in block])


def _fast_numbers(texts: list[str], layout: Layout, places: Sequence[int]) -> NDArray[np.float64] | None:
    """The wanted columns as numpy reads them; None if any line is not as it should be, and has to be looked at."""
    width = len(layout.headers)
    separator = layout.separator.strip(" ")
    if separator and {text.count(separator) for text in texts} != {width - 1}:
        return None
    if layout.decimal_comma:
        texts = [text.replace(",", ".") for text in texts]
    try:
        numbers: NDArray[np.float64] = np.loadtxt(
            texts,
            delimiter=separator or None,
            comments=None,
            quotechar='"',
            usecols=places if separator else None,
            ndmin=2,
        )
    except ValueError:
        return None
    if separator:
        return numbers if len(numbers) == len(texts) else None
    return numbers[:, list(places)] if numbers.shape == (len(texts), width) else None


def _row(path: Path, line: Line, layout: Layout, places: Sequence[int], clock: bool) -> list[float]:
    cells = layout.cells(line.text)
    check_width(f"{path}, line {line.number}", layout, cells)
    numbers = [
        cell_value(f"{path}, line {line.number}", layout, cells, column) for column in places[: -1 if clock else None]
    ]
    if clock:
        moment = parse_clock(cells[places[-1]])
        numbers.append(np.nan if moment is None else moment.seconds)
    return numbers


def check_width(place: str, layout: Layout, cells: Sequence[str]) -> None:
    """Raise DataError unless a row has a cell for every column."""
    width = len(layout.headers)
    if len(cells) != width:
        raise DataError(
            f"{place} has {len(cells)} column{'s' * (len(cells) != 1)}, and the lines before it have {width}; expected "
            f"as many in every row, separated by {layout.separators}."
        )


def cell_value(place: str, layout: Layout, cells: Sequence[str], column: int) -> float:
    """Return the number in a cell; a `DataError` if it is text."""
    value = number(cells[column])
    if value is None:
        header = layout.headers[column]
        name = "" if header is None or not header.name else f" ({header.name})"
        raise DataError(f"{place}, column {column + 1}{name}: {cells[column][:30]!r} is text where a number belongs.")
    return value
