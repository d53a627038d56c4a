"""A receiver of webhooks on this machine."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ectopy.service.notify import verify
from support.waiting import PATIENCE_S

NOW = 1_700_000_000.0
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


def answer(status: int, content: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def give(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return give


class Receiver:
    """A receiver of webhooks: checks signatures, remembers keys, answers as it is told."""

    def __init__(self) -> None:
        self.now = NOW
        self.answers: Callable[[int, dict], Callable[[BaseHTTPRequestHandler], None]] = lambda number, content: answer(
            200, b"thanks"
        )
        self.requests: list[tuple[str, dict]] = []
        self.received: list[str] = []
        self.paths: list[str] = []
        self.arrived = threading.Condition()
        self.url = ""

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers["Content-Length"]))
        key = verify(SECRET, dict(handler.headers), raw, self.now)
        content = json.loads(raw)
        with self.arrived:
            self.requests.append((key, content))
            self.paths.append(handler.path)
            give = self.answers(len(self.requests), content)
            self.arrived.notify_all()
        give(handler)

    def accept(self, content: dict) -> Callable[[BaseHTTPRequestHandler], None]:
        self.received += [message["key"] for message in content["messages"] if message["key"] not in self.received]
        return answer(200, b"thanks")

    def wait_for(self, enough: Callable[[], bool]) -> None:
        with self.arrived:
            assert self.arrived.wait_for(enough, PATIENCE_S)


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A sender that does not read to the end is no error."""

    http = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
