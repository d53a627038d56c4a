"""Number of patients that this machine watches in real time, and their cost; storage is on.

Simulated patients at 250 Hz with two leads, every other one with a plethysmogram, send half a second of signal every
half second by the real clock, their phases spread evenly. They are divided among as many worker processes as there are
cores, each with an engine of its own on the same database. The signals are made beforehand, a handful of recordings
shifted against each other, and neither that nor the start of the workers counts. Patients' normals are given at the
start, so that a ward is measured as it is most of the time, unless learning them is to be measured too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.arguments import Progress, silent
from ectopy.benchmarks.load_sender import CHUNK_S, LEADS, RATE_HZ, nth_chunk, plethysmogram
from ectopy.datasets import simulate_recording
from ectopy.errors import SettingError, StorageError
from ectopy.evaluation.metrics import percentile
from ectopy.monitor import BeatJudged, Command, CommandKind, Monitor, MonitorState, chunks
from ectopy.monitor.replay import paced
from ectopy.processes import core_count, peak_rss_mb, start_python
from ectopy.recording import PulseWave, Recording
from ectopy.service.interpreter import tune_for_threads
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.monitoring.write_buffer import Receipt
from ectopy.service.storage import StepRecord, Store

GROWTH = (10, 50, 100, 200, 350, 500, 750, 1000)
MOST_PATIENTS = 5000
SHORTEST_S, LONGEST_S = 5.0, 3600.0

_RECORDINGS = 5
_SHIFT_S, _MOST_SHIFTED_S = 1.7, 60.0
LEARNING_S = 60.0
_LEARNING_SIGNAL_S = 90.0
_DRAIN_S = 30.0
_GRAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of watching a number of patients.

    Attributes
    ----------
    patients : int
    realtime_factor : float
        Share of the chunks that were stored and answered before the next but one was sent; 1 = all of them.
    cpu_share : float
        Processor time of all workers, of what all cores have; a database server of its own is not in it.
    latency_p50_s, latency_p95_s : float
        From a beat to the event with its verdict.
    stored_p50_s, stored_p95_s : float
        From a beat to the moment its verdict is stored.
    rss_mb : float
        The most memory that the workers have had, together.
    """

    patients: int
    realtime_factor: float
    cpu_share: float
    latency_p50_s: float
    latency_p95_s: float
    stored_p50_s: float
    stored_p95_s: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class _Job:
    """Settings of one worker."""

    worker: int
    workers: int
    patients: int
    seconds: float
    store: str
    signals: str
    learning: bool


class _Outcome(NamedTuple):
    """Measurements of one worker."""

    cpu_s: float
    elapsed_s: float
    chunks: int
    in_time: int
    event_s: list[float]
    stored_s: list[float]
    rss_mb: float


def benchmark_monitor(
    patients: Sequence[int],
    seconds: float = 60.0,
    store: str | None = None,
    learning: bool = False,
    progress: Progress = silent,
) -> list[Cost]:
    """Watch simulated patients in real time, so many at once; then so many more.

    Parameters
    ----------
    patients : sequence of int
        Each 1 to 5000.
    seconds : float
        Length of each run, 5 to 3600.
    store : str or None
        URL of a database, to which the patients are added; None = an SQLite file that is deleted afterwards.
    learning : bool
        Whether the patients' normals are still to be learned.

    Raises
    ------
    SettingError
        If a setting is out of range.
    StorageError
        If the store fails.
    """
    if not patients or not all(1 <= count <= MOST_PATIENTS for count in patients):
        raise SettingError(f"watch 1 to {MOST_PATIENTS} patients.")
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise SettingError(f"a run takes {SHORTEST_S:g} to {LONGEST_S:g} s, not {seconds:g}.")
    costs = []
    with TemporaryDirectory() as folder:
        signals = Path(folder) / "signals.npy"
        np.save(signals, np.stack(list(simulated_signals(max(seconds, _LEARNING_SIGNAL_S) + _MOST_SHIFTED_S))))
        for run, count in enumerate(patients):
            progress(run, len(patients), f"{count} patients")
            url = store or f"sqlite:///{folder}/{count}.db"
            costs.append(_measure(count, seconds, url, signals, learning))
    return costs


def simulated_signals(length_s: float) -> Iterator[NDArray[np.float32]]:
    """Yield the recordings that patients send, shifted against each other."""
    for number in range(_RECORDINGS):
        rate_bpm, ectopic = 60.0 + 8 * number, {"V": 0.02, "A": 0.01}
        yield simulate_recording(length_s, rate_bpm=rate_bpm, ectopic=ectopic, random_state=number).signal


def _measure(patients: int, seconds: float, url: str, signals: Path, learning: bool) -> Cost:
    Store.open(url).close()
    cores = core_count()
    workers = min(cores, patients)
    with ExitStack() as stack:
        processes = []
        for worker in range(workers):
            job = _Job(worker, workers, patients, seconds, url, str(signals), learning)
            processes.append(stack.enter_context(start_python("-m", __name__, json.dumps(asdict(job)))))
        for process in processes:
            _line(process)
        start = time.time() + 1.0
        for process in processes:
            print(start, file=process.stdin, flush=True)
        outcomes = [_Outcome(**json.loads(_line(process))) for process in processes]
    event_s = [latency_s for outcome in outcomes for latency_s in outcome.event_s]
    stored_s = [latency_s for outcome in outcomes for latency_s in outcome.stored_s]
    return Cost(
        patients=patients,
        realtime_factor=sum(each.in_time for each in outcomes) / sum(each.chunks for each in outcomes),
        cpu_share=sum(each.cpu_s for each in outcomes) / (max(each.elapsed_s for each in outcomes) * cores),
        latency_p50_s=percentile(event_s, 50),
        latency_p95_s=percentile(event_s, 95),
        stored_p50_s=percentile(stored_s, 50),
        stored_p95_s=percentile(stored_s, 95),
        rss_mb=sum(each.rss_mb for each in outcomes),
    )


