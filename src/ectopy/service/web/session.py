"""Signing in and out."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Cookie, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ectopy.service.access import Caller
from ectopy.service.web.door import COOKIE, AnyCaller, RateLimit, address_of
from ectopy.service.web.errors import DeniedError
from ectopy.service.web.parts import AuditDep, SettingsDep, VisitorsDep

router = APIRouter(prefix="/api/session", tags=["session"])


class SignIn(BaseModel):
    """A key."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"key": "ectopy_..."}]})

    key: Annotated[str, Field(min_length=1, max_length=200)]


class Session(TypedDict):
    """Who has signed in; `csrf` goes into the header X-CSRF-Token of whatever changes something."""

    name: str
    scopes: list[str]
    csrf: str | None


@router.post("")
async def sign_in(
    request: Request,
    response: Response,
    given: Annotated[SignIn, Body()],
    visitors: VisitorsDep,
    audit: AuditDep,
    settings: SettingsDep,
) -> Session:
    """Sign in with a key; the answer sets the cookie of a session, good until unused for twelve hours."""
    # Who guesses costs neither a thread nor a query.
    signed_in = await asyncio.to_thread(visitors.sign_in, given.key) if visitors.may_know(given.key) else None
    if signed_in is None:
        failures: RateLimit = request.app.state.failures
        failures.count(address_of(request))
        raise DeniedError(401, "this key is not known.")
    caller, cookie = signed_in
    await audit.did_async(caller.name, "signed in")
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=settings.tls, path="/")
    return _session(caller)


@router.get("")
def who(caller: AnyCaller) -> Session:
    """Who is asking."""
    return _session(caller)


@router.delete("", status_code=204)
def sign_out(
    response: Response,
    caller: AnyCaller,
    visitors: VisitorsDep,
    audit: AuditDep,
    cookie: Annotated[str | None, Cookie(alias=COOKIE)] = None,
) -> None:
    """Sign out."""
    if cookie is not None:
        visitors.sign_out(cookie)
        audit.did(caller.name, "signed out")
    response.delete_cookie(COOKIE, path="/")


def _session(caller: Caller) -> Session:
    return Session(name=caller.name, scopes=sorted(caller.scopes), csrf=caller.csrf)
