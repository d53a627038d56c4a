"""The rules that name beats, on timing and shape alone."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis.interval_model import IntervalHistory, Timing, predicting, timing_step
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.template_comparison import BeatDifference
from ectopy.analysis.verdicts import (
    CHANGED_SHAPE,
    Hint,
    JudgingRules,
    PreviousBeat,
    _assign_hints,
    combined_score,
    variability_allowance,
)
from ectopy.signal.beat_segments import BeatSegments, cut_beats
from ectopy.signal.filters import Filtered

N, V, S, OTHER = Hint.EMPTY, Hint.VENTRICULAR, Hint.SUPRAVENTRICULAR, Hint.OTHER
LIKE_NORMAL, CHANGED = 0.2, 1.0
SEEDS = st.integers(0, 2**32 - 1)


def beats_at(intervals_s: list[float]) -> BeatSegments:
    """Beats after these RR intervals, the first one at 1 s, in a signal without any."""
    times_s = 1 + np.cumsum([0.0, *intervals_s])
    shape = (1, int(180 * (times_s[-1] + 1)))
    return cut_beats(Filtered(np.zeros(shape), np.zeros(shape, bool)), times_s)


@cache
def rules() -> JudgingRules:
    return JudgingRules.of(load_ambulatory())


def evidence_of(
    beats: BeatSegments, shape: dict[int, float], qrs: dict[int, float], p_share: dict[int, float] | None = None
) -> BeatDifference:
    """Like the normal beat but for some, which are as different as is said."""

    def values(different: dict[int, float], usual: float = LIKE_NORMAL) -> np.ndarray:
        result = np.full(len(beats), usual)
        result[list(different)] = list(different.values())
        return result

    width = np.where(values(qrs) > LIKE_NORMAL, 0.5, 0.0)
    unknown = np.full(len(beats), np.nan)
    return BeatDifference(
        values(shape),
        values(shape),
        values(qrs),
        unknown,
        values(p_share or {}, np.nan),
        width,
        beats.prematurity / 0.05,
        beats.delay / 0.05,
        values(qrs),
        values(shape),
    )


def timing_of(beats: BeatSegments, difference: BeatDifference) -> Timing:
    usual_shape = difference.window < CHANGED_SHAPE
    return predicting(rules().intervals, timing_step(IntervalHistory(), beats.rr_s, beats.next_s, usual_shape))[1]


def hints(
    intervals_s: list[float],
    shape: dict[int, float] | None = None,
    qrs: dict[int, float] | None = None,
    p_wave: dict[int, float] | None = None,
    p_share: dict[int, float] | None = None,
) -> list[str]:
    """One hint per beat; beats of a changed shape or QRS complex are abnormal, those without a shape unreadable."""
    beats = beats_at(intervals_s)
    difference = evidence_of(beats, shape or {}, qrs or {}, p_share)
    timing = timing_of(beats, difference)
    changed = np.isin(np.arange(len(beats)), [*(shape or {}), *(qrs or {})])
    unusual = np.array([(p_wave or {}).get(beat, 0.0) for beat in range(len(beats))])
    score = combined_score(np.where(np.isnan(difference.shape), np.nan, 5.0 * changed), unusual, timing)
    abnormal, unreadable = score > rules().with_baseline, np.isnan(score)
    return _assign_hints(beats, abnormal, unreadable, difference, unusual, timing, PreviousBeat())[1].tolist()


def regular(n: int, interval_s: float = 0.8) -> list[float]:
    return [interval_s * (1.01 if beat % 2 else 0.99) for beat in range(n)]


@pytest.mark.parametrize("follows_s", [0.8, 1.0])
def test_a_beat_that_comes_suddenly_early_is_supraventricular(follows_s: float):
    detected = hints([*regular(60), 0.6, follows_s, *regular(10)])
    assert detected[61] == S
    assert set(detected[:61] + detected[62:]) == {N}


@given(st.floats(0.15, 0.3), SEEDS)
def test_in_an_irregular_rhythm_early_beats_are_usual(spread: float, seed: int):
    fibrillation = 0.7 * np.exp(np.random.default_rng(seed).normal(0, spread, 600))
    actual = hints(fibrillation.tolist())
    quarter_early = beats_at(fibrillation.tolist()).prematurity > 0.25
    assert actual.count(S) < 0.08 * len(actual)
    assert actual.count(S) < 1.5 * quarter_early.sum()


@given(st.floats(0.02, 0.12), st.integers(6, 20))
def test_sinus_arrhythmia_is_not_supraventricular(depth: float, period: int):
    swing = 1 + depth * np.sin(2 * np.pi * np.arange(200) / period)
    swing += np.random.default_rng(0).normal(0.0, 0.01, 200)
    assert hints((0.8 * swing).tolist())[20:].count(N) >= 0.97 * 180


@pytest.mark.parametrize("cycle_s", [[0.8, 0.8, 0.55, 1.0], [0.8, 0.55, 1.0], [0.8, 0.8, 0.55, 0.55, 0.95]])
def test_frequent_ectopic_beats_are_found_if_their_shape_or_timing_is_abnormal(cycle_s: list[float]):
    intervals_s = [*regular(60), *cycle_s * 40]
    early = {beat + 1 for beat, interval_s in enumerate(intervals_s) if interval_s == 0.55}
    result = hints(intervals_s, shape=dict.fromkeys(early, 0.5))
    assert {beat for beat, hint in enumerate(result) if hint == S} == early


def test_exercise_is_not_supraventricular():
    rising = np.concatenate([np.full(60, 1.0), np.geomspace(1.0, 0.4, 200), np.full(100, 0.4)])
    assert set(hints(rising.tolist())) == {N}


@given(st.integers(1, 150), st.floats(0.3, 0.55), SEEDS)
def test_a_run_is_named_from_its_first_beat_to_its_last_however_long(length: int, interval_s: float, seed: int):
    unsteady = np.random.default_rng(seed).uniform(0.95, 1.05, length)
    run = range(61, 61 + length)
    result = hints([*regular(60), *(interval_s * unsteady), *regular(20)], shape=dict.fromkeys(run, CHANGED))
    assert [beat for beat, hint in enumerate(result) if hint == S] == list(run)


def test_a_fast_rhythm_of_the_usual_shape_is_accepted_after_sixteen_beats():
    result = hints([*regular(60), *[0.5] * 40, *regular(20)])
    assert result[61] == S
    assert S not in result[61 + 16 :]


def test_unreadable_beats_have_no_hint_and_do_not_end_a_run():
    shape = dict.fromkeys(range(61, 101), CHANGED) | dict.fromkeys((90, 91), np.nan)
    result = hints([*regular(60), *[0.4] * 40, *regular(10)], shape=shape)
    assert result[90:92] == [N, N]
    assert set(result[61:90] + result[92:101]) == {S}


def test_a_beat_without_its_usual_p_wave_need_be_only_somewhat_early():
    early = [*regular(60), 0.76, *regular(5)]
    assert hints(early)[61] == N
    assert hints(early, shape={61: CHANGED}, p_wave={61: 3.0})[61] == S
    assert hints(early, shape={61: CHANGED})[61] == OTHER
    assert hints([*regular(66)], shape={61: CHANGED}, p_wave={61: 3.0})[61] == OTHER


def test_a_changed_wide_qrs_complex_is_ventricular():
    early = [*regular(60), 0.5, 1.1, *regular(5)]
    assert hints(early, qrs={61: 1.5})[61] == V
    assert hints(regular(66), qrs={61: 1.8})[61] == V


def test_a_wide_beat_that_comes_when_it_is_due_after_the_usual_p_wave_is_not_ventricular():
    usual = {61: 1.0}
    assert hints(regular(66), qrs={61: 1.8}, p_share=usual)[61] == OTHER
    assert hints(regular(66), qrs={61: 1.8}, p_share={61: 0.2})[61] == V
    assert hints([*regular(60), 0.5, 1.1, *regular(5)], qrs={61: 1.5}, p_share=usual)[61] == V
    assert hints(regular(66, 0.5), qrs={61: 1.8}, p_share=usual)[61] == V


def test_without_the_usual_p_wave_a_beat_need_be_less_changed_to_be_ventricular():
    assert hints(regular(66), qrs={61: 1.1})[61] == OTHER
    assert hints(regular(66), qrs={61: 1.1}, p_share={61: 1.0})[61] == OTHER
    assert hints(regular(66), qrs={61: 1.1}, p_share={61: 0.0})[61] == V
    assert V not in hints(regular(66), qrs={61: 0.45}, p_share={61: 0.0})


@given(st.floats(0.2, 0.8), st.floats(0.0, 0.49))
def test_nearly_the_usual_qrs_complex_is_never_ventricular(interval_s: float, different: float):
    assert V not in hints([*regular(60), interval_s, 1.1, *regular(5)], qrs={61: different})


@given(SEEDS, st.integers(2, 180))
def test_no_hint_waits_for_more_than_the_next_beat(seed: int, until: int):
    random = np.random.default_rng(seed)
    intervals_s = random.choice([0.4, 0.6, 0.8, 0.82, 1.0], 180, p=[0.2, 0.1, 0.3, 0.3, 0.1])
    beats = beats_at(intervals_s.tolist())
    shape, qrs = (dict(enumerate(random.choice([LIKE_NORMAL, CHANGED, 1.6], len(beats)))) for _ in range(2))
    verdict = random.integers(3, size=len(beats))
    abnormal, unreadable = verdict == 1, verdict == 2
    difference = evidence_of(beats, shape, qrs)
    reference = BeatSegments(**{field.name: getattr(beats, field.name)[:until] for field in fields(BeatSegments)})
    so_far = BeatDifference(**{field.name: getattr(difference, field.name)[:until] for field in fields(BeatDifference)})
    timing, p_wave = timing_of(beats, difference), random.normal(size=len(beats))
    _, hints = _assign_hints(
        reference, abnormal[:until], unreadable[:until], so_far, p_wave[:until], timing[:until], PreviousBeat()
    )
    _, of_all = _assign_hints(beats, abnormal, unreadable, difference, p_wave, timing, PreviousBeat())
    np.testing.assert_array_equal(hints, of_all[:until])


@given(st.floats(0.3, 2.0), SEEDS)
def test_irregularity_is_the_spread_of_the_intervals_before_whatever_the_rate(interval_s: float, seed: int):
    spread = np.random.default_rng(seed).normal(0, 0.1, 300)
    result = beats_at((interval_s * np.exp(spread)).tolist()).irregularity
    assert 0.07 < np.median(result[51:]) < 0.13
    np.testing.assert_allclose(beats_at([interval_s] * 60).irregularity, 0, atol=1e-9)


def test_a_minority_of_ectopic_beats_does_not_make_a_rhythm_irregular():
    beats = beats_at([*regular(60), *[0.8, 0.8, 0.8, 0.5, 1.1] * 20])
    assert beats.irregularity.max() < 0.05


PARTS = st.tuples(st.floats(-4, 8), st.floats(-4, 8), st.floats(-8, 8), st.floats(-8, 8))


def score_of(shape: float, p_wave: float, early: float, pause: float) -> float:
    one = [np.array([value]) for value in (shape, p_wave, early, pause)]
    return float(combined_score(one[0], one[1], Timing(one[2], one[3]))[0])


@given(PARTS, st.integers(0, 3), st.floats(0, 4))
def test_no_part_that_is_more_abnormal_lowers_the_score(parts: tuple[float, ...], part: int, more: float):
    higher = list(parts)
    higher[part] += more
    assert score_of(*higher) >= score_of(*parts)


@given(PARTS)
def test_an_unknown_p_wave_counts_as_a_usual_one_and_an_unknown_shape_leaves_no_score(parts: tuple[float, ...]):
    shape, _, early, pause = parts
    assert score_of(shape, np.nan, early, pause) == score_of(shape, 0.0, early, pause)
    assert np.isnan(score_of(np.nan, 0.0, early, pause))


def test_an_unusual_p_wave_alone_is_not_abnormal_and_makes_an_early_beat_more_so():
    assert score_of(0.0, 8.0, 0.0, 0.0) == 0
    assert score_of(0.0, 6.0, 3.0, 0.0) > score_of(0.0, 0.0, 3.0, 0.0) + 1


@given(st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_a_patient_whose_usual_beats_vary_more_is_allowed_more_up_to_one(difference: float, more: float):
    scale = rules().shape
    usual, greater = (variability_allowance(scale, each) for each in (difference, difference + more))
    assert 0.0 <= usual <= greater <= 1.0


def test_half_of_the_patients_of_whom_the_scale_is_are_allowed_nothing():
    scale = rules().shape
    middle = float(np.median(scale.quantiles))
    assert variability_allowance(scale, 0.0) == 0.0
    assert variability_allowance(scale, middle) == pytest.approx(0.0, abs=0.01)
    assert variability_allowance(scale, 1.5 * middle) > 0.1
