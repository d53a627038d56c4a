"""Export an analysed recording: a summary, a row for each beat, annotations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ectopy.analysis import Analysis
from ectopy.analysis.beat_families import BeatFamily, find_families
from ectopy.analysis.corrections import Corrections
from ectopy.analysis.holter_figures import HolterFigures, holter_figures
from ectopy.analysis.inspection import origin
from ectopy.analysis.minute_waves import MinuteMeasurements, minute_columns, rounded
from ectopy.analysis.rhythm_episodes import find_rhythm_episodes
from ectopy.analysis.rhythm_events import Event
from ectopy.analysis.rhythm_rules import RECORDING, RhythmLimits
from ectopy.analysis.verdicts import Hint
from ectopy.analysis.wave_intervals import WaveMeasurements
from ectopy.detector.beat_results import as_csv, versions
from ectopy.disclaimers import STATEMENTS
from ectopy.errors import SettingError
from ectopy.files import GENERATOR, write_text
from ectopy.formats import write_annotations
from ectopy.formats.annotation_files import Span
from ectopy.presentation import finite_or_none, table_text
from ectopy.recording import Annotations, Recording
from ectopy.signal.quality import QUALITY_WINDOW_S

NOISE = "~"
RESULT_KINDS = (".csv", ".json", ".edf", ".atr", ".ecto", ".ann")


def summary(
    recording: Recording,
    analysis: Analysis,
    events: Sequence[Event],
    limits: RhythmLimits = RECORDING,
    minutes: MinuteMeasurements | None = None,
    holter: HolterFigures | None = None,
) -> dict[str, Any]:
    """Return the figures of a recording and the limits of its events, for JSON and tables; None = not known.

    ``holter`` has those of a Holter report, see `ectopy.analysis.holter_figures`; some of them stand beside it too.
    They are computed unless `holter` has them.
    """
    figures = holter or holter_figures(recording, analysis, events, minutes, limits)
    beats = figures.beats
    return {
        "source": recording.source,
        "duration_s": round(recording.duration_s, 3),
        **origin(recording),
        "leads": list(recording.leads),
        "notes": list(recording.notes),
        "readable_share": {
            lead: round(float(row.mean()), 6) if len(row) else None
            for lead, row in zip(recording.leads, analysis.quality.readable, strict=True)
        },
        "beats": beats.total,
        "normal": beats.normal,
        "abnormal": beats.total - beats.normal - beats.unreadable,
        "unreadable": beats.unreadable,
        "hints": {
            Hint.VENTRICULAR.value: beats.ventricular,
            Hint.SUPRAVENTRICULAR.value: beats.supraventricular,
            Hint.OTHER.value: beats.other,
        },
        "median_rate_bpm": finite_or_none(figures.rate.median_bpm, 6),
        "events": {kind: of_kind.number for kind, of_kind in sorted(figures.events.items()) if of_kind.number},
        "event_limits": asdict(limits),
        "holter": figures.summary(),
        "threshold": finite_or_none(analysis.threshold, 6),
        "baseline": analysis.baseline,
        "statements": list(STATEMENTS),
    }


def provenance(recording: Recording, detector_digest: str | None = None) -> dict[str, Any]:
    """Return the origin of results, for JSON: recording, start, sampling rate, detector and versions."""
    return {
        "generator": GENERATOR,
        "source": recording.source,
        "start": None if recording.start is None else recording.start.isoformat(),
        "sampling_rate_hz": recording.sampling_rate_hz,
        "detector": detector_digest,
        "versions": versions(),
    }


def beat_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return one record per beat; None = not known."""
    beats = analysis.beats
    rr_after_s = np.append(beats.rr_s, np.nan)[1:]
    symbols = analysis.annotations().symbols
    return [
        {
            "beat": beat,
            "position": int(analysis.positions[beat]),
            "time_s": round(float(beats.times_s[beat]), 3),
            "rr_s": finite_or_none(float(beats.rr_s[beat]), 6),
            "rr_after_s": finite_or_none(float(rr_after_s[beat]), 6),
            "verdict": str(analysis.verdict[beat]),
            "hint": str(analysis.hint[beat]),
            "symbol": str(symbols[beat]),
            "score": finite_or_none(float(analysis.score[beat]), 6),
            "p_value": finite_or_none(float(analysis.p_value[beat]), 6),
            "shape": finite_or_none(float(analysis.shape[beat]), 6),
            "timing": finite_or_none(float(analysis.timing.early[beat]), 6),
            "p_wave": finite_or_none(float(analysis.p_wave[beat]), 6),
            "reason": analysis.reason(beat),
        }
        for beat in range(len(analysis))
    ]


def family_rows(analysis: Analysis, families: Sequence[BeatFamily]) -> list[dict[str, Any]]:
    """Return one record per family of beats, in their order; None = not known."""
    times_s = analysis.beats.times_s
    return [
        {
            "family": number,
            "hint": family.hint.value,
            "beats": len(family),
            "first_s": round(float(times_s[family.rows[0]]), 3),
            "last_s": round(float(times_s[family.rows[-1]]), 3),
            "mean_mv": [[finite_or_none(value, 4) for value in lead] for lead in family.mean_mv.tolist()],
        }
        for number, family in enumerate(families, start=1)
    ]


