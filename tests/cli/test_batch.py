"""The command `detect` on recordings, and what it writes."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pytest

from ectopy import read
from ectopy.analysis import analyse
from ectopy.analysis.shipped_detector import ambulatory_digest, load_ambulatory, load_detector
from ectopy.analysis.verdicts import Hint
from ectopy.cli.batch import Job, expand_jobs
from ectopy.datasets import load_simulated, simulate_recording
from ectopy.files import GENERATOR
from ectopy.formats.recording_files import find_recordings
from ectopy.formats.wfdb_annotations import read_annotations
from ectopy.recording import Recording
from support import wfdb_records
from support.command_line import assert_refused, assert_success


def write_csv(path: Path, recording: Recording) -> Path:
    """The recording as CSV with its unit in the headings and its times."""
    times = np.arange(len(recording.signal)) / recording.sampling_rate_hz
    heading = ",".join(["time", *(f"{lead} (mV)" for lead in recording.leads)])
    np.savetxt(path, np.column_stack([times, recording.signal]), "%.6f", ",", header=heading, comments="")
    return path


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate_recording(420, ectopic={"V": 0.05}, random_state=5, sampling_rate_hz=200.0)


@pytest.fixture(scope="module")
def file(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("recordings") / "patient.csv", recording)


def test_a_recording_gets_its_figures_and_its_results(ectopy, file: Path, recording: Recording, tmp_path: Path):
    done = assert_success(
        ectopy("detect", "ambulatory", file, "-o", tmp_path / "beats.csv", "--json", tmp_path / "figures.json")
    )
    assert "ventricular-like" in done.out
    assert re.search(r"lowest \d+ at 0:0\d:\d\d", done.out)
    assert re.search(r"single \d+, couplets \d+, runs \d+", done.out)
    (figures,) = json.loads((tmp_path / "figures.json").read_text())["recordings"]
    true = int(np.sum(recording.annotations.symbols == "V"))
    assert figures["hints"]["ventricular-like"] == pytest.approx(true, abs=2)
    assert figures["holter"]["ventricular"]["total"] == figures["hints"]["ventricular-like"]
    assert figures["holter"]["variability"]["whole"]["sdnn_ms"] > 0
    assert figures["normal"] + figures["abnormal"] + figures["unreadable"] == figures["beats"]
    lines = (tmp_path / "beats.csv").read_text().splitlines()
    assert len(lines) == figures["beats"] + 1
    assert lines[0] == (
        "beat,position,time_s,rr_s,rr_after_s,verdict,hint,symbol,score,p_value,shape,timing,p_wave,reason,"
        "generator,source,start,sampling_rate_hz,detector"
    )
    rows = [line.split(",") for line in lines[1:]]
    assert [row[4] for row in rows[:-1]] == [row[3] for row in rows[1:]]
    assert rows[0][3] == rows[-1][4] == ""


def test_annotations_open_again_and_say_where_nothing_can_be_read(ectopy, recording: Recording, tmp_path: Path):
    signal = recording.signal.copy()
    signal[60 * 200 : 90 * 200] = np.nan
    file = write_csv(tmp_path / "gap.csv", replace(recording, signal=signal))
    assert_success(ectopy("detect", "ambulatory", file, "-o", tmp_path / "gap.ecto"))
    marks = read_annotations(tmp_path / "gap.ecto")
    noise = marks.positions[marks.symbols == "~"] / 200
    assert noise.tolist() == pytest.approx([60, 90], abs=2)
    assert marks.subtypes[marks.symbols == "~"].tolist() == [-1, 0]
    assert set(marks.symbols) <= set("NVSQ?~")
    inside = (marks.positions > 61 * 200) & (marks.positions < 89 * 200)
    assert not np.isin(marks.symbols[inside], list("NVSQ")).any()


def test_json_results_hold_beats_events_and_statements(ectopy, file: Path, tmp_path: Path):
    assert ectopy("detect", "ambulatory", file, "-o", tmp_path / "all.json").status == 0
    whole = json.loads((tmp_path / "all.json").read_text())
    assert len(whole["beat_list"]) == whole["beats"]
    assert len(whole["event_list"]) == sum(whole["events"].values())
    assert any("not a cleared medical device" in sentence.lower() for sentence in whole["statements"])
    flagged = [row for row in whole["beat_list"] if row["hint"] == Hint.VENTRICULAR]
    assert all("Score" in row["reason"] for row in flagged)
    for family in whole["families"]:
        members = [row for row in whole["beat_list"] if row.get("family") == family["family"]]
        assert {row["hint"] for row in members} == {family["hint"]}
        assert (len(members), members[0]["time_s"]) == (family["beats"], family["first_s"])


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short EDF recording that says when it began."""
    recording = simulate_recording(40, sampling_rate_hz=256, rate_bpm=72)
    signal = edfio.EdfSignal(recording.signal[:, 0].astype(float), 256, label="ECG II", physical_dimension="mV")
    origin = edfio.Recording(startdate=date(2021, 3, 4))
    path = tmp_path_factory.mktemp("dated") / "holter.edf"
    edfio.Edf([signal], recording=origin, starttime=time(5, 6, 7)).write(path)
    return path


