"""Checks the arguments of public functions by their type hints, and makes arrays of what is like one.

Someone who passes a path where a recording is needed is told so in one sentence, rather than by an attribute that a
``str`` does not have. What a hint cannot say - a range, a shape - is checked by the functions themselves.
"""

from __future__ import annotations

import collections.abc
import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, SettingError, short_text

P = ParamSpec("P")
T = TypeVar("T")

Progress = Callable[[int, int, str], None]
"""A function that takes how much is done, how much there is in all, and what goes on."""

StepProgress = Callable[[int, int], None]
"""A function that takes how many steps are done, and how many there are."""


def silent(completed: int, total: int, activity: str) -> None:
    """Ignore progress; the default where a function takes a `Progress`."""


_HELP = {
    "Recording": "read a file with ectopy.read(path)",
    "Detector": "load one with ectopy.load_ambulatory() or ectopy.Detector.load(path)",
    "Analysis": "make one with ectopy.analyse(recording, detector)",
    "Beats": "load a file with ectopy.datasets.load(path), or make one with ectopy.Beats(samples, layout)",
    "Evaluation": "make one with ectopy.evaluation.evaluate(detector, beats)",
    "PatientTemplate": "load one with ectopy.analysis.patient_template.PatientTemplate.load(path)",
}
_WORDS = {str: "text", float: "a number", int: "a whole number", bool: "True or False", Path: "a path"}


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function refuse arguments of the wrong kind, by its type hints.

    Raises
    ------
    DataError
        By the function, if an argument that is one of Ectopy's own types is something else.
    SettingError
        By the function, if a number, text, path or the like is something else.
    """
    names = tuple(inspect.signature(function).parameters)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        hints = _hints(function)
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            if name in hints and type(value) is not hints[name]:
                _check(f"{function.__qualname__}()", name, value, hints[name])
        return function(*args, **kwargs)

    return call


def check_fields(instance: Any) -> None:
    """Refuse a dataclass with a field of the wrong kind, by its type hints; for ``__post_init__``.

    Raises
    ------
    DataError, SettingError
        As of `checked`.
    """
    kind: Any = type(instance)
    for name, hint in _hints(kind).items():
        value = getattr(instance, name)
        if type(value) is not hint:
            _check(kind.__name__, name, value, hint)


def as_samples(values: Any, subject: str) -> NDArray[np.float32]:
    """Samples as an array: of numbers, masked arrays with NaN for what is masked, and tables of pandas.

    Parameters
    ----------
    values : array_like of float
    subject : str
        What they are, for the message.

    Raises
    ------
    DataError
        If they are something else.
    """
    try:
        if isinstance(values, np.ma.MaskedArray):
            values = np.ma.filled(values.astype(np.float64), np.nan)
        array = np.asarray(values)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except Exception as error:  # whatever an object does that says it is like an array
        raise DataError(f"{subject} must be an array of numbers, not {_kind(values)}.") from error
    if array.dtype.kind not in "fiub":
        raise DataError(f"{subject} must be an array of numbers, not {_kind(values)}.")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


@cache
def _hints(owner: Any) -> Mapping[str, Any]:
    hints = get_type_hints(owner)
    hints.pop("return", None)
    return {name: hint for name, hint in hints.items() if _is_checked(hint)}


def _is_checked(hint: Any) -> bool:
    """Return whether a hint says something that can be checked here: of arrays the functions know more."""
    return not any(part is Any or get_origin(part) is np.ndarray or "numpy" in repr(part) for part in _options(hint))


@cache
def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _check(where: str, name: str, value: Any, hint: Any) -> None:
    options = _options(hint)
    if any(_fits(value, option) for option in options):
        return
    kinds = [option for option in options if isinstance(option, type)]
    expected_kinds = list(dict.fromkeys(_word(option) for option in options if option is not NoneType))
    if Path in kinds and "text" in expected_kinds:
        expected_kinds.remove("text")
    own = next((kind for kind in kinds if kind.__name__ in _HELP), None)
    advice = f"; {_HELP[own.__name__]}" if own else ""
    message = f"{where} takes {' or '.join(expected_kinds)} as '{name}', not {_kind(value)}{advice}."
    raise (DataError if own else SettingError)(message)


def _fits(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if hint is float:
        return isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    if hint is int:
        return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    if hint is Path:
        return isinstance(value, str | os.PathLike)
    if origin is Literal:
        return isinstance(value, str)
    if origin is collections.abc.Callable:
        return callable(value)
    if origin in (collections.abc.Mapping, dict):
        key, item = get_args(hint)
        return isinstance(value, Mapping) and all(_fits(k, key) and _fits(v, item) for k, v in value.items())
    if origin in (collections.abc.Sequence, tuple, list):
        items = [item for item in get_args(hint) if item is not ...]
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            return False
        if {type(element) for element in value} <= set(items):  # at once: a day has 100,000 notes
            return True
        return all(any(_fits(element, item) for item in items) for element in value)
    return not isinstance(hint, type) or isinstance(value, hint)


def _word(hint: Any) -> str:
    if hint in _WORDS:
        return _WORDS[hint]
    origin = get_origin(hint)
    if origin is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if origin is collections.abc.Callable:
        return "a function"
    if origin in (collections.abc.Mapping, dict):
        return "a dict"
    if origin in (collections.abc.Sequence, tuple, list):
        return f"a tuple of {get_args(hint)[0].__name__}"
    name = getattr(hint, "__name__", str(hint))
    if name.endswith("s"):  # Beats, Annotations, FilterSettings
        return name
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"


def _kind(value: Any) -> str:
    if value is None or isinstance(value, str | bool | int | float):
        number = isinstance(value, float) and not math.isfinite(value)
        return short_text(value) if number else short_text(repr(value))
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"
