"""The calibration pulse behind a resting ECG: 1 mV in all leads at once, as Philips' recorders store it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEWEST_LEADS = 3
_TAIL_S = 2.0
_SHORTEST_PULSE_S = 0.1
_LEADS_AGREE_MV = 0.025
"""Difference of the leads within a pulse, which the filter of a conversion to another format leaves."""
_LEVEL_AGREES_MV = 0.05


def pulse_note(signal: NDArray[np.float32], rate_hz: float) -> list[str]:
    """A note on a calibration pulse at the end of a recording, which is read as it is stored; none where it has none.

    No ECG is the same in all leads: III is the difference of II and I.

    Parameters
    ----------
    signal : ndarray of float32, shape (samples, leads)
        In mV.
    rate_hz : float
    """
    if signal.shape[1] < _FEWEST_LEADS:
        return []
    tail = signal[-int(_TAIL_S * rate_hz) :]
    # The end over which all leads agree; where samples are missing they do not.
    apart = np.flatnonzero(~(np.ptp(tail, axis=1) <= _LEADS_AGREE_MV))
    level = tail[apart[-1] + 1 if len(apart) else 0 :].mean(axis=1)
    high, low = np.abs(level - 1) <= _LEVEL_AGREES_MV, np.abs(level) <= _LEVEL_AGREES_MV
    rises = np.count_nonzero(np.diff(np.append(False, high).astype(np.int8)) == 1)
    is_pulse = rises == 1 and np.all(high | low) and np.count_nonzero(high) >= _SHORTEST_PULSE_S * rate_hz
    return [f"The last {len(level) / rate_hz:.2g} s are a calibration pulse, not ECG."] if is_pulse else []
