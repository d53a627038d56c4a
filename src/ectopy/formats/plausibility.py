"""Bounds of a recording, whatever its format: values that no ECG has, and gaps longer than all the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.errors import DataError
from ectopy.recording import Recording

MAX_MILLIVOLT = 10_000.0
"""Largest value that is read; the offset of an electrode reaches 300 mV, and a saturated amplifier a few volt."""
MIN_STEP_MILLIVOLT, MAX_STEP_MILLIVOLT = 1e-15, 100.0
"""Bounds of one step of the converter: no amplifier is finer, and no ECG is left of what is coarser."""
MAX_GAP_VALUES = 2**24
"""Values, samples times leads, that gaps may always have: nine hours of two leads at 250 Hz."""
_ROWS_AT_ONCE, _BLOCK_ROWS = 512, 2**20
MAX_GAP_SHARE = 16
"""Longest gaps of a recording, relative to its samples."""


def check_values(path: Path, recording: Recording) -> None:
    """Raise DataError where a lead has a value that no ECG has."""
    if not recording.signal.size:
        return
    signal = recording.signal
    extremes = [_extremes(signal[rows]) for rows in large_arrays.blocks(len(signal), _BLOCK_ROWS, signal)]
    lowest = np.fmin.reduce([low for low, _ in extremes])
    highest = np.fmax.reduce([high for _, high in extremes])
    for lead, low, high in zip(recording.leads, lowest, highest, strict=True):
        extreme = high if high > -low else low
        if abs(extreme) > MAX_MILLIVOLT:
            raise DataError(
                f"{path} has {extreme:g} mV in the lead {lead!r}, which no ECG has; "
                "is its unit really what is stated, and its gain right?"
            )


def _extremes(signal: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The lowest and the highest value of each lead; of many rows beside each other at once, which is faster."""
    rows = len(signal) // _ROWS_AT_ONCE
    wide = signal[: rows * _ROWS_AT_ONCE].reshape(rows, _ROWS_AT_ONCE * signal.shape[1])
    rest = signal[rows * _ROWS_AT_ONCE :]
    lowest, highest = rest, rest
    if rows:
        lowest = np.concatenate([rest, np.fmin.reduce(wide, axis=0).reshape(_ROWS_AT_ONCE, -1)])
        highest = np.concatenate([rest, np.fmax.reduce(wide, axis=0).reshape(_ROWS_AT_ONCE, -1)])
    return np.fmin.reduce(lowest, axis=0), np.fmax.reduce(highest, axis=0)


def check_step(path: Path, lead: str, step_mv: float) -> None:
    """Raise DataError where one step of the converter is so many millivolt that the gain cannot be right."""
    if not MIN_STEP_MILLIVOLT <= abs(step_mv) <= MAX_STEP_MILLIVOLT:
        raise DataError(
            f"{path} states a gain by which one step of the lead {lead!r} is {step_mv:g} mV, which no ECG has; "
            "expected the gain and the unit of its recorder."
        )


def check_gaps(path: Path, samples: int, missing: int, leads: int) -> None:
    """Raise DataError where so many of the samples of a recording are missing that its gaps are hardly meant."""
    if missing * leads > max(MAX_GAP_VALUES, MAX_GAP_SHARE * (samples - missing) * leads):
        raise DataError(
            f"{path} has {samples - missing:,} samples and gaps of {missing:,}, and they are too far apart: split it."
        )
