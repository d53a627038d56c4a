"""The pages in a real browser, on a real server with simulated patients, some of them in trouble.

With ``ECTOPY_SCREENSHOTS`` set, the pictures of the documentation are written to ``docs/images``.
"""

from __future__ import annotations

import html
import io
import os
import re
import signal as signal_module
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import combinations, count, pairwise
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from PIL import Image

from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.disclaimers import STATEMENTS
from ectopy.monitor import Chunk
from ectopy.monitor.inputs import PulseChunk
from ectopy.monitor.replay import pulse_chunk
from ectopy.recording import Recording
from ectopy.report import theme
from ectopy.service.access import Scope
from ectopy.service.api.static_pages import FOLDER, pages
from ectopy.service.live.frames import signal_frame, together
from ectopy.service.live.live_samples import LiveSamples
from ectopy.service.monitoring.write_buffer import Receipt
from support import outages
from support.browsers import (
    Browser,
    BrowserContext,
    Page,
    opened,
    opened_beside,
    playwright,
    require_no_serious_fault,
    tab_to,
)
from support.pulses import pulse_wave, with_pulses
from support.server import Service, address_of, key_of, running, served
from support.waiting import PATIENCE_S, until

expect = playwright.expect

IMAGES = Path(__file__).parents[3] / "docs" / "images" if os.environ.get("ECTOPY_SCREENSHOTS") else None
SCREENSHOT_BYTES = 300_000

RATE_HZ = 250.0
TROUBLE_S = 42.0
UNTIL_S = 54.0
NAME = "<img src=x onerror=document.title='ran'>Ada & <b>Bob</b>"
PAGES = {
    "ward": "/",
    "patient": "/patient?patient=bed 1",
    "alarm": "/alarm?patient=bed 2&number=1",
    "recordings": "/recordings",
    "recording": "/recording?id={recording}",
    "training": "/training?patient=bed 1",
    "choice of training": "/training",
    "about": "/about",
    "access": "/access",
    "sign-in": "/signin",
    "unknown": "/nowhere",
}
PIXELS = "canvas => canvas.toDataURL()"
EAR = """
  const { connect } = AudioNode.prototype;
  let ear = null;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode) {
      ear ??= new AnalyserNode(to.context, { fftSize: 8192, smoothingTimeConstant: 0 });
      connect.call(this, ear);
    }
    return connect.call(this, to, ...rest);
  };
  window.heard = () => {
    if (!ear) return 0;
    const levels = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(levels);
    const loudest = levels.indexOf(Math.max(...levels));
    return levels[loudest] > -60 ? (loudest * ear.context.sampleRate) / ear.fftSize : 0;
  };
"""
"""Listens at the loudspeaker: `heard()` gives the loudest frequency, or 0."""
HIGH_HZ, LOST_HZ = 880, 622


def recording(seed: int, *episodes: Episode, duration_s: float = 180.0, **draw_beats: object) -> Recording:
    return simulate_recording(
        duration_s, sampling_rate_hz=RATE_HZ, episodes=episodes, random_state=seed, hrv_sd_ms=20, **draw_beats
    )


def send(service: Service, patient: str, signal: Recording, begin_s: float, end_s: float) -> list[Future[Receipt]]:
    """Hand in a stretch as if a device sent it, but at once."""
    ward, step = service.app.state.ward, round(RATE_HZ / 2)
    edges = [*range(round(begin_s * RATE_HZ), round(end_s * RATE_HZ), step), round(end_s * RATE_HZ)]
    chunks = [
        Chunk(
            first,
            signal.signal[first:last].astype(np.float32),
            RATE_HZ,
            signal.leads,
            ward.clock(),
            pulses=tuple(pulse_chunk(wave, first / RATE_HZ, last / RATE_HZ) for wave in signal.pulses),
        )
        for first, last in pairwise(edges)
    ]
    return [ward.submit(patient, chunk) for chunk in chunks]


def feed(service: Service, patient: str, signal: Recording, begin_s: float = 0.0, end_s: float = UNTIL_S) -> None:
    """Hand in a stretch, and wait until it is stored."""
    for receipt in send(service, patient, signal, begin_s, end_s):
        assert not receipt.result(PATIENCE_S).rejected


def ventricular_tachycardia(seed: int) -> Recording:
    """Slow enough that it does not look like flutter, too."""
    return recording(seed, Episode("ventricular_tachycardia", TROUBLE_S, 60, 120))


def streamed(number: int) -> Recording:
    troubles = {
        4: Episode("lead_off", TROUBLE_S - 14, 60),
        9: Episode("asystole", TROUBLE_S - 5, 30),
        14: Episode("ventricular_tachycardia", TROUBLE_S - 8, 60, 165),
    }
    trouble = [troubles[number]] if number in troubles else []
    ectopic = {"V": 0.02 * (number % 3), "A": 0.02 * (number % 2)}
    return recording(20 + number, *trouble, rate_bpm=54 + 3 * number, ectopic=ectopic)


NAMES = (
    *("Ada Berg", "Bela Lind", "Clara Roth", "David Okafor", "Eva Novak", "Farid Haddad", "Greta Holm", "Hiro Tanaka"),
    *(
        "Ines Duarte",
        "Jonas Weber",
        "Kira Petrova",
        "Liam Byrne",
        "Maya Cohen",
        "Nils Aalto",
        "Olga Ivanova",
        "Pia Costa",
    ),
)
WARD = {f"bed {number}": streamed(number) for number in range(1, len(NAMES) + 1)}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("home")) as service:
        ward = service.app.state.ward
        for patient, name in {"bed 1": NAME, "bed 2": "Bela", "bed 3": "Cem", "bed 4": "Dora"}.items():
            ward.admit(patient, name)
        feed(service, "bed 1", recording(1, ectopic={"V": 0.08}))
        feed(service, "bed 2", ventricular_tachycardia(2))
        feed(service, "bed 3", recording(3))
        yield service


def upload(service: Service, name: str, content: io.BytesIO) -> str:
    """Upload a recording in mV, and return its id."""
    stated = {"sampling_rate_hz": str(RATE_HZ), "unit": "mV"}
    with service.client() as http:
        response = http.post("/api/recordings", files=[("files", (name, content.getvalue()))], data=stated)
        return response.json()["id"]


def choose_file(page: Page, name: str, content: bytes, kind: str) -> None:
    """Choose a file on the page of recordings, as soon as that can take it."""
    files = page.get_by_label("Files of one recording")
    expect(files).to_be_visible()
    files.set_input_files({"name": name, "mimeType": kind, "buffer": content})


@pytest.fixture(scope="module")
def analysed(service: Service) -> str:
    """A recording that somebody has uploaded."""
    content, signal = io.BytesIO(), recording(5, ectopic={"V": 0.05}, duration_s=120).signal
    columns = np.column_stack([signal, pulse_wave(120, rate_hz=RATE_HZ).samples])
    np.savetxt(content, columns, "%.3f", ",", header="MLII,V1,ABP (mmHg)", comments="")
    return upload(service, "day.csv", content)


@pytest.fixture
def viewer(service: Service, browser: Browser) -> Iterator[Page]:
    """The page of somebody who may view only."""
    key = service.new_key(Scope.VIEW)
    for page in opened(browser, base_url=service.url):
        page.goto(f"/about#key={key}")
        expect(page.locator("#versions")).not_to_be_empty()
        yield page


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    yield from opened_beside(visitor)


@pytest.fixture
def stranger(service: Service, browser: Browser) -> Iterator[Page]:
    """The page of somebody who has not signed in."""
    yield from opened(browser, base_url=service.url)


def photograph(page: Page, name: str) -> None:
    if IMAGES is not None:
        IMAGES.mkdir(exist_ok=True)
        path = IMAGES / f"{name}.png"
        with Image.open(io.BytesIO(page.screenshot())) as picture:
            picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                path, optimize=True
            )
        assert path.stat().st_size < SCREENSHOT_BYTES


def failed(page: Page) -> playwright.Locator:
    """What is said beside a button or a field that did not do what was asked."""
    return page.locator(".reply.failed:visible")


def tile(page: Page, name: str) -> playwright.Locator:
    return page.locator(".tile").filter(has=page.get_by_role("link", name=name, exact=True))


def wait_to_hear(page: Page, hz: float) -> None:
    page.wait_for_function("hz => Math.abs(heard() - hz) < 20", arg=hz)


def draw_beats(page: Page, selector: str) -> list[bool]:
    """Whether something is on each of these canvases."""
    return page.evaluate(
        """selector => [...document.querySelectorAll(selector)].map((canvas) => {
          const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          return pixels.some((value) => value !== 0);
        })""",
        selector,
    )


# Signing in


def test_sign_in_and_out(stranger: Page, service: Service):
    stranger.goto("/patient?patient=bed 1")
    stranger.wait_for_url("**/signin?next=*")
    photograph(stranger, "sign-in")
    key = stranger.get_by_label("Key")
    key.fill("ectopy_wrong")
    key.press("Enter")
    expect(failed(stranger)).to_have_text("This key is not known.")
    expect(key).to_be_focused()
    key.fill(service.key)
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.get_by_role("heading", level=1)).to_have_text(NAME)
    stranger.get_by_role("button", name="Sign out").click()
    stranger.wait_for_url("**/signin")
    stranger.goto("/")
    stranger.wait_for_url("**/signin?next=*")


def test_signing_out_ends_the_other_tabs(stranger: Page, service: Service, analysed: str):
    stranger.goto(f"/#key={service.key}")
    expect(tile(stranger, "Bela")).to_be_visible()
    others = {name: stranger.context.new_page() for name in ("patient", "recording")}
    ready = {"patient": "#live", "recording": "#workbench"}
    for name, tab in others.items():
        with tab.expect_response(lambda answer: "/changes" in answer.url) if name == "recording" else nullcontext():
            tab.goto(PAGES[name].format(recording=analysed))
        expect(tab.locator(ready[name]).first).to_be_visible()
    stranger.get_by_role("button", name="Sign out").click()
    for tab in others.values():
        tab.wait_for_url("**/signin?next=*")


