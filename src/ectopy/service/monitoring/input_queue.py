"""Inputs that wait to be processed, of bounded size, from which each patient gets a bounded share at a time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from ectopy.errors import StorageError
from ectopy.monitor import Input
from ectopy.service.monitoring.write_buffer import Receipt

_SHARE = 2**15
"""Bytes of one patient from which on the next inputs have to wait; 16 s of two leads at 250 Hz."""


@dataclass(slots=True)
class QueuedInput:
    """An input, its size in bytes, the receipt that its sender waits for, and the id of a command of another process.

    `previewed`: viewers have seen it already.
    """

    input: Input
    size: int = 0
    receipt: Future[Receipt] | None = None
    command: int | None = None
    previewed: bool = False


class InputQueue:
    """Inputs of many patients, for several threads that add to it and one that takes from it.

    Parameters
    ----------
    room_bytes : int
        Limit of all inputs together. Where there is no room, a patient with more than an equal share loses it first.

    Attributes
    ----------
    arrived : threading.Event
        Set where there may be something to take.
    """

    def __init__(self, room_bytes: int) -> None:
        self.arrived = threading.Event()
        self._room = room_bytes
        self._lock = threading.Lock()
        self._entries: list[tuple[str, QueuedInput]] = []
        self._bytes: Counter[str] = Counter()
        self._unpreviewed: list[tuple[str, QueuedInput]] = []
        self._closed = False

    def __len__(self) -> int:
        return len(self._entries)

    def submit(self, patient: str, queued: QueuedInput, patients: int) -> None:
        """Add an input of a sender; a `StorageError` if there is no room, or the queue is closed.

        `patients` is between how many the room is divided.
        """
        with self._lock:
            if self._closed:
                raise StorageError("the service has been stopped; send again when it runs again.")
            own_bytes = self._bytes[patient] + queued.size
            is_full = self._bytes.total() + queued.size > self._room
            if is_full and own_bytes > self._room // patients:
                raise StorageError("more inputs wait than can be kept; send again later.")
            self._entries.append((patient, queued))
            self._unpreviewed.append((patient, queued))
            self._bytes[patient] = own_bytes
        self.arrived.set()

    def add_command(self, patient: str, queued: QueuedInput) -> None:
        """Add a command of another process, for which there is always room."""
        with self._lock:
            self._entries.append((patient, queued))

    def close(self) -> None:
        """Accept no further inputs of senders."""
        with self._lock:
            self._closed = True

    def take_shares(self) -> dict[str, list[QueuedInput]]:
        """Take inputs, a bounded share per patient; the others stay."""
        self.arrived.clear()
        shares: dict[str, list[QueuedInput]] = {}
        sizes: Counter[str] = Counter()
        remaining: list[tuple[str, QueuedInput]] = []
        with self._lock:
            for patient, queued in self._entries:
                if sizes[patient] < _SHARE:
                    shares.setdefault(patient, []).append(queued)
                else:
                    remaining.append((patient, queued))
                sizes[patient] += queued.size
            self._entries, self._bytes = remaining, Counter()
            for patient, queued in remaining:
                self._bytes[patient] += queued.size
        if remaining:
            self.arrived.set()
        return shares

    def take_unpreviewed(self) -> list[tuple[str, QueuedInput]]:
        """Return the inputs of senders that have come since the last call, processed or not."""
        with self._lock:
            entries, self._unpreviewed = self._unpreviewed, []
        return entries

    def change_inputs(self, change: Callable[[Input], Input]) -> None:
        """Replace each waiting input by what `change` makes of it."""
        with self._lock:
            for _, queued in self._entries:
                queued.input = change(queued.input)
