"""The folder of an archive: whatever stops a run, no half recording is in the tables, and the next run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")
import fsspec
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ectopy.analysis.recording_findings import Findings, find_all
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.cluster import archive_folder, table_file
from ectopy.cluster.archive_folder import ArchiveFolder
from ectopy.cluster.archive_sources import find_sources
from ectopy.cluster.archive_tables import TABLES, Source, failure_rows, finding_rows
from ectopy.datasets import simulate_recording
from ectopy.errors import DataError, OutputError
from support.edf_files import edf

if TYPE_CHECKING:
    from s3fs import S3FileSystem

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def findings() -> Findings:
    return find_all(simulate_recording(40, sampling_rate_hz=250), load_ambulatory())


@pytest.fixture(params=["here", "elsewhere", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder on this machine, one in memory, and one in a bucket."""
    if request.param == "here":
        yield str(tmp_path / "tables")
        return
    if request.param == "s3":
        request.getfixturevalue("s3")
        yield "s3://archive/tables"
        return
    yield "memory://tables"
    files = fsspec.filesystem("memory")
    if files.exists("/tables"):
        files.rm("/tables", recursive=True)


def source(name: str, fingerprint: str = "f") -> Source:
    return Source(f"/data/{name}", f"/data/{name}", 1, fingerprint)


def rows(folder: ArchiveFolder, table: str) -> list[dict[str, object]]:
    """All rows of a table, as any reader of Parquet gets them."""
    system, root = fsspec.core.url_to_fs(folder.place)
    data = ds.dataset(f"{root}/{table}", filesystem=system, format="parquet", partitioning="hive")
    return data.to_table().to_pylist()


def counts(folder: ArchiveFolder) -> dict[str, dict[str, int]]:
    """Rows of each recording in each table, for recordings that are there."""
    paths = [row["path"] for row in rows(folder, "recordings")]
    assert len(set(paths)) == len(paths)
    return {
        table: {path: sum(row["path"] == path for row in rows(folder, table)) for path in paths} for table in TABLES
    }


def test_a_recording_is_published_replaced_and_kept(place: str, findings: Findings):
    folder = ArchiveFolder.at(place)
    folder.open("detector")
    for name in ("a", "b"):
        folder.stage(name, finding_rows(source(name), findings, "detector", WHEN, None))
    folder.stage("bad", failure_rows(source("bad"), "it is damaged.", "detector", WHEN))
    assert folder.staged() == {"a", "b", "bad"}
    folder.publish(1, ["a", "b", "bad"], {})
    assert folder.staged() == set()
    published = folder.published()
    assert {path: entry[:3] for path, entry in published.items()} == {
        "/data/a": (1, "f", None),
        "/data/b": (1, "f", None),
        "/data/bad": (1, "f", "it is damaged."),
    }
    beats = len(findings.analysis)
    assert counts(folder)["beats"] == {"/data/a": beats, "/data/b": beats, "/data/bad": 0}

    folder.stage("a2", failure_rows(source("a", "g"), "it is empty.", "detector", WHEN))
    folder.stage("bad2", failure_rows(source("bad"), "it is damaged.", "detector", WHEN))
    folder.publish(2, ["a2", "bad2"], published)
    again = folder.published()
    assert again["/data/a"][:3] == (2, "g", "it is empty.")
    assert again["/data/bad"] == published["/data/bad"]
    assert counts(folder)["beats"] == {"/data/a": 0, "/data/b": beats, "/data/bad": 0}
    assert {row["batch"] for row in rows(folder, "recordings")} == {1, 2}


def test_a_batch_without_rows_keeps_its_number(place: str):
    folder = ArchiveFolder.at(place)
    folder.open("detector")
    for batch, reason in enumerate(("it is damaged.", "it is empty.", "it is too long."), start=1):
        folder.stage("bad", failure_rows(source("bad"), reason, "detector", WHEN))
        assert folder.next_batch() == batch
        folder.publish(batch, ["bad"], folder.published())
    assert folder.published()["/data/bad"][:3] == (3, "f", "it is too long.")
    assert len(rows(folder, "recordings")) == 1


def test_nothing_new_makes_no_batch(place: str):
    folder = ArchiveFolder.at(place)
    folder.open("detector")
    for batch in (1, 2):
        folder.stage("bad", failure_rows(source("bad"), "it is damaged.", "detector", WHEN))
        folder.publish(batch, ["bad"], folder.published())
        assert folder.next_batch() == 2
    assert {row["batch"] for table in TABLES for row in rows(folder, table)} == {1}
    assert folder.staged() == set()


class StoppedError(BaseException):
    """What stands for the end of the process."""


@dataclass
class Stop:
    """Let a number of changes of files happen, and then none."""

    changes: int

    def after(self, change: Callable[..., object]) -> Callable[..., object]:
        def changed(*arguments: object, **options: object) -> object:
            if self.changes <= 0:
                raise StoppedError
            self.changes -= 1
            return change(*arguments, **options)

        return changed


