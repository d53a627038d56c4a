from __future__ import annotations

import csv
import json
import pickle
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ectopy
from ectopy import Annotations, Recording, formats
from ectopy.datasets import simulate_recording
from ectopy.datasets.mitdb import DS1
from ectopy.errors import DataError, OutputError, SettingError
from ectopy.formats import leads
from ectopy.formats.annotation_codes import CODES, NOTE
from ectopy.formats.annotation_files import Mark, collect, each_mark
from ectopy.formats.wfdb import read_annotations
from support.data_sets import folder_of
from support.edf_files import edf
from support.examples import examples
from support.memory import takes_at_most
from support.parquet_files import write_parquet
from support.recording_files import write_formats
from support.refusals import refusal
from support.wfdb_records import write_counts

edfio = pytest.importorskip("edfio", reason="the extra 'formats' is not installed")
wfdb = pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")


def wave(samples: int, count: int = 2) -> np.ndarray:
    """Some mV in each of several leads, in whole steps of 5 µV."""
    steps = np.arange(samples)[:, np.newaxis] * (np.arange(count) + 1)
    return (steps % 300 - 100) / 200


_MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))


# WFDB


def write_record(path: Path, header: str, **files: bytes) -> Path:
    """A record by hand; the files are named as its suffixes."""
    path.with_suffix(".hea").write_text(header, encoding="utf-8")
    for suffix, content in files.items():
        path.with_suffix(f".{suffix}").write_bytes(content)
    return path


def steps(values: np.ndarray, kind: str = "<i2", gain: int = 200) -> bytes:
    return np.rint(values * gain).astype(kind).tobytes()


@pytest.mark.parametrize("storage", ["16", "24", "32", "80", "212"])
def test_wfdb_storage_formats(tmp_path: Path, storage: str) -> None:
    signal = wave(1001)
    gain, baseline = (100, 0) if storage == "80" else (200, 17)
    counts = np.rint(signal * gain).astype(np.int64)
    recording = ectopy.read(write_counts(tmp_path, counts + baseline, storage, gain, baseline))
    assert recording.sampling_rate_hz == 250
    assert recording.leads == ("II", "V5")
    assert recording.signal.dtype == np.float32
    np.testing.assert_allclose(recording.signal, counts / gain, atol=1e-6)


def triplets_310(digital: np.ndarray) -> bytes:
    first, second, third = digital.reshape(-1, 3).T & 1023
    return np.stack([first << 1 | (third & 31) << 11, second << 1 | third >> 5 << 11], axis=1).astype("<u2").tobytes()


def triplets_311(digital: np.ndarray) -> bytes:
    first, second, third = digital.reshape(-1, 3).T & 1023
    return (first | second << 10 | third << 20).astype("<u4").tobytes()


@pytest.mark.parametrize(
    ("storage", "encode"),
    [
        ("61", lambda digital: digital.astype(">i2").tobytes()),
        ("160", lambda digital: (digital + 32768).astype("<u2").tobytes()),
        ("310", triplets_310),
        ("311", triplets_311),
    ],
)
def test_wfdb_storage_formats_that_wfdb_does_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str, encode: Callable[[np.ndarray], bytes]
) -> None:
    monkeypatch.setattr("ectopy.formats.wfdb.BLOCK_S", 1)
    digital = np.rint(wave(999) * 200).astype(np.int64)
    lines = "".join(f"rec.dat {storage} 200 10 0 0 0 0 {lead}\n" for lead in ("I", "II"))
    write_record(tmp_path / "rec", f"rec 2 250 999\n{lines}", dat=encode(digital.ravel()))
    np.testing.assert_allclose(ectopy.read(tmp_path / "rec").signal, digital / 200, atol=1e-6)


