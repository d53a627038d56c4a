"""A lease on a database: one service at a time writes to it.

The holder adds to a counter every few seconds. Whoever wants the lease watches that counter by a clock of its own, so
that no clock which is set, or differs between machines, gives a lease away: where the counter stands still for as long
as a lease lasts, the holder has ended, and the lease is taken over. A holder that could not renew it meanwhile - its
database was out of reach - finds another token there when it comes back; nothing it writes is stored any more. Where
the holder was a process of this machine, and that is there no more, nobody has to wait.
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
"""How long a lease lasts that is not renewed."""

_RENEW_S = 2.5
_LOOK_S = 0.5
_NAME = "service"
_PROCESSES = Path("/proc")

_COLUMN = leases.c
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who has the lease."""

    token: str
    renewals: int
    holder: str
    since: float
    renewed: float


class Lease:
    """The right of this process to write to a database, renewed until it is closed.

    Parameters
    ----------
    database : Database

    Raises
    ------
    StorageError
        If another process has the lease, or the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._token = database, _new_token()
        self._lost = ""
        self._end = threading.Event()
        self._acquire()
        database.fence(self._token)
        self._thread = threading.Thread(target=self._renew_until_closed, name="lease", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> str:
        """Who has taken the lease over, in one sentence; empty while this process has it."""
        return self._lost

    def close(self) -> None:
        """Give the lease back."""
        self._end.set()
        self._thread.join()
        try:
            with self._database.writing() as connection:
                connection.execute(sa.delete(leases).where(_COLUMN.token == self._token))
        except StorageError as error:
            _log.warning("The lease was not given back, and lasts for %g s more: %s", LEASE_S, error)

    def _acquire(self) -> None:
        seen, since = self._take(None), time.monotonic()
        if seen is not None and _has_ended(seen.token):
            seen = self._take(seen)
        if seen is not None:
            _log.warning("Waiting for at most %g s: %s has not given the lease back.", LEASE_S, seen.holder)
        while seen is not None:
            if time.monotonic() - since > LEASE_S:
                now = self._take(seen)
                if now is None:
                    return
            else:
                time.sleep(_LOOK_S)
                with self._database.reading() as connection:
                    now = _holder(connection)
            if now is not None and (now.token, now.renewals) != (seen.token, seen.renewals):
                raise StorageError(
                    f"{self._database.name} is in use by another service: {now.holder}, since {_clock(now.since)}, "
                    f"until {_clock(now.renewed + LEASE_S)} unless it renews its lease; stop that service, or use "
                    "another database."
                )
            if now is None:
                seen, since = self._take(None), time.monotonic()

    def _take(self, expired: _Holder | None) -> _Holder | None:
        """Take the lease where nobody has it, or this holder only; who has it instead."""
        now = time.time()
        mine = {"token": self._token, "renewals": 0, "holder": _name(), "since": now, "renewed": now}
        with self._database.writing() as connection:
            holder = _holder(connection)
            if holder is not None and holder != expired:
                return holder
            connection.execute(sa.delete(leases).where(_COLUMN.name == _NAME))
            connection.execute(sa.insert(leases).values(name=_NAME, **mine))
        return None

    def _renew_until_closed(self) -> None:
        while not self._lost and not self._end.wait(_RENEW_S):
            try:
                self._renew()
            except StorageError as error:
                # The hub tells of a database that is away; whether another has taken over is seen once it is back.
                _log.warning("The lease could not be renewed: %s", error)

    def _renew(self) -> None:
        renewed = sa.update(leases).where(_COLUMN.token == self._token)
        with self._database.writing(fenced=False) as connection:
            changes = {"renewals": _COLUMN.renewals + 1, "renewed": time.time()}
            if connection.execute(renewed.values(changes)).rowcount:
                return
            other = _holder(connection)
        whom = "somebody has deleted its lease" if other is None else f"{other.holder} has it"
        self._lost = f"{self._database.name} is no longer this service's: {whom}; nothing more is stored here."
        _log.error("The lease is lost: %s", self._lost)


def _holder(connection: sa.Connection) -> _Holder | None:
    columns = (_COLUMN.token, _COLUMN.renewals, _COLUMN.holder, _COLUMN.since, _COLUMN.renewed)
    row = connection.execute(sa.select(*columns).where(_COLUMN.name == _NAME)).one_or_none()
    return None if row is None else _Holder(*row)


def _new_token() -> str:
    """A token that nobody else has, with the process that holds it where processes can be told apart."""
    place, began = _place_of_processes(), _began(os.getpid())
    return "|".join(filter(None, (secrets.token_hex(16), place and began and f"{place}|{os.getpid()}|{began}")))


def _has_ended(token: str) -> bool:
    """Whether it is certain that the process which holds a token is there no more."""
    _, _, holder = token.partition("|")
    place, _, process = holder.rpartition("|")[0].rpartition("|")
    if not process or place != _place_of_processes():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _began(int(process)) not in ("", holder.rpartition("|")[2])


def _place_of_processes() -> str:
    """The machine since it was started, and the numbers of processes in it; empty where that is not known."""
    try:
        machine = (_PROCESSES / "sys/kernel/random/boot_id").read_text().strip()
        return f"{machine} {(_PROCESSES / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _began(process: int) -> str:
    """When a process began, or that it has ended and only its number is left; empty where that is not known."""
    try:
        # Behind the name of the program, which is in brackets and may hold anything.
        facts = (_PROCESSES / f"{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if facts[0] in "ZX" else facts[19]


def _name() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
