"""Numbers, durations, moments and results as people, tables and JSON read them."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

_MOST_OF_A_VALUE = 60
_MOST = 480


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


def table_text(text: str) -> str:
    """Return a text for a cell of a table, with an apostrophe before what a spreadsheet would take for a formula.

    Examples
    --------
    >>> table_text("=1+1"), table_text("day.edf")
    ("'=1+1", 'day.edf')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def iso_utc(time: float) -> str:
    """Seconds since 1970 in ISO 8601, UTC, to the millisecond."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def short_repr(self: Any) -> str:
    """Represent a dataclass in one line: plain values in full, of an array its type and shape.

    For the body of a class: ``__repr__ = short_repr``.
    """
    values = ", ".join(f"{field.name}={_value(getattr(self, field.name))}" for field in fields(self) if field.repr)
    if len(values) > _MOST:
        values = f"{values[: _MOST - 3]}..."
    return f"{type(self).__name__}({values})"


def _value(value: Any) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    name = type(value).__name__
    if is_dataclass(value):
        return f"{name}({value.__len__()})" if hasattr(value, "__len__") else f"{name}(...)"
    if isinstance(value, tuple | list | dict | frozenset | set):
        plain = len(value) <= _MOST_OF_A_VALUE and all(isinstance(item, str | int | float) for item in value)
        text = repr(value) if plain else ""
        return text if plain and len(text) <= _MOST_OF_A_VALUE else f"{name} of {len(value)}"
    text = repr(value)
    return text if len(text) <= _MOST_OF_A_VALUE else f"{text[: _MOST_OF_A_VALUE - 3]}..."
