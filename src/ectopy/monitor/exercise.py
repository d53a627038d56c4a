"""Rules for effort: a rate that does not recover, a sudden drop, ectopy that grows.

Effort is seen in the heart rate alone: it is there while the mean rate of eight beats is at or above `effort_share` of
the heart rate reserve. A load that is eased a little therefore looks like a slow recovery, and a rate that does not
fall at all after the end of effort looks like effort that goes on; the limit for a high rate is there for that.

*Slow recovery*: after a minute or more at or above `vigorous_share`, a minute after the rate was last within 3 of its
peak, it has fallen by 5 or more, but by less than `recovery_bpm`; until it has fallen by that much, is back at the
peak, or below effort. The limit is of Cole et al. 1999 (doi:10.1056/NEJM199910283411804), who measured it after a test
to exhaustion; lighter effort is left out for that reason.

*Sudden drop*: from a rate of effort, by more than `drop_bpm` within 20 s.

*Ectopy with effort*: in the last minute of effort `ectopy_per_min` ventricular-like beats or more, the limit of Frolkis
et al. 2003 (doi:10.1056/NEJMoa022353), and at least twice as many a minute as at rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ectopy.monitor.limits import Limits
from ectopy.monitor.rhythm_input import MOST_EVIDENCE, ConditionReading
from ectopy.presentation import short_repr

_DROP_WITHIN_S = 20.0
_RATE_EVERY_S = 1.0
_RECOVERY_S = 60.0
_LEAST_EFFORT_S = 60.0
_AT_PEAK_BPM = 3.0
_LEFT_PEAK_BPM = 5.0
_LONGEST_UNKNOWN_S = 30.0
_ECTOPY_WITHIN_S = 60.0
_LEAST_REST_S = 60.0
_MOST_ECTOPIC = 240


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest rate of a vigorous effort.

    Attributes
    ----------
    bpm : float
        Mean of eight beats.
    since_s, until_s : float
        When the effort became vigorous, and when the rate was last at the peak.
    """

    bpm: float
    since_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class ExerciseState:
    """Memory of effort; times are stream seconds.

    Attributes
    ----------
    rate_s, rate_bpm : tuple of float
        Mean rates of the last 20 s, one a second at most.
    bpm : float or None
        The newest mean rate.
    peak : Peak or None
        None before a vigorous effort, and after recovery.
    lowest_bpm : float or None
        Lowest rate since recovery while the effort goes on.
    slow : bool
        Whether recovery is slow.
    ectopic_s : tuple of float
        Ventricular-like beats in the last minute of effort.
    rest_s : float
        Seconds seen at rest.
    rest_ectopic : int
        Ventricular-like beats in them.
    """

    __repr__ = short_repr

    rate_s: tuple[float, ...] = ()
    rate_bpm: tuple[float, ...] = ()
    bpm: float | None = None
    peak: Peak | None = None
    lowest_bpm: float | None = None
    slow: bool = False
    ectopic_s: tuple[float, ...] = ()
    rest_s: float = 0.0
    rest_ectopic: int = 0


def exercise_beat(state: ExerciseState, limits: Limits, beat_s: float, bpm: float, ventricular: bool) -> ExerciseState:
    """Take one more readable beat into account.

    Parameters
    ----------
    bpm : float
        Mean rate of eight beats up to this one.
    ventricular : bool
        Whether it is ventricular-like.
    """
    if state.rate_s and beat_s - state.rate_s[-1] > _LONGEST_UNKNOWN_S:
        state = replace(state, rate_s=(), rate_bpm=(), peak=None, slow=False)
    rate_s, rate_bpm = _recent(state, beat_s, bpm)
    if bpm < limits.at_reserve(limits.effort_share):
        return ExerciseState(
            rate_s, rate_bpm, bpm, rest_s=state.rest_s + 60.0 / bpm, rest_ectopic=state.rest_ectopic + ventricular
        )
    peak, lowest_bpm, slow = _follow(state, limits, beat_s, bpm)
    ectopic_s = tuple(ectopic for ectopic in state.ectopic_s if ectopic > beat_s - _ECTOPY_WITHIN_S)
    ectopic_s = (*ectopic_s, beat_s)[-_MOST_ECTOPIC:] if ventricular else ectopic_s
    return ExerciseState(rate_s, rate_bpm, bpm, peak, lowest_bpm, slow, ectopic_s, state.rest_s, state.rest_ectopic)


