"""What monitors say, on its way into the store: kept while the store is away, and answered.

A sender is told once what it has sent is *stored*. Where that takes longer than a second, or the store is known to be
away, it is told first that its input is *acknowledged*: the monitor has seen it, and it is kept in memory until it is
stored. A sender keeps what is acknowledged and not stored, for it is lost if the process dies.
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
from ectopy.service.storage import StepRecord, Store

ACKNOWLEDGED_AFTER_S = 1.0
"""How long a sender, and a message about an alarm, wait for the store at most."""

_RETRY_S = 1.0
_PATIENCE_S = 5.0
_MOST_TURNS = 16
_MOST_MISSING = 100

_log = logging.getLogger(__name__)

T = TypeVar("T")
Listener = Callable[[Sequence[StepRecord]], None]
"""Hears of steps, in the thread that has made or stored them: it must be quick."""


class GapError(StorageError):
    """Samples that were acknowledged before a restart are missing in front of these: they are to be sent first."""


def sentence(error: StorageError) -> str:
    """What is said of a failure of the store to anybody but who runs the service: not where it is, nor whose words.

    The log has the whole message.
    """
    if isinstance(error, DatabaseError):
        return "the database cannot be reached, or fails; the log of the service says why. Try again when it is back."
    return str(error)


class Unstored:
    """Says when an input that is acknowledged has been stored, or that it has to be sent again for that."""

    __slots__ = ("_done", "_error", "_listener")

    _lock = threading.Lock()

    def __init__(self) -> None:
        self._done = False
        self._error: EctopyError | None = None
        self._listener: Callable[[EctopyError | None], None] | None = None

    def then(self, listener: Callable[[EctopyError | None], None]) -> None:
        """Call `listener` once, with None when the input is stored, else with the error, in any thread."""
        with self._lock:
            if not self._done:
                self._listener = listener
                return
        listener(self._error)

    def settle(self, error: EctopyError | None) -> None:
        """The input is stored, or there is this error."""
        with self._lock:
            self._done, self._error = True, error
            listener, self._listener = self._listener, None
        if listener is not None:
            listener(error)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender is told of its input.

    Attributes
    ----------
    patient : str
    rejected : tuple of str
        Why it was not taken; empty where it was.
    next_position : int or None
        Position of the sample that comes next; None before the first one.
    late : int
        How many samples were left out, for they were there already, or their time was over.
    unstored : Unstored or None
        None = the input is stored; else it is acknowledged, and this says what becomes of it.
    """

    patient: str
    rejected: tuple[str, ...]
    next_position: int | None
    late: int = 0
    unstored: Unstored | None = None

    @property
    def stored(self) -> bool:
        """Whether the input outlives the process."""
        return self.unstored is None


@dataclass(slots=True, eq=False)
class Turn:
    """What came of one turn: steps to be stored together, and the answers that wait for that.

    Attributes
    ----------
    steps : list of StepRecord
    answers : list of (Future, Receipt)
        Nobody has been told of these inputs yet.
    unstored : list of (str, Unstored)
        Of these inputs, by patient, the senders know that they are acknowledged.
    sizes : dict of str to int
        Bytes of the inputs of each patient.
    began : float
        When it was, by a clock that is never set.
    acknowledged : bool
        Whether nobody waits for the store any more.
    """

    steps: list[StepRecord] = field(default_factory=list)
    answers: list[tuple[Future[Receipt], Receipt]] = field(default_factory=list)
    unstored: list[tuple[str, Unstored]] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    acknowledged: bool = False


@dataclass(slots=True)
class Rest:
    """What is left of a patient's steps when their samples have been given up.

    Attributes
    ----------
    error : EctopyError
        Why they were; for their senders.
    events : list of Event
        Alarms alone, for their log has to be whole; without the beats that were seen.
    deliveries : list of Delivery
    commands : list of int
    next_input : int or None
        Number of the next input by the store; None = it has not told yet.
    damaged : bool
        Whether it cannot tell, for an input is missing in it.
    """

    error: EctopyError
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    commands: list[int] = field(default_factory=list)
    next_input: int | None = None
    damaged: bool = False

    def add(self, step: StepRecord) -> None:
        """Keep what must be kept of a step."""
        self.add_events(step.events)
        self.deliveries += step.deliveries
        self.commands += step.commands

    def add_events(self, events: Iterable[Event]) -> None:
        """Keep the alarms."""
        self.events += [replace(event, evidence=None) for event in events if isinstance(event, AlarmChanged)]


@dataclass(slots=True)
class _Stretch:
    """Samples of a stream from a position to before another."""

    stream: str
    start: int
    stop: int

    def without(self, chunk: Chunk) -> list[_Stretch]:
        """What is left of it without the samples of a chunk."""
        end = chunk.position + len(chunk.signal)
        if chunk.stream != self.stream or end <= self.start or self.stop <= chunk.position:
            return [self]
        parts = _Stretch(self.stream, self.start, chunk.position), _Stretch(self.stream, end, self.stop)
        return [part for part in parts if part.start < part.stop]


