"""Waves of a simulated ECG: which Gaussians make a beat of each kind, and ventricles that flutter or fibrillate.

Fibrillation is a wave whose frequency and amplitude wander. It is *coarse* as in cardiac arrest, with a dominant
frequency of 4.6 per second, standard deviation 1.0, and an amplitude of 1.3 mV [1]_, or *fine*, of about 0.2 mV from
trough to peak, which is where defibrillators draw the line [2]_. Flutter is a sine wave without separate QRS complexes
and T waves. In a polymorphic tachycardia the QRS complexes twist around the baseline, by half a turn in about eleven
beats [3]_. An infant has QRS complexes of about 55 ms and high R waves in the right precordial leads [4]_.

References
----------
.. [1] Strohmenger, Lindner, Brown (1997). Analysis of the ventricular fibrillation ECG signal amplitude and frequency
   parameters as predictors of countershock success in humans. Chest 111(3):584-589. doi:10.1378/chest.111.3.584
.. [2] Kerber et al. (1997). Automatic external defibrillators for public access defibrillation. Circulation
   95(6):1677-1682. doi:10.1161/01.CIR.95.6.1677
.. [3] Dessertenne (1966). La tachycardie ventriculaire a deux foyers opposes variables. Arch Mal Coeur Vaiss
   59(2):263-272.
.. [4] Rijnbeek et al. (2001). New normal limits for the paediatric electrocardiogram. Eur Heart J 22(8):702-711.
   doi:10.1053/euhj.2000.2399
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NORMAL, R_ON_T, VENTRICULAR, ATRIAL, FUSION, SUPRAVENTRICULAR, POLYMORPHIC, ESCAPE, P_WAVE = range(9)
"""Kinds of beats; the last is the P wave of a beat that is not conducted."""
CODES = np.array(["N", "r", "V", "A", "F", "S", "V", "E", "p"])
"""Annotation code of each kind."""

# Per wave (P, Q, R, S, T): centre after R (s), standard deviation (s), mV in MLII, mV in V1.
_NORMAL_WAVES = [
    [-0.165, 0.024, 0.14, 0.06],
    [-0.031, 0.009, -0.12, 0.22],
    [0.000, 0.012, 1.10, -0.85],
    [0.030, 0.010, -0.24, -0.12],
    [0.295, 0.048, 0.30, 0.12],
]
_VENTRICULAR_WAVES = [
    [-0.170, 0.024, 0.00, 0.00],
    [-0.075, 0.022, -0.12, 0.15],
    [0.000, 0.036, 1.35, -1.20],
    [0.085, 0.030, -0.35, -0.20],
    [0.350, 0.065, -0.42, 0.40],
]
_ATRIAL_WAVES = [  # a P from another focus, and a conduction a little aberrant
    [-0.125, 0.018, -0.08, 0.08],
    [-0.030, 0.009, -0.07, 0.24],
    [0.000, 0.012, 1.00, -0.75],
    [0.032, 0.012, -0.36, -0.05],
    [0.285, 0.048, 0.22, 0.10],
]
_FUSION_WAVES = [
    [-0.165, 0.024, 0.14, 0.06],
    [-0.050, 0.015, -0.12, 0.18],
    [0.000, 0.023, 1.20, -1.00],
    [0.055, 0.020, -0.32, -0.15],
    [0.315, 0.058, -0.08, 0.24],
]
_P_WAVE_ONLY = [
    [0.000, 0.024, 0.14, 0.06],
    [-0.031, 0.009, 0.00, 0.00],
    [0.000, 0.012, 0.00, 0.00],
    [0.030, 0.010, 0.00, 0.00],
    [0.295, 0.048, 0.00, 0.00],
]
_INFANT_NORMAL_WAVES = [
    [-0.165, 0.022, 0.14, 0.08],
    [-0.017, 0.005, -0.15, 0.05],
    [0.000, 0.007, 0.95, 1.10],
    [0.017, 0.006, -0.30, -0.75],
    [0.295, 0.045, 0.22, -0.18],
]
_INFANT_VENTRICULAR_WAVES = [
    [-0.170, 0.022, 0.00, 0.00],
    [-0.044, 0.013, -0.12, 0.15],
    [0.000, 0.022, 1.25, -1.20],
    [0.050, 0.018, -0.35, -0.20],
    [0.330, 0.055, -0.40, 0.40],
]


def _without_p(waves: list[list[float]]) -> list[list[float]]:
    (centre_s, deviation_s, *_), *other_waves = waves
    return [[centre_s, deviation_s, 0.0, 0.0], *other_waves]


def _between(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
    return [[(x + y) / 2 for x, y in zip(wave_a, wave_b, strict=True)] for wave_a, wave_b in zip(a, b, strict=True)]


WAVES = {
    "adult": np.array(
        [
            _NORMAL_WAVES,
            _VENTRICULAR_WAVES,
            _VENTRICULAR_WAVES,
            _ATRIAL_WAVES,
            _FUSION_WAVES,
            _without_p(_NORMAL_WAVES),
            _VENTRICULAR_WAVES,
            _VENTRICULAR_WAVES,
            _P_WAVE_ONLY,
        ]
    ),
    "infant": np.array(
        [
            _INFANT_NORMAL_WAVES,
            _INFANT_VENTRICULAR_WAVES,
            _INFANT_VENTRICULAR_WAVES,
            _INFANT_NORMAL_WAVES,
            _between(_INFANT_NORMAL_WAVES, _INFANT_VENTRICULAR_WAVES),
            _without_p(_INFANT_NORMAL_WAVES),
            _INFANT_VENTRICULAR_WAVES,
            _INFANT_VENTRICULAR_WAVES,
            _P_WAVE_ONLY,
        ]
    ),
}
"""Waves of each kind of beat, shape (kinds, 5 waves, 4)."""

_LEADS = 2
_GRID_HZ = 100.0  # on which frequency and amplitude wander, whatever the sampling rate
_RAMP_S = 0.1
_TWIST_BEATS = 22.0  # a whole turn

_FLUTTER_MV = 0.9
_DOMINANT_HZ = {"coarse_fibrillation": (4.6, 0.7), "fine_fibrillation": (3.8, 0.4)}
_DEVIATION_MV = {"coarse_fibrillation": 0.40, "fine_fibrillation": 0.055}


def twist(rng: np.random.Generator, beats: int) -> NDArray[np.float64]:
    """Height of each beat of a polymorphic tachycardia relative to that of a ventricular beat, shape (beats, 2).

    The second lead looks from a right angle: one is high where the other is low.
    """
    phase = 2 * np.pi * (np.arange(beats) / _TWIST_BEATS + rng.random())
    heights: NDArray[np.float64] = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    return heights


def fibrillation(
    rng: np.random.Generator, kind: str, start_s: float, end_s: float, times_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Coarse or fine ventricular fibrillation.

    Parameters
    ----------
    rng : Generator
    kind : str
        ``coarse_fibrillation`` or ``fine_fibrillation``.
    start_s, end_s : float
    times_s : ndarray, shape (n,)
        Of the samples, between start and end.

    Returns
    -------
    ndarray of float64, shape (2, n)
        Millivolt in both leads.
    """
    mean_hz, deviation_hz = _DOMINANT_HZ[kind]
    grid_s = np.arange(start_s, end_s + 1 / _GRID_HZ, 1 / _GRID_HZ)
    dominant_hz = max(mean_hz + deviation_hz * rng.standard_normal(), 3.0)
    waves = []
    for _ in range(_LEADS):
        # Frequency and amplitude wander within half a second or so: no two waves are alike.
        frequency_hz = dominant_hz * np.exp(0.18 * _wander(rng, len(grid_s), 0.4))
        amplitude = np.exp(0.35 * _wander(rng, len(grid_s), 0.6))
        turns = rng.random() + np.cumsum(frequency_hz) / _GRID_HZ
        shape = np.cos(2 * np.pi * turns) + 0.3 * np.cos(4 * np.pi * turns + 2 * np.pi * rng.random())
        waves.append(np.interp(times_s, grid_s, amplitude * shape))
    # Two sources, which the two leads see from different sides.
    angles = rng.uniform(0, np.pi / 2) + np.array([0.0, np.pi / 3])
    leads = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ np.array(waves)
    wave_mv: NDArray[np.float64] = _DEVIATION_MV[kind] * np.sqrt(2) * leads * _ramp(start_s, end_s, times_s)
    return wave_mv


