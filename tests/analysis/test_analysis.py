"""From a recording to verdicts."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.patient_template import MAX_BASELINE_BYTES, PatientTemplate
from ectopy.analysis.template_comparison import compare
from ectopy.analysis.template_learning import learn_normal
from ectopy.analysis.verdicts import Hint
from ectopy.datasets import Episode, load_simulated, simulate_recording
from ectopy.detector import Detector
from ectopy.detector.threshold import RecordingCalibration
from ectopy.errors import DataError, LayoutError, SettingError
from ectopy.files import array_bytes, packed, read_array, unpacked
from ectopy.processes import run_python
from ectopy.recording import Recording
from ectopy.signal import filter_process, filter_signal, find_heartbeats
from ectopy.signal.beat_segments import MARGIN, BeatSegments, cut_beats


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate_recording(900, ectopic={"V": 0.04}, random_state=3)


@pytest.fixture(scope="module")
def analysis(recording: Recording, ambulatory: Detector) -> Analysis:
    return analyse(recording, ambulatory)


def cut(recording: Recording) -> BeatSegments:
    filtered = filter_signal(recording.signal, recording.sampling_rate_hz)
    return cut_beats(filtered, find_heartbeats(filtered))


def reference(recording: Recording, analysis: Analysis, symbol: str) -> np.ndarray:
    """Which found beats are reference beats of one kind."""
    marks = recording.annotations.positions[recording.annotations.symbols == symbol]
    away = np.abs(analysis.positions[:, None] - marks).min(axis=1)
    return away < 0.1 * recording.sampling_rate_hz


def test_ventricular_beats_are_found_and_named(recording: Recording, analysis: Analysis):
    ventricular, normal = reference(recording, analysis, "V"), reference(recording, analysis, "N")
    assert ventricular.sum() > 20
    assert analysis.abnormal[ventricular].mean() > 0.95
    assert np.mean(analysis.hint[ventricular] == Hint.VENTRICULAR) > 0.9
    assert analysis.abnormal[normal].mean() < 0.05


def test_reasons_give_the_figures(recording: Recording, analysis: Analysis):
    beat = int(np.flatnonzero(reference(recording, analysis, "V") & analysis.abnormal)[0])
    reason = analysis.reason(beat)
    assert f"{analysis.score[beat]:.2f}" in reason
    assert "shape" in reason
    assert "early" in reason


@pytest.mark.parametrize("start", ["calm", "not readable", "tachycardia", "given"])
def test_what_is_judged_while_another_process_filters_is_the_same(
    start: str, recording: Recording, analysis: Analysis, ambulatory: Detector, monkeypatch: pytest.MonkeyPatch
):
    """Also where the patient's normal cannot be learned from the first minutes."""
    signal = np.concatenate([recording.signal, recording.signal, recording.signal])
    if start == "not readable":
        signal[: round(400 * recording.sampling_rate_hz)] = 0.0
    if start == "tachycardia":
        fast = [Episode("ventricular_tachycardia", 0, 700, 170)]
        signal[: 700 * round(recording.sampling_rate_hz)] = simulate_recording(
            700, episodes=fast, random_state=4
        ).signal
    long = Recording(signal, recording.sampling_rate_hz, recording.leads)
    given = analysis.normal if start == "given" else None
    alone = analyse(long, ambulatory, given)
    monkeypatch.setattr(filter_process, "LEAST_VALUES", 1)
    monkeypatch.setattr(filter_process, "has_spare_core", lambda: True)
    together = analyse(long, ambulatory, given)
    assert len(alone) > 2000
    assert together.baseline == alone.baseline
    assert together.learned_to_s == alone.learned_to_s
    np.testing.assert_array_equal(together.normal.template, alone.normal.template)
    for name in ("verdict", "hint", "score", "p_value", "shape", "p_wave", "missed"):
        np.testing.assert_array_equal(getattr(together, name), getattr(alone, name), err_msg=name)
    np.testing.assert_array_equal(together.timing.early, alone.timing.early)
    np.testing.assert_array_equal(together.difference.shape, alone.difference.shape)
    np.testing.assert_array_equal(together.beats.samples, alone.beats.samples)


