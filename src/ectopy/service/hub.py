"""Watches many patients: steps their monitors, stores what came of it in one transaction, then answers the senders.

Nothing is acknowledged before it is stored. Where the store fails, the monitors go on, alarms are delivered from
memory, a technical alarm says so, and everything is written once the store is back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from ectopy.errors import SettingError, StorageError
from ectopy.monitor import AlarmChanged, BeatJudged, Event, Input, Limits, Monitor, MonitorState, Refused, Report, Tick
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.findings import Reading
from ectopy.service.memory import MemoryOutbox
from ectopy.service.notify import REACHED, Courier, Target, deliveries_of, unreached
from ectopy.service.outbox import Delivery
from ectopy.service.storage import HandedOrder, Stepped, Store

STATION = "station"
"""The patient that is none: alarms about the process itself are raised for it."""

SNAPSHOT_S = 15.0
UNREACHED_S = 120.0

_TICK_S = 1.0
_RETRY_S = 1.0
_MOST_WAITING = 10_000
_MOST_UNSAVED = 100_000

_log = logging.getLogger(__name__)


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
    """

    patient: str
    refused: tuple[str, ...]
    wanted: int | None


@dataclass(slots=True)
class _Bed:
    """One patient while they are watched."""

    patient: str
    state: MonitorState
    following: int
    stored: int
    snapshot_due: float
    reported: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    bed: _Bed
    given: Input
    receipt: Future[Receipt] | None = None


@dataclass(slots=True)
class _Unsaved:
    """Steps that are not stored yet, and the receipts that wait for it."""

    steps: list[Stepped] = field(default_factory=list)
    receipts: list[tuple[Future[Receipt], Receipt]] = field(default_factory=list)


