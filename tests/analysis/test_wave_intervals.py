from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.recording_results import write_results
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.wave_intervals import measure_intervals, measure_st, measure_waves
from ectopy.datasets import simulate_recording
from ectopy.recording import Recording
from ectopy.signal.filters import Filtered
from ectopy.signal.wave_delineation import BeatWaves

ONE_BEAT = {
    "p_onset": 0.80,
    "p_peak": 0.85,
    "p_end": 0.90,
    "qrs_onset": 0.96,
    "qrs_peak": 1.0,
    "qrs_end": 1.05,
    "t_onset": 1.15,
    "t_peak": 1.26,
    "t_end": 1.36,
}


def one_beat(**others: float) -> BeatWaves:
    return BeatWaves(**{name: np.array([time_s]) for name, time_s in (ONE_BEAT | others).items()})


def test_intervals_of_a_beat():
    intervals = measure_intervals(one_beat(), np.array([0.64]))
    assert intervals.p_ms == pytest.approx(100.0)
    assert intervals.pr_ms == pytest.approx(160.0)
    assert intervals.qrs_ms == pytest.approx(90.0)
    assert intervals.qt_ms == pytest.approx(400.0)
    assert intervals.qtc_bazett_ms == pytest.approx(500.0)
    assert intervals.qtc_fridericia_ms == pytest.approx(400.0 / 0.64 ** (1 / 3))
    assert intervals.qtc_framingham_ms == pytest.approx(400.0 + 154.0 * 0.36)


@given(qt_ms=st.floats(250.0, 600.0))
def test_nothing_is_corrected_at_sixty(qt_ms):
    intervals = measure_intervals(one_beat(t_end=ONE_BEAT["qrs_onset"] + qt_ms / 1000.0), np.array([1.0]))
    for corrected in (intervals.qtc_bazett_ms, intervals.qtc_fridericia_ms, intervals.qtc_framingham_ms):
        assert corrected == pytest.approx(intervals.qt_ms)


@given(rr_s=st.floats(0.3, 3.0))
def test_correction_lengthens_in_fast_rhythm_and_bazett_corrects_most(rr_s):
    intervals = measure_intervals(one_beat(), np.array([rr_s]))
    change = np.log(intervals.qtc_fridericia_ms / intervals.qt_ms)
    assert np.sign(np.round(change, 9)) == np.sign(np.round(1.0 - rr_s, 9)) or abs(rr_s - 1.0) < 1e-6
    assert (abs(intervals.qtc_bazett_ms - intervals.qt_ms) >= abs(intervals.qtc_fridericia_ms - intervals.qt_ms)).all()


def test_what_is_not_known_is_nan():
    intervals = measure_intervals(one_beat(p_onset=np.nan, p_peak=np.nan, p_end=np.nan), np.array([np.nan]))
    assert np.isnan([intervals.p_ms, intervals.pr_ms, intervals.qtc_bazett_ms, intervals.qtc_framingham_ms]).all()
    assert intervals.qt_ms == pytest.approx(400.0)
    assert np.isnan(measure_intervals(one_beat(), np.array([5.0])).qtc_fridericia_ms).all()


def st_signal(rate_hz: float = 180.0) -> Filtered:
    """Two leads with a step at the J point and a slope after it; the second is inverted and shifted."""
    grid = np.arange(2 * rate_hz) / rate_hz
    after = grid - ONE_BEAT["qrs_end"]
    lead = np.where(after >= -1e-9, 0.2 + 1.5 * after, 0.0)
    signal = np.stack([lead, 0.7 - lead])
    return Filtered(signal, np.zeros(signal.shape, np.bool_), rate_hz)


def test_st_level_and_slope_of_each_lead():
    segments = measure_st(st_signal(), one_beat())
    assert segments.level_60_mv.shape == (2, 1)
    assert segments.level_60_mv[:, 0] == pytest.approx([0.29, -0.29])
    assert segments.level_80_mv[:, 0] == pytest.approx([0.32, -0.32])
    assert segments.slope_mv_per_s[:, 0] == pytest.approx([1.5, -1.5])


def test_st_is_not_known_in_a_gap_and_beyond_the_end():
    filtered = st_signal()
    filtered.missing[1, 200:] = True
    segments = measure_st(filtered, one_beat())
    assert np.isfinite(segments.level_60_mv[0]).all()
    assert np.isnan(segments.level_60_mv[1]).all()
    assert np.isnan(measure_st(filtered, one_beat(qrs_end=1.95)).level_80_mv).all()


@pytest.fixture(scope="module")
def simulated() -> tuple[Recording, Analysis]:
    recording = simulate_recording(90, sampling_rate_hz=250, random_state=1)
    return recording, analyse(recording, load_ambulatory())


def test_table_of_beats_has_the_intervals_and_st_of_each_lead(simulated, tmp_path):
    recording, analysis = simulated
    measured = measure_waves(recording, analysis)
    write_results(tmp_path / "beats.csv", recording, analysis, [], measured=measured)
    header, *rows = csv.reader((tmp_path / "beats.csv").read_text().splitlines())
    assert len(rows) == len(analysis) == len(measured)
    for name in ("pr_ms", "qrs_ms", "qt_ms", "qtc_bazett_ms", "qtc_fridericia_ms", "qtc_framingham_ms"):
        values = np.array([float(row[header.index(name)] or "nan") for row in rows])
        np.testing.assert_allclose(values, getattr(measured.intervals, name), atol=0.051)
    for lead in recording.leads:
        assert f"st_level_60_mv_{lead}" in header
    write_results(tmp_path / "beats.json", recording, analysis, [], measured=measured)
    content = json.loads((tmp_path / "beats.json").read_text())
    assert content["beat_list"][5]["qt_ms"] == pytest.approx(measured.intervals.qt_ms[5], abs=0.051)
