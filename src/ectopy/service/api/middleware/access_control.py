"""Authentication, rate limits and CSRF, before the body is read."""

from __future__ import annotations

import logging
import math
import time
from typing import Annotated
from urllib.parse import urlsplit

import anyio.to_thread
from fastapi import Depends, Security
from fastapi.security import APIKeyCookie, HTTPBearer, SecurityScopes
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from ectopy.errors import StorageError
from ectopy.service.access import Authenticator, Caller, RateLimiter, Scope
from ectopy.service.api.error_responses import DeniedError, problem

COOKIE = "ectopy_session"
CSRF_HEADER = "x-csrf-token"
SIGN_IN = "/api/session"
CALLER = "ectopy.caller"


_SAFE = ("GET", "HEAD", "OPTIONS")
_BURST_S = 10.0

_log = logging.getLogger(__name__)


class RateLimit:
    """Limit the requests of one name in a minute, and answer more with 429."""

    def __init__(self, per_minute: float, burst: float | None = None) -> None:
        self._limiter = RateLimiter(per_minute, per_minute if burst is None else burst)

    def count(self, name: str) -> None:
        """Count a request; a `DeniedError` if it is one too many."""
        wait_s = self._limiter.acquire(name, time.monotonic())
        if wait_s:
            headers = {"Retry-After": str(math.ceil(wait_s))}
            raise DeniedError(429, f"too many requests; try again in {wait_s:.0f} s.", headers)


def address_of(connection: HTTPConnection) -> str:
    """Return the address of the client; empty where it is unknown."""
    return connection.client.host if connection.client else ""


class AuthenticationMiddleware:
    """Let known callers through to ``/api`` and ``/metrics``; as ASGI middleware.

    A key has `per_minute` requests; `failures` limits wrong keys from one address.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator, per_minute: float, failures: RateLimit) -> None:
        self._app, self._authenticator, self._failures = app, authenticator, failures
        self._requests = RateLimit(per_minute, max(per_minute * _BURST_S / 60.0, 1.0))

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Pass on what may go in."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            await self._check(connection)
        except DeniedError as error:
            response = problem(error.status_code, error.detail, error.headers)
        except StorageError as error:
            # The error names the address of the store, and the caller is not known yet.
            _log.error("a caller cannot be looked up: %s", error)
            response = problem(503, "the service cannot look up keys now; try again.", {"Retry-After": "1"})
        else:
            await self._app(scope, receive, send)
            return
        await response(scope, receive, send)

    async def _check(self, connection: HTTPConnection) -> None:
        encoding = connection.headers.get("content-encoding", "identity")
        if encoding.strip().lower() not in ("", "identity"):
            raise DeniedError(415, "a body must not be compressed; send it as it is.")
        path: str = connection.scope["path"]
        if not (path == "/api" or path.startswith("/api/") or path == "/metrics"):
            return
        address = address_of(connection)
        if path == SIGN_IN and connection.scope.get("method") == "POST":
            self._requests.count(address)
            _check_origin(connection, is_required=False)
            return
        caller = await self._caller(connection)
        if caller is None:
            self._failures.count(address)
            raise _unknown(connection)
        self._requests.count(f"{caller.id} {address}")
        if caller.csrf is not None:
            _check_same_site(connection, caller.csrf)
        connection.scope[CALLER] = caller

    async def _caller(self, connection: HTTPConnection) -> Caller | None:
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            # A guessed key, or a recently used one, costs neither a thread nor a query.
            secret = secret.strip()
            if not self._authenticator.might_be_key(secret):
                return None
            recent = self._authenticator.cached_caller_for_key(secret)
            return recent or await anyio.to_thread.run_sync(self._authenticator.caller_for_key, secret)
        cookie = connection.cookies.get(COOKIE)
        if cookie is None or not self._authenticator.might_be_session(cookie):
            return None
        recent = self._authenticator.cached_caller_for_session(cookie)
        return recent or await anyio.to_thread.run_sync(self._authenticator.caller_for_session, cookie)


def _unknown(connection: HTTPConnection) -> DeniedError:
    """Return the refusal of a caller without a key, or with an unknown one."""
    if "authorization" in connection.headers:
        why = "this key is not known: it is wrong, or was revoked; it goes as 'Authorization: Bearer KEY'."
    else:
        why = "sign in, or send a key: 'Authorization: Bearer KEY'."
    return DeniedError(401, why, {"WWW-Authenticate": "Bearer"})


def _check_same_site(connection: HTTPConnection, csrf: str) -> None:
    if connection.scope["type"] == "websocket":
        _check_origin(connection, is_required=True)
    elif connection.scope["method"] not in _SAFE and connection.headers.get(CSRF_HEADER) != csrf:
        raise DeniedError(403, f"a browser that changes something sends the header {CSRF_HEADER}, as its session says.")


def _check_origin(connection: HTTPConnection, is_required: bool) -> None:
    origin = connection.headers.get("origin")
    if origin is None and not is_required:
        return
    if origin is None or _host_and_port(origin) != connection.headers.get("host"):
        raise DeniedError(403, "a page of another site cannot do this.")


def _host_and_port(origin: str) -> str | None:
    """Host and port of an origin; None where it is not an address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


_BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="A key: `ectopy_` and 43 characters.")
_SESSION = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session")


async def current_caller(
    connection: HTTPConnection,
    required: SecurityScopes,
    _key: Annotated[object, Depends(_BEARER)],
    _cookie: Annotated[object, Depends(_SESSION)],
) -> Caller:
    """Return the caller; a `DeniedError`, 401 or 403, unless the key allows what the route needs."""
    caller: Caller | None = connection.scope.get(CALLER)
    if caller is None:
        raise _unknown(connection)
    scopes = [Scope(name) for name in required.scopes]
    if scopes and not any(caller.may(scope) for scope in scopes):
        raise DeniedError(403, f"this key does not allow it; it needs the scope {' or '.join(scopes)}.")
    return caller


AnyCaller = Annotated[Caller, Security(current_caller)]
Viewing = Annotated[Caller, Security(current_caller, scopes=[Scope.VIEW])]
Uploading = Annotated[Caller, Security(current_caller, scopes=[Scope.UPLOAD])]
Correcting = Annotated[Caller, Security(current_caller, scopes=[Scope.CORRECT])]
Sending = Annotated[Caller, Security(current_caller, scopes=[Scope.SEND])]
Administering = Annotated[Caller, Security(current_caller, scopes=[Scope.ADMINISTER])]
