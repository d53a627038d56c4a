"""Talks to a service of Ectopy: patients, alarms, recordings, and samples as a stream that survives a lost line.

An example::

    from ectopy.client import Client

    with Client("http://127.0.0.1:8765", key) as client, client.stream("bed 3", 250.0, ("MLII", "V1")) as stream:
        for samples in device:
            stream.send(samples)
"""

from __future__ import annotations

import json
import logging
import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import checked
from ectopy.errors import ConflictError, DataError, MissingExtraError, OutputError, ServiceError, SettingError
from ectopy.files import atomic_path
from ectopy.monitor.inputs import Chunk, PulseChunk
from ectopy.recording import PulseWave

try:
    import httpx
    from websockets.exceptions import InvalidStatus, WebSocketException
    from websockets.sync.client import connect
    from websockets.sync.connection import Connection

    from ectopy.client.protocol import ChunkMessage, write
except ModuleNotFoundError as error:
    raise MissingExtraError.of("service", "the client") from error

WINDOW = 16
"""Messages that a stream sends ahead of the answers."""

MOST_PENDING_BYTES = 64 * 2**20
"""Limit of what a stream keeps that is not stored: ten minutes of 16 leads at 1000 Hz, hours of two at 250 Hz."""

_TIMEOUT_S = 30.0
_LONG_TIMEOUT_S = 600.0
_CONFLICT = 409
_ASK_AGAIN_S = 15.0
_OVERHEAD_BYTES = 256
"""Memory that a message takes beside its content."""
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 15.0
_TOO_OFTEN = 429
_REPORTS = {".html": "html", ".htm": "html", ".pdf": "pdf"}

