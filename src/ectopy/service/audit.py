"""Who saw or did what with a patient, in the store's audit."""

from __future__ import annotations

import asyncio
import getpass
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ectopy.errors import StorageError
from ectopy.service.storage import AuditEntry, Store

LOOK_AGAIN_S = 60.0
"""The same look of the same caller counts once in this time."""

SEND_AGAIN_S = 86_400.0
"""So do samples of a patient that come over and over."""

_MOST_REMEMBERED = 10_000


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
    """Writes the audit.

    Parameters
    ----------
    store : Store
    clock : callable
        Gives seconds since 1970.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str, str], float] = {}
        self._waiting: deque[AuditEntry] = deque()

    def did(self, who: str, what: str, patient: str = "", detail: str = "") -> None:
        """Write what somebody has done.

        Raises
        ------
        StorageError
            If the store fails.
        """
        self._store.record(AuditEntry(self._clock(), who, what, patient, detail))

    async def did_async(self, who: str, what: str, patient: str = "", detail: str = "") -> None:
        """The same as `did`, from the event loop."""
        await asyncio.to_thread(self.did, who, what, patient, detail)

    async def saw_async(self, who: str, what: str, patient: str = "", again_s: float = LOOK_AGAIN_S) -> None:
        """The same as `saw`, from the event loop."""
        if self._is_new((who, what, patient), again_s):
            await asyncio.to_thread(self.saw, who, what, patient, again_s)

    def saw(self, who: str, what: str, patient: str = "", again_s: float = LOOK_AGAIN_S) -> None:
        """Write what somebody has looked at; the same once in `again_s`, however often a page asks.

        What the store does not take is written with the next look: nobody is kept from watching by a full disk.

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
                raise StorageError("who looks at patients cannot be written down any more; see to the database.")
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen = {one: until for one, until in self._seen.items() if now < until}
            self._seen[look] = now + again_s
            self._waiting.append(AuditEntry(now, who, what, patient))
        with suppress(StorageError):
            self._write_waiting()

    def _is_new(self, look: tuple[str, str, str], again_s: float) -> bool:
        with self._lock:
            now, until = self._clock(), self._seen.get(look, 0.0)
        return not now < until <= now + again_s

    def _write_waiting(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    return
                entry = self._waiting.popleft()
            try:
                self._store.record(entry)
            except StorageError:
                with self._lock:
                    self._waiting.appendleft(entry)
                raise
