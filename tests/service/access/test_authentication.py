"""Authentication of every route: keys, sessions, callers without a key, and pages of other sites."""

from __future__ import annotations

import gzip
import json
import os
import re
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from ectopy.service.access import Authenticator, RateLimiter, Scope, digest
from ectopy.service.access.authentication import SESSION_S
from ectopy.service.api.middleware.access_control import COOKIE
from ectopy.service.json_logs import log_as_json
from ectopy.service.storage import Store
from support.server import Service, address_of, key_of, running, served, small
from support.waiting import PATIENCE_S, until

OPEN = {("get", "/health"), ("get", "/health/ready"), ("post", "/api/session")}
OF_ANY_KEY = {
    ("get", "/api/session"),
    ("delete", "/api/session"),
    ("get", "/api/about"),
    ("get", "/api/fhir/metadata"),
}


def operations(service: Service) -> dict[tuple[str, str], list[str]]:
    """Every route with its scopes, one of which is needed."""
    scopes_of_routes = {}
    for path, methods in service.app.openapi()["paths"].items():
        for method, facts in methods.items():
            needed = [scope for way in facts.get("security", []) for scope in way.get("key", [])]
            scopes_of_routes[method, path] = needed
    return scopes_of_routes


def sockets(routes: list) -> Iterator[str]:
    """Addresses of all WebSockets."""
    for route in routes:
        if isinstance(route, WebSocketRoute):
            yield route.path
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if isinstance(inner, APIRouter):
            yield from sockets(inner.routes)


def filled(path: str) -> str:
    return re.sub(r"\{.*?\}", "1", path)


@pytest.fixture(scope="module")
def keys(service: Service) -> dict[str, str]:
    """A key for each scope alone, and one for all of them but the last."""
    key_of = {scope.value: service.new_key(scope) for scope in Scope}
    return key_of | {"but administer": service.new_key(*(scope for scope in Scope if scope is not Scope.ADMINISTER))}


def test_the_routes_are_known(service: Service):
    scopes_of_routes = operations(service)
    assert len(scopes_of_routes) > 25
    without = {route for route, needed in scopes_of_routes.items() if not needed}
    assert without == OPEN | OF_ANY_KEY
    assert set(sockets(service.app.routes)) == {"/api/live", "/api/patients/{patient}/stream"}


def test_without_a_key_every_route_is_401(service: Service):
    with service.stranger() as stranger:
        for method, path in operations(service).keys() - OPEN:
            for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Basic ectopy"}, {"Cookie": "a=b"}):
                answer = stranger.request(method, filled(path), headers=headers)
                assert answer.status_code == 401, (method, path)
                assert set(answer.json()) == {"detail"}
    for path in sockets(service.app.routes):
        with pytest.raises(InvalidStatus) as refused:
            service.socket(filled(path), key="ectopy_wrong")
        assert refused.value.response.status_code == 401


def test_a_wrong_key_gets_another_message_than_no_key(service: Service):
    with service.client(key="ectopy_wrong") as wrong, service.stranger() as stranger:
        assert "not known" in wrong.get("/api/patients").json()["detail"]
        assert "sign in" in stranger.get("/api/patients").json()["detail"]


def test_a_key_without_the_scope_of_a_route_is_403(service: Service, keys: dict[str, str]):
    for (method, path), needed in operations(service).items():
        if not needed:
            continue
        other = "but administer" if needed == ["administer", "administer"] else _another(needed[0])
        with service.client(keys[other]) as client:
            answer = client.request(method, filled(path))
        assert answer.status_code == 403, (method, path, other)
        assert set(answer.json()) == {"detail"}
        assert needed[0] in answer.json()["detail"]
    for path, scope in (("/api/live", "view"), ("/api/patients/1/stream", "send")):
        with pytest.raises(InvalidStatus) as refused:
            service.socket(path, key=keys[_another(scope)])
        assert refused.value.response.status_code == 403


def _another(scope: str) -> str:
    return next(other.value for other in Scope if other not in (scope, Scope.ADMINISTER))


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/metrics", "/api/../metrics", "//api/patients"])
def test_no_spelling_of_a_path_bypasses_authentication(service: Service, path: str):
    with service.stranger() as stranger:
        assert stranger.get(path).status_code in (401, 404, 405)


# Keys


