from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ectopy.errors import SettingError
from ectopy.monitor.alarm import Alarm, AlarmState, Inactivation, Phase, Transition
from ectopy.monitor.alarm_log import verify
from ectopy.monitor.alarm_settings import AlarmSettings
from ectopy.monitor.alarms import PatientAlarms, active, apply_command, expire, update_conditions
from ectopy.monitor.conditions import CONDITIONS, Priority
from ectopy.monitor.inputs import Command, CommandKind
from ectopy.monitor.rhythm_input import ConditionReading
from support.examples import examples

DEFAULT = AlarmSettings()
RHYTHMS = [code for code, condition in CONDITIONS.items() if condition.returns_within_s]
HIGH = [code for code, condition in CONDITIONS.items() if condition.priority is Priority.HIGH]


class Bed:
    """A patient's alarms and their log."""

    def __init__(self, rules: AlarmSettings = DEFAULT) -> None:
        self.rules = rules
        self.state = PatientAlarms.fresh()
        self.log: list[Transition] = []

    def read(self, at_s: float, present: Mapping[str, bool | None]) -> list[str]:
        readings = [ConditionReading(code, there, f"at {at_s}", at_s) for code, there in present.items()]
        return self._take(update_conditions(self.state, self.rules, at_s, readings))

    def comes_and_goes(self, code: str, from_s: float, to_s: float, away_to_s: float) -> list[str]:
        self.read(from_s, {code: True})
        self.read(to_s, {code: False})
        return self.read(away_to_s, {code: False})

    def wait(self, until_s: float) -> list[str]:
        return self._take(expire(self.state, self.rules, until_s))

    def tell(
        self, at_s: float, what: CommandKind, alarm: int | None = None, who: str = "Ada", why: str = ""
    ) -> list[str]:
        return self._take(apply_command(self.state, self.rules, at_s, Command(what, 0.0, who, why, alarm)))

    def alarm(self, code: str) -> Alarm:
        return next(alarm for alarm in active(self.state) if alarm.condition == code)

    def _take(self, outcome: tuple[PatientAlarms, tuple[Transition, ...]]) -> list[str]:
        self.state, entries = outcome
        self.log.extend(entries)
        return [f"{entry.alarm.condition} {entry.change}" for entry in entries]


def sounding(state: PatientAlarms) -> Priority | None:
    """Highest priority that is to be heard; None = silence."""
    heard = (alarm.priority for alarm in active(state) if alarm.inactivation is Inactivation.ENABLED)
    return max(heard, default=None)


@pytest.fixture
def bed() -> Bed:
    return Bed()


# The table of conditions


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_a_condition_covers_only_what_is_not_more_urgent_and_comes_after_it(condition):
    codes = list(CONDITIONS)
    for code in condition.covers:
        assert CONDITIONS[code].priority <= condition.priority
        assert codes.index(code) > codes.index(condition.code)


@pytest.mark.parametrize("code", HIGH)
def test_high_priority_is_never_kept_back_by_a_refractory_time(code):
    assert CONDITIONS[code].refractory_s == 0


# Start and end


def test_a_condition_raises_an_alarm_once_it_has_been_there_for_its_onset(bed):
    assert bed.read(10.0, {"low rate": True}) == []
    assert bed.read(12.5, {"low rate": True}) == []
    assert bed.read(13.0, {"low rate": True}) == ["low rate raised"]
    assert bed.read(13.5, {"low rate": True}) == []
    raised = bed.log[0].alarm
    assert (raised.number, raised.phase, raised.state, raised.inactivation) == (1, "start", "active", "enabled")
    assert (raised.present_s, raised.raised_s, raised.reading.value) == (10.0, 13.0, 13.0)
    assert bed.alarm("low rate").latest.value == 13.5


def test_one_reading_without_the_condition_makes_the_onset_begin_anew(bed):
    bed.read(10.0, {"low rate": True})
    bed.read(12.5, {"low rate": False})
    bed.read(13.0, {"low rate": True})
    assert bed.read(15.5, {"low rate": True}) == []
    assert bed.read(16.0, {"low rate": True}) == ["low rate raised"]


def test_unknown_time_does_not_count_towards_the_onset_nor_reset_it(bed):
    bed.read(10.0, {"low rate": True})
    bed.read(12.0, {"low rate": True})
    assert bed.read(12.5, {"low rate": None}) == []
    assert bed.read(50.0, {"low rate": None}) == []
    assert bed.read(50.5, {"low rate": True}) == []
    assert bed.read(51.5, {"low rate": True}) == ["low rate raised"]


