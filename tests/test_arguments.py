"""Whatever is passed to a public function is accepted, or refused in one sentence of the error family."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ectopy
from ectopy import AutoencoderDetector, Beats, Detector, Recording, ThresholdRule
from ectopy.analysis.patient_template import PatientTemplate
from ectopy.beats import BeatLayout
from ectopy.client import Client
from ectopy.datasets import Episode, load_simulated, simulate_recording
from ectopy.errors import DataError, EctopyError
from ectopy.evaluation import evaluate
from ectopy.recording import Annotations
from ectopy.signal import FilterSettings

PACKAGES = ("ectopy", "ectopy.datasets", "ectopy.evaluation", "ectopy.formats", "ectopy.report")

# Of signal processing and display, for which arrays are made by functions that check them.
NOT_CALLED_WITH_DATA = {"check_annotation_suffix", "ranking_curves", "require_extra", "Confusion", "RankingCurves"}
RESULTS = {"Analysis", "Detection", "Explanation", "Detector", "Evaluation", "Verdict", "AutoencoderDetector"}
"""Made by functions, not by hand; or checked below by their methods."""


class Hostile:
    """Says that it is like an array, and is not."""

    def __array__(self, *arguments: object, **options: object) -> np.ndarray:
        raise RuntimeError("no array today")


WRONG: dict[str, Any] = {
    "None": None,
    "a name": "ambulatory",
    "an empty text": "",
    "a path": Path("holter.edf"),
    "bytes": b"beats",
    "a number": 3.5,
    "a negative number": -1,
    "True": True,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a complex number": 1j,
    "a list": [1, 2, 3],
    "an empty list": [],
    "lists of unequal length": [[1.0], [1.0, 2.0]],
    "texts": ["II", "V1"],
    "a dict": {"II": [1, 2]},
    "a set": {1, 2},
    "an array": np.zeros(7),
    "a scalar array": np.float64(2.0),
    "a cube": np.zeros((2, 3, 4)),
    "a complex array": np.zeros((2, 140), complex),
    "an array of text": np.full((2, 140), "1.0"),
    "an array of objects": np.full((2, 140), None),
    "an array of times": np.zeros((2, 140), "datetime64[s]"),
    "a masked array": np.ma.masked_array(np.ones((2, 140)), np.eye(2, 140)),
    "a table": pd.DataFrame({"II": [0.1, 0.2], "V1": [0.3, None]}),
    "a column": pd.Series([1, 2, 3]),
    "a time": datetime(2020, 1, 1),
    "a function": lambda *anything: None,
    "a type": type("Anything", (), {"__init__": lambda self, *anything: None}),
    "an object": object(),
    "something like an array": Hostile(),
}


@pytest.fixture(scope="module")
def right(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An argument for every parameter, by its name."""
    folder = tmp_path_factory.mktemp("arguments")
    ambulatory = ectopy.load_ambulatory()
    recording = simulate_recording(60, rate_bpm=75)
    analysis = ectopy.analyse(recording, ambulatory, learning_s=40)
    beats = load_simulated("test").select(np.r_[0:20, 4000:4020])
    np.save(folder / "beats.npy", beats.samples)
    return {
        "detector": detector,
        "recording": recording,
        "analysis": analysis,
        "events": ectopy.find_events(analysis),
        "normal": analysis.normal,
        "beats": beats,
        "detection": detector.detect(beats),
        "evaluation": evaluate(detector, beats),
        "path": folder / "beats.npy",
        "name_or_path": folder / "beats.npy",
        "annotations": analysis.annotations(),
        "sampling_rate_hz": 250.0,
        "signal": recording.signal,
        "positions": [1],
        "symbols": ["N"],
        "leads": recording.leads,
        "samples": 140,
        "layout": beats.layout,
        "labels": None,
        "source": "",
        "name": "conformal",
        "unit": "mV",
        "record": "100",
        "number": 2,
        "kind": "noise",
        "start_s": 1.0,
        "duration_s": 2.0,
        "url": "http://127.0.0.1:9",
        "key": "ectopy_0",
        "folder": folder,
    }


def public() -> dict[str, Callable[..., Any]]:
    """Every function and type that the documented packages export, and methods that take data."""
    named: dict[str, Callable[..., Any]] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value) and name not in RESULTS | NOT_CALLED_WITH_DATA and not name.isupper():
                named[name] = value
    return named | {
        "FilterSettings": FilterSettings,
        "Client": Client,
        "Detector.load": Detector.load,
        "PatientTemplate.load": PatientTemplate.load,
    }


METHODS = ("detect", "score", "explain", "with_rule", "save")


