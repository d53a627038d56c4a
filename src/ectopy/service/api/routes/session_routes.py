"""Signing in and out."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Cookie, Request, Response

from ectopy.service import schemas
from ectopy.service.access import Caller
from ectopy.service.api.dependencies import AuditDep, AuthenticatorDep, FeedsDep, SettingsDep
from ectopy.service.api.error_responses import DeniedError
from ectopy.service.api.middleware.access_control import COOKIE, AnyCaller, RateLimit, address_of

router = APIRouter(prefix="/api/session", tags=["session"])


@router.post("")
async def sign_in(
    request: Request,
    response: Response,
    body: Annotated[schemas.SignIn, Body()],
    authenticator: AuthenticatorDep,
    audit: AuditDep,
    settings: SettingsDep,
) -> schemas.SessionShape:
    """Sign in with a key; the answer sets the cookie of a session, good until unused for twelve hours."""
    # A guessed key costs neither a thread nor a query.
    signed_in = (
        await asyncio.to_thread(authenticator.sign_in, body.key) if authenticator.might_be_key(body.key) else None
    )
    if signed_in is None:
        failures: RateLimit = request.app.state.failures
        failures.count(address_of(request))
        raise DeniedError(401, "this key is not known.")
    caller, cookie = signed_in
    await audit.did_async(caller.name, "signed in")
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=settings.tls, path="/")
    return _session(caller)


@router.get("")
def show_session(caller: AnyCaller) -> schemas.SessionShape:
    """Return the name and scopes of the caller."""
    return _session(caller)


@router.delete("", status_code=204)
async def sign_out(
    response: Response,
    caller: AnyCaller,
    authenticator: AuthenticatorDep,
    audit: AuditDep,
    feeds: FeedsDep,
    cookie: Annotated[str | None, Cookie(alias=COOKIE)] = None,
) -> None:
    """Sign out; what streams to the session ends at once."""
    if cookie is not None:
        await asyncio.to_thread(authenticator.sign_out, cookie)
        for feed in feeds:
            feed.wake()
        await audit.did_async(caller.name, "signed out")
    response.delete_cookie(COOKIE, path="/")


def _session(caller: Caller) -> schemas.SessionShape:
    return schemas.SessionShape(name=caller.name, scopes=sorted(caller.scopes), csrf=caller.csrf)
