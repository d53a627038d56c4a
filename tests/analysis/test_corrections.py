"""The log of corrections and its file: what is refused, and the last decision on a strip and the conclusion."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given

from ectopy.analysis.corrections import (
    AddBeat,
    BeatLabel,
    ChooseStrip,
    Correction,
    CorrectionEntry,
    Corrections,
    DeleteBeats,
    MarkNoise,
    Relabel,
    RemoveStrip,
    Undo,
    WriteConclusion,
    undo,
)
from ectopy.errors import DataError
from support.corrected_beats import ANALYSIS, AT, edits, log


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ectopy.analysis.corrections.MAX_BYTES", 1000)
    path = tmp_path / "some.json"
    log(ANALYSIS, WriteConclusion("Sinus rhythm.")).save(path)
    before = path.read_bytes()
    with pytest.raises(DataError, match="no room"):
        log(ANALYSIS, WriteConclusion("é" * 400)).save(path)
    assert path.read_bytes() == before


@given(edits(ANALYSIS))
def test_a_file_of_corrections_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, made: list[Correction]
):
    made = [*made, ChooseStrip(1, 2, "worst"), RemoveStrip(3, 4), Undo()]
    path = tmp_path_factory.mktemp("corrections") / "c.json"
    log(ANALYSIS, *made).save(path)
    assert Corrections.load(path) == log(ANALYSIS, *made)


def test_the_last_decision_on_a_strip_and_the_last_conclusion_count():
    made = log(
        ANALYSIS,
        ChooseStrip(5, 8, "run"),
        ChooseStrip(1, 2),
        RemoveStrip(9, 10),
        WriteConclusion("First."),
        ChooseStrip(5, 8, "longest run"),
        RemoveStrip(1, 2),
        WriteConclusion("Second."),
    )
    assert made.strips == (ChooseStrip(5, 8, "longest run"),)
    assert made.hidden_strips == (RemoveStrip(9, 10),)  # the strip of a person that is removed again hides no other
    assert log(ANALYSIS, *[RemoveStrip(1, 2)] * 2).hidden_strips == (RemoveStrip(1, 2),)
    assert made.conclusion == "Second."
    assert undo(made, "Dr Ada", AT).conclusion == "First."
    assert log(ANALYSIS).conclusion == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda: Relabel((), BeatLabel.NORMAL),
        lambda: Relabel((-1,), BeatLabel.NORMAL),
        lambda: Relabel((1.5,), BeatLabel.NORMAL),
        lambda: Relabel((1,), "wide"),
        lambda: DeleteBeats(None),
        lambda: AddBeat(True, BeatLabel.NORMAL),
        lambda: MarkNoise(2, 1),
        lambda: MarkNoise(0, float("inf")),
        lambda: MarkNoise("0", 1),
        lambda: ChooseStrip(0, 1, "a\x1b[2J"),
        lambda: ChooseStrip(0, 1, "long " * 100),
        lambda: WriteConclusion(None),
        lambda: CorrectionEntry(Undo(), " ", AT),
        lambda: CorrectionEntry(Undo(), "Dr Ada", datetime(2026, 3, 1)),
        lambda: CorrectionEntry("undo", "Dr Ada", AT),
    ],
)
def test_a_correction_that_means_nothing_is_refused(make: Any):
    with pytest.raises(DataError, match=r"^[^\n]+\.$"):
        make()


def test_positions_are_put_in_order_and_arrays_are_taken():
    assert Relabel(np.array([5, 3, 5]), "normal") == Relabel((3, 5), BeatLabel.NORMAL)
    assert repr(Relabel((3, 5), BeatLabel.NORMAL)) == "Relabel(2 beats, normal)"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a file of corrections"),
        (b"\xff\xfe", "is not a file of corrections"),
        (b"[" * 100_000, "is not a file of corrections"),
        (b'{"format": "another", "version": 1}', "is not a file of corrections"),
        (b'{"format": "ectopy corrections", "version": 2}', "version 2, and this Ectopy reads version 1"),
        (b'{"format": "ectopy corrections", "version": 1, "generator": "", "analysis_digest": ""}', "entries"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, sentence: str):
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        Corrections.load(path)
    with pytest.raises(DataError, match="cannot be read"):
        Corrections.load(tmp_path / "missing.json")


def test_a_forged_entry_is_refused(tmp_path: Path):
    path = tmp_path / "c.json"
    log(ANALYSIS, Relabel((180,), BeatLabel.NORMAL)).save(path)
    sound = msgspec.json.decode(path.read_bytes())
    for forged in ({"positions": [-5]}, {"label": "wide"}, {"type": "format"}, {"extra": 1}, {"positions": "1"}):
        sound_entry = sound["entries"][0]
        entry = sound_entry | {"correction": sound_entry["correction"] | forged}
        path.write_bytes(msgspec.json.encode(sound | {"entries": [entry]}))
        with pytest.raises(DataError, match="is not a file of corrections"):
            Corrections.load(path)


def test_spaces_of_word_processors_are_text():
    text = "z.\u00a0B. 5\u202f%"
    assert log(ANALYSIS, WriteConclusion(text), ChooseStrip(1, 2, text)).conclusion == text
