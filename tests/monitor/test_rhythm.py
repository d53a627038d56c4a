from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.analysis.atrial_fibrillation import (
    FIBRILLATION_LOG_ODDS,
    WINDOW,
    find_fibrillation,
    log_odds,
    measure_irregularity,
    usual_intervals,
)
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.monitor.alarm_settings import AlarmSettings
from ectopy.monitor.alarms import PatientAlarms, update_conditions
from ectopy.monitor.conditions import CONDITIONS, AlarmType, Priority
from ectopy.monitor.limits import PROFILES, Limits
from ectopy.monitor.rhythm import rhythm_step
from ectopy.monitor.rhythm_input import ConditionReading, DetectorOutput
from ectopy.monitor.rhythm_readings import CODES
from ectopy.monitor.rhythm_state import RhythmState
from support.beat_streams import (
    DELAY_S,
    GOOD,
    PIECE_S,
    at_rates,
    findings_of,
    first_present,
    judged,
    present,
    readings_of,
)
from support.examples import examples

HIGH = {code for code in CODES if CONDITIONS[code].priority == Priority.HIGH}
BLIND = ["noisy", "missing", "saturated", "lead off"]
blind_words = st.lists(st.sampled_from(BLIND), max_size=3).map(tuple)
any_words = st.one_of(blind_words, st.sampled_from([GOOD, ("good", "noisy"), ("flat", "flat"), ("flat", "noisy")]))
beats_of_any_kind = st.lists(st.tuples(st.floats(0.25, 6), st.sampled_from("NNVVSA?")), max_size=60)


def stream(beats: list[tuple[float, str]], words=GOOD) -> list[DetectorOutput]:
    return findings_of(np.cumsum([rr_s for rr_s, _ in beats]).tolist(), "".join(kind for _, kind in beats), words)


def told(times_s: list[float], letters: str = "", **settings) -> set[str]:
    return present(readings_of(findings_of(times_s, letters, **settings)))


def told_of(letters: str, rate_bpm: float = 75) -> set[str]:
    """What is told of beats of such kinds, after ten normal ones."""
    return told(at_rates((len(letters) + 11, rate_bpm)), "N" * 10 + letters + "NN")


# Each rule at its edge.


@given(st.floats(1.0, 9.0), st.floats(0.3, 1.0))
def test_asystole_is_four_seconds_without_a_beat(gap_s: float, after_s: float):
    times_s = at_rates((10, 60))
    times_s += [times_s[-1] + gap_s + after_s * k for k in range(6)]
    assert ("asystole" in told(times_s)) == (times_s[11] - times_s[10] >= 4.0)


def test_asystole_from_the_first_second_on_is_told():
    assert first_present(readings_of(findings_of([], to_s=20)), "asystole") <= 4 + 5


@pytest.mark.parametrize("words", [GOOD, ("good", "noisy"), ("flat", "flat"), ("good", "lead off"), ("noisy", "noisy")])
def test_silence_in_a_lead_that_is_readable_or_flat_or_has_become_noisy_is_asystole(words: tuple[str, ...]):
    findings = findings_of(at_rates((10, 60)), words=lambda at_s: GOOD if at_s < 15 else words, to_s=25)
    silence_from, limit_s = 10.3, 4 + 2 * (words[1] in ("flat", "lead off"))
    assert 0 <= first_present(readings_of(findings), "asystole") - (silence_from + limit_s + DELAY_S) <= 0.5


@given(st.floats(1.0, 9.0))
def test_a_silence_in_flat_leads_that_has_ended_is_an_asystole_after_four_seconds(gap_s: float):
    times_s = at_rates((10, 60))
    times_s += [times_s[-1] + gap_s + k for k in range(6)]
    gap_s = times_s[11] - times_s[10]

    def words(at_s: float) -> tuple[str, ...]:
        return ("flat", "flat") if times_s[10] + 1 < at_s - DELAY_S < times_s[11] + 0.5 else GOOD

    found = present(readings_of(findings_of(times_s, words=words)))
    assert ("asystole" in found) == (gap_s >= 4.0)
    assert ("pause" in found) == (gap_s >= 3.0)


