"""What the headers of WFDB records say is read to the last character, or named; nothing becomes a default."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ectopy
from ectopy import Annotations, formats
from ectopy.datasets import simulate_recording
from ectopy.errors import DataError
from ectopy.formats.leads import unique_names
from ectopy.formats.spelling import parse_number, spell_unit
from ectopy.recording import Patient
from support.command_line import assert_success
from support.data_sets import folder_of
from support.examples import examples
from support.refusals import refusal
from support.wfdb_records import write_counts

pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

MILLIVOLT = np.sin(np.arange(1000) / 20)
"""One lead of four seconds at 250 Hz."""
_MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(200))


def write(folder: Path, header: bytes | str, counts: np.ndarray, data: str = "rec.dat", name: str = "rec.hea") -> Path:
    """A record of 16 bits a sample."""
    path = folder / name
    path.write_bytes(header.encode() if isinstance(header, str) else header)
    (folder / data).write_bytes(np.rint(counts).astype("<i2").tobytes())
    return path


# Units and gains


@pytest.mark.parametrize(
    ("gain", "counts_per_mv"),
    [
        ("1/\xb5V".encode("latin-1"), 1000),
        ("1/µV".encode(), 1000),
        ("1/μV".encode(), 1000),
        ("1/\u00b5V".encode("utf-8").decode("latin-1").encode("utf-8"), 1000),
        (b"1/\x83\xcaV", 1000),  # in Shift-JIS
        (b"1/uVolt", 1000),
        (b"1/UV", 1000),
        (b"1/.V", 1000),
        (b"1/microvolts", 1000),
        (b"1.0(0.0)/uV", 1000),
        (b"1,0/uV", 1000),
        (b"0,5(0)/uV", 500),
        (b"1e3/mV", 1000),
        (b"1000.5(0)/millivolt", 1000.5),
        (b"1000(0)/[mV]", 1000),
        (b"1000", 1000),
        (b"-1000(0)/mV", -1000),
        (b"1e+5/V", 100),
    ],
)
def test_gains_and_units_that_are_certain(tmp_path: Path, gain: bytes, counts_per_mv: float):
    header = b"rec 1 250 1000\nrec.dat 16 " + gain + b" 16 0 0 0 0 II\n"
    path = write(tmp_path, header, MILLIVOLT * counts_per_mv)
    recording = ectopy.read(path)
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=0.6 / abs(counts_per_mv))
    assert recording.leads == ("II",)
    assert recording.notes == ()
    assert "not nV: leave yours out." in refusal(path, unit="nV")


@pytest.mark.parametrize(
    ("gain", "named"),
    [
        ("1,000/mV", "'1,000'"),
        ("200x/mV", "'200x'"),
        ("two/mV", "'two'"),
        ("nan/mV", "'nan'"),
        ("inf/mV", "'inf'"),
        ("200(0/mV", "'200(0/mV'"),
        ("200(zero)/mV", "'zero'"),
        ("200(1,024)/mV", "'1,024'"),
        ("200(0)mV", "'200(0)mV'"),
        ("200/xV", "'xV'"),
        ("200/kVolt", "'kVolt'"),
        ("200/mmHg", "'mmHg'"),
        ("II", "'II'"),
        ("1e-30/mV", "1e+30 mV"),
        ("0.0001/mV", "10000 mV"),
        ("1e30/uV", "1e-33 mV"),
        ("1(30000000)/mV", "e+07 mV"),
        ("1 /uV", "a gain with a blank"),
        ("200 (0)/mV", "a gain with a blank"),
    ],
)
def test_gains_and_units_that_are_not_are_named(tmp_path: Path, gain: str, named: str):
    path = write(tmp_path, f"rec 1 250 1000\nrec.dat 16 {gain} 16 0 0 0 0 II\n", MILLIVOLT * 1000)
    assert named in refusal(path)


def test_a_unit_that_cannot_be_read_does_not_drop_its_lead(tmp_path: Path):
    lines = "rec.dat 16 1000/mV 16 0 0 0 0 II\nrec.dat 16 1000/xV 16 0 0 0 0 V5\n"
    path = write(tmp_path, f"rec 2 250 500\n{lines}", MILLIVOLT * 1000)
    assert "the unit 'xV' for the signal 'V5'" in refusal(path)
    assert "--unit" in refusal(path)
    recording = ectopy.read(path, unit="uV")
    assert recording.leads == ("II", "V5")
    np.testing.assert_allclose(recording.signal[:, 1], MILLIVOLT[1::2] / 1000, atol=1e-6)


@_MANY
@given(st.text(st.sampled_from("0123456789.,eE+-()/mµuV x"), min_size=1, max_size=10))
def test_any_gain_is_read_as_it_stands_or_refused(tmp_path: Path, gain: str):
    path = write(tmp_path, f"rec 1 250 1000\nrec.dat 16 {gain}/uV 16 0 0 0 0 II\n", MILLIVOLT * 1000)
    try:
        recording = ectopy.read(path, unit="mV")
    except DataError:
        return
    assert np.isfinite(recording.signal).all()
    words = gain.split()
    if len(words) == 1 and words[0].replace(".", "", 1).isdigit() and float(words[0]):
        np.testing.assert_allclose(recording.signal[:, 0], np.rint(MILLIVOLT * 1000) / float(gain) / 1000, rtol=1e-5)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_read(number: float):
    assert parse_number(repr(number)) == number
    assert parse_number(f" {number:.5f} ".replace(".", ",") if abs(number) < 1e9 else repr(number)) == pytest.approx(
        number, rel=1e-9, abs=1e-5
    )


@pytest.mark.parametrize(
    "text", ["", " ", "1,000", "-12,345", "1.000,5", "1 000", "0x10", "1_000", "١", "inf", "1e", "-"]
)
def test_what_is_not_certainly_a_number(text: str):
    with pytest.raises(ValueError):
        parse_number(text)


@pytest.mark.parametrize("text", ["", " ", "-", "n/a", "NONE", "?", "unknown"])
def test_a_unit_that_is_not_stated(text: str):
    assert spell_unit(text) == ""


@pytest.mark.parametrize("text", ["mmHg", "%", "bpm", "degC", "rev/min", "Ohm", "V/s"])
def test_other_units_stay_as_they_are(text: str):
    assert spell_unit(text) == text


# The first line


@pytest.mark.parametrize(
    ("stated", "start"),
    [
        ("250 1000", None),
        ("128,5/128,5(0) 1000", None),
        ("250 1000 12:30:15", None),
        ("250 1000 12:30:15.25 01/02/2003", datetime(2003, 2, 1, 12, 30, 15, 250_000)),
        ("250 1000 30:15 1/2/2003", datetime(2003, 2, 1, 0, 30, 15)),
        ("250 1000 12:30:15 01.02.2003", datetime(2003, 2, 1, 12, 30, 15)),
        ("250 1000 05-Feb-2020 11:39:16", datetime(2020, 2, 5, 11, 39, 16)),  # as of the Challenges of 2020 and 2021
        ("250 1000 11:39:16 05-Feb-2020", datetime(2020, 2, 5, 11, 39, 16)),
    ],
)
def test_rates_and_starts(tmp_path: Path, stated: str, start: datetime | None):
    path = write(tmp_path, f"rec 1 {stated}\nrec.dat 16 1000 16 0 0 0 0 II\n", MILLIVOLT * 1000)
    recording = ectopy.read(path)
    assert recording.sampling_rate_hz == (250 if stated.startswith("250") else 128.5)
    assert recording.start == start
    assert recording.notes == ()


@pytest.mark.parametrize(
    "stated", ["2006", "12:30:15 2006", "25:61:00", "12:00:00 31/02/2020", "[12:00 01/02/2003]", "noon 01/02/2003 UTC"]
)
def test_a_start_that_cannot_be_read_is_noted(tmp_path: Path, stated: str):
    path = write(tmp_path, f"rec 1 250 1000 {stated}\nrec.dat 16 1000 16 0 0 0 0 II\n", MILLIVOLT * 1000)
    recording = ectopy.read(path)
    assert recording.start is None
    (note,) = recording.notes
    assert repr(stated) in note
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=1e-3)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("rec 1 fast 1000", "the sampling rate as 'fast'"),
        ("rec 1 1,000 1000", "the sampling rate as '1,000'"),
        ("rec 1 250 all", "the number of samples as 'all'"),
        ("rec 1 250 -5", "states -5 samples"),
        ("rec", "does not begin as a WFDB header does"),
        ("PK\x03\x04", "does not begin as a WFDB header does"),
    ],
)
def test_a_first_line_that_cannot_be_read_is_named(tmp_path: Path, first: str, expected: str):
    assert expected in refusal(write(tmp_path, f"{first}\nrec.dat 16 1000 16 0 0 0 0 II\n", MILLIVOLT * 1000))


def test_lines_behind_the_announced_ones_are_not_read(tmp_path: Path):
    """header(5): at least as many lines as signals or segments are announced; any further ones are not read."""
    header = "rec 1 250 1000\nrec.dat 16 1000 16 0 0 0 0 II\n"
    path = write(tmp_path, f"{header}other.dat 16 1000 16 0 0 0 0 V1\n", MILLIVOLT * 1000)
    recording = ectopy.read(path)
    assert recording.leads == ("II",)
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=1e-3)
    path.write_text(f"{header}rec.dat 16 1000 16 0 0 0 0 V1\n")
    assert "announces 1 signals and describes 2" in refusal(path)
    path.write_text(header)
    whole = path.with_name("whole.hea")
    whole.write_text("whole/2 1 250 2000\nrec 1000\nrec 1000\nmissing 5\n")
    np.testing.assert_array_equal(ectopy.read(whole).signal, np.tile(recording.signal, (2, 1)))


def test_a_length_of_0_is_that_of_the_data_file(tmp_path: Path):
    path = write(tmp_path, "rec 1 250 0\nrec.dat 16 1000 16 0 0 7 0 II\n", MILLIVOLT * 1000)
    recording = ectopy.read(path)
    assert len(recording.signal) == 1000
    assert recording.notes == ()


def test_byte_order_marks(tmp_path: Path):
    header = "rec 1 250 1000\nrec.dat 16 1000 16 0 0 0 0 II\n"
    path = write(tmp_path, b"\xef\xbb\xbf" + header.encode(), MILLIVOLT * 1000)
    assert ectopy.read(path).leads == ("II",)
    for encoding in ("utf-16-le", "utf-16-be"):
        path.write_bytes(("\ufeff" + header).encode(encoding))
        assert "UTF-16" in refusal(path)


# Names of files


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ("UPPER.HEA", "UPPER.DAT"),
        ("Mixed.Hea", "mixed.dat"),
        ("with space.hea", "with space.dat"),
        ("two  16 blanks.hea", "two  16 blanks.dat"),
        ("7 1 250.hea", "7 1 250.dat"),
        ("a.b.c.hea", "a.b.c.dat"),
        ("ünäme+(1).hea", "ünäme+(1).dat"),
        ("rec.hea", "other name.bin"),
        ("rec.hea", "A0001.mat"),
    ],
)
def test_unusual_file_names(tmp_path: Path, header: str, data: str):
    record = Path(header).stem
    path = write(tmp_path, f"{record} 1 250 1000\n{data} 16 1000/mV 16 0 0 0 0 II\n", MILLIVOLT * 1000, data, header)
    for name in (path, path.with_name(record), path.with_name(header.lower())):
        recording = ectopy.read(name)
        np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=1e-3)
    if Path(data).stem.casefold() == record.casefold() and data.lower().endswith(".dat"):
        assert ectopy.read(path.with_name(data)).leads == ("II",)


def test_a_renamed_record_and_names_that_differ_in_case_only(tmp_path: Path):
    header = "another name 1 250 1000\nREC.DAT 16 1000/mV 16 0 0 0 0 II\n"
    path = write(tmp_path, header, MILLIVOLT * 1000)
    assert ectopy.read(path).leads == ("II",)
    (tmp_path / "Rec.Dat").write_bytes(b"")
    if len(list(tmp_path.iterdir())) == 3:  # where a folder tells them apart
        assert "names the data file REC.DAT" in refusal(path)


def test_annotations_beside_in_another_case(tmp_path: Path):
    path = write(tmp_path, "REC 1 250 1000\nREC.DAT 16 1000 16 0 0 0 0 II\n", MILLIVOLT * 1000, "REC.DAT", "REC.HEA")
    formats.write_annotations(tmp_path / "rec.atr", Annotations(np.array([5]), np.array(["V"])), 250)
    (tmp_path / "rec.atr").rename(tmp_path / "REC.ATR")
    assert ectopy.read(path).annotations.symbols.tolist() == ["V"]


# Names of leads


def test_leads_of_one_name_are_numbered_and_keep_their_samples(tmp_path: Path):
    counts = np.arange(400).reshape(100, 4)
    lines = "".join(f"rec.dat 16 1000 16 0 0 0 0 {name}\n" for name in ("ECG", "ECG", "V5", "ecg"))
    recording = ectopy.read(write(tmp_path, f"rec 4 250 100\n{lines}", counts))
    assert recording.leads == ("ECG", "ECG 2", "V5", "ecg 3")
    np.testing.assert_allclose(recording.signal, counts / 1000, rtol=1e-6)


def test_leads_of_one_name_in_segments(tmp_path: Path):
    counts = np.arange(400).reshape(100, 4)
    lines = "{0}.dat 16 1000 16 0 0 0 0 ECG\n" * 4
    for name in ("one", "two"):
        header = f"{name} 4 250 100\n" + lines.format(name)
        write(tmp_path, header, counts, f"{name}.dat", f"{name}.hea")
    layout = "layout 4 250 0\n" + "~ 0 1000 16 0 0 0 0 ECG\n" * 4
    (tmp_path / "layout.hea").write_text(layout)
    for first, segments in (("", 2), ("layout 0\n", 3)):
        (tmp_path / "rec.hea").write_text(f"rec/{segments} 4 250 200\n{first}one 100\ntwo 100\n")
        recording = ectopy.read(tmp_path / "rec")
        assert recording.leads == ("ECG", "ECG 2", "ECG 3", "ECG 4")
        np.testing.assert_allclose(recording.signal, np.concatenate([counts, counts]) / 1000, rtol=1e-6)


@given(st.lists(st.sampled_from(["ECG", "ecg", "ECG 2", "ECG 2 2", "V5", ""]), max_size=8))
def test_names_become_unique_and_then_stay(names: list[str]):
    unique = unique_names(names)
    assert len(unique) == len(names)
    assert unique_names(unique) == unique
    assert len({name.casefold() for name in unique}) == len(names)
    first = {name.casefold(): name for name in reversed(names)}
    assert set(first.values()) <= set(unique)
    assert all(new == name or new.startswith(f"{name} ") for name, new in zip(names, unique, strict=True))


def test_a_record_with_leads_of_one_name_can_be_watched(ectopy, tmp_path: Path):
    signal = np.rint(simulate_recording(30, sampling_rate_hz=250.0).signal * 1000)
    lines = "rec.dat 16 1000 16 0 0 0 0 ECG\n" * signal.shape[1]
    path = write(tmp_path, f"rec {signal.shape[1]} 250 {len(signal)}\n{lines}", signal)
    for command in (["inspect"], ["watch", "--fast"], ["detect", "ambulatory"]):
        assert_success(ectopy(*command, path))


# Checksums


def checksum(counts: np.ndarray) -> int:
    return (int(counts.sum()) + 2**15) % 2**16 - 2**15


def write_two(folder: Path, storage: str = "16") -> Path:
    """Two leads with their checksums, by the package wfdb."""
    counts = np.rint(np.outer(MILLIVOLT, [100, -100])).astype(np.int64)
    return write_counts(folder, counts, storage, gain=100.0)


@pytest.mark.parametrize("storage", ["16", "24", "32", "80", "212"])
def test_damage_to_a_lead_is_noted_with_its_name(tmp_path: Path, storage: str):
    path = write_two(tmp_path, storage)
    assert ectopy.read(path).notes == ()
    data = tmp_path / "rec.dat"
    content = bytearray(data.read_bytes())
    size = {"16": 2, "24": 3, "32": 4, "80": 1, "212": 2}[storage]
    content[size + 2 * size * 7 if storage != "212" else 23] ^= 1
    data.write_bytes(bytes(content))
    (note,) = ectopy.read(path).notes
    assert "'V5'" in note
    assert "checksum" in note


def test_a_note_of_every_damaged_lead_and_none_of_a_checksum_of_0(tmp_path: Path):
    path = write_two(tmp_path)
    data = tmp_path / "rec.dat"
    content = data.read_bytes()
    data.write_bytes(content[:400] + bytes(400) + content[800:])
    assert [note.split("'")[1] for note in ectopy.read(path).notes] == ["II", "V5"]
    lines = "".join(f"rec.dat 16 100/mV 16 0 0 0 0 {lead}\n" for lead in ("II", "V5"))
    path.write_text(f"rec 2 250 1000\n{lines}")
    assert ectopy.read(path).notes == ()


def test_damage_to_a_segment_is_noted_with_its_name(tmp_path: Path):
    counts = np.rint(MILLIVOLT * 1000)
    for name in ("one", "two", "three"):
        header = f"{name} 1 250 1000\n{name}.dat 16 1000 16 0 0 {checksum(counts) + (name != 'one')} 0 II\n"
        write(tmp_path, header, counts, f"{name}.dat", f"{name}.hea")
    (tmp_path / "rec.hea").write_text("rec/3 1 250 3000\none 1000\ntwo 1000\nthree 1000\n")
    (note,) = ectopy.read(tmp_path / "rec").notes
    assert "'II'" in note
    assert "two and 1 more" in note


@pytest.mark.parametrize(
    "command", [["inspect"], ["detect", "ambulatory"], ["watch", "--fast"], ["what-if", "--profile", "ambulatory"]]
)
def test_commands_tell_of_damage(ectopy, tmp_path: Path, command: list[str]):
    counts = np.rint(simulate_recording(30, sampling_rate_hz=250.0).signal[:, 0] * 1000)
    header = f"rec 1 250 {len(counts)}\nrec.dat 16 1000 16 0 0 {checksum(counts) + 1} 0 II\n"
    result = assert_success(ectopy(*command, write(tmp_path, header, counts)))
    assert "checksum" in " ".join((result.out + result.err).split())
    assert "'II'" in result.out + result.err


# Data files that are too short


def test_a_short_data_file_is_refused_with_the_cause_or_read_in_part(tmp_path: Path):
    header = "rec 1 250 2000\nrec.dat 16 1000 16 0 0 99 0 II\n"
    path = write(tmp_path, header, MILLIVOLT * 1000)
    message = refusal(path)
    assert "promises 2,000 samples, and rec.dat holds 1,000 of them" in message
    assert "--partial" in message
    recording = ectopy.read(path, partial=True)
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=1e-3)
    (note,) = recording.notes
    assert "holds 1,000 of them; the rest is missing" in note


def test_a_short_segment_keeps_its_place(tmp_path: Path):
    for name in ("one", "two"):
        header = f"{name} 1 250 1200\n{name}.dat 16 1000 16 0 0 0 0 II\n"
        write(tmp_path, header, MILLIVOLT * 1000, f"{name}.dat", f"{name}.hea")
    (tmp_path / "rec.hea").write_text("rec/2 1 250 2400\none 1200\ntwo 1200\n")
    with pytest.raises(DataError, match="promises 1,200 samples"):
        ectopy.read(tmp_path / "rec")
    recording = ectopy.read(tmp_path / "rec", partial=True)
    assert len(recording.signal) == 2400
    assert np.isnan(recording.signal[1000:1200]).all()
    np.testing.assert_allclose(recording.signal[1200:2200, 0], MILLIVOLT, atol=1e-3)
    assert len(recording.notes) == 2


@pytest.mark.parametrize(("storage", "samples"), [("212", 6), ("310", 7), ("311", 7), ("24", 5)])
def test_a_sample_that_is_cut_through_is_missing(tmp_path: Path, storage: str, samples: int):
    (tmp_path / "rec.hea").write_text(f"rec 1 250 100\nrec.dat {storage} 1 10 0 0 0 0 II\n")
    whole = {"212": 3 * 3 + 1, "310": 2 * 4 + 3, "311": 2 * 4 + 2, "24": 5 * 3 + 2}[storage]
    (tmp_path / "rec.dat").write_bytes(bytes(whole))
    assert len(ectopy.read(tmp_path / "rec", partial=True).signal) == samples


def test_a_compressed_file_that_is_something_else(tmp_path: Path):
    pytest.importorskip("soundfile", reason="the extra 'formats' is not installed")
    path = write(tmp_path, "rec 1 250 1000\nrec.dat 516 1000 16 0 0 0 0 II\n", MILLIVOLT * 1000)
    with pytest.raises(DataError, match="is not the compressed file of 1 signals"):
        ectopy.read(path)


# Sizes


def test_gaps_longer_than_all_the_rest_are_refused_before_memory_is_taken(tmp_path: Path):
    write(tmp_path, "one 1 250 1000\none.dat 16 1000 16 0 0 0 0 II\n", MILLIVOLT * 1000, "one.dat", "one.hea")
    path = tmp_path / "rec.hea"
    path.write_text("rec/2 1 250 800001000\none 1000\n~ 800000000\n")
    assert "too far apart" in refusal(path)
    path.write_text("rec/2 1 250 10001000\none 1000\n~ 10000000\n")
    assert len(ectopy.read(path).signal) == 10_001_000


def test_what_is_left_out_is_noted(tmp_path: Path):
    lines = "rec.dat 16 1000 16 0 0 0 0 II\nrec.dat 16 100/mmHg 16 0 0 0 0 CVP\n"
    recording = ectopy.read(write(tmp_path, f"rec 2 250 500\n{lines}", MILLIVOLT * 1000))
    assert recording.leads == ("II",)
    (note,) = recording.notes
    assert "'CVP' in mmHg" in note


def test_names_that_cannot_be_printed(tmp_path: Path):
    path = write(tmp_path, b"rec 1 250 1000\nrec.dat 16 1000 16 0 0 0 0 I\x1b[31mI\x07\n", MILLIVOLT * 1000)
    assert ectopy.read(path).leads == ("I?[31mI?",)
    for line in ("rec\x1b.dat 16 1000", "..\\rec.dat 16 1000", ".. 16 1000"):
        path.write_text(f"rec 1 250 1000\n{line}\n")
        message = refusal(path)
        assert "\x1b" not in message
        assert "beside it" in message
    path.write_text("rec/1 1 250 1000\n\x1b[31m 1000\n")
    assert "\x1b" not in refusal(path)


@pytest.mark.parametrize("lines", ["~ 0 1000 16 0 0 0 0 II\n", "rec.dat 0 1000 16 0 0 0 0 II\n"])
def test_a_long_record_without_samples_is_refused_before_memory_is_taken(tmp_path: Path, lines: str):
    path = write(tmp_path, f"rec 1 250 900000000\n{lines}", MILLIVOLT)
    assert "too far apart" in refusal(path)


def test_a_file_that_unfolds_to_far_more_than_it_holds_is_refused(tmp_path: Path):
    soundfile = pytest.importorskip("soundfile", reason="the extra 'formats' is not installed")
    soundfile.write(tmp_path / "rec.flac", np.zeros(2**24 + 1, np.int16), 96000, "PCM_16", format="FLAC")
    assert (tmp_path / "rec.flac").stat().st_size < 2**20
    path = tmp_path / "rec.hea"
    path.write_text(f"rec 1 250 {2**24 + 1}\nrec.flac 516 1000 16 0 0 0 0 II\n")
    with pytest.raises(DataError, match="compressed more than an ECG can be"):
        ectopy.read(path)


def test_every_record_of_a_database_whose_leads_share_a_name(ectopy, tmp_path: Path):
    headers = sorted(folder_of("vfdb", ["418"]).glob("*.hea"))
    for header in headers:
        recording = formats.read(header)
        assert recording.notes == ()
        assert len(set(recording.leads)) == 2
        assert recording.signal.shape == (525_000, 2)
    # As PhysioNet now distributes them.
    copy = tmp_path / headers[0].name
    text = re.sub(r"record \d+, signal \d", "ECG", headers[0].read_text())
    copy.write_text(text)
    (tmp_path / f"{copy.stem}.dat").write_bytes(headers[0].with_suffix(".dat").read_bytes())
    recording = formats.read(copy)
    assert recording.leads == ("ECG", "ECG 2")
    np.testing.assert_array_equal(recording.signal, formats.read(headers[0]).signal)
    for command in (["inspect", copy], ["watch", copy, "--fast", "--to", "30"]):
        assert ectopy(*command).status == 0


def test_a_segment_in_another_unit_than_voltage_is_named(tmp_path: Path):
    for name, unit in (("one", "mV"), ("two", "mmHg")):
        lines = f"{name}.dat 16 1000/{unit} 16 0 0 0 0 II\n{name}.dat 16 1000/mV 16 0 0 0 0 V5\n"
        write(tmp_path, f"{name} 2 250 500\n{lines}", MILLIVOLT * 1000, f"{name}.dat", f"{name}.hea")
    (tmp_path / "rec.hea").write_text("rec/2 2 250 1000\none 500\ntwo 500\n")
    with pytest.raises(DataError, match="states the unit 'mmHg' for the lead 'II'"):
        ectopy.read(tmp_path / "rec")


def test_a_record_that_was_renamed(tmp_path: Path):
    path = write(tmp_path, "old 1 250 1000\nold.dat 16 1000/mV 16 0 0 0 0 II\n", MILLIVOLT * 1000)
    recording = ectopy.read(path)
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=1e-3)
    assert recording.notes == ("The header names old.dat, which is not there; read is rec.dat.",)


@pytest.mark.parametrize(
    ("comments", "patient"),
    [
        ("# Age: 74\n# Sex: Male\n", Patient(sex="male", age_years=74)),
        ("#<age>: 51 <sex>: F\n#<diagnoses>: none\n", Patient(sex="female", age_years=51)),
        ("# 69 M 1085 1629 x1\n# Aldomet, Inderal\n", Patient(sex="male", age_years=69)),
        ("# averages of 7 stages\n", Patient()),
    ],
)
def test_comments_describe_the_patient(tmp_path: Path, comments: str, patient: Patient):
    path = write(tmp_path, f"rec 1 250 1000\nrec.dat 16 1000/mV 16 0 0 0 0 II\n{comments}", MILLIVOLT * 1000)
    assert ectopy.read(path).patient == patient
