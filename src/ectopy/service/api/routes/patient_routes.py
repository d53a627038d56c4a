"""Patients: how they are, and how they are watched."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query

from ectopy.errors import SettingError
from ectopy.monitor import Command, CommandKind, Limits
from ectopy.service import responses, schemas
from ectopy.service.access import Scope
from ectopy.service.api.dependencies import AuditDep, Audited, WardDep, WatchedPatient, carry_out
from ectopy.service.api.error_responses import DeniedError
from ectopy.service.api.middleware.access_control import Administering, Sending
from ectopy.service.monitoring.ward import Ward

router = APIRouter(prefix="/api/patients", tags=["patients"])

_OF_PATHS = set("/\\?#%")


@router.get("", dependencies=[Audited("listed patients")])
async def list_patients(ward: WardDep) -> list[schemas.SummaryShape]:
    """Everybody who is watched, and how they are."""
    return [ward.summary(patient) for patient in ward.patients()]


@router.post("", status_code=201)
def admit(
    ward: WardDep, caller: Sending, audit: AuditDep, given: Annotated[schemas.NewPatient, Body()]
) -> schemas.PatientOrderShape | schemas.AdmittedShape:
    """Begin to watch a patient.

    Who may administer also begins anew with one who was discharged, and gives one who is watched another name. A key
    that may only send admits the patients for whom it sends, as a device does at its start.
    """
    if _OF_PATHS & set(given.patient) or given.patient in (".", ".."):
        raise SettingError("a patient id is part of URLs and cannot contain / \\ ? # %.")
    if given.patient != given.patient.strip() or not (given.name or "").isprintable():
        raise SettingError("a patient id consists of printable characters, without blanks at its ends.")
    administers = caller.may(Scope.ADMINISTER)
    is_known = ward.knows(given.patient)
    if not caller.may_send_for(given.patient):
        raise DeniedError(403, "this key does not send for this patient, and cannot admit them.")
    if is_known and not administers and ward.state(given.patient).discharged:
        raise DeniedError(403, "this patient was discharged; a key that may administer admits them again.")
    stored = True
    if administers or not is_known:
        stored = ward.admit(given.patient, given.name, who=caller.name)
        audit.did(caller.name, "admitted patient", given.patient)
    else:
        audit.saw(caller.name, "found patient admitted", given.patient)
    if not caller.may(Scope.VIEW):
        return schemas.AdmittedShape(patient=given.patient, stored=stored)
    return schemas.PatientOrderShape(**ward.summary(given.patient), stored=stored)


@router.get("/{patient}", dependencies=[Audited("viewed patient")])
async def show(ward: WardDep, patient: WatchedPatient) -> schemas.DetailShape:
    """How a patient is, and how they are watched."""
    return _detail(ward, patient)


@router.delete("/{patient}")
async def discharge(
    ward: WardDep,
    caller: Administering,
    audit: AuditDep,
    patient: WatchedPatient,
    comment: Annotated[str, Query(max_length=1000, examples=["moved to ward 5"])] = "",
) -> schemas.PatientOrderShape:
    """End the watching of a patient and all their alarms; what is stored stays, and admission begins it anew."""
    action = Command(CommandKind.DISCHARGE, ward.clock(), caller.name, comment)
    stored = await carry_out(ward, audit, patient, action, "discharged patient")
    return schemas.PatientOrderShape(**ward.summary(patient), stored=stored)


@router.put("/{patient}/limits")
async def set_limits(
    ward: WardDep,
    caller: Administering,
    audit: AuditDep,
    patient: WatchedPatient,
    given: Annotated[schemas.NewLimits, Body()],
) -> schemas.DetailOrderShape:
    """Watch a patient by other limits from now on."""
    known = {name: value for name, value in given.limits.items() if value is not None}
    age, resting_bpm = known.get("age"), known.get("resting_bpm")
    limits = Limits.of(given.profile, age, resting_bpm).changed(known)
    action = Command(CommandKind.SET_LIMITS, ward.clock(), caller.name, given.comment, limits=limits)
    stored = await carry_out(ward, audit, patient, action, "set limits")
    return schemas.DetailOrderShape(**_detail(ward, patient), stored=stored)


@router.post("/{patient}/relearn")
async def relearn(
    ward: WardDep,
    caller: Administering,
    audit: AuditDep,
    patient: WatchedPatient,
    given: Annotated[schemas.Comment, Body()],
) -> schemas.DetailOrderShape:
    """Learn the patient's normal anew from now on; the present one serves until then."""
    action = Command(CommandKind.RELEARN, ward.clock(), caller.name, given.comment)
    stored = await carry_out(ward, audit, patient, action, "ordered relearning")
    return schemas.DetailOrderShape(**_detail(ward, patient), stored=stored)


def _detail(ward: Ward, patient: str) -> schemas.DetailShape:
    threshold = ward.monitor.criterion.with_baseline
    return responses.detail(ward.summary(patient), ward.state(patient), ward.devices.of(patient), threshold)
