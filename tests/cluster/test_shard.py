"""A shard of patients, step by step, is each patient's monitor, however the log is cut into micro-batches."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.cluster import backlog, shard
from ectopy.cluster.input_log import STATE, STEPS, ReadPart, part_name, restore
from ectopy.cluster.log_rows import LogRow, Topic
from ectopy.cluster.shard import INDEX, REPLAYED_S, SHARD, SHARE_S, PatientEvent, ShardIndex, ShardResult, step_shard
from ectopy.cluster.state_memory import StateMemory
from ectopy.datasets import simulate_recording
from ectopy.datasets.mitdb import DS1, load_mitdb
from ectopy.datasets.simulated import Episode
from ectopy.monitor import Chunk, Command, CommandKind, Event, Input, InputRejected, Monitor, MonitorState, Tick, chunks
from ectopy.monitor import monitor as monitor_module
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.snapshot import decode_snapshot
from ectopy.monitor.status import normal, patient_status
from ectopy.monitor.viewed_state import viewed_state, with_template
from ectopy.recording import Recording
from ectopy.signal.front_end import SignalBlock, run_front_ends
from support.data_sets import folder_of
from support.examples import examples
from support.monitor_steps import feed

NOW = 1_700_000_000.0
PARTITIONS = 2


@dataclass
class Store:
    """Parts as a stream's state holds them, and everything that came out."""

    parts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    events: list[PatientEvent] = field(default_factory=list)
    viewed: dict[str, bytes] = field(default_factory=dict)
    memory: StateMemory = field(default_factory=StateMemory)
    last: ShardResult | None = None

    def read(self, patient: str, name: str) -> bytes | None:
        return self.parts.get(patient, {}).get(name)

    def step(self, monitor: Monitor, rows: list[LogRow]) -> ShardResult:
        result = step_shard(monitor, self.read, rows, self.memory)
        for patient, names in result.removed.items():
            for name in names:
                del self.parts[patient][name]
        for patient, written in result.written.items():
            self.parts.setdefault(patient, {}).update(written)
        self.events += result.events
        self.viewed |= result.viewed
        self.last = result
        return result

    def finish(self, monitor: Monitor) -> None:
        """Take what waits because one batch had more of a patient than its share; in a stream the next tick does it."""
        while any(entry.backlog for entry in decode(ShardIndex, self.parts[SHARD][INDEX]).patients.values()):
            self.step(monitor, [])

    def state(self, monitor: Monitor, patient: str) -> MonitorState:
        """What a process that has nothing in memory restores."""
        index = decode(ShardIndex, self.parts[SHARD][INDEX])
        step = index.step + 1
        stored_at = {patient: index.patients[patient].unchanged_since(step)}
        state = restore(monitor, self.read, SHARD, step, stored_at)[patient]
        assert isinstance(state, MonitorState)
        return state

    def of(self, patient: str) -> list[Event]:
        return [each.event for each in self.events if each.patient == patient]


def rows_of(inputs: list[tuple[float, str, Input]], partition_of: Mapping[str, int]) -> list[LogRow]:
    """Write inputs to a log: samples and ticks to their partitions, commands to another topic."""
    offsets: dict[tuple[Topic, int], int] = {}
    rows = []
    for at, patient, item in sorted(inputs, key=lambda row: row[0]):
        topic = Topic.COMMANDS if isinstance(item, Command) else Topic.SAMPLES
        partitions = range(PARTITIONS) if isinstance(item, Tick) else [partition_of[patient]]
        for partition in partitions:
            offset = offsets[topic, partition] = offsets.get((topic, partition), -1) + 1
            rows.append(LogRow(topic, partition, offset, at, patient, (item,)))
    return rows


def in_order(rows: list[LogRow], patient: str) -> list[Input]:
    """Return what a patient's monitor gets: from the first record on, with the ticks of its partition."""
    (partition,) = {row.partition for row in rows if row.patient == patient and row.topic is Topic.SAMPLES}
    own = [row for row in rows if row.patient == patient or (not row.patient and row.partition == partition)]
    first = next(number for number, row in enumerate(own) if row.patient)
    return [item for row in own[first:] for item in row.inputs]


def cut(rng: np.random.Generator, rows: list[LogRow], mean: float) -> Iterator[list[LogRow]]:
    """Cut a log into micro-batches."""
    while rows:
        count = 1 + int(rng.exponential(mean))
        batch, rows = rows[:count], rows[count:]
        rng.shuffle(batch)  # type: ignore[arg-type]
        yield batch


