"""A stream on Spark and Kafka says what the monitor says to the log, whatever is killed meanwhile."""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

from ectopy.cluster.topic_records import write_command
from ectopy.cluster.topics import Topics
from ectopy.datasets import simulate_recording
from ectopy.datasets.mitdb import DS1, load_mitdb
from ectopy.formats import read
from ectopy.monitor import Command, CommandKind, Monitor
from support.data_sets import folder_of
from support.kafka.broker import Broker
from support.kafka.records import end_of, read_records, write_records
from support.kafka.streams import check_events, sent, wait_until_all_is_taken, write_stretch
from support.kafka.watching import Watching, events_written
from support.waiting import SPARK_S, until

SECONDS = 60


def patients() -> dict[str, list[bytes]]:
    folder = folder_of("mitdb", ["208"])
    streams = {
        f"bed {number}": sent(simulate_recording(SECONDS, random_state=number), number, SECONDS) for number in range(3)
    }
    return streams | {"ward 2, 208": sent(read(str(folder / "208.hea")), 9, SECONDS)}


def test_events_are_those_of_the_monitor_with_worker_driver_and_broker_killed(
    own_broker: Broker, monitor: Monitor, tmp_path: Path
):
    broker, topics, streams = own_broker, Topics("ecg", "events"), patients()
    watching = Watching(broker, topics, tmp_path / "watch")
    wait_for_all = partial(wait_until_all_is_taken, broker, topics)

    def kill_until_it_fails() -> bool:
        watching.kill_workers()
        return "failed" in watching.printed()

    try:
        watching.start()
        until(lambda: topics.samples in broker.admin().list_topics(timeout=30).topics, SPARK_S)
        write_stretch(broker, topics, streams, slice(0, 20))
        write_records(broker, topics.samples, [(b"bed 0", b"no chunk"), (None, b"nobody's")])
        until(lambda: len(events_written(broker, topics)) == len(streams), SPARK_S)
        assert all(line.startswith("ectopy: ") for line in watching.printed().splitlines())

        write_stretch(broker, topics, streams, slice(20, 35))
        until(kill_until_it_fails, SPARK_S)
        write_records(
            broker, topics.commands, [(b"bed 1", write_command(Command(CommandKind.DISCHARGE, 0.0, "nurse")))]
        )
        wait_for_all("worker")
        until(lambda: "goes on" in watching.printed(), SPARK_S)

        watching.kill_driver()
        write_stretch(broker, topics, streams, slice(35, 45))
        watching.start()
        wait_for_all("driver")

        broker.kill()
        until(lambda: "no time comes into the log" in watching.printed(), SPARK_S)
        broker.start()
        until(lambda: "ticks come again" in watching.printed(), SPARK_S)
        write_stretch(broker, topics, streams, slice(45, SECONDS - 2))
        wait_for_all("broker")
        assert watching.stop() == 0
        assert watching.printed().endswith("ectopy: stopped\n")

        check_events(broker, topics, monitor, streams)
        rejected = [record for record in read_records(broker, topics.rejected) if b"mark" not in record.value]
        assert {(record.key, record.value) for record in rejected} == {(b"bed 0", b"no chunk"), (None, b"nobody's")}
        assert all(record.headers["reason"].endswith(b".") for record in rejected)
        assert {record.key for record in read_records(broker, topics.status)} == {name.encode() for name in streams}
    except BaseException:
        print(watching.printed())
        raise
    finally:
        watching.close()


@pytest.mark.long
def test_twenty_kills_lose_and_repeat_nothing(own_broker: Broker, monitor: Monitor, tmp_path: Path):
    broker, topics, seconds, kills = own_broker, Topics("ecg", "events"), 120, 20
    folder = folder_of("mitdb", DS1)
    streams = {f"DS1, {record}": sent(load_mitdb(record, folder), int(record), seconds) for record in DS1}
    streams |= {f"bed {n}": sent(simulate_recording(seconds, random_state=n), n, seconds) for n in range(10)}
    watching = Watching(broker, topics, tmp_path / "watch")
    lengths = {len(messages) for messages in streams.values()}
    began = time.monotonic()

    def written() -> int:
        return end_of(broker, topics.output)

    try:
        watching.start()
        until(lambda: "checkpoint" in watching.printed(), SPARK_S)
        bounds = [round(number * min(lengths) / (kills + 1)) for number in range(kills + 2)]
        for number, (begin, end) in enumerate(pairwise(bounds)):
            before = written()
            write_stretch(broker, topics, streams, slice(begin, end))
            until(lambda before=before: written() > before, SPARK_S)
            # Those that are being read, stepped or written now are done again.
            match number % 4 if number < kills else None:
                case 0:
                    until(watching.kill_workers, SPARK_S)
                case 1:
                    watching.kill_driver()
                    watching.start()
                case 2:
                    broker.kill()
                    broker.start()
                case 3:
                    assert watching.kill_java() == 2
                    watching.start()
            print(f"{time.monotonic() - began:.0f} s: {number + 1} of {kills} kills, {written()} events")
        wait_until_all_is_taken(broker, topics, "end")
        assert watching.stop() == 0
        # A thread of PySpark prints a trace when it loses Java, and nobody else.
        assert "ectopy/cluster" not in watching.printed()
        assert watching.printed().count("the Java process of Spark has ended") == kills // 4
        events = check_events(broker, topics, monitor, streams)
        repeated = written() - events
        print(f"{time.monotonic() - began:.0f} s, {events} events, of which {repeated} are in the log more than once")
    finally:
        print(watching.printed())
        watching.close()
