"""Keys: who may do what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path
from pydantic import BaseModel, ConfigDict, Field

from ectopy.errors import DataError, SettingError
from ectopy.service import shapes
from ectopy.service.access import Scope
from ectopy.service.ward import NotFoundError, RefusedError
from ectopy.service.web.door import Administering
from ectopy.service.web.parts import TheAudit, TheVisitors

router = APIRouter(prefix="/api/keys", tags=["keys"])


class NewKey(BaseModel):
    """What the key is called, and what it allows."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "strap of bed 3", "scopes": ["send"]}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[set[Scope], Field(min_length=1)]


@router.get("")
def list_keys(caller: Administering, visitors: TheVisitors) -> list[shapes.KeyShape]:
    """All keys, without their secrets."""
    return [shapes.key(one) for one in visitors.known_keys()]


@router.post("", status_code=201)
def make_key(
    caller: Administering, visitors: TheVisitors, audit: TheAudit, given: Annotated[NewKey, Body()]
) -> shapes.NewKeyShape:
    """Make a key; its secret is in this answer and can never be seen again."""
    if not given.name.isprintable():
        raise SettingError("a key is called by printable characters.")
    key, secret = visitors.new_key(given.name, frozenset(given.scopes))
    audit.did(caller.name, "made key", detail=f"{key.id} {key.name}: {' '.join(key.scopes)}")
    return shapes.NewKeyShape(**shapes.key(key), key=secret)


@router.delete("/{number}", status_code=204)
def remove_key(
    caller: Administering,
    visitors: TheVisitors,
    audit: TheAudit,
    number: Annotated[int, Path(ge=1, le=2**62, description="Id of the key.")],
) -> None:
    """Make a key worthless, and end the sessions that were opened with it; nobody removes the key they came with."""
    if number == caller.key:
        raise RefusedError("this is the key that you use; remove it with another one.")
    try:
        key = visitors.remove_key(number)
    except DataError as error:
        raise NotFoundError(str(error)) from error
    audit.did(caller.name, "removed key", detail=f"{key.id} {key.name}")
