"""Which messages travel together, so that one fault is one message, and none of high priority waits for another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from ectopy.monitor.conditions import AlarmType
from ectopy.service.notify.messages import Message
from ectopy.service.notify.outbox import Delivery


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery and the message in it."""

    delivery: Delivery
    message: Message


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent to one target at one time."""

    letters: tuple[Letter, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """What it tells."""
        return tuple(letter.message for letter in self.letters)

    @property
    def key(self) -> str:
        """Of the one message; of several, the same for the same ones."""
        keys = sorted(letter.delivery.key for letter in self.letters)
        return keys[0] if len(keys) == 1 else sha256("".join(keys).encode()).hexdigest()


def group(letters: Iterable[Letter]) -> list[Parcel]:
    """Put what waits into parcels.

    A message of high priority is alone. Of the others, technical ones for a target go together, whomever they are
    about; those about the patient go together by target and patient, so that no parcel can be taken for another
    patient's.

    Parameters
    ----------
    letters : iterable of Letter
        In the order in which they are to be sent.

    Returns
    -------
    list of Parcel
        Those of high priority first; otherwise in the order of their first letters.
    """
    parcels: dict[tuple[str, ...], list[Letter]] = {}
    for letter in sorted(letters, key=lambda letter: not letter.delivery.high):
        parcels.setdefault(_shared(letter), []).append(letter)
    return [Parcel(tuple(together)) for together in parcels.values()]


def _shared(letter: Letter) -> tuple[str, ...]:
    delivery = letter.delivery
    if delivery.high:
        return ("alone", delivery.key)
    if letter.message.alarm["type"] == AlarmType.TECHNICAL:
        return ("technical", delivery.target)
    return ("patient", delivery.target, delivery.patient)
