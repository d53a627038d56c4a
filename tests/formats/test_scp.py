"""SCP-ECG: records built section by section as EN 1064 lays them out, and two real ones."""

from __future__ import annotations

import struct
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ectopy
from ectopy.formats.scp_codes import stretch
from ectopy.recording import Patient
from support.data_sets import example_file
from support.examples import examples
from support.refusals import refusal
from support.scp_files import COUNTS, DEFAULT, SECTIONS, coded, differences, leads, packed, qrs, rhythm, scp

_MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))


def test_the_sections_of_a_record(tmp_path: Path):
    recording = ectopy.read(scp(tmp_path / "ecg", SECTIONS))
    np.testing.assert_allclose(recording.signal, COUNTS * 5e-3, atol=1e-6)
    assert (recording.leads, recording.sampling_rate_hz) == (("I", "III"), 500)
    assert recording.start == datetime(2009, 11, 2, 7, 30, 15)
    assert recording.patient == Patient("Ada Byron", "P-17", "female", date(1953, 5, 8), 2.5)
    assert recording.device == "Maker CART7 SN9"
    assert recording.notes == ()


def test_old_records_lack_the_mark(tmp_path: Path):
    assert len(ectopy.read(scp(tmp_path / "ecg.dat", SECTIONS, mark=bytes(6))).signal) == len(COUNTS)


@given(st.lists(st.integers(-32768, 32767), min_size=3, max_size=60), st.integers(0, 2))
@_MANY
def test_differences_and_the_default_table(tmp_path: Path, values: list[int], order: int):
    steps = differences(np.array(values), order)
    if not all(-32768 <= step <= 32767 for step in steps):
        return
    content = rhythm(coded(np.array(values)[:, None], order), order=order, step_nv=1000)
    recording = ectopy.read(scp(tmp_path / "ecg", {2: DEFAULT, 3: leads(2, samples=len(values)), 6: content}))
    np.testing.assert_allclose(recording.signal[:, 0], np.array(values) * 1e-3, rtol=1e-6)


def test_samples_without_codes(tmp_path: Path):
    content = rhythm([lead.astype("<i2").tobytes() for lead in COUNTS.T], order=0)
    recording = ectopy.read(scp(tmp_path / "ecg", SECTIONS | {2: b"", 6: content}))
    np.testing.assert_allclose(recording.signal, COUNTS * 5e-3, atol=1e-6)


def test_tables_of_the_file_and_a_switch_between_them(tmp_path: Path):
    # Clause 5.5.3: bits of the prefix, bits of the code, mode, base value, and the prefix with its first bit last.
    def code(prefix: str, bits: int, mode: int, base: int) -> bytes:
        return struct.pack("<BBBhI", len(prefix), bits, mode, base, int(prefix[::-1], 2))

    first = [code("0", 1, 1, 7), code("10", 2, 0, 2), code("110", 11, 1, 0)]
    second = [code("1", 1, 1, -3), code("01", 2, 0, 1), code("00", 10, 1, 0)]
    tables = struct.pack("<H", 2) + b"".join(
        struct.pack("<H", len(table)) + b"".join(table) for table in (first, second)
    )
    bits = "0" + "110" + f"{-100 % 256:08b}" + "10" + "1" + "00" + f"{100:08b}" + "01" + "0"
    sections = {2: tables, 3: leads(1, samples=5), 6: rhythm([packed(bits)], order=0, step_nv=1000)}
    recording = ectopy.read(scp(tmp_path / "ecg", sections))
    np.testing.assert_allclose(recording.signal[:, 0] * 1e3, [7, -100, -3, 100, 7], rtol=1e-6)


# The reference beat, and fewer samples between complexes


def test_the_reference_beat_is_added_where_it_was_subtracted(tmp_path: Path):
    shape = np.rint(200 * np.hanning(50)).astype(int)[:, None]
    beats = [(0, 41, 60, 90), (1, 1, 150, 1), (0, 181, 200, 230)]
    expected = np.zeros(300)
    for kind, first, center, last in beats:
        if kind == 0:
            expected[first - 1 : last] = shape[20 - center + first - 1 : 20 - center + last, 0] * 1e-3
    sections = {
        2: DEFAULT,
        3: leads(1, samples=300, flags=0b101),
        4: qrs(beats),
        5: rhythm(coded(shape, 1), order=1, step_nv=1000),
    }
    recording = ectopy.read(
        scp(tmp_path / "ecg", sections | {6: rhythm(coded(np.zeros((300, 1), int), 2), step_nv=4000)})
    )
    np.testing.assert_allclose(recording.signal[:, 0], expected, atol=1e-6)
    del sections[5]
    assert "reference beat that it does not hold" in refusal(scp(tmp_path / "ecg", sections | {6: SECTIONS[6]}))


def test_between_the_zones_a_sample_stands_for_several(tmp_path: Path):
    slope = np.arange(240)
    zones = [(41, 60), (141, 160)]
    blocks = [slope[0:40], slope[60:140], slope[160:240]]
    means = [part.reshape(-1, 4).mean(axis=1) for part in blocks]
    stored = np.concatenate([means[0], slope[40:60], means[1], slope[140:160], means[2]]) * 2
    sections = {
        2: DEFAULT,
        3: leads(1, samples=240),
        4: qrs([(1, 1, 50, 1), (1, 1, 150, 1)], zones),
        5: rhythm(coded(np.zeros((50, 1), int), 2)),
        6: rhythm(coded(stored.astype(int)[:, None], 2), us=8000, bimodal=1, step_nv=500),
    }
    recording = ectopy.read(scp(tmp_path / "ecg", sections))
    assert recording.sampling_rate_hz == 500
    away = np.ones(240, bool)
    for part in blocks:  # beyond the middle of the first and the last block there is no line
        away[[*part[:2], *part[-2:]]] = False
    np.testing.assert_allclose(recording.signal[away, 0], slope[away] * 1e-3, atol=1e-6)
    np.testing.assert_allclose(recording.signal[:, 0], slope * 1e-3, atol=2e-3)


