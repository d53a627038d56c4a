"""The workbench of a recording in a real browser: reading and correcting, by mouse and by keyboard alone."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from ectopy.analysis import analyse
from ectopy.analysis.minute_waves import measure_minutes
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.service.access import Scope
from ectopy.service.recordings import Status, StoredRecording
from ectopy.service.recordings.result import save_result
from ectopy.service.recordings.stored_recording import RESULT
from support.browsers import (
    AXE,
    Browser,
    BrowserContext,
    Page,
    opened,
    opened_beside,
    playwright,
    require_no_serious_fault,
    tab_to,
)
from support.server import Service, running
from support.waiting import until

expect = playwright.expect

COPIES = 28
SHARED = f"{0:016x}"
DURATION_S = 900
RUN_S = 620.0
START = datetime(2026, 3, 4, 23, 55)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("home")
    episodes = [Episode("ventricular_tachycardia", RUN_S, 5, 150), Episode("ventricular_tachycardia", 200, 3, 120)]
    signal = simulate_recording(DURATION_S, ectopic={"V": 0.03}, episodes=episodes, random_state=4, hrv_sd_ms=20)
    recording = replace(signal, start=START, annotations=None, source="night")
    first = home / "recordings" / SHARED
    (first / RESULT).mkdir(parents=True)
    analysis = analyse(recording, load_ambulatory())
    save_result(first / RESULT, recording, analysis, measure_minutes(recording, analysis))
    for number in range(COPIES):
        folder = first.with_name(f"{number:016x}")
        if folder != first:
            shutil.copytree(first, folder)
        name, now = f"night {number}", time.time()
        entry = StoredRecording(folder.name, name, now, "night.edf", status=Status.ANALYSED, progress=1.0)
        (folder / "entry.json").write_bytes(msgspec.json.encode(entry))
    with running(home) as service:
        yield service


@pytest.fixture(scope="module")
def unused() -> Iterator[int]:
    return iter(range(1, COPIES))


@pytest.fixture
def recording(unused: Iterator[int]) -> str:
    """The id of a recording that no other test corrects."""
    return f"{next(unused):016x}"


@pytest.fixture
def desk(visitor: BrowserContext) -> Iterator[Page]:
    """A page whose report says its version alone, and tells the page around it when it is printed."""

    def report(route: playwright.Route) -> None:
        version = page.request.get(route.request.url.removesuffix("/report")).json()["version"]
        body = f"<!DOCTYPE html><title>Report</title><body>Version {version}</body>"
        route.fulfill(body=body, content_type="text/html")

    for page in opened_beside(visitor):
        page.add_init_script("window.print = () => (top.printed ??= []).push(document.body.textContent)")
        page.route("**/report", report)
        yield page


@pytest.fixture
def page(desk: Page) -> Page:
    """The workbench of a recording that no test corrects, ready to use."""
    return visit(desk, SHARED)


def visit(page: Page, recording: str) -> Page:
    page.goto(f"/recording?id={recording}")
    expect(page.locator("#events [role=option]").first).to_be_visible()
    expect(page.locator("#view")).to_be_focused()
    return page


def where(page: Page) -> playwright.Locator:
    return page.locator("#where")


def answers(service: Service, recording: str, what: str) -> Any:
    with service.client() as http:
        return http.get(f"/api/recordings/{recording}/{what}").json()


def correct(service: Service, recording: str, correction: dict[str, Any]) -> None:
    """Correct a recording from elsewhere, with a key named after its scope."""
    with service.client(service.new_key(Scope.CORRECT, Scope.VIEW)) as http:
        seen = http.get(f"/api/recordings/{recording}").json()
        request = {"analysis": seen["analysis"], "version": seen["version"], "correction": correction}
        assert http.post(f"/api/recordings/{recording}/corrections", json=request).status_code == 201


def hold(page: Page, address: str, method: str = "GET") -> Callable[[], None]:
    """Let no request to an address reach the service until what is returned is called."""
    held: list[playwright.Route] = []

    def keep(route: playwright.Route) -> None:
        if route.request.method == method:
            held.append(route)
        else:
            route.continue_()

    def release() -> None:
        page.unroute(address)
        for route in held:
            route.continue_()

    page.route(address, keep)
    return release


def require_printed(page: Page, *reports: str) -> None:
    page.wait_for_function("count => window.printed?.length >= count", arg=len(reports))
    assert page.evaluate("window.printed") == list(reports)


class HeldAnswers:
    """Corrections of a page that the service carries out, whose answers the page gets when they are released."""

    def __init__(self, page: Page) -> None:
        self._held: list[tuple[playwright.Route, playwright.APIResponse]] = []
        self._page = page
        page.route("**/corrections", self._keep)

    def _keep(self, route: playwright.Route) -> None:
        if route.request.method == "POST":
            self._held.append((route, route.fetch()))
        else:
            route.continue_()

    def wait(self) -> None:
        """Wait until the service has carried one out."""
        until(lambda: self._page.wait_for_timeout(10) or self._held)

    def release(self) -> None:
        for route, answer in self._held:
            route.fulfill(response=answer)
        self._held.clear()

    def lose(self) -> None:
        """Let the page hear nothing, as when the network fails."""
        for route, _ in self._held:
            route.abort()
        self._held.clear()


# Reading


def test_events_and_trace_point_at_each_other(page: Page):
    first = page.locator("#events [role=option]").first
    expect(first).to_contain_text("Ventricular run")
    expect(first).to_contain_text("day 2 00:05:20")
    first.click()
    expect(where(page)).to_contain_text("00:05:")
    expect(first).to_have_class("here")
    expect(first).to_have_attribute("aria-selected", "true")
    page.get_by_role("button", name="Earlier").click()
    page.get_by_role("button", name="Earlier").click()
    expect(first).not_to_have_class("here")


def test_the_worst_event_is_in_sight_during_a_rhythm_that_lasts_all_along(desk: Page):
    def add_events(route: playwright.Route) -> None:
        answer = route.fetch()
        last = {"kind": "atrial fibrillation", "start_s": 0.0, "end_s": float(DURATION_S), "rank": 1000, "text": ""}
        many = [{**last, "kind": "couplet", "start_s": 50.0 + at, "end_s": 51.0 + at, "rank": 900} for at in range(60)]
        route.fulfill(response=answer, json={"events": [*answer.json()["events"], *many, last]})

    desk.route("**/events", add_events)
    page = visit(desk, SHARED)
    events = page.locator("#events [role=option]")
    expect(events.last).to_have_class("here")
    expect(events.first).to_be_in_viewport()
    page.get_by_role("button", name="Later").click()
    expect(where(page)).to_contain_text(re.compile("^day 1 23:55:0[1-9]"))
    expect(events.first).to_be_in_viewport()


def has_event_bar(page: Page) -> bool:
    """Whether the trace has the bar of an event above the beats."""
    row = "getContext('2d').getImageData(0, 8 * devicePixelRatio, canvas.width, 1)"
    return page.locator("#signal").evaluate(f"canvas => canvas.{row}.data.some(value => value > 0)")


def test_the_trace_has_the_events_as_soon_as_they_have_come(desk: Page):
    def add_rhythm(route: playwright.Route) -> None:
        answer = route.fetch()
        rhythm = {"kind": "atrial fibrillation", "start_s": 0.0, "end_s": float(DURATION_S), "rank": 1000, "text": ""}
        route.fulfill(response=answer, json={"events": [*answer.json()["events"], rhythm]})

    desk.route("**/events", add_rhythm)
    page = visit(desk, SHARED)
    expect(page.locator("#events")).to_contain_text("Atrial fibrillation")
    until(lambda: has_event_bar(page))


def test_the_trace_goes_to_a_time_and_one_outside_is_refused_in_words(page: Page):
    moments = {
        "0:06": "day 2 00:05:5",
        "23:56:30": "day 1 23:56:2",
        "day 2 0:01": "day 2 00:00:5",
        "10:00 elapsed": "day 2 00:04:5",
    }
    for text, start in moments.items():
        page.keyboard.press("g")
        page.get_by_label("Go to a time").fill(text)
        page.keyboard.press("Enter")
        expect(where(page)).to_contain_text(re.compile(f"^{start}"))
        expect(page.locator("#view")).to_be_focused()
    page.get_by_label("Go to a time").fill("12:00")
    page.keyboard.press("Enter")
    refused = page.locator(".reply.failed:visible")
    expect(refused).to_have_text(re.compile("A time from day 1 23:55:00 to day 2 00:10:00"))


def test_times_of_a_recording_are_read_as_they_are_written(modules: Page):
    answers = modules.evaluate(
        """async () => {
          const { RecordingClock } = await import("/modules/recording_clock.js");
          const known = new RecordingClock("2026-03-04T23:55:00+01:00", 90000);
          const unknown = new RecordingClock(null, 7300);
          const moments = [0, 299.96, 300, 86400 + 300, 89999.9];
          return {
            known: moments.map((time) => known.parse(known.moment(time, 1)) - time),
            unknown: [0, 59.9, 61, 3600, 7299.9].map((time) => unknown.parse(unknown.moment(time, 1)) - time),
            refused: ["", "12", "25:00:00:00", "day 9 10:00", "noon"].map((text) => known.parse(text)),
            elapsed: ["+1:00:00", "1:00:00 elapsed", "5:00 elapsed"].map((text) => known.parse(text)),
          };
        }"""
    )
    assert max(map(abs, answers["known"] + answers["unknown"])) < 0.06
    assert answers["refused"] == [None] * 5
    assert answers["elapsed"] == [3600, 3600, 300]


@pytest.mark.parametrize("duration_s", [12, 60, 240, 900, 86_400])
@pytest.mark.parametrize("start", ["2026-03-04T10:00:00", None])
def test_no_label_of_the_overview_is_repeated_or_lies_on_another(modules: Page, duration_s: float, start: str | None):
    labels = modules.evaluate(
        """async ([start, duration]) => {
          const { Chart, range } = await import("/modules/chart.js");
          const { RecordingClock } = await import("/modules/recording_clock.js");
          const clock = new RecordingClock(start, duration);
          const canvas = document.createElement("canvas");
          Object.assign(canvas.style, { width: "900px", height: "84px" }); // as on the workbench
          document.body.append(canvas);
          const context = canvas.getContext("2d");
          const labels = [];
          context.fillText = (text, x, y) => labels.push({ text, x, y, wide: context.measureText(text).width });
          const chart = new Chart(canvas, { time: (seconds, step) => clock.tick(seconds, step), first: -clock.first });
          chart.show({ start: 0, stop: duration, ...range([40, 140], 50, 110) });
          canvas.remove();
          return labels;
        }""",
        [start, duration_s],
    )
    values = [label for label in labels if label["x"] < 40]
    times = [label for label in labels if label["x"] >= 40]
    assert len(values) >= 2
    assert len(times) >= 2
    assert len({label["text"] for label in times}) == len(times)
    assert all(abs(lower["y"] - upper["y"]) >= 12 for lower, upper in pairwise(values))
    assert all(right["x"] - left["x"] > (left["wide"] + right["wide"]) / 2 for left, right in pairwise(times))


def test_speed_and_gain_are_those_of_the_paper(page: Page):
    page.get_by_role("radio", name="50", exact=True).check(force=True)
    page.get_by_role("radio", name="20", exact=True).check(force=True)
    expect(where(page)).to_contain_text("20 ms and 0.05 mV")
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("[name=speed]:checked")).to_have_count(0)
    expect(where(page)).to_contain_text("40 ms and 0.05 mV")


def test_calipers_measure_by_mouse_and_keyboard(page: Page):
    output = page.locator("#calipers")
    page.keyboard.press("c")
    expect(output).to_have_text(re.compile(r"^\d+ ms · \d+ bpm · −?\d\.\d\d mV$"))
    box = page.locator("#signal").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + 200 + 25 * 96 / 25.4, box["y"] + 120, steps=3)
    page.mouse.up()
    # 25 mm at 25 mm/s are a second, less what the last pixel is worth.
    expect(output).to_have_text(re.compile(r"^(99\d|100\d) ms · (59|60|61) bpm · −?0\.00 mV$"))
    page.keyboard.press("ArrowRight")
    expect(output).to_have_text(re.compile(r"^(100\d|101\d) ms"))
    page.keyboard.press("Escape")
    expect(output).to_be_empty()


def test_full_disclosure_draws_what_is_in_sight_and_leads_there(page: Page):
    page.set_viewport_size({"width": 1440, "height": 700})
    lines = page.locator("#disclosure .line")
    until(lambda: lines.count() > 5)
    assert lines.count() < DURATION_S / 60
    disclosure = page.get_by_role("slider", name="Full disclosure")
    # The high beats of the first line are not cut off.
    top = "getBoundingClientRect().top"
    until(lambda: disclosure.evaluate(f"box => box.querySelector('.line')?.{top} >= box.{top}"))
    disclosure.focus()
    disclosure.press("End")
    expect(where(page)).to_contain_text("to 00:10:00.0 of")
    expect(disclosure).to_have_attribute("aria-valuetext", re.compile("day 2 00:09:[45]"))
    disclosure.press("Enter")
    expect(page.locator("#view")).to_be_focused()
    page.keyboard.press("d")
    until(lambda: lines.count() == DURATION_S / 60)
    box = page.locator("#disclosure .sheet").bounding_box()
    page.mouse.click(box["x"] + 52 + (box["width"] - 52) / 2, box["y"] + 10.5 * 26)
    expect(where(page)).to_contain_text("day 2 00:05:2")
    expect(page.locator("#signal")).to_be_visible()


def test_the_places_of_twelve_leads_cover_the_paper(modules: Page):
    cells = modules.evaluate(
        """async () => {
          const { hasTwelve, twelve } = await import("/modules/lead_layout.js");
          const names = ["V1", "V2", "V3", "V4", "V5", "V6", "I", "II", "III", "aVR", "aVL", "aVF"];
          if (!hasTwelve(names) || hasTwelve(names.slice(1))) return null;
          return twelve(names, 0, 400).map((cell) => ({ ...cell, name: names[cell.lead] }));
        }"""
    )
    columns = [[cell["name"] for cell in cells[3 * number : 3 * number + 3]] for number in range(3)]
    assert [cell["from"] for cell in cells[:12:3]] == [0, 0.25, 0.5, 0.75]
    assert columns == [["I", "II", "III"], ["aVR", "aVL", "aVF"], ["V1", "V2", "V3"]]
    assert (cells[-1]["name"], cells[-1]["from"], cells[-1]["to"]) == ("II", 0, 1)
    assert sum((cell["to"] - cell["from"]) * cell["height"] for cell in cells) == 400


def test_families_lead_from_beat_to_beat(page: Page):
    page.get_by_role("tab", name="Families").click()
    families = page.locator("#families [role=option]")
    ventricular = families.filter(has_text="Ventricular-like").first
    ventricular.click()
    expect(page.locator("#selected")).to_contain_text("Ventricular-like")
    expect(ventricular).to_have_class("here")
    selected = page.locator("#selected").inner_text()
    page.get_by_role("button", name="Next beat of the family").click()
    expect(page.locator("#selected")).not_to_have_text(selected)
    page.get_by_role("button", name="Previous beat of the family").click()
    expect(page.locator("#selected")).to_have_text(selected)


# Correcting


def test_a_family_is_relabelled_as_its_list_shows_it_or_not_at_all(desk: Page, service: Service, recording: str):
    page = visit(desk, recording)
    page.get_by_role("tab", name="Families").click()
    page.locator("#families [role=option]").filter(has_text="Ventricular-like").first.click()
    desk.route("**/families", lambda route: route.abort())  # the list stays as it was
    positions = [beat["position"] for beat in answers(service, recording, "beats?limit=1")]
    correct(service, recording, {"type": "relabel", "positions": positions, "label": "supraventricular"})
    expect(page.locator("#log li")).to_have_count(1)
    page.locator("#family-labels [data-label=other]").click()
    expect(page.locator("#families-panel")).to_contain_text("newer corrections")
    assert answers(service, recording, "corrections")["version"] == 1


def test_a_beat_is_relabelled_deleted_added_and_all_is_undone(desk: Page, service: Service, recording: str):
    page = visit(desk, recording)

    def hints() -> list[str]:
        return [beat["hint"] for beat in answers(service, recording, "beats?limit=6")]

    before = hints()
    log = page.locator("#log li")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    expect(log).to_have_count(1)
    assert hints() == ["ventricular-like", *before[1:]]
    page.keyboard.press("Delete")
    expect(log).to_have_count(2)
    assert hints()[:5] == before[1:]
    page.keyboard.press("Escape")
    page.mouse.click(*inside(page, 0.45, 0.5))
    page.keyboard.press("a")
    expect(log).to_have_count(3)
    for count in (4, 5, 6):
        page.keyboard.press("Control+z")
        expect(log).to_have_count(count)
    assert hints() == before


def test_a_number_chooses_a_family_and_the_next_key_labels_it(desk: Page, service: Service, recording: str):
    page = visit(desk, recording)
    families = answers(service, recording, "families")["families"]
    assert len(families) >= 2
    expect(page.locator("#families [role=option]")).to_have_count(len(families))
    page.keyboard.press("2")
    expect(page.locator("#families")).to_be_focused()
    expect(page.locator("#families [role=option][aria-selected=true]")).to_contain_text(f"{families[1]['beats']:,}")
    page.keyboard.press("q")
    expect(page.locator("#log li")).to_have_count(1)
    entry = answers(service, recording, "corrections")["entries"][0]
    assert (entry["label"], entry["beats"]) == ("other", families[1]["beats"])
    number = len(answers(service, recording, "families")["families"]) + 1
    page.keyboard.press(str(number))
    expect(page.locator("#polite")).to_have_text(f"There is no family {number}.")
    page.keyboard.press("k")
    expect(page.get_by_role("dialog")).to_contain_text("Family of this number")


def test_the_family_that_was_chosen_last_is_relabelled_whatever_answer_comes_late(
    desk: Page, service: Service, recording: str
):
    page = visit(desk, recording)
    held: list[playwright.Route] = []
    page.route("**/families/2/beats**", lambda route: held.append(route))
    families = answers(service, recording, "families")["families"]
    chosen = families[1]
    expect(page.locator("#families [role=option]")).to_have_count(len(families))
    for key in ("f", "Home", "ArrowDown"):
        page.keyboard.press(key)
    page.wait_for_timeout(700)  # in which what was asked for the first family is answered
    expect(page.locator("#family-facts")).to_contain_text("Family 2")
    page.keyboard.press("q")
    expect(page.locator("#log li")).to_have_count(1)
    assert answers(service, recording, "corrections")["entries"][0]["beats"] == chosen["beats"]
    for route in held:
        route.abort()


def test_a_stretch_is_selected_beat_by_beat_and_marked_as_noise(desk: Page, service: Service, recording: str):
    page = visit(desk, recording)
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("#selected")).to_contain_text("3 beats")
    page.keyboard.press("x")
    expect(page.locator("#log li")).to_contain_text("marked as noise")
    verdicts = [beat["verdict"] for beat in answers(service, recording, "beats?limit=4")]
    assert verdicts[:3] == ["UNREADABLE"] * 3


def test_the_trace_has_the_events_of_a_correction_and_of_its_undoing(desk: Page, recording: str):
    page = visit(desk, recording)
    assert not has_event_bar(page)
    for key in ("ArrowRight", *["Shift+ArrowRight"] * 3, "v"):
        page.keyboard.press(key)
    until(lambda: has_event_bar(page))
    page.keyboard.press("Control+z")
    until(lambda: not has_event_bar(page))


def inside(page: Page, across: float, down: float) -> tuple[float, float]:
    box = page.locator("#signal").bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def test_strips_are_chosen_with_a_caption_and_removed(desk: Page, service: Service, recording: str):
    page = visit(desk, recording)
    page.keyboard.press("r")
    page.keyboard.type("<b>First</b> beats")
    page.keyboard.press("Enter")
    strip = page.locator("#strips li")
    expect(strip).to_contain_text("day 1 23:55:00 <b>First</b> beats")
    expect(page.locator("#view")).to_be_focused()
    assert answers(service, recording, "corrections")["strips"][0]["caption"] == "<b>First</b> beats"
    strip.get_by_role("button", name="Remove the strip").click()
    expect(strip).to_have_count(0)


def test_results_and_corrections_are_files_to_take_away(desk: Page, recording: str):
    page = visit(desk, recording)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    expect(page.locator("#log li")).to_have_count(1)
    page.get_by_role("tab", name="Report").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Corrections").click()
    assert msgspec.json.decode(download.value.path().read_bytes())["entries"][0]["correction"]["label"] == "ventricular"
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert b"ventricular-like" in download.value.path().read_bytes().splitlines()[1]


def test_what_is_printed_right_after_a_correction_is_the_new_report(desk: Page, recording: str):
    """Even while the answer to the correction is on its way, and the lists wait for theirs."""
    page = visit(desk, recording)
    page.keyboard.press("p")
    require_printed(page, "Version 0")
    answers, release_lists = HeldAnswers(page), hold(page, "**/families")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    answers.wait()
    for _ in range(2):  # a second time out of impatience
        page.keyboard.press("p")
    expect(page.locator("#print")).to_have_text("Waiting for the correction…")
    require_printed(page, "Version 0")
    answers.release()
    require_printed(page, "Version 0", "Version 1")
    expect(page.locator("#print")).to_have_text("Print the report")
    release_lists()
    expect(page.locator("#log li")).to_have_count(1)


def test_a_report_whose_correction_was_not_stored_is_not_printed_before_that_is_said(desk: Page, recording: str):
    page = visit(desk, recording)
    answers = HeldAnswers(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    answers.wait()
    page.keyboard.press("p")
    expect(page.locator("#print")).to_have_text("Waiting for the correction…")
    answers.lose()
    said = page.locator(".reply.failed").filter(has_text="A correction was not stored. The server cannot be reached.")
    expect(said).to_be_visible()
    expect(page.locator("#print")).to_have_text("Print the report")
    assert page.evaluate("window.printed") is None
    page.keyboard.press("p")
    require_printed(page, "Version 1")
    expect(said).to_be_hidden()


def test_a_report_that_cannot_be_loaded_is_not_printed(desk: Page, recording: str):
    page = visit(desk, recording)
    faults: list[Callable[[playwright.Route], None]] = [
        lambda route: route.fulfill(status=503, json={"detail": "no database"}),
        lambda route: route.abort(),
    ]
    for fault in faults:
        page.route("**/report", fault)
        page.keyboard.press("p")
        expect(page.locator(".reply.failed")).to_have_text("The report could not be loaded. Try again.")
        page.unroute("**/report", fault)
    page.keyboard.press("p")
    require_printed(page, "Version 0")
    expect(page.locator(".reply.failed")).to_be_hidden()


def test_files_and_reports_wait_for_what_is_being_sent(desk: Page, recording: str):
    page = visit(desk, recording)
    answers = HeldAnswers(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    answers.wait()
    page.get_by_role("tab", name="Report").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
        expect(page.locator("#report-files .reply")).to_have_text("Waiting until the correction is stored…")
        answers.release()
    assert b"ventricular-like" in download.value.path().read_bytes().splitlines()[1]
    expect(page.locator("#report-files .reply")).to_be_hidden()
    page.locator("#view").press("ArrowRight")
    page.keyboard.press("v")
    answers.wait()
    page.get_by_role("link", name="Report alone").click()
    answers.release()
    expect(page.get_by_text("Version 2")).to_be_visible()


def test_a_conclusion_that_is_being_typed_is_written_before_the_report_is_printed(
    desk: Page, service: Service, recording: str
):
    page = visit(desk, recording)
    page.keyboard.press("w")
    page.keyboard.type("One run.")
    for asking in (page.locator("#pdf-link"), page.locator("#print")):
        asking.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        expect(page.locator("#recording")).not_to_contain_text("Waiting")
        dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("#print")).to_have_text("Print the report")
    assert page.evaluate("window.printed") is None
    page.locator("#print").click()
    page.get_by_role("dialog").get_by_role("button", name="Write it").click()
    require_printed(page, "Version 1")
    assert answers(service, recording, "corrections")["conclusion"] == "One run."


def test_a_correction_that_is_being_sent_is_not_lost_with_the_page(desk: Page, recording: str):
    page = visit(desk, recording)
    answers = HeldAnswers(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    answers.wait()
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    answers.release()
    expect(page.locator("#log li")).to_have_count(1)


def test_corrections_that_follow_each_other_quickly_are_all_stored(desk: Page, service: Service, recording: str):
    """Nobody waits for the answer to one before they correct the next."""
    page = visit(desk, recording)
    held = HeldAnswers(page)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("v")
    page.keyboard.press("Control+z")
    held.wait()
    page.unroute("**/corrections")
    held.release()
    expect(page.locator("#log li")).to_have_count(4)
    expect(page.locator(".reply.failed")).to_have_count(0)
    assert answers(service, recording, "corrections")["version"] == 4


def test_a_correction_after_one_that_was_rejected_is_not_sent(desk: Page, service: Service, recording: str):
    """Whoever made it had not seen what somebody else has corrected meanwhile."""
    page = visit(desk, recording)
    held: list[playwright.Route] = []
    page.route(
        "**/corrections", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    for _ in range(2):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("v")
    until(lambda: page.wait_for_timeout(10) or held)
    correct(service, recording, {"type": "write_conclusion", "text": "Another one"})
    page.unroute("**/corrections")
    for route in held:
        route.continue_()
    said = page.locator(".reply.failed").filter(has_text="The correction before this one was not stored.")
    expect(said).to_be_visible()
    assert answers(service, recording, "corrections")["version"] == 1


def test_a_correction_is_rejected_where_somebody_else_came_between(desk: Page, service: Service, recording: str):
    page = visit(desk, recording)
    held = HeldAnswers(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    held.wait()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    correct(service, recording, {"type": "write_conclusion", "text": "Another one"})
    page.unroute("**/corrections")
    held.release()
    expect(page.locator(".reply.failed").filter(has_text="newer")).to_be_visible()
    assert answers(service, recording, "corrections")["version"] == 2


def test_a_correction_that_is_stored_takes_back_what_was_said_of_those_that_were_not(
    desk: Page, service: Service, recording: str
):
    desk.route("**/changes", lambda route: route.abort())
    page = visit(desk, recording)
    failure = page.locator(".reply.failed:visible")

    def require_taken_back(text: str) -> None:
        expect(failure).to_contain_text(text)
        page.keyboard.press("w")
        page.keyboard.type("One run. ")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#report-panel .reply")).to_have_text("Written.")
        expect(failure).to_have_count(0)
        page.keyboard.press("Escape")

    page.keyboard.press("ArrowRight")
    page.route("**/corrections", lambda route: route.abort())
    page.keyboard.press("v")
    expect(failure).to_contain_text("cannot be reached")
    page.unroute("**/corrections")
    require_taken_back("cannot be reached")
    correct(service, recording, {"type": "write_conclusion", "text": "One run. "})
    page.keyboard.press("v")
    require_taken_back("newer corrections")


@pytest.mark.parametrize("width", [1440, 1100, 390])
def test_the_buttons_of_corrections_keep_their_words_whole_beside_an_error(desk: Page, width: int):
    page = visit(desk, SHARED)
    page.set_viewport_size({"width": width, "height": 900})
    desk.route("**/corrections", lambda route: route.abort())
    page.keyboard.press("ArrowRight")
    page.keyboard.press("v")
    expect(page.locator(".editing .reply.failed")).to_be_visible()
    lines = """button => {
      const range = document.createRange();
      range.selectNodeContents(button);
      return range.getClientRects().length;
    }"""
    for button in page.locator("#edit button").all():
        assert button.evaluate(lines) == 1, button.inner_text()
    message, below = (page.locator(at).bounding_box() for at in (".editing .reply", ".disclosure-head"))
    assert message["y"] + message["height"] <= below["y"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_correction_of_somebody_else_is_undone_only_after_a_question(desk: Page, service: Service, recording: str):
    """Even before the log has loaded."""
    correct(service, recording, {"type": "write_conclusion", "text": "A mistake"})
    release = hold(desk, "**/corrections")
    desk.goto(f"/recording?id={recording}")
    expect(desk.locator("#view")).to_be_focused()
    dialog = desk.get_by_role("dialog", name="Undo what correct view did?")
    desk.keyboard.press("Control+z")
    expect(dialog).to_contain_text("Conclusion written. The last change is not yours.")
    dialog.get_by_role("button", name="Cancel").click()
    assert answers(service, recording, "corrections")["conclusion"] == "A mistake"
    desk.locator("#view").press("Control+z")
    expect(dialog).to_be_visible()
    with desk.expect_response(lambda answer: answer.request.method == "POST") as undone:
        dialog.get_by_role("button", name="Undo it").click()
    assert undone.value.status == 201
    assert answers(service, recording, "corrections")["conclusion"] == ""
    release()
    expect(desk.locator("#log li")).to_have_count(2)
    expect(desk.get_by_label("Conclusion")).to_have_value("")


def test_a_correction_that_came_after_the_question_is_not_undone(desk: Page, service: Service, recording: str):
    correct(service, recording, {"type": "write_conclusion", "text": "A mistake"})
    page = visit(desk, recording)
    page.keyboard.press("Control+z")
    dialog = page.get_by_role("dialog", name="Undo what correct view did?")
    expect(dialog).to_be_visible()
    correct(service, recording, {"type": "write_conclusion", "text": "Mended"})
    expect(page.locator("#log li")).to_have_count(2)
    with page.expect_response(lambda answer: answer.request.method == "POST") as undone:
        dialog.get_by_role("button", name="Undo it").click()
    assert undone.value.status == 409
    assert answers(service, recording, "corrections")["conclusion"] == "Mended"


def test_what_another_editor_does_is_announced_and_loaded(desk: Page, service: Service, recording: str):
    desk.route("**/changes", lambda route: route.abort())
    page = visit(desk, recording)
    expect(page.locator("#connection")).to_contain_text("Connection lost")
    desk.unroute("**/changes")
    expect(page.locator("#connection")).to_be_empty()
    page.keyboard.press("w")
    page.keyboard.type("Half a sen")
    positions = [beat["position"] for beat in answers(service, recording, "beats?limit=1")]
    correct(service, recording, {"type": "relabel", "positions": positions, "label": "supraventricular"})
    expect(page.locator("#polite")).to_contain_text("has corrected this recording")
    expect(page.locator("#log li")).to_contain_text("1 beat relabelled as supraventricular")
    correct(service, recording, {"type": "write_conclusion", "text": "Another one"})
    expect(page.locator("#report-panel .reply")).to_contain_text("Another one")
    expect(page.get_by_label("Conclusion")).to_have_value("Half a sen")


def test_a_recording_whose_second_analysis_fails_shows_the_first_and_says_why(
    desk: Page, service: Service, recording: str
):
    page = visit(desk, recording)
    expect(page.locator("#progress-panel")).to_be_hidden()
    path = f"/api/recordings/{recording}"
    with service.client() as http:
        http.post(f"{path}/analyse")
        until(lambda: http.get(path).json()["status"] == "done")
    page = visit(desk, recording)
    expect(page.locator("#status")).to_contain_text("It could not be analysed again, and the analysis before is kept:")
    page.locator("#analyse").click()
    expect(page.locator("#status")).to_contain_text("does not exist")
    expect(page.locator("#events [role=option]").first).to_be_visible()


def test_a_conclusion_that_is_not_written_yet_is_not_lost_with_the_page(page: Page):
    page.keyboard.press("w")
    page.keyboard.type("Half a sen")
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    expect(page.get_by_label("Conclusion")).to_have_value("Half a sen")


def test_a_rejected_correction_keeps_what_was_typed_and_says_why(desk: Page, service: Service, recording: str):
    desk.route("**/changes", lambda route: route.abort())
    page = visit(desk, recording)
    page.keyboard.press("w")
    page.keyboard.type("My conclusion")
    correct(service, recording, {"type": "write_conclusion", "text": "Another one"})
    page.keyboard.press("Control+Enter")
    expect(page.locator("#report-panel .reply")).to_contain_text("Somebody wrote meanwhile: “Another one”")
    expect(page.get_by_label("Conclusion")).to_have_value("My conclusion")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#report-panel .reply")).to_have_text("Written.")
    assert answers(service, recording, "corrections")["conclusion"] == "My conclusion"


def test_who_may_only_view_corrects_nothing(service: Service, browser: Browser, recording: str):
    for page in opened(browser, base_url=service.url):
        page.goto(f"/about#key={service.new_key(Scope.VIEW)}")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        visit(page, recording)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("v")
        page.keyboard.press("w")
        expect(page.locator("#edit button")).to_have_count(0)
        page.get_by_role("tab", name="Report").click()
        expect(page.get_by_role("button", name="Write the conclusion")).to_be_hidden()
        assert answers(service, recording, "corrections")["entries"] == []


# The six tasks of a technician, each in at most three steps

MOST_STEPS = 3


class Steps:
    """What a person does one after the other: a click, a key, or some text."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0

    def click(self, locator: playwright.Locator) -> None:
        self.count += 1
        locator.click()

    def press(self, key: str) -> None:
        self.count += 1
        self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.count += 1
        self.page.keyboard.type(text)


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_six_tasks_in_three_steps_each(desk: Page, service: Service, recording: str, way: str):
    def steps_of(task: str, *actions: Any) -> None:
        steps = Steps(desk)
        for action in actions:
            action(steps)
        assert steps.count <= MOST_STEPS, task

    def by(mouse: list[Any], keyboard: list[Any]) -> list[Any]:
        return mouse if way == "mouse" else keyboard

    def click(selector: str) -> Any:
        return lambda steps: steps.click(desk.locator(selector).first)

    def press(key: str) -> Any:
        return lambda steps: steps.press(key)

    def write(text: str) -> Any:
        return lambda steps: steps.type(text)

    def click_on_beat(steps: Steps) -> None:
        """Click in the middle, where the beat of the family is."""
        box = desk.locator("#signal").bounding_box()
        steps.count += 1
        desk.mouse.click(box["x"] + 52 + (box["width"] - 52) / 2, box["y"] + box["height"] / 2)

    def fill_conclusion(steps: Steps) -> None:
        steps.count += 1
        desk.get_by_label("Conclusion").fill("One run.")

    name = f"night {int(recording, 16)}"
    desk.goto("/recordings")
    link = desk.get_by_role("link", name=name, exact=True)
    expect(link).to_be_visible()
    if way == "keyboard":
        tab_to(desk, name)
    steps_of("open a day", *by([lambda steps: steps.click(link)], [press("Enter")]))
    expect(desk.locator("#events [role=option]").first).to_be_visible()
    expect(desk.locator("#view")).to_be_focused()

    steps_of("find the worst run", *by([click("#events [role=option]")], [press("e"), press("ArrowDown")]))
    expect(where(desk)).to_contain_text("00:05:")
    expect(desk.locator("#selected")).to_contain_text(re.compile("^00:05:(19|20).* Ventricular-like"))

    ventricular = "#families [role=option]:has-text('Ventricular-like')"
    relabel = by(
        [click("#families-tab"), click(ventricular), click("#family-labels [data-label=supraventricular]")],
        [press("f"), press("End"), press("s")],
    )
    steps_of("relabel a family", *relabel)
    expect(desk.locator("#log li")).to_have_count(1)
    assert answers(service, recording, "corrections")["entries"][0]["label"] == "supraventricular"

    artefact = by(
        [click_on_beat, click("#edit button:text('Delete')")],
        [press("t"), press("ArrowRight"), press("Delete")],
    )
    steps_of("remove an artefact", *artefact)
    expect(desk.locator("#log li")).to_have_count(2)
    assert answers(service, recording, "corrections")["entries"][1]["type"] == "delete_beats"

    conclude = by(
        [click("#report-tab"), fill_conclusion, click("#conclusion-form button")],
        [press("w"), write("One run."), press("Control+Enter")],
    )
    steps_of("write a conclusion", *conclude)
    expect(desk.locator("#log li")).to_have_count(3)
    assert answers(service, recording, "corrections")["conclusion"] == "One run."

    steps_of("print", *by([click("#print")], [press("Escape"), press("p")]))
    require_printed(desk, "Version 3")


@pytest.mark.skipif(AXE is None, reason="axe-playwright-python is not installed")
def test_axe_finds_no_serious_fault_in_any_panel(page: Page):
    page.keyboard.press("ArrowRight")
    for tab in ("Families", "Report"):
        page.get_by_role("tab", name=tab).click()
        require_no_serious_fault(page)
    page.locator("#view").press("k")
    expect(page.get_by_role("dialog")).to_be_visible()
    require_no_serious_fault(page)