def test_an_alarm_ends_once_its_condition_has_been_away_for_its_clear_time(bed):
    bed.read(0.0, {"pause": True})
    assert bed.read(5.0, {"pause": False}) == []
    assert bed.read(9.5, {"pause": False}) == []
    assert bed.read(10.0, {"pause": False}) == ["pause ended"]
    ended = bed.log[-1].alarm
    assert (ended.phase, ended.state, ended.ended_s) == ("end", "inactive", 10.0)
    assert active(bed.state) == ()


def test_a_condition_that_is_back_within_its_clear_time_goes_on_with_its_alarm(bed):
    bed.read(0.0, {"pause": True})
    bed.read(5.0, {"pause": False})
    bed.read(9.5, {"pause": True})
    assert bed.read(14.0, {"pause": False}) == []
    assert bed.read(18.5, {"pause": False}) == []
    assert bed.read(19.0, {"pause": False}) == ["pause ended"]


def test_an_active_alarm_stays_while_its_condition_is_unknown(bed):
    bed.read(0.0, {"pause": True})
    bed.read(1.0, {"pause": False})
    for at_s in (2.0, 3.0, 1000.0):
        assert "pause ended" not in bed.read(at_s, {"pause": None})
    assert bed.read(1000.5, {"pause": False}) == []
    assert bed.read(1005.0, {"pause": False}) == []
    assert bed.read(1005.5, {"pause": False}) == ["pause ended"]


def test_no_new_alarm_within_the_refractory_time_and_one_after_it_if_the_condition_is_still_there(bed):
    assert bed.comes_and_goes("pause", 0.0, 1.0, 6.0) == ["pause ended"]
    assert bed.read(30.0, {"pause": True}) == []
    assert bed.read(65.5, {"pause": None}) == []
    assert bed.read(66.5, {"pause": None}) == []
    assert bed.read(67.0, {"pause": True}) == ["pause raised"]
    assert bed.log[-1].alarm.number == 2


def test_time_never_runs_backwards_in_the_log(bed):
    bed.read(100.0, {"asystole": True})
    assert bed.read(90.0, {"pause": False, "ventricular tachycardia": True}) == ["ventricular tachycardia raised"]
    assert bed.log[-1].at_s == 100.0


# Latching


def test_an_unacknowledged_high_priority_alarm_latches_until_somebody_acknowledges_it(bed):
    assert bed.comes_and_goes("asystole", 0.0, 3.0, 62.5) == ["asystole escalated"]
    assert bed.read(63.0, {"asystole": False}) == ["asystole latched"]
    assert (bed.alarm("asystole").state, bed.alarm("asystole").cleared_s) == (AlarmState.LATCHED, 3.0)
    latched = bed.state
    assert bed.read(63.5, {"asystole": False}) == []
    assert bed.state is latched
    assert sounding(bed.state) is Priority.HIGH
    assert bed.tell(70.0, CommandKind.ACKNOWLEDGE, 1, "Ada", "seen") == ["asystole acknowledged", "asystole ended"]
    assert [(entry.person, entry.why) for entry in bed.log[-2:]] == [("Ada", "seen")] * 2
    assert active(bed.state) == ()


@pytest.mark.parametrize("paused", [False, True], ids=["audible", "in an audio pause"])
def test_a_condition_that_returns_makes_its_latched_alarm_active_and_audible_again(bed, paused):
    bed.comes_and_goes("asystole", 0.0, 3.0, 63.0)
    if paused:
        bed.tell(64.0, CommandKind.PAUSE_AUDIO)
        assert sounding(bed.state) is None
    assert bed.alarm("asystole").state is AlarmState.LATCHED
    assert bed.read(80.0, {"asystole": True})[0] == "asystole returned"
    returned = bed.alarm("asystole")
    assert (returned.number, returned.state, returned.present_s, returned.raised_s) == (1, "active", 80.0, 0.0)
    assert sounding(bed.state) is Priority.HIGH


@pytest.mark.parametrize("code", RHYTHMS)
def test_a_rhythm_that_comes_and_goes_is_one_alarm_while_it_sounds(bed, code):
    assert bed.read(0.0, {code: True}) == [f"{code} raised"]
    changes = []
    for at_s in range(10, 300, 10):
        changes += bed.read(at_s, {code: at_s % 50 == 0})
    assert changes.count(f"{code} continued") == 5
    assert set(changes) == {f"{code} continued", f"{code} escalated"}
    alarm = bed.alarm(code)
    assert (alarm.number, alarm.state, alarm.present_s, alarm.cleared_s) == (1, AlarmState.ACTIVE, 250.0, None)
    assert sounding(bed.state) is Priority.HIGH


