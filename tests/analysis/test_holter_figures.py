"""Relations that hold between the figures of a Holter report, and figures that can be counted by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.holter_figures import HolterFigures, MinuteValue, holter_figures
from ectopy.analysis.minute_waves import MinuteMeasurements
from ectopy.analysis.rhythm_events import find_events
from ectopy.analysis.rhythm_rules import RhythmKind
from ectopy.analysis.wave_intervals import StSegments, WaveIntervals
from ectopy.recording import Recording
from ectopy.signal import Quality
from support.beat_streams import analysis_of
from support.examples import examples

beats = st.lists(st.sampled_from("NNNNNVVSA?"), min_size=1, max_size=60).map("".join)


def figures_of(
    letters: str, rr_s: list[float] | None = None, start: datetime | None = None, duration_s: float | None = None
) -> HolterFigures:
    return measured(*recorded(letters, rr_s, start, duration_s))


def measured(recording: Recording, analysis: Analysis) -> HolterFigures:
    return holter_figures(recording, analysis, find_events(analysis))


def recorded(
    letters: str, rr_s: list[float] | None = None, start: datetime | None = None, duration_s: float | None = None
) -> tuple[Recording, Analysis]:
    """Beats of these kinds in a recording that ends half a second after the last, readable throughout."""
    analysis = analysis_of(letters, rr_s)
    verdict = np.where(np.array(list(letters), "U1") == "?", "UNREADABLE", analysis.verdict)
    verdict = np.where(np.isin(list(letters), ["N"]), "NORMAL", verdict) if letters else verdict
    if duration_s is None:
        duration_s = float(analysis.beats.times_s[-1]) + 0.5 if letters else 0.0
    samples = round(duration_s * 2)
    windows = int(np.ceil(samples / 2))
    quality = Quality(np.ones((1, windows)), np.full((1, windows), "good"), samples / 2)
    recording = Recording(np.zeros((samples, 1), np.float32), 2.0, ("II",), start=start)
    return recording, replace(analysis, verdict=verdict, quality=quality)


@settings(max_examples=examples(40))
@given(beats, st.integers(0, 1000))
def test_rows_of_beats_add_up(letters: str, seed: int):
    rr_s = np.random.default_rng(seed).uniform(0.3, 1.9, len(letters)).tolist()
    figures = figures_of(letters, [np.nan, *rr_s[1:]])
    for ectopic, letter in ((figures.ventricular, "V"), (figures.supraventricular, "S")):
        # An unreadable beat beside a row leaves the interval between them unknown, but ends the row anyway.
        rows = [len(row) for row in re.findall(f"{letter}+", letters)]
        assert ectopic.total == sum(rows)
        assert ectopic.single == rows.count(1)
        assert ectopic.pairs == rows.count(2)
        assert ectopic.runs.number == sum(row >= 3 for row in rows)
        assert ectopic.single + 2 * ectopic.pairs + ectopic.runs.beats == ectopic.total
        assert ectopic.most_in_an_hour == ectopic.total
        assert (ectopic.most_start_s is None) == (ectopic.total == 0)
        assert ectopic.runs.longest is None or ectopic.runs.longest.beats == max(rows)
    assert figures.events[RhythmKind.COUPLET].number == figures.ventricular.pairs
    counted = figures.beats
    assert counted.total == len(letters)
    assert counted.normal + counted.ventricular + counted.supraventricular + counted.other + counted.unreadable == (
        len(letters)
    )


@settings(max_examples=examples(25))
@given(st.integers(0, 1000), st.floats(0.4, 30.0), st.integers(2, 400))
def test_hours_add_up_and_the_mean_lies_between_the_extremes(seed: int, most_s: float, number: int):
    rng = np.random.default_rng(seed)
    letters = "".join(rng.choice(list("NNNNVVSA?"), number))
    rr_s = rng.uniform(0.3, most_s, number)
    rr_s[rng.random(number) < 0.1] = np.nan
    figures = figures_of(letters, rr_s.tolist())
    hours = figures.hours
    assert hours[0].start_s == 0
    assert hours[-1].end_s == figures.times.duration_s
    assert all(before.end_s == after.start_s for before, after in pairwise(hours))
    for name in ("total", "normal", "ventricular", "supraventricular", "other", "unreadable"):
        assert sum(getattr(hour.beats, name) for hour in hours) == getattr(figures.beats, name)
    for kind in RhythmKind:
        assert sum(hour.events[kind] for hour in hours) == figures.events[kind].number
    assert sum(hour.variability.intervals for hour in hours) == figures.variability.whole.intervals
    for rate in (figures.rate, *(hour.rate for hour in hours)):
        assert (rate.minimum_bpm is None) == (rate.maximum_bpm is None)
        if rate.minimum_bpm is not None:
            assert rate.minimum_bpm - 1e-9 <= rate.mean_bpm <= rate.maximum_bpm + 1e-9
    by_hour = [hour.beats.ventricular for hour in hours]
    assert figures.ventricular.most_in_an_hour == max(by_hour)
    if max(by_hour):
        assert hours[by_hour.index(max(by_hour))].start_s == figures.ventricular.most_start_s
    lowest = [hour.rate.minimum_bpm for hour in hours if hour.rate.minimum_bpm is not None]
    assert figures.rate.minimum_bpm == min(lowest, default=None)


def test_rates_have_the_times_of_their_windows():
    rr_s = [np.nan, *[1.0] * 100, *[0.5] * 200, *[0.8] * 99]
    rate = figures_of("N" * len(rr_s), rr_s, duration_s=280.0).rate
    assert (rate.minimum_bpm, rate.minimum_at_s) == (60, 0)
    assert (rate.maximum_bpm, rate.window_s) == (120, 10)
    assert rate.maximum_at_s == pytest.approx(110, abs=10)
    assert rate.mean_bpm == pytest.approx(60 * 399 / 279.2)


def test_a_window_in_which_the_recording_ends_is_neither_the_slowest_nor_the_fastest():
    """One slow or fast interval is no rate of ten seconds."""
    steady = [np.nan, *[0.8] * 100]
    for last_s in (1.9, 0.4):
        rate = figures_of("N" * 103, [*steady, last_s, last_s]).rate
        assert rate.minimum_bpm == rate.maximum_bpm == rate.mean_bpm == pytest.approx(75)
    short = figures_of("NNNNN", [np.nan, 1.0, 1.0, 1.0, 1.0]).rate
    assert (short.minimum_bpm, short.mean_bpm, short.maximum_bpm) == (None, 60, None)


def test_of_runs_the_longest_and_the_fastest_are_told_apart():
    letters = "NNVVVVVNNNVVVNN"
    rr_s = [np.nan, 0.8, 0.5, *[0.6] * 4, 0.9, 0.8, 0.8, 0.4, *[0.3] * 2, 0.9, 0.8]
    runs = figures_of(letters, rr_s).ventricular.runs
    assert runs.number == 2
    assert runs.beats == 8
    assert (runs.longest.beats, runs.longest.rate_bpm, runs.longest.coupling_s) == (5, pytest.approx(100), 0.5)
    assert (runs.fastest.beats, runs.fastest.rate_bpm, runs.fastest.coupling_s) == (3, pytest.approx(200), 0.4)
    assert runs.longest.start_s == pytest.approx(1.3)


def test_pauses_have_the_limit_and_the_longest():
    pauses = figures_of("NNNNN", [np.nan, 0.8, 2.5, 0.8, 3.5]).pauses
    assert (pauses.number, pauses.limit_s) == (2, 2.0)
    assert (pauses.longest_rr_s, pauses.longest_rr_start_s) == (3.5, pytest.approx(4.1))
    assert figures_of("NN").pauses.longest_rr_s == 0.8


def test_fibrillation_has_its_burden_and_its_longest_episode():
    intervals_s = np.full(1000, 0.8)
    intervals_s[200:500] = 0.6 * np.exp(0.2 * np.random.default_rng(4).standard_normal(300))
    figures = figures_of("N" * 1001, [np.nan, *intervals_s])
    fibrillation = figures.atrial_fibrillation
    assert fibrillation.burden_percent == pytest.approx(figures.rhythms["atrial fibrillation"])
    assert fibrillation.episodes == 1
    assert fibrillation.longest_start_s == pytest.approx(160, abs=30)
    assert fibrillation.minimum_bpm == fibrillation.maximum_bpm == pytest.approx(fibrillation.mean_bpm, abs=0.001)


def test_the_shares_of_rhythms_of_the_hours_make_up_that_of_the_recording():
    intervals_s = np.full(9000, 0.8)
    intervals_s[3000:7000] = 0.6 * np.exp(0.2 * np.random.default_rng(4).standard_normal(4000))
    figures = figures_of("N" * 9001, [np.nan, *intervals_s])
    first, second = (hour.rhythms["atrial fibrillation"] for hour in figures.hours)
    assert 0 < first < 100
    assert 0 < second < 100
    # The first beat is at 0 s; after the last one no rhythm is known.
    known_s = [3600.0, figures.hours[1].end_s - 3600.0 - 0.5]
    burden = np.average([first, second], weights=known_s)
    assert burden == pytest.approx(figures.atrial_fibrillation.burden_percent, abs=0.01)


@pytest.mark.parametrize(("letters", "duration_s"), [("", 0.0), ("", 30.0), ("?" * 20, None), ("N", 0.5)])
def test_what_cannot_be_known_is_none(letters: str, duration_s: float | None):
    figures = figures_of(letters, duration_s=duration_s)
    assert figures.rate.mean_bpm is None
    assert figures.rate.maximum_at_s is None
    assert figures.pauses.longest_rr_s is None
    assert figures.ventricular.runs.fastest is None
    assert figures.atrial_fibrillation.mean_bpm is None
    assert figures.poincare.pairs == ()
    written = json.loads(json.dumps(figures.summary(), allow_nan=False))
    assert written["variability"]["whole"]["sdnn_ms"] is None
    assert written["variability"]["day"] is None


def test_unreadable_time_does_not_count():
    recording, analysis = recorded("N" * 101)
    index = np.ones((1, 81))
    index[:, 20:41] = 0
    changed = replace(analysis, quality=Quality(index, np.where(index > 0.5, "good", "noisy"), recording.duration_s))
    times = measured(recording, changed).times
    assert times.duration_s == 80.5
    assert times.readable_s == 59.5
    assert times.readable_percent == pytest.approx(100 * 59.5 / 80.5)


def test_the_clock_of_the_recorder_goes_on_over_midnight_and_summer_time():
    rr_s = [np.nan, *np.random.default_rng(0).normal(1.8, 0.02, 9000)]
    start = datetime(2026, 3, 28, 22, 30)
    plain = figures_of("N" * 9001, rr_s, start, duration_s=18_060)
    assert plain.times.end == datetime(2026, 3, 29, 3, 31)
    assert [hour.start_s for hour in plain.hours] == [0, 3600, 7200, 10800, 14400, 18000]
    assert plain.variability.day.intervals == pytest.approx(1000, abs=10)
    assert plain.variability.night.intervals == pytest.approx(8000, abs=10)
    changed = figures_of("N" * 9001, rr_s, start.replace(tzinfo=ZoneInfo("Europe/Berlin")), duration_s=18_060)
    assert changed.variability == plain.variability
    assert changed.rate == plain.rate
    assert changed.times.end.replace(tzinfo=None) == plain.times.end
    assert changed.times.end.astimezone(UTC) == datetime(2026, 3, 29, 2, 31, tzinfo=UTC)


def test_relabelled_beats_change_the_figures():
    recording, analysis = recorded("NNVVVNNVNN" * 10)
    before = measured(recording, analysis)
    rows = np.arange(len(analysis)) % 10 == 3
    hint, verdict = np.where(rows, "", analysis.hint), np.where(rows, "NORMAL", analysis.verdict)
    after = measured(recording, replace(analysis, hint=hint, verdict=verdict))
    assert (before.ventricular.runs.number, after.ventricular.runs.number) == (10, 0)
    assert (before.ventricular.single, after.ventricular.single) == (10, 30)
    assert after.beats.normal == before.beats.normal + 10
    assert after.hours[0].beats.ventricular == 30


def measured_minutes(intervals: WaveIntervals, levels_mv: NDArray[np.float64]) -> MinuteMeasurements:
    minutes = len(intervals)
    return MinuteMeasurements(
        leads=("II", "V5"),
        start_s=60 * np.arange(float(minutes)),
        beats=np.full(minutes, 70),
        rr_s=np.full(minutes, 0.8),
        complexes_mv=np.zeros((2, minutes, 12)),
        intervals=intervals,
        st=StSegments(*[levels_mv] * 3),
    )


def test_there_is_no_pr_interval_while_the_atria_fibrillate():
    intervals_s = np.full(1000, 0.8)
    intervals_s[500:] = 0.6 * np.exp(0.2 * np.random.default_rng(4).standard_normal(500))
    recording, analysis = recorded("N" * 1001, [np.nan, *intervals_s])
    values_ms = np.where(np.arange(11) < 6, 160.0, 360.0)
    measured = measured_minutes(WaveIntervals(*[values_ms] * 7), np.zeros((2, 11)))
    waves = holter_figures(recording, analysis, [], measured).waves
    assert waves.longest_ms["pr_ms"].value == waves.longest_ms["p_ms"].value == 160
    assert waves.longest_ms["qt_ms"].value == 360


def test_waves_are_the_medians_and_extremes_of_their_minutes():
    recording, analysis = recorded("N" * 9000)
    minutes = np.arange(120.0)
    qt_ms = np.where(minutes == 90, 470.0, 400.0)
    qt_ms[:10] = np.nan
    levels_mv = np.stack([np.where(minutes < 60, 0.1, -0.2), np.full(120, np.nan)])
    measured = measured_minutes(WaveIntervals(*[qt_ms] * 7), levels_mv)
    figures = holter_figures(recording, analysis, [], measured)
    assert figures.waves.intervals_ms["qt_ms"] == 400
    assert figures.waves.longest_ms["qt_ms"] == MinuteValue(470.0, 5400.0)
    assert figures.waves.st_lowest_mv == {"II": MinuteValue(-0.2, 3600.0), "V5": None}
    assert figures.waves.st_highest_mv["II"] == MinuteValue(0.1, 0.0)
    assert [hour.waves.st_mv for hour in figures.hours] == [{"II": 0.1, "V5": None}, {"II": -0.2, "V5": None}]
    assert json.loads(json.dumps(figures.summary()))["waves"]["longest_ms"]["qt_ms"] == {"value": 470, "start_s": 5400}
