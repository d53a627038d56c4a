"""A stream goes on with another number of shards: the same events as without the change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zlib import crc32

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

import pandas as pd
from pyspark.sql import SparkSession

import ectopy.cluster.repartition as repartition_module
from ectopy.cluster.checkpoint import Manifest, open_checkpoint, read_manifest
from ectopy.cluster.input_log import STEPS, StoredInput, part_name, read_inputs, write_inputs
from ectopy.cluster.repartition import repartition
from ectopy.cluster.shard import IndexEntry, ShardIndex
from ectopy.cluster.stream import StreamSettings, monitor_source, start_query
from ectopy.cluster.topics import Topics
from ectopy.datasets import simulate_recording
from ectopy.errors import SettingError
from ectopy.monitor import Monitor
from ectopy.monitor.codec import to_json
from support.checkpoints import write_and_interrupt
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
    manifest = read_manifest(spark, old.checkpoint)
    assert manifest is not None
    with pytest.raises(KeyboardInterrupt):
        write_and_interrupt(spark, new.checkpoint, manifest)
    # In a process of its own, where no stream has run.
    command = [sys.executable, "-m", "ectopy", "cluster", "repartition", "--checkpoint", old.checkpoint]
    moved = subprocess.run([*command, "--to", new.checkpoint, "--shards", "3"], capture_output=True, text=True)
    assert moved.stdout.startswith(f"{len(PATIENTS)} patients in 3 shards"), moved.stderr
    with pytest.raises(SettingError, match="not empty"):
        repartition(spark, old.checkpoint, new.checkpoint, 3)
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


def test_inputs_since_the_stored_states_go_with_their_patients():
    old, new = 2, 3
    steps = {0: 40, 1: 37}
    patients = [f"bed {number}" for number in range(9)]
    ages = {patient: 1 + number % (STEPS - 1) for number, patient in enumerate(patients)}
    indexes, frames = [], []
    for shard, step in steps.items():
        own = [patient for patient in patients if crc32(patient.encode()) % old == shard]
        entries = {patient: IndexEntry(0, stored_at=step - ages[patient], since_s=1.0) for patient in own}
        indexes.append(ShardIndex(step, entries))
        for at in range(step - STEPS + 1, step + 1):
            inputs = {
                patient: (StoredInput("tick", f"{patient}, {step - at} steps ago".encode()),)
                for patient in own
                if step - at < ages[patient]
            }
            frames.append(pd.DataFrame({"key": [shard], "content": [write_inputs(at, inputs)]}))
    after = repartition_module._divided(indexes, 40, new)
    later = {shard: 40 - step for shard, step in steps.items()}
    rows = pd.concat(repartition_module._divided_inputs(frames, later, range(new)))
    parts = pd.concat([repartition_module._joined_inputs(group) for _, group in rows.groupby(["shard", "step"])])
    assert [index.step for index in after] == [40] * new
    for shard, index in enumerate(after):
        assert all(crc32(patient.encode()) % new == shard for patient in index.patients)
        contents = dict(parts[parts["shard"] == shard][["part", "content"]].itertuples(index=False))
        assert len(contents) == STEPS
        for patient, entry in index.patients.items():
            ago = []
            for step in range(entry.stored_at + 1, 41):
                part = read_inputs(contents[part_name(step)])
                assert part.step == step
                ago += [item.content.decode() for item in part.inputs[patient]]
            assert ago == [f"{patient}, {n} steps ago" for n in reversed(range(ages[patient]))]
    assert sum(len(index.patients) for index in after) == len(patients)


def test_what_is_no_checkpoint_is_refused(spark: SparkSession, tmp_path: Path):
    with pytest.raises(SettingError, match="not a checkpoint that has processed"):
        repartition(spark, str(tmp_path / "none"), str(tmp_path / "new"), 3)
    with pytest.raises(SettingError, match="1 to 4096 shards, not 0"):
        repartition(spark, str(tmp_path / "none"), str(tmp_path / "new"), 0)