def test_wfdb_compressed(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    digital = np.rint(wave(200_000) * 200).astype(np.int64)
    np.testing.assert_allclose(ectopy.read(write_counts(tmp_path, digital, "516")).signal, digital / 200, atol=1e-6)


def test_wfdb_differences_are_read_from_their_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ectopy.formats.wfdb.BLOCK_S", 1)
    digital = np.cumsum(np.arange(1000) % 7 - 3)
    content = np.diff(digital, prepend=0).astype(np.int8).tobytes()
    write_record(tmp_path / "rec", "rec 1 250 1000\nrec.dat 8 200 12 0 0 0 0 II\n", dat=content)
    np.testing.assert_allclose(ectopy.read(tmp_path / "rec").signal[:, 0], digital / 200, atol=1e-6)


@pytest.mark.parametrize("name", ["rec", "rec.hea", "rec.dat"])
def test_wfdb_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "odd [1]* ünäme"
    folder.mkdir()
    write_record(folder / "rec", "rec 1 360 600 11:05:07.5 02/03/2004\nrec.dat 16 200 16 0 0 0 0 MLII\n# a comment\n")
    (folder / "rec.dat").write_bytes(steps(wave(600, 1)))
    recording = ectopy.read(str(folder / name))
    assert recording.start == datetime(2004, 3, 2, 11, 5, 7, 500_000)
    assert recording.leads == ("MLII",)
    assert recording.annotations is None
    assert recording.source == str(folder / name)
    np.testing.assert_allclose(recording.signal, wave(600, 1), atol=1e-6)


def test_wfdb_blocks_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ectopy.formats.wfdb.BLOCK_S", 1.3)
    signal = wave(1001, 3)
    wfdb.wrsamp("rec", 77, ["mV"] * 3, ["I", "II", "III"], signal, fmt=["212"] * 3, write_dir=str(tmp_path))
    np.testing.assert_allclose(ectopy.read(tmp_path / "rec").signal, signal, atol=2e-3)


def test_wfdb_invalid_samples_are_nan(tmp_path: Path) -> None:
    digital = np.array([[0, 5], [-32768, 6], [2, -32768]], "<i2")
    header = "rec 2 250 3\nrec.dat 16 200 16 0 0 0 0 I\nrec.dat 16 200 16 0 0 0 0 II\n"
    write_record(tmp_path / "rec", header, dat=digital.tobytes())
    signal = ectopy.read(tmp_path / "rec").signal
    np.testing.assert_array_equal(np.isnan(signal), digital == -32768)


def test_wfdb_without_calibration_asks_for_the_unit(tmp_path: Path) -> None:
    for gain in ("", " 0"):
        write_record(tmp_path / "rec", f"rec 1 250 100\nrec.dat 16{gain}\n", dat=steps(wave(100, 1)))
        message = refusal(tmp_path / "rec")
        assert "no unit for the lead 'lead 1'" in message
        assert "unit=" in message
        assert "--unit" in message
        signal = ectopy.read(tmp_path / "rec", unit="uV").signal
        np.testing.assert_allclose(signal, wave(100, 1) / 1000, rtol=1e-6)


def test_a_unit_is_refused_where_each_lead_has_another_one(tmp_path: Path) -> None:
    for path in write_formats(tmp_path):
        unit = re.search(r"states the unit ([mun]V), not V: leave yours out\.$", refusal(path, unit="V"))
        assert unit
        assert ectopy.read(path, unit=unit[1]).leads == ectopy.read(path).leads


def test_wfdb_without_a_rate_asks_for_it(tmp_path: Path) -> None:
    write_record(tmp_path / "rec", "rec 1\nrec.dat 16 200 16 0 0 0 0 I\n", dat=steps(wave(100, 1)))
    message = refusal(tmp_path / "rec")
    assert "sampling_rate_hz=" in message
    assert "--rate" in message
    recording = ectopy.read(tmp_path / "rec", sampling_rate_hz=500)
    assert recording.sampling_rate_hz == 500
    np.testing.assert_allclose(recording.signal, wave(100, 1), atol=1e-6)


def test_a_rate_that_contradicts_the_file(tmp_path: Path) -> None:
    write_record(tmp_path / "rec", "rec 1 250 100\nrec.dat 16 200 16 0 0 0 0 I\n", dat=steps(wave(100, 1)))
    assert ectopy.read(tmp_path / "rec", sampling_rate_hz=250).sampling_rate_hz == 250
    assert "states a sampling rate of 250 Hz, not 360 Hz" in refusal(tmp_path / "rec", sampling_rate_hz=360)
    write_record(tmp_path / "rec", "rec 1 0.5 2\nrec.dat 16x50 200 16 0 0 0 0 I\n", dat=steps(wave(100, 1)))
    assert ectopy.read(tmp_path / "rec", sampling_rate_hz=25).sampling_rate_hz == 25


def test_wfdb_other_signals_and_slower_leads_stay_out(tmp_path: Path) -> None:
    header = (
        "rec 4 125 100\nrec.dat 16x2 200 16 0 0 0 0 II\nrec.dat 16 200/mmHg 16 0 0 0 0 ABP\n"
        "rec.dat 16 200 16 0 0 0 0 slow\nrec.dat 16x2 200 16 0 0 0 0 V\n"
    )
    frames = np.arange(600, dtype="<i2").reshape(100, 6)
    write_record(tmp_path / "rec", header, dat=frames.tobytes())
    write_marks(tmp_path / "rec.atr", [Mark(30, "N"), Mark(199, "V")], 250)
    recording = ectopy.read(tmp_path / "rec")
    assert recording.leads == ("II", "V")
    assert recording.sampling_rate_hz == 250
    np.testing.assert_allclose(recording.signal[:, 0] * 200, frames[:, :2].ravel(), rtol=1e-5)
    np.testing.assert_allclose(recording.signal[:, 1] * 200, frames[:, 4:].ravel(), rtol=1e-5)
    assert recording.annotations.positions.tolist() == [30, 199]


def test_wfdb_annotations_move_to_the_rate_of_the_leads(tmp_path: Path) -> None:
    write_record(tmp_path / "rec", "rec 1 125 100\nrec.dat 16x2 200 16 0 0 0 0 II\n", dat=steps(wave(200, 1)))
    wfdb.wrann("rec", "atr", np.array([10, 99, 300]), ["N", "V", "N"], write_dir=str(tmp_path))
    annotations = ectopy.read(tmp_path / "rec").annotations
    assert annotations.positions.tolist() == [20, 198]
    assert annotations.symbols.tolist() == ["N", "V"]


def test_wfdb_skew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ectopy.formats.wfdb.BLOCK_S", 0.1)
    stored = np.stack([np.arange(100), np.arange(100)], axis=1)
    header = "rec 2 250 100\nrec.dat 16 1 16 0 0 0 0 I\nrec.dat 16:3 1 16 0 0 0 0 II\n"
    write_record(tmp_path / "rec", header, dat=stored.astype("<i2").tobytes())
    signal = ectopy.read(tmp_path / "rec").signal
    np.testing.assert_array_equal(signal[:, 0], np.arange(100))
    np.testing.assert_array_equal(signal[:97, 1], np.arange(3, 100))
    assert np.isnan(signal[97:, 1]).all()


def segment(folder: Path, name: str, names: Sequence[str], values: np.ndarray, unit: str = "mV") -> None:
    lines = "".join(f"{name}.dat 16 200/{unit} 16 0 0 0 0 {lead}\n" for lead in names)
    write_record(folder / name, f"{name} {len(names)} 250 {len(values)}\n{lines}", dat=steps(values))


def test_wfdb_segments_with_a_gap(tmp_path: Path) -> None:
    segment(tmp_path, "one", ["I", "II"], wave(50))
    segment(tmp_path, "two", ["I", "II"], wave(30), "uV")
    write_record(tmp_path / "whole", "whole/3 2 250 100\none 50\n~ 20\ntwo 30\n")
    recording = ectopy.read(tmp_path / "whole.hea")
    assert recording.leads == ("I", "II")
    np.testing.assert_allclose(recording.signal[:50], wave(50), atol=1e-6)
    assert np.isnan(recording.signal[50:70]).all()
    np.testing.assert_allclose(recording.signal[70:], wave(30) / 1000, atol=1e-6)


def test_wfdb_segments_of_changing_leads(tmp_path: Path) -> None:
    segment(tmp_path, "one", ["II", "I"], wave(50))
    segment(tmp_path, "two", ["V"], wave(30, 1))
    layout = "layout 3 250 0\n" + "".join(f"~ 0 200 16 0 0 0 0 {lead}\n" for lead in ("I", "II", "V"))
    write_record(tmp_path / "layout", layout)
    write_record(tmp_path / "whole", "whole/4 3 250 100\nlayout 0\none 50\n~ 20\ntwo 30\n")
    recording = ectopy.read(tmp_path / "whole")
    assert recording.leads == ("I", "II", "V")
    expected = np.full((100, 3), np.nan)
    expected[:50, [1, 0]] = wave(50)
    expected[70:, 2] = wave(30, 1)[:, 0]
    np.testing.assert_allclose(recording.signal, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "is empty"),
        ("# nothing\n", "nothing but comments"),
        ("rec two 250 100\nrec.dat 16 200\n", "announces 250 signals and describes 1"),
        ("rec 1 250 100\nrec.dat sixteen 200\n", "stores a signal in the format 200"),
        ("rec 2 250 100\nrec.dat 16 200 16 0 0 0 0 I\n", "announces 2 signals and describes 1"),
        ("rec 1 250 101\nrec.dat 16 200 16 0 0 0 0 I\n", "promises 101 samples"),
        ("rec 1 250 100\nrec.dat 99 200 16 0 0 0 0 I\n", "stores a signal in the format 99"),
        (
            "rec 2 250 50\nrec.dat 16 200 16 0 0 0 0 I\nother.dat 16 200 16 0 0 0 0 II\n",
            "names the data file other.dat",
        ),
        ("rec 1 250 100\n../rec.dat 16 200 16 0 0 0 0 I\n", "expected a file or record beside it"),
        ("rec 1 250 0\nrec.dat 16+200 200 16 0 0 0 0 I\n", "holds no samples"),
        ("rec 1 0.5 100\nrec.dat 16 200 16 0 0 0 0 I\n", "sampling rate of 0.5 Hz"),
        ("rec 1 250 99999999999\nrec.dat 16 200 16 0 0 0 0 I\n", "claims 99,999,999,999 samples of 1 lead,"),
        ("rec 1 250 100\nrec.dat 16 200/mmHg 16 0 0 0 0 ABP\n", "holds no lead"),
        ("rec 0 250 100\n", "holds no lead"),
        ("rec/2 1 250 200\none 100\n", "do not add up"),
        ("rec/2 1 250 200\none 100\nrec 100\n", "one.hea does not exist"),
        ("rec/1 1 250 200\nrec 200\n", "which has segments itself"),
        ("rec/1 1 250 200\n~ 200\n", "nothing but gaps"),
        ("1" * 100_000, "a line of more than 1024 bytes"),
        ("rec 65 250 1\n" + "rec.dat 16 200 16 0 0 0 0 E\n" * 65, "holds 65 leads, and a recording may have 64"),
        (
            "rec 2 1 100\nrec.dat 16 200 16 0 0 0 0 I\nrec.dat 16x99999999 1/bpm 16 0 0 0 0 HR\n",
            "frames of 100,000,000",
        ),
    ],
)
def test_wfdb_bad_header(tmp_path: Path, header: str, expected: str) -> None:
    write_record(tmp_path / "rec", header, dat=steps(wave(100, 1)))
    if expected == "one.hea does not exist":
        with pytest.raises(DataError, match=expected):
            ectopy.read(tmp_path / "rec.hea")
    else:
        assert expected in refusal(tmp_path / "rec.hea")


