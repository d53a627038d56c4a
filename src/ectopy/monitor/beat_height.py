"""How high the beats of a patient usually are, and which beats are far lower or only noise.

A P wave, a pacing spike without capture or a small artefact may be found as a heartbeat once nothing higher is there.
The height of the patient's own beats tells them apart: a beat counts as low if it is below 40 % of the usual height and
below 0.35 mV in every readable lead. Low beats do not change what is usual, so that a heart that stands still for long
is not forgotten; a lower signal, as after a change of electrodes, becomes usual when the patient's normal is learned
again.

In a second in which no lead shows a QRS complex that stands out, what is found may be noise. But a very fast rhythm may
fill the second, so that no lead is ever quiet: a beat of at least 80 % of the usual height in a readable lead is a
beat. What is found in such a second never changes what is usual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.replacing import replace
from ectopy.signal.heartbeats import lower_median

LOW_SHARE = 0.4
LOW_MV = 0.35
USUAL_SHARE = 0.8

_REMEMBERED_BEATS = 45  # a run of higher beats does not change what is usual
_LEAST_BEATS = 8


@dataclass(frozen=True, slots=True)
class BeatHeights:
    """The height of the last beats of each lead that were not low.

    Attributes
    ----------
    recent_mv : ndarray of float64, shape (leads, 45)
        From peak to peak, millivolt; NaN as long as there were fewer.
    """

    recent_mv: NDArray[np.float64]

    @classmethod
    def fresh(cls, leads: int) -> BeatHeights:
        """Before the first beat."""
        return cls(np.full((leads, _REMEMBERED_BEATS), np.nan))


def height_step(
    state: BeatHeights, heights_mv: NDArray[np.floating], in_noise: NDArray[np.bool_]
) -> tuple[BeatHeights, NDArray[np.bool_]]:
    """Compare the next beats with the usual height, and remember those that are credible and not in noise.

    Parameters
    ----------
    state : BeatHeights
    heights_mv : ndarray, shape (n, leads)
        From peak to peak, millivolt; NaN where a lead is not readable.
    in_noise : ndarray of bool, shape (n,)
        Which beats lie where no lead shows a QRS complex.

    Returns
    -------
    state : BeatHeights
    credible : ndarray of bool, shape (n,)
        Whether a beat is not low, and either not in noise or about as high as usual. A beat that no lead can read is
        never low, nor one whose usual height is not known yet in a readable lead.
    """
    credible = ~in_noise
    for beat, height_mv in enumerate(heights_mv):
        readable = np.isfinite(height_mv)
        if not readable.any():
            continue
        height_mv = height_mv[readable]
        recent_mv = state.recent_mv[readable]
        if in_noise[beat] or (height_mv < LOW_MV).all():
            known = np.isfinite(recent_mv).sum(axis=1) >= _LEAST_BEATS
            usual_mv = lower_median(recent_mv)
            low = (height_mv < LOW_MV).all() and (known & (height_mv < LOW_SHARE * usual_mv)).all()
            as_usual = (known & (height_mv >= USUAL_SHARE * usual_mv)).any()
            credible[beat] = not low and (as_usual or not in_noise[beat])
        if credible[beat] and not in_noise[beat]:
            kept_mv = state.recent_mv.copy()
            kept_mv[readable] = np.column_stack([recent_mv[:, 1:], height_mv])
            state = replace(state, recent_mv=kept_mv)
    return state, credible
