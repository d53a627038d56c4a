"""What a key may do that only sends: samples of the patients or devices that it names, alone, and nothing else."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus

from ectopy.client import Client
from ectopy.errors import ServiceError
from ectopy.monitor.technical import NO_DATA_S
from ectopy.service.access import Scope
from ectopy.service.api.routes.ingest_routes import MOST_DEVICES_OF_PATIENT
from ectopy.service.monitoring.senders import OccupiedError, Senders
from support.server import Service, small
from support.waiting import PATIENCE_S, until

SECRET_NAME = "Anna Secret"


def admit(client: httpx.Client, patient: str, name: str | None = SECRET_NAME) -> None:
    client.post("/api/patients", json={"patient": patient, "name": name}).raise_for_status()


def tells_nothing(answer: dict[str, Any], patient: str) -> bool:
    """Whether it says that the patient is admitted, and no more."""
    return answer["patient"] == patient and set(answer) <= {"patient", "stored"}


# For whom a key is made


@pytest.mark.parametrize(
    ("binding", "scopes"),
    [
        ({}, ["send"]),
        ({}, ["send", "view"]),
        ({"patients": []}, ["send"]),
        ({"any_patient": True, "patients": ["a"]}, ["send"]),
        ({"any_patient": True}, ["view"]),
        ({"devices": ["a"]}, ["upload"]),
        ({"patients": [""]}, ["send"]),
        ({"patients": ["a"], "expires_time": 1.0}, ["send"]),
    ],
)
def test_it_is_said_for_whom_a_key_sends(client: httpx.Client, binding: dict, scopes: list[str]):
    answer = client.post("/api/keys", json={"name": "strap", "scopes": scopes, **binding})
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_what_a_key_is_for_is_listed_and_in_the_audit(client: httpx.Client):
    given = {"name": "strap", "scopes": ["send"], "patients": ["one", "two"], "devices": ["strap-7"]}
    made = client.post("/api/keys", json=given).json()
    listed = client.get("/api/keys").json()[-1]
    assert {name: listed[name] for name in given} == given
    assert listed["id"] == made["id"]
    entries = [(one["what"], one["detail"]) for one in client.get("/api/audit").json()]
    assert ("made key", f"{made['id']} strap: send for one, two, strap-7") in entries
    assert "listed keys" in {what for what, _ in entries}


def test_a_key_ends_when_it_was_said(service: Service, monkeypatch: pytest.MonkeyPatch):
    ends = time.time() + 3600
    key = service.new_key(Scope.VIEW, expires_time=ends)
    with service.client(key) as holder, service.stranger() as browser:
        assert browser.post("/api/session", json={"key": key}).status_code == 200
        assert holder.get("/api/patients").status_code == 200
        monkeypatch.setattr(service.app.state.authenticator, "_clock", lambda: ends)
        assert holder.get("/api/patients").status_code == 401
        assert browser.get("/api/patients").status_code == 401
        assert browser.post("/api/session", json={"key": key}).status_code == 401


# What it may do


def test_a_key_sends_for_its_patients_alone(service: Service, client: httpx.Client):
    for patient in ("mine", "another's"):
        admit(client, patient)
    key = service.new_key(Scope.SEND, patients=["mine"])
    with service.client(key) as strap:
        assert strap.post("/api/patients/mine/chunks", json=small()).status_code == 200
        for patient in ("another's", "nobody", "station"):
            refused = strap.post(f"/api/patients/{patient}/chunks", json=small())
            assert refused.status_code == 403
            assert strap.post("/api/patients", json={"patient": patient}).status_code == 403
            assert refused.json() == strap.post("/api/patients/elsewhere/chunks", json=small()).json()
            with pytest.raises(InvalidStatus):
                service.socket(f"/api/patients/{patient}/stream", key)


def test_a_key_that_sends_reads_nothing_and_renames_nobody(service: Service, client: httpx.Client):
    admit(client, "read")
    client.post("/api/patients/read/chunks", json=small(stream="of another")).raise_for_status()
    for key in (service.new_key(Scope.SEND, patients=["read"]), service.new_key(Scope.SEND)):
        with service.client(key) as strap, service.socket("/api/patients/read/stream", key) as socket:
            answer = strap.post("/api/patients", json={"patient": "read", "name": "Renamed by a strap"})
            assert tells_nothing(answer.json(), "read")
            assert json.loads(socket.recv(PATIENCE_S)) == {"next_position": None, "stream": ""}
            for path in ("/api/patients", "/api/patients/read", "/api/alarms", "/api/devices", "/api/keys", "/metrics"):
                assert strap.get(path).status_code == 403
            assert strap.delete("/api/patients/read").status_code == 403
            assert strap.post("/api/recordings/named", json={"recording": "simulated"}).status_code == 403
            replay = {"recording": "simulated", "patient": "read"}
            assert strap.post("/api/replays", json=replay).status_code == 403
    assert client.get("/api/patients/read").json()["name"] == SECRET_NAME


def test_a_key_that_sends_admits_its_patient_once(service: Service, client: httpx.Client):
    key = service.new_key(Scope.SEND, patients=["coming"])
    with service.client(key) as strap:
        answer = strap.post("/api/patients", json={"patient": "coming", "name": "Cora"})
        assert tells_nothing(answer.json(), "coming")
        assert client.get("/api/patients/coming").json()["name"] == "Cora"
        client.delete("/api/patients/coming").raise_for_status()
        refused = strap.post("/api/patients", json={"patient": "coming"})
        assert refused.status_code == 403
        assert "discharged" in refused.json()["detail"]
        assert client.get("/api/patients/coming").json()["state"] == "discharged"
        admit(client, "coming", None)
        assert strap.post("/api/patients/coming/chunks", json=small()).status_code == 200


def test_a_key_of_a_device_sends_for_whoever_wears_it(service: Service, client: httpx.Client):
    for patient in ("before", "after"):
        admit(client, patient)
    key = service.new_key(Scope.SEND, devices=["strap-9"])
    with service.client(key) as strap:

        def sends(patient: str, device: str = "strap-9") -> int:
            return strap.post(f"/api/patients/{patient}/chunks?device={device}", json=small()).status_code

        assert sends("before") == 403
        client.put("/api/devices/strap-9", json={"patient": "before"}).raise_for_status()
        assert [sends("before"), sends("after"), sends("before", "strap-8")] == [200, 403, 403]
        client.put("/api/devices/strap-9", json={"patient": "after"}).raise_for_status()
        assert [sends("before"), sends("after")] == [403, 200]
        assert client.put("/api/devices/strap-9", json={"patient": "nobody"}).status_code == 404


def test_a_key_takes_no_device_from_another_patient(service: Service, client: httpx.Client):
    for patient in ("wearer", "thief"):
        admit(client, patient)
    client.put("/api/devices/strap-4", json={"patient": "wearer"}).raise_for_status()
    with service.client(service.new_key(Scope.SEND, patients=["thief"])) as strap:
        strap.post("/api/patients/thief/chunks?device=strap-4", json=small()).raise_for_status()
        strap.post("/api/patients/thief/chunks?device=strap-5", json=small(25)).raise_for_status()
    attached = {one["device"]: one["patient"] for one in client.get("/api/devices").json()}
    assert (attached["strap-4"], attached["strap-5"]) == ("wearer", "thief")


def test_a_key_does_not_use_up_the_names_of_devices(service: Service, client: httpx.Client):
    admit(client, "inventive")
    with service.client(service.new_key(Scope.SEND, patients=["inventive"])) as strap:
        for number in range(MOST_DEVICES_OF_PATIENT + 5):
            path = f"/api/patients/inventive/chunks?device=made-up-{number}"
            assert strap.post(path, json=small(25 * number)).status_code == 200
    listed = [one for one in client.get("/api/devices").json() if one["patient"] == "inventive"]
    assert len(listed) == MOST_DEVICES_OF_PATIENT


def test_the_client_works_with_a_bound_key(service: Service, client: httpx.Client):
    with Client(service.url, service.new_key(Scope.SEND, patients=["bound"])) as strap:
        assert tells_nothing(strap.admit("bound", "Bo"), "bound")
        with strap.stream("bound", 250.0, ("I",), stream="one") as stream:
            stream.send([[0.0]] * 25)
        # Who comes back to a stream of its own is told where it goes on.
        with strap.stream("bound", 250.0, ("I",), stream="one") as stream:
            assert stream.position == 25
        with (
            pytest.raises(ServiceError, match="does not send for this patient"),
            strap.stream("read", 250.0, ("I",)) as stream,
        ):
            stream.send([[0.0]] * 25)


# Two that send for one patient


def test_a_second_sender_displaces_nothing_and_is_told_of(service: Service, client: httpx.Client):
    admit(client, "disputed")
    first, second = (service.new_key(Scope.SEND, patients=["disputed"]) for _ in range(2))
    numbers = [one["id"] for one in client.get("/api/keys").json()[-2:]]
    path = "/api/patients/disputed/chunks"
    with service.client(first) as strap, service.client(second) as other:
        strap.post(path, json=small(stream="s")).raise_for_status()
        for chunk in (small(25, 250, stream="s"), small(0, 250, stream="t"), [small(25, stream="s"), small(50)]):
            refused = other.post(path, json=chunk)
            assert refused.status_code == 409
            assert f"(key {numbers[0]})" in refused.json()["detail"]
        with service.socket("/api/patients/disputed/stream", second) as socket:
            socket.recv(PATIENCE_S)
            socket.send(json.dumps(small(25, stream="s")))
            answer = json.loads(socket.recv(PATIENCE_S))
        assert answer["retry"] is True
        assert answer["next_position"] is None
        taken = strap.post(path, json=small(25, stream="s")).json()
        assert taken["next_position"] == 50

        def told() -> list[str]:
            alarms = client.get("/api/patients/disputed/alarms").json()
            return [one["text"] for one in alarms if one["condition"] == "two senders"]

        (text,) = until(told)
    assert all(f"(key {number})" in text for number in numbers)


def test_nothing_is_played_into_a_patient_for_whom_a_device_sends(service: Service, client: httpx.Client):
    admit(client, "on a device")
    with service.client(service.new_key(Scope.SEND, patients=["on a device"])) as strap:
        strap.post("/api/patients/on a device/chunks", json=small()).raise_for_status()
    refused = client.post("/api/replays", json={"recording": "simulated", "patient": "on a device"})
    assert refused.status_code == 409
    assert "come from" in refused.json()["detail"]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_another_sender_is_taken_once_the_first_is_silent():
    clock = Clock()
    senders = Senders(clock)
    senders.claim("p", "one", "s")
    clock.now += NO_DATA_S - 1
    with pytest.raises(OccupiedError, match="come from one already"):
        senders.claim("p", "two", "s")
    assert senders.reading("p").present
    assert senders.owns("p", "one", "s")
    assert not senders.owns("p", "two", "s")
    clock.now += 1
    senders.claim("p", "two", "t")
    assert not senders.owns("p", "one", "s")
    assert not senders.reading("p").present
    with pytest.raises(OccupiedError):
        senders.claim("p", "one", "s")


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 15)), max_size=60))
def test_there_is_one_sender_within_ten_seconds(attempts: list[tuple[str, float]]):
    clock, taken = Clock(), []
    senders = Senders(clock)
    for sender, later_s in attempts:
        clock.now += later_s
        try:
            senders.claim("p", sender, "s")
        except OccupiedError:
            assert sender in senders.reading("p").text or senders.reading("p").text.count(" and ") >= 3
        else:
            taken.append((sender, clock.now))
        assert len(senders.reading("p").text) < 300
    for (one, at), (other, later) in pairwise(taken):
        assert one == other or later - at >= NO_DATA_S
