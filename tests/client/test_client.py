"""The Python client against a real server, over a line that is cut again and again; and what others read."""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import hl7
import httpx
import numpy as np
import pytest

import ectopy.client
from ectopy.client import Client
from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.errors import ConflictError, DataError, OutputError, ServiceError, SettingError
from ectopy.monitor import Chunk, chunks
from ectopy.recording import PulseWave
from ectopy.service.access import Scope
from support.pulses import has_pulses, with_pulses
from support.server import Service, running
from support.uploads import csv
from support.waiting import PATIENCE_S, until

STILL = simulate_recording(60, episodes=[Episode("asystole", 40, 8)], random_state=1)
LEADS = STILL.leads
RATE_HZ = STILL.sampling_rate_hz


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("home")) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, service.key) as client:
        yield client


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx.Client]:
    with service.client() as http:
        yield http


@pytest.fixture(scope="module")
def still(client: Client) -> str:
    """A patient whose heart has stood still."""
    patient = "still 1"
    client.admit(patient, "<b>Anna</b> & |^~\\")
    now = time.time()
    for chunk in chunks(STILL, 10.0):
        answer = client.send(patient, replace(chunk, received=now))
        assert answer["rejected"] == []
    assert answer["next_position"] == len(STILL.signal)
    until(lambda: any(alarm["condition"] == "asystole" for alarm in client.alarms(patient, active=False)))
    return patient


def stored(service: Service, patient: str, stream: str, samples: int) -> np.ndarray:
    return service.app.state.ward.store.waveforms.read(patient, stream, 0, samples).signal


# A bad line


class Line:
    """Passes bytes on, and cuts all connections after every so many."""

    def __init__(self, target: int, rng: random.Random) -> None:
        self.target, self.rng, self.cuts = target, rng, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self.connect, args=(near,), daemon=True).start()

    def connect(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self.target)) as far:
            room = [self.rng.randrange(1_000, 60_000)]
            back = threading.Thread(target=self.pump, args=(far, near, room), daemon=True)
            back.start()
            self.pump(near, far, room)
            back.join()

    def pump(self, source: socket.socket, sink: socket.socket, room: list[int]) -> None:
        with suppress(OSError):
            while content := source.recv(1000):
                room[0] -= len(content)
                if room[0] < 0:
                    self.cuts += 1
                    break
                sink.sendall(content)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def bad_line(service: Service) -> Iterator[Line]:
    line = Line(int(service.url.rpartition(":")[2]), random.Random(1))
    thread = threading.Thread(target=line.serve)
    thread.start()
    yield line
    with suppress(OSError):
        line.listener.shutdown(socket.SHUT_RDWR)
    line.listener.close()
    thread.join()


# Streams


def test_stream_over_a_bad_line_loses_and_doubles_nothing(service: Service, client: Client, http: httpx.Client):
    client.admit("bad line")
    with (
        bad_line(service) as line,
        Client(line.url, service.key) as other,
        other.stream("bad line", RATE_HZ, LEADS) as stream,
    ):
        recording = with_pulses(STILL)
        for chunk in chunks(recording, 0.3):
            pulses = [PulseWave(wave.name, wave.unit, wave.sampling_rate_hz, wave.samples) for wave in chunk.pulses]
            stream.send(chunk.signal, pulses=pulses)
        stream.flush(120)
        assert stream.acknowledged == stream.position == len(STILL.signal)
    assert line.cuts >= 3
    store = service.app.state.ward.store
    np.testing.assert_array_equal(stored(service, "bad line", stream.name, len(STILL.signal)), STILL.signal)
    has_pulses(store.waveforms.read("bad line", stream.name, 0, len(STILL.signal)), recording)
    search = {"patient": "bad line", "code": "pulse-wave"}
    bundle = http.get("/api/fhir/Observation", params=search).json()
    waves = [entry["resource"] for entry in bundle["entry"]]
    assert [wave["code"]["text"] for wave in waves] == ["ABP", "PLETH"]
    assert [len(wave["valueSampledData"]["data"].split(" ")) for wave in waves] == [1250, 625]
    beats = [beat.beat.position for beat in store.beats.first("bad line", 0, 2e9)]
    assert len(beats) == len(set(beats)) > 50
    assert not [
        event for event in store.events.after(patient="bad line", kinds=("noticed",)) if event.event.subject == "gap"
    ]


