"""Processes of `worker`, each of which ends with its time, and all when they are stopped."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ectopy.processes import start_python


class WorkerProcesses:
    """The processes that are running.

    Parameters
    ----------
    limit_s : float
        After so long a process is killed.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[str]] = []
        self._stopping = False

    @contextmanager
    def start(self, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """Start a process with these arguments; after `stop` it is killed at once."""
        with start_python("-m", "ectopy.service.recordings.worker", *map(str, arguments)) as process:
            with self._lock:
                self._running.append(process)
                if self._stopping:
                    process.kill()
            limit = threading.Timer(self.limit_s, process.kill)
            limit.start()
            try:
                yield process
            finally:
                limit.cancel()
                with self._lock:
                    self._running.remove(process)

    def stop(self) -> None:
        """Kill all processes, and those that are started from now on."""
        with self._lock:
            self._stopping = True
            for process in self._running:
                process.kill()
