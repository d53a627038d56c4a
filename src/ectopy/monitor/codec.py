"""Inputs, events, alarms and states as bytes that decode to the very same values, and as JSON for people."""

from __future__ import annotations

import math
import re
from functools import cache, lru_cache
from threading import Lock
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.monitor.events import AlarmChanged, BeatJudged, Event, InputRejected, Notice, QualityChanged
from ectopy.monitor.inputs import Chunk, Command, End, RejectedInput, ServiceReport, Tick

T = TypeVar("T")

INPUTS: dict[str, type] = {
    "chunk": Chunk,
    "tick": Tick,
    "action": Command,
    "report": ServiceReport,
    "rejected_input": RejectedInput,
    "end": End,
}
EVENTS: dict[str, type] = {
    "beat": BeatJudged,
    "quality": QualityChanged,
    "alarm": AlarmChanged,
    "rejected": InputRejected,
    "noticed": Notice,
}

_KINDS = {kind: name for name, kind in (INPUTS | EVENTS).items()}
_PLAIN = "biufU"
_NUMBER_OR_TEXT = re.compile(rf"[<>|][{_PLAIN}][1-9]\d{{0,5}}")
_MOST_AXES = 8
# Two threads in which msgspec prepares the same dataclass at once crash the process.
_PREPARING = Lock()


def kind_of(value: object) -> str:
    """Name of an input or event in `INPUTS` or `EVENTS`."""
    return _KINDS[type(value)]


def encode(value: object) -> bytes:
    """Encode dataclasses of numbers, text, tuples and arrays as msgpack; floats and arrays keep every bit.

    Raises
    ------
    DataError
        If there is something else in `value`: an array of objects, an integer over 64 bits, text that is not Unicode.
    """
    try:
        return msgspec.msgpack.encode(value, enc_hook=_to_parts)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"a {type(value).__name__} cannot be encoded: {error}.") from error


def decode(kind: type[T], content: bytes) -> T:
    """Decode what `encode` made of a `kind`; fields it did not have yet take their defaults. No code in it is run.

    Raises
    ------
    DataError
        If `content` is damaged or something else.
    """
    try:
        return cast(T, _msgpack_decoder(kind).decode(content))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"these bytes are not a {kind.__name__}: {error}.") from error


def to_json(value: object) -> str:
    """JSON in one line; an input or event begins with its kind. Arrays are lists; NaN and infinity are null."""
    content = msgspec.to_builtins(value, enc_hook=_to_list)
    if type(value) in _KINDS:
        content = {"kind": kind_of(value), **content}
    return msgspec.json.encode(content).decode()


def from_json(content: str | bytes) -> Event:
    """Read an event that `to_json` wrote.

    A number that is null is NaN in an array, where infinity is too, and None elsewhere; keys that an event does not
    have are skipped.

    Raises
    ------
    DataError
        If `content` is damaged, or not an event.
    """
    try:
        kind = EVENTS.get(msgspec.json.decode(content, type=_Kind).kind)
        if kind is None:
            raise DataError(f"an event is one of {', '.join(EVENTS)}.")
        return cast(Event, _json_decoder(kind).decode(content))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"this is not an event in JSON: {error}.") from error


def _msgpack_decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    with _PREPARING:
        return _new_msgpack_decoder(kind)


def _json_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    with _PREPARING:
        return _new_json_decoder(kind)


@cache
def _new_msgpack_decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind, dec_hook=_from_parts)


@cache
def _new_json_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_from_list)


class _Kind(msgspec.Struct):
    """The kind of an event in JSON."""

    kind: str


def _to_parts(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in _PLAIN:
        return value.dtype.str, value.shape, value.tobytes()
    raise TypeError(f"{type(value).__name__} is neither a number, text nor an array of these")


def _to_list(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return _to_parts(value)


def _from_list(kind: type, values: object) -> NDArray[Any]:
    if not _is_array(kind):
        raise ValueError(f"{kind} is not expected")
    dtype = np.dtype(get_args(get_args(kind)[1])[0])
    try:
        return np.array(values, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"these are not numbers of an array: {error}") from error


def _from_parts(kind: type, parts: object) -> NDArray[Any]:
    if not _is_array(kind):
        raise ValueError(f"{kind} is not expected")
    name, shape, content = msgspec.convert(parts, tuple[str, tuple[int, ...], bytes], strict=True)
    dtype = _dtype(name)
    if len(shape) > _MOST_AXES or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"{len(content)} bytes are not an array of {dtype} and shape {shape}")
    return np.ndarray(shape, dtype, bytearray(content))


@cache
def _is_array(kind: type) -> bool:
    return get_origin(kind) is np.ndarray


@lru_cache(256)
def _dtype(name: str) -> np.dtype[Any]:
    if not _NUMBER_OR_TEXT.fullmatch(name):
        raise ValueError(f"{name!r} is neither a type of number nor of text")
    try:
        return np.dtype(name)
    except TypeError as error:
        raise ValueError(f"{name!r} is not a numeric type") from error
