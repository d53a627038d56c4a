from __future__ import annotations

import json
from dataclasses import astuple, replace

import numpy as np
import pytest

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.holter_figures import holter_figures
from ectopy.analysis.minute_waves import LEAST_BEATS, measure_minutes, minute_columns
from ectopy.analysis.recording_results import write_results
from ectopy.analysis.rhythm_signs import RhythmSigns
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.wave_findings import qrs_changes
from ectopy.analysis.wave_intervals import measure_waves
from ectopy.datasets import simulate_recording
from ectopy.detector import Verdict
from ectopy.recording import Recording


@pytest.fixture(scope="module")
def simulated() -> tuple[Recording, Analysis]:
    recording = simulate_recording(150, sampling_rate_hz=250, random_state=1)
    return recording, analyse(recording, load_ambulatory())


def test_mean_of_a_minute_measures_like_its_beats(simulated):
    recording, analysis = simulated
    minutes = measure_minutes(recording, analysis)
    beats = measure_waves(recording, analysis)
    assert minutes.start_s.tolist() == [0.0, 60.0, 120.0]
    for minute in range(3):
        rows = (analysis.verdict == Verdict.NORMAL) & (analysis.beats.times_s // 60 == minute)
        assert 0 <= rows.sum() - minutes.beats[minute] <= 2  # those at the ends have no whole window
        for name, most_ms in (("pr_ms", 8), ("qrs_ms", 8), ("qt_ms", 12), ("qtc_framingham_ms", 20)):
            median = np.nanmedian(getattr(beats.intervals, name)[rows])
            assert getattr(minutes.intervals, name)[minute] == pytest.approx(median, abs=most_ms)
        level = np.nanmedian(beats.st.level_80_mv[:, rows], axis=1)
        np.testing.assert_allclose(minutes.st.level_80_mv[:, minute], level, atol=0.03)


def test_paced_beats_have_no_corrected_qt(simulated):
    recording, analysis = simulated
    times_s = analysis.beats.times_s
    spikes_s = times_s[(times_s > 70) & (times_s < 80)] - 0.12
    paced = replace(analysis, signs=RhythmSigns(spikes_s))
    minutes = measure_minutes(recording, paced)
    assert np.isfinite(minutes.intervals.qtc_framingham_ms).tolist() == [True, False, True]
    assert np.isfinite(minutes.intervals.qt_ms).all()
    before, after = (measure_waves(recording, each).intervals for each in (analysis, paced))
    inside = np.isin(times_s, spikes_s + 0.12)
    for name in ("qtc_bazett_ms", "qtc_fridericia_ms", "qtc_framingham_ms"):
        assert np.isfinite(getattr(before, name)[inside]).any()
        assert np.isnan(getattr(after, name)[inside]).all()
        np.testing.assert_array_equal(getattr(after, name)[~inside], getattr(before, name)[~inside])
    assert holter_figures(recording, paced, [], minutes).waves is not None


def test_beats_that_are_not_normal_change_nothing(simulated):
    recording, analysis = simulated
    odd = np.flatnonzero(analysis.verdict == Verdict.NORMAL)[10:20]
    verdict = analysis.verdict.copy()
    verdict[odd] = Verdict.ABNORMAL
    signal = recording.signal.copy()
    for position in analysis.positions[odd]:
        signal[position - 5 : position + 6] += 3.0
    analysis = replace(analysis, verdict=verdict)
    before, after = (measure_minutes(each, analysis) for each in (recording, replace(recording, signal=signal)))
    assert before.beats[0] == after.beats[0]
    # Windows of neighbours reach into the changed beats, but not their waves.
    np.testing.assert_allclose(before.st.level_80_mv, after.st.level_80_mv, atol=0.02)


def test_another_qrs_complex_of_a_minute_is_noticed(simulated):
    recording, analysis = simulated
    assert (qrs_changes(measure_minutes(recording, analysis)) < 0.25).all()
    signal = recording.signal.copy()
    signal[: 60 * 250] *= -1.0
    changes = qrs_changes(measure_minutes(replace(recording, signal=signal), analysis))
    assert (changes > 0.4).tolist() == [True, False, False]


def test_minute_with_few_beats_is_not_known(simulated):
    recording, analysis = simulated
    verdict = analysis.verdict.copy()
    second = np.flatnonzero((analysis.beats.times_s >= 60) & (analysis.beats.times_s < 120))
    verdict[second[LEAST_BEATS - 1 :]] = Verdict.ABNORMAL
    minutes = measure_minutes(recording, replace(analysis, verdict=verdict))
    known = np.isfinite(minutes.intervals.qrs_ms)
    assert known.tolist() == [True, False, True]
    assert np.isfinite(minutes.st.level_80_mv).all(axis=0).tolist() == known.tolist()


def test_hour_has_the_medians_of_its_minutes_and_json_holds_both(simulated, tmp_path):
    recording, analysis = simulated
    minutes = measure_minutes(recording, analysis)
    (hour,) = holter_figures(recording, analysis, [], minutes).hours
    lead = recording.leads[1]
    assert hour.waves is not None
    assert hour.waves.intervals_ms["qt_ms"] == np.median(minutes.intervals.qt_ms)
    assert hour.waves.st_mv[lead] == np.median(minutes.st.level_80_mv[1])
    write_results(tmp_path / "results.json", recording, analysis, [], minutes=minutes)
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["holter"]["hours"][0]["waves"]["intervals_ms"]["qt_ms"] == pytest.approx(
        hour.waves.intervals_ms["qt_ms"]
    )
    assert content["waves_by_minute"] == minute_columns(minutes)
    assert len(content["waves_by_minute"]["st"][lead]["slope_mv_per_s"]) == len(minutes)


def test_recording_without_beats_has_minutes_in_which_nothing_is_known():
    recording = Recording(np.zeros((250 * 70, 2), np.float32), 250.0, ("I", "II"))
    minutes = measure_minutes(recording, analyse(recording, load_ambulatory()))
    assert len(minutes) == 2
    assert np.isnan([*astuple(minutes.intervals)]).all()
    assert np.isnan([*astuple(minutes.st)]).all()
