"""Whatever is asked of the service, it does not fail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from support.server import running

if TYPE_CHECKING:
    from schemathesis import Case

ENDLESS = {("GET", "/api/events")}
HEAVY = {("POST", "/api/recordings"), ("POST", "/api/recordings/named"), ("POST", "/api/replays")}
"""These start processes and simulations."""


@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.long)])
def test_the_service_answers_whatever_it_is_asked(tmp_path: Path, examples: int):
    import schemathesis

    with running(tmp_path) as service, service.client() as client:
        for patient in ("bed 3", "0"):
            client.post("/api/patients", json={"patient": patient}).raise_for_status()
        schema = schemathesis.openapi.from_dict(service.app.openapi())
        asked = 0
        for found in schema.get_all_operations():
            operation = found.ok()
            route = operation.method.upper(), operation.path
            if route in ENDLESS or (examples < 10 and route in HEAVY):
                continue

            @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy())
            def ask(case: Case) -> None:
                nonlocal asked
                asked += 1
                headers = {"Authorization": f"Bearer {service.key}"}
                answer = case.call(base_url=service.url, headers=headers)
                assert answer.status_code < 500, (case.formatted_path, answer.text)

            ask()
        assert asked > 40
        assert client.get("/health/ready").json()["ready"]
