"""A session of Spark reads Kafka, and its Python processes are those of this interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("pyspark")
from confluent_kafka import Producer

from ectopy.cluster.session import start_session
from ectopy.errors import SettingError
from support.kafka.broker import Broker
from support.kafka.jars import connector_jars


def test_a_folder_without_jars_is_named(tmp_path: Path):
    with pytest.raises(SettingError, match="no jars"):
        start_session(jars=tmp_path)


def test_a_session_reads_a_topic_with_this_interpreter(broker: Broker):
    broker.create_topic("greetings")
    producer = Producer({"bootstrap.servers": broker.address})
    producer.produce("greetings", b"hello", key=b"bed 3")
    producer.flush()
    spark = start_session(jars=connector_jars(), settings={"spark.driver.memory": "512m"})
    try:
        address = {"kafka.bootstrap.servers": broker.address, "subscribe": "greetings"}
        rows = spark.read.format("kafka").options(**address).load()
        assert [(bytes(row.key), bytes(row.value)) for row in rows.collect()] == [(b"bed 3", b"hello")]
        interpreters = spark.sparkContext.parallelize([0], 1).map(lambda _: sys.executable).collect()
        assert interpreters == [sys.executable]
        assert spark.conf.get("spark.driver.host") == "127.0.0.1"
    finally:
        spark.stop()
