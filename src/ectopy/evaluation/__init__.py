"""Measures of verdicts and annotations."""

from ectopy.evaluation.evaluate import Evaluation, class_name, evaluate
from ectopy.evaluation.metrics import Confusion, RankingCurves, ranking_curves

__all__ = ["Confusion", "Evaluation", "RankingCurves", "class_name", "evaluate", "ranking_curves"]
