"""Live signals and beats to those who look at them; who does not keep up loses the oldest, and slows nobody.

All of it runs in the event loop. What is sent is made once, however many look at it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

Frame = bytes | str
"""Bytes of a signal, or a JSON object."""

_ROOM_BYTES = 2 * 2**20


class Viewer:
    """A live subscriber.

    Parameters
    ----------
    patients : iterable of str
        Ids to follow; empty = all.

    Attributes
    ----------
    dropped : int
        Frames lost since the last `take`.
    """

    def __init__(self, patients: Iterable[str] = ()) -> None:
        self._patients = frozenset(patients)
        self._frames: deque[Frame] = deque()
        self._size = 0
        self._come = asyncio.Event()
        self._open = True
        self.dropped = 0

    def wants(self, patient: str) -> bool:
        """Whether this patient is looked at."""
        return not self._patients or patient in self._patients

    def put(self, frame: Frame) -> None:
        """Keep a frame until it is taken; where there is no room, the oldest ones go."""
        self._frames.append(frame)
        self._size += len(frame)
        while self._size > _ROOM_BYTES and len(self._frames) > 1:
            self._size -= len(self._frames.popleft())
            self.dropped += 1
        self._come.set()

    async def take(self) -> tuple[list[Frame], int]:
        """Everything that has come, once there is something, and how many were lost before; nothing = the end."""
        await self._come.wait()
        if self._open:
            self._come.clear()
        frames, dropped = list(self._frames), self.dropped
        self._frames.clear()
        self._size = self.dropped = 0
        return frames, dropped

    def close(self) -> None:
        """There will be nothing more."""
        self._open = False
        self._come.set()


class Feed:
    """All viewers, and those who wait for the next event."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._stored = asyncio.Event()
        self._open = True

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._viewers)

    def join(self, viewer: Viewer) -> None:
        """Begin to send to a viewer."""
        self._viewers.add(viewer)

    def leave(self, viewer: Viewer) -> None:
        """Send no more."""
        self._viewers.discard(viewer)

    def wanted(self, patient: str) -> bool:
        """Whether anybody looks at a patient."""
        return any(viewer.wants(patient) for viewer in self._viewers)

    def publish(self, patient: str, make: Callable[[], Frame]) -> None:
        """Send a frame to all who look at a patient; it is made only if there are any."""
        viewers = [viewer for viewer in self._viewers if viewer.wants(patient)]
        if viewers:
            frame = make()
            for viewer in viewers:
                viewer.put(frame)

    def tell(self) -> None:
        """There are new events in the store."""
        self._stored.set()
        if self._open:
            self._stored = asyncio.Event()

    def next_events(self) -> asyncio.Event:
        """Set as soon as there are events that were not there yet when this was called; set for ever at the end."""
        return self._stored

    @property
    def open(self) -> bool:
        """Whether there will be more."""
        return self._open

    def close(self) -> None:
        """End everything that waits."""
        self._open = False
        self.tell()
        for viewer in self._viewers:
            viewer.close()
