"""The service as devices and people meet it: samples in, alarms and live signals out, and nothing lost between."""

from __future__ import annotations

import json
import sqlite3
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from ectopy.formats import read
from ectopy.monitor.alarm_log import GENESIS
from ectopy.service.access import Scope
from ectopy.service.api.routes.ingest_routes import MOST_UNANSWERED
from support.data_sets import folder_of
from support.server import Service, messages, running, small, troubled
from support.waiting import PATIENCE_S, until

MSGPACK = {"Content-Type": "application/msgpack"}


@pytest.fixture(scope="session")
def patient(service: Service) -> str:
    """Somebody whose minute of trouble has been watched."""
    with service.client() as client:
        assert client.post("/api/patients", json={"patient": "bed 3", "name": "Anna"}).status_code == 201
    with service.socket("/api/patients/bed%203/stream") as device:
        assert answer(device) == {"next_position": None, "stream": ""}
        stream(device, messages(troubled()))
    return "bed 3"


def answer(socket: ClientConnection) -> Any:
    """What the service says next, but for a second answer to a message: if storing takes long, there is one."""
    while True:
        said = json.loads(socket.recv(PATIENCE_S))
        if "sequence" not in said or {"late", "rejected"} & said.keys():
            return said


def stream(device: ClientConnection, contents: list[bytes], window: int = 16) -> list[dict[str, Any]]:
    """Send messages, at most so many ahead of the answers."""
    answers: list[dict[str, Any]] = []
    for number, content in enumerate(contents):
        if number >= window:
            answers.append(answer(device))
        device.send(content)
    return answers + [answer(device) for _ in range(min(window, len(contents)))]


