"""Devices that have named themselves."""

from __future__ import annotations

from fastapi import APIRouter

from ectopy.service import shapes
from ectopy.service.web.door import Viewing
from ectopy.service.web.parts import TheAudit, TheWard

router = APIRouter(prefix="/api/devices", tags=["devices"])


@router.get("")
def list_devices(ward: TheWard, caller: Viewing, audit: TheAudit) -> list[shapes.DeviceShape]:
    """Devices that have said what they are called, by name, and for whom each has sent last."""
    audit.saw(caller.name, "listed devices")
    return [shapes.device(one) for one in ward.devices.all()]
