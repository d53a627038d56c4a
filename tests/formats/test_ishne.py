"""ISHNE 1.0: files built block by block as Badilini 1998 describes them, and a real one with its annotations."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ectopy
from ectopy import Annotations, formats
from ectopy.errors import DataError
from ectopy.formats.annotation_codes import NOTE
from ectopy.formats.annotation_files import Mark, collect, each_mark
from ectopy.formats.ishne import read_annotations
from ectopy.recording import Patient
from support.command_line import CommandResult, assert_success
from support.data_sets import example_file
from support.examples import examples
from support.ishne_files import COUNTS, ishne
from support.refusals import refusal

_MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(50))


def test_the_blocks_of_a_file(tmp_path: Path):
    recording = ectopy.read(ishne(tmp_path / "day.bin", variable=b"diary of the day"))
    np.testing.assert_allclose(recording.signal, COUNTS * [5e-3, 2.5e-3, 1e-3], rtol=1e-6)
    assert recording.leads == ("II", "aVR", "V1")
    assert recording.sampling_rate_hz == 250
    assert recording.start == datetime(2009, 11, 2, 7, 30, 15)
    assert recording.patient == Patient("Ada Byron", "P-17", "female", date(1953, 5, 8))
    assert recording.device == "digital Recorder X"
    assert recording.notes == ("The file remarks: diary of the day",)


@given(st.integers(1, 12), st.integers(1, 40), st.sampled_from([1, 128, 1000, 40000]), st.randoms())
@_MANY
def test_any_number_of_leads_and_any_rate(tmp_path: Path, leads: int, samples: int, rate: int, chance):
    counts = np.array([[chance.randint(-32767, 32767) for _ in range(leads)] for _ in range(samples)])
    names = tuple(chance.randint(0, 19) for _ in range(leads))
    path = ishne(tmp_path / "r.ecg", counts, leads=names, qualities=(1,) * leads, resolutions=(100,) * leads, rate=rate)
    recording = ectopy.read(path)
    np.testing.assert_allclose(recording.signal, counts * 1e-4, atol=1e-7)
    assert len(set(recording.leads)) == leads
    assert recording.sampling_rate_hz == rate


def test_what_a_header_leaves_open_or_says_wrongly_is_a_note(tmp_path: Path):
    path = ishne(
        tmp_path / "r.ecg", birth=(-9, -9, -9), day=(0, 0, 0), qualities=(1, 3, 5), pacemaker=3, checksum=1, sex=0
    )
    recording = ectopy.read(path)
    assert recording.start is None
    assert recording.patient == Patient("Ada Byron", "P-17")
    notes = " ".join(recording.notes)
    for words in ("checksum", "does not say when", "dual chamber", "'aVR' as of frequent noise", "frequent disconnect"):
        assert words in notes


def test_samples_of_a_faulty_lead_are_missing(tmp_path: Path):
    counts = COUNTS.copy()
    counts[100:110, 1] = -32768
    signal = ectopy.read(ishne(tmp_path / "r.ecg", counts)).signal
    assert np.flatnonzero(np.isnan(signal[:, 1])).tolist() == list(range(100, 110))
    np.testing.assert_allclose(signal[:, [0, 2]], counts[:, [0, 2]] * [5e-3, 1e-3], rtol=1e-6)


@pytest.mark.parametrize("unstated", [0, -9])
def test_blocks_whose_places_are_not_stated(tmp_path: Path, unstated: int):
    path = ishne(tmp_path / "r.ecg", variable=b"a remark\0", data_at=unstated)
    content = bytearray(path.read_bytes())
    content[18:22] = unstated.to_bytes(4, "little", signed=True)  # of the variable block
    content[8:10] = bytes(2)  # no checksum
    path.write_bytes(content)
    recording = ectopy.read(path)
    np.testing.assert_allclose(recording.signal, COUNTS * [5e-3, 2.5e-3, 1e-3], rtol=1e-6)
    assert recording.notes == ("The file remarks: a remark",)


def test_a_checksum_with_its_bytes_in_the_other_order(tmp_path: Path):
    path = ishne(tmp_path / "r.ecg")
    content = path.read_bytes()
    path.write_bytes(content[:8] + content[9:7:-1] + content[10:])
    assert ectopy.read(path).notes == ()


def test_samples_of_all_leads_together_and_unknown_length(tmp_path: Path):
    assert len(ectopy.read(ishne(tmp_path / "r.ecg", samples=COUNTS.size)).signal) == len(COUNTS)
    recording = ectopy.read(ishne(tmp_path / "r.ecg", samples=0))
    assert len(recording.signal) == len(COUNTS)
    assert "does not say how long" in recording.notes[0]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"count": 13}, "13 leads; expected 1 to 12"),
        ({"count": 0}, "0 leads; expected 1 to 12"),
        ({"resolutions": (0, 1, 1)}, "a resolution of 0 nV for the lead 'II'"),
        ({"resolutions": (-9, 1, 1)}, "a resolution of -9 nV"),
        ({"rate": 0}, "states no sampling rate"),
        ({"data_at": -5}, "states a header"),
        ({"data_at": 2**31 - 1}, "states a header"),
        ({"samples": 2**31 - 1}, "is cut short: it states 2,147,483,647 samples"),
        ({"samples": 100}, "is longer than it says"),
        ({"body": b""}, "is cut short"),
    ],
)
def test_headers_that_are_refused(tmp_path: Path, header: dict, expected: str):
    assert expected in refusal(ishne(tmp_path / "r.ecg", **header))


def test_a_file_that_was_cut_short_is_read_in_part_on_request(tmp_path: Path):
    path = ishne(tmp_path / "r.ecg")
    path.write_bytes(path.read_bytes()[:-100])
    assert "--partial" in refusal(path)
    recording = ectopy.read(path, partial=True)
    np.testing.assert_allclose(recording.signal, COUNTS[: len(recording.signal)] * [5e-3, 2.5e-3, 1e-3], rtol=1e-6)
    assert len(recording.signal) == len(COUNTS) - 17
    assert "cut short" in recording.notes[0]
    path.write_bytes(path.read_bytes()[:300])
    assert "within its header" in refusal(path, partial=True)


def test_names_are_text_on_one_line(tmp_path: Path):
    recording = ectopy.read(ishne(tmp_path / "r.ecg", first_name=b"<b>=1+1\n\x1b[2J"))
    assert recording.patient.name == "<b>=1+1 ?[2J Byron"


# Annotations


def test_annotations_step_by_step(tmp_path: Path):
    # Position of the first sample; then label, a letter for internal use, and samples since the one before.
    body = struct.pack("<i", 100)
    body += b"".join(
        label + b"#" + struct.pack("<H", step)
        for label, step in ((b"N", 10), (b"V", 20), (b"!", 0), (b"S", 5), (b"C", 5), (b"X", 0), (b"P", 1), (b"B", 1))
    )
    body = body.replace(b"!#\0\0", b"!#\xff\xff")
    path = ishne(tmp_path / "r.ann", magic=b"ANN  1.0", variable=b"abc", body=body)
    far = 130 + 65535
    expected = [Mark(110, "N"), Mark(130, "V"), Mark(far + 5, "S"), Mark(far + 10, NOTE, 0, "calibration pulse")]
    expected += [Mark(far + 10, "|"), Mark(far + 11, "/"), Mark(far + 12, "B")]
    assert read_annotations(path) == expected
    ishne(tmp_path / "r.ecg")
    recording = ectopy.read(tmp_path / "r.ecg")
    assert list(each_mark(recording.annotations)) == [Mark(110, "N"), Mark(130, "V")]
    assert "5 of the 7 annotations" in recording.notes[-1]
    assert "name the file of its samples" in refusal(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="cut short"):
        ectopy.read(tmp_path / "r.ecg")
    assert ectopy.read(tmp_path / "r.ecg", partial=True).annotations is None


@given(st.lists(st.tuples(st.integers(0, 400_000), st.sampled_from("NLRBAaJSejnVErF/fQ?|")), max_size=20))
@_MANY
def test_beats_are_read_as_they_are_written(tmp_path: Path, beats: list[tuple[int, str]]):
    marks = [Mark(*beat) for beat in sorted(beats)]
    formats.write_annotations(tmp_path / "r.ann", collect(marks), 500)
    assert read_annotations(tmp_path / "r.ann") == marks


def test_marks_that_are_not_beats_are_left_out_of_the_file(tmp_path: Path):
    annotations = Annotations(np.array([1, 2, 3]), np.array(["~", "V", "+"]), notes=("", "", "(VT"))
    start = datetime(2009, 11, 2, 7, 30, 15)
    formats.write_annotations(tmp_path / "r.ann", annotations, 500, start=start, source="day.ecg")
    assert read_annotations(tmp_path / "r.ann") == [Mark(2, "V")]
    content = (tmp_path / "r.ann").read_bytes()
    assert int.from_bytes(content[8:10], "little") == binascii.crc_hqx(content[10:522], 0xFFFF)
    assert struct.unpack_from("<3h", content, 138) == (2, 11, 2009)
    assert struct.unpack_from("<H", content, 272) == (500,)
    with pytest.raises(DataError, match="whole numbers"):
        formats.write_annotations(tmp_path / "r.ann", annotations, 512.5)


# A real recording


def test_twelve_leads_with_their_beats(ectopy: Callable[..., CommandResult]):
    path = example_file("ECG_P28.01.ecg")
    recording = formats.read(path)
    counts = np.fromfile(path, "<i2", offset=522).reshape(-1, 12)
    np.testing.assert_allclose(recording.signal, counts * 5e-3, atol=1e-5)
    assert recording.leads == ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    assert recording.start == datetime(2000, 1, 1, 7)
    assert len(recording.annotations) == 97
    shown = assert_success(ectopy("inspect", path)).out
    assert "│ patient       │ ECG_P28.01 " in shown


@pytest.mark.parametrize("content", [bytes(20_000), b"1 8 20 2 1010 1020 5003" * 50, b"\x12\x70" * 2000, b"ISHNE"])
def test_other_files_with_its_suffix(tmp_path: Path, content: bytes):
    """Annotations of PhysioNet's RR interval databases, other makers' recordings and logs of scanners."""
    path = tmp_path / "chf202.ecg"
    path.write_bytes(content)
    assert "does not begin as a Holter recording of ISHNE does (ISHNE1.0)" in refusal(path)
