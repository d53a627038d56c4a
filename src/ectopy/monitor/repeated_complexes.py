"""Check that the beats that a fast rhythm rests on repeat one complex.

A heart repeats itself: one complex follows another like it, be it narrow or wide. What noise, movement or a shock
leaves in the signal is found as beats as well, but each of them has another shape. The mean correlation of beats with
their common template tells the two apart. That is how Orphanidou et al. judge whether a heart rate is reliable
(doi:10.1109/JBHI.2014.2338351); their limit for an ECG is taken over.

The beats of a fast rhythm of high priority need a lead in which they repeat themselves. Where there is none, that
rhythm is left open: it neither begins nor ends, and what is announced with medium priority stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.signal.beat_segments import BEFORE, MARGIN, BeatSegments

LEAST_LIKENESS = 0.66
"""Mean correlation with the template; Orphanidou et al., doi:10.1109/JBHI.2014.2338351."""

_FAST = frozenset({"ventricular tachycardia", "extreme tachycardia"})
_LEAST_BEATS = 4  # fewer are like their own template
_COMPLEX = np.arange(MARGIN + BEFORE - 26, MARGIN + BEFORE + 24)
_SHIFTED = _COMPLEX + np.arange(-8, 9)[:, None]  # by up to 45 ms


def unless_unlike(
    readings: Sequence[ConditionReading], recent: BeatSegments, origin_s: float
) -> tuple[ConditionReading, ...]:
    """Leave fast rhythms of high priority open whose beats do not repeat one complex.

    Parameters
    ----------
    readings : sequence of ConditionReading
    recent : BeatSegments
        The last judged beats, in seconds of the segment.
    origin_s : float
        Stream second at which the segment begins.
    """
    return tuple(
        ConditionReading(each.condition, None)
        if each.present and each.condition in _FAST and not _repeat(recent, origin_s, each.beats_s)
        else each
        for each in readings
    )


def _repeat(recent: BeatSegments, origin_s: float, beats_s: tuple[float, ...]) -> bool:
    """Return whether these beats repeat one complex in a lead, or too few of them can be read to tell."""
    beats = recent[np.isin(recent.times_s + origin_s, beats_s)]
    likeness = [
        template_likeness(beats.samples[readable, lead])
        for lead, readable in enumerate(beats.readable.T)
        if readable.sum() >= max(_LEAST_BEATS, len(beats_s) / 2)
    ]
    return not likeness or max(likeness) >= LEAST_LIKENESS


def template_likeness(samples: NDArray[np.floating]) -> float:
    """Mean correlation of the complexes of a lead with their median, each shifted by up to 45 ms to where it fits best.

    Parameters
    ----------
    samples : ndarray, shape (n, 148)
        As in `BeatSegments`.
    """
    # Shape (n, shifts, samples), each of mean 0.
    shifted = samples[:, _SHIFTED].astype(np.float64)
    shifted -= shifted.mean(axis=2, keepdims=True)
    template = np.median(shifted[:, len(_SHIFTED) // 2], axis=0)
    norm = np.sqrt(np.square(shifted).sum(axis=2) * np.square(template).sum())
    correlation = np.divide(shifted @ template, norm, out=np.zeros_like(norm), where=norm > 0)
    return float(correlation.max(axis=1).mean())
