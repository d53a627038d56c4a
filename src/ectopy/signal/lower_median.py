"""The lower of the two middle values, of the finite ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def lower_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower median of the finite values along the last axis; NaN where there are none."""
    ordered = np.sort(values, axis=-1)
    if np.isfinite(ordered[..., -1]).all():
        return ordered[..., (values.shape[-1] - 1) // 2]
    rows = ordered.reshape(-1, values.shape[-1])
    count = np.isfinite(rows).sum(axis=1)
    median: NDArray[np.float64] = rows[np.arange(len(rows)), np.maximum(count - 1, 0) // 2]
    return median.reshape(values.shape[:-1])
