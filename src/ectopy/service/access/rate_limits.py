"""How often somebody may ask."""

from __future__ import annotations

import threading
from dataclasses import dataclass

_MOST_NAMES = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class Buckets:
    """Token buckets by name: each fills up evenly, and every request takes one out.

    Parameters
    ----------
    per_minute : float
        How many run in each minute.
    most : float
        How many fit in.

    Examples
    --------
    >>> buckets = Buckets(per_minute=60, most=2)
    >>> [buckets.take("anna", at_s) for at_s in (0.0, 0.0, 0.0, 0.75, 1.0)]
    [0.0, 0.0, 1.0, 0.25, 0.0]
    """

    def __init__(self, per_minute: float, most: float) -> None:
        self._per_s, self._most = per_minute / 60.0, most
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, now_s: float) -> float:
        """Take one out; 0, or in how many seconds there is one again."""
        with self._lock:
            bucket = self._buckets.get(name)
            if bucket is None:
                self._make_room(now_s)
                bucket = self._buckets[name] = _Bucket(self._most, now_s)
            bucket.left = min(bucket.left + max(now_s - bucket.at_s, 0.0) * self._per_s, self._most)
            bucket.at_s = now_s
            if bucket.left < 1.0:
                return (1.0 - bucket.left) / self._per_s
            bucket.left -= 1.0
            return 0.0

    def _make_room(self, now_s: float) -> None:
        """Full buckets behave like new ones: drop them."""
        if len(self._buckets) >= _MOST_NAMES:
            fills_s = self._most / self._per_s
            self._buckets = {name: one for name, one in self._buckets.items() if now_s - one.at_s < fills_s}
        if len(self._buckets) >= _MOST_NAMES:
            del self._buckets[next(iter(self._buckets))]
