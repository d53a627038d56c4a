from __future__ import annotations

import csv
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import ectopy
from ectopy import Annotations, formats
from ectopy.datasets import simulate_recording
from ectopy.errors import DataError, OutputError, SettingError
from ectopy.formats import leads
from ectopy.formats.annotation_codes import NOTE
from ectopy.formats.annotation_files import Mark
from support.annotation_files import MARKED, MARKS, write_marks
from support.edf_files import edf
from support.examples import examples
from support.parquet_files import write_parquet
from support.recording_files import wave, write_formats
from support.refusals import refusal

edfio = pytest.importorskip("edfio", reason="the extra 'formats' is not installed")
wfdb = pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

_MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))


# Annotations in EDF+


@_MANY
@given(MARKS.map(lambda marks: [mark._replace(position=mark.position % 2**30) for mark in marks]))
def test_edf_annotations_round_trip(tmp_path: Path, marks: list[Mark]) -> None:
    from ectopy.formats.edf import _mark

    path = tmp_path / "marks.edf"
    write_marks(path, marks, 360)
    read_marks = [_mark(round(each.onset * 360), each.text) for each in edfio.read_edf(path).annotations if each.text]
    assert sorted(read_marks) == sorted(marks)


def test_edf_of_annotations_only_is_no_recording(tmp_path: Path) -> None:
    write_marks(tmp_path / "marks.edf", [Mark(7, "N")])
    assert "holds no lead" in refusal(tmp_path / "marks.edf")


# CSV, Parquet, NPY


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "rec.csv"
    path.write_text("II,V5 (uV)\n0.5,100\n,nan\ninf,-200\n", encoding="utf-8")
    assert "unit=" in refusal(path, sampling_rate_hz=250)
    assert "sampling_rate_hz=" in refusal(path, unit="mV")
    recording = ectopy.read(path, sampling_rate_hz=250, unit="V")
    assert recording.leads == ("II", "V5")
    assert recording.sampling_rate_hz == 250
    np.testing.assert_allclose(recording.signal, [[500, 0.1], [np.nan, np.nan], [np.nan, -0.2]], rtol=1e-6)


def test_csv_without_a_header_and_with_an_index(tmp_path: Path) -> None:
    path = tmp_path / "rec.csv"
    path.write_text('1,2\n"3","4"\n', encoding="utf-8-sig")
    recording = ectopy.read(path, sampling_rate_hz=250, unit="mV")
    assert recording.leads == ("lead 1", "lead 2")
    np.testing.assert_array_equal(recording.signal, [[1, 2], [3, 4]])
    path.write_text("1,2\r3,4\n5,6\r7,8\n", encoding="utf-8", newline="")
    assert len(ectopy.read(path, sampling_rate_hz=250, unit="mV").signal) == 4
    path.write_text(",II\r\n0,7\r\n1,8\r\n\r\n", encoding="utf-8", newline="")
    recording = ectopy.read(path, sampling_rate_hz=250, unit="mV")
    assert recording.leads == ("II",)
    np.testing.assert_array_equal(recording.signal, [[7], [8]])


def test_csv_in_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ectopy.formats.csv._BLOCK_ROWS", 7)
    np.savetxt(tmp_path / "rec.csv", wave(1500, 3), delimiter=",")
    recording = ectopy.read(tmp_path / "rec.csv", sampling_rate_hz=250, unit="mV")
    np.testing.assert_allclose(recording.signal, wave(1500, 3), atol=1e-6)


