"""A service as it is run, on a port of this machine, for tests: in this process, or in one that can be killed."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI
from websockets.sync.client import ClientConnection, connect

from ectopy.client.protocol import ChunkMessage, write
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.disclaimers import STATEMENTS
from ectopy.monitor import chunks
from ectopy.recording import Recording
from ectopy.service.access import Scope
from ectopy.service.api.app import create_app
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.monitoring.patient_engine import EngineFactory
from ectopy.service.server import Server
from ectopy.service.settings import load_settings
from support.waiting import PATIENCE_S

# The service answers without TLS; to read the certificates of the system for each client takes longer than most tests.
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True)
class Service:
    """A running service, a key for everything, and the loop it runs in."""

    url: str
    key: str
    app: FastAPI
    loop: asyncio.AbstractEventLoop

    def client(self, key: str | None = None, **other: Any) -> httpx.Client:
        """Who shows this key, or the one for everything."""
        return self.stranger(headers={"Authorization": f"Bearer {key or self.key}"}, **other)

    def stranger(self, verify: ssl.SSLContext = _TLS, **other: Any) -> httpx.Client:
        """Who shows nothing."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE_S, verify=verify, trust_env=False, **other)

    def new_key(self, *scopes: Scope, **other: Any) -> str:
        """A key that allows this; one that sends does so for any patient unless it is said for whom."""
        binding = {} if {"patients", "devices"} & set(other) or Scope.SEND not in scopes else {"any_patient": True}
        request = {"name": " ".join(scopes), "scopes": scopes, **binding, **other}
        with self.client() as client:
            answer = client.post("/api/keys", json=request)
        return answer.json()["key"]

    def socket(self, path: str, key: str | None = None, **other: Any) -> ClientConnection:
        """A WebSocket."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        url = self.url.replace("http", "ws", 1) + path
        return connect(url, additional_headers=headers, compression=None, proxy=None, max_size=None, **other)


@contextmanager
def running(home: Path, make_engine: EngineFactory = MonitoringEngine, **settings: Any) -> Iterator[Service]:
    """A service in this process, until the block ends."""
    often = {"requests_per_minute": 1_000_000, "failures_per_minute": 1_000_000}
    loaded = load_settings(**{"home": home, "port": 0, "learning_s": 30.0, **often, **settings})
    app = create_app(loaded, make_engine)
    answering: Future[asyncio.AbstractEventLoop] = Future()
    server = Server(app, loaded, lambda server: answering.set_result(asyncio.get_running_loop()))
    thread = threading.Thread(target=server.run)
    thread.start()
    loop = answering.result(PATIENCE_S)
    try:
        yield Service(server.address, app.state.first_key or "", app, loop)
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def served(
    home: Path, port: int = 0, log_to: int | None = None, command: list[str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in a process of its own, which is killed when the block ends, and what it said at its start.

    Where it answers is `address_of` that. It logs to a file, or to this file descriptor.
    """
    command = command or [sys.executable, "-m", "ectopy", "serve", "--home", str(home), "--port", str(port)]
    environment = os.environ | {"ECTOPY_LEARNING_S": "30", "PYTHONUNBUFFERED": "1"}
    with (home / "log").open("a") as log:
        stderr = log if log_to is None else log_to
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)
    try:
        assert process.stdout is not None
        output = ""
        while STATEMENTS[0] not in output:
            line = process.stdout.readline()
            assert line, (home / "log").read_text()
            output += line
        yield process, output
    finally:
        process.kill()
        process.communicate()


def address_of(output: str) -> str:
    """The address that a service has named at its start."""
    return output.partition("Ectopy answers at ")[2].split()[0]


def key_of(output: str) -> str:
    """The key that a service has made at its first start."""
    return output.partition("Key, shown this once: ")[2].split()[0]


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of this machine on which nobody listens, for a server that is started, or started again, in the block.

    A socket that is bound to it, and does not listen, keeps the system from giving the port to others.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def troubled() -> Recording:
    """A minute with a tachycardia of ventricular beats, and then an asystole."""
    episodes = [Episode("ventricular_tachycardia", 38, 6), Episode("asystole", 50, 7)]
    return simulate_recording(65, ectopic={"V": 0.03}, episodes=episodes, random_state=3)


def messages(recording: Recording, chunk_s: float = 1.0, stream: str = "") -> list[bytes]:
    """What a device would send, as msgpack."""
    messages = []
    for number, chunk in enumerate(chunks(recording, chunk_s)):
        messages.append(write(ChunkMessage(replace(chunk, stream=stream), number), "msgpack"))
    return messages


def small(position: int = 0, samples: int = 25, **other: Any) -> dict[str, Any]:
    """A chunk as JSON."""
    signal = np.zeros((samples, 1)).tolist()
    return {"position": position, "sampling_rate_hz": 250, "leads": ["I"], "samples": signal, **other}
