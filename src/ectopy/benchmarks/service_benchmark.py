"""Load that the service bears: devices that stream and viewers that look, at a server of its own.

The server is `ectopy serve`, its data in a folder that is deleted afterwards. Devices and viewers are another process
(`load_sender`) of the same machine, and take processor time away from it. The run ends by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.arguments import Progress, silent
from ectopy.benchmarks.load_sender import Job, patients
from ectopy.benchmarks.monitor_benchmark import LEARNING_S, learned, simulated_signals
from ectopy.errors import ServiceError, SettingError
from ectopy.evaluation.metrics import percentile
from ectopy.monitor import Chunk, Command, CommandKind, Monitor
from ectopy.processes import core_count
from ectopy.service.access import Authenticator, Scope
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.storage import Store

MOST_DEVICES, MOST_VIEWERS = 1000, 100
SHORTEST_S, LONGEST_S = 5.0, 3600.0

_WARM_S = 60.0
_SIGNAL_S, _MOST_SHIFTED_S = 600.0, 90.0
_STOP_S = 30.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True, slots=True)
class Load:
    """Load that the service bore.

    Attributes
    ----------
    devices, viewers : int
        One of the viewers never reads.
    seconds : float
    chunks_sent, chunks_stored : int
    chunks_lost : int
        Said to be stored, and not in the store afterwards.
    chunks_doubled : int
        In the store twice.
    frames_missed : int
        What viewers who read were not sent, for want of time.
    sample_to_screen_p50_s, sample_to_screen_p95_s : float
        From the sending of a chunk to its coming at a viewer.
    rss_mb_start, rss_mb_end : float
        Memory of the server when it is warm, after a minute or a quarter of the time, and at the end.
    rss_mb_growth_per_hour : float
        Slope of a straight line through all of it in between.
    rss_mb_by_tenth : list of float
        Medians of the tenths of that time.
    cpu_share : float
        Processor time of the server, of what all cores have.
    """

    devices: int
    viewers: int
    seconds: float
    chunks_sent: int
    chunks_stored: int
    chunks_lost: int
    chunks_doubled: int
    frames_missed: int
    sample_to_screen_p50_s: float
    sample_to_screen_p95_s: float
    rss_mb_start: float
    rss_mb_end: float
    rss_mb_growth_per_hour: float
    rss_mb_by_tenth: list[float]
    cpu_share: float


def benchmark_service(
    devices: int = 200, viewers: int = 20, seconds: float = 60.0, progress: Progress = silent
) -> Load:
    """Start a service, let devices stream and viewers look, and measure.

    Parameters
    ----------
    devices : int
        1 to 1000.
    viewers : int
        1 to 100; the first one never reads.
    seconds : float
        5 to 3600.

    Raises
    ------
    SettingError
        If a setting is out of range, or this machine does not tell of the memory of processes.
    ServiceError
        If the service does not start.
    """
    if not 1 <= devices <= MOST_DEVICES or not 1 <= viewers <= MOST_VIEWERS:
        raise SettingError(f"let 1 to {MOST_DEVICES} devices stream, and 1 to {MOST_VIEWERS} viewers look.")
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise SettingError(f"a run takes {SHORTEST_S:g} to {LONGEST_S:g} s, not {seconds:g}.")
    if not Path("/proc/self/statm").exists():
        raise SettingError("the memory of a process is read from /proc, which this machine does not have.")
    with TemporaryDirectory() as folder:
        home = Path(folder)
        progress(0, 3, "signals")
        signals = _signals(seconds)
        np.save(home / "signals.npy", signals)
        key = _prepared(home, signals, devices)
        with _served(home) as (process, url):
            progress(1, 3, f"{devices} devices, {viewers} viewers")
            job = Job(url.replace("http", "ws", 1), key, devices, viewers, seconds, str(home / "signals.npy"))
            totals, watch = _stream(job, process.pid)
        progress(2, 3, "what is stored")
        missing, doubled = _count_differences(home, totals["stored"])
    return Load(
        devices=devices,
        viewers=viewers,
        seconds=seconds,
        chunks_sent=totals["chunks_sent"],
        chunks_stored=sum(map(len, totals["stored"].values())),
        chunks_lost=missing,
        chunks_doubled=doubled,
        frames_missed=totals["missed"],
        sample_to_screen_p50_s=percentile(totals["latencies_s"], 50),
        sample_to_screen_p95_s=percentile(totals["latencies_s"], 95),
        **watch.figures(),
    )


def _signals(seconds: float) -> NDArray[np.float32]:
    length_s = min(seconds, _SIGNAL_S) + _MOST_SHIFTED_S
    # A patient's normal is learned from them, too.
    signals = np.stack(list(simulated_signals(length_s)))
    # A long run hears the same again.
    return np.tile(signals, (1, int(np.ceil((seconds + _MOST_SHIFTED_S) / length_s)), 1))


def _prepared(home: Path, signals: NDArray[np.float32], devices: int) -> str:
    """Patients whose normals are known, as they are in a ward most of the time; and a key."""
    monitor = Monitor.of(load_ambulatory(), LEARNING_S)
    normals = [learned(monitor, signal) for signal in signals]
    with Store.open(f"sqlite:///{home / 'ectopy.db'}") as store:
        engine = MonitoringEngine(store, monitor)
        for number, name in enumerate(patients(devices)):
            engine.admit(name)
            normal = normals[number % len(normals)]
            engine.submit(name, Command(CommandKind.SET_NORMAL, time.time(), "benchmark", normal=normal))
        engine.run_once()
        _, secret = Authenticator(store.keys).new_key("benchmark", frozenset({Scope.ADMINISTER}))
    return secret


@contextmanager
def _served(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server as a process, and where it answers."""
    command = [sys.executable, "-m", "ectopy", "serve", "--home", str(home), "--port", "0"]
    environment = os.environ | {"ECTOPY_LEARNING_S": str(LEARNING_S), "ECTOPY_REQUESTS_PER_MINUTE": "1000000"}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if "answers at" not in line:
                raise ServiceError(f"the service has not started: {(home / 'log').read_text()[-500:]}")
            yield process, line.split()[-1]
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


