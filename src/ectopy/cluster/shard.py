"""One step of a shard of patients: records of the log in, events and what is to be stored out.

Nothing here knows Spark or Kafka. The result is a function of the log: it does not depend on how the log is cut into
micro-batches, on when these are processed, or on how often one is processed again. Only a command that arrives after
later samples of its patient were processed is carried out later than its time says: no sample waits for a command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.cluster.backlog import Backlog, BacklogReader, StoredItem
from ectopy.cluster.input_log import STATE, ReadPart, StoredInput, is_due, part_name, restore, write_inputs
from ectopy.cluster.log_rows import LogItem, LogRow, Order, Topic, cost_s, order_rows
from ectopy.cluster.state_memory import StateMemory, next_token
from ectopy.errors import DataError
from ectopy.monitor import Event, Monitor, MonitorState, Tick
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.snapshot import encode_snapshot
from ectopy.monitor.status import normal, origin
from ectopy.monitor.viewed_state import viewed_state, without_template
from ectopy.monitor.wake_time import IdleTime, idle_time
from ectopy.presentation import short_repr
from ectopy.service.monitoring.apply_input import StepResult, apply_inputs
from ectopy.signal.state_replace import replace

SHARD = ""
"""In place of a patient: the shard itself, which has the part `INDEX`, and the inputs of its last steps."""
INDEX = "index"

SHARE_S = 30.0
"""Signal of one patient that is processed in one step, so that the others do not wait."""

REPLAYED_S = 30.0
"""Most signal of one patient that is stored as inputs; beyond it the state is stored, even out of turn."""

_LEAST_S = 0.001


@dataclass(frozen=True, slots=True)
class PatientEvent:
    """An event, with the time of stream second 0 when it happened, seconds since 1970.

    Attributes
    ----------
    command : tuple of (int, int) or None
        Partition and offset of the command that it answers, by which the operator knows it again.
    """

    patient: str
    origin: float
    event: Event
    command: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that could not be processed at all, and was left out; `reason` is one sentence.

    Its record may be one of an earlier micro-batch.
    """

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
    partition : int
        From which the patient's samples come; 0 before the first ones.
    idle : IdleTime or None
        When ticks change nothing; None while there is no state.
    token : bytes
        Identifies the state among those still in memory; empty before the first state.
    stored_at : int
        The step after which the state was stored.
    since_s : float
        Signal in the inputs since then; 0 if there are none.
    events : int
        How many events there have been.
    waiting : tuple of StoredItem
        Commands that are later than the records of the partition so far.
    """

    partition: int
    idle: IdleTime | None = None
    token: bytes = b""
    stored_at: int = 0
    since_s: float = 0.0
    events: int = 0
    backlog: Backlog = field(default_factory=Backlog)
    waiting: tuple[StoredItem, ...] = ()

    def unchanged_since(self, step: int) -> int:
        """Return the last step before this one after which the stored state was the state."""
        return self.stored_at if self.since_s else step - 1


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """The patients of a shard, up to when each partition of samples is read, and the steps with inputs so far."""

    step: int = 0
    patients: dict[str, IndexEntry] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)


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
        By patient whose state changed or was stored: a snapshot of the state as viewers need it, which has the
        patient's template if that is another one than before the step, or the state was stored.
    failures : tuple of Failure
    """

    __repr__ = short_repr

    events: tuple[PatientEvent, ...]
    written: dict[str, dict[str, bytes]]
    removed: dict[str, tuple[str, ...]]
    viewed: dict[str, bytes]
    failures: tuple[Failure, ...]


