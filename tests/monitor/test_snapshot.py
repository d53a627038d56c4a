from __future__ import annotations

import msgspec
import pytest

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording
from ectopy.errors import DataError
from ectopy.monitor import Monitor, MonitorState, chunks
from ectopy.monitor.codec import encode
from ectopy.monitor.snapshot import SNAPSHOT_VERSION, decode_snapshot, encode_snapshot


@pytest.fixture(scope="module")
def state() -> MonitorState:
    monitor, state = Monitor.of(load_ambulatory()), MonitorState()
    for chunk in chunks(simulate_recording(15)):
        state, _ = monitor.step(state, chunk)
    return state


def with_version(version: object, state: MonitorState) -> bytes:
    return msgspec.msgpack.encode({"version": version, "state": msgspec.Raw(encode(state))})


def test_a_snapshot_has_the_version_and_every_bit_of_the_state(state: MonitorState):
    content = encode_snapshot(state)
    assert content == with_version(SNAPSHOT_VERSION, state)
    assert encode(decode_snapshot(content)) == encode(state)


def test_a_snapshot_of_a_newer_version_is_rejected_whatever_its_state_is(state: MonitorState):
    sentence = r"has version 2, and this Ectopy reads up to 1; start the newer Ectopy that wrote it\."
    with pytest.raises(DataError, match=sentence):
        decode_snapshot(with_version(SNAPSHOT_VERSION + 1, state))
    with pytest.raises(DataError, match=sentence):
        decode_snapshot(msgspec.msgpack.encode({"version": SNAPSHOT_VERSION + 1, "parts": 3}))


def test_a_state_from_before_there_were_versions_is_read(state: MonitorState):
    assert encode(decode_snapshot(encode(state))) == encode(state)


@pytest.mark.parametrize("version", [None, "1", 1.5])
def test_a_version_that_is_not_an_integer_is_damage(version: object, state: MonitorState):
    with pytest.raises(DataError, match="these bytes are not a Snapshot"):
        decode_snapshot(with_version(version, state))


def test_damaged_snapshots_are_rejected(state: MonitorState):
    content = encode_snapshot(state)
    for damaged in (b"", content[:100], content[:-1], msgspec.msgpack.encode({"version": SNAPSHOT_VERSION})):
        with pytest.raises(DataError, match="these bytes are not a"):
            decode_snapshot(damaged)
