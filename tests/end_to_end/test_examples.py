"""The examples do what they say, against a real server."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.server import Service, running
from support.waiting import PATIENCE_S

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("home")) as service:
        with service.client() as http:
            http.post("/api/patients", json={"patient": "bed 3"}).raise_for_status()
        yield service


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("polar_h10", EXAMPLES / "polar_h10.py")
    module = sys.modules["polar_h10"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


polar = load()


# A strap


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(-(2**23), 2**23 - 1)))
def test_frames_come_back(last_ns: int, microvolt: list[int]):
    frame = polar.parse(polar.pack(polar.Frame(last_ns, np.array(microvolt, np.int32))))
    assert (frame.last_ns, frame.microvolt.tolist()) == (last_ns, microvolt)


def test_frame_as_the_specification_has_it():
    content = bytes.fromhex("00 00CA9A3B00000000 00 010000 FFFFFF 00FF7F 000080")
    assert polar.parse(content).last_ns == 1_000_000_000
    assert polar.parse(content).microvolt.tolist() == [1, -1, 0x7FFF00, -(2**23)]


@given(st.binary(max_size=60))
def test_nonsense_is_no_frame_or_a_whole_one(content: bytes):
    frame = polar.parse(content)
    assert frame is None or polar.pack(frame) == content


@pytest.mark.parametrize(("lost", "noticed"), [(0, 0), (3, 0), (73, 73), (146, 146), (10**6, 0), (-73, 0)])
def test_lost_frames_are_noticed(lost: int, noticed: int):
    def frame(end: int) -> object:
        return polar.Frame(round((end + 10**7) / 130 * 1e9), np.zeros(73, np.int32))

    assert polar.missing(frame(73), frame(146 + lost)) == noticed
    assert polar.missing(None, frame(73)) == 0


def test_what_is_lost_is_sent_as_nothing():
    class Kept:
        samples: list[np.ndarray] = []  # noqa: RUF012

        def send(self, samples: np.ndarray) -> None:
            self.samples.append(samples)

    async def frames():
        for end in (73, 146, 292):
            yield polar.pack(polar.Frame(round(end / 130 * 1e9), np.full(73, end, np.int32)))
        yield b"something else"

    assert asyncio.run(polar.forward(frames(), Kept())) == 292
    whole = np.concatenate(Kept.samples)
    assert np.flatnonzero(np.isnan(whole)).tolist() == list(range(146, 219))


def run(service: Service, *command: str) -> str:
    environment = os.environ | {"ECTOPY_URL": service.url, "ECTOPY_KEY": service.key, "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    ).stdout


def test_simulated_strap_is_stored(service: Service):
    options = ("--patient", "polar", "--simulate", "30", "--pace", "500")
    said = run(service, sys.executable, str(EXAMPLES / "polar_h10.py"), *options)
    assert "30 s were sent and are stored." in said
    state = service.app.state.ward.state("polar")
    assert state.signal.segment.next_position == 30 * 130 // 73 * 73
    assert state.signal.segment.leads == ("chest",)
    assert service.app.state.ward.devices.of("polar") == ["simulated strap"]
    stored = service.app.state.ward.store.waveforms.read("polar", state.signal.segment.stream, 0, 3900).signal
    assert 0.3 < np.nanmax(stored) < 5.0


# A line of shell


def test_shell_sends_a_second(service: Service):
    assert json.loads(run(service, str(EXAMPLES / "send.sh"), "bed%203"))["next_position"] == 250
    assert json.loads(run(service, str(EXAMPLES / "send.sh"), "bed%203", "250"))["next_position"] == 500
