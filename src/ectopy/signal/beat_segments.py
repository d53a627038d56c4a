"""Cuts beats around their fiducial points, and measures the time between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.beats import BEAT_SAMPLES
from ectopy.reprs import short_repr
from ectopy.signal.filters import Filtered
from ectopy.signal.heartbeats import lower_median
from ectopy.signal.state_replace import replace

BEFORE = 52
AFTER = BEAT_SAMPLES - BEFORE
MARGIN = 4
_USUAL_OF = 50
_OFFSETS = np.arange(-BEFORE - MARGIN, AFTER + MARGIN)
_KEPT_S = 6.0  # a heartbeat is told at most five seconds late
_BLOCK_S = 600


@dataclass(frozen=True, slots=True)
class BeatSegments:
    """The beats of one recording; arrays with one entry or row per beat.

    Attributes
    ----------
    times_s : ndarray of float64, shape (n,)
        Fiducial points from the start of the recording.
    samples : ndarray of float32, shape (n, leads, 148)
        Millivolt at 180 Hz: 140 samples, of which 52 lie before the fiducial point, and a margin of 4 to each side, in
        which a beat may be shifted for comparison.
    readable : ndarray of bool, shape (n, leads)
        Whether a lead has all samples of a beat and is not flat there.
    prematurity : ndarray of float64, shape (n,)
        Log of the median of the fifty RR intervals before, over the beat's own; positive = early; 0 where unknown.
    delay : ndarray of float64, shape (n,)
        Log of the RR interval after the beat, over the same median; positive = a pause follows; 0 where unknown.
    irregularity : ndarray of float64, shape (n,)
        Spread of the log of the fifty RR intervals before, 1.4826 times their median distance from that median; 0 where
        unknown. One ectopic beat in four hardly changes it; in atrial fibrillation it is large.
    rr_s : ndarray of float64, shape (n,)
        RR interval before the beat; NaN for the first one and across gaps.
    """

    __repr__ = short_repr

    times_s: NDArray[np.float64]
    samples: NDArray[np.float32]
    readable: NDArray[np.bool_]
    prematurity: NDArray[np.float64]
    delay: NDArray[np.float64]
    irregularity: NDArray[np.float64]
    rr_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times_s)

    def __getitem__(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> BeatSegments:
        """Some of the beats."""
        return BeatSegments(*(column[rows] for column in self._columns))

    @classmethod
    def joined(cls, parts: Sequence[BeatSegments]) -> BeatSegments:
        """Beats put together, in the order of the parts, of which there is at least one."""
        filled = [part for part in parts if len(part)] or parts[:1]
        if len(filled) == 1:
            return filled[0]
        return cls(*map(np.concatenate, zip(*(part._columns for part in filled), strict=True)))

    def masked(self, readable: NDArray[np.bool_]) -> BeatSegments:
        """The beats, readable only where the leads are by other measures too; shape (n, leads)."""
        return replace(self, readable=self.readable & readable)

    @property
    def _columns(self) -> tuple[NDArray[Any], ...]:
        return (
            self.times_s,
            self.samples,
            self.readable,
            self.prematurity,
            self.delay,
            self.irregularity,
            self.rr_s,
        )


def centred(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Beats moved so that their median is 0, which is the level between the waves; shape (..., even number)."""
    half = samples.shape[-1] // 2
    ordered = np.partition(samples, (half - 1, half), axis=-1)
    return samples - (ordered[..., half - 1 : half] + ordered[..., half : half + 1]) / 2


def no_beats(leads: int) -> BeatSegments:
    """No beats, of so many leads."""
    none = np.empty(0)
    samples = np.empty((0, leads, len(_OFFSETS)), np.float32)
    return BeatSegments(none, samples, np.empty((0, leads), np.bool_), none, none, none, none)


