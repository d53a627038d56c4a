"""Marks of waves against those of cardiologists: Ectopy and NeuroKit2's ``dwt`` on the same recordings.

The comparison is that of Martinez et al., doi:10.1109/TBME.2003.821031, and its successors: a mark is detected if it
lies at most 150 ms from that of the cardiologist; the error is its time less the cardiologist's. In the QT Database the
cardiologist looked at both leads together and set one mark, and a method marks each lead: for each mark the lead counts
in which it lies nearer. In LUDB each lead has marks of its own, and counts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import Progress, silent
from ectopy.benchmarks.wave_peers import Delineate, LeadMarks, ectopy, load_neurokit2
from ectopy.datasets import cinc2017
from ectopy.datasets.marked_recordings import P_PEAK, QRS_PEAK, READERS, MarkedRecording, database_of
from ectopy.errors import SettingError
from ectopy.presentation import finite_or_none, short_repr
from ectopy.recording import Recording
from ectopy.signal.wave_network import MARKS
from ectopy.training.train_waves import marked_examples, read_fibrillation, train_waves

SCORED = {"p_on": "p_onset", "p_off": "p_end", "qrs_on": "qrs_onset", "qrs_off": "qrs_end", "t_off": "t_end"}
"""Names of the marks in the results, and in `MARKS`."""

TOLERANCES_MS = {"p_on": 10.2, "p_off": 12.7, "qrs_on": 6.5, "qrs_off": 11.6, "t_off": 30.6}
"""Greatest standard deviation that the CSE working party accepts. European Heart Journal 6:815-825 (1985)."""

LEFT_OUT = "patients", "databases"

NEUROKIT2 = "neurokit2_dwt"

_NEAR_S = 0.15
_AROUND_S = 60.0


@dataclass(frozen=True, slots=True)
class WaveErrors:
    """Errors of the marks of one recording.

    Attributes
    ----------
    errors_ms : dict of str to ndarray of float64
        For each of `SCORED`, the error of each mark of the cardiologist; NaN = not detected.
    p_reported, p_invented : int
        P waves reported in any lead, and those of them that the cardiologist did not mark.
    """

    __repr__ = short_repr

    errors_ms: dict[str, NDArray[np.float64]]
    p_reported: int
    p_invented: int


@dataclass(frozen=True, slots=True)
class WavesBenchmark:
    """Errors of each method by recording."""

    __repr__ = short_repr

    database: str
    methods: dict[str, dict[str, WaveErrors]]

    def summary(self) -> dict[str, Any]:
        """Every figure, for JSON: of all recordings, and of each."""
        ours, *peers = self.methods
        return {
            "database": self.database,
            **figures(self.methods[ours].values()),
            "peers": {name: figures(self.methods[name].values()) for name in peers},
            "records": {record: figures([errors]) for record, errors in self.methods[ours].items()},
        }


def figures(recordings: Iterable[WaveErrors]) -> dict[str, Any]:
    """Return sensitivity in %, mean and standard deviation in ms of each mark, and invented P waves in %.

    ``sd_ms`` is that of all marks together, ``sd_within_ms`` the mean of the standard deviations of the recordings.
    """
    recordings = list(recordings)
    waves = {}
    for name in SCORED:
        of_recordings = [recording.errors_ms[name] for recording in recordings]
        errors = np.concatenate(of_recordings)
        detected = errors[np.isfinite(errors)]
        within = [float(np.nanstd(marks)) for marks in of_recordings if np.isfinite(marks).sum() > 1]
        waves[name] = {
            "se": finite_or_none(100.0 * len(detected) / len(errors), 2) if len(errors) else None,
            "mean_ms": finite_or_none(float(detected.mean()), 2) if len(detected) else None,
            "sd_ms": finite_or_none(float(detected.std()), 2) if len(detected) else None,
            "sd_within_ms": finite_or_none(float(np.mean(within)), 2) if within else None,
        }
    reported = sum(recording.p_reported for recording in recordings)
    invented = sum(recording.p_invented for recording in recordings)
    return {"waves": waves, "p_invented": finite_or_none(100.0 * invented / reported, 2) if reported else None}


def benchmark_waves(folder: Path, progress: Progress = silent) -> WavesBenchmark:
    """Delineate the marked recordings of a database with Ectopy and, if it is installed, NeuroKit2.

    Each method gets the recording from a minute before the first mark to a minute after the last, and finds its beats
    by itself.

    Parameters
    ----------
    folder : Path
        Holds the QT Database (``.hea``, ``.dat``, ``.q1c``) or LUDB (``.hea``, ``.dat``, ``.i`` to ``.v6``).
    progress : callable
        Called with recordings done, recordings in all (0 = not known), and the current one.

    Raises
    ------
    DataError
        If the folder holds neither, or a recording cannot be read.
    """
    database = database_of(folder)
    methods: dict[str, Delineate] = {"ectopy": ectopy}
    with suppress(ModuleNotFoundError):
        methods[NEUROKIT2] = load_neurokit2()
    errors: dict[str, dict[str, WaveErrors]] = {name: {} for name in methods}
    total = len(list(folder.glob("*.hea")))
    for number, marked in enumerate(READERS[database](folder)):
        progress(number, total, marked.record)
        part, start_s = _marked_part(marked)
        for name, method in methods.items():
            errors[name][marked.record] = compare_waves(marked, method(part), start_s)
    progress(total, total, "done")
    return WavesBenchmark(database, errors)


def benchmark_left_out(folder: Path, left_out: str, progress: Progress = silent) -> dict[str, WavesBenchmark]:
    """Train the network without some people, and delineate their recordings, for all in turn.

    Parameters
    ----------
    folder : Path
        Holds the folders ``qtdb`` and ``ludb``, and ``cinc2017``, whose recordings in atrial fibrillation teach that
        there may be no P wave.
    left_out : {"patients", "databases"}
        A third of the patients of both databases, or one database.

    Returns
    -------
    dict of str to WavesBenchmark
        By database.

    Raises
    ------
    SettingError
        If `left_out` is another word.
    DataError
        If a database is missing, or a recording cannot be read.
    MissingExtraError
        If TensorFlow is not installed.
    """
    if left_out not in LEFT_OUT:
        raise SettingError(f"what is left out is {' or '.join(LEFT_OUT)}, not '{left_out}'.")
    people = list(marked_examples(folder))
    fibrillation = read_fibrillation(folder / cinc2017.NAME)
    groups = [marked.database if left_out == "databases" else _third(marked.patient) for marked, _ in people]
    results = {database: WavesBenchmark(database, {"ectopy": {}}) for database in READERS}
    each_group = sorted(set(groups))
    for number, group in enumerate(each_group):
        progress(number, len(each_group), f"without {group}")
        remaining = [part for (_, part), own in zip(people, groups, strict=True) if own != group]
        network = train_waves([*remaining, *fibrillation])
        for (marked, _), own in zip(people, groups, strict=True):
            if own == group:
                part, start_s = _marked_part(marked)
                errors = compare_waves(marked, ectopy(part, network), start_s)
                results[marked.database].methods["ectopy"][marked.record] = errors
    progress(len(each_group), len(each_group), "done")
    return results


def _third(patient: str) -> str:
    return f"third {1 + zlib.crc32(patient.encode()) % 3}"


def compare_waves(marked: MarkedRecording, leads: list[LeadMarks], start_s: float = 0.0) -> WaveErrors:
    """Compare the marks of a method with those of the cardiologist.

    Parameters
    ----------
    marked : MarkedRecording
    leads : list of LeadMarks
        Of each lead of the recording.
    start_s : float
        Time in the recording at which the method's clock starts.
    """
    of_leads = []  # for each lead, the errors of all marks in seconds, shape (9, beats)
    reported = invented = 0
    for row, lead in enumerate(leads):
        reference, whole = marked.lead_marks(row)
        marks = _of_beats(lead, reference[QRS_PEAK] - start_s) + start_s
        of_leads.append(marks - reference)
        has_p = np.isfinite(marks[P_PEAK]) & whole
        reported += int(has_p.sum())
        invented += int((has_p & np.isnan(reference[P_PEAK])).sum())
    if len(marked.marks_s) == 1:
        together = np.stack(of_leads)
        nearest = np.where(np.isnan(together), np.inf, np.abs(together)).argmin(axis=0)
        of_leads = [np.take_along_axis(together, nearest[None], axis=0)[0]]
    errors_ms = {}
    for name, mark in SCORED.items():
        row = MARKS.index(mark)
        each = [
            errors[row][np.isfinite(reference[row])] for errors, reference in zip(of_leads, marked.marks_s, strict=True)
        ]
        error = np.concatenate(each)
        errors_ms[name] = 1000.0 * np.where(np.abs(error) <= _NEAR_S, error, np.nan)
    return WaveErrors(errors_ms, reported, invented)


def _marked_part(marked: MarkedRecording) -> tuple[Recording, float]:
    """Return the recording around its marks, and when that starts."""
    peaks = np.concatenate([marks[QRS_PEAK] for marks in marked.marks_s])
    recording = marked.recording
    rate_hz = recording.sampling_rate_hz
    first = max(int((peaks.min() - _AROUND_S) * rate_hz), 0)
    last = int((peaks.max() + _AROUND_S) * rate_hz)
    part = replace(recording, signal=recording.signal[first:last], annotations=None)
    return part, first / rate_hz


def _of_beats(lead: LeadMarks, peaks_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the marks of the beats nearest to these QRS complexes, shape (9, n); NaN where there is none near."""
    if not len(lead.beats_s):
        return np.full((len(MARKS), len(peaks_s)), np.nan)
    nearest = np.abs(lead.beats_s[:, None] - peaks_s).argmin(axis=0)
    near = np.abs(lead.beats_s[nearest] - peaks_s) <= _NEAR_S
    return np.where(near, lead.marks_s[:, nearest], np.nan)
