"""Connections to PostgreSQL with a time limit for each answer, so that a server that hangs is an error.

The kernel goes on to accept data for a server that is suspended, or whose disk hangs, so no timeout of TCP helps.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.waiting import Ready

PATIENCE_S = 10.0
"""Default limit for the answer to one statement."""

_INTERVAL_S = 0.1

Answer = TypeVar("Answer")


class SilentError(psycopg.OperationalError):
    """The server does not answer."""


class Connection(psycopg.Connection[Any]):
    """A connection that is closed if an answer takes longer than `patience_s`; None = no limit."""

    patience_s: float | None = PATIENCE_S

    def wait(  # noqa: D102 -- documented by psycopg
        self, gen: Generator[Any, Any, Answer], interval: float = _INTERVAL_S, timeout: float | None = None
    ) -> Answer:
        limit_s = self.patience_s if timeout is None else timeout
        return super().wait(gen if limit_s is None else self._bounded(gen, limit_s), interval)

    def _bounded(self, gen: Generator[Any, Any, Answer], limit_s: float) -> Generator[Any, Any, Answer]:
        """Yield the steps of a wait, each of which psycopg resumes at least every `_INTERVAL_S`."""
        until = time.monotonic() + limit_s
        try:
            awaited = next(gen)
            while True:
                ready = yield awaited
                if ready == Ready.NONE and time.monotonic() > until:
                    self.pgconn.finish()
                    raise SilentError(f"the server has not answered for {limit_s:g} s")
                awaited = gen.send(ready)
        except StopIteration as end:
            answer: Answer = end.value
            return answer


def connect_with(engine: sa.Engine) -> None:
    """Make an engine use these connections."""

    def connect(dialect: object, record: object, arguments: Any, keywords: Any) -> Connection:
        return Connection.connect(*arguments, **keywords)

    sa.event.listen(engine, "do_connect", connect)


@contextmanager
def time_limit(connection: sa.Connection, limit_s: float | None) -> Iterator[None]:
    """Set the limit for each answer in the block; None = no limit."""
    driver_connection: Any = connection.connection.dbapi_connection
    before, driver_connection.patience_s = driver_connection.patience_s, limit_s
    try:
        yield
    finally:
        driver_connection.patience_s = before


def is_silence(error: BaseException | None) -> bool:
    """Check that an error is a missing answer, as opposed to a refusal."""
    return isinstance(error, SilentError | psycopg.errors.ConnectionTimeout)
