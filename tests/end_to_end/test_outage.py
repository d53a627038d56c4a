"""A service whose database is away: patients are watched, orders are carried out, and nothing is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from websockets.sync.client import ClientConnection, connect

from ectopy.client import Client
from ectopy.client.stream_sender import WINDOW
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.monitor.alarm_log import verify
from ectopy.recording import Recording
from ectopy.service.api.middleware.access_control import COOKIE
from ectopy.service.storage import Store
from support import outages
from support.outages import KINDS, Losable
from support.server import Service, running, small
from support.waiting import PATIENCE_S, until
from support.webhooks import SECRET, Receiver
from support.webhooks import running as receiving

RATE_HZ = 250
ONSET_S = 36
STILL = simulate_recording(70, episodes=[Episode("asystole", ONSET_S, 14)], random_state=1)
"""A heart that stands still for a while."""


@pytest.fixture(params=KINDS)
def losable(request: pytest.FixtureRequest, tmp_path: Path) -> Losable:
    return outages.losable(request.param, tmp_path, request)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with receiving(Receiver()) as one:
        one.now = time.time()
        yield one


@contextmanager
def serving(folder: Path, url: str, receiver: Receiver | None = None) -> Iterator[Service]:
    home = folder / "home"
    home.mkdir()
    settings: dict[str, Any] = {}
    if receiver is not None:
        settings["targets"] = home / "targets.toml"
        text = f'[[webhook]]\nname = "ward"\nurl = "{receiver.url}"\nsecret = "{SECRET}"\ninsecure = true\n'
        settings["targets"].write_text(text)
    with running(home, store=url, **settings) as service:
        yield service


def conditions(client: httpx.Client, patient: str | None = None) -> set[str]:
    path = "/api/alarms" if patient is None else f"/api/patients/{patient}/alarms?active=true"
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return {alarm["condition"] for alarm in answer.json()}


def halves(recording: Recording, start_s: float, stop_s: float) -> list[np.ndarray]:
    """Half seconds of a recording."""
    return np.split(recording.signal[round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)], round(2 * (stop_s - start_s)))


def until_alarm_is_live(socket: ClientConnection, condition: str) -> None:
    """Until a screen has been told of an alarm."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        message = socket.recv(PATIENCE_S)
        if isinstance(message, str):
            for frame in json.loads(message) if message.startswith("[") else [json.loads(message)]:
                if (frame.get("alarm") or {}).get("condition") == condition:
                    return
    raise AssertionError(f"{condition} was not told")


def test_an_asystole_reaches_screens_and_receivers_from_the_first_ten_seconds_of_it(
    losable: Losable, tmp_path: Path, receiver: Receiver
):
    with serving(tmp_path, losable.url, receiver) as service, service.client() as client:
        with Client(service.url, service.key) as device:
            device.admit("anna")
            with device.stream("anna", RATE_HZ, STILL.leads) as stream:
                for samples in halves(STILL, 0, 20):
                    stream.send(samples)
                stream.flush()
                stored = stream.stored
                with losable.outage(), service.socket("/api/live?patient=anna") as screen:
                    for samples in halves(STILL, 20, ONSET_S + 10):
                        stream.send(samples)
                    until(lambda: stream.acknowledged == stream.position)
                    assert stream.position - stored > WINDOW * len(samples)
                    until(lambda: "asystole" in conditions(client, "anna") & conditions(client))
                    until_alarm_is_live(screen, "asystole")
                    receiver.wait_for(lambda: '"asystole"' in json.dumps(receiver.requests))
                    until(lambda: "storage failed" in conditions(client))
                    assert stream.stored == stored
                for samples in halves(STILL, ONSET_S + 10, 70):
                    stream.send(samples)
                stream.flush()
                assert stream.stored == stream.position == len(STILL.signal)
            until(lambda: "storage failed" not in conditions(client))
        store = service.app.state.ward.store
        np.testing.assert_array_equal(
            store.waveforms.read("anna", stream.name, 0, len(STILL.signal)).signal, STILL.signal
        )
        log = store.alarms.log("anna")
        assert verify(log) is None
        assert ("raised", "asystole") in [(one.change, one.alarm.condition) for one in log]
        beats = [one.beat.position for one in store.beats.first("anna", 0, 2e9)]
        assert len(beats) == len(set(beats)) > 40


