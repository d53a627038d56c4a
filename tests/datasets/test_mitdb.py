from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ectopy.datasets import mitdb
from ectopy.datasets.data_folders import DATA_VARIABLE
from ectopy.datasets.mitdb import DS1, DS2, PACED, RECORDS, fetch_mitdb, find_mitdb, load_mitdb
from ectopy.errors import DataError, DatasetUnavailableError, SettingError
from ectopy.formats import write_annotations
from ectopy.recording import Annotations
from support.command_line import assert_success
from support.data_sets import folder_of
from support.downloads import Server, archive, refused_fetch

pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

TWO_RECORDS = ("100", "101")


def test_the_two_sets() -> None:
    assert len(DS1) == len(DS2) == 22
    assert len(set(RECORDS)) == len(RECORDS) == 48
    assert set(RECORDS) == {*DS1, *DS2, *PACED}


@pytest.mark.parametrize("record", ["101", "208"])
def test_record(record: str) -> None:
    recording = load_mitdb(record, folder_of("mitdb", [record]))
    assert recording.signal.shape == (650_000, 2)
    assert recording.signal.dtype == np.float32
    assert recording.sampling_rate_hz == 360
    assert recording.leads == ("MLII", "V1")
    assert np.isfinite(recording.signal).all()
    beats = {"101": 1865, "208": 2955}[record]
    assert np.isin(recording.annotations.symbols, list("NLRaVFJASEj/Qenf")).sum() == beats


def test_no_such_record() -> None:
    with pytest.raises(SettingError, match="'110' is unknown"):
        load_mitdb("110")


def test_record_that_is_not_here(empty_machine: Path) -> None:
    with pytest.raises(DatasetUnavailableError, match="record 101 is not on this machine") as caught:
        load_mitdb("101")
    assert DATA_VARIABLE in str(caught.value)
    assert "`ectopy fetch mitdb`" in str(caught.value)


@pytest.fixture
def copy(tmp_path: Path, empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small database of silence, in a folder that ECTOPY_DATA does not name yet."""
    monkeypatch.setattr(mitdb, "RECORDS", TWO_RECORDS)
    folder = tmp_path / "data" / "mitdb"
    folder.mkdir(parents=True)
    for record in TWO_RECORDS:
        line = f"{record}.dat 212 200 11 1024 1024 0 0 {{}}\n"
        header = f"{record} 2 360 650000\n" + line.format("MLII") + line.format("V1")
        (folder / f"{record}.hea").write_text(header, encoding="ascii")
        (folder / f"{record}.dat").write_bytes(bytes(1_950_000))
        write_annotations(folder / f"{record}.atr", Annotations(np.array([77]), np.array(["N"])), 360)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """The files of a folder as PhysioNet's archive has them."""
    return {f"mit-bih-arrhythmia-database-1.0.0/{file.name}": file.read_bytes() for file in folder.iterdir()}


def test_fetched_once_then_found(server: Server, copy: Path, empty_machine: Path) -> None:
    members = {"mit-bih-arrhythmia-database-1.0.0/RECORDS": b"100\n101\n", **content(copy)}
    url = server.serve(archive(members))
    folder = fetch_mitdb(url=url)
    assert folder == empty_machine / "mitdb" == find_mitdb(TWO_RECORDS)
    assert sorted(file.name for file in folder.iterdir()) == sorted(file.name for file in copy.iterdir())
    assert load_mitdb("100").signal.shape == (650_000, 2)
    assert fetch_mitdb(url=url) == folder
    assert server.requests == 1


def test_command(ectopy, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(copy.parent))
    facts = json.loads(assert_success(ectopy("fetch", "mitdb", "--json", "-")).out)
    assert (facts["folder"], facts["records"]) == (str(copy), 2)


def test_a_part_of_it_is_found_for_what_it_holds(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(copy.parent))
    (copy / "101.atr").unlink()
    assert find_mitdb(TWO_RECORDS) is None
    assert find_mitdb(["100"]) == copy
    assert load_mitdb("100").annotations is not None


def test_a_damaged_copy_is_refused_or_replaced(
    server: Server, copy: Path, empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.serve(archive(content(copy)))
    cached = empty_machine / "mitdb"
    shutil.copytree(copy, cached)
    for folder in (copy, cached):
        (folder / "101.dat").write_bytes(bytes(1_949_999))
    assert fetch_mitdb(url=url, progress=False) == cached
    assert len(load_mitdb("101").signal) == 650_000
    monkeypatch.setenv(DATA_VARIABLE, str(copy.parent))
    with pytest.raises(DataError, match=r"101\.hea promises 650,000 samples"):
        fetch_mitdb(url=url, progress=False)


def test_another_record_in_its_place(copy: Path) -> None:
    header = (copy / "100.hea").read_text(encoding="ascii")
    (copy / "100.hea").write_text(header.replace("360 650000", "250 650000"), encoding="ascii")
    with pytest.raises(DataError, match="650000 samples of 2 leads at 250 Hz and 1 annotations, not"):
        load_mitdb("100", copy)


def test_archives_that_are_not_it(server: Server, copy: Path, empty_machine: Path) -> None:
    members = content(copy)
    whole = archive(members)
    assert "answered with status 404" in refused_fetch(fetch_mitdb, f"{server.url}/gone.zip", empty_machine)
    assert "not a whole zip archive" in refused_fetch(
        fetch_mitdb, server.serve(whole[: len(whole) // 2]), empty_machine
    )
    missing = {name: data for name, data in members.items() if not name.endswith("100.atr")}
    url = server.serve(archive(missing))
    assert "it has no 100.atr" in refused_fetch(fetch_mitdb, url, empty_machine)
    short = {name: data[:-1] if name.endswith("100.dat") else data for name, data in members.items()}
    url = server.serve(archive(short))
    assert "promises 650,000 samples" in refused_fetch(fetch_mitdb, url, empty_machine)
