"""Durations and moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


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