def flutter(
    rng: np.random.Generator, rate_bpm: float, start_s: float, end_s: float, times_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Ventricular flutter, or a tachycardia like a sine wave.

    Parameters and result are those of `fibrillation`, but for the rate, in waves per minute.
    """
    grid_s = np.arange(start_s, end_s + 1 / _GRID_HZ, 1 / _GRID_HZ)
    frequency_hz = rate_bpm / 60 * np.exp(0.01 * _wander(rng, len(grid_s), 1.0))
    amplitude_mv = _FLUTTER_MV * np.exp(0.05 * _wander(rng, len(grid_s), 1.0))
    turns = np.interp(times_s, grid_s, rng.random() + np.cumsum(frequency_hz) / _GRID_HZ)
    height_mv = np.interp(times_s, grid_s, amplitude_mv)
    shape = np.cos(2 * np.pi * turns) + 0.12 * np.cos(4 * np.pi * turns + 0.6)
    return np.array([[1.0], [-0.8]]) * height_mv * shape * _ramp(start_s, end_s, times_s)


def _wander(rng: np.random.Generator, size: int, memory_s: float) -> NDArray[np.float64]:
    """A random walk that is drawn back to zero (Ornstein-Uhlenbeck), with standard deviation 1."""
    from scipy.signal import lfilter

    decay = np.exp(-1 / (memory_s * _GRID_HZ))
    steps = rng.standard_normal(size) * np.sqrt(1 - decay**2)
    steps[:1] /= np.sqrt(1 - decay**2)
    walk: NDArray[np.float64] = lfilter([1.0], [1.0, -decay], steps)
    return walk


def _ramp(start_s: float, end_s: float, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Between 0 and 1: it takes a tenth of a second to begin and to end."""
    ramp: NDArray[np.float64] = np.clip(np.minimum(times_s - start_s, end_s - times_s) / _RAMP_S, 0, 1)
    return ramp
