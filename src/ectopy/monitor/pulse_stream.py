"""Pulse waves put in order beside the ECG, and handed out with each of its pieces.

A sample of a pulse wave belongs to the second of the stream that the ECG's sample at the same time belongs to: position
divided by sampling rate says so for both. What has not come when its piece of ECG is analysed is awaited for a while
and is then missing; the ECG never waits for it. Where both come together, the same samples are handed out with the same
piece, however the stream was cut into chunks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.pulse_channels import (
    HIGHEST_PULSE_HZ,
    LOWEST_PULSE_HZ,
    MOST_PULSES,
    NO_UNIT,
    PRESSURE_UNIT,
    pulse_unit,
    readable_pulse,
)
from ectopy.monitor.chunk_assembly import LONGEST_CHUNK_S
from ectopy.monitor.inputs import Chunk, PulseChunk
from ectopy.presentation import short_repr
from ectopy.signal.state_replace import replace

MARGIN_S = 0.25
"""Pulse samples are handed out up to so long before the end of a piece of ECG, so that all of them have come."""
PATIENCE_S = 4.0
"""Time for which samples are awaited that do not come with their ECG."""
MOST_AHEAD_S = 2.0
"""Samples that lie further after the ECG that they came with are on another clock; or `PATIENCE_S` before it."""

_LONGEST_NAME = 64
_MOST_IGNORED = 4
_ABSENT = -np.float32(np.inf)
"""A sample that has not come; one that has come and is not valid is NaN."""


class PulsePiece(NamedTuple):
    """Samples of a pulse wave, which follow those handed out before.

    Attributes
    ----------
    start_s : float
        Stream second of the first sample.
    samples : ndarray of float32, shape (n,)
        NaN where there is no valid sample, or none has come in time.
    """

    name: str
    unit: str
    rate_hz: float
    start_s: float
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PulseBuffer:
    """Samples of a pulse wave that have not been handed out.

    Attributes
    ----------
    position : int
        Of the first sample in `samples`, at the wave's own rate.
    samples : ndarray of float32, shape (n,)
        Minus infinity where a sample has not come.
    newest : int
        Position after the newest sample that has come.
    is_begun : bool
        Whether samples have been handed out.
    """

    __repr__ = short_repr

    name: str
    unit: str
    rate_hz: float
    position: int
    samples: NDArray[np.float32]
    newest: int
    is_begun: bool = False


@dataclass(frozen=True, slots=True)
class PulseStream:
    """Positions and samples of the pulse waves of a segment.

    Attributes
    ----------
    begin_s, until_s : float
        Where the segment begins, and up to where samples have been handed out, in seconds of the sender's count:
        position / rate.
    waves : tuple of PulseBuffer
        At most four.
    ignored : tuple of str
        Names of signals that are not pulse waves, or lie on another clock, and have been reported.
    """

    __repr__ = short_repr

    begin_s: float = 0.0
    until_s: float = 0.0
    waves: tuple[PulseBuffer, ...] = ()
    ignored: tuple[str, ...] = ()


def check_pulses(chunk: Chunk) -> None:
    """Check the pulse waves of a chunk.

    Raises
    ------
    DataError
        If anything about them is impossible; one sentence for the sender.
    """
    names = [pulse.name for pulse in chunk.pulses]
    if len(names) > MOST_PULSES or len(set(names)) != len(names):
        raise DataError(f"a chunk holds up to {MOST_PULSES} pulse waves with different names, not {names[:8]}.")
    for pulse in chunk.pulses:
        _check_pulse(pulse)


def _check_pulse(pulse: PulseChunk) -> None:
    name, samples = pulse.name, np.asarray(pulse.samples)
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise DataError(f"a pulse wave needs a name of 1 to {_LONGEST_NAME} printable characters.")
    if not LOWEST_PULSE_HZ <= pulse.sampling_rate_hz <= HIGHEST_PULSE_HZ:
        raise DataError(
            f"the sampling rate of the pulse wave {name} must lie between {LOWEST_PULSE_HZ:g} and "
            f"{HIGHEST_PULSE_HZ:g} Hz, not {pulse.sampling_rate_hz:g} Hz."
        )
    if samples.ndim != 1 or samples.dtype.kind not in "fiu":
        raise DataError(f"the pulse wave {name} needs a row of numbers, not {samples.dtype} of shape {samples.shape}.")
    if len(samples) > LONGEST_CHUNK_S * pulse.sampling_rate_hz:
        raise DataError(
            f"a chunk holds up to {LONGEST_CHUNK_S:g} s of the pulse wave {name}, not {len(samples)} samples at "
            f"{pulse.sampling_rate_hz:g} Hz; send it in parts."
        )
    if not isinstance(pulse.position, int | np.integer) or not 0 <= pulse.position < 2**53:
        raise DataError(
            f"the position of the pulse wave {name} counts its samples from 0, and cannot be {pulse.position}."
        )


def take_pulses(stream: PulseStream, chunk: Chunk) -> tuple[PulseStream, tuple[str, ...]]:
    """Take the pulse waves of a chunk, whose ECG belongs to the segment and which `check_pulses` has passed.

    Samples that were handed out already, or come twice, are not taken.

    Returns
    -------
    stream : PulseStream
    notices : tuple of str
        A sentence on each signal that is ignored for the first time.
    """
    begin_s = chunk.position / chunk.sampling_rate_hz
    end_s = begin_s + len(chunk.signal) / chunk.sampling_rate_hz
    notices: list[str] = []
    for pulse in chunk.pulses:
        if not len(pulse.samples):
            continue
        reason = _why_ignored(pulse, begin_s, end_s)
        if not reason:
            stream = _with_samples(stream, pulse, end_s + MOST_AHEAD_S)
        elif pulse.name not in stream.ignored and len(stream.ignored) < _MOST_IGNORED:
            stream = replace(stream, ignored=(*stream.ignored, pulse.name))
            notices.append(reason)
    return stream, tuple(notices)


def _why_ignored(pulse: PulseChunk, begin_s: float, end_s: float) -> str:
    """Why a signal that came with so many seconds of ECG is not taken; empty if it is."""
    if pulse_unit(pulse.name, pulse.unit) is None:
        return (
            f"{pulse.name} in {pulse.unit or 'no unit'} is ignored: a pulse wave is a PLETH in {NO_UNIT}, or an ABP or "
            f"ART in {PRESSURE_UNIT}."
        )
    first_s = pulse.position / pulse.sampling_rate_hz
    last_s = first_s + len(pulse.samples) / pulse.sampling_rate_hz
    if first_s > end_s + MOST_AHEAD_S or last_s < begin_s - PATIENCE_S:
        return (
            f"{pulse.name} is ignored: it lies {first_s - begin_s:+.0f} s from the ECG that it came with; count its "
            "samples from the same start."
        )
    return ""


def _with_samples(stream: PulseStream, pulse: PulseChunk, most_s: float) -> PulseStream:
    """The stream with the samples of a wave that lie before a second of the sender's count."""
    unit, factor = pulse_unit(pulse.name, pulse.unit) or (NO_UNIT, 1.0)
    rate_hz, position = pulse.sampling_rate_hz, int(pulse.position)
    floor = math.ceil(max(stream.begin_s, stream.until_s - PATIENCE_S) * rate_hz)
    wave = next((wave for wave in stream.waves if wave.name == pulse.name), None)
    if wave is None or (wave.unit, wave.rate_hz) != (unit, rate_hz):
        first = max(position, floor)
        wave = PulseBuffer(pulse.name, unit, rate_hz, first, np.empty(0, np.float32), first)
    stop = wave.position + len(wave.samples)
    lowest = wave.position if wave.is_begun else min(wave.position, max(position, floor))
    begin = max(position, lowest)
    end = min(position + len(pulse.samples), math.floor(most_s * rate_hz))
    if begin >= end:
        return stream
    came = readable_pulse(pulse.samples[begin - position : end - position], factor)
    if begin == stop and lowest == wave.position:  # they follow what is there, as they mostly do
        samples = np.concatenate([wave.samples, came])
    else:
        # A buffer that reaches from the first to the last sample that is there.
        samples = np.full(max(stop, end) - lowest, _ABSENT, np.float32)
        samples[wave.position - lowest :][: len(wave.samples)] = wave.samples
        # Of two samples for one position the first to come stays.
        place = samples[begin - lowest : end - lowest]
        place[:] = np.where(place == _ABSENT, came, place)
    wave = PulseBuffer(pulse.name, unit, rate_hz, lowest, samples, max(wave.newest, end), wave.is_begun)
    other_waves = [other for other in stream.waves if other.name != pulse.name]
    if len(other_waves) == MOST_PULSES:
        other_waves.remove(min(other_waves, key=lambda other: other.newest / other.rate_hz))
    waves = tuple(sorted([*other_waves, wave], key=lambda each: each.name)) if other_waves else (wave,)
    return PulseStream(stream.begin_s, stream.until_s, waves, stream.ignored)


