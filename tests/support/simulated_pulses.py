"""A patient with a simulated pulse beside the ECG, what is remembered of it, and waves without a clear pulse."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from ectopy.analysis.verdicts import Hint
from ectopy.datasets.simulated import simulate_recording
from ectopy.datasets.simulated_pulse import simulate_pulse
from ectopy.monitor.pulse_memory import PulseMemory, remember
from ectopy.monitor.pulse_stream import PulsePiece
from ectopy.monitor.rhythm_input import ConditionReading, JudgedBeats
from ectopy.recording import PulseWave, Recording

LIMITS = {
    "asystole": (6.0, 4.0),
    "extreme bradycardia": (30.0, 40.0),
    "extreme tachycardia": (190.0, 140.0),
    "ventricular tachycardia": (150.0, 100.0),
    "ventricular fibrillation": (None, None),
}


@cache
def clean_wave(name: str) -> PulseWave:
    return simulate_pulse(patient(), name)


@cache
def patient(rate_bpm: float = 75.0, duration_s: float = 70.0, seed: int = 3) -> Recording:
    return simulate_recording(duration_s, rate_bpm=rate_bpm, random_state=seed, noise_mv=0.01)


def beats_s(recording: Recording) -> np.ndarray:
    return recording.annotations.positions / recording.sampling_rate_hz


def remembered(
    recording: Recording, *waves: PulseWave, late_s: float = 0.0, uncertain_from_s: float = np.inf
) -> PulseMemory:
    """What is known at the end of a recording, of which beats are known a second before it ends.

    From some second on nobody can tell what the beats are.
    """
    memory = PulseMemory()
    times_s = beats_s(recording)
    for second in range(int(recording.duration_s)):
        new_s = times_s[(times_s > second - 1) & (times_s <= second)]
        texts = np.array(["NORMAL"] * len(new_s), dtype="U10")
        hints = np.where(new_s < uncertain_from_s, Hint.EMPTY.value, Hint.OTHER.value)
        beats = JudgedBeats(new_s, new_s, texts, hints, np.ones(len(new_s), bool))
        pieces = []
        for wave in waves:
            first, last = (round(at_s * wave.sampling_rate_hz) for at_s in (second, second + 1))
            pieces.append(
                PulsePiece(wave.name, wave.unit, wave.sampling_rate_hz, second + late_s, wave.samples[first:last])
            )
        memory = remember(memory, pieces, beats)
    return memory


def claim(condition: str, begin_s: float, end_s: float) -> ConditionReading:
    """An alarm that rests on a stretch of signal."""
    value, limit = LIMITS[condition]
    at_s = (begin_s,) if condition == "asystole" else tuple(np.linspace(begin_s, end_s, 5).tolist())
    return ConditionReading(condition, True, "text.", value, limit, at_s)


def spoiled(kind: str, wave: PulseWave, recording: Recording, seed: int = 0) -> np.ndarray:
    """A wave without a pulse that could be read."""
    rng, size = np.random.default_rng(seed), len(wave.samples)
    rate_hz = wave.sampling_rate_hz
    if kind == "flat":
        return np.full(size, wave.samples[0], np.float32)
    if kind == "missing":
        return np.full(size, np.nan, np.float32)
    if kind == "noise":
        return rng.normal(0, 1, size).astype(np.float32)
    if kind == "wander":
        return np.cumsum(rng.normal(0, 1, size)).astype(np.float32)
    if kind == "flushed":
        return np.full(size, 300.0, np.float32) + rng.normal(0, 0.1, size).astype(np.float32)
    if kind == "clipped":
        return np.minimum(wave.samples, np.float32(np.quantile(wave.samples, 0.5)))
    if kind == "crosstalk":
        seconds = np.arange(size) / rate_hz
        apart_s = seconds[:, None] - beats_s(recording)[None, :]
        return (30.0 * np.exp(-0.5 * (apart_s / 0.012) ** 2).sum(axis=1)).astype(np.float32)
    raise ValueError(kind)


SPOILED = ("flat", "missing", "noise", "wander", "flushed", "clipped", "crosstalk")


def heart_stops_pumping(wave: PulseWave, at_s: float, level: float) -> PulseWave:
    samples = wave.samples.copy()
    first = round(at_s * wave.sampling_rate_hz)
    seconds = np.arange(len(samples) - first) / wave.sampling_rate_hz
    samples[first:] = level + (samples[first] - level) * np.exp(-seconds / 3.0)
    return replace(wave, samples=samples)