def step_shard(
    monitor: Monitor, read: ReadPart, rows: Iterable[LogRow], memory: StateMemory | None = None
) -> ShardResult:
    """Take the records of one micro-batch.

    Parameters
    ----------
    read : callable
        Reads a part that earlier steps have written.
    rows : iterable of LogRow
        Ticks, and the records of the patients of the shard, in any order.
    memory : StateMemory or None
        Of states that earlier steps have left; those of this step are put in. It may be empty, or have others.
    """
    content = read(SHARD, INDEX)
    index = ShardIndex() if content is None else decode(ShardIndex, content)
    waiting = {
        patient: [item.decoded() for item in entry.waiting]
        for patient, entry in index.patients.items()
        if entry.waiting
    }
    partitions = {patient: entry.partition for patient, entry in index.patients.items()}
    order = order_rows(list(rows), waiting, partitions, index.times)
    step, memory = index.step + 1, memory or StateMemory()
    turns = [
        _Turn(patient, index.patients.get(patient, IndexEntry(partition)), step, order, read)
        for patient, partition in order.partitions.items()
    ]
    due = [turn for turn in turns if turn.has_something_due()]
    _load(monitor, read, step, due, memory)
    _process(monitor, due)
    # Collect what each patient's turn has left.
    result = ShardResult((), {}, {}, {}, ())
    entries = {turn.patient: turn.finish(result, memory) for turn in turns}
    inputs = {turn.patient: tuple(turn.inputs) for turn in turns if turn.inputs and not turn.has_stored_state}
    has_stored = bool(inputs) or any(turn.has_stored_state for turn in turns)
    after = ShardIndex(step if has_stored else index.step, entries, order.times)
    shard_parts = {INDEX: encode(after)} if after != index else {}
    if has_stored:
        shard_parts[part_name(step)] = write_inputs(step, inputs)
    if shard_parts:
        result.written[SHARD] = shard_parts
    events = tuple(event for turn in turns for event in turn.events)
    failures = tuple(failure for turn in turns for failure in turn.failures)
    return ShardResult(events, result.written, result.removed, result.viewed, failures)


def _load(monitor: Monitor, read: ReadPart, step: int, turns: Sequence[_Turn], memory: StateMemory) -> None:
    """Give each turn its state, from memory or else from what is stored."""
    absent: list[_Turn] = []
    for turn in turns:
        entry = turn.entry
        state = memory.get(turn.patient, entry.token) if entry.token else MonitorState()
        if state is None:
            absent.append(turn)
        else:
            turn.begin(state)
    if not absent:
        return
    stored_at = {turn.patient: turn.entry.unchanged_since(step) for turn in absent}
    results = restore(monitor, read, SHARD, step, stored_at)
    for turn in absent:
        state_or_error = results[turn.patient]
        if isinstance(state_or_error, DataError):  # the others go on
            turn.give_up(str(state_or_error))
        else:
            # Another version may say more or less of the inputs since; what was said stays so, and is not said again.
            turn.begin(replace(state_or_error, events=turn.entry.events))


def _process(monitor: Monitor, turns: Sequence[_Turn]) -> None:
    """Take the next input of all patients together, as long as one has some left of its share."""
    while pairs := [(turn, item) for turn in turns if (item := turn.next()) is not None]:
        inputs = [(turn.patient, turn.state, item.input) for turn, item in pairs]
        for (turn, item), result in zip(pairs, apply_inputs(monitor, inputs), strict=True):
            turn.take(item, result)
        turns = [turn for turn, _ in pairs]


