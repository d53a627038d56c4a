"""The error of reconstruction: exact whatever the division, the scale, the polarity and the place of a beat."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from ectopy.analysis.patient_template import PatientTemplate, align
from ectopy.analysis.reconstruction import (
    FEATURES,
    LEVELS,
    PARTS,
    TAIL_FROM,
    ReconstructionError,
    ReconstructionNetwork,
    differences,
    features,
    learn_spread,
    noise,
    own_samples,
    part_errors,
    reconstruction_error,
    reconstruction_errors,
)
from ectopy.beats import BEAT_SAMPLES
from ectopy.errors import DataError
from ectopy.signal.beat_segments import MARGIN, BeatSegments, centred

SPREAD_MV = np.full((2, BEAT_SAMPLES), 0.03)
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
    return segments, PatientTemplate(template, np.full(leads, 20.0), 0.06, beats, ("I", "II")[:leads])


def network(seed: int = 0) -> ReconstructionNetwork:
    """Draw weights."""
    generator = np.random.default_rng(seed)
    outputs = (1 + FORMS) * BEAT_SAMPLES
    sizes = ((FEATURES, HIDDEN), (HIDDEN,), (HIDDEN, HIDDEN), (HIDDEN,), (HIDDEN, outputs), (outputs,))
    layers = [(0.1 * generator.normal(size=size)).astype(np.float32) for size in sizes]
    layers[-1][:BEAT_SAMPLES] -= 3.0
    errors = np.sort(generator.gamma(5.0, 0.2, (len(PARTS), len(LEVELS)))).astype(np.float32)
    return ReconstructionNetwork(tuple(layers), np.array([0.5, 1.5], np.float32), errors, np.full(3, 0.2, np.float32))


def columns(error: ReconstructionError) -> np.ndarray:
    return np.array([error.whole, error.qrs, error.p_wave])


@given(st.lists(st.integers(0, 600), max_size=5))
@settings(max_examples=20, deadline=None)
def test_a_beat_has_the_same_error_to_the_bit_however_beats_are_divided(cuts: list[int]) -> None:
    beats, normal = patient(1, beats=600)
    whole = reconstruction_error(beats, normal, SPREAD_MV, network())
    ends = [0, *sorted(cuts), len(beats)]
    parts = [reconstruction_error(beats[start:end], normal, SPREAD_MV, network()) for start, end in pairwise(ends)]
    assert np.array_equal(columns(ReconstructionError.joined(parts)), columns(whole))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300), st.sampled_from([1, 2])), max_size=6))
@settings(max_examples=20, deadline=None)
def test_patients_together_are_equal_to_each_alone_to_the_bit(drawn: list[tuple[int, int, int]]) -> None:
    patients = [(*patient(*seed), SPREAD_MV[: seed[2]] * (1 + seed[0])) for seed in drawn]
    together = reconstruction_errors(patients, network())
    for each, error in zip(patients, together, strict=True):
        assert np.array_equal(columns(error), columns(reconstruction_error(*each, network())))


def test_the_error_is_the_distance_in_the_predicted_covariance() -> None:
    beats, normal = patient(2, beats=5)
    weights = network()
    change = weights.predict(features(normal, SPREAD_MV))
    difference, share = differences(beats, normal, slice(None))
    own = own_samples(beats)
    own[1, 100:] = False
    errors = part_errors(difference, own, share, change, 1.5)
    fast = 1.5 * noise(difference, own)
    for part, samples in enumerate(PARTS):
        for beat in range(len(beats)):
            judged = np.flatnonzero(own[beat, samples]) + samples.start
            logs = []
            for lead in range(2):
                form = change.forms[lead][:, judged]
                covariance = np.diag(change.variance[lead, judged] + fast[beat, lead] ** 2) + form.T @ form
                left = difference[beat, lead, judged]
                logs.append(np.log(left @ np.linalg.solve(covariance, left) / len(judged)) / 2)
            assert np.exp(np.mean(logs)) == pytest.approx(errors[part, beat], rel=1e-9)


@given(st.sampled_from([0.25, 0.5, 3.0, 16.0]), st.sampled_from([1.0, -1.0]))
@settings(deadline=None)
def test_scale_and_polarity_do_not_matter(scale: float, sign: float) -> None:
    beats, normal = patient(3)
    factor = scale * sign
    other = replace(beats, samples=(beats.samples * np.float32(factor)))
    changed = replace(normal, template=normal.template * factor)
    error = reconstruction_error(other, changed, SPREAD_MV * scale, network())
    same = reconstruction_error(beats, normal, SPREAD_MV, network())
    np.testing.assert_allclose(columns(error), columns(same), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shift", [-3, -1, 2, 4])
def test_a_beat_found_a_little_early_or_late_has_the_same_error(shift: int) -> None:
    beats, normal = patient(4, beats=1)
    generator = np.random.default_rng(0)
    samples = (normal.template + 0.02 * generator.normal(size=normal.template.shape))[None]
    places = np.clip(np.arange(-MARGIN, BEAT_SAMPLES + MARGIN), 0, BEAT_SAMPLES - 1)
    shifted = np.clip(places + shift, 0, BEAT_SAMPLES - 1)
    errors = [
        columns(
            reconstruction_error(
                replace(beats, samples=samples[..., at].astype(np.float32)), normal, SPREAD_MV, network()
            )
        )
        for at in (places, shifted)
    ]
    # The outermost samples come from the margin.
    np.testing.assert_allclose(errors[0], errors[1], atol=0.05)


def test_samples_of_the_next_beat_do_not_count() -> None:
    beats, normal = patient(5)
    near = replace(beats, prematurity=np.full(40, 0.2), delay=np.full(40, -0.575))
    next_s = 0.8 * np.exp(-0.375)
    other = near.samples.copy()
    other[..., 52 + 2 * MARGIN + round((next_s - 0.12) * 180) + 1 :] += np.float32(0.7)
    error = reconstruction_error(near, normal, SPREAD_MV, network())
    # They only move the level of the beat, which is its median.
    moved = reconstruction_error(replace(near, samples=other), normal, SPREAD_MV, network())
    counted = reconstruction_error(replace(near, samples=other, delay=np.full(40, 0.5)), normal, SPREAD_MV, network())
    assert np.max(np.abs(moved.whole - error.whole)) < 0.5
    assert np.min(counted.whole - error.whole) > 1.0


def test_no_p_wave_is_judged_where_the_beat_before_hides_it() -> None:
    beats, normal = patient(10)
    rr_s = np.linspace(0.2, 0.9, 40)
    error = reconstruction_error(replace(beats, rr_s=rr_s, delay=np.zeros(40)), normal, SPREAD_MV, network())
    assert np.array_equal(np.isnan(error.p_wave), rr_s < 0.25 + 0.089 + 8 / 180)
    assert np.isfinite([error.whole, error.qrs]).all()


def test_a_lead_that_is_not_readable_says_nothing() -> None:
    beats, normal = patient(6)
    readable = np.array([True, False])
    one = reconstruction_error(beats.masked(readable), normal, SPREAD_MV, network())
    noisy = replace(beats, samples=beats.samples * np.array([[1.0], [7.0]], np.float32)).masked(readable)
    alone = reconstruction_error(
        replace(beats, samples=beats.samples[:, :1], readable=beats.readable[:, :1]),
        replace(normal, template=normal.template[:1], clearness=normal.clearness[:1], leads=("I",)),
        SPREAD_MV[:1],
        network(),
    )
    np.testing.assert_allclose(columns(one), columns(alone), atol=0.5)
    assert np.isfinite(columns(reconstruction_error(noisy, normal, SPREAD_MV, network()))).all()
    nothing = reconstruction_error(beats.masked(np.zeros(2, np.bool_)), normal, SPREAD_MV, network())
    assert np.isnan(columns(nothing)).all()


def test_the_errors_of_other_patients_are_the_unit() -> None:
    weights = network()
    quantiles = weights.errors.astype(np.float64)
    np.testing.assert_allclose(weights.deviates(quantiles)[:, :190], np.tile(ndtri(LEVELS[:190]), (3, 1)), atol=1e-6)
    rising = weights.deviates(np.tile(np.linspace(0.0, 50.0, 2000), (3, 1)))
    assert (np.diff(rising, axis=1) >= 0).all()
    assert (rising[:, -1] > ndtri(TAIL_FROM)).all()
    assert np.isfinite(rising).all()
    assert np.isnan(weights.deviates(np.full((3, 1), np.nan))).all()


def test_the_spread_is_that_of_the_readable_beats() -> None:
    beats, normal = patient(7, beats=400)
    level = learn_spread(beats, normal, np.arange(400))
    assert level.shape == normal.template.shape
    # The noise, and a little of the beats' heights.
    assert 0.03 < np.median(level) < 0.04
    # Of a lead that is not readable nothing is known.
    dark = learn_spread(beats.masked(np.array([True, False])), normal, np.arange(400))
    assert (dark[1] == 0.1).all()
    assert np.array_equal(dark[0], level[0])
    assert align(beats, normal, np.arange(0)).shape[0] == 0


def test_weights_pass_through_their_arrays() -> None:
    weights = network()
    again = ReconstructionNetwork.from_arrays(weights.arrays())
    beats, normal = patient(8)
    assert np.array_equal(
        columns(reconstruction_error(beats, normal, SPREAD_MV, again)),
        columns(reconstruction_error(beats, normal, SPREAD_MV, weights)),
    )


@pytest.mark.parametrize("name", ["matrix_0", "offset_2", "shares", "errors", "tails"])
def test_weights_that_do_not_fit_are_refused(name: str) -> None:
    arrays = network().arrays()
    with pytest.raises(DataError, match="reconstructs beats"):
        ReconstructionNetwork.from_arrays(arrays | {name: arrays[name][..., :-1]})
    with pytest.raises(DataError, match=name):
        ReconstructionNetwork.from_arrays({key: array for key, array in arrays.items() if key != name})


def test_beats_of_other_leads_are_refused() -> None:
    beats, normal = patient(9)
    with pytest.raises(DataError, match="2 leads and the recording 1"):
        reconstruction_error(
            replace(beats, samples=beats.samples[:, :1], readable=beats.readable[:, :1]), normal, SPREAD_MV, network()
        )