def _recent(state: ExerciseState, beat_s: float, bpm: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if state.rate_s and beat_s - state.rate_s[-1] < _RATE_EVERY_S:
        return state.rate_s, state.rate_bpm
    old = sum(at_s < beat_s - _DROP_WITHIN_S for at_s in state.rate_s)
    return (*state.rate_s[old:], beat_s), (*state.rate_bpm[old:], bpm)


def _follow(state: ExerciseState, limits: Limits, beat_s: float, bpm: float) -> tuple[Peak | None, float | None, bool]:
    """Follow an effort that goes on: its peak, the lowest rate since recovery, and whether that is slow."""
    peak = state.peak
    if peak is None:
        lowest_bpm = None if state.lowest_bpm is None else min(state.lowest_bpm, bpm)
        rises = lowest_bpm is None or bpm >= lowest_bpm + _LEFT_PEAK_BPM
        if rises and bpm >= limits.at_reserve(limits.vigorous_share):
            return Peak(bpm, beat_s, beat_s), None, False
        return None, lowest_bpm, False
    fall = peak.bpm - bpm
    if fall <= _AT_PEAK_BPM:
        return Peak(max(peak.bpm, bpm), peak.since_s, beat_s), None, False
    if fall >= limits.recovery_bpm:
        return None, bpm, False
    if state.slow or beat_s - peak.until_s < _RECOVERY_S:
        return peak, None, state.slow
    if fall < _LEFT_PEAK_BPM or peak.until_s - peak.since_s < _LEAST_EFFORT_S:
        return Peak(bpm, peak.since_s, beat_s), None, False
    return peak, None, True


def exercise_readings(state: ExerciseState, limits: Limits) -> tuple[ConditionReading, ...]:
    """Return the readings by the newest beat: ``slow recovery``, ``sudden drop``, ``ectopy with effort``."""
    return _recovery(state, limits), _drop(state, limits), _ectopy(state, limits)


def _recovery(state: ExerciseState, limits: Limits) -> ConditionReading:
    if not state.slow or state.peak is None or state.bpm is None:
        return ConditionReading("slow recovery", False)
    fall = state.peak.bpm - state.bpm
    text = (
        f"The rate has fallen by {fall:.0f} per minute, from {state.peak.bpm:.0f}, in a minute or more after effort; "
        f"{limits.recovery_bpm:g} or more are expected."
    )
    return ConditionReading("slow recovery", True, text, fall, limits.recovery_bpm, state.rate_s[-MOST_EVIDENCE:])


def _drop(state: ExerciseState, limits: Limits) -> ConditionReading:
    if not state.rate_bpm or state.bpm is None:
        return ConditionReading("sudden drop", None)
    highest = max(state.rate_bpm)
    drop = highest - state.bpm
    if drop <= limits.drop_bpm or highest < limits.at_reserve(limits.effort_share):
        return ConditionReading("sudden drop", False)
    text = (
        f"The rate has fallen from {highest:.0f} to {state.bpm:.0f} per minute within {_DROP_WITHIN_S:g} s; more than "
        f"{limits.drop_bpm:g} is sudden."
    )
    return ConditionReading("sudden drop", True, text, drop, limits.drop_bpm, state.rate_s[-MOST_EVIDENCE:])


def _ectopy(state: ExerciseState, limits: Limits) -> ConditionReading:
    if state.bpm is None:
        return ConditionReading("ectopy with effort", None)
    count = len(state.ectopic_s)
    without_samples = 60.0 * state.rest_ectopic / state.rest_s if state.rest_s >= _LEAST_REST_S else 0.0
    limit = max(float(limits.ectopy_per_min), 2.0 * without_samples)
    if count < limit:
        return ConditionReading("ectopy with effort", False)
    text = (
        f"{count} ventricular-like beats in the last minute of effort, {without_samples:.1f} a minute at rest; "
        f"{limit:.1f} or more are frequent."
    )
    return ConditionReading("ectopy with effort", True, text, float(count), limit, state.ectopic_s[-MOST_EVIDENCE:])