@pytest.mark.parametrize("path", ["/", "/signin"])
def test_a_key_in_the_address_signs_in_and_is_taken_from_there(stranger: Page, service: Service, path: str):
    stranger.goto(f"{path}#key={service.key}")
    expect(stranger.get_by_role("heading", name="Ward")).to_be_visible()
    expect(stranger.get_by_role("button", name="Sign out")).to_be_visible()
    assert "key" not in stranger.url
    stranger.go_back()
    assert "key" not in stranger.url


@pytest.mark.parametrize("there", ["//elsewhere.example", "/\\elsewhere.example"])
def test_signing_in_leads_to_no_other_server(stranger: Page, service: Service, there: str):
    stranger.goto(f"/signin?next={quote(there)}#key={service.key}")
    stranger.wait_for_url(f"{service.url}/")


# The ward


def test_ward_shows_the_most_urgent_first_and_says_what_to_do(browser: Browser, tmp_path: Path):
    with running(tmp_path) as service:
        for patient, name in {"bed 1": "Ada", "bed 2": "Bela", "bed 4": "Dora"}.items():
            service.app.state.ward.admit(patient, name)
        feed(service, "bed 1", recording(1), end_s=5.0)
        feed(service, "bed 2", ventricular_tachycardia(2))
        for page in opened(browser, base_url=service.url):
            page.goto(f"/#key={service.key}")
            first = page.locator(".tile").first
            expect(first.get_by_role("link", name="Bela", exact=True)).to_be_visible()
            expect(first).to_contain_text("Ventricular tachycardia")
            expect(first).to_contain_text("Go to the patient now")
            expect(first.locator("svg.sign.high")).to_be_visible()
            expect(tile(page, "Dora")).to_contain_text("No signal yet")
            expect(page.locator("#count")).to_contain_text("3 patients")


def test_names_are_text_and_never_html(page: Page):
    page.goto("/")
    expect(page.get_by_role("link", name=NAME, exact=True)).to_be_visible()
    page.goto("/patient?patient=bed 1")
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    assert page.locator("main img, main b:has-text('Bob')").count() == 0
    assert "Ada" in page.title()


def test_a_new_alarm_is_announced_and_heard(page: Page, service: Service):
    service.app.state.ward.admit("bed 5", "Emil")
    trouble = recording(6, Episode("asystole", TROUBLE_S, 30))
    feed(service, "bed 5", trouble, end_s=TROUBLE_S)
    page.add_init_script(EAR)
    page.goto("/")
    page.get_by_role("button", name="Sound is off. Turn the sound on.").click()
    expect(page.get_by_role("button", name=re.compile("^Sound on"))).to_be_visible()
    expect(page.locator("#ask")).to_be_hidden()
    expect(tile(page, "Emil")).to_be_visible()
    feed(service, "bed 5", trouble, TROUBLE_S, TROUBLE_S + 10)
    expect(page.locator("[aria-live=assertive]")).to_contain_text(
        "high priority alarm: Asystole, Emil. Go to the patient"
    )
    wait_to_hear(page, HIGH_HZ)
    page.get_by_role("button", name=re.compile("^Sound on")).click()
    expect(page.get_by_role("button", name=re.compile("^Sound paused"))).to_contain_text(re.compile(r"[12]:\d\d"))


def test_nothing_flashes_and_nothing_moves_for_whom_it_disturbs(page: Page):
    seconds = {}
    page.goto("/")
    for motion in ("no-preference", "reduce"):
        page.emulate_media(reduced_motion=motion)
        band = page.locator(".tile.high:not(.answered) .band").first
        style = "node => [getComputedStyle(node).animationName, getComputedStyle(node).animationDuration]"
        seconds[motion] = band.evaluate(style)
    assert seconds["reduce"][0] == "none"
    assert float(seconds["no-preference"][1].removesuffix("s")) > 1 / 3


# A patient


def test_patient_page(page: Page, service: Service):
    service.app.state.ward.attach("strap <b>7</b>", "bed 1")
    page.goto("/patient?patient=bed 1")
    expect(page.locator("#devices")).to_have_text("Sent by strap <b>7</b>")
    expect(page.locator("#score-words")).to_contain_text("abnormal")
    expect(page.locator("#rate")).to_have_text(re.compile(r"\d+|--"))
    expect(page.locator("#baseline")).to_contain_text("Learned from")
    expect(page.locator("#gallery li").first).to_contain_text("against a threshold of")
    expect(page.locator("#gallery li svg").first).to_be_visible()
    until(lambda: all(draw_beats(page, "canvas")))
    paper = page.evaluate("() => import('/modules/paper.js').then((paper) => paper.MM)")
    assert paper == pytest.approx(96 / 25.4)
    page.get_by_label("50 mm/s").check(force=True)
    page.get_by_label("20 mm/mV").check(force=True)
    expect(page.locator("#scale")).to_contain_text("50 mm/s · 20 mm/mV")
    page.get_by_label("24 h", exact=True).check(force=True)
    expect(page.locator("#trend-words")).to_contain_text("per minute")


def test_limits_are_set_and_refused_with_a_reason(page: Page, service: Service):
    page.goto("/patient?patient=bed 3")
    high = page.get_by_role("spinbutton", name="High above /min", exact=True)
    expect(high).to_have_value("130")
    high.fill("125")
    page.get_by_role("button", name="Set limits").click()
    expect(page.locator("#limits .reply:visible")).to_have_text("Limits set.")
    expect(page.locator("[aria-live=polite]")).to_contain_text("Limits set.")
    with service.client() as http:
        assert http.get("/api/patients/bed 3").json()["limits"]["high_bpm"] == 125
    high.fill("10")
    page.keyboard.press("Enter")
    expect(failed(page)).to_have_text("“High above” must be 60 to 320, not 10.")
    expect(failed(page)).to_be_in_viewport()
    expect(high).to_be_focused()
    expect(high).to_have_accessible_description("“High above” must be 60 to 320, not 10.")
    # Of what only the service can know, the sentence has the names of the form.
    high.fill("200")
    page.keyboard.press("Enter")
    expect(failed(page)).to_have_text("“High above” must be at most “Extremely high from”, 140, not 200.")
    expect(failed(page)).to_be_in_viewport()
    require_no_serious_fault(page)


def test_a_limit_says_beside_its_field_what_it_may_be(page: Page):
    page.goto("/patient?patient=bed 3")
    for name, wrong in (("Couplets in 5 min", "2.5"), ("Pause from", "0"), ("Heart rate at rest", "300")):
        field = page.get_by_label(name)
        expect(field).to_have_attribute("max", re.compile(r"\d+"))
        usual = field.input_value()
        field.fill(wrong)
        page.keyboard.press("Enter")
        expect(failed(page)).to_contain_text(re.compile(f"“{name}.*” must be .*, not {re.escape(wrong)}"))
        # Beside the field, wherever both have moved while the page was still filling.
        distance = page.evaluate(
            "([said, field]) => Math.abs(said.getBoundingClientRect().top - field.getBoundingClientRect().top)",
            [failed(page).element_handle(), field.element_handle()],
        )
        assert distance < 300
        expect(field).to_be_focused()
        field.fill(usual)


def test_another_profile_is_asked_for_before_it_replaces_limits(page: Page, service: Service):
    def high() -> float:
        with service.client() as http:
            return http.get("/api/patients/bed 3").json()["limits"]["high_bpm"]

    page.goto("/patient?patient=bed 3")
    profile = page.get_by_label("Profile", exact=True)
    expect(profile).to_have_value("ward")
    before = high()
    profile.select_option("ambulatory")
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(profile).to_have_value("ward")
    assert high() == before
    profile.select_option("ambulatory")
    page.get_by_role("button", name="Use them").press("Enter")
    expect(page.locator("#limits .reply:visible")).to_have_text("Limits set.")
    assert high() == 140
    with service.client() as http:
        http.put("/api/patients/bed 3/limits", json={"profile": "ward"})


def test_relearning_is_asked_for_twice(page: Page):
    page.goto("/patient?patient=bed 3")
    expect(page.locator("#baseline")).to_contain_text("Learned from")
    page.get_by_role("button", name="Learn it again").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    require_no_serious_fault(page)
    page.get_by_role("button", name="Leave it").click()
    expect(page.locator("#baseline")).not_to_contain_text("anew")
    page.get_by_role("button", name="Learn it again").click()
    page.get_by_role("button", name="Learn again", exact=True).click()
    expect(page.locator("#baseline")).to_contain_text("It is being learned from more beats.")


def test_discharge_is_asked_for_twice_and_the_tile_goes(page: Page, service: Service):
    service.app.state.ward.admit("bed 12", "Lena")
    feed(service, "bed 12", recording(12), end_s=5.0)
    page.goto("/")
    expect(tile(page, "Lena")).to_be_visible()
    with page.context.new_page() as desk:
        desk.goto("/patient?patient=bed 12")
        expect(desk.get_by_role("heading", level=1)).to_have_text("Lena")
        tab_to(desk, "Discharge")
        desk.keyboard.press("Enter")
        desk.get_by_role("button", name="Go on watching").click()
        expect(desk.get_by_role("dialog")).to_be_hidden()
        tab_to(desk, "Discharge")
        desk.keyboard.press("Enter")
        expect(desk.get_by_role("button", name="Discharge now")).to_be_focused()
        desk.keyboard.press("Enter")
        expect(desk.locator("#state")).to_have_text("Discharged")
        expect(desk.get_by_role("button", name="Discharge", exact=True)).to_be_hidden()
    expect(tile(page, "Lena")).to_have_count(0)
    service.app.state.ward.admit("bed 12")
    expect(tile(page, "Lena")).to_be_visible()
    with service.client() as http:
        http.delete("/api/patients/bed 12")
    expect(tile(page, "Lena")).to_have_count(0)


def test_only_who_administers_may_discharge(service: Service, stranger: Page):
    stranger.goto(f"/#key={service.new_key('view', 'acknowledge')}")
    expect(tile(stranger, "Cem")).to_be_visible()
    stranger.goto("/patient?patient=bed 3")
    expect(stranger.locator("#baseline")).to_contain_text("Learned from")
    expect(stranger.locator("#discharge")).to_be_hidden()


