"""One step of a shard of patients: records of the log in, events and changed parts of states out.

Nothing here knows Spark or Kafka. The result is a function of the log: it does not depend on how the log is cut into
micro-batches, on when these are processed, or on how often one is processed again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ectopy.monitor import Event, Input, Monitor, MonitorState, Tick
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.snapshot import encode_snapshot
from ectopy.monitor.state_parts import StoredState, changed_parts, join, split
from ectopy.monitor.status import origin
from ectopy.monitor.viewed_state import viewed_state
from ectopy.monitor.wake_time import IdleTime, idle_time
from ectopy.presentation import short_repr
from ectopy.service.monitoring.apply_input import apply_inputs

SHARD = ""
"""In place of a patient: the shard itself, which has the part `INDEX`."""
INDEX = "index"

_log = logging.getLogger(__name__)

ReadParts = Callable[[str], Mapping[str, bytes]]
"""Returns all stored parts of a patient, or of `SHARD`; none if there are none."""


class Topic(StrEnum):
    """The topic a record comes from."""

    SAMPLES = "samples"
    COMMANDS = "commands"


@dataclass(frozen=True, slots=True)
class LogRow:
    """A decoded record of the log.

    Attributes
    ----------
    partition, offset : int
        Of its topic.
    timestamp : float
        Of the record, seconds since 1970.
    patient : str
        Empty for a tick, which counts for all patients whose samples come from its partition.
    inputs : tuple of Input
        Chunks, with the time of the record as `received`; commands and reports, with it as `now`; or one `Tick`.
    """

    __repr__ = short_repr

    topic: Topic
    partition: int
    offset: int
    timestamp: float
    patient: str
    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class PatientEvent:
    """An event of a patient.

    Attributes
    ----------
    origin : float
        Time of stream second 0 when it happened, seconds since 1970.
    command : tuple of (int, int) or None
        Partition and offset of the command that it answers, by which the operator knows it again.
    """

    patient: str
    origin: float
    event: Event
    command: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that could not be processed at all, and was left out; `reason` is one sentence."""

    patient: str
    topic: Topic
    partition: int
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What is known of a patient without reading the state.

    Attributes
    ----------
    partition : int or None
        From which the patient's samples come; None before the first ones.
    """

    partition: int | None
    idle: IdleTime


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """The patients of a shard."""

    patients: dict[str, IndexEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShardResult:
    """Result of one step.

    Attributes
    ----------
    events : tuple of PatientEvent
        Those of each patient in order, with numbers without a gap.
    written : dict of str to dict of str to bytes
        By patient, or `SHARD`: the parts to write, by name.
    removed : dict of str to tuple of str
        By patient: the parts to remove.
    viewed : dict of str to bytes
        By patient whose state changed: a snapshot of the state as viewers need it.
    failures : tuple of Failure
    """

    __repr__ = short_repr

    events: tuple[PatientEvent, ...]
    written: dict[str, dict[str, bytes]]
    removed: dict[str, tuple[str, ...]]
    viewed: dict[str, bytes]
    failures: tuple[Failure, ...]


def step_shard(monitor: Monitor, read: ReadParts, rows: Iterable[LogRow]) -> ShardResult:
    """Take the records of one micro-batch.

    Parameters
    ----------
    read : callable
        Reads the parts of a patient that earlier steps have written.
    rows : iterable of LogRow
        Ticks, and the records of the patients of the shard, in any order.
    """
    step = _ShardStep(monitor, read)
    step.take(sorted(rows, key=lambda row: (row.timestamp, row.topic, row.partition, row.offset)))
    return step.result()


class _ShardStep:
    """One step while it is made."""

    def __init__(self, monitor: Monitor, read: ReadParts) -> None:
        self.monitor, self.read = monitor, read
        content = read(SHARD).get(INDEX)
        self.index = ShardIndex() if content is None else decode(ShardIndex, content)
        self.entries = dict(self.index.patients)
        self.stored: dict[str, StoredState | None] = {}
        self.states: dict[str, MonitorState] = {}
        self.events: list[PatientEvent] = []
        self.failures: list[Failure] = []

    def take(self, rows: Sequence[LogRow]) -> None:
        for row in rows:
            for input in row.inputs:
                if isinstance(input, Tick):
                    for patient, entry in list(self.entries.items()):
                        if entry.partition == row.partition and not entry.idle.covers(input):
                            self.apply(patient, row, input)
                else:
                    self.apply(row.patient, row, input)

    def apply(self, patient: str, row: LogRow, input: Input) -> None:
        (result,) = apply_inputs(self.monitor, [(patient, self.state(patient), input)], row.timestamp)
        if isinstance(result, Exception):
            reason = f"The monitor has failed: {type(result).__name__}."
            self.failures.append(Failure(patient, row.topic, row.partition, row.offset, reason))
            return
        self.states[patient] = result.state
        begin = origin(result.state)
        command = (row.partition, row.offset) if row.topic is Topic.COMMANDS else None
        self.events += [PatientEvent(patient, begin, event, command) for event in result.events]
        before = self.entries.get(patient)
        partition = row.partition if row.topic is Topic.SAMPLES else before.partition if before else None
        self.entries[patient] = IndexEntry(partition, idle_time(result.state))

    def state(self, patient: str) -> MonitorState:
        if patient not in self.states:
            parts = self.read(patient)
            stored = join(parts) if parts else None
            self.stored[patient] = stored
            self.states[patient] = stored.state if stored else MonitorState()
        return self.states[patient]

    def result(self) -> ShardResult:
        written: dict[str, dict[str, bytes]] = {}
        removed: dict[str, tuple[str, ...]] = {}
        for patient, state in self.states.items():
            stored = self.stored[patient]
            _, changes = split(state) if stored is None else changed_parts(stored, state)
            written[patient], removed[patient] = changes.written, changes.removed
        index = ShardIndex(self.entries)
        if index != self.index:
            written[SHARD] = {INDEX: encode(index)}
        viewed = {patient: encode_snapshot(viewed_state(state)) for patient, state in self.states.items()}
        return ShardResult(tuple(self.events), written, removed, viewed, tuple(self.failures))
