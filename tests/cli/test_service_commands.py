"""The commands of the service, and what it does by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording
from ectopy.monitor import Monitor
from ectopy.service.access import Scope
from ectopy.service.api.app import create_app
from ectopy.service.demo import stream_for_ever
from ectopy.service.monitoring.ward import Ward
from ectopy.service.server import Server
from ectopy.service.settings import load_settings
from ectopy.service.storage import Store, tables
from support.command_line import assert_refused
from support.edf_files import edf
from support.server import Service, address_of, messages, running, served, troubled
from support.waiting import until


def test_replay_sends_a_recording_and_says_how_much_is_stored(ectopy, service: Service, tmp_path: Path):
    recording = simulate_recording(20)
    file = tmp_path / "twenty.csv"
    rows = [",".join(recording.leads), *(f"{one:.3f},{other:.3f}" for one, other in recording.signal)]
    file.write_text("\n".join(rows))
    key = service.new_key(Scope.SEND)
    options = ("--rate", 250, "--unit", "mV", "--speed", 20, "--patient", "replayed")
    done = ectopy("replay", file, "--url", service.url, "--key", key, *options)
    assert (done.status, done.out) == (0, "5,000 samples of replayed are stored.\n")
    with service.client() as client:
        assert client.get("/api/patients/replayed").json()["next_position"] == 5000


def test_replay_sends_the_intact_part_and_says_what_is_missing(ectopy, service: Service, tmp_path: Path):
    path = edf(tmp_path / "rec.edf")
    path.write_bytes(path.read_bytes()[:-500])
    options = ("--url", service.url, "--key", service.key, "--speed", 1000, "--patient", "cut short")
    assert_refused(ectopy("replay", path, *options), "--partial")
    done = ectopy("replay", path, *options, "--partial")
    assert (done.status, done.out) == (0, "4,750 samples of cut short are stored.\n")
    assert "1 s at the end are missing" in done.err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--url", "http://127.0.0.1:1", "--key", "x"), "127.0.0.1:1"),
        (("--url", "127.0.0.1:8765", "--key", "x"), "http://HOST:PORT"),
        ((), "--key"),
        (("--key", "x", "--speed", "0"), "speed"),
        (("--key", "x", "--rate", "250"), "--rate is for files"),
        (("--key", "x", "--unit", "mV"), "--unit is for files"),
        (("--key", "x", "--partial"), "--partial is for files"),
    ],
)
def test_replay_says_what_is_wrong(ectopy, options: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ECTOPY_KEY", raising=False)
    assert_refused(ectopy("replay", "simulated", *options), why)


@pytest.mark.parametrize("option", ["--cluster-input", "--cluster-output", "--kafka-config"])
def test_options_of_a_cluster_need_the_cluster(ectopy, tmp_path: Path, option: str):
    assert_refused(ectopy("serve", "--home", tmp_path, option, "ecg"), option, "--cluster")


@pytest.mark.usefixtures("own_log")
def test_serve_says_that_there_is_no_such_host(ectopy, tmp_path: Path):
    done = ectopy("serve", "--home", tmp_path, "--host", "no-host.invalid", "--port", 0)
    assert done.status == 2
    assert "choose another host" in done.err


@pytest.mark.usefixtures("own_log")
def test_serve_says_that_an_address_is_taken(ectopy, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = ectopy("serve", "--home", tmp_path, "--port", port)
    assert done.status == 2
    assert f"127.0.0.1:{port}" in done.err
    assert "choose another port" in done.err
    with Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}") as store, store.database.reading() as connection:
        assert connection.execute(sa.select(tables.leases)).all() == []


def test_a_service_that_may_take_any_port_takes_another_where_its_own_is_taken(tmp_path: Path):
    addresses = []

    def ready(server: Server) -> None:
        addresses.append(server.address)
        server.should_exit = True

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = load_settings(home=tmp_path, port=port)
        Server(create_app(settings), settings, ready, or_any_port=True).run()
    (address,) = addresses
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
    assert not address.endswith(f":{port}")


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("terminal", [True, False])
def test_requests_are_logged_but_not_in_a_terminal(tmp_path: Path, terminal: bool):
    reader, writer = os.openpty() if terminal else os.pipe()
    with served(tmp_path, log_to=writer) as (_, output):
        os.close(writer)
        for _ in range(2):  # the first is logged by when the second is answered
            httpx.get(f"{address_of(output)}/api/session", trust_env=False)
    said = b""
    with contextlib.suppress(OSError):  # so a pseudo-terminal ends
        while some := os.read(reader, 10_000):
            said += some
    os.close(reader)
    assert (b'"event": "request"' in said) is not terminal


def test_the_demo_streams_its_patients(tmp_path: Path):
    recordings = {bed: simulate_recording(600, random_state=number) for number, bed in enumerate(("bed 1", "bed 2"))}

    async def stream() -> dict[str, tuple[str, int]]:
        with Store.open(f"sqlite:///{tmp_path / 'demo.db'}") as store:
            ward = Ward(store, Monitor.of(load_ambulatory(), 30.0), "")
            await ward.begin()
            streaming = asyncio.create_task(stream_for_ever(ward, recordings))
            while not all(ward.knows(bed) and ward.state(bed).signal for bed in recordings):
                await asyncio.sleep(0.05)
                assert not streaming.done()
            streaming.cancel()
            await ward.end()
            signals = {bed: ward.state(bed).signal for bed in recordings}
            return {
                bed: (signal.segment.stream, signal.segment.next_position) for bed, signal in signals.items() if signal
            }

    found = asyncio.run(stream())
    assert found.keys() == recordings.keys()
    assert all(name == "turn 0" and wanted >= 125 for name, wanted in found.values())


def test_what_is_too_old_goes_by_itself(tmp_path: Path):
    with running(tmp_path) as service, service.client() as client:
        client.post("/api/patients", json={"patient": "old"}).raise_for_status()
        headers = {"Content-Type": "application/msgpack"}
        for content in messages(troubled())[:5]:
            client.post("/api/patients/old/chunks", content=content, headers=headers).raise_for_status()
    time.sleep(0.1)
    a_tenth_of_a_second = 0.1 / 86_400
    with running(tmp_path, keep_days=a_tenth_of_a_second) as service:
        store = service.app.state.ward.store
        until(lambda: not store.waveforms.arrivals("old", 0.0, 1e11))


def test_a_patient_is_watched_on_after_a_restart(tmp_path: Path):
    for turn in range(2):
        with running(tmp_path) as service:
            ward = service.app.state.ward
            if turn == 0:
                key = service.key
                with service.client() as client:
                    client.post("/api/patients", json={"patient": "bed 1", "name": "Ada"}).raise_for_status()
            else:
                assert ward.patients() == ("bed 1",)
                with service.client(key) as client:
                    assert client.get("/api/patients/bed 1").json()["name"] == "Ada"