def assert_as_alone(monitor: Monitor, store: Store, rows: list[LogRow], patients: list[str]) -> None:
    for patient in patients:
        state, events = feed(monitor, MonitorState(), *in_order(rows, patient))
        assert encode(store.of(patient)) == encode(events)
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        stored = store.state(monitor, patient)
        assert encode(stored) == encode(state)
        seen = decode_snapshot(store.viewed[patient])
        assert patient_status(seen, NOW + 30, 30.0) == patient_status(state, NOW + 30, 30.0)


@pytest.fixture(scope="module")
def quick(monitor: Monitor) -> Monitor:
    """A monitor that learns fast."""
    return Monitor(monitor.criterion, learning_s=30.0)


def patient_inputs(rng: np.random.Generator, patient: str, length_s: int) -> list[tuple[float, str, Input]]:
    """Samples with holes and silences, and commands."""
    rate_hz, leads = float(rng.choice([250.0, 128.0])), int(rng.integers(1, 3))
    episodes = [Episode("asystole", length_s / 3, 8)] if rng.random() < 0.4 else []
    made = simulate_recording(
        length_s, sampling_rate_hz=rate_hz, leads=leads, episodes=episodes, random_state=int(rng.integers(3))
    )
    size, delay_s, begin_s = round(rate_hz), rng.random(), rng.uniform(0, 8)
    inputs: list[tuple[float, str, Input]] = []
    silent_to = 0
    for second in range(length_s):
        at = round(NOW + begin_s + second + delay_s, 3)
        if rng.random() < 0.02:
            silent_to = second + int(rng.integers(2, 16))
        if second >= silent_to and rng.random() > 0.03:
            signal = made.signal[second * size : (second + 1) * size]
            inputs.append((at, patient, Chunk(second * size, signal, rate_hz, ("I", "II")[:leads], at)))
        if second and rng.random() < 0.06:
            kinds = [CommandKind.ACKNOWLEDGE, CommandKind.PAUSE_AUDIO, CommandKind.RELEARN, CommandKind.DISCHARGE]
            at = round(at + rng.uniform(0.001, 0.9), 3)
            inputs.append((at, patient, Command(rng.choice([*kinds, CommandKind.ADMIT]), at, "nurse", alarm=1)))
    return inputs


def ticks(length_s: int) -> list[tuple[float, str, Input]]:
    return [(NOW + second + 0.0005, "", Tick(NOW + second + 0.0005)) for second in range(length_s)]


@settings(max_examples=examples(5))
@given(seed=st.integers(0, 2**32 - 1))
def test_the_result_is_that_of_each_monitor_however_the_log_is_cut(
    quick: Monitor, tmp_path_factory: pytest.TempPathFactory, seed: int
):
    folder = tmp_path_factory.mktemp("states")
    rng = np.random.default_rng(seed)
    patients = [f"patient {number}" for number in range(4)]
    partition_of = {patient: int(rng.integers(PARTITIONS)) for patient in patients}
    inputs = ticks(60)
    for patient in patients:
        inputs += patient_inputs(rng, patient, 45)
    rows = rows_of(inputs, partition_of)
    store = Store(memory=StateMemory(folder))
    for batch in cut(rng, rows, float(rng.choice([3.0, 20.0, 100.0]))):
        store.step(quick, batch)
        if rng.random() < 0.2:  # another process of the machine, or of another machine
            store.memory = StateMemory(folder if rng.random() < 0.5 else None)
    store.finish(quick)
    assert_as_alone(quick, store, rows, patients)


def streamed(recording: Recording, patient: str, chunk_s: float = 1.0) -> list[tuple[float, str, Input]]:
    """A recording as it comes from a device."""
    return [
        (NOW + chunk.received, patient, replace(chunk, received=NOW + chunk.received))
        for chunk in chunks(recording, chunk_s)
    ]


def assert_recordings_are_watched_as_alone(
    monitor: Monitor, recordings: Mapping[str, Recording], length_s: int, mean: float
) -> None:
    inputs = ticks(length_s)
    for patient, recording in recordings.items():
        inputs += streamed(recording, patient)
    rows = rows_of(inputs, {patient: number % PARTITIONS for number, patient in enumerate(recordings)})
    store = Store()
    for batch in cut(np.random.default_rng(0), rows, mean):
        store.step(monitor, batch)
    assert_as_alone(monitor, store, rows, list(recordings))


