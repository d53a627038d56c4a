"""Database servers of the tests."""

from __future__ import annotations

from typing import Protocol


class PostgresqlServer(Protocol):
    """What tests need of a server of their own."""

    def stop(self) -> None: ...

    def ensure_postgres_running(self) -> None: ...

    def get_uri(self, *, driver: str) -> str: ...
