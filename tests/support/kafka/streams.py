"""Streams of patients into a stream on Spark: what is sent, until when all is taken, and that the events are right."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from zlib import crc32

from ectopy.client.protocol import ChunkMessage, write
from ectopy.cluster.topics import Topics
from ectopy.monitor import Monitor, chunks
from ectopy.monitor.codec import to_json
from ectopy.recording import Recording
from support.kafka.broker import Broker
from support.kafka.records import read_records, write_records
from support.kafka.watching import events_expected, events_written
from support.waiting import SPARK_S, until


def sent(recording: Recording, seed: int, seconds: int) -> list[bytes]:
    """Chunks of a second as a bad line delivers them: some are lost, some late, some twice."""
    generator = random.Random(seed)
    messages = [write(ChunkMessage(replace(chunk, received=0.0)), "msgpack") for chunk in chunks(recording)]
    messages = messages[:seconds]
    for place in range(5, len(messages) - 5, 9):
        if generator.random() < 0.5:
            messages[place], messages[place + 1] = messages[place + 1], messages[place]
    del messages[40:43]
    messages.insert(30, messages[28])
    return messages


def write_stretch(broker: Broker, topics: Topics, streams: Mapping[str, list[bytes]], stretch: slice) -> None:
    """Write a part of each stream, one chunk of each after the other."""
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


def wait_until_all_is_taken(broker: Broker, topics: Topics, label: str) -> None:
    """Wait until the stream has taken all that is written before this."""
    marks = mark(broker, topics, label)
    until(lambda: marks <= {record.value for record in read_records(broker, topics.rejected)}, SPARK_S)


def check_events(broker: Broker, topics: Topics, monitor: Monitor, patients: Collection[str]) -> int:
    """Compare all events, which are at least 40 of each patient, with those of the monitor; gives their number."""
    written, expected = events_written(broker, topics), events_expected(broker, topics, monitor)
    assert written.keys() == set(patients)
    for name, events in written.items():
        # After the last mark there are ticks, which may have been taken or not.
        assert list(map(to_json, events)) == list(map(to_json, expected[name][: len(events)]))
        assert len(events) > 40
    return sum(map(len, written.values()))
