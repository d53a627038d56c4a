"""Delineate the waves of beats: where P, QRS and T begin, peak and end.

A small network (`ectopy.signal.wave_network`), learned from the marks of cardiologists, looks at each beat in each
lead, together with the mean of the similar beats around it, in which P and T waves stand out from noise. What it says
of the leads is combined as if they were independent observers. Polarity and amplitude of a lead do not matter.

Another way to the same is to follow slopes through scales of a wavelet transform: Martinez JP, Almeida R, Olmos S,
Rocha AP, Laguna P. A wavelet-based ECG delineator: evaluation on standard databases. IEEE Transactions on Biomedical
Engineering 51(4):570-581 (2004), doi:10.1109/TBME.2003.821031. The evaluation follows that paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from ectopy.presentation import short_repr
from ectopy.signal.filters import Filtered
from ectopy.signal.wave_network import MARKS, POSITIONS, SAMPLES, STRIDE, WaveNetwork, shipped_network

BEFORE = 116
"""Samples of a window before the fiducial point: 0.64 s."""

_P, _QRS_MARKS, _T = slice(0, 3), slice(3, 6), slice(6, 9)
_P_PEAK, _T_PEAK = MARKS.index("p_peak"), MARKS.index("t_peak")
_QRS = slice(BEFORE - 18, BEFORE + 19)

_COMPARED = slice(BEFORE - 14, BEFORE + 63)
_SIMILAR, _NEIGHBOURS = 0.9, 4
_LEAST_AMPLITUDE_MV = 1e-6
_SMALL = 0.1
_AROUND = np.arange(-6, 7)
_OTHER_LEADS = 0.3
_ABSENT = 0.88
_SAME_S = 0.05
_LATER = 0.18 * np.array([[0.0, 0.0, -1.4, 0.0, 0.0, 1.5, 0.0, 0.0, 1.3]]).T
"""Milliseconds at 180 Hz by which marks are moved, to the middle between the conventions of the two databases."""
_AT_ONCE = 32  # small arrays stay in the cache


@dataclass(frozen=True, slots=True)
class BeatWaves:
    """Marks of the waves of n beats, in seconds from the start of the recording; NaN = the beat has no such wave.

    Every array has shape (n,), or (leads, n). Onset <= peak <= end holds for each wave.
    """

    __repr__ = short_repr

    p_onset: NDArray[np.float64]
    p_peak: NDArray[np.float64]
    p_end: NDArray[np.float64]
    qrs_onset: NDArray[np.float64]
    qrs_peak: NDArray[np.float64]
    qrs_end: NDArray[np.float64]
    t_onset: NDArray[np.float64]
    t_peak: NDArray[np.float64]
    t_end: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.qrs_onset.shape[-1])


def delineate(
    filtered: Filtered,
    times_s: NDArray[np.float64],
    readable: NDArray[np.bool_] | None = None,
    network: WaveNetwork | None = None,
) -> BeatWaves:
    """Delineate beats from all leads together.

    Parameters
    ----------
    filtered : Filtered
        Without the wandering of the baseline.
    times_s : ndarray of float64, shape (n,)
        Fiducial points of the beats, increasing.
    readable : ndarray of bool, shape (n, leads), optional
        The leads to use of each beat; a beat without any has no waves. All where it is left out.
    network : WaveNetwork, optional
        The shipped one by default.

    Returns
    -------
    BeatWaves
        Arrays of shape (n,).
    """
    use = np.ones((len(times_s), len(filtered.signal)), np.bool_) if readable is None else readable
    marks = np.full((len(MARKS), len(times_s)), np.nan)
    for rows, likely in _blocks(filtered, times_s, network or shipped_network()):
        marks[:, rows] = _positions(_mean_of_leads(likely, use[rows].T))
    marks[:, ~use.any(axis=1)] = np.nan
    return BeatWaves(*_seconds(marks, filtered, times_s))


def delineate_leads(filtered: Filtered, times_s: NDArray[np.float64], network: WaveNetwork | None = None) -> BeatWaves:
    """Delineate beats in each lead; what the other leads show counts a little.

    Parameters
    ----------
    filtered, times_s, network
        As for `delineate`.

    Returns
    -------
    BeatWaves
        Arrays of shape (leads, n).
    """
    marks = np.full((len(MARKS), len(filtered.signal), len(times_s)), np.nan)
    for rows, likely in _blocks(filtered, times_s, network or shipped_network()):
        together = _mean_of_leads(likely, np.ones(likely.shape[:2], np.bool_))
        mixed = (1.0 - _OTHER_LEADS) * likely + _OTHER_LEADS * together
        marks[:, :, rows] = np.stack([_positions(lead) for lead in mixed], axis=1)
    return BeatWaves(*_seconds(marks, filtered, times_s))


def beat_windows(
    signal: NDArray[np.float64], positions: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut windows around beats of one lead, relative to the largest deflection of each QRS complex.

    Parameters
    ----------
    signal : ndarray of float64, shape (samples,)
        Millivolt at 180 Hz.
    positions : ndarray of int, shape (n,)

    Returns
    -------
    beats, means : ndarray of float32, shape (n, 252)
        The beats, and the means of each and the similar ones around it.
    """
    places = positions[:, None] + np.arange(-BEFORE, SAMPLES - BEFORE)
    beats = signal[np.clip(places, 0, len(signal) - 1)].astype(np.float32)
    beats -= np.median(beats, axis=1, keepdims=True)
    # The largest deflection becomes 1, so that inverted leads look like upright ones.
    qrs = beats[:, _QRS]
    largest = np.take_along_axis(qrs, np.abs(qrs).argmax(axis=1)[:, None], axis=1)
    beats /= np.where(np.abs(largest) < _LEAST_AMPLITUDE_MV, np.float32(1.0), largest)
    return beats, _mean_of_similar(beats)


