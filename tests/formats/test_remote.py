"""Recordings elsewhere: in fsspec's memory, which stands for a bucket, and on a web server of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event

import numpy as np
import pytest

import ectopy
from ectopy.errors import DataError
from ectopy.formats import remote
from ectopy.formats.remote import display_url, list_recordings, remote_url
from support.command_line import CommandResult, assert_success
from support.edf_files import MILLIVOLT, edf
from support.server import reserved_port

fsspec = pytest.importorskip("fsspec", reason="the extra 'remote' is not installed")


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[str]:
    """A folder in memory with an EDF file, a WFDB record and a file that is neither."""
    edf(tmp_path / "day.edf")
    (tmp_path / "100.hea").write_text("100 1 250 500\n100.dat 16 200/mV 16 0 0 0 0 II\n")
    (tmp_path / "100.dat").write_bytes(np.arange(500, dtype="<i2").tobytes())
    files = fsspec.filesystem("memory")
    for path in tmp_path.iterdir():
        files.pipe(f"/bucket/{path.name}", path.read_bytes())
    files.pipe("/bucket/readme.md", b"no recording")
    yield "memory://bucket"
    files.rm("/bucket", recursive=True)


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; what begins with a number is answered with that status, and some with a kind of trouble."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].strip("/")
        if name[:3].isdigit():
            self.send_response(int(name[:3]))
            self.send_header("Location", f"/{name if name.startswith('301') else 'day.edf'}")
            self.end_headers()
        elif name.startswith("short"):
            self.send_response(200)
            self.send_header("Content-Length", "10000")
            self.end_headers()
            self.wfile.write(bytes(100))
        elif name.startswith("silent"):
            Event().wait(1.0)
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        if self.path.startswith("/3"):
            self.do_GET()
        else:
            self.send_response(405)
            self.end_headers()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("aiohttp")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_what_is_a_url():
    assert remote_url("s3://bucket/a/day.edf") == remote_url(Path("s3://bucket/a/day.edf")) == "s3://bucket/a/day.edf"
    assert remote_url("/home/day.edf") is None
    assert display_url("https://me:secret@host/day.edf?signature=abc#x") == "https://host/day.edf"


def test_a_file_and_a_record_with_what_belongs_to_it(bucket: str):
    recording = ectopy.read(f"{bucket}/day.edf")
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=4e-4)
    assert recording.source == f"{bucket}/day.edf"
    assert len(ectopy.read(Path(f"{bucket}/100.hea")).signal) == 500


def test_what_is_missing_or_damaged(bucket: str):
    with pytest.raises(DataError, match=r"^memory://bucket/gone\.edf does not exist\.$"):
        ectopy.read(f"{bucket}/gone.edf")
    with pytest.raises(DataError, match=r"^memory://bucket/readme\.md "):
        ectopy.read(f"{bucket}/readme.md")
    fsspec.filesystem("memory").rm("/bucket/100.dat")
    with pytest.raises(DataError, match=r"names the file 100\.dat, which is not beside it"):
        ectopy.read(f"{bucket}/100.hea")
    with pytest.raises(DataError, match=r"^nowhere://x/day\.edf cannot be read: "):
        ectopy.read("nowhere://x/day.edf")


def test_a_folder(bucket: str, ectopy: Callable[..., CommandResult]):
    assert list_recordings(bucket) == [f"{bucket}/100.hea", f"{bucket}/day.edf"]
    fsspec.filesystem("memory").rm("/bucket/100.hea")
    assert "memory://bucket/day.edf" in assert_success(ectopy("inspect", f"{bucket}/day.edf")).out


def test_a_web_server(server: str, tmp_path: Path):
    edf(tmp_path / "day.edf")
    recording = ectopy.read(f"{server}/day.edf?token=secret")
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=4e-4)
    assert recording.source == f"{server}/day.edf"
    with pytest.raises(DataError, match=r"gone\.edf does not exist"):
        ectopy.read(f"{server}/gone.edf")
    assert len(ectopy.read(f"{server}/302/day.edf").signal) == len(MILLIVOLT)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("301/day.edf", "cannot be read: its server leads in a circle."),
        ("403/day.edf", "cannot be read without permission: its server answers 403; log in, or ask for access."),
        ("503/day.edf", "cannot be read now: its server answers 503; try again later."),
        ("short.edf", "cannot be read: the connection ended before the whole file was there; try again."),
        ("silent.edf", "cannot be read: its server was silent for 0.2 s; try again later."),
        ("login.edf", "is a web page: log in there, or use the address of the file itself."),
        ("large.edf", "has more than 1,000 bytes; copy it here and split it."),
    ],
)
def test_a_web_server_in_trouble(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: str
):
    monkeypatch.setattr(remote, "SILENCE_S", 0.2)
    monkeypatch.setattr(remote, "MAX_BYTES", 1000)
    (tmp_path / "login.edf").write_text("<!doctype html>\n<html><body>Your name, please</body></html>")
    (tmp_path / "large.edf").write_bytes(bytes(2000))
    with pytest.raises(DataError) as caught:
        ectopy.read(f"{server}/{name}?token=secret")
    assert str(caught.value) == f"{server}/{name} {expected}"


def test_a_web_server_that_is_not_there():
    with reserved_port() as port, pytest.raises(DataError, match="cannot be read: its server cannot be reached"):
        ectopy.read(f"http://127.0.0.1:{port}/day.edf")
