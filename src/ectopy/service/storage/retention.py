"""Deletion of old rows, in small transactions, so that writers never wait long."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

import sqlalchemy as sa

from ectopy.errors import DataError
from ectopy.monitor import codec
from ectopy.monitor.inputs import Input, input_time
from ectopy.service.storage import tables
from ectopy.service.storage.database import Database, ResultRow, upsert

_AT_A_TIME = 500
_COMMAND, _ALARM = "action", "alarm"
_SAMPLES = "waveforms"


@dataclass(frozen=True, slots=True)
class Deleted:
    """Deleted rows; `bytes` counts those of samples and evidence."""

    chunks: int = 0
    beats: int = 0
    bytes: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        return Deleted(self.chunks + other.chunks, self.beats + other.beats, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class _Past:
    """Last input and last event in the newest snapshot of a patient."""

    patient_id: int
    number: int
    event: int


class Retention:
    """Deletion by age and by size."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def apply(self, older_than: float | None = None, larger_than_bytes: int | None = None) -> Deleted:
        """Delete the oldest samples and other inputs, beats and other events, and messages that have ended.

        Except for the evidence of alarms, nothing after a patient's newest snapshot is deleted. Alarms, their log,
        commands of operators and the audit stay; so does the newest event of all, after which readers continue. The
        database reuses the space.

        Parameters
        ----------
        older_than : float or None
            Seconds since 1970.
        larger_than_bytes : int or None
            Limit of all stored samples and evidence; with the oldest samples of a patient goes everything older.
        """
        columns = tables.snapshots.c
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(columns.patient_id, columns.number, columns.event))
            pasts = [_Past(*row) for row in rows]
        deleted = Deleted()
        if older_than is not None:
            for past in pasts:
                deleted += _delete_old(self._database, past, older_than)
            _delete_messages(self._database, older_than)
        if larger_than_bytes is not None:
            deleted += _delete_excess(self._database, pasts, larger_than_bytes)
        return deleted


def stored_bytes(connection: sa.Connection) -> int:
    """Return the size of all stored samples, and of the evidence of alarms."""
    size = tables.sizes.c
    return connection.execute(sa.select(size.bytes).where(size.name == _SAMPLES)).scalar_one_or_none() or 0


def add_bytes(connection: sa.Connection, change: int) -> None:
    """Add to `stored_bytes`."""
    statement = upsert(connection, tables.sizes).values(name=_SAMPLES, bytes=change)
    total = tables.sizes.c.bytes + statement.excluded.bytes
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"bytes": total}))


def _delete_old(database: Database, past: _Past, older_than: float) -> Deleted:
    deleted = Deleted()
    more = True
    while more:
        with database.writing() as connection:
            chunks = list(takewhile(lambda row: row.received < older_than, _oldest_chunks(connection, past)))
            size = _delete_chunks(connection, past, chunks)
            entries = _delete_old_entries(connection, past, older_than)
            beats = _delete_events(connection, past, older_than, tables.beats)
            events = _delete_events(connection, past, older_than, tables.events, *_dispensable_events())
            evidence, freed = _delete_evidence(connection, past, older_than)
            _delete_origins(connection, past, older_than)
        deleted += Deleted(len(chunks), beats, size + freed)
        more = _AT_A_TIME in (len(chunks), entries, beats, events, evidence)
    return deleted


def _delete_excess(database: Database, pasts: Iterable[_Past], larger_than_bytes: int) -> Deleted:
    queue: list[tuple[float, int, _Past]] = []
    with database.reading() as connection:
        for past in pasts:
            _enqueue(queue, connection, past)
    deleted = Deleted()
    while queue:
        _, _, past = heapq.heappop(queue)
        with database.writing() as connection:
            excess = stored_bytes(connection) - larger_than_bytes
            if excess <= 0:
                break
            oldest = _oldest_chunks(connection, past)
            freed_before = accumulate((row.bytes for row in oldest), initial=0)
            chunks = [row for row, freed in zip(oldest, freed_before, strict=False) if freed < excess]
            deleted += Deleted(len(chunks), 0, _delete_chunks(connection, past, chunks))
            _enqueue(queue, connection, past)
        for row in chunks[-1:]:
            deleted += _delete_old(database, past, row.received)
    return deleted


def _enqueue(queue: list[tuple[float, int, _Past]], connection: sa.Connection, past: _Past) -> None:
    """Queue a patient by the time of the oldest chunk that may be deleted."""
    for row in _oldest_chunks(connection, past, 1):
        heapq.heappush(queue, (row.received, past.patient_id, past))


def _oldest_chunks(connection: sa.Connection, past: _Past, most: int = _AT_A_TIME) -> Sequence[ResultRow]:
    chunk = tables.waveforms.c
    size = sa.func.length(chunk.signal) + sa.func.coalesce(sa.func.length(chunk.pulses), 0)
    return connection.execute(
        sa.select(chunk.number, chunk.received, chunk.stream_id, size.label("bytes"))
        .where(chunk.patient_id == past.patient_id, chunk.number <= past.number)
        .order_by(chunk.number)
        .limit(most)
    ).all()


