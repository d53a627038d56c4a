"""A server that is killed while devices send: nothing that was acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ectopy.datasets import simulate_recording
from ectopy.service.storage import Store
from server import PATIENCE_S, free_port, messages, served

DEVICES = [f"bed {number}" for number in range(3)]


def send(port: int, key: str, patient: str, contents: list[bytes], most: int) -> tuple[int | None, int]:
    """Where the server wants a device to go on, and where it is after so many messages at most."""
    address = f"ws://127.0.0.1:{port}/api/patients/{patient.replace(' ', '%20')}/stream"
    headers = {"Authorization": f"Bearer {key}"}
    with connect(address, additional_headers=headers, compression=None, proxy=None) as device:
        wanted = json.loads(device.recv(PATIENCE_S))["wanted"]
        acknowledged = wanted or 0
        rest = contents[acknowledged // 250 :][:most]
        for content in rest:
            device.send(content)
        for _ in rest:
            acknowledged = json.loads(device.recv(PATIENCE_S))["wanted"]
    return wanted, acknowledged


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path: Path):
    recording, port = simulate_recording(30), free_port()
    contents = messages(recording)
    with served(tmp_path, port) as (process, said):
        key = re.findall(r"ectopy_[\w-]{43}", said)[0]
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
                    before["bed 0"] = json.loads(device.recv(PATIENCE_S))["wanted"]
            except ConnectionClosed:
                pass
    with served(tmp_path, port) as (_, said):
        assert "ectopy_" not in said
        for device in DEVICES:
            wanted, after = send(port, key, device, contents, len(contents))
            assert wanted is not None
            assert wanted >= before[device]
            assert after == len(recording.signal)
    with Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}") as store:
        for device in DEVICES:
            stored = store.waveform(device, "", 0, len(recording.signal))
            np.testing.assert_array_equal(stored.signal, recording.signal)
            beats = [one.beat.position for one in store.beats(device, 0, 1e11)]
            assert len(beats) == len(set(beats)) > 25
