"""Fit the weights of `ectopy.signal.fibrillation_waveform`, and measure them on records and databases left out.

Windows of four seconds, one each second of each lead. Those inside annotated ventricular fibrillation, flutter or
tachycardia are *ventricular*; those outside of all of it are *other*: other rhythms and annotated noise of the MIT-BIH
Malignant Ventricular Ectopy Database, all other windows of the MIT-BIH Arrhythmia Database, all of the QT Database and
of the Challenge 2017, and the records of the Challenge 2015 whose alarm was false. Windows across a change, in
asystole, or without enough signal are left out. Those that are noise by rule take part in the fit, and never count as
fibrillation.

Every eleventh record of each database is left out in turn, then every database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import Progress, silent
from ectopy.benchmarks.icu_benchmark import ALARMS_FILE, parse_alarms
from ectopy.benchmarks.logistic_fit import fit_logistic
from ectopy.errors import DataError
from ectopy.formats import read
from ectopy.recording import Recording
from ectopy.signal.fibrillation_waveform import MEASURES, RATE_HZ, THRESHOLD, WEIGHTS, WINDOW_S, measure_signal
from ectopy.signal.filters import filter_signal

FOLDS = 11
DATABASES = ("vfdb", "mitdb", "qtdb", "cinc2017", "cinc2015")
"""Folders that are read."""

_VENTRICULAR, _OTHER, _LEFT_OUT = 1, 0, -1
_VENTRICULAR_RHYTHMS = frozenset({"(VF", "(VFIB", "(VFL", "(VT"})
_OTHER_SHARE = 0.06  # of the other windows, for the fit: most are alike

_Part = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Windows:
    """Measured windows of all records; arrays have one entry per window.

    Attributes
    ----------
    measures : ndarray of float64, shape (n, 4)
        In the order of `MEASURES`.
    ventricular : ndarray of bool
    noise : ndarray of bool
        Where noise makes the lead useless.
    database : ndarray of str
    record : ndarray of str
        Name of the record, with its database.
    fold : ndarray of int64
    """

    measures: NDArray[np.float64]
    ventricular: NDArray[np.bool_]
    noise: NDArray[np.bool_]
    database: NDArray[np.str_]
    record: NDArray[np.str_]
    fold: NDArray[np.int64]


def benchmark_fibrillation(folder: Path, progress: Progress = silent) -> dict[str, Any]:
    """Fit and measure with records and databases left out, and fit on all.

    Parameters
    ----------
    folder : Path
        Holds the folders ``vfdb``, ``mitdb``, ``qtdb``, ``cinc2017`` and ``cinc2015``, or some of them.

    Returns
    -------
    dict
        ``windows`` by database, ``weights`` (in use, and fitted on all), ``records_left_out`` and
        ``databases_left_out``: sensitivity and false windows per hour by database, and by record for sensitivity.

    Raises
    ------
    DataError
        If the folder does not hold ``vfdb`` and another of them, or a record cannot be read.
    """
    windows = _read_all(folder, progress)
    selected = _select(windows)
    by_record = np.full(len(windows.ventricular), np.nan)
    for fold in range(FOLDS):
        out = windows.fold == fold
        by_record[out] = _scores(_fit(windows, selected & ~out), windows.measures[out])
    by_database, weights = np.full(len(windows.ventricular), np.nan), {}
    for name in np.unique(windows.database).tolist():
        out = windows.database == name
        weights[name] = _fit(windows, selected & ~out)
        by_database[out] = _scores(weights[name], windows.measures[out])
    return {
        "windows": {
            name: {
                "there": int((here & windows.ventricular).sum()),
                "not_there": int((here & ~windows.ventricular).sum()),
            }
            for name, here in _each_database(windows)
        },
        "measures": MEASURES,
        "weights": {
            "in_use": list(WEIGHTS),
            "fitted": _fit(windows, selected).tolist(),
            "without": {name: fitted.tolist() for name, fitted in weights.items()},
        },
        "records_left_out": _figures(windows, by_record),
        "databases_left_out": _figures(windows, by_database),
    }


def _read_all(folder: Path, progress: Progress) -> Windows:
    paths = list(_paths(folder))
    if {name for name, _ in paths} <= {"vfdb"} or not any(name == "vfdb" for name, _ in paths):
        raise DataError(f"the folder {folder} must hold the folders vfdb and mitdb, qtdb, cinc2017 or cinc2015.")
    parts: list[_Part] = []
    counts: dict[str, int] = {}
    columns: list[tuple[str, str, int]] = []
    for number, (database, path) in enumerate(paths):
        progress(number, len(paths), f"{database} {path.stem}")
        parts.append(_windows(database, path))
        columns.append((database, f"{database}/{path.stem}", counts.get(database, 0) % FOLDS))
        counts[database] = counts.get(database, 0) + 1
    sizes = [len(noise) for _, _, noise in parts]
    arrays = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Windows(*arrays, *(np.repeat(np.array(column), sizes) for column in zip(*columns, strict=True)))


def _paths(folder: Path) -> Iterator[tuple[str, Path]]:
    for database in DATABASES:
        alarms = folder / database / ALARMS_FILE
        if alarms.is_file():
            false = (alarm.record for alarm in parse_alarms(alarms) if not alarm.truth)
            yield from ((database, folder / database / f"{record}.hea") for record in false)
        else:
            yield from ((database, path) for path in sorted((folder / database).glob("*.hea")))


def _windows(database: str, path: Path) -> _Part:
    """Measures of the labelled windows of a record, and whether they are ventricular, and noise."""
    recording = _recording(path)
    filtered = filter_signal(recording.signal, recording.sampling_rate_hz)
    measures, is_measured, noise = measure_signal(filtered)
    labels = _labels(database, recording, measures.shape[2] + WINDOW_S - 1)
    spans = np.lib.stride_tricks.sliding_window_view(labels, WINDOW_S * RATE_HZ)[::RATE_HZ][: measures.shape[2]]
    label = np.where((spans == spans[:, :1]).all(axis=1), spans[:, 0], _LEFT_OUT)
    used = is_measured & (label != _LEFT_OUT)
    return measures.transpose(1, 2, 0)[used], np.broadcast_to(label == _VENTRICULAR, used.shape)[used], noise[used]


def _recording(path: Path) -> Recording:
    try:
        return read(path)
    except DataError:  # some of the QT Database state no unit
        return read(path, unit="mV")


def _labels(database: str, recording: Recording, seconds: int) -> NDArray[np.int64]:
    """Label each sample at `RATE_HZ` by the annotations of ventricular rhythms."""
    labels = np.full(seconds * RATE_HZ, _OTHER)
    marks = recording.annotations
    if database not in ("vfdb", "mitdb") or marks is None:
        return labels
    places = (marks.positions * (RATE_HZ / recording.sampling_rate_hz)).astype(np.int64)
    notes = marks.notes or ("",) * len(marks)
    rhythms = [(place, note) for place, note, symbol in zip(places, notes, marks.symbols, strict=True) if symbol == "+"]
    ends = [place for place, _ in rhythms[1:]] + [len(labels)]
    for (start, note), end in zip(rhythms, ends, strict=True):
        if note in _VENTRICULAR_RHYTHMS:
            labels[start:end] = _VENTRICULAR
        elif note.startswith("(ASYS"):
            labels[start:end] = _LEFT_OUT
    starts, ends = places[marks.symbols == "["].tolist(), places[marks.symbols == "]"].tolist()
    for start, end in zip(starts, ends, strict=False):
        labels[start:end] = _VENTRICULAR
    return labels


def _select(windows: Windows) -> NDArray[np.bool_]:
    """Windows for the fit: all that are ventricular or of VFDB, and some of the others."""
    random = np.random.default_rng(0).random(len(windows.noise))
    return np.asarray(windows.ventricular | (windows.database == "vfdb") | (random < _OTHER_SHARE))


def _fit(windows: Windows, selected: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logistic regression: the offset, then a weight for each measure; records count by the root of their windows."""
    ventricular = windows.ventricular[selected]
    _, record, counts = np.unique(
        windows.record[selected & windows.ventricular], return_inverse=True, return_counts=True
    )
    weight = np.ones(len(ventricular))
    weight[ventricular] = 1.0 / np.sqrt(counts[record])
    weight[ventricular] *= ventricular.sum() / weight[ventricular].sum()
    return fit_logistic(windows.measures[selected], ventricular, weight)


def _scores(weights: NDArray[np.float64], measures: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(weights[0] + measures @ weights[1:])


def _each_database(windows: Windows) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for name in DATABASES:
        here = windows.database == name
        if here.any():
            yield name, here


def _figures(windows: Windows, score: NDArray[np.float64]) -> Mapping[str, Any]:
    above = (score > THRESHOLD) & ~windows.noise
    sensitivity = {
        name: float(above[windows.ventricular & (windows.record == name)].mean())
        for name in np.unique(windows.record[windows.ventricular]).tolist()
    }
    return {
        "sensitivity": {
            name: float(above[here & windows.ventricular].mean())
            for name, here in _each_database(windows)
            if (here & windows.ventricular).any()
        },
        "sensitivity_by_record": sensitivity,
        "false_windows_per_hour": {
            name: float(3600.0 * above[here & ~windows.ventricular].mean())
            for name, here in _each_database(windows)
            if (here & ~windows.ventricular).any()
        },
    }
