"""Rhythm rules: from beats heard and judged to which conditions are there now.

Definitions and sources are in `conditions`, limits in `limits`. What a rule rests on is chosen so that it speaks as
soon as it safely can:

*Beats heard*, about two seconds after the beat, for all that is too slow: asystole, extreme bradycardia, pause.
*Beats judged*, one beat later, for all that is too fast or abnormal, because noise may be heard as beats, but is
judged unreadable.

Whether anything can be told depends on the leads. With a readable lead everything can. A flat lead may be a heart that
stands still as well as a loose electrode: with one, and no readable one, the rules of beats heard still speak, and the
others are silent. With neither nothing can be told: every reading is None, an alarm stays as it is, and silence counts
only from then on. The same holds where findings are missing.

A noisy lead hides no beats, and speaks like a flat one, if its noise is so low that a usual QRS complex would stand
out in it.

*Silence* in which a lead is flat or off, or that begins in leads that are noisy, must last two seconds longer to be an
asystole, and is a pause until then: where an electrode has come off, all leads are known to be off by that time. One
that has begun in noise must have lasted as long where it has ended, too: noise may have hidden beats.
Silence of two seconds or more in leads that can be read goes on when they become noisy, until a beat is heard: noise is
heard as beats before it hides them, and what is left of a heart that stands still may be noise.

*Beats that are not credible* do not end a silence: P waves are found as beats when nothing higher is there, and so is
noise. *An asystole* that has begun goes on, also into a new part of the stream, until a beat is judged that is readable
and credible.

*Rates* are of beats in a row, with known intervals between them. The two extreme ones are compared with their limit as
they are shown, in whole beats per minute, and the limit itself is extreme: half a beat per minute is 75 ms in five
beats at 40 per minute, and 25 ms in 17 beats at 140. An unreadable beat counts as well if it lies within a second of
its neighbours and at least three readable ones came before it, for a beat's time is known where its shape is not;
otherwise it ends the row. An extreme tachycardia does not end with one: an artefact begins with what looks like a beat.
Extreme bradycardia is one by the mean of its intervals, with at most one of them clear of the limit, of any five in a
row that end with one of the beats just heard; a low rate by their mean and median, so that neither a pause nor early
beats decide; high rates are means. An extreme tachycardia well beyond its limit needs fewer beats. A rate is no longer
beyond its limit when it is back by `clear_bpm`; in between, where it would come and go, nothing is told.

*A run* of ventricular-like beats lasts until a readable beat is of another kind, two beats in a row are unreadable, or
no beat comes for three seconds. One unreadable beat neither counts nor ends it; its rate is that of the intervals
known, half of them at least. The same holds for supraventricular-like beats. A ventricular tachycardia at the rate of
the beats before it needs 9 beats: an artefact changes their shape, but not their rate. In a run of ventricular-like
beats two successive intervals are about equal, or one is unknown: where none are, a T wave or noise was taken for a
beat, or only every other beat is ventricular; and in five of them that are a tachycardia, or it is bigeminy. Of 566
runs of three or more ventricular beats in the reference of 19 recordings of the Long-Term AF Database 14 are less even,
one of them of more than three beats.
"""

from __future__ import annotations

from itertools import pairwise
from math import isfinite, isnan, nan
from typing import Any

import numpy as np

from ectopy.analysis.atrial_fibrillation import (
    FIBRILLATION_LOG_ODDS,
    LONGEST_S,
    REMEMBERED,
    SHORTEST_S,
    STILL_LOG_ODDS,
    latest_log_odds,
)
from ectopy.analysis.rhythm_rules import RATE_OVER, RHYTHM_OVER, irregularity
from ectopy.analysis.verdicts import Hint
from ectopy.detector import Verdict
from ectopy.monitor.exercise import ExerciseState, exercise_beat
from ectopy.monitor.limits import Limits
from ectopy.monitor.rhythm_input import MOST_EVIDENCE, ConditionReading, DetectorOutput
from ectopy.monitor.rhythm_readings import extreme_tachycardia, rhythm_readings
from ectopy.monitor.rhythm_state import FLAT_S, SAME_BEAT_S, RhythmState, Run, about_equal, longer_silence_s, mean_rate
from ectopy.signal.state_replace import replace

GAP_S = 1.25
"""Findings come every second; those that are further apart do not follow each other."""

