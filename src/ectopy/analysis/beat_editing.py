"""Take beats out of an analysis, put others in, and mark noise, so that every array still has one entry per beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.analysis.analysis import Analysis
from ectopy.analysis.interval_model import Timing
from ectopy.analysis.template_comparison import BeatDifference
from ectopy.detector import Verdict
from ectopy.signal.beat_segments import BeatSegments
from ectopy.signal.quality import QUALITY_WINDOW_S, Quality

_ADDED = -1
_AT_ONCE = 4096


def edit_beats(
    analysis: Analysis, remains: NDArray[np.bool_], added: NDArray[np.int64], sampling_rate_hz: float
) -> tuple[Analysis, NDArray[np.bool_]]:
    """Take beats out and put others in.

    Where beats are taken out, the intervals before and after join; an interval that an added beat divides is known in
    both parts, whatever was missed in it. An interval with a gap stays unknown. An added beat is normal and has no
    readable segment, no score and no part of one.

    Parameters
    ----------
    analysis : Analysis
    remains : ndarray of bool, shape (n,)
        Which beats remain.
    added : ndarray of int64, shape (k,)
        Positions of further beats, in order, none of them that of a beat that remains.
    sampling_rate_hz : float
        Of the recording.

    Returns
    -------
    edited : Analysis
    is_added : ndarray of bool, shape (m,)
        Which of its beats are added.
    """
    if remains.all() and not len(added):
        return analysis, np.zeros(len(analysis), np.bool_)
    rows = np.flatnonzero(remains)
    order = np.argsort(np.concatenate([analysis.positions[rows], added]), kind="stable")
    is_added = order >= len(rows)

    def merged(column: NDArray[Any], fill: object) -> NDArray[Any]:
        """Return a column of the edited analysis; added beats have `fill`."""
        return np.concatenate([column[rows], np.full((len(added), *column.shape[1:]), fill, column.dtype)])[order]

    beats, difference = analysis.beats, analysis.difference
    edited = BeatSegments(
        times_s=merged(beats.times_s, np.nan),
        samples=_merged_segments(beats.samples, np.append(rows, np.full(len(added), _ADDED))[order]),
        readable=merged(beats.readable, False),
        prematurity=merged(beats.prematurity, 0.0),
        delay=merged(beats.delay, 0.0),
        irregularity=merged(beats.irregularity, 0.0),
        rr_s=merged(beats.rr_s, np.nan),
    )
    edited.times_s[is_added] = added / sampling_rate_hz
    row = merged(np.arange(len(analysis)), 0)
    row[is_added] = np.searchsorted(analysis.positions, added)
    edited, missed = _with_intervals(edited, analysis, row, is_added)
    return replace(
        analysis,
        beats=edited,
        positions=np.concatenate([analysis.positions[rows], added])[order],
        verdict=merged(analysis.verdict, Verdict.NORMAL.value),
        hint=merged(analysis.hint, ""),
        score=merged(analysis.score, np.nan),
        p_value=merged(analysis.p_value, np.nan),
        shape=merged(analysis.shape, np.nan),
        p_wave=merged(analysis.p_wave, np.nan),
        timing=Timing(merged(analysis.timing.early, 0.0), merged(analysis.timing.pause, 0.0)),
        difference=None
        if difference is None
        else BeatDifference(*[merged(getattr(difference, field.name), np.nan) for field in fields(difference)]),
        missed=missed,
        correction=None if analysis.correction is None else merged(analysis.correction, ""),
    ), is_added


def _merged_segments(samples: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the segments of these rows, 0 where a beat was added; those of many leads do not fit into memory."""
    merged = large_arrays.empty((len(rows), *samples.shape[1:]), samples.dtype)
    for block in large_arrays.blocks(len(rows), _AT_ONCE, merged, samples):
        part = rows[block]
        is_analysed = part != _ADDED
        merged[block][is_analysed] = samples[part[is_analysed]]
        merged[block][~is_analysed] = 0.0
    return merged


def _with_intervals(
    edited: BeatSegments, analysis: Analysis, row: NDArray[np.intp], is_added: NDArray[np.bool_]
) -> tuple[BeatSegments, NDArray[np.bool_]]:
    """Measure the intervals that have changed, and tell in which of all beats may be missed.

    Parameters
    ----------
    edited : BeatSegments
        With the timing that beats had before.
    analysis : Analysis
        Before.
    row : ndarray of intp, shape (m,)
        Row of each beat in the analysis; of an added beat that of the first one after it, or their number.
    is_added : ndarray of bool, shape (m,)
    """
    before = analysis.beats
    # Intervals of the analysis that lie between each beat and the one before it, from `first` up to and with `row`.
    first = np.append(0, row + ~is_added)[: len(row)]
    is_same = (first == row) & ~is_added & ~np.append(False, is_added)[: len(row)]
    gap, missed = np.isnan(before.rr_s), analysis.missed.copy()
    gap[:1] = False
    divided = row[is_added]
    missed[divided[divided < len(missed)]] = False
    has_gap, has_missed = (
        count[row + 1] > count[first]
        for count in (np.concatenate([[0], np.cumsum(np.append(flags, False))]) for flags in (gap, missed))
    )
    rr_s = np.where(is_same, edited.rr_s, np.where(has_gap, np.nan, np.diff(edited.times_s, prepend=np.nan)))
    # The usual interval of a beat stays; an added beat has that of the next one.
    usual_s = np.append(before.rr_s * np.exp(before.prematurity), np.nan)[row]
    irregularity = np.append(before.irregularity, 0.0)[row]
    after_s = np.append(rr_s, np.nan)[1:]
    prematurity, delay = np.nan_to_num(np.log([usual_s / rr_s, after_s / usual_s]))
    is_next_same = np.append(is_same, row[-1:] == len(before) - 1)[1:] & ~is_added
    return replace(
        edited,
        rr_s=rr_s,
        prematurity=np.where(is_same, edited.prematurity, prematurity),
        delay=np.where(is_next_same, edited.delay, delay),
        irregularity=irregularity,
    ), has_missed


def without_noise(analysis: Analysis, noise: Sequence[tuple[float, float]]) -> Analysis:
    """Take times of noise out of what is known.

    No interval that touches them is known, seconds in them are noisy, and nothing in them is a spike of a pacemaker.

    Parameters
    ----------
    analysis : Analysis
    noise : sequence of (start_s, end_s)
    """
    if not noise:
        return analysis
    times_s, quality = analysis.beats.times_s, analysis.quality
    missed, index, word = analysis.missed.copy(), quality.index.copy(), quality.word.astype("U10")
    spikes_s = analysis.signs.spikes_s
    for start_s, end_s in noise:
        # From the interval before the first beat in it to that before the first beat after it.
        missed[np.searchsorted(times_s, start_s) : np.searchsorted(times_s, end_s, side="right") + 1] = True
        seconds = slice(int(np.ceil(start_s / QUALITY_WINDOW_S)), int(end_s // QUALITY_WINDOW_S))
        index[:, seconds], word[:, seconds] = 0.0, "noisy"
        spikes_s = spikes_s[(spikes_s < start_s) | (spikes_s > end_s)]
    return replace(
        analysis,
        missed=missed,
        quality=Quality(index, word, quality.duration_s),
        signs=replace(analysis.signs, spikes_s=spikes_s),
    )
