"""The benchmark of the service, short."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ectopy.benchmarks.load_sender import frames
from ectopy.benchmarks.service_benchmark import benchmark_service
from ectopy.errors import SettingError
from ectopy.monitor import Chunk
from ectopy.service.live.frames import signal_frame
from ectopy.service.live.live_samples import LiveSamples
from support.command_line import assert_success


def test_benchmark_of_the_service(ectopy, tmp_path: Path):
    file = tmp_path / "load.json"
    assert_success(ectopy("benchmark", "service", "--devices", 3, "--viewers", 2, "--seconds", 5, "--json", file))
    found = json.loads(file.read_text())
    assert found["chunks_sent"] == found["chunks_stored"] == 30
    assert found["chunks_lost"] == found["chunks_doubled"] == 0
    assert 0 < found["sample_to_screen_p50_s"] <= found["sample_to_screen_p95_s"]
    assert found["rss_mb_start"] > 50
    assert 0 < found["cpu_share"] < 1
    assert np.isfinite(found["rss_mb_growth_per_hour"])


@pytest.mark.parametrize("settings", [(0, 1, 5), (1001, 1, 5), (1, 0, 5), (1, 101, 5), (1, 1, 4), (1, 1, 3601)])
def test_impossible_runs_are_refused(settings: tuple[int, int, float]):
    with pytest.raises(SettingError):
        benchmark_service(*settings)


def test_frames_of_a_message_are_told_apart():
    content = b""
    for number in range(1, 6):
        chunk = Chunk(number, np.zeros((number, 1), np.float32), 250.0, ("I",), 0.0)
        content += signal_frame(LiveSamples(f"p{number}", chunk, 0.0))
    assert [(head["patient"], head["position"]) for head in frames(content)] == [(f"p{n}", n) for n in range(1, 6)]
