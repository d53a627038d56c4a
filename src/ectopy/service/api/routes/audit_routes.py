"""The audit: who saw or did what."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response

from ectopy.service import schemas
from ectopy.service.api.dependencies import AuditDep, StoreDep, json_response
from ectopy.service.api.middleware.access_control import Administering

router = APIRouter(prefix="/api/audit", tags=["audit"])


@router.get("", response_model=list[schemas.AuditShape])
def list_audit(
    store: StoreDep,
    caller: Administering,
    audit: AuditDep,
    patient: Annotated[str | None, Query(max_length=200, description="About this one only.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="Only entries before the one of this id.")] = None,
) -> Response:
    """The newest entries of the audit, the oldest of them first; the same look is written once a minute."""
    audit.flush()
    entries = store.audit.newest(patient, limit, before)
    audit.saw(caller.name, "viewed audit", patient or "")
    return json_response([{"id": stored.id, **msgspec.to_builtins(stored.entry)} for stored in entries])
