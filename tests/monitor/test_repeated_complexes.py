"""A fast rhythm of high priority needs beats that repeat one complex."""

from __future__ import annotations

import numpy as np
import pytest

from ectopy.monitor.repeated_complexes import LEAST_LIKENESS, template_likeness, unless_unlike
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.signal.beat_segments import BEFORE, MARGIN, BeatSegments

BEATS, SAMPLES, ORIGIN_S = 12, 148, 100.0
RNG = np.random.default_rng(0)
FAST = ["ventricular tachycardia", "extreme tachycardia"]


def complexes(width: float, noise_mv: float = 0.02, shift: int = 0) -> np.ndarray:
    """The same complex twelve times, each a little shifted."""
    at = np.arange(SAMPLES) - MARGIN - BEFORE
    shifts = np.resize([0, shift, -shift], BEATS)[:, None]
    noise = RNG.normal(0.0, noise_mv, (BEATS, SAMPLES))
    return np.exp(-(((at - shifts) / width) ** 2)) - 0.4 * np.exp(-(((at - shifts - 9) / width) ** 2)) + noise


def wander(seed: int = 0) -> np.ndarray:
    """Twelve pieces of a signal without heartbeats, in which high frequencies are low."""
    steps = np.random.default_rng(seed).normal(0.0, 0.1, (BEATS, SAMPLES))
    return np.cumsum(steps, axis=1)


def segments(*leads: np.ndarray, readable: np.ndarray | None = None) -> BeatSegments:
    times_s, unknown = 0.4 * np.arange(BEATS), np.zeros(BEATS)
    samples = np.stack(leads, axis=1).astype(np.float32)
    readable = np.ones((BEATS, len(leads)), np.bool_) if readable is None else readable
    return BeatSegments(times_s, samples, readable, unknown, unknown, unknown, np.full(BEATS, 0.4))


def present_after(condition: str, beats: BeatSegments) -> bool | None:
    given = ConditionReading(condition, True, "text", 150.0, 140.0, tuple((beats.times_s + ORIGIN_S).tolist()))
    (reading,) = unless_unlike([given], beats, ORIGIN_S)
    assert reading is given or reading == ConditionReading(condition, None)
    return reading.present


FEW = np.arange(BEATS)[:, None] < BEATS // 2 - 1


@pytest.mark.parametrize("condition", FAST)
@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        pytest.param(segments(complexes(4.0, shift=3)), True, id="narrow complexes that repeat"),
        pytest.param(segments(complexes(14.0, shift=3)), True, id="wide complexes that repeat"),
        pytest.param(segments(wander(0), wander(1)), None, id="another shape each time"),
        pytest.param(segments(wander(), complexes(6.0)), True, id="repeated in one of two leads"),
        pytest.param(segments(wander(), readable=FEW), True, id="too few that can be read"),
    ],
)
def test_a_fast_rhythm_is_left_open_where_readable_beats_repeat_no_complex_in_any_lead(
    condition: str, beats: BeatSegments, expected: bool | None
):
    assert present_after(condition, beats) is expected


def test_slow_rhythms_and_runs_of_medium_priority_stay():
    unlike = segments(wander())
    assert present_after("extreme bradycardia", unlike) is True
    assert present_after("ventricular run", unlike) is True


def test_a_rhythm_that_is_away_stays_away():
    readings = [ConditionReading(condition, False) for condition in FAST]
    assert unless_unlike(readings, segments(wander()), ORIGIN_S) == tuple(readings)


def test_noise_lowers_the_likeness_of_complexes_that_repeat():
    likeness = [template_likeness(complexes(8.0, noise_mv)) for noise_mv in (0.0, 0.1, 0.3, 3.0)]
    assert likeness[0] == pytest.approx(1.0)
    assert np.all(np.diff(likeness) < 0)
    assert likeness[1] > LEAST_LIKENESS > likeness[3]


def test_a_flat_lead_repeats_nothing():
    assert template_likeness(np.zeros((BEATS, SAMPLES))) == 0.0
