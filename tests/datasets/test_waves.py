from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ectopy.datasets.databases import find_database
from ectopy.datasets.ludb import LEADS
from ectopy.datasets.waves import NOT_MARKED, read_waves
from ectopy.errors import DataError
from ectopy.formats import write_annotations
from ectopy.recording import Annotations


def write_waves(path: Path, symbols: str) -> None:
    write_annotations(path, Annotations(10 * np.arange(1, len(symbols) + 1), np.array(list(symbols))), 250)


def test_onset_peak_and_end(tmp_path: Path):
    write_waves(tmp_path / "sel1.q1c", "(p)(N)t)(u)")
    waves = read_waves(tmp_path / "sel1.q1c")
    assert waves.kinds.tolist() == ["P", "QRS", "T", "U"]
    assert waves.onsets.tolist() == [10, 40, NOT_MARKED, 90]
    assert waves.peaks.tolist() == [20, 50, 70, 100]
    assert waves.ends.tolist() == [30, 60, 80, 110]


def test_marks_at_the_edges_and_two_peaks(tmp_path: Path):
    write_waves(tmp_path / "1.ii", "N)(tt)(p")
    waves = read_waves(tmp_path / "1.ii")
    assert waves.kinds.tolist() == ["QRS", "T", "T", "P"]
    assert waves.onsets.tolist() == [NOT_MARKED, 30, NOT_MARKED, 70]
    assert waves.ends.tolist() == [20, NOT_MARKED, 60, NOT_MARKED]


def test_no_waves(tmp_path: Path):
    write_waves(tmp_path / "1.ii", "+")
    assert len(read_waves(tmp_path / "1.ii")) == 0
    with pytest.raises(DataError, match="cannot be read"):
        read_waves(tmp_path / "2.ii")


def test_waves_of_real_beats_are_in_order():
    folder = find_database("ludb")
    if folder is None:
        pytest.skip("LUDB is in no folder of ECTOPY_DATA and not in the cache")
    for lead in LEADS:
        waves = read_waves(folder / f"1.{lead}")
        assert np.count_nonzero(waves.kinds == "QRS") >= 6
        is_whole = (waves.onsets != NOT_MARKED) & (waves.ends != NOT_MARKED)
        assert np.mean(is_whole) > 0.9
        assert np.all(waves.onsets[is_whole] < waves.peaks[is_whole])
        assert np.all(waves.peaks[is_whole] < waves.ends[is_whole])
