"""Beats of similar shape are shown once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis import analyse
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.report.recording_strips import abnormal_beats
from ectopy.signal.beat_segments import MARGIN
from ectopy.signal.similar_beats import similar_groups

TIMES = np.linspace(-0.3, 0.5, 148)
NARROW = np.exp(-0.5 * (TIMES / 0.012) ** 2)
WIDE = np.exp(-0.5 * (TIMES / 0.05) ** 2) - 0.4 * np.exp(-0.5 * ((TIMES - 0.3) / 0.06) ** 2)
OTHER = -np.exp(-0.5 * ((TIMES - 0.05) / 0.04) ** 2)


def beats(kinds: str, seed: int = 0) -> np.ndarray:
    """Noisy beats of different heights, in two leads; W, N and O are shapes."""
    rng = np.random.default_rng(seed)
    shapes = {"N": NARROW, "W": WIDE, "O": OTHER}
    rows = [rng.uniform(0.7, 1.5) * shapes[kind] + rng.normal(0, 0.01, (2, len(TIMES))) for kind in kinds]
    return np.array(rows).reshape(-1, 2, len(TIMES))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("WWWWWWWWWWWW", ["W" * 12]),
        ("WNWNO", ["WW", "NN", "O"]),
        ("O", ["O"]),
        ("", []),
    ],
)
def test_beats_of_one_shape_are_one_group(kinds: str, expected: list[str]):
    groups, rest = similar_groups(beats(kinds))
    assert ["".join(kinds[row] for row in group) for group in groups] == expected
    assert len(rest) == 0


@given(st.text(st.sampled_from("WNO"), max_size=40), st.integers(1, 3))
def test_every_beat_is_in_one_group_or_left(kinds: str, most: int):
    groups, rest = similar_groups(beats(kinds), most)
    assert len(groups) <= most
    assert sorted(np.concatenate([rest, *groups]).tolist()) == list(range(len(kinds)))
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)


@pytest.mark.parametrize("shift", [-4, -2, 3, 4])
def test_a_shifted_beat_is_the_same_shape(shift: int):
    rows = beats("NN")
    rows[1] = np.roll(rows[1], shift, axis=1)
    assert len(similar_groups(rows, margin=MARGIN)[0]) == 1


def test_flat_beats_are_alone():
    rows = beats("WW")
    rows[1] = 0.2
    assert [group.tolist() for group in similar_groups(rows)[0]] == [[0], [1]]


def test_a_report_shows_each_abnormal_shape_once():
    runs = [Episode("ventricular_tachycardia", 60 + 20 * k, 8) for k in range(5)]
    recording = simulate_recording(240, ectopic={"A": 0.05}, episodes=runs, random_state=3)
    analysis = analyse(recording, load_ambulatory(), learning_s=45)
    shown = abnormal_beats(analysis)
    ventricular = [title for title in shown.values() if title.startswith("ventricular-like beat, ")]
    count = int(np.sum(analysis.hint == "ventricular-like"))
    assert count > 50
    assert len(ventricular) <= 3
    assert f"of {count} look like it" in ventricular[0]
    groups, _ = similar_groups(analysis.beats.samples[list(shown)], margin=MARGIN)
    assert len(groups) >= len(shown) - 2
