"""Alternatives for judging the beats of strangers; same beats, larger = more abnormal.

===============  =======================================================================================================
template         the difference from the patient's template alone as the shape in Ectopy's score
reconstruction   the error of the network that reconstructs beats alone, in its place
population       the difference from other people's beats, in its place
timing           how early the beat comes by the predicted RR interval, alone
prematurity      the same by the usual RR interval, over the irregularity of the beats learned
supervised       gradient-boosted trees that learned labels of other databases, on the parts of Ectopy's score, width
                 and QRS complex
===============  =======================================================================================================

Where the patient's template is not known, the first two compare with other people's beats, as Ectopy does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.verdicts import Hint, JudgingRules, combined_score
from ectopy.benchmarks.mitdb_benchmark import classes_of, population_score
from ectopy.benchmarks.stranger_recordings import ReadSignal
from ectopy.detector import Verdict
from ectopy.errors import MissingExtraError
from ectopy.presentation import short_repr

Scores = NDArray[np.float64]

SUPERVISED = "supervised"

_LEAST_IRREGULARITY = 0.05
_LEARNED_CLASSES = "NSV"
_HINTS = {"S": Hint.SUPRAVENTRICULAR, "V": Hint.VENTRICULAR}


def peer_scores(analysis: Analysis, rules: JudgingRules) -> dict[str, Scores]:
    """Score the beats of an analysis by every peer that has not learned labels, shape (n,) each."""
    difference = analysis.difference
    distance = error = analysis.shape
    if difference is not None:
        distance, error = rules.shape.deviates(difference.shape), rules.error.deviates(difference.error)
    allowance = combined_score(analysis.shape, analysis.p_wave, analysis.timing) - analysis.score
    return {
        "template": combined_score(distance, analysis.p_wave, analysis.timing) - allowance,
        "reconstruction": combined_score(error, analysis.p_wave, analysis.timing) - allowance,
        "population": population_score(analysis, rules),
        "timing": analysis.timing.early,
        "prematurity": analysis.beats.prematurity / _LEAST_IRREGULARITY
        if difference is None
        else difference.prematurity,
    }


def parts_of(analysis: Analysis) -> NDArray[np.float64]:
    """Return what the supervised peer knows of each beat, shape (n, 6): Ectopy's own measures; NaN = not known."""
    difference = analysis.difference
    unknown = np.full(len(analysis), np.nan)
    width, qrs = (unknown, unknown) if difference is None else (difference.width, difference.qrs)
    timing = analysis.timing
    return np.stack([analysis.shape, analysis.p_wave, timing.early, timing.pause, width, qrs], axis=1)


@dataclass(frozen=True, slots=True)
class SupervisedPeer:
    """Trees that tell N, S and V apart.

    Attributes
    ----------
    model : HistGradientBoostingClassifier
    """

    __repr__ = short_repr

    model: Any

    @classmethod
    def train(cls, judged: Sequence[tuple[ReadSignal, Analysis]], seed: int) -> SupervisedPeer | None:
        """Learn the labels of recordings, fusion beats as ventricular; None without beats of N and another class.

        Raises
        ------
        MissingExtraError
            If scikit-learn is not installed.
        """
        try:
            from sklearn.ensemble import HistGradientBoostingClassifier
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("train", "the supervised peer") from error
        parts, labels = [np.empty((0, 6))], [np.empty(0, "U1")]
        for signal, analysis in judged:
            if signal.reference is None:
                continue
            classes = classes_of(analysis, signal.reference, signal.samples, signal.sampling_rate_hz)
            classes[classes == "F"] = "V"
            rows = np.isin(classes, list(_LEARNED_CLASSES)) & np.isfinite(analysis.score)
            parts.append(parts_of(analysis)[rows])
            labels.append(classes[rows])
        learned, names = np.concatenate(parts), np.concatenate(labels)
        if not {"N"} < set(names.tolist()):
            return None
        model = HistGradientBoostingClassifier(
            max_leaf_nodes=15, min_samples_leaf=50, l2_regularization=1.0, early_stopping=False, random_state=seed
        )
        return cls(model.fit(learned, names))

    def judge(self, analysis: Analysis) -> Analysis:
        """Replace score, verdicts and hints of an analysis by those of the peer."""
        if not len(analysis):
            return analysis
        shares = self.model.predict_proba(parts_of(analysis))
        names = self.model.classes_[shares.argmax(axis=1)]
        readable = np.isfinite(analysis.score)
        verdict = np.where(names == "N", Verdict.NORMAL.value, Verdict.ABNORMAL.value)
        hint = np.full(len(analysis), Hint.EMPTY.value, analysis.hint.dtype)
        for name, value in _HINTS.items():
            hint[(names == name) & readable] = value.value
        return replace(
            analysis,
            score=np.where(readable, 1.0 - shares[:, list(self.model.classes_).index("N")], np.nan),
            verdict=np.where(readable, verdict, Verdict.UNREADABLE.value),
            hint=hint,
        )
