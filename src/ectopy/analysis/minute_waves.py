"""Waves of each minute of a recording, measured in the mean of its normal beats, as recorders do.

It takes about a second for a day of two leads, a twentieth of what measuring each beat takes
(`ectopy.analysis.wave_intervals.measure_waves`), and noise hardly matters. What it cannot tell is how beats of the same
minute differ.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.analysis import Analysis
from ectopy.analysis.rhythm_episodes import paced_beats
from ectopy.analysis.wave_intervals import StSegments, WaveIntervals, measure_intervals, measure_st
from ectopy.arguments import checked
from ectopy.detector import Verdict
from ectopy.presentation import finite_or_none, short_repr
from ectopy.recording import Recording
from ectopy.signal.beat_segments import BEFORE as SEGMENT_BEFORE
from ectopy.signal.beat_segments import MARGIN
from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered, FilterSettings
from ectopy.signal.mean_beats import mean_beats
from ectopy.signal.wave_delineation import BEFORE, delineate
from ectopy.signal.wave_network import SAMPLES

MINUTE_S = 60.0
LEAST_BEATS = 10
"""Normal beats that a minute needs in a lead."""

_SHIFTS = np.arange(-MARGIN, MARGIN + 1)
_QRS = slice(MARGIN + SEGMENT_BEFORE - 14, MARGIN + SEGMENT_BEFORE + 20)
_LEAST_ENERGY = 1e-6
_MIDDLE = slice(BEFORE - 6, BEFORE + 6)


@dataclass(frozen=True, slots=True)
class MinuteMeasurements:
    """What is measured of the waves of each of m minutes; NaN = not known.

    Attributes
    ----------
    leads : tuple of str
    start_s : ndarray of float64, shape (m,)
        Every minute from the start of the recording on.
    beats : ndarray of int, shape (m,)
        Normal beats in the mean, of the lead with the most.
    rr_s : ndarray of float64, shape (m,)
        Mean interval between successive normal beats.
    complexes_mv : ndarray of float64, shape (leads, m, 12)
        The middle 67 ms of the mean QRS complex at 180 Hz, at a mean of 0.
    intervals : WaveIntervals
        Of all leads together; corrected for `rr_s`, but not in a minute with paced rhythm.
    st : StSegments
        Arrays of shape (leads, m).
    """

    __repr__ = short_repr

    leads: tuple[str, ...]
    start_s: NDArray[np.float64]
    beats: NDArray[np.intp]
    rr_s: NDArray[np.float64]
    complexes_mv: NDArray[np.float64]
    intervals: WaveIntervals
    st: StSegments

    def __len__(self) -> int:
        return len(self.start_s)


@checked
def measure_minutes(
    recording: Recording, analysis: Analysis, filters: FilterSettings | None = None
) -> MinuteMeasurements:
    """Measure the mean of the normal beats of each minute, in leads with at least ten that can be read.

    Parameters
    ----------
    recording : Recording
    analysis : Analysis
        Of this recording.
    filters : FilterSettings, optional
        As for `analyse`; the lower frequency is not used, see `mean_beats`.
    """
    minutes = math.ceil(recording.duration_s / MINUTE_S)
    times_s = analysis.beats.times_s
    normal = np.equal(analysis.verdict, Verdict.NORMAL)
    use = analysis.beats.readable & normal[:, None]
    bounds = np.searchsorted(times_s, MINUTE_S * np.arange(minutes + 1))
    of_minutes = [slice(*pair) for pair in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
    positions = analysis.positions + _shifts(analysis.beats.samples, use, of_minutes, recording.sampling_rate_hz)
    means, counts = mean_beats(
        recording.signal, recording.sampling_rate_hz, [(positions[rows], use[rows]) for rows in of_minutes], filters
    )
    # Each mean is a beat of the signal of means.
    enough = counts >= LEAST_BEATS
    fiducial_s = (BEFORE + SAMPLES * np.arange(minutes)) / means.rate_hz
    waves = delineate(means, fiducial_s, enough)
    st = measure_st(means, waves)
    rr_s = _mean_intervals(analysis.intervals_s, normal, of_minutes)
    paced = paced_beats(analysis)
    has_paced = np.array([paced[rows].any() for rows in of_minutes], np.bool_)
    return MinuteMeasurements(
        leads=recording.leads,
        start_s=MINUTE_S * np.arange(minutes, dtype=np.float64),
        beats=counts.max(axis=1, initial=0),
        rr_s=rr_s,
        complexes_mv=_complexes(means, enough),
        intervals=measure_intervals(waves, np.where(has_paced, np.nan, rr_s)),
        st=StSegments(
            *(np.where(enough.T, values, np.nan) for values in (st.level_60_mv, st.level_80_mv, st.slope_mv_per_s))
        ),
    )


def minute_columns(minutes: MinuteMeasurements) -> dict[str, Any]:
    """Return what was measured as columns, for JSON and plots: a value for each minute, None = not known.

    ``st`` has the columns of each lead by its name.
    """
    return {
        "start_s": minutes.start_s.tolist(),
        "beats": minutes.beats.tolist(),
        "rr_s": rounded(minutes.rr_s, 3),
        **{name: rounded(values, 1) for name, values in asdict(minutes.intervals).items()},
        "st": {
            lead: {name: rounded(values[row], 3) for name, values in asdict(minutes.st).items()}
            for row, lead in enumerate(minutes.leads)
        },
    }


def rounded(values: NDArray[np.float64], places: int) -> list[float | None]:
    """Return values for JSON; None = not known."""
    return [finite_or_none(value, places) for value in values.tolist()]


def _shifts(
    samples: NDArray[np.float32], use: NDArray[np.bool_], parts: list[slice], rate_hz: float
) -> NDArray[np.int64]:
    """Return by how many samples of the recording each beat is shifted to fit the mean of its part best, shape (n,)."""
    best = np.zeros(len(samples), np.intp)
    for part in parts:
        rows = part.start + np.flatnonzero(use[part].any(axis=1))
        if not len(rows):
            continue
        beats = samples[rows] * use[rows, :, None]
        mean = beats[:, :, _QRS].mean(axis=0)
        mean -= mean.mean(axis=1, keepdims=True)
        # Each lead counts alike.
        mean /= np.maximum(np.square(mean).sum(axis=1, keepdims=True), np.float32(_LEAST_ENERGY))
        fit = [np.einsum("nls,ls->n", beats[:, :, _QRS.start + shift : _QRS.stop + shift], mean) for shift in _SHIFTS]
        best[rows] = _SHIFTS[np.argmax(fit, axis=0)]
    return np.asarray(np.rint(best * (rate_hz / ANALYSIS_RATE_HZ)).astype(np.int64))


def _complexes(means: Filtered, enough: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the middle of the QRS complex of each mean, at a mean of 0; NaN where it is not known."""
    minutes, leads = enough.shape
    middle = means.signal.reshape(leads, minutes, SAMPLES)[:, :, _MIDDLE]
    return np.where(enough.T[:, :, None], middle - middle.mean(axis=2, keepdims=True), np.nan)


def _mean_intervals(
    intervals_s: NDArray[np.float64], normal: NDArray[np.bool_], parts: list[slice]
) -> NDArray[np.float64]:
    """Return the mean interval between two normal beats in each part; NaN where there is none."""
    between = normal & np.append(False, normal[:-1]) & np.isfinite(intervals_s)
    counts = np.append(0, np.cumsum(between))
    totals = np.append(0.0, np.cumsum(np.where(between, intervals_s, 0.0)))
    first, stop = (np.array([getattr(part, end) for part in parts], np.intp) for end in ("start", "stop"))
    number = counts[stop] - counts[first]
    return np.where(number > 0, (totals[stop] - totals[first]) / np.maximum(number, 1), np.nan)
