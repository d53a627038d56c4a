"""From recordings to verdicts on the MIT-BIH Arrhythmia Database: Ectopy and its peers on the same beats.

Records are analysed as a user's recordings, without the reference: beats are detected, and the patient's template is
learned from the first five minutes. Then the beats after these five minutes are matched with the reference as EC57
does it, one to one and at most 150 ms apart, and take its class by the label map of de Chazal. Areas under the curve
take N as normal and S, V and F as abnormal, without beats of the class Q, beats without a match and unreadable ones,
which are counted instead.

On `ds1` no model has learned from the record that it judges: the threshold comes from the normal beats of all other
records; scales and the network of RR intervals are those of the shipped detector, which come from other databases; and
the population model, which judges where the patient's template could not be learned and is a peer otherwise, comes from
the half of the records without this one. On `ds2` the detector is the shipped one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.patient_template import LEARNING_S
from ectopy.analysis.population import population_difference, usual_height_mv
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.verdicts import JudgingRules, combined_score
from ectopy.arguments import Progress, silent
from ectopy.benchmarks.mitdb_peers import knn_score, pca_score
from ectopy.datasets.labelled_recording import LabelledRecording
from ectopy.datasets.mitdb_records import read_annotated, records_of
from ectopy.detector import Detector, Verdict
from ectopy.errors import DataError, EctopyError, MissingExtraError, SettingError
from ectopy.evaluation.ec57 import Comparison, compare, gross, matched_classes
from ectopy.evaluation.metrics import ranking_curves
from ectopy.presentation import short_repr
from ectopy.recording import Annotations, Recording
from ectopy.training.recording_examples import RecordingExamples, examples_of
from ectopy.training.train_ambulatory import Scales, calibrate_recordings, train_ambulatory

Scores = NDArray[np.float64]

PEERS = ("population", "knn", "pca")
LABEL_MAP = "de_chazal"
EC57_RATES = ("qrs_se", "qrs_ppv", "veb_se", "veb_ppv", "sveb_se", "sveb_ppv")

OURS = "ectopy"
_SCORED = tuple("NSVF")
_SEED = 0


@dataclass(frozen=True, slots=True)
class RecordResult:
    """The result of one record; arrays have one entry per readable beat of the classes N, S, V and F.

    Attributes
    ----------
    classes : ndarray of str, shape (n,)
        Of the reference.
    scores : dict of str to ndarray of float64, shape (n,)
        Of Ectopy and each peer.
    unreadable : int
        Detected beats of these classes that are not readable.
    flagged_normals : int
        Beats of the class N with the verdict ABNORMAL.
    hours : float
        From the end of the first five minutes to the end of the record.
    comparison : Comparison
        The hints against the reference.
    """

    __repr__ = short_repr

    classes: NDArray[np.str_]
    scores: dict[str, Scores]
    unreadable: int
    flagged_normals: int
    hours: float
    comparison: Comparison

    def summary(self) -> dict[str, Any]:
        """Every figure of the record, for JSON."""
        return {
            "beats": len(self.classes),
            "abnormal": int(np.sum(self.classes != "N")),
            "unreadable": self.unreadable,
            "auc": auc(self.classes, self.scores[OURS]),
            "flagged_normals": self.flagged_normals,
            "false_alarms_per_hour": self.flagged_normals / self.hours,
        }


@dataclass(frozen=True, slots=True)
class MitdbBenchmark:
    """The results of all records, and peers `left_out` with the reason."""

    __repr__ = short_repr

    split: str
    records: dict[str, RecordResult]
    left_out: dict[str, str]

    def summary(self) -> dict[str, Any]:
        """Every figure, for JSON; an area without both classes is NaN."""
        results = list(self.records.values())
        rates = gross([result.comparison for result in results]).summary()
        records = {name: result.summary() for name, result in self.records.items()}
        return {
            "split": self.split,
            "label_map": LABEL_MAP,
            **{key: sum(row[key] for row in records.values()) for key in ("beats", "abnormal", "unreadable")},
            **areas(results, OURS),
            "ec57": {name: rates[name] for name in EC57_RATES},
            "false_alarms_per_hour": sum(r.flagged_normals for r in results) / sum(r.hours for r in results),
            "peers": {name: areas(results, name) for name in results[0].scores if name != OURS},
            "records": records,
            "left_out": self.left_out,
        }


def areas(results: Sequence[RecordResult], method: str) -> dict[str, float]:
    """Areas under the curve of one method; one score for all patients but in the first."""
    each = np.array([auc(result.classes, result.scores[method]) for result in results])
    finite = each[np.isfinite(each)]
    classes = np.concatenate([result.classes for result in results])
    score = np.concatenate([result.scores[method] for result in results])
    return {
        "mean_record_auc": float(finite.mean()) if len(finite) else float("nan"),
        "pooled_auc": auc(classes, score),
        "veb_auc": auc(classes, score, "V"),
        "sveb_auc": auc(classes, score, "S"),
    }


def auc(classes: NDArray[np.str_], score: Scores, abnormal: str = "SVF") -> float:
    """Area under the curve of the abnormal classes against N; NaN unless there are beats of both."""
    rows = np.isin(classes, ["N", *abnormal])
    positive = classes[rows] != "N"
    if positive.all() or not positive.any():
        return float("nan")
    return ranking_curves(positive, score[rows]).auc


def benchmark_mitdb(
    folder: Path, split: str = "ds1", peers: Collection[str] = PEERS, progress: Progress = silent
) -> MitdbBenchmark:
    """Judge the beats of the records of a split, and compare with the reference.

    Parameters
    ----------
    folder : Path
        Holds WFDB records with their reference annotations: ``.hea``, ``.dat`` and ``.atr``.
    split : {"ds1", "ds2"}
    peers : collection of str
        Names in `PEERS`; one that cannot run is left out and named.

    Raises
    ------
    SettingError
        If the split or a peer is unknown.
    DataError
        If the folder lacks a record of the split, or one cannot be used.
    """
    for name in peers:
        if name not in PEERS:
            raise SettingError(f"unknown peer '{name}'; use some of {', '.join(PEERS)}.")
    records = records_of(folder, split)
    shipped = load_ambulatory()
    total = len(records) * (2 if split == "ds1" else 1) + 1
    steps = count()
    left_out: dict[str, str] = {}
    populations: Mapping[str, Detector] = dict.fromkeys(records, shipped)
    detectors = populations
    if split == "ds1":
        examples = {}
        for record in records:
            progress(next(steps), total, f"{record}: learning")
            examples[record] = _examples(folder, record)
        if "population" in peers:
            progress(len(records), total, "learning populations")
            try:
                populations = _half_detectors(examples, shipped)
            except (MissingExtraError, DataError) as error:
                left_out["population"] = str(error)
        detectors = {record: _leave_one_out(record, populations[record], examples) for record in records}
    names = [name for name in peers if name not in left_out]
    results = {}
    for record in records:
        progress(next(steps), total, f"{record}: judging")
        results[record] = _result(_read(folder, record), record, detectors[record], names)
    progress(total, total, "done")
    return MitdbBenchmark(split, results, left_out)


def _read(folder: Path, record: str) -> Recording:
    recording = read_annotated(folder / record)
    if recording.duration_s <= LEARNING_S:
        raise DataError(
            f"record {record} ends within the first five minutes, before scoring starts; give a longer one."
        )
    return recording


def _examples(folder: Path, record: str) -> RecordingExamples:
    examples = examples_of(LabelledRecording.of("mitdb", record, _read(folder, record)))
    if examples.beats is None:
        raise DataError(f"record {record} has no normal beats to learn from; copy it again from its source.")
    return examples


def _half_detectors(examples: Mapping[str, RecordingExamples], shipped: Detector) -> dict[str, Detector]:
    """Train for each record a population on the half of the records without it; the rest is as shipped."""
    assert shipped.recordings is not None
    shipped_rules = JudgingRules.of(shipped)
    names = list(examples)
    halves = names[0::2], names[1::2]
    detectors: dict[str, Detector] = {}
    for half, rest in (halves, halves[::-1]):
        of_half = [examples[name] for name in half]
        trained = train_ambulatory(
            of_half, random_state=_SEED, intervals=shipped_rules.intervals, reconstruction=shipped_rules.reconstruction
        )
        assert trained.recordings is not None
        own = replace(
            shipped.recordings,
            without_baseline=trained.recordings.without_baseline,
            population_quantiles=trained.recordings.population_quantiles,
        )
        detectors |= dict.fromkeys(rest, replace(trained, recordings=own))
    return detectors


def _leave_one_out(record: str, detector: Detector, examples: Mapping[str, RecordingExamples]) -> Detector:
    """Take the scales and thresholds of a detector from all records but one."""
    assert detector.recordings is not None
    rest = [each.beats for name, each in examples.items() if name != record and each.beats is not None]
    rules, no_population = JudgingRules.of(detector), [np.empty(0)] * len(rest)
    scales = Scales(rules.shape, rules.error, rules.p_wave, rules.population)
    scores = calibrate_recordings(rest, no_population, scales, rules.intervals, rules.reconstruction).with_baseline
    return replace(detector, recordings=replace(detector.recordings, with_baseline=scores))


def _result(recording: Recording, record: str, detector: Detector, peers: Iterable[str]) -> RecordResult:
    assert recording.annotations is not None
    try:
        analysis = analyse(recording, detector)
    except EctopyError as error:
        raise DataError(f"record {record}: {error}") from error
    scores = {name: _peer_score(name, analysis, detector) for name in peers}
    return result_of(analysis, recording.annotations, len(recording.signal), recording.sampling_rate_hz, scores)


def result_of(
    analysis: Analysis, reference: Annotations, samples: int, sampling_rate_hz: float, scores: Mapping[str, Scores]
) -> RecordResult:
    """Compare the analysis of a record, and scores of peers, with the reference after the first five minutes.

    Parameters
    ----------
    analysis : Analysis
    reference : Annotations
    samples : int
        Length of the recording.
    sampling_rate_hz : float
    scores : mapping of str to ndarray of float64, shape (n,)
        Of the beats of the analysis, by peer.
    """
    hints = _hints(analysis)
    classes = classes_of(analysis, reference, samples, sampling_rate_hz)
    matched = np.isin(classes, _SCORED)
    readable = np.not_equal(analysis.verdict, Verdict.UNREADABLE)
    scored = matched & readable
    return RecordResult(
        classes=classes[scored],
        scores={name: score[scored] for name, score in {OURS: analysis.score, **scores}.items()},
        unreadable=int(np.sum(matched & ~readable)),
        flagged_normals=int(np.sum((classes == "N") & analysis.abnormal)),
        hours=(samples / sampling_rate_hz - LEARNING_S) / 3600,
        comparison=compare(reference, hints, sampling_rate_hz=sampling_rate_hz, samples=samples, label_map=LABEL_MAP),
    )


def classes_of(analysis: Analysis, reference: Annotations, samples: int, sampling_rate_hz: float) -> NDArray[np.str_]:
    """Return the class of each beat of an analysis by the reference; empty in the first five minutes, or unmatched."""
    return matched_classes(
        reference, analysis.annotations(), sampling_rate_hz=sampling_rate_hz, samples=samples, label_map=LABEL_MAP
    )


def _hints(analysis: Analysis) -> Annotations:
    """The hints as labels; a beat that looks like something else, or cannot be read, is not claimed to be ectopic."""
    beats = analysis.annotations()
    return replace(beats, symbols=np.where(np.isin(beats.symbols, ["V", "S"]), beats.symbols, "N"))


def _peer_score(name: str, analysis: Analysis, detector: Detector) -> Scores:
    if name == "knn":
        return knn_score(analysis.beats)
    if name == "pca":
        return pca_score(analysis.beats)
    return population_score(analysis, JudgingRules.of(detector))


def population_score(analysis: Analysis, rules: JudgingRules) -> Scores:
    """Score beats with the shape by other people's beats instead of the patient's own, and the same timing."""
    difference = population_difference(rules.detector, analysis.beats, usual_height_mv(analysis.beats))
    return combined_score(rules.population.deviates(difference), np.full(len(difference), np.nan), analysis.timing)
