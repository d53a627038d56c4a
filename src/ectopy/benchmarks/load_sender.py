"""Devices and viewers of the benchmark of the service, in a process of their own.

Each device sends half a second of signal every half second, over a WebSocket; their phases are spread evenly. Every
other one sends a plethysmogram with it. Each viewer follows sixteen patients, as many as a page shows at once; one of
the viewers follows all, and never reads.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from urllib.parse import quote, urlencode

import msgspec
import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ectopy.client.protocol import ChunkMessage, write
from ectopy.monitor import Chunk
from ectopy.monitor.replay import pulse_chunk, with_waits
from ectopy.recording import PulseWave

RATE_HZ = 250
CHUNK_S = 0.5
LEADS = ("MLII", "V1")
PATIENTS_PER_PAGE = 16

_PLETH_HZ, _PULSES_PER_S = 125.0, 1.2
_COUNTS_PER_MV = 1000.0
_SHIFT_S, _MOST_SHIFTED_S = 1.7, 60.0
_MOST_UNANSWERED = 48
_DRAIN_S = 30.0
_OPEN_S = 60.0
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Job:
    """Settings of the process: URL of the service, beginning with ``ws``, and a file of signals in millivolt.

    The array in the file has the shape (recordings, samples, leads).
    """

    url: str
    key: str
    devices: int
    viewers: int
    seconds: float
    signals: str


@dataclass(slots=True)
class Totals:
    """Chunks sent and stored, and frames shown.

    Attributes
    ----------
    chunks_sent : int
    stored : dict of str to list of int
        Positions of the chunks that the service has confirmed, by patient.
    latencies_s : list of float
        From sending a chunk to its arrival at a viewer.
    missed : int
        Frames that viewers who read were not sent.
    """

    chunks_sent: int = 0
    stored: dict[str, list[int]] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)
    missed: int = 0


def plethysmogram(duration_s: float) -> PulseWave:
    """Make 72 pulses per minute, each with a second, dicrotic wave."""
    phase = np.arange(round(duration_s * _PLETH_HZ)) / _PLETH_HZ * _PULSES_PER_S % 1.0
    samples = np.exp(-(((phase - 0.15) / 0.08) ** 2)) + 0.4 * np.exp(-(((phase - 0.45) / 0.12) ** 2))
    return PulseWave("PLETH", "NU", _PLETH_HZ, samples.astype(np.float32))


def patients(devices: int) -> list[str]:
    """Names of the patients of so many devices."""
    return [f"device {number + 1}" for number in range(devices)]


def frames(content: bytes) -> Iterator[Mapping[str, object]]:
    """Yield the headers of the frames in a message; see `ectopy.service.live.frames`."""
    offset = 0
    while offset < len(content):
        (length,) = _LENGTH.unpack_from(content, offset)
        head = msgspec.json.decode(content[offset + 4 : offset + 4 + length])
        offset += 4 + length
        size = 2 * head["samples"] * len(head["leads"])
        offset += size + -size % 4
        yield head


class _Load:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._signals = np.load(job.signals)
        self._pleth = plethysmogram(job.seconds)
        self._headers = {"Authorization": f"Bearer {job.key}"}
        self._sent_at: dict[tuple[str, int], float] = {}
        self.totals = Totals()

    async def run(self) -> None:
        names = patients(self._job.devices)
        async with asyncio.TaskGroup() as tasks:
            viewers = [tasks.create_task(self._view(number, names)) for number in range(self._job.viewers)]
            await asyncio.sleep(1.0)
            print("ready", flush=True)
            begin = time.monotonic() + 1.0
            devices = [tasks.create_task(self._send(number, name, begin)) for number, name in enumerate(names)]
            await asyncio.wait(devices)
            for viewer in viewers:
                viewer.cancel()

    # Devices

    async def _send(self, number: int, name: str, begin: float) -> None:
        signal = self._signals[number % len(self._signals)]
        signal = signal[round(number // len(self._signals) * _SHIFT_S % _MOST_SHIFTED_S * RATE_HZ) :]
        stored = self.totals.stored[name] = []
        unanswered: set[int] = set()
        path = f"/api/patients/{quote(name)}/stream"
        async with self._connected(path) as socket:
            await socket.recv()
            listening = asyncio.create_task(_listen(socket, unanswered, stored))
            begin += CHUNK_S * number / self._job.devices
            pulses = (self._pleth,) if number % 2 else ()
            chunks = (nth_chunk(signal, n, pulses, begin) for n in range(int(self._job.seconds / CHUNK_S)))
            for sequence, (wait_s, chunk) in enumerate(with_waits(chunks, from_s=time.monotonic())):
                await asyncio.sleep(wait_s)
                while len(unanswered) >= _MOST_UNANSWERED and not listening.done():
                    await asyncio.sleep(CHUNK_S)
                unanswered.add(sequence)
                self._sent_at[name, chunk.position] = time.monotonic()
                self.totals.chunks_sent += 1
                with suppress(ConnectionClosed):
                    await socket.send(write(ChunkMessage(chunk, sequence), "msgpack", _COUNTS_PER_MV))
            with suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_S):
                    while len(stored) < self._job.seconds // CHUNK_S and not listening.done():
                        await asyncio.sleep(0.1)
            listening.cancel()

    # Viewers

    async def _view(self, number: int, names: list[str]) -> None:
        if number == 0:
            async with self._connected("/api/live", max_queue=1):
                await asyncio.sleep(self._job.seconds + _DRAIN_S)
                return
        first, count = number * PATIENTS_PER_PAGE, min(PATIENTS_PER_PAGE, len(names))
        query = urlencode([("patient", names[(first + place) % len(names)]) for place in range(count)])
        async with self._connected(f"/api/live?{query}") as socket:
            async for message in socket:
                now = time.monotonic()
                if isinstance(message, bytes):
                    self._note_latencies(message, now)
                else:
                    self.totals.missed += sum(text.get("frames", 0) for text in msgspec.json.decode(message))

    def _note_latencies(self, message: bytes, now: float) -> None:
        for head in frames(message):
            sent_at = self._sent_at.get((str(head["patient"]), int(str(head["position"]))))
            if sent_at is not None:
                self.totals.latencies_s.append(now - sent_at)

    def _connected(self, path: str, max_queue: int | None = 64) -> connect:
        return connect(
            self._job.url + path,
            additional_headers=self._headers,
            compression=None,
            max_queue=max_queue,
            open_timeout=_OPEN_S,
            close_timeout=1.0,
            ping_interval=None,
            proxy=None,
        )


def nth_chunk(signal: NDArray[np.float32], number: int, waves: Sequence[PulseWave], begin: float) -> Chunk:
    """Cut the chunk of this number, counted from 0, of a signal that begins at a time; it is due when it ends."""
    length = round(CHUNK_S * RATE_HZ)
    position, begin_s = number * length, number * CHUNK_S
    end_s = begin_s + CHUNK_S
    pulses = tuple(pulse_chunk(wave, begin_s, end_s) for wave in waves)
    return Chunk(position, signal[position : position + length], RATE_HZ, LEADS, received=begin + end_s, pulses=pulses)


async def _listen(socket: ClientConnection, unanswered: set[int], stored: list[int]) -> None:
    with suppress(ConnectionClosed):
        async for message in socket:
            answer = json.loads(message)
            unanswered.discard(answer["sequence"])
            if answer.get("stored"):
                stored.append(answer["sequence"] * round(CHUNK_S * RATE_HZ))


def main() -> None:
    """Do the job in the first argument, as JSON; print ``ready``, and at the end the totals as JSON."""
    load = _Load(Job(**json.loads(sys.argv[1])))
    asyncio.run(load.run())
    print(json.dumps(asdict(load.totals)))


if __name__ == "__main__":
    main()
