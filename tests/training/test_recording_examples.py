"""What recordings contribute to the detector for recordings: their normal beats, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ectopy.analysis import analyse
from ectopy.datasets import simulate_recording
from ectopy.datasets.labelled_recording import LabelledRecording, LabelledRhythms
from ectopy.detector import ThresholdRule
from ectopy.errors import DataError, DatasetUnavailableError, NotEnoughNormalsError
from ectopy.recording import Recording
from ectopy.training import TrainingSettings
from ectopy.training import train_ambulatory as module
from ectopy.training.recording_examples import (
    RecordingExamples,
    beats_of,
    collect_examples,
    examples_of,
    find_sources,
    normal_beats,
    training_beats_of,
)
from ectopy.training.train_ambulatory import train_ambulatory
from support.wfdb_records import write_record


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate_recording(400, ectopic={"V": 0.1}, random_state=3)


@pytest.fixture(scope="module")
def labelled(recording: Recording) -> LabelledRecording:
    return LabelledRecording.of("mitdb", "100", recording)


@pytest.fixture(scope="module")
def examples(labelled: LabelledRecording) -> RecordingExamples:
    return examples_of(labelled)


def whole(recording: Recording, database: str, label: str) -> LabelledRecording:
    """A recording that only as a whole has a label."""
    return LabelledRecording(database, "1", f"{database}/1", recording.duration_s, recording, label=label)


def test_only_normal_beats_are_learned(labelled: LabelledRecording, examples: RecordingExamples):
    assert examples.labelled.recording is None
    assert examples.intervals is None  # MIT-BIH's intervals remain a test
    beats = beats_of(labelled.recording)
    nearest = np.abs(beats.times_s[:, None] - labelled.beats.times_s).argmin(axis=1)
    classes = labelled.beats.classes[nearest]
    assert np.mean(classes == "V") > 0.05
    assert set(classes[examples.beats.training_beats]) == set(classes[examples.beats.later_beats]) == {"N"}
    assert len(examples.beats.rows) == 2 * len(examples.beats.training_beats)
    assert (beats.times_s[examples.beats.later_beats] >= 300).all()
    assert normal_beats(beats, labelled.beats).sum() == pytest.approx(np.sum(labelled.beats.is_normal), rel=0.02)


def test_annotations_of_another_recording_are_rejected(labelled: LabelledRecording):
    beats = beats_of(labelled.recording)
    for other in (simulate_recording(400, random_state=8), simulate_recording(800, rate_bpm=110, random_state=9)):
        with pytest.raises(DataError, match="100 has annotations of another recording"):
            training_beats_of(replace(labelled, beats=LabelledRecording.of("mitdb", "1", other).beats), beats)


def test_a_recording_without_labels_of_beats_is_learned_only_as_sinus_rhythm():
    recording = simulate_recording(60, leads=1, random_state=2)
    for label, is_learned in (("N", True), ("A", False), ("O", False), ("~", False)):
        examples = examples_of(whole(recording, "cinc2017", label))
        assert (examples.beats is not None) == is_learned
        assert (examples.intervals is not None) == (label in "NA")
        assert not is_learned or len(examples.beats.later_beats) == 0


@pytest.mark.parametrize(("leads", "most"), [(1, 20), (3, 18), (12, 12)])
def test_a_short_recording_of_many_leads_counts_little(leads: int, most: int):
    recording = simulate_recording(60, random_state=2, leads=1)
    wide = replace(
        recording, signal=np.repeat(recording.signal, leads, axis=1), leads=tuple(f"lead {n}" for n in range(leads))
    )
    assert len(examples_of(whole(wide, "ludb", "N")).beats.rows) == most


def test_the_folders_that_are_named_are_read_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")
    named, usual = tmp_path / "named", tmp_path / "usual"
    monkeypatch.setenv("ECTOPY_DATA", str(usual))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(DatasetUnavailableError, match="no database to learn from"):
        find_sources()
    for folder, names in ((usual / "qtdb", ["sel30"]), (named / "mitdb", ["106", "101"])):
        folder.mkdir(parents=True)
        for name in names:
            write_record(folder, name, simulate_recording(60, sampling_rate_hz=360, random_state=3))
    assert find_sources() == {"qtdb": usual / "qtdb"}
    places = find_sources([named])
    assert places == {"mitdb": named / "mitdb"}
    told: list[tuple[int, int]] = []
    collected = collect_examples(places, progress=lambda done, total, now: told.append((done, total)))
    assert [each.labelled.name for each in collected] == ["101", "106"]
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_patient_of_two_databases_is_held_out_as_a_whole(examples: RecordingExamples, monkeypatch):
    def spy(*_: object, groups: np.ndarray, **__: object) -> None:
        seen.append(groups)
        raise KeyboardInterrupt

    seen: list[np.ndarray] = []
    monkeypatch.setattr(module, "train", spy)
    monkeypatch.setattr(module, "train_intervals", lambda *_: None)
    records = (("mitdb", "100"), ("qtdb", "sel100"), ("qtdb", "sel103"), ("mitdb", "201"), ("mitdb", "202"))
    recordings = [
        replace(examples, labelled=LabelledRecording.of(*record, simulate_recording(5))) for record in records
    ]
    with pytest.raises(KeyboardInterrupt):
        train_ambulatory(recordings)
    of_records = seen[0].reshape(len(records), -1)
    assert (of_records == of_records[:, :1]).all()
    first, excerpt, other, one, two = of_records[:, 0].tolist()
    assert first == excerpt
    assert one == two
    assert len({first, other, one}) == 3


def test_a_detector_for_recordings_is_trained_and_calibrated_on_them(recording: Recording):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    examples = []
    for seed in range(3):
        labelled = LabelledRecording.of("ltafdb", str(seed), simulate_recording(400, random_state=seed))
        examples.append(examples_of(replace(labelled, rhythms=LabelledRhythms(np.zeros(1), ("N",)))))
    settings, rule = TrainingSettings("dense", members=2, max_steps=2), ThresholdRule(target_fpr=0.05)
    detector = train_ambulatory(examples, settings, rule, random_state=0)
    calibration = detector.recordings
    assert detector.card.source == "ltafdb (3 patients)"
    assert len(calibration.without_baseline) == sum(len(each.beats.training_beats) for each in examples)
    assert len(calibration.with_baseline) == sum(len(each.beats.later_beats) for each in examples)
    result = analyse(recording, detector)
    marks = recording.annotations.positions[recording.annotations.symbols == "V"]
    ventricular = np.abs(result.positions[:, None] - marks).min(axis=1) < 0.1 * recording.sampling_rate_hz
    assert result.abnormal[ventricular].mean() > 0.9
    assert result.abnormal[~ventricular].mean() < 0.1


def test_recordings_with_later_beats_are_selected_or_all(examples: RecordingExamples):
    short = replace(examples.beats, later_beats=examples.beats.later_beats[:0])
    second = np.array([False, True])
    assert module._select([examples.beats, examples.beats], second) == [1]
    assert module._select([examples.beats, examples.beats], ~second & second) == [0, 1]
    assert module._select([examples.beats, short], second) == [0, 1]


def test_nothing_to_learn_from_is_told(examples: RecordingExamples):
    with pytest.raises(NotEnoughNormalsError, match="no normal beats"):
        train_ambulatory([])
    short = replace(examples.beats, later_beats=examples.beats.later_beats[:0], shape=np.empty(0), p_wave=np.empty(0))
    with pytest.raises(NotEnoughNormalsError, match="first five minutes"):
        module.measure_scales([short], [np.zeros(len(short.training_beats))], [np.empty(0)])
