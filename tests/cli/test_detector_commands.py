from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ectopy.beats import Beats
from ectopy.cli import demo_command
from ectopy.cli.detector_commands import train_and_save
from ectopy.datasets import load_simulated, simulate_recording
from ectopy.datasets.ludb import LEADS
from ectopy.datasets.mitdb import DS1
from ectopy.detector import Detector
from ectopy.detector.bundle import bundle_digest
from ectopy.files import GENERATOR
from ectopy.formats import write_annotations
from ectopy.recording import Annotations
from ectopy.signal.wave_network import WaveNetwork, shipped_network
from ectopy.training import TrainingSettings, train_waves
from support.command_line import assert_refused, assert_success
from support.wfdb_records import write_record

# The smallest training after which abnormal beats score clearly above normal ones.
QUICK = ("--architecture", "dense", "--members", 2, "--max-steps", 60)


@pytest.fixture
def beats_file(tmp_path: Path, simulated: Beats) -> Path:
    path = tmp_path / "beats.csv"
    some = simulated.select(np.r_[0:60, 4000:4040])
    header = ",".join([*(f"s{i}" for i in range(140)), "label"])
    np.savetxt(
        path, np.column_stack([some.samples, some.labels]), delimiter=",", header=header, comments="", fmt="%.6g"
    )
    return path


def test_help_lists_every_command(ectopy):
    done = assert_success(ectopy("--help"))
    for command in ("demo", "fetch", "train", "evaluate", "detect", "watch", "info", "benchmark"):
        assert command in done.out
    assert "Not a cleared medical device" in done.out


def test_version(ectopy):
    assert ectopy("--version").out.strip() == "0.1.0"


def test_train_writes_a_bundle_that_info_and_detect_take(ectopy, tmp_path: Path, beats_file: Path):
    bundle = tmp_path / "made.ectopy"
    done = assert_success(ectopy("train", "simulated", "-o", bundle, *QUICK, "--seed", 4, "--json", "-"))
    assert "reversed" not in done.err
    facts = json.loads(done.out)
    assert facts["card"]["random_state"] == 4
    assert facts["card"]["normals"] == facts["calibration_normals"] == 292
    assert "292 normal beats (208 abnormal ones left out)" in done.err
    info = json.loads(ectopy("info", bundle, "--json", "-").out)
    assert info.pop("bundle_digest")
    assert info == facts
    assert ectopy("detect", bundle, beats_file).status == 0


def test_a_detector_for_recordings_is_trained_on_a_folder_of_databases(ectopy, tmp_path: Path):
    pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")
    for database, names, duration_s in (("mitdb", DS1[:2], 400), ("cinc2017", ("A00001", "A00002"), 60)):
        (tmp_path / database).mkdir()
        for seed, name in enumerate(names):
            write_record(tmp_path / database, name, simulate_recording(duration_s, random_state=seed))
    (tmp_path / "cinc2017" / "REFERENCE.csv").write_text("A00001,N\nA00002,N\n", encoding="ascii")
    (tmp_path / "own").mkdir()
    write_record(tmp_path / "own", "holter", simulate_recording(60, random_state=7))
    corrected = tmp_path / "own" / "holter.hea"
    assert_success(ectopy("detect", corrected, "-o", tmp_path / "own" / "holter.corrections.json"))
    bundle = tmp_path / "own.ectopy"
    train = "train", "ambulatory", "--data", tmp_path, "-o", bundle, *QUICK, "--target-fpr", 0.05, "--json", "-"
    done = assert_success(ectopy(*train, "--from-corrected", corrected))
    assert json.loads(done.out)["card"]["source"] == "mitdb (2 patients), cinc2017 (2 patients), corrected (1 patients)"
    assert "Sources" in done.err
    assert Detector.load(bundle).recordings is not None
    assert ectopy("detect", bundle, tmp_path / "mitdb" / f"{DS1[0]}.hea").status == 0


def write_marked(folder: Path, name: str, suffixes: Sequence[str], seed: int) -> None:
    """Write a record of 40 s, and files in which P, QRS and T of every beat are marked."""
    recording = simulate_recording(40, sampling_rate_hz=250, random_state=seed)
    marks = recording.annotations.positions[1:-1, None] + np.array([-50, -38, -25, -12, 0, 12, 38, 70, 90])
    annotations = Annotations(marks.ravel(), np.tile(list("(p)(N)(t)"), len(marks)))
    write_record(folder, name, replace(recording, annotations=None))
    for suffix in suffixes:
        write_annotations(folder / f"{name}.{suffix}", annotations, 250)


