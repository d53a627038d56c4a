"""FIR filters: to the bit the same however the signal comes, and what SciPy computes."""

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import firwin, upfirdn

from ectopy.signal.fir import Fir, FirState, design_taps, fir_end, fir_step, missing_step


@st.composite
def filters(draw: st.DrawFn) -> Fir:
    up, down = draw(st.integers(1, 20)), draw(st.integers(1, 25))
    up, down = up // gcd(up, down), down // gcd(up, down)
    half = draw(st.integers(up - 1, 30 * up))
    taps = np.random.default_rng(half).normal(size=2 * half + 1)
    return Fir(taps + taps[::-1], up, down)


@st.composite
def signals(draw: st.DrawFn) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """A signal, and the same in chunks."""
    leads, length = draw(st.integers(1, 3)), draw(st.integers(1, 900))
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=6)))
    signal = np.random.default_rng(length).normal(size=(leads, length))
    return signal, np.split(signal, cuts, axis=1)


def output(fir: Fir, chunks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    state, parts = FirState.fresh(len(chunks[0])), []
    for chunk in chunks:
        state, part = fir_step(fir, state, chunk)
        parts.append(part)
    last = np.concatenate(chunks, axis=1)[:, -1:]
    return np.concatenate([*parts, fir_end(fir, state, last)], axis=1)


@given(filters(), signals())
def test_chunks_change_no_bit(fir: Fir, signal: tuple[NDArray[np.float64], list[NDArray[np.float64]]]):
    whole, chunks = signal
    assert np.array_equal(output(fir, [whole]), output(fir, chunks))
    # Nor do other leads beside it, nor how the samples lie in memory.
    alone = [output(fir, [np.asfortranarray(lead[None])]) for lead in whole]
    assert np.array_equal(output(fir, [np.asfortranarray(whole)]), np.concatenate(alone))


@given(filters(), signals())
def test_it_is_the_convolution_of_scipy(fir: Fir, signal: tuple[NDArray[np.float64], list[NDArray[np.float64]]]):
    whole, _ = signal
    edge = np.repeat(whole[:, -1:], fir.reach + fir.down, axis=1)
    half = len(fir.taps) // 2
    lead_in = -half % fir.down  # zeros before the taps, which make their delay a whole number of output samples
    delayed = np.concatenate([np.zeros(lead_in), fir.taps])
    expected = upfirdn(delayed, np.concatenate([whole, edge], axis=1), fir.up, fir.down, axis=1)
    computed = output(fir, [whole])
    assert computed.shape == (len(whole), -(-whole.shape[1] * fir.up // fir.down))
    expected = expected[:, (half + lead_in) // fir.down :][:, : computed.shape[1]]
    np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-12 * np.abs(fir.taps).sum() * 5)


def test_output_rests_on_a_missing_sample_only_within_the_taps():
    fir = Fir(np.ones(3), 1, 2)
    missing = np.zeros((1, 13), np.bool_)
    missing[0, 5] = True
    _, absent = missing_step(fir, FirState.fresh_missing(1), missing)
    assert absent.tolist() == [[False, False, True, True, False, False]]


@pytest.mark.parametrize(
    ("length", "edges_hz", "rate_hz", "kind"),
    [
        (59, 42.0, 360.0, "lowpass"),
        (743, 42.0, 4500.0, "lowpass"),
        (91, (5.0, 25.0), 180.0, "bandpass"),
        (297, (48.0, 52.0), 360.0, "bandstop"),
    ],
)
def test_taps_are_those_of_scipy(length: int, edges_hz: float, rate_hz: float, kind: str):
    expected = firwin(length, edges_hz, fs=rate_hz, pass_zero=kind)
    np.testing.assert_allclose(design_taps(length, edges_hz, rate_hz, kind), expected, rtol=0, atol=1e-15)