def test_keys_are_stored_as_digests(tmp_path: Path):
    with running(tmp_path) as service:
        key = service.new_key(Scope.SEND)
        with service.client() as client:
            listed = client.get("/api/keys").json()
            cookie = client.post("/api/session", json={"key": key}).cookies[COOKIE]
        assert [key_["scopes"] for key_ in listed] == [["administer"], ["send"]]
        assert "key" not in listed[0]
        stored = b"".join(path.read_bytes() for path in tmp_path.rglob("ectopy.db*"))
        for secret in (key, service.key, cookie):
            assert secret.encode() not in stored
            assert digest(secret).encode() in stored


@pytest.mark.skipif(os.name != "posix", reason="there are no such permissions")
def test_other_accounts_cannot_open_the_folder(tmp_path: Path):
    with running(tmp_path / "above" / "home"):
        assert (tmp_path / "above" / "home").stat().st_mode & 0o077 == 0


def test_the_first_key_is_made_once(tmp_path: Path):
    with running(tmp_path) as service:
        first = service.key
    with running(tmp_path) as service:
        assert service.key == ""
        with service.client(first) as client:
            assert client.get("/api/session").json()["scopes"] == ["administer"]


def test_a_key_that_is_removed_opens_nothing_and_ends_its_sessions(service: Service):
    key = service.new_key(Scope.VIEW)
    with service.client() as client, service.client(key) as holder, service.stranger() as browser:
        number = next(key_["id"] for key_ in reversed(client.get("/api/keys").json()))
        browser.post("/api/session", json={"key": key})
        assert browser.get("/api/patients").status_code == 200
        assert holder.get("/api/patients").status_code == 200
        assert client.delete(f"/api/keys/{number}").status_code == 204
        assert client.delete(f"/api/keys/{number}").status_code == 404
        assert holder.get("/api/patients").status_code == 401
        assert browser.get("/api/patients").status_code == 401


def test_open_connections_end_when_their_key_is_removed(service: Service):
    key, other = service.new_key(Scope.VIEW, Scope.SEND), service.new_key(Scope.SEND)
    with service.client() as client, service.client(key) as guest:
        client.post("/api/patients", json={"patient": "guarded"}).raise_for_status()
        number = client.get("/api/keys").json()[-2]["id"]
        path = "/api/patients/guarded/stream"
        with (
            service.socket("/api/live?patient=guarded", key) as viewer,
            service.socket(path, key) as device,
            service.socket(path, other) as another,
            guest.stream("GET", "/api/events?patient=guarded&kind=rejected") as events,
        ):
            lines = events.iter_lines()
            assert next(lines) == ": ping"
            assert json.loads(device.recv(PATIENCE_S)) == {"next_position": None, "stream": ""}
            client.delete(f"/api/keys/{number}").raise_for_status()
            device.send(json.dumps(small()))
            assert json.loads(device.recv(PATIENCE_S)) == {"rejected": "the key was removed."}
            # What happens now the other device makes happen.
            another.send(json.dumps(small()))
            another.send(json.dumps(small(25, unit="bar")))
            for ended in (viewer, device):
                with pytest.raises(ConnectionClosed):
                    all(ended)
            assert [line for line in lines if line] == []
            assert viewer.close_code == device.close_code == 1008


def test_the_last_key_cannot_be_removed(service: Service):
    with service.client() as client:
        assert client.delete("/api/keys/1").status_code == 409


# Sessions


@pytest.fixture
def browser(service: Service) -> Iterator[tuple[httpx.Client, str]]:
    """A browser that has signed in, and its token."""
    with service.stranger() as stranger:
        answer = stranger.post("/api/session", json={"key": service.key})
        yield stranger, answer.json()["csrf"]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(service: Service):
    with service.stranger() as stranger:
        answer = stranger.post("/api/session", json={"key": service.key})
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 200
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age" not in cookie
    assert service.key not in cookie


