"""Refusals on a real server: a status and one sentence, also for WebSockets and bodies that are too large."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from support.server import running, small

LONG_NAME = 201 * "x"


@pytest.mark.parametrize(
    ("path", "key", "status", "words"),
    [
        ("/api/patients/nobody/stream", None, 404, "nobody"),
        ("/api/live?patient=nobody", None, 404, "nobody"),
        ("/nowhere", None, 404, "nothing exists at this address"),
        ("/api/patients", None, 404, "nothing exists at this address"),
        ("/api/patients/nobody/stream", "ectopy_" + 43 * "x", 401, "this key is not known"),
        (f"/api/patients/nobody/stream?device={LONG_NAME}", None, 422, "query.device: "),
    ],
)
def test_a_refused_websocket_is_answered_and_is_not_an_error_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, key: str | None, status: int, words: str
):
    with running(tmp_path) as service, pytest.raises(InvalidStatus) as refused:
        service.socket(path, key)
    response = refused.value.response
    assert response.status_code == status
    assert words in json.loads(response.body)["detail"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_body_that_is_too_large_is_answered_with_its_limit(tmp_path: Path):
    with running(tmp_path, request_bytes=100_000) as service, service.client() as client:
        client.post("/api/patients", json={"patient": "anna"})
        for path, limit in (
            ("/api/keys", 65_536),
            ("/api/patients/anna/chunks", 100_000),
            ("/api/recordings/0/corrections", 100_000),
        ):
            content = json.dumps(small(note=limit * " ")).encode()
            for body in (content, iter([content])):  # with its length, and without
                answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code == 413
                assert answer.json() == {"detail": f"the body is too large; send at most {limit} bytes."}
                assert answer.headers["Cache-Control"] == "no-store"
