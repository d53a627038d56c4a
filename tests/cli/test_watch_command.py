"""`ectopy watch`: a recording, or lines on standard input, as they come; what is told of them, and the page."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy import __version__
from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.shipped_detector import ambulatory_digest
from ectopy.cli.watch_options import WatchOptions
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import DataError, SettingError
from ectopy.formats.leads import Stated
from ectopy.formats.sample_stream import SampleLines
from ectopy.monitor import (
    AlarmChanged,
    Chunk,
    Event,
    InputRejected,
    Limits,
    Monitor,
    MonitorState,
    Notice,
    QualityChanged,
    Tick,
)
from ectopy.monitor.conditions import Priority
from ectopy.monitor.input_sources import from_lines, from_recording, watch
from ectopy.monitor.replay import paced
from ectopy.recording import Recording
from ectopy.report import alarm_strips
from support.command_line import assert_refused, assert_success
from support.html_page import assert_sound
from support.pulses import with_pulses
from support.waiting import PATIENCE_S

RATE_HZ = 128.0
STATED = ("--rate", 128, "--unit", "mV")
USUAL = (*STATED, "--learning", 30)


@pytest.fixture(scope="module")
def recording() -> Recording:
    """A learned normal, a tachycardia, a heart that stands still, and a loose electrode."""
    episodes = [Episode("ventricular_tachycardia", 34, 6), Episode("asystole", 49, 7), Episode("lead_off", 64, 13)]
    return simulate_recording(80, sampling_rate_hz=RATE_HZ, episodes=episodes, random_state=5)


@pytest.fixture(scope="module")
def file(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watch") / "a bed.npy"
    np.save(path, recording.signal)
    return path


def lines_of(*arguments: object) -> list[str]:
    """What the real command writes on standard output."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    return done.stdout.splitlines()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ectopy", "watch", *map(str, arguments)]


# A recording


@pytest.fixture(scope="module")
def told(file: Path) -> list[str]:
    return lines_of(file, *USUAL, "--fast", "--json")


def test_the_events_do_not_depend_on_the_chunks(ectopy, file: Path, told: list[str]):
    assert lines_of(file, *USUAL, "--fast", "--json", "--chunk", 0.01) == told
    assert ectopy("watch", file, *USUAL, "--fast", "--json", "--chunk", 60).out.splitlines() == told


def test_every_event_is_an_object_that_begins_with_its_kind(told: list[str], recording: Recording):
    events = [json.loads(line) for line in told]
    assert all(next(iter(event)) == "kind" for event in events)
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert {event["kind"] for event in events} == {"beat", "quality", "alarm", "noticed"}
    assert all(0 <= event["at_s"] <= recording.duration_s for event in events)
    alarms = [event for event in events if event["kind"] == "alarm"]
    high = {alarm["alarm"]["condition"] for alarm in alarms if alarm["alarm"]["priority"] == "high"}
    assert high >= {"ventricular tachycardia", "asystole"}
    for alarm in alarms:
        assert alarm["software"] == f"ectopy {__version__}"
        assert alarm["bundle"] == ambulatory_digest()


def test_the_command_of_an_alarm_shows_it_again(ectopy, told: list[str]):
    alarms = [json.loads(line) for line in told if line.startswith('{"kind":"alarm"')]
    raised = [alarm for alarm in alarms if alarm["change"] == "raised"]
    for alarm in (raised[0], alarms[-1]):
        program, verb, *arguments = shlex.split(alarm["replay"])
        assert (program, verb) == ("ectopy", "watch")
        from_s, to_s = (float(arguments[arguments.index(name) + 1]) for name in ("--from", "--to"))
        again = assert_success(ectopy("watch", *arguments, "--json"))
        assert again.out.splitlines() == [line for line in told if from_s <= json.loads(line)["at_s"] <= to_s]
        assert json.loads(told[alarm["number"] - 1]) in map(json.loads, again.out.splitlines())


