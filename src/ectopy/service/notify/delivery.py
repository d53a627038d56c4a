"""Deliver messages of the outbox. When to try again is written there, so that a restart goes on where it was."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ectopy.errors import DataError
from ectopy.service.notify.batching import MessageBatch, QueuedMessage, group
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
    """Return the seconds from the failed attempt of this number to the next: 1, 2, 4 and so on, at most 120."""
    return min(2.0 ** (attempts - 1), _LONGEST_BACKOFF_S)


def deliver_due(outbox: Outbox, targets: Sequence[Target], now: float) -> Counter[DeliveryState]:
    """Try once to deliver due messages, at most 100 of high priority and 100 others for each target.

    Return the new states of the messages; a failed one waits. A `SettingError` if two targets have one name.
    """
    queues = _queues(outbox, targets, lambda: now)
    with ThreadPoolExecutor(len(queues) or 1) as pool:
        return sum(pool.map(lambda queue: queue.deliver(threading.Event()), queues), Counter())


class DeliveryWorker:
    """Delivers messages in the background until it is stopped; looks into the outbox every `poll_s` seconds.

    Every target has two threads of its own, one for high priority: a target that is slow or dead holds up no other, and
    its lesser messages do not hold up an alarm. A `SettingError` if two targets have one name. `clock` gives seconds
    since 1970.
    """

    def __init__(
        self, outbox: Outbox, targets: Sequence[Target], clock: Callable[[], float] = time.time, poll_s: float = 1.0
    ) -> None:
        self._poll_s = poll_s
        self._stopping = threading.Event()
        self._wakeups = {queue: threading.Event() for queue in _queues(outbox, targets, clock)}
        self._threads = [
            threading.Thread(target=self._run, args=(queue, wakeup), name=f"delivery-{queue.target.name}", daemon=True)
            for queue, wakeup in self._wakeups.items()
        ]

    def start(self) -> None:
        """Begin; once."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look into the outbox now: messages have been put there."""
        for wakeup in self._wakeups.values():
            wakeup.set()

    def stop(self) -> None:
        """End after the attempts under way; other claimed messages are due again a minute after they were claimed."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            thread.join()

    def _run(self, queue: _TargetQueue, wakeup: threading.Event) -> None:
        is_failing = False
        while not self._stopping.is_set():
            wakeup.clear()
            try:
                states = queue.deliver(self._stopping)
                is_failing = False
            except Exception:
                # The outbox may be out of reach for a while; messages are not lost by trying later.
                if not is_failing:
                    _log.exception("messages for '%s' cannot be delivered now", queue.target.name)
                states, is_failing = Counter(), True
            if not states and not self._stopping.is_set():
                wakeup.wait(self._poll_s)


@dataclass(frozen=True, slots=True, eq=False)
class _TargetQueue:
    """Messages of one target that are of high priority, or those that are not."""

    outbox: Outbox
    target: Target
    high: bool
    clock: Callable[[], float]

    def deliver(self, stopping: threading.Event) -> Counter[DeliveryState]:
        """Send due messages, a few batches at once; when the target is down, the other batches share that attempt."""
        batches, states = self._claim()
        if not batches:
            return states
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while batches and not stopping.is_set():
                attempts = list(pool.map(self._attempt, batches[:_AT_ONCE]))
                batches = batches[_AT_ONCE:]
                states += sum((batch_states for _, batch_states in attempts), Counter())
                down = next((answer for answer, _ in attempts if answer.outcome is Outcome.DOWN), None)
                if down is not None:
                    shared = replace(down, text=f"not tried: {down.text}")
                    return sum((self._mark(batch, shared) for batch in batches), states)
        return states

    def _claim(self) -> tuple[list[MessageBatch], Counter[DeliveryState]]:
        messages, states = [], Counter[DeliveryState]()
        for delivery in self.outbox.claim(self.clock(), _MOST_CLAIMED, self.target.name, self.high):
            try:
                messages.append(QueuedMessage(delivery, read_message(delivery.payload)))
            except DataError as error:
                states[self._give_up(delivery, str(error), self.clock())] += 1
        return group(messages), states

    def _attempt(self, batch: MessageBatch) -> tuple[Answer, Counter[DeliveryState]]:
        answer = send(self.target, batch.key, batch.messages, self.clock())
        return answer, self._mark(batch, answer)

    def _mark(self, batch: MessageBatch, answer: Answer) -> Counter[DeliveryState]:
        now = self.clock()
        return Counter(self._mark_delivery(queued.delivery, answer, now) for queued in batch.queued)

    def _mark_delivery(self, delivery: Delivery, answer: Answer, now: float) -> DeliveryState:
        if answer.outcome is Outcome.ACCEPTED:
            self.outbox.succeeded(delivery.key, now, answer.text)
            return DeliveryState.DELIVERED
        attempts = delivery.attempts + 1
        if answer.outcome is Outcome.REJECTED or attempts >= MOST_ATTEMPTS:
            return self._give_up(delivery, answer.text, now)
        wait_s = max(backoff_s(attempts), min(answer.retry_after_s, _LONGEST_REQUESTED_WAIT_S))
        self.outbox.failed(delivery.key, now, answer.text, now + wait_s)
        return DeliveryState.WAITING

    def _give_up(self, delivery: Delivery, reason: str, now: float) -> DeliveryState:
        self.outbox.failed(delivery.key, now, reason, None)
        _log.warning("a message for '%s' is given up: %s", self.target.name, reason)
        return DeliveryState.DEAD


def _queues(outbox: Outbox, targets: Sequence[Target], clock: Callable[[], float]) -> list[_TargetQueue]:
    check_names(targets)
    return [_TargetQueue(outbox, target, high, clock) for target in targets for high in (True, False)]
