"""Records of WFDB in all storage formats, with segments, gaps and other signals; and what is not a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ectopy
from ectopy.datasets.mitdb import DS1
from ectopy.errors import DataError
from ectopy.formats.annotation_files import Mark
from ectopy.recording import Recording
from support.annotation_files import write_marks
from support.data_sets import folder_of
from support.examples import examples
from support.memory import takes_at_most
from support.recording_files import wave
from support.refusals import refusal
from support.wfdb_records import write_counts

wfdb = pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

_MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))


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
