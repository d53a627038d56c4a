"""An outbox in memory, for the time in which the store is away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from ectopy.service.notify.outbox import Delivery, DeliveryState, Setback

_LEASE_S = 60.0


class MemoryOutbox:
    """Messages that wait in memory; `ectopy.service.notify.outbox.Outbox` says what it does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, Delivery] = {}
        self._setback = Setback()

    def put(self, deliveries: Iterable[Delivery]) -> None:
        """Add messages; one that is there already stays as it is."""
        with self._lock:
            for delivery in deliveries:
                self._messages.setdefault(delivery.key, delivery)

    def outcome(self, delivery: Delivery) -> Delivery:
        """What has become of a message so far."""
        with self._lock:
            return self._messages.get(delivery.key, delivery)

    def forget(self, deliveries: Iterable[Delivery]) -> None:
        """Messages that are kept elsewhere now."""
        with self._lock:
            for delivery in deliveries:
                self._messages.pop(delivery.key, None)

    def claim(self, now: float, most: int, target: str, high: bool) -> list[Delivery]:
        """Messages that are due; nobody else gets them for a minute."""
        with self._lock:
            self._follow(self._setback.seen(now))
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

    def succeeded(self, key: str, now: float, receipt: str) -> None:
        """A message has been taken."""
        taken = DeliveryState.DELIVERED
        self._attempted(key, lambda message: replace(message, state=taken, receipt=receipt, error="", ended=now))

    def failed(self, key: str, now: float, error: str, due: float | None) -> None:
        """An attempt has failed; the next one at `due`, or none any more."""
        if due is None:
            dead = DeliveryState.DEAD
            self._attempted(key, lambda message: replace(message, state=dead, error=error, ended=now))
        else:
            self._attempted(key, lambda message: replace(message, error=error, due=due))

    def unreached(self, now: float, longer_than_s: float) -> list[Delivery]:
        """Messages of high priority that are so old and not taken, nor any later one about the same patient."""
        with self._lock:
            high = [message for message in self._messages.values() if message.high]
        taken = [message for message in high if message.state is DeliveryState.DELIVERED]
        return [
            message
            for message in high
            if message.state is not DeliveryState.DELIVERED
            and message.created <= now - longer_than_s
            and not any(
                other.patient == message.patient and other.ended is not None and other.ended >= message.created
                for other in taken
            )
        ]

    def _follow(self, setback_s: float) -> None:
        """Let nothing wait longer because the clock has been set back."""
        if setback_s:
            for key, message in self._messages.items():
                self._messages[key] = replace(message, due=message.due - setback_s)

    def _attempted(self, key: str, outcome: Callable[[Delivery], Delivery]) -> None:
        with self._lock:
            message = self._messages.get(key)
            if message is not None:
                self._messages[key] = outcome(replace(message, attempts=message.attempts + 1))
