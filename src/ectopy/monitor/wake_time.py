"""The time at which a monitor has something to do, though no input but a tick comes.

Whoever has many patients, and their states far away, need not load a state for a tick that changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ectopy.monitor.alarms import next_deadline_s
from ectopy.monitor.chunk_assembly import WAIT_S
from ectopy.monitor.clock_pace import LATE_S
from ectopy.monitor.inputs import Tick
from ectopy.monitor.monitor_state import MonitorState
from ectopy.monitor.technical import NO_DATA_S

_ROUNDING_S = 0.001


@dataclass(frozen=True, slots=True)
class IdleTime:
    """The time in which a tick changes nothing, seconds since 1970.

    Attributes
    ----------
    since_at : float
        An earlier tick says that the clock was set back.
    until_at : float
        When silence, a gap or a timer of an alarm is due; at most a millisecond too early.
    has_second_clock : bool or None
        Whether the ticks before said by how much the clock was set; None where that does not matter.
    """

    since_at: float
    until_at: float
    has_second_clock: bool | None

    def covers(self, tick: Tick) -> bool:
        """Return whether this tick changes nothing."""
        if self.has_second_clock is None:
            return True
        same_clock = (tick.set_s is not None) == self.has_second_clock and not tick.set_s
        return same_clock and self.since_at <= tick.now < self.until_at


def idle_time(state: MonitorState) -> IdleTime:
    """Return the time in which ticks change neither the state nor give events, until another input comes."""
    if state.discharged:
        return IdleTime(-inf, inf, None)
    if state.epoch is None:  # time begins with the first tick
        return IdleTime(inf, inf, state.has_second_clock)
    latest_s = max(state.clock_s, state.alarms.at_s)
    since_at = max(state.epoch + latest_s, state.received) - NO_DATA_S
    return IdleTime(since_at + _ROUNDING_S, _due_at(state, state.epoch) - _ROUNDING_S, state.has_second_clock)


def _due_at(state: MonitorState, epoch: float) -> float:
    """Return when something is due: the silence, samples that are given up, a timer of an alarm."""
    due_at = [inf if state.silent else state.received + NO_DATA_S]
    segment = None if state.signal is None else state.signal.segment
    if segment is not None and segment.buffered:
        due_at.append(state.received + WAIT_S)
    deadline_s = next_deadline_s(state.alarms)
    if deadline_s is not None:
        due_at.append(-inf if deadline_s <= state.clock_s else epoch + deadline_s)
        # Where samples are late, and no second clock tells why, the timers follow the samples.
        if segment is not None and not (state.has_second_clock or state.silent):
            ahead_s = segment.second(segment.next_position) - state.received
            if -epoch - ahead_s > LATE_S and deadline_s > state.clock_s:
                due_at[-1] = deadline_s - ahead_s
    return min(due_at)
