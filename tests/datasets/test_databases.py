"""Readers of databases, on small files that are written here, and on the databases that this machine has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from ectopy.datasets.data_folders import DATA_VARIABLE
from ectopy.datasets.databases import DATABASES, find_database, read_database
from ectopy.datasets.labelled_recording import LabelledRecording
from ectopy.datasets.mitdb import DS1, DS2
from ectopy.datasets.sources import summarise_sources
from ectopy.errors import DataError, DatasetUnavailableError, SettingError
from ectopy.formats import write_annotations
from ectopy.recording import Annotations, Recording
from ectopy.signal import filter_twice, find_heartbeats
from ectopy.signal.beat_segments import cut_beats
from support.wfdb_records import write_record

pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")

MARKS = Annotations(
    np.array([10, 100, 200, 300, 400, 450]),
    np.array(["+", "N", "V", "~", "A", "+"]),
    notes=("(N", "", "", "", "", "(AFIB"),
)


def recording(leads: tuple[str, ...] = ("MLII", "V1"), rate_hz: float = 250.0, marks: Annotations | None = MARKS):
    samples = np.random.default_rng(0).normal(0, 0.2, (500, len(leads)))
    return Recording(samples.astype(np.float32), rate_hz, leads, annotations=marks)


def write_mitdb(folder: Path) -> None:
    for name in (DS1[1], DS1[0], DS2[0]):
        write_record(folder, name, recording(rate_hz=360.0))


def write_qtdb(folder: Path) -> None:
    for name in ("sel223", "sel116", "sele0104"):
        write_record(folder, name, recording())
    write_record(folder, "sel30", recording(marks=None))  # of a record without .atr


LUDB_HEADERS = {
    "1": ("Rhythm: Sinus rhythm.", "Left ventricular hypertrophy."),
    "2": ("Rhythm: Sinus rhythm.", "Ventricular extrasystole, type: single PVC."),
    "3": ("Rhythm: Atrial fibrillation.",),
    "10": ("Rhythm: Irregular sinus rhythm.",),
    "11": ("Rhythm: Sinus bradycardia.", "III degree AV-block."),
    "12": ("Rhythm: Sinus rhythm.", "UNIpolar ventricular pacing."),
}


def write_ludb(folder: Path) -> None:
    waves = Annotations(np.array([80, 90, 95, 100, 110, 130, 150, 170]), np.array(list("(p)(N)t)")))
    for name, findings in LUDB_HEADERS.items():
        write_record(folder, name, recording(("i", "ii"), 500.0, marks=None))
        write_annotations(folder / f"{name}.ii", waves, 500.0)
        comments = "".join(f"#{text}\n" for text in ("<age>: 51", "<diagnoses>:", *findings))
        header = folder / f"{name}.hea"
        header.write_text(header.read_text(encoding="ascii") + comments, encoding="ascii")


def write_cinc2017(folder: Path) -> None:
    for name in ("A00004", "A00001", "A00009"):
        write_record(folder, name, recording(("ECG",), 300.0, marks=None))
    (folder / "REFERENCE.csv").write_text("A00004,A\nA00001,N\nA00009,~\n", encoding="ascii")


def write_ltafdb(folder: Path) -> None:
    for name in ("100", "00"):
        header = f"{name} 2 128 128000\n" + f"{name}.dat 16 100/mV 16 0 0 0 0 ECG\n" * 2
        (folder / f"{name}.hea").write_text(header, encoding="ascii")
        write_annotations(folder / f"{name}.atr", MARKS, 128.0)


WRITERS: dict[str, Callable[[Path], None]] = {
    "mitdb": write_mitdb,
    "qtdb": write_qtdb,
    "ludb": write_ludb,
    "cinc2017": write_cinc2017,
    "ltafdb": write_ltafdb,
}


@pytest.fixture
def data(tmp_path: Path, empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that ECTOPY_DATA names, with a small copy of every database."""
    for name, write in WRITERS.items():
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        write(folder)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


