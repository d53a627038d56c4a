"""The error of reconstruction: exact whatever the division, the scale, the polarity and the place of a beat."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.reconstruction import FEATURES, ReconstructionNetwork, features
from ectopy.analysis.template_comparison import compare, compare_together, own_difference
from ectopy.beats import BEAT_SAMPLES
from ectopy.errors import DataError
from ectopy.signal.beat_segments import MARGIN, BeatSegments, centred
from support.examples import examples

SPREAD_MV = 0.03
FORMS, HIDDEN = 3, 8


def wave(positions: np.ndarray) -> np.ndarray:
    """Draw P wave, QRS complex and T wave at samples from the fiducial point."""
    p, q, r, t = (
        height * np.exp(-0.5 * ((positions - place) / width) ** 2)
        for height, place, width in ((0.15, -28, 4), (-0.2, -4, 2), (1.2, 0, 2), (0.3, 50, 9))
    )
    return p + q + r + t


def patient(seed: int, beats: int = 40, leads: int = 2) -> tuple[BeatSegments, PatientTemplate]:
    """Draw normal beats of one patient, and their template."""
    generator = np.random.default_rng(seed)
    places = np.arange(-52 - MARGIN, BEAT_SAMPLES - 52 + MARGIN)
    size = np.array([1.0, -0.7])[:leads, None] * (1 + 0.1 * generator.normal(size=(leads, 1)))
    drawn = size * wave(places) * (1 + 0.1 * generator.normal(size=(beats, 1, 1)))
    drawn = (drawn + 0.03 * generator.normal(size=drawn.shape)).astype(np.float32)
    rr_s = np.full(beats, 0.8)
    early, late, spread = 0.05 * generator.normal(size=(3, beats))
    segments = BeatSegments(np.cumsum(rr_s), drawn, np.ones((beats, leads), np.bool_), early, late, spread, rr_s)
    template = centred(size * wave(places[MARGIN:-MARGIN]))
    spread_mv = np.full(template.shape, SPREAD_MV)
    return segments, PatientTemplate(template, np.full(leads, 20.0), spread_mv, 0.06, beats, ("I", "II")[:leads])


def network(seed: int = 0) -> ReconstructionNetwork:
    """Draw weights."""
    generator = np.random.default_rng(seed)
    outputs = (1 + FORMS) * BEAT_SAMPLES
    sizes = ((FEATURES, HIDDEN), (HIDDEN,), (HIDDEN, HIDDEN), (HIDDEN,), (HIDDEN, outputs), (outputs,))
    layers = [(0.1 * generator.normal(size=size)).astype(np.float32) for size in sizes]
    layers[-1][:BEAT_SAMPLES] -= 3.0
    return ReconstructionNetwork((*layers, np.array([0.5], np.float32)))


def error(beats: BeatSegments, normal: PatientTemplate) -> np.ndarray:
    return compare(beats, normal, network()).error


@given(st.lists(st.integers(0, 600), max_size=5))
@settings(max_examples=examples(10), deadline=None)
def test_a_beat_has_the_same_error_to_the_bit_however_beats_are_divided(cuts: list[int]) -> None:
    beats, normal = patient(1, beats=600)
    ends = [0, *sorted(cuts), len(beats)]
    parts = [error(beats[start:end], normal) for start, end in pairwise(ends)]
    assert np.array_equal(np.concatenate(parts), error(beats, normal))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300), st.sampled_from([1, 2])), max_size=6))
@settings(max_examples=examples(10), deadline=None)
def test_patients_together_are_equal_to_each_alone_to_the_bit(drawn: list[tuple[int, int, int]]) -> None:
    patients = [patient(*seed) for seed in drawn]
    patients = [
        (beats, replace(normal, spread=normal.spread * (1 + number))) for number, (beats, normal) in enumerate(patients)
    ]
    together = compare_together(patients, network())
    for (beats, normal), difference in zip(patients, together, strict=True):
        assert np.array_equal(difference.error, error(beats, normal))


def test_what_is_remembered_of_a_patient_is_what_is_predicted_and_changes_with_the_template() -> None:
    trained = network()
    normals = [patient(seed)[1] for seed in range(3)]
    normals.append(replace(normals[0], clearness=normals[0].clearness / 2))
    normals.append(replace(normals[0], spread=2 * normals[0].spread))
    for normal in [*normals, *normals]:
        state = (normal.template, normal.clearness, normal.spread)
        remembered, predicted = trained.predict_again(*state), trained.predict(*state)
        assert np.array_equal(remembered.weights, predicted.weights)
        assert np.array_equal(remembered.encoder, predicted.encoder)
        assert np.array_equal(remembered.precision, predicted.precision)


def test_of_more_patients_than_there_is_memory_for_all_are_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ectopy.analysis.reconstruction._MOST_RECENT", 2)
    patients = [patient(seed) for seed in range(5)]
    for (beats, normal), difference in zip(patients, compare_together(patients, network()), strict=True):
        assert np.array_equal(difference.error, error(beats, normal))


def test_the_error_is_the_distance_in_the_predicted_covariance() -> None:
    beats, normal = patient(2, beats=5)
    difference, own, noise, _ = own_difference(beats, normal)
    weights = network()
    change = weights.predict(normal.template, normal.clearness, normal.spread)
    # In the unit of the template, without the noise of the beat.
    variance, forms = weights.outputs(features(normal.template, normal.clearness, normal.spread))
    height = np.ptp(normal.template, axis=1)
    scaled = difference / height[:, None]
    errors = change.error(difference, own, np.zeros_like(noise))
    for beat in range(len(beats)):
        for lead in range(2):
            covariance = np.diag(variance[lead]) + forms[lead].T @ forms[lead]
            left = scaled[beat, lead]
            assert np.sqrt(left @ np.linalg.solve(covariance, left) / BEAT_SAMPLES) == pytest.approx(errors[beat, lead])
    # A noisier beat has to differ more.
    assert (change.error(difference, own, noise) < errors).all()


@given(st.sampled_from([0.25, 0.5, 3.0, 16.0]), st.sampled_from([1.0, -1.0]))
@settings(deadline=None)
def test_scale_and_polarity_do_not_matter(scale: float, sign: float) -> None:
    beats, normal = patient(3)
    factor = scale * sign
    other = replace(beats, samples=(beats.samples * np.float32(factor)))
    changed = replace(normal, template=normal.template * factor, spread=normal.spread * scale)
    np.testing.assert_allclose(error(other, changed), error(beats, normal), rtol=1e-4)


@pytest.mark.parametrize("shift", [-3, -1, 2, 4])
def test_a_beat_found_a_little_early_or_late_has_the_same_error(shift: int) -> None:
    beats, normal = patient(4, beats=1)
    generator = np.random.default_rng(0)
    samples = (normal.template + 0.02 * generator.normal(size=normal.template.shape))[None]
    places = np.clip(np.arange(-MARGIN, BEAT_SAMPLES + MARGIN), 0, BEAT_SAMPLES - 1)
    shifted = np.clip(places + shift, 0, BEAT_SAMPLES - 1)
    errors = [error(replace(beats, samples=samples[..., at].astype(np.float32)), normal) for at in (places, shifted)]
    # The outermost samples come from the margin.
    np.testing.assert_allclose(errors[0], errors[1], rtol=0.02)


def test_samples_of_the_next_beat_do_not_count() -> None:
    beats, normal = patient(5)
    near = replace(beats, prematurity=np.full(40, 0.2), delay=np.full(40, -0.575))
    next_s = 0.8 * np.exp(-0.375)
    other = near.samples.copy()
    other[..., 52 + 2 * MARGIN + round((next_s - 0.12) * 180) + 1 :] += np.float32(0.7)
    # They only move the level of the beat, which is its median.
    moved = error(replace(near, samples=other), normal)
    counted = error(replace(near, samples=other, delay=np.full(40, 0.5)), normal)
    assert np.max(moved / error(near, normal)) < 1.5
    assert np.min(counted / error(near, normal)) > 2.0


def test_a_lead_that_is_not_readable_says_nothing() -> None:
    beats, normal = patient(6)
    one = beats.masked(np.array([True, False]))
    noisy = replace(one, samples=one.samples * np.array([[1.0], [7.0]], np.float32))
    assert np.isfinite(error(noisy, normal)).all()
    assert np.isnan(error(beats.masked(np.zeros(2, np.bool_)), normal)).all()


def test_without_a_network_no_error_is_measured() -> None:
    assert np.isnan(compare(*patient(7)).error).all()


@pytest.mark.parametrize("number", range(7))
def test_weights_that_do_not_fit_are_refused(number: int) -> None:
    weights = list(network().weights)
    weights[number] = weights[number][..., :-1]
    with pytest.raises(DataError, match="reconstructs beats"):
        ReconstructionNetwork(tuple(weights))
    with pytest.raises(DataError, match="reconstructs beats"):
        ReconstructionNetwork(network().weights[:number])
