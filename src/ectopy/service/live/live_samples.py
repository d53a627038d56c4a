"""Samples for viewers, as soon as they have come and before they are analysed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ectopy.errors import DataError
from ectopy.monitor import Chunk, MonitorState, status
from ectopy.monitor.chunk_assembly import validated_samples
from ectopy.monitor.pulse_stream import check_pulses


@dataclass(frozen=True, slots=True)
class LiveSamples:
    """Samples of a patient, and the time of the first one, seconds since 1970."""

    patient: str
    chunk: Chunk
    time: float


SamplesListener = Callable[[Sequence[LiveSamples]], None]
"""Receives samples, in the thread that watches: it must be quick."""


def preview(patient: str, state: MonitorState, chunk: Chunk) -> LiveSamples | None:
    """Return samples that continue the last ones, before the monitor accepts them; None = it has to decide first."""
    if not status.continues(state, chunk):
        return None
    try:
        validated_samples(chunk)
        check_pulses(chunk)
    except DataError:
        return None
    return accepted(patient, state, chunk)


def accepted(patient: str, state: MonitorState, chunk: Chunk) -> LiveSamples:
    """Return samples that the monitor has accepted, which has led to this state."""
    segment = status.stream(state)
    if segment is not None and segment.continued_by(chunk):
        return LiveSamples(patient, chunk, status.origin(state) + segment.second(chunk.position))
    return LiveSamples(patient, chunk, chunk.received - len(chunk.signal) / chunk.sampling_rate_hz)
