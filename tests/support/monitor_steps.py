"""A monitor that is given one input after the other."""

from __future__ import annotations

from ectopy.monitor import Event, Input, Monitor, MonitorState


def feed(monitor: Monitor, state: MonitorState, *inputs: Input) -> tuple[MonitorState, list[Event]]:
    """Step through the inputs; gives the state after the last one, and all events."""
    events: list[Event] = []
    for one in inputs:
        state, new = monitor.step(state, one)
        events += new
    return state, events
