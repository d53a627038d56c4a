from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import firwin

from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import SettingError
from ectopy.recording import Recording
from ectopy.signal import Filtered, FilterSettings, filter_signal, filter_twice, find_heartbeats
from ectopy.signal.filters import STRENGTH_RATE_HZ, Filter, filter_end, filter_step
from ectopy.signal.fir import Fir, FirState, fir_end, fir_step
from ectopy.signal.heartbeats import PeaksState, peaks_end, peaks_step
from ectopy.signal.qrs_strength import QrsStrength
from support.examples import examples
from support.heartbeat_stream import HeartbeatStream

RATES = [100.0, 128.0, 180.0, 250.0, 257.3, 360.0, 500.0, 901.14, 1000.0]
few = settings(max_examples=examples(20))

rates = st.one_of(st.sampled_from(RATES), st.floats(100, 1000))
seeds = st.integers(0, 2**32 - 1)
shares = st.lists(st.floats(0, 1), max_size=6)


def pieces(length: int, where: Sequence[float]) -> list[slice]:
    """Cuts at these shares of the length; empty chunks are among them where two are equal."""
    edges = [0, *sorted(round(share * length) for share in where), length]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def ecg(duration_s: float, rate_hz: float, seed: int = 0, **options) -> Recording:
    return simulate_recording(duration_s, sampling_rate_hz=rate_hz, random_state=seed, **options)