def beginning(recording: Recording, length_s: float) -> Recording:
    return replace(recording, signal=recording.signal[: round(length_s * recording.sampling_rate_hz)])


def test_recorded_patients_are_watched_as_alone(quick: Monitor):
    folder = folder_of("mitdb", ["106", "208"])
    records = {record: beginning(load_mitdb(record, folder), 60) for record in ("106", "208")}
    assert_recordings_are_watched_as_alone(quick, records, 70, 8.0)


@pytest.mark.long
@pytest.mark.parametrize("part", range(11))
def test_all_records_are_watched_as_alone(monitor: Monitor, part: int):
    folder = folder_of("mitdb", DS1)
    records = {record: load_mitdb(record, folder) for record in DS1[2 * part : 2 * part + 2]}
    assert_recordings_are_watched_as_alone(monitor, records, 1810, 12.0)


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_two_hundred_simulated_patients_are_watched_as_alone(quick: Monitor, part: int):
    rng = np.random.default_rng(part)
    patients = [f"{part}-{number}" for number in range(25)]
    partition_of = {patient: number % PARTITIONS for number, patient in enumerate(patients)}
    inputs = ticks(140)
    for patient in patients:
        inputs += patient_inputs(rng, patient, 120)
    rows = rows_of(inputs, partition_of)
    store = Store()
    for batch in cut(rng, rows, 60.0):
        store.step(quick, batch)
    assert_as_alone(quick, store, rows, patients)


def chunk(second: float, at: float, length_s: float = 1.0, height: float = 1.0, rate_hz: float = 250.0) -> Chunk:
    size = round(length_s * rate_hz)
    wave = height * np.sin(2 * np.pi * np.arange(size) / rate_hz).astype(np.float32)
    return Chunk(round(second * rate_hz), wave[:, None], rate_hz, ("I",), at)


def row(offset: int, at: float, patient: str, *inputs: Input, topic: Topic = Topic.SAMPLES) -> LogRow:
    return LogRow(topic, 0, offset, at, patient, inputs)


def test_one_who_uploads_a_day_at_once_gets_a_share_and_loses_nothing(quick: Monitor):
    hour = [row(number, NOW + 1, "upload", chunk(50 * number, NOW + 1, 50)) for number in range(10)]
    other = [row(20 + number, NOW + number, "live", chunk(number, NOW + number)) for number in range(4)]
    late = [row(30 + number, NOW + 5 + number, "", Tick(NOW + 5 + number)) for number in range(30)]
    store = Store()
    first = store.step(quick, [*hour, *other[:2]])
    # The first chunk alone is more than the share; the other patient is not touched.
    assert store.state(quick, "upload").signal.segment.next_position == 50 * 250
    assert store.state(quick, "live").signal.segment.next_position == 2 * 250
    assert any(name.startswith("backlog/") for name in first.written["upload"])
    store.step(quick, [*other[2:], *late[:3]])
    assert store.state(quick, "upload").signal.segment.next_position == 100 * 250
    for _ in range(12):
        store.step(quick, late[:0])
    store.step(quick, late)
    assert not any(name.startswith("backlog/") for name in store.parts["upload"])
    rows = [*hour, *other, *late]
    for patient in ("upload", "live"):
        state, events = feed(quick, MonitorState(), *in_order(rows, patient))
        assert encode(store.of(patient)) == encode(events)
        assert encode(store.state(quick, patient)) == encode(state)
    assert SHARE_S < 50


def test_a_backlog_has_a_limit_and_the_patient_is_told(quick: Monitor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backlog, "MOST_BYTES", 200_000)
    rows = [row(number, NOW + 1, "upload", chunk(50 * number, NOW + 1, 50)) for number in range(20)]
    store = Store()
    for batch in (rows[:10], rows[10:], [], [], [], [], [], []):
        store.step(quick, batch)
    rejections = [event for event in store.of("upload") if isinstance(event, InputRejected)]
    assert len(rejections) == 1
    assert "are given up" in rejections[0].reason
    assert [event.number for event in store.of("upload")] == list(range(1, len(store.of("upload")) + 1))
    assert not any(name.startswith("backlog/") for name in store.parts["upload"])


