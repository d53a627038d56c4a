from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.browsers import Browser, BrowserContext, Page, signed_in
from support.server import Service


@pytest.fixture(scope="module")
def visitor(service: Service, browser: Browser) -> Iterator[BrowserContext]:
    yield from signed_in(browser, service)


@pytest.fixture(scope="module")
def modules(visitor: BrowserContext) -> Page:
    """A page to call functions of the modules; nothing on it changes."""
    return visitor.pages[0]