def wave_columns(recording: Recording, measured: WaveMeasurements) -> dict[str, list[float | None]]:
    """Return the intervals of each beat, and level and slope of the ST segment in each lead; None = not known."""
    columns = {name: rounded(values, 1) for name, values in asdict(measured.intervals).items()}
    for row, lead in enumerate(recording.leads):
        for name, values in asdict(measured.st).items():
            columns[f"st_{name}_{lead}"] = rounded(values[row], 3)
    return columns


def marks(recording: Recording, analysis: Analysis) -> Annotations:
    """Return beats as PhysioNet codes, and marks of noise where no lead is readable and where one is readable again."""
    beats = analysis.annotations()
    readable = np.asarray(analysis.quality.readable.any(axis=0), np.bool_)
    changes = np.flatnonzero(np.diff(np.concatenate([[True], readable]).astype(np.int8)))
    places = np.round(changes * QUALITY_WINDOW_S * recording.sampling_rate_hz).astype(np.int64)
    positions = np.concatenate([beats.positions, places])
    order = np.argsort(positions, kind="stable")
    symbols = np.concatenate([beats.symbols, np.full(len(places), NOISE)])
    unreadable = np.where(readable[changes], 0, -1) if len(changes) else np.empty(0, int)
    subtypes = np.concatenate([np.zeros(len(beats)), unreadable]).astype(np.int8)
    return Annotations(positions[order], symbols[order], subtypes[order])


def check_results(path: Path) -> None:
    """Raise SettingError unless `path` names a kind of results file."""
    if path.suffix.lower() not in RESULT_KINDS:
        raise SettingError(f"results are written as {', '.join(RESULT_KINDS)}, not as '{path.name}'.")


def write_results(
    path: Path,
    recording: Recording,
    analysis: Analysis,
    events: Sequence[Event],
    detector_digest: str | None = None,
    measured: WaveMeasurements | None = None,
    minutes: MinuteMeasurements | None = None,
    corrections: Corrections | None = None,
) -> None:
    """Write results, by the suffix: ``.csv``, ``.json``, ``.edf``, WFDB's ``.atr`` or ``.ecto``, or ISHNE's ``.ann``.

    All but WFDB's state the source of the recording, its start and sampling rate, the detector and the program: JSON
    and EDF once, CSV in every row, so that ``pandas.read_csv`` needs no option and tables of many recordings can be
    concatenated.

    Parameters
    ----------
    path : Path
    recording, analysis, events
    detector_digest : str, optional
        SHA-256 of the bundle, see `ectopy.detector.bundle.bundle_digest`.
    measured : WaveMeasurements, optional
        Its intervals and ST segments become columns of CSV and JSON.
    minutes : MinuteMeasurements, optional
        Its values of each minute become part of JSON, and the medians of each hour.
    corrections : Corrections, optional
        Those that were applied to the analysis; JSON has them too.

    Raises
    ------
    SettingError
        If the suffix is another.
    OutputError
        If the file cannot be written.
    """
    check_results(path)
    match path.suffix.lower():
        case ".csv":
            origin = {
                name: value for name, value in provenance(recording, detector_digest).items() if name != "versions"
            }
            origin["source"] = table_text(recording.source)
            write_text(path, as_csv([row | origin for row in _table(recording, analysis, measured)]))
        case ".json":
            families = find_families(analysis.beats, analysis.hint)
            beat_list = _table(recording, analysis, measured)
            for number, family in enumerate(families, start=1):
                for row in family.rows.tolist():
                    beat_list[row]["family"] = number
            whole = {
                **provenance(recording, detector_digest),
                **summary(recording, analysis, events, minutes=minutes),
                "event_list": [asdict(event) for event in events],
                "rhythm_episodes": [asdict(episode) for episode in find_rhythm_episodes(analysis)],
                **({} if minutes is None else {"waves_by_minute": minute_columns(minutes)}),
                "families": family_rows(analysis, families),
                "beat_list": beat_list,
                **({} if corrections is None else {"corrections": msgspec.to_builtins(corrections)}),
            }
            write_text(path, json.dumps(whole, indent=1) + "\n")
        case _:
            write_annotations(
                path,
                marks(recording, analysis),
                recording.sampling_rate_hz,
                start=recording.start,
                source=recording.source,
                spans=[Span(event.start_s, event.duration_s, f"{event.kind}: {event.text}") for event in events],
            )


def _table(recording: Recording, analysis: Analysis, measured: WaveMeasurements | None) -> list[dict[str, Any]]:
    rows = beat_rows(analysis)
    if measured is not None:
        for name, values in wave_columns(recording, measured).items():
            for row, value in zip(rows, values, strict=True):
                row[name] = value
    return rows
