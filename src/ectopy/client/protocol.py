"""Chunks as devices send them: JSON that anybody can write, and msgpack with the samples as bytes.

One message is an object, or a list of them. Its keys:

``position``
    Index of the first sample since the stream began.
``sampling_rate_hz``, ``leads``, ``unit``, ``stream``, ``sent``
    As in `ectopy.monitor.Chunk`; the unit is mV and the stream has no name where they are left out.
``samples``
    One row per sample, one number per lead; null where there is none. In msgpack also bytes: little-endian, lead after
    lead for each sample; int16 where there is a ``gain``, float32 where there is none.
``gain``
    Counts of int16 per unit; -32768 is not a sample.
``sequence``
    A number of the sender's own, which the answer repeats.
``version``
    Of this schema: 1, also where it is left out. A message of a newer one is rejected.
``pulses``
    Pulse waves of the same time, up to four objects with the keys ``name``, ``unit``, ``sampling_rate_hz``,
    ``position`` and ``samples``: one number per sample, null where there is none. In msgpack also bytes, as above, with
    a ``gain`` of their own where they are int16. The unit is NU, for none, where it is left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.pulse_channels import MOST_PULSES, NO_UNIT
from ectopy.monitor.inputs import Chunk, PulseChunk

Form = Literal["json", "msgpack"]

NO_SAMPLE = -32768
"""Value of int16 where there is no sample."""

VERSION = 1
"""Of the schema: add 1 when a message means something else to a reader who does not know it."""

MOST_AT_ONCE = 1000
"""Messages in one list."""

MOST_LEADS = 16

MOST_ROWS = 60_000
"""Limit of rows of `samples` in one message: a minute at 1000 Hz."""

MOST_ROWS_AT_ONCE, MOST_NUMBERS_AT_ONCE = 2**18, 2**20
"""In all messages of a list, where samples are not bytes: each becomes an object many times its size."""

_LEAST_GAIN, _MOST_GAIN = 1e-6, 1e12
_SEQUENCES = 2**53

# In msgpack a list begins with its length, which is checked before it is read; in JSON the text is counted.
_Leads = Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST_LEADS)]
_Row = Annotated[list[float | None], msgspec.Meta(max_length=MOST_LEADS)]
_Rows = Annotated[list[_Row], msgspec.Meta(max_length=MOST_ROWS)]
_Numbers = Annotated[list[float | None], msgspec.Meta(max_length=MOST_ROWS)]


class _Pulse(msgspec.Struct, omit_defaults=True):
    """The keys of a pulse wave in a message."""

    name: str
    sampling_rate_hz: float
    position: int
    samples: _Numbers | bytes
    unit: str = NO_UNIT
    gain: float | None = None


class _Message(msgspec.Struct, omit_defaults=True):
    """The keys of a message."""

    position: int
    sampling_rate_hz: float
    leads: _Leads
    samples: _Rows | bytes
    unit: str = "mV"
    stream: str = ""
    sent: float | None = None
    gain: float | None = None
    sequence: int | None = None
    pulses: Annotated[tuple[_Pulse, ...], msgspec.Meta(max_length=MOST_PULSES)] = ()
    version: int = VERSION


class _Numbered(msgspec.Struct):
    """The number of a message, whatever its other keys are."""

    sequence: Annotated[int, msgspec.Meta(ge=0, lt=_SEQUENCES)] | None = None


class ChunkError(DataError):
    """A message is not a chunk; `sequence` is its number, None if it has none, or is a list."""

    def __init__(self, reason: str, sequence: int | None) -> None:
        super().__init__(reason)
        self.sequence = sequence


@dataclass(frozen=True, slots=True)
class ChunkMessage:
    """Content of a message, and the sender's number of it."""

    chunk: Chunk
    sequence: int | None = None


