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


@pytest.mark.parametrize("whole", [False, True])
def test_samples_that_are_not_compressed(tmp_path: Path, whole: bool):
    counts = COUNTS.T.astype("<i2").tobytes() if whole else stored(COUNTS)
    plain = "\n".join(map(str, np.frombuffer(counts, "<i2").tolist()))
    # The schema of version 1.03 has a method of compression, a flag that says whether it was used, and plain numbers.
    unpacked = 'compressflag="False" compressmethod="XLI"'
    traits = "<acquisitiontype>STD-12</acquisitiontype><numberchannelsallocated>12</numberchannelsallocated>"
    for number, document in enumerate(
        [
            sierra(tmp_path / "base64", counts),
            sierra(tmp_path / "plain", plain),
            sierra(tmp_path / "flag", plain, version="1.03", leads=unpacked, traits=traits),
        ]
    ):
        np.testing.assert_allclose(ectopy.read(document).signal, COUNTS * 5e-3, atol=1e-6, err_msg=str(number))


def test_plain_samples_that_are_damaged(tmp_path: Path):
    plain = " ".join(map(str, COUNTS.T.ravel().tolist()))
    assert "samples that are not whole numbers" in refusal(sierra(tmp_path / "text", plain.replace("7", "x")))
    cut = sierra(tmp_path / "cut", plain[:-2])
    cut.write_text(cut.read_text().replace(plain[:-2], plain[: len(plain) // 2]))
    assert "does not hold them" in refusal(cut)
    signal = ectopy.read(cut, partial=True).signal
    present = ~np.isnan(signal)
    np.testing.assert_allclose(signal[present], (COUNTS * 5e-3)[present], atol=1e-6)
    assert 0.4 < present.mean() < 0.6


@pytest.mark.parametrize("stored_leads", [12, 16])
def test_leads_that_are_reserved(tmp_path: Path, stored_leads: int):
    counts = np.hstack([COUNTS, np.zeros((500, 4), int)])[:, :stored_leads]
    traits = (
        "<acquisitiontype>STD-12</acquisitiontype><numberchannelsallocated>16</numberchannelsallocated>"
        "<numberchannelsvalid>12</numberchannelsvalid>"
    )
    path = sierra(tmp_path / "reserved", stored(counts), version="1.03", leads='compressflag="False"', traits=traits)
    recording = ectopy.read(path)
    assert recording.leads[-1] == "V6"
    np.testing.assert_allclose(recording.signal, COUNTS * 5e-3, atol=1e-6)


def test_a_calibration_pulse_is_noted(tmp_path: Path):
    pulse = np.zeros((300, 12), int)
    pulse[50:150] = 200  # steps of 5 uV
    counts = np.vstack([COUNTS, pulse])
    recording = ectopy.read(sierra(tmp_path / "pulse", stored(counts), duration="1600"))
    np.testing.assert_allclose(recording.signal, counts * 5e-3, atol=1e-6)
    assert recording.notes == ("The last 0.6 s are a calibration pulse, not ECG.",)
    one_lead = np.vstack([COUNTS, pulse * (np.arange(12) == 7)])
    assert ectopy.read(sierra(tmp_path / "beat", stored(one_lead), duration="1600")).notes == ()


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
    assert recording.notes[0] == "The last 0.47 s are a calibration pulse, not ECG."


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
