"""How high the beats of a patient usually are, and which beats are far lower.

A P wave, a pacing spike without capture or a small artefact may be found as a heartbeat once nothing higher is there.
The height of the patient's own beats tells them apart: a beat counts as low if it is below 40 % of the usual height and
below 0.35 mV in every readable lead. Low beats do not change what is usual, so that a heart that stands still for long
is not forgotten; a lower signal, as after a change of electrodes, becomes usual when the patient's normal is learned
again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.replacing import replace
from ectopy.signal.heartbeats import lower_median

LOW_SHARE = 0.4
LOW_MV = 0.35

_REMEMBERED_BEATS = 15
_LEAST_BEATS = 8


@dataclass(frozen=True, slots=True)
class BeatHeights:
    """The height of the last beats of each lead that were not low.

    Attributes
    ----------
    recent_mv : ndarray of float64, shape (leads, 15)
        From peak to peak, millivolt; NaN as long as there were fewer.
    """

    recent_mv: NDArray[np.float64]

    @classmethod
    def fresh(cls, leads: int) -> BeatHeights:
        """Before the first beat."""
        return cls(np.full((leads, _REMEMBERED_BEATS), np.nan))


def height_step(state: BeatHeights, heights_mv: NDArray[np.floating]) -> tuple[BeatHeights, NDArray[np.bool_]]:
    """Compare the next beats with the usual height, and remember those that are not low.

    Parameters
    ----------
    state : BeatHeights
    heights_mv : ndarray, shape (n, leads)
        From peak to peak, millivolt; NaN where a lead is not readable.

    Returns
    -------
    state : BeatHeights
    low : ndarray of bool, shape (n,)
        False for a beat that no lead can read, and where the usual height of a readable lead is not known yet.
    """
    low = np.zeros(len(heights_mv), np.bool_)
    for beat, height_mv in enumerate(heights_mv):
        readable = np.isfinite(height_mv)
        if not readable.any():
            continue
        if (height_mv[readable] < LOW_MV).all():
            recent_mv = state.recent_mv[readable]
            known = np.isfinite(recent_mv).sum(axis=1) >= _LEAST_BEATS
            low[beat] = (known & (height_mv[readable] < LOW_SHARE * lower_median(recent_mv))).all()
        if not low[beat]:
            recent_mv = state.recent_mv.copy()
            recent_mv[readable, :-1] = recent_mv[readable, 1:]
            recent_mv[readable, -1] = height_mv[readable]
            state = replace(state, recent_mv=recent_mv)
    return state, low
