"""How a patient is in a word, and the settings of the service."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.ambulatory import load_ambulatory
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import SettingError
from ectopy.monitor import Action, Monitor, MonitorState, Order, Tick, chunks
from ectopy.monitor.conditions import CONDITIONS
from ectopy.service.advice import ADVICE
from ectopy.service.settings import FILE, load_settings
from ectopy.service.standing import Word, standing
from ectopy.service.storage import Arrival
from ectopy.service.timeline import former_lines, present_line


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    return Monitor.of(load_ambulatory(), learning_s=30)


def watched(monitor: Monitor, until_s: float, **simulated: object) -> MonitorState:
    state = MonitorState()
    for chunk in chunks(simulate_recording(until_s, **simulated)):
        state, _ = monitor.step(state, replace(chunk, received=1000.0 + chunk.received))
    return state


def test_a_patient_learns_and_is_normal_and_goes_silent(monitor: Monitor):
    assert standing(MonitorState(), 0.0).word is Word.NO_DATA
    early, late = watched(monitor, 20), watched(monitor, 45)
    assert standing(early, 1020.0).word is Word.LEARNING
    found = standing(late, 1045.0)
    assert found.word is Word.NORMAL
    assert found.heart_rate_bpm == pytest.approx(70, abs=8)
    assert found.last_sample_time == pytest.approx(1045.0)
    assert found.alarms == ()
    assert standing(late, 1060.0).word is Word.NO_DATA


def test_a_heart_that_stands_still_has_no_rate_and_the_alarm_comes_first(monitor: Monitor):
    state = watched(monitor, 50, episodes=[Episode("asystole", 38, 12)], random_state=1)
    found = standing(state, 1050.0)
    assert found.word is Word.ALARM
    assert found.heart_rate_bpm is None
    assert found.alarms[0].condition == "asystole"
    assert [one.priority for one in found.alarms] == sorted((one.priority for one in found.alarms), reverse=True)


def test_an_answered_alarm_hides_none_that_calls(monitor: Monitor):
    state = watched(monitor, 50, episodes=[Episode("ventricular_tachycardia", 38, 12)], random_state=1)
    tachycardia = standing(state, 1050.0).alarms[0]
    assert tachycardia.condition == "ventricular tachycardia"
    assert standing(state, 1050.0).calling == tachycardia
    state, _ = monitor.step(state, Action(Order.ACKNOWLEDGE, 1051.0, "Cem", alarm=tachycardia.number))
    for now in (1061.0, 1071.0):
        state, _ = monitor.step(state, Tick(now))
    found = standing(state, 1071.0)
    assert found.alarms[0].number == tachycardia.number
    assert found.calling.condition == "no data"


def test_leads_that_are_off_are_unreadable(monitor: Monitor):
    state = watched(monitor, 45, episodes=[Episode("lead_off", 38, 7)])
    assert standing(state, 1045.0).word is Word.UNREADABLE


def test_who_is_discharged_is_neither_well_nor_silent(monitor: Monitor):
    state = watched(monitor, 50, episodes=[Episode("asystole", 38, 12)], random_state=1)
    state, _ = monitor.step(state, Action(Order.DISCHARGE, 1050.0, "Cem"))
    found = standing(state, 5000.0)
    assert found.word is Word.DISCHARGED
    assert (found.heart_rate_bpm, found.quality, found.alarms) == (None, {}, ())
    assert found.last_sample_time == pytest.approx(1050.0)


def test_every_condition_has_its_advice():
    assert ADVICE.keys() == CONDITIONS.keys()
    assert all(text.endswith(".") for text in ADVICE.values())


# Where a second lies in a stream


def test_the_present_stream_lies_where_the_monitor_says(monitor: Monitor):
    state = watched(monitor, 20)
    line = present_line(state)
    assert line is not None
    assert line.within(0.0, 100.0) == range(20 * 250)
    assert line.within(5.0, 6.0) == range(1250, 1500)
    assert line.second(1250) == pytest.approx(5.0)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 0.4)), min_size=1, max_size=30), st.floats(0, 1e9))
def test_a_former_stream_lies_where_its_quickest_chunk_says(given_chunks: list[tuple[int, float]], origin: float):
    came = [Arrival("a", 250.0, 250 * place, 250, origin + place + 1.0 + late) for place, late in given_chunks]
    (line,) = former_lines(came, origin)
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
    ("file", "flags"),
    [
        ("prot = 1", {}),
        ("port = 'x'", {}),
        ("port = ", {}),
        ("", {"port": -1}),
        ("", {"learning_s": 5}),
        ("", {"tls_key": Path("key.pem")}),
    ],
)
def test_a_setting_that_is_none_gets_a_sentence(tmp_path: Path, file: str, flags: dict):
    (tmp_path / FILE).write_text(file)
    with pytest.raises(SettingError, match=r"\.$"):
        load_settings(home=tmp_path, **flags)


def test_a_setting_that_is_unknown_is_named_with_those_there_are(tmp_path: Path):
    (tmp_path / FILE).write_text("prot = 1")
    with pytest.raises(SettingError, match=r"no setting 'prot'; there are home, host, port"):
        load_settings(home=tmp_path)