def test_results_say_where_they_come_from(ectopy, dated: Path, tmp_path: Path):
    for end in ("csv", "json", "edf"):
        assert_success(ectopy("detect", dated, "-o", tmp_path / f"beats.{end}", "--json", tmp_path / "figures.json"))
    (figures,) = json.loads((tmp_path / "figures.json").read_text())["recordings"]
    whole = json.loads((tmp_path / "beats.json").read_text())
    table = pd.read_csv(tmp_path / "beats.csv")
    assert len(table) == whole["beats"] > 40
    for origin in (figures, whole, table.iloc[0], table.iloc[-1]):
        assert origin["source"] == str(dated)
        assert origin["start"] == "2021-03-04T05:06:07"
        assert origin["sampling_rate_hz"] == 256
        assert origin["detector"] == ambulatory_digest()
        assert origin["generator"] == GENERATOR
    assert {"ectopy", "numpy", "scipy", "ai-edge-litert", "python"} == whole["versions"].keys()
    written = edfio.read_edf(tmp_path / "beats.edf")
    assert written.startdatetime == datetime(2021, 3, 4, 5, 6, 7)
    assert written.recording.equipment_code == GENERATOR.replace(" ", "_")
    assert written.recording.additional == ("256_Hz", "holter.edf")
    assert [mark.onset for mark in written.annotations] == pytest.approx(table["time_s"].tolist(), abs=1 / 256)


@pytest.mark.parametrize("command", ["detect", "report"])
@pytest.mark.parametrize("count", [1, 2])
def test_results_are_written_on_this_machine(
    ectopy, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, count: int
):
    monkeypatch.chdir(tmp_path)
    other = Path(shutil.copy(file, "other.csv"))
    place = "s3://bucket/results" if count == 2 else "s3://bucket/results.html"
    done = ectopy(command, *[file, other][:count], "-o", place)
    assert_refused(done, f"cannot write {place}: results are written on this machine")
    assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]


def test_the_detector_is_found_wherever_it_stands(ectopy, dated: Path, bundle: Path, beats_file: Path):
    for arguments in ((dated,), (dated, "ambulatory"), ("ambulatory", dated), (dated, "--target-fpr", "0.02")):
        done = assert_success(ectopy("detect", *arguments, "--json", "-"))
        (figures,) = json.loads(done.out)["recordings"]
        assert figures["detector"] == ambulatory_digest()
    for arguments in ((bundle, beats_file), (beats_file, bundle)):
        done = ectopy("detect", *arguments, "--json", "-")
        assert json.loads(done.out)["beats"] == 20


@pytest.fixture
def beats_file(tmp_path: Path) -> Path:
    np.save(tmp_path / "beats.npy", load_simulated("test").samples[:20])
    return tmp_path / "beats.npy"


def test_what_is_missing_beside_a_detector_is_said(ectopy, bundle: Path):
    for name in ("ambulatory", bundle, "gone.ectopy"):
        assert_refused(ectopy("detect", name), f"ectopy detect {name} holter.edf")


def test_the_shipped_detector_has_a_name_in_every_command(ectopy):
    facts = json.loads(ectopy("info", "ambulatory", "--json", "-").out)
    assert facts["bundle_digest"] == ambulatory_digest()
    assert load_detector("ambulatory").recordings is not None
    assert ectopy("evaluate", "ambulatory", "simulated").status == 2


def test_results_of_several_recordings_need_a_folder(ectopy, dated: Path, tmp_path: Path):
    other = shutil.copy(dated, tmp_path / f"other{dated.suffix}")
    for option, name in (("--report", "page.html"), ("-o", "beats.csv"), ("-o", "beats.JSON")):
        assert_refused(ectopy("detect", "ambulatory", dated, other, option, tmp_path / name), "folder")
        assert not (tmp_path / name).exists()


def test_a_recording_named_twice_is_judged_once(ectopy, dated: Path):
    done = assert_success(ectopy("detect", dated, dated, "--json", "-"))
    assert len(json.loads(done.out)["recordings"]) == 1