@given(st.floats(3.0, 9.0))
def test_a_silence_that_has_begun_in_low_noise_and_ended_is_an_asystole_after_six_seconds(gap_s: float):
    times_s = at_rates((10, 60))
    times_s += [times_s[-1] + gap_s + k for k in range(6)]
    gap_s = times_s[11] - times_s[10]

    def words(at_s: float) -> tuple[str, ...]:
        return ("noisy", "noisy") if times_s[10] < at_s - DELAY_S < times_s[10] + 1 else GOOD

    findings = [replace(each, noise_is_low=not each.readable) for each in findings_of(times_s, words=words)]
    assert ("asystole" in present(readings_of(findings))) == (gap_s >= 6.0)


@pytest.mark.parametrize(
    ("word", "from_s", "expected"),
    [*((word, 12.0, False) for word in BLIND), ("noisy", 13.7, False), ("noisy", 14.6, True)],
)
def test_silence_in_leads_that_cannot_be_read_counts_only_where_it_began_two_seconds_before(
    word: str, from_s: float, expected: bool
):
    findings = findings_of(at_rates((10, 60)), words=lambda at_s: GOOD if at_s < from_s else (word, word), to_s=40)
    assert ("asystole" in present(readings_of(findings))) == expected


def test_a_beat_heard_in_noise_ends_a_silence():
    findings = findings_of([*at_rates((10, 60)), 13.5], words=lambda at_s: GOOD if at_s < 15 else ("noisy",), to_s=40)
    assert "asystole" not in present(readings_of(findings))


def test_asystole_is_left_open_while_nothing_can_be_read_and_goes_on_until_a_beat_is_judged():
    def words(at_s: float) -> tuple[str, ...]:
        return ("lead off", "noisy" if at_s > 21 else "missing") if 20 < at_s <= 30 else GOOD

    for later, expected in (([], True), ([33.0, 34.0], False)):
        findings = findings_of([*at_rates((10, 60)), *later], words=words, to_s=36)
        said = {at_s: readings["asystole"].present for at_s, readings in readings_of(findings)}
        assert said[20.0] is True
        assert {said[20.5], said[25.0], said[30.0]} == {None}
        assert said[32.0] is True
        assert said[36.0] is expected


@pytest.mark.parametrize(
    ("code", "intervals", "rate_bpm", "expected"),
    [
        ("extreme bradycardia", 4, 39, True),
        ("extreme bradycardia", 4, 41, False),
        ("extreme bradycardia", 3, 39, False),
        ("extreme bradycardia", 11, 40.4, True),
        ("extreme bradycardia", 11, 40.6, False),
        ("extreme tachycardia", 16, 141, True),
        ("extreme tachycardia", 16, 139.6, True),
        ("extreme tachycardia", 39, 139.4, False),
        ("extreme tachycardia", 15, 141, False),
        # Well beyond its limit it needs fewer beats.
        ("extreme tachycardia", 11, 155, True),
        ("extreme tachycardia", 10, 155, False),
        ("extreme tachycardia", 15, 145, False),
        ("high rate", 8, 131, True),
        ("high rate", 8, 129, False),
        ("high rate", 7, 131, False),
        ("low rate", 8, 44, True),
        ("low rate", 8, 46, False),
    ],
)
def test_a_rate_is_told_from_so_many_intervals_beyond_its_limit_on(
    code: str, intervals: int, rate_bpm: float, expected: bool
):
    assert (code in told(at_rates((12, 70), (intervals, rate_bpm), (12, 70)))) == expected


def test_one_pause_or_one_early_beat_does_not_decide_on_extreme_bradycardia():
    fifty = at_rates((10, 50))
    paused = [*fifty, *(fifty[-1] + 3.9 + 1.2 * k for k in range(10))]
    assert "extreme bradycardia" not in told(paused)
    slow = at_rates((10, 30))
    assert "extreme bradycardia" in told(sorted([*slow, slow[5] + 0.5]))


def test_beats_in_noise_are_no_tachycardia_and_one_among_many_does_not_hide_one():
    assert told(at_rates((60, 180)), "?" * 61) == set()
    for letters, rate_bpm, expected in (
        (("NN" + "?") * 21 + "N", 180, False),
        (("N" * 10 + "??") * 5 + "NNNN", 180, False),
        (("N" * 7 + "?") * 8, 145, True),
    ):
        assert ("extreme tachycardia" in told(at_rates((63, rate_bpm)), letters)) == expected


