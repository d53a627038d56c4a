"""Samples for those who look at them, as soon as they have come: nobody waits for what is found in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ectopy.errors import DataError
from ectopy.monitor import Chunk, MonitorState, status
from ectopy.monitor.chunk_assembly import validated_samples
from ectopy.monitor.pulse_stream import check_pulses


@dataclass(frozen=True, slots=True)
class Trace:
    """Samples of a patient, and the time of the first one, seconds since 1970."""

    patient: str
    chunk: Chunk
    time: float


TraceListener = Callable[[Sequence[Trace]], None]
"""Hears of samples, in the thread that watches: it must be quick."""


def foreseen(patient: str, state: MonitorState, chunk: Chunk) -> Trace | None:
    """Samples that go on where the last ones ended, before the monitor has taken them; None = it has to say first."""
    if not status.continues(state, chunk):
        return None
    try:
        validated_samples(chunk)
        check_pulses(chunk)
    except DataError:
        return None
    return taken(patient, state, chunk)


def taken(patient: str, state: MonitorState, chunk: Chunk) -> Trace:
    """Samples that the monitor has taken, which has led to this state."""
    segment = status.stream(state)
    if segment is not None and segment.continued_by(chunk):
        return Trace(patient, chunk, status.origin(state) + segment.second(chunk.position))
    return Trace(patient, chunk, chunk.received - len(chunk.signal) / chunk.sampling_rate_hz)
