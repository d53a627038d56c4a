from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ectopy.datasets import simulate_recording
from ectopy.datasets.marked_recordings import MarkedRecording
from ectopy.errors import NotEnoughNormalsError
from ectopy.signal.wave_network import INPUTS, MARKS, SAMPLES
from ectopy.training import train_waves as module
from ectopy.training.train_waves import WaveExamples, fibrillation_examples, train_waves, wave_examples

OFFSETS_S = np.array([-0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.15, 0.28, 0.36])


def examples(without_p: bool = False) -> WaveExamples:
    recording = simulate_recording(30, sampling_rate_hz=250, random_state=2)
    beats_s = recording.annotations.positions / 250.0
    marks_s = OFFSETS_S[:, None] + beats_s
    if without_p:
        marks_s[:3, ::2] = np.nan
    whole = np.arange(len(beats_s)) > 1
    marked = MarkedRecording("qtdb", "sel1", "one", recording, (marks_s,), (whole,))
    return wave_examples(marked)


def test_marks_and_absences_of_whole_beats_are_learned():
    beats = examples(without_p=True)
    absent = np.isnan(beats.marks[:, 1])
    assert absent.any()
    assert beats.is_known[~absent].all()
    assert beats.is_known[absent][:, 3:].all()
    # Of the first two beats of each lead it is not known whether they have a P wave.
    assert (~beats.is_known[absent][:, :3]).sum() == 3 * len(simulate_recording(5, random_state=2).leads)


def test_beats_in_fibrillation_teach_nothing_but_absent_p_waves():
    beats = fibrillation_examples(simulate_recording(30, sampling_rate_hz=250, random_state=2))
    assert len(beats) == 8
    assert np.isnan(beats.marks).all()
    assert beats.is_known.any(axis=0).tolist() == [True] * 3 + [False] * 6


def test_changed_beats_keep_their_marks_at_their_waves():
    rng = np.random.default_rng(0)
    at = np.array([76.0, 81.0, 86.0, 108.0, 116.0, 124.0, 146.0, 166.0, 186.0])
    beat = np.exp(-0.5 * ((np.arange(SAMPLES) - at[7]) / 4.0) ** 2).astype(np.float32)
    one = WaveExamples(beat[None], beat[None], at[None], np.ones((1, 9), np.bool_))
    many = module._vary(one[np.zeros(200, np.intp)], rng)
    peak = np.abs(many.beats - np.median(many.beats, axis=1, keepdims=True)).argmax(axis=1)
    assert np.median(np.abs(peak - many.marks[:, 7])) < 1.0
    assert np.ptp(many.marks[:, 7]) > 10.0
    removed = np.isnan(many.marks[:, 0])
    assert 0.02 < removed.mean() < 0.3
    assert many.is_known[removed, :3].all()


def test_too_few_beats_are_rejected():
    with pytest.raises(NotEnoughNormalsError, match="QT Database"):
        train_waves([examples()])


@pytest.fixture
def eager() -> Iterator[None]:
    """Run the few steps of a test as they are written, as compiling them takes longer."""
    tensorflow = pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("eager")
def test_trained_network_is_the_same_in_numpy(monkeypatch: pytest.MonkeyPatch):
    networks = []
    build = module._network
    monkeypatch.setattr(module, "_EPOCHS", 1)
    monkeypatch.setattr(module, "_network", lambda: networks.append(build()) or networks[-1])
    network = train_waves([examples()] * 4)
    windows = np.random.default_rng(0).normal(size=(5, SAMPLES, INPUTS)).astype(np.float32)
    np.testing.assert_allclose(network.logits(windows), networks[0](windows).numpy(), atol=1e-4)
    assert network.prior.shape[1] == len(MARKS)
