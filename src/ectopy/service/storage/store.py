"""The store: one database, by subject, and the transaction that writes the steps of monitors."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Self

from sqlalchemy.exc import IntegrityError

from ectopy.errors import StorageError
from ectopy.service.storage.database import Database, replace_rows
from ectopy.service.storage.lease import LEASE_S, Lease
from ectopy.service.storage.retention import Retention
from ectopy.service.storage.steps import StepBatch, StepRecord, StoredSoFar, two_writers
from ectopy.service.storage.stored_alarms import AlarmStore
from ectopy.service.storage.stored_audit import AuditStore
from ectopy.service.storage.stored_beats import BeatStore
from ectopy.service.storage.stored_events import EventStore
from ectopy.service.storage.stored_inputs import InputStore
from ectopy.service.storage.stored_keys import KeyStore
from ectopy.service.storage.stored_offsets import NO_OFFSETS, Offsets, OffsetStore, offset_rows
from ectopy.service.storage.stored_outbox import StoredOutbox
from ectopy.service.storage.stored_patients import PatientStore
from ectopy.service.storage.stored_waveforms import WaveformStore
from ectopy.service.storage.tables import offsets as offset_table
from ectopy.service.storage.tables import sizes

_TRIAL = "tried to write"


class Store:
    """A database of patients, their inputs, and what the monitors made of them.

    Every method of the store and of its parts is one transaction (except `Retention.apply`, which is many small ones),
    may be called from any thread, and raises `StorageError` if the database fails: then nothing of it was stored, or,
    if the commit itself failed, perhaps all. The next call works again once the database does. Methods that name a
    patient raise `DataError` if the patient is not enrolled.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.patients = PatientStore(database)
        self.inputs = InputStore(database)
        self.waveforms = WaveformStore(database)
        self.beats = BeatStore(database)
        self.events = EventStore(database)
        self.alarms = AlarmStore(database)
        self.audit = AuditStore(database)
        self.keys = KeyStore(database)
        self.outbox = StoredOutbox(database)
        self.offsets = OffsetStore(database)
        self.retention = Retention(database)
        self._lease: Lease | None = None
        self._writing = threading.Lock()
        self._stored = StoredSoFar()

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a database by URL, as `Database` does."""
        return cls(Database(url))

    def lease(self, lease_s: float = LEASE_S) -> Lease:
        """Become the only service that writes, until the lease is closed; a `StorageError` if there is another.

        Waits at most `lease_s` seconds for a lease that was not given back. Tools that read or enqueue need no lease.
        """
        self._lease = Lease(self.database, lease_s)
        return self._lease

    @property
    def lease_failure(self) -> StorageError | None:
        """Why the lease could not be renewed at the last try; None if it was, or there is no lease.

        It shows that the database is away even while there is nothing to store.
        """
        return self._lease.failure if self._lease else None

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def check_writable(self, now: float) -> None:
        """Write a few bytes; a `StorageError` if the database is full or read-only."""
        with self.database.writing() as connection:
            replace_rows(connection, sizes, [{"name": _TRIAL, "bytes": round(now)}])

    def write(self, steps: Sequence[StepRecord], offsets: Offsets = NO_OFFSETS) -> None:
        """Store all of `steps` and `offsets`, or none.

        Stored steps survive the kill of the process, and a power cut if the disk keeps its promises. Inputs and events
        of a patient and number, and deliveries of a key, that are stored already are left out: the same steps may be
        written again after an error, and by a monitor that applies its inputs once more. A `DataError` if inputs are
        missing, something cannot be encoded, or another process has written for one of the patients.
        """
        with self._writing:
            try:
                with self.database.writing() as connection:
                    batch = StepBatch(connection, self._stored)
                    for step in steps:
                        batch.add(step)
                    batch.insert()
                    replace_rows(connection, offset_table, offset_rows(offsets))
            except BaseException as error:
                self._stored = StoredSoFar()
                if isinstance(error.__cause__, IntegrityError):
                    raise two_writers() from error
                raise
