"""A line in the log and a figure for every answer; no key, no name, and of an address only its pattern."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ectopy.service.access import Caller
from ectopy.service.web.door import CALLER

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
        status, began = 500, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            seconds, caller = time.perf_counter() - began, scope.get(CALLER)
            route = getattr(scope.get("route"), "path", "unknown")
            metrics = scope["app"].state.metrics
            metrics.requests.labels(scope["method"], route, status).inc()
            metrics.seconds.observe(seconds)
            key = caller.key if isinstance(caller, Caller) else None
            facts = {"method": scope["method"], "route": route, "status": status, "ms": round(1000 * seconds, 1)}
            _log.info("request", extra={**facts, "key": key})
