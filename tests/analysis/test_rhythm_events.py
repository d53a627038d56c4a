from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ectopy.analysis.blocked_p_waves import BlockedPWaves
from ectopy.analysis.rhythm_events import Event, by_severity, find_events
from ectopy.analysis.rhythm_rules import RECORDING, WARD, RhythmKind, RhythmLimits
from ectopy.analysis.rhythm_signs import RhythmSigns
from ectopy.datasets.simulated import simulate_recording
from support.beat_streams import analysis_of


def _wave(beats: int) -> list[float]:
    """RR intervals that rise and fall, 0.14 of the mean from one to the next."""
    return (0.9 + 0.18 * np.sin(np.arange(beats))).tolist()


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("NNVNN", []),
        ("NNVVNN", ["couplet"]),
        ("NNVVVNN", ["ventricular run"]),
        ("NNSSNN", []),
        ("NNSSSSNN", ["supraventricular run"]),
        ("NVNVNVN", ["bigeminy"]),
        ("NVNVN", []),
        ("NNVNNVNNVN", ["trigeminy"]),
        ("NNVNNVNN", []),
        ("NSNSNSN", ["supraventricular bigeminy"]),
        ("SNNSNNSNN", ["supraventricular trigeminy"]),
        ("NVNVNVNNVNNVN", ["bigeminy", "trigeminy"]),
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
    assert event.text == "4 beats in a row at 150 per minute, 0.80 s after the beat before"


def test_events_of_ectopic_beats_have_the_interval_before_them():
    coupling = {"V": 0.5, "N": 0.8, "S": 0.6}
    letters = "NNVVVNNVVNNSSSNNVNVNVNNSNNSNNSNNN"
    events = find_events(analysis_of(letters, [np.nan, *(coupling[letter] for letter in letters[1:])]))
    assert {event.kind: event.coupling_s for event in events} == {
        "ventricular run": 0.5,
        "couplet": 0.5,
        "supraventricular run": 0.6,
        "bigeminy": 0.5,
        "supraventricular trigeminy": 0.6,
    }
    (unknown,) = find_events(analysis_of("NVVVN", [np.nan, np.nan, 0.5, 0.5, 0.8]))
    assert unknown.coupling_s is None


@given(st.floats(0.3, 5.0), st.sampled_from([RECORDING, WARD]))
def test_a_pause_is_as_long_as_the_limits_say(gap: float, limits: RhythmLimits):
    events = find_events(analysis_of("NNNN", [np.nan, 0.8, gap, 0.8]), limits)
    assert ("pause" in kinds(events)) == (gap >= limits.pause_s)


@given(st.floats(0.35, 1.9), st.sampled_from([RECORDING, WARD]))
def test_rates_beyond_the_limits_are_events(rr: float, limits: RhythmLimits):
    events = find_events(analysis_of("N" * 30, [np.nan, *[rr] * 29]), limits)
    rate = 60 / rr
    assume(min(abs(rate - limits.high_bpm), abs(rate - limits.low_bpm)) > 1e-6)
    assert kinds(events) == (["high rate"] if rate > limits.high_bpm else ["low rate"] if rate < limits.low_bpm else [])
    for event in events:
        assert int(event.text.split()[0]) == pytest.approx(rate, abs=0.51)
        assert event.text.endswith(f" for {29 * rr:,.0f} s")


def test_one_pause_is_not_a_low_rate():
    intervals = [*[0.9] * 8, 4.0, *[0.9] * 8]
    assert kinds(find_events(analysis_of("N" * 18, [np.nan, *intervals]))) == ["pause"]


def test_intervals_without_a_pattern_are_fibrillation_and_those_with_one_are_an_irregular_rhythm():
    rng = np.random.default_rng(0)
    irregular = [np.nan, *rng.uniform(0.6, 1.1, 299)]
    (event,) = find_events(analysis_of("N" * 300, irregular))
    assert event.kind == "atrial fibrillation"
    assert event.beats > 250
    assert event.rate_bpm == pytest.approx(60 / 0.85, rel=0.05)
    assert kinds(find_events(analysis_of("N" * 300, [np.nan, *_wave(299)]))) == ["irregular rhythm"]
    regular = [np.nan, *(0.8 + 0.05 * np.sin(np.arange(199) / 3))]
    assert find_events(analysis_of("N" * 200, regular)) == []


