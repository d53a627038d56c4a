"""An alarm as HL7 v2.6 message ORU^R40^ORU_R40, in the shape of the IHE profile Alert Communication Management.

One alert, one message: its *facets* are OBX segments whose sub-ids end in the number of the facet. MSH-21 names the
profile whose shape it has; no conformity is claimed, and a note in the message has the disclaimer.

Source: IHE Patient Care Device Technical Framework, volume 2, section 3.4 (PCD-04).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from ectopy import __version__
from ectopy.disclaimers import STATEMENT
from ectopy.monitor.alarm import Phase
from ectopy.monitor.alarm_json import AlarmJson
from ectopy.monitor.conditions import CONDITIONS, Condition
from ectopy.service.interop.nomenclature import (
    ALARM_PRIORITY,
    ALARM_STATE,
    ALERT,
    ALERT_SOURCE,
    ALERT_TYPE,
    ECG,
    EVENT_PHASE,
    HEART_RATE,
    INACTIVATION_STATE,
    PER_MINUTE,
    Code,
    event_code,
)

MEDIA_TYPE = "application/hl7-v2; charset=utf-8"

_PROFILE = "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.4.1^ISO"
_SENDER = "Ectopy"
_DELIMITERS = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
_ESCAPES = {code: f"\\X{code:02X}\\" for code in range(32)} | {ord(mark): text for mark, text in _DELIMITERS.items()}
_PRIORITY = {"high": "PH", "medium": "PM", "low": "PL"}
_FLAGS = {"high": "H", "low": "L"}
_CONTROL_LENGTH = 20


def alert(alarm: AlarmJson, name: str, at: float) -> str:
    """Return the message about an alarm: segments, each with a carriage return at its end.

    The same alarm and time, seconds since 1970, give the same message. `name` is that of the patient, for people, or
    empty.
    """
    onset = f"{alarm['patient']}\0{alarm['onset_time']}\0{alarm['number']}"
    uid = sha256(onset.encode()).hexdigest()[:_CONTROL_LENGTH]
    control = sha256(f"{uid} {at} {alarm}".encode()).hexdigest()[:_CONTROL_LENGTH]
    segments = [
        _header(control, at),
        _segment("PID", {3: f"{escape(alarm['patient'])}^^^^PI", 5: f"{escape(name)}^^^^^^{'L' if name else 'U'}"}),
        _request(alarm, uid, control),
        *(_segment("OBX", {1: str(number), **facet}) for number, facet in enumerate(_facets(alarm), start=1)),
        _segment("NTE", {1: "1", 3: escape(STATEMENT)}),
    ]
    return "".join(f"{segment}\r" for segment in segments)


def escape(text: str) -> str:
    """Replace delimiters of HL7 by their escapes, and control characters by their codes."""
    return text.translate(_ESCAPES)


def _header(control: str, at: float) -> str:
    fields = {
        3: _SENDER,
        7: _time(at),
        9: "ORU^R40^ORU_R40",
        10: control,
        11: "P",
        12: "2.6",
        15: "AL",
        16: "NE",
        18: "UNICODE UTF-8",
        21: _PROFILE,
    }
    # The first separator is a field of its own.
    return "MSH|^~\\&|" + _segment("", {number - 2: value for number, value in fields.items()})[1:]


def _request(alarm: AlarmJson, uid: str, control: str) -> str:
    """Return the container: a start has an id of its own, later messages name the start as their parent."""
    fields = {1: "1", 4: _coded_as(ALERT), 7: _time(alarm["onset_time"])}
    if alarm["ended_time"] is not None:
        fields[8] = _time(alarm["ended_time"])
    if alarm["phase"] == Phase.START:
        fields[3] = f"{uid}^{_SENDER}"
    else:
        fields |= {3: f"{control}^{_SENDER}", 29: f"^{uid}&{_SENDER}"}
    return _segment("OBR", fields)


def _facets(alarm: AlarmJson) -> Iterable[dict[int, str]]:
    condition = CONDITIONS[alarm["condition"]]
    priority = _PRIORITY[alarm["priority"]]
    text = escape(f"{condition.title}: {alarm['text'] or condition.definition}")
    onset = _time(alarm["since_time"])
    rate = _FLAGS[condition.heart_rate] if _is_rate(condition) else None
    flags = "~".join(filter(None, (rate, priority, alarm["type"])))
    event = {2: "CWE", 3: _coded_as(ALERT), 5: f"{_coded_as(event_code(condition))}^^^^^^{text}", 8: flags, 14: onset}
    states = (
        (EVENT_PHASE, alarm["phase"]),
        (ALARM_STATE, alarm["state"]),
        (INACTIVATION_STATE, alarm["inactivation"]),
        (ALARM_PRIORITY, priority),
        (ALERT_TYPE, alarm["type"]),
    )
    facets = [event, _source(alarm), *({2: "ST", 3: _coded_as(code), 5: state} for code, state in states)]
    equipment = f"{_SENDER} {__version__}"
    for number, facet in enumerate(facets, start=1):
        yield {4: f"1.0.0.0.{number}", 11: "F", 18: equipment, **facet}


def _source(alarm: AlarmJson) -> dict[int, str]:
    """Return the source of the alarm: the heart rate with its limit, or the ECG."""
    condition, value, limit = CONDITIONS[alarm["condition"]], alarm["value"], alarm["limit"]
    if not _is_rate(condition) or value is None:
        return {2: "CWE", 3: _coded_as(ALERT_SOURCE), 5: _coded_as(ECG)}
    beyond = {"high": "<", "low": ">"}[condition.heart_rate]
    usual = {} if limit is None else {7: f"{beyond}{limit:g}"}
    return {2: "NM", 3: _coded_as(HEART_RATE), 5: f"{value:.1f}", 6: _coded_as(PER_MINUTE), **usual}


def _is_rate(condition: Condition) -> bool:
    """Check that a condition is about a heart rate; a pause has a length instead."""
    return bool(condition.heart_rate) and condition.unit == "/min"


def _coded_as(code: Code) -> str:
    return f"{code.code}^{code.name}^MDC"


def _time(time: float | None) -> str:
    """Return a time in the format of HL7, or an empty string."""
    if time is None:
        return ""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%Y%m%d%H%M%S}.{moment.microsecond // 1000:03}+0000"


def _segment(name: str, fields: dict[int, str]) -> str:
    """Return a segment from fields by their numbers."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])
