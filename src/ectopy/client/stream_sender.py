"""Sends samples to a service over a WebSocket that is opened again whenever it is lost, until they are stored."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, MissingExtraError, ServiceError
from ectopy.monitor.inputs import Chunk, PulseChunk
from ectopy.recording import PulseWave

try:
    from websockets.exceptions import InvalidStatus, WebSocketException
    from websockets.sync.client import connect
    from websockets.sync.connection import Connection

    from ectopy.client.protocol import ChunkMessage, refusal_of, write
except ModuleNotFoundError as error:
    raise MissingExtraError.of("service", "the client") from error

WINDOW = 16
"""Messages that a stream sends ahead of the answers."""

MOST_PENDING_BYTES = 64 * 2**20
"""Limit of what a stream keeps that is not stored: ten minutes of 16 leads at 1000 Hz, hours of two at 250 Hz."""

_TIMEOUT_S = 30.0
_ASK_AGAIN_S = 15.0
_OVERHEAD_BYTES = 256
"""Memory that a message takes beside its content."""
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 15.0
_TOO_OFTEN = 429

_QUIET = logging.getLogger("ectopy.client.connection")
"""For what a connection has to say when it is lost: it is opened again, and nobody need read a traceback."""
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


@dataclass(slots=True)
class _Message:
    """Samples that are not stored, from a position to before another; acknowledged once the service has them."""

    content: bytes
    begin: int
    end: int
    is_acknowledged: bool = False

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.content) + _OVERHEAD_BYTES


class Stream:
    """Samples on their way to a service, over a WebSocket that is opened again whenever it is lost.

    The service *acknowledges* samples when it has seen them; once they are *stored* they are safe. All that is not
    stored is kept in memory, at most 64 MiB, and what the service does not have is sent again, after a lost connection
    and after a restart of the service.

    A stream is begun by `Client.stream`; `template` is everything of a chunk but its samples.
    """

    def __init__(self, url: str, headers: dict[str, str], template: Chunk, name: str) -> None:
        self.name = name
        self._url, self._headers, self._template = url, headers, template
        self._changed = threading.Condition()
        self._position: int | None = None
        self._pulse_positions: dict[tuple[str, float], int] = {}
        self._sequence = 0
        # What is not stored; of that what has to be sent now, or once the database is back, and what is under way.
        self._pending: dict[int, _Message] = {}
        self._pending_bytes = 0
        self._unsent: deque[int] = deque()
        self._to_resend: dict[int, None] = {}
        self._unanswered: set[int] = set()
        self._acknowledged = self._stored = self._late = 0
        self._closing = False
        self._disconnected = False
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name=f"stream {name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close(wait_s=_TIMEOUT_S if error is None else 0.0)

    @property
    def acknowledged(self) -> int:
        """Number of samples that the service has seen, counted from the start of the stream."""
        with self._changed:
            return self._acknowledged

    @property
    def late(self) -> int:
        """Number of samples that the service left out, for it had them already or their time was over.

        Those that are sent again, after the line was lost or to ask whether they are stored, are among them. Where it
        grows otherwise, another device sends the same stream.
        """
        with self._changed:
            return self._late

    @property
    def stored(self) -> int:
        """Number of stored samples, counted from the start of the stream: all in front of this position are safe."""
        with self._changed:
            return self._stored

    @property
    def position(self) -> int:
        """Index of the sample that is to be sent next; waits until the service has said it."""
        with self._changed:
            self._changed.wait_for(lambda: self._position is not None or self._failure)
            self._raise()
            return self._position or 0

    def send(
        self, samples: NDArray[np.floating], sent_at: float | None = None, pulses: Sequence[PulseWave] = ()
    ) -> None:
        """Send samples; waits only where 64 MiB are not stored.

        Parameters
        ----------
        samples : ndarray of float, shape (n, leads), or (n,) of one lead
            NaN where there is none.
        sent_at : float, optional
            Time of the first one, seconds since 1970.
        pulses : sequence of PulseWave, optional
            Pulse waves of the same time, at most four, each at its own rate. The samples of one follow those of the
            call before, as the ECG's do.

        Raises
        ------
        DataError
            If the samples are not of these leads.
        ServiceError
            If the service has refused something, or the stream is closed.
        """
        signal = np.asarray(samples, np.float32)
        leads = len(self._template.leads)
        if signal.ndim == 1 and leads == 1:
            signal = signal[:, np.newaxis]
        if signal.ndim != 2 or signal.shape[1] != leads:
            raise DataError(f"samples of {leads} leads have the shape (n, {leads}), not {signal.shape}.")
        position = self.position
        with self._changed:
            self._changed.wait_for(lambda: self._pending_bytes < MOST_PENDING_BYTES or self._failure or self._closing)
            self._raise()
            if self._closing:
                raise ServiceError("the stream is closed; begin another one.")
            chunk = Chunk(
                position,
                signal,
                self._template.sampling_rate_hz,
                self._template.leads,
                received=0.0,
                sent_at=sent_at,
                stream=self.name,
                unit=self._template.unit,
                pulses=tuple(self._pulse_chunk(wave, position) for wave in pulses),
            )
            self._position = position + len(signal)
            message = _Message(write(ChunkMessage(chunk, self._sequence), "msgpack"), position, self._position)
            self._pending[self._sequence] = message
            self._pending_bytes += message.size
            self._unsent.append(self._sequence)
            self._sequence += 1
            self._changed.notify_all()

    def _pulse_chunk(self, wave: PulseWave, position: int) -> PulseChunk:
        """The samples of a wave, counted on; placed by the ECG at first, and where the count is a second off."""
        rate_hz = wave.sampling_rate_hz
        due = round(position / self._template.sampling_rate_hz * rate_hz)
        begin = self._pulse_positions.get((wave.name, rate_hz), due)
        if abs(begin - due) > rate_hz:
            begin = due
        self._pulse_positions[wave.name, rate_hz] = begin + len(wave.samples)
        return PulseChunk(wave.name, wave.unit, rate_hz, begin, wave.samples)

    def flush(self, wait_s: float = _TIMEOUT_S) -> None:
        """Wait until everything is stored.

        A `ServiceError` if it is not in so many seconds, or the service has refused something.
        """
        with self._changed:
            is_stored = self._changed.wait_for(lambda: not self._pending or self._failure, wait_s)
            self._raise()
        if not is_stored:
            raise ServiceError(f"{self._url} has not stored everything in {wait_s:g} s.")

    def close(self, wait_s: float = _TIMEOUT_S) -> None:
        """Wait until everything is stored, at most so long, and end.

        A `ServiceError` if not everything is stored by then, and `wait_s` is above 0.
        """
        try:
            if wait_s > 0:
                self.flush(wait_s)
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify_all()
            self._thread.join()

    def _raise(self) -> None:
        if self._failure:
            raise ServiceError(f"{self._failure.rstrip('.')}; nothing more is sent until another stream is begun.")

    # The thread that keeps the connection

    def _run(self) -> None:
        pause_s = _SHORTEST_PAUSE_S
        while not self._over():
            began = time.monotonic()
            try:
                with connect(
                    self._url, additional_headers=self._headers, open_timeout=_TIMEOUT_S, logger=_QUIET
                ) as socket:
                    self._talk(socket)
            except InvalidStatus as error:
                status = error.response.status_code
                if 400 <= status < 500 and status != _TOO_OFTEN:
                    self._fail(refusal_of(error.response.body) or f"{self._url} answers {status}.")
            except (OSError, WebSocketException):
                pass
            if time.monotonic() - began > _LONGEST_PAUSE_S:
                pause_s = _SHORTEST_PAUSE_S
            with self._changed:
                # Many that were cut off together do not come back together.
                self._changed.wait_for(lambda: self._closing or self._failure, pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _over(self) -> bool:
        with self._changed:
            return self._closing or bool(self._failure)

    def _fail(self, why: str) -> None:
        """End because of a refusal; what waits would never be sent, and is not kept for that."""
        with self._changed:
            self._failure = self._failure or why
            self._pending.clear()
            self._pending_bytes = 0
            self._changed.notify_all()

    def _talk(self, socket: Connection) -> None:
        self._begin(json.loads(socket.recv(_TIMEOUT_S)))
        reader = threading.Thread(target=self._listen, args=(socket,), daemon=True)
        reader.start()
        try:
            while (content := self._next()) is not None:
                socket.send(content)
        finally:
            socket.close()
            reader.join()

    def _begin(self, hello: dict[str, Any]) -> None:
        """Send again what the service has not; what it has, and has not stored yet, is kept until it is stored."""
        same = hello["stream"] == self.name
        next_position = (hello["next_position"] if same else None) or 0
        missing = hello.get("missing", []) if same else []
        with self._changed:
            self._disconnected = False
            if self._position is None:
                self._position = self._acknowledged = self._stored = next_position
            self._unanswered.clear()
            for message in self._pending.values():
                message.is_acknowledged = message.end <= next_position
            self._unsent = deque(number for number, message in self._pending.items() if not message.is_acknowledged)
            self._to_resend.clear()
            self._note_missing(missing)
            if not self._unsent:
                self._ask_again()
            self._changed.notify_all()

    def _ask_again(self) -> None:
        """Send the newest message once more where there is no other: its answer says whether all is stored."""
        if self._pending:
            newest = next(reversed(self._pending))
            self._pending[newest].is_acknowledged = False
            self._unsent.append(newest)

    def _next(self) -> bytes | None:
        """The next message, once it may be sent; None when the connection is lost, or the stream ends."""
        with self._changed:
            while not (self._disconnected or self._closing or self._failure):
                if self._unsent and len(self._unanswered) < WINDOW:
                    number = self._unsent.popleft()
                    if number in self._pending:  # else it has been stored meanwhile
                        self._unanswered.add(number)
                        return self._pending[number].content
                elif not self._changed.wait(_ASK_AGAIN_S) and not self._unsent and not self._unanswered:
                    self._ask_again()
            return None

    def _listen(self, socket: Connection) -> None:
        try:
            for answer in socket:
                self._take(json.loads(answer))
        except (OSError, WebSocketException):
            pass
        with self._changed:
            self._disconnected = True
            self._changed.notify_all()

    def _take(self, answer: dict[str, Any]) -> None:
        with self._changed:
            sequence: int = answer.get("sequence", -1)
            self._unanswered.discard(sequence)
            if "rejected" not in answer:
                self._late += answer.get("late", 0)
                self._note_missing(answer.get("missing", []))
                self._answered(sequence, answer["stored"])
            elif answer["retry"]:
                self._send_again(sequence, answer)
            else:
                self._fail(str(answer["rejected"]))
            self._changed.notify_all()

    def _answered(self, sequence: int, stored: bool) -> None:
        """The service has a message; if it has stored it, then also all that it had before."""
        message = self._pending.get(sequence)
        if message is not None:
            message.is_acknowledged = True
            self._acknowledged = max(self._acknowledged, message.end)
        if stored:
            self._forget(sequence)
            for number in self._to_resend:
                self._pending[number].is_acknowledged = False
            self._unsent.extend(self._to_resend)
            self._to_resend.clear()

    def _forget(self, sequence: int) -> None:
        """Keep no longer what is stored: a message, and those before it that the service had by then."""
        stored = {sequence} & self._pending.keys()
        for number, message in self._pending.items():
            if number > sequence:
                break
            if message.is_acknowledged and number not in self._to_resend:
                stored.add(number)
        self._to_resend.pop(sequence, None)
        for number in stored:
            self._pending_bytes -= self._pending.pop(number).size
        oldest = next(iter(self._pending.values()), None)
        self._stored = (self._position or 0) if oldest is None else oldest.begin

    def _note_missing(self, stretches: list[tuple[int, int]]) -> None:
        """Send again, once the service stores again, what it has seen and could not keep."""
        for begin, end in stretches:
            for number, message in self._pending.items():
                if message.is_acknowledged and begin < message.end and message.begin < end:
                    self._to_resend[number] = None

    def _send_again(self, sequence: int, answer: dict[str, Any]) -> None:
        """Send what the service has seen and could not keep once it stores again, and what it has not seen at once."""
        message = self._pending.get(sequence)
        if message is not None and answer["stream"] == self.name and message.end <= (answer["next_position"] or 0):
            message.is_acknowledged = True
            self._acknowledged = max(self._acknowledged, message.end)
            self._to_resend[sequence] = None
        else:
            self._disconnected = True
