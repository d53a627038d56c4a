"""What is stored of a patient's signal, by the clock; and beats beside what was expected of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ectopy.baseline import Baseline
from ectopy.detector import Detector
from ectopy.monitor import MonitorState, status
from ectopy.monitor.evidence import compared
from ectopy.service.storage import Store, StoredBeat, Waveform
from ectopy.service.timeline import former_lines, present_line
from ectopy.signal import filter_twice
from ectopy.signal.cut import cut_beats
from ectopy.signal.similar import similar_groups

_LATE_S = 60.0
_MOST_ARRIVALS = 20_000
_BEFORE_S, _AFTER_S = 6.0, 3.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of signal, and when it began in seconds since 1970."""

    stream: str
    start_time: float
    waveform: Waveform


@dataclass(frozen=True, slots=True)
class Picture:
    """A beat, and what a normal one would have been.

    Attributes
    ----------
    beat : StoredBeat
    leads : tuple of str
    samples, reconstruction : ndarray of float64, shape (leads, 140)
        Millivolt at 180 Hz.
    alike : int
        How many beats it stands for, itself included.
    """

    beat: StoredBeat
    leads: tuple[str, ...]
    samples: NDArray[np.float64]
    reconstruction: NDArray[np.float64]
    alike: int = 1


def one_of_each_shape(pictures: Sequence[Picture], most: int) -> list[Picture]:
    """The first picture of each group of similar beats, with their number; so many groups at most."""
    chosen: list[Picture] = []
    for leads in dict.fromkeys(one.leads for one in pictures):
        same = [one for one in pictures if one.leads == leads]
        groups, _ = similar_groups(np.stack([one.samples for one in same]), most)
        chosen += [replace(same[group[0]], alike=len(group)) for group in groups]
    order = {id(one.beat): place for place, one in enumerate(pictures)}
    return sorted(chosen, key=lambda one: order[id(one.beat)])[:most]


def stretch(
    store: Store, patient: str, state: MonitorState, origin: float, begin_s: float, end_s: float
) -> Stretch | None:
    """What was sent from a stream second to before another; of several streams, the one with the most samples.

    Parameters
    ----------
    store : Store
    patient : str
    state : MonitorState
        As it is now.
    origin : float
        Time of stream second 0 when it was sent, seconds since 1970.
    begin_s, end_s : float

    Returns
    -------
    Stretch or None
        None where nothing is known of that time.

    Raises
    ------
    StorageError
        If the store fails.
    """
    lines = [line for line in [present_line(state)] if line is not None]
    if not lines or begin_s < lines[0].second(lines[0].first):
        known = {(line.stream, line.rate_hz) for line in lines}
        arrivals = store.waveforms.arrivals(patient, origin + begin_s, origin + end_s + _LATE_S, _MOST_ARRIVALS)
        lines += [line for line in former_lines(arrivals, origin) if (line.stream, line.rate_hz) not in known]
    line = max(lines, key=lambda line: len(line.within(begin_s, end_s)), default=None)
    places = range(0) if line is None else line.within(begin_s, end_s)
    if line is None or not places:
        return None
    waveform = store.waveforms.read(patient, line.stream, places.start, places.stop)
    return Stretch(line.stream, origin + line.second(places.start), waveform)


def picture(store: Store, patient: str, state: MonitorState, beat: StoredBeat, detector: Detector) -> Picture | None:
    """A beat beside the patient's normal, or the autoencoder's; None where its signal is not stored any more.

    Raises
    ------
    StorageError
        If the store fails.
    """
    at_s = beat.beat.beat_s
    found = stretch(store, patient, state, beat.time - at_s, at_s - _BEFORE_S, at_s + _AFTER_S)
    if found is None:
        return None
    waveform = found.waveform
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
    return Picture(beat, waveform.leads, samples[0], reconstruction[0])


def _for_leads(baseline: Baseline, leads: tuple[str, ...]) -> Baseline | None:
    """The baseline, if it is one of these leads."""
    if baseline.normal is not None and baseline.normal.leads != leads:
        return None
    return baseline if len(baseline.height_mv) == len(leads) else None
