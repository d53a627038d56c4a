"""Ectopy's beat detection and alternatives to it, behind one function each: samples in, positions out.

Each method is called as its documentation shows, with its defaults and at the recording's own rate. The peers take one
lead: the first, in mV, with the last valid sample held where there is none, because they cannot read gaps.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.recording import Recording
from ectopy.signal import filter_twice, find_heartbeats

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Samples:
    """A recording as the methods take it.

    Attributes
    ----------
    leads : ndarray of float32, shape (samples, leads)
        Millivolt; NaN where there is no valid sample.
    first : ndarray of float64, shape (samples,)
        The first lead, with its gaps bridged.
    rate_hz : float
    """

    leads: NDArray[np.float32]
    first: NDArray[np.float64]
    rate_hz: float

    @classmethod
    def of(cls, recording: Recording) -> Samples:
        """The samples of a recording."""
        lead = recording.signal[:, 0].astype(np.float64)
        valid = np.isfinite(lead)
        last_valid = np.maximum.accumulate(np.where(valid, np.arange(len(lead)), 0))
        return cls(recording.signal, np.nan_to_num(lead)[last_valid], recording.sampling_rate_hz)


Find = Callable[[Samples], Positions]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of beat detection: `load` imports its package, if any, and returns the function."""

    load: Callable[[], Find]
    package: str | None = None


def ectopy(samples: Samples) -> Positions:
    """Ectopy on all leads."""
    return _ectopy(samples.leads, samples.rate_hz)


def ectopy_first_lead(samples: Samples) -> Positions:
    """Ectopy on the first lead alone."""
    return _ectopy(samples.leads[:, :1], samples.rate_hz)


def _ectopy(signal: NDArray[np.float32], rate_hz: float) -> Positions:
    seconds = find_heartbeats(filter_twice(signal, rate_hz)[0])
    return np.minimum(np.rint(seconds * rate_hz).astype(np.int64), len(signal) - 1)


def _load_sleepecg() -> Find:
    from sleepecg import detect_heartbeats

    return lambda samples: detect_heartbeats(samples.first, samples.rate_hz)


def _load_neurokit2() -> Find:
    import neurokit2

    def find(samples: Samples) -> Positions:
        cleaned = neurokit2.ecg_clean(samples.first, sampling_rate=samples.rate_hz)
        _, info = neurokit2.ecg_peaks(cleaned, sampling_rate=samples.rate_hz)
        peaks: Positions = info["ECG_R_Peaks"]
        return peaks

    return find


def _load_wfdb_xqrs() -> Find:
    from wfdb.processing import xqrs_detect

    return lambda samples: xqrs_detect(samples.first, samples.rate_hz, verbose=False)


def _quiet(load: Callable[[], Find]) -> Callable[[], Find]:
    """Silence the warnings of a peer while it is imported and while it runs."""

    def load_quietly() -> Find:
        with warnings.catch_warnings(action="ignore"):
            find = load()

        def find_quietly(samples: Samples) -> Positions:
            with warnings.catch_warnings(action="ignore"):
                return np.asarray(find(samples), dtype=np.int64)

        return find_quietly

    return load_quietly


METHODS: dict[str, Method] = {
    "ectopy": Method(lambda: ectopy),
    "ectopy_first_lead": Method(lambda: ectopy_first_lead),
    "sleepecg": Method(_quiet(_load_sleepecg), "sleepecg"),
    "neurokit2": Method(_quiet(_load_neurokit2), "neurokit2"),
    "wfdb_xqrs": Method(_quiet(_load_wfdb_xqrs), "wfdb"),
}
