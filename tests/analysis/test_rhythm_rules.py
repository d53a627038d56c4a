"""One rule book: what a recording is said to hold is what the monitor says of the same beats under the same limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ectopy.analysis.rhythm_events import find_events
from ectopy.analysis.rhythm_rules import RECORDING, RHYTHM_RANGES, TITLES, WARD, RhythmKind, RhythmLimits, definitions
from ectopy.errors import SettingError
from ectopy.monitor.conditions import CONDITIONS, Basis
from ectopy.monitor.limits import Limits
from ectopy.signal import missed_beats
from support.beat_streams import analysis_of, findings_of, present, readings_of
from support.examples import examples

# At no more than 120 per minute, so that the monitor gives readings after every beat. It counts couplets over minutes,
# and an irregular rhythm or atrial fibrillation must last before it is an alarm.
SAME = {kind.value for kind in RhythmKind if kind.value in CONDITIONS} - {
    "couplet",
    "irregular rhythm",
    "atrial fibrillation",
}


@settings(max_examples=examples(150))
@given(
    st.lists(st.sampled_from(["NNNN", "V", "VV", "VVV", "VNVNVN", "VNVN", "VNNVNNVNN", "SSS", "SSSSS"]), max_size=12),
    st.sampled_from([35, 48, 60, 75, 99, 110]),
    st.floats(0.5, 6.0),
    st.sampled_from(
        [
            Limits(),
            Limits.of("infant"),
            Limits().changed({"pause_s": 2.5, "high_bpm": 105, "run_beats": 4, "svt_beats": 3}),
        ]
    ),
)
def test_a_recording_holds_what_the_monitor_says_of_its_beats(
    blocks: list[str], rate_bpm: float, gap_s: float, limits: Limits
):
    assume(abs(gap_s - limits.pause_s) > 1e-6)
    letters = "N" * 10 + "N".join(blocks) + "N" * 10
    rr_s = np.full(len(letters), 60 / rate_bpm)
    rr_s[0], rr_s[-5] = np.nan, max(gap_s, 60 / rate_bpm)
    times_s = np.nancumsum(rr_s).tolist()
    live = present(readings_of(findings_of(times_s, letters), limits))
    recording = {event.kind for event in find_events(analysis_of(letters, rr_s.tolist()), limits.rhythm)}
    assert recording & SAME == live & SAME


def test_a_kind_that_is_also_an_alarm_has_the_same_name_title_and_definition():
    only_in_recordings = {kind for kind in RhythmKind if kind.value not in CONDITIONS}
    assert only_in_recordings == {
        RhythmKind.AV_BLOCK,
        RhythmKind.SUPRAVENTRICULAR_BIGEMINY,
        RhythmKind.SUPRAVENTRICULAR_TRIGEMINY,
    }
    for kind in set(RhythmKind) - only_in_recordings:
        condition = CONDITIONS[kind.value]
        assert condition.title == TITLES[kind]
        assert condition.definition.startswith(definitions(WARD)[kind])
        assert condition.basis is not Basis.OTHER


@pytest.mark.parametrize("name", RHYTHM_RANGES)
def test_limits_out_of_their_range_are_refused(name: str):
    least, most = RHYTHM_RANGES[name]
    for value in (least - 1, most + 1):
        with pytest.raises(SettingError, match=f"{name} must be {least:g} to {most:g}"):
            replace(WARD, **{name: value})


def test_the_low_rate_is_below_the_high_one():
    with pytest.raises(SettingError, match="low_bpm must be below high_bpm, 100"):
        RhythmLimits(low_bpm=100, high_bpm=100)


def test_a_report_lists_what_an_alarm_would_announce():
    assert RECORDING.low_bpm >= WARD.low_bpm
    assert RECORDING.high_bpm <= WARD.high_bpm
    assert RECORDING.pause_s <= WARD.pause_s
    assert RECORDING.run_beats <= WARD.run_beats
    assert RECORDING.svt_beats <= WARD.svt_beats


def test_every_pause_of_a_report_is_compared_with_all_leads():
    assert RECORDING.pause_s >= missed_beats.LONG_S
