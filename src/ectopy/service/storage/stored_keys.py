"""Keys and sessions; of their secrets only the digests."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import sqlalchemy as sa

from ectopy.errors import NotFoundError
from ectopy.service.openapi_examples import with_example
from ectopy.service.storage import tables
from ectopy.service.storage.database import Database, ResultRow


@with_example(
    id=2,
    name="strap of bed 3",
    scopes=["send"],
    created_time=1767225600.0,
    patients=["bed 3"],
    devices=[],
    expires_time=None,
)
@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key, without its secret; times are seconds since 1970, and a key without `expires_time` does not end.

    It may send for `patients`, null = for any patient, and as `devices` for the patients to whom they are attached.
    """

    id: int
    name: str
    scopes: tuple[str, ...]
    created_time: float
    patients: tuple[str, ...] | None = None
    devices: tuple[str, ...] = ()
    expires_time: float | None = None


_KEY = tuple(tables.keys.c[name] for name in ("id", "name", "scopes", "created", "patients", "devices", "expires"))


class KeyStore:
    """Keys and sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: StoredKey, digest: str) -> StoredKey:
        """Add a key whose secret has this digest; return it with its id."""
        row = {
            "name": key.name,
            "digest": digest,
            "scopes": " ".join(key.scopes),
            "created": key.created_time,
            "patients": None if key.patients is None else json.dumps(key.patients),
            "devices": json.dumps(key.devices),
            "expires": key.expires_time,
        }
        with self._database.writing() as connection:
            statement = sa.insert(tables.keys).values(row).returning(tables.keys.c.id)
            return replace(key, id=connection.execute(statement).scalar_one())

    def all(self) -> list[StoredKey]:
        """Return all keys, the oldest first."""
        with self._database.reading() as connection:
            return [_key(row) for row in connection.execute(sa.select(*_KEY).order_by(tables.keys.c.id))]

    def digests(self) -> set[str]:
        """Return the digests of all keys."""
        with self._database.reading() as connection:
            return set(connection.scalars(sa.select(tables.keys.c.digest)))

    def get(self, digest: str) -> StoredKey | None:
        """Return the key whose secret has this digest, or None."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(*_KEY).where(tables.keys.c.digest == digest)).one_or_none()
        return None if row is None else _key(row)

    def remove(self, number: int) -> StoredKey:
        """Remove a key and its sessions; a `NotFoundError` if there is no key of this id."""
        with self._database.writing() as connection:
            row = connection.execute(sa.select(*_KEY).where(tables.keys.c.id == number)).one_or_none()
            if row is None:
                raise NotFoundError(f"there is no key {number}; list the keys to see which there are.")
            connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.key_id == number))
            connection.execute(sa.delete(tables.keys).where(tables.keys.c.id == number))
        return _key(row)

    def session_digests(self) -> set[str]:
        """Return the digests of all sessions."""
        with self._database.reading() as connection:
            return set(connection.scalars(sa.select(tables.sessions.c.digest)))

    def open_session(self, digest: str, key: int, now: float, expires: float) -> None:
        """Add a session, and remove those that have expired."""
        columns = tables.sessions.c
        with self._database.writing() as connection:
            connection.execute(sa.delete(tables.sessions).where(columns.expires <= now))
            connection.execute(sa.insert(tables.sessions).values(digest=digest, key_id=key, expires=expires))

    def session(self, digest: str, now: float) -> tuple[StoredKey, float] | None:
        """Return the key of a session and when the session expires; None if it has."""
        columns = tables.sessions.c
        query = (
            sa.select(*_KEY, columns.expires.label("ends"))
            .join_from(tables.sessions, tables.keys)
            .where(columns.digest == digest, columns.expires > now)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (_key(row), row.ends)

    def prolong_session(self, digest: str, expires: float) -> None:
        """Set when a session expires."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(tables.sessions).where(tables.sessions.c.digest == digest).values(expires=expires)
            )

    def close_session(self, digest: str) -> None:
        """Remove a session."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.digest == digest))


def _key(row: ResultRow) -> StoredKey:
    patients = None if row.patients is None else tuple(json.loads(row.patients))
    devices = tuple(json.loads(row.devices))
    return StoredKey(row.id, row.name, tuple(row.scopes.split()), row.created, patients, devices, row.expires)
