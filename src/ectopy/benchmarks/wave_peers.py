"""Ectopy's delineation of waves and an alternative to it, behind one function each: a recording in, marks out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.recording import Recording
from ectopy.signal import filter_twice, find_heartbeats
from ectopy.signal.wave_delineation import delineate_leads
from ectopy.signal.wave_network import MARKS, WaveNetwork


@dataclass(frozen=True, slots=True)
class LeadMarks:
    """Marks of the beats in one lead.

    Attributes
    ----------
    beats_s : ndarray of float64, shape (n,)
        Fiducial points, increasing.
    marks_s : ndarray of float64, shape (9, n)
        In the order of `MARKS`; NaN = the beat has no such wave, or its mark is not reported.
    """

    beats_s: NDArray[np.float64]
    marks_s: NDArray[np.float64]


Delineate = Callable[[Recording], list[LeadMarks]]


def ectopy(recording: Recording, network: WaveNetwork | None = None) -> list[LeadMarks]:
    """Ectopy on all leads, with the beats that it finds itself."""
    early, filtered = filter_twice(recording.signal, recording.sampling_rate_hz)
    beats_s = find_heartbeats(early)
    marks_s = np.stack(astuple(delineate_leads(filtered, beats_s, network)))
    return [LeadMarks(beats_s, marks_s[:, lead]) for lead in range(len(filtered.signal))]


_NEUROKIT2 = {
    "p_onset": "ECG_P_Onsets",
    "p_peak": "ECG_P_Peaks",
    "p_end": "ECG_P_Offsets",
    "qrs_onset": "ECG_R_Onsets",
    "qrs_peak": "ECG_R_Peaks",
    "qrs_end": "ECG_R_Offsets",
    "t_onset": "ECG_T_Onsets",
    "t_peak": "ECG_T_Peaks",
    "t_end": "ECG_T_Offsets",
}


def load_neurokit2() -> Delineate:
    """Import NeuroKit2; its ``dwt`` takes each lead by itself, after its own cleaning and with its own R peaks."""
    with warnings.catch_warnings(action="ignore"):
        import neurokit2

    def delineate(recording: Recording) -> list[LeadMarks]:
        rate_hz = recording.sampling_rate_hz
        with warnings.catch_warnings(action="ignore"):
            return [_delineate(lead, rate_hz) for lead in np.nan_to_num(recording.signal.T.astype(np.float64))]

    def _delineate(lead: NDArray[np.float64], rate_hz: float) -> LeadMarks:
        try:
            cleaned = neurokit2.ecg_clean(lead, sampling_rate=rate_hz)
            _, info = neurokit2.ecg_peaks(cleaned, sampling_rate=rate_hz)
            peaks = np.asarray(info["ECG_R_Peaks"])
            _, waves = neurokit2.ecg_delineate(cleaned, peaks, sampling_rate=rate_hz, method="dwt")
        except Exception:  # on leads in which it does not find beats, it raises nearly everything
            return LeadMarks(np.empty(0), np.empty((len(MARKS), 0)))
        waves = waves | {"ECG_R_Peaks": peaks}
        marks = np.stack([np.asarray(waves[_NEUROKIT2[mark]], np.float64) for mark in MARKS])
        return LeadMarks(peaks / rate_hz, marks / rate_hz)

    return delineate
