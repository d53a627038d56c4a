"""Watches many patients: steps their monitors, stores the results in one transaction, then answers the senders.

Where the store fails, or does not answer within a second, the monitors go on: senders are told that their inputs are
acknowledged and not stored yet, alarms are delivered from memory, a technical alarm says so, and everything is written
once the store is back. Samples that exceed the memory for it are given up, and their senders are told; the alarms found
in them are kept.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol

from ectopy.errors import DataError, NotFoundError, SettingError, StorageError
from ectopy.monitor import (
    AlarmChanged,
    Chunk,
    Command,
    CommandKind,
    Event,
    Input,
    Limits,
    Monitor,
    MonitorState,
    ServiceReport,
    Tick,
    status,
)
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.inputs import input_time
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.snapshot import encode_snapshot
from ectopy.monitor.technical import NO_DATA_S
from ectopy.service.live.live_samples import LiveSamples, SamplesListener, accepted, preview
from ectopy.service.monitoring.apply_input import StepResult, apply_input, apply_inputs
from ectopy.service.monitoring.clock_comparison import ClockComparison
from ectopy.service.monitoring.input_queue import InputQueue, QueuedInput
from ectopy.service.monitoring.patient_engine import SYSTEM_PATIENT
from ectopy.service.monitoring.write_buffer import Batch, GapError, Receipt, StepListener, WriteBuffer, notify, sentence
from ectopy.service.notify import Delivery, DeliveryWorker, Target, deliveries_of, unreached
from ectopy.service.storage import ResumePoint, StepRecord, Store

SNAPSHOT_S = 15.0
UNREACHED_S = 120.0

_TICK_S = 1.0
_TOGETHER = 64
_PHASES = 16
_DAY_S = 86_400.0
_APART_S = 1e-6
"""Messages of one patient are made so far apart, so that they are sent in their order."""
_LARGEST_INPUT = 8 * 2**20
_RESENT_WITHIN_S = 3.0
"""Time after a start in which a sender is asked for samples in front of those that it sends, before they are a gap."""
_STORAGE, _DETECTOR, _UNREACHED = "storage failed", "detector failed", "nobody reached"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _WatchedPatient:
    """A patient while watched; `next_input` is the number of the next input.

    `continues`: no samples have come since the start, so that some may be missing which the process before this one had
    acknowledged and not stored. `asked_at`: since when their sender has been asked for them.
    """

    patient: str
    name: str
    state: MonitorState
    next_input: int
    snapshot_at: float
    continues: bool = False
    asked_at: float | None = None


class Continuing(Protocol):
    """A patient whose stream goes on from before the start; the attributes are those of `_WatchedPatient`."""

    continues: bool
    asked_at: float | None

    @property
    def state(self) -> MonitorState:
        """The present state."""


class MonitoringEngine:
    """Watches the patients of a store.

    Several engines may share a store if each has its own patients and its own system patient.

    Parameters
    ----------
    store : Store
    monitor : Monitor
    targets : sequence of Target
        Receivers of alarms.
    bundle : str
        SHA-256 of the detector's bundle, part of every alarm message.
    clock : callable
        Gives seconds since 1970.
    steady : callable or None
        Gives seconds by a clock that is never set, which shows when `clock` is; None = there is none.
    system_patient : str
        The engine's own name among the patients.
    patients : iterable of str or None
        Patients to go on with; None = all in the store.
    room_bytes : int
        Limit of inputs that wait to be processed, and again of those that wait to be stored, of all patients together.
        Where there is no room, a patient with more than an equal share loses it first.
    on_samples : callable or None
        Receives samples: as soon as they have come where they continue the signal, else once they are processed.
    on_steps : callable
        Receives steps as soon as they are made, whether or not the store takes them.
    on_stored : callable
        Receives steps once they are stored.
    surroundings : callable
        Gives readings of ``storage failed`` and ``detector failed`` where something beyond the process fails.

    Raises
    ------
    SettingError
        If two targets have one name, or a name is not 1 to 200 printable characters; or if a cluster watches the
        patients of the store.
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
        system_patient: str = SYSTEM_PATIENT,
        patients: Iterable[str] | None = None,
        room_bytes: int = 2**30,
        on_samples: SamplesListener | None = None,
        on_steps: StepListener = lambda steps: None,
        on_stored: StepListener = lambda steps: None,
        surroundings: Callable[[], Iterable[ConditionReading]] = tuple,
    ) -> None:
        self._store, self._monitor, self._targets, self._bundle, self._clock = store, monitor, targets, bundle, clock
        self._system_patient, self._surroundings = system_patient, surroundings
        self._on_samples, self._on_steps = on_samples, on_steps
        self.buffer = WriteBuffer(store, room_bytes, self._wake, on_stored)
        outboxes = (store.outbox, self.buffer.memory)
        self._workers = [DeliveryWorker(outbox, targets, clock) for outbox in outboxes] if targets else []
        self._lock = threading.Lock()
        self._patients: dict[str, _WatchedPatient] = {}
        self._queue = InputQueue(room_bytes)
        self._stopping = threading.Event()
        self._commands: set[int] = set()
        # Names that are not stored yet, undelivered alarms, and patients who cannot be watched.
        self._renamed: dict[str, str] = {}
        self._steps_ready = threading.Event()
        self._refreshed_at = 0.0
        self._unreached: dict[str, ConditionReading] = {}
        self._faults: dict[str, str] = {}
        self._started_at = self._ticked_at = clock()
        self._clocks = ClockComparison(clock, steady)
        self._resume_all(patients)

    # Patients

    def admit(
        self, patient: str, name: str = "", limits: Limits | None = None, account: str = SYSTEM_PATIENT
    ) -> Future[Receipt] | None:
        """Begin to watch a patient, or resume a patient who is known or was discharged.

        `name` is for people, `limits` are those of a new patient, None = of a ward, and `account` asks for it.

        Returns
        -------
        Future of Receipt or None
            Of the command that admits a discharged patient; samples are accepted once it is resolved. None = the
            patient is watched now. A known patient is watched even while the store is away, which gets the name later.

        Raises
        ------
        SettingError
            If `patient` is not 1 to 200 printable characters, or the name of the system patient.
        DataError
            If the stored state of the patient is damaged.
        StorageError
            If the store fails, and the patient is not known.
        """
        if patient == self._system_patient:
            raise SettingError(f"{patient!r} is what the service itself is called; call the patient something else.")
        if patient in self._patients:
            self._rename(patient, name)
            if not self._patients[patient].state.discharged:
                return None
            return self.submit(patient, Command(CommandKind.ADMIT, self._clock(), account))
        self._store.patients.upsert(patient, self._clock(), name)
        resume_point = self._store.inputs.resume_point(patient)
        if limits is not None and resume_point.next_input == 1:
            snapshot = encode_snapshot(MonitorState(limits=limits))
            self._store.write([StepRecord(patient, 1, (), (), self._clock(), snapshot)])
            resume_point = replace(resume_point, snapshot=snapshot)
        with self._lock:
            self._resume(patient, name, resume_point)
        return None

    def _rename(self, patient: str, name: str) -> None:
        watched = self._patients[patient]
        if watched.name == name:
            return
        watched.name = name
        self.store_name(patient, name)

    def store_name(self, patient: str, name: str) -> None:
        """Store the name of a patient, or later where the store is away."""
        if self.buffer.away:
            self._renamed[patient] = name
            return
        try:
            self._store.patients.upsert(patient, self._clock(), name)
        except StorageError:
            self._renamed[patient] = name

    def patients(self) -> tuple[str, ...]:
        """Return all watched patients."""
        watched = tuple(self._patients.values())
        return tuple(w.patient for w in watched if w.patient != self._system_patient and not w.state.discharged)

    def is_name_stored(self, patient: str) -> bool:
        """Return whether the store has the patient's latest name."""
        return patient not in self._renamed

    def missing(self, patient: str, stream: str) -> list[tuple[int, int]]:
        """Return samples of a stream, as start and end positions, that were processed and could not be kept."""
        return self.buffer.missing(patient, stream)

    def state(self, patient: str) -> MonitorState:
        """Return the present state of a patient; a `NotFoundError` if the patient is not watched."""
        return self._watched(patient).state

    def _resume_all(self, patients: Iterable[str] | None) -> None:
        if patients is None and self._store.offsets.all():
            # Its events would count from 1 again, and those with a number that is stored already would be dropped.
            raise SettingError(
                "a cluster watches the patients of this database; name the cluster with --cluster, "
                "or another database with --store."
            )
        self._store.patients.upsert(self._system_patient, self._clock())
        names = {stored.patient: stored.name for stored in self._store.patients.all()}
        if patients is not None:
            names = {patient: names.get(patient, "") for patient in patients}
        for patient, name in {self._system_patient: "", **names}.items():
            try:
                self._resume(patient, name, self._store.inputs.resume_point(patient))
            except DataError as error:
                _log.exception("patient '%s' cannot be watched", patient)
                self._faults[patient] = str(error)

    def _resume(self, patient: str, name: str, resume_point: ResumePoint) -> None:
        """Resume a patient from the snapshot and the inputs stored after it."""
        if patient in self._patients:
            return
        state = resume_point.state
        for stored in resume_point.inputs:
            result = apply_input(self._monitor, patient, state, stored)
            state = result.state
            if result.failed:
                error = StorageError("a stored input could not be taken again; send later ones again.")
                self.buffer.abandon({patient}, error, result.events)
        self._faults.pop(patient, None)
        # Snapshots of different patients fall due at different times.
        snapshot_at = self._clock() - SNAPSHOT_S * (len(self._patients) % _PHASES) / _PHASES
        has_begun = status.stream(state) is not None
        next_input = resume_point.next_input
        self._patients[patient] = _WatchedPatient(patient, name, state, next_input, snapshot_at, has_begun)

    def _watched(self, patient: str) -> _WatchedPatient:
        watched = self._patients.get(patient)
        if watched is None:
            reason = self._faults.get(patient, "admit the patient first.")
            raise NotFoundError(f"no patient {patient!r} is watched; {reason}")
        return watched

    # Inputs

    def submit(self, patient: str, input: Input) -> Future[Receipt]:
        """Queue an input; its receipt comes when it is stored, or acknowledged where that takes long.

        The receipt is a `StorageError` instead where the input should be sent again; it has been processed then.

        Raises
        ------
        NotFoundError
            If the patient is not watched.
        SettingError
            If samples or a discharge are for the system patient.
        DataError
            If the input cannot be stored, is larger than 8 MiB, its time is not today, or the patient is discharged.
        StorageError
            If too much waits already, or the engine has been stopped; send again later. A `GapError` if samples are
            missing in front of the first chunk since the start: send those first that were not stored.
        """
        watched = self._watched(patient)
        if watched.state.discharged and isinstance(input, Chunk):
            raise DataError("this patient is discharged; admit the patient first.")
        content = encode(input)
        if len(content) > _LARGEST_INPUT:
            raise DataError(f"an input of {len(content)} bytes is too large; send at most {_LARGEST_INPUT} at a time.")
        # The monitor gets what would be read from the store, whatever the sender does with its own copy.
        input = decode(type(input), content)
        time_s = input_time(input)
        if not abs(time_s - self._clock()) <= _DAY_S:
            raise DataError(f"an input is of now by the service's clock, in seconds since 1970, and not of {time_s:g}.")
        input = self._clocks.restamped(input, self._clock())
        if patient == self._system_patient and isinstance(input, Chunk):
            raise SettingError(f"{patient!r} is the service itself, and sends no samples; name the patient.")
        if patient == self._system_patient and isinstance(input, Command) and input.kind is CommandKind.DISCHARGE:
            raise SettingError(f"{patient!r} is the service itself, and cannot be discharged; name the patient.")
        if watched.continues and isinstance(input, Chunk):
            check_continued(watched, input)
        receipt: Future[Receipt] = Future()
        receipt.set_running_or_notify_cancel()
        self._queue.submit(patient, QueuedInput(input, len(content), receipt), len(self._patients))
        return receipt

    def run_once(self) -> int:
        """Process the waiting inputs, store the results and answer; return how many inputs that were."""
        processed = self.process_inputs()
        self.flush()
        return processed

    def run(self, apart_s: float = 0.1) -> None:
        """Process inputs until `stop`, once; rounds are at least so far apart, so that inputs come together.

        A thread of its own stores the results, so that a store that hangs does not hold up the monitors. Receipts that
        are open at the end become a `StorageError`.
        """
        closing = threading.Event()
        writer = threading.Thread(target=self._flush_until, args=(closing,), name="monitoring-writer")
        writer.start()
        for worker in self._workers:
            worker.start()
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                _guarded(self.process_inputs)
                if not self._stopping.is_set():
                    self._queue.arrived.wait(_TICK_S)
                self._stopping.wait(max(began + apart_s - time.monotonic(), 0.0))
            self._queue.close()
            while self._queue:
                _guarded(self.process_inputs)
            _guarded(self._add_snapshots)
        finally:
            closing.set()
            self._steps_ready.set()
            writer.join()
            for worker in self._workers:
                worker.stop()
            error = StorageError("the service was stopped before this was stored; send it again.")
            self.buffer.abandon(self._patients, error)
            self.buffer.resolve()

    def stop(self) -> None:
        """Let `run` end as soon as what has come is processed and stored."""
        self._stopping.set()
        self._queue.arrived.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def _flush_until(self, closing: threading.Event) -> None:
        while not closing.is_set():
            self._steps_ready.wait(_TICK_S)
            self._steps_ready.clear()
            _guarded(self.flush)
        _guarded(self.flush)

    def _add_snapshots(self) -> None:
        """Store all states, so that a later start, perhaps of another version, applies no input again."""
        with self._lock:
            batch = Batch()
            for watched in self._patients.values():
                state, origin = encode_snapshot(watched.state), status.origin(watched.state)
                batch.steps.append(StepRecord(watched.patient, watched.next_input, (), (), origin, state))
            self.buffer.add(batch)

    # Watching

    def process_inputs(self) -> int:
        """Step the monitors with the waiting inputs, for `flush` to store; return how many inputs that were.

        Takes a bounded share per patient, so that one busy sender cannot starve the others.
        """
        now, set_s = self._clocks.read()
        if set_s:
            self._queue.change_inputs(lambda input: self._clocks.restamped(input, now))
        shares = self._queue.take_shares()
        with self._lock:
            self.buffer.check_store()
            if set_s:
                self._step(now, self._ticks(now, set_s))
            items = tuple(shares.items())
            for first in range(0, len(items), _TOGETHER):
                self._publish_preview()
                self._step(now, dict(items[first : first + _TOGETHER]))
            if abs(now - self._ticked_at) >= _TICK_S:
                self._step(now, self._ticks(now))
            self._resume_abandoned(now)
        self.buffer.resolve()
        return sum(map(len, shares.values()))

    def _publish_preview(self) -> None:
        """Publish samples to viewers before they are processed."""
        entries = self._queue.take_unpreviewed()
        if self._on_samples is None:
            return
        previews: list[LiveSamples] = []
        for patient, queued in entries:
            if isinstance(queued.input, Chunk):
                samples = preview(patient, self._patients[patient].state, queued.input)
                if samples is not None:
                    queued.previewed = True
                    previews.append(samples)
        notify(self._on_samples, previews)

    def _resume_abandoned(self, now: float) -> None:
        """Resume patients whose samples were given up from their present states, once they have an alarm for it.

        Discharged patients raise no alarm.
        """
        for patient, next_input in self.buffer.resumable():
            if patient not in self._patients:
                continue
            watched = self._patients[patient]
            state = watched.state
            if state.discharged or status.is_reported(state, _STORAGE):
                abandoned = self.buffer.resume(patient)
                watched.next_input, watched.snapshot_at = next_input, now
                step = abandoned.step(patient, next_input, status.origin(state), encode_snapshot(state))
                self.buffer.add(Batch([step]))

    def _ticks(self, now: float, set_s: float = 0.0) -> dict[str, list[QueuedInput]]:
        """Return the inputs that all patients get once a second, and when the clock was set."""
        self._ticked_at = now
        # A sender that had to send again after a start gets the time for it.
        is_awake = abs(now - self._started_at) >= NO_DATA_S
        moved_s = set_s if self._clocks.has_steady_clock else None
        undelivered = self.undelivered(now)
        ticks: dict[str, list[QueuedInput]] = {}
        for patient, watched in self._patients.items():
            if watched.state.discharged:
                continue
            inputs: list[Input] = [Tick(now, is_awake and patient != self._system_patient, moved_s)]
            inputs += [ServiceReport(now, reading) for reading in self._self_reports(watched, undelivered.get(patient))]
            ticks[patient] = [QueuedInput(input) for input in inputs]
        return ticks

    def undelivered(self, now: float) -> dict[str, ConditionReading]:
        """Return the patients about whom no receiver of alarms could be reached, with the reading for each."""
        return self._unreached | unreached(self.buffer.memory, now, UNREACHED_S)

    def _self_reports(
        self, watched: _WatchedPatient, undelivered: ConditionReading | None
    ) -> Iterable[ConditionReading]:
        """Readings about the service itself, where they change: storage, delivery, detector."""
        readings = {_UNREACHED: undelivered, _STORAGE: None}
        abandoned = self.buffer.abandoned(watched.patient)
        if abandoned:
            readings[_STORAGE] = ConditionReading(_STORAGE, True, f"Samples cannot be stored: {abandoned.error}")
        if watched.patient == self._system_patient:
            unrenewed = self._store.lease_failure
            away = self.buffer.away or (sentence(unrenewed) if unrenewed else "")
            if away:
                text = f"What is watched cannot be stored: {away}"
                readings[_STORAGE] = ConditionReading(_STORAGE, True, text)
            faults = "; ".join(f"'{patient}': {reason}" for patient, reason in self._faults.items())
            readings[_DETECTOR] = ConditionReading(_DETECTOR, True, faults) if faults else None
            for beyond in self._surroundings():
                readings[beyond.condition] = readings[beyond.condition] or beyond
        for code, reading in readings.items():
            if reading is not None and not status.is_present(watched.state, code):
                yield reading
            elif reading is None and status.is_reported(watched.state, code):
                yield ConditionReading(code, False)

    def _step(self, now: float, shares: Mapping[str, Sequence[QueuedInput]]) -> None:
        """Step the monitors: the first inputs of all patients together, then the next; failures are separate."""
        batch = Batch()
        results: dict[str, list[StepResult]] = {patient: [] for patient in shares}
        errors: dict[str, Exception] = {}
        for number in range(max(map(len, shares.values()), default=0)):
            rows = [
                (patient, results[patient][-1].state if number else self._patients[patient].state, inputs[number].input)
                for patient, inputs in shares.items()
                if number < len(inputs) and patient not in errors
            ]
            for (patient, _, _), result in zip(rows, apply_inputs(self._monitor, rows), strict=True):
                if isinstance(result, Exception):
                    errors[patient] = result
                else:
                    results[patient].append(result)
        for patient, inputs in shares.items():
            self._commit_results(batch, now, self._patients[patient], inputs, results[patient], errors.get(patient))
        if self._on_samples is not None:
            samples = [
                accepted(patient, result.state, queued.input)
                for patient, inputs in shares.items()
                for queued, result in zip(inputs, results[patient], strict=False)
                if isinstance(queued.input, Chunk) and not queued.previewed and not result.rejected
            ]
            notify(self._on_samples, samples)
        notify(self._on_steps, batch.steps)
        if batch.steps or batch.receipts:
            self.buffer.add(batch)
            self._steps_ready.set()

    def _commit_results(
        self,
        batch: Batch,
        now: float,
        watched: _WatchedPatient,
        inputs: Sequence[QueuedInput],
        results: Sequence[StepResult],
        failure: Exception | None,
    ) -> None:
        """Adopt the new state of one patient, and add the step and the receipts to the batch."""
        try:
            if failure is not None:
                raise failure
            commands = tuple(queued.command for queued in inputs if queued.command is not None)
            step = self._step_record(watched, results, commands, now)
        except Exception as error:
            _log.exception("patient '%s' cannot be watched", watched.patient)
            self._faults[watched.patient] = f"{type(error).__name__}: {error}"
            rejection = StorageError(f"the monitor of {watched.patient!r} has failed; send again later.")
            self.buffer.reject([queued.receipt for queued in inputs if queued.receipt is not None], rejection)
            return
        self._faults.pop(watched.patient, None)
        watched.state = results[-1].state
        batch.receipts += [
            (queued.receipt, Receipt(watched.patient, result.rejected, result.next_position, result.late))
            for queued, result in zip(inputs, results, strict=True)
            if queued.receipt is not None
        ]
        if step.inputs or step.commands:
            batch.steps.append(step)
            batch.sizes[watched.patient] = sum(queued.size for queued in inputs)
            watched.next_input += len(step.inputs)
            if step.snapshot is not None:
                watched.snapshot_at = now - (now - watched.snapshot_at) % SNAPSHOT_S

    def _step_record(
        self, watched: _WatchedPatient, results: Sequence[StepResult], commands: tuple[int, ...], now: float
    ) -> StepRecord:
        state = results[-1].state
        inputs = tuple(input for result in results for input in result.inputs)
        events = tuple(event for result in results for event in result.events)
        # While the store is away, snapshots would only fill the memory.
        is_due = inputs and not self.buffer.away and abs(now - watched.snapshot_at) >= SNAPSHOT_S
        origin = status.origin(state)
        deliveries = self.deliveries(watched.patient, watched.name, events, origin, now)
        snapshot = encode_snapshot(state) if is_due else None
        return StepRecord(watched.patient, watched.next_input, inputs, events, origin, snapshot, deliveries, commands)

    def deliveries(
        self, patient: str, name: str, events: Iterable[Event], origin: float, now: float
    ) -> tuple[Delivery, ...]:
        """Return the messages about events, in their order; `origin` is the time of stream second 0."""
        changes = [event for event in events if isinstance(event, AlarmChanged)]
        return tuple(
            delivery
            for number, event in enumerate(changes, 1 - len(changes))
            for delivery in deliveries_of(
                event,
                patient,
                self._targets,
                at=origin + event.at_s,
                created=now + number * _APART_S,
                bundle=self._bundle,
                patient_name=name,
            )
        )

    # Storing

    def store(self, batch: Batch) -> None:
        """Store steps of patients whom the engine does not watch itself, and deliver their messages."""
        self.buffer.add(batch)
        self._steps_ready.set()

    def flush(self) -> None:
        """Store what is not stored yet, and answer; where that fails, try again from the next second on."""
        now = self._clock()
        if self.buffer.backing_off(now):
            return
        try:
            if self.buffer.write(now) or abs(now - self._refreshed_at) >= _TICK_S:
                self._refresh(now)
            self.buffer.finished(None)
        except StorageError as error:
            self.buffer.finished(error)
        self.buffer.drop_delivered()
        self.buffer.resolve()

    def _refresh(self, now: float) -> None:
        """Refresh undelivered alarms and pending commands, and store new names."""
        self._refreshed_at = now
        if self._targets:
            self._unreached = unreached(self._store.outbox, now, UNREACHED_S)
        for patient, name in tuple(self._renamed.items()):
            self._store.patients.upsert(patient, now, name)
            if self._renamed[patient] == name:
                del self._renamed[patient]
        commands = [command for command in self._store.inputs.pending_commands() if command.patient in self._patients]
        for command in commands:
            if command.id not in self._commands:
                queued = QueuedInput(replace(command.action, now=now), command=command.id)
                self._queue.add_command(command.patient, queued)
        self._commands = {command.id for command in commands}

    def _wake(self) -> None:
        for worker in self._workers:
            worker.wake()


def check_continued(watched: Continuing, chunk: Chunk) -> None:
    """Ask for samples that were acknowledged before the start and not stored, before they become a gap.

    A `GapError` if samples are missing in front of these, and their sender has not had the time to send them again.
    """
    next_position = status.next_position(watched.state)
    if next_position is not None and status.continues(watched.state, chunk) and chunk.position > next_position:
        now = time.monotonic()
        watched.asked_at = watched.asked_at or now
        if now - watched.asked_at < _RESENT_WITHIN_S:
            raise GapError(
                f"samples {next_position} to {chunk.position - 1} of this stream are not stored; send them first "
                "if you have them, and then these again."
            )
    watched.continues = False


def _guarded(work: Callable[[], object]) -> None:
    """Go on even after a fault of the software."""
    try:
        work()
    except Exception:
        _log.exception("The engine has failed, and goes on.")
