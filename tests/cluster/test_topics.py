"""Topics that are missing are created as a stream needs them; ticks carry the broker's time into every partition."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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

from ectopy.cluster import topics as topics_module
from ectopy.cluster.brokers import Brokers
from ectopy.cluster.log_writer import LogWriter, Place
from ectopy.cluster.topic_records import TICK
from ectopy.cluster.topics import TickWriter, Topics
from ectopy.errors import EctopyError, ServiceError, SettingError, StorageError
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


def test_topics_that_several_processes_need_at_once_are_created_once(broker: Broker):
    topics = Topics("together", "together-events")
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda _: topics.create(broker.brokers, 1), range(8)))
    assert sorted(name for names in created for name in names) == sorted(
        [topics.samples, topics.commands, topics.output, topics.status, topics.rejected]
    )


def test_a_topic_without_permission_is_named(broker: Broker):
    anybody = ("User:ANONYMOUS", "*", AclOperation.ALL, AclPermissionType.DENY)
    rule = AclBinding(ResourceType.TOPIC, "forbidden", ResourcePatternType.LITERAL, *anybody)
    admin = broker.admin()
    admin.create_acls([rule])[rule].result()
    with pytest.raises(ServiceError, match=r"'forbidden' cannot be used.*allow this user"):
        Topics("forbidden", "allowed").create(broker.brokers, 1)


def test_a_topic_with_the_time_of_its_senders_is_refused(broker: Broker):
    broker.create_topic("senders-commands")
    with pytest.raises(SettingError, match=r"'senders-commands' has message.timestamp.type=CreateTime; set it to Log"):
        Topics("senders", "senders-events").create(broker.brokers, 1)


def test_settings_that_may_not_be_read_stop_no_stream(broker: Broker, tmp_path: Path):
    topics = Topics("unreadable", "unreadable-events")
    topics.create(broker.brokers, 1)
    with broker.denied(topics.samples, AclOperation.DESCRIBE_CONFIGS):
        assert topics.create(broker.secured(tmp_path), 1) == ()


def test_a_broker_that_is_absent_is_named():
    with reserved_port() as port, pytest.raises(ServiceError, match=f"no broker answers at 127.0.0.1:{port}"):
        Topics("ecg", "events").create(Brokers(f"127.0.0.1:{port}"), 1)


def test_a_permission_that_is_taken_away_is_reported_until_it_is_given_back(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(topics_module, "_PATIENCE_S", 2.0)
    topics, brokers = Topics("revoked", "revoked-events"), broker.secured(tmp_path)
    topics.create(brokers, 1)
    ticks, writer = TickWriter(brokers, topics.samples), LogWriter(brokers, 2**20)
    results: list[Place | EctopyError] = []

    def write() -> bool:
        """Write a record, and return whether Kafka has taken it."""
        count = len(results)
        try:
            writer.write(topics.samples, "bed 1", b"", results.append)
        except StorageError as error:
            results.append(error)
        until(lambda: len(results) > count)
        return not isinstance(results[-1], EctopyError)

    try:
        until(lambda: read_records(broker, topics.samples))
        assert write()
        assert writer.away() == ""
        until(lambda: ticks.failure == "")
        with broker.denied(topics.samples, AclOperation.WRITE):
            until(lambda: not write())
            assert "authorization failed; send it again" in str(results[-1])
            assert "authorization failed" in writer.away()
            until(lambda: "authorization failed" in ticks.failure)
        until(write)
        assert writer.away() == ""
        until(lambda: ticks.failure == "")
    finally:
        ticks.close()
        writer.close()


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
