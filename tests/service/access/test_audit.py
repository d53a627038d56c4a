"""The audit: stored at once, kept in a journal during an outage, and never stored twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from ectopy.service.access import Scope
from ectopy.service.access.audit import Audit
from ectopy.service.api.dependencies import AuditDep
from ectopy.service.storage import AuditEntry, Store
from support.server import Service


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "audit.journal"


def entries(store: Store) -> list[AuditEntry]:
    return [stored.entry for stored in store.audit.newest()]


def test_the_next_process_stores_the_entries_of_a_killed_one(store: Store, journal: Path):
    killed = Audit(store, journal, lambda: 5.0)  # its thread writes nothing, as if the store were away
    killed.saw("screen", "viewed alarms", "anna")
    killed.saw("screen", "viewed alarms", "bert")
    # The first was stored just before the kill.
    store.audit.add(AuditEntry(5.0, "screen", "viewed alarms", "anna", ""))
    with journal.open("ab") as file:
        file.write(b'\n{"time":6.0,"who":"scr')
    next_audit = Audit(store, journal, lambda: 7.0)
    next_audit.start()
    next_audit.did("nurse", "acknowledged alarm", "anna", "1")
    next_audit.close()
    assert entries(store) == [
        AuditEntry(5.0, "screen", "viewed alarms", "anna", ""),
        AuditEntry(5.0, "screen", "viewed alarms", "bert", ""),
        AuditEntry(7.0, "nurse", "acknowledged alarm", "anna", "1"),
    ]
    assert not journal.exists()


def test_stored_entries_leave_no_journal(store: Store, journal: Path):
    audit = Audit(store, journal, lambda: 5.0)
    audit.start()
    audit.did("nurse", "acknowledged alarm", "anna", "1")
    assert journal.read_bytes() == b""
    assert journal.stat().st_mode & 0o077 == 0
    audit.close()
    next_audit = Audit(store, journal, lambda: 6.0)
    next_audit.start()
    next_audit.close()
    assert len(entries(store)) == 1


def test_entries_are_stored_without_a_journal(store: Store, tmp_path: Path):
    audit = Audit(store, tmp_path / "not there" / "journal", lambda: 5.0)
    audit.start()
    audit.did("nurse", "acknowledged alarm", "anna", "1")
    audit.close()
    assert len(entries(store)) == 1


# The routes


_WITHOUT_PATIENTS = {"/health", "/health/ready", "/metrics", "/api/about", "/api/session", "/api/fhir/metadata"}
"""What is open to all, or to every key: of the session only who is asking."""

_VALUES = {"number": 1, "start": 0, "stop": 60}


def _dependencies(dependant: Dependant) -> Iterator[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _dependencies(dependency)


def _routes(service: Service) -> list[APIRoute | APIWebSocketRoute]:
    """The routes of the service, but the pages and the schema."""
    contexts = iter_route_contexts(service.app.routes)
    return [context.route for context in contexts if isinstance(context.route, APIRoute | APIWebSocketRoute)]


def test_every_route_that_serves_or_changes_something_has_the_audit(service: Service):
    (audit,) = AuditDep.__metadata__
    without = {route.path for route in _routes(service) if audit.dependency not in _dependencies(route.dependant)}
    assert without == _WITHOUT_PATIENTS


def test_every_view_of_a_patient_is_in_the_audit(service: Service):
    with service.client() as client:
        client.post("/api/patients", json={"patient": "watched by all"})
        paths = client.get("/api/openapi.json").json()["paths"]
        parameters = {
            path: operations["get"].get("parameters", ()) for path, operations in paths.items() if "get" in operations
        }
        views = {
            path: {parameter["name"] for parameter in of_path if parameter["in"] == "query"}
            for path, of_path in parameters.items()
            if "patient" in {parameter["name"] for parameter in of_path}
        }
        assert len(views) > 9
        for path, queries in views.items():
            key = service.new_key(Scope.VIEW, Scope.ADMINISTER, name=f"view {path}")
            values = _VALUES | {"patient": "watched by all"}
            params = {name: value for name, value in values.items() if name in queries}
            with (
                service.client(key) as viewer,
                viewer.stream("GET", path.format(**values), params=params) as answer,
            ):
                assert answer.status_code in (200, 404)
        actors = {entry["who"] for entry in client.get("/api/audit", params={"patient": "watched by all"}).json()}
    assert {f"view {path}" for path in views} <= actors
