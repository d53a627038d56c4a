"""Judged beats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ectopy.analysis.verdicts import Hint
from ectopy.detector import Verdict
from ectopy.monitor.events import BeatJudged
from ectopy.presentation import finite_or_none
from ectopy.service.storage import tables
from ectopy.service.storage.database import Database, ResultRow, Row
from ectopy.service.storage.stored_patients import patient_id

MOST_BEATS = 200_000

_ECTOPIC = (Hint.VENTRICULAR.value, Hint.SUPRAVENTRICULAR.value)
_BEAT = tables.beats.c


@dataclass(frozen=True, slots=True)
class StoredBeat:
    """A judged beat and its time, seconds since 1970."""

    time: float
    beat: BeatJudged


@dataclass(frozen=True, slots=True)
class TrendStep:
    """Numbers of beats in a step that begins at `time`, seconds since 1970.

    `ectopic` are ventricular- and supraventricular-like beats; `interval_s` is the mean RR interval, None without one.
    """

    time: float
    beats: int
    abnormal: int
    ectopic: int
    unreadable: int
    interval_s: float | None


class BeatStore:
    """Judged beats in a half-open interval of time, seconds since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first(self, patient: str, start: float, stop: float, limit: int = MOST_BEATS) -> list[StoredBeat]:
        """Return the first beats, in order."""
        query = sa.select(tables.beats).order_by(_BEAT.time, _BEAT.number).limit(limit)
        return self._read(patient, start, stop, query)

    def most_abnormal(self, patient: str, start: float, stop: float, limit: int) -> list[StoredBeat]:
        """Return the abnormal beats farthest above their thresholds, the farthest first."""
        # Scores from before the template was learned are on another scale; so are their thresholds.
        above = sa.func.coalesce(_BEAT.score - _BEAT.threshold, 0.0)
        query = sa.select(tables.beats).where(_BEAT.verdict == Verdict.ABNORMAL.value)
        return self._read(patient, start, stop, query.order_by(above.desc(), _BEAT.number).limit(limit))

    def _read(self, patient: str, start: float, stop: float, query: sa.Select[Any]) -> list[StoredBeat]:
        with self._database.reading() as connection:
            rows = connection.execute(query.where(*_between(connection, patient, start, stop)))
            return [StoredBeat(row.time, _beat(row)) for row in rows]

    def trend(self, patient: str, start: float, stop: float, step_s: float) -> list[TrendStep]:
        """Count the beats in steps; steps without beats are left out."""
        step = sa.cast(sa.func.floor((_BEAT.time - start) / step_s), sa.Integer).label("step")

        def count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
            return sa.func.sum(sa.case((condition, 1), else_=0))

        columns = (
            step,
            sa.func.count(),
            count(_BEAT.verdict == Verdict.ABNORMAL.value),
            count(_BEAT.hint.in_(_ECTOPIC)),
            count(_BEAT.verdict == Verdict.UNREADABLE.value),
            sa.func.avg(_BEAT.interval_s),
        )
        with self._database.reading() as connection:
            query = sa.select(*columns).where(*_between(connection, patient, start, stop))
            rows = connection.execute(query.group_by(step).order_by(step))
            return [TrendStep(start + number * step_s, *rest) for number, *rest in rows]


def beat_row(patient: int, origin: float, beat: BeatJudged) -> Row:
    """Return the row of a beat; `origin` is the time of stream second 0."""
    return {
        "patient_id": patient,
        "number": int(beat.number),
        "time": float(origin + beat.beat_s),
        "at_s": float(beat.at_s),
        "beat_s": float(beat.beat_s),
        "position": int(beat.position),
        "interval_s": finite_or_none(beat.interval_s),
        "verdict": str(beat.verdict),
        "hint": str(beat.hint),
        "score": finite_or_none(beat.score),
        "p_value": finite_or_none(beat.p_value),
        "threshold": finite_or_none(beat.threshold),
        "reason": beat.reason,
        "confidence": beat.confidence or None,
    }


def _beat(row: ResultRow) -> BeatJudged:
    return BeatJudged(
        number=row.number,
        at_s=row.at_s,
        beat_s=row.beat_s,
        position=row.position,
        interval_s=row.interval_s,
        verdict=row.verdict,
        hint=row.hint,
        score=row.score,
        p_value=row.p_value,
        threshold=math.nan if row.threshold is None else row.threshold,
        reason=row.reason,
        confidence=row.confidence or "",
    )


def _between(connection: sa.Connection, patient: str, start: float, stop: float) -> tuple[sa.ColumnElement[bool], ...]:
    return _BEAT.patient_id == patient_id(connection, patient), _BEAT.time >= start, _BEAT.time < stop
