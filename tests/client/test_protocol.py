"""Chunks on the wire: what is written is read again, and nonsense gets one sentence."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ectopy.client.protocol import (
    MOST_AT_ONCE,
    MOST_ROWS,
    MOST_ROWS_AT_ONCE,
    NO_SAMPLE,
    ChunkError,
    ChunkMessage,
    counts,
    read,
    write,
)
from ectopy.errors import DataError
from ectopy.monitor import Chunk
from ectopy.monitor.inputs import PulseChunk
from support.memory import takes_at_most

NUMBERS = st.floats(-30, 30, width=32) | st.just(np.nan)
SIGNALS = st.tuples(st.integers(1, 20), st.integers(1, 4)).flatmap(
    lambda shape: arrays.arrays(np.float32, shape, elements=NUMBERS)
)

PLAIN = {"position": 0, "sampling_rate_hz": 250, "leads": ["I", "II"], "samples": [[0, 1]]}


def chunk(signal: np.ndarray) -> Chunk:
    leads = tuple(f"lead {number}" for number in range(signal.shape[1]))
    return Chunk(7, signal, 250.0, leads, received=5.0, sent_at=4.5, stream="s", unit="uV")


@given(SIGNALS, st.sampled_from(["json", "msgpack"]), st.none() | st.integers(0, 2**50))
def test_what_is_written_is_read_again(signal: np.ndarray, form: str, sequence: int | None):
    given_chunk = chunk(signal)
    (message,) = read(write(ChunkMessage(given_chunk, sequence), form), form, received=5.0)
    assert message.sequence == sequence
    np.testing.assert_array_equal(message.chunk.signal, signal)
    assert message.chunk.signal.dtype == np.float32
    for name in ("position", "sampling_rate_hz", "leads", "received", "sent_at", "stream", "unit"):
        assert getattr(message.chunk, name) == getattr(given_chunk, name)


@given(
    st.lists(
        st.tuples(st.sampled_from(["PLETH", "ABP", "ART"]), st.lists(NUMBERS, max_size=20)), min_size=1, max_size=4
    ),
    st.sampled_from(["json", "msgpack"]),
)
def test_pulse_waves_are_read_again(waves: list[tuple[str, list[float]]], form: str):
    pulses = tuple(PulseChunk(name, "mmHg", 62.5, 9, np.array(samples, np.float32)) for name, samples in waves)
    signal = np.zeros((2, 1), np.float32)
    (message,) = read(write(ChunkMessage(replace(chunk(signal), pulses=pulses)), form), form, received=5.0)
    assert len(message.chunk.pulses) == len(pulses)
    for wave, expected in zip(message.chunk.pulses, pulses, strict=True):
        assert (wave.name, wave.unit) == (expected.name, "mmHg")
        assert (wave.sampling_rate_hz, wave.position) == (62.5, 9)
        np.testing.assert_array_equal(wave.samples, expected.samples)
        assert wave.samples.dtype == np.float32


def test_pulse_waves_as_counts():
    pulse = {"name": "ABP", "unit": "mmHg", "sampling_rate_hz": 125, "position": 0, "gain": 10.0}
    pulse["samples"] = np.array([800, 1200, NO_SAMPLE], "<i2").tobytes()
    message = PLAIN | {"pulses": [pulse]}
    (message,) = read(msgspec.msgpack.encode(message), "msgpack", 0.0)
    np.testing.assert_array_equal(message.chunk.pulses[0].samples, [80, 120, np.nan])


def test_messages_without_pulse_waves_are_what_they_were():
    message = msgspec.json.decode(write(ChunkMessage(chunk(np.zeros((1, 1), np.float32))), "json"))
    assert message.keys() == {"position", "sampling_rate_hz", "leads", "samples", "unit", "stream", "sent"}
    (message,) = read(json.dumps(PLAIN).encode(), "json", 0.0)
    assert message.chunk.pulses == ()


PULSE = {"name": "PLETH", "sampling_rate_hz": 125, "position": 0, "samples": [1, None]}


def test_samples_of_pulse_waves_count_among_what_is_sent_at_a_time():
    message = PLAIN | {"pulses": [PULSE | {"samples": [0] * MOST_ROWS}] * 4}
    assert len(read(msgspec.msgpack.encode([message]), "msgpack", 0.0)) == 1
    with pytest.raises(DataError, match="too much at a time"):
        read(msgspec.msgpack.encode([message, message]), "msgpack", 0.0)


@given(SIGNALS, st.floats(10, 1000))
def test_counts_keep_half_a_count_and_what_is_missing(signal: np.ndarray, gain: float):
    (message,) = read(write(ChunkMessage(chunk(signal)), "msgpack", gain), "msgpack", received=5.0)
    np.testing.assert_allclose(message.chunk.signal, signal, atol=0.51 / gain)


def test_counts_are_cut_off_and_never_become_no_sample():
    converted = counts(np.array([-1e9, 1e9, np.nan, np.inf, -np.inf]), 1.0)
    assert converted.tolist() == [-32767, 32767, NO_SAMPLE, 32767, -32767]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"7",
        b'"\xff"',
        json.dumps(PLAIN | {"position": 0.5}).encode(),
        json.dumps(PLAIN | {"samples": [[0]]}).encode(),
        json.dumps(PLAIN | {"samples": [[0, "1"]]}).encode(),
        json.dumps(PLAIN | {"leads": "I"}).encode(),
        json.dumps(PLAIN | {"sequence": -1}).encode(),
        json.dumps(PLAIN | {"samples": "AAAA"}).encode(),
        json.dumps([PLAIN] * (MOST_AT_ONCE + 1)).encode(),
    ],
)
def test_nonsense_in_json_gets_a_sentence(content: bytes):
    with pytest.raises(DataError, match=r"\.$"):
        read(content, "json", 0.0)


@pytest.mark.parametrize(
    "other",
    [
        {"samples": b"123"},
        {"samples": b"1234", "gain": 0.0},
        {"samples": b"1234", "gain": float("nan")},
        {"samples": b"1234", "gain": 1e-60},
        {"samples": b"1234", "gain": float("inf")},
        {"samples": b"1234", "leads": []},
        {"pulses": 7},
        {"pulses": [PULSE] * 5},
        {"pulses": [PULSE | {"samples": [[1]]}]},
        {"pulses": [PULSE | {"samples": ["1"]}]},
        {"pulses": [PULSE | {"position": 0.5}]},
        {"pulses": [PULSE | {"name": None}]},
        {"pulses": [PULSE | {"samples": b"abc"}]},
        {"pulses": [PULSE | {"samples": b"abc", "gain": 1.0}]},
        {"pulses": [PULSE | {"samples": b"ab", "gain": 0.0}]},
        {"pulses": [PULSE | {"samples": [0] * (MOST_ROWS + 1)}]},
        {"pulses": [{"name": "PLETH"}]},
    ],
)
def test_nonsense_in_msgpack_gets_a_sentence(other: dict):
    with pytest.raises(DataError, match=r"\.$"):
        read(msgspec.msgpack.encode(PLAIN | other), "msgpack", 0.0)


@pytest.mark.parametrize(
    ("change", "sequence"),
    [
        ({"samples": [[0]]}, 7),
        ({"samples": "?"}, 7),
        ({"position": 0.5}, 7),
        ({"version": 2}, 7),
        ({"leads": ["I"] * 17}, 7),
        ({"sequence": -1}, None),
        ({"sequence": "7", "samples": [[0]]}, None),
        ({"sequence": None, "samples": [[0]]}, None),
    ],
)
@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_a_bad_message_is_named_by_its_sequence(form: str, change: dict, sequence: int | None):
    encode = msgspec.json.encode if form == "json" else msgspec.msgpack.encode
    message = PLAIN | {"sequence": 7} | change
    with pytest.raises(ChunkError) as error:
        read(encode(message), form, 0.0)
    assert error.value.sequence == sequence
    with pytest.raises(ChunkError) as error:
        read(encode([PLAIN, message]), form, 0.0)
    assert error.value.sequence is None


@given(st.binary(max_size=60), st.sampled_from(["json", "msgpack"]))
def test_no_bytes_get_anything_but_chunks_or_a_sentence(content: bytes, form: str):
    try:
        messages = read(content, form, 0.0)
    except DataError:
        return
    assert all(isinstance(message, ChunkMessage) for message in messages)


def packed(samples: bytes, leads: bytes = b"\x91\xa2II") -> bytes:
    """A chunk as msgpack, with samples and leads as they are encoded."""
    return b"\x84\xa8position\x00\xb0sampling_rate_hz\xcc\xfa\xa5leads" + leads + b"\xa7samples" + samples


def array(length: int) -> bytes:
    """With what a list of so many begins in msgpack."""
    return b"\xdd" + struct.pack(">I", length)


def joined(value: bytes, count: int) -> bytes:
    """A value so many times, as in a list of JSON."""
    return (value + b",") * (count - 1) + value


MANY = 2_000_000
TEXT = b'{"position":0,"sampling_rate_hz":250,"leads":["II"],"samples":['
BOMBS = {
    "empty rows": ("msgpack", packed(array(MANY) + b"\x90" * MANY)),
    "rows of nothing": ("msgpack", packed(array(MANY) + b"\x91\xc0" * MANY)),
    "a wide row": ("msgpack", packed(b"\x91" + array(MANY) + b"\xc0" * MANY)),
    "many leads": ("msgpack", packed(b"\x90", array(MANY) + b"\xa1a" * MANY)),
    "many numbers for chunks": ("msgpack", array(MANY) + b"\x00" * MANY),
    "many maps for chunks": ("msgpack", array(MANY) + b"\x80" * MANY),
    "rows of many chunks": (
        "msgpack",
        b"\x9f" + packed(array(MOST_ROWS) + b"\x91\xc0" * MOST_ROWS) * 15,
    ),
    "json rows": ("json", TEXT + joined(b"[0]", 1_000_000) + b"]}"),
    "json empty rows": ("json", TEXT + joined(b"[]", 1_000_000) + b"]}"),
    "a wide json row": ("json", TEXT + b"[" + joined(b"0", MANY) + b"]]}"),
    "json leads": ("json", TEXT.replace(b'["II"]', b"[" + joined(b'"a"', 1_000_000) + b"]") + b"]}"),
    "json texts": ("json", b"[" + joined(b'"a"', 1_000_000) + b"]"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_become_much_is_refused_before_it_does(name: str):
    form, content = BOMBS[name]
    with takes_at_most(80), pytest.raises(DataError):
        read(content, form, 0.0)


def test_a_minute_of_sixteen_leads_is_read():
    signal = np.zeros((MOST_ROWS, 16), np.float32)
    (message,) = read(write(ChunkMessage(chunk(signal)), "msgpack"), "msgpack", 0.0)
    assert message.chunk.signal.shape == signal.shape
    rows = np.zeros((MOST_ROWS, 4), np.float32)
    for form in ("json", "msgpack"):
        content = {**PLAIN, "leads": ["a", "b", "c", "d"], "samples": rows.tolist()}
        encoded = msgspec.json.encode(content) if form == "json" else msgspec.msgpack.encode(content)
        (message,) = read(encoded, form, 0.0)
        assert message.chunk.signal.shape == rows.shape
    several = [{**PLAIN, "samples": [[0, 1]] * 1000}] * (MOST_ROWS_AT_ONCE // 1000)
    for form, encode in (("json", msgspec.json.encode), ("msgpack", msgspec.msgpack.encode)):
        assert len(read(encode(several[:100]), form, 0.0)) == 100
        with pytest.raises(DataError, match="too much"):
            read(encode([*several, *several]), form, 0.0)
