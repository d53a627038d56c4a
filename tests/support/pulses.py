"""Pulse waves beside simulated recordings, and what is stored of them."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np

from ectopy.recording import PulseWave, Recording
from ectopy.service.storage import Waveform


def pulse_wave(duration_s: float, name: str = "ABP", unit: str = "mmHg", rate_hz: float = 125.0) -> PulseWave:
    """A pulse of 66 per minute between 60 and 120."""
    at = np.arange(ceil(duration_s * rate_hz)) / rate_hz
    return PulseWave(name, unit, rate_hz, (90 + 30 * np.sin(2 * np.pi * 1.1 * at)).astype(np.float32))


def with_pulses(recording: Recording) -> Recording:
    """A recording with an arterial pressure, and a plethysmogram at another rate that lacks a second."""
    pleth = pulse_wave(recording.duration_s, "PLETH", "NU", 62.5)
    pleth.samples[100:160] = np.nan
    return replace(recording, pulses=(pulse_wave(recording.duration_s), pleth))


def has_pulses(stored: Waveform, recording: Recording) -> None:
    """Check that the pulse waves of a whole recording are stored."""
    assert [pulse.name for pulse in stored.pulses] == [wave.name for wave in recording.pulses]
    for pulse, wave in zip(stored.pulses, recording.pulses, strict=True):
        assert (pulse.unit, pulse.sampling_rate_hz, pulse.position) == (wave.unit, wave.sampling_rate_hz, 0)
        np.testing.assert_array_equal(pulse.samples, wave.samples)
