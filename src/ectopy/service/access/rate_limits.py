"""Limits on how often a caller may ask."""

from __future__ import annotations

import threading
from dataclasses import dataclass

_MOST_NAMES = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class RateLimiter:
    """Token buckets by name: each fills up evenly, and every request takes one token.

    Parameters
    ----------
    per_minute : float
        Tokens that run into each bucket in a minute.
    most : float
        Tokens that fit into a bucket.

    Examples
    --------
    >>> limiter = RateLimiter(per_minute=60, most=2)
    >>> [limiter.acquire("anna", at_s) for at_s in (0.0, 0.0, 0.0, 0.75, 1.0)]
    [0.0, 0.0, 1.0, 0.25, 0.0]
    """

    def __init__(self, per_minute: float, most: float) -> None:
        self._per_s, self._most = per_minute / 60.0, most
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def acquire(self, name: str, now_s: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        with self._lock:
            bucket = self._buckets.get(name)
            if bucket is None:
                self._make_room(now_s)
                bucket = self._buckets[name] = _Bucket(self._most, now_s)
            bucket.tokens = min(bucket.tokens + max(now_s - bucket.at_s, 0.0) * self._per_s, self._most)
            bucket.at_s = now_s
            if bucket.tokens < 1.0:
                return (1.0 - bucket.tokens) / self._per_s
            bucket.tokens -= 1.0
            return 0.0

    def _make_room(self, now_s: float) -> None:
        """Drop full buckets, which behave like new ones; if none is full, the oldest."""
        if len(self._buckets) >= _MOST_NAMES:
            fills_s = self._most / self._per_s
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if now_s - bucket.at_s < fills_s}
        if len(self._buckets) >= _MOST_NAMES:
            del self._buckets[next(iter(self._buckets))]
