"""Where a stream second lies in a stream of samples, and when it was.

Stream seconds are the measure, for the clock that belongs to them moves: it may be set, and devices run slow or fast.
What it was is stored, so that a time in the past is found where it was then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ectopy.monitor import MonitorState, status
from ectopy.service.storage import Arrival, Store


@dataclass(frozen=True, slots=True)
class StreamClock:
    """The stream seconds of the samples of a stream.

    Attributes
    ----------
    stream : str
    rate_hz : float
    zero_s : float
        Of the sample at position 0.
    first, last : int
        Positions from the first known sample to after the last one.
    """

    stream: str
    rate_hz: float
    zero_s: float
    first: int
    last: int

    def second(self, position: int) -> float:
        """Return the stream second of a sample."""
        return self.zero_s + position / self.rate_hz

    def within(self, begin_s: float, end_s: float) -> range:
        """Return the positions of the known samples from a stream second to before another."""
        first, last = (round((second - self.zero_s) * self.rate_hz) for second in (begin_s, end_s))
        return range(max(first, self.first), min(last, self.last))


def origin_at(store: Store, patient: str, state: MonitorState, time: float) -> float:
    """Return the time of stream second 0 by the clock at a time, seconds since 1970.

    Raises
    ------
    StorageError
        If the store fails.
    """
    origin = store.waveforms.origin(patient, time)
    return status.origin(state) if origin is None else origin


def present_clock(state: MonitorState) -> StreamClock | None:
    """Return the clock of the stream that comes now."""
    segment = status.stream(state)
    if segment is None:
        return None
    return StreamClock(segment.stream, segment.rate_hz, segment.second(0), segment.origin, segment.next_position)


def former_clocks(arrivals: Iterable[Arrival], origin: float) -> list[StreamClock]:
    """Return clocks of streams by when their chunks came: the chunk that was least late says when the samples were.

    Parameters
    ----------
    arrivals : iterable of Arrival
    origin : float
        Time of stream second 0, seconds since 1970.
    """
    clocks: dict[tuple[str, float], StreamClock] = {}
    for chunk in arrivals:
        key, end = (chunk.stream, chunk.sampling_rate_hz), chunk.position + chunk.samples
        new = StreamClock(*key, chunk.received - origin - end / chunk.sampling_rate_hz, chunk.position, end)
        known = clocks.get(key, new)
        clocks[key] = StreamClock(
            *key, min(new.zero_s, known.zero_s), min(new.first, known.first), max(new.last, known.last)
        )
    return list(clocks.values())
