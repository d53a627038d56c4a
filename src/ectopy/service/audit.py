"""Who saw or did what with a patient, in the store's audit."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable

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

    Parameters
    ----------
    store : Store
    clock : callable
        Gives seconds since 1970.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._changed = threading.Condition()
        self._seen: dict[tuple[str, str, str], float] = {}
        self._waiting: deque[AuditEntry] = deque()
        self._away = self._closing = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Begin to write; once."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits, if the store takes it, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def did(self, who: str, what: str, patient: str = "", detail: str = "") -> None:
        """Write what somebody has done; while the store is away it is kept, and written afterwards."""
        with self._changed:
            self._add(AuditEntry(self._clock(), who, what, patient, detail))
        self.flush()

    async def did_async(self, who: str, what: str, patient: str = "", detail: str = "") -> None:
        """The same as `did`, from the event loop."""
        await asyncio.to_thread(self.did, who, what, patient, detail)

    def saw(self, who: str, what: str, patient: str = "", again_s: float = LOOK_AGAIN_S) -> None:
        """Write what somebody has looked at, soon; the same once in `again_s`, however often a page asks.

        Raises
        ------
        StorageError
            If too much waits to be written.
        """
        look, now = (who, what, patient), self._clock()
        with self._changed:
            if now < self._seen.get(look, 0.0) <= now + again_s:
                return
            if len(self._waiting) >= _MOST_REMEMBERED:
                raise StorageError("who looks at patients cannot be written down any more; see to the database.")
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen = {one: until for one, until in self._seen.items() if now < until}
            self._seen[look] = now + again_s
            self._add(AuditEntry(now, who, what, patient))

    def flush(self) -> None:
        """Wait until everything is written; not for a store that is away."""
        with self._changed:
            written = self._changed.wait_for(lambda: not self._waiting or self._away or self._closing, _PATIENCE_S)
            self._away = self._away or not written

    def _add(self, entry: AuditEntry) -> None:
        self._waiting.append(entry)
        self._changed.notify_all()

    def _run(self) -> None:
        while entry := self._next():
            try:
                self._store.record(entry)
            except StorageError:
                self._ended(away=True)
            except Exception:
                _log.exception("an entry of the audit cannot be written")
                self._ended(away=False)
            else:
                self._ended(away=False)

    def _next(self) -> AuditEntry | None:
        """What is written next; None = it is over, and everything is written, or the store is away."""
        with self._changed:
            if self._away:
                self._changed.wait_for(lambda: self._closing, _RETRY_S)
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return None if not self._waiting or (self._closing and self._away) else self._waiting[0]

    def _ended(self, away: bool) -> None:
        with self._changed:
            if not away:
                self._waiting.popleft()
            self._away = away
            self._changed.notify_all()
