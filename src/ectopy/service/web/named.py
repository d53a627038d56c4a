"""Recordings that this machine has by name: which there are, and to have one analysed as if it had been uploaded."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from ectopy.service.recordings import names
from ectopy.service.web.door import Uploading
from ectopy.service.web.parts import AuditDep, Audited, LibraryDep
from ectopy.service.web.recordings import RecordingShape, shape

router = APIRouter(prefix="/api/recordings/named", tags=["recordings"])


class Choice(BaseModel):
    """The name of a recording, as it is listed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"recording": "mitdb/208"}]})

    recording: Annotated[str, Field(min_length=1, max_length=200)]


@router.get("", dependencies=[Audited("listed named recordings")])
def list_names() -> list[str]:
    """What can be analysed and replayed by its name: `simulated`, and the records of data sets on this machine."""
    return list(names())


@router.post("", status_code=202)
def analyse(
    library: LibraryDep, caller: Uploading, audit: AuditDep, given: Annotated[Choice, Body()]
) -> RecordingShape:
    """Have one analysed, when those before it are."""
    entry = library.add_named(given.recording, caller.key)
    audit.did(caller.name, "chose recording", detail=f"{entry.id} {entry.name}")
    return shape(entry)
