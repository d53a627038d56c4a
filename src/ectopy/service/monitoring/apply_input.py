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
from ectopy.monitor.inputs import input_time
from ectopy.monitor.patient_step import Outcome
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.status import next_position

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of an input; `failed` says that the monitor has failed on it.

    `inputs` are those to be stored to reach the same state again: none, the input, or others in its place.
    """

    state: MonitorState
    inputs: tuple[Input, ...]
    events: tuple[Event, ...]
    failed: bool = False

    @property
    def rejected(self) -> tuple[str, ...]:
        """Reasons why the input was rejected; empty where it was not."""
        return tuple(event.reason for event in self.events if isinstance(event, InputRejected))

    @property
    def late(self) -> int:
        """Return how many samples were left out as duplicates, or because their time was over."""
        return sum(event.samples for event in self.events if isinstance(event, Notice))

    @property
    def next_position(self) -> int | None:
        """Position of the sample that comes next."""
        return next_position(self.state)


def apply_input(monitor: Monitor, patient: str, state: MonitorState, input: Input) -> StepResult:
    """Apply an input; see `apply_inputs`."""
    (result,) = apply_inputs(monitor, [(patient, state, input)])
    if isinstance(result, Exception):
        raise result
    return result


def apply_inputs(monitor: Monitor, inputs: Sequence[tuple[str, MonitorState, Input]]) -> list[StepResult | Exception]:
    """Apply one input each of many patients; of a rejected chunk the rejection is kept, and not the samples.

    An input on which the monitor fails is rejected too, and the alarm ``detector failed`` is raised. Where that fails
    as well, the error is returned instead.
    """
    outcomes = monitor.step_together([(state, input) for _, state, input in inputs])
    return [_result(monitor, *row, outcome) for row, outcome in zip(inputs, outcomes, strict=True)]


def _result(
    monitor: Monitor, patient: str, state: MonitorState, input: Input, outcome: Outcome | Exception
) -> StepResult | Exception:
    if isinstance(outcome, Exception):
        _log.error("an input of patient '%s' could not be taken", patient, exc_info=outcome)
        try:
            return _failed(monitor, state, outcome, input_time(input))
        except Exception as error:
            return error
    after, events = outcome
    if after is state:
        return StepResult(state, (), ())
    if isinstance(input, Chunk) and events and isinstance(events[0], InputRejected):
        return StepResult(after, (RejectedInput(input.received, events[0].reason),), events)
    return StepResult(after, (input,), events)


def _failed(monitor: Monitor, state: MonitorState, error: Exception, now: float) -> StepResult:
    text = f"An input could not be taken: {type(error).__name__}."
    inputs = (RejectedInput(now, text), ServiceReport(now, ConditionReading("detector failed", True, text)))
    events: tuple[Event, ...] = ()
    for input in inputs:
        state, new_events = monitor.step(state, input)
        events += new_events
    return StepResult(state, inputs, events, failed=True)
