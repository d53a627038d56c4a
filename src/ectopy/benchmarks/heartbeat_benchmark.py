"""Quality and speed of beat detection: Ectopy and the peers on the same records in the same run.

Every method gets the same samples, and its detections are compared with the reference as EC57 says: a beat is detected
when a detection lies at most 150 ms away, and scoring starts after five minutes. The ten seconds of a record of LUDB
are scored from the first QRS complex that is marked to the last, because those before and after are not marked.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from ectopy.arguments import Progress, silent
from ectopy.benchmarks.heartbeat_peers import METHODS, Find, Positions, Samples, ectopy_first_lead
from ectopy.datasets import ludb, mitdb, qtdb
from ectopy.datasets.databases import DATABASES
from ectopy.datasets.labelled_recording import LabelledRecording
from ectopy.datasets.mitdb_records import records_of
from ectopy.errors import DataError, EctopyError, MissingExtraError, SettingError
from ectopy.evaluation.ec57 import CLASSES, LEARNING_S, MATCH_WINDOW_S, Comparison, compare, gross
from ectopy.formats import read
from ectopy.presentation import short_repr
from ectopy.recording import Annotations, Recording
from ectopy.signal.amplitude import require_plausible_start

SPLITS = (*mitdb.SPLITS, "all")
"""Of these, ``all`` are those in the folder except the paced records, which EC57 leaves out."""

_DATABASES = (qtdb.NAME, ludb.NAME)

_SAME_WORK = "ectopy_first_lead"
_DAY_S = 24 * 3600
_VENTRICULAR = CLASSES.index("V")
_MISSED = [CLASSES.index("O"), CLASSES.index("X")]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a method, by record.

    Seconds are processor time, from samples in memory to beats; other programs on the machine do not count.
    """

    __repr__ = short_repr

    comparisons: dict[str, Comparison]
    seconds: dict[str, float]

    def summary(self) -> dict[str, Any]:
        """Every figure, for JSON: gross, and per record."""
        whole = gross(list(self.comparisons.values()))
        missed, beats = _ventricular(whole)
        return {
            "gross": _figures(whole),
            "missed_veb": missed,
            "veb": beats,
            "seconds": sum(self.seconds.values()),
            "records": {name: self._record(name) for name in self.comparisons},
        }

    def _record(self, name: str) -> dict[str, Any]:
        missed, beats = _ventricular(self.comparisons[name])
        figures = _figures(self.comparisons[name])
        return {**figures, "missed_veb": missed, "veb": beats, "seconds": self.seconds[name]}


@dataclass(frozen=True, slots=True)
class HeartbeatBenchmark:
    """The results by method, Ectopy's time for 24 hours of one lead, and methods left out with the missing package."""

    __repr__ = short_repr

    split: str
    findings: dict[str, Finding]
    seconds_24h: float
    left_out: dict[str, str]

    def summary(self) -> dict[str, Any]:
        """Every figure, for JSON; ``relative_seconds`` is 1 for Ectopy on the one lead that the peers get too."""
        methods = {name: finding.summary() for name, finding in self.findings.items()}
        unit = methods[_SAME_WORK]["seconds"] if _SAME_WORK in methods else float("nan")
        for figures in methods.values():
            figures["relative_seconds"] = figures["seconds"] / unit
        return {"split": self.split, "methods": methods, "seconds_24h": self.seconds_24h, "left_out": self.left_out}


def benchmark_heartbeats(
    folder: Path, split: str = "all", methods: Iterable[str] = tuple(METHODS), progress: Progress = silent
) -> HeartbeatBenchmark:
    """Find the heartbeats of the records in a folder with several methods, and compare with the reference.

    Parameters
    ----------
    folder : Path
        Holds WFDB records with their reference annotations: ``.hea``, ``.dat`` and ``.atr``.
    split : {"ds1", "ds2", "all", "qtdb", "ludb"}
        Records of the MIT-BIH Arrhythmia Database to take, or all in the folder that are not paced; or the records of
        another database.
    methods : iterable of str
        Names in `METHODS`; one whose package is not installed is left out.

    Raises
    ------
    SettingError
        If the split or a method is unknown.
    DataError
        If the folder or a record of the split is missing, or a record cannot be used.
    MissingExtraError
        If none of the methods is installed.
    """
    records = _records(folder, split)
    finders, left_out = _load(methods)
    findings = {name: Finding({}, {}) for name in finders}
    runs, total = count(), len(records) * len(finders) + 1
    for record, recording, scored in _read(folder, split, records):
        require_plausible_start(recording)
        samples = Samples.of(recording)
        for name, find in finders.items():
            progress(next(runs), total, f"{record}: {name}")
            seconds, positions = _run(find, samples, name, record)
            findings[name].comparisons[record] = _compare(recording, positions, record, scored)
            findings[name].seconds[record] = seconds
    progress(next(runs), total, "24 h of one lead")
    seconds_24h = _day(next(_read(folder, split, records[:1]))[1])
    progress(total, total, "done")
    return HeartbeatBenchmark(split, findings, seconds_24h, left_out)


