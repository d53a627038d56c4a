from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics

from ectopy.beats import Beats
from ectopy.benchmarks.ecg5000_benchmark import benchmark
from ectopy.benchmarks.protocols import trials
from ectopy.benchmarks.speed_benchmark import measure_speed
from ectopy.detector import Detector
from ectopy.errors import DataError, SettingError
from ectopy.evaluation import Confusion, evaluate, ranking_curves


@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=80))
def test_ranking_figures_are_scikit_learns(rows):
    abnormal = np.array([row[0] for row in rows])
    assume(abnormal.any() and not abnormal.all())
    score = np.array([row[1] for row in rows], float)
    curves = ranking_curves(abnormal, score)
    assert curves.auc == pytest.approx(metrics.roc_auc_score(abnormal, score))
    assert curves.average_precision == pytest.approx(metrics.average_precision_score(abnormal, score))
    fpr, tpr, _ = metrics.roc_curve(abnormal, score, drop_intermediate=False)
    np.testing.assert_allclose(curves.fpr, fpr)
    np.testing.assert_allclose(curves.tpr, tpr)
    assert curves.tpr_at(0.2) == pytest.approx(max(tpr[fpr <= 0.2]))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_confusion_figures_are_scikit_learns(rows):
    abnormal, flagged = (np.array(column) for column in zip(*rows, strict=True))
    confusion = Confusion.of(abnormal, flagged)
    assert confusion.accuracy == pytest.approx(metrics.accuracy_score(abnormal, flagged))
    expected = metrics.precision_recall_fscore_support(abnormal, flagged, labels=[True], zero_division=np.nan)
    np.testing.assert_allclose(
        [confusion.precision, confusion.recall, confusion.f1], [float(value[0]) for value in expected[:3]]
    )


def test_one_class_alone_cannot_be_ranked():
    with pytest.raises(DataError, match="normal and abnormal"):
        ranking_curves(np.ones(3, bool), np.arange(3.0))


def test_an_evaluation_counts_every_beat_once(detector: Detector, simulated: Beats):
    samples = simulated.samples.copy()
    samples[[3, 4]] = np.nan
    evaluation = evaluate(detector, Beats(samples, simulated.layout, simulated.labels))
    confusion = evaluation.confusion
    judged = confusion.true_positive + confusion.false_positive + confusion.true_negative + confusion.false_negative
    assert judged + evaluation.unreadable == len(simulated)
    assert evaluation.unreadable == 2
    assert sum(flagged for flagged, _ in evaluation.recall_by_class.values()) == confusion.true_positive
    assert set(evaluation.recall_by_class) == {2, 3, 4, 5}


def test_unlabelled_beats_cannot_be_evaluated(detector: Detector, simulated: Beats):
    with pytest.raises(DataError, match="labels"):
        evaluate(detector, Beats(simulated.samples, simulated.layout))


def test_official_protocol_is_the_official_split(simulated: Beats, ecg5000):
    whole = Beats(
        np.concatenate([ecg5000.train.samples, ecg5000.test.samples]),
        ecg5000.train.layout,
        np.concatenate([ecg5000.train.labels, ecg5000.test.labels]),
    )
    for seed, trial in enumerate(trials("official", whole, 2)):
        assert trial.seed == seed
        np.testing.assert_array_equal(trial.normals.samples, ecg5000.train.normals().samples)
        np.testing.assert_array_equal(trial.test.samples, ecg5000.test.samples)
    (tutorial,) = trials("tutorial", whole, 1)
    assert (len(tutorial.normals), len(tutorial.test)) == (2344, 1000)
    first, second = trials("resplit", whole, 2)
    assert len(first.normals) == len(second.normals) == 292
    assert len(first.test) == 4500
    assert not np.array_equal(first.test.samples, second.test.samples)
    for trial in (tutorial, first):
        learned = {row.tobytes() for row in trial.normals.samples}
        assert learned.isdisjoint(row.tobytes() for row in trial.test.samples)
        assert not trial.normals.abnormal.any()


@pytest.mark.parametrize(("protocol", "seeds"), [("guess", 1), ("official", 0)])
def test_impossible_protocols_are_refused(simulated: Beats, protocol: str, seeds: int):
    with pytest.raises(SettingError):
        list(trials(protocol, simulated, seeds))


@pytest.mark.parametrize(("peers", "seeds"), [(("pca", "knn", "ocsvm"), 2), (("tutorial", "iforest"), 1)])
def test_a_benchmark_reports_every_figure_of_every_method(simulated: Beats, peers: tuple[str, ...], seeds: int):
    reports = []
    some = simulated.select(np.arange(0, len(simulated), 4))
    result = benchmark(some, "resplit", seeds, peers, lambda *report: reports.append(report))
    assert set(result["methods"]) == set(peers)
    assert reports[-1][:2] == (seeds * len(peers),) * 2
    for figures in result["methods"].values():
        assert set(figures) >= {"auc", "average_precision", "accuracy", "f1", "tpr_at_fpr_0.01", "fpr", "fit_s"}
        for figure in figures.values():
            assert figure["mean"] == pytest.approx(np.mean(figure["values"]))
            assert len(figure["values"]) == seeds
        assert figures["auc"]["mean"] > 0.7


def test_an_unknown_method_is_refused(simulated: Beats):
    with pytest.raises(SettingError, match="knn"):
        benchmark(simulated, "resplit", 1, ["magic"])


def test_memory_is_that_of_detection_however_large_the_process_that_asks(bundle: Path):
    ballast = np.ones(60_000_000)
    assert measure_speed(bundle)["peak_rss_mb"] < 250
    assert ballast.nbytes > 250 * 2**20
