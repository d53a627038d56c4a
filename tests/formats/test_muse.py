"""GE MUSE XML: documents of the elements that MUSE 7 to 9 write, and two real ones."""

from __future__ import annotations

import re
import zlib
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy.formats import xml_tree
from ectopy.recording import Patient
from support.data_sets import example_file
from support.muse_files import COUNTS, LEADS, lead, muse, waveform
from support.refusals import refusal


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "GB18030", "Shift_JIS"])
def test_a_document(tmp_path: Path, encoding: str):
    median = waveform(lead("I", COUNTS[:60, 0]), "Median")
    doctype = '<!DOCTYPE RestingECG SYSTEM "restecg.dtd">\n'
    recording = ectopy.read(muse(tmp_path / "ecg.txt", median + waveform(LEADS), doctype, encoding))
    first, second, chest = (COUNTS * 4.88e-3).T
    limbs = [second - first, -(first + second) / 2, first - second / 2, second - first / 2]
    assert recording.leads == ("I", "II", "III", "aVR", "aVL", "aVF", "V1")
    np.testing.assert_allclose(recording.signal.T, [first, second, *limbs, chest], atol=1e-6)
    assert recording.sampling_rate_hz == 500
    assert recording.start == datetime(2009, 11, 2, 7, 30, 15)
    assert recording.patient == Patient("Ada <b>=Byron", "P-17", "female", date(1953, 5, 8), 56)
    assert recording.device == "MAC55"
    assert ["median" in note for note in recording.notes] == [True, False]


def test_rates_units_and_baselines(tmp_path: Path):
    leads = lead("II", COUNTS[:, 0], LeadAmplitudeUnits="MILLIVOLTS", FirstSampleBaseline="100")
    recording = ectopy.read(muse(tmp_path / "ecg.xml", waveform(leads, base="25", exponent="1")))
    assert recording.sampling_rate_hz == 250
    np.testing.assert_allclose(recording.signal[:, 0], (COUNTS[:, 0] - 100.0) * 4.88, rtol=1e-6)
    assert recording.leads == ("II",)


def test_leads_that_begin_at_different_samples(tmp_path: Path):
    """As where columns of leads are recorded one after the other."""
    parts = [("I", 0), ("II", 0), ("V1", 100)]
    leads = "".join(lead(name, COUNTS[:100, 0], LeadOffsetFirstSample=str(first)) for name, first in parts)
    recording = ectopy.read(muse(tmp_path / "ecg.xml", waveform(leads)))
    expected = np.full((200, 2), np.nan)
    expected[:100, 0] = expected[100:, 1] = COUNTS[:100, 0] * 4.88e-3
    np.testing.assert_allclose(recording.signal[:, [0, -1]], expected, atol=1e-6)
    far = lead("I", COUNTS[:, 0]) + lead("II", COUNTS[:, 0], LeadOffsetFirstSample="999999999")
    assert "split it" in refusal(muse(tmp_path / "ecg.xml", waveform(far)))


def test_a_unit_that_is_not_stated_is_asked_for(tmp_path: Path):
    path = muse(tmp_path / "ecg.xml", waveform(lead("II", COUNTS[:, 0], LeadAmplitudeUnits="")))
    assert "states no unit for the lead 'II'" in refusal(path)
    np.testing.assert_allclose(ectopy.read(path, unit="uV").signal[:, 0], COUNTS[:, 0] * 4.88e-3, rtol=1e-6)


def test_checksums_that_are_signed_or_not_stated(tmp_path: Path):
    signed = zlib.crc32(COUNTS[:, 0].astype("<i2").tobytes()) - 2**32
    for checksum in (signed, signed + 2**32, 0, ""):
        path = muse(tmp_path / "ecg.xml", waveform(lead("II", COUNTS[:, 0], LeadDataCRC32=str(checksum))))
        np.testing.assert_allclose(ectopy.read(path).signal[:, 0], COUNTS[:, 0] * 4.88e-3, rtol=1e-6)


def test_dates_with_the_year_in_front(tmp_path: Path):
    path = muse(tmp_path / "ecg.xml")
    text = re.sub(r"(\d\d)-(\d\d)-(\d{4})<", r"\3-\1-\2<", path.read_text())
    path.write_text(text)
    assert "2009-11-02" in text
    assert ectopy.read(path).start == datetime(2009, 11, 2, 7, 30, 15)