def test_an_unreadable_beat_counts_for_a_tachycardia_once_a_readable_one_follows():
    times_s = at_rates((11, 155))
    assert "extreme tachycardia" not in told([*times_s, times_s[-1] + 5.0], "N" * 11 + "?N")
    assert "extreme tachycardia" in told(at_rates((13, 155)), "N" * 11 + "?NN")


@pytest.mark.parametrize(
    ("code", "times_s", "letters", "heard"),
    [
        ("extreme tachycardia", at_rates((13, 160)), "N" * 12 + "??", 0),
        ("extreme bradycardia", at_rates((6, 60), (4, 38), (1, 200), (3, 200)), "N" * 15, 9),
    ],
)
def test_what_ends_before_the_next_findings_is_told(code: str, times_s: list[float], letters: str, heard: int):
    before = replace(RhythmState(), at_s=times_s[-1], since_s=0.0, detected_s=tuple(times_s[:heard]))
    last = DetectorOutput(times_s[-1] + 1, times_s[-1], np.array(times_s[heard:]), judged(times_s, letters), GOOD)
    _, readings = rhythm_step(before, Limits(), last)
    assert {reading.condition for reading in readings if reading.present} == {code}


@pytest.mark.parametrize(
    ("code", "letters", "rate_bpm", "expected"),
    [
        ("supraventricular run", "SSSSS", 110, True),
        ("supraventricular run", "SSSSS", 95, False),
        ("supraventricular run", "SSSS", 150, False),
        ("supraventricular run", "SSSNSSS", 150, False),
        ("supraventricular run", "SSS?SS", 150, True),
        ("supraventricular run", "SSVSSS", 150, False),
        ("supraventricular run", "VVVVVV", 150, False),
        ("bigeminy", "VNVNV", 75, True),
        ("bigeminy", "VNVN", 75, False),
        ("bigeminy", "VNNVNVNN", 75, False),
        ("bigeminy", "VN?NVN", 75, False),
        ("trigeminy", "VNNVNNV", 75, True),
        ("trigeminy", "VNNVNN", 75, False),
        ("trigeminy", "VNNVNVNNV", 75, False),
        ("trigeminy", "VNN?VNNVN", 75, False),
        ("trigeminy", "VVNVVNVVN", 75, False),
        ("not this patient's normal", "A" * 12, 75, True),
        ("not this patient's normal", "A" * 11, 75, False),
        ("not this patient's normal", "AAN" * 6, 75, True),
        ("not this patient's normal", "AN" * 12, 75, False),
        ("not this patient's normal", "A?" * 12, 75, True),
        ("not this patient's normal", ("A" + "?" * 9) * 12, 75, False),
        *(
            ("ventricular run", letters, rate_bpm, letters == "VVV")
            for rate_bpm in (75, 230)
            for letters in ("VVV", "VV", "VVNV", "SSS")
        ),
    ],
)
def test_a_condition_is_told_from_so_many_beats_of_its_kind_on(
    code: str, letters: str, rate_bpm: float, expected: bool
):
    assert (code in told_of(letters, rate_bpm)) == expected


@pytest.mark.parametrize(("before_bpm", "beats", "expected"), [(120, 8, False), (120, 9, True), (100, 5, True)])
def test_ventricular_tachycardia_at_the_rate_before_it_needs_nine_beats(before_bpm: float, beats: int, expected: bool):
    times_s = at_rates((20, before_bpm), (beats, 120), (5, before_bpm))
    letters = "N" * 21 + "V" * beats + "N" * 5
    assert ("ventricular tachycardia" in told(times_s, letters)) == expected


@pytest.mark.parametrize(
    ("letters", "rate_bpm", "expected"),
    [
        ("VVVVV", 101, True),
        ("VVVVV", 99, False),
        ("VVVV", 150, False),
        ("VVNVVV", 150, False),
        ("VVV?VV", 150, True),
        ("VV?VV", 150, False),
        ("VVVAVV", 150, False),
        ("VVV??VV", 150, False),
        ("V?VV?VV", 150, True),
        ("VV?V?V?V", 150, False),
        ("AAAAAAA", 150, False),
    ],
)
def test_ventricular_tachycardia_is_five_beats_above_100(letters: str, rate_bpm: float, expected: bool):
    times_s = at_rates((9, 0.7 * rate_bpm), (len(letters) + 2, rate_bpm))
    assert ("ventricular tachycardia" in told(times_s, "N" * 10 + letters + "NN")) == expected


