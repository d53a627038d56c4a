"""A service on this machine: in a thread of the tests, or as a process that can be killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI

from ectopy.service.access import Scope
from ectopy.service.server import Server
from ectopy.service.settings import load_settings
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
def running(home: Path, port: int = 0, **settings: object) -> Iterator[Service]:
    """The service in a thread; by port 0 at any that is free."""
    chosen = load_settings(home=home, port=port, learning_s=30, failures_per_minute=1000, **settings)
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


@contextmanager
def served(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The service as a process, which answers once this is entered; its first lines are in `lines`."""
    command = [sys.executable, "-m", "ectopy", "serve", "--home", str(home), "--port", str(port)]
    environment = os.environ | {"ECTOPY_LEARNING_S": "30", "NO_COLOR": "1", "COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def address_and_key(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What the service says when it starts for the first time."""
    text = ""
    for line in process.stdout or ():
        text += line
        found = re.search(r"answers at (\S+).*Key, shown this once: (\S+)", text, re.DOTALL)
        if found:
            return found[1], found[2]
    raise AssertionError(text)
