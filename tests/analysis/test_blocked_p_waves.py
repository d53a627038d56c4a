"""P waves that no QRS complex follows are found where they come when they are due, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from ectopy.analysis.blocked_p_waves import BlockedPWaves, find_blocked_p_waves, type_of_block
from ectopy.recording import Recording
from ectopy.signal.recording_signal import read_recording
from support.drawn_beats import RATE_HZ, draw_beats, draw_conduction


def found_in(recording: Recording, ectopic: NDArray[np.intp] | None = None) -> BlockedPWaves:
    beats = read_recording(recording).beats
    flags = np.zeros(len(beats), np.bool_)
    if ectopic is not None:
        flags[ectopic] = True
    return find_blocked_p_waves(recording, beats, beats.rr_s, flags)


def sinus(count: int, pp_s: float = 0.8) -> NDArray[np.float64]:
    """Times of P waves that breathing and chance move a little."""
    steps = pp_s * (
        1.0 + 0.02 * np.sin(1.3 * np.arange(count)) + 0.01 * np.random.default_rng(0).standard_normal(count)
    )
    return 1.0 + np.cumsum(steps)


@pytest.mark.parametrize(
    ("pr_s", "pp_s", "kind"),
    [
        ([0.16, 0.24, 0.29, None], 0.8, "it grows, as in type I (Wenckebach)"),
        ([0.16, 0.26, None], 0.8, "it grows, as in type I (Wenckebach)"),
        ([0.16, 0.16, 0.16, None], 0.8, "it is constant, as in type II"),
        ([0.16] * 12 + [None], 0.85, "it is constant, as in type II"),
        ([0.16, None], 0.8, "of too few beats in a row to tell the type"),
        ([0.16, None, None], 0.7, "of too few beats in a row to tell the type"),
    ],
    ids=["4:3 growing", "3:2 growing", "4:3 constant", "rare", "2:1", "3:1"],
)
def test_blocked_p_waves_are_found_with_the_type_of_block(pr_s: Sequence[float | None], pp_s: float, kind: str):
    # Ten beats of sinus rhythm come first.
    p_s = sinus(66, pp_s)
    pattern = [0.16] * 10 + [pr_s[number % len(pr_s)] for number in range(len(p_s) - 10)]
    blocked_s = p_s[[number for number, pr in enumerate(pattern) if pr is None]]
    blocked = found_in(draw_conduction(p_s, pattern))
    near = np.abs(blocked.times_s[:, None] - blocked_s) < 0.05
    assert near.any(axis=1).all()
    assert near.any(axis=0).mean() >= 0.85
    assert kind in type_of_block(blocked)
    assert np.median(blocked.pr_after_s) == pytest.approx(0.16, abs=0.02)


def test_sinus_rhythm_and_its_pauses_hold_no_blocked_p_waves():
    p_s = sinus(60)
    for pause_s in (0.45, 0.8):  # a pause without a P wave, one of them as long as a block would make it
        p_s[20:] += pause_s
        p_s[40:] += pause_s
    assert len(found_in(draw_conduction(p_s, [0.16]))) == 0


def test_an_early_p_wave_that_is_not_conducted_is_an_atrial_beat():
    p_s = sinus(60)
    early = np.sort(np.append(p_s, p_s[[20, 40]] + 0.52))
    conducted = [None if number in (21, 42) else 0.16 for number in range(len(early))]
    early[early > p_s[20] + 0.6] += 0.35  # the sinus node begins anew
    early[early > p_s[40] + 0.95] += 0.35
    recording = draw_conduction(early, conducted)
    assert len(found_in(recording)) == 0


def test_nothing_is_told_without_readable_p_waves_or_after_ectopic_beats():
    p_s = sinus(60)
    pattern = [0.16] * 10 + [0.16, 0.16, 0.16, None] * 13
    assert len(found_in(draw_conduction(p_s, pattern, p_mv=0.0))) == 0
    recording = draw_conduction(p_s, pattern)
    assert len(found_in(recording)) > 5
    before_long = np.flatnonzero(read_recording(recording).beats.rr_s > 1.4) - 1
    assert len(found_in(recording, ectopic=before_long)) == 0


@pytest.mark.parametrize("after_s", [0.46, 0.50, 0.56])
def test_u_waves_of_a_slow_heart_are_not_blocked_p_waves(after_s: float):
    p_s = sinus(50, 1.37)
    recording = draw_conduction(p_s, [0.16])
    u_wave = draw_beats(p_s + 0.16, [(after_s, 0.03, 0.1)], len(recording.signal) / RATE_HZ)
    signal = recording.signal + u_wave[:, None].astype(np.float32)
    assert len(found_in(Recording(signal, RATE_HZ, recording.leads, source="drawn"))) == 0


def test_a_beat_that_was_not_found_is_no_blocked_p_wave():
    recording = draw_conduction(sinus(60), [0.16])
    beats = read_recording(recording).beats
    found = beats[~np.isin(np.arange(len(beats)), [20, 40])]
    intervals_s = np.diff(found.times_s, prepend=np.nan)
    assert np.nanmax(intervals_s) > 1.5
    assert len(find_blocked_p_waves(recording, found, intervals_s, np.zeros(len(found), np.bool_))) == 0