def test_the_command_of_an_alarm_says_all_that_the_alarm_depends_on():
    options = WatchOptions(
        "a b.edf",
        250.0,
        "uV",
        "exercise",
        30.0,
        52.5,
        {"pause_s": 2.5, "couplets": 1.0},
        60.0,
        Path("he is.npz"),
        "mine.ectopy",
    )
    event = alarm_at(100.25, (81.2, 97.9))
    assert options.replay(event) == (
        "ectopy watch 'a b.edf' --rate 250 --unit uV --profile exercise --age 30 --resting-rate 52.5 "
        "--limit pause_s=2.5 --limit couplets=1 --learning 60 --baseline 'he is.npz' --bundle mine.ectopy "
        "--fast --from 81 --to 101"
    )
    assert WatchOptions("100.hea").replay(alarm_at(4.0, (0.0, 9.0))) == "ectopy watch 100.hea --fast --to 9"
    partial = WatchOptions("100.edf", partial=True).replay(alarm_at(4.0, (0.0, 9.0)))
    assert partial == "ectopy watch 100.edf --partial --fast --to 9"
    assert WatchOptions("-", 250.0).replay(event) is None


def alarm_at(at_s: float, strip_s: tuple[float, float]) -> AlarmChanged:
    # What the alarm is about does not matter here.
    return AlarmChanged(1, at_s, None, strip_s)  # type: ignore[arg-type]


def test_people_get_a_line_for_each_event_and_a_summary(ectopy, file: Path, told: list[str]):
    done = assert_success(ectopy("watch", file, *USUAL, "--fast"))
    lines = done.out.splitlines()
    assert re.search(
        r"^ 0:00:3\d\.\d  HIGH     Ventricular tachycardia raised: \d+ ventricular-like beats", done.out, re.M
    )
    assert re.search(r"^ 0:00:5\d\.\d  HIGH     Asystole raised: No beat for", done.out, re.M)
    assert re.search(r"^ 0:01:\d\d\.\d  MEDIUM   Lead off raised", done.out, re.M)
    assert re.search(r"^ 0:00:0\d\.\d  quality  lead 1 is good, index", done.out, re.M)
    assert re.search(r"^ 0:00:3\d\.\d  notice   Learned from \d+ beats\.", done.out, re.M)
    assert not any("  beat  " in line for line in lines)
    replays = [line.split("replay: ")[1] for line in lines if "replay: " in line]
    raised = [event for event in map(json.loads, told) if event.get("change") == "raised"]
    assert replays == [event["replay"] for event in raised]
    summary = done.out[done.out.rindex(str(file)) :]
    beats = [event for event in map(json.loads, told) if event["kind"] == "beat"]
    abnormal = sum(beat["verdict"] == "ABNORMAL" for beat in beats)
    assert re.search(r"watched +│ 0:01:20\.0, from 0:00:00\.0 to 0:01:20\.0", summary)
    assert re.search(rf"beats +│ {len(beats)}, of which", summary)
    assert re.search(rf"abnormal +│ {abnormal} ", summary)
    high = ["Ventricular tachycardia", "Asystole"]
    assert re.findall(r"^ [\d:.]+  HIGH     ([\w ]+) raised", done.out, re.M) == high
    assert re.search(r"alarms +│ 2 high", summary)
    assert "Asystole, active" in summary
    assert ambulatory_digest()[:16] in summary


def test_every_beat_is_told_on_request(ectopy, file: Path, told: list[str]):
    done = ectopy("watch", file, *USUAL, "--fast", "--beats", "--to", 45)
    beats = [event for event in map(json.loads, told) if event["kind"] == "beat" and event["at_s"] <= 45]
    lines = [line for line in done.out.splitlines() if "  beat  " in line]
    assert len(lines) == len(beats)
    assert sum("ABNORMAL ventricular-like" in line for line in lines) == sum(
        beat["hint"] == "ventricular-like" for beat in beats
    )


def test_limits_of_the_patient_are_watched(ectopy, file: Path):
    stricter = ectopy("watch", file, *USUAL, "--fast", "--to", 15, "--limit", "high_bpm=60", "--limit", "low_bpm=50")
    assert "High heart rate raised" in stricter.out
    assert "--limit high_bpm=60 --limit low_bpm=50" in stricter.out
    exercise = ("--profile", "exercise", "--age", 30, "--resting-rate", 60)
    calmer = ectopy("watch", file, *USUAL, "--fast", "--to", 15, *exercise)
    assert "High heart rate raised" not in calmer.out


