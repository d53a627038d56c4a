"""What monitors say, on its way into the store: kept while the store is away, answered once it is there."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from ectopy.errors import DataError, EctopyError, StorageError
from ectopy.monitor import AlarmChanged, Event
from ectopy.service.memory import MemoryOutbox
from ectopy.service.outbox import Delivery
from ectopy.service.storage import Stepped, Store

_RETRY_S = 1.0
_PATIENCE_S = 5.0
_MOST_TURNS = 16

_log = logging.getLogger(__name__)

T = TypeVar("T")
Listener = Callable[[Sequence[Stepped]], None]
"""Hears of steps, in the thread that has made or stored them: it must be quick."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender is told once its input is safe.

    Attributes
    ----------
    patient : str
    refused : tuple of str
        Why it was not taken; empty where it was.
    wanted : int or None
        Position of the sample that comes next; None before the first one.
    late : int
        How many samples were left out, for they were there already, or their time was over.
    """

    patient: str
    refused: tuple[str, ...]
    wanted: int | None
    late: int = 0


@dataclass(slots=True, eq=False)
class Turn:
    """What came of one turn: steps to be stored together, and the answers that wait for that.

    Attributes
    ----------
    at : float
        When it was, seconds since 1970.
    steps : list of Stepped
    answers : list of (Future, Receipt)
    size : int
        Bytes of its inputs.
    """

    at: float
    steps: list[Stepped] = field(default_factory=list)
    answers: list[tuple[Future[Receipt], Receipt]] = field(default_factory=list)
    size: int = 0


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
    orders : list of int
    following : int or None
        Number of the next input by the store; None = it has not told yet.
    damaged : bool
        Whether it cannot tell, for an input is missing in it.
    """

    error: EctopyError
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)
    following: int | None = None
    damaged: bool = False

    def add(self, step: Stepped) -> None:
        """Keep what must be kept of a step."""
        self.add_events(step.events)
        self.deliveries += step.deliveries
        self.orders += step.orders

    def add_events(self, events: Iterable[Event]) -> None:
        """Keep the alarms."""
        self.events += [replace(event, evidence=None) for event in events if isinstance(event, AlarmChanged)]


class Keeper:
    """Between two threads: one takes turns and hands them in, the other stores them.

    While the store is away, messages are delivered from memory. When there is no room any more, and for a patient whose
    steps cannot be stored, the samples are given up; patients go on from where they are then.

    Parameters
    ----------
    store : Store
    room_bytes : int
        How much may wait to be stored.
    wake : callable
        Called when there are messages to deliver.
    stored : callable
        Called with the steps that have been stored.

    Attributes
    ----------
    memory : MemoryOutbox
    away : str
        Why the store takes nothing; empty while it does.
    """

    def __init__(self, store: Store, room_bytes: int, wake: Callable[[], None], stored: Listener) -> None:
        self._store, self._room, self._wake, self._listener = store, room_bytes, wake, stored
        self.memory = MemoryOutbox()
        self.away = ""
        self._error = ""
        self._tried = 0.0
        self._lock = threading.Lock()
        self._turns: deque[Turn] = deque()
        self._size = 0
        self._stored: list[Delivery] = []
        self._rests: dict[str, Rest] = {}
        self._answers: list[tuple[Future[Receipt], Receipt | EctopyError]] = []

    # By the thread that takes turns

    def take(self, turn: Turn) -> None:
        """Keep a turn until it is stored."""
        with self._lock:
            if self.away:
                self._deliver_from_memory(turn.steps)
            self._turns.append(turn)
            self._size += turn.size
            self._strip(turn)

    def look(self, now: float) -> None:
        """Deliver from memory what the store does not take, and keep no more than there is room for."""
        with self._lock:
            waited_s = now - self._turns[0].at if self._turns else 0.0
            silent = f"it has not answered for {waited_s:.0f} s." if waited_s > _PATIENCE_S else ""
            before, self.away = self.away, self._error or silent
            if self.away and not before:
                _log.error("The store has failed: %s", self.away)
                for turn in self._turns:
                    self._deliver_from_memory(turn.steps)
        if self._size > self._room:
            error = StorageError(f"too much waits for the store; send it again later: {self.away}")
            self.give_up({step.patient for turn in self._turns for step in turn.steps}, error)

    def shift(self, set_s: float) -> None:
        """The clock was set by so much: turns that wait have not waited longer for it."""
        with self._lock:
            for turn in self._turns:
                turn.at += set_s

    def refuse(self, receipts: Iterable[Future[Receipt]], error: EctopyError) -> None:
        """Tell senders that their inputs are not safe."""
        with self._lock:
            self._answers += [(receipt, error) for receipt in receipts]

    def given_up(self, patient: str) -> Rest | None:
        """What is left of the steps of a patient whose samples have been given up."""
        return self._rests.get(patient)

    def resumable(self) -> list[tuple[str, int]]:
        """Patients whose samples have been given up, with the numbers of their next inputs where the store has told."""
        rests = tuple(self._rests.items())
        return [(patient, rest.following) for patient, rest in rests if rest.following is not None]

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
        for patient, rest in tuple(self._rests.items()):
            if rest.following is None:
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
            rest.following = self._store.restore(patient).following
        except DataError:
            if not rest.damaged:
                _log.exception("patient '%s' cannot be stored", patient)
            rest.damaged = True

    def ended(self, error: StorageError | None) -> None:
        """How storing has ended."""
        self._error = str(error) if error else ""

    def _write(self, turns: Sequence[Turn]) -> None:
        """Store the oldest turns in one transaction, so that a slow store gets fewer of them."""
        steps = [
            replace(step, deliveries=tuple(map(self.memory.outcome, step.deliveries)))
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
                self._size -= turn.size
                self._answers += turn.answers
        for step in steps:
            self._stored += step.deliveries
        tell(self._listener, steps)

    def _write_apart(self, steps: Sequence[Stepped]) -> list[Stepped]:
        """Store the steps of each patient by themselves, for those of one cannot be stored; the others."""
        by_patient: dict[str, list[Stepped]] = {}
        for step in steps:
            by_patient.setdefault(step.patient, []).append(step)
        done: list[Stepped] = []
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
        events : sequence of Event
            What else was said of them.
        """
        with self._lock:
            for patient in patients:
                self._rests.setdefault(patient, Rest(error)).add_events(events)
            for turn in self._turns:
                self._strip(turn)

    def _strip(self, turn: Turn) -> None:
        """Leave no samples of those in a turn whose samples are given up."""
        rests = self._rests
        if not rests:
            return
        gone = [step for step in turn.steps if step.patient in rests]
        self._deliver_from_memory(gone)
        for step in gone:
            rests[step.patient].add(step)
        self._answers += [(one, rests[said.patient].error) for one, said in turn.answers if said.patient in rests]
        turn.steps = [step for step in turn.steps if step.patient not in rests]
        turn.answers = [(one, said) for one, said in turn.answers if said.patient not in rests]

    def _deliver_from_memory(self, steps: Iterable[Stepped]) -> None:
        for step in steps:
            self.memory.put(step.deliveries)
        self._wake()

    def answer(self) -> None:
        """Give out receipts."""
        with self._lock:
            answers, self._answers = self._answers, []
        for receipt, content in answers:
            if isinstance(content, Receipt):
                receipt.set_result(content)
            else:
                receipt.set_exception(content)


def tell(listener: Callable[[Sequence[T]], None], news: Sequence[T]) -> None:
    """Let a listener hear, whatever becomes of it."""
    if not news:
        return
    try:
        listener(news)
    except Exception:
        _log.exception("who listens to the monitors has failed")
