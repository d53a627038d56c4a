"""Samples from devices, by HTTP and over a WebSocket.

An answer says whether the samples are stored. While the database is away they are acknowledged only: they are watched,
and the device keeps them until an answer says that they are stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, NotRequired

import msgspec
from fastapi import APIRouter, Request, WebSocket, status
from starlette.websockets import WebSocketDisconnect
from typing_extensions import TypedDict

from ectopy.client.protocol import ChunkError, ChunkMessage, Form, read
from ectopy.errors import DataError, EctopyError, StorageError
from ectopy.monitor.status import stream as stream_of
from ectopy.service import patient_schemas
from ectopy.service.access import Authenticator, Caller, Scope
from ectopy.service.access.audit import SENDING_INTERVAL_S
from ectopy.service.api.dependencies import AuditDep, AuthenticatorDep, DeviceQuery, MetricsDep, PatientPath, WardDep
from ectopy.service.api.error_responses import DeniedError
from ectopy.service.api.middleware.access_control import Sending
from ectopy.service.api.prometheus_metrics import Metrics
from ectopy.service.monitoring.senders import OccupiedError
from ectopy.service.monitoring.ward import ANSWER_S, Ward
from ectopy.service.monitoring.write_buffer import Receipt, sentence

router = APIRouter(prefix="/api/patients/{patient}", tags=["devices"])

_FORMS: dict[str, Form] = {"application/json": "json", "application/msgpack": "msgpack"}
_SMALL_BYTES = 65_536
_LARGE = ThreadPoolExecutor(1, "large-chunks")
"""Reads what is large, one at a time: neither the memory nor the threads for everything else are used up."""

MOST_DEVICES_OF_PATIENT = 16
"""Limit of devices that a key bound to patients can attach to one of them by naming them."""

MOST_UNANSWERED = 64
"""Messages of one device to which there is no answer yet."""


_CHUNK: dict[str, Any] = {
    "position": 1250,
    "sampling_rate_hz": 250,
    "leads": ["MLII", "V1"],
    "samples": [[0.01, 0.02], [0.03, None]],
    "sequence": 10,
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["position", "sampling_rate_hz", "leads", "samples"],
    "properties": {
        "position": {"type": "integer", "minimum": 0, "description": "of the first sample, from the stream's start"},
        "sampling_rate_hz": {"type": "number", "minimum": 100, "maximum": 1000},
        "leads": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 16},
        "samples": {
            "type": "array",
            "description": "one row for each sample, one number for each lead; null = no sample",
            "items": {"type": "array", "items": {"type": ["number", "null"]}},
        },
        "unit": {"type": "string", "enum": ["mV", "uV", "V"], "default": "mV"},
        "stream": {"type": "string", "default": "", "description": "another one whenever the count restarts"},
        "sent": {"type": ["number", "null"], "description": "time of the first sample by the device's own clock"},
        "sequence": {"type": ["integer", "null"], "minimum": 0, "description": "repeated in the answer"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": [_SCHEMA, {"type": "array", "items": _SCHEMA, "maxItems": 1000}]},
                "example": _CHUNK,
            },
            "application/msgpack": {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "The same keys; `samples` may be bytes: int16 with a `gain`, else float32.",
                }
            },
        },
    }
}


@router.post("/chunks", openapi_extra=_BODY)
async def send_chunks(
    request: Request,
    ward: WardDep,
    caller: Sending,
    audit: AuditDep,
    metrics: MetricsDep,
    patient: PatientPath,
    device: DeviceQuery = None,
) -> patient_schemas.ReceiptShape:
    """Send samples: one chunk, or a list of them; the answer comes when they are stored, or after a second.

    Without an answer, or after 503, send again: duplicates are left out. After `stored: false` keep the samples until a
    later answer says `stored: true`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = _FORMS.get(kind)
    if form is None:
        raise DeniedError(415, f"chunks are {' or '.join(_FORMS)}, not {kind or 'nothing stated'}.")
    _check_sender(ward, caller, patient, device)
    messages = await _read(await request.body(), form, ward.clock())
    audit.saw(caller.name, "sent samples", patient, SENDING_INTERVAL_S)
    stored, rejected, late = await _send(ward, patient, messages, caller.sender)
    metrics.chunks.labels("rejected").inc(len(rejected))
    metrics.chunks.labels("accepted").inc(len(messages) - len(rejected))
    if rejected and len(rejected) == len(messages):
        raise DataError(rejected[0]["reason"])
    answer = _next_position(ward, patient, caller)
    return patient_schemas.ReceiptShape(
        **answer, stored=stored, rejected=rejected, late=late, **_missing(ward, patient, caller)
    )