def test_the_databases_are_those_that_have_a_writer():
    assert set(DATABASES) == set(WRITERS)


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("mitdb", list(DS1[:2])),
        ("qtdb", ["sel116", "sel223", "sele0104"]),
        ("ludb", ["1", "2", "3", "10", "11", "12"]),
        ("cinc2017", ["A00001", "A00004", "A00009"]),
        ("ltafdb", ["00", "100"]),
    ],
)
def test_records_with_labels_come_in_order_from_the_folder_of_the_user(data: Path, name: str, records: list[str]):
    assert find_database(name) == data / name
    labelled = list(read_database(name))
    assert [labelled.name for labelled in labelled] == records
    assert {one.database for one in labelled} == {name}
    assert [labelled.name for labelled in read_database(name, data / name)] == records


@pytest.mark.parametrize(("name", "rate_hz"), [("mitdb", 360.0), ("qtdb", 250.0), ("ltafdb", 128.0)])
def test_beats_and_rhythms_are_told_from_other_marks(data: Path, name: str, rate_hz: float):
    for labelled in read_database(name):
        np.testing.assert_allclose(labelled.beats.times_s, np.array([100, 200, 400]) / rate_hz)
        assert labelled.beats.symbols.tolist() == ["N", "V", "A"]
        assert labelled.beats.classes.tolist() == ["N", "V", "S"]
        assert labelled.beats.is_normal.tolist() == [True, False, False]
        assert labelled.rhythms.names == ("N", "AFIB")
        moments = np.array([0, 10, 449, 450]) / rate_hz
        assert labelled.rhythms.at(moments).tolist() == ["", "N", "N", "AFIB"]


def test_the_signal_is_there_except_of_the_long_term_database(data: Path):
    for name in DATABASES:
        for labelled in read_database(name):
            if name == "ltafdb":
                assert labelled.recording is None
                assert labelled.duration_s == 1000.0
            else:
                assert (
                    labelled.duration_s
                    == labelled.recording.duration_s
                    == pytest.approx(500 / labelled.recording.sampling_rate_hz)
                )


def test_a_record_of_the_qt_database_without_a_gain_is_in_mv(data: Path):
    header = data / "qtdb" / "sel116.hea"
    first, *signals = header.read_text(encoding="ascii").splitlines()
    lines = [" ".join([*line.split()[:2], "0", *line.split()[3:]]) for line in signals]
    header.write_text("\n".join([first, *lines]) + "\n", encoding="ascii")
    samples = np.fromfile(data / "qtdb" / "sel116.dat", "<i2").reshape(-1, 2)
    labelled = next(read_database("qtdb"))
    assert labelled.name == "sel116"
    np.testing.assert_allclose(labelled.recording.signal, samples / 200.0, rtol=1e-6)


def test_beats_of_ludb_are_normal_only_in_sinus_rhythm_without_other_beats(data: Path):
    labelled = {one.name: one for one in read_database("ludb")}
    symbols = {name: one.beats.symbols.tolist() for name, one in labelled.items() if one.beats}
    assert symbols == {"1": ["N"], "2": ["Q"], "3": ["Q"], "10": ["N"], "11": ["Q"], "12": ["Q"]}
    beats = labelled["1"].beats
    assert beats.times_s.tolist() == [110 / 500]
    assert labelled["3"].label == "Atrial fibrillation"


def test_a_class_is_the_label_of_a_recording_of_2017(data: Path):
    assert [(one.name, one.label, one.beats) for one in read_database("cinc2017")] == [
        ("A00001", "N", None),
        ("A00004", "A", None),
        ("A00009", "~", None),
    ]


def test_one_record_at_a_time(data: Path):
    (data / "qtdb" / "sele0104.dat").unlink()
    labelled = read_database("qtdb")
    assert [next(labelled).name, next(labelled).name] == ["sel116", "sel223"]
    with pytest.raises(DataError, match=r"sele0104\.dat"):
        next(labelled)


@pytest.mark.parametrize(("name", "record"), [("mitdb", DS1[0]), ("qtdb", "sel116")])
def test_a_record_without_a_single_annotation(data: Path, name: str, record: str):
    write_annotations(data / name / f"{record}.atr", Annotations(np.array([], int), np.array([], str)), 250.0)
    with pytest.raises(DataError, match=f"record {record} has no reference annotations"):
        list(read_database(name))


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_that_is_not_here(name: str, empty_machine: Path, tmp_path: Path):
    assert find_database(name) is None
    with pytest.raises(DatasetUnavailableError, match=f"`ectopy fetch {name}`"):
        read_database(name)
    with pytest.raises(DataError, match="has no labelled record"):
        read_database(name, tmp_path)


