"""Run the front end: from samples to filtered leads, quality and QRS strength, for one patient or for many at once.

Every step treats each lead by itself, except the QRS strength, which joins the leads of a patient. So the leads of
patients whose signals are in the same state can be stacked and cost little more than those of one; the results equal
those of each patient alone to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.signal.array_columns import join
from ectopy.signal.fibrillation_waveform import FibrillationState, Waveform, fibrillation_end, fibrillation_step
from ectopy.signal.filters import Filter, Filtered, FilterState, filter_end, filter_step
from ectopy.signal.qrs_strength import LeadAmplitude, QrsStrength, QrsStrengthState, qrs_strength_end, qrs_strength_step
from ectopy.signal.quality_assessment import QualityState, quality_end, quality_step
from ectopy.signal.quality_index import LEAST_MOVEMENT_MV
from ectopy.signal.state_batching import parted, stacked, structure

_MOST_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class FrontEndState:
    """States of the steps of the front end."""

    filters: FilterState
    evidence: QrsStrengthState
    quality: QualityState
    fibrillation: FibrillationState

    @classmethod
    def fresh(cls, filters: Filter, leads: int, amplitudes: Sequence[LeadAmplitude | None] = ()) -> FrontEndState:
        """Return the state before the first sample, with the amplitudes of an earlier stream where they are known."""
        return cls(
            filters.fresh(leads),
            QrsStrengthState.fresh(leads, amplitudes),
            QualityState.fresh(leads),
            FibrillationState.fresh(leads),
        )


@dataclass(frozen=True, slots=True)
class FrontEndOutput:
    """Results of `filter_step`, `qrs_strength_step`, `quality_step` and `fibrillation_step`.

    Arrays have the leads on the last axis but one.

    Attributes
    ----------
    still : ndarray of bool, shape (leads, 1)
        Which leads do not move in these samples, but for the hum of the mains; missing samples do not.
    """

    early: Filtered
    filtered: Filtered
    qrs_strength: QrsStrength
    index: NDArray[np.float64]
    word: NDArray[np.str_]
    waveform: Waveform
    still: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SignalBlock:
    """The next samples of a stream.

    Attributes
    ----------
    filters : Filter
    state : FrontEndState
    signal : ndarray of float64, shape (leads, k)
        Millivolt at the rate of the filters; NaN = no valid sample.
    """

    filters: Filter
    state: FrontEndState
    signal: NDArray[np.float64]


FrontEndResult = tuple[FrontEndState, FrontEndOutput]


def run_front_end(block: SignalBlock, patients: int = 1) -> FrontEndResult:
    """Process the next samples of a patient, or of several, whose leads follow each other in both signal and state."""
    state = block.state
    filters, early, filtered = filter_step(block.filters, state.filters, block.signal)
    evidence, qrs_strength = qrs_strength_step(state.evidence, early, patients)
    quality, (index, word) = quality_step(state.quality, block.filters.rate_hz, block.signal, filtered)
    fibrillation, waveform = fibrillation_step(state.fibrillation, filtered)
    output = FrontEndOutput(early, filtered, qrs_strength, index, word, waveform, _still(early))
    return FrontEndState(filters, evidence, quality, fibrillation), output


def end_front_end(filters: Filter, state: FrontEndState) -> FrontEndOutput:
    """Return what remains when the signal of one patient ends."""
    early, filtered = filter_end(filters, state.filters)
    evidence, qrs_strength = qrs_strength_step(state.evidence, early)
    qrs_strength = join([qrs_strength, qrs_strength_end(evidence)], axis=1)
    index, word = quality_end(state.quality, filters.rate_hz, filtered)
    waveform = fibrillation_end(state.fibrillation, filtered)
    return FrontEndOutput(early, filtered, qrs_strength, index, word, waveform, _still(early))


def _still(early: Filtered) -> NDArray[np.bool_]:
    signal = early.with_gaps()
    if not signal.shape[1]:
        return np.zeros((len(signal), 1), np.bool_)
    return np.asarray(~(np.ptp(signal, axis=1, keepdims=True) >= LEAST_MOVEMENT_MV))


def run_front_ends(blocks: Sequence[SignalBlock]) -> list[FrontEndResult]:
    """Process the next samples of many patients: equal to `run_front_end` of each, but faster."""
    results: dict[int, FrontEndResult] = {}
    for numbers in _alike(blocks):
        if len(numbers) == 1:
            results[numbers[0]] = run_front_end(blocks[numbers[0]])
            continue
        batch = [blocks[number] for number in numbers]
        signal = np.concatenate([block.signal for block in batch])
        state, output = run_front_end(
            SignalBlock(batch[0].filters, stacked([block.state for block in batch]), signal), len(batch)
        )
        parts = zip(parted(state, len(batch)), parted(output, len(batch), copies=False), strict=True)
        results |= zip(numbers, parts, strict=True)
    return [results[number] for number in range(len(blocks))]


def _alike(blocks: Sequence[SignalBlock]) -> Iterable[list[int]]:
    """Group the blocks that can be stacked: those of streams in the same state, after their first seconds."""
    groups: dict[object, list[int]] = {}
    for number, block in enumerate(blocks):
        warmed_up = block.state.evidence.leads.settled
        key = (block.filters.rate_hz, block.signal.shape, structure(block.state)) if warmed_up else number
        groups.setdefault(key, []).append(number)
    for numbers in groups.values():
        for start in range(0, len(numbers), _MOST_AT_ONCE):
            yield numbers[start : start + _MOST_AT_ONCE]
