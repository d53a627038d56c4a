"""HL7 annotated ECG: documents of the elements of the implementation guide, and the examples of the standard."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy.analysis.inspection import inspect
from ectopy.formats.annotation_codes import NOTE
from ectopy.formats.annotation_files import Mark, each_mark
from ectopy.recording import Patient
from support.aecg_files import COUNTS, LEADS, aecg, annotation, boundary, lead, series, times
from support.data_sets import example_file
from support.refusals import refusal


def test_a_document(tmp_path: Path):
    recording = ectopy.read(aecg(tmp_path / "ecg", series(times(), *LEADS)))
    np.testing.assert_allclose(recording.signal, (COUNTS * 2.5 + 10) * 1e-3, atol=1e-6)
    assert (recording.leads, recording.sampling_rate_hz) == (("II", "aVR"), 500)
    assert recording.start == datetime(2002, 11, 22, 9, 10, 0, 250000)
    assert recording.patient == Patient("Ada Byron", "P-17", "female", date(1953, 5, 8))
    assert recording.device == "Maker ELI"


@pytest.mark.parametrize(("increment", "rate"), [('"4" unit="ms"', 250), ('"1000" unit="us"', 1000), ('"0.01"', 100)])
def test_periods_and_units(tmp_path: Path, increment: str, rate: float):
    leads = lead("MDC_ECG_LEAD_V1", COUNTS[:, 0], origin="0", scale="0.001", unit="mV")
    head = times('"0" unit="s"', increment, "TIME_RELATIVE")
    recording = ectopy.read(aecg(tmp_path / "ecg", series(head, leads)))
    assert recording.sampling_rate_hz == pytest.approx(rate)
    np.testing.assert_allclose(recording.signal[:, 0], COUNTS[:, 0] * 1e-3, rtol=1e-6)


def test_series_that_continue_each_other_and_others(tmp_path: Path):
    first = series(times('"20021122091000"'), *LEADS)
    second = series(times('"20021122091002"'), *LEADS)
    other = series(times('"20021122091009"'), LEADS[0])
    recording = ectopy.read(aecg(tmp_path / "ecg", second, other, first))
    assert len(recording.signal) == 1400
    expected = (COUNTS * 2.5 + 10) * 1e-3
    np.testing.assert_allclose(recording.signal[:400], expected, atol=1e-6)
    np.testing.assert_allclose(recording.signal[1000:], expected, atol=1e-6)
    assert np.isnan(recording.signal[400:1000]).all()
    assert recording.start == datetime(2002, 11, 22, 9, 10)
    assert "1 further sets of leads" in recording.notes[0]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), "holds no series"),
        ((series(times()),), "holds no series"),
        ((series(*LEADS),), "states no sampling rate"),
        ((series(times(increment='"0"'), *LEADS),), "between samples"),
        ((series(times(increment='"1" unit="parsec"'), *LEADS),), "'parsec' between samples"),
        ((series(times(), lead("MDC_ECG_LEAD_II", COUNTS[:, 0], unit="mmHg")),), "holds no lead"),
        ((series(times(), lead("MDC_ECG_LEAD_II", COUNTS[:, 0], scale="0")),), "one step of the lead 'II' is 0 mV"),
        ((series(times(), LEADS[0].replace("<digits>", "<digits>x")),), "digits of the lead 'II' that are not numbers"),
        ((series(times('"19000101000000"'), *LEADS), series(times('"20020101000000"'), *LEADS)), "split it"),
    ],
)
def test_documents_that_are_refused(tmp_path: Path, parts: tuple[str, ...], expected: str):
    assert expected in refusal(aecg(tmp_path / "ecg", *parts))


def test_beats_rhythms_and_statements(tmp_path: Path):
    def absolute(low: str, high: str) -> str:
        return boundary("TIME_ABSOLUTE", f'<value><low value="{low}"/><high value="{high}"/></value>')

    complex_at = absolute("20021122091000.350", "20021122091000.450")
    wave = annotation("MDC_ECG_WAVC", '<value code="MDC_ECG_WAVC_QRSWAVE"/>', complex_at)
    parts = (
        annotation("MDC_ECG_BEAT", '<value code="MDC_ECG_BEAT_NORMAL"/>', "", wave),
        annotation(
            "MDC_ECG_BEAT",
            '<value code="MDC_ECG_BEAT_V_P_C"/>',
            boundary("TIME_RELATIVE", '<value value="500" unit="ms"/>'),
        ),
        annotation("MDC_ECG_BEAT", '<value code="MDC_ECG_BEAT_OF_ITS_OWN"/>', absolute("20021122091000.850", "")),
        annotation("MDC_ECG_BEAT", '<value code="MDC_ECG_BEAT_NORMAL"/>', absolute("20021122081000", "")),
        annotation("MDC_ECG_BEAT", '<value code="MDC_ECG_BEAT_NORMAL"/>'),
        annotation(
            "MDC_ECG_RHY",
            '<value code="MDC_ECG_RHY_SINUS_RHY" displayName="Sinus"/>',
            absolute("20021122091000.250", ""),
        ),
        annotation("MDC_ECG_INTERPRETATION_STATEMENT", "<value>=Normal ECG, </value>"),
    )
    further = "<derivation><derivedSeries/></derivation>"
    recording = ectopy.read(aecg(tmp_path / "ecg", series(times(), *LEADS, annotations=parts, further=further)))
    assert list(each_mark(recording.annotations)) == [
        Mark(0, NOTE, 0, "Sinus"),
        Mark(75, "N"),
        Mark(250, "V"),
        Mark(300, "Q"),
    ]
    assert recording.notes == (
        "Left out: derived series, as of representative beats.",
        "The file's own reading, not Ectopy's: =Normal ECG.",
    )


def test_the_examples_of_the_standard():
    recording = ectopy.read(example_file("aecg_example.xml"))
    assert recording.signal.shape == (5000, 12)
    assert recording.start == datetime(2002, 11, 22, 9, 10)
    assert recording.patient == Patient("Clark", "SBJ-123", "male", date(1953, 5, 8))
    # Einthoven's law holds within the rounding of each lead.
    first, second, third = (recording.signal[:, recording.leads.index(name)] for name in ("I", "II", "III"))
    np.testing.assert_allclose(third, second - first, atol=2 * 2.5e-3)
    # The device that made the example finds the beats where Ectopy does.
    marks = recording.annotations
    assert (marks.notes[0], set(marks.symbols[1:].tolist())) == ("Sinus Rhythm", {"N"})
    np.testing.assert_allclose(marks.positions[1:] / 500, inspect(recording).heartbeats_s, atol=0.01)
    smallest = ectopy.read(example_file("aecg_minimum.xml"))
    np.testing.assert_allclose(smallest.signal[:5, 0], np.array([-2, -2, -2, -2, -3]) * 2.5e-3, rtol=1e-5)
    assert "holds no series" in refusal(example_file("aecg_empty.xml"))
