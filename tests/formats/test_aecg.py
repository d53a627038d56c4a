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


def of_several_sets(*sets: tuple[str, ...]) -> str:
    further = "".join(f"<component><sequenceSet>{''.join(parts)}</sequenceSet></component>" for parts in sets[1:])
    return series(*sets[0], further=further)


def test_sets_of_other_leads_that_begin_together_are_one(tmp_path: Path):
    others = (lead("MDC_ECG_LEAD_V1", COUNTS[:300, 0]), lead("MDC_ECG_LEAD_V2", COUNTS[:300, 1]))
    later = times('"20021122091002.250"')
    path = aecg(
        tmp_path / "ecg", of_several_sets((times(), *LEADS), (times(), *others), (later, *LEADS), (later, *others))
    )
    recording = ectopy.read(path)
    assert recording.leads == ("II", "aVR", "V1", "V2")
    expected = np.full((400, 4), np.nan)
    expected[:, :2] = expected[:, 2:] = (COUNTS * 2.5 + 10) * 1e-3
    expected[300:, 2:] = np.nan
    np.testing.assert_allclose(recording.signal, np.vstack([expected, np.full((600, 4), np.nan), expected]), atol=1e-6)
    assert recording.notes == ()


@pytest.mark.parametrize("strip", [True, False])
def test_columns_of_leads_and_a_strip(tmp_path: Path, strip: bool):
    columns = [("I", "II"), ("AVR", "AVL"), ("V1", "V2"), ("V4", "V5")]
    sets = [
        (
            times(f'"2002112209100{place}.250"', '"0.01" unit="s"'),
            *(lead(f"MDC_ECG_LEAD_{name}", COUNTS[100 * place : 100 * place + 100, 0]) for name in names),
        )
        for place, names in enumerate(columns)
    ]
    if strip:
        sets.append((times(increment='"0.01" unit="s"'), lead("MDC_ECG_LEAD_II", COUNTS[:, 0])))
    recording = ectopy.read(aecg(tmp_path / "ecg", of_several_sets(*sets)))
    assert recording.leads == ("I", "II", "aVR", "aVL", "V1", "V2", "V4", "V5")
    assert (recording.sampling_rate_hz, recording.start) == (100, datetime(2002, 11, 22, 9, 10, 0, 250000))
    expected = np.full((400, 8), np.nan)
    for column in range(8):
        rows = slice(None) if strip and column == 1 else slice(100 * (column // 2), 100 * (column // 2) + 100)
        expected[rows, column] = (COUNTS[rows, 0] * 2.5 + 10) * 1e-3
    np.testing.assert_allclose(recording.signal, expected, atol=1e-6)
    assert recording.notes == ()


@pytest.mark.parametrize(
    ("origin", "shift_mv"), [('"0.01" unit="mV"', 0.01), ('"0" unit="1"', 0), ('"0"', 0), ('"10" unit="uV"', 0.01)]
)
def test_an_origin_in_another_unit_than_the_scale(tmp_path: Path, origin: str, shift_mv: float):
    path = aecg(tmp_path / "ecg", series(times(), LEADS[0].replace('"10" unit="uV"', origin)))
    np.testing.assert_allclose(ectopy.read(path).signal[:, 0], COUNTS[:, 0] * 2.5e-3 + shift_mv, atol=1e-6)


def test_the_reported_age(tmp_path: Path):
    variable = (
        '<controlVariable><relatedObservation><code code="21612-7"/><value value="54" unit="a"/></relatedObservation>'
        "</controlVariable>"
    )
    assert ectopy.read(aecg(tmp_path / "ecg", variable, series(times(), *LEADS))).patient.age_years == 54
    unstated = variable.replace('value="54" ', "")
    assert ectopy.read(aecg(tmp_path / "ecg", unstated, series(times(), *LEADS))).patient.age_years is None


@pytest.mark.parametrize(
    ("effective", "start"),
    [
        ('<low value="20021122091000"/>', datetime(2002, 11, 22, 9, 10)),
        ('<center value="200211220910"/>', datetime(2002, 11, 22, 9, 10)),
        ('<low value="20021122"/>', None),  # without a time of day
    ],
)
def test_a_start_that_the_samples_do_not_state(tmp_path: Path, effective: str, start: datetime | None):
    head = times('"0" unit="s"', kind="TIME_RELATIVE")
    document = aecg(tmp_path / "ecg", series(head, *LEADS))
    text = document.read_text()
    document.write_text(text.replace("<series>", f"<series><effectiveTime>{effective}</effectiveTime>"))
    assert ectopy.read(document).start == start
    value = effective.partition('"')[2].partition('"')[0]
    document.write_text(text.replace("<series>", f'<series><effectiveTime value="{value}"/>'))
    assert ectopy.read(document).start == start


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
        (
            (series(times(), LEADS[0].replace('"10" unit="uV"', '"10" unit="mmHg"')),),
            "states the scale of 'II' in uV and its origin in mmHg",
        ),
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
    assert recording.patient == Patient("Clark", "SBJ-123", "male", date(1953, 5, 8), 46)
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
