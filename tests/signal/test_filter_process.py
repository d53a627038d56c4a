"""Two processes give what one gives, to the last bit, and one does the work where two cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ectopy.datasets import simulate_recording
from ectopy.recording import Recording
from ectopy.signal import FilterSettings, filter_process
from ectopy.signal.beat_segments import BeatSegments
from ectopy.signal.filter_process import process_ahead, read_in_two_processes
from ectopy.signal.recording_signal import read_recording

RATE_HZ = 250.0
SETTINGS = FilterSettings(notch_hz=50.0)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even short recordings are read in two processes."""
    monkeypatch.setattr(filter_process, "LEAST_VALUES", 1)
    monkeypatch.setattr(filter_process, "has_spare_core", lambda: True)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """All that are started, in their order."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return started


def ignore(beats: BeatSegments) -> None:
    """Take beats that come while the other process works."""


def recording(leads: int) -> Recording:
    """A bit more than ten minutes, with a gap, pacing spikes and a lead that falls off."""
    simulated = simulate_recording(640, sampling_rate_hz=RATE_HZ, leads=2, ectopic={"V": 0.05}, random_state=2)
    signal = np.column_stack([simulated.signal, simulated.signal[:, 0] - simulated.signal[:, 1]])[:, :leads]
    signal[20_000:26_000] = np.nan
    signal[90_000:100_000, -1] = 3.0
    signal[50_000:60_000:200, 0] += 4.0
    return Recording(signal, RATE_HZ, simulated.leads[:leads] if leads < 3 else (*simulated.leads, "III"))


@pytest.mark.parametrize("leads", [1, 3])
def test_two_processes_give_the_same_as_one(leads: int, monkeypatch: pytest.MonkeyPatch):
    of_leads = recording(leads)
    assert read_in_two_processes(of_leads.signal, RATE_HZ, SETTINGS, ignore) is not None
    parts: list[BeatSegments] = []
    together = read_recording(of_leads, SETTINGS, parts.append)
    monkeypatch.setattr(filter_process, "LEAST_VALUES", of_leads.signal.size + 1)
    assert read_in_two_processes(of_leads.signal, RATE_HZ, SETTINGS, ignore) is None
    alone = read_recording(of_leads, SETTINGS)
    for column in ("times_s", "samples", "readable", "prematurity", "delay", "irregularity", "rr_s"):
        np.testing.assert_array_equal(getattr(together.beats, column), getattr(alone.beats, column))
    np.testing.assert_array_equal(together.missed, alone.missed)
    np.testing.assert_array_equal(together.quality.index, alone.quality.index)
    np.testing.assert_array_equal(together.quality.word, alone.quality.word)
    assert len(alone.beats) > 600
    # The first beats are known while the rest is being filtered, after which the last two parts come.
    assert 500 < len(BeatSegments.joined(parts[:-2])) < len(alone.beats)
    np.testing.assert_array_equal(BeatSegments.joined(parts).samples, alone.beats.samples)
    np.testing.assert_array_equal(BeatSegments.joined(parts).readable, alone.beats.readable)


def test_a_flat_line_has_no_beats_in_two_processes_either():
    flat = Recording(np.zeros((15_000, 2)), RATE_HZ, ("I", "II"))
    assert read_in_two_processes(flat.signal, RATE_HZ, None, ignore) is not None
    beats = read_recording(flat).beats
    assert (len(beats), beats.samples.dtype) == (0, np.float32)


def test_a_process_that_was_started_ahead_does_the_work_once(processes: list[subprocess.Popen[bytes]]):
    of_leads = recording(2)
    with process_ahead():
        (ahead,) = processes
        first = read_in_two_processes(of_leads.signal, RATE_HZ, SETTINGS, ignore)
        assert processes == [ahead]
        second = read_in_two_processes(of_leads.signal, RATE_HZ, SETTINGS, ignore)
        assert len(processes) == 2
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first[3].times_s, second[3].times_s)
    np.testing.assert_array_equal(first[2].index, second[2].index)
    assert all(process.returncode is not None for process in processes)


def test_a_process_that_was_started_ahead_for_nothing_ends(processes: list[subprocess.Popen[bytes]]):
    with process_ahead():
        assert processes[0].poll() is None
    assert processes[0].returncode is not None


@pytest.mark.parametrize("trouble", ["one core", "no program", "ends at once", "ends half-way", "no room"])
def test_one_process_does_the_work_where_two_cannot(trouble: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    match trouble:
        case "one core":
            monkeypatch.undo()
            monkeypatch.setattr(filter_process, "LEAST_VALUES", 1)
            monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)
        case "no program":
            monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
        case "ends at once":
            monkeypatch.setattr(sys, "executable", "/bin/false")
        case "ends half-way":
            program = tmp_path / "program"
            program.write_text("#!/bin/sh\nprintf '3000 2500 80\\n'\n")
            program.chmod(0o700)
            monkeypatch.setattr(sys, "executable", str(program))
        case "no room":
            monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    simulated = simulate_recording(20, sampling_rate_hz=RATE_HZ)
    assert read_in_two_processes(simulated.signal, RATE_HZ, None, ignore) is None
    assert len(read_recording(simulated).beats) > 10