@pytest.mark.parametrize("rate", [100, 250, 256, 360, 128.5])
@pytest.mark.parametrize("decimals", [3, 9])
def test_times_give_the_rate_and_the_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float, decimals: int
) -> None:
    monkeypatch.setattr("ectopy.formats.row_times._BLOCK_ROWS", 999)
    path = tmp_path / "rec.csv"
    rows_present = np.r_[0:1000, 1400:3000, 3001:5000]
    times = np.round(17 + rows_present / rate, decimals)
    rows = "".join(f"{t:.{decimals}f},{i}\n" for t, i in zip(times, rows_present, strict=True))
    path.write_text(f"time,II\n{rows}", encoding="utf-8")
    for stated in (None, rate):
        recording = ectopy.read(path, sampling_rate_hz=stated, unit="mV")
        assert recording.sampling_rate_hz == pytest.approx(rate, rel=1e-4)
        expected = np.full(5000, np.nan)
        expected[rows_present] = rows_present
        np.testing.assert_array_equal(recording.signal[:, 0], expected)
    assert "not evenly spaced at 500 Hz" in refusal(path, sampling_rate_hz=500, unit="mV")
    assert "not evenly spaced at 90 Hz" in refusal(path, sampling_rate_hz=90, unit="mV")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is empty"),
        ("\n \n", "holds no rows"),
        ("II,V5\n", "holds no samples"),
        ("II,V5\n1,2\n1,two\n", "line 3, column 2 (V5): 'two' is text where a number belongs"),
        ("1,2\n2,2\n1;3\n", "line 3 has 1 column, and the lines before it have 2"),
        ("II,V5\n1,2,3\n", "line 2 has 3 columns"),
        ("II" + " " * 90_000 + "(mV\n0\n", "at most 200 characters"),
        ("time (ms),II\n0,1\n", "a single time"),
        ("time,II\n0,1\n0,2\n", "do not increase"),
        ("time,II\n0,1\n,2\n", "missing or do not increase"),
        ("time,II\n0,1\n", "a single time"),
        ("time,II\n0,1\n1,2\n1.7,3\n2.9,4\n4.4,5\n", "not evenly spaced"),
        ("time,II\n0,1\n1e-6,2\n2e-6,3\n", "sampling rate of 1e+06 Hz"),
        ("time,II\n0,1\n0.1,2\n0.2,3\n1e15,4\n", "split it at the gaps"),
        ("time,II\n0,1\n5e-324,2\n1e-323,3\n", "sampling rate of"),
        ("time,II\n-1e308,1\n0,2\n1e308,3\n", "not evenly spaced"),
        ("time,II\n2020-01-01,1\n2020-01-02,2\n", "'2020-01-01' in column 1; expected seconds"),
        ("time\n0\n1\n", "holds no lead"),
        ("time;II;V5\n0;0,1;0.2\n", "and with a point, as in '0.2'; save it with decimal points"),
    ],
)
def test_csv_bad_files(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "rec.csv"
    path.write_text(content, encoding="utf-8")
    rate = None if "time" in content else 250
    assert expected in refusal(path, sampling_rate_hz=rate, unit="mV")


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "rec.csv"
    path.write_bytes(b"\xff\xfe\x00\x01\n")
    assert "not a text file in UTF-8" in refusal(path, sampling_rate_hz=250, unit="mV")
    path.write_bytes(b"1" * 200_000)
    assert "a line of more than 100,000 characters" in refusal(path, sampling_rate_hz=250, unit="mV")


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rec.parquet"
    write_parquet(path, {"time": [0.0, 0.1, 0.3, 0.4, 0.5], "II [uV]": [1, None, 3, 4, 5]})
    recording = ectopy.read(path)
    assert recording.sampling_rate_hz == 10
    assert recording.leads == ("II",)
    np.testing.assert_allclose(recording.signal[:, 0] * 1000, [1, np.nan, np.nan, 3, 4, 5], rtol=1e-6)

    write_parquet(path, {"II": ["a", "b"]})
    assert "values of type string in the column 'II'" in refusal(path, sampling_rate_hz=250, unit="mV")
    write_parquet(path, {"II": [0.5, 1.5]})
    np.testing.assert_array_equal(ectopy.read(path, sampling_rate_hz=250, unit="mV").signal, [[0.5], [1.5]])
    assert "unit=" in refusal(path, sampling_rate_hz=250)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"II", b"\xa5I"))
    assert "not a whole .parquet file" in refusal(path, sampling_rate_hz=250, unit="mV")
    path.write_bytes(content[:-9])
    assert "not a whole .parquet file" in refusal(path, sampling_rate_hz=250, unit="mV")


