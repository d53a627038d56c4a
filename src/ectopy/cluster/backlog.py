"""Inputs of a patient that wait for a later micro-batch, in order, as parts beside those of the state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ectopy.cluster.input_log import ReadPart, StoredInput
from ectopy.cluster.log_rows import LogItem, Topic
from ectopy.errors import DataError
from ectopy.monitor import Chunk, RejectedInput
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.snapshot import SNAPSHOT_VERSION, readable_version

MOST_BYTES = 32 * 2**20
"""Of the backlog of one patient; samples beyond are given up."""

_PART_BYTES = 2**18
_ACCEPTED_BELOW = 0.75
_TOO_MUCH = (
    f"more than {MOST_BYTES >> 20} MB of this patient's samples wait to be watched; "
    "those that come now are given up; send no faster than fifteen times real time."
)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An input that waits, encoded."""

    at: float
    topic: Topic
    partition: int
    offset: int
    input: StoredInput

    @classmethod
    def of(cls, item: LogItem) -> StoredItem:
        """Encode an input."""
        return cls(item.at, item.topic, item.partition, item.offset, StoredInput.of(item.input))

    def decoded(self) -> LogItem:
        """Decode the input; a `DataError` if it is damaged."""
        return LogItem(self.at, self.topic, self.partition, self.offset, self.input.decoded())


@dataclass(frozen=True, slots=True)
class Backlog:
    """Where the inputs of a patient lie that wait.

    Attributes
    ----------
    first, stop : int
        Number of the first part, and the one after the last.
    consumed : int
        How many inputs of the first part are not there any more.
    size : int
        Bytes in all parts.
    is_full : bool
        Whether samples are given up, of which the patient's events tell.
    """

    first: int = 0
    stop: int = 0
    consumed: int = 0
    size: int = 0
    is_full: bool = False

    def __bool__(self) -> bool:
        return self.first < self.stop


@dataclass(frozen=True, slots=True)
class _BacklogPart:
    """A part of the backlog."""

    version: int
    items: tuple[StoredItem, ...]


class BacklogReader:
    """Reads what waits, part by part, and counts what is taken."""

    def __init__(self, backlog: Backlog, patient: str, read: ReadPart) -> None:
        self._backlog, self._patient, self._read = backlog, patient, read
        self._removed: list[str] = []
        self._items: tuple[StoredItem, ...] = ()
        self._bytes = 0

    @property
    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return not self._backlog

    def peek(self) -> LogItem | None:
        """Return the next input without taking it; None if nothing waits."""
        if not self._backlog:
            return None
        if not self._items:
            self._items, self._bytes = self._read_part(self._backlog.first)
        if self._backlog.consumed >= len(self._items):
            raise DataError(f"part {self._backlog.first} of the backlog is damaged.")
        return self._items[self._backlog.consumed].decoded()

    def take(self) -> None:
        """Take the input that `peek` returned."""
        backlog = self._backlog
        if backlog.consumed + 1 < len(self._items):
            self._backlog = Backlog(backlog.first, backlog.stop, backlog.consumed + 1, backlog.size, backlog.is_full)
            return
        self._removed.append(part_name(backlog.first))
        self._backlog = Backlog(backlog.first + 1, backlog.stop, 0, backlog.size - self._bytes, backlog.is_full)
        self._items = ()

    def _read_part(self, number: int) -> tuple[tuple[StoredItem, ...], int]:
        content = self._read(self._patient, part_name(number))
        if content is None:
            raise DataError(f"part {number} of the backlog is missing.")
        readable_version(content)
        return decode(_BacklogPart, content).items, len(content)

    def with_new(self, items: Sequence[LogItem]) -> tuple[Backlog, dict[str, bytes], tuple[str, ...]]:
        """Append inputs that have to wait too.

        Returns
        -------
        backlog : Backlog
        written : dict of str to bytes
        removed : tuple of str
            Parts to write, and names of those to remove.
        """
        backlog = self._backlog
        size, is_full = backlog.size, backlog.is_full
        waiting: list[StoredItem] = []
        for item in items:
            was_full = is_full
            is_full = size > (_ACCEPTED_BELOW * MOST_BYTES if was_full else MOST_BYTES)
            if not is_full or not isinstance(item.input, Chunk):
                waiting.append(StoredItem.of(item))
            elif not was_full:
                waiting.append(StoredItem.of(item.with_input(RejectedInput(item.at, _TOO_MUCH))))
            else:
                continue
            size += len(waiting[-1].input.content)
        written: dict[str, bytes] = {}
        stop = backlog.stop
        for group in _groups(waiting):
            written[part_name(stop)] = encode(_BacklogPart(SNAPSHOT_VERSION, group))
            stop += 1
        size = backlog.size + sum(map(len, written.values()))
        return Backlog(backlog.first, stop, backlog.consumed, size, is_full), written, tuple(self._removed)


def part_name(number: int) -> str:
    """Name of a part of the backlog."""
    return f"backlog/{number}"


def _groups(items: Iterable[StoredItem]) -> Iterator[tuple[StoredItem, ...]]:
    """Divide items into groups of a quarter of a megabyte."""
    group: list[StoredItem] = []
    size = 0
    for item in items:
        group.append(item)
        size += len(item.input.content)
        if size >= _PART_BYTES:
            yield tuple(group)
            group, size = [], 0
    if group:
        yield tuple(group)
