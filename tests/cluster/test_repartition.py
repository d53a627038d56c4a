"""A stream goes on with another number of shards: the same events as without the change."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

from pyspark.sql import SparkSession

from ectopy.cluster.checkpoint import Manifest, open_checkpoint
from ectopy.cluster.repartition import repartition
from ectopy.cluster.stream import StreamSettings, monitor_source, start_query
from ectopy.cluster.topics import Topics
from ectopy.datasets import simulate_recording
from ectopy.errors import SettingError
from ectopy.monitor import Monitor
from ectopy.monitor.codec import to_json
from support.kafka.broker import Broker
from support.kafka.records import write_records
from support.kafka.watching import events_expected, events_written
from support.server import messages

PATIENTS = ("bed 1", "bed 2", "bed 4")


def run(spark: SparkSession, settings: StreamSettings) -> None:
    """Process all that is in the topics."""
    source = monitor_source(settings)
    manifest = Manifest(settings.shards, settings.topics.samples, settings.topics.output, source.digest, 30.0)
    query = start_query(spark, settings, open_checkpoint(spark, settings.checkpoint, manifest), source)
    try:
        query.processAllAvailable()
    finally:
        query.stop()


def test_patients_go_on_in_other_shards(spark: SparkSession, broker: Broker, monitor: Monitor, tmp_path: Path):
    topics = Topics("repartitioned", "repartitioned-events")
    topics.create(broker.brokers, 2)
    streams = {patient: messages(simulate_recording(50, random_state=n)) for n, patient in enumerate(PATIENTS)}

    def send(stretch: slice) -> None:
        for patient, values in streams.items():
            write_records(broker, topics.samples, [(patient.encode(), value) for value in values[stretch]])

    old = StreamSettings(broker.brokers, topics, str(tmp_path / "old"), shards=2, learning_s=30.0)
    new = StreamSettings(broker.brokers, topics, str(tmp_path / "new"), shards=3, learning_s=30.0)
    send(slice(0, 40))
    run(spark, old)
    before = events_written(broker, topics)
    assert before.keys() == set(PATIENTS)
    assert repartition(spark, old.checkpoint, new.checkpoint, 3) == len(PATIENTS)
    with pytest.raises(SettingError, match="--shards 3"):
        run(spark, StreamSettings(broker.brokers, topics, new.checkpoint, shards=2, learning_s=30.0))
    send(slice(40, 50))
    run(spark, new)
    run(spark, new)
    after, expected = events_written(broker, topics), events_expected(broker, topics, monitor)
    assert {name: list(map(to_json, events)) for name, events in after.items()} == {
        name: list(map(to_json, events)) for name, events in expected.items()
    }
    assert all(len(after[name]) > len(events) for name, events in before.items())


def test_what_is_no_checkpoint_is_refused(spark: SparkSession, tmp_path: Path):
    with pytest.raises(SettingError, match="not a checkpoint that has processed"):
        repartition(spark, str(tmp_path / "none"), str(tmp_path / "new"), 3)