def test_limits_are_changed_by_name():
    limits = Limits.of("ward").changed({"high_bpm": 110.0, "couplets": 0.0})
    assert (limits.high_bpm, limits.couplets, type(limits.couplets)) == (110.0, 0, int)
    assert limits == replace(Limits.of("ward"), high_bpm=110.0, couplets=0)
    with pytest.raises(SettingError, match=r"no limit 'profile'; there are low_bpm, .*ectopy_per_min"):
        limits.changed({"profile": 1.0})
    with pytest.raises(SettingError, match=r"couplets must be a whole number, not 1\.5"):
        limits.changed({"couplets": 1.5})


def test_a_baseline_is_saved_and_used(ectopy, file: Path, tmp_path: Path):
    saved = tmp_path / "normal.npz"
    done = ectopy("watch", file, *USUAL, "--fast", "--to", 34, "--save-baseline", saved)
    assert f"Wrote {saved}." in done.out
    assert PatientTemplate.load(saved).leads == ("lead 1", "lead 2")
    again = ectopy("watch", file, *STATED, "--fast", "--to", 42, "--baseline", saved)
    assert "Learned from" not in again.out
    assert "The patient's normal was given." in again.out
    assert f"--baseline {saved}" in again.out
    assert_refused(
        ectopy("watch", file, *USUAL, "--fast", "--to", 20, "--save-baseline", tmp_path / "no.npz"),
        "not learned",
        out=None,
    )
    assert not (tmp_path / "no.npz").exists()


def test_a_baseline_of_other_leads_is_refused(ectopy, file: Path, tmp_path: Path):
    other = PatientTemplate(np.ones((1, 140)), np.ones(1), np.ones((1, 140)), 0.05, 50, ("V6",))
    other.save(tmp_path / "other.npz")
    assert_refused(ectopy("watch", file, *STATED, "--fast", "--baseline", tmp_path / "other.npz"), "V6", "lead 1")


@given(
    speed=st.floats(0.1, 1000),
    from_s=st.floats(0, 6),
    chunk_s=st.floats(0.05, 3),
    late_s=st.lists(st.floats(0, 2), max_size=5),
)
def test_chunks_come_at_their_time_and_none_before(speed: float, from_s: float, chunk_s: float, late_s: list[float]):
    short = Recording(np.zeros((500, 1), np.float32), 100.0, ("I",))
    now = [7.0]

    def sleep(seconds: float) -> None:
        assert seconds > 0
        now[0] += seconds

    came = []
    for number, each in enumerate(paced(from_recording(short, chunk_s), speed, from_s, lambda: now[0], sleep)):
        came.append((each.received if isinstance(each, Chunk) else each.now, now[0] - 7.0))
        now[0] += late_s[number] if number < len(late_s) else 0.0
    busy_s = sum(late_s)
    for received, at_s in came:
        due_s = max(received - from_s, 0.0) / speed
        assert due_s - 1e-6 <= at_s <= due_s + busy_s + 1e-6


def test_quality_says_since_when(monitor: Monitor):
    clean = simulate_recording(30, random_state=1)
    signal = clean.signal.copy()
    signal[15 * 250 : 20 * 250] = np.nan
    steps = watch(monitor, MonitorState(), from_recording(replace(clean, signal=signal)))
    changes = [event for step in steps for event in step.events if isinstance(event, QualityChanged)]
    of_first = [(change.word, change.since_s) for change in changes if change.lead == "MLII"]
    assert of_first[:2] == [("good", 0.0), ("missing", 15.0)]
    assert all(change.since_s < change.at_s <= change.since_s + 4 for change in changes)


# Standard input


@dataclass
class Desk:
    """Lines that come at set times, and the clock by which they do."""

    parts: list[tuple[float, bytes]]
    now: float = 1000.0

    def clock(self) -> float:
        return self.now

    def arriving(self) -> Iterator[bytes]:
        began = self.now
        for at_s, part in self.parts:
            while self.now < began + at_s - 1.0:
                self.now += 1.0
                yield b""
            self.now = began + at_s
            yield part


