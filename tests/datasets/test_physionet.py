"""Databases that are verified with the checksums that their owner publishes with them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from ectopy.datasets import fetch_challenge_2015, fetch_vfdb, physionet
from ectopy.datasets.data_folders import DATA_VARIABLE
from ectopy.errors import DataError, DatasetUnavailableError
from support.downloads import Server, archive

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
    for name in ("_CHALLENGE_2015", "_VFDB"):
        whole = getattr(physionet, name)
        monkeypatch.setattr(physionet, name, type(whole)(whole.folder, whole.suffixes, 2, whole.other))


@pytest.fixture
def url(server: Server, tmp_path: Path) -> str:
    return server.serve(archive(tmp_path / "a.zip", members(FILES | OTHER_FILES)))


def test_fetched_once_then_found(server: Server, url: str, empty_machine: Path):
    folder = fetch_challenge_2015(url=url, progress=False)
    assert folder == empty_machine / "cinc2015"
    records = {Path(name).name: content for name, content in FILES.items()}
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == records | {
        "SHA256SUMS.txt": sums(FILES | OTHER_FILES)
    }
    assert fetch_challenge_2015(url=url) == folder
    assert server.requests == 1


def test_files_of_the_uppermost_folder(server: Server, tmp_path: Path, empty_machine: Path):
    files = {f"{record}{suffix}": b"x" for record in ("1", "2") for suffix in (".hea", ".dat", ".atr", ".xws")}
    folder = fetch_vfdb(url=server.serve(archive(tmp_path / "a.zip", members(files))), progress=False)
    assert folder == empty_machine / "vfdb"
    assert len(list(folder.iterdir())) == 2 * 3 + 1


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
    ],
)
def test_archives_that_are_not_it(
    server: Server, empty_machine: Path, tmp_path: Path, content: dict[str, bytes], says: str
):
    with pytest.raises(DatasetUnavailableError) as caught:
        fetch_challenge_2015(url=server.serve(archive(tmp_path / "a.zip", content)), progress=False)
    message = str(caught.value)
    assert says in message
    assert "`ectopy fetch cinc2015`" in message
    assert message.count("\n") == 0
    assert list(empty_machine.iterdir()) == []


def test_a_file_that_is_too_large(server: Server, tmp_path: Path):
    large = FILES | {"training/a1.mat": bytes(4 * 2**20 + 1)}
    with pytest.raises(DatasetUnavailableError, match=r"a1\.mat unpacks to more than 4 MiB"):
        fetch_challenge_2015(url=server.serve(archive(tmp_path / "a.zip", members(large))), progress=False)
