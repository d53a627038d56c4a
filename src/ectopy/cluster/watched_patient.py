"""A patient whom the cluster watches, as the service in front shows them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ectopy.errors import EctopyError
from ectopy.monitor import Chunk, MonitorState, status
from ectopy.monitor.chunk_assembly import Segment, require_count, validated_samples
from ectopy.monitor.detection_state import DetectionState
from ectopy.monitor.monitor_state import Signal
from ectopy.monitor.pulse_stream import check_pulses
from ectopy.monitor.viewed_state import with_template
from ectopy.signal.beat_segments import no_beats
from ectopy.signal.state_replace import replace

LAG_S = 10.0
"""Longest time for which samples that have come since the newest status are shown as watched."""


@dataclass(slots=True)
class SampleCount:
    """How far the samples of a stream go without a hole; `next_position` is None before the first one."""

    stream: tuple[str, float, tuple[str, ...]] | None = None
    next_position: int | None = None

    def add(self, chunk: Chunk) -> int:
        """Count the samples of a chunk; return how many were counted already."""
        stream, end = (chunk.stream, chunk.sampling_rate_hz, chunk.leads), chunk.position + len(chunk.signal)
        if self.next_position is None or stream != self.stream:
            self.stream, self.next_position = stream, end
            return 0
        late = max(min(end, self.next_position) - chunk.position, 0)
        if chunk.position <= self.next_position:
            self.next_position = max(self.next_position, end)
        return late

    def follow(self, segment: Segment | None) -> None:
        """Go on behind a hole that the monitor has given up, or in the stream of a former process."""
        if segment is None:
            return
        if self.stream is None:
            self.stream = _stream(segment)
        if self.stream == _stream(segment):
            self.next_position = max(self.next_position or 0, segment.next_position)


@dataclass(slots=True)
class WatchedPatient:
    """A patient.

    Attributes
    ----------
    reported : MonitorState
        The newest status that was read.
    next_input, events : int
        Number of the next input in the store, and of the last event.
    snapshot_at : float
        When the newest status in the store was written, seconds since 1970.
    outgoing, received : SampleCount
        Samples that were handed in, and those that Kafka has.
    received_at : float
        When the newest samples came, seconds since 1970.
    waiting_since : float or None
        When the first samples came of which no status tells yet.
    beginning : Signal or None
        Of the stream of these samples, where it is not that of the newest status.
    continues : bool
        Whether no samples were handed in since the start, so that some may be missing in front of the first ones.
    asked_at : float or None
        Since when their sender has been asked for them, by a clock that is never set.
    """

    patient: str
    name: str
    reported: MonitorState
    next_input: int = 1
    events: int = 0
    snapshot_at: float = 0.0
    outgoing: SampleCount = field(default_factory=SampleCount)
    received: SampleCount = field(default_factory=SampleCount)
    received_at: float = 0.0
    waiting_since: float | None = None
    beginning: Signal | None = None
    continues: bool = False
    asked_at: float | None = None

    def __post_init__(self) -> None:
        self._follow()

    def _follow(self) -> None:
        for count in (self.outgoing, self.received):
            count.follow(status.stream(self.reported))

    def take_status(self, state: MonitorState) -> None:
        """Take a newer status; one that was written again later is left out."""
        if state.events >= self.reported.events:
            self.reported, self.waiting_since = with_template(state, self.reported), None
            self._follow()

    def take_samples(self, chunk: Chunk) -> None:
        """Note samples that Kafka has, of which a later status will tell."""
        self.outgoing.add(chunk)
        self.received.add(chunk)
        self.received_at = max(self.received_at, chunk.received)
        if self.waiting_since is None:
            self.waiting_since = chunk.received
        if status.continues(self.reported, chunk):
            self.beginning = None
        elif self.beginning is None or not self.beginning.segment.continued_by(chunk):
            self.beginning = _beginning(chunk, self.reported)

    @property
    def state(self) -> MonitorState:
        """The present state: the newest status, and how far samples have come since.

        Samples that wait for a status longer than `LAG_S` are not shown: nobody may be watching them.
        """
        reported, count, since = self.reported, self.received, self.waiting_since
        if since is None or reported.discharged or self.received_at - since > LAG_S:
            return reported
        signal, epoch = reported.signal, reported.epoch
        beginning = self.beginning
        if beginning is not None:
            signal = beginning
            epoch = since - beginning.segment.second(beginning.origin) if epoch is None else epoch
        if signal is None or count.stream != _stream(signal.segment) or count.next_position is None:
            return reported
        segment = replace(signal.segment, next_position=max(signal.segment.next_position, count.next_position))
        received = max(reported.received, self.received_at)
        return replace(reported, signal=replace(signal, segment=segment), epoch=epoch, received=received, silent=False)


def rejection(state: MonitorState, chunk: Chunk) -> str:
    """Return why the monitor will reject a chunk; empty where it will not, as far as that is known in advance."""
    if state.discharged:
        return "this patient is discharged; admit the patient first."
    try:
        validated_samples(chunk)
        check_pulses(chunk)
        if not status.continues(state, chunk):
            require_count(chunk)
    except EctopyError as error:
        return str(error)
    return ""


def _beginning(chunk: Chunk, state: MonitorState) -> Signal:
    """Return the signal of a stream as the monitor begins it with this chunk."""
    length_s = len(chunk.signal) / chunk.sampling_rate_hz
    if state.epoch is None:
        origin_s = chunk.position / chunk.sampling_rate_hz
    else:
        origin_s = max(chunk.received - state.epoch - length_s, state.clock_s)
    leads = len(chunk.leads)
    detection = DetectionState.fresh(chunk.sampling_rate_hz, leads)
    return Signal(Segment.beginning(chunk, origin_s), chunk.position, detection, no_beats(leads))


def _stream(segment: Segment) -> tuple[str, float, tuple[str, ...]]:
    return segment.stream, segment.rate_hz, segment.leads
