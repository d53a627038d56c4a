"""Dates and times of day as files write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 64
_OFFSET = re.compile(r"\s+([+-]\d\d:?\d\d)$")
_TIME_OF_DAY = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d{1,9})?)")
_DAY_FIRST = re.compile(r"(\d{1,2})([./])(\d{1,2})\2(\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")


class Clock(NamedTuple):
    """A cell that holds a time.

    `seconds` since 1970, by the clock that was used, or since midnight where no date is written; `moment` is None then.
    """

    seconds: float
    moment: datetime | None


def parse_clock(text: str) -> Clock | None:
    """Read a date with a time of day, or a time of day; None if it is neither."""
    moment = parse_date_time(text)
    if moment is not None:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return Clock((aware - _EPOCH).total_seconds(), moment)
    seconds = parse_time_of_day(text)
    return None if seconds is None else Clock(seconds, None)


def parse_date_time(text: str) -> datetime | None:
    """Read a date with a time of day: ISO 8601, or date and time in either order; None if it is not one.

    Of two dates with a day in front, ``1.2.2024`` and ``1/2/2024``, the second is read as WFDB writes it, day first.
    """
    if len(text) > _LONGEST:
        return None
    text = _OFFSET.sub(r"\1", text.strip().strip("\"'[]").strip())
    if ":" not in text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    parts = text.split()
    if len(parts) != 2:
        return None
    for first, second in (parts, reversed(parts)):
        day, seconds = parse_date(first), parse_time_of_day(second)
        if day is not None and seconds is not None:
            try:
                return datetime.combine(day, time()) + timedelta(seconds=seconds)
            except OverflowError:
                return None
    return None


def parse_date(text: str) -> date | None:
    """Read a date: year first, or day first with points or slashes; None if it is not one."""
    text = text.strip().strip("\"'[]")
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day = match.groups()
    elif match := _DAY_FIRST.fullmatch(text):
        day, _, month, year = match.groups()
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def parse_time_of_day(text: str) -> float | None:
    """Read ``[hours:]minutes:seconds`` as seconds; None if it is something else."""
    match = _TIME_OF_DAY.fullmatch(text.strip().strip("\"'[]").strip())
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes) + float(seconds.replace(",", "."))
