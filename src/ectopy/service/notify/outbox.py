"""Messages that have to be delivered: written in the transaction that raised the alarm, sent later."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class DeliveryState(StrEnum):
    """State of a message."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one target, by its name in the settings.

    Attributes
    ----------
    key : str
        The same for every attempt, also after a restart: a receiver that remembers it takes the message once.
    message : str
        The same for all targets of one message.
    payload : str
        JSON.
    created, due, ended : float
        When it was made, when the next attempt may be made, and when it was delivered or given up; seconds since 1970.
    attempts : int
        Made so far.
    high : bool
        Whether it is of high priority.
    error : str
        Of the last attempt; empty where there was none.
    receipt : str
        Answer of the receiver.
    """

    key: str
    message: str
    target: str
    patient: str
    payload: str
    created: float
    attempts: int
    due: float
    high: bool
    state: DeliveryState = DeliveryState.WAITING
    error: str = ""
    receipt: str = ""
    ended: float | None = None


class Outbox(ABC):
    """Messages that wait. Called from several threads at once."""

    @abstractmethod
    def claim(self, now: float, most: int, target: str, high: bool) -> list[Delivery]:
        """Return due messages for a target, all of high priority or all others, oldest first.

        They are due again after a minute, whether or not the clock is set back meanwhile. An attempt counts when it
        has succeeded or failed.
        """

    @abstractmethod
    def unreached(self, now: float, longer_than_s: float) -> list[Delivery]:
        """Return old messages of high priority about patients for whom no target has taken one since `created`."""

    @abstractmethod
    def _end_attempt(self, key: str, **changes: Any) -> None:
        """Count an attempt with a message, and change the message."""

    def succeeded(self, key: str, now: float, receipt: str) -> None:
        """Note that a message has been delivered."""
        self._end_attempt(key, state=DeliveryState.DELIVERED, error="", receipt=receipt, ended=now)

    def failed(self, key: str, now: float, error: str, due: float | None) -> None:
        """Note a failed attempt; the next one is at `due`, None = there is no further one."""
        if due is None:
            self._end_attempt(key, state=DeliveryState.DEAD, error=error, ended=now)
        else:
            self._end_attempt(key, error=error, due=due)


class Setback:
    """Notices that a clock has been set back: messages that are due later by it are then due as much earlier."""

    _LEAST_S = 1.0

    def __init__(self) -> None:
        self._newest = -math.inf

    def measure(self, now: float) -> float:
        """Return by how many seconds the clock has been set back since the last call; 0 where it has not."""
        setback_s = self._newest - now
        if setback_s < self._LEAST_S:
            self._newest = max(self._newest, now)
            return 0.0
        self._newest = now
        return setback_s
