"""Reads topics from stored offsets on, all partitions of them, while brokers come and go."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from ectopy.cluster.brokers import Brokers
from ectopy.service.storage import Partition

_AT_ONCE = 1000
_LOOK_S = 5.0
_ANSWER_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """A record; `timestamp` is in seconds since 1970."""

    partition: Partition
    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None


class LogReader:
    """Reads the partitions of some topics, also those that come later; used by one thread.

    Parameters
    ----------
    brokers : Brokers
    topics : iterable of str
        Those that do not exist yet are waited for.
    offsets : mapping of Partition to int
        Of the records that come next; a partition that is not named is read from its beginning.
    """

    def __init__(self, brokers: Brokers, topics: Iterable[str], offsets: Mapping[Partition, int]) -> None:
        self._consumer = Consumer(
            brokers.client_settings()
            | {
                "group.id": "ectopy",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "reconnect.backoff.max.ms": 1000,
                "error_cb": lambda error: None,  # what it says comes with the records too
            }
        )
        self._topics, self._offsets = tuple(topics), offsets
        self._assigned: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._looked_at = -_LOOK_S

    def read(self, wait_s: float) -> list[Record]:
        """Return the records that come next, those of a partition in order; waits for the first one."""
        if time.monotonic() - self._looked_at >= _LOOK_S:
            self._assign_new()
        if not self._assigned:
            time.sleep(wait_s)
            return []
        return [record for message in self._consumer.consume(_AT_ONCE, wait_s) for record in _records(message)]

    def pause(self, topic: str, paused: bool) -> None:
        """Leave a topic for later, or go on with it."""
        partitions = {partition for partition in self._assigned if partition.topic == topic}
        changing = partitions - self._paused if paused else partitions & self._paused
        if changing:
            change = self._consumer.pause if paused else self._consumer.resume
            change([TopicPartition(*partition) for partition in changing])
            self._paused ^= changing

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def _assign_new(self) -> None:
        try:
            existing = self._consumer.list_topics(timeout=_ANSWER_S).topics
        except KafkaException as error:
            _log.debug("Kafka: %s", error.args[0].str())
            return
        finally:
            self._looked_at = time.monotonic()
        partitions = {
            Partition(topic, number)
            for topic in self._topics
            if topic in existing
            for number in existing[topic].partitions
        }
        new = partitions - self._assigned
        if new:
            starts = [TopicPartition(*each, self._offsets.get(each, OFFSET_BEGINNING)) for each in new]
            self._consumer.incremental_assign(starts)
            self._assigned |= new


def _records(message: Message) -> Iterable[Record]:
    error = message.error()
    if error is not None:
        if error.code() != KafkaError._PARTITION_EOF:
            _log.warning("Kafka: %s", error.str())
        return
    topic, partition, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
    yield Record(Partition(topic, partition), offset, message.timestamp()[1] / 1000, message.key(), message.value())