class Hub:
    """Watches the patients of a store.

    Parameters
    ----------
    store : Store
    monitor : Monitor
    targets : sequence of Target
        Who hears of alarms.
    bundle : str
        SHA-256 of the detector's bundle, told with every alarm.
    clock : callable
        Gives seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        monitor: Monitor,
        targets: Sequence[Target] = (),
        bundle: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._monitor, self._targets, self._bundle, self._clock = store, monitor, targets, bundle, clock
        self._beds: dict[str, _Bed] = {}
        self._queue: deque[_Waiting] = deque()
        self._lock = threading.Lock()
        self._more = threading.Event()
        self._unsaved = _Unsaved()
        self._failed_since: float | None = None
        self._retry_at = 0.0
        self._ticked = 0.0
        self._taken: dict[int, HandedOrder] = {}
        self._memory = MemoryOutbox()
        self._couriers = [Courier(outbox, targets, clock) for outbox in (store.outbox, self._memory)] if targets else []
        self.admit(STATION)
        for patient in store.patients():
            self._restore(patient.patient)

    # Patients

    def admit(self, patient: str, name: str = "", limits: Limits | None = None) -> None:
        """Begin to watch a patient, or go on with one who is known.

        Raises
        ------
        SettingError
            If `patient` is not 1 to 200 printable characters.
        StorageError
            If the store fails.
        """
        self._store.enrol(patient, self._clock(), name)
        with self._lock:
            if patient not in self._beds:
                self._restore(patient, limits)

    def patients(self) -> tuple[str, ...]:
        """Everybody who is watched."""
        return tuple(patient for patient in self._beds if patient != STATION)

    def state(self, patient: str) -> MonitorState:
        """What is known of a patient now.

        Raises
        ------
        SettingError
            If nobody of that name is watched.
        """
        return self._bed(patient).state

    def _restore(self, patient: str, limits: Limits | None = None) -> None:
        restored = self._store.restore(patient)
        if restored.snapshot is None:
            state = MonitorState() if limits is None else MonitorState(limits=limits)
        else:
            state = decode(MonitorState, restored.snapshot)
        for given in restored.inputs:
            state, _ = self._monitor.step(state, given)
        following = restored.following
        self._beds[patient] = _Bed(patient, state, following, following, self._clock() + SNAPSHOT_S)

    def _bed(self, patient: str) -> _Bed:
        bed = self._beds.get(patient)
        if bed is None:
            raise SettingError(f"nobody called {patient!r} is watched; admit the patient first.")
        return bed

    # Inputs

    def submit(self, patient: str, given: Input) -> Future[Receipt]:
        """Hand in an input; the receipt comes when it is safe.

        Raises
        ------
        SettingError
            If nobody of that name is watched.
        DataError
            If the input holds what cannot be stored.
        StorageError
            If too many inputs wait already; send again later.
        """
        bed = self._bed(patient)
        if len(self._queue) >= _MOST_WAITING:
            raise StorageError("more inputs wait than can be kept; send again later.")
        encode(given)  # what cannot be stored must not be watched
        receipt: Future[Receipt] = Future()
        self._queue.append(_Waiting(bed, given, receipt))
        self._more.set()
        return receipt

    def turn(self) -> int:
        """Take everything that waits, store it, and answer; how many inputs that were."""
        now = self._clock()
        self._more.clear()
        waiting = [self._queue.popleft() for _ in range(len(self._queue))]
        with self._lock:
            by_bed: dict[str, list[_Waiting]] = {}
            for one in waiting:
                by_bed.setdefault(one.bed.patient, []).append(one)
            for ones in by_bed.values():
                self._step(ones[0].bed, ones, now)
            if now - self._ticked >= _TICK_S:
                self._tick(now)
            self._save(now)
        return len(waiting)

    def run(self, stop: threading.Event, pause_s: float = 0.25) -> None:
        """Take turns until told to stop; between two, wait so long that inputs come together."""
        for courier in self._couriers:
            courier.start()
        try:
            while not stop.is_set():
                self.turn()
                self._more.wait(_TICK_S)
                stop.wait(pause_s)
            self.turn()
        finally:
            for courier in self._couriers:
                courier.stop()

    def _tick(self, now: float) -> None:
        self._ticked = now
        if self._failed_since is None:
            self._orders(now)
        readings = self._unreached(now)
        for bed in list(self._beds.values()):
            reading = readings.get(bed.patient)
            inputs: list[Input] = [Tick(now, expected=bed.patient != STATION)]
            if reading is not None or bed.reported:
                inputs.append(Report(now, reading or REACHED))
                bed.reported = reading is not None
            self._step(bed, [_Waiting(bed, given) for given in inputs], now)

    def _orders(self, now: float) -> None:
        """Carry out what operators have left in the store; an order is struck out once what it did is stored."""
        try:
            for order in self._store.handed_over():
                if order.id in self._taken or order.patient not in self._beds:
                    continue
                self._taken[order.id] = order
                bed = self._beds[order.patient]
                self._step(bed, [_Waiting(bed, replace(order.action, now=now))], now)
        except StorageError as error:
            self._storage_failed(now, error)

    def _unreached(self, now: float) -> dict[str, Reading]:
        if not self._targets or self._failed_since is not None:
            return {}
        try:
            return unreached(self._store.outbox, now, UNREACHED_S)
        except StorageError as error:
            self._storage_failed(now, error)
            return {}

    # One patient

    def _step(self, bed: _Bed, waiting: Iterable[_Waiting], now: float) -> None:
        inputs: list[Input] = []
        events: list[Event] = []
        for one in waiting:
            state, said = self._monitor.step(bed.state, one.given)
            if state is not bed.state:
                inputs.append(one.given)
            bed.state = state
            events += said
            if one.receipt is not None:
                refused = tuple(event.reason for event in said if isinstance(event, Refused))
                wanted = None if state.signal is None else state.signal.segment.wanted
                self._unsaved.receipts.append((one.receipt, Receipt(bed.patient, refused, wanted)))
        if not inputs:
            return
        snapshot = None
        if now >= bed.snapshot_due:
            snapshot, bed.snapshot_due = encode(bed.state), now + SNAPSHOT_S
        epoch = bed.state.epoch or 0.0
        deliveries = tuple(
            delivery
            for event in events
            if isinstance(event, AlarmChanged)
            for delivery in self._deliveries(bed.patient, event, epoch + event.at_s)
        )
        step = Stepped(bed.patient, bed.following, tuple(inputs), tuple(events), epoch, snapshot, deliveries)
        bed.following += len(inputs)
        self._unsaved.steps.append(step)
        if self._failed_since is not None:
            self._memory.put(deliveries)

    def _deliveries(self, patient: str, event: AlarmChanged, at: float) -> list[Delivery]:
        begin, end = event.strip_s
        replay = f"ectopy what-if --patient {patient} --from {begin:.1f} --to {end:.1f}"
        return deliveries_of(event, patient, self._targets, at=at, bundle=self._bundle, replay=replay)

    # The store

    def _save(self, now: float) -> None:
        if not self._unsaved.steps and self._failed_since is None:
            self._answer()
            return
        if now < self._retry_at:
            return
        steps = self._unsaved.steps
        try:
            self._store.write([self._delivered(step) for step in steps])
            if self._taken:
                self._store.taken(tuple(self._taken.values()))
                self._taken.clear()
        except StorageError as error:
            self._storage_failed(now, error)
            return
        for step in steps:
            self._beds[step.patient].stored = step.first + len(step.inputs)
            self._memory.forget(step.deliveries)
        self._answer()
        if self._failed_since is not None:
            self._failed_since = None
            self._tell_station(now, Reading("storage failed", False))

    def _answer(self) -> None:
        unsaved, self._unsaved = self._unsaved, _Unsaved()
        for receipt, content in unsaved.receipts:
            receipt.set_result(content)

    def _delivered(self, step: Stepped) -> Stepped:
        """The step with what became of its messages while the store was away."""
        if not step.deliveries or self._failed_since is None:
            return step
        return replace(step, deliveries=tuple(self._memory.outcome(delivery) for delivery in step.deliveries))

    def _storage_failed(self, now: float, error: StorageError) -> None:
        self._retry_at = now + _RETRY_S
        if len(self._unsaved.receipts) > _MOST_UNSAVED:
            self._give_up_samples(error)
        if self._failed_since is not None:
            return
        _log.error("The store has failed: %s", error)
        self._failed_since = now
        for step in self._unsaved.steps:
            self._memory.put(step.deliveries)
        self._tell_station(now, Reading("storage failed", True, f"What is watched cannot be stored: {error}"))

    def _give_up_samples(self, error: StorageError) -> None:
        """Keep what was found, and the states it was found in, but not the samples: their senders are told."""
        unsaved, self._unsaved = self._unsaved, _Unsaved()
        by_patient: dict[str, list[Stepped]] = {}
        for step in unsaved.steps:
            by_patient.setdefault(step.patient, []).append(step)
        for patient, steps in by_patient.items():
            bed = self._beds[patient]
            bed.following = bed.stored
            found = tuple(event for step in steps for event in step.events if not isinstance(event, BeatJudged))
            deliveries = tuple(delivery for step in steps for delivery in step.deliveries)
            origin, snapshot = steps[-1].origin, encode(bed.state)
            self._unsaved.steps.append(Stepped(patient, bed.stored, (), found, origin, snapshot, deliveries))
        for receipt, _ in unsaved.receipts:
            receipt.set_exception(error)

    def _tell_station(self, now: float, reading: Reading) -> None:
        station = self._beds[STATION]
        self._step(station, [_Waiting(station, Report(now, reading))], now)
