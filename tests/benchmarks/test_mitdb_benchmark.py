"""From recordings to verdicts, measured; and time and memory of a long one."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.verdicts import Hint, JudgingRules
from ectopy.benchmarks import holter_benchmark, mitdb_benchmark
from ectopy.benchmarks.holter_benchmark import benchmark_holter, long_recording
from ectopy.benchmarks.mitdb_benchmark import EC57_RATES, auc, benchmark_mitdb
from ectopy.benchmarks.mitdb_peers import knn_score, pca_score
from ectopy.datasets import simulate_recording
from ectopy.datasets.mitdb import DS1, SPLITS
from ectopy.detector import Detector
from ectopy.errors import DataError, MissingExtraError, SettingError
from ectopy.evaluation.ec57 import compare, matched_classes
from ectopy.recording import Annotations, Recording
from ectopy.training.train_ambulatory import Scales, calibrate_recordings
from support.command_line import assert_refused, assert_success
from support.data_sets import folder_of
from support.wfdb_records import copy_records, write_record

pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

AREAS = {"mean_record_auc", "pooled_auc", "veb_auc", "sveb_auc"}
PER_RECORD = {"beats", "abnormal", "unreadable", "auc", "flagged_normals", "false_alarms_per_hour"}
FIGURES = AREAS | {
    "split",
    "label_map",
    "beats",
    "abnormal",
    "unreadable",
    "ec57",
    "false_alarms_per_hour",
    "peers",
    "records",
    "left_out",
}


@pytest.fixture
def run(ectopy):
    """A benchmark, by its name."""
    return partial(ectopy, "benchmark")


def draw_beats(seed: int, ventricular: float = 0.08) -> Recording:
    return simulate_recording(480, sampling_rate_hz=360, ectopic={"V": ventricular, "A": 0.02}, random_state=seed)


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated recordings under the names of records, of which three minutes are scored; no ectopic beat in 112."""
    folder = tmp_path_factory.mktemp("records")
    for seed, name in enumerate(("101", "106", "100")):
        write_record(folder, name, draw_beats(seed))
    write_record(folder, "112", simulate_recording(480, sampling_rate_hz=360, random_state=9))
    return folder


