"""DICOM waveforms: data sets with the attributes of PS3.3 C.10.9, written by pydicom."""

from __future__ import annotations

import zlib
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy.formats import dicom as reader
from ectopy.formats.annotation_codes import NOTE
from ectopy.formats.annotation_files import Mark, each_mark
from ectopy.recording import Patient
from support.refusals import refusal

pydicom = pytest.importorskip("pydicom", reason="the extra 'formats' is not installed")
from pydicom.uid import (  # noqa: E402
    BasicTextSRStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)

from support.dicom_files import COUNTS, LEADS, channel, dicom, group, item  # noqa: E402

EXPECTED = (COUNTS * 5.0 + 10) * 1e-3


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_a_data_set(tmp_path: Path, syntax: str):
    kind = ">i2" if syntax == ExplicitVRBigEndian else "<i2"
    recording = ectopy.read(dicom(tmp_path / "ecg", group(COUNTS, LEADS, kind=kind), syntax=syntax))
    np.testing.assert_allclose(recording.signal, EXPECTED, atol=1e-6)
    assert (recording.leads, recording.sampling_rate_hz) == (("II", "III"), 500)
    assert recording.start == datetime(2009, 11, 2, 7, 30, 15, 500000)
    assert recording.patient == Patient("Ada Byron", "P-17", "female", date(1953, 5, 8), 1.5)
    assert recording.device == "Maker Cart"


@pytest.mark.parametrize(("kind", "word", "bits"), [("<u2", "US", 16), ("<i4", "SL", 32), ("<i1", "SB", 8)])
def test_other_whole_numbers(tmp_path: Path, kind: str, word: str, bits: int):
    counts = np.abs(COUNTS) // 2
    part = group(counts, LEADS, kind=kind, WaveformSampleInterpretation=word, WaveformBitsAllocated=bits)
    recording = ectopy.read(dicom(tmp_path / "ecg", part))
    np.testing.assert_allclose(recording.signal, (counts * 5.0 + 10) * 1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("stated", "start"),
    [
        ({"AcquisitionDate": "20091102", "AcquisitionTime": "073015.5"}, datetime(2009, 11, 2, 7, 30, 15, 500000)),
        ({"ContentDate": "20091102", "StudyDate": "20091101", "StudyTime": "0730"}, datetime(2009, 11, 1, 7, 30)),
        ({"AcquisitionDateTime": "20091102", "ContentTime": None}, None),  # without a time of day
    ],
)
def test_starts(tmp_path: Path, stated: dict[str, str], start: datetime | None):
    path = dicom(tmp_path / "ecg", group(COUNTS, LEADS), **{"AcquisitionDateTime": "", **stated})
    assert ectopy.read(path).start == start


@pytest.mark.parametrize(
    ("meaning", "label"), [("Lead II (Einthoven)", ""), ("Lead II", "x"), ("", "Lead II"), ("II, bipolar", "")]
)
def test_leads_without_a_code_of_the_standard(tmp_path: Path, meaning: str, label: str):
    source = item(CodeValue="LOCAL2", CodingSchemeDesignator="99X", CodeMeaning=meaning)
    leads = [channel("", ChannelSourceSequence=[source], ChannelLabel=label), LEADS[1]]
    assert ectopy.read(dicom(tmp_path / "ecg", group(COUNTS, leads))).leads == ("II", "III")


def test_padding_is_missing_and_texts_are_comments(tmp_path: Path):
    counts = COUNTS.copy()
    counts[100:110, 0] = -32768
    comment = item(
        UnformattedTextValue="<b>dizzy</b>", ReferencedWaveformChannels=[1, 0], ReferencedSamplePositions=251
    )
    part = group(counts, LEADS, WaveformPaddingValue=b"\x00\x80")
    recording = ectopy.read(dicom(tmp_path / "ecg", part, WaveformAnnotationSequence=[comment]))
    assert np.flatnonzero(np.isnan(recording.signal[:, 0])).tolist() == list(range(100, 110))
    assert list(each_mark(recording.annotations)) == [Mark(250, NOTE, 0, "<b>dizzy</b>")]


