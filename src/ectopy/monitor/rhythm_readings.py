"""Read from the memory of the rules of rhythm which conditions are there now; the rules are explained in `rhythm`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import floor, isfinite
from statistics import fmean, median

import numpy as np

from ectopy.analysis.atrial_fibrillation import FIBRILLATION_LOG_ODDS, LEAST_EPISODE_S, STILL_LOG_ODDS, WINDOW
from ectopy.analysis.rhythm_rules import RATE_OVER, STILL_IRREGULAR
from ectopy.monitor.conditions import CONDITIONS, Basis
from ectopy.monitor.exercise import exercise_readings
from ectopy.monitor.limits import Limits
from ectopy.monitor.rhythm_input import MOST_EVIDENCE, ConditionReading, DetectorOutput
from ectopy.monitor.rhythm_state import FLAT_S, SAME_BEAT_S, RhythmState, Run, about_equal, longer_silence_s, mean_rate
from ectopy.signal.state_replace import replace

CODES = tuple(code for code, condition in CONDITIONS.items() if condition.basis is not Basis.OTHER)
"""Conditions judged here, in the order of the readings."""

_LEAST_BEATS = 5
_SAME_RATE, _SAME_RATE_OVER, _SAME_RATE_BEATS = 0.08, 10, 9
_WELL_BEYOND_BPM, _FEWER_SHARE = 10.0, 0.7
_EXTREME_CLEAR_SHARE = 0.1

_ABSENT = {code: ConditionReading(code, False) for code in CODES}
_UNKNOWN = {code: ConditionReading(code, None) for code in CODES}


def rhythm_readings(state: RhythmState, limits: Limits, findings: DetectorOutput) -> tuple[ConditionReading, ...]:
    """Return a reading of each of `CODES`, in that order.

    Parameters
    ----------
    state : RhythmState
        After the findings.
    limits : Limits
    findings : DetectorOutput
    """
    if not findings.is_tellable and not state.still:
        return tuple(_UNKNOWN.values())
    readings = [_asystole(state, limits), _extreme_bradycardia(state, limits, findings), _pause(state, limits)]
    if not findings.readable or state.judged_s <= state.since_s:
        return _in_order(_UNKNOWN, readings)
    if not state.is_silent(limits):
        readings += [
            extreme_tachycardia(state, limits),
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
        return _silence("asystole", state, limits.asystole_s, FLAT_S, begins)
    silence_s = max(state.complete_s - state.asystole_s, limits.asystole_s)
    before_s = tuple(beat_s for beat_s in state.detected_s if beat_s <= state.asystole_s + SAME_BEAT_S)
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
    silence_s, began_s = state.silence_s, state.last_beat_s
    if silence_s >= limit_s + longer_silence_s(longer_s, state.flat, state.motionless_s > began_s):
        return ConditionReading(
            code, True, f"No beat for {silence_s:.1f} s; {begins}", silence_s, limit_s, state.detected_s[-1:]
        )
    if not state.detected_s or silence_s >= limit_s:
        return _UNKNOWN[code]
    before_s, after_s = state.apart_s or (0.0, 0.0)
    ended_s = after_s - before_s
    if ended_s < limit_s + longer_silence_s(longer_s, state.apart_noisy, state.motionless_s > before_s):
        return _ABSENT[code]
    return ConditionReading(code, True, f"{ended_s:.1f} s between two beats; {begins}", ended_s, limit_s, state.apart_s)


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


def extreme_tachycardia(state: RhythmState, limits: Limits) -> ConditionReading:
    """Return the reading of an extreme tachycardia at the newest beat."""
    code, beats, limit_bpm = "extreme tachycardia", limits.extreme_high_beats, limits.extreme_high_bpm
    # A rhythm well beyond the limit needs fewer beats.
    fewer = max(round(_FEWER_SHARE * beats), _LEAST_BEATS)
    bpm = mean_rate(state.row_s, fewer)
    if bpm is not None and len(state.row_s) >= fewer and bpm > limit_bpm + _WELL_BEYOND_BPM:
        beats, limit_bpm = fewer, limit_bpm + _WELL_BEYOND_BPM
    bpm = mean_rate(state.row_s, beats)
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
    bpm = mean_rate(state.row_s, beats)
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
    return len(intervals_s) == count and not any(about_equal(*two_s) for two_s in pairwise(intervals_s))


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
