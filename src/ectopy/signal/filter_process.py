"""Read a long recording in two processes: one filters and assesses, this one finds and cuts the beats meanwhile.

Samples lie in files that both have in memory. All results are those of one process, to the last bit; where there is no
second core or no room, or where anything goes wrong there, the work is done here. The other process takes half a second
to start, which `process_ahead` hides behind the reading of the file.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from typing import IO

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.large_arrays import ArrayAddress
from ectopy.processes import ONE_THREAD, has_spare_core, start_ahead
from ectopy.signal.beat_segments import BeatSegments, cut_by_part, no_beats, without_samples
from ectopy.signal.filters import Filtered, FilterSettings, filter_into, unfilled
from ectopy.signal.heartbeats import heartbeats_by_part
from ectopy.signal.quality import QUALITY_WINDOW_S, IndexAndWord, Quality, readable_at
from ectopy.signal.quality_assessment import assess_by_part, join_parts

LEAST_VALUES = 2**23
"""Samples of all leads below which a second process does not pay: it takes half a second to start."""

OnBeats = Callable[[BeatSegments], None]
"""Takes beats as they become known, in their order, readable only where the leads are; not necessarily all."""

_PART_S = 600
_SETTLED_S = 30.0  # after which no heartbeat is found any more
_MOST_BYTES = 2**16
_ARRAYS = 5


@dataclass(frozen=True, slots=True)
class FilterTask:
    """What the other process does, on which arrays."""

    signal: ArrayAddress
    early: tuple[ArrayAddress, ArrayAddress]
    filtered: tuple[ArrayAddress, ArrayAddress]
    analysis_rate_hz: float
    rate_hz: float
    settings: FilterSettings | None


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


def process_ahead() -> AbstractContextManager[None]:
    """Start the other process now, to be ready when a large recording is read within the block."""
    can_start = os.name == "posix" and has_spare_core()
    return start_ahead(_OtherProcess, _ahead) if can_start else nullcontext()


def read_in_two_processes(
    signal: NDArray[np.floating],
    rate_hz: float,
    settings: FilterSettings | None,
    on_beats: OnBeats,
) -> tuple[Filtered, Filtered, Quality, BeatSegments] | None:
    """Filter a signal, assess it, find and cut its beats: `filter_twice`, `assess`, `find_heartbeats`, `cut_beats`.

    Parameters
    ----------
    signal : ndarray, shape (samples, leads)
    rate_hz : float
    settings : FilterSettings or None
    on_beats : callable
        Called with beats while the other process works.

    Returns
    -------
    tuple or None
        Early and filtered signal, quality and beats; None where one process has to do it.
    """
    if signal.size < LEAST_VALUES or os.name != "posix" or not has_spare_core():
        return None
    try:
        early, filtered = (unfilled(signal.shape, rate_hz, large_arrays.empty_in_file) for _ in range(2))
        return _read(_in_file(signal), rate_hz, settings, early, filtered, on_beats)
    except (OSError, ValueError, EOFError, _ProcessEndedError):
        return None


def _read(
    signal: NDArray[np.floating],
    rate_hz: float,
    settings: FilterSettings | None,
    early: Filtered,
    filtered: Filtered,
    on_beats: OnBeats,
) -> tuple[Filtered, Filtered, Quality, BeatSegments]:
    arrays = signal, early.signal, early.missing, filtered.signal, filtered.missing
    addresses = [large_arrays.address_of(array) for array in arrays]
    task = FilterTask(
        addresses[0], (addresses[1], addresses[2]), (addresses[3], addresses[4]), early.rate_hz, rate_hz, settings
    )
    with _ahead.pop() if _ahead else _OtherProcess() as process:
        progress, parts = process.begin(task), list[BeatSegments]()
        samples = large_arrays.RowsInFile(no_beats(len(filtered.signal)).samples.shape[1:], np.float32)
        for beats in cut_by_part(filtered, _settled_parts(early, filtered, progress)):
            samples.append(beats.samples)
            parts.append(without_samples(beats))
            large_arrays.release(filtered.signal)
            large_arrays.release(filtered.missing)
            on_beats(beats.masked(readable_at(progress.index(), beats.times_s)))
        beats = replace(BeatSegments.joined(parts), samples=samples.array())
        quality = Quality(*progress.index_and_word(), len(signal) / rate_hz)
        return early[: progress.early_end], filtered[: progress.filtered_end], quality, beats


def _settled_parts(
    early: Filtered, filtered: Filtered, progress: _Progress
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the parts, for `cut_by_part`, in which all heartbeats are found and the quality is known."""
    times_s = np.empty(0)
    for new_times_s in heartbeats_by_part(early, progress.parts(early)):
        times_s = np.concatenate([times_s, new_times_s])
        settled_s = min(progress.filtered_end / filtered.rate_hz - _SETTLED_S, progress.assessed_s)
        count = int(np.searchsorted(times_s, settled_s))
        if count:
            yield int(settled_s * filtered.rate_hz), times_s[:count]
            times_s = times_s[count:]
    yield progress.filtered_end, times_s


class _Progress:
    """How far the other process is.

    It prints how many samples of the early and of the filtered signal are there, and the number of bytes that follow:
    index and word of the seconds assessed since the last time, as two ``.npy`` files. An empty line comes last.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._seconds = stream, list[IndexAndWord]()
        self.early_end = self.filtered_end = 0

    @property
    def assessed_s(self) -> float:
        """Return up to where the quality is known, seconds."""
        return QUALITY_WINDOW_S * float(sum(index.shape[1] for index, _ in self._seconds))

    def parts(self, early: Filtered) -> Iterator[slice]:
        """Yield the parts of the early signal, ten minutes or more, as soon as they are there."""
        begin = 0
        while (line := self._stream.readline()) != b"\n":
            if not line:
                raise _ProcessEndedError
            self.early_end, self.filtered_end, size = map(int, line.split())
            content = io.BytesIO(self._stream.read(size))
            index, word = (np.load(content, allow_pickle=False) for _ in range(2))
            self._seconds.append((index, word))
            if self.early_end - begin >= _PART_S * early.rate_hz:
                yield slice(begin, self.early_end)
                begin = self.early_end
                large_arrays.release(early.signal)
                large_arrays.release(early.missing)
        yield slice(begin, self.early_end)

    def index(self) -> NDArray[np.float64]:
        """Return the index of quality so far, shape (leads, seconds)."""
        return np.concatenate([index for index, _ in self._seconds], axis=1)

    def index_and_word(self) -> IndexAndWord:
        """Return index and word of the quality so far."""
        return join_parts(self._seconds)


def _in_file(signal: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the same samples in a file."""
    if large_arrays.is_in_file(signal):
        return signal
    copy = large_arrays.empty_in_file(signal.shape, signal.dtype)
    copy[:] = signal
    return copy


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
    ends = list[int]()

    def filtered_ends() -> Iterator[int]:
        for part_ends in filter_into(early, filtered, signal, task.rate_hz, task.settings):
            ends[:] = part_ends
            yield part_ends[1]

    for assessed in assess_by_part(signal, task.rate_hz, filtered, filtered_ends()):
        content = io.BytesIO()
        for array in assessed:
            np.save(content, array, allow_pickle=False)
        print(*ends, content.tell(), flush=True)
        sys.stdout.buffer.write(content.getbuffer())
        sys.stdout.buffer.flush()
    print(flush=True)


if __name__ == "__main__":
    main()
