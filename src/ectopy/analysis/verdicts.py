"""From beats to verdicts: score each beat, compare it with the threshold, and give a hint of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.baseline import Baseline
from ectopy.analysis.patient_template import BeatDifference, compare
from ectopy.analysis.population import AMBULATORY_LAYOUT, population_score, ventricular_shape
from ectopy.detector import Detector, Verdict
from ectopy.detector.threshold import RecordingCalibration, p_values_among
from ectopy.errors import LayoutError
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import MARGIN, BeatSegments, no_beats

_VENTRICULAR = 0.57
_USUAL_QRS = 0.5
_USUAL_QRS_OF_ONE_LEAD = 0.3
_LEAST_IRREGULARITY = 0.05
_EARLY, _SOMEWHAT_EARLY = 2.0, 0.5
_SUDDEN = 0.08
_SHORT = 0.75
_CHANGED_SHAPE = 0.6
_WIDE = 1.5
_FAST_S = 0.6
_ALIKE = 0.4
_COMPARISONS = 3
_ROW_ENDS_S = 3.0
_COMPLEX = np.arange(MARGIN + 30, MARGIN + 80)
_SHIFTED_COMPLEX = _COMPLEX + np.arange(-8, 9)[:, None]


class Hint(StrEnum):
    """Kind of a beat that differs from the patient's template; by rules, not from labels, and not a diagnosis."""

    EMPTY = ""
    VENTRICULAR = "ventricular-like"
    SUPRAVENTRICULAR = "supraventricular-like"
    OTHER = "other"


_VERDICTS = np.array([Verdict.NORMAL.value, Verdict.ABNORMAL.value, Verdict.UNREADABLE.value])
_HINTS = np.array([hint.value for hint in Hint])

SYMBOLS: Mapping[str, str] = MappingProxyType({Hint.VENTRICULAR: "V", Hint.SUPRAVENTRICULAR: "S", Hint.OTHER: "Q"})
"""Annotation codes by hint; a beat without a hint is N, an unreadable one ?."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts, hints and scores of beats; arrays have one entry per beat.

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
    difference : BeatDifference or None
        From the patient's template; None where that is not known.
    """

    __repr__ = short_repr

    verdict: NDArray[np.str_]
    hint: NDArray[np.str_]
    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    threshold: float
    difference: BeatDifference | None

    def __getitem__(self, rows: slice) -> Judgement:
        difference = None if self.difference is None else self.difference[rows]
        return Judgement(
            self.verdict[rows], self.hint[rows], self.score[rows], self.p_value[rows], self.threshold, difference
        )

    @classmethod
    def joined(cls, parts: Sequence[Judgement]) -> Judgement:
        """Join one or more judgements by the same rules."""
        if len(parts) == 1:
            return parts[0]
        verdict, hint, score, p_value = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("verdict", "hint", "score", "p_value")
        )
        difference = [part.difference for part in parts if part.difference is not None]
        return cls(
            verdict,
            hint,
            score,
            p_value,
            parts[0].threshold,
            BeatDifference.joined(difference) if difference else None,
        )


def no_judgement(baseline: Baseline, rules: JudgingRules) -> Judgement:
    """Return the judgement of zero beats."""
    empty = np.empty(0)
    if baseline.normal is None:
        difference, threshold = None, rules.without_baseline
    else:
        difference, threshold = BeatDifference(empty, empty, empty, empty, empty, empty), rules.with_baseline
    return Judgement(np.empty(0, "U10"), np.empty(0, "U21"), empty, empty, threshold, difference)


