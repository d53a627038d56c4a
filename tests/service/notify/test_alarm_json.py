"""One set of keys for an alarm: in the API, in events and webhooks, and on the command line."""

from __future__ import annotations

import json

from test_delivery import SECRET, changed

from ectopy.cli.output.watch import event_json
from ectopy.monitor.alarm_json import AlarmChangeJson, AlarmJson, alarm_json, change_json, transition_json
from ectopy.service import patient_responses
from ectopy.service.notify import WebhookTarget, deliveries_of
from ectopy.service.notify.messages import read_message
from ectopy.service.storage import StoredAlarm, StoredEvent

ORIGIN = 1_700_000_000.0
EVENT = changed()
ALARM = EVENT.transition.alarm


def test_every_place_that_shows_an_alarm_shows_the_same():
    expected = alarm_json(ALARM, "bed 7", ORIGIN)
    (delivery,) = deliveries_of(
        EVENT,
        "bed 7",
        [WebhookTarget("ward", "https://example.org", SECRET)],
        at=ORIGIN + EVENT.at_s,
        created=0,
        bundle="",
    )
    stored = patient_responses.event(StoredEvent(1, "bed 7", ORIGIN + EVENT.at_s, EVENT))
    assert patient_responses.alarm(StoredAlarm("bed 7", ORIGIN, ALARM)) == expected
    assert stored["alarm"] == expected
    assert json.loads(delivery.payload)["alarm"] == expected
    assert read_message(delivery.payload).number == EVENT.number
    assert json.loads(event_json(EVENT, "", None))["alarm"].keys() == expected.keys() == AlarmJson.__required_keys__


def test_every_place_that_shows_a_change_has_its_keys():
    keys = AlarmChangeJson.__required_keys__
    assert change_json(EVENT).keys() == keys
    assert json.loads(event_json(EVENT, "", None)).keys() >= keys
    event = patient_responses.event(StoredEvent(1, "bed 7", 0.0, EVENT))
    assert event.keys() == keys | {"id", "kind"}
    assert event["number"] == EVENT.number
    shared = {"transition", "time", "at_s", "change", "who", "why", "digest"}
    assert {key: transition_json(EVENT.transition)[key] for key in shared} == {
        key: change_json(EVENT)[key] for key in shared
    }


def test_without_a_clock_there_are_stream_seconds_alone():
    alarm = alarm_json(ALARM)
    assert [value for key, value in alarm.items() if key.endswith("_time")] == [None] * 5
    assert (alarm["since_s"], alarm["onset_s"], alarm["ended_s"]) == (ALARM.present_s, ALARM.raised_s, None)


def test_times_are_by_the_clock_of_their_moment():
    alarm = alarm_json(ALARM, "bed 7", ORIGIN + 3600, (ORIGIN, ORIGIN + 60))
    assert alarm["onset_time"] == ORIGIN + ALARM.raised_s
    assert alarm["since_time"] == ORIGIN + 60 + ALARM.present_s