@pytest.mark.parametrize("name", ["beats.csv", "beats.json", "page.html"])
def test_results_are_no_recording(ectopy, dated: Path, tmp_path: Path, name: str):
    option = "--report" if name.endswith(".html") else "-o"
    assert_success(ectopy("detect", dated, option, tmp_path / name))
    for command in ("detect", "inspect"):
        assert_refused(ectopy(command, tmp_path / name), name, "holds results of Ectopy, not a recording")


def test_mains_hum_can_be_removed(ectopy, dated: Path):
    done = assert_success(ectopy("detect", dated, "--notch", 50, "--json", "-"))
    (figures,) = json.loads(done.out)["recordings"]
    assert figures["holter"]["waves"]["intervals_ms"]["qrs_ms"] is not None


def test_what_is_written_of_one_recording_goes_into_a_folder_that_exists(ectopy, dated: Path, tmp_path: Path):
    folder = tmp_path / "out"
    folder.mkdir()
    assert_success(ectopy("detect", dated, "-o", folder, "--report", folder))
    assert_success(ectopy("report", dated, "-o", folder))
    names = {f"{dated.stem}.csv", f"{dated.stem}.html"}
    assert names <= {path.name for path in folder.iterdir()} <= names | {f"{dated.stem}.pdf"}
    (folder / f"{dated.stem}.csv").write_text("somebody else's")
    assert_refused(ectopy("detect", dated, "-o", folder), f"{dated.stem}.csv")
    assert (folder / f"{dated.stem}.csv").read_text() == "somebody else's"


