"""Corrected recordings teach what their corrected labels say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.corrected_analysis import analysis_digest
from ectopy.analysis.corrections import BeatLabel, Corrections, Relabel
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording
from ectopy.errors import ConflictError, DataError
from ectopy.formats import read
from ectopy.training.corrected_recordings import read_corrected
from ectopy.training.recording_examples import beats_of, normal_beats, training_beats_of
from support.edf_files import edf

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def write(path: Path, patient: bytes = b"") -> Path:
    """A recording of two minutes."""
    recording = simulate_recording(125, ectopic={"V": 0.1}, random_state=4, sampling_rate_hz=250, leads=1)
    edf(path, [recording.signal[:, 0].astype(float)])
    content = path.read_bytes()
    path.write_bytes(content[:8] + patient.ljust(80) + content[88:])
    return path


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analyse(read(write(tmp_path_factory.mktemp("holter") / "holter.edf")), load_ambulatory())


def correct(analysis: Analysis, path: Path, *corrections: Relabel) -> None:
    """Write corrections beside a recording."""
    made = Corrections(analysis_digest(analysis))
    for correction in corrections:
        made = made.followed_by(correction, "Dr Ada", AT)
    made.save(path.with_suffix(".corrections.json"))


def test_corrected_normals_are_learned_and_no_others(analysis: Analysis, tmp_path: Path):
    path = write(tmp_path / "holter.edf")
    ventricular = np.flatnonzero(analysis.hint == "ventricular-like")
    normal = np.flatnonzero(analysis.verdict == "NORMAL")
    assert len(ventricular) > 5
    correct(
        analysis,
        path,
        Relabel(tuple(analysis.positions[ventricular[:3]].tolist()), BeatLabel.NORMAL),
        Relabel(tuple(analysis.positions[normal[:20]].tolist()), BeatLabel.VENTRICULAR),
        Relabel(tuple(analysis.positions[normal[20:30]].tolist()), BeatLabel.UNREADABLE),
    )
    labelled = read_corrected(path, load_ambulatory())
    beats = beats_of(labelled.recording)
    np.testing.assert_allclose(beats.times_s, analysis.beats.times_s)
    expected = np.zeros(len(beats), bool)
    expected[normal[30:]] = expected[ventricular[:3]] = True
    np.testing.assert_array_equal(normal_beats(beats, labelled.beats), expected)
    learned = training_beats_of(labelled, beats)
    assert set(learned.training_beats.tolist()) <= set(np.flatnonzero(expected).tolist())
    assert set(ventricular[:3].tolist()) <= set(learned.training_beats.tolist())
    assert labelled.database == "corrected"


def test_recordings_of_a_patient_are_of_one_patient(analysis: Analysis, tmp_path: Path):
    code = b"P-17 F 02-MAY-1951 Ada_Lovelace"
    patients = []
    for name, patient in (("a.edf", code), ("b.edf", code), ("c.edf", b""), ("d.edf", b""), ("mitdb/100.edf", b"")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        correct(analysis, write(tmp_path / name, patient))
        patients.append(read_corrected(tmp_path / name, load_ambulatory()).patient)
    assert patients[0] == patients[1] == "corrected/P-17"
    assert len({patients[0], *patients[2:]}) == 4
    assert patients[4] == "mitdb/100"


def test_corrections_that_are_missing_or_superseded_are_refused(analysis: Analysis, tmp_path: Path):
    path = write(tmp_path / "holter.edf")
    with pytest.raises(DataError, match=r"expected them in holter\.corrections\.json"):
        read_corrected(path, load_ambulatory())
    Corrections("0" * 64).save(tmp_path / "holter.corrections.json")
    with pytest.raises(ConflictError, match="superseded"):
        read_corrected(path, load_ambulatory())
