"""Live signals and beats for viewers; one that does not keep up loses the oldest, and slows no other.

All of it runs in the event loop. A frame is made once, however many viewers get it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

Frame = bytes | str
"""Bytes of a signal, or a JSON object."""

_ROOM_BYTES = 2 * 2**20


class Viewer:
    """A live subscriber that follows these patients, or all where none is named.

    `dropped` is how many frames were lost since the last `take`; `open` while there will be more frames.
    """

    def __init__(self, patients: Iterable[str] = ()) -> None:
        self._patients = frozenset(patients)
        self._frames: deque[Frame] = deque()
        self._size = 0
        self._frame_arrived = asyncio.Event()
        self.open = True
        self.dropped = 0

    def follows(self, patient: str) -> bool:
        """Return whether the viewer follows this patient."""
        return not self._patients or patient in self._patients

    def put(self, frame: Frame) -> None:
        """Keep a frame until it is taken; where there is no room, the oldest ones are dropped."""
        self._frames.append(frame)
        self._size += len(frame)
        while self._size > _ROOM_BYTES and len(self._frames) > 1:
            self._size -= len(self._frames.popleft())
            self.dropped += 1
        self._frame_arrived.set()

    async def take(self) -> tuple[list[Frame], int]:
        """Wait for frames; return them, and how many were lost before them. No frames = the end, or it was woken."""
        await self._frame_arrived.wait()
        if self.open:
            self._frame_arrived.clear()
        frames, dropped = list(self._frames), self.dropped
        self._frames.clear()
        self._size = self.dropped = 0
        return frames, dropped

    def wake(self) -> None:
        """Let it look at once whether it may go on."""
        self._frame_arrived.set()

    def close(self) -> None:
        """Send no more frames."""
        self.open = False
        self.wake()


class Feed:
    """All viewers, and the readers that wait for the next event; `open` while there will be more."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._stored = asyncio.Event()
        self.open = True

    @property
    def viewers(self) -> int:
        """Return how many viewers there are."""
        return len(self._viewers)

    def join(self, viewer: Viewer) -> None:
        """Begin to send to a viewer."""
        self._viewers.add(viewer)

    def leave(self, viewer: Viewer) -> None:
        """Send no more."""
        self._viewers.discard(viewer)

    def is_followed(self, patient: str) -> bool:
        """Return whether any viewer follows a patient."""
        return any(viewer.follows(patient) for viewer in self._viewers)

    def publish(self, patient: str, make: Callable[[], Frame]) -> None:
        """Send a frame to all viewers that follow a patient; it is made only if there are any."""
        viewers = [viewer for viewer in self._viewers if viewer.follows(patient)]
        if viewers:
            frame = make()
            for viewer in viewers:
                viewer.put(frame)

    def announce_events(self) -> None:
        """Wake readers: there are new events in the store."""
        self._stored.set()
        if self.open:
            self._stored = asyncio.Event()

    def next_events(self) -> asyncio.Event:
        """Return what is set as soon as there are newer events in the store, and for ever at the end."""
        return self._stored

    def wake(self) -> None:
        """Let all viewers and readers look at once whether they may go on."""
        self.announce_events()
        for viewer in self._viewers:
            viewer.wake()

    def close(self) -> None:
        """End all viewers and readers."""
        self.open = False
        self.announce_events()
        for viewer in self._viewers:
            viewer.close()