class _Turn:
    """What is done for one patient in one step."""

    def __init__(self, patient: str, entry: IndexEntry, step: int, order: Order, read: ReadPart) -> None:
        self.patient, self.entry = patient, entry
        self.events: list[PatientEvent] = []
        self.failures: list[Failure] = []
        self.inputs: list[StoredInput] = []
        self.has_stored_state = False
        self._step, self._read = step, read
        self._queue = order.queues.get(patient, [])
        self._waiting = order.waiting.get(patient, [])
        self._partition = order.partitions[patient]
        self._place, self._spent_s = 0, 0.0
        self._has_begun = bool(entry.token)  # a patient of whom nothing has come yet has no time either
        self._state: MonitorState | None = None
        self._normal_before: PatientTemplate | None = None
        self._idle: IdleTime | None = None
        self._backlog: BacklogReader | None = None

    def has_something_due(self) -> bool:
        """Return whether the state is needed."""
        if self.entry.backlog or (self.entry.since_s and is_due(self.patient, self.entry.stored_at, self._step)):
            return True
        idle = self.entry.idle
        return any(
            not isinstance(item.input, Tick) or (idle is not None and not idle.covers(item.input))
            for item in self._queue
        )

    def begin(self, state: MonitorState) -> None:
        """Take the state before the first input."""
        self._state, self._normal_before = state, normal(state)
        self._backlog = BacklogReader(self.entry.backlog, self.patient, self._read)

    def give_up(self, reason: str) -> None:
        """Give up the new inputs of a patient whose stored parts are damaged, and leave the parts as they are."""
        self.failures += [
            Failure(self.patient, item.topic, item.partition, item.offset, reason)
            for item in self._queue[self._place :]
            if not isinstance(item.input, Tick)
        ]
        self._place = len(self._queue)

    @property
    def state(self) -> MonitorState:
        """The state after the inputs so far."""
        assert self._state is not None
        return self._state

    def next(self) -> LogItem | None:
        """Return the next input, that ticks that change nothing are left out of; None if the share is used up."""
        if self._state is None:
            return None
        try:
            while (item := self._peek()) is not None:
                spent_s = self._spent_s + cost_s(item.input)
                if spent_s > SHARE_S and self._spent_s:
                    return None
                self._advance()
                if isinstance(item.input, Tick) and (not self._has_begun or self._is_idle(item.input)):
                    continue
                self._spent_s, self._has_begun = spent_s, True
                return item
        except DataError as error:  # the backlog is damaged; the others go on
            self.give_up(str(error))
        return None

    def take(self, item: LogItem, result: StepResult | Exception) -> None:
        """Take the result of an input."""
        if isinstance(result, Exception):
            reason = f"The monitor has failed: {type(result).__name__}."
            self.failures.append(Failure(self.patient, item.topic, item.partition, item.offset, reason))
            return
        if result.state is not self._state:
            self._state, self._idle = result.state, None
        self.inputs += map(StoredInput.of, result.inputs)
        begin = origin(result.state)
        command = (item.partition, item.offset) if item.topic is Topic.COMMANDS else None
        self.events += [PatientEvent(self.patient, begin, event, command) for event in result.events]

    def finish(self, result: ShardResult, memory: StateMemory) -> IndexEntry:
        """Put what is to be written into the result, and return the entry of the index."""
        entry, state = self.entry, self._state
        waiting = tuple(map(StoredItem.of, self._waiting))
        if state is None:
            return replace(entry, partition=self._partition, waiting=waiting)
        token, stored_at, since_s, idle = entry.token, entry.unchanged_since(self._step), entry.since_s, entry.idle
        content = b""
        if self.inputs:
            since_s += max(self._spent_s, _LEAST_S)
            token = next_token(self.patient, token, encode(tuple(self.inputs)))
            content = encode_snapshot(state)
            memory.put(self.patient, entry.token, token, state, content)
        assert self._backlog is not None
        backlog, written, removed = self._backlog.with_new(self._queue[self._place :])
        if since_s and (not entry.token or is_due(self.patient, stored_at, self._step) or since_s > REPLAYED_S):
            written[STATE] = content or encode_snapshot(state)
            stored_at, since_s, self.has_stored_state = self._step, 0.0, True
        if self.inputs or self.has_stored_state:
            result.viewed[self.patient] = self._viewed(state)
        if written:
            result.written[self.patient] = written
        if removed:
            result.removed[self.patient] = removed
        if self._has_begun:
            idle = self._idle or idle_time(state)
        return IndexEntry(self._partition, idle, token, stored_at, since_s, state.events, backlog, waiting)

    def _viewed(self, state: MonitorState) -> bytes:
        viewed = viewed_state(state)
        # Viewers remember the template: those who begin wait for it until the state is stored again.
        has_template = self.has_stored_state or normal(state) is not self._normal_before
        return encode_snapshot(viewed if has_template else without_template(viewed))

    def _peek(self) -> LogItem | None:
        assert self._backlog is not None
        item = self._backlog.peek()
        if item is not None:
            return item
        return self._queue[self._place] if self._place < len(self._queue) else None

    def _advance(self) -> None:
        assert self._backlog is not None
        if self._backlog.is_empty:
            self._place += 1
        else:
            self._backlog.take()

    def _is_idle(self, tick: Tick) -> bool:
        if self._idle is None:
            self._idle = idle_time(self.state)
        return self._idle.covers(tick)
