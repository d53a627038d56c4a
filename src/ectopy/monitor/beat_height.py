"""The usual height of a patient's beats, and which beats are far lower or only noise.

A P wave, a pacing spike without capture or a small artefact may be found as a heartbeat once nothing higher is there.
The height of the patient's own beats tells them apart: a beat counts as low if it is below 40 % of the usual height and
below 0.35 mV in every readable lead. Low beats do not change what is usual, so that a heart that stands still for long
is not forgotten; a lower signal, as after a change of electrodes, becomes usual when the patient's normal is learned
again. The height of a beat is that of its QRS complex alone, so that a P wave does not borrow that of the beat it
precedes.

A T wave may be found as a beat where the heart is slow. What follows a credible beat within 0.36 s, when Pan and
Tompkins expect one (doi:10.1109/TBME.1985.325532), is low below 60 % of the usual height; of several in a row every
other one.

In a second in which no lead shows a QRS complex that stands out, what is found may be noise. But a very fast rhythm may
fill the second, so that no lead is ever quiet: a beat of at least 80 % of the usual height in a readable lead is a
beat. What is found in such a second never changes what is usual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.signal.beat_segments import BEFORE, MARGIN, BeatSegments
from ectopy.signal.lower_median import lower_median

LOW_SHARE = 0.4
LOW_MV = 0.35
USUAL_SHARE = 0.8

_REMEMBERED_BEATS = 45  # a run of higher beats does not change what is usual
_LEAST_BEATS = 8
_QRS = slice(MARGIN + BEFORE - 22, MARGIN + BEFORE + 28)
_T_WAVE_SHARE, _T_WAVE_UNTIL_S = 0.6, 0.36


@dataclass(frozen=True, slots=True)
class BeatHeights:
    """The height of the last beats of each lead that were not low.

    Attributes
    ----------
    recent_mv : ndarray of float64, shape (leads, 45)
        From peak to peak, millivolt; NaN as long as there were fewer.
    may_have_t_wave : bool
        Whether the last beat is readable and credible, so that its T wave may be found next.
    """

    recent_mv: NDArray[np.float64]
    may_have_t_wave: bool = False

    @classmethod
    def fresh(cls, leads: int) -> BeatHeights:
        """Before the first beat."""
        return cls(np.full((leads, _REMEMBERED_BEATS), np.nan))


def qrs_heights_mv(beats: BeatSegments) -> NDArray[np.float32]:
    """Height of each QRS complex, 0.12 s before to 0.16 s after the fiducial point, shape (n, leads).

    From peak to peak; NaN where a lead is not readable.
    """
    qrs = beats.samples[:, :, _QRS]
    heights_mv = np.maximum.reduce(qrs, axis=2) - np.minimum.reduce(qrs, axis=2)
    return np.where(beats.readable, heights_mv, np.float32(np.nan))


def height_step(
    state: BeatHeights, heights_mv: NDArray[np.floating], rr_s: NDArray[np.float64], in_noise: NDArray[np.bool_]
) -> tuple[BeatHeights, NDArray[np.bool_]]:
    """Compare the next beats with the usual height, and remember those that are credible and not in noise.

    Parameters
    ----------
    heights_mv : ndarray, shape (n, leads)
        Of `qrs_heights_mv`.
    rr_s : ndarray of float64, shape (n,)
        Time since the beat before; NaN where unknown.
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
    is_readable = np.isfinite(heights_mv)
    is_low = np.logical_and.reduce((heights_mv < LOW_MV) | ~is_readable, axis=1)
    recent_mv, may_have_t_wave = state.recent_mv, state.may_have_t_wave
    for beat, readable in enumerate(is_readable):
        if not readable.any():
            may_have_t_wave = False
            continue
        # Compare readable leads only; an early beat may be the T wave of a credible one.
        height_mv = heights_mv[beat, readable]
        in_t_wave = may_have_t_wave and rr_s[beat] < _T_WAVE_UNTIL_S
        if in_noise[beat] or in_t_wave or is_low[beat]:
            usual_mv = recent_mv[readable]
            is_usual_known = np.isfinite(usual_mv).sum(axis=1) >= _LEAST_BEATS
            usual_mv = lower_median(usual_mv)
            # Low: below 40 % of usual and 0.35 mV in every lead, or below 60 % where a T wave is expected.
            low = is_low[beat] and (is_usual_known & (height_mv < LOW_SHARE * usual_mv)).all()
            low |= in_t_wave and (is_usual_known & (height_mv < _T_WAVE_SHARE * usual_mv)).all()
            # In noise, a beat about as high as usual in one lead is still a beat.
            as_usual = (is_usual_known & (height_mv >= USUAL_SHARE * usual_mv)).any()
            credible[beat] = not low and (as_usual or not in_noise[beat])
        # Only a credible beat outside noise changes what is usual.
        if credible[beat] and not in_noise[beat]:
            newest_mv = np.concatenate([recent_mv[readable, 1:], height_mv[:, None]], axis=1)
            recent_mv = recent_mv.copy()
            recent_mv[readable] = newest_mv
        may_have_t_wave = bool(credible[beat])
    return BeatHeights(recent_mv, may_have_t_wave), credible
