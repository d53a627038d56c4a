"""Deliver alarms to people: messages, their receivers, and the worker that empties the outbox."""

from ectopy.service.notify.delivery import DeliveryWorker, deliver_due
from ectopy.service.notify.messages import Message, deliveries_of, read_message
from ectopy.service.notify.outbox import Delivery
from ectopy.service.notify.signature import verify
from ectopy.service.notify.targets import AppriseTarget, MessageFilter, Target, WebhookTarget, load_targets
from ectopy.service.notify.unreached import unreached

__all__ = [
    "AppriseTarget",
    "Delivery",
    "DeliveryWorker",
    "Message",
    "MessageFilter",
    "Target",
    "WebhookTarget",
    "deliver_due",
    "deliveries_of",
    "load_targets",
    "read_message",
    "unreached",
    "verify",
]
