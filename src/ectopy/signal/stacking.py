"""Puts states of several patients under each other, lead by lead, and takes them apart again.

States are dataclasses of numbers, further states, and arrays that have the leads on the last axis but one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def structure(state: object) -> tuple[object, ...]:
    """What two states must have in common to be put together: every number, and the shape of every array."""
    kind: Any = type(state)
    return tuple(leaf.shape if isinstance(leaf, np.ndarray) else leaf for leaf in _leaves(kind)(state))


def stacked(states: Sequence[T]) -> T:
    """States of one structure as one: the leads of the first, then those of the next."""
    kind: Any = type(states[0])
    columns = zip(*map(_leaves(kind), states), strict=True)
    leaves = [np.concatenate(column, -2) if isinstance(column[0], np.ndarray) else column[0] for column in columns]
    whole: T = _builder(kind)(leaves)
    return whole


def parted(state: T, count: int) -> list[T]:
    """The reverse: one for each of so many; arrays are copies, so that none keeps the others alive."""
    kind: Any = type(state)
    columns = [_rows(leaf, count) if isinstance(leaf, np.ndarray) else [leaf] * count for leaf in _leaves(kind)(state)]
    return list(map(_builder(kind), zip(*columns, strict=True)))


def _rows(whole: NDArray[Any], count: int) -> list[NDArray[Any]]:
    *before, rows, columns = whole.shape
    return [part.copy() for part in np.moveaxis(whole.reshape(*before, count, rows // count, columns), -3, 0)]


@cache
def _leaves(kind: Any) -> Callable[[object], tuple[Any, ...]]:
    """Takes all numbers and arrays out of a state, in the order in which `_builder` puts them in."""
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


@cache
def _builder(kind: Any, first: int = 0) -> Callable[[Sequence[Any]], Any]:
    """Makes a state of its leaves, which begin at this place."""
    makers: list[Callable[[Sequence[Any]], Any]] = []
    for _, inner in _parts(kind):
        makers.append(itemgetter(first) if inner is None else _builder(inner, first))
        first += 1 if inner is None else len(_paths(inner))
    return lambda leaves: kind(*[make(leaves) for make in makers])