@dataclass(frozen=True, slots=True)
class RecentSignal:
    """The latest filtered signal, in which beats may still be told.

    Attributes
    ----------
    signal : ndarray of float64, shape (leads, k)
    missing : ndarray of bool, shape (leads, m)
        Where it is missing, which is known about a second further.
    start : int
        Position of its first sample.
    gone : int
        How many samples before it are missing in all leads.
    """

    signal: NDArray[np.float64]
    missing: NDArray[np.bool_]
    start: int = 0
    gone: int = 0

    @property
    def end(self) -> int:
        """Position after its last sample."""
        return self.start + int(self.signal.shape[1])

    def followed_by(self, early: Filtered, filtered: Filtered) -> RecentSignal:
        """With more signal."""
        signal = np.concatenate([self.signal, filtered.signal], axis=1)
        missing = np.concatenate([self.missing, early.missing], axis=1)
        return RecentSignal(signal, missing, self.start, self.gone)

    def newest(self, length: int) -> RecentSignal:
        """The last so many samples."""
        old = max(self.signal.shape[1] - length, 0)
        gone = self.gone + int(np.count_nonzero(self.missing[:, :old].all(axis=0)))
        return RecentSignal(self.signal[:, old:], self.missing[:, old:], self.start + old, gone)


@dataclass(frozen=True, slots=True)
class PendingBeats:
    """Beats that are not given yet; arrays with one entry or row per beat.

    Attributes
    ----------
    times_s, rr_s, usual_s, spread : ndarray of float64, shape (w,)
        Fiducial point, the RR interval before it, the usual one and its irregularity.
    samples : ndarray of float32, shape (c, leads, 148)
        Of the first of them, as far as they are cut.
    readable : ndarray of bool, shape (c, leads)
    """

    times_s: NDArray[np.float64]
    rr_s: NDArray[np.float64]
    usual_s: NDArray[np.float64]
    spread: NDArray[np.float64]
    samples: NDArray[np.float32]
    readable: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Intervals:
    """What is remembered of the beats told so far.

    Attributes
    ----------
    rr_s : ndarray of float64, shape (50,)
        The last RR intervals, NaN where unknown.
    last_s : float
        The last beat; NaN before the first one.
    last_gone : int
        How many samples before it are missing in all leads.
    """

    rr_s: NDArray[np.float64]
    last_s: float
    last_gone: int


@dataclass(frozen=True, slots=True)
class CutState:
    """What cutting remembers of a stream."""

    latest: RecentSignal
    told: PendingBeats
    intervals: Intervals

    @classmethod
    def fresh(cls, leads: int) -> CutState:
        """Before the first sample of so many leads."""
        nothing, none, beats = np.empty((leads, 0)), np.empty(0), no_beats(leads)
        return cls(
            RecentSignal(nothing, nothing.astype(np.bool_)),
            PendingBeats(none, none, none, none, beats.samples, beats.readable),
            Intervals(np.full(_USUAL_OF, np.nan), np.nan, 0),
        )


def cut_step(
    state: CutState, early: Filtered, filtered: Filtered, times_s: NDArray[np.float64]
) -> tuple[CutState, BeatSegments]:
    """Cut the beats of the next stretch of filtered signal; the same for any cutting into stretches.

    Parameters
    ----------
    state : CutState
    early, filtered : Filtered
        From `filter_step`.
    times_s : ndarray of float64, shape (n,)
        Heartbeats told since the last step, seconds from the start of the signal, none of them more than five seconds
        before its end.

    Returns
    -------
    state : CutState
    beats : BeatSegments
        Those that are complete, half a second after their fiducial point, and whose next beat is told.
    """
    latest, told, intervals = _taken(state, early, filtered, times_s)
    last_needed = np.floor(told.times_s * filtered.rate_hz + _OFFSETS[-1]) + 1
    told = _cut(latest, told, filtered.rate_hz, int(np.searchsorted(last_needed, latest.end)), None)
    told, beats = _given(told, min(len(told.samples), max(len(told.times_s) - 1, 0)))
    return CutState(latest.newest(int(_KEPT_S * filtered.rate_hz)), told, intervals), beats


def cut_end(state: CutState, early: Filtered, filtered: Filtered, times_s: NDArray[np.float64]) -> BeatSegments:
    """The beats that are left when the signal ends, with its last stretch and the heartbeats told at its end."""
    latest, told, _ = _taken(state, early, filtered, times_s)
    told = _cut(latest, told, filtered.rate_hz, len(told.times_s), latest.end)
    _, beats = _given(told, len(told.times_s))
    return beats


