"""A service on this machine: in a thread of the tests, or as a process that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI

from ectopy.service.access import Scope, Visitors
from ectopy.service.server import Server
from ectopy.service.settings import load_settings
from ectopy.service.storage import Store
from ectopy.service.web.app import create_app


@dataclass
class Service:
    """Where it answers, and a key that allows everything."""

    url: str
    key: str
    app: FastAPI

    def http(self, *scopes: Scope) -> httpx.Client:
        """Somebody who asks, with a key of these scopes, or with one that allows everything."""
        key = self.app.state.visitors.new_key("test", frozenset(scopes))[1] if scopes else self.key
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False)


@contextmanager
def running(home: Path, **settings: object) -> Iterator[Service]:
    """The service in a thread."""
    chosen = load_settings(home=home, port=0, learning_s=30, failures_per_minute=1000, **settings)
    app = create_app(chosen)
    started = threading.Event()
    server = Server(app, chosen, lambda _: started.set())
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(30)
        yield Service(server.address, app.state.first_key, app)
    finally:
        server.should_exit = True
        thread.join()


def mint(home: Path) -> str:
    """A key that allows everything, for a service that will be started in this folder."""
    with Store.open(f"sqlite:///{home / 'ectopy.db'}") as store:
        return Visitors(store.access).new_key("test", frozenset({Scope.ADMINISTER}))[1]


@contextmanager
def served(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The service as a process that answers, and is killed at the end."""
    command = [sys.executable, "-m", "ectopy", "serve", "--home", str(home), "--port", str(port)]
    environment = os.environ | {"ECTOPY_LEARNING_S": "30"}
    with (home / "log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        assert "answers at" in process.stdout.readline(), (home / "log").read_text()
        yield process
    finally:
        process.kill()
        process.communicate()
