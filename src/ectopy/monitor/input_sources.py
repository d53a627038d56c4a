"""Sources of the inputs of the monitor: a recording, or lines on standard input. Clocks are handed in."""

from __future__ import annotations

import math
import os
import select
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.errors import DataError, LayoutError
from ectopy.formats.sample_stream import NAME, SampleLines
from ectopy.monitor import Chunk, End, Event, Input, Monitor, MonitorState, Tick, chunks
from ectopy.monitor.chunk_assembly import validated_samples
from ectopy.monitor.inputs import PulseChunk
from ectopy.monitor.replay import chunk_length, whole
from ectopy.monitor.technical import NO_DATA_S
from ectopy.presentation import short_repr
from ectopy.recording import Recording

TICK_S = 1.0
"""Interval of ticks, and of sending samples that wait for their chunk."""

_MOST_BYTES = 65_536


def from_recording(recording: Recording, chunk_s: float = 1.0, to_s: float | None = None) -> Iterator[Chunk | End]:
    """Cut a recording into chunks; its second 0 is the time 0, and no other clock is needed.

    Parameters
    ----------
    chunk_s : float
        Above 0 to 60 s.
    to_s : float, optional
        Where to stop. Before the end of the recording the last beats await what follows, as they do in a live stream.

    Raises
    ------
    SettingError
        If the length of a chunk is out of range.
    DataError
        If its sampling rate or leads cannot be watched.
    """
    _require_watchable(recording.sampling_rate_hz, recording.leads)
    if to_s is None or to_s >= recording.duration_s:
        yield from whole(recording, chunk_s)
    else:
        stop = math.ceil(to_s * recording.sampling_rate_hz)
        yield from chunks(replace(recording, signal=recording.signal[:stop]), chunk_s)


def from_lines(
    arrivals: Iterable[bytes],
    lines: SampleLines,
    sampling_rate_hz: float,
    chunk_s: float,
    clock: Callable[[], float],
) -> Iterator[Input]:
    """Send samples on as they arrive, and the time once a second.

    Lines are counted: a sender that loses samples sends ``nan`` for them. Only after ten seconds of silence, when there
    is an alarm for it, the silence is a gap, and what comes then is placed by the clock. All times are seconds of the
    stream: they begin at 0, and go on with the clock or, where samples come faster, with the samples.

    Parameters
    ----------
    arrivals : iterable of bytes
        Text as it comes; empty whenever a second has passed without any.
    chunk_s : float
        Above 0 to 60 s; a chunk is shorter where a second has passed.
    clock : callable
        Gives seconds that never run backwards.

    Raises
    ------
    SettingError
        If the length of a chunk is out of range.
    DataError
        If sampling rate or leads cannot be watched, no unit is stated, or no samples come until the end.
    """
    length = chunk_length(chunk_s, sampling_rate_hz)
    _require_watchable(sampling_rate_hz, lines.leads or ("not known yet",))
    position, waiting = 0, np.empty((0, 0), np.float32)
    began = ticked = samples_at = clock()
    ahead_s = 0.0
    for content in chain(arrivals, (None,)):
        over = content is None
        samples = lines.end() if content is None else lines.take(content)
        if len(samples):
            if not position and not len(waiting):
                _require_watchable(sampling_rate_hz, lines.leads)
            silent_s = clock() - samples_at
            if position and silent_s >= NO_DATA_S:
                position += max(round(silent_s * sampling_rate_hz) - len(samples), 0)
            waiting = np.concatenate([waiting, samples]) if len(waiting) else samples
        due = over or clock() - ticked >= TICK_S
        while len(waiting) >= length or (due and len(waiting)):
            part, waiting = waiting[:length], waiting[length:]
            elapsed_s = clock() - began
            ahead_s = max(ahead_s, (position + len(part)) / sampling_rate_hz - elapsed_s)
            yield _chunk(lines, position, part, sampling_rate_hz, received=elapsed_s + ahead_s)
            position += len(part)
        if due and not over:
            ticked = clock()
            yield Tick(ticked - began + ahead_s)
        if len(samples):
            samples_at = clock()
    if not position:
        raise DataError(f"{NAME} holds no samples; expected lines of numbers separated by commas or semicolons.")
    yield End(clock())


def _chunk(
    lines: SampleLines, position: int, samples: NDArray[np.float32], sampling_rate_hz: float, received: float
) -> Chunk:
    """Samples of lines, divided into those of the leads and those of the pulse waves, which have the same rate."""
    leads = len(lines.leads)
    waves = zip(lines.pulses, samples[:, leads:].T, strict=True)
    pulses = tuple(PulseChunk(wave.name, wave.unit.unit, sampling_rate_hz, position, row) for wave, row in waves)
    return Chunk(position, samples[:, :leads], sampling_rate_hz, lines.leads, received, pulses=pulses)


def arriving(descriptor: int) -> Iterator[bytes]:
    """Yield bytes from a file descriptor until its end; empty whenever a second has passed.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        while True:
            ready, _, _ = select.select([descriptor], [], [], TICK_S)
            content = os.read(descriptor, _MOST_BYTES) if ready else b""
            if ready and not content:
                return
            yield content
    except OSError as error:
        raise DataError(f"{NAME} cannot be read: {error.strerror or error}.") from error


def _require_watchable(sampling_rate_hz: float, leads: tuple[str, ...]) -> None:
    validated_samples(Chunk(0, np.zeros((1, len(leads)), np.float32), sampling_rate_hz, leads, received=0.0))


@dataclass(frozen=True, slots=True)
class Step:
    """One input with its outcome.

    Attributes
    ----------
    state : MonitorState
        After it.
    """

    __repr__ = short_repr

    input: Input
    state: MonitorState
    events: tuple[Event, ...]


def watch(monitor: Monitor, state: MonitorState, inputs: Iterable[Input]) -> Iterator[Step]:
    """Step through inputs as they come.

    Raises
    ------
    LayoutError
        If a patient's normal is given, and none of its leads is watched.
    """
    for item in inputs:
        if isinstance(item, Chunk) and state.signal is None and state.normal is not None:
            _require_known(state.normal, item.leads)
        state, events = monitor.step(state, item)
        yield Step(item, state, events)


def _require_known(normal: PatientTemplate, leads: tuple[str, ...]) -> None:
    if normal.for_leads(leads) is None:
        learned, watched = ", ".join(normal.leads), ", ".join(leads)
        raise LayoutError(f"the baseline was learned from the leads {learned}, and none of them is watched: {watched}.")