def test_a_session_ends_when_it_is_signed_out(browser: tuple[httpx.Client, str]):
    client, csrf = browser
    cookie = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    assert client.get("/api/session").json() == {"name": "first key", "scopes": ["administer"], "csrf": csrf}
    assert client.delete("/api/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert client.get("/api/session").status_code == 401
    assert client.get("/api/session", headers=cookie).status_code == 401


def test_open_connections_end_when_their_session_is_signed_out(service: Service, browser: tuple[httpx.Client, str]):
    client, csrf = browser
    with service.client() as other:
        other.post("/api/patients", json={"patient": "quiet"}).raise_for_status()
    with (
        _with_cookie(service, f"{COOKIE}={client.cookies[COOKIE]}", service.url, "?patient=quiet") as viewer,
        service.socket("/api/live?patient=quiet") as another,
        client.stream("GET", "/api/events?patient=quiet&kind=rejected") as events,
    ):
        lines = events.iter_lines()
        assert next(lines) == ": ping"
        assert client.delete("/api/session", headers={"X-CSRF-Token": csrf}).status_code == 204
        # Nothing happens to the patient, and yet no sign of life comes any more.
        assert [line for line in lines if line] == []
        with pytest.raises(ConnectionClosed):
            all(viewer)
        assert viewer.close_code == 1008
        assert another.ping().wait(PATIENCE_S)


def test_a_session_lasts_while_it_is_used(tmp_path: Path):
    with closing(Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}")) as store:
        now = 0.0
        authenticator = Authenticator(store.keys, lambda: now)
        _, secret = authenticator.new_key("wall", frozenset({Scope.VIEW}))
        _, cookie = authenticator.sign_in(secret)
        for _ in range(5):
            now += 0.9 * SESSION_S
            assert authenticator.caller_for_session(cookie).name == "wall"
        now += 1.1 * SESSION_S
        assert authenticator.caller_for_session(cookie) is None


@pytest.mark.parametrize("headers", [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}])
def test_another_site_changes_nothing_with_a_cookie(browser: tuple[httpx.Client, str], headers: dict[str, str]):
    client, csrf = browser
    patient = {"patient": "csrf", "name": ""}
    assert client.post("/api/patients", json=patient, headers=headers).status_code == 403
    assert client.post("/api/patients", json=patient, headers={"X-CSRF-Token": csrf}).status_code == 201


def test_a_form_of_another_site_cannot_sign_in(service: Service):
    content = json.dumps({"key": service.key})
    with service.stranger() as stranger:
        other = {"Origin": "https://elsewhere.example", "Content-Type": "application/json"}
        assert stranger.post("/api/session", content=content, headers=other).status_code == 403
        nonsense = {"Content-Type": "application/json", "Origin": "http://["}
        assert stranger.post("/api/session", content=content, headers=nonsense).status_code == 403
        form = {"Content-Type": "text/plain"}
        assert stranger.post("/api/session", content=content, headers=form).status_code == 422


def test_a_socket_with_a_cookie_is_for_pages_of_this_service(service: Service, browser: tuple[httpx.Client, str]):
    client, _ = browser
    cookie = f"{COOKIE}={client.cookies[COOKIE]}"
    for origin in (None, "https://elsewhere.example", "null", "http://["):
        with pytest.raises(InvalidStatus) as refused:
            _with_cookie(service, cookie, origin)
        assert refused.value.response.status_code == 403
    with _with_cookie(service, cookie, service.url) as socket:
        assert socket.ping().wait(PATIENCE_S)


def _with_cookie(service: Service, cookie: str, origin: str | None, query: str = "") -> ClientConnection:
    url = service.url.replace("http", "ws", 1) + "/api/live" + query
    return connect(url, additional_headers={"Cookie": cookie}, origin=origin, compression=None, proxy=None)


# Too often, too large, too clever


def test_too_many_requests_are_429_with_a_time_to_wait(tmp_path: Path):
    with running(tmp_path, requests_per_minute=60) as service, service.client() as client:
        answers = [client.get("/api/session") for _ in range(20)]
        late = [answer for answer in answers if answer.status_code == 429]
        assert answers[0].status_code == 200
        assert late
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in late)
        assert client.get("/health").status_code == 200


def test_wrong_keys_are_limited_and_right_ones_still_work(tmp_path: Path):
    with running(tmp_path, failures_per_minute=3) as service, service.stranger() as stranger:
        codes = [stranger.post("/api/session", json={"key": "ectopy_guess"}).status_code for _ in range(5)]
        assert codes == [401, 401, 401, 429, 429]
        codes = [stranger.get("/api/about", headers={"Authorization": "Bearer x"}).status_code for _ in range(2)]
        assert codes == [429, 429]
        with service.client() as client:
            assert client.get("/api/about").status_code == 200
            assert client.post("/api/session", json={"key": service.key}).status_code == 200


