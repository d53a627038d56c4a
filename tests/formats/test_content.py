"""Files are recognised by what they hold, under any name."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy.errors import DataError
from ectopy.formats.content import format_of
from ectopy.formats.recording_files import find_recordings
from support import aecg_files, edf_files, ishne_files, muse_files, scp_files
from support.refusals import refusal


def npy(path: Path) -> Path:
    with path.open("wb") as stream:
        np.save(stream, np.zeros((500, 2)))
    return path


WRITERS: dict[str, Callable[[Path], object]] = {
    "edf": edf_files.edf,
    "ishne": ishne_files.ishne,
    "scp": lambda path: scp_files.scp(path, scp_files.SECTIONS),
    "muse": muse_files.muse,
    "aecg": lambda path: aecg_files.aecg(path, aecg_files.series(aecg_files.times(), *aecg_files.LEADS)),
    "npy": npy,
}


@pytest.mark.parametrize("name", ["ecg", "ecg.txt", "ecg.edf", "ecg.dat", "ECG.XML"])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_format_under_any_name(tmp_path: Path, kind: str, name: str):
    path = tmp_path / name
    WRITERS[kind](path)
    assert format_of(path) == kind
    stated = {"sampling_rate_hz": 250, "unit": "mV"} if kind == "npy" else {}
    assert len(ectopy.read(path, **stated).signal) >= 400


def test_a_table_under_any_name(tmp_path: Path):
    (tmp_path / "ecg.log").write_text(
        "time (s),II (mV)\n" + "".join(f"{i / 250},{i % 7 / 7:.3f}\n" for i in range(500))
    )
    assert ectopy.read(tmp_path / "ecg.log").leads == ("II",)


def test_what_is_packed_or_a_picture_is_named(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "day.ecg", "w") as archive:
        archive.writestr("day.ecg", b"ISHNE1.0")
    (tmp_path / "day.csv").write_bytes(gzip.compress(b"II\n1\n"))
    (tmp_path / "page.edf").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "shot.dcm").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "is a zip archive: unpack it" in refusal(tmp_path / "day.ecg")
    assert "is packed with gzip: unpack it" in refusal(tmp_path / "day.csv")
    assert "is a PDF" in refusal(tmp_path / "page.edf")
    assert "is a picture" in refusal(tmp_path / "shot.dcm")


def test_a_folder_holds_its_recordings_and_no_tables(tmp_path: Path):
    for kind, writer in WRITERS.items():
        writer(tmp_path / f"{kind}.bin")
    ishne_files.ishne(tmp_path / "beats.ann", magic=b"ANN  1.0", body=bytes(4))
    (tmp_path / "page.xml").write_text("<html/>")
    (tmp_path / "notes.txt").write_text("read me")
    (tmp_path / "inner").mkdir()
    names = [path.stem for path in find_recordings([tmp_path])]
    assert names == sorted(WRITERS.keys() - {"npy"})
    with pytest.raises(DataError, match="holds no recordings"):
        find_recordings([tmp_path / "inner"])
