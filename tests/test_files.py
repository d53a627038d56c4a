from __future__ import annotations

import stat
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from ectopy.errors import OutputError
from ectopy.files import atomic_path, check_writable, make_folder, packed, write_text


def test_a_file_appears_whole(tmp_path: Path):
    target = tmp_path / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path: Path, failure: type[BaseException]):
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write_and_fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("new")
            raise failure

    with pytest.raises(failure):
        write_and_fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_permissions_are_those_of_an_ordinary_new_file(tmp_path: Path):
    write_text(tmp_path / "ours", "x")
    (tmp_path / "theirs").write_text("x")
    ours, theirs = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "theirs"))
    assert ours == theirs


def test_places_that_cannot_be_written_are_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "none" / "x", tmp_path / "file" / "x", tmp_path):
        with pytest.raises(OutputError, match=place.name):
            check_writable(place)
    with pytest.raises(OutputError, match="file"):
        make_folder(tmp_path / "file" / "x")


def test_an_archive_holds_its_files_and_no_time():
    members = {"b.txt": b"beats", "a.bin": bytes(1000)}
    with zipfile.ZipFile(BytesIO(packed(members))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == members
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
