"""Recordings of drawn beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ectopy.recording import Recording

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


def draw_conduction(
    p_times_s: NDArray[np.float64], pr_s: Sequence[float | None], p_mv: float = 0.14, noise_mv: float = 0.02
) -> Recording:
    """Two leads of P waves, each conducted after such a PR interval, over and over, or not at all where it is None."""
    seconds = float(p_times_s[-1]) + 1.0
    pr = [pr_s[number % len(pr_s)] for number in range(len(p_times_s))]
    beats_s = np.array([at_s + after_s for at_s, after_s in zip(p_times_s.tolist(), pr, strict=True) if after_s])
    leads = [
        draw_beats(p_times_s, [(0.0, 0.024, share * p_mv)], seconds)
        + draw_beats(beats_s, [(-0.031, 0.009, q), (0.0, 0.012, r), (0.03, 0.01, -0.2), (0.295, 0.048, t)], seconds)
        for share, q, r, t in ((1.0, -0.12, 1.1, 0.3), (0.43, 0.22, -0.85, 0.12))
    ]
    noise = noise_mv * np.random.default_rng(0).standard_normal((len(leads[0]), 2))
    return Recording((np.stack(leads, axis=1) + noise).astype(np.float32), RATE_HZ, ("MLII", "V1"), source="drawn")