def test_a_body_that_is_too_large_is_not_read(tmp_path: Path):
    with running(tmp_path, request_bytes=10_000) as service, service.client() as client:
        client.post("/api/patients", json={"patient": "anna"})
        stated = client.post("/api/patients/anna/chunks", json=small(samples=10_000))
        assert stated.status_code == 413
        unstated = client.post(
            "/api/patients/anna/chunks",
            content=(b" " * 1000 for _ in range(100)),
            headers={"Content-Type": "application/json"},
        )
        assert unstated.status_code == 413


def test_without_the_table_of_keys_guesses_are_rejected_and_a_key_gets_a_503_that_hides_the_store(tmp_path: Path):
    with running(tmp_path) as service, service.client() as client, service.stranger() as stranger:
        with sqlite3.connect(tmp_path / "ectopy.db") as database:
            database.execute("ALTER TABLE keys RENAME TO away")
        for guess in ("x", "ectopy_", "ectopy_" + "A" * 43):
            assert stranger.get("/api/about", headers={"Authorization": f"Bearer {guess}"}).status_code == 401
            assert stranger.get("/api/about", headers={"Cookie": f"{COOKIE}={guess}"}).status_code == 401
            assert stranger.post("/api/session", json={"key": guess}).status_code == 401
        answer = client.get("/api/about")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert "sqlite" not in answer.text
        assert str(tmp_path) not in answer.text
        with sqlite3.connect(tmp_path / "ectopy.db") as database:
            database.execute("ALTER TABLE away RENAME TO keys")
        assert client.get("/api/about").status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity"])
def test_no_body_is_unpacked(service: Service, encoding: str):
    bomb = gzip.compress(b" " * 10_000_000)
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    with service.client() as client:
        assert client.post("/api/patients", content=bomb, headers=headers).status_code == 415


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/settings.py",
        "/....//....//settings.py",
        "/..\\..\\settings.py",
        "//etc/passwd",
        "/index.html/../../settings.py",
        "/.keep",
        "/%00",
        "/index.html%00.js",
    ],
)
def test_pages_are_files_of_one_folder(service: Service, path: str):
    address = httpx.URL(service.url)
    with service.stranger() as stranger:
        request = stranger.build_request("GET", service.url)
        request.url = address.copy_with(raw_path=path.encode())
        answer = stranger.send(request)
    assert answer.status_code in (400, 404, 405)
    assert "root:" not in answer.text


def test_a_browser_may_run_only_what_the_service_sends(service: Service):
    with service.stranger() as stranger:
        page, api = stranger.get("/"), stranger.get("/health")
    for answer in (page, api):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert page.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(("path", "code"), [("/api/patients/nobody", 404), ("/api/alarms?limit=x", 422)])
def test_errors_are_one_sentence(service: Service, path: str, code: int):
    with service.client() as client:
        answer = client.get(path)
    assert answer.status_code == code
    assert answer.json()["detail"].endswith(".")


@pytest.mark.usefixtures("own_log")
def test_the_log_holds_neither_keys_nor_names(service: Service, capsys: pytest.CaptureFixture[str]):
    log_as_json()
    with service.client() as client:
        client.post("/api/patients", json={"patient": "logged", "name": "Rosa Secret"})
        client.get("/api/patients/logged")
        client.get("/api/patients", headers={"Authorization": "Bearer ectopy_wrong"})
    with pytest.raises(InvalidStatus):
        service.socket("/api/live", key="ectopy_wrong")
    service.socket("/api/patients/logged/stream").close()
    lines: list[dict] = []

    def ended() -> list[dict]:
        lines.extend(json.loads(line) for line in capsys.readouterr().err.splitlines())
        return [line for line in lines if line.get("code")]

    (device,) = until(ended)
    assert {"GET", "POST"} <= {line.get("method") for line in lines}
    assert "/api/patients/{patient}" in {line.get("route") for line in lines}
    assert (device["event"], device["route"], device["code"]) == (
        "socket ended",
        "/api/patients/{patient}/stream",
        1000,
    )
    assert 401 in {line.get("status") for line in lines if line["event"] == "socket ended"}
    for secret in (service.key, "ectopy_wrong", "Rosa", "logged"):
        assert secret not in str(lines)


