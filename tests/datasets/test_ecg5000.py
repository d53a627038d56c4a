from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ectopy.beats import BEAT_SAMPLES, Beats, beats_digest
from ectopy.datasets import ecg5000 as ecg5000_files
from ectopy.datasets import fetch_ecg5000, load, load_ecg5000
from ectopy.datasets.beat_files import ECG5000_LAYOUT
from ectopy.datasets.data_folders import DATA_VARIABLE
from ectopy.datasets.ecg5000 import (
    MAX_ARCHIVE_BYTES,
    MAX_MEMBER_BYTES,
    find_ecg5000,
)
from ectopy.errors import DataError, DatasetUnavailableError, SettingError
from support.downloads import Server, archive, refused_fetch, send
from support.labelled_beats import Parts
from support.waiting import PATIENCE_S

DIGEST = "a9ec1f772edc0d53ed19833c3988793a3b02b18889a3b8bd8aaf22c1380f5c5f"
TRAIN, TEST = "ECG5000_TRAIN.txt", "ECG5000_TEST.txt"


# The data set


def test_official_parts(ecg5000: Parts) -> None:
    assert ecg5000.train.samples.shape == (500, BEAT_SAMPLES)
    assert ecg5000.test.samples.shape == (4500, BEAT_SAMPLES)
    assert ecg5000.train.layout == ecg5000.test.layout == ECG5000_LAYOUT
    assert ecg5000.train.source == "ECG5000, official training part"
    assert ecg5000.test.source == "ECG5000, official test part"


def test_classes_of_the_official_parts(ecg5000: Parts) -> None:
    assert np.bincount(ecg5000.train.labels).tolist() == [0, 292, 177, 10, 19, 2]
    assert ecg5000.test.abnormal.sum() == 1873


def test_rows_are_z_scored(ecg5000: Parts) -> None:
    for part in ecg5000:
        samples = part.samples.astype(float)
        np.testing.assert_allclose(samples.mean(axis=1), 0, atol=1e-6)
        np.testing.assert_allclose(samples.std(axis=1, ddof=1), 1, atol=1e-6)


def test_all_is_train_then_test(ecg5000: Parts) -> None:
    whole = load_ecg5000("all", download=False)
    np.testing.assert_array_equal(whole.samples[:500], ecg5000.train.samples)
    np.testing.assert_array_equal(whole.samples[500:], ecg5000.test.samples)
    np.testing.assert_array_equal(whole.abnormal[500:], ecg5000.test.abnormal)
    np.testing.assert_array_equal(load("ecg5000").samples, whole.samples)


def test_digest_of_all_beats_in_any_order(ecg5000: Parts) -> None:
    whole = np.concatenate([ecg5000.test.samples, ecg5000.train.samples])
    assert beats_digest(whole) == beats_digest(whole[::-1]) == DIGEST
    whole[0, 0] += 1e-6
    assert beats_digest(whole) != DIGEST


def verify(train: Beats, test: Beats) -> None:
    for beats, part in zip((train, test), ecg5000_files._PARTS, strict=True):
        ecg5000_files._verify_part(beats, part)


def test_verification_accepts_the_official_parts_and_unknown_classes(ecg5000: Parts) -> None:
    labels = ecg5000.test.labels
    verify(ecg5000.train, ecg5000.test)
    verify(ecg5000.train, replace(ecg5000.test, labels=np.where(labels > 1, 0, labels)))


def test_verification_refuses_other_classes(ecg5000: Parts) -> None:
    train, test = ecg5000
    changed_train = np.where(train.labels == 5, 4, train.labels)
    changed_test = np.where(test.labels == 1, 0, test.labels)
    for parts in (
        (replace(train, labels=changed_train), test),
        (replace(train, labels=np.where(train.labels == 2, 0, train.labels)), test),
        (train, replace(test, labels=changed_test)),
        (train, replace(test, labels=np.where(test.labels == 0, 5, test.labels))),
        (train, replace(test, labels=None)),
        (train, replace(test, labels=np.where(test.labels == 5, 6, test.labels))),
        (train, replace(test, labels=np.where(test.labels == 5, -1, test.labels))),
    ):
        with pytest.raises(DataError, match="other classes than the ECG5000"):
            verify(*parts)


def test_verification_refuses_one_changed_value(ecg5000: Parts) -> None:
    samples = ecg5000.test.samples.copy()
    samples[4000, 7] = np.nextafter(samples[4000, 7], np.float32(9))
    with pytest.raises(DataError, match="other values than the ECG5000"):
        verify(ecg5000.train, replace(ecg5000.test, samples=samples))


def test_verification_refuses_exchanged_parts(ecg5000: Parts) -> None:
    with pytest.raises(DataError, match="has 4500 beats, not the 500"):
        verify(ecg5000.test, ecg5000.train)