@router.websocket("/stream")
async def stream(
    socket: WebSocket,
    ward: WardDep,
    caller: Sending,
    audit: AuditDep,
    metrics: MetricsDep,
    authenticator: AuthenticatorDep,
    patient: PatientPath,
    device: DeviceQuery = None,
) -> None:
    """Chunk messages as they come, text for JSON and bytes for msgpack; each is answered once it is stored.

    Where that takes more than a second, it is answered twice: at first with `stored: false`.
    """
    _check_sender(ward, caller, patient, device)
    audit.saw(caller.name, "sent samples", patient, SENDING_INTERVAL_S)
    await socket.accept()
    line = _Line(socket, ward, metrics, patient, caller, authenticator)
    with metrics.devices.track_inprogress(), suppress(WebSocketDisconnect):
        await line.serve()


class _Line:
    """The connection of a device that streams: messages in, answers out, with a limit of unanswered messages."""

    def __init__(
        self,
        socket: WebSocket,
        ward: Ward,
        metrics: Metrics,
        patient: str,
        caller: Caller,
        authenticator: Authenticator,
    ) -> None:
        self._socket, self._ward, self._metrics, self._patient = socket, ward, metrics, patient
        self._caller, self._authenticator = caller, authenticator
        self._place = partial(_next_position, ward, patient, caller)
        self._missing = partial(_missing, ward, patient, caller)
        self._loop = asyncio.get_running_loop()
        self._answers: asyncio.Queue[tuple[dict[str, Any], bool]] = asyncio.Queue()
        self._unanswered = 0
        self._open = True

    async def serve(self) -> None:
        """Serve the device until it goes, or sends too much."""
        await self._say({**self._place(), **self._missing()})
        answering = asyncio.create_task(self._answer())
        try:
            while True:
                message = await self._socket.receive()
                if message["type"] != "websocket.receive":
                    return
                if self._unanswered >= MOST_UNANSWERED:
                    await self._end(f"more than {MOST_UNANSWERED} messages wait for an answer; wait for it")
                    return
                if not self._authenticator.is_still_valid(self._caller):
                    await self._end("the key was removed")
                    return
                await self._take(message.get("bytes"), message.get("text"))
        finally:
            self._open = False
            answering.cancel()

    async def _answer(self) -> None:
        with suppress(WebSocketDisconnect):
            while True:
                answer, first = await self._answers.get()
                await self._say(answer)
                self._unanswered -= first

    async def _say(self, answer: dict[str, Any]) -> None:
        await self._socket.send_text(msgspec.json.encode(answer).decode())

    async def _end(self, why: str) -> None:
        await self._say({"rejected": f"{why}."})
        await self._socket.close(status.WS_1008_POLICY_VIOLATION, why)

    async def _take(self, content: bytes | None, text: str | None) -> None:
        form: Form = "json" if content is None else "msgpack"
        try:
            messages = await _read((text or "").encode() if content is None else content, form, self._ward.clock())
        except ChunkError as error:
            self._unanswered += 1
            self._reject(error.sequence, error)
            return
        for message in messages:
            self._unanswered += 1
            try:
                future = self._ward.submit(self._patient, message.chunk, self._caller.sender)
            except EctopyError as error:
                self._reject(message.sequence, error)
            else:
                future.add_done_callback(partial(self._in_loop, self._answered, message.sequence))

    def _in_loop(self, work: Callable[..., None], *arguments: Any) -> None:
        """Call a function in the event loop, from the threads that watch and store."""
        if self._open and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work, *arguments)

    def _answered(self, sequence: int | None, future: Future[Receipt]) -> None:
        error = future.exception()
        if isinstance(error, EctopyError):
            self._reject(sequence, error)
            return
        receipt = future.result()
        if receipt.rejected:
            self._reject(sequence, DataError(" ".join(receipt.rejected)))
        else:
            self._metrics.chunks.labels("accepted").inc()
            self._tell(sequence, receipt.next_position, receipt.stored, receipt.late)
            if receipt.unstored is not None:
                receipt.unstored.then(partial(self._in_loop, self._settled, sequence, receipt.next_position))

    def _settled(self, sequence: int | None, next_position: int | None, error: EctopyError | None) -> None:
        """Tell the device that samples are stored now, or have to be sent again."""
        if error is None:
            self._tell(sequence, next_position, True)
        else:
            self._reject(sequence, error, first=False)

    def _tell(self, sequence: int | None, next_position: int | None, stored: bool, late: int | None = None) -> None:
        """Answer a message; `late` is part of its first answer."""
        first = {} if late is None else {"late": late}
        answer = {"sequence": sequence, "next_position": next_position, "stored": stored, **first, **self._missing()}
        self._answers.put_nowait((answer, late is not None))

    def _reject(self, sequence: int | None, error: EctopyError, first: bool = True) -> None:
        """Say why; after a failure of the store, or while another key sends, the samples are to be sent again."""
        self._metrics.chunks.labels("rejected").inc()
        reason = sentence(error) if isinstance(error, StorageError) else str(error)
        answer = {"sequence": sequence, "rejected": reason, "retry": isinstance(error, StorageError | OccupiedError)}
        self._answers.put_nowait(({**answer, **self._place()}, first))


