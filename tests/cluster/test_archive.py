"""An archive on Spark: the same results as `ectopy detect`, a bad file is a row, a killed run goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

pytest.importorskip("pyspark")
import pyarrow.dataset as ds
from pyspark.sql import SparkSession

from ectopy.analysis.shipped_detector import SHIPPED, ambulatory_digest, bundle_bytes
from ectopy.cli.batch import Job, run
from ectopy.cluster.archive import ArchiveProgress, detect
from ectopy.cluster.archive_folder import ArchiveFolder
from ectopy.cluster.archive_sources import find_sources
from ectopy.cluster.archive_tables import TABLES
from ectopy.cluster.archive_task import ArchiveTask
from ectopy.cluster.session import start_session
from ectopy.datasets import simulate_recording
from ectopy.datasets.mitdb import DS1
from ectopy.errors import EctopyError, SettingError
from support import wfdb_records
from support.command_line import assert_refused
from support.data_sets import folder_of
from support.recording_files import FORMATS, write_formats
from support.waiting import SPARK_S, until

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A recording of each format, one with runs, pauses and noise, and one whose samples are gone."""
    folder = tmp_path_factory.mktemp("recordings")
    paths = write_formats(folder)
    long = simulate_recording(420, ectopic={"V": 0.1, "A": 0.03}, random_state=5, sampling_rate_hz=200.0)
    signal = long.signal.copy()
    signal[60 * 200 : 90 * 200] = np.nan
    wfdb_records.write_record(folder, "long", replace(long, signal=signal))
    wfdb_records.write_record(folder, "bad", replace(long, signal=signal[:2000], annotations=None))
    (folder / "bad.dat").unlink()
    return [*paths, folder / "long.hea", folder / "bad.hea"]


def tables_at(folder: Path) -> Rows:
    """Rows of each table, as any reader of Parquet gets them, without the number of their batch."""
    return {
        table: ds.dataset(folder / table, format="parquet").to_table(columns=schema.names).to_pylist()
        for table, schema in TABLES.items()
    }


def of(rows: Rows, table: str, path: Path | str) -> list[dict[str, Any]]:
    """Rows of one recording without its path."""
    chosen = [dict(row) for row in rows[table] if row["path"] == str(path)]
    for row in chosen:
        del row["path"]
    return chosen


def assert_as_detect(rows: Rows, path: Path, folder: Path) -> None:
    """The rows of a recording are to the last digit what `ectopy detect` writes of it, or the sentence that it says."""
    folder.mkdir(exist_ok=True)
    outcome = run(Job(path, SHIPPED, results=folder / "beats.json"))
    (row,) = of(rows, "recordings", path)
    assert row["reason"] == outcome.error
    assert row["status"] == ("failed" if outcome.error else "analysed")
    if outcome.summary is None:
        assert not of(rows, "beats", path) + of(rows, "episodes", path) + of(rows, "quality", path)
        return
    figures = json.loads(row["summary"])
    assert figures == json.loads(json.dumps(outcome.summary))
    same = {"source", "start", "duration_s", "sampling_rate_hz", "leads", "notes", "beats", "normal", "abnormal"}
    same |= {"unreadable", "detector", "generator", "threshold", "baseline", "median_rate_bpm", "device"}
    assert {name: row[name] for name in same} == {name: figures[name] for name in same}
    assert row["ventricular"] == figures["hints"]["ventricular-like"]
    assert row["readable_share"] == list(figures["readable_share"].values())
    assert row["fibrillation_percent"] == figures["holter"]["atrial_fibrillation"]["burden_percent"]

    whole = json.loads((folder / "beats.json").read_text())
    for beat in whole["beat_list"]:
        beat.pop("family", None)
    assert of(rows, "beats", path) == whole["beat_list"]
    episodes = of(rows, "episodes", path)
    events = [episode for episode in episodes if episode["list"] == "event"]
    rhythms = [episode for episode in episodes if episode["list"] == "rhythm"]
    names = ("kind", "start_s", "end_s", "beats", "text", "rate_bpm", "coupling_s")
    assert [{name: event[name] for name in names} for event in events] == [
        {name: event[name] for name in names} for event in whole["event_list"]
    ]
    assert [event["extreme_value"] for event in events] == [
        (event["extreme"] or {}).get("value") for event in whole["event_list"]
    ]
    assert [(rhythm["kind"], rhythm["start_s"], rhythm["rate_bpm"]) for rhythm in rhythms] == [
        (rhythm["rhythm"], rhythm["start_s"], rhythm["rate_bpm"]) for rhythm in whole["rhythm_episodes"]
    ]
    stretches = of(rows, "quality", path)
    for lead in row["leads"]:
        of_lead = [stretch for stretch in stretches if stretch["lead"] == lead]
        assert [stretch["start_s"] for stretch in of_lead[1:]] == [stretch["end_s"] for stretch in of_lead[:-1]]
        assert (of_lead[0]["start_s"], of_lead[-1]["end_s"]) == (0.0, pytest.approx(row["duration_s"], abs=1e-3))