def text_of(samples: np.ndarray) -> bytes:
    return b"".join(b"%.4f,%.4f\n" % tuple(sample) for sample in samples)


def reader(told: list[str] | None = None, leads: Iterable[str] = ()) -> SampleLines:
    return SampleLines(Stated(None, "mV"), tuple(leads), (told if told is not None else []).append)


def test_standard_input_tells_the_same_as_a_recording(recording: Recording, monitor: Monitor):
    some = replace(recording, signal=np.round(recording.signal[: int(60 * RATE_HZ)], 4).astype(np.float32))
    desk = Desk([(0.0, b"MLII (mV),V1 (mV)\n"), (0.0, text_of(some.signal))])
    lines = from_lines(desk.arriving(), reader(), RATE_HZ, 60.0, desk.clock)
    there = [event for step in watch(monitor, MonitorState(), lines) for event in step.events]
    here = [event for step in watch(monitor, MonitorState(), from_recording(some)) for event in step.events]
    assert repr(there) == repr(here)
    assert any(isinstance(event, AlarmChanged) for event in here)


def test_the_time_is_told_once_a_second_and_samples_do_not_wait_longer(recording: Recording):
    step = int(RATE_HZ / 4)
    parts = [(0.25 * k, text_of(recording.signal[k * step : (k + 1) * step])) for k in range(40)]
    desk = Desk(parts)
    given = list(from_lines(desk.arriving(), reader(), RATE_HZ, 10.0, desk.clock))
    ticks = [each.now for each in given if isinstance(each, Tick)]
    chunks = [each for each in given if isinstance(each, Chunk)]
    assert ticks == pytest.approx([1.0 + second for second in range(9)], abs=0.3)
    assert [chunk.position for chunk in chunks] == np.cumsum([0, *(len(chunk.signal) for chunk in chunks)])[
        :-1
    ].tolist()
    assert max(len(chunk.signal) for chunk in chunks) <= 1.25 * RATE_HZ
    np.testing.assert_allclose(
        np.concatenate([chunk.signal for chunk in chunks]), recording.signal[: 40 * step], atol=1e-4
    )


def test_silence_is_an_alarm_and_a_gap(recording: Recording, monitor: Monitor):
    second = int(RATE_HZ)
    early = [(k + 1.0, text_of(recording.signal[k * second : (k + 1) * second])) for k in range(8)]
    late = [(k + 31.0, text_of(recording.signal[k * second : (k + 1) * second])) for k in range(8, 24)]
    desk = Desk([*early, *late])
    inputs = list(from_lines(desk.arriving(), reader(), RATE_HZ, 1.0, desk.clock))
    positions = [each.position / RATE_HZ for each in inputs if isinstance(each, Chunk)]
    assert positions == pytest.approx([*range(8), *range(38, 54)], abs=0.01)
    events = [event for step in watch(monitor, MonitorState(), inputs) for event in step.events]
    alarms = [event for event in events if isinstance(event, AlarmChanged)]
    no_data = [event for event in alarms if event.transition.alarm.condition == "no data"]
    assert [event.transition.change for event in no_data] == ["raised", "ended"]
    assert no_data[0].at_s == pytest.approx(18)
    gap = next(event for event in events if isinstance(event, Notice))
    assert gap.text == "30.00 s are missing."
    assert [event.number for event in (no_data[0], gap, no_data[1])] == sorted(
        event.number for event in (*no_data, gap)
    )


def test_a_delay_shorter_than_the_alarm_is_no_gap(recording: Recording):
    desk = Desk([(1.0, text_of(recording.signal[:128])), (10.0, text_of(recording.signal[128:256]))])
    chunks = [e for e in from_lines(desk.arriving(), reader(), RATE_HZ, 1.0, desk.clock) if isinstance(e, Chunk)]
    assert [chunk.position for chunk in chunks] == [0, 128]


