"""The ward: all watched patients, as routes see them.

The engine runs in a thread of its own. Its results come to the event loop, and from there to viewers, whether or not
the store takes them; events that are read again by number are announced once they are stored.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ectopy.errors import DataError, EctopyError, NotFoundError, StorageError
from ectopy.monitor import (
    AlarmChanged,
    BeatJudged,
    Chunk,
    Command,
    Limits,
    Monitor,
    MonitorState,
    ServiceReport,
    status,
)
from ectopy.monitor.status import PatientStatus, patient_status
from ectopy.service import patient_responses, patient_schemas
from ectopy.service.live.feed import Feed, Viewer
from ectopy.service.live.frames import signal_frame, text_frame
from ectopy.service.live.live_samples import LiveSamples
from ectopy.service.monitoring.devices import Devices
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.monitoring.patient_engine import SYSTEM_PATIENT, EngineFactory
from ectopy.service.monitoring.senders import TWO_SENDERS, Senders
from ectopy.service.monitoring.write_buffer import Receipt
from ectopy.service.notify import Target
from ectopy.service.storage import StepRecord, Store, StoredAlarm

_SUMMARIES_S = 1.0
_DEVICES_S = 1.0
ANSWER_S = 30.0
"""Longest wait for an answer of the engine."""

ITSELF = "the service itself"
"""The sender of samples that do not come from a device."""

_log = logging.getLogger(__name__)


class RefusedError(EctopyError):
    """The monitor has rejected a command; one sentence says why."""


class Ward:
    """All watched patients; parameters and errors are those of `ectopy.service.monitoring.engine.MonitoringEngine`."""

    def __init__(
        self,
        store: Store,
        monitor: Monitor,
        bundle: str,
        targets: Sequence[Target] = (),
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] | None = None,
        make_engine: EngineFactory = MonitoringEngine,
    ) -> None:
        self.store, self.monitor, self.bundle, self.clock = store, monitor, bundle, clock
        self.detector = monitor.detector
        self.feed = Feed()
        self.devices = Devices(store, clock)
        self.senders = Senders(clock)
        self._engine = make_engine(
            store,
            monitor,
            targets,
            bundle,
            clock,
            steady=steady,
            on_samples=self._publish_samples,
            on_steps=self._publish_steps,
            on_stored=self._note_stored,
        )
        self._names = {stored.patient: stored.name for stored in store.patients.all()}
        self._newest_event = store.events.newest_id()
        self._thread = threading.Thread(target=self._engine.run, name="monitoring")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._summaries: dict[str, str] = {}
        self._lock = threading.Lock()
        self._unstored: dict[tuple[str, int], list[tuple[float, AlarmChanged]]] = {}

    async def begin(self) -> None:
        """Begin to watch."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._tasks = [asyncio.create_task(work) for work in (self._publish_summaries(), self._save_devices())]

    async def end(self) -> None:
        """Store what is not stored yet, and stop watching."""
        self.feed.close()
        for task in self._tasks:
            task.cancel()
        self._engine.stop()
        await asyncio.to_thread(self._thread.join)
        with suppress(StorageError):
            await asyncio.to_thread(self.devices.save)

    @property
    def watching(self) -> bool:
        """Return whether patients are watched."""
        return self._thread.is_alive() and not self._engine.stopping

    # Patients

    def admit(
        self, patient: str, name: str | None = None, limits: Limits | None = None, account: str = SYSTEM_PATIENT
    ) -> bool:
        """Begin or resume to watch a patient, or change the name; return whether that is stored, or will be.

        A name of None stays as it is. Errors are those of `MonitoringEngine.admit`, and a `TimeoutError` if the engine
        does not answer.
        """
        name = self._names.get(patient, "") if name is None else name
        receipt = self._engine.admit(patient, name, limits, account)
        self._names[patient] = name
        if receipt is not None and not receipt.result(ANSWER_S).stored:
            return False
        return self._engine.is_name_stored(patient)

    def patients(self) -> tuple[str, ...]:
        """Return all watched patients."""
        return self._engine.patients()

    def knows(self, patient: str) -> bool:
        """Return whether the patient is watched, or was."""
        if patient == SYSTEM_PATIENT or patient in self._names:
            return patient != SYSTEM_PATIENT
        try:
            self._engine.state(patient)
        except NotFoundError:
            return False
        return True

    def state(self, patient: str) -> MonitorState:
        """Return the present state of a patient, or of the system patient, as `MonitoringEngine.state` does."""
        return self._engine.state(patient)

    def missing(self, patient: str) -> list[tuple[int, int]]:
        """Return samples of the patient's stream, as start and end positions, that a sender should send again.

        They were processed, and could not be kept until the store was back.
        """
        segment = status.stream(self.state(patient))
        return [] if segment is None else self._engine.missing(patient, segment.stream)

    def summary(self, patient: str) -> patient_schemas.SummaryShape:
        """Return the present status of a patient, with the name."""
        state = self.state(patient)
        return patient_responses.summary(patient, self._names.get(patient, ""), state, self._status(state))

    def detail(self, patient: str) -> patient_schemas.DetailShape:
        """Return the present status of a patient, with limits, baseline, stream and devices."""
        devices = self.devices.of(patient)
        return patient_responses.detail(
            self.summary(patient), self.state(patient), devices, self.monitor.baseline_threshold
        )

    def status(self, patient: str) -> PatientStatus:
        """Return the present status of a patient."""
        return self._status(self.state(patient))

    def _status(self, state: MonitorState) -> PatientStatus:
        return patient_status(state, self.clock(), self.monitor.learning_s)

    def active_alarms(self) -> list[StoredAlarm]:
        """Active and latched alarms of all patients and of the service itself, from memory: no store is needed."""
        return [
            alarm for patient in (SYSTEM_PATIENT, *self._engine.patients()) for alarm in self.active_alarms_of(patient)
        ]

    def active_alarms_of(self, patient: str) -> list[StoredAlarm]:
        """Active and latched alarms of a patient, the most urgent one first."""
        state = self._engine.state(patient)
        origin = status.origin(state)
        return [
            StoredAlarm(patient, origin, alarm, state.origins.get(alarm.number))
            for alarm in status.active_alarms(state)
        ]

    def unstored_alarm(self, patient: str, number: int) -> StoredAlarm | None:
        """Return an alarm that goes on, or whose latest change is not stored yet; None = the store has it."""
        for active_alarm in self.active_alarms_of(patient):
            if active_alarm.alarm.number == number:
                return active_alarm
        changes = self.unstored_changes(patient, number)
        if not changes:
            return None
        origin, changed = changes[-1]
        return StoredAlarm(patient, origin, changed.alarm, changed.origins)

    def unstored_changes(self, patient: str, number: int) -> list[tuple[float, AlarmChanged]]:
        """Return changes of an alarm that are not stored yet, each with the time of stream second 0."""
        with self._lock:
            return list(self._unstored.get((patient, number), ()))

    def newest_event(self) -> int:
        """Return the id of the newest stored event, for readers to go on after it; an older one without the store."""
        with suppress(StorageError):
            self._newest_event = self.store.events.newest_id()
        return self._newest_event

    def attach(self, device: str, patient: str) -> None:
        """Attach a device, as `Devices.attach` does; nothing changes where the patient is not watched."""
        if self.knows(patient) and not self.state(patient).discharged:
            self.devices.attach(device, patient)

    # Inputs

    def submit(self, patient: str, chunk: Chunk, sender: str = ITSELF) -> Future[Receipt]:
        """Hand in samples as `MonitoringEngine.submit` does; an `OccupiedError` if another sender sends."""
        if not self.knows(patient):
            raise NotFoundError(f"no patient {patient!r} is watched; admit the patient first.")
        if not self.state(patient).discharged:
            self.senders.claim(patient, sender, chunk.stream)
        return self._engine.submit(patient, chunk)

    async def send(self, patient: str, chunk: Chunk, sender: str = ITSELF) -> Receipt:
        """Hand in samples as `submit` does, and wait until they are stored, or acknowledged where that takes long."""
        return await asyncio.wait_for(asyncio.wrap_future(self.submit(patient, chunk, sender)), ANSWER_S)

    async def order(self, patient: str, action: Command) -> bool:
        """Carry out a command, whose time is now; return whether that is stored, or will be.

        Raises
        ------
        NotFoundError
            If the patient is not watched.
        RefusedError
            If the monitor rejects it.
        StorageError
            If it was not carried out.
        """
        self.state(patient)
        future = self._engine.submit(patient, replace(action, now=self.clock()))
        receipt = await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_S)
        if receipt.rejected:
            raise RefusedError(receipt.rejected[0])
        return receipt.stored

    # Viewers

    def add_viewer(self, viewer: Viewer) -> None:
        """Send to a viewer, beginning with a summary of each patient."""
        self.feed.join(viewer)
        for patient in self._engine.patients():
            if viewer.follows(patient):
                self._summaries.setdefault(patient, "")
                viewer.put(text_frame("summary", self.summary(patient)))

    def _publish_samples(self, samples: Sequence[LiveSamples]) -> None:
        """Publish samples, called by the thread that watches."""

        def publish() -> None:
            for part in samples:
                self.feed.publish(part.patient, partial(signal_frame, part))

        self._in_loop(publish)

    def _publish_steps(self, steps: Sequence[StepRecord]) -> None:
        """Publish beats and keep changes of alarms, called by the thread that watches."""
        with self._lock:
            for step, change in _changes(steps):
                key = step.patient, change.alarm.number
                self._unstored.setdefault(key, []).append((step.origin, change))
        beats = [(step, event) for step in steps for event in step.events if isinstance(event, BeatJudged)]

        def publish() -> None:
            for step, beat in beats:
                self.feed.publish(step.patient, partial(_beat_frame, step, beat))

        if beats:
            self._in_loop(publish)

    def _note_stored(self, steps: Sequence[StepRecord]) -> None:
        """Drop changes of alarms that are stored, and announce events, called by the thread that stores."""
        with self._lock:
            for step, change in _changes(steps):
                key = step.patient, change.alarm.number
                later = [entry for entry in self._unstored.get(key, ()) if entry[1].number > change.number]
                if later:
                    self._unstored[key] = later
                else:
                    self._unstored.pop(key, None)
        if not all(isinstance(event, BeatJudged) for step in steps for event in step.events):
            self._in_loop(self.feed.announce_events)

    def _in_loop(self, work: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(work)

    async def _save_devices(self) -> None:
        while True:
            await asyncio.sleep(_DEVICES_S)
            # The engine reports a store that is away.
            with suppress(StorageError):
                await asyncio.to_thread(self.devices.save)

    async def _publish_summaries(self) -> None:
        while True:
            await asyncio.sleep(_SUMMARIES_S)
            try:
                self._report_senders()
                self._publish_changed_summaries()
            except Exception:
                _log.exception("summaries could not be told")

    def _report_senders(self) -> None:
        """Report to the monitor where two senders send for one patient, and where that is over."""
        for patient in self._engine.patients():
            reading = self.senders.reading(patient)
            state = self.state(patient)
            begins = reading.present and not status.is_present(state, TWO_SENDERS)
            if begins or (not reading.present and status.is_reported(state, TWO_SENDERS)):
                with suppress(DataError, StorageError):
                    self._engine.submit(patient, ServiceReport(self.clock(), reading))

    def _publish_changed_summaries(self) -> None:
        watched = self._engine.patients()
        discharged = self._summaries.keys() - set(watched)
        for patient in (*watched, *discharged):
            if self.feed.is_followed(patient):
                text = text_frame("summary", self.summary(patient))
                if self._summaries.get(patient) != text:
                    self._summaries[patient] = text
                    self.feed.publish(patient, lambda text=text: text)  # type: ignore[misc]
        for patient in discharged:
            del self._summaries[patient]


def _changes(steps: Sequence[StepRecord]) -> list[tuple[StepRecord, AlarmChanged]]:
    return [(step, event) for step in steps for event in step.events if isinstance(event, AlarmChanged)]


def _beat_frame(step: StepRecord, event: BeatJudged) -> str:
    return text_frame("beat", {"patient": step.patient, **patient_responses.beat(step.origin + event.beat_s, event)})
