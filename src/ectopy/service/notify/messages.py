"""Messages about changes of alarms: JSON for machines, a few plain lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from ectopy import __version__
from ectopy.errors import DataError
from ectopy.monitor.alarm_json import AlarmJson, change_json
from ectopy.monitor.conditions import Priority
from ectopy.monitor.events import AlarmChanged
from ectopy.monitor.replay_command import stored_replay_command
from ectopy.presentation import iso_utc
from ectopy.service.notify.outbox import Delivery
from ectopy.service.notify.targets import MessageFilter, Target

WORTH_A_MESSAGE = frozenset({"raised", "escalated", "returned", "ended", "discharged"})
"""Changes that every target gets; the others are for targets that want every change."""

_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one target about one change of an alarm; the attributes are the keys of the JSON.

    Attributes
    ----------
    key : str
        The same for the same change and target: a receiver may drop a key that it has seen before.
    patient : str
        Id of the patient.
    patient_name : str or None
        Only for targets that want it.
    time, at_s : float
        Time of the change, in seconds since 1970 and in stream seconds.
    change : str
        A `Transition.change`.
    who, why : str
        Of the person who did it; empty where no person did.
    transition : int
        Counts the entries of the patient's alarm log from 1.
    digest : str
        SHA-256 of that entry, hexadecimal.
    alarm : AlarmJson
        After the change.
    software, bundle : str
        Version of Ectopy; SHA-256 of the detector's bundle.
    replay : str
        Command that replays the alarm.
    number : int
        Of the event among all events of the patient; 0 in a message that was stored without one.
    """

    key: str
    patient: str
    patient_name: str | None
    time: float
    at_s: float
    change: str
    who: str
    why: str
    transition: int
    digest: str
    alarm: AlarmJson
    software: str
    bundle: str
    replay: str
    number: int = 0


def deliveries_of(
    event: AlarmChanged,
    patient: str,
    targets: Iterable[Target],
    *,
    at: float,
    created: float,
    bundle: str,
    patient_name: str = "",
) -> list[Delivery]:
    """Make the messages about a change, for all targets whose filter lets it pass; they are ready for the outbox.

    Parameters
    ----------
    event : AlarmChanged
    patient : str
        Id of the patient.
    targets : iterable of Target
    at : float
        Time of the change, seconds since 1970. The keys do not depend on it: the same event gives the same keys.
    created : float
        When the messages are made, and may be sent: later than `at` if the samples came late.
    bundle : str
        SHA-256 of the detector's bundle.
    patient_name : str
        For targets that want it, and no other.
    """
    transition = event.transition
    high = event.alarm.priority is Priority.HIGH
    message = _digest(patient, str(transition.number), transition.digest)
    about = {
        **change_json(event, patient, at - transition.at_s),
        "time": at,
        "software": f"ectopy {__version__}",
        "bundle": bundle,
        "replay": stored_replay_command(event, patient),
    }
    deliveries = []
    for target in targets:
        if not _passes(event, target.wants):
            continue
        key = _digest(message, target.name)
        name = patient_name if target.wants.patient_name else None
        payload = msgspec.json.encode({"key": key, "patient_name": name, **about}).decode()
        deliveries.append(
            Delivery(key, message, target.name, patient, payload, created, attempts=0, due=created, high=high)
        )
    return deliveries


_FROM_JSON = msgspec.json.Decoder(Message)


def read_message(payload: str) -> Message:
    """Read the message in the payload of a delivery; a `DataError` if it is invalid."""
    try:
        return _FROM_JSON.decode(payload)
    except msgspec.DecodeError as error:
        raise DataError(f"the payload is not a message: {error}.") from error


def subject(messages: Sequence[Message]) -> str:
    """Write one line for people."""
    if len(messages) == 1:
        return _headline(messages[0])
    patients = sorted({message.patient for message in messages})
    about = f"patient {printable_line(patients[0])}" if len(patients) == 1 else f"{len(patients)} patients"
    titles = {message.alarm["title"] for message in messages}
    title = f"{titles.pop()}, " if len(titles) == 1 else ""
    return f"{title}{len(messages)} messages, {about}"


def body(messages: Sequence[Message]) -> str:
    """Write some lines for people: what, why, when, and what Ectopy is not."""
    if len(messages) == 1:
        lines = _details(messages[0])
    else:
        lines = [
            f"{_headline(message)}. {printable_line(message.alarm['text'])}".strip()
            for message in messages[:_MOST_LINES]
        ]
        if len(messages) > _MOST_LINES:
            lines.append(f"... and {len(messages) - _MOST_LINES} more.")
    return "\n".join([*lines, messages[0].alarm["statement"]])


def _passes(event: AlarmChanged, wants: MessageFilter) -> bool:
    alarm = event.alarm
    is_worth_it = wants.every_change or event.change in WORTH_A_MESSAGE
    return is_worth_it and alarm.priority.word in wants.priorities and alarm.level >= wants.level


def _headline(message: Message) -> str:
    alarm = message.alarm
    level = f" (level {alarm['level']})" if alarm["level"] else ""
    headline = f"{alarm['priority'].upper()}: {alarm['title']} {message.change}{level}, patient {message.patient}"
    return printable_line(headline)


def _details(message: Message) -> list[str]:
    alarm = message.alarm
    moment = f"{iso_utc(message.time)}, second {message.at_s:.1f}"
    lines = [
        alarm["text"],
        f"Patient: {message.patient_name}" if message.patient_name else "",
        f"By {message.who}. {message.why}" if message.who else "",
        f"Alarm {alarm['number']}: {alarm['state']}, {alarm['inactivation']}; {moment}.",
        f"Replay: {message.replay}",
    ]
    return [printable_line(line) for line in lines if line]


def printable_line(text: str) -> str:
    """Return text of a device or a person as one line."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _digest(*parts: str) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()
