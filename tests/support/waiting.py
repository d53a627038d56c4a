"""How long tests wait for what has to come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

PATIENCE_S = 120.0
"""For what comes at once on an idle machine: only a test that fails waits so long."""


def until(condition: Callable[[], Value], patience_s: float = PATIENCE_S) -> Value:
    """What a function gives, once it gives something."""
    end = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)
    return value