def test_stream_goes_on_where_another_one_ended(service: Service, client: Client):
    client.admit("twice")
    half = len(STILL.signal) // 2
    for part in (STILL.signal[:half], STILL.signal[half:]):
        with client.stream("twice", RATE_HZ, LEADS, stream="mine") as stream:
            assert stream.position in (0, half)
            for piece in np.array_split(part, 20):
                stream.send(piece)
    np.testing.assert_array_equal(stored(service, "twice", "mine", len(STILL.signal)), STILL.signal)


def test_a_stream_names_its_device(service: Service, client: Client):
    client.admit("wearer")
    with client.stream("wearer", RATE_HZ, LEADS, device="strap #7 & more") as stream:
        stream.send(np.zeros((10, 2)))
    with service.client() as http:
        assert http.get("/api/patients/wearer").json()["devices"] == ["strap #7 & more"]


def test_many_messages_at_once_are_not_too_many_on_their_way(service: Service, client: Client):
    client.admit("hurry")
    with client.stream("hurry", RATE_HZ, LEADS) as stream:
        for piece in np.array_split(STILL.signal, 150):
            stream.send(piece)
    np.testing.assert_array_equal(stored(service, "hurry", stream.name, len(STILL.signal)), STILL.signal)


def test_refusal_is_told_to_the_sender_and_the_stream_keeps_nothing(client: Client):
    client.admit("refused")
    stream = client.stream("refused", RATE_HZ, LEADS)
    stream.send(np.full((10, 2), 5000.0))
    for act in (stream.flush, lambda: stream.send(np.zeros((10, 2))), stream.close):
        with pytest.raises(ServiceError, match="not an ECG"):
            act()
    assert (stream._pending, stream._pending_bytes) == ({}, 0)
    stream._thread.join(PATIENCE_S)
    assert not stream._thread.is_alive()


def test_unknown_patients_and_keys_end_a_stream(service: Service, client: Client):
    with pytest.raises(ServiceError, match="nobody"):
        client.stream("nobody", RATE_HZ, LEADS).send(np.zeros((1, 2)))
    with Client(service.url, "ectopy_wrong") as stranger, pytest.raises(ServiceError, match="not known"):
        stranger.stream("refused", RATE_HZ, LEADS).send(np.zeros((1, 2)))


def test_a_stream_keeps_ten_minutes_and_no_more_than_it_has_room_for(service: Service, monkeypatch: pytest.MonkeyPatch):
    assert ectopy.client.stream_sender.MOST_PENDING_BYTES > 600 * 16 * 1000 * 4
    monkeypatch.setattr("ectopy.client.stream_sender.MOST_PENDING_BYTES", 40 * 1000)
    with Client("http://127.0.0.1:9", service.key) as nowhere:
        stream = nowhere.stream("anybody", RATE_HZ, LEADS)
        stream._begin({"next_position": None, "stream": ""})
        sender = threading.Thread(target=lambda: [stream.send(STILL.signal[:125]) for _ in range(45)], daemon=True)
        sender.start()
        until(lambda: stream._pending_bytes >= 40 * 1000)
        assert sender.is_alive()
        assert stream._pending_bytes < 42 * 1000
        stream._take({"sequence": 20, "next_position": 21 * 125, "stored": True})
        assert stream.stored == 0  # what is in front of it has not been seen
        for sequence in range(20):
            stream._take({"sequence": sequence, "next_position": 125 * (sequence + 1), "stored": False})
        assert (stream.acknowledged, stream.stored) == (21 * 125, 0)
        stream._take({"sequence": 19, "next_position": 20 * 125, "stored": True})
        assert stream.stored == 21 * 125
        sender.join(PATIENCE_S)
        assert not sender.is_alive()
        stream.close(0)


