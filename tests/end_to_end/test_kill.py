"""The process is killed again and again while patients stream and receivers fail: nothing is lost, nothing doubled."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import SimpleNamespace

import numpy as np
import pytest

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.datasets.simulated_pulse import simulate_pulse
from ectopy.monitor import AlarmChanged, BeatJudged, Chunk, Event, Monitor, MonitorState, chunks
from ectopy.monitor.alarm_log import verify
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.conditions import AlarmType
from ectopy.recording import Recording
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.monitoring.patient_engine import SYSTEM_PATIENT
from ectopy.service.monitoring.write_buffer import Receipt
from ectopy.service.notify import WebhookTarget, deliver_due, deliveries_of
from ectopy.service.storage import Store
from support.monitor_steps import feed
from support.pulses import has_pulses
from support.webhooks import NOW, SECRET, Receiver, answer, running

LEARNING_S = 30.0
RNG = random.Random(11)
WINDOW_S = 2
"""How far a sender goes on without a receipt."""

EPISODES = {
    "asystole": ("asystole", 8, None),
    "bradycardia": ("extreme bradycardia", 15, 32.0),
    "tachycardia": ("extreme tachycardia", 20, 170.0),
    "ventricular_tachycardia": ("ventricular tachycardia", 8, None),
}


@dataclass(frozen=True)
class TimedChunk:
    """What goes to the engine: samples of somebody, and the time."""

    now: float
    patient: str
    chunk: Chunk

    @property
    def key(self) -> tuple[str, int]:
        return self.patient, self.chunk.position


# The process that is killed

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["ectopy.analysis.shipped_detector", "ectopy.service.monitoring.engine"])


def serve(url: str, hook: str, now: float, pipe: Connection) -> None:
    """An engine that is fed through a pipe, and says there what it has acknowledged."""
    os.environ["NO_PROXY"] = "127.0.0.1"
    clock, mouth = SimpleNamespace(now=now), threading.Lock()
    with Store.open(url) as store:
        monitor = Monitor.of(load_ambulatory(), LEARNING_S)
        engine = MonitoringEngine(store, monitor, [WebhookTarget("ward", hook, SECRET)], clock=lambda: clock.now)
        worker = threading.Thread(target=engine.run, args=(0.02,))
        worker.start()
        while content := pipe.recv_bytes():
            timed = decode(TimedChunk, content)
            clock.now = max(clock.now, timed.now)
            receipt = engine.submit(timed.patient, timed.chunk)
            receipt.add_done_callback(partial(acknowledge, pipe, mouth, timed))
        engine.stop()
        worker.join()


def acknowledge(pipe: Connection, mouth: threading.Lock, timed: TimedChunk, future: Future[Receipt]) -> None:
    if not future.exception() and not future.result().rejected:
        with mouth:
            pipe.send(timed.key)


# The process that streams


@dataclass
class Driver:
    """Streams patients into a process that dies, and sends again what was not acknowledged."""

    url: str
    hook: str
    plan: Sequence[TimedChunk]
    now: float = NOW
    safe: set[tuple[str, int]] = field(default_factory=set)

    def live(self, enough: int, end: Callable[[BaseProcess, Connection], None]) -> int:
        """One life of the process, until so many chunks are safe; how it ended."""
        pipe, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=serve, args=(self.url, self.hook, self.now, theirs))
        process.start()
        theirs.close()
        reader = threading.Thread(target=self.listen, args=(pipe,))
        reader.start()
        self.stream(process, pipe, enough)
        end(process, pipe)
        process.join()
        reader.join()
        pipe.close()
        return process.exitcode

    def listen(self, pipe: Connection) -> None:
        with suppress(EOFError, OSError):  # killed, perhaps in the middle of a word
            while True:
                self.safe.add(pipe.recv())

    def stream(self, process: BaseProcess, pipe: Connection, enough: int) -> None:
        """Send what is not safe, never far ahead of the receipts, until so much is."""
        left = [timed for timed in self.plan if timed.key not in self.safe]
        oldest = 0
        for timed in left:
            while timed.now - left[oldest].now > WINDOW_S and len(self.safe) < enough:
                if left[oldest].key in self.safe:
                    oldest += 1
                else:
                    self.wait(process)
            if len(self.safe) >= enough:
                return
            self.now = max(self.now, timed.now)
            pipe.send_bytes(encode(timed))
        while len(self.safe) < enough:
            self.wait(process)

    @staticmethod
    def wait(process: BaseProcess) -> None:
        assert process.is_alive()
        time.sleep(0.002)


def kill(process: BaseProcess, pipe: Connection) -> None:
    time.sleep(RNG.uniform(0, 0.05))
    process.kill()


def finish(process: BaseProcess, pipe: Connection) -> None:
    pipe.send_bytes(b"")


def patients(count: int, duration_s: float) -> dict[str, tuple[Recording, str]]:
    """Recordings, each with an episode, and the alarm that this must raise."""
    rng = random.Random(count)
    recordings = {}
    for number in range(count):
        kind = list(EPISODES)[number % len(EPISODES)]
        condition, length_s, rate_bpm = EPISODES[kind]
        episode = Episode(kind, rng.uniform(LEARNING_S + 5, duration_s - length_s - 5), length_s, rate_bpm)
        recording = simulate_recording(duration_s, ectopic={"V": 0.03}, episodes=[episode], random_state=number)
        if number % 2 == 0:
            recording = replace(recording, pulses=(simulate_pulse(recording, "ABP"),))
        recordings[f"patient {number}"] = (recording, condition)
    return recordings


def planned(recordings: dict[str, Recording]) -> list[TimedChunk]:
    """Everybody's chunks of one second, in order of time."""
    plan = []
    for name, recording in recordings.items():
        for chunk in chunks(recording, 1.0):
            at = NOW + chunk.received
            plan.append(TimedChunk(at, name, replace(chunk, received=at)))
    return sorted(plan, key=lambda timed: timed.now)


