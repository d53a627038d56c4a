"""Paths name recordings: files, folders, patterns; and a recording is all of its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ectopy.errors import DataError
from ectopy.formats.recording_files import files_of, find_recordings
from ectopy.formats.remote import file_states
from support.edf_files import edf

RECORD = "{0} 1 250 500\n{0}.dat 16 200/mV 16 0 0 0 0 II\n"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for name in ("a", "b/2024", "b/2025"):
        (tmp_path / name).mkdir(parents=True)
    edf(tmp_path / "a" / "day.edf")
    edf(tmp_path / "b" / "2024" / "night.EDF")
    (tmp_path / "b" / "2024" / "table.csv").write_text("time,II\n0,1\n")
    for name in ("100", "part"):
        (tmp_path / "b" / "2025" / f"{name}.hea").write_text(RECORD.format(name))
        (tmp_path / "b" / "2025" / f"{name}.dat").write_bytes(bytes(1000))
    (tmp_path / "b" / "2025" / "whole.hea").write_text("whole/1 1 250 500\npart 500\n")
    (tmp_path / "b" / "2025" / "100.atr").write_bytes(bytes(2))
    return tmp_path


def listed(archive: Path, pattern: str) -> list[str]:
    return [str(path.relative_to(archive)) for path in find_recordings([archive / pattern])]


def test_a_pattern_names_recordings_by_content_and_by_suffix(archive: Path):
    assert listed(archive, "**/*") == ["a/day.edf", "b/2024/night.EDF", "b/2025/100.hea", "b/2025/whole.hea"]
    assert listed(archive, "*/*.edf") == ["a/day.edf"]
    assert listed(archive, "b/20?4/*.csv") == ["b/2024/table.csv"]
    with pytest.raises(DataError, match="matches no recordings"):
        find_recordings([archive / "c*" / "*.edf"])


def test_a_relative_pattern_starts_here(archive: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(archive)
    assert find_recordings(["a/*.edf"]) == [Path("a/day.edf")]


def test_a_file_may_be_called_like_a_pattern(archive: Path):
    edf(archive / "a" / "[1].edf")
    assert listed(archive, "a/[1].edf") == ["a/[1].edf"]


def test_a_recording_is_all_of_its_files(archive: Path):
    folder = archive / "b" / "2025"
    names = [[path.name for path in files_of(folder / name)] for name in ("100.hea", "100", "whole.hea", "missing")]
    assert names == [["100.hea", "100.atr", "100.dat"]] * 2 + [["whole.hea", "part.hea", "part.dat"], []]
    assert files_of(archive / "a" / "day.edf") == [archive / "a" / "day.edf"]


def test_patterns_and_states_of_files_elsewhere(archive: Path):
    fsspec = pytest.importorskip("fsspec", reason="the extra 'remote' is not installed")
    files = fsspec.filesystem("memory")
    for path in archive.rglob("*.*"):
        files.pipe(f"/archive/{path.relative_to(archive)}", path.read_bytes())
    try:
        found = [str(path) for path in find_recordings(["memory://archive/b/*/*"])]
        assert [name.rpartition("archive/")[2] for name in found] == [
            "b/2024/night.EDF",
            "b/2025/100.hea",
            "b/2025/part.hea",
            "b/2025/whole.hea",
        ]
        assert [Path(str(path)).name for path in find_recordings(["memory://archive/b/*/*.csv"])] == ["table.csv"]
        with pytest.raises(DataError, match="holds no recordings"):
            find_recordings(["memory://archive/c/*.edf"])
        urls = ["memory://archive/b/2025/100.hea", "memory://archive/b/2025/101.hea"]
        record, missing = file_states(urls)
        assert record[0::3] == ("100.hea", "100.dat", "100.atr")
        assert record[4] == "1000"
        assert missing == ()
        assert file_states(urls) == [record, missing]
        files.pipe("/archive/b/2025/100.dat", bytes(998))
        assert file_states(urls)[0] != record
    finally:
        files.rm("/archive", recursive=True)