def test_nothing_waits_for_a_module_that_takes_a_second_to_import():
    """`scipy.signal`, with `scipy.stats` behind it; filters are designed without."""
    code = """
import sys
from ectopy.analysis.recording_findings import find_all
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording
findings = find_all(simulate_recording(400, random_state=0), load_ambulatory())
print(len(findings.analysis), "scipy.signal" in sys.modules)
"""
    beats, is_imported = run_python("-c", code).split()
    assert int(beats) > 300
    assert is_imported == "False"


def test_positions_are_samples_of_the_recording(recording: Recording, analysis: Analysis):
    near = reference(recording, analysis, "N") | reference(recording, analysis, "V")
    assert near.mean() > 0.98
    assert (np.diff(analysis.positions) > 0).all()


def test_a_minority_of_ectopic_beats_does_not_spoil_the_baseline(ambulatory: Detector):
    clean, ectopic = (
        learn_normal(cut(simulate_recording(300, ectopic={"V": share}, random_state=8)), ("a", "b"))
        for share in (0.0, 0.25)
    )
    assert np.corrcoef(clean.template.ravel(), ectopic.template.ravel())[0, 1] > 0.98


def test_how_the_usual_beats_vary_is_learned_and_ectopic_beats_have_no_part_in_it():
    usual, ectopic, noisy = (
        learn_normal(cut(simulate_recording(300, ectopic=kinds, noise_mv=noise_mv, random_state=8)), ("a", "b"))
        for kinds, noise_mv in (({}, 0.02), ({"V": 0.4}, 0.02), ({}, 0.1))
    )
    assert usual.usual_difference == pytest.approx(ectopic.usual_difference, rel=0.3)
    assert noisy.usual_difference > 1.5 * usual.usual_difference > 0.0


def test_a_start_in_ventricular_tachycardia_does_not_turn_the_detector_upside_down(ambulatory: Detector):
    tachycardia = Episode("ventricular_tachycardia", 20, 200, 150)
    recording = simulate_recording(700, episodes=(tachycardia,), random_state=2)
    result = analyse(recording, ambulatory)
    assert "abnormal rhythm" in result.baseline
    assert result.abnormal[reference(recording, result, "V")].mean() > 0.95
    assert result.abnormal[reference(recording, result, "N")].mean() < 0.1


def test_a_patient_whose_usual_beat_is_strange_is_told_of(ambulatory: Detector):
    recording = simulate_recording(400, episodes=(Episode("ventricular_tachycardia", 1, 398, 90),), random_state=2)
    assert "unlike normal beats of other people" in analyse(recording, ambulatory).baseline


def test_scores_do_not_depend_on_gain_or_polarity(recording: Recording, analysis: Analysis, ambulatory: Detector):
    for gain in (3.0, -1.0):
        other = analyse(replace(recording, signal=np.float32(gain) * recording.signal), ambulatory)
        assert len(other) == len(analysis)
        np.testing.assert_allclose(other.score, analysis.score, atol=0.2)


def test_a_baseline_that_was_saved_gives_the_same_verdicts(
    recording: Recording, analysis: Analysis, ambulatory: Detector, tmp_path: Path
):
    analysis.normal.save(tmp_path / "patient.npz")
    second = analyse(recording, ambulatory, PatientTemplate.load(tmp_path / "patient.npz"))
    assert np.mean(second.verdict == analysis.verdict) > 0.99
    assert "given" in second.baseline


def test_a_baseline_that_was_saved_without_the_usual_difference_is_read(analysis: Analysis, tmp_path: Path):
    analysis.normal.save(tmp_path / "patient.npz")
    stored = unpacked((tmp_path / "patient.npz").read_bytes(), MAX_BASELINE_BYTES)
    facts = json.loads(str(read_array(stored["facts.npy"])))
    assert facts.pop("usual_difference") == analysis.normal.usual_difference
    (tmp_path / "old.npz").write_bytes(packed(stored | {"facts.npy": array_bytes(np.array(json.dumps(facts)))}))
    assert PatientTemplate.load(tmp_path / "old.npz").usual_difference == 0.0


@pytest.mark.parametrize("content", [b"", b"PK", b"something else"])
def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "patient.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="patient"):
        PatientTemplate.load(path)
    with pytest.raises(DataError, match="gone"):
        PatientTemplate.load(tmp_path / "gone.npz")


