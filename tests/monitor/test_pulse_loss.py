"""Loss of pulse, and a probe that is off."""

from __future__ import annotations

import pytest

from ectopy.datasets.simulated_pulse import PulseArtefact, simulate_pulse
from ectopy.monitor.pulse_loss import pulse_readings
from ectopy.monitor.pulse_memory import PulseMemory
from support.simulated_pulses import heart_stops_pumping, patient, remembered


def conditions(memory: PulseMemory, at_s: float) -> set[str]:
    return {reading.condition for reading in pulse_readings(memory, at_s, beats=10)[1] if reading.present}


def test_a_lost_arterial_pulse_is_told():
    recording = patient()
    wave = simulate_pulse(recording, "ABP")
    assert conditions(remembered(recording, wave), 70.0) == set()
    assert conditions(remembered(recording, heart_stops_pumping(wave, 56.0, 20.0)), 70.0) == {"loss of pulse"}
    assert conditions(remembered(recording, heart_stops_pumping(wave, 65.0, 20.0)), 70.0) == set()


@pytest.mark.parametrize("kind", ["flushed", "damped", "clipped", "detached"])
@pytest.mark.parametrize("name", ["PLETH", "ABP"])
def test_an_artefact_is_not_a_lost_pulse(kind, name):
    recording = patient()
    wave = simulate_pulse(recording, name, artefacts=[PulseArtefact(kind, 54, 16)])
    told = conditions(remembered(recording, wave), 70.0)
    assert "loss of pulse" not in told
    if kind == "detached":
        assert told == {"probe off"}
