"""Stream seconds go on at the pace of the time that passes, whatever is done to the clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.monitor import MonitorState
from ectopy.monitor.patient_time import keep_time, shift_time, stream_second, timers_to_s
from ectopy.monitor.technical import NO_DATA_S

START = 1.8e9
SET_S = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(st.floats(0.0, 100.0), SET_S), min_size=1, max_size=20))
def test_a_clock_that_is_set_moves_no_stream_second_where_it_is_told(steps: list[tuple[float, float]]):
    state, now, passed_s = keep_time(replace(MonitorState(), has_second_clock=True), START), START, 0.0
    for elapsed_s, set_s in steps:
        now, passed_s = now + elapsed_s + set_s, passed_s + elapsed_s
        state = keep_time(shift_time(state, set_s), now)
        assert stream_second(state, now) == pytest.approx(passed_s, abs=1e-3)
        assert timers_to_s(state, now) == pytest.approx(passed_s, abs=1e-3)


@given(st.lists(st.tuples(st.floats(0.0, 100.0), SET_S), min_size=1, max_size=20))
def test_without_a_word_of_it_time_never_runs_backwards_and_stands_still_for_ten_seconds_at_most(
    steps: list[tuple[float, float]],
):
    state, now = keep_time(MonitorState(), START), START
    for elapsed_s, set_s in steps:
        before_s = stream_second(state, now)
        state = replace(state, clock_s=before_s)
        now += elapsed_s + set_s
        state = keep_time(state, now)
        assert stream_second(state, now) >= before_s
        assert stream_second(state, now + NO_DATA_S + 1.0) >= before_s + 1.0 - 1e-3


def test_a_time_that_is_no_number_falls_back_to_the_latest_second():
    state = replace(keep_time(MonitorState(), START), clock_s=7.0)
    assert stream_second(state, float("nan")) == 7.0