_QUIET = logging.getLogger("ectopy.client.connection")
"""For what a connection has to say when it is lost: it is opened again, and nobody need read a traceback."""
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


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
        If `url` is not such an address, or `key` is not text.
    """

    @checked
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

    def __exit__(self, *error: object) -> None:
        self.close()

    # Patients and alarms

    def patients(self) -> list[dict[str, Any]]:
        """Everybody who is watched, and how they are."""
        patients: list[dict[str, Any]] = self._call("GET", "/api/patients")
        return patients

    def admit(self, patient: str, name: str | None = None) -> dict[str, Any]:
        """Begin to watch a patient, also one who was discharged, or give another name; None = it stays as it is."""
        return self._call_for_object("POST", "/api/patients", json={"patient": patient, "name": name})

    def discharge(self, patient: str, comment: str = "") -> dict[str, Any]:
        """End the watching of a patient and all their alarms, until the patient is admitted again."""
        return self._call_for_object("DELETE", _of(patient), params={"comment": comment})

    def alarms(self, patient: str | None = None, active: bool = True) -> list[dict[str, Any]]:
        """Alarms of a patient, or of all; those that have ended too if `active` is false."""
        path = "/api/alarms" if patient is None else f"{_of(patient)}/alarms"
        alarms: list[dict[str, Any]] = self._call("GET", path, params={"active": active})
        return alarms

    def acknowledge(self, patient: str, number: int, comment: str = "") -> dict[str, Any]:
        """Say that somebody has seen an alarm."""
        return self._call_for_object("POST", f"{_of(patient)}/alarms/{number}/acknowledge", json={"comment": comment})

    # Samples

    def send(self, patient: str, chunk: Chunk) -> dict[str, Any]:
        """Send one chunk and return the answer: ``next_position``, whether it is ``stored``, and what was ``rejected``.

        Where it is not stored yet, keep it, and send it again later, until an answer says that it is.
        """
        content = write(ChunkMessage(chunk), "msgpack")
        headers = {"Content-Type": "application/msgpack"}
        return self._call_for_object("POST", f"{_of(patient)}/chunks", content=content, headers=headers)

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
        """Upload the files of one recording, to be analysed; its id.

        Raises
        ------
        DataError
            If a file cannot be read.
        ServiceError
            If the service cannot be reached, or rejects the files.
        """
        stated = {"sampling_rate_hz": sampling_rate_hz, "unit": unit}
        with ExitStack() as stack:
            files = [("files", (Path(path).name, stack.enter_context(_open(Path(path))))) for path in paths]
            answer = self._call_for_object(
                "POST",
                "/api/recordings",
                files=files,
                data={name: str(value) for name, value in stated.items() if value is not None},
            )
        return str(answer["id"])

    def recording(self, id: str) -> dict[str, Any]:
        """Return how far the analysis of a recording is, and what was found."""
        return self._call_for_object("GET", _recording(id))

    def events(self, id: str) -> dict[str, Any]:
        """Return the ``events`` of a recording: runs, pauses, rates; the most serious one has the ``rank`` 1."""
        return self._call_for_object("GET", f"{_recording(id)}/events")

    def episodes(self, id: str) -> dict[str, Any]:
        """Return the ``episodes`` of a recording: its rhythms one after the other."""
        return self._call_for_object("GET", f"{_recording(id)}/episodes")

    def figures(self, id: str) -> dict[str, Any]:
        """Return the ``figures`` of a recording, see `ectopy.analysis.holter_figures`."""
        return self._call_for_object("GET", f"{_recording(id)}/figures")

    def families(self, id: str) -> dict[str, Any]:
        """Return the ``families`` of similar beats of a recording, the largest first."""
        return self._call_for_object("GET", f"{_recording(id)}/families")

    def corrections(self, id: str) -> dict[str, Any]:
        """Return the log of the corrections of a recording: ``entries``, and those of earlier analyses."""
        return self._call_for_object("GET", f"{_recording(id)}/corrections")

    def correct(self, id: str, correction: Mapping[str, Any], version: Mapping[str, Any]) -> dict[str, Any]:
        """Correct a recording, and return the new ``version`` and its ``entry`` in the log.

        Parameters
        ----------
        id : str
        correction : mapping
            ``{"type": "relabel", "family": 2, "label": "ventricular"}`` for example; the types are those of
            `ectopy.analysis.corrections`, and beats are ``positions``, a ``family``, or from ``start_s`` to ``end_s``.
        version : mapping
            What it was decided on: the whole answer of `families`, `events`, or of the correction before, for example.

        Raises
        ------
        ConflictError
            If somebody has corrected the recording since, or it was analysed again. Nothing was changed: look at it,
            and decide again.
        ServiceError
            If the service cannot be reached, or rejects the correction.
        """
        return self._change(f"{_recording(id)}/corrections", {**_version(version), "correction": dict(correction)})

    def undo(self, id: str, version: Mapping[str, Any], author: str | None = None) -> dict[str, Any]:
        """Take back the last correction of a recording that is in force; see `correct`.

        A correction that somebody else made is taken back only where `author` names them, and is a ConflictError
        otherwise.
        """
        return self._change(f"{_recording(id)}/corrections/undo", {**_version(version), "author": author})

    def results(self, id: str, path: str | Path) -> None:
        """Write the results of a recording with its corrections.

        Parameters
        ----------
        id : str
        path : str or Path
            By its suffix ``.csv``, ``.json``, ``.edf``, WFDB's ``.atr``, ISHNE's ``.ann``, ``.fhir``, or
            ``.corrections``.

        Raises
        ------
        ServiceError
            If the service cannot be reached, or has no such results.
        OutputError
            If the file cannot be written.
        """
        kind = Path(path).suffix.lower().removeprefix(".")
        self._download(f"{_recording(id)}/results", {"format": kind}, Path(path))

    def report(self, id: str, path: str | Path, language: str = "en", paper: str = "a4") -> None:
        """Write the report on a recording with its corrections.

        Parameters
        ----------
        id : str
        path : str or Path
            By its suffix ``.html`` or ``.pdf``.
        language : {"en", "de"}
        paper : {"a4", "letter"}

        Raises
        ------
        OutputError
            If `path` has another suffix, or the file cannot be written.
        ServiceError
            If the service cannot be reached, or has no such report.
        """
        kind = _REPORTS.get(Path(path).suffix.lower())
        if kind is None:
            raise OutputError(f"cannot write {path}: a report is .pdf or .html; name it so.")
        self._download(f"{_recording(id)}/report", {"format": kind, "language": language, "paper": paper}, Path(path))

    def _change(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self._send("POST", path, json=body)
        if response.status_code == _CONFLICT:
            raise ConflictError(_reason(response.content))
        answer: dict[str, Any] = self._checked(response).json()
        return answer

    def _download(self, path: str, query: dict[str, str], target: Path) -> None:
        content = self._checked(self._send("GET", path, params=query, timeout=_LONG_TIMEOUT_S)).content
        with atomic_path(target) as unfinished:
            unfinished.write_bytes(content)

    def _call_for_object(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._call(method, path, **options)
        return answer

    def _call(self, method: str, path: str, **options: Any) -> Any:
        return self._checked(self._send(method, path, **options)).json()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ServiceError(f"{self._url} cannot be reached: {error}.") from error

    def _checked(self, response: httpx.Response) -> httpx.Response:
        """Return a response that is not an error."""
        if response.is_error:
            raise ServiceError(_reason(response.content) or f"{self._url} answers {response.status_code}.")
        return response


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
                    self._fail(_reason(error.response.body) or f"{self._url} answers {status}.")
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


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _of(patient: str) -> str:
    return f"/api/patients/{quote(patient, safe='')}"


def _recording(id: str) -> str:
    return f"/api/recordings/{quote(id, safe='')}"


def _version(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an answer says of the state that it shows."""
    try:
        return {"analysis": answer["analysis"], "version": answer["version"]}
    except KeyError as error:
        raise SettingError("the version is an answer about the recording with 'analysis' and 'version'.") from error


def _reason(content: bytes | None) -> str:
    """The sentence in an answer; empty where there is none."""
    try:
        return str(json.loads(content or b"{}")["detail"])
    except (ValueError, KeyError, TypeError):
        return ""
