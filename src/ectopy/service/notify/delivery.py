"""Delivers what waits in the outbox. When to try again is written there, so that a restart goes on where it was."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ectopy.errors import DataError
from ectopy.service.notify.batching import Letter, Parcel, group
from ectopy.service.notify.messages import read_message
from ectopy.service.notify.outbox import Delivery, DeliveryState, Outbox
from ectopy.service.notify.sending import Answer, Outcome, send
from ectopy.service.notify.targets import Target, check_names

MOST_ATTEMPTS = 100
"""With the waits between them, a little more than three hours."""

_LONGEST_BACKOFF_S = 120.0
_LONGEST_REQUESTED_WAIT_S = 3600.0
_MOST_CLAIMED = 100
_AT_ONCE = 4

_log = logging.getLogger(__name__)


def backoff_s(attempts: int) -> float:
    """Seconds from a failed attempt to the next: 1, 2, 4 and so on, at most 120.

    Parameters
    ----------
    attempts : int
        Made so far, at least 1.
    """
    return min(2.0 ** (attempts - 1), _LONGEST_BACKOFF_S)


def deliver_due(outbox: Outbox, targets: Sequence[Target], now: float) -> Counter[DeliveryState]:
    """Try once to deliver what is due, at most 100 messages of high priority and 100 others for each target.

    Returns
    -------
    Counter of DeliveryState
        What has become of the messages; a failed one waits.

    Raises
    ------
    SettingError
        If two targets have one name.
    """
    lanes = _lanes(outbox, targets, lambda: now)
    with ThreadPoolExecutor(len(lanes) or 1) as pool:
        return sum(pool.map(lambda lane: lane.deliver(threading.Event()), lanes), Counter())


class Courier:
    """Delivers in the background until it is stopped.

    Every target has two threads of its own, one for high priority: a target that is slow or dead holds up no other, and
    its lesser messages do not hold up an alarm.

    Parameters
    ----------
    outbox : Outbox
    targets : sequence of Target
        With different names.
    clock : callable
        Gives seconds since 1970.
    poll_s : float
        How often the outbox is looked into.

    Raises
    ------
    SettingError
        If two targets have one name.
    """

    def __init__(
        self, outbox: Outbox, targets: Sequence[Target], clock: Callable[[], float] = time.time, poll_s: float = 1.0
    ) -> None:
        self._poll_s = poll_s
        self._stopping = threading.Event()
        self._bells = {lane: threading.Event() for lane in _lanes(outbox, targets, clock)}
        self._threads = [
            threading.Thread(target=self._run, args=(lane, bell), name=f"courier-{lane.target.name}", daemon=True)
            for lane, bell in self._bells.items()
        ]

    def start(self) -> None:
        """Begin; once."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look into the outbox now: something has been put there."""
        for bell in self._bells.values():
            bell.set()

    def stop(self) -> None:
        """End after the attempts under way; what is left is due again a minute after it was claimed."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            thread.join()

    def _run(self, lane: _Lane, bell: threading.Event) -> None:
        failing = False
        while not self._stopping.is_set():
            bell.clear()
            try:
                done = lane.deliver(self._stopping)
                failing = False
            except Exception:
                # The outbox may be out of reach for a while; messages are not lost by trying later.
                if not failing:
                    _log.exception("messages for '%s' cannot be delivered now", lane.target.name)
                done, failing = Counter(), True
            if not done and not self._stopping.is_set():
                bell.wait(self._poll_s)


@dataclass(frozen=True, slots=True, eq=False)
class _Lane:
    """Messages of one target that are of high priority, or those that are not."""

    outbox: Outbox
    target: Target
    high: bool
    clock: Callable[[], float]

    def deliver(self, stopping: threading.Event) -> Counter[DeliveryState]:
        """Try what is due, a few parcels at once; when the target is found down, the rest shares that attempt."""
        parcels, done = self._claim()
        if not parcels:
            return done
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while parcels and not stopping.is_set():
                tried = list(pool.map(self._attempt, parcels[:_AT_ONCE]))
                parcels = parcels[_AT_ONCE:]
                done += sum((states for _, states in tried), Counter())
                down = next((answer for answer, _ in tried if answer.outcome is Outcome.DOWN), None)
                if down is not None:
                    shared = replace(down, text=f"not tried: {down.text}")
                    return sum((self._mark(parcel, shared) for parcel in parcels), done)
        return done

    def _claim(self) -> tuple[list[Parcel], Counter[DeliveryState]]:
        letters, done = [], Counter[DeliveryState]()
        for delivery in self.outbox.claim(self.clock(), _MOST_CLAIMED, self.target.name, self.high):
            try:
                letters.append(Letter(delivery, read_message(delivery.payload)))
            except DataError as error:
                self.outbox.failed(delivery.key, self.clock(), str(error), None)
                done[DeliveryState.DEAD] += 1
        return group(letters), done

    def _attempt(self, parcel: Parcel) -> tuple[Answer, Counter[DeliveryState]]:
        answer = send(self.target, parcel.key, parcel.messages, self.clock())
        return answer, self._mark(parcel, answer)

    def _mark(self, parcel: Parcel, answer: Answer) -> Counter[DeliveryState]:
        now = self.clock()
        return Counter(self._mark_one(letter.delivery, answer, now) for letter in parcel.letters)

    def _mark_one(self, delivery: Delivery, answer: Answer, now: float) -> DeliveryState:
        if answer.outcome is Outcome.TAKEN:
            self.outbox.succeeded(delivery.key, now, answer.text)
            return DeliveryState.DELIVERED
        attempts = delivery.attempts + 1
        if answer.outcome is Outcome.REFUSED or attempts >= MOST_ATTEMPTS:
            self.outbox.failed(delivery.key, now, answer.text, None)
            return DeliveryState.DEAD
        wait_s = max(backoff_s(attempts), min(answer.retry_after_s, _LONGEST_REQUESTED_WAIT_S))
        self.outbox.failed(delivery.key, now, answer.text, now + wait_s)
        return DeliveryState.WAITING


def _lanes(outbox: Outbox, targets: Sequence[Target], clock: Callable[[], float]) -> list[_Lane]:
    check_names(targets)
    return [_Lane(outbox, target, high, clock) for target in targets for high in (True, False)]
