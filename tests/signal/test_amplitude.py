"""A recording that cannot be read because of its amplitude: the unit is asked for, and nothing else is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ectopy.analysis import analyse
from ectopy.analysis.inspection import inspect
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import DataError
from ectopy.monitor import Monitor, chunks, replay
from ectopy.monitor.input_sources import from_recording
from ectopy.recording import Recording
from support.command_line import assert_refused

HZ = 250.0
USES: dict[str, Callable[[Recording], object]] = {
    "inspect": inspect,
    "detect": lambda recording: analyse(recording, load_ambulatory()),
    "watch": lambda recording: list(from_recording(recording)),
    "benchmark": lambda recording: list(replay(Monitor.of(load_ambulatory()), recording)),
    "send": lambda recording: list(chunks(recording)),
}


def ecg(factor: float, offset: float = 0.0, **other: object) -> Recording:
    recording = simulate_recording(60, sampling_rate_hz=HZ, **other)
    return replace(recording, signal=(recording.signal * factor + offset).astype(np.float32), source="counts.npy")


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("factor", "offset"),
    [
        (1000.0, 0.0),  # uV
        (2000.0, 0.0),  # counts of 16 bits
        (200.0, 1024.0),  # counts of 11 bits
        (34.0, 128.0),  # counts of 8 bits
        (0.001, 0.0),  # V
    ],
)
def test_the_unit_is_asked_for(use: str, factor: float, offset: float):
    with pytest.raises(DataError, match=r"counts\.npy .*spans .*is the unit really mV\?"):
        USES[use](ecg(factor, offset))


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("factor", [0.06, 0.3, 1.0, 4.0])
def test_low_and_high_voltage_is_accepted(use: str, factor: float):
    USES[use](ecg(factor, noise_mv=0.01))


def test_one_lead_that_can_be_read_is_enough():
    recording = ecg(1.0)
    signal = recording.signal.copy()
    signal[:, 1] *= 1000
    assert inspect(replace(recording, signal=signal)).readable.mean() > 0.9


@pytest.mark.parametrize(
    "signal",
    [
        np.zeros((15_000, 2)),
        np.full((15_000, 1), np.nan),
        np.random.default_rng(0).normal(0, 0.002, (15_000, 1)),
        np.random.default_rng(0).normal(0, 300, (15_000, 1)),
        0.005 * np.sin(2 * np.pi * 0.7 * np.arange(15_000) / HZ)[:, None],
        0.005 * np.sin(2 * np.pi * 50 * np.arange(15_000) / HZ)[:, None],
        60 * np.cumsum(np.random.default_rng(0).normal(0, 1, (15_000, 1)), axis=0),
    ],
    ids=["zero", "missing", "faint noise", "loud noise", "slow wave", "hum", "walk"],
)
def test_what_is_not_an_ecg_is_not_blamed_on_its_unit(signal: np.ndarray):
    recording = Recording(signal.astype(np.float32), HZ, ("I", "II")[: signal.shape[1]])
    assert not inspect(recording).readable.any()


def test_a_long_asystole_is_not_blamed_on_its_unit():
    recording = simulate_recording(120, episodes=[Episode("asystole", 3, 116)], noise_mv=0.002)
    assert len(inspect(recording).heartbeats_s) > 0


@pytest.mark.parametrize("arguments", [("inspect",), ("detect", "ambulatory"), ("watch", "--fast")])
def test_every_command_asks(ectopy, tmp_path: Path, arguments: tuple[str, ...]):
    file, report = tmp_path / "adc.npy", tmp_path / "adc.html"
    np.save(file, ecg(2000.0, 5.0).signal)
    command, *rest = arguments
    options = () if command == "inspect" else ("--report", report)
    assert_refused(ectopy(command, *rest, file, "--rate", HZ, "--unit", "mV", *options), "is the unit really mV?")
    assert not report.exists()
