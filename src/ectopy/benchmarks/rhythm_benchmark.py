"""Measure atrial fibrillation against labelled rhythms, and the class of short recordings.

What a folder holds says what is measured. Records with signals and marks of rhythm, such as those of the MIT-BIH
Arrhythmia Database: Ectopy's own beats. Records without signals, as of the Long-Term AF Database: the labelled beats,
of which those not labelled normal are ectopic. Recordings with ``REFERENCE.csv``: the Challenge 2017.

A beat is in atrial fibrillation where the last mark of rhythm before it is ``(AFIB``. Beats before the first mark, and
those in ``(AFL``, flutter, which intervals cannot tell from fibrillation, do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.atrial_fibrillation import (
    LEAST_EPISODE_S,
    MEASURES,
    WEIGHTS,
    WINDOW,
    find_fibrillation,
    measure_irregularity,
    usual_intervals,
)
from ectopy.analysis.rhythm_events import fibrillation_episodes
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.stretches import stretches
from ectopy.arguments import Progress, silent
from ectopy.benchmarks.boosted_trees import TreesOfClass
from ectopy.benchmarks.logistic_fit import fit_logistic
from ectopy.benchmarks.rhythm_kinds import add_kinds, count_kinds
from ectopy.benchmarks.short_recordings import COUNTS, NOISY, class_of, fit_classes, measure_short
from ectopy.datasets import simulate_recording
from ectopy.datasets.cinc2017 import CLASSES, REFERENCE_FILE, read_cinc2017, read_classes
from ectopy.datasets.labelled_recording import LabelledRecording
from ectopy.datasets.ltafdb import ltafdb_records, read_ltafdb
from ectopy.datasets.mitdb import PACED
from ectopy.datasets.mitdb_records import read_annotated
from ectopy.detector import Detector
from ectopy.errors import DataError
from ectopy.evaluation.metrics import ratio
from ectopy.presentation import short_repr
from ectopy.recording import Recording

FOLDS = 7
"""Groups of patients that are left out, one after the other, where the weights are fitted."""

_FIBRILLATION, _FLUTTER = "AFIB", "AFL"
_EVERY = 29  # beats of the fit: neighbours are alike
_BREATHING = 0.05  # simulated beats, as a share of the others
_BREATHING_SHARES = (0.03, 0.06, 0.09, 0.12)  # standard deviation over the interval
_RATES_BPM = (45.0, 60.0, 75.0, 90.0, 105.0)
_BREATHING_S, _EVERY_SIMULATED = 300.0, 7


@dataclass(frozen=True, slots=True)
class RhythmRecord:
    """Beats of a record, and their labelled rhythm; arrays have one entry per beat.

    Attributes
    ----------
    name, patient : str
    times_s : ndarray of float64
    intervals_s : ndarray of float64
        RR interval before each beat; NaN = not known.
    ectopic : ndarray of bool
    fibrillation : ndarray of bool
        Whether the labelled rhythm is atrial fibrillation.
    counts : ndarray of bool
        Whether there is a label, and it is not flutter.
    """

    __repr__ = short_repr

    name: str
    patient: str
    times_s: NDArray[np.float64]
    intervals_s: NDArray[np.float64]
    ectopic: NDArray[np.bool_]
    fibrillation: NDArray[np.bool_]
    counts: NDArray[np.bool_]

    @classmethod
    def of_labels(cls, labelled: LabelledRecording) -> RhythmRecord:
        """Take the labelled beats."""
        beats = labelled.beats
        assert beats is not None
        intervals_s = np.diff(beats.times_s, prepend=np.nan)
        return cls._with_rhythm(labelled, beats.times_s, intervals_s, ~beats.is_normal)

    @classmethod
    def of_analysis(cls, labelled: LabelledRecording, analysis: Analysis) -> RhythmRecord:
        """Take the beats that were found and judged in the signal."""
        return cls._with_rhythm(labelled, analysis.beats.times_s, analysis.intervals_s, analysis.ectopic)

    @classmethod
    def _with_rhythm(
        cls,
        labelled: LabelledRecording,
        times_s: NDArray[np.float64],
        intervals_s: NDArray[np.float64],
        ectopic: NDArray[np.bool_],
    ) -> RhythmRecord:
        rhythms = labelled.rhythms
        assert rhythms is not None
        rhythm = rhythms.at(times_s)
        return cls(
            labelled.name,
            labelled.patient,
            times_s,
            intervals_s,
            ectopic,
            np.equal(rhythm, _FIBRILLATION),
            np.not_equal(rhythm, "") & np.not_equal(rhythm, _FLUTTER),
        )


def benchmark_rhythm(folder: Path, progress: Progress = silent) -> dict[str, Any]:
    """Measure the rhythms of the records in a folder.

    Parameters
    ----------
    folder : Path
        Records with marks of rhythm, with their signals or without; or those of the Challenge 2017.

    Returns
    -------
    dict
        ``af``: ``se``, ``sp`` and ``ppv`` of beats; ``episodes_found``, of the labelled ones of 30 s or more those of
        which at least half is found; ``burden_errors``, by record, in percentage points of its time; and ``records``
        with counts. Where the beats are labelled also ``fit``: the same with the weights fitted without each patient,
        and the weights fitted to all; where there are signals ``kinds``: events of each kind against the marks, see
        `count_kinds`. Of the Challenge 2017 ``f1`` by class, ``f1_of_all``, with the mixture of classes of the whole
        Challenge, and ``confusion``; where scikit-learn is installed also ``fit``, without each recording.

    Raises
    ------
    DataError
        If the folder has no such records, or one cannot be read.
    """
    if (folder / REFERENCE_FILE).is_file():
        return _classes(folder, progress)
    names = ltafdb_records(folder)
    with_signal = [name for name in names if (folder / f"{name}.dat").is_file()]
    if not names:
        raise DataError(
            f"the folder {folder} has neither records with marks of rhythm (.hea, .atr) nor {REFERENCE_FILE}."
        )
    if with_signal:
        return _own_beats(folder, with_signal, progress)
    records: list[RhythmRecord] = []
    for labelled in read_ltafdb(folder):
        progress(len(records), len(names), f"reading {labelled.name}")
        records.append(RhythmRecord.of_labels(labelled))
    figures = _figures([(record, _episodes_of(record)) for record in records])
    return {"af": figures, "fit": _fit(records, progress)}


def _classes(folder: Path, progress: Progress) -> dict[str, Any]:
    """F1 of each class of the Challenge 2017, with the trees in use and with trees fitted without the recording."""
    detector = load_ambulatory()
    total = len(read_classes(folder))
    measures: list[dict[str, float] | None] = []
    labels: list[str] = []
    for number, labelled in enumerate(read_cinc2017(folder)):
        progress(number, total, labelled.name)
        assert labelled.recording is not None
        assert labelled.label is not None
        measures.append(_measured(labelled.recording, detector))
        labels.append(labelled.label)
    figures = _confusion(labels, [class_of(each) for each in measures])
    rows = [(number, each) for number, each in enumerate(measures) if each is not None]
    if len({labels[number] for number, _ in rows}) < len(CLASSES) or find_spec("sklearn") is None:
        return figures
    left_out = [NOISY] * len(labels)
    for fold in range(FOLDS):
        progress(fold, FOLDS, "fitting the classes")
        trees = _fit_classes([row for place, row in enumerate(rows) if place % FOLDS != fold], labels)
        for number, each in rows[fold::FOLDS]:
            left_out[number] = class_of(each, trees)
    trees = msgspec.to_builtins(_fit_classes(rows, labels))
    return figures | {"fit": {"recordings_left_out": _confusion(labels, left_out), "trees": trees}}


def _fit_classes(rows: Sequence[tuple[int, dict[str, float]]], labels: Sequence[str]) -> dict[str, TreesOfClass]:
    return fit_classes([measures for _, measures in rows], [labels[number] for number, _ in rows])


def _measured(recording: Recording, detector: Detector) -> dict[str, float] | None:
    try:
        return measure_short(recording, analyse(recording, detector))
    except DataError:
        return None


def _confusion(labels: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    """F1 by class, also as it would be with the mixture of classes of the whole Challenge, and the confusion."""
    confusion = {label: dict.fromkeys(CLASSES, 0) for label in CLASSES}
    for label, name in zip(labels, classes, strict=True):
        confusion[label][name] += 1
    weights = {label: COUNTS[label] / max(labels.count(label), 1) for label in CLASSES}
    equal = dict.fromkeys(CLASSES, 1.0)
    return {"f1": _f1(confusion, equal), "f1_of_all": _f1(confusion, weights), "confusion": confusion}


def _f1(confusion: dict[str, dict[str, int]], weights: dict[str, float]) -> dict[str, float]:
    counts = {label: {name: weights[label] * row[name] for name in CLASSES} for label, row in confusion.items()}
    return {
        name: ratio(2 * counts[name][name], sum(counts[name].values()) + sum(row[name] for row in counts.values()))
        for name in CLASSES
    }


def _own_beats(folder: Path, names: Sequence[str], progress: Progress) -> dict[str, Any]:
    """Measure with Ectopy's own beats: atrial fibrillation without the paced records, and events of each kind."""
    detector = load_ambulatory()
    results, kinds = [], []
    for number, name in enumerate(names):
        progress(number, len(names), name)
        recording = read_annotated(folder / name)
        labelled = LabelledRecording.of(folder.name, name, recording)
        analysis = analyse(recording, detector)
        kinds.append(count_kinds(analysis, labelled))
        if name not in PACED:
            record = RhythmRecord.of_analysis(labelled, analysis)
            inside = np.zeros(len(analysis), np.bool_)
            for first, last in fibrillation_episodes(analysis):
                inside[first : last + 1] = True
            results.append((record, inside))
    return {"af": _figures(results), "kinds": add_kinds(kinds)}