def read(content: bytes, form: Form, received: float) -> list[ChunkMessage]:
    """Read one message, or a list of at most a thousand, that came at `received`, seconds since 1970.

    A `ChunkError`, one sentence for the sender, if it is invalid, has more than a sender may send at a time, or its
    samples do not fit its leads.
    """
    try:
        return _read_json(content, received) if form == "json" else _read_msgpack(content, received)
    except DataError as error:
        raise ChunkError(str(error), _sequence_in(content, form)) from error
    except _UNREADABLE as error:
        raise ChunkError(f"this is not a chunk in {form}: {error}.", _sequence_in(content, form)) from error


def _sequence_in(content: bytes, form: Form) -> int | None:
    """Return the number of an invalid message, where it can be read."""
    try:
        return (_NUMBER_FROM_JSON if form == "json" else _NUMBER_FROM_MSGPACK).decode(content).sequence
    except _UNREADABLE:
        return None


def _read_json(content: bytes, received: float) -> list[ChunkMessage]:
    if content.count(b"[") > MOST_ROWS_AT_ONCE or content.count(b",") > MOST_NUMBERS_AT_ONCE:
        raise _too_much()
    decoded = _FROM_JSON.decode(content)
    messages = decoded if isinstance(decoded, list) else [decoded]
    _check_count(len(messages))
    return [_chunk_message(message, received) for message in messages]


def _read_msgpack(content: bytes, received: float) -> list[ChunkMessage]:
    """Decode messages one by one, so that the objects of one are gone before those of the next are made."""
    first = content[:1]
    if not (b"\x90" <= first <= b"\x9f" or first in (b"\xdc", b"\xdd")):  # the bytes with which a list begins
        return [_chunk_message(_FROM_MSGPACK.decode(content), received)]
    # Its length is in the 4 bits of the first byte, or the 2 or 4 bytes after it.
    size = {b"\xdc": 2, b"\xdd": 4}.get(first, 0)
    _check_count(int.from_bytes(content[1 : 1 + size], "big") if size else first[0] & 0x0F)
    read, rows = [], 0
    for part in _PARTS.decode(content):
        message = _FROM_MSGPACK.decode(part)
        rows += _rows(message)
        if rows > MOST_ROWS_AT_ONCE:
            raise _too_much()
        read.append(_chunk_message(message, received))
    return read


def _rows(message: _Message) -> int:
    """Rows of samples, and samples of pulse waves, that are not bytes."""
    samples = (message.samples, *(pulse.samples for pulse in message.pulses))
    return sum(len(each) for each in samples if not isinstance(each, bytes))


def _too_much() -> DataError:
    return DataError(
        f"this is too much at a time; send at most {MOST_ROWS_AT_ONCE} rows and {MOST_NUMBERS_AT_ONCE} numbers."
    )


def _check_count(messages: int) -> None:
    if messages > MOST_AT_ONCE:
        raise DataError(f"{messages} chunks are too many; send at most {MOST_AT_ONCE} at a time.")


def _chunk_message(message: _Message, received: float) -> ChunkMessage:
    if message.version > VERSION:
        raise DataError(f"this message has version {message.version}; send version {VERSION}, or update this receiver.")
    return ChunkMessage(_chunk(message, received), _sequence(message))


def write(message: ChunkMessage, form: Form, gain: float | None = None) -> bytes:
    """Write one message.

    In msgpack a `gain`, counts per unit, gives int16, half the size of float32; samples beyond 32767 counts are cut
    off. Pulse waves are float32.
    """
    chunk = message.chunk
    keys = _Message(
        position=chunk.position,
        sampling_rate_hz=chunk.sampling_rate_hz,
        leads=chunk.leads,
        samples=chunk.signal.tolist() if form == "json" else _bytes(chunk.signal, gain),
        unit=chunk.unit,
        stream=chunk.stream,
        sent=chunk.sent_at,
        gain=gain if form == "msgpack" else None,
        sequence=message.sequence,
        pulses=tuple(_pulse_message(pulse, form) for pulse in chunk.pulses),
    )
    return msgspec.json.encode(keys) if form == "json" else msgspec.msgpack.encode(keys)


def _pulse_message(pulse: PulseChunk, form: Form) -> _Pulse:
    samples = pulse.samples.tolist() if form == "json" else _bytes(pulse.samples, None)
    return _Pulse(pulse.name, pulse.sampling_rate_hz, pulse.position, samples, pulse.unit)


