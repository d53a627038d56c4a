"""An object store on this machine that speaks S3, for tests, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from support.server import reserved_port
from support.waiting import until

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "ward", "AWS_SECRET_ACCESS_KEY": "ward-secret", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def running_object_store() -> Iterator[str]:
    """URL of a store without buckets, until the block ends."""
    with reserved_port() as port:
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _answers(url, process))
            yield url
        finally:
            process.terminate()
            process.wait()


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None
    try:
        return httpx.get(f"{url}/moto-api/").is_success
    except httpx.TransportError:
        return False
