"""Results of monitors on their way into the store: kept while the store is away, and answered.

A sender learns once its input is *stored*. Where that takes longer than a second, or the store is known to be away, it
learns first that the input is *acknowledged*: the monitor has processed it, and it is in memory until it is stored. A
sender keeps what is acknowledged and not stored, for it is lost if the process dies.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import TypeVar

from ectopy.errors import DatabaseError, DataError, EctopyError, StorageError
from ectopy.monitor import AlarmChanged, Chunk, Event
from ectopy.service.notify.memory_outbox import MemoryOutbox
from ectopy.service.notify.outbox import Delivery
from ectopy.service.storage import Offsets, StepRecord, Store

ACKNOWLEDGED_AFTER_S = 1.0
"""Longest time that a sender, and a message about an alarm, wait for the store."""

_RETRY_S = 1.0
_PATIENCE_S = 5.0
_MOST_BATCHES = 16
_MOST_MISSING = 100

_log = logging.getLogger(__name__)

T = TypeVar("T")
StepListener = Callable[[Sequence[StepRecord]], None]
"""Receives steps, in the thread that has made or stored them: it must be quick."""


class GapError(StorageError):
    """Samples that were acknowledged before a restart are missing in front of these: they are to be sent first."""


def sentence(error: StorageError) -> str:
    """Return the message of a failure of the store for clients: without its address, and without a driver's words.

    The log has the whole message.
    """
    if isinstance(error, DatabaseError):
        return "the database cannot be reached, or fails; the log of the service says why. Try again when it is back."
    return str(error)


class Unstored:
    """Tells when an acknowledged input has been stored, or that it has to be sent again for that."""

    __slots__ = ("_error", "_is_resolved", "_listener")

    _lock = threading.Lock()

    def __init__(self) -> None:
        self._is_resolved = False
        self._error: EctopyError | None = None
        self._listener: Callable[[EctopyError | None], None] | None = None

    def then(self, listener: Callable[[EctopyError | None], None]) -> None:
        """Call `listener` once, with None when the input is stored, else with the error, in any thread."""
        with self._lock:
            if not self._is_resolved:
                self._listener = listener
                return
        listener(self._error)

    def resolve(self, error: EctopyError | None) -> None:
        """Tell the listener that the input is stored, or the error."""
        with self._lock:
            self._is_resolved, self._error = True, error
            listener, self._listener = self._listener, None
        if listener is not None:
            listener(error)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to the sender of an input.

    `rejected` are the reasons why it was rejected, `next_position` is that of the sample that comes next, None before
    the first one, and `late` is how many samples were left out as duplicates, or because their time was over. Where
    `unstored` is None the input is stored; else it is acknowledged, and `unstored` tells when it is stored.
    """

    patient: str
    rejected: tuple[str, ...]
    next_position: int | None
    late: int = 0
    unstored: Unstored | None = None

    @property
    def stored(self) -> bool:
        """Return whether the input outlives the process."""
        return self.unstored is None


@dataclass(slots=True, eq=False)
class Batch:
    """Steps to be stored together, and the receipts that wait for that.

    `receipts` are those not given out yet, `unstored` are acknowledged inputs by patient, and `sizes` the bytes of the
    inputs of each patient. `offsets` say how far the topics have been read that the steps come from. `began` is by a
    clock that is never set; where it is `acknowledged`, no sender waits for the store any more.
    """

    steps: list[StepRecord] = field(default_factory=list)
    receipts: list[tuple[Future[Receipt], Receipt]] = field(default_factory=list)
    unstored: list[tuple[str, Unstored]] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    acknowledged: bool = False
    offsets: Offsets = field(default_factory=dict)


