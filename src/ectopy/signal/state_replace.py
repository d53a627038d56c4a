"""`replace` of dataclasses, for states that change many times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace
else:
    from dataclasses import fields
    from functools import cache
    from operator import attrgetter

    def replace(state, /, **changes):
        """Copy a state with some fields changed: as `dataclasses.replace` does, in less than half its time.

        Parameters
        ----------
        state : dataclass
            With slots, and without `__post_init__`.
        **changes
            New values, by field.

        Raises
        ------
        KeyError
            If there is no such field.
        """
        values_of, places, setters = _fields(type(state))
        values = list(values_of(state))
        for name, value in changes.items():
            values[places[name]] = value
        copy = object.__new__(type(state))
        for put, value in zip(setters, values, strict=True):
            put(copy, value)
        return copy

    @cache
    def _fields(kind):
        """What takes all values out of a state, where each field is among them, and what puts each in."""
        if hasattr(kind, "__post_init__"):
            raise TypeError(f"{kind.__name__} checks its fields when it is made; use dataclasses.replace.")
        names = [field.name for field in fields(kind)]
        setters = [getattr(kind, name).__set__ for name in names]
        # Of one name, `attrgetter` takes the value itself and not a tuple.
        values_of = attrgetter(*names) if len(names) > 1 else lambda state: (getattr(state, names[0]),)
        return values_of, {name: place for place, name in enumerate(names)}, setters


__all__ = ["replace"]
