"""The outbox as a table of the store."""

from __future__ import annotations

import threading
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from ectopy.service.notify.outbox import Delivery, DeliveryState, Outbox, Setback
from ectopy.service.storage.database import Database, ResultRow, Row
from ectopy.service.storage.tables import deliveries

LEASE_S = 60.0

_COLUMN = deliveries.c
_DELIVERY = [_COLUMN[field.name] for field in fields(Delivery)]
_WAITING = DeliveryState.WAITING.value
_UNDELIVERED = _COLUMN.state.in_([_WAITING, DeliveryState.DEAD.value])


class StoredOutbox(Outbox):
    """Messages that wait in a database, where several workers may claim them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._setback = Setback()
        self._setback_s = 0.0

    @override
    def claim(self, now: float, most: int, target: str, high: bool) -> list[Delivery]:
        self._follow(now)
        due = (_COLUMN.state == _WAITING, _COLUMN.target == target, _COLUMN.high == high, _COLUMN.due <= now)
        # Mostly no message is due, and a read does not wait for the writer.
        with self._database.reading() as connection:
            if connection.execute(sa.select(_COLUMN.key).where(*due).limit(1)).first() is None:
                return []
        query = sa.select(*_DELIVERY).where(*due).order_by(_COLUMN.created, _COLUMN.key).limit(most)
        with self._database.writing() as connection:
            claimed = [_delivery(row) for row in connection.execute(query)]
            if claimed:
                keys = [delivery.key for delivery in claimed]
                connection.execute(sa.update(deliveries).where(_COLUMN.key.in_(keys)).values(due=now + LEASE_S))
        return claimed

    @override
    def unreached(self, now: float, longer_than_s: float) -> list[Delivery]:
        other = deliveries.alias()
        reached = sa.exists().where(
            other.c.patient == _COLUMN.patient,
            other.c.ended >= _COLUMN.created,
            other.c.state == DeliveryState.DELIVERED.value,
            other.c.high,
        )
        return self._read(_UNDELIVERED, _COLUMN.high, _COLUMN.created <= now - longer_than_s, ~reached)

    def _follow(self, now: float) -> None:
        """Bring the times of waiting messages forward when the clock was set back."""
        with self._lock:
            self._setback_s += self._setback.measure(now)
            if self._setback_s:
                earlier = (
                    sa.update(deliveries).where(_COLUMN.state == _WAITING).values(due=_COLUMN.due - self._setback_s)
                )
                with self._database.writing() as connection:
                    connection.execute(earlier)
                self._setback_s = 0.0

    def _end_attempt(self, key: str, **changes: Any) -> None:
        attempt = sa.update(deliveries).where(_COLUMN.key == key, _UNDELIVERED)
        with self._database.writing() as connection:
            connection.execute(attempt.values(attempts=_COLUMN.attempts + 1, **changes))

    def _read(self, *conditions: sa.ColumnElement[bool]) -> list[Delivery]:
        query = sa.select(*_DELIVERY).where(*conditions).order_by(_COLUMN.created, _COLUMN.key)
        with self._database.reading() as connection:
            return [_delivery(row) for row in connection.execute(query)]


def _delivery(row: ResultRow) -> Delivery:
    return Delivery(**{**row._mapping, "state": DeliveryState(row.state)})


def delivery_row(delivery: Delivery) -> Row:
    """Return the row of a delivery."""
    return asdict(delivery) | {"state": delivery.state.value}
