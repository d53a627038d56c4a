"""Stores what monitors were told and what came of it: many patients in one transaction, each row once."""

from __future__ import annotations

import json
import math
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import IntegrityError

from ectopy.errors import DataError, EctopyError
from ectopy.formats.leads import millivolt
from ectopy.monitor import codec
from ectopy.monitor.events import AlarmChanged, BeatJudged, Event
from ectopy.monitor.inputs import Chunk, Input
from ectopy.service.outbox import Delivery
from ectopy.service.storage import tables
from ectopy.service.storage.database import POSTGRESQL, Database
from ectopy.service.storage.reading import patient_id, read_inputs
from ectopy.service.storage.records import Stepped

_LARGEST = 2**62
_LONGEST_TEXT = 400
_LEAST_SHIFT_S = 0.25
_WAVEFORMS = "waveforms"

_Row = dict[str, Any]
_Layout = tuple[str, float, tuple[str, ...], str]


def upsert(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say what to do where the row is there already."""
    return postgresql.insert(table) if connection.dialect.name == POSTGRESQL else sqlite.insert(table)


def _largest(column: sa.Column[int]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.max(column)).where(column.table.c.patient_id == sa.bindparam("patient")).scalar_subquery()


_TAIL = sa.select(
    _largest(tables.waveforms.c.number),
    _largest(tables.journal.c.number),
    _largest(tables.snapshots.c.number),
    _largest(tables.beats.c.number),
    _largest(tables.events.c.number),
    _largest(tables.snapshots.c.event),
)


def _insert(table: sa.Table, dialect: Dialect) -> str:
    return str(sa.insert(table).compile(dialect=dialect))


@dataclass(frozen=True, slots=True)
class _Tail:
    """Up to where the inputs and events of a patient are stored."""

    patient_id: int
    number: int
    event: int


@dataclass(frozen=True, slots=True)
class _Stream:
    """A row of `streams`."""

    layout: _Layout
    id: int
    longest: int


class Writer:
    """Writes, and remembers how far each patient is stored, and the newest stream."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._tails: dict[str, _Tail] = {}
        self._streams: dict[int, _Stream] = {}
        self._origins: dict[int, float] = {}

    def write(self, steps: Sequence[Stepped]) -> None:
        """Store `steps` in one transaction; see `Store.write`."""
        with self._lock:
            try:
                with self._database.writing() as connection:
                    batch = _Batch(connection, self._tails, self._streams, self._origins)
                    for step in steps:
                        batch.add(step)
                    batch.insert()
            except BaseException as error:
                # Whether a commit that failed has happened is seen only by looking.
                self._tails.clear()
                self._streams.clear()
                self._origins.clear()
                if isinstance(error.__cause__, IntegrityError):
                    raise _two_processes() from error
                raise


class _Batch:
    """The rows of one transaction."""

    def __init__(
        self,
        connection: sa.Connection,
        tails: dict[str, _Tail],
        streams: dict[int, _Stream],
        origins: dict[int, float],
    ) -> None:
        self._connection = connection
        self._tails = tails
        self._streams = streams
        self._origins = origins
        self._rows: defaultdict[sa.Table, list[_Row]] = defaultdict(list)
        self._snapshots: dict[int, _Row] = {}
        self._alarms: dict[tuple[int, int], _Row] = {}
        self._orders: list[int] = []

    def add(self, step: Stepped) -> None:
        """Add what is not stored yet."""
        tail = self._tails.get(step.patient) or self._find_tail(step.patient)
        last = step.first + len(step.inputs) - 1
        if not 1 <= step.first <= tail.number + 1:
            raise DataError(
                f"input {step.first} of patient {step.patient!r} cannot be stored, for the last one was {tail.number}; "
                "restore the patient and go on from there."
            )
        if step.inputs and step.first <= tail.number:
            self._check_repeated(step, tail)
        try:
            for number, given in enumerate(step.inputs, step.first):
                if number > tail.number:
                    self._add_input(tail.patient_id, number, given)
            for event in step.events:
                if event.number > tail.event:
                    self._add_event(tail.patient_id, step.origin, event)
        except EctopyError as error:
            raise DataError(f"of patient {step.patient!r}: {error}") from error
        if step.inputs and last > tail.number:
            self._add_origin(tail.patient_id, last, step)
        self._rows[tables.deliveries] += map(_delivery_row, step.deliveries)
        self._orders += step.orders
        event_number = max(tail.event, step.events[-1].number if step.events else 0)
        if step.snapshot is not None and last >= tail.number:
            self._snapshots[tail.patient_id] = {
                "patient_id": tail.patient_id,
                "number": last,
                "event": event_number,
                "state": step.snapshot,
            }
        self._tails[step.patient] = _Tail(tail.patient_id, max(last, tail.number), event_number)

    def insert(self) -> None:
        """Send the rows."""
        self._replace(tables.snapshots, list(self._snapshots.values()))
        self._replace(tables.alarms, list(self._alarms.values()))
        for table in (tables.waveforms, tables.beats):
            if rows := self._rows[table]:
                # Most rows are of these two, and the driver alone takes them twice as fast.
                self._connection.exec_driver_sql(_insert(table, self._connection.dialect), rows)
        for table in (tables.journal, tables.events, tables.evidence, tables.alarm_log, tables.origins):
            if rows := self._rows[table]:
                self._connection.execute(sa.insert(table), rows)
        if rows := self._rows[tables.deliveries]:
            self._connection.execute(upsert(self._connection, tables.deliveries).on_conflict_do_nothing(), rows)
        if self._orders:
            self._connection.execute(sa.delete(tables.orders).where(tables.orders.c.id.in_(self._orders)))
        sizes = [len(row["signal"]) + len(row["pulses"] or b"") for row in self._rows[tables.waveforms]]
        sizes += [len(row["body"]) for row in self._rows[tables.evidence]]
        if sizes:
            add_bytes(self._connection, sum(sizes))

    def _replace(self, table: sa.Table, rows: list[_Row]) -> None:
        if rows:
            statement = upsert(self._connection, table)
            keys = [column.name for column in table.primary_key]
            others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
            self._connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=others), rows)

    def _find_tail(self, patient: str) -> _Tail:
        found = patient_id(self._connection, patient)
        maxima = self._connection.execute(_TAIL, {"patient": found}).one()
        numbers = [number or 0 for number in maxima]
        return _Tail(found, max(numbers[:3]), max(numbers[3:]))

    def _check_repeated(self, step: Stepped, tail: _Tail) -> None:
        for number, stored in read_inputs(self._connection, tail.patient_id, after=step.first - 1):
            place = number - step.first
            if place < len(step.inputs) and _canonical(stored) != _canonical(step.inputs[place]):
                raise _two_processes()

    def _add_input(self, patient: int, number: int, given: Input) -> None:
        stream = self._stream_id(patient, given) if isinstance(given, Chunk) and _has_columns(given) else None
        if isinstance(given, Chunk) and stream is not None:
            self._rows[tables.waveforms].append(
                {
                    "patient_id": patient,
                    "number": number,
                    "stream_id": stream,
                    "position": int(given.position),
                    "samples": len(given.signal),
                    "received": float(given.received),
                    "sent": None if given.sent is None else float(given.sent),
                    "signal": given.signal.astype("<f4", copy=False).tobytes(),
                    "pulses": codec.encode(given.pulses) if given.pulses else None,
                }
            )
            return
        body = codec.encode(given)
        # What could not be read back would stop the patient from being restored.
        codec.decode(type(given), body)
        self._rows[tables.journal].append(
            {"patient_id": patient, "number": number, "kind": codec.kind_of(given), "body": body}
        )

    def _stream_id(self, patient: int, chunk: Chunk) -> int | None:
        """Row of the stream in this layout; None where it does not fit into one."""
        layout = (chunk.stream, chunk.sampling_rate_hz, chunk.leads, chunk.unit)
        known = self._streams.get(patient)
        if known is None or known.layout != layout or len(chunk.signal) > known.longest:
            if not _has_row(chunk):
                return None
            known = self._streams[patient] = self._store_stream(patient, layout, len(chunk.signal))
        return known.id

    def _store_stream(self, patient: int, layout: _Layout, samples: int) -> _Stream:
        stream, rate, leads, unit = layout
        columns = tables.streams.c
        statement = upsert(self._connection, tables.streams).values(
            patient_id=patient,
            stream=stream,
            sampling_rate_hz=float(rate),
            leads=json.dumps(leads, ensure_ascii=False),
            unit=unit,
            longest=samples,
        )
        longest = sa.case(
            (statement.excluded.longest > columns.longest, statement.excluded.longest), else_=columns.longest
        )
        keys = (columns.patient_id, columns.stream, columns.sampling_rate_hz, columns.leads, columns.unit)
        stored = statement.on_conflict_do_update(index_elements=keys, set_={"longest": longest})
        return _Stream(layout, *self._connection.execute(stored.returning(columns.id, columns.longest)).one())

    def _add_origin(self, patient: int, number: int, step: Stepped) -> None:
        """Note what the time of stream second 0 is from this input on, where it has changed."""
        known = self._origins.get(patient)
        if known is None:
            column = tables.origins.c
            newest = (
                sa.select(column.origin).where(column.patient_id == patient).order_by(column.number.desc()).limit(1)
            )
            known = self._connection.execute(newest).scalar_one_or_none()
        if known is None or abs(step.origin - known) >= _LEAST_SHIFT_S:
            given = step.inputs[-1]
            time = float(given.received if isinstance(given, Chunk) else given.now)
            if not math.isfinite(time):
                return  # the next input that has a time tells it
            row = {"patient_id": patient, "number": number, "time": time, "origin": float(step.origin)}
            self._rows[tables.origins].append(row)
            known = step.origin
        self._origins[patient] = known

    def _add_event(self, patient: int, origin: float, event: Event) -> None:
        row: _Row = {"patient_id": patient, "number": int(event.number)}
        if isinstance(event, BeatJudged):
            self._rows[tables.beats].append(row | _beat_columns(origin, event))
            return
        time = float(origin + event.at_s)
        if isinstance(event, AlarmChanged):
            self._add_transition(patient, origin, time, event)
            if event.evidence is not None:
                body = codec.encode(event.evidence)
                self._rows[tables.evidence].append(
                    {"patient_id": patient, "event": int(event.number), "time": time, "body": body}
                )
                event = replace(event, evidence=None)
        self._rows[tables.events].append(
            row | {"kind": codec.kind_of(event), "time": time, "body": codec.encode(event)}
        )

    def _add_transition(self, patient: int, origin: float, time: float, event: AlarmChanged) -> None:
        transition = event.transition
        alarm = transition.alarm
        self._rows[tables.alarm_log].append(
            {
                "patient_id": patient,
                "number": transition.number,
                "event": int(event.number),
                "time": time,
                "alarm": alarm.number,
                "change": transition.change,
                "who": transition.who,
                "why": transition.why,
                "digest": transition.digest,
            }
        )
        self._alarms[patient, alarm.number] = {
            "patient_id": patient,
            "number": alarm.number,
            "condition": alarm.condition,
            "priority": int(alarm.priority),
            "phase": str(alarm.phase),
            "state": str(alarm.state),
            "origin": float(origin),
            "event": int(event.number),
        }


