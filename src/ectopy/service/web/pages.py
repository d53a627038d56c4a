"""The pages: files that hold no data, and headers that let a browser run nothing else."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER = Path(__file__).parents[1] / "pages"

_STRICT = "max-age=31536000"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Pages(StaticFiles):
    """Files of a folder; ``/patient`` is ``patient.html``."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER, html=True)

    def get_path(self, scope: Scope) -> str:
        """The file for an address."""
        path = super().get_path(scope)
        name = PurePosixPath(path).name
        return f"{path}.html" if name and "." not in name else path


class Headers:
    """Adds headers to every answer; what is not a page is not kept by anybody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        keeping = "no-store" if scope["path"].startswith(("/api", "/metrics")) else "no-cache"

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", keeping)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", _STRICT)
            await send(message)

        await self._app(scope, receive, sending)
