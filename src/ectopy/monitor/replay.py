"""A recording as a live stream, and what the monitor says of it; its time is that of the recording."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ectopy.errors import SettingError
from ectopy.monitor.chunk_assembly import LONGEST_CHUNK_S
from ectopy.monitor.events import Event
from ectopy.monitor.inputs import Chunk, End, PulseChunk
from ectopy.monitor.monitor import Monitor
from ectopy.monitor.monitor_state import MonitorState
from ectopy.recording import PulseWave, Recording
from ectopy.signal.amplitude import require_plausible_start

T = TypeVar("T", bound=Chunk | End)


def chunks(recording: Recording, chunk_s: float = 1.0) -> Iterator[Chunk]:
    """Cut a recording into chunks as a device would send them; each is received when its last sample is there.

    Parameters
    ----------
    recording : Recording
        Second 0 is the time 0 of the monitor's clock.
    chunk_s : float
        Length, above 0 to 60 s; the last one may be shorter, and none has less than one sample.

    Raises
    ------
    SettingError
        If the length is out of range, or the sampling rate.
    DataError
        If the signal is an ECG whose unit is not the one stated.
    """
    require_plausible_start(recording)
    yield from cut(recording, chunk_s)


def cut(recording: Recording, chunk_s: float = 1.0) -> Iterator[Chunk]:
    """Cut a part of a recording whose unit has been checked, as `chunks` does."""
    rate_hz = recording.sampling_rate_hz
    length = chunk_length(chunk_s, rate_hz)
    for position in range(0, len(recording.signal), length):
        signal = recording.signal[position : position + length]
        end_s = (position + len(signal)) / rate_hz
        pulses = tuple(pulse_chunk(wave, position / rate_hz, end_s) for wave in recording.pulses)
        yield Chunk(position, signal, rate_hz, recording.leads, received=end_s, pulses=pulses)


def pulse_chunk(wave: PulseWave, begin_s: float, end_s: float) -> PulseChunk:
    """The samples of a pulse wave from one second of its recording to before another."""
    begin, end = math.ceil(begin_s * wave.sampling_rate_hz), math.ceil(end_s * wave.sampling_rate_hz)
    return PulseChunk(wave.name, wave.unit, wave.sampling_rate_hz, begin, wave.samples[begin:end])


def whole(recording: Recording, chunk_s: float = 1.0) -> Iterator[Chunk | End]:
    """Cut a recording into chunks, and say that it ends with the last one, so that its last beats are judged too.

    Parameters and errors are those of `chunks`.
    """
    yield from chunks(recording, chunk_s)
    yield End(recording.duration_s)


def paced(
    inputs: Iterable[T],
    speed: float,
    from_s: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[T]:
    """Hold chunks back until their time has come; those that end before `from_s` are not held back.

    Parameters
    ----------
    speed : float
        1 = real time, 2 = twice as fast; above 0.
    clock : callable
        Gives seconds that never run backwards.
    sleep : callable
        Waits for some seconds; may return early.

    Raises
    ------
    SettingError
        If the speed is out of range.
    """
    if not 0 < speed < math.inf:
        raise SettingError(f"the speed must be above 0 times real time, not {speed:g}.")

    def paced_inputs() -> Iterator[T]:
        for wait_s, paced_input in with_waits(inputs, speed, from_s, clock):
            if wait_s > 0:
                sleep(wait_s)
            yield paced_input

    return paced_inputs()


def with_waits(
    inputs: Iterable[T], speed: float = 1.0, from_s: float = 0.0, clock: Callable[[], float] = time.monotonic
) -> Iterator[tuple[float, T]]:
    """Pair inputs with the seconds to wait before each is sent, at least 0, for coroutines; see `paced`."""
    began: float | None = None
    for timed in inputs:
        wait_s = 0.0
        if isinstance(timed, Chunk) and timed.received > from_s:
            began = clock() if began is None else began
            wait_s = max(began + (timed.received - from_s) / speed - clock(), 0.0)
        yield wait_s, timed


def chunk_length(chunk_s: float, sampling_rate_hz: float) -> int:
    """Return the number of samples in a chunk of so many seconds, at least one.

    Raises
    ------
    SettingError
        If the length is out of range.
    """
    if not 0 < chunk_s <= LONGEST_CHUNK_S:
        raise SettingError(f"chunks are above 0 and at most {LONGEST_CHUNK_S:g} s long, not {chunk_s:g}.")
    return max(int(chunk_s * sampling_rate_hz), 1)


def replay(
    monitor: Monitor, recording: Recording, state: MonitorState | None = None, chunk_s: float = 1.0
) -> Iterator[Event]:
    """Yield the events of a whole recording, as fast as they can be computed."""
    state = state or MonitorState()
    for item in whole(recording, chunk_s):
        state, events = monitor.step(state, item)
        yield from events
