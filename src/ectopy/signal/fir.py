"""Filter streams with linear phase, to the very samples of the whole signal.

Every output sample is a sum over the same inputs in the same order however the signal is divided into chunks, so
results are equal to the last bit. Those of FFT convolution and running sums are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d


@dataclass(frozen=True, slots=True)
class Fir:
    """A symmetric FIR filter that changes the rate by ``up / down``; zero phase.

    Output sample m lies at the time of input sample ``m * down / up``.

    Attributes
    ----------
    taps : ndarray of float64, shape (odd length,)
        Symmetric, at the rate of the input times `up`; at least ``2 * up - 1`` of them, so that every output sample
        rests on input samples.
    up, down : int
        Without a common divisor.
    reach : int
        Input samples needed after the time of an output sample.
    delayed : ndarray of float64, shape (k,)
        The taps behind zeros that make their delay a whole number of output samples.
    delay : int
        This number.
    """

    taps: NDArray[np.float64]
    up: int = 1
    down: int = 1
    reach: int = field(init=False)
    delayed: NDArray[np.float64] = field(init=False, repr=False)
    delay: int = field(init=False)

    def __post_init__(self) -> None:
        half = len(self.taps) // 2
        lead_in = -half % self.down
        object.__setattr__(self, "reach", -(-half // self.up))
        object.__setattr__(self, "delayed", np.concatenate([np.zeros(lead_in), self.taps]))
        object.__setattr__(self, "delay", (half + lead_in) // self.down)


@cache
def design_bandpass(length: int, low_hz: float, high_hz: float, rate_hz: float, down: int = 1) -> Fir:
    """Return a filter of an odd length, designed by the window method, that passes a band."""
    return Fir(design_taps(length, (low_hz, high_hz), rate_hz, "bandpass"), 1, down)


def design_taps(
    length: int, edges_hz: float | Sequence[float], rate_hz: float, kind: Literal["lowpass", "bandpass", "bandstop"]
) -> NDArray[np.float64]:
    """Return taps by the window method; half of the amplitude is left at an edge."""
    from scipy.signal import firwin

    taps: NDArray[np.float64] = firwin(length, edges_hz, fs=rate_hz, pass_zero=kind)
    return taps


@dataclass(frozen=True, slots=True)
class FirState:
    """State of a filter between chunks; it does not depend on their position in the signal.

    Attributes
    ----------
    recent : ndarray of float64, shape (leads, k)
        Input still needed; of bool for `missing_step`. Its first sample coincides with an output sample.
    done : int
        Output samples given from that one on.
    """

    recent: NDArray[Any]
    done: int = 0

    @classmethod
    def fresh(cls, leads: int) -> FirState:
        """Return the state before the first sample; the signal counts as 0 before that."""
        return cls(np.empty((leads, 0)))

    @classmethod
    def fresh_missing(cls, leads: int) -> FirState:
        """Return the state of `missing_step` before the first sample."""
        return cls(np.empty((leads, 0), np.bool_))


def fir_step(fir: Fir, state: FirState, chunk: NDArray[np.float64]) -> tuple[FirState, NDArray[np.float64]]:
    """Filter the next samples.

    Parameters
    ----------
    fir : Fir
    state : FirState
    chunk : ndarray of float64, shape (leads, k)
        Finite values.

    Returns
    -------
    state : FirState
    output : ndarray of float64, shape (leads, m)
        All output samples whose input is complete.
    """
    samples = np.concatenate([state.recent, chunk], axis=1)
    state, new = _advanced(fir, state, samples)
    if new.start == new.stop:
        return state, np.empty((len(samples), 0))
    return state, _filtered(fir, samples)[:, new]


def missing_step(fir: Fir, state: FirState, missing: NDArray[np.bool_]) -> tuple[FirState, NDArray[np.bool_]]:
    """Return which of the next output samples of a filter with positive taps rest on a missing input sample.

    Most signals have no gaps; for these the filter is not computed.

    Parameters
    ----------
    fir : Fir
    state : FirState
    missing : ndarray of bool, shape (leads, k)

    Returns
    -------
    state : FirState
    absent : ndarray of bool, shape (leads, m)
    """
    samples = np.concatenate([state.recent, missing], axis=1)
    state, new = _advanced(fir, state, samples)
    if new.start == new.stop or not samples.any():
        return state, np.zeros((len(samples), new.stop - new.start), np.bool_)
    return state, _filtered(fir, samples.astype(np.float64))[:, new] > 0


def _filtered(fir: Fir, samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter samples between zeros; at a changed rate with the delay of the filter."""
    if fir.up == fir.down == 1:
        same_rate = np.empty(samples.shape)
        correlate1d(samples, fir.taps, axis=1, output=same_rate, mode="constant")
        return same_rate
    from scipy.signal import upfirdn  # which takes a second to import

    resampled: NDArray[np.float64] = upfirdn(fir.delayed, samples, fir.up, fir.down, axis=1)
    return resampled


def _advanced(fir: Fir, state: FirState, samples: NDArray[Any]) -> tuple[FirState, slice]:
    """Return the state after these samples, and which samples of `_filtered` are the next output."""
    end = samples.shape[1]
    stop = max(state.done, (end * fir.up - 1) // fir.down - fir.delay + 1)
    delay = 0 if fir.up == fir.down == 1 else fir.delay
    oldest = min((stop * fir.down - len(fir.taps) // 2) // fir.up, end)
    # The remaining input begins where input and output samples coincide, which preserves the phase of `up` and `down`.
    start = max(0, oldest // fir.down * fir.down)
    rest = FirState(samples[:, start:], stop - start // fir.down * fir.up)
    return rest, slice(state.done + delay, stop + delay)


def fir_end(fir: Fir, state: FirState, last: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the remaining output samples when the input ends; its last value is repeated."""
    count = -(-state.recent.shape[1] * fir.up // fir.down) - state.done
    _, output = fir_step(fir, state, np.repeat(last, fir.reach + fir.down, axis=1))
    return output[:, : max(count, 0)]
