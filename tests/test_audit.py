"""The audit: written while the store is there, kept in a journal while it is not, and never twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from ectopy.service.audit import Audit
from ectopy.service.storage import AuditEntry, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "audit.journal"


def entries(store: Store) -> list[AuditEntry]:
    return [one.entry for one in store.audit.newest()]


def test_what_a_killed_process_had_not_written_is_written_by_the_next(store: Store, journal: Path):
    killed = Audit(store, journal, lambda: 5.0)  # its thread writes nothing, as if the store were away
    killed.saw("screen", "viewed alarms", "anna")
    killed.saw("screen", "viewed alarms", "bert")
    # The first was stored just before the kill.
    store.audit.add(AuditEntry(5.0, "screen", "viewed alarms", "anna", ""))
    with journal.open("ab") as file:
        file.write(b'\n{"time":6.0,"who":"scr')
    following = Audit(store, journal, lambda: 7.0)
    following.start()
    following.did("nurse", "acknowledged alarm", "anna", "1")
    following.close()
    assert entries(store) == [
        AuditEntry(5.0, "screen", "viewed alarms", "anna", ""),
        AuditEntry(5.0, "screen", "viewed alarms", "bert", ""),
        AuditEntry(7.0, "nurse", "acknowledged alarm", "anna", "1"),
    ]
    assert not journal.exists()


def test_what_is_written_leaves_no_journal(store: Store, journal: Path):
    audit = Audit(store, journal, lambda: 5.0)
    audit.start()
    audit.did("nurse", "acknowledged alarm", "anna", "1")
    assert journal.read_bytes() == b""
    assert journal.stat().st_mode & 0o077 == 0
    audit.close()
    again = Audit(store, journal, lambda: 6.0)
    again.start()
    again.close()
    assert len(entries(store)) == 1


def test_a_disk_that_takes_no_journal_stops_nobody(store: Store, tmp_path: Path):
    audit = Audit(store, tmp_path / "not there" / "journal", lambda: 5.0)
    audit.start()
    audit.did("nurse", "acknowledged alarm", "anna", "1")
    audit.close()
    assert len(entries(store)) == 1
