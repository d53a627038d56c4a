"""Watches many patients: steps their monitors, stores what came of it in one transaction, then answers the senders.

Where the store fails, or does not answer within a second, the monitors go on: senders are told that their inputs are
acknowledged and not stored yet, alarms are delivered from memory, a technical alarm says so, and everything is written
once the store is back. Samples that are too many to be kept until then are given up, and their senders are told; what
was found in them is not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from ectopy.errors import DataError, SettingError, StorageError
from ectopy.monitor import (
    AlarmChanged,
    Chunk,
    Command,
    CommandKind,
    Input,
    Limits,
    Monitor,
    MonitorState,
    ServiceReport,
    Tick,
    status,
)
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.technical import NO_DATA_S
from ectopy.service.live.live_samples import Trace, TraceListener, foreseen, taken
from ectopy.service.monitoring.apply_input import Folded, fold, fold_together
from ectopy.service.monitoring.write_buffer import GapError, Keeper, Listener, Receipt, Turn, tell
from ectopy.service.notify import Courier, Target, deliveries_of, unreached
from ectopy.service.notify.outbox import Delivery
from ectopy.service.storage import ResumePoint, StepRecord, Store

STATION = "station"
"""Not a patient: alarms about the process itself are raised for it."""

SNAPSHOT_S = 15.0
UNREACHED_S = 120.0

_TICK_S = 1.0
_LEAST_SET_S = 0.5
_STAMPED_S = 5.0
_TOGETHER = 32
_PHASES = 16
_DAY_S = 86_400.0
_APART_S = 1e-6
"""Messages of one patient are made so far apart, so that they are sent in their order."""
_SHARE = 2**15
"""Bytes of one patient from which on the next inputs have to wait; 16 s of two leads at 250 Hz."""
_LARGEST_INPUT = 8 * 2**20
_RESENT_WITHIN_S = 3.0
"""How long after a start a sender is asked for samples in front of those that it sends, before they are a gap."""
_STORAGE, _DETECTOR, _NOBODY = "storage failed", "detector failed", "nobody reached"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Bed:
    """One patient while they are watched; `next_input` is the number of the next input.

    `continues`: whether nothing has come since the start, so that samples may be missing which the process before this
    one had acknowledged, and not stored. `asked`: since when their sender has been asked for them.
    """

    patient: str
    name: str
    state: MonitorState
    next_input: int
    snapshot_at: float
    continues: bool = False
    asked: float | None = None


@dataclass(slots=True)
class _Waiting:
    """An input, its size in bytes, who waits for the receipt, and the id of an order from another process.

    `seen`: whether it has been shown to those who look.
    """

    given: Input
    size: int = 0
    receipt: Future[Receipt] | None = None
    order: int | None = None
    seen: bool = False


class Hub:
    """Watches the patients of a store.

    Several hubs may share a store if each has its own patients and its own station.

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
    steady : callable or None
        Gives seconds by a clock that is never set, from which the hub sees when `clock` is; None = there is none.
    station : str
        What the hub itself is called among the patients.
    patients : iterable of str or None
        Whom to go on with; None = everybody in the store.
    room_bytes : int
        How much may wait to be taken; and how much, once taken, to be stored, of all patients together. Where there is
        no room, whoever has more than an equal share of it goes first.
    shown : callable or None
        Hears of samples: as soon as they have come where they continue the signal, else once they are taken.
    watched : callable
        Hears of steps as soon as they are made, whether or not the store takes them.
    stored : callable
        Hears of steps once they are stored.

    Raises
    ------
    SettingError
        If two targets have one name, or a name is not 1 to 200 printable characters.
    StorageError
        If the store fails.
    """

    def __init__(
        self,
        store: Store,
        monitor: Monitor,
        targets: Sequence[Target] = (),
        bundle: str = "",
        clock: Callable[[], float] = time.time,
        *,
        steady: Callable[[], float] | None = None,
        station: str = STATION,
        patients: Iterable[str] | None = None,
        room_bytes: int = 2**30,
        shown: TraceListener | None = None,
        watched: Listener = lambda steps: None,
        stored: Listener = lambda steps: None,
    ) -> None:
        self._store, self._monitor, self._targets, self._bundle, self._clock = store, monitor, targets, bundle, clock
        self._station, self._room = station, room_bytes
        self._shown, self._watched = shown, watched
        self._keeper = Keeper(store, room_bytes, self._wake, stored)
        outboxes = (store.outbox, self._keeper.memory)
        self._couriers = [Courier(outbox, targets, clock) for outbox in outboxes] if targets else []
        self._lock = threading.Lock()
        self._beds: dict[str, _Bed] = {}
        # What waits to be taken.
        self._door = threading.Lock()
        self._come = threading.Event()
        self._queue: list[tuple[_Bed, _Waiting]] = []
        self._queued: Counter[str] = Counter()
        self._renamed: dict[str, str] = {}
        self._new: list[tuple[_Bed, _Waiting]] = []
        self._over = False
        self._orders: set[int] = set()
        # What is known of receivers, and of patients who cannot be watched.
        self._taken = threading.Event()
        self._looked = 0.0
        self._unreached: dict[str, ConditionReading] = {}
        self._faults: dict[str, str] = {}
        self._began = self._ticked = clock()
        self._steady = steady
        self._offset_s = 0.0 if steady is None else self._began - steady()
        self._go_on(patients)

    # Patients

    def admit(
        self, patient: str, name: str = "", limits: Limits | None = None, who: str = STATION
    ) -> Future[Receipt] | None:
        """Begin to watch a patient, or go on with one who is known, or was discharged.

        Parameters
        ----------
        patient : str
        name : str
            For people.
        limits : Limits or None
            Of somebody new; None = those of a ward.
        who : str
            Who orders it.

        Returns
        -------
        Future of Receipt or None
            Of the order to watch somebody again who was discharged; samples are taken once it has come. None = the
            patient is watched now. A known patient is watched even while the store is away, which gets the name later.

        Raises
        ------
        SettingError
            If `patient` is not 1 to 200 printable characters, or the name of the station.
        DataError
            If what is stored of the patient is damaged.
        StorageError
            If the store fails, and the patient is not known.
        """
        if patient == self._station:
            raise SettingError(f"{patient!r} is what the hub itself is called; call the patient something else.")
        if patient in self._beds:
            self._rename(patient, name)
            if not self._beds[patient].state.discharged:
                return None
            return self.submit(patient, Command(CommandKind.ADMIT, self._clock(), who))
        self._store.patients.upsert(patient, self._clock(), name)
        restored = self._store.inputs.resume_point(patient)
        if limits is not None and restored.next_input == 1:
            state = encode(MonitorState(limits=limits))
            self._store.write([StepRecord(patient, 1, (), (), self._clock(), state)])
            restored = replace(restored, snapshot=state)
        with self._lock:
            self._open(patient, name, restored)
        return None

    def _rename(self, patient: str, name: str) -> None:
        bed = self._beds[patient]
        if bed.name == name:
            return
        bed.name = name
        if self._keeper.away:
            self._renamed[patient] = name
            return
        try:
            self._store.patients.upsert(patient, self._clock(), name)
        except StorageError:
            self._renamed[patient] = name

    def patients(self) -> tuple[str, ...]:
        """Everybody who is watched."""
        beds = tuple(self._beds.values())
        return tuple(bed.patient for bed in beds if bed.patient != self._station and not bed.state.discharged)

    def is_name_stored(self, patient: str) -> bool:
        """Whether the store has the name that a patient was given last."""
        return patient not in self._renamed

    def missing(self, patient: str, stream: str) -> list[tuple[int, int]]:
        """Samples of a stream, from a position to before another, that were watched, and could not be kept."""
        return self._keeper.missing(patient, stream)

    def state(self, patient: str) -> MonitorState:
        """What is known of a patient now.

        Raises
        ------
        SettingError
            If nobody of that name is watched.
        """
        return self._bed(patient).state

    def _go_on(self, patients: Iterable[str] | None) -> None:
        self._store.patients.upsert(self._station, self._clock())
        known = {patient.patient: patient.name for patient in self._store.patients.all()}
        chosen = known if patients is None else {patient: known.get(patient, "") for patient in patients}
        for patient, name in {self._station: "", **chosen}.items():
            try:
                self._open(patient, name, self._store.inputs.resume_point(patient))
            except DataError as error:
                _log.exception("patient '%s' cannot be watched", patient)
                self._faults[patient] = str(error)

    def _open(self, patient: str, name: str, restored: ResumePoint) -> None:
        """Begin where the store says that the patient stands."""
        if patient in self._beds:
            return
        state = MonitorState() if restored.snapshot is None else decode(MonitorState, restored.snapshot)
        for given in restored.inputs:
            folded = fold(self._monitor, patient, state, given, self._clock())
            state = folded.state
            if folded.failed:
                error = StorageError("a stored input could not be taken again; send later ones again.")
                self._keeper.give_up({patient}, error, folded.events)
        self._faults.pop(patient, None)
        # Not all snapshots at once.
        snapshot_at = self._clock() - SNAPSHOT_S * (len(self._beds) % _PHASES) / _PHASES
        has_begun = status.stream(state) is not None
        self._beds[patient] = _Bed(patient, name, state, restored.next_input, snapshot_at, has_begun)

    def _bed(self, patient: str) -> _Bed:
        bed = self._beds.get(patient)
        if bed is None:
            why = self._faults.get(patient, "admit the patient first.")
            raise SettingError(f"no patient {patient!r} is watched; {why}")
        return bed

    # Inputs

    def submit(self, patient: str, given: Input) -> Future[Receipt]:
        """Hand in an input; the receipt comes when it is stored, or acknowledged where that takes long.

        The receipt is a `StorageError` instead where the input should be sent again; it has been watched then.

        Raises
        ------
        SettingError
            If nobody of that name is known, or samples or a discharge are for the station.
        DataError
            If the input holds what cannot be stored, is larger than 8 MiB, or its time is not today. If samples are of
            somebody who is discharged: of a device that nobody has taken off nothing is kept.
        StorageError
            If too much waits already, or the hub has been stopped; send again later. A `GapError` if samples are
            missing in front of the first chunk since the start: send those first that were not stored.
        """
        bed = self._bed(patient)
        if bed.state.discharged and isinstance(given, Chunk):
            raise DataError("this patient is discharged; admit the patient first.")
        content = encode(given)
        if len(content) > _LARGEST_INPUT:
            raise DataError(f"an input of {len(content)} bytes is too large; send at most {_LARGEST_INPUT} at a time.")
        # What is watched is what would be read from the store, whatever the sender does with its own copy.
        given = decode(type(given), content)
        at = given.received if isinstance(given, Chunk) else given.now
        if not abs(at - self._clock()) <= _DAY_S:
            raise DataError(f"an input is of now by the hub's clock, in seconds since 1970, and not of {at:g}.")
        given = self._restamped(given, self._clock())
        if patient == self._station and isinstance(given, Chunk):
            raise SettingError(f"{patient!r} is the hub itself, and sends no samples; name the patient.")
        if patient == self._station and isinstance(given, Command) and given.kind is CommandKind.DISCHARGE:
            raise SettingError(f"{patient!r} is the hub itself, and cannot be discharged; name the patient.")
        if bed.continues and isinstance(given, Chunk):
            self._check_continued(bed, given)
        receipt: Future[Receipt] = Future()
        receipt.set_running_or_notify_cancel()
        with self._door:
            if self._over:
                raise StorageError("the hub has been stopped; send again when it runs again.")
            own = self._queued[patient] + len(content)
            if self._queued.total() + len(content) > self._room and own > self._room // len(self._beds):
                raise StorageError("more inputs wait than can be kept; send again later.")
            waiting = _Waiting(given, len(content), receipt)
            self._queue.append((bed, waiting))
            self._new.append((bed, waiting))
            self._queued[patient] += len(content)
        self._come.set()
        return receipt

    @staticmethod
    def _check_continued(bed: _Bed, chunk: Chunk) -> None:
        """Ask for what was acknowledged before the start and not stored, before it becomes a gap.

        Raises
        ------
        GapError
            If samples are missing in front of these, and their sender has not had the time to send them again.
        """
        expected = status.next_position(bed.state)
        if expected is not None and status.continues(bed.state, chunk) and chunk.position > expected:
            now = time.monotonic()
            bed.asked = bed.asked or now
            if now - bed.asked < _RESENT_WITHIN_S:
                raise GapError(
                    f"samples {expected} to {chunk.position - 1} of this stream are not stored; send them first if you "
                    "have them, and then these again."
                )
        bed.continues = False

    def turn(self) -> int:
        """Take what waits, as `watch` does, store it, and answer; how many inputs that were."""
        taken = self.watch()
        self.save()
        return taken

    def run(self, stop: threading.Event, apart_s: float = 0.1) -> None:
        """Take turns until told to stop, once; so far apart at least that inputs come together.

        A thread of its own stores them, so that a store that hangs does not hold up the monitors. Who still waits for a
        receipt at the end gets a `StorageError`.
        """
        last = threading.Event()
        saver = threading.Thread(target=self._save_until, args=(last,), name="hub-saver")
        saver.start()
        for courier in self._couriers:
            courier.start()
        try:
            while not stop.is_set():
                began = time.monotonic()
                _guarded(self.watch)
                self._come.wait(_TICK_S)
                stop.wait(max(began + apart_s - time.monotonic(), 0.0))
            with self._door:
                self._over = True
            while self._queue:
                _guarded(self.watch)
            _guarded(self._keep_states)
        finally:
            last.set()
            self._taken.set()
            saver.join()
            for courier in self._couriers:
                courier.stop()
            self._keeper.give_up(self._beds, StorageError("the hub was stopped before this was stored; send it again."))
            self._keeper.answer()

    def _save_until(self, last: threading.Event) -> None:
        while not last.is_set():
            self._taken.wait(_TICK_S)
            self._taken.clear()
            _guarded(self.save)
        _guarded(self.save)

    def _keep_states(self) -> None:
        """Let a later start fold nothing again, which another version might do in another way."""
        with self._lock:
            turn = Turn()
            for bed in self._beds.values():
                state, origin = encode(bed.state), status.origin(bed.state)
                turn.steps.append(StepRecord(bed.patient, bed.next_input, (), (), origin, state))
            self._keeper.take(turn)

    # Watching

    def watch(self) -> int:
        """Take what waits, for `save` to store; how many inputs that were.

        Takes a bounded share per patient, so that one busy sender cannot starve the others.
        """
        now, set_s = self._look_at_clocks()
        self._come.clear()
        inputs = self._shares()
        with self._lock:
            self._keeper.look()
            if set_s:
                self._step(now, self._ticks(now, set_s))
            patients = tuple(inputs.items())
            for first in range(0, len(patients), _TOGETHER):
                self._show()
                self._step(now, dict(patients[first : first + _TOGETHER]))
            if abs(now - self._ticked) >= _TICK_S:
                self._step(now, self._ticks(now))
            self._resume(now)
        self._keeper.answer()
        return sum(map(len, inputs.values()))

    def _look_at_clocks(self) -> tuple[float, float]:
        """What the time is, and by how much the clock was set since the last look; then what waits is of now."""
        if self._steady is None:
            return self._clock(), 0.0
        before, now, after = self._steady(), self._clock(), self._steady()
        set_s = now - after - self._offset_s
        # Who was held up between the clocks looks again the next time.
        if abs(set_s) < _LEAST_SET_S or after - before > _LEAST_SET_S / 2:
            return now, 0.0
        _log.warning("The clock was set %s by %.1f s.", "forwards" if set_s > 0 else "back", abs(set_s))
        self._offset_s += set_s
        with self._door:
            for _, waiting in self._queue:
                waiting.given = self._restamped(waiting.given, now)
        return now, set_s

    def _restamped(self, given: Input, now: float) -> Input:
        """An input that has only just come, but whose time is of before the clock was set."""
        at = given.received if isinstance(given, Chunk) else given.now
        if self._steady is None or abs(at - now) <= _STAMPED_S:
            return given
        return replace(given, received=now) if isinstance(given, Chunk) else replace(given, now=now)

    def _shares(self) -> dict[str, list[_Waiting]]:
        """What is taken now, by patient; the rest stays."""
        shares: dict[str, list[_Waiting]] = {}
        sizes: Counter[str] = Counter()
        rest: list[tuple[_Bed, _Waiting]] = []
        with self._door:
            for bed, waiting in self._queue:
                if sizes[bed.patient] < _SHARE:
                    shares.setdefault(bed.patient, []).append(waiting)
                else:
                    rest.append((bed, waiting))
                sizes[bed.patient] += waiting.size
            self._queue, self._queued = rest, Counter()
            for bed, waiting in rest:
                self._queued[bed.patient] += waiting.size
        if rest:
            self._come.set()
        return shares

    def _show(self) -> None:
        """Let those who look see samples before their turn comes."""
        with self._door:
            new, self._new = self._new, []
        if self._shown is None:
            return
        traces: list[Trace] = []
        for bed, waiting in new:
            trace = foreseen(bed.patient, bed.state, waiting.given) if isinstance(waiting.given, Chunk) else None
            if trace is not None:
                waiting.seen = True
                traces.append(trace)
        tell(self._shown, traces)

    def _resume(self, now: float) -> None:
        """Go on from the present states of patients whose samples were given up, once they have an alarm for it.

        Discharged patients raise no alarm.
        """
        for patient, next_input in self._keeper.resumable():
            bed = self._beds[patient]
            if bed.state.discharged or status.is_reported(bed.state, _STORAGE):
                rest = self._keeper.resume(patient)
                bed.next_input, bed.snapshot_at = next_input, now
                kept = tuple(rest.events), status.origin(bed.state), encode(bed.state)
                step = StepRecord(patient, next_input, (), *kept, tuple(rest.deliveries), tuple(rest.commands))
                self._keeper.take(Turn([step]))

    def _ticks(self, now: float, set_s: float = 0.0) -> dict[str, list[_Waiting]]:
        """What everybody is told once a second, and when the clock was set."""
        self._ticked = now
        # Who had to send again after a start gets the time for it.
        awake = abs(now - self._began) >= NO_DATA_S
        nobody = self._unreached | unreached(self._keeper.memory, now, UNREACHED_S)
        inputs: dict[str, list[_Waiting]] = {}
        for patient, bed in self._beds.items():
            if bed.state.discharged:
                continue
            expected, moved_s = awake and patient != self._station, None if self._steady is None else set_s
            given: list[Input] = [Tick(now, expected, moved_s)]
            given += [ServiceReport(now, reading) for reading in self._troubles(bed, nobody.get(patient))]
            inputs[patient] = [_Waiting(one) for one in given]
        return inputs

    def _troubles(self, bed: _Bed, nobody: ConditionReading | None) -> Iterable[ConditionReading]:
        """Readings about the service itself, where they change: storage, delivery, detector."""
        readings = {_NOBODY: nobody, _STORAGE: None}
        rest = self._keeper.given_up(bed.patient)
        if rest:
            readings[_STORAGE] = _present(_STORAGE, f"Samples cannot be stored: {rest.error}")
        if bed.patient == self._station:
            if self._keeper.away:
                readings[_STORAGE] = _present(_STORAGE, f"What is watched cannot be stored: {self._keeper.away}")
            faults = (f"'{patient}': {why}" for patient, why in self._faults.items())
            readings[_DETECTOR] = _present(_DETECTOR, "; ".join(faults)) if self._faults else None
        for code, reading in readings.items():
            if reading is not None and not status.is_present(bed.state, code):
                yield reading
            elif reading is None and status.is_reported(bed.state, code):
                yield ConditionReading(code, False)

    def _step(self, now: float, inputs: Mapping[str, Sequence[_Waiting]]) -> None:
        """Take inputs of patients, the first of all together, then the next; what happens to one concerns no other."""
        turn = Turn()
        folded: dict[str, list[Folded]] = {patient: [] for patient in inputs}
        failed: dict[str, Exception] = {}
        for number in range(max(map(len, inputs.values()), default=0)):
            rows = [
                (patient, folded[patient][-1].state if number else self._beds[patient].state, waiting[number].given)
                for patient, waiting in inputs.items()
                if number < len(waiting) and patient not in failed
            ]
            for (patient, _, _), came in zip(rows, fold_together(self._monitor, rows, now), strict=True):
                if isinstance(came, Exception):
                    failed[patient] = came
                else:
                    folded[patient].append(came)
        for patient, waiting in inputs.items():
            self._settle(turn, now, self._beds[patient], waiting, folded[patient], failed.get(patient))
        if self._shown is not None:
            tell(
                self._shown,
                [
                    taken(patient, each.state, one.given)
                    for patient, waiting in inputs.items()
                    for one, each in zip(waiting, folded[patient], strict=False)
                    if isinstance(one.given, Chunk) and not one.seen and not each.rejected
                ],
            )
        tell(self._watched, turn.steps)
        if turn.steps or turn.answers:
            self._keeper.take(turn)
            self._taken.set()

    def _settle(
        self,
        turn: Turn,
        now: float,
        bed: _Bed,
        waiting: Sequence[_Waiting],
        folded: Sequence[Folded],
        failed: Exception | None,
    ) -> None:
        """Go on from what came of the inputs of one patient, to be stored and answered."""
        try:
            if failed is not None:
                raise failed
            orders = tuple(one.order for one in waiting if one.order is not None)
            step = self._stepped(bed, folded, orders, now)
        except Exception as error:
            _log.exception("patient '%s' cannot be watched", bed.patient)
            self._faults[bed.patient] = f"{type(error).__name__}: {error}"
            refusal = StorageError(f"the monitor of {bed.patient!r} has failed; send again later.")
            self._keeper.refuse([one.receipt for one in waiting if one.receipt is not None], refusal)
            return
        self._faults.pop(bed.patient, None)
        bed.state = folded[-1].state
        turn.answers += [
            (one.receipt, Receipt(bed.patient, each.rejected, each.next_position, each.late))
            for one, each in zip(waiting, folded, strict=True)
            if one.receipt is not None
        ]
        if step.inputs or step.commands:
            turn.steps.append(step)
            turn.sizes[bed.patient] = sum(one.size for one in waiting)
            bed.next_input += len(step.inputs)
            if step.snapshot is not None:
                bed.snapshot_at = now - (now - bed.snapshot_at) % SNAPSHOT_S

    def _stepped(self, bed: _Bed, folded: Sequence[Folded], orders: tuple[int, ...], now: float) -> StepRecord:
        state = folded[-1].state
        inputs = tuple(given for each in folded for given in each.inputs)
        events = tuple(event for each in folded for event in each.events)
        # While the store is away, snapshots would only fill the memory.
        due = inputs and not self._keeper.away and abs(now - bed.snapshot_at) >= SNAPSHOT_S
        epoch = status.origin(state)
        changes = [event for event in events if isinstance(event, AlarmChanged)]
        deliveries = [
            delivery
            for place, event in enumerate(changes, 1 - len(changes))
            for delivery in self._deliveries(bed, event, epoch + event.at_s, now + place * _APART_S)
        ]
        snapshot = encode(state) if due else None
        return StepRecord(bed.patient, bed.next_input, inputs, events, epoch, snapshot, tuple(deliveries), orders)

    def _deliveries(self, bed: _Bed, event: AlarmChanged, at: float, created: float) -> list[Delivery]:
        return deliveries_of(
            event,
            bed.patient,
            self._targets,
            at=at,
            created=created,
            bundle=self._bundle,
            patient_name=bed.name,
        )

    # Storing

    def save(self) -> None:
        """Store what is not stored yet, and answer; where that fails, try again from the next second on."""
        now = self._clock()
        if self._keeper.pauses(now):
            return
        try:
            if self._keeper.save(now) or abs(now - self._looked) >= _TICK_S:
                self._look_around(now)
            self._keeper.ended(None)
        except StorageError as error:
            self._keeper.ended(error)
        self._keeper.forget()
        self._keeper.answer()

    def _look_around(self, now: float) -> None:
        """Refresh undelivered alarms and pending commands."""
        self._looked = now
        if self._targets:
            self._unreached = unreached(self._store.outbox, now, UNREACHED_S)
        for patient, name in tuple(self._renamed.items()):
            self._store.patients.upsert(patient, now, name)
            if self._renamed[patient] == name:
                del self._renamed[patient]
        orders = [order for order in self._store.inputs.pending_commands() if order.patient in self._beds]
        with self._door:
            for order in orders:
                if order.id not in self._orders:
                    waiting = _Waiting(replace(order.action, now=now), order=order.id)
                    self._queue.append((self._beds[order.patient], waiting))
            self._orders = {order.id for order in orders}

    def _wake(self) -> None:
        for courier in self._couriers:
            courier.wake()


def _present(code: str, text: str) -> ConditionReading:
    return ConditionReading(code, True, text)


def _guarded(work: Callable[[], object]) -> None:
    """Work on even after a fault of the software."""
    try:
        work()
    except Exception:
        _log.exception("The hub has failed, and goes on.")
