"""Events of all patients, except beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from ectopy.monitor import codec
from ectopy.monitor.events import Event
from ectopy.service.storage import tables
from ectopy.service.storage.database import MOST_ROWS, Database, Row
from ectopy.service.storage.stored_patients import patient_id


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event and its time, seconds since 1970; `id` ascends in the order of storage, over all patients."""

    id: int
    patient: str
    time: float
    event: Event


class EventStore:
    """Events other than beats, in the order in which they were stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def after(
        self, after: int = 0, patient: str | None = None, kinds: Sequence[str] = (), limit: int = MOST_ROWS
    ) -> list[StoredEvent]:
        """Return the first events with an id larger than `after`, of one patient or of all.

        Alarms come without their evidence, which `AlarmStore.changes` returns. `kinds` are keys of
        `ectopy.monitor.codec.EVENTS`; empty = all.
        """
        event = tables.events.c
        query = (
            sa.select(event.id, tables.patients.c.patient, event.time, event.kind, event.body)
            .join_from(tables.events, tables.patients)
            .where(event.id > after)
            .order_by(event.id)
            .limit(limit)
        )
        if kinds:
            query = query.where(event.kind.in_(kinds))
        with self._database.reading() as connection:
            if patient is not None:
                query = query.where(event.patient_id == patient_id(connection, patient))
            return [
                StoredEvent(row.id, row.patient, row.time, codec.decode(codec.EVENTS[row.kind], row.body))
                for row in connection.execute(query)
            ]

    def last_number(self, patient: str) -> int:
        """Return the number of the last event of a patient, also of a beat, or 0."""
        with self._database.reading() as connection:
            owner = patient_id(connection, patient)
            last = [
                connection.execute(
                    sa.select(sa.func.max(table.c.number)).where(table.c.patient_id == owner)
                ).scalar_one()
                for table in (tables.beats, tables.events)
            ]
        return max(number or 0 for number in last)

    def newest_id(self) -> int:
        """Return the id of the newest event, or 0."""
        with self._database.reading() as connection:
            return connection.execute(sa.select(sa.func.max(tables.events.c.id))).scalar_one() or 0


def event_row(patient: int, time: float, event: Event) -> Row:
    """Return the row of an event."""
    return {
        "patient_id": patient,
        "number": int(event.number),
        "kind": codec.kind_of(event),
        "time": time,
        "body": codec.encode(event),
    }
