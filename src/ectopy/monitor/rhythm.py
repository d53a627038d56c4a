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

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import floor, inf, isfinite, isnan, nan
from statistics import fmean, median
from typing import Any

import numpy as np

from ectopy.analysis.atrial_fibrillation import (
    FIBRILLATION_LOG_ODDS,
    LEAST_EPISODE_S,
    LONGEST_S,
    REMEMBERED,
    SHORTEST_S,
    STILL_LOG_ODDS,
    WINDOW,
    latest_log_odds,
)
from ectopy.analysis.rhythm_rules import RATE_OVER, RHYTHM_OVER, STILL_IRREGULAR, irregularity
from ectopy.analysis.verdicts import Hint
from ectopy.detector import Verdict
from ectopy.monitor.conditions import CONDITIONS, Basis
from ectopy.monitor.exercise import ExerciseState, exercise_beat, exercise_readings
from ectopy.monitor.limits import Limits
from ectopy.monitor.rhythm_input import MOST_EVIDENCE, ConditionReading, DetectorOutput
from ectopy.presentation import short_repr
from ectopy.signal.state_replace import replace

CODES = tuple(code for code, condition in CONDITIONS.items() if condition.basis is not Basis.OTHER)
"""Conditions judged here, in the order of the readings."""
GAP_S = 1.25
"""Findings come every second; those that are further apart do not follow each other."""

_TELLABLE = frozenset({"good", "flat"})
_FLAT = frozenset({"flat", "lead off"})
_LEAST_BEATS = 5
_BROKEN_S = 3.0
_FLAT_S = 2.0
_STILL_S = 2.0
_COUPLETS_WITHIN_S = 300.0
_ABNORMAL_WITHIN_S = 60.0
_MOST_COUPLETS = 100
_LEAST_HEARD = 10  # of which the last few may turn out not to be credible
_SAME_BEAT_S = 1e-6
_BRIDGED_BY, _BRIDGED_S = 3, 1.0  # a second without any readable lead does not fit in between
_UNEVEN = 1.8  # one interval of a run over the next
_SAME_RATE, _SAME_RATE_OVER, _SAME_RATE_BEATS = 0.08, 10, 9
_WELL_BEYOND_BPM, _FEWER_SHARE = 10.0, 0.7
_EXTREME_CLEAR_SHARE = 0.1
_MEASURED_EVERY = 8  # beats: the last 64 intervals change little from one to the next
_NEAR_LOG_ODDS = -3.0, 3.0  # between them every beat is measured: the onset of atrial fibrillation may be near

_ABSENT = {code: ConditionReading(code, False) for code in CODES}
_UNKNOWN = {code: ConditionReading(code, None) for code in CODES}


@dataclass(frozen=True, slots=True)
class Run:
    """Beats of one kind in a row, up to the newest beat.

    Attributes
    ----------
    times_s : tuple of float
        The last of them.
    intervals_s : tuple of float
        The last RR intervals between them that are known.
    unreadable : int
        Unreadable beats since the last of them.
    even : bool
        Whether two successive intervals are about equal, or one is not known.
    """

    beats: int = 0
    times_s: tuple[float, ...] = ()
    intervals_s: tuple[float, ...] = ()
    unreadable: int = 0
    even: bool = False


