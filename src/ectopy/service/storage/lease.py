"""A lease on a database: one service at a time writes to it.

The holder increments a counter every few seconds. A process that waits for the lease watches the counter by its own
monotonic clock, so that neither setting a clock nor different clocks of machines give the lease away: if the counter
stands still for the length of a lease, the holder has ended, and the lease is taken over. A holder that could not renew
the lease, because the database was out of reach, finds another token when it comes back and stores nothing more. If the
holder was a process of this machine that has ended, the lease is free at once.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from ectopy.errors import StorageError
from ectopy.service.storage.database import Database
from ectopy.service.storage.tables import leases

LEASE_S = 10.0
"""Time that a lease lasts without renewal."""

_RENEWALS = 4  # in the time of a lease
_LOOKS = 20
_NAME = "service"
_PROCESSES = Path("/proc")

_COLUMN = leases.c
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Holder:
    """A row of `leases`."""

    token: str
    renewals: int
    holder: str
    since: float
    renewed: float


class Lease:
    """The right of this process to write to a database, renewed until it is closed.

    It lasts for `lease_s` without renewal. A `StorageError` if another process has it, or the database fails.
    `takeover` is one sentence about the new holder, empty while this process has it; `failure` is why it could not be
    renewed at the last try.
    """

    def __init__(self, database: Database, lease_s: float = LEASE_S) -> None:
        self._database, self._token, self._lease_s = database, _new_token(), lease_s
        self.takeover = ""
        self.failure: StorageError | None = None
        self._end = threading.Event()
        self._acquire()
        database.fence(self._token)
        self._thread = threading.Thread(target=self._renew_until_closed, name="lease", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the lease back."""
        self._end.set()
        self._thread.join()
        try:
            with self._database.writing() as connection:
                connection.execute(sa.delete(leases).where(_COLUMN.token == self._token))
        except StorageError as error:
            _log.warning("The lease was not given back, and lasts for %g s more: %s", self._lease_s, error)

    def _acquire(self) -> None:
        holder, since = self._take(None), time.monotonic()
        if holder is not None and _has_ended(holder.token):
            holder = self._take(holder)
        if holder is not None:
            _log.warning("Waiting for at most %g s: %s has not given the lease back.", self._lease_s, holder.holder)
        while holder is not None:
            if time.monotonic() - since > self._lease_s:
                latest = self._take(holder)
                if latest is None:
                    return
            else:
                time.sleep(self._lease_s / _LOOKS)
                with self._database.reading() as connection:
                    latest = _holder(connection)
            if latest is not None and (latest.token, latest.renewals) != (holder.token, holder.renewals):
                until = _clock(latest.renewed + self._lease_s)
                raise StorageError(
                    f"{self._database.name} is in use by another service: {latest.holder}, since "
                    f"{_clock(latest.since)}, until {until} unless it renews its lease; stop that service, or use "
                    "another database."
                )
            if latest is None:
                holder, since = self._take(None), time.monotonic()

    def _take(self, expired: _Holder | None) -> _Holder | None:
        """Take a free lease, or that of the `expired` holder; return the holder if it is another."""
        now = time.time()
        row = {"token": self._token, "renewals": 0, "holder": _name(), "since": now, "renewed": now}
        with self._database.writing() as connection:
            holder = _holder(connection)
            if holder is not None and holder != expired:
                return holder
            connection.execute(sa.delete(leases).where(_COLUMN.name == _NAME))
            connection.execute(sa.insert(leases).values(name=_NAME, **row))
        return None

    def _renew_until_closed(self) -> None:
        while not self.takeover and not self._end.wait(self._lease_s / _RENEWALS):
            try:
                self._renew()
                self.failure = None
            except StorageError as error:
                # The engine reports it; a takeover is noticed when the database answers again.
                self.failure = error
                _log.warning("The lease could not be renewed: %s", error)

    def _renew(self) -> None:
        renewed = sa.update(leases).where(_COLUMN.token == self._token)
        with self._database.writing(fenced=False) as connection:
            changes = {"renewals": _COLUMN.renewals + 1, "renewed": time.time()}
            if connection.execute(renewed.values(changes)).rowcount:
                return
            other = _holder(connection)
        reason = "somebody has deleted its lease" if other is None else f"{other.holder} has it"
        self.takeover = f"{self._database.name} is no longer this service's: {reason}; nothing more is stored here."
        _log.error("The lease is lost: %s", self.takeover)


def _holder(connection: sa.Connection) -> _Holder | None:
    columns = (_COLUMN.token, _COLUMN.renewals, _COLUMN.holder, _COLUMN.since, _COLUMN.renewed)
    row = connection.execute(sa.select(*columns).where(_COLUMN.name == _NAME)).one_or_none()
    return None if row is None else _Holder(*row)


def _new_token() -> str:
    """Return a random token, with the identity of this process where the system has one."""
    namespace, start = process_namespace(), start_of(os.getpid())
    return "|".join(filter(None, (secrets.token_hex(16), namespace and start and f"{namespace}|{os.getpid()}|{start}")))


def _has_ended(token: str) -> bool:
    """Check that the process of a token has certainly ended."""
    _, _, holder = token.partition("|")
    namespace, _, process = holder.rpartition("|")[0].rpartition("|")
    if not process or namespace != process_namespace():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return start_of(int(process)) not in ("", holder.rpartition("|")[2])


def process_namespace() -> str:
    """Return the boot of this machine and its namespace of process ids; empty if the system does not say."""
    try:
        machine = (_PROCESSES / "sys/kernel/random/boot_id").read_text().strip()
        return f"{machine} {(_PROCESSES / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def start_of(process: int) -> str:
    """Return when a process started, or "ended" for a zombie; empty if the system does not say."""
    try:
        # The name of the program, in brackets, may contain anything; the fields follow it.
        fields = (_PROCESSES / f"{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if fields[0] in "ZX" else fields[19]


def _name() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