# Alarms


def test_alarm_from_raise_to_acknowledgement(page: Page, service: Service):
    ward = service.app.state.ward
    ward.admit("bed 6", "Fatma")
    trouble = ventricular_tachycardia(7)
    feed(service, "bed 6", trouble, end_s=TROUBLE_S)
    page.goto("/")
    expect(tile(page, "Fatma")).to_be_visible()
    feed(service, "bed 6", trouble, TROUBLE_S, UNTIL_S)
    page.get_by_role("link", name="Ventricular tachycardia, Fatma", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ventricular tachycardia")
    expect(page.locator("#text")).to_contain_text("ventricular-like beats in a row")
    expect(page.locator("#rule")).to_contain_text("5 or more ventricular-like beats in a row above 100 per minute")
    until(lambda: draw_beats(page, "#strip") == [True])
    photograph(page, "alarm")
    expect(page.locator("#replay")).to_be_hidden()
    page.get_by_text("For engineers").click()
    expect(page.locator("#replay")).to_contain_text("ectopy what-if --stored 'bed 6'")
    expect(page.locator("#evidence svg").first).to_be_visible()
    expect(page.locator("#standing")).to_have_text("Nobody has acknowledged it.")
    expect(page.locator("#do")).to_contain_text("Go to the patient now")
    page.get_by_label("Comment").fill("<i>seen</i>, pulse is there")
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(page.locator("#standing")).to_contain_text("Acknowledged by first key.")
    expect(page.locator("#history")).to_contain_text("Acknowledged by first key")
    expect(page.locator("#history blockquote")).to_have_text("<i>seen</i>, pulse is there")
    expect(page.get_by_role("main")).not_to_contain_text("Go to the patient now")
    page.get_by_label("Comment").fill("<b>later</b>: electrode changed")
    page.get_by_role("button", name="Add the comment").press("Enter")
    expect(page.locator("#history blockquote").last).to_have_text("<b>later</b>: electrode changed")
    page.goto("/")
    expect(page.get_by_role("link", name="Acknowledged: Ventricular tachycardia, Fatma")).to_be_visible()
    # What was acknowledged hides nothing that calls: nobody sends any more.
    expect(page.get_by_role("button", name="Acknowledge: No data, Fatma")).to_be_visible()


def test_what_is_not_stored_yet_is_said(browser: Browser, tmp_path: Path):
    path = tmp_path / "ward.db"
    with running(tmp_path, store=f"sqlite:///{path}?timeout=0.2") as service:
        service.app.state.ward.admit("bed 2", "Bela")
        feed(service, "bed 2", ventricular_tachycardia(2))
        for page in opened(browser, base_url=service.url):
            page.goto(f"/alarm?patient=bed 2&number=1#key={service.key}")
            expect(page.locator("#history li")).not_to_have_count(0)
            expect(page.locator("#history")).not_to_contain_text("not stored yet")
            with outages.locked(path):
                page.get_by_role("button", name="Pause the sound").click()
                expect(page.locator(".reply").or_(page.locator("#polite"))).to_contain_text(["not stored yet"])
                page.get_by_role("button", name="Acknowledge", exact=True).click()
                expect(page.locator("#polite")).to_contain_text("not stored yet")
                expect(page.locator("#history")).to_contain_text("not stored yet")
            until(lambda: not service.app.state.ward.unstored_changes("bed 2", 1))
            page.reload()
            expect(page.locator("#history")).to_contain_text("Acknowledged")
            expect(page.locator("#history")).not_to_contain_text("not stored yet")


def test_an_alarm_page_follows_what_others_do(page: Page, service: Service):
    ward = service.app.state.ward
    ward.admit("bed 7", "Gerda")
    feed(service, "bed 7", ventricular_tachycardia(8))
    with service.client() as http:
        alarms = http.get("/api/patients/bed 7/alarms").json()
        number = next(one["number"] for one in alarms if one["condition"] == "ventricular tachycardia")
        page.goto(f"/alarm?patient=bed 7&number={number}")
        expect(page.locator("#standing")).to_have_text("Nobody has acknowledged it.")
        http.post(f"/api/patients/bed 7/alarms/{number}/acknowledge", json={"comment": "from the desk"})
    expect(page.locator("#history blockquote")).to_have_text("from the desk")
    page.get_by_role("button", name="Take the acknowledgement back").click()
    expect(page.locator("#standing")).to_have_text("Nobody has acknowledged it.")
    page.get_by_role("button", name="Pause the sound").click()
    paused = re.compile(r"The sound is paused until \d\d:\d\d:\d\d; nobody has acknowledged it\.")
    expect(page.locator("#standing")).to_have_text(paused)


# Recordings


def test_upload_to_report_and_down_to_a_beat(page: Page, service: Service):
    content = io.BytesIO()
    np.save(content, recording(9, ectopic={"V": 0.05}, duration_s=120).signal)
    page.goto("/recordings")
    page.get_by_text("The file does not state its rate or unit").click()
    page.get_by_label("Sampling rate").fill("250")
    page.get_by_label("Unit").select_option("mV")
    page.add_init_script(LISTEN)
    choose_file(page, "<i>day.npy", content.getvalue(), "application/octet-stream")
    page.wait_for_url("**/recording?id=*")
    expect(page.get_by_role("heading", level=1)).to_have_text("<i>day.npy")
    page.locator("#page").scroll_into_view_if_needed()
    report = page.frame_locator("#page")
    expect(report.get_by_role("heading", name="Summary")).to_be_visible()
    where = page.locator("#where")
    expect(where).to_contain_text("of 2:00")
    # A screen reader hears of success where an analysis succeeds, and of nothing else.
    told = page.evaluate("told")
    assert any("The analysis is done." in text for text in told)
    assert [text for text in told if re.search("could not|fail|wrong|error", text, re.IGNORECASE)] == []
    page.get_by_role("button", name="Next abnormal beat").click()
    expect(where).to_contain_text(re.compile(r"[1-9] abnormal.*40 ms and 0.1 mV"))
    until(lambda: draw_beats(page, "#signal") == [True])
    close = where.inner_text()
    page.locator("#view").press("PageDown")
    expect(where).not_to_have_text(close)
    page.locator("#view").press("Home")
    expect(where).to_contain_text("0:00.0 to 2:00.0 of 2:00")
    page.locator("#view").hover()
    page.mouse.wheel(0, -400)
    expect(where).not_to_contain_text("0:00.0 to 2:00.0")


def ink(page: Page, selector: str) -> list[float]:
    """Share of each row of pixels of a canvas in which something dark is drawn."""
    return page.evaluate(
        """(selector) => {
          const { width, height } = document.querySelector(selector);
          const { data } = document.querySelector(selector).getContext("2d").getImageData(0, 0, width, height);
          const dark = (at) => data[at + 3] > 100 && data[at] + data[at + 1] + data[at + 2] < 300;
          const share = (row) => [...Array(width).keys()].filter((x) => dark(4 * (row * width + x))).length / width;
          return [...Array(height).keys()].map(share);
        }""",
        selector,
    )


def test_high_beats_and_an_offset_stay_on_the_paper(page: Page, service: Service):
    content, signal = io.BytesIO(), 1.6 * recording(9, ectopic={"V": 0.05}, duration_s=60).signal + [0.0, 5.0]
    signal[-200:-195, 0] = 20.0  # an artefact that has no room
    np.save(content, signal)
    page.goto(f"/recording?id={upload(service, 'high.npy', content)}")
    expect(page.locator("#where")).to_contain_text("of 1:00")
    for _ in range(2):
        page.get_by_role("button", name="Next abnormal beat").click()
        expect(page.locator("#where")).to_contain_text("40 ms and 0.1 mV")
        page.locator("#view").press("Escape")  # takes the marker away
        until(lambda: ink(page, "#signal")[38] == 0)  # nothing is cut off at the top
        assert max(ink(page, "#signal")[16:-22]) < 0.5, "a line along an edge"
        assert not any(arrowheads(page))
    page.get_by_role("radio", name="20", exact=True).check(force=True)
    until(lambda: any(arrowheads(page)))
    page.get_by_role("radio", name="Fit", exact=True).check(force=True)
    until(lambda: not any(arrowheads(page)))
    page.get_by_label("Go to a time").fill("0:59")
    page.keyboard.press("Enter")
    until(lambda: any(arrowheads(page)))


def arrowheads(page: Page) -> list[bool]:
    """Whether what points beyond the edge is painted in the uppermost rows of the paper."""
    return painted(page, "#signal", "abnormal")[37:42]


def test_what_failed_can_be_sent_again(page: Page):
    page.goto("/recordings")
    choose_file(page, "night.csv", b"II\n0\n1\n", "text/csv")
    expect(page.locator("#status")).to_contain_text("night.csv states no unit")
    page.get_by_role("link", name="Send it again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recordings")


def test_a_report_fits_on_a_phone(page: Page, service: Service, analysed: str):
    page.goto(f"/recording?id={analysed}")
    expect(page.locator("#where")).to_contain_text("of 2:00")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/api/recordings/{analysed}/report")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_a_recording_is_chosen_by_keyboard(page: Page):
    page.goto("/recordings")
    expect(page.locator("#chosen option").first).to_have_text("simulated")
    tab_to(page, "Recording")
    page.keyboard.type("simulated")
    tab_to(page, "Analyse")
    held: list[playwright.Route] = []
    page.route("**/report", lambda route: held.append(route))
    page.keyboard.press("Enter")
    page.wait_for_url("**/recording?id=*")
    expect(page.get_by_role("heading", level=1)).to_have_text("simulated")
    expect(page.locator("#where")).to_contain_text("of 30:00")
    # A report is loaded when one comes to it, and one that is not there yet does not hold the Tab key.
    tab_to(page, "Report")
    until(lambda: page.wait_for_timeout(10) or held)
    tab_to(page, "To the content")
    held.pop().continue_()
    expect(page.frame_locator("#page").get_by_role("heading", name="Summary")).to_be_visible()
    tab_to(page, "Report")
    page.keyboard.press("Tab")
    expect(page.locator("#page")).to_be_focused()
    tab_to(page, "To the content")


def test_what_is_no_recording_is_refused_in_words(page: Page):
    page.goto("/recordings")
    choose_file(page, "letter.pdf", b"Dear", "application/pdf")
    expect(failed(page)).to_contain_text("is not a recording")
    expect(failed(page)).to_be_in_viewport()
    expect(page.locator("#drop")).to_contain_text("is not a recording")


def test_what_the_page_does_by_itself_takes_no_words_away(page: Page):
    under = [{"id": "1", "name": "night", "added_time": 0, "status": "analysing", "progress": 0.5, "error": ""}]
    page.route("**/api/recordings", lambda route: route.fulfill(json=under))
    page.goto("/recordings")
    expect(page.get_by_role("link", name="night")).to_be_visible()
    page.route("**/api/recordings/named", lambda route: route.abort())
    page.get_by_role("button", name="Analyse").click()
    trouble = page.locator("#choose .failed")
    expect(trouble).to_contain_text("cannot be reached")
    for _ in range(2):
        page.wait_for_event("requestfinished", lambda request: request.url.endswith("/api/recordings"))
    expect(trouble).to_contain_text("cannot be reached")


def test_trouble_of_what_the_page_does_by_itself_goes_when_it_works_again(page: Page):
    trouble, lost = page.locator("#trouble"), page.locator("#connection")
    page.clock.install()
    page.goto("/recordings")
    expect(page.locator("#list li").or_(page.locator("#none:visible")).first).to_be_visible()
    page.route("**/api/recordings", lambda route: route.abort())
    page.clock.fast_forward(5000)  # when it looks again
    expect(lost).to_contain_text("Connection lost")
    expect(trouble).to_be_hidden()
    page.route("**/api/recordings", lambda route: route.fulfill(status=503, json={"detail": "the store is away."}))
    page.clock.fast_forward(5000)
    expect(trouble).to_have_text("The store is away.")
    expect(lost).to_be_empty()
    page.unroute("**/api/recordings")
    page.clock.fast_forward(5000)
    expect(trouble).to_be_hidden()


# Training and about


def test_training(page: Page, service: Service):
    page.goto("/training")
    page.get_by_label("Who is training?").select_option("bed 1")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    expect(page.locator("#basis")).to_contain_text("This is not medical advice.")
    expect(page.locator("#extra")).to_have_text(re.compile(r"[1-9]\d*"))
    expect(page.locator("#zones li")).to_have_count(5)
    page.goto("/training?patient=bed 2")
    expect(page.locator("#advice")).to_contain_text("Stop now, sit down, and get help.")
    expect(page.locator("#advice")).not_to_contain_text("patient")


@pytest.mark.parametrize(
    ("address", "sentence", "back"),
    [
        ("/patient?patient=nobody", "No patient 'nobody' is watched", "Ward"),
        ("/training?patient=nobody", "No patient 'nobody' is watched", "Ward"),
        ("/alarm?patient=nobody&number=1", "No patient 'nobody' is watched", "Ward"),
        ("/alarm?patient=bed 2&number=900", "no alarm 900", "Ward"),
        ("/recording?id=nothing", "no recording", "Recordings"),
        ("/recording", "", "Recordings"),
    ],
)
def test_an_address_of_nothing_says_so_and_leads_back(page: Page, address: str, sentence: str, back: str):
    page.goto(address)
    main = page.get_by_role("main")
    expect(main.get_by_role("heading")).to_have_text(["Nothing exists at this address"])
    expect(main).to_contain_text(sentence, ignore_case=True)
    expect(page.locator("#connection")).to_be_empty()
    main.get_by_role("link", name=back).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(back)


def test_about(page: Page, service: Service):
    page.goto("/about")
    for statement in STATEMENTS:
        expect(page.locator("#statements")).to_contain_text(statement)
    expect(page.locator("#versions")).to_contain_text(service.app.state.ward.bundle)


# Who may get in, and who did


def test_a_key_is_made_shown_once_and_revoked(page: Page, service: Service):
    page.goto("/")
    page.get_by_role("link", name="Access", exact=True).click()
    expect(page.get_by_role("button", name="Revoke first key")).to_be_visible()
    page.get_by_label("Name, such as").fill(NAME)
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("#make .failed")).to_have_text("Choose what the key may do.")
    page.get_by_label("view patients").check()
    page.get_by_label("acknowledge alarms").check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("group", name=f"The key of {NAME}, shown this once")).to_be_focused()
    secret = page.locator("#secret").inner_text()
    row = page.get_by_role("row").filter(has=page.get_by_role("button", name=f"Revoke {NAME}", exact=True))
    expect(row).to_contain_text("acknowledge, view")
    assert page.locator("main img, tbody b").count() == 0
    with service.client(secret) as holder, service.client() as other:
        assert holder.get("/api/session").json()["scopes"] == ["acknowledge", "view"]
        page.get_by_role("button", name="Take it off the screen").click()
        assert secret not in page.content()
        page.reload()
        expect(row).to_be_visible()
        assert secret not in page.content()
        row.get_by_role("button").click()
        page.get_by_role("button", name="Leave it").click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        assert holder.get("/api/session").status_code == 200
        row.get_by_role("button").click()
        expect(page.get_by_role("dialog")).to_have_accessible_name(f"Revoke {NAME}?")
        page.get_by_role("button", name="Revoke it").click()
        expect(row).to_have_count(0)
        expect(page.get_by_role("heading", name="Keys")).to_be_focused()
        assert holder.get("/api/session").status_code == 401
        done = [(entry["what"], entry["detail"].partition(" ")[2]) for entry in other.get("/api/audit").json()]
    assert ("removed key", NAME) in done


