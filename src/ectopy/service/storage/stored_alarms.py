"""Alarms in their present state, and the log of their changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from ectopy.errors import NotFoundError
from ectopy.monitor import codec
from ectopy.monitor.alarm import Alarm, Phase, Transition
from ectopy.monitor.alarm_log import GENESIS, digest_of, verify
from ectopy.monitor.events import AlarmChanged, Evidence
from ectopy.service.storage import tables
from ectopy.service.storage.database import MOST_ROWS, Database, ResultRow, Row, replace_rows
from ectopy.service.storage.stored_events import StoredEvent
from ectopy.service.storage.stored_patients import patient_id

_AT_A_TIME = 500
_CHECKPOINT_EVERY = 64
_ALARM, _EVENT, _LOG = tables.alarms.c, tables.events.c, tables.alarm_log.c
_LOGGED = sa.and_(_EVENT.patient_id == _LOG.patient_id, _EVENT.number == _LOG.event)


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An alarm in its present state.

    `origin` is the time of stream second 0, seconds since 1970, when the alarm changed last; `origins` are those when
    it was raised, and when its condition was last present: the clock may have been set in between. `id` is greater for
    alarms that changed later, and 0 if the alarm is not stored yet.
    """

    patient: str
    origin: float
    alarm: Alarm
    origins: tuple[float, float] | None = None
    id: int = 0

    @property
    def raised_origin(self) -> float:
        """Time of stream second 0 when the alarm was raised."""
        return self.origin if self.origins is None else self.origins[0]