@dataclass(frozen=True, slots=True)
class RhythmState:
    """Memory of the rules; times are stream seconds.

    Attributes
    ----------
    at_s : float
        Where the last findings ended.
    since_s : float
        Where silence counts from: nothing could be told until then.
    detected_s : tuple of float
        The last beats heard since then.
    apart_s : tuple of float
        Of the beats heard last, the two neighbours that are farthest apart, the first one maybe heard before.
    apart_flat : bool
        Whether a lead was flat or off in that silence.
    apart_noisy : bool
        Whether all leads were noisy when it began.
    complete_s : float
        Up to where all beats are heard.
    confirmed_s : float
        The newest beat judged that is readable and credible.
    asystole_s : float or None
        The last beat before an asystole that goes on, or where its silence counts from; None while there is none.
    flat : bool
        Whether a lead has been flat or off in the present silence, or all were noisy when it began.
    noisy : bool
        Whether all were noisy when it began.
    motionless_s : float
        Where the last piece ended in which no lead moved.
    still : bool
        Whether a silence goes on in leads that have become noisy.
    judged_s : float
        The newest readable beat judged.
    row_s : tuple of float
        The last beats judged in a row.
    row_readable : int
        How many of them, at the end, are readable: 0 where the last one is not.
    run, longest : Run
        Of ventricular-like beats; and the longest one since the findings before, for one that has already ended again
        is told as well.
    atrial_run, longest_atrial : Run
        The same of supraventricular-like beats.
    couplets_s : tuple of float
        Couplets of the last five minutes.
    alternating : int
        Length of the row in which every other beat is ventricular-like.
    thirds : int
        Length of the row in which every third beat is ventricular-like.
    alternation_s : tuple of float
        The last beats of the longer of the two rows.
    last_ventricular : tuple of bool
        Which of the two newest beats in a row are ventricular-like.
    usual_rr_s : tuple of float
        RR intervals before the last 65 beats that are not ectopic; NaN = not known.
    ectopic : bool
        Whether the newest beat is ectopic.
    irregularity : float
        Of those intervals; NaN = not known.
    rhythm_rr_s : tuple of float
        RR intervals before the last 66 beats; NaN where not known, or beside an ectopic beat.
    fibrillation : float
        Log odds of atrial fibrillation over them, every eighth beat, or every beat near the onset; NaN = not known.
    fibrillation_since_s : float
        The first beat at which they were high enough for the onset, since they were too low; NaN = none.
    until_measured : int
        Beats until they are measured again.
    window_s : tuple of float
        The last readable beats, none older than a minute.
    window_abnormal : tuple of bool
        Which of them are abnormal.
    abnormal : bool
        Whether that was too many, and is not yet few enough.
    """

    __repr__ = short_repr

    at_s: float = -inf
    since_s: float = -inf
    detected_s: tuple[float, ...] = ()
    apart_s: tuple[float, ...] = ()
    apart_flat: bool = False
    apart_noisy: bool = False
    complete_s: float = -inf
    confirmed_s: float = -inf
    asystole_s: float | None = None
    flat: bool = False
    noisy: bool = False
    motionless_s: float = -inf
    still: bool = False
    judged_s: float = -inf
    row_s: tuple[float, ...] = ()
    row_readable: int = 0
    run: Run = field(default_factory=Run)
    longest: Run = field(default_factory=Run)
    atrial_run: Run = field(default_factory=Run)
    longest_atrial: Run = field(default_factory=Run)
    couplets_s: tuple[float, ...] = ()
    alternating: int = 0
    thirds: int = 0
    alternation_s: tuple[float, ...] = ()
    last_ventricular: tuple[bool, ...] = ()
    usual_rr_s: tuple[float, ...] = ()
    ectopic: bool = False
    irregularity: float = nan
    rhythm_rr_s: tuple[float, ...] = ()
    fibrillation: float = nan
    fibrillation_since_s: float = nan
    until_measured: int = 0
    window_s: tuple[float, ...] = ()
    window_abnormal: tuple[bool, ...] = ()
    abnormal: bool = False
    exercise: ExerciseState = field(default_factory=ExerciseState)


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
        One for each of `CODES`, in that order.
    """
    if not 0.0 <= findings.at_s - state.at_s <= GAP_S:
        went_on = findings.at_s > state.at_s
        exercise = state.exercise if went_on else ExerciseState()
        state = RhythmState(since_s=findings.at_s, exercise=exercise, asystole_s=state.asystole_s)
    state = _update_silence(state, limits, findings)
    beats, fast = findings.beats, _ABSENT["extreme tachycardia"]
    if len(beats):
        columns = (beats.time_s, beats.interval_s, beats.verdict, beats.hint, beats.credible)
        for *beat, credible in zip(*(column.tolist() for column in columns), strict=True):
            state = _confirm(state, beat[0], readable=beat[2] != Verdict.UNREADABLE, credible=credible)
            state = _update_with_beat(state, limits, *beat)
            # An extreme tachycardia that has already ended again is reported as well.
            fast = fast if fast.present else _extreme_tachycardia(state, limits)
    if state.asystole_s is None and (_tellable(findings) or state.still):
        since_s = _asystole_since_s(state, limits)
        state = state if since_s is None else replace(state, asystole_s=since_s)
    readings = _readings(state, limits, findings)
    if not fast.present or not findings.readable or _is_silent(state, limits):
        return state, readings
    return state, tuple(fast if each.condition == fast.condition else each for each in readings)


def _is_silent(state: RhythmState, limits: Limits) -> bool:
    return state.asystole_s is not None or _silence_s(state) >= limits.pause_s


def _tellable(findings: DetectorOutput) -> bool:
    return not _TELLABLE.isdisjoint(findings.words) or findings.noise_is_low


def _last_beat_s(state: RhythmState) -> float:
    """The last beat heard, or where silence counts from."""
    return state.detected_s[-1] if state.detected_s else state.since_s


def _silence_s(state: RhythmState) -> float:
    return state.complete_s - _last_beat_s(state)


def _asystole_since_s(state: RhythmState, limits: Limits) -> float | None:
    """Find where a silence began that is long enough for an asystole, and that no credible readable beat has ended."""
    since_s = _last_beat_s(state)
    if _silence_s(state) >= limits.asystole_s + _longer_s(_FLAT_S, state.flat, state.motionless_s > since_s):
        return since_s
    before_s, after_s = state.apart_s or (0.0, 0.0)
    longer_s = _longer_s(_FLAT_S, state.apart_flat, state.motionless_s > before_s)
    if after_s > state.confirmed_s and after_s - before_s >= limits.asystole_s + longer_s:
        return before_s
    return None


def _update_silence(state: RhythmState, limits: Limits, findings: DetectorOutput) -> RhythmState:
    """Take the beats just detected, and how far signal without one goes on."""
    new = tuple(beat_s for beat_s in findings.detected_s.tolist() if beat_s > state.since_s)
    tellable = _tellable(findings)
    # Silence that begins in noise, or while a lead is flat or off, has to last longer; one that began earlier goes on.
    unreadable = not findings.readable and _silence_s(state) < _STILL_S
    is_flat = not _FLAT.isdisjoint(findings.words)
    flat, noisy = state.flat or unreadable or is_flat, state.noisy or (unreadable and not is_flat)
    still = not new and not tellable and "noisy" in findings.words and _silence_s(state) >= _STILL_S
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
        detected_s = tuple(other_s for other_s in state.detected_s if abs(other_s - beat_s) > _SAME_BEAT_S)
        if len(detected_s) == len(state.detected_s):
            return state
        begins_s = (state.since_s,) if state.confirmed_s <= state.since_s else ()
        apart_s = max(pairwise((*begins_s, *detected_s)), key=lambda two: two[1] - two[0], default=())
        return replace(state, detected_s=detected_s, apart_s=apart_s)
    if not readable:
        return state
    ends = state.asystole_s is not None and beat_s > state.asystole_s + _SAME_BEAT_S
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
    exercise, bpm = state.exercise, _rate(row_s, RATE_OVER + 1)
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
    even = run.even or not known_intervals_s or _about_equal(*run.intervals_s[-1:], interval_s)
    return Run(run.beats + 1, times_s, (run.intervals_s + known_intervals_s)[-MOST_EVIDENCE:], even=even)


def _about_equal(*two_s: float) -> bool:
    return len(two_s) == 2 and max(two_s) < _UNEVEN * min(two_s)


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


def _rate(row_s: tuple[float, ...], beats: int) -> float | None:
    """Mean rate per minute of the last beats in a row, of fewer where there are no more; None with fewer than two."""
    last = row_s[-beats:]
    return 60.0 * (len(last) - 1) / (last[-1] - last[0]) if len(last) > 1 else None


def _readings(state: RhythmState, limits: Limits, findings: DetectorOutput) -> tuple[ConditionReading, ...]:
    if not _tellable(findings) and not state.still:
        return tuple(_UNKNOWN.values())
    readings = [_asystole(state, limits), _extreme_bradycardia(state, limits, findings), _pause(state, limits)]
    if not findings.readable or state.judged_s <= state.since_s:
        return _in_order(_UNKNOWN, readings)
    if not _is_silent(state, limits):
        readings += [
            _extreme_tachycardia(state, limits),
            _ventricular_tachycardia(state, limits),
            _high_rate(state, limits),
            _ventricular_run(state, limits),
            _supraventricular_run(state, limits),
            _alternation("bigeminy", "other", state, state.alternating, 2 * limits.bigeminy_pairs),
            _alternation("trigeminy", "third", state, state.thirds, 3 * limits.bigeminy_pairs),
        ]
    readings += [
        _low_rate(state, limits),
        _couplets(state, limits),
        _atrial_fibrillation(state),
        _irregular(state, limits),
        _abnormal(state, limits),
    ]
    if limits.profile == "exercise":
        readings += exercise_readings(state.exercise, limits)
    return _in_order(_ABSENT, readings)


def _in_order(
    every_reading: dict[str, ConditionReading], readings: Iterable[ConditionReading]
) -> tuple[ConditionReading, ...]:
    """Return a reading of every condition, in the order of `CODES`."""
    return tuple((every_reading | {reading.condition: reading for reading in readings}).values())


def _asystole(state: RhythmState, limits: Limits) -> ConditionReading:
    begins = f"asystole begins at {limits.asystole_s:g} s."
    if state.asystole_s is None:
        return _silence("asystole", state, limits.asystole_s, _FLAT_S, begins)
    silence_s = max(state.complete_s - state.asystole_s, limits.asystole_s)
    before_s = tuple(beat_s for beat_s in state.detected_s if beat_s <= state.asystole_s + _SAME_BEAT_S)
    kind = "beat" if len(before_s) == len(state.detected_s) else "readable beat of usual height"
    text = f"No {kind} for {silence_s:.1f} s; {begins}"
    return ConditionReading("asystole", True, text, silence_s, limits.asystole_s, before_s[-1:])


def _pause(state: RhythmState, limits: Limits) -> ConditionReading:
    if not state.detected_s:
        return _UNKNOWN["pause"]
    return _silence("pause", state, limits.pause_s, 0.0, f"a pause begins at {limits.pause_s:g} s.")


def _silence(code: str, state: RhythmState, limit_s: float, longer_s: float, begins: str) -> ConditionReading:
    """A silence that lasts, or has just ended: a short one may have done so before it was long enough to be told.

    While it lasts in flat leads it has to be longer by `longer_s`, for electrodes may have come off; and also where for
    a while no lead moved, or where it began in noise, in which beats may have been.
    """
    silence_s, began_s = _silence_s(state), _last_beat_s(state)
    if silence_s >= limit_s + _longer_s(longer_s, state.flat, state.motionless_s > began_s):
        return ConditionReading(
            code, True, f"No beat for {silence_s:.1f} s; {begins}", silence_s, limit_s, state.detected_s[-1:]
        )
    if not state.detected_s or silence_s >= limit_s:
        return _UNKNOWN[code]
    before_s, after_s = state.apart_s or (0.0, 0.0)
    ended_s = after_s - before_s
    if ended_s < limit_s + _longer_s(longer_s, state.apart_noisy, state.motionless_s > before_s):
        return _ABSENT[code]
    return ConditionReading(code, True, f"{ended_s:.1f} s between two beats; {begins}", ended_s, limit_s, state.apart_s)


def _longer_s(longer_s: float, doubtful: bool, motionless: bool) -> float:
    return _FLAT_S if motionless else longer_s * doubtful


def _extreme_bradycardia(state: RhythmState, limits: Limits, findings: DetectorOutput) -> ConditionReading:
    code, beats, limit_bpm = "extreme bradycardia", limits.extreme_low_beats, limits.extreme_low_bpm
    if len(state.detected_s) < beats:
        return _UNKNOWN[code]
    # No row is slow without one interval that is.
    clear_bpm = limit_bpm + _extreme_clear_bpm(limits, limit_bpm)
    if (clear_bpm + 1.0) * max(_intervals_s(state.detected_s)) < 60.0:
        return _ABSENT[code]
    # The slowest of the rows that end with one of the beats just heard.
    new = sum(beat_s in findings.detected_s for beat_s in state.detected_s[beats:])
    ends = range(len(state.detected_s) - new, len(state.detected_s) + 1)
    rows = [state.detected_s[end - beats : end] for end in ends]
    beats_s = max(rows, key=lambda row: _slow_interval_s(row, limits))
    bpm = _rounded(60.0 / _slow_interval_s(beats_s, limits))
    if bpm > limit_bpm:
        return _ABSENT[code] if bpm >= clear_bpm else _UNKNOWN[code]
    text = f"{bpm:.0f} per minute over {beats} beats; {limit_bpm:g} or less is extreme."
    return ConditionReading(code, True, text, bpm, limit_bpm, beats_s)


def _slow_interval_s(beats_s: tuple[float, ...], limits: Limits) -> float:
    """Mean interval of a row, of which at most one may be clear of the limit of an extreme bradycardia."""
    intervals_s = _intervals_s(beats_s)
    slowest_s = sorted(intervals_s)[1] * (limits.extreme_low_bpm + limits.clear_bpm) / limits.extreme_low_bpm
    return min(fmean(intervals_s), slowest_s)


def _rounded(bpm: float) -> float:
    """A rate as it is shown, in whole beats per minute."""
    return float(floor(bpm + 0.5))


def _low_rate(state: RhythmState, limits: Limits) -> ConditionReading:
    code, beats_s = "low rate", state.row_s[-1 - RATE_OVER :]
    if len(beats_s) < _LEAST_BEATS:
        return _UNKNOWN[code]
    intervals_s = _intervals_s(beats_s)
    interval_s = min(fmean(intervals_s), median(intervals_s))
    bpm, limit_bpm = 60.0 / interval_s, limits.low_bpm
    if bpm >= limit_bpm:
        return _ABSENT[code] if bpm >= limit_bpm + limits.clear_bpm else _UNKNOWN[code]
    if len(beats_s) <= RATE_OVER:
        return _UNKNOWN[code]
    text = f"{bpm:.1f} per minute over {len(beats_s)} beats; below {limit_bpm:g} is low."
    return ConditionReading(code, True, text, bpm, limit_bpm, beats_s)


def _intervals_s(beats_s: tuple[float, ...]) -> list[float]:
    return [after - before for before, after in pairwise(beats_s)]


def _extreme_clear_bpm(limits: Limits, limit_bpm: float) -> float:
    """Return how far an extreme rate must fall back behind its limit: one that hovers about it is one alarm."""
    return max(limits.clear_bpm, _EXTREME_CLEAR_SHARE * limit_bpm)


def _extreme_tachycardia(state: RhythmState, limits: Limits) -> ConditionReading:
    code, beats, limit_bpm = "extreme tachycardia", limits.extreme_high_beats, limits.extreme_high_bpm
    # A rhythm well beyond the limit needs fewer beats.
    fewer = max(round(_FEWER_SHARE * beats), _LEAST_BEATS)
    bpm = _rate(state.row_s, fewer)
    if bpm is not None and len(state.row_s) >= fewer and bpm > limit_bpm + _WELL_BEYOND_BPM:
        beats, limit_bpm = fewer, limit_bpm + _WELL_BEYOND_BPM
    bpm = _rate(state.row_s, beats)
    if bpm is None or len(state.row_s) < _LEAST_BEATS:
        return _UNKNOWN[code]
    bpm, clear_bpm = _rounded(bpm), _extreme_clear_bpm(limits, limits.extreme_high_bpm)
    if bpm < limit_bpm:
        return _ABSENT[code] if bpm <= limit_bpm - clear_bpm else _UNKNOWN[code]
    # An unreadable beat counts once a readable one has come after it: what an artefact begins with is no beat.
    if len(state.row_s) < beats or not state.row_readable:
        return _UNKNOWN[code]
    text = f"{bpm:.0f} per minute over {beats} beats; {limit_bpm:g} or more is extreme."
    return ConditionReading(code, True, text, bpm, limit_bpm, state.row_s[-beats:][-MOST_EVIDENCE:])


def _high_rate(state: RhythmState, limits: Limits) -> ConditionReading:
    code, beats, limit_bpm = "high rate", RATE_OVER + 1, limits.high_bpm
    bpm = _rate(state.row_s, beats)
    if bpm is None or len(state.row_s) < _LEAST_BEATS:
        return _UNKNOWN[code]
    if bpm <= limit_bpm:
        return _ABSENT[code] if bpm <= limit_bpm - limits.clear_bpm else _UNKNOWN[code]
    if len(state.row_s) < beats:
        return _UNKNOWN[code]
    text = f"{bpm:.1f} per minute over {beats} beats; above {limit_bpm:g} is high."
    return ConditionReading(code, True, text, bpm, limit_bpm, state.row_s[-beats:])


def _ventricular_tachycardia(state: RhythmState, limits: Limits) -> ConditionReading:
    run, code = state.longest, "ventricular tachycardia"
    reading = _fast_run(code, run, limits.vt_beats, limits.vt_bpm)
    if reading.present and _alternates(run.intervals_s[1 - limits.vt_beats :], limits.vt_beats - 1):
        return _UNKNOWN[code]
    if reading.present and _keeps_the_rate(state, reading) and run.beats < _SAME_RATE_BEATS:
        return _UNKNOWN[code]
    return replace(reading, text=f"{reading.text} are a tachycardia.") if reading.present else reading


def _alternates(intervals_s: tuple[float, ...], count: int) -> bool:
    """Return whether so many intervals are known, no two successive ones of which are about equal, as in bigeminy."""
    return len(intervals_s) == count and not any(_about_equal(*two_s) for two_s in pairwise(intervals_s))


def _keeps_the_rate(state: RhythmState, run: ConditionReading) -> bool:
    """Check that a run has the rate of the beats before it, as beats do that an artefact has given another shape."""
    usual_s = [interval_s for interval_s in state.usual_rr_s[-_SAME_RATE_OVER:] if isfinite(interval_s)]
    if run.value is None or 2 * len(usual_s) < _SAME_RATE_OVER:
        return False
    return abs(run.value * median(usual_s) / 60.0 - 1.0) < _SAME_RATE


def _supraventricular_run(state: RhythmState, limits: Limits) -> ConditionReading:
    reading = _fast_run("supraventricular run", state.longest_atrial, limits.svt_beats, limits.svt_bpm)
    return replace(reading, text=f"{reading.text} are a run.") if reading.present else reading


def _fast_run(code: str, run: Run, beats: int, limit_bpm: float) -> ConditionReading:
    """A run of so many beats, the last ones above a rate; its text ends before the verb."""
    if run.beats < beats:
        return _ABSENT[code]
    intervals_s = run.intervals_s[1 - beats :]
    if 2 * len(intervals_s) < beats - 1:
        return _UNKNOWN[code]
    bpm = 60.0 * len(intervals_s) / sum(intervals_s)
    if bpm <= limit_bpm:
        return _ABSENT[code]
    kind = code.split()[0]
    text = f"{run.beats} {kind}-like beats in a row, the last ones at {bpm:.0f} per minute; {beats} above {limit_bpm:g}"
    return ConditionReading(code, True, text, bpm, limit_bpm, run.times_s)


def _ventricular_run(state: RhythmState, limits: Limits) -> ConditionReading:
    run, code = state.longest, "ventricular run"
    if run.beats < limits.run_beats or not run.even:
        return _ABSENT[code]
    text = f"{run.beats} ventricular-like beats in a row; {limits.run_beats} are a run."
    return ConditionReading(code, True, text, float(run.beats), float(limits.run_beats), run.times_s)


def _couplets(state: RhythmState, limits: Limits) -> ConditionReading:
    count = len(state.couplets_s)
    if count <= limits.couplets:
        return _ABSENT["couplet"]
    text = f"{count} ventricular couplets in the last five minutes; more than {limits.couplets} are told."
    return ConditionReading(
        "couplet", True, text, float(count), float(limits.couplets), state.couplets_s[-MOST_EVIDENCE:]
    )


def _alternation(code: str, which: str, state: RhythmState, length: int, beats: int) -> ConditionReading:
    if length < beats:
        return _ABSENT[code]
    text = f"Every {which} one of {length} beats is ventricular-like; {beats} are {code}."
    return ConditionReading(code, True, text, float(length), float(beats), state.alternation_s)


def _irregular(state: RhythmState, limits: Limits) -> ConditionReading:
    share = state.irregularity
    if not isfinite(share):
        return _UNKNOWN["irregular rhythm"]
    if share <= limits.irregular_share:
        clear = share <= STILL_IRREGULAR * limits.irregular_share
        return _ABSENT["irregular rhythm"] if clear else _UNKNOWN["irregular rhythm"]
    text = f"Successive intervals differ by {share:.0%} of the mean; above {limits.irregular_share:.0%} is irregular."
    return ConditionReading("irregular rhythm", True, text, share, limits.irregular_share, state.row_s[-MOST_EVIDENCE:])


def _atrial_fibrillation(state: RhythmState) -> ConditionReading:
    code, odds = "atrial fibrillation", state.fibrillation
    if odds <= STILL_LOG_ODDS:
        return _ABSENT[code]
    if not odds > FIBRILLATION_LOG_ODDS or not state.judged_s - state.fibrillation_since_s >= LEAST_EPISODE_S:
        return _UNKNOWN[code]
    bpm = 60.0 / float(np.nanmean(state.rhythm_rr_s))
    text = (
        f"The last {WINDOW} intervals differ without a pattern, {bpm:.0f} per minute on average: "
        f"log odds {odds:.1f}, above {FIBRILLATION_LOG_ODDS:g}."
    )
    return ConditionReading(code, True, text, odds, FIBRILLATION_LOG_ODDS, state.row_s[-MOST_EVIDENCE:])


def _abnormal(state: RhythmState, limits: Limits) -> ConditionReading:
    code, flags = "not this patient's normal", state.window_abnormal
    if len(flags) < limits.abnormal_k:
        return _UNKNOWN[code]
    if not state.abnormal:
        return _ABSENT[code]
    count = sum(flags)
    beats_s = tuple(at_s for at_s, flag in zip(state.window_s, flags, strict=True) if flag)
    text = (
        f"{count} of the last {len(flags)} readable beats are abnormal; {limits.abnormal_k} of {limits.abnormal_n} are "
        f"told, until at most {limits.abnormal_k // 2} are."
    )
    return ConditionReading(code, True, text, float(count), float(limits.abnormal_k), beats_s[-MOST_EVIDENCE:])
