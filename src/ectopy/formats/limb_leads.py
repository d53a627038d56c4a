"""The limb leads that twelve-lead recorders do not store, since they follow from leads I and II."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WEIGHTS = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
"""Weights of leads I and II in the others, by Einthoven and Goldberger."""


def with_limb_leads(
    signal: NDArray[np.float32], names: Sequence[str]
) -> tuple[NDArray[np.float32], tuple[str, ...], list[str]]:
    """Add III, aVR, aVL and aVF behind lead II, where I, II and chest leads are there and none of the four.

    Parameters
    ----------
    signal : ndarray of float32, shape (samples, leads)
    names : sequence of str

    Returns
    -------
    signal : ndarray of float32, shape (samples, leads + 4 or leads)
    names : tuple of str
    notes : list of str
        A sentence on what was added.
    """
    names = tuple(names)
    if not {"I", "II", "V1"} <= set(names) or not _WEIGHTS.keys().isdisjoint(names):
        return signal, names, []
    first, second = (signal[:, names.index(name)] for name in ("I", "II"))
    added = np.stack([a * first + b * second for a, b in _WEIGHTS.values()], axis=1).astype(np.float32)
    place = names.index("II") + 1
    return (
        np.concatenate([signal[:, :place], added, signal[:, place:]], axis=1),
        (*names[:place], *_WEIGHTS, *names[place:]),
        ["III, aVR, aVL and aVF are computed from I and II, as the recorder does not store them."],
    )
