"""EDF and BDF files as recorders write them: gaps, files cut short, units and numbers in other spellings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ectopy
from ectopy import Annotations, Recording, formats
from ectopy.datasets import simulate_recording
from ectopy.errors import DataError
from ectopy.formats.annotation_codes import NOTE
from ectopy.formats.annotation_files import Mark, Span, each_mark
from ectopy.recording import Patient
from support.command_line import assert_refused, assert_success
from support.edf_files import MILLIVOLT, RATE, edf
from support.examples import examples
from support.refusals import refusal

edfio = pytest.importorskip("edfio", reason="the extra 'formats' is not installed")

_MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))


def test_the_files_of_these_tests_are_those_of_a_package(tmp_path: Path):
    (signal,) = edfio.read_edf(edf(tmp_path / "rec.edf")).signals
    np.testing.assert_allclose(signal.data, MILLIVOLT, atol=2e-4)
    limits = {"limits": (b"-262144", b"262143"), "digital": (-(2**23), 2**23 - 1)}
    (signal,) = edfio.read_bdf(edf(tmp_path / "rec.bdf", [MILLIVOLT * 1000], bdf=True, **limits)).signals
    np.testing.assert_allclose(signal.data, MILLIVOLT * 1000, atol=0.02)


def edf_signal(values: np.ndarray, rate: float = RATE, label: str = "ECG II", unit: str = "mV") -> edfio.EdfSignal:
    return edfio.EdfSignal(values, rate, label=label, physical_dimension=unit, physical_range=(-10, 10))


def test_a_file_of_a_package_with_its_start_and_annotations(tmp_path: Path):
    edfio.Edf(
        [edf_signal(MILLIVOLT), edf_signal(-MILLIVOLT, label="ECG V1", unit="uV")],
        recording=edfio.Recording(startdate=date(2004, 3, 2)),
        starttime=time(11, 5, 7, 500_000),
        annotations=[
            edfio.EdfAnnotation(1.0, None, "V"),
            edfio.EdfAnnotation(2.0, 3.0, "A patient moved"),
            edfio.EdfAnnotation(99.0, None, "N"),
        ],
    ).write(tmp_path / "rec.edf")
    recording = ectopy.read(tmp_path / "rec.edf")
    assert recording.leads == ("ECG II", "ECG V1")
    assert recording.sampling_rate_hz == RATE
    assert recording.start == datetime(2004, 3, 2, 11, 5, 7, 500_000)
    np.testing.assert_allclose(recording.signal, np.outer(MILLIVOLT, [1, -1e-3]), atol=4e-4)
    assert list(each_mark(recording.annotations)) == [Mark(250, "V"), Mark(500, NOTE, 0, "A patient moved")]


def test_of_a_sleep_study_only_the_ecg_is_read_and_no_slower_lead(tmp_path: Path):
    edfio.Edf(
        [
            edf_signal(MILLIVOLT[:2500], 250, "ECG II"),
            edf_signal(MILLIVOLT, 500, "EEG C3-A2", "uV"),
            edf_signal(MILLIVOLT[:1000], 100, "ECG slow"),
            edf_signal(MILLIVOLT[:100], 10, "SaO2", "%"),
            edf_signal(MILLIVOLT[:100], 10, "Position", ""),
        ]
    ).write(tmp_path / "rec.edf")
    recording = ectopy.read(tmp_path / "rec.edf")
    assert recording.leads == ("ECG II",)
    assert recording.sampling_rate_hz == 250
    assert "states a sampling rate of 250 Hz" in refusal(tmp_path / "rec.edf", sampling_rate_hz=500)


def test_annotations_of_digits_only_are_none(tmp_path: Path):
    path = tmp_path / "rec.edf"
    mark = edfio.EdfAnnotation(0.5, None, "1" * 100_000)
    edfio.Edf([edf_signal(MILLIVOLT)], annotations=[mark]).write(path)
    path.write_bytes(path.read_bytes().replace(b"+0.5\x14", b"+0.51"))
    assert ectopy.read(path).annotations is None


# Gaps


def seconds(*onsets: float) -> list[bytes]:
    return [f"+{onset:g}".encode() for onset in onsets]


@pytest.mark.parametrize("kind", [b"EDF+C", b"EDF+D"])
@pytest.mark.parametrize("gap_s", [30, 3600, 0.5])
@pytest.mark.parametrize("block_s", [0.3, 3, 3600])
def test_gaps_are_kept_whatever_the_file_says_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes, gap_s: float, block_s: float
):
    monkeypatch.setattr("ectopy.formats.edf.BLOCK_S", block_s)
    onsets = seconds(*range(8), *(gap_s + np.arange(8, 20)))
    recording = ectopy.read(edf(tmp_path / "rec.edf", reserved=kind, onsets=onsets))
    gap = round(gap_s * RATE)
    assert len(recording.signal) == len(MILLIVOLT) + gap
    np.testing.assert_allclose(recording.signal[: 8 * RATE, 0], MILLIVOLT[: 8 * RATE], atol=4e-4)
    assert np.isnan(recording.signal[8 * RATE : 8 * RATE + gap]).all()
    np.testing.assert_allclose(recording.signal[8 * RATE + gap :, 0], MILLIVOLT[8 * RATE :], atol=4e-4)
    assert [f"{gap_s:g} s apart" in note for note in recording.notes] == [True] * (kind == b"EDF+C")


def test_several_gaps_and_a_start_that_is_not_0_move_samples_and_annotations(tmp_path: Path):
    onsets = seconds(*(5.5 + np.arange(5)), *(9.5 + np.arange(5, 10)), *(15.5 + np.arange(10, 20)))
    onsets[-1] += b"\x14\x14\0+35\x14V"
    recording = ectopy.read(edf(tmp_path / "rec.edf", reserved=b"EDF+C", onsets=onsets))
    assert recording.start == datetime(2024, 2, 1, 10, 20, 35, 500_000)
    valid = np.isfinite(recording.signal[:, 0])
    assert np.flatnonzero(np.diff(valid.astype(int))).tolist() == [1249, 2249, 3499, 4999]
    assert list(each_mark(recording.annotations)) == [Mark(round(29.5 * RATE), "V")]
    np.testing.assert_allclose(recording.signal[valid, 0], MILLIVOLT, atol=4e-4)


def test_onsets_that_are_rounded_or_late_by_a_little_are_no_gaps(tmp_path: Path):
    rng = np.random.default_rng(0)
    onsets = [f"+{onset:.2f}".encode() for onset in np.arange(20) + rng.uniform(0, 0.05, 20)]
    recording = ectopy.read(edf(tmp_path / "rec.edf", reserved=b"EDF+C", onsets=onsets))
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=4e-4)
    assert recording.notes == ()


def test_a_clock_that_drifts_stays_within_a_tenth_of_a_second(tmp_path: Path):
    onsets = [f"+{onset:.4f}".encode() for onset in np.arange(20) * 1.02]
    recording = ectopy.read(edf(tmp_path / "rec.edf", reserved=b"EDF+C", onsets=onsets))
    assert len(recording.signal) / RATE == pytest.approx(19 * 1.02 + 1, abs=0.1)


@pytest.mark.parametrize(
    ("onsets", "expected"),
    [
        (["+0"] * 20, "data records that overlap"),
        (["+0", *[""] * 19], "does not say when its data record 2 begins"),
        (["+0", *["x"] * 19], "does not say when its data record 2 begins"),
    ],
)
def test_onsets_that_say_nothing_are_noted_or_refused_where_the_file_has_gaps(
    tmp_path: Path, onsets: list[str], expected: str
):
    path = edf(tmp_path / "rec.edf", reserved=b"EDF+C", onsets=[onset.encode() for onset in onsets])
    recording = ectopy.read(path)
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=4e-4)
    (note,) = recording.notes
    assert "19 of its data records" in note
    path.write_bytes(path.read_bytes().replace(b"EDF+C", b"EDF+D"))
    assert expected in refusal(path)


def test_gaps_longer_than_all_the_rest_or_than_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = edf(tmp_path / "rec.edf", reserved=b"EDF+C", onsets=seconds(*range(19), 1_000_000))
    assert "too far apart" in refusal(path)
    edf(path, reserved=b"EDF+D", onsets=seconds(*range(19), 27))
    assert len(ectopy.read(path).signal) == 28 * RATE
    monkeypatch.setattr("ectopy.formats.edf.MAX_VALUES", 20 * RATE)
    assert "too far apart" in refusal(path)


@_MANY
@given(st.lists(st.floats(0, 20).map(lambda gap: round(gap, 2)), min_size=19, max_size=19))
def test_any_gaps_leave_every_sample_in_its_place(tmp_path: Path, gaps: list[float]):
    starts = np.concatenate([[0], np.cumsum(1 + np.array(gaps))])
    onsets = [f"+{start:.2f}".encode() for start in starts]
    recording = ectopy.read(edf(tmp_path / "rec.edf", reserved=b"EDF+D", onsets=onsets))
    valid = np.isfinite(recording.signal[:, 0])
    np.testing.assert_allclose(recording.signal[valid, 0], MILLIVOLT, atol=4e-4)
    times = np.flatnonzero(valid)[::RATE] / RATE
    np.testing.assert_allclose(times, starts, atol=1.01 / RATE)


# Files that are not whole


@pytest.mark.parametrize(("cut", "whole"), [(1, 19), (500, 19), (501, 18), (10 * 500 - 1, 10)])
def test_a_file_cut_short_is_read_in_part(tmp_path: Path, cut: int, whole: int):
    path = edf(tmp_path / "rec.edf")
    path.write_bytes(path.read_bytes()[:-cut])
    message = refusal(path)
    assert f"is cut short: it announces 20 data records and holds {whole} whole ones" in message
    assert "--partial" in message
    recording = ectopy.read(path, partial=True)
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT[: whole * RATE], atol=4e-4)
    assert recording.start == datetime(2024, 2, 1, 10, 20, 30)
    (note,) = recording.notes
    assert f"{20 - whole} s at the end are missing" in note


def test_a_file_longer_than_announced(tmp_path: Path):
    path = edf(tmp_path / "rec.edf", records=b"15")
    assert "is longer than its header says: it announces 15 data records and holds 20" in refusal(path)
    recording = ectopy.read(path, partial=True)
    assert len(recording.signal) == 15 * RATE
    assert "left out" in recording.notes[0]


@pytest.mark.parametrize("records", [b"-1", b"0"])
@pytest.mark.parametrize("rest", [0, 77])
def test_a_file_that_was_not_closed(tmp_path: Path, records: bytes, rest: int):
    path = edf(tmp_path / "rec.edf", records=records)
    path.write_bytes(path.read_bytes() + bytes(rest))
    recording = ectopy.read(path)
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=4e-4)
    assert "was not closed by its recorder" in recording.notes[0]
    assert ["ends within a data record" in note for note in recording.notes] == [False, True][: 1 + (rest > 0)]


def test_commands_read_the_intact_part(ectopy, tmp_path: Path):
    signal = simulate_recording(90, sampling_rate_hz=RATE, random_state=2).signal[:, 0].astype(float)
    path = edf(tmp_path / "rec.edf", [signal])
    path.write_bytes(path.read_bytes()[: -30 * 500 - 20])
    other = ["what-if", "--profile", "ambulatory"]
    for command in (["inspect"], ["detect", "ambulatory"], ["watch", "--fast"], other):
        assert_refused(ectopy(*command, path), "--partial")
        result = assert_success(ectopy(*command, path, "--partial"))
        assert "31 s at the end are missing" in re.sub(r"[│\s]+", " ", result.out + result.err)
    assert ectopy("inspect", path, "--partial", "--json", tmp_path / "figures.json").status == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["duration_s"] == 59
    assert "cut short" in figures["notes"][0]
    assert ectopy("detect", "ambulatory", path, "--partial", "--json", tmp_path / "figures.json").status == 0
    assert "cut short" in json.loads((tmp_path / "figures.json").read_text())["recordings"][0]["notes"][0]


# Units


@pytest.mark.parametrize(
    "unit",
    [
        b"uV",
        b"UV",
        b"uVolt",
        b"uVolts",
        b".V",
        b"?V",
        b"\xb5V",
        "µV".encode(),
        "μV".encode(),
        b"\x83\xcaV",
        b"\xe6V",
        b"microV",
        b"microVol",
        b"MicroVolt",
        b"mcV",
        b"[uV]",
        b"u V",
        b"uV\0\0",
    ],
)
def test_spellings_of_microvolt(tmp_path: Path, unit: bytes):
    path = edf(tmp_path / "rec.edf", [MILLIVOLT * 1000], units=[unit], limits=(b"-3276.8", b"3276.7"))
    np.testing.assert_allclose(ectopy.read(path).signal[:, 0], MILLIVOLT, atol=1e-4)
    np.testing.assert_allclose(ectopy.read(path, unit="uV").signal[:, 0], MILLIVOLT, atol=1e-4)
    assert refusal(path, unit="mV") == f"{path} states the unit uV, not mV: leave yours out."


@pytest.mark.parametrize(
    ("unit", "factor"), [(b"MV", 1), (b"mVolt", 1), (b"milliVol", 1), (b"(mV)", 1), (b"Volt", 1e3)]
)
def test_spellings_of_other_units(tmp_path: Path, unit: bytes, factor: float):
    path = edf(tmp_path / "rec.edf", [MILLIVOLT / factor], units=[unit])
    np.testing.assert_allclose(ectopy.read(path).signal[:, 0], MILLIVOLT, atol=4e-4 * factor)


@pytest.mark.parametrize("unit", [b"xV", b"kVolt", b"VoltAC", b"10-6V"])
def test_a_unit_that_cannot_be_read_is_named_and_can_be_stated(tmp_path: Path, unit: bytes):
    path = edf(tmp_path / "rec.edf", [MILLIVOLT * 1000], units=[unit], limits=(b"-3276.8", b"3276.7"))
    message = refusal(path)
    assert repr(unit.decode()) in message
    assert "--unit" in message
    np.testing.assert_allclose(ectopy.read(path, unit="uV").signal[:, 0], MILLIVOLT, atol=1e-4)


@pytest.mark.parametrize("unit", [b"", b"-", b"n/a", b"NONE"])
def test_a_unit_that_is_not_stated_is_asked_for(tmp_path: Path, unit: bytes):
    path = edf(tmp_path / "rec.edf", [MILLIVOLT, MILLIVOLT], ["ECG", "V5"], [b"mV", unit])
    assert "no unit for the lead 'V5'" in refusal(path)
    signal = ectopy.read(path, unit="V").signal
    np.testing.assert_allclose(signal, np.outer(MILLIVOLT, [1, 1e3]), rtol=1e-3, atol=0.4)


@pytest.mark.parametrize("unit", [b"mmHg", b"%", b"bpm", b"Ohm"])
def test_other_units_are_never_millivolt(tmp_path: Path, unit: bytes):
    path = edf(tmp_path / "rec.edf", [MILLIVOLT, MILLIVOLT], ["ECG", "II"], [unit, b"mV"])
    recording = ectopy.read(path, unit="mV")
    assert recording.leads == ("II",)
    assert f"'ECG' in {unit.decode()}" in recording.notes[0]


# Headers


@pytest.mark.parametrize("limits", [(b"-3276,8", b"3276,7"), (b"-3,2768", b"3,2767"), (b"-10,0", b"10,")])
def test_decimal_commas(tmp_path: Path, limits: tuple[bytes, bytes]):
    path = edf(tmp_path / "rec.edf", limits=limits, duration=b"1,0")
    recording = ectopy.read(path)
    assert recording.sampling_rate_hz == RATE
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=0.06)


def test_a_comma_that_may_separate_thousands_is_named(tmp_path: Path):
    path = edf(tmp_path / "rec.edf", limits=(b"-10", b"10"))
    path.write_bytes(path.read_bytes().replace(b"  10      ", b"  1,024   ", 1))
    assert "'1,024'" in refusal(path)


@pytest.mark.parametrize(
    ("recording", "stated", "start"),
    [
        (b"Startdate X X X X", b"01.02.2410.20.30", datetime(2024, 2, 1, 10, 20, 30)),
        (b"Startdate X X X X", b"01.01.8500.00.00", None),
        (b"Startdate 01-FEB-2024 X X X", b"01.02.2410.20.30", datetime(2024, 2, 1, 10, 20, 30)),
        (b"Startdate yesterday", b"01-02-2410:20:30", datetime(2024, 2, 1, 10, 20, 30)),
        (b"", b"1.2.24  9.5.7   ", datetime(2024, 2, 1, 9, 5, 7)),
        (b"", b" " * 16, None),
        (b"Startdate 01-FEB-2090 X X X", b"01.02.yy10.20.30", datetime(2090, 2, 1, 10, 20, 30)),
        (b"Startdate 01-Feb-2024 X X X", b"00.00.0010.20.30", datetime(2024, 2, 1, 10, 20, 30)),
    ],
)
def test_starts(tmp_path: Path, recording: bytes, stated: bytes, start: datetime | None):
    recording = ectopy.read(edf(tmp_path / "rec.edf", recording=recording, start=stated))
    assert recording.start == start
    assert recording.notes == ()


@pytest.mark.parametrize(
    "stated", [b"01.02.yy10.20.30", b"31.02.2410.20.30", b"XX.XX.XX00.00.00", b"01.02.2425.00.00", b"20240201102030"]
)
def test_a_start_that_cannot_be_read_is_noted(tmp_path: Path, stated: bytes):
    recording = ectopy.read(edf(tmp_path / "rec.edf", start=stated))
    assert recording.start is None
    (note,) = recording.notes
    assert "not a date and a time" in note


def test_leads_of_one_name_are_numbered(tmp_path: Path):
    path = edf(tmp_path / "rec.edf", [MILLIVOLT, -MILLIVOLT, 2 * MILLIVOLT], ["ECG", "ECG", "ecg"], [b"mV"] * 3)
    recording = ectopy.read(path)
    assert recording.leads == ("ECG", "ECG 2", "ecg 3")
    np.testing.assert_allclose(recording.signal, np.outer(MILLIVOLT, [1, -1, 2]), atol=4e-4)


@pytest.mark.parametrize(
    "limits", [(b"-1e30", b"1e30"), (b"-9e99999", b"9e99999"), (b"1e-30", b"2e-30"), (b"-9999999", b"9999999")]
)
def test_absurd_limits_are_refused(tmp_path: Path, limits: tuple[bytes, bytes]):
    path = edf(tmp_path / "rec.edf")
    content = path.read_bytes()
    for written, stated in zip((b"-10     ", b"10      "), limits, strict=True):
        content = content.replace(written, stated.ljust(8)[:8], 1)
    path.write_bytes(content)
    refusal(path)


# BDF


@pytest.mark.parametrize("suffix", [".bdf", ".BDF", ".edf"])
def test_bdf(tmp_path: Path, suffix: str):
    path = edf(
        tmp_path / f"rec{suffix}",
        [MILLIVOLT * 1000, -250_000 + MILLIVOLT * 1000],
        ["ECG II", "ECG V5"],
        [b"uV", b"uV"],
        limits=(b"-262144", b"262143"),
        digital=(-(2**23), 2**23 - 1),
        bdf=True,
    )
    recording = ectopy.read(path)
    assert recording.leads == ("ECG II", "ECG V5")
    np.testing.assert_allclose(recording.signal, np.stack([MILLIVOLT, MILLIVOLT - 250], axis=1), atol=1e-4)


@pytest.mark.parametrize("kind", [b"BDF+C", b"BDF+D"])
def test_bdf_with_gaps_and_cut_short(tmp_path: Path, kind: bytes):
    path = edf(
        tmp_path / "rec.bdf",
        digital=(-(2**23), 2**23 - 1),
        reserved=kind,
        onsets=seconds(*range(10), *range(15, 25)),
        bdf=True,
    )
    path.write_bytes(path.read_bytes()[:-5])
    recording = ectopy.read(path, partial=True)
    assert len(recording.signal) == 24 * RATE
    assert np.isnan(recording.signal[10 * RATE : 15 * RATE]).all()
    np.testing.assert_allclose(recording.signal[15 * RATE :, 0], MILLIVOLT[10 * RATE : 19 * RATE], atol=1e-5)


def test_bdf_of_a_package_with_its_status_channel(tmp_path: Path):
    signals = [
        edfio.BdfSignal(
            MILLIVOLT * 1000, RATE, label="EXG1", physical_dimension="uV", physical_range=(-262144, 262143)
        ),
        edfio.BdfSignal(
            np.zeros(len(MILLIVOLT)), RATE, label="Status", physical_dimension="Boolean", physical_range=(0, 1)
        ),
    ]
    edfio.Bdf(signals, annotations=[edfio.EdfAnnotation(2.0, None, "V")]).write(tmp_path / "rec.bdf")
    recording = ectopy.read(tmp_path / "rec.bdf")
    assert recording.leads == ("EXG1",)
    np.testing.assert_allclose(recording.signal[:, 0], MILLIVOLT, atol=1e-4)
    assert recording.annotations.positions.tolist() == [500]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda content: b"PK" + content[2:], "does not begin as an EDF or BDF file does"),
        (lambda content: content[:252] + b"9999" + content[256:], "ends within its header of 9999 signals"),
        (lambda content: content[:252] + b"1e9 " + content[256:], "the number of signals as '1e9'"),
        (lambda content: content[:184] + b"768     " + content[192:], "states a header of 768 bytes"),
        (lambda content: content[:100], "states the number of signals as ''"),
        (lambda content: content[:400], "ends within its header"),
        (lambda content: content[:600], "holds no samples"),
        (lambda content: b"text where an EDF belongs\n" * 40, "does not begin as an EDF or BDF file does"),
        (lambda content: content[:236] + b"many    " + content[244:], "the number of data records as 'many'"),
        (lambda content: content[:244] + b"0       " + content[252:], "data records of 0 s"),
        (lambda content: content[:244] + b"1e9     " + content[252:], "sampling rate of 2.5e-07 Hz"),
        (lambda content: content.replace(b"-10     ", b"10      ", 1), "says no range"),
        (lambda content: content.replace(b"-10     ", b"nan     ", 1), "the physical limits of 'ECG' as 'nan'"),
        (lambda content: content.replace(b"mV", b"%%", 1), "holds no lead"),
        (lambda content: b"", "is empty"),
        (
            lambda content: content.replace(b"250     ", b"x50     ", 1),
            "the samples of 'ECG' in a data record as 'x50'",
        ),
        (lambda content: content.replace(b"250     ", b"-250    ", 1), "-250 samples of 'ECG'"),
        (lambda content: content.replace(b"250     ", b"0       ", 1), "data records without samples"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: Callable[[bytes], bytes], expected: str):
    path = edf(tmp_path / "rec.edf")
    path.write_bytes(damage(path.read_bytes()))
    assert expected in refusal(path)
    assert expected in refusal(path, partial=True)


@_MANY
@given(st.integers(0, 600), st.binary(min_size=1, max_size=8))
def test_a_file_with_any_damage_is_read_or_refused(tmp_path: Path, place: int, damage: bytes):
    onsets = [b"+0\x14\x14\0+0.5\x14N", *seconds(*range(1, 20))]
    path = edf(tmp_path / "rec.edf", reserved=b"EDF+C", onsets=onsets)
    content = bytearray(path.read_bytes())
    content[place : place + len(damage)] = damage
    path.write_bytes(content)
    with suppress(DataError):
        assert isinstance(ectopy.read(path), Recording)


def test_what_lasts_is_written_with_its_duration(tmp_path: Path):
    path = tmp_path / "marks.edf"
    spans = [Span(0.5, 2.25, "ventricular run: 5 beats\x00 in a row")]
    formats.write_annotations(path, Annotations(np.array([250]), np.array(["V"])), 250, spans=spans)
    run, beat = edfio.read_edf(path).annotations
    assert (run.onset, run.duration, run.text) == (0.5, 2.25, "ventricular run: 5 beats  in a row")
    assert (beat.onset, beat.duration, beat.text) == (1.0, None, "V")
    back = formats.read_annotations(path, 250)
    assert back.positions[back.symbols == "V"].tolist() == [250]


def test_the_header_describes_patient_and_equipment(tmp_path: Path):
    recording = edfio.Recording(equipment_code="Holter_7")
    patient = edfio.Patient(code="P-17", sex="F", birthdate=date(1953, 5, 8), name="<b>Ada_=Byron")
    edfio.Edf([edf_signal(MILLIVOLT)], patient=patient, recording=recording).write(tmp_path / "rec.edf")
    recording = ectopy.read(tmp_path / "rec.edf")
    assert recording.patient == Patient("<b>Ada =Byron", "P-17", "female", date(1953, 5, 8))
    assert recording.device == "Holter 7"
    plain = edf(tmp_path / "plain.edf", recording=b"ward 3")
    assert ectopy.read(plain).device == "ward 3"
    for encoding in ("utf-8", "latin-1"):
        path = edf(tmp_path / encoding, recording="Klinik Süd".encode(encoding))
        assert ectopy.read(path).device == "Klinik Süd"
