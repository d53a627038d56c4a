"""Chromium for the tests of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.waiting import PATIENCE_S

playwright = pytest.importorskip("playwright.sync_api")
playwright.expect.set_options(timeout=1000 * PATIENCE_S)
Browser, Page = playwright.Browser, playwright.Page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
AXE = find_spec("axe_playwright_python")


def launched() -> Iterator[Browser]:
    """A browser, until the generator is closed."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}; install the system's package chromium")
    with playwright.sync_playwright() as running_playwright:
        browser = running_playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def opened(browser: Browser, **context: object) -> Iterator[Page]:
    """A page on which no script may fail, and nothing may run that the policy forbids."""
    chosen = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light", **context}
    with browser.new_context(**chosen) as visited:
        visited.set_default_timeout(1000 * PATIENCE_S)
        page = visited.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Security Policy" in said.text else None)
        page.on("request", lambda sent: faults.append(sent.url) if sent.url.endswith("/x") else None)
        yield page
        assert faults == []


def require_no_serious_fault(page: Page) -> None:
    """Whether axe finds nothing serious in light and dark, and the page fits a phone."""
    page.evaluate((Path(AXE.submodule_search_locations[0]) / "axe.min.js").read_text())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = page.evaluate("() => axe.run(document, { iframes: false, resultTypes: ['violations'] })")
        serious = [
            (one["id"], [node["html"] for node in one["nodes"]])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], scheme
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
