"""Electrodes that move in one lead, and T waves after ventricular beats, are not taken for heartbeats."""

from __future__ import annotations

import numpy as np
import pytest

from ectopy.signal import filter_twice, find_heartbeats
from support.drawn_beats import RATE_HZ, Signal, draw_beats, narrow, wide

SECONDS = 60.0
TRUTH = np.arange(0.5, SECONDS - 0.5, 0.9)


def two_leads(seed: int = 3) -> Signal:
    """Two leads of a regular rhythm with a little noise, shape (samples, 2)."""
    lead = draw_beats(TRUTH, narrow(0.9), SECONDS)
    return np.stack([lead, -0.7 * lead], axis=1) + 0.01 * np.random.default_rng(seed).standard_normal((len(lead), 2))


def electrode_moves(times_s: np.ndarray, mv: float) -> np.ndarray:
    """Steps of one lead that fade within half a second."""
    grid = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    after = grid - times_s[:, None]
    return mv * np.where(after >= 0, np.exp(-np.maximum(after, 0) / 0.5), 0.0).sum(axis=0)


def heartbeats(signal: Signal) -> np.ndarray:
    return find_heartbeats(filter_twice(signal, RATE_HZ)[0])


@pytest.mark.parametrize("lead", [0, 1])
@pytest.mark.parametrize("mv", [1.0, -2.5])
def test_an_electrode_that_moves_in_one_lead_is_not_a_heartbeat(lead: int, mv: float):
    signal = two_leads()
    signal[:, lead] += electrode_moves(TRUTH[12::5] + 0.5, mv)
    assert heartbeats(signal) == pytest.approx(TRUTH, abs=0.05)


def test_the_same_movement_in_all_leads_cannot_be_told_from_a_beat():
    signal = two_leads() + electrode_moves(TRUTH[[20]] + 0.5, 2.5)[:, None]
    assert len(heartbeats(signal)) == len(TRUTH) + 1


def test_a_lead_that_loses_the_heart_does_not_hide_it_in_the_other():
    signal = two_leads()
    half = len(signal) // 2
    signal[half:, 1] = 0.03 * np.sin(np.arange(len(signal) - half) / 9.0)
    assert heartbeats(signal) == pytest.approx(TRUTH, abs=0.05)


@pytest.mark.parametrize(("share", "is_beat"), [(0.05, False), (0.15, True)])
def test_a_beat_of_one_lead_counts_if_the_other_shows_a_fifth_of_one(share: float, is_beat: bool):
    signal = two_leads()
    signal += draw_beats(TRUTH[[20]] + 0.5, narrow(0.9), SECONDS)[:, None] * [1.0, share]
    assert len(heartbeats(signal)) == len(TRUTH) + is_beat


def test_a_run_of_beats_that_one_lead_does_not_show_is_counted_from_its_second_beat():
    signal = two_leads()
    start_s = 29.8
    signal[round(start_s * RATE_HZ) :] = 0.005 * np.random.default_rng(1).standard_normal((1, 2))
    run = np.arange(start_s + 0.2, SECONDS - 0.5, 0.4)
    signal[:, 0] += draw_beats(run, wide(0.4), SECONDS)
    detected = heartbeats(signal)
    late = detected[detected > start_s]
    assert late[0] <= run[1] + 0.05
    assert len(late) >= len(run) - 1


def test_the_t_wave_of_a_ventricular_beat_is_not_what_is_overdue_after_it():
    # Every third beat is early and wide, with a high T wave and a compensatory pause.
    normal, early = TRUTH[np.arange(len(TRUTH)) % 3 != 2], TRUTH[2::3] - 0.35
    waves = [(0.0, 0.03, 1.6), (0.07, 0.028, -0.6), (0.31, 0.045, -1.1)]
    lead = draw_beats(normal, narrow(0.9), SECONDS) + draw_beats(early, waves, SECONDS)
    signal = lead[:, None] + 0.005 * np.random.default_rng(2).standard_normal((len(lead), 1))
    assert heartbeats(signal) == pytest.approx(np.sort(np.concatenate([normal, early])), abs=0.05)
