"""Classes by boosted trees: what NumPy computes is what scikit-learn does."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the extra 'train' is not installed")

from sklearn.ensemble import GradientBoostingClassifier

from ectopy.benchmarks.boosted_trees import DEPTH, TreesOfClass, log_odds, trees_of


@pytest.mark.parametrize("rows", [12, 300])
def test_log_odds_are_those_of_scikit_learn(rows: int):
    """With few rows there are trees of a single question, or of none."""
    rng = np.random.default_rng(0)
    measures, labels = rng.normal(size=(rows, 5)), np.arange(rows) % 3
    measures[:, 1] += labels == 2
    model = GradientBoostingClassifier(n_estimators=20, max_depth=DEPTH, min_samples_leaf=4, random_state=0)
    model.fit(measures, labels)
    trees = trees_of(model)
    others = rng.normal(size=(50, 5))
    computed = [[log_odds(each, row) for each in trees] for row in others]
    np.testing.assert_allclose(computed, model.decision_function(others), atol=1e-4)
    assert msgspec.json.decode(msgspec.json.encode(trees), type=tuple[TreesOfClass, ...]) == trees
