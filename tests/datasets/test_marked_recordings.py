from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ectopy.datasets.marked_recordings import database_of, marks_of_beats
from ectopy.datasets.waves import NOT_MARKED, Waves
from ectopy.errors import DataError


def waves(*each: tuple[str, int, int, int]) -> Waves:
    kinds, onsets, peaks, ends = zip(*each, strict=True)
    return Waves(np.array(kinds), *(np.array(column, np.int64) for column in (onsets, peaks, ends)))


def test_waves_belong_to_the_beat_beside_them():
    marks = marks_of_beats(
        waves(
            ("T", 5, 10, 15),  # of a beat that is not marked
            ("P", 80, 85, 90),
            ("QRS", 96, 100, 104),
            ("T", NOT_MARKED, 125, 135),
            ("U", 140, 145, 150),
            ("QRS", 196, 200, 204),
            ("P", 280, 285, 290),  # before a beat that is not marked
        ),
        100.0,
    )
    nan = np.nan
    np.testing.assert_allclose(marks[:, 0], [0.8, 0.85, 0.9, 0.96, 1.0, 1.04, nan, 1.25, 1.35])
    np.testing.assert_allclose(marks[:, 1], [nan, nan, nan, 1.96, 2.0, 2.04, nan, nan, nan])


def test_t_wave_with_two_peaks_has_the_onset_of_the_first_and_the_end_of_the_second():
    marks = marks_of_beats(
        waves(("QRS", 96, 100, 104), ("T", 115, 120, NOT_MARKED), ("T", NOT_MARKED, 128, 140)), 100.0
    )
    np.testing.assert_allclose(marks[6:, 0], [1.15, 1.28, 1.4])


def test_database_of_a_folder(tmp_path: Path):
    with pytest.raises(DataError, match="marked waves"):
        database_of(tmp_path)
    (tmp_path / "sel1.q1c").touch()
    assert database_of(tmp_path) == "qtdb"
