"""Recordings elsewhere: in fsspec's memory, in an object store and on a web server of this machine."""

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
from ectopy.formats import file_systems, remote
from ectopy.formats.remote import display_url, file_states, list_recordings, remote_url
from support.command_line import CommandResult, assert_refused, assert_success
from support.edf_files import MILLIVOLT, edf
from support.server import reserved_port

fsspec = pytest.importorskip("fsspec", reason="the extra 'remote' is not installed")


@pytest.fixture(params=["memory", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder elsewhere with an EDF file, a WFDB record and a file that is neither."""
    edf(tmp_path / "day.edf")
    (tmp_path / "100.hea").write_text("100 1 250 500\n100.dat 16 200/mV 16 0 0 0 0 II\n")
    (tmp_path / "100.dat").write_bytes(np.arange(500, dtype="<i2").tobytes())
    in_memory = request.param == "memory"
    files = fsspec.filesystem("memory") if in_memory else request.getfixturevalue("s3")
    folder = "/bucket" if in_memory else "archive/bucket"
    for path in tmp_path.iterdir():
        files.pipe(f"{folder}/{path.name}", path.read_bytes())
    files.pipe(f"{folder}/readme.md", b"no recording")
    yield "memory://bucket" if in_memory else f"s3://{folder}"
    files.rm(folder, recursive=True)


def remove(url: str) -> None:
    system, path = fsspec.core.url_to_fs(url)
    system.rm(path)


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
    # A record may be named by its header, by its samples, or without a suffix.
    for name in ("100.hea", "100.dat", "100"):
        assert len(ectopy.read(Path(f"{bucket}/{name}")).signal) == 500
        assert file_states([f"{bucket}/{name}"])[0][0::3] in (("100.hea", "100.dat"), ("100.dat", "100.hea"))


def test_what_is_missing_or_damaged(bucket: str):
    with pytest.raises(DataError, match=rf"^{bucket}/gone\.edf does not exist\.$"):
        ectopy.read(f"{bucket}/gone.edf")
    with pytest.raises(DataError, match=rf"^{bucket}/readme\.md "):
        ectopy.read(f"{bucket}/readme.md")
    with pytest.raises(DataError, match=rf"^{bucket} is a folder; name a recording in it\.$"):
        ectopy.read(bucket)
    remove(f"{bucket}/100.dat")
    with pytest.raises(DataError, match=r"names the file 100\.dat, which is not beside it"):
        ectopy.read(f"{bucket}/100.hea")
    with pytest.raises(DataError, match=r"^nowhere://x/day\.edf cannot be read: "):
        ectopy.read("nowhere://x/day.edf")


def test_a_folder(bucket: str, ectopy: Callable[..., CommandResult]):
    assert list_recordings(bucket) == [f"{bucket}/100.hea", f"{bucket}/day.edf"]
    assert list_recordings(f"{bucket}/*.edf") == [f"{bucket}/day.edf"]
    remove(f"{bucket}/100.hea")
    assert f"{bucket}/day.edf" in assert_success(ectopy("inspect", f"{bucket}/day.edf")).out
    assert_refused(ectopy("inspect", f"{bucket}/day.edf", "--json", f"{bucket}/day.json"), "written on this machine")


def test_a_bucket_that_is_not_there(s3: object):
    for url in ("s3://nowhere/day.edf", "s3://nowhere"):
        with pytest.raises(DataError, match=rf"^{url} does not exist\.$"):
            ectopy.read(url)


def test_an_object_store_in_trouble(s3: object, monkeypatch: pytest.MonkeyPatch):
    def refused(name: str, value: str | None, expected: str) -> None:
        with monkeypatch.context() as patch:
            patch.setenv(name, value) if value else patch.delenv(name)
            fsspec.get_filesystem_class("s3").clear_instance_cache()
            with pytest.raises(DataError) as caught:
                ectopy.read("s3://archive/day.edf")
        assert str(caught.value) == f"s3://archive/day.edf cannot be read: {expected}."

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    refused("AWS_ACCESS_KEY_ID", None, file_systems.NO_CREDENTIALS)
    with reserved_port() as port:
        refused("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}", file_systems.UNREACHABLE)


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
        ("403/day.edf", "cannot be read: its server answers 403, permission denied; log in, or ask for access."),
        ("503/day.edf", "cannot be read: its server answers 503; try again later."),
        ("short.edf", "cannot be read: the connection ended before the whole file was there; try again."),
        ("silent.edf", "cannot be read: its server was silent for 0.2 s; try again later."),
        ("login.edf", "is a web page: log in there, or use the address of the file itself."),
        ("large.edf", "has more than 1,000 bytes; copy it here and split it."),
    ],
)
def test_a_web_server_in_trouble(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: str
):
    monkeypatch.setattr(file_systems, "SILENCE_S", 0.2)
    monkeypatch.setattr(remote, "MAX_BYTES", 1000)
    (tmp_path / "login.edf").write_text("<!doctype html>\n<html><body>Your name, please</body></html>")
    (tmp_path / "large.edf").write_bytes(bytes(2000))
    with pytest.raises(DataError) as caught:
        ectopy.read(f"{server}/{name}?token=secret")
    assert str(caught.value) == f"{server}/{name} {expected}"


def test_a_web_server_that_is_not_there():
    with reserved_port() as port, pytest.raises(DataError, match="cannot be read: its server cannot be reached"):
        ectopy.read(f"http://127.0.0.1:{port}/day.edf")
