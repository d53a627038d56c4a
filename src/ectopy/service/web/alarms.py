"""Alarms: why they were raised, and what people do about them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from ectopy.errors import DataError
from ectopy.monitor import Action, Order
from ectopy.service import shapes
from ectopy.service.storage import StoredAlarm
from ectopy.service.ward import NotFoundError, Ward
from ectopy.service.web.door import Acknowledging, Viewing
from ectopy.service.web.parts import PatientPath, TheAudit, TheWard
from ectopy.service.web.patients import Comment

router = APIRouter(prefix="/api", tags=["alarms"])

Number = Annotated[int, Path(ge=1, le=2**53, description="Number of the alarm among those of the patient.")]


@router.get("/alarms")
def list_alarms(
    ward: TheWard,
    caller: Viewing,
    audit: TheAudit,
    active: Annotated[bool, Query(description="Leave out those that have ended.")] = True,
) -> list[shapes.AlarmShape]:
    """Alarms of everybody, and of the service itself, which is called `station`."""
    audit.saw(caller.name, "listed alarms")
    found = ward.active_alarms() if active else ward.store.alarms()
    return [shapes.alarm(one.patient, one.origin, one.alarm) for one in found]


@router.get("/patients/{patient}/alarms")
def list_alarms_of(
    ward: TheWard, caller: Viewing, audit: TheAudit, patient: PatientPath, active: bool = False
) -> list[shapes.AlarmShape]:
    """Alarms of a patient, the oldest first."""
    ward.state(patient)
    audit.saw(caller.name, "viewed alarms", patient)
    return [shapes.alarm(patient, one.origin, one.alarm) for one in ward.store.alarms(patient, active_only=active)]


@router.post("/patients/{patient}/alarms/{number}/acknowledge")
async def acknowledge(
    ward: TheWard,
    caller: Acknowledging,
    audit: TheAudit,
    patient: PatientPath,
    number: Number,
    given: Annotated[Comment, Body()],
) -> shapes.AlarmShape:
    """Say that somebody has seen an alarm; it is silent for a time, and sounds again if it goes on."""
    return await _order(ward, Order.ACKNOWLEDGE, caller.name, audit, patient, number, given.comment)


@router.post("/patients/{patient}/alarms/{number}/unacknowledge")
async def unacknowledge(
    ward: TheWard,
    caller: Acknowledging,
    audit: TheAudit,
    patient: PatientPath,
    number: Number,
    given: Annotated[Comment, Body()],
) -> shapes.AlarmShape:
    """Take an acknowledgement back."""
    return await _order(ward, Order.UNACKNOWLEDGE, caller.name, audit, patient, number, given.comment)


@router.post("/patients/{patient}/audio-pause")
async def pause_audio(
    ward: TheWard, caller: Acknowledging, audit: TheAudit, patient: PatientPath, given: Annotated[Comment, Body()]
) -> shapes.SummaryShape:
    """Silence the alarms of a patient for two minutes, at most until one of high priority starts."""
    await ward.order(patient, Action(Order.PAUSE_AUDIO, ward.clock(), caller.name, given.comment))
    await audit.did_async(caller.name, "paused audio", patient, given.comment)
    return ward.summary(patient)


@router.post("/patients/{patient}/audio-resume")
async def resume_audio(
    ward: TheWard, caller: Acknowledging, audit: TheAudit, patient: PatientPath, given: Annotated[Comment, Body()]
) -> shapes.SummaryShape:
    """End an audio pause."""
    await ward.order(patient, Action(Order.RESUME_AUDIO, ward.clock(), caller.name, given.comment))
    await audit.did_async(caller.name, "resumed audio", patient, given.comment)
    return ward.summary(patient)


async def _order(
    ward: Ward, order: Order, who: str, audit: TheAudit, patient: str, number: int, comment: str
) -> shapes.AlarmShape:
    await asyncio.to_thread(_alarm, ward, patient, number)
    await ward.order(patient, Action(order, ward.clock(), who, comment, number))
    await audit.did_async(who, f"{order}d alarm", patient, f"{number} {comment}".strip())
    one = await asyncio.to_thread(_alarm, ward, patient, number)
    return shapes.alarm(patient, one.origin, one.alarm)


def _alarm(ward: Ward, patient: str, number: int) -> StoredAlarm:
    ward.state(patient)
    try:
        return ward.store.alarm(patient, number)
    except DataError as error:
        raise NotFoundError(str(error)) from error
