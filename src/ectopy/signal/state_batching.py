"""Stack the states of several patients, lead by lead, and divide them again.

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

from ectopy.signal.state_replace import builder

T = TypeVar("T")


def structure(state: object) -> tuple[object, ...]:
    """Return what two states must share to be stacked: every number, and the shape of every array."""
    kind: Any = type(state)
    return tuple([leaf.shape if type(leaf) is np.ndarray else leaf for leaf in _leaves(kind)(state)])


def stacked(states: Sequence[T]) -> T:
    """Stack states of one structure: the leads of the first, then those of the next."""
    kind: Any = type(states[0])
    columns = zip(*map(_leaves(kind), states), strict=True)
    leaves = [np.concatenate(column, -2) if isinstance(column[0], np.ndarray) else column[0] for column in columns]
    whole: T = _built(kind, iter([[leaf] for leaf in leaves]))[0]
    return whole


def parted(state: T, count: int, *, copies: bool = True) -> list[T]:
    """Divide a stacked state into `count` states.

    With `copies`, the arrays do not keep the stacked ones alive; without, they are views.
    """
    kind: Any = type(state)
    leaves = _leaves(kind)(state)
    columns = [_rows(leaf, count, copies) if isinstance(leaf, np.ndarray) else [leaf] * count for leaf in leaves]
    parts: list[T] = _built(kind, iter(columns))
    return parts


def _rows(whole: NDArray[Any], count: int, copies: bool) -> list[NDArray[Any]]:
    *before, rows, columns = whole.shape
    parts = whole.reshape(*before, count, rows // count, columns)
    if before:
        parts = np.moveaxis(parts, -3, 0)
    return [part.copy() for part in parts] if copies else list(parts)


@cache
def _leaves(kind: Any) -> Callable[[object], tuple[Any, ...]]:
    """Return a getter of all numbers and arrays of a state, in the order of `_built`."""
    return attrgetter(*_paths(kind))


@cache
def _parts(kind: Any) -> tuple[tuple[str, Any], ...]:
    """Return the name of each field, with its type if that is a state."""
    hints = get_type_hints(kind)
    return tuple((item.name, hints[item.name] if is_dataclass(hints[item.name]) else None) for item in fields(kind))


def _paths(kind: Any) -> list[str]:
    paths = []
    for name, inner in _parts(kind):
        paths += [name] if inner is None else [f"{name}.{path}" for path in _paths(inner)]
    return paths


def _built(kind: Any, columns: Iterator[Sequence[Any]]) -> list[Any]:
    """Build states from columns of leaves, one leaf for each state, in the order of `_leaves`."""
    values = [next(columns) if inner is None else _built(inner, columns) for _, inner in _parts(kind)]
    return list(map(builder(kind), *values))