@pytest.fixture
def folder(records: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database whose splits are these recordings."""
    monkeypatch.setitem(SPLITS, "ds1", ("101", "106", "112"))
    monkeypatch.setitem(SPLITS, "ds2", ("100",))
    return records


@pytest.fixture
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def untrainable(*_: object, **__: object) -> None:
        raise MissingExtraError.of("train", "training")

    monkeypatch.setattr(mitdb_benchmark, "train_ambulatory", untrainable)


@pytest.fixture(scope="session")
def analysis() -> Analysis:
    return analyse(draw_beats(5), load_ambulatory())


@pytest.mark.usefixtures("without_tensorflow")
def test_simulated_records_from_the_command_line(run, folder: Path, tmp_path: Path):
    outcome = assert_success(run("mitdb", "--data", folder, "--split", "ds1", "--json", tmp_path / "out.json"))
    result = json.loads((tmp_path / "out.json").read_text())
    assert result.keys() == FIGURES | {"generator"}
    assert result["split"] == "ds1"
    assert result["records"].keys() == {"101", "106", "112"}
    assert all(row.keys() == PER_RECORD for row in result["records"].values())
    assert result["records"]["112"]["auc"] is None
    assert result["records"]["112"]["abnormal"] == 0
    assert result["records"]["101"]["abnormal"] > 5
    assert result["mean_record_auc"] > 0.95
    assert result["ec57"].keys() == set(EC57_RATES)
    assert result["ec57"]["veb_se"] > 90
    assert result["peers"].keys() == {"knn", "pca"}
    assert all(areas.keys() == AREAS for areas in result["peers"].values())
    assert "ectopy[train]" in result["left_out"]["population"]
    for word in ("101", "knn", "Without population"):
        assert word in outcome.out


def test_the_shipped_detector_judges_the_other_split(folder: Path):
    told: list[tuple[int, int]] = []
    result = benchmark_mitdb(folder, "ds2", ("population",), lambda done, total, now: told.append((done, total)))
    figures = result.summary()
    assert figures["records"].keys() == {"100"}
    assert figures["peers"].keys() == {"population"}
    assert figures["left_out"] == {}
    assert told[0] == (0, 2)
    assert told[-1] == (2, 2)


def test_a_record_has_no_part_in_its_own_threshold(folder: Path, monkeypatch: pytest.MonkeyPatch):
    used = {}

    def spy(recording, detector):
        used[recording.source] = detector.recordings.with_baseline
        return analyse(recording, detector)

    monkeypatch.setattr(mitdb_benchmark, "analyse", spy)
    examples = {name: mitdb_benchmark._examples(folder, name).beats for name in ("101", "106", "112")}
    benchmark_mitdb(folder, "ds1", ())
    for (source, scores), name in zip(used.items(), examples, strict=True):
        assert name in source
        others = [beats for other, beats in examples.items() if other != name]
        rules = JudgingRules.of(load_ambulatory())
        scales = Scales(rules.shape, rules.error, rules.p_wave, rules.population)
        expected = calibrate_recordings(others, [np.empty(0)] * 2, scales, rules.intervals, rules.reconstruction)
        np.testing.assert_array_equal(scores, expected.with_baseline)


def test_populations_never_judge_what_they_learned(monkeypatch: pytest.MonkeyPatch):
    shipped = load_ambulatory()

    def trained(taught: list[str], **_: object) -> Detector:
        return replace(shipped, card=replace(shipped.card, source=" ".join(taught)))

    monkeypatch.setattr(mitdb_benchmark, "train_ambulatory", trained)
    detectors = mitdb_benchmark._half_detectors({name: name for name in DS1}, shipped)
    assert detectors.keys() == set(DS1)
    taught = {name: detector.card.source.split() for name, detector in detectors.items()}
    assert all(name not in names for name, names in taught.items())
    assert {len(names) for names in taught.values()} == {11}


def test_two_real_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(SPLITS, "ds1", ("119", "208"))
    copy_records(folder_of("mitdb", ("119", "208")), tmp_path, "119", "208")
    figures = benchmark_mitdb(tmp_path, "ds1", ("knn", "pca")).summary()
    assert figures["records"]["119"]["auc"] > 0.999
    assert figures["records"]["208"]["auc"] > 0.98
    assert figures["records"]["208"]["abnormal"] > 1100
    assert figures["veb_auc"] > 0.98
    assert figures["ec57"]["veb_se"] > 90
    assert all(areas["mean_record_auc"] > 0.9 for areas in figures["peers"].values())


def test_beats_take_the_class_of_the_reference_once():
    rate = 100.0
    reference = Annotations(np.array([100, 200, 300, 400, 500]), np.array(["N", "V", "+", "A", "Q"]))
    test = Annotations(np.array([98, 196, 208, 300, 414, 520]), np.array(["N", "N", "N", "N", "V", "N"]))
    classes = matched_classes(reference, test, sampling_rate_hz=rate, start_s=0, label_map="de_chazal")
    assert classes.tolist() == ["N", "V", "", "", "S", ""]
    counts = compare(reference, test, sampling_rate_hz=rate, start_s=0, label_map="de_chazal").qrs
    assert counts.tp == np.sum(classes != "")


def test_matches_are_those_of_the_comparison(analysis: Analysis):
    recording = draw_beats(5)
    found = analysis.annotations()
    given = {"sampling_rate_hz": 360.0, "samples": len(recording.signal)}
    classes = matched_classes(recording.annotations, found, **given)
    comparison = compare(recording.annotations, found, **given)
    assert np.sum(classes == "V") == comparison.veb.tp + np.sum((classes == "V") & (found.symbols != "V"))
    assert np.sum(classes != "") == comparison.qrs.tp
    assert not np.any(classes[found.positions < 299 * 360])


def test_only_ventricular_and_supraventricular_hints_are_claims(analysis: Analysis):
    hint = analysis.hint.copy()
    hint[:3] = Hint.OTHER, Hint.VENTRICULAR, Hint.SUPRAVENTRICULAR
    verdict = analysis.verdict.copy()
    verdict[3] = "UNREADABLE"
    hints = mitdb_benchmark._hints(replace(analysis, hint=hint, verdict=verdict))
    assert hints.symbols[:4].tolist() == ["N", "V", "S", "N"]


def test_area_of_one_class_against_normals():
    classes, score = np.array(["N", "N", "V", "S"]), np.array([0.0, 1.0, 2.0, 0.5])
    assert auc(classes, score, "V") == 1
    assert auc(classes, score, "S") == 0.5
    assert auc(classes, score) == 0.75
    assert np.isnan(auc(classes, score, "F"))
    assert np.isnan(auc(classes[2:], score[2:]))


@pytest.mark.parametrize("score", [knn_score, pca_score])
def test_peers_score_every_beat(analysis: Analysis, score):
    beats = analysis.beats
    scores = score(beats)
    ventricular = analysis.hint == Hint.VENTRICULAR
    assert scores[ventricular].mean() > scores[~ventricular].mean() + 1
    half = beats.readable.copy()
    half[::2, 1] = False
    assert np.isfinite(score(replace(beats, readable=half))).all()
    few = replace(beats, readable=np.zeros_like(half))
    np.testing.assert_allclose(score(few), 8 * np.maximum(beats.prematurity, 0))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--data", "nowhere"), "no folder nowhere"),
        (("--data", "."), f"lacks 22 of the 22 records of ds1: {', '.join(DS1)};"),
        (("--data", ".", "--split", "all"), "unknown split 'all'"),
        (("--data", ".", "--peers", "oracle"), "unknown peer 'oracle'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
):
    monkeypatch.chdir(tmp_path)
    assert_refused(run("mitdb", *arguments), says)


def test_a_split_that_is_not_whole_is_not_measured(run, folder: Path, tmp_path: Path):
    copy_records(folder, tmp_path, "101", "106", "112")
    (tmp_path / "106.atr").unlink()
    assert_refused(run("mitdb", "--data", tmp_path), "lacks 1 of the 3 records of ds1: 106;", "fetch mitdb")


def test_a_record_that_is_too_short_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(SPLITS, "ds2", ("100",))
    write_record(tmp_path, "100", simulate_recording(60, sampling_rate_hz=360))
    with pytest.raises(DataError, match="record 100 ends"):
        benchmark_mitdb(tmp_path, "ds2", ())


def test_holter_from_the_command_line(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(holter_benchmark, "NEUROKIT_MINUTES", 1)
    outcome = assert_success(run("holter", "--hours", "0.2", "--json", tmp_path / "out.json"))
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures.keys() == {
        "generator",
        "hours",
        "seconds",
        "beats",
        "peak_rss_mb",
        "correction_seconds",
        "times_neurokit",
        "neurokit_minutes",
        "scaling",
    }
    assert figures["hours"] == 0.2
    assert 700 < figures["beats"] < 1000
    assert figures["scaling"] == {"0.2": figures["seconds"]}
    assert figures["peak_rss_mb"] > 50
    if find_spec("neurokit2"):
        assert figures["times_neurokit"] > 1
    else:
        assert "pip install neurokit2" in outcome.out


def test_shorter_recordings_show_how_time_grows(run, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def run_python(*arguments: str) -> str:
        asked.append(float(arguments[2]))
        return json.dumps({"seconds": asked[-1] / 4, "beats": 1, "peak_rss_mb": 100.0, "correction_seconds": 0.5})

    monkeypatch.setattr(holter_benchmark, "run_python", run_python)
    monkeypatch.setattr(holter_benchmark, "find_spec", lambda name: None)
    figures = benchmark_holter(24)
    assert figures["scaling"] == {"1": 0.25, "6": 1.5, "24": 6.0}
    assert figures["times_neurokit"] is None
    outcome = run("holter", "--hours", "8")
    assert asked == [1, 6, 24, 1, 6, 8]
    assert "pip install neurokit2" in outcome.out


@pytest.mark.parametrize("hours", [0, -1, 169, float("nan")])
def test_hours_out_of_range_are_refused(hours: float):
    with pytest.raises(SettingError, match="168"):
        benchmark_holter(hours)


def test_a_long_recording_is_as_long_as_asked():
    recording = long_recording(0.75)
    assert recording.signal.shape == (972_000, 1)
    assert recording.signal.dtype == np.float32
