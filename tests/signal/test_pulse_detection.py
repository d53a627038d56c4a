"""Onsets and quality of each pulse of a wave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.datasets.simulated_pulse import simulate_pulse
from ectopy.recording import PulseWave
from ectopy.signal.array_columns import join
from ectopy.signal.pulse_detection import Pulses, PulseState, pulse_end, pulse_step
from support.examples import examples
from support.simulated_pulses import SPOILED, beats_s, patient, spoiled


def detected(wave: PulseWave, cuts: list[int] | None = None) -> Pulses:
    """All pulses of a wave that comes in seconds, or in pieces of other lengths."""
    rate_hz, samples = wave.sampling_rate_hz, wave.samples
    state = PulseState.fresh(pressure=wave.name != "PLETH", rate_hz=rate_hz, start_s=0.0)
    pulses, at = Pulses.empty(), 0
    for length in cuts or [round(rate_hz)] * (len(samples) // round(rate_hz) + 1):
        piece = samples[at : at + length]
        state, findings = pulse_step(state, piece, rate_hz, at / rate_hz)
        pulses, at = join([pulses, findings.pulses]), at + len(piece)
    return join([pulses, pulse_end(state)[1].pulses])


@pytest.mark.parametrize("name", ["PLETH", "ABP"])
@pytest.mark.parametrize("rate_hz", [60.0, 125.0, 500.0])
@pytest.mark.parametrize("rate_bpm", [35.0, 75.0, 150.0])
def test_each_beat_has_one_pulse_at_a_steady_delay(name, rate_hz, rate_bpm):
    recording = patient(rate_bpm)
    pulses = detected(simulate_pulse(recording, name, sampling_rate_hz=rate_hz))
    times_s = beats_s(recording)
    times_s = times_s[(times_s > 5) & (times_s < 68)]
    found = pulses[(pulses.onset_s > 5.1) & (pulses.onset_s < times_s[-1] + 0.45)]
    assert len(found) == len(times_s)
    delay_s = found.onset_s - times_s
    assert delay_s.std() < 0.03
    assert 0.1 < np.median(delay_s) < 0.35
    assert found.readable.mean() > 0.8


@given(seed=st.integers(0, 1000), rate_hz=st.sampled_from([62.5, 125.0, 250.0]))
@settings(max_examples=examples(10))
def test_the_same_pulses_are_found_however_the_wave_is_cut(seed, rate_hz):
    wave = simulate_pulse(patient(), "ABP", sampling_rate_hz=rate_hz)
    damaged = wave.samples.copy()
    rng = np.random.default_rng(seed)
    damaged[rng.integers(len(damaged), size=5)] = np.nan
    wave = replace(wave, samples=damaged)
    cuts = rng.integers(0, 400, size=2 * len(damaged) // 200 + 60).tolist()
    whole, cut = detected(wave, [len(damaged)]), detected(wave, cuts)
    for name in ("onset_s", "amplitude", "readable"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(cut, name))


@pytest.mark.parametrize("kind", SPOILED)
@pytest.mark.parametrize("name", ["PLETH", "ABP"])
def test_a_wave_without_a_clear_pulse_is_not_readable(kind, name):
    recording = patient()
    wave = simulate_pulse(recording, name)
    pulses = detected(replace(wave, samples=spoiled(kind, wave, recording)))
    assert pulses.readable.sum() <= 0.2 * len(beats_s(recording))
