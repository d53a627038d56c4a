"""Read a long recording in two processes: one filters ahead, this one works on what is filtered so far.

It finds the heartbeats and assesses the first half of the leads; the other one assesses the second half when all is
filtered, while this one cuts the beats. Samples and results lie in files that both have in memory. All results are
those of one process, to the last bit; where there is no second core or no room, or where anything goes wrong there, the
work is done here. The other process takes half a second to start, which `process_ahead` hides behind the reading of the
file.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.large_arrays import ArrayAddress
from ectopy.processes import ONE_THREAD, has_spare_core
from ectopy.signal.beat_segments import BeatSegments, cut_beats
from ectopy.signal.filters import Filtered, FilterSettings, filter_into, unfilled
from ectopy.signal.heartbeats import find_heartbeats
from ectopy.signal.quality import Assessment, Quality, assess

LEAST_VALUES = 2**23
"""Samples of all leads below which a second process does not pay: it takes half a second to start."""

_PART_S = 600
_MOST_BYTES = 2**16
_ARRAYS = 5


@dataclass(frozen=True, slots=True)
class FilterTask:
    """What the other process does, on which arrays; it assesses the leads from `first_lead` on."""

    signal: ArrayAddress
    early: tuple[ArrayAddress, ArrayAddress]
    filtered: tuple[ArrayAddress, ArrayAddress]
    analysis_rate_hz: float
    rate_hz: float
    settings: FilterSettings | None
    first_lead: int


class _ProcessEndedError(Exception):
    """The other process has ended before its work was complete."""


class _OtherProcess:
    """The other process, which waits for its task; within the block, at the end of which it is killed."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs, ExitStack() as unless_started:
            unless_started.enter_context(ours)
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C ends this process, which ends the other one
            )
            unless_started.pop_all()
        self._channel = ours

    def __enter__(self) -> _OtherProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self._channel.close()
        with self._process:
            self._process.kill()

    def begin(self, task: FilterTask) -> _Progress:
        """Send the task with the arrays that it names; an `OSError` if the process has ended."""
        addresses = (task.signal, *task.early, *task.filtered)
        socket.send_fds(self._channel, [msgspec.json.encode(task)], [address.descriptor for address in addresses])
        assert self._process.stdout is not None
        return _Progress(self._process.stdout)


_ahead: list[_OtherProcess] = []


@contextmanager
def process_ahead() -> Iterator[None]:
    """Start the other process now, to be ready when a large recording is read within the block."""
    if os.name == "posix" and has_spare_core():
        with suppress(OSError):  # then one process does it
            _ahead.append(_OtherProcess())
    try:
        yield
    finally:
        while _ahead:
            with _ahead.pop():
                pass


def read_in_two_processes(
    signal: NDArray[np.floating], rate_hz: float, settings: FilterSettings | None
) -> tuple[Filtered, Filtered, Quality, BeatSegments] | None:
    """Filter a signal, assess it, find and cut its beats: `filter_twice`, `assess`, `find_heartbeats`, `cut_beats`.

    Parameters
    ----------
    signal : ndarray, shape (samples, leads)
    rate_hz : float
    settings : FilterSettings or None

    Returns
    -------
    tuple or None
        Early and filtered signal, quality and beats; None where one process has to do it.
    """
    if signal.size < LEAST_VALUES or os.name != "posix" or not has_spare_core():
        return None
    try:
        early, filtered = (unfilled(signal.shape, rate_hz, large_arrays.empty_in_file) for _ in range(2))
        return _read(_in_file(signal), rate_hz, settings, early, filtered)
    except (OSError, ValueError, EOFError, _ProcessEndedError):
        return None


