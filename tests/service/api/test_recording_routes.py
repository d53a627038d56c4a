"""Uploads, replays and exchange over HTTP, on a real server."""

from __future__ import annotations

import io
import select
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import httpx
import numpy as np
import pytest

from ectopy.datasets import simulate_recording
from ectopy.service.access import Scope
from support.server import Service, running
from support.uploads import BAD, NO_NAMES, RATE_HZ, csv
from support.waiting import PATIENCE_S, until


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("home"), upload_bytes=2**20) as service:
        yield service


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx.Client]:
    with service.client() as http:
        http.post("/api/patients", json={"patient": "bed 1", "name": "Anna"}).raise_for_status()
        yield http


def upload(http: httpx.Client, files: dict[str, bytes], **stated: object) -> httpx.Response:
    parts = [("files", (name, content)) for name, content in files.items()]
    return http.post("/api/recordings", files=parts, data={name: str(value) for name, value in stated.items()})


def finished(http: httpx.Client, id: str) -> dict:
    def analysed() -> dict | None:
        recording = http.get(f"/api/recordings/{id}").json()
        return None if recording["status"] in ("waiting", "analysing") else recording

    return until(analysed)


# Recordings


def test_upload_to_report_and_replay(http: httpx.Client, service: Service):
    answer = upload(http, {"<i>day.csv": csv(60)}, sampling_rate_hz=RATE_HZ, unit="mV")
    assert answer.status_code == 202
    id = answer.json()["id"]
    shown = finished(http, id)
    assert (shown["status"], shown["error"], shown["name"]) == ("done", "", "<i>day.csv")
    assert shown["summary"]["duration_s"] == 60
    assert [entry["id"] for entry in http.get("/api/recordings").json()] == [id]

    page = http.get(f"/api/recordings/{id}/report")
    assert page.headers["content-type"].startswith("text/html")
    assert "sandbox" in page.headers["content-security-policy"]
    assert "&lt;i&gt;day.csv" in page.text
    assert "<i>" not in page.text

    signal = http.get(f"/api/recordings/{id}/signal", params={"pixels": 100}).json()
    assert len(signal["low"][0]) == len(signal["high"][1]) == 100
    close = http.get(f"/api/recordings/{id}/signal", params={"start_s": 10, "stop_s": 10.2, "pixels": 100}).json()
    assert len(close["samples"][0]) == 51
    second = {"start_s": 10, "stop_s": 10.2, "pixels": 100, "lead": 1}
    one_lead = http.get(f"/api/recordings/{id}/signal", params=second).json()
    assert one_lead["leads"] == close["leads"][1:]
    assert one_lead["samples"] == close["samples"][1:]
    assert http.get(f"/api/recordings/{id}/signal", params={"lead": 2}).status_code == 422
    for path in ("signal", "beats", "families/1/beats"):
        reverse = http.get(f"/api/recordings/{id}/{path}", params={"start_s": 5, "stop_s": 1})
        assert reverse.status_code == 422
        assert reverse.json() == {"detail": "'stop_s' is 1 s, and must not be before 'start_s', which is 5 s."}
    beats = http.get(f"/api/recordings/{id}/beats", params={"stop_s": 10}).json()
    assert 5 < len(beats) < 20
    trend = http.get(f"/api/recordings/{id}/trend", params={"step_s": 30}).json()
    assert sum(trend["beats"]) == shown["summary"]["beats"]

    with service.client(service.new_key(Scope.VIEW)) as viewer:
        for path in ("signal", "beats", "trend", "events", "episodes", "figures", "families", "families/1/beats"):
            viewer.get(f"/api/recordings/{id}/{path}").raise_for_status()
    looks = [(look["who"], look["what"]) for look in http.get("/api/audit").json()]
    assert ("view", f"viewed recording {id}") in looks

    body = {"recording": id, "patient": "bed 1", "speed": 1000}
    begun = http.post("/api/replays", json=body)
    assert begun.status_code == 201
    path = f"/api/replays/{begun.json()['id']}"
    replay = until(lambda: (replay := http.get(path).json())["status"] != "playing" and replay)
    assert (replay["status"], replay["position_s"]) == ("done", 60)
    stored = service.app.state.ward.store.waveforms.read("bed 1", f"replay {replay['id']}", 0, 15_000)
    np.testing.assert_array_equal(stored.signal, service.app.state.library.result(id).recording.signal)

    assert http.delete(f"/api/recordings/{id}").status_code == 204
    assert http.get(f"/api/recordings/{id}").status_code == 404


@pytest.mark.parametrize("name", ["../../x.edf", "..\\x.edf", "/etc/x.edf"])
def test_names_of_files_lead_nowhere(http: httpx.Client, service: Service, name: str):
    folder = service.app.state.settings.home
    before = {path for path in folder.rglob("*") if "recordings" not in path.parts}
    answer = upload(http, {name: b"no EDF"})
    assert answer.status_code in (202, 422)
    if answer.status_code == 202:
        kept = folder / "recordings" / answer.json()["id"] / "files"
        assert [path.name for path in kept.iterdir()] == ["recording.edf"]
        http.delete(f"/api/recordings/{answer.json()['id']}").raise_for_status()
    assert {path for path in folder.rglob("*") if "recordings" not in path.parts} == before


