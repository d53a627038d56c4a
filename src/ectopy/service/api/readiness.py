"""Readiness: engine, store and disk space."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from ectopy.errors import StorageError
from ectopy.service.monitoring.ward import Ward

LEAST_FREE_BYTES = 2**26
"""With less space on the disk of the data the service is not ready."""

_AGAIN_S = 2.0
_PATIENCE_S = 10.0


class Readiness:
    """Checks of what the service needs, at most once in two seconds however many ask."""

    def __init__(self, ward: Ward, folder: Path) -> None:
        self._ward, self._folder = ward, folder
        self._looking: asyncio.Task[dict[str, bool]] | None = None
        self._looked = float("-inf")

    async def look(self) -> dict[str, bool]:
        """Return whether each thing is well; a store that does not answer in ten seconds is not."""
        if self._looking is None or (self._looking.done() and time.monotonic() - self._looked >= _AGAIN_S):
            self._looked = time.monotonic()
            self._looking = asyncio.create_task(self._find())
        try:
            return await asyncio.wait_for(asyncio.shield(self._looking), _PATIENCE_S)
        except TimeoutError:
            return {"store": False, "hub": self._ward.watching, "disk": self._has_space()}

    async def _find(self) -> dict[str, bool]:
        store = await asyncio.to_thread(self._takes)
        return {"store": store, "hub": self._ward.watching, "disk": self._has_space()}

    def _takes(self) -> bool:
        try:
            self._ward.store.check_writable(self._ward.clock())
        except StorageError:
            return False
        return True

    def _has_space(self) -> bool:
        return shutil.disk_usage(self._folder).free >= LEAST_FREE_BYTES
