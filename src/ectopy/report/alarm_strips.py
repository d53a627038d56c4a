"""Collects the strips and the states of alarms for the page on alarms, in bounded memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ectopy.formats.pulse_channels import HIGHEST_PULSE_HZ, LOWEST_PULSE_HZ, MOST_PULSES, pulse_unit, readable_pulse
from ectopy.monitor import AlarmChanged, BeatJudged, Chunk, QualityChanged, status
from ectopy.monitor.alarm import Alarm
from ectopy.monitor.chunk_assembly import Segment
from ectopy.monitor.input_sources import Step
from ectopy.recording import PulseWave, Recording

MOST_STRIPS = 24
MOST_LISTED = 500
LONGEST_S = 21.0
"""Longest strip; a longer one is cut at its start."""

_KEPT_S = 180.0
_MARGIN_S = 5.0  # what the filters need on both sides
_JUDGED_S = 15.0  # after which a beat is judged even when no other has come


@dataclass(frozen=True, slots=True)
class AlarmStrip:
    """An alarm that was raised, or returned, with the signal around it.

    The strip goes from `start_s` to `end_s`, stream seconds; the recording has some seconds before and after it, and
    begins at `begins_s`. `quality` are the changes of its leads, from the ones that hold at its start.
    """

    event: AlarmChanged
    start_s: float
    end_s: float
    recording: Recording
    begins_s: float
    beats: tuple[BeatJudged, ...]
    quality: tuple[QualityChanged, ...]


class AlarmStrips:
    """Collects strips of the most urgent alarms from the steps of watching, the first ones of each priority.

    There are at most `MOST_STRIPS` of them, in order of time, and at most `MOST_LISTED` `alarms` by number, as they
    stand. Alarms of before `from_s` are left out.
    """

    def __init__(self, from_s: float = 0.0) -> None:
        self.strips: list[AlarmStrip] = []
        self.alarms: dict[int, Alarm] = {}
        self._from_s = from_s
        self._chunks: deque[Chunk] = deque()
        self._beats: deque[BeatJudged] = deque()
        self._quality: list[QualityChanged] = []
        self._waiting: list[AlarmChanged] = []
        self._segment: Segment | None = None

    def take(self, step: Step) -> None:
        """Take a step, and cut the strips that are complete."""
        if isinstance(step.input, Chunk):
            self._chunks.append(step.input)
        for event in step.events:
            match event:
                case BeatJudged():
                    self._beats.append(event)
                case QualityChanged():
                    self._quality.append(event)
                case AlarmChanged() if event.at_s >= self._from_s:
                    self._record(event)
        segment = status.stream(step.state)
        if segment is not None:
            self._segment = segment
            self._drop_before(step.state.clock_s - _KEPT_S)
        ready = [event for event in self._waiting if event.strip_s[1] + _JUDGED_S <= step.state.clock_s]
        self._complete(ready)

    def close(self) -> None:
        """Cut the other strips, with the signal up to here."""
        self._complete(list(self._waiting))

    def _record(self, event: AlarmChanged) -> None:
        alarm = event.alarm
        if alarm.number in self.alarms or len(self.alarms) < MOST_LISTED:
            self.alarms[alarm.number] = alarm
        if event.change in ("raised", "returned"):
            self._waiting.append(event)

    def _drop_before(self, before_s: float) -> None:
        assert self._segment is not None
        while self._chunks and self._segment.second(self._chunks[0].position) < before_s:
            self._chunks.popleft()
        while self._beats and self._beats[0].beat_s < before_s:
            self._beats.popleft()
        if len(self._quality) > 1 and self._quality[0].since_s < before_s:
            self._quality = _changes_from(self._quality, before_s)

    def _complete(self, events: Iterable[AlarmChanged]) -> None:
        for event in events:
            self._waiting.remove(event)
            strip = None if self._segment is None else self._strip_of(event, self._segment)
            if strip is not None:
                self.strips.append(strip)
        # The strip of a later alarm may be complete earlier, and more of them at a time where chunks are long.
        urgent = sorted(self.strips, key=lambda strip: (-strip.event.alarm.priority, strip.event.number))[:MOST_STRIPS]
        self.strips = sorted(urgent, key=lambda strip: strip.event.number)

    def _strip_of(self, event: AlarmChanged, segment: Segment) -> AlarmStrip | None:
        """None where nothing was recorded."""
        end_s = event.strip_s[1]
        start_s = max(event.strip_s[0], end_s - LONGEST_S)
        first = max(math.floor(_position(segment, start_s - _MARGIN_S)), 0)
        stop = max(min(math.ceil(_position(segment, end_s + _MARGIN_S)), segment.next_position), first)
        signal = np.full((stop - first, len(segment.leads)), np.nan, np.float32)
        for chunk in self._chunks:
            begin, end = max(chunk.position, first), min(chunk.position + len(chunk.signal), stop)
            if begin < end:
                signal[begin - first : end - first] = chunk.signal[begin - chunk.position : end - chunk.position]
        begins_s, end_s = segment.second(first), min(end_s, segment.second(stop))
        if end_s <= start_s or np.isnan(signal).all():
            return None
        pulses = _pulses(self._chunks, first / segment.rate_hz, stop / segment.rate_hz)
        return AlarmStrip(
            event,
            start_s,
            end_s,
            Recording(signal, segment.rate_hz, segment.leads, pulses=pulses),
            begins_s,
            tuple(beat for beat in self._beats if begins_s <= beat.beat_s <= end_s),
            tuple(change for change in _changes_from(self._quality, begins_s) if change.since_s < end_s),
        )


def _pulses(chunks: Iterable[Chunk], first_s: float, stop_s: float) -> tuple[PulseWave, ...]:
    """Pulse waves from one second of the sender's count to before another, in order of name."""
    waves: dict[tuple[str, str, float], PulseWave] = {}
    for chunk in chunks:
        for pulse in chunk.pulses:
            unit, rate_hz = pulse_unit(pulse.name, pulse.unit), pulse.sampling_rate_hz
            if unit is None or not LOWEST_PULSE_HZ <= rate_hz <= HIGHEST_PULSE_HZ:
                continue
            first, stop = math.ceil(first_s * rate_hz), math.ceil(stop_s * rate_hz)
            begin, end = max(pulse.position, first), min(pulse.position + len(pulse.samples), stop)
            if begin < end:
                key = pulse.name, unit.unit, rate_hz
                wave = waves.setdefault(key, PulseWave(*key, np.full(stop - first, np.nan, np.float32)))
                samples = pulse.samples[begin - pulse.position : end - pulse.position]
                wave.samples[begin - first : end - first] = readable_pulse(samples, unit.factor)
    return tuple(waves[key] for key in sorted(waves))[:MOST_PULSES]


def _position(segment: Segment, second: float) -> float:
    return segment.origin + (second - segment.origin_s) * segment.rate_hz


def _changes_from(changes: list[QualityChanged], second: float) -> list[QualityChanged]:
    """Changes after a second, and the last one of each lead before it."""
    last = {change.lead: change for change in changes if change.since_s <= second}
    return [*last.values(), *(change for change in changes if change.since_s > second)]
