from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ectopy.analysis import analyse
from ectopy.analysis.inspection import diary, inspect, origin
from ectopy.analysis.recording_results import summary
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import SettingError
from ectopy.monitor import BeatJudged, Monitor, replay
from ectopy.recording import Annotations, Recording
from ectopy.report.rhythm_trend import heart_rate
from support.command_line import assert_refused, assert_success

HZ = 250.0


@pytest.fixture
def inspected(ectopy):
    """The command, with its name."""
    return lambda *arguments: ectopy("inspect", *arguments)


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Two minutes at 70 beats per minute with a stretch at 150, another of noise, and a lead that dies."""
    episodes = [Episode("tachycardia", 40, 20), Episode("noise", 80, 12)]
    recording = simulate_recording(120, episodes=episodes, sampling_rate_hz=HZ)
    recording.signal[: round(10 * HZ), 1] = np.nan
    return recording


@pytest.fixture
def csv(tmp_path: Path, recording: Recording) -> Path:
    path = tmp_path / "made.csv"
    np.savetxt(path, recording.signal * 1000, delimiter=",", header="MLII,V1", comments="", fmt="%.4g")
    return path


def test_figures_are_what_was_simulated(recording: Recording):
    figures = inspect(recording).summary()
    assert figures["duration_s"] == 120
    assert figures["sampling_rate_hz"] == HZ
    assert figures["start"] is None
    assert [lead["name"] for lead in figures["leads"]] == ["MLII", "V1"]
    first, second = (lead["quality"] for lead in figures["leads"])
    assert sum(first.values()) == pytest.approx(1)
    assert first["noisy"] == pytest.approx(0.1, abs=0.02)
    assert first["good"] == pytest.approx(0.9, abs=0.02)
    assert second["missing"] == pytest.approx(5 / 60)
    assert {stretch["word"] for stretch in figures["unreadable"] if stretch["lead"] == "MLII"} == {"noisy"}
    assert {stretch["word"] for stretch in figures["unreadable"]} == {"noisy", "missing"}
    rate = figures["heart_rate_bpm"]
    assert rate["median"] == pytest.approx(70, abs=4)
    assert rate["max"] == pytest.approx(150, abs=8)
    assert rate["min"] == pytest.approx(67, abs=5)


def test_beats_are_counted_where_a_lead_can_be_read(recording: Recording):
    inspection = inspect(recording)
    marks = recording.annotations
    true = marks.positions[marks.symbols != "~"] / HZ
    outside = (true < 79.9) | (true > 92.1)
    readable_s = inspection.heartbeats_s[inspection.readable]
    assert len(readable_s) == pytest.approx(outside.sum(), abs=3)
    assert not np.any((readable_s > 81.1) & (readable_s < 91.9))
    np.testing.assert_array_equal(np.isnan(inspection.rate.bpm), np.arange(12) == 8)


def test_a_pause_lowers_the_rate_and_no_beats_give_none():
    pause = simulate_recording(60, hrv_sd_ms=0, rate_bpm=60, noise_mv=0.03, episodes=[Episode("asystole", 31, 5)])
    assert np.nanmin(inspect(pause).rate.bpm) == pytest.approx(33, abs=8)
    flat = Recording(np.zeros((5000, 1), np.float32), HZ, ("I",))
    figures = inspect(flat).summary()
    assert figures["beats"] == 0
    assert figures["heart_rate_bpm"] == {"median": None, "mean": None, "min": None, "max": None}
    assert inspect(simulate_recording(1, sampling_rate_hz=HZ)).summary()["heart_rate_bpm"]["median"] is None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("duration_s", [11.3, 60.0, 95.7])
def test_inspect_detect_and_watch_report_the_same_beats(seed: int, duration_s: float):
    """A recording with ectopic beats, noise and a loose electrode, up to its last sample."""
    episodes = [Episode("noise", 5, 3), Episode("lead_off", duration_s - 8, 4)]
    recording = simulate_recording(duration_s, ectopic={"V": 0.1, "A": 0.1}, episodes=episodes, random_state=seed)
    inspection, detector = inspect(recording), load_ambulatory()
    analysis = analyse(recording, detector)
    watched = [event for event in replay(Monitor.of(detector), recording) if isinstance(event, BeatJudged)]
    np.testing.assert_array_equal(inspection.heartbeats_s, analysis.beats.times_s)
    assert [beat.position for beat in watched] == analysis.positions.tolist()
    unreadable = [beat.verdict == "UNREADABLE" for beat in watched]
    assert unreadable == (analysis.verdict == "UNREADABLE").tolist() == (~inspection.readable).tolist()
    figures, result = inspection.summary(), summary(recording, analysis, [])
    assert figures["beats"] == result["beats"] == len(watched)
    assert figures["beats_unreadable"] == result["unreadable"] == sum(unreadable)
    assert figures["heart_rate_bpm"]["median"] == result["median_rate_bpm"]
    assert round(heart_rate(analysis, duration_s).median_bpm, 6) == result["median_rate_bpm"]


def test_a_rate_that_cannot_be_filtered_is_refused():
    with pytest.raises(SettingError, match="100 and 1000 Hz"):
        inspect(Recording(np.zeros((500, 1), np.float32), 50.0, ("I",)))


def test_the_command_prints_tables_and_json(inspected, csv: Path, recording: Recording, tmp_path: Path):
    process = assert_success(inspected(csv, "--rate", HZ, "--unit", "uV", "--json", "-"))
    figures = json.loads(process.out)
    expected = inspect(recording).summary()
    assert figures["beats"] == expected["beats"]
    assert len(figures["unreadable"]) == len(expected["unreadable"])
    assert figures["heart_rate_bpm"]["median"] == pytest.approx(expected["heart_rate_bpm"]["median"], abs=0.1)
    for word in ("MLII, V1", "0:02:00", "not stated", "250 Hz", "per minute", "noisy", "missing", "Not readable: "):
        assert word in process.err
    file = tmp_path / "figures.json"
    process = inspected(csv, "--rate", HZ, "--unit", "uV", "--notch", 50, "--json", file)
    assert "MLII, V1" in process.out
    assert json.loads(file.read_text())["beats"] == pytest.approx(expected["beats"], abs=1)


def test_all_good_and_all_bad_are_shown(inspected, tmp_path: Path):
    good, bad = tmp_path / "good.npy", tmp_path / "bad.npy"
    np.save(good, simulate_recording(20, sampling_rate_hz=HZ, leads=1).signal)
    np.save(bad, np.full((5000, 1), np.nan, np.float32))
    stated = ("--rate", HZ, "--unit", "mV")
    completed = assert_success(inspected(good, *stated))
    assert "100.0" in completed.out
    assert "Not readable" not in completed.out
    completed = assert_success(inspected(bad, *stated))
    assert "not known" in completed.out
    assert "missing" in completed.out


def test_at_most_twenty_stretches_are_shown_the_longest(inspected, tmp_path: Path):
    signal = simulate_recording(300, sampling_rate_hz=HZ, leads=1).signal.copy()
    for start in range(5, 300, 10):
        signal[round(start * HZ) : round((start + 3 + start / 100) * HZ)] = np.nan
    np.save(tmp_path / "torn.npy", signal)
    process = inspected(tmp_path / "torn.npy", "--rate", HZ, "--unit", "mV", "--json", tmp_path / "torn.json")
    assert len(json.loads((tmp_path / "torn.json").read_text())["unreadable"]) == 30
    assert "the 20 longest of 30" in process.out
    assert process.out.count("missing") == 1 + 20


def test_the_start_is_told(recording: Recording):
    at = datetime(2024, 5, 1, 22, 30)
    dated = Recording(recording.signal, HZ, recording.leads, start=at)
    assert inspect(dated).summary()["start"] == "2024-05-01T22:30:00"


def test_bad_input_gives_one_sentence(inspected, csv: Path, tmp_path: Path):
    slow = tmp_path / "slow.npy"
    np.save(slow, np.zeros((500, 1), np.float32))
    stated = ("--rate", HZ, "--unit", "mV")
    assert_refused(inspected(tmp_path / "nothing.edf"), "does not exist")
    assert_refused(inspected(csv, "--unit", "mV"), "--rate")
    assert_refused(inspected(csv, "--rate", HZ), "--unit")
    assert_refused(inspected(csv, "--rate", HZ, "--unit", "kg"), "'kg'")
    assert_refused(inspected(csv, *stated, "--notch", 500), "notch_hz")
    assert_refused(inspected(slow, "--rate", 50, "--unit", "mV"), "100 and 1000 Hz")
    assert_refused(inspected(csv, *stated, "--json", tmp_path / "no" / "x.json"), "does not exist")


def test_comments_are_marks_of_the_diary():
    annotations = Annotations(np.array([250, 500]), np.array(['"', "N"]), notes=("<b>dizzy</b>", ""))
    recording = Recording(np.zeros((1000, 1)), 250.0, ("II",), annotations=annotations)
    assert diary(recording) == [(1.0, "<b>dizzy</b>")]
    assert origin(recording)["diary"] == [{"time_s": 1.0, "text": "<b>dizzy</b>"}]
    assert diary(replace(recording, annotations=None)) == []
