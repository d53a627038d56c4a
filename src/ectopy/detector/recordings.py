"""What a detector for recordings knows of the scores of normal beats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.reprs import short_repr


@dataclass(frozen=True, slots=True)
class RecordingCalibration:
    """Scores of normal beats of many patients, on which thresholds for recordings rest.

    Attributes
    ----------
    with_baseline : ndarray of float64, shape (m,)
        Scores against each patient's own normal.
    without_baseline : ndarray of float64, shape (m,)
        Scores against the population alone, from autoencoders that never saw the patient.
    """

    __repr__ = short_repr

    with_baseline: NDArray[np.float64]
    without_baseline: NDArray[np.float64]
