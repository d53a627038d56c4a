"""Alarms reach people: messages, who gets them, and the worker that delivers what waits in the outbox."""

from ectopy.service.notify.delivery import Courier, deliver_due
from ectopy.service.notify.messages import Message, deliveries_of, read_message
from ectopy.service.notify.signature import verify
from ectopy.service.notify.targets import AppriseTarget, Target, Wants, WebhookTarget, load_targets
from ectopy.service.notify.unreached import REACHED, unreached

__all__ = [
    "REACHED",
    "AppriseTarget",
    "Courier",
    "Message",
    "Target",
    "Wants",
    "WebhookTarget",
    "deliver_due",
    "deliveries_of",
    "load_targets",
    "read_message",
    "unreached",
    "verify",
]