def send(client: httpx.Client, recording: Recording, start_s: int, stop_s: int) -> dict[str, Any]:
    """Samples over HTTP, as JSON; the last answer."""
    for second in range(start_s, stop_s, 5):
        samples = recording.signal[second * RATE_HZ : (second + 5) * RATE_HZ].tolist()
        chunk = {"position": second * RATE_HZ, "sampling_rate_hz": RATE_HZ, "leads": ["II", "V1"], "samples": samples}
        answer = client.post("/api/patients/anna/chunks", json=chunk)
        assert answer.status_code == 200, answer.text
    return answer.json()


def signed_in(service: Service, cookie: str) -> ClientConnection:
    """Live signals for a browser that has signed in."""
    url = service.url.replace("http", "ws", 1) + "/api/live"
    return connect(url, additional_headers={"Cookie": f"{COOKIE}={cookie}"}, origin=service.url, proxy=None)


def test_screens_and_orders_go_on_without_the_database(losable: Losable, tmp_path: Path):
    with serving(tmp_path, losable.url) as service, service.client() as client, service.stranger() as browser:
        for patient in ("anna", "bob", "carl"):
            client.post("/api/patients", json={"patient": patient}).raise_for_status()
        client.delete("/api/patients/carl").raise_for_status()
        csrf = browser.post("/api/session", json={"key": service.key}).json()["csrf"]
        browser.headers["x-csrf-token"] = csrf
        until(lambda: send(client, STILL, 0, 50)["stored"])
        until(lambda: "asystole" in {alarm["condition"] for alarm in client.get("/api/patients/anna/alarms").json()})
        with losable.outage():
            assert not send(client, STILL, 50, 55)["stored"]
            until(lambda: "storage failed" in conditions(client))
            # A screen that is loaded anew, by its session.
            for path in ("/api/session", "/api/patients", "/api/alarms", "/api/patients/anna", "/api/devices"):
                assert browser.get(path).status_code == 200, path
            assert browser.get("/alarm").status_code == browser.get("/").status_code == 200
            with signed_in(service, browser.cookies[COOKIE]) as screen:
                screen.recv(PATIENCE_S)
            (station,) = [one for one in browser.get("/api/alarms").json() if one["patient"] == "station"]
            assert browser.get(f"/api/patients/station/alarms/{station['number']}").status_code == 200
            # Somebody signs in.
            with service.stranger() as another:
                again = another.post("/api/session", json={"key": service.key})
                another.headers["x-csrf-token"] = again.json()["csrf"]
                assert another.get("/api/patients").status_code == 200
                # Orders.
                place = f"/api/patients/station/alarms/{station['number']}"
                answers = [
                    another.post(f"{place}/acknowledge", json={"comment": "seen"}),
                    browser.post("/api/patients/anna/audio-pause", json={}),
                    browser.post("/api/patients/anna/audio-resume", json={}),
                    browser.put("/api/patients/bob/limits", json={"profile": "ward", "limits": {"high_bpm": 111}}),
                    browser.post("/api/patients/anna/relearn", json={}),
                    browser.post("/api/patients", json={"patient": "bob", "name": "Bob"}),
                    browser.post("/api/patients", json={"patient": "carl"}),
                    browser.delete("/api/patients/anna"),
                ]
                assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 200, 201, 201, 200]
                assert [answer.json()["stored"] for answer in answers] == [False] * 8
                assert answers[0].json()["acknowledged_by"] == "first key"
                assert another.delete("/api/session").status_code == 204
                assert another.get("/api/patients").status_code == 401
            assert {one["patient"]: one["name"] for one in browser.get("/api/patients").json()} == {
                "bob": "Bob",
                "carl": "",
            }
        until(lambda: browser.post("/api/patients/bob/relearn", json={}).json()["stored"])
        until(lambda: {one.patient: one.name for one in service.app.state.ward.store.patients.all()}["bob"] == "Bob")
        done = {("discharged patient", "anna"), ("set limits", "bob"), ("acknowledged alarm", "station")}
        until(lambda: done <= {(one["what"], one["patient"]) for one in client.get("/api/audit").json()})
    with Store.open(losable.url) as store:
        assert store.inputs.state("anna").discharged
        assert store.inputs.state("bob").limits.high_bpm == 111
        assert not store.inputs.state("carl").discharged


