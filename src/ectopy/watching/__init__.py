"""Watches a recording, or samples on standard input, with the monitor of one patient.

``sources`` gives the monitor its inputs; ``plan`` says what the events depend on, and how to see an alarm again;
``tally`` and ``album`` keep what is told and shown at the end, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ectopy.analysis.patient_template import PatientNormal
from ectopy.errors import LayoutError
from ectopy.monitor import Chunk, Event, Input, Monitor, MonitorState
from ectopy.reprs import short_repr


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one input.

    Attributes
    ----------
    given : Input
    state : MonitorState
        After it.
    events : tuple of Event
    """

    __repr__ = short_repr

    given: Input
    state: MonitorState
    events: tuple[Event, ...]


def watch(monitor: Monitor, state: MonitorState, inputs: Iterable[Input]) -> Iterator[Step]:
    """Step through inputs as they come.

    Raises
    ------
    LayoutError
        If a patient's normal is given, and none of its leads is watched.
    """
    for given in inputs:
        if isinstance(given, Chunk) and state.signal is None and state.normal is not None:
            _require_known(state.normal, given.leads)
        state, events = monitor.step(state, given)
        yield Step(given, state, events)


def _require_known(normal: PatientNormal, leads: tuple[str, ...]) -> None:
    if normal.for_leads(leads) is None:
        known, watched = ", ".join(normal.leads), ", ".join(leads)
        raise LayoutError(f"the baseline was learned from the leads {known}, and none of them is watched: {watched}.")