def test_a_key_that_sends_is_bound_to_patients_and_devices(page: Page, service: Service):
    with service.client() as client:
        client.post("/api/patients", json={"patient": "bound", "name": f"{NAME} too"}).raise_for_status()
        client.put("/api/devices/strap-5", json={"patient": "bound"}).raise_for_status()
        page.goto("/access")
        expect(page.get_by_role("group", name="It sends for")).to_be_hidden()
        page.get_by_label("Name, such as").fill("strap 5")
        page.get_by_label("send samples").check()
        page.get_by_label("Patients (with Ctrl").select_option("bound")
        page.get_by_label("Devices, for any patient").select_option("strap-5")
        page.get_by_label("It is good").select_option("for a day")
        page.get_by_role("button", name="Make the key").click()
        row = page.get_by_role("row").filter(has=page.get_by_role("button", name="Revoke strap 5", exact=True))
        expect(row).to_contain_text("bound, device strap-5")
        expect(row).to_contain_text("good until")
        made = client.get("/api/keys").json()[-1]
    assert (made["patients"], made["devices"]) == (["bound"], ["strap-5"])
    assert abs(made["expires_time"] - made["created_time"] - 86_400) < 60
    page.get_by_label("Name, such as").fill("gateway")
    page.get_by_label("send samples").check()
    page.get_by_label("any patient: this key").check()
    page.get_by_role("button", name="Make the key").click()
    row = page.get_by_role("row").filter(has=page.get_by_role("button", name="Revoke gateway", exact=True))
    expect(row).to_contain_text("any patient")


def test_the_key_in_use_is_kept(page: Page):
    page.goto("/access")
    page.get_by_role("button", name="Revoke first key").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(failed(page)).to_contain_text("This is the key that you use")
    expect(failed(page)).to_be_in_viewport()
    expect(page.get_by_role("button", name="Revoke first key")).to_be_visible()
    require_no_serious_fault(page)


def test_the_audit_says_who_looked_at_whom(page: Page, service: Service):
    for number in range(120):
        service.app.state.audit.did("<b>Eve</b>", "viewed patient", "bed <i>9</i>", f"look {number}")
    page.goto("/access")
    entries, shown = page.locator("#entries tr"), page.locator("#range")
    newer, older = page.get_by_role("button", name="Newer"), page.get_by_role("button", name="Older")
    expect(shown).to_have_text("Entries 1 to 50, the newest first.")
    page.get_by_label("Patient, as the service calls them").fill("bed <i>9</i>")
    page.get_by_role("button", name="Show").click()
    expect(shown).to_have_text("Entries 1 to 50, the newest first, about bed <i>9</i>.")
    expect(newer).to_be_disabled()
    older.click()
    expect(shown).to_contain_text("Entries 51 to 100")
    # What happens meanwhile moves nothing.
    service.app.state.audit.did("<b>Eve</b>", "viewed patient", "bed <i>9</i>", "look again")
    older.click()
    expect(shown).to_contain_text("Entries 101 to 120")
    expect(older).to_be_disabled()
    expect(newer).to_be_focused()
    expect(entries.last).to_contain_text("look 0")
    expect(entries.last.get_by_role("cell").nth(1)).to_have_text("<b>Eve</b>")
    newer.click()
    expect(entries.first).to_contain_text("look 69")
    expect(entries.last).to_contain_text("look 20")
    newer.click()
    expect(shown).to_contain_text("Entries 1 to 50")
    expect(entries.first).to_contain_text("look again")
    expect(entries.nth(1)).to_contain_text("viewed audit")
    page.get_by_label("Patient, as the service calls them").fill("nobody at all")
    page.get_by_role("button", name="Show").click()
    expect(shown).to_have_text("No entries, about nobody at all.")
    assert page.locator("tbody b, tbody i").count() == 0


def test_access_is_for_administrators(viewer: Page):
    viewer.goto("/")
    expect(viewer.get_by_role("link", name="About")).to_be_visible()
    expect(viewer.get_by_role("button", name="Sign out")).to_be_visible()
    expect(viewer.get_by_role("link", name="Access")).to_have_count(0)
    viewer.goto("/access")
    expect(viewer.locator("#closed")).to_have_text("This page is for keys that may administer.")
    expect(viewer.locator("#open")).to_be_hidden()


