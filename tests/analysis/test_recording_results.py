"""Files of results hold no formula that a recording's name would smuggle into a spreadsheet."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from ectopy.analysis.recording_results import write_results
from ectopy.recording import Recording
from support.corrected_beats import ANALYSIS, RATE_HZ

RECORDING = Recording(np.zeros((round(ANALYSIS.quality.duration_s * RATE_HZ), 1), np.float32), RATE_HZ, ("II",))


def test_the_name_of_a_recording_is_text_in_a_table(tmp_path: Path):
    for source, cell in (("=cmd|' /C calc'!A0.edf", "'=cmd|' /C calc'!A0.edf"), ("a=b.edf", "a=b.edf")):
        write_results(tmp_path / "beats.csv", replace(RECORDING, source=source), ANALYSIS, [])
        with (tmp_path / "beats.csv").open(encoding="utf-8", newline="") as file:
            assert {row["source"] for row in csv.DictReader(file)} == {cell}
