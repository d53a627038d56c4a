"""A server on this machine, to download from."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path

import pytest

from ectopy.datasets.data_folders import DATA_VARIABLE
from ectopy.errors import DatasetUnavailableError


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


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", compression, compresslevel=1) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return content.getvalue()


def refused_fetch(fetch: Callable[..., Path], url: str, cache: Path) -> str:
    """The one sentence with which a download is refused, after which the cache is empty."""
    with pytest.raises(DatasetUnavailableError) as caught:
        fetch(url=url, progress=False)
    assert list(cache.iterdir()) == []
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert DATA_VARIABLE in message
    assert "`ectopy fetch " in message
    return message
