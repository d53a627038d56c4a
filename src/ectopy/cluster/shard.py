"""One step of a shard of patients: records of the log in, events and changed parts of states out.

Nothing here knows Spark or Kafka. The result is a function of the log: it does not depend on how the log is cut into
micro-batches, on when these are processed, or on how often one is processed again. Only a command that arrives after
later samples of its patient were processed is carried out later than its time says: no sample waits for a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from ectopy.cluster.backlog import Backlog, BacklogReader, StoredItem
from ectopy.cluster.log_rows import LogItem, LogRow, Order, Topic, cost_s, order_rows
from ectopy.errors import DataError
from ectopy.monitor import Event, Monitor, MonitorState, Tick
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.snapshot import encode_snapshot
from ectopy.monitor.state_parts import TRUNK, StoredState, changed_parts, join, split
from ectopy.monitor.status import origin
from ectopy.monitor.viewed_state import viewed_state
from ectopy.monitor.wake_time import IdleTime, idle_time
from ectopy.presentation import short_repr
from ectopy.service.monitoring.apply_input import StepResult, apply_inputs

SHARD = ""
"""In place of a patient: the shard itself, which has the part `INDEX`."""
INDEX = "index"

SHARE_S = 30.0
"""Signal of one patient that is processed in one step, so that the others do not wait."""

ReadParts = Callable[[str], Mapping[str, bytes]]
"""Returns the stored parts of a patient, or of `SHARD`; none if there are none. Only `get` of it is called."""


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
        Of the stored state, by which one that is still in memory is recognised; empty while there is none.
    waiting : tuple of StoredItem
        Commands that are later than the records of the partition so far.
    """

    partition: int
    idle: IdleTime | None = None
    token: bytes = b""
    backlog: Backlog = field(default_factory=Backlog)
    waiting: tuple[StoredItem, ...] = ()


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """The patients of a shard, and up to when each partition of samples is read."""

    patients: dict[str, IndexEntry] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecentState:
    """A stored state that is still in memory."""

    __repr__ = short_repr

    token: bytes
    stored: StoredState


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


def step_shard(
    monitor: Monitor, read: ReadParts, rows: Iterable[LogRow], recent: dict[str, RecentState] | None = None
) -> ShardResult:
    """Take the records of one micro-batch.

    Parameters
    ----------
    read : callable
        Reads the parts of a patient that earlier steps have written.
    rows : iterable of LogRow
        Ticks, and the records of the patients of the shard, in any order.
    recent : dict of str to RecentState or None
        States that the steps of this process left, by patient; those of this step are put in. It may be empty, or hold
        states that are not stored any more.
    """
    content = read(SHARD).get(INDEX)
    index = ShardIndex() if content is None else decode(ShardIndex, content)
    waiting = {
        patient: [item.decoded() for item in entry.waiting]
        for patient, entry in index.patients.items()
        if entry.waiting
    }
    partitions = {patient: entry.partition for patient, entry in index.patients.items()}
    order = order_rows(list(rows), waiting, partitions, index.times)
    turns = [
        _Turn(patient, index.patients.get(patient, IndexEntry(partition)), order, read, recent or {})
        for patient, partition in order.partitions.items()
    ]
    _process(monitor, [turn for turn in turns if turn.has_something_due()])
    # Collect what each patient's turn has left.
    result = ShardResult((), {}, {}, {}, ())
    entries: dict[str, IndexEntry] = {}
    for turn in turns:
        entries[turn.patient] = turn.finish(result, recent)
    after = ShardIndex(entries, order.times)
    if after != index:
        result.written[SHARD] = {INDEX: encode(after)}
    events = tuple(event for turn in turns for event in turn.events)
    failures = tuple(failure for turn in turns for failure in turn.failures)
    return ShardResult(events, result.written, result.removed, result.viewed, failures)


def _process(monitor: Monitor, turns: Sequence[_Turn]) -> None:
    """Take the next input of all patients together, as long as one has some left of its share."""
    while pairs := [(turn, item) for turn in turns if (item := turn.next()) is not None]:
        inputs = [(turn.patient, turn.state, item.input) for turn, item in pairs]
        for (turn, item), result in zip(pairs, apply_inputs(monitor, inputs), strict=True):
            turn.take(item, result)
        turns = [turn for turn, _ in pairs]


