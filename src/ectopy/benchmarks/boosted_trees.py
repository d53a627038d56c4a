"""Classes by boosted trees of depth two: fitted with scikit-learn, computed with NumPy, stored as JSON.

Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29 (2001), 1189: the log
odds of a class are a sum over small trees. Each asks two questions of the form "is this measure above that value?".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.ensemble import GradientBoostingClassifier

DEPTH = 2
_DIGITS = 6  # significant ones


class TreesOfClass(msgspec.Struct, frozen=True):
    """Trees whose values add up to the log odds of a class.

    Attributes
    ----------
    offset : float
        Log odds before the first tree.
    measures : tuple of tuple of int
        For each tree the place of the measure of the first question, and of the second one after no and after yes.
    thresholds : tuple of tuple of float
        Above which the answer is yes.
    values : tuple of tuple of float
        For each tree: after no and no, no and yes, yes and no, yes and yes.
    """

    offset: float
    measures: tuple[tuple[int, int, int], ...]
    thresholds: tuple[tuple[float, float, float], ...]
    values: tuple[tuple[float, float, float, float], ...]


def log_odds(trees: TreesOfClass, measures: NDArray[np.float64]) -> float:
    """Return the log odds of a class, for measures of shape (n,)."""
    # scikit-learn compares single precision with double.
    is_above = measures.astype(np.float32)[np.array(trees.measures)] > np.array(trees.thresholds)
    first = is_above[:, 0].astype(np.intp)
    second = np.take_along_axis(is_above, 1 + first[:, None], axis=1)[:, 0]
    values = np.array(trees.values)
    return trees.offset + float(values[np.arange(len(values)), 2 * first + second].sum())


def trees_of(model: GradientBoostingClassifier) -> tuple[TreesOfClass, ...]:
    """Return what a fitted model of three classes or more has learned of each of them, in the order of its classes."""
    nowhere = np.zeros((1, model.n_features_in_))
    totals = model.decision_function(nowhere)[0]
    results = []
    for total, estimators in zip(totals, model.estimators_.T, strict=True):
        rows = [_questions(estimator.tree_, model.learning_rate) for estimator in estimators]
        trees = TreesOfClass(0.0, *(tuple(column) for column in zip(*rows, strict=True)))
        results.append(msgspec.structs.replace(trees, offset=float(total) - log_odds(trees, nowhere[0])))
    return tuple(results)


def _questions(tree: Any, learning_rate: float) -> tuple[Any, Any, Any]:
    """Return measures, thresholds and values of one tree; where it asks less, both answers have the same value."""
    no, yes, values = tree.children_left, tree.children_right, learning_rate * tree.value[:, 0, 0]

    def ask(node: int) -> tuple[int, float, int, int]:
        """Return measure and threshold of a question, and the nodes after no and yes."""
        is_leaf = no[node] < 0
        return (0, 0.0, node, node) if is_leaf else (int(tree.feature[node]), tree.threshold[node], no[node], yes[node])

    first = ask(0)
    questions = first, ask(first[2]), ask(first[3])
    measures, thresholds, *_ = zip(*questions, strict=True)
    leaves = (*questions[1][2:], *questions[2][2:])
    return measures, tuple(map(_rounded, thresholds)), tuple(_rounded(values[leaf]) for leaf in leaves)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