@_MANY
@given(st.integers(0, 80), st.text(st.characters(codec="latin-1"), min_size=1, max_size=6))
def test_wfdb_with_any_damage_is_read_or_refused(tmp_path: Path, place: int, damage: str) -> None:
    header = "rec 2 250 100\nrec.dat 212 200(5)/uV 11 1024 955 0 0 MLII\nrec.dat 212x1 200 11 0 0 0 0 V1\n"
    header = header[:place] + damage + header[place + len(damage) :]
    write_record(tmp_path / "rec", header, dat=bytes(300))
    with suppress(DataError):
        assert isinstance(ectopy.read(tmp_path / "rec.hea"), Recording)


def test_hours_need_little_more_memory_than_their_result(tmp_path: Path) -> None:
    frames = 4 * 3600 * 250
    header = f"rec 2 250 {frames}\nrec.dat 212 200 12 0 0 0 0 I\nrec.dat 212 200 12 0 0 0 0 II\n"
    write_record(tmp_path / "rec", header, dat=bytes(3 * frames))
    ectopy.read(write_record(tmp_path / "warm", "warm 1 250 2\nwarm.dat 16 200\n", dat=bytes(4)), unit="mV")
    with takes_at_most(16 * frames / 1e6):
        recording = ectopy.read(tmp_path / "rec")
    assert recording.signal.shape == (frames, 2)
    assert recording.signal.nbytes == 8 * frames