def counts(signal: NDArray[np.floating], gain: float) -> NDArray[np.int16]:
    """Samples as int16, `gain` counts per unit; what is beyond 32767 counts is cut off, NaN is `NO_SAMPLE`."""
    scaled = np.clip(np.rint(signal * gain), NO_SAMPLE + 1, -NO_SAMPLE - 1)
    return np.where(np.isnan(scaled), NO_SAMPLE, scaled).astype("<i2")


def _bytes(signal: NDArray[np.float32], gain: float | None) -> bytes:
    return signal.astype("<f4", copy=False).tobytes() if gain is None else counts(signal, gain).tobytes()


def _chunk(message: _Message, received: float) -> Chunk:
    return Chunk(
        position=message.position,
        signal=_signal(message),
        sampling_rate_hz=message.sampling_rate_hz,
        leads=message.leads,
        received=received,
        sent_at=message.sent,
        stream=message.stream,
        unit=message.unit,
        pulses=tuple(
            PulseChunk(pulse.name, pulse.unit, pulse.sampling_rate_hz, pulse.position, _pulse_samples(pulse))
            for pulse in message.pulses
        ),
    )


def _sequence(message: _Message) -> int | None:
    if message.sequence is not None and not 0 <= message.sequence < _SEQUENCES:
        raise DataError("a sequence number counts messages from 0.")
    return message.sequence


def _signal(message: _Message) -> NDArray[np.float32]:
    leads, samples = len(message.leads), message.samples
    if isinstance(samples, list):
        if any(len(row) != leads for row in samples):
            raise DataError(f"every row of 'samples' needs {leads} numbers, one for each lead.")
        with np.errstate(over="ignore"):  # the monitor rejects what is not an ECG
            return np.array(samples, np.float64).reshape(len(samples), leads).astype(np.float32)
    size = 4 if message.gain is None else 2
    if not leads or len(samples) % (size * leads):
        raise DataError(f"{len(samples)} bytes are not samples of {leads} leads with {size} bytes each.")
    return _unpacked(samples, message.gain, message.unit).reshape(-1, leads)


def _pulse_samples(pulse: _Pulse) -> NDArray[np.float32]:
    if isinstance(pulse.samples, list):
        with np.errstate(over="ignore"):
            return np.array(pulse.samples, np.float64).astype(np.float32)
    size = 4 if pulse.gain is None else 2
    if len(pulse.samples) % size:
        raise DataError(f"{len(pulse.samples)} bytes are not samples of the pulse wave with {size} bytes each.")
    return _unpacked(pulse.samples, pulse.gain, pulse.unit)


def _unpacked(samples: bytes, gain: float | None, unit: str) -> NDArray[np.float32]:
    """Samples from bytes: float32, or int16 with a gain."""
    if gain is None:
        return np.frombuffer(samples, "<f4").astype(np.float32)
    if not _LEAST_GAIN <= gain <= _MOST_GAIN:
        raise DataError(
            f"'gain' is how many counts are one {unit}, from {_LEAST_GAIN:g} to {_MOST_GAIN:g}, and not {gain:g}."
        )
    values = np.frombuffer(samples, "<i2")
    return np.where(values == NO_SAMPLE, np.float32(np.nan), values / np.float32(gain)).astype(np.float32)


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FROM_JSON = msgspec.json.Decoder(list[_Message] | _Message)
_FROM_MSGPACK = msgspec.msgpack.Decoder(_Message)
_PARTS = msgspec.msgpack.Decoder(list[msgspec.Raw])
_NUMBER_FROM_JSON = msgspec.json.Decoder(_Numbered)
_NUMBER_FROM_MSGPACK = msgspec.msgpack.Decoder(_Numbered)


def refusal_of(content: bytes | None) -> str:
    """Return the sentence in an answer that refuses a request; empty where there is none."""
    try:
        return str(json.loads(content or b"{}")["detail"])
    except (ValueError, KeyError, TypeError):
        return ""