def test_time_spent_on_samples_is_no_silence(recording: Recording):
    desk = Desk([(1.0, text_of(recording.signal[:256])), (1.0, text_of(recording.signal[256:512]))])
    positions = []
    for each in from_lines(desk.arriving(), reader(), RATE_HZ, 1.0, desk.clock):
        desk.now += 30.0
        if isinstance(each, Chunk):
            positions.append(each.position)
    assert positions == [0, 128, 256, 384]


def test_nothing_on_standard_input_is_an_error():
    desk = Desk([(0.0, b"\n"), (3.0, b"MLII (mV)\n")])
    with pytest.raises(DataError, match="standard input holds no samples"):
        list(from_lines(desk.arriving(), reader(), RATE_HZ, 1.0, desk.clock))


HEADER = b"II (uV),time,V5 (mV)\n"
ROWS = [
    (b"100,0,0.5\n", [0.1, 0.5]),
    (b" 200 , 1, \r\n", [0.2, np.nan]),
    (b"inf,2,nan\n", [np.nan, np.nan]),
    (b"\n", None),
    (b"300,3\n", [np.nan, np.nan]),
    (b"x,4,1\n", [np.nan, np.nan]),
    (b"\xff,5,1\n", [np.nan, np.nan]),
    (b"1" * 150_000 + b"\n", [np.nan, np.nan]),
    (b"400,6,0.25\n", [0.4, 0.25]),
]


@given(
    order=st.permutations(range(len(ROWS))),
    cuts=st.lists(st.integers(0, 151_000), max_size=12),
    last=st.booleans(),
)
def test_lines_give_the_same_however_they_are_cut(order: list[int], cuts: list[int], last: bool):
    content = HEADER + b"".join(ROWS[row][0] for row in order)
    if not last:
        content = content.rstrip(b"\n")
    complaints: list[str] = []
    lines = reader(complaints)
    edges = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    parts = [lines.take(content[a:b]) for a, b in pairwise(edges)]
    samples = np.concatenate([part for part in [*parts, lines.end()] if len(part)])
    assert lines.leads == ("II", "V5")
    expected = [ROWS[row][1] for row in order if ROWS[row][1] is not None]
    np.testing.assert_allclose(samples, np.array(expected), rtol=1e-6)
    numbers = [place + 2 for place, row in enumerate(order) if row in (4, 5, 6, 7)]
    assert [int(re.match(r"standard input, line (\d+)", text)[1]) for text in complaints] == numbers


def test_names_of_leads_need_no_header_and_those_of_one_name_are_numbered():
    def samples_of(lines: SampleLines, content: bytes) -> np.ndarray:
        return np.concatenate([part for part in (lines.take(content), lines.end()) if len(part)])

    lines = reader(leads=["I", "II"])
    assert lines.leads == ("I", "II")
    np.testing.assert_allclose(samples_of(lines, b"1,2\n3,4\n"), [[1, 2], [3, 4]])
    assert lines.leads == ("I", "II")
    complaints: list[str] = []
    for begin in (b"a,b\n", b"starting\n", b"# device 7, ready\n"):
        np.testing.assert_allclose(samples_of(reader(complaints, ["I", "II"]), begin + b"3,4\n"), [[3, 4]])
    assert not complaints
    samples = samples_of(reader(complaints, ["I", "II"]), b"3,4\nstarting\n5,6\n")
    assert np.isnan(samples[1]).all()
    assert complaints == [
        "standard input, line 2 has 1 column, and the lines before it have 2; expected as many in every row, separated "
        "by commas."
    ]
    unnamed = reader()
    samples_of(unnamed, b"1,2\n")
    assert unnamed.leads == ("lead 1", "lead 2")
    assert reader(leads=["ECG", "ECG"]).leads == ("ECG", "ECG 2")
    numbered = reader()
    samples_of(numbered, b"ECG,ECG\n" + b"1,2\n" * 25)
    assert numbered.leads == ("ECG", "ECG 2")