def test_mitdb_record() -> None:
    folder = folder_of("mitdb", DS1[:1])
    recording = ectopy.read(folder / DS1[0])
    reference = wfdb.rdrecord(str(folder / DS1[0]))
    np.testing.assert_allclose(recording.signal, reference.p_signal, atol=1e-6)
    marks = wfdb.rdann(str(folder / DS1[0]), "atr")
    np.testing.assert_array_equal(recording.annotations.positions, marks.sample)
    assert recording.annotations.symbols.tolist() == marks.symbol
    np.testing.assert_array_equal(recording.annotations.subtypes, marks.subtype)
    assert list(recording.annotations.notes) == [note.rstrip("\0") for note in marks.aux_note]


# WFDB annotations


def write_marks(path: Path, marks: Sequence[Mark], rate: float = 250) -> None:
    formats.write_annotations(path, collect(marks), rate)


_NOTES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=40)
MARKS = st.lists(
    st.builds(
        Mark,
        st.integers(1, 2**40),
        st.sampled_from(sorted(CODES)),
        st.integers(-128, 127),
        _NOTES.filter(lambda note: len(note.encode()) <= 255),
    ),
    max_size=20,
)


@_MANY
@given(MARKS)
def test_wfdb_annotations_round_trip(tmp_path: Path, marks: list[Mark]) -> None:
    path = tmp_path / "rec.ecto"
    write_marks(path, marks)
    read_marks = list(each_mark(read_annotations(path)))
    assert read_marks == sorted(marks, key=lambda mark: mark.position)


