"""Training the network that reconstructs beats: what it learns, and that NumPy computes what Keras does."""

import numpy as np
import pytest

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.reconstruction import (
    FEATURES,
    LEVELS,
    PARTS,
    ReconstructionNetwork,
    learn_spread,
    reconstruction_error,
)
from ectopy.beats import BEAT_SAMPLES
from ectopy.errors import NotEnoughNormalsError
from ectopy.signal.beat_segments import MARGIN, BeatSegments, centred
from ectopy.training.train_reconstruction import (
    CODE,
    ReconstructionExamples,
    build,
    reconstruction_examples,
    train_reconstruction,
)

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
    return segments, PatientTemplate(template, np.array([20.0]), 0.06, beats, ("II",))


def examples(seed: int) -> ReconstructionExamples:
    beats, normal = drawn(seed)
    # Now and then the beat before hides the P wave, and one beat is not readable.
    beats.rr_s[::10] = 0.3
    beats.readable[5] = False
    rows = np.arange(len(beats))
    return reconstruction_examples(beats, normal, learn_spread(beats, normal, rows), rows)


@pytest.fixture(scope="module")
def network() -> ReconstructionNetwork:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ectopy.training.train_reconstruction._STEPS", 150)
        steps: list[tuple[int, int]] = []
        trained = train_reconstruction([examples(seed) for seed in range(20)], 0, lambda *step: steps.append(step))
        assert steps == [(50, 150), (100, 150), (150, 150)]
        return trained


def test_numpy_computes_what_keras_does() -> None:
    network = build()
    layers = tuple(network.get_weights())
    inputs = np.random.default_rng(0).normal(size=(30, FEATURES)).astype(np.float32)
    output = np.asarray(network(inputs)).reshape(30, 1 + CODE, BEAT_SAMPLES)
    nothing = np.ones((len(PARTS), len(LEVELS)), np.float32)
    change = ReconstructionNetwork(layers, np.zeros(2, np.float32), nothing, nothing[:, 0]).predict(
        inputs.astype(np.float64)
    )
    np.testing.assert_allclose(change.forms, output[:, 1:], atol=1e-5)
    np.testing.assert_allclose(change.variance, np.exp(2.0 * output[:, 0]) + 1e-6, rtol=1e-4)


def test_a_stranger_is_judged_from_their_template(network: ReconstructionNetwork) -> None:
    beats, normal = drawn(100)
    spread = learn_spread(beats, normal, np.arange(60))
    usual = reconstruction_error(beats, normal, spread, network)
    no_p = reconstruction_error(drawn(100, p_wave=0.0)[0], normal, spread, network)
    wide = reconstruction_error(drawn(100, width=2.2)[0], normal, spread, network)
    assert np.mean(usual.whole > 2.5) < 0.1
    # What is unusual is seen where it is.
    assert np.mean(no_p.p_wave > np.quantile(usual.p_wave, 0.95)) > 0.8
    assert np.median(no_p.p_wave - usual.p_wave) > np.median(no_p.qrs - usual.qrs) + 0.5
    assert np.mean(wide.qrs > usual.qrs.max()) > 0.95


def test_the_same_seed_gives_the_same_network(network: ReconstructionNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ectopy.training.train_reconstruction._STEPS", 150)
    again = train_reconstruction([examples(seed) for seed in range(20)], 0)
    for name, array in network.arrays().items():
        assert np.array_equal(again.arrays()[name], array), name


def test_patients_are_held_out_for_the_unit(network: ReconstructionNetwork) -> None:
    assert (np.diff(network.errors, axis=1) >= 0).all()
    assert (network.tails > 0).all()
    assert np.isfinite(network.errors).all()
    with pytest.raises(NotEnoughNormalsError, match="at least 5 patients, and there are 4"):
        train_reconstruction([examples(seed) for seed in range(4)], 0)