def test_a_baseline_of_other_leads_is_refused(recording: Recording, analysis: Analysis, ambulatory: Detector):
    one_lead = replace(recording, signal=recording.signal[:, :1], leads=recording.leads[:1])
    with pytest.raises(DataError, match="leads"):
        analyse(one_lead, ambulatory, analysis.normal)


def test_a_detector_of_beats_is_refused(recording: Recording, detector: Detector):
    with pytest.raises(LayoutError, match="ambulatory"):
        analyse(recording, detector)


@pytest.mark.parametrize("rate", [50.0, 2000.0])
def test_a_rate_out_of_range_is_refused(ambulatory: Detector, rate: float):
    with pytest.raises(SettingError, match="100 and 1000"):
        analyse(Recording(np.zeros((100, 1), np.float32), rate, ("I",)), ambulatory)


@pytest.mark.parametrize("seconds", [0.0, -5.0, 1e6, float("nan")])
def test_an_impossible_time_to_learn_from_is_refused(recording: Recording, ambulatory: Detector, seconds: float):
    with pytest.raises(SettingError, match="30 to 3600"):
        analyse(recording, ambulatory, learning_s=seconds)


def test_beats_of_a_gap_are_not_invented(recording: Recording, ambulatory: Detector):
    signal = recording.signal.copy()
    rate = recording.sampling_rate_hz
    signal[int(400 * rate) : int(430 * rate)] = np.nan
    detected = analyse(replace(recording, signal=signal), ambulatory)
    seconds = detected.positions / rate
    assert not ((seconds > 400.3) & (seconds < 429.7)).any()
    after = np.flatnonzero(seconds >= 429.7)[0]
    assert np.isnan(detected.beats.rr_s[after])
    assert detected.beats.prematurity[after] == 0


def test_cut_beats_are_centred_on_the_fiducial_point(recording: Recording):
    beats = cut(recording)
    inner = beats.samples[:, 0, MARGIN:-MARGIN]
    highest = np.abs(inner - np.median(inner, axis=1, keepdims=True)).argmax(axis=1)
    assert np.median(np.abs(highest - 52)) <= 3


def test_evidence_of_the_template_itself_is_nothing(recording: Recording):
    beats = cut(recording)
    normal = learn_normal(beats, recording.leads)
    same = np.broadcast_to(np.pad(normal.template, ((0, 0), (MARGIN, MARGIN)), mode="edge"), beats.samples.shape)
    difference = compare(replace(beats, samples=same.astype(np.float32)), normal)
    np.testing.assert_allclose(difference.shape, 0, atol=1e-4)
    np.testing.assert_allclose(difference.width, 0, atol=1e-4)


@pytest.mark.parametrize("slope_mv_per_s", [-3.0, 3.0])
def test_a_slow_wave_under_a_beat_makes_its_complex_no_other(recording: Recording, slope_mv_per_s: float):
    beats = cut(recording)
    normal = learn_normal(beats, recording.leads)
    samples = beats.samples.shape[2]
    wave_mv = slope_mv_per_s * (np.arange(samples) - samples / 2) / 180.0
    moved = compare(replace(beats, samples=(beats.samples + wave_mv).astype(np.float32)), normal)
    still = compare(beats, normal)
    usual = still.qrs < 0.5
    assert 0.9 < usual.mean() < 1.0
    assert (moved.window > still.window)[usual].mean() > 0.95
    assert np.median((moved.shape / moved.window)[usual]) < 0.3
    assert np.quantile(moved.qrs[usual], 0.98) < 0.5
    assert np.quantile(moved.qrs[~usual], 0.1) > 0.5


def test_the_shipped_detector_is_for_recordings(ambulatory: Detector, tmp_path: Path):
    assert ambulatory.recordings is not None
    assert "mitdb (22 patients)" in ambulatory.card.source
    ambulatory.save(tmp_path / "again.ectopy")
    repeated = Detector.load(tmp_path / "again.ectopy")
    for field in fields(RecordingCalibration):
        actual, expected = (getattr(each.recordings, field.name) for each in (repeated, ambulatory))
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(LayoutError):
        ambulatory.score(load_simulated("test"))
