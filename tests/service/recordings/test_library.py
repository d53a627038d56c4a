"""Recordings are stored, analysed one after the other, corrected and deleted; and bad ones rejected."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis import analyse
from ectopy.analysis.beat_families import find_families
from ectopy.analysis.corrections import BeatLabel, ChooseStrip, Corrections, Relabel, WriteConclusion
from ectopy.analysis.minute_waves import measure_minutes
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording
from ectopy.datasets.builtin_recordings import builtin_names, load_builtin
from ectopy.datasets.simulated import Episode
from ectopy.errors import DataError, NotFoundError, SettingError, StorageError
from ectopy.files import write_text
from ectopy.monitor.codec import encode
from ectopy.recording import Patient, PulseWave
from ectopy.service.recordings import Library, Status, StoredRecording
from ectopy.service.recordings.result import (
    Findings,
    Result,
    finite_values,
    load_result,
    positions_between,
    save_result,
)
from ectopy.service.recordings.stored_corrections import corrections_path, save_corrections
from ectopy.service.recordings.stored_recording import RESULT, report_name
from support.corrected_beats import ANALYSIS
from support.uploads import NO_NAMES, RATE_HZ, csv, upload
from support.waiting import until


def wait_for(library: Library, id: str, when: Callable[[StoredRecording], bool]) -> StoredRecording:
    until(lambda: when(library.entry(id)))
    return library.entry(id)


def finished(entry: StoredRecording) -> bool:
    return entry.status in (Status.ANALYSED, Status.FAILED)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "recordings")
    library.start()
    yield library
    library.stop()


def test_upload_is_analysed_and_shown(library):
    seconds = 120
    entry = library.add([upload("Ada's.csv", csv(seconds, ectopic={"V": 0.1}))], RATE_HZ, "mV")
    assert entry.status is Status.WAITING
    entry = wait_for(library, entry.id, finished)
    assert (entry.error, entry.status, entry.progress) == ("", Status.ANALYSED, 1.0)
    result = library.result(entry.id)
    assert result.summary["source"] == "Ada's.csv"
    assert result.summary["duration_s"] == seconds
    assert "Ada&#39;s.csv" in library.document(entry.id, report_name()).read_text()
    whole = result.signal(0, seconds, 200)
    assert len(whole["low"]) == len(whole["leads"]) == 2
    assert whole["beats_there"] == len(whole["beats"]) == result.summary["beats"]
    beat = whole["beats"][10]
    near = result.signal(beat["time_s"] - 0.05, beat["time_s"] + 0.05, 100)
    assert near["step_s"] == 1 / RATE_HZ
    assert [beat["position"] for beat in near["beats"]] == [beat["position"]]
    assert near["samples"][0][round((beat["time_s"] - near["start_s"]) * RATE_HZ)] > 0.3
    trend = result.trend(60)
    assert trend["time_s"] == [0, 60]
    assert sum(trend["beats"]) == result.summary["beats"]
    assert sum(trend["abnormal"]) == result.summary["abnormal"] > 0
    assert 50 < trend["heart_rate_bpm"][0] < 90
    assert len(result.beat_rows(0, 1e9, 5)) == 5
    library.delete(entry.id)
    with pytest.raises(NotFoundError, match="no recording"):
        library.entry(entry.id)
    assert library.entries() == []


def test_too_large_uploads_are_refused_and_nothing_is_left(tmp_path):
    library = Library(tmp_path / "recordings", largest_bytes=1000)
    with pytest.raises(DataError, match="at most"):
        library.add([upload("a.csv", b"x" * 1001)])
    assert library.entries() == []
    assert list((tmp_path / "recordings").iterdir()) == []


def test_an_interrupted_analysis_is_repeated_after_a_restart(tmp_path):
    first = Library(tmp_path)
    first.start()
    entry = first.add([upload("a.csv", csv(40))], RATE_HZ, "mV")
    wait_for(first, entry.id, lambda entry: entry.status is Status.ANALYSING)
    first.stop()
    # As an upload leaves it that was cut off.
    shutil.copytree(tmp_path / entry.id, tmp_path / ".part-0123456789abcdef")
    # A report on the analysis before, whose figures may differ where its labels do not.
    outdated = tmp_path / entry.id / "documents" / "digest-1" / report_name()
    outdated.parent.mkdir(parents=True)
    outdated.touch()
    second = Library(tmp_path)
    assert [entry.status for entry in second.entries()] == [Status.WAITING]
    assert [path.name for path in tmp_path.iterdir()] == [entry.id]
    second.start()
    assert wait_for(second, entry.id, finished).error == ""
    assert not outdated.exists()
    second.stop()
    third = Library(tmp_path)
    assert [entry.status for entry in third.entries()] == [Status.ANALYSED]
    assert third.result(entry.id).summary["duration_s"] == 40


@pytest.mark.parametrize("stored", [["beats.msgpack"], ["recording.msgpack", "analysis.msgpack", "minutes.msgpack"]])
def test_a_result_of_an_earlier_version_is_to_be_analysed_again(tmp_path, stored):
    """Whether it lacks a file, or the types in its files were other ones."""
    library = Library(tmp_path)
    entry = library.add([upload("a.csv", csv(40))], RATE_HZ, "mV")
    (tmp_path / entry.id / RESULT).mkdir()
    for name in stored:
        (tmp_path / entry.id / RESULT / name).write_bytes(msgspec.msgpack.encode({"beats": 3}))
    write_text(tmp_path / entry.id / "entry.json", msgspec.json.encode(replace(entry, status=Status.ANALYSED)).decode())
    library = Library(tmp_path)
    with pytest.raises(DataError, match="analysed by an earlier version of Ectopy; analyse it again"):
        library.result(entry.id)
    assert library.entry(entry.id).status is Status.FAILED
    waiting = library.analyse_again(entry.id)
    assert (waiting.status, waiting.error) == (Status.WAITING, "")


def test_a_result_is_read_as_it_was_written(tmp_path):
    """Every bit of the analysis, and what a file says of its recording."""
    start = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    recording = replace(
        simulate_recording(40, sampling_rate_hz=RATE_HZ, random_state=3),
        start=start,
        patient=Patient("Ada", birth_date=date(1960, 1, 1)),
        pulses=(PulseWave("PLETH", "NU", 125.0, np.arange(5000, dtype=np.float32)),),
    )
    analysis = analyse(recording, load_ambulatory())
    save_result(tmp_path, recording, analysis, measure_minutes(recording, analysis))
    result = load_result(tmp_path)
    assert encode(result.analysis) == encode(analysis)
    assert encode(replace(result.recording, start=None)) == encode(replace(recording, start=None))
    assert result.recording.start.isoformat() == "2026-03-01T09:30:00+02:00"
    assert result.summary["start"] == "2026-03-01T09:30:00+02:00"
    assert isinstance(result.analysis.beats.samples, np.memmap)
    # What is stored with it is what follows from it.
    for name in Findings._fields:
        assert name in result.__dict__
        fresh = Result(**{field.name: getattr(result, field.name) for field in fields(Result)})
        assert encode(getattr(result, name)) == encode(getattr(fresh, name)), name
    concluded = result.corrected(result.corrections.followed_by(WriteConclusion("Sinus rhythm."), "Ada", start))
    assert concluded.families is result.families
    labelled = result.corrected(
        result.corrections.followed_by(Relabel((int(analysis.positions[3]),), BeatLabel.OTHER), "Ada", start)
    )
    assert labelled.beat_sizes is result.beat_sizes
    again = find_families(labelled.analysis.beats, labelled.analysis.hint)
    assert encode(labelled.families) == encode(again) != encode(result.families)


def test_a_correction_that_cannot_be_written_is_a_problem_of_the_disk(tmp_path):
    corrections = Corrections("digest")
    corrections_path(tmp_path, "digest").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be stored, and nothing changed"):
        save_corrections(tmp_path, corrections)
    with pytest.raises(NotFoundError, match="deleted"):
        save_corrections(tmp_path / "none", corrections)


def test_a_stretch_from_beat_to_beat_includes_both_as_their_times_are_rounded():
    beats = replace(ANALYSIS.beats, times_s=ANALYSIS.positions / 360)
    analysis = replace(ANALYSIS, beats=beats)
    for first in range(len(analysis) - 2):
        start_s, _, end_s = finite_values(beats.times_s[first : first + 3])
        stretch = tuple(analysis.positions[first : first + 3].tolist())
        assert positions_between(analysis, start_s, end_s) == stretch
        assert positions_between(analysis, beats.times_s[first], beats.times_s[first + 2]) == stretch


def test_a_correction_is_stored_whole_or_not_at_all(tmp_path, monkeypatch):
    """The process is killed while it writes: the file of before is there, and nothing else counts."""
    recording = simulate_recording(40, sampling_rate_hz=RATE_HZ, random_state=3)
    analysis = analyse(recording, load_ambulatory())
    library = Library(tmp_path)
    entry = library.add([upload("a.csv", csv(1))], RATE_HZ, "mV")
    (tmp_path / entry.id / RESULT).mkdir()
    save_result(tmp_path / entry.id / RESULT, recording, analysis, measure_minutes(recording, analysis))
    stored = msgspec.json.encode(replace(entry, status=Status.ANALYSED)).decode()
    write_text(tmp_path / entry.id / "entry.json", stored)

    library = Library(tmp_path)
    seen = library.result(entry.id).version
    corrected = library.correct(entry.id, seen, "Ada", lambda result: WriteConclusion("Before."))
    script = (
        "import os, sys; from pathlib import Path; from ectopy.analysis.corrections import WriteConclusion\n"
        "from ectopy.service.recordings import Library\n"
        "Path.replace = lambda *paths: os._exit(9)\n"
        "library = Library(Path(sys.argv[1])); result = library.result(sys.argv[2])\n"
        "library.correct(sys.argv[2], result.version, 'Bob', lambda result: WriteConclusion('After.'))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path), entry.id], check=False)
    assert killed.returncode == 9
    again = Library(tmp_path).result(entry.id)
    assert (again.version, again.corrections.conclusion) == (corrected.version, "Before.")
    # The same labels after another analysis: the corrections hold.
    shutil.rmtree(tmp_path / entry.id / RESULT)
    (tmp_path / entry.id / RESULT).mkdir()
    save_result(tmp_path / entry.id / RESULT, recording, analysis, measure_minutes(recording, analysis))
    assert Library(tmp_path).result(entry.id).version == corrected.version

    # Damaged ones are neither ignored nor shown with their path.
    log_file = library.corrections_file(entry.id)
    content = log_file.read_bytes()
    log_file.write_bytes(content[:-9])
    with pytest.raises(DataError, match="the corrections of this recording cannot be read; who runs"):
        Library(tmp_path).result(entry.id)
    log_file.write_bytes(content)

    monkeypatch.setattr("ectopy.service.recordings.stored_corrections.MOST_STRIPS", 0)
    with pytest.raises(DataError, match="at most 0 strips"):
        library.correct(entry.id, corrected.version, "Ada", lambda result: ChooseStrip(1, 2))
    monkeypatch.setattr("ectopy.service.recordings.stored_corrections.MOST_CORRECTIONS", 1)
    with pytest.raises(DataError, match="at most 1 corrections"):
        library.correct(entry.id, corrected.version, "Ada", lambda result: WriteConclusion("More."))
    library.delete(entry.id)
    assert list(tmp_path.iterdir()) == []


def test_a_result_stays_until_another_analysis_has_succeeded(tmp_path):
    """Whoever corrects goes on meanwhile; where the analysis fails, the entry says why."""
    library = Library(tmp_path)
    library.start()
    entry = library.add([upload("a.csv", csv(40))], RATE_HZ, "mV")
    assert wait_for(library, entry.id, finished).error == ""
    seen = library.result(entry.id).version
    folder = tmp_path / entry.id
    samples = folder / "files" / "recording.csv"
    intact = samples.read_bytes()

    samples.write_bytes(b"time,II\n0,what\n")
    waiting = library.analyse_again(entry.id)
    assert (waiting.status, waiting.is_analysed) == (Status.WAITING, True)
    corrected = library.correct(entry.id, seen, "Ada", lambda result: WriteConclusion("Meanwhile."))
    failed = wait_for(library, entry.id, finished)
    assert failed.status is Status.ANALYSED
    assert failed.error.startswith("it could not be analysed again, and the analysis before is kept: a.csv")
    assert library.result(entry.id).version == corrected.version
    assert library.document(entry.id, report_name()).is_file()
    library.stop()

    # The process ended after the former result was moved, and before the new one was.
    (folder / RESULT).rename(folder / "former")
    write_text(folder / "entry.json", msgspec.json.encode(replace(failed, status=Status.ANALYSING)).decode())
    library = Library(tmp_path)
    assert library.result(entry.id).version == corrected.version
    library.start()
    assert wait_for(library, entry.id, finished).status is Status.ANALYSED

    samples.write_bytes(intact)
    before = library.result(entry.id)
    library.analyse_again(entry.id)
    again = wait_for(library, entry.id, finished)
    assert (again.error, again.analyses) == ("", failed.analyses + 1)
    assert library.result(entry.id) is not before
    assert library.result(entry.id).corrections.conclusion == "Meanwhile."
    assert {path.name for path in folder.iterdir()} == {"corrections", "entry.json", "files", RESULT}
    library.stop()


def test_rows_of_events_episodes_and_families(tmp_path):
    episodes = [Episode("ventricular_tachycardia", 40, 5)]
    recording = simulate_recording(90, ectopic={"V": 0.1}, episodes=episodes, random_state=5)
    analysis = analyse(recording, load_ambulatory())
    save_result(tmp_path, recording, analysis, measure_minutes(recording, analysis))
    result = load_result(tmp_path)
    events = result.event_rows()
    assert sorted(event["rank"] for event in events) == list(range(1, len(events) + 1))
    assert [event["start_s"] for event in events] == sorted(event["start_s"] for event in events)
    assert next(event for event in events if event["rank"] == 1)["kind"] == "ventricular run"
    rhythms = result.episode_rows()
    assert [later["start_s"] for later in rhythms[1:]] == [earlier["end_s"] for earlier in rhythms[:-1]]
    families = result.family_rows()
    beats = result.beat_rows(0, 1e9, 10_000)
    assert [family["beats"] for family in families] == [
        sum(beat["family"] == family["family"] for beat in beats) for family in families
    ]
    for family in families:
        forwards = result.family_beats(family["family"], 0, 1e9, 10_000, backwards=False)
        assert [beats[beat]["position"] for beat in forwards["beats"]] == forwards["positions"]
        assert {beats[beat]["family"] for beat in forwards["beats"]} == {family["family"]}
        assert forwards["total"] == family["beats"]
        backwards = result.family_beats(family["family"], 0, 1e9, 1, backwards=True)
        assert (backwards["beats"], backwards["total"]) == (forwards["beats"][-1:], family["beats"])
    with pytest.raises(NotFoundError, match=f"numbered from 1 to {len(families)}"):
        result.family_beats(len(families) + 1, 0, 1, 1, backwards=False)


def test_analysis_that_takes_too_long_is_ended(tmp_path):
    library = Library(tmp_path / "recordings", time_limit_s=0.2)
    library.start()
    entry = library.add([upload("a.csv", csv(10))], RATE_HZ, "mV")
    entry = wait_for(library, entry.id, finished)
    assert "more than 0.2 s" in entry.error
    assert not (tmp_path / "recordings" / entry.id / RESULT).exists()
    library.stop()


def test_a_recording_deleted_from_the_disk_stops_no_other(tmp_path):
    library = Library(tmp_path, time_limit_s=60)
    missing, damaged = (library.add([upload("a.csv", content)], RATE_HZ, "mV") for content in (csv(10), b"I\n"))
    shutil.rmtree(tmp_path / missing.id)
    library.start()
    assert wait_for(library, damaged.id, finished).error
    assert library.entry(missing.id).status is Status.FAILED
    library.stop()


def test_id_is_never_a_path(library):
    for id in ("..", "../..", "a", "", "0" * 16, "/etc"):
        with pytest.raises(NotFoundError, match="no recording"):
            library.entry(id)


# Names


def test_named_recordings():
    assert load_builtin("simulated").duration_s == 1800
    for name in ("", "mitdb", "mitdb/../../etc", "ecg5000/1", "/etc/passwd"):
        with pytest.raises(SettingError):
            load_builtin(name)


def test_names_are_of_recordings_on_this_machine(empty_machine, tmp_path):
    assert builtin_names() == ("simulated",)
    folder = empty_machine / "mitdb"
    folder.mkdir(parents=True)
    for name in ("101.hea", "101.dat", "101.atr", "102.hea", "passwd.hea", "passwd.dat", "passwd.atr"):
        (folder / name).touch()
    assert builtin_names() == ("simulated", "mitdb/101")


@pytest.mark.parametrize("name", NO_NAMES)
def test_unknown_names_are_rejected(library, tmp_path, name):
    with pytest.raises(SettingError, match="no recording"):
        library.add_builtin(name)
    assert library.entries() == []
    assert list((tmp_path / "recordings").iterdir()) == []


@given(st.text("./\\~a01\0 :mitdbsul\n", max_size=24))
def test_only_a_name_names_a_recording(name):
    with pytest.raises(SettingError):
        load_builtin(name)


def test_a_named_recording_is_analysed_by_the_same_worker(library):
    entry = wait_for(library, library.add_builtin("simulated").id, finished)
    assert (entry.name, entry.error, entry.status) == ("simulated", "", Status.ANALYSED)
    result = library.result(entry.id)
    assert result.summary["source"] == "simulated"
    np.testing.assert_array_equal(result.recording.signal, load_builtin("simulated").signal)
    assert "simulated" in library.document(entry.id, report_name()).read_text()


def test_there_is_room_for_so_many_recordings(tmp_path, monkeypatch):
    monkeypatch.setattr("ectopy.service.recordings.library.MOST_RECORDINGS", 1)
    library = Library(tmp_path)
    library.add_builtin("simulated")
    for add in (lambda: library.add_builtin("simulated"), lambda: library.add([upload("a.csv", b"I\n0\n")])):
        with pytest.raises(StorageError, match="1 recordings already"):
            add()


def test_each_key_has_its_share_of_the_room(tmp_path, monkeypatch):
    monkeypatch.setattr("ectopy.service.recordings.library.MOST_RECORDINGS", 4)
    library = Library(tmp_path / "recordings")
    for _ in range(2):
        library.add([upload("a.csv", csv(1))], key=1)
    with pytest.raises(StorageError, match="with this key there are 2 recordings already"):
        library.add([upload("a.csv", csv(1))], key=1)
    for _ in range(2):
        library.add([upload("a.csv", csv(1))], key=2)
    with pytest.raises(StorageError, match="there are 4 recordings already"):
        library.add([upload("a.csv", csv(1))], key=3)


@pytest.mark.parametrize("restarted", [False, True])
def test_bytes_of_recordings_are_limited_in_all_and_of_each_key(tmp_path, restarted):
    content = csv(10)
    library = Library(tmp_path / "recordings", most_bytes=3 * len(content))
    for _ in range(2):
        library.add([upload("a.csv", content)], key=1)
    if restarted:
        library = Library(tmp_path / "recordings", most_bytes=3 * len(content))
    with pytest.raises(StorageError, match="with this key there are recordings of"):
        library.add([upload("a.csv", content)], key=1)
    library.add([upload("a.csv", content)], key=2)
    with pytest.raises(StorageError, match="there are recordings of"):
        library.check_room(key=3)
