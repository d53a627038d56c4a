"""A session of Spark reads Kafka, its Python processes are those of this interpreter, and nobody else reaches it."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

import pyspark
from pyspark.sql import SparkSession

from ectopy.cluster.session import _packages, start_session
from ectopy.errors import SettingError
from support.kafka.broker import Broker
from support.kafka.records import write_records


def test_a_folder_without_jars_is_named(tmp_path: Path):
    with pytest.raises(SettingError, match="no jars"):
        start_session(jars=tmp_path)


def test_a_session_reads_a_topic(spark: SparkSession, broker: Broker):
    broker.create_topic("greetings")
    write_records(broker, "greetings", [(b"bed 3", b"hello")])
    options = broker.brokers.spark_options()
    rows = spark.read.format("kafka").options(**options).option("subscribe", "greetings").load()
    assert [(bytes(row.key), bytes(row.value)) for row in rows.collect()] == [(b"bed 3", b"hello")]


def test_python_processes_are_of_this_interpreter(spark: SparkSession):
    interpreters = spark.sparkContext.parallelize([0], 1).map(lambda _: sys.executable).collect()
    assert interpreters == [sys.executable]


def test_nobody_else_reaches_a_session_of_this_machine(spark: SparkSession):
    spark.range(4).count()
    java = [child for child in psutil.Process().children(recursive=True) if child.name() == "java"]
    places = [
        place.laddr.ip.removeprefix("::ffff:")
        for process in java
        for place in process.net_connections("tcp")
        if place.status == psutil.CONN_LISTEN
    ]
    assert places
    assert set(places) <= {"127.0.0.1", "::1"}


def test_a_bucket_and_kafka_bring_their_jars():
    kafka, hadoop = _packages(True, "s3a://bucket/checkpoint")
    assert kafka.startswith("org.apache.spark:spark-sql-kafka")
    assert hadoop.startswith("org.apache.hadoop:hadoop-aws:")
    assert (Path(pyspark.__file__).parent / "jars" / f"hadoop-client-api-{hadoop.rpartition(':')[2]}.jar").exists()
    assert _packages(False, "hdfs://host/checkpoint") == []
