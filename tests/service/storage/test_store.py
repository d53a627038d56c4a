from __future__ import annotations

import gc
import itertools
import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ectopy.errors import DataError, NotFoundError, SettingError, StorageError
from ectopy.monitor import codec
from ectopy.monitor.alarm import Alarm, AlarmState, Inactivation, Phase, Transition
from ectopy.monitor.alarm_log import GENESIS, seal, verify
from ectopy.monitor.conditions import AlarmType, Priority
from ectopy.monitor.events import AlarmChanged, BeatJudged, Event, Evidence, InputRejected, Notice, QualityChanged
from ectopy.monitor.inputs import Chunk, Command, CommandKind, Input, PulseChunk, RejectedInput, ServiceReport, Tick
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.service.notify.outbox import Delivery, DeliveryState, Outbox
from ectopy.service.storage import AuditEntry, Deleted, Device, Partition, Patient, StepRecord, Store, StoredBeat
from ectopy.service.storage.retention import stored_bytes
from ectopy.service.storage.stored_waveforms import _Stream
from ectopy.service.storage.tables import deliveries, metadata, streams
from support.examples import examples
from support.outages import full_disk, locked
from support.parallel import in_parallel

NOW = 1.7e9
HZ = 250.0


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as store:
        store.patients.upsert("anna", NOW)
        yield store