def test_a_bad_file_is_named_and_does_not_stop_the_others_whose_tables_can_be_put_together(
    ectopy, recording: Recording, tmp_path: Path
):
    short = replace(recording, signal=recording.signal[: 60 * 200], annotations=None)
    first, second = (write_csv(tmp_path / f"{name}.csv", short) for name in ("first", "second"))
    bad = tmp_path / "bad.csv"
    bad.write_text("II (mV)\nnot a number\n")
    outputs = ("-o", tmp_path / "out", "--json", tmp_path / "figures.json")
    assert_refused(ectopy("detect", "ambulatory", first, bad, second, *outputs), "bad.csv", out=None)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert len(figures["recordings"]) == 2
    assert list(figures["failed"]) == [str(bad)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["first.csv", "second.csv"]
    tables = pd.concat(map(pd.read_csv, (tmp_path / "out").iterdir()))
    assert set(tables["source"]) == {str(first), str(second)}


def test_several_bad_files_are_one_sentence(ectopy, tmp_path: Path):
    done = ectopy("detect", "ambulatory", tmp_path / "one.edf", tmp_path / "two.edf")
    assert_refused(done, "one.edf")
    assert ".; " not in done.err
    assert done.err.endswith(".\n")


def test_a_folder_gives_results_of_each_of_its_recordings(ectopy, recording: Recording, tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    short = replace(recording, signal=recording.signal[: 60 * 200], annotations=None)
    for name in ("one", "two"):
        wfdb_records.write_record(folder, name, short)
    (folder / "notes.txt").write_text("no recording")
    assert_success(ectopy("detect", "ambulatory", folder, "-o", tmp_path / "out", "--report", tmp_path / "pages"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.csv", "two.csv"]
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == ["one.html", "two.html"]


def test_a_saved_baseline_is_used_for_the_next_recording(ectopy, file: Path, tmp_path: Path):
    saved = tmp_path / "patient.npz"
    assert ectopy("detect", "ambulatory", file, "--save-baseline", saved).status == 0
    done = ectopy("detect", "ambulatory", file, "--baseline", saved)
    assert "was given" in done.out


def test_noise_has_no_rate_and_no_verdict(ectopy, tmp_path: Path):
    noise = np.random.default_rng(0).normal(size=(200 * 100, 1)).astype(np.float32)
    file = write_csv(tmp_path / "noise.csv", Recording(noise, 200.0, ("II",)))
    assert_success(ectopy("detect", "ambulatory", file, "--json", tmp_path / "figures.json"))
    (figures,) = json.loads((tmp_path / "figures.json").read_text())["recordings"]
    assert figures["median_rate_bpm"] is None
    assert figures["normal"] == figures["abnormal"] == 0
    assert figures["events"] == {}


def test_what_cannot_be_done_is_said_in_one_sentence(ectopy, file: Path, bundle: Path, tmp_path: Path):
    text = tmp_path / "notes.txt"
    text.write_text("no recording")
    numbers = tmp_path / "numbers.npy"
    np.save(numbers, np.zeros((1000, 1)))
    other = shutil.copy(file, tmp_path / "other.csv")
    for arguments, words in (
        (("ambulatory", tmp_path / "gone.hea"), "gone.hea"),
        (("ambulatory", text), "notes.txt"),
        (("ambulatory", numbers), "--unit"),
        (("ambulatory", numbers, "--unit", "mV"), "--rate"),
        (("ambulatory", tmp_path), "holds no recordings"),
        (("ambulatory", file, "-o", tmp_path / "results.xlsx"), "results.xlsx"),
        (("ambulatory", file, "-o", tmp_path / "nowhere" / "beats.csv"), "nowhere"),
        (("ambulatory", file, "--notch", "400"), "notch"),
        (("ambulatory", file, other, "--save-baseline", tmp_path / "b.npz"), "one patient"),
        ((bundle, file, other), "one data set"),
        ((bundle, "holter.edf"), "'ambulatory' takes recordings"),
        ((tmp_path / "gone.ectopy", file), "gone.ectopy"),
        (("ambulatory", file, "--target-fpr", "0.00001"), "1e-05"),
        ((tmp_path / "nothing.csv",), "nothing.csv does not exist"),
    ):
        assert_refused(ectopy("detect", *arguments), words)


def test_reading_and_analysing_take_three_lines_of_python(file: Path):
    recording = read(file)
    analysis = analyse(recording, load_ambulatory())
    assert analysis.abnormal.sum() > 5


@pytest.fixture(scope="module")
def short() -> Recording:
    return replace(simulate_recording(20, sampling_rate_hz=250.0, leads=1, random_state=1), annotations=None)


@pytest.mark.parametrize(
    ("layout", "suffix", "listed"), [("", ".hea", "one"), ("layout 0\n", ".hea", "one"), ("", ".HEA", "ONE")]
)
def test_segments_in_a_folder_belong_to_their_record(
    tmp_path: Path, short: Recording, layout: str, suffix: str, listed: str
):
    for name in ("one", "two", "alone"):
        wfdb_records.write_record(tmp_path, name, short)
    (tmp_path / "layout.hea").write_text("layout 1 250 0\n~ 0 1000 16 0 0 0 0 MLII\n")
    whole = f"whole/{3 if layout else 2} 1 250 10000\n{layout}{listed} 5000\ntwo 5000\n"
    (tmp_path / f"whole{suffix}").write_text(whole)
    (tmp_path / "broken.hea").write_text("no header at all\n")
    names = [path.name for path in find_recordings([tmp_path])]
    unlisted = [] if layout else ["layout.hea"]
    assert names == ["alone.hea", "broken.hea", *unlisted, f"whole{suffix}"]
    assert find_recordings([tmp_path / "one.hea"]) == [tmp_path / "one.hea"]


def test_a_record_that_lists_itself_stays(tmp_path: Path):
    (tmp_path / "rec.hea").write_text("rec/1 1 250 100\nrec 100\n")
    assert find_recordings([tmp_path]) == [tmp_path / "rec.hea"]


def test_recordings_of_one_name_have_results_of_their_own(ectopy, tmp_path: Path, short: Recording):
    folders = [tmp_path / "a", tmp_path / "b"]
    for number, folder in enumerate(folders, start=1):
        folder.mkdir()
        wfdb_records.write_record(folder, "100", replace(short, signal=short.signal[: number * 2000]))
    wfdb_records.write_record(folders[1], "100-2", short)
    output, report = tmp_path / "results", tmp_path / "pages"
    assert_success(
        ectopy("detect", "ambulatory", *folders, "-o", output, "--report", report, "--json", tmp_path / "all.json")
    )
    summaries = json.loads((tmp_path / "all.json").read_text())["recordings"]
    sources = [Path(each["source"]) for each in summaries]
    assert [source.parent.name + source.stem for source in sources] == ["a100", "b100-2", "b100"]
    counts = [len((output / f"{name}.csv").read_text().splitlines()) - 1 for name in ("100", "100-2", "100-3")]
    assert counts == [each["beats"] for each in summaries]
    assert len(set(counts)) == 3
    assert sorted(page.name for page in report.iterdir()) == ["100-2.html", "100-3.html", "100.html"]


@pytest.mark.parametrize("names", [("a.hea", "a.edf"), ("a.edf", "A.EDF"), ("x/a.bdf", "y/a.bdf"), ("a.edf", "a.edf")])
def test_no_two_recordings_share_a_file(tmp_path: Path, names: tuple[str, str]):
    sources = [Path(name) for name in names]
    jobs = expand_jobs(Job(Path(), "ambulatory"), sources, tmp_path / "results", tmp_path / "pages")
    for kind in ("results", "report"):
        files = [getattr(job, kind).name.casefold() for job in jobs]
        assert len(set(files)) == 2
    assert [job.recording for job in jobs] == sources
