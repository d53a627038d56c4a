"""When a rule speaks: limits by profile and patient."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one patient."""

    profile: str = "ward"
