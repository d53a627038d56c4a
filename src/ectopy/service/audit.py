"""Who saw or did what with a patient, in the store's audit."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from ectopy.service.storage import AuditEntry, Store

_AGAIN_S = 60.0
_MOST_REMEMBERED = 10_000


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

    def saw(self, who: str, what: str, patient: str = "") -> None:
        """Write what somebody has looked at; the same once a minute, however often a page asks.

        Raises
        ------
        StorageError
            If the store fails.
        """
        look, now = (who, what, patient), self._clock()
        with self._lock:
            if now - self._seen.get(look, 0.0) < _AGAIN_S:
                return
        self.did(who, what, patient)
        with self._lock:
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen = {one: at for one, at in self._seen.items() if now - at < _AGAIN_S}
            self._seen[look] = now
