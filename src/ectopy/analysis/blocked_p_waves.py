"""P waves that no QRS complex follows, in an otherwise regular atrial rhythm: second-degree AV block.

In second-degree AV block some P waves are not conducted. Where PR grows until one is not, it is of type I (Wenckebach);
where PR is constant, of type II; with every other P wave the type cannot be told (Kusumoto et al. 2019,
doi:10.1016/j.jacc.2018.10.044). The sign is a long RR interval between two beats with a P wave, in which another P wave
of the same form comes when it is due. A sinus pause has none; that of an early atrial beat comes before its time; after
ectopic beats, where the next P wave is often not conducted either, nothing is looked for.

P waves have to be readable. Where `ectopy.signal.wave_delineation` marks none, where they differ from beat to beat, or
where one falls onto a T wave, nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from ectopy.analysis.atrial_fibrillation import find_fibrillation
from ectopy.presentation import short_repr
from ectopy.recording import Recording
from ectopy.signal.array_columns import select
from ectopy.signal.beat_segments import BeatSegments
from ectopy.signal.filters import Filtered, FilterSettings, filter_signal
from ectopy.signal.wave_delineation import BeatWaves, delineate

LONGEST_PR_S = 0.45
"""From the peak of a P wave to the fiducial point of the beat that it is conducted to, at most."""

# Intervals to look at: long ones, relative to the usual of eight, most of which are even; and slow ones.
_USUAL_OVER, _LONG = 8, 1.4
_ALIKE, _LEAST_EVEN = 0.15, 0.7
_PREMATURE = 0.85
_SLOW_S, _SLOW_BEATS, _SAMPLED_S = 1.1, 3, 60.0
# Beats around each, and how much of the signal is filtered at once.
_BEFORE, _AFTER, _PIECE_S, _MARGIN_S = 6, 1, 300.0, 2.0
# P waves: their form, where they may lie, how alike and how punctual they must be.
_HALF_P, _SMOOTHED = np.arange(-12, 13), 7  # samples at 180 Hz: P waves are slow
_SLOPE = _HALF_P / np.linalg.norm(_HALF_P)
_LEAST_P_WAVES, _LEAST_CLEAR = 3, 0.6
_T_END_S, _AFTER_T_S, _BEFORE_P_S = 0.42, 0.03, 0.2
_SHORTEST_PR_S, _SAME = 0.11, 1.2
_ON_TIME, _AT_HALF, _MOST_BLOCKED = 0.1, 0.05, 3
_LEAST_CORRELATION, _AMPLITUDES = 0.8, (0.6, 1.7)
# What comes after a P wave and is half as high as a QRS complex is one.
_AFTER_P_S, _HALF_QRS_S, _QRS_SHARE = 0.08, 0.06, 0.5
_GROWS_S, _CONSTANT_S = 0.03, 0.02


@dataclass(frozen=True, slots=True)
class BlockedPWaves:
    """P waves that no QRS complex follows; arrays have one entry for each, in order of time.

    Attributes
    ----------
    times_s : ndarray of float64, shape (n,)
        Their peaks, from the start of the recording.
    pr_first_s, pr_before_s, pr_after_s : ndarray of float64, shape (n,)
        From the peak of the P wave to the fiducial point: of the fourth beat before it, or of the first one after an
        earlier long interval, NaN where that is the beat before it; of the beat before it; of the beat after it.
    """

    __repr__ = short_repr

    times_s: NDArray[np.float64]
    pr_first_s: NDArray[np.float64]
    pr_before_s: NDArray[np.float64]
    pr_after_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times_s)

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> BlockedPWaves:
        return select(self, rows)

    @classmethod
    def of(cls, rows: list[tuple[float, float, float, float]]) -> BlockedPWaves:
        """Take the four figures of each."""
        return cls(*np.array(rows, np.float64).reshape(-1, 4).T.copy())


def find_blocked_p_waves(
    recording: Recording,
    beats: BeatSegments,
    intervals_s: NDArray[np.float64],
    ectopic: NDArray[np.bool_],
    filters: FilterSettings | None = None,
) -> BlockedPWaves:
    """Find the P waves of a recording that no QRS complex follows.

    Parameters
    ----------
    recording : Recording
    beats : BeatSegments
        Its n beats.
    intervals_s : ndarray of float64, shape (n,)
        RR interval before each; NaN = not known.
    ectopic : ndarray of bool, shape (n,)
        Which are ectopic or cannot be read.
    filters : FilterSettings, optional
    """
    long, slow = _candidates(intervals_s, ectopic)
    fibrillation = np.zeros(len(long), np.bool_)
    for first, stop in find_fibrillation(beats.times_s, intervals_s, ectopic):
        fibrillation[first : stop + 1] = True
    by_beat = _search(recording, beats, np.flatnonzero(long & ~fibrillation), ectopic, filters)
    # Where many intervals are long, one is looked at in each minute of fibrillation and of three slow ones in a row. If
    # it holds blocked P waves, then all around, of which most must: a U wave is seldom where a P wave is due.
    for often, together in ((long & fibrillation, 1), (slow, _SLOW_BEATS)):
        for row in _search(recording, beats, _one_a_minute(often, together, beats.times_s), ectopic, filters):
            near = np.flatnonzero(often & (np.abs(beats.times_s - beats.times_s[row]) <= _SAMPLED_S))
            around = _search(recording, beats, near, ectopic, filters)
            by_beat |= around if 2 * len(around) >= len(near) else {}
    return BlockedPWaves.of([each for row in sorted(by_beat) for each in by_beat[row]])


_BlockedByBeat = dict[int, list[tuple[float, float, float, float]]]


def type_of_block(blocked: BlockedPWaves) -> str:
    """Say how PR changes before P waves that are not conducted, one or more, and of which type that is."""
    grows_s = blocked.pr_before_s - np.fmin(blocked.pr_first_s, blocked.pr_after_s)
    changes_s = blocked.pr_before_s - blocked.pr_first_s
    pr = f"PR is {np.median(blocked.pr_before_s):.2f} s before and {np.median(blocked.pr_after_s):.2f} s after"
    if 2 * np.isfinite(changes_s).sum() <= len(blocked):
        return f"{pr}, of too few beats in a row to tell the type"
    if np.nanmedian(changes_s) >= _GROWS_S and np.median(grows_s) >= _GROWS_S:
        return f"{pr}: it grows, as in type I (Wenckebach)"
    if abs(np.nanmedian(changes_s)) <= _CONSTANT_S and np.median(grows_s) <= _CONSTANT_S:
        return f"{pr}: it is constant, as in type II"
    return f"{pr}, and the type cannot be told"


def is_calm(ectopic: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which beats may come after a blocked P wave: neither they nor the two before them are ectopic."""
    calm = ~ectopic
    calm[1:] &= ~ectopic[:-1]
    calm[2:] &= ~ectopic[:-2]
    calm[:1] = False
    return calm


