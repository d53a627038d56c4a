"""Databases that are verified with the checksums that their owner publishes with them."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ectopy.datasets import (
    fetch_challenge_2015,
    fetch_challenge_2017,
    fetch_ltafdb,
    fetch_ludb,
    fetch_qtdb,
    fetch_vfdb,
    physionet,
)
from ectopy.datasets.data_folders import DATA_VARIABLE
from ectopy.datasets.ludb import LEADS
from ectopy.errors import DataError
from support.downloads import Server, archive, refused_fetch, send

TOP = "a-database-1.0.0"
FILES = {
    f"training/{record}{suffix}": f"{record}{suffix}".encode() for record in ("a1", "v2") for suffix in (".hea", ".mat")
}
FILES["training/ALARMS"] = b"a1,Asystole,1\nv2,Ventricular_Tachycardia,0\n"
OTHER_FILES = {"RECORDS": b"training/a1\n", "sources/a1.mat": b"another one", "training/RECORDS": b"a1\n"}


def sums(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in files.items()).encode()


def members(files: dict[str, bytes], listed: bytes | None = None) -> dict[str, bytes]:
    """An archive as PhysioNet makes it."""
    content = files | {"SHA256SUMS.txt": sums(files) if listed is None else listed}
    return {f"{TOP}/{name}": data for name, data in content.items()}


@pytest.fixture(autouse=True)
def two_records(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_CHALLENGE_2015", "_VFDB", "_QTDB", "_LUDB", "_CHALLENGE_2017", "_LTAFDB"):
        monkeypatch.setattr(physionet, name, replace(getattr(physionet, name), records=2))


@pytest.fixture
def url(server: Server) -> str:
    return server.serve(archive(members(FILES | OTHER_FILES)))


def test_fetched_once_then_found(server: Server, url: str, empty_machine: Path):
    folder = fetch_challenge_2015(url=url, progress=False)
    assert folder == empty_machine / "cinc2015"
    records = {Path(name).name: content for name, content in FILES.items()}
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == records | {
        "SHA256SUMS.txt": sums(FILES | OTHER_FILES)
    }
    assert fetch_challenge_2015(url=url) == folder
    assert server.requests == 1


def test_files_of_the_uppermost_folder(server: Server, empty_machine: Path):
    files = {f"{record}{suffix}": b"x" for record in ("1", "2") for suffix in (".hea", ".dat", ".atr", ".xws")}
    folder = fetch_vfdb(url=server.serve(archive(members(files))), progress=False)
    assert folder == empty_machine / "vfdb"
    assert len(list(folder.iterdir())) == 2 * 3 + 1


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_files_that_only_some_records_have(server: Server, empty_machine: Path):
    files = {f"{record}{suffix}": b"x" for record in ("sel30", "sel100") for suffix in (".hea", ".dat", ".q1c", ".pu")}
    files["sel100.atr"] = b"beats"
    folder = fetch_qtdb(url=server.serve(archive(members(files))), progress=False)
    assert folder == empty_machine / "qtdb"
    assert names(folder) == sorted({"SHA256SUMS.txt", *files} - {"sel30.pu", "sel100.pu"})
    assert (folder / "sel100.atr").read_bytes() == b"beats"
    (folder / "sel100.atr").unlink()
    assert fetch_qtdb(url=f"{server.url}/0.zip", progress=False) == folder
    assert (folder / "sel100.atr").is_file()


def test_an_annotation_file_for_each_lead(server: Server, empty_machine: Path):
    suffixes = ("hea", "dat", *LEADS)
    files = {f"data/{record}.{suffix}": b"x" for record in (1, 2) for suffix in suffixes} | {"ludb.csv": b"1"}
    folder = fetch_ludb(url=server.serve(archive(members(files))), progress=False)
    assert folder == empty_machine / "ludb"
    assert len(names(folder)) == 2 * len(suffixes) + 1


def serve_files(server: Server, files: dict[str, bytes], listed: bytes | None = None) -> str:
    """Address of a folder with files and their sums, as PhysioNet shows them one by one."""
    for name, content in (files | {"SHA256SUMS.txt": sums(files) if listed is None else listed}).items():
        server.answers[f"/files/a/1.0.0/{name}"] = partial(send, content=content, declared=len(content))
    return f"{server.url}/files/a/1.0.0/"


LONG = {f"{record}{suffix}": f"{record}{suffix}".encode() for record in ("00", "100") for suffix in (".hea", ".atr")}
SIGNALS = {"00.dat": b"a day", "100.dat": b"a day"}


def test_headers_and_annotations_without_the_signals(server: Server, empty_machine: Path):
    url = serve_files(server, LONG | SIGNALS)
    folder = fetch_ltafdb(url=url)
    assert folder == empty_machine / "ltafdb"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == LONG | {
        "SHA256SUMS.txt": sums(LONG | SIGNALS)
    }
    assert server.requests == len(LONG) + 1
    assert fetch_ltafdb(url=url) == folder
    assert server.requests == len(LONG) + 1


def archive_2017(*left_out: str) -> bytes:
    files = {f"A0000{number}{suffix}": b"x" for number in (1, 2) for suffix in (".hea", ".mat")}
    files |= {"REFERENCE.csv": b"A00001,N\nA00002,A\n", "RECORDS": b"A00001\n", "REFERENCE-original.csv": b"old"}
    wanted = {f"training2017/{name}": content for name, content in files.items() if name not in left_out}
    return archive(wanted)


def test_an_archive_that_has_a_checksum(server: Server, empty_machine: Path):
    url = serve_files(server, {"training2017.zip": archive_2017(), "sources/a.zip": b"x"})
    folder = fetch_challenge_2017(url=url, progress=False)
    assert folder == empty_machine / "cinc2017"
    assert names(folder) == ["A00001.hea", "A00001.mat", "A00002.hea", "A00002.mat", "REFERENCE.csv", "SHA256SUMS.txt"]
    assert fetch_challenge_2017(url=url) == folder
    assert server.requests == 2
    (folder / "A00002.mat").write_bytes(b"changed")
    assert fetch_challenge_2017(url=url) == folder
    assert (folder / "A00002.mat").read_bytes() == b"x"


def test_single_files_that_are_not_it(server: Server, empty_machine: Path):
    url = serve_files(server, LONG | {"00.atr": b"changed"}, sums(LONG))
    assert "its 00.atr has another checksum than SHA256SUMS.txt says" in refused_fetch(fetch_ltafdb, url, empty_machine)
    del server.answers["/files/a/1.0.0/00.atr"]
    assert "answered with status 404" in refused_fetch(fetch_ltafdb, url, empty_machine)
    url = serve_files(server, {name: content for name, content in LONG.items() if name.startswith("00")})
    assert "names 1 records; expected 2" in refused_fetch(fetch_ltafdb, url, empty_machine)
    url = serve_files(server, LONG | {"00.atr": bytes(4 * 2**20 + 1)})
    assert "larger than 4 MiB" in refused_fetch(fetch_ltafdb, url, empty_machine)


def test_archives_of_2017_that_are_not_it(server: Server, empty_machine: Path):
    whole = archive_2017()
    url = serve_files(server, {"training2017.zip": whole[:-1]}, sums({"training2017.zip": whole}))
    assert "its training2017.zip has another checksum" in refused_fetch(fetch_challenge_2017, url, empty_machine)
    url = serve_files(server, {"training2017.zip": whole}, sums({"validation.zip": whole}))
    assert "does not name training2017.zip" in refused_fetch(fetch_challenge_2017, url, empty_machine)
    url = serve_files(server, {"training2017.zip": archive_2017("A00002.mat")})
    assert "names 1 records; expected 2 and REFERENCE.csv" in refused_fetch(fetch_challenge_2017, url, empty_machine)
    url = serve_files(server, {"training2017.zip": b"no archive"})
    assert "not a whole zip archive" in refused_fetch(fetch_challenge_2017, url, empty_machine)


def test_the_command(ectopy, url: str):
    folder = fetch_challenge_2015(url=url, progress=False)
    result = ectopy("fetch", "cinc2015", "--json", "-")
    facts = json.loads(result.out)
    assert (result.status, facts["folder"], facts["records"]) == (0, str(folder), 2)


def test_a_damaged_copy_is_refused_or_replaced(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = fetch_challenge_2015(url=url, progress=False)
    (folder / "a1.mat").write_bytes(b"changed")
    assert fetch_challenge_2015(url=url, progress=False) == folder
    assert (folder / "a1.mat").read_bytes() == b"a1.mat"
    own = shutil.copytree(folder, tmp_path / "data" / "cinc2015")
    (own / "a1.mat").write_bytes(b"changed")
    monkeypatch.setenv(DATA_VARIABLE, str(own.parent))
    with pytest.raises(DataError, match=r"a1\.mat has another checksum"):
        fetch_challenge_2015(url=url, progress=False)


def test_a_copy_without_checksums_is_left_alone(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = tmp_path / "data" / "cinc2015"
    own.mkdir(parents=True)
    (own / "ALARMS").write_text("mine")
    monkeypatch.setenv(DATA_VARIABLE, str(own.parent))
    assert fetch_challenge_2015(url=url, progress=False) != own
    assert [file.name for file in own.iterdir()] == ["ALARMS"]


def changed(name: str) -> dict[str, bytes]:
    return members(FILES | {name: b"changed"}, sums(FILES))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (changed("training/v2.mat"), "its v2.mat has another checksum than SHA256SUMS.txt says"),
        ({name: data for name, data in members(FILES).items() if not name.endswith("v2.mat")}, "it has no v2.mat"),
        ({"x/a1.hea": b"x"}, "it has no SHA256SUMS.txt"),
        (members(FILES, b""), "names 0 records, and no ALARMS; expected 2 and ALARMS"),
        (members(FILES, b"no sums at all"), "has no lines of a SHA-256 and a path"),
        (members(FILES, b"\xff\xfe"), "has no lines of a SHA-256 and a path"),
        (members({f"training/{n}{end}": b"" for n in range(3) for end in (".hea", ".mat")}), "names 3 records"),
        (members(FILES | {"training/a1.mat": bytes(4 * 2**20 + 1)}), "a1.mat unpacks to more than 4 MiB"),
    ],
)
def test_archives_that_are_not_it(server: Server, empty_machine: Path, content: dict[str, bytes], says: str):
    assert says in refused_fetch(fetch_challenge_2015, server.serve(archive(content)), empty_machine)
