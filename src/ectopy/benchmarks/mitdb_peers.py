"""Alternatives for scoring the beats of a recording; same beats, same leads, larger = more abnormal.

All peers take the beats of all leads as the population model does: median 0, measured in the usual height of the lead.
The two that learn the patient learn what Ectopy learns from, the first five minutes. Their distances are given as
logarithm of the ratio to the usual one among the beats they learned, because a plain distance means something else for
every patient, and the prematurity of the beat is added with the weight that was best for both on the records DS1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.population import population_beats, usual_height_mv
from ectopy.analysis.template_learning import LEAST_BEATS, learning_beats
from ectopy.signal.beat_segments import BeatSegments

Scores = NDArray[np.float64]

_COMPONENTS = 8
_NEIGHBOURS = 0.3
_TIMING_WEIGHT = 8.0
_LEAST = 1e-6


def knn_score(beats: BeatSegments) -> Scores:
    """Mean distance to the nearest 30 % of the patient's beats of the first five minutes, with timing.

    So large a share, because a minority of ectopic beats among them must not count as normal. A lead that is not
    readable in a beat is left out of its distances.

    Returns
    -------
    ndarray of float64, shape (n,)
        Timing alone where the first five minutes have fewer than thirty readable beats.
    """
    rows, learned = _prepared(beats)
    if len(learned) < LEAST_BEATS:
        return _timing(beats)
    among = max(3, round(_NEIGHBOURS * len(learned)))
    distance = _distances(rows, rows[learned])
    distance[learned, np.arange(len(learned))] = np.inf  # a beat is not its own neighbour
    nearest = np.partition(distance, among, axis=1)[:, :among].mean(axis=1)
    return _relative(nearest, learned) + _timing(beats)


def pca_score(beats: BeatSegments) -> Scores:
    """Return what eight principal components of the patient's beats of the first five minutes leave over, with timing.

    A lead that is not readable in a beat counts as the mean of the learned ones. Returns timing alone where `knn_score`
    does.
    """
    rows, learned = _prepared(beats)
    if len(learned) < LEAST_BEATS:
        return _timing(beats)
    mean = rows[learned].mean(axis=0)
    finite = np.isfinite(rows)
    centred = np.where(finite, rows - mean, 0.0).reshape(len(rows), -1)
    _, _, axes = np.linalg.svd(centred[learned], full_matrices=False)
    rest = centred - (centred @ axes[:_COMPONENTS].T) @ axes[:_COMPONENTS]
    samples = np.maximum(finite.reshape(len(rows), -1).sum(axis=1), 1)
    return _relative(np.sqrt(np.square(rest).sum(axis=1) / samples), learned) + _timing(beats)


def _prepared(beats: BeatSegments) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Beats of shape (n, leads, samples), without the leads that are mostly unreadable at first; which are learned."""
    first = learning_beats(beats)
    if not len(first):
        return np.empty((len(beats), 0, 0)), first
    leads = np.flatnonzero(beats.readable[first].mean(axis=0) > 0.5)
    rows = population_beats(beats, usual_height_mv(beats)).samples.reshape(len(beats), beats.samples.shape[1], -1)[
        :, leads
    ]
    learned = first[beats.readable[first][:, leads].all(axis=1)] if len(leads) else first[:0]
    return rows.astype(np.float64), learned


def _distances(rows: NDArray[np.float64], learned: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square difference over the readable leads, shape (n, m)."""
    readable = np.isfinite(rows[:, :, 0])
    total = np.zeros((len(rows), len(learned)))
    for lead in range(rows.shape[1]):
        left, right = np.where(readable[:, lead, None], rows[:, lead], 0.0), learned[:, lead]
        squares = np.square(left).sum(axis=1)[:, None] + np.square(right).sum(axis=1) - 2 * left @ right.T
        total += np.where(readable[:, lead, None], np.maximum(squares, 0.0), 0.0)
    distance: NDArray[np.float64] = np.sqrt(total / np.maximum(readable.sum(axis=1), 1)[:, None])
    return distance


def _relative(distance: NDArray[np.float64], learned: NDArray[np.intp]) -> Scores:
    usual = max(float(np.median(distance[learned])), _LEAST)
    relative: Scores = np.log(np.maximum(distance, _LEAST) / usual)
    return relative


def _timing(beats: BeatSegments) -> Scores:
    timing: Scores = _TIMING_WEIGHT * np.maximum(beats.prematurity, 0.0)
    return timing
