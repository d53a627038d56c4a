"""Simulated signals, and their quality."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.datasets.simulated import simulate_recording
from ectopy.signal import Quality, assess, filter_signal


def judged(signal: NDArray, rate_hz: float = 250.0) -> Quality:
    return assess(signal, rate_hz, filter_signal(signal, rate_hz))


def ecg(duration_s: float = 60.0, rate_hz: float = 250.0, **options) -> NDArray[np.float64]:
    return simulate_recording(duration_s, sampling_rate_hz=rate_hz, **options).signal.astype(np.float64)