def test_a_run_that_becomes_faster_becomes_a_tachycardia():
    times_s = at_rates((10, 75), (20, 80), (8, 150))
    readings = readings_of(findings_of(times_s, "N" * 10 + "V" * 29))
    assert first_present(readings, "ventricular run") < 15
    assert first_present(readings, "ventricular tachycardia") > times_s[30]


@pytest.mark.parametrize(
    ("rate_bpm", "code", "expected"),
    [
        (126, "high rate", None),
        (124, "high rate", False),
        (128, "extreme tachycardia", None),
        (125, "extreme tachycardia", False),
        (49, "low rate", None),
        (51, "low rate", False),
        (44, "extreme bradycardia", None),
        (46, "extreme bradycardia", False),
    ],
)
def test_a_rate_just_behind_its_limit_is_left_open(rate_bpm: float, code: str, expected: bool | None):
    _, last = readings_of(findings_of(at_rates((40, rate_bpm))))[-1]
    assert last[code].present is expected


@given(st.floats(3.0, 30.0), st.floats(60, 100))
def test_a_standstill_makes_no_low_rate_afterwards(gap_s: float, rate_bpm: float):
    times_s = at_rates((12, rate_bpm))
    times_s += [times_s[-1] + gap_s + 60 / rate_bpm * k for k in range(15)]
    assert "low rate" not in told(times_s)


@given(st.lists(st.sampled_from([2.0, 3.5, 5.0]), min_size=2, max_size=2), st.integers(0, 3))
def test_two_pauses_in_five_beats_are_no_extreme_bradycardia(pauses_s: list[float], between: int):
    intervals_s = [0.9] * 10 + pauses_s[:1] + [0.9] * between + pauses_s[1:] + [0.9] * 10
    assert "extreme bradycardia" not in told((0.3 + np.cumsum([0.0, *intervals_s])).tolist())


@pytest.mark.parametrize(("gap_s", "expected"), [(2.9, True), (3.1, False)])
def test_three_seconds_without_a_beat_end_a_run(gap_s: float, expected: bool):
    times_s = at_rates((10, 75))
    times_s += [times_s[-1] + gap_s * k for k in (1, 2)]
    times_s += [times_s[-1] + 0.8 * k for k in (1, 2)]
    assert ("ventricular run" in told(times_s, "N" * 10 + "VVV" + "NN")) == expected


@given(st.floats(0.25, 1.2), st.floats(0.25, 1.2), st.floats(0.25, 1.2))
def test_two_successive_intervals_of_a_run_are_about_equal(first_s: float, second_s: float, third_s: float):
    intervals_s = [0.8] * 9 + [0.5, first_s, second_s, third_s, 0.9, 0.8]
    times_s = (0.3 + np.cumsum([0.0, *intervals_s])).tolist()
    first_s, second_s, third_s = np.diff(times_s)[10:13].tolist()
    even = [max(two) < 1.8 * min(two) for two in ((first_s, second_s), (second_s, third_s))]
    assert ("ventricular run" in told(times_s, "N" * 10 + "VVV" + "NNN")) == even[0]
    assert ("ventricular run" in told(times_s, "N" * 10 + "VVVV" + "NN")) == any(even)


@given(st.floats(0.25, 0.38), st.floats(0.3, 0.8))
def test_ventricular_beats_that_alternate_between_early_and_late_are_no_tachycardia(early_s: float, late_s: float):
    intervals_s = [0.8] * 9 + [0.7] + [early_s, late_s] * 2 + [0.8] * 2
    times_s = (0.3 + np.cumsum([0.0, *intervals_s])).tolist()
    early_s, late_s = np.diff(times_s)[10:12].tolist()
    even = max(early_s, late_s) < 1.8 * min(early_s, late_s)
    assert ("ventricular tachycardia" in told(times_s, "N" * 10 + "V" * 5 + "NN")) == even


def test_an_unreadable_beat_in_a_run_leaves_it_a_run():
    intervals_s = [0.8] * 9 + [0.5, 0.3, 0.9, 0.3, 0.9, 0.8]
    times_s = (0.3 + np.cumsum([0.0, *intervals_s])).tolist()
    assert "ventricular run" in told(times_s, "N" * 10 + "V?VV" + "NN")
    assert "ventricular run" not in told(times_s, "N" * 10 + "VVVV" + "NN")


