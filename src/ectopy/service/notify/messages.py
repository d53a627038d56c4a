"""From a change of an alarm to messages: JSON for machines, a few plain lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from ectopy import __version__
from ectopy.errors import DataError
from ectopy.monitor.alarm import Transition
from ectopy.monitor.conditions import CONDITIONS, Priority
from ectopy.monitor.events import AlarmChanged
from ectopy.service.notify.targets import PriorityWord, Target, Wants
from ectopy.service.outbox import Delivery
from ectopy.statements import STATEMENTS

WORTH_A_MESSAGE = frozenset({"raised", "escalated", "returned", "ended", "discharged"})
"""What every target hears of; the rest is for those that want every change."""

_MOST_LINES = 20

_WORDS: dict[Priority, PriorityWord] = {Priority.HIGH: "high", Priority.MEDIUM: "medium", Priority.LOW: "low"}


@dataclass(frozen=True, slots=True)
class Message:
    """What one target is told about one change of an alarm; the attributes are the keys of the JSON.

    The keys stay as they are. A key that is added later has a default, for messages that wait from before.

    Attributes
    ----------
    key : str
        The same whenever the same thing is told to the same target: what a receiver has seen before, it may drop.
    patient : str
        Id of the patient.
    patient_name : str or None
        Only for targets that want it.
    alarm : int
        Counts the alarms of the patient from 1.
    condition, title : str
        Code of a `Condition`, and its words for people.
    kind : str
        ``SP`` physiological, ``ST`` technical, ``SA`` advisory.
    priority : str
        ``high``, ``medium`` or ``low``.
    level : int
        How often the alarm was escalated.
    phase, state, inactivation : str
        Values of `Phase`, `State` and `Inactivation`.
    change : str
        What happened; a `Transition.change`.
    who, why : str
        Of the person who did it; empty where no person did.
    text : str
        The newest evidence, with its figures.
    value, limit : float or None
        What was measured and where the condition begins, in `unit`.
    unit : str
    at : str
        When it happened, ISO 8601, UTC.
    at_s, raised_s : float
        When it happened and when the alarm started, stream seconds.
    transition : int
        Counts the entries of the patient's alarm log from 1.
    digest : str
        SHA-256 of that entry, hexadecimal.
    software, bundle : str
        Version of Ectopy; SHA-256 of the detector's bundle.
    replay : str
        Command that shows the same again.
    statement : str
        What Ectopy is not.
    """

    key: str
    patient: str
    patient_name: str | None
    alarm: int
    condition: str
    title: str
    kind: str
    priority: PriorityWord
    level: int
    phase: str
    state: str
    inactivation: str
    change: str
    who: str
    why: str
    text: str
    value: float | None
    limit: float | None
    unit: str
    at: str
    at_s: float
    raised_s: float
    transition: int
    digest: str
    software: str
    bundle: str
    replay: str
    statement: str


def deliveries_of(
    event: AlarmChanged,
    patient: str,
    targets: Iterable[Target],
    *,
    at: float,
    created: float,
    bundle: str,
    replay: str,
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
    replay : str
        Command that shows the same again.
    patient_name : str
        Told to targets that want it, and to no other.
    """
    transition = event.transition
    high = transition.alarm.priority is Priority.HIGH
    message = _digest(patient, str(transition.number), transition.digest)
    deliveries = []
    for target in targets:
        if not _is_wanted(transition, target.wants):
            continue
        key = _digest(message, target.name)
        name = patient_name if target.wants.patient_name else None
        payload = msgspec.json.encode(_message(key, transition, patient, name, at, bundle, replay)).decode()
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
    titles = {message.title for message in messages}
    what = f"{titles.pop()}, {len(messages)} messages" if len(titles) == 1 else f"{len(messages)} messages"
    return f"{what}, {about}"


def body(messages: Sequence[Message]) -> str:
    """Some lines for people: what, why, when, and what Ectopy is not."""
    if len(messages) == 1:
        lines = _details(messages[0])
    else:
        lines = [f"{_headline(message)}. {_plain(message.text)}".strip() for message in messages[:_MOST_LINES]]
        if len(messages) > _MOST_LINES:
            lines.append(f"... and {len(messages) - _MOST_LINES} more.")
    return "\n".join([*lines, messages[0].statement])


def _is_wanted(transition: Transition, wants: Wants) -> bool:
    return (
        _WORDS[transition.alarm.priority] in wants.priorities
        and transition.alarm.level >= wants.level
        and (wants.every_change or transition.change in WORTH_A_MESSAGE)
    )


def _message(
    key: str, transition: Transition, patient: str, patient_name: str | None, at: float, bundle: str, replay: str
) -> Message:
    alarm, condition = transition.alarm, CONDITIONS[transition.alarm.condition]
    return Message(
        key=key,
        patient=patient,
        patient_name=patient_name,
        alarm=alarm.number,
        condition=condition.code,
        title=condition.title,
        kind=alarm.kind,
        priority=_WORDS[alarm.priority],
        level=alarm.level,
        phase=alarm.phase,
        state=alarm.state,
        inactivation=alarm.inactivation,
        change=transition.change,
        who=transition.who,
        why=transition.why,
        text=alarm.latest.text,
        value=alarm.latest.value,
        limit=alarm.latest.limit,
        unit=condition.unit,
        at=datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        at_s=transition.at_s,
        raised_s=alarm.raised_s,
        transition=transition.number,
        digest=transition.digest,
        software=f"ectopy {__version__}",
        bundle=bundle,
        replay=replay,
        statement=" ".join(STATEMENTS),
    )


def _headline(message: Message) -> str:
    level = f" (level {message.level})" if message.level else ""
    return _plain(f"{message.priority.upper()}: {message.title} {message.change}{level}, patient {message.patient}")


def _details(message: Message) -> list[str]:
    lines = [
        message.text,
        f"Patient: {message.patient_name}" if message.patient_name else "",
        f"By {message.who}. {message.why}" if message.who else "",
        f"Alarm {message.alarm}: {message.state}, {message.inactivation}; {message.at}, second {message.at_s:.1f}.",
        f"Replay: {message.replay}",
    ]
    return [_plain(line) for line in lines if line]


def _plain(text: str) -> str:
    """One line, whatever a device or a person has put into it."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _digest(*parts: str) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()