def test_a_gap_is_no_pause():
    assert find_events(analysis_of("NNNN", [np.nan, 0.8, np.nan, 0.8])) == []


@given(st.integers(1, 3), st.integers(70, 300))
def test_a_few_beats_out_of_place_are_not_an_irregular_rhythm(displaced: int, apart: int):
    intervals = np.full(1200, 0.8)
    places = 100 + apart * np.arange(displaced)
    intervals[places] = 0.4
    intervals[places + 1] = 1.2
    assert "irregular rhythm" not in kinds(find_events(analysis_of("N" * 1201, [np.nan, *intervals])))


def test_intervals_between_unreadable_beats_are_no_rhythm():
    rng = np.random.default_rng(0)
    analysis = analysis_of("N" * 200, [np.nan, *rng.uniform(0.2, 2.5, 199)])
    assert find_events(analysis)
    assert find_events(replace(analysis, verdict=np.full(200, "UNREADABLE"))) == []


def blocked_at(*times_s: float, pr_s: tuple[float, float, float] = (0.16, 0.16, 0.16)) -> RhythmSigns:
    return RhythmSigns(blocked=BlockedPWaves.of([(at_s, *pr_s) for at_s in times_s]))


def test_p_waves_that_are_not_conducted_are_events_unless_a_beat_is_added_after_them():
    rr_s = [np.nan, 0.8, 0.8, 1.6, 0.8, 0.8, 1.6, *[0.8] * 20, 1.6, 0.8]
    times_s = np.nancumsum(rr_s)
    signs = blocked_at(*(times_s[beat] - 0.96 for beat in (3, 6, 27)))
    analysis = replace(analysis_of("N" * len(rr_s), rr_s), signs=signs)
    first, second = (event for event in find_events(analysis) if event.kind == "second-degree AV block suspected")
    assert (first.start_s, first.end_s, first.beats) == (times_s[2], times_s[6], 5)
    assert first.text.startswith(
        "2 P waves without a QRS complex; PR is 0.16 s before and 0.16 s after: it is constant"
    )
    assert second.text.startswith("1 P wave without")
    conducted = analysis_of("N" * 4, [np.nan, 0.8, 0.8, 0.8])
    assert find_events(replace(conducted, signs=blocked_at(1.44))) == []


@pytest.mark.parametrize("beat", [1, 2, 3])
def test_a_p_wave_that_is_not_conducted_counts_no_longer_after_an_ectopic_beat_or_in_noise(beat: int):
    rr_s = [np.nan, 0.8, 0.8, 1.6, 0.8]
    plain = replace(analysis_of("N" * 5, rr_s), signs=blocked_at(np.nancumsum(rr_s)[3] - 0.96))
    kind = "second-degree AV block suspected"
    assert kind in kinds(find_events(plain))
    hint, verdict, missed = plain.hint.astype("U21"), plain.verdict.astype("U10"), plain.missed.copy()
    hint[beat], verdict[beat] = "ventricular-like", "ABNORMAL"
    assert kind not in kinds(find_events(replace(plain, hint=hint, verdict=verdict)))
    missed[3] = True
    assert kind not in kinds(find_events(replace(plain, missed=missed)))


def test_a_rhythm_with_p_waves_that_are_not_conducted_is_not_fibrillation():
    rng = np.random.default_rng(0)
    rr_s = [np.nan, *rng.uniform(0.6, 1.3, 299)]
    analysis = analysis_of("N" * 300, rr_s)
    assert "atrial fibrillation" in kinds(find_events(analysis))
    long = np.flatnonzero(np.array(rr_s) > 1.2)
    block = blocked_at(*(analysis.beats.times_s[long] - 0.6))
    assert len(long) > 30
    assert "atrial fibrillation" not in kinds(find_events(replace(analysis, signs=block)))