def pulse_pieces(
    stream: PulseStream, end_s: float, offset_s: float, margin_s: float = MARGIN_S
) -> tuple[PulseStream, tuple[PulsePiece, ...]]:
    """Hand out what has come of each wave until shortly before the end of a piece of ECG.

    Parameters
    ----------
    end_s : float
        End of the piece, in seconds of the sender's count.
    offset_s : float
        Stream second of the sender's second 0.
    margin_s : float
        How long before that end samples are not handed out yet.

    Returns
    -------
    stream : PulseStream
    pieces : tuple of PulsePiece
        In order of name; none of a wave of which there is nothing to hand out.
    """
    until_s = max(end_s - margin_s, stream.until_s)
    if not stream.waves:
        return PulseStream(stream.begin_s, until_s, (), stream.ignored), ()
    waves, pieces = [], []
    for wave in stream.waves:
        wave, samples = _take_samples(wave, math.ceil(until_s * wave.rate_hz))
        waves.append(wave)
        if len(samples):
            start_s = offset_s + (wave.position - len(samples)) / wave.rate_hz
            pieces.append(PulsePiece(wave.name, wave.unit, wave.rate_hz, start_s, samples))
    return PulseStream(stream.begin_s, until_s, tuple(waves), stream.ignored), tuple(pieces)


