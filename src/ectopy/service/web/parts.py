"""What routes ask for."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import Depends, Path, Query
from starlette.requests import HTTPConnection
from starlette.responses import Response

from ectopy.service.access import Visitors
from ectopy.service.audit import Audit
from ectopy.service.readiness import Readiness
from ectopy.service.recordings import Library
from ectopy.service.replays import Replays
from ectopy.service.settings import Settings
from ectopy.service.ward import Ward
from ectopy.service.web.metrics import Metrics


async def _ward(connection: HTTPConnection) -> Ward:
    ward: Ward = connection.app.state.ward
    return ward


async def _audit(connection: HTTPConnection) -> Audit:
    audit: Audit = connection.app.state.audit
    return audit


async def _visitors(connection: HTTPConnection) -> Visitors:
    visitors: Visitors = connection.app.state.visitors
    return visitors


async def _settings(connection: HTTPConnection) -> Settings:
    settings: Settings = connection.app.state.settings
    return settings


async def _metrics(connection: HTTPConnection) -> Metrics:
    metrics: Metrics = connection.app.state.metrics
    return metrics


async def _readiness(connection: HTTPConnection) -> Readiness:
    readiness: Readiness = connection.app.state.readiness
    return readiness


async def _library(connection: HTTPConnection) -> Library:
    library: Library = connection.app.state.library
    return library


async def _replays(connection: HTTPConnection) -> Replays:
    replays: Replays = connection.app.state.replays
    return replays


TheWard = Annotated[Ward, Depends(_ward)]
TheAudit = Annotated[Audit, Depends(_audit)]
TheVisitors = Annotated[Visitors, Depends(_visitors)]
TheSettings = Annotated[Settings, Depends(_settings)]
TheMetrics = Annotated[Metrics, Depends(_metrics)]
TheReadiness = Annotated[Readiness, Depends(_readiness)]
TheLibrary = Annotated[Library, Depends(_library)]
TheReplays = Annotated[Replays, Depends(_replays)]
PatientPath = Annotated[str, Path(min_length=1, max_length=200, description="Id of the patient.")]
DeviceQuery = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=200,
        description="Id of the device; it is attached to the patient.",
        examples=["strap-7"],
    ),
]


def json_response(content: Any, status: int = 200) -> Response:
    """JSON of plain values, quickly; NaN becomes null."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")
