"""Keys, sessions, arrivals and trends, on both kinds of database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import DataError
from ectopy.monitor import AlarmChanged, BeatJudged, Event, Monitor, MonitorState, chunks
from ectopy.service.storage import StepRecord, Store
from ectopy.service.storage.stored_keys import StoredKey

NOW = 1_767_225_600.0
ECTOPIC = ("ventricular-like", "supraventricular-like")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as store:
        yield store


@pytest.fixture(scope="module")
def watched() -> list[tuple[StepRecord, ...]]:
    """A minute with an asystole: a step for each second."""
    monitor, state, first = Monitor.of(load_ambulatory(), 30.0), MonitorState(), 1
    steps = []
    recording = simulate_recording(60, ectopic={"V": 0.1}, episodes=[Episode("asystole", 45, 8)], random_state=8)
    for chunk in chunks(recording):
        received = replace(chunk, received=NOW + chunk.received)
        state, events = monitor.step(state, received)
        steps.append((StepRecord("anna", first, (received,), events, state.epoch or 0.0),))
        first += 1
    return steps


@pytest.fixture
def filled(store: Store, watched: list[tuple[StepRecord, ...]]) -> Store:
    store.patients.upsert("anna", NOW)
    store.patients.upsert("berta", NOW)
    for steps in watched:
        store.write(steps)
    return store


def events_of(watched: list[tuple[StepRecord, ...]], kind: type) -> list[Event]:
    return [event for steps in watched for step in steps for event in step.events if isinstance(event, kind)]


def new_key(name: str, scopes: tuple[str, ...], created_time: float = NOW) -> StoredKey:
    return StoredKey(0, name, scopes, created_time)


def test_a_key_is_found_by_its_digest_until_it_is_removed(store: Store):
    keys = store.keys
    send_key = keys.add(new_key("one", ("send", "view")), "d1")
    admin_key = keys.add(new_key("other", ("administer",), NOW + 1), "d2")
    assert keys.all() == [send_key, admin_key]
    assert keys.get("d1") == send_key
    assert keys.get("d3") is None
    assert keys.remove(send_key.id) == send_key
    assert keys.get("d1") is None
    with pytest.raises(DataError, match="no key"):
        keys.remove(send_key.id)


def test_a_key_keeps_for_whom_it_sends_and_how_long(store: Store):
    keys = store.keys
    one = replace(new_key("one", ("send",)), patients=("ä, b", "c"), devices=("x",), expires_time=NOW + 1)
    restricted = keys.add(one, "d1")
    assert keys.get("d1") == restricted
    assert (restricted.patients, restricted.devices, restricted.expires_time) == (("ä, b", "c"), ("x",), NOW + 1)
    of_no_patient = keys.add(replace(new_key("two", ("send",)), patients=()), "d2")
    assert keys.get("d2") == of_no_patient
    assert of_no_patient.patients == ()
    # As in a database from before keys had this.
    assert keys.add(new_key("three", ("send",)), "d3").patients is None
    assert keys.digests() >= {"d1", "d2", "d3"}


def test_a_session_lasts_until_its_time_its_end_or_that_of_its_key(store: Store):
    keys = store.keys
    key = keys.add(new_key("one", ("view",)), "d1")
    keys.open_session("s1", key.id, NOW, NOW + 10)
    keys.open_session("s2", key.id, NOW, NOW + 10)
    assert keys.session("s1", NOW + 9.9) == (key, NOW + 10)
    assert keys.session("s1", NOW + 10) is None
    keys.close_session("s1")
    assert keys.session("s1", NOW) is None
    keys.prolong_session("s2", NOW + 20)
    assert keys.session("s2", NOW + 19.9) == (key, NOW + 20)
    keys.remove(key.id)
    assert keys.session("s2", NOW) is None


@pytest.mark.parametrize(("start", "stop"), [(-10, 100), (10.5, 20.5), (20, 20.9), (61, 70), (-5, 0.5), (1, 2)])
def test_chunks_are_found_by_when_they_came(filled: Store, start: float, stop: float):
    arrivals = filled.waveforms.arrivals("anna", NOW + start, NOW + stop)
    expected = [second for second in range(1, 61) if start <= second < stop]
    assert [arrival.received - NOW for arrival in arrivals] == expected
    assert [arrival.position for arrival in arrivals] == [250 * (second - 1) for second in expected]
    assert filled.waveforms.arrivals("berta", NOW + start, NOW + stop) == []


def test_a_trend_counts_every_beat_once(filled: Store, watched: list[tuple[StepRecord, ...]]):
    beats = events_of(watched, BeatJudged)
    steps = filled.beats.trend("anna", NOW - 0.5, NOW + 100, 7.0)
    assert sum(step.beats for step in steps) == len(beats)
    assert sum(step.abnormal for step in steps) == sum(beat.verdict == "ABNORMAL" for beat in beats)
    assert sum(step.ectopic for step in steps) == sum(beat.hint in ECTOPIC for beat in beats) > 0
    stored = filled.beats.first("anna", NOW - 0.5, NOW + 100)
    for step in steps:
        inside = [stored.beat for stored in stored if step.time <= stored.time < step.time + 7.0]
        intervals = [beat.interval_s for beat in inside if beat.interval_s is not None]
        assert step.beats == len(inside)
        assert step.interval_s == (pytest.approx(np.mean(intervals)) if intervals else None)
    assert filled.beats.trend("berta", NOW, NOW + 100, 7.0) == []


def test_the_worst_beats_are_the_farthest_above_the_thresholds_of_their_time(
    filled: Store, watched: list[tuple[StepRecord, ...]]
):
    abnormal = [beat for beat in events_of(watched, BeatJudged) if beat.verdict == "ABNORMAL"]
    assert len({beat.threshold for beat in abnormal}) > 1
    above = sorted((beat.score - beat.threshold for beat in abnormal), reverse=True)
    worst = filled.beats.most_abnormal("anna", NOW - 10, NOW + 100, 3)
    assert [stored.beat.score - stored.beat.threshold for stored in worst] == above[:3]


def test_an_alarm_has_all_its_changes(filled: Store, watched: list[tuple[StepRecord, ...]]):
    changes = events_of(watched, AlarmChanged)
    alarms = [change.transition.alarm for change in changes]
    number = next(alarm.number for alarm in alarms if alarm.condition == "asystole")
    history = filled.alarms.changes("anna", number)
    own = [change.number for change, alarm in zip(changes, alarms, strict=True) if alarm.number == number]
    assert [stored.event.number for stored in history] == own
    assert filled.alarms.changes("anna", 99) == []
    assert filled.events.newest_id() == filled.events.after(0, limit=10_000)[-1].id
