"""Atrial fibrillation against labels: which beats and episodes count, what a folder holds, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ectopy.analysis import analyse
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.benchmarks.rhythm_benchmark import benchmark_rhythm
from ectopy.benchmarks.rhythm_kinds import add_kinds, count_kinds
from ectopy.datasets import simulate_recording
from ectopy.datasets.cinc2017 import CLASSES
from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRecording, LabelledRhythms
from ectopy.datasets.mitdb_records import read_annotated
from ectopy.errors import DataError
from ectopy.formats import write_annotations
from ectopy.recording import Annotations
from support.beat_streams import analysis_of
from support.command_line import assert_success
from support.data_sets import folder_of
from support.wfdb_records import write_record

RATE_HZ = 128.0


def write_labels(folder: Path, name: str, intervals_s: NDArray[np.float64], rhythms: dict[int, str]) -> None:
    """A record without a signal; a rhythm begins just before each of these beats."""
    positions = np.round(np.cumsum(intervals_s) * RATE_HZ).astype(np.int64)
    marks = [(int(position), "N", "") for position in positions]
    marks += [(int(positions[beat]) - 1, "+", note) for beat, note in rhythms.items()]
    marks.sort()
    columns = list(zip(*marks, strict=True))
    annotations = Annotations(np.array(columns[0], np.int64), np.array(columns[1]), notes=tuple(columns[2]))
    write_annotations(folder / f"{name}.atr", annotations, RATE_HZ)
    (folder / f"{name}.hea").write_text(
        f"{name} 1 {RATE_HZ:g} {positions[-1] + 100}\n{name}.dat 16\n", encoding="ascii"
    )


def paroxysm(seed: int) -> NDArray[np.float64]:
    """300 beats of sinus rhythm, 200 of atrial fibrillation, 300 of sinus rhythm."""
    rng = np.random.default_rng(seed)
    intervals_s = 0.8 * np.exp(0.02 * rng.standard_normal(800))
    intervals_s[300:500] = 0.65 * np.exp(0.22 * rng.standard_normal(200))
    return intervals_s


def test_labelled_beats_are_measured_and_the_weights_are_fitted_without_each_patient(tmp_path: Path):
    for name in ("00", "100"):
        write_labels(tmp_path, name, paroxysm(int(name)), {0: "(N", 300: "(AFIB", 500: "(N"})
    figures = benchmark_rhythm(tmp_path)
    af = figures["af"]
    assert min(af["se"], af["sp"], af["ppv"]) > 0.85
    assert af["episodes_found"] == 1.0
    assert set(af["burden_errors"]) == {"00", "100"}
    assert all(abs(points) < 6 for points in af["burden_errors"].values())
    row = af["records"]["00"]
    assert row["tp"] + row["fn"] == 200
    assert row["tp"] + row["fn"] + row["fp"] + row["tn"] == 800
    assert figures["fit"]["patients_left_out"]["records"].keys() == {"00", "100"}
    assert len(figures["fit"]["weights"]["fitted"]) == len(figures["fit"]["weights"]["in_use"])


def test_flutter_and_beats_before_the_first_mark_do_not_count(tmp_path: Path):
    write_labels(tmp_path, "00", paroxysm(1), {100: "(N", 300: "(AFL", 500: "(N"})
    row = benchmark_rhythm(tmp_path)["af"]["records"]["00"]
    assert row["tp"] + row["fn"] == 0
    assert row["tn"] + row["fp"] == 500
    assert row["episodes"] == 0


def test_a_record_with_a_signal_is_measured_by_the_beats_in_it(tmp_path: Path):
    pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")
    write_record(tmp_path, "101", simulate_recording(120.0, leads=1))
    recording = simulate_recording(120.0, leads=1)
    assert recording.annotations is not None
    marks = Annotations(
        np.array([1, *recording.annotations.positions]), np.array(["+", *recording.annotations.symbols])
    )
    notes = ("(N", *[""] * len(recording.annotations))
    write_annotations(
        tmp_path / "101.atr",
        Annotations(marks.positions, marks.symbols, notes=notes),
        recording.sampling_rate_hz,
    )
    figures = benchmark_rhythm(tmp_path)
    row = figures["af"]["records"]["101"]
    assert row["tn"] > 100
    assert row["fp"] == row["tp"] == row["fn"] == 0
    assert "fit" not in figures
    assert figures["kinds"]["bigeminy"] == {"labelled": 0, "found": 0, "events": 0, "false": 0}


def test_events_are_counted_against_marks_and_against_labelled_beats():
    """Trigeminy with its mark, bigeminy that only the labelled beats show, and a run that neither does."""
    letters = "N" * 20 + "NNV" * 5 + "N" * 20 + "NV" * 5 + "N" * 20 + "VVV" + "N" * 20
    symbols = np.array([*letters.replace("VVV", "NNN")])
    analysis = analysis_of(letters)
    times_s = analysis.beats.times_s
    labelled = LabelledRecording(
        "mitdb",
        "101",
        "101",
        float(times_s[-1]) + 1.0,
        beats=LabelledBeats(times_s, symbols),
        rhythms=LabelledRhythms(np.array([0.1, times_s[20], times_s[35]]), ("N", "T", "N")),
    )
    counts = count_kinds(analysis, labelled)
    assert counts["trigeminy"] == {"labelled": 1, "found": 1, "events": 1, "false": 0}
    assert counts["bigeminy"] == {"labelled": 0, "found": 0, "events": 1, "false": 0}
    assert counts["ventricular run"] == {"labelled": 0, "found": 0, "events": 1, "false": 1}
    twice = add_kinds([counts, counts])
    assert twice["ventricular run"]["false"] == 2
    assert twice["paced rhythm"] == {"labelled": 0, "found": 0, "events": 0, "false": 0}


def test_bigeminy_and_trigeminy_of_a_real_record_are_found():
    folder = folder_of("mitdb", ["119"])
    recording = read_annotated(folder / "119")
    counts = count_kinds(analyse(recording, load_ambulatory()), LabelledRecording.of("mitdb", "119", recording))
    assert counts["bigeminy"]["found"] == counts["bigeminy"]["labelled"] == 37
    assert counts["trigeminy"]["found"] == counts["trigeminy"]["labelled"] == 17
    assert {kind: counts[kind]["false"] for kind in ("bigeminy", "trigeminy")} == {"bigeminy": 0, "trigeminy": 0}
    absent = "second-degree AV block suspected", "paced rhythm", "atrial fibrillation"
    assert {counts[kind]["events"] for kind in absent} == {0}


def test_short_recordings_have_a_class(tmp_path: Path, ectopy):
    pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")
    recording = replace(simulate_recording(30.0, leads=1, noise_mv=0.02), annotations=None)
    silent = replace(recording, signal=np.zeros_like(recording.signal))
    write_record(tmp_path, "A1", recording)
    write_record(tmp_path, "A2", silent)
    (tmp_path / "REFERENCE.csv").write_text("A1,N\nA2,~\n", encoding="ascii")
    figures = json.loads(assert_success(ectopy("benchmark", "rhythm", "--data", tmp_path, "--json", "-")).out)
    assert figures["f1"]["N"] == figures["f1"]["~"] == 1.0
    assert figures["confusion"]["N"] == {"N": 1, "A": 0, "O": 0, "~": 0}


def test_classes_of_recordings_are_fitted_without_the_recording(tmp_path: Path):
    pytest.importorskip("sklearn", reason="the extra 'train' is not installed")
    folder = folder_of("cinc2017", ["A00001"]).resolve()
    rows = (folder / "REFERENCE.csv").read_text(encoding="ascii").split()
    some = [row for name in CLASSES for row in [row for row in rows if row.endswith(name)][:8]]
    for row in some:
        for suffix in (".hea", ".mat"):
            (tmp_path / f"{row[:-2]}{suffix}").symlink_to(folder / f"{row[:-2]}{suffix}")
    (tmp_path / "REFERENCE.csv").write_text("\n".join(some) + "\n", encoding="ascii")
    figures = benchmark_rhythm(tmp_path)
    left_out = figures["fit"]["recordings_left_out"]
    assert {name: sum(row.values()) for name, row in left_out["confusion"].items()} == dict.fromkeys(CLASSES, 8)
    # The trees in use have seen these recordings, those of the folds have not and had few others.
    assert left_out["f1"]["A"] < figures["f1"]["A"]
    # As often as in the whole Challenge.
    counts = np.array([[*row.values()] for row in left_out["confusion"].values()]) * [[5076], [758], [2415], [279]]
    expected = 2 * counts.diagonal() / (counts.sum(axis=0) + counts.sum(axis=1))
    assert [*left_out["f1_of_all"].values()] == pytest.approx(expected)


def test_a_folder_without_labels_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"has neither records with marks of rhythm"):
        benchmark_rhythm(tmp_path)
