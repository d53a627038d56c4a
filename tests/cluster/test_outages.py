"""What is taken away from a stream while it runs is reported, and nothing is lost once it is given back."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

from confluent_kafka.admin import AclOperation

from ectopy.cluster.topics import Topics
from ectopy.datasets import simulate_recording
from ectopy.monitor import Monitor
from support.kafka.broker import Broker
from support.kafka.streams import check_events, sent, wait_until_all_is_taken, write_stretch
from support.kafka.watching import Watching, events_written
from support.waiting import SPARK_S, until

SECONDS = 100
AWAY_S = 300.0
DISK_MB = 256


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk up with one file."""
    ballast = disk / "ballast"
    # Others write meanwhile: what they take is not there.
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        file.write(b"0" * shutil.disk_usage(disk).free)
    return ballast


@pytest.mark.long
def test_permissions_a_full_disk_and_an_absent_broker(
    own_broker: Broker, monitor: Monitor, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broker, topics = own_broker, Topics("ecg", "events")
    streams = {
        f"bed {number}": sent(simulate_recording(SECONDS, random_state=number), number, SECONDS) for number in (1, 2)
    }
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(disk / "local"))
    secured = broker.secured(tmp_path)
    watching = Watching(
        *(broker, topics, tmp_path / "watch", "--checkpoint", str(disk / "checkpoint")),
        *("--brokers", secured.addresses, "--kafka-config", str(tmp_path / "kafka.properties")),
    )
    stretches = iter(range(0, SECONDS, 15))

    def write_next() -> None:
        begin = next(stretches)
        write_stretch(broker, topics, streams, slice(begin, begin + 15))

    def goes_on_after(words: str, printed: str) -> None:
        """Wait until the stream has said what is wrong and that it goes on, and has taken all."""
        wait_until_all_is_taken(broker, topics, words)
        until(lambda: "goes on" in watching.printed()[len(printed) :], SPARK_S)

    def reported(printed: str, *words: str) -> Callable[[], bool]:
        return lambda: all(word in watching.printed()[len(printed) :] for word in words)

    try:
        watching.start()
        until(lambda: "checkpoint" in watching.printed(), SPARK_S)
        write_next()
        until(lambda: len(events_written(broker, topics)) == len(streams), SPARK_S)
        for topic, operation in ((topics.samples, AclOperation.READ), (topics.output, AclOperation.WRITE)):
            printed = watching.printed()
            with broker.denied(topic, operation):
                write_next()
                until(
                    reported(printed, "failed, and tries again", "there is no permission for a topic", topic), SPARK_S
                )
            goes_on_after(f"{topic} {operation}", printed)

        printed, ballast = watching.printed(), fill(disk)
        write_next()
        until(reported(printed, "the disk for checkpoints and state is full; make room on it"), SPARK_S)
        ballast.unlink()
        goes_on_after("disk", printed)

        printed = watching.printed()
        broker.kill()
        time.sleep(AWAY_S)
        assert reported(printed, "no time comes into the log")()
        broker.start()
        write_next()
        goes_on_after("absent", printed)
        assert "ticks come again" in watching.printed()[len(printed) :]
        assert watching.stop() == 0
        check_events(broker, topics, monitor, streams)
    finally:
        print(watching.printed())
        watching.close()