def _candidates(
    intervals_s: NDArray[np.float64], ectopic: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which beats come after an interval that is long among even ones, and which after one that is slow."""
    calm = is_calm(ectopic)
    before = sliding_window_view(np.concatenate([np.full(_USUAL_OVER, np.nan), intervals_s[:-1]]), _USUAL_OVER)
    count = np.isfinite(before).sum(axis=1)
    usual_s = np.sort(before, axis=1)[np.arange(len(before)), np.maximum(count - 1, 0) // 2]  # NaN come last
    relative = before / usual_s[:, None]
    even = ((np.abs(relative - 1.0) < _ALIKE) | (relative >= _LONG)).sum(axis=1) >= _LEAST_EVEN * count
    on_time = ~np.append(True, intervals_s[:-1] < _PREMATURE * usual_s[:-1])[: len(calm)]
    on_time[:1] = False
    long = calm & on_time & even & (count >= _LEAST_P_WAVES) & (intervals_s >= _LONG * usual_s)
    return long, calm & (intervals_s >= _SLOW_S)


def _one_a_minute(flags: NDArray[np.bool_], together: int, times_s: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return in each minute the last of the first so many beats in a row of which something holds."""
    if len(flags) < together:
        return np.empty(0, np.intp)
    rows = np.flatnonzero(sliding_window_view(flags, together).all(axis=1)) + together - 1
    return rows[np.unique(times_s[rows] // _SAMPLED_S, return_index=True)[1]]


def _search(
    recording: Recording,
    beats: BeatSegments,
    rows: NDArray[np.intp],
    ectopic: NDArray[np.bool_],
    filters: FilterSettings | None,
) -> _BlockedByBeat:
    """Look for blocked P waves before some beats, and return those before each that has some."""
    by_beat: _BlockedByBeat = {}
    rate_hz = recording.sampling_rate_hz
    for first, last in _pieces(rows, beats.times_s):
        begin = max(int((beats.times_s[first] - _MARGIN_S) * rate_hz), 0)
        filtered = filter_signal(
            recording.signal[begin : int((beats.times_s[last] + _MARGIN_S) * rate_hz)], rate_hz, filters
        )
        around = slice(first, last + 1)
        piece = _Piece.of(filtered, beats.times_s[around] - begin / rate_hz, beats.readable[around], ectopic[around])
        for row in rows[(rows >= first) & (rows <= last)].tolist():
            blocked = piece.blocked_before(row - first)
            if blocked:
                by_beat[row] = [(begin / rate_hz + at_s, *pr_s) for at_s, pr_s in blocked]
    return by_beat


def _pieces(rows: NDArray[np.intp], times_s: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """First and last beat of pieces of a recording that hold some beats and those around them."""
    first = last = -1
    for row in rows.tolist():
        if first >= 0 and (row - _BEFORE > last or times_s[row] - times_s[first] > _PIECE_S):
            yield first, last
            first = -1
        first = max(row - _BEFORE, 0) if first < 0 else first
        last = min(row + _AFTER, len(times_s) - 1)
    if first >= 0:
        yield first, last


@dataclass(frozen=True, slots=True)
class _Piece:
    """Beats of a piece of a recording; the signal is smooth, and the beats to look at are not ectopic."""

    filtered: Filtered
    times_s: NDArray[np.float64]
    readable: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    waves: BeatWaves

    @classmethod
    def of(
        cls,
        filtered: Filtered,
        times_s: NDArray[np.float64],
        readable: NDArray[np.bool_],
        ectopic: NDArray[np.bool_],
    ) -> _Piece:
        waves = delineate(filtered, times_s, readable)
        smooth = replace(filtered, signal=uniform_filter1d(filtered.signal, _SMOOTHED, axis=1))
        return cls(smooth, times_s, readable, ~ectopic, waves)

    def blocked_before(self, beat: int) -> list[tuple[float, tuple[float, float, float]]]:
        """Time of each blocked P wave in the interval before a beat, and the three PR; empty where there is none."""
        near = np.arange(max(beat - _BEFORE, 0), min(beat + _AFTER + 1, len(self.times_s)))
        leads = np.asarray(self.readable[near].all(axis=0), np.bool_)
        usable = near[self.usable[near]]
        if beat < 1 or not leads.any():
            return []
        # The marks of the network give a first form of the P wave, and the places of that form the one to look for.
        usual = self._usual_p_wave(self.waves.p_peak[usable], leads)
        if usual is None or not np.isfinite(self._p_wave_of(beat, leads, usual)):
            return []
        usual = self._usual_p_wave(self._p_waves_of(usable, leads, usual)[usable], leads)
        if usual is None:
            return []
        p_s = self._p_waves_of(usable, leads, usual)
        if not np.isfinite(p_s[beat - 1 : beat + 1]).all():
            return []
        for number, pp_s, late in _numbers(p_s, beat):
            # Each of them is due at its share of the time between the P waves of both beats.
            due_s = p_s[beat - 1] + pp_s * np.arange(1, number)
            least_s, most_s = self._t_end_s(beat - 1), p_s[beat] - _BEFORE_P_S
            spans = [(max(at_s - late * pp_s, least_s), min(at_s + late * pp_s, most_s)) for at_s in due_s]
            blocked = [self._p_wave_in(span, leads, usual) for span in spans]
            if np.isfinite(blocked).all():
                if any(self._has_complex_between(at_s, beat, usable, leads) for at_s in blocked):
                    return []
                return [(at_s, self._pr_s(p_s, beat)) for at_s in blocked]
        return []

    def _usual_p_wave(self, p_s: NDArray[np.float64], leads: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        """Mean of the P waves at some times that are alike, shape (leads, 25); None where fewer than three are."""
        p_s = p_s[np.isfinite(p_s)]
        if len(p_s) < _LEAST_P_WAVES:
            return None
        places = np.rint(p_s * self.filtered.rate_hz).astype(np.intp)
        shapes = _shapes(self.filtered, places)[:, leads]
        flat = shapes.reshape(len(shapes), -1)
        flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        alike = flat @ flat.T >= _LEAST_CLEAR
        of_one = alike[alike.sum(axis=1).argmax()]
        return shapes[of_one].mean(axis=0) if of_one.sum() >= _LEAST_P_WAVES else None

    def _t_end_s(self, beat: int) -> float:
        """From where on P waves can be told from the T wave of a beat."""
        end_s = float(self.waves.t_end[beat])
        return (end_s if np.isfinite(end_s) else float(self.times_s[beat]) + _T_END_S) + _AFTER_T_S

    def _p_waves_of(
        self, beats: NDArray[np.intp], leads: NDArray[np.bool_], usual: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Times of the P waves of some beats among all; NaN = none, or another beat."""
        p_s = np.full(len(self.times_s), np.nan)
        p_s[beats] = [self._p_wave_of(beat, leads, usual) for beat in beats.tolist()]
        return p_s

    def _p_wave_of(self, beat: int, leads: NDArray[np.bool_], usual: NDArray[np.float64]) -> float:
        at_s = float(self.times_s[beat])
        begin_s = at_s - LONGEST_PR_S if beat == 0 else max(at_s - LONGEST_PR_S, self._t_end_s(beat - 1))
        return self._p_wave_in((begin_s, at_s - _SHORTEST_PR_S), leads, usual)

    def _p_wave_in(self, span_s: tuple[float, float], leads: NDArray[np.bool_], usual: NDArray[np.float64]) -> float:
        """Time of the P wave of the usual form in a span of time, not at its ends; NaN = none."""
        first, last = np.ceil(span_s[0] * self.filtered.rate_hz), np.floor(span_s[1] * self.filtered.rate_hz)
        places = np.arange(max(first, 0), last + 1).astype(np.intp)
        if len(places) < 3:
            return np.nan
        correlation, amplitude = _correlation(_shapes(self.filtered, places)[:, leads], usual)
        best = int(correlation.argmax())
        is_one = correlation[best] >= _LEAST_CORRELATION and _AMPLITUDES[0] <= amplitude[best] <= _AMPLITUDES[1]
        return float(places[best] / self.filtered.rate_hz) if is_one and 0 < best < len(places) - 1 else np.nan

    def _has_complex_between(self, p_s: float, beat: int, near: NDArray[np.intp], leads: NDArray[np.bool_]) -> bool:
        """Whether a QRS complex lies between a P wave and the next beat: that of a beat that was not found."""
        usual = np.median(
            [self._heights(at_s - _HALF_QRS_S, at_s + _HALF_QRS_S)[leads] for at_s in self.times_s[near]], axis=0
        )
        end_s = min(p_s + LONGEST_PR_S, float(self.times_s[beat]) - _HALF_QRS_S)
        here = self._heights(p_s + _AFTER_P_S, end_s)[leads]
        return bool(np.linalg.norm(here) >= _QRS_SHARE * np.linalg.norm(usual))

    def _heights(self, begin_s: float, end_s: float) -> NDArray[np.float64]:
        """Return the difference of the highest and the lowest sample in a span of time, of each lead."""
        first, last = round(begin_s * self.filtered.rate_hz), round(end_s * self.filtered.rate_hz)
        return np.asarray(np.ptp(self.filtered.signal[:, max(first, 0) : last + 1], axis=1))

    def _pr_s(self, p_s: NDArray[np.float64], beat: int) -> tuple[float, float, float]:
        """PR of the first beat in a row of at most four before an interval, of the last of them, and of the next."""
        pr_s, intervals_s = self.times_s - p_s, np.diff(self.times_s)
        first = beat - 1
        while first > max(beat - 4, 0) and _LONG * intervals_s[first - 1] < _SAME * intervals_s[beat - 1]:
            first -= 1
        return float(pr_s[first]) if first < beat - 1 else np.nan, float(pr_s[beat - 1]), float(pr_s[beat])


def _numbers(p_s: NDArray[np.float64], beat: int) -> Iterator[tuple[int, float, float]]:
    """How many PP intervals there may be in the interval before a beat, their length, and how late they may be."""
    whole_s = float(p_s[beat] - p_s[beat - 1])
    pp_s = np.diff(p_s)[max(beat - _BEFORE, 0) : beat - 1]
    pp_s = pp_s[np.isfinite(pp_s)]
    usual_s = float(np.median(pp_s)) if len(pp_s) else whole_s
    number = round(whole_s / usual_s)
    if 2 <= number <= _MOST_BLOCKED + 1 and abs(whole_s / (number * usual_s) - 1.0) <= _ON_TIME:
        yield number, whole_s / number, _ON_TIME
    if number < 2:  # the intervals before it hold blocked P waves, too, or none does
        yield 2, whole_s / 2, _AT_HALF
        yield 3, whole_s / 3, _AT_HALF


def _shapes(filtered: Filtered, places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Cut the samples around some places without their linear trend, shape (places, leads, 25)."""
    around = np.clip(places[:, None] + _HALF_P, 0, filtered.signal.shape[1] - 1)
    shapes = filtered.signal[:, around].transpose(1, 0, 2)
    shapes = shapes - shapes.mean(axis=2, keepdims=True)
    shapes -= (shapes @ _SLOPE)[..., None] * _SLOPE
    return np.asarray(shapes)


def _correlation(
    shapes: NDArray[np.float64], usual: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare shapes in all leads with the usual one: correlation without means, and amplitude relative to it."""
    product, energy = (shapes * usual).sum(axis=(1, 2)), float(np.square(usual).sum())
    size = np.sqrt(np.square(shapes).sum(axis=(1, 2)) * energy)
    return product / np.maximum(size, 1e-12), product / max(energy, 1e-12)