@contextmanager
def with_locked_store(folder: Path) -> Iterator[tuple[Service, httpx.Client, sqlite3.Connection]]:
    """Run a service with the patient anna whose store takes nothing until the connection is closed."""
    path = folder / "locked.db"
    with running(folder, store=f"sqlite:///{path}?timeout=0.05") as service, service.client() as client:
        admit(client, "anna")
        writer = sqlite3.connect(path, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        yield service, client, writer


def push(device: ClientConnection, contents: list[str]) -> None:
    """Send without waiting for an answer, until the connection ends."""
    for content in contents:
        device.send(content)
    while True:
        device.recv(PATIENCE_S)


def admit(client: httpx.Client, patient: str, **other: Any) -> None:
    assert client.post("/api/patients", json={"patient": patient, **other}).status_code == 201


def frames(content: bytes) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """The frames of a message of the live feed, as its description says."""
    while content:
        (length,) = struct.unpack_from("<I", content)
        head = json.loads(content[4 : 4 + length])
        assert (4 + length) % 4 == 0
        count = head["samples"] * len(head["leads"])
        size = 2 * count + -2 * count % 4
        yield head, np.frombuffer(content, "<i2", count, 4 + length).reshape(-1, len(head["leads"]))
        content = content[4 + length + size :]


# Patients


def test_a_patient_is_shown_with_all_there_is_to_know(client: httpx.Client, service: Service):
    patient = "shown"
    admit(client, patient, name="Anna")
    with service.socket(f"/api/patients/{patient}/stream") as device:
        answer(device)
        stream(device, messages(troubled()))
    shown = client.get(f"/api/patients/{patient}").json()
    listed = next(one for one in client.get("/api/patients").json() if one["patient"] == patient)
    assert shown["name"] == listed["name"] == "Anna"
    assert shown["leads"] == ["MLII", "V1"]
    assert shown["quality"].keys() == {"MLII", "V1"}
    assert shown["rate_hz"] == 250
    assert shown["next_position"] == 65 * 250
    assert shown["profile"] == "ward"
    assert shown["limits"]["high_bpm"] == 130
    assert shown["baseline"]["known"]
    assert len(shown["baseline"]["template"]) == 2
    assert 30 < shown["heart_rate_bpm"] < 100
    assert shown["alarm"]["priority"] == "high"


def test_a_name_is_text_that_can_be_seen_and_stays_where_none_is_given(client: httpx.Client):
    name = "<script>alert(1)</script>"
    admit(client, "html", name=name)
    admit(client, "html")
    found = client.get("/api/patients/html")
    assert found.headers["Content-Type"] == "application/json"
    assert found.json()["name"] == name
    assert client.post("/api/patients", json={"patient": "unseen", "name": "a\x00b"}).status_code == 422
    assert client.get("/api/patients/unseen").status_code == 404


@pytest.mark.parametrize("name", ["", " ", "a ", "a/b", "..", "a\nb", "a" * 201, "a?b", "station"])
def test_a_patient_is_called_by_what_goes_into_an_address(client: httpx.Client, name: str):
    found = client.post("/api/patients", json={"patient": name})
    assert found.status_code == 422
    assert found.json()["detail"]


def test_limits_and_relearning_are_orders(client: httpx.Client, service: Service):
    admit(client, "limits")
    given = {"profile": "exercise", "limits": {"age": 30, "recovery_bpm": 15}, "comment": "training"}
    shown = client.put("/api/patients/limits/limits", json=given).json()
    assert (shown["profile"], shown["limits"]["recovery_bpm"]) == ("exercise", 15)
    assert client.get("/api/patients/limits").json()["limits"] == shown["limits"]
    for wrong in ({"profile": "night"}, {"profile": "ward", "limits": {"high_bpm": 1000}}, {"limits": {}}):
        assert client.put("/api/patients/limits/limits", json=wrong).status_code == 422
    assert client.post("/api/patients/limits/relearn", json={"comment": "new drug"}).status_code == 200
    told = [one["what"] for one in client.get("/api/audit", params={"patient": "limits"}).json()]
    assert {"set limits", "ordered relearning"} <= set(told)


def test_discharge_ends_the_watching_and_admission_begins_it_anew(client: httpx.Client, service: Service):
    admit(client, "leaves", name="Lea")
    with service.socket("/api/patients/leaves/stream") as device:
        answer(device)
        stream(device, messages(troubled()))
    assert client.get("/api/patients/leaves/alarms", params={"active": True}).json()
    with service.socket("/api/live") as viewer:
        until(lambda: "leaves" in viewer.recv(PATIENCE_S))
        told = client.delete("/api/patients/leaves", params={"comment": "went home"})
        assert (told.status_code, told.json()["state"], told.json()["alarms"]) == (200, "discharged", 0)
        texts = (message for message in iter(lambda: viewer.recv(PATIENCE_S), None) if isinstance(message, str))
        frames = (frame for text in texts for frame in json.loads(text) if frame.get("patient") == "leaves")
        assert next(frame for frame in frames if frame["state"] == "discharged")["heart_rate_bpm"] is None
    assert "leaves" not in [one["patient"] for one in client.get("/api/patients").json()]
    assert client.get("/api/patients/leaves/alarms", params={"active": True}).json() == []
    alarm = next(one for one in client.get("/api/patients/leaves/alarms").json() if one["condition"] == "asystole")
    shown = client.get(f"/api/patients/leaves/alarms/{alarm['number']}").json()
    assert (shown["history"][-1]["change"], shown["history"][-1]["why"]) == ("discharged", "went home")
    assert shown["log_whole"]
    assert shown["strip"]
    assert client.get("/api/patients/leaves").json()["state"] == "discharged"
    refused = client.post("/api/patients/leaves/chunks", json=small())
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "this patient is discharged; admit the patient first.",
    )
    assert client.delete("/api/patients/leaves").status_code == 409
    assert client.delete("/api/patients/stranger").status_code == 404
    assert client.delete("/api/patients/station").status_code == 422

    again = client.post("/api/patients", json={"patient": "leaves"}).json()
    assert (again["state"], again["name"], again["last_sample_time"]) == ("no data", "Lea", None)
    assert client.post("/api/patients/leaves/chunks", json=small(stream="next")).status_code == 200
    assert "leaves" in [one["patient"] for one in client.get("/api/patients").json()]
    entries = client.get("/api/audit", params={"patient": "leaves"}).json()
    assert ("discharged patient", "went home") in [(one["what"], one["detail"]) for one in entries]


# Samples in


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("form", ["json", "list", "msgpack"])
def test_a_chunk_is_stored_when_it_is_answered(client: httpx.Client, service: Service, form: str):
    patient = f"by {form}"
    admit(client, patient)
    path = f"/api/patients/{patient}/chunks"
    if form == "msgpack":
        found = client.post(path, content=messages(troubled())[0], headers=MSGPACK)
        samples = 250
    else:
        one = small(samples=50)
        found = client.post(path, json=[one, small(50, 50)] if form == "list" else one)
        samples = 100 if form == "list" else 50
    assert found.json() == {"next_position": samples, "stream": "", "stored": True, "rejected": [], "late": 0}
    stored = service.app.state.ward.store.waveforms.read(patient, "", 0, samples)
    assert np.isfinite(stored.signal).all()


