"""Settings of the interpreter for one compute thread beside an event loop."""

from __future__ import annotations

import gc
import os
import sys
import time

_SWITCH_S = 0.0002
_LOOK_AFTER = 20_000
_PRIVATE = 0o077


def keep_files_private() -> None:
    """Hide all files that this process and its children will write from other users of the machine."""
    os.umask(_PRIVATE)


def tune_for_threads() -> None:
    """Let threads take turns more often, leave alone what was loaded before, and look for garbage less often.

    Without it a thread waits up to 5 ms for the GIL whenever it sends a few bytes, and the collector goes through all
    that was ever imported. States of patients hold no cycles: nearly all is freed by counting references, but to go
    through them takes a twentieth of the time.
    """
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_LOOK_AFTER)


def steady() -> float:
    """Return seconds by a clock that is never set; where the system has one, it counts while the machine sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