def test_a_command_waits_until_the_samples_have_come_to_its_time(quick: Monitor):
    command = Command(CommandKind.DISCHARGE, NOW + 2.5, "nurse")
    samples = [row(number, NOW + number, "7", chunk(number, NOW + number)) for number in range(5)]
    store = Store()
    store.step(quick, [*samples[:2], row(0, NOW + 2.5, "7", command, topic=Topic.COMMANDS)])
    assert not store.state(quick, "7").discharged
    store.step(quick, samples[2:4])
    assert store.state(quick, "7").discharged
    _, events = feed(quick, MonitorState(), *[each.inputs[0] for each in samples[:3]], command, samples[3].inputs[0])
    assert encode(store.of("7")) == encode(events)
    (answer,) = [each for each in store.events if each.command is not None]
    assert answer.command == (0, 0)
    assert answer.event.subject == "discharged"


def test_a_command_in_the_batch_of_the_first_samples_comes_in_its_time(quick: Monitor):
    command = Command(CommandKind.DISCHARGE, NOW + 2.5, "nurse")
    inputs = [*ticks(5), *[(NOW + n, "7", chunk(n, NOW + n)) for n in range(4)], (NOW + 2.5, "7", command)]
    rows = rows_of(inputs, {"7": 1})
    store = Store()
    store.step(quick, rows)
    assert_as_alone(quick, store, rows, ["7"])


def test_time_begins_for_a_patient_with_the_first_record(quick: Monitor):
    command = Command(CommandKind.RELEARN, NOW + 5.5, "nurse")
    store = Store()
    store.step(quick, [row(0, NOW + 5.5, "7", command, topic=Topic.COMMANDS), row(0, NOW + 5, "", Tick(NOW + 5))])
    assert "7" not in store.parts
    store.step(quick, [row(number, NOW + 5 + number, "", Tick(NOW + 5 + number)) for number in range(1, 4)])
    state, events = feed(quick, MonitorState(), command, *[Tick(NOW + 5 + number) for number in range(1, 4)])
    assert encode(store.of("7")) == encode(events)
    assert encode(store.state(quick, "7")) == encode(state)


def test_ticks_that_change_nothing_read_no_state(quick: Monitor):
    store = Store()
    store.step(quick, [row(number, NOW + number, "7", chunk(number, NOW + number)) for number in range(5)])
    names: list[tuple[str, str]] = []

    def read(patient: str, name: str) -> bytes | None:
        names.append((patient, name))
        return store.read(patient, name)

    result = step_shard(quick, read, [row(10, NOW + 8, "", Tick(NOW + 8))])
    assert names == [(SHARD, INDEX)]
    assert list(result.written) == [SHARD]
    silent = step_shard(quick, read, [row(10, NOW + 20, "", Tick(NOW + 20))])
    assert [each.event.alarm.condition for each in silent.events] == ["no data"]


def test_a_state_in_memory_is_used_only_if_it_is_that_of_the_log(quick: Monitor, tmp_path: Path):
    rows = [row(number, NOW + number, "7", chunk(number, NOW + number)) for number in range(6)]
    store = Store(memory=StateMemory(tmp_path))
    store.step(quick, rows[:2])
    (outdated,) = tmp_path.iterdir()
    before = outdated.name, outdated.read_bytes()
    store.step(quick, rows[2:4])
    assert not outdated.exists()
    reads: list[tuple[str, str]] = []

    def read(patient: str, name: str) -> bytes | None:
        reads.append((patient, name))
        return store.read(patient, name)

    cold = step_shard(quick, read, rows[4:])
    restoring = [(SHARD, INDEX), ("7", STATE), (SHARD, part_name(2))]
    assert reads == restoring
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / before[0]).write_bytes(before[1])
    shutil.copytree(tmp_path, tmp_path / "other", ignore=lambda *_: ["older", "other"])
    for memory, expected in [
        (store.memory, restoring[:1]),
        (StateMemory(tmp_path / "other"), restoring[:1]),
        (StateMemory(tmp_path / "older"), restoring),
        (StateMemory(tmp_path / "none"), restoring),
    ]:
        reads.clear()
        result = step_shard(quick, read, rows[4:], memory)
        assert reads == expected
        assert encode([each.event for each in result.events]) == encode([each.event for each in cold.events])
        assert result.written == cold.written


