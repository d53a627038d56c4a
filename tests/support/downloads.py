"""A server on this machine, to download from."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path


@dataclass
class Server:
    """Answers `/good.zip` and the like with what the test put into `answers`."""

    url: str
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    requests: int = 0

    def serve(self, content: bytes) -> str:
        """Address of a file with this content."""
        return self.answer(lambda handler: send(handler, content, len(content)))

    def answer(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        path = f"/{len(self.answers)}.zip"
        self.answers[path] = answer
        return self.url + path


def send(handler: BaseHTTPRequestHandler, content: bytes, declared: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(declared))
    handler.end_headers()
    handler.wfile.write(content)


def archive(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path.read_bytes()
