"""Training the network that reconstructs beats: what it learns, and that NumPy computes what Keras does."""

from dataclasses import replace

import numpy as np
import pytest

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.reconstruction import FEATURES, ReconstructionNetwork
from ectopy.analysis.template_comparison import compare
from ectopy.beats import BEAT_SAMPLES
from ectopy.errors import NotEnoughNormalsError
from ectopy.signal.beat_segments import MARGIN, BeatSegments, centred
from ectopy.training.train_reconstruction import CODE, ReconstructionExamples, build, train_reconstruction

STEPS = 150
PLACES = np.arange(-52 - MARGIN, BEAT_SAMPLES - 52 + MARGIN)


def bump(place: float, width: float) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * ((PLACES - place) / width) ** 2))


def drawn(seed: int, beats: int = 60, p_wave: float = 1.0, width: float = 1.0) -> tuple[BeatSegments, PatientTemplate]:
    """Draw beats of a patient and the template of their normal ones."""
    generator = np.random.default_rng(seed)
    height, place, t_place = generator.uniform(0.8, 1.5), generator.uniform(-32, -24), generator.uniform(45, 55)
    p, qrs, t = 0.15 * bump(place, 4), height * bump(0, 2.5), 0.3 * bump(t_place, 9)
    amounts = 1 + 0.15 * generator.normal(size=(3, beats, 1))
    shape = amounts[0] * p_wave * p + amounts[1] * height * bump(0, 2.5 * width) + amounts[2] * t
    samples = shape + 0.02 * generator.normal(size=shape.shape)
    rr_s, zero = np.full(beats, 0.8), np.zeros(beats)
    segments = BeatSegments(
        np.cumsum(rr_s), samples[:, None].astype(np.float32), np.ones((beats, 1), np.bool_), zero, zero, zero, rr_s
    )
    template = centred((p + qrs + t)[None, MARGIN:-MARGIN])
    spread_mv = np.maximum(0.1 * np.abs(template), 0.014)
    return segments, PatientTemplate(template, np.array([20.0]), spread_mv, 0.06, beats, ("II",))


def examples(seed: int) -> ReconstructionExamples:
    beats, normal = drawn(seed)
    # Now and then the next beat hides the end, and one beat is not readable.
    delay = np.where(np.arange(len(beats)) % 10, 0.0, -0.5)
    beats.readable[5] = False
    return ReconstructionExamples.of(replace(beats, delay=delay), normal)


@pytest.fixture(scope="module")
def network() -> ReconstructionNetwork:
    return train_reconstruction([examples(seed) for seed in range(20)], 0, STEPS)


def test_numpy_computes_what_keras_does() -> None:
    network = build()
    inputs = np.random.default_rng(0).normal(size=(30, FEATURES)).astype(np.float32)
    output = np.asarray(network(inputs)).reshape(30, 1 + CODE, BEAT_SAMPLES)
    weights = (*network.get_weights(), np.zeros(1, np.float32))
    variance, forms = ReconstructionNetwork(weights).outputs(inputs.astype(np.float64))
    np.testing.assert_allclose(forms, output[:, 1:], atol=1e-5)
    np.testing.assert_allclose(variance, np.exp(2.0 * output[:, 0]) + 1e-6, rtol=1e-4)


def test_a_stranger_is_judged_from_their_template(network: ReconstructionNetwork) -> None:
    beats, normal = drawn(100)
    usual = compare(beats, normal, network).error
    wide = compare(drawn(100, width=2.2)[0], normal, network).error
    no_p = compare(drawn(100, p_wave=0.0)[0], normal, network).error
    assert 0.2 < np.median(usual) < 1.5
    assert np.mean(wide > usual.max()) > 0.95
    assert np.median(no_p) > np.quantile(usual, 0.9)


def test_the_same_seed_gives_the_same_network(network: ReconstructionNetwork) -> None:
    again = train_reconstruction([examples(seed) for seed in range(20)], 0, STEPS)
    for mine, other in zip(network.weights, again.weights, strict=True):
        assert np.array_equal(mine, other)


def test_nothing_to_learn_from_is_told() -> None:
    beats, normal = drawn(0)
    unreadable = ReconstructionExamples.of(beats.masked(np.zeros(1, np.bool_)), normal)
    with pytest.raises(NotEnoughNormalsError, match="no normal beats"):
        train_reconstruction([unreadable], 0, STEPS)
