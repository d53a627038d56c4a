"""Deletes the oldest waveforms, beats and ended messages, a little at a time so that nobody waits for it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any

import sqlalchemy as sa

from ectopy.service.storage import tables
from ectopy.service.storage.database import Database
from ectopy.service.storage.records import Forgotten
from ectopy.service.storage.writing import add_bytes, stored_bytes

_AT_A_TIME = 500
_ORDER = "action"


@dataclass(frozen=True, slots=True)
class _Past:
    """What the newest snapshot of a patient has made dispensable: up to this input and this event."""

    patient_id: int
    number: int
    event: int


def forget(database: Database, older_than: float | None, larger_than_bytes: int | None) -> Forgotten:
    """Delete by age and by size; see `Store.forget`."""
    columns = tables.snapshots.c
    with database.reading() as connection:
        rows = connection.execute(sa.select(columns.patient_id, columns.number, columns.event))
        pasts = [_Past(*row) for row in rows]
    done: list[Forgotten] = []
    if older_than is not None:
        for past in pasts:
            done += _forget_old(database, past, older_than)
        _forget_messages(database, older_than)
    if larger_than_bytes is not None:
        done += _forget_much(database, pasts, larger_than_bytes)
    return Forgotten(sum(one.chunks for one in done), sum(one.beats for one in done), sum(one.bytes for one in done))


def _forget_old(database: Database, past: _Past, older_than: float) -> list[Forgotten]:
    done: list[Forgotten] = []
    more = True
    while more:
        with database.writing() as connection:
            chunks = list(takewhile(lambda row: row.received < older_than, _oldest_chunks(connection, past)))
            size = _delete_chunks(connection, past, chunks)
            done.append(Forgotten(len(chunks), _delete_beats(connection, past, older_than), size))
        more = _AT_A_TIME in (done[-1].chunks, done[-1].beats)
    return done


def _forget_much(database: Database, pasts: Iterable[_Past], larger_than_bytes: int) -> list[Forgotten]:
    queue: list[tuple[float, int, _Past]] = []
    with database.reading() as connection:
        for past in pasts:
            _enqueue(queue, connection, past)
    done: list[Forgotten] = []
    while queue:
        _, _, past = heapq.heappop(queue)
        with database.writing() as connection:
            excess = stored_bytes(connection) - larger_than_bytes
            if excess <= 0:
                break
            oldest = _oldest_chunks(connection, past)
            freed_before = accumulate((row.bytes for row in oldest), initial=0)
            chunks = [row for row, freed in zip(oldest, freed_before, strict=False) if freed < excess]
            done.append(Forgotten(len(chunks), 0, _delete_chunks(connection, past, chunks)))
            _enqueue(queue, connection, past)
        for row in chunks[-1:]:
            done += _forget_old(database, past, row.received)
    return done


def _enqueue(queue: list[tuple[float, int, _Past]], connection: sa.Connection, past: _Past) -> None:
    """Put a patient who has chunks to forget where its oldest one belongs."""
    for row in _oldest_chunks(connection, past, 1):
        heapq.heappush(queue, (row.received, past.patient_id, past))


def _oldest_chunks(
    connection: sa.Connection, past: _Past, most: int = _AT_A_TIME
) -> Sequence[sa.Row[*tuple[Any, ...]]]:
    chunk = tables.waveforms.c
    return connection.execute(
        sa.select(chunk.number, chunk.received, sa.func.length(chunk.signal).label("bytes"))
        .where(chunk.patient_id == past.patient_id, chunk.number <= past.number)
        .order_by(chunk.number)
        .limit(most)
    ).all()


def _delete_chunks(connection: sa.Connection, past: _Past, chunks: Sequence[sa.Row[*tuple[Any, ...]]]) -> int:
    """Delete the first chunks of a patient; how many bytes of samples that were."""
    if not chunks:
        return 0
    # Orders of operators stay: without them, what is left would be replayed with other limits.
    chunk, entry = tables.waveforms.c, tables.journal.c
    number = chunks[-1].number
    connection.execute(sa.delete(tables.waveforms).where(chunk.patient_id == past.patient_id, chunk.number <= number))
    told = sa.and_(entry.patient_id == past.patient_id, entry.number <= number, entry.kind != _ORDER)
    connection.execute(sa.delete(tables.journal).where(told))
    size: int = sum(row.bytes for row in chunks)
    add_bytes(connection, -size)
    return size


def _delete_beats(connection: sa.Connection, past: _Past, before: float) -> int:
    beat = tables.beats.c
    oldest = (
        sa.select(beat.number)
        .where(beat.patient_id == past.patient_id, beat.time < before, beat.number <= past.event)
        .order_by(beat.time)
        .limit(_AT_A_TIME)
    )
    return connection.execute(
        sa.delete(tables.beats).where(beat.patient_id == past.patient_id, beat.number.in_(oldest))
    ).rowcount


def _forget_messages(database: Database, ended_before: float) -> None:
    """Delete messages that have been taken or given up."""
    message = tables.deliveries.c
    oldest = sa.select(message.key).where(message.ended < ended_before).limit(_AT_A_TIME)
    more = True
    while more:
        with database.writing() as connection:
            gone = connection.execute(sa.delete(tables.deliveries).where(message.key.in_(oldest)))
            more = gone.rowcount == _AT_A_TIME