@dataclass(frozen=True, slots=True)
class JudgingRules:
    """Detector and thresholds that judge beats of recordings.

    Attributes
    ----------
    detector : Detector
    with_baseline, without_baseline : float
        Scores above which a beat is abnormal, with and without the patient's own template.
    calibration : RecordingCalibration
        Scores of normal beats of other people, in ascending order.
    """

    __repr__ = short_repr

    detector: Detector
    with_baseline: float
    without_baseline: float
    calibration: RecordingCalibration

    @classmethod
    def of(cls, detector: Detector) -> JudgingRules:
        """Return the rules of a detector.

        Raises
        ------
        LayoutError
            If the detector is not one for recordings.
        """
        calibration = detector.recordings
        if calibration is None or detector.layout != AMBULATORY_LAYOUT:
            raise LayoutError(
                f"the detector takes beats laid out as {detector.layout}, and a recording needs one for recordings; "
                "use the shipped 'ambulatory', or train one with: ectopy train mitdb -o FILE."
            )
        threshold = detector.rule.threshold
        ordered = RecordingCalibration(np.sort(calibration.with_baseline), np.sort(calibration.without_baseline))
        return cls(detector, threshold(calibration.with_baseline), threshold(calibration.without_baseline), ordered)


@dataclass(frozen=True, slots=True)
class Row:
    """Consecutive beats with the shape of ventricular ones, up to the last readable beat.

    Attributes
    ----------
    last : BeatSegments
        The last of them; empty outside of a row.
    alike : tuple of bool
        Whether each of the last three resembles the one before it.
    """

    __repr__ = short_repr

    last: BeatSegments = field(default_factory=lambda: no_beats(0))
    alike: tuple[bool, ...] = ()


_NO_ROW = Row()


@dataclass(frozen=True, slots=True)
class PreviousBeat:
    """State of the rules after the beats judged so far.

    Attributes
    ----------
    rr_s : float
        RR interval before the last beat; NaN where unknown.
    limit_s : float
        In a run of early beats, the RR interval below which it continues; 0 outside of a run.
    row : Row
    """

    rr_s: float = float("nan")
    limit_s: float = 0.0
    row: Row = field(default_factory=Row)


def judge(
    beats: BeatSegments,
    baseline: Baseline,
    rules: JudgingRules,
    before: PreviousBeat,
    difference: BeatDifference | None = None,
) -> tuple[PreviousBeat, Judgement]:
    """Judge the next beats of a recording or a stream; the result does not depend on how the beats are divided.

    Parameters
    ----------
    beats : BeatSegments
    baseline : Baseline
    rules : JudgingRules
    before : PreviousBeat
        The last beat before these; `PreviousBeat()` at the start.
    difference : BeatDifference or None
        From `compare` with the template of the baseline; None = call it here.

    Returns
    -------
    before : PreviousBeat
        For the next beats.
    judgement : Judgement

    Raises
    ------
    DataError
        If the baseline has other leads.
    """
    calibration = rules.calibration
    if baseline.normal is None:
        difference, score = None, population_score(rules.detector, beats, baseline.height_mv)
        threshold, scores = rules.without_baseline, calibration.without_baseline
    else:
        difference = compare(beats, baseline.normal) if difference is None else difference
        score, threshold, scores = difference.score, rules.with_baseline, calibration.with_baseline
    unreadable = np.isnan(score)
    before, hint = _assign_hints(beats, score > threshold, unreadable, difference, before)
    verdict = _VERDICTS[np.where(unreadable, 2, np.not_equal(hint, Hint.EMPTY.value))]
    return before, Judgement(verdict, hint, score, p_values_among(score, scores), threshold, difference)


def reason(beats: BeatSegments, judgement: Judgement, beat: int) -> str:
    """Explain the verdict on a beat in one sentence: its shape and timing, with the figures."""
    if judgement.verdict[beat] == Verdict.UNREADABLE:
        return "Not readable: no lead is clear enough around this beat."
    parts = []
    difference = judgement.difference
    if difference is not None and difference.shape[beat] > _CHANGED_SHAPE:
        parts.append(f"its shape differs from the patient's usual beat by {difference.shape[beat]:.0%} of that beat")
    if beats.prematurity[beat] > 0.1:
        parts.append(f"it comes early, after {np.exp(-beats.prematurity[beat]):.0%} of the usual interval")
    if beats.delay[beat] > 0.2:
        parts.append(f"a pause of {np.exp(beats.delay[beat]):.1f} times the usual interval follows")
    explanation = "; ".join(parts) or "nothing stands out"
    return f"Score {judgement.score[beat]:.2f} against a threshold of {judgement.threshold:.2f}: {explanation}."