def test_unknown_split() -> None:
    with pytest.raises(SettingError, match="'valid' is unknown; ECG5000 has train, test and all"):
        load("ecg5000", "valid")


# Where it is found


@pytest.fixture
def own_copy(ecg5000_folder: Path, empty_machine: Path, tmp_path: Path) -> Path:
    """A user's own copy, in a folder that ECTOPY_DATA does not name yet."""
    folder = tmp_path / "data" / "ecg5000"
    shutil.copytree(ecg5000_folder, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    return folder


def test_named_folders_come_before_the_cache_and_in_their_order(
    own_copy: Path, empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_ecg5000() is None
    cached = empty_machine / "ecg5000"
    shutil.copytree(own_copy, cached)
    assert find_ecg5000() == cached
    folders = [tmp_path / "missing", own_copy.parent, empty_machine]
    monkeypatch.setenv(DATA_VARIABLE, os.pathsep.join(["", *map(str, folders)]))
    assert find_ecg5000() == own_copy


def test_a_folder_with_one_part_is_passed_over(own_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(own_copy.parent))
    (own_copy / TEST).unlink()
    assert find_ecg5000() is None


def test_a_truncated_copy_is_refused_by_name(own_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(own_copy.parent))
    lines = (own_copy / TEST).read_text(encoding="utf-8").splitlines(keepends=True)
    (own_copy / TEST).write_text("".join(lines[:-1]), encoding="utf-8")
    assert len(load_ecg5000("train")) == 500
    for use in (lambda: load_ecg5000("test"), fetch_ecg5000):
        with pytest.raises(DataError, match="has 4499 beats, not the 4500") as caught:
            use()
        assert str(own_copy) in str(caught.value)
        assert "ectopy fetch ecg5000" in str(caught.value)


def test_nothing_here_and_no_download_allowed(empty_machine: Path) -> None:
    with pytest.raises(DatasetUnavailableError, match="may not be downloaded") as caught:
        load_ecg5000(download=False)
    assert DATA_VARIABLE in str(caught.value)
    assert "`ectopy fetch ecg5000`" in str(caught.value)


# The download, from a server on this machine


@pytest.fixture(scope="session")
def members(ecg5000_folder: Path) -> dict[str, bytes]:
    """The official files, as the owner's archive has them."""
    if not all((ecg5000_folder / name).exists() for name in (TRAIN, TEST)):
        pytest.skip("this copy of ECG5000 is not in the .txt format")
    return {name: (ecg5000_folder / name).read_bytes() for name in (TRAIN, TEST)}


@pytest.fixture(scope="session")
def good_archive(members: dict[str, bytes]) -> bytes:
    return archive({"ECG5000.txt": b"about", "../ECG5000_TRAIN.csv": b"no", "ECG5000_TRAIN.ts": b"no"} | members)


def test_fetched_once_then_found(server: Server, good_archive: bytes, empty_machine: Path, ecg5000: Parts) -> None:
    url = server.serve(good_archive)
    folder = fetch_ecg5000(url=url)
    assert folder == empty_machine / "ecg5000" == find_ecg5000()
    assert sorted(file.name for file in folder.iterdir()) == sorted([TRAIN, TEST])
    assert list(empty_machine.iterdir()) == [folder]
    np.testing.assert_array_equal(load_ecg5000("test").samples, ecg5000.test.samples)
    assert fetch_ecg5000(url=url) == folder
    assert server.requests == 1


def test_archive_with_a_folder_and_another_format(
    server: Server, members: dict[str, bytes], ecg5000_folder: Path
) -> None:
    file = ecg5000_folder / "ECG5000_TRAIN.arff"
    if not file.exists():
        pytest.skip("this copy of ECG5000 has no .arff")
    content = {"ECG5000/ECG5000_TRAIN.arff": file.read_bytes(), f"ECG5000/{TEST}": members[TEST]}
    folder = fetch_ecg5000(url=server.serve(archive(content)))
    assert sorted(file.name for file in folder.iterdir()) == [TEST, "ECG5000_TRAIN.arff"]


def test_a_damaged_copy_in_the_cache_is_refused_then_replaced(
    server: Server, good_archive: bytes, own_copy: Path, empty_machine: Path
) -> None:
    cached = empty_machine / "ecg5000"
    shutil.copytree(own_copy, cached)
    (cached / TRAIN).write_bytes((cached / TRAIN).read_bytes().replace(b"e-01", b"e-02", 1))
    with pytest.raises(DataError, match="other values"):
        load_ecg5000("train")
    assert fetch_ecg5000(url=server.serve(good_archive)) == cached
    assert len(load_ecg5000("train")) == 500
    assert list(empty_machine.iterdir()) == [cached]


def test_two_fetches_at_once(server: Server, good_archive: bytes, empty_machine: Path) -> None:
    url = server.serve(good_archive)
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: fetch_ecg5000(url=url, progress=False), range(2)))
    assert folders == [empty_machine / "ecg5000"] * 2
    assert list(empty_machine.iterdir()) == folders[:1]


