"""Run Ectopy and the peers on the same trials of ECG5000, and summarise."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from ectopy.arguments import Progress, silent
from ectopy.beats import Beats
from ectopy.benchmarks.beat_peers import METHODS, Method
from ectopy.benchmarks.protocols import Trial, trials
from ectopy.errors import SettingError
from ectopy.evaluation.metrics import Confusion, ranking_curves


def benchmark(
    beats: Beats, protocol: str, seeds: int, methods: Iterable[str] = tuple(METHODS), progress: Progress = silent
) -> dict[str, Any]:
    """Measure methods on ECG5000; abnormal is the positive class.

    Parameters
    ----------
    beats : Beats
        All of ECG5000, the official training beats first.
    protocol : {"official", "tutorial", "resplit"}
    seeds : int
        How many trials.
    methods : iterable of str
        Names in `METHODS`.

    Returns
    -------
    dict
        ``{"protocol": ..., "seeds": ..., "methods": {name: {figure: {"mean":, "std":, "values": []}}}}`` with the
        figures ``auc``, ``average_precision``, ``tpr_at_fpr_0.01``, and at the method's own label-free threshold
        ``accuracy``, ``f1``, ``fpr`` (and ``fpr_at_target_0.05`` where a rate can be asked for); ``fit_s`` is the time
        to fit.

    Raises
    ------
    SettingError
        If the protocol or a method is unknown.
    """
    functions = {name: _method(name) for name in methods}
    values: dict[str, list[dict[str, float]]] = {name: [] for name in functions}
    total = seeds * len(functions)
    for trial in trials(protocol, beats, seeds):
        for name, function in functions.items():
            progress(sum(map(len, values.values())), total, f"seed {trial.seed}: {name}")
            values[name].append(_run(function, trial))
    progress(total, total, "done")
    return {"protocol": protocol, "seeds": seeds, "methods": {name: _spread(rows) for name, rows in values.items()}}


def _method(name: str) -> Method:
    if name not in METHODS:
        raise SettingError(f"unknown method '{name}'; use some of {', '.join(METHODS)}.")
    return METHODS[name]


def _run(method: Method, trial: Trial) -> dict[str, float]:
    started = time.perf_counter()
    fitted = method(trial.normals, trial.seed)
    fit_s = time.perf_counter() - started
    abnormal, score = trial.test.abnormal, fitted.score(trial.test.samples)
    curves = ranking_curves(abnormal, score)
    confusion = Confusion.of(abnormal, score > fitted.threshold)
    return {
        "auc": curves.auc,
        "average_precision": curves.average_precision,
        "accuracy": confusion.accuracy,
        "f1": confusion.f1,
        "tpr_at_fpr_0.01": curves.tpr_at(0.01),
        "fpr": confusion.fpr,
        **{
            f"fpr_at_target_{rate:g}": Confusion.of(abnormal, score > threshold).fpr
            for rate, threshold in fitted.thresholds.items()
        },
        "fit_s": fit_s,
    }


def _spread(rows: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: {"mean": float(np.mean(column)), "std": float(np.std(column)), "values": column}
        for name, column in columns.items()
    }
