"""Dependencies of routes: the parts of the service, the patient of an address, the audit, commands for a patient."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Body, Depends, Path, Query, Security
from fastapi.sse import EventSourceResponse
from starlette.requests import HTTPConnection
from starlette.responses import Response, StreamingResponse

from ectopy.monitor import Command, CommandKind, Limits
from ectopy.service import patient_schemas
from ectopy.service.access import Authenticator, Caller, Scope
from ectopy.service.access.audit import Audit
from ectopy.service.api.middleware.access_control import AnyCaller, Viewing, current_caller
from ectopy.service.api.prometheus_metrics import Metrics
from ectopy.service.api.readiness import Readiness
from ectopy.service.live.feed import Feed
from ectopy.service.monitoring.replays import Replays
from ectopy.service.monitoring.ward import Ward
from ectopy.service.recordings import Library, StoredRecording
from ectopy.service.settings import Settings
from ectopy.service.storage import Store


def _part(name: str) -> Any:
    """Return a dependency on an attribute of the application's state."""

    async def get(connection: HTTPConnection) -> Any:
        return getattr(connection.app.state, name)

    return Depends(get)


WardDep = Annotated[Ward, _part("ward")]


async def _store(ward: WardDep) -> Store:
    return ward.store


StoreDep = Annotated[Store, Depends(_store)]
AuditDep = Annotated[Audit, _part("audit")]
AuthenticatorDep = Annotated[Authenticator, _part("authenticator")]
SettingsDep = Annotated[Settings, _part("settings")]
MetricsDep = Annotated[Metrics, _part("metrics")]
ReadinessDep = Annotated[Readiness, _part("readiness")]
LibraryDep = Annotated[Library, _part("library")]
RecordingFeedDep = Annotated[Feed, _part("recording_feed")]


async def _feeds(ward: WardDep, recording_feed: RecordingFeedDep) -> tuple[Feed, ...]:
    return ward.feed, recording_feed


FeedsDep = Annotated[tuple[Feed, ...], Depends(_feeds)]
"""All feeds: to wake them lets each open stream look whether its caller may still have it."""

ReplaysDep = Annotated[Replays, _part("replays")]
PatientPath = Annotated[str, Path(min_length=1, max_length=200, description="Id of the patient.")]
AlarmNumber = Annotated[int, Path(ge=1, le=2**53, description="Number of the alarm among those of the patient.")]
CommentBody = Annotated[patient_schemas.Comment, Body()]
DeviceQuery = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=200,
        description="Id of the device; it is attached to the patient.",
        examples=["strap-7"],
    ),
]


def Audited(action: str, scope: Scope = Scope.VIEW, *, by_query: bool = False) -> Any:  # noqa: N802 -- reads as the other dependencies do
    """Return a dependency of routes that show something: checks the key, and writes the look to the audit.

    It checks the scope of the key, then that the patients named in the address are watched, and writes to
    the audit before anything is answered; a request that is rejected for another reason is in the audit too.

    Parameters
    ----------
    action : str
        A verb and its object, such as ``viewed alarm``.
    scope : Scope
        What the key has to allow.
    by_query : bool
        Whether the query names the patients, where the address does not.
    """
    allowed = Security(current_caller, scopes=[scope])

    async def write(connection: HTTPConnection, ward: WardDep, audit: AuditDep, caller: Caller = allowed) -> Caller:
        address = connection.path_params
        named = [address["patient"]] if "patient" in address else []
        patients = connection.query_params.getlist("patient") if by_query else named
        for patient in patients:
            ward.state(patient)
        for patient in patients or [""]:
            audit.saw(caller.name, action, patient)
        return caller

    return Depends(write)


async def _watched(patient: PatientPath, ward: WardDep, caller: AnyCaller) -> str:
    ward.state(patient)
    return patient


WatchedPatient = Annotated[str, Depends(_watched)]
"""The patient of an address; the answer is 404 where no patient of that id is watched."""


RecordingId = Annotated[str, Path(min_length=1, max_length=32, description="As the upload was answered.")]


def _viewed(library: LibraryDep, caller: Viewing, audit: AuditDep, id: RecordingId) -> StoredRecording:
    entry = library.entry(id)
    audit.saw(caller.name, f"viewed recording {entry.id}")
    return entry


ViewedRecording = Annotated[StoredRecording, Depends(_viewed)]
"""The recording of an address, with the audit of whoever views it; an unknown one is a 404."""


@dataclass(frozen=True)
class PatientCommands:
    """Carries out commands of one operator for one patient, and writes them to the audit."""

    ward: Ward
    patient: str
    operator: str
    _audit: Audit

    async def carry_out(
        self, kind: CommandKind, action: str, comment: str, *, alarm: int | None = None, limits: Limits | None = None
    ) -> bool:
        """Carry out a command and return whether it is stored; the audit calls it `action`.

        A `RefusedError` if the monitor rejects it.
        """
        command = Command(kind, self.ward.clock(), self.operator, comment, alarm, limits)
        is_stored = await self.ward.order(self.patient, command)
        await self.write_audit(action, comment if alarm is None else f"{alarm} {comment}".strip())
        return is_stored

    async def write_audit(self, action: str, detail: str) -> None:
        """Write to the audit what the operator did."""
        await self._audit.did_async(self.operator, action, self.patient, detail)


def _commands(scope: Scope) -> Any:
    """Return a dependency that checks the scope of the key, then that the patient is watched."""
    allowed = Security(current_caller, scopes=[scope])

    async def get(
        *, caller: Caller = allowed, patient: WatchedPatient, ward: WardDep, audit: AuditDep
    ) -> PatientCommands:
        return PatientCommands(ward, patient, caller.name, audit)

    return Depends(get)


AcknowledgeCommands = Annotated[PatientCommands, _commands(Scope.ACKNOWLEDGE)]
AdministerCommands = Annotated[PatientCommands, _commands(Scope.ADMINISTER)]


def json_response(content: Any) -> Response:
    """Return JSON of plain values, quickly; NaN becomes null."""
    return Response(msgspec.json.encode(content), media_type="application/json")


def event_stream(description: str, example: str) -> dict[str, Any]:
    """Describe a route that answers with server-sent events, from `stream_events`."""
    content = {"text/event-stream": {"example": example}}
    return {"response_class": StreamingResponse, "responses": {200: {"description": description, "content": content}}}


def stream_events(events: AsyncIterator[bytes]) -> EventSourceResponse:
    """Answer with server-sent events; a proxy that collects what it passes on would hold up alarms."""
    return EventSourceResponse(events, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