async def _read(content: bytes, form: Form, received: float) -> list[ChunkMessage]:
    """Return the chunks of a message; a large one is read by a thread, so that other devices do not wait."""
    if len(content) <= _SMALL_BYTES:
        return read(content, form, received)
    return await asyncio.get_running_loop().run_in_executor(_LARGE, read, content, form, received)


class _NextPosition(TypedDict):
    """Position of the next sample, and its stream."""

    next_position: int | None
    stream: str


def _check_sender(ward: Ward, caller: Caller, patient: str, device: str | None) -> None:
    """Check that the caller may send for a patient, and attach the device.

    A `DeniedError` if the key is for other patients or devices, and a `NotFoundError` if the patient is not watched.
    """
    of_device = device is not None and device in caller.devices and ward.devices.patient_of(device) == patient
    if not (caller.may_send_for(patient) or of_device):
        raise DeniedError(
            403, "this key does not send for this patient; make one that does, or attach its device to the patient."
        )
    ward.state(patient)
    if device is not None and (caller.patients is None or _may_attach(ward, device, patient)):
        ward.attach(device, patient)


def _may_attach(ward: Ward, device: str, patient: str) -> bool:
    """Return whether a key bound to a patient may attach a device: not one of another patient, and not too many."""
    wearer = ward.devices.patient_of(device)
    return wearer == patient or (wearer is None and len(ward.devices.of(patient)) < MOST_DEVICES_OF_PATIENT)


def _next_position(ward: Ward, patient: str, caller: Caller) -> _NextPosition:
    """Return the position of the next sample, for callers that have sent the stream or may view."""
    segment = stream_of(ward.state(patient))
    if segment is None or not _may_see(ward, patient, caller):
        return _NextPosition(next_position=None, stream="")
    return _NextPosition(next_position=segment.next_position, stream=segment.stream)


def _may_see(ward: Ward, patient: str, caller: Caller) -> bool:
    """Return whether a caller may know about the patient's stream: having sent it, or with the right to view."""
    segment = stream_of(ward.state(patient))
    is_own = segment is not None and ward.senders.owns(patient, caller.sender, segment.stream)
    return caller.may(Scope.VIEW) or is_own


class _Missing(TypedDict):
    missing: NotRequired[list[tuple[int, int]]]


def _missing(ward: Ward, patient: str, caller: Caller) -> _Missing:
    """Return the samples that should be sent again, for callers that have sent the stream or may view."""
    missing = ward.missing(patient) if _may_see(ward, patient, caller) else []
    return _Missing(missing=missing) if missing else _Missing()


async def _send(
    ward: Ward, patient: str, messages: list[ChunkMessage], sender: str
) -> tuple[bool, list[patient_schemas.RejectionShape], int]:
    """Hand in all of them, then wait; whether all is stored, what was rejected, and how many samples were left out.

    An `OccupiedError` if another key sends for the patient.
    """
    waiting = []
    rejected = []
    late = 0
    stored = True
    for index, message in enumerate(messages):
        try:
            waiting.append((index, message, asyncio.wrap_future(ward.submit(patient, message.chunk, sender))))
        except DataError as error:
            rejected.append(patient_schemas.RejectionShape(index=index, sequence=message.sequence, reason=str(error)))
    for index, message, future in waiting:
        receipt = await asyncio.wait_for(future, ANSWER_S)
        rejected += [
            patient_schemas.RejectionShape(index=index, sequence=message.sequence, reason=reason)
            for reason in receipt.rejected
        ]
        stored = stored and (receipt.stored or bool(receipt.rejected))
        late += receipt.late
    return stored, rejected, late