def test_what_could_not_be_kept_is_sent_again_once_the_service_stores(service: Service):
    with Client("http://127.0.0.1:9", service.key) as nowhere:
        stream = nowhere.stream("anybody", RATE_HZ, LEADS, stream="mine")
        stream._begin({"next_position": 0, "stream": "mine"})
        for _ in range(6):
            stream.send(STILL.signal[:125])
        contents = [stream._next() for _ in range(6)]
        for sequence in range(3):
            stream._take({"sequence": sequence, "next_position": 125 * (sequence + 1), "stored": False})
        stream._take({"sequence": 1, "rejected": "x", "retry": True, "next_position": 375, "stream": "mine"})
        stream._take({"sequence": 3, "next_position": 500, "stored": True, "missing": [[250, 375]]})
        assert [stream._next(), stream._next()] == [contents[1], contents[2]]
        stream._take({"sequence": 5, "next_position": 750, "stored": True})
        assert stream.stored == 125
        stream._take({"sequence": 1, "next_position": 750, "stored": True})
        stream._take({"sequence": 2, "next_position": 750, "stored": True})
        assert stream.stored == 500
        stream._begin({"next_position": 750, "stream": "mine"})  # the answer was lost with the connection
        assert stream._next() == contents[4]
        stream._take({"sequence": 4, "next_position": 750, "stored": True})
        assert stream.stored == stream.position
        stream.close(0)