def test_network_of_waves_is_trained_on_a_folder_of_databases(ectopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")
    tensorflow = pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    monkeypatch.setattr(train_waves, "_EPOCHS", 1)
    for database in ("qtdb", "ludb", "cinc2017"):
        (tmp_path / database).mkdir()
    for number in (1, 2):  # each counts by twenty beats at most
        write_marked(tmp_path / "qtdb", f"sel{number}", ("q1c",), number)
        write_marked(tmp_path / "ludb", f"{number}", LEADS, 10 + number)
    write_record(tmp_path / "cinc2017", "A00001", simulate_recording(20, random_state=3))
    (tmp_path / "cinc2017" / "REFERENCE.csv").write_text("A00001,A\n", encoding="ascii")
    tensorflow.config.run_functions_eagerly(True)
    try:
        done = assert_success(ectopy("train", "waves", "--data", tmp_path, "-o", tmp_path / "one.npz", "--seed", 5))
        people = train_waves.collect_people(tmp_path)
        train_waves.train_waves(people, 5).save(tmp_path / "two.npz")
    finally:
        tensorflow.config.run_functions_eagerly(False)
    assert len(people[-1]) == 8
    assert f"{len(people)} recordings" in done.err + done.out
    one = (tmp_path / "one.npz").read_bytes()
    assert one == (tmp_path / "two.npz").read_bytes()
    network, shipped = WaveNetwork.load(one), shipped_network()
    assert [weight.shape for weight in astuple(network)] == [weight.shape for weight in astuple(shipped)]


@pytest.mark.parametrize(
    ("data", "options", "says"),
    [
        ("ambulatory", ("--split", "ds1"), "--split"),
        ("simulated", ("--data", "."), "--data"),
        ("waves", (), "--data DIR"),
        ("waves", ("--data", "."), "has no folder qtdb, ludb, cinc2017; fetch what is missing"),
        ("simulated", ("--from-corrected", "holter.edf"), "--from-corrected"),
    ],
)
def test_options_of_other_data_are_rejected_in_training(ectopy, tmp_path: Path, data: str, options: tuple, says: str):
    assert_refused(ectopy("train", data, *options, "-o", tmp_path / "own.ectopy"), says)


def test_evaluate_gives_figures_and_a_report(ectopy, bundle: Path, tmp_path: Path):
    report = tmp_path / "report.html"
    done = assert_success(
        ectopy("evaluate", bundle, "simulated", "--json", tmp_path / "figures.json", "--report", report)
    )
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["beats"] == 4500
    assert 0.9 < figures["auc"] <= 1
    assert f"{figures['auc']:.4f}" in done.out
    assert report.read_text().startswith("<!DOCTYPE html>")


def test_evaluate_at_another_rate(ectopy, bundle: Path):
    # In either order.
    strict, loose = (
        json.loads(ectopy("evaluate", *names, "--json", "-", "--target-fpr", rate).out)
        for names, rate in (((bundle, "simulated"), 0.01), (("simulated", bundle), 0.1))
    )
    assert strict["fpr"] < loose["fpr"]
    assert strict["auc"] == loose["auc"]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_detect_writes_one_record_a_beat(ectopy, bundle: Path, beats_file: Path, tmp_path: Path, suffix: str):
    results = tmp_path / f"results{suffix}"
    assert_success(ectopy("detect", bundle, beats_file, "-o", results, "--json", tmp_path / "counts.json"))
    text = results.read_text()
    rows = json.loads(text)["beat_list"] if suffix == ".json" else list(csv.DictReader(text.splitlines()))
    for origin in (json.loads(text),) if suffix == ".json" else rows:
        assert (origin["source"], origin["generator"]) == (str(beats_file), GENERATOR)
        assert origin["detector"] == bundle_digest(bundle)
    assert [int(row["beat"]) for row in rows] == list(range(100))
    counts = json.loads((tmp_path / "counts.json").read_text())
    for verdict in ("NORMAL", "ABNORMAL", "UNREADABLE"):
        assert sum(row["verdict"] == verdict for row in rows) == counts[verdict]
    for row in rows:
        assert (float(row["score"]) > counts["threshold"]) == (row["verdict"] == "ABNORMAL")


def test_detect_calls_beats_with_missing_samples_unreadable(ectopy, bundle: Path, tmp_path: Path, simulated: Beats):
    samples = simulated.samples[:5].copy()
    samples[2, 10] = np.nan
    np.save(tmp_path / "beats.npy", samples)
    done = assert_success(
        ectopy("detect", bundle, tmp_path / "beats.npy", "-o", tmp_path / "out.csv", "--report", tmp_path / "r.html")
    )
    assert "1 UNREADABLE" in done.out
    assert "Not readable" in (tmp_path / "out.csv").read_text().splitlines()[3]


def write_beats(path: Path, beats: Beats, labels: np.ndarray) -> Path:
    np.savetxt(path, np.column_stack([beats.samples, labels]), delimiter=",", fmt="%.6g")
    return path


@pytest.mark.parametrize(
    "option",
    [
        ("--rate", 360),
        ("--unit", "mV"),
        ("--notch", 50),
        ("--learning", 60),
        ("--baseline", "none.npz"),
        ("--save-baseline", "new.npz"),
        ("--partial",),
        ("--corrections", "none.json"),
    ],
)
def test_options_of_recordings_are_refused_for_beats(ectopy, bundle: Path, beats_file: Path, option: tuple):
    assert_refused(ectopy("detect", bundle, beats_file, *option), f"{option[0]} is for recordings", "not for beats")


def test_beats_are_not_written_as_fhir(ectopy, bundle: Path, beats_file: Path, tmp_path: Path):
    assert_refused(ectopy("detect", bundle, beats_file, "-o", tmp_path / "b.fhir.json"), ".csv or .json")
    assert list(tmp_path.iterdir()) == [beats_file]


def test_a_recording_has_no_split(ectopy, tmp_path: Path):
    write_record(tmp_path, "holter", simulate_recording(60, random_state=7))
    assert_refused(ectopy("detect", tmp_path / "holter.hea", "--split", "test"), "--split")


@pytest.mark.parametrize("output", [(), ("-o", "beats.atr")])
def test_waves_need_a_table_of_beats(ectopy, output: tuple):
    assert_refused(ectopy("detect", "ambulatory", "record.hea", *output, "--waves"), "--waves", "results.csv")


def test_train_warns_where_most_abnormal_beats_are_scored_normal(ectopy, tmp_path: Path):
    beats = load_simulated("train")
    data = write_beats(tmp_path / "beats.csv", beats, np.where(beats.abnormal, 1, 0))
    done = assert_success(ectopy("train", data, "-o", tmp_path / "own.ectopy", *QUICK))
    assert "reversed" in done.err
    assert (tmp_path / "own.ectopy").exists()


@pytest.mark.long
@pytest.mark.usefixtures("ecg5000_folder")
def test_train_on_ecg5000_does_not_warn(ectopy, tmp_path: Path):
    assert "reversed" not in assert_success(ectopy("train", "ecg5000", "-o", tmp_path / "own.ectopy", *QUICK)).err


class TestBadInput:
    def test_missing_file(self, ectopy, bundle: Path, tmp_path: Path):
        assert_refused(ectopy("detect", bundle, tmp_path / "none.csv"), "none.csv", "does not exist")
        assert_refused(ectopy("info", tmp_path / "none.ectopy"), "none.ectopy", "does not exist")

    def test_unknown_data_set(self, ectopy, bundle: Path):
        assert_refused(ectopy("detect", bundle, "ecg6000"), "ecg5000", "simulated", ".csv")

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("", ["empty"]),
            ("1,2,3\n", ["3", "140"]),
            (",".join(["x"] * 140) + "\n" + ",".join(["word"] * 140) + "\n", ["word"]),
        ],
    )
    def test_unusable_file(self, ectopy, bundle: Path, tmp_path: Path, content: str, words: list[str]):
        (tmp_path / "bad.csv").write_text(content)
        assert_refused(ectopy("detect", bundle, tmp_path / "bad.csv", "-o", tmp_path / "out.csv"), "bad.csv", *words)
        assert not (tmp_path / "out.csv").exists()

    def test_nan_in_training(self, ectopy, tmp_path: Path, simulated: Beats):
        samples = simulated.normals().samples[:120].copy()
        samples[9, 0] = np.nan
        np.save(tmp_path / "beats.npy", samples)
        assert_refused(ectopy("train", tmp_path / "beats.npy", "-o", tmp_path / "x.ectopy"), "normal beat 9", "NaN")
        assert not (tmp_path / "x.ectopy").exists()

    def test_too_few_normals(self, ectopy, tmp_path: Path, simulated: Beats):
        np.save(tmp_path / "beats.npy", simulated.normals().samples[:50])
        assert_refused(
            ectopy("train", tmp_path / "beats.npy", "-o", tmp_path / "x.ectopy"), "50 normal beats", "at least 99"
        )

    def test_no_normals(self, ectopy, tmp_path: Path, simulated: Beats):
        rows = np.column_stack([simulated.samples[:9], np.zeros(9)])
        np.savetxt(tmp_path / "beats.csv", rows, delimiter=",")
        assert_refused(ectopy("train", tmp_path / "beats.csv", "-o", tmp_path / "x.ectopy"), "no normal beats")

    def test_unknown_label(self, ectopy, bundle: Path, tmp_path: Path):
        header = ",".join([*(f"s{i}" for i in range(140)), "label"])
        (tmp_path / "beats.csv").write_text(header + "\n" + ",".join(["0.5"] * 139 + ["1.5", "odd"]) + "\n")
        assert_refused(ectopy("evaluate", bundle, tmp_path / "beats.csv"), "odd")

    def test_truncated_and_foreign_bundle(self, ectopy, bundle: Path, tmp_path: Path):
        (tmp_path / "cut.ectopy").write_bytes(bundle.read_bytes()[:5000])
        (tmp_path / "foreign.ectopy").write_text("not a bundle")
        for name in ("cut.ectopy", "foreign.ectopy"):
            assert_refused(ectopy("evaluate", tmp_path / name, "simulated"), name)

    def test_bundle_of_another_layout(self, ectopy, bundle: Path, ecg5000_folder: Path):
        assert_refused(ectopy("detect", bundle, ecg5000_folder / "ECG5000_TRAIN.txt"), "simulated", "ecg5000")

    def test_output_that_cannot_be_written(self, ectopy, bundle: Path, tmp_path: Path):
        nowhere = tmp_path / "none" / "out"
        assert_refused(ectopy("train", "simulated", "-o", nowhere), "none")
        assert_refused(ectopy("detect", bundle, "simulated", "-o", f"{nowhere}.csv"), "none")
        assert_refused(ectopy("evaluate", bundle, "simulated", "--json", nowhere), "none")
        assert_refused(ectopy("evaluate", bundle, "simulated", "--report", nowhere), "none")
        assert_refused(ectopy("detect", bundle, "simulated", "-o", tmp_path / "out.xlsx"), ".csv or .json")
        assert list(tmp_path.iterdir()) == []

    def test_a_failure_overwrites_nothing(self, ectopy, bundle: Path, tmp_path: Path):
        (tmp_path / "bad.csv").write_text("1,2\n")
        (tmp_path / "out.csv").write_text("precious")
        assert_refused(
            ectopy("detect", bundle, tmp_path / "bad.csv", "-o", tmp_path / "out.csv", "--overwrite"), "bad.csv"
        )
        assert (tmp_path / "out.csv").read_text() == "precious"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--architecture", "resnet"),
            ("--threshold", "guess"),
            ("--target-fpr", "0"),
            ("--members", "1"),
            ("--split", "half"),
        ],
    )
    def test_impossible_settings(self, ectopy, tmp_path: Path, arguments: tuple[str, str]):
        assert_refused(ectopy("train", "simulated", "-o", tmp_path / "x.ectopy", *arguments))
        assert list(tmp_path.iterdir()) == []


