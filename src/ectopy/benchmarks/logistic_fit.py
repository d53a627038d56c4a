"""Logistic regression by Newton's method, for rules whose few weights stand in the code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 14
_LIMIT_Z = 30.0
_LEAST_PENALTY = 1e-9


def fit_logistic(
    values: NDArray[np.float64],
    positive: NDArray[np.bool_],
    weight: NDArray[np.float64] | None = None,
    penalty: float = 1.0,
) -> NDArray[np.float64]:
    """Fit the log odds of being positive as a weighted sum.

    Parameters
    ----------
    values : ndarray of float64, shape (n, k)
    positive : ndarray of bool, shape (n,)
    weight : ndarray of float64, shape (n,), optional
        How much each row counts; all the same by default.
    penalty : float
        Of the squared weights of the standardised values.

    Returns
    -------
    ndarray of float64, shape (k + 1,)
        The offset, then a weight for each value.
    """
    counts = np.ones(len(values)) if weight is None else weight
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(values)), (values - mean) / deviation])
    result = np.zeros(design.shape[1])
    penalties = penalty * np.eye(len(result))
    penalties[0, 0] = _LEAST_PENALTY
    for _ in range(_ROUNDS):
        share = 1.0 / (1.0 + np.exp(-np.clip(design @ result, -_LIMIT_Z, _LIMIT_Z)))
        slope = design.T @ (counts * (positive - share)) - penalties @ result
        curvature = (design.T * (counts * share * (1.0 - share))) @ design + penalties
        result = result + np.linalg.solve(curvature, slope)
    weights = result[1:] / deviation
    return np.concatenate([[result[0] - weights @ mean], weights])
