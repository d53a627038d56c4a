from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ectopy.analysis import Analysis
from ectopy.events import Event, find_events
from ectopy.judgement import Hint
from ectopy.signal import Quality
from ectopy.signal.cut import CutBeats

LETTERS = {"N": Hint.NONE, "V": Hint.VENTRICULAR, "S": Hint.SUPRAVENTRICULAR}


def analysis_of(letters: str, rr_s: list[float] | None = None) -> Analysis:
    """An analysis with the given kinds of beats, 0.8 s apart where nothing else is said."""
    n = len(letters)
    rr = np.array(rr_s if rr_s is not None else [np.nan, *[0.8] * (n - 1)][:n])
    nothing = np.zeros(n)
    beats = CutBeats(
        np.cumsum(np.nan_to_num(rr)),
        np.zeros((n, 1, 148), np.float32),
        np.ones((n, 1), bool),
        nothing,
        nothing,
        nothing,
        rr,
    )
    hint = np.array([LETTERS[letter].value for letter in letters], dtype="U21")
    verdict = np.where(hint == "", "NORMAL", "ABNORMAL")
    quality = Quality(np.ones((1, 1)), np.array([["good"]]), 1.0)
    return Analysis(
        beats=beats,
        quality=quality,
        positions=np.arange(n),
        verdict=verdict,
        hint=hint,
        score=nothing,
        p_value=nothing,
        threshold=0.0,
        evidence=None,
        normal=None,
        baseline="",
    )


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("NNVNN", []),
        ("NNVVNN", ["ventricular couplet"]),
        ("NNVVVNN", ["ventricular run"]),
        ("NNSSNN", []),
        ("NNSSSSNN", ["supraventricular run"]),
        ("NVNVNVN", ["bigeminy"]),
        ("NVNVN", []),
        ("VVV", ["ventricular run"]),
        ("", []),
        ("N", []),
    ],
)
def test_rows_of_beats_are_named(letters: str, expected: list[str]):
    assert kinds(find_events(analysis_of(letters))) == expected


def test_a_run_has_its_length_its_rate_and_its_times():
    (event,) = find_events(analysis_of("NNVVVVNN", [np.nan, 0.8, 0.8, 0.4, 0.4, 0.4, 0.8, 0.8]))
    assert event.beats == 4
    assert event.start_s == pytest.approx(1.6)
    assert event.end_s == pytest.approx(2.8)
    assert "4 beats" in event.text
    assert "150 per minute" in event.text


@given(st.floats(0.3, 5.0))
def test_a_pause_is_two_seconds_or_more(gap: float):
    events = find_events(analysis_of("NNNN", [np.nan, 0.8, gap, 0.8]))
    assert ("pause" in kinds(events)) == (gap >= 2.0)


@given(st.floats(0.35, 1.9))
def test_rates_beyond_the_limits_are_told(rr: float):
    events = find_events(analysis_of("N" * 30, [np.nan, *[rr] * 29]))
    rate = 60 / rr
    assume(min(abs(rate - 120), abs(rate - 50)) > 1e-6)
    assert kinds(events) == (["fast rate"] if rate > 120 else ["slow rate"] if rate < 50 else [])
    for event in events:
        assert int(event.text.split()[0]) == pytest.approx(rate, abs=0.51)


def test_irregular_rhythm_is_told_and_regular_is_not():
    rng = np.random.default_rng(0)
    irregular = [np.nan, *rng.uniform(0.6, 1.1, 199)]
    assert kinds(find_events(analysis_of("N" * 200, irregular))) == ["irregular rhythm"]
    regular = [np.nan, *(0.8 + 0.05 * np.sin(np.arange(199) / 3))]
    assert find_events(analysis_of("N" * 200, regular)) == []


def test_a_gap_is_no_pause():
    assert find_events(analysis_of("NNNN", [np.nan, 0.8, np.nan, 0.8])) == []


def test_intervals_between_unreadable_beats_are_no_rhythm():
    rng = np.random.default_rng(0)
    analysis = analysis_of("N" * 200, [np.nan, *rng.uniform(0.2, 2.5, 199)])
    assert find_events(analysis)
    assert find_events(replace(analysis, verdict=np.full(200, "UNREADABLE"))) == []


def test_events_are_in_order_of_time():
    analysis = analysis_of("NVVNNVVVNNNSSSN")
    starts = [event.start_s for event in find_events(analysis)]
    assert starts == sorted(starts)
    assert len(starts) == 3
    assert find_events(replace(analysis, hint=np.full(len(analysis), "", dtype="U21"))) == []
