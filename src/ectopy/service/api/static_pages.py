"""The pages: files that hold no data, the frame around each of them, and the answer at unknown addresses."""

from __future__ import annotations

import html
import re
from pathlib import Path, PurePosixPath

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from ectopy.disclaimers import STATEMENTS

FOLDER = Path(__file__).parents[1] / "pages"

_UNKNOWN = "unknown.html"
_METHODS = ("GET", "HEAD")
_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/styles/base.css">
{head}</head>
<body>
<a class="skip" href="#{id}">To the content</a>
<header id="top"></header>
<div id="connection" role="alert"></div>
<div id="polite" class="visually-hidden" aria-live="polite"></div>
<div id="urgent" class="visually-hidden" aria-live="assertive"></div>
<div id="trouble" role="alert" hidden></div>
<noscript><p>These pages need JavaScript.</p></noscript>
{main}<footer>
<ul aria-label="What Ectopy is not">
{statements}
</ul>
</footer>
</body>
</html>
"""


def pages() -> dict[str, str]:
    """Return the HTML of each page by the name of its file, which holds its title, styles, module and content."""
    statements = "\n".join(f"<li>{html.escape(statement)}</li>" for statement in STATEMENTS)
    framed = {}
    for path in FOLDER.glob("*.html"):
        head, tag, content = path.read_text(encoding="utf-8").partition("<main ")
        (id,) = re.findall(r'^id="([^"]+)"', content)
        framed[path.name] = _FRAME.format(head=head, id=id, main=tag + content, statements=statements)
    return framed


class Pages(StaticFiles):
    """Pages and the files they need, for every address that no route takes; ``/patient`` is ``patient.html``."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)
        self._pages = pages()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; a WebSocket is refused."""
        if scope["type"] == "websocket":
            raise HTTPException(404)
        await super().__call__(scope, receive, send)

    def get_path(self, scope: Scope) -> str:
        """Return the file for an address."""
        path = super().get_path(scope)
        name = PurePosixPath(path).name
        if not name:
            return "index.html"
        return path if "." in name else f"{path}.html"

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a page, a file, or where nothing exists a page that says so to people."""
        if path in self._pages:
            response: Response = HTMLResponse(self._pages[path])
        else:
            try:
                response = await super().get_response(path, {**scope, "method": "GET"})
            except HTTPException as error:
                if error.status_code == 404 and "text/html" in Headers(scope=scope).get("accept", ""):
                    return HTMLResponse(self._pages[_UNKNOWN], 404)
                raise
        if scope["method"] not in _METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(_METHODS)})
        return response
