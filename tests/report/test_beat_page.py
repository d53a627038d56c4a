"""The report: one page that stands alone, tells the truth, and never breaks on a beat."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ectopy import Beats, Detection, Detector, ThresholdRule
from ectopy.beats import BeatLayout
from ectopy.datasets import load_simulated
from ectopy.detector.model_card import LearningCurve
from ectopy.disclaimers import DATA_STATEMENTS
from ectopy.errors import DataError, MissingExtraError, OutputError
from ectopy.evaluation import Evaluation, RankingCurves, evaluate
from ectopy.report import detection_report, evaluation_report, plots, require_extra, select_beats
from ectopy.report import text_format as fmt
from ectopy.report.theme import DARK, LIGHT
from support.html_page import Page, assert_former_page_stays, assert_sound

EVERY_CLASS = np.r_[0:40, -250:0]


@pytest.fixture(scope="module")
def beats() -> Beats:
    """Beats of every class, 40 of them normal."""
    test = load_simulated("test")
    order = np.argsort(test.labels != 1, kind="stable")
    return test.select(order[EVERY_CLASS])


@pytest.fixture(scope="module")
def few(beats: Beats) -> Beats:
    """Ten of them, which are drawn quickly."""
    return beats.select(np.r_[0:6, -4:0])


@pytest.fixture(scope="module")
def evaluation(detector: Detector, beats: Beats) -> Evaluation:
    return evaluate(detector, beats)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, detector: Detector, evaluation: Evaluation) -> str:
    path = tmp_path_factory.mktemp("report") / "evaluation.html"
    evaluation_report(path, detector, evaluation)
    return path.read_text(encoding="utf-8")


def detection_page(folder: Path, detector: Detector, beats: Beats) -> str:
    path = folder / "detection.html"
    detection_report(path, detector, beats, detector.detect(beats))
    return path.read_text(encoding="utf-8")


def evaluation_page(folder: Path, detector: Detector, beats: Beats) -> str:
    path = folder / "evaluation.html"
    evaluation_report(path, detector, evaluate(detector, beats))
    return path.read_text(encoding="utf-8")


# The page stands alone


def test_is_well_formed_refers_to_nothing_outside_itself_and_says_what_it_is_not(page: str) -> None:
    parsed = assert_sound(page)
    assert parsed.attributes("href", "src")
    assert len(page) < 1_500_000
    assert DATA_STATEMENTS["simulated"] in parsed.text
    assert DATA_STATEMENTS["ecg5000"] not in parsed.text


def test_every_figure_is_named_for_those_who_cannot_see_it(page: str) -> None:
    drawings = [svg for svg in Page(page).all("svg") if svg.get("role") == "img"]
    assert len(drawings) > 10
    assert all(len(svg["aria-label"]) > 20 for svg in drawings)


def test_the_same_input_gives_the_same_page(
    tmp_path: Path, detector: Detector, evaluation: Evaluation, page: str
) -> None:
    evaluation_report(tmp_path / "again.html", detector, evaluation)
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_leaves_the_settings_of_matplotlib_alone(tmp_path: Path, detector: Detector) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    before = dict(matplotlib.rcParams)
    detection_page(tmp_path, detector, load_simulated("test").select(np.arange(3)))
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "muted", "normal", "abnormal", "unreadable"])
@pytest.mark.parametrize("background", ["page", "surface"])
def test_text_has_the_contrast_of_wcag_aa(colours: dict[str, str], text: str, background: str) -> None:
    def luminance(colour: str) -> float:
        channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    darker, lighter = sorted((luminance(colours[text]), luminance(colours[background])))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


# What it says


def test_an_evaluation_has_every_section(page: str) -> None:
    expected = {"verdicts", "merits", "beats", "abnormal", "borderline", "missed", "false-alarms"}
    assert expected | {"normal", "training", "statements"} <= set(Page(page).ids)


def test_figures_carry_the_numbers(page: str, evaluation: Evaluation) -> None:
    curves = evaluation.curves
    assert f"detector, area {curves.auc:.4f}</text>" in page
    assert f"detector, average {curves.average_precision:.4f}</text>" in page
    assert f"threshold {fmt.score(evaluation.detection.threshold)}</text>" in page
    assert f"labelled normal ({fmt.count(int((~evaluation.beats.abnormal).sum()))})</text>" in page


def test_counts_are_those_of_the_evaluation(page: str, evaluation: Evaluation) -> None:
    found = evaluation.confusion
    counts = [int(number.replace(",", "")) for number in re.findall(r"<b>([\d,]+)</b>", page)]
    assert counts[:3] == [found.true_positive, found.false_negative, 0]
    assert counts[3:6] == [found.false_positive, found.true_negative, 0]
    for number, (flagged, beats) in evaluation.recall_by_class.items():
        assert f"class {number}</th><td>{flagged:,}</td><td>{beats:,}</td>" in page


def test_says_what_was_trained_on_what(page: str, detector: Detector) -> None:
    text = Page(page).text
    assert f"{detector.card.normals:,} normal beats of {detector.card.source}" in text
    assert f"from {len(detector.calibration):,} held-out normals" in text
    assert detector.card.architecture in text
    assert detector.card.versions["tensorflow"] in text


def test_on_ecg5000_says_that_it_is_one_patient(tmp_path: Path, detector: Detector) -> None:
    layout = BeatLayout("ecg5000", 140, None, "z-score")
    some = load_simulated("test").select(np.arange(3))
    html = detection_page(tmp_path, replace(detector, layout=layout), replace(some, layout=layout))
    assert "ECG5000 is one patient" in html


def test_each_beat_comes_with_its_score_p_value_and_reason(
    page: str, detector: Detector, evaluation: Evaluation
) -> None:
    detection = evaluation.detection
    row = int(np.argmax(detection.score))
    reason = detector.explain(evaluation.beats.select(np.array([row]))).reason[0]
    card = page[page.index(f"<h4>Beat {row}</h4>") :]
    card = card[: card.index("</article>")]
    assert f"score <b>{fmt.score(detection.score[row])}</b>" in card
    assert f"p <b>{fmt.p_value(detection.p_value[row])}</b>" in card
    assert reason.split(":")[0] in card
    assert "abnormal" in card


def test_names_are_escaped(tmp_path: Path, detector: Detector, few: Beats) -> None:
    hostile = '<script>alert("1")</script>'
    card = replace(detector.card, source=hostile, architecture=hostile, versions={hostile: hostile})
    html = detection_page(tmp_path, replace(detector, card=card), replace(few, source=hostile, labels=None))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 5
    assert Page(html).open == []


def test_metrics_and_no_learning_curve_in_the_card(tmp_path: Path, detector: Detector, few: Beats) -> None:
    card = replace(detector.card, curve=LearningCurve(), metrics={"AUC on my ward": 0.98765})
    html = detection_page(tmp_path, replace(detector, card=card), few)
    assert "<dt>AUC on my ward</dt><dd>0.9877</dd>" in html
    assert "Learning curve" not in html


# Beats without labels, and beats of every kind


def test_without_labels_nothing_is_called_right_or_wrong(tmp_path: Path, detector: Detector, few: Beats) -> None:
    parsed = Page(detection_page(tmp_path, detector, replace(few, labels=None)))
    assert {"merits", "missed", "false-alarms"}.isdisjoint(parsed.ids)
    assert {"verdicts", "beats", "abnormal", "borderline", "normal", "training"} <= set(parsed.ids)
    assert "ROC" not in parsed.text
    assert "labelled" not in parsed.text
    assert f"held-out normals ({len(detector.calibration)})" in parsed.text
    assert f"beats judged ({len(few)})" in parsed.text


def test_labels_of_a_detection_are_shown_beside_the_beats(tmp_path: Path, detector: Detector, beats: Beats) -> None:
    parsed = Page(detection_page(tmp_path, detector, beats))
    assert "labelled class 2" in parsed.text
    assert "merits" not in parsed.ids


def test_unreadable_beats_are_counted_and_shown_as_such(tmp_path: Path, detector: Detector, few: Beats) -> None:
    samples = few.samples.copy()
    samples[0, 30:60] = np.nan
    samples[1] = np.nan
    samples[2] = 1.0
    samples[3, 7] = np.inf
    samples[4] = -np.inf
    html = evaluation_page(tmp_path, detector, replace(few, samples=samples))
    gallery = html[html.index('id="unreadable"') : html.index('id="training"')]
    assert "The first of 5 beats that could not be judged" in gallery
    assert gallery.count("<article") == 4
    assert "Beat 0, unreadable: 30 of 140 samples missing." in gallery
    assert "Beat 2, unreadable: a flat line." in gallery
    assert "no readable sample" in gallery
    assert gallery.count("p <b>–</b>") == 4
    assert "nan" not in Page(html).text.lower()


@pytest.mark.parametrize("count", [0, 3])
def test_no_beats_and_only_unreadable_ones(tmp_path: Path, detector: Detector, count: int) -> None:
    unreadable = Beats(np.full((count, 140), np.nan, np.float32), detector.layout)
    parsed = Page(detection_page(tmp_path, detector, unreadable))
    assert "No beat was judged normal." in parsed.text
    assert "No beat was judged abnormal." in parsed.text
    assert not any("Distribution" in svg.get("aria-label", "") for svg in parsed.all("svg"))


def test_all_judged_normal(tmp_path: Path, detector: Detector) -> None:
    test = load_simulated("test")
    calm = test.select(~detector.detect(test).abnormal).select(np.arange(30))
    parsed = Page(detection_page(tmp_path, detector, replace(calm, labels=None)))
    assert "No beat was judged abnormal." in parsed.text
    assert "100 % of 30" in parsed.text


@pytest.mark.parametrize(
    ("k_std", "sentences"),
    [
        (1e6, ("0 of 0 flagged beats abnormal", "No beat labelled normal was judged abnormal.")),
        (-1e6, ("No beat labelled abnormal was judged normal.", "No beat was judged normal.")),
    ],
    ids=["nothing", "everything"],
)
def test_where_nothing_or_everything_is_flagged_no_figure_is_made_up(
    tmp_path: Path, detector: Detector, few: Beats, k_std: float, sentences: tuple[str, str]
) -> None:
    text = Page(evaluation_page(tmp_path, detector.with_rule(ThresholdRule("mean+kstd", k_std=k_std)), few)).text
    assert all(sentence in text for sentence in sentences)
    assert "nan" not in text.lower()


def test_one_beat_of_each_label_and_huge_values_are_drawn(tmp_path: Path, detector: Detector, beats: Beats) -> None:
    assert evaluation_page(tmp_path, detector, beats.select(np.array([0, len(beats) - 1])))
    assert detection_page(tmp_path, detector, replace(beats, samples=beats.samples * np.float32(1e6)))


# What is refused


def test_an_unwritable_place_gets_an_error_and_nothing_is_left(
    tmp_path: Path, detector: Detector, evaluation: Evaluation
) -> None:
    with pytest.raises(OutputError):
        evaluation_report(tmp_path / "nowhere" / "r.html", detector, evaluation)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_former_page_as_it_was(
    tmp_path: Path, detector: Detector, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_former_page_stays(monkeypatch, tmp_path, lambda path: evaluation_report(path, detector, evaluation))


def test_verdicts_of_another_threshold_are_refused(tmp_path: Path, detector: Detector, evaluation: Evaluation) -> None:
    with pytest.raises(DataError, match="threshold"):
        evaluation_report(tmp_path / "r.html", detector.with_rule(ThresholdRule("max")), evaluation)


def test_verdicts_on_other_beats_are_refused(
    tmp_path: Path, detector: Detector, evaluation: Evaluation, beats: Beats
) -> None:
    with pytest.raises(DataError, match="as many verdicts"):
        detection_report(tmp_path / "r.html", detector, beats.select(np.arange(3)), evaluation.detection)


@pytest.mark.parametrize("absent", ["matplotlib", "jinja2"])
def test_without_the_extra_it_says_what_to_install(
    absent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, detector: Detector, evaluation: Evaluation
) -> None:
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(MissingExtraError, match=r"ectopy\[report\]"):
        require_extra()
    with pytest.raises(MissingExtraError, match=r"ectopy\[report\]"):
        evaluation_report(tmp_path / "r.html", detector, evaluation)


def test_is_imported_without_the_extra() -> None:
    program = "import sys; sys.modules.update(matplotlib=None, jinja2=None); import ectopy.report"
    subprocess.run([sys.executable, "-c", program], check=True)


# Which beats are chosen


@pytest.fixture
def six() -> Detection:
    """Six beats: scores 5, 3.1, 2.9, 0, -1 and one unreadable; the threshold is 3."""
    score = np.array([0.0, 5.0, 2.9, np.nan, 3.1, -1.0])
    verdict = np.array(["NORMAL", "ABNORMAL", "NORMAL", "UNREADABLE", "ABNORMAL", "NORMAL"])
    return Detection(verdict, score, np.ones(6), score, score, 3.0)


def test_chooses_by_score(six: Detection) -> None:
    labelled_abnormal = np.array([True, True, False, True, False, True])
    assert select_beats.clearest_abnormal(six, 8).tolist() == [1, 4]
    assert select_beats.clearest_abnormal(six, 1).tolist() == [1]
    assert select_beats.borderline(six, 1).tolist() == [4, 2]
    assert select_beats.borderline(six, 9).tolist() == [1, 4, 2, 0, 5]
    assert select_beats.missed(six, labelled_abnormal, 8).tolist() == [5, 0]
    assert select_beats.false_alarms(six, labelled_abnormal, 8).tolist() == [4]
    assert select_beats.typical_normal(six, None, 1).tolist() == [0]
    assert select_beats.typical_normal(six, labelled_abnormal, 8).tolist() == [2]
    assert select_beats.unreadable(six, 8).tolist() == [3]


# Figures alone


def test_a_figure_shows_its_colours_outside_a_page() -> None:
    svg = plots.score_distribution([plots.ScoreGroup("n", np.zeros(4), "normal", False)], 1.0)
    assert f"var(--normal,{LIGHT['normal']})" in svg


def test_no_bin_has_two_verdicts() -> None:
    at_and_above = np.array([2.0, np.nextafter(2.0, 3.0)])
    edges = plots._bin_edges([at_and_above, np.array([-1.0])], 2.0)
    assert 2.0 in edges
    assert np.allclose(np.diff(edges), edges[1] - edges[0])
    assert np.searchsorted(edges, at_and_above[0]) < np.searchsorted(edges, at_and_above[1])


def test_many_points_stay_small() -> None:
    rng = np.random.default_rng(0)
    steps = np.sort(rng.random((2, 100_000)))
    curves = RankingCurves(steps[0], np.sqrt(steps[0]), 1 - steps[1] / 2, steps[1])
    point = plots.OperatingPoint(0.3, 0.5, 0.9)
    assert len(plots.roc(curves, point)) < 200_000
    assert len(plots.precision_recall(curves, point, 0.4)) < 200_000


def test_a_learning_curve_of_one_point_or_of_zeros() -> None:
    assert "ends at 0.5" in plots.learning_curve(LearningCurve((50,), (0.5,), (0.4,)))
    assert "ends at 0," in plots.learning_curve(LearningCurve((1, 2), (0.5, 0.0), (0.4, 0.1)))


@pytest.mark.parametrize("rule", ["conformal", "quantile", "mean+kstd", "max"])
def test_every_threshold_rule_has_words(rule: str) -> None:
    assert "292 held-out normals" in fmt.threshold(ThresholdRule(rule), 292)
