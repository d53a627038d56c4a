"""What grows: evidence goes by age, the log is verified from a checkpoint, lists come in pages, the clock is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.monitor import AlarmChanged, Chunk, Monitor, MonitorState, chunks
from ectopy.monitor.alarm import Alarm, AlarmState, Inactivation, Phase
from ectopy.monitor.alarm_log import GENESIS, seal, seal_with, verify
from ectopy.monitor.codec import encode
from ectopy.monitor.conditions import AlarmType, Priority
from ectopy.monitor.events import Evidence
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.snapshot import encode_snapshot
from ectopy.service.recordings import Library, Status
from ectopy.service.recordings.uploads import Upload
from ectopy.service.storage import StepRecord, Store, stored_alarms, tables
from support.server import Service, running, troubled

NOW = 1_700_000_000.0


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as store:
        store.patients.upsert("anna", NOW)
        yield store


def evidence(seed: int) -> Evidence:
    samples = np.random.default_rng(seed).standard_normal((2, 1, 140))
    return Evidence(np.array([1.0, 1.5]), ("II",), samples, samples / 2, samples / 2)


def entries(count: int, per_alarm: int = 4) -> list[AlarmChanged]:
    """A log: alarms that are raised with evidence, changed twice, and ended."""
    found: list[AlarmChanged] = []
    previous = GENESIS
    for number in range(1, count + 1):
        alarm_number, place = divmod(number - 1, per_alarm)
        ended = place == per_alarm - 1
        words = ConditionReading("asystole", True, f"entry {number}")
        one = Alarm(
            alarm_number + 1, "asystole", AlarmType.PHYSIOLOGICAL, Priority.HIGH, Phase.END if ended else Phase.START,
            AlarmState.INACTIVE if ended else AlarmState.ACTIVE, Inactivation.ENABLED,
            float(number), float(number), words, words,
            ended_s=float(number) if ended else None,
        )  # fmt: skip
        rests = evidence(number) if place == 0 else None
        sealed = seal(number, float(number), "ended" if ended else "raised", one, "", "", previous)
        (sealed,) = seal_with([sealed], [rests])
        previous = sealed.digest
        found.append(AlarmChanged(number, float(number), sealed, (0.0, 1.0), rests))
    return found


def fill(store: Store, count: int = 200, patient: str = "anna", first: int = 1) -> list[AlarmChanged]:
    log = entries(count)
    chunk = Chunk(0, np.zeros((10, 1), np.float32), 250.0, ("I",), NOW)
    store.write([StepRecord(patient, first, (chunk,), tuple(log), NOW, encode_snapshot(MonitorState()))])
    return log


# Evidence


def test_evidence_goes_by_age_and_the_log_is_as_whole_as_before(store: Store):
    log = fill(store)
    (raised, *_) = store.alarms.changes("anna", 1)
    assert encode(raised.event) == encode(log[0])
    store.retention.apply(older_than=NOW + 100.5)
    assert [one.event.evidence for one in store.alarms.changes("anna", 1) if one.event.evidence] == []
    assert store.alarms.changes("anna", 50)[0].event.evidence is not None
    assert verify(store.alarms.log("anna")) is None
    assert store.alarms.is_log_intact("anna", 1)
    assert store.alarms.is_log_intact("anna", 50)


def test_evidence_counts_as_what_is_stored_and_goes_by_size(store: Store, database_url: str):
    fill(store)
    with store.database.reading() as connection:
        before = connection.execute(sa.select(tables.sizes.c.bytes)).scalar_one()
    assert before > 50 * 6000
    store.retention.apply(larger_than_bytes=0)
    store.retention.apply(older_than=NOW + 1000)
    with store.database.reading() as connection:
        assert connection.execute(sa.select(tables.sizes.c.bytes)).scalar_one() == 0
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.evidence)).scalar_one() == 0


@pytest.mark.parametrize("damage", ["evidence", "entry", "digest", "checkpoint"])
def test_what_was_changed_is_seen(store: Store, damage: str):
    log = fill(store)
    assert store.alarms.is_log_intact("anna", 5)  # from here on there is a checkpoint at the last entry
    with store.database.writing() as connection:
        if damage == "evidence":
            changed = sa.update(tables.evidence).where(tables.evidence.c.event == 17)
            connection.execute(changed.values(body=encode(evidence(-1 % 1000))))
        elif damage == "entry":
            forged = replace(log[17], transition=replace(log[17].transition, person="nobody"), evidence=None)
            connection.execute(sa.update(tables.events).where(tables.events.c.number == 18).values(body=encode(forged)))
        elif damage == "digest":
            changed = sa.update(tables.alarm_log).where(tables.alarm_log.c.number == 18)
            connection.execute(changed.values(digest="0" * 64))
        else:
            connection.execute(sa.update(tables.checkpoints).values(digest="0" * 64))
    assert not store.alarms.is_log_intact("anna", 5)


def test_evidence_of_a_real_alarm_is_in_its_chain(store: Store):
    monitor, state, steps = Monitor.of(load_ambulatory(), learning_s=30), MonitorState(), []
    for number, given in enumerate(chunks(troubled()), start=1):
        state, events = monitor.step(state, given)
        steps.append(StepRecord("anna", number, (given,), events, state.epoch or 0.0))
    store.write(steps)
    log = store.alarms.log("anna")
    assert [entry for entry in log if entry.evidence]
    assert verify(log) is None
    assert log[-1].digest == state.alarms.digest
    assert all(store.alarms.is_log_intact("anna", entry.alarm.number) for entry in log)


# The log from a checkpoint on


def test_a_look_at_one_alarm_reads_no_log_that_was_verified(store: Store, monkeypatch: pytest.MonkeyPatch):
    fill(store, 400)
    read: list[int] = []
    entries_of = stored_alarms._entries

    def counted(connection: sa.Connection, patient: int, after: int = 0):
        for entry in entries_of(connection, patient, after):
            read.append(entry.number)
            yield entry

    monkeypatch.setattr(stored_alarms, "_entries", counted)
    assert store.alarms.is_log_intact("anna", 3)
    assert len(read) == 400
    read.clear()
    assert store.alarms.is_log_intact("anna", 3)
    assert read == []


def test_an_entry_without_evidence_has_the_digest_it_always_had():
    plain = entries(4)[1].transition
    body = msgspec.msgpack.decode(encode(plain))
    del body["evidence"]
    assert seal(2, 2.0, "raised", plain.alarm, "", "", plain.previous).digest == plain.digest
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(body), type=type(plain)) == plain


# Pages


def test_alarms_come_in_pages_that_leave_none_out(store: Store):
    store.patients.upsert("bob", NOW)
    fill(store, 40)
    fill(store, 40, "bob")
    of_anna: list[int] = []
    before = None
    while page := store.alarms.newest("anna", limit=3, before=before):
        assert len(page) <= 3
        of_anna = [one.alarm.number for one in page] + of_anna
        before = page[0].alarm.number
    assert of_anna == list(range(1, 11))
    every: list[tuple[str, int]] = []
    before = None
    while page := store.alarms.newest(limit=7, before=before):
        every = [(one.patient, one.alarm.number) for one in page] + every
        before = page[0].id
    assert sorted(every) == [(patient, number) for patient in ("anna", "bob") for number in range(1, 11)]
    assert store.alarms.count("anna") == 10


IN_MEMORY = {"/api/patients", "/api/devices", "/api/keys", "/api/recordings/named", "/api/replays"}
"""Lists of what there is now, which have a limit of their own where they are made."""


def test_every_list_has_a_limit(service: Service):
    paths = service.app.openapi()["paths"]
    lists = 0
    for path, methods in paths.items():
        if "get" not in methods or path in IN_MEMORY:
            continue
        content = methods["get"]["responses"]["200"].get("content", {}).get("application/json", {})
        if content.get("schema", {}).get("type") != "array":
            continue
        lists += 1
        limits = [one["schema"] for one in methods["get"].get("parameters", []) if one["name"] == "limit"]
        assert limits, path
        assert all("maximum" in limit for limit in limits), path
    assert lists >= 5


def test_pages_of_alarms_are_linked(tmp_path: Path):
    with running(tmp_path) as service, service.client() as client:
        client.post("/api/patients", json={"patient": "bed 3"}).raise_for_status()
        store = service.app.state.ward.store
        store.patients.upsert("past", NOW)
        fill(store, 40, "past")
        numbers, url = [], "/api/alarms?active=false&limit=4"
        while url:
            answer = client.get(url)
            numbers += [one["number"] for one in answer.json() if one["patient"] == "past"]
            url = answer.links.get("next", {}).get("url")
        assert sorted(numbers) == list(range(1, 11))


# The clock


def test_the_time_of_stream_second_0_is_found_as_it_was(store: Store):
    steps = []
    for number in range(1, 101):
        origin = NOW + 0.1 * number + (3600.0 if number > 50 else 0.0)
        chunk = Chunk(10 * number, np.zeros((10, 1), np.float32), 250.0, ("I",), origin + number)
        steps.append(StepRecord("anna", number, (chunk,), (), origin))
    store.write(steps[:30])
    store.write(steps[30:])
    for step in steps:
        (chunk,) = step.inputs
        assert store.waveforms.origin("anna", chunk.received) == pytest.approx(step.origin, abs=0.3)
    assert store.waveforms.origin("anna", 0.0) is None
    with store.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.origins)).scalar_one() < 45


# Recordings


def test_recordings_go_by_age_and_by_size_but_none_that_is_not_analysed(tmp_path: Path):
    clock = SimpleNamespace(now=NOW)
    library = Library(tmp_path, clock=lambda: clock.now)
    ids = []
    for _ in range(4):
        clock.now += 1000
        content = tmp_path / "one.csv"
        content.write_bytes(b"0.1\n" * 1000)
        with content.open("rb") as file:
            ids.append(library.add([Upload("one.csv", file)], 250.0, "mV").id)
    assert library.apply_retention(older_than=2 * NOW, larger_than_bytes=0) == 0
    for id in ids[:3]:
        library._set(id, status=Status.ANALYSED)
    assert library.apply_retention(older_than=NOW + 1500) == 1
    assert [entry.id for entry in library.entries()] == ids[:0:-1]
    assert library.apply_retention(larger_than_bytes=10_000) == 1
    assert [entry.id for entry in library.entries()] == [ids[3], ids[2]]
    assert library.apply_retention(larger_than_bytes=0) == 1
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {ids[3]}
