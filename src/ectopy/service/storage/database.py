"""A database by URL: opened, brought to the present tables, and asked in transactions that fail with one error."""

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
from ectopy.service.storage.tables import leases, sizes

SQLITE, POSTGRESQL = "sqlite", "postgresql"

MOST_ROWS = 1000
"""How many rows are read at most, where nothing else is said."""

Row = dict[str, Any]
ResultRow = sa.Row[*tuple[Any, ...]]

_ADVICE = "give sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
_MIGRATIONS = Path(__file__).with_name("migrations")
_BEGIN = "sqlite_begin"
_TRIAL = "tried to write"
_Patient = Callable[[sa.Connection, float | None], AbstractContextManager[None]]

# Of PostgreSQL's advisory locks, the one whose holder writes; any number that is always the same.
_WRITER = 0xEC70

# A server that is gone shall be an error within seconds, not hang the monitor.
_CONNECT = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
_POOL_S = 5.0

# What is not stored for want of an answer has to be stored again.
_WRITING_S = 30.0

# Fewer than there are connections, so that who writes always gets one.
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
    """Transactions of one database.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql+psycopg://...``.

    Raises
    ------
    SettingError
        If the URL is of neither kind.
    MissingExtraError
        If it is PostgreSQL's and its driver is not installed.
    StorageError
        If it cannot be opened, or a newer version of Ectopy has made it.
    """

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self._token: str | None = None
        self._readers = threading.BoundedSemaphore(_MOST_READERS)
        # Why the server is known not to answer; then one at a time tries it again, and nobody else waits for it.
        self._silent = ""
        self._trial = threading.Lock()
        self._is_silence: Callable[[BaseException | None], bool] = lambda error: False
        self._patient: _Patient = lambda connection, limit_s: nullcontext()
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
        """A transaction that sees the database at one moment, and holds nobody up.

        Raises
        ------
        StorageError
            If the database fails, or does not answer; while it is known not to, at once.
        """
        with self._telling(), self._place(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place among those who read."""
        if not self._readers.acquire(timeout=_POOL_S):
            raise DatabaseError(f"too many read {self.name} at once; try again.")
        try:
            yield
        finally:
            self._readers.release()

    def fence(self, token: str) -> None:
        """Write from now on only while the lease of this token holds."""
        self._token = token

    @contextmanager
    def writing(self, *, fenced: bool = True) -> Iterator[sa.Connection]:
        """A transaction that is the only one to write; it is committed at the end of the block, or undone as a whole.

        Parameters
        ----------
        fenced : bool
            Whether to write only while the lease holds, where there is one; see `fence`.

        Raises
        ------
        StorageError
            If the database fails or does not answer, or the lease is another's. Where it fails during the commit
            itself, that may yet have happened.
        """
        with (
            self._telling(),
            self._engine.connect() as connection,
            self._patient(connection, _WRITING_S),
            connection.begin(),
        ):
            # One after the other: ids become visible in ascending order, so nobody who reads on from one misses any.
            if connection.dialect.name == POSTGRESQL:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER)))
            if fenced and self._token is not None:
                held = sa.select(leases.c.token).where(leases.c.token == self._token)
                if connection.execute(held).first() is None:
                    raise DatabaseError(f"another service has taken {self.name} over; nothing more is stored here.")
            yield connection

    def check_writable(self, now: float) -> None:
        """Write a few bytes, which a database that is full or read-only does not take.

        Raises
        ------
        StorageError
            If they cannot be written.
        """
        with self.writing() as connection:
            statement = upsert(connection, sizes).values(name=_TRIAL, bytes=round(now))
            changed = {"bytes": statement.excluded.bytes}
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))

    def _upgrade(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self.writing() as connection, self._patient(connection, None):
            present = MigrationContext.configure(connection).get_current_revision()
            if present == ScriptDirectory.from_config(config).get_current_head():
                return
            config.attributes["connection"] = connection
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
        self._is_silence, self._patient = postgresql.is_silence, postgresql.patient
        return engine

    @contextmanager
    def _telling(self) -> Iterator[None]:
        with self._trying():
            try:
                yield
            except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
                cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
                reason = str(cause).strip().partition("\n")[0].rstrip(".")
                text = f"the database {self.name} fails: {reason}; nothing was half written, try again when it is back."
                if self._is_silence(cause):
                    self._silent = text
                raise DatabaseError(text) from error

    @contextmanager
    def _trying(self) -> Iterator[None]:
        """Let one at a time ask a server that did not answer, until it does."""
        before = self._silent
        if not before:
            yield
            return
        if not self._trial.acquire(blocking=False):
            raise DatabaseError(before)
        try:
            yield
            self._silent = ""
        finally:
            self._trial.release()

    @property
    def name(self) -> str:
        """The URL, without a password."""
        return self._url.render_as_string(hide_password=True)


def upsert(connection: sa.Connection, table: sa.Table) -> postgresql_dialect.Insert | sqlite_dialect.Insert:
    """Return an INSERT that can say what to do where the row is there already."""
    postgres = connection.dialect.name == POSTGRESQL
    return postgresql_dialect.insert(table) if postgres else sqlite_dialect.insert(table)


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
    with suppress(OSError):  # SQLite says what is wrong
        os.close(os.open(url.database or "", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, record: object) -> None:
    # Python would begin transactions only at the first change, and then fail where it cannot become the writer.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE"))
