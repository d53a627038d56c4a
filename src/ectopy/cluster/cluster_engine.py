"""Watches many patients through a cluster: samples and commands go into the log, and what it says is read back.

Samples are safe once Kafka has them: their senders are told then. While no broker answers, senders are told that their
samples are acknowledged and not stored, as far as memory goes, and an alarm of the service itself says so. Commands
are answered by the events that they cause.

One thread reads the log: samples of all senders, events and the status of patients. Everything is stored together with
the offsets up to which the log was read, so that after a restart each record is stored once, and each event has the
number that the monitor gave it, which shows when it was read before.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from ectopy.client.protocol import ChunkMessage
from ectopy.client.protocol import write as write_message
from ectopy.cluster.brokers import Brokers
from ectopy.cluster.command_answers import CommandAnswers
from ectopy.cluster.log_reader import LogReader, Record
from ectopy.cluster.log_writer import LogWriter, Place
from ectopy.cluster.sample_receipt import PendingReceipt
from ectopy.cluster.topic_records import LARGEST_BYTES, TICK, read_event, read_patient, read_samples, write_command
from ectopy.cluster.topics import Topics
from ectopy.cluster.watched_patient import WatchedPatient, rejection
from ectopy.errors import DataError, EctopyError, NotFoundError, SettingError, StorageError
from ectopy.monitor import Chunk, Command, CommandKind, Input, Limits, Monitor, MonitorState, RejectedInput, status
from ectopy.monitor.inputs import ServiceReport
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.snapshot import decode_snapshot, encode_snapshot
from ectopy.service.live.live_samples import LiveSamples, SamplesListener, accepted
from ectopy.service.monitoring.engine import SNAPSHOT_S, MonitoringEngine, check_continued
from ectopy.service.monitoring.patient_engine import SYSTEM_PATIENT
from ectopy.service.monitoring.write_buffer import ACKNOWLEDGED_AFTER_S, Batch, Receipt, StepListener, notify
from ectopy.service.notify import Target
from ectopy.service.storage import PendingCommand, StepRecord, Store

LATE_S = 15.0
"""Longest time without a status of any patient while samples come."""

_WAIT_S = 0.1
_EVERY_S = 1.0
_COMMAND_S = 20.0
_FRESH_S = 5.0
_DAY_S = 86_400.0
_REPORTED_S = 10.0
_PHASES = 16
_STORAGE, _DETECTOR, _UNREACHED = "storage failed", "detector failed", "nobody reached"

_log = logging.getLogger(__name__)


class ClusterEngine:
    """Watches the patients of a store through the topics of a cluster.

    Other parameters and errors are those of `ectopy.service.monitoring.engine.MonitoringEngine`, which watches only the
    service itself here.

    Parameters
    ----------
    brokers : Brokers
    topics : Topics

    Raises
    ------
    SettingError
        If the store has patients who were watched without a cluster: their events would be counted from 1 again.
    """

    def __init__(
        self,
        brokers: Brokers,
        topics: Topics,
        store: Store,
        monitor: Monitor,
        targets: Sequence[Target] = (),
        bundle: str = "",
        clock: Callable[[], float] = time.time,
        *,
        steady: Callable[[], float] | None = None,
        room_bytes: int = 2**30,
        on_samples: SamplesListener | None = None,
        on_steps: StepListener = lambda steps: None,
        on_stored: StepListener = lambda steps: None,
    ) -> None:
        self._brokers, self._topics, self._store, self._clock, self._room = brokers, topics, store, clock, room_bytes
        self._on_samples, self._on_steps = on_samples or (lambda samples: None), on_steps
        self._offsets = store.offsets.all()
        self._lock = threading.Lock()
        self._patients: dict[str, WatchedPatient] = {}
        self._resume_all()
        self._itself = MonitoringEngine(
            store,
            monitor,
            targets,
            bundle,
            clock,
            steady=steady,
            patients=(),
            on_steps=on_steps,
            on_stored=on_stored,
            surroundings=self._surroundings,
        )
        self._samples = LogWriter(brokers, room_bytes)
        self._commands = LogWriter(brokers, room_bytes, _COMMAND_S)
        self._answers = CommandAnswers()
        self._waiting: deque[PendingReceipt] = deque()
        self._reported: dict[str, float] = {}
        self._passed_ids: set[int] = set()
        self._sizes: deque[int] = deque()
        self._samples_at, self._tick_at, self._status_at = 0.0, clock(), clock()
        self._closed = False
        self._stopping = threading.Event()

    # Patients

    def admit(
        self, patient: str, name: str = "", limits: Limits | None = None, account: str = SYSTEM_PATIENT
    ) -> Future[Receipt] | None:
        """Begin to watch a patient, or resume a patient who was discharged; see `MonitoringEngine.admit`."""
        if patient == SYSTEM_PATIENT:
            raise SettingError(f"{patient!r} is what the service itself is called; call the patient something else.")
        watched = self._patients.get(patient)
        if watched is not None:
            if watched.name != name:
                watched.name = name
                self._itself.store_name(patient, name)
            if not watched.reported.discharged:
                return None
            return self.submit(patient, Command(CommandKind.ADMIT, self._clock(), account))
        self._store.patients.upsert(patient, self._clock(), name)
        with self._lock:
            watched = self._patients.setdefault(patient, WatchedPatient(patient, name, MonitorState()))
        watched.name = name
        if limits is not None:
            watched.reported = replace(watched.reported, limits=limits)
            self.submit(patient, Command(CommandKind.SET_LIMITS, self._clock(), account, limits=limits))
        return None

    def patients(self) -> tuple[str, ...]:
        """Return all watched patients."""
        return tuple(w.patient for w in tuple(self._patients.values()) if not w.reported.discharged)

    def is_name_stored(self, patient: str) -> bool:
        """Return whether the store has the patient's latest name."""
        return self._itself.is_name_stored(patient)

    def missing(self, patient: str, stream: str) -> list[tuple[int, int]]:
        """Return samples that could not be kept: none, for Kafka has what was acknowledged as stored."""
        return []

    def state(self, patient: str) -> MonitorState:
        """Return the newest status of a patient; a `NotFoundError` if the patient is not watched."""
        return self._itself.state(patient) if patient == SYSTEM_PATIENT else self._watched(patient).state

    def _watched(self, patient: str) -> WatchedPatient:
        watched = self._patients.get(patient)
        if watched is None:
            raise NotFoundError(f"no patient {patient!r} is watched; admit the patient first.")
        return watched

    def _resume_all(self) -> None:
        now = self._clock()
        for number, stored in enumerate(self._store.patients.all()):
            if stored.patient == SYSTEM_PATIENT:
                continue
            resume_point = self._store.inputs.resume_point(stored.patient)
            if resume_point.next_input > 1 and not self._offsets:
                raise SettingError(
                    f"this database has patients who were watched without a cluster, such as {stored.patient!r}; "
                    "name another one with --store, or leave --cluster out."
                )
            events, state = self._store.events.last_number(stored.patient), resume_point.state
            self._patients[stored.patient] = WatchedPatient(
                stored.patient,
                stored.name,
                state,
                resume_point.next_input,
                events,
                snapshot_at=now - SNAPSHOT_S * (number % _PHASES) / _PHASES,
                continues=status.stream(state) is not None,
            )

    # Inputs

    def submit(self, patient: str, input: Input) -> Future[Receipt]:
        """Write samples, a command or a reading into the log.

        The receipt of samples comes when Kafka has them, that of a command when its events are read. Errors as in
        `MonitoringEngine.submit`; samples have at most 4 MiB.
        """
        if patient == SYSTEM_PATIENT:
            return self._itself.submit(patient, input)
        watched = self._watched(patient)
        if self._closed:
            raise StorageError("the service has been stopped; send again when it runs again.")
        match input:
            case Chunk():
                return self._send_samples(watched, input)
            case Command() | ServiceReport():
                return self._send_command(watched, input)
            case _:
                raise DataError("a cluster takes samples, commands and readings; it keeps the time itself.")

    def _send_samples(self, watched: WatchedPatient, chunk: Chunk) -> Future[Receipt]:
        if watched.reported.discharged:
            raise DataError("this patient is discharged; admit the patient first.")
        content = write_message(ChunkMessage(chunk), "msgpack")
        if len(content) > LARGEST_BYTES:
            raise DataError(f"an input of {len(content)} bytes is too large; send at most {LARGEST_BYTES} at a time.")
        if watched.continues:
            check_continued(watched, chunk)
        reason = rejection(watched.state, chunk)

        def delivered(place: Place | EctopyError) -> None:
            if not reason and not isinstance(place, EctopyError):
                with self._lock:
                    watched.take_samples(replace(chunk, received=self._clock()))
            sending.resolve(place)

        with self._lock:
            late = 0 if reason else watched.outgoing.add(chunk)
            receipt = Receipt(watched.patient, (reason,) if reason else (), watched.outgoing.next_position, late)
            sending = PendingReceipt(receipt)
            self._waiting.append(sending)
        self._samples.write(self._topics.samples, watched.patient, content, delivered)
        return sending.future

    def _send_command(self, watched: WatchedPatient, command: Command | ServiceReport) -> Future[Receipt]:
        future: Future[Receipt] = Future()
        future.set_running_or_notify_cancel()

        def delivered(place: Place | EctopyError) -> None:
            if isinstance(place, EctopyError):
                future.set_exception(StorageError(f"the cluster cannot be reached: {place}"))
            elif isinstance(command, Command):
                self._answers.expect(watched.patient, place, future)
            else:
                future.set_result(Receipt(watched.patient, (), watched.outgoing.next_position))

        self._commands.write(self._topics.commands, watched.patient, write_command(command), delivered)
        return future

    # Reading

    def run(self) -> None:
        """Watch until `stop`, once; receipts that are open at the end become a `StorageError`."""
        threads = [
            threading.Thread(target=self._itself.run, name="monitoring-itself"),
            threading.Thread(target=self._pass_on, name="monitoring-orders"),
        ]
        for thread in threads:
            thread.start()
        topics = (self._topics.samples, self._topics.output, self._topics.status)
        reader = LogReader(self._brokers, topics, self._offsets)
        try:
            while not self._stopping.is_set():
                try:
                    self._take(reader.read(_WAIT_S))
                    self._resume_abandoned()
                    reader.pause(self._topics.samples, self._is_full())
                except Exception:
                    _log.exception("The engine has failed, and goes on.")
        finally:
            self._closed = True
            for writer in (self._samples, self._commands):
                writer.close()
            self._answers.close()
            reader.close()
            self._itself.stop()
            for thread in threads:
                thread.join()

    def stop(self) -> None:
        """Let `run` end as soon as what was read is stored."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def _is_full(self) -> bool:
        """Return whether so much waits for the store that samples are left in Kafka for now; events are not."""
        while len(self._sizes) > self._itself.buffer.waiting:
            self._sizes.popleft()
        return sum(self._sizes) > self._room

    def _take(self, records: Sequence[Record]) -> None:
        """Take the records that come next: show what is in them, and store it."""
        batch, samples = Batch(), []
        offsets = {}
        for record in records:
            offsets[record.partition] = record.offset + 1
            try:
                samples += self._take_record(record, batch.steps)
            except DataError as error:
                # Those of senders are dead letters of the cluster, which says so.
                _log.warning("record %d of %s was skipped: %s", record.offset, record.partition, error)
            except Exception:
                _log.exception("record %d of %s was skipped", record.offset, record.partition)
        notify(self._on_samples, samples)
        notify(self._on_steps, batch.steps)
        if records:
            batch.offsets = offsets
            self._sizes.append(sum(len(record.value or b"") for record in records))
            self._itself.store(batch)
        self._answers.resolve(lambda patient: self._patients[patient].reported.events)
        self._acknowledge()

    def _take_record(self, record: Record, steps: list[StepRecord]) -> list[LiveSamples]:
        """Take a record, add what is to be stored, and return samples to be shown."""
        if record.key is None and record.value == TICK:
            self._tick_at = record.timestamp
        if record.key is None or record.value is None:
            return []
        watched = self._enrolled(read_patient(record.key), record.timestamp, steps)
        if record.partition.topic == self._topics.output:
            self._take_event(watched, record.value, steps)
        elif record.partition.topic == self._topics.status:
            self._take_status(watched, record.value, record.timestamp, steps)
        else:
            return self._take_samples(watched, record.value, record.timestamp, steps)
        return []

    def _enrolled(self, patient: str, now: float, steps: list[StepRecord]) -> WatchedPatient:
        """Return a patient, who may have come through Kafka without having been admitted here."""
        if patient == SYSTEM_PATIENT:
            raise DataError(f"{patient!r} is what the service itself is called.")
        watched = self._patients.get(patient)
        if watched is not None:
            return watched
        # The store knows whoever is shown, so that everything of them can be asked for; while it is away, later.
        try:
            self._store.patients.enrol(patient, now)
        except StorageError:
            steps.append(StepRecord(patient, 1, (), (), now, enrolled=now))
        with self._lock:
            return self._patients.setdefault(patient, WatchedPatient(patient, "", MonitorState()))

    def _take_samples(
        self, watched: WatchedPatient, content: bytes, timestamp: float, steps: list[StepRecord]
    ) -> list[LiveSamples]:
        samples: list[LiveSamples] = []
        for chunk in read_samples(content, timestamp):
            reason = rejection(watched.state, chunk)
            if not reason:
                with self._lock:
                    watched.take_samples(chunk)
                samples.append(accepted(watched.patient, watched.state, chunk))
            origin = status.origin(watched.state)
            input = RejectedInput(timestamp, reason) if reason else chunk
            steps.append(StepRecord(watched.patient, watched.next_input, (input,), (), origin))
            watched.next_input += 1
        self._samples_at = timestamp
        return samples

    def _take_event(self, watched: WatchedPatient, content: bytes, steps: list[StepRecord]) -> None:
        read = read_event(content)
        self._answers.note(read)
        event = read.event
        if event.number <= watched.events:
            return
        if event.number > watched.events + 1:
            _log.error("events %d to %d of a patient are not in the log", watched.events + 1, event.number - 1)
        watched.events = event.number
        now = self._clock()
        is_new = now - (read.origin + event.at_s) < _DAY_S
        deliveries = self._itself.deliveries(watched.patient, watched.name, [event], read.origin, now) if is_new else ()
        steps.append(StepRecord(watched.patient, watched.next_input, (), (event,), read.origin, None, deliveries))

    def _take_status(self, watched: WatchedPatient, content: bytes, timestamp: float, steps: list[StepRecord]) -> None:
        watched.take_status(decode_snapshot(content))
        self._status_at = timestamp
        if abs(timestamp - watched.snapshot_at) >= SNAPSHOT_S and not self._itself.buffer.away:
            watched.snapshot_at = timestamp
            state = watched.reported
            snapshot = encode_snapshot(state)
            steps.append(StepRecord(watched.patient, watched.next_input, (), (), status.origin(state), snapshot))

    # Once a second

    def _acknowledge(self) -> None:
        """Tell senders that their samples wait for Kafka, where that takes long."""
        before = math.inf if self._samples.away() else time.monotonic() - ACKNOWLEDGED_AFTER_S
        with self._lock:
            slow = []
            while self._waiting and (self._waiting[0].future.done() or self._waiting[0].began < before):
                slow.append(self._waiting.popleft())
        for sending in slow:
            sending.acknowledge()

    def _pass_on(self) -> None:
        """Pass on commands of other processes, and which patients' alarms reach nobody."""
        while not self._stopping.wait(_EVERY_S):
            for work in (self._send_pending, self._report_undelivered):
                try:
                    work()
                except StorageError:
                    pass  # an alarm of the service itself says so
                except Exception:
                    _log.exception("The engine has failed, and goes on.")

    def _send_pending(self) -> None:
        """Send commands that wait in the store, which removes them once Kafka has them."""
        for command in self._store.inputs.pending_commands():
            if command.id not in self._passed_ids and command.patient in self._patients:
                self._passed_ids.add(command.id)
                content = write_command(command.action)
                self._commands.write(self._topics.commands, command.patient, content, partial(self._note_sent, command))

    def _note_sent(self, command: PendingCommand, place: Place | EctopyError) -> None:
        if isinstance(place, EctopyError):
            self._passed_ids.discard(command.id)
        else:
            step = StepRecord(command.patient, 1, (), (), self._clock(), commands=(command.id,))
            self._itself.store(Batch([step]))

    def _report_undelivered(self) -> None:
        """Report to monitors where nobody is reached about their patients, and where that is over."""
        now = self._clock()
        undelivered = self._itself.undelivered(now)
        for patient, watched in tuple(self._patients.items()):
            reading = undelivered.get(patient)
            begins = reading is not None and not status.is_present(watched.reported, _UNREACHED)
            ends = reading is None and status.is_reported(watched.reported, _UNREACHED)
            # It takes a while until the status shows what was reported.
            if (begins or ends) and abs(now - self._reported.get(patient, -math.inf)) > _REPORTED_S:
                self._reported[patient] = now
                self._send_command(watched, ServiceReport(now, reading or ConditionReading(_UNREACHED, False)))

    def _surroundings(self) -> Iterable[ConditionReading]:
        """Say what fails between the service and the patients' monitors."""
        away = self._samples.away() or self._commands.away()
        if away:
            yield ConditionReading(_STORAGE, True, f"Samples cannot be passed on to the cluster: {away}")
        now = self._clock()
        late_s = now - (self._status_at if now - self._samples_at < _FRESH_S else self._tick_at)
        if late_s > LATE_S:
            yield ConditionReading(_DETECTOR, True, f"The cluster has not watched anybody for {late_s:.0f} s.")

    def _resume_abandoned(self) -> None:
        """Go on with patients of whom something could not be stored."""
        for patient, next_input in self._itself.buffer.resumable():
            watched = self._patients.get(patient)
            if watched is None:
                continue
            abandoned = self._itself.buffer.resume(patient)
            watched.next_input = next_input
            self._itself.store(Batch([abandoned.step(patient, next_input, status.origin(watched.reported))]))
