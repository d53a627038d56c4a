"""Stored signal by time, and beats beside their reconstruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.baseline import Baseline
from ectopy.detector import Detector
from ectopy.monitor import MonitorState, status
from ectopy.monitor.evidence import compared
from ectopy.service.storage import Store, StoredBeat, Waveform
from ectopy.service.storage.stream_clock import former_clocks, present_clock
from ectopy.signal import filter_twice
from ectopy.signal.beat_segments import cut_beats
from ectopy.signal.similar_beats import similar_groups

LONGEST_S = 300.0
"""The longest segment of one answer."""

_LATE_S = 60.0
_MOST_ARRIVALS = 20_000
_BEFORE_S, _AFTER_S = 6.0, 3.0


@dataclass(frozen=True, slots=True)
class WaveformSegment:
    """A segment of signal; `start_time` is in seconds since 1970."""

    stream: str
    start_time: float
    waveform: Waveform


@dataclass(frozen=True, slots=True)
class BeatComparison:
    """A beat, and the normal beat that the template or the autoencoder expected; it stands for `alike` beats.

    `samples` and `reconstruction` have the shape (leads, 140), in millivolt at 180 Hz.
    """

    beat: StoredBeat
    leads: tuple[str, ...]
    samples: NDArray[np.float64]
    reconstruction: NDArray[np.float64]
    alike: int = 1


def one_of_each_shape(comparisons: Sequence[BeatComparison], most: int) -> list[BeatComparison]:
    """Return the first beat of each group of similar ones, with the size of the group; at most `most` groups."""
    first_beats: list[BeatComparison] = []
    for leads in dict.fromkeys(comparison.leads for comparison in comparisons):
        same = [comparison for comparison in comparisons if comparison.leads == leads]
        groups, _ = similar_groups(np.stack([comparison.samples for comparison in same]), most)
        first_beats += [replace(same[group[0]], alike=len(group)) for group in groups]
    order = {id(comparison.beat): place for place, comparison in enumerate(comparisons)}
    return sorted(first_beats, key=lambda comparison: order[id(comparison.beat)])[:most]


def read_segment(
    store: Store, patient: str, state: MonitorState, origin: float, begin_s: float, end_s: float
) -> WaveformSegment | None:
    """Return the signal from a stream second to before another, of the stream with the most samples there, if any.

    `state` is the present one; `origin` the time of stream second 0 when the signal was sent, seconds since 1970.
    """
    clocks = [clock for clock in [present_clock(state)] if clock is not None]
    if not clocks or begin_s < clocks[0].second(clocks[0].first):
        present = {(clock.stream, clock.rate_hz) for clock in clocks}
        arrivals = store.waveforms.arrivals(patient, origin + begin_s, origin + end_s + _LATE_S, _MOST_ARRIVALS)
        clocks += [clock for clock in former_clocks(arrivals, origin) if (clock.stream, clock.rate_hz) not in present]
    clock = max(clocks, key=lambda clock: len(clock.within(begin_s, end_s)), default=None)
    places = range(0) if clock is None else clock.within(begin_s, end_s)
    if clock is None or not places:
        return None
    waveform = store.waveforms.read(patient, clock.stream, places.start, places.stop)
    return WaveformSegment(clock.stream, origin + clock.second(places.start), waveform)


def compare_beat(
    store: Store, patient: str, state: MonitorState, beat: StoredBeat, detector: Detector
) -> BeatComparison | None:
    """Compare a beat with the template, or with the autoencoder; None if its signal is not stored any more."""
    at_s = beat.beat.beat_s
    segment = read_segment(store, patient, state, beat.time - at_s, at_s - _BEFORE_S, at_s + _AFTER_S)
    if segment is None:
        return None
    waveform = segment.waveform
    place_s = (beat.beat.position - waveform.position) / waveform.sampling_rate_hz
    if not 0.0 < place_s < len(waveform.signal) / waveform.sampling_rate_hz:
        return None
    learned = status.baseline(state)
    baseline = None if learned is None else _for_leads(learned, waveform.leads)
    if baseline is None:
        return None
    _, filtered = filter_twice(waveform.signal, waveform.sampling_rate_hz)
    beats = cut_beats(filtered, np.array([place_s]))
    if not len(beats):
        return None
    samples, reconstruction = compared(beats, baseline, detector)
    return BeatComparison(beat, waveform.leads, samples[0], reconstruction[0])


def _for_leads(baseline: Baseline, leads: tuple[str, ...]) -> Baseline | None:
    """Return the baseline if it belongs to these leads, and its template is here."""
    normal = baseline.normal
    if normal is not None and (normal.leads != leads or not normal.template.size):
        return None
    return baseline if len(baseline.height_mv) == len(leads) else None
