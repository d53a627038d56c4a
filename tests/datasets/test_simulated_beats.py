"""Simulated beats are cut as ECG5000 was, with its counts of each class."""

from __future__ import annotations

import numpy as np
import pytest

from ectopy.beats import BeatLayout
from ectopy.datasets.simulated import simulate_recording
from ectopy.datasets.simulated_beats import cut_cycles, load_simulated, simulate_beats
from ectopy.errors import DataError, SettingError


def test_cycle_is_stretched_between_two_beats():
    ramp = np.arange(1000.0)
    cycles = cut_cycles(ramp, np.array([10, 110, 999]))
    expected = np.linspace(-1, 1, 140)
    assert cycles.shape == (2, 140)
    np.testing.assert_allclose(cycles[0], expected / expected.std(ddof=1), atol=1e-5)
    np.testing.assert_allclose(cycles[1], cycles[0], atol=1e-5)


def test_cycle_does_not_depend_on_gain_and_offset():
    recording = simulate_recording(20)
    lead, positions = recording.signal[:, 0].astype(float), recording.annotations.positions
    expected = cut_cycles(lead, positions)
    np.testing.assert_allclose(cut_cycles(200 * lead + 1024, positions), expected, atol=1e-4)


def test_flat_cycle_is_zero_and_one_beat_is_no_cycle():
    flat = np.full(300, 0.1, np.float32)
    assert not cut_cycles(flat, np.array([0, 299])).any()
    assert cut_cycles(flat, np.array([5])).shape == (0, 140)
    assert cut_cycles(flat, np.array([], np.int64)).shape == (0, 140)


@pytest.mark.parametrize("positions", [[5, 5], [9, 3], [-1, 5], [5, 300]])
def test_cut_refuses_impossible_positions(positions):
    with pytest.raises(DataError, match="increase"):
        cut_cycles(np.zeros(300), np.array(positions))


def test_simulated_beats_have_the_asked_classes_and_layout():
    beats = simulate_beats(60, (12, 9, 7, 5), random_state=3)
    assert beats.layout == BeatLayout("simulated", 140, None, "z-score")
    assert np.bincount(beats.labels).tolist() == [0, 60, 12, 9, 7, 5]
    assert np.any(np.diff(beats.labels) < 0)
    repeated = simulate_beats(60, (12, 9, 7, 5), random_state=3)
    np.testing.assert_array_equal(beats.samples, repeated.samples)
    assert len(simulate_beats(5, (0, 0, 0, 0))) == 5
    assert len(simulate_beats(0, (0, 0, 0, 0))) == 0


def test_splits_are_z_scored_and_disjoint_with_the_counts_of_ecg5000():
    train, test, both = (load_simulated(split) for split in ("train", "test", "all"))
    assert np.bincount(train.labels).tolist() == [0, 292, 177, 10, 19, 2]
    assert np.bincount(test.labels).tolist() == [0, 2627, 1590, 86, 175, 22]
    np.testing.assert_array_equal(both.samples, np.concatenate([train.samples, test.samples]))
    np.testing.assert_array_equal(both.labels, np.concatenate([train.labels, test.labels]))
    assert len(np.unique(both.samples, axis=0)) == 5000
    np.testing.assert_allclose(both.samples.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(both.samples.std(axis=1, ddof=1), 1, atol=1e-4)


def test_detection_is_possible_but_not_trivial():
    normals = load_simulated("train").normals().samples
    test = load_simulated("test")
    squares = (test.samples**2).sum(axis=1)[:, None] + (normals**2).sum(axis=1)
    score = (squares - 2 * test.samples @ normals.T).min(axis=1)
    rank = score.argsort().argsort()[test.abnormal] + 1.0
    n_abnormal, n_normal = len(rank), len(test) - len(rank)
    auc = (rank.sum() - n_abnormal * (n_abnormal + 1) / 2) / (n_abnormal * n_normal)
    assert 0.97 < auc < 0.999


def test_impossible_beats_and_splits_are_refused():
    with pytest.raises(SettingError, match="0 or more"):
        simulate_beats(-1)
    with pytest.raises(SettingError, match="five counts"):
        simulate_beats(1, (1, 1, 1))
    with pytest.raises(SettingError, match="train, test or all"):
        load_simulated("validation")
