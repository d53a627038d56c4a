"""Records of topics, as tests write and read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from support.kafka.broker import Broker
from support.waiting import until

_NO_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART)


class Record(NamedTuple):
    """A record of a topic; `timestamp` in seconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def write_records(
    broker: Broker, topic: str, records: Iterable[tuple[bytes | None, bytes | None] | tuple[bytes, bytes, int]]
) -> None:
    """Write records, keys and values, and partitions where it matters; returns once the broker has them."""
    producer = Producer(broker.brokers.client_settings() | {"acks": "all"})
    for key, value, *partition in records:
        producer.produce(topic, value, key, *partition)
    assert producer.flush(60.0) == 0


def end_of(broker: Broker, topic: str) -> int:
    """Number of records that were ever written into a topic."""
    consumer = Consumer(broker.brokers.client_settings() | {"group.id": "tests"})
    try:
        partitions = consumer.list_topics(topic, timeout=30.0).topics[topic].partitions
        places = [TopicPartition(topic, partition) for partition in partitions]
        return sum(_ends(consumer, places).values())
    finally:
        consumer.close()


def _ends(consumer: Consumer, places: list[TopicPartition]) -> dict[int, int]:
    """Number of records that were ever written into each partition, once these of a new topic have a leader."""

    def ask() -> dict[int, int] | None:
        try:
            return {place.partition: consumer.get_watermark_offsets(place, timeout=30.0)[1] for place in places}
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER:
                raise
            return None

    return until(ask)


def read_records(broker: Broker, topic: str) -> list[Record]:
    """All records of a topic, those of each partition in their order."""
    consumer = Consumer(broker.brokers.client_settings() | {"group.id": "tests"})
    try:
        partitions = list(consumer.list_topics(topic, timeout=30.0).topics[topic].partitions)
        places = [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions]
        ends = _ends(consumer, places)
        consumer.assign(places)
        records: list[Record] = []
        missing = {partition for partition, end in ends.items() if end}
        while missing:
            message = consumer.poll(30.0)
            assert message is not None
            assert message.error() is None
            records.append(
                Record(
                    topic,
                    message.partition(),
                    message.offset(),
                    message.timestamp()[1] / 1000,
                    message.key(),
                    message.value(),
                    dict(message.headers() or ()),
                )
            )
            if message.offset() + 1 >= ends[message.partition()]:
                missing.discard(message.partition())
        return records
    finally:
        consumer.close()