def test_npy(tmp_path: Path) -> None:
    path = tmp_path / "rec.npy"
    np.save(path, np.array([1, -np.inf, 3]))
    assert "--rate" in refusal(path, unit="uV")
    assert "--unit" in refusal(path, sampling_rate_hz=250)
    recording = ectopy.read(path, sampling_rate_hz=250, unit="uV")
    assert recording.leads == ("lead 1",)
    np.testing.assert_allclose(recording.signal[:, 0] * 1000, [1, np.nan, 3], rtol=1e-6)
    np.save(path, np.arange(8, dtype=np.int16).reshape(4, 2))
    assert ectopy.read(path, sampling_rate_hz=250, unit="mV").signal.shape == (4, 2)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((2, 1000)), "transpose it"),
        (np.zeros((2, 2, 2)), "expected (samples, leads)"),
        (np.zeros((4, 0)), "expected (samples, leads)"),
        (np.zeros((0, 2)), "holds no samples"),
        (np.array(["a", "b"]), "expected real numbers"),
        (np.array([1j]), "expected real numbers"),
        (np.array([{}]), "not a whole .npy file"),
    ],
)
def test_npy_bad_files(tmp_path: Path, array: np.ndarray, expected: str) -> None:
    np.save(tmp_path / "rec.npy", array)
    assert expected in refusal(tmp_path / "rec.npy", sampling_rate_hz=250, unit="mV")


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("a file was unpickled",))


def test_what_is_not_a_whole_file_of_npy_is_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "rec.npy"
    np.save(path, np.zeros(1000))
    whole = path.read_bytes()
    np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)
    for content in (whole[:-8], path.read_bytes(), pickle.dumps(Trap())):
        path.write_bytes(content)
        assert "not a whole .npy file" in refusal(path, sampling_rate_hz=250, unit="mV")


# What is common to all


def test_too_much_for_memory_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "MAX_VALUES", 199)
    np.save(tmp_path / "rec.npy", np.zeros((100, 2)))
    edf(tmp_path / "rec.edf")
    np.savetxt(tmp_path / "rec.csv", -wave(100), delimiter=",")
    write_parquet(tmp_path / "rec.parquet", {"I": np.zeros(200, np.float32)})
    for name in ("rec.npy", "rec.edf", "rec.csv", "rec.parquet"):
        stated = {} if name == "rec.edf" else {"sampling_rate_hz": 250, "unit": "mV"}
        assert "a recording may have 199 values: split it" in refusal(tmp_path / name, **stated)


def test_paths_that_are_no_recording(tmp_path: Path) -> None:
    (tmp_path / "folder.edf").mkdir()
    (tmp_path / "rec.doc").write_bytes(bytes(100))
    assert "is a folder" in refusal(tmp_path / "folder.edf")
    for folder in (Path(), Path(".."), Path("/")):
        with pytest.raises(DataError, match="is a folder"):
            ectopy.read(folder)
    assert "does not exist" in refusal(tmp_path / "gone.edf")
    assert "does not exist" in refusal(tmp_path / "gone")
    assert "unknown format" in refusal(tmp_path / "rec.doc")
    (tmp_path / "rec.dat").write_bytes(bytes(200))
    with pytest.raises(DataError, match=r"rec\.hea does not exist"):
        ectopy.read(tmp_path / "rec.dat")
    with pytest.raises(DataError, match="cannot be read"):
        ectopy.read(tmp_path / f"{'x' * 300}.edf")


def test_a_unit_is_refused_where_each_lead_has_another_one(tmp_path: Path) -> None:
    for path in write_formats(tmp_path):
        unit = re.search(r"states the unit ([mun]V), not V: leave yours out\.$", refusal(path, unit="V"))
        assert unit
        assert ectopy.read(path, unit=unit[1]).leads == ectopy.read(path).leads


