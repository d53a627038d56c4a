"""Intervals of beats and the level of their ST segments, from the marks of their waves.

QT is corrected for the heart rate by three formulas, each named wherever it is shown, with RR in seconds:

- Bazett: QT / sqrt(RR). Bazett HC. An analysis of the time-relations of electrocardiograms. Heart 7:353-370 (1920).
- Fridericia: QT / cube root of RR. Fridericia LS. Die Systolendauer im Elektrokardiogramm bei normalen Menschen und bei
  Herzkranken. Acta Medica Scandinavica 53:469-486 (1920), doi:10.1111/j.0954-6820.1920.tb18266.x.
- Framingham: QT + 154 ms (1 - RR). Sagie A, Larson MG, Goldberg RJ, et al. An improved method for adjusting the QT
  interval for heart rate (the Framingham Heart Study). American Journal of Cardiology 70:797-801 (1992),
  doi:10.1016/0002-9149(92)90562-D.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.analysis import Analysis
from ectopy.analysis.rhythm_episodes import paced_beats
from ectopy.arguments import checked
from ectopy.detector import Verdict
from ectopy.presentation import short_repr
from ectopy.recording import Recording
from ectopy.signal.filters import Filtered, FilterSettings, filter_signal
from ectopy.signal.wave_delineation import BeatWaves, delineate

ST_AFTER_S = 0.06, 0.08
"""Where the level of the ST segment is measured, after the J point, the end of the QRS complex."""

_LEVEL_S = 0.024  # the level between P and QRS is the mean of this time before the onset of QRS
_FRAMINGHAM_MS = 154.0
_RR_S = 0.3, 3.0


@dataclass(frozen=True, slots=True)
class WaveIntervals:
    """Intervals of n beats in milliseconds, shape (n,); NaN = not known, or without the wave.

    Attributes
    ----------
    p_ms, pr_ms, qrs_ms, qt_ms : ndarray of float64
        Duration of the P wave, onset of P to onset of QRS, duration of QRS, onset of QRS to end of T.
    qtc_bazett_ms, qtc_fridericia_ms, qtc_framingham_ms : ndarray of float64
        QT corrected for the RR interval before the beat; not known outside 0.3 to 3 s.
    """

    __repr__ = short_repr

    p_ms: NDArray[np.float64]
    pr_ms: NDArray[np.float64]
    qrs_ms: NDArray[np.float64]
    qt_ms: NDArray[np.float64]
    qtc_bazett_ms: NDArray[np.float64]
    qtc_fridericia_ms: NDArray[np.float64]
    qtc_framingham_ms: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.qrs_ms)


@dataclass(frozen=True, slots=True)
class StSegments:
    """ST segments of n beats, shape (leads, n); NaN = not known.

    Attributes
    ----------
    level_60_mv, level_80_mv : ndarray of float64
        Level 60 and 80 ms after the J point, relative to that just before the QRS complex.
    slope_mv_per_s : ndarray of float64
        From the J point to 80 ms after it.
    """

    __repr__ = short_repr

    level_60_mv: NDArray[np.float64]
    level_80_mv: NDArray[np.float64]
    slope_mv_per_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WaveMeasurements:
    """What is measured of the waves of n beats: their marks from all leads together, intervals and ST segments."""

    __repr__ = short_repr

    waves: BeatWaves
    intervals: WaveIntervals
    st: StSegments

    def __len__(self) -> int:
        return len(self.intervals)


@checked
def measure_waves(recording: Recording, analysis: Analysis, filters: FilterSettings | None = None) -> WaveMeasurements:
    """Measure the waves of the beats of a recording that has been analysed; about 13 s for a day of one lead.

    QT of paced beats is not corrected: what a pacemaker excites repolarises otherwise.

    Parameters
    ----------
    recording : Recording
    analysis : Analysis
        Of this recording.
    filters : FilterSettings, optional
        As for `analyse`.
    """
    filtered = filter_signal(recording.signal, recording.sampling_rate_hz, filters)
    readable = analysis.beats.readable & np.not_equal(analysis.verdict, Verdict.UNREADABLE)[:, None]
    waves = delineate(filtered, analysis.beats.times_s, readable)
    st = StSegments(*(np.where(readable.T, values, np.nan) for values in astuple(measure_st(filtered, waves))))
    rr_s = np.where(paced_beats(analysis), np.nan, analysis.intervals_s)
    return WaveMeasurements(waves, measure_intervals(waves, rr_s), st)


def measure_intervals(waves: BeatWaves, rr_s: NDArray[np.float64]) -> WaveIntervals:
    """Measure the intervals of beats.

    Parameters
    ----------
    waves : BeatWaves
        Of n beats, all leads together.
    rr_s : ndarray of float64, shape (n,)
        RR interval before each beat; NaN = not known.
    """
    qt_ms = 1000.0 * (waves.t_end - waves.qrs_onset)
    rr_s = np.where((rr_s >= _RR_S[0]) & (rr_s <= _RR_S[1]), rr_s, np.nan)
    return WaveIntervals(
        p_ms=1000.0 * (waves.p_end - waves.p_onset),
        pr_ms=1000.0 * (waves.qrs_onset - waves.p_onset),
        qrs_ms=1000.0 * (waves.qrs_end - waves.qrs_onset),
        qt_ms=qt_ms,
        qtc_bazett_ms=qt_ms / np.sqrt(rr_s),
        qtc_fridericia_ms=qt_ms / np.cbrt(rr_s),
        qtc_framingham_ms=qt_ms + _FRAMINGHAM_MS * (1.0 - rr_s),
    )


def measure_st(filtered: Filtered, waves: BeatWaves) -> StSegments:
    """Measure the ST segment of beats in each lead.

    Parameters
    ----------
    filtered : Filtered
        Without the wandering of the baseline. Its filter has no phase shift and passes above 0.5 Hz, within what is
        recommended for ST segments; a shift that lasts for seconds is still reduced.
    waves : BeatWaves
        Of n beats, all leads together.
    """
    before = np.arange(round(_LEVEL_S * filtered.rate_hz)) / filtered.rate_hz
    level = _at(filtered, waves.qrs_onset[:, None] - before).mean(axis=2)
    j_point, at_60, at_80 = (_at(filtered, waves.qrs_end + after) - level for after in (0.0, *ST_AFTER_S))
    return StSegments(at_60, at_80, (at_80 - j_point) / ST_AFTER_S[1])


def _at(filtered: Filtered, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the signal at times, interpolated, shape (leads, *times); NaN where there is no valid sample."""
    places = times_s * filtered.rate_hz
    inside = (places >= 0) & (places <= filtered.signal.shape[1] - 1)
    places = np.where(inside, places, 0.0)
    first = places.astype(np.intp)
    second = np.minimum(first + 1, filtered.signal.shape[1] - 1)
    share = places - first
    values = (1.0 - share) * filtered.signal[:, first] + share * filtered.signal[:, second]
    return np.where(inside & ~filtered.missing[:, first] & ~filtered.missing[:, second], values, np.nan)
