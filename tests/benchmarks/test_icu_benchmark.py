"""Bedside alarms of the Challenge 2015: what counts as an answer, the score, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.benchmarks.icu_benchmark import (
    CONDITIONS_OF_KIND,
    Answer,
    BedsideAlarm,
    IcuBenchmark,
    bedside_alarms,
    challenge_figures,
    parse_alarms,
    visible_part,
)
from ectopy.benchmarks.replayed_alarms import Excerpt, Spell, watch_together
from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.errors import DataError
from ectopy.monitor import Limits, Monitor
from ectopy.monitor.conditions import Priority
from ectopy.recording import PulseWave, Recording
from support.command_line import assert_refused, assert_success
from support.wfdb_records import write_record

pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

RATE_HZ = 250.0
HIGH, LOW = Priority.HIGH, Priority.LOW


def answer(kind: str, *spells: Spell, truth: bool = True) -> Answer:
    return Answer.of(BedsideAlarm("v1", kind, truth), spells)


# What counts


@pytest.mark.parametrize(
    ("spell", "expected"),
    [
        (Spell("asystole", HIGH, 290.0, 295.0), True),
        (Spell("asystole", HIGH, 100.0, 284.0), True),
        (Spell("asystole", HIGH, 100.0, 283.9), False),
        (Spell("asystole", HIGH, 306.0), True),
        (Spell("asystole", HIGH, 306.1), False),
        (Spell("asystole", LOW, 290.0), False),
        (Spell("asystole", HIGH, 290.0, covered_by="ventricular fibrillation"), True),
        (Spell("extreme bradycardia", HIGH, 290.0), False),
        (Spell("not confirmed by pulse", HIGH, 290.0), False),
    ],
)
def test_an_answer_is_a_high_priority_alarm_of_the_kind_in_its_time(spell: Spell, expected: bool):
    assert answer("Asystole", spell).answer is expected


def test_each_kind_has_conditions_of_its_own():
    codes = [code for conditions in CONDITIONS_OF_KIND.values() for code in conditions]
    assert len(codes) == len(set(codes))
    for kind, conditions in CONDITIONS_OF_KIND.items():
        spells = [Spell(code, HIGH, 290.0) for code in codes if code not in conditions]
        assert not answer(kind, *spells).answer


def test_what_the_pulse_contradicts_is_listed_and_does_not_answer():
    contradicted = Spell("not confirmed by pulse", LOW, 290.0, text="Asystole: ... But PLETH shows a regular pulse.")
    row = answer("Asystole", contradicted, truth=False).summary()
    assert (row["answer"], row["alarms"]) == (False, [])
    assert [each["text"] for each in row["not_confirmed_by_pulse"]] == [contradicted.text]


# The score


@given(st.lists(st.tuples(st.sampled_from(sorted(CONDITIONS_OF_KIND)), st.booleans(), st.booleans()), min_size=1))
def test_figures_add_up(cases: list[tuple[str, bool, bool]]):
    spells = {kind: Spell(codes[0], HIGH, 290.0) for kind, codes in CONDITIONS_OF_KIND.items()}
    answers = tuple(answer(kind, *([spells[kind]] if says else []), truth=truth) for kind, truth, says in cases)
    figures = IcuBenchmark(answers, True).summary()
    counts = {key: sum(each[key] for each in figures["by_kind"].values()) for key in ("tp", "fn", "fp", "tn")}
    assert sum(counts.values()) == len(figures["records"]) == len(cases)
    assert counts["tp"] == sum(truth and says for _, truth, says in cases)
    assert counts["fp"] == sum(says and not truth for _, truth, says in cases)
    right = counts["tp"] + counts["tn"]
    assert figures["score"] == pytest.approx(100 * right / (right + counts["fp"] + 5 * counts["fn"]))


def test_the_score_is_the_challenge_s():
    figures = challenge_figures(tp=134, fn=160, fp=27, tn=429)
    assert figures["score"] == pytest.approx(40.5, abs=0.05)
    assert (figures["tpr"], figures["tnr"]) == (134 / 294, 429 / 456)
    assert np.isnan(challenge_figures(tp=0, fn=0, fp=0, tn=0)["score"])


# What the monitor sees


def silent(duration_s: float, pulse_hz: float = 125.0) -> Recording:
    wave = PulseWave("PLETH", "NU", pulse_hz, np.arange(round(duration_s * pulse_hz), dtype=np.float32))
    return Recording(np.zeros((round(duration_s * RATE_HZ), 2), np.float32), RATE_HZ, ("II", "V"), pulses=(wave,))


@pytest.mark.parametrize(("duration_s", "shown_s", "to_the_end"), [(300, 300, True), (330, 306, False)])
def test_nothing_after_5_06_is_seen(duration_s: float, shown_s: float, to_the_end: bool):
    excerpt = visible_part(silent(duration_s))
    assert (excerpt.recording.duration_s, excerpt.to_the_end) == (shown_s, to_the_end)
    assert len(excerpt.recording.pulses[0].samples) == shown_s * 125
    assert visible_part(silent(duration_s), with_pulse=False).recording.pulses == ()


def test_an_excerpt_begins_at_its_own_samples():
    excerpt = Excerpt.of(silent(20), 5.0, 9.0)
    assert (excerpt.start_s, excerpt.recording.duration_s, excerpt.to_the_end) == (5.0, 4.0, False)
    assert excerpt.recording.pulses[0].samples.tolist() == list(range(625, 1125))
    assert Excerpt.of(silent(20), -3.0, inf).recording.duration_s == 20


def test_excerpts_watched_together_do_not_influence_each_other():
    still = simulate_recording(40, sampling_rate_hz=RATE_HZ, episodes=[Episode("asystole", 15, 10)], random_state=1)
    calm = simulate_recording(40, sampling_rate_hz=RATE_HZ, random_state=2)
    excerpts = [Excerpt.of(still, 2.0), Excerpt.of(calm), Excerpt.of(still, 0.0, 22.0)]
    monitor = Monitor.of(load_ambulatory())
    together = watch_together(monitor, excerpts, Limits())
    alone = [watch_together(monitor, [excerpt], Limits())[0] for excerpt in excerpts]
    assert together == alone
    high = [[spell for spell in spells if spell.calls_high] for spells in together]
    assert [len(spells) for spells in high] == [1, 0, 1]
    assert high[0][0].condition == "asystole"
    assert high[0][0].start_s == pytest.approx(high[2][0].start_s, abs=1.0)
    assert (high[0][0].there_s < 40, high[2][0].there_s) == (True, inf)


def test_a_condition_that_another_alarm_covers_is_followed():
    fast = [Episode("ventricular_tachycardia", 45.0, 20.0, 180.0)]
    recording = simulate_recording(75, sampling_rate_hz=360, episodes=fast, random_state=0)
    (spells,) = watch_together(Monitor.of(load_ambulatory(), learning_s=40), [Excerpt.of(recording)], Limits())
    tachycardia = [spell for spell in spells if spell.condition == "ventricular tachycardia"]
    covered = [spell for spell in spells if spell.condition == "extreme tachycardia"]
    assert [spell.covered_by for spell in tachycardia] == [""]
    assert {spell.covered_by for spell in covered} == {"ventricular tachycardia"}
    assert not any(spell.calls_high for spell in covered)
    assert all(tachycardia[0].start_s <= spell.start_s <= tachycardia[0].end_s for spell in covered)


# Files and the command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One short record with an alarm that is false."""
    folder = tmp_path / "data" / "cinc2015"
    folder.mkdir(parents=True)
    (folder / "ALARMS").write_text("a1,Asystole,0\n")
    recording = simulate_recording(20, sampling_rate_hz=RATE_HZ, random_state=1)
    write_record(folder, "a1", replace(recording, annotations=None))
    return folder.parent


