"""The ward: everybody who is watched, for all who ask about them, and the order of those who may give one.

The hub runs in a thread of its own. What it has watched comes to the event loop, and from there to those who look,
whether or not the store takes it; events that are read again by number are told once they are stored.
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

from ectopy.errors import DataError, EctopyError, SettingError, StorageError
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
from ectopy.monitor.alarms import active
from ectopy.monitor.status import PatientStatus, patient_status
from ectopy.service import responses, schemas
from ectopy.service.live.feed import Feed, Viewer
from ectopy.service.live.frames import signal_frame, text_frame
from ectopy.service.live.live_samples import Trace
from ectopy.service.monitoring.devices import Devices
from ectopy.service.monitoring.engine import STATION, Hub
from ectopy.service.monitoring.senders import TWO_SENDERS, Senders
from ectopy.service.monitoring.write_buffer import Receipt
from ectopy.service.notify import Target
from ectopy.service.storage import StepRecord, Store, StoredAlarm

_SUMMARIES_S = 1.0
_DEVICES_S = 1.0
ANSWER_S = 30.0
"""How long an answer of the hub is waited for."""

ITSELF = "the service itself"
"""The sender of samples that come from no device."""

_log = logging.getLogger(__name__)


class NotFoundError(DataError):
    """There is no such patient, alarm or other thing."""


class RefusedError(EctopyError):
    """The monitor has not taken an order; one sentence says why."""


class Ward:
    """Everybody who is watched.

    Parameters
    ----------
    store : Store
    monitor : Monitor
    bundle : str
        SHA-256 of the detector's bundle.
    targets : sequence of Target
        Who hears of alarms.
    clock : callable
        Gives seconds since 1970.
    steady : callable or None
        Gives seconds by a clock that is never set; None = there is none.

    Attributes
    ----------
    store : Store
    monitor : Monitor
    detector : Detector
    bundle : str
    clock : callable
    feed : Feed
    devices : Devices
    senders : Senders

    Raises
    ------
    StorageError
        If the store fails.
    """

    def __init__(
        self,
        store: Store,
        monitor: Monitor,
        bundle: str,
        targets: Sequence[Target] = (),
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self.store, self.monitor, self.bundle, self.clock = store, monitor, bundle, clock
        self.detector = monitor.criterion.detector
        self.feed = Feed()
        self.devices = Devices(store, clock)
        self.senders = Senders(clock)
        self._hub = Hub(
            store,
            monitor,
            targets,
            bundle,
            clock,
            steady=steady,
            shown=self._shown,
            watched=self._watched,
            stored=self._stored,
        )
        self._names = {one.patient: one.name for one in store.patients.all()}
        self._newest_event = store.events.newest_id()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._hub.run, args=(self._stop,), name="hub")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._told: dict[str, str] = {}
        self._lock = threading.Lock()
        self._unstored: dict[tuple[str, int], list[tuple[float, AlarmChanged]]] = {}

    async def begin(self) -> None:
        """Begin to watch."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._tasks = [asyncio.create_task(work) for work in (self._tell_summaries(), self._save_devices())]

    async def end(self) -> None:
        """Store what has come, and stop watching."""
        self.feed.close()
        for task in self._tasks:
            task.cancel()
        self._stop.set()
        await asyncio.to_thread(self._thread.join)
        with suppress(StorageError):
            await asyncio.to_thread(self.devices.save)

    @property
    def watching(self) -> bool:
        """Whether the hub runs."""
        return self._thread.is_alive() and not self._stop.is_set()

    # Patients

    def admit(self, patient: str, name: str | None = None, limits: Limits | None = None, who: str = STATION) -> bool:
        """Begin to watch a patient, anew one who was discharged, or give another name; None = it stays as it is.

        Returns
        -------
        bool
            Whether it is stored; False = it is done, and will be.

        Raises
        ------
        SettingError
            If `patient` is not a valid name.
        DataError
            If what is stored of the patient is damaged.
        StorageError
            If the store fails, and the patient is not known.
        TimeoutError
            If the hub does not answer.
        """
        known = self._names.get(patient, "") if name is None else name
        again = self._hub.admit(patient, known, limits, who)
        self._names[patient] = known
        if again is not None and not again.result(ANSWER_S).stored:
            return False
        return self._hub.is_name_stored(patient)

    def patients(self) -> tuple[str, ...]:
        """Everybody who is watched."""
        return self._hub.patients()

    def knows(self, patient: str) -> bool:
        """Whether the patient is watched, or was."""
        return patient in self._names and patient != STATION

    def state(self, patient: str) -> MonitorState:
        """What is known of a patient now; of the hub itself by the name of its station.

        Raises
        ------
        NotFoundError
            If the patient is not watched.
        """
        try:
            return self._hub.state(patient)
        except SettingError as error:
            raise NotFoundError(str(error)) from error

    def missing(self, patient: str) -> list[tuple[int, int]]:
        """Samples of the patient's stream, from a position to before another, that a sender should send again.

        They were watched, and could not be kept until the store was back.

        Raises
        ------
        NotFoundError
            If the patient is not watched.
        """
        segment = status.stream(self.state(patient))
        return [] if segment is None else self._hub.missing(patient, segment.stream)

    def summary(self, patient: str) -> schemas.SummaryShape:
        """How a patient is now.

        Raises
        ------
        NotFoundError
            If the patient is not watched.
        """
        state = self.state(patient)
        return responses.summary(patient, self._names.get(patient, ""), state, self._status(state))

    def status(self, patient: str) -> PatientStatus:
        """Return how a patient is now, without a name.

        Raises
        ------
        NotFoundError
            If the patient is not watched.
        """
        return self._status(self.state(patient))

    def _status(self, state: MonitorState) -> PatientStatus:
        return patient_status(state, self.clock(), self.monitor.learning_s)

    def active_alarms(self) -> list[StoredAlarm]:
        """Active and latched alarms of all patients and of the service itself, from memory: no store is needed."""
        return [alarm for patient in (STATION, *self._hub.patients()) for alarm in self.active_alarms_of(patient)]

    def active_alarms_of(self, patient: str) -> list[StoredAlarm]:
        """Active and latched alarms of a patient, the most urgent one first."""
        state = self._hub.state(patient)
        origin = status.origin(state)
        return [StoredAlarm(patient, origin, one, state.origins.get(one.number)) for one in active(state.alarms)]

    def unstored_alarm(self, patient: str, number: int) -> StoredAlarm | None:
        """An alarm that goes on, or whose latest change is not stored yet; None = what the store says holds."""
        found = next((one for one in self.active_alarms_of(patient) if one.alarm.number == number), None)
        if found is not None:
            return found
        changes = self.unstored_changes(patient, number)
        if not changes:
            return None
        origin, changed = changes[-1]
        return StoredAlarm(patient, origin, changed.transition.alarm, changed.origins)

    def unstored_changes(self, patient: str, number: int) -> list[tuple[float, AlarmChanged]]:
        """What has happened to an alarm and is not stored yet, each with the time of stream second 0."""
        with self._lock:
            return list(self._unstored.get((patient, number), ()))

    def newest_event(self) -> int:
        """Id of the event that was stored last, after which readers go on; while the store is away, one before it."""
        with suppress(StorageError):
            self._newest_event = self.store.events.newest_id()
        return self._newest_event

    def attach(self, device: str, patient: str) -> None:
        """Attach a device to the patient for whom it sends; nothing changes where that one is not watched.

        Raises
        ------
        SettingError
            If `device` is not 1 to 200 printable characters.
        """
        if self.knows(patient) and not self.state(patient).discharged:
            self.devices.attach(device, patient)

    # Inputs

    def submit(self, patient: str, chunk: Chunk, sender: str = ITSELF) -> Future[Receipt]:
        """Hand in samples; see `Hub.submit`.

        Raises
        ------
        NotFoundError
            If the patient is not watched.
        OccupiedError
            If somebody else sends for the patient.
        DataError, StorageError
        """
        if not self.knows(patient):
            raise NotFoundError(f"no patient {patient!r} is watched; admit the patient first.")
        if not self.state(patient).discharged:
            self.senders.claim(patient, sender, chunk.stream)
        return self._hub.submit(patient, chunk)

    async def send(self, patient: str, chunk: Chunk, sender: str = ITSELF) -> Receipt:
        """Hand in samples; the receipt comes when they are stored, or acknowledged where that takes long.

        Raises
        ------
        NotFoundError
            If the patient is not watched.
        OccupiedError
            If somebody else sends for the patient.
        DataError
            If they are not taken as they are.
        StorageError
            If they are to be sent again.
        """
        return await asyncio.wait_for(asyncio.wrap_future(self.submit(patient, chunk, sender)), ANSWER_S)

    async def order(self, patient: str, action: Command) -> bool:
        """Give an order, and wait until it is carried out; its time is now.

        Returns
        -------
        bool
            Whether it is stored; False = it is done, and will be.

        Raises
        ------
        NotFoundError
            If the patient is not watched.
        RefusedError
            If the monitor does not take it.
        StorageError
            If it was not carried out.
        """
        self.state(patient)
        future = self._hub.submit(patient, replace(action, now=self.clock()))
        receipt = await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_S)
        if receipt.rejected:
            raise RefusedError(receipt.rejected[0])
        return receipt.stored

    # Those who look

    def look(self, viewer: Viewer) -> None:
        """Send to a viewer, beginning with how everybody is."""
        self.feed.join(viewer)
        for patient in self._hub.patients():
            if viewer.wants(patient):
                self._told.setdefault(patient, "")
                viewer.put(text_frame("summary", self.summary(patient)))

    def _shown(self, traces: Sequence[Trace]) -> None:
        """By the thread that watches."""
        self._in_loop(lambda: self._publish_traces(traces))

    def _watched(self, steps: Sequence[StepRecord]) -> None:
        """By the thread that watches."""
        with self._lock:
            for step, change in _changes(steps):
                place = step.patient, change.transition.alarm.number
                self._unstored.setdefault(place, []).append((step.origin, change))
        beats = [(step, event) for step in steps for event in step.events if isinstance(event, BeatJudged)]
        if beats:
            self._in_loop(lambda: self._publish_beats(beats))

    def _stored(self, steps: Sequence[StepRecord]) -> None:
        """By the thread that stores."""
        with self._lock:
            for step, change in _changes(steps):
                place = step.patient, change.transition.alarm.number
                left = [one for one in self._unstored.get(place, ()) if one[1].number > change.number]
                if left:
                    self._unstored[place] = left
                else:
                    self._unstored.pop(place, None)
        if not all(isinstance(event, BeatJudged) for step in steps for event in step.events):
            self._in_loop(self.feed.tell)

    def _in_loop(self, work: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(work)

    def _publish_traces(self, traces: Sequence[Trace]) -> None:
        for trace in traces:
            self.feed.publish(trace.patient, partial(signal_frame, trace))

    def _publish_beats(self, beats: Sequence[tuple[StepRecord, BeatJudged]]) -> None:
        for step, beat in beats:
            self.feed.publish(step.patient, partial(_beat_frame, step, beat))

    async def _save_devices(self) -> None:
        while True:
            await asyncio.sleep(_DEVICES_S)
            # The hub tells of a store that is away.
            with suppress(StorageError):
                await asyncio.to_thread(self.devices.save)

    async def _tell_summaries(self) -> None:
        while True:
            await asyncio.sleep(_SUMMARIES_S)
            try:
                self._report_senders()
                self._tell_changes()
            except Exception:
                _log.exception("summaries could not be told")

    def _report_senders(self) -> None:
        """Tell the monitor where two send for one patient, and where that is over."""
        for patient in self._hub.patients():
            reading = self.senders.reading(patient)
            state = self.state(patient)
            begins = reading.present and not status.is_present(state, TWO_SENDERS)
            if begins or (not reading.present and status.is_reported(state, TWO_SENDERS)):
                with suppress(DataError, StorageError):
                    self._hub.submit(patient, ServiceReport(self.clock(), reading))

    def _tell_changes(self) -> None:
        watched = self._hub.patients()
        discharged = self._told.keys() - set(watched)
        for patient in (*watched, *discharged):
            if self.feed.wanted(patient):
                text = text_frame("summary", self.summary(patient))
                if self._told.get(patient) != text:
                    self._told[patient] = text
                    self.feed.publish(patient, lambda text=text: text)  # type: ignore[misc]
        for patient in discharged:
            del self._told[patient]


def _changes(steps: Sequence[StepRecord]) -> list[tuple[StepRecord, AlarmChanged]]:
    return [(step, event) for step in steps for event in step.events if isinstance(event, AlarmChanged)]


def _beat_frame(step: StepRecord, event: BeatJudged) -> str:
    return text_frame("beat", {"patient": step.patient, **responses.beat(step.origin + event.beat_s, event)})