@pytest.mark.parametrize("every_s", [0.0, 1.0])
def test_refusals_are_told_in_seconds_of_the_stream(monitor: Monitor, every_s: float):
    second = b"".join(b"%d\n" % (5000 + 7 * (k % 9)) for k in range(int(RATE_HZ)))
    desk = Desk([(every_s * (k + 1), second) for k in range(6)], now=86_400.0 * 40)
    lines = from_lines(desk.arriving(), reader(), RATE_HZ, 1.0, desk.clock)
    events = [event for step in watch(monitor, MonitorState(), lines) for event in step.events]
    refused = [event for event in events if isinstance(event, InputRejected)]
    assert "is the unit really mV?" in refused[0].reason
    assert len(refused) == 6
    assert all(end_s - 1 <= event.at_s <= end_s for end_s, event in enumerate(refused, start=1))


def test_lines_are_read_as_soon_as_their_columns_are_plain():
    lines = reader()
    assert not len(lines.take(b"1,2\n" * 24))
    assert len(lines.take(b"3,4\n")) == 25
    assert len(lines.take(b"5,6\n")) == 1


def test_pulse_waves_of_lines_go_with_their_leads():
    content = b"PLETH,II (mV),ABP (kPa)\n" + b"0.5,0.1,12\n,0.2,13\nx,0.3,14\n" * 50
    desk = Desk([(0.0, content)])
    chunks = [e for e in from_lines(desk.arriving(), reader([]), RATE_HZ, 1.0, desk.clock) if isinstance(e, Chunk)]
    assert {chunk.leads for chunk in chunks} == {("II",)}
    assert [pulse.position for chunk in chunks for pulse in chunk.pulses] == [0, 0, 128, 128]
    pleth, pressure = (
        np.concatenate([pulse.samples for chunk in chunks for pulse in chunk.pulses if pulse.name == name])
        for name in ("PLETH", "ABP")
    )
    np.testing.assert_allclose(pleth, [0.5, np.nan, np.nan] * 50)
    np.testing.assert_allclose(pressure, np.tile([12, 13, np.nan], 50) * 7.500617, rtol=1e-6)
    assert {(pulse.name, pulse.unit) for chunk in chunks for pulse in chunk.pulses} == {
        ("PLETH", "NU"),
        ("ABP", "mmHg"),
    }


def test_pulse_waves_may_be_named_by_the_caller():
    lines = reader(leads=["II", "PLETH"])
    assert lines.leads == ("II",)
    assert lines.take(b"0.1,2.5\n0.2,2.6\n" * 13).shape == (26, 2)
    assert [pulse.name for pulse in lines.pulses] == ["PLETH"]


def test_a_unit_must_be_stated():
    with pytest.raises(DataError, match=r"standard input states no unit for the lead 'lead 1'.*--unit"):
        SampleLines(Stated(None, None), (), print).take(b"1\n" * 25)


