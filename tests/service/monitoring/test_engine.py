"""The engine: nothing stored is lost, nobody is watched worse for the sake of another, and alarms get out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import DataError, EctopyError, NotFoundError, SettingError, StorageError
from ectopy.monitor import (
    AlarmChanged,
    BeatJudged,
    Chunk,
    Command,
    CommandKind,
    Event,
    Input,
    InputRejected,
    Limits,
    Monitor,
    MonitorState,
    Tick,
)
from ectopy.monitor.alarm import AlarmState
from ectopy.monitor.alarm_log import verify
from ectopy.monitor.codec import encode
from ectopy.monitor.patient_step import Outcome
from ectopy.monitor.snapshot import SNAPSHOT_VERSION
from ectopy.recording import Recording
from ectopy.service.live.live_samples import LiveSamples
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.monitoring.patient_engine import SYSTEM_PATIENT
from ectopy.service.monitoring.write_buffer import Batch, GapError, Receipt, WriteBuffer
from ectopy.service.notify import MessageFilter, WebhookTarget, deliver_due
from ectopy.service.notify.memory_outbox import MemoryOutbox
from ectopy.service.storage import StepRecord, Store
from ectopy.service.storage.stored_offsets import NO_OFFSETS, Offsets, Partition
from support import outages
from support.outages import KINDS, Losable, locked
from support.waiting import PATIENCE_S, until
from support.webhooks import NOW, SECRET, Receiver, answer, running

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    return Monitor.of(load_ambulatory(), learning_s=30)


@pytest.fixture(scope="module")
def steady() -> Recording:
    return simulate_recording(40)


@pytest.fixture(scope="module")
def still() -> Recording:
    """A heart that stands still after ten seconds, for eight."""
    return simulate_recording(40, episodes=[Episode("asystole", 10, 8)], random_state=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as store:
        yield store


@pytest.fixture
def engine(store: Store, monitor: Monitor, clock: Clock) -> MonitoringEngine:
    engine = MonitoringEngine(store, monitor, clock=clock)
    engine.admit("anna")
    return engine


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running(Receiver()) as receiver:
        receiver.answers = lambda number, content: receiver.accept(content)
        yield receiver


@pytest.fixture
def ward(receiver: Receiver) -> WebhookTarget:
    return WebhookTarget("ward", receiver.url, SECRET)


def cut(recording: Recording, start_s: float, stop_s: float, **other: object) -> Chunk:
    start, stop = round(start_s * 250), round(stop_s * 250)
    item = Chunk(start, recording.signal[start:stop], 250.0, recording.leads, NOW + stop_s)
    return replace(item, **other)


def play(
    engine: MonitoringEngine,
    clock: Clock,
    recordings: dict[str, Recording],
    start_s: int,
    stop_s: int,
    turn: Callable[[], object],
) -> list:
    """Second after second of some patients; the receipts."""
    receipts = []
    for second in range(start_s, stop_s):
        clock.now = NOW + second + 1
        receipts += [engine.submit(name, cut(each, second, second + 1)) for name, each in recordings.items()]
        turn()
    return receipts


def stored_events(store: Store, patient: str) -> list[bytes]:
    """Encode all stored events of a patient."""
    events: list[Event] = [stored.event for stored in store.events.after(patient=patient, limit=10_000)]
    events += [stored.beat for stored in store.beats.first(patient, 0, 2 * NOW)]
    return [encode(event) for event in sorted(events, key=lambda event: event.number)]


def alarms(store: Store, patient: str) -> list[tuple[str, str]]:
    return [(entry.change, entry.alarm.condition) for entry in store.alarms.log(patient)]


def outcome_of(receipt: Receipt) -> Future[EctopyError | None]:
    """What becomes of an input that is acknowledged: None once it is stored."""
    outcome: Future[EctopyError | None] = Future()
    receipt.unstored.then(outcome.set_result)
    return outcome


# Safe, then acknowledged


def test_the_patients_of_a_cluster_are_not_watched_a_second_time(store: Store, monitor: Monitor, clock: Clock):
    store.write((), {Partition("ecg", 0): 5})
    with pytest.raises(SettingError, match="a cluster watches the patients of this database"):
        MonitoringEngine(store, monitor, clock=clock)


def test_nothing_is_said_to_be_stored_before_it_is(
    engine: MonitoringEngine, database_url: str, steady: Recording, clock: Clock
):
    clock.now = NOW + 4
    with Store.open(database_url) as other:
        first, second = (engine.submit("anna", cut(steady, start, start + 2)) for start in (0, 2))
        assert engine.process_inputs() == 2
        assert not first.done()
        assert not second.done()
        assert list(other.inputs.all("anna")) == []
        engine.flush()
        assert first.result(0) == Receipt("anna", (), 500)
        assert second.result(0) == Receipt("anna", (), 1000)
        np.testing.assert_array_equal(other.waveforms.read("anna", "", 0, 1000).signal, steady.signal[:1000])


@ON_SQLITE
def test_what_a_sender_does_to_its_samples_later_changes_nothing(
    engine: MonitoringEngine, store: Store, steady: Recording
):
    samples = steady.signal[:250].copy()
    engine.submit("anna", cut(steady, 0, 1, signal=samples))
    samples[:] = 0
    engine.run_once()
    np.testing.assert_array_equal(store.waveforms.read("anna", "", 0, 250).signal, steady.signal[:250])


def test_nonsense_is_answered_with_the_reason_and_its_samples_are_not_kept(
    engine: MonitoringEngine, store: Store, steady: Recording, clock: Clock
):
    clock.now = NOW + 3
    inputs = [
        cut(steady, 0, 1),
        cut(steady, 1, 2, unit="furlong"),
        cut(steady, 1, 2, signal=np.full((250, 2), 5e3, np.float32)),
        cut(steady, 1, 2, leads=("I", "I")),
        cut(steady, 1, 2, sent_at=NOW - 365 * 86_400),
        Command(CommandKind.ACKNOWLEDGE, NOW + 2, "Ada", alarm=99),
        cut(steady, 1, 2),
    ]
    receipts = [engine.submit("anna", input) for input in inputs]
    engine.run_once()
    words = ["mV, uV and V", "really mV", "different names", "days", "no alarm 99"]
    for receipt, word in zip(receipts[1:-1], words, strict=True):
        ((reason,), next_position) = receipt.result(0).rejected, receipt.result(0).next_position
        assert word in reason
        assert next_position == 250
    assert receipts[-1].result(0) == Receipt("anna", (), 500)
    np.testing.assert_array_equal(store.waveforms.read("anna", "", 0, 500).signal, steady.signal[:500])
    assert [word for word, event in zip(words, refusals(store), strict=True) if word not in event.reason] == []


def refusals(store: Store) -> list[InputRejected]:
    return [stored.event for stored in store.events.after(kinds=("rejected",))]


@ON_SQLITE
@pytest.mark.parametrize(
    ("other", "error", "word"),
    [
        ({"received": NOW + 400_000.0}, DataError, "of now"),
        ({"received": float("nan")}, DataError, "of now"),
        ({"signal": np.zeros((1_100_000, 2), np.float32)}, DataError, "too large"),
        ({"signal": np.array([[object()]])}, DataError, "cannot be encoded"),
        ({"position": "first"}, DataError, "not a Chunk"),
        ({"stream": "\ud800"}, DataError, "cannot be encoded"),
    ],
)
def test_what_cannot_be_kept_is_not_taken(
    engine: MonitoringEngine, steady: Recording, other: dict, error: type, word: str
):
    with pytest.raises(error, match=word):
        engine.submit("anna", cut(steady, 0, 1, **other))


@ON_SQLITE
def test_there_is_room_for_so_much_and_no_more(store: Store, monitor: Monitor, clock: Clock, steady: Recording):
    engine = MonitoringEngine(store, monitor, clock=clock, room_bytes=10_000)
    engine.admit("anna")
    for second in range(4):
        engine.submit("anna", cut(steady, second, second + 1))
    with pytest.raises(StorageError, match="send again later"):
        engine.submit("anna", cut(steady, 4, 5))
    engine.run_once()
    engine.submit("anna", cut(steady, 4, 5))


@ON_SQLITE
def test_a_sender_that_no_longer_waits_does_no_harm(engine: MonitoringEngine, steady: Recording):
    first, waiting = (engine.submit("anna", cut(steady, second, second + 1)) for second in (0, 1))
    assert not first.cancel()
    engine.run_once()
    assert waiting.result(0).next_position == 500


# Patients


@ON_SQLITE
def test_only_who_is_admitted_is_watched(engine: MonitoringEngine, store: Store, steady: Recording):
    with pytest.raises(NotFoundError, match="'bob' is watched; admit"):
        engine.submit("bob", cut(steady, 0, 1))
    with pytest.raises(SettingError, match="service itself"):
        engine.admit(SYSTEM_PATIENT)
    with pytest.raises(SettingError, match="sends no samples"):
        engine.submit(SYSTEM_PATIENT, cut(steady, 0, 1))
    with pytest.raises(SettingError, match="printable"):
        engine.admit("b\nb")
    engine.admit("bob", "Robert")
    engine.admit("bob", "Bob")
    assert engine.patients() == ("anna", "bob")
    assert {patient.patient: patient.name for patient in store.patients.all()}["bob"] == "Bob"


def test_limits_of_admission_outlive_a_restart(
    engine: MonitoringEngine, store: Store, monitor: Monitor, clock: Clock, still: Recording
):
    narrow = replace(Limits.of("ward"), high_bpm=60.0, low_bpm=50.0)
    engine.admit("bob", limits=narrow)
    play(engine, clock, {"bob": still}, 0, 3, engine.run_once)
    restarted = MonitoringEngine(store, monitor, clock=clock)
    assert restarted.state("bob").limits == narrow
    restarted.admit("bob", limits=Limits.of("exercise"))
    assert restarted.state("bob").limits == narrow
    assert encode(restarted.state("bob")) == encode(engine.state("bob"))


@ON_SQLITE
def test_engines_may_share_a_store(store: Store, monitor: Monitor, clock: Clock, steady: Recording):
    engines = [
        MonitoringEngine(store, monitor, clock=clock, system_patient=f"station {n}", patients=()) for n in range(2)
    ]
    for n, engine in enumerate(engines):
        engine.admit(f"patient {n}")
        play(engine, clock, {f"patient {n}": steady}, 0, 2, engine.run_once)
    assert [engine.patients() for engine in engines] == [("patient 0",), ("patient 1",)]
    restarted = MonitoringEngine(store, monitor, clock=clock, system_patient="station 1", patients=["patient 1"])
    assert restarted.patients() == ("patient 1",)
    assert restarted.state("patient 1").signal.segment.next_position == 500


# One patient's trouble is no other's


@ON_SQLITE
def test_one_bad_stream_touches_no_other(store: Store, monitor: Monitor, clock: Clock, still: Recording):
    def events(bad_streams: dict[str, Callable[[int], Input]], patient: str) -> list[bytes]:
        engine = MonitoringEngine(store, monitor, clock=clock, system_patient=f"station of {patient}", patients=())
        for name in (*bad_streams, patient):
            engine.admit(name)
        for second in range(16):
            clock.now = NOW + second + 1
            for name, make_input in bad_streams.items():
                engine.submit(name, make_input(second))
            engine.submit(patient, cut(still, second, second + 1))
            for name, make_input in bad_streams.items():
                engine.submit(name, make_input(second + 1))
            engine.run_once()
        return stored_events(store, patient)

    rng = np.random.default_rng(0)
    trouble = {
        "noisy": lambda second: cut(still, second, second + 1, signal=rng.normal(0, 9, (250, 2)).astype(np.float32)),
        "wrong": lambda second: cut(still, second, second + 1, signal=np.zeros((250, 3), np.float32)),
        "moving": lambda second: cut(still, second, second + 1, leads=("II", f"V{second}")),
        "lost": lambda second: cut(still, second, second + 1, position=int(rng.integers(10**6))),
    }
    assert events(trouble, "anna") == events({}, "bob")
    assert ("raised", "asystole") in alarms(store, "anna")


def broken(state: MonitorState, input: Input) -> Exception | None:
    if isinstance(input, Command) and input.person == "Mr Break":
        return ZeroDivisionError("broken")
    return RuntimeError("never again") if "clock" in state.alarms.timers else None


@ON_SQLITE
def test_who_sends_much_at_once_keeps_nobody_waiting(store: Store, monitor: Monitor, clock: Clock, steady: Recording):
    engine = MonitoringEngine(store, monitor, clock=clock)
    for patient in ("anna", "bob", "carl"):
        engine.admit(patient)
    clock.now = NOW + 40
    much = [engine.submit("anna", cut(steady, second, second + 1)) for second in range(40)]
    little = [engine.submit(patient, cut(steady, 0, 40)) for patient in ("bob", "carl")]
    assert 3 <= engine.run_once() < 30
    assert [receipt.result(0).next_position for receipt in little] == 2 * [10_000]
    assert not much[-1].done()
    while engine.run_once():
        pass
    assert [receipt.result(0).next_position for receipt in much] == list(range(250, 10_001, 250))


class Fragile(Monitor):
    """A monitor that breaks at some orders, and altogether at one."""

    def step_together(self, inputs: Sequence[tuple[MonitorState, Input]]) -> list[Outcome | Exception]:
        outcomes = super().step_together(inputs)
        return [broken(*each) or outcome for each, outcome in zip(inputs, outcomes, strict=True)]


@ON_SQLITE
def test_an_input_that_breaks_the_monitor_is_told_and_the_others_go_on(
    store: Store, monitor: Monitor, clock: Clock, steady: Recording
):
    fragile = Fragile(monitor.criterion, monitor.alarms, monitor.learning_s)
    engine = MonitoringEngine(store, fragile, clock=clock)
    for patient in ("anna", "bob"):
        engine.admit(patient)
    play(engine, clock, {"anna": steady, "bob": steady}, 0, 5, engine.run_once)
    broken = engine.submit("anna", Command(CommandKind.RELEARN, clock.now, "Mr Break"))
    (fine,) = play(engine, clock, {"bob": steady}, 5, 6, engine.run_once)
    assert "ZeroDivisionError" in broken.result(0).rejected[0]
    assert fine.result(0).next_position == 1500
    assert alarms(store, "anna") == [("raised", "detector failed")]
    play(engine, clock, {"anna": steady, "bob": steady}, 6, 20, engine.run_once)
    assert alarms(store, "bob") == []
    assert ("latched", "detector failed") in alarms(store, "anna")
    assert encode(MonitoringEngine(store, fragile, clock=clock).state("anna")) == encode(engine.state("anna"))


def test_a_stored_input_that_breaks_a_newer_monitor_holds_up_nobody(
    engine: MonitoringEngine, store: Store, monitor: Monitor, clock: Clock, steady: Recording
):
    engine.admit("bob")
    play(engine, clock, {"anna": steady, "bob": steady}, 0, 5, engine.run_once)
    engine.submit("anna", Command(CommandKind.RELEARN, clock.now, "Mr Break"))
    engine.run_once()
    fragile = Fragile(monitor.criterion, monitor.alarms, monitor.learning_s)
    restarted = MonitoringEngine(store, fragile, clock=clock)
    play(restarted, clock, {"anna": steady, "bob": steady}, 5, 8, restarted.run_once)
    assert ("raised", "detector failed") in alarms(store, "anna")
    assert verify(store.alarms.log("anna")) is None
    assert [restarted.state(name).signal.segment.next_position for name in ("anna", "bob")] == [2000, 2000]
    assert encode(MonitoringEngine(store, fragile, clock=clock).state("anna")) == encode(restarted.state("anna"))


def test_who_cannot_be_watched_at_all_is_an_alarm_of_the_station(
    engine: MonitoringEngine, store: Store, database_url: str, monitor: Monitor, clock: Clock, steady: Recording
):
    engine.admit("bob")
    play(engine, clock, {"anna": steady, "bob": steady}, 0, 20, engine.run_once)
    sql_engine = sa.create_engine(database_url)
    with sql_engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE snapshots SET state = substr(state, 1, 100) "
            "WHERE patient_id = (SELECT id FROM patients WHERE patient = 'anna')"
        )
    sql_engine.dispose()
    restarted = MonitoringEngine(store, monitor, clock=clock)
    play(restarted, clock, {"bob": steady}, 20, 22, restarted.run_once)
    assert alarms(store, SYSTEM_PATIENT) == [("raised", "detector failed")]
    assert "'anna'" in store.alarms.newest(SYSTEM_PATIENT)[0].alarm.reading.text
    with pytest.raises(NotFoundError, match="'anna' is watched; these bytes"):
        restarted.submit("anna", cut(steady, 20, 21))


@ON_SQLITE
def test_who_was_watched_by_a_newer_version_is_not_watched_by_an_older_one(
    engine: MonitoringEngine, store: Store, monitor: Monitor, clock: Clock, steady: Recording
):
    play(engine, clock, {"anna": steady}, 0, 2, engine.run_once)
    newer = msgspec.msgpack.encode({"version": SNAPSHOT_VERSION + 1})
    store.write([StepRecord("anna", store.inputs.resume_point("anna").next_input, (), (), clock(), newer)])
    restarted = MonitoringEngine(store, monitor, clock=clock)
    with pytest.raises(
        NotFoundError, match=r"'anna' is watched; the stored state has version .* start the newer Ectopy"
    ):
        restarted.submit("anna", cut(steady, 2, 3))


@ON_SQLITE
def test_a_monitor_that_is_lost_is_an_alarm_of_the_station(
    store: Store, monitor: Monitor, clock: Clock, steady: Recording
):
    engine = MonitoringEngine(store, Fragile(monitor.criterion, monitor.alarms, monitor.learning_s), clock=clock)
    for patient in ("anna", "bob"):
        engine.admit(patient)
    engine.submit("anna", cut(steady, 0, 1, sent_at=NOW + 500))
    engine.run_once()
    failed, fine, *_ = play(engine, clock, {"anna": steady, "bob": steady}, 0, 4, engine.run_once)
    with pytest.raises(StorageError, match="monitor of 'anna' has failed"):
        failed.result(0)
    assert fine.result(0).next_position == 250
    assert alarms(store, SYSTEM_PATIENT) == [("raised", "detector failed")]
    assert "'anna'" in store.alarms.newest(SYSTEM_PATIENT)[0].alarm.reading.text
    assert engine.state("bob").signal.segment.next_position == 1000


def test_what_another_process_has_stored_concerns_that_patient_alone(
    engine: MonitoringEngine, store: Store, clock: Clock, steady: Recording
):
    engine.admit("bob")
    play(engine, clock, {"anna": steady, "bob": steady}, 0, 3, engine.run_once)
    store.write([StepRecord("anna", store.inputs.resume_point("anna").next_input, (Tick(NOW),), (), NOW)])
    failed, fine = play(engine, clock, {"anna": steady, "bob": steady}, 3, 4, engine.run_once)
    with pytest.raises(StorageError, match="two processes"):
        failed.result(0)
    assert fine.result(0).next_position == 1000
    *_, resent, _ = play(engine, clock, {"anna": steady, "bob": steady}, 4, 17, engine.run_once)
    assert resent.result(0).next_position == 17 * 250
    assert {change for change, condition in alarms(store, "anna") if condition == "storage failed"} == {
        "raised",
        "ended",
    }
    assert alarms(store, "bob") == []


def test_a_patient_who_cannot_be_stored_is_logged_once_and_stored_once_the_database_is_whole_again(
    engine: MonitoringEngine,
    store: Store,
    database_url: str,
    clock: Clock,
    steady: Recording,
    caplog: pytest.LogCaptureFixture,
):
    def renumber(old: int, new: int) -> None:
        sql_engine = sa.create_engine(database_url)
        with sql_engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE waveforms SET number = {new} WHERE number = {old}")
        sql_engine.dispose()

    play(engine, clock, {"anna": steady}, 0, 3, engine.run_once)
    store.write([StepRecord("anna", store.inputs.resume_point("anna").next_input, (Tick(NOW),), (), NOW)])
    renumber(2, -2)
    play(engine, clock, {"anna": steady}, 3, 10, engine.run_once)
    logged = [record.getMessage() for record in caplog.records]
    assert [text for text in logged if "missing" in text or "'anna' cannot be stored" in text] == [
        "patient 'anna' cannot be stored"
    ]
    renumber(-2, 2)
    *_, resent = play(engine, clock, {"anna": steady}, 10, 14, engine.run_once)
    assert resent.result(0).next_position == 14 * 250


# A restart


def test_a_restart_goes_on_from_the_identical_state(
    store: Store, database_url: str, monitor: Monitor, clock: Clock, still: Recording
):
    engine = MonitoringEngine(store, monitor, clock=clock)
    engine.admit("unbroken")
    play(engine, clock, {"unbroken": still}, 0, 40, engine.run_once)
    clock.now = NOW
    engine = MonitoringEngine(store, monitor, clock=clock, system_patient="another", patients=())
    engine.admit("anna")
    for start, stop in ((0, 3), (3, 17), (17, 19), (19, 36), (36, 40)):
        play(engine, clock, {"anna": still}, start, stop, engine.run_once)
        with Store.open(database_url) as other:
            restarted = MonitoringEngine(other, monitor, clock=clock, system_patient="another", patients=["anna"])
            assert encode(restarted.state("anna")) == encode(engine.state("anna"))
        engine = MonitoringEngine(store, monitor, clock=clock, system_patient="another", patients=["anna"])
    assert store.inputs.resume_point("anna").snapshot is not None
    assert stored_events(store, "anna") == stored_events(store, "unbroken")
    assert ("raised", "asystole") in alarms(store, "anna")


@ON_SQLITE
def test_silence_is_told_but_not_before_senders_could_come_back(
    engine: MonitoringEngine, store: Store, monitor: Monitor, clock: Clock, steady: Recording
):
    play(engine, clock, {"anna": steady}, 0, 3, engine.run_once)
    clock.now += 60
    restarted = MonitoringEngine(store, monitor, clock=clock)
    for second in range(12):
        assert bool(alarms(store, "anna")) == (second >= 10)
        clock.now += 1
        restarted.run_once()
    assert alarms(store, "anna") == [("raised", "no data")]
    assert alarms(store, SYSTEM_PATIENT) == []


@ON_SQLITE
def test_a_clock_that_is_set_back_does_not_stop_the_ticks(
    engine: MonitoringEngine, store: Store, clock: Clock, steady: Recording
):
    play(engine, clock, {"anna": steady}, 0, 3, engine.run_once)
    clock.now -= 3600
    for _ in range(12):
        clock.now += 1
        engine.run_once()
    assert alarms(store, "anna") == [("raised", "no data")]


# Discharge


def test_who_is_discharged_stays_so_after_a_restart_until_admitted(
    engine: MonitoringEngine, store: Store, monitor: Monitor, clock: Clock, still: Recording
):
    play(engine, clock, {"anna": still}, 0, 40, engine.run_once)
    normal = engine.state("anna").normal
    assert [timer.alarm.condition for timer in engine.state("anna").alarms.timers.values() if timer.alarm]
    receipt = engine.submit("anna", Command(CommandKind.DISCHARGE, clock.now, "Ada", "went home"))
    engine.run_once()
    assert receipt.result(0).rejected == ()
    assert engine.patients() == ()
    ended = [entry for entry in store.alarms.log("anna") if entry.change == "discharged"]
    assert {(entry.person, entry.why) for entry in ended} == {("Ada", "went home")}
    assert "asystole" in {entry.alarm.condition for entry in ended}
    assert store.alarms.newest("anna", active_only=True) == []
    assert store.alarms.newest("anna")

    restarted = MonitoringEngine(store, monitor, clock=clock)
    assert encode(restarted.state("anna")) == encode(engine.state("anna"))
    assert restarted.patients() == ()
    log = store.alarms.log("anna")
    for _ in range(20):
        clock.now += 1
        restarted.run_once()
    stored = store.inputs.resume_point("anna").next_input, store.events.newest_id()
    with pytest.raises(DataError, match="is discharged; admit the patient first"):
        play(restarted, clock, {"anna": still}, 0, 1, restarted.run_once)
    restarted.run_once()
    assert (store.inputs.resume_point("anna").next_input, store.events.newest_id()) == stored
    assert store.alarms.log("anna") == log

    clock.now = NOW + 100
    admitted = restarted.admit("anna", "Anna", account="Ben")
    restarted.run_once()
    clock.now += 1
    receipt = restarted.submit("anna", replace(cut(still, 0, 1), received=clock.now, stream="next"))
    restarted.run_once()
    assert (admitted.result(0).rejected, receipt.result(0).rejected) == ((), ())
    assert restarted.admit("anna", "Anna") is None
    assert restarted.patients() == ("anna",)
    assert encode(MonitoringEngine(store, monitor, clock=clock).state("anna").normal) == encode(normal)
    for _ in range(20):
        clock.now += 1
        restarted.run_once()
    assert alarms(store, "anna")[len(log) :] == [("raised", "no data")]
    assert verify(store.alarms.log("anna")) is None


@ON_SQLITE
def test_the_station_is_never_discharged(engine: MonitoringEngine, clock: Clock):
    with pytest.raises(SettingError, match="cannot be discharged"):
        engine.submit(SYSTEM_PATIENT, Command(CommandKind.DISCHARGE, clock.now, "Ada"))


@ON_SQLITE
def test_who_is_discharged_while_the_store_is_away_is_so_once_it_is_back(
    database_url: str, monitor: Monitor, clock: Clock, still: Recording
):
    with Leaky.open(database_url) as store:
        engine = MonitoringEngine(store, monitor, clock=clock, room_bytes=10_000)
        engine.admit("anna")
        play(engine, clock, {"anna": still}, 0, 3, engine.run_once)
        store.failing = "before"
        play(engine, clock, {"anna": still}, 3, 26, engine.run_once)
        engine.submit("anna", Command(CommandKind.DISCHARGE, clock.now, "Ada"))
        engine.run_once()
        store.failing = ""
        for _ in range(5):
            clock.now += 1
            engine.run_once()
        assert ("discharged", "storage failed") in alarms(store, "anna")
        assert verify(store.alarms.log("anna")) is None
        assert encode(MonitoringEngine(store, monitor, clock=clock).state("anna")) == encode(engine.state("anna"))
        assert engine.patients() == ()


# Deliveries


@ON_SQLITE
def test_a_message_is_stored_with_its_alarm_and_arrives_signed(
    store: Store, monitor: Monitor, clock: Clock, still: Recording, receiver: Receiver, ward: WebhookTarget
):
    family = replace(ward, name="family", wants=MessageFilter(patient_name=True))
    engine = MonitoringEngine(store, monitor, [ward, family], bundle="b" * 64, clock=clock)
    engine.admit("anna", "Anna Karenina")
    assert deliver_due(store.outbox, [ward], clock.now).total() == 0
    play(engine, clock, {"anna": still}, 0, 20, engine.run_once)
    raised = [e.event for e in store.events.after(kinds=("alarm",)) if e.event.transition.change == "raised"]
    assert "asystole" in [event.transition.alarm.condition for event in raised]
    deliver_due(store.outbox, [ward, family], clock.now)
    messages = [message for _, content in receiver.requests for message in content["messages"]]
    names = {(message["alarm"]["condition"], message["patient_name"]) for message in messages}
    assert {("asystole", None), ("asystole", "Anna Karenina")} <= names
    told_of = {m["digest"] for m in messages if m["change"] == "raised"}
    assert told_of == {event.transition.digest for event in raised}
    (asystole,) = (m for m in messages if m["alarm"]["condition"] == "asystole" and m["patient_name"] is None)
    assert asystole["bundle"] == "b" * 64
    assert asystole["replay"].startswith("ectopy what-if --stored anna --to ")


@ON_SQLITE
def test_nobody_reached_is_an_alarm_until_somebody_is(
    store: Store, monitor: Monitor, clock: Clock, still: Recording, receiver: Receiver, ward: WebhookTarget
):
    engine = MonitoringEngine(store, monitor, [ward], clock=clock)
    engine.admit("anna")
    receiver.answers = lambda number, content: answer(503)
    play(engine, clock, {"anna": still}, 0, 18, engine.run_once)
    for _ in range(30):
        clock.now = receiver.now = clock.now + 5
        deliver_due(store.outbox, [ward], clock.now)
        engine.run_once()
    assert ("raised", "nobody reached") in alarms(store, "anna")
    receiver.answers = lambda number, content: receiver.accept(content)
    for _ in range(30):
        clock.now = receiver.now = clock.now + 5
        deliver_due(store.outbox, [ward], clock.now)
        engine.run_once()
    (alarm,) = (s.alarm for s in store.alarms.newest("anna") if s.alarm.condition == "nobody reached")
    assert alarm.state is AlarmState.LATCHED
    engine.submit("anna", Command(CommandKind.ACKNOWLEDGE, clock.now, "Ada", alarm=alarm.number))
    engine.run_once()
    assert ("ended", "nobody reached") in alarms(store, "anna")


@ON_SQLITE
def test_what_came_late_is_tried_before_nobody_is_said_to_be_reached(
    store: Store, monitor: Monitor, clock: Clock, still: Recording, ward: WebhookTarget
):
    engine = MonitoringEngine(store, monitor, [ward], clock=clock)
    engine.admit("anna")
    play(engine, clock, {"anna": still}, 0, 5, engine.run_once)
    clock.now = NOW + 600
    engine.submit("anna", replace(cut(still, 5, 40), received=clock.now))
    for _ in range(100):
        engine.run_once()
        clock.now += 1
    assert ("raised", "asystole") in alarms(store, "anna")
    assert ("raised", "nobody reached") not in alarms(store, "anna")
    deliveries = store.outbox.claim(clock.now, 100, "ward", True)
    waiting = [json.loads(delivery.payload)["transition"] for delivery in deliveries]
    assert len(waiting) > 1
    assert waiting == sorted(waiting)


@ON_SQLITE
def test_no_message_waits_for_a_clock_that_was_set_back(
    store: Store, monitor: Monitor, clock: Clock, steady: Recording, ward: WebhookTarget
):
    engine = MonitoringEngine(store, monitor, [ward], clock=clock)
    engine.admit("anna")
    play(engine, clock, {"anna": steady}, 0, 3, engine.run_once)
    clock.now -= 3600
    for _ in range(13):
        clock.now += 1
        engine.run_once()
    assert alarms(store, "anna") == [("raised", "no data")]
    assert [delivery.patient for delivery in store.outbox.claim(clock.now, 100, "ward", False)] == ["anna"]


@pytest.mark.parametrize("kind", ["stored", "memory"])
@pytest.mark.parametrize("setback_s", [90.0, 3600.0, 86_400.0])
def test_a_message_under_way_when_the_clock_is_set_back_is_due_after_a_minute(
    store: Store, monitor: Monitor, clock: Clock, still: Recording, ward: WebhookTarget, kind: str, setback_s: float
):
    engine = MonitoringEngine(store, monitor, [ward], clock=clock)
    engine.admit("anna")
    play(engine, clock, {"anna": still}, 0, 20, engine.run_once)
    outbox = store.outbox
    if kind == "memory":
        outbox = MemoryOutbox()
        outbox.put(store.outbox.claim(clock.now, 10, "ward", True))
        clock.now += 61
    first, *_ = outbox.claim(clock.now, 10, "ward", True)
    clock.now -= setback_s
    assert outbox.claim(clock.now, 10, "ward", True) == []
    clock.now += 61
    assert first.key in [delivery.key for delivery in outbox.claim(clock.now, 10, "ward", True)]
    outbox.failed(first.key, clock.now, "no connection", clock.now + 120)
    clock.now -= setback_s
    assert outbox.claim(clock.now, 10, "ward", True) == []
    clock.now += 121
    assert first.key in [delivery.key for delivery in outbox.claim(clock.now, 10, "ward", True)]


# The store is lost


@pytest.fixture(params=KINDS)
def losable(request: pytest.FixtureRequest, tmp_path: Path) -> Losable:
    return outages.losable(request.param, tmp_path, request)


@contextmanager
def at_work(engine: MonitoringEngine) -> Iterator[None]:
    thread = threading.Thread(target=engine.run, args=(0.005,))
    thread.start()
    try:
        yield
    finally:
        engine.stop()
        thread.join()


def test_alarms_get_out_while_the_store_is_away_and_all_is_stored_afterwards(
    losable: Losable, monitor: Monitor, clock: Clock, still: Recording, receiver: Receiver, ward: WebhookTarget
):
    def rest() -> None:
        time.sleep(0.03)

    def later() -> bool:
        clock.now = receiver.now = clock.now + 1
        return True

    def has(condition: str, change: str) -> Callable[[], bool]:
        def is_delivered() -> bool:
            messages = [m for _, content in receiver.requests for m in content["messages"]]
            return (condition, change) in [(m["alarm"]["condition"], m["change"]) for m in messages]

        return is_delivered

    steps: list[StepRecord] = []
    with Store.open(losable.url) as store:
        engine = MonitoringEngine(store, monitor, [ward], clock=clock, on_steps=steps.extend)
        engine.admit("anna")
        with at_work(engine):
            receipts = play(engine, clock, {"anna": still}, 0, 9, rest)
            until(lambda: all(receipt.done() for receipt in receipts))
            with losable.outage():
                waiting = play(engine, clock, {"anna": still}, 9, 25, rest)
                until(lambda: engine.state("anna").signal.segment.next_position == 25 * 250)
                until(has("asystole", "raised"))
                until(has("storage failed", "raised"))
                assert [receipt.result(PATIENCE_S).next_position for receipt in waiting] == [
                    250 * (second + 1) for second in range(9, 25)
                ]
                assert not any(receipt.result().stored for receipt in waiting)
                outcomes = [outcome_of(receipt.result()) for receipt in waiting]
                assert not any(outcome.done() for outcome in outcomes)
                chunks = [item for step in steps for item in step.inputs if isinstance(item, Chunk)]
                assert [chunk.position for chunk in chunks] == list(range(0, 25 * 250, 250))
            clock.now += 2
            assert [outcome.result(PATIENCE_S) for outcome in outcomes] == [None] * 16
            (stored,) = play(engine, clock, {"anna": still}, 25, 26, rest)
            assert stored.result(PATIENCE_S).next_position == 26 * 250
            until(lambda: later() and has("storage failed", "ended")())
            until(lambda: later() and deliveries(losable.url, "waiting") == [])
        assert sorted(deliveries(losable.url, "delivered")) == sorted(receiver.received)
        np.testing.assert_array_equal(store.waveforms.read("anna", "", 0, 26 * 250).signal, still.signal[: 26 * 250])
        for patient in ("anna", SYSTEM_PATIENT):
            assert verify(store.alarms.log(patient)) is None
        # The clock may run a minute ahead of a delivery, so that nobody seems to be reached.
        of_storage = [change for change, condition in alarms(store, SYSTEM_PATIENT) if condition == "storage failed"]
        assert of_storage == ["raised", "ended"]
        assert encode(MonitoringEngine(store, monitor, clock=clock).state("anna")) == encode(engine.state("anna"))


def deliveries(url: str, state: str) -> list[str]:
    sql_engine = sa.create_engine(url)
    with sql_engine.connect() as connection:
        keys = connection.execute(sa.text("SELECT key FROM deliveries WHERE state = :state"), {"state": state})
        stored_keys = [key for (key,) in keys]
    sql_engine.dispose()
    return stored_keys


class Counting(Store):
    """A store that counts its transactions."""

    writes = 0

    def write(self, steps: Sequence[StepRecord], offsets: Offsets = NO_OFFSETS) -> None:
        super().write(steps, offsets)
        self.writes += 1


def test_turns_that_wait_for_the_store_are_stored_together(
    database_url: str, monitor: Monitor, clock: Clock, steady: Recording
):
    with Counting.open(database_url) as store:
        engine = MonitoringEngine(store, monitor, clock=clock)
        engine.admit("anna")
        receipts = play(engine, clock, {"anna": steady}, 0, 5, engine.process_inputs)
        assert not any(receipt.done() for receipt in receipts)
        engine.flush()
        assert store.writes == 1
        assert [receipt.result(0).next_position for receipt in receipts] == [250, 500, 750, 1000, 1250]
        inputs = list(store.inputs.all("anna"))
        assert [item.position for item in inputs if isinstance(item, Chunk)] == [0, 250, 500, 750, 1000]


class Leaky(Store):
    """A store that can be told to fail, before the commit or after it."""

    failing = ""

    def write(self, steps: Sequence[StepRecord], offsets: Offsets = NO_OFFSETS) -> None:
        if self.failing != "before":
            super().write(steps, offsets)
        if self.failing:
            raise StorageError(f"lost {self.failing} the commit")


@pytest.mark.parametrize("failing", ["before", "after"])
def test_when_too_much_waits_for_the_store_watching_goes_on_and_senders_are_told(
    database_url: str, monitor: Monitor, clock: Clock, still: Recording, failing: str
):
    with Leaky.open(database_url) as store:
        engine = MonitoringEngine(store, monitor, clock=clock, room_bytes=10_000)
        engine.admit("anna")
        play(engine, clock, {"anna": still}, 0, 3, engine.run_once)
        store.failing = failing
        failed = play(engine, clock, {"anna": still}, 3, 26, engine.run_once)
        for receipt in failed[:-6]:
            with pytest.raises(StorageError, match="send it again"):
                raise receipt.exception(0) or outcome_of(receipt.result(0)).result(0)
        raised = [c for c, timer in engine.state("anna").alarms.timers.items() if timer.alarm]
        assert "asystole" in raised
        store.failing = ""
        fine = play(engine, clock, {"anna": still}, 26, 40, engine.run_once)
        assert fine[-1].result(0) == Receipt("anna", (), 10_000)
        ((begin, end),) = engine.missing("anna", "")
        assert 750 <= begin < end < 7500
        for second in range(begin // 250, end // 250):
            engine.submit("anna", replace(cut(still, second, second + 1), received=clock.now))
            engine.run_once()
        assert engine.missing("anna", "") == []
        np.testing.assert_array_equal(store.waveforms.read("anna", "", 0, 10_000).signal, still.signal[:10_000])
        assert verify(store.alarms.log("anna")) is None
        assert store.alarms.log("anna")[-1].digest == engine.state("anna").alarms.digest
        assert ("raised", "asystole") in alarms(store, "anna")
        assert ("ended", "storage failed") in alarms(store, "anna")
        assert ("ended", "storage failed") in alarms(store, SYSTEM_PATIENT)
        assert encode(MonitoringEngine(store, monitor, clock=clock).state("anna")) == encode(engine.state("anna"))
        np.testing.assert_array_equal(store.waveforms.read("anna", "", 7500, 10_000).signal, still.signal[7500:10_000])


@ON_SQLITE
def test_who_has_most_that_is_not_stored_gives_it_up_and_nobody_else(
    database_url: str, monitor: Monitor, clock: Clock, steady: Recording
):
    with Leaky.open(database_url) as store:
        engine = MonitoringEngine(store, monitor, clock=clock, room_bytes=60_000)
        for patient in ("greedy", "anna", "bob"):
            engine.admit(patient)
        store.failing = "before"
        clock.now = NOW + 40
        receipts = {name: engine.submit(name, cut(steady, 0, 6)) for name in ("greedy", "anna", "bob")}
        engine.run_once()
        for second in range(6, 30):
            engine.submit("greedy", cut(steady, second, second + 1))
            engine.run_once()
        ((_, stop),) = engine.missing("greedy", "")
        assert stop == 30 * 250
        assert engine.missing("anna", "") == engine.missing("bob", "") == []
        store.failing = ""
        clock.now += 2
        engine.run_once()
        assert [outcome_of(receipts[name].result()).result(0) for name in ("anna", "bob")] == [None, None]
        np.testing.assert_array_equal(store.waveforms.read("anna", "", 0, 1500).signal, steady.signal[:1500])


@ON_SQLITE
def test_no_patient_takes_the_room_of_another_at_the_door(
    store: Store, monitor: Monitor, clock: Clock, steady: Recording
):
    engine = MonitoringEngine(store, monitor, clock=clock, room_bytes=30_000)
    for patient in ("greedy", "anna", "bob"):
        engine.admit(patient)
    second = 0
    with suppress(StorageError):
        while second < 40:
            engine.submit("greedy", cut(steady, second, second + 1))
            second += 1
    assert 5 < second < 40
    fine = [engine.submit(name, cut(steady, at, at + 1)) for name in ("anna", "bob") for at in (0, 1)]
    clock.now = NOW + 40
    while engine.run_once():
        pass
    assert all(receipt.result(0).stored for receipt in fine)


@ON_SQLITE
def test_after_a_start_what_was_not_stored_is_asked_for_before_it_is_a_gap(
    database_url: str, monitor: Monitor, clock: Clock, steady: Recording, monkeypatch: pytest.MonkeyPatch
):
    with Leaky.open(database_url) as store:
        engine = MonitoringEngine(store, monitor, clock=clock)
        for patient in ("anna", "bob"):
            engine.admit(patient)
        play(engine, clock, {"anna": steady, "bob": steady}, 0, 5, engine.run_once)
        store.failing = "before"
        acknowledged = play(engine, clock, {"anna": steady, "bob": steady}, 5, 15, engine.run_once)
        assert not any(receipt.result(0).stored for receipt in acknowledged)
        store.failing = ""
        restarted = MonitoringEngine(store, monitor, clock=clock)  # the process was killed, and started again
        for name in ("anna", "bob"):
            for second in (15, 16):
                with pytest.raises(GapError, match="samples 1250 to"):
                    restarted.submit(name, cut(steady, second, second + 1))
        resent = play(restarted, clock, {"anna": steady}, 5, 20, restarted.run_once)
        assert resent[-1].result(0) == Receipt("anna", (), 5000)
        np.testing.assert_array_equal(store.waveforms.read("anna", "", 0, 5000).signal, steady.signal[:5000])
        monkeypatch.setattr("ectopy.service.monitoring.engine._RESENT_WITHIN_S", 0.0)
        (late,) = play(restarted, clock, {"bob": steady}, 20, 21, restarted.run_once)  # that sender has kept nothing
        assert late.result(0).rejected == ()


@ON_SQLITE
def test_samples_are_shown_before_their_turn_unless_the_monitor_has_to_say_first(
    database_url: str, monitor: Monitor, clock: Clock, steady: Recording
):
    previews: list[tuple[int, float, int | None]] = []

    def show(traces: Sequence[LiveSamples]) -> None:
        signal = engine.state("anna").signal
        next_position = None if signal is None else signal.segment.next_position
        previews.extend((trace.chunk.position, trace.time, next_position) for trace in traces)

    with Store.open(database_url) as store:
        engine = MonitoringEngine(store, monitor, clock=clock, on_samples=show)
        engine.admit("anna")
        play(engine, clock, {"anna": steady}, 0, 3, engine.run_once)
        third, absurd = cut(steady, 3, 4), cut(steady, 4, 5)
        for chunk in (third, replace(absurd, signal=absurd.signal + 2000), replace(absurd, stream="other")):
            engine.submit("anna", chunk)
        engine.run_once()
    at = [NOW + second for second in range(4)]
    assert previews[:4] == [(0, at[0], 250), (250, at[1], 250), (500, at[2], 500), (750, at[3], 750)]
    assert [position for position, _, _ in previews[4:]] == [1000]


@ON_SQLITE
def test_states_are_not_kept_for_a_store_that_is_away(
    database_url: str, monitor: Monitor, clock: Clock, steady: Recording
):
    steps: list[StepRecord] = []
    with Leaky.open(database_url) as store:
        engine = MonitoringEngine(store, monitor, clock=clock, on_steps=steps.extend)
        engine.admit("anna")
        store.failing = "before"
        play(engine, clock, {"anna": steady}, 0, 38, engine.run_once)
        assert [step for step in steps if step.snapshot is not None] == []
        store.failing = ""
        clock.now += 1
        engine.run_once()
        play(engine, clock, {"anna": steady}, 38, 40, engine.run_once)
        assert len(store.inputs.resume_point("anna").inputs) < 3


def test_a_store_that_hangs_does_not_hold_up_the_monitors(
    tmp_path: Path, monitor: Monitor, clock: Clock, still: Recording, receiver: Receiver, ward: WebhookTarget
):
    path = tmp_path / "ectopy.db"
    with Store.open(f"sqlite:///{path}?timeout=60") as store:
        engine = MonitoringEngine(store, monitor, [ward], clock=clock)
        engine.admit("anna")
        with at_work(engine):
            with locked(path):
                receipts = play(engine, clock, {"anna": still}, 0, 25, lambda: time.sleep(0.03))
                until(lambda: engine.state("anna").signal.segment.next_position == 25 * 250)
                receiver.wait_for(lambda: '"asystole"' in json.dumps(receiver.requests))
                assert [receipt.result(PATIENCE_S).stored for receipt in receipts] == [False] * 25
                outcomes = [outcome_of(receipt.result()) for receipt in receipts]
                assert not any(outcome.done() for outcome in outcomes)
            assert [outcome.result(PATIENCE_S) for outcome in outcomes] == [None] * 25


# At work


def test_a_engine_that_is_stopped_keeps_its_states_and_leaves_nobody_waiting(
    database_url: str, monitor: Monitor, clock: Clock, still: Recording
):
    with Leaky.open(database_url) as store:
        engine = MonitoringEngine(store, monitor, clock=clock)
        engine.admit("anna")
        with at_work(engine):
            receipts = play(engine, clock, {"anna": still}, 0, 5, lambda: time.sleep(0.01))
        assert [receipt.result(0).next_position for receipt in receipts] == [250 * second for second in range(1, 6)]
        assert store.inputs.resume_point("anna").inputs == ()
        restarted = MonitoringEngine(store, monitor, clock=clock)
        assert encode(restarted.state("anna")) == encode(engine.state("anna"))
        store.failing = "before"
        with at_work(restarted):
            (waiting,) = play(restarted, clock, {"anna": still}, 5, 6, lambda: time.sleep(0.01))
        with pytest.raises(StorageError, match="stopped before"):
            waiting.result(0)


@ON_SQLITE
def test_what_came_before_the_engine_is_stopped_is_stored_and_nothing_is_taken_afterwards(
    engine: MonitoringEngine, clock: Clock, steady: Recording
):
    clock.now = NOW + 40
    with at_work(engine):
        receipts = [engine.submit("anna", cut(steady, second, second + 1)) for second in range(40)]
    assert receipts[-1].result(0).next_position == 10_000
    with pytest.raises(StorageError, match="has been stopped"):
        engine.submit("anna", cut(steady, 0, 1))


@ON_SQLITE
def test_an_idle_engine_stores_nothing(engine: MonitoringEngine, store: Store, clock: Clock, steady: Recording):
    play(engine, clock, {"anna": steady}, 0, 3, engine.run_once)
    next_input = store.inputs.resume_point("anna").next_input
    for _ in range(5):
        clock.now += 1
        engine.run_once()
    assert store.inputs.resume_point("anna").next_input == next_input
    assert store.inputs.resume_point(SYSTEM_PATIENT).next_input <= 2
    assert [
        type(event.event) for event in store.events.after() if isinstance(event.event, AlarmChanged | BeatJudged)
    ] == []


@ON_SQLITE
@pytest.mark.parametrize("set_s", [3600.0, -3600.0, 7.0])
def test_a_clock_that_is_set_moves_the_times_and_nothing_else(
    store: Store, monitor: Monitor, still: Recording, set_s: float
):
    steady, clock = Clock(1000.0), Clock()
    engine = MonitoringEngine(store, monitor, clock=clock, steady=steady)
    engine.admit("anna")
    for second in range(40):
        steady.now += 1
        clock.now = NOW + second + 1 + (set_s if second >= 9 else 0.0)
        # One is on its way while the clock is set, with the time of before.
        received = clock.now - (set_s if second == 9 else 0.0)
        receipt = engine.submit("anna", cut(still, second, second + 1, received=received))
        engine.run_once()
        assert receipt.result().rejected == ()
        assert receipt.result().late == 0
    changes = [stored for stored in store.events.after(kinds=["alarm"]) if stored.patient == "anna"]
    asystoles = (stored for stored in changes if stored.event.transition.alarm.condition == "asystole")
    (raised,) = (stored for stored in asystoles if stored.event.transition.change == "raised")
    assert raised.time - set_s - NOW == pytest.approx(15.5, abs=1.5)
    assert not [stored for stored in changes if stored.event.transition.change == "escalated"]
    beats = store.beats.first("anna", NOW + 20 + set_s, NOW + 39 + set_s)
    assert all(stored.time - set_s - NOW == pytest.approx(stored.beat.position / 250, abs=0.6) for stored in beats)
    assert len(beats) > 15


def test_what_waits_for_the_store_is_acknowledged_in_its_order(tmp_path: Path):
    positions: list[int | None] = []
    with Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}") as store:
        buffer = WriteBuffer(store, 2**20, lambda: None, lambda steps: None)
        for position in (250, 500, 750):
            future: Future[Receipt] = Future()
            future.add_done_callback(lambda receipt: positions.append(receipt.result().next_position))
            buffer.add(Batch(receipts=[(future, Receipt("anna", (), position))]))
        buffer.finished(StorageError("the database is away."))
        buffer.check_store()
        buffer.resolve()
    assert positions == [250, 500, 750]
