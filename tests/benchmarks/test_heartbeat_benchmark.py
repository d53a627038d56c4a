from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ectopy.benchmarks import heartbeat_benchmark, heartbeat_peers
from ectopy.benchmarks.heartbeat_benchmark import benchmark_heartbeats
from ectopy.benchmarks.heartbeat_peers import METHODS, Method, Samples
from ectopy.datasets import simulate_recording
from ectopy.datasets.databases import read_database
from ectopy.datasets.mitdb import DS1, DS2
from ectopy.errors import DataError, MissingExtraError, SettingError
from ectopy.recording import Annotations, Recording
from support.command_line import assert_refused, assert_success
from support.data_sets import folder_of
from support.wfdb_records import copy_records, write_record

pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

OURS = ("ectopy", "ectopy_first_lead")


@pytest.fixture
def run(ectopy):
    """The command, with its name."""
    return partial(ectopy, "benchmark", "heartbeats")


@pytest.fixture(autouse=True)
def short_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat_benchmark, "_DAY_S", 600)


@pytest.fixture(scope="session")
def simulated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of seven minutes, of which EC57 scores the last two."""
    folder = tmp_path_factory.mktemp("simulated")
    write_record(folder, "sim", simulate_recording(420, sampling_rate_hz=360, ectopic={"V": 0.1}, random_state=1))
    return folder


@pytest.fixture(scope="session")
def ds1_folder() -> Path:
    return folder_of("mitdb", DS1)


def test_simulated_recording_with_every_method_that_is_installed(run, simulated_folder: Path, tmp_path: Path):
    outcome = assert_success(run("--data", simulated_folder, "--json", tmp_path / "out.json"))
    result = json.loads((tmp_path / "out.json").read_text())
    assert result.keys() == {"generator", "split", "methods", "seconds_24h", "left_out"}
    assert result["split"] == "all"
    assert result["methods"].keys() | result["left_out"].keys() == METHODS.keys()
    assert set(OURS) <= result["methods"].keys()
    assert result["seconds_24h"] > 0
    for name, figures in result["methods"].items():
        assert figures.keys() == {"gross", "missed_veb", "veb", "seconds", "relative_seconds", "records"}
        assert figures["gross"].keys() == {"qrs_se", "qrs_ppv", "qrs_tp", "qrs_fn", "qrs_fp"}
        assert figures["gross"]["qrs_se"] > 90, name
        assert figures["veb"] > 5
        assert 0 <= figures["missed_veb"] <= figures["gross"]["qrs_fn"]
        assert figures["seconds"] > 0
        (record,) = figures["records"].values()
        assert {key: record[key] for key in figures["gross"]} == figures["gross"]
        assert record["missed_veb"] == figures["missed_veb"]
        assert name in outcome.out
    assert result["methods"]["ectopy_first_lead"]["relative_seconds"] == 1
    assert "24 h of one lead" in outcome.out


def test_two_real_records(ds1_folder: Path, tmp_path: Path):
    copy_records(ds1_folder, tmp_path, "101", "208")
    told: list[tuple[int, int]] = []
    methods = [name for name in METHODS if name != "wfdb_xqrs"]
    result = benchmark_heartbeats(tmp_path, "all", methods, lambda done, total, now: told.append((done, total)))
    figures = result.summary()["methods"]
    runs = 2 * len(figures) + 1
    assert told == [(done, runs) for done in range(runs + 1)]
    for row in figures.values():
        assert row["records"].keys() == {"101", "208"}
        # A fact of the reference, after five minutes.
        assert row["records"]["101"]["veb"] == 0
        assert row["veb"] == 824
        assert row["records"]["101"]["qrs_se"] > 99.5
        assert row["gross"]["qrs_fn"] == sum(record["qrs_fn"] for record in row["records"].values())


@pytest.mark.long  # test_two_real_records is its short version
def test_figures_of_ectopy_on_ds1(ds1_folder: Path):
    figures = benchmark_heartbeats(ds1_folder, "ds1", OURS).summary()["methods"]
    for name, least in (("ectopy", 99.75), ("ectopy_first_lead", 99.66)):
        row = figures[name]
        assert row["gross"]["qrs_se"] >= least
        assert row["gross"]["qrs_ppv"] >= least
        assert row["veb"] == 3214
        assert row["missed_veb"] <= 0.01 * row["veb"]
        assert tuple(row["records"]) == DS1


def found_at(positions: np.ndarray) -> Method:
    return Method(lambda: lambda samples: positions)


def test_missed_ventricular_beats_are_v_and_e_of_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rate = 360
    positions = np.arange(310, 390, 10) * rate
    symbols = np.array(list("NVVENFrA"))
    noise = np.random.default_rng(0).normal(0, 0.1, (400 * rate, 2)).astype(np.float32)
    marked = Recording(noise, rate, ("MLII", "V1"), annotations=Annotations(positions, symbols))
    write_record(tmp_path, "a", marked)
    found = np.sort(np.append(np.delete(positions, [1, 3, 5]), 395 * rate))
    monkeypatch.setitem(METHODS, "fake", found_at(found))
    row = benchmark_heartbeats(tmp_path, methods=["fake"]).summary()["methods"]["fake"]
    assert (row["missed_veb"], row["veb"]) == (2, 4)
    assert (row["gross"]["qrs_tp"], row["gross"]["qrs_fn"], row["gross"]["qrs_fp"]) == (5, 3, 1)
    assert np.isnan(row["relative_seconds"])


def test_the_unit_is_asked_for(tmp_path: Path):
    draw_beats = simulate_recording(60, sampling_rate_hz=360)
    write_record(tmp_path, "counts", replace(draw_beats, signal=draw_beats.signal * 2000))
    with pytest.raises(DataError, match=r"counts.* cannot be read.*is the unit really mV\?"):
        benchmark_heartbeats(tmp_path, methods=["ectopy"])


def test_paced_records_are_left_out(simulated_folder: Path, tmp_path: Path):
    for name in ("sim", "104"):
        write_record(tmp_path, name, simulate_recording(310, sampling_rate_hz=250))
    result = benchmark_heartbeats(tmp_path, methods=["ectopy"])
    assert result.findings["ectopy"].comparisons.keys() == {"sim"}


def test_peers_get_the_last_valid_sample_in_a_gap():
    signal = np.array([[np.nan, 1.0, 2.0, np.nan, np.nan, 3.0], [9.0] * 6], np.float32).T
    samples = Samples.of(Recording(signal, 360, ("MLII", "V1")))
    assert samples.first.tolist() == [0, 1, 2, 2, 2, 3]
    assert np.isnan(samples.leads[0, 0])


# A mistake gets one sentence


def test_missing_folder(run, tmp_path: Path):
    assert_refused(run("--data", tmp_path / "nothing"), "there is no folder", "nothing")


@pytest.mark.parametrize("split", ["all", "ds2"])
def test_empty_folder(run, tmp_path: Path, split: str):
    expected = "no record" if split == "all" else f"lacks 22 of the 22 records of ds2: {', '.join(DS2)}"
    assert_refused(run("--data", tmp_path, "--split", split), expected)


def test_records_missing(run, tmp_path: Path):
    for record in DS1:
        for end in (".hea", ".dat", ".atr"):
            (tmp_path / f"{record}{end}").touch()
    (tmp_path / "101.hea").unlink()
    (tmp_path / "230.atr").unlink()
    assert_refused(
        run("--data", tmp_path, "--split", "ds1"), "lacks 2 of the 22 records of ds1: 101, 230;", "fetch mitdb"
    )


def test_damaged_record(run, simulated_folder: Path, tmp_path: Path):
    shutil.copytree(simulated_folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "sim.dat").write_bytes(b"short")
    assert_refused(run("--data", tmp_path, "--methods", "ectopy"), "sim")


@pytest.mark.parametrize(
    ("duration_s", "part"), [(200, "scoring starts at 300 s"), (310, "no reference annotations")], ids=["short", "bare"]
)
def test_records_that_cannot_be_scored(run, tmp_path: Path, duration_s: float, part: str):
    recording = simulate_recording(duration_s)
    if duration_s > 300:
        none = Annotations(np.empty(0, np.int64), np.empty(0, "U1"))
        recording = Recording(recording.signal, recording.sampling_rate_hz, recording.leads, annotations=none)
    write_record(tmp_path, "sim", recording)
    assert_refused(run("--data", tmp_path, "--methods", "ectopy"), "record sim", part)


def test_unknown_split_or_method(run, simulated_folder: Path):
    assert_refused(
        run("--data", simulated_folder, "--split", "ds3"), "unknown split 'ds3'", "ds1, ds2, all, qtdb, ludb"
    )
    assert_refused(
        run("--data", simulated_folder, "--methods", "ectopy,hamilton"), "unknown method 'hamilton'", *METHODS
    )
    with pytest.raises(SettingError):
        benchmark_heartbeats(simulated_folder, methods=[""])


# Peers


def test_a_peer_that_is_not_installed_is_named_and_left_out(
    run, simulated_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "sleepecg", None)
    monkeypatch.setitem(sys.modules, "neurokit2", None)
    outcome = assert_success(
        run("--data", simulated_folder, "--methods", "ectopy,sleepecg,neurokit2", "--json", tmp_path / "out.json")
    )
    assert "Not installed, and left out: sleepecg, neurokit2." in outcome.out
    assert "pip install neurokit2 sleepecg" in outcome.out
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["left_out"] == {"sleepecg": "sleepecg", "neurokit2": "neurokit2"}
    assert list(result["methods"]) == ["ectopy"]
    assert result["methods"]["ectopy"]["relative_seconds"] is None


def test_no_peer_that_was_asked_for_is_installed(simulated_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sleepecg", None)
    with pytest.raises(MissingExtraError, match=r"sleepecg needs the 'peers' extra"):
        benchmark_heartbeats(simulated_folder, methods=["sleepecg"])


def test_a_peer_that_fails_is_named(simulated_folder: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(samples: Samples) -> np.ndarray:
        raise IndexError("index 7 is out of bounds")

    monkeypatch.setitem(METHODS, "fake", Method(lambda: fails))
    with pytest.raises(DataError, match=r"^fake fails on record sim \(index 7 is out of bounds\); .*--methods"):
        benchmark_heartbeats(simulated_folder, methods=["fake"])


def test_warnings_of_peers_stay_with_them_and_ours_do_not():
    def load():
        warnings.warn("while it is imported", UserWarning, stacklevel=1)

        def find(samples: Samples) -> list[float]:
            warnings.warn("while it runs", RuntimeWarning, stacklevel=1)
            return [1.0]

        return find

    find = heartbeat_peers._quiet(load)()
    assert find(Samples(np.zeros((2, 1), np.float32), np.zeros(2), 360)).tolist() == [1]
    with pytest.warns(UserWarning, match="ours"):
        warnings.warn("ours", UserWarning, stacklevel=1)


def test_peers_are_imported_when_they_run():
    code = "import sys, ectopy.cli.output.heartbeats, ectopy.benchmarks.heartbeat_benchmark; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"sleepecg", "neurokit2", "wfdb", "sklearn", "pandas"})


# Other databases, by name


def test_ludb_is_scored_between_the_first_and_the_last_marked_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = folder_of("ludb", ("1",))
    for path in folder.glob("1.*"):
        shutil.copy(path, tmp_path)
    (record,) = read_database("ludb", tmp_path)
    marked_s = record.beats.times_s
    early, late = marked_s[0] - 0.5, marked_s[-1] + 0.5
    detected = np.rint(np.array([early, *marked_s[1:], late]) * 500).astype(int)
    monkeypatch.setitem(METHODS, "fake", found_at(detected))
    row = benchmark_heartbeats(tmp_path, "ludb", ["fake"]).summary()["methods"]["fake"]["records"]["1"]
    assert (row["qrs_tp"], row["qrs_fn"], row["qrs_fp"]) == (len(marked_s) - 1, 1, 0)


def test_qtdb_is_scored_after_five_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recording = simulate_recording(310, sampling_rate_hz=250, random_state=2)
    write_record(tmp_path, "sel999", recording)
    positions = recording.annotations.positions
    monkeypatch.setitem(METHODS, "fake", found_at(positions))
    row = benchmark_heartbeats(tmp_path, "qtdb", ["fake"]).summary()["methods"]["fake"]["gross"]
    assert row["qrs_fn"] == row["qrs_fp"] == 0
    assert row["qrs_tp"] == np.count_nonzero(positions >= 300 * 250)


@pytest.mark.parametrize("split", ["qtdb", "ludb"])
def test_a_folder_without_records_of_the_database(run, tmp_path: Path, split: str):
    assert_refused(run("--data", tmp_path, "--split", split), "no labelled record", f"ectopy fetch {split}")
