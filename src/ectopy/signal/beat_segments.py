"""Cut segments around the fiducial points of beats, and measure the time between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.beats import BEAT_SAMPLES
from ectopy.presentation import short_repr
from ectopy.signal.array_columns import join, select
from ectopy.signal.filters import Filtered
from ectopy.signal.lower_median import lower_median
from ectopy.signal.state_replace import replace

BEFORE = 52
AFTER = BEAT_SAMPLES - BEFORE
MARGIN = 4
_USUAL_OF = 50
_OFFSETS = np.arange(-BEFORE - MARGIN, AFTER + MARGIN)
_KEPT_S = 6.0  # a heartbeat is detected at most five seconds late
_BLOCK_S = 600


@dataclass(frozen=True, slots=True)
class BeatSegments:
    """Beats with their segments and timing; arrays with one entry or row per beat.

    Attributes
    ----------
    times_s : ndarray of float64, shape (n,)
        Fiducial points from the start of the recording.
    samples : ndarray of float32, shape (n, leads, 148)
        Millivolt at 180 Hz: 140 samples, 52 of them before the fiducial point, and a margin of 4 to each side, by which
        a beat may be shifted for comparison.
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
        return select(self, rows)

    @property
    def next_s(self) -> NDArray[np.float64]:
        """Return the RR interval after each beat, shape (n,); where it is not known, the usual one or NaN."""
        next_s: NDArray[np.float64] = self.rr_s * np.exp(self.prematurity + self.delay)
        return next_s

    @classmethod
    def joined(cls, parts: Sequence[BeatSegments]) -> BeatSegments:
        """Join one or more parts in their order."""
        filled = [part for part in parts if len(part)] or parts[:1]
        return filled[0] if len(filled) == 1 else join(filled)

    def masked(self, readable: NDArray[np.bool_]) -> BeatSegments:
        """Return the beats, readable only where `readable`, shape (n, leads), is true as well."""
        return replace(self, readable=self.readable & readable)


