"""The time of a patient: stream seconds by the service's clock, which may be set, and by samples, which may be late."""

from __future__ import annotations

from ectopy.monitor.clock_pace import LATE_S, follow
from ectopy.monitor.monitor_state import MonitorState
from ectopy.monitor.status import origin
from ectopy.monitor.technical import NO_DATA_S
from ectopy.signal.state_replace import replace


def stream_second(state: MonitorState, now: float) -> float:
    """Return the stream second of a time; seconds never run backwards."""
    # `max` in this order: a NaN time, for which an input is rejected, falls back to `clock_s`.
    return max(state.clock_s, now - origin(state))


def timers_to_s(state: MonitorState, now: float) -> float:
    """Return the stream second to which timers have come."""
    now_s, signal = stream_second(state, now), state.signal
    if signal is None or state.has_second_clock or state.silent:
        return now_s
    # The clock may have been set forwards: while late samples come, they tell how much time passes.
    by_samples_s = signal.segment.second(signal.segment.next_position) + now - state.received
    return now_s if now_s - by_samples_s <= LATE_S else max(state.clock_s, by_samples_s)


def keep_time(state: MonitorState, now: float) -> MonitorState:
    """Start time, or keep it from running backwards after the clock was set back."""
    if state.epoch is None:
        state = replace(state, epoch=now, received=now)
    latest_s = max(state.clock_s, state.alarms.at_s)
    if latest_s - (now - origin(state)) > NO_DATA_S:
        epoch = now - latest_s
        state = replace(state, epoch=epoch, pace=state.pace.shifted(epoch - origin(state)))
    return state


def shift_time(state: MonitorState, set_s: float) -> MonitorState:
    """Shift all clock times after the clock was set; stream seconds go on."""
    received, pace = state.received + set_s, state.pace.shifted(set_s)
    leap_s = max(state.leap_s + set_s, 0.0)
    return replace(state, epoch=origin(state) + set_s, received=received, pace=pace, leap_s=leap_s)


def follow_samples(state: MonitorState, received: float, end_s: float, *, has_hole: bool) -> MonitorState:
    """Let the time follow samples that end at a stream second, where they are the newest.

    Parameters
    ----------
    received : float
        When they came, seconds since 1970.
    has_hole : bool
        Whether samples are missing in front of them.
    """
    epoch, leap_s = origin(state), state.leap_s
    pace, next_epoch = follow(
        state.pace,
        epoch,
        received,
        end_s,
        sets_clock=not has_hole or leap_s > 0,
        may_be_set=not state.has_second_clock,
    )
    if pace is state.pace and next_epoch == epoch and not leap_s:
        return state
    return replace(state, pace=pace, epoch=next_epoch, leap_s=0.0)
