"""Alerts as HL7 v2, read back with another implementation."""

from __future__ import annotations

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.disclaimers import STATEMENTS
from ectopy.monitor.alarm import AlarmState, Phase
from ectopy.monitor.conditions import CONDITIONS
from ectopy.service.interop.hl7 import alert
from support.stored_alarms import NOW, stored

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40) | st.text("|^&~\\\r\nX0A")


def parsed(message: str) -> hl7.Message:
    assert message.endswith("\r")
    assert "\n" not in message
    return hl7.parse(message)


def facets(message: hl7.Message) -> dict[int, hl7.Segment]:
    """OBX segments by the number of their facet."""
    return {int(str(segment[4]).rpartition(".")[2]): segment for segment in message.segments("OBX")}


def text(message: hl7.Message, field: str) -> str:
    segment, number = field.split("-")
    return message.unescape(str(message.segment(segment)[int(number)]))


def test_message_has_the_shape_of_pcd_04():
    message = parsed(alert(stored(), "Ada", NOW + 105))
    assert [str(segment[0]) for segment in message] == ["MSH", "PID", "OBR", *["OBX"] * 7, "NTE"]
    assert text(message, "MSH-9") == "ORU^R40^ORU_R40"
    assert text(message, "MSH-7") == "20231114221505.250+0000"
    assert text(message, "MSH-12") == "2.6"
    assert text(message, "MSH-15") == "AL"
    assert text(message, "MSH-21").startswith("IHE_PCD_ACM_001^IHE PCD^")
    assert 0 < len(text(message, "MSH-10")) <= 20
    assert text(message, "OBR-4") == "196616^MDC_EVT_ALARM^MDC"
    assert text(message, "OBR-7") == "20231114221504.450+0000"
    assert message.unescape(str(message.segment("NTE")[3])) == " ".join(STATEMENTS)


def test_facets_say_what_the_alarm_is():
    segments = facets(parsed(alert(stored(), "", NOW)))
    assert str(segments[1][5]).startswith("199684^MDC_EVT_ECG_ASYSTOLE^MDC^^^^^^Asystole: No QRS complex for 4.2 s.")
    assert str(segments[1][8]) == "PH~SP"
    assert str(segments[1][14]) == "20231114221500.250+0000"
    assert [str(segments[facet][3]) for facet in sorted(segments)[1:]] == [
        "68480^MDC_ATTR_ALERT_SOURCE^MDC",
        "68481^MDC_ATTR_EVENT_PHASE^MDC",
        "68482^MDC_ATTR_ALARM_STATE^MDC",
        "68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC",
        "68484^MDC_ATTR_ALARM_PRIORITY^MDC",
        "68485^MDC_ATTR_ALERT_TYPE^MDC",
    ]
    assert [str(segments[facet][5]) for facet in (3, 4, 5, 6, 7)] == ["start", "active", "enabled", "PH", "SP"]
    assert {str(segment[4]) for segment in segments.values()} == {f"1.0.0.0.{facet}" for facet in range(1, 8)}


def test_rate_alarm_gives_the_rate_and_its_limit_as_source():
    alarm = {**stored("high rate"), "text": "The rate is 131 per minute.", "value": 131.2, "limit": 120.0}
    segments = facets(parsed(alert(alarm, "", NOW)))
    assert [str(segments[2][field]) for field in (2, 3, 5, 6, 7)] == [
        "NM",
        "147842^MDC_ECG_HEART_RATE^MDC",
        "131.2",
        "264864^MDC_DIM_BEAT_PER_MIN^MDC",
        "<120",
    ]
    assert str(segments[1][8]) == "H~PM~SP"


def test_what_follows_names_the_start_as_its_parent():
    started, ended = stored(), stored(phase=Phase.END, state=AlarmState.INACTIVE, ended_s=130.0)
    start, end = parsed(alert(started, "", NOW)), parsed(alert(ended, "", NOW + 30))
    uid, _, sender = text(start, "OBR-3").partition("^")
    assert text(end, "OBR-29") == f"^{uid}&{sender}"
    assert text(end, "OBR-3") != text(start, "OBR-3")
    assert text(end, "OBR-8") == "20231114221530.250+0000"
    assert str(facets(end)[3][5]) == "end"
    assert text(start, "MSH-10") != text(end, "MSH-10")


@given(NAMES.filter(bool), NAMES)
def test_names_come_back_whatever_is_in_them(patient, name):
    message = parsed(alert(stored(patient=patient), name, NOW))
    assert message.unescape(str(message.segment("PID")[3][0][0])) == patient
    assert message.unescape(str(message.segment("PID")[5][0][0])) == name
    assert [str(segment[0]) for segment in message] == ["MSH", "PID", "OBR", *["OBX"] * 7, "NTE"]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_has_its_message(condition):
    alarm = stored(condition)
    segments = facets(parsed(alert(alarm, "", NOW)))
    assert CONDITIONS[condition].title in str(segments[1][5])
    assert str(segments[7][5]) == alarm["type"]


def test_the_same_alarm_gives_the_same_message():
    assert alert(stored(), "Ada", NOW) == alert(stored(), "Ada", NOW)
