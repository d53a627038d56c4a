"""How a patient is in a word, and the settings of the service."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import SettingError
from ectopy.monitor import AlarmSettings, Command, CommandKind, Monitor, MonitorState, Tick, chunks
from ectopy.monitor.alarm import AlarmState
from ectopy.monitor.alarms import PatientAlarms, active, update_conditions
from ectopy.monitor.conditions import CONDITIONS, Priority
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.status import SILENT_S, Comparison, PatientState, newest_sample_time, next_position, patient_status
from ectopy.service.settings import FILE, load_settings
from ectopy.service.storage import Arrival
from ectopy.service.storage.stream_clock import former_clocks, present_clock
from support.monitor_steps import feed

LEARNING_S = 30.0


def watched(monitor: Monitor, until_s: float, **simulated: object) -> MonitorState:
    came = (replace(each, received=1000.0 + each.received) for each in chunks(simulate_recording(until_s, **simulated)))
    return feed(monitor, MonitorState(), *came)[0]


def test_a_patient_learns_and_is_normal_and_goes_silent(monitor: Monitor):
    assert patient_status(MonitorState(), 0.0, LEARNING_S).state is PatientState.NO_DATA
    early, late = watched(monitor, 20), watched(monitor, 45)
    assert patient_status(early, 1020.0, LEARNING_S).state is PatientState.LEARNING
    found = patient_status(late, 1045.0, LEARNING_S)
    assert found.state is PatientState.NORMAL
    assert found.heart_rate_bpm == pytest.approx(70, abs=8)
    assert found.last_sample_time == pytest.approx(1045.0)
    assert found.alarms == ()
    assert patient_status(late, 1060.0, LEARNING_S).state is PatientState.NO_DATA


def test_a_heart_that_stands_still_has_no_rate_and_the_alarm_comes_first(monitor: Monitor):
    state = watched(monitor, 50, episodes=[Episode("asystole", 38, 12)], random_state=1)
    found = patient_status(state, 1050.0, LEARNING_S)
    assert found.state is PatientState.ALARM
    assert found.heart_rate_bpm is None
    assert found.alarms[0].condition == "asystole"
    assert [one.priority for one in found.alarms] == sorted((one.priority for one in found.alarms), reverse=True)


@pytest.mark.parametrize(
    ("until_s", "episodes_s", "state", "cleared_s"),
    [
        pytest.param(45, [(38, 8)], AlarmState.ACTIVE, None, id="its condition is there"),
        pytest.param(62, [(38, 8)], AlarmState.ACTIVE, pytest.approx(49, abs=3), id="its condition may return"),
        pytest.param(80, [(38, 8), (70, 12)], AlarmState.ACTIVE, None, id="its condition is back"),
        pytest.param(125, [(38, 8)], AlarmState.LATCHED, pytest.approx(49, abs=3), id="latched"),
    ],
)
def test_an_alarm_says_when_its_condition_went_away(
    monitor: Monitor, until_s: float, episodes_s: list[tuple[float, float]], state: AlarmState, cleared_s: float | None
):
    episodes = [Episode("ventricular_tachycardia", at_s, length_s, 120) for at_s, length_s in episodes_s]
    now = watched(monitor, until_s, episodes=episodes, random_state=1)
    found = patient_status(now, 1000.0 + until_s, LEARNING_S)
    alarm = next(one for one in found.alarms if one.condition == "ventricular tachycardia")
    assert (alarm.state, alarm.cleared_s) == (state, cleared_s)
    assert [one.cleared_s for one in active(now.alarms) if one.state is AlarmState.ACTIVE and one.cleared_s] == []
    # When it is acknowledged after its condition went away, it has ended.
    now, _ = monitor.step(now, Command(CommandKind.ACKNOWLEDGE, 1300.0, "Cem", alarm=alarm.number))
    left = [one.condition for one in patient_status(now, 1300.0, LEARNING_S).alarms]
    assert (alarm.condition in left) == (cleared_s is None)


def test_an_answered_alarm_hides_none_that_calls(monitor: Monitor):
    state = watched(monitor, 50, episodes=[Episode("ventricular_tachycardia", 38, 12)], random_state=1)
    first, second = patient_status(state, 1050.0, LEARNING_S).alarms[:2]
    assert {first.condition, second.condition} == {"ventricular tachycardia", "ventricular run"}
    assert patient_status(state, 1050.0, LEARNING_S).unacknowledged == first
    state, _ = monitor.step(state, Command(CommandKind.ACKNOWLEDGE, 1051.0, "Cem", alarm=first.number))
    assert patient_status(state, 1051.0, LEARNING_S).unacknowledged == second
    state, _ = monitor.step(state, Command(CommandKind.ACKNOWLEDGE, 1052.0, "Cem", alarm=second.number))
    for now in (1061.0, 1071.0):
        state, _ = monitor.step(state, Tick(now))
    found = patient_status(state, 1071.0, LEARNING_S)
    assert found.alarms[0].number == first.number
    assert found.unacknowledged.condition == "no data"


@pytest.mark.parametrize("codes", [("pause", "supraventricular run"), ("supraventricular run", "pause")])
def test_of_two_active_alarms_of_one_priority_the_newer_one_is_first_everywhere(codes: tuple[str, str]):
    alarms = PatientAlarms.fresh()
    for number, code in enumerate(codes):
        alarms, _ = update_conditions(alarms, AlarmSettings(), 10.0 * number, [ConditionReading(code, True)])
    shown = patient_status(MonitorState(alarms=alarms), 1000.0, LEARNING_S).alarms
    assert shown == active(alarms)
    assert [(alarm.condition, alarm.raised_s) for alarm in shown] == [(codes[1], 10.0), (codes[0], 0.0)]
    assert {(alarm.priority, alarm.state) for alarm in shown} == {(Priority.MEDIUM, AlarmState.ACTIVE)}


def test_the_position_that_comes_next_and_the_time_of_the_newest_sample_belong_together(monitor: Monitor):
    assert (next_position(MonitorState()), newest_sample_time(MonitorState())) == (None, 0.0)
    state = watched(monitor, 5)
    assert newest_sample_time(state) == pytest.approx(1000.0 + next_position(state) / 250)


def test_leads_that_are_off_are_unreadable(monitor: Monitor):
    state = watched(monitor, 45, episodes=[Episode("lead_off", 38, 7)])
    assert patient_status(state, 1045.0, LEARNING_S).state is PatientState.UNREADABLE


def test_who_is_discharged_is_neither_well_nor_silent(monitor: Monitor):
    state = watched(monitor, 50, episodes=[Episode("asystole", 38, 12)], random_state=1)
    state, _ = monitor.step(state, Command(CommandKind.DISCHARGE, 1050.0, "Cem"))
    found = patient_status(state, 5000.0, LEARNING_S)
    assert found.state is PatientState.DISCHARGED
    assert (found.heart_rate_bpm, found.quality, found.alarms) == (None, {}, ())
    assert found.last_sample_time == pytest.approx(1050.0)


@pytest.fixture(scope="module")
def states(monitor: Monitor) -> list[MonitorState]:
    """Of patients whose normal is learned and is not, who are well, in alarm, and badly connected."""
    return [
        watched(monitor, 20),
        watched(monitor, 45),
        watched(monitor, 50, episodes=[Episode("asystole", 38, 12)], random_state=1),
        watched(monitor, 45, episodes=[Episode("lead_off", 38, 7)]),
    ]


@given(st.integers(0, 3), st.floats(-5, 100_000))
def test_nothing_old_is_current(states: list[MonitorState], place: int, silent_s: float):
    state = states[place]
    found = patient_status(state, state.received + silent_s, LEARNING_S)
    assert (found.state is PatientState.NO_DATA) == (silent_s > SILENT_S)
    if silent_s > SILENT_S:
        assert (found.heart_rate_bpm, found.quality) == (None, {})
    assert found.received == state.received


def test_it_is_told_what_beats_are_compared_with_and_for_how_long(monitor: Monitor):
    nothing = patient_status(MonitorState(), 0.0, LEARNING_S)
    assert (nothing.compared_with, nothing.learning_left_s) == (Comparison.NO_NORMAL, None)
    times_s = (0.5, 6, 20, 45)
    none, first, early, late = (patient_status(watched(monitor, s), 1000.0 + s, LEARNING_S) for s in times_s)
    assert (none.compared_with, none.learning_left_s) == (Comparison.OTHER_PEOPLE, LEARNING_S)
    # Ten beats make a provisional normal.
    assert first.compared_with is Comparison.OTHER_PEOPLE
    assert early.compared_with is Comparison.PROVISIONAL
    assert early.learning_left_s == pytest.approx(12.5, abs=2.5)
    assert (late.compared_with, late.learning_left_s) == (Comparison.OWN, None)
    # The present normal serves while another one is learned.
    state, _ = monitor.step(watched(monitor, 45), Command(CommandKind.RELEARN, 1045.0, "Cem"))
    again = patient_status(state, 1045.0, LEARNING_S)
    assert (again.state, again.compared_with) == (PatientState.LEARNING, Comparison.OWN)
    assert again.learning_left_s == LEARNING_S


def test_every_condition_has_its_advice():
    assert all(condition.advice.endswith(".") for condition in CONDITIONS.values())


# Where a second lies in a stream


def test_the_present_stream_lies_where_the_monitor_says(monitor: Monitor):
    state = watched(monitor, 20)
    line = present_clock(state)
    assert line.within(0.0, 100.0) == range(20 * 250)
    assert line.within(5.0, 6.0) == range(1250, 1500)
    assert line.second(1250) == pytest.approx(5.0)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 0.4)), min_size=1, max_size=30), st.floats(0, 1e9))
def test_a_former_stream_lies_where_its_quickest_chunk_says(given_chunks: list[tuple[int, float]], origin: float):
    came = [Arrival("a", 250.0, 250 * place, 250, origin + place + 1.0 + late) for place, late in given_chunks]
    (line,) = former_clocks(came, origin)
    places, least = [place for place, _ in given_chunks], min(late for _, late in given_chunks)
    assert line.zero_s == pytest.approx(least, abs=1e-5)
    assert (line.first, line.last) == (250 * min(places), 250 * (max(places) + 1))


# Settings


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / FILE).write_text("port = 1001\nkeep_days = 5\nhost = '10.0.0.1'\n")
    monkeypatch.setenv("ECTOPY_HOME", str(tmp_path))
    monkeypatch.setenv("ECTOPY_PORT", "1002")
    monkeypatch.setenv("ECTOPY_KEEP_DAYS", "6")
    found = load_settings(port=1003, host=None)
    assert (found.port, found.keep_days, found.host, found.home) == (1003, 6, "10.0.0.1", tmp_path)
    assert found.store_url == f"sqlite:///{tmp_path / 'ectopy.db'}"
    assert not found.loopback


def test_by_default_nobody_else_is_let_in(tmp_path: Path):
    found = load_settings(home=tmp_path)
    assert (found.host, found.port, found.loopback, found.tls) == ("127.0.0.1", 8765, True, False)


@pytest.mark.parametrize(
    ("file", "flags", "message"),
    [
        ("prot = 1", {}, r"no setting 'prot'; there are home, host, port.*\.$"),
        ("port = 'x'", {}, r"\.$"),
        ("port = ", {}, r"\.$"),
        ("", {"port": -1}, r"\.$"),
        ("", {"learning_s": 5}, r"\.$"),
        ("", {"tls_key": Path("key.pem")}, r"\.$"),
    ],
)
def test_a_setting_that_is_none_gets_a_sentence(tmp_path: Path, file: str, flags: dict, message: str):
    (tmp_path / FILE).write_text(file)
    with pytest.raises(SettingError, match=message):
        load_settings(home=tmp_path, **flags)
