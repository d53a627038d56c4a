"""Records of the log, decoded, and in the order in which the inputs of each patient are processed.

The records of one partition are in order, and ticks in it say what time it is. The log of commands is another one: a
command comes before the first record of its patient's partition that is later, and waits until there is one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from ectopy.monitor import Chunk, Input, Tick
from ectopy.presentation import short_repr
from ectopy.signal.state_replace import replace


class Topic(StrEnum):
    """The topic a record comes from."""

    SAMPLES = "samples"
    COMMANDS = "commands"


@dataclass(frozen=True, slots=True)
class LogRow:
    """A decoded record of the log.

    Attributes
    ----------
    partition, offset : int
        Of its topic.
    timestamp : float
        Of the record, seconds since 1970.
    patient : str
        Empty for a tick, which counts for all patients whose samples come from its partition.
    inputs : tuple of Input
        Chunks, with the time of the record as `received`; commands and reports, with it as `now`; or one `Tick`.
    """

    __repr__ = short_repr

    topic: Topic
    partition: int
    offset: int
    timestamp: float
    patient: str
    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class LogItem:
    """One input of a patient, and the record that it comes from.

    Attributes
    ----------
    at : float
        Time of the record, or of a later one before it.
    """

    __repr__ = short_repr

    at: float
    topic: Topic
    partition: int
    offset: int
    input: Input

    def with_input(self, input: Input) -> LogItem:
        """Return another input of the same record."""
        return replace(self, input=input)


@dataclass(frozen=True, slots=True)
class Order:
    """Inputs by patient, in order.

    Attributes
    ----------
    queues : dict of str to list of LogItem
        What can be processed.
    waiting : dict of str to list of LogItem
        Commands whose time has not come.
    partitions : dict of str to int
        From which the samples of each patient come.
    times : dict of int to float
        Up to when each partition of samples is read.
    """

    queues: dict[str, list[LogItem]]
    waiting: dict[str, list[LogItem]]
    partitions: dict[str, int]
    times: dict[int, float]


def order_rows(
    rows: Sequence[LogRow],
    waiting: Mapping[str, Sequence[LogItem]],
    partitions: Mapping[str, int],
    times: Mapping[int, float],
) -> Order:
    """Bring the records of one micro-batch into order.

    Parameters
    ----------
    waiting, partitions, times
        As the micro-batch before left them.
    """
    ordered = sorted(rows, key=lambda row: (row.partition, row.offset))
    order = Order({}, {}, dict(partitions), dict(times))
    # A patient of whom no samples have come follows the ticks of the first partition, and those whose first ones come
    # now follow the ticks of theirs.
    order.partitions.update(
        {row.patient: row.partition for row in ordered if row.topic is Topic.SAMPLES and row.patient}
    )
    commands = {patient: list(items) for patient, items in waiting.items()}
    latest: dict[int, float] = {}
    for row in ordered:
        if row.topic is Topic.COMMANDS:
            at = latest[row.partition] = max(latest.get(row.partition, -inf), row.timestamp)
            commands.setdefault(row.patient, []).extend(_items(row, at))
            order.partitions.setdefault(row.patient, 0)
    for row in ordered:
        if row.topic is Topic.SAMPLES:
            _take_samples(order, row)
    for patient, items in commands.items():
        for item in sorted(items, key=lambda item: item.at):
            _insert(order, patient, item)
    return order


def _take_samples(order: Order, row: LogRow) -> None:
    at = order.times[row.partition] = max(order.times.get(row.partition, -inf), row.timestamp)
    items = _items(row, at)
    if row.patient:
        order.queues.setdefault(row.patient, []).extend(items)
        return
    for patient, partition in order.partitions.items():
        if partition == row.partition:
            order.queues.setdefault(patient, []).extend(items)


def _insert(order: Order, patient: str, item: LogItem) -> None:
    """Put a command where it belongs, or let it wait."""
    queue = order.queues.setdefault(patient, [])
    place = bisect_right(queue, item.at, key=lambda other: other.at)
    if place < len(queue) or order.times.get(order.partitions[patient], -inf) > item.at:
        queue.insert(place, item)
    else:
        order.waiting.setdefault(patient, []).append(item)


def _items(row: LogRow, at: float) -> list[LogItem]:
    return [LogItem(at, row.topic, row.partition, row.offset, input) for input in row.inputs]


_LEAST_COST_S = 0.05


def cost_s(input: Input) -> float:
    """Return the seconds of signal that an input counts for in the share of its patient."""
    match input:
        case Tick():
            return 0.0
        case Chunk(signal=signal, sampling_rate_hz=rate_hz) if rate_hz > 0:
            return max(len(signal) / rate_hz, _LEAST_COST_S)
        case _:
            return _LEAST_COST_S
