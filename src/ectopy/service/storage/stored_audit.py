"""The audit: who did or saw what."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from ectopy.service.storage.database import MOST_ROWS, Database
from ectopy.service.storage.tables import audit

_COLUMN = audit.c
_ENTRY = (_COLUMN.time, _COLUMN.who, _COLUMN.what, _COLUMN.patient, _COLUMN.detail)


class AuditEntry(msgspec.Struct, frozen=True, rename={"actor": "who", "action": "what"}):
    """One action of a person or program; in tables and JSON `actor` is ``who`` and `action` is ``what``.

    The action is a verb and its object, such as ``acknowledged alarm``; `patient` is empty where it concerns no
    patient.
    """

    time: float
    actor: str
    action: str
    patient: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StoredAudit:
    """An entry of the audit, and its number: later entries have greater ones."""

    id: int
    entry: AuditEntry


class AuditStore:
    """Entries of the audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, entry: AuditEntry, *, once: bool = False) -> None:
        """Add an entry; with `once`, only if the same entry is not stored."""
        values = msgspec.to_builtins(entry)
        same = sa.select(_COLUMN.id).where(*(_COLUMN[name] == value for name, value in values.items()))
        with self._database.writing() as connection:
            if not once or connection.execute(same.limit(1)).first() is None:
                connection.execute(sa.insert(audit).values(values))

    def newest(
        self, patient: str | None = None, limit: int = MOST_ROWS, before: int | None = None
    ) -> list[StoredAudit]:
        """Return the newest `limit` entries in order, of one patient or of all, and only those before an id."""
        query = sa.select(_COLUMN.id, *_ENTRY)
        if patient is not None:
            query = query.where(_COLUMN.patient == patient)
        if before is not None:
            query = query.where(_COLUMN.id < before)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_COLUMN.id.desc()).limit(limit)).all()
        return [StoredAudit(id, AuditEntry(*entry)) for id, *entry in reversed(rows)]

    def about(self, patient: str, action: str) -> list[AuditEntry]:
        """Return the entries of one action on a patient, the oldest first."""
        query = sa.select(*_ENTRY).where(_COLUMN.patient == patient, _COLUMN.what == action).order_by(_COLUMN.id)
        with self._database.reading() as connection:
            return [AuditEntry(*entry) for entry in connection.execute(query)]
