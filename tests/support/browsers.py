"""Chromium for the tests of the pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.server import Service
from support.waiting import PATIENCE_S

playwright = pytest.importorskip("playwright.sync_api")
playwright.expect.set_options(timeout=1000 * PATIENCE_S)
Browser, BrowserContext, Page = playwright.Browser, playwright.BrowserContext, playwright.Page

# Without a window it takes half as much of the processor.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Pages of one service share a process: to start one costs as much as a page.
    "--process-per-site",
)
AXE = find_spec("axe_playwright_python")
# What moves is painted anew sixty times a second, without a graphics card by the processor.
_DESK = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light", "reduced_motion": "reduce"}
_COLOUR_RULES = ["color-contrast", "link-in-text-block"]


def launched() -> Iterator[Browser]:
    """A browser, until the generator is closed."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; install the system's package chromium-headless-shell")
    with playwright.sync_playwright() as running_playwright:
        browser = running_playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def opened(browser: Browser, **context: object) -> Iterator[Page]:
    """A page of a new visitor, with the checks of `opened_beside`."""
    with browser.new_context(**(_DESK | context)) as visitor:
        visitor.set_default_timeout(1000 * PATIENCE_S)
        yield from opened_beside(visitor)


def signed_in(browser: Browser, service: Service) -> Iterator[BrowserContext]:
    """Somebody who has signed in, on a page that stays open: others of theirs share its process, at half the cost."""
    with browser.new_context(base_url=service.url, **_DESK) as visitor:
        visitor.set_default_timeout(1000 * PATIENCE_S)
        page = visitor.new_page()
        page.goto(f"/about#key={service.key}")
        playwright.expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        yield visitor


def opened_beside(visitor: BrowserContext) -> Iterator[Page]:
    """A page on which no script may fail, and nothing may run that the policy forbids; what it stores is forgotten."""
    page = visitor.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Security Policy" in said.text else None)
    page.on("request", lambda sent: faults.append(sent.url) if sent.url.endswith("/x") else None)
    yield page
    page.close()
    for other in visitor.pages[:1]:
        other.evaluate("() => localStorage.clear()")
    assert faults == []


def tab_to(page: Page, name: str, most: int = 80) -> None:
    """Press Tab until something of this name has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => document.activeElement.ariaLabel || document.activeElement.labels?.[0]?.textContent"
            " || document.activeElement.textContent"
        )
        if focused == name:
            return
    raise AssertionError(f"{name} is not reached")


def require_no_serious_fault(page: Page) -> None:
    """Axe, if it is installed, finds nothing serious in light and no such colours in the dark; the page fits a phone.

    The page is as large afterwards as it was.
    """
    if AXE is not None:
        page.evaluate((Path(AXE.submodule_search_locations[0]) / "axe.min.js").read_text())
        for scheme, rules in (("dark", {"runOnly": _COLOUR_RULES}), ("light", {})):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert _serious_faults(page, rules) == [], scheme
    size = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.set_viewport_size(size)


def _serious_faults(page: Page, rules: dict[str, object]) -> list[tuple[str, list[str]]]:
    options = {"iframes": False, "resultTypes": ["violations"], **rules}
    answer = page.evaluate("options => axe.run(document, options)", options)
    return [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in answer["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