def _read(
    signal: NDArray[np.floating], rate_hz: float, settings: FilterSettings | None, early: Filtered, filtered: Filtered
) -> tuple[Filtered, Filtered, Quality, BeatSegments]:
    first_lead = -(-signal.shape[1] // 2)
    arrays = signal, early.signal, early.missing, filtered.signal, filtered.missing
    addresses = [large_arrays.address_of(array) for array in arrays]
    task = FilterTask(
        addresses[0],
        (addresses[1], addresses[2]),
        (addresses[3], addresses[4]),
        early.rate_hz,
        rate_hz,
        settings,
        first_lead,
    )
    with _ahead.pop() if _ahead else _OtherProcess() as process:
        progress = process.begin(task)
        assessment = Assessment(signal[:, :first_lead], rate_hz, _leads(filtered, slice(first_lead)))
        times_s = find_heartbeats(early, _with_assessment(progress, early, assessment))
        early, filtered = early[: progress.early_end], filtered[: progress.filtered_end]
        quality = assessment.finish(progress.filtered_end)
        beats = cut_beats(filtered, times_s)
        if first_lead < signal.shape[1]:
            quality = _joined(quality, *progress.arrays())
        return early, filtered, quality, beats


def _with_assessment(progress: _Progress, early: Filtered, assessment: Assessment) -> Iterator[slice]:
    """Yield the parts of the early signal as they come, and assess each after its heartbeats have been found."""
    for part in progress.parts(early):
        yield part
        assessment.go_on(progress.filtered_end)


class _Progress:
    """How far the other process is, and what it sends in the end.

    It prints how many samples of the early and of the filtered signal are there, an empty line when all are, and then
    index and word of the quality of its leads as two ``.npy`` files.
    """

    def __init__(self, lines: IO[bytes]) -> None:
        self._lines = lines
        self.early_end = self.filtered_end = 0

    def parts(self, early: Filtered) -> Iterator[slice]:
        """Yield the parts of the early signal, ten minutes or more, as soon as they are there."""
        begin = 0
        while (line := self._lines.readline()) != b"\n":
            if not line:
                raise _ProcessEndedError
            self.early_end, self.filtered_end = map(int, line.split())
            if self.early_end - begin >= _PART_S * early.rate_hz:
                yield slice(begin, self.early_end)
                begin = self.early_end
                large_arrays.release(early.signal)
                large_arrays.release(early.missing)
        yield slice(begin, self.early_end)

    def arrays(self) -> list[NDArray[Any]]:
        """Return index and word; an `EOFError` if the process ended before it sent them."""
        content = io.BytesIO(self._lines.read())
        return [np.load(content, allow_pickle=False) for _ in range(2)]


def _in_file(signal: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the same samples in a file."""
    if large_arrays.is_in_file(signal):
        return signal
    copy = large_arrays.empty_in_file(signal.shape, signal.dtype)
    copy[:] = signal
    return copy


def _leads(filtered: Filtered, leads: slice) -> Filtered:
    return Filtered(filtered.signal[leads], filtered.missing[leads], filtered.rate_hz)


def _joined(quality: Quality, index: NDArray[np.float64], word: NDArray[np.str_]) -> Quality:
    return replace(quality, index=np.concatenate([quality.index, index]), word=np.concatenate([quality.word, word]))


def main() -> None:
    """Do the task that comes through standard input: filter, say how far it is, assess the quality of some leads."""
    with socket.socket(fileno=sys.stdin.fileno()) as channel:
        message, descriptors, *_ = socket.recv_fds(channel, _MOST_BYTES, _ARRAYS)
        if not message:  # no recording was large enough
            return
        _do(msgspec.json.decode(message, type=FilterTask), descriptors)


def _do(task: FilterTask, descriptors: list[int]) -> None:
    addresses = (task.signal, *task.early, *task.filtered)
    signal, *arrays = (
        large_arrays.mapped(replace(address, descriptor=descriptor))
        for address, descriptor in zip(addresses, descriptors, strict=True)
    )
    early, filtered = (
        Filtered(samples, missing, task.analysis_rate_hz) for samples, missing in (arrays[:2], arrays[2:])
    )
    filtered_end = 0
    for early_end, filtered_end in filter_into(early, filtered, signal, task.rate_hz, task.settings):
        print(early_end, filtered_end, flush=True)
    print(flush=True)
    if task.first_lead == signal.shape[1]:
        return
    leads = slice(task.first_lead, None)
    quality = assess(signal[:, leads], task.rate_hz, _leads(filtered[:filtered_end], leads))
    for array in (quality.index, quality.word):
        np.save(sys.stdout.buffer, array, allow_pickle=False)


if __name__ == "__main__":
    main()
