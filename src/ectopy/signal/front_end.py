"""The front end: all that is done lead by lead before beats are told apart, for one patient or for many at once.

Every step here treats each lead by itself, but for the evidence, which is of all leads of a patient. So the leads of
patients whose signals are in the same state can be put under each other and cost little more than those of one; the
results are those of each patient alone, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.signal.fibrillation_waveform import FibrillationState, Waveform, fibrillation_end, fibrillation_step
from ectopy.signal.filters import Filter, Filtered, FilterState, filter_end, filter_step
from ectopy.signal.heartbeats import LeadAmplitude, QrsStrength, QrsStrengthState, qrs_strength_end, qrs_strength_step
from ectopy.signal.quality import QualityState, quality_end, quality_step
from ectopy.signal.state_batching import parted, stacked, structure

_MOST_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class FrontEndState:
    """What the front end remembers of a stream.

    Attributes
    ----------
    filters, evidence, quality, fibrillation
        Of its steps.
    """

    filters: FilterState
    evidence: QrsStrengthState
    quality: QualityState
    fibrillation: FibrillationState

    @classmethod
    def fresh(cls, plan: Filter, leads: int, amplitudes: Sequence[LeadAmplitude | None] = ()) -> FrontEndState:
        """Before the first sample of so many leads, with what is known of their amplitude from an earlier stream."""
        return cls(
            plan.fresh(leads),
            QrsStrengthState.fresh(leads, amplitudes),
            QualityState.fresh(leads),
            FibrillationState.fresh(leads),
        )


@dataclass(frozen=True, slots=True)
class FrontEndOutput:
    """What the front end has found; arrays have the leads on the last axis but one.

    Attributes
    ----------
    early, filtered : Filtered
        From `filter_step`.
    evidence : QrsStrength
        From `qrs_strength_step`.
    index, word : ndarray, shape (leads, seconds)
        From `quality_step`.
    waveform : Waveform
        From `fibrillation_step`.
    """

    early: Filtered
    filtered: Filtered
    evidence: QrsStrength
    index: NDArray[np.float64]
    word: NDArray[np.str_]
    waveform: Waveform


@dataclass(frozen=True, slots=True)
class SignalBlock:
    """The next samples of a stream.

    Attributes
    ----------
    plan : Filter
    state : FrontEndState
    signal : ndarray of float64, shape (leads, k)
        Millivolt at the plan's rate; NaN = no valid sample.
    """

    plan: Filter
    state: FrontEndState
    signal: NDArray[np.float64]


Answer = tuple[FrontEndState, FrontEndOutput]


def run_front_end(piece: SignalBlock, patients: int = 1) -> Answer:
    """Take the next samples of a patient; or of several, whose leads follow each other, in both signal and state."""
    state = piece.state
    filters, early, filtered = filter_step(piece.plan, state.filters, piece.signal)
    evidence, found = qrs_strength_step(state.evidence, early, patients)
    quality, (index, word) = quality_step(state.quality, piece.plan.rate_hz, piece.signal, filtered)
    fibrillation, waveform = fibrillation_step(state.fibrillation, filtered)
    return FrontEndState(filters, evidence, quality, fibrillation), FrontEndOutput(
        early, filtered, found, index, word, waveform
    )


def end_front_end(plan: Filter, state: FrontEndState) -> FrontEndOutput:
    """Find what remains when the signal of one patient ends."""
    early, filtered = filter_end(plan, state.filters)
    evidence_state, begun = qrs_strength_step(state.evidence, early)
    evidence = begun.followed_by(qrs_strength_end(evidence_state))
    index, word = quality_end(state.quality, plan.rate_hz, filtered)
    return FrontEndOutput(early, filtered, evidence, index, word, fibrillation_end(state.fibrillation, filtered))


def run_front_ends(pieces: Sequence[SignalBlock]) -> list[Answer]:
    """Take the next samples of many patients: what `run_front_end` says of each, for less."""
    answers: dict[int, Answer] = {}
    for numbers in _alike(pieces):
        if len(numbers) == 1:
            answers[numbers[0]] = run_front_end(pieces[numbers[0]])
            continue
        some = [pieces[number] for number in numbers]
        signal = np.concatenate([piece.signal for piece in some])
        state, sensed = run_front_end(
            SignalBlock(some[0].plan, stacked([piece.state for piece in some]), signal), len(some)
        )
        parts = zip(parted(state, len(some)), parted(sensed, len(some), kept=False), strict=True)
        answers |= zip(numbers, parts, strict=True)
    return [answers[number] for number in range(len(pieces))]


def _alike(pieces: Sequence[SignalBlock]) -> Iterable[list[int]]:
    """Which pieces can be taken together: those of streams in the same state, past their first seconds."""
    groups: dict[object, list[int]] = {}
    for number, piece in enumerate(pieces):
        settled = piece.state.evidence.leads.settled
        key = (piece.plan.rate_hz, piece.signal.shape, structure(piece.state)) if settled else number
        groups.setdefault(key, []).append(number)
    for numbers in groups.values():
        for start in range(0, len(numbers), _MOST_AT_ONCE):
            yield numbers[start : start + _MOST_AT_ONCE]