def test_access_by_keyboard(page: Page):
    page.goto("/access")
    expect(page.get_by_role("button", name="Revoke first key")).to_be_visible()
    tab_to(page, "Name, such as “strap of bed 3”")
    page.keyboard.type("typed")
    tab_to(page, "send samples of the patients or devices chosen below, and see nothing")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(failed(page)).to_have_text("Choose the patients or devices for whom the key sends.")
    tab_to(page, "A patient who is not admitted yet")
    page.keyboard.type("bed 99")
    page.keyboard.press("Enter")
    expect(page.locator("#secret")).to_have_text(re.compile(r"ectopy_[\w-]{43}"))
    tab_to(page, "Take it off the screen")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name, such as")).to_be_focused()
    page.locator("#keys-title").focus()
    tab_to(page, "Revoke typed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Revoke typed")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "Revoke it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Revoke typed")).to_have_count(0)


# The connection


def test_a_lost_connection_is_told_and_comes_back(browser: Browser, tmp_path: Path, port: int):
    signal = recording(10)
    with running(tmp_path, port=port) as service:
        service.app.state.ward.admit("bed 1", "Ada")
        feed(service, "bed 1", signal, end_s=5)
        pages = opened(browser, base_url=service.url)
        page = next(pages)
        page.goto(f"/#key={service.key}")
        expect(tile(page, "Ada")).to_be_visible()
        page.wait_for_timeout(300)
        expect(page.locator("#connection")).to_be_empty()
    expect(page.locator("#connection")).to_contain_text("Connection lost – what you see is old")
    with running(tmp_path, port=port) as service:
        service.app.state.ward.admit("bed 2", "Bela")
        expect(page.locator("#connection")).to_be_empty()
        expect(tile(page, "Bela")).to_be_visible()
        feed(service, "bed 1", signal, 5, 15)
        page.wait_for_function("() => document.querySelector('.tile:not(.stale) canvas') !== null")
        assert list(pages) == []


def is_silent(page: Page) -> bool:
    """Whether nothing is heard for a second."""
    for _ in range(20):
        page.wait_for_timeout(50)
        if page.evaluate("heard()"):
            return False
    return True


@pytest.mark.parametrize("name", ["ward", "patient"])
def test_a_lost_connection_is_heard_until_it_is_back(browser: Browser, tmp_path: Path, port: int, name: str):
    with running(tmp_path, port=port) as service:
        service.app.state.ward.admit("bed 1", "Ada")
        pages = opened(browser, base_url=service.url)
        page = next(pages)
        page.clock.install()
        page.add_init_script(EAR)
        page.goto(f"{PAGES[name]}#key={service.key}")
        page.get_by_role("button", name="Sound is off. Turn the sound on.").click()
        expect(page.get_by_role("button", name=re.compile("^Sound on"))).to_be_visible()
        page.wait_for_function("() => heard() === 0")
    expect(page.locator("#connection")).to_contain_text("Connection lost")
    wait_to_hear(page, LOST_HZ)
    with running(tmp_path, port=port):
        expect(page.locator("#connection")).to_be_empty()
        until(lambda: is_silent(page))  # after the pulses that had begun
        page.clock.fast_forward(15_000)  # when it would be heard again
        assert is_silent(page)
        assert list(pages) == []


# What is old, what is not watched, and what is over


def device(url: str, key: str, patient: str, signal: Recording, stop: threading.Event, begin_s: float = 0.0) -> None:
    """Send a signal as a device does, from now on; what cannot be sent in time is sent together later."""
    began, sent = time.monotonic(), round(begin_s * RATE_HZ)
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S, trust_env=False
    ) as http:
        while not stop.wait(0.25):
            samples = signal.signal[sent : round((begin_s + time.monotonic() - began) * RATE_HZ)].tolist()
            chunk = {"position": sent, "sampling_rate_hz": RATE_HZ, "leads": signal.leads, "samples": samples}
            with suppress(httpx.TransportError):
                http.post(f"/api/patients/{patient}/chunks", json=chunk).raise_for_status()
                sent += len(samples)


@pytest.fixture
def frozen(browser: Browser, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Page]]:
    """A service in a process of its own, for which a device sends, and a page that is signed in."""
    stop = threading.Event()
    with served(tmp_path) as (process, output):
        key, url = key_of(output), address_of(output)
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as http:
            http.post("/api/patients", json={"patient": "anna", "name": "Anna"}).raise_for_status()
        sending = threading.Thread(target=device, args=(url, key, "anna", recording(31, duration_s=120), stop))
        sending.start()
        try:
            for page in opened(browser, base_url=url):
                page.goto(f"/#key={key}")
                yield process, page
        finally:
            process.send_signal(signal_module.SIGCONT)
            stop.set()
            sending.join()


def test_nothing_looks_current_while_the_service_is_frozen(frozen: tuple[subprocess.Popen[str], Page]):
    process, page = frozen
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    pages = {"ward": page, "patient": page.context.new_page(), "training": page.context.new_page()}
    rates = {name: each.locator(".tile .rate b, #rate").first for name, each in pages.items()}
    for name, path in (("ward", "/"), ("patient", "/patient?patient=anna"), ("training", "/training?patient=anna")):
        pages[name].goto(path)
        # What is in front of the others is drawn, and what is not runs as slowly as in a hidden tab.
        pages[name].bring_to_front()
        expect(rates[name]).to_have_text(re.compile(r"\d\d"))
    process.send_signal(signal_module.SIGSTOP)
    for name, each in pages.items():
        each.bring_to_front()
        expect(rates[name]).to_have_text("--")
        main = each.get_by_role("main")
        expect(main).to_contain_text(re.compile(r"No signal for \d+ s"))
        expect(main).not_to_contain_text("as usual" if name == "ward" else "MLII good")
        drawing = each.locator(".stale #trace, .tile.stale canvas").first
        expect(drawing).to_have_css("opacity", re.compile(r"0\.[23]\d*"))
    for each in pages.values():
        expect(each.get_by_role("main")).to_contain_text(re.compile(r"No signal for ([5-9]|\d\d) s"))
    process.send_signal(signal_module.SIGCONT)
    for name, each in pages.items():
        each.bring_to_front()
        expect(rates[name]).to_have_text(re.compile(r"\d\d"))
        expect(each.get_by_role("main")).not_to_contain_text("No signal for")


