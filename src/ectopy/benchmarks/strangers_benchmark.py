"""How well people are judged whose whole database the detector has never seen, for each database in turn.

The detector with all its networks and the supervised peer are trained again for each database and seed, on all other
databases, without the patients of the one held out: the QT Database has excerpts of patients of the MIT-BIH Arrhythmia
Database. Recordings with labels of beats are scored as `ectopy.benchmarks.mitdb_benchmark` does. Those of the Challenge
2017, which have one class each, are ranked by the share of their beats that is flagged, all beats of the thirty
seconds; a peer flags the beats above the score that 1 % of the normal beats of the other databases exceed, and the
supervised one those that it does not call N.

Constants of hints and verdicts are not learned: they were chosen on the records DS1 of the MIT-BIH Arrhythmia Database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.interval_model import IntervalModel
from ectopy.analysis.verdicts import JudgingRules
from ectopy.arguments import Progress, silent
from ectopy.benchmarks.mitdb_benchmark import EC57_RATES, OURS, RecordResult, areas, auc, classes_of, result_of
from ectopy.benchmarks.stranger_peers import SUPERVISED, SupervisedPeer, peer_scores
from ectopy.benchmarks.stranger_recordings import HELD_OUT, ReadSignal, StrangerRecording, read_recordings
from ectopy.datasets.cinc2017 import CLASSES
from ectopy.errors import DatasetUnavailableError, NotEnoughNormalsError, SettingError
from ectopy.evaluation.ec57 import gross
from ectopy.presentation import short_repr
from ectopy.training import TrainingSettings
from ectopy.training.load_tensorflow import load_tensorflow
from ectopy.training.recording_examples import find_sources
from ectopy.training.train_ambulatory import train_ambulatory
from ectopy.training.train_intervals import train_intervals

MOST_SEEDS = 20

_FLAGGED_NORMALS = 0.01


@dataclass(frozen=True, slots=True)
class Judges:
    """What one training gives: the detector's rules, and the peers that learn.

    Attributes
    ----------
    rules : JudgingRules
    supervised : SupervisedPeer or None
        None where the other databases have no labels of beats.
    limits : dict of str to float
        Score of each other peer that 1 % of the normal beats of the other databases exceed; none without labels.
    """

    __repr__ = short_repr

    rules: JudgingRules
    supervised: SupervisedPeer | None
    limits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FlaggedShares:
    """Beats flagged in one recording that has a class as a whole.

    Attributes
    ----------
    label : str
    hours : float
    beats : int
        Readable ones.
    flagged : dict of str to int
        Number of these that Ectopy and each peer flag.
    """

    __repr__ = short_repr

    label: str
    hours: float
    beats: int
    flagged: dict[str, int]


def benchmark_strangers(
    folders: Sequence[Path] = (),
    seeds: int = 3,
    settings: TrainingSettings | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Hold out each database in turn, train on the others, and judge its recordings.

    Parameters
    ----------
    folders : sequence of Path
        Each holds databases in folders of their names; where none is named, where the user keeps data.
    seeds : int
        Number of trainings for each database, 1 to 20.
    settings : TrainingSettings, optional
        Of the autoencoders.

    Returns
    -------
    dict
        For JSON. ``held_out`` has, by database, the mean of each figure over seeds, their standard deviation
        (``spread``), the same of the ``peers``, and the ``records`` with the first seed; ``left_out`` the databases
        that could not be held out, with the reason.

    Raises
    ------
    SettingError
        If the number of seeds is out of range.
    DatasetUnavailableError
        If none of the databases to hold out is on this machine.
    MissingExtraError
        If TensorFlow is not installed.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise SettingError(f"the number of seeds must be 1 to {MOST_SEEDS}, not {seeds}.")
    load_tensorflow()
    places = find_sources(folders)
    names = [name for name in HELD_OUT if name in places]
    if not names:
        raise DatasetUnavailableError(
            f"none of {', '.join(HELD_OUT)} is on this machine; fetch them with 'ectopy fetch', or name their folder."
        )
    recordings = read_recordings(places, progress)
    total, steps = len(recordings) + 2 * seeds * len(names), count(len(recordings))
    intervals: dict[tuple[int, ...], IntervalModel] = {}
    runs: dict[str, list[Run]] = {name: [] for name in names}
    left_out: dict[str, str] = {}
    for seed in range(seeds):
        for name in names:
            strangers, training_set = _hold_out(recordings, name)
            progress(next(steps), total, f"{name}, seed {seed}: training on {len(training_set)} other recordings")
            try:
                judges = _train(training_set, seed, settings, intervals)
            except NotEnoughNormalsError as error:
                left_out[name] = str(error)
                continue
            progress(next(steps), total, f"{name}, seed {seed}: judging {len(strangers)} recordings")
            runs[name].append(_run(strangers, judges))
    held_out = {name: _summary(*_hold_out(recordings, name), of_name) for name, of_name in runs.items() if of_name}
    progress(total, total, "done")
    return {"seeds": seeds, "held_out": held_out, "left_out": left_out}


def _hold_out(
    recordings: Sequence[StrangerRecording], name: str
) -> tuple[list[StrangerRecording], list[StrangerRecording]]:
    """Return the recordings of a database, and those of others without its patients."""
    strangers = [each for each in recordings if each.labelled.database == name]
    patients = {each.labelled.patient for each in strangers}
    training_set = [
        each for each in recordings if each.labelled.database != name and each.labelled.patient not in patients
    ]
    return strangers, training_set


def _train(
    training_set: Sequence[StrangerRecording],
    seed: int,
    settings: TrainingSettings | None,
    intervals: dict[tuple[int, ...], IntervalModel],
) -> Judges:
    # Two held-out databases may leave the same RR intervals to learn from.
    usable = [each.examples.intervals for each in training_set if each.examples.intervals is not None]
    key = (seed, *map(id, usable))
    if key not in intervals:
        intervals[key] = train_intervals(usable, seed)
    detector = train_ambulatory(
        [each.examples for each in training_set], settings, random_state=seed, intervals=intervals[key]
    )
    rules = JudgingRules.of(detector)
    judged = [
        (each.signal, each.signal.analysis(rules))
        for each in training_set
        if each.signal is not None and each.signal.reference is not None
    ]
    limits = _limits(judged, rules)
    return Judges(rules, SupervisedPeer.train(judged, seed), limits)


def _limits(judged: Sequence[tuple[ReadSignal, Analysis]], rules: JudgingRules) -> dict[str, float]:
    scores: dict[str, list[NDArray[np.float64]]] = {}
    for signal, analysis in judged:
        assert signal.reference is not None
        classes = classes_of(analysis, signal.reference, signal.samples, signal.sampling_rate_hz)
        normal = (classes == "N") & np.isfinite(analysis.score)
        for name, score in peer_scores(analysis, rules).items():
            scores.setdefault(name, []).append(score[normal])
    pooled = {name: np.concatenate(parts) for name, parts in scores.items()}
    return {name: float(np.quantile(part, 1 - _FLAGGED_NORMALS)) for name, part in pooled.items() if len(part)}


@dataclass(frozen=True, slots=True)
class Run:
    """Figures of one held-out database and seed.

    Attributes
    ----------
    counts : dict
        Figures that no seed changes.
    figures : dict
        Figures that have a mean and a spread over seeds, and those of the peers.
    records : dict
        Figures of each recording.
    """

    __repr__ = short_repr

    counts: dict[str, Any]
    figures: dict[str, Any]
    records: dict[str, Any]


def _run(strangers: Sequence[StrangerRecording], judges: Judges) -> Run:
    results: dict[str, RecordResult] = {}
    supervised: list[RecordResult] = []
    shares: dict[str, FlaggedShares] = {}
    for each in strangers:
        signal = each.signal
        assert signal is not None
        analysis = signal.analysis(judges.rules)
        scores = peer_scores(analysis, judges.rules)
        by_labels = None if judges.supervised is None else judges.supervised.judge(analysis)
        name = each.labelled.name
        if signal.reference is None:
            shares[name] = _flagged_shares(each, analysis, scores, by_labels, judges.limits)
            continue
        of_signal = signal.reference, signal.samples, signal.sampling_rate_hz
        results[name] = result_of(analysis, *of_signal, scores)
        if by_labels is not None:
            supervised.append(result_of(by_labels, *of_signal, {}))
    return _run_of_classes(shares) if shares else _run_of_beats(results, supervised)


def _run_of_beats(results: Mapping[str, RecordResult], supervised: Sequence[RecordResult]) -> Run:
    all_results = list(results.values())
    records = {name: result.summary() for name, result in results.items()}
    counts = {key: sum(row[key] for row in records.values()) for key in ("beats", "abnormal", "unreadable")}
    peers: dict[str, Any] = {name: areas(all_results, name) for name in all_results[0].scores if name != OURS}
    if supervised:
        peers[SUPERVISED] = _verdict_figures(supervised)
    return Run(counts, {**_verdict_figures(all_results), "peers": peers}, records)


def _verdict_figures(results: Sequence[RecordResult]) -> dict[str, float]:
    """Return areas, hints as labels, and false alarms, of scores and verdicts."""
    rates = gross([result.comparison for result in results]).summary()
    return {
        **areas(results, OURS),
        **{name: rates[name] for name in EC57_RATES},
        "false_alarms_per_hour": sum(r.flagged_normals for r in results) / sum(r.hours for r in results),
    }


def _flagged_shares(
    recording: StrangerRecording,
    analysis: Analysis,
    scores: Mapping[str, NDArray[np.float64]],
    by_labels: Analysis | None,
    limits: Mapping[str, float],
) -> FlaggedShares:
    labelled = recording.labelled
    readable = np.isfinite(analysis.score)
    flagged = {OURS: analysis.abnormal, **{name: scores[name] > limit for name, limit in limits.items()}}
    if by_labels is not None:
        flagged[SUPERVISED] = by_labels.abnormal
    return FlaggedShares(
        labelled.label or "",
        labelled.duration_s / 3600,
        int(readable.sum()),
        {name: int(np.sum(of_method & readable)) for name, of_method in flagged.items()},
    )


def _run_of_classes(shares: Mapping[str, FlaggedShares]) -> Run:
    rows = list(shares.values())
    figures = {name: _class_figures(rows, name) for name in rows[0].flagged}
    records = {
        name: {"class": row.label, "beats": row.beats, "flagged": row.flagged[OURS]} for name, row in shares.items()
    }
    counts = {
        "beats": sum(row.beats for row in rows),
        "recordings": {label: sum(row.label == label for row in rows) for label in CLASSES},
        "without_readable_beats": sum(row.beats == 0 for row in rows),
    }
    return Run(counts, {**figures.pop(OURS), "peers": figures}, records)


def _class_figures(rows: Sequence[FlaggedShares], method: str) -> dict[str, Any]:
    """Return areas by the share of flagged beats, of recordings with readable beats."""
    rows = [row for row in rows if row.beats]
    labels = np.array([row.label for row in rows])
    share = np.array([row.flagged[method] / row.beats for row in rows])
    normals = [row for row in rows if row.label == "N"]
    hours = sum(row.hours for row in normals)
    return {
        # Beats have no labels.
        **dict.fromkeys(("mean_record_auc", "veb_auc", "sveb_auc"), float("nan")),
        "pooled_auc": auc(labels, share, "AO"),
        "auc_A": auc(labels, share, "A"),
        "auc_O": auc(labels, share, "O"),
        "flagged_share": {
            label: float(share[labels == label].mean()) if (labels == label).any() else float("nan")
            for label in CLASSES
        },
        "false_alarms_per_hour": sum(row.flagged[method] for row in normals) / hours if hours else float("nan"),
    }


def _summary(
    strangers: Sequence[StrangerRecording], training_set: Sequence[StrangerRecording], runs: Sequence[Run]
) -> dict[str, Any]:
    first = runs[0]
    return {
        "patients": _patients(strangers),
        "trained_on": {
            name: _patients([each for each in training_set if each.labelled.database == name])
            for name in dict.fromkeys(each.labelled.database for each in training_set)
        },
        **first.counts,
        **_over_seeds([run.figures for run in runs]),
        "records": first.records,
    }


def _patients(recordings: Sequence[StrangerRecording]) -> int:
    return len({each.labelled.patient for each in recordings})


def _over_seeds(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean of each figure, and as ``spread`` the standard deviations (0 with one seed)."""
    figures: dict[str, Any] = {}
    spread: dict[str, float] = {}
    for key, value in rows[0].items():
        if isinstance(value, Mapping):
            figures[key] = _over_seeds([row[key] for row in rows])
        else:
            values = np.array([row[key] for row in rows], np.float64)
            figures[key], spread[key] = float(values.mean()), float(values.std(ddof=min(1, len(values) - 1)))
    return figures | ({"spread": spread} if spread else {})
