"""A database by URL: it is opened and migrated, and its transactions fail with one error."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.engine import URL

from ectopy.errors import DatabaseError, MissingExtraError, SettingError
from ectopy.service.storage.tables import leases, metadata

SQLITE, POSTGRESQL = "sqlite", "postgresql"

MOST_ROWS = 1000
"""Default limit of a query."""

Row = dict[str, Any]
ResultRow = sa.Row[*tuple[Any, ...]]

_ADVICE = "give sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
_MIGRATIONS = Path(__file__).with_name("migrations")
_BEGIN = "sqlite_begin"
_TimeLimit = Callable[[sa.Connection, float | None], AbstractContextManager[None]]

# Number of the PostgreSQL advisory lock of the only writer; any constant.
_WRITER = 0xEC70

# A server that has ended is an error within seconds; it must not hang the monitor.
_CONNECT = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
_POOL_S = 5.0

# Longer than for reading: after a timeout the same rows have to be written again.
_WRITING_S = 30.0

# Fewer than there are connections, so that one is left for the writer.
_MOST_READERS = 10

# FULL makes each commit wait for the disk, so that a power cut loses nothing acknowledged either; to outlive the
# kill of the process NORMAL would do. The commit of half a second of 500 patients changes some 8 MB, most of them in
# the same pages as the one before; they are moved into the main file once for several commits.
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=4000",
)


class Database:
    """Transactions of the database of a URL, ``sqlite:///FILE`` or ``postgresql+psycopg://...``.

    Raises
    ------
    SettingError
        If the URL is of another kind.
    MissingExtraError
        If the driver of PostgreSQL is not installed.
    StorageError
        If the database cannot be opened, or was made by a newer version of Ectopy.
    """

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self._token: str | None = None
        self._readers = threading.BoundedSemaphore(_MOST_READERS)
        # Error of a server that does not answer; then one caller at a time tries it, and all others fail at once.
        self._outage = ""
        self._trial = threading.Lock()
        self._is_silence: Callable[[BaseException | None], bool] = lambda error: False
        self._time_limit: _TimeLimit = lambda connection, limit_s: nullcontext()
        if self._url.get_backend_name() == SQLITE:
            _make_private(self._url)
            self._engine = sa.create_engine(self._url, paramstyle="named")
            sa.event.listen(self._engine, "connect", _prepare)
            sa.event.listen(self._engine, "begin", _begin)
            self._reader = self._engine.execution_options(**{_BEGIN: "BEGIN"})
        else:
            self._engine = self._postgresql()
            self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        try:
            self._upgrade()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that reads a snapshot and blocks no other; during an outage it fails at once.

        A `StorageError` if the database fails or does not answer.
        """
        with self._as_storage_error(), self._reader_slot(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def _reader_slot(self) -> Iterator[None]:
        if not self._readers.acquire(timeout=_POOL_S):
            raise DatabaseError(f"too many read {self.name} at once; try again.")
        try:
            yield
        finally:
            self._readers.release()

    def fence(self, token: str) -> None:
        """Write from now on only while the lease has this token."""
        self._token = token

    @contextmanager
    def writing(self, *, fenced: bool = True) -> Iterator[sa.Connection]:
        """Open the only writing transaction; it is committed at the end of the block, or rolled back as a whole.

        A `StorageError` if the database fails or does not answer, or another process has the lease, which `fenced` has
        checked. After an error of the commit itself the rows may be stored all the same.
        """
        with (
            self._as_storage_error(),
            self._engine.connect() as connection,
            self._time_limit(connection, _WRITING_S),
            connection.begin(),
        ):
            # One writer: ids become visible in ascending order, so that a reader who continues after one misses none.
            if connection.dialect.name == POSTGRESQL:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER)))
            if fenced and self._token is not None:
                own = sa.select(leases.c.token).where(leases.c.token == self._token)
                if connection.execute(own).first() is None:
                    raise DatabaseError(f"another service has taken {self.name} over; nothing more is stored here.")
            yield connection

    def _upgrade(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self.writing() as connection, self._time_limit(connection, None):
            present = MigrationContext.configure(connection).get_current_revision()
            if present == ScriptDirectory.from_config(config).get_current_head():
                return
            config.attributes["connection"] = connection
            if present is None:
                metadata.create_all(connection, checkfirst=False)
                command.stamp(config, "head")
                return
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise DatabaseError(
                    f"{self.name} was made by another version of Ectopy (tables of version {present}); "
                    "install that version or a newer one, or name another database."
                ) from error

    def _postgresql(self) -> sa.Engine:
        try:
            from ectopy.service.storage import postgresql
        except ImportError as error:
            raise MissingExtraError.of("postgres", "a PostgreSQL database") from error
        engine = sa.create_engine(self._url, pool_pre_ping=True, pool_timeout=_POOL_S, connect_args=_CONNECT)
        postgresql.connect_with(engine)
        self._is_silence, self._time_limit = postgresql.is_silence, postgresql.time_limit
        return engine

    @contextmanager
    def _as_storage_error(self) -> Iterator[None]:
        with self._one_trial():
            try:
                yield
            except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
                cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
                reason = str(cause).strip().partition("\n")[0].rstrip(".")
                text = f"the database {self.name} fails: {reason}; nothing was half written, try again when it is back."
                if self._is_silence(cause):
                    self._outage = text
                raise DatabaseError(text) from error

    @contextmanager
    def _one_trial(self) -> Iterator[None]:
        """During an outage, let one caller at a time try the server, until it answers."""
        outage = self._outage
        if not outage:
            yield
            return
        if not self._trial.acquire(blocking=False):
            raise DatabaseError(outage)
        try:
            yield
            self._outage = ""
        finally:
            self._trial.release()

    @property
    def name(self) -> str:
        """The URL, without a password."""
        return self._url.render_as_string(hide_password=True)


def upsert(connection: sa.Connection, table: sa.Table) -> postgresql_dialect.Insert | sqlite_dialect.Insert:
    """Return an INSERT that can update an existing row instead."""
    postgres = connection.dialect.name == POSTGRESQL
    return postgresql_dialect.insert(table) if postgres else sqlite_dialect.insert(table)


def replace_rows(connection: sa.Connection, table: sa.Table, rows: list[Row]) -> None:
    """Insert rows of the same columns; where the primary key exists already, replace their values."""
    if rows:
        statement = upsert(connection, table)
        keys = [column.name for column in table.primary_key]
        values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def _parsed(text: str) -> URL:
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise SettingError(f"{text!r} is not the URL of a database; {_ADVICE}.") from error
    kind = url.get_backend_name()
    if kind == POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if kind != SQLITE:
        raise SettingError(f"databases of the kind {kind!r} are not supported; {_ADVICE}.")
    if url.database in (None, "", ":memory:"):
        raise SettingError(f"{text!r} names no file, and in memory nothing would outlive the process; {_ADVICE}.")
    return url


def _make_private(url: URL) -> None:
    """Make the file of a new database for this user alone; SQLite gives the files beside it the same permissions."""
    with suppress(OSError):  # SQLite reports the error
        os.close(os.open(url.database or "", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, record: object) -> None:
    # Python would begin transactions only at the first change, and then fail where it cannot become the writer.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE"))