def test_results_are_those_of_detect_and_the_next_run_does_what_has_changed(
    spark: SparkSession, recordings: list[Path], tmp_path: Path
):
    folders = sorted({path.parent for path in recordings} - {recordings[-1].parent})
    assert len(folders) == len(FORMATS)
    sources = [str(path) for path in recordings[:-2]] + [str(recordings[-1].parent / "*.hea")]
    steps: list[ArchiveProgress] = []
    summary = detect(spark, sources, tmp_path / "tables", progress=steps.append)
    bad = recordings[-1]
    assert list(summary.failed) == [str(bad)]
    end = summary.progress
    assert (end.total, end.completed, end.failed) == (len(recordings), len(recordings), 1)
    assert [step.completed for step in steps] == sorted(step.completed for step in steps)
    assert summary.progress.per_hour
    assert summary.progress.left_s == 0
    rows = tables_at(tmp_path / "tables")
    assert {row["path"] for row in rows["recordings"]} == {str(path) for path in recordings}
    for path in recordings:
        assert_as_detect(rows, path, tmp_path / "detect")
    assert not any((tmp_path / "tables" / "_staging").iterdir())

    # The failed one is tried again, and keeps its row.
    again = detect(spark, sources, tmp_path / "tables")
    assert (again.progress.completed_now, again.failed) == (1, summary.failed)
    assert tables_at(tmp_path / "tables") == rows

    # One that has changed, and one that can be read now, are analysed anew; the others are as they were.
    changed = recordings[-2]
    shorter = simulate_recording(30, random_state=6, sampling_rate_hz=250.0)
    held = {path: path.read_bytes() for path in changed.parent.glob("long.*")}
    try:
        for name in ("long", "bad"):
            wfdb_records.write_record(changed.parent, name, shorter)
        third = detect(spark, sources, tmp_path / "tables")
        assert (third.progress.completed_now, third.failed) == (2, {})
        new = tables_at(tmp_path / "tables")
        for path in (changed, bad):
            assert_as_detect(new, path, tmp_path / "detect")
        for path in recordings[:-2]:
            assert [of(new, table, path) for table in TABLES] == [of(rows, table, path) for table in TABLES]
        assert len(new["recordings"]) == len(recordings)
    finally:
        for path, content in held.items():
            path.write_bytes(content)
        (bad.parent / "bad.dat").unlink(missing_ok=True)


