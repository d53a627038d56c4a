"""Patients: status, admission, limits, baseline and discharge."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query

from ectopy.errors import SettingError
from ectopy.monitor import CommandKind, Limits
from ectopy.service import patient_schemas
from ectopy.service.access import Scope
from ectopy.service.api.dependencies import AdministerCommands, AuditDep, Audited, CommentBody, WardDep, WatchedPatient
from ectopy.service.api.error_responses import DeniedError
from ectopy.service.api.middleware.access_control import Sending

router = APIRouter(prefix="/api/patients", tags=["patients"])

_PATH_CHARACTERS = set("/\\?#%")


@router.get("", dependencies=[Audited("listed patients")])
async def list_patients(ward: WardDep) -> list[patient_schemas.SummaryShape]:
    """List the patients who are watched, with their status."""
    return [ward.summary(patient) for patient in ward.patients()]


@router.post("", status_code=201)
def admit(
    ward: WardDep, caller: Sending, audit: AuditDep, body: Annotated[patient_schemas.NewPatient, Body()]
) -> patient_schemas.PatientOrderShape | patient_schemas.AdmittedShape:
    """Begin to watch a patient.

    A key that may administer also admits a discharged patient again, and gives a watched one another name. A key
    that may only send admits the patients for whom it sends, as a device does at its start.
    """
    if _PATH_CHARACTERS & set(body.patient) or body.patient in (".", ".."):
        raise SettingError("a patient id is part of URLs and cannot contain / \\ ? # %.")
    if body.patient != body.patient.strip() or not (body.name or "").isprintable():
        raise SettingError("a patient id consists of printable characters, without blanks at its ends.")
    administers = caller.may(Scope.ADMINISTER)
    is_known = ward.knows(body.patient)
    if not caller.may_send_for(body.patient):
        raise DeniedError(403, "this key does not send for this patient, and cannot admit them.")
    if is_known and not administers and ward.state(body.patient).discharged:
        raise DeniedError(403, "this patient was discharged; a key that may administer admits them again.")
    stored = True
    if administers or not is_known:
        stored = ward.admit(body.patient, body.name, account=caller.name)
        audit.did(caller.name, "admitted patient", body.patient)
    else:
        audit.saw(caller.name, "found patient admitted", body.patient)
    if not caller.may(Scope.VIEW):
        return patient_schemas.AdmittedShape(patient=body.patient, stored=stored)
    return patient_schemas.PatientOrderShape(**ward.summary(body.patient), stored=stored)


@router.get("/{patient}", dependencies=[Audited("viewed patient")])
async def show(ward: WardDep, patient: WatchedPatient) -> patient_schemas.DetailShape:
    """Return the status of a patient, and the limits and baseline of the monitor."""
    return ward.detail(patient)


@router.delete("/{patient}")
async def discharge(
    commands: AdministerCommands, comment: Annotated[str, Query(max_length=1000, examples=["moved to ward 5"])] = ""
) -> patient_schemas.PatientOrderShape:
    """End the watching of a patient and all their alarms; what is stored stays, and admission starts again."""
    stored = await commands.carry_out(CommandKind.DISCHARGE, "discharged patient", comment)
    return patient_schemas.PatientOrderShape(**commands.ward.summary(commands.patient), stored=stored)


@router.put("/{patient}/limits")
async def set_limits(
    commands: AdministerCommands, body: Annotated[patient_schemas.NewLimits, Body()]
) -> patient_schemas.DetailOrderShape:
    """Watch a patient by other limits from now on."""
    changes = {name: value for name, value in body.limits.items() if value is not None}
    age, resting_bpm = changes.get("age"), changes.get("resting_bpm")
    limits = Limits.of(body.profile, age, resting_bpm).changed(changes)
    stored = await commands.carry_out(CommandKind.SET_LIMITS, "set limits", body.comment, limits=limits)
    return patient_schemas.DetailOrderShape(**commands.ward.detail(commands.patient), stored=stored)


@router.post("/{patient}/relearn")
async def relearn(commands: AdministerCommands, body: CommentBody) -> patient_schemas.DetailOrderShape:
    """Learn the patient's normal again from now on; the present one serves until then."""
    stored = await commands.carry_out(CommandKind.RELEARN, "ordered relearning", body.comment)
    return patient_schemas.DetailOrderShape(**commands.ward.detail(commands.patient), stored=stored)
