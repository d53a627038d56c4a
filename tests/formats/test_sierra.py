"""Philips Sierra XML: plain documents built here, and real ones with compressed samples."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy.recording import Patient
from support.data_sets import example_file
from support.refusals import refusal
from support.sierra_files import COUNTS, sierra, stored

sierraecg = pytest.importorskip("sierraecg", reason="the extra 'formats' is not installed")


def test_a_document(tmp_path: Path):
    recording = ectopy.read(sierra(tmp_path / "ecg", stored(COUNTS)))
    np.testing.assert_allclose(recording.signal, COUNTS * 5e-3, atol=1e-6)
    assert recording.leads == ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    assert recording.start == datetime(2009, 11, 2, 7, 30, 15)
    assert recording.patient == Patient("Ada Byron", "P-17", "female", date(1953, 5, 8))
    assert recording.device == "PageWriter 7"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": "2.0"}, "version '2.0'"),
        ({"duration": "-5"}, "holds no samples"),
        ({"duration": "99999999999"}, "expected up to 2,097,152"),
        ({"duration": "2000"}, "states 1,000 samples of 12 leads and does not hold them"),
        ({"compression": "ZIP"}, "compressed by 'ZIP'"),
        ({"compression": "XLI"}, "sierra"),
        ({"resolution": "0"}, "one step of the lead 'I' is 0 mV"),
        ({"labels": " ".join(map(str, range(70)))}, "70 leads; expected 1 to 64"),
    ],
)
def test_documents_that_are_refused(tmp_path: Path, changes: dict[str, str], expected: str):
    message = refusal(sierra(tmp_path / "sierra", stored(COUNTS), **changes))
    assert expected in message


def test_codes_that_unpack_to_more_than_is_stated(tmp_path: Path):
    # Codes of ten bits: a zero, then each time the string that is just being made, longer by one than the one before.
    codes = [0, *range(256, 1000)]
    bits = "".join(f"{code:010b}" for code in codes)
    packed = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    lead = len(packed).to_bytes(4, "little") + bytes(4) + packed
    path = sierra(tmp_path / "bomb.xml", lead * 12, compression="XLI")
    assert len(lead) < 1000
    assert "unpacks to more samples than the 500" in refusal(path)
    assert "unpacks to more" in refusal(path, partial=True)


def test_a_real_document_is_what_the_package_reads():
    path = example_file("sierra_1_03.xml")
    recording = ectopy.read(path)
    expected = sierraecg.read_file(str(path))
    assert recording.leads == tuple(lead.label for lead in expected.leads)
    np.testing.assert_allclose(recording.signal.T, [lead.samples * 5e-3 for lead in expected.leads], atol=1e-6)


def test_a_real_document_and_the_same_after_a_filter():
    """The maker's own conversion has an adaptive filter of 60 Hz: single samples differ by a few steps of 5 uV."""
    packed, plain = (ectopy.read(example_file(f"sierra_1_04{suffix}.xml")) for suffix in ("", "_converted"))
    assert packed.leads == plain.leads
    assert packed.start == plain.start
    difference = np.abs(packed.signal - plain.signal)
    assert difference.max() < 4.1 * 5e-3
    assert np.median(difference) < 5e-3
    spectrum = np.abs(np.fft.rfft(packed.signal[:5000] - plain.signal[:5000], axis=0)).mean(axis=1)
    frequencies = np.fft.rfftfreq(5000, 1 / 500)
    assert 58 < frequencies[spectrum.argmax()] < 62
    assert "not Ectopy's: SINUS BRADYCARDIA; " in packed.notes[-1]
    assert (packed.patient.sex, packed.patient.birth_date) == ("female", date(1976, 1, 1))


def test_a_real_document_of_another_version_and_one_that_was_cut_short(tmp_path: Path):
    assert "version '1.05'" in refusal(example_file("sierra_invalid_version.xml"))
    text = example_file("sierra_1_03.xml").read_text()
    end = re.search("</parsedwaveforms>", text).start()
    path = tmp_path / "ecg.xml"
    path.write_text(text[: end - 2000])
    assert refusal(path)
    recording = ectopy.read(path, partial=True)
    assert not np.isnan(recording.signal[:, 0]).any()
    assert np.isnan(recording.signal[:, -1]).all()
