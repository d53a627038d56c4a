"""One input of one patient into the monitor, whatever it does to it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ectopy.monitor import Chunk, Event, Input, Monitor, MonitorState, Refusal, Refused, Report
from ectopy.monitor.findings import Reading

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Folded:
    """What came of an input.

    Attributes
    ----------
    state : MonitorState
    inputs : tuple of Input
        What has to be kept to come to the same state again: nothing, the input, or what stands for it.
    events : tuple of Event
    failed : bool
        Whether the monitor could not bear it.
    """

    state: MonitorState
    inputs: tuple[Input, ...]
    events: tuple[Event, ...]
    failed: bool = False

    @property
    def refused(self) -> tuple[str, ...]:
        """Why it was not taken; empty where it was."""
        return tuple(event.reason for event in self.events if isinstance(event, Refused))

    @property
    def wanted(self) -> int | None:
        """Position of the sample that comes next."""
        return None if self.state.signal is None else self.state.signal.segment.wanted


def fold(monitor: Monitor, patient: str, state: MonitorState, given: Input, now: float) -> Folded:
    """Take an input; of a refused chunk the refusal is kept, and not the samples.

    An input that the monitor cannot bear is refused too, and the alarm ``detector failed`` raised.
    """
    try:
        after, events = monitor.step(state, given)
    except Exception as error:
        _log.exception("an input of patient '%s' could not be taken", patient)
        text = f"An input could not be taken: {type(error).__name__}."
        stands = (Refusal(now, text), Report(now, Reading("detector failed", True, text)))
        between, refused = monitor.step(state, stands[0])
        after, raised = monitor.step(between, stands[1])
        return Folded(after, stands, refused + raised, failed=True)
    if after is state:
        return Folded(state, (), ())
    if isinstance(given, Chunk) and events and isinstance(events[0], Refused):
        return Folded(after, (Refusal(given.received, events[0].reason),), events)
    return Folded(after, (given,), events)