@pytest.mark.parametrize("code", RHYTHMS)
def test_the_next_occurrence_after_an_acknowledgement_or_in_an_audio_pause_sounds(bed, code):
    bed.comes_and_goes(code, 0.0, 3.0, 9.0)
    # Seen while it is away: it is over.
    assert bed.tell(10.0, CommandKind.ACKNOWLEDGE, 1) == [f"{code} acknowledged", f"{code} ended"]
    assert bed.log[-1].alarm.cleared_s == 3.0
    assert bed.read(11.0, {code: True}) == [f"{code} raised"]
    assert sounding(bed.state) is Priority.HIGH
    # An audio pause is broken by it.
    bed.tell(12.0, CommandKind.PAUSE_AUDIO)
    bed.read(13.0, {code: False})
    assert bed.read(18.0, {code: False}) == [f"{code} latched"]
    assert bed.read(19.0, {code: True}) == [f"{code} returned"]
    assert sounding(bed.state) is Priority.HIGH


def test_an_alarm_that_sounds_covers_no_longer_than_its_condition_takes_to_end(bed):
    bed.read(0.0, {"ventricular tachycardia": True, "extreme tachycardia": True})
    gone = {"ventricular tachycardia": False, "extreme tachycardia": True}
    assert bed.read(2.0, gone) == []
    assert bed.read(7.0, gone) == ["extreme tachycardia raised"]
    assert bed.alarm("ventricular tachycardia").state is AlarmState.ACTIVE


def test_an_acknowledged_alarm_ends_with_its_condition_and_does_not_silence_the_next_occurrence(bed):
    bed.read(0.0, {"asystole": True})
    bed.tell(1.0, CommandKind.ACKNOWLEDGE, 1)
    bed.read(3.0, {"asystole": False})
    assert bed.read(8.0, {"asystole": False}) == ["asystole ended"]
    assert bed.read(9.0, {"asystole": True}) == ["asystole raised"]
    assert bed.alarm("asystole").number == 2
    assert sounding(bed.state) is Priority.HIGH


# Covering


def test_a_covered_condition_raises_no_alarm_until_the_covering_one_has_ended(bed):
    both = {"ventricular tachycardia": True, "ventricular run": True, "couplet": True}
    assert bed.read(0.0, both) == ["ventricular tachycardia raised"]
    bed.tell(1.0, CommandKind.ACKNOWLEDGE, 1)
    assert bed.read(2.0, both | {"ventricular tachycardia": False}) == []
    assert bed.read(7.0, both | {"ventricular tachycardia": False}) == [
        "ventricular tachycardia ended",
        "ventricular run raised",
    ]
    assert bed.alarm("ventricular run").present_s == 0.0


def test_a_latched_alarm_does_not_call_again_while_another_one_says_the_same(bed):
    both = {"ventricular tachycardia": True, "extreme tachycardia": True}
    assert bed.comes_and_goes("extreme tachycardia", 0.0, 2.0, 62.0)[-1] == "extreme tachycardia latched"
    assert bed.read(70.0, {"ventricular tachycardia": True}) == ["ventricular tachycardia raised"]
    assert bed.read(71.0, both) == []
    assert bed.alarm("extreme tachycardia").state is AlarmState.LATCHED
    # It calls again as soon as it is no longer covered.
    gone = both | {"ventricular tachycardia": False}
    assert bed.read(73.0, gone) == []
    assert bed.read(78.0, gone) == ["extreme tachycardia returned"]


def test_an_alarm_whose_condition_has_gone_covers_nothing(bed):
    bed.read(0.0, {"asystole": True, "pause": True})
    bed.read(2.0, {"asystole": False, "pause": True})
    assert bed.read(7.0, {"asystole": False, "pause": True}) == ["pause raised"]


def test_a_covered_condition_that_cannot_be_told_waits_unless_it_is_of_high_priority(bed):
    bed.read(0.0, {"asystole": True, "extreme bradycardia": True, "pause": True})
    bed.read(2.0, {"asystole": False, "extreme bradycardia": None, "pause": None})
    assert bed.read(7.0, {"asystole": False}) == ["extreme bradycardia raised"]
    assert bed.read(7.5, {"extreme bradycardia": False, "pause": None}) == []
    assert bed.read(12.5, {"extreme bradycardia": False, "pause": None}) == []
    assert bed.read(13.0, {"pause": True}) == ["pause raised"]