def test_tiles_alarms_and_orders_go_on_while_the_database_hangs(
    postgresql: sa.Engine, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    from ectopy.service.storage.postgresql import Connection

    monkeypatch.setattr(Connection, "patience_s", 2.0)
    url = outages.losable("server stopped", tmp_path, request).url
    with serving(tmp_path, url) as service, service.client() as client, service.stranger() as browser:
        client.post("/api/patients", json={"patient": "anna"}).raise_for_status()
        browser.headers["x-csrf-token"] = browser.post("/api/session", json={"key": service.key}).json()["csrf"]
        send(client, STILL, 0, 30)
        answers: list[int] = []

        def look(path: str) -> None:
            with service.client() as another:
                answers.append(another.get(path).status_code)

        with outages.hanging(postgresql), service.socket("/api/live?patient=anna") as screen:
            # More than there are threads want what only the database knows.
            paths = "alarms?active=false", "patients/anna/beats?start=0&stop=1", "patients/anna/alarms/9"
            looking = [threading.Thread(target=look, args=(f"/api/{path}",)) for path in 20 * paths]
            for thread in looking:
                thread.start()
            assert not send(client, STILL, 30, 50)["stored"]
            until_alarm_is_live(screen, "asystole")
            numbers = {alarm["condition"]: alarm["number"] for alarm in browser.get("/api/alarms").json()}
            place = f"/api/patients/anna/alarms/{numbers['asystole']}"
            given = browser.post(f"{place}/acknowledge", json={"comment": ""}).json()
            assert given["acknowledged_by"] == "first key"
            assert not given["stored"]
            # Nobody has waited for those who look at what is stored, and they do not wait for ever.
            for thread in looking:
                thread.join()
            assert set(answers) == {503}
            # Who comes later is not kept waiting at all, nor alone.
            assert not any(entry["stored"] for entry in browser.get(place).json()["history"])
        until(lambda: client.get("/api/alarms?active=false").status_code == 200)
        until(lambda: all(entry["stored"] for entry in browser.get(place).json()["history"]))


BODIES: dict[str, Any] = {
    "/api/session": {"key": "ectopy_" + 43 * "x"},
    "/api/keys": {"name": "new", "scopes": ["view"]},
    "/api/patients": {"patient": "new"},
    "/api/patients/{patient}/limits": {"profile": "ward"},
    "/api/patients/{patient}/chunks": small(),
    "/api/replays": {"recording": "simulated", "patient": "anna"},
    "/api/recordings/named": {"recording": "simulated"},
}


def test_an_idle_service_says_that_its_database_is_away(tmp_path: Path, request: pytest.FixtureRequest):
    """Nobody is watched, so that there is nothing to store."""
    losable = outages.losable("locked", tmp_path, request)
    with serving(tmp_path, losable.url) as service, service.client() as client:
        with losable.outage():
            until(lambda: "storage failed" in conditions(client))
        until(lambda: "storage failed" not in conditions(client))


@pytest.mark.parametrize("losable", ["locked", "server stopped"], indirect=True)
def test_no_answer_says_where_the_database_is(losable: Losable, tmp_path: Path):
    told: dict[tuple[str, str], tuple[int, str]] = {}
    with serving(tmp_path, losable.url) as service, service.client() as client:
        client.post("/api/patients", json={"patient": "anna"}).raise_for_status()
        operations = [(m, p) for p, methods in service.app.openapi()["paths"].items() for m in methods]
        with losable.outage():
            until(lambda: "storage failed" in conditions(client))
            # What ends a patient or a session comes last.
            for method, path in sorted(operations, key=lambda one: one[0] == "delete"):
                if path == "/api/events":
                    continue
                place = path.replace("{patient}", "anna").replace("{number}", "1").replace("{id}", "1")
                body = None if method in ("get", "delete") else BODIES.get(path, {})
                answer = client.request(method, place, json=body)
                told[method, path] = answer.status_code, answer.text
            with suppress(httpx.HTTPError), client.stream("GET", "/api/events") as answer:
                told["get", "/api/events"] = answer.status_code, ""
            sockets = []
            with service.socket("/api/patients/anna/stream") as device:
                device.send(json.dumps(small(unit="bar")))
                sockets += [device.recv(PATIENCE_S), device.recv(PATIENCE_S)]
    assert {503} <= {status for status, _ in told.values()}
    assert [place for place, (status, _) in told.items() if status == 500] == []
    words = ("postgres", "psycopg", "sqlite", "sqlalchemy", str(tmp_path), tmp_path.name, "server at", "locked")
    said = {"socket": "".join(map(str, sockets))} | {f"{m} {path}": text for (m, path), (_, text) in told.items()}
    assert [(place, word) for place, text in said.items() for word in words if word in text.lower()] == []


@pytest.mark.long
def test_ten_minutes_without_the_database(tmp_path: Path, request: pytest.FixtureRequest):
    """Devices in real time; the server is stopped from 10 s on for ten minutes, and hearts stand still meanwhile."""
    losable, devices, away_s = outages.losable("server stopped", tmp_path, request), 20, 600
    whole_s = away_s + 60
    onsets_s = [60 + away_s // devices * number for number in range(devices)]
    recordings = [
        simulate_recording(whole_s, episodes=[Episode("asystole", onset, 12)], random_state=number)
        for number, onset in enumerate(onsets_s)
    ]
    late: dict[str, float] = {}
    with serving(tmp_path, losable.url) as service, service.client() as client, Client(service.url, service.key) as c:
        names = [f"bed {number}" for number in range(devices)]
        for name in names:
            c.admit(name)
        streams = [c.stream(name, RATE_HZ, one.leads) for name, one in zip(names, recordings, strict=True)]
        begin = time.monotonic()

        def pace(start_s: int, stop_s: int) -> None:
            for half in range(2 * start_s, 2 * stop_s):
                time.sleep(max(begin + (half + 1) / 2 - time.monotonic(), 0.0))
                for stream, one in zip(streams, recordings, strict=True):
                    stream.send(one.signal[half * 125 : (half + 1) * 125])
                now_s = time.monotonic() - begin
                for alarm in client.get("/api/alarms").json():
                    if alarm["condition"] == "asystole" and alarm["patient"] not in late:
                        late[alarm["patient"]] = now_s - onsets_s[names.index(alarm["patient"])]

        pace(0, 10)
        with losable.outage():
            pace(10, 10 + away_s)
            behind = [stream.position - stream.acknowledged for stream in streams]
            assert max(behind) <= 2 * RATE_HZ
            assert max(stream.stored for stream in streams) <= 12 * RATE_HZ
        pace(10 + away_s, whole_s)
        for stream in streams:
            stream.close(120.0)
        print("alarm after onset, s:", {name: round(value, 1) for name, value in sorted(late.items())})
        assert sorted(late) == sorted(names)
        store = service.app.state.ward.store
        for name, stream, one in zip(names, streams, recordings, strict=True):
            np.testing.assert_array_equal(
                store.waveforms.read(name, stream.name, 0, len(one.signal)).signal, one.signal
            )
            assert verify(store.alarms.log(name)) is None
