"""A page as a browser reads it."""

from __future__ import annotations

from html.parser import HTMLParser

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
