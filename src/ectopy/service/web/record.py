"""A line in the log and a figure for every answer; no key, no name, and of an address only its pattern."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ectopy.service.access import Caller
from ectopy.service.web.door import CALLER

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logging.getLogger("ectopy.requests")


class Record:
    """Writes down what was answered; as ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and write down."""
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
            seconds, caller = (answered or time.perf_counter()) - began, scope.get(CALLER)
            route = getattr(scope.get("route"), "path", "unknown")
            # A stranger may call a method anything, and each one would be kept as a series of its own.
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics = scope["app"].state.metrics
            metrics.requests.labels(method, route, status).inc()
            metrics.seconds.observe(seconds)
            key = caller.key if isinstance(caller, Caller) else None
            facts = {"method": method, "route": route, "status": status, "ms": round(1000 * seconds, 1)}
            _log.info("request", extra={**facts, "key": key})