def stored_bytes(connection: sa.Connection) -> int:
    """Size of all stored samples, and of the evidence of alarms."""
    size = tables.sizes.c
    return connection.execute(sa.select(size.bytes).where(size.name == _WAVEFORMS)).scalar_one_or_none() or 0


def add_bytes(connection: sa.Connection, change: int) -> None:
    """Keep `stored_bytes` true."""
    added = upsert(connection, tables.sizes).values(name=_WAVEFORMS, bytes=change)
    total = tables.sizes.c.bytes + added.excluded.bytes
    connection.execute(added.on_conflict_do_update(index_elements=["name"], set_={"bytes": total}))


def _two_processes() -> DataError:
    return DataError(
        "other inputs or events with the same numbers are stored already: two processes watch the same patient; "
        "stop one of them and restore the patient in the other."
    )


def _canonical(value: Input) -> bytes:
    return codec.encode(codec.decode(type(value), codec.encode(value)))


def _has_columns(chunk: Chunk) -> bool:
    """Whether the columns of `waveforms` hold the samples exactly; a chunk that the monitor refuses may be anything."""
    signal = chunk.signal
    return (
        signal.dtype == np.float32
        and signal.ndim == 2
        and signal.shape[1] == len(chunk.leads)
        and signal.size > 0
        and abs(chunk.position) < _LARGEST
        and math.isfinite(chunk.received)
        and (chunk.sent is None or math.isfinite(chunk.sent))
    )


