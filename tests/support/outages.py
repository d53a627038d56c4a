"""Databases that are lost for a while: a full disk, a locked file, a server that is stopped."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from support.databases import PostgresqlServer

KINDS = ["full disk", "locked", "server stopped"]


@contextmanager
def full_disk() -> Iterator[None]:
    """Nothing can be added to any file of this process."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, unlimited[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else writes, and does not end."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@contextmanager
def stopped(server: PostgresqlServer) -> Iterator[None]:
    """The server does not run."""
    server.stop()
    try:
        yield
    finally:
        server.ensure_postgres_running()


@contextmanager
def hanging(server: sa.Engine) -> Iterator[None]:
    """The server takes what is sent to it, and does not answer."""
    with server.connect() as connection:
        folder = connection.exec_driver_sql("SHOW data_directory").scalar_one()
    server.dispose()
    first = psutil.Process(int((Path(folder) / "postmaster.pid").read_text().split()[0]))
    processes = [first, *first.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            process.resume()


@dataclass
class Losable:
    """A database that can be lost for a while."""

    url: str
    outage: Callable[[], AbstractContextManager[None]]


def losable(kind: str, folder: Path, request: pytest.FixtureRequest) -> Losable:
    """A new database that can be lost in this way."""
    path = folder / "ectopy.db"
    match kind:
        case "full disk":
            return Losable(f"sqlite:///{path}", full_disk)
        case "locked":
            return Losable(f"sqlite:///{path}?timeout=0.2", lambda: locked(path))
        case _:
            server = request.getfixturevalue("postgresql_server")
            with request.getfixturevalue("postgresql").connect() as connection:
                connection.exec_driver_sql(f'CREATE DATABASE "{folder.name}"')
            url = sa.make_url(server.get_uri(driver="psycopg")).set(database=folder.name)
            return Losable(url.render_as_string(hide_password=False), lambda: stopped(server))