class AlarmStore:
    """Alarms and their log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(
        self,
        patient: str | None = None,
        active_only: bool = False,
        limit: int = MOST_ROWS,
        before: int | None = None,
    ) -> list[StoredAlarm]:
        """Return the newest alarms, of one patient or of all; the one that changed last is at the end.

        With `before`, only those before the alarm with this `StoredAlarm.id`; of one patient, with this number.
        """
        # One patient's by number, the key of the table; those of all by the event at which each changed last.
        order = _ALARM.number if patient is not None else _EVENT.id
        query = _select_alarms().order_by(order.desc()).limit(limit)
        if before is not None:
            query = query.where(order < before)
        if active_only:
            query = query.where(_ALARM.phase != Phase.END.value)
        with self._database.reading() as connection:
            if patient is not None:
                query = query.where(_ALARM.patient_id == patient_id(connection, patient))
            return [_alarm(row) for row in connection.execute(query)][::-1]

    def count(self, patient: str) -> int:
        """Count the alarms that a patient has had."""
        query = sa.select(sa.func.count()).select_from(tables.alarms)
        with self._database.reading() as connection:
            mine = _ALARM.patient_id == patient_id(connection, patient)
            return connection.execute(query.where(mine)).scalar_one()

    def get(self, patient: str, number: int) -> StoredAlarm:
        """Return one alarm; a `NotFoundError` if the patient has no alarm of this number."""
        with self._database.reading() as connection:
            mine = _ALARM.patient_id == patient_id(connection, patient)
            row = connection.execute(_select_alarms().where(mine, _ALARM.number == number)).one_or_none()
            if row is None:
                raise NotFoundError(
                    f"patient {patient!r} has no alarm {number}; list the alarms to see which there are."
                )
            return _alarm(row)

    def changes(self, patient: str, number: int) -> list[StoredEvent]:
        """Return all changes of one alarm, in order, with the evidence that is still stored."""
        with self._database.reading() as connection:
            return _changes(connection, patient, number)

    def log(self, patient: str) -> list[Transition]:
        """Return all changes of the alarms of a patient, in order; see `ectopy.monitor.alarm_log.verify`."""
        with self._database.reading() as connection:
            return list(_entries(connection, patient_id(connection, patient)))

    def is_log_intact(self, patient: str, number: int) -> bool:
        """Check that the entries of one alarm, and all since the last check, are as they were written.

        The log is verified from a checkpoint on; `ectopy.monitor.alarm_log.verify` checks the whole log.
        """
        with self._database.reading() as connection:
            owner = patient_id(connection, patient)
            start, digest = _newest_entry(connection, tables.checkpoints, owner)
            intact = verify(_entries(connection, owner, start), start, digest) is None
            last = _newest_entry(connection, tables.alarm_log, owner)
            changes = [stored.event for stored in _changes(connection, patient, number)]
            own = [event for event in changes if isinstance(event, AlarmChanged)]
            numbers = {event.transition.number for event in own}
            digests = _digests(connection, owner, [start, *numbers, *(number - 1 for number in numbers)])
        digests[0] = GENESIS
        intact = intact and digests.get(start) == digest and all(_is_intact(event, digests) for event in own)
        if intact and last[0] - start >= _CHECKPOINT_EVERY:
            self._save_checkpoint(owner, *last)
        return intact

    def _save_checkpoint(self, patient: int, number: int, digest: str) -> None:
        row = {"patient_id": patient, "number": number, "digest": digest}
        with self._database.writing() as connection:
            replace_rows(connection, tables.checkpoints, [row])


def alarm_row(patient: int, origin: float, event: AlarmChanged) -> Row:
    """Return the row of an alarm as an event leaves it; `origin` is the time of stream second 0."""
    alarm = event.alarm
    return {
        "patient_id": patient,
        "number": alarm.number,
        "condition": alarm.condition,
        "priority": int(alarm.priority),
        "phase": str(alarm.phase),
        "state": str(alarm.state),
        "origin": float(origin),
        "event": int(event.number),
    }


def log_row(patient: int, time: float, event: AlarmChanged) -> Row:
    """Return the row of an entry of the log."""
    entry = event.transition
    return {
        "patient_id": patient,
        "number": entry.number,
        "event": int(event.number),
        "time": time,
        "alarm": entry.alarm.number,
        "change": entry.change,
        "who": entry.person,
        "why": entry.why,
        "digest": entry.digest,
    }


def evidence_row(patient: int, time: float, event: AlarmChanged) -> Row:
    """Return the row of the evidence of an event."""
    return {"patient_id": patient, "event": int(event.number), "time": time, "body": codec.encode(event.evidence)}


def _select_alarms() -> sa.Select[tuple[Any, ...]]:
    last = sa.and_(_ALARM.patient_id == _EVENT.patient_id, _ALARM.event == _EVENT.number)
    joined = tables.events.join(tables.alarms, last).join(tables.patients, tables.patients.c.id == _EVENT.patient_id)
    return sa.select(_EVENT.id, tables.patients.c.patient, _ALARM.origin, _EVENT.body).select_from(joined)


def _alarm(row: ResultRow) -> StoredAlarm:
    changed = codec.decode(AlarmChanged, row.body)
    return StoredAlarm(row.patient, row.origin, changed.alarm, changed.origins, row.id)


def _changes(connection: sa.Connection, patient: str, number: int) -> list[StoredEvent]:
    evidence = tables.evidence.c
    query = (
        sa.select(_EVENT.id, _EVENT.time, _EVENT.body, evidence.body.label("evidence"))
        .join_from(tables.alarm_log, tables.events, _LOGGED)
        .outerjoin(tables.evidence, sa.and_(evidence.patient_id == _EVENT.patient_id, evidence.event == _EVENT.number))
        .where(_LOG.patient_id == patient_id(connection, patient), _LOG.alarm == number)
        .order_by(_LOG.number)
    )
    return [StoredEvent(row.id, patient, row.time, _changed(row)) for row in connection.execute(query)]


def _changed(row: ResultRow) -> AlarmChanged:
    changed = codec.decode(AlarmChanged, row.body)
    return changed if row.evidence is None else replace(changed, evidence=codec.decode(Evidence, row.evidence))


def _entries(connection: sa.Connection, patient: int, after: int = 0) -> Iterator[Transition]:
    """Yield the entries of a log after one of them, in order."""
    query = (
        sa.select(_EVENT.body)
        .join_from(tables.alarm_log, tables.events, _LOGGED)
        .where(_LOG.patient_id == patient, _LOG.number > after)
        .order_by(_LOG.number)
        .execution_options(yield_per=_AT_A_TIME)
    )
    return (codec.decode(AlarmChanged, body).transition for body in connection.scalars(query))


def _newest_entry(connection: sa.Connection, table: sa.Table, patient: int) -> tuple[int, str]:
    """Return number and digest of the newest entry of a log, or of the checkpoint: that up to which it was verified."""
    column = table.c
    query = sa.select(column.number, column.digest).where(column.patient_id == patient)
    row = connection.execute(query.order_by(column.number.desc()).limit(1)).one_or_none()
    return (0, GENESIS) if row is None else (row.number, row.digest)


def _digests(connection: sa.Connection, patient: int, numbers: Sequence[int]) -> dict[int, str]:
    """Return the digests of entries of a log, as stored beside it."""
    query = sa.select(_LOG.number, _LOG.digest).where(_LOG.patient_id == patient, _LOG.number.in_(numbers))
    return {row.number: row.digest for row in connection.execute(query)}


def _is_intact(event: AlarmChanged, digests: Mapping[int, str]) -> bool:
    """Check that an entry is as it was written, fits the one before it, and has its original evidence."""
    entry, evidence = event.transition, event.evidence
    number, previous = entry.number, digests.get(entry.number - 1, "")
    fits = verify([entry], number - 1, previous) is None and digests.get(number) == entry.digest
    return fits and (evidence is None or not entry.evidence or digest_of(evidence) == entry.evidence)
