"""Arrays in a temporary file hold what arrays in memory do, and recordings that lie in them are analysed alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy import large_arrays
from ectopy.datasets.simulated import simulate_recording
from ectopy.large_arrays import RowsInFile, is_in_file
from support.ishne_files import ishne
from support.memory import takes_at_most


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_arrays, "MOST_BYTES_IN_MEMORY", 2**12)


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("shape", [(1000, 3), (3, 100_001)])
def test_values_stay_when_their_memory_is_given_back(shape: tuple[int, int]):
    values = np.random.default_rng(0).normal(size=shape)
    array = large_arrays.empty(shape, np.float64)
    for rows in large_arrays.blocks(len(array), 7, array):
        array[rows] = values[rows]
    np.testing.assert_array_equal(array, values)
    np.testing.assert_array_equal(array[1:].T, values[1:].T)


@pytest.mark.usefixtures("small_memory")
def test_the_file_has_no_name_and_memory_serves_where_it_has_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with takes_at_most(1):
        large_arrays.empty((2**20,), np.float64)[:] = 1
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    array = large_arrays.empty((5000,), np.float64)
    array[:] = 1
    assert array.sum() == 5000


def test_a_recording_in_a_file_gives_the_same_analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    simulated = simulate_recording(duration_s=40, sampling_rate_hz=250, random_state=3)
    counts = np.round(simulated.signal[:, :1] * 1000).astype(int) + np.zeros((1, 3), int)
    path = ishne(tmp_path / "day.ecg", counts, rate=250)
    detector = ectopy.load_ambulatory()
    expected = ectopy.analyse(ectopy.read(path), detector)
    monkeypatch.setattr(large_arrays, "MOST_BYTES_IN_MEMORY", 2**12)
    actual = ectopy.analyse(ectopy.read(path), detector)
    np.testing.assert_array_equal(actual.score, expected.score)
    np.testing.assert_array_equal(actual.beats.samples, expected.beats.samples)
    np.testing.assert_array_equal(actual.quality.index, expected.quality.index)


def test_rows_are_appended_to_a_file_and_used_as_one_array():
    rows, numbers = RowsInFile((2, 3), np.float32), np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    assert rows.array().shape == (0, 2, 3)
    assert rows.array().dtype == np.float32
    for part in (numbers[:1], numbers[:0], numbers[1:, ::-1][:, ::-1]):
        rows.append(part)
    whole = rows.array()
    del rows
    assert is_in_file(whole)
    np.testing.assert_array_equal(whole, numbers)
