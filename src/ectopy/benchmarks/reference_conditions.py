"""Rhythm conditions in reference annotations, by their published definitions: what a monitor should report.

The definitions are those of the PhysioNet/CinC Challenge 2015 (doi:10.1109/CIC.2015.7408639), applied to reference
beats; classes are those of de Chazal et al., doi:10.1109/TBME.2004.827359 (ventricular: `V` and `E`).

========================  ==============================================================================================
asystole                  4 s or more without a beat, also before the first and after the last; from the fourth second
extreme bradycardia       five beats in a row, mean rate below 40 per minute
extreme tachycardia       17 beats in a row, mean rate above 140 per minute; or flutter, fibrillation or tachycardia of
                          the ventricles by the mark of its episode
ventricular tachycardia   five ventricular beats in a row, mean rate above 100 per minute; or such an episode
ventricular fibrillation  as ventricular tachycardia: the condition includes those without distinct QRS complexes, which
                          the reference does not tell from others
loss of pulse             never: the reference is that of an ECG
ventricular run           three or more ventricular beats in a row
========================  ==============================================================================================

Episodes lie between `[` and `]`, or are those of the rhythms ``(VFL``, ``(VF`` and ``(VT``. Between `[` and `]` there
are not beats: no interval leads across them, and beats on both sides are not in a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRhythms
from ectopy.recording import Annotations, Recording

Stretches = NDArray[np.float64]

_ASYSTOLE_S = 4.0
_BRADYCARDIA_BPM, _BRADYCARDIA_BEATS = 40.0, 5
_TACHYCARDIA_BPM, _TACHYCARDIA_BEATS = 140.0, 17
_VT_BPM, _VT_BEATS = 100.0, 5
_RUN_BEATS = 3
_VENTRICULAR_RHYTHMS = ("VFL", "VF", "VT")


@dataclass(frozen=True, slots=True)
class ReferenceConditions:
    """Conditions by the reference; times are seconds from the start of the recording.

    Attributes
    ----------
    conditions : dict of str to ndarray of float64, shape (k, 2)
        Start and end of each stretch with a high-priority condition, by code; they may overlap.
    runs : ndarray of float64, shape (k, 3)
        First, third and last beat of each ventricular run.
    fibrillation : ndarray of float64, shape (k, 2)
        Start and end of each episode between `[` and `]`.
    normal_share : float
        Beats of the class N among all; NaN without beats.
    """

    conditions: Mapping[str, Stretches]
    runs: Stretches
    fibrillation: Stretches
    normal_share: float

    @classmethod
    def of(cls, recording: Recording) -> ReferenceConditions:
        """Find the conditions in the annotations of a recording; none without annotations."""
        marks = recording.annotations or Annotations(np.empty(0, np.int64), np.empty(0, "U1"))
        rate_hz, end_s = recording.sampling_rate_hz, recording.duration_s
        beats = LabelledBeats.of(marks, rate_hz)
        times, classes = beats.times_s, beats.classes
        fibrillation = _fibrillation(marks, marks.positions / rate_hz, end_s)
        row = np.searchsorted(fibrillation[:, 0], times)
        ventricular = np.concatenate([fibrillation, _rhythms(LabelledRhythms.of(marks, rate_hz), end_s)])
        rows = _rows(classes == "V", row)
        fast = [_at_rate(times[first : last + 1], _VT_BEATS, above_bpm=_VT_BPM) for first, last in rows]
        parts = [times[row == each] for each in np.unique(row)]
        tachycardia = [_at_rate(part, _TACHYCARDIA_BEATS, above_bpm=_TACHYCARDIA_BPM) for part in parts]
        bradycardia = [_at_rate(part, _BRADYCARDIA_BEATS, below_bpm=_BRADYCARDIA_BPM) for part in parts]
        ventricular_tachycardia = _joined([*fast, ventricular])
        return cls(
            {
                "asystole": _silences(times, fibrillation, end_s),
                "extreme bradycardia": _joined(bradycardia),
                "extreme tachycardia": _joined([*tachycardia, ventricular]),
                "ventricular tachycardia": ventricular_tachycardia,
                "ventricular fibrillation": ventricular_tachycardia,
                "loss of pulse": np.empty((0, 2)),
            },
            np.array(
                [(times[a], times[a + _RUN_BEATS - 1], times[b]) for a, b in rows if b - a + 1 >= _RUN_BEATS]
            ).reshape(-1, 3),
            fibrillation,
            float(np.mean(classes == "N")) if len(classes) else float("nan"),
        )


def _joined(stretches: list[Stretches]) -> Stretches:
    return np.concatenate([np.empty((0, 2)), *stretches])


def _fibrillation(marks: Annotations, seconds: NDArray[np.float64], end_s: float) -> Stretches:
    starts, ends = seconds[marks.symbols == "["], seconds[marks.symbols == "]"]
    ends = np.append(ends, end_s)
    return np.array([(start, ends[np.searchsorted(ends, start)]) for start in starts]).reshape(-1, 2)


def _rhythms(rhythms: LabelledRhythms, end_s: float) -> Stretches:
    """Episodes of the ventricular rhythms: each lasts until the next mark of a rhythm."""
    episodes = np.column_stack([rhythms.times_s, np.append(rhythms.times_s, end_s)[1:]])
    return episodes[[name in _VENTRICULAR_RHYTHMS for name in rhythms.names]]


def _rows(ventricular: NDArray[np.bool_], row: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last index of each row of ventricular beats."""
    rows: list[tuple[int, int]] = []
    for beat in np.flatnonzero(ventricular).tolist():
        if rows and rows[-1][1] == beat - 1 and row[beat] == row[beat - 1]:
            rows[-1] = (rows[-1][0], beat)
        else:
            rows.append((beat, beat))
    return rows


def _at_rate(
    times_s: NDArray[np.float64], beats: int, above_bpm: float = 0.0, below_bpm: float = float("inf")
) -> Stretches:
    """From the first to the last of so many beats in a row, wherever their mean rate lies within these limits."""
    if len(times_s) < beats:
        return np.empty((0, 2))
    first, last = times_s[: 1 - beats], times_s[beats - 1 :]
    bpm = 60.0 * (beats - 1) / (last - first)
    return np.column_stack([first, last])[(bpm > above_bpm) & (bpm < below_bpm)]


def _silences(times_s: NDArray[np.float64], fibrillation: Stretches, end_s: float) -> Stretches:
    """From the fourth second without a beat until the next one, outside of fibrillation."""
    edges = np.concatenate([[0.0], times_s, fibrillation[:, 0], fibrillation[:, 1], [end_s]])
    kinds = np.concatenate([np.zeros(len(times_s) + 1), np.ones(len(fibrillation)), np.zeros(len(fibrillation) + 1)])
    order = np.argsort(edges, kind="stable")
    starts, ends, inside = edges[order][:-1], edges[order][1:], kinds[order][:-1] == 1
    silent = ~inside & (ends - starts >= _ASYSTOLE_S)
    return np.column_stack([starts[silent] + _ASYSTOLE_S, ends[silent]])
