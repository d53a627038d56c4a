"""Numbers, durations and moments as people, tables and JSON read them."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def finite_or_none(value: float | None, places: int | None = None) -> float | None:
    """Return the number, rounded where `places` are stated; None where it is missing, NaN or infinite, as in JSON."""
    if value is None or not math.isfinite(value):
        return None
    return float(value) if places is None else round(float(value), places)


def elapsed(seconds: float, places: int = 0) -> str:
    """Write a duration, or a moment as the time since the start, as hours, minutes and seconds.

    Examples
    --------
    >>> elapsed(7.9), elapsed(754), elapsed(97_200), elapsed(59.97, places=1)
    ('0:00:08', '0:12:34', '27:00:00', '0:01:00.0')
    """
    scale = 10**places
    whole, fraction = divmod(round(scale * seconds), scale)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" + (f".{fraction:0{places}}" if places else "")


def iso_utc(time: float) -> str:
    """Seconds since 1970 in ISO 8601, UTC, to the millisecond."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
