"""An outbox in memory, for the time in which the store is away."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from typing_extensions import override

from ectopy.service.notify.outbox import Delivery, DeliveryState, Outbox, Setback

_LEASE_S = 60.0


class MemoryOutbox(Outbox):
    """Messages that wait in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, Delivery] = {}
        self._setback = Setback()

    def put(self, deliveries: Iterable[Delivery]) -> None:
        """Add messages; one that is in it already stays as it is."""
        with self._lock:
            for delivery in deliveries:
                self._messages.setdefault(delivery.key, delivery)

    def outcome(self, delivery: Delivery) -> Delivery:
        """Return a message with what has become of it so far."""
        with self._lock:
            return self._messages.get(delivery.key, delivery)

    def drop(self, deliveries: Iterable[Delivery]) -> None:
        """Drop messages that are in the store now."""
        with self._lock:
            for delivery in deliveries:
                self._messages.pop(delivery.key, None)

    @override
    def claim(self, now: float, most: int, target: str, high: bool) -> list[Delivery]:
        with self._lock:
            setback_s = self._setback.measure(now)
            if setback_s:
                # No message waits longer because the clock has been set back.
                for key, message in self._messages.items():
                    self._messages[key] = replace(message, due=message.due - setback_s)
            due = [
                message
                for message in self._messages.values()
                if message.state is DeliveryState.WAITING
                and (message.target, message.high) == (target, high)
                and message.due <= now
            ]
            claimed = sorted(due, key=lambda message: (message.created, message.key))[:most]
            for message in claimed:
                self._messages[message.key] = replace(message, due=now + _LEASE_S)
            return claimed

    @override
    def unreached(self, now: float, longer_than_s: float) -> list[Delivery]:
        with self._lock:
            high = [message for message in self._messages.values() if message.high]
        delivered = [message for message in high if message.state is DeliveryState.DELIVERED]
        return [
            message
            for message in high
            if message.state is not DeliveryState.DELIVERED
            and message.created <= now - longer_than_s
            and not any(
                other.patient == message.patient and other.ended is not None and other.ended >= message.created
                for other in delivered
            )
        ]

    def _end_attempt(self, key: str, **changes: Any) -> None:
        with self._lock:
            message = self._messages.get(key)
            if message is not None:
                self._messages[key] = replace(message, attempts=message.attempts + 1, **changes)