MARKED = [Mark(0, "+", 0, "(N"), Mark(18, "N"), Mark(5000, "~", -1), Mark(9_000_000, "~", 0), Mark(9_000_400, "V", 3)]


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


@_MANY
@given(MARKS.map(lambda marks: [mark._replace(position=mark.position % 2**30) for mark in marks]))
def test_edf_annotations_round_trip(tmp_path: Path, marks: list[Mark]) -> None:
    from ectopy.formats.edf import _mark

    path = tmp_path / "marks.edf"
    write_marks(path, marks, 360)
    read_marks = [_mark(round(each.onset * 360), each.text) for each in edfio.read_edf(path).annotations if each.text]
    assert sorted(read_marks) == sorted(marks)


def test_edf_of_annotations_only_is_no_recording(tmp_path: Path) -> None:
    write_marks(tmp_path / "marks.edf", [Mark(7, "N")])
    assert "holds no lead" in refusal(tmp_path / "marks.edf")


# CSV, Parquet, NPY


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "rec.csv"
    path.write_text("II,V5 (uV)\n0.5,100\n,nan\ninf,-200\n", encoding="utf-8")
    assert "unit=" in refusal(path, sampling_rate_hz=250)
    assert "sampling_rate_hz=" in refusal(path, unit="mV")
    recording = ectopy.read(path, sampling_rate_hz=250, unit="V")
    assert recording.leads == ("II", "V5")
    assert recording.sampling_rate_hz == 250
    np.testing.assert_allclose(recording.signal, [[500, 0.1], [np.nan, np.nan], [np.nan, -0.2]], rtol=1e-6)


def test_csv_without_a_header_and_with_an_index(tmp_path: Path) -> None:
    path = tmp_path / "rec.csv"
    path.write_text('1,2\n"3","4"\n', encoding="utf-8-sig")
    recording = ectopy.read(path, sampling_rate_hz=250, unit="mV")
    assert recording.leads == ("lead 1", "lead 2")
    np.testing.assert_array_equal(recording.signal, [[1, 2], [3, 4]])
    path.write_text("1,2\r3,4\n5,6\r7,8\n", encoding="utf-8", newline="")
    assert len(ectopy.read(path, sampling_rate_hz=250, unit="mV").signal) == 4
    path.write_text(",II\r\n0,7\r\n1,8\r\n\r\n", encoding="utf-8", newline="")
    recording = ectopy.read(path, sampling_rate_hz=250, unit="mV")
    assert recording.leads == ("II",)
    np.testing.assert_array_equal(recording.signal, [[7], [8]])