@given(st.integers(1, 60), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=4), st.integers(1, 5))
def test_every_sample_has_a_value(samples: int, spans: list[tuple[int, int]], factor: int):
    zones, end = [], 0
    for begin, length in sorted(spans):
        zone = slice(max(begin, end), min(max(begin, end) + length, samples))
        if zone.start < zone.stop:
            zones.append(zone)
            end = zone.stop
    assert not np.isnan(stretch(np.zeros(samples), samples, zones, factor)).any()


# What is wrong


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({3: b""}, "no section 3 (leads)"),
        ({6: b""}, "no section 6 (rhythm)"),
        ({3: b"\0\0"}, "states 0 leads"),
        ({3: leads(1, 2)[:-1]}, "states 2 leads"),
        ({3: leads(1, 2, samples=2**32 - 2)}, "states 4,294,967,294 samples"),
        ({3: leads(1, 2, samples=0)}, "ends before it begins"),
        ({3: leads(1, 2, samples=600)}, "holds fewer samples than it states of 'I', 'II'"),
        ({6: rhythm(coded(COUNTS, 2), us=0)}, "0 us between samples"),
        ({6: rhythm(coded(COUNTS, 2), order=3)}, "differences of order 3"),
        ({6: rhythm(coded(COUNTS, 2), step_nv=0)}, "one step of"),
        ({2: struct.pack("<HH", 1, 9)}, "Huffman tables that cannot be read"),
        ({2: struct.pack("<HH9s", 1, 1, b"\0" * 9)}, "Huffman tables that cannot be read"),
        ({3: leads(1, 2, flags=1), 5: SECTIONS[6], 4: struct.pack("<HHH", 1, 1, 999)}, "999 QRS complexes"),
    ],
)
def test_records_that_are_refused(tmp_path: Path, sections: dict[int, bytes], expected: str):
    assert expected in refusal(scp(tmp_path / "ecg", SECTIONS | sections))


def test_a_record_that_was_changed_is_read_on_request(tmp_path: Path):
    path = scp(tmp_path / "ecg", SECTIONS)
    content = bytearray(path.read_bytes())
    path.write_bytes(bytes(2) + content[2:])  # a checksum that is not stated
    assert ectopy.read(path).notes == ()
    content[-5] ^= 1
    path.write_bytes(content)
    assert "checksum" in refusal(path)
    assert "--partial" in refusal(path)
    recording = ectopy.read(path, partial=True)
    assert "does not match its checksum" in recording.notes[0]
    np.testing.assert_allclose(recording.signal[:, 0], COUNTS[:, 0] * 5e-3, atol=1e-6)


def test_the_intact_part_of_a_record_that_was_cut_short(tmp_path: Path):
    path = scp(tmp_path / "ecg", SECTIONS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert "cut short" in refusal(path)
    recording = ectopy.read(path, partial=True)
    np.testing.assert_allclose(recording.signal[:, 0], COUNTS[:, 0] * 5e-3, atol=1e-6)
    present = ~np.isnan(recording.signal[:, 1])
    assert 50 < present.sum() < len(COUNTS)
    np.testing.assert_allclose(recording.signal[present, 1], COUNTS[present, 1] * 5e-3, atol=1e-6)
    for size in (30, 60, 200):
        path.write_bytes(whole[:size])
        assert refusal(path, partial=True)


def test_statements_are_a_note_unless_they_are_a_page_of_print(tmp_path: Path):
    def section(count: int) -> bytes:
        texts = b"".join(struct.pack("<BH", number, 5) + b"Text\0" for number in range(count))
        return bytes(8) + bytes([count]) + texts

    for count, notes in ((1, ["The file's own reading, not Ectopy's: Text."]), (60, [])):
        recording = ectopy.read(scp(tmp_path / "ecg", {**SECTIONS, 8: section(count)}))
        assert [note for note in recording.notes if "reading" in note] == notes
    assert ectopy.read(scp(tmp_path / "ecg", {**SECTIONS, 8: section(3)[:-9]})).leads


# Real records


def test_a_record_with_a_reference_beat_is_what_other_tools_read(tmp_path: Path):
    path = example_file("wfdb_test.scp")
    recording = ectopy.read(path)
    header = path.with_suffix(".hea").read_text().splitlines()
    names = [line.split()[-1] for line in header[1:13]]
    counts = np.fromfile(path.with_suffix(".dat"), "<i2").reshape(-1, 12)
    for place, name in enumerate(names):
        np.testing.assert_allclose(
            recording.signal[:, recording.leads.index(name)], counts[:, place] / 200, atol=2.6e-3
        )
    assert recording.patient.sex == "male"
    assert recording.device == "PLUSI 0000146"
    assert "not Ectopy's: Ectopic atrial rhythm; - ventricular couplets; Long QTc interval;" in recording.notes[-1]


def test_a_record_of_second_differences():
    recording = ectopy.read(example_file("redundancy_reduced.scp"))
    assert recording.signal.shape == (5000, 12)
    assert recording.start == datetime(1983, 8, 11, 12, 11, 10)
    # In a normal heart's field no lead leaves a few mV; a wrong bit would make second differences run away.
    assert np.abs(recording.signal).max() < 3
