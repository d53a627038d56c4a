"""Recordings that this machine has by name: which there are, and to have one analysed as if it had been uploaded."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from ectopy.datasets.builtin_recordings import builtin_names
from ectopy.service import recording_schemas
from ectopy.service.api.dependencies import AuditDep, Audited, LibraryDep
from ectopy.service.api.middleware.access_control import Uploading
from ectopy.service.api.routes.recording_routes import shape

router = APIRouter(prefix="/api/recordings/named", tags=["recordings"])


@router.get("", dependencies=[Audited("listed named recordings")])
def list_names() -> list[str]:
    """List names of recordings to analyse or replay: `simulated`, and the records of data sets on this machine."""
    return list(builtin_names())


@router.post("", status_code=202)
def analyse(
    library: LibraryDep, caller: Uploading, audit: AuditDep, body: Annotated[recording_schemas.Choice, Body()]
) -> recording_schemas.RecordingShape:
    """Have one analysed, when those before it are."""
    entry = library.add_builtin(body.recording, caller.id)
    audit.did(caller.name, "chose recording", detail=f"{entry.id} {entry.name}")
    return shape(entry)