def interrupted_until_it_ends(running: subprocess.Popen[str]) -> None:
    """As a user does who presses Ctrl-C, and once more if nothing happens: libraries may swallow an interrupt."""
    for _ in range(60):
        running.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            running.communicate(timeout=2)
            return
    running.kill()


def test_an_interrupt_leaves_no_file(tmp_path: Path):
    command = [sys.executable, "-m", "ectopy", "train", "simulated", "-o", "x.ectopy", "--max-steps", "100000"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert "Learning from" in running.stdout.readline()
        time.sleep(1)
        interrupted_until_it_ends(running)
    assert running.returncode not in (0, 2)
    assert list(tmp_path.iterdir()) == []


def test_demo_without_data_or_network_runs_on_simulated_beats(ectopy, empty_machine: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    small = TrainingSettings(architecture="dense", members=2, max_steps=60)
    monkeypatch.setattr(demo_command, "train_and_save", partial(train_and_save, settings=small))
    done = assert_success(ectopy("demo", "--json", "figures.json"))
    assert "simulated" in done.out
    assert json.loads((tmp_path / "figures.json").read_text())["auc"] > 0.95
    assert (tmp_path / "ectopy-demo" / "report.html").stat().st_size > 10_000
    Detector.load(tmp_path / "ectopy-demo" / "demo.ectopy")


def test_benchmark_speed_gives_its_figures(ectopy, bundle: Path):
    done = assert_success(ectopy("benchmark", "speed", "--bundle", bundle, "--json", "-"))
    assert set(json.loads(done.out)) == {
        "generator",
        "batch_beats_per_s",
        "single_us",
        "import_s",
        "peak_rss_mb",
    }


def test_benchmark_ecg5000_gives_its_figures(ectopy, ecg5000_folder: Path):
    done = assert_success(
        ectopy("benchmark", "ecg5000", "--protocol", "official", "--seeds", 1, "--methods", "knn,pca", "--json", "-")
    )
    methods = json.loads(done.out)["methods"]
    assert methods["knn"]["auc"]["mean"] == pytest.approx(0.991, abs=0.001)
    assert methods["pca"]["auc"]["mean"] == pytest.approx(0.985, abs=0.001)
