"""A page as a browser reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ectopy.disclaimers import STATEMENTS
from ectopy.errors import OutputError
from ectopy.report.language import load_language

_VOID = ("meta", "br", "img", "link", "input")


class Page(HTMLParser):
    """Tags, text and code of a page; fails where a tag is closed that is not the last one opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.code: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] == "code":
            self.code.append(data)

    def attributes(self, *names: str) -> list[str]:
        """Values of these attributes in all tags."""
        return [attributes[name] for _, attributes in self.tags for name in names if name in attributes]

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of each of these tags."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        return self.attributes("id")


def assert_sound(page: str, language: str = "en") -> Page:
    """Well-formed, no id twice, nothing outside the page, no figure gone wrong, and what Ectopy is not."""
    parsed = Page(page)
    assert page.startswith("<!DOCTYPE html>")
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert not re.search(r"https?://|//[a-z]|@import|url\((?!#)", page)
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"link", "script", "img", "iframe", "object"})
    assert {target.removeprefix("#") for target in parsed.attributes("href", "src")} <= set(parsed.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(parsed.ids)
    assert not re.search(r'[" >]-?(nan|inf)\b', page)
    assert all(load_language(language).text(statement) in parsed.text for statement in STATEMENTS)
    return parsed


def assert_former_page_stays(monkeypatch: pytest.MonkeyPatch, folder: Path, report: Callable[[Path], None]) -> None:
    """A report that runs out of space while it is written leaves the page that was there, and nothing else."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = folder / "page.html"
    path.write_text("the former page", encoding="utf-8")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="No space left"):
        report(path)
    assert path.read_text(encoding="utf-8") == "the former page"
    assert list(folder.iterdir()) == [path]
