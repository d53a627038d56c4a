"""From a recording to verdicts: filter, find the beats, learn the patient's normal, compare, name what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ectopy.detector import Detector, Verdict
from ectopy.detector.patient import LEARNING_S, Evidence, PatientNormal, compare, learn_normal, learn_other_form
from ectopy.detector.population import AMBULATORY_LAYOUT, population_score, unlikeness
from ectopy.detector.threshold import p_values
from ectopy.errors import LayoutError, SettingError
from ectopy.recording import Annotations, Recording
from ectopy.signal import FilterSettings, filter_signal, find_heartbeats
from ectopy.signal.cut import CutBeats, cut_beats
from ectopy.signal.quality import Quality, assess

_VENTRICULAR = 0.57
_EARLY, _SOMEWHAT_EARLY = 1.5, 0.5
_LEAST_PREMATURITY, _STILL_EARLY, _VERY_EARLY = 0.08, 0.05, 0.5
_SUDDEN = 0.08
_AS_SOON = 1.1
_HARDLY_WIDER = 0.2
_CHANGED_SHAPE = 0.6
_STRANGE = 1.0
_CLEARLY_LESS = 1.0


class Hint(StrEnum):
    """What a beat that is not this patient's normal looks like; from rules, not from labels, and no diagnosis."""

    NONE = ""
    VENTRICULAR = "ventricular-like"
    SUPRAVENTRICULAR = "supraventricular-like"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in one recording; arrays have one entry per beat.

    Attributes
    ----------
    beats : CutBeats
    quality : Quality
    positions : ndarray of int64, shape (n,)
        Fiducial points, in samples of the recording.
    verdict : ndarray of str, shape (n,)
        A `Verdict` per beat: ABNORMAL where the score is above the threshold or a rule gives a hint.
    hint : ndarray of str, shape (n,)
        A `Hint` per beat.
    score, p_value : ndarray of float64, shape (n,)
        Larger and smaller = more abnormal; NaN = unreadable.
    threshold : float
        The score above which a beat is abnormal.
    evidence : Evidence or None
        How each beat differs from the patient's normal; None where that could not be learned.
    normal : PatientNormal or None
    baseline : str
        One sentence on the patient's normal: learned, given, or why there is none.
    """

    beats: CutBeats
    quality: Quality
    positions: NDArray[np.int64]
    verdict: NDArray[np.str_]
    hint: NDArray[np.str_]
    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    threshold: float
    evidence: Evidence | None
    normal: PatientNormal | None
    baseline: str

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def abnormal(self) -> NDArray[np.bool_]:
        """Which beats are judged abnormal."""
        return np.equal(self.verdict, Verdict.ABNORMAL)

    @property
    def intervals_s(self) -> NDArray[np.float64]:
        """RR interval before each beat, shape (n,); NaN unless both beats are readable: of noise there is no rate."""
        readable = np.not_equal(self.verdict, Verdict.UNREADABLE)
        both = readable & np.concatenate([[False], readable])[: len(readable)]
        intervals: NDArray[np.float64] = np.where(both, self.beats.rr_s, np.nan)
        return intervals

    def reason(self, beat: int) -> str:
        """One sentence on why a beat is judged as it is: its shape, its timing, with the figures."""
        if self.verdict[beat] == Verdict.UNREADABLE:
            return "Not readable: no lead is clear enough around this beat."
        parts = []
        if self.evidence is not None and self.evidence.shape[beat] > _CHANGED_SHAPE:
            parts.append(
                f"its shape differs from the patient's usual beat by {self.evidence.shape[beat]:.0%} of that beat"
            )
        if self.beats.prematurity[beat] > 0.1:
            parts.append(f"it comes early, after {np.exp(-self.beats.prematurity[beat]):.0%} of the usual interval")
        if self.beats.delay[beat] > 0.2:
            parts.append(f"a pause of {np.exp(self.beats.delay[beat]):.1f} times the usual interval follows")
        found = "; ".join(parts) or "nothing stands out"
        return f"Score {self.score[beat]:.2f} against a threshold of {self.threshold:.2f}: {found}."

    def annotations(self) -> Annotations:
        """As PhysioNet codes: N, V = ventricular-like, S = supraventricular-like, Q = other, ? = unreadable."""
        symbols = np.full(len(self), "N")
        for hint, symbol in ((Hint.VENTRICULAR, "V"), (Hint.SUPRAVENTRICULAR, "S"), (Hint.OTHER, "Q")):
            symbols[np.equal(self.hint, hint)] = symbol
        symbols[np.equal(self.verdict, Verdict.UNREADABLE)] = "?"
        return Annotations(self.positions, symbols)


def analyse(
    recording: Recording,
    detector: Detector,
    normal: PatientNormal | None = None,
    filters: FilterSettings | None = None,
    learning_s: float = LEARNING_S,
) -> Analysis:
    """Find the beats of a recording that are not this patient's normal.

    Parameters
    ----------
    recording : Recording
        100 to 1000 Hz.
    detector : Detector
        A population model for recordings, such as the shipped ``ambulatory``.
    normal : PatientNormal, optional
        A baseline saved earlier; learned from the start of the recording where none is given.
    filters : FilterSettings, optional
    learning_s : float
        How much of the start teaches the patient's normal; 300 s by default.

    Raises
    ------
    LayoutError
        If the detector is not one for recordings, or the baseline has other leads.
    SettingError
        If the sampling rate is out of range, or the time to learn from is.
    """
    if not 30 <= learning_s <= 3600:
        raise SettingError(f"the patient's normal is learned from 30 to 3600 seconds, not {learning_s:g}.")
    if detector.recordings is None or detector.layout != AMBULATORY_LAYOUT:
        raise LayoutError(
            f"the detector takes beats laid out as {detector.layout}, and a recording needs one for recordings; use "
            "the shipped 'ambulatory', or train one with: ectopy train mitdb -o FILE."
        )
    filtered = filter_signal(recording.signal, recording.sampling_rate_hz, filters)
    quality = assess(recording.signal, recording.sampling_rate_hz, filtered)
    beats = cut_beats(filtered, find_heartbeats(filtered))
    beats = replace(beats, readable=beats.readable & quality.readable_at(beats.times_s))
    if normal is None:
        normal, baseline = _learn_baseline(beats, recording.leads, detector, learning_s)
    else:
        baseline = "The patient's normal was given."
    if normal is None:
        evidence, score, calibration = None, population_score(detector, beats), detector.recordings.without_baseline
    else:
        evidence = compare(beats, normal)
        score, calibration = evidence.score, detector.recordings.with_baseline
    threshold = detector.rule.threshold(calibration)
    verdict = np.where(score > threshold, Verdict.ABNORMAL.value, Verdict.NORMAL.value)
    verdict = np.where(np.isnan(score), Verdict.UNREADABLE.value, verdict)
    hint = _name(beats, verdict, evidence)
    verdict = np.where(np.equal(hint, Hint.NONE), verdict, Verdict.ABNORMAL.value)
    return Analysis(
        beats=beats,
        quality=quality,
        positions=np.round(beats.times_s * recording.sampling_rate_hz).astype(np.int64),
        verdict=verdict,
        hint=hint,
        score=score,
        p_value=p_values(score, calibration),
        threshold=threshold,
        evidence=evidence,
        normal=normal,
        baseline=baseline,
    )


def _learn_baseline(
    beats: CutBeats, leads: tuple[str, ...], detector: Detector, learning_s: float
) -> tuple[PatientNormal | None, str]:
    """The patient's normal from the start of the recording, checked against the population; and one sentence on it."""
    usual = learn_normal(beats, leads, learning_s)
    if usual is None:
        return None, "The patient's normal could not be learned: too few clear beats at the start."
    other = learn_other_form(beats, usual, learning_s)
    strangeness = unlikeness(detector, usual)
    if other is not None and unlikeness(detector, other) < strangeness - _CLEARLY_LESS:
        return other, (
            f"Learned from {other.beats} beats that are more like normal beats of other people than the "
            f"{usual.beats} usual ones: the recording seems to start in an abnormal rhythm."
        )
    if strangeness > _STRANGE:
        return usual, (
            f"Learned from {usual.beats} beats, which are unlike normal beats of other people: look at them before you "
            "rely on what is called normal."
        )
    return usual, f"Learned from {usual.beats} beats."


