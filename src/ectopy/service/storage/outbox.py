"""The outbox as a table of the store; `ectopy.service.outbox.Outbox` says what it does."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ectopy.service.outbox import Delivery, DeliveryState
from ectopy.service.storage.database import Database
from ectopy.service.storage.tables import deliveries

LEASE_S = 60.0

_COLUMN = deliveries.c
_TAKEN = _COLUMN.state == DeliveryState.DELIVERED.value
_WAITS = _COLUMN.state == DeliveryState.WAITING.value
_IS_DEAD = _COLUMN.state == DeliveryState.DEAD.value


class StoredOutbox:
    """Messages that wait in a database, where several workers may fetch them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, now: float, most: int) -> list[Delivery]:
        """Messages that are due, of high priority and oldest first; nobody else gets them for a minute.

        A message whose worker does not say within that minute what became of it is due again.

        Raises
        ------
        StorageError
            If the database fails; so do all others here.
        """
        query = (
            sa.select(deliveries)
            .where(_WAITS, _COLUMN.due <= now)
            .order_by(_COLUMN.high.desc(), _COLUMN.created, _COLUMN.key)
            .limit(most)
        )
        with self._database.writing() as connection:
            rows = connection.execute(query).all()
            connection.execute(
                sa.update(deliveries).where(_COLUMN.key.in_([row.key for row in rows])).values(due=now + LEASE_S)
            )
        return [_delivery(row) for row in rows]

    def succeeded(self, key: str, now: float, receipt: str) -> None:
        """A message has been taken."""
        self._attempted(key, {"state": DeliveryState.DELIVERED.value, "receipt": receipt, "due": now})

    def failed(self, key: str, now: float, error: str, due: float | None) -> None:
        """An attempt has failed; the next one at `due`, or none any more. What was taken meanwhile stays so."""
        if due is None:
            self._attempted(key, {"state": DeliveryState.DEAD.value, "error": error, "due": now})
        else:
            self._attempted(key, {"error": error, "due": due})

    def unreached(self, now: float, longer_than_s: float) -> list[Delivery]:
        """Messages of high priority that are so old and that no target has taken."""
        taken = deliveries.alias()
        reached = sa.exists().where(taken.c.message == _COLUMN.message, taken.c.state == DeliveryState.DELIVERED.value)
        return self._read(_COLUMN.high, _COLUMN.created <= now - longer_than_s, ~_TAKEN, ~reached)

    def dead(self) -> list[Delivery]:
        """Messages that are given up, oldest first."""
        return self._read(_IS_DEAD)

    def _attempted(self, key: str, outcome: dict[str, Any]) -> None:
        with self._database.writing() as connection:
            connection.execute(
                sa.update(deliveries)
                .where(_COLUMN.key == key, ~_TAKEN)
                .values(outcome | {"attempts": _COLUMN.attempts + 1})
            )

    def _read(self, *conditions: sa.ColumnElement[bool]) -> list[Delivery]:
        query = sa.select(deliveries).where(*conditions).order_by(_COLUMN.created, _COLUMN.key)
        with self._database.reading() as connection:
            return [_delivery(row) for row in connection.execute(query)]


def _delivery(row: sa.Row[*tuple[Any, ...]]) -> Delivery:
    return Delivery(**{**row._mapping, "state": DeliveryState(row.state)})
