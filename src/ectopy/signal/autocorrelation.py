"""How alike a signal is to itself some samples later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def autocorrelation(windows: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """Correlate each window with itself `first` to `last` samples later, shape (windows, lags).

    Parameters
    ----------
    windows : ndarray of float64, shape (windows, samples)
        Of mean 0.
    """
    count, length = windows.shape
    power = np.zeros((count, length + 1))
    np.cumsum(windows * windows, axis=1, out=power[:, 1:])
    # Only the samples that overlap count: those before the lag from the end, and those after it from the start.
    lags = np.arange(first, last + 1)
    scale = np.sqrt(power[:, length - lags] * (power[:, -1:] - power[:, lags]))
    products = np.stack([(windows[:, : length - lag] * windows[:, lag:]).sum(axis=1) for lag in lags.tolist()], axis=1)
    correlation: NDArray[np.float64] = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    return np.minimum(correlation, 1.0)
