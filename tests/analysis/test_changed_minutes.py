"""Waves of the minutes that corrections change are those of the whole corrected recording."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pytest

from ectopy.analysis import analyse
from ectopy.analysis.changed_minutes import measure_changed_minutes
from ectopy.analysis.corrected_analysis import analysis_digest, apply_corrections
from ectopy.analysis.corrections import (
    AddBeat,
    BeatLabel,
    Corrections,
    DeleteBeats,
    MarkNoise,
    Relabel,
    WriteConclusion,
)
from ectopy.analysis.minute_waves import measure_minutes
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording

RATE_HZ = 250.0


@pytest.fixture(scope="module")
def analysed():
    recording = simulate_recording(25 * 60, sampling_rate_hz=RATE_HZ, random_state=5)
    analysis = analyse(recording, load_ambulatory())
    return recording, analysis, measure_minutes(recording, analysis)


@pytest.mark.parametrize("kind", ["relabel", "family", "delete", "add", "noise"])
def test_changed_minutes_are_those_of_the_whole(analysed, kind):
    recording, analysis, measured = analysed
    positions = analysis.positions.tolist()
    correction = {
        "relabel": Relabel(positions[700:715], BeatLabel.VENTRICULAR),
        "family": Relabel(positions[::10], BeatLabel.VENTRICULAR),
        "delete": DeleteBeats(positions[300:301]),
        "add": AddBeat(positions[40] + 60, BeatLabel.NORMAL),
        "noise": MarkNoise(14 * 60 - 3, 14 * 60 + 20),
    }[kind]
    corrections = Corrections(analysis_digest(analysis)).followed_by(correction, "Ada", datetime.now(UTC))
    corrected = apply_corrections(analysis, corrections, RATE_HZ)
    again = measure_changed_minutes(measured, recording, analysis, corrected)
    whole = measure_minutes(recording, corrected)
    np.testing.assert_array_equal(again.beats, whole.beats)
    np.testing.assert_allclose(again.rr_s, whole.rr_s, rtol=1e-12)
    for part in ("intervals", "st"):
        expected = asdict(getattr(whole, part))
        for name, values in asdict(getattr(again, part)).items():
            np.testing.assert_allclose(values, expected[name], atol=1e-4, err_msg=name)
    assert not np.array_equal(again.beats, measured.beats) or kind in ("delete", "add")


def test_what_changes_no_beat_measures_nothing(analysed):
    recording, analysis, measured = analysed
    corrections = Corrections(analysis_digest(analysis)).followed_by(WriteConclusion("."), "Ada", datetime.now(UTC))
    corrected = apply_corrections(analysis, corrections, RATE_HZ)
    assert measure_changed_minutes(measured, recording, analysis, corrected) is measured