def test_an_alarm_older_than_the_covering_one_goes_on(bed):
    bed.read(0.0, {"pause": True})
    assert bed.read(1.0, {"pause": True, "asystole": True}) == ["asystole raised"]
    assert [alarm.condition for alarm in active(bed.state)] == ["asystole", "pause"]
    bed.read(2.0, {"pause": False, "asystole": True})
    assert bed.read(7.0, {"pause": False, "asystole": True}) == ["pause ended"]


# Acknowledging


def test_an_acknowledgement_runs_out_while_the_condition_is_still_there(bed):
    bed.read(0.0, {"asystole": True})
    bed.tell(10.0, CommandKind.ACKNOWLEDGE, 1)
    assert (bed.alarm("asystole").acknowledged_by, bed.alarm("asystole").acknowledged_until_s) == ("Ada", 310.0)
    assert sounding(bed.state) is None
    assert bed.wait(309.9) == []
    assert bed.wait(310.0) == ["asystole acknowledgement expired"]
    alarm = bed.alarm("asystole")
    assert (alarm.inactivation, alarm.acknowledged_by, alarm.acknowledged_until_s) == ("enabled", "", None)
    assert sounding(bed.state) is Priority.HIGH
    assert bed.wait(370.0) == ["asystole escalated"]


def test_an_acknowledgement_can_be_taken_back(bed):
    bed.read(0.0, {"asystole": True})
    bed.tell(10.0, CommandKind.ACKNOWLEDGE, 1)
    assert bed.tell(20.0, CommandKind.UNACKNOWLEDGE, 1, "Ben", "by mistake") == ["asystole unacknowledged"]
    assert (bed.log[-1].person, bed.log[-1].why) == ("Ben", "by mistake")
    assert bed.alarm("asystole").inactivation is Inactivation.ENABLED
    assert bed.wait(400.0) == ["asystole escalated"] * 3


def test_acknowledging_again_begins_the_time_anew(bed):
    bed.read(0.0, {"asystole": True})
    bed.tell(10.0, CommandKind.ACKNOWLEDGE, 1)
    bed.tell(200.0, CommandKind.ACKNOWLEDGE, 1, "Ben")
    assert bed.wait(499.0) == []
    assert bed.alarm("asystole").acknowledged_by == "Ben"
    assert bed.wait(500.0) == ["asystole acknowledgement expired"]


# Audio pause


def test_an_audio_pause_silences_all_alarms_and_ends_with_a_reminder(bed):
    bed.read(0.0, {"pause": True, "couplet": True})
    assert bed.tell(1.0, CommandKind.PAUSE_AUDIO) == ["pause audio paused", "couplet audio paused"]
    assert sounding(bed.state) is None
    assert bed.wait(120.9) == []
    assert bed.wait(121.0) == ["pause audio resumed", "couplet audio resumed", "pause reminded"]
    assert sounding(bed.state) is Priority.MEDIUM


def test_an_alarm_of_lower_priority_that_starts_during_an_audio_pause_is_paused_too(bed):
    bed.read(0.0, {"pause": True})
    bed.tell(1.0, CommandKind.PAUSE_AUDIO)
    bed.read(2.0, {"couplet": True})
    assert bed.alarm("couplet").inactivation is Inactivation.AUDIO_PAUSED


def test_a_new_high_priority_alarm_breaks_an_audio_pause(bed):
    bed.read(0.0, {"pause": True})
    bed.tell(1.0, CommandKind.PAUSE_AUDIO)
    assert bed.read(2.0, {"ventricular tachycardia": True}) == [
        "ventricular tachycardia raised",
        "pause audio resumed",
    ]
    assert {alarm.inactivation for alarm in active(bed.state)} == {Inactivation.ENABLED}


def test_audio_can_be_resumed_by_order_and_without_a_reminder(bed):
    bed.read(0.0, {"pause": True})
    bed.tell(1.0, CommandKind.PAUSE_AUDIO)
    assert bed.tell(2.0, CommandKind.RESUME_AUDIO) == ["pause audio resumed"]
    assert bed.wait(200.0) == []


def test_an_acknowledged_alarm_stays_so_through_an_audio_pause_and_is_paused_when_that_is_taken_back(bed):
    bed.read(0.0, {"pause": True, "couplet": True})
    bed.tell(1.0, CommandKind.ACKNOWLEDGE, 1)
    assert bed.tell(2.0, CommandKind.PAUSE_AUDIO) == ["couplet audio paused"]
    bed.tell(3.0, CommandKind.UNACKNOWLEDGE, 1)
    assert bed.alarm("pause").inactivation is Inactivation.AUDIO_PAUSED


