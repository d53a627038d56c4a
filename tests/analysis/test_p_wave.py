"""The P wave of a beat is usual, absent or inverted, or not known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.analysis.beat_noise import beat_noise
from ectopy.analysis.p_wave import PWaveDifference, compare_p_waves, find_p_wave
from ectopy.beats import BEAT_SAMPLES
from ectopy.signal.beat_segments import BEFORE, centred

TIMES_S = (np.arange(BEAT_SAMPLES) - BEFORE) / 180.0
HEIGHTS_MV = (0.15, -0.06)  # of the P wave in two leads
Beats = NDArray[np.float64]


def wave(peak_s: float, width_s: float) -> Beats:
    return np.asarray(np.exp(-0.5 * ((TIMES_S - peak_s) / width_s) ** 2))


def beat(p_wave: float = 1.0, p_s: float = -0.16, qrs_width_s: float = 0.012) -> Beats:
    """Draw a beat of two leads with this share of the usual P wave."""
    rest = 1.2 * wave(0.0, qrs_width_s) - 0.2 * wave(0.03, 0.01) + 0.3 * wave(0.28, 0.04)
    return centred(np.stack([rest + p_wave * height * wave(p_s, 0.02) for height in HEIGHTS_MV]))


TEMPLATE = beat()
CLEARNESS = np.array([50.0, 20.0])


def compared(beats: Beats, template: Beats = TEMPLATE, clearness: Beats = CLEARNESS) -> PWaveDifference:
    return compare_p_waves(beats, np.ones(beats.shape[:2], np.bool_), template, clearness, beat_noise(beats))


@given(share=st.floats(-2.0, 2.0))
def test_the_share_of_the_usual_p_wave_is_measured(share: float) -> None:
    assert compared(beat(share)[None]).share == pytest.approx(share, abs=1e-6)


def test_a_beat_without_p_wave_scores_more_and_one_with_an_inverted_p_wave_most() -> None:
    result = compared(np.stack([beat(1.0), beat(0.0), beat(-1.0)]))
    assert result.form.tolist() == ["usual", "absent", "inverted"]
    assert result.score[0] == pytest.approx(0.0, abs=1e-6)
    assert 3.0 < result.score[1] < result.score[2]


@given(sign=st.lists(st.sampled_from([-1.0, 1.0]), min_size=2, max_size=2), share=st.floats(-1.0, 1.0))
def test_the_polarity_of_a_lead_does_not_matter(sign: list[float], share: float) -> None:
    signs = np.array(sign)[:, None]
    assert compared((beat(share) * signs)[None], TEMPLATE * signs).score == compared(beat(share)[None]).score


@given(gain=st.floats(1.0, 4.0), share=st.floats(-1.0, 1.0))
def test_the_share_does_not_depend_on_the_gain(gain: float, share: float) -> None:
    assert compared(gain * beat(share)[None], gain * TEMPLATE).share == pytest.approx(share, abs=1e-6)


@given(level=st.floats(-1.0, 1.0), slope=st.floats(-3.0, 3.0))
def test_a_movement_of_the_baseline_is_not_a_change_of_the_p_wave(level: float, slope: float) -> None:
    assert compared((beat() + level + slope * TIMES_S)[None]).share == pytest.approx(1.0, abs=1e-6)


@given(first=st.integers(0, 12))
def test_one_beat_at_a_time_gives_the_same_bits(first: int) -> None:
    rng = np.random.default_rng(7)
    beats = np.stack([beat(share) for share in np.linspace(-1, 1, 12)]) + rng.normal(0, 0.02, (12, 2, BEAT_SAMPLES))
    together = compared(beats)
    parts = [compared(part) for part in (beats[:first], beats[first:])]
    assert np.array_equal(together.score, np.concatenate([part.score for part in parts]), equal_nan=True)
    each = compared(beats, np.repeat(TEMPLATE[None], 12, axis=0), np.repeat(CLEARNESS[None], 12, axis=0))
    assert np.array_equal(together.score, each.score, equal_nan=True)


def test_patients_with_their_own_templates_are_compared_together() -> None:
    templates = np.stack([beat(p_s=-0.12), beat(p_s=-0.2)])
    together = compared(templates, templates, np.stack([CLEARNESS, CLEARNESS]))
    assert together.share == pytest.approx([1.0, 1.0], abs=1e-6)
    assert compared(templates[::-1], templates, np.stack([CLEARNESS, CLEARNESS])).share.max() < 0.5


@given(p_s=st.floats(-0.2, -0.13), qrs_width_s=st.floats(0.008, 0.02))
def test_the_p_wave_is_found_where_it_is(p_s: float, qrs_width_s: float) -> None:
    template = beat(p_s=p_s, qrs_width_s=qrs_width_s)[None]
    start = find_p_wave(template, np.ones((1, 2), np.bool_))
    assert (start + 12 - BEFORE) / 180.0 == pytest.approx(p_s, abs=0.02)


def test_without_a_p_wave_in_the_template_nothing_is_known() -> None:
    result = compared(np.stack([beat(1.0), beat(0.0)]), beat(0.0))
    assert np.isnan(result.score).all()
    assert result.form.tolist() == ["unknown", "unknown"]


def test_a_template_that_is_steep_from_the_start_has_no_p_wave() -> None:
    assert np.isnan(compared(beat()[None], beat(qrs_width_s=0.09)).share).all()


def test_a_p_wave_that_begins_before_the_segment_is_not_known() -> None:
    assert np.isnan(compared(beat(p_s=-0.27)[None], beat(p_s=-0.27)).share).all()


def test_a_noisy_beat_is_not_judged() -> None:
    noise = np.random.default_rng(3).normal(0, 0.5, (1, 2, BEAT_SAMPLES))
    assert np.isnan(compared(beat(0.0) + noise).share).all()


def test_only_readable_and_clear_leads_count() -> None:
    mixed = np.stack([beat(0.0)[0], beat(1.0)[1]])[None]
    readable = np.array([[False, True]])
    share = compare_p_waves(mixed, readable, TEMPLATE * [[1], [3]], CLEARNESS, beat_noise(mixed)).share
    assert share == pytest.approx(1 / 3, abs=1e-6)
    assert compared(mixed, TEMPLATE, np.array([50.0, 0.0])).share == pytest.approx(0.0, abs=1e-6)
    nowhere = np.zeros((1, 2), np.bool_)
    assert np.isnan(compare_p_waves(mixed, nowhere, TEMPLATE, CLEARNESS, beat_noise(mixed)).share).all()
