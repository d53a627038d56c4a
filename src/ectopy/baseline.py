"""The baseline of a patient: their own normal as learned at the start, and what to do where it cannot be learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.detector import Detector
from ectopy.detector.patient import PatientNormal, learn_normal, learn_other_form, learning_beats
from ectopy.detector.population import unlikeness, usual_height_mv
from ectopy.reprs import short_repr
from ectopy.signal.cut import CutBeats

_STRANGE = 1.0
_CLEARLY_LESS = 1.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What beats are compared with.

    Attributes
    ----------
    normal : PatientNormal or None
        The patient's own normal; None where it is not known, and beats are compared with other people's.
    height_mv : ndarray of float64, shape (leads,)
        Usual height of the patient's beats, by which they are scaled for the comparison with other people's.
    text : str
        One sentence: learned, given, or why there is none.
    doubtful : bool
        Whether somebody should look at it before relying on what is called normal.
    """

    __repr__ = short_repr

    normal: PatientNormal | None
    height_mv: NDArray[np.float64]
    text: str
    doubtful: bool = False


def given_baseline(normal: PatientNormal) -> Baseline:
    """A patient's normal that was learned earlier."""
    return Baseline(normal, np.ptp(normal.template, axis=1), "The patient's normal was given.")


def learn_baseline(beats: CutBeats, leads: tuple[str, ...], detector: Detector, learning_s: float) -> Baseline:
    """Learn the patient's normal from the first beats, and check it against the population.

    Parameters
    ----------
    beats : CutBeats
        From the start of the recording, at least as long as is learned from.
    leads : tuple of str
    detector : Detector
        With a population model for recordings.
    learning_s : float
        How long is learned from, seconds from the first readable beat.
    """
    first = beats[learning_beats(beats, learning_s)]
    height_mv = usual_height_mv(first)
    usual = learn_normal(first, leads, learning_s)
    if usual is None:
        text = "The patient's normal could not be learned: too few clear beats at the start."
        return Baseline(None, height_mv, text, doubtful=True)
    other = learn_other_form(first, usual, learning_s)
    strangeness = unlikeness(detector, usual)
    if other is not None and unlikeness(detector, other) < strangeness - _CLEARLY_LESS:
        text = (
            f"Learned from {other.beats} beats that are more like normal beats of other people than the "
            f"{usual.beats} usual ones: the recording seems to start in an abnormal rhythm."
        )
        return Baseline(other, height_mv, text, doubtful=True)
    if strangeness > _STRANGE:
        text = (
            f"Learned from {usual.beats} beats, which are unlike normal beats of other people: look at them before you "
            "rely on what is called normal."
        )
        return Baseline(usual, height_mv, text, doubtful=True)
    return Baseline(usual, height_mv, f"Learned from {usual.beats} beats.")
