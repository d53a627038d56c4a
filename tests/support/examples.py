"""How many examples a property is tested with."""

from __future__ import annotations

from hypothesis import settings

_THOROUGH = 100


def examples(count: int) -> int:
    """The part of as many examples that is tried in this run: as large as of a hundred, which the profile says."""
    return max(2, round(count * settings.default.max_examples / _THOROUGH))
