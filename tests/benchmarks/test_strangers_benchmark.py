"""People of databases that were held out: who is learned from, what is scored, and against which peers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ectopy.benchmarks import strangers_benchmark
from ectopy.benchmarks.mitdb_benchmark import EC57_RATES
from ectopy.benchmarks.strangers_benchmark import benchmark_strangers
from ectopy.cli.output import strangers as tables
from ectopy.cli.output import terminal
from ectopy.datasets import simulate_recording
from ectopy.datasets.data_folders import DATA_VARIABLE
from ectopy.formats import write_annotations
from ectopy.recording import Annotations, Recording
from ectopy.training import TrainingSettings
from support.command_line import assert_refused
from support.wfdb_records import write_record

pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

AREAS = {"mean_record_auc", "pooled_auc", "veb_auc", "sveb_auc"}
PEERS = {"template", "reconstruction", "population", "timing", "prematurity", "supervised"}
CLASSES = {"A00001": "N", "A00002": "N", "A00003": "N", "A00004": "N", "A00005": "A", "A00006": "O", "A00007": "~"}


def draw_beats(seed: int, rate_hz: float) -> Recording:
    return simulate_recording(420, sampling_rate_hz=rate_hz, ectopic={"V": 0.06, "A": 0.04}, random_state=seed)


def write_databases(folder: Path) -> None:
    """Simulated recordings under the names of records; sel101 and 101 are of one patient."""
    for name in ("mitdb", "qtdb", "cinc2017", "ltafdb"):
        (folder / name).mkdir()
    for seed, name in enumerate(("101", "106", "112")):
        write_record(folder / "mitdb", name, draw_beats(seed, 360.0))
    for seed, name in enumerate(("sel101", "sele0104", "sele0106"), 3):
        write_record(folder / "qtdb", name, draw_beats(seed, 250.0))
    for seed, (name, label) in enumerate(CLASSES.items(), 6):
        ectopic = {"V": 0.2, "A": 0.1} if label in "AO" else {}
        recording = simulate_recording(50, sampling_rate_hz=300.0, leads=1, ectopic=ectopic, random_state=seed)
        write_record(folder / "cinc2017", name, Recording(recording.signal, 300.0, ("ECG",)))
    reference = "".join(f"{name},{label}\n" for name, label in CLASSES.items())
    (folder / "cinc2017" / "REFERENCE.csv").write_text(reference, encoding="ascii")
    times = np.cumsum(np.random.default_rng(0).normal(0.85, 0.04, 600))
    marks = Annotations(
        np.round(128 * np.concatenate([[0.1], 1 + times])).astype(np.int64),
        np.array(["+", *["N"] * len(times)]),
        notes=("(N", *[""] * len(times)),
    )
    (folder / "ltafdb" / "00.hea").write_text("00 1 128 128000\n00.dat 16 100/mV 16 0 0 0 0 ECG\n", encoding="ascii")
    write_annotations(folder / "ltafdb" / "00.atr", marks, 128.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    folder = tmp_path_factory.mktemp("databases")
    write_databases(folder)
    return folder


def test_databases_that_are_held_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """One test, as it trains for twenty seconds, on a machine without other databases."""
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # Each database costs a training; the long test holds out all three.
    monkeypatch.setattr(strangers_benchmark, "HELD_OUT", ("mitdb", "cinc2017"))
    figures = benchmark_strangers([folder], 1, TrainingSettings("dense", members=2, max_steps=60))
    nobody_is_judged_by_a_detector_that_learned_from_them(figures)
    beats_are_judged_by_their_labels(figures["held_out"]["mitdb"])
    recordings_are_ranked_by_the_share_of_flagged_beats(figures["held_out"]["cinc2017"])
    tables_show_every_database_and_method(figures, capsys)


def nobody_is_judged_by_a_detector_that_learned_from_them(figures: dict[str, Any]) -> None:
    learned_from = {name: row["trained_on"] for name, row in figures["held_out"].items()}
    # 101 and sel101 are of one patient.
    assert learned_from == {
        "mitdb": {"qtdb": 2, "cinc2017": 7, "ltafdb": 1},
        "cinc2017": {"mitdb": 3, "qtdb": 3, "ltafdb": 1},
    }
    assert {name: row["patients"] for name, row in figures["held_out"].items()} == {"mitdb": 3, "cinc2017": 7}
    assert figures["left_out"] == {}


def beats_are_judged_by_their_labels(row: dict[str, Any]) -> None:
    assert row["peers"].keys() == PEERS
    assert all(peer.keys() >= AREAS for peer in row["peers"].values())
    verdicts = AREAS | {*EC57_RATES, "false_alarms_per_hour"}
    assert verdicts <= row.keys()
    assert row["spread"].keys() == verdicts
    assert verdicts <= row["peers"]["supervised"].keys()
    # Two minutes of three patients are scored.
    assert 350 < row["beats"] < 500
    assert row["beats"] == sum(record["beats"] for record in row["records"].values())
    assert row["abnormal"] == sum(record["abnormal"] for record in row["records"].values())
    assert row["pooled_auc"] > 0.95
    assert row["veb_auc"] > 0.98
    assert row["peers"]["template"]["veb_auc"] > 0.9
    assert row["peers"]["timing"]["pooled_auc"] > 0.9
    assert row["peers"]["supervised"]["pooled_auc"] > 0.9


def recordings_are_ranked_by_the_share_of_flagged_beats(row: dict[str, Any]) -> None:
    assert row["recordings"] == {"N": 4, "A": 1, "O": 1, "~": 1}
    assert row["auc_A"] == row["auc_O"] == row["pooled_auc"] == 1
    assert row["flagged_share"]["A"] > 0.1 > row["flagged_share"]["N"]
    assert row["records"].keys() == CLASSES.keys()
    normals = [record for record in row["records"].values() if record["class"] == "N"]
    hours = 4 * 50 / 3600
    assert row["false_alarms_per_hour"] == pytest.approx(sum(record["flagged"] for record in normals) / hours)
    assert row["peers"].keys() == PEERS
    assert np.isnan(row["veb_auc"])


def tables_show_every_database_and_method(figures: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    left_out = {**figures, "left_out": {"mitdb": "there are no RR intervals."}}
    for renderable in tables.renderables(left_out):
        terminal.screen(None).print(renderable)
    out = capsys.readouterr().out
    for words in ("mitdb held out: 3 patients", "cinc2017", *PEERS, "A and O", "Without mitdb: there are no RR"):
        assert words in out


def test_figures_are_means_with_their_spread():
    runs = [{"a": 1.0, "peers": {"b": {"a": 2.0}}}, {"a": 3.0, "peers": {"b": {"a": 2.0}}}]
    assert strangers_benchmark._over_seeds(runs) == {
        "a": 2.0,
        "peers": {"b": {"a": 2.0, "spread": {"a": 0.0}}},
        "spread": {"a": pytest.approx(2**0.5)},
    }


@pytest.mark.usefixtures("empty_machine")
def test_a_database_without_another_to_learn_from_is_left_out_with_the_reason(folder: Path, tmp_path: Path):
    shutil.copytree(folder / "mitdb", tmp_path / "data" / "mitdb")
    figures = benchmark_strangers([tmp_path / "data"], 1)
    assert figures["held_out"] == {}
    assert "RR intervals" in figures["left_out"]["mitdb"]


@pytest.mark.usefixtures("empty_machine")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--seeds", "0"), "must be 1 to 20, not 0"),
        (("--data", "."), "no database to learn from"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(ectopy, tmp_path: Path, arguments: tuple[str, ...], says: str):
    assert_refused(ectopy("benchmark", "strangers", *arguments), says)


@pytest.mark.long
@pytest.mark.usefixtures("empty_machine")
def test_the_command_with_its_own_settings(ectopy, folder: Path, tmp_path: Path):
    outcome = ectopy("benchmark", "strangers", "--data", folder, "--seeds", 2, "--json", tmp_path / "out.json")
    assert outcome.status == 0, outcome.err
    result = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert result["seeds"] == 2
    assert result["held_out"].keys() == {"qtdb", "mitdb", "cinc2017"}
    assert result["held_out"]["qtdb"]["pooled_auc"] > 0.97
    assert "supervised" in outcome.out
