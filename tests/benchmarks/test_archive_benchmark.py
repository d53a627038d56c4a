"""Both commands are run as a user gives them, on recordings of a minute."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ectopy.benchmarks.archive_benchmark import benchmark_archive
from ectopy.datasets import simulate_recording
from ectopy.errors import DataError
from support.command_line import assert_success
from support.wfdb_records import write_record

pytest.importorskip("pyspark")


def test_the_time_of_both_commands(ectopy, tmp_path: Path):
    for seed, name in enumerate(("101", "106")):
        write_record(tmp_path, name, simulate_recording(60, random_state=seed))
    done = assert_success(ectopy("benchmark", "archive", "--data", tmp_path, "--json", "-"))
    figures = json.loads(done.out)
    assert figures["recordings"] == 2
    assert figures["hours"] == pytest.approx(2 / 60)
    assert figures["ratio"] == pytest.approx(figures["detect_s"] / figures["cluster_s"])
    assert "ectopy cluster detect" in done.err
    assert {path.stem for path in tmp_path.iterdir()} == {"101", "106"}


def test_a_folder_without_recordings_and_one_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(DataError, match="holds no recordings"):
        benchmark_archive(tmp_path)
    write_record(tmp_path, "101", simulate_recording(60))
    (tmp_path / "101.dat").write_bytes(b"")
    with pytest.raises(DataError, match=r"101\.dat"):
        benchmark_archive(tmp_path)
