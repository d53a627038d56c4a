"""Detect heartbeats: the position of each QRS complex, from all readable leads together.

`ectopy.signal.qrs_strength` says how strongly the leads show a QRS complex. A rule with a small memory accepts or
rejects the peaks of this strength, in the manner of Pan and Tompkins (doi:10.1109/TBME.1985.325532): a threshold that
follows the recent beats, a refractory period, a guard against T waves, and a search back where a beat is overdue.
Constants were chosen on the records DS1 of the MIT-BIH Arrhythmia Database and checked on the QT Database, the
threshold and those of the leads' agreement on both.

An electrode that moves draws what looks like a QRS complex, in its own lead. So a peak is not a beat if the other leads
showed the last four beats and do not show this: less than half of what they showed of the least clear of these, and
less than 0.2. Of 51,000 beats of the QT Database none is as low as 0.15 in either lead. Where a beat is overdue, or
the next peak is of one lead as well, it counts after all: the other leads may have lost the heart.

Where the signal repeats itself in less than 0.35 s, the refractory period follows that period. A polymorphic
tachycardia does not repeat itself, as its complexes and intervals change from beat to beat; but four wide peaks in a
row that are at most 0.32 s apart, evenly within a factor of 1.5, and alike in height and sharpness within a factor of
two have a period as well. T waves are lower and smoother than the QRS complexes between them, and muscle noise is
sharper than wide complexes: above 0.4.

A T wave differs from a beat by its curvature, less than 0.17 of that of the beat before it: of 2,500 beats that follow
another within 0.42 s on DS1 and in the QT Database, six are so smooth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.signal.array_columns import join
from ectopy.signal.filters import ANALYSIS_RATE_HZ, STRENGTH_RATE_HZ, Filtered
from ectopy.signal.qrs_strength import QrsStrength, QrsStrengthState, qrs_strength_end, qrs_strength_step

_STEP = 600 * ANALYSIS_RATE_HZ
_APART = 13  # a peak is the highest within this number of samples to each side
_CLOSE = np.arange(-7, 8)
_NEAR = np.arange(-_APART, _APART + 1)
_LEAST_STRENGTH = 0.08
_THRESHOLD = 0.34
_REFRACTORY = round(0.25 * STRENGTH_RATE_HZ)
_REFRACTORY_SHARE = 0.7  # of the period of a fast rhythm
_IN_TIME_SHARE = 0.8
_ROW = 4  # peaks in step
_LONGEST_STEP = 0.32 * STRENGTH_RATE_HZ
_EVEN_STEP, _ALIKE_PEAKS, _WIDE_SHARPNESS = 1.5, 2.0, 0.4
_T_WAVE_SHARE, _T_WAVE_SHARPNESS = 0.6, 0.65
_T_WAVE_UNTIL, _T_WAVE_OVER = 0.30 * STRENGTH_RATE_HZ, 0.45 * STRENGTH_RATE_HZ
_SMOOTH_SHARE = 0.17
_SMOOTH_UNTIL = 0.40 * STRENGTH_RATE_HZ
_SMOOTH_HEIGHT = 1.2
_OVERDUE = 1.6
_OVERDUE_SHARE = 0.7
_AGREEING_BEATS = 4
_OTHER_LEADS_SHARE, _MOST_IN_OTHER_LEADS = 0.5, 0.2
_LOOK_BACK = 3.0 * STRENGTH_RATE_HZ
_REMEMBERED_BEATS = 8
_LEVEL_RANGE = (0.6, 2.0)
_RR_RANGE = (0.17 * STRENGTH_RATE_HZ, 1.5 * STRENGTH_RATE_HZ)
_USUAL_RR = 0.8 * STRENGTH_RATE_HZ

Peak = tuple[float, float, float, float]
"""Position, height, sharpness, and height in the other leads; see `QrsStrength`."""


@dataclass(frozen=True, slots=True)
class BeatDetectorMemory:
    """Memory of the rule that accepts peaks; positions are samples at `STRENGTH_RATE_HZ`.

    Attributes
    ----------
    heights, intervals : tuple of float
        Strength of the last beats, and the RR intervals between them.
    other_leads : tuple of float
        Strength of the last beats in the other leads.
    beat : Peak or None
        The last beat.
    told : bool
        Whether it has been emitted as a result; until then a higher peak close by may replace it.
    passed_over : tuple of Peak
        Later peaks that were too low, for the search back.
    recent : tuple of Peak
        The last three peaks, whether or not they are beats.
    """

    heights: tuple[float, ...] = (1.0,) * _REMEMBERED_BEATS
    intervals: tuple[float, ...] = (_USUAL_RR,) * _REMEMBERED_BEATS
    other_leads: tuple[float, ...] = (0.0,) * _AGREEING_BEATS
    beat: Peak | None = None
    told: bool = True
    passed_over: tuple[Peak, ...] = ()
    recent: tuple[Peak, ...] = ()


@dataclass(frozen=True, slots=True)
class PeaksState:
    """State of the search for peaks.

    Attributes
    ----------
    evidence : QrsStrength
        The newest strength of one patient, in which the search for peaks is not finished.
    start : int
        Position of its first sample.
    rhythm : BeatDetectorMemory
    """

    evidence: QrsStrength
    start: int
    rhythm: BeatDetectorMemory

    @property
    def end(self) -> int:
        """Return the position after its last sample."""
        return self.start + int(self.evidence.height.shape[1])

    @classmethod
    def fresh(cls) -> PeaksState:
        """Return the state before the first sample, which may itself be a peak."""
        return cls(QrsStrength.zero(_APART), -_APART, BeatDetectorMemory())


def known_to(state: PeaksState) -> float:
    """Return up to which sample at `STRENGTH_RATE_HZ` beats are emitted; a search back may still add an earlier one."""
    return state.start + _APART - 0.5 - _REFRACTORY


def peaks_step(state: PeaksState, evidence: QrsStrength) -> tuple[PeaksState, NDArray[np.float64]]:
    """Detect heartbeats in the next samples of QRS strength; the result does not depend on how these are divided.

    Parameters
    ----------
    state : PeaksState
    evidence : QrsStrength
        Of one patient.

    Returns
    -------
    state : PeaksState
    positions : ndarray of float64, shape (n,)
        In samples at `STRENGTH_RATE_HZ`, in order. A beat is emitted when later samples cannot change it: usually half
        a second after it, later where it was passed over at first.
    """
    return _decide(state, evidence, last=False)


def peaks_end(state: PeaksState, evidence: QrsStrength) -> NDArray[np.float64]:
    """Return the heartbeats that remain when the signal ends, with its last samples."""
    return _decide(state, evidence, last=True)[1]


def find_heartbeats(filtered: Filtered) -> NDArray[np.float64]:
    """Detect the heartbeats of a whole filtered signal, ten minutes at a time.

    Parameters
    ----------
    filtered : Filtered

    Returns
    -------
    ndarray of float64, shape (n,)
        Seconds from the start of the signal, in order, at least 0.24 s apart, or 0.11 s in a fast rhythm.
    """
    parts = large_arrays.blocks(filtered.signal.shape[1], _STEP, filtered.signal, filtered.missing)
    return np.concatenate(list(heartbeats_by_part(filtered, parts)))


def heartbeats_by_part(filtered: Filtered, parts: Iterable[slice]) -> Iterator[NDArray[np.float64]]:
    """Yield the heartbeats that `find_heartbeats` returns: after each part those that are known, then the rest.

    Parameters
    ----------
    filtered : Filtered
    parts : iterable of slice
        Of the samples, one after the other, each as soon as its samples are there.
    """
    state, peaks, rate_hz = QrsStrengthState.fresh(len(filtered.signal)), PeaksState.fresh(), filtered.rate_hz / 2
    for part in parts:
        state, evidence = qrs_strength_step(state, filtered[part])
        peaks, of_part = peaks_step(peaks, evidence)
        yield of_part / rate_hz
    yield peaks_end(peaks, qrs_strength_end(state)) / rate_hz


def _decide(state: PeaksState, strength: QrsStrength, *, last: bool) -> tuple[PeaksState, NDArray[np.float64]]:
    """Find the peaks in the strength, and accept those that are heartbeats."""
    whole = join([state.evidence, strength, *([QrsStrength.zero(_APART)] if last else [])], axis=1)
    length = whole.height.shape[1]
    searched = length - 2 * _APART
    if searched <= 0:
        return PeaksState(whole, state.start, state.rhythm), np.empty(0)
    # Interpolation may place a peak half a sample before the highest one.
    next_peak_after = np.inf if last else state.start + length - _APART - 0.5
    memory, beats = _accept_peaks(state.rhythm, _peaks(whole, state.start), next_peak_after)
    return PeaksState(whole[searched:], state.start + searched, memory), np.array(beats)


def _peaks(strength: QrsStrength, start: int) -> Iterable[tuple[Peak, float]]:
    """Return the peaks that are the highest within 0.14 s to each side, each with the period of the signal there."""
    height = strength.height[0]
    inner, before, after = height[_APART:-_APART], height[_APART - 1 : -_APART - 1], height[_APART + 1 : -_APART + 1]
    high = _APART + ((inner > _LEAST_STRENGTH) & (inner >= before) & (inner >= after)).nonzero()[0]
    if not len(high):
        return ()
    highest = height[high] == height[high[:, None] + _NEAR].max(axis=1)
    # Beats of a fast rhythm are so close that the flank of the next one may be as high as the peak: 7 samples (0.08 s).
    period = strength.period[0, high]
    fast = (period > 0) & (period < _REFRACTORY)
    if fast.any():
        highest[fast] = height[high[fast]] == height[high[fast, None] + _CLOSE].max(axis=1)
    # Position by a parabola through three samples.
    peaks = high[highest]
    other_leads = strength.other_leads[0, peaks[:, None] + _CLOSE].max(axis=1)
    around = (height[peaks - 1], height[peaks], height[peaks + 1], strength.sharpness[0, peaks], other_leads)
    peak_values = []
    for peak, left, top, right, sharpness, elsewhere in zip(
        peaks.tolist(), *(each.tolist() for each in around), strict=True
    ):
        bend = 2 * top - left - right
        between = (right - left) / (2 * bend) if bend > 0 else 0.0
        peak_values.append((start + peak + min(max(between, -0.5), 0.5), top, sharpness, elsewhere))
    return zip(peak_values, period[highest].tolist(), strict=True)


def _accept_peaks(
    memory: BeatDetectorMemory, peaks: Iterable[tuple[Peak, float]], next_peak_after: float
) -> tuple[BeatDetectorMemory, list[float]]:
    """Accept the peaks that are heartbeats; the next peak can lie at `next_peak_after` at the earliest."""
    heights, intervals, passed_over = list(memory.heights), list(memory.intervals), list(memory.passed_over)
    other_leads = list(memory.other_leads)
    recent, beat, emitted, beats = memory.recent, memory.beat, memory.told, []
    usual_height, usual_interval = _usual_height(heights), _middle(intervals)

    def accept(peak: Peak) -> None:
        """Make a peak the last beat, and emit the one before it, which can no longer be replaced."""
        nonlocal beat, emitted, usual_height, usual_interval, passed_over
        position, height, _, elsewhere = peak
        if beat is not None:
            if not emitted:
                beats.append(beat[0])
            intervals.append(min(max(position - beat[0], _RR_RANGE[0]), _RR_RANGE[1]))
            usual_interval = _middle(intervals[-_REMEMBERED_BEATS:])
        heights.append(height)
        other_leads.append(elsewhere)
        usual_height = _usual_height(heights[-_REMEMBERED_BEATS:])
        if passed_over:
            passed_over = [other for other in passed_over if other[0] > position]
        beat, emitted = peak, False

    def is_artefact(peak: Peak, threshold: float) -> bool:
        """Return whether the leads that showed the last four beats do not show this peak of another lead.

        It may still be overdue. A second one in a row is a beat: these leads may have lost theirs.
        """
        least = min(_MOST_IN_OTHER_LEADS, _OTHER_LEADS_SHARE * min(other_leads[-_AGREEING_BEATS:]))
        if peak[3] >= least or beat is None:
            return False
        return not any(other[1] > threshold and other[3] < least for other in passed_over if other[0] > beat[0])

    for peak, period in peaks:
        position, height, sharpness, _ = peak
        row, recent = (*recent, peak), (*recent, peak)[1 - _ROW :]
        period = period or _step_of(row)
        refractory = min(_REFRACTORY, _REFRACTORY_SHARE * period) if period else _REFRACTORY
        if passed_over and passed_over[0][0] <= position - _LOOK_BACK:
            passed_over = [other for other in passed_over if other[0] > position - _LOOK_BACK]
        # Search back: where a beat is overdue, the highest peak passed over since the last one counts at 0.7 of the
        # threshold, unless it is like a T wave.
        if beat is not None and passed_over and position - beat[0] > _OVERDUE * usual_interval:
            least = _OVERDUE_SHARE * _THRESHOLD * usual_height
            overdue = [
                other
                for other in passed_over
                if beat[0] + refractory < other[0] < position - refractory and not _is_like_t_wave(other, beat)
            ]
            best = max(overdue, key=lambda other: other[1], default=(0.0, 0.0, 0.0, 0.0))
            if best[1] > least:
                accept(best)
            else:  # these stay too low until the next beat
                passed_over = [other for other in passed_over if other[0] >= position - refractory]
        threshold = _THRESHOLD * usual_height
        if beat is not None:
            since = position - beat[0]
            # Within the refractory period a higher peak replaces a beat that has not been emitted.
            if since < refractory:
                if height > max(beat[1], threshold) and not emitted and not is_artefact(peak, threshold):
                    beat = peak
                    heights[-1], other_leads[-1] = height, peak[3]
                    usual_height = _usual_height(heights[-_REMEMBERED_BEATS:])
                continue
            # A T wave: soon after the beat the threshold is a share of its height, which fades from 0.30 to 0.45 s; a
            # much smoother peak must be higher than the beat. A peak in time with a fast rhythm is not a T wave.
            in_time = 0 < _IN_TIME_SHARE * period <= since
            if since < _T_WAVE_OVER and not in_time:
                fading = min(1.0, (_T_WAVE_OVER - since) / (_T_WAVE_OVER - _T_WAVE_UNTIL))
                threshold = max(threshold, _T_WAVE_SHARE * beat[1] * fading)
                if since < _SMOOTH_UNTIL and sharpness < _SMOOTH_SHARE * beat[2]:
                    threshold = max(threshold, _SMOOTH_HEIGHT * beat[1])
        if height > threshold and not is_artefact(peak, threshold):
            accept(peak)
        elif beat is not None:
            passed_over.append(peak)
    # The last beat is emitted when no peak can replace it any more.
    if beat is not None and not emitted and next_peak_after - beat[0] > _REFRACTORY:
        beats.append(beat[0])
        emitted = True
    return (
        BeatDetectorMemory(
            tuple(heights[-_REMEMBERED_BEATS:]),
            tuple(intervals[-_REMEMBERED_BEATS:]),
            tuple(other_leads[-_AGREEING_BEATS:]),
            beat,
            emitted,
            tuple(passed_over),
            recent,
        ),
        beats,
    )


def _is_like_t_wave(peak: Peak, beat: Peak) -> bool:
    """Return whether a peak is as early after a beat as a T wave, as low beside it, and smoother."""
    is_low = peak[1] < _T_WAVE_SHARE * beat[1] and peak[2] < _T_WAVE_SHARPNESS * beat[2]
    return is_low and peak[0] - beat[0] < _SMOOTH_UNTIL


def _step_of(row: tuple[Peak, ...]) -> float:
    """Return the mean interval of four wide peaks that are alike and come in step; 0 where they do not."""
    # Most rows are too slow, which their ends show.
    if len(row) < _ROW or row[-1][0] - row[0][0] > (_ROW - 1) * _LONGEST_STEP:
        return 0.0
    positions, heights, sharpness, _ = zip(*row, strict=True)
    intervals = [later - earlier for earlier, later in pairwise(positions)]
    if max(intervals) > min(_LONGEST_STEP, _EVEN_STEP * min(intervals)):
        return 0.0
    alike = all(max(values) <= _ALIKE_PEAKS * min(values) for values in (heights, sharpness))
    return (positions[-1] - positions[0]) / (_ROW - 1) if alike and max(sharpness) <= _WIDE_SHARPNESS else 0.0


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _usual_height(heights: list[float]) -> float:
    return min(max(_middle(heights), _LEVEL_RANGE[0]), _LEVEL_RANGE[1])
