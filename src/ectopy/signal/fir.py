"""Filter streams with linear phase, to the very samples of the whole signal.

Every output sample is a sum over the same inputs in the same order however the signal is divided into chunks, so
results are equal to the last bit. Those of FFT convolution and running sums are not, nor those of matrix products,
whose order of summation depends on their shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Phase:
    """A tap for each input sample of an output sample; `first` counts from the last that coincides with an output."""

    first: int
    taps: NDArray[np.float64]


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
    phases : tuple of Phase
        One for each output sample until input and output samples coincide again, `up` of them.
    """

    taps: NDArray[np.float64]
    up: int = 1
    down: int = 1
    reach: int = field(init=False)
    phases: tuple[Phase, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        half = len(self.taps) // 2
        object.__setattr__(self, "reach", -(-half // self.up))
        object.__setattr__(self, "phases", tuple(self._phase(number) for number in range(self.up)))

    def _phase(self, number: int) -> Phase:
        half, centre = len(self.taps) // 2, number * self.down
        first = -((half - centre) // self.up)
        return Phase(first, np.ascontiguousarray(self.taps[first * self.up - centre + half :: self.up]))


HALVING = Fir(np.ones(3), 1, 2)
"""At half the rate, a sample rests on a missing one where the sample or one beside it is missing."""


@cache
def design_bandpass(length: int, low_hz: float, high_hz: float, rate_hz: float, down: int = 1) -> Fir:
    """Return a filter of an odd length, designed by the window method, that passes a band."""
    return Fir(design_taps(length, (low_hz, high_hz), rate_hz, "bandpass"), 1, down)


def design_taps(
    length: int, edges_hz: float | Sequence[float], rate_hz: float, kind: Literal["lowpass", "bandpass", "bandstop"]
) -> NDArray[np.float64]:
    """Return taps by the window method, with a Hamming window; half of the amplitude is left at an edge.

    They are those of `scipy.signal.firwin`, without its module, which takes most of a second to import.

    Parameters
    ----------
    length : int
        Odd.
    edges_hz : float or sequence of float
        One for a low pass, two for the others, in order.
    rate_hz : float
    kind : str
    """
    edges = np.atleast_1d(edges_hz) / (rate_hz / 2)
    bands = {
        "lowpass": [(0.0, edges[0])],
        "bandpass": [(edges[0], edges[-1])],
        "bandstop": [(0.0, edges[0]), (edges[-1], 1.0)],
    }[kind]
    # The ideal filter is a difference of two sinc functions for each band; the window ends it.
    place = np.arange(length) - (length - 1) / 2
    ideal = sum(right * np.sinc(right * place) - left * np.sinc(left * place) for left, right in bands)
    taps = ideal * np.hamming(length)
    # The amplitude is 1 at 0 Hz, or in the middle of the band.
    middle = edges.mean() if kind == "bandpass" else 0.0
    scaled: NDArray[np.float64] = taps / (taps * np.cos(np.pi * place * middle)).sum()
    return scaled


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
    return state, _filtered(fir, samples, new)


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
    return state, _filtered(fir, samples.astype(np.float64), new) > 0


def _filtered(fir: Fir, samples: NDArray[np.float64], new: slice) -> NDArray[np.float64]:
    """Return output samples; the first of `samples` coincides with output sample 0, and before it the signal is 0."""
    output = np.empty((len(samples), new.stop - new.start))
    if not output.shape[1]:
        return output
    padding = max(-(-(len(fir.taps) // 2 - new.start * fir.down) // fir.up), 0)
    if padding:
        samples = np.concatenate([np.zeros((len(samples), padding)), samples], axis=1)
    samples = np.ascontiguousarray(samples, np.float64)
    by_lead, by_sample = samples.strides
    for number, phase in enumerate(fir.phases):
        # The output samples of this phase lie `up` apart, their windows of input samples `down`.
        place = (number - new.start) % fir.up
        count = -(-(output.shape[1] - place) // fir.up)
        if count > 0:
            begin = (new.start + place) // fir.up * fir.down + phase.first + padding
            windows: NDArray[np.float64] = np.ndarray(
                (len(samples), count, len(phase.taps)),
                buffer=samples,
                offset=begin * by_sample,
                strides=(by_lead, fir.down * by_sample, by_sample),
            )
            # Each sum is over the last axis in its order, whatever the length of the others.
            np.einsum("lij,j->li", windows, phase.taps, out=output[:, place :: fir.up])
    return output


def _advanced(fir: Fir, state: FirState, samples: NDArray[Any]) -> tuple[FirState, slice]:
    """Return the state after these samples, and which output samples are the next."""
    half, end = len(fir.taps) // 2, samples.shape[1]
    stop = max(state.done, (end * fir.up - 1) // fir.down + -half // fir.down + 1)
    oldest = min((stop * fir.down - half) // fir.up, end)
    # The remaining input begins where input and output samples coincide, which preserves the phase of `up` and `down`.
    start = max(0, oldest // fir.down * fir.down)
    rest = FirState(samples[:, start:], stop - start // fir.down * fir.up)
    return rest, slice(state.done, stop)


def fir_end(fir: Fir, state: FirState, last: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the remaining output samples when the input ends; its last value is repeated."""
    count = -(-state.recent.shape[1] * fir.up // fir.down) - state.done
    _, output = fir_step(fir, state, np.repeat(last, fir.reach + fir.down, axis=1))
    return output[:, : max(count, 0)]
