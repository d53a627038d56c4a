"""The server is killed and started again while devices send: nothing acknowledged is lost, nothing doubled."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from ectopy.client import Client
from ectopy.client.stream_sender import Stream
from ectopy.datasets import simulate_recording
from ectopy.monitor import Chunk
from ectopy.recording import Recording
from ectopy.service.access import Authenticator, Scope
from ectopy.service.storage import Store
from support.server import served
from support.waiting import until

PACE = 4.0
CHUNK_S = 0.5


class Device:
    """Sends a recording in a thread of its own, whatever becomes of the server."""

    def __init__(self, client: Client, patient: str, recording: Recording, stream: Stream) -> None:
        self.client, self.patient, self.recording, self.stream = client, patient, recording, stream
        self.thread = threading.Thread(target=self.send)
        self.thread.start()

    def send(self) -> None:
        length = round(CHUNK_S * self.recording.sampling_rate_hz)
        for begin in range(0, len(self.recording.signal), length):
            self.stream.send(self.recording.signal[begin : begin + length])
            time.sleep(CHUNK_S / PACE)

    def check(self, store: Store, samples: int) -> None:
        """That so many are stored, each of them once."""
        if samples:
            found = store.waveforms.read(self.patient, self.stream.name, 0, samples)
            np.testing.assert_array_equal(found.signal, self.recording.signal[:samples])
        taken = np.zeros(len(self.recording.signal), int)
        for given in store.inputs.all(self.patient):
            if isinstance(given, Chunk):
                taken[given.position : given.position + len(given.signal)] += 1
        assert (taken[:samples] >= 1).all()
        beats = [beat.beat.position for beat in store.beats.first(self.patient, 0, 2e9)]
        assert len(beats) == len(set(beats))


def acknowledged(senders: list[Device]) -> int:
    return sum(sender.stream.acknowledged for sender in senders)


def mint(home: Path) -> str:
    """A key that allows everything, for a service that will be started in this folder."""
    with Store.open(f"sqlite:///{home / 'ectopy.db'}") as store:
        return Authenticator(store.keys).new_key("test", frozenset({Scope.ADMINISTER}))[1]


@pytest.mark.parametrize(
    ("devices", "seconds", "kills"), [(10, 12.0, 1), pytest.param(200, 90.0, 4, marks=pytest.mark.long)]
)
def test_killed_and_started_again(tmp_path: Path, port: int, devices: int, seconds: float, kills: int):
    rng = random.Random(0)
    recordings = [simulate_recording(seconds, rate_bpm=60 + 8 * number, random_state=number) for number in range(5)]
    url = f"sqlite:///{tmp_path / 'ectopy.db'}"
    key = mint(tmp_path)
    with ExitStack() as stack:
        client = stack.enter_context(Client(f"http://127.0.0.1:{port}", key))
        senders: list[Device] = []
        for kill in range(kills):
            with served(tmp_path, port):
                if kill == 0:
                    for number in range(devices):
                        recording = recordings[number % len(recordings)]
                        client.admit(f"patient {number}")
                        stream = client.stream(f"patient {number}", recording.sampling_rate_hz, recording.leads)
                        senders.append(Device(client, f"patient {number}", recording, stream))
                before = acknowledged(senders)
                enough = before + 125 * len(senders)  # everybody is likely to have been answered once more
                until(lambda enough=enough: acknowledged(senders) >= enough)
                time.sleep(rng.uniform(0.0, 1.0))
            safe = [sender.stream.acknowledged for sender in senders]
            assert sum(safe) > before
            with Store.open(url) as store:
                for sender, samples in zip(senders, safe, strict=True):
                    sender.check(store, samples)
        with served(tmp_path, port):
            for sender in senders:
                sender.thread.join()
                sender.stream.close(wait_s=60.0)
                assert sender.stream.acknowledged == len(sender.recording.signal)
        with Store.open(url) as store:
            for sender in senders:
                sender.check(store, len(sender.recording.signal))
