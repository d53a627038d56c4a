"""A server that is killed while devices send: nothing that was acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from ectopy.client import Client
from ectopy.datasets import simulate_recording
from ectopy.service.storage import Store
from support.outages import locked
from support.pulses import has_pulses, with_pulses
from support.server import key_of, messages, served
from support.waiting import PATIENCE_S, until

DEVICES = [f"bed {number}" for number in range(3)]


def send(port: int, key: str, patient: str, contents: list[bytes], most: int) -> tuple[int | None, int]:
    """Where the server wants a device to go on, and up to where so many messages more at most are stored."""
    address = f"ws://127.0.0.1:{port}/api/patients/{patient.replace(' ', '%20')}/stream"
    headers = {"Authorization": f"Bearer {key}"}
    with connect(address, additional_headers=headers, compression=None, proxy=None) as device:
        wanted = json.loads(device.recv(PATIENCE_S))["next_position"]
        stored = wanted or 0
        rest = contents[stored // 250 :][:most]
        end = stored + 250 * len(rest)
        for content in rest:
            device.send(content)
        while stored < end:
            stored = stored_until(device) or stored
    return wanted, stored


def stored_until(device: ClientConnection) -> int:
    """The position that the next answer says is stored; 0 if it says that it is not stored yet."""
    answer = json.loads(device.recv(PATIENCE_S))
    return answer["next_position"] if answer["stored"] else 0


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path: Path, port: int):
    recording = with_pulses(simulate_recording(30))
    contents = messages(recording)
    with served(tmp_path, port) as (process, said):
        key = key_of(said)
        headers = {"Authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{port}/api/patients"
        for device in DEVICES:
            httpx.post(url, headers=headers, json={"patient": device}, trust_env=False).raise_for_status()
        before = {
            device: send(port, key, device, contents, 10 + 3 * number)[1] for number, device in enumerate(DEVICES)
        }
        # More is on its way when the server is killed.
        with connect(
            f"ws://127.0.0.1:{port}/api/patients/bed%200/stream",
            additional_headers=headers,
            proxy=None,
            close_timeout=1,
        ) as device:
            device.recv(PATIENCE_S)
            for content in contents[10:]:
                device.send(content)
            process.kill()
            process.wait()
            try:
                while True:
                    before["bed 0"] = stored_until(device) or before["bed 0"]
            except ConnectionClosed:
                pass
    with served(tmp_path, port) as (_, said):
        assert "ectopy_" not in said
        for device in DEVICES:
            wanted, after = send(port, key, device, contents, len(contents))
            assert wanted >= before[device]
            assert after == len(recording.signal)
    with Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}") as store:
        for device in DEVICES:
            stored = store.waveforms.read(device, "", 0, len(recording.signal))
            np.testing.assert_array_equal(stored.signal, recording.signal)
            has_pulses(stored, recording)
            beats = [one.beat.position for one in store.beats.first(device, 0, 1e11)]
            assert len(beats) == len(set(beats)) > 25


class HttpDevice:
    """Sends over HTTP, and keeps what is not stored, as the documentation says."""

    def __init__(self, port: int, key: str, patient: str) -> None:
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=PATIENCE_S,
        )
        self.path = f"/api/patients/{patient}/chunks"
        self.kept: list[dict] = []
        self.lost = False

    def send(self, chunk: dict) -> None:
        """Send a chunk; and all that is kept in front of it after an answer that did not come, or was 503."""
        self.kept.append(chunk)
        end = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < end
            try:
                answer = self.client.post(self.path, json=self.kept if self.lost else chunk)
            except httpx.TransportError:
                self.lost = True
                time.sleep(0.1)
                continue
            self.lost = answer.status_code == 503
            if not self.lost:
                break
        assert answer.status_code == 200, answer.text
        if answer.json()["stored"]:
            self.kept.clear()


def test_what_was_acknowledged_without_the_database_is_sent_again_after_a_kill(tmp_path: Path, port: int):
    recording, path = simulate_recording(15), tmp_path / "ectopy.db"
    halves = np.split(recording.signal, 30)
    with served(tmp_path, port) as (process, said), Client(f"http://127.0.0.1:{port}", key_of(said)) as client:
        client.admit("socket")
        client.admit("http")
        stream = client.stream("socket", 250.0, recording.leads)
        device = HttpDevice(port, key_of(said), "http")

        def send(first: int, last: int) -> None:
            for number in range(first, last):
                stream.send(halves[number])
                samples = halves[number].tolist()
                device.send(
                    {"position": 125 * number, "sampling_rate_hz": 250, "leads": ["a", "b"], "samples": samples}
                )

        send(0, 10)
        stream.flush()
        assert device.kept == []
        with locked(path):
            send(10, 22)
            until(lambda: stream.acknowledged == stream.position == 22 * 125)
            assert stream.stored == 10 * 125
            assert len(device.kept) == 12
            process.kill()
            process.wait()
        with served(tmp_path, port):
            send(22, 30)
            stream.close()
            assert stream.stored == len(recording.signal)
            until(lambda: device.send(device.kept[-1]) or not device.kept if device.kept else True)
        device.client.close()
    with Store.open(f"sqlite:///{path}") as store:
        for patient, name in (("socket", stream.name), ("http", "")):
            found = store.waveforms.read(patient, name, 0, len(recording.signal))
            np.testing.assert_array_equal(found.signal, recording.signal)
            assert not [
                one for one in store.events.after(patient=patient, kinds=("noticed",)) if one.event.subject == "gap"
            ]
