"""`ectopy cluster watch` as a process of its own, and what it should find."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import psutil

from ectopy.cluster.log_rows import LogRow, Topic
from ectopy.cluster.topic_records import read_event, read_row
from ectopy.cluster.topics import Topics
from ectopy.errors import DataError
from ectopy.monitor import Event, Monitor, MonitorState
from ectopy.monitor.inputs import Tick
from support.kafka.broker import Broker
from support.kafka.jars import connector_jars
from support.kafka.records import read_records


class Watching:
    """The command, with what it prints in a file."""

    def __init__(self, broker: Broker, topics: Topics, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint, self._log = folder / "checkpoint", folder / "watch.log"
        self._command = [
            *(sys.executable, "-m", "ectopy", "cluster", "watch", "--brokers", broker.brokers.addresses),
            *("--input", topics.samples, "--output", topics.output, "--checkpoint", str(self.checkpoint)),
            *("--shards", "2", "--learning", "30", "--jars", str(connector_jars()), *options),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start the command; it goes on from its checkpoint."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT, env=environment)

    def printed(self) -> str:
        """What it has printed so far, all starts together."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and give its status."""
        self.process.send_signal(number)
        return self.process.wait()

    def kill_driver(self) -> None:
        """End the driver at once."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        psutil.wait_procs(children, timeout=60)

    def kill_java(self) -> int:
        """End the Java process of Spark at once, and give the status with which the command ends."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            if child.name() == "java":
                child.kill()
        return self.process.wait()

    def kill_workers(self) -> int:
        """End all Python processes of Spark at once that step patients; gives their number."""
        killed = 0
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "pyspark.daemon" in child.cmdline() and not child.children():
                    child.kill()
                    killed += 1
        return killed

    def close(self) -> None:
        """End everything, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.kill_driver()


def events_written(broker: Broker, topics: Topics) -> dict[str, list[Event]]:
    """The events of each patient, by number without repetitions; a repeated one has to be the same."""
    events: dict[str, dict[int, Event]] = defaultdict(dict)
    contents: dict[tuple[str, int], bytes | None] = {}
    for record in read_records(broker, topics.output):
        assert record.value is not None
        read = read_event(record.value)
        assert record.key == read.patient.encode()
        number = read.event.number
        assert contents.setdefault((read.patient, number), record.value) == record.value
        events[read.patient][number] = read.event
    for numbers in events.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
    return {patient: [numbers[number] for number in sorted(numbers)] for patient, numbers in events.items()}


def events_expected(broker: Broker, topics: Topics, monitor: Monitor) -> dict[str, list[Event]]:
    """What the monitor says, one step after the other, to the log."""
    rows: list[LogRow] = []
    for topic, name in ((Topic.SAMPLES, topics.samples), (Topic.COMMANDS, topics.commands)):
        for record in read_records(broker, name):
            try:
                rows.append(read_row(topic, *record[1:6]))
            except DataError:
                continue
    rows.sort(key=lambda row: (row.timestamp, row.topic, row.partition, row.offset))
    partitions: dict[str, int | None] = {}
    states: dict[str, MonitorState] = {}
    events: dict[str, list[Event]] = defaultdict(list)
    for row in rows:
        if row.patient and row.topic is Topic.SAMPLES:
            partitions[row.patient] = row.partition
        for input in row.inputs:
            if isinstance(input, Tick):
                patients = [patient for patient, partition in partitions.items() if partition == row.partition]
            else:
                patients = [row.patient]
            for patient in patients:
                states[patient], more = monitor.step(states.get(patient, MonitorState()), input)
                events[patient] += more
    return dict(events)
