"""Labels of files become corrections that make an analysis the same as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings

from ectopy.analysis.corrected_analysis import apply_corrections
from ectopy.analysis.corrections import AddBeat, BeatLabel, Correction, DeleteBeats, Relabel, WriteConclusion
from ectopy.analysis.label_import import corrections_from_annotations, read_corrections
from ectopy.analysis.recording_results import RESULT_KINDS, write_results
from ectopy.analysis.rhythm_events import find_events
from ectopy.detector import Verdict
from ectopy.errors import DataError
from ectopy.formats import read_annotations, write_annotations
from ectopy.recording import Annotations, Recording
from support.corrected_beats import ANALYSIS, AT, RATE_HZ, corrected, edits, log
from support.examples import examples

SAMPLES = round(ANALYSIS.quality.duration_s * RATE_HZ)
RECORDING = Recording(np.zeros((SAMPLES, 1), np.float32), RATE_HZ, ("II",), source="holter.edf")


def labels_of(positions: list[int], symbols: str) -> Annotations:
    return Annotations(np.array(positions), np.array(list(symbols)))


def made_from(annotations: Annotations) -> list[Correction]:
    corrections = corrections_from_annotations(ANALYSIS, annotations, RATE_HZ, "labels.atr", AT)
    return [entry.correction for entry in corrections.entries]


@settings(max_examples=examples(20))
@given(edits(ANALYSIS))
def test_corrected_labels_are_read_back_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, made: list[Correction]
):
    after = corrected(ANALYSIS, *made)
    assume(2 * len(np.intersect1d(after.positions, ANALYSIS.positions)) > len(ANALYSIS))
    # A beat that takes the place of a deleted one is that one.
    added = np.setdiff1d(after.positions, ANALYSIS.positions)
    deleted = np.setdiff1d(ANALYSIS.positions, after.positions)
    assume(not (np.abs(added[:, None] - deleted) <= 15).any())
    folder = tmp_path_factory.mktemp("labels")
    for suffix in RESULT_KINDS:
        write_results(folder / f"r{suffix}", RECORDING, after, find_events(after))
        corrections = read_corrections(folder / f"r{suffix}", ANALYSIS, RATE_HZ)
        again = apply_corrections(ANALYSIS, corrections, RATE_HZ)
        np.testing.assert_array_equal(again.positions, after.positions, err_msg=suffix)
        np.testing.assert_array_equal(again.verdict, after.verdict, err_msg=suffix)
        np.testing.assert_array_equal(again.hint, after.hint, err_msg=suffix)


def test_a_beat_at_an_artefact_mark_is_unreadable_and_makes_no_pause():
    positions = ANALYSIS.positions.tolist()
    symbols = "".join(ANALYSIS.annotations().symbols)
    marked = labels_of(positions, symbols[:3] + "||" + symbols[5:])
    after = corrected(ANALYSIS, *made_from(marked))
    assert after.positions.tolist() == positions
    assert np.flatnonzero(after.verdict == Verdict.UNREADABLE).tolist() == [3, 4]
    assert find_events(after) == []
    # An artefact where no heartbeat was found is none.
    between = labels_of([positions[0], positions[0] + 40, *positions[1:]], symbols[0] + "|" + symbols[1:])
    assert made_from(between) == []


def test_json_results_and_a_file_of_corrections_give_the_corrections_themselves(tmp_path: Path):
    corrections = log(ANALYSIS, Relabel((180,), BeatLabel.OTHER), WriteConclusion("None."))
    after = apply_corrections(ANALYSIS, corrections, RATE_HZ)
    write_results(tmp_path / "r.json", RECORDING, after, [], corrections=corrections)
    corrections.save(tmp_path / "c.json")
    for name in ("r.json", "c.json"):
        assert read_corrections(tmp_path / name, ANALYSIS, RATE_HZ) == corrections
    content = (tmp_path / "r.json").read_bytes()
    for damage in (b'"rename"', b'"\xff"'):
        (tmp_path / "r.json").write_bytes(content.replace(b'"relabel"', damage))
        with pytest.raises(DataError, match="corrections that cannot be read"):
            read_corrections(tmp_path / "r.json", ANALYSIS, RATE_HZ)


def test_labels_of_another_program_are_compared_within_150_ms():
    positions = ANALYSIS.positions.tolist()
    # The first mark is early, the second late, the third too late, and the fourth is there twice.
    shifted = [positions[0] - 15, positions[1] + 15, positions[2] + 16, positions[3] - 3, positions[3] + 5]
    assert made_from(labels_of([*shifted, *positions[4:]], "NNNNNVFALe/")) == [
        DeleteBeats((positions[2],)),
        Relabel((positions[6], positions[8]), BeatLabel.SUPRAVENTRICULAR),
        Relabel((positions[5], positions[9]), BeatLabel.OTHER),
        AddBeat(positions[2] + 16, BeatLabel.NORMAL),
    ]


def test_labels_of_ectopic_beats_alone_delete_no_normal_ones():
    with pytest.raises(DataError, match="labels of only 1 of the 10 heartbeats"):
        made_from(labels_of(ANALYSIS.positions[4:5].tolist(), "V"))


def test_labels_of_another_recording_are_refused():
    with pytest.raises(DataError, match="labels of another recording"):
        made_from(labels_of((ANALYSIS.positions + 40).tolist(), "N" * 10))


def test_labels_that_coincide_by_chance_are_refused():
    random = np.random.default_rng(7)
    by_chance = ANALYSIS.positions + random.permutation(np.linspace(-15, 15, 10).astype(int))
    with pytest.raises(DataError, match=r"another recording: only 4 of its 10 beats .* one of the 10 heartbeats"):
        made_from(labels_of(by_chance.tolist(), "N" * 10))


def test_labels_that_are_all_as_late_are_accepted():
    symbols = "".join(ANALYSIS.annotations().symbols)
    assert made_from(labels_of((ANALYSIS.positions + 12).tolist(), symbols)) == []


def test_marks_of_no_beat_are_refused():
    with pytest.raises(DataError, match="it holds no annotations of beats"):
        made_from(labels_of(ANALYSIS.positions.tolist(), "+" * 10))
    with pytest.raises(DataError, match="lie after the end of this recording"):
        made_from(labels_of((ANALYSIS.positions + SAMPLES).tolist(), "N" * 10))


def test_the_rate_of_the_file_counts(tmp_path: Path):
    marks = labels_of((2 * ANALYSIS.positions).tolist(), "NNNNVNNNNS")
    for name in ("l.atr", "l.json"):
        write_annotations(tmp_path / name, marks, 2 * RATE_HZ)
        moved = read_annotations(tmp_path / name, RATE_HZ)
        assert moved.positions.tolist() == ANALYSIS.positions.tolist()
    (tmp_path / "l.csv").write_text("symbol,position,sampling_rate_hz\nN,100,200\nV,120,200\n")
    assert read_annotations(tmp_path / "l.csv", RATE_HZ).positions.tolist() == [50, 60]
    (tmp_path / "l.csv").write_text("time_s,symbol\n0.5,N\n0.6,V\n")
    assert read_annotations(tmp_path / "l.csv", RATE_HZ).positions.tolist() == [50, 60]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"time,beat\n1,N\n", "columns 'symbol'"),
        (b"position,time_s,symbol\n1,0.01,N\n,,V\n", "neither a position nor a time"),
        (b"time_s,symbol\nnan,V\n", "as CSV"),
        (b"time_s,symbol,sampling_rate_hz\n1,V,inf\n", "as CSV"),
        (b"position,symbol\nx,N\n", "as CSV"),
        (b"position,symbol\n-1,N\n", "as CSV"),
        (b"position,symbol,sampling_rate_hz\n1,N,0\n", "sampling rate of 0 Hz"),
        (b"position,symbol,sampling_rate_hz\n1,N,100\n2,N,200\n", "several sampling rates"),
        (b'{"annotations": []}', "as JSON"),
        (b'{"sampling_rate_hz": 100, "annotations": [{"position": 1e30, "symbol": "N"}]}', "as JSON"),
        (b"{", "as JSON"),
        (b"\x00\xff\x00", "not a whole WFDB annotation file"),
    ],
)
def test_a_file_without_labels_is_refused_in_one_sentence(tmp_path: Path, content: bytes, sentence: str):
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_corrections(tmp_path / "labels", ANALYSIS, RATE_HZ)
    with pytest.raises(DataError, match="cannot be read"):
        read_corrections(tmp_path / "missing", ANALYSIS, RATE_HZ)
