"""Who saw or did what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from ectopy.service import shapes
from ectopy.service.web.door import Administering
from ectopy.service.web.parts import TheWard

router = APIRouter(prefix="/api/audit", tags=["audit"])


@router.get("")
def list_audit(
    ward: TheWard,
    caller: Administering,
    patient: Annotated[str | None, Query(description="About this one only.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> list[shapes.AuditShape]:
    """The newest entries of the audit, the oldest of them first; the same look is written once a minute."""
    return [shapes.audit(entry) for entry in ward.store.audit(patient, limit)]
