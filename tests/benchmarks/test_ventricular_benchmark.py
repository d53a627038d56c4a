"""Ventricular episodes: what the marks of rhythm say, what counts as announced, late and false, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.benchmarks.replayed_alarms import Spell
from ectopy.benchmarks.ventricular_benchmark import (
    AFTER_S,
    BEFORE_S,
    Episode,
    Outcome,
    Stretch,
    VentricularBenchmark,
    episodes_of,
    judge,
    outside,
    stretches_of,
)
from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode as Simulated
from ectopy.errors import DataError
from ectopy.monitor.conditions import Priority
from ectopy.recording import Annotations, Recording
from support.command_line import assert_refused, assert_success
from support.wfdb_records import write_record

pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

HIGH = Priority.HIGH
MARKS = ["(N", "(VT", "(VF", "(VFIB", "(VFL", "(ASYS", "(NOISE", "(SVTA"]


def marked(changes: list[tuple[float, str]], duration_s: float = 100.0) -> Recording:
    """A silent recording with these marks of rhythm."""
    positions = np.array([round(at_s * 10) for at_s, _ in changes], np.int64)
    notes = tuple(mark for _, mark in changes)
    marks = Annotations(positions, np.array(["+"] * len(changes), "U1"), notes=notes)
    return Recording(np.zeros((round(duration_s * 10), 1), np.float32), 10.0, ("II",), annotations=marks)


def episodes(*changes: tuple[float, str]) -> list[tuple[str, float, float]]:
    found = episodes_of(stretches_of(marked(list(changes))))
    return [(episode.kind, episode.start_s, episode.end_s) for episode in found]


def call(start_s: float, end_s: float = inf, condition: str = "ventricular tachycardia") -> Spell:
    return Spell(condition, HIGH, start_s, end_s)


# The truth


def test_an_episode_lasts_until_another_rhythm():
    assert episodes((0, "(N"), (10, "(VT"), (20, "(N"), (30, "(VFL")) == [("VT", 10, 20), ("VFL", 30, 100)]
    assert episodes((5, "(VF"), (10, "(VT"), (20, "(ASYS")) == [("VF", 5, 10), ("VT", 10, 20), ("ASYS", 20, 100)]
    assert episodes((0, "(N")) == []


def test_the_rhythm_goes_on_in_noise_if_it_is_marked_again():
    assert episodes((5, "(VF"), (10, "(NOISE"), (20, "(VFIB"), (25, "(VF"), (30, "(N")) == [("VF", 5, 30)]
    assert episodes((5, "(VF"), (10, "(NOISE"), (20, "(N"), (25, "(VF"), (30, "(N")) == [("VF", 5, 10), ("VF", 25, 30)]
    assert episodes((5, "(VF"), (10, "(NOISE"), (20, "(VT"), (30, "(NOISE")) == [("VF", 5, 10), ("VT", 20, 30)]
    noise = [stretch for stretch in stretches_of(marked([(5, "(VF"), (10, "(NOISE")])) if stretch.mark == "(NOISE"]
    assert noise == [Stretch("(NOISE", 10, 100, "(VF")]


def test_a_recording_without_marks_is_refused():
    bare = Recording(np.zeros((300, 1), np.float32), 100.0, ("II",), source="x/418")
    with pytest.raises(DataError, match="x/418 has no marks of rhythm"):
        stretches_of(bare)


# Announced


@pytest.mark.parametrize(
    ("spells", "delay_s", "announced"),
    [
        ([call(104)], 4.0, True),
        ([call(100), call(103)], 0.0, True),
        ([call(124)], 24.0, True),
        ([call(130)], 30.0, True),
        ([call(130.1)], None, False),
        ([call(50, 114)], None, True),
        ([call(50, 113.9)], None, False),
        ([call(50, 113.9), call(120)], 20.0, True),
        ([call(104, condition="asystole")], 4.0, True),
        ([Spell("extreme tachycardia", HIGH, 104, covered_by="ventricular tachycardia")], None, False),
        ([Spell("ventricular run", Priority.MEDIUM, 104)], None, False),
        ([call(104, condition="detector failed")], None, False),
        ([], None, False),
    ],
)
def test_an_episode_is_announced_by_a_call_or_by_what_stays_active(
    spells: list[Spell], delay_s: float | None, announced: bool
):
    outcome = Outcome.of(Episode("VF", 100.0, 130.0), spells)
    assert (outcome.delay_s, outcome.by is not None) == (delay_s, announced)
    row = outcome.summary()
    assert (row["announced"], row["delay"]) == (announced, delay_s)
    assert row["delay_after_definition"] == (None if delay_s is None else delay_s - 4)


@pytest.mark.parametrize(("kind", "last_s"), [("VF", 114.0), ("VFL", 114.0), ("VT", 112.4), ("ASYS", 114.0)])
def test_a_short_episode_may_be_announced_until_ten_seconds_after_its_definition_is_met(kind: str, last_s: float):
    episode = Episode(kind, 100.0, 106.0)
    assert Outcome.of(episode, [call(last_s, condition="asystole")]).by is not None
    assert Outcome.of(episode, [call(last_s + 0.1, condition="asystole")]).by is None


def test_a_fast_rhythm_does_not_announce_asystole():
    for condition in ("extreme tachycardia", "ventricular tachycardia", "ventricular fibrillation"):
        assert Outcome.of(Episode("ASYS", 100.0, 120.0), [call(104, condition=condition), call(60)]).by is None
    assert Outcome.of(Episode("ASYS", 100.0, 120.0), [call(104, condition="extreme bradycardia")]).delay_s == 4.0


# False


@given(st.lists(st.tuples(st.integers(1, 20), st.sampled_from(MARKS)), min_size=1, max_size=12), st.data())
def test_a_call_is_false_outside_of_the_margins_of_all_episodes(changes: list[tuple[int, str]], data: st.DataObject):
    times_s = np.cumsum([gap for gap, _ in changes]).tolist()
    length_s = times_s[-1] + 20.0
    stretches = stretches_of(marked([(at_s, mark) for at_s, (_, mark) in zip(times_s, changes, strict=True)], length_s))
    there = episodes_of(stretches)
    at_s = data.draw(st.integers(0, int(length_s * 10) - 1)) / 10 + 0.05
    result = judge("1", stretches, [call(at_s, at_s + 1)])
    near = any(each.start_s - BEFORE_S <= at_s <= each.end_s + AFTER_S for each in there)
    assert len(result.false_high) == (not near)
    for alarm in result.false_high:
        assert alarm.stretch.start_s <= at_s <= alarm.stretch.end_s
    free_s = sum(end_s - start_s for start_s, end_s in outside(there, 0.0, length_s))
    assert sum(result.hours.values()) * 3600 == pytest.approx(free_s)
    assert len(result.outcomes) == sum(each.end_s - each.start_s >= 5 for each in there)


def test_figures_add_up():
    stretches = stretches_of(marked([(0, "(N"), (1000, "(VF"), (1030, "(N"), (2000, "(NOISE"), (3000, "(VT")], 3010))
    one = judge("1", stretches, [call(500, 510), call(1006, 1040), call(2500, 2510), call(3000.5)])
    quiet = judge("2", stretches_of(marked([(0, "(N")], 3600)), [])
    figures = VentricularBenchmark((one, quiet)).summary()
    assert figures["episodes"] == {
        "VF": {"there": 1, "announced": 1},
        "VFL": {"there": 0, "announced": 0},
        "VT": {"there": 1, "announced": 1},
        "ASYS": {"there": 0, "announced": 0},
    }
    assert (figures["delay_p50_s"], figures["delay_after_definition_p95_s"]) == (3.25, pytest.approx(1.805))
    hours = {"(N": (998 + 960 + 3600) / 3600, "(NOISE": 998 / 3600, "(VT": 0.0, "(VF": 0.0}
    assert figures["false_high_per_hour"] == pytest.approx(2 / sum(hours.values()))
    assert figures["false_high_per_hour_in_noise"] == pytest.approx(1 / hours["(NOISE"])
    assert figures["false_high_per_hour_without_noise"] == pytest.approx(1 / hours["(N"])
    assert {mark: each["false_high"] for mark, each in figures["false_high_by_rhythm"].items()} == {
        "(N": 1,
        "(NOISE": 1,
        "(VF": 0,
        "(VT": 0,
    }
    assert [alarm["rhythm_before_noise"] for alarm in figures["records"][0]["false_high"]] == ["", "(N"]


@pytest.mark.parametrize(
    ("mark", "condition", "named"),
    [
        ("(HGEA", "ventricular tachycardia", 1),
        ("(HGEA", "asystole", 0),
        ("(VER", "extreme bradycardia", 1),
        ("(SBR", "extreme bradycardia", 1),
        ("(SVTA", "extreme tachycardia", 1),
        ("(NOISE", "ventricular tachycardia", 0),
        ("(N", "extreme tachycardia", 0),
    ],
)
def test_a_false_alarm_may_say_what_the_mark_of_rhythm_says(mark: str, condition: str, named: int):
    figures = VentricularBenchmark(
        (judge("1", stretches_of(marked([(0, mark)])), [call(50, 60, condition)]),)
    ).summary()
    assert (figures["false_high"], figures["false_high_named_by_mark"]) == (1, named)
    assert figures["records"][0]["false_high"][0]["named"] == bool(named)


# The command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record with an asystole from 20 to 32 s."""
    folder = tmp_path_factory.mktemp("records") / "vfdb"
    folder.mkdir()
    recording = simulate_recording(45, sampling_rate_hz=250, episodes=[Simulated("asystole", 20, 12)], random_state=1)
    marks = Annotations(np.array([5, 5000, 8000]), np.array(["+"] * 3), notes=("(N", "(ASYS", "(N"))
    write_record(folder, "418", replace(recording, annotations=marks))
    return folder.parent