def cut_beats(filtered: Filtered, times_s: NDArray[np.float64]) -> BeatSegments:
    """Cut the beats of a whole filtered signal, ten minutes at a time.

    Parameters
    ----------
    filtered : Filtered
    times_s : ndarray of float64, shape (n,)
        From `find_heartbeats`.
    """
    leads, length = filtered.signal.shape
    state, parts = CutState.fresh(leads), []
    block = round(_BLOCK_S * filtered.rate_hz)
    starts = np.arange(0, max(length, 1), block)
    of_block = np.split(times_s, np.searchsorted(times_s, starts[1:] / filtered.rate_hz))
    for start, told_s in zip(starts[:-1].tolist(), of_block[:-1], strict=True):
        piece = filtered[start : start + block]
        state, beats = cut_step(state, piece, piece, told_s)
        parts.append(beats)
    piece = filtered[int(starts[-1]) :]
    return BeatSegments.joined([*parts, cut_end(state, piece, piece, of_block[-1])])


def _taken(
    state: CutState, early: Filtered, filtered: Filtered, times_s: NDArray[np.float64]
) -> tuple[RecentSignal, PendingBeats, Intervals]:
    """More signal, and more heartbeats with the time between them."""
    latest, told, before = state.latest.followed_by(early, filtered), state.told, state.intervals
    if len(times_s) == 0:
        return latest, told, before
    # Between two beats with a gap in all leads there may have been others.
    gone_before = np.full(len(times_s), latest.gone)
    if latest.missing.any():
        places = np.round(times_s * filtered.rate_hz).astype(int) - latest.start
        gone_before += np.concatenate([[0], np.cumsum(latest.missing.all(axis=0))])[places]
    rr_s = times_s - np.concatenate([[before.last_s], times_s[:-1]])
    rr_s[gone_before > np.concatenate([[before.last_gone], gone_before[:-1]])] = np.nan
    known = np.concatenate([before.rr_s, rr_s])
    windows = known[np.arange(len(rr_s))[:, None] + np.arange(_USUAL_OF)]
    usual_s = lower_median(windows)
    spread = 1.4826 * lower_median(np.abs(np.log(windows / usual_s[:, None])))
    told = PendingBeats(
        np.concatenate([told.times_s, times_s]),
        np.concatenate([told.rr_s, rr_s]),
        np.concatenate([told.usual_s, usual_s]),
        np.concatenate([told.spread, spread]),
        told.samples,
        told.readable,
    )
    return latest, told, Intervals(known[-_USUAL_OF:], float(times_s[-1]), int(gone_before[-1]))


def _cut(latest: RecentSignal, told: PendingBeats, rate_hz: float, complete: int, end: int | None) -> PendingBeats:
    """Cut the beats up to the given one, at the end of the signal where there is one."""
    if complete == len(told.samples):
        return told
    samples, readable = [told.samples], [told.readable]
    for start in range(len(told.samples), complete, 4096):
        exact = told.times_s[start : min(start + 4096, complete), None] * rate_hz + _OFFSETS
        left = np.maximum(np.floor(exact).astype(int), 0)
        inside = exact[:, 0] >= -MARGIN
        if end is not None:
            left = np.minimum(left, max(end - 2, 0))
            inside &= exact[:, -1] < end + MARGIN
        share = np.minimum(np.maximum(exact - left, 0.0), 1.0)
        left -= latest.start
        rows = latest.signal[:, left] * (1 - share) + latest.signal[:, left + 1] * share
        level = rows.max(axis=2) == rows.min(axis=2)
        clear = inside & ~(latest.missing[:, left].any(axis=2) | level)
        samples.append(rows.swapaxes(0, 1).astype(np.float32))
        readable.append(clear.T)
    return PendingBeats(
        told.times_s, told.rr_s, told.usual_s, told.spread, np.concatenate(samples), np.concatenate(readable)
    )


def _given(told: PendingBeats, count: int) -> tuple[PendingBeats, BeatSegments]:
    """Give the first beats away; the RR interval after the last of them is the one before the next, if there is one."""
    if count == 0:
        return told, no_beats(told.samples.shape[1])
    rr_s, usual_s = told.rr_s[:count], told.usual_s[:count]
    after_s = np.concatenate([told.rr_s[1:], [np.nan]])[:count]
    timing = np.array([np.log(usual_s / rr_s), np.log(after_s / usual_s), told.spread[:count]])
    timing[np.isnan(timing)] = 0.0
    prematurity, delay, irregularity = timing
    beats = BeatSegments(
        told.times_s[:count], told.samples[:count], told.readable[:count], prematurity, delay, irregularity, rr_s
    )
    rest = PendingBeats(
        told.times_s[count:],
        told.rr_s[count:],
        told.usual_s[count:],
        told.spread[count:],
        told.samples[count:],
        told.readable[count:],
    )
    return rest, beats
