"""Chunks put in order: late, doubled and missing ones, gaps, and pieces of one second out of them.

Everything the monitor computes is anchored to sample positions: pieces begin at fixed positions of a *segment*, a part
of a stream with one rate and one set of leads, so that it does not matter how the samples were cut when they came.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.monitor.inputs import Chunk
from ectopy.presentation import short_repr
from ectopy.signal.filters import HIGHEST_RATE_HZ, LOWEST_RATE_HZ
from ectopy.signal.state_replace import replace

PIECE_S = 1.0
FIRST_PIECE_S = 0.5
"""Pieces end between whole seconds, a little after it can be judged whether the second before last is readable."""
LONGEST_CHUNK_S = 60.0
MOST_LEADS = 16
LONGEST_FILLED_S = 60.0
WAIT_S = 2.0
"""Length of signal after a hole that makes the hole a gap."""

_MOST_HELD = 64
_MOST_MV = 1000.0
_DAY_S = 86_400.0
_LONGEST_STREAM_S = 366 * _DAY_S
_UNIX_TIMES = (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9))
_UNITS = {"mV": 1.0, "uV": 1e-3, "µV": 1e-3, "V": 1e3}


@dataclass(frozen=True, slots=True)
class BufferedSamples:
    """Samples that came before others that belong in front of them."""

    position: int
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Segment:
    """Position and incomplete samples of a stream.

    Attributes
    ----------
    origin : int
        Position of the first sample of the segment.
    origin_s : float
        Its stream second.
    next_position : int
        Position of the sample that comes next.
    samples : ndarray of float32, shape (k, leads)
        Millivolt, of the piece that is not complete.
    pieces : int
        Pieces given.
    buffered : tuple of BufferedSamples
        What lies behind a hole, in order of position.
    """

    __repr__ = short_repr

    stream: str
    rate_hz: float
    leads: tuple[str, ...]
    origin: int
    origin_s: float
    next_position: int
    samples: NDArray[np.float32]
    pieces: int = 0
    buffered: tuple[BufferedSamples, ...] = ()

    @classmethod
    def beginning(cls, chunk: Chunk, origin_s: float) -> Segment:
        """A segment that begins with a chunk, at a stream second."""
        no_samples = np.empty((0, len(chunk.leads)), np.float32)
        return cls(
            chunk.stream, chunk.sampling_rate_hz, chunk.leads, chunk.position, origin_s, chunk.position, no_samples
        )

    def second(self, position: int) -> float:
        """The stream second of a sample."""
        return self.origin_s + (position - self.origin) / self.rate_hz

    def piece_begins(self, piece: int) -> int:
        """Position of the first sample of a piece."""
        return self.origin + math.ceil(max(piece * PIECE_S - FIRST_PIECE_S, 0.0) * self.rate_hz)

    def continued_by(self, chunk: Chunk) -> bool:
        """Return whether a chunk belongs to this segment."""
        return (chunk.stream, chunk.sampling_rate_hz, chunk.leads) == (self.stream, self.rate_hz, self.leads)


@dataclass(frozen=True, slots=True)
class AssembledChunk:
    """Samples of a chunk in order.

    Attributes
    ----------
    pieces : tuple of ndarray of float32, shape (samples, leads)
        Complete pieces, in order.
    late : int
        Samples that were known already, or whose gap has been given up.
    gap_s : float
        Length of the gaps that were filled with nothing.
    """

    segment: Segment
    pieces: tuple[NDArray[np.float32], ...]
    late: int = 0
    gap_s: float = 0.0


def validated_samples(chunk: Chunk) -> NDArray[np.float32]:
    """The samples of a chunk in millivolt.

    Raises
    ------
    DataError
        If anything about the chunk is impossible; one sentence for the sender.
    """
    signal = np.asarray(chunk.signal)
    if not LOWEST_RATE_HZ <= chunk.sampling_rate_hz <= HIGHEST_RATE_HZ:
        raise DataError(
            f"the sampling rate must lie between {LOWEST_RATE_HZ:g} and {HIGHEST_RATE_HZ:g} Hz, not "
            f"{chunk.sampling_rate_hz:g} Hz."
        )
    if not 1 <= len(chunk.leads) <= MOST_LEADS or len(set(chunk.leads)) != len(chunk.leads):
        raise DataError(f"a chunk needs 1 to {MOST_LEADS} leads with different names, not {list(chunk.leads)}.")
    if signal.ndim != 2 or signal.shape[1] != len(chunk.leads):
        raise DataError(
            f"a chunk of {len(chunk.leads)} leads needs samples of shape (n, {len(chunk.leads)}), not {signal.shape}."
        )
    if not 1 <= len(signal) <= LONGEST_CHUNK_S * chunk.sampling_rate_hz:
        raise DataError(
            f"a chunk holds 1 sample to {LONGEST_CHUNK_S:g} s, not {len(signal)} samples at "
            f"{chunk.sampling_rate_hz:g} Hz; send it in parts."
        )
    if not isinstance(chunk.position, int | np.integer) or not 0 <= chunk.position < 2**53:
        raise DataError(f"the position of a chunk counts samples from 0, and cannot be {chunk.position}.")
    if chunk.unit not in _UNITS:
        raise DataError(f"the unit must be one of mV, uV and V, not {chunk.unit!r}.")
    if not math.isfinite(chunk.received) or (chunk.sent_at is not None and not math.isfinite(chunk.sent_at)):
        raise DataError("the time of a chunk must be a number of seconds since 1970.")
    if chunk.sent_at is not None and abs(chunk.sent_at - chunk.received) > _DAY_S:
        days = (chunk.sent_at - chunk.received) / _DAY_S
        raise DataError(f"the sender's clock is {days:+.1f} days from the monitor's; set it, or send no time.")
    if signal.dtype.kind not in "fiu":
        raise DataError(f"samples must be numbers, not {signal.dtype}.")
    with np.errstate(invalid="ignore"):  # of a NaN that signals
        samples = (signal * _UNITS[chunk.unit]).astype(np.float32)
    highest = float(np.maximum.reduce(np.abs(samples), axis=None))
    if not math.isfinite(highest):
        samples[~np.isfinite(samples)] = np.nan
        highest = float(np.fmax.reduce(np.abs(samples), axis=None))
    if highest > _MOST_MV:
        raise DataError(f"a sample of {highest:g} mV is not an ECG; is the unit really {chunk.unit}?")
    return samples


def require_count(chunk: Chunk) -> None:
    """Check the position of the first chunk of a stream, which no earlier one can tell.

    Raises
    ------
    DataError
        If it is a time and not a count of samples, or would be more than a year after the stream's start.
    """
    begun_s = chunk.position / chunk.sampling_rate_hz
    unit = next((name for name, parts in _UNIX_TIMES if abs(chunk.position / parts - chunk.received) < _DAY_S), None)
    # A recording that is replayed has a time of its own, which begins at 0 as its positions do.
    if unit is not None and chunk.received > _LONGEST_STREAM_S:
        raise DataError(
            f"position {chunk.position} is the time of now in {unit} since 1970; "
            "count samples, from 0 at the start of the stream."
        )
    if begun_s > _LONGEST_STREAM_S:
        raise DataError(
            f"position {chunk.position} lies {begun_s / _DAY_S:.0f} days after the start of the stream; "
            "count samples, from 0 at its start."
        )


def arrive(segment: Segment, position: int, samples: NDArray[np.float32]) -> AssembledChunk:
    """Take the samples of a chunk that belongs to the segment.

    Parameters
    ----------
    samples : ndarray of float32, shape (n, leads)
        Millivolt.
    """
    late = min(max(segment.next_position - position, 0), len(samples))
    if late == len(samples):
        return AssembledChunk(segment, (), late=late)
    buffered = [*segment.buffered, BufferedSamples(position + late, samples[late:])]
    arrived = _joined(segment, sorted(buffered, key=lambda part: part.position))
    if not arrived.segment.buffered:
        return AssembledChunk(arrived.segment, arrived.pieces, late)
    newest = max(part.position + len(part.samples) for part in arrived.segment.buffered)
    if newest - arrived.segment.next_position > WAIT_S * segment.rate_hz or len(arrived.segment.buffered) > _MOST_HELD:
        rest = flush_gap(arrived.segment)
        return AssembledChunk(rest.segment, arrived.pieces + rest.pieces, late, rest.gap_s)
    return AssembledChunk(arrived.segment, arrived.pieces, late)


def flush_gap(segment: Segment) -> AssembledChunk:
    """Take what is missing in front of the held samples for lost; the gap is filled with nothing."""
    pieces: tuple[NDArray[np.float32], ...] = ()
    gap_s = 0.0
    while segment.buffered:
        hole = segment.buffered[0].position - segment.next_position
        filling = BufferedSamples(segment.next_position, np.full((hole, len(segment.leads)), np.nan, np.float32))
        arrived = _joined(segment, [filling, *segment.buffered])
        segment, pieces, gap_s = arrived.segment, pieces + arrived.pieces, gap_s + hole / segment.rate_hz
    return AssembledChunk(segment, pieces, gap_s=gap_s)


def missing_before_s(segment: Segment, position: int) -> float:
    """Return the length that is missing in front of a position, in seconds."""
    return max(position - segment.next_position, 0) / segment.rate_hz


def _joined(segment: Segment, waiting: list[BufferedSamples]) -> AssembledChunk:
    """Join buffered samples that follow without a hole, and cut complete pieces."""
    parts, next_position = [segment.samples], segment.next_position
    while waiting and waiting[0].position <= next_position:
        part = waiting.pop(0)
        parts.append(part.samples[next_position - part.position :])
        next_position = max(next_position, part.position + len(part.samples))
    samples = np.concatenate(parts) if len(parts) > 1 else segment.samples
    pieces, count, used = [], segment.pieces, 0
    while (size := segment.piece_begins(count + 1) - segment.piece_begins(count)) <= len(samples) - used:
        pieces.append(samples[used : used + size])
        used += size
        count += 1
    segment = replace(
        segment, next_position=next_position, samples=samples[used:], pieces=count, buffered=tuple(waiting)
    )
    return AssembledChunk(segment, tuple(pieces))
