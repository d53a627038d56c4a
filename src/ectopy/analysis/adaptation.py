"""Adapt a patient's template to slow changes of electrodes and posture, and to a change of electrodes.

Slow changes: in every two minutes the first sixteen normal beats that follow two normal ones, and resemble the
template, are collected, and the template moves towards their median by a limited share. A beat that is judged abnormal
is never among them. On the records DS1 of the MIT-BIH Arrhythmia Database any share from 0.1 to 0.3, of beats that
differ by at most 0.35 to 0.5 of the template, is at least as good as a fixed template; without that limit it is not.

A change of electrodes: the shape of all beats changes at once, while the rate does not. Thirty beats in a row that
resemble each other, are regular, as narrow as before and not far lower, at the rate of the last normal beats, become a
new provisional template. The former one is stored, and used again when ten beats in a row resemble it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.baseline import Baseline, like_tachycardia
from ectopy.analysis.interval_model import WithPredictions
from ectopy.analysis.patient_template import LEARNING_S, PatientTemplate
from ectopy.analysis.population import ventricular_shape
from ectopy.analysis.template_comparison import BeatDifference, align, compare
from ectopy.analysis.template_learning import learn_families
from ectopy.analysis.verdicts import Judgement, JudgingRules, PreviousBeat, judge, no_judgement
from ectopy.detector import Verdict
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import MARGIN, BeatSegments, centred, finite_median, no_beats
from ectopy.signal.state_replace import replace

_BLOCK_S = 120.0
_BEATS_OF_A_BLOCK = 16
_LEAST_BEATS_OF_A_BLOCK = 8
_SIMILAR = 0.5
_SHARE, _PROVISIONAL_SHARE = 0.2, 0.5
_BEATS_OF_A_CHANGE = 30
_BEATS_BACK = 10
_LEAST_ALIKE = 0.8
_LEAST_REGULAR = 0.7
_SAME_RATE = 0.15
_REGULAR = 0.2
_WIDER = 0.75
_LOW_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Adaptation:
    """State of the adaptation of a patient's template.

    Attributes
    ----------
    kept : ndarray of float32, shape (k, leads, 140)
        Normal beats of this block of two minutes, 16 at most, aligned with the template; NaN where not readable.
    changed : BeatSegments
        Beats of another shape since the last one of the usual shape, fewer than 30.
    block : int
        Number of the block of two minutes, from the end of learning.
    in_a_row : int
        Number of normal beats in a row, 3 at most.
    usual_rr_s : float
        Usual RR interval at the last normal beats; NaN = not known.
    earlier : PatientTemplate or None
        The template before the last change of electrodes.
    """

    __repr__ = short_repr

    kept: NDArray[np.float32]
    changed: BeatSegments
    block: int = -1
    in_a_row: int = 0
    usual_rr_s: float = float("nan")
    earlier: PatientTemplate | None = None

    @classmethod
    def fresh(cls, leads: int) -> Adaptation:
        """Return the state before the first beat."""
        empty = no_beats(leads)
        return cls(empty.samples[:, :, MARGIN:-MARGIN], empty)


class Adapted(NamedTuple):
    """Result of `judge_adapting`.

    Attributes
    ----------
    before : PreviousBeat
    baseline : Baseline
    adaptation : Adaptation
        These three for the next beats.
    judgement : Judgement
    """

    before: PreviousBeat
    baseline: Baseline
    adaptation: Adaptation
    judgement: Judgement


def judge_adapting(
    beats: BeatSegments,
    baseline: Baseline,
    adaptation: Adaptation,
    rules: JudgingRules,
    before: PreviousBeat,
    difference: BeatDifference | None = None,
) -> WithPredictions[Adapted]:
    """Judge the next beats, and adapt the template to them; the result does not depend on how the beats are divided.

    It asks for predictions as `judge` does.

    Parameters
    ----------
    beats : BeatSegments
    baseline : Baseline
        Without a template, and during the beats that it was learned from, nothing is adapted.
    adaptation : Adaptation
        `Adaptation.fresh` at the start.
    rules : JudgingRules
    before : PreviousBeat
        The last beat before these; `PreviousBeat()` at the start.
    difference : BeatDifference or None
        From `compare` with the template of this baseline, where it has been called already.
    """
    judgements = []
    learned = len(beats) if baseline.normal is None else int(np.searchsorted(beats.times_s, baseline.learned_to_s))
    if learned:
        first_difference = _of(difference, slice(learned))
        before, judgement = yield from judge(beats[:learned], baseline, rules, before, first_difference)
        judgements.append(judgement)
        beats, difference = beats[learned:], _of(difference, slice(learned, None))
    # Beats are judged block by block, and within a block up to the row of changed beats that may change the template.
    compared = baseline.normal
    while len(beats):
        block = int((beats.times_s[0] - baseline.learned_to_s) // _BLOCK_S)
        if block > adaptation.block:
            baseline = _moved_template(baseline, adaptation)
            adaptation = replace(adaptation, kept=adaptation.kept[:0], block=block)
        if baseline.normal is not compared:
            difference = None
        ends_s = baseline.learned_to_s + (block + 1) * _BLOCK_S
        stretch, stretch_difference = beats, difference
        if beats.times_s[-1] >= ends_s:
            stop = int(np.searchsorted(beats.times_s, ends_s))
            stretch, stretch_difference = beats[:stop], _of(difference, slice(stop))
        then, judgement = yield from judge(stretch, baseline, rules, before, stretch_difference)
        followed, end = _follow(adaptation, baseline, stretch, judgement)
        if end < len(stretch):
            stretch_difference = _of(stretch_difference, slice(end))
            then, judgement = yield from judge(stretch[:end], baseline, rules, before, stretch_difference)
        judgements.append(judgement)
        before, (baseline, adaptation) = then, _after_changed_row(baseline, followed, rules)
        if end == len(beats):
            break
        beats, difference = beats[end:], _of(difference, slice(end, None))
    judgement = Judgement.joined(judgements) if judgements else no_judgement(baseline, rules)
    return Adapted(before, baseline, adaptation, judgement)


def _of(difference: BeatDifference | None, rows: slice) -> BeatDifference | None:
    return None if difference is None else difference[rows]


def _moved_template(baseline: Baseline, adaptation: Adaptation) -> Baseline:
    """Move the template towards the normal beats of a block."""
    normal = baseline.normal
    learnable = np.isfinite(adaptation.kept[:, :, 0]).sum(axis=0) >= _LEAST_BEATS_OF_A_BLOCK
    if normal is None or not learnable.any():
        return baseline
    block_samples = adaptation.kept.astype(np.float64)
    target = centred(finite_median(block_samples[:, learnable], axis=0))
    share = _PROVISIONAL_SHARE if baseline.provisional else _SHARE
    template = normal.template.copy()
    template[learnable] += share * (target - template[learnable])
    learned_s = baseline.learned_s + _BLOCK_S
    return replace(
        baseline,
        normal=replace(normal, template=template),
        provisional=baseline.provisional and learned_s < LEARNING_S,
        learned_s=learned_s,
    )


def _follow(
    adaptation: Adaptation, baseline: Baseline, beats: BeatSegments, judgement: Judgement
) -> tuple[Adaptation, int]:
    """Record beats of one block, up to the one that makes a row of changed beats long enough to be examined.

    Returns
    -------
    adaptation : Adaptation
    end : int
        Number of beats recorded.
    """
    assert judgement.difference is not None
    shape = judgement.difference.shape.tolist()
    is_normal = np.equal(judgement.verdict, Verdict.NORMAL).tolist()
    changed, in_a_row, end = adaptation.changed, adaptation.in_a_row, len(beats)
    previous = len(changed)
    usual: list[int] = []
    row: list[int] = []
    for beat in range(len(beats)):
        in_a_row = min(in_a_row + 1, 3) if shape[beat] <= _SIMILAR and is_normal[beat] else 0
        if in_a_row == 3:
            usual.append(beat)
        if shape[beat] <= _SIMILAR:
            previous, row = 0, []
        elif shape[beat] > _SIMILAR:  # not an unreadable one, whose shape is NaN
            row.append(beat)
            if previous + len(row) in (_BEATS_BACK, _BEATS_OF_A_CHANGE):
                end = beat + 1
                break
    if previous < len(changed):
        changed = changed[:0]
    if row:
        changed = BeatSegments.joined([changed, beats[np.array(row, np.intp)]])
    block_samples, usual_rr_s = adaptation.kept, adaptation.usual_rr_s
    if usual:
        rr_s = float(beats.rr_s[usual[-1]] * np.exp(beats.prematurity[usual[-1]]))
        usual_rr_s = usual_rr_s if math.isnan(rr_s) else rr_s
        rows = np.array(usual[: _BEATS_OF_A_BLOCK - len(block_samples)], np.intp)
        if len(rows) and baseline.normal is not None:
            aligned = np.where(beats.readable[rows][:, :, None], align(beats, baseline.normal, rows), np.nan)
            block_samples = np.concatenate([block_samples, aligned.astype(np.float32)])
    return replace(adaptation, kept=block_samples, changed=changed, in_a_row=in_a_row, usual_rr_s=usual_rr_s), end


def _after_changed_row(baseline: Baseline, adaptation: Adaptation, rules: JudgingRules) -> tuple[Baseline, Adaptation]:
    """Replace the template where a row of changed beats shows that the electrodes were changed."""
    row, normal, earlier = adaptation.changed, baseline.normal, adaptation.earlier
    if normal is None or len(row) not in (_BEATS_BACK, _BEATS_OF_A_CHANGE):
        return baseline, adaptation
    empty = row[:0]
    if earlier is not None and np.mean(compare(row, earlier).shape <= _SIMILAR) >= _LEAST_ALIKE:
        text = "The patient's beats are again as they were before the last change of electrodes."
        back = replace(baseline, normal=earlier, text=text, provisional=False, doubtful=False)
        return back, replace(adaptation, kept=adaptation.kept[:0], changed=empty, earlier=normal)
    if len(row) < _BEATS_OF_A_CHANGE:
        return baseline, adaptation
    new = _after_change(row, normal, adaptation.usual_rr_s)
    if new is None:
        return baseline, replace(adaptation, changed=empty)
    text = (
        f"Learned anew from {new.beats} beats: the shape of all beats changed at once and their rate did not, as after "
        "a change of electrodes."
    )
    span_s = float(row.times_s[-1] - row.times_s[0])
    learned = replace(baseline, normal=new, text=text, provisional=True, doubtful=True, learned_s=span_s)
    return learned, replace(adaptation, kept=adaptation.kept[:0], changed=empty, earlier=normal)


def _after_change(row: BeatSegments, normal: PatientTemplate, usual_rr_s: float) -> PatientTemplate | None:
    """Learn a template from the changed beats; None if the rhythm may have changed rather than the electrodes."""
    # Regular, and at the rate of the normal beats before; NaN fails both conditions.
    faster = np.log(row.rr_s / usual_rr_s)
    if not abs(np.median(faster)) < _SAME_RATE or np.mean(np.abs(faster) < _REGULAR) < _LEAST_REGULAR:
        return None
    families = learn_families(row, normal.leads, round(_LEAST_ALIKE * len(row)))
    if not families or like_tachycardia(families[0]):
        return None
    # Thirty beats say little of how much the patient's usual beats vary.
    learned = families[0].normal
    new = replace(learned, usual_difference=max(learned.usual_difference, normal.usual_difference))
    if _is_wider(new, normal) or _is_low(new, normal):
        return None
    return new if np.mean(compare(row, new).shape <= _SIMILAR) >= _LEAST_ALIKE else None


def _is_wider(new: PatientTemplate, old: PatientTemplate) -> bool:
    """Return whether beats are wider and slower than the normal ones; other electrodes hardly change that."""
    clear = ((new.clearness > 0) & (old.clearness > 0))[None]
    new_shape, old_shape = (ventricular_shape(each.template[None], clear)[0] for each in (new, old))
    return not new_shape - old_shape < _WIDER


def _is_low(new: PatientTemplate, old: PatientTemplate) -> bool:
    """Return whether beats are so low in all leads that they may be P waves that continue in an asystole."""
    new_mv, old_mv = np.ptp(new.template, axis=1), np.ptp(old.template, axis=1)
    return bool((new_mv < _LOW_SHARE * old_mv)[new.clearness > 0].all())
