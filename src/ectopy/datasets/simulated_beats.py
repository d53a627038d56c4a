"""Simulated beats, cut as ECG5000 was cut: its stand-in where there are no data."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import checked
from ectopy.beats import BEAT_SAMPLES, BeatLayout, Beats
from ectopy.datasets.simulated import SYMBOLS, simulate_recording
from ectopy.errors import DataError, SettingError

SIMULATED_LAYOUT = BeatLayout("simulated", BEAT_SAMPLES, None, "z-score")

# Class counts of the official files of ECG5000, and a seed for each.
_SPLITS = MappingProxyType({"train": (292, (177, 10, 19, 2), 5000), "test": (2627, (1590, 86, 175, 22), 4500)})


def cut_cycles(signal: NDArray[np.floating], positions: NDArray[np.integer]) -> NDArray[np.float32]:
    """Cut a lead from beat to beat, as ECG5000 was cut.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        One lead.
    positions : ndarray of int, shape (n,)
        Sample index of each beat, increasing.

    Returns
    -------
    ndarray of float32, shape (n - 1, 140)
        Row i runs from beat i to beat i + 1, both ends included, stretched by linear interpolation,
        then brought to mean 0 and standard deviation 1 (ddof=1). A flat cycle is a row of zeros.

    Raises
    ------
    DataError
        If the positions are not increasing indices into the signal.
    """
    if np.any(np.diff(positions) <= 0) or np.any((positions < 0) | (positions >= len(signal))):
        raise DataError(f"positions must increase within 0 to {len(signal) - 1}.")
    starts, lengths = positions[:-1, None], np.diff(positions)[:, None]
    places = starts + lengths * np.linspace(0, 1, BEAT_SAMPLES)
    left = np.minimum(places.astype(np.int64), starts + lengths - 1)
    right_share = places - left
    rows = (1 - right_share) * signal[left] + right_share * signal[left + 1]
    flat = np.ptp(rows, axis=1, keepdims=True) == 0
    rows -= rows.mean(axis=1, keepdims=True)
    spread = np.where(flat, np.inf, rows.std(axis=1, ddof=1, keepdims=True))
    cycles: NDArray[np.float32] = (rows / spread).astype(np.float32)
    return cycles


@checked
def simulate_beats(
    n_normal: int = 292,
    n_abnormal_per_kind: tuple[int, int, int, int] = (177, 10, 19, 2),
    *,
    random_state: int = 0,
) -> Beats:
    """Cut beats with `cut_cycles` from the first lead of simulated recordings, in random order.

    Parameters
    ----------
    n_normal : int
    n_abnormal_per_kind : tuple of four int
        How many of the labels 2 to 5.
    random_state : int

    Returns
    -------
    Beats
        Labels 1 = normal, 2 = R-on-T premature ventricular, 3 = premature ventricular,
        4 = premature supraventricular, 5 = fusion. A row starts at its own beat and ends at the
        next, so a normal beat before a premature one is cut short and ends in another shape.

    Raises
    ------
    SettingError
        If a count is negative or there are not four abnormal kinds.
    """
    if random_state < 0:
        raise SettingError(f"random_state must be 0 or more, not {random_state}.")
    counts = np.array([n_normal, *n_abnormal_per_kind])
    if len(counts) != len(SYMBOLS) or np.any(counts < 0):
        raise SettingError(f"simulate_beats needs five counts of 0 or more, not {counts.tolist()}.")
    # Rare kinds get more than their share, so that the others do not wait for them.
    shares = np.where(counts[1:] > 0, counts[1:] + 10, 0)
    ectopic = dict(zip(SYMBOLS[1:], 0.15 * shares / max(shares.sum(), 1), strict=True))
    rng = np.random.default_rng(random_state)
    rows, labels = np.empty((0, BEAT_SAMPLES), np.float32), np.empty(0, np.int_)
    while np.any(np.bincount(labels, minlength=len(counts) + 1)[1:] < counts):
        recording = simulate_recording(
            900.0,
            rate_bpm=rng.uniform(60, 85),
            ectopic=ectopic,
            noise_mv=0.04,
            leads=1,
            random_state=int(rng.integers(2**32)),
        )
        marks = recording.annotations
        assert marks is not None
        kinds = np.argmax(marks.symbols[:-1, None] == np.array(SYMBOLS), axis=1)
        rows = np.concatenate([rows, cut_cycles(recording.signal[:, 0], marks.positions)])
        labels = np.concatenate([labels, kinds + 1])
    order = np.concatenate([np.flatnonzero(labels == 1 + k)[:n] for k, n in enumerate(counts)])
    order = rng.permutation(order)
    source = f"simulated beats (random_state={random_state})"
    return Beats(rows[order], SIMULATED_LAYOUT, labels[order], source)


@checked
def load_simulated(split: Literal["train", "test", "all"] = "all") -> Beats:
    """Load the simulated stand-in for ECG5000, with the class counts of its official files.

    Parameters
    ----------
    split : {"train", "test", "all"}
        500 beats, 4,500 others, or first these and then those.

    Returns
    -------
    Beats
        As `simulate_beats` gives them, always the same.

    Raises
    ------
    SettingError
        If there is no such split.
    """
    if split not in (*_SPLITS, "all"):
        raise SettingError(f"split must be train, test or all, not {split!r}.")
    parts = [
        simulate_beats(n_normal, n_abnormal, random_state=seed)
        for name, (n_normal, n_abnormal, seed) in _SPLITS.items()
        if split in (name, "all")
    ]
    samples = np.concatenate([part.samples for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return Beats(samples, SIMULATED_LAYOUT, labels, f"simulated beats ({split})")
