"""The service in front of a cluster: nobody who looks at it or sends to it sees a difference."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.cluster.cluster_engine import ClusterEngine
from ectopy.cluster.topics import Topics
from ectopy.errors import SettingError
from ectopy.monitor import BeatJudged, Monitor
from ectopy.service.monitoring.patient_engine import SYSTEM_PATIENT
from ectopy.service.storage import Store
from support.browsers import Browser, Page, opened, playwright
from support.kafka.broker import Broker, running_broker
from support.kafka.stand_in import StandIn, watching
from support.kafka.watching import Watching
from support.server import Service, messages, running, troubled
from support.waiting import SPARK_S, until

MSGPACK = {"Content-Type": "application/msgpack"}
CONTENTS = messages(troubled())
CONDITIONS = ["ventricular run", "ventricular tachycardia", "pause", "asystole"]
"""Of the alarms in it."""


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    return Monitor.of(load_ambulatory(), 30.0)


def new_topics() -> Topics:
    name = uuid.uuid4().hex
    return Topics(name, f"{name}-events")


@pytest.fixture
def topics() -> Topics:
    return new_topics()


@contextmanager
def in_front(home: Path, broker: Broker, topics: Topics, key: str = "") -> Iterator[tuple[Service, httpx.Client]]:
    """A service in front of a cluster, and who shows its first key, or this one."""
    engine = partial(ClusterEngine, broker.brokers, topics)
    with running(home, engine) as service, service.client(key or service.key) as client:
        yield service, client


def admit(client: httpx.Client, patient: str = "anna", **other: object) -> None:
    client.post("/api/patients", json={"patient": patient, "name": "Anna", **other}).raise_for_status()


def send(client: httpx.Client, contents: list[bytes], patient: str = "anna") -> list[dict]:
    """What a sender is told."""
    path = f"/api/patients/{patient}/chunks"
    return [client.post(path, content=content, headers=MSGPACK).raise_for_status().json() for content in contents]


def send_as_devices_do(client: httpx.Client, contents: list[bytes]) -> None:
    """Send again what the service does not take yet."""
    for content in contents:
        until(
            lambda content=content: (
                client.post("/api/patients/anna/chunks", content=content, headers=MSGPACK).is_success
            )
        )


def alarms(client: httpx.Client, patient: str = "anna") -> list[dict]:
    return client.get(f"/api/patients/{patient}/alarms").raise_for_status().json()


def conditions(client: httpx.Client, patient: str = "anna") -> list[str]:
    """Those of alarms that the samples have raised."""
    return [alarm["condition"] for alarm in alarms(client, patient) if alarm["type"] != "ST"]


def of_the_service(client: httpx.Client) -> list[str]:
    """Conditions of alarms about the service itself."""
    found = client.get("/api/alarms").raise_for_status().json()
    return [alarm["condition"] for alarm in found if alarm["patient"] == SYSTEM_PATIENT]


def beats(service: Service, patient: str = "anna") -> list[BeatJudged]:
    """All beats, without when it was said what they are: that depends on when samples come."""
    stored = service.app.state.ward.store.beats.first(patient, 0.0, 1e11)
    return sorted((replace(beat.beat, number=0, at_s=0.0) for beat in stored), key=lambda beat: beat.beat_s)


def numbers(service: Service, patient: str = "anna") -> list[int]:
    """Those of all stored events."""
    store = service.app.state.ward.store
    stored = [beat.beat.number for beat in store.beats.first(patient, 0.0, 1e11)]
    return sorted(stored + [event.event.number for event in store.events.after(patient=patient)])


def positions(service: Service, patient: str = "anna") -> list[int]:
    """Those of all stored chunks, in order."""
    return sorted(chunk.position for chunk in service.app.state.ward.store.waveforms.arrivals(patient, 0.0, 1e11))


@dataclass
class Both:
    """A service that watches itself, and one in front of a cluster, to which the same was sent."""

    embedded: Service
    front: Service


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, broker: Broker, monitor: Monitor) -> Iterator[Both]:
    topics = new_topics()
    home = tmp_path_factory.mktemp("both")
    with ExitStack() as stack:
        stack.enter_context(watching(broker.brokers, topics, monitor))
        embedded = stack.enter_context(running(home / "embedded"))
        front = stack.enter_context(running(home / "front", partial(ClusterEngine, broker.brokers, topics)))
        for service in (embedded, front):
            with service.client() as client:
                admit(client)
                answers = send(client, CONTENTS)
                assert [answer for answer in answers if answer["rejected"] or answer["late"]] == []
        for service in (embedded, front):
            with service.client() as client:
                until(lambda client=client: conditions(client) == CONDITIONS)
                until(lambda client=client: "no data" in [alarm["condition"] for alarm in alarms(client)])
        until(lambda: len(beats(front)) == len(beats(embedded)))
        yield Both(embedded, front)


def test_what_is_found_and_stored_is_the_same_as_without_a_cluster(both: Both):
    assert beats(both.front) == beats(both.embedded)
    assert numbers(both.front) == list(range(1, len(numbers(both.front)) + 1))
    assert positions(both.front) == positions(both.embedded)
    shown, baselines = [], []
    for service in (both.embedded, both.front):
        with service.client() as client:
            baselines.append(client.get("/api/patients/anna").json()["baseline"])
            found = alarms(client)[:4]
            details = [client.get(f"/api/patients/anna/alarms/{alarm['number']}").json() for alarm in found]
            for detail in details:
                assert detail["log_whole"] is True
            shown.append(
                [
                    (
                        detail["condition"],
                        detail["priority"],
                        detail["text"],
                        detail["onset_s"],
                        [change["change"] for change in detail["history"] if change["change"] != "escalated"],
                        (detail["evidence"] or {}).get("reconstruction"),
                        detail["strip"]["leads"],
                        detail["strip"]["samples"],
                    )
                    for detail in details
                ]
            )
    assert shown[0] == shown[1]
    assert baselines[0]["template"]
    assert baselines[0] == baselines[1]


def test_orders_are_answered_by_what_they_have_caused(both: Both):
    answers = []
    for service in (both.embedded, both.front):
        with service.client() as client:
            path = "/api/patients/anna"
            limits = {"profile": "ward", "limits": {"high_bpm": 111}, "comment": "sport"}
            answer = client.put(f"{path}/limits", json=limits).raise_for_status().json()
            assert answer["limits"]["high_bpm"] == 111
            assert answer["stored"] is True
            number = alarms(client)[0]["number"]
            acknowledged = client.post(f"{path}/alarms/{number}/acknowledge", json={}).raise_for_status().json()
            refused = client.post(f"{path}/alarms/99/acknowledge", json={})
            taken_back = client.post(f"{path}/alarms/{number}/unacknowledge", json={}).raise_for_status().json()
            answers.append(
                [
                    acknowledged["inactivation"],
                    acknowledged["stored"],
                    refused.status_code,
                    refused.json().get("detail"),
                    taken_back["inactivation"],
                ]
            )
    assert answers[0] == answers[1]


def test_who_sends_straight_to_kafka_is_shown_too(tmp_path: Path, broker: Broker, topics: Topics, monitor: Monitor):
    with watching(broker.brokers, topics, monitor), in_front(tmp_path, broker, topics) as (service, client):
        producer = Producer(broker.brokers.client_settings())
        for content in (b"nonsense", *CONTENTS, b"[]"):
            producer.produce(topics.samples, content, "bea")
        producer.produce(topics.samples, CONTENTS[0])
        producer.flush()
        until(lambda: client.get("/api/patients/bea").status_code == 200 and conditions(client, "bea") == CONDITIONS)
        until(lambda: positions(service, "bea") == [250 * n for n in range(len(CONTENTS))])


def test_samples_wait_for_the_broker_within_the_memory_for_it(tmp_path: Path, topics: Topics, monitor: Monitor):
    with running_broker(tmp_path / "kafka") as broker:
        stand_in = StandIn(broker.brokers, topics, monitor)
        stand_in.start()
        small = partial(ClusterEngine, broker.brokers, topics, room_bytes=2**16)
        with running(tmp_path / "home", small) as service, service.client() as client:
            admit(client)
            send(client, CONTENTS[:10])
            until(lambda: len(positions(service)) == 10)
            broker.kill()
            assert [answer["stored"] for answer in send(client, CONTENTS[10:20])] == [False] * 10
            until(lambda: "storage failed" in of_the_service(client))
            full = [client.post("/api/patients/anna/chunks", content=CONTENTS[20], headers=MSGPACK) for _ in range(30)]
            assert full[-1].status_code == 503
            broker.start()
            until(lambda: set(positions(service)) >= {250 * n for n in range(20)})
            until(lambda: "storage failed" not in of_the_service(client))
            send(client, CONTENTS[20:])
            until(lambda: conditions(client) == CONDITIONS)
            assert numbers(service) == list(range(1, len(numbers(service)) + 1))
        stand_in.stop()


def test_nothing_is_lost_or_doubled_by_a_restart_of_front_or_cluster(
    tmp_path: Path, broker: Broker, topics: Topics, monitor: Monitor
):
    stand_in = StandIn(broker.brokers, topics, monitor)
    stand_in.start()
    with in_front(tmp_path, broker, topics) as (service, client):
        key = service.key
        admit(client)
        send(client, CONTENTS[:25])
    stand_in.stop()
    with in_front(tmp_path, broker, topics, key) as (_, client):
        assert client.get("/api/patients/anna").json()["name"] == "Anna"
        send_as_devices_do(client, CONTENTS[25:50])
    stand_in.start()
    with in_front(tmp_path, broker, topics, key) as (service, client):
        send_as_devices_do(client, CONTENTS[50:])
        until(lambda: conditions(client) == CONDITIONS)
        until(lambda: positions(service) == [250 * n for n in range(len(CONTENTS))])
        assert numbers(service) == list(range(1, len(numbers(service)) + 1))
    stand_in.stop()


def test_a_store_belongs_either_to_a_cluster_or_to_none(
    tmp_path: Path, broker: Broker, topics: Topics, monitor: Monitor
):
    with running(tmp_path / "embedded") as service, service.client() as client:
        admit(client)
        send(client, CONTENTS[:1])
    with (
        Store.open(f"sqlite:///{tmp_path / 'embedded' / 'ectopy.db'}") as store,
        pytest.raises(SettingError, match="without a cluster"),
    ):
        ClusterEngine(broker.brokers, topics, store, monitor)


@pytest.mark.long
def test_what_spark_watches_is_shown_and_answered(tmp_path: Path, broker: Broker, topics: Topics):
    watch = Watching(broker, topics, tmp_path / "watch")
    try:
        watch.start()
        with in_front(tmp_path / "front", broker, topics) as (service, client):
            admit(client)
            send(client, CONTENTS)
            until(lambda: conditions(client) == CONDITIONS, SPARK_S)
            number = alarms(client)[0]["number"]
            path = f"/api/patients/anna/alarms/{number}/acknowledge"
            answer = until(lambda: (answer := client.post(path, json={})).is_success and answer.json(), SPARK_S)
            assert answer["inactivation"]
            until(lambda: positions(service) == [250 * n for n in range(len(CONTENTS))])
            assert numbers(service) == list(range(1, len(numbers(service)) + 1))
            assert len(beats(service)) > 60
    except BaseException:
        print(watch.printed())
        raise
    finally:
        watch.close()


# In a browser


def words(page: Page) -> str:
    """The text of a page without figures, which are of the time when something was sent."""
    return re.sub(r"\s*\d[\d.,:]*\s*(s|min)?\b\s*", "#", page.locator("main").inner_text())


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("/", "Anna"),
        ("/patient?patient=anna", "The usual beat"),
        ("/alarm?patient=anna&number=4", "shaded: what the alarm rests on"),
    ],
)
def test_a_page_looks_the_same_as_without_a_cluster(both: Both, browser: Browser, path: str, end: str):
    for own in opened(browser):
        for other in opened(browser):
            for page, service in ((own, both.embedded), (other, both.front)):
                page.goto(f"{service.url}/#key={service.key}")
                playwright.expect(page.get_by_text("Anna").first).to_be_visible()
                page.goto(f"{service.url}{path}")
                playwright.expect(page.get_by_text(end).first).to_be_visible()
            until(lambda own=own, other=other: words(own) == words(other))