# Escalation


def test_an_alarm_that_nobody_acknowledges_is_escalated_a_few_times_even_when_latched(bed):
    bed.comes_and_goes("asystole", 0.0, 1.0, 6.0)
    assert bed.wait(10_000.0) == ["asystole escalated"] * 3
    assert [(entry.at_s, entry.alarm.level) for entry in bed.log[-3:]] == [(60.0, 1), (120.0, 2), (180.0, 3)]


def test_a_condition_that_comes_and_goes_is_escalated_all_the_same_and_anew_once_it_was_to_the_last(bed):
    for at_s in range(0, 180, 10):
        bed.comes_and_goes("asystole", at_s, at_s + 1, at_s + 6)
    bed.wait(180.0)
    assert bed.alarm("asystole").level == 3
    bed.read(200.0, {"asystole": True})
    assert bed.alarm("asystole").level == 0
    assert bed.wait(260.0) == ["asystole escalated"]


def test_acknowledging_stops_the_escalation(bed):
    bed.read(0.0, {"asystole": True})
    bed.wait(60.0)
    assert bed.alarm("asystole").level == 1
    bed.tell(61.0, CommandKind.ACKNOWLEDGE, 1)
    assert bed.alarm("asystole").level == 0
    assert bed.wait(300.0) == []


def test_low_priority_is_not_escalated_and_nothing_is_where_the_most_is_none():
    for rules, present in ((replace(DEFAULT, most_escalations=0), "asystole"), (DEFAULT, "couplet")):
        bed = Bed(rules)
        bed.read(0.0, {present: True, "couplet": True})
        assert bed.wait(1e6) == []


# Orders that cannot be carried out


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (Command(CommandKind.ACKNOWLEDGE, 0.0, " ", alarm=2), "name of the person"),
        (Command(CommandKind.ACKNOWLEDGE, 0.0, "Ada"), "name its alarm"),
        (Command(CommandKind.ACKNOWLEDGE, 0.0, "Ada", alarm=1), "Alarm 1 has ended"),
        (Command(CommandKind.ACKNOWLEDGE, 0.0, "Ada", alarm=3), "no alarm 3: this patient has had 2"),
        (Command(CommandKind.ACKNOWLEDGE, 0.0, "Ada", alarm=0), "no alarm 0"),
        (Command(CommandKind.UNACKNOWLEDGE, 0.0, "Ada", alarm=2), "not acknowledged"),
        (Command(CommandKind.RESUME_AUDIO, 0.0, "Ada"), "not paused"),
        (Command(CommandKind.RELEARN, 0.0, "Ada"), "'relearn' is not a command about alarms"),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why(bed, action, message):
    bed.comes_and_goes("pause", 0.0, 1.0, 6.0)
    bed.read(6.0, {"asystole": True})
    with pytest.raises(SettingError, match=message):
        apply_command(bed.state, DEFAULT, 7.0, action)


def test_silence_cannot_be_paused(bed):
    with pytest.raises(SettingError, match="nothing to pause"):
        bed.tell(0.0, CommandKind.PAUSE_AUDIO)
    bed.read(0.0, {"asystole": True})
    bed.tell(1.0, CommandKind.PAUSE_AUDIO)
    with pytest.raises(SettingError, match="nothing to pause"):
        bed.tell(2.0, CommandKind.PAUSE_AUDIO)


# Time


def test_timers_that_are_due_together_are_fired_in_order_of_their_due_times(bed):
    bed.read(0.0, {"asystole": True, "ventricular tachycardia": True})
    bed.tell(10.0, CommandKind.ACKNOWLEDGE, 1)
    bed.tell(20.0, CommandKind.PAUSE_AUDIO)
    assert bed.wait(320.0) == [
        "ventricular tachycardia escalated",
        "ventricular tachycardia escalated",
        "ventricular tachycardia audio resumed",
        "ventricular tachycardia reminded",
        "ventricular tachycardia escalated",
        "asystole acknowledgement expired",
    ]
    assert [entry.at_s for entry in bed.log[-6:]] == [60.0, 120.0, 140.0, 140.0, 180.0, 310.0]


def test_where_nothing_is_new_and_nothing_is_due_the_state_is_the_very_same_object(bed):
    before = bed.state
    assert bed.read(0.0, {"asystole": None, "pause": False}) == []
    assert bed.state is before
    bed.read(1.0, {"asystole": True})
    before = bed.state
    bed.wait(60.9)
    assert bed.state is before


