"""Keys: who may do what."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Body, Path

from ectopy.errors import SettingError
from ectopy.service import schemas
from ectopy.service.access import Scope
from ectopy.service.api.dependencies import AuditDep, Audited, AuthenticatorDep, FeedsDep, StoreDep, WardDep
from ectopy.service.api.middleware.access_control import Administering
from ectopy.service.monitoring.ward import RefusedError
from ectopy.service.storage import StoredKey

router = APIRouter(prefix="/api/keys", tags=["keys"])


@router.get("", dependencies=[Audited("listed keys", Scope.ADMINISTER)])
def list_keys(store: StoreDep) -> list[StoredKey]:
    """All keys, without their secrets."""
    return store.keys.all()


@router.post("", status_code=201)
def make_key(
    caller: Administering,
    authenticator: AuthenticatorDep,
    audit: AuditDep,
    ward: WardDep,
    body: Annotated[schemas.NewKey, Body()],
) -> schemas.NewKeyShape:
    """Make a key; its secret is in this answer and can never be seen again."""
    if not body.name.isprintable():
        raise SettingError("the name of a key consists of printable characters.")
    if body.expires_time is not None and not body.expires_time > ward.clock():
        raise SettingError("a key ends in the future; leave 'expires_time' out for one that does not end.")
    patients = _patients(body)
    key, secret = authenticator.new_key(
        body.name, frozenset(body.scopes), patients, frozenset(body.devices), body.expires_time
    )
    audit.did(caller.name, "made key", detail=f"{key.id} {key.name}: {' '.join(key.scopes)}{_sends(key)}")
    return schemas.NewKeyShape(**asdict(key), key=secret)


def _patients(body: schemas.NewKey) -> frozenset[str] | None:
    """For whom a new key sends; None = any patient."""
    if body.scopes.isdisjoint({Scope.SEND, Scope.ADMINISTER}) and (body.patients or body.devices or body.any_patient):
        raise SettingError("only a key that may send is for patients or devices; give it the scope send.")
    if body.any_patient and (body.patients or body.devices):
        raise SettingError("a key sends for any patient, or for those that it names; give one of the two.")
    if Scope.ADMINISTER in body.scopes or body.any_patient:
        return None
    if Scope.SEND in body.scopes and not (body.patients or body.devices):
        raise SettingError(
            "say for whom the key sends: 'patients', or 'devices' that are attached to patients; "
            "'any_patient' makes one that may send as everybody."
        )
    return frozenset(body.patients)


def _sends(key: StoredKey) -> str:
    """For whom a key sends, for the audit."""
    if Scope.SEND not in key.scopes:
        return ""
    recipients = "any patient" if key.patients is None else ", ".join((*key.patients, *key.devices))
    return f" for {recipients}"


@router.delete("/{number}", status_code=204)
async def remove_key(
    caller: Administering,
    authenticator: AuthenticatorDep,
    audit: AuditDep,
    feeds: FeedsDep,
    number: Annotated[int, Path(ge=1, le=2**62, description="Id of the key.")],
) -> None:
    """Make a key worthless, and end the sessions that were opened with it; the key in use cannot be removed."""
    if number == caller.id:
        raise RefusedError("this is the key that you use; remove it with another one.")
    key = await asyncio.to_thread(authenticator.remove_key, number)
    for feed in feeds:
        feed.wake()
    await audit.did_async(caller.name, "removed key", detail=f"{key.id} {key.name}")