def test_a_tachycardia_ends_with_the_last_beat():
    times_s = at_rates((10, 75), (20, 160))
    readings = dict(readings_of(findings_of(times_s, "N" * 10 + "V" * 21, to_s=30)))
    assert times_s[-1] < 16.5
    fast = ("ventricular tachycardia", "extreme tachycardia", "high rate", "ventricular run")
    assert all(readings[18.0][code].present for code in fast)
    assert {readings[21.0][code].present for code in fast} == {False}


def test_after_an_unreadable_stretch_nothing_is_told_of_beats_before_it():
    times_s = [*at_rates((10, 75), (10, 160)), *at_rates((10, 75), start_s=30.3)]
    findings = findings_of(
        times_s,
        "N" * 10 + "V" * 11 + "N" * 11,
        words=lambda at_s: ("noisy",) if 13 < at_s <= 30 else GOOD,
        after_gap=21,
    )
    readings = dict(readings_of(findings))
    assert readings[13.0]["ventricular tachycardia"].present is True
    assert readings[30.5]["ventricular tachycardia"].present is None
    assert readings[36.0]["ventricular tachycardia"].present is False


@given(st.floats(1.0, 3.9))
def test_a_pause_is_three_seconds_or_more(gap_s: float):
    times_s = at_rates((10, 60), start_s=0.0)
    times_s += [times_s[-1] + gap_s + k for k in range(6)]
    assert ("pause" in told(times_s)) == (times_s[11] - times_s[10] >= 3.0)


def test_a_pause_is_told_while_it_lasts():
    times_s = [*at_rates((10, 60)), 14.2]
    readings = readings_of(findings_of(times_s))
    assert first_present(readings, "pause") < 14.2 + DELAY_S


@pytest.mark.parametrize(("couplets", "apart", "expected"), [(4, 20, True), (3, 20, False), (4, 130, False)])
def test_couplets_are_counted_over_five_minutes(couplets: int, apart: int, expected: bool):
    assert ("couplet" in told_of(("VV" + "N" * apart) * couplets)) == expected
    assert "couplet" not in told_of(("VV?" + "N" * apart) * couplets)


def test_irregular_rhythm_is_told_and_regular_is_not():
    rng = np.random.default_rng(0)
    for spread, expected in ((0.25, True), (0.03, False)):
        times_s = np.cumsum(rng.uniform(0.8 - spread, 0.8 + spread, 90)).tolist()
        assert ("irregular rhythm" in told(times_s)) == expected
        assert "irregular rhythm" not in told(times_s[:65])
        assert "irregular rhythm" not in told(times_s, "S" * 90)


def test_intervals_beside_ectopic_beats_do_not_count_as_irregular():
    times_s = np.cumsum([0.8, 0.8, 0.8, 0.8, 0.4, 1.2] * 20).tolist()
    assert "irregular rhythm" not in told(times_s, "NNNNSN" * 20)
    assert "irregular rhythm" in told(times_s)


def test_not_this_patients_normal_lasts_until_half_as_many_are_abnormal():
    times_s = at_rates((60, 75))
    readings = readings_of(findings_of(times_s, "N" * 20 + "A" * 12 + "N" * 29))
    there = [at_s for at_s, said in readings if said["not this patient's normal"].present]
    assert there[0] == pytest.approx(times_s[32] + DELAY_S, abs=0.51)
    assert times_s[45] < there[-1] - DELAY_S < times_s[46]  # when the beat that leaves six of twenty is judged


def test_not_this_patients_normal_outlasts_an_unreadable_stretch():
    letters = "N" * 20 + "A" * 12 + "?" * 100 + "AAN" * 5
    readings = readings_of(findings_of(at_rates((len(letters) - 1, 75)), letters))
    said = [reading["not this patient's normal"].present for _, reading in readings]
    assert set(said[100:]) == {True, None}
    assert said[-1] is True


# What holds for any beats.


@settings(max_examples=examples(60))
@given(beats_of_any_kind, blind_words)
def test_without_a_signal_that_can_be_read_nothing_is_told(beats: list[tuple[float, str]], words: tuple[str, ...]):
    for _, readings in readings_of(stream(beats, words)):
        assert {reading.present for reading in readings.values()} == {None}


