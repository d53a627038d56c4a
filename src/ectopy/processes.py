"""A process: Ctrl-C between steps and while native libraries load, their stderr and threads; children, memory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager, suppress
from multiprocessing import get_context, parent_process
from pathlib import Path
from types import FrameType
from typing import TypeVar

Item = TypeVar("Item")
Job = TypeVar("Job")
Result = TypeVar("Result")
Process = TypeVar("Process", bound=AbstractContextManager[object])

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


_one_at_a_time = threading.RLock()


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Send file descriptor 2 to nowhere while the block runs; Python exceptions pass as ever."""
    with _one_at_a_time:
        try:
            saved_stderr = os.dup(2)
        except OSError:
            # There is no standard error to silence.
            yield
            return
        sink = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(sink, 2)
            yield
        finally:
            os.dup2(saved_stderr, 2)
            os.close(saved_stderr)
            os.close(sink)


@contextmanager
def filtered_stderr(noise: re.Pattern[bytes]) -> Iterator[None]:
    """Leave out lines that match from what processes write to standard error that are started in this block."""
    try:
        saved_stderr = os.dup(2)
    except OSError:
        # There is no standard error to filter.
        yield
        return
    reader, writer = os.pipe()

    def pass_on() -> None:
        # It ends with the last process that has the other end of the pipe.
        with os.fdopen(reader, "rb") as lines, os.fdopen(saved_stderr, "wb", buffering=0) as output:
            for line in lines:
                if not noise.match(line):
                    output.write(line)

    threading.Thread(target=pass_on, name="stderr", daemon=True).start()
    own_stderr = os.dup(2)
    os.dup2(writer, 2)
    os.close(writer)
    try:
        yield
    finally:
        os.dup2(own_stderr, 2)
        os.close(own_stderr)


@contextmanager
def delayed_interrupt() -> Iterator[None]:
    """Raise `KeyboardInterrupt` at the end, if it was raised within and nobody has heard of it.

    Native modules that are interrupted while they load may go on as if nothing had been. Outside the main thread, and
    where Ctrl-C is not `signal.default_int_handler`, nothing is done.
    """
    if not _ctrl_c_raises():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    interrupted = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt


def until_interrupted(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items, and raise `KeyboardInterrupt` after Ctrl-C: at once where an item is awaited, else after the item.

    So no item is worked on by half. Nor is the execution of a string interrupted, as when a data class is made: CPython
    would end as if killed by Ctrl-C, even though the exception was caught. A second Ctrl-C is raised at once. Outside
    the main thread, and where Ctrl-C is not `signal.default_int_handler`, the items come as they are.
    """
    if not _ctrl_c_raises():
        yield from items
        return
    before = signal.getsignal(signal.SIGINT)
    awaiting, interrupted = True, False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if awaiting or interrupted:
            raise KeyboardInterrupt
        interrupted = True

    signal.signal(signal.SIGINT, note)
    try:
        for item in items:
            awaiting = False
            yield item
            awaiting = True
            if interrupted:
                raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C or SIGTERM sets, in place of their usual effect; for the main thread.

    A second one ends the process as ever.
    """
    stopping, signals = threading.Event(), (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()
        restore()

    for number in signals:
        signal.signal(number, stop)
    try:
        yield stopping
    finally:
        restore()


def _ctrl_c_raises() -> bool:
    """Whether Ctrl-C is a `KeyboardInterrupt` in this thread, as Python has it from the start."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def run_python(*arguments: str) -> str:
    """Run a fresh Python on one thread; return what it prints."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def start_python(*arguments: str) -> subprocess.Popen[str]:
    """Start a fresh Python on one thread, with pipes to its standard input and from its standard output."""
    command = [sys.executable, *arguments]
    return subprocess.Popen(
        command, env=os.environ | ONE_THREAD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


_shares_cores = threading.Event()


def share_cores() -> None:
    """Say that this process is one of several that have a core each, as another program has started it."""
    _shares_cores.set()


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_spare_core() -> bool:
    """Return whether another process can work beside this one, which is not itself one of several."""
    return core_count() > 1 and parent_process() is None and not _shares_cores.is_set()


@contextmanager
def start_ahead(start: Callable[[], Process], waiting: list[Process]) -> Iterator[None]:
    """Start a process now that is needed later within the block.

    It waits in the list; if nothing has taken it from there, it is closed at the end of the block. If it cannot be
    started, the list stays empty, and this process has to do the work.
    """
    with suppress(OSError):
        waiting.append(start())
    try:
        yield
    finally:
        while waiting:
            with waiting.pop():
                pass


def in_processes(function: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[int, Result]]:
    """Do jobs in one worker process per core, a single job in this process; yield row and result as each is done."""
    if len(jobs) == 1:
        yield 0, function(jobs[0])
        return
    with ProcessPoolExecutor(min(len(jobs), core_count()), mp_context=get_context("spawn")) as pool:
        rows = {pool.submit(function, job): row for row, job in enumerate(jobs)}
        for future in as_completed(rows):
            yield rows[future], future.result()


def peak_rss_mb() -> float:
    """Return the most memory that this process has had."""
    # Linux lets a child process inherit the figure that `resource` gives, the parent's peak with TensorFlow in it.
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
