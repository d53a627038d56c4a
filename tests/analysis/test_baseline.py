"""Monitoring from the first beats: a provisional normal, and arrival in ventricular tachycardia."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis.interval_model import Timing
from ectopy.analysis.population import ventricular_shape
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.template_comparison import BeatDifference
from ectopy.analysis.verdicts import Hint, PreviousBeat, _assign_hints
from ectopy.datasets.simulated import simulate_recording
from ectopy.monitor import AlarmChanged, BeatJudged, Monitor, MonitorState
from ectopy.monitor.replay import whole
from ectopy.recording import Recording
from ectopy.signal.beat_segments import BeatSegments
from support.monitor_steps import feed

RATE_HZ = 250.0
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    return Monitor.of(load_ambulatory())


def tachycardia(duration_s: float, bpm: float) -> np.ndarray:
    """Wide beats with a T wave of the opposite sign, two leads."""
    random = np.random.default_rng(4)
    times_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    signal = np.zeros(len(times_s))
    at_s = 0.3
    while at_s < duration_s:
        for delay_s, width_s, mv in ((0, 0.036, 1.35), (0.085, 0.03, -0.35), (0.26, 0.05, -0.42)):
            signal += mv * np.exp(-0.5 * ((times_s - at_s - delay_s) / width_s) ** 2)
        at_s += 60 / bpm * (1 + 0.01 * random.standard_normal())
    return np.stack([signal, -0.8 * signal], axis=1) + 0.01 * random.standard_normal((len(times_s), 2))


def watch(monitor: Monitor, signal: np.ndarray) -> tuple[MonitorState, list]:
    return feed(monitor, MonitorState(), *whole(Recording(signal, RATE_HZ, ("II", "V")), 1.0))


def calls(events: list, condition: str) -> list[AlarmChanged]:
    return [
        event
        for event in events
        if isinstance(event, AlarmChanged)
        and event.transition.change == "raised"
        and event.transition.alarm.condition == condition
    ]


@pytest.mark.parametrize("bpm", [105, 130, 160])
def test_who_arrives_in_ventricular_tachycardia_is_announced_and_it_is_not_learned_as_normal(monitor, bpm):
    learning = replace(monitor, learning_s=30.0)
    state, events = watch(learning, tachycardia(45, bpm))
    assert calls(events, "ventricular tachycardia")[0].at_s < 15 * 60 / bpm + 5
    assert state.normal is None
    assert state.signal.detection.baseline.normal is None
    assert state.signal.detection.learning is not None


def test_a_tachycardia_is_announced_soon_after_admission_with_the_confidence(monitor):
    quiet = simulate_recording(15, sampling_rate_hz=RATE_HZ, leads=2, random_state=3).signal
    _, events = watch(monitor, np.concatenate([quiet, tachycardia(12, 140)]))
    (called,) = calls(events, "ventricular tachycardia")
    assert 15 < called.at_s < 15 + 5 * 60 / 140 + 5
    assert "(learning, " in called.transition.alarm.reading.text


def test_ectopic_beats_are_named_from_the_tenth_beat_on(monitor):
    recording = simulate_recording(60, sampling_rate_hz=RATE_HZ, leads=2, ectopic={"V": 0.15}, random_state=5)
    _, events = watch(monitor, recording.signal)
    ectopic_s = recording.annotations.positions[recording.annotations.symbols == "V"] / RATE_HZ
    beats = [event for event in events if isinstance(event, BeatJudged)]
    named_s = np.array([event.beat_s for event in beats if event.hint == Hint.VENTRICULAR])
    later_s = ectopic_s[(ectopic_s > 12) & (ectopic_s < 57)]
    assert len(later_s) > 3
    assert all(np.abs(named_s - at_s).min() < 0.15 for at_s in later_s)
    assert all(np.abs(ectopic_s - at_s).min() < 0.15 for at_s in named_s)
    assert beats[3].confidence == "compared with other people's beats"
    assert beats[-1].confidence.startswith("learning, ")


@pytest.mark.parametrize("gain", [0.3, 1.0, 3.0])
def test_a_wide_beat_has_the_shape_of_a_ventricular_one_at_any_amplitude(gain):
    times_s = (np.arange(140) - 52) / 180
    narrow, wide = (gain * np.exp(-0.5 * (times_s / width_s) ** 2) for width_s in (0.012, 0.045))
    shapes = ventricular_shape(np.stack([narrow, wide])[:, None], np.ones((2, 1), bool))
    assert shapes[0] < -1
    assert shapes[1] > 1.5
    assert np.isnan(ventricular_shape(wide[None, None], np.zeros((1, 1), bool))).all()


def row_of(samples: np.ndarray) -> tuple[BeatSegments, BeatDifference]:
    """Beats 0.4 s apart that are changed, wide and early."""
    n, leads = samples.shape[:2]
    high, unchanged = np.full(n, 1.5), np.zeros(n)
    beats = BeatSegments(
        np.arange(n) * 0.4, samples, np.ones((n, leads), bool), high / 5, unchanged, unchanged, np.full(n, 0.4)
    )
    return beats, BeatDifference(high, high, high, unchanged, unchanged, high / 2, high, unchanged, high, high)


def bump(width_s: float, at_s: float = 0.0, height: float = 1.0) -> np.ndarray:
    """One QRS complex."""
    times_s = (np.arange(148) - 56) / 180
    return height * np.exp(-0.5 * ((times_s - at_s) / width_s) ** 2)


def names(beats: BeatSegments, difference: BeatDifference, before: PreviousBeat) -> tuple[PreviousBeat, list[str]]:
    empty, no_timing = np.zeros(len(beats), bool), Timing(np.zeros(len(beats)), np.zeros(len(beats)))
    before, hints = _assign_hints(beats, ~empty, empty, difference, difference.p_wave, no_timing, before)
    return before, hints.tolist()


def shapes(seed: int, n: int, noise: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    beat = np.cumsum(random.normal(size=(1, 2, 148)), axis=2)
    beat /= beat.std(axis=2, keepdims=True)
    return ((1 - noise) * beat + noise * random.normal(size=(n, 2, 148))).astype(np.float32)


@given(SEEDS)
def test_a_row_of_like_beats_is_ventricular_and_one_of_noise_is_not(seed: int):
    _, alike = names(*row_of(shapes(seed, 12, 0.05)), PreviousBeat())
    assert set(alike) == {Hint.VENTRICULAR}
    _, unlike = names(*row_of(shapes(seed, 40, 1.0)), PreviousBeat())
    assert unlike[:3] == [Hint.VENTRICULAR] * 3
    assert unlike[3:].count(Hint.OTHER) > 30


@pytest.mark.parametrize("odd", [0, 4])
def test_the_first_beat_of_a_row_may_be_unlike_the_others_and_no_later_one(odd: int):
    samples = np.tile(bump(0.02), (9, 2, 1)).astype(np.float32)
    samples[odd] = bump(0.02, 0.0, -1.0)
    _, hints = names(*row_of(samples), PreviousBeat())
    later = [Hint.OTHER] * 4 if odd else []  # it, and those of which one of the two before is unlike
    assert hints == [Hint.VENTRICULAR] * (9 if not odd else 4) + later + [Hint.VENTRICULAR] * (1 if odd else 0)


@given(SEEDS, st.integers(1, 19), st.floats(0.0, 1.0))
def test_a_row_is_judged_the_same_in_any_stretches(seed: int, cut: int, noise: float):
    beats, difference = row_of(shapes(seed, 20, noise))
    _, whole_row = names(beats, difference, PreviousBeat())
    before, first_part = names(beats[:cut], difference[:cut], PreviousBeat())
    _, rest = names(beats[cut:], difference[cut:], before)
    assert first_part + rest == whole_row


def test_a_clear_lead_that_shows_the_usual_beat_contradicts_the_other():
    beats, difference = row_of(shapes(1, 3, 0.0))
    contradicted = replace(difference, best_qrs=np.array([1.5, 0.1, 1.5]))
    assert names(beats, contradicted, PreviousBeat())[1][1] != Hint.VENTRICULAR