def test_a_run_that_is_stopped_anywhere_leaves_no_half_recording(
    tmp_path: Path, findings: Findings, monkeypatch: pytest.MonkeyPatch
):
    from fsspec.implementations.local import LocalFileSystem

    whole = {
        "recordings": {"/data/a": 1, "/data/b": 1},
        "beats": dict.fromkeys(("/data/a", "/data/b"), len(findings.analysis)),
    }
    changes, is_stopped = 0, True
    while is_stopped:
        folder = ArchiveFolder.at(tmp_path / str(changes))
        folder.open("detector")
        folder.stage("a", finding_rows(source("a"), findings, "detector", WHEN, None))
        folder.publish(1, ["a"], {})
        for name, key in (("a", "a2"), ("b", "b")):
            folder.stage(key, finding_rows(source(name, "g"), findings, "detector", WHEN, None))
        stop = Stop(changes)
        with monkeypatch.context() as patch:
            for change in ("mv", "rm_file", "makedirs"):
                patch.setattr(LocalFileSystem, change, stop.after(getattr(LocalFileSystem, change)))
            # A process that ends removes nothing.
            patch.setattr(table_file, "_remove", lambda *_: None)
            try:
                folder.publish(2, ["a2", "b"], folder.published())
                is_stopped = False
            except StoppedError:
                pass
        published = folder.published()
        here = counts(folder)
        for path, number in here["beats"].items():
            # The row of a recording that is analysed anew goes last.
            is_replaced = path == "/data/a" and published[path].fingerprint == "f"
            assert number == len(findings.analysis) or (is_replaced and number == 0), changes
        pending = folder.staged() & {"a2", "b"}
        assert pending or {entry.fingerprint for entry in published.values()} == {"g"}, changes
        if pending:
            folder.publish(folder.next_batch(), sorted(pending), published)
        after = counts(folder)
        assert {table: after[table] for table in whole} == whole, changes
        assert {entry.fingerprint for entry in folder.published().values()} == {"g"}
        assert folder.staged() == set()
        changes += 1
    assert changes > 15


def test_what_is_not_ours_is_left_alone(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(OutputError, match=r"file: it is a file; name a folder\.$"):
        ArchiveFolder.at(file).open("detector")
    with pytest.raises(OutputError, match="it holds other files; name a new or empty folder"):
        ArchiveFolder.at(tmp_path).open("detector")
    assert file.read_text() == "mine"
    tables = tmp_path / "tables"
    folder = ArchiveFolder.at(tables)
    folder.open("detector")
    folder.open("detector")
    with pytest.raises(OutputError, match="another detector made them"):
        folder.open("another")
    manifest = json.loads((tables / archive_folder.MANIFEST).read_text())
    (tables / archive_folder.MANIFEST).write_text(json.dumps({**manifest, "version": 2, "generator": "Ectopy 9.0"}))
    with pytest.raises(OutputError, match=r"they are of version 2, written by Ectopy 9\.0, and this is version 1"):
        folder.open("detector")


def test_a_folder_has_one_run_at_a_time(tmp_path: Path):
    folder = ArchiveFolder.at(tmp_path / "tables")
    folder.open("detector")
    with folder.locked(), pytest.raises(OutputError, match="another run writes there"), folder.locked():
        pass
    with folder.locked():
        pass


def test_what_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"^cannot write tables to .*file/tables: Not a directory\.$"):
        ArchiveFolder.at(tmp_path / "file" / "tables").open("detector")


def test_a_bucket_is_not_made(s3: S3FileSystem):
    with pytest.raises(OutputError, match=r"^cannot write tables to s3://nowhere/tables: .*bucket does not exist\.$"):
        ArchiveFolder.at("s3://nowhere/tables").open("detector")
    assert not s3.exists("nowhere")


def test_where_no_file_is_replaced_nothing_is_written():
    for place in ("https://me:secret@127.0.0.1/tables", "webhdfs://127.0.0.1:9870/tables"):
        with pytest.raises(OutputError, match=r"^cannot write tables to \w+://127[^@]*: .*; name a folder on this"):
            ArchiveFolder.at(place).open("detector")


def test_tables_are_of_their_schemas(tmp_path: Path, findings: Findings):
    tables = finding_rows(source("a"), findings, "detector", WHEN, None)
    for name, schema in TABLES.items():
        assert tables[name].schema.equals(schema)
        assert len(tables[name]) > 0
        for field in schema:
            assert field.metadata[b"text"], field
    folder = ArchiveFolder.at(tmp_path / "tables")
    folder.open("detector")
    folder.stage("a", tables)
    folder.publish(1, ["a"], {})
    for name in TABLES:
        written = pq.read_table(tmp_path / "tables" / name / "batch=000001" / "part.parquet", partitioning=None)
        assert written.equals(tables[name])


def test_the_fingerprint_is_that_of_all_files(tmp_path: Path):
    edf(tmp_path / "day.edf")
    (tmp_path / "100.hea").write_text("100 1 250 500\n100.dat 16 200/mV 16 0 0 0 0 II\n")
    (tmp_path / "100.dat").write_bytes(bytes(1000))
    before = find_sources([tmp_path, tmp_path / "day.edf"])
    assert [Path(entry.path).name for entry in before] == ["100.hea", "day.edf"]
    assert [entry.bytes for entry in before] == [
        1000 + (tmp_path / "100.hea").stat().st_size,
        (tmp_path / "day.edf").stat().st_size,
    ]
    assert find_sources([tmp_path]) == before
    (tmp_path / "100.dat").write_bytes(bytes(1002))
    after = find_sources([tmp_path])
    assert after[0].fingerprint != before[0].fingerprint
    assert after[1] == before[1]
    with pytest.raises(DataError, match=r"gone\.edf does not exist; name recordings, folders of them, or a pattern\.$"):
        find_sources([tmp_path / "gone.edf"])


def test_a_table_does_not_tell_a_password():
    pytest.importorskip("aiohttp")
    (entry,) = find_sources(["https://me:secret@127.0.0.1:9/day.edf?signature=1"])
    assert entry.path == "https://127.0.0.1:9/day.edf"
    assert entry.location == "https://me:secret@127.0.0.1:9/day.edf?signature=1"