class _Watch:
    """Looks at a process once a second, until it is told to stop."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._folder, self._seconds = Path("/proc") / str(pid), seconds
        self._began, self._cpu_s = time.monotonic(), self._cpu()
        self._samples: list[tuple[float, float]] = []
        self._elapsed_s = self._used_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        """End, and keep the figures."""
        self._stop.set()
        self._thread.join()
        self._elapsed_s, self._used_s = time.monotonic() - self._began, self._cpu() - self._cpu_s

    def figures(self) -> dict[str, Any]:
        """Memory and processor time."""
        warm_s = min(_WARM_S, self._seconds / 4)
        at_s, rss_mb = np.array([sample for sample in self._samples if sample[0] >= warm_s]).T
        return {
            "rss_mb_start": float(rss_mb[0]),
            "rss_mb_end": float(rss_mb[-1]),
            "rss_mb_growth_per_hour": float(np.polyfit(at_s, rss_mb, 1)[0] * 3600),
            "rss_mb_by_tenth": [float(np.median(part)) for part in np.array_split(rss_mb, min(10, len(rss_mb)))],
            "cpu_share": self._used_s / (self._elapsed_s * core_count()),
        }

    def _look(self) -> None:
        while not self._stop.wait(1.0):
            pages = int((self._folder / "statm").read_text().split()[1])
            self._samples.append((time.monotonic() - self._began, pages * _PAGE_BYTES / 2**20))

    def _cpu(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _stream(job: Job, server: int) -> tuple[dict[str, Any], _Watch]:
    command = [sys.executable, "-m", "ectopy.benchmarks.load_sender", json.dumps(asdict(job))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise ServiceError("the devices of the benchmark have ended early; see their messages above.")
        watch = _Watch(server, job.seconds)
        try:
            answer = process.stdout.readline()
        finally:
            watch.stop()
    if not answer:
        raise ServiceError("the devices of the benchmark have ended early; see their messages above.")
    totals: dict[str, Any] = json.loads(answer)
    return totals, watch


def _count_differences(home: Path, promised: dict[str, list[int]]) -> tuple[int, int]:
    """Number of confirmed chunks that are not stored, and of chunks stored twice."""
    missing = doubled = 0
    with Store.open(f"sqlite:///{home / 'ectopy.db'}") as store:
        for name, positions in promised.items():
            stored = [chunk.position for chunk in store.inputs.all(name) if isinstance(chunk, Chunk)]
            missing += len(set(positions) - set(stored))
            doubled += len(stored) - len(set(stored))
    return missing, doubled