def test_alarms_are_listed_by_urgency(bed):
    bed.read(0.0, {"couplet": True, "extreme tachycardia": True, "pause": True})
    bed.read(1.0, {"ventricular tachycardia": True, "extreme tachycardia": False})
    bed.read(6.0, {"extreme tachycardia": False})
    listed = [alarm.condition for alarm in active(bed.state)]
    assert listed == ["ventricular tachycardia", "extreme tachycardia", "pause", "couplet"]
    bed.tell(7.0, CommandKind.ACKNOWLEDGE, bed.alarm("ventricular tachycardia").number)
    assert [alarm.condition for alarm in active(bed.state)][:2] == ["extreme tachycardia", "ventricular tachycardia"]


# Discharge


def test_discharge_ends_every_alarm_and_says_who_did_it_and_why(bed):
    bed.read(0.0, {"asystole": True, "couplet": True, "pause": True})
    bed.read(1.0, {"asystole": False})
    bed.read(6.0, {"asystole": False})
    bed.tell(7.0, CommandKind.ACKNOWLEDGE, bed.alarm("couplet").number)
    bed.tell(8.0, CommandKind.PAUSE_AUDIO)
    ended = bed.tell(9.0, CommandKind.DISCHARGE, why="went home")
    assert ended == ["asystole discharged", "pause discharged", "couplet discharged"]
    assert {(entry.person, entry.why) for entry in bed.log[-3:]} == {("Ada", "went home")}
    alarms = [entry.alarm for entry in bed.log[-3:]]
    assert {(alarm.phase, alarm.state, alarm.ended_s) for alarm in alarms} == {(Phase.END, AlarmState.INACTIVE, 9.0)}
    assert verify(bed.log) is None
    assert active(bed.state) == ()
    assert sounding(bed.state) is None
    assert bed.wait(1e6) == []


def test_after_discharge_a_condition_that_is_there_is_a_new_alarm_at_once_and_heard(bed):
    bed.read(0.0, {"low rate": True})
    bed.read(10.0, {"low rate": True})
    bed.read(20.0, {"couplet": True})
    bed.tell(21.0, CommandKind.PAUSE_AUDIO)
    bed.tell(22.0, CommandKind.DISCHARGE)
    assert bed.read(23.0, {"low rate": True, "couplet": True}) == ["couplet raised"]
    assert bed.read(26.0, {"low rate": True}) == ["low rate raised"]
    assert [alarm.inactivation for alarm in active(bed.state)] == [Inactivation.ENABLED] * 2


def test_discharge_needs_a_name_and_no_alarm(bed):
    assert bed.tell(0.0, CommandKind.DISCHARGE) == []
    with pytest.raises(SettingError, match="name of the person"):
        bed.tell(0.0, CommandKind.DISCHARGE, who="")


# The log


def busy_log() -> list[Transition]:
    bed = Bed()
    bed.read(0, {"asystole": True, "pause": True})
    bed.tell(10, CommandKind.ACKNOWLEDGE, 1, "Ada", "attending")
    bed.wait(400)
    bed.tell(401, CommandKind.PAUSE_AUDIO, None, "Ben")
    bed.wait(600)
    return bed.log


ENTRIES = busy_log()


def test_entries_from_before_alarms_said_when_they_cleared_keep_their_digest():
    """A log that an earlier version wrote stays whole."""
    entry = ENTRIES[0]
    assert (entry.alarm.cleared_s, entry.evidence) == (None, "")
    facts = asdict(entry)
    del facts["digest"], facts["evidence"], facts["alarm"]["cleared_s"]
    facts["who"] = facts.pop("person")
    plain = json.loads(json.dumps(facts), parse_int=float, parse_constant=lambda _: None)
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    assert entry.digest == hashlib.sha256(canonical.encode()).hexdigest()
    assert verify([replace(entry, alarm=replace(entry.alarm, cleared_s=1.0))]) == 1


def test_an_untouched_log_is_whole():
    assert len(ENTRIES) > 6
    assert verify(ENTRIES) is None
    assert verify([]) is None


