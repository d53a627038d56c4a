"""Families of beats: one hint and one shape each, whatever order, scale and polarity; few hold nearly all beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.analysis import analyse
from ectopy.analysis.analysis import Analysis
from ectopy.analysis.beat_families import MOST_FAMILIES, BeatFamily, family_spread, find_families
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.analysis.verdicts import Hint
from ectopy.datasets import simulate_recording
from ectopy.signal.beat_segments import MARGIN, centred, no_beats
from support.examples import examples


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    recording = simulate_recording(120, ectopic={"V": 0.1, "A": 0.05}, random_state=2)
    return analyse(recording, load_ambulatory(), learning_s=30)


def members(families: tuple[BeatFamily, ...]) -> list[list[int]]:
    return [family.rows.tolist() for family in families]


def test_beats_of_a_shape_are_one_family(analysis: Analysis) -> None:
    families = find_families(analysis.beats, analysis.hint)
    normal, ventricular = (
        next(each for each in families if each.hint is hint) for hint in (Hint.EMPTY, Hint.VENTRICULAR)
    )
    assert families[0] is normal
    assert len(normal) > 0.9 * np.sum(analysis.hint == "")
    assert len(ventricular) > 0.9 * np.sum(analysis.hint == Hint.VENTRICULAR)
    assert np.corrcoef(normal.mean_mv.ravel(), analysis.normal.template.ravel())[0, 1] > 0.99
    # A beat is in one family at most, which has its hint.
    rows = np.concatenate([family.rows for family in families])
    assert len(np.unique(rows)) == len(rows)
    for family in families:
        assert (analysis.hint[family.rows] == family.hint.value).all()
        assert (np.diff(family.rows) > 0).all()


def test_the_spread_of_a_family_holds_most_of_its_beats(analysis: Analysis) -> None:
    family = find_families(analysis.beats, analysis.hint)[0]
    low, high = family_spread(analysis.beats, family)
    assert low.shape == high.shape == family.mean_mv.shape
    assert (low <= high).all()
    shapes = centred(analysis.beats.samples[family.rows, :, MARGIN:-MARGIN].astype(np.float64))
    inside = (shapes >= low - 1e-6) & (shapes <= high + 1e-6)
    assert 0.78 < inside.mean() < 0.84
    masked = analysis.beats.masked(np.array([True, False]))
    assert np.isnan(family_spread(masked, family)[0][1]).all()


@settings(max_examples=examples(5), deadline=None)
@given(scale=st.sampled_from([-8.0, -0.5, 0.25, 4.0]))
def test_scale_and_polarity_do_not_matter(analysis: Analysis, scale: float) -> None:
    other = replace(analysis.beats, samples=analysis.beats.samples * np.float32(scale))
    assert members(find_families(other, analysis.hint)) == members(find_families(analysis.beats, analysis.hint))


def test_a_beat_that_cannot_be_read_is_in_no_family(analysis: Analysis) -> None:
    readable = analysis.beats.readable.copy()
    readable[::3] = False
    families = find_families(replace(analysis.beats, readable=readable), analysis.hint)
    assert not set(range(0, len(readable), 3)) & set(np.concatenate([family.rows for family in families]).tolist())
    one_lead = find_families(analysis.beats.masked(np.array([True, False])), analysis.hint)
    assert np.isnan(one_lead[0].mean_mv[1]).all()
    assert find_families(no_beats(2), np.empty(0, "U21")) == ()


def test_the_largest_of_many_shapes_are_found() -> None:
    generator = np.random.default_rng(0)
    shapes = np.cumsum(generator.normal(size=(40, 1, 148)), axis=2)
    counts = np.arange(40, 0, -1)
    samples = np.repeat(shapes, counts, axis=0).astype(np.float32)
    rows = generator.permutation(len(samples))
    empty = np.zeros(len(samples))
    beats = replace(
        no_beats(1),
        times_s=np.arange(len(samples)) * 0.8,
        samples=samples[rows],
        readable=np.ones((len(samples), 1), np.bool_),
        prematurity=empty,
        delay=empty,
        irregularity=empty,
        rr_s=empty + 0.8,
    )
    families = find_families(beats, np.full(len(samples), ""), most=10)
    assert len(families) == 10
    assert len(families[0]) >= 40
    assert len(find_families(beats, np.full(len(samples), ""))) == MOST_FAMILIES
