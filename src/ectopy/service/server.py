"""Runs the application, until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from ectopy.service.settings import Settings

_GRACE_S = 5


class Server(uvicorn.Server):
    """The service at an address.

    Parameters
    ----------
    app : FastAPI
        From `ectopy.service.web.create_app`.
    settings : Settings
    ready : callable
        Called with the server once it answers.
    """

    def __init__(self, app: FastAPI, settings: Settings, ready: Callable[[Server], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws_max_size=settings.request_bytes,
                ws_per_message_deflate=False,
                ws="websockets-sansio",
                timeout_graceful_shutdown=_GRACE_S,
                ssl_certfile=settings.tls_certificate,
                ssl_keyfile=settings.tls_key,
            )
        )
        self._app, self._settings, self._ready = app, settings, ready

    @property
    def address(self) -> str:
        """Where the service answers."""
        host, port = self._settings.host, self._settings.port
        if port == 0 and self.servers:
            port = self.servers[0].sockets[0].getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        return f"{'https' if self._settings.tls else 'http'}://{name}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready(self)

    async def on_tick(self, counter: int) -> bool:
        """Whether to end: when told to, and when another service has taken the database over."""
        return await super().on_tick(counter) or bool(self._app.state.lease.lost)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what would go on for ever, then everything else."""
        self._app.state.ward.feed.close()
        await super().shutdown(sockets)