def test_the_old_ecg_of_a_silent_patient_is_never_drawn_as_live(page: Page, service: Service):
    with service.client() as http:
        summary = until(lambda: (one := http.get("/api/patients/bed 3").json())["state"] == "no data" and one)
        assert summary["quality"] == {}
        assert summary["heart_rate_bpm"] is None
    page.add_init_script("""
      window.lively = 0;
      const look = () => {
        const canvas = document.querySelector("#trace");
        const stale = document.querySelector("#live")?.classList.contains("stale");
        const drawn = () => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
        if (canvas?.width && !stale && drawn()) window.lively += 1;
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    """)
    page.goto("/patient?patient=bed 3")
    expect(page.get_by_role("heading", name="Not live")).to_be_visible()
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector("#trace");
          return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
        }"""
    )
    expect(page.get_by_role("img", name="The last ECG, not live")).to_be_visible()
    expect(page.locator("#silence")).to_contain_text(re.compile(r"No signal for .*: what is drawn ended at"))
    expect(page.locator("#quality")).to_be_empty()
    expect(page.locator("#rate")).to_have_text("--")
    assert page.evaluate("lively") == 0, "old samples were drawn as live ones"


def test_while_the_normal_is_learned_it_is_said_what_is_not_watched(page: Page, service: Service):
    ward = service.app.state.ward
    trouble = recording(32, Episode("asystole", 12, 40))
    ward.admit("bed 21", "Uma")
    step = round(RATE_HZ / 2)
    begun = [
        {
            "position": first,
            "sampling_rate_hz": RATE_HZ,
            "leads": trouble.leads,
            "samples": trouble.signal[first : first + step].tolist(),
        }
        for first in range(0, round(10 * RATE_HZ), step)
    ]
    with service.client() as http:
        until(lambda: http.post("/api/patients/bed 21/chunks", json=begun).raise_for_status().json()["stored"])
    page.goto("/")
    learner = tile(page, "Uma")
    told = re.compile(r"Learning the normal: 0:2\d left")
    stop = threading.Event()
    with service.client() as http:
        threshold = http.get("/api/patients/bed 21").json()["baseline"]["threshold"]
        beats = http.get("/api/patients/bed 21/beats", params=today()).json()
        sending = threading.Thread(target=device, args=(service.url, service.key, "bed 21", trouble, stop, 10.0))
        sending.start()
        try:
            expect(learner).to_contain_text(told)
            expect(learner.get_by_role("button", name="Acknowledge: Asystole, Uma")).to_be_visible()
            expect(learner.locator(".note")).to_have_text(told)  # beside the alarm too
            page.goto("/patient?patient=bed 21")
            expect(page.locator("#unwatched")).to_have_text(told)
        finally:
            stop.set()
            sending.join()
    letters = page.evaluate(
        """async ([beats, threshold]) => {
          const { beatKind } = await import("/modules/format.js");
          return beats.filter(({ verdict }) => verdict === "NORMAL").map((beat) => beatKind(beat, threshold));
        }""",
        [beats, threshold],
    )
    assert len(letters) > 3
    assert {(one["letter"], one["colour"]) for one in letters} == {("·", "muted")}
    expect(page.locator(".key")).to_contain_text("· not compared with this patient's own normal")


def today() -> dict[str, float]:
    return {"start": time.time() - 3600, "stop": time.time() + 60}


def test_an_alarm_whose_condition_may_return_is_shown_as_ended_and_then_as_over(page: Page, service: Service):
    ward, title = service.app.state.ward, "Ventricular tachycardia"
    ward.admit("bed 22", "Vera")
    trouble = recording(33, Episode("ventricular_tachycardia", TROUBLE_S, 8, 120))

    def read_alarm() -> dict:
        alarms = http.get("/api/patients/bed 22/alarms").json()
        return next(alarm for alarm in alarms if alarm["title"] == title)

    with service.client() as http:
        feed(service, "bed 22", trouble, end_s=TROUBLE_S + 7)
        page.goto(f"/alarm?patient=bed 22&number={read_alarm()['number']}")
        # Nobody sends any more.
        expect(page.locator("#age")).to_have_text("without a signal it is not known whether it goes on")
        page.goto("/patient?patient=bed 22")
        expect(page.locator("#past")).to_contain_text(f"{title} – high, without a signal it is not known")
        page.goto(f"/alarm?patient=bed 22&number={read_alarm()['number']}")
        feed(service, "bed 22", trouble, TROUBLE_S + 7, TROUBLE_S + 22)
        expect(page.locator("#age")).to_have_text(re.compile(r"^ended \d+ s ago, and may return$"))
        expect(page.locator("#standing")).to_contain_text("It lasted")
        page.goto("/")
        expect(tile(page, "Vera").locator(".band")).to_contain_text(re.compile(r"ended \d+ s ago"))
        page.goto("/patient?patient=bed 22")
        expect(page.locator("#past")).to_contain_text(f"{title} – high, lasted")
        feed(service, "bed 22", trouble, TROUBLE_S + 22, TROUBLE_S + 90)
        alarm = read_alarm()
    assert alarm["state"] == "latched"
    assert alarm["since_time"] < alarm["cleared_time"] < alarm["since_time"] + 12
    page.goto("/")
    expect(tile(page, "Vera")).to_contain_text(re.compile(r"ended \d+ s ago"))
    page.goto("/patient?patient=bed 22")
    past = page.locator("#past li").filter(has=page.get_by_role("link", name=title, exact=True))
    expect(past).to_contain_text(re.compile(r"high, lasted \d s, to be acknowledged"))
    expect(page.locator("#call")).to_contain_text(re.compile(rf"{title} ended \d+ s ago"))
    page.goto(f"/alarm?patient=bed 22&number={alarm['number']}")
    expect(page.locator("#whom")).to_contain_text(re.compile(r"ended \d+ s ago, and waits for an acknowledgement"))
    expect(page.get_by_role("main")).not_to_contain_text("goes on")
    page.get_by_role("button", name="Acknowledge", exact=True).press("Enter")
    expect(page.locator("#standing")).to_contain_text(
        re.compile(r"It lasted \d s, until .* Acknowledged by first key\.")
    )
    expect(page.locator("#do")).to_be_hidden()
    # A comment is still possible.
    tab_to(page, "Comment, now or later")
    page.keyboard.type("seen by the doctor")
    tab_to(page, "Add the comment")
    page.keyboard.press("Enter")
    expect(page.locator("#history blockquote")).to_have_text("seen by the doctor")
    expect(page.locator("#answer .reply:visible")).to_have_text("The comment is kept.")


# The alarm that calls is the most legible thing, and is acknowledged at once


def test_a_tile_with_an_alarm_covers_none_of_its_figures(browser: Browser, tmp_path: Path):
    with running(tmp_path) as service:
        for page in opened(browser, base_url=service.url):
            page.goto(f"/about#key={service.key}")
            beds = 0
            for more, width, height in ((3, 390, 844), (5, 1366, 768), (14, 1920, 1080)):
                for number in range(beds + 1, beds + more + 1):
                    name = NAMES[number % len(NAMES)] if number % 3 else f"Name {'very ' * 9}long {number}"
                    service.app.state.ward.admit(f"bed {number}", name)
                service.app.state.ward.admit(LONG_ID + "1", "Name " * 12)
                service.app.state.ward.admit(LONG_ID + "2")
                if beds == 0:
                    feed(service, "bed 2", ventricular_tachycardia(2))
                    # While the normal is learned.
                    feed(service, "bed 3", recording(3, Episode("asystole", 12, 30)), end_s=20.0)
                beds += more
                page.set_viewport_size({"width": width, "height": height})
                page.goto("/")
                expect(page.locator(".tile")).to_have_count(beds + 2)
                require_free_figures(page, width)
                require_whole_ids(page)


def require_free_figures(page: Page, width: int) -> None:
    """On the tiles of two alarms, nothing covers anything else, and nothing moves when a note comes."""
    expect(page.locator(".tile.high")).to_have_count(2)
    expect(page.locator(".tile.high canvas").first).to_be_visible()
    assert width < 1000 or all_tiles_fit(page)
    for parts in boxes(page.locator(".tile.high"), TILE_PARTS):
        whole, what = parts.pop("whole"), parts.pop("what")
        for name, box in parts.items():
            assert box["y"] >= whole["y"], name
            assert box["y"] + box["height"] <= whole["y"] + whole["height"] + 1, name
        assert parts["trace"]["height"] >= 40
        for (first, upper), (second, lower) in combinations(parts.items(), 2):
            assert not overlap(upper, lower), (first, second)
        if width > 1000:  # on a wall the text of the alarm is one line
            assert what["height"] < 2 * what["font"]
    # A note, such as that nobody sends any more, comes without moving what is below.
    without, noted = page.locator(".tile.high").evaluate_all(
        """tiles => [true, false].map((hidden) => tiles.map((tile) => {
          const note = tile.querySelector(".note");
          note.textContent = "No signal for 9 s";
          note.hidden = hidden;
          return tile.getBoundingClientRect().height;
        }))"""
    )
    assert noted == pytest.approx(without, abs=1)


def require_whole_ids(page: Page) -> None:
    """However long names are, nothing of an id, or of how many alarms there are, is cut off or under anything else."""
    tiles = page.locator(".tile")
    ids = tiles.evaluate_all(
        """tiles => tiles.map((tile) => {
          const [id, name, more] = [".id", "h2", ".more"].map((part) => tile.querySelector(part));
          const beyond = (node) => [node.scrollWidth - node.clientWidth, node.scrollHeight - node.clientHeight];
          return [...beyond(id.textContent ? id : name), ...beyond(more)];
        })"""
    )
    assert all(beyond <= 1 for id in ids for beyond in id), ids
    for parts in boxes(tiles, {"name": "h2", "id": ".id", "lead": ".lead", "more": ".more", "trace": ".strip"}):
        whole = parts.pop("whole")
        assert parts["id"]["x"] + parts["id"]["width"] <= whole["x"] + whole["width"]
        for (first, upper), (second, lower) in combinations(parts.items(), 2):
            assert not overlap(upper, lower), (first, second)


LONG_ID = "ward 7, room 12, bed by the window, number 2026-"
TILE_PARTS = {
    "head": "header",
    "trace": ".strip",
    "rate": ".rate b",
    "unit": ".rate span",
    "note": ".note",
    "band": ".band",
    "what": ".what",
}


def boxes(elements: playwright.Locator, parts: dict[str, str]) -> list[dict[str, dict[str, float]]]:
    """Where each element is, as `whole`, and those of its parts that are shown: all at one moment, as pages move."""
    return elements.evaluate_all(
        """(elements, parts) => {
          const box = (node) => {
            const { x, y, width, height } = node.getBoundingClientRect();
            return { x, y, width, height, font: parseFloat(getComputedStyle(node).fontSize) };
          };
          return elements.map((whole) => {
            const nodes = Object.entries(parts).map(([name, selector]) => [name, whole.querySelector(selector)]);
            const shown = nodes.filter(([, node]) => node?.checkVisibility());
            return Object.fromEntries([["whole", whole], ...shown].map(([name, node]) => [name, box(node)]));
          });
        }""",
        parts,
    )


def overlap(one: dict[str, float], other: dict[str, float], slack: float = 1.0) -> bool:
    return all(
        one[at] + one[size] > other[at] + slack and other[at] + other[size] > one[at] + slack
        for at, size in (("x", "width"), ("y", "height"))
    )


def test_an_alarm_is_acknowledged_on_its_tile_by_keyboard(page: Page, service: Service):
    service.app.state.ward.admit("bed 23", "Wanda")
    feed(service, "bed 23", ventricular_tachycardia(34))
    page.goto("/")
    name = "Acknowledge: Ventricular tachycardia, Wanda"
    button = page.get_by_role("button", name=name)
    expect(button).to_be_visible()
    # What cannot be done is said on the tile.
    page.route("**/acknowledge", lambda route: route.fulfill(status=503, json={"detail": "the store is away."}))
    button.press("Enter")
    expect(tile(page, "Wanda").locator(".failed")).to_have_text("The store is away.")
    expect(tile(page, "Wanda").locator(".failed")).to_be_in_viewport()
    page.unroute("**/acknowledge")
    tab_to(page, name)
    page.keyboard.press("Enter")
    expect(page.locator("[aria-live=polite]")).to_contain_text("Acknowledged: Ventricular tachycardia, Wanda.")
    expect(button).to_have_count(0)
    with service.client() as http:
        alarms = http.get("/api/patients/bed 23/alarms").json()
    assert next(one for one in alarms if one["title"] == "Ventricular tachycardia")["acknowledged_by"] == "first key"


def test_who_may_only_look_acknowledges_nothing(viewer: Page):
    viewer.goto("/")
    expect(tile(viewer, "Bela")).to_be_visible()
    expect(viewer.get_by_role("button", name=re.compile("^Acknowledge"))).to_have_count(0)
    expect(viewer.get_by_role("button", name="Admit a patient")).to_be_hidden()


@pytest.mark.parametrize("name", ["patient", "alarm"])
def test_acknowledging_stays_in_reach_however_far_a_page_is_scrolled(page: Page, name: str):
    page.goto(f"/{name}?patient=bed 2&number=1")
    button = page.get_by_role("button", name="Acknowledge", exact=True)
    for width, height in ((1366, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("() => scrollTo(0, 0)")
        expect(button).to_be_in_viewport(ratio=1)
        expect(page.locator("#past li, #history li").first).to_be_visible()
        page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
        expect(button).to_be_in_viewport(ratio=1)
        assert button.evaluate(
            """button => {
              const { x, y, width, height } = button.getBoundingClientRect();
              return button.contains(document.elementFromPoint(x + width / 2, y + height / 2));
            }"""
        ), "something covers it"


def test_a_gateway_that_is_lost_is_one_thing_to_acknowledge(browser: Browser, tmp_path: Path):
    with running(tmp_path) as service:
        for number in range(1, 5):
            service.app.state.ward.admit(f"bed {number}", NAMES[number])
            feed(service, f"bed {number}", recording(40 + number), end_s=4.0)
        for page in opened(browser, base_url=service.url):
            page.goto(f"/#key={service.key}")
            expect(page.locator("#silent-words")).to_contain_text(re.compile(r"4 devices silent since \d\d:\d\d"))
            require_no_serious_fault(page)
            tab_to(page, "Acknowledge all")
            page.keyboard.press("Enter")
            expect(page.locator("#silent")).to_be_hidden()
            expect(page.locator(".tile.answered")).to_have_count(4)
            with service.client() as http:
                assert {one["acknowledged_by"] for one in http.get("/api/alarms").json()} == {"first key"}


# Admission, and what cannot be undone


def test_a_patient_is_admitted_and_named_by_keyboard(page: Page, service: Service):
    page.goto("/")
    tab_to(page, "Admit a patient")
    page.keyboard.press("Enter")
    bed = page.get_by_label("Bed or number")
    expect(bed).to_be_focused()
    page.keyboard.type("bed 3")
    page.keyboard.press("Enter")
    expect(failed(page)).to_contain_text("bed 3 is watched already")
    bed.fill("ward/7")
    page.keyboard.press("Enter")
    expect(failed(page)).to_contain_text("part of URLs")
    require_no_serious_fault(page)
    expect(bed).to_be_focused()
    bed.fill("bed 24")
    page.keyboard.press("Tab")
    page.keyboard.type("Xaver <b>")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(tile(page, "Xaver <b>")).to_contain_text("No signal yet")
    page.goto("/patient?patient=bed 24")
    name = page.get_by_label("Name, for people")
    expect(name).to_have_value("Xaver <b>")
    name.fill("Xenia")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Xenia")
    expect(page.locator("#naming .reply")).to_have_text("The name is changed.")
    with service.client() as http:
        assert http.get("/api/patients/bed 24").json()["name"] == "Xenia"
        http.delete("/api/patients/bed 24")


def test_a_recording_is_deleted_only_when_it_is_said_twice(page: Page, service: Service):
    with service.client() as http:
        kept = http.post("/api/recordings/named", json={"recording": "simulated"}).json()
        page.goto("/recordings")
        row = page.locator("#list li").filter(has=page.locator(f"a[href$='{kept['id']}']"))
        delete = row.get_by_role("button", name="Delete simulated")
        delete.press("Enter")
        expect(page.get_by_role("dialog")).to_have_accessible_name("Delete simulated?")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert http.get(f"/api/recordings/{kept['id']}").status_code == 200
        delete.press("Enter")
        tab_to(page, "Delete it")
        page.keyboard.press("Enter")
        expect(row).to_have_count(0)
        assert http.get(f"/api/recordings/{kept['id']}").status_code == 404


def test_a_recording_is_not_played_into_a_patient_without_a_question(page: Page, service: Service):
    page.goto("/recordings")
    page.get_by_label("As patient").fill("bed 3")
    page.get_by_role("button", name="Play").press("Enter")
    expect(page.get_by_role("dialog")).to_have_accessible_name("Play into Cem, who is watched?")
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    with service.client() as http:
        assert [one for one in http.get("/api/replays").json() if one["patient"] == "bed 3"] == []


# What a screen reader is told, and how far an analysis is


LISTEN = """
  window.told = [];
  new MutationObserver(() => {
    for (const region of document.querySelectorAll("[role=status], [role=alert], [aria-live]")) {
      if (region.textContent && window.told.at(-1) !== region.textContent) window.told.push(region.textContent);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
"""
"""Keeps everything that live regions have said."""


def test_a_bar_does_not_stand_at_a_share_that_says_nothing(page: Page):
    entry = {"id": "1", "name": "night", "added_time": 0, "status": "analysing", "progress": 0.0, "error": ""}
    page.route("**/api/recordings/1", lambda route: route.fulfill(json=entry))
    page.goto("/recording?id=1")
    for progress, step in ((0.02, "Step 1 of 3"), (0.2, "Step 2 of 3"), (0.6, "Step 3 of 3")):
        entry["progress"] = progress
        expect(page.get_by_role("status")).to_contain_text(step)
        bar = page.get_by_role("progressbar", name="Analysis")
        expect(bar).to_be_visible()
        assert bar.evaluate("bar => bar.position") == -1, "it says a share that is not known"


def test_a_header_without_its_samples_is_refused_where_it_is_chosen(page: Page):
    page.goto("/recordings")
    choose_file(page, "100.hea", b"100 1 360 1000\n100.dat 212 200 11 0\n", "text/plain")
    expect(page.locator("#drop .failed")).to_contain_text("upload all files of the record together")
    expect(page).to_have_url(re.compile("/recordings$"))


def test_a_report_has_no_scroll_bar_of_its_own(page: Page, analysed: str):
    page.goto(f"/recording?id={analysed}")
    frame = page.locator("#page")
    page.locator("#page").scroll_into_view_if_needed()
    expect(page.frame_locator("#page").get_by_role("heading", name="Summary")).to_be_visible()
    for width in (1366, 390):
        page.set_viewport_size({"width": width, "height": 768})
        page.wait_for_function(
            "() => { const page = document.querySelector('#page'); "
            "return page.contentDocument.documentElement.scrollHeight <= page.clientHeight + 1; }"
        )
    assert frame.evaluate("page => page.clientHeight") > 768


def test_a_device_that_is_gone_is_not_a_dry_electrode(page: Page):
    page.goto("/training?patient=bed 3")
    expect(page.locator("#advice")).to_have_text(
        "Nothing comes from the device: check that it is on, charged, and in reach."
    )
    expect(page.locator("#since")).to_contain_text("No signal for")
    expect(page.locator("#rate")).to_have_text("--")
    expect(page.locator("#recent")).to_have_text("--")


# Words and drawings


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.00018, "About 1 of 6,000 normal beats is as unusual."),
        (0.001, "About 1 of 1,000 normal beats is as unusual."),
        (0.31, "31 of 100 normal beats are as unusual."),
        (None, ""),
    ],
)
def test_how_rare_a_beat_is_is_said_in_words(modules: Page, share: float | None, words: str):
    assert modules.evaluate("async share => (await import('/modules/format.js')).rarity(share)", share) == words


def test_the_gallery_has_no_p_values(page: Page):
    page.goto("/patient?patient=bed 1")
    expect(page.locator("#gallery li").first).to_contain_text("normal beats")
    assert not re.search(r"\bp [0-9]", page.locator("#gallery").inner_text())


def test_names_and_pulses_of_leads_are_beside_the_trace(page: Page, service: Service):
    page.goto("/patient?patient=bed 1")
    (shown,) = boxes(page.get_by_role("main"), {"paper": "#paper", "trace": "#trace"})
    assert shown["trace"]["x"] - shown["paper"]["x"] >= 60
    service.app.state.ward.admit("bed 41", "Lia")
    page.goto("/")
    expect(tile(page, "Lia")).to_be_visible()
    feed(service, "bed 41", recording(41), end_s=2.0)
    expect(tile(page, "Lia").locator(".lead")).to_have_text("MLII")
    (shown,) = boxes(tile(page, "Lia"), {"lead": ".lead", "trace": "canvas"})
    assert not overlap(shown["lead"], shown["trace"])


def painted(page: Page, selector: str, colour: str) -> list[bool]:
    """Whether each row of a canvas has something in a colour of the style sheet."""
    return page.evaluate(
        """([selector, name]) => {
          const canvas = document.querySelector(selector);
          const style = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
          const wanted = [1, 3, 5].map((at) => parseInt(style.slice(at, at + 2), 16));
          const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const same = (at) => wanted.every((value, part) => Math.abs(data[at + part] - value) < 12);
          const isPainted = (at) => data[at + 3] > 200 && same(at);
          const columns = [...Array(width).keys()];
          return [...Array(height).keys()].map((y) => columns.some((x) => isPainted(4 * (y * width + x))));
        }""",
        [selector, colour],
    )


def test_pulse_waves_are_drawn_below_the_leads(page: Page, service: Service):
    service.app.state.ward.admit("bed 40", "Wilma")
    signal = with_pulses(ventricular_tachycardia(2))
    feed(service, "bed 40", signal)
    page.goto("/patient?patient=bed 40")
    trace = page.get_by_label("ECG, ABP, PLETH")
    expect(trace).to_be_visible()
    until(lambda: sum(painted(page, "#trace", "pulse")) > 60)
    until(lambda: sum(painted(page, "#paper", "pulse")) > 10)
    # What comes now is drawn as well.
    before = trace.evaluate(PIXELS)
    feed(service, "bed 40", signal, UNTIL_S, UNTIL_S + 2)
    page.wait_for_function("before => document.querySelector('#trace').toDataURL() !== before", arg=before)
    page.goto("/alarm?patient=bed 40&number=1")
    expect(page.get_by_label("ABP from 60 to 120 mmHg; PLETH")).to_be_visible()
    until(lambda: sum(painted(page, "#strip", "pulse")) > 60)
    require_no_serious_fault(page)
    page.goto("/patient?patient=bed 1")
    expect(page.get_by_label("ECG", exact=False).first).to_be_visible()
    assert not any(painted(page, "#trace", "pulse") + painted(page, "#paper", "pulse"))


def test_pulse_waves_of_a_recording_are_drawn(page: Page, analysed: str):
    page.goto(f"/recording?id={analysed}")
    where = page.locator("#where")
    expect(where).to_contain_text("of 2:00")
    page.locator("#view").press("Home")
    expect(where).to_contain_text("0:00.0 to 2:00.0 of 2:00")
    until(lambda: sum(painted(page, "#signal", "pulse")) > 20)
    page.get_by_role("button", name="Next abnormal beat").click()
    expect(where).to_contain_text("40 ms and 0.1 mV")
    until(lambda: sum(painted(page, "#signal", "pulse")) > 60)


# Without a mouse


def test_everything_by_keyboard(stranger: Page, service: Service):
    service.app.state.ward.admit("bed 8", "Hugo")
    feed(service, "bed 8", ventricular_tachycardia(11))
    page = stranger
    page.goto("/signin")
    page.keyboard.type(service.key)
    page.keyboard.press("Enter")
    expect(tile(page, "Hugo")).to_be_visible()
    tab_to(page, "Ventricular tachycardia, Hugo")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ventricular tachycardia")
    tab_to(page, "Comment, now or later")
    page.keyboard.type("seen")
    tab_to(page, "Acknowledge")
    page.keyboard.press("Enter")
    expect(page.locator("#standing")).to_contain_text("Acknowledged by")
    page.goto("/patient?patient=bed 8")
    expect(page.locator("#baseline")).to_contain_text("Learned from")
    tab_to(page, "25 mm/s")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#scale")).to_contain_text("50 mm/s")
    tab_to(page, "Learn it again")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_focus_stays_where_tiles_change_places(page: Page):
    page.goto("/")
    expect(tile(page, "Cem")).to_be_visible()
    page.get_by_role("link", name="Cem", exact=True).focus()
    moved = page.evaluate(
        """async () => {
          const { reorder } = await import("/modules/dom.js");
          const tiles = document.querySelector("#tiles");
          const wanted = [...tiles.children].reverse();
          reorder(tiles, wanted);
          return [document.activeElement.textContent, wanted.every((node, at) => tiles.children[at] === node)];
        }"""
    )
    assert moved == ["Cem", True]


# Every page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_reports_no_failure_by_itself_and_axe_finds_no_serious_fault(page: Page, analysed: str, name: str):
    """In light and dark; and the page fits a phone."""
    page.add_init_script(LISTEN)
    page.goto(PAGES[name].format(recording=analysed))
    page.wait_for_load_state("networkidle") if name in (
        "about",
        "access",
        "recordings",
        "sign-in",
        "unknown",
    ) else page.wait_for_timeout(1000)
    texts = page.evaluate("told")
    assert [text for text in texts if re.search("could not|fail|wrong|error|undefined|null", text, re.IGNORECASE)] == []
    require_no_serious_fault(page)


# What needs no browser, and what two languages have to agree on


def test_frames_are_read_as_they_are_written(modules: Page):
    rng = np.random.default_rng(0)
    signals = [rng.normal(0, 0.5, (samples, 2)).astype(np.float32) for samples in (5, 124, 1)]
    signals[1][3:7, 1] = np.nan
    chunks = [Chunk(10 * at, signal, RATE_HZ, ("MLII", "V1"), 0.0) for at, signal in enumerate(signals)]
    wave = PulseChunk("ABP", "mmHg", 125.0, 3, np.array([80.5, np.nan, 120.25], np.float32))
    chunks[1] = replace(chunks[1], pulses=(wave,))
    message, _ = together([signal_frame(LiveSamples("Ä", chunk, 1.5)) for chunk in chunks])
    frames = modules.evaluate(
        """async (bytes) => {
          const { decode } = await import("/modules/live.js");
          const frames = decode(new Uint8Array(bytes).buffer);
          const pulses = (frame) => frame.pulses.map((wave) => ({ ...wave, values: [...wave.values] }));
          return frames.map((frame) => ({ ...frame, counts: [...frame.counts], pulses: pulses(frame) }));
        }""",
        list(message),
    )
    assert [frame["position"] for frame in frames] == [0, 10, 20]
    assert {frame["patient"] for frame in frames} == {"Ä"}
    assert [len(frame["pulses"]) for frame in frames] == [0, 1, 0]
    (read,) = frames[1]["pulses"]
    assert (read["name"], read["unit"], read["rate_hz"], read["position"]) == ("ABP", "mmHg", 125, 3)
    np.testing.assert_array_equal(read["values"], wave.samples)
    for frame, signal in zip(frames, signals, strict=True):
        counts = np.array(frame["counts"], float).reshape(signal.shape)
        counts[counts == frame["missing"]] = np.nan
        np.testing.assert_allclose(counts * frame["microvolt_per_count"] / 1000, signal, atol=0.0026)


@pytest.mark.parametrize(
    ("seconds", "decimals", "written"),
    [
        (0, 1, "0:00.0"),
        (59.97, 1, "1:00.0"),
        (3599.99, 1, "1:00:00.0"),
        (43259.96, 1, "12:01:00.0"),
        (7384.4, 0, "2:03:04"),
    ],
)
def test_times_of_a_recording_have_sixty_seconds_a_minute(modules: Page, seconds: float, decimals: int, written: str):
    elapsed = "async given => (await import('/modules/format.js')).elapsedTime(...given)"
    assert modules.evaluate(elapsed, [seconds, decimals]) == written


def test_missing_and_late_samples(modules: Page):
    kept = modules.evaluate(
        """async () => {
          const { Ring } = await import("/modules/sweep.js");
          const ring = new Ring(["II"], 100);
          ring.push(0, [5, 5, 5], 1, -1);
          ring.push(1, [9, 9, 9], 1, -1);
          ring.push(6, [-1, 7], 1, -1);
          return [ring.end, [...Array(8).keys()].map((at) => Number.isNaN(ring.at(0, at)))];
        }"""
    )
    assert kept == [8, [False, False, False, False, True, True, True, False]]


@pytest.mark.parametrize(("height", "microvolt", "is_cut"), [(60, 1800, False), (200, 1800, False), (60, 5000, True)])
def test_a_high_beat_is_whole_on_a_low_tile_or_points_beyond_it(page: Page, height: int, microvolt: int, is_cut: bool):
    page.goto("/signin")
    page.evaluate(
        """async ([height, microvolt]) => {
          const { Sweep } = await import("/modules/sweep.js");
          const canvas = document.createElement("canvas");
          canvas.id = "low";
          Object.assign(canvas.style, { width: "200px", height: `${height}px` });
          document.body.replaceChildren(canvas);
          const counts = Int16Array.from({ length: 250 }, (_, at) => (at % 100 > 45 && at % 100 < 55 ? microvolt : 0));
          const sweep = new Sweep(canvas, { most: 1 });
          const frame = { stream: "", position: 0, rate_hz: 250, leads: ["II"], missing: -32768 };
          sweep.push({ ...frame, counts, microvolt_per_count: 1 });
          window.sweep = sweep;
        }""",
        [height, microvolt],
    )
    page.wait_for_function("() => sweep.drawnTo >= 170")
    rows = ink(page, "#low")
    assert any(rows)
    assert any(rows[:2]) == is_cut
    assert any(painted(page, "#low", "abnormal")) == is_cut


def test_every_page_says_what_ectopy_is_not():
    names = ("index", "patient", "alarm", "recordings", "training", "about", "access", "signin", "unknown")
    assert pages().keys() >= {f"{name}.html" for name in names}
    for name, text in pages().items():
        footer = html.unescape(text[text.index("<footer>") :])
        assert all(f"<li>{statement}</li>" in footer for statement in STATEMENTS), name


def test_pages_refer_to_nothing_elsewhere_and_hold_no_script_or_style():
    files = {path.name: path.read_text() for path in FOLDER.rglob("*") if path.suffix in (".css", ".js")}
    for name, text in (files | pages()).items():
        assert not re.search(r"(?:src|href|url|from|import)\s*[=(]?\s*[\"'(]\s*(?:https?:)?//", text), name
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|innerHTML|insertAdjacentHTML", text), name


def test_colours_are_those_of_reports():
    style = (FOLDER / "styles" / "base.css").read_text()
    light, dark = style.split("@media (prefers-color-scheme: dark)")[:2]
    for colours, text in ((theme.LIGHT, light), (theme.DARK, dark)):
        for name, colour in colours.items():
            assert f"--{name}: {colour};" in text


def test_the_package_has_the_pages():
    """The wheel holds what is below ``src/ectopy``; addresses in pages are files there."""
    for text in pages().values():
        for address in re.findall(r'(?:src|href)="/([^"#?]+\.\w+)"', text):
            assert (FOLDER / address).is_file(), address
    for module in FOLDER.glob("modules/*.js"):
        for other in re.findall(r'from "\./([^"]+)"', module.read_text()):
            assert (module.parent / other).is_file(), other


# A full ward


def test_sixteen_live_tiles(browser: Browser, tmp_path: Path):
    stop = threading.Event()
    lead_in_s = TROUBLE_S if IMAGES else 0.0  # the pictures show patients whose normal is known

    def stream(service: Service) -> None:
        for turn in count():
            for patient, signal in WARD.items():
                begin_s = lead_in_s + turn / 4
                send(service, patient, signal, begin_s, begin_s + 0.25)
            if stop.wait(0.25):
                return

    with running(tmp_path) as service:
        for (patient, signal), name in zip(WARD.items(), NAMES, strict=True):
            service.app.state.ward.admit(patient, name)
            feed(service, patient, signal, end_s=lead_in_s)
        sending = threading.Thread(target=stream, args=(service,))
        sending.start()
        try:
            wall = {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "dark"}
            for page in opened(browser, base_url=service.url, **wall):
                page.goto(f"/#key={service.key}")
                expect(page.locator(".tile")).to_have_count(len(WARD))
                assert all_tiles_fit(page), "all of sixteen are seen at a glance"
                for _ in range(3):  # every one of them goes on, and on
                    page.evaluate(
                        """() => {
                          const canvases = [...document.querySelectorAll(".tile canvas")];
                          window.shown = canvases.map((canvas) => [canvas, canvas.toDataURL()]);
                        }"""
                    )
                    page.wait_for_function(
                        "() => shown.every(([canvas, drawn]) => canvas.toDataURL() !== drawn)", polling=200
                    )
                if IMAGES is not None:
                    illustrate(page)
        finally:
            stop.set()
            sending.join()


def all_tiles_fit(page: Page) -> bool:
    tiles = [tile["whole"] for tile in boxes(page.locator(".tile"), {})]
    return all(box["y"] >= 0 and box["y"] + box["height"] <= page.viewport_size["height"] for box in tiles)


def illustrate(page: Page) -> None:
    """The pictures of live pages."""
    page.wait_for_timeout(6000)
    photograph(page, "ward")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(4000)
    photograph(page, "ward-phone")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")
    page.goto("/patient?patient=bed 14")
    page.wait_for_timeout(6000)
    photograph(page, "patient")
    page.goto("/training?patient=bed 7")
    page.wait_for_timeout(6000)
    photograph(page, "training")
