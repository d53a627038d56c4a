"""Samples from devices, by HTTP and over a WebSocket; nothing is acknowledged before it is stored."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from typing_extensions import TypedDict

from ectopy.errors import DataError
from ectopy.service.ward import Ward
from ectopy.service.web.door import Sending
from ectopy.service.web.errors import DeniedError
from ectopy.service.web.parts import PatientPath, TheAudit, TheMetrics, TheWard
from ectopy.wire import Form, Sent, read

router = APIRouter(prefix="/api/patients/{patient}", tags=["devices"])

_FORMS: dict[str, Form] = {"application/json": "json", "application/msgpack": "msgpack"}
_SMALL_BYTES = 65_536


class Refusal(TypedDict):
    """A chunk that was not taken, by its place in the list and its own number."""

    index: int
    sequence: int | None
    reason: str


class Taken(TypedDict):
    """Which sample is wanted next, and what was not taken."""

    wanted: int | None
    stream: str
    refused: list[Refusal]


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
        "stream": {"type": "string", "default": "", "description": "another one whenever the count begins anew"},
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
    request: Request, ward: TheWard, caller: Sending, audit: TheAudit, metrics: TheMetrics, patient: PatientPath
) -> Taken:
    """Send samples: one chunk, or a list of them; the answer comes when they are stored.

    Whoever gets none, or 503, sends them again: a sample that is known already is left out.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = _FORMS.get(kind)
    if form is None:
        raise DeniedError(415, f"chunks are {' or '.join(_FORMS)}, not {kind or 'nothing stated'}.")
    body = await request.body()
    received = ward.clock()
    if len(body) <= _SMALL_BYTES:
        found = read(body, form, received)
    else:
        found = await asyncio.to_thread(read, body, form, received)
    ward.state(patient)
    await asyncio.to_thread(audit.saw, caller.name, "sent samples", patient)
    refused = await _send(ward, patient, found)
    metrics.chunks.labels("refused").inc(len(refused))
    metrics.chunks.labels("taken").inc(len(found) - len(refused))
    if refused and len(refused) == len(found):
        raise DataError(refused[0]["reason"])
    signal = ward.state(patient).signal
    return Taken(
        wanted=None if signal is None else signal.segment.wanted,
        stream="" if signal is None else signal.segment.stream,
        refused=refused,
    )


async def _send(ward: Ward, patient: str, found: list[Sent]) -> list[Refusal]:
    """Hand in all of them, then wait; what was refused."""
    waiting = []
    refused = []
    for index, sent in enumerate(found):
        try:
            waiting.append((index, sent, asyncio.wrap_future(ward.submit(patient, sent.chunk))))
        except DataError as error:
            refused.append(Refusal(index=index, sequence=sent.sequence, reason=str(error)))
    for index, sent, future in waiting:
        receipt = await asyncio.wait_for(future, 30.0)
        refused += [Refusal(index=index, sequence=sent.sequence, reason=reason) for reason in receipt.refused]
    return refused