def test_bad_recording_says_what_is_wrong(http: httpx.Client):
    # A header of 80 bytes that promises 400 GB.
    files, words = BAD["a header that promises too much"]
    shown = finished(http, upload(http, files).json()["id"])
    assert (shown["status"], shown["summary"]) == ("failed", None)
    assert words in shown["error"]
    id = shown["id"]
    for path in ("report", "signal", "beats", "trend", "events", "episodes", "figures", "families", "families/1/beats"):
        answer = http.get(f"/api/recordings/{id}/{path}")
        assert (answer.status_code, "not analysed" in answer.json()["detail"]) == (422, True)
    http.delete(f"/api/recordings/{id}").raise_for_status()


def test_the_unit_of_an_upload_is_asked_for(http: httpx.Client):
    counts = simulate_recording(60, sampling_rate_hz=RATE_HZ, random_state=3).signal * 2000
    content = io.BytesIO()
    np.save(content, counts.astype(np.float32))
    shown = finished(
        http, upload(http, {"adc.npy": content.getvalue()}, sampling_rate_hz=RATE_HZ, unit="mV").json()["id"]
    )
    assert shown["status"] == "failed"
    assert "adc.npy cannot be read" in shown["error"]
    assert "is the unit really mV?" in shown["error"]
    http.delete(f"/api/recordings/{shown['id']}").raise_for_status()


def test_too_large_uploads_are_cut_off(http: httpx.Client):
    answer = upload(http, {"a.edf": bytes(2**20 + 1)})
    assert (answer.status_code, "at most 1048576 bytes" in answer.json()["detail"]) == (413, True)
    # Without a length: the body is counted as it comes.
    boundary = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.edf"\r\n\r\n'
    answer = http.post(
        "/api/recordings",
        content=iter([boundary, *[bytes(2**16)] * 20, b"\r\n--x--\r\n"]),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert (answer.status_code, "at most 1048576 bytes" in answer.json()["detail"]) == (413, True)
    assert http.get("/api/recordings").json() == []


def test_bombs_are_refused(http: httpx.Client):
    body = bytes(1000)
    answer = http.post("/api/recordings", content=body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert upload(http, {f"{number}.dat": b"" for number in range(65)}).status_code in (400, 422)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data"),
        (
            b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\ntext\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b"{}", "application/json"),
        (b"files=a", "application/x-www-form-urlencoded"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nI\n0\n\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_uploads_without_files_are_refused(http: httpx.Client, content: bytes, kind: str):
    answer = http.post("/api/recordings", content=content, headers={"Content-Type": kind})
    assert answer.status_code in (400, 422)
    assert answer.status_code == 400 or "form field 'files'" in answer.json()["detail"]


def test_stated_rate_must_be_a_number(http: httpx.Client):
    answer = upload(http, {"a.csv": b"I\n0\n"}, sampling_rate_hz="fast")
    assert (answer.status_code, "number of Hz" in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"unit": "furlong"}, "the unit 'furlong' is unknown; known are V, mV, uV and nV."),
        ({"sampling_rate_hz": "1e9"}, "the sampling rate must be from 1 to 100000 Hz"),
        ({"sampling_rate_hz": "nan"}, "the sampling rate must be from 1 to 100000 Hz"),
    ],
)
def test_what_is_stated_is_checked_at_once(http: httpx.Client, stated: dict, words: str):
    before = http.get("/api/recordings").json()
    answer = upload(http, {"a.csv": csv(10)}, **stated)
    assert (answer.status_code, words in answer.json()["detail"]) == (422, True)
    assert http.get("/api/recordings").json() == before


# Recordings by name


def test_a_name_to_report(http: httpx.Client, service: Service):
    names = http.get("/api/recordings/named").json()
    assert names[0] == "simulated"
    answer = http.post("/api/recordings/named", json={"recording": "simulated"})
    assert (answer.status_code, answer.json()["name"]) == (202, "simulated")
    id = answer.json()["id"]
    shown = finished(http, id)
    assert (shown["status"], shown["error"], shown["summary"]["duration_s"]) == ("done", "", 1800)
    assert http.get(f"/api/recordings/{id}/report").status_code == 200
    assert http.get(f"/api/recordings/{id}/signal", params={"pixels": 10}).json()["duration_s"] == 1800
    entries = http.get("/api/audit").json()
    assert ("chose recording", f"{id} simulated") in [(entry["what"], entry["detail"]) for entry in entries]
    http.delete(f"/api/recordings/{id}").raise_for_status()


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_leads_nowhere(http: httpx.Client, service: Service, name: str):
    folder = service.app.state.settings.home / "recordings"
    answer = http.post("/api/recordings/named", json={"recording": name})
    assert answer.status_code == 422
    assert "passwd:" not in answer.text
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "body", [{}, {"recording": "simulated", "other": 1}, {"recording": "x" * 201}, [], "simulated"]
)
def test_an_invalid_choice_is_rejected(http: httpx.Client, body: object):
    assert http.post("/api/recordings/named", json=body).status_code == 422


