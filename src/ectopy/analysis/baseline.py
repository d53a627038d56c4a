"""The baseline of a patient: the template learned at the start, or the reason that there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.population import unlikeness, usual_height_mv, ventricular_shape
from ectopy.analysis.template_learning import LEAST_BEATS, Family, learn_families, learning_beats
from ectopy.detector import Detector
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import BeatSegments

FIRST_BEATS = 10
"""Readable beats of which the first provisional baseline is learned."""
WIDE = 1.5
"""Ventricular shape above which a beat is wide."""

_LEAST_PROVISIONAL = 8
_STRANGE = 1.0
_CLEARLY_LESS = 1.0
_FAST_BPM = 100.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """Reference for the beats of a patient.

    Attributes
    ----------
    normal : PatientTemplate or None
        The patient's template; None where it is not known, and beats are compared with those of other people.
    height_mv : ndarray of float64, shape (leads,)
        Usual height of the patient's beats, the scale of the comparison with other people's.
    text : str
        One sentence: learned, given, or the reason that there is none.
    doubtful : bool
        Whether a person should check the template before relying on it.
    provisional : bool
        Whether the template is still being learned.
    learned_s : float
        Seconds of beats that a provisional template was learned from.
    learned_to_s : float
        End of learning, seconds from the start of the recording or stream; 0 for a template that was given.
    """

    __repr__ = short_repr

    normal: PatientTemplate | None
    height_mv: NDArray[np.float64]
    text: str
    doubtful: bool = False
    provisional: bool = False
    learned_s: float = 0.0
    learned_to_s: float = 0.0

    @property
    def confidence(self) -> str:
        """Return a few words on the trust in verdicts; empty where the patient's template is known."""
        if self.normal is None:
            return "compared with other people's beats"
        return f"learning, {self.learned_s:.0f} s" if self.provisional else ""


def given_baseline(normal: PatientTemplate) -> Baseline:
    """Return the baseline of a template that was learned earlier."""
    return Baseline(normal, np.ptp(normal.template, axis=1), "The patient's normal was given.")


def learn_baseline(
    beats: BeatSegments, leads: tuple[str, ...], detector: Detector, learning_s: float, least: int = LEAST_BEATS
) -> Baseline:
    """Learn the patient's template from the first beats, and check it against the population.

    Parameters
    ----------
    beats : BeatSegments
        From the start of the recording.
    leads : tuple of str
    detector : Detector
        With a population model for recordings.
    learning_s : float
        Seconds from the first readable beat.
    least : int
        Least number of readable beats.
    """
    first = beats[learning_beats(beats, learning_s)]
    learned = _learn(first, leads, detector, least)
    return replace(learned, learned_to_s=first.times_s[:1].sum() + learning_s)


def find_baseline(beats: BeatSegments, leads: tuple[str, ...], detector: Detector, learning_s: float) -> Baseline:
    """Learn the patient's template from the first part of a recording in which that is possible.

    Where the recording ends within the learning time, ten readable beats are enough, as they are in a stream.

    Parameters
    ----------
    beats : BeatSegments
        Of the whole recording.
    leads, detector, learning_s
        As for `learn_baseline`.
    """
    if not len(after_learning(beats, learning_s)):
        return learn_baseline(beats, leads, detector, learning_s, FIRST_BEATS)
    first = baseline = learn_baseline(beats, leads, detector, learning_s)
    while baseline.normal is None:
        beats = after_learning(beats, learning_s)
        if not len(beats):
            return first
        baseline = learn_baseline(beats, leads, detector, learning_s)
    return baseline


def after_learning(beats: BeatSegments, learning_s: float) -> BeatSegments:
    """Return the beats after those of the learning time."""
    readable = np.flatnonzero(beats.readable.any(axis=1))
    if not len(readable):
        return beats[len(beats) :]
    return beats[int(np.searchsorted(beats.times_s, beats.times_s[readable[0]] + learning_s)) :]


def provisional_baseline(beats: BeatSegments, leads: tuple[str, ...], detector: Detector) -> Baseline:
    """Return the baseline while the template is being learned, from the beats so far, ten at least.

    Parameters
    ----------
    beats : BeatSegments
    leads : tuple of str
    detector : Detector
        With a population model for recordings.
    """
    readable = beats[np.flatnonzero(beats.readable.any(axis=1))]
    baseline = _learn(readable, leads, detector, _LEAST_PROVISIONAL, " so far")
    span_s = float(readable.times_s[-1] - readable.times_s[0]) if len(readable) else 0.0
    return replace(baseline, provisional=True, learned_s=span_s)


def _learn(first: BeatSegments, leads: tuple[str, ...], detector: Detector, least: int, so_far: str = "") -> Baseline:
    """Learn a baseline from readable beats: their most frequent family that is plausible."""
    height_mv = usual_height_mv(first)
    families = learn_families(first, leads, least)
    if not families:
        text = f"The patient's normal could not be learned{so_far}: too few clear beats at the start."
        return Baseline(None, height_mv, text, doubtful=True)
    plausible = [family for family in families if not like_tachycardia(family)]
    if not plausible:
        text = (
            f"The patient's normal is not known{so_far}: the usual beats are wide and come at "
            f"{families[0].rate_bpm:.0f} per minute, as in ventricular tachycardia."
        )
        return Baseline(None, height_mv, text, doubtful=True)
    usual = families[0].normal
    preferred = min(plausible, key=lambda family: _doubt(family, plausible[0], detector)).normal
    if preferred is not usual:
        text = (
            f"Learned from {preferred.beats} beats{so_far}, which are more like normal beats of other people than "
            f"the {usual.beats} usual ones: the recording seems to start in an abnormal rhythm."
        )
        return Baseline(preferred, height_mv, text, doubtful=True)
    if unlikeness(detector, usual) > _STRANGE:
        text = (
            f"Learned from {usual.beats} beats{so_far}, which are unlike normal beats of other people: look at them "
            "before you rely on what is called normal."
        )
        return Baseline(usual, height_mv, text, doubtful=True)
    return Baseline(usual, height_mv, f"Learned from {usual.beats} beats{so_far}.")


def like_tachycardia(family: Family) -> bool:
    """Return whether beats are so wide and so fast that they may be ventricular tachycardia."""
    normal = family.normal
    shape = ventricular_shape(normal.template[None], normal.clearness[None] > 0)
    return family.rate_bpm > _FAST_BPM and bool(shape[0] > WIDE)


def _doubt(family: Family, most: Family, detector: Detector) -> float:
    """Score how much a family differs from other people's normal beats; a rarer one must differ clearly less."""
    return unlikeness(detector, family.normal) + _CLEARLY_LESS * (family is not most)