def stream_and_kill(url: str, count: int, duration_s: float, kills: int, receiver: Receiver) -> None:
    cases = patients(count, duration_s)
    with Store.open(url) as store:
        for name in cases:
            store.patients.upsert(name, NOW)
    driver = Driver(url, receiver.url, planned({name: recording for name, (recording, _) in cases.items()}))
    whole = len(driver.plan)
    for left in range(kills, 0, -1):
        share = (whole - len(driver.safe)) / (left + 1)
        assert driver.live(len(driver.safe) + int(share * RNG.uniform(0.5, 1.0)), kill) == -signal.SIGKILL
        assert len(driver.safe) < whole
        receiver.now = driver.now
    assert driver.live(whole, finish) == 0
    with Store.open(url) as store:
        for _ in range(20):  # what is due later, or was being sent when the process ended
            receiver.now += 130
            deliver_due(store.outbox, [WebhookTarget("ward", receiver.url, SECRET)], receiver.now)
    check(url, cases, receiver)


# What must be true afterwards


def check(url: str, cases: dict[str, tuple[Recording, str]], receiver: Receiver) -> None:
    monitor = Monitor.of(load_ambulatory(), LEARNING_S)
    with Store.open(url) as store:
        engine = MonitoringEngine(store, monitor)
        owed: dict[str, AlarmChanged] = {}
        for name in (*cases, SYSTEM_PATIENT):
            events = stored_events(store, name)
            assert [event.number for event in events] == list(range(1, len(events) + 1))
            assert [encode(event) for event in events] == unkilled(monitor, store, name)
            log = store.alarms.log(name)
            assert verify(log) is None
            assert len(log) == engine.state(name).alarms.entries
            owed |= messages_owed(name, events)
        for name, (recording, condition) in cases.items():
            _, events = feed(monitor, MonitorState(), *chunks(recording, 1.0))  # as a device sends it, without its end
            assert_samples_and_beats(store, name, recording, events)
            raised = [(t.alarm.condition, t.at_s) for t in store.alarms.log(name) if is_new(t)]
            assert condition in [raised_condition for raised_condition, _ in raised]
            transitions = [event.transition for event in events if isinstance(event, AlarmChanged)]
            assert raised == [(t.alarm.condition, t.at_s) for t in transitions if is_new(t)]
    assert sorted(receiver.received) == sorted(owed)
    messages = [message for _, content in receiver.requests for message in content["messages"]]
    by_key = {message["key"]: (message["patient"], message["transition"], message["digest"]) for message in messages}
    assert set(by_key) == set(owed)
    assert len(set(by_key.values())) == len(by_key)


def is_new(transition) -> bool:
    return transition.change == "raised" and transition.alarm.kind is AlarmType.PHYSIOLOGICAL


def stored_events(store: Store, patient: str) -> list[Event]:
    events: list[Event] = [stored.event for stored in store.events.after(patient=patient, limit=100_000)]
    events += [stored.beat for stored in store.beats.first(patient, 0, 2 * NOW)]
    return sorted(events, key=lambda event: event.number)


def unkilled(monitor: Monitor, store: Store, patient: str) -> list[bytes]:
    """Encode the events of a monitor that was never killed and gets the same inputs."""
    state, encoded = MonitorState(), []
    for stored in store.inputs.all(patient):
        state, events = monitor.step(state, stored)
        # The evidence is stored beside the log, which has its digest.
        bare = (replace(event, evidence=None) if isinstance(event, AlarmChanged) else event for event in events)
        encoded += map(encode, bare)
    return encoded


def messages_owed(patient: str, events: Sequence[Event]) -> dict[str, AlarmChanged]:
    ward = WebhookTarget("ward", "http://127.0.0.1", SECRET)
    return {
        delivery.key: event
        for event in events
        if isinstance(event, AlarmChanged)
        for delivery in deliveries_of(event, patient, [ward], at=NOW, created=NOW, bundle="")
    }


def assert_samples_and_beats(store: Store, patient: str, recording: Recording, events: list[Event]) -> None:
    waveform = store.waveforms.read(patient, "", 0, len(recording.signal))
    np.testing.assert_array_equal(waveform.signal, recording.signal.astype(np.float32))
    has_pulses(waveform, recording)
    stored = [event for event in stored_events(store, patient) if isinstance(event, BeatJudged)]
    assert [facts(beat) for beat in stored] == [facts(event) for event in events if isinstance(event, BeatJudged)]


def facts(beat: BeatJudged) -> tuple[object, ...]:
    return beat.position, beat.beat_s, beat.verdict, beat.hint, beat.score, beat.p_value


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Takes two of three messages."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running(Receiver()) as receiver:
        receiver.answers = lambda number, content: answer(500) if number % 3 == 0 else receiver.accept(content)
        yield receiver


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_three_kills_lose_nothing(database_url: str, receiver: Receiver):
    stream_and_kill(database_url, count=3, duration_s=61, kills=3, receiver=receiver)


@pytest.mark.long
def test_fifty_kills_lose_nothing(database_url: str, receiver: Receiver):
    stream_and_kill(database_url, count=20, duration_s=240, kills=50, receiver=receiver)
