"""Waves of beats as people marked them: onset, peak and end of P, QRS, T and U.

In the QT Database a cardiologist marked 30 to 100 beats of a record (``.q1c``, a second one ``.q2c``); in LUDB every
beat has marks in each lead (``.i`` to ``.v6``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import checked
from ectopy.formats.wfdb_annotations import read_annotations
from ectopy.presentation import short_repr

KINDS = {"p": "P", "N": "QRS", "t": "T", "u": "U"}
"""Name of the wave whose peak a symbol marks."""

NOT_MARKED = -1

_ONSET, _END = "(", ")"


@dataclass(frozen=True, slots=True)
class Waves:
    """Waves in order of their peaks.

    Attributes
    ----------
    kinds : ndarray of str, shape (n,)
        ``P``, ``QRS``, ``T`` or ``U``.
    onsets, peaks, ends : ndarray of int64, shape (n,)
        Samples from the start of the recording; an onset or end may be `NOT_MARKED`.
    """

    __repr__ = short_repr

    kinds: NDArray[np.str_]
    onsets: NDArray[np.int64]
    peaks: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.peaks)


@checked
def read_waves(path: Path) -> Waves:
    """Read the waves that an annotation file marks.

    Parameters
    ----------
    path : Path
        Such as ``sel100.q1c`` or ``1.ii``. A mark ``(`` just before a peak is its onset, ``)`` just after it its end.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    annotations = read_annotations(path)
    symbols, positions = annotations.symbols.tolist(), annotations.positions.tolist()
    peaks = [index for index, symbol in enumerate(symbols) if symbol in KINDS]
    return Waves(
        np.array([KINDS[symbols[index]] for index in peaks], np.str_),
        _positions([_if_marked(symbols, positions, index - 1, _ONSET) for index in peaks]),
        _positions([positions[index] for index in peaks]),
        _positions([_if_marked(symbols, positions, index + 1, _END) for index in peaks]),
    )


def _if_marked(symbols: Sequence[str], positions: Sequence[int], index: int, symbol: str) -> int:
    """Position of the mark at an index if it has this symbol."""
    return positions[index] if 0 <= index < len(symbols) and symbols[index] == symbol else NOT_MARKED


def _positions(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)