def _records(folder: Path, split: str) -> tuple[str, ...]:
    if split not in SPLITS and split not in _DATABASES:
        raise SettingError(f"unknown split '{split}'; use one of {', '.join((*SPLITS, *_DATABASES))}.")
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; name one that holds records (.hea, .dat and .atr).")
    if split in _DATABASES:
        labelled = DATABASES[split].records(folder)
        if not labelled:
            raise DataError(f"the folder {folder} has no labelled record; run `ectopy fetch {split}`.")
        return labelled
    if split in mitdb.SPLITS:
        return records_of(folder, split)
    here = {
        path.stem for path in folder.glob("*.hea") if all(path.with_suffix(end).is_file() for end in mitdb.SUFFIXES)
    }
    records = tuple(sorted(here - set(mitdb.PACED)))
    if not records:
        raise DataError(f"the folder {folder} holds no record with its .hea, .dat and .atr; name another folder.")
    return records


def _read(
    folder: Path, split: str, records: tuple[str, ...]
) -> Iterator[tuple[str, Recording, tuple[float, float] | None]]:
    """Read records with their reference annotations, and the seconds to score if not those of EC57."""
    if split not in _DATABASES:
        for record in records:
            yield record, read(folder / record), None
        return
    for labelled in DATABASES[split].read(folder):
        if labelled.name in records:
            yield labelled.name, *_reference(labelled)


def _reference(labelled: LabelledRecording) -> tuple[Recording, tuple[float, float] | None]:
    """Return a recording of a database with its beats as annotations, and the seconds to score if not those of EC57."""
    recording, beats = labelled.recording, labelled.beats
    if recording is None or beats is None:
        raise DataError(f"record {labelled.name} has no signal or no labels of beats; run `ectopy fetch` again.")
    if recording.annotations:
        return recording, None
    positions = np.rint(beats.times_s * recording.sampling_rate_hz).astype(np.int64)
    marked = replace(recording, annotations=Annotations(positions, beats.symbols))
    return marked, (beats.times_s[0] - MATCH_WINDOW_S, beats.times_s[-1] + MATCH_WINDOW_S)


def _load(methods: Iterable[str]) -> tuple[dict[str, Find], dict[str, str]]:
    finders: dict[str, Find] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(methods):
        if name not in METHODS:
            raise SettingError(f"unknown method '{name}'; use some of {', '.join(METHODS)}.")
        method = METHODS[name]
        try:
            finders[name] = method.load()
        except ModuleNotFoundError:
            left_out[name] = method.package or name
    if not finders:
        raise MissingExtraError.of("peers", f"finding heartbeats with {', '.join(left_out)}")
    return finders, left_out


def _run(find: Find, samples: Samples, method: str, record: str) -> tuple[float, Positions]:
    started = time.process_time()
    try:
        positions = find(samples)
    except EctopyError as error:
        raise DataError(f"record {record}: {error}") from error
    except Exception as error:  # on signals without beats, peers raise nearly everything
        raise DataError(f"{method} fails on record {record} ({error}); leave it out with --methods.") from error
    return time.process_time() - started, positions


def _compare(recording: Recording, positions: Positions, record: str, scored: tuple[float, float] | None) -> Comparison:
    if not recording.annotations:
        raise DataError(f"record {record} has no reference annotations; take it out of the folder.")
    rate_hz, samples, start_s = recording.sampling_rate_hz, len(recording.signal), LEARNING_S
    if scored is not None:
        first, last = np.array(scored) * rate_hz
        positions, start_s = positions[(positions >= first) & (positions <= last)], 0.0
    detections = Annotations(np.sort(positions), np.full(len(positions), "N"))
    try:
        return compare(recording.annotations, detections, sampling_rate_hz=rate_hz, samples=samples, start_s=start_s)
    except DataError as error:
        raise DataError(f"record {record}: {error}") from error


def _day(recording: Recording) -> float:
    """Seconds for the first lead, repeated until a day is full."""
    lead = np.resize(recording.signal[:, :1], (round(_DAY_S * recording.sampling_rate_hz), 1))
    samples = Samples(lead, np.empty(0), recording.sampling_rate_hz)
    started = time.process_time()
    ectopy_first_lead(samples)
    return time.process_time() - started


def _figures(comparison: Comparison) -> dict[str, float]:
    return {name: value for name, value in comparison.summary().items() if name.startswith("qrs_")}


def _ventricular(comparison: Comparison) -> tuple[int, int]:
    """Missed ventricular beats of the reference, and the number of all of them."""
    row = comparison.counts[_VENTRICULAR]
    return int(row[_MISSED].sum()), int(row.sum())