def _delete_chunks(connection: sa.Connection, past: _Past, chunks: Sequence[ResultRow]) -> int:
    """Delete the first chunks of a patient, and return their bytes of samples."""
    if not chunks:
        return 0
    chunk = tables.waveforms.c
    number = chunks[-1].number
    connection.execute(sa.delete(tables.waveforms).where(chunk.patient_id == past.patient_id, chunk.number <= number))
    _delete_entries(connection, past, number)
    _delete_streams(connection, past, chunks[-1].stream_id)
    size: int = sum(row.bytes for row in chunks)
    add_bytes(connection, -size)
    return size


def _delete_streams(connection: sa.Connection, past: _Past, last: int) -> None:
    """Delete streams without chunks, except the `last` that had some, with which the monitor continues."""
    stream = tables.streams.c
    empty = (
        sa.select(stream.id)
        .where(stream.patient_id == past.patient_id, stream.id != last)
        .where(~sa.exists().where(tables.waveforms.c.stream_id == stream.id))
        .limit(_AT_A_TIME)
    )
    connection.execute(sa.delete(tables.streams).where(stream.id.in_(empty)))


def _delete_old_entries(connection: sa.Connection, past: _Past, before: float) -> int:
    """Delete the oldest inputs that are not samples."""
    entry = tables.journal.c
    oldest = connection.execute(
        sa.select(entry.number, entry.kind, entry.body)
        .where(entry.patient_id == past.patient_id, entry.number <= past.number, entry.kind != _COMMAND)
        .order_by(entry.number)
        .limit(_AT_A_TIME)
    )
    numbers = [row.number for row in oldest if _received(row.kind, row.body) < before]
    return _delete_entries(connection, past, numbers[-1]) if numbers else 0


def _delete_entries(connection: sa.Connection, past: _Past, number: int) -> int:
    """Delete inputs that are not samples, up to this one."""
    # Commands of operators stay: without them the remaining inputs would be replayed with other limits.
    entry = tables.journal.c
    oldest = sa.and_(entry.patient_id == past.patient_id, entry.number <= number, entry.kind != _COMMAND)
    return connection.execute(sa.delete(tables.journal).where(oldest)).rowcount


def _received(kind: str, body: bytes) -> float:
    """Return when an input came; NaN if it is damaged, so that it is deleted with the next one."""
    try:
        input_: Input = codec.decode(codec.INPUTS[kind], body)
    except DataError:
        return math.nan
    return input_time(input_)


def _delete_events(
    connection: sa.Connection, past: _Past, before: float, table: sa.Table, *conditions: sa.ColumnElement[bool]
) -> int:
    """Delete the oldest rows of `beats` or `events`."""
    event = table.c
    oldest = (
        sa.select(event.number)
        .where(event.patient_id == past.patient_id, event.time < before, event.number <= past.event, *conditions)
        .order_by(event.time)
        .limit(_AT_A_TIME)
    )
    return connection.execute(
        sa.delete(table).where(event.patient_id == past.patient_id, event.number.in_(oldest))
    ).rowcount


def _delete_evidence(connection: sa.Connection, past: _Past, before: float) -> tuple[int, int]:
    """Delete the oldest evidence of alarms, whose log stays, and return how many and their bytes."""
    column = tables.evidence.c
    mine = column.patient_id == past.patient_id
    oldest = sa.select(column.event, sa.func.length(column.body).label("bytes")).where(mine, column.time < before)
    rows = connection.execute(oldest.order_by(column.time).limit(_AT_A_TIME)).all()
    if not rows:
        return 0, 0
    connection.execute(sa.delete(tables.evidence).where(mine, column.event.in_([row.event for row in rows])))
    size: int = sum(row.bytes for row in rows)
    add_bytes(connection, -size)
    return len(rows), size


def _delete_origins(connection: sa.Connection, past: _Past, before: float) -> None:
    """Delete former origins of the clock, except the newest one before that time, which is still valid."""
    column = tables.origins.c
    mine = column.patient_id == past.patient_id
    newest = sa.select(sa.func.max(column.number)).where(mine, column.time < before).scalar_subquery()
    connection.execute(sa.delete(tables.origins).where(mine, column.number < newest))


def _dispensable_events() -> tuple[sa.ColumnElement[bool], ...]:
    # SQLite would assign the id of the newest event again, and readers that continue after it would miss an event.
    event = tables.events.c
    newest = sa.select(sa.func.max(event.id)).scalar_subquery()
    return event.kind != _ALARM, event.id < newest


def _delete_messages(database: Database, ended_before: float) -> None:
    """Delete messages that were delivered or given up."""
    message = tables.deliveries.c
    oldest = sa.select(message.key).where(message.ended < ended_before).limit(_AT_A_TIME)
    more = True
    while more:
        with database.writing() as connection:
            result = connection.execute(sa.delete(tables.deliveries).where(message.key.in_(oldest)))
            more = result.rowcount == _AT_A_TIME
