from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.errors import DataError
from ectopy.signal.filters import Filtered
from ectopy.signal.wave_delineation import BeatWaves, delineate, delineate_leads
from ectopy.signal.wave_network import INPUTS, MARKS, POSITIONS, SAMPLES, WaveNetwork, shipped_network
from support.examples import examples

RATE_HZ = 180.0
P = (-0.16, 0.022, 0.12)
QRS = [(-0.022, 0.007, -0.12), (0.0, 0.010, 1.1), (0.024, 0.008, -0.25)]
T = (0.28, 0.045, 0.3)
TIMES_S = np.arange(1.0, 9.0, 0.85)


def draw(waves: list[tuple[float, float, float]], times_s=TIMES_S, noise_mv: float = 0.004, seed: int = 0) -> Filtered:
    """One lead of ten seconds; a wave is its place after R, its standard deviation and its height."""
    grid = np.arange(10 * RATE_HZ) / RATE_HZ
    signal = np.random.default_rng(seed).normal(0.0, noise_mv, len(grid))
    for centre, spread, mv in waves:
        signal += mv * np.exp(-0.5 * ((grid - times_s[:, None] - centre) / spread) ** 2).sum(axis=0)
    return Filtered(signal[None], np.zeros((1, len(signal)), np.bool_), RATE_HZ)


def leads(*each: Filtered) -> Filtered:
    return Filtered(
        np.concatenate([lead.signal for lead in each]), np.concatenate([lead.missing for lead in each]), RATE_HZ
    )


def offsets_s(waves: BeatWaves) -> dict[str, float]:
    """Median place of each mark after R."""
    return {name: float(np.median(row - TIMES_S)) for name, row in zip(MARKS, astuple(waves), strict=True)}


def rows(waves: BeatWaves) -> np.ndarray:
    return np.stack(astuple(waves))


def test_waves_lie_where_they_were_drawn():
    marks = offsets_s(delineate(draw([P, *QRS, T]), TIMES_S))
    for peak, (centre, _, _) in (("p_peak", P), ("qrs_peak", QRS[1]), ("t_peak", T)):
        assert marks[peak] == pytest.approx(centre, abs=0.012)
    # A drawn wave has no edge; people set it two to three standard deviations from the peak.
    for edge, sign, (centre, spread, _) in (
        ("p_onset", -1, P),
        ("p_end", 1, P),
        ("qrs_onset", -1, QRS[0]),
        ("qrs_end", 1, QRS[2]),
        ("t_end", 1, T),
    ):
        assert 1.3 * spread - 0.004 < sign * (marks[edge] - centre) < 3.5 * spread + 0.004, edge


def test_t_wave_of_the_beat_before_is_no_p_wave():
    late = (0.45, 0.045, 0.3)  # 0.4 s before the next beat
    waves = rows(delineate(draw([*QRS, late]), TIMES_S))
    previous_t_peaks, p_peaks = waves[MARKS.index("t_peak"), :-1], waves[MARKS.index("p_peak"), 1:]
    assert not (np.abs(previous_t_peaks - p_peaks) < 0.05).any()


@pytest.mark.parametrize(("fibrillation_mv", "most_invented"), [(0.0, 0.0), (0.04, 0.2)])
def test_absent_p_waves_are_not_invented(fibrillation_mv, most_invented):
    times_s = 1.0 + np.concatenate([[0.0], np.cumsum(np.random.default_rng(1).uniform(0.55, 1.1, 9))])
    drawn = draw([*QRS, T], times_s)
    fibrillation = fibrillation_mv * np.sin(2 * np.pi * 6.3 * np.arange(drawn.signal.shape[1]) / RATE_HZ)
    waves = rows(delineate(Filtered(drawn.signal + fibrillation, drawn.missing, RATE_HZ), times_s))
    # Of the first beat, nothing is seen of the beat before.
    assert np.isfinite(waves[:3, 1:]).mean() <= most_invented
    assert np.isfinite(waves[3:]).all()
    with_p_waves = rows(delineate(draw([P, *QRS, T], times_s), times_s))
    assert np.isfinite(with_p_waves).all()


