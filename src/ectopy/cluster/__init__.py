"""Past one machine: the monitor and the analysis on Spark and Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ectopy.cluster.archive import detect

__all__ = ["detect"]


def __getattr__(name: str) -> Any:
    # Spark is imported with it, which what is pure in this room does without.
    if name == "detect":
        from ectopy.cluster.archive import detect

        return detect
    raise AttributeError(f"module 'ectopy.cluster' has no attribute '{name}'")
