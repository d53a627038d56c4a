"""A stream on Spark and Kafka says what the monitor says to the log, whatever is killed meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

from ectopy.client.protocol import ChunkMessage, write
from ectopy.cluster.topic_records import write_command
from ectopy.cluster.topics import Topics
from ectopy.datasets import simulate_recording
from ectopy.formats import read
from ectopy.monitor import Command, CommandKind, Monitor, chunks
from ectopy.monitor.codec import to_json
from ectopy.recording import Recording
from support.data_sets import folder_of
from support.kafka.broker import Broker, running_broker
from support.kafka.records import read_records, write_records
from support.kafka.watching import Watching, events_expected, events_written
from support.waiting import until

PATIENCE_S = 400.0
SECONDS = 60


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that may be killed."""
    with running_broker(tmp_path / "kafka") as broker:
        yield broker


def sent(recording: Recording, seed: int) -> list[bytes]:
    """Chunks of a second as a bad line delivers them: some are lost, some late, some twice."""
    generator = random.Random(seed)
    messages = [write(ChunkMessage(replace(chunk, received=0.0)), "msgpack") for chunk in chunks(recording)]
    messages = messages[:SECONDS]
    for place in range(5, len(messages) - 5, 9):
        if generator.random() < 0.5:
            messages[place], messages[place + 1] = messages[place + 1], messages[place]
    del messages[40:43]
    messages.insert(30, messages[28])
    return messages


def patients() -> dict[str, list[bytes]]:
    folder = folder_of("mitdb", ["208"])
    streams = {f"bed {number}": sent(simulate_recording(SECONDS, random_state=number), number) for number in range(3)}
    return streams | {"ward 2, 208": sent(read(str(folder / "208.hea")), 9)}


def write_stretch(broker: Broker, topics: Topics, streams: dict[str, list[bytes]], stretch: slice) -> None:
    rounds = zip(*(messages[stretch] for messages in streams.values()), strict=True)
    for values in rounds:
        write_records(
            broker, topics.samples, [(name.encode(), value) for name, value in zip(streams, values, strict=True)]
        )


def mark(broker: Broker, topics: Topics, label: str) -> set[bytes]:
    """Write a record that is no input for each shard into each partition; gives what they contain."""
    keys = {crc32(key) % 2: key for key in (b"mark 1", b"mark 2", b"mark 3", b"mark 4")}
    marks = [
        (key, f"mark {label} {partition} {shard}".encode(), partition)
        for partition in range(2)
        for shard, key in keys.items()
    ]
    write_records(broker, topics.samples, marks)
    return {value for _, value, _ in marks}


def test_events_are_those_of_the_monitor_with_worker_driver_and_broker_killed(
    own_broker: Broker, monitor: Monitor, tmp_path: Path
):
    broker, topics, streams = own_broker, Topics("ecg", "events"), patients()
    watching = Watching(broker, topics, tmp_path / "watch")

    def wait_for_all(label: str) -> None:
        """Wait until the stream has taken all that is written before this."""
        marks = mark(broker, topics, label)
        until(lambda: marks <= {record.value for record in read_records(broker, topics.rejected)}, PATIENCE_S)

    try:
        watching.start()
        until(lambda: topics.samples in broker.admin().list_topics(timeout=30).topics, PATIENCE_S)
        write_stretch(broker, topics, streams, slice(0, 20))
        write_records(broker, topics.samples, [(b"bed 0", b"no chunk"), (None, b"nobody's")])
        until(lambda: len(events_written(broker, topics)) == len(streams), PATIENCE_S)

        write_stretch(broker, topics, streams, slice(20, 35))
        until(lambda: watching.kill_workers() or "failed" in watching.printed(), PATIENCE_S)
        write_records(
            broker, topics.commands, [(b"bed 1", write_command(Command(CommandKind.DISCHARGE, 0.0, "nurse")))]
        )
        wait_for_all("worker")
        until(lambda: "goes on" in watching.printed(), PATIENCE_S)

        watching.kill_driver()
        write_stretch(broker, topics, streams, slice(35, 45))
        watching.start()
        wait_for_all("driver")

        broker.kill()
        broker.start()
        write_stretch(broker, topics, streams, slice(45, SECONDS - 2))
        wait_for_all("broker")
        assert watching.stop() == 0
        assert watching.printed().endswith("ectopy: stopped\n")

        written, expected = events_written(broker, topics), events_expected(broker, topics, monitor)
        assert written.keys() == streams.keys()
        for name, events in written.items():
            # After the mark there are ticks, which may have been taken or not.
            assert list(map(to_json, events)) == list(map(to_json, expected[name][: len(events)]))
            assert len(events) > 40
        rejected = [record for record in read_records(broker, topics.rejected) if b"mark" not in record.value]
        assert {(record.key, record.value) for record in rejected} == {(b"bed 0", b"no chunk"), (None, b"nobody's")}
        assert all(record.headers["reason"].endswith(b".") for record in rejected)
        assert {record.key for record in read_records(broker, topics.status)} == {name.encode() for name in streams}
    except BaseException:
        print(watching.printed())
        raise
    finally:
        watching.close()