_FLAT = frozenset({"flat", "lead off"})
_BROKEN_S = 3.0
_STILL_S = 2.0
_COUPLETS_WITHIN_S = 300.0
_ABNORMAL_WITHIN_S = 60.0
_MOST_COUPLETS = 100
_LEAST_HEARD = 10  # of which the last few may turn out not to be credible
_BRIDGED_BY, _BRIDGED_S = 3, 1.0  # a second without any readable lead does not fit in between
_MEASURED_EVERY = 8  # beats: the last 64 intervals change little from one to the next
_NEAR_LOG_ODDS = -3.0, 3.0  # between them every beat is measured: the onset of atrial fibrillation may be near


def rhythm_step(
    state: RhythmState, limits: Limits, findings: DetectorOutput
) -> tuple[RhythmState, tuple[ConditionReading, ...]]:
    """Take the next findings into account, and say what is there.

    Parameters
    ----------
    limits : Limits
        May differ from those of the step before.
    findings : DetectorOutput
        In order of time, one for each piece.

    Returns
    -------
    state : RhythmState
        Of bounded size.
    readings : tuple of ConditionReading
        One for each of `ectopy.monitor.rhythm_readings.CODES`, in that order.
    """
    if not 0.0 <= findings.at_s - state.at_s <= GAP_S:
        went_on = findings.at_s > state.at_s
        exercise = state.exercise if went_on else ExerciseState()
        state = RhythmState(since_s=findings.at_s, exercise=exercise, asystole_s=state.asystole_s)
    state = _update_silence(state, limits, findings)
    beats, fast = findings.beats, ConditionReading("extreme tachycardia", False)
    if len(beats):
        columns = (beats.time_s, beats.interval_s, beats.verdict, beats.hint, beats.credible)
        for *beat, credible in zip(*(column.tolist() for column in columns), strict=True):
            state = _confirm(state, beat[0], readable=beat[2] != Verdict.UNREADABLE, credible=credible)
            state = _update_with_beat(state, limits, *beat)
            # An extreme tachycardia that has already ended again is reported as well.
            fast = fast if fast.present else extreme_tachycardia(state, limits)
    if state.asystole_s is None and (findings.is_tellable or state.still):
        since_s = _asystole_since_s(state, limits)
        state = state if since_s is None else replace(state, asystole_s=since_s)
    readings = rhythm_readings(state, limits, findings)
    if not fast.present or not findings.readable or state.is_silent(limits):
        return state, readings
    return state, tuple(fast if each.condition == fast.condition else each for each in readings)


def _asystole_since_s(state: RhythmState, limits: Limits) -> float | None:
    """Find where a silence began that is long enough for an asystole, and that no credible readable beat has ended."""
    since_s = state.last_beat_s
    if state.silence_s >= limits.asystole_s + longer_silence_s(FLAT_S, state.flat, state.motionless_s > since_s):
        return since_s
    before_s, after_s = state.apart_s or (0.0, 0.0)
    longer_s = longer_silence_s(FLAT_S, state.apart_flat, state.motionless_s > before_s)
    if after_s > state.confirmed_s and after_s - before_s >= limits.asystole_s + longer_s:
        return before_s
    return None


def _update_silence(state: RhythmState, limits: Limits, findings: DetectorOutput) -> RhythmState:
    """Take the beats just detected, and how far signal without one goes on."""
    new = tuple(beat_s for beat_s in findings.detected_s.tolist() if beat_s > state.since_s)
    tellable = findings.is_tellable
    # Silence that begins in noise, or while a lead is flat or off, has to last longer; one that began earlier goes on.
    unreadable = not findings.readable and state.silence_s < _STILL_S
    is_flat = not _FLAT.isdisjoint(findings.words)
    flat, noisy = state.flat or unreadable or is_flat, state.noisy or (unreadable and not is_flat)
    still = not new and not tellable and "noisy" in findings.words and state.silence_s >= _STILL_S
    # Without a lead that can tell, silence counts from now on; a beat ends it.
    if not tellable and not still:
        since_s = max(state.since_s, findings.complete_to_s)
        silence: dict[str, Any] = {
            "since_s": since_s,
            "detected_s": (),
            "apart_s": (),
            "flat": False,
            "noisy": False,
        }
    elif new:
        neighbours = pairwise((*state.detected_s[-1:], *new))
        silence = {
            "detected_s": (state.detected_s + new)[-max(limits.extreme_low_beats, _LEAST_HEARD) :],
            "apart_s": max(neighbours, key=lambda two: two[1] - two[0], default=()),
            "apart_flat": flat,
            "apart_noisy": noisy,
            "flat": False,
            "noisy": False,
        }
    else:
        silence = {"flat": flat, "noisy": noisy}
    if findings.motionless:
        silence["motionless_s"] = findings.at_s
    return replace(
        state,
        at_s=findings.at_s,
        complete_s=findings.complete_to_s,
        still=still,
        longest=state.run,
        longest_atrial=state.atrial_run,
        **silence,
    )


