from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.minute_waves import MinuteMeasurements, measure_minutes
from ectopy.analysis.rhythm_events import Event, Extreme, by_severity
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.wave_findings import find_all_events, find_wave_events, st_deviations
from ectopy.analysis.wave_intervals import StSegments, WaveIntervals
from ectopy.datasets import simulate_recording
from ectopy.report.language import load_language
from ectopy.report.recording_strips import choices, worst_events
from ectopy.report.rhythm_trend import heart_rate


@cache
def analysis() -> Analysis:
    return analyse(simulate_recording(60, sampling_rate_hz=250, random_state=1), load_ambulatory())


def minutes_of(level_mv: list[float], rr_s: float = 0.8, qtc_ms: object = 400.0, qrs_ms: float = 90.0):
    """Minutes of one lead with these levels of ST."""
    levels = np.array([level_mv], np.float64)
    count = levels.shape[1]
    intervals = {field.name: np.full(count, 400.0) for field in fields(WaveIntervals)}
    intervals |= {"qtc_framingham_ms": np.broadcast_to(qtc_ms, count).astype(np.float64)}
    intervals |= {"qrs_ms": np.full(count, qrs_ms)}
    return MinuteMeasurements(
        leads=("V5",),
        start_s=60.0 * np.arange(count),
        beats=np.full(count, 75),
        rr_s=np.full(count, rr_s),
        complexes_mv=np.tile(np.hanning(12), (1, count, 1)),
        intervals=WaveIntervals(**intervals),
        st=StSegments(levels / 2, levels, np.zeros(levels.shape)),
    )


def found_in(minutes: MinuteMeasurements, sex: str = "") -> list[tuple[str, float, float]]:
    return [(event.kind, event.start_s, event.end_s) for event in find_wave_events(minutes, analysis(), sex)]


def test_depression_begins_and_ends_at_half_of_what_it_must_reach():
    levels = [0.05] * 20
    levels[10:15] = [-0.01, -0.06, -0.2, -0.04, 0.02]
    minutes = minutes_of(levels)
    (event,) = find_wave_events(minutes, analysis())
    assert (event.kind, event.start_s, event.end_s, event.beats) == ("ST depression", 660.0, 780.0, 150)
    assert event.text == "V5: 0.25 mV below the patient's usual level at most"
    assert event.extreme == Extreme("V5", -0.25, 750.0)


@pytest.mark.parametrize(("level_mv", "kinds"), [(0.09, []), (0.11, ["ST elevation"]), (-0.11, ["ST depression"])])
def test_limit_of_a_change(level_mv, kinds):
    assert [kind for kind, *_ in found_in(minutes_of([0.0] * 10 + [level_mv] * 2 + [0.0] * 10))] == kinds


def test_change_of_st_that_goes_with_another_qrs_complex_is_not_judged():
    minutes = minutes_of([0.0] * 10 + [0.3] * 2 + [0.0] * 10)
    complexes_mv = minutes.complexes_mv.copy()
    complexes_mv[:, 10:12] *= 1.5
    assert found_in(minutes)
    assert not found_in(replace(minutes, complexes_mv=complexes_mv))


def test_level_is_that_after_60_ms_in_a_fast_rate():
    levels = [0.0] * 10 + [0.15] + [0.0] * 10
    assert found_in(minutes_of(levels, rr_s=0.51))
    assert not found_in(minutes_of(levels, rr_s=0.49))


def test_what_is_not_known_is_no_change_and_hides_none():
    levels = [0.0] * 10 + [np.nan, 0.2, 0.2, np.nan] + [0.0] * 10
    assert found_in(minutes_of(levels)) == [("ST elevation", 660.0, 780.0)]
    assert found_in(minutes_of([np.nan] * 5)) == []


@given(offset_mv=st.floats(-0.5, 0.5), drift_mv=st.floats(-0.3, 0.3))
def test_own_level_of_a_patient_and_a_slow_drift_are_no_change(offset_mv, drift_mv):
    day = np.linspace(0.0, drift_mv * 24 / 4, 24 * 60)  # as much in four hours
    deviations = st_deviations(minutes_of((offset_mv + day).tolist()))
    assert np.abs(deviations).max() <= 1.01 * abs(drift_mv) / 4 + 1e-9


@pytest.mark.parametrize(
    ("qtc_ms", "sex", "qrs_ms", "is_long"),
    [
        (455.0, "male", 90.0, True),
        (455.0, "female", 90.0, False),
        (455.0, "", 90.0, False),
        (465.0, "female", 90.0, True),
        (490.0, "male", 130.0, False),
        (505.0, "male", 130.0, True),
    ],
)
def test_limit_of_a_long_qtc(qtc_ms, sex, qrs_ms, is_long):
    kinds = [kind for kind, *_ in found_in(minutes_of([0.0] * 10, qtc_ms=qtc_ms, qrs_ms=qrs_ms), sex)]
    assert kinds == ["long QTc"] * is_long


def test_long_qtc_lasts_for_five_minutes():
    qtc_ms = np.full(30, 430.0)
    qtc_ms[10:14] = 480.0
    assert found_in(minutes_of([0.0] * 30, qtc_ms=qtc_ms)) == []
    qtc_ms[14:16] = 455.0, 470.0
    assert found_in(minutes_of([0.0] * 30, qtc_ms=qtc_ms)) == [("long QTc", 600.0, 960.0)]


def test_findings_of_waves_stand_between_other_events_and_get_a_strip():
    rhythm = Event("supraventricular run", 5.0, 9.0, 6, "6 beats", 150.0), Event("pause", 70.0, 73.0, 2, "3 s")
    waves = find_wave_events(minutes_of([0.0] * 10 + [0.3] + [0.0] * 10, qtc_ms=470.0), analysis())
    ordered = [event.kind for event in by_severity([*rhythm, *waves])]
    assert ordered == ["pause", "ST elevation", "long QTc", "supraventricular run"]
    assert [event.kind for event, _ in worst_events([*rhythm, *waves])] == ordered


def test_strip_of_a_change_shows_its_extreme_with_lead_and_size():
    recording = simulate_recording(120, sampling_rate_hz=250, random_state=1)
    event = Event("ST depression", 0.0, 120.0, 150, "", extreme=Extreme("V5", -0.253, 90.0))
    strips = choices(recording, analysis(), [event], heart_rate(analysis(), 120.0), None, load_language("de"))
    (strip,) = [strip for strip in strips if "V5" in strip.text]
    assert strip.text == "V5: um bis zu 0,25 mV; 2 min 0 s."
    assert strip.start_s < 90.0 < strip.end_s


def test_shift_of_the_st_segment_in_a_signal_is_an_event():
    recording = simulate_recording(300, sampling_rate_hz=250, random_state=2)
    calm = analyse(recording, load_ambulatory())
    signal = recording.signal.copy()
    window = np.concatenate([np.linspace(0.0, 0.2, 5), np.full(30, 0.2), np.linspace(0.2, 0.0, 20)])
    for position in calm.positions[(calm.beats.times_s > 115) & (calm.beats.times_s < 245)]:
        signal[position + 10 : position + 10 + len(window), 0] -= window.astype(np.float32)
    changed = replace(recording, signal=signal)
    before, after = (find_all_events(calm, measure_minutes(each, calm)) for each in (recording, changed))
    assert not [event for event in before if event.kind.startswith("ST")]
    shifts = [(event.kind, event.text.split(":")[0]) for event in after if event.kind.startswith("ST")]
    assert ("ST depression", recording.leads[0]) in shifts