class _Turn:
    """What is done for one patient in one step."""

    def __init__(
        self, patient: str, entry: IndexEntry, order: Order, read: ReadParts, recent: Mapping[str, RecentState]
    ) -> None:
        self.patient, self.entry = patient, entry
        self.events: list[PatientEvent] = []
        self.failures: list[Failure] = []
        self._queue = order.queues.get(patient, [])
        self._waiting = order.waiting.get(patient, [])
        self._partition = order.partitions[patient]
        self._read, self._recent = read, recent
        self._place, self._spent_s = 0, 0.0
        self._has_begun = bool(entry.token)  # a patient of whom nothing has come yet has no time either
        self._stored: StoredState | None = None
        self._state: MonitorState | None = None
        self._idle: IdleTime | None = None
        self._backlog: BacklogReader | None = None

    def has_something_due(self) -> bool:
        """Return whether the state has to be read."""
        if self.entry.backlog:
            return True
        idle = self.entry.idle
        return any(
            not isinstance(item.input, Tick) or (idle is not None and not idle.covers(item.input))
            for item in self._queue
        )

    @property
    def state(self) -> MonitorState:
        """The state after the inputs so far."""
        assert self._state is not None
        return self._state

    def next(self) -> LogItem | None:
        """Return the next input, that ticks that change nothing are left out of; None if the share is used up."""
        try:
            self._load()
            while (item := self._peek()) is not None:
                spent_s = self._spent_s + cost_s(item.input)
                if spent_s > SHARE_S and self._spent_s:
                    return None
                self._advance()
                if isinstance(item.input, Tick) and (not self._has_begun or self._is_idle(item.input)):
                    continue
                self._spent_s, self._has_begun = spent_s, True
                return item
        except DataError as error:  # this patient's stored state is damaged; the others go on
            self._fail_all(str(error))
        return None

    def take(self, item: LogItem, result: StepResult | Exception) -> None:
        """Take the result of an input."""
        if isinstance(result, Exception):
            reason = f"The monitor has failed: {type(result).__name__}."
            self.failures.append(Failure(self.patient, item.topic, item.partition, item.offset, reason))
            return
        if result.state is not self._state:
            self._state, self._idle = result.state, None
        begin = origin(result.state)
        command = (item.partition, item.offset) if item.topic is Topic.COMMANDS else None
        self.events += [PatientEvent(self.patient, begin, event, command) for event in result.events]

    def finish(self, result: ShardResult, recent: dict[str, RecentState] | None) -> IndexEntry:
        """Put what is to be written into the result, and return the entry of the index."""
        entry, state = self.entry, self._state
        idle, token, backlog = entry.idle, entry.token, entry.backlog
        written: dict[str, bytes] = {}
        removed: tuple[str, ...] = ()
        if state is not None and self._has_begun and (self._stored is None or state is not self._stored.state):
            stored, changes = split(state) if self._stored is None else changed_parts(self._stored, state)
            written, removed = changes.written, changes.removed
            token = blake2b(written[TRUNK], digest_size=8).digest()
            result.viewed[self.patient] = encode_snapshot(viewed_state(state))
            if recent is not None:
                recent.pop(self.patient, None)
                recent[self.patient] = RecentState(token, stored)
        if state is not None and self._has_begun:
            idle = self._idle or idle_time(state)
        if self._backlog is not None:
            backlog, new_parts, old_parts = self._backlog.with_new(self._queue[self._place :])
            written, removed = written | new_parts, (*removed, *old_parts)
        if written:
            result.written[self.patient] = written
        if removed:
            result.removed[self.patient] = removed
        waiting = tuple(map(StoredItem.of, self._waiting))
        return IndexEntry(self._partition, idle, token, backlog, waiting)

    def _load(self) -> None:
        if self._state is not None:
            return
        recent = self._recent.get(self.patient)
        is_recent = recent is not None and recent.token == self.entry.token
        is_stored = bool(self.entry.token) and not is_recent
        parts = self._read(self.patient) if is_stored or self.entry.backlog else {}
        if recent is not None and is_recent:
            self._stored = recent.stored
        elif is_stored:
            self._stored = join(parts)
        self._state = self._stored.state if self._stored is not None else MonitorState()
        self._backlog = BacklogReader(self.entry.backlog, parts)

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

    def _fail_all(self, reason: str) -> None:
        """Give up the new inputs of a patient whose stored parts are damaged, and leave the parts as they are."""
        self.failures += [
            Failure(self.patient, item.topic, item.partition, item.offset, reason)
            for item in self._queue[self._place :]
            if not isinstance(item.input, Tick)
        ]
        self._place = len(self._queue)