def test_csv_in_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ectopy.formats.csv._BLOCK_ROWS", 7)
    np.savetxt(tmp_path / "rec.csv", wave(1500, 3), delimiter=",")
    recording = ectopy.read(tmp_path / "rec.csv", sampling_rate_hz=250, unit="mV")
    np.testing.assert_allclose(recording.signal, wave(1500, 3), atol=1e-6)


@pytest.mark.parametrize("rate", [100, 250, 256, 360, 128.5])
@pytest.mark.parametrize("decimals", [3, 9])
def test_times_give_the_rate_and_the_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float, decimals: int
) -> None:
    monkeypatch.setattr("ectopy.formats.row_times._BLOCK_ROWS", 999)
    path = tmp_path / "rec.csv"
    rows_present = np.r_[0:1000, 1400:3000, 3001:5000]
    times = np.round(17 + rows_present / rate, decimals)
    rows = "".join(f"{t:.{decimals}f},{i}\n" for t, i in zip(times, rows_present, strict=True))
    path.write_text(f"time,II\n{rows}", encoding="utf-8")
    for stated in (None, rate):
        recording = ectopy.read(path, sampling_rate_hz=stated, unit="mV")
        assert recording.sampling_rate_hz == pytest.approx(rate, rel=1e-4)
        expected = np.full(5000, np.nan)
        expected[rows_present] = rows_present
        np.testing.assert_array_equal(recording.signal[:, 0], expected)
    assert "not evenly spaced at 500 Hz" in refusal(path, sampling_rate_hz=500, unit="mV")
    assert "not evenly spaced at 90 Hz" in refusal(path, sampling_rate_hz=90, unit="mV")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is empty"),
        ("\n \n", "holds no rows"),
        ("II,V5\n", "holds no samples"),
        ("II,V5\n1,2\n1,two\n", "line 3, column 2 (V5): 'two' is text where a number belongs"),
        ("1,2\n2,2\n1;3\n", "line 3 has 1 column, and the lines before it have 2"),
        ("II,V5\n1,2,3\n", "line 2 has 3 columns"),
        ("II" + " " * 90_000 + "(mV\n0\n", "at most 200 characters"),
        ("time (ms),II\n0,1\n", "a single time"),
        ("time,II\n0,1\n0,2\n", "do not increase"),
        ("time,II\n0,1\n,2\n", "missing or do not increase"),
        ("time,II\n0,1\n", "a single time"),
        ("time,II\n0,1\n1,2\n1.7,3\n2.9,4\n4.4,5\n", "not evenly spaced"),
        ("time,II\n0,1\n1e-6,2\n2e-6,3\n", "sampling rate of 1e+06 Hz"),
        ("time,II\n0,1\n0.1,2\n0.2,3\n1e15,4\n", "split it at the gaps"),
        ("time,II\n0,1\n5e-324,2\n1e-323,3\n", "sampling rate of"),
        ("time,II\n-1e308,1\n0,2\n1e308,3\n", "not evenly spaced"),
        ("time,II\n2020-01-01,1\n2020-01-02,2\n", "'2020-01-01' in column 1; expected seconds"),
        ("time\n0\n1\n", "holds no lead"),
        ("time;II;V5\n0;0,1;0.2\n", "and with a point, as in '0.2'; save it with decimal points"),
    ],
)
def test_csv_bad_files(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "rec.csv"
    path.write_text(content, encoding="utf-8")
    rate = None if "time" in content else 250
    assert expected in refusal(path, sampling_rate_hz=rate, unit="mV")


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "rec.csv"
    path.write_bytes(b"\xff\xfe\x00\x01\n")
    assert "not a text file in UTF-8" in refusal(path, sampling_rate_hz=250, unit="mV")
    path.write_bytes(b"1" * 200_000)
    assert "a line of more than 100,000 characters" in refusal(path, sampling_rate_hz=250, unit="mV")


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rec.parquet"
    write_parquet(path, {"time": [0.0, 0.1, 0.3, 0.4, 0.5], "II [uV]": [1, None, 3, 4, 5]})
    recording = ectopy.read(path)
    assert recording.sampling_rate_hz == 10
    assert recording.leads == ("II",)
    np.testing.assert_allclose(recording.signal[:, 0] * 1000, [1, np.nan, np.nan, 3, 4, 5], rtol=1e-6)

    write_parquet(path, {"II": ["a", "b"]})
    assert "values of type string in the column 'II'" in refusal(path, sampling_rate_hz=250, unit="mV")
    write_parquet(path, {"II": [0.5, 1.5]})
    np.testing.assert_array_equal(ectopy.read(path, sampling_rate_hz=250, unit="mV").signal, [[0.5], [1.5]])
    assert "unit=" in refusal(path, sampling_rate_hz=250)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"II", b"\xa5I"))
    assert "not a whole .parquet file" in refusal(path, sampling_rate_hz=250, unit="mV")
    path.write_bytes(content[:-9])
    assert "not a whole .parquet file" in refusal(path, sampling_rate_hz=250, unit="mV")


