"""Silence for native libraries that write on the process's stderr and have no switch for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_one_at_a_time = threading.RLock()


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Send file descriptor 2 to nowhere while the block runs; Python exceptions pass as ever."""
    with _one_at_a_time:
        try:
            kept = os.dup(2)
        except OSError:
            # There is no standard error to silence.
            yield
            return
        sink = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(sink, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(sink)