def test_events_are_in_order_of_time():
    analysis = analysis_of("NVVNNVVVNNNSSSN")
    starts = [event.start_s for event in find_events(analysis)]
    assert starts == sorted(starts)
    assert len(starts) == 3
    assert find_events(replace(analysis, hint=np.full(len(analysis), "", dtype="U21"))) == []


# Runs end where beats may be missing


@pytest.mark.parametrize(
    ("letters", "gap", "expected"),
    [
        ("NVVVVN", 2.4, ["couplet", "couplet", "pause"]),
        ("NVVVVN", np.nan, ["couplet", "couplet"]),
        ("NSSSSN", 3.1, ["pause"]),
        ("NVVVVN", 1.9, ["ventricular run"]),
    ],
)
def test_a_run_does_not_span_a_pause_or_a_gap(letters: str, gap: float, expected: list[str]):
    events = find_events(analysis_of(letters, [np.nan, 0.8, 0.5, gap, 0.5, 0.8]))
    assert sorted(kinds(events)) == expected


def test_bigeminy_and_trigeminy_do_not_span_a_gap():
    intervals = [np.nan, *[0.8] * 3, np.nan, *[0.8] * 2]
    assert find_events(analysis_of("NVNVNVN", intervals)) == []
    intervals = [np.nan, *[0.8] * 4, np.nan, *[0.8] * 4]
    assert find_events(analysis_of("NVNNVNNVNN", intervals)) == []


def test_an_interval_in_which_another_lead_shows_beats_is_not_a_pause():
    analysis = analysis_of("NNVVVN", [np.nan, 0.8, 0.8, 3.1, 0.5, 0.8])
    assert kinds(find_events(analysis)) == ["pause", "couplet"]
    missed = np.arange(6) == 3
    assert kinds(find_events(replace(analysis, missed=missed))) == ["couplet"]


# Episodes


@given(st.integers(0, 2**32 - 1), st.floats(0.4, 1.3), st.floats(0.0, 0.3))
def test_events_of_a_kind_never_overlap(seed: int, rr: float, spread: float):
    rng = np.random.default_rng(seed)
    intervals = rr * np.exp(rng.normal(0, spread, 399))
    intervals[rng.random(399) < 0.02] = np.nan
    letters = "".join(rng.choice(list("NNVS"), 400))
    events = find_events(analysis_of(letters, [np.nan, *intervals]))
    for kind in {event.kind for event in events}:
        of_kind = [event for event in events if event.kind == kind]
        assert all(a.end_s <= b.start_s for a, b in pairwise(of_kind)), of_kind


@pytest.mark.parametrize(("around_s", "kind"), [(60 / 50, "low rate"), (60 / 120, "high rate")])
def test_a_rate_that_hovers_around_its_limit_is_one_event(around_s: float, kind: str):
    """A night at fifty beats per minute."""
    intervals = around_s * (1 + 0.04 * np.sin(np.arange(2999) / 40))
    (event,) = find_events(analysis_of("N" * 3000, [np.nan, *intervals]))
    assert event.kind == kind
    assert event.duration_s > 0.9 * intervals.sum()
    assert event.rate_bpm == pytest.approx(50 / 1.04 if kind == "low rate" else 120 / 0.96, abs=0.5)


@pytest.mark.parametrize(("seconds_between", "expected"), [(50, 1), (70, 2)])
def test_rates_less_than_a_minute_apart_are_one_event(seconds_between: int, expected: int):
    fast, usual = [0.35] * 200, [0.6] * round(seconds_between / 0.6)
    events = find_events(analysis_of("N" * (401 + len(usual)), [np.nan, *fast, *usual, *fast]))
    assert kinds(events) == ["high rate"] * expected


