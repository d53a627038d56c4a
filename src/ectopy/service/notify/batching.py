"""Batches of messages: one fault is one message, and none of high priority waits for another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from ectopy.monitor.conditions import AlarmType
from ectopy.service.notify.messages import Message
from ectopy.service.notify.outbox import Delivery


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A delivery and the message in it."""

    delivery: Delivery
    message: Message


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Messages that are sent to one target at one time."""

    queued: tuple[QueuedMessage, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages alone."""
        return tuple(queued.message for queued in self.queued)

    @property
    def key(self) -> str:
        """The key of a single message; of several messages, the same for the same ones."""
        keys = sorted(queued.delivery.key for queued in self.queued)
        return keys[0] if len(keys) == 1 else sha256("".join(keys).encode()).hexdigest()


def group(messages: Iterable[QueuedMessage]) -> list[MessageBatch]:
    """Group messages, in the order in which they are to be sent, those of high priority first.

    A message of high priority is alone. Of the others, technical ones for a target go together, whichever patients they
    are about; those about the patient go together by target and patient, so that no batch can be taken for another
    patient's.
    """
    batches: dict[tuple[str, ...], list[QueuedMessage]] = {}
    for queued in sorted(messages, key=lambda queued: not queued.delivery.high):
        batches.setdefault(_group_of(queued), []).append(queued)
    return [MessageBatch(tuple(batch)) for batch in batches.values()]


def _group_of(queued: QueuedMessage) -> tuple[str, ...]:
    delivery = queued.delivery
    if delivery.high:
        return ("alone", delivery.key)
    if queued.message.alarm["type"] == AlarmType.TECHNICAL:
        return ("technical", delivery.target)
    return ("patient", delivery.target, delivery.patient)
