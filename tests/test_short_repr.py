"""What a session prints of a result fits into a few lines, whatever its size."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ectopy
from ectopy.analysis.baseline import learn_baseline
from ectopy.analysis.inspection import inspect
from ectopy.beats import BeatLayout, Beats
from ectopy.datasets import load_simulated, simulate_recording
from ectopy.evaluation import evaluate
from ectopy.monitor import Limits, Monitor, MonitorState, chunks
from ectopy.presentation import short_repr
from ectopy.recording import Recording

MOST = 600


def public() -> Iterator[type]:
    """Every dataclass that a package of Ectopy exports by name."""
    for module in pkgutil.walk_packages(ectopy.__path__, "ectopy."):
        if not module.ispkg or module.name.startswith("ectopy.service"):
            continue
        package = importlib.import_module(module.name)
        for name in getattr(package, "__all__", ()):
            value = getattr(package, name)
            if isinstance(value, type) and is_dataclass(value):
                yield value
    for name in ectopy.__all__:
        value = getattr(ectopy, name)
        if isinstance(value, type) and is_dataclass(value):
            yield value


def test_what_is_exported_with_arrays_has_a_short_representation():
    for kind in public():
        hints = " ".join(str(field.type) for field in fields(kind) if field.repr)
        if "NDArray" in hints or "bytes" in hints:
            assert kind.__repr__ is short_repr, kind


@pytest.fixture(scope="module")
def results(detector) -> list[Any]:
    """One of everything that a session holds, from a real analysis and a real stream."""
    ambulatory = ectopy.load_ambulatory()
    recording = simulate_recording(420, ectopic={"V": 0.1}, random_state=2, sampling_rate_hz=250)
    analysis = ectopy.analyse(recording, ambulatory)
    beats = load_simulated("test")
    monitor, state = Monitor.of(ambulatory, 60), MonitorState(limits=Limits.of("ward"))
    events = []
    for chunk in chunks(recording):
        state, new = monitor.step(state, chunk)
        events += new
    return [
        recording,
        analysis,
        analysis.judgement,
        analysis.annotations(),
        learn_baseline(analysis.beats, recording.leads, ambulatory, 300),
        inspect(recording),
        ambulatory,
        detector,
        detector.detect(beats),
        detector.explain(beats),
        evaluate(detector, beats),
        monitor,
        state,
        *events,
        beats,
    ]


def test_every_result_is_a_line_or_two(results: list[Any]):
    # With what each holds, one level down.
    parts = [getattr(value, field.name) for value in results for field in fields(value)]
    values = [*results, *(part for part in parts if is_dataclass(part))]
    for value in values:
        assert len(repr(value)) < MOST, (type(value), repr(value)[:200])
        assert "\n" not in repr(value)
    kinds = {type(value).__name__ for value in values}
    assert {"Analysis", "BeatSegments", "Quality", "PatientTemplate", "Card", "MonitorState", "Evaluation"} <= kinds


@given(
    st.text(max_size=2000),
    st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=64, unique=True),
    st.integers(0, 5000),
)
def test_nor_does_what_comes_from_outside_make_it_long(source: str, leads: list[str], samples: int):
    signal = np.zeros((samples, len(leads)), np.float32)
    recording = Recording(signal, 250.0, tuple(leads), source=source)
    beats = Beats(np.zeros((samples, 140)), BeatLayout(source, 140, None, "mV"), None, source)
    for value in (recording, beats):
        assert len(repr(value)) < MOST
