"""Recordings of drawn beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 250.0
Signal = NDArray[np.float64]
Wave = tuple[float, float, float]
"""Place after R and standard deviation in seconds, and millivolt."""


def narrow(rr_s: float) -> list[Wave]:
    """Supraventricular tachycardia of an adult."""
    rest = np.sqrt(rr_s)
    return [(-0.025, 0.008, -0.12), (0.0, 0.010, 1.1), (0.026, 0.009, -0.3), (0.30 * rest, 0.06 * rest, 0.28)]


def wide(rr_s: float) -> list[Wave]:
    """Ventricular tachycardia."""
    rest = np.sqrt(rr_s)
    return [(-0.05, 0.02, -0.15), (0.0, 0.03, 1.3), (0.07, 0.028, -0.4), (0.34 * rest, 0.07 * rest, -0.4)]


def draw_beats(times_s: NDArray[np.float64], waves: Sequence[Wave], seconds: float) -> Signal:
    """One lead with the same waves at every beat."""
    grid = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    lead = np.zeros(len(grid))
    for centre, spread, mv in waves:
        for time_s in times_s + centre:
            part = slice(max(int((time_s - 5 * spread) * RATE_HZ), 0), max(int((time_s + 5 * spread) * RATE_HZ) + 2, 0))
            lead[part] += mv * np.exp(-0.5 * ((grid[part] - time_s) / spread) ** 2)
    return lead
