"""Samples as lines of text that come one after the other, nobody knows how many; otherwise as in ``.csv``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.columns import Columns, choose_columns, is_number, number, numbered, to_samples
from ectopy.formats.delimited import MAX_LINE_CHARACTERS
from ectopy.formats.leads import Stated

NAME = "standard input"

_SOURCE = Path(NAME)


class SampleLines:
    """Turns text that comes in pieces into samples; remembers the columns and the line that is not whole.

    One line is one sample of all leads, separated by commas. The first line may name the leads and their units,
    ``II (uV)``; a column ``time`` is left out, and blank lines are passed over. A cell that is empty, ``?``, ``NA``,
    ``null`` or not finite is a missing value. A line that cannot be read is told of, and is a sample whose values are
    all missing.

    Parameters
    ----------
    stated : Stated
        The unit, where no header states it.
    leads : sequence of str
        Names of the columns; empty = those of the header, or numbers.
    tell : callable
        Takes one sentence for each line that cannot be read.

    Raises
    ------
    DataError
        If a name of a lead is too long, or no unit is stated: here, or from `take` when the first line has come.
    """

    def __init__(self, stated: Stated, leads: Sequence[str], tell: Callable[[str], None]) -> None:
        self._stated, self._tell = stated, tell
        self._names = tuple(leads)
        self._columns: Columns | None = self._choose(leads) if leads else None
        self._lines = 0
        self._begun = False
        self._rest = b""

    @property
    def leads(self) -> tuple[str, ...]:
        """Names of the leads; empty before they are known."""
        return self._columns.names if self._columns else ()

    def take(self, content: bytes) -> NDArray[np.float32]:
        """Samples of the lines that are whole now, shape (k, leads), in mV."""
        *whole, rest = (self._rest + content).split(b"\n")
        # A line that is longer is not read, and need not be remembered.
        self._rest = rest[: MAX_LINE_CHARACTERS + 1]
        return self._samples(whole)

    def end(self) -> NDArray[np.float32]:
        """The sample of a last line that no line break ends, shape (0 or 1, leads)."""
        last, self._rest = self._rest, b""
        return self._samples([last])

    def _samples(self, lines: Sequence[bytes]) -> NDArray[np.float32]:
        rows = [row for line in lines if (row := self._row(line)) is not None]
        if self._columns is None or not rows:
            return np.empty((0, len(self.leads)), np.float32)
        return to_samples(np.array(rows)[:, list(self._columns.leads)], self._columns)

    def _row(self, line: bytes) -> list[float] | None:
        """The values of a line; None of one that holds no sample."""
        self._lines += 1
        if not line.strip():
            return None
        try:
            cells = self._cells(line)
            first, self._begun = not self._begun, True
            if first and self._is_header(cells):
                return None
            return self._values(cells)
        except _BadLineError as bad:
            self._tell(f"{NAME}, line {self._lines}{bad}")
            return [np.nan] * len(self._names) if self._names else None

    def _cells(self, line: bytes) -> list[str]:
        if len(line) > MAX_LINE_CHARACTERS:
            raise _BadLineError(f" has more than {MAX_LINE_CHARACTERS:,} characters; expected one sample a line.")
        try:
            text = line.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _BadLineError(" is not text in UTF-8; expected numbers separated by commas.") from error
        return [cell.strip().strip('"') for cell in text.split(",")]

    def _is_header(self, cells: list[str]) -> bool:
        """Choose the columns by the first line, and say whether it only names them."""
        named = not any(is_number(cell) for cell in cells)
        if self._columns is None:
            self._names = tuple(cells if named else numbered(len(cells)))
            self._columns = self._choose(self._names)
        return named and len(cells) == len(self._names)

    def _values(self, cells: list[str]) -> list[float]:
        if len(cells) != len(self._names):
            raise _BadLineError(f" has {len(cells)} columns; expected {len(self._names)}, separated by commas.")
        values = []
        for column, cell in enumerate(cells):
            value = number(cell)
            if value is None:
                name = self._names[column]
                raise _BadLineError(f", column {column + 1} ({name}): {cell[:30]!r} is text where a number belongs.")
            values.append(value)
        return values

    def _choose(self, names: Sequence[str]) -> Columns:
        return choose_columns(_SOURCE, names, self._stated)


class _BadLineError(DataError):
    """A line that cannot be read; the text goes on after its number."""
