"""What routes depend on: the parts of the service, the patient of an address, the audit of those who look."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import Depends, Path, Query, Security
from starlette.requests import HTTPConnection
from starlette.responses import Response

from ectopy.monitor import Action
from ectopy.service.access import Authenticator, Caller, Scope
from ectopy.service.access.audit import Audit
from ectopy.service.api.middleware.access_control import visitor
from ectopy.service.api.prometheus_metrics import Metrics
from ectopy.service.api.readiness import Readiness
from ectopy.service.monitoring.replays import Replays
from ectopy.service.monitoring.ward import Ward
from ectopy.service.recordings import Library
from ectopy.service.settings import Settings


def _part(name: str) -> Any:
    """Return a dependency on an attribute of the application's state."""

    async def get(connection: HTTPConnection) -> Any:
        return getattr(connection.app.state, name)

    return Depends(get)


WardDep = Annotated[Ward, _part("ward")]
AuditDep = Annotated[Audit, _part("audit")]
AuthenticatorDep = Annotated[Authenticator, _part("authenticator")]
SettingsDep = Annotated[Settings, _part("settings")]
MetricsDep = Annotated[Metrics, _part("metrics")]
ReadinessDep = Annotated[Readiness, _part("readiness")]
LibraryDep = Annotated[Library, _part("library")]
ReplaysDep = Annotated[Replays, _part("replays")]
PatientPath = Annotated[str, Path(min_length=1, max_length=200, description="Id of the patient.")]
AlarmNumber = Annotated[int, Path(ge=1, le=2**53, description="Number of the alarm among those of the patient.")]
DeviceQuery = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=200,
        description="Id of the device; it is attached to the patient.",
        examples=["strap-7"],
    ),
]


def Audited(what: str, scope: Scope = Scope.VIEW, *, by_query: bool = False) -> Any:  # noqa: N802 -- reads as the other dependencies do
    """Return a dependency of routes that show something: the caller, what they look at, and for whom.

    It checks the scope of the key, then that the patients named in the address are watched, and writes to
    the audit before anything is answered; a request that is rejected for another reason is in the audit too.

    Parameters
    ----------
    what : str
        A verb and its object, such as ``viewed alarm``.
    scope : Scope
        What the key has to allow.
    by_query : bool
        Whether the query names the patients, where the address does not.
    """
    allowed = Security(visitor, scopes=[scope])

    async def write(connection: HTTPConnection, ward: WardDep, audit: AuditDep, caller: Caller = allowed) -> Caller:
        address = connection.path_params
        named = [address["patient"]] if "patient" in address else []
        patients = connection.query_params.getlist("patient") if by_query else named
        for one in patients:
            ward.state(one)
        for one in patients or [""]:
            audit.saw(caller.name, what, one)
        return caller

    return Depends(write)


async def _watched(patient: PatientPath, ward: WardDep, caller: Annotated[Caller, Security(visitor)]) -> str:
    ward.state(patient)
    return patient


WatchedPatient = Annotated[str, Depends(_watched)]
"""The patient of an address; the answer is 404 where nobody of that id is watched."""


async def carry_out(ward: Ward, audit: Audit, patient: str, action: Action, what: str) -> bool:
    """Carry out a command of an operator and write it to the audit; whether it is stored.

    Raises
    ------
    NotFoundError
        If the patient is not watched.
    RefusedError
        If the monitor does not take it.
    """
    stored = await ward.order(patient, action)
    about = "" if action.alarm is None else f"{action.alarm} "
    await audit.did_async(action.who, what, patient, f"{about}{action.why}".strip())
    return stored


def json_response(content: Any, status: int = 200) -> Response:
    """JSON of plain values, quickly; NaN becomes null."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")
