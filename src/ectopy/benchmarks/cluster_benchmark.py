"""What a stream on Spark and Kafka costs, beside the engine of one machine, on the same simulated patients.

Patients send half a second of signal every half second by the real clock, as in `monitor_benchmark`; their normals are
given, so that a ward is measured as it is most of the time. The engine and the stream are measured in turn in the same
run, for processor time on a machine that does other things as well means little by itself. The engine stores its events
in a database, the stream stores states and writes events to Kafka. The time of Spark counts its driver and all its
workers, and not the broker, which is outside, nor the threads in which Java compiles its code: they work for minutes
after a start, and then no more. What they take is reported beside.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from confluent_kafka import Producer
from numpy.typing import NDArray

from ectopy.analysis.shipped_detector import SHIPPED, digest, load_ambulatory
from ectopy.arguments import Progress, silent
from ectopy.benchmarks.load_sender import CHUNK_S, LEADS, RATE_HZ, nth_chunk
from ectopy.benchmarks.monitor_benchmark import LEARNING_S, benchmark_monitor, learned, simulated_signals
from ectopy.client.protocol import ChunkMessage, write
from ectopy.cluster.brokers import Brokers, load_brokers
from ectopy.cluster.checkpoint import Manifest, open_checkpoint
from ectopy.cluster.log_reader import LogReader
from ectopy.cluster.processor import MonitorSource
from ectopy.cluster.progress import batch_progress
from ectopy.cluster.session import start_session
from ectopy.cluster.stream import SHARDS, StreamSettings, start_query
from ectopy.cluster.topic_records import read_event, write_command
from ectopy.cluster.topics import TickWriter, Topics
from ectopy.errors import SettingError, StorageError
from ectopy.evaluation.metrics import percentile
from ectopy.monitor import BeatJudged, Chunk, Command, CommandKind, Monitor
from ectopy.monitor.replay import paced
from ectopy.processes import core_count, start_python

PATIENTS = (10, 100, 300, 500)
GROWTH_SHARDS = (1, 8, 64)
ENGINE_IN_TIME, STREAM_IN_TIME_S = 0.99, 8.0
"""An engine watches in time if it answers this share of the chunks before the next but one is sent; a stream, if 95 %
of the events come within so many seconds of their beats."""
SKEWS = ("a day at once", "a hot shard", "one comes and goes")

_SHORTEST_S, _LONGEST_S = 10.0, 3600.0
_WARM_UP_S, _LEAST_WARM_UP_S, _LONGEST_WARM_UP_S, _STEADY_S = 10.0, 30.0, 180.0, 12.0
_LEARNING_SIGNAL_S, _SHIFT_S, _MOST_SHIFTED_S = 90.0, 1.7, 60.0
_GRAIN_S = 0.02
_LAST_EVENTS_S = 8.0
_COMPILER = "CompilerThre"
"""In the names of threads of Java that compile its code."""
_DAY_S, _UPLOADED_S, _STAY_S = 86_400.0, 30.0, 5.0
_PARTITIONS = 8


@dataclass(frozen=True, slots=True)
class StreamCost:
    """Cost of watching a number of patients with a stream.

    Attributes
    ----------
    patients, shards : int
    cores : float
        Processor time of Spark for each second, without what Java spends on compiling its code.
    python_cores, java_cores, compiler_cores : float
        Its parts: Python, Java, and what `cores` does not contain.
    latency_p50_s, latency_p95_s : float
        From a beat to the record of its event in Kafka, where a reader gets it.
    batch_p50_s, batch_p95_s : float
        Duration of micro-batches.
    state_kb : float
        State written for each patient and second, by Spark's metrics.
    stored_kb : float
        Size of the state of a patient, by Spark's metrics.
    beats : int
        How many events of beats were read.
    rss_mb : float
        Memory of Spark, with its workers.
    """

    patients: int
    shards: int
    cores: float
    python_cores: float
    java_cores: float
    compiler_cores: float
    latency_p50_s: float
    latency_p95_s: float
    batch_p50_s: float
    batch_p95_s: float
    state_kb: float
    stored_kb: float
    beats: int
    rss_mb: float


@dataclass(frozen=True, slots=True)
class _Job:
    """Settings of the process with Spark."""

    addresses: str
    kafka_config: str | None
    samples: str
    output: str
    checkpoint: str
    shards: int
    jars: str | None


def benchmark_cluster(
    addresses: str,
    kafka_config: Path | None = None,
    patients: Sequence[int] = PATIENTS,
    shards: Sequence[int] = GROWTH_SHARDS,
    seconds: float = 60.0,
    jars: Path | None = None,
    has_skew: bool = True,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure growth by patients and by shards, the engine beside it, and unequal patients.

    Parameters
    ----------
    addresses : str
        Kafka's, ``HOST:PORT`` separated by commas, in which topics are created that stay.
    kafka_config : Path or None
        File that says how to sign in; see `ectopy.cluster.brokers.load_brokers`.
    patients : sequence of int
        Each number is watched once by the engine and once by a stream of `SHARDS`, the usual number; see
        `patients_in_time`.
    shards : sequence of int
        Each number is measured with the middle one of `patients`.
    seconds : float
        Length of each run once events come in time, 10 to 3600.
    jars : Path or None
        Folder with the jars of Spark's Kafka connector; None = they are downloaded.
    has_skew : bool
        Whether unequal patients are measured.

    Raises
    ------
    SettingError
        If a setting is out of range.
    ServiceError
        If the broker cannot be reached.
    """
    if not patients or min(patients) < 1 or not shards or min(shards) < 1:
        raise SettingError("watch at least one patient in at least one shard.")
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise SettingError(f"a run takes {_SHORTEST_S:g} to {_LONGEST_S:g} s, not {seconds:g}.")
    middle = sorted(patients)[(len(patients) - 1) // 2]
    skews = SKEWS if has_skew else ()
    runs = 2 * len(patients) + len(shards) + len(skews)
    run = iter(range(runs))
    bench = _Bench(addresses, kafka_config, seconds, jars)
    growth, by_shards, skewed = [], [], {}
    for count in patients:
        progress(next(run), runs, f"{count} patients, engine")
        (engine,) = benchmark_monitor([count], seconds)
        progress(next(run), runs, f"{count} patients, stream")
        growth.append({"stream": asdict(bench.measure(count, SHARDS)), "engine": asdict(engine)})
    for number in shards:
        progress(next(run), runs, f"{number} shards")
        by_shards.append(asdict(bench.measure(middle, number)))
    for skew in skews:
        progress(next(run), runs, skew)
        skewed[skew] = asdict(bench.measure(middle, SHARDS, skew))
    for row in growth:
        row["ratio"] = row["engine"]["cpu_share"] * core_count() / row["stream"]["cores"]
    return {
        "seconds": seconds,
        "growth": growth,
        "in_time": patients_in_time(growth),
        "shards": by_shards,
        "skew": skewed,
    }


def patients_in_time(growth: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the largest measured number of patients that was watched in time, as was every smaller one.

    Parameters
    ----------
    growth : sequence of mapping
        By number of patients, the cost of ``engine`` and ``stream``.

    Returns
    -------
    dict of str to float
        That of ``engine`` and ``stream``, 0 if none was in time; and ``share``, the stream's of the engine's.
    """
    rows = sorted(growth, key=lambda row: int(row["engine"]["patients"]))
    engine = takewhile(lambda row: row["engine"]["realtime_factor"] >= ENGINE_IN_TIME, rows)
    stream = takewhile(lambda row: row["stream"]["latency_p95_s"] <= STREAM_IN_TIME_S, rows)
    most = {
        "engine": max((row["engine"]["patients"] for row in engine), default=0),
        "stream": max((row["stream"]["patients"] for row in stream), default=0),
    }
    return most | {"share": most["stream"] / most["engine"] if most["engine"] else 0.0}


class _Bench:
    """Runs of one benchmark."""

    def __init__(self, addresses: str, kafka_config: Path | None, seconds: float, jars: Path | None) -> None:
        self._addresses, self._kafka_config, self._seconds, self._jars = addresses, kafka_config, seconds, jars
        self._brokers = load_brokers(addresses, kafka_config)
        length_s = seconds + _LONGEST_WARM_UP_S + _LEARNING_SIGNAL_S + _MOST_SHIFTED_S
        self._signals = list(simulated_signals(length_s))
        monitor = Monitor.of(load_ambulatory(), LEARNING_S)
        normals = [learned(monitor, signal) for signal in self._signals]
        self._commands = [
            write_command(Command(CommandKind.SET_NORMAL, 0.0, "benchmark", normal=normal)) for normal in normals
        ]

    def measure(self, patients: int, shards: int, skew: str = "") -> StreamCost:
        """Watch so many patients with so many shards."""
        name = f"benchmark-{uuid.uuid4().hex[:8]}"
        topics = Topics(name, f"{name}-events")
        topics.create(self._brokers, min(shards, _PARTITIONS))
        names = _names(patients, shards, skew)
        with TemporaryDirectory() as folder, _Spark(self._job(topics, folder, shards)) as spark:
            load = _Load(self._brokers, topics, names, self._signals, _remaining_patients(names, shards, skew))
            load.give_normals(self._commands)
            with load.reading():
                load.warm_up()
                spark.begin()
                if skew == SKEWS[0]:
                    load.upload_day()
                load.measured_from = time.time()
                load.stream(self._seconds, restarting=skew == SKEWS[2])
                batches, cost = spark.end()
                time.sleep(_LAST_EVENTS_S)
        durations_s = [batch["duration_s"] for batch in batches]
        written = sum(batch["state_bytes"] for batch in batches)
        return StreamCost(
            patients,
            shards,
            cost.python_s + cost.java_s,
            cost.python_s,
            cost.java_s,
            cost.compiler_s,
            percentile(load.latencies_s, 50),
            percentile(load.latencies_s, 95),
            percentile(durations_s, 50),
            percentile(durations_s, 95),
            state_kb=written / 1000 / self._seconds / patients,
            stored_kb=max((batch["stored_bytes"] for batch in batches), default=0) / 1000 / patients,
            beats=len(load.latencies_s),
            rss_mb=cost.rss_mb,
        )

    def _job(self, topics: Topics, folder: str, shards: int) -> _Job:
        config, jars = (None if path is None else str(path) for path in (self._kafka_config, self._jars))
        checkpoint = f"file://{folder}/checkpoint"
        return _Job(self._addresses, config, topics.samples, topics.output, checkpoint, shards, jars)


def _names(patients: int, shards: int, skew: str) -> list[str]:
    """Names of patients; in a hot shard half of them lie in the first shard."""
    names = [f"simulated {number}" for number in range(10 * shards * patients)]
    if skew != SKEWS[1]:
        return names[:patients]
    hot = [name for name in names if zlib.crc32(name.encode()) % shards == 0][: patients // 2]
    return hot + [name for name in names if name not in set(hot)][: patients - len(hot)]


def _remaining_patients(names: Sequence[str], shards: int, skew: str) -> frozenset[str]:
    """Return the patients whose delay counts: those who are like the others."""
    if skew == SKEWS[1]:
        return frozenset(name for name in names if zlib.crc32(name.encode()) % shards)
    return frozenset(names[1:] if skew == SKEWS[2] else names)


@dataclass
class _Load:
    """Patients who send, and a reader of their events."""

    brokers: Brokers
    topics: Topics
    names: Sequence[str]
    signals: Sequence[NDArray[np.float32]]
    measured: frozenset[str]
    latencies_s: list[float] = field(default_factory=list)
    sent_count: int = 0
    began: float = 0.0
    measured_from: float = np.inf
    lag_s: float = np.inf
    _stopping: threading.Event = field(default_factory=threading.Event)

    def give_normals(self, commands: Sequence[bytes]) -> None:
        """Give each patient the normal of the recording."""
        producer = Producer(self.brokers.client_settings())
        for number, name in enumerate(self.names):
            producer.produce(self.topics.commands, commands[number % len(commands)], name.encode())
        producer.flush()

    def stream(self, seconds: float, restarting: bool = False) -> None:
        """Send in real time, going on where the last call ended; the first patient starts over every five seconds."""
        producer = Producer(self.brokers.client_settings() | {"linger.ms": 5})
        if not self.sent_count:
            self.began = time.time()
        first, last = self.sent_count, self.sent_count + round(seconds / CHUNK_S)
        chunks = (self._chunk(number, patient) for number in range(first, last) for patient in range(len(self.names)))
        waits = paced(chunks, 1.0, time.time(), time.time, lambda wait_s: time.sleep(max(wait_s, _GRAIN_S)))
        places = ((number, patient) for number in range(first, last) for patient in range(len(self.names)))
        for (number, patient), chunk in zip(places, waits, strict=True):
            if restarting and patient == 0:
                if number // round(_STAY_S / CHUNK_S) % 2:
                    continue
                chunk = replace(chunk, stream=f"stay {number // round(_STAY_S / CHUNK_S)}")
            content = write(ChunkMessage(chunk), "msgpack")
            producer.produce(self.topics.samples, content, self.names[patient].encode())
            producer.poll(0)
        self.sent_count = last
        producer.flush()

    def warm_up(self) -> None:
        """Send until events come about as fast as they will, for Spark takes a while to start."""
        while (sent_s := self.sent_count * CHUNK_S) < _LEAST_WARM_UP_S or (
            self.lag_s > _STEADY_S and sent_s < _LONGEST_WARM_UP_S
        ):
            self.stream(_WARM_UP_S)

    def upload_day(self) -> None:
        """Let one more patient send a whole day at once."""
        producer = Producer(self.brokers.client_settings() | {"queue.buffering.max.kbytes": 2**20})
        signal = self.signals[0][: round(_UPLOADED_S * RATE_HZ)]
        for number in range(round(_DAY_S / _UPLOADED_S)):
            chunk = Chunk(number * len(signal), signal, RATE_HZ, LEADS, received=0.0)
            producer.produce(self.topics.samples, write(ChunkMessage(chunk), "msgpack"), b"one with a day")
        producer.flush()

    def _chunk(self, number: int, patient: int) -> Chunk:
        signal = self.signals[patient % len(self.signals)]
        shift_s = patient // len(self.signals) * _SHIFT_S % _MOST_SHIFTED_S
        begin = self.began + CHUNK_S * patient / len(self.names)
        return nth_chunk(signal[round(shift_s * RATE_HZ) :], number, (), begin)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read events until the block ends."""
        thread = threading.Thread(target=self._read)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()

    def _read(self) -> None:
        number = {name: place for place, name in enumerate(self.names)}
        reader = LogReader(self.brokers, [self.topics.output], {})
        while not self._stopping.is_set():
            for record in reader.read(0.1):
                read = read_event(record.value or b"")
                event = read.event
                if isinstance(event, BeatJudged) and read.patient in self.measured:
                    begin = self.began + CHUNK_S * number[read.patient] / len(self.names)
                    at = begin + event.position / RATE_HZ
                    self.lag_s = record.timestamp - at
                    if at > self.measured_from:
                        self.latencies_s.append(record.timestamp - at)
        reader.close()


class _Spark:
    """A process with Spark, and what it costs."""

    def __init__(self, job: _Job) -> None:
        self._job = json.dumps(asdict(job))

    def __enter__(self) -> _Spark:
        self._process = start_python("-m", __name__, self._job)
        self._ask()
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _ask(self, question: str = "") -> str:
        if question:
            print(question, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise StorageError("Spark has ended early; see its messages above.")
        return line

    def begin(self) -> None:
        """Begin to count."""
        self._ask("begin")
        self._before, self._at = _tree(self._process.pid), time.monotonic()

    def end(self) -> tuple[list[dict[str, Any]], _ProcessorTime]:
        """Return the batches since `begin`, and the processor time for each second since then."""
        elapsed_s = time.monotonic() - self._at
        *times_s, rss_mb = _tree(self._process.pid)
        spent = zip(times_s, self._before[:3], strict=True)
        python, java, compiler = ((now_s - before_s) / elapsed_s for now_s, before_s in spent)
        return json.loads(self._ask("end")), _ProcessorTime(python, java, compiler, rss_mb)


class _ProcessorTime(NamedTuple):
    """Processor time of processes in seconds, without and of the compilers of Java, and their memory in megabytes."""

    python_s: float
    java_s: float
    compiler_s: float
    rss_mb: float


def _tree(pid: int) -> _ProcessorTime:
    """Return the cost so far of a process and all that it has started."""
    parents: dict[int, list[int]] = {}
    stats: dict[int, tuple[str, float, float]] = {}
    for entry in Path("/proc").iterdir():
        stat = _read_stat(entry) if entry.name.isdigit() else None
        if stat is not None:
            name, fields, cpu_s = stat
            # Fields of proc(5) from the third on: 4 is the parent, 24 the pages.
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
            stats[int(entry.name)] = name, cpu_s, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    python_s = java_s = compiler_s = total_mb = 0.0
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        name, cpu_s, rss_mb = stats.get(process, ("", 0.0, 0.0))
        total_mb += rss_mb
        if name == "java":
            threads = [stat for task in Path(f"/proc/{process}/task").iterdir() if (stat := _read_stat(task))]
            compilers_s = sum(thread_s for thread, _, thread_s in threads if _COMPILER in thread)
            java_s, compiler_s = java_s + cpu_s - compilers_s, compiler_s + compilers_s
        else:
            python_s += cpu_s
        waiting += parents.get(process, [])
    return _ProcessorTime(python_s, java_s, compiler_s, total_mb)


def _read_stat(folder: Path) -> tuple[str, list[str], float] | None:
    """Read the name of a process or a thread, its fields from the third on, and its processor time in seconds."""
    try:
        head, _, tail = (folder / "stat").read_text().rpartition(")")
    except OSError:  # it has ended
        return None
    fields = tail.split()
    return head.partition("(")[2], fields, sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _work(job: _Job) -> None:
    """Run the query until the standard input ends; answer ``begin`` and ``end`` there."""
    topics = Topics(job.samples, job.output)
    jars = None if job.jars is None else Path(job.jars)
    spark = start_session(
        name="ectopy benchmark cluster",
        has_kafka=True,
        jars=jars,
        settings={"spark.sql.streaming.numRecentProgressUpdates": "9999"},
    )
    brokers = load_brokers(job.addresses, None if job.kafka_config is None else Path(job.kafka_config))
    settings = StreamSettings(brokers, topics, job.checkpoint, job.shards, learning_s=LEARNING_S, jars=jars)
    ticks = TickWriter(brokers, topics.samples)
    source = MonitorSource(SHIPPED, digest(SHIPPED), LEARNING_S)
    manifest = Manifest(job.shards, topics.samples, topics.output, source.digest, source.learning_s)
    query = start_query(spark, settings, open_checkpoint(spark, job.checkpoint, manifest), source)
    print("ready", flush=True)
    first = 0
    for line in sys.stdin:
        batches = [batch_progress(progress) for progress in query.recentProgress]
        if line.strip() == "begin":
            first = max((batch.batch for batch in batches), default=-1) + 1
            print("counting", flush=True)
        else:
            counted = {batch.batch: batch for batch in batches if batch.batch >= first and batch.records}
            print(json.dumps([asdict(batch) for batch in counted.values()]), flush=True)
    query.stop()
    ticks.close()
    spark.stop()


if __name__ == "__main__":
    _work(_Job(**json.loads(sys.argv[1])))
