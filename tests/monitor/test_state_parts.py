"""A state in parts is the state, to the last bit; only a small part of it is written."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.datasets import simulate_recording
from ectopy.datasets.mitdb import load_mitdb
from ectopy.datasets.simulated import Episode
from ectopy.errors import DataError
from ectopy.monitor import Chunk, Command, CommandKind, End, Input, Monitor, MonitorState, chunks
from ectopy.monitor.codec import encode
from ectopy.monitor.snapshot import SNAPSHOT_VERSION
from ectopy.monitor.state_parts import StoredState, changed_parts, join, split
from support.data_sets import folder_of
from support.monitor_steps import feed

NOW = 1_700_000_000.0
BATCH_S = 2


class Store:
    """Parts of one patient, written as a state changes."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        self.stored: StoredState | None = None
        self.sizes: list[int] = []
        self.calls: list[int] = []

    def write(self, state: MonitorState) -> None:
        before = self.stored
        self.stored, changes = split(state) if before is None else changed_parts(before, state)
        self.parts |= changes.written
        for name in changes.removed:
            del self.parts[name]
        self.sizes.append(sum(map(len, changes.written.values())))
        self.calls.append(len(changes.written))

    def reload(self) -> None:
        self.stored = join(self.parts)

    def assert_holds(self, state: MonitorState) -> None:
        assert encode(join(self.parts).state) == encode(state)


@pytest.fixture(scope="module")
def quick(monitor: Monitor) -> Monitor:
    """A monitor that learns fast."""
    return Monitor(monitor.criterion, learning_s=30.0)


def moving(rng: np.random.Generator) -> list[Input]:
    """A patient whose stream has holes, ends, begins anew at another rate or with other leads, and is commanded."""
    inputs: list[Input] = []
    now = NOW
    for number in range(int(rng.integers(2, 5))):
        rate_hz, leads = float(rng.choice([250.0, 250.0, 128.0, 257.5])), int(rng.integers(1, 3))
        length_s = int(rng.integers(1, 60))
        kind = rng.choice(["noise", "lead_off", "asystole"])
        episodes = [Episode(kind, rng.uniform(2, length_s / 2), 5)] if length_s > 20 and rng.random() < 0.5 else []
        seed = int(rng.integers(3))
        made = simulate_recording(length_s, sampling_rate_hz=rate_hz, leads=leads, episodes=episodes, random_state=seed)
        signal, size = made.signal.copy(), round(rng.choice([0.4, 1.0]) * rate_hz)
        signal[rng.integers(len(signal)) :][: int(rng.integers(1, 400))] = np.nan
        names = (("I", "II"), ("II", "V1"))[int(rng.integers(2))][:leads]
        for begin in range(0, len(signal), size):
            now += size / rate_hz
            part = signal[begin : begin + size]
            if rng.random() > 0.03:
                stream = str(number % 2)
                inputs.append(Chunk(begin, part, rate_hz, names, now, stream=stream))
            if rng.random() < 0.04:
                kind = rng.choice([CommandKind.RELEARN, CommandKind.DISCHARGE, CommandKind.ADMIT, CommandKind.ADMIT])
                inputs.append(Command(kind, now, "nurse"))
        if rng.random() < 0.3:
            inputs.append(End(now))
    return inputs


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_parts_of_a_state_are_the_state(quick: Monitor, seed: int):
    rng = np.random.default_rng(seed)
    store, state, inputs = Store(), MonitorState(), moving(rng)
    while inputs:
        count = int(rng.integers(1, 8))
        state, _ = feed(quick, state, *inputs[:count])
        inputs = inputs[count:]
        store.write(state)
        if rng.random() < 0.3:
            store.assert_holds(state)
        if rng.random() < 0.1:
            store.reload()
    store.assert_holds(state)


def test_the_parts_of_a_recorded_patient_are_the_state(monitor: Monitor):
    store, state = Store(), MonitorState()
    for number, chunk in enumerate(itertools.islice(chunks(load_mitdb("208", folder_of("mitdb", ["208"]))), 360)):
        state, _ = monitor.step(state, chunk)
        if number % BATCH_S:
            store.write(state)
            if number % 40 == 1:
                store.assert_holds(state)
                store.reload()


def test_a_stream_that_is_sent_again_with_other_samples_shares_no_row(quick: Monitor):
    signal = simulate_recording(12, leads=1).signal
    store, state = Store(), MonitorState()
    for stream, factor in (("a", 1.0), ("b", 2.0)):
        for begin in range(0, len(signal), 250):
            chunk = Chunk(begin, factor * signal[begin : begin + 250], 250.0, ("I",), NOW + begin / 250, stream=stream)
            state, _ = quick.step(state, chunk)
        store.write(state)
        store.assert_holds(state)


def test_two_leads_at_250_hz_write_40_kb_in_two_seconds_and_in_few_parts(monitor: Monitor):
    learned_after_s, length_s = 60, 400
    slow = Monitor(monitor.criterion, learning_s=float(learned_after_s))
    recording = simulate_recording(length_s, sampling_rate_hz=250.0, leads=2, ectopic={"V": 0.05}, random_state=1)
    store, state = Store(), MonitorState()
    for number, chunk in enumerate(chunks(recording, 1.0)):
        state, _ = slow.step(state, chunk)
        if number % BATCH_S:
            store.write(state)
    learning = store.sizes[5 : learned_after_s // BATCH_S]
    after = store.sizes[learned_after_s // BATCH_S + 5 :]
    assert np.mean(after) < 36_000
    assert max(after) < 43_000
    assert np.mean(learning) < 42_000
    assert max(store.calls) <= 6
    assert np.mean(store.calls[5:]) < 4
    assert sum(map(len, store.parts.values())) < 1.4 * len(encode(state))


@pytest.fixture(scope="module")
def parts(quick: Monitor) -> dict[str, bytes]:
    store, state = Store(), MonitorState()
    for chunk in itertools.islice(chunks(simulate_recording(40, leads=2)), 40):
        state, _ = quick.step(state, chunk)
        store.write(state)
    return store.parts


def test_a_part_that_is_missing_or_damaged_is_an_error(parts: dict[str, bytes]):
    for name, content in parts.items():
        others = {other: value for other, value in parts.items() if other != name}
        with pytest.raises(DataError, match="is missing"):
            join(others)
        with pytest.raises(DataError, match="these bytes are not a"):
            join(others | {name: content[:-1]})


def test_a_block_in_place_of_another_is_an_error(parts: dict[str, bytes]):
    beats = [name for name in parts if name.startswith("beats/")]
    (signal, *_) = (name for name in parts if name.startswith("signal/"))
    with pytest.raises(DataError, match=r"rows of .* are missing"):
        join(parts | {signal: parts[beats[0]]})


def test_every_part_has_the_version_of_the_state(parts: dict[str, bytes]):
    for name, content in parts.items():
        newer = msgspec.msgpack.decode(content) | {"version": SNAPSHOT_VERSION + 1}
        with pytest.raises(DataError, match="start the newer Ectopy that wrote it"):
            join(parts | {name: msgspec.msgpack.encode(newer)})


def test_a_state_that_has_not_changed_writes_nothing(quick: Monitor):
    state, _ = feed(quick, MonitorState(), *itertools.islice(chunks(simulate_recording(3)), 3))
    stored, _ = split(state)
    again, changes = changed_parts(stored, state)
    assert again is stored
    assert changes.written == {}
    assert changes.removed == ()
