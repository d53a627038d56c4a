"""Rows of the steps of monitors, for one transaction over many patients."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from ectopy.errors import DataError, EctopyError
from ectopy.monitor import codec
from ectopy.monitor.events import AlarmChanged, BeatJudged, Event
from ectopy.monitor.inputs import Chunk, Input
from ectopy.service.notify.outbox import Delivery
from ectopy.service.storage import tables
from ectopy.service.storage.database import Row, replace_rows, upsert
from ectopy.service.storage.retention import add_bytes
from ectopy.service.storage.stored_alarms import alarm_row, evidence_row, log_row
from ectopy.service.storage.stored_beats import beat_row
from ectopy.service.storage.stored_events import event_row
from ectopy.service.storage.stored_inputs import journal_row, numbered_inputs
from ectopy.service.storage.stored_outbox import delivery_row
from ectopy.service.storage.stored_patients import enrol, patient_id
from ectopy.service.storage.stored_waveforms import Origins, StreamIds, waveform_row


@dataclass(frozen=True, slots=True)
class StepRecord:
    """Inputs of the monitor of one patient, with the events that they caused, in order.

    `first` is the number of the first input; the inputs of a patient count from 1, and continue at
    `ResumePoint.next_input`. `origin` is the time of stream second 0, seconds since 1970; `snapshot` is the state after
    these inputs and events, and `deliveries` are messages about them. `commands` are the ids of the `PendingCommand` s
    among the inputs, which are removed. Unless `enrolled` is None, a patient who is not known is enrolled at that time.
    """

    patient: str
    first: int
    inputs: tuple[Input, ...]
    events: tuple[Event, ...]
    origin: float
    snapshot: bytes | None = None
    deliveries: tuple[Delivery, ...] = ()
    commands: tuple[int, ...] = ()
    enrolled: float | None = None


@dataclass(frozen=True, slots=True)
class _Tail:
    """Numbers of the last stored input and event of a patient."""

    patient_id: int
    number: int
    event: int


@dataclass(slots=True)
class StoredSoFar:
    """Cache of the writer, which saves queries between transactions; after a failed one only a query can say more."""

    tails: dict[str, _Tail] = field(default_factory=dict)
    streams: StreamIds = field(default_factory=StreamIds)
    origins: Origins = field(default_factory=Origins)


class StepBatch:
    """The rows of one transaction."""

    def __init__(self, connection: sa.Connection, stored: StoredSoFar) -> None:
        self._connection, self._stored = connection, stored
        self._rows: defaultdict[sa.Table, list[Row]] = defaultdict(list)
        self._snapshots: dict[int, Row] = {}
        self._alarms: dict[tuple[int, int], Row] = {}
        self._commands: list[int] = []

    def add(self, step: StepRecord) -> None:
        """Add the rows of a step that are not stored yet."""
        if step.enrolled is not None:
            enrol(self._connection, step.patient, step.enrolled)
        tail = self._stored.tails.get(step.patient) or _find_tail(self._connection, step.patient)
        last = step.first + len(step.inputs) - 1
        if not 1 <= step.first <= tail.number + 1:
            raise DataError(
                f"input {step.first} of patient {step.patient!r} cannot be stored, for the last one was {tail.number}; "
                "resume from there."
            )
        if step.inputs and step.first <= tail.number:
            self._check_repeated(step, tail)
        try:
            for number, input_ in enumerate(step.inputs, step.first):
                if number > tail.number:
                    self._add_input(tail.patient_id, number, input_)
            for event in step.events:
                if event.number > tail.event:
                    self._add_event(tail.patient_id, step.origin, event)
        except EctopyError as error:
            raise DataError(f"of patient {step.patient!r}: {error}") from error
        if step.inputs and last > tail.number:
            origin = self._stored.origins.row(self._connection, tail.patient_id, last, step.inputs[-1], step.origin)
            self._rows[tables.origins] += [] if origin is None else [origin]
        self._rows[tables.deliveries] += map(delivery_row, step.deliveries)
        self._commands += step.commands
        event_number = max(tail.event, step.events[-1].number if step.events else 0)
        if step.snapshot is not None and last >= tail.number:
            self._snapshots[tail.patient_id] = {
                "patient_id": tail.patient_id,
                "number": last,
                "event": event_number,
                "state": step.snapshot,
            }
        self._stored.tails[step.patient] = _Tail(tail.patient_id, max(last, tail.number), event_number)

    def insert(self) -> None:
        """Insert the rows."""
        replace_rows(self._connection, tables.snapshots, list(self._snapshots.values()))
        replace_rows(self._connection, tables.alarms, list(self._alarms.values()))
        for table in (tables.waveforms, tables.beats):
            if rows := self._rows[table]:
                # Most rows are of these two tables; without SQLAlchemy's parameter handling they take half the time.
                statement = sa.insert(table).compile(dialect=self._connection.dialect)
                self._connection.exec_driver_sql(str(statement), rows)
        for table in (tables.journal, tables.events, tables.evidence, tables.alarm_log, tables.origins):
            if rows := self._rows[table]:
                self._connection.execute(sa.insert(table), rows)
        if rows := self._rows[tables.deliveries]:
            self._connection.execute(upsert(self._connection, tables.deliveries).on_conflict_do_nothing(), rows)
        if self._commands:
            self._connection.execute(sa.delete(tables.commands).where(tables.commands.c.id.in_(self._commands)))
        sizes = [len(row["signal"]) + len(row["pulses"] or b"") for row in self._rows[tables.waveforms]]
        sizes += [len(row["body"]) for row in self._rows[tables.evidence]]
        if sizes:
            add_bytes(self._connection, sum(sizes))

    def _check_repeated(self, step: StepRecord, tail: _Tail) -> None:
        for number, stored in numbered_inputs(self._connection, tail.patient_id, after=step.first - 1):
            place = number - step.first
            if place < len(step.inputs) and _canonical(stored) != _canonical(step.inputs[place]):
                raise two_writers()

    def _add_input(self, patient: int, number: int, input_: Input) -> None:
        stream = self._stored.streams.id_for(self._connection, patient, input_) if isinstance(input_, Chunk) else None
        if isinstance(input_, Chunk) and stream is not None:
            self._rows[tables.waveforms].append(waveform_row(patient, number, stream, input_))
        else:
            self._rows[tables.journal].append(journal_row(patient, number, input_))

    def _add_event(self, patient: int, origin: float, event: Event) -> None:
        if isinstance(event, BeatJudged):
            self._rows[tables.beats].append(beat_row(patient, origin, event))
            return
        time = float(origin + event.at_s)
        if isinstance(event, AlarmChanged):
            self._alarms[patient, event.alarm.number] = alarm_row(patient, origin, event)
            self._rows[tables.alarm_log].append(log_row(patient, time, event))
            if event.evidence is not None:
                self._rows[tables.evidence].append(evidence_row(patient, time, event))
                event = replace(event, evidence=None)
        self._rows[tables.events].append(event_row(patient, time, event))


def two_writers() -> DataError:
    """Return the error for a second process that writes for the same patient."""
    return DataError(
        "other inputs or events with the same numbers are stored already: two processes watch the same patient; "
        "stop one of them and resume the patient in the other."
    )


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


def _find_tail(connection: sa.Connection, patient: str) -> _Tail:
    owner = patient_id(connection, patient)
    numbers = [number or 0 for number in connection.execute(_TAIL, {"patient": owner}).one()]
    return _Tail(owner, max(numbers[:3]), max(numbers[3:]))


def _canonical(value: Input) -> bytes:
    return codec.encode(codec.decode(type(value), codec.encode(value)))