def test_npy(tmp_path: Path) -> None:
    path = tmp_path / "rec.npy"
    np.save(path, np.array([1, -np.inf, 3]))
    assert "--rate" in refusal(path, unit="uV")
    assert "--unit" in refusal(path, sampling_rate_hz=250)
    recording = ectopy.read(path, sampling_rate_hz=250, unit="uV")
    assert recording.leads == ("lead 1",)
    np.testing.assert_allclose(recording.signal[:, 0] * 1000, [1, np.nan, 3], rtol=1e-6)
    np.save(path, np.arange(8, dtype=np.int16).reshape(4, 2))
    assert ectopy.read(path, sampling_rate_hz=250, unit="mV").signal.shape == (4, 2)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((2, 1000)), "transpose it"),
        (np.zeros((2, 2, 2)), "expected (samples, leads)"),
        (np.zeros((4, 0)), "expected (samples, leads)"),
        (np.zeros((0, 2)), "holds no samples"),
        (np.array(["a", "b"]), "expected real numbers"),
        (np.array([1j]), "expected real numbers"),
        (np.array([{}]), "not a whole .npy file"),
    ],
)
def test_npy_bad_files(tmp_path: Path, array: np.ndarray, expected: str) -> None:
    np.save(tmp_path / "rec.npy", array)
    assert expected in refusal(tmp_path / "rec.npy", sampling_rate_hz=250, unit="mV")


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("a file was unpickled",))


def test_what_is_not_a_whole_file_of_npy_is_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "rec.npy"
    np.save(path, np.zeros(1000))
    whole = path.read_bytes()
    np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)
    for content in (whole[:-8], path.read_bytes(), pickle.dumps(Trap())):
        path.write_bytes(content)
        assert "not a whole .npy file" in refusal(path, sampling_rate_hz=250, unit="mV")


# What is common to all


def test_too_much_for_memory_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "MAX_VALUES", 199)
    np.save(tmp_path / "rec.npy", np.zeros((100, 2)))
    edf(tmp_path / "rec.edf")
    np.savetxt(tmp_path / "rec.csv", -wave(100), delimiter=",")
    write_parquet(tmp_path / "rec.parquet", {"I": np.zeros(200, np.float32)})
    for name in ("rec.npy", "rec.edf", "rec.csv", "rec.parquet"):
        stated = {} if name == "rec.edf" else {"sampling_rate_hz": 250, "unit": "mV"}
        assert "a recording may have 199 values: split it" in refusal(tmp_path / name, **stated)


def test_paths_that_are_no_recording(tmp_path: Path) -> None:
    (tmp_path / "folder.edf").mkdir()
    (tmp_path / "rec.doc").write_bytes(bytes(100))
    assert "is a folder" in refusal(tmp_path / "folder.edf")
    for folder in (Path(), Path(".."), Path("/")):
        with pytest.raises(DataError, match="is a folder"):
            ectopy.read(folder)
    assert "does not exist" in refusal(tmp_path / "gone.edf")
    assert "does not exist" in refusal(tmp_path / "gone")
    assert "unknown format" in refusal(tmp_path / "rec.doc")
    (tmp_path / "rec.dat").write_bytes(bytes(200))
    with pytest.raises(DataError, match=r"rec\.hea does not exist"):
        ectopy.read(tmp_path / "rec.dat")
    with pytest.raises(DataError, match="cannot be read"):
        ectopy.read(tmp_path / f"{'x' * 300}.edf")