def test_the_command_prints_tables_and_writes_figures(ectopy, folder: Path, tmp_path: Path):
    outcome = assert_success(ectopy("benchmark", "ventricular", "--data", folder, "--json", tmp_path / "out.json"))
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["episodes"]["ASYS"] == {"there": 1, "announced": 1}
    assert 4 <= figures["delay_p50_s"] == figures["delay_p95_s"] < 9
    assert figures["false_high_per_hour"] == 0
    (row,) = figures["records"]
    (episode,) = row["episodes"]
    assert (row["record"], episode["kind"], episode["start"], episode["end"]) == ("418", "ASYS", 20, 32)
    assert (episode["announced"], episode["by"]["condition"], row["false_high"]) == (True, "asystole", [])
    for words in ("asystole", "1 of 1", "False high-priority alarms: 0"):
        assert words in outcome.out


def test_from_the_start_of_each_episode(ectopy, folder: Path, tmp_path: Path):
    assert_success(
        ectopy("benchmark", "ventricular", "--data", folder, "--from-start", "--json", tmp_path / "out.json")
    )
    figures = json.loads((tmp_path / "out.json").read_text())
    for part in (figures, figures["from_60_s_before"]):
        assert part["episodes"]["ASYS"]["there"] == 1
        assert part["records"][0]["episodes"][0]["start"] == 20
        assert part["false_high_per_hour"] is None
    assert figures["from_60_s_before"]["episodes"]["ASYS"]["announced"] == 1


def test_a_folder_of_something_else(ectopy, tmp_path: Path):
    assert_refused(ectopy("benchmark", "ventricular", "--data", tmp_path), "holds no records with marks of rhythm")
