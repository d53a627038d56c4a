"""Who saw or did what with a patient, in the store's audit."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from ectopy.errors import StorageError
from ectopy.service.storage import AuditEntry, Store

LOOK_AGAIN_S = 60.0
"""The same look of the same caller counts once in this time."""

SEND_AGAIN_S = 86_400.0
"""So do samples of a patient that come over and over."""

_PATIENCE_S = 1.0
_RETRY_S = 1.0
_MOST_REMEMBERED = 100_000

_log = logging.getLogger(__name__)


def account(name: str | None = None) -> str:
    """Who works at this machine: the account as the system knows it, behind the name that somebody states.

    Examples
    --------
    >>> account("Anna") == f"Anna ({account()})"
    True
    """
    try:
        import pwd

        user = pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # where there are no such accounts
        user = getpass.getuser()
    shown = f"account {user}"
    return shown if name is None else f"{name} ({shown})"


class Audit:
    """Writes the audit, in a thread of its own: nobody who looks or acts waits for a store that is away.

    What is not written yet is in a journal, from which the next process goes on where this one is killed.

    Parameters
    ----------
    store : Store
    journal : Path
        File of what is not written yet; it is there only meanwhile.
    clock : callable
        Gives seconds since 1970.
    """

    def __init__(self, store: Store, journal: Path, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Condition()
        self._seen: dict[tuple[str, str, str], float] = {}
        self._journal = _Journal(journal)
        # Of those that another process has left, the last may be written: it was killed before it could say so.
        left = self._journal.read()
        self._waiting: deque[AuditEntry] = deque(left)
        self._left = len(left)
        self._written: list[Future[None]] = []
        self._away = self._closing = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Begin to write; once."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits, if the store takes it, and end."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        self._thread.join()
        self._journal.close()

    def did(self, who: str, what: str, patient: str = "", detail: str = "") -> None:
        """Write what somebody has done; while the store is away it is kept, and written afterwards."""
        self._add_now(who, what, patient, detail)
        self.flush()

    async def did_async(self, who: str, what: str, patient: str = "", detail: str = "") -> None:
        """The same as `did`, from the event loop."""
        self._add_now(who, what, patient, detail)
        with self._given_up_on():
            await asyncio.wait_for(asyncio.wrap_future(self._all_written()), _PATIENCE_S)

    def saw(self, who: str, what: str, patient: str = "", again_s: float = LOOK_AGAIN_S) -> None:
        """Write what somebody has looked at, soon; the same once in `again_s`, however often a page asks.

        Raises
        ------
        StorageError
            If too much waits to be written.
        """
        look, now = (who, what, patient), self._clock()
        with self._lock:
            if now < self._seen.get(look, 0.0) <= now + again_s:
                return
            if len(self._waiting) >= _MOST_REMEMBERED:
                raise StorageError("too many entries of the audit wait to be stored; check the database.")
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen = {one: until for one, until in self._seen.items() if now < until}
            self._seen[look] = now + again_s
            self._add(AuditEntry(now, who, what, patient))

    def flush(self) -> None:
        """Wait until everything is written; not for a store that is away."""
        with self._given_up_on():
            self._all_written().result(_PATIENCE_S)

    def _add_now(self, who: str, what: str, patient: str, detail: str) -> None:
        with self._lock:
            self._add(AuditEntry(self._clock(), who, what, patient, detail))

    def _add(self, entry: AuditEntry) -> None:
        self._journal.add(entry)
        self._waiting.append(entry)
        self._lock.notify_all()

    def _all_written(self) -> Future[None]:
        """Done once nothing waits any more, or nobody should wait for that."""
        written: Future[None] = Future()
        with self._lock:
            self._written.append(written)
            self._settle()
        return written

    @contextmanager
    def _given_up_on(self) -> Iterator[None]:
        """Let nobody wait longer for a store that does not answer."""
        try:
            yield
        except TimeoutError:
            with self._lock:
                self._away = True
                self._settle()

    def _settle(self) -> None:
        if self._waiting and not self._away and not self._closing:
            return
        for written in self._written:
            if written.set_running_or_notify_cancel():
                written.set_result(None)
        self._written.clear()

    def _run(self) -> None:
        while entry := self._next():
            try:
                self._store.audit.add(entry, once=self._left > 0)
            except StorageError:
                self._ended(away=True)
            except Exception:
                _log.exception("an entry of the audit cannot be written")
                self._ended(away=False)
            else:
                self._ended(away=False)

    def _next(self) -> AuditEntry | None:
        """What is written next; None = it is over, and everything is written, or the store is away."""
        with self._lock:
            if self._away:
                self._lock.wait_for(lambda: self._closing, _RETRY_S)
            self._lock.wait_for(lambda: self._waiting or self._closing)
            return None if not self._waiting or (self._closing and self._away) else self._waiting[0]

    def _ended(self, away: bool) -> None:
        with self._lock:
            self._away = away
            if not away:
                self._waiting.popleft()
                self._left = max(self._left - 1, 0)
                if not self._waiting:
                    self._journal.clear()
            self._settle()


class _Journal:
    """Entries in a file, one a line: they outlive the kill of the process, though not the loss of power."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> list[AuditEntry]:
        """All whole entries."""
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in filter(None, lines):
            try:
                entries.append(msgspec.json.decode(line, type=AuditEntry))
            except msgspec.MsgspecError:
                _log.error("a line of %s cannot be read, and is left out of the audit", self._path)
        return entries

    def add(self, entry: AuditEntry) -> None:
        """Keep an entry; where the disk does not take it, in memory alone."""
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
            # In front of it, so that it stands in a line of its own even after half an entry.
            os.write(self._file, b"\n" + msgspec.json.encode(entry))
        except OSError as error:
            _log.error("an entry of the audit is kept in memory alone until it is stored: %s", error)

    def clear(self) -> None:
        """Everything has been written."""
        with suppress(OSError):
            os.truncate(self._path, 0)

    def close(self) -> None:
        """Take nothing more; an empty file does not stay."""
        if self._file is not None:
            os.close(self._file)
        with suppress(OSError):
            if not self._path.stat().st_size:
                self._path.unlink()
