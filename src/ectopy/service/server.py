"""Runs the application until it is stopped."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from ectopy.errors import SettingError
from ectopy.service.connections import (
    Connections,
    Protocol,
    WebSocketProtocol,
    connections_within_descriptors,
    raise_descriptor_limit,
)
from ectopy.service.settings import Settings

_GRACE_S = 5
_TICKS_A_SECOND = 10


class Server(uvicorn.Server):
    """The service at an address; `ready` is called with the server once it answers.

    With `or_any_port`, any free port will do where that of the settings is taken.
    """

    def __init__(
        self, app: FastAPI, settings: Settings, ready: Callable[[Server], None], or_any_port: bool = False
    ) -> None:
        raise_descriptor_limit()
        most = connections_within_descriptors(settings.connections)
        connections = Connections(most, min(settings.connections_per_address, max(1, most // 2)))

        class Counted(Protocol):
            pass

        Counted.counted = self._connections = connections
        super().__init__(
            uvicorn.Config(
                app,
                http=Counted,
                loop="asyncio",
                host=settings.host,
                port=settings.port,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws_max_size=settings.request_bytes,
                ws_per_message_deflate=False,
                ws=WebSocketProtocol,
                timeout_graceful_shutdown=_GRACE_S,
                ssl_certfile=settings.tls_certificate,
                ssl_keyfile=settings.tls_key,
            )
        )
        self._app, self._settings, self._ready, self._or_any_port = app, settings, ready, or_any_port

    @property
    def address(self) -> str:
        """The address of the service."""
        host, port = self._settings.host, self._settings.port
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        return f"{'https' if self._settings.tls else 'http'}://{name}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and call `ready`; a `SettingError` if the address is taken."""
        if sockets is None:
            try:
                sockets = self._listen()
            except OSError as error:
                await asyncio.to_thread(self._app.state.lease.close)
                wrong = "host" if isinstance(error, socket.gaierror) else "port"
                raise SettingError(
                    f"the service cannot listen at {self.address} ({error.strerror or error}); choose another {wrong}."
                ) from error
        await super().startup(sockets)
        if self.started:
            self._ready(self)

    def _listen(self) -> list[socket.socket]:
        host = self._settings.host
        try:
            return self._connections.listen(host, self._settings.port)
        except OSError as error:
            if not self._or_any_port or error.errno != errno.EADDRINUSE:
                raise
            return self._connections.listen(host, 0)

    async def on_tick(self, counter: int) -> bool:
        """End late connections once a second; return whether to stop, also where another service has the database."""
        if counter % _TICKS_A_SECOND == 0:
            self._connections.end_late()
        return await super().on_tick(counter) or bool(self._app.state.lease.takeover)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live feed, which would go on for ever, then everything else."""
        self._app.state.ward.feed.close()
        await super().shutdown(sockets)