def test_pages_and_recordings_elsewhere(spark: SparkSession, recordings: list[Path], tmp_path: Path):
    pytest.importorskip("matplotlib", reason="the extra 'report' is not installed")
    pytest.importorskip("aiohttp", reason="the extra 'remote' is not installed")
    handler = partial(SimpleHTTPRequestHandler, directory=str(recordings[-1].parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        urls = [f"http://127.0.0.1:{server.server_port}/{name}" for name in ("long.hea", "gone.edf")]
        first = detect(spark, urls, tmp_path / "tables")
        assert list(first.failed) == urls[1:]
        assert first.failed[urls[1]] == run(Job(Path(urls[1]), SHIPPED)).error
        # What has no page yet is analysed again for it.
        second = detect(spark, urls, tmp_path / "tables", reports=True)
        assert second.progress.completed_now == 2
        third = detect(spark, urls[:1], tmp_path / "tables", reports=True)
        assert third.progress.completed_now == 0
        server.shutdown()
    rows = tables_at(tmp_path / "tables")
    (row,) = (row for row in rows["recordings"] if row["path"] == urls[0])
    assert "<html" in (tmp_path / "tables" / row["report"]).read_text()[:1000]
    assert len([beat for beat in rows["beats"] if beat["path"] == urls[0]]) == row["beats"]


def killed(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started, as when a machine stops."""
    session = os.getsid(process.pid)
    for other in psutil.process_iter():
        try:
            if os.getsid(other.pid) == session:
                other.send_signal(signal.SIGKILL)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    process.wait()


def test_a_killed_run_goes_on_where_it_stopped(spark: SparkSession, tmp_path: Path):
    folder, tables = tmp_path / "recordings", tmp_path / "tables"
    folder.mkdir()
    for number in range(30):
        recording = simulate_recording(150, ectopic={"V": 0.05}, random_state=number, sampling_rate_hz=250.0)
        wfdb_records.write_record(folder, f"{number:02}", recording)
    staging = tables / "_staging"
    command = [sys.executable, "-m", "ectopy", "cluster", "detect", str(folder), "-o", str(tables)]
    with subprocess.Popen([*command, "--master", "local[2]"], start_new_session=True) as process:
        until(lambda: len(list(staging.glob("[!.]*.parquet"))) >= 2 or process.poll() is not None, SPARK_S)
        killed(process)
    staged = len(ArchiveFolder.at(tables).staged())
    assert 2 <= staged < 30
    assert not (tables / "recordings").exists()

    summary = detect(spark, [folder], tables)
    assert summary.progress.completed_now == 30 - staged
    assert summary.progress.completed == 30
    fresh = detect(spark, [folder], tmp_path / "fresh")
    assert fresh.progress.completed_now == 30
    rows, expected = tables_at(tables), tables_at(tmp_path / "fresh")
    for row in (*rows["recordings"], *expected["recordings"]):
        del row["analysed_at"]
    assert rows == expected


def test_a_recording_that_ends_its_process_is_a_row(tmp_path: Path):
    recording = simulate_recording(20, sampling_rate_hz=250.0)
    wfdb_records.write_record(tmp_path, "large", recording)
    (source,) = find_sources([tmp_path / "large.hea"])
    folder = ArchiveFolder.at(tmp_path / "tables")
    folder.open(ambulatory_digest())
    task = ArchiveTask(folder, ambulatory_digest(), False, last_attempt=3)
    assert task.run(source, bundle_bytes(SHIPPED), attempt=2) == "analysed"
    assert task.run(source, bundle_bytes(SHIPPED), attempt=3) == "failed"
    folder.publish(1, [task.key(source)], {})
    (entry,) = folder.published().values()
    assert entry.reason == f"{source.path} ended the process that analysed it 3 times; it may need more memory."
    with pytest.raises(EctopyError, match=r"the driver Ectopy 9\.9; install one version on all"):
        replace(task, generator="Ectopy 9.9").run(source, b"", 0)


def test_mistakes_are_said_before_spark_starts(ectopy, recordings: list[Path], bundle: Path, tmp_path: Path):
    def refused(*arguments: object, words: str) -> None:
        assert_refused(ectopy("cluster", "detect", *arguments), words)

    good, file = recordings[0], tmp_path / "file"
    file.write_text("mine")
    refused(good, "-o", file, words="does not say that Ectopy wrote it")
    refused(good, "-o", file, "--overwrite", words="it is a file; name a folder")
    refused(good, "-o", tmp_path, words="it holds other files; name a new or empty folder")
    refused(tmp_path / "gone.edf", "-o", tmp_path / "tables", words="does not exist; name recordings, folders of them")
    refused(tmp_path / "*.edf", "-o", tmp_path / "tables", words="matches no recordings")
    refused(tmp_path, "-o", tmp_path / "tables", words="holds no recordings")
    refused(good, "-o", tmp_path / "tables", "--detector", bundle, words="is a detector of beats")
    assert not (tmp_path / "tables").exists()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    master = f"spark://127.0.0.1:{port}"
    refused(good, "-o", tmp_path / "tables", "--master", master, words=f"nothing answers at {master}; start Spark's")
    with pytest.raises(SettingError, match="nothing answers at k8s://https://127"):
        start_session(f"k8s://https://127.0.0.1:{port}")
    manifest = tmp_path / "tables" / "ectopy-archive.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    refused(good, "-o", tmp_path / "tables", words="they are of version 2")


@pytest.mark.parametrize("records", [DS1[:2], pytest.param(DS1, marks=pytest.mark.long)], ids=["two", "all"])
def test_records_of_mitdb_give_what_detect_gives(spark: SparkSession, tmp_path: Path, records: tuple[str, ...]):
    paths = [(folder_of("mitdb", records) / f"{record}.hea").absolute() for record in records]
    summary = detect(spark, paths, tmp_path / "tables")
    assert summary.failed == {}
    rows = tables_at(tmp_path / "tables")
    for path in paths:
        assert_as_detect(rows, path, tmp_path / "detect")