def test_over_tls_the_cookie_stays_on_tls(tmp_path: Path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    of_curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    for_here = "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = f"openssl req -x509 {of_curve} {for_here} -keyout {key} -out {certificate}"
    openssl = subprocess.run(command.split(), capture_output=True)
    if openssl.returncode:
        pytest.skip("openssl cannot make a certificate here")
    with running(tmp_path, tls_certificate=certificate, tls_key=key) as service:
        assert service.url.startswith("https://")
        with service.client(verify=ssl.create_default_context(cafile=certificate)) as client:
            answer = client.post("/api/session", json={"key": service.key})
        assert "secure" in answer.headers["set-cookie"].lower()


def test_a_rate_limiter_refills_up_to_its_limit():
    limiter = RateLimiter(per_minute=60, most=3)
    assert [limiter.acquire("a", 0.0) for _ in range(4)] == [0, 0, 0, 1.0]
    assert limiter.acquire("b", 0.0) == 0
    assert [limiter.acquire("a", 1000.0) for _ in range(4)] == [0, 0, 0, 1.0]


def test_the_database_holds_what_the_audit_says(service: Service):
    with service.client() as client:
        client.post("/api/patients", json={"patient": "audited", "name": "x"})
        for _ in range(3):
            client.get("/api/patients/audited")
        entries = client.get("/api/audit", params={"patient": "audited"}).json()
    assert [(entry["who"], entry["what"]) for entry in entries] == [
        ("first key", "admitted patient"),
        ("first key", "viewed patient"),
    ]
    assert abs(entries[0]["time"] - time.time()) < 60


# Readiness, and other accounts of the machine


def ready(service: Service) -> tuple[int, dict[str, bool]]:
    with service.stranger() as stranger:
        answer = stranger.get("/health/ready")
    return answer.status_code, answer.json()["checks"]


def test_a_service_without_space_is_not_ready(service: Service, monkeypatch: pytest.MonkeyPatch):
    assert until(lambda: ready(service)[0] == 200)
    monkeypatch.setattr("ectopy.service.api.readiness.LEAST_FREE_BYTES", 2**60)
    until(lambda: ready(service) == (503, {"store": True, "hub": True, "disk": False}))
    monkeypatch.undo()
    assert until(lambda: ready(service)[0] == 200)


def test_a_service_that_cannot_write_is_not_ready(tmp_path: Path):
    with running(tmp_path) as service:
        assert ready(service)[0] == 200
        with sqlite3.connect(tmp_path / "ectopy.db") as database:
            database.execute("CREATE TRIGGER full BEFORE INSERT ON sizes BEGIN SELECT RAISE(ABORT, 'read-only'); END")
        until(lambda: ready(service) == (503, {"store": False, "hub": True, "disk": True}))
        with sqlite3.connect(tmp_path / "ectopy.db") as database:
            database.execute("DROP TRIGGER full")
        assert until(lambda: ready(service)[0] == 200)


def test_a_body_that_is_no_recording_is_small(service: Service):
    lists = b'{"key": [' + b",".join([b"[]"] * 100_000) + b"]}"
    with service.stranger() as stranger:
        headers = {"Content-Type": "application/json"}
        assert stranger.post("/api/session", content=lists, headers=headers).status_code == 413
    with service.client() as client:
        assert client.post("/api/keys", content=lists, headers=headers).status_code == 413
        assert client.post("/api/patients", content=lists, headers=headers).status_code == 413


def test_other_accounts_cannot_read_the_data(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    with served(home) as (_, output):
        headers = {"Authorization": f"Bearer {key_of(output)}"}
        with httpx.Client(base_url=address_of(output), headers=headers, timeout=PATIENCE_S, trust_env=False) as client:
            client.post("/api/patients", json={"patient": "anna"}).raise_for_status()
            recording = [("files", ("a.csv", b"I\n" + b"0.1\n" * 500))]
            client.post("/api/recordings", files=recording, data={"unit": "mV"}).raise_for_status()
        permissions = {path: path.stat().st_mode & 0o077 for path in home.rglob("*") if path.name != "log"}
    assert {"ectopy.db", "ectopy.db-wal", "recordings", "entry.json"} <= {path.name for path in permissions}
    assert set(permissions.values()) == {0}


def test_a_new_database_is_for_its_owner_alone(tmp_path: Path):
    file = tmp_path / "ward.db"
    with closing(Store.open(f"sqlite:///{file}")) as store:
        store.patients.upsert("anna", 0.0)
        assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("ward.db*")} == {0}


def test_listing_the_keys_is_in_the_audit(service: Service):
    with service.client() as client:
        client.get("/api/keys")
        assert "listed keys" in {entry["what"] for entry in client.get("/api/audit").json()}