def test_the_command_prints_a_table_and_writes_figures(ectopy, folder: Path, tmp_path: Path):
    for switch in ([], ["--without-pulse"]):
        outcome = assert_success(ectopy("benchmark", "icu", "--data", folder, *switch, "--json", tmp_path / "out.json"))
        figures = json.loads((tmp_path / "out.json").read_text())
        assert figures["by_kind"] == {"Asystole": {"tp": 0, "fn": 0, "fp": 0, "tn": 1}}
        assert (figures["tpr"], figures["tnr"], figures["score"]) == (None, 1.0, 100.0)
        assert figures["with_pulse"] is not bool(switch)
        (row,) = figures["records"]
        assert (row["record"], row["kind"], row["truth"], row["answer"]) == ("a1", "Asystole", False, False)
        assert "1 of 1" in outcome.out


def test_the_folder_itself_or_the_one_above(folder: Path):
    above, alarms = bedside_alarms(folder)
    assert bedside_alarms(folder / "cinc2015") == (above, alarms)
    assert [alarm.record for alarm in alarms] == ["a1"]


@pytest.mark.parametrize("line", ["a1,Asystole", "a1,Flutter,1", "a1,Asystole,2", "../a1,Asystole,1", "\xe4"])
def test_a_line_that_is_something_else(tmp_path: Path, line: str):
    (tmp_path / "ALARMS").write_text(f"v1,Bradycardia,0\n{line}\n")
    with pytest.raises(DataError, match="ALARMS"):
        parse_alarms(tmp_path / "ALARMS")


@pytest.mark.parametrize(
    ("names", "says"), [([], "holds no ALARMS"), (["ALARMS"], "lacks 1 of the 1 records of its ALARMS: a1;")]
)
def test_a_folder_of_something_else(ectopy, tmp_path: Path, names: list[str], says: str):
    for name in names:
        (tmp_path / name).write_text("a1,Asystole,0\n")
    assert_refused(ectopy("benchmark", "icu", "--data", tmp_path), says)
