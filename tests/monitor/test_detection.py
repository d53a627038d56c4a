"""Detection in a stream gives what the analysis of the whole recording gives."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from ectopy.analysis import analyse
from ectopy.analysis.interval_model import predicting
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.template_comparison import compare, compare_together
from ectopy.analysis.template_learning import learn_normal
from ectopy.analysis.verdicts import JudgingRules
from ectopy.datasets.simulated import simulate_recording
from ectopy.errors import DataError
from ectopy.monitor.detection import detect_step, judge_step, next_piece
from ectopy.monitor.detection_state import DetectionState
from ectopy.recording import Recording
from ectopy.signal.beat_segments import BeatSegments
from ectopy.signal.front_end import run_front_end

RATE_HZ, LEARNING_S = 250.0, 30.0


@pytest.mark.parametrize("chunk_s", [0.5, 7.3, 40.0])
def test_a_stream_is_judged_as_the_whole_recording_is_even_after_half_a_minute_of_nothing(chunk_s):
    made = simulate_recording(150, sampling_rate_hz=RATE_HZ, ectopic={"V": 0.1, "A": 0.05})
    signal = made.signal.copy()
    signal[round(80 * RATE_HZ) : round(110 * RATE_HZ)] = np.nan
    detector = load_ambulatory()
    whole = analyse(Recording(signal, RATE_HZ, made.leads), detector, learning_s=LEARNING_S)

    criterion = JudgingRules.of(detector)
    state, found, size = DetectionState.fresh(RATE_HZ, 2), [], round(chunk_s * RATE_HZ)
    for start in range(0, len(signal), size):
        piece = signal[start : start + size]
        state, unjudged = detect_step(state, *run_front_end(next_piece(state, piece, RATE_HZ)))
        judging = judge_step(state, unjudged, made.leads, criterion, LEARNING_S)
        state, new = predicting(criterion.intervals, judging)
        found.append(new)

    beats = BeatSegments.joined([new.beats for new in found])
    score, verdict, hint = (
        np.concatenate([getattr(new.judgement, name) for new in found]) for name in ("score", "verdict", "hint")
    )
    given, known = slice(len(beats)), beats.times_s > LEARNING_S + 2
    assert len(beats) > len(whole) - 6
    np.testing.assert_array_equal(beats.times_s, whole.beats.times_s[given])
    np.testing.assert_array_equal(beats.readable, whole.beats.readable[given])
    np.testing.assert_array_equal(score[known], whole.score[given][known])
    np.testing.assert_array_equal(verdict[known], whole.verdict[given][known])
    np.testing.assert_array_equal(hint[known], whole.hint[given][known])


def test_beats_of_many_patients_are_compared_as_each_patient_is_alone():
    patients = []
    for number, leads in enumerate((2, 1, 2, 1, 2)):
        made = simulate_recording(60, leads=leads, rate_bpm=60 + 10 * number, ectopic={"V": 0.2}, random_state=number)
        beats = analyse(made, load_ambulatory(), learning_s=LEARNING_S).beats
        patients.append((beats[40 : 43 + number], learn_normal(beats, made.leads)))
    network = JudgingRules.of(load_ambulatory()).reconstruction
    together = compare_together(patients, network)
    for (beats, normal), found in zip(patients, together, strict=True):
        alone = compare(beats, normal, network)
        for one in fields(alone):
            np.testing.assert_array_equal(getattr(found, one.name), getattr(alone, one.name))
    assert compare_together([]) == []
    with pytest.raises(DataError, match="leads"):
        compare_together([*patients, (patients[0][0], patients[1][1]), (patients[0][0], patients[1][1])])