def with_random_gaps(rng: np.random.Generator, signal: NDArray) -> NDArray[np.float64]:
    signal = signal.astype(np.float64)
    for lead in range(signal.shape[1]):
        for _ in range(rng.integers(4)):
            start = rng.integers(len(signal))
            signal[start : start + rng.integers(1, len(signal) // 4), lead] = np.nan
    return signal


def beats(signal: NDArray, rate_hz: float = 250.0, settings: FilterSettings | None = None) -> NDArray[np.float64]:
    return find_heartbeats(filter_twice(signal, rate_hz, settings)[0])


def true_beats(recording: Recording) -> NDArray[np.float64]:
    marks = recording.annotations
    return marks.positions[marks.symbols != "~"] / recording.sampling_rate_hz


def far_from(times: NDArray, others: NDArray, within_s: float = 0.05) -> NDArray:
    """Those times with no other one near."""
    return np.array([t for t in times if not len(others) or np.abs(others - t).min() > within_s])


def in_time(result: Filtered) -> NDArray[np.float64]:
    return np.arange(result.signal.shape[1]) / result.rate_hz


# FIR


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 40), st.integers(0, 60), shares, seeds)
@settings(max_examples=examples(150))
def test_a_filter_gives_the_same_for_any_chunks_and_what_convolution_gives(up, down, half, length, cuts, seed):
    divisor = math.gcd(up, down)
    rng = np.random.default_rng(seed)
    side = rng.standard_normal(half + up // divisor - 1)
    half = len(side)
    fir = Fir(np.concatenate([side, rng.standard_normal(1), side[::-1]]), up // divisor, down // divisor)
    signal = rng.standard_normal((2, length))

    def stream(chunks: Iterable[slice]) -> NDArray[np.float64]:
        state, parts = FirState.fresh(2), []
        for piece in chunks:
            state, part = fir_step(fir, state, signal[:, piece])
            parts.append(part)
        parts.append(fir_end(fir, state, signal[:, -1:]))
        return np.concatenate(parts, axis=1)

    whole = stream([slice(None)])
    np.testing.assert_array_equal(stream(pieces(length, cuts)), whole)

    assert whole.shape[1] == -(-length * fir.up // fir.down)
    if length:
        extended = np.concatenate([signal, np.repeat(signal[:, -1:], fir.reach + fir.down, axis=1)], axis=1)
        dense = np.zeros((2, extended.shape[1] * fir.up))
        dense[:, :: fir.up] = extended
        expected = np.stack([np.convolve(row, fir.taps)[half:] for row in dense])[:, :: fir.down]
        np.testing.assert_allclose(whole, expected[:, : whole.shape[1]], atol=1e-10)


def test_a_filter_of_a_stream_remembers_no_more_than_it_needs():
    fir, state = Fir(firwin(91, 0.2), 18, 25), FirState.fresh(1)
    for _ in range(200):
        state, _ = fir_step(fir, state, np.ones((1, 50)))
    assert state.recent.shape[1] <= 2 * fir.reach + fir.down + 50


# Filters and heartbeats as a stream


@given(rates, shares, shares, seeds)
@few
def test_a_stream_is_filtered_and_searched_as_the_whole_signal_is(rate_hz, cuts, other_cuts, seed):
    rng = np.random.default_rng(seed)
    signal = with_random_gaps(rng, ecg(rng.uniform(0.1, 25), rate_hz, seed, ectopic={"V": 0.2}).signal)
    plan = Filter.of(rate_hz)
    both = filter_twice(signal, rate_hz)
    whole = both[0]
    detected = find_heartbeats(whole)

    state, parts = plan.fresh(2), []
    hearts, outputs = HeartbeatStream(2), []
    for piece in pieces(len(signal), cuts):
        state, *part = filter_step(plan, state, signal[piece].T)
        parts.append(part)
        outputs.append(hearts.step(part[0]))
    parts.append([*filter_end(plan, state)])
    outputs += [hearts.step(parts[-1][0]), hearts.end()]
    for streamed, expected in zip(zip(*parts, strict=True), both, strict=True):
        for name in ("signal", "missing"):
            together = np.concatenate([getattr(part, name) for part in streamed], axis=1)
            np.testing.assert_array_equal(together, getattr(expected, name))
    np.testing.assert_array_equal(np.concatenate(outputs) / (whole.rate_hz / 2), detected)

    hearts, outputs = HeartbeatStream(2), []
    for piece in pieces(whole.signal.shape[1], other_cuts):
        outputs.append(hearts.step(whole[piece]))
    np.testing.assert_array_equal(np.concatenate([*outputs, hearts.end()]) / (whole.rate_hz / 2), detected)


def test_a_long_recording_is_filtered_over_its_blocks_without_a_seam():
    signal = ecg(1300, 100.0).signal
    plan = Filter.of(100.0)
    state, _, first_part = filter_step(plan, plan.fresh(2), signal.T)
    _, rest = filter_end(plan, state)
    whole = filter_signal(signal, 100.0)
    np.testing.assert_array_equal(whole.signal, np.concatenate([first_part.signal, rest.signal], axis=1))
    assert first_part.signal.shape[1] == pytest.approx(1299 * 180, abs=90)


@pytest.mark.parametrize("cut", range(20, 80))
def test_a_higher_peak_at_the_edge_of_the_refractory_period_counts_in_a_stream_too(cut: int):
    # The first peak lies 0.3 samples before its highest, the second one 0.5: less than 22 between them.
    height = np.zeros((1, 100))
    height[0, 29:32] = 0.84, 1.0, 0.60
    height[0, 51:54] = 1.4999, 1.5, 0.5
    evidence = QrsStrength(height, height, np.ones_like(height), np.zeros_like(height))
    whole = peaks_end(PeaksState.fresh(), evidence)
    state, first_beats = peaks_step(PeaksState.fresh(), evidence[:cut])
    rest = peaks_end(state, evidence[cut:])
    np.testing.assert_array_equal(np.concatenate([first_beats, rest]), whole)
    assert len(whole) == 1


# What the filters do


@pytest.mark.parametrize(("rate_hz", "step"), [(100, 5), (128, 32), (180, 1), (250, 25), (360, 2), (500, 25)])
def test_a_symmetric_pulse_stays_symmetric_and_in_place(rate_hz: int, step: int):
    middle = step * (6 * rate_hz // step)
    time_s = (np.arange(2 * middle + 1) - middle) / rate_hz
    pulse = np.exp(-0.5 * (time_s / 0.02) ** 2)
    result = filter_signal(pulse[:, None], rate_hz).signal[0, : 2 * middle * 180 // rate_hz + 1]
    np.testing.assert_allclose(result, result[::-1], atol=1e-9)
    assert np.argmax(result) / 180 == middle / rate_hz
    assert result.max() == pytest.approx(1.0, abs=0.06)


@given(rates, st.floats(3, 30), st.floats(0, 6), st.sampled_from([None, 50.0, 60.0]))
@few
def test_a_sine_in_the_band_keeps_amplitude_and_phase(rate_hz, frequency_hz, phase, notch_hz):
    t = np.arange(round(12 * rate_hz)) / rate_hz
    result = filter_signal(
        np.sin(2 * np.pi * frequency_hz * t + phase)[:, None], rate_hz, FilterSettings(notch_hz=notch_hz)
    )
    expected = np.sin(2 * np.pi * frequency_hz * in_time(result) + phase)
    middle = slice(540, -540)
    np.testing.assert_allclose(result.signal[0, middle], expected[middle], atol=0.02)


@pytest.mark.parametrize("rate_hz", [128.0, 250.0, 257.3, 1000.0])
@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_mains_and_baseline_are_removed(rate_hz: float, mains_hz: float):
    t = np.arange(round(30 * rate_hz)) / rate_hz
    mains, wander = np.sin(2 * np.pi * mains_hz * t), 2 * np.sin(2 * np.pi * 0.05 * t)
    result = filter_signal(
        np.stack([mains, wander, np.full(len(t), 900.0)], axis=1), rate_hz, FilterSettings(notch_hz=mains_hz)
    ).signal[:, 540:-540]
    assert np.abs(result[0]).max() < 0.01
    assert np.abs(result[1]).max() < 0.05
    assert np.abs(result[2]).max() == 0


@given(rates, seeds)
@few
def test_a_gap_stays_a_gap_and_reaches_one_sample_further_at_most(rate_hz, seed):
    rng = np.random.default_rng(seed)
    signal = with_random_gaps(rng, ecg(10, rate_hz, seed, leads=1).signal)
    result = filter_signal(signal, rate_hz)
    assert np.isfinite(result.signal).all()
    assert np.array_equal(np.isnan(result.with_gaps()), result.missing)
    absent = np.flatnonzero(np.isnan(signal[:, 0])) / rate_hz
    if not len(absent):
        assert not result.missing.any()
        return
    distance = np.abs(in_time(result)[:, None] - absent).min(axis=1)
    reach = max(1 / rate_hz, 1 / result.rate_hz)
    np.testing.assert_array_equal(result.missing[0, distance < reach - 1e-9], True)
    np.testing.assert_array_equal(result.missing[0, distance > reach + 1e-9], False)


@given(rates, st.floats(-50, 50))
@few
def test_a_step_across_a_gap_leaves_no_trace(rate_hz, step_mv):
    signal = ecg(20, rate_hz, noise_mv=0.01).signal.astype(np.float64)
    signal[round(8 * rate_hz) : round(9 * rate_hz)] = np.nan
    moved = signal.copy()
    moved[round(8.5 * rate_hz) :] += step_mv
    original, moved_result = filter_signal(signal, rate_hz), filter_signal(moved, rate_hz)
    np.testing.assert_allclose(original.signal, moved_result.signal, atol=1e-9)


@pytest.mark.parametrize("rate_hz", [250.0, 257.3, 901.14])
def test_times_hold_for_hours_at_any_rate(rate_hz: float):
    late = np.zeros((round(1800 * rate_hz), 1), np.float32)
    middle, half = len(late) - round(5 * rate_hz), round(0.01 * rate_hz)
    late[middle - half : middle + half + 1] = 1.0
    result = filter_signal(late, rate_hz)
    assert np.argmax(result.signal[0]) / result.rate_hz == pytest.approx(middle / rate_hz, abs=0.004)
    assert result.signal.shape[1] / result.rate_hz == pytest.approx(len(late) / rate_hz, abs=0.01)
    assert result.rate_hz == pytest.approx(180, rel=0.0013)
    (actual,) = find_heartbeats(result)
    assert actual == pytest.approx(middle / rate_hz, abs=0.02)


@pytest.mark.parametrize("wrong", [{"low_hz": 0.05}, {"low_hz": 6}, {"high_hz": 10}, {"high_hz": 70}, {"notch_hz": 5}])
def test_settings_out_of_bounds_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        FilterSettings(**wrong)
    with pytest.raises(SettingError):
        FilterSettings(**dict.fromkeys(wrong, float("nan")))


@pytest.mark.parametrize("rate_hz", [0.0, 99.9, 1000.1, float("nan"), float("inf")])
def test_a_rate_out_of_bounds_is_refused(rate_hz: float):
    with pytest.raises(SettingError, match="100 and 1000 Hz"):
        filter_signal(np.zeros((10, 1)), rate_hz)


# Heartbeats


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 250.0, 257.3, 1000.0])
@pytest.mark.parametrize(
    "episodes", [[], [Episode("lead_off", 40, 15), Episode("asystole", 80, 6), Episode("tachycardia", 95, 20)]]
)
def test_every_beat_of_a_simulated_recording_is_found_within_50_ms(rate_hz: float, episodes: list[Episode]):
    recording = ecg(
        120, rate_hz, 4, ectopic={"V": 0.08, "A": 0.05}, pauses_per_hour=60, noise_mv=0.01, episodes=episodes
    )
    result, true = beats(recording.signal, rate_hz), true_beats(recording)
    if episodes:  # at both edges of a loose electrode the signal jumps
        result, true = (t[(t < 39.9) | (t > 55.1)] for t in (result, true))
    assert far_from(true, result).size == 0
    assert far_from(result, true).size == 0


@given(st.floats(0.5, 20.0), st.booleans(), seeds)
@few
def test_amplitude_and_polarity_do_not_move_a_beat(factor, inverted, seed):
    signal = ecg(20, 250.0, seed % 50, ectopic={"V": 0.1}).signal.astype(np.float64)
    # By less than the width of a QRS complex: features above 0.5 mV that are narrower than one are taken out.
    np.testing.assert_allclose(beats(signal * (-factor if inverted else factor)), beats(signal), atol=0.04)


@pytest.mark.parametrize(("factor", "share"), [(0.2, 1.0), (0.05, 1.0), (1e-2, 0.0), (1e-4, 0.0)])
def test_low_amplitudes_are_found_down_to_the_floor(factor: float, share: float):
    recording = ecg(60, 250.0, 1, ectopic={"V": 0.1}, noise_mv=0.01)
    result, true = beats(recording.signal.astype(np.float64) * factor), true_beats(recording)
    assert len(result) == share * len(true)
    assert far_from(result, true, 0.06).size == 0


@pytest.mark.parametrize("rate_hz", [100.0, 257.3, 1000.0])
@pytest.mark.parametrize("samples", [0, 1, 2, 50, 3 * 257])
def test_short_flat_and_missing_signals_have_no_beats(rate_hz: float, samples: int):
    for value in (0.0, 5.0, np.nan, np.inf):
        signal = np.full((samples, 2), value)
        result = filter_signal(signal, rate_hz)
        assert find_heartbeats(result).size == 0
        assert result.missing.all() == (samples == 0 or not np.isfinite(value))


def test_three_seconds_and_pure_noise_are_taken():
    assert len(beats(ecg(3, 250.0).signal)) >= 2
    noise = np.random.default_rng(0).standard_normal((15000, 2))
    result = beats(noise)
    assert np.all(np.diff(result) >= 0.24)
    assert np.all((result >= 0) & (result <= 60))


@given(st.floats(0, 15), st.floats(0, 15), rates)
@few
def test_beats_between_leading_and_trailing_gaps_are_found(before_s, after_s, rate_hz):
    recording = ecg(40, rate_hz, 2)
    signal = recording.signal.copy()
    signal[: round(before_s * rate_hz)] = np.nan
    signal[round((40 - after_s) * rate_hz) :] = np.nan
    result, true = beats(signal, rate_hz), true_beats(recording)
    # In a second of which less than a half is there, a P wave may be taken for the beat.
    assert far_from(true[(true > before_s + 0.8) & (true < 39.7 - after_s)], result).size == 0
    assert np.all((result > before_s - 0.1) & (result < 40.1 - after_s))


@pytest.mark.parametrize("dead", [np.nan, 0.0, 3.0])
@pytest.mark.parametrize("lead", [0, 1])
def test_beats_are_found_in_the_other_lead_where_one_dies(dead: float, lead: int):
    recording = ecg(80, 250.0, 5)
    signal = recording.signal.copy()
    signal[10_000:, lead] = dead
    result, true = beats(signal), true_beats(recording)
    assert far_from(true[np.abs(true - 40) > 1.0], result).size == 0  # the jump itself hides a beat or two
    assert far_from(result[np.abs(result - 40) > 1.0], true).size == 0


@pytest.mark.parametrize("noise_mv", [0.005, 0.02, 0.05])
def test_noise_is_not_taken_for_beats_while_the_heart_stands_still(noise_mv: float):
    recording = simulate_recording(180, noise_mv=noise_mv, episodes=[Episode("asystole", 60, 90)])
    result, true = beats(recording.signal), true_beats(recording)
    assert not np.any((result > 60.5) & (result < 149.5))
    assert far_from(true, result).size == 0


def test_the_first_beats_after_a_long_gap_are_found():
    for seed in range(5):
        recording = ecg(100, 250.0, seed)
        signal = recording.signal.copy()
        signal[10_000:20_000] = np.nan
        true = true_beats(recording)
        assert far_from(true[(true < 39.7) | (true > 80.3)], beats(signal)).size == 0


def test_hours_of_peaks_that_are_too_low_are_not_kept():
    rng = np.random.default_rng(0)
    weak = 0.0035 * rng.standard_normal((2 * 3600 * 250, 1))
    result = filter_signal(np.concatenate([ecg(20, 250.0).signal[:, :1], weak]), 250.0)
    state = HeartbeatStream(1)
    for start in range(0, result.signal.shape[1], 18_000):
        block = slice(start, start + 18_000)
        state.step(result[block])
    assert len(state.peaks.rhythm.passed_over) < 10
    assert state.peaks.evidence.height.size < STRENGTH_RATE_HZ
