"""Alarms of annotated records, measured: the truth by reference beats, what counts as right, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.benchmarks.alarm_benchmark import (
    AlarmBenchmark,
    AlarmEpisode,
    RecordAlarms,
    alarm_episodes,
    benchmark_alarms,
    by_priority,
)
from ectopy.benchmarks.reference_conditions import ReferenceConditions
from ectopy.datasets import simulate_recording
from ectopy.datasets.mitdb import SPLITS, load_mitdb
from ectopy.datasets.simulated import Episode
from ectopy.errors import DataError
from ectopy.monitor import Limits, Monitor, replay
from ectopy.monitor.conditions import CONDITIONS, AlarmType, Priority
from ectopy.recording import Annotations, Recording
from support.command_line import assert_refused, assert_success
from support.data_sets import folder_of
from support.wfdb_records import copy_records, write_record

pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

RATE_HZ = 100.0
ASKED = {"records", "alarms_per_bed_day", "high_priority_false_per_hour", "vt_runs", "vt_runs_announced"}
ASKED |= {"delay_p50_s", "delay_p95_s"}
HIGH = {
    code
    for code, condition in CONDITIONS.items()
    if condition.priority is Priority.HIGH and condition.kind is AlarmType.PHYSIOLOGICAL
}


def truth(
    times_s: list[float], letters: str, notes: dict[int, str] | None = None, duration_s: float = 0.0
) -> ReferenceConditions:
    """The truth by marks with these symbols; some have a note."""
    positions = np.rint(np.array(times_s) * RATE_HZ).astype(np.int64)
    texts = tuple((notes or {}).get(place, "") for place in range(len(letters)))
    marks = Annotations(positions, np.array(list(letters), "U1"), notes=texts)
    length = int(max(duration_s, times_s[-1] + 1) * RATE_HZ)
    return ReferenceConditions.of(Recording(np.zeros((length, 1), np.float32), RATE_HZ, ("II",), annotations=marks))


def every(interval_s: float, count: int, start_s: float = 0.5) -> list[float]:
    return (start_s + interval_s * np.arange(count)).tolist()


def there(found: ReferenceConditions) -> set[str]:
    return {code for code, stretches in found.conditions.items() if len(stretches)}


def record(
    *calls: AlarmEpisode, runs: list[list[float]] | None = None, **conditions: list[list[float]]
) -> RecordAlarms:
    """One hour with these alarms and this truth."""
    known = {code: np.array(conditions.get(code.replace(" ", "_"), [])).reshape(-1, 2) for code in HIGH}
    return RecordAlarms(
        1.0, calls, ReferenceConditions(known, np.array(runs or []).reshape(-1, 3), np.empty((0, 2)), 0.5)
    )


# Truth


@given(st.floats(1.0, 9.0))
def test_asystole_is_four_seconds_without_a_reference_beat(gap_s: float):
    times_s = [*every(1.0, 5), *every(1.0, 5, start_s=round(4.5 + gap_s, 2))]
    found = truth(times_s, "N" * 10).conditions["asystole"]
    if round(gap_s, 2) < 4.0:
        assert len(found) == 0
    else:
        np.testing.assert_allclose(found, [[8.5, times_s[5]]], atol=1e-9)


def test_silence_at_the_ends_counts_and_in_fibrillation_does_not():
    assert len(truth(every(1.0, 3, start_s=6.0), "NNN", duration_s=20).conditions["asystole"]) == 2
    assert there(truth([0.5, 1.0, 11.0, 12.0], "N[]N")) == {
        "extreme tachycardia",
        "ventricular tachycardia",
        "ventricular fibrillation",
    }


@given(st.floats(0.3, 3.0), st.integers(2, 30))
def test_extreme_rates_need_their_number_of_beats(interval_s: float, beats: int):
    interval_s = round(interval_s, 2)
    expected = set()
    if interval_s > 1.5 and beats >= 5:
        expected.add("extreme bradycardia")
    if interval_s < 60 / 140 and beats >= 17:
        expected.add("extreme tachycardia")
    assert there(truth(every(interval_s, beats), "N" * beats)) == expected


@given(st.text("NVEF", min_size=1, max_size=40), st.sampled_from([0.5, 0.7]))
def test_runs_and_ventricular_tachycardia_are_rows_of_v_and_e(letters: str, interval_s: float):
    times_s = every(interval_s, len(letters))
    found = truth(times_s, letters)
    rows = letters.translate(str.maketrans("EF", "VN")).split("N")
    assert len(found.runs) == sum(len(row) >= 3 for row in rows)
    assert len(found.conditions["ventricular tachycardia"]) == sum(
        max(len(row) - 4, 0) for row in rows if interval_s < 0.6
    )
    np.testing.assert_allclose(found.runs[:, 1] - found.runs[:, 0], 2 * interval_s, atol=1e-9)
    assert found.normal_share == letters.count("N") / len(letters)


def test_beats_on_both_sides_of_fibrillation_are_not_in_a_row():
    found = truth([0.5, 1.0, 1.5, 4.5, 5.0, 5.5], "VV[]VV")
    assert len(found.runs) == 0
    np.testing.assert_allclose(found.fibrillation, [[1.5, 4.5]])


def test_the_mark_of_a_ventricular_rhythm_lasts_until_the_next_one():
    assert there(truth([0.5, 1.0, 2.0], "+NN", {0: "(N\0", 1: "(VT"})) == set()
    found = truth([0.5, 1.0, 1.1, 2.0, 3.0, 3.1, 4.0], "+N+NN+N", {0: "(N\0", 2: "(VT", 5: "(N"})
    np.testing.assert_allclose(found.conditions["ventricular tachycardia"], [[1.1, 3.1]])
    np.testing.assert_allclose(found.conditions["ventricular fibrillation"], [[1.1, 3.1]])
    np.testing.assert_allclose(found.conditions["extreme tachycardia"], [[1.1, 3.1]])


def test_every_condition_of_high_priority_is_known_to_the_truth():
    assert truth([0.5], "N").conditions.keys() == HIGH


def test_without_annotations_nothing_is_there():
    bare = Recording(np.zeros((300, 1), np.float32), RATE_HZ, ("II",))
    found = ReferenceConditions.of(bare)
    assert there(found) == set()
    assert np.isnan(found.normal_share)


# What counts as announced, late and false


@pytest.mark.parametrize(
    ("call", "delay_s", "announced", "false"),
    [
        (AlarmEpisode("ventricular run", 104.0, 110.0), 3.0, 1, 0),
        (AlarmEpisode("ventricular tachycardia", 111.0, 115.0), 10.0, 1, 0),
        (AlarmEpisode("ventricular run", 90.0, 101.0), None, 1, 1),
        (AlarmEpisode("ventricular run", 90.0, 100.9), None, 0, 1),
        (AlarmEpisode("ventricular run", 100.5), None, 1, 0),
        (AlarmEpisode("ventricular run", 111.1), None, 0, 0),
        (AlarmEpisode("ventricular run", 112.1), None, 0, 1),
        (AlarmEpisode("couplet", 103.0), None, 0, 0),
    ],
)
def test_a_run_is_announced_within_ten_seconds_of_its_third_beat(
    call: AlarmEpisode, delay_s: float | None, announced: int, false: int
):
    result = record(call, runs=[[100.0, 101.0, 102.0]])
    assert result.delays_s == (delay_s,)
    assert result.summary()["vt_runs_announced"] == announced
    assert result.summary()["false_runs"] == false


@pytest.mark.parametrize(("start_s", "false"), [(89.9, 1), (90.0, 0), (106.0, 0), (115.0, 0), (115.1, 1)])
def test_a_high_priority_alarm_is_false_ten_seconds_from_its_condition(start_s: float, false: int):
    result = record(AlarmEpisode("asystole", start_s), asystole=[[100.0, 105.0]])
    assert len(result.false_high) == false


def test_another_condition_is_no_truth_and_technical_alarms_are_not_judged():
    result = record(
        AlarmEpisode("asystole", 100.0), AlarmEpisode("detector failed", 100.0), extreme_bradycardia=[[90.0, 110.0]]
    )
    assert [call.condition for call in result.false_high] == ["asystole"]


def test_figures_add_up_over_records():
    quiet = replace(record(), reference=replace(record().reference, normal_share=0.99))
    loud = record(
        AlarmEpisode("ventricular run", 103.0, 108.0),
        AlarmEpisode("asystole", 500.0),
        AlarmEpisode("not this patient's normal", 600.0),
        runs=[[100.0, 101.0, 102.0], [900.0, 901.0, 902.0]],
    )
    figures = AlarmBenchmark("ds1", "ward", {"1": quiet, "2": loud}).summary()
    assert figures["alarms_per_bed_day"] == 3 * 24 / 2
    assert figures["per_bed_day_by_priority"] == {"high": 12.0, "medium": 12.0, "low": 12.0}
    assert figures["high_priority_false_per_hour"] == 0.5
    assert (figures["vt_runs"], figures["vt_runs_announced"], figures["vt_runs_in_standing_alarm"]) == (2, 1, 0)
    assert figures["delay_p50_s"] == figures["delay_p95_s"] == 2.0
    assert (figures["normal_records"], figures["not_normal_per_hour_on_normal_records"]) == (1, 0.0)
    assert sum(figures["per_bed_day_by_condition"].values()) == figures["alarms_per_bed_day"]


# Replayed


def in_tachycardia(seed: int) -> Recording:
    episodes = [Episode("ventricular_tachycardia", at_s, 6.0, 180.0) for at_s in (45.0, 125.0)]
    return simulate_recording(210, sampling_rate_hz=360, episodes=episodes, random_state=seed)


def test_an_alarm_that_returns_calls_again():
    monitor = Monitor.of(load_ambulatory(), learning_s=40)
    calls = [
        call
        for call in alarm_episodes(replay(monitor, in_tachycardia(0)))
        if call.condition == "ventricular tachycardia"
    ]
    assert [round(call.start_s) // 30 for call in calls] == [1, 4]
    assert all(0 < call.end_s - call.start_s < 75 for call in calls)


def test_a_simulated_tachycardia_is_announced_and_true():
    result = RecordAlarms.of(in_tachycardia(1), Monitor.of(load_ambulatory(), learning_s=40), Limits())
    assert len(result.reference.runs) == 2
    assert all(delay_s is not None and delay_s < 5 for delay_s in result.delays_s)
    assert result.false_high == result.false_runs == ()


def test_a_real_tachycardia_is_announced_and_true():
    whole = load_mitdb("205", folder_of("mitdb", ["205"]))
    first, last = 260 * 360, 320 * 360
    marks = whole.annotations
    inside = slice(*np.searchsorted(marks.positions, [first, last]))
    cropped = Annotations(marks.positions[inside] - first, marks.symbols[inside], notes=marks.notes[inside])
    recording = replace(whole, signal=whole.signal[first:last], annotations=cropped)
    result = RecordAlarms.of(recording, Monitor.of(load_ambulatory(), learning_s=30), Limits())
    assert len(result.reference.runs) == 2
    assert all(delay_s is not None and delay_s < 5 for delay_s in result.delays_s[:1])
    assert result.summary()["vt_runs_announced"] == 2
    assert by_priority(result.episodes)["high"] == 1
    assert result.false_high == result.false_runs == ()


# The command


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    still = [Episode("asystole", 20, 10)]
    write_record(folder, "101", simulate_recording(40, sampling_rate_hz=360, episodes=still, random_state=1))
    return folder


@pytest.fixture
def folder(records: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database whose split ds1 is one record."""
    monkeypatch.setitem(SPLITS, "ds1", ("101",))
    return records


