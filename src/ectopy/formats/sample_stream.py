"""Samples as lines of text that come one after the other, nobody knows how many; otherwise as in ``.csv``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.csv import MAX_LINE_CHARACTERS, cell_value, check_width, first_values
from ectopy.formats.leads import Stated
from ectopy.formats.sample_table import Column, Columns, Header, PulseColumn, choose_columns, header_of, to_samples
from ectopy.formats.text_table import Layout, Line, are_split_numbers, find_layout, is_comment

NAME = "standard input"

_SOURCE = Path(NAME)
_HEAD_LINES = 25
"""Lines that are waited for before it is decided what the columns are; a tenth of a second of samples."""
_MOST_HEAD_LINES = 200
"""Lines without a sample that may come first."""


class SampleLines:
    """Turns text that comes in pieces into samples; remembers the columns and the line that is not whole.

    One line is one sample of all leads, separated by commas, semicolons, tabs or white space. The lines before the
    first sample may name the leads and their units, ``II (uV)``. Pulse waves are recognised by name and unit, as in
    ``ABP (mmHg)``. Columns of times, counters and others are left out, as in a file, and blank lines are passed over.
    A cell that is empty, ``?``, ``NA``, ``null`` or not finite is a missing value. A line that cannot be read is told
    of, and is a sample whose values are all missing.

    Parameters
    ----------
    stated : Stated
        The unit, where no header states it.
    leads : sequence of str
        Names of the columns; empty = those of the header, or numbers.
    tell : callable
        Takes one sentence for each line that cannot be read, and one on the columns that are left out.

    Raises
    ------
    DataError
        If a name of a lead is too long, no column is a lead, or no unit is stated: here, or from `take` when the first
        lines have come; also from `take` when columns turn out to be parts of numbers with decimal commas.
    """

    def __init__(self, stated: Stated, leads: Sequence[str], tell: Callable[[str], None]) -> None:
        self._stated, self._tell = stated, tell
        self._headers = tuple(header_of(name, "") for name in leads)
        self._named = self._choose(self._headers, [np.empty(0)] * len(leads)) if leads else None
        self._columns: Columns | None = None
        self._layout: Layout | None = None
        self._head: list[tuple[int, bytes]] = []
        self._lines = 0
        self._rest = b""

    @property
    def leads(self) -> tuple[str, ...]:
        """Names of the leads; empty before they are known."""
        columns = self._columns or self._named
        return columns.names if columns else ()

    @property
    def pulses(self) -> tuple[PulseColumn, ...]:
        """The columns of pulse waves, whose samples come after those of the leads; empty before they are known."""
        columns = self._columns or self._named
        return columns.pulses if columns else ()

    def take(self, content: bytes) -> NDArray[np.float32]:
        """Samples of the lines that are whole now, shape (k, leads + pulse waves): in mV, and in the unit of a wave."""
        *whole, rest = (self._rest + content).split(b"\n")
        # A line that is longer is not read, and need not be remembered.
        self._rest = rest[: MAX_LINE_CHARACTERS + 1]
        return self._samples(whole)

    def end(self) -> NDArray[np.float32]:
        """The samples of the first lines, if these are all, and of a last line that no line break ends."""
        last, self._rest = self._rest, b""
        return self._samples([last], over=True)

    def _samples(self, lines: Sequence[bytes], over: bool = False) -> NDArray[np.float32]:
        ready: list[tuple[int, bytes]] = []
        for line in lines:
            self._lines += 1
            if not line.strip():
                continue
            numbered = (self._lines, line[: MAX_LINE_CHARACTERS + 1])
            if self._layout is not None:
                ready.append(numbered)
                continue
            self._head.append(numbered)
            if len(self._head) >= _HEAD_LINES:
                ready += self._begin()
        if over and self._layout is None:
            ready += self._begin()
        rows = [row for number, line in ready if (row := self._row(number, line)) is not None]
        if self._columns is None or not rows:
            return np.empty((0, len(self.leads) + len(self.pulses)), np.float32)
        return to_samples(np.array(rows), self._columns)

    def _begin(self) -> list[tuple[int, bytes]]:
        """Choose the columns by the first lines, once one of them holds a sample, and return those that do."""
        # Lines that cannot be read say nothing about the columns.
        lines = [Line(number, text) for number, line in self._head if (text := _text(line)) is not None]
        layout = find_layout(_SOURCE, lines)
        if layout.first >= len(lines):
            if len(self._head) >= _MOST_HEAD_LINES:
                raise DataError(
                    f"{NAME} begins with {len(self._head)} lines without a sample; expected lines of numbers "
                    "separated by commas or semicolons."
                )
            return []
        if self._headers:
            layout = self._with_names(layout, lines)
        values = first_values(layout, [line.text for line in lines[layout.first :]])
        self._columns = self._choose(layout.headers, values, layout.preamble.unit)
        self._layout = layout
        for note in self._columns.notes:
            self._tell(f"{NAME}: {note[0].lower()}{note[1:]}")
        header = lines[layout.first - 1].number if layout.first else 0
        head, self._head = self._head, []
        return [(number, line) for number, line in head if number > header]

    def _with_names(self, layout: Layout, lines: Sequence[Line]) -> Layout:
        """The layout with the names of the caller, in place of those of a header."""
        if len(layout.headers) == len(self._headers):
            return layout._replace(headers=self._headers)
        if layout.first < len(lines):
            raise DataError(
                f"{NAME}, line {lines[layout.first].number} has {len(layout.headers)} columns, and --leads names "
                f"{len(self._headers)}; name every column, also one of times."
            )
        return layout._replace(headers=self._headers)

    def _row(self, number: int, line: bytes) -> list[float] | None:
        """The values of a line that are read; None of one that holds no sample."""
        layout, columns = self._layout, self._columns
        if layout is None or columns is None:
            return None
        place = f"{NAME}, line {number}"
        try:
            text = _text(line)
            if len(line) > MAX_LINE_CHARACTERS:
                raise DataError(
                    f"{place} has more than {MAX_LINE_CHARACTERS:,} characters; expected one sample a line."
                )
            if text is None:
                raise DataError(f"{place} is not text in UTF-8; expected numbers separated by {layout.separators}.")
            if is_comment(text):
                return None
            cells = layout.cells(text)
            if layout.separator == "," and are_split_numbers(cells) and not any(layout.headers):
                raise _SplitNumbersError(
                    f"{place} seems to write decimal commas, as in '{','.join(cells[:2])[:30]}', and the lines before "
                    "it were read as columns; send decimal points."
                )
            check_width(place, layout, cells)
            return [cell_value(place, layout, cells, lead) for lead in columns.read]
        except _SplitNumbersError:
            raise
        except DataError as error:
            self._tell(str(error))
        return [np.nan] * len(columns.read)

    def _choose(self, headers: Sequence[Header | None], values: Sequence[Column], unit: str = "") -> Columns:
        return choose_columns(_SOURCE, headers, values, self._stated, unit)


class _SplitNumbersError(DataError):
    """All lines before were misread, so that watching cannot go on."""


def _text(line: bytes) -> str | None:
    """A line as text; None if it is too long or not in UTF-8."""
    if len(line) > MAX_LINE_CHARACTERS:
        return None
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