def _episodes_of(record: RhythmRecord, weights: Sequence[float] = WEIGHTS) -> NDArray[np.bool_]:
    """Return which beats are in an episode, shape (n,)."""
    inside = np.zeros(len(record.times_s), np.bool_)
    for first, last in find_fibrillation(record.times_s, record.intervals_s, record.ectopic, weights):
        inside[first : last + 1] = True
    return inside


def _figures(results: Sequence[tuple[RhythmRecord, NDArray[np.bool_]]]) -> dict[str, Any]:
    rows = {record.name: _row(record, inside) for record, inside in results}
    total = {name: sum(row[name] for row in rows.values()) for name in ("tp", "fp", "fn", "tn", "episodes", "found")}
    return {
        "se": ratio(total["tp"], total["tp"] + total["fn"]),
        "sp": ratio(total["tn"], total["tn"] + total["fp"]),
        "ppv": ratio(total["tp"], total["tp"] + total["fp"]),
        "episodes_found": ratio(total["found"], total["episodes"]),
        "burden_errors": {name: row["burden_percent"] - row["labelled_percent"] for name, row in rows.items()},
        "records": rows,
    }


def _row(record: RhythmRecord, inside: NDArray[np.bool_]) -> dict[str, Any]:
    """Count beats and episodes of a record, and the share of its time."""
    counts, labelled = record.counts, record.fibrillation
    times_s = record.times_s
    labelled_episodes = [
        (first, last)
        for first, last in stretches(labelled)
        if times_s[min(last + 1, len(times_s) - 1)] - times_s[first] >= LEAST_EPISODE_S
    ]
    time_s = np.where(counts, np.diff(times_s, prepend=times_s[:1]), 0.0)
    total_s = float(time_s.sum())
    return {
        "tp": int((inside & labelled & counts).sum()),
        "fp": int((inside & ~labelled & counts).sum()),
        "fn": int((~inside & labelled & counts).sum()),
        "tn": int((~inside & ~labelled & counts).sum()),
        "episodes": len(labelled_episodes),
        "found": sum(bool(inside[first : last + 1].mean() >= 0.5) for first, last in labelled_episodes),
        "burden_percent": 100.0 * ratio(float(time_s[inside].sum()), total_s),
        "labelled_percent": 100.0 * ratio(float(time_s[labelled].sum()), total_s),
    }


