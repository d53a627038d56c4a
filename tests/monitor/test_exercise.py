from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from ectopy.monitor.exercise import ExerciseState, Peak, exercise_beat, exercise_readings
from ectopy.monitor.limits import Limits
from support.beat_streams import GOOD, findings_of, first_present, present, readings_of

LIMITS = Limits.of("exercise", age=40, resting_bpm=60)  # effort from 108, vigorous from 132, high above 174


def beats_at(*corners: tuple[float, float]) -> list[float]:
    """Beats whose rate goes straight from corner to corner, each a second and a rate per minute."""
    seconds, rates = zip(*corners, strict=True)
    times_s = [seconds[0] + 0.3]
    while times_s[-1] < seconds[-1]:
        times_s.append(times_s[-1] + 60 / float(np.interp(times_s[-1], seconds, rates)))
    return times_s


def effort(*corners: tuple[float, float], kinds: Callable[[float], str] = lambda _: "N", words=GOOD):
    times_s = beats_at(*corners)
    letters = "".join(kinds(beat_s) for beat_s in times_s)
    return readings_of(findings_of(times_s, letters, words), LIMITS)


def every(seconds: float, from_s: float, to_s: float) -> Callable[[float], str]:
    """About one ventricular-like beat in so many seconds."""
    last = [-np.inf]

    def kind(beat_s: float) -> str:
        if from_s <= beat_s < to_s and beat_s - last[0] >= seconds:
            last[0] = beat_s
            return "V"
        return "N"

    return kind


def test_effort_and_good_recovery_raise_nothing():
    readings = effort((0, 70), (60, 70), (180, 160), (420, 162), (480, 130), (540, 105), (660, 80))
    assert present(readings) == set()


@pytest.mark.parametrize(("fall", "expected"), [(10, True), (14, False)])
def test_recovery_is_slow_below_twelve_in_a_minute(fall: float, expected: bool):
    readings = effort((0, 70), (120, 160), (300, 160), (360, 160 - fall), (380, 160 - fall), (500, 90))
    assert ("slow recovery" in present(readings)) == expected
    if expected:
        assert 360 <= first_present(readings, "slow recovery") <= 390
        assert readings[-1][1]["slow recovery"].present is False


def test_slow_recovery_shows_its_figures():
    readings = effort((0, 70), (120, 160), (300, 160), (360, 151), (400, 151))
    reading = readings[-1][1]["slow recovery"]
    assert reading.value == pytest.approx(9, abs=0.5)
    assert reading.limit == 12
    assert "from 160" in reading.text
    assert 0 < len(reading.beats_s) <= 20


@pytest.mark.parametrize(
    "corners",
    [
        [(0, 70), (120, 160), (300, 160), (600, 158)],  # goes on
        [(0, 70), (120, 125), (300, 125), (360, 118), (500, 115)],  # was never vigorous
        [(0, 70), (60, 110), (70, 140), (80, 140), (90, 131), (170, 131), (230, 90)],  # was short
        [(0, 70), (120, 160), (300, 160), (360, 140), (500, 131), (560, 131)],  # slower after the first minute
    ],
)
def test_effort_that_goes_on_or_was_light_or_short_is_no_slow_recovery(corners: list[tuple[float, float]]):
    assert "slow recovery" not in present(effort(*corners))


def test_nothing_is_concluded_from_a_peak_before_a_long_unreadable_stretch():
    def words(at_s: float) -> tuple[str, ...]:
        return ("noisy",) if 300 < at_s < 420 else GOOD

    def kinds(beat_s: float) -> str:
        return "?" if 300 < beat_s < 420 else "N"

    corners = [(0, 70), (120, 160), (300, 160), (420, 151), (440, 151)]
    assert "slow recovery" in present(effort(*corners))
    assert "slow recovery" not in present(effort(*corners, kinds=kinds, words=words))


def test_a_short_gap_does_not_hide_a_slow_recovery():
    times_s = beats_at((0, 70), (120, 160), (300, 160), (360, 151), (400, 151))
    findings = [each for each in findings_of(times_s) if not 320 < each.at_s <= 325]
    assert "slow recovery" in present(readings_of(findings, LIMITS))


@pytest.mark.parametrize(
    ("before", "after", "seconds", "expected"),
    [(150, 105, 3, True), (150, 115, 3, False), (150, 105, 40, False), (105, 60, 3, False)],
)
def test_a_sudden_drop_is_more_than_forty_within_twenty_seconds_of_effort(
    before: float, after: float, seconds: float, expected: bool
):
    readings = effort((0, before), (100, before), (100 + seconds, after), (160, after))
    assert ("sudden drop" in present(readings)) == expected
    if expected:
        assert first_present(readings, "sudden drop") < 115
        assert readings[-1][1]["sudden drop"].present is False


@pytest.mark.parametrize(
    ("apart_at_rest_s", "apart_s", "expected"),
    [(200, 7.5, True), (200, 12, False), (10, 7.5, False), (12, 4, True)],
)
def test_ectopy_grows_with_effort_at_seven_a_minute_and_twice_as_many_as_at_rest(
    apart_at_rest_s: float, apart_s: float, expected: bool
):
    at_rest, later = every(apart_at_rest_s, 20, 180), every(apart_s, 260, 500)
    readings = effort(
        (0, 70), (180, 70), (240, 130), (500, 130), kinds=lambda beat_s: (at_rest if beat_s < 200 else later)(beat_s)
    )
    assert ("ectopy with effort" in present(readings)) == expected


def test_ectopy_at_rest_is_not_ectopy_with_effort():
    assert "ectopy with effort" not in present(effort((0, 70), (300, 70), kinds=every(3, 20, 300)))


def test_only_the_exercise_profile_watches_effort():
    times_s = beats_at((0, 150), (100, 150), (103, 80), (160, 80))
    for profile in ("ward", "ambulatory"):
        readings = readings_of(findings_of(times_s), Limits.of(profile))
        assert not present(readings) & {"slow recovery", "sudden drop", "ectopy with effort"}
        assert "extreme tachycardia" in present(readings)
    assert "extreme tachycardia" not in present(readings_of(findings_of(times_s), LIMITS))


def test_limits_of_rates_follow_age():
    times_s = beats_at((0, 120), (30, 120), (60, 168), (120, 168))
    for age, expected in ((25, set()), (65, {"high rate"})):
        assert present(readings_of(findings_of(times_s), Limits.of("exercise", age))) == expected
    for age, expected in ((30, False), (90, True)):
        limits = Limits.of("exercise", age)
        fast = beats_at((0, 120), (30, 120), (60, 175), (120, 175))
        assert ("extreme tachycardia" in present(readings_of(findings_of(fast), limits))) == expected


def test_a_peak_is_followed_while_the_rate_stays_with_it():
    state = ExerciseState()
    times_s = beats_at((0, 150), (30, 155), (60, 153))
    for before, beat_s in pairwise(times_s):
        state = exercise_beat(state, LIMITS, beat_s, 60 / (beat_s - before), ventricular=False)
    assert state.peak == Peak(pytest.approx(155, abs=0.3), times_s[1], times_s[-1])
    assert [reading.present for reading in exercise_readings(state, LIMITS)] == [False] * 3
