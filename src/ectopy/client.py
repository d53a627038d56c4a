"""Talks to a service of Ectopy: patients, alarms, recordings, and samples as a stream that survives a lost line.

>>> from ectopy.client import Client  # doctest: +SKIP
>>> with Client("http://127.0.0.1:8765", key) as client:  # doctest: +SKIP
...     with client.stream("bed 3", 250.0, ("MLII", "V1")) as stream:
...         for samples in device:
...             stream.send(samples)
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import httpx
import numpy as np
from numpy.typing import NDArray
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from ectopy.errors import DataError, ServiceError, SettingError
from ectopy.monitor.inputs import Chunk
from ectopy.wire import Sent, write

WINDOW = 16
"""Messages that a stream sends ahead of the answers."""

_TIMEOUT_S = 30.0
_MOST_WAITING = 1000
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 15.0
_TOO_OFTEN = 429


class Client:
    """A service, and a key for it.

    Parameters
    ----------
    url : str
        For example ``http://127.0.0.1:8765``.
    key : str
        Begins with ``ectopy_``.

    Raises
    ------
    SettingError
        If `url` is no such address.
    """

    def __init__(self, url: str, key: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise SettingError(f"the address of a service is http://HOST:PORT or https://HOST:PORT, not '{url}'.")
        self._url, self._headers = url.rstrip("/"), {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=self._url, headers=self._headers, timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Patients and alarms

    def patients(self) -> list[dict[str, Any]]:
        """Everybody who is watched, and how they are."""
        found: list[dict[str, Any]] = self._call("GET", "/api/patients")
        return found

    def admit(self, patient: str, name: str | None = None) -> dict[str, Any]:
        """Begin to watch a patient, anew one who was discharged, or give another name; None = it stays as it is."""
        return self._told("POST", "/api/patients", json={"patient": patient, "name": name})

    def discharge(self, patient: str, comment: str = "") -> dict[str, Any]:
        """End the watching of a patient and all their alarms, until the patient is admitted again."""
        return self._told("DELETE", _of(patient), params={"comment": comment})

    def alarms(self, patient: str | None = None, active: bool = True) -> list[dict[str, Any]]:
        """Alarms of a patient, or of all; those that have ended too if `active` is false."""
        path = "/api/alarms" if patient is None else f"{_of(patient)}/alarms"
        found: list[dict[str, Any]] = self._call("GET", path, params={"active": active})
        return found

    def acknowledge(self, patient: str, number: int, comment: str = "") -> dict[str, Any]:
        """Say that somebody has seen an alarm."""
        return self._told("POST", f"{_of(patient)}/alarms/{number}/acknowledge", json={"comment": comment})

    # Samples

    def send(self, patient: str, chunk: Chunk) -> dict[str, Any]:
        """Send one chunk; what the service answers when it is stored: ``wanted``, and what was ``refused``."""
        content = write(Sent(chunk), "msgpack")
        headers = {"Content-Type": "application/msgpack"}
        return self._told("POST", f"{_of(patient)}/chunks", content=content, headers=headers)

    def stream(
        self,
        patient: str,
        sampling_rate_hz: float,
        leads: Sequence[str],
        stream: str | None = None,
        unit: str = "mV",
        device: str | None = None,
    ) -> Stream:
        """Begin to send samples as they come.

        Parameters
        ----------
        patient : str
        sampling_rate_hz : float
            100 to 1000.
        leads : sequence of str
        stream : str, optional
            Names the stream, to go on with one that this or another process began; a new one where none is given.
        unit : {"mV", "uV", "V"}
        device : str, optional
            What the device calls itself, 1 to 200 printable characters; the service attaches it to the patient.
        """
        parts = urlsplit(self._url)
        scheme = {"http": "ws", "https": "wss"}[parts.scheme]
        query = "" if device is None else urlencode({"device": device})
        url = urlunsplit((scheme, parts.netloc, f"{parts.path}{_of(patient)}/stream", query, ""))
        template = Chunk(0, np.empty((0, len(leads)), np.float32), sampling_rate_hz, tuple(leads), 0.0, unit=unit)
        name = secrets.token_hex(6) if stream is None else stream
        return Stream(url, self._headers, template, name)

    # Recordings

    def upload(self, *paths: str | Path, sampling_rate_hz: float | None = None, unit: str | None = None) -> str:
        """Upload the files of one recording, to be analysed; its id."""
        stated = {"sampling_rate_hz": sampling_rate_hz, "unit": unit}
        with ExitStack() as stack:
            files = [("files", (Path(path).name, stack.enter_context(Path(path).open("rb")))) for path in paths]
            answer = self._told(
                "POST",
                "/api/recordings",
                files=files,
                data={name: str(value) for name, value in stated.items() if value is not None},
            )
        return str(answer["id"])

    def recording(self, id: str) -> dict[str, Any]:
        """How far the analysis of a recording is, and what was found."""
        return self._told("GET", f"/api/recordings/{quote(id, safe='')}")

    def _told(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._call(method, path, **given)
        return found

    def _call(self, method: str, path: str, **given: Any) -> Any:
        try:
            answer = self._http.request(method, path, **given)
        except httpx.HTTPError as error:
            raise ServiceError(f"{self._url} cannot be reached: {error}.") from error
        if answer.is_error:
            raise ServiceError(_reason(answer.content) or f"{self._url} answers {answer.status_code}.")
        return answer.json()


@dataclass(slots=True)
class _Waiting:
    """A message that is not acknowledged, and where its samples end."""

    content: bytes
    end: int


class Stream:
    """Samples on their way to a service, over a WebSocket that is opened again whenever it is lost.

    What was not acknowledged is kept, and sent again; the service leaves out what it has already.

    Parameters
    ----------
    url : str
    headers : dict of str to str
    template : Chunk
        Everything of a chunk but its samples.
    name : str
        Of the stream.
    """

    def __init__(self, url: str, headers: dict[str, str], template: Chunk, name: str) -> None:
        self.name = name
        self._url, self._headers, self._template = url, headers, template
        self._changed = threading.Condition()
        self._position: int | None = None
        self._sequence = 0
        self._waiting: dict[int, _Waiting] = {}
        self._unsent: list[int] = []
        self._acknowledged = 0
        self._late = 0
        self._closing = False
        self._lost = False
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name=f"stream {name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(wait_s=_TIMEOUT_S if error is None else 0.0)

    @property
    def acknowledged(self) -> int:
        """How many samples are stored, counted from the start of the stream."""
        with self._changed:
            return self._acknowledged

    @property
    def late(self) -> int:
        """How many samples the service left out, for it had them already or their time was over.

        Those that are sent again after the line was lost may be among them. Where it grows otherwise, another device
        sends the same stream.
        """
        with self._changed:
            return self._late

    @property
    def position(self) -> int:
        """Index of the sample that is to be sent next; waits until the service has said it."""
        with self._changed:
            self._changed.wait_for(lambda: self._position is not None or self._failure)
            self._raise()
            return self._position or 0

    def send(self, samples: NDArray[np.floating], sent: float | None = None) -> None:
        """Send samples; waits only where a thousand messages are not acknowledged.

        Parameters
        ----------
        samples : ndarray of float, shape (n, leads), or (n,) of one lead
            NaN where there is none.
        sent : float, optional
            Time of the first one, seconds since 1970.

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
            self._changed.wait_for(lambda: len(self._waiting) < _MOST_WAITING or self._failure or self._closing)
            self._raise()
            if self._closing:
                raise ServiceError("the stream is closed; begin another one.")
            chunk = Chunk(
                position,
                signal,
                self._template.sampling_rate_hz,
                self._template.leads,
                received=0.0,
                sent=sent,
                stream=self.name,
                unit=self._template.unit,
            )
            self._position = position + len(signal)
            self._waiting[self._sequence] = _Waiting(write(Sent(chunk, self._sequence), "msgpack"), self._position)
            self._unsent.append(self._sequence)
            self._sequence += 1
            self._changed.notify_all()

    def flush(self, wait_s: float = _TIMEOUT_S) -> None:
        """Wait until everything is acknowledged.

        Raises
        ------
        ServiceError
            If it is not in so many seconds, or the service has refused something.
        """
        with self._changed:
            done = self._changed.wait_for(lambda: not self._waiting or self._failure, wait_s)
            self._raise()
        if not done:
            raise ServiceError(f"{self._url} has not acknowledged everything in {wait_s:g} s.")

    def close(self, wait_s: float = _TIMEOUT_S) -> None:
        """Wait until everything is acknowledged, at most so long, and end.

        Raises
        ------
        ServiceError
            If not everything is acknowledged by then, and `wait_s` is above 0.
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
            raise ServiceError(self._failure)

    # The thread that keeps the line

    def _run(self) -> None:
        pause_s = _SHORTEST_PAUSE_S
        while not self._over():
            began = time.monotonic()
            try:
                with connect(self._url, additional_headers=self._headers, open_timeout=_TIMEOUT_S) as socket:
                    self._talk(socket)
            except InvalidStatus as error:
                status = error.response.status_code
                if 400 <= status < 500 and status != _TOO_OFTEN:
                    self._fail(_reason(error.response.body) or f"{self._url} answers {status}.")
            except (OSError, WebSocketException):
                pass
            if time.monotonic() - began > _LONGEST_PAUSE_S:
                pause_s = _SHORTEST_PAUSE_S
            with self._changed:
                # Many that were cut off together do not come back together.
                self._changed.wait_for(lambda: self._closing, pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _over(self) -> bool:
        with self._changed:
            return self._closing or bool(self._failure)

    def _fail(self, why: str) -> None:
        with self._changed:
            self._failure = self._failure or why
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
        """Send again what is not acknowledged; what the service merely has, and has not stored, it may yet lose."""
        wanted = hello["wanted"] if hello["stream"] == self.name else None
        with self._changed:
            self._lost = False
            if self._position is None:
                self._position = self._acknowledged = wanted or 0
            self._unsent = list(self._waiting)
            self._changed.notify_all()

    def _next(self) -> bytes | None:
        """The next message, once it may be sent; None when the line is lost, or everything is done."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._lost
                    or self._closing
                    or self._failure
                    or (self._unsent and len(self._waiting) - len(self._unsent) < WINDOW)
                )
            )
            if self._lost or self._closing or self._failure:
                return None
            return self._waiting[self._unsent.pop(0)].content

    def _listen(self, socket: Connection) -> None:
        try:
            for answer in socket:
                self._take(json.loads(answer))
        except (OSError, WebSocketException):
            pass
        with self._changed:
            self._lost = True
            self._changed.notify_all()

    def _take(self, answer: dict[str, Any]) -> None:
        with self._changed:
            if "refused" not in answer:
                self._late += answer.get("late", 0)
                self._acknowledge(answer["sequence"])
            elif answer.get("again"):
                self._lost = True
            else:
                self._failure = self._failure or str(answer["refused"])
            self._changed.notify_all()

    def _acknowledge(self, sequence: int) -> None:
        message = self._waiting.pop(sequence, None)
        if message is not None:
            self._acknowledged = max(self._acknowledged, message.end)


def _of(patient: str) -> str:
    return f"/api/patients/{quote(patient, safe='')}"


def _reason(content: bytes | None) -> str:
    """The sentence in an answer; empty where there is none."""
    try:
        return str(json.loads(content or b"{}")["detail"])
    except (ValueError, KeyError, TypeError):
        return ""