@given(
    at=st.integers(0, len(ENTRIES) - 1),
    change=st.sampled_from(
        [
            lambda entry: replace(entry, number=entry.number + 1),
            lambda entry: replace(entry, at_s=entry.at_s + 0.5),
            lambda entry: replace(entry, change="ended"),
            lambda entry: replace(entry, person=entry.person + "a"),
            lambda entry: replace(entry, why=entry.why + "a"),
            lambda entry: replace(entry, previous="0" * 63 + "1"),
            lambda entry: replace(entry, digest="0" * 64),
            lambda entry: replace(entry, alarm=replace(entry.alarm, priority=Priority.LOW)),
            lambda entry: replace(entry, alarm=replace(entry.alarm, acknowledged_by="Eve")),
            lambda entry: replace(entry, alarm=replace(entry.alarm, latest=ConditionReading("asystole", None))),
        ]
    ),
)
def test_a_changed_entry_is_found(at, change):
    log = list(ENTRIES)
    log[at] = change(log[at])
    assert verify(log) == at + 1


@given(at=st.integers(0, len(ENTRIES) - 2))
def test_an_entry_that_is_missing_or_out_of_order_is_found(at):
    assert verify(ENTRIES[:at] + ENTRIES[at + 1 :]) == at + 1
    assert verify([*ENTRIES[:at], ENTRIES[at + 1], ENTRIES[at], *ENTRIES[at + 2 :]]) == at + 1


@example(value=float("nan"), beats=[])
@example(value=float("-inf"), beats=[1])
@given(
    value=st.one_of(st.none(), st.integers(-1000, 1000), st.floats()), beats=st.lists(st.floats(0, 1e9), max_size=20)
)
def test_the_chain_survives_stores_that_know_no_nan_and_do_not_tell_5_from_5_0(value, beats):
    reading = ConditionReading("asystole", True, "µV \N{SNOWMAN}", value, 4, tuple(beats))
    _, log = update_conditions(PatientAlarms.fresh(), DEFAULT, 1, [reading])
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(log), type=list[Transition])
    through_json = msgspec.convert(json.loads(msgspec.json.encode(log)), type=list[Transition])
    # As from a store that writes whole numbers without a point.
    shortened = [replace(entry, at_s=int(entry.at_s)) for entry in log]
    for stored in (packed, through_json, shortened):
        assert verify(stored) is None


# Any sequence of readings, time and orders

WATCHED = ("asystole", "extreme bradycardia", "low rate", "pause", "ventricular run", "couplet", "detector failed")
LONGEST_S = DEFAULT.low.acknowledged_s + DEFAULT.most_escalations * 300.0


@given(
    st.lists(
        st.tuples(
            st.sampled_from([True, False, None]), st.sampled_from([True, False, None]), st.sampled_from([0.5, 6.0])
        ),
        min_size=4,
        max_size=12,
    )
)
def test_a_high_priority_condition_under_another_one_is_never_without_an_active_alarm(sequence):
    bed, now_s, there = Bed(), 0.0, {}
    for asystole, bradycardia, step_s in sequence:
        readings = {"asystole": asystole, "extreme bradycardia": bradycardia}
        there |= {code: known for code, known in readings.items() if known is not None}
        now_s += step_s
        bed.read(now_s, readings)
        alarmed = {alarm.condition for alarm in active(bed.state) if alarm.state is AlarmState.ACTIVE}
        assert "asystole" in alarmed or not there.get("asystole")
        assert alarmed or not there.get("extreme bradycardia")


