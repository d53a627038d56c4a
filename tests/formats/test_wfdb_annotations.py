"""Annotation files of WFDB are read and written as the wfdb package does, and damaged ones refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ectopy.errors import DataError
from ectopy.formats.annotation_codes import NOTE
from ectopy.formats.annotation_files import Mark, each_mark
from ectopy.formats.wfdb_annotations import read_annotations
from support.annotation_files import MARKED, MARKS, write_marks
from support.examples import examples

wfdb = pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

_MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))


@_MANY
@given(MARKS)
def test_wfdb_annotations_round_trip(tmp_path: Path, marks: list[Mark]) -> None:
    path = tmp_path / "rec.ecto"
    write_marks(path, marks)
    read_marks = list(each_mark(read_annotations(path)))
    assert read_marks == sorted(marks, key=lambda mark: mark.position)


def test_wfdb_reopens_what_is_written(tmp_path: Path) -> None:
    write_marks(tmp_path / "rec.ecto", MARKED, 360)
    read_marks = wfdb.rdann(str(tmp_path / "rec"), "ecto")
    assert read_marks.fs == 360
    assert read_marks.sample.tolist() == [mark.position for mark in MARKED]
    assert read_marks.symbol == [mark.symbol for mark in MARKED]
    assert read_marks.subtype.tolist() == [mark.subtype for mark in MARKED]
    assert read_marks.aux_note == [mark.note for mark in MARKED]


def test_what_wfdb_writes_is_read(tmp_path: Path) -> None:
    wfdb.wrann(
        "rec",
        "atr",
        np.array([mark.position for mark in MARKED]),
        [mark.symbol for mark in MARKED],
        subtype=np.array([mark.subtype for mark in MARKED]),
        chan=np.array([0, 1, 0, 1, 0]),
        num=np.array([0, 1, 2, 3, 4]),
        aux_note=[mark.note for mark in MARKED],
        fs=360,
        write_dir=str(tmp_path),
    )
    assert list(each_mark(read_annotations(tmp_path / "rec.atr"))) == MARKED


def test_symbols_that_a_file_defines(tmp_path: Path) -> None:
    own = [(42, "k", "of our own")]
    wfdb.wrann("rec", "atr", np.array([5, 9]), ["k", "N"], custom_labels=own, write_dir=str(tmp_path))
    assert read_annotations(tmp_path / "rec.atr").symbols.tolist() == ["k", "N"]


def test_a_code_that_nobody_defines_becomes_a_comment(tmp_path: Path) -> None:
    (tmp_path / "rec.atr").write_bytes(bytes([7, 42 << 2, 0, 0]))
    assert list(each_mark(read_annotations(tmp_path / "rec.atr"))) == [Mark(7, NOTE, 0, "annotation code 42")]


@pytest.mark.parametrize("symbol", ["N", NOTE])
def test_no_annotations_and_one_at_the_start(tmp_path: Path, symbol: str) -> None:
    write_marks(tmp_path / "rec.atr", [])
    assert len(read_annotations(tmp_path / "rec.atr")) == 0
    write_marks(tmp_path / "rec.atr", [Mark(0, symbol, 0, "note")])
    assert list(each_mark(read_annotations(tmp_path / "rec.atr"))) == [Mark(0, symbol, 0, "note")]


def test_a_remark_at_the_start_on_which_wfdb_runs_for_ever(tmp_path: Path) -> None:
    note = b"## anything"
    content = bytes([0, 22 << 2, len(note), 63 << 2]) + note + b"\0" + bytes([9, 1 << 2, 0, 0])
    (tmp_path / "rec.atr").write_bytes(content)
    assert list(each_mark(read_annotations(tmp_path / "rec.atr"))) == [Mark(9, "N")]


@_MANY
@given(st.binary(max_size=60))
def test_any_bytes_are_annotations_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rec.atr").write_bytes(content)
    with suppress(DataError):
        read_annotations(tmp_path / "rec.atr")


def test_annotations_cut_short_are_refused(tmp_path: Path) -> None:
    write_marks(tmp_path / "rec.atr", MARKED)
    content = (tmp_path / "rec.atr").read_bytes()
    for end in range(len(content) - 1):
        (tmp_path / "rec.atr").write_bytes(content[:end])
        with pytest.raises(DataError, match="not a whole WFDB annotation file" if end else "is empty"):
            read_annotations(tmp_path / "rec.atr")
    with pytest.raises(DataError, match="name an annotation file"):
        read_annotations(tmp_path / "gone.atr")


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([Mark(-1, "N")], "position -1"),
        ([Mark(1, "k")], "symbol 'k'"),
        ([Mark(1, "N", 0, "x" * 256)], "at most 255 bytes"),
    ],
)
def test_annotations_that_wfdb_cannot_hold(tmp_path: Path, marks: list[Mark], expected: str) -> None:
    (tmp_path / "rec.atr").write_bytes(b"as it was")
    with pytest.raises(DataError, match=expected):
        write_marks(tmp_path / "rec.atr", marks)
    assert [file.name for file in tmp_path.iterdir()] == ["rec.atr"]
    assert (tmp_path / "rec.atr").read_bytes() == b"as it was"