def parameters(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def answers(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """It returns, or raises an error of the family whose message is one sentence."""
    try:
        function(**arguments)
    except EctopyError as error:
        text = str(error)
        assert text.endswith("."), text
        assert text.isprintable(), text
        assert len(text) < 600, text


def required(function: Callable[..., Any], right: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is inspect.Parameter.empty and name != "self":
            found[name] = right[name]
    if function is Beats:
        found["samples"] = right["beats"].samples
    return found


SLOW = {"train", "fetch_ecg5000", "fetch_mitdb", "load_ecg5000", "load_mitdb"}
"""What takes long, or goes to the network, where every argument is right: only what is refused at once is passed."""


@pytest.mark.parametrize(
    ("name", "parameter"), [(name, parameter) for name, value in public().items() for parameter in parameters(value)]
)
def test_public_functions_answer_whatever_they_are_given(
    right: dict[str, Any], name: str, parameter: str, empty_machine: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    function = public()[name]
    for kind, value in WRONG.items():
        if name in SLOW and (parameter, kind) in SENSIBLE:
            continue
        arguments = required(function, right) | {parameter: value}
        try:
            answers(function, arguments)
        except Exception as error:
            raise AssertionError(f"{name}({parameter}={kind})") from error


SENSIBLE = {
    (parameter, kind)
    for parameter in ("settings", "rule", "random_state", "progress", "groups", "folder", "download", "url", "split")
    for kind in ("None", "True", "a function", "a type", "a path", "a name", "an empty text", "a negative number")
} | {("progress", "True"), ("download", "True")}


@pytest.mark.parametrize("method", METHODS)
def test_methods_of_a_detector_answer_whatever_they_are_given(
    right: dict[str, Any], detector: Detector, method: str, tmp_path: Path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    function = getattr(detector, method)
    usual = {"beats": right["beats"], "rule": ThresholdRule("max"), "path": "x.ectopy"}
    for parameter in parameters(function):
        for kind, value in (WRONG | {"a recording": right["recording"], "a detector": detector}).items():
            arguments = {name: usual[name] for name in parameters(function) if name in usual} | {parameter: value}
            try:
                answers(function, arguments)
            except Exception as error:
                raise AssertionError(f"{method}({parameter}={kind})") from error


SENSIBLE_OF_ESTIMATOR = {
    (parameter, kind)
    for parameter in ("random_state", "k_std", "layout")
    for kind in ("None", "True", "a scalar array", "a number")
}
TRAINED = {("learning_rate", "a number"), ("learning_rate", "a scalar array"), ("k_std", "a negative number")}
"""What is accepted, so that a network is trained with it."""


@pytest.mark.parametrize("trained", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("parameter", parameters(AutoencoderDetector))
def test_the_estimator_answers_whatever_its_parameters_are(right: dict[str, Any], parameter: str, trained: bool):
    quick = {"architecture": "dense", "members": 2, "max_steps": 1, "target_fpr": 0.2}
    samples = right["beats"].normals().samples
    for kind, value in WRONG.items():
        if (parameter, kind) in SENSIBLE_OF_ESTIMATOR or ((parameter, kind) in TRAINED) != trained:
            continue
        try:
            answers(AutoencoderDetector(**quick | {parameter: value}).fit, {"X": samples})
        except Exception as error:
            raise AssertionError(f"{parameter}={kind}") from error


def test_the_estimator_answers_whatever_it_is_fitted_on():
    for kind, value in WRONG.items():
        try:
            answers(AutoencoderDetector("dense", members=2, max_steps=1).fit, {"X": value})
        except Exception as error:
            raise AssertionError(kind) from error


def test_what_is_masked_is_missing(detector: Detector, right: dict[str, Any]):
    samples = right["beats"].samples.astype(float)
    mask = np.zeros(samples.shape, bool)
    mask[3, 5] = True
    detection = detector.detect(np.ma.masked_array(samples, mask))
    assert np.flatnonzero(detection.unreadable).tolist() == [3]
    recording = Recording(np.ma.masked_array(np.ones((4, 1)), [[0], [1], [0], [0]]), 250, ["II"])
    assert np.isnan(recording.signal[:, 0]).tolist() == [False, True, False, False]


def test_tables_and_lists_are_arrays(detector: Detector, right: dict[str, Any]):
    samples = right["beats"].samples
    expected = detector.score(samples)
    for like in (pd.DataFrame(samples), samples.tolist(), list(samples), samples.astype(object)):
        np.testing.assert_array_equal(detector.score(like), expected)
    labels = pd.Series([1.0, 0.0, 3.0])
    beats = Beats(pd.DataFrame(samples[:3]), BeatLayout.undeclared(140), labels)
    assert beats.labels.tolist() == [1, 0, 3]
    assert beats.abnormal.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda right: ectopy.analyse("holter.edf", right["detector"]), "ectopy.read"),
        (lambda right: ectopy.analyse(right["recording"], "ambulatory"), "ectopy.load_ambulatory()"),
        (lambda right: ectopy.find_events("holter.edf"), "ectopy.analyse"),
        (lambda right: evaluate("own.ectopy", right["beats"]), "ectopy.Detector.load"),
        (lambda right: evaluate(right["detector"], right["beats"].samples), "ectopy.Beats"),
        (lambda right: right["detector"].detect("beats.csv"), "array of numbers"),
    ],
)
def test_the_sentence_says_what_would_be_right(right: dict[str, Any], call: Callable[..., Any], words: str):
    with pytest.raises(DataError, match=words.replace("(", r"\(").replace(")", r"\)")):
        call(right)


def test_right_arguments_of_other_kinds_are_still_right():
    recording = Recording(np.zeros((500, 1)), np.int64(250), ("II",), annotations=Annotations([3], ["N"]))
    assert recording.annotations is not None
    assert recording.annotations.positions.tolist() == [3]
    assert len(Annotations([], [])) == 0
    assert Episode("noise", np.float32(1), 2).start_s == 1