def _assign_hints(
    beats: BeatSegments,
    abnormal: NDArray[np.bool_],
    unreadable: NDArray[np.bool_],
    difference: BeatDifference | None,
    before: PreviousBeat,
) -> tuple[PreviousBeat, NDArray[np.str_]]:
    """Assign hints by width, shape and timing; a beat with a hint is abnormal whatever its score.

    Ventricular-like: a changed and wide QRS complex, more so with an early beat or a pause after it
    (`BeatDifference.ventricular`); not with nearly the usual QRS complex, in all leads together or in one clear lead,
    nor from the fourth beat of a row whose beats differ from each other. Without the patient's template: a beat as wide
    as ventricular beats of other people (`ventricular_shape`), less than 0.6 s after the beat before, as in a
    tachycardia above 100 per minute.
    Supraventricular-like: a beat that comes suddenly, and earlier than the irregularity of the fifty intervals before
    explains; an abnormal beat with nearly the usual QRS complex that is somewhat early; and the rest of a run that such
    a beat begins (`_extend_early_runs`). In an irregular rhythm, such as atrial fibrillation, a beat must be earlier to
    count.

    Each hint needs the beats before and the RR interval after. Constants were chosen on the records DS1 of the MIT-BIH
    Arrhythmia Database.
    """
    # Early: beyond twice the irregularity, and suddenly, by 8 % from one interval to the next.
    irregularity = np.hypot(beats.irregularity, _LEAST_IRREGULARITY)
    early = beats.prematurity > _EARLY * irregularity
    rr_before_s = np.concatenate([[before.rr_s], beats.rr_s])[:-1]
    early &= np.log(rr_before_s / beats.rr_s) > _SUDDEN
    ventricular = usual_shape = np.zeros(len(beats), np.bool_)
    if difference is None:
        wide = ventricular_shape(beats.samples[:, :, MARGIN:-MARGIN], beats.readable) > _WIDE
        ventricular = wide & (beats.rr_s < _FAST_S)
    else:
        usual_qrs = difference.qrs < _USUAL_QRS
        ventricular = (difference.ventricular > _VENTRICULAR) & ~usual_qrs
        ventricular &= difference.best_qrs >= _USUAL_QRS_OF_ONE_LEAD
        early |= abnormal & usual_qrs & (beats.prematurity > _SOMEWHAT_EARLY * irregularity)
        usual_shape = difference.shape < _CHANGED_SHAPE
    # Runs of early beats, and rows of ventricular-like beats that are noise. Kinds are indices into `_HINTS`.
    limit_s, supraventricular = _extend_early_runs(beats, early & ~ventricular, usual_shape, before.limit_s)
    row, noise = _unlike_in_a_row(beats, ventricular & ~unreadable, unreadable, before.row)
    kind = np.where(noise, 3, np.where(ventricular, 1, np.where(supraventricular, 2, np.where(abnormal, 3, 0))))
    return (PreviousBeat(float(beats.rr_s[-1]), limit_s, row) if len(beats) else before), _HINTS[kind * ~unreadable]


