"""The worker says in one sentence what is wrong with a recording, a document or the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ectopy.datasets.mitdb import find_mitdb
from ectopy.errors import DataError, StorageError
from ectopy.service.recordings import Library, StoredRecording
from ectopy.service.recordings.result import load_result
from ectopy.service.recordings.stored_recording import NEW_RESULT, read_stored, write_stored
from ectopy.service.recordings.worker import work
from support.uploads import BAD, csv, upload


def test_wfdb_record_of_several_files(tmp_path):
    folder = find_mitdb(("101",))
    if folder is None:
        pytest.skip("the MIT-BIH Arrhythmia Database is not on this machine")
    # The first seconds of it, for time's sake.
    header = (folder / "101.hea").read_text().replace("101 2 360 650000", "101 2 360 21600")
    data = (folder / "101.dat").read_bytes()[: 21600 * 3]
    files = {"101.hea": _without_checksums(header), "101.dat": data}
    entry = Library(tmp_path).add([upload(name, content) for name, content in files.items()])
    assert entry.name == "101"
    assert analyse_here(tmp_path / entry.id) == ""
    assert load_result(tmp_path / entry.id / NEW_RESULT).summary["leads"] == ["MLII", "V1"]


def _without_checksums(header: str) -> bytes:
    return "\n".join(line for line in header.splitlines() if not line.startswith("#")).encode()


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_get_one_sentence(kind, tmp_path):
    library = Library(tmp_path / "recordings")
    files, words = BAD[kind]
    entry = library.add([upload(name, content) for name, content in files.items()])
    error = analyse_here(tmp_path / "recordings" / entry.id)
    assert error.endswith(".")
    assert error.count("\n") == 0
    assert words in error
    assert str(tmp_path) not in error


def analyse_here(folder: Path) -> str:
    """The error of an analysis in this process."""
    return work(folder, read_stored(folder))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device"), "cannot be written on this machine: no space left on device."),
        (MemoryError(), "cannot be written on this machine: there is not enough memory."),
        (ZeroDivisionError(), "cannot be written; who runs the service finds the reason in its log."),
        (DataError("the recording has no beats."), "the recording has no beats."),
    ],
)
def test_a_document_that_fails_says_why_in_one_sentence(tmp_path: Path, error: Exception, sentence: str):
    """It is a document that failed, not the analysis of the recording."""

    def fail() -> None:
        raise error

    told = work(tmp_path, StoredRecording("0" * 16, "day", 0.0, "day.edf"), fail)
    assert told.removeprefix("the document ") == sentence


def test_an_entry_with_an_unknown_name_fails_with_a_message(tmp_path):
    library = Library(tmp_path)
    entry = library.add_builtin("simulated")
    write_stored(tmp_path / entry.id, replace(entry, main="../../etc"))
    assert "there is no recording" in analyse_here(tmp_path / entry.id)


def test_a_recording_that_is_mostly_a_gap_is_refused(tmp_path):
    """A few kilobytes must not become gigabytes."""
    lines = [
        f"{second:.4f},{second % 1:.2f}" for start in (0, 6 * 3600) for second in np.arange(start, start + 4, 1 / 250)
    ]
    library = Library(tmp_path / "recordings")
    entry = library.add([upload("a.csv", "\n".join(["time (s),II (mV)", *lines]).encode())])
    folder = tmp_path / "recordings" / entry.id
    assert work(folder, entry)
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 100_000


def test_an_analysis_leaves_room_on_the_disk(tmp_path, monkeypatch):
    library = Library(tmp_path / "recordings")
    entry = library.add([upload("a.csv", csv(20))])
    monkeypatch.setattr("ectopy.service.recordings.stored_recording.SPARE_BYTES", 2**60)
    assert "disk is nearly full" in work(tmp_path / "recordings" / entry.id, entry)
    with pytest.raises(StorageError, match="disk is nearly full"):
        library.add([upload("a.csv", csv(1))])