def test_the_command_prints_tables_and_writes_figures(ectopy, folder: Path, tmp_path: Path):
    outcome = assert_success(
        ectopy("benchmark", "alarms", "--data", folder, "--split", "ds1", "--json", tmp_path / "out.json")
    )
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures.keys() >= ASKED
    assert figures["records"].keys() == {"101"}
    assert figures["records"]["101"]["by_priority"]["high"] == 1
    assert figures["high_priority_false_per_hour"] == 0
    assert figures["vt_runs"] == 0
    assert figures["delay_p50_s"] is None
    for word in ("101", "101: 1", "High priority: 1"):
        assert word in outcome.out


def test_several_records_are_replayed_at_a_time(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(SPLITS, "ds1", ("101", "106"))
    copy_records(folder, tmp_path, "101")
    write_record(tmp_path, "106", simulate_recording(20, sampling_rate_hz=360, random_state=2))
    told: list[tuple[int, int]] = []
    result = benchmark_alarms(
        tmp_path, profile="ambulatory", progress=lambda done, total, now: told.append((done, total))
    )
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert list(result.records) == ["101", "106"]
    assert result.profile == "ambulatory"
    assert result.records["106"].episodes == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--data", "nowhere"), "no folder nowhere"),
        (("--data", "."), "lacks 22 of the 22 records of ds1"),
        (("--data", ".", "--split", "all"), "unknown split 'all'"),
        (("--data", ".", "--profile", "icu"), "profile must be one of ward, ambulatory, exercise, child, infant"),
    ],
)
def test_a_mistake_gets_one_sentence(ectopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, says: str):
    monkeypatch.chdir(tmp_path)
    assert_refused(ectopy("benchmark", "alarms", *arguments), says)


def test_a_damaged_record_is_named(folder: Path, tmp_path: Path):
    copy_records(folder, tmp_path, "101")
    (tmp_path / "101.dat").write_bytes(b"short")
    with pytest.raises(DataError, match="101"):
        benchmark_alarms(tmp_path)
    (tmp_path / "101.atr").write_bytes(b"\0\0")
    (tmp_path / "101.dat").write_bytes((folder / "101.dat").read_bytes())
    with pytest.raises(DataError, match="record 101 has no reference annotations"):
        benchmark_alarms(tmp_path)
