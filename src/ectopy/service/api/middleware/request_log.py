"""Request log and metrics; keys, names and concrete paths are never logged."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ectopy.service.access import Caller
from ectopy.service.api.middleware.access_control import CALLER

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logging.getLogger("ectopy.requests")


class RequestLogMiddleware:
    """Writes down what was answered; as ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and write down."""
        if scope["type"] == "websocket":
            await self._record_socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began, answered = 500, time.perf_counter(), None

        async def sending(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            # Events are answered at once, and go on for hours.
            seconds, route = (answered or time.perf_counter()) - began, _route(scope)
            # A stranger may call a method anything, and each one would be kept as a series of its own.
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics = scope["app"].state.metrics
            metrics.requests.labels(method, route, status).inc()
            metrics.seconds.observe(seconds)
            facts = {"method": method, "route": route, "status": status, "ms": round(1000 * seconds, 1)}
            _log.info("request", extra={**facts, "key": _key(scope)})

    async def _record_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write down that a socket was opened or refused, and when and how it ended."""
        began = time.perf_counter()
        facts: dict[str, object] = {}

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                facts.setdefault("code", message.get("code"))
            return message

        async def sending(message: Message) -> None:
            match message["type"]:
                case "websocket.accept":
                    _log.info("socket opened", extra={"route": _route(scope), "key": _key(scope)})
                case "websocket.close":
                    facts["code"] = message.get("code")
                case "websocket.http.response.start":
                    facts["status"] = message["status"]
            await send(message)

        try:
            await self._app(scope, receiving, sending)
        finally:
            facts["seconds"] = round(time.perf_counter() - began, 1)
            _log.info("socket ended", extra={"route": _route(scope), "key": _key(scope), **facts})


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unknown")


def _key(scope: Scope) -> int | None:
    caller = scope.get(CALLER)
    return caller.id if isinstance(caller, Caller) else None
