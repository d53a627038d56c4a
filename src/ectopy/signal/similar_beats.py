"""Group beats of similar shape, so that one of each group can be shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.signal.beat_segments import centred

SIMILAR = 0.9
"""Least correlation of a beat with the first one of its group."""

_AT_ONCE = 4096


def similar_groups(
    samples: NDArray[np.floating], most: int = 12, margin: int = 0
) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Group beats greedily: the first one leads a group of all that correlate with it, the first one left another.

    Parameters
    ----------
    samples : ndarray, shape (n, leads, samples)
        Beats in the order in which they may begin a group; all leads of a beat are compared together.
    most : int
        Groups at most.
    margin : int
        Samples by which a beat may be shifted to either side for the comparison.

    Returns
    -------
    groups : list of ndarray of intp
        Rows of each group, its leader first.
    rest : ndarray of intp
        Rows without a group.
    """
    left = np.arange(len(samples))
    groups: list[NDArray[np.intp]] = []
    while len(left) and len(groups) < most:
        alike = _correlation(samples[left[0]], samples, left, margin) >= SIMILAR
        alike[0] = True
        groups.append(left[alike])
        left = left[~alike]
    return groups, left


def _correlation(
    beat: NDArray[np.floating], samples: NDArray[np.floating], rows: NDArray[np.intp], margin: int
) -> NDArray[np.float64]:
    """Return the highest correlation of a beat with others, each shifted by up to `margin` samples."""
    length = samples.shape[2] - 2 * margin
    leader = _unit(beat[None, :, margin : margin + length])[0]
    best = np.full(len(rows), -1.0)
    for start in range(0, len(rows), _AT_ONCE):
        batch = samples[rows[start : start + _AT_ONCE]]
        for shift in range(2 * margin + 1):
            correlation = _unit(batch[:, :, shift : shift + length]) @ leader
            best[start : start + _AT_ONCE] = np.maximum(best[start : start + _AT_ONCE], correlation)
    return best


def _unit(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Join all leads of each beat into a row of length 1 with median 0; a flat beat becomes a row of zeros."""
    return normalised(centred(samples.astype(np.float64)).reshape(len(samples), -1))


def normalised(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows of length 1; those of length 0 stay."""
    length = np.sqrt(np.square(rows).sum(axis=-1, keepdims=True))
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 0))