def centred(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift beats so that their median, the level between the waves, is 0; shape (..., even number)."""
    half = samples.shape[-1] // 2
    ordered = np.partition(samples, half, axis=-1)
    below = ordered[..., :half].max(axis=-1, keepdims=True)
    middle: NDArray[np.float64] = (below + ordered[..., half : half + 1]) / 2
    return samples - middle


def finite_median(values: NDArray[np.floating], axis: int = -1) -> NDArray[np.float64]:
    """Return the median of the finite values along an axis; NaN where there are none."""
    ordered = np.sort(np.moveaxis(values, axis, -1), axis=-1)
    rows = ordered.reshape(-1, ordered.shape[-1])
    count, row = np.isfinite(rows).sum(axis=1), np.arange(len(rows))
    median: NDArray[np.float64] = (rows[row, np.maximum(count - 1, 0) // 2] + rows[row, count // 2]) / 2
    return median.reshape(ordered.shape[:-1])


def no_beats(leads: int) -> BeatSegments:
    """Return zero beats of this number of leads."""
    empty = np.empty(0)
    samples = np.empty((0, leads, len(_OFFSETS)), np.float32)
    return BeatSegments(empty, samples, np.empty((0, leads), np.bool_), empty, empty, empty, empty)


@dataclass(frozen=True, slots=True)
class RecentSignal:
    """The newest filtered signal, in which beats may still be detected.

    Attributes
    ----------
    signal : ndarray of float64, shape (leads, k)
    missing : ndarray of bool, shape (leads, m)
        Where it is missing; about a second longer than the signal.
    start : int
        Position of its first sample.
    gone : int
        Number of samples before it that are missing in all leads.
    """

    signal: NDArray[np.float64]
    missing: NDArray[np.bool_]
    start: int = 0
    gone: int = 0

    @property
    def end(self) -> int:
        """Return the position after its last sample."""
        return self.start + int(self.signal.shape[1])

    def followed_by(self, early: Filtered, filtered: Filtered) -> RecentSignal:
        """Append signal."""
        signal = np.concatenate([self.signal, filtered.signal], axis=1)
        missing = np.concatenate([self.missing, early.missing], axis=1)
        return RecentSignal(signal, missing, self.start, self.gone)

    def newest(self, length: int) -> RecentSignal:
        """Return the last `length` samples."""
        old = max(self.signal.shape[1] - length, 0)
        all_missing = self.gone + int(np.count_nonzero(np.logical_and.reduce(self.missing[:, :old], axis=0)))
        return RecentSignal(self.signal[:, old:], self.missing[:, old:], self.start + old, all_missing)


@dataclass(frozen=True, slots=True)
class PendingBeats:
    """Beats that are not emitted yet; arrays with one entry or row per beat.

    Attributes
    ----------
    times_s, rr_s, usual_s, spread : ndarray of float64, shape (w,)
        Fiducial point, the RR interval before it, the usual one and its irregularity.
    samples : ndarray of float32, shape (c, leads, 148)
        Of the first c of them, whose segments are cut.
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
    """Memory of the RR intervals so far.

    Attributes
    ----------
    rr_s : ndarray of float64, shape (50,)
        The last RR intervals, NaN where unknown.
    last_s : float
        The last beat; NaN before the first one.
    last_gone : int
        Number of samples before it that are missing in all leads.
    """

    rr_s: NDArray[np.float64]
    last_s: float
    last_gone: int


@dataclass(frozen=True, slots=True)
class CutState:
    """State of cutting a stream into segments."""

    latest: RecentSignal
    told: PendingBeats
    intervals: Intervals

    @classmethod
    def fresh(cls, leads: int) -> CutState:
        """Return the state before the first sample."""
        no_samples, no_times, beats = np.empty((leads, 0)), np.empty(0), no_beats(leads)
        return cls(
            RecentSignal(no_samples, no_samples.astype(np.bool_)),
            PendingBeats(no_times, no_times, no_times, no_times, beats.samples, beats.readable),
            Intervals(np.full(_USUAL_OF, np.nan), np.nan, 0),
        )


def cut_step(
    state: CutState, early: Filtered, filtered: Filtered, times_s: NDArray[np.float64]
) -> tuple[CutState, BeatSegments]:
    """Cut the beats of the next filtered samples; the result does not depend on how the signal is divided.

    Parameters
    ----------
    state : CutState
    early, filtered : Filtered
        From `filter_step`.
    times_s : ndarray of float64, shape (n,)
        Heartbeats detected since the last step, seconds from the start of the signal, at most five seconds before its
        end.

    Returns
    -------
    state : CutState
    beats : BeatSegments
        Those whose segment is complete, half a second after the fiducial point, and whose next beat is detected.
    """
    latest, pending, intervals = _append(state, early, filtered, times_s)
    last_needed = np.floor(pending.times_s * filtered.rate_hz + _OFFSETS[-1]) + 1
    pending = _cut(latest, pending, filtered.rate_hz, int(np.searchsorted(last_needed, latest.end)), None)
    pending, beats = _emit(pending, min(len(pending.samples), max(len(pending.times_s) - 1, 0)))
    return CutState(latest.newest(int(_KEPT_S * filtered.rate_hz)), pending, intervals), beats


def cut_end(state: CutState, early: Filtered, filtered: Filtered, times_s: NDArray[np.float64]) -> BeatSegments:
    """Return the remaining beats when the signal ends, with its last samples and heartbeats."""
    latest, pending, _ = _append(state, early, filtered, times_s)
    pending = _cut(latest, pending, filtered.rate_hz, len(pending.times_s), latest.end)
    _, beats = _emit(pending, len(pending.times_s))
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
    samples = large_arrays.empty((len(times_s), leads, len(_OFFSETS)), np.float32)
    block = round(_BLOCK_S * filtered.rate_hz)
    blocks = large_arrays.blocks(length, block, filtered.signal, filtered.missing, samples)
    of_blocks = np.split(times_s, np.searchsorted(times_s, np.arange(block, length, block) / filtered.rate_hz))
    parts, cut = [], 0
    for beats in cut_by_part(filtered, zip((rows.stop for rows in blocks), of_blocks, strict=False)):
        samples[cut : cut + len(beats)] = beats.samples
        parts.append(without_samples(beats))
        cut += len(beats)
    return replace(BeatSegments.joined(parts), samples=samples)


def cut_by_part(filtered: Filtered, parts: Iterable[tuple[int, NDArray[np.float64]]]) -> Iterator[BeatSegments]:
    """Cut the beats of a signal part by part, which may still be being filtered; together they are all its beats.

    Parameters
    ----------
    filtered : Filtered
        Its samples need not be there before their part comes, and it may be too long.
    parts : iterable of (int, ndarray of float64)
        The sample at which each part ends, and all heartbeats up to there that are not in an earlier one.
    """
    state, begin = CutState.fresh(len(filtered.signal)), 0
    for end, times_s in parts:
        part, begin = filtered[begin:end], end
        state, beats = cut_step(state, part, part, times_s)
        yield beats
    behind = filtered[begin:begin]
    yield cut_end(state, behind, behind, np.empty(0))


def without_samples(beats: BeatSegments) -> BeatSegments:
    """Return beats whose samples are kept elsewhere: without a view, which would keep them in memory as well."""
    return replace(beats, samples=np.empty((*beats.samples.shape[:2], 0), np.float32))


def _append(
    state: CutState, early: Filtered, filtered: Filtered, times_s: NDArray[np.float64]
) -> tuple[RecentSignal, PendingBeats, Intervals]:
    """Append signal and heartbeats, and measure the time between them."""
    latest, pending, memory = state.latest.followed_by(early, filtered), state.told, state.intervals
    if len(times_s) == 0:
        return latest, pending, memory
    # An interval with samples missing in all leads is not known: it may hold other beats. Count such samples up to each
    # beat.
    missing_before = np.full(len(times_s), latest.gone)
    if latest.missing.any():
        positions = np.round(times_s * filtered.rate_hz).astype(int) - latest.start
        missing_before += np.concatenate([[0], np.cumsum(latest.missing.all(axis=0))])[positions]
    with_last_s = np.concatenate([[memory.last_s], times_s])
    rr_s = with_last_s[1:] - with_last_s[:-1]
    rr_s[missing_before > np.concatenate([[memory.last_gone], missing_before[:-1]])] = np.nan
    # The usual interval is the median of the last fifty, the beat's own included; the spread is that of their log.
    all_rr_s = np.concatenate([memory.rr_s, rr_s])
    windows = all_rr_s[np.arange(len(rr_s))[:, None] + np.arange(_USUAL_OF)]
    usual_s = lower_median(windows)
    spread = 1.4826 * lower_median(np.abs(np.log(windows / usual_s[:, None])))
    pending = PendingBeats(
        np.concatenate([pending.times_s, times_s]),
        np.concatenate([pending.rr_s, rr_s]),
        np.concatenate([pending.usual_s, usual_s]),
        np.concatenate([pending.spread, spread]),
        pending.samples,
        pending.readable,
    )
    return latest, pending, Intervals(all_rr_s[-_USUAL_OF:], float(times_s[-1]), int(missing_before[-1]))


def _cut(latest: RecentSignal, pending: PendingBeats, rate_hz: float, complete: int, end: int | None) -> PendingBeats:
    """Cut the first `complete` beats; `end` is the end of the signal if it has one."""
    if complete == len(pending.samples):
        return pending
    samples, readable = [pending.samples], [pending.readable]
    for start in range(len(pending.samples), complete, 4096):
        exact = pending.times_s[start : min(start + 4096, complete), None] * rate_hz + _OFFSETS
        # Linear interpolation between the samples to the left and right. Beyond the start and the end the signal is
        # continued by its first and last sample; a beat that needs more than the margin of that is not readable.
        left = np.maximum(np.floor(exact).astype(int), 0)
        inside = exact[:, 0] >= -MARGIN
        if end is not None:
            left = np.minimum(left, max(end - 2, 0))
            inside &= exact[:, -1] < end + MARGIN
        share = np.minimum(np.maximum(exact - left, 0.0), 1.0)
        left -= latest.start
        rows = latest.signal.take(left, axis=1) * (1 - share) + latest.signal.take(left + 1, axis=1) * share
        is_flat = np.maximum.reduce(rows, axis=2) == np.minimum.reduce(rows, axis=2)
        clear = inside & ~(np.logical_or.reduce(latest.missing.take(left, axis=1), axis=2) | is_flat)
        samples.append(rows.swapaxes(0, 1).astype(np.float32))
        readable.append(clear.T)
    return PendingBeats(
        pending.times_s,
        pending.rr_s,
        pending.usual_s,
        pending.spread,
        np.concatenate(samples),
        np.concatenate(readable),
    )


def _emit(pending: PendingBeats, count: int) -> tuple[PendingBeats, BeatSegments]:
    """Emit the first `count` beats; the RR interval after the last of them is the one before the next pending beat."""
    if count == 0:
        return pending, no_beats(pending.samples.shape[1])
    rr_s, usual_s = pending.rr_s[:count], pending.usual_s[:count]
    after_s = np.concatenate([pending.rr_s[1:], [np.nan]])[:count]
    timing = np.array([np.log(usual_s / rr_s), np.log(after_s / usual_s), pending.spread[:count]])
    timing[np.isnan(timing)] = 0.0
    prematurity, delay, irregularity = timing
    beats = BeatSegments(
        pending.times_s[:count],
        pending.samples[:count],
        pending.readable[:count],
        prematurity,
        delay,
        irregularity,
        rr_s,
    )
    return select(pending, slice(count, None)), beats
