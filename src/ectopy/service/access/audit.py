"""The audit of what callers did and viewed, written in the background and kept in a journal during an outage."""

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

VIEW_INTERVAL_S = 60.0
"""The same view by the same caller is one entry in this time."""

SENDING_INTERVAL_S = 86_400.0
"""So are the samples of a patient from the same sender."""

_PATIENCE_S = 1.0
_RETRY_S = 1.0
_MOST_REMEMBERED = 100_000
_FROM_JSON = msgspec.json.Decoder(AuditEntry)

_log = logging.getLogger(__name__)


def account(name: str | None = None) -> str:
    """Return the system account of this process, after the name that a person states.

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
    return f"account {user}" if name is None else f"{name} (account {user})"


class Audit:
    """Writes the audit in a thread of its own, so that no caller waits for a store that does not answer.

    Entries that are not stored yet are in a file, the `journal`, from which the next process continues if this one is
    killed; it is deleted when all are stored. `clock` gives seconds since 1970.
    """

    def __init__(self, store: Store, journal: Path, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Condition()
        self._repeated_until: dict[tuple[str, str, str], float] = {}
        self._journal = _Journal(journal)
        # A killed process may have stored entries of its journal without removing them.
        inherited = self._journal.read()
        self._waiting: deque[AuditEntry] = deque(inherited)
        self._inherited = len(inherited)
        self._flushes: list[Future[None]] = []
        self._is_silent = self._closing = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Start the thread; call once."""
        self._thread.start()

    def close(self) -> None:
        """Store the waiting entries, if the store answers, and end the thread."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        self._thread.join()
        self._journal.close()

    def did(self, actor: str, action: str, patient: str = "", detail: str = "") -> None:
        """Add an entry and wait until it is stored; during an outage it is stored afterwards."""
        self._add_now(actor, action, patient, detail)
        self.flush()

    async def did_async(self, actor: str, action: str, patient: str = "", detail: str = "") -> None:
        """Do the same as `did`, from the event loop."""
        self._add_now(actor, action, patient, detail)
        with self._note_silence():
            await asyncio.wait_for(asyncio.wrap_future(self._flushed()), _PATIENCE_S)

    def saw(self, actor: str, action: str, patient: str = "", interval_s: float = VIEW_INTERVAL_S) -> None:
        """Add an entry without waiting; repetitions within `interval_s` are left out.

        A `StorageError` if too much waits to be written.
        """
        view, now = (actor, action, patient), self._clock()
        with self._lock:
            if now < self._repeated_until.get(view, 0.0) <= now + interval_s:
                return
            if len(self._waiting) >= _MOST_REMEMBERED:
                raise StorageError("too many entries of the audit wait to be stored; check the database.")
            if len(self._repeated_until) >= _MOST_REMEMBERED:
                self._repeated_until = {key: until for key, until in self._repeated_until.items() if now < until}
            self._repeated_until[view] = now + interval_s
            self._add(AuditEntry(now, actor, action, patient))

    def flush(self) -> None:
        """Wait until all entries are stored, or the store does not answer."""
        with self._note_silence():
            self._flushed().result(_PATIENCE_S)

    def _add_now(self, actor: str, action: str, patient: str, detail: str) -> None:
        with self._lock:
            self._add(AuditEntry(self._clock(), actor, action, patient, detail))

    def _add(self, entry: AuditEntry) -> None:
        self._journal.add(entry)
        self._waiting.append(entry)
        self._lock.notify_all()

    def _flushed(self) -> Future[None]:
        """Return a future that ends once no entry waits, or waiting is useless."""
        flushed: Future[None] = Future()
        with self._lock:
            self._flushes.append(flushed)
            self._end_flushes()
        return flushed

    @contextmanager
    def _note_silence(self) -> Iterator[None]:
        """After a timeout, let no other caller wait for the store."""
        try:
            yield
        except TimeoutError:
            with self._lock:
                self._is_silent = True
                self._end_flushes()

    def _end_flushes(self) -> None:
        if self._waiting and not self._is_silent and not self._closing:
            return
        for flushed in self._flushes:
            if flushed.set_running_or_notify_cancel():
                flushed.set_result(None)
        self._flushes.clear()

    def _run(self) -> None:
        while entry := self._next():
            is_silent = False
            try:
                self._store.audit.add(entry, once=self._inherited > 0)
            except StorageError:
                is_silent = True
            except Exception:
                _log.exception("an entry of the audit cannot be written")
            self._end_attempt(is_silent)

    def _next(self) -> AuditEntry | None:
        """Wait for an entry; None after `close`, once all are stored or the store does not answer."""
        with self._lock:
            if self._is_silent:
                self._lock.wait_for(lambda: self._closing, _RETRY_S)
            self._lock.wait_for(lambda: self._waiting or self._closing)
            return None if not self._waiting or (self._closing and self._is_silent) else self._waiting[0]

    def _end_attempt(self, is_silent: bool) -> None:
        with self._lock:
            self._is_silent = is_silent
            if not is_silent:
                self._waiting.popleft()
                self._inherited = max(self._inherited - 1, 0)
                if not self._waiting:
                    self._journal.clear()
            self._end_flushes()


class _Journal:
    """Entries in a file, one in each line: they outlive the kill of the process, though not the loss of power."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> list[AuditEntry]:
        """Return all complete entries."""
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in filter(None, lines):
            try:
                entries.append(_FROM_JSON.decode(line))
            except msgspec.MsgspecError:
                _log.error("a line of %s cannot be read, and is left out of the audit", self._path)
        return entries

    def add(self, entry: AuditEntry) -> None:
        """Append an entry; log an error if the disk is full."""
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
            # The line break comes first, so that the entry has a line of its own even after half an entry.
            os.write(self._file, b"\n" + msgspec.json.encode(entry))
        except OSError as error:
            _log.error("an entry of the audit is kept in memory alone until it is stored: %s", error)

    def clear(self) -> None:
        """Remove all entries: they are stored."""
        with suppress(OSError):
            os.truncate(self._path, 0)

    def close(self) -> None:
        """Close the file, and delete it if it is empty."""
        if self._file is not None:
            os.close(self._file)
        with suppress(OSError):
            if not self._path.stat().st_size:
                self._path.unlink()