def _line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise StorageError("a worker of the benchmark has ended early; see its messages above.")
    return line


# A worker


@dataclass(frozen=True, slots=True)
class _Sender:
    """A patient: where in which recording the stream begins, when, and what goes with it."""

    name: str
    signal: NDArray[np.float32]
    begin_s: float
    waves: tuple[PulseWave, ...]


@dataclass(slots=True)
class _Watch:
    """Stop-watch for chunks and beats."""

    begin: dict[str, float] = field(default_factory=dict)
    event_s: list[float] = field(default_factory=list)
    stored_s: list[float] = field(default_factory=list)
    answered: int = 0
    in_time: int = 0

    def watched(self, steps: Sequence[StepRecord]) -> None:
        self.event_s += self._latencies_s(steps)

    def stored(self, steps: Sequence[StepRecord]) -> None:
        self.stored_s += self._latencies_s(steps)

    def _latencies_s(self, steps: Sequence[StepRecord]) -> list[float]:
        now = time.time()
        return [
            now - self.begin[step.patient] - event.position / RATE_HZ
            for step in steps
            for event in step.events
            if isinstance(event, BeatJudged)
        ]

    def note_receipt(self, due: float, receipt: Future[Receipt]) -> None:
        self.answered += 1
        if not receipt.exception() and time.time() <= due + 2 * CHUNK_S:
            self.in_time += 1


def _work(job: _Job) -> _Outcome:
    senders = _senders(job)
    monitor = Monitor.of(load_ambulatory(), LEARNING_S)
    tune_for_threads()
    watch = _Watch()
    with Store.open(job.store) as store:
        station = f"benchmark {job.worker}"
        engine = MonitoringEngine(
            store, monitor, system_patient=station, patients=(), on_steps=watch.watched, on_stored=watch.stored
        )
        for sender in senders:
            engine.admit(sender.name)
        if not job.learning:
            normals = [learned(monitor, signal) for signal in np.load(job.signals, mmap_mode="r")]
            for number, sender in enumerate(senders):
                normal = normals[(job.worker + number * job.workers) % _RECORDINGS]
                engine.submit(sender.name, Command(CommandKind.SET_NORMAL, time.time(), "benchmark", normal=normal))
            engine.run_once()
        print("ready", flush=True)
        start = float(sys.stdin.readline())
        watch.begin = {sender.name: start + sender.begin_s for sender in senders}
        worker = threading.Thread(target=engine.run)
        time.sleep(max(start - time.time(), 0.0))
        began, cpu_s = time.time(), time.process_time()
        worker.start()
        chunks_sent = _stream(engine, watch, senders, job.seconds)
        end = time.time() + _DRAIN_S
        while watch.answered < chunks_sent and time.time() < end:
            time.sleep(_GRAIN_S)
        elapsed_s, cpu_s = time.time() - began, time.process_time() - cpu_s
        engine.stop()
        worker.join()
    return _Outcome(cpu_s, elapsed_s, chunks_sent, watch.in_time, watch.event_s, watch.stored_s, peak_rss_mb())


def _senders(job: _Job) -> list[_Sender]:
    signals, pleth = np.load(job.signals), plethysmogram(job.seconds)
    senders = []
    for number in range(job.worker, job.patients, job.workers):
        shift_s = number // _RECORDINGS * _SHIFT_S % _MOST_SHIFTED_S
        signal = signals[number % _RECORDINGS, round(shift_s * RATE_HZ) :]
        waves = (pleth,) if number // job.workers % 2 else ()
        senders.append(_Sender(f"simulated {number + 1}", signal, CHUNK_S * number / job.patients, waves))
    return senders


def learned(monitor: Monitor, signal: NDArray[np.float32]) -> PatientTemplate | None:
    """A patient's normal from the first minute and a half of a signal at 250 Hz."""
    state = MonitorState()
    learning_signal = Recording(np.array(signal[: round(_LEARNING_SIGNAL_S * RATE_HZ)]), RATE_HZ, LEADS)
    for chunk in chunks(learning_signal, CHUNK_S):
        state, _ = monitor.step(state, chunk)
    return state.normal


def _stream(engine: MonitoringEngine, watch: _Watch, senders: Sequence[_Sender], seconds: float) -> int:
    """Send every chunk when its last sample is there; return how many chunks that were."""
    rounds = int(seconds / CHUNK_S)
    chunks = (
        nth_chunk(sender.signal, number, sender.waves, watch.begin[sender.name])
        for number in range(rounds)
        for sender in senders
    )
    # Many chunks fall due within a grain, and one wait is enough for them.
    waits = paced(chunks, 1.0, time.time(), time.time, lambda wait_s: time.sleep(max(wait_s, _GRAIN_S)))
    for sender, chunk in zip(cycle(senders), waits, strict=False):
        try:
            receipt = engine.submit(sender.name, replace(chunk, received=time.time()))
        except StorageError:
            watch.answered += 1
        else:
            receipt.add_done_callback(partial(watch.note_receipt, chunk.received))
    return rounds * len(senders)


if __name__ == "__main__":
    print(json.dumps(_work(_Job(**json.loads(sys.argv[1])))._asdict()))
