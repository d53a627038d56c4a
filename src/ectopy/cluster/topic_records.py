"""Records of the topics: samples and commands in, events and the status of patients out.

The key of every record is the patient, as UTF-8. The value is

- of a record of samples: a chunk message, or a list of them, as JSON or msgpack (`ectopy.client.protocol`);
- of a tick: `TICK`, without a key; it says that its time has come for all patients of its partition;
- of a command: JSON with the keys of `Command` but the kind is called ``command``, or of a `ServiceReport` with the
  condition in ``report``, and ``present`` and ``text``;
- of an event: JSON with ``version``, ``patient``, ``origin``, the time of stream second 0, and the event
  (`ectopy.monitor.codec`), whose ``number`` counts the events of the patient without a gap; ``command`` is the
  partition and offset of the command that it answers, if it does.

The time of an input is that of its record.
"""

from __future__ import annotations

import math

import msgspec

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.client.protocol import Form, read
from ectopy.cluster.log_rows import LogRow, Topic
from ectopy.cluster.shard import PatientEvent
from ectopy.errors import DataError
from ectopy.monitor import Chunk, Command, CommandKind, Limits, ServiceReport, Tick
from ectopy.monitor.codec import decode, encode, from_json, to_json
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.rhythm_input import ConditionReading

VERSION = 1
"""Of commands and events: add 1 when a record means something else to a reader who does not know it."""

TICK = b"tick"

LARGEST_BYTES = 4 * 2**20
LARGEST_COMMAND_BYTES = 2**17
LONGEST_PATIENT = 200


class _CommandMessage(msgspec.Struct, omit_defaults=True):
    """The keys of a command or a report."""

    command: CommandKind | None = None
    person: str = ""
    why: str = ""
    alarm: int | None = None
    limits: Limits | None = None
    normal: bytes | None = None
    report: str | None = None
    present: bool | None = None
    text: str = ""
    version: int = VERSION


class _Header(msgspec.Struct):
    """What is around an event."""

    version: int
    patient: str
    origin: float | None
    command: tuple[int, int] | None = None


def read_row(
    topic: Topic, partition: int, offset: int, timestamp: float, key: bytes | None, value: bytes | None
) -> LogRow:
    """Read a record of samples, ticks or commands, seconds since 1970 being its time.

    Raises
    ------
    DataError
        One sentence for the dead letter: what is wrong and what would be right.
    """
    if topic is Topic.SAMPLES and key is None and value == TICK:
        return LogRow(topic, partition, offset, timestamp, "", (Tick(timestamp),))
    patient = read_patient(key)
    inputs = read_samples(value, timestamp) if topic is Topic.SAMPLES else (read_command(value, timestamp),)
    return LogRow(topic, partition, offset, timestamp, patient, inputs)


def read_patient(key: bytes | None) -> str:
    """Read the patient of a record; a `DataError`, one sentence, if it names none."""
    if not key:
        raise DataError("the record has no key; its key is the patient, as UTF-8.")
    try:
        patient = key.decode()
    except UnicodeDecodeError as error:
        raise DataError("the key of the record is not UTF-8; it is the patient.") from error
    if len(patient) > LONGEST_PATIENT or not patient.isprintable():
        raise DataError(f"the key of the record is the patient, 1 to {LONGEST_PATIENT} printable characters.")
    return patient


def read_samples(value: bytes | None, received: float) -> tuple[Chunk, ...]:
    """Read the chunks of a record that Kafka got at `received`; a `DataError`, one sentence, if it has none."""
    if not value:
        raise DataError("the record is empty; its value is a chunk of samples.")
    if len(value) > LARGEST_BYTES:
        raise DataError(f"the record has {len(value)} bytes; a chunk has at most {LARGEST_BYTES}.")
    form: Form = "json" if value[:1] in (b"{", b"[") else "msgpack"
    chunks = tuple(message.chunk for message in read(value, form, received))
    if not chunks:
        raise DataError("the record is an empty list; its value is a chunk of samples, or a list of them.")
    return chunks


def read_command(value: bytes | None, now: float) -> Command | ServiceReport:
    """Read a command, or a reading about the service, that Kafka got at `now`.

    Raises
    ------
    DataError
        One sentence: what is wrong and what would be right.
    """
    if not value or len(value) > LARGEST_COMMAND_BYTES:
        raise DataError(f"a command is JSON of at most {LARGEST_COMMAND_BYTES} bytes.")
    try:
        message = _FROM_COMMAND.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"this is not a command: {error}.") from error
    _check_version(message.version, "command")
    match message:
        case _CommandMessage(command=CommandKind() as kind, report=None):
            if not message.person:
                raise DataError("a command names the 'person' who gives it.")
            normal = None if message.normal is None else decode(PatientTemplate, message.normal)
            return Command(kind, now, message.person, message.why, message.alarm, message.limits, normal)
        case _CommandMessage(command=None, report=str() as condition):
            if condition not in CONDITIONS:
                raise DataError("the 'report' is not the code of a condition.")
            return ServiceReport(now, ConditionReading(condition, message.present, message.text))
        case _:
            raise DataError("a record of commands has either a 'command' or a 'report'.")


def write_command(command: Command | ServiceReport) -> bytes:
    """Write a command or a report; its time becomes that of its record."""
    if isinstance(command, ServiceReport):
        reading = command.reading
        return _TO_JSON.encode(_CommandMessage(report=reading.condition, present=reading.present, text=reading.text))
    return _TO_JSON.encode(
        _CommandMessage(
            command=command.kind,
            person=command.person,
            why=command.why,
            alarm=command.alarm,
            limits=command.limits,
            normal=None if command.normal is None else encode(command.normal),
        )
    )


def write_event(event: PatientEvent) -> bytes:
    """Write a record of the output topic."""
    header: dict[str, object] = {
        "version": VERSION,
        "patient": event.patient,
        "origin": event.origin if math.isfinite(event.origin) else None,
    }
    if event.command is not None:
        header["command"] = event.command
    # Both are JSON objects: one follows in the other.
    return _TO_JSON.encode(header)[:-1] + b"," + to_json(event.event).encode()[1:]


def read_event(value: bytes) -> PatientEvent:
    """Read a record of the output topic.

    Raises
    ------
    DataError
        If a newer Ectopy wrote it, or it is something else.
    """
    try:
        header = _FROM_HEADER.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"this is not an event: {error}.") from error
    _check_version(header.version, "event")
    origin = math.nan if header.origin is None else header.origin
    return PatientEvent(header.patient, origin, from_json(value), header.command)


def _check_version(version: int, kind: str) -> None:
    if version > VERSION:
        raise DataError(f"this {kind} has version {version}, and this Ectopy reads up to {VERSION}; update it.")


_FROM_COMMAND = msgspec.json.Decoder(_CommandMessage)
_FROM_HEADER = msgspec.json.Decoder(_Header)
_TO_JSON = msgspec.json.Encoder()
