"""Corrections change what they name and nothing else, in their order, and can be undone."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis import Analysis
from ectopy.analysis.beat_families import find_families
from ectopy.analysis.corrected_analysis import analysis_digest, apply_corrections
from ectopy.analysis.corrections import (
    AddBeat,
    BeatLabel,
    ChooseStrip,
    Correction,
    DeleteBeats,
    MarkNoise,
    Relabel,
    WriteConclusion,
    undo,
)
from ectopy.analysis.rhythm_events import find_events
from ectopy.analysis.rhythm_rules import RhythmKind
from ectopy.analysis.rhythm_signs import RhythmSigns
from ectopy.detector import Verdict
from ectopy.errors import ConflictError, DataError
from support.corrected_beats import ANALYSIS, AT, RATE_HZ, analysed, corrected, edits, log

SYMBOLS = {"normal": "N", "ventricular": "V", "supraventricular": "S", "other": "Q", "unreadable": "?"}
IRREGULAR = {RhythmKind.ATRIAL_FIBRILLATION, RhythmKind.IRREGULAR_RHYTHM}


def columns(value: Any) -> dict[str, Any]:
    """Every array and number of an analysis, by its name."""
    parts: dict[str, Any] = {}
    for field in fields(value):
        part = getattr(value, field.name)
        inner = columns(part) if is_dataclass(part) and not isinstance(part, type) else {"": part}
        parts |= {f"{field.name}.{name}".rstrip("."): entry for name, entry in inner.items()}
    return parts


def assert_equal(first: Analysis, second: Analysis, but: tuple[str, ...] = ()) -> None:
    expected = columns(second)
    for name, value in columns(first).items():
        if name not in but:
            np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_without_corrections_nothing_changes():
    assert corrected(ANALYSIS) is ANALYSIS
    assert corrected(ANALYSIS, ChooseStrip(1, 2, "worst"), WriteConclusion("None.")) is ANALYSIS


def test_a_relabelled_beat_has_verdict_and_hint_of_the_label_and_keeps_its_score():
    position = int(ANALYSIS.positions[4])
    after = corrected(ANALYSIS, Relabel((position,), BeatLabel.SUPRAVENTRICULAR))
    assert (after.verdict[4], after.hint[4]) == ("ABNORMAL", "supraventricular-like")
    assert after.reason(4).startswith("Corrected to supraventricular by Dr Ada. Score 4.00 against")
    assert after.reason(3) == ANALYSIS.reason(3)
    assert_equal(after, ANALYSIS, but=("hint", "correction"))


def test_beats_that_a_person_calls_other_make_no_rhythm_irregular():
    """A bigeminy that is relabelled is neither atrial fibrillation nor an irregular rhythm."""
    coupling_s = np.random.default_rng(1).uniform(0.4, 0.8, 150)
    rr_s = np.column_stack([1.6 - coupling_s, coupling_s]).ravel().tolist()
    analysis = analysed("NV" * 150, rr_s)
    kinds = {event.kind for event in find_events(analysis)}
    assert not kinds & IRREGULAR
    normal = corrected(analysis, Relabel(tuple(analysis.positions[1::2].tolist()), BeatLabel.NORMAL))
    assert {event.kind for event in find_events(normal)} & IRREGULAR
    other = corrected(analysis, Relabel(tuple(analysis.positions[1::2].tolist()), BeatLabel.OTHER))
    assert not {event.kind for event in find_events(other)} & IRREGULAR
    assert other.ectopic.tolist() == analysis.ectopic.tolist()
    # Those that the program calls so are as they were: it says it of beats in fibrillation, too.
    assert not replace(other, correction=None).ectopic.any()


def test_an_unreadable_beat_is_in_no_family_and_its_intervals_are_not_known():
    after = corrected(ANALYSIS, Relabel((int(ANALYSIS.positions[4]),), BeatLabel.UNREADABLE))
    assert after.verdict[4] == Verdict.UNREADABLE
    assert after.reason(4) == "Corrected to unreadable by Dr Ada."
    assert np.flatnonzero(np.isnan(after.intervals_s)).tolist() == [0, 4, 5]
    assert not any(4 in family.rows for family in find_families(after.beats, after.hint))


def test_an_added_beat_divides_an_interval_that_is_known():
    analysis = replace(analysed("NNNN", [np.nan, 0.8, 1.6, 0.8]), missed=np.array([False, False, True, False]))
    assert np.isnan(analysis.intervals_s[2])
    after = corrected(analysis, AddBeat(260, BeatLabel.VENTRICULAR))
    assert after.positions.tolist() == [100, 180, 260, 340, 420]
    np.testing.assert_allclose(after.intervals_s, [np.nan, 0.8, 0.8, 0.8, 0.8])
    assert (after.verdict[2], after.hint[2]) == ("ABNORMAL", "ventricular-like")
    assert after.reason(2) == "Added as ventricular by Dr Ada."
    assert np.isnan([after.score[2], after.shape[2], after.p_value[2], after.difference.shape[2]]).all()
    assert not any(2 in family.rows for family in find_families(after.beats, after.hint))
    np.testing.assert_allclose(after.beats.next_s[1:-1], after.beats.rr_s[2:])
    np.testing.assert_allclose(after.beats.prematurity, 0, atol=1e-12)


def test_an_interval_with_a_gap_stays_unknown_when_it_is_divided_or_joined():
    analysis = analysed("NNNNN", [np.nan, 0.8, np.nan, 0.8, 0.8])
    analysis = replace(analysis, beats=replace(analysis.beats, times_s=np.array([1.0, 1.8, 3.8, 4.6, 5.4])))
    analysis = replace(analysis, positions=np.round(analysis.beats.times_s * RATE_HZ).astype(np.int64))
    divided = corrected(analysis, AddBeat(280, BeatLabel.NORMAL))
    assert np.flatnonzero(np.isnan(divided.intervals_s)).tolist() == [0, 2, 3]
    joined = corrected(analysis, DeleteBeats((180, 460)))
    np.testing.assert_allclose(joined.beats.rr_s, [np.nan, np.nan, 1.6])


def test_intervals_join_where_beats_are_deleted():
    after = corrected(ANALYSIS, DeleteBeats(tuple(ANALYSIS.positions[[0, 4, 5]].tolist())))
    assert len(after) == 7
    np.testing.assert_allclose(after.intervals_s, [np.nan, 0.8, 0.8, 2.4, 0.8, 0.8, 0.8])
    np.testing.assert_allclose(after.beats.next_s[1:-1], after.beats.rr_s[2:])
    assert [event.kind for event in find_events(after)] == ["pause"]


def test_intervals_across_noise_are_not_known_and_full_seconds_of_it_are_noisy():
    after = corrected(ANALYSIS, MarkNoise(2.7, 4.2))
    assert np.flatnonzero(after.verdict == Verdict.UNREADABLE).tolist() == [3, 4]
    assert after.reason(3) == "Marked as noise by Dr Ada."
    assert np.flatnonzero(np.isnan(after.intervals_s)).tolist() == [0, 3, 4, 5]
    assert np.flatnonzero(after.quality.word[0] == "noisy").tolist() == [3]
    between = corrected(ANALYSIS, MarkNoise(2.7, 3.3))
    assert np.flatnonzero(np.isnan(between.intervals_s)).tolist() == [0, 3]
    relabelled = corrected(ANALYSIS, MarkNoise(2.7, 4.2), Relabel((340,), BeatLabel.NORMAL))
    assert relabelled.verdict[3] == Verdict.NORMAL
    assert np.isnan(relabelled.intervals_s[3])


def test_noise_from_beat_to_beat_includes_both_as_their_times_are_rounded():
    positions = ANALYSIS.positions[[4, 6]].tolist()
    start_s, end_s = (round(position / 360, 4) for position in positions)
    assert start_s * 360 > positions[0]
    assert end_s * 360 < positions[1]
    after = apply_corrections(ANALYSIS, log(ANALYSIS, MarkNoise(start_s, end_s)), 360.0)
    assert np.flatnonzero(after.verdict == Verdict.UNREADABLE).tolist() == [4, 5, 6]


@pytest.mark.parametrize("made", [MarkNoise(2.0, 20_000.0), ChooseStrip(2.0, 20_000.0, "")])
def test_a_time_that_ends_after_the_recording_is_refused(made: Correction):
    with pytest.raises(DataError, match="20000 s lies after the end of the recording"):
        corrected(ANALYSIS, made)


def test_noise_holds_no_spikes_of_a_pacemaker():
    paced = replace(ANALYSIS, signs=RhythmSigns(spikes_s=np.array([0.9, 2.5, 3.3, 4.1])))
    assert corrected(paced, MarkNoise(2.4, 3.4)).signs.spikes_s.tolist() == [0.9, 4.1]


@given(st.data())
def test_corrections_leave_one_entry_per_beat_in_order_and_count_up(data: st.DataObject):
    made = data.draw(edits(ANALYSIS))
    after = corrected(ANALYSIS, *made)
    added = sum(isinstance(each, AddBeat) for each in made)
    deleted = sum(len(each.positions) for each in made if isinstance(each, DeleteBeats))
    assert len(after) == len(ANALYSIS) + added - deleted
    assert (np.diff(after.positions) > 0).all()
    arrays = {name: value for name, value in columns(after).items() if isinstance(value, np.ndarray)}
    assert {len(value) for name, value in arrays.items() if not name.startswith(("quality", "signs"))} == {len(after)}
    np.testing.assert_allclose(after.beats.times_s * RATE_HZ, after.positions)
    is_known = np.isfinite(after.intervals_s)
    np.testing.assert_allclose(after.intervals_s[is_known], np.diff(after.beats.times_s)[is_known[1:]])
    # What is not named stays as it was, and each label is the last one that a beat was given.
    last: dict[int, BeatLabel] = {}
    for each in made:
        match each:
            case Relabel(positions=positions, label=label):
                last |= dict.fromkeys(positions, label)
            case AddBeat(position=position, label=label):
                last[position] = label
            case DeleteBeats(positions=positions):
                for position in positions:
                    last.pop(position, None)
            case MarkNoise(start_s=start_s, end_s=end_s):
                there = set(ANALYSIS.positions.tolist()) | last.keys()
                first, stop = round(start_s * RATE_HZ), round(end_s * RATE_HZ) + 1
                inside = [position for position in there if first <= position < stop]
                last |= dict.fromkeys(inside, BeatLabel.UNREADABLE)
    before = dict(zip(ANALYSIS.positions.tolist(), ANALYSIS.annotations().symbols.tolist(), strict=True))
    expected = before | {position: SYMBOLS[label] for position, label in last.items()}
    symbols = dict(zip(after.positions.tolist(), after.annotations().symbols.tolist(), strict=True))
    assert symbols == {position: expected[position] for position in symbols}


@given(st.data())
def test_undo_gives_what_was_before_and_keeps_the_log(data: st.DataObject):
    made = data.draw(edits(ANALYSIS))
    before = log(ANALYSIS, *made)
    after = undo(before.followed_by(MarkNoise(0, 9), "Dr Bob", AT), "Dr Cleo", AT)
    assert after.in_force == before.in_force
    assert_equal(apply_corrections(ANALYSIS, after, RATE_HZ), apply_corrections(ANALYSIS, before, RATE_HZ))
    assert after.entries[: len(made)] == before.entries
    assert [entry.by for entry in after.entries[len(made) :]] == ["Dr Bob", "Dr Cleo"]
    while after.in_force:
        after = undo(after, "Dr Cleo", AT)
    assert apply_corrections(ANALYSIS, after, RATE_HZ) is ANALYSIS
    with pytest.raises(DataError, match="no correction to undo"):
        undo(after, "Dr Cleo", AT)


def test_corrections_of_another_analysis_are_refused():
    other = analysed("NNNNVNNNNS")
    with pytest.raises(ConflictError, match="superseded"):
        apply_corrections(other, log(ANALYSIS, DeleteBeats((180,))), RATE_HZ)
    assert analysis_digest(replace(ANALYSIS, score=ANALYSIS.score + 1e-12)) == analysis_digest(ANALYSIS)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ([Relabel((181,), BeatLabel.NORMAL)], "no beat at sample 181 "),
        ([DeleteBeats((180,)), Relabel((180,), BeatLabel.NORMAL)], "correction 2 by Dr Ada .* no beat at sample 180 "),
        ([AddBeat(180, BeatLabel.NORMAL)], "less than 0.1 s from the beat at sample 180;"),
        ([AddBeat(189, BeatLabel.NORMAL)], "less than 0.1 s from the beat at sample 180;"),
        ([AddBeat(220, BeatLabel.NORMAL), AddBeat(211, BeatLabel.NORMAL)], "from the beat at sample 220;"),
        ([AddBeat(100_000, BeatLabel.NORMAL)], "after the end"),
    ],
)
def test_what_cannot_be_applied_is_refused_in_one_sentence(made: list[Correction], sentence: str):
    with pytest.raises(DataError, match=sentence):
        corrected(ANALYSIS, *made)


def test_a_beat_may_be_added_at_a_tenth_of_a_second_and_where_one_was_deleted():
    after = corrected(ANALYSIS, AddBeat(190, BeatLabel.NORMAL), DeleteBeats((260,)), AddBeat(262, BeatLabel.OTHER))
    assert {190, 262} <= set(after.positions.tolist())
