"""Finds heartbeats in a stream, stretch by stretch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.signal.filters import Filtered
from ectopy.signal.heartbeats import PeaksState, peaks_end, peaks_step
from ectopy.signal.qrs_strength import QrsStrengthState, qrs_strength_end, qrs_strength_step


class HeartbeatStream:
    """What is remembered of one, and the positions told."""

    def __init__(self, leads: int) -> None:
        self.evidence, self.peaks = QrsStrengthState.fresh(leads), PeaksState.fresh()

    def step(self, filtered: Filtered) -> NDArray[np.float64]:
        self.evidence, strength = qrs_strength_step(self.evidence, filtered)
        self.peaks, positions = peaks_step(self.peaks, strength)
        return positions

    def end(self) -> NDArray[np.float64]:
        return peaks_end(self.peaks, qrs_strength_end(self.evidence))