@settings(max_examples=examples(60))
@given(st.floats(0.05, 0.95), st.sampled_from(PROFILES))
def test_clean_sinus_rhythm_raises_nothing_in_any_profile(share: float, profile: str):
    limits = Limits.of(profile)
    # Nothing is said of an extreme rate within a tenth of its limit.
    low_bpm = max(limits.low_bpm + limits.clear_bpm, 1.1 * limits.extreme_low_bpm)
    high_bpm = min(limits.high_bpm - limits.clear_bpm, 0.9 * limits.extreme_high_bpm)
    findings = findings_of(at_rates((100, low_bpm + share * (high_bpm - low_bpm))))
    readings = readings_of(findings, limits)
    assert present(readings) == set()
    assert {reading.present for reading in readings[-1][1].values()} == {False}


@settings(max_examples=examples(60))
@given(beats_of_any_kind, st.lists(any_words, min_size=1), st.sampled_from(PROFILES))
def test_a_state_that_was_written_and_read_goes_on_the_same(beats, words, profile: str):
    limits, state, again = Limits.of(profile), RhythmState(), RhythmState()
    for findings in stream(beats, lambda at_s: words[int(2 * at_s) // 7 % len(words)]):
        state, readings = rhythm_step(state, limits, findings)
        again, same = rhythm_step(again, limits, findings)
        assert readings == same
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(again), type=RhythmState)


@settings(max_examples=examples(60))
@given(beats_of_any_kind)
def test_every_condition_that_is_there_shows_its_figures(beats: list[tuple[float, str]]):
    times_s = set(np.cumsum([rr_s for rr_s, _ in beats]).tolist())
    for _, readings in readings_of(stream(beats)):
        assert tuple(readings) == CODES
        for reading in readings.values():
            if reading.present:
                assert reading.text.endswith(".")
                below = reading.condition in ("low rate", "extreme bradycardia")
                assert (reading.value <= reading.limit) if below else (reading.value >= reading.limit * 0.5)
                assert len(reading.beats_s) <= 20
                assert set(reading.beats_s) <= times_s


def test_the_state_does_not_grow():
    rng = np.random.default_rng(0)
    letters = "".join(rng.choice(list("NVVSA?"), 3000))
    state, limits, sizes = RhythmState(), Limits.of("exercise"), []
    for findings in findings_of(np.cumsum(rng.uniform(0.3, 0.6, 3000)).tolist(), letters):
        state, _ = rhythm_step(state, limits, findings)
        sizes.append(len(msgspec.msgpack.encode(state)))
    assert max(sizes) < 8000
    assert max(sizes[-100:]) < 1.2 * max(sizes[500:1000])


# Gaps.


@given(st.floats(5, 300))
def test_nothing_is_claimed_across_missing_findings(gap_s: float):
    before, after = at_rates((20, 75)), at_rates((20, 75))
    shift = round(before[-1] + gap_s)
    findings = findings_of(before, to_s=before[-1] + 0.7)
    late = [beat_s for beat_s in before if beat_s > findings[-1].complete_to_s]
    findings += findings_of([shift + beat for beat in after], from_s=shift)
    first = len(findings) - len(findings_of(after))
    findings[first] = replace(findings[first], detected_s=np.array(late))
    assert present(readings_of(findings)) == set()


def test_nothing_is_claimed_across_missing_samples():
    times_s = [*at_rates((20, 75)), *at_rates((20, 75), start_s=60.3)]
    findings = findings_of(
        times_s, words=lambda at_s: ("missing", "missing") if 17 < at_s < 60.5 else GOOD, after_gap=21
    )
    assert present(readings_of(findings)) == set()


def test_a_stream_that_starts_anew_is_taken_as_new():
    findings = findings_of(at_rates((30, 75)))
    state = RhythmState()
    for each in findings:
        state, _ = rhythm_step(state, Limits(), each)
    once, twice = RhythmState(), state
    for each in findings:
        (once, first), (twice, second) = rhythm_step(once, Limits(), each), rhythm_step(twice, Limits(), each)
        assert first == second


# Simulated patients.

EPISODES = {
    "asystole": ("asystole", 0),
    "bradycardia": ("extreme bradycardia", 5),
    "tachycardia": ("extreme tachycardia", 17),
    "ventricular_tachycardia": ("ventricular tachycardia", 5),
}


def findings_of_patient(
    seed: int, episodes: list[Episode], duration_s: float, rate_bpm: float, hrv_sd_ms: float = 40.0
) -> list[DetectorOutput]:
    """The truth as findings: no beat is heard where leads are off, and in noise many are that nobody can read."""
    recording = simulate_recording(
        duration_s,
        sampling_rate_hz=100,
        leads=1,
        noise_mv=0,
        rate_bpm=rate_bpm,
        hrv_sd_ms=hrv_sd_ms,
        episodes=episodes,
        random_state=seed,
    )
    spoiled = {
        e: ("lead off" if e.kind == "lead_off" else "noisy") for e in episodes if e.kind in ("lead_off", "noise")
    }
    rng, beats = np.random.default_rng(seed), []
    for position, symbol in zip(recording.annotations.positions, recording.annotations.symbols, strict=True):
        beat_s = position / 100
        if symbol != "~" and not any(e.start_s <= beat_s < e.end_s for e in spoiled):
            beats.append((beat_s, "V" if symbol == "V" else "N"))
    for e in spoiled:
        if e.kind == "noise":
            times_s = e.start_s + np.cumsum(rng.uniform(0.25, 0.5, int(2 * e.duration_s)))
            beats += [(beat_s, "?") for beat_s in times_s.tolist()]

    def words(at_s: float) -> tuple[str, ...]:
        window_s = at_s // 2 * 2 - 1  # in the middle of the last window of two seconds
        return (next((word for e, word in spoiled.items() if e.start_s - 1 < window_s < e.end_s + 1), "good"),)

    times, letters = zip(*sorted(beats), strict=True)
    return findings_of(times, "".join(letters), words, to_s=duration_s)


@pytest.mark.parametrize("seed", range(6))
def test_every_episode_is_announced_within_its_definition_and_five_seconds(seed: int):
    rng = np.random.default_rng(seed)
    kinds = rng.permutation([*EPISODES, "lead_off", "noise"]).tolist()
    episodes = [Episode(kind, 40 + 60 * k + rng.uniform(0, 20), 20) for k, kind in enumerate(kinds)]
    findings = findings_of_patient(seed, episodes, 420, rate_bpm=rng.uniform(60, 95))
    beats_s = np.concatenate([each.detected_s for each in findings])
    readings = readings_of(findings)
    for episode in episodes:
        if episode.kind in EPISODES:
            code, count = EPISODES[episode.kind]
            if count:
                defined_s = beats_s[beats_s >= episode.start_s][count - 1]
            else:
                defined_s = beats_s[beats_s < episode.start_s][-1] + 4
            assert first_present(readings, code, episode.start_s) <= defined_s + 5
    calm = [
        (at_s, said)
        for at_s, said in readings
        if not any(e.start_s <= at_s < e.end_s + 12 for e in episodes if e.kind in EPISODES)
    ]
    assert not present(calm) & HIGH


@pytest.mark.parametrize("profile", PROFILES)
def test_ten_minutes_of_sinus_rhythm_raise_nothing(profile: str):
    usual = {"child": {"rate_bpm": 95}, "infant": {"rate_bpm": 130, "hrv_sd_ms": 15}}.get(profile, {"rate_bpm": 75})
    findings = findings_of_patient(3, [], 600, **usual)
    assert present(readings_of(findings, Limits.of(profile))) == set()


def test_ten_minutes_of_noise_and_loose_leads_raise_nothing_of_high_priority():
    rng = np.random.default_rng(1)
    episodes = [Episode(rng.choice(["noise", "lead_off"]), 10.0 * k + rng.uniform(0, 4), 6) for k in range(60)]
    findings = findings_of_patient(1, episodes, 600, rate_bpm=90)
    assert not present(readings_of(findings)) & HIGH


def test_fibrillation_is_told_by_the_number_that_recordings_have():
    """A step at a time the log odds are those of the whole, to the last bit."""
    rng = np.random.default_rng(0)
    intervals_s = np.concatenate([np.full(80, 0.8), 0.65 * np.exp(0.2 * rng.standard_normal(120))])
    times_s = np.cumsum(intervals_s).tolist()
    letters = "".join(rng.choice(["N", "V"], len(times_s), p=[0.95, 0.05]))
    ectopic = np.array([letter == "V" for letter in letters])
    whole = log_odds(measure_irregularity(usual_intervals(np.diff(times_s, prepend=np.nan), ectopic)))
    state, odds = RhythmState(), set()
    for findings in findings_of(times_s, letters):
        state, _ = rhythm_step(state, Limits(), findings)
        odds.add(state.fibrillation)
    measured = {number for number in odds if np.isfinite(number)}
    assert len(measured) > 10
    assert measured <= set(whole.tolist())
    assert "atrial fibrillation" in told(times_s)
    assert "atrial fibrillation" not in told(times_s[:80])


@pytest.mark.parametrize("seed", range(6))
def test_fibrillation_is_told_at_the_first_beat_that_makes_an_episode(seed: int):
    """A recording has the log odds of a beat when the 31 beats after it are there, and so has the monitor."""
    rng = np.random.default_rng(seed)
    intervals_s = np.concatenate([np.full(80 + seed, 0.8), 0.65 * np.exp(0.2 * rng.standard_normal(100))])
    times_s = np.cumsum(intervals_s)
    no_beats = np.zeros(len(times_s), np.bool_)
    odds = log_odds(measure_irregularity(usual_intervals(np.diff(times_s, prepend=np.nan), no_beats)))
    first = int(np.flatnonzero(odds > FIBRILLATION_LOG_ODDS)[0])
    latest_s = times_s[WINDOW // 2 - 1 :]
    last = int(
        np.flatnonzero((latest_s - latest_s[first] >= 30.0) & (odds[: len(latest_s)] > FIBRILLATION_LOG_ODDS))[0]
    )
    # It is heard some seconds after it, at the end of a piece, and judged when the next one is heard.
    judged_s = times_s[last + WINDOW // 2] + DELAY_S
    told_s = first_present(readings_of(findings_of(times_s.tolist())), "atrial fibrillation")
    assert judged_s <= told_s <= judged_s + PIECE_S


@pytest.mark.parametrize(("seed", "spread"), [(14, 0.056), (0, 0.048), (9, 0.056), (4, 0.056)])
def test_the_monitor_tells_fibrillation_where_a_recording_has_an_episode(seed: int, spread: float):
    intervals_s = 0.65 * np.exp(spread * np.random.default_rng(seed).standard_normal(170))
    times_s = np.cumsum(intervals_s)
    episodes = find_fibrillation(times_s, np.diff(times_s, prepend=np.nan), np.zeros(len(times_s), np.bool_))
    assert ("atrial fibrillation" in told(times_s.tolist())) == bool(episodes)


def test_chronic_fibrillation_is_one_advisory_alarm_of_low_priority_with_its_rate():
    rng = np.random.default_rng(0)
    intervals_s = np.concatenate([np.full(80, 0.8), 0.6 * np.exp(0.2 * rng.standard_normal(900))])
    state, log, begins_s = PatientAlarms.fresh(), [], 80 * 0.8
    for at_s, readings in readings_of(findings_of(np.cumsum(intervals_s).tolist())):
        state, entries = update_conditions(state, AlarmSettings(), at_s, list(readings.values()))
        log += [(at_s, entry) for entry in entries]
    ((at_s, entry),) = log
    assert (entry.alarm.condition, entry.change) == ("atrial fibrillation", "raised")
    assert (entry.alarm.priority, CONDITIONS[entry.alarm.condition].kind) == (Priority.LOW, AlarmType.ADVISORY)
    # The window of the first beat that shows it, and thirty seconds.
    assert at_s <= begins_s + WINDOW * 0.65 + 30.0 + DELAY_S
    assert re.search(r"differ without a pattern, \d+ per minute on average: log odds", entry.alarm.latest.text)


def test_fibrillation_that_comes_and_goes_is_announced_once_an_hour_at_most():
    state, raised_s = PatientAlarms.fresh(), []
    for at_s in np.arange(0.0, 24 * 3600.0, 15.0).tolist():
        reading = ConditionReading("atrial fibrillation", at_s % 600 < 480, "", 2.0)
        state, entries = update_conditions(state, AlarmSettings(), at_s, [reading])
        raised_s += [at_s for entry in entries if entry.change == "raised"]
    assert len(raised_s) >= 2
    assert np.diff(raised_s).min() >= 3600.0
