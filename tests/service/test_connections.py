"""Clients that keep the service waiting: half-open requests, slow headers, bodies and readers, and too many of them."""

from __future__ import annotations

import io
import json
import logging
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from ectopy.service import connections
from ectopy.service.connections import Connections, connections_within_descriptors
from ectopy.service.json_logs import WARNINGS_PER_MINUTE, Throttle, log_as_json
from support.server import Service, address_of, key_of, running, served, small
from support.waiting import PATIENCE_S, until

HALF = b"GET / HTTP/1.1\r\nHost: x\r\n"
SLOW_BODY = b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{"


def place(service: Service) -> tuple[str, int]:
    url = httpx.URL(service.url)
    return url.host, url.port or 0


@contextmanager
def clients(address: tuple[str, int], number: int, content: bytes) -> Iterator[list[socket.socket]]:
    """Many connections that have sent this; those that the service has ended already are among them."""
    with ExitStack() as stack:
        sockets = []
        for _ in range(number):
            one = stack.enter_context(socket.create_connection(address, PATIENCE_S))
            with suppress(ConnectionResetError, BrokenPipeError):
                one.sendall(content)
            sockets.append(one)
        yield sockets


def is_ended(one: socket.socket) -> bool:
    """Whether the service has ended the connection; what it said first is read."""
    one.settimeout(PATIENCE_S)
    with suppress(ConnectionResetError, BrokenPipeError):
        while one.recv(65536):
            pass
    return True


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for."""
    monkeypatch.setattr(connections, "HEADERS_S", 1.0)
    monkeypatch.setattr(connections, "BODY_S", 1.0)
    monkeypatch.setattr(connections, "WRITE_S", 1.0)


@pytest.mark.parametrize("content", [b"", HALF, b"GET /health HTTP/1.1\r\nX: " + b"a" * 5000, SLOW_BODY])
def test_half_a_request_is_ended(tmp_path: Path, hurried: None, content: bytes):
    with running(tmp_path) as service, clients(place(service), 3, content) as waiting:
        assert all(is_ended(one) for one in waiting)


@pytest.mark.parametrize("content", [b"a", b"X-A: b\r\n"])
def test_a_request_that_trickles_in_is_ended(tmp_path: Path, hurried: None, content: bytes):
    with running(tmp_path) as service, clients(place(service), 1, HALF) as (one,):
        _trickle(one, content)


def test_a_body_that_trickles_in_after_its_refusal_is_ended(tmp_path: Path, hurried: None):
    refused = SLOW_BODY.replace(b"/api/session", b"/api/patients")
    with running(tmp_path) as service, clients(place(service), 1, refused) as (one,):
        assert b"401" in one.recv(65536)
        _trickle(one, b"a")


def _trickle(one: socket.socket, content: bytes) -> None:
    """Send a little over and over until the service ends the connection."""

    def ended() -> bool:
        try:
            one.sendall(content)
        except (ConnectionResetError, BrokenPipeError):
            return True
        return False

    until(ended)


def test_a_body_that_comes_steadily_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However long it takes: each hundred bytes of it add two seconds."""
    monkeypatch.setattr(connections, "BODY_S", 2.0)
    monkeypatch.setattr(connections, "BODY_BYTES", 100)
    with running(tmp_path) as service, service.client() as client:
        client.post("/api/patients", json={"patient": "anna"}).raise_for_status()
        body = json.dumps(small(samples=300)).encode()

        def parts() -> Iterator[bytes]:
            for start in range(0, len(body), 200):
                time.sleep(0.4)
                yield body[start : start + 200]

        began = time.monotonic()
        answer = client.post("/api/patients/anna/chunks", content=parts(), headers={"Content-Type": "application/json"})
        assert time.monotonic() - began > 2.0
        assert answer.status_code == 200


def test_who_takes_nothing_of_an_answer_is_ended(tmp_path: Path, hurried: None):
    request = b"GET /modules/patient.js HTTP/1.1\r\nHost: x\r\n\r\n"
    with running(tmp_path) as service, socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(PATIENCE_S)
        one.connect(place(service))
        one.sendall(request * 1000)
        _trickle(one, request)


def test_a_connection_may_be_kept_for_the_next_request(service: Service):
    with service.client() as client:
        ports = {client.get("/health").extensions["network_stream"].get_extra_info("client_addr")[1] for _ in range(5)}
    assert len(ports) == 1


def test_half_open_connections_keep_nobody_out(tmp_path: Path):
    limited = [sys.executable, "-c", _LIMITED, "serve", "--home", str(tmp_path), "--port", "0"]
    with served(tmp_path, command=limited) as (process, said):
        address, headers = address_of(said), {"Authorization": f"Bearer {key_of(said)}"}
        with clients(("127.0.0.1", httpx.URL(address).port), 300, HALF):
            for _ in range(20):
                for path in ("/health", "/api/patients"):
                    answer = httpx.get(f"{address}{path}", headers=headers, timeout=PATIENCE_S, trust_env=False)
                    assert answer.status_code == 200
        assert process.poll() is None
    assert (tmp_path / "log").stat().st_size < 200_000


_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from ectopy.cli import main
main()
"""


def test_who_waits_longest_makes_room(tmp_path: Path):
    settings = {"connections": 8, "connections_per_address": 4}
    with running(tmp_path, **settings) as service, clients(place(service), 4, HALF) as (first, *others):
        with service.client() as client:
            assert client.get("/health").status_code == 200
        assert is_ended(first)
        for one in others[1:]:
            one.sendall(b"\r\n")
            assert one.recv(100).startswith(b"HTTP/1.1 200")


def test_connections_in_use_are_not_ended_for_others(tmp_path: Path):
    with running(tmp_path, connections=8, connections_per_address=4) as service, service.client() as client:
        client.post("/api/patients", json={"patient": "anna"}).raise_for_status()
        with ExitStack() as stack:
            devices = [stack.enter_context(service.socket("/api/patients/anna/stream")) for _ in range(3)]
            client.close()
            with clients(place(service), 50, HALF):
                for device in devices:
                    assert device.ping().wait(PATIENCE_S)
            for device in devices:
                assert "next_position" in json.loads(device.recv(PATIENCE_S))


def test_tls_handshakes_that_do_not_end_are_ended(tmp_path: Path, hurried: None):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    of_curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    for_here = "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = f"openssl req -x509 {of_curve} {for_here} -keyout {key} -out {certificate}"
    if subprocess.run(command.split(), capture_output=True).returncode:
        pytest.skip("openssl cannot make a certificate here")
    with running(tmp_path, tls_certificate=certificate, tls_key=key) as service:
        context = ssl.create_default_context(cafile=certificate)
        with clients(place(service), 3, b"\x16\x03\x01") as waiting, service.client(verify=context) as client:
            answer = client.get("/health")
            assert all(is_ended(one) for one in waiting)
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


# Counting


def test_every_connection_is_counted_until_it_is_closed():
    counted = Connections(3, 2)
    (listener,) = counted.listen("127.0.0.1", 0)
    listener.listen()
    address = listener.getsockname()
    with closing(listener), ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(socket.create_connection(address))
        accepted = [listener.accept()[0] for _ in range(2)]
        assert len(counted) == 2
        for one in accepted:
            counted.serves(counted.of(one))
        # Both are in use: a third one of this address is closed at once.
        third = stack.enter_context(socket.create_connection(address))
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            until(lambda: listener.accept())
        assert is_ended(third)
        for one in accepted:
            one.close()
        assert len(counted) == 0


def test_there_is_room_left_for_other_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert connections_within_descriptors(4096) == 160
        assert connections_within_descriptors(100) == 100
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        assert connections_within_descriptors(4096) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_descriptors_is_said_once_a_turn():
    """An event loop tries as often as its backlog is long, unless it is told that nobody is there."""
    counted = Connections(1000, 1000)
    (listener,) = counted.listen("127.0.0.1", 0)
    listener.listen()
    listener.setblocking(False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with closing(listener), socket.create_connection(listener.getsockname()):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
            with pytest.raises(OSError, match="Too many open files"):
                listener.accept()
            with pytest.raises(BlockingIOError):
                listener.accept()
            with pytest.raises(OSError, match="Too many open files"):
                listener.accept()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.accept()[0].close()


# The log


def test_a_message_that_repeats_fills_no_disk():
    now = 0.0
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(Throttle(lambda: now))
    handler.setFormatter(logging.Formatter("%(message)s %(left_out)s", defaults={"left_out": 0}))
    log = logging.Logger("flood")
    log.addHandler(handler)

    def repeat() -> None:
        log.error("socket.accept() out of system resource")

    for _ in range(10_000):
        repeat()
    log.error("another one")
    lines = written.getvalue().splitlines()
    assert len(lines) == WARNINGS_PER_MINUTE + 1
    assert lines[-1] == "another one 0"
    now = 1.0
    repeat()
    assert written.getvalue().splitlines()[-1].endswith(f" {10_000 - WARNINGS_PER_MINUTE}")


@pytest.mark.usefixtures("own_log")
def test_the_log_of_the_service_is_throttled(capsys: pytest.CaptureFixture[str]):
    log_as_json()
    for _ in range(10 * WARNINGS_PER_MINUTE):
        logging.getLogger("asyncio").error("again")
    assert len(capsys.readouterr().err.splitlines()) == WARNINGS_PER_MINUTE
