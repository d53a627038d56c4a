"""Heart rate variability against the definitions, written again in plain words, and against NeuroKit2."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.analysis.heart_rate_variability import HF_HZ, LF_HZ, HeartRateVariability, NormalIntervals
from ectopy.analysis.rhythm_episodes import RhythmEpisode, find_rhythm_episodes
from support.beat_streams import analysis_of
from support.examples import examples


def tachogram(
    beats: int, seed: int = 0, lf_ms: float = 30.0, hf_ms: float = 20.0, noise_ms: float = 1.0
) -> NDArray[np.float64]:
    """NN intervals about 0.8 s with waves at 0.1 and 0.25 Hz of these amplitudes."""
    rng, intervals, at_s = np.random.default_rng(seed), [], 0.0
    for noise in rng.standard_normal(beats):
        waves = lf_ms * np.sin(2 * np.pi * 0.1 * at_s) + hf_ms * np.sin(2 * np.pi * 0.25 * at_s)
        intervals.append(0.8 + (waves + noise_ms * noise) / 1000)
        at_s += intervals[-1]
    return np.array(intervals)


def variability(times_s: NDArray[np.float64], nn_s: NDArray[np.float64]) -> HeartRateVariability:
    return NormalIntervals.at(times_s, nn_s).variability()


def normal_of(letters: str, rr_s: list[float] | None = None) -> NormalIntervals:
    analysis = analysis_of(letters, rr_s)
    return NormalIntervals.of(analysis, find_rhythm_episodes(analysis))


def variability_of(letters: str, rr_s: list[float] | None = None) -> HeartRateVariability:
    return normal_of(letters, rr_s).variability()


@settings(max_examples=examples(20))
@given(st.integers(0, 1000), st.integers(30, 200))
def test_the_figures_in_time_are_those_of_the_definitions(seed: int, beats: int):
    nn_s = np.random.default_rng(seed).uniform(0.6, 1.1, beats)
    ms = [1000 * value for value in nn_s.tolist()]
    measured = variability(np.cumsum(nn_s), nn_s)
    differences = [after - before for before, after in pairwise(ms)]
    sums = [after + before for before, after in pairwise(ms)]
    assert measured.mean_nn_ms == pytest.approx(fmean(ms))
    assert measured.sdnn_ms == pytest.approx(stdev(ms))
    assert measured.rmssd_ms == pytest.approx(sqrt(fmean(each * each for each in differences)))
    assert measured.pnn50_percent == pytest.approx(100 * sum(abs(each) > 50 for each in differences) / beats)
    assert measured.triangular_index == beats / max(Counter(int(value * 128 / 1000) for value in ms).values())
    assert measured.sd1_ms == pytest.approx(stdev(differences) / sqrt(2))
    assert measured.sd2_ms == pytest.approx(stdev(sums) / sqrt(2))


def test_sdann_is_the_spread_of_five_minute_means():
    nn_s = np.concatenate([np.full(375, 0.8), np.full(300, 1.0), np.full(500, 0.6)])
    measured = variability(np.cumsum(nn_s) - 0.8 + 1e-6, nn_s)
    assert measured.sdann_ms == pytest.approx(200, rel=0.01)


@pytest.mark.parametrize(("lf_ms", "hf_ms"), [(30.0, 20.0), (10.0, 40.0), (50.0, 10.0)])
def test_a_wave_has_half_the_square_of_its_amplitude_as_power(lf_ms: float, hf_ms: float):
    nn_s = tachogram(1200, 1, lf_ms, hf_ms)
    measured = variability(np.cumsum(nn_s), nn_s)
    assert measured.lf_ms2 == pytest.approx(lf_ms**2 / 2, rel=0.05)
    assert measured.hf_ms2 == pytest.approx(hf_ms**2 / 2, rel=0.05)
    assert measured.lf_hf == pytest.approx(measured.lf_ms2 / measured.hf_ms2)


def test_the_figures_agree_with_neurokit():
    neurokit = pytest.importorskip("neurokit2", reason="the extra 'peers' is not installed")
    nn_s = tachogram(1150, 2, noise_ms=8.0) + np.linspace(0.0, 0.2, 1150)
    peaks = np.round(np.concatenate([[0.0], np.cumsum(nn_s)]) * 1000).astype(int)
    nn_s, times_s = np.diff(peaks) / 1000, (peaks[1:] - peaks[1]) / 1000
    ours = variability(times_s, nn_s)
    theirs = neurokit.hrv_time({"ECG_R_Peaks": peaks}, sampling_rate=1000).iloc[0]
    poincare = neurokit.hrv_nonlinear({"ECG_R_Peaks": peaks[:201]}, sampling_rate=1000).iloc[0]
    first = variability(times_s[:200], nn_s[:200])
    # The same tachogram and windows: a cubic spline at 4 Hz, five minutes one after the other, Hann.
    resampled_ms, _, _ = neurokit.intervals_process(
        1000 * nn_s, times_s, interpolate=True, interpolation_rate=4, method="cubic"
    )
    bands = neurokit.signal_power(
        resampled_ms[: len(resampled_ms) // 1200 * 1200],
        [LF_HZ, HF_HZ],
        sampling_rate=4,
        method="welch",
        normalize=False,
        window=300,
        noverlap=0,
    )
    lf_ms2, hf_ms2 = bands.to_numpy()[0]
    expected = {
        "mean_nn_ms": theirs["HRV_MeanNN"],
        "sdnn_ms": theirs["HRV_SDNN"],
        "sdann_ms": theirs["HRV_SDANN5"],
        "rmssd_ms": theirs["HRV_RMSSD"],
        "pnn50_percent": theirs["HRV_pNN50"],
        "triangular_index": theirs["HRV_HTI"],
        "lf_ms2": lf_ms2,
        "hf_ms2": hf_ms2,
        "lf_hf": lf_ms2 / hf_ms2,
    }
    assert {name: getattr(ours, name) for name in expected} == pytest.approx(expected, rel=0.01)
    assert (first.sd1_ms, first.sd2_ms) == pytest.approx((poincare["HRV_SD1"], poincare["HRV_SD2"]), rel=0.01)


def test_an_interval_that_is_left_out_is_left_out_as_by_neurokit():
    neurokit = pytest.importorskip("neurokit2", reason="the extra 'peers' is not installed")
    nn_s = np.round(tachogram(500, 6, noise_ms=8.0), 3)
    times_s = np.cumsum(nn_s)
    nn_s[np.random.default_rng(0).random(500) < 0.1] = np.nan
    is_known = np.isfinite(nn_s)
    theirs = neurokit.hrv_time({"RRI": 1000 * nn_s[is_known], "RRI_Time": times_s[is_known]}).iloc[0]
    ours = variability(times_s, nn_s)
    assert ours.sdnn_ms == pytest.approx(theirs["HRV_SDNN"], rel=0.01)
    assert ours.rmssd_ms == pytest.approx(theirs["HRV_RMSSD"], rel=0.01)
    assert ours.pnn50_percent == pytest.approx(theirs["HRV_pNN50"], rel=0.01)
    assert ours.triangular_index == pytest.approx(theirs["HRV_HTI"], rel=0.01)


def test_a_difference_of_exactly_50_ms_is_not_above_it():
    nn_s = np.tile([0.8, 0.85], 50)
    assert variability(np.cumsum(nn_s), nn_s).pnn50_percent == 0
    nn_s = np.tile([0.8, 0.851], 50)
    assert variability(np.cumsum(nn_s), nn_s).pnn50_percent == 99


def test_a_long_gap_adds_no_power():
    nn_s = tachogram(1500, 7, lf_ms=0.0, hf_ms=20.0)
    times_s = np.cumsum(nn_s)
    changed_s = np.where((times_s % 300 > 100) & (times_s % 300 < 140), np.nan, nn_s)
    before, after = variability(times_s, nn_s), variability(times_s, changed_s)
    assert after.lf_ms2 < before.lf_ms2 + 10
    assert after.hf_ms2 < before.hf_ms2


def test_only_intervals_between_two_normal_beats_count():
    assert np.flatnonzero(np.isfinite(normal_of("NNVNNSNNN").nn_s)).tolist() == [1, 4, 7, 8]


@pytest.mark.parametrize("rhythm", ["atrial fibrillation", "paced rhythm"])
def test_only_intervals_of_the_sinus_node_count(rhythm: str):
    episode = RhythmEpisode(rhythm, 1.6, 4.0, 3, 75.0)
    assert np.flatnonzero(np.isfinite(NormalIntervals.of(analysis_of("N" * 9), [episode]).nn_s)).tolist() == [1, 7, 8]


def test_a_pause_is_not_an_interval_between_normal_beats():
    nn_s = tachogram(300, 8)
    plain = variability_of("N" * 301, [np.nan, *nn_s])
    paused = variability_of("N" * 302, [np.nan, *nn_s[:150], 6.2, *nn_s[150:]])
    assert paused.intervals == plain.intervals
    assert paused.sdnn_ms == pytest.approx(plain.sdnn_ms)


def test_an_ectopic_beat_changes_nothing_but_the_share():
    nn_s = tachogram(300, 3)
    plain = variability_of("N" * 301, [np.nan, *nn_s])
    changed_s = nn_s.copy()
    changed_s[149:151] = 0.4, 1.2
    changed = variability_of("N" * 150 + "V" + "N" * 150, [np.nan, *changed_s])
    assert changed.intervals == plain.intervals - 2
    assert changed.share_used < plain.share_used
    assert changed.sdnn_ms == pytest.approx(plain.sdnn_ms, rel=0.02)
    assert changed.rmssd_ms == pytest.approx(plain.rmssd_ms, rel=0.02)


def test_day_and_night_follow_the_clock():
    normal = normal_of("N" * 9001, [np.nan, *tachogram(9000)])
    day, night = normal.day_and_night(datetime(2026, 1, 1, 22, 0))
    assert day.intervals + night.intervals == 9000
    assert day.intervals == pytest.approx(4500, abs=5)


def test_a_part_has_the_figures_that_it_would_have_alone():
    nn_s = tachogram(2300, 5)
    times_s = np.cumsum(nn_s)
    part = times_s < 1500
    alone = variability(times_s[part], nn_s[part])
    assert asdict(NormalIntervals.at(times_s, nn_s).variability(part)) == pytest.approx(asdict(alone))


def test_the_poincare_plot_has_each_pair_in_its_cell():
    plot = normal_of("NNNNNVNNN", [np.nan, 0.81, 0.87, 0.81, 0.87, 0.5, 1.1, 0.81, 0.81]).poincare()
    cells = dict(zip(zip(plot.before_ms, plot.after_ms, strict=True), plot.pairs, strict=True))
    assert cells == {(810, 870): 2, (870, 810): 1, (810, 810): 1}


def test_too_few_intervals_have_no_figures():
    figures = variability_of("N" * 10)
    assert np.isnan(figures.sdnn_ms)
    assert figures.intervals == 9
    assert np.isnan(variability_of("").share_used)
