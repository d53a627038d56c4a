"""Connections to PostgreSQL that wait for an answer only so long: a server that hangs fails, as one that is gone does.

Its kernel goes on to take what is sent to a server that is suspended, or whose disk hangs, so no limit of TCP helps.
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
"""How long the answer to one statement is waited for, where nothing else is said."""

_INTERVAL_S = 0.1

Answer = TypeVar("Answer")


class SilentError(psycopg.OperationalError):
    """The server does not answer."""


class Connection(psycopg.Connection[Any]):
    """A connection that is closed where an answer takes too long.

    Attributes
    ----------
    patience_s : float or None
        How long an answer is waited for; None = for ever.
    """

    patience_s: float | None = PATIENCE_S

    def wait(  # noqa: D102 -- psycopg says what it does
        self, gen: Generator[Any, Any, Answer], interval: float = _INTERVAL_S, timeout: float | None = None
    ) -> Answer:
        limit_s = self.patience_s if timeout is None else timeout
        return super().wait(gen if limit_s is None else self._bounded(gen, limit_s), interval)

    def _bounded(self, gen: Generator[Any, Any, Answer], limit_s: float) -> Generator[Any, Any, Answer]:
        """The steps of what waits, which psycopg goes through and looks after every interval."""
        until = time.monotonic() + limit_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready == Ready.NONE and time.monotonic() > until:
                    self.pgconn.finish()
                    raise SilentError(f"the server has not answered for {limit_s:g} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            answer: Answer = end.value
            return answer


def connect_with(engine: sa.Engine) -> None:
    """Let an engine use such connections."""

    def connect(dialect: object, record: object, arguments: Any, keywords: Any) -> Connection:
        return Connection.connect(*arguments, **keywords)

    sa.event.listen(engine, "do_connect", connect)


@contextmanager
def patient(connection: sa.Connection, limit_s: float | None) -> Iterator[None]:
    """Wait so long for each answer in the block; None = for ever."""
    held: Any = connection.connection.dbapi_connection
    before, held.patience_s = held.patience_s, limit_s
    try:
        yield
    finally:
        held.patience_s = before


def is_silence(error: BaseException | None) -> bool:
    """Whether an error says that the server does not answer, neither yes nor no."""
    return isinstance(error, SilentError | psycopg.errors.ConnectionTimeout)