@pytest.mark.parametrize(("beyond_s", "usual_s", "kind"), [(0.45, 0.8, "high rate"), (1.3, 0.8, "low rate")])
def test_rates_whose_mean_would_not_be_beyond_the_limit_are_not_one_event(beyond_s: float, usual_s: float, kind: str):
    """Short ones, again and again with half a minute between: not one of a quarter of an hour at a usual rate."""
    intervals_s = ([beyond_s] * 20 + [usual_s] * 40) * 25
    events = find_events(analysis_of("N" * (len(intervals_s) + 1), [np.nan, *intervals_s]))
    assert kinds(events).count(kind) == 25


@given(st.lists(st.tuples(st.floats(0.3, 1.5), st.integers(10, 200)), min_size=3, max_size=12))
def test_a_rate_that_was_joined_is_beyond_its_limit_on_average(parts: list[tuple[float, int]]):
    """Without a stretch between the limit and where it is clear of it, which goes on however long it lasts."""
    intervals_s = np.concatenate([np.full(count, rr_s) for rr_s, count in parts])
    rates_bpm = 60 / intervals_s
    assume(not ((rates_bpm >= 110) & (rates_bpm <= 120) | (rates_bpm >= 50) & (rates_bpm <= 60)).any())
    analysis = analysis_of("N" * (len(intervals_s) + 1), [np.nan, *intervals_s])
    for event in find_events(analysis):
        inside = (analysis.beats.times_s > event.start_s) & (analysis.beats.times_s <= event.end_s)
        mean_bpm = 60 / analysis.beats.rr_s[inside].mean()
        if event.kind == "high rate":
            assert mean_bpm > 110
        elif event.kind == "low rate":
            assert mean_bpm < 60


def test_a_rhythm_whose_irregularity_hovers_around_its_limit_is_one_event():
    beat = np.arange(9999)
    share = 0.1 * (1 + 0.15 * np.sin(beat / 100))
    intervals = 0.9 * (1 + share * (-1.0) ** beat / 2)
    assert kinds(find_events(analysis_of("N" * 10_000, [np.nan, *intervals]))) == ["irregular rhythm"]


def test_a_night_is_a_few_events():
    hours = [
        simulate_recording(600, rate_bpm=rate_bpm, hrv_sd_ms=60, leads=1, random_state=hour)
        for hour, rate_bpm in enumerate([62, 58, 52, 48, 46, 46, 48, 52, 58, 62])
    ]
    intervals = np.concatenate([np.diff(hour.annotations.positions) / hour.sampling_rate_hz for hour in hours])
    assert kinds(find_events(analysis_of("N" * (len(intervals) + 1), [np.nan, *intervals]))) == ["low rate"]


# The most serious first


def test_the_fastest_and_longest_run_is_the_most_serious():
    runs = [
        Event("ventricular run", 0, 10, 15, "", 93.0),
        Event("ventricular run", 20, 31, 19, "", 103.0),
        Event("ventricular run", 40, 48, 22, "", 170.0),
        Event("ventricular run", 60, 200, 150, "", 62.0),
        Event("pause", 300, 302, 2, ""),
        Event("pause", 400, 406.2, 2, ""),
        Event("low rate", 500, 600, 70, "", 44.0),
        Event("low rate", 700, 710, 9, "", 31.0),
        Event("high rate", 800, 810, 30, "", 160.0),
    ]
    serious = by_severity(runs)
    assert [event.start_s for event in serious] == [40, 20, 60, 0, 400, 300, 800, 700, 500]


def test_every_kind_has_its_place():
    letters = "NVVNVVVNSSSNVNVNVNV" + "N" * 500
    rng = np.random.default_rng(0)
    rr = [np.nan, *rng.uniform(0.35, 0.75, 249), *_wave(250), *([0.45] * 20), *([2.2] * 10), *([1.3] * 9)]
    letters += "N" * 20 + "NNVNNVNNVNNSNSNSNNSNNSNN"
    rr += [0.9] * 24
    analysis = analysis_of(letters, rr)
    analysis = replace(analysis, signs=blocked_at(float(analysis.beats.times_s[-35]) - 0.6))
    events = find_events(analysis)
    assert set(kinds(events)) == {kind.value for kind in RhythmKind}
    assert by_severity(events)[0].kind == "ventricular run"