def test_a_state_is_stored_in_turns_and_its_inputs_meanwhile(quick: Monitor):
    store, sizes = Store(), []
    patients = [f"patient {number}" for number in range(30)]
    for second in range(3 * STEPS):
        rows = [
            row(30 * second + n, NOW + second, patient, chunk(second, NOW + second))
            for n, patient in enumerate(patients)
        ]
        result = store.step(quick, rows)
        sizes.append(sum(STATE in parts for parts in result.written.values()))
    assert sizes[0] == len(patients)
    assert max(sizes[1:]) < len(patients) / 4
    for begin in range(1, 2 * STEPS):
        assert sum(sizes[begin : begin + STEPS]) == len(patients)
    assert len(store.parts[SHARD]) == 1 + STEPS


def test_much_signal_is_not_left_to_be_processed_again(quick: Monitor):
    store = Store()
    for number in range(6):
        store.step(quick, [row(number, NOW + number, "7", chunk(20 * number, NOW + number, 20))])
        index = decode(ShardIndex, store.parts[SHARD][INDEX])
        assert index.patients["7"].since_s <= REPLAYED_S


def test_a_new_version_that_says_less_of_the_stored_inputs_repeats_no_number(
    quick: Monitor, monkeypatch: pytest.MonkeyPatch
):
    rows = [row(number, NOW + 10 * number, "7", chunk(10 * number, NOW + 10 * number, 10)) for number in range(4)]
    store = Store()
    store.step(quick, rows[:1])
    store.step(quick, rows[1:2])
    store.memory = StateMemory()

    def fewer(monitor: Monitor, read: ReadPart, shard: str, step: int, stored_at: Mapping[str, int]):
        states = restore(monitor, read, shard, step, stored_at)
        return {patient: replace(state, events=state.events - 1) for patient, state in states.items()}

    monkeypatch.setattr(shard, "restore", fewer)
    store.step(quick, rows[2:])
    assert [event.number for event in store.of("7")] == list(range(1, len(store.of("7")) + 1))


def test_a_damaged_state_is_a_failure_of_that_patient_alone(quick: Monitor):
    rows = [row(2 * n + p, NOW + n, str(p), chunk(n, NOW + n)) for n in range(6) for p in range(2)]
    store = Store()
    store.step(quick, rows[:6])
    store.parts["0"] = {name: content[:-1] for name, content in store.parts["0"].items()}
    damaged = dict(store.parts["0"])
    store.memory = StateMemory()
    result = store.step(quick, rows[6:])
    assert {failure.patient for failure in result.failures} == {"0"}
    assert [failure.offset for failure in result.failures] == [6, 8, 10]
    assert "are not a" in result.failures[0].reason
    assert store.parts["0"] == damaged
    assert store.state(quick, "1").signal.segment.next_position == 6 * 250


def test_an_input_that_the_monitor_fails_on_is_told_and_the_others_go_on(
    quick: Monitor, monkeypatch: pytest.MonkeyPatch
):
    def breaking(pieces: list[SignalBlock]):
        if any(np.nanmax(piece.signal) > 90 for piece in pieces):
            raise FloatingPointError("too much")
        return run_front_ends(pieces)

    monkeypatch.setattr(monitor_module, "run_front_ends", breaking)
    rows = [row(2 * n + p, NOW + n, str(p), chunk(n, NOW + n, height=1 + 199 * p)) for n in range(4) for p in range(2)]
    store = Store()
    store.step(quick, rows)
    assert "detector failed" in store.state(quick, "1").alarms.timers
    assert "detector failed" not in store.state(quick, "0").alarms.timers


def test_viewers_who_remember_the_template_get_it_seldom(quick: Monitor):
    rows = rows_of(streamed(simulate_recording(100, random_state=1), "7"), {"7": 0})
    store, seen, has_template = Store(), MonitorState(), []
    for begin in range(0, len(rows), 2):
        viewed = decode_snapshot(store.step(quick, rows[begin : begin + 2]).viewed["7"])
        template = normal(viewed)
        has_template.append(template is not None and template.template.size > 0)
        seen = with_template(viewed, seen)
        entry = decode(ShardIndex, store.parts[SHARD][INDEX]).patients["7"]
        assert encode(seen) == encode(viewed_state(store.memory.get("7", entry.token)))
    learned = has_template[20:]
    assert 1 <= sum(learned) <= 1 + len(learned) // STEPS


def test_the_index_is_small(quick: Monitor):
    store = Store()
    store.step(quick, [row(number, NOW, f"patient {number}", chunk(0, NOW)) for number in range(32)])
    assert len(store.parts[SHARD][INDEX]) < 32 * 250