def _has_row(chunk: Chunk) -> bool:
    """Whether the columns of `streams` hold the layout of the chunk exactly."""
    text = chunk.stream + "".join(chunk.leads)
    return (
        math.isfinite(chunk.sampling_rate_hz)
        and millivolt(chunk.unit) is not None
        and len(text) <= _LONGEST_TEXT
        and text.isprintable()
    )


def _number(value: float | None) -> float | None:
    """A number, or none; SQLite has no NaN."""
    return None if value is None or math.isnan(value) else float(value)


def _beat_columns(origin: float, beat: BeatJudged) -> _Row:
    return {
        "time": float(origin + beat.beat_s),
        "at_s": float(beat.at_s),
        "beat_s": float(beat.beat_s),
        "position": int(beat.position),
        "interval_s": _number(beat.interval_s),
        "verdict": str(beat.verdict),
        "hint": str(beat.hint),
        "score": _number(beat.score),
        "p_value": _number(beat.p_value),
        "threshold": _number(beat.threshold),
        "reason": beat.reason,
        "confidence": beat.confidence or None,
    }


def _delivery_row(delivery: Delivery) -> _Row:
    return {
        "key": delivery.key,
        "message": delivery.message,
        "target": delivery.target,
        "patient": delivery.patient,
        "payload": delivery.payload,
        "created": float(delivery.created),
        "attempts": delivery.attempts,
        "due": float(delivery.due),
        "high": delivery.high,
        "state": str(delivery.state),
        "error": delivery.error,
        "receipt": delivery.receipt,
        "ended": delivery.ended,
    }
