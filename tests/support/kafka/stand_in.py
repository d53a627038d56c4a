"""What `ectopy cluster watch` does with the log, in a thread without Spark, for tests of what is around it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from confluent_kafka import Producer

from ectopy.cluster.brokers import Brokers
from ectopy.cluster.log_reader import LogReader
from ectopy.cluster.shard import Topic, step_shard
from ectopy.cluster.topic_records import read_row, write_event
from ectopy.cluster.topics import TickWriter, Topics
from ectopy.errors import DataError
from ectopy.monitor import Monitor
from ectopy.service.storage import Partition


class StandIn:
    """Watches the patients of the topics with one shard, whose states outlive a `stop`."""

    def __init__(self, brokers: Brokers, topics: Topics, monitor: Monitor) -> None:
        self._brokers, self._topics, self._monitor = brokers, topics, monitor
        self._parts: dict[str, dict[str, bytes]] = {}
        self._offsets: dict[Partition, int] = {}
        topics.create(brokers, partitions=2)

    def start(self) -> None:
        """Go on with the log."""
        self._stopping = threading.Event()
        self._ticks = TickWriter(self._brokers, self._topics.samples)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End in the middle of the log."""
        self._stopping.set()
        self._thread.join()
        self._ticks.close()

    def _run(self) -> None:
        kinds = {self._topics.samples: Topic.SAMPLES, self._topics.commands: Topic.COMMANDS}
        reader = LogReader(self._brokers, kinds, self._offsets)
        producer = Producer(self._brokers.client_settings())
        while not self._stopping.is_set():
            records = reader.read(0.2)
            rows = []
            for record in records:
                partition, offset = record.partition, record.offset
                with suppress(DataError):  # a dead letter
                    kind = kinds[partition.topic]
                    rows.append(read_row(kind, partition.number, offset, record.timestamp, record.key, record.value))
            result = step_shard(self._monitor, lambda patient, name: self._parts.get(patient, {}).get(name), rows)
            for event in result.events:
                producer.produce(self._topics.output, write_event(event), event.patient.encode())
            for patient, content in result.viewed.items():
                producer.produce(self._topics.status, content, patient.encode())
            producer.flush()
            for patient, parts in result.written.items():
                self._parts.setdefault(patient, {}).update(parts)
            for patient, names in result.removed.items():
                for name in names:
                    self._parts[patient].pop(name, None)
            self._offsets.update({record.partition: record.offset + 1 for record in records})
        reader.close()


@contextmanager
def watching(brokers: Brokers, topics: Topics, monitor: Monitor) -> Iterator[StandIn]:
    """A stand-in that watches until the block ends."""
    stand_in = StandIn(brokers, topics, monitor)
    stand_in.start()
    try:
        yield stand_in
    finally:
        stand_in.stop()
