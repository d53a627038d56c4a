"""The outbox as a table of the store; see `ectopy.service.notify.outbox.Outbox`."""

from __future__ import annotations

import threading
from dataclasses import fields

import sqlalchemy as sa

from ectopy.service.notify.outbox import Delivery, DeliveryState, Setback
from ectopy.service.storage.database import Database, ResultRow, Row
from ectopy.service.storage.tables import deliveries

LEASE_S = 60.0

_COLUMN = deliveries.c
_DELIVERY = [_COLUMN[field.name] for field in fields(Delivery)]
_WAITING, _DEAD = DeliveryState.WAITING.value, DeliveryState.DEAD.value
_UNDELIVERED = _COLUMN.state.in_([_WAITING, _DEAD])


class StoredOutbox:
    """Messages that wait in a database, where several workers may claim them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._setback = Setback()
        self._setback_s = 0.0

    def claim(self, now: float, most: int, target: str, high: bool) -> list[Delivery]:
        """Claim the due messages for a target, of high priority or the others, the oldest first.

        No other worker gets them for a minute; without a reported outcome they are then due again.
        """
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

    def succeeded(self, key: str, now: float, receipt: str) -> None:
        """Note that a message was delivered."""
        self._attempted(key, {"state": DeliveryState.DELIVERED.value, "error": "", "receipt": receipt, "ended": now})

    def failed(self, key: str, now: float, error: str, due: float | None) -> None:
        """Note a failed attempt, with the time of the next; None = give up. A delivered message stays delivered."""
        if due is None:
            self._attempted(key, {"state": _DEAD, "error": error, "ended": now})
        else:
            self._attempted(key, {"error": error, "due": due})

    def unreached(self, now: float, longer_than_s: float) -> list[Delivery]:
        """Return old messages of high priority since which no target has taken any about the patient."""
        other = deliveries.alias()
        reached = sa.exists().where(
            other.c.patient == _COLUMN.patient,
            other.c.ended >= _COLUMN.created,
            other.c.state == DeliveryState.DELIVERED.value,
            other.c.high,
        )
        return self._read(_UNDELIVERED, _COLUMN.high, _COLUMN.created <= now - longer_than_s, ~reached)

    def dead(self) -> list[Delivery]:
        """Return the abandoned messages, the oldest first."""
        return self._read(_COLUMN.state == _DEAD)

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

    def _attempted(self, key: str, outcome: Row) -> None:
        attempt = sa.update(deliveries).where(_COLUMN.key == key, _UNDELIVERED)
        with self._database.writing() as connection:
            connection.execute(attempt.values(outcome | {"attempts": _COLUMN.attempts + 1}))

    def _read(self, *conditions: sa.ColumnElement[bool]) -> list[Delivery]:
        query = sa.select(*_DELIVERY).where(*conditions).order_by(_COLUMN.created, _COLUMN.key)
        with self._database.reading() as connection:
            return [_delivery(row) for row in connection.execute(query)]


def _delivery(row: ResultRow) -> Delivery:
    return Delivery(**{**row._mapping, "state": DeliveryState(row.state)})


def delivery_row(delivery: Delivery) -> Row:
    """Return the row of a delivery."""
    return {
        "key": delivery.key,
        "message": delivery.message,
        "target": delivery.target,
        "patient": delivery.patient,
        "payload": delivery.payload,
        "created": float(delivery.created),
        "attempts": delivery.attempts,
        "due": float(delivery.due),
        "high": delivery.high,
        "state": str(delivery.state),
        "error": delivery.error,
        "receipt": delivery.receipt,
        "ended": delivery.ended,
    }