def test_lines_are_watched_as_they_come_until_their_end(recording: Recording):
    with subprocess.Popen(
        command("-", "--rate", 128, "--unit", "mV", "--json"),
        bufsize=0,  # or what was read together with the first line would be lost to communicate()
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        running.stdin.write(b"MLII,V1\n" + text_of(recording.signal[:512]) + b"1;2\n")
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["kind"] == "quality"
        assert running.stderr.readline() == (
            b"ectopy: standard input, line 514 has 1 column, and the lines before it have 2; expected as many in every "
            b"row, separated by commas.\n"
        )
        assert running.poll() is None
        running.stdin.write(text_of(recording.signal[512:640]))
        out, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0
    assert [json.loads(line)["kind"] for line in out.splitlines()].count("beat") >= 2
    assert "0:00:05.0" in err.decode()


@pytest.mark.parametrize("source", ["file", "-"])
def test_ctrl_c_ends_with_a_summary(file: Path, recording: Recording, source: str):
    arguments = (file, *USUAL, "--speed", 8) if source == "file" else ("-", *USUAL)
    with subprocess.Popen(
        command(*arguments, "--json"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        if source == "-":
            running.stdin.write(text_of(recording.signal[:512]))
            running.stdin.flush()
        assert running.stdout.readline().startswith(b'{"kind":"quality"')
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 130, err
    assert b"Ended by hand." in err
    assert b"watched" in err
    assert b"Traceback" not in err


def test_ctrl_c_within_a_step_lets_it_be_told(ectopy, file: Path, told: list[str], monkeypatch: pytest.MonkeyPatch):
    step_as_ever = Monitor.step

    def step(monitor: Monitor, state: MonitorState, item: Chunk) -> tuple[MonitorState, list[Event]]:
        state, events = step_as_ever(monitor, state, item)
        if events:
            signal.raise_signal(signal.SIGINT)
        return state, events

    monkeypatch.setattr(Monitor, "step", step)
    done = ectopy("watch", file, *USUAL, "--fast", "--json")
    assert done.status == 130
    lines = done.out.splitlines()
    assert lines
    assert lines == told[: len(lines)]
    assert "Ended by hand." in done.err


# Bad input


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.csv",), ("none.csv", "does not exist")),
        (("FILE", "--unit", "mV"), ("no sampling rate", "--rate")),
        (("FILE", "--rate", 128), ("no unit", "--unit")),
        (("FILE", "--rate", 50, "--unit", "mV"), ("100 and 1000 Hz",)),
        (("FILE", *USUAL, "--chunk", 0), ("chunks",)),
        (("FILE", *USUAL, "--chunk", 61), ("chunks", "60")),
        (("FILE", *USUAL, "--speed", 0), ("speed", "above 0")),
        (("FILE", *USUAL, "--speed", 2, "--fast"), ("--speed", "--fast")),
        (("FILE", *USUAL, "--from", 80), ("--from", "80")),
        (("FILE", *USUAL, "--from", 20, "--to", 10), ("--to", "20")),
        (("FILE", *USUAL, "--leads", "I"), ("--leads",)),
        (("FILE", *USUAL, "--profile", "night"), ("ward, ambulatory, exercise, child, infant",)),
        (("FILE", *USUAL, "--profile", "exercise", "--age", 5), ("age", "18 to 110")),
        (("FILE", *USUAL, "--age", 3), ("--age", "ward", "--profile")),
        (("FILE", *USUAL, "--profile", "ambulatory", "--age", 30), ("--age", "ambulatory")),
        (("FILE", *USUAL, "--resting-rate", 60), ("--resting-rate", "ward")),
        (("FILE", *USUAL, "--profile", "child", "--resting-rate", 60), ("--resting-rate", "exercise")),
        (("FILE", *USUAL, "--baseline", "none.npz"), ("--learning", "--baseline")),
        (("-", *USUAL, "--partial"), ("--partial", "standard input")),
        (("FILE", *USUAL, "--limit", "pulse=3"), ("pulse", "high_bpm")),
        (("FILE", *USUAL, "--limit", "high_bpm"), ("NAME=VALUE", "high_bpm=120")),
        (("FILE", *USUAL, "--limit", "high_bpm=nan"), ("high_bpm", "60 to 320")),
        (("FILE", *USUAL, "--learning", 5), ("30", "3600")),
        (("FILE", *STATED, "--baseline", "none.npz"), ("none.npz",)),
        (("FILE", *USUAL, "--bundle", "none.ectopy"), ("none.ectopy", "does not exist")),
        (("FILE", *USUAL, "--report", "nowhere/r.html"), ("nowhere",)),
        (("FILE", *USUAL, "--save-baseline", "nowhere/b.npz"), ("nowhere",)),
        (("-", "--unit", "mV"), ("standard input", "--rate")),
        (("-", "--rate", 50, "--unit", "mV"), ("100 and 1000 Hz",)),
        (("-", "--rate", 128, "--fast"), ("standard input", "--fast")),
        (("-", "--rate", 128, "--unit", "miles", "--leads", "I"), ("standard input", "miles")),
    ],
)
def test_impossible_wishes_get_one_sentence(ectopy, file: Path, arguments: tuple[object, ...], words: tuple[str, ...]):
    assert_refused(ectopy("watch", *(file if each == "FILE" else each for each in arguments)), *words)


@pytest.fixture
def send(tmp_path: Path) -> Iterator[Callable[[bytes], None]]:
    """Have the command read text from standard input, the descriptor 0 of this process."""
    usual = os.dup(0)

    def send(content: bytes) -> None:
        (tmp_path / "lines").write_bytes(content)
        with (tmp_path / "lines").open("rb") as lines:
            os.dup2(lines.fileno(), 0)

    yield send
    os.dup2(usual, 0)
    os.close(usual)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_samples_that_are_all_rejected_are_an_error(ectopy, send: Callable[[bytes], None], options: tuple[str, ...]):
    send(b"5000\n5007\n" * 128)
    result = ectopy("watch", "-", "--rate", 128, "--unit", "mV", *options)
    assert_refused(result, "standard input cannot be watched", "every chunk", "is the unit really mV?", out=None)


def test_a_watch_that_ends_while_learning_says_what_was_learned(ectopy, file: Path, tmp_path: Path):
    saved = tmp_path / "normal.npz"
    result = ectopy("watch", file, *USUAL, "--to", 20, "--fast", "--save-baseline", saved)
    assert re.search(r"Learned from \d+ beats so far\. ", result.out)
    assert_refused(result, "a bed.npy", "not learned to the end", "beats so far", out=None)
    assert not saved.exists()


# The page


def test_the_page_shows_each_alarm_with_its_strip_rule_evidence_and_command(
    ectopy, file: Path, told: list[str], tmp_path: Path
):
    path = tmp_path / "alarms.html"
    done = ectopy("watch", file, *USUAL, "--fast", "--report", path)
    assert f"Wrote {path}." in done.out
    text = path.read_text(encoding="utf-8")
    page = assert_sound(text)
    raised = [event for event in map(json.loads, told) if event.get("change") == "raised"]
    assert page.code == [event["replay"] for event in raised]
    for label in ("Ventricular tachycardia: ECG", "Asystole: ECG", "Lead off: ECG", "The beat at"):
        assert any(
            drawing["aria-label"].startswith(label) for drawing in page.all("svg") if drawing.get("class") == "ecg"
        )
    for words in ("no QRS complex for 4 s", "10.1109/CIC.2015.7408639", ambulatory_digest(), __version__):
        assert words in text
    assert text.count(">lead off</text>") >= 2
    assert len(text) < 2_000_000


def test_a_page_without_alarms(ectopy, file: Path, tmp_path: Path):
    path = tmp_path / "quiet.html"
    assert ectopy("watch", file, *USUAL, "--fast", "--to", 20, "--report", path).status == 0
    assert "No alarm was raised." in path.read_text(encoding="utf-8")


def strips_of(monitor: Monitor, recording: Recording, chunk_s: float = 0.5) -> alarm_strips.AlarmStrips:
    book = alarm_strips.AlarmStrips()
    for step in watch(monitor, MonitorState(), from_recording(recording, chunk_s)):
        book.take(step)
    book.close()
    return book


def test_pictures_are_the_signal_around_the_alarm_however_it_came(recording: Recording, monitor: Monitor):
    recording = with_pulses(recording)
    found = strips_of(monitor, recording, 60.0).strips
    assert list(map(repr, strips_of(monitor, recording, 0.3).strips)) == list(map(repr, found))
    assert len(found) >= 3
    for strip in found:
        first = round(strip.begins_s * RATE_HZ)
        part = recording.signal[first : first + len(strip.recording.signal)]
        np.testing.assert_array_equal(strip.recording.signal, part)
        for wave, drawn in zip(recording.pulses, strip.recording.pulses, strict=True):
            first = ceil(strip.begins_s * wave.sampling_rate_hz)
            np.testing.assert_array_equal(drawn.samples, wave.samples[first:][: len(drawn.samples)])
            assert len(drawn.samples) == pytest.approx(len(part) / RATE_HZ * wave.sampling_rate_hz, abs=1)
        assert strip.begins_s <= strip.start_s < strip.end_s <= strip.start_s + alarm_strips.LONGEST_S
        assert {change.lead for change in strip.quality if change.since_s <= strip.start_s} == set(recording.leads)


def test_of_many_alarms_the_most_urgent_are_pictured(
    recording: Recording, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(alarm_strips, "MOST_STRIPS", 2)
    book = strips_of(monitor, recording)
    assert [strip.event.transition.alarm.priority for strip in book.strips] == [Priority.HIGH] * 2
    assert len(book.alarms) > 2