def test_a_service_that_hangs_makes_no_traceback(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    client.admit("hanging")
    with client.stream("hanging", RATE_HZ, LEADS) as stream:
        stream.send(np.zeros((10, 2)))
        stream.flush()
        logger = logging.getLogger("ectopy.client.connection")
        logger.error("keepalive ping failed", exc_info=TimeoutError())
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("shape", [(10,), (10, 3), (3, 2, 1)])
def test_samples_of_other_leads_are_not_sent(client: Client, shape: tuple[int, ...]):
    client.admit("shapes")
    with client.stream("shapes", RATE_HZ, LEADS) as stream, pytest.raises(DataError, match=r"shape \(n, 2\)"):
        stream.send(np.zeros(shape))


# Everything else


def test_chunk_alarm_and_acknowledgement(client: Client, still: str):
    patient = still
    alarm = next(alarm for alarm in client.alarms(patient, active=False) if alarm["condition"] == "asystole")
    answer = client.acknowledge(patient, alarm["number"], "seen")
    assert answer["number"] == alarm["number"]
    assert patient in [each["patient"] for each in client.patients()]


def test_who_is_admitted_again_keeps_the_name(client: Client):
    client.admit("named", "Anna")
    assert client.admit("named")["name"] == "Anna"
    assert client.admit("named", "")["name"] == ""


def test_who_is_discharged_is_to_be_admitted_before_more_is_sent(client: Client):
    client.admit("moved", "Mo")
    with client.stream("moved", RATE_HZ, LEADS) as stream:
        stream.send(STILL.signal[:250])
    assert client.discharge("moved", "to ward 5")["state"] == "discharged"
    assert "moved" not in [each["patient"] for each in client.patients()]
    chunk = Chunk(0, STILL.signal[:250], RATE_HZ, LEADS, 0.0)
    with pytest.raises(ServiceError, match="this patient is discharged; admit the patient first"):
        client.send("moved", chunk)
    assert client.admit("moved")["name"] == "Mo"
    with client.stream("moved", RATE_HZ, LEADS) as stream:
        stream.send(STILL.signal[:250])


@pytest.mark.usefixtures("still")
def test_refused_chunk_and_lost_service_are_one_error(client: Client):
    bad = Chunk(0, np.zeros((1, 1), np.float32), 5.0, ("I",), 0.0)
    with pytest.raises(ServiceError, match="sampling rate"):
        client.send("still 1", bad)
    with Client("http://127.0.0.1:9", "ectopy_x") as nowhere, pytest.raises(ServiceError, match="cannot be reached"):
        nowhere.patients()


def test_upload(client: Client, tmp_path):
    path = tmp_path / "short.csv"
    path.write_bytes(csv(10))
    id = client.upload(path, sampling_rate_hz=RATE_HZ, unit="mV")
    assert client.recording(id)["name"] == "short.csv"


def test_files_that_cannot_be_read_are_not_uploaded(client: Client, tmp_path):
    for path in (tmp_path / "nope.csv", tmp_path):
        with pytest.raises(DataError, match=rf"^{path} cannot be read: .*\.$"):
            client.upload(path)


def test_a_recording_is_read_and_corrected(client: Client, tmp_path):
    path = tmp_path / "holter.csv"
    path.write_bytes(csv(30))
    id = client.upload(path, sampling_rate_hz=RATE_HZ, unit="mV")
    until(lambda: client.recording(id)["status"] == "done")
    client.report(id, tmp_path / "report.html")
    assert "holter.csv" in (tmp_path / "report.html").read_text()
    with pytest.raises(OutputError, match=r"a report is \.pdf or \.html; name it so\."):
        client.report(id, tmp_path / "report.txt")
    assert not (tmp_path / "report.txt").exists()
    families = client.families(id)
    assert families["families"][0]["hint"] == ""
    seen = client.correct(id, {"type": "relabel", "family": 1, "label": "ventricular"}, families)
    assert (seen["version"], seen["entry"]["beats"]) == (1, families["families"][0]["beats"])
    with pytest.raises(ConflictError, match="newer corrections, by first key"):
        client.correct(id, {"type": "write_conclusion", "text": "Late."}, families)
    with pytest.raises(ServiceError, match="there is no family 900"):
        client.correct(id, {"type": "delete_beats", "family": 900}, seen)
    with pytest.raises(SettingError, match="'analysis' and 'version'"):
        client.correct(id, {"type": "delete_beats", "family": 1}, {})
    assert client.figures(id)["figures"]["ventricular"]["total"] == seen["entry"]["beats"]
    assert any(event["kind"] == "ventricular run" for event in client.events(id)["events"])
    client.results(id, tmp_path / "results.fhir")
    assert "DiagnosticReport" in (tmp_path / "results.fhir").read_text()
    seen = client.undo(id, seen)
    assert client.figures(id)["figures"]["ventricular"]["total"] == 0
    assert [entry["undone"] for entry in client.corrections(id)["entries"]] == [True, False]
    assert client.episodes(id)["version"] == seen["version"] == 2
    with pytest.raises(ServiceError, match="'csv'"):
        client.results(id, tmp_path / "results.xyz")
    assert not (tmp_path / "results.xyz").exists()


# What other systems read


@pytest.mark.usefixtures("still")
def test_fhir_observations(http: httpx.Client, client: Client):
    answer = http.get("/api/fhir/Observation", params={"patient": "still 1"})
    assert answer.headers["content-type"] == "application/fhir+json"
    bundle = answer.json()
    rate, ecg = (entry["resource"] for entry in bundle["entry"])
    assert rate["code"]["coding"][0]["code"] == "8867-4"
    data = ecg["component"][0]["valueSampledData"]
    values = np.array([float(word) for word in data["data"].split(" ")]) * data["factor"]
    np.testing.assert_allclose(values, STILL.signal[-2500:, 0], atol=0.0006)
    assert data["period"] == 4
    for code, count in (("ecg", 1), ("http://loinc.org|8867-4", 1)):
        bundle = http.get("/api/fhir/Observation", params={"patient": "still 1", "code": code}).json()
        assert bundle["total"] == count
    begin, end = ecg["effectivePeriod"]["start"], ecg["effectivePeriod"]["end"]
    second_page = http.get(
        "/api/fhir/Observation", params={"patient": "still 1", "code": "ecg", "date": [f"ge{begin}", f"lt{end}"]}
    ).json()
    assert second_page["entry"][0]["resource"]["effectivePeriod"]["start"][:-4] == begin[:-4]


@pytest.mark.usefixtures("still")
def test_fhir_detected_issues(http: httpx.Client):
    bundle = http.get("/api/fhir/DetectedIssue", params={"patient": "still 1"}).json()
    issue = next(
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["code"]["coding"][0]["code"] == "asystole"
    )
    assert issue["severity"] == "high"
    assert issue["implicated"] == [{"reference": "#strip"}]
    (strip,) = issue["contained"]
    assert len(strip["component"][0]["valueSampledData"]["data"].split(" ")) > 10 * RATE_HZ
    assert bundle["total"] == len(http.get("/api/patients/still%201/alarms").json())


@pytest.mark.usefixtures("still")
def test_pages_of_detected_issues_follow_each_other(http: httpx.Client):
    whole = http.get("/api/fhir/DetectedIssue", params={"patient": "still 1"}).json()
    path, entries = "/api/fhir/DetectedIssue?patient=still 1&_count=1", []
    while path:
        page = http.get(path).json()
        assert page["total"] == whole["total"]
        entries += page["entry"]
        path = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert entries == whole["entry"]
    assert len(entries) > 1


@pytest.mark.usefixtures("still")
def test_fhir_says_what_it_is_capable_of(http: httpx.Client):
    statement = http.get("/api/fhir/metadata").json()
    address = statement["implementation"]["url"]
    for resource in statement["rest"][0]["resource"]:
        parameters = {"patient": "still 1"}
        assert parameters.keys() <= {each["name"] for each in resource["searchParam"]}
        assert http.get(f"{address}/{resource['type']}", params=parameters).is_success


@pytest.mark.usefixtures("still")
def test_alert_as_hl7(http: httpx.Client, client: Client):
    (number,) = [
        alarm["number"] for alarm in client.alarms("still 1", active=False) if alarm["condition"] == "asystole"
    ]
    answer = http.get(f"/api/patients/still 1/alarms/{number}/oru")
    assert answer.headers["content-type"] == "application/hl7-v2; charset=utf-8"
    message = hl7.parse(answer.text)
    assert message.unescape(str(message.segment("PID")[5][0][0])) == "<b>Anna</b> & |^~\\"
    assert "Asystole" in str(message.segments("OBX")[0][5])


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/fhir/Observation", 422),
        ("/api/fhir/Observation?patient=nobody", 404),
        ("/api/fhir/Observation?patient=still 1&code=weight", 422),
        ("/api/fhir/Observation?patient=still 1&date=ge2026-01-01T00:00:00Z", 422),
        ("/api/fhir/Observation?patient=still 1&date=ge2026-01-01T00:00:00Z&date=lt2027-01-01T00:00:00Z", 422),
        ("/api/fhir/Observation?patient=still 1&date=geyesterday&date=lttoday", 422),
        ("/api/fhir/Observation?patient=still 1&date=ge0001-01-01T00:00:00Z&date=lt0001-01-01T00:00:01Z", 200),
        ("/api/fhir/DetectedIssue?patient=nobody", 404),
        ("/api/fhir/DetectedIssue?patient=still 1&_count=0", 422),
        ("/api/patients/still 1/alarms/99999/oru", 404),
        ("/api/patients/nobody/alarms/1/oru", 404),
    ],
)
def test_impossible_questions_are_answered(http: httpx.Client, path: str, status: int):
    answer = http.get(path)
    assert answer.status_code == status
    assert status == 200 or answer.json()["detail"].endswith(".")


@pytest.mark.parametrize(
    "path",
    ["/api/fhir/Observation?patient=a", "/api/fhir/DetectedIssue?patient=a", "/api/patients/a/alarms/1/oru"],
)
def test_exchange_needs_the_scope_to_view(service: Service, path: str):
    with service.client(service.new_key(Scope.SEND)) as http:
        assert http.get(path).status_code == 403
        assert http.get(path, headers={"Authorization": ""}).status_code == 401
