"""From a change of an alarm to messages: JSON for machines, a few plain lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from ectopy import __version__
from ectopy.errors import DataError
from ectopy.monitor.alarm import Transition
from ectopy.monitor.alarm_json import AlarmJson, change_json
from ectopy.monitor.conditions import Priority
from ectopy.monitor.events import AlarmChanged
from ectopy.monitor.replay_command import stored_replay_command
from ectopy.presentation import iso_utc
from ectopy.service.notify.outbox import Delivery
from ectopy.service.notify.targets import Target, Wants

WORTH_A_MESSAGE = frozenset({"raised", "escalated", "returned", "ended", "discharged"})
"""What every target hears of; the rest is for those that want every change."""

_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Message:
    """What one target is told about one change of an alarm; the attributes are the keys of the JSON.

    Attributes
    ----------
    key : str
        The same whenever the same thing is told to the same target: what a receiver has seen before, it may drop.
    patient : str
        Id of the patient.
    patient_name : str or None
        Only for targets that want it.
    time : float
        When it happened, seconds since 1970.
    at_s : float
        The same in stream seconds.
    change : str
        What happened; a `Transition.change`.
    who, why : str
        Of the person who did it; empty where no person did.
    transition : int
        Counts the entries of the patient's alarm log from 1.
    digest : str
        SHA-256 of that entry, hexadecimal.
    alarm : AlarmJson
        As it stands after the change.
    software, bundle : str
        Version of Ectopy; SHA-256 of the detector's bundle.
    replay : str
        Command that shows the same again.
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
    """Messages for all targets that want to hear of a change, to be put into the outbox as they are.

    Parameters
    ----------
    event : AlarmChanged
    patient : str
        Id of the patient.
    targets : iterable of Target
    at : float
        When it happened, seconds since 1970. The keys do not depend on it: the same event gives the same keys.
    created : float
        When the messages are made, and may be sent: later than `at` if the samples came late.
    bundle : str
        SHA-256 of the detector's bundle.
    patient_name : str
        Told to targets that want it, and to no other.
    """
    transition = event.transition
    high = transition.alarm.priority is Priority.HIGH
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
        if not _is_wanted(transition, target.wants):
            continue
        key = _digest(message, target.name)
        name = patient_name if target.wants.patient_name else None
        payload = msgspec.json.encode({"key": key, "patient_name": name, **about}).decode()
        deliveries.append(
            Delivery(key, message, target.name, patient, payload, created, attempts=0, due=created, high=high)
        )
    return deliveries


def read_message(payload: str) -> Message:
    """Message of the payload of a delivery.

    Raises
    ------
    DataError
        If it is invalid.
    """
    try:
        return msgspec.json.decode(payload, type=Message)
    except msgspec.DecodeError as error:
        raise DataError(f"the payload is not a message: {error}.") from error


def subject(messages: Sequence[Message]) -> str:
    """One line for people."""
    if len(messages) == 1:
        return _headline(messages[0])
    patients = sorted({message.patient for message in messages})
    about = f"patient {_plain(patients[0])}" if len(patients) == 1 else f"{len(patients)} patients"
    titles = {message.alarm["title"] for message in messages}
    what = f"{titles.pop()}, {len(messages)} messages" if len(titles) == 1 else f"{len(messages)} messages"
    return f"{what}, {about}"


def body(messages: Sequence[Message]) -> str:
    """Some lines for people: what, why, when, and what Ectopy is not."""
    if len(messages) == 1:
        lines = _details(messages[0])
    else:
        lines = [f"{_headline(message)}. {_plain(message.alarm['text'])}".strip() for message in messages[:_MOST_LINES]]
        if len(messages) > _MOST_LINES:
            lines.append(f"... and {len(messages) - _MOST_LINES} more.")
    return "\n".join([*lines, messages[0].alarm["statement"]])


def _is_wanted(transition: Transition, wants: Wants) -> bool:
    return (
        transition.alarm.priority.name.lower() in wants.priorities
        and transition.alarm.level >= wants.level
        and (wants.every_change or transition.change in WORTH_A_MESSAGE)
    )


def _headline(message: Message) -> str:
    alarm = message.alarm
    level = f" (level {alarm['level']})" if alarm["level"] else ""
    return _plain(f"{alarm['priority'].upper()}: {alarm['title']} {message.change}{level}, patient {message.patient}")


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
    return [_plain(line) for line in lines if line]


def _plain(text: str) -> str:
    """One line, whatever a device or a person has put into it."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _digest(*parts: str) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()