def test_a_choice_has_the_limit_of_requests_and_not_that_of_uploads(tmp_path: Path):
    with running(tmp_path, request_bytes=10_000) as service, service.client() as http:
        assert http.post("/api/recordings/named", json={"recording": "x" * 10_000}).status_code == 413


# Replays


def test_replay_of_a_name_goes_on_until_it_is_stopped(http: httpx.Client):
    begun = http.post("/api/replays", json={"recording": "simulated", "patient": "bed 1"}).json()
    assert begun["status"] == "playing"
    assert begun["id"] in [replay["id"] for replay in http.get("/api/replays").json()]
    assert http.delete(f"/api/replays/{begun['id']}").json()["status"] == "stopped"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"patient": "nobody"}, 404),
        ({"recording": "../../etc/passwd"}, 422),
        ({"recording": "mitdb/../../x"}, 422),
        ({"speed": 0}, 422),
        ({"speed": 1e9}, 422),
        ({"other": 1}, 422),
    ],
)
def test_impossible_replays_are_refused(http: httpx.Client, change: dict, status: int):
    answer = http.post("/api/replays", json={"recording": "simulated", "patient": "bed 1", **change})
    assert answer.status_code == status
    assert answer.json()["detail"]


# Who may


ROUTES = [
    ("POST", "/api/recordings", Scope.UPLOAD),
    ("POST", "/api/recordings/named", Scope.UPLOAD),
    ("GET", "/api/recordings/named", Scope.VIEW),
    ("GET", "/api/recordings", Scope.VIEW),
    ("GET", "/api/recordings/0", Scope.VIEW),
    ("GET", "/api/recordings/0/report", Scope.VIEW),
    ("GET", "/api/recordings/0/signal", Scope.VIEW),
    ("GET", "/api/recordings/0/beats", Scope.VIEW),
    ("GET", "/api/recordings/0/trend", Scope.VIEW),
    ("GET", "/api/recordings/0/events", Scope.VIEW),
    ("GET", "/api/recordings/0/episodes", Scope.VIEW),
    ("GET", "/api/recordings/0/figures", Scope.VIEW),
    ("GET", "/api/recordings/0/families", Scope.VIEW),
    ("GET", "/api/recordings/0/families/1/beats", Scope.VIEW),
    ("POST", "/api/recordings/0/analyse", Scope.CORRECT),
    ("DELETE", "/api/recordings/0", Scope.ADMINISTER),
    ("POST", "/api/replays", Scope.ADMINISTER),
    ("GET", "/api/replays", Scope.VIEW),
    ("GET", "/api/replays/0", Scope.VIEW),
    ("DELETE", "/api/replays/0", Scope.ADMINISTER),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_every_route_needs_its_scope(service: Service, method: str, path: str, scope: Scope):
    wrong = Scope.ACKNOWLEDGE
    with service.client(service.new_key(wrong)) as http:
        assert http.request(method, path).status_code == 403
        assert http.request(method, path, headers={"Authorization": ""}).status_code == 401
    with service.client(service.new_key(scope)) as http:
        assert http.request(method, path).status_code in (200, 404, 422)


@pytest.mark.parametrize("id", ["0", "..", "%2e%2e", "a" * 16, "x" * 33])
def test_unknown_recordings_are_not_found(http: httpx.Client, id: str):
    assert http.get(f"/api/recordings/{id}/report").status_code in (404, 422)


def test_an_upload_ends_as_soon_as_the_disk_is_full(http: httpx.Client, monkeypatch: pytest.MonkeyPatch):
    """What comes is checked while it comes, and not when all of it is there."""
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(2**20)}
    request = http.build_request("POST", "/api/recordings", headers=headers)
    fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=PATIENCE_S) as connection:
        connection.sendall(f"POST /api/recordings HTTP/1.1\r\n{fields}\r\n".encode() + part)
        answered, _, _ = select.select([connection], [], [], 0.1)
        assert not answered
        monkeypatch.setattr("ectopy.service.recordings.stored_recording.SPARE_BYTES", 2**60)
        connection.sendall(b"0.1\n" * 20_000)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 503
        assert b"disk is nearly full" in answer.read()


def test_fields_of_an_upload_are_short(http: httpx.Client):
    answer = http.post("/api/recordings", files=[("files", ("a.csv", b"0"))], data={"unit": "m" * 5000})
    assert answer.status_code == 400
    many = [("files", (f"{number}.dat", b"0")) for number in range(70)]
    assert http.post("/api/recordings", files=many).status_code == 400
