"""The step of a shard as Spark runs it: rows of Kafka in, rows for Kafka out, the states of patients in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pyspark import SparkFiles
from pyspark.sql import Row
from pyspark.sql.streaming.stateful_processor import MapState, StatefulProcessor, StatefulProcessorHandle, TimerValues

from ectopy.analysis.shipped_detector import SHIPPED, load_detector
from ectopy.cluster.input_log import ReadPart
from ectopy.cluster.log_rows import LogRow, Topic
from ectopy.cluster.shard import Failure, step_shard
from ectopy.cluster.state_memory import StateMemory
from ectopy.cluster.topic_records import read_row, write_event
from ectopy.cluster.topics import Topics
from ectopy.errors import DataError
from ectopy.monitor import Monitor
from ectopy.presentation import short_repr

OUTPUT_SCHEMA = "topic string, key binary, value binary, headers array<struct<key: string, value: binary>>"
PARTS, PARTS_KEY, PARTS_VALUE = "parts", "patient string, part string", "content binary"
"""State variable in which the parts of the states lie, and its schema."""

MOST_REJECTED_BYTES = 2**19
"""Of a dead letter the beginning is written: with its headers a record would exceed the broker's limit."""


@dataclass(frozen=True, slots=True)
class MonitorSource:
    """How a process gets its monitor.

    Attributes
    ----------
    bundle : str
        `SHIPPED`, or the name of a file that the session hands to all processes.
    digest : str
        SHA-256 of the bundle.
    learning_s : float
    """

    bundle: str
    digest: str
    learning_s: float


@cache
def load_monitor(source: MonitorSource) -> Monitor:
    """Load a monitor once for this process."""
    bundle = source.bundle if source.bundle == SHIPPED else SparkFiles.get(source.bundle)
    return Monitor.of(load_detector(bundle), source.learning_s)


@dataclass(frozen=True, slots=True)
class _Record:
    """A record as Kafka has it; `timestamp` in milliseconds."""

    __repr__ = short_repr

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class ShardProcessor(StatefulProcessor):
    """Steps the patients of a shard."""

    def __init__(self, source: MonitorSource, topics: Topics) -> None:
        self._source, self._topics = source, topics

    def init(self, handle: StatefulProcessorHandle) -> None:
        """Get the state."""
        self._parts = handle.getMapState(PARTS, PARTS_KEY, PARTS_VALUE)

    def handleInitialState(self, key: object, initialState: Row, timerValues: TimerValues) -> None:  # noqa: N802
        """Take a part of a state from another checkpoint."""
        content = (bytes(initialState.content),)
        self._parts.updateValue((initialState.patient, initialState.part), content)

    def handleInputRows(  # noqa: N802
        self, key: object, rows: Iterator[Row], timerValues: TimerValues
    ) -> Iterator[Row]:
        """Step a shard by the records of one micro-batch; the rows are records of the other topics."""
        records = [
            _Record(row.topic, row.partition, row.offset, row.timestamp, _bytes(row.key), _bytes(row.value))
            for row in rows
        ]
        inputs: list[LogRow] = []
        for record in records:
            try:
                inputs.append(self._read(record))
            except DataError as error:
                yield self._rejected(record, str(error))
        result = step_shard(load_monitor(self._source), _reader(self._parts), inputs, _memory(self._source))
        for patient, names in result.removed.items():
            for name in names:
                self._parts.removeKey((patient, name))
        for patient, parts in result.written.items():
            for name, content in parts.items():
                self._parts.updateValue((patient, name), (content,))
        for event in result.events:
            yield _row(self._topics.output, event.patient.encode(), write_event(event))
        for patient, content in result.viewed.items():
            yield _row(self._topics.status, patient.encode(), content)
        places = {(self._topic(record.topic), record.partition, record.offset): record for record in records}
        for failure in result.failures:
            place = (failure.topic, failure.partition, failure.offset)
            yield self._rejected(places.get(place, self._earlier(failure)), failure.reason)

    def _earlier(self, failure: Failure) -> _Record:
        """Return a record of an earlier micro-batch, of which only the place is known."""
        name = self._topics.samples if failure.topic is Topic.SAMPLES else self._topics.commands
        return _Record(name, failure.partition, failure.offset, 0, failure.patient.encode(), None)

    def _topic(self, name: str) -> Topic:
        return Topic.SAMPLES if name == self._topics.samples else Topic.COMMANDS

    def _read(self, record: _Record) -> LogRow:
        topic = self._topic(record.topic)
        return read_row(topic, record.partition, record.offset, record.timestamp / 1000, record.key, record.value)

    def _rejected(self, record: _Record, reason: str) -> Row:
        headers = {
            "reason": reason,
            "topic": record.topic,
            "partition": str(record.partition),
            "offset": str(record.offset),
        }
        value = None if record.value is None else record.value[:MOST_REJECTED_BYTES]
        pairs = [Row(key=name, value=text.encode()) for name, text in headers.items()]
        return Row(topic=self._topics.rejected, key=record.key, value=value, headers=pairs)


def _reader(parts: MapState) -> ReadPart:
    """Return a function that reads a part: each call crosses a socket."""

    def read(patient: str, name: str) -> bytes | None:
        value = parts.getValue((patient, name))
        return None if value is None else bytes(value[0])

    return read


@cache
def _memory(source: MonitorSource) -> StateMemory:
    """States that this process and others of its executor have left; Spark removes the folder with the executor."""
    folder = Path(SparkFiles.getRootDirectory()) / f"states-{source.digest}-{source.learning_s:g}"
    folder.mkdir(exist_ok=True)
    return StateMemory(folder)


def _row(topic: str, key: bytes, value: bytes) -> Row:
    return Row(topic=topic, key=key, value=value, headers=None)


def _bytes(value: bytes | bytearray | None) -> bytes | None:
    return None if value is None else bytes(value)
