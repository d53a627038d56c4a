"""Numbers as JSON and tables take them."""

from __future__ import annotations

import math


def finite_or_none(value: float | None, places: int | None = None) -> float | None:
    """Return the number, rounded where `places` are stated; None where it is missing, NaN or infinite, as in JSON."""
    if value is None or not math.isfinite(value):
        return None
    return float(value) if places is None else round(float(value), places)