@pytest.mark.parametrize("rate", [0, -1, 0.5, 1e6, np.nan, np.inf])
def test_rates_that_are_none(tmp_path: Path, rate: float) -> None:
    with pytest.raises(SettingError, match="from 1 to 100000 Hz"):
        ectopy.read(tmp_path / "rec.csv", sampling_rate_hz=rate)
    with pytest.raises(SettingError, match="from 1 to 100000 Hz"):
        write_marks(tmp_path / "rec.atr", [], rate)


def test_units_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'mmHg' is unknown"):
        ectopy.read(tmp_path / "rec.csv", unit="mmHg")


def test_annotations_as_csv_and_json(tmp_path: Path) -> None:
    write_marks(tmp_path / "marks.csv", MARKED, 250)
    with (tmp_path / "marks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"position": "0", "time_s": "0.0", "symbol": "+", "subtype": "0", "note": "(N"}
    assert [row["time_s"] for row in rows] == ["0.0", "0.072", "20.0", "36000.0", "36001.6"]
    write_marks(tmp_path / "marks.JSON", MARKED, 250)
    content = json.loads((tmp_path / "marks.JSON").read_text(encoding="utf-8"))
    assert content["sampling_rate_hz"] == 250
    assert [{key: str(value) for key, value in row.items()} for row in content["annotations"]] == rows


def test_a_table_holds_no_formula_of_a_note(tmp_path: Path) -> None:
    notes = ("=HYPERLINK(1)", "@SUM(1)", "-1+1", "day = night")
    write_marks(tmp_path / "marks.csv", [Mark(place, NOTE, 0, note) for place, note in enumerate(notes)], 250)
    with (tmp_path / "marks.csv").open(encoding="utf-8", newline="") as file:
        assert [row["note"] for row in csv.DictReader(file)] == ["'=HYPERLINK(1)", "'@SUM(1)", "'-1+1", "day = night"]


@pytest.mark.parametrize("name", ["rec.hea", "rec.dat", "rec.npy", "rec", "rec.1", "rec.a-b"])
def test_names_that_annotations_cannot_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match="annotations are written as"):
        write_marks(tmp_path / name, [])


def test_annotations_into_no_folder(tmp_path: Path) -> None:
    for suffix in ("csv", "json", "edf", "atr"):
        with pytest.raises(OutputError, match="does not exist"):
            write_marks(tmp_path / "gone" / f"rec.{suffix}", [Mark(1, "N")])


def test_simulated_recording_through_every_format(tmp_path: Path) -> None:
    original = simulate_recording(20, random_state=0)
    rate = original.sampling_rate_hz
    names = list(original.leads)
    signal = original.signal.astype(float)
    wfdb.wrsamp("rec", rate, ["mV"] * len(names), names, signal, fmt=["16"] * len(names), write_dir=str(tmp_path))
    formats.write_annotations(tmp_path / "rec.atr", original.annotations, rate)
    recording = ectopy.read(tmp_path / "rec")
    np.testing.assert_allclose(recording.signal, original.signal, atol=1e-3)
    np.testing.assert_array_equal(recording.annotations.positions, original.annotations.positions)
    np.testing.assert_array_equal(recording.annotations.symbols, original.annotations.symbols)


def test_annotations_need_one_of_each() -> None:
    positions, symbols = np.array([1, 2]), np.array(["N", "V"])
    with pytest.raises(DataError, match="one subtype per position"):
        Annotations(positions, symbols, subtypes=np.array([1], np.int8))
    with pytest.raises(DataError, match="one note per position"):
        Annotations(positions, symbols, notes=("a",))


@pytest.mark.parametrize("samples", [1, 511, 512, 513, 2000])
def test_a_value_that_no_ecg_has_is_found_wherever_it_is(tmp_path: Path, samples: int) -> None:
    for place in {0, samples // 2, samples - 1}:
        signal = np.full((samples, 3), np.nan)
        signal[place, 1] = -10_001
        np.save(tmp_path / "rec.npy", signal)
        assert "-10001 mV in the lead 'lead 2'" in refusal(tmp_path / "rec.npy", sampling_rate_hz=250, unit="mV")
