"""Recordings elsewhere: in fsspec's memory, which stands for a bucket, and on a web server of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy.errors import DataError
from ectopy.formats.remote import display_url, list_recordings, remote_url
from support.command_line import CommandResult, assert_success
from support.edf_files import MILLIVOLT, edf

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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as http:
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
    pytest.importorskip("aiohttp")
    edf(tmp_path / "day.edf")
    recording = ectopy.read(f"{server}/day.edf?token=secret")
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=4e-4)
    assert recording.source == f"{server}/day.edf"
    with pytest.raises(DataError, match=r"gone\.edf does not exist"):
        ectopy.read(f"{server}/gone.edf")
