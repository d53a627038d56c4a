"""The page on a recording: true to scale, honest about gaps, and never broken by what is not there."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.beat_families import find_families
from ectopy.analysis.beat_noise import beat_noise, noise_energy
from ectopy.analysis.corrected_analysis import analysis_digest
from ectopy.analysis.corrections import ChooseStrip, Corrections
from ectopy.analysis.rhythm_events import EVENT_TITLES, Event, find_events
from ectopy.analysis.template_comparison import align, compare
from ectopy.analysis.verdicts import Hint
from ectopy.beats import BEAT_SAMPLES
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.detector import Detector
from ectopy.errors import OutputError
from ectopy.recording import Patient, Recording
from ectopy.report import ReportStyle, ecg_paper, recording_report
from ectopy.report import text_format as fmt
from ectopy.report.ecg_paper import GAIN_MM_MV, LEFT_MM, PAGE_MM, SPEED_MM_S, Mark, Strip
from ectopy.report.recording_strips import (
    STRIP_S,
    Choice,
    abnormal_beats,
    choices,
    cut_strip,
    strip_lines,
    usual_rhythm,
)
from ectopy.report.rhythm_trend import heart_rate, trend
from ectopy.signal import FilterSettings, filter_signal
from support.html_page import assert_former_page_stays, assert_sound
from support.pulses import with_pulses

CUT = (200.0, 204.0)


@dataclass(frozen=True)
class Case:
    recording: Recording
    analysis: Analysis
    events: list[Event]


@pytest.fixture(scope="module")
def case(ambulatory: Detector) -> Case:
    """Five minutes with ventricular beats, a run, and 4 s without a sample."""
    episodes = [Episode("ventricular_tachycardia", 120, 6), Episode("asystole", 250, 5)]
    recording = simulate_recording(300, ectopic={"V": 0.05, "A": 0.03}, episodes=episodes, random_state=3)
    signal = recording.signal.copy()
    signal[slice(*(round(edge * recording.sampling_rate_hz) for edge in CUT))] = np.nan
    recording = replace(recording, signal=signal, start=datetime(2024, 3, 1, 23, 58))
    analysis = analyse(recording, ambulatory)
    return Case(recording, analysis, find_events(analysis))


@pytest.fixture(scope="module")
def page(case: Case, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("report"), case.recording, case.analysis, case.events)


def written(folder: Path, recording: Recording, analysis: Analysis, events: list[Event]) -> str:
    path = folder / "recording.html"
    recording_report(path, recording, analysis, events)
    page = path.read_text(encoding="utf-8")
    assert_sound(page)
    return page


def a_strip(signal: np.ndarray, rate_hz: float = 100.0, **more: object) -> Strip:
    signal = np.atleast_2d(signal)
    times_s = 10 + np.arange(signal.shape[1]) / rate_hz
    leads = tuple(f"L{lead}" for lead in range(len(signal)))
    return replace(Strip(10.0, 10 + signal.shape[1] / rate_hz, signal, times_s, leads, "0.5–40 Hz"), **more)


def traces(svg: str) -> list[list[np.ndarray]]:
    """Of each drawn lead its unbroken lines, each of shape (points, 2), in millimetres."""
    return [
        [np.array([point.split() for point in line.split("L")], float) for line in draw_beats.split("M")[1:]]
        for draw_beats in re.findall(r'<path class="trace" d="([^"]*)"', svg)
    ]


# The scale


def test_a_second_is_25_mm_and_a_millivolt_10_mm() -> None:
    signal = np.zeros(301)
    signal[100], signal[200] = 1.0, -0.5
    svg = ecg_paper.strip(a_strip(signal), "strip", "")
    (line,) = traces(svg)[0]
    assert line[0, 0] == LEFT_MM
    assert line[100, 0] - line[0, 0] == pytest.approx(25.0)
    assert line[0, 1] - line[100, 1] == pytest.approx(10.0)  # upwards
    assert line[200, 1] - line[0, 1] == pytest.approx(5.0)
    assert (SPEED_MM_S, GAIN_MM_MV) == (25, 10)


def test_coordinates_are_millimetres_on_the_page() -> None:
    svg = ecg_paper.strip(a_strip(np.zeros((2, 700))), "strip", "")
    width, height = re.search(r'width="([\d.]+)mm" height="([\d.]+)mm" style="([^"]*)"', svg).groups()[:2]
    assert f'viewBox="0 0 {width} {height}"' in svg
    assert f'style="width:{width}mm;height:{height}mm"' in svg  # the page sets the size of other drawings
    assert float(width) == LEFT_MM + 7 * SPEED_MM_S <= 190  # fits A4 and Letter with margins of 10 mm


def test_grid_has_a_line_each_millimetre_and_a_heavy_one_each_five() -> None:
    svg = ecg_paper.strip(a_strip(np.zeros(200)), "strip", "")
    fine, heavy = (re.search(f'class="{kind}" d="([^"]*)"', svg)[1] for kind in ("fine", "heavy"))
    assert [int(x) for x in re.findall(r"M(\d+) \d+V", fine)] == list(range(1, 60))
    assert [int(x) for x in re.findall(r"M(\d+) \d+V", heavy)] == list(range(0, 61, 5))
    rows = [int(y) for y in re.findall(r"M0 (\d+)H60", heavy)]
    assert np.all(np.diff(rows) == 5)


def test_the_calibration_pulse_of_each_lead_is_1_mv_for_200_ms_and_starts_on_its_zero_line() -> None:
    svg = ecg_paper.strip(a_strip(np.zeros((2, 300))), "strip", "")
    pulses = re.findall(r'class="pulse" d="M[\d.]+ ([\d.]+)h1v-10h5v10h1"', svg)
    assert [float(zero) for zero in pulses] == [lines[0][0, 1] for lines in traces(svg)]
    assert all(float(zero) % 5 == 0 for zero in pulses)  # on a heavy line


def test_a_strip_says_speed_gain_filter_lead_and_time() -> None:
    svg = ecg_paper.strip(a_strip(np.zeros((2, 300))), "strip", "")
    assert "0:00:10 to 0:00:13 · 25 mm/s · 10 mm/mV · 0.5–40 Hz" in svg
    assert ">L0</text>" in svg
    assert ">L1</text>" in svg
    assert ">0:00:11</text>" in svg


def test_single_beats_are_drawn_at_twice_the_scale(case: Case) -> None:
    normal = case.analysis.normal
    svg = ecg_paper.template(normal.template[0], normal.leads[0], "usual", "")
    points = re.search(r'class="usual" d="M([^"]*)"', svg)[1].split("L")
    line = np.array([point.split() for point in points], float)
    assert np.allclose(np.diff(line[:, 0]), 50 / 180, atol=0.011)
    assert np.ptp(line[:, 1]) == pytest.approx(20 * np.ptp(normal.template[0]), abs=0.02)


@pytest.mark.parametrize(("most_mv", "gain"), [(2.0, 20), (3.4, 10), (6.0, 5)])
def test_a_tall_beat_is_drawn_whole_and_its_gain_said(most_mv: float, gain: int) -> None:
    beat = most_mv * np.sin(np.linspace(0, 2 * np.pi, 140))
    svg = ecg_paper.template(beat, "II", "tall", "")
    points = re.search(r'class="usual" d="M([^"]*)"', svg)[1].split("L")
    heights = np.array([point.split()[1] for point in points], float)
    bottom = int(re.search(r'class="ground" y="0" width="\d+" height="(\d+)"', svg)[1])
    assert 0 <= heights.min() < heights.max() <= bottom
    assert np.ptp(heights) == pytest.approx(gain * np.ptp(beat), abs=0.02)
    assert (">II</text>" in svg) == (gain == 20)
    assert (f">II · {gain} mm/mV</text>" in svg) == (gain != 20)


# What is drawn


def test_a_gap_stays_a_gap() -> None:
    signal = np.zeros((2, 300))
    signal[0, 100:150] = np.nan
    first, second = traces(ecg_paper.strip(a_strip(signal), "strip", ""))
    assert [len(line) for line in first] == [100, 150]
    assert [len(line) for line in second] == [300]


def test_a_gap_of_the_recording_is_a_gap_on_its_strip(case: Case) -> None:
    shown = cut_strip(case.recording, case.analysis, Choice("", "", "", 198, 206), FilterSettings())
    gone = (shown.times_s > CUT[0]) & (shown.times_s < CUT[1])
    assert np.isnan(shown.signal[:, gone]).all()
    assert np.isfinite(shown.signal[:, (shown.times_s < 199.8) | (shown.times_s > 204.2)]).all()
    assert {doubt.word for doubt in shown.doubts} == {"missing"}
    assert ">missing</text>" in ecg_paper.strip(shown, "strip", "")


def test_a_lead_without_any_sample_has_no_trace() -> None:
    svg = ecg_paper.strip(a_strip(np.stack([np.full(300, np.nan), np.zeros(300)])), "strip", "")
    assert len(traces(svg)) == 1
    assert svg.count('class="pulse"') == 2


def test_a_strip_shows_the_signal_that_was_analysed(case: Case) -> None:
    whole = filter_signal(case.recording.signal, case.recording.sampling_rate_hz)
    shown = cut_strip(case.recording, case.analysis, Choice("", "", "", 100.3, 107.3), FilterSettings())
    there = np.stack([np.interp(shown.times_s, np.arange(len(lead)) / whole.rate_hz, lead) for lead in whole.signal])
    assert np.abs(shown.signal - there).max() < 0.03


def test_pulse_waves_lie_below_the_strips(case: Case, tmp_path: Path) -> None:
    recording = with_pulses(case.recording)
    page = written(tmp_path, recording, case.analysis, case.events)
    assert "ABP in mmHg at 125 Hz, PLETH in NU at 62.5 Hz" in page
    assert len(re.findall(r'<path class="wave"', page)) == 2 * page.count('<article class="strip">')
    shown = cut_strip(recording, case.analysis, Choice("", "", "", 100.3, 107.3), FilterSettings())
    assert [wave.name for wave in shown.pulses] == ["ABP", "PLETH"]
    for wave, whole in zip(shown.pulses, recording.pulses, strict=True):
        places = np.round(wave.times_s * whole.sampling_rate_hz).astype(int)
        assert 100.3 <= wave.times_s[0] < 100.32
        assert 107.28 < wave.times_s[-1] <= 107.3
        np.testing.assert_array_equal(wave.samples, whole.samples[places])


def test_a_strip_that_a_person_chose_is_drawn_whole_in_lines(case: Case, tmp_path: Path) -> None:
    corrections = Corrections(analysis_digest(case.analysis))
    for begin_s, end_s in ((110.0, 128.5), (200.0, 280.0)):
        strip = ChooseStrip(begin_s, end_s, "Look")
        corrections = corrections.followed_by(strip, "Ada", datetime(2024, 3, 2, tzinfo=UTC))
    path = tmp_path / "page.html"
    recording_report(path, case.recording, case.analysis, case.events, corrections=corrections)
    first, second = path.read_text(encoding="utf-8").split('<article class="strip">')[1:3]
    assert re.findall(r"Chosen strip[^:]*:\d\d:\d\d: ([\d.]+ s) of ECG", first) == ["7.0 s", "7.0 s", "4.5 s"]
    assert "The first" not in first
    assert second.count("<svg") == 5
    assert "The first 35 s of 1 min 20 s." in second


def test_the_lines_of_a_strip_have_all_that_is_on_it(case: Case) -> None:
    choice = Choice("", "", "", 115.3, 127.1, highlight=(120.0, 121.5))
    strip = cut_strip(with_pulses(case.recording), case.analysis, choice, FilterSettings())
    first, second = strip_lines(strip)
    assert (first.start_s, first.end_s, second.start_s, second.end_s) == (115.3, 122.3, 122.3, 127.1)
    assert {*first.times_s, *second.times_s} == {*strip.times_s}
    assert {*first.marks, *second.marks} == {*strip.marks}
    assert (first.highlight, second.highlight) == (strip.highlight, None)
    for wave, parts in zip(strip.pulses, zip(first.pulses, second.pulses, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate([part.samples for part in parts]), wave.samples)
    for line in (first, second):
        inside = np.isin(strip.times_s, line.times_s)
        np.testing.assert_array_equal(line.signal, strip.signal[:, inside])


def test_what_leaves_the_paper_is_cut_off_and_said_to_be() -> None:
    svg = ecg_paper.strip(a_strip(np.linspace(0, 9, 300)), "strip-7", "")
    assert "goes beyond ±4 mV" in svg
    assert '<g clip-path="url(#strip-7-lead-0)">' in svg
    assert float(re.search(r'height="([\d.]+)mm"', svg)[1]) < 80


def test_every_beat_is_labelled_above_it_with_its_interval() -> None:
    marks = (
        Mark(10.5, "N", "NORMAL", np.nan),
        Mark(11.5, "V", "ABNORMAL", 1.0),
        Mark(12.5, "?", "UNREADABLE", 1.0),
    )
    svg = ecg_paper.strip(a_strip(np.zeros(300), marks=marks, highlight=(11.3, 11.9)), "strip", "")
    assert '<text class="symbol normal" x="22.5" y="8.4">N</text>' in svg
    assert '<text class="symbol abnormal" x="47.5" y="8.4">V</text>' in svg
    assert '<text class="symbol unreadable" x="72.5" y="8.4">?</text>' in svg
    assert re.findall(r'class="rr" x="([\d.]+)" y="[\d.]+">(\d+)<', svg) == [("35", "1000"), ("60", "1000")]
    assert '<rect class="highlight" x="42.5"' in svg


def test_the_labels_are_those_of_the_analysis(case: Case) -> None:
    symbols = case.analysis.annotations().symbols
    beat, _ = next(iter(abnormal_beats(case.analysis).items()))
    time_s = case.analysis.beats.times_s[beat]
    shown = cut_strip(case.recording, case.analysis, Choice("", "", "", time_s - 3, time_s + 3), FilterSettings())
    assert len(shown.marks) > 4
    for mark in shown.marks:
        assert mark.symbol == symbols[np.argmin(np.abs(case.analysis.beats.times_s - mark.time_s))]


def test_a_beat_over_the_template_is_aligned_as_it_was_compared(case: Case) -> None:
    beats, normal = case.analysis.beats, case.analysis.normal
    rows = np.array([20, 40])
    aligned = align(beats, normal, rows)
    energy = np.square(normal.template).sum(axis=1) + noise_energy(beat_noise(aligned), BEAT_SAMPLES)
    shape = np.sqrt(np.square(aligned - normal.template).sum(axis=2) / energy)
    weights = normal.clearness / normal.clearness.sum()
    assert np.allclose(shape @ weights, compare(beats, normal).window[rows])
    svg = ecg_paper.template(normal.template[0], normal.leads[0], "compared", "", aligned[0, 0])
    assert svg.count('class="different"') == svg.count('class="usual"') == svg.count('class="trace"') == 1


# What is chosen


def chosen(case: Case, events: list[Event]) -> list[Choice]:
    rate = heart_rate(case.analysis, case.recording.duration_s)
    return choices(case.recording, case.analysis, events, rate)


def test_shows_each_hint_and_the_worst_event_of_each_kind(case: Case) -> None:
    shown = chosen(case, case.events)
    titles = [choice.title for choice in shown]
    hints = {case.analysis.hint[beat] for beat in abnormal_beats(case.analysis)}
    assert hints == {hint for hint in set(case.analysis.hint.tolist()) if hint}
    kinds = {EVENT_TITLES[event.kind] for event in case.events}
    assert {kind for kind in kinds if not any(title.startswith(kind) for title in titles)} == set()
    assert {event.kind for event in case.events} >= {"pause", "ventricular run"}
    assert all(0 <= c.start_s < c.end_s <= case.recording.duration_s for c in shown)
    assert all(c.end_s - c.start_s == pytest.approx(STRIP_S) for c in shown)


def test_the_usual_strip_has_only_normal_beats(case: Case) -> None:
    usual = usual_rhythm(case.recording, case.analysis)
    inside = (case.analysis.beats.times_s > usual.start_s) & (case.analysis.beats.times_s < usual.end_s)
    assert inside.sum() >= 6
    assert set(case.analysis.verdict[inside]) == {"NORMAL"}


def test_the_highest_score_of_each_hint_is_shown_or_lies_beside_the_typical_one(case: Case) -> None:
    ventricular = np.flatnonzero(case.analysis.hint == Hint.VENTRICULAR)
    highest = ventricular[np.argmax(case.analysis.score[ventricular])]
    times_s = case.analysis.beats.times_s
    assert min(abs(times_s[beat] - times_s[highest]) for beat in abnormal_beats(case.analysis)) <= STRIP_S


# Figures


def test_heart_rate_is_that_of_the_intervals(case: Case, ambulatory: Detector) -> None:
    steady = simulate_recording(60, rate_bpm=75, hrv_sd_ms=0, random_state=1)
    rate = heart_rate(analyse(steady, ambulatory), steady.duration_s)
    assert rate.mean_bpm == pytest.approx(75, abs=0.3)
    assert np.allclose(rate.bpm, 75, atol=1)
    assert len(heart_rate(case.analysis, case.recording.duration_s).bpm) == 30


def test_the_trend_of_a_day_stays_small(case: Case) -> None:
    copies, length = 288, case.recording.duration_s
    beats, quality = case.analysis.beats, case.analysis.quality
    times_s = (np.arange(copies)[:, None] * length + beats.times_s).ravel()
    day = replace(
        case.analysis,
        beats=replace(beats, times_s=times_s, rr_s=np.tile(beats.rr_s, copies)),
        quality=replace(
            quality,
            index=np.tile(quality.index, copies),
            word=np.tile(quality.word, copies),
            duration_s=copies * length,
        ),
        verdict=np.tile(case.analysis.verdict, copies),
        hint=np.tile(case.analysis.hint, copies),
        missed=np.tile(case.analysis.missed, copies),
    )
    rate = heart_rate(day, copies * length)
    shown = trend(day, rate, case.events, copies * length)
    assert len(rate.bpm) == 8640
    assert len(shown.bpm) <= 1000
    assert all(len(spans.start_s) <= 1000 for spans in (shown.unreadable, *shown.rows))
    assert np.nanmin(shown.lowest) == np.nanmin(rate.bpm)
    assert np.nanmax(shown.highest) == np.nanmax(rate.bpm)


def test_the_trend_has_a_row_for_each_hint_and_kind_of_event(case: Case) -> None:
    rate = heart_rate(case.analysis, case.recording.duration_s)
    rows = {row.name: row for row in trend(case.analysis, rate, case.events, case.recording.duration_s).rows}
    pauses = [(event.start_s, event.end_s) for event in case.events if event.kind == "pause"]
    hints = [hint.value for hint in Hint if hint]
    assert list(rows)[: len(hints)] == hints
    assert set(list(rows)[len(hints) :]) <= {EVENT_TITLES[event.kind] for event in case.events}
    assert list(zip(rows["Pause"].start_s, rows["Pause"].end_s, strict=True)) == pauses


def test_unreadable_stretches_are_marked(case: Case) -> None:
    rate = heart_rate(case.analysis, case.recording.duration_s)
    shaded = trend(case.analysis, rate, case.events, case.recording.duration_s).unreadable
    assert any(start <= CUT[0] and end >= CUT[1] for start, end in zip(shaded.start_s, shaded.end_s, strict=True))


# The page


def test_the_page_says_what_was_found(page: str, case: Case) -> None:
    text = assert_sound(page).text
    assert len(page) < 1_000_000
    assert "2024-03-01 23:58:00" in text
    assert "2024-03-02 00:02:" in text  # an event after midnight
    assert f"{fmt.score(case.analysis.threshold)}" in text
    assert f"{len(case.analysis):,}" in text
    assert "The patient's usual beat was learned from the first 0:0" in text
    for event in case.events:
        assert EVENT_TITLES[event.kind] in text


def test_every_family_of_beats_is_drawn(page: str, case: Case) -> None:
    families = find_families(case.analysis.beats, case.analysis.hint)
    assert len(families) > 1
    for number, family in enumerate(families, start=1):
        assert f">{number}: {fmt.beat_count(len(family))}, {family.hint.value or 'normal'}<" in page
        assert f"Mean shape of family {number} in {case.recording.leads[0]}." in page


def test_what_scrolls_is_reached_by_keyboard_and_named(page: str) -> None:
    regions = [attributes for attributes in assert_sound(page).all("div") if "scroll" in attributes.get("class", "")]
    assert len(regions) > 5
    for region in regions:
        assert region["tabindex"] == "0"
        assert region.get("aria-label") or region.get("aria-labelledby")


def test_the_same_input_gives_the_same_page(page: str, case: Case, tmp_path: Path) -> None:
    assert written(tmp_path, case.recording, case.analysis, case.events) == page


def test_names_are_escaped(case: Case, tmp_path: Path) -> None:
    evil = '<script>alert("1")</script>&$x$'
    recording = replace(case.recording, source=f"{evil} here", leads=(evil, "V1"))
    analysis = replace(case.analysis, normal=replace(case.analysis.normal, leads=recording.leads))
    page = written(tmp_path, recording, analysis, [Event("pause", 3.0, 5.0, 2, evil)])
    assert "<script" not in page


def test_every_run_and_pause_is_listed_the_worst_first(case: Case, tmp_path: Path) -> None:
    runs = [Event("ventricular run", float(s), s + 2.0, 5, "", 90.0) for s in range(150)]
    runs[140] = Event("ventricular run", 140.0, 148.0, 22, "", 170.0)
    pauses = [Event("pause", 200 + s, 202.1 + s, 2, "") for s in range(60)]
    pauses[50] = Event("pause", 250.0, 256.2, 2, "")
    couplets = [Event("couplet", s / 2, s / 2 + 0.4, 2, "", 150.0) for s in range(300)]
    page = written(tmp_path, case.recording, case.analysis, [*runs, *pauses, *couplets])
    text = assert_sound(page).text
    events = page[page.index('<section id="events"') :]
    assert all(f"<td>{fmt.elapsed(s)}</td>" in events for s in range(150))
    assert all(f"<td>{fmt.elapsed(200 + s)}</td>" in events for s in range(60))
    assert "Ventricular run: 150" in text
    assert "Ventricular couplets: 300" in text
    first_rows = re.findall(r"<tbody>\s*<tr>.*?<td>(0:[^<]*)</td>", events)
    assert [first_rows[0], first_rows[2]] == ["0:02:20", "0:04:10"]
    assert "200 less serious ones are not listed" in text


def test_the_strips_show_the_longest_pause_and_the_fastest_and_the_longest_run(case: Case) -> None:
    events = [
        Event("ventricular run", 20.0, 29.0, 15, "", 93.0),
        Event("ventricular run", 40.0, 51.0, 19, "", 103.0),
        Event("ventricular run", 60.0, 61.0, 4, "", 210.0),
        Event("ventricular run", 100.0, 107.8, 22, "", 170.0),
        Event("ventricular run", 150.0, 190.0, 40, "", 61.0),
        Event("ventricular run", 210.0, 240.0, 40, "", 80.0),
        Event("pause", 5.0, 8.1, 2, ""),
        Event("pause", 200.0, 206.2, 2, ""),
    ]
    shown = {choice.title: choice for choice in chosen(case, events)}
    titles = " | ".join(shown)
    assert "Ventricular run, fastest of 6 · 23:59:00" in titles
    assert "Ventricular run, most serious of 6 · 23:59:40" in titles
    assert "Ventricular run, longest of 6 · 2024-03-02 00:00:30" in titles
    (pause,) = (title for title in shown if "Pause" in title)
    assert pause == "Pause, longest of 2 · 2024-03-02 00:01:20"
    assert (shown[pause].start_s, shown[pause].end_s) == (pytest.approx(199.6), pytest.approx(206.6))
    assert "Lowest heart rate" in titles
    assert "Highest heart rate" in titles


def test_the_lowest_and_highest_rate_have_their_time(page: str, case: Case) -> None:
    rate = heart_rate(case.analysis, case.recording.duration_s)
    lowest, highest = rate.extremes
    text = assert_sound(page).text
    assert rate.bpm[lowest] == np.nanmin(rate.bpm)
    assert f"Minimum{rate.bpm[lowest]:.0f} /min{fmt.time_of_day(case.recording.start, 10 * lowest)}" in text
    assert f"Maximum{rate.bpm[highest]:.0f} /min{fmt.time_of_day(case.recording.start, 10 * highest)}" in text


def test_names_of_leads_are_shortened(case: Case, tmp_path: Path) -> None:
    leads = ("ECG II", "EKG V1")
    recording = replace(case.recording, leads=leads)
    analysis = replace(case.analysis, normal=replace(case.analysis.normal, leads=leads))
    page = written(tmp_path, recording, analysis, case.events)
    assert "II, V1" in assert_sound(page).text
    assert ">ECG II<" not in page


def test_each_printed_page_says_whose_it_is(case: Case, tmp_path: Path) -> None:
    recording = replace(case.recording, source='night/of "Ø" </style><b>.edf')
    page = written(tmp_path, recording, case.analysis, case.events)
    assert "@bottom-left" in page
    assert "counter(page)" in page
    assert page.count("</style>") == 1


def test_the_axis_of_the_trend_has_round_times_of_day(page: str) -> None:
    assert "23:59" in page
    assert "00:02" in page
    assert "time of day" in page


@pytest.mark.parametrize(
    ("what", "signal", "leads"),
    [
        ("flat", np.zeros((5000, 2)), ("MLII", "V1")),
        ("missing", np.full((5000, 2), np.nan), ("MLII", "V1")),
        ("noise", np.random.default_rng(0).normal(0, 3, (5000, 1)), ("I",)),
        ("one sample", np.zeros((1, 1)), ("I",)),
        ("three samples", np.zeros((3, 1)), ("I",)),
    ],
)
def test_a_page_without_a_beat(
    tmp_path: Path, ambulatory: Detector, what: str, signal: np.ndarray, leads: tuple[str, ...]
) -> None:
    recording = Recording(signal.astype(np.float32), 250.0, leads)
    analysis = analyse(recording, ambulatory)
    page = written(tmp_path, recording, analysis, find_events(analysis))
    text = assert_sound(page).text
    assert "No event was found." in text or what == "noise"
    assert "The patient's usual beat could not be learned." in text
    assert 'class="ecg"' in page


@pytest.mark.parametrize("seconds", [3, 20])
@pytest.mark.parametrize("leads", [1, 2])
def test_a_page_on_a_short_recording(tmp_path: Path, ambulatory: Detector, seconds: float, leads: int) -> None:
    recording = simulate_recording(seconds, leads=leads, random_state=2)
    analysis = analyse(recording, ambulatory)
    page = written(tmp_path, recording, analysis, find_events(analysis))
    assert (analysis.normal is None) == (seconds < 10)
    assert page.count('class="pulse"') >= leads
    widths = [float(width) for width in re.findall(r'class="ecg" width="([\d.]+)mm"', page)]
    assert max(widths) == LEFT_MM + 25 * min(seconds, STRIP_S)


def test_a_page_on_nothing_abnormal(tmp_path: Path, case: Case) -> None:
    quiet = replace(
        case.analysis,
        verdict=np.full(len(case.analysis), "NORMAL"),
        hint=np.full(len(case.analysis), "", dtype="U21"),
    )
    page = written(tmp_path, case.recording, quiet, [])
    assert "What is usual for this patient" in page
    assert "Lay the abnormal beats" not in page


def test_many_leads_are_shown_up_to_a_dozen(tmp_path: Path, ambulatory: Detector) -> None:
    one = simulate_recording(60, ectopic={"V": 0.1}, leads=1, random_state=2)
    recording = replace(one, signal=np.repeat(one.signal, 15, axis=1), leads=tuple(f"L{n}" for n in range(15)))
    analysis = analyse(recording, ambulatory)
    page = written(tmp_path, recording, analysis, find_events(analysis))
    assert "3 more leads are not shown." in page
    heights = [float(height) for height in re.findall(r'class="ecg" width="[\d.]+mm" height="([\d.]+)mm"', page)]
    assert max(heights) <= PAGE_MM
    assert len(page) < 3_000_000


def test_an_unwritable_path_is_said_first_and_leaves_nothing(tmp_path: Path, case: Case) -> None:
    for path, says in ((tmp_path / "no" / "page.html", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(OutputError, match=says):
            recording_report(path, case.recording, case.analysis, case.events)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_page_that_was_there(tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_former_page_stays(
        monkeypatch, tmp_path, lambda path: recording_report(path, case.recording, case.analysis, case.events)
    )


def test_patient_and_recorder_are_text(tmp_path: Path, case: Case):
    person = Patient("<b>Ada</b>", "=1+1", "female", date(1953, 5, 8))
    recording = replace(case.recording, patient=person, device="Holter <7>")
    recording_report(tmp_path / "page.html", recording, case.analysis, case.events)
    page = (tmp_path / "page.html").read_text()
    assert "<bdi>&lt;b&gt;Ada&lt;/b&gt;</bdi>" in page
    assert all(f"<bdi>{text}</bdi>" in page for text in ("=1+1", "female", "1953-05-08"))
    assert "Holter &lt;7&gt;" in page
    assert "<b>Ada" not in page


def test_an_age_is_not_called_a_birth(tmp_path: Path, case: Case):
    recording = replace(case.recording, patient=Patient(age_years=51))
    recording_report(tmp_path / "page.html", recording, case.analysis, case.events, style=ReportStyle("de"))
    page = (tmp_path / "page.html").read_text()
    assert re.search(r"Alter</th><td><bdi>51 Jahre", page)
    assert "Geboren" not in page