@settings(max_examples=examples(15), deadline=None)
@given(
    p_at=st.floats(-0.22, -0.12),
    t_at=st.floats(0.24, 0.34),
    heights=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.6, 0.6)),
    noise_mv=st.floats(0.0, 0.1),
    seed=st.integers(0, 99),
)
def test_order_of_marks(p_at, t_at, heights, noise_mv, seed):
    drawn = draw([(p_at, P[1], heights[0]), *QRS, (t_at, T[1], heights[1])], noise_mv=noise_mv, seed=seed)
    for wave in rows(delineate_leads(drawn, TIMES_S)).reshape(3, 3, -1):
        present = np.isfinite(wave).all(axis=0)
        assert (present | np.isnan(wave).all(axis=0)).all()
        assert (np.diff(wave[:, present], axis=0) >= 0).all()


@settings(max_examples=examples(10), deadline=None)
@given(scale=st.floats(0.2, 8.0), upright=st.booleans(), offset_mv=st.floats(-2.0, 2.0))
def test_amplitude_polarity_and_level_do_not_matter(scale, upright, offset_mv):
    drawn = draw([P, *QRS, T])
    other = Filtered((scale if upright else -scale) * drawn.signal + offset_mv, drawn.missing, RATE_HZ)
    np.testing.assert_allclose(rows(delineate(other, TIMES_S)), rows(delineate(drawn, TIMES_S)), atol=1e-3)


@settings(max_examples=examples(5), deadline=None)
@given(shift=st.integers(1, 90))
def test_later_signal_gives_later_marks(shift):
    drawn = draw([P, *QRS, T])
    later = Filtered(np.roll(drawn.signal, shift, axis=1), drawn.missing, RATE_HZ)
    inner = slice(1, -1)  # what is rolled in at the start lies before the first beat
    moved = rows(delineate(later, TIMES_S + shift / RATE_HZ))[:, inner]
    np.testing.assert_allclose(moved, rows(delineate(drawn, TIMES_S))[:, inner] + shift / RATE_HZ, atol=1e-3)


def test_unreadable_leads_do_not_count():
    clean, noise = draw([P, *QRS, T]), draw([], noise_mv=1.0)
    both = leads(clean, noise)
    only_first = np.tile([True, False], (len(TIMES_S), 1))
    np.testing.assert_array_equal(rows(delineate(both, TIMES_S, only_first)), rows(delineate(clean, TIMES_S)))
    only_first[3] = False
    waves = rows(delineate(both, TIMES_S, only_first))
    assert np.isnan(waves[:, 3]).all()
    assert np.isfinite(waves[:, 4]).all()


def test_each_lead_has_its_marks():
    other = draw([P, *QRS, (0.33, T[1], T[2])])
    waves = delineate_leads(leads(draw([P, *QRS, T]), other), TIMES_S)
    assert waves.t_peak.shape == (2, len(TIMES_S))
    assert len(waves) == len(TIMES_S)
    assert (waves.t_peak[1] - waves.t_peak[0] > 0.02).all()


def test_no_beats_have_no_waves():
    assert len(delineate(draw([]), np.empty(0))) == 0


def test_beats_do_not_depend_on_those_far_away():
    many = np.arange(1.0, 70.0, 0.45)  # more than are computed at once
    grid = np.arange(71 * RATE_HZ) / RATE_HZ
    signal = sum(
        mv * np.exp(-0.5 * ((grid - many[:, None] - centre) / spread) ** 2).sum(axis=0)
        for centre, spread, mv in [*QRS, T]
    )
    drawn = Filtered(signal[None], np.zeros((1, len(grid)), np.bool_), RATE_HZ)
    part = slice(55, 85)
    alone, inner = rows(delineate(drawn, many[part])), slice(4, -4)
    np.testing.assert_allclose(alone[:, inner], rows(delineate(drawn, many))[:, part][:, inner], atol=1e-6)


def test_network_saved_and_loaded_is_the_same(tmp_path):
    network = shipped_network()
    network.save(tmp_path / "waves.npz")
    again = WaveNetwork.load((tmp_path / "waves.npz").read_bytes())
    windows = np.random.default_rng(0).normal(size=(3, SAMPLES, INPUTS)).astype(np.float32)
    np.testing.assert_array_equal(again.logits(windows), network.logits(windows))
    assert network.logits(windows).shape == (3, POSITIONS + 1, len(MARKS))


def test_network_refuses_damaged_and_foreign_weights(tmp_path):
    path = tmp_path / "waves.npz"
    shipped_network().save(path)
    with pytest.raises(DataError):
        WaveNetwork.load(path.read_bytes()[:-40])
    weights = [weight.copy() for weight in astuple(shipped_network())]
    weights[0] = weights[0][:-1]
    with pytest.raises(DataError, match="not those"):
        WaveNetwork(*weights)
