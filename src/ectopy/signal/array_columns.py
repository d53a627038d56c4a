"""Select and join the rows of dataclasses whose fields are all arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np

from ectopy.signal.state_replace import builder

T = TypeVar("T")


def select(table: T, index: Any) -> T:
    """Return ``array[index]`` of each array."""
    kind: Any = type(table)
    part: T = builder(kind)(*[column[index] for column in _columns(kind)(table)])
    return part


def join(parts: Sequence[T], axis: int = 0) -> T:
    """Concatenate each array of one or more parts, in their order."""
    kind: Any = type(parts[0])
    whole: T = builder(kind)(*[np.concatenate(each, axis) for each in zip(*map(_columns(kind), parts), strict=True)])
    return whole


@cache
def _columns(kind: Any) -> Callable[[object], tuple[Any, ...]]:
    """Return a function that returns the values of all fields of an instance, in their order."""
    return attrgetter(*(field.name for field in fields(kind)))
