"""Devices that have named themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path

from ectopy.service import patient_schemas
from ectopy.service.api.dependencies import AuditDep, Audited, WardDep
from ectopy.service.api.middleware.access_control import Administering
from ectopy.service.monitoring.ward import RefusedError
from ectopy.service.storage import Device

router = APIRouter(prefix="/api/devices", tags=["devices"])


@router.get("", dependencies=[Audited("listed devices")])
def list_devices(ward: WardDep) -> list[Device]:
    """Devices that have said what they are called, by name, and for whom each has sent last."""
    return ward.devices.all()


@router.put("/{device}", status_code=204)
def attach(
    ward: WardDep,
    caller: Administering,
    audit: AuditDep,
    device: Annotated[str, Path(min_length=1, max_length=200, description="What the device calls itself.")],
    body: Annotated[patient_schemas.Wearer, Body()],
) -> None:
    """Attach a device to a patient, for whom its key then sends."""
    if ward.state(body.patient).discharged:
        raise RefusedError(f"{body.patient!r} is discharged; admit the patient first.")
    ward.attach(device, body.patient)
    audit.did(caller.name, "attached device", body.patient, device)
