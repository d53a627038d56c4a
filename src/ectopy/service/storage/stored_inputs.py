"""Inputs of the monitors, their snapshots, and commands that wait for a monitor."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from ectopy.errors import DataError
from ectopy.monitor import codec
from ectopy.monitor.inputs import Command, Input
from ectopy.monitor.monitor_state import MonitorState
from ectopy.monitor.snapshot import decode_snapshot
from ectopy.service.storage import tables
from ectopy.service.storage.database import Database, Row
from ectopy.service.storage.stored_patients import patient_id
from ectopy.service.storage.stored_waveforms import chunk_of


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """The newest state and the later inputs, to be applied again; without a snapshot the state is empty."""

    snapshot: bytes | None
    inputs: tuple[Input, ...]
    next_input: int

    @property
    def state(self) -> MonitorState:
        """The state of the snapshot."""
        return MonitorState() if self.snapshot is None else decode_snapshot(self.snapshot)


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """A command that waits in the store for the process that watches the patient."""

    id: int
    patient: str
    action: Command


class InputStore:
    """Inputs of monitors, numbered from 1 for each patient."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def resume_point(self, patient: str) -> ResumePoint:
        """Return the newest snapshot of a patient and the inputs after it; a `DataError` if an input is missing."""
        column = tables.snapshots.c
        with self._database.reading() as connection:
            owner = patient_id(connection, patient)
            snapshot = sa.select(column.number, column.state).where(column.patient_id == owner)
            row = connection.execute(snapshot).one_or_none()
            last, state = (0, None) if row is None else (row.number, bytes(row.state))
            inputs = []
            for number, (stored_number, input_) in enumerate(numbered_inputs(connection, owner, last), last + 1):
                if number != stored_number:
                    raise DataError(
                        f"input {number} of patient {patient!r} is missing; restore a copy of the database."
                    )
                inputs.append(input_)
        return ResumePoint(state, tuple(inputs), last + len(inputs) + 1)

    def state(self, patient: str) -> MonitorState:
        """Return the newest stored state of a patient, or an empty one."""
        return self.resume_point(patient).state

    def all(self, patient: str) -> Iterator[Input]:
        """Yield every input of a patient that is still stored, in order."""
        with self._database.reading() as connection:
            for _, input_ in numbered_inputs(connection, patient_id(connection, patient), after=0):
                yield input_

    def enqueue_command(self, patient: str, command: Command) -> None:
        """Leave a command for the process that watches the patient; a `DataError` if it cannot be encoded."""
        with self._database.writing() as connection:
            row = {"patient_id": patient_id(connection, patient), "body": codec.encode(command)}
            connection.execute(sa.insert(tables.commands).values(row))

    def pending_commands(self) -> list[PendingCommand]:
        """Return the commands not carried out yet, in order; `StepRecord.commands` removes them."""
        column = tables.commands.c
        query = (
            sa.select(column.id, tables.patients.c.patient, column.body)
            .join_from(tables.commands, tables.patients)
            .order_by(column.id)
        )
        with self._database.reading() as connection:
            return [
                PendingCommand(id, patient, codec.decode(Command, body))
                for id, patient, body in connection.execute(query)
            ]


def numbered_inputs(connection: sa.Connection, patient: int, after: int) -> Iterator[tuple[int, Input]]:
    """Yield inputs with their numbers, in order."""
    chunk, stream, entry = tables.waveforms.c, tables.streams.c, tables.journal.c
    chunks = connection.execute(
        sa.select(tables.waveforms, stream.stream, stream.sampling_rate_hz, stream.leads, stream.unit)
        .join(tables.streams)
        .where(chunk.patient_id == patient, chunk.number > after)
        .order_by(chunk.number)
    )
    entries = connection.execute(
        sa.select(entry.number, entry.kind, entry.body)
        .where(entry.patient_id == patient, entry.number > after)
        .order_by(entry.number)
    )
    return heapq.merge(
        ((row.number, chunk_of(row)) for row in chunks),
        ((row.number, codec.decode(codec.INPUTS[row.kind], row.body)) for row in entries),
        key=lambda pair: pair[0],
    )


def journal_row(patient: int, number: int, input_: Input) -> Row:
    """Return the row of an input; a `DataError` if it could not be read back, and the patient not be resumed."""
    body = codec.encode(input_)
    codec.decode(type(input_), body)
    return {"patient_id": patient, "number": number, "kind": codec.kind_of(input_), "body": body}
