"""The tables of an analysed archive: recordings, beats, episodes and quality, as Arrow rows and their schemas.

Each field says what it means in its metadata: ``text``, ``unit`` and ``range``. What is not known is null, never NaN.
Figures are those of ``ectopy detect``, to the last digit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, NamedTuple

import pyarrow as pa

from ectopy.analysis.recording_findings import Findings
from ectopy.analysis.recording_results import beat_rows
from ectopy.analysis.rhythm_episodes import RhythmEpisode, find_rhythm_episodes
from ectopy.analysis.rhythm_events import Event
from ectopy.files import GENERATOR
from ectopy.presentation import finite_or_none

TABLES_VERSION = 1
"""Raise it when a schema changes in a way that readers notice."""
ANALYSED, FAILED = "analysed", "failed"

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()


def _field(name: str, kind: pa.DataType, text: str, unit: str = "", values: str = "") -> pa.Field:
    return pa.field(name, kind, metadata={"text": text, "unit": unit, "range": values})


_PATH = _field("path", _TEXT, "the recording, as in the table recordings")

RECORDINGS = pa.schema(
    [
        _field("path", _TEXT, "absolute path or URL of the recording, without password or query"),
        _field("status", _TEXT, "whether it could be analysed", values="analysed, failed"),
        _field("reason", _TEXT, "one sentence on why it could not be analysed; null = analysed"),
        _field("report", _TEXT, "its page, relative to the folder of the tables; null = not requested"),
        _field("bytes", _COUNT, "size of its files", "bytes", "from 0"),
        _field("fingerprint", _TEXT, "SHA-256 of names, sizes and times of change of its files"),
        _field("analysed_at", pa.timestamp("us", "UTC"), "when the analysis ended"),
        _field("generator", _TEXT, "the program and its version"),
        _field("detector", _TEXT, "SHA-256 of the detector's bundle"),
        _field("source", _TEXT, "where the recording comes from, for people"),
        _field("start", _TEXT, "time of the first sample, ISO 8601; local where it states no zone"),
        _field("duration_s", _NUMBER, "length", "s", "from 0"),
        _field("sampling_rate_hz", _NUMBER, "sampling rate", "Hz", "100 to 1000"),
        _field("leads", pa.list_(_TEXT), "names of the leads"),
        _field("readable_share", pa.list_(_NUMBER), "share of the time in which each lead is readable", "", "0 to 1"),
        _field("notes", pa.list_(_TEXT), "sentences on what was left out, is missing or damaged"),
        _field("patient_identifier", _TEXT, "the patient's number, as the file states it"),
        _field("patient_name", _TEXT, "the patient's name, as the file states it"),
        _field("patient_sex", _TEXT, "sex, as the file states it"),
        _field("patient_birth_date", pa.date32(), "date of birth"),
        _field("patient_age_years", _NUMBER, "age, as the file states it", "years", "from 0"),
        _field("device", _TEXT, "recorder: manufacturer, model, serial number"),
        _field("beats", _COUNT, "all beats", values="from 0"),
        _field("normal", _COUNT, "beats judged NORMAL", values="from 0"),
        _field("abnormal", _COUNT, "beats judged ABNORMAL", values="from 0"),
        _field("unreadable", _COUNT, "beats judged UNREADABLE", values="from 0"),
        _field("ventricular", _COUNT, "ventricular-like beats", values="from 0"),
        _field("supraventricular", _COUNT, "supraventricular-like beats", values="from 0"),
        _field("other", _COUNT, "other abnormal beats", values="from 0"),
        _field("ventricular_percent", _NUMBER, "share of ventricular-like beats", "%", "0 to 100"),
        _field("supraventricular_percent", _NUMBER, "share of supraventricular-like beats", "%", "0 to 100"),
        _field("couplets", _COUNT, "pairs of ventricular-like beats", values="from 0"),
        _field("ventricular_runs", _COUNT, "runs of ventricular-like beats", values="from 0"),
        _field("pauses", _COUNT, "pauses", values="from 0"),
        _field("longest_rr_s", _NUMBER, "longest RR interval", "s", "above 0"),
        _field("minimum_rate_bpm", _NUMBER, "lowest heart rate over 10 s", "/min", "above 0"),
        _field("mean_rate_bpm", _NUMBER, "mean heart rate", "/min", "above 0"),
        _field("median_rate_bpm", _NUMBER, "median heart rate", "/min", "above 0"),
        _field("maximum_rate_bpm", _NUMBER, "highest heart rate over 10 s", "/min", "above 0"),
        _field("fibrillation_percent", _NUMBER, "burden of atrial fibrillation", "% of the time", "0 to 100"),
        _field("fibrillation_episodes", _COUNT, "episodes of atrial fibrillation", values="from 0"),
        _field("sdnn_ms", _NUMBER, "standard deviation of normal RR intervals", "ms", "from 0"),
        _field("threshold", _NUMBER, "score above which a beat is abnormal"),
        _field("baseline", _TEXT, "one sentence on the patient's learned normal"),
        _field("summary", _TEXT, "JSON: all figures, as `ectopy detect --json` writes them"),
    ]
)

BEATS = pa.schema(
    [
        _PATH,
        _field("beat", _COUNT, "number of the beat in the recording", values="from 0"),
        _field("position", _COUNT, "fiducial point", "samples", "from 0"),
        _field("time_s", _NUMBER, "fiducial point, from the start of the recording", "s", "from 0"),
        _field("rr_s", _NUMBER, "time from the beat before", "s", "above 0"),
        _field("rr_after_s", _NUMBER, "time to the next beat", "s", "above 0"),
        _field("verdict", _TEXT, "verdict", values="NORMAL, ABNORMAL, UNREADABLE"),
        _field("hint", _TEXT, "likeness of an abnormal beat", values="ventricular-like, supraventricular-like, other"),
        _field("symbol", _TEXT, "PhysioNet's code", values="N, V, S, ?, Q"),
        _field("score", _NUMBER, "how unlike the normal; larger = less alike; null = unreadable"),
        _field("p_value", _NUMBER, "small = abnormal; null = unreadable", "", "above 0, to 1"),
        _field("shape", _NUMBER, "part of the shape in the score", "standard normal deviates"),
        _field("timing", _NUMBER, "part of the timing in the score", "standard normal deviates"),
        _field("p_wave", _NUMBER, "part of the P wave in the score", "standard normal deviates"),
        _field("reason", _TEXT, "one sentence on an abnormal beat"),
    ]
)

EPISODES = pa.schema(
    [
        _PATH,
        _field("list", _TEXT, "events, which may overlap, or rhythms one after the other", values="event, rhythm"),
        _field("kind", _TEXT, "kind of event, or rhythm"),
        _field("start_s", _NUMBER, "first beat, from the start of the recording", "s", "from 0"),
        _field("end_s", _NUMBER, "last beat", "s", "from 0"),
        _field("beats", _COUNT, "beats of an event; RR intervals of a rhythm", values="from 0"),
        _field("text", _TEXT, "one sentence with the figures; null of a rhythm"),
        _field("rate_bpm", _NUMBER, "rate, see `ectopy.analysis.rhythm_events.Event`", "/min", "above 0"),
        _field("coupling_s", _NUMBER, "RR interval before the ectopic beat", "s", "above 0"),
        _field("extreme_lead", _TEXT, "lead of the largest change of ST"),
        _field("extreme_value", _NUMBER, "the largest change of ST, or the longest QTc", "mV, ms"),
        _field("extreme_time_s", _NUMBER, "middle of its minute", "s", "from 0"),
    ]
)

QUALITY = pa.schema(
    [
        _PATH,
        _field("lead", _TEXT, "name of the lead"),
        _field("start_s", _NUMBER, "begin of the stretch", "s", "from 0"),
        _field("end_s", _NUMBER, "its end", "s", "above 0"),
        _field("quality", _TEXT, "its quality", values="good, missing, saturated, lead off, flat, noisy"),
        _field("index", _NUMBER, "mean index of quality; below 0.5 not readable", "", "0 to 1"),
    ]
)

TABLES: Mapping[str, pa.Schema] = {"beats": BEATS, "episodes": EPISODES, "quality": QUALITY, "recordings": RECORDINGS}
"""Schemas by table, in the order in which they are written: a recording is there when its row in ``recordings`` is."""


class Source(NamedTuple):
    """A recording to analyse: where it is, its name in the tables, and the state of its files."""

    location: str
    path: str
    bytes: int
    fingerprint: str


def finding_rows(
    source: Source, findings: Findings, detector_digest: str, analysed_at: datetime, report: str | None
) -> dict[str, pa.Table]:
    """Return the rows of an analysed recording, by table."""
    rows: dict[str, list[dict[str, Any]]] = {
        "beats": beat_rows(findings.analysis),
        "episodes": [
            *(_event_row(event) for event in findings.events),
            *(_rhythm_row(episode) for episode in find_rhythm_episodes(findings.analysis)),
        ],
        "quality": [
            {
                "lead": findings.recording.leads[stretch.lead],
                "start_s": stretch.start_s,
                "end_s": stretch.end_s,
                "quality": stretch.word,
                "index": stretch.index,
            }
            for stretch in findings.analysis.quality.intervals()
        ],
        "recordings": [
            {
                **_source_row(source, detector_digest, analysed_at),
                "status": ANALYSED,
                "report": report,
                **_figure_row(findings.figures(detector_digest)),
            }
        ],
    }
    return _as_tables(source, rows)


def failure_rows(source: Source, reason: str, detector_digest: str, analysed_at: datetime) -> dict[str, pa.Table]:
    """Return the row of a recording that could not be analysed, by table."""
    row = {**_source_row(source, detector_digest, analysed_at), "status": FAILED, "reason": reason}
    return _as_tables(source, {"recordings": [row]})


def _as_tables(source: Source, rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, pa.Table]:
    return {
        name: pa.Table.from_pylist([{**row, "path": source.path} for row in rows.get(name, ())], schema)
        for name, schema in TABLES.items()
    }


def _source_row(source: Source, detector_digest: str, analysed_at: datetime) -> dict[str, Any]:
    return {
        "bytes": source.bytes,
        "fingerprint": source.fingerprint,
        "analysed_at": analysed_at,
        "generator": GENERATOR,
        "detector": detector_digest,
    }


def _figure_row(figures: Mapping[str, Any]) -> dict[str, Any]:
    holter, patient = figures["holter"], figures["patient"] or {}
    birth = patient.get("birth_date")
    return {
        **{
            name: figures[name]
            for name in ("source", "start", "duration_s", "sampling_rate_hz", "leads", "notes", "device", "beats")
        },
        **{name: figures[name] for name in ("normal", "abnormal", "unreadable", "median_rate_bpm", "threshold")},
        "readable_share": list(figures["readable_share"].values()),
        **{f"patient_{name}": patient.get(name) or None for name in ("identifier", "name", "sex")},
        "patient_age_years": patient.get("age_years"),
        "patient_birth_date": birth and date.fromisoformat(birth),
        **{name: holter["beats"][name] for name in ("ventricular", "supraventricular", "other")},
        "ventricular_percent": holter["ventricular"]["percent"],
        "supraventricular_percent": holter["supraventricular"]["percent"],
        "couplets": holter["ventricular"]["pairs"],
        "ventricular_runs": holter["ventricular"]["runs"]["number"],
        "pauses": holter["pauses"]["number"],
        "longest_rr_s": holter["pauses"]["longest_rr_s"],
        **{f"{name}_rate_bpm": holter["rate"][f"{name}_bpm"] for name in ("minimum", "mean", "maximum")},
        "fibrillation_percent": holter["atrial_fibrillation"]["burden_percent"],
        "fibrillation_episodes": holter["atrial_fibrillation"]["episodes"],
        "sdnn_ms": holter["variability"]["whole"]["sdnn_ms"],
        "baseline": figures["baseline"],
        "summary": json.dumps(figures),
    }


def _event_row(event: Event) -> dict[str, Any]:
    row = asdict(event)
    extreme = row.pop("extreme") or {}
    return {"list": "event", **row, **{f"extreme_{name}": value for name, value in extreme.items()}}


def _rhythm_row(episode: RhythmEpisode) -> dict[str, Any]:
    row = asdict(episode)
    return {"list": "rhythm", "kind": row.pop("rhythm"), **row, "rate_bpm": finite_or_none(episode.rate_bpm)}
