"""Puts states of several patients under each other, lead by lead, and takes them apart again.

States are dataclasses of numbers, further states, and arrays that have the leads on the last axis but one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def structure(state: object) -> tuple[object, ...]:
    """What two states must have in common to be put together: every number, and the shape of every array."""
    kind: Any = type(state)
    return tuple([leaf.shape if type(leaf) is np.ndarray else leaf for leaf in _leaves(kind)(state)])


def stacked(states: Sequence[T]) -> T:
    """States of one structure as one: the leads of the first, then those of the next."""
    kind: Any = type(states[0])
    columns = zip(*map(_leaves(kind), states), strict=True)
    leaves = [np.concatenate(column, -2) if isinstance(column[0], np.ndarray) else column[0] for column in columns]
    whole: T = _built(kind, iter([[leaf] for leaf in leaves]))[0]
    return whole


def parted(state: T, count: int, *, kept: bool = True) -> list[T]:
    """The reverse: one for each of so many.

    Arrays of what will be kept are copies, so that none keeps the others alive; the others are views.
    """
    kind: Any = type(state)
    leaves = _leaves(kind)(state)
    columns = [_rows(leaf, count, kept) if isinstance(leaf, np.ndarray) else [leaf] * count for leaf in leaves]
    parts: list[T] = _built(kind, iter(columns))
    return parts


def _rows(whole: NDArray[Any], count: int, kept: bool) -> list[NDArray[Any]]:
    *before, rows, columns = whole.shape
    parts = whole.reshape(*before, count, rows // count, columns)
    if before:
        parts = np.moveaxis(parts, -3, 0)
    return [part.copy() for part in parts] if kept else list(parts)


@cache
def _leaves(kind: Any) -> Callable[[object], tuple[Any, ...]]:
    """Takes all numbers and arrays out of a state, in the order in which `_built` puts them in."""
    return attrgetter(*_paths(kind))


@cache
def _parts(kind: Any) -> tuple[tuple[str, Any], ...]:
    """Names of the fields, and the states among them."""
    hints = get_type_hints(kind)
    return tuple((one.name, hints[one.name] if is_dataclass(hints[one.name]) else None) for one in fields(kind))


def _paths(kind: Any) -> list[str]:
    found = []
    for name, inner in _parts(kind):
        found += [name] if inner is None else [f"{name}.{path}" for path in _paths(inner)]
    return found


def _built(kind: Any, columns: Iterator[Sequence[Any]]) -> list[Any]:
    """Makes states of their leaves, of which each column has one per state, in the order of `_leaves`."""
    values = [next(columns) if inner is None else _built(inner, columns) for _, inner in _parts(kind)]
    return list(map(kind, *values))
