"""Recordings played into a real engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording
from ectopy.errors import NotFoundError, SettingError, StorageError
from ectopy.monitor import Chunk, Monitor
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.monitoring.replays import Replay, Replays, ReplayStatus
from ectopy.service.monitoring.write_buffer import Receipt
from ectopy.service.storage import Store
from support.pulses import has_pulses, with_pulses
from support.waiting import until

RECORDING = with_pulses(simulate_recording(20))


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    return Monitor.of(load_ambulatory(), learning_s=30)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('store') / 'ectopy.db'}") as store:
        yield store


@pytest.fixture(scope="module")
def engine(store: Store, monitor: Monitor) -> Iterator[MonitoringEngine]:
    engine = MonitoringEngine(store, monitor)
    engine.admit("anna")
    worker = threading.Thread(target=engine.run, args=(0.01,))
    worker.start()
    yield engine
    engine.stop()
    worker.join()


def ended(replays: Replays, id: str) -> Replay:
    until(lambda: replays.get(id).status is not ReplayStatus.PLAYING)
    return replays.get(id)


def test_replay_is_stored_sample_by_sample(engine: MonitoringEngine, store: Store):
    replays = Replays()
    replay = replays.start(RECORDING, "simulated", "anna", 100, engine.submit)
    assert (replay.status, replay.duration_s) == (ReplayStatus.PLAYING, 20)
    finished = ended(replays, replay.id)
    assert (finished.status, finished.error, finished.position_s) == (ReplayStatus.FINISHED, "", 20)
    waveform = store.waveforms.read("anna", f"replay {replay.id}", 0, len(RECORDING.signal))
    np.testing.assert_array_equal(waveform.signal, RECORDING.signal)
    assert waveform.leads == RECORDING.leads
    has_pulses(waveform, RECORDING)
    assert replays.all() == [finished]


def test_two_replays_of_one_patient_are_streams_of_their_own(engine: MonitoringEngine, store: Store):
    replays = Replays()
    for _ in range(2):
        assert (
            ended(replays, replays.start(RECORDING, "simulated", "anna", 1000, engine.submit).id).status
            is ReplayStatus.FINISHED
        )
    for replay in replays.all():
        waveform = store.waveforms.read("anna", f"replay {replay.id}", 0, len(RECORDING.signal))
        np.testing.assert_array_equal(waveform.signal, RECORDING.signal)


def test_what_could_not_be_stored_is_sent_again(engine: MonitoringEngine, store: Store):
    attempts: list[int] = []

    def reluctant(patient: str, chunk: Chunk) -> Future[Receipt]:
        attempts.append(chunk.position)
        if len(attempts) == 2:
            raise StorageError("more inputs wait than can be kept; send again later.")
        return engine.submit(patient, chunk)

    replays = Replays()
    replay = replays.start(RECORDING, "simulated", "anna", 20, reluctant)
    assert ended(replays, replay.id).status is ReplayStatus.FINISHED
    assert attempts == [0, 2500, 2500]
    waveform = store.waveforms.read("anna", f"replay {replay.id}", 0, len(RECORDING.signal))
    np.testing.assert_array_equal(waveform.signal, RECORDING.signal)


def test_replay_is_stopped_and_goes_at_its_speed(engine: MonitoringEngine):
    replays = Replays()
    replay = replays.start(RECORDING, "simulated", "anna", 1, engine.submit)
    stopped = replays.stop(replay.id)
    assert (stopped.status, stopped.position_s < 20) == (ReplayStatus.STOPPED, True)
    assert replays.stop(replay.id) == stopped
    assert "replay" not in " ".join(thread.name for thread in threading.enumerate())


def test_refusal_ends_a_replay_with_its_reason(engine: MonitoringEngine):
    replays = Replays()
    slow = replace(RECORDING, sampling_rate_hz=50.0)
    failed = ended(replays, replays.start(slow, "slow", "anna", 1000, engine.submit).id)
    assert (failed.status, "sampling rate" in failed.error) == (ReplayStatus.FAILED, True)
    unknown = ended(replays, replays.start(RECORDING, "simulated", "nobody", 1000, engine.submit).id)
    assert "no patient 'nobody' is watched" in unknown.error


def test_impossible_replays_are_refused(engine: MonitoringEngine):
    replays = Replays()
    for speed in (0, -1, 1001, float("nan")):
        with pytest.raises(SettingError, match="times its speed"):
            replays.start(RECORDING, "simulated", "anna", speed, engine.submit)
    with pytest.raises(NotFoundError, match="no replay"):
        replays.get("../..")
    for _ in range(32):
        replays.start(RECORDING, "simulated", "anna", 0.1, engine.submit)
    with pytest.raises(SettingError, match="already"):
        replays.start(RECORDING, "simulated", "anna", 0.1, engine.submit)
    replays.close()
    assert {replay.status for replay in replays.all()} == {ReplayStatus.STOPPED}