@pytest.mark.parametrize("rate", [0, -1, 0.5, 1e6, np.nan, np.inf])
def test_rates_that_are_none(tmp_path: Path, rate: float) -> None:
    with pytest.raises(SettingError, match="from 1 to 100000 Hz"):
        ectopy.read(tmp_path / "rec.csv", sampling_rate_hz=rate)
    with pytest.raises(SettingError, match="from 1 to 100000 Hz"):
        write_marks(tmp_path / "rec.atr", [], rate)


def test_units_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'mmHg' is unknown"):
        ectopy.read(tmp_path / "rec.csv", unit="mmHg")


def test_annotations_as_csv_and_json(tmp_path: Path) -> None:
    write_marks(tmp_path / "marks.csv", MARKED, 250)
    with (tmp_path / "marks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"position": "0", "time_s": "0.0", "symbol": "+", "subtype": "0", "note": "(N"}
    assert [row["time_s"] for row in rows] == ["0.0", "0.072", "20.0", "36000.0", "36001.6"]
    write_marks(tmp_path / "marks.JSON", MARKED, 250)
    content = json.loads((tmp_path / "marks.JSON").read_text(encoding="utf-8"))
    assert content["sampling_rate_hz"] == 250
    assert [{key: str(value) for key, value in row.items()} for row in content["annotations"]] == rows


def test_a_table_holds_no_formula_of_a_note(tmp_path: Path) -> None:
    notes = ("=HYPERLINK(1)", "@SUM(1)", "-1+1", "day = night")
    write_marks(tmp_path / "marks.csv", [Mark(place, NOTE, 0, note) for place, note in enumerate(notes)], 250)
    with (tmp_path / "marks.csv").open(encoding="utf-8", newline="") as file:
        assert [row["note"] for row in csv.DictReader(file)] == ["'=HYPERLINK(1)", "'@SUM(1)", "'-1+1", "day = night"]


@pytest.mark.parametrize("name", ["rec.hea", "rec.dat", "rec.npy", "rec", "rec.1", "rec.a-b"])
def test_names_that_annotations_cannot_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match="annotations are written as"):
        write_marks(tmp_path / name, [])


def test_annotations_into_no_folder(tmp_path: Path) -> None:
    for suffix in ("csv", "json", "edf", "atr"):
        with pytest.raises(OutputError, match="does not exist"):
            write_marks(tmp_path / "gone" / f"rec.{suffix}", [Mark(1, "N")])


def test_simulated_recording_through_every_format(tmp_path: Path) -> None:
    original = simulate_recording(20, random_state=0)
    rate = original.sampling_rate_hz
    names = list(original.leads)
    signal = original.signal.astype(float)
    wfdb.wrsamp("rec", rate, ["mV"] * len(names), names, signal, fmt=["16"] * len(names), write_dir=str(tmp_path))
    formats.write_annotations(tmp_path / "rec.atr", original.annotations, rate)
    recording = ectopy.read(tmp_path / "rec")
    np.testing.assert_allclose(recording.signal, original.signal, atol=1e-3)
    np.testing.assert_array_equal(recording.annotations.positions, original.annotations.positions)
    np.testing.assert_array_equal(recording.annotations.symbols, original.annotations.symbols)


def test_annotations_need_one_of_each() -> None:
    positions, symbols = np.array([1, 2]), np.array(["N", "V"])
    with pytest.raises(DataError, match="one subtype per position"):
        Annotations(positions, symbols, subtypes=np.array([1], np.int8))
    with pytest.raises(DataError, match="one note per position"):
        Annotations(positions, symbols, notes=("a",))


@pytest.mark.parametrize("samples", [1, 511, 512, 513, 2000])
def test_a_value_that_no_ecg_has_is_found_wherever_it_is(tmp_path: Path, samples: int) -> None:
    for place in {0, samples // 2, samples - 1}:
        signal = np.full((samples, 3), np.nan)
        signal[place, 1] = -10_001
        np.save(tmp_path / "rec.npy", signal)
        assert "-10001 mV in the lead 'lead 2'" in refusal(tmp_path / "rec.npy", sampling_rate_hz=250, unit="mV")
