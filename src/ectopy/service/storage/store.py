"""The store: everything that is to outlive the process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from ectopy.errors import DataError, SettingError
from ectopy.monitor.alarm import Transition
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.events import AlarmChanged
from ectopy.monitor.inputs import Action, Input
from ectopy.monitor.log import GENESIS, digest_of, verify
from ectopy.monitor.monitor import MonitorState
from ectopy.service.storage import reading, retention, tables
from ectopy.service.storage.access import StoredAccess
from ectopy.service.storage.database import Database
from ectopy.service.storage.lease import Lease
from ectopy.service.storage.outbox import StoredOutbox
from ectopy.service.storage.records import (
    Arrival,
    AuditEntry,
    Device,
    Forgotten,
    HandedOrder,
    Patient,
    Restored,
    Stepped,
    StoredAlarm,
    StoredAudit,
    StoredBeat,
    StoredEvent,
    TrendStep,
    Waveform,
)
from ectopy.service.storage.writing import Writer, upsert

MOST_ROWS = 1000
MOST_BEATS = 200_000

_LONGEST_NAME = 200
_CHECKPOINT_EVERY = 64
_TRIED = "tried to write"


class Store:
    """A database of patients, what they sent, and what the monitor made of it.

    Every method is one transaction (but `forget`, which is many small ones), may be called from any thread, and
    raises `StorageError` if the database fails. Then nothing of it was stored; where the commit itself failed, perhaps
    all was. The store goes on with the next call once the database is back.

    Attributes
    ----------
    outbox : StoredOutbox
    access : StoredAccess
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database)
        self.outbox = StoredOutbox(database)
        self.access = StoredAccess(database)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a database; a new one gets its tables, one of an older version is brought to this one.

        Parameters
        ----------
        url : str
            ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/DATABASE``.

        Raises
        ------
        SettingError
            If the URL is neither.
        MissingExtraError
            If it is of PostgreSQL and its driver is not installed.
        StorageError
            If it cannot be opened, or a newer version of Ectopy has made it.
        """
        return cls(Database(url))

    def lease(self) -> Lease:
        """Be the only service that writes here, until the lease is closed; tools that read or hand over need none.

        A lease that was not given back is waited for, ten seconds at most.

        Raises
        ------
        StorageError
            If another service has it.
        """
        return Lease(self._database)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Patients and their devices

    def enrol(self, patient: str, now: float, name: str = "") -> None:
        """Add a patient, or give one that is there another name.

        Raises
        ------
        SettingError
            If `patient` is not 1 to 200 printable characters.
        """
        check_name(patient)
        with self._database.writing() as connection:
            statement = upsert(connection, tables.patients).values(patient=patient, name=name, enrolled=now)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["patient"], set_={"name": statement.excluded.name})
            )

    def patients(self) -> list[Patient]:
        """All patients, in the order of enrolment."""
        columns = tables.patients.c
        query = sa.select(columns.patient, columns.name, columns.enrolled).order_by(columns.id)
        with self._database.reading() as connection:
            return [Patient(*row) for row in connection.execute(query)]

    def attach(self, device: str, patient: str | None, now: float) -> None:
        """Attach a device to a patient, or to none any more.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        SettingError
            If `device` is not 1 to 200 printable characters.
        """
        check_name(device)
        with self._database.writing() as connection:
            wearer = None if patient is None else reading.patient_id(connection, patient)
            statement = upsert(connection, tables.devices).values(device=device, patient_id=wearer, since=now)
            changed = {"patient_id": wearer, "since": now}
            connection.execute(statement.on_conflict_do_update(index_elements=["device"], set_=changed))

    def devices(self) -> list[Device]:
        """All devices, by name."""
        query = (
            sa.select(tables.devices.c.device, tables.patients.c.patient, tables.devices.c.since)
            .outerjoin_from(tables.devices, tables.patients)
            .order_by(tables.devices.c.device)
        )
        with self._database.reading() as connection:
            return [Device(*row) for row in connection.execute(query)]

    # What the monitors are told, and what they say

    def write(self, steps: Sequence[Stepped]) -> None:
        """Store all of `steps`, or nothing of them.

        When it returns they outlive the kill of the process, and a power cut if the disk keeps its promises. What is
        stored already is left out - inputs and events of the same patient and number, deliveries of the same key - so
        the same steps may be written again after an error, and by a monitor that folds its journal once more.

        Raises
        ------
        DataError
            If a patient is not enrolled, inputs are left out, something cannot be encoded, or another process has
            written for one of the patients meanwhile.
        """
        self._writer.write(steps)

    def restore(self, patient: str) -> Restored:
        """From what the monitor of a patient goes on.

        Raises
        ------
        DataError
            If the patient is not enrolled, or an input is missing.
        """
        with self._database.reading() as connection:
            return reading.restore(connection, patient)

    def state(self, patient: str) -> MonitorState:
        """The newest stored state of a patient; an empty one if there is none.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        snapshot = self.restore(patient).snapshot
        return MonitorState() if snapshot is None else decode(MonitorState, snapshot)

    def inputs(self, patient: str) -> Iterator[Input]:
        """Everything the monitor of a patient was told and that is still stored, in order; read as it is wanted.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            for _, given in reading.read_inputs(connection, reading.patient_id(connection, patient), after=0):
                yield given

    def waveform(self, patient: str, stream: str, start: int, stop: int) -> Waveform:
        """Samples of a stream from position `start` to before `stop`.

        Of a sample that was sent twice the first counts. If the sampling rate has changed in the stretch, it is that of
        its first chunk, and the others are left out.

        Raises
        ------
        DataError
            If the patient is not enrolled, or has no such stream.
        SettingError
            If these are not 1 to 10 million samples.
        """
        with self._database.reading() as connection:
            return reading.read_waveform(connection, patient, stream, start, stop)

    def beats(self, patient: str, start: float, stop: float, limit: int = MOST_BEATS) -> list[StoredBeat]:
        """The first judged beats from a time to before another, seconds since 1970, in order.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return reading.read_beats(connection, patient, start, stop, limit)

    def worst_beats(self, patient: str, start: float, stop: float, limit: int) -> list[StoredBeat]:
        """The abnormal beats from a time to before another farthest above their thresholds, the farthest first.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return reading.read_worst_beats(connection, patient, start, stop, limit)

    def trend(self, patient: str, start: float, stop: float, step_s: float) -> list[TrendStep]:
        """Beats from a time to before another, counted in steps; those without beats are left out.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return reading.read_trend(connection, patient, start, stop, step_s)

    def arrivals(self, patient: str, start: float, stop: float, limit: int = MOST_ROWS) -> list[Arrival]:
        """The first chunks that came from a time to before another, in order.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return reading.read_arrivals(connection, patient, start, stop, limit)

    def origin(self, patient: str, time: float) -> float | None:
        """When stream second 0 was by the clock at a time, seconds since 1970; None where it is not known any more.

        The clock may have been set since then, or the device may run slow or fast.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return reading.read_origin(connection, patient, time)

    def events(
        self, after: int = 0, patient: str | None = None, kinds: Sequence[str] = (), limit: int = MOST_ROWS
    ) -> list[StoredEvent]:
        """The first events but beats whose id is larger than `after`, in the order in which they were stored.

        Alarms come without the evidence they rest on, which `alarm_events` has.

        Parameters
        ----------
        after : int
            Id of the last one that is known.
        patient : str or None
            None = of all.
        kinds : sequence of str
            Of `ectopy.monitor.codec.EVENTS`; empty = all.
        limit : int
            At most so many.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return reading.read_events(connection, after, patient, kinds, limit)

    def newest_event(self) -> int:
        """Id of the event but beats that was stored last; 0 = there is none."""
        with self._database.reading() as connection:
            return connection.execute(sa.select(sa.func.max(tables.events.c.id))).scalar_one() or 0

    # Alarms

    def alarms(
        self,
        patient: str | None = None,
        active_only: bool = False,
        limit: int = MOST_ROWS,
        before: int | None = None,
    ) -> list[StoredAlarm]:
        """The newest alarms as they stand, those that changed last first.

        Parameters
        ----------
        patient : str or None
            None = of all.
        active_only : bool
            Leave out those that have ended.
        limit : int
            At most so many.
        before : int or None
            Only alarms that come after the one of this `StoredAlarm.id`; of one patient its number says the same.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return reading.read_alarms(connection, patient, active_only=active_only, limit=limit, before=before)

    def count_alarms(self, patient: str) -> int:
        """How many alarms a patient has had.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return reading.count_alarms(connection, patient)

    def alarm(self, patient: str, number: int) -> StoredAlarm:
        """One alarm as it stands.

        Raises
        ------
        DataError
            If there is none of this number.
        """
        with self._database.reading() as connection:
            found = reading.read_alarm(connection, patient, number)
        if found is None:
            raise DataError(f"patient {patient!r} has no alarm {number}; list the alarms to see which there are.")
        return found

    def alarm_log(self, patient: str) -> list[Transition]:
        """Everything that ever happened to the alarms of a patient, in order; see `ectopy.monitor.log.verify`.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return list(reading.read_alarm_log(connection, patient))

    def log_is_whole(self, patient: str, number: int) -> bool:
        """Whether the entries of one alarm, and all since the log was verified last, are as they were written.

        The log is verified from a checkpoint on, and a new checkpoint is kept; `ectopy.monitor.log.verify` does the
        whole of it.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            start, digest = reading.read_checkpoint(connection, patient)
            whole = verify(reading.read_alarm_log(connection, patient, start), start, digest) is None
            last = reading.read_last_entry(connection, patient)
            changes = [one.event for one in reading.read_alarm_events(connection, patient, number)]
            own = [event for event in changes if isinstance(event, AlarmChanged)]
            numbers = {event.transition.number for event in own}
            noted = reading.read_digests(connection, patient, [start, *numbers, *(number - 1 for number in numbers)])
        noted[0] = GENESIS
        whole = whole and noted.get(start) == digest and all(_as_noted(event, noted) for event in own)
        if whole and last[0] - start >= _CHECKPOINT_EVERY:
            self._keep_checkpoint(patient, *last)
        return whole

    def _keep_checkpoint(self, patient: str, number: int, digest: str) -> None:
        with self._database.writing() as connection:
            found = reading.patient_id(connection, patient)
            changed = {"number": number, "digest": digest}
            statement = upsert(connection, tables.checkpoints).values(patient_id=found, **changed)
            connection.execute(statement.on_conflict_do_update(index_elements=["patient_id"], set_=changed))

    def alarm_events(self, patient: str, number: int) -> list[StoredEvent]:
        """Everything that ever happened to one alarm, in order; nothing where there is none of this number.

        Raises
        ------
        DataError
            If the patient is not enrolled.
        """
        with self._database.reading() as connection:
            return reading.read_alarm_events(connection, patient, number)

    # Orders from other processes

    def hand_over(self, patient: str, action: Action) -> None:
        """Leave an order for the process that watches the patient.

        Raises
        ------
        DataError
            If the patient is not enrolled, or the order cannot be encoded.
        """
        with self._database.writing() as connection:
            found = reading.patient_id(connection, patient)
            connection.execute(sa.insert(tables.orders).values(patient_id=found, body=encode(action)))

    def handed_over(self) -> list[HandedOrder]:
        """Orders that nobody has carried out yet, in order; `Stepped.orders` strikes them out."""
        columns = tables.orders.c
        query = (
            sa.select(columns.id, tables.patients.c.patient, columns.body)
            .join_from(tables.orders, tables.patients)
            .order_by(columns.id)
        )
        with self._database.reading() as connection:
            return [HandedOrder(id, name, decode(Action, body)) for id, name, body in connection.execute(query)]

    # Who did or saw what

    def record(self, entry: AuditEntry, *, once: bool = False) -> None:
        """Add to the audit; `once`: unless the same entry is there."""
        columns = tables.audit.c
        values = {"time": entry.time, "who": entry.who, "what": entry.what}
        values |= {"patient": entry.patient, "detail": entry.detail}
        same = sa.select(columns.id).where(*(columns[name] == value for name, value in values.items()))
        with self._database.writing() as connection:
            if not once or connection.execute(same.limit(1)).first() is None:
                connection.execute(sa.insert(tables.audit).values(values))

    def audit(self, patient: str | None = None, limit: int = MOST_ROWS, before: int | None = None) -> list[StoredAudit]:
        """The last `limit` entries of the audit, in order: of one patient or of all, and before an entry or of all."""
        columns = tables.audit.c
        query = sa.select(columns.id, columns.time, columns.who, columns.what, columns.patient, columns.detail)
        if patient is not None:
            query = query.where(columns.patient == patient)
        if before is not None:
            query = query.where(columns.id < before)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(columns.id.desc()).limit(limit)).all()
        return [StoredAudit(id, AuditEntry(*entry)) for id, *entry in reversed(rows)]

    def try_to_write(self, now: float) -> None:
        """Write a few bytes, as only a store does that is neither full nor read-only."""
        with self._database.writing() as connection:
            tried = upsert(connection, tables.sizes).values(name=_TRIED, bytes=round(now))
            changed = {"bytes": tried.excluded.bytes}
            connection.execute(tried.on_conflict_do_update(index_elements=["name"], set_=changed))

    def audit_about(self, patient: str, what: str) -> list[AuditEntry]:
        """Return who did one thing with a patient, the oldest entry first."""
        columns = tables.audit.c
        query = sa.select(columns.time, columns.who, columns.what, columns.patient, columns.detail)
        query = query.where(columns.patient == patient, columns.what == what).order_by(columns.id)
        with self._database.reading() as connection:
            return [AuditEntry(*entry) for entry in connection.execute(query)]

    # What is no longer needed

    def forget(self, older_than: float | None = None, larger_than_bytes: int | None = None) -> Forgotten:
        """Delete the oldest samples and other inputs, beats and other events, and messages that have ended.

        Nothing since a patient's newest snapshot goes, but the evidence of alarms. The space is used again by what is
        stored later. Alarms, their log, orders of operators and the audit stay; so does the newest event of all, after
        which readers go on.

        Parameters
        ----------
        older_than : float or None
            Seconds since 1970.
        larger_than_bytes : int or None
            Of all stored samples and evidence together; whatever of a patient is older than the samples that go goes
            with them.
        """
        return retention.forget(self._database, older_than, larger_than_bytes)


def _as_noted(event: AlarmChanged, noted: Mapping[int, str]) -> bool:
    """Whether an entry of the log is as it was written, fits the one before it, and has the evidence it had."""
    entry, evidence = event.transition, event.evidence
    number, previous = entry.number, noted.get(entry.number - 1, "")
    fits = verify([entry], number - 1, previous) is None and noted.get(number) == entry.digest
    return fits and (evidence is None or not entry.evidence or digest_of(evidence) == entry.evidence)


def check_name(name: str) -> None:
    """Check what a patient or a device is called by.

    Raises
    ------
    SettingError
        If it is not 1 to 200 printable characters.
    """
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise SettingError(f"{name[:_LONGEST_NAME]!r} is not a name; give 1 to {_LONGEST_NAME} printable characters.")
