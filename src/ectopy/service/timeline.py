"""Where a moment lies in a stream of samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ectopy.monitor import MonitorState
from ectopy.service.storage import Arrival


@dataclass(frozen=True, slots=True)
class Line:
    """The time of the samples of a stream.

    Attributes
    ----------
    stream : str
    rate_hz : float
    zero_time : float
        Of the sample at position 0, seconds since 1970.
    first, last : int
        Positions from the first sample that is known to lie on the line to after the last one.
    """

    stream: str
    rate_hz: float
    zero_time: float
    first: int
    last: int

    def time(self, position: int) -> float:
        """When a sample was."""
        return self.zero_time + position / self.rate_hz

    def within(self, start: float, stop: float) -> range:
        """Positions of the known samples from a time to before another."""
        first, last = (round((time - self.zero_time) * self.rate_hz) for time in (start, stop))
        return range(max(first, self.first), min(last, self.last))


def present_line(state: MonitorState) -> Line | None:
    """The line of the stream that comes now."""
    if state.signal is None:
        return None
    segment = state.signal.segment
    zero_time = (state.epoch or 0.0) + segment.second(0)
    return Line(segment.stream, segment.rate_hz, zero_time, segment.origin, segment.wanted)


def former_lines(arrivals: Iterable[Arrival]) -> list[Line]:
    """Lines of streams by when their chunks came; the one that was least late tells when the samples were."""
    lines: dict[tuple[str, float], Line] = {}
    for chunk in arrivals:
        key = (chunk.stream, chunk.sampling_rate_hz)
        end = chunk.position + chunk.samples
        zero_time = chunk.received - end / chunk.sampling_rate_hz
        known = lines.get(key)
        if known is not None:
            zero_time = min(zero_time, known.zero_time)
            lines[key] = Line(*key, zero_time, min(chunk.position, known.first), max(end, known.last))
        else:
            lines[key] = Line(*key, zero_time, chunk.position, end)
    return list(lines.values())
