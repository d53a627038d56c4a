"""Pulse waves beside the ECG: in order, with the piece of ECG they belong to, however they were cut and came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.datasets import simulate_recording
from ectopy.errors import DataError
from ectopy.monitor import Chunk, Monitor, MonitorState, codec, patient_step
from ectopy.monitor.events import AlarmChanged, Event, InputRejected, Notice
from ectopy.monitor.inputs import PulseChunk
from ectopy.monitor.pulse_stream import (
    MARGIN_S,
    PATIENCE_S,
    PulsePiece,
    PulseStream,
    check_pulses,
    pulse_pieces,
    take_pulses,
)
from ectopy.monitor.replay import chunks, whole
from ectopy.recording import PulseWave, Recording
from support.examples import examples
from support.monitor_steps import feed
from support.pulses import pulse_wave

RATE_HZ = 100.0
LENGTH_S = 12


def wave(name: str = "PLETH", rate_hz: float = 62.5, length_s: float = LENGTH_S, unit: str = "NU") -> PulseWave:
    """Every sample says where it belongs."""
    return PulseWave(name, unit, rate_hz, np.arange(ceil(length_s * rate_hz), dtype=np.float32))


def ecg(*pulses: PulseWave, length_s: float = LENGTH_S) -> Recording:
    signal = np.zeros((round(length_s * RATE_HZ), 1), np.float32)
    return Recording(signal, RATE_HZ, ("II",), pulses=pulses)


def hand_out(sent: Sequence[Chunk], order: Sequence[int] = (), length_s: int = LENGTH_S) -> list[PulsePiece]:
    """Pieces of one second each, handed out as soon as the ECG is there; chunks come in an order."""
    stream, pieces, end_s = PulseStream(), [], 1.0
    there = np.zeros(round(length_s * RATE_HZ), bool)
    for number in order or range(len(sent)):
        chunk = sent[number]
        stream, notices = take_pulses(stream, chunk)
        assert not notices
        there[chunk.position : chunk.position + len(chunk.signal)] = True
        while end_s <= length_s and there[: round(end_s * RATE_HZ)].all():
            stream, handed = pulse_pieces(stream, end_s, 0.0)
            pieces += handed
            end_s += 1.0
    return pieces


def joined(pieces: Sequence[PulsePiece], name: str) -> np.ndarray:
    """What was handed out of a wave; each piece begins where the one before ended."""
    own = [piece for piece in pieces if piece.name == name]
    place = round(own[0].start_s * own[0].rate_hz)
    for piece in own:
        assert piece.start_s == pytest.approx(place / piece.rate_hz)
        place += len(piece.samples)
    return np.concatenate([piece.samples for piece in own])


def same(one: Sequence[PulsePiece], other: Sequence[PulsePiece]) -> bool:
    return [piece[:4] for piece in one] == [piece[:4] for piece in other] and all(
        np.array_equal(a.samples, b.samples, equal_nan=True) for a, b in zip(one, other, strict=True)
    )


@settings(max_examples=examples(40))
@given(
    rates=st.tuples(st.sampled_from([20.0, 60.0, 62.5, 125.0, 500.0, 1000.0]), st.floats(20, 1000)),
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=40),
    seed=st.integers(0, 2**32),
)
def test_any_cut_and_order_hands_out_the_same(rates: tuple[float, float], lengths: list[int], seed: int):
    recording = ecg(wave("PLETH", rates[0]), wave("ABP", rates[1], unit="mmHg"))
    expected = hand_out(list(chunks(recording)))
    for name, rate_hz in (("PLETH", rates[0]), ("ABP", rates[1])):
        handed = joined(expected, name)
        np.testing.assert_array_equal(handed, np.arange(ceil((LENGTH_S - MARGIN_S) * rate_hz)))

    # Chunks of any length, of which neighbours change places and some come twice.
    cut, start = [], 0
    while start < len(recording.signal):
        stop = min(start + lengths[len(cut) % len(lengths)], len(recording.signal))
        pulses = []
        for each in recording.pulses:
            first, end = (ceil(place / RATE_HZ * each.sampling_rate_hz) for place in (start, stop))
            pulses.append(PulseChunk(each.name, each.unit, each.sampling_rate_hz, first, each.samples[first:end]))
        cut.append(Chunk(start, recording.signal[start:stop], RATE_HZ, ("II",), 0.0, pulses=tuple(pulses)))
        start = stop
    swaps = Random(seed)
    order = list(range(len(cut)))
    for place in range(1, len(order) - 1):
        if swaps.random() < 0.3:
            order[place], order[place + 1] = order[place + 1], order[place]
    order += [place for place in order if swaps.random() < 0.2]
    assert same(hand_out(cut, order), expected)


@pytest.mark.parametrize("rate_hz", [60.0, 125.0, 500.0])
def test_a_pulse_two_seconds_late_comes_late_and_whole(rate_hz: float):
    late = 2
    sent = []
    pulse = wave(rate_hz=rate_hz)
    size = round(rate_hz)
    for second, chunk in enumerate(chunks(ecg(pulse))):
        begin = max(second - late, 0) * size
        samples = pulse.samples[begin : begin + size] if second >= late else pulse.samples[:0]
        sent.append(replace(chunk, pulses=(PulseChunk("PLETH", "NU", rate_hz, begin, samples),)))
    handed = joined(hand_out(sent), "PLETH")
    np.testing.assert_array_equal(handed, np.arange((LENGTH_S - late) * size))


def test_what_never_comes_is_missing_after_a_while():
    sent = [
        replace(chunk, pulses=() if 3 <= second < 9 else chunk.pulses)
        for second, chunk in enumerate(chunks(ecg(wave(rate_hz=50.0, length_s=20), length_s=20)))
    ]
    pieces = hand_out(sent, length_s=20)
    handed = joined(pieces, "PLETH")
    assert len(handed) == ceil((20 - MARGIN_S) * 50)
    expected = np.arange(len(handed), dtype=np.float32)
    expected[150:450] = np.nan
    np.testing.assert_array_equal(handed, expected)
    by_second = [sum(len(piece.samples) for piece in pieces[:number]) / 50 for number in range(1, 21)]
    assert all(number + 1 - PATIENCE_S - 1 <= second for number, second in enumerate(by_second))


def test_a_wave_that_begins_later_begins_with_its_first_sample():
    recording = ecg(wave(rate_hz=50.0))
    sent = [
        replace(chunk, pulses=chunk.pulses if second >= 5 else ()) for second, chunk in enumerate(chunks(recording))
    ]
    pieces = hand_out(sent)
    assert pieces[0].start_s == 5.0
    np.testing.assert_array_equal(joined(pieces, "PLETH"), np.arange(250, ceil((LENGTH_S - MARGIN_S) * 50)))


def test_what_no_pulse_can_be_is_missing():
    samples = np.array([1.0, np.inf, -np.inf, 1e30, np.nan, 2.0], np.float32)
    pulse = PulseChunk("ABP", "kPa", 50.0, 0, samples)
    stream, _ = take_pulses(PulseStream(), Chunk(0, np.zeros((100, 1)), RATE_HZ, ("II",), 0.0, pulses=(pulse,)))
    _, (piece,) = pulse_pieces(stream, 1.0, 0.0)
    assert piece.unit == "mmHg"
    np.testing.assert_allclose(piece.samples[:6], [7.500617, np.nan, np.nan, np.nan, np.nan, 15.001234], rtol=1e-6)


@settings(max_examples=examples(30))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["PLETH", "ABP", "ART", "PPG", "Pleth 2", "RESP", "II"]),
            st.sampled_from(["NU", "mmHg", "mV", ""]),
            st.sampled_from([20.0, 125.0, 1000.0]),
            st.integers(0, 2**52),
            st.integers(0, 3000),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_memory_is_bounded_whatever_is_sent(sent: list[tuple[str, str, float, int, int]]):
    stream = PulseStream()
    for second, (name, unit, rate_hz, position, samples) in enumerate(sent):
        position = position if position % 3 else round(second * rate_hz) + position % 5
        pulse = PulseChunk(name, unit, rate_hz, position, np.ones(min(samples, round(60 * rate_hz)), np.float32))
        chunk = Chunk(second * 100, np.zeros((100, 1), np.float32), RATE_HZ, ("II",), 0.0, pulses=(pulse,))
        check_pulses(chunk)
        stream, _ = take_pulses(stream, chunk)
        stream, _ = pulse_pieces(stream, second + 1.0, 0.0)
        assert len(stream.waves) <= 4
        assert all(len(each.samples) <= (PATIENCE_S + 4) * each.rate_hz for each in stream.waves)
    again = codec.decode(PulseStream, codec.encode(stream))
    assert codec.encode(again) == codec.encode(stream)


PULSE = PulseChunk("PLETH", "NU", 125.0, 0, np.zeros(125, np.float32))


@pytest.mark.parametrize(
    ("pulses", "reason"),
    [
        ((replace(PULSE, sampling_rate_hz=10.0),), "between 20 and 1000 Hz"),
        ((replace(PULSE, sampling_rate_hz=np.nan),), "between 20 and 1000 Hz"),
        ((replace(PULSE, position=-1),), "counts its samples from 0"),
        ((replace(PULSE, name=""),), "a name of 1 to 64"),
        ((replace(PULSE, samples=np.zeros((125, 1), np.float32)),), "a row of numbers"),
        ((replace(PULSE, samples=np.zeros(60 * 125 + 1, np.float32)),), "send it in parts"),
        ((PULSE, PULSE), "different names"),
        (tuple(replace(PULSE, name=f"PLETH {number}") for number in range(5)), "up to 4 pulse waves"),
    ],
)
def test_impossible_pulses_are_refused_in_one_sentence(pulses: tuple[PulseChunk, ...], reason: str):
    chunk = Chunk(0, np.zeros((100, 1), np.float32), RATE_HZ, ("II",), 0.0, pulses=pulses)
    with pytest.raises(DataError, match=reason):
        check_pulses(chunk)


# The monitor


@pytest.fixture(scope="module")
def still() -> Recording:
    return simulate_recording(60, random_state=3)


@pytest.fixture(scope="module")
def expected(monitor: Monitor, still: Recording) -> list[str]:
    """What is said of the ECG where no pulse is beside it."""
    _, events = feed(monitor, MonitorState(), *whole(still))
    return without_numbers(events)


def without_numbers(events: Sequence[Event]) -> list[str]:
    return [
        codec.to_json(replace(event, number=0))
        for event in events
        if not (isinstance(event, Notice) and event.subject == "pulse")
    ]


BAD = {
    "another clock": lambda pulse: replace(pulse, position=pulse.position + 10**9),
    "two seconds late": lambda pulse: replace(pulse, position=max(pulse.position - 250, 0)),
    "flat": lambda pulse: replace(pulse, samples=np.zeros_like(pulse.samples)),
    "nothing": lambda pulse: replace(pulse, samples=np.full_like(pulse.samples, np.nan)),
    "absurd": lambda pulse: replace(pulse, samples=np.full_like(pulse.samples, 3e38)),
    "a lead": lambda pulse: replace(pulse, name="II", unit="mV"),
    "a number": lambda pulse: replace(pulse, name="ABP mean"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_pulse_changes_nothing_in_what_is_said_of_the_ecg(
    monitor: Monitor, still: Recording, expected: list[str], kind: str
):
    recording = replace(still, pulses=(pulse_wave(60),))
    sent = [
        replace(each, pulses=tuple(map(BAD[kind], each.pulses))) if isinstance(each, Chunk) else each
        for each in whole(recording)
    ]
    state, events = feed(monitor, MonitorState(), *sent)
    assert without_numbers(events) == expected
    notices = [event for event in events if isinstance(event, Notice) and event.subject == "pulse"]
    assert len(notices) == (kind in ("another clock", "a lead", "a number"))
    assert len(codec.encode(state.pulses)) < 20_000


def test_a_fault_in_the_analysis_of_a_pulse_does_not_touch_that_of_the_ecg(
    monitor: Monitor, still: Recording, expected: list[str], monkeypatch: pytest.MonkeyPatch
):
    calls, remember = [], patient_step.remember

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 20:
            raise IndexError("out of bounds")
        return remember(*arguments)

    monkeypatch.setattr(patient_step, "remember", failing)
    _, events = feed(monitor, MonitorState(), *whole(replace(still, pulses=(pulse_wave(60),))))
    alarms = [event for event in events if isinstance(event, AlarmChanged)]
    assert "IndexError" in alarms[0].transition.alarm.reading.text
    assert {event.transition.alarm.condition for event in alarms} == {"probe off"}
    rest = [event for event in events if not isinstance(event, AlarmChanged)]
    assert without_numbers(rest) == expected


def test_a_pulse_without_ecg_is_refused_and_one_beside_a_dead_ecg_is_taken(monitor: Monitor):
    alone = Chunk(0, np.empty((100, 0), np.float32), RATE_HZ, (), 1.0, pulses=(PULSE,))
    state, events = feed(monitor, MonitorState(), alone)
    assert state.signal is None
    assert isinstance(events[0], InputRejected)
    empty = Chunk(0, np.full((100, 1), np.nan, np.float32), RATE_HZ, ("II",), 1.0, pulses=(PULSE,))
    state, events = feed(monitor, MonitorState(), empty)
    assert [each.name for each in state.pulses.waves] == ["PLETH"]
    assert not any(isinstance(event, InputRejected) for event in events)


def test_a_state_with_pulses_is_restored(monitor: Monitor, still: Recording):
    recording = replace(still, pulses=(pulse_wave(60), pulse_wave(60, "PLETH", "NU", 62.5)))
    sent = list(whole(recording, 0.7))
    state, _ = feed(monitor, MonitorState(), *sent)
    restored = MonitorState()
    for number, each in enumerate(sent):
        restored, _ = monitor.step(restored, codec.decode(type(each), codec.encode(each)))
        if number % 20 == 0:
            restored = codec.decode(MonitorState, codec.encode(restored))
    assert codec.encode(restored) == codec.encode(state)


def test_a_stream_that_begins_anew_begins_its_pulses_anew(monitor: Monitor, still: Recording):
    recording = replace(still, pulses=(pulse_wave(60),))
    first = list(chunks(recording))[:20]
    again = [replace(each, stream="other", received=each.received + 20) for each in first]
    state, events = feed(monitor, MonitorState(), *first, *again)
    assert not any(isinstance(event, InputRejected) for event in events)
    (buffer,) = state.pulses.waves
    assert buffer.newest == 20 * 125
