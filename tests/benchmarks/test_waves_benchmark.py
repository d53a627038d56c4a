from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.benchmarks.wave_peers import LeadMarks
from ectopy.benchmarks.waves_benchmark import SCORED, benchmark_left_out, compare_waves, figures
from ectopy.datasets.marked_recordings import MarkedRecording
from ectopy.errors import SettingError
from ectopy.recording import Recording

OFFSETS_S = np.array([-0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.15, 0.28, 0.36])
BEATS_S = np.arange(1.0, 9.0)
MARKS_S = OFFSETS_S[:, None] + BEATS_S
WITHOUT_P = MARKS_S.copy()
WITHOUT_P[:3, 1::2] = np.nan


def marked(*marks_s: NDArray[np.float64]) -> MarkedRecording:
    recording = Recording(np.zeros((2500, 2), np.float32), 250.0, ("I", "II"))
    return MarkedRecording("qtdb", "sel1", "one", recording, marks_s, (np.ones(len(BEATS_S), np.bool_),) * len(marks_s))


def shifted(shift_s: float, marks_s: NDArray[np.float64] = MARKS_S) -> LeadMarks:
    return LeadMarks(BEATS_S + 0.01, marks_s + shift_s)


@given(shift_ms=st.floats(-140.0, 140.0))
def test_mean_error_is_the_shift(shift_ms):
    result = figures([compare_waves(marked(MARKS_S, MARKS_S), [shifted(shift_ms / 1000.0)] * 2)])
    assert result["waves"].keys() == SCORED.keys()
    for mark in result["waves"].values():
        assert mark["se"] == 100.0
        assert mark["mean_ms"] == pytest.approx(shift_ms, abs=0.01)
        assert mark["sd_ms"] == pytest.approx(0.0, abs=0.01)
    assert result["p_invented"] == 0.0


def test_recordings_that_differ_from_each_other_do_not_spread_within():
    result = figures([compare_waves(marked(MARKS_S), [shifted(shift_s)]) for shift_s in (-0.02, 0.02)])
    for mark in result["waves"].values():
        assert mark["sd_ms"] == pytest.approx(20.0)
        assert mark["sd_within_ms"] == pytest.approx(0.0, abs=0.01)


def test_of_marks_set_for_both_leads_the_nearer_lead_counts():
    result = figures([compare_waves(marked(MARKS_S), [shifted(-0.03), shifted(0.01)])])
    assert [mark["mean_ms"] for mark in result["waves"].values()] == pytest.approx([10.0] * 5)
    each = figures([compare_waves(marked(MARKS_S, MARKS_S), [shifted(-0.03), shifted(0.01)])])
    assert [mark["mean_ms"] for mark in each["waves"].values()] == pytest.approx([-10.0] * 5)
    assert [mark["sd_ms"] for mark in each["waves"].values()] == pytest.approx([20.0] * 5)


def test_missed_and_invented_p_waves():
    missed = figures([compare_waves(marked(MARKS_S, MARKS_S), [shifted(0.0, WITHOUT_P)] * 2)])
    assert (missed["waves"]["p_on"]["se"], missed["waves"]["qrs_on"]["se"], missed["p_invented"]) == (50.0, 100.0, 0.0)
    invented = figures([compare_waves(marked(WITHOUT_P, WITHOUT_P), [shifted(0.0)] * 2)])
    assert (invented["waves"]["p_on"]["se"], invented["p_invented"]) == (100.0, 50.0)


def test_marks_farther_than_150_ms_and_beats_that_are_not_found_are_missed():
    far = figures([compare_waves(marked(MARKS_S, MARKS_S), [shifted(0.16)] * 2)])
    none = figures([compare_waves(marked(MARKS_S, MARKS_S), [LeadMarks(np.empty(0), np.empty((9, 0)))] * 2)])
    for result in (far, none):
        assert {mark["se"] for mark in result["waves"].values()} == {0.0}
        assert {mark["mean_ms"] for mark in result["waves"].values()} == {None}


def test_clock_of_a_part_of_the_recording():
    later = LeadMarks(BEATS_S - 0.5, MARKS_S - 0.5)
    result = figures([compare_waves(marked(MARKS_S, MARKS_S), [later] * 2, start_s=0.5)])
    assert result["waves"]["t_off"]["mean_ms"] == pytest.approx(0.0, abs=1e-6)


def test_what_is_left_out_has_a_name(tmp_path):
    with pytest.raises(SettingError, match="patients or databases"):
        benchmark_left_out(tmp_path, "leads")