@dataclass(slots=True)
class AbandonedSamples:
    """The remains of a patient's steps whose samples have been given up, for the reason `error`.

    Of `events` there are only alarms, for their log has to be whole, without the beats as evidence. `next_input` is the
    number of the next input by the store, None while it is not known; `damaged` says that the store cannot know it, for
    an input is missing in it.
    """

    error: EctopyError
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    commands: list[int] = field(default_factory=list)
    next_input: int | None = None
    damaged: bool = False

    def add(self, step: StepRecord) -> None:
        """Keep all of a step but its samples."""
        self.add_events(step.events)
        self.deliveries += step.deliveries
        self.commands += step.commands

    def step(self, patient: str, next_input: int, origin: float, snapshot: bytes | None = None) -> StepRecord:
        """Return a step without inputs that has them all."""
        events, deliveries, commands = tuple(self.events), tuple(self.deliveries), tuple(self.commands)
        return StepRecord(patient, next_input, (), events, origin, snapshot, deliveries, commands)

    def add_events(self, events: Iterable[Event]) -> None:
        """Keep the alarms."""
        self.events += [replace(event, evidence=None) for event in events if isinstance(event, AlarmChanged)]


@dataclass(slots=True)
class _MissingSamples:
    """Samples of a stream from a position to before another."""

    stream: str
    start: int
    stop: int

    def without(self, chunk: Chunk) -> list[_MissingSamples]:
        """Return the parts that a chunk does not cover."""
        end = chunk.position + len(chunk.signal)
        if chunk.stream != self.stream or end <= self.start or self.stop <= chunk.position:
            return [self]
        parts = (_MissingSamples(self.stream, self.start, chunk.position), _MissingSamples(self.stream, end, self.stop))
        return [part for part in parts if part.start < part.stop]


