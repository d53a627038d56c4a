"""Apply inputs to monitors; turn failures into alarms."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from ectopy.monitor import (
    Chunk,
    Event,
    Input,
    InputRejected,
    Monitor,
    MonitorState,
    Notice,
    RejectedInput,
    ServiceReport,
)
from ectopy.monitor.monitor import Outcome
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.status import next_position

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
        Whether the monitor has failed on it.
    """

    state: MonitorState
    inputs: tuple[Input, ...]
    events: tuple[Event, ...]
    failed: bool = False

    @property
    def rejected(self) -> tuple[str, ...]:
        """Why it was not taken; empty where it was."""
        return tuple(event.reason for event in self.events if isinstance(event, InputRejected))

    @property
    def late(self) -> int:
        """How many samples were left out, for they were there already, or their time was over."""
        return sum(event.samples for event in self.events if isinstance(event, Notice))

    @property
    def next_position(self) -> int | None:
        """Position of the sample that comes next."""
        return next_position(self.state)


def fold(monitor: Monitor, patient: str, state: MonitorState, given: Input, now: float) -> Folded:
    """Take an input; see `fold_together`."""
    (folded,) = fold_together(monitor, [(patient, state, given)], now)
    if isinstance(folded, Exception):
        raise folded
    return folded


def fold_together(
    monitor: Monitor, inputs: Sequence[tuple[str, MonitorState, Input]], now: float
) -> list[Folded | Exception]:
    """Apply one input each of many patients; of a rejected chunk the rejection is kept, and not the samples.

    An input on which the monitor fails is rejected too, and the alarm ``detector failed`` is raised. Where that fails
    as well, the error is returned instead.
    """
    outcomes = monitor.step_together([(state, given) for _, state, given in inputs])
    return [_folded(monitor, *each, outcome, now) for each, outcome in zip(inputs, outcomes, strict=True)]


def _folded(
    monitor: Monitor, patient: str, state: MonitorState, given: Input, outcome: Outcome | Exception, now: float
) -> Folded | Exception:
    if isinstance(outcome, Exception):
        _log.error("an input of patient '%s' could not be taken", patient, exc_info=outcome)
        try:
            return _failed(monitor, state, outcome, now)
        except Exception as error:
            return error
    after, events = outcome
    if after is state:
        return Folded(state, (), ())
    if isinstance(given, Chunk) and events and isinstance(events[0], InputRejected):
        return Folded(after, (RejectedInput(given.received, events[0].reason),), events)
    return Folded(after, (given,), events)


def _failed(monitor: Monitor, state: MonitorState, error: Exception, now: float) -> Folded:
    text = f"An input could not be taken: {type(error).__name__}."
    stands = (RejectedInput(now, text), ServiceReport(now, ConditionReading("detector failed", True, text)))
    between, refused = monitor.step(state, stands[0])
    after, raised = monitor.step(between, stands[1])
    return Folded(after, stands, refused + raised, failed=True)