def _name(beats: CutBeats, verdict: NDArray[np.str_], evidence: Evidence | None) -> NDArray[np.str_]:
    """Hints from width, shape and timing; a beat that meets a rule is abnormal whatever its score.

    Ventricular-like: a changed and wide QRS complex, more so with an early beat or a pause after it
    (`Evidence.ventricular`); but not a very early beat whose QRS complex is hardly wider, which is aberrant conduction.
    Supraventricular-like: a beat that is suddenly early, each one after it that comes as soon, and an abnormal beat
    with the usual QRS complex that is somewhat early.
    """
    abnormal = np.equal(verdict, Verdict.ABNORMAL)
    early = beats.prematurity > _LEAST_PREMATURITY
    early[1:] &= np.nan_to_num(np.log(beats.rr_s[:-1] / beats.rr_s[1:])) > _SUDDEN
    ventricular = np.zeros(len(beats), np.bool_)
    if evidence is not None:
        early &= evidence.prematurity > _EARLY
        aberrant = (beats.prematurity > _VERY_EARLY) & (evidence.width < _HARDLY_WIDER)
        ventricular = (evidence.ventricular > _VENTRICULAR) & ~aberrant
        early |= abnormal & (evidence.qrs < _CHANGED_SHAPE) & (evidence.prematurity > _SOMEWHAT_EARLY)
    early = _carried_on(beats, early & ~ventricular, ~ventricular)
    hint = np.full(len(beats), Hint.NONE.value, dtype="U21")
    hint[abnormal] = Hint.OTHER.value
    hint[early] = Hint.SUPRAVENTRICULAR.value
    hint[ventricular] = Hint.VENTRICULAR.value
    hint[np.equal(verdict, Verdict.UNREADABLE)] = Hint.NONE.value
    return hint


def _carried_on(beats: CutBeats, early: NDArray[np.bool_], possible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Early beats, and those that follow one at no longer interval, for as long as they do."""
    rr_s = beats.rr_s
    as_soon = np.zeros_like(early)
    as_soon[1:] = rr_s[1:] < _AS_SOON * rr_s[:-1]
    follows = (as_soon & possible & (beats.prematurity > _STILL_EARLY)).tolist()
    carried = early.tolist()
    for beat in range(1, len(carried)):
        carried[beat] |= carried[beat - 1] and follows[beat]
    return np.array(carried, np.bool_)