def test_an_unknown_database():
    with pytest.raises(SettingError, match="choose one of mitdb, qtdb"):
        read_database("edb")


@pytest.mark.parametrize(
    ("name", "file", "content", "says"),
    [
        ("cinc2017", "REFERENCE.csv", "A00001;N\n", "expected a record and one of N A O ~"),
        ("cinc2017", "REFERENCE.csv", "A00001,X\n", "expected a record and one of N A O ~"),
        ("ltafdb", "00.hea", "00 0 128\n", "states no rate or no length"),
        ("ludb", "1.hea", None, "states no rhythm"),
        ("ltafdb", "00.hea", None, "does not exist"),
        ("qtdb", "sel116.atr", "", "is empty"),
    ],
)
def test_files_that_are_damaged(data: Path, name: str, file: str, content: str | None, says: str):
    path = data / name / file
    if content is not None:
        path.write_text(content, encoding="ascii")
    elif name == "ludb":
        lines = path.read_text(encoding="ascii").splitlines()
        path.write_text("\n".join(line for line in lines if "Rhythm" not in line) + "\n", encoding="ascii")
    else:
        path.unlink()
    with pytest.raises(DataError, match=says):
        list(read_database(name))


# The databases of this machine: whole ones after `ectopy fetch`, or those of a folder


def labelled_here(name: str, most: int | None = None) -> list[LabelledRecording]:
    """The first labelled recordings of a database on this machine, without their signals."""
    if find_database(name) is None:
        pytest.skip(f"{name} is in no folder of {DATA_VARIABLE} and not in the cache")
    return [replace(labelled, recording=None) for labelled in islice(read_database(name), most)]


@pytest.mark.parametrize(
    ("name", "most", "hours", "normal_share"),
    [("mitdb", None, 0.5, 0.85), ("qtdb", None, 0.25, 0.9), ("ludb", None, 10 / 3600, 0.75), ("ltafdb", 4, 24.0, 0.9)],
)
def test_beats_of_a_database(name: str, most: int | None, hours: float, normal_share: float):
    recordings = labelled_here(name, most)
    summary = summarise_sources(recordings)[0]
    assert summary.patients == summary.recordings == len(recordings)
    assert summary.hours / summary.recordings == pytest.approx(hours, rel=0.1)
    assert summary.normal_beats > normal_share * (summary.normal_beats + summary.other_beats)
    for labelled in recordings:
        intervals_s = np.diff(labelled.beats.times_s)
        assert np.all(intervals_s >= 0)
        assert 30 < 60 / np.median(intervals_s) < 160, labelled.name
        assert labelled.beats.times_s[-1] <= labelled.duration_s


def test_classes_of_2017():
    recordings = labelled_here("cinc2017")
    assert {labelled.label for labelled in recordings} == {"N", "A", "O", "~"}
    assert all(9 <= labelled.duration_s <= 61.1 for labelled in recordings)


def test_patients_that_two_databases_share():
    summaries = summarise_sources([*labelled_here("mitdb"), *labelled_here("qtdb")])
    apart = sum(summary.patients for summary in summaries[:-1])
    assert apart - summaries[-1].patients >= 4  # of 114, 116, 223 and 230


@pytest.mark.parametrize(("name", "record"), [("qtdb", "sel114"), ("qtdb", "sel820"), ("ludb", "1")])
def test_labels_lie_on_heartbeats(name: str, record: str):
    """Also where the header has no gain: 200 steps in a millivolt are an ECG of usual height."""
    if find_database(name) is None:
        pytest.skip(f"{name} is in no folder of {DATA_VARIABLE} and not in the cache")
    labelled = next(labelled for labelled in read_database(name) if labelled.name == record)
    early, filtered = filter_twice(labelled.recording.signal, labelled.recording.sampling_rate_hz)
    times_s = cut_beats(filtered, find_heartbeats(early)).times_s
    distances_s = np.abs(times_s[:, None] - labelled.beats.times_s).min(axis=0)
    assert np.mean(distances_s <= 0.15) > 0.99
    assert 0.2 < np.ptp(np.percentile(labelled.recording.signal, [0.5, 99.5])) < 5.0