class Keeper:
    """Between two threads: one takes turns and hands them in, the other stores them.

    While the store is away, senders are told that their inputs are acknowledged, and messages are delivered from
    memory. When there is no room any more, the samples of whoever has most of it are given up, and so are those of a
    patient whose steps cannot be stored; patients go on from where they are then.

    Parameters
    ----------
    store : Store
    room_bytes : int
        How much may wait to be stored, of all patients together.
    wake : callable
        Called when there are messages to deliver.
    stored : callable
        Called with the steps that have been stored.

    Attributes
    ----------
    memory : MemoryOutbox
    away : str
        Why the store takes nothing, for everybody to read; empty while it does.
    """

    def __init__(self, store: Store, room_bytes: int, wake: Callable[[], None], stored: Listener) -> None:
        self._store, self._room, self._wake, self._listener = store, room_bytes, wake, stored
        self.memory = MemoryOutbox()
        self.away = ""
        self._error = ""
        self._tried = 0.0
        self._lock = threading.Lock()
        self._turns: deque[Turn] = deque()
        self._sizes: Counter[str] = Counter()
        self._stored: list[Delivery] = []
        self._rests: dict[str, Rest] = {}
        self._missing: dict[str, deque[_Stretch]] = {}
        self._answers: list[tuple[Future[Receipt], Receipt | EctopyError]] = []
        self._settled: list[tuple[Unstored, EctopyError | None]] = []

    # By the thread that takes turns

    def take(self, turn: Turn) -> None:
        """Keep a turn until it is stored."""
        with self._lock:
            self._turns.append(turn)
            self._sizes.update(turn.sizes)
            self._strip(turn)
            if self.away:
                self._acknowledge(turn)

    def look(self) -> None:
        """Let nobody wait for a store that is away or slow, and keep no more than there is room for."""
        with self._lock:
            now = time.monotonic()
            waited_s = now - self._turns[0].began if self._turns else 0.0
            silent = f"the database has not answered for {waited_s:.0f} s." if waited_s > _PATIENCE_S else ""
            before, self.away = self.away, self._error or silent
            if silent and not before:
                _log.error("The store has failed: %s", silent)
            # Answers come in the order of the inputs.
            for turn in reversed(tuple(takewhile(lambda turn: not turn.acknowledged, reversed(self._turns)))):
                if self.away or now - turn.began > ACKNOWLEDGED_AFTER_S:
                    self._acknowledge(turn)
        while self._sizes.total() > self._room:
            ((patient, _),) = self._sizes.most_common(1)
            self.give_up({patient}, StorageError("too much waits for the store; send it again when that is back."))

    def _acknowledge(self, turn: Turn) -> None:
        """Let senders know that their inputs have been seen, and messages go out."""
        turn.acknowledged = True
        self._deliver_from_memory(turn.steps)
        for future, receipt in turn.answers:
            unstored = Unstored()
            turn.unstored.append((receipt.patient, unstored))
            self._answers.append((future, replace(receipt, unstored=unstored)))
        turn.answers = []

    def refuse(self, receipts: Iterable[Future[Receipt]], error: EctopyError) -> None:
        """Tell senders that their inputs are not safe."""
        with self._lock:
            self._answers += [(receipt, error) for receipt in receipts]

    def missing(self, patient: str, stream: str) -> list[tuple[int, int]]:
        """Samples of a stream, from a position to before another, that were given up and are not stored."""
        with self._lock:
            return [(one.start, one.stop) for one in self._missing.get(patient, ()) if one.stream == stream]

    def given_up(self, patient: str) -> Rest | None:
        """What is left of the steps of a patient whose samples have been given up."""
        return self._rests.get(patient)

    def resumable(self) -> list[tuple[str, int]]:
        """Patients whose samples have been given up, with the numbers of their next inputs where the store has told."""
        rests = tuple(self._rests.items())
        return [(patient, rest.next_input) for patient, rest in rests if rest.next_input is not None]

    def resume(self, patient: str) -> Rest:
        """Keep the samples of a patient again; what is left of the others has to be taken now."""
        with self._lock:
            return self._rests.pop(patient)

    # By the thread that stores

    def pauses(self, now: float) -> bool:
        """Whether the store is to be left alone for the moment."""
        return bool(self._error) and abs(now - self._tried) < _RETRY_S

    def save(self, now: float) -> bool:
        """Store what has been taken; whether there are messages in it, which `forget` drops from memory.

        Raises
        ------
        StorageError
            If the store fails; what is not stored is kept.
        """
        self._tried = now
        while self._turns:
            with self._lock:
                turns = tuple(islice(self._turns, _MOST_TURNS))
            self._write(turns)
            self.answer()
        for patient, rest in tuple(self._rests.items()):
            if rest.next_input is None:
                self._ask(patient, rest)
        return bool(self._stored)

    def forget(self) -> None:
        """Deliver no longer from memory what is in the store."""
        if self._stored:
            self.memory.forget(self._stored)
            self._stored.clear()
            self._wake()

    def _ask(self, patient: str, rest: Rest) -> None:
        try:
            rest.next_input = self._store.inputs.resume_point(patient).next_input
        except DataError:
            if not rest.damaged:
                _log.exception("patient '%s' cannot be stored", patient)
            rest.damaged = True

    def ended(self, error: StorageError | None) -> None:
        """How storing has ended."""
        if error and not self._error:
            _log.error("The store has failed: %s", error)
        self._error = sentence(error) if error else ""

    def _write(self, turns: Sequence[Turn]) -> None:
        """Store the oldest turns in one transaction, so that a slow store gets fewer of them."""
        steps = [
            replace(step, deliveries=tuple(map(self.memory.outcome, step.deliveries))) if step.deliveries else step
            for turn in turns
            for step in turn.steps
        ]
        try:
            if steps:
                self._store.write(steps)
        except StorageError:
            raise
        except Exception:
            steps = self._write_apart(steps)
        with self._lock:
            for turn in turns:
                self._turns.popleft()
                self._sizes.subtract(turn.sizes)
                self._answers += turn.answers
                self._settled += [(unstored, None) for _, unstored in turn.unstored]
            self._sizes = +self._sizes
            for step in steps:
                self._note_stored(step)
        for step in steps:
            self._stored += step.deliveries
        tell(self._listener, steps)

    def _note_stored(self, step: StepRecord) -> None:
        """Samples that were given up, and have been sent again, are missing no longer."""
        stretches = self._missing.get(step.patient)
        if not stretches:
            return
        for given in step.inputs:
            if isinstance(given, Chunk):
                stretches = deque((rest for one in stretches for rest in one.without(given)), _MOST_MISSING)
        self._missing[step.patient] = stretches

    def _write_apart(self, steps: Sequence[StepRecord]) -> list[StepRecord]:
        """Store the steps of each patient by themselves, for those of one cannot be stored; the others."""
        by_patient: dict[str, list[StepRecord]] = {}
        for step in steps:
            by_patient.setdefault(step.patient, []).append(step)
        done: list[StepRecord] = []
        for patient, own in by_patient.items():
            try:
                self._store.write(own)
                done += own
            except StorageError:
                raise
            except Exception as error:
                _log.exception("what patient '%s' sends cannot be stored", patient)
                self.give_up({patient}, StorageError(f"what was sent cannot be stored: {error}"))
        return done

    # By both

    def give_up(self, patients: Iterable[str], error: EctopyError, events: Sequence[Event] = ()) -> None:
        """Keep the alarms of these patients, but not the samples, and tell their senders.

        Parameters
        ----------
        patients : iterable of str
        error : EctopyError
            A `StorageError` where another process may yet take them.
        events : sequence of Event
            What else was said of them.
        """
        with self._lock:
            for patient in patients:
                self._rests.setdefault(patient, Rest(error)).add_events(events)
            for turn in self._turns:
                self._strip(turn)
            self._sizes = +self._sizes

    def _strip(self, turn: Turn) -> None:
        """Leave no samples of those in a turn whose samples are given up."""
        rests = self._rests
        if not rests:
            return
        gone = [step for step in turn.steps if step.patient in rests]
        self._deliver_from_memory(gone)
        for step in gone:
            rests[step.patient].add(step)
            self._note_missing(step)
        self._answers += [(one, rests[said.patient].error) for one, said in turn.answers if said.patient in rests]
        self._settled += [(one, rests[patient].error) for patient, one in turn.unstored if patient in rests]
        turn.steps = [step for step in turn.steps if step.patient not in rests]
        turn.answers = [(one, said) for one, said in turn.answers if said.patient not in rests]
        turn.unstored = [(patient, one) for patient, one in turn.unstored if patient not in rests]
        for patient in rests.keys() & turn.sizes.keys():
            self._sizes[patient] -= turn.sizes.pop(patient)

    def _note_missing(self, step: StepRecord) -> None:
        stretches = self._missing.setdefault(step.patient, deque(maxlen=_MOST_MISSING))
        for given in step.inputs:
            if isinstance(given, Chunk):
                stop = given.position + len(given.signal)
                if stretches and (stretches[-1].stream, stretches[-1].stop) == (given.stream, given.position):
                    stretches[-1].stop = stop
                else:
                    stretches.append(_Stretch(given.stream, given.position, stop))

    def _deliver_from_memory(self, steps: Iterable[StepRecord]) -> None:
        deliveries = [delivery for step in steps for delivery in step.deliveries]
        if deliveries:
            self.memory.put(deliveries)
            self._wake()

    def answer(self) -> None:
        """Give out receipts."""
        with self._lock:
            answers, self._answers = self._answers, []
            settled, self._settled = self._settled, []
        for receipt, content in answers:
            if isinstance(content, Receipt):
                receipt.set_result(content)
            else:
                receipt.set_exception(content)
        for unstored, error in settled:
            unstored.settle(error)


def tell(listener: Callable[[Sequence[T]], None], news: Sequence[T]) -> None:
    """Notify a listener; log its errors."""
    if not news:
        return
    try:
        listener(news)
    except Exception:
        _log.exception("a listener has failed")