@pytest.mark.parametrize(
    ("clock", "hour"), [("07:30:15 AM", 7), ("7:30:15PM", 19), ("12:30:15 AM", 0), ("12:30:15 PM", 12)]
)
def test_a_clock_of_twelve_hours(tmp_path: Path, clock: str, hour: int):
    path = muse(tmp_path / "ecg.xml")
    text = path.read_text()
    path.write_text(re.sub(r"(<AcquisitionTime>)[^<]*", rf"\g<1>{clock}", text))
    assert ectopy.read(path).start == datetime(2009, 11, 2, hour, 30, 15)


@pytest.mark.parametrize(
    ("waveforms", "expected"),
    [
        ("", "holds no rhythm; its waveforms are: none"),
        (waveform(LEADS, "Median"), "holds no rhythm; its waveforms are: 'median'"),
        (waveform(""), "holds no rhythm"),
        (waveform(LEADS, base="x"), "its sampling rate as 'x'"),
        (waveform(LEADS, exponent="99"), "ten to the 99"),
        (waveform(lead("I", COUNTS[:, 0], LeadSampleSize="4")), "of 4 bytes"),
        (waveform(lead("I", COUNTS[:, 0], LeadAmplitudeUnits="MMHG")), "the unit 'MMHG' of the lead 'I'"),
        (waveform(lead("I", COUNTS[:, 0], LeadAmplitudeUnitsPerBit="0")), "one step of the lead 'I' is 0 mV"),
        (waveform(lead("I", COUNTS[:, 0], WaveFormData="&lt;b&gt;")), "samples of the lead 'I' that are not base64"),
        (waveform(lead("I", COUNTS[:, 0], LeadSampleCountTotal="2000000000")), "states 2,000,000,000 samples"),
        (waveform(lead("I", COUNTS[:, 0], LeadDataCRC32="1")), "do not match their checksum"),
    ],
)
def test_documents_that_are_refused(tmp_path: Path, waveforms: str, expected: str):
    assert expected in refusal(muse(tmp_path / "ecg.xml", waveforms))


def test_what_is_intact_of_a_document_that_was_cut_short(tmp_path: Path):
    path = muse(tmp_path / "ecg.xml")
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"</WaveFormData>") - 300])
    assert "not whole, well-formed XML" in refusal(path)
    recording = ectopy.read(path, partial=True)
    np.testing.assert_allclose(recording.signal[:, 0], COUNTS[:, 0] * 4.88e-3, rtol=1e-6)
    chest = recording.signal[:, recording.leads.index("V1")]
    whole = ~np.isnan(chest)
    assert 200 < whole.sum() < 500
    np.testing.assert_allclose(chest[whole], COUNTS[whole, 2] * 4.88e-3, rtol=1e-6)


# XML of strangers


ENTITIES = '<!DOCTYPE RestingECG [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><RestingECG>&b;</RestingECG>'
OUTSIDE = '<!DOCTYPE RestingECG [<!ENTITY f SYSTEM "file:///etc/passwd">]><RestingECG>&f;</RestingECG>'


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ENTITIES, "declares entities"),
        (OUTSIDE, "declares entities"),
        ("<RestingECG>" + "<a>" * 200 + "</a>" * 200 + "</RestingECG>", "to a depth of 100"),
        ("<RestingECG>" + "<a/>" * 1001 + "</RestingECG>", "more than 1,000 elements"),
        ("<html><body>ECG</body></html>", "is a web page"),
        ("<?xml version='1.0'?><svg:svg xmlns:svg='s'/>", "is XML whose outermost element is 'svg'"),
        ("<?xml version='1.0' encoding='no-such'?><RestingECG/>", "is XML that cannot be read"),
    ],
)
def test_xml_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, expected: str):
    monkeypatch.setattr(xml_tree, "MAX_ELEMENTS", 1000)
    path = tmp_path / "ecg.xml"
    path.write_text(content)
    assert expected in refusal(path)
    assert expected in refusal(path, partial=True)


# Real documents


def test_the_same_ecg_in_five_formats():
    expected = ectopy.read(example_file("A0001.hea"))
    for name in ("A0001.xml", "A0001.edf", "A0001.csv", "A0001.mat"):
        recording = ectopy.read(example_file(name), unit="mV")
        assert recording.leads == expected.leads
        np.testing.assert_allclose(recording.signal, expected.signal, atol=1e-3)  # its step


def test_a_real_document_and_the_same_as_dicom():
    document, dicom = (ectopy.read(example_file(f"muse_sinus.{suffix}")) for suffix in ("xml", "dcm"))
    assert dicom.leads == document.leads
    np.testing.assert_allclose(dicom.signal, document.signal, atol=4.88e-3)
    assert document.start == datetime(2024, 1, 1, 10, 35, 17)
    assert (document.device, dicom.device) == ("MAC P 51", "GE Healthcare MAC P")
