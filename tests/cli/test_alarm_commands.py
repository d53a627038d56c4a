"""The commands about stored alarms, and what other limits would have done."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.monitor import Limits, Monitor, MonitorState, chunks
from ectopy.monitor.limit_comparison import compare, raised
from ectopy.service.access.audit import account
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.storage import Store
from support.command_line import assert_refused

NOW = 1_700_000_000.0


RECORDING_S = 70


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, monitor: Monitor) -> Path:
    """A store in which one patient's heart stood still for some seconds, and nobody has looked."""
    path, clock = tmp_path_factory.mktemp("ward") / "ward.db", SimpleNamespace(now=NOW)
    recording = simulate_recording(RECORDING_S, episodes=[Episode("asystole", 45, 7)])
    with Store.open(f"sqlite:///{path}") as store:
        engine = MonitoringEngine(store, monitor, clock=lambda: clock.now)
        engine.admit("bed-7")
        for chunk in chunks(recording, 1):
            clock.now = NOW + chunk.received
            engine.submit("bed-7", replace(chunk, received=clock.now))
            engine.run_once()
    return path


@pytest.fixture
def stored(ward: Path, tmp_path: Path) -> Path:
    """A copy of that store."""
    return Path(shutil.copy(ward, tmp_path))


def test_active_alarms_are_listed_and_ended_ones_on_request(stored: Path, ectopy):
    done = ectopy("alarms", "list", "--store", stored, "--json", "-")
    found = json.loads(done.out)["alarms"]
    facts = ("patient", "number", "condition", "state")
    assert [tuple(alarm[fact] for fact in facts) for alarm in found] == [("bed-7", 2, "asystole", "active")]
    assert "Asystole" in done.err
    everything = json.loads(ectopy("alarms", "list", "--all", "--store", stored, "--json", "-").out)["alarms"]
    assert {alarm["condition"] for alarm in everything} >= {"asystole", "pause"}


def test_an_alarm_is_shown_with_its_definition_and_its_log(stored: Path, ectopy):
    done = ectopy("alarms", "show", "bed-7", 2, "--store", stored, "--json", "-")
    facts = json.loads(done.out)
    assert facts["definition"].startswith("no QRS complex for 4 s")
    assert [entry["change"] for entry in facts["history"]] == ["raised"]
    assert facts["log_broken_at"] is None
    assert "The log is whole." in done.err


