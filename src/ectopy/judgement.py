"""From beats to verdicts: score each one, judge it by the threshold, and name what it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ectopy.baseline import Baseline
from ectopy.detector import Detector, Verdict
from ectopy.detector.patient import Evidence, compare
from ectopy.detector.population import AMBULATORY_LAYOUT, population_score
from ectopy.detector.recordings import RecordingCalibration
from ectopy.detector.threshold import p_values
from ectopy.errors import LayoutError
from ectopy.signal.cut import CutBeats

_VENTRICULAR = 0.57
_EARLY, _SOMEWHAT_EARLY = 1.5, 0.5
_LEAST_PREMATURITY, _STILL_EARLY, _VERY_EARLY = 0.08, 0.05, 0.5
_SUDDEN = 0.08
_AS_SOON = 1.1
_HARDLY_WIDER = 0.2
_CHANGED_SHAPE = 0.6


class Hint(StrEnum):
    """What a beat that is not this patient's normal looks like; from rules, not from labels, and no diagnosis."""

    NONE = ""
    VENTRICULAR = "ventricular-like"
    SUPRAVENTRICULAR = "supraventricular-like"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is thought of beats; arrays have one entry per beat.

    Attributes
    ----------
    verdict : ndarray of str, shape (n,)
        A `Verdict` per beat: ABNORMAL where the score is above the threshold or a rule gives a hint.
    hint : ndarray of str, shape (n,)
        A `Hint` per beat.
    score, p_value : ndarray of float64, shape (n,)
        Larger and smaller = more abnormal; NaN = unreadable.
    threshold : float
        The score above which a beat is abnormal.
    evidence : Evidence or None
        How each beat differs from the patient's normal; None where that is not known.
    """

    verdict: NDArray[np.str_]
    hint: NDArray[np.str_]
    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    threshold: float
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Before:
    """The beat before the first one of a stretch.

    Attributes
    ----------
    rr_s : float
        RR interval before it; NaN where unknown.
    early : bool
        Whether it was suddenly early, or followed such a beat as soon.
    """

    rr_s: float = float("nan")
    early: bool = False


def judge(beats: CutBeats, baseline: Baseline, detector: Detector, before: Before) -> tuple[Before, Judgement]:
    """Judge the next beats of a recording or a stream; the same for any cutting into stretches.

    Parameters
    ----------
    beats : CutBeats
    baseline : Baseline
    detector : Detector
        A population model for recordings, such as the shipped ``ambulatory``.
    before : Before
        The last beat of the stretch before; `Before()` at the start.

    Returns
    -------
    before : Before
        For the next stretch.
    judgement : Judgement

    Raises
    ------
    LayoutError
        If the detector is not one for recordings, or the baseline has other leads.
    """
    calibration = for_recordings(detector)
    if baseline.normal is None:
        evidence, score = None, population_score(detector, beats, baseline.height_mv)
        scores = calibration.without_baseline
    else:
        evidence = compare(beats, baseline.normal)
        score, scores = evidence.score, calibration.with_baseline
    threshold = detector.rule.threshold(scores)
    verdict = np.where(score > threshold, Verdict.ABNORMAL.value, Verdict.NORMAL.value)
    verdict = np.where(np.isnan(score), Verdict.UNREADABLE.value, verdict)
    before, hint = _name(beats, verdict, evidence, before)
    verdict = np.where(np.equal(hint, Hint.NONE), verdict, Verdict.ABNORMAL.value)
    return before, Judgement(verdict, hint, score, p_values(score, scores), threshold, evidence)


def for_recordings(detector: Detector) -> RecordingCalibration:
    """What a detector for recordings knows of the scores of normal beats.

    Raises
    ------
    LayoutError
        If it is not one for recordings.
    """
    if detector.recordings is None or detector.layout != AMBULATORY_LAYOUT:
        raise LayoutError(
            f"the detector takes beats laid out as {detector.layout}, and a recording needs one for recordings; use "
            "the shipped 'ambulatory', or train one with: ectopy train mitdb -o FILE."
        )
    return detector.recordings


def reason(beats: CutBeats, judgement: Judgement, beat: int) -> str:
    """One sentence on why a beat is judged as it is: its shape, its timing, with the figures."""
    if judgement.verdict[beat] == Verdict.UNREADABLE:
        return "Not readable: no lead is clear enough around this beat."
    parts = []
    evidence = judgement.evidence
    if evidence is not None and evidence.shape[beat] > _CHANGED_SHAPE:
        parts.append(f"its shape differs from the patient's usual beat by {evidence.shape[beat]:.0%} of that beat")
    if beats.prematurity[beat] > 0.1:
        parts.append(f"it comes early, after {np.exp(-beats.prematurity[beat]):.0%} of the usual interval")
    if beats.delay[beat] > 0.2:
        parts.append(f"a pause of {np.exp(beats.delay[beat]):.1f} times the usual interval follows")
    found = "; ".join(parts) or "nothing stands out"
    return f"Score {judgement.score[beat]:.2f} against a threshold of {judgement.threshold:.2f}: {found}."


def _name(
    beats: CutBeats, verdict: NDArray[np.str_], evidence: Evidence | None, before: Before
) -> tuple[Before, NDArray[np.str_]]:
    """Hints from width, shape and timing; a beat that meets a rule is abnormal whatever its score.

    Ventricular-like: a changed and wide QRS complex, more so with an early beat or a pause after it
    (`Evidence.ventricular`); but not a very early beat whose QRS complex is hardly wider, which is aberrant conduction.
    Supraventricular-like: a beat that is suddenly early, each one after it that comes as soon, and an abnormal beat
    with the usual QRS complex that is somewhat early.
    """
    abnormal = np.equal(verdict, Verdict.ABNORMAL)
    early = beats.prematurity > _LEAST_PREMATURITY
    rr_before_s = np.concatenate([[before.rr_s], beats.rr_s])[:-1]
    early &= np.nan_to_num(np.log(rr_before_s / beats.rr_s)) > _SUDDEN
    ventricular = np.zeros(len(beats), np.bool_)
    if evidence is not None:
        early &= evidence.prematurity > _EARLY
        aberrant = (beats.prematurity > _VERY_EARLY) & (evidence.width < _HARDLY_WIDER)
        ventricular = (evidence.ventricular > _VENTRICULAR) & ~aberrant
        early |= abnormal & (evidence.qrs < _CHANGED_SHAPE) & (evidence.prematurity > _SOMEWHAT_EARLY)
    as_soon = (beats.rr_s < _AS_SOON * rr_before_s) & (beats.prematurity > _STILL_EARLY)
    early = _carried_on(early & ~ventricular, as_soon & ~ventricular, before.early)
    hint = np.full(len(beats), Hint.NONE.value, dtype="U21")
    hint[abnormal] = Hint.OTHER.value
    hint[early] = Hint.SUPRAVENTRICULAR.value
    hint[ventricular] = Hint.VENTRICULAR.value
    hint[np.equal(verdict, Verdict.UNREADABLE)] = Hint.NONE.value
    return (Before(float(beats.rr_s[-1]), bool(early[-1])) if len(beats) else before), hint


def _carried_on(early: NDArray[np.bool_], as_soon: NDArray[np.bool_], before: bool) -> NDArray[np.bool_]:
    """Early beats, and those that follow one at no longer interval, for as long as they do."""
    carried = [before, *early.tolist()]
    for beat, follows in enumerate(as_soon.tolist(), start=1):
        carried[beat] |= carried[beat - 1] and follows
    return np.array(carried[1:], np.bool_)
