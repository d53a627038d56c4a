"""Short representations of dataclasses that hold arrays."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

_MOST_OF_A_VALUE = 60
_MOST = 480


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
