"""Conversion between stream seconds, positions of samples, and the clock.

Stream seconds are the reference, because the clock that belongs to them moves: it may be set, and devices run slow or
fast. Its former values are stored, so that a time in the past is converted with the clock of that time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ectopy.monitor import MonitorState, status
from ectopy.service.storage import Arrival, Store


@dataclass(frozen=True, slots=True)
class StreamClock:
    """Stream seconds of samples: `zero_s` is that of position 0; `first` to before `last` are known positions."""

    stream: str
    rate_hz: float
    zero_s: float
    first: int
    last: int

    def second(self, position: int) -> float:
        """Return the stream second of a sample."""
        return self.zero_s + position / self.rate_hz

    def within(self, begin_s: float, end_s: float) -> range:
        """Return the known positions from a stream second to before another."""
        first, last = (round((second - self.zero_s) * self.rate_hz) for second in (begin_s, end_s))
        return range(max(first, self.first), min(last, self.last))


def origin_at(store: Store, patient: str, state: MonitorState, time: float) -> float:
    """Return the time of stream second 0 by the clock at a time, seconds since 1970."""
    origin = store.waveforms.origin(patient, time)
    return status.origin(state) if origin is None else origin


def present_clock(state: MonitorState) -> StreamClock | None:
    """Return the clock of the present stream."""
    segment = status.stream(state)
    if segment is None:
        return None
    return StreamClock(segment.stream, segment.rate_hz, segment.second(0), segment.origin, segment.next_position)


def former_clocks(arrivals: Iterable[Arrival], origin: float) -> list[StreamClock]:
    """Estimate the clocks of former streams from their chunks, of which the one with the least delay counts.

    `origin` is the time of stream second 0, seconds since 1970.
    """
    clocks: dict[tuple[str, float], StreamClock] = {}
    for chunk in arrivals:
        key, end = (chunk.stream, chunk.sampling_rate_hz), chunk.position + chunk.samples
        new = StreamClock(*key, chunk.received - origin - end / chunk.sampling_rate_hz, chunk.position, end)
        clock = clocks.get(key, new)
        clocks[key] = StreamClock(
            *key, min(new.zero_s, clock.zero_s), min(new.first, clock.first), max(new.last, clock.last)
        )
    return list(clocks.values())