class WriteBuffer:
    """Between two threads: one makes batches and adds them, the other stores them.

    While the store is away, senders learn that their inputs are acknowledged, and messages are delivered from `memory`.
    When the room is used up, the samples of the patient with most of it are given up, and so are those of a patient
    whose steps cannot be stored; patients go on from their present states then.

    `away` says for clients why the store takes nothing; it is empty while it does.

    Parameters
    ----------
    store : Store
    room_bytes : int
        Limit of what waits to be stored, of all patients together.
    wake : callable
        Called when there are messages to deliver.
    on_stored : callable
        Called with the steps that have been stored.
    """

    def __init__(self, store: Store, room_bytes: int, wake: Callable[[], None], on_stored: StepListener) -> None:
        self._store, self._room, self._wake, self._on_stored = store, room_bytes, wake, on_stored
        self.memory = MemoryOutbox()
        self.away = ""
        self._error = ""
        self._tried_at = 0.0
        self._lock = threading.Lock()
        self._batches: deque[Batch] = deque()
        self._sizes: Counter[str] = Counter()
        self._stored_deliveries: list[Delivery] = []
        self._abandoned: dict[str, AbandonedSamples] = {}
        self._missing: dict[str, deque[_MissingSamples]] = {}
        self._answers: list[tuple[Future[Receipt], Receipt | EctopyError]] = []
        self._resolved: list[tuple[Unstored, EctopyError | None]] = []

    @property
    def waiting(self) -> int:
        """How many batches wait to be stored."""
        return len(self._batches)

    # By the thread that makes batches

    def add(self, batch: Batch) -> None:
        """Keep a batch until it is stored."""
        with self._lock:
            self._batches.append(batch)
            self._sizes.update(batch.sizes)
            self._strip(batch)
            if self.away:
                self._acknowledge(batch)

    def check_store(self) -> None:
        """Acknowledge inputs whose store is away or slow, and keep no more than there is room for."""
        with self._lock:
            now = time.monotonic()
            waited_s = now - self._batches[0].began if self._batches else 0.0
            silent = f"the database has not answered for {waited_s:.0f} s." if waited_s > _PATIENCE_S else ""
            was_away, self.away = self.away, self._error or silent
            if silent and not was_away:
                _log.error("The store has failed: %s", silent)
            # Answers come in the order of the inputs.
            for batch in reversed(tuple(takewhile(lambda batch: not batch.acknowledged, reversed(self._batches)))):
                if self.away or now - batch.began > ACKNOWLEDGED_AFTER_S:
                    self._acknowledge(batch)
        while self._sizes.total() > self._room:
            ((patient, _),) = self._sizes.most_common(1)
            self.abandon({patient}, StorageError("too much waits for the store; send it again when that is back."))

    def _acknowledge(self, batch: Batch) -> None:
        """Tell senders that their inputs have been processed, and let messages go out."""
        batch.acknowledged = True
        self._deliver_from_memory(batch.steps)
        for future, receipt in batch.receipts:
            unstored = Unstored()
            batch.unstored.append((receipt.patient, unstored))
            self._answers.append((future, replace(receipt, unstored=unstored)))
        batch.receipts = []

    def reject(self, receipts: Iterable[Future[Receipt]], error: EctopyError) -> None:
        """Tell senders that their inputs are not safe."""
        with self._lock:
            self._answers += [(receipt, error) for receipt in receipts]

    def missing(self, patient: str, stream: str) -> list[tuple[int, int]]:
        """Return samples of a stream, as start and end positions, that were given up and are not stored."""
        with self._lock:
            return [(gap.start, gap.stop) for gap in self._missing.get(patient, ()) if gap.stream == stream]

    def abandoned(self, patient: str) -> AbandonedSamples | None:
        """Return the remains of a patient's steps where the samples have been given up."""
        return self._abandoned.get(patient)

    def resumable(self) -> list[tuple[str, int]]:
        """Return patients whose samples have been given up and the numbers of their next inputs, where known."""
        items = tuple(self._abandoned.items())
        return [(patient, rest.next_input) for patient, rest in items if rest.next_input is not None]

    def resume(self, patient: str) -> AbandonedSamples:
        """Keep the samples of a patient again; return the remains of the others, to be added now."""
        with self._lock:
            return self._abandoned.pop(patient)

    # By the thread that stores

    def backing_off(self, now: float) -> bool:
        """Return whether the store is to be left alone for the moment."""
        return bool(self._error) and abs(now - self._tried_at) < _RETRY_S

    def write(self, now: float) -> bool:
        """Store all batches; return whether they hold messages, which `drop_delivered` drops from memory.

        After a `StorageError`, what is not stored is kept.
        """
        self._tried_at = now
        while self._batches:
            with self._lock:
                batches = tuple(islice(self._batches, _MOST_BATCHES))
            self._write(batches)
            self.resolve()
        for patient, rest in tuple(self._abandoned.items()):
            if rest.next_input is None:
                self._find_next_input(patient, rest)
        return bool(self._stored_deliveries)

    def drop_delivered(self) -> None:
        """Deliver no longer from memory what is in the store."""
        if self._stored_deliveries:
            self.memory.drop(self._stored_deliveries)
            self._stored_deliveries.clear()
            self._wake()

    def _find_next_input(self, patient: str, rest: AbandonedSamples) -> None:
        try:
            rest.next_input = self._store.inputs.resume_point(patient).next_input
        except DataError:
            if not rest.damaged:
                _log.exception("patient '%s' cannot be stored", patient)
            rest.damaged = True

    def finished(self, error: StorageError | None) -> None:
        """Note how storing has ended."""
        if error and not self._error:
            _log.error("The store has failed: %s", error)
        self._error = sentence(error) if error else ""

    def _write(self, batches: Sequence[Batch]) -> None:
        """Store the oldest batches in one transaction, so that a slow store gets fewer of them."""
        steps = [
            replace(step, deliveries=tuple(map(self.memory.outcome, step.deliveries))) if step.deliveries else step
            for batch in batches
            for step in batch.steps
        ]
        offsets = {partition: offset for batch in batches for partition, offset in batch.offsets.items()}
        try:
            if steps or offsets:
                self._store.write(steps, offsets)
        except StorageError:
            raise
        except Exception:
            steps = self._write_by_patient(steps)
            self._store.write((), offsets)
        with self._lock:
            for batch in batches:
                self._batches.popleft()
                self._sizes.subtract(batch.sizes)
                self._answers += batch.receipts
                self._resolved += [(unstored, None) for _, unstored in batch.unstored]
            self._sizes = +self._sizes
            for step in steps:
                self._note_stored(step)
        for step in steps:
            self._stored_deliveries += step.deliveries
        notify(self._on_stored, steps)

    def _note_stored(self, step: StepRecord) -> None:
        """Forget missing samples that have been sent again and are stored."""
        gaps = self._missing.get(step.patient)
        if not gaps:
            return
        for stored in step.inputs:
            if isinstance(stored, Chunk):
                gaps = deque((part for gap in gaps for part in gap.without(stored)), _MOST_MISSING)
        self._missing[step.patient] = gaps

    def _write_by_patient(self, steps: Sequence[StepRecord]) -> list[StepRecord]:
        """Store each patient's steps alone, since those of one cannot be stored; return the stored ones."""
        by_patient: dict[str, list[StepRecord]] = {}
        for step in steps:
            by_patient.setdefault(step.patient, []).append(step)
        stored_steps: list[StepRecord] = []
        for patient, own in by_patient.items():
            try:
                self._store.write(own)
                stored_steps += own
            except StorageError:
                raise
            except Exception as error:
                _log.exception("what patient '%s' sends cannot be stored", patient)
                self.abandon({patient}, StorageError(f"what was sent cannot be stored: {error}"))
        return stored_steps

    # By both

    def abandon(self, patients: Iterable[str], error: EctopyError, events: Sequence[Event] = ()) -> None:
        """Give up the samples of these patients but not their alarms nor further `events`, and tell their senders.

        The error is a `StorageError` where another process may yet take them.
        """
        with self._lock:
            for patient in patients:
                self._abandoned.setdefault(patient, AbandonedSamples(error)).add_events(events)
            for batch in self._batches:
                self._strip(batch)
            self._sizes = +self._sizes

    def _strip(self, batch: Batch) -> None:
        """Remove the steps of patients whose samples are given up."""
        abandoned = self._abandoned
        if not abandoned:
            return
        stripped = [step for step in batch.steps if step.patient in abandoned]
        self._deliver_from_memory(stripped)
        for step in stripped:
            abandoned[step.patient].add(step)
            self._note_missing(step)
        for future, receipt in batch.receipts:
            if receipt.patient in abandoned:
                self._answers.append((future, abandoned[receipt.patient].error))
        for patient, unstored in batch.unstored:
            if patient in abandoned:
                self._resolved.append((unstored, abandoned[patient].error))
        batch.steps = [step for step in batch.steps if step.patient not in abandoned]
        batch.receipts = [entry for entry in batch.receipts if entry[1].patient not in abandoned]
        batch.unstored = [entry for entry in batch.unstored if entry[0] not in abandoned]
        for patient in abandoned.keys() & batch.sizes.keys():
            self._sizes[patient] -= batch.sizes.pop(patient)

    def _note_missing(self, step: StepRecord) -> None:
        gaps = self._missing.setdefault(step.patient, deque(maxlen=_MOST_MISSING))
        for chunk in step.inputs:
            if isinstance(chunk, Chunk):
                stop = chunk.position + len(chunk.signal)
                if gaps and (gaps[-1].stream, gaps[-1].stop) == (chunk.stream, chunk.position):
                    gaps[-1].stop = stop
                else:
                    gaps.append(_MissingSamples(chunk.stream, chunk.position, stop))

    def _deliver_from_memory(self, steps: Iterable[StepRecord]) -> None:
        deliveries = [delivery for step in steps for delivery in step.deliveries]
        if deliveries:
            self.memory.put(deliveries)
            self._wake()

    def resolve(self) -> None:
        """Give out receipts."""
        with self._lock:
            answers, self._answers = self._answers, []
            resolved, self._resolved = self._resolved, []
        for future, answer in answers:
            if isinstance(answer, Receipt):
                future.set_result(answer)
            else:
                future.set_exception(answer)
        for unstored, error in resolved:
            unstored.resolve(error)


def notify(listener: Callable[[Sequence[T]], None], news: Sequence[T]) -> None:
    """Notify a listener; log its errors."""
    if not news:
        return
    try:
        listener(news)
    except Exception:
        _log.exception("a listener has failed")