@pytest.mark.usefixtures("unhurried")
def test_an_answer_says_what_was_left_out(service: Service):
    with service.client() as client:
        client.post("/api/patients", json={"patient": "twice"}).raise_for_status()
        first = client.post("/api/patients/twice/chunks", json=small(0, 50)).json()
        again = client.post("/api/patients/twice/chunks", json=[small(25, 50), small(0, 25)]).json()
        assert (first["late"], again["late"], again["next_position"]) == (0, 50, 75)
        for position in (round(time.time()), round(time.time() * 1000), 2**62, -1, 1.5):
            refused = client.post("/api/patients/twice/chunks", json=small(position, stream=f"of {position}"))
            assert refused.status_code == 422, refused.text
        with service.socket("/api/patients/twice/stream") as device:
            answer(device)
            device.send(json.dumps(small(50, 50, sequence=1)))
            assert answer(device) == {"sequence": 1, "next_position": 100, "stored": True, "late": 25}


def test_what_cannot_be_taken_is_refused_with_a_reason(client: httpx.Client):
    admit(client, "refused")
    path = "/api/patients/refused/chunks"
    for wrong in (small(sampling_rate_hz=5), small(unit="bar"), small(position=-1), {"position": 0}, []):
        found = client.post(path, json=wrong)
        assert found.status_code == (200 if wrong == [] else 422)
    both = client.post(path, json=[small(), small(unit="bar", sequence=5)]).json()
    assert [(one["index"], one["sequence"]) for one in both["rejected"]] == [(1, 5)]
    assert both["next_position"] == 25
    assert client.post(path, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.post("/api/patients/nobody/chunks", json=small()).status_code == 404


def test_a_stream_answers_every_message_and_says_where_it_stands(client: httpx.Client, service: Service):
    admit(client, "streamed")
    contents = messages(troubled())[:20]
    with service.socket("/api/patients/streamed/stream") as device:
        answer(device)
        answers = stream(device, contents)
        assert [one["sequence"] for one in answers] == list(range(20))
        assert answers[-1]["next_position"] == 20 * 250
        device.send("{")
        assert "not a chunk" in answer(device)["rejected"]
        device.send(json.dumps(small(unit="bar", sequence=77)))
        wrong = answer(device)
        assert (wrong["sequence"], wrong["retry"], wrong["next_position"]) == (77, False, 5000)
        long_row = small(samples=0, sequence=78) | {"samples": [[0, 0]]}
        device.send(json.dumps(long_row))
        assert answer(device)["sequence"] == 78
        device.send(msgspec.msgpack.encode(long_row))
        assert answer(device)["sequence"] == 78
    with service.socket("/api/patients/streamed/stream") as device:
        assert answer(device) == {"next_position": 5000, "stream": ""}


def test_a_device_belongs_to_the_patient_for_whom_it_sent_last(client: httpx.Client):
    def attached() -> dict[str, str]:
        return {one["device"]: one["patient"] for one in client.get("/api/devices").json()}

    contents = messages(troubled())
    for patient in ("worn", "also worn", "gone"):
        admit(client, patient)
    client.delete("/api/patients/gone")
    path = "/api/patients/worn/chunks"
    sent = {"content": contents[0], "headers": MSGPACK}
    assert client.post(path, params={"device": "strap & 7"}, **sent).status_code == 200
    (first,) = [one for one in client.get("/api/devices").json() if one["device"] == "strap & 7"]
    assert abs(first["since_time"] - time.time()) < PATIENCE_S
    assert client.post(path, params={"device": "strap & 7"}, **sent).status_code == 200
    assert first in client.get("/api/devices").json()
    client.post("/api/patients/gone/chunks", params={"device": "strap & 7"}, **sent)
    assert first in client.get("/api/devices").json()
    assert client.get("/api/patients/worn").json()["devices"] == ["strap & 7"]
    assert client.post("/api/patients/also worn/chunks", params={"device": "strap & 7"}, **sent).status_code == 200
    assert attached()["strap & 7"] == "also worn"
    assert client.get("/api/patients/worn").json()["devices"] == []
    before = attached()
    for name in ("", 201 * "x", "a\nb"):
        assert client.post(path, params={"device": name}, **sent).status_code == 422
    client.post("/api/patients/nobody/chunks", params={"device": "strap 8"}, **sent)
    client.post("/api/patients/station/chunks", params={"device": "strap 8"}, **sent)
    assert attached() == before


def test_a_sender_cannot_make_up_devices_for_ever(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
):
    admit(client, "wearing much")
    path, contents = "/api/patients/wearing much/chunks", messages(troubled())
    monkeypatch.setattr("ectopy.service.monitoring.devices.MOST_DEVICES", len(service.app.state.ward.devices.all()) + 1)
    sent = {"content": contents[0], "headers": MSGPACK}
    answers = [client.post(path, params={"device": name}, **sent) for name in ("new 1", "new 2", "new 1")]
    assert [one.status_code for one in answers] == [200, 422, 200]
    assert "devices already" in answers[1].json()["detail"]


def test_a_stream_names_its_device_even_while_the_store_takes_nothing(tmp_path: Path):
    with with_locked_store(tmp_path) as (service, client, writer):
        with service.socket("/api/patients/anna/stream?device=strap%207") as device:
            answer(device)
            device.send(messages(troubled())[0])
            until(lambda: client.get("/api/patients/anna").json()["next_position"])
            (known,) = client.get("/api/devices").json()
            assert (known["device"], known["patient"]) == ("strap 7", "anna")
            writer.close()
            answer(device)
        with pytest.raises(InvalidStatus, match="422"):
            service.socket("/api/patients/anna/stream?device=%0A")
        store = service.app.state.ward.store
        until(store.patients.devices)
        assert [(one.device, one.patient, one.since_time) for one in store.patients.devices()] == [
            ("strap 7", "anna", known["since_time"])
        ]
        client.post("/api/patients", json={"patient": "bob"})
        service.socket("/api/patients/bob/stream?device=strap%207").close()
        until(lambda: "listed devices" in {one["what"] for one in client.get("/api/audit").json()})
    with running(tmp_path, store=f"sqlite:///{tmp_path / 'locked.db'}") as service:
        assert service.app.state.ward.devices.of("bob") == ["strap 7"]


def test_a_device_that_floods_is_told_and_closed(client: httpx.Client, service: Service):
    admit(client, "flood")
    contents = [json.dumps(small(25 * number, sequence=number)) for number in range(20 * MOST_UNANSWERED)]
    with service.socket("/api/patients/flood/stream") as device:
        answer(device)
        with pytest.raises(ConnectionClosed) as closed:
            push(device, contents)
    assert closed.value.rcvd.code == 1008
    assert client.get("/health").status_code == 200


def test_a_message_that_is_too_large_closes_the_stream(tmp_path: Path):
    with running(tmp_path, request_bytes=10_000) as service, service.client() as client:
        admit(client, "large")
        with service.socket("/api/patients/large/stream") as device:
            answer(device)
            with pytest.raises(ConnectionClosed) as closed:
                push(device, [json.dumps(small(samples=10_000))])
    assert closed.value.rcvd.code == 1009


# What is stored


def test_the_signal_comes_back_as_it_was_sent(client: httpx.Client, patient: str):
    recording, last = troubled(), client.get(f"/api/patients/{patient}").json()["last_sample_time"]
    found = client.get(f"/api/patients/{patient}/waveform", params={"start": last - 290, "stop": last + 5}).json()
    assert found["position"] == 0
    expected = np.round(recording.signal.T.astype(np.float64), 3)
    np.testing.assert_allclose(np.array(found["samples"]), expected, atol=0.0011)
    assert found["start_time"] + 65 == pytest.approx(last, abs=0.01)


def test_beats_are_where_the_heart_has_beaten(client: httpx.Client, patient: str):
    recording, now = troubled(), time.time()
    window = {"start": now - 3600, "stop": now + 60}
    found = client.get(f"/api/patients/{patient}/beats", params=window).json()
    positions = np.array([one["position"] for one in found])
    truth = recording.annotations.positions[recording.annotations.symbols == "N"]
    near = np.abs(positions[:, None] - truth[(truth > 500) & (truth < 60 * 250)]).min(axis=0)
    assert np.mean(near < 0.15 * 250) > 0.97
    assert {one["verdict"] for one in found} >= {"NORMAL", "ABNORMAL"}
    trend = client.get(f"/api/patients/{patient}/trend", params=window | {"step_s": 10}).json()
    assert sum(trend["beats"]) == len(found)
    assert sum(trend["abnormal"]) == sum(one["verdict"] == "ABNORMAL" for one in found)
    assert trend["time"] == sorted(trend["time"])


def test_the_gallery_shows_the_worst_beats_beside_what_was_expected(client: httpx.Client, patient: str):
    now = time.time()
    window = {"start": now - 3600, "stop": now + 60, "limit": 5}
    found = client.get(f"/api/patients/{patient}/gallery", params=window).json()
    assert 1 <= len(found) <= 5
    assert max(one["alike"] for one in found) > 1  # a run is one picture
    shapes = [np.ravel(one["samples"]) for one in found]
    others = np.corrcoef(shapes)[~np.eye(len(found), dtype=bool)] if len(found) > 1 else np.zeros(1)
    assert others.max() < 0.95
    scores = [one["beat"]["score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    for one in found:
        samples, expected, error = (np.array(one[name]) for name in ("samples", "reconstruction", "error"))
        assert samples.shape == expected.shape == (2, 140)
        np.testing.assert_allclose(error, np.abs(samples - expected), atol=0.0021)
        assert error.max() > 0.2


@pytest.mark.parametrize(
    ("path", "window"),
    [
        ("waveform", {"start": 0, "stop": 301}),
        ("waveform", {"start": 5, "stop": 5}),
        ("beats", {"start": 0, "stop": 86_401}),
        ("trend", {"start": 0, "stop": 10_000, "step_s": 1}),
        ("trend", {"start": "nan", "stop": 10}),
        ("waveform", {"start": 0, "stop": "inf"}),
        ("gallery", {"start": 10, "stop": 0}),
    ],
)
def test_a_window_is_neither_empty_nor_endless(client: httpx.Client, patient: str, path: str, window: dict):
    assert client.get(f"/api/patients/{patient}/{path}", params=window).status_code == 422


def test_what_was_sent_as_another_stream_is_still_there(client: httpx.Client, service: Service):
    admit(client, "of two streams")
    first, second = messages(troubled(), stream="first"), messages(troubled(), stream="second")
    with service.socket("/api/patients/of%20two%20streams/stream") as device:
        answer(device)
        stream(device, first[:10])
        last = client.get("/api/patients/of two streams").json()["last_sample_time"]
        stream(device, second[:2])
    window = {"start": last - 10, "stop": last}
    found = client.get("/api/patients/of two streams/waveform", params=window).json()
    assert found["stream"] == "first"
    assert len(found["samples"][0]) > 9 * 250


# Alarms


def test_an_alarm_goes_from_raised_to_acknowledged(client: httpx.Client, service: Service, patient: str):
    listed = client.get(f"/api/patients/{patient}/alarms").json()
    number = next(one["number"] for one in listed if one["condition"] == "ventricular tachycardia")
    path = f"/api/patients/{patient}/alarms/{number}"
    shown = client.get(path).json()
    assert shown["title"] == "Ventricular tachycardia"
    assert shown["priority"] == "high"
    assert "Not a cleared medical device." in shown["statement"]
    assert shown["advice"].startswith("Go to the patient now")
    assert shown["definition"]
    assert shown["replay"].startswith("ectopy what-if --stored 'bed 3'")
    assert shown["log_whole"]
    assert shown["history"][0]["change"] == "raised"
    assert all(one["digest"] != GENESIS for one in shown["history"])
    strip, evidence = shown["strip"], shown["evidence"]
    assert len(strip["samples"]) == 2
    assert strip["position"] <= 38 * 250 <= strip["position"] + len(strip["samples"][0])
    assert np.array(evidence["samples"]).shape[1:] == (2, 140)
    key = service.new_key(Scope.ACKNOWLEDGE)
    with service.client(key) as nurse:
        taken = nurse.post(f"{path}/acknowledge", json={"comment": "<b>seen</b>"})
    assert taken.json()["inactivation"] == "alert-acknowledged" or taken.json()["phase"] == "end"
    entry = client.get(path).json()["history"]
    assert any(one["who"] == "acknowledge" and one["why"] == "<b>seen</b>" for one in entry)
    told = client.get("/api/audit", params={"patient": patient}).json()
    assert "acknowledged alarm" in {one["what"] for one in told}
    assert client.post(f"{path}/acknowledge", json={}).status_code in (200, 409)
    assert client.post(f"/api/patients/{patient}/alarms/99/acknowledge", json={}).status_code == 404


def test_the_strip_of_an_alarm_holds_its_beats_however_long_it_goes_on(client: httpx.Client, service: Service):
    patient = "208"
    admit(client, patient)
    recording = read(str(folder_of("mitdb", ["208"]) / "208.hea"))
    lasting = replace(recording, signal=recording.signal[: 600 * 360], annotations=None)
    with service.socket(f"/api/patients/{patient}/stream") as device:
        answer(device)
        stream(device, messages(lasting))
    path = f"/api/patients/{patient}/alarms"
    number = next(one["number"] for one in client.get(path).json() if one["condition"] == "couplet")
    assert client.post(f"{path}/{number}/acknowledge", json={}).status_code == 200
    shown = client.get(f"{path}/{number}").json()
    strip, (first, *_, last) = shown["strip"], shown["evidence"]["beat_time"]
    assert shown["history"][-1]["change"] == "acknowledged"
    assert strip["start_time"] <= first < last <= strip["start_time"] + len(strip["samples"][0]) / strip["rate_hz"]


def test_active_alarms_are_among_all(client: httpx.Client, patient: str):
    active = client.get("/api/alarms").json()
    known = {(one["patient"], one["number"]) for one in client.get("/api/alarms", params={"active": False}).json()}
    assert {(one["patient"], one["number"]) for one in active} <= known
    assert any(one["patient"] == patient for one in active)


def test_audio_is_paused_and_comes_back(client: httpx.Client, patient: str):
    paused = client.post(f"/api/patients/{patient}/audio-pause", json={"comment": "talking"})
    assert paused.status_code in (200, 409)
    resumed = client.post(f"/api/patients/{patient}/audio-resume", json={})
    assert resumed.status_code == paused.status_code


# Live


def test_live_frames_hold_the_samples_that_were_sent(client: httpx.Client, service: Service):
    admit(client, "live", name="Live")
    recording = troubled()
    with service.socket("/api/live?patient=live") as viewer:
        hello = json.loads(viewer.recv(PATIENCE_S))
        assert [(one["type"], one["patient"], one["name"]) for one in hello] == [("summary", "live", "Live")]
        with service.socket("/api/patients/live/stream") as device:
            answer(device)
            stream(device, messages(recording)[:30])
        found, texts = [], []
        while sum(len(samples) for _, samples in found) < 30 * 250 or not any(one["type"] == "beat" for one in texts):
            content = viewer.recv(PATIENCE_S)
            if isinstance(content, bytes):
                found += frames(content)
            else:
                texts += json.loads(content)
    positions = [head["position"] for head, _ in found]
    assert positions == list(range(0, 30 * 250, 250))
    samples = np.concatenate([samples for _, samples in found])
    expected = recording.signal[: len(samples)] * 1000 / found[0][0]["microvolt_per_count"]
    np.testing.assert_allclose(samples, expected, atol=0.51)
    assert all(head["leads"] == ["MLII", "V1"] for head, _ in found)
    beat = next(one for one in texts if one["type"] == "beat")
    assert beat["patient"] == "live"
    assert beat["verdict"] == "NORMAL"


def test_a_viewer_who_does_not_look_slows_nobody_and_is_told(client: httpx.Client, service: Service):
    admit(client, "slow")
    feed, frame, path = service.app.state.ward.feed, bytes(2**20), "/api/live?patient=slow"
    with (
        service.socket(path, max_queue=1, close_timeout=1) as slow,
        service.socket(path) as fast,
    ):
        slow.recv(PATIENCE_S)
        fast.recv(PATIENCE_S)
        for _ in range(40):
            service.loop.call_soon_threadsafe(feed.publish, "slow", lambda: frame)
            received = b""
            while len(received) < len(frame):
                content = fast.recv(PATIENCE_S)
                received += content if isinstance(content, bytes) else b""
        dropped = 0
        while not dropped:
            content = slow.recv(PATIENCE_S)
            told = json.loads(content) if isinstance(content, str) else []
            dropped = sum(one["frames"] for one in told if one["type"] == "dropped")
    until(lambda: feed.viewers == 0)


def test_nobody_watches_who_is_not_there(service: Service):

    with pytest.raises(InvalidStatus) as refused:
        service.socket("/api/live?patient=nobody")
    assert refused.value.response.status_code == 404


# Events


def events(client: httpx.Client, last: int | None, want: int, **params: Any) -> list[dict[str, Any]]:
    """The next events, as a browser reads them."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    found: list[dict[str, Any]] = []
    with client.stream("GET", "/api/events", headers=headers, params=params) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            fields[name] = value
            if not line and "data" in fields:
                found.append(json.loads(fields["data"]))
                assert (str(found[-1]["id"]), found[-1]["kind"]) == (fields["id"], fields["event"])
                fields = {}
            if len(found) == want:
                break
    return found


def test_who_comes_back_misses_no_event(client: httpx.Client, service: Service, patient: str):
    stored = service.app.state.ward.store.events.after(0, patient)
    seen: list[int] = []
    while len(seen) < len(stored):
        seen += [
            one["id"]
            for one in events(client, seen[-1] if seen else 0, min(7, len(stored) - len(seen)), patient=patient)
        ]
    assert seen == [one.id for one in stored]
    alarms = events(client, 0, 2, patient=patient, kind="alarm")
    assert alarms[0]["change"] == "raised"
    assert alarms[0]["alarm"]["patient"] == patient


def test_events_come_while_one_listens(client: httpx.Client, service: Service):
    admit(client, "heard")
    heard: list[dict[str, Any]] = []

    def listen() -> None:
        with service.client() as other:
            heard.extend(events(other, None, 1, patient="heard", kind="noticed"))

    listener = threading.Thread(target=listen)
    listener.start()
    while listener.is_alive():
        client.post("/api/patients/heard/relearn", json={})
        listener.join(0.1)
    assert heard[0]["subject"] == "baseline"


@pytest.mark.parametrize("last", ["-1", "x", "99999999999999999999", "1.5"])
def test_an_id_of_no_event_is_refused(client: httpx.Client, last: str):
    assert client.get("/api/events", headers={"Last-Event-ID": last}).status_code == 422


# The service itself


def test_health_is_open_and_says_whether_all_is_well(service: Service):
    with service.stranger() as stranger:
        assert stranger.get("/health").json()["status"] == "ok"
        checks = {"store": True, "hub": True, "disk": True}
        assert stranger.get("/health/ready").json() == {"ready": True, "checks": checks}


def test_readiness_says_that_the_store_is_away_and_that_it_is_back(tmp_path: Path):
    with running(tmp_path) as service, service.stranger() as stranger:
        with sqlite3.connect(tmp_path / "ectopy.db") as database:
            database.execute("ALTER TABLE sizes RENAME TO away")
        bad = stranger.get("/health/ready")
        assert (bad.status_code, bad.json()["checks"]["store"]) == (503, False)
        assert stranger.get("/health").status_code == 200
        with sqlite3.connect(tmp_path / "ectopy.db") as database:
            database.execute("ALTER TABLE away RENAME TO sizes")
        until(lambda: stranger.get("/health/ready").status_code == 200)


def test_who_sends_or_looks_is_not_kept_out_by_a_store_that_takes_nothing(tmp_path: Path):
    with with_locked_store(tmp_path) as (service, client, writer):
        with service.socket("/api/patients/anna/stream") as device:
            answer(device)
            for content in messages(troubled())[:20]:
                device.send(content)
            until(lambda: (client.get("/api/patients/anna").json()["next_position"] or 0) >= 500)
            assert client.get("/api/alarms").status_code == 200
            writer.close()
            answer(device)
        assert client.get("/api/patients").status_code == 200
        looks = {("sent samples", "anna"), ("viewed patient", "anna"), ("listed alarms", "")}
        until(lambda: looks <= {(one["what"], one["patient"]) for one in client.get("/api/audit").json()})


def test_a_device_whose_key_was_known_is_let_in_while_keys_cannot_be_looked_up(tmp_path: Path):
    with running(tmp_path) as service, service.client() as client:
        admit(client, "anna")
        known, never_used, removed = (service.new_key(Scope.SEND) for _ in range(3))
        newest = max(one["id"] for one in client.get("/api/keys").json())
        for key in (known, removed):
            service.socket("/api/patients/anna/stream", key).close()
        assert client.delete(f"/api/keys/{newest}").status_code == 204
        with sqlite3.connect(tmp_path / "ectopy.db") as database:
            database.execute("ALTER TABLE keys RENAME TO away")
        with service.socket("/api/patients/anna/stream", known) as device:
            answer(device)
            device.send(messages(troubled())[0])
            assert answer(device)["next_position"] > 0
        for key, status in ((never_used, "503"), (removed, "503"), ("ectopy_" + 43 * "x", "401")):
            with pytest.raises(InvalidStatus, match=status):
                service.socket("/api/patients/anna/stream", key)


def test_an_alarm_that_is_not_stored_yet_can_be_acknowledged(tmp_path: Path):
    def failed() -> list[dict[str, Any]]:
        return [one for one in client.get("/api/alarms").json() if one["condition"] == "storage failed"]

    with with_locked_store(tmp_path) as (service, client, writer):
        with service.socket("/api/patients/anna/stream") as device:
            answer(device)
            device.send(messages(troubled())[0])
            until(failed)
            (alarm,) = failed()
            place = f"/api/patients/{alarm['patient']}/alarms/{alarm['number']}"
            answered = client.post(f"{place}/acknowledge", json={}).json()
            assert (answered["acknowledged_by"], answered["stored"]) == ("first key", False)
            unstored = client.get(place).json()
            assert (unstored["acknowledged_by"], unstored["strip"]) == ("first key", None)
            assert [one["change"] for one in unstored["history"]] == ["raised", "acknowledged"]
            writer.close()
            until(lambda: not service.app.state.ward.unstored_changes(alarm["patient"], alarm["number"]))
        stored = client.get(place).json()
        assert [one["change"] for one in stored["history"]][:2] == ["raised", "acknowledged"]


def test_figures_name_no_patient(client: httpx.Client, patient: str):
    assert client.get(f"/api/patients/{patient}").status_code == 200
    text = client.get("/metrics").text
    assert 'ectopy_patients{state="' in text
    assert 'ectopy_chunks_total{outcome="accepted"}' in text
    assert "/api/patients/{patient}" in text
    assert patient not in text
    assert "Anna" not in text


def test_strangers_make_no_figures_of_their_own(client: httpx.Client, service: Service):
    with service.stranger() as stranger:
        for number in range(3):
            assert stranger.request(f"MADE{number}", "/api/patients").status_code == 401
            assert stranger.get(f"/made/{number}").status_code == 404
    text = client.get("/metrics").text
    assert 'method="other"' in text
    assert "MADE" not in text
    assert "/made" not in text


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/nowhere", 404, "nothing exists at this address."),
        ("GET", "/styles/nowhere.css", 404, "nothing exists at this address."),
        ("POST", "/nowhere", 404, "nothing exists at this address."),
        ("GET", "/api/nowhere", 404, "nothing exists at this address."),
        ("POST", "/about", 405, "this address does not take the method POST."),
        ("DELETE", "/api/patients", 405, "this address does not take the method DELETE."),
        ("GET", "/api/patients/bed 3/chunks", 405, "this address does not take the method GET."),
    ],
)
def test_an_unknown_address_or_method_is_answered_as_other_errors_are(
    client: httpx.Client, method: str, path: str, status: int, detail: str
):
    response = client.request(method, path)
    assert (response.status_code, response.json()) == (status, {"detail": detail})
    assert ("Allow" in response.headers) == (status == 405)


def test_an_unknown_address_is_a_page_for_a_browser_and_a_refusal_for_a_socket(service: Service):
    with service.stranger() as stranger:
        page = stranger.get("/nowhere", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "Nothing exists at this address" in page.text
    with pytest.raises(InvalidStatus) as rejection:
        service.socket("/nowhere")
    assert rejection.value.response.status_code == 404


def test_about_says_what_ectopy_is_not(client: httpx.Client):
    about = client.get("/api/about").json()
    assert "Not a cleared medical device." in about["statements"]
    assert len(about["bundle"]["sha256"]) == 64
    assert all(one["advice"] for one in about["conditions"])
    (pause,) = (one for one in about["limits"] if one["name"] == "pause_s")
    assert (pause["least"], pause["most"], pause["whole"], pause["unit"]) == (1, 10, False, "s")
    assert "ward" in about["profiles"]


def test_what_is_described_is_described_with_examples(client: httpx.Client):
    described = client.get("/api/openapi.json").json()
    shapes = described["components"]["schemas"]
    assert {"AlarmShape", "SummaryShape", "WaveformShape"} <= shapes.keys()
    assert shapes["AlarmShape"]["examples"]
    body = described["paths"]["/api/patients/{patient}/chunks"]["post"]["requestBody"]["content"]
    assert {"application/json", "application/msgpack"} <= body.keys()