def _unlike_in_a_row(
    beats: BeatSegments, ventricular: NDArray[np.bool_], unreadable: NDArray[np.bool_], row: Row
) -> tuple[Row, NDArray[np.bool_]]:
    """Return which ventricular-like beats are more likely noise, as beats of a row that do not resemble each other.

    Ventricular tachycardia repeats itself, or changes little from beat to beat; noise does not. A beat is noise where,
    in a row of four or more, it or one of the two before it does not resemble the one before; but the first of a row
    may be a fusion beat, or of another focus, and the second need not resemble it. Unreadable beats are skipped, and a
    row ends after three seconds without a beat.
    """
    noise = np.zeros(len(beats), np.bool_)
    if not ventricular.any():
        return (row if unreadable.all() else _NO_ROW), noise
    readable = np.flatnonzero(~unreadable)
    # The last beat of the row so far precedes these.
    joined = BeatSegments.joined([row.last, beats[readable]]) if len(row.last) else beats[readable]
    previous = len(row.last)
    shaped = np.concatenate([np.ones(previous, np.bool_), ventricular[readable]])
    follows = np.zeros(len(joined), np.bool_)
    follows[1:] = shaped[1:] & shaped[:-1] & (np.diff(joined.times_s) <= _ROW_ENDS_S)
    later = np.flatnonzero(follows)
    resembles = dict(zip(later.tolist(), _resemble(joined, later), strict=True))
    alike = row.alike
    for beat in (np.flatnonzero(shaped[previous:]) + previous).tolist():
        alike = (*alike, resembles[beat] or not alike)[-_COMPARISONS:] if beat in resembles else ()
        noise[readable[beat - previous]] = len(alike) == _COMPARISONS and not all(alike)
    return (Row(joined[-1:], alike) if shaped[-1] else _NO_ROW), noise


def _resemble(beats: BeatSegments, rows: NDArray[np.intp]) -> list[bool]:
    """Return whether the QRS complex of each beat resembles that of the beat before, shifted by up to 45 ms.

    It does with a correlation of at least 0.4 over all leads that are readable in both: in 97 % of 159 beats of true
    tachycardias of the Challenge 2015 that follow another one, and in 53 % of those in false alarms.
    """
    alike: list[bool] = []
    for start in range(0, len(rows), 512):
        batch = rows[start : start + 512]
        both = (beats.readable[batch] & beats.readable[batch - 1])[:, :, None]
        before = beats.samples[batch - 1][:, :, _COMPLEX].astype(np.float64)
        before = np.where(both, before - before.mean(axis=2, keepdims=True), 0.0)
        # Shape (beats, leads, shifts, samples).
        shifted = beats.samples[batch][:, :, _SHIFTED_COMPLEX].astype(np.float64)
        shifted = np.where(both[..., None], shifted - shifted.mean(axis=3, keepdims=True), 0.0)
        product = (shifted * before[:, :, None]).sum(axis=(1, 3))
        energy = np.square(before).sum(axis=(1, 2))[:, None] * np.square(shifted).sum(axis=(1, 3))
        alike += (product >= _ALIKE * np.sqrt(energy)).any(axis=1).tolist()
    return alike


def _extend_early_runs(
    beats: BeatSegments, early: NDArray[np.bool_], usual_shape: NDArray[np.bool_], limit_s: float
) -> tuple[float, NDArray[np.bool_]]:
    """Return the early beats and those that continue a run begun by one of them.

    An early beat after less than three quarters of the usual interval begins a run. The run lasts until an interval is
    not below three quarters of the interval usual before it, or a beat has its usual shape: at such a rate the P wave
    of an atrial or junctional rhythm lies in the T wave before it, while sinus rhythm does not change the shape. The
    usual interval is that before the run, as the median of the last fifty intervals may be the run's own.
    """
    short_s = _SHORT * beats.rr_s * np.exp(beats.prematurity)
    in_run = early.tolist()
    for beat, (rr_s, begins_s, usual) in enumerate(
        zip(beats.rr_s.tolist(), short_s.tolist(), usual_shape.tolist(), strict=True)
    ):
        if in_run[beat]:
            limit_s = limit_s or (begins_s if rr_s < begins_s else 0.0)
        elif rr_s < limit_s and not usual:
            in_run[beat] = True
        else:
            limit_s = 0.0
    return limit_s, np.array(in_run, np.bool_)
