"""Evidence of an alarm: its beats, a normal beat instead of each, and the difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.baseline import Baseline
from ectopy.analysis.population import population_beats
from ectopy.analysis.template_comparison import align
from ectopy.detector import Detector
from ectopy.monitor.events import Evidence
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.signal.beat_segments import BeatSegments

KEPT_BEATS = 20
_SHOWN_BEATS = 5
_BEFORE_S, _AFTER_S = 10.0, 5.0


def strip_s(reading: ConditionReading, present_s: float) -> tuple[float, float]:
    """The stretch of signal that shows a condition, stream seconds."""
    first, last = min((*reading.beats_s, present_s)), max((*reading.beats_s, present_s))
    return max(first - _BEFORE_S, 0.0), last + _AFTER_S


def evidence_of(
    reading: ConditionReading,
    recent: BeatSegments,
    origin_s: float,
    leads: tuple[str, ...],
    baseline: Baseline,
    detector: Detector,
) -> Evidence | None:
    """The beats of a reading with what was expected of them; None where it rests on none that is still known.

    Parameters
    ----------
    recent : BeatSegments
        The last judged beats, in seconds of the segment.
    origin_s : float
        Stream second at which the segment begins.
    """
    beats_s = recent.times_s + origin_s
    rows = np.flatnonzero(np.isin(beats_s, reading.beats_s))[-_SHOWN_BEATS:]
    if not len(rows):
        return None
    samples, reconstruction = compared(recent[rows], baseline, detector)
    samples, reconstruction = np.round(samples, 3), np.round(reconstruction, 3)
    return Evidence(beats_s[rows], leads, samples, reconstruction, np.abs(samples - reconstruction))


def compared(
    beats: BeatSegments, baseline: Baseline, detector: Detector
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Beats, and what a normal beat would have been, each of shape (n, leads, 140), millivolt; see `Evidence`."""
    if baseline.normal is not None:
        samples = align(beats, baseline.normal, slice(None))
        return samples, np.broadcast_to(baseline.normal.template, samples.shape)
    scaled = population_beats(beats, baseline.height_mv)
    shape = (len(beats), *baseline.height_mv.shape, -1)
    rebuilt = detector.explain(scaled).reconstruction
    height = baseline.height_mv[:, None]
    return scaled.samples.reshape(shape) * height, rebuilt.reshape(shape) * height
