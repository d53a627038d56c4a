"""Pulse waves in recordings: recognised by name and unit, at their own rate; other signals are reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy.formats.pulse_channels import pulse_unit
from ectopy.monitor.replay import chunks
from ectopy.recording import Recording
from support.edf_files import MILLIVOLT, edf
from support.parquet_files import write_parquet

FRAMES = 1000
ECG = np.sin(np.arange(FRAMES) / 20) * 1000
PULSE = 80 + 20 * np.sin(np.arange(FRAMES) / 40)


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("PLETH", "NU", "NU"),
        ("Pleth", "", "NU"),
        ("SpO2 pleth", "%", "NU"),
        ("PPG", "a.u.", "NU"),
        ("SNUADC/PLETH", "", "NU"),
        ("ABP", "mmHg", "mmHg"),
        ("ABP", "NU", "NU"),
        ("abp ", "mm Hg", "mmHg"),
        ("ART 2", "kPa", "mmHg"),
        ("PLETH", "mmHg", None),
        ("ABP", "mV", None),
        ("ABP mean", "mmHg", None),
        ("ART_MBP", "mmHg", None),
        ("II", "mmHg", None),
        ("RESP", "NU", None),
        ("Artefact", "", None),
    ],
)
def test_name_and_unit_say_together_what_a_pulse_wave_is(name: str, unit: str, expected: str | None):
    reading = pulse_unit(name, unit)
    assert (reading and reading.unit) == expected


def wfdb(folder: Path, *signals: tuple[str, str, int], stem: str = "rec", pulse: np.ndarray = PULSE) -> Path:
    """A record of 1000 frames; each signal has a name, a gain with its unit, and samples in a frame."""
    columns, lines = [], []
    for name, gain, per_frame in signals:
        values = np.repeat(ECG / 10 if "mV" in gain else pulse, per_frame).reshape(-1, per_frame)
        columns.append(np.rint(values * float(gain.split("/")[0])))
        lines.append(f"{stem}.dat 16x{per_frame} {gain} 16 0 0 0 0 {name}\n")
    np.concatenate(columns, axis=1).astype("<i2").tofile(folder / f"{stem}.dat")
    path = folder / f"{stem}.hea"
    path.write_text(f"{stem} {len(signals)} 125 {FRAMES}\n{''.join(lines)}")
    return path


def test_a_record_has_pulse_waves_at_their_own_rate(tmp_path: Path):
    path = wfdb(tmp_path, ("II", "10/mV", 2), ("PLETH", "100/NU", 1), ("ABP", "100/kPa", 4), ("RESP", "100/NU", 1))
    recording = ectopy.read(path)
    assert (recording.leads, recording.sampling_rate_hz) == (("II",), 250.0)
    pleth, abp = recording.pulses
    assert (pleth.name, pleth.unit, pleth.sampling_rate_hz) == ("PLETH", "NU", 125.0)
    assert (abp.name, abp.unit, abp.sampling_rate_hz) == ("ABP", "mmHg", 500.0)
    np.testing.assert_allclose(pleth.samples, PULSE, atol=0.01)
    np.testing.assert_allclose(abp.samples, np.repeat(PULSE, 4) * 7.500617, atol=0.1)
    (note,) = recording.notes
    assert "'RESP' in NU" in note
    assert "PLETH" not in note


def test_names_and_units_that_contradict_each_other_are_noted(tmp_path: Path):
    recording = ectopy.read(wfdb(tmp_path, ("PLETH", "10/mV", 1), ("II", "100/NU", 1), ("V", "10/mV", 1)))
    assert recording.leads == ("V",)
    assert recording.pulses == ()
    assert "'PLETH' is called like a pulse wave but is in mV" in " ".join(recording.notes)
    assert "'II' is called like a lead but is in NU" in " ".join(recording.notes)
    alone = ectopy.read(wfdb(tmp_path, ("ABP", "10/mV", 1), ("II", "100/mmHg", 1)))
    assert alone.leads == ("ABP",)
    assert "is read as a lead" in " ".join(alone.notes)


def test_segments_without_the_pulse_leave_nothing_there(tmp_path: Path):
    wfdb(tmp_path, ("II", "10/mV", 1), ("ABP", "100/mmHg", 1), stem="one")
    wfdb(tmp_path, ("II", "10/mV", 1), stem="two")
    (tmp_path / "all.hea").write_text(f"all/4 2 125 {2 * FRAMES + 50}\nlay 0\none {FRAMES}\n~ 50\ntwo {FRAMES}\n")
    (tmp_path / "lay.hea").write_text("lay 2 125 0\n~ 0 10/mV 16 0 0 0 0 II\n~ 0 100/mmHg 16 0 0 0 0 ABP\n")
    (wave,) = ectopy.read(tmp_path / "all.hea").pulses
    assert len(wave.samples) == 2 * FRAMES + 50
    np.testing.assert_allclose(wave.samples[:FRAMES], PULSE, atol=0.01)
    assert np.isnan(wave.samples[FRAMES:]).all()


def test_a_pulse_in_a_damaged_file_costs_no_ecg(tmp_path: Path):
    path = wfdb(tmp_path, ("II", "10/mV", 1))
    PULSE[:300].astype("<i2").tofile(tmp_path / "pulse.dat")
    text = path.read_text().replace("rec 1", "rec 3")
    path.write_text(f"{text}pulse.dat 16 1/mmHg 16 0 0 0 0 ABP\nmissing.dat 16 1/NU 16 0 0 0 0 PLETH\n")
    recording = ectopy.read(path)
    (wave,) = recording.pulses
    assert len(wave.samples) == len(recording.signal) == FRAMES
    assert np.flatnonzero(np.isnan(wave.samples)).tolist() == list(range(300, FRAMES))
    assert "'PLETH' is left out" in " ".join(recording.notes)


def test_a_recording_that_is_cut_short_cuts_its_pulses_too(tmp_path: Path):
    path = wfdb(tmp_path, ("II", "10/mV", 2), ("PLETH", "100/NU", 1))
    content = (tmp_path / "rec.dat").read_bytes()
    (tmp_path / "rec.dat").write_bytes(content[: len(content) // 2])
    recording = ectopy.read(path, partial=True)
    assert len(recording.signal) == FRAMES
    assert len(recording.pulses[0].samples) == FRAMES // 2


def test_edf_files_have_pulse_waves_at_their_own_rate(tmp_path: Path):
    edfio = pytest.importorskip("edfio", reason="the extra 'formats' is not installed")
    signals = [
        edfio.EdfSignal(ECG / 1000, 125, label="ECG II", physical_dimension="mV", physical_range=(-2, 2)),
        edfio.EdfSignal(PULSE[::2], 62.5, label="Pleth", physical_dimension="", physical_range=(0, 200)),
        edfio.EdfSignal(PULSE[::100], 1.25, label="ABP", physical_dimension="mmHg", physical_range=(0, 200)),
    ]
    edfio.Edf(signals, data_record_duration=4.0).write(tmp_path / "rec.edf")
    recording = ectopy.read(tmp_path / "rec.edf")
    (wave,) = recording.pulses
    assert (wave.name, wave.unit, wave.sampling_rate_hz) == ("Pleth", "NU", 62.5)
    np.testing.assert_allclose(wave.samples, PULSE[::2], atol=0.01)
    assert "'ABP' in mmHg at 1.25 Hz" in recording.notes[0]


def test_chunks_of_a_recording_hold_every_sample_of_its_pulses_once():
    waves = tuple(
        ectopy.recording.PulseWave(name, "NU", rate_hz, np.arange(round(20 * rate_hz), dtype=np.float32))
        for name, rate_hz in (("PLETH", 62.5), ("ABP", 500.0))
    )
    recording = Recording(np.zeros((5000, 1), np.float32), 250.0, ("II",), pulses=waves)
    for chunk_s in (0.033, 1.0, 7.7, 60.0):
        all_chunks = list(chunks(recording, chunk_s))
        for number, wave in enumerate(waves):
            parts = [chunk.pulses[number] for chunk in all_chunks]
            np.testing.assert_array_equal(np.concatenate([part.samples for part in parts]), wave.samples)
            assert [part.position for part in parts] == [int(part.samples[0]) for part in parts]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_have_pulse_waves_where_columns_say_so(tmp_path: Path, kind: str):
    path = tmp_path / f"rec.{kind}"
    ecg, pulse = (ECG / 1000).astype(np.float32), PULSE.astype(np.float32)
    names = ("time (s)", "II (mV)", "Pleth", "ART (kPa)", "ABP mean (mmHg)", "resp")
    columns = [np.arange(FRAMES) / 125, ecg, pulse, pulse, pulse, pulse]
    if kind == "csv":
        np.savetxt(path, np.column_stack(columns), delimiter=",", header=",".join(names), comments="")
    else:
        write_parquet(path, dict(zip(names, columns, strict=True)))
    recording = ectopy.read(path)
    assert recording.leads == ("II",)
    assert recording.signal.shape == (FRAMES, 1)
    assert [(wave.name, wave.unit, wave.sampling_rate_hz) for wave in recording.pulses] == [
        ("Pleth", "NU", 125.0),
        ("ART", "mmHg", 125.0),
    ]
    np.testing.assert_allclose(recording.pulses[0].samples, pulse, rtol=1e-6)
    np.testing.assert_allclose(recording.pulses[1].samples, 7.500617 * pulse, rtol=1e-5)
    assert "'ABP mean' (in mmHg)" in recording.notes[0]
    assert "'resp' (not ECG)" in recording.notes[0]


def test_leads_that_are_called_no_ecg_are_named(tmp_path: Path):
    sleep = ectopy.read(edf(tmp_path / "night.edf", [MILLIVOLT] * 2, ("EEG Fpz-Cz", "EOG horizontal"), (b"mV",) * 2))
    expected = "None of the signals is called an ECG: EEG Fpz-Cz, EOG horizontal; heartbeats in them mean nothing."
    assert expected in sleep.notes
    for labels in (("EEG Fpz-Cz", "II"), ("chest", "EOG")):
        mixed = ectopy.read(edf(tmp_path / "night.edf", [MILLIVOLT] * 2, labels, (b"mV",) * 2))
        assert not any("called an ECG" in note for note in mixed.notes)