def _confirm(state: RhythmState, beat_s: float, *, readable: bool, credible: bool) -> RhythmState:
    """Discount a heard beat that is not credible; a readable one that is ends an asystole."""
    if not credible:
        detected_s = tuple(other_s for other_s in state.detected_s if abs(other_s - beat_s) > SAME_BEAT_S)
        if len(detected_s) == len(state.detected_s):
            return state
        begins_s = (state.since_s,) if state.confirmed_s <= state.since_s else ()
        apart_s = max(pairwise((*begins_s, *detected_s)), key=lambda two: two[1] - two[0], default=())
        return replace(state, detected_s=detected_s, apart_s=apart_s)
    if not readable:
        return state
    ends = state.asystole_s is not None and beat_s > state.asystole_s + SAME_BEAT_S
    return replace(state, confirmed_s=beat_s, asystole_s=None if ends else state.asystole_s)


def _update_with_beat(
    state: RhythmState, limits: Limits, beat_s: float, interval_s: float, verdict: str, hint: str
) -> RhythmState:
    ventricular = hint == Hint.VENTRICULAR
    ectopic = ventricular or hint == Hint.SUPRAVENTRICULAR
    usual_rr_s, share = _regular(state, interval_s, ectopic)
    state = _measure_fibrillation(state, beat_s, interval_s, ectopic)
    if verdict == Verdict.UNREADABLE:
        bridges = state.row_readable >= _BRIDGED_BY and beat_s - state.row_s[-1] <= _BRIDGED_S
        return replace(
            state,
            row_s=(*state.row_s[1 - _longest_row(limits) :], beat_s) if bridges else (),
            row_readable=0,
            run=_pass_over(state.run),
            atrial_run=_pass_over(state.atrial_run),
            alternating=0,
            thirds=0,
            alternation_s=(),
            last_ventricular=(),
            usual_rr_s=usual_rr_s,
            ectopic=ectopic,
            irregularity=share,
        )
    # The row: beats with known intervals; an unreadable one is bridged where its neighbours are within a second.
    follows = isfinite(interval_s)
    bridged = bool(state.row_s) and state.row_readable == 0 and beat_s - state.row_s[-1] <= _BRIDGED_S
    in_row = follows or bridged
    row_s = (*state.row_s[1 - _longest_row(limits) :], beat_s) if in_row else (beat_s,)
    # Runs, and couplets: runs that ended with their second beat.
    run = _extend(state.run, beat_s, interval_s, belongs=ventricular)
    atrial_run = _extend(state.atrial_run, beat_s, interval_s, belongs=hint == Hint.SUPRAVENTRICULAR)
    couplets_s = tuple(couplet for couplet in state.couplets_s if couplet > beat_s - _COUPLETS_WITHIN_S)
    if run.beats < 2 and state.run.beats == 2 and state.run.unreadable == 0:
        couplets_s = (*couplets_s, state.run.times_s[-1])[-_MOST_COUPLETS:]
    # Bigeminy and trigeminy: one of the last two beats, or three, is ventricular-like. Abnormal beats, and effort.
    last = (*(state.last_ventricular if follows else ()), ventricular)
    alternating = _row_length(state.alternating, last[-2:], 2)
    thirds = _row_length(state.thirds, last, 3)
    window_s, window_abnormal, abnormal = _count_abnormal(state, limits, beat_s, verdict == Verdict.ABNORMAL)
    exercise, bpm = state.exercise, mean_rate(row_s, RATE_OVER + 1)
    if limits.profile == "exercise" and bpm is not None and len(row_s) > RATE_OVER:
        exercise = exercise_beat(exercise, limits, beat_s, bpm, ventricular)
    return replace(
        state,
        judged_s=beat_s,
        row_s=row_s,
        row_readable=state.row_readable + 1 if in_row else 1,
        run=run,
        longest=max(state.longest, run, key=lambda longer: longer.beats),
        atrial_run=atrial_run,
        longest_atrial=max(state.longest_atrial, atrial_run, key=lambda longer: longer.beats),
        couplets_s=couplets_s,
        alternating=alternating,
        thirds=thirds,
        alternation_s=(*state.alternation_s, beat_s)[-min(max(alternating, thirds, 2), MOST_EVIDENCE) :],
        last_ventricular=last[-2:],
        usual_rr_s=usual_rr_s,
        ectopic=ectopic,
        irregularity=share,
        window_s=window_s,
        window_abnormal=window_abnormal,
        abnormal=abnormal,
        exercise=exercise,
    )


