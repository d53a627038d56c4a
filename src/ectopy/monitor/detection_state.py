"""State of detection in a stream: what filters, quality, learning and the last beats leave for the next samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.adaptation import Adaptation
from ectopy.analysis.baseline import FIRST_BEATS, Baseline, given_baseline
from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.population import heights_mv, usual_height_mv
from ectopy.analysis.verdicts import PreviousBeat
from ectopy.monitor.beat_height import BeatHeights
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import BeatSegments, CutState, no_beats
from ectopy.signal.filters import Filter
from ectopy.signal.front_end import FrontEndState
from ectopy.signal.heartbeats import PeaksState
from ectopy.signal.qrs_strength import LeadAmplitude

_LEARNING = "The patient's normal is being learned; until ten beats can be read they are compared with other people's."

filters_for = lru_cache(maxsize=32)(Filter.of)
"""The filters for a sampling rate."""


@dataclass(frozen=True, slots=True)
class SecondsState:
    """Judged seconds in which beats may still be given: the last 8 and those of beats whose next beat has not come.

    Attributes
    ----------
    numbers : ndarray of int64, shape (k,)
        Which seconds these are.
    readable : ndarray of bool, shape (leads, k)
        Whether each lead is readable in them.
    dark : ndarray of int64, shape (k,)
        How many seconds up to each of them tell nothing of the heart.
    waiting : BeatSegments
        Beats whose second is not judged yet.
    judged : int
        How many seconds are judged.
    """

    numbers: NDArray[np.int64]
    readable: NDArray[np.bool_]
    dark: NDArray[np.int64]
    waiting: BeatSegments
    judged: int = 0

    @classmethod
    def fresh(cls, leads: int) -> SecondsState:
        """Before the first second."""
        empty = np.empty(0, np.int64)
        return cls(empty, np.empty((leads, 0), np.bool_), empty, no_beats(leads))


@dataclass(frozen=True, slots=True)
class LearningBuffer:
    """Beats that the patient's normal is being learned from.

    Attributes
    ----------
    beats : BeatSegments
        Since the first readable one.
    heights_mv : ndarray of float32, shape (n, leads)
        Of these; NaN where not readable.
    after : PreviousBeat
        The beat before them.
    due : int
        From how many readable beats the next provisional baseline is learned.
    """

    beats: BeatSegments
    heights_mv: NDArray[np.float32]
    after: PreviousBeat
    due: int = FIRST_BEATS

    @classmethod
    def fresh(cls, leads: int) -> LearningBuffer:
        """Before the first beat."""
        empty = no_beats(leads)
        return cls(empty, heights_mv(empty), PreviousBeat())


@dataclass(frozen=True, slots=True)
class LastBeat:
    """The last judged beat.

    Attributes
    ----------
    before : PreviousBeat
        What the next judgement depends on.
    dark : int
        How many seconds up to it tell nothing of the heart.
    """

    before: PreviousBeat
    readable: bool = False
    dark: int = 0


@dataclass(frozen=True, slots=True)
class LeadMemory:
    """Amplitudes of one lead of a patient, for when its signal starts again.

    Attributes
    ----------
    amplitude : LeadAmplitude or None
        Of its QRS complexes; None = not known.
    heights_mv : ndarray of float64, shape (45,)
        As in `BeatHeights`.
    """

    amplitude: LeadAmplitude | None
    heights_mv: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DetectionState:
    """State of detection in a stream; times are seconds from its start.

    Attributes
    ----------
    frontend, peaks, cut
        Of the steps from samples to beats.
    learning : LearningBuffer or None
        None while the patient's normal is not being learned.
    adaptation : Adaptation
        What the patient's normal, once it is learned, follows.
    """

    __repr__ = short_repr

    frontend: FrontEndState
    peaks: PeaksState
    cut: CutState
    seconds: SecondsState
    last: LastBeat
    baseline: Baseline
    learning: LearningBuffer | None
    adaptation: Adaptation
    heights: BeatHeights

    @classmethod
    def fresh(
        cls,
        rate_hz: float,
        leads: int,
        normal: PatientTemplate | None = None,
        memory: Sequence[LeadMemory | None] = (),
        provisional: Baseline | None = None,
    ) -> DetectionState:
        """Before the first sample of a stream.

        Parameters
        ----------
        normal : PatientTemplate or None
            The patient's normal where it is known already.
        memory : sequence of LeadMemory or None
            What is known of each lead from an earlier stream; empty = nothing.
        provisional : Baseline or None
            What serves while the patient's normal is being learned; None = other people's normal.
        """
        heights = BeatHeights.fresh(leads)
        for lead, lead_memory in enumerate(memory):
            if lead_memory is not None:
                heights.recent_mv[lead] = lead_memory.heights_mv
        amplitudes = [None if lead_memory is None else lead_memory.amplitude for lead_memory in memory]
        unknown = provisional or Baseline(None, usual_height_mv(no_beats(leads)), _LEARNING)
        return cls(
            frontend=FrontEndState.fresh(filters_for(rate_hz), leads, amplitudes),
            peaks=PeaksState.fresh(),
            cut=CutState.fresh(leads),
            seconds=SecondsState.fresh(leads),
            last=LastBeat(PreviousBeat()),
            baseline=unknown if normal is None else given_baseline(normal),
            learning=LearningBuffer.fresh(leads) if normal is None else None,
            adaptation=Adaptation.fresh(leads),
            heights=heights,
        )

    def memory(self) -> tuple[LeadMemory, ...]:
        """Return amplitudes of each lead, for a stream that starts again."""
        amplitudes = self.frontend.evidence.leads.amplitudes()
        return tuple(map(LeadMemory, amplitudes, self.heights.recent_mv))
