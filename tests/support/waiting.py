"""How long tests wait for what has to come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

PATIENCE_S = 120.0
"""For what comes at once on an idle machine: only a test that fails waits so long."""
SPARK_S = 400.0
"""For what Spark has to do first."""


def until(condition: Callable[[], Value], patience_s: float = PATIENCE_S) -> Value:
    """What a function gives, once it gives something; the longer that takes, the less often it is asked."""
    begin = time.monotonic()
    while not (value := condition()):
        waited_s = time.monotonic() - begin
        assert waited_s < patience_s, "it did not come"
        time.sleep(min(max(waited_s / 10, 0.01), 0.1))
    return value
