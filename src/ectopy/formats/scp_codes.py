"""Compressed samples of SCP-ECG: Huffman codes, differences, and fewer samples outside of the QRS complexes.

Source: EN 1064:2005+A1:2007 (ANSI/AAMI EC71), clauses 5.5 (Huffman tables), 5.8 and 5.9 (samples) and Annex C.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DEFAULT_TABLE = 19999
"""Number of tables by which section 2 names the table of the standard."""
MAX_CODES = 4096
"""Most codes of all tables of a file."""
_SMALLEST_PREFIX, _LARGEST_BITS = 1, 32


class Code(NamedTuple):
    """One code: its first bits as text of 0 and 1, how many bits of a value follow, and what they are added to.

    A code that switches tables has no value; `base` is the number of the table, from 1.
    """

    prefix: str
    value_bits: int
    base: int
    switches: bool = False


class Table:
    """Codes of which none begins another; they are looked for by an expression, as text of 0 and 1."""

    def __init__(self, codes: Sequence[Code]) -> None:
        self.codes = {code.prefix: code for code in reversed(codes)}
        self.match = re.compile("|".join(sorted(self.codes, key=len))).match


def default_table() -> Table:
    """The table of clause 5.5.6: as many ones as the value is large, a zero, and the sign."""
    codes = [Code("0", 0, 0)]
    for size in range(1, 9):
        codes += [Code("1" * size + "00", 0, size), Code("1" * size + "01", 0, -size)]
    return Table([*codes, Code("1" * 9 + "0", 8, 0), Code("1" * 10, 16, 0)])


def read_tables(section: bytes) -> list[Table]:
    """Read section 2 behind its header: the tables, none where samples are not coded.

    A `ValueError` if the section is cut short or holds codes that cannot be told apart.
    """
    tables = int.from_bytes(section[:2], "little")
    if tables == DEFAULT_TABLE:
        return [default_table()]
    result = []
    place, total = 2, 0
    for _ in range(tables):
        count = int.from_bytes(section[place : place + 2], "little")
        place += 2
        total += count
        if count < 1 or total > MAX_CODES or place + 9 * count > len(section):
            raise ValueError("tables that it does not hold")
        result.append(Table([_code(section[place + 9 * i : place + 9 * (i + 1)]) for i in range(count)]))
        place += 9 * count
    return result


def _code(content: bytes) -> Code:
    """Read one code of clause 5.5.3: bits of its prefix, bits of all, mode, base value, and the prefix, reversed."""
    prefix_bits, bits, mode = content[:3]
    if not _SMALLEST_PREFIX <= prefix_bits <= bits <= _LARGEST_BITS:
        raise ValueError(f"a code of {bits} bits with a prefix of {prefix_bits}")
    base, prefix = int.from_bytes(content[3:5], "little", signed=True), int.from_bytes(content[5:9], "little")
    text = f"{prefix % 2**prefix_bits:0{prefix_bits}b}"[::-1]
    return Code(text, bits - prefix_bits, base, mode == 0)


def decode(content: bytes, tables: Sequence[Table], samples: int) -> NDArray[np.int64]:
    """Decode up to so many values; fewer where the content ends or holds no code."""
    if not tables:
        return np.frombuffer(content[: len(content) // 2 * 2], "<i2")[:samples].astype(np.int64)
    text = f"{int.from_bytes(content, 'big'):0{8 * len(content)}b}" if content else ""
    values: list[int] = []
    table, place = tables[0], 0
    while len(values) < samples:
        match = table.match(text, place)
        if match is None:
            break
        code = table.codes[match[0]]
        place = match.end() + code.value_bits
        if place > len(text):
            break
        if code.switches:
            if not 1 <= code.base <= len(tables):
                break
            table = tables[code.base - 1]
            continue
        value = code.base
        if code.value_bits:  # in two's complement
            bits = text[match.end() : place]
            value += int(bits, 2) - (int(bits[0]) << code.value_bits)
        values.append(value)
    return np.array(values, np.int64)


def undo_differences(values: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    """Samples of values (0), of first differences (1) or of second differences (2); the first ones are samples."""
    if order == 0 or not len(values):
        return values
    if order == 1:
        return np.cumsum(values)
    slopes = np.append(values[1:2] - values[0], values[2:])
    result: NDArray[np.int64] = values[0] + np.append(0, np.cumsum(np.cumsum(slopes)))
    return result


def stretch(values: NDArray[np.float64], samples: int, zones: Sequence[slice], factor: int) -> NDArray[np.float64]:
    """Put values at their places among so many samples; in `zones` one stands for one sample, elsewhere for `factor`.

    Outside of the zones a value is the mean of its samples: these lie on lines from the middle of one to the next. NaN
    where there are no values.
    """
    result = np.full(samples, np.nan)
    place = begin = 0
    for zone in [*zones, slice(samples, samples)]:
        # Before the zone: every value stands for a block, the last of which may be shorter.
        blocks = -(-(zone.start - begin) // factor)
        means = values[place : place + blocks]
        place += blocks
        if len(means):
            edges = np.minimum(begin + factor * np.arange(len(means) + 1), zone.start)
            result[begin : edges[-1]] = np.interp(np.arange(begin, edges[-1]), (edges[:-1] + edges[1:] - 1) / 2, means)
        # The zone itself.
        inside = values[place : place + zone.stop - zone.start]
        place += zone.stop - zone.start
        result[zone.start : zone.start + len(inside)] = inside
        begin = zone.stop
    return result