def network_inputs(beats: NDArray[np.float32], means: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network takes, shape (n, 252, 3): the beats, and both with small waves enlarged."""
    return np.stack([beats, beats / (_SMALL + np.abs(beats)), means / (_SMALL + np.abs(means))], axis=2)


def _mean_of_similar(beats: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each beat and those of the four before and four after it that correlate with it."""
    compared = beats[:, _COMPARED] - beats[:, _COMPARED].mean(axis=1, keepdims=True)
    compared /= np.maximum(np.sqrt(np.square(compared).sum(axis=1, keepdims=True)), np.float32(_LEAST_AMPLITUDE_MV))
    total, count = beats.copy(), np.ones((len(beats), 1), np.float32)
    for distance in range(1, min(_NEIGHBOURS, len(beats) - 1) + 1):
        similar = (compared[distance:] * compared[:-distance]).sum(axis=1, keepdims=True) > _SIMILAR
        total[distance:] += similar * beats[:-distance]
        total[:-distance] += similar * beats[distance:]
        count[distance:] += similar
        count[:-distance] += similar
    return total / count


def _blocks(
    filtered: Filtered, times_s: NDArray[np.float64], network: WaveNetwork
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield blocks of beats, and the log of how likely each mark lies at each position, (leads, beats, 127, 9)."""
    positions = np.rint(times_s * filtered.rate_hz).astype(np.intp)
    for start in range(0, len(times_s), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(times_s))
        first = max(start - _NEIGHBOURS, 0)
        beats = positions[first : stop + _NEIGHBOURS]
        inner = slice(start - first, stop - first)
        windows = [beat_windows(lead, beats) for lead in filtered.signal]
        logits = [network.logits(network_inputs(beat[inner], mean[inner])) for beat, mean in windows]
        yield slice(start, stop), log_softmax(np.stack(logits), axis=2)


def _mean_of_leads(likely: NDArray[np.float32], use: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the mean of the leads to use of each beat; use has shape (leads, beats)."""
    share = use / np.maximum(use.sum(axis=0), 1)
    return np.asarray((likely * share[:, :, None, None].astype(np.float32)).sum(axis=0))


def _positions(likely: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the marks, shape (9, beats), in samples of the window; NaN = absent."""
    probability = np.exp(likely - likely.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    # The centre of what is likely around the likeliest position.
    present = probability[:, :-1]
    around = np.clip(present.argmax(axis=1)[:, None] + _AROUND[:, None], 0, POSITIONS - 1)
    weights = np.take_along_axis(present, around, axis=1)
    marks: NDArray[np.float64] = STRIDE * ((weights * around).sum(axis=1) / weights.sum(axis=1)).T.astype(np.float64)
    marks += _LATER
    for wave, peak in ((_P, _P_PEAK), (_T, _T_PEAK)):
        marks[wave, probability[:, -1, peak] > _ABSENT] = np.nan
    for wave in (_P, _QRS_MARKS, _T):
        marks[wave] = np.sort(marks[wave], axis=0)
    return marks


def _seconds(marks: NDArray[np.float64], filtered: Filtered, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn samples of the windows into seconds from the start of the recording."""
    seconds: NDArray[np.float64] = (np.rint(times_s * filtered.rate_hz) - BEFORE + marks) / filtered.rate_hz
    # What is the T wave of the beat before is not a P wave.
    same = np.abs(seconds[_P_PEAK, ..., 1:] - seconds[_T_PEAK, ..., :-1]) < _SAME_S
    seconds[_P, ..., 1:] = np.where(same, np.nan, seconds[_P, ..., 1:])
    return seconds
