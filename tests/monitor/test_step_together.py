"""Patients who are watched together are watched as each alone, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.analysis.interval_model import predict_together
from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.template_comparison import compare_together
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.monitor import Chunk, Input, Monitor, MonitorState, Tick
from ectopy.monitor import monitor as monitor_module
from ectopy.monitor.codec import encode
from ectopy.signal.front_end import SignalBlock, run_front_ends
from ectopy.signal.state_batching import parted, stacked, structure

NOW = 1_000_000.0
LENGTH_S = 40


def stream(rng: np.random.Generator, rate_hz: float, leads: int) -> list[Chunk]:
    """Of a patient who may be noisy, off or silent for a while, in chunks that may be lost."""
    episodes = [
        Episode(kind, rng.uniform(5, 30), rng.uniform(1, 6))
        for kind in ("noise", "lead_off", "asystole")
        if rng.random() < 0.3
    ]
    made = simulate_recording(
        LENGTH_S,
        sampling_rate_hz=rate_hz,
        leads=leads,
        ectopic={"V": 0.1},
        episodes=episodes,
        random_state=int(rng.integers(1000)),
    )
    signal, size = made.signal.copy(), round(0.5 * rate_hz)
    if rng.random() < 0.3:
        signal[: rng.integers(len(signal)), rng.integers(leads)] = np.nan
    names = ("I", "II", "III")[:leads]
    return [
        Chunk(start, signal[start : start + size], rate_hz, names, received=NOW + (start + size) / rate_hz)
        for start in range(0, len(signal) - size, size)
        if rng.random() > 0.02
    ]


@pytest.mark.parametrize("examples", [1, pytest.param(20, marks=pytest.mark.long)])
def test_many_together_are_each_alone(monitor: Monitor, examples: int):
    @settings(max_examples=examples)
    @given(seed=st.integers(0, 2**32 - 1))
    def check(seed: int) -> None:
        rng = np.random.default_rng(seed)
        rates = [250.0, 250.0, 250.0, 250.0, 360.0, 360.0, 257.5]
        streams = [stream(rng, rate_hz, 1 if rng.random() < 0.2 else 2) for rate_hz in rates]
        late = rng.integers(0, 12, len(streams)).tolist()
        alone = [MonitorState()] * len(streams)
        together, said = list(alone), [0] * len(streams)
        for turn in range(2 * LENGTH_S + 12):
            given: list[tuple[int, Input]] = [
                (number, chunks[turn - begin])
                for number, (chunks, begin) in enumerate(zip(streams, late, strict=True))
                if 0 <= turn - begin < len(chunks)
            ]
            outcomes = monitor.step_together([(together[number], one) for number, one in given])
            for (number, one), outcome in zip(given, outcomes, strict=True):
                assert not isinstance(outcome, Exception)
                together[number], events = outcome
                alone[number], expected = monitor.step(alone[number], one)
                assert encode(events) == encode(expected)
                if turn % 8 == 0:
                    assert encode(together[number]) == encode(alone[number])
                said[number] += len(events)
        assert encode(together) == encode(alone)
        assert min(said) > 0

    check()


def settled(monitor: Monitor, seed: int) -> MonitorState:
    state = MonitorState()
    for chunk in stream(np.random.default_rng(seed), 250.0, 2)[:20]:
        state, _ = monitor.step(state, chunk)
    return state


def test_states_are_stacked_and_parted_without_a_trace(monitor: Monitor):
    states = [settled(monitor, 4), settled(monitor, 4)]
    fronts = [state.signal.detection.frontend for state in states if state.signal is not None]
    assert structure(fronts[0]) == structure(fronts[1])
    again = parted(stacked(fronts), 2)
    assert [encode(one) for one in again] == [encode(one) for one in fronts]
    assert all(
        not np.shares_memory(one.filters.waiting, other.filters.waiting)
        for one, other in zip(again, fronts, strict=True)
    )


def stepped(monitor: Monitor, states: list[MonitorState], *signals: np.ndarray) -> Iterator[list[MonitorState]]:
    """The patients' states after each half second of their signals."""
    for start in range(0, len(signals[0]), 125):
        parts = [signal[start : start + 125] for signal in signals]
        chunks = [Chunk(start, part, 250.0, ("I", "II"), received=NOW + start / 250) for part in parts]
        outcomes = monitor.step_together(list(zip(states, chunks, strict=True)))
        assert not any(isinstance(outcome, Exception) for outcome in outcomes)
        states = [state for state, _ in outcomes]
        yield states


def test_whom_the_front_end_cannot_bear_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch, monitor: Monitor):
    def breaking(pieces: list[SignalBlock]):
        if any(np.nanmax(piece.signal) > 90 for piece in pieces):
            raise FloatingPointError("too much")
        return run_front_ends(pieces)

    monkeypatch.setattr(monitor_module, "run_front_ends", breaking)
    signal = simulate_recording(4).signal
    states = list(stepped(monitor, [MonitorState(), MonitorState()], signal, 200 * signal))
    assert not any("detector failed" in good.alarms.timers for good, _ in states)
    assert "detector failed" in states[-1][1].alarms.timers


def test_whose_beats_cannot_be_compared_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch, monitor: Monitor):
    def breaking(pairs, network):
        if any(normal.beats == 7 for _, normal in pairs):
            raise FloatingPointError("too much")
        return compare_together(pairs, network)

    monkeypatch.setattr(monitor_module, "compare_together", breaking)
    beats = np.vstack([np.hanning(140), np.hanning(140)])
    normals = [PatientTemplate(beats, np.ones(2), np.ones((2, 140)), 0.1, count, ("I", "II")) for count in (40, 7)]
    signal = simulate_recording(10).signal
    *_, (good, bad) = stepped(monitor, [MonitorState(normal=normal) for normal in normals], signal, signal)
    assert "detector failed" not in good.alarms.timers
    assert "detector failed" in bad.alarms.timers


def test_whose_intervals_cannot_be_predicted_is_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, monitor: Monitor
):
    def breaking(model, histories):
        if any((each.windows[:, -1] < np.log(0.7)).any() for each in histories):
            raise FloatingPointError("too much")
        return predict_together(model, histories)

    monkeypatch.setattr(monitor_module, "predict_together", breaking)
    slow, fast = (simulate_recording(10, rate_bpm=rate_bpm).signal for rate_bpm in (60, 120))
    *_, (good, bad) = stepped(monitor, [MonitorState(), MonitorState()], slow, fast)
    assert "detector failed" not in good.alarms.timers
    assert "detector failed" in bad.alarms.timers


def test_an_input_that_cannot_be_taken_is_an_error_of_that_patient_alone(monitor: Monitor):
    chunk = stream(np.random.default_rng(0), 250.0, 2)[0]
    wrong, right = monitor.step_together([(MonitorState(alarms=None), Tick(NOW)), (MonitorState(), chunk)])  # type: ignore[arg-type]
    assert isinstance(wrong, Exception)
    assert not isinstance(right, Exception)
    assert encode(right) == encode(monitor.step(MonitorState(), chunk))
