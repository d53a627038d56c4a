"""Topics that are missing are created as a stream needs them; ticks carry the broker's time into every partition."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from ectopy.cluster.brokers import Brokers
from ectopy.cluster.topic_records import TICK
from ectopy.cluster.topics import TickWriter, Topics
from ectopy.errors import ServiceError
from support.kafka.broker import Broker
from support.kafka.records import read_records
from support.server import reserved_port
from support.waiting import until


def setting(broker: Broker, topic: str, name: str) -> str:
    admin = broker.admin()
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    return admin.describe_configs([resource])[resource].result()[name].value


def test_missing_topics_are_created_once(broker: Broker):
    topics = Topics("created", "created-events")
    broker.create_topic(topics.output)
    missing = {topics.samples, topics.commands, topics.rejected, topics.status}
    assert set(topics.create(broker.brokers, 3)) == missing
    existing = broker.admin().list_topics(timeout=30).topics
    assert len(existing[topics.samples].partitions) == 3
    assert len(existing[topics.output].partitions) == 1
    assert setting(broker, topics.samples, "message.timestamp.type") == "LogAppendTime"
    assert setting(broker, topics.commands, "message.timestamp.type") == "LogAppendTime"
    assert setting(broker, topics.status, "cleanup.policy") == "compact"
    assert topics.create(broker.brokers, 3) == ()


def test_a_topic_without_permission_is_named(broker: Broker):
    anybody = ("User:ANONYMOUS", "*", AclOperation.ALL, AclPermissionType.DENY)
    rule = AclBinding(ResourceType.TOPIC, "forbidden", ResourcePatternType.LITERAL, *anybody)
    admin = broker.admin()
    admin.create_acls([rule])[rule].result()
    with pytest.raises(ServiceError, match=r"'forbidden' cannot be used.*allow this user"):
        Topics("forbidden", "allowed").create(broker.brokers, 1)


def test_a_broker_that_is_absent_is_named():
    with reserved_port() as port, pytest.raises(ServiceError, match=f"no broker answers at 127.0.0.1:{port}"):
        Topics("ecg", "events").create(Brokers(f"127.0.0.1:{port}"), 1)


def test_ticks_come_into_every_partition(broker: Broker):
    topics = Topics("ticking", "ticking-events")
    topics.create(broker.brokers, 2)
    begin = time.time()
    writer = TickWriter(broker.brokers, topics.samples)
    try:
        ticks = until(lambda: len(ticks := read_records(broker, topics.samples)) >= 4 and ticks)
    finally:
        writer.close()
    assert {tick.partition for tick in ticks} == {0, 1}
    assert {(tick.key, tick.value) for tick in ticks} == {(None, TICK)}
    assert all(begin - 1 <= tick.timestamp <= time.time() + 1 for tick in ticks)