def test_an_order_left_in_the_store_is_carried_out(stored: Path, ectopy, monitor: Monitor):
    done = ectopy("alarms", "acknowledge", "bed-7", 2, "--who", "Ada", "--why", "seen", "--store", stored)
    assert f"Ada ({account()}) acknowledges" in done.out
    with Store.open(f"sqlite:///{stored}") as store:
        engine = MonitoringEngine(store, monitor, clock=lambda: NOW + RECORDING_S + 2)
        engine.run_once()  # finds the order
        engine.run_once()
        assert store.inputs.pending_commands() == []
        assert store.alarms.newest("bed-7", active_only=True) == []
        last = store.alarms.log("bed-7")[-1]
    assert (last.change, last.alarm.condition) == ("ended", "asystole")
    assert [(e.person, e.why) for e in (last,)] == [(account("Ada"), "seen")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("alarms", "show", "bed-7", 99), "no alarm 99"),
        (("alarms", "show", "nobody", 1), "no patient 'nobody'"),
        (("alarms", "acknowledge", "nobody", 1), "no patient 'nobody'"),
        (("alarms", "list", "--patient", "nobody"), "no patient 'nobody'"),
        (("what-if", "nobody", "--stored"), "no patient 'nobody'"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(stored: Path, ectopy, words: tuple, says: str):
    assert_refused(ectopy(*words, "--store", stored), says)


@pytest.mark.parametrize(
    "words",
    [
        ("alarms", "list"),
        ("alarms", "show", "bed-7", 1),
        ("alarms", "acknowledge", "bed-7", 1),
        ("what-if", "bed-7", "--stored"),
    ],
)
def test_a_database_that_is_not_there_is_no_quiet_ward(tmp_path: Path, ectopy, words: tuple):
    missing = tmp_path / "mistyped.db"
    done = ectopy(*words, "--store", missing)
    assert (done.status, done.out, missing.exists()) == (2, "", False)
    assert done.err.startswith(f"ectopy: there is no database {missing}; ")


@pytest.mark.parametrize("where", ["file", "environment"])
def test_the_database_is_that_of_the_service(
    stored: Path, tmp_path: Path, ectopy, monkeypatch: pytest.MonkeyPatch, where: str
):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("ECTOPY_HOME", str(home))
    if where == "file":
        (home / "ectopy.toml").write_text(f"store = '{stored}'")
    else:
        monkeypatch.setenv("ECTOPY_STORE", str(stored))
    assert "Asystole" in ectopy("alarms", "list").out


def test_other_limits_gain_and_lose_alarms(monitor: Monitor):
    recording = simulate_recording(120, rate_bpm=75, episodes=[Episode("tachycardia", 60, 30, rate_bpm=125)])
    low, high = Limits.of("ward"), Limits.of("ambulatory")
    inputs = list(chunks(recording, 1))
    present = raised(monitor, MonitorState(limits=high), inputs)
    strict = raised(monitor, MonitorState(limits=replace(low, high_bpm=110.0)), inputs)
    result = compare(present, strict)
    assert [alarm.condition for alarm in result.gained] == ["high rate"]
    assert result.missing == ()
    back = compare(strict, present)
    assert [alarm.condition for alarm in back.missing] == ["high rate"]
    assert [alarm.condition for alarm in back.common] == [alarm.condition for alarm in result.common]


@pytest.mark.parametrize(("age", "is_high"), [(0.2, False), (0.95, True)])
def test_limits_of_another_profile_follow_the_age(tmp_path: Path, ectopy, age: float, is_high: bool):
    recording = simulate_recording(60, rate_bpm=167, sampling_rate_hz=250.0)
    path = tmp_path / "infant.csv"
    np.savetxt(path, recording.signal, delimiter=",", header="MLII,V1", comments="", fmt="%.4f")
    options = ("--rate", 250, "--unit", "mV", "--profile", "infant", "--limit", f"age={age}", "--json", "-")
    answer = json.loads(ectopy("what-if", path, *options).out)
    high = [alarm["condition"] for alarm in answer["kept"] + answer["gained"]]
    assert ("high rate" in high) == is_high


def test_what_if_on_a_recording_and_on_what_is_stored(stored: Path, tmp_path: Path, ectopy):
    recording = simulate_recording(RECORDING_S, episodes=[Episode("asystole", 45, 7)])
    path = tmp_path / "made.csv"
    np.savetxt(path, recording.signal, delimiter=",", header="MLII,V1", comments="", fmt="%.4f")
    stricter = ("--limit", "asystole_s=9", "--json", "-")
    of_file = json.loads(ectopy("what-if", path, "--rate", 250, "--unit", "mV", *stricter).out)
    of_store = json.loads(ectopy("what-if", "bed-7", "--stored", "--store", stored, *stricter).out)
    assert [a["condition"] for a in of_file["lost"]] == [a["condition"] for a in of_store["lost"]] == ["asystole"]
    replayed = json.loads(ectopy("what-if", "bed-7", "--stored", "--store", stored, "--json", "-").out)
    assert "asystole" in {alarm["condition"] for alarm in replayed["kept"]}
    assert replayed["lost"] == replayed["gained"] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--from", 60, "--to", 30), "--to beyond it"),
        (("--from", -5), "0 s or more"),
        (("--from", 500), "must lie in the recording"),
        (("--store", "x.db"), "--stored"),
    ],
)
def test_what_if_takes_a_time_of_the_recording(tmp_path: Path, ectopy, options: tuple, words: str):
    np.save(tmp_path / "rec.npy", simulate_recording(60, random_state=1).signal)
    line = "what-if", tmp_path / "rec.npy", "--rate", 360, "--unit", "mV", "--limit", "high_bpm=110"
    assert_refused(ectopy(*line, *options), words)


def test_what_if_wants_to_know_what_is_to_be_otherwise(tmp_path: Path, ectopy):
    assert_refused(ectopy("what-if", tmp_path / "a.csv"), "--limit")


def test_the_audit_has_what_the_commands_read_and_order(stored: Path, ectopy):
    for words in (
        ("alarms", "list"),
        ("alarms", "list", "--patient", "bed-7", "--all"),
        ("alarms", "show", "bed-7", 1),
        ("alarms", "acknowledge", "bed-7", 1, "--why", "seen", "--who", "Ada"),
        ("what-if", "bed-7", "--stored"),
    ):
        assert ectopy(*words, "--store", stored).status == 0
    with Store.open(f"sqlite:///{stored}") as store:
        entries = [one.entry for one in store.audit.newest()]
        handed = store.inputs.pending_commands()[-1].action
    user = account()
    assert user == f"account {pwd.getpwuid(os.getuid()).pw_name}"
    assert [(one.actor, one.action, one.patient) for one in entries[-5:]] == [
        (user, "listed alarms", ""),
        (user, "listed alarms", "bed-7"),
        (user, "viewed alarm 1", "bed-7"),
        (f"Ada ({user})", "acknowledged alarm", "bed-7"),
        (user, "watched again with other limits", "bed-7"),
    ]
    assert (handed.person, handed.why) == (f"Ada ({user})", "seen")


def test_nobody_is_somebody_else_by_the_environment(stored: Path, ectopy, monkeypatch: pytest.MonkeyPatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody else")
    assert "somebody else" not in ectopy("alarms", "acknowledge", "bed-7", 1, "--store", stored).out
