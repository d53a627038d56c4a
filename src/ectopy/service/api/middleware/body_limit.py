"""Limit of the bodies of requests, which are counted as they come."""

from __future__ import annotations

from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY, RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ectopy.service.api.error_responses import problem

_TOO_LARGE = 413


class BodyLimitMiddleware:
    """Refuses a body of more than `max_body_size` bytes, or the limit of its route; as ASGI middleware.

    Starlette's middleware counts, and answers in plain text; here its answer becomes one like all others.
    """

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self._app = RequestBodyLimitMiddleware(app, max_body_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        is_too_large = False

        async def sending(message: Message) -> None:
            nonlocal is_too_large
            if message["type"] == "http.response.start" and message["status"] == _TOO_LARGE:
                is_too_large = True
                limit = scope[MAX_BODY_SIZE_SCOPE_KEY]
                response = problem(_TOO_LARGE, f"the body is too large; send at most {limit} bytes.")
                await response(scope, receive, send)
            elif not is_too_large:
                await send(message)

        await self._app(scope, receive, sending)