def _breathing_measures() -> NDArray[np.float64]:
    """Measure simulated sinus rhythm that breathing changes: the patients of the database are old, and have little."""
    values = []
    for rate_bpm in _RATES_BPM:
        for share in _BREATHING_SHARES:
            recording = simulate_recording(
                _BREATHING_S,
                leads=1,
                rate_bpm=rate_bpm,
                hrv_sd_ms=1000.0 * share * 60.0 / rate_bpm,
                sampling_rate_hz=100.0,
            )
            assert recording.annotations is not None
            intervals_s = np.diff(recording.annotations.positions, prepend=np.nan) / recording.sampling_rate_hz
            measures = measure_irregularity(intervals_s)[WINDOW // 2 : -WINDOW // 2 : _EVERY_SIMULATED]
            values.append(measures[np.isfinite(measures).all(axis=1)])
    return np.concatenate(values)


def _fit(records: Sequence[RhythmRecord], progress: Progress) -> dict[str, Any]:
    """Fit the weights without each group of patients, and to all."""
    measures = [measure_irregularity(usual_intervals(record.intervals_s, record.ectopic)) for record in records]
    patients = sorted({record.patient for record in records})
    fold_of = {patient: number % FOLDS for number, patient in enumerate(patients)}
    folds = np.array([fold_of[record.patient] for record in records])

    breathing = _breathing_measures()

    def fit(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        numbers = np.flatnonzero(rows).tolist()
        values = np.concatenate([measures[number][::_EVERY] for number in numbers])
        fibrillation = np.concatenate([records[number].fibrillation[::_EVERY] for number in numbers])
        counts = np.concatenate([records[number].counts[::_EVERY] for number in numbers])
        use = counts & np.isfinite(values).all(axis=1)
        weight = np.concatenate(
            [np.ones(int(use.sum())), np.full(len(breathing), _BREATHING * use.sum() / len(breathing))]
        )
        return fit_logistic(
            np.concatenate([values[use], breathing]),
            np.concatenate([fibrillation[use], np.zeros(len(breathing), np.bool_)]),
            weight,
        )

    results: list[tuple[RhythmRecord, NDArray[np.bool_]]] = []
    for fold in sorted(set(folds.tolist())) if len(patients) > 1 else ():
        progress(fold, FOLDS, "fitting with patients left out")
        weights = fit(folds != fold).tolist()
        left_out = [record for record, number in zip(records, folds.tolist(), strict=True) if number == fold]
        results += [(record, _episodes_of(record, weights)) for record in left_out]
    return {
        "measures": MEASURES,
        "weights": {"in_use": list(WEIGHTS), "fitted": fit(np.ones(len(records), np.bool_)).tolist()},
        "patients_left_out": _figures(results),
    }
