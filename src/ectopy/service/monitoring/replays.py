"""Plays recordings as if devices sent them, at any speed."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from enum import StrEnum

from ectopy.errors import EctopyError, NotFoundError, SettingError, StorageError
from ectopy.monitor import Chunk
from ectopy.monitor.chunk_assembly import LONGEST_CHUNK_S
from ectopy.monitor.replay import cut, paced
from ectopy.recording import Recording
from ectopy.service.monitoring.write_buffer import Receipt
from ectopy.service.openapi_examples import with_example

Submit = Callable[[str, Chunk], Future[Receipt]]
"""Takes a patient and a chunk; see `ectopy.service.monitoring.ward.Ward.submit`."""

SLOWEST, FASTEST = 0.1, 1000.0
MOST_PLAYING = 32

_MOST_KEPT = 100
_CHUNK_S = 0.5
_AGAIN_S = 1.0


class ReplayStatus(StrEnum):
    """Status of a replay."""

    PLAYING = "playing"
    FINISHED = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@with_example(
    id="0123456789abcdef",
    recording="simulated",
    patient="bed 3",
    speed=1.0,
    started_time=1767225600.0,
    duration_s=1800.0,
    position_s=12.5,
    status="playing",
    error="",
)
@dataclass(frozen=True, slots=True)
class Replay:
    """A recording, by its id or name, that is or was played; `position_s` of `duration_s` has been processed."""

    id: str
    recording: str
    patient: str
    speed: float
    started_time: float
    duration_s: float
    position_s: float = 0.0
    status: ReplayStatus = ReplayStatus.PLAYING
    error: str = ""


class Replays:
    """Replays that go on, and the last ones that have ended.

    A chunk is sent when its last sample is due and the one before is acknowledged. Where the store fails it is sent
    again. Every replay is a stream of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replays: dict[str, Replay] = {}
        self._stops: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}

    def start(self, recording: Recording, name: str, patient: str, speed: float, submit: Submit) -> Replay:
        """Begin to play a recording, by its name, into a watched patient, so many seconds of signal a second.

        `submit` hands in the samples in the name of the caller. A `SettingError` if the speed is out of range, or too
        many play already.
        """
        if not SLOWEST <= speed <= FASTEST:
            raise SettingError(f"a recording is played at {SLOWEST:g} to {FASTEST:g} times its speed, not {speed:g}.")
        id = secrets.token_hex(8)
        replay = Replay(id, name, patient, speed, time.time(), recording.duration_s)
        thread = threading.Thread(target=self._play, args=(replay, recording, submit), name=f"replay-{id}", daemon=True)
        with self._lock:
            if len(self._threads) >= MOST_PLAYING:
                raise SettingError(f"{MOST_PLAYING} recordings are played already; stop one first.")
            for old in list(self._replays)[:-_MOST_KEPT]:
                if old not in self._threads:
                    del self._replays[old]
            self._replays[id], self._stops[id], self._threads[id] = replay, threading.Event(), thread
        thread.start()
        return replay

    def all(self) -> list[Replay]:
        """Return all replays, the newest first."""
        with self._lock:
            return list(self._replays.values())[::-1]

    def get(self, id: str) -> Replay:
        """Return a replay; a `NotFoundError` if there is none of that id."""
        with self._lock:
            if id not in self._replays:
                raise NotFoundError(f"there is no replay {id[:80]!r}; list the replays to see which there are.")
            return self._replays[id]

    def stop(self, id: str) -> Replay:
        """End a replay as `get` returns it; what was sent stays."""
        self.get(id)
        with self._lock:
            stop, thread = self._stops.get(id), self._threads.get(id)
        if stop is not None and thread is not None:
            stop.set()
            thread.join()
        return self.get(id)

    def close(self) -> None:
        """End all."""
        with self._lock:
            going = list(self._threads)
            for id in going:
                self._stops[id].set()
        for id in going:
            self.stop(id)

    def _play(self, replay: Replay, recording: Recording, submit: Submit) -> None:
        id, error = replay.id, ""
        try:
            status = self._send(replay, recording, submit)
        except (EctopyError, CancelledError) as failure:
            status, error = ReplayStatus.FAILED, str(failure)
        with self._lock:
            self._replays[id] = replace(self._replays[id], status=status, error=error)
            del self._stops[id], self._threads[id]

    def _send(self, replay: Replay, recording: Recording, submit: Submit) -> ReplayStatus:
        id = replay.id
        stop, stream = self._stops[id], f"replay {id}"
        chunks = cut(recording, min(_CHUNK_S * replay.speed, LONGEST_CHUNK_S))
        for chunk in paced(chunks, replay.speed, sleep=stop.wait):
            if stop.is_set():
                return ReplayStatus.STOPPED
            while not self._is_processed(replay.patient, replace(chunk, stream=stream), submit):
                if stop.wait(_AGAIN_S):
                    return ReplayStatus.STOPPED
            with self._lock:
                self._replays[id] = replace(self._replays[id], position_s=chunk.received)
        return ReplayStatus.FINISHED

    def _is_processed(self, patient: str, chunk: Chunk, submit: Submit) -> bool:
        """Return whether a chunk has been processed; an error where it never will be."""
        try:
            receipt = submit(patient, replace(chunk, received=time.time())).result()
        except StorageError:
            return False
        if receipt.rejected:
            raise SettingError(" ".join(receipt.rejected))
        return True
