"""The lease of a database: one service at a time writes, others wait or stop."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from ectopy.errors import StorageError
from ectopy.monitor import Command, CommandKind
from ectopy.service.storage import AuditEntry, Store, tables
from ectopy.service.storage import lease as leasing
from support import outages
from support.databases import PostgresqlServer
from support.parallel import in_parallel
from support.server import served
from support.waiting import PATIENCE_S, until

VIEW = AuditEntry(1.0, "nurse", "saw")


LEASE_S = 1.0


def hung(store: Store) -> leasing.Lease:
    """A lease that is not renewed, as if its process hung."""
    lease = store.lease(LEASE_S)
    lease._end.set()
    lease._thread.join()
    return lease


def test_a_second_lease_is_an_error_that_names_the_holder(database_url: str):
    with Store.open(database_url) as first, Store.open(database_url) as second:
        lease = first.lease(LEASE_S)
        with pytest.raises(
            StorageError, match=r"in use by another service: process \d+ on .*, since .*, until .* unless"
        ):
            second.lease(LEASE_S)
        first.audit.add(VIEW)
        assert not lease.takeover
        lease.close()
        second.lease(LEASE_S).close()


def test_a_lease_that_nobody_renews_is_taken_over_and_its_former_holder_stores_nothing_more(database_url: str):
    with Store.open(database_url) as first, Store.open(database_url) as second:
        former = hung(first)
        lease = second.lease(LEASE_S)
        with pytest.raises(StorageError, match="another service has taken"):
            first.audit.add(VIEW)
        assert first.audit.newest() == []
        former._renew()
        assert "no longer this service's: process" in former.takeover
        second.audit.add(VIEW)
        assert [stored.entry for stored in second.audit.newest()] == [VIEW]
        former.close()
        second.audit.add(VIEW)
        assert not lease.takeover
        lease.close()


def test_a_holder_that_was_out_of_reach_goes_on_where_nobody_has_taken_over(database_url: str):
    with Store.open(database_url) as store:
        lease = hung(store)
        lease._renew()
        assert not lease.takeover
        store.audit.add(VIEW)
        lease.close()
        with store.database.reading() as connection:
            assert connection.execute(sa.select(tables.leases)).all() == []


def test_of_many_that_want_an_expired_lease_one_gets_it(database_url: str):
    with Store.open(database_url) as former_store:
        hung(former_store)
        stores = [Store.open(database_url) for _ in range(4)]
        outcomes: list[object] = []

        def want(store: Store) -> None:
            try:
                outcomes.append(store.lease(LEASE_S))
            except StorageError as error:
                outcomes.append(str(error))

        in_parallel([partial(want, store) for store in stores])
        leases = [outcome for outcome in outcomes if isinstance(outcome, leasing.Lease)]
        assert len(leases) == 1
        assert all("in use by another service" in outcome for outcome in outcomes if isinstance(outcome, str))
        leases[0].close()
        for store in stores:
            store.close()


def test_tools_that_enqueue_commands_need_no_lease(database_url: str):
    with Store.open(database_url) as service, Store.open(database_url) as tool:
        service.patients.upsert("anna", 1.0)
        lease = service.lease(LEASE_S)
        tool.inputs.enqueue_command("anna", Command(CommandKind.RELEARN, 1.0, "nurse"))
        assert len(service.inputs.pending_commands()) == 1
        lease.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_lease_outlasts_an_outage_of_the_database(database_url: str, postgresql_server: PostgresqlServer):
    with Store.open(database_url) as store:
        lease = store.lease(LEASE_S)
        postgresql_server.stop()
        try:
            with pytest.raises(StorageError):
                lease._renew()
        finally:
            postgresql_server.ensure_postgres_running()
        before = until(lambda: _renewals(store) + 1)
        until(lambda: _renewals(store) > before)
        store.audit.add(VIEW)
        assert not lease.takeover
        lease.close()


def test_a_lease_that_cannot_be_renewed_says_why_and_no_more_once_it_can(tmp_path: Path):
    path = tmp_path / "ectopy.db"
    with Store.open(f"sqlite:///{path}?timeout=0.1") as store:
        assert store.lease_failure is None
        lease = store.lease(LEASE_S)
        assert store.lease_failure is None
        with outages.locked(path):
            assert "locked" in str(until(lambda: store.lease_failure))
        until(lambda: store.lease_failure is None)
        lease.close()


def _renewals(store: Store) -> int:
    try:
        with store.database.reading() as connection:
            return connection.execute(sa.select(tables.leases.c.renewals)).scalar_one()
    except StorageError:
        return 0


def test_a_second_service_explains_and_ends_with_status_2(tmp_path: Path):
    with served(tmp_path):
        command = [sys.executable, "-m", "ectopy", "serve", "--home", str(tmp_path), "--port", "0"]
        second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert second.returncode == 2
        stderr = " ".join(second.stderr.split())
        assert "is in use by another service: process" in stderr
        assert "Traceback" not in stderr


def test_a_service_that_was_killed_is_followed_by_the_next_one(tmp_path: Path):
    with served(tmp_path) as (process, _):
        process.kill()
        process.wait()
    with served(tmp_path) as (process, output):
        assert process.poll() is None
    assert "Ectopy answers at" in output
    assert "Waiting for at most" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("token", "ended"),
    [
        ("0123", False),  # of a version without the process
        ("0123|another machine|1|5", False),
        (f"0123|{leasing.process_namespace()}|{os.getpid()}|{leasing.start_of(os.getpid())}", False),
        (f"0123|{leasing.process_namespace()}|{os.getpid()}|1", True),  # the number is another's now
        (f"0123|{leasing.process_namespace()}|{2**22 + 1}|5", True),
    ],
    ids=["of an old version", "of another machine", "of this process", "of an earlier process", "of no process"],
)
def test_only_a_process_that_is_certainly_gone_loses_its_lease_at_once(tmp_path: Path, token: str, ended: bool):
    if not leasing.process_namespace():
        pytest.skip("processes of another machine cannot be told from those of this one here")
    with Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}") as store:
        holder = {"name": "service", "token": token, "renewals": 3, "holder": "process", "since": 1.0, "renewed": 2.0}
        with store.database.writing() as connection:
            connection.execute(sa.insert(tables.leases).values(holder))
        assert leasing._has_ended(token) == ended
        if ended:
            store.lease().close()


def test_a_service_whose_lease_was_taken_says_so_and_ends(tmp_path: Path):
    with served(tmp_path) as (process, _):
        store = Store.open(f"sqlite:///{tmp_path}/ectopy.db")
        with store.database.writing() as connection:
            connection.execute(sa.update(tables.leases).values(token="another", holder="process 7 on ward-2"))
        assert process.wait(PATIENCE_S) == 2
        store.close()
    assert "process 7 on ward-2 has it" in (tmp_path / "log").read_text()