class Alarms(RuleBasedStateMachine):
    """One patient, twice: with the time looked at often and the state stored now and then, and without."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.often = Bed()
        self.rarely = Bed()
        self.scene: dict[str, bool | None] = {}
        self.there: dict[str, bool] = {}
        self.live: dict[str, int] = {}
        self.alarms = 0
        self.checked = 0

    @rule(code=st.sampled_from(WATCHED))
    def fall_silent(self, code: str) -> None:
        self.scene.pop(code, None)

    @rule(
        news=st.dictionaries(st.sampled_from(WATCHED), st.sampled_from([True, False, None]), max_size=4),
        step_s=st.sampled_from([0.5, 0.7, 30.0]),
        steps=st.sampled_from([1, 3, 22]),
    )
    def read(self, news: dict[str, bool | None], step_s: float, steps: int) -> None:
        self.scene |= news
        for _ in range(steps):
            self.now_s += step_s
            self.often.wait(self.now_s)
            self.often.read(self.now_s, self.scene)
            self.rarely.read(self.now_s, self.scene)
        self.there |= {code: there for code, there in self.scene.items() if there is not None}
        assert self.often.log == self.rarely.log
        assert self.often.state == self.rarely.state

    @rule(pause_s=st.one_of(st.floats(0, 100), st.sampled_from([60.0, 120.0, 300.0, 900.0])))
    def wait(self, pause_s: float) -> None:
        self.now_s += pause_s
        self.often.wait(self.now_s)

    @rule(
        what=st.sampled_from([CommandKind.ACKNOWLEDGE, CommandKind.ACKNOWLEDGE, CommandKind.UNACKNOWLEDGE]),
        data=st.data(),
    )
    def tell_alarm(self, what: CommandKind, data: st.DataObject) -> None:
        numbers = sorted(self.live.values()) or [1]
        self._tell(what, data.draw(st.sampled_from(numbers)))

    @rule(what=st.sampled_from([CommandKind.PAUSE_AUDIO, CommandKind.RESUME_AUDIO]))
    def tell_audio(self, what: CommandKind) -> None:
        self._tell(what, None)

    @rule()
    def discharge(self) -> None:
        """Nothing counts as present until it is read again, which takes an admission."""
        self._tell(CommandKind.DISCHARGE, None)
        self.scene.clear()
        self.there.clear()
        assert active(self.often.state) == ()

    def _tell(self, what: CommandKind, alarm: int | None) -> None:
        refusals = []
        for bed in (self.often, self.rarely):
            try:
                bed.tell(self.now_s, what, alarm)
                refusals.append("")
            except SettingError as error:
                refusals.append(str(error))
        assert refusals[0] == refusals[1]

    @rule()
    def store(self) -> None:
        stored = msgspec.msgpack.encode(self.often.state)
        self.often.state = msgspec.msgpack.decode(stored, type=PatientAlarms)

    @rule()
    def wait_until_nothing_is_silent(self) -> None:
        self.now_s += LONGEST_S
        self.often.wait(self.now_s)
        for alarm in active(self.often.state):
            assert alarm.inactivation is Inactivation.ENABLED
            if alarm.priority > Priority.LOW:
                assert alarm.level == DEFAULT.most_escalations

    @invariant()
    def no_high_priority_condition_is_without_an_active_alarm(self) -> None:
        alarmed = {alarm.condition for alarm in active(self.often.state) if alarm.state is AlarmState.ACTIVE}
        for code, there in self.there.items():
            if there and code in HIGH:
                covering = {other for other in HIGH if code in CONDITIONS[other].covers}
                assert alarmed & {code, *covering}

    @invariant()
    def nothing_is_silent_for_longer_than_the_settings_say(self) -> None:
        expired, _ = expire(self.often.state, DEFAULT, self.now_s)
        for alarm in active(expired):
            if alarm.inactivation is Inactivation.ACKNOWLEDGED:
                assert alarm.acknowledged_by == "Ada"
                assert self.now_s < alarm.acknowledged_until_s <= self.now_s + DEFAULT.of(alarm.priority).acknowledged_s
            else:
                paused = alarm.inactivation is Inactivation.AUDIO_PAUSED
                assert paused is (expired.audio_paused_until_s is not None)
        if expired.audio_paused_until_s is not None:
            assert self.now_s < expired.audio_paused_until_s <= self.now_s + DEFAULT.audio_pause_s

    @invariant()
    def no_alarm_is_raised_twice_for_one_condition(self) -> None:
        log = self.often.log
        for entry in log[self.checked :]:
            alarm = entry.alarm
            if entry.change == "raised":
                assert alarm.condition not in self.live
                self.alarms += 1
                self.live[alarm.condition] = self.alarms
            assert alarm.number == self.live[alarm.condition]
            assert (alarm.phase is Phase.START) is (entry.change == "raised")
            assert (alarm.phase is Phase.END) is (entry.change in ("ended", "discharged"))
            if alarm.phase is Phase.END:
                del self.live[alarm.condition]
        self.checked = len(log)
        assert {alarm.condition: alarm.number for alarm in active(self.often.state)} == self.live

    def teardown(self) -> None:
        log = self.often.log
        assert verify(log) is None
        assert [entry.at_s for entry in log] == sorted(entry.at_s for entry in log)
        assert (log[-1].digest if log else "0" * 64) == self.often.state.digest


class TestAlarms(Alarms.TestCase):
    settings = settings(max_examples=examples(50), stateful_step_count=60)


@pytest.mark.long
class TestManyAlarms(Alarms.TestCase):
    settings = settings(max_examples=500, stateful_step_count=60)


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_the_page_on_alarms_gives_each_definition_with_its_source(condition):
    page = (Path(__file__).parents[2] / "docs" / "alarms.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| {condition.title} |"))
    assert f"| {condition.priority.name.lower()} | {condition.kind} |" in row
    assert f"| {condition.definition} | {condition.source} |" in row
