"""Learn a patient's template from beats.

It is the median of the half of the beats that lie closest to many others, so that a minority of ectopic beats does not
shape it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import (
    LEARNING_S,
    LEAST_AMPLITUDE_MV,
    LEAST_IRREGULARITY,
    QRS,
    UNKNOWN_SPREAD_MV,
    PatientTemplate,
)
from ectopy.analysis.template_comparison import align_samples, compare
from ectopy.signal.beat_segments import MARGIN, BeatSegments, centred
from ectopy.signal.state_replace import replace

LEAST_BEATS = 30

_LEAST_CLEARNESS = 1.0
_NEIGHBOURS = 0.3
_MOST_LEARNED = 2000
_MOST_FAMILIES = 3
_OTHER_FORM = 0.8
_USUAL = 0.3  # share of the beats; ectopic beats, up to seven in ten, do not count
_DEVIATION = 1.4826  # standard deviation over median absolute deviation


@dataclass(frozen=True, slots=True)
class Family:
    """Beats of one shape.

    Attributes
    ----------
    normal : PatientTemplate
        The template, if these are the patient's normal beats.
    rate_bpm : float
        Median rate of these beats; 0 = not known.
    """

    normal: PatientTemplate
    rate_bpm: float


def learn_normal(beats: BeatSegments, leads: tuple[str, ...]) -> PatientTemplate | None:
    """Learn a patient's template from the first five minutes; None if they are too few or too different.

    Parameters
    ----------
    beats : BeatSegments
    leads : tuple of str
    """
    family = _learn(beats, learning_beats(beats), leads, LEAST_BEATS)
    return None if family is None else family.normal


def learn_families(beats: BeatSegments, leads: tuple[str, ...], least: int = LEAST_BEATS) -> tuple[Family, ...]:
    """Group beats by shape: the most frequent shape first, then those of the remaining beats, three at most.

    Where a recording starts in an abnormal rhythm, the normal beats are not the first family.

    Parameters
    ----------
    beats : BeatSegments
    leads : tuple of str
    least : int
        Least number of beats of a family.
    """
    rows = np.flatnonzero(beats.readable.any(axis=1))[:_MOST_LEARNED]
    families: list[Family] = []
    while len(families) < _MOST_FAMILIES:
        family = _learn(beats, rows, leads, least)
        if family is None:
            break
        families.append(family)
        rows = rows[compare(beats[rows], family.normal).shape > _OTHER_FORM]
    return tuple(families)


def learning_beats(beats: BeatSegments, learning_s: float = LEARNING_S) -> NDArray[np.intp]:
    """Return the readable beats of the first `learning_s` seconds from the first of them, at most 2000."""
    readable = np.flatnonzero(beats.readable.any(axis=1))
    until_s = beats.times_s[readable[:1]].sum() + learning_s
    first: NDArray[np.intp] = readable[beats.times_s[readable] < until_s][:_MOST_LEARNED]
    return first


def _learn(beats: BeatSegments, first: NDArray[np.intp], leads: tuple[str, ...], least: int) -> Family | None:
    if len(first) < least:
        return None
    # Leads readable in more than half of the beats, and the beats readable in all of them.
    readable = beats.readable[first]
    usable = readable.mean(axis=0) > 0.5
    first = first[readable[:, usable].all(axis=1)]
    if not usable.any() or len(first) < least:
        return None
    # The template is the median of the central half, with each lead scaled by its amplitude.
    samples = beats.samples[first][:, :, MARGIN:-MARGIN].astype(np.float64)
    amplitude = np.maximum(np.median(np.ptp(samples, axis=2), axis=0), LEAST_AMPLITUDE_MV)
    central = _central_half((samples[:, usable] / amplitude[usable, None]).reshape(len(first), -1))
    template = centred(np.median(samples[central], axis=0))
    # A lead is clear where the central beats hardly differ from the template within the QRS complex.
    around = centred(samples[central]) - template
    energy = np.square(template[:, QRS]).sum(axis=1)
    noise = np.median(np.square(around[..., QRS]).sum(axis=2), axis=0)
    clearness = np.where(usable, energy / np.maximum(noise, 1e-9), 0.0)
    if clearness.max() < _LEAST_CLEARNESS:
        return None
    # The usual distance of each sample, a median that ectopic beats among the learned ones hardly change.
    distance = np.median(np.abs(align_samples(beats.samples[first], template) - template), axis=0)
    spread_mv = np.where(usable[:, None], _DEVIATION * distance, UNKNOWN_SPREAD_MV)
    # Irregularity: spread of the prematurity by the median absolute deviation, at least 0.05.
    early = beats.prematurity[first]
    spread = _DEVIATION * float(np.median(np.abs(early - np.median(early))))
    normal = PatientTemplate(
        template, clearness, spread_mv, float(np.hypot(spread, LEAST_IRREGULARITY)), len(first), leads
    )
    difference = compare(beats[first], normal).shape
    normal = replace(normal, usual_difference=float(np.quantile(difference, _USUAL)))
    intervals_s = beats.rr_s[first[central]]
    finite_s = intervals_s[np.isfinite(intervals_s)]
    return Family(normal, 60.0 / float(np.median(finite_s)) if len(finite_s) else 0.0)


def _central_half(rows: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the half of the rows with the smallest mean distance to the nearest 30 % of the others."""
    # Distances from one matrix product: |a - b|^2 = |a|^2 + |b|^2 - 2 ab.
    squares = np.square(rows).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0.0))
    distance.sort(axis=1)
    nearest = distance[:, 1 : max(3, round(_NEIGHBOURS * len(rows))) + 1].mean(axis=1)
    central: NDArray[np.intp] = np.argsort(nearest, kind="stable")[: max(3, len(rows) // 2)]
    return central
