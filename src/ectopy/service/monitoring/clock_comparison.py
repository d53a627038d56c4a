"""The service's clock beside one that is never set, which shows when it is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from ectopy.monitor import Chunk, Input
from ectopy.monitor.inputs import input_time

_LEAST_SET_S = 0.5
_STAMPED_S = 5.0

_log = logging.getLogger(__name__)


class ClockComparison:
    """Compare two clocks, again and again.

    Parameters
    ----------
    clock : callable
        Gives seconds since 1970.
    steady : callable or None
        Gives seconds by a clock that is never set; None = there is none.
    """

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float] | None) -> None:
        self._clock, self._steady = clock, steady
        self._offset_s = 0.0 if steady is None else clock() - steady()

    @property
    def has_steady_clock(self) -> bool:
        """Return whether there is a clock that is never set."""
        return self._steady is not None

    def read(self) -> tuple[float, float]:
        """Return the time, and by how many seconds the clock was set since the last call."""
        if self._steady is None:
            return self._clock(), 0.0
        before, now, after = self._steady(), self._clock(), self._steady()
        set_s = now - after - self._offset_s
        # Where the thread was held up between the clocks, the next call compares them.
        if abs(set_s) < _LEAST_SET_S or after - before > _LEAST_SET_S / 2:
            return now, 0.0
        _log.warning("The clock was set %s by %.1f s.", "forwards" if set_s > 0 else "back", abs(set_s))
        self._offset_s += set_s
        return now, set_s

    def restamped(self, input: Input, now: float) -> Input:
        """Return an input that has only just come, but whose time is of before the clock was set, with the time now."""
        if self._steady is None or abs(input_time(input) - now) <= _STAMPED_S:
            return input
        return replace(input, received=now) if isinstance(input, Chunk) else replace(input, now=now)
