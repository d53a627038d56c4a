"""Assess every second of every lead: of a stream, a whole recording, or one that is still being filtered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.errors import DataError
from ectopy.signal.filters import Filtered
from ectopy.signal.fir import FirState, fir_end, fir_step
from ectopy.signal.quality import QUALITY_WORDS, IndexAndWord, Quality
from ectopy.signal.quality_index import (
    SECOND_SAMPLES,
    QualityHistory,
    fast_band,
    measure_filtered,
    measure_recorded,
    score_seconds,
)
from ectopy.signal.state_replace import replace

_BLOCK_S = 120
_WORD_TYPE = np.array(QUALITY_WORDS).dtype


@dataclass(frozen=True, slots=True)
class QualityState:
    """State of the assessment; arrays have one row per lead.

    Attributes
    ----------
    samples : ndarray of float64, shape (leads, k)
        As recorded, of seconds that are not assessed yet.
    cleaned, missing : ndarray, shape (leads, k)
        Filtered signal of these.
    power : ndarray of float64, shape (leads, at most k)
        Its power between 20 and 40 Hz.
    fast : FirState
        Of the filter for this band.
    earlier : QualityHistory
    second : int
        Number of the next second; always 0 at rates at which every second begins on a sample.
    """

    samples: NDArray[np.float64]
    cleaned: NDArray[np.float64]
    missing: NDArray[np.bool_]
    power: NDArray[np.float64]
    fast: FirState
    earlier: QualityHistory
    second: int = 0

    @classmethod
    def fresh(cls, leads: int) -> QualityState:
        """Return the state before the first sample."""
        no_samples = np.empty((leads, 0))
        return cls(
            no_samples,
            no_samples,
            no_samples.astype(np.bool_),
            no_samples,
            FirState.fresh(leads),
            QualityHistory.fresh(leads),
        )


def quality_step(
    state: QualityState, sampling_rate_hz: float, chunk: NDArray[np.floating], filtered: Filtered
) -> tuple[QualityState, IndexAndWord]:
    """Assess the next seconds; the result does not depend on how the signal is divided into chunks.

    Parameters
    ----------
    state : QualityState
    sampling_rate_hz : float
    chunk : ndarray, shape (leads, k)
        Millivolt as recorded; NaN = no valid sample.
    filtered : Filtered
        Result of the filters for this chunk.

    Returns
    -------
    state : QualityState
    assessed : tuple of (ndarray of float64, ndarray of str), each of shape (leads, seconds)
        Index and word of each second, about 1.3 s after its end.
    """
    state = replace(
        state,
        samples=np.concatenate([state.samples, np.ascontiguousarray(chunk)], axis=1),
        cleaned=np.concatenate([state.cleaned, filtered.signal], axis=1),
        missing=np.concatenate([state.missing, filtered.missing], axis=1),
    )
    count = _complete(state, sampling_rate_hz, filtered.rate_hz)
    if count:
        fast, quick = _new_fast(state)
        state = replace(state, fast=fast, power=np.concatenate([state.power, quick * quick], axis=1))
    return _assess_seconds(state, sampling_rate_hz, filtered.rate_hz, count)


def quality_end(state: QualityState, sampling_rate_hz: float, filtered: Filtered) -> IndexAndWord:
    """Assess the remaining seconds when the signal ends; `filtered` is the last result of the filters."""
    leads = len(state.samples)
    total = _start(state.second, sampling_rate_hz) + state.samples.shape[1]
    count = 0
    while _start(state.second + count, sampling_rate_hz) < total:
        count += 1
    state = replace(state, cleaned=np.concatenate([state.cleaned, filtered.signal], axis=1))
    fast, quick = _new_fast(state)
    edge = fast.recent[:, -1:] if fast.recent.shape[1] else np.zeros((leads, 1))
    rest = fir_end(fast_band(), fast, edge)
    # The last second is filled up with missing samples.
    filling = np.zeros((leads, 2 * SECOND_SAMPLES))
    state = replace(
        state,
        cleaned=np.concatenate([state.cleaned, filling], axis=1),
        missing=np.concatenate([state.missing, filtered.missing, filling == 0], axis=1),
        power=np.concatenate([state.power, quick * quick, rest * rest, filling], axis=1),
    )
    _, assessed = _assess_seconds(state, sampling_rate_hz, filtered.rate_hz, count)
    return assessed


def assess(signal: NDArray[np.floating], sampling_rate_hz: float, filtered: Filtered) -> Quality:
    """Assess every second of every lead; the last one may be shorter.

    Parameters
    ----------
    signal : ndarray, shape (samples, leads)
        Millivolt as recorded; NaN = no valid sample.
    sampling_rate_hz : float
    filtered : Filtered
        From `filter_signal`, with the noise up to 40 Hz: a lower `high_hz` hides some of it.

    Returns
    -------
    Quality
        As many seconds as begin before the last sample.

    Raises
    ------
    DataError
        If `filtered` has other leads than the signal, or another length.
    """
    duration_s = len(signal) / sampling_rate_hz
    leads, length = filtered.signal.shape
    if signal.ndim != 2 or signal.shape[1] != leads or abs(length / filtered.rate_hz - duration_s) > 0.02:
        raise DataError(
            f"a filtered signal of shape {filtered.signal.shape} at {filtered.rate_hz:g} Hz does not belong to one of "
            f"shape {signal.shape} at {sampling_rate_hz:g} Hz; filter the signal that is to be assessed."
        )
    block = round(_BLOCK_S * filtered.rate_hz)
    blocks = large_arrays.blocks(length, block, signal, filtered.signal, filtered.missing)
    parts = list(assess_by_part(signal, sampling_rate_hz, filtered, (rows.stop for rows in blocks)))
    return Quality(*join_parts(parts), duration_s)


def assess_by_part(
    signal: NDArray[np.floating], sampling_rate_hz: float, filtered: Filtered, ends: Iterable[int]
) -> Iterator[IndexAndWord]:
    """Yield index and word of the seconds that are known after each part, then of the rest, as in `Quality`.

    Parameters
    ----------
    signal, sampling_rate_hz
        As for `assess`.
    filtered : Filtered
        As for `assess`; its samples need not be there yet, and it may be too long.
    ends : iterable of int
        Ends of the parts of `filtered`, each as soon as the samples before it are there; the last one is its length.
    """
    state, begin, filtered_begin = QualityState.fresh(len(filtered.signal)), 0, 0
    for end in ends:
        to = min(int(end * sampling_rate_hz / filtered.rate_hz), len(signal))
        state, assessed = quality_step(state, sampling_rate_hz, signal[begin:to].T, filtered[filtered_begin:end])
        begin, filtered_begin = to, end
        yield assessed
    rest = filtered[filtered_begin:filtered_begin]
    state, assessed = quality_step(state, sampling_rate_hz, signal[begin:].T, rest)
    yield join_parts([assessed, quality_end(state, sampling_rate_hz, rest)])


def join_parts(parts: Sequence[IndexAndWord]) -> IndexAndWord:
    """Join index and word of one or more parts in their order."""
    index, word = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return index, word


def _start(second: int, rate_hz: float) -> int:
    """Return the first sample of a second."""
    return math.ceil(second * rate_hz)


def _complete(state: QualityState, sampling_rate_hz: float, filtered_rate_hz: float) -> int:
    """Count the seconds that are complete, both as recorded and filtered."""
    recorded_to = _start(state.second, sampling_rate_hz) + state.samples.shape[1]
    filtered_to = _start(state.second, filtered_rate_hz) + state.cleaned.shape[1] - fast_band().reach
    # A second that ends on a sample is complete with it, so the last one may be found by division, but for rounding.
    second = max(state.second, int(min(recorded_to / sampling_rate_hz, filtered_to / filtered_rate_hz)) - 2)
    while (
        _start(second + 1, sampling_rate_hz) <= recorded_to
        and _start(second + 1, filtered_rate_hz) <= filtered_to
        and _start(second, filtered_rate_hz) + SECOND_SAMPLES <= filtered_to
    ):
        second += 1
    return second - state.second


def _new_fast(state: QualityState) -> tuple[FirState, NDArray[np.float64]]:
    """Filter the new part of the signal between 20 and 40 Hz."""
    first = state.power.shape[1] + state.fast.recent.shape[1] - state.fast.done
    return fir_step(fast_band(), state.fast, state.cleaned[:, first:])


def _assess_seconds(
    state: QualityState, sampling_rate_hz: float, filtered_rate_hz: float, count: int
) -> tuple[QualityState, IndexAndWord]:
    """Assess the next `count` seconds."""
    if count == 0:
        return state, (np.empty((len(state.samples), 0)), np.empty((len(state.samples), 0), _WORD_TYPE))
    seconds = np.arange(state.second, state.second + count + 1)
    edges, starts = (np.ceil(seconds * rate).astype(np.int64) for rate in (sampling_rate_hz, filtered_rate_hz))
    edges, starts = edges - edges[0], starts - starts[0]
    recorded = measure_recorded(state.samples[:, : edges[-1]], edges, sampling_rate_hz)
    filtered = measure_filtered(state.cleaned, state.missing, state.power, starts[:-1])
    earlier, assessed = score_seconds(state.earlier, np.concatenate([recorded, filtered]))
    state = QualityState(
        state.samples[:, edges[-1] :],
        state.cleaned[:, starts[-1] :],
        state.missing[:, starts[-1] :],
        state.power[:, starts[-1] :],
        state.fast,
        earlier,
        0 if sampling_rate_hz % 1 == filtered_rate_hz % 1 == 0 else state.second + count,
    )
    return state, assessed
