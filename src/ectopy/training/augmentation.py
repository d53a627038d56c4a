"""Variations of a normal beat that are normal too: what heart rate, breathing and the fiducial point do to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Standard deviations: of shift and warp as a share of the beat, of drift as a share of the beat's own deviation.
_SHIFT, _WARP, _DRIFT = 1 / 140, 1.5 / 140, 0.08


def vary(beats: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Shift, warp in time, and add a slow drift, a little and differently for each beat.

    The autoencoder then learns that a P or T wave may come somewhat earlier or later and that the baseline may wander,
    which a few hundred beats alone do not show it. Each beat keeps its mean and standard deviation.

    Parameters
    ----------
    beats : ndarray of float32, shape (n, samples)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape (n, samples)
    """
    n, samples = beats.shape
    time = np.linspace(0.0, 1.0, samples)

    def draw(spread: float) -> NDArray[np.float64]:
        return rng.normal(0.0, spread, (n, 1))

    warped = time + draw(_SHIFT) + draw(_WARP) * np.sin(np.pi * time) + draw(_WARP / 2) * np.sin(2 * np.pi * time)
    varied = _at(beats, warped * (samples - 1))
    waves = np.sin(np.pi * time * rng.uniform(0.5, 2.0, (n, 1)) + rng.uniform(0.0, 2 * np.pi, (n, 1)))
    varied += beats.std(axis=1, keepdims=True) * (draw(_DRIFT) * (2 * time - 1) + draw(_DRIFT) * waves)
    return _with_moments_of(beats, varied)


def _at(beats: NDArray[np.float32], positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation of each beat at fractional sample positions, held at the ends."""
    last = beats.shape[1] - 1
    positions = np.clip(positions, 0, last)
    left = np.minimum(positions.astype(int), last - 1)
    share = positions - left
    rows = np.arange(len(beats))[:, None]
    interpolated: NDArray[np.float64] = beats[rows, left] * (1 - share) + beats[rows, left + 1] * share
    return interpolated


def _with_moments_of(beats: NDArray[np.float32], varied: NDArray[np.float64]) -> NDArray[np.float32]:
    """Give each row the mean and standard deviation of its original."""
    centred = varied - varied.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    gain = np.divide(beats.std(axis=1, keepdims=True), spread, out=np.ones_like(spread), where=spread > 0)
    moved: NDArray[np.float32] = (beats.mean(axis=1, keepdims=True) + gain * centred).astype(np.float32)
    return moved