def _take_samples(wave: PulseBuffer, limit: int) -> tuple[PulseBuffer, NDArray[np.float32]]:
    """The wave without the samples before a position that are handed out, and these."""
    reach = limit - wave.position
    if reach <= 0:
        return wave, np.empty(0, np.float32)
    has_come = wave.samples[:reach] != _ABSENT
    if wave.is_begun and len(has_come) == reach and has_come.all():
        return _without_first(wave, reach), wave.samples[:reach]
    first = 0
    if not wave.is_begun:  # nothing was before the first sample
        first = int(np.argmax(has_come)) if has_come.any() else len(has_come)
    missing = np.flatnonzero(~has_come[first:])
    arrived = first + (int(missing[0]) if len(missing) else len(has_come) - first)
    # What has not come is missing after a while, but nothing is missing before the first sample.
    overdue = reach - math.floor(PATIENCE_S * wave.rate_hz) if wave.is_begun or arrived > first else 0
    size = max(arrived, overdue)
    samples = wave.samples[first:size].copy()
    samples = np.concatenate([samples, np.full(size - first - len(samples), np.nan, np.float32)])
    samples[samples == _ABSENT] = np.nan
    return _without_first(wave, size, wave.is_begun or len(samples) > 0), samples


def _without_first(wave: PulseBuffer, size: int, is_begun: bool = True) -> PulseBuffer:
    """The wave without its first samples."""
    rest, position = wave.samples[size:].copy(), wave.position + size
    return PulseBuffer(wave.name, wave.unit, wave.rate_hz, position, rest, wave.newest, is_begun)


def fresh_pulses(stream: PulseStream, chunk: Chunk) -> PulseStream:
    """No waves yet, where a segment begins with a chunk."""
    begin_s = chunk.position / chunk.sampling_rate_hz
    return PulseStream(begin_s, begin_s, ignored=stream.ignored)
