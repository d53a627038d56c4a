"""Threads of tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable


def in_parallel(jobs: Iterable[Callable[[], object]]) -> None:
    """Run each job in a thread of its own, and wait for all."""
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