def test_no_such_file_on_the_server(server: Server, empty_machine: Path) -> None:
    assert "answered with status 404" in refused_fetch(fetch_ecg5000, f"{server.url}/gone.zip", empty_machine)


def test_no_server(server: Server, empty_machine: Path) -> None:
    unused = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    unused.server_close()
    url = f"http://127.0.0.1:{unused.server_port}/a.zip"
    assert "the server cannot be reached" in refused_fetch(fetch_ecg5000, url, empty_machine)
    assert "cannot be reached" in refused_fetch(fetch_ecg5000, "no address", empty_machine)


def test_server_that_breaks_off(server: Server, empty_machine: Path) -> None:
    content = bytes(300_000)
    url = server.answer(lambda handler: send(handler, content[:200_000], len(content)))
    assert "the transfer broke off" in refused_fetch(fetch_ecg5000, url, empty_machine)


def one_byte_changed(content: bytes, members: dict[str, bytes]) -> bytes:
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    return bytes(damaged)


def bomb(content: bytes, members: dict[str, bytes]) -> bytes:
    return archive(members | {TEST: bytes(MAX_MEMBER_BYTES + 1)})


def bomb_that_lies_about_its_size(content: bytes, members: dict[str, bytes]) -> bytes:
    size, claim = (number.to_bytes(4, "little") for number in (MAX_MEMBER_BYTES + 1, 1000))
    assert size in bomb(content, members)
    return bomb(content, members).replace(size, claim)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(lambda content, _: content[: len(content) // 2], "not a whole zip archive", id="half of it"),
        pytest.param(lambda *_: b"<html>Please log in</html>", "not a whole zip archive", id="a page in its place"),
        pytest.param(one_byte_changed, "not a whole zip archive", id="one byte changed"),
        pytest.param(
            lambda _, members: archive({TRAIN: members[TRAIN]}),
            "it has no ECG5000_TEST.txt or ECG5000_TEST.ts or ECG5000_TEST.arff",
            id="one part only",
        ),
        pytest.param(
            lambda _, members: archive(members | {TEST: members[TEST].replace(b"e-01", b"e-02", 1)}),
            "it has other values than the ECG5000, official test part",
            id="one value changed",
        ),
        pytest.param(bomb, "ECG5000_TEST.txt unpacks to more than 64 MiB", id="bomb"),
        pytest.param(bomb_that_lies_about_its_size, "not a whole zip archive", id="bomb that lies about its size"),
        pytest.param(
            lambda _, members: archive({TRAIN: members[TRAIN][:1000]}, zipfile.ZIP_LZMA),
            "compressed in an unusual way",
            id="unusual compression",
        ),
    ],
)
def test_archives_that_are_not_it(
    server: Server,
    good_archive: bytes,
    members: dict[str, bytes],
    empty_machine: Path,
    changed: Callable[[bytes, dict[str, bytes]], bytes],
    expected: str,
) -> None:
    url = server.serve(changed(good_archive, members))
    assert expected in refused_fetch(fetch_ecg5000, url, empty_machine)


def test_endless_download(server: Server, empty_machine: Path) -> None:
    def send_without_end(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(2 * MAX_ARCHIVE_BYTES // 2**20):
                handler.wfile.write(bytes(2**20))
        except OSError:
            return

    url = server.answer(send_without_end)
    assert "larger than 64 MiB" in refused_fetch(fetch_ecg5000, url, empty_machine)


def test_cache_that_cannot_be_written(server: Server, good_archive: bytes, empty_machine: Path) -> None:
    empty_machine.parent.mkdir(parents=True, exist_ok=True)
    empty_machine.write_text("a file where the cache folder belongs")
    with pytest.raises(DatasetUnavailableError, match="cannot be written"):
        fetch_ecg5000(url=server.serve(good_archive))
    assert server.requests == 0


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_interrupt_leaves_nothing(server: Server, empty_machine: Path) -> None:
    under_way, may_end = threading.Event(), threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> None:
        send(handler, bytes(2**20), 2**21)
        under_way.set()
        may_end.wait(60)

    code = f"from ectopy.datasets import fetch_ecg5000; fetch_ecg5000(url={server.answer(stall)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        assert under_way.wait(PATIENCE_S)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
    finally:
        may_end.set()
        process.kill()
    assert "KeyboardInterrupt" in errors
    assert list(empty_machine.iterdir()) == []