def test_groups_one_after_the_other_and_median_beats(tmp_path: Path):
    first, second = (
        group(COUNTS, LEADS),
        group(COUNTS, [channel("2:2"), channel("2:3")], MultiplexGroupTimeOffset="1000"),
    )
    median = group(COUNTS[:100], LEADS, MultiplexGroupLabel="MEDIAN BEAT")
    recording = ectopy.read(dicom(tmp_path / "ecg", median, first, second))
    assert recording.leads == ("II", "III", "V1")
    np.testing.assert_allclose(recording.signal[:, 0], np.tile(EXPECTED[:, 0], 2), atol=1e-6)
    assert np.isnan(recording.signal[500:, 1]).all()
    np.testing.assert_allclose(recording.signal[500:, 2], EXPECTED[:, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"NumberOfWaveformSamples": 4_000_000_000}, "4,000,000,000 samples"),
        ({"NumberOfWaveformSamples": 600}, "states 600 samples of 2 channels and holds 500"),
        ({"NumberOfWaveformChannels": 3}, "states 3 channels and describes 2"),
        ({"WaveformSampleInterpretation": "MB"}, "'MB' of 16 bits"),
        ({"SamplingFrequency": "0"}, "a sampling rate of 0 Hz"),
        ({"ChannelDefinitionSequence": [channel("2:2", unit="mm[Hg]")] * 2}, "holds no lead"),
        ({"MultiplexGroupLabel": "Median"}, "median beats only"),
    ],
)
def test_waveforms_that_are_refused(tmp_path: Path, changes: dict[str, object], expected: str):
    assert expected in refusal(dicom(tmp_path / "ecg", group(COUNTS, LEADS, **changes)))


def test_images_and_damaged_files_are_refused(tmp_path: Path):
    image = dicom(tmp_path / "ct.dcm", SOPClassUID=CTImageStorage, Rows=2, Columns=2)
    assert "is DICOM with an image (CT Image Storage)" in refusal(image)
    path = dicom(tmp_path / "ecg", group(COUNTS, LEADS))
    content = path.read_bytes()
    for size in (140, 300, 400):
        path.write_bytes(content[:size])
        assert "is DICOM and ends before its waveform; it is cut short" in refusal(path)
    other = tmp_path / "other.dcm"
    other.write_bytes(b"hello world" * 100)
    assert "does not begin as a DICOM file does" in refusal(other)
    structured = dicom(tmp_path / "sr.dcm", SOPClassUID=BasicTextSRStorage)
    assert "is DICOM without a waveform (Basic Text SR Storage)" in refusal(structured)


@pytest.mark.parametrize("stated", [True, False], ids=["length stated", "length open"])
@pytest.mark.parametrize("missing", [17, 400, 900])
def test_a_file_that_was_cut_short_is_read_in_part_on_request(tmp_path: Path, stated: bool, missing: int):
    path = dicom(tmp_path / "ecg", group(COUNTS, LEADS))
    dataset = pydicom.dcmread(path)
    dataset["WaveformSequence"].is_undefined_length = not stated
    dataset.WaveformSequence[0].is_undefined_length_sequence_item = not stated
    dataset.save_as(path)
    content = path.read_bytes()
    end = content.index(COUNTS.astype("<i2").tobytes()) + 2 * COUNTS.size
    path.write_bytes(content[: end - missing])
    assert "read the intact part" in refusal(path)
    recording = ectopy.read(path, partial=True)
    np.testing.assert_allclose(recording.signal, EXPECTED[: (2 * COUNTS.size - missing) // 4], atol=1e-6)
    assert "the rest is missing" in recording.notes[0]


def test_a_data_set_that_unpacks_to_more_than_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader, "MAX_BYTES", 2**20)
    path = dicom(tmp_path / "ecg", group(COUNTS, LEADS), syntax=DeflatedExplicitVRLittleEndian)
    begin = 144 + pydicom.filereader.read_file_meta_info(path).FileMetaInformationGroupLength
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    path.write_bytes(path.read_bytes()[:begin] + packer.compress(bytes(2**22)) + packer.flush())
    assert path.stat().st_size < 10_000
    assert "more than 1 MiB of DICOM" in refusal(path)