def _row_length(length: int, last: tuple[bool, ...], every: int) -> int:
    """Length of the row in which one of so many beats in a row is ventricular-like, with the newest beat; 0 = none."""
    if len(last) < every or sum(last) != 1:
        return 0
    return length + 1 if length else every


def _longest_row(limits: Limits) -> int:
    return max(limits.extreme_high_beats, RATE_OVER + 1)


def _regular(state: RhythmState, interval_s: float, ectopic: bool) -> tuple[tuple[float, ...], float]:
    """RR intervals before the last beats that are not ectopic, and how irregular they are."""
    if ectopic:
        return state.usual_rr_s, state.irregularity
    usual_rr_s = (*state.usual_rr_s[-RHYTHM_OVER:], nan if state.ectopic else interval_s)
    share = float(irregularity(np.array(usual_rr_s))[0]) if len(usual_rr_s) > RHYTHM_OVER else nan
    return usual_rr_s, share


def _measure_fibrillation(state: RhythmState, beat_s: float, interval_s: float, ectopic: bool) -> RhythmState:
    """Take an interval into account, and measure the last ones: at every eighth beat, or at every one near an onset."""
    beside = ectopic or state.ectopic or not SHORTEST_S < interval_s < LONGEST_S
    rhythm_rr_s = (*state.rhythm_rr_s[1 - REMEMBERED :], nan if beside else interval_s)
    decided = not _NEAR_LOG_ODDS[0] < state.fibrillation <= _NEAR_LOG_ODDS[1] and not isnan(state.fibrillation)
    if decided and state.until_measured:
        return replace(state, rhythm_rr_s=rhythm_rr_s, until_measured=state.until_measured - 1)
    odds, since_s = latest_log_odds(rhythm_rr_s), state.fibrillation_since_s
    if not odds > STILL_LOG_ODDS:
        since_s = nan
    elif odds > FIBRILLATION_LOG_ODDS and isnan(since_s):
        since_s = beat_s
    return replace(
        state,
        rhythm_rr_s=rhythm_rr_s,
        fibrillation=odds,
        fibrillation_since_s=since_s,
        until_measured=_MEASURED_EVERY - 1,
    )


def _extend(run: Run, beat_s: float, interval_s: float, *, belongs: bool) -> Run:
    """The run after a readable beat, of its kind or not."""
    if not belongs:
        return Run()
    if not run.beats or beat_s - run.times_s[-1] > _BROKEN_S:
        return Run(1, (beat_s,))
    known_intervals_s = (interval_s,) if isfinite(interval_s) else ()
    times_s = (*run.times_s, beat_s)[-MOST_EVIDENCE:]
    even = run.even or not known_intervals_s or about_equal(*run.intervals_s[-1:], interval_s)
    return Run(run.beats + 1, times_s, (run.intervals_s + known_intervals_s)[-MOST_EVIDENCE:], even=even)


def _pass_over(run: Run) -> Run:
    """The run after an unreadable beat: it bears one."""
    return replace(run, unreadable=1) if run.beats > 0 and run.unreadable == 0 else Run()


def _count_abnormal(
    state: RhythmState, limits: Limits, beat_s: float, abnormal: bool
) -> tuple[tuple[float, ...], tuple[bool, ...], bool]:
    """The last readable beats, which of them are abnormal, and whether these are too many."""
    old = sum(at_s < beat_s - _ABNORMAL_WITHIN_S for at_s in state.window_s)
    times_s = (*state.window_s[old:], beat_s)[-limits.abnormal_n :]
    flags = (*state.window_abnormal[old:], abnormal)[-limits.abnormal_n :]
    count = sum(flags)
    if len(flags) < limits.abnormal_k:
        return times_s, flags, state.abnormal
    return times_s, flags, count >= limits.abnormal_k or (state.abnormal and 2 * count > limits.abnormal_k)
