"""Talks to a service of Ectopy: patients, alarms, recordings, and samples as a stream that survives a lost line.

An example::

    from ectopy.client import Client

    with Client("http://127.0.0.1:8765", key) as client, client.stream("bed 3", 250.0, ("MLII", "V1")) as stream:
        for samples in device:
            stream.send(samples)
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import numpy as np

from ectopy.arguments import checked
from ectopy.errors import ConflictError, DataError, MissingExtraError, OutputError, ServiceError, SettingError
from ectopy.files import atomic_path
from ectopy.monitor.inputs import Chunk

try:
    import httpx

    from ectopy.client.protocol import ChunkMessage, refusal_of, write
    from ectopy.client.stream_sender import Stream
except ModuleNotFoundError as error:
    raise MissingExtraError.of("service", "the client") from error

_TIMEOUT_S = 30.0
_LONG_TIMEOUT_S = 600.0
_CONFLICT = 409
_REPORTS = {".html": "html", ".htm": "html", ".pdf": "pdf"}


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
            raise ConflictError(refusal_of(response.content))
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
            raise ServiceError(refusal_of(response.content) or f"{self._url} answers {response.status_code}.")
        return response


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