@contextmanager
def database(url: str) -> Iterator[sa.Connection]:
    """A connection of another program."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


# Examples


def chunk(position: int, samples: int = 10, leads: tuple[str, ...] = ("I", "II"), **fields: object) -> Chunk:
    signal = np.random.default_rng(abs(position)).standard_normal((samples, len(leads))).astype(np.float32)
    return replace(Chunk(position, signal, HZ, leads, NOW + position / HZ), **fields)


def beat(number: int, beat_s: float = 1.0) -> BeatJudged:
    return BeatJudged(number, beat_s + 2, beat_s, int(beat_s * HZ), 0.8, "abnormal", "other", 4.5, 0.001, 3.0, "wide")


def alarm(number: int = 1, **fields: object) -> Alarm:
    reading = ConditionReading("asystole", True, "no beat for 4.2 s", 4.2, 4.0, (1.0, 1.5))
    raised = Alarm(
        number,
        "asystole",
        AlarmType.PHYSIOLOGICAL,
        Priority.HIGH,
        Phase.START,
        AlarmState.ACTIVE,
        Inactivation.ENABLED,
        5.7,
        5.7,
        reading,
        reading,
    )
    return replace(raised, **fields)


def changed(number: int, entry: int, alarm: Alarm, change: str = "raised", actor: str = "") -> AlarmChanged:
    transition = Transition(entry, 5.7, change, alarm, actor, "", f"{entry - 1:064}", f"{entry:064}")
    return AlarmChanged(number, 5.7, transition)


def delivery(key: str, **fields: object) -> Delivery:
    return replace(Delivery(key, key, "pager", "anna", "{}", NOW, 0, NOW, high=False), **fields)


def stepped(first: int, *inputs: Input, events: Sequence[Event] = (), **fields: object) -> StepRecord:
    return replace(StepRecord("anna", first, inputs, tuple(events), NOW), **fields)


def encoded(values: Sequence[object]) -> list[bytes]:
    return [codec.encode(value) for value in values]


# The tables


@pytest.mark.parametrize("is_new", [True, False])
def test_a_new_database_and_one_of_the_first_version_get_the_tables(database_url: str, is_new: bool):
    if not is_new:
        with database(database_url) as connection:
            script = Path(__file__).with_name(f"initial.{connection.dialect.name}.sql").read_text("utf-8")
            for statement in script.removesuffix(";\n").split(";\n"):
                connection.exec_driver_sql(statement)
    Store.open(database_url).close()
    with database(database_url) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_patients_are_still_stored_after_the_store_is_reopened(database_url: str):
    for number in (1, 2):
        with Store.open(database_url) as store:
            store.patients.upsert(f"patient {number}", NOW + number, "Anna")
    with Store.open(database_url) as store:
        assert store.patients.all() == [Patient(f"patient {number}", "Anna", NOW + number) for number in (1, 2)]


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database_url: str):
    Store.open(database_url).close()
    with database(database_url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for _ in range(2):
        with pytest.raises(StorageError, match=r"another version of Ectopy.*9999"):
            Store.open(database_url)


def test_offsets_are_stored_with_the_steps_that_come_from_there_or_not_at_all(database_url: str):
    first, second = Partition("ecg", 0), Partition("ecg", 1)
    with Store.open(database_url) as store:
        store.patients.upsert("anna", NOW)
        store.write([stepped(1, Tick(NOW))], {first: 7, second: 2**40})
        with pytest.raises(DataError, match="input 9"):
            store.write([stepped(9, Tick(NOW))], {first: 8})
    with Store.open(database_url) as store:
        assert store.offsets.all() == {first: 7, second: 2**40}
        store.write([], {first: 8})
        assert store.offsets.all() == {first: 8, second: 2**40}


def test_many_may_open_a_new_database_at_once(database_url: str):
    failed = []

    def open_one(number: int) -> None:
        try:
            with Store.open(database_url) as store:
                store.patients.upsert(f"patient {number}", NOW)
        except Exception as error:
            failed.append(error)

    in_parallel([lambda number=number: open_one(number) for number in range(4)])
    assert failed == []
    with Store.open(database_url) as store:
        assert len(store.patients.all()) == 4


@pytest.mark.parametrize("url", ["", "ectopy.db", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:"])
def test_an_url_of_another_kind_is_refused(url: str):
    with pytest.raises(SettingError, match="sqlite:///FILE"):
        Store.open(url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "letter").write_text("Dear Anna, " * 1000)
    for name in ("letter", "no folder/ectopy.db"):
        with pytest.raises(StorageError, match=name):
            Store.open(f"sqlite:///{tmp_path / name}")


def test_a_server_that_is_not_there_is_a_storage_error_without_the_password():
    with pytest.raises(StorageError, match=r"127\.0\.0\.1") as refused:
        Store.open("postgresql://anna:secret@127.0.0.1:1/ectopy")
    assert "secret" not in str(refused.value)


# Patients and devices


def test_patients_are_enrolled_once_and_may_be_renamed(store: Store):
    store.patients.upsert("bob", NOW + 1, "Bob")
    store.patients.upsert("anna", NOW + 2, "Anna\0")
    store.patients.enrol("bob", NOW + 3)
    assert store.patients.all() == [Patient("anna", "Anna\ufffd", NOW), Patient("bob", "Bob", NOW + 1)]


def test_invalid_names_are_rejected(store: Store):
    for name in ("", "a\0", "a\n", "\ud800", "x" * 201):
        with pytest.raises(SettingError, match="printable"):
            store.patients.upsert(name, NOW)
        with pytest.raises(SettingError, match="printable"):
            store.patients.enrol(name, NOW)
        with pytest.raises(SettingError, match="printable"):
            store.patients.attach(name, None, NOW)


def test_devices_go_from_one_patient_to_another(store: Store):
    store.patients.upsert("bob", NOW)
    store.patients.attach("monitor 7", "anna", NOW)
    store.patients.attach("belt", "anna", NOW)
    store.patients.attach("monitor 7", "bob", NOW + 1)
    store.patients.attach("belt", None, NOW + 2)
    assert store.patients.devices() == [Device("belt", None, NOW + 2), Device("monitor 7", "bob", NOW + 1)]


def test_methods_reject_an_unknown_patient(store: Store):
    for ask in (
        lambda: store.inputs.resume_point("bob"),
        lambda: store.write([stepped(1, Tick(NOW), patient="bob")]),
        lambda: store.patients.attach("belt", "bob", NOW),
        lambda: store.beats.first("bob", 0, NOW),
        lambda: store.events.after(patient="bob"),
        lambda: store.alarms.newest("bob"),
        lambda: store.alarms.log("bob"),
        lambda: store.waveforms.read("bob", "", 0, 1),
    ):
        with pytest.raises(NotFoundError, match="no patient 'bob'"):
            ask()


# Inputs come back as they were

CHUNKS = st.builds(
    chunk,
    st.integers(-(2**40), 2**40),
    st.integers(1, 5),
    st.sampled_from([("I",), ("I", "II"), ("II", "I")]),
    sampling_rate_hz=st.sampled_from([100.0, 250.0, 1000.0]),
    sent_at=st.none() | st.floats(0, 2e9),
    stream=st.sampled_from(["", "Käthe", "b"]),
    unit=st.sampled_from(["mV", "uV", "V"]),
)
ODD_CHUNKS = st.builds(
    chunk,
    st.integers(-(2**63), 2**63 - 1),
    signal=st.sampled_from(
        [
            np.array([[1, np.nan], [-0.0, np.inf]], np.float32),
            np.zeros((2, 2)),
            np.zeros((3, 1), np.float32),
            np.zeros((0, 2), np.float32),
            np.zeros(0, np.float32),
            np.zeros(2, np.float32),
            np.array([["x", "yz"]]),
        ]
    ),
    sampling_rate_hz=st.floats(),
    received=st.floats().map(lambda second: second + 0.0),  # SQLite stores -0.0 as 0.0
    sent_at=st.none() | st.floats(),
    stream=st.text(st.characters(codec="utf-8"), max_size=500),
    unit=st.sampled_from(["mV", "furlong", "\0"]),
)
OTHER_INPUTS = st.one_of(
    st.builds(Tick, st.floats(0, 2e9)),
    st.builds(
        Command, st.sampled_from(CommandKind), st.floats(0, 2e9), st.text(st.characters(codec="utf-8"), max_size=5)
    ),
)
STEPS = st.lists(
    st.tuples(st.lists(CHUNKS | ODD_CHUNKS | OTHER_INPUTS, max_size=4), st.none() | st.binary(max_size=9)), max_size=6
)
PATIENTS = itertools.count()


@given(steps=STEPS)
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_newest_snapshot_and_all_inputs_after_it_are_restored(store: Store, steps: list):
    patient = f"patient {next(PATIENTS)}"
    store.patients.upsert(patient, NOW)
    snapshot, after, number = None, [], 1
    for inputs, new_snapshot in steps:
        store.write([stepped(number, *inputs, patient=patient, snapshot=new_snapshot)])
        number += len(inputs)
        after += inputs
        if new_snapshot is not None:
            snapshot, after = new_snapshot, []
    restored = store.inputs.resume_point(patient)
    assert (restored.snapshot, restored.next_input) == (snapshot, number)
    assert encoded(restored.inputs) == encoded(after)


def test_an_input_without_a_time_stores_no_origin(store: Store):
    store.write([stepped(1, Tick(math.nan))])
    assert store.inputs.resume_point("anna").next_input == 2
    assert store.waveforms.origin("anna", NOW) is None
    store.write([stepped(2, Tick(NOW))])
    assert store.waveforms.origin("anna", NOW) is not None


def test_the_bits_of_samples_survive(store: Store):
    bits = np.array([[0x7FC00001, 0x80000000], [0xFFC12345, 0x00000001]], np.uint32).view(np.float32)
    store.write([stepped(1, chunk(0, signal=np.asfortranarray(bits)))])
    (restored,) = store.inputs.resume_point("anna").inputs
    assert restored.signal.tobytes() == bits.tobytes()
    assert restored.signal.flags.writeable


def test_steps_are_written_again_without_harm(store: Store):
    inputs = (chunk(0), Tick(NOW), chunk(10), Command(CommandKind.RELEARN, NOW, "nurse"))
    step = stepped(
        1,
        *inputs,
        events=(beat(1), Notice(2, 1.0, "gap", ""), changed(3, 1, alarm()), beat(4)),
        snapshot=b"state",
        deliveries=(delivery("a"),),
    )
    longer = replace(step, inputs=(*inputs, chunk(20)), events=(*step.events, beat(5)), snapshot=None)
    store.write([step])

    def contents() -> tuple[object, ...]:
        beats = store.beats.first("anna", 0, 2 * NOW)
        return store.events.after(), store.alarms.newest(), store.alarms.log("anna"), beats

    before = contents()
    store.write([step, step])
    assert contents() == before
    store.write([longer])
    store.write([stepped(6, events=step.events)])
    restored = store.inputs.resume_point("anna")
    assert (restored.snapshot, restored.next_input) == (b"state", 6)
    assert encoded(restored.inputs) == encoded([chunk(20)])
    assert [stored.beat.number for stored in store.beats.first("anna", 0, 2 * NOW)] == [1, 4, 5]
    assert claimed(store) == ["a"]


def test_a_store_opened_later_knows_what_is_stored(store: Store, database_url: str):
    steps = [stepped(1, chunk(0), Tick(NOW), events=(beat(1), Notice(2, 1.0, "gap", "")))]
    store.write(steps)
    with Store.open(database_url) as other:
        other.write(steps)
        other.write([stepped(3, chunk(10), events=(beat(3),))])
        assert other.inputs.resume_point("anna").next_input == 4
        assert len(other.beats.first("anna", 0, 2 * NOW)) == 2


def test_missing_inputs_are_rejected(store: Store):
    store.write([stepped(1, Tick(NOW))])
    for number in (0, 3):
        with pytest.raises(DataError, match=rf"input {number} .* the last one was 1"):
            store.write([stepped(number, Tick(NOW))])


@pytest.mark.parametrize("stored_input", [chunk(0), Tick(NOW)])
def test_a_second_process_that_watches_a_patient_is_an_error(store: Store, database_url: str, stored_input: Input):
    with Store.open(database_url) as other:
        for each in (store, other):
            assert each.inputs.resume_point("anna").next_input == 1
        store.write([stepped(1, Tick(NOW - 1))])
        other.write([stepped(1, Tick(NOW - 1))])
        store.write([stepped(2, stored_input, events=(beat(1),))])
        for _ in range(3):
            with pytest.raises(DataError, match="two processes"):
                other.write([stepped(2, chunk(99), events=(beat(1),))])
        assert encoded(store.inputs.resume_point("anna").inputs) == encoded([Tick(NOW - 1), stored_input])


def test_all_of_a_write_or_nothing(store: Store):
    good = stepped(1, chunk(0), events=(beat(1), changed(2, 1, alarm())), deliveries=(delivery("a"),), snapshot=b"s")
    for bad in (
        stepped(1, patient="bob"),
        stepped(2, Tick(object())),
        stepped(2, events=(InputRejected(3, 0, "\ud800"),)),
    ):
        with pytest.raises(DataError, match="patient"):
            store.write([good, bad])
    restored = store.inputs.resume_point("anna")
    assert (restored.snapshot, restored.inputs) == (None, ())
    assert (
        store.events.after() == store.alarms.newest() == store.beats.first("anna", 0, 2 * NOW) == claimed(store) == []
    )
    store.write([good])
    assert store.inputs.resume_point("anna").snapshot == b"s"


def test_a_monitor_cannot_resume_across_a_missing_input(store: Store, database_url: str):
    store.write([stepped(1, chunk(0), chunk(10), chunk(20))])
    with database(database_url) as connection:
        connection.exec_driver_sql("DELETE FROM waveforms WHERE number = 2")
    with pytest.raises(DataError, match="input 2 of patient 'anna' is missing"):
        store.inputs.resume_point("anna")


# Waveforms


def test_the_first_of_chunks_that_overlap_counts_and_gaps_are_gaps(store: Store):
    first, overlapping, late = chunk(0, 10), chunk(5, 10), chunk(-4, 6)
    store.write([stepped(1, first, overlapping, chunk(40, 5), late)])
    waveform = store.waveforms.read("anna", "", -4, 45)
    np.testing.assert_array_equal(waveform.signal[:4], late.signal[:4])
    np.testing.assert_array_equal(waveform.signal[4:14], first.signal)
    np.testing.assert_array_equal(waveform.signal[14:19], overlapping.signal[5:])
    assert np.isnan(waveform.signal[19:44]).all()
    np.testing.assert_array_equal(waveform.signal[44:], chunk(40, 5).signal)
    assert (waveform.position, waveform.sampling_rate_hz, waveform.leads) == (-4, HZ, ("I", "II"))


@given(
    chunks=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), min_size=1, max_size=12),
    start=st.integers(-10, 80),
    samples=st.integers(1, 60),
)
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_segment_has_the_samples_that_were_sent_first(store: Store, chunks: list, start: int, samples: int):
    patient = f"patient {next(PATIENTS)}"
    store.patients.upsert(patient, NOW)
    chunks_sent = [chunk(position, length) for position, length in chunks]
    store.write([stepped(number, chunk_, patient=patient) for number, chunk_ in enumerate(chunks_sent, 1)])
    expected = np.full((200, 2), np.nan, np.float32)
    for each in chunks_sent:
        part = expected[each.position + 50 : each.position + 50 + len(each.signal)]
        part[:] = np.where(np.isnan(part), each.signal, part)
    waveform = store.waveforms.read(patient, "", start, start + samples)
    np.testing.assert_array_equal(waveform.signal, expected[start + 50 : start + 50 + samples])


def test_pulse_waves_are_stored_and_deleted_with_their_ecg(store: Store, database_url: str):
    def pulses(first: int) -> tuple[PulseChunk, ...]:
        return (PulseChunk("PLETH", "NU", 125.0, first, np.arange(first, first + 5, dtype=np.float32)),)

    first, later, plain = chunk(0, pulses=pulses(0)), chunk(20, pulses=pulses(10)), chunk(30)
    store.write([stepped(1, first, later, plain)])
    (wave,) = store.waveforms.read("anna", "", 4, 40).pulses
    assert (wave.name, wave.unit, wave.sampling_rate_hz, wave.position) == ("PLETH", "NU", 125.0, 2)
    gap = [np.nan] * 5
    np.testing.assert_array_equal(wave.samples, [2, 3, 4, *gap, 10, 11, 12, 13, 14, *gap])
    assert store.waveforms.read("anna", "", 30, 40).pulses == ()
    inputs = store.inputs.resume_point("anna").inputs
    assert [codec.encode(input_) for input_ in inputs] == [codec.encode(input_) for input_ in (first, later, plain)]
    with database(database_url) as connection:
        size = connection.exec_driver_sql("SELECT sum(length(signal) + coalesce(length(pulses), 0)) FROM waveforms")
        assert stored_bytes(connection) == size.scalar_one() > 240
    store.write([replace(stepped(4, chunk(40)), snapshot=b"state")])
    store.retention.apply(None, 0)
    with database(database_url) as connection:
        assert stored_bytes(connection) == 0


def test_leads_come_and_go_and_units_are_millivolt(store: Store):
    before, after = chunk(0, leads=("I", "II")), chunk(10, leads=("II", "V1"), unit="uV")
    store.write([stepped(1, before, after)])
    waveform = store.waveforms.read("anna", "", 0, 20)
    assert waveform.leads == ("I", "II", "V1")
    np.testing.assert_array_equal(waveform.signal[:10, :2], before.signal)
    np.testing.assert_allclose(waveform.signal[10:, 1:], after.signal / 1000, rtol=1e-6)
    assert np.isnan(waveform.signal[:10, 2]).all()
    assert np.isnan(waveform.signal[10:, 0]).all()


def test_streams_and_rates_are_kept_apart(store: Store):
    first, other, faster = chunk(0), chunk(0, stream="new"), chunk(10, sampling_rate_hz=500.0)
    store.write([stepped(1, first, other, faster)])
    assert store.waveforms.read("anna", "new", 0, 10).signal.shape == (10, 2)
    waveform = store.waveforms.read("anna", "", 0, 20)
    assert waveform.sampling_rate_hz == HZ
    assert np.isnan(waveform.signal[10:]).all()
    assert store.waveforms.read("anna", "", 10, 20).sampling_rate_hz == 500.0
    assert np.isnan(store.waveforms.read("anna", "", 10_000, 10_001).signal).all()


def test_a_chunk_that_contradicts_itself_spoils_no_waveform(store: Store):
    odd = chunk(10, signal=np.zeros((5, 3), np.float32))
    store.write([stepped(1, chunk(0), odd)])
    assert store.waveforms.read("anna", "", 0, 20).leads == ("I", "II")
    assert encoded(store.inputs.resume_point("anna").inputs) == encoded([chunk(0), odd])


def test_a_waveform_of_nothing_or_of_too_much_is_refused(store: Store):
    store.write([stepped(1, chunk(0))])
    with pytest.raises(DataError, match="no stream 'other'"):
        store.waveforms.read("anna", "other", 0, 10)
    for stop in (0, -1, 10**8):
        with pytest.raises(SettingError, match="samples"):
            store.waveforms.read("anna", "", 0, stop)


# Beats, events and alarms


def test_beats_are_found_by_time_with_their_confidence(store: Store):
    beats = [beat(number, float(number)) for number in range(1, 6)]
    beats[1] = replace(beats[1], confidence="learning, 40 s")
    store.write([stepped(1, chunk(0), events=beats)])
    assert store.beats.first("anna", NOW + 2, NOW + 4) == [StoredBeat(NOW + 2, beats[1]), StoredBeat(NOW + 3, beats[2])]
    assert store.events.after() == []


def test_numbers_of_beats_may_be_missing(store: Store):
    odd = replace(
        beat(np.int64(1)), interval_s=None, score=math.nan, p_value=None, threshold=math.nan, beat_s=np.float64(1)
    )
    store.write([stepped(1, chunk(0), events=[odd])])
    (stored,) = store.beats.first("anna", 0, 2 * NOW)
    assert (stored.beat.interval_s, stored.beat.score, stored.beat.p_value) == (None, None, None)
    assert math.isnan(stored.beat.threshold)


def test_events_are_read_after_an_id(store: Store):
    store.patients.upsert("bob", NOW)
    own = [Notice(1, 1.0, "gap", "a\0b"), QualityChanged(2, 2.0, "I", "flat", 0.0), changed(3, 1, alarm())]
    other = [InputRejected(1, 0.5, "too late")]
    store.write([stepped(1, chunk(0), events=own), stepped(1, chunk(0), events=other, patient="bob")])
    stored_events = store.events.after()
    assert [(stored.patient, stored.event) for stored in stored_events] == [
        *(("anna", event) for event in own),
        ("bob", other[0]),
    ]
    assert [stored.time for stored in stored_events] == [NOW + 1, NOW + 2, NOW + 5.7, NOW + 0.5]
    assert store.events.after(after=stored_events[1].id) == stored_events[2:]
    assert store.events.after(limit=2) == stored_events[:2]
    assert store.events.after(patient="bob") == stored_events[3:]
    assert store.events.after(kinds=("alarm", "rejected")) == stored_events[2:]
    store.write([stepped(2, chunk(10), events=[Notice(4, 9.0, "gap", "")])])
    (newest,) = store.events.after(after=stored_events[-1].id)
    assert newest.id > stored_events[-1].id


def test_alarms_have_their_last_state(store: Store):
    store.patients.upsert("bob", NOW)
    ended = alarm(1, phase=Phase.END, state=AlarmState.INACTIVE, ended_s=9.0)
    acknowledged_alarm = alarm(2, acknowledged_by="nurse\0", latest=ConditionReading("asystole", None, value=math.inf))
    store.write([stepped(1, chunk(0), events=[changed(1, 1, alarm(1)), changed(2, 2, alarm(2))])])
    assert [stored.alarm for stored in store.alarms.newest("anna", active_only=True)] == [alarm(1), alarm(2)]
    last = [changed(3, 3, alarm(1, level=1), "escalated"), changed(4, 4, ended, "ended")]
    acknowledged = changed(5, 5, acknowledged_alarm, "acknowledged", "nurse\0")
    store.write(
        [
            stepped(2, chunk(10), events=[*last, acknowledged]),
            stepped(1, events=[changed(1, 1, alarm())], patient="bob"),
        ]
    )
    assert [(stored.patient, stored.alarm) for stored in store.alarms.newest()] == [
        ("anna", ended),
        ("anna", acknowledged_alarm),
        ("bob", alarm()),
    ]
    assert [stored.alarm for stored in store.alarms.newest(active_only=True)] == [acknowledged_alarm, alarm()]
    assert store.alarms.get("anna", 2).alarm == acknowledged_alarm
    assert store.alarms.get("anna", 2).origin == NOW
    with pytest.raises(DataError, match="no alarm 3"):
        store.alarms.get("anna", 3)
    log = store.alarms.log("anna")
    assert [entry.change for entry in log] == ["raised", "raised", "escalated", "ended", "acknowledged"]
    assert log[-1] == acknowledged.transition


def test_the_chain_of_the_log_is_whole_when_it_is_read(store: Store):
    high = alarm(latest=ConditionReading("asystole", None, value=math.inf, limit=math.nan))
    raised = seal(1, 5.7, "raised", high, "", "", GENESIS)
    answered = replace(high, acknowledged_by="nurse")
    acknowledgement = seal(2, 6.0, "acknowledged", answered, "nurse\0", "déjà vu", raised.digest)
    samples = np.random.default_rng(0).standard_normal((2, 1, 140))
    evidence = Evidence(np.array([1.0, 1.5]), ("II",), samples, samples / 2, samples / 2)
    events = [AlarmChanged(1, 5.7, raised, (-4.3, 10.7), evidence), AlarmChanged(2, 6.0, acknowledgement)]
    store.write([stepped(1, chunk(0), events=events)])
    log = store.alarms.log("anna")
    assert len(log) == 2
    assert verify(log) is None
    assert encoded([stored.event for stored in store.alarms.changes("anna", 0)]) == []
    assert encoded([stored.event for stored in store.alarms.changes("anna", high.number)]) == encoded(events)
    light = [replace(event, evidence=None) for event in events]
    assert encoded([stored.event for stored in store.events.after()]) == encoded(light)


def test_the_audit_is_read_by_patient_and_page(store: Store):
    entries = [AuditEntry(NOW + number, "nurse", "saw waveform", "anna", f"{number}\0") for number in range(3)]
    entries.append(AuditEntry(NOW, "admin", "listed patients"))
    for entry in entries:
        store.audit.add(entry)
    readable = [msgspec.structs.replace(entry, detail=entry.detail.replace("\0", "\ufffd")) for entry in entries]
    audit = store.audit.newest()
    assert [stored.entry for stored in audit] == readable
    assert [stored.id for stored in audit] == sorted({stored.id for stored in audit})
    assert store.audit.newest("anna") == audit[:3]
    assert store.audit.newest(limit=2) == audit[2:]
    assert store.audit.newest(limit=2, before=audit[3].id) == audit[1:3]
    assert store.audit.newest("anna", before=audit[1].id) == audit[:1]
    assert store.audit.newest(before=audit[0].id) == []


# The outbox


def claimed(store: Store, now: float = NOW, most: int = 9, target: str = "pager", high: bool = False) -> list[str]:
    outbox: Outbox = store.outbox
    return [each.key for each in outbox.claim(now, most, target, high)]


def test_what_is_due_for_a_target_comes_once_the_oldest_first(store: Store):
    old, new, high = delivery("old", created=NOW - 9), delivery("new"), delivery("high", high=True)
    later, mail = delivery("later", due=NOW + 1), delivery("mail", target="mail")
    store.write([stepped(1, Tick(NOW), deliveries=(new, later, old, high, mail))])
    assert claimed(store, most=1) == ["old"]
    assert claimed(store) == ["new"]
    assert claimed(store) == []
    assert claimed(store, target="mail", high=True) == []
    assert store.outbox.claim(NOW, 9, "mail", False) == [mail]
    assert store.outbox.claim(NOW, 9, "pager", True) == [high]
    assert claimed(store, NOW + 1) == ["later"]


def test_a_message_nobody_has_finished_with_is_due_again(store: Store):
    store.write([stepped(1, Tick(NOW), deliveries=(delivery("a"),))])
    assert claimed(store) == ["a"]
    assert claimed(store, NOW + 59.9) == []
    assert claimed(store, NOW + 60) == ["a"]


def ended(url: str, state: DeliveryState) -> list[tuple[str, int, str]]:
    """Key, attempts and last error of the messages that have ended in a state."""
    columns = deliveries.c.key, deliveries.c.attempts, deliveries.c.error
    with database(url) as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).where(deliveries.c.state == state.value))]


def test_attempts_are_counted_until_a_message_is_taken_or_dead(store: Store, database_url: str):
    store.write([stepped(1, Tick(NOW), deliveries=(delivery("a"), delivery("b")))])
    outbox = store.outbox
    outbox.failed("a", NOW, "no answer\0", NOW + 5)
    outbox.failed("b", NOW, "gone", None)
    (retried,) = outbox.claim(NOW + 5, 9, "pager", False)
    assert (retried.key, retried.attempts, retried.error) == ("a", 1, "no answer\ufffd")
    outbox.succeeded("a", NOW + 6, "200")
    assert claimed(store, NOW + 1000) == []
    assert ended(database_url, DeliveryState.DEAD) == [("b", 1, "gone")]
    assert ended(database_url, DeliveryState.DELIVERED) == [("a", 2, "")]


def test_a_worker_that_comes_too_late_does_not_undo_a_success(store: Store, database_url: str):
    store.write([stepped(1, Tick(NOW), deliveries=(delivery("a"),))])
    store.outbox.succeeded("a", NOW, "200")
    store.outbox.failed("a", NOW, "no answer", NOW)
    store.outbox.failed("a", NOW, "no answer", None)
    assert claimed(store, NOW + 100) == ended(database_url, DeliveryState.DEAD) == []


def test_a_patient_is_unreached_until_any_target_takes_a_message_of_high_priority(store: Store):
    high = {"high": True, "created": NOW - 100}
    deliveries = (
        delivery("anna pager", **high),
        delivery("anna mail", **high),
        delivery("bob pager", patient="bob", **high),
        delivery("bob mail", patient="bob", **high),
        delivery("bob low", patient="bob", created=NOW - 100),
        delivery("bob young", patient="bob", high=True),
        delivery("bob earlier", patient="bob", high=True, created=NOW - 300),
    )
    store.write([stepped(1, Tick(NOW), deliveries=deliveries)])
    outbox = store.outbox
    outbox.succeeded("anna mail", NOW, "")
    outbox.succeeded("bob earlier", NOW - 200, "")
    outbox.succeeded("bob low", NOW, "")
    outbox.failed("bob mail", NOW, "gone", None)
    assert [each.key for each in outbox.unreached(NOW, 60)] == ["bob mail", "bob pager"]
    outbox.succeeded("bob young", NOW, "")
    assert outbox.unreached(NOW, 60) == []


def test_two_workers_never_get_the_same_message(store: Store, database_url: str):
    store.write([stepped(1, Tick(NOW), deliveries=tuple(delivery(f"{number}") for number in range(40)))])
    got: list[str] = []

    def work() -> None:
        with Store.open(database_url) as other:
            while keys := claimed(other, most=3):
                got.extend(keys)

    in_parallel([work] * 3)
    assert sorted(got, key=int) == [f"{number}" for number in range(40)]


def test_former_streams_are_not_cached(store: Store):
    def remembered() -> int:
        gc.collect()
        return sum(isinstance(item, _Stream) for item in gc.get_objects())

    store.write([stepped(1, chunk(0, stream="first"))])
    before = remembered()
    store.write([stepped(number, chunk(0, stream=f"{number}")) for number in range(2, 40)])
    store.write([stepped(number, chunk(10, stream=f"{number - 38}")) for number in range(40, 78)])
    assert remembered() == before
    for number in range(2, 40):
        assert np.isfinite(store.waveforms.read("anna", f"{number}", 0, 20).signal).all()


# Retention


def minutes(patient: str, start: float = NOW, snapshot_at: int | None = None) -> list[StepRecord]:
    """Twenty minutes with a chunk and a beat a second, and one snapshot."""
    return [
        stepped(
            second + 1,
            chunk(second * 250, 250, received=start + second),
            events=[beat(second + 1, float(second))],
            snapshot=b"state" if second == snapshot_at else None,
            origin=start,
            patient=patient,
        )
        for second in range(1200)
    ]


def test_retention_deletes_the_oldest_but_nothing_after_the_newest_snapshot(store: Store):
    store.patients.upsert("bob", NOW)
    store.write([*minutes("anna", snapshot_at=1100), *minutes("bob")])
    before_deletion = store.inputs.resume_point("anna"), store.inputs.resume_point("bob")
    assert store.retention.apply(older_than=NOW + 600) == Deleted(600, 600, 600 * 2000)
    assert store.retention.apply(older_than=NOW + 600) == Deleted(0, 0, 0)
    assert np.isnan(store.waveforms.read("anna", "", 0, 600 * 250).signal).all()
    assert np.isfinite(store.waveforms.read("anna", "", 600 * 250, 1200 * 250).signal).all()
    assert [stored.beat.number for stored in store.beats.first("anna", 0, 2 * NOW)] == list(range(601, 1201))
    assert store.retention.apply(older_than=2 * NOW) == Deleted(501, 501, 501 * 2000)
    for patient, before in zip(("anna", "bob"), before_deletion, strict=True):
        after = store.inputs.resume_point(patient)
        assert (after.snapshot, after.next_input) == (before.snapshot, before.next_input)
        assert encoded(after.inputs) == encoded(before.inputs)
    store.write([stepped(1201, chunk(0), events=[beat(1201)])])
    assert len(store.beats.first("anna", 0, 2 * NOW)) == 100


def test_retention_by_size_deletes_the_oldest_of_all_patients(store: Store):
    store.patients.upsert("bob", NOW)
    store.write(minutes("anna", snapshot_at=1199))
    store.write(minutes("bob", NOW + 600, snapshot_at=1199))
    assert store.retention.apply(larger_than_bytes=2400 * 2000) == Deleted(0, 0, 0)
    deleted = store.retention.apply(larger_than_bytes=1300 * 2000)
    assert (deleted.chunks, deleted.bytes) == (1100, 1100 * 2000)
    assert store.retention.apply(larger_than_bytes=1300 * 2000) == Deleted(0, 0, 0)
    left = {patient: [stored.time for stored in store.beats.first(patient, 0, 2 * NOW)] for patient in ("anna", "bob")}
    assert 1000 < deleted.beats == 2400 - len(left["anna"]) - len(left["bob"])
    for patient, start in (("anna", NOW), ("bob", NOW + 600)):
        is_stored = np.isfinite(store.waveforms.read(patient, "", 0, 1200 * 250).signal[::250, 0])
        assert is_stored.any()
        assert left[patient][0] in (start + is_stored.argmax() - 1, start + is_stored.argmax())
    store.write([stepped(1201, chunk(0, 250))])
    assert store.retention.apply(larger_than_bytes=1300 * 2000).chunks == 1
    assert store.retention.apply(larger_than_bytes=0).chunks == 1299
    assert encoded(store.inputs.resume_point("anna").inputs) == encoded([chunk(0, 250)])


def test_retention_leaves_alarms_commands_and_the_audit(store: Store):
    order = Command(CommandKind.RELEARN, NOW, "nurse")
    log: list[AlarmChanged] = []
    for number, present in ((1, alarm()), (3, alarm(phase=Phase.END, state=AlarmState.INACTIVE)), (5, alarm(2))):
        previous = log[-1].transition.digest if log else GENESIS
        log.append(AlarmChanged(number, 5.7, seal(len(log) + 1, 5.7, "changed", present, "", "", previous)))
    quality = QualityChanged(4, 7.0, "I", "good", 1.0)
    events = sorted(
        [*log, Notice(2, 6.0, "gap", ""), quality, InputRejected(6, 8.0, "no ECG")], key=lambda event: event.number
    )
    store.write([stepped(1, order, chunk(0), events=events, snapshot=b"")])
    store.write([stepped(3, Tick(NOW + 1), events=[Notice(7, 9.0, "gap", "")])])
    store.audit.add(AuditEntry(NOW, "nurse", "saw"))
    alarms = store.alarms.newest()
    assert store.retention.apply(2 * NOW, 0).chunks == 1
    assert encoded([stored.event for stored in store.events.after()]) == encoded([*log, Notice(7, 9.0, "gap", "")])
    assert store.alarms.log("anna") == [event.transition for event in log]
    assert verify(store.alarms.log("anna")) is None
    assert store.alarms.newest() == alarms
    assert [stored.event.number for stored in store.alarms.changes("anna", 1)] == [1, 3]
    assert encoded(list(store.inputs.all("anna"))) == encoded([order, Tick(NOW + 1)])
    assert len(store.audit.newest()) == 1


def test_retention_deletes_old_inputs_of_a_patient_without_samples(store: Store):
    nonsense = [
        chunk(0, received=NOW, unit="furlong"),
        Tick(NOW + 1),
        ServiceReport(NOW + 2, ConditionReading("storage failed", False)),
        *(RejectedInput(NOW + second, "no ECG") for second in range(3, 1200)),
    ]
    steps = [
        stepped(number, input_, events=[InputRejected(number, float(number - 1), "no ECG")])
        for number, input_ in enumerate(nonsense, 1)
    ]
    store.write([*steps[:1100], replace(steps[1100], snapshot=b"state"), *steps[1101:]])
    resume_point = store.inputs.resume_point("anna")
    for older_than, first in ((NOW + 600, 601), (2 * NOW, 1102)):
        store.retention.apply(older_than)
        assert encoded(list(store.inputs.all("anna"))) == encoded(nonsense[first - 1 :])
        assert [stored.event.number for stored in store.events.after(limit=2000)] == list(range(first, 1201))
        after = store.inputs.resume_point("anna")
        assert (resume_point.snapshot, resume_point.next_input) == (b"state", 1201)
        assert (after.snapshot, after.next_input) == (b"state", 1201)
        assert encoded(after.inputs) == encoded(resume_point.inputs)


def test_retention_deletes_a_damaged_input_with_its_neighbours(store: Store, database_url: str):
    store.write([stepped(1, *(RejectedInput(NOW + second, "no ECG") for second in range(3)), snapshot=b"")])
    with database(database_url) as connection:
        connection.exec_driver_sql("UPDATE journal SET body = substr(body, 1, 5) WHERE number = 2")
    store.retention.apply(NOW + 1)
    with pytest.raises(DataError, match="not a RejectedInput"):
        list(store.inputs.all("anna"))
    store.retention.apply(2 * NOW)
    assert list(store.inputs.all("anna")) == []


def test_readers_that_continue_after_an_id_miss_nothing_after_retention(database_url: str):
    for numbers in ((1, 2, 3), (4,), (5, 6)):
        # Each time by another process, which remembers nothing.
        with Store.open(database_url) as store:
            store.patients.upsert("anna", NOW)
            newest_id = store.events.newest_id()
            events = [Notice(number, float(number), "gap", "") for number in numbers]
            store.write([stepped(numbers[0], *map(Tick, map(float, numbers)), events=events, snapshot=b"")])
            assert [stored.event.number for stored in store.events.after(after=newest_id)] == list(numbers)
            store.retention.apply(2 * NOW)
            assert [stored.event.number for stored in store.events.after()] == [numbers[-1]]


def test_streams_are_deleted_with_their_last_chunk_and_not_used_again(store: Store, database_url: str):
    def stream_names() -> list[str]:
        with database(database_url) as connection:
            return list(connection.execute(sa.select(streams.c.stream).order_by(streams.c.id)).scalars())

    store.patients.upsert("bob", NOW)
    names = ["first", "second", "first", "third", "second"]
    store.write([stepped(number, chunk(0, stream=name, received=NOW + number)) for number, name in enumerate(names, 1)])
    store.write([stepped(6, Tick(NOW + 6), snapshot=b"")])
    store.retention.apply(NOW + 5)
    assert stream_names() == ["second", "third"]
    with Store.open(database_url) as other:
        other.retention.apply(2 * NOW)
    assert stream_names() == ["second"]
    store.write([stepped(1, chunk(0, stream="of bob"), patient="bob", snapshot=b"")])
    store.write([stepped(7, chunk(10, stream="second")), stepped(8, chunk(0, stream="first"), snapshot=b"")])
    for patient, name, start in (("bob", "of bob", 0), ("anna", "second", 10), ("anna", "first", 0)):
        assert np.array_equal(store.waveforms.read(patient, name, start, start + 10).signal, chunk(start).signal)
    store.retention.apply(2 * NOW)
    assert stream_names() == ["of bob", "first"]


def test_retention_deletes_finished_messages(store: Store, database_url: str):
    delivered = [delivery(f"{number}", state=DeliveryState.DELIVERED, ended=NOW + 10) for number in range(1200)]
    store.write([stepped(1, chunk(0), deliveries=(*delivered, delivery("dead"), delivery("waits")))])
    store.outbox.failed("dead", NOW + 10, "no", None)
    store.retention.apply(older_than=NOW + 10)
    assert [key for key, *_ in ended(database_url, DeliveryState.DEAD)] == ["dead"]
    store.retention.apply(older_than=NOW + 11)
    with database(database_url) as connection:
        assert connection.execute(sa.select(deliveries.c.key)).scalars().all() == ["waits"]


# Failures


@contextmanager
def unreachable(url: str, server: sa.Engine) -> Iterator[None]:
    """Lock the database, or let its server reject all connections."""
    if url.startswith("sqlite"):
        with locked(sa.make_url(url).database):
            yield
        return
    name = sa.make_url(url).database
    with server.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        yield
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_an_outage_is_one_error_and_the_next_write_works(database_url: str, request: pytest.FixtureRequest):
    impatient = database_url + "?timeout=0.05" if database_url.startswith("sqlite") else database_url
    server = None if database_url.startswith("sqlite") else request.getfixturevalue("postgresql")
    with Store.open(impatient) as store:
        store.patients.upsert("anna", NOW)
        store.write([stepped(1, chunk(0), events=[beat(1)])])
        waiting = [stepped(1, chunk(0), chunk(10), events=[beat(1), beat(2)], deliveries=(delivery("a"),))]
        with unreachable(database_url, server):
            for _ in range(2):
                with pytest.raises(StorageError, match="try again when it is back"):
                    store.write(waiting)
            with pytest.raises(StorageError):
                store.outbox.succeeded("a", NOW, "200")
        assert store.inputs.resume_point("anna").next_input == 2
        store.write(waiting)
        assert store.inputs.resume_point("anna").next_input == 3
        assert len(store.beats.first("anna", 0, 2 * NOW)) == 2


def test_a_full_disk_is_one_error_and_stores_nothing(tmp_path: Path):
    with Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}") as store:
        store.patients.upsert("anna", NOW)
        store.write([stepped(1, chunk(0))])
        large = [stepped(2, chunk(10, 200_000), events=[beat(1)], deliveries=(delivery("a"),))]
        with full_disk():
            with pytest.raises(StorageError, match=r"ectopy\.db fails"):
                store.write(large)
            assert store.inputs.resume_point("anna").next_input == 2
        assert store.beats.first("anna", 0, 2 * NOW) == []
        store.write(large)
        assert store.inputs.resume_point("anna").next_input == 3


def test_readers_do_not_wait_for_the_writer(store: Store, database_url: str):
    store.write([stepped(1, chunk(0))])
    with database(database_url) as writer:
        writer.exec_driver_sql("DELETE FROM waveforms")
        assert len(store.inputs.resume_point("anna").inputs) == 1
        writer.rollback()


# The kill of the process

KILLED = ("anna", "bob", "carl")
WRITER = "import sys; sys.path[:0] = sys.argv[2:]; import test_store; test_store.write_for_ever(sys.argv[1])"


def one_step(patient: str, step: int) -> StepRecord:
    """Three inputs, three events and a message, made of nothing but their number."""
    inputs = (chunk(step * 20, 20), Tick(NOW + step), Command(CommandKind.RELEARN, NOW + step, patient))
    number = 3 * step + 1
    return StepRecord(
        patient,
        number,
        inputs,
        (
            beat(number, float(step)),
            Notice(number + 1, step, "gap", ""),
            changed(number + 2, step + 1, alarm(step + 1)),
        ),
        NOW,
        f"state {step}".encode() if step % 5 == 0 else None,
        (delivery(f"{patient} {step}", patient=patient),),
    )


def write_for_ever(url: str) -> None:
    with Store.open(url) as store:
        for step in itertools.count((store.inputs.resume_point("anna").next_input - 1) // 3):
            store.write([one_step(patient, step) for patient in KILLED])
            print(step, flush=True)


def test_acknowledged_steps_outlive_the_kill_of_the_process(database_url: str):
    with Store.open(database_url) as store:
        for patient in KILLED:
            store.patients.upsert(patient, NOW)
    acknowledged = -1
    for kill in range(2):
        folders = [str(Path(__file__).parents[level]) for level in (0, 2)]
        command = [sys.executable, "-c", WRITER, database_url, *folders]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            lines = [process.stdout.readline() for _ in range(random.Random(kill).randint(10, 30))]
            os.kill(process.pid, signal.SIGKILL)
            lines += process.stdout.readlines()
        assert process.returncode == -signal.SIGKILL
        steps = [int(line) for line in lines if line.endswith("\n")]
        assert steps[0] in (acknowledged + 1, acknowledged + 2)
        acknowledged = steps[-1]
    with Store.open(database_url) as store:
        stored = (store.inputs.resume_point("anna").next_input - 1) // 3
        assert stored in (acknowledged + 1, acknowledged + 2)
        expected = {patient: [one_step(patient, step) for step in range(stored)] for patient in KILLED}
        for patient, steps in expected.items():
            restored = store.inputs.resume_point(patient)
            last = max(step for step in range(0, stored, 5))
            assert restored.snapshot == f"state {last}".encode()
            assert encoded(restored.inputs) == encoded([input_ for step in steps[last + 1 :] for input_ in step.inputs])
            signal_sent = np.concatenate([step.inputs[0].signal for step in steps])
            np.testing.assert_array_equal(store.waveforms.read(patient, "", 0, 20 * stored).signal, signal_sent)
            assert [each.beat for each in store.beats.first(patient, 0, 2 * NOW)] == [step.events[0] for step in steps]
            assert [each.event for each in store.events.after(patient=patient)] == [
                event for step in steps for event in step.events[1:]
            ]
            assert store.alarms.log(patient) == [step.events[2].transition for step in steps]
            assert len(store.alarms.newest(patient)) == stored
        assert set(claimed(store, most=1000)) == {
            step.deliveries[0].key for steps in expected.values() for step in steps
        }


# Commands


def test_commands_wait_until_their_input_is_stored(store: Store):
    commands = [Command(CommandKind.ACKNOWLEDGE, NOW + k, "Ada", "seen", k) for k in (1, 2)]
    for command in commands:
        store.inputs.enqueue_command("anna", command)
    waiting = store.inputs.pending_commands()
    assert [(pending.patient, pending.action) for pending in waiting] == [("anna", command) for command in commands]
    store.write([stepped(1, waiting[0].action, commands=(waiting[0].id,))])
    assert store.inputs.pending_commands() == waiting[1:]
    with pytest.raises(NotFoundError, match="no patient 'nobody'"):
        store.inputs.enqueue_command("nobody", commands[0])


def test_all_inputs_are_read_from_the_first(store: Store):
    inputs = [chunk(0), chunk(10), Command(CommandKind.RELEARN, NOW, "Ada"), chunk(20)]
    store.write([stepped(1, *inputs, snapshot=b"")])
    assert encoded(list(store.inputs.all("anna"))) == encoded(inputs)
