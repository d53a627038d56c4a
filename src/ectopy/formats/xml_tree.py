"""XML from strangers: parsed by expat to a tree without namespaces, within limits, without entities of the file's own.

A document type is accepted, since GE MUSE writes one, but nothing is fetched or replaced by what it declares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ectopy.errors import DataError, short_text

MAX_BYTES = 2**29
"""Largest document; a day of three leads as text has a third of it."""
MAX_ELEMENTS = 1_000_000
MAX_DEPTH = 100

_PIECE_BYTES = 2**20


class _RootError(Exception):
    """Stops parsing at the first element."""


def root_name(head: bytes) -> str:
    """Return the name of the outermost element of a document that begins so; empty where it is not one of XML."""
    names: list[str] = []

    def begin(name: str, _: dict[str, str]) -> None:
        names.append(_local(name))
        raise _RootError

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(head, False)
    except _RootError:
        return names[0]
    except (expat.ExpatError, ValueError, LookupError, DataError):
        pass
    return ""


def read_xml(path: Path) -> Element:
    """Parse a document; names of elements and attributes without their namespaces.

    Raises
    ------
    DataError
        If it is not well formed, ends early, declares entities, or is larger or deeper than a recording is.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{path} has {size:,} bytes of XML; expected up to {MAX_BYTES:,}.")
    reader = _Reader()
    try:
        with path.open("rb") as stream:
            while content := stream.read(_PIECE_BYTES):
                reader.parser.Parse(content, False)
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        place = f"line {error.lineno}" if isinstance(error, expat.ExpatError) else "its encoding"
        raise DataError(
            f"{path} is not whole, well-formed XML ({place}: {short_text(error)}); copy it again from its source."
        ) from error
    except DataError as error:
        raise DataError(f"{path} {error}") from error
    return reader.tree.close()


class _Reader:
    """A parser whose handlers build a tree and count."""

    def __init__(self) -> None:
        self.tree = TreeBuilder()
        self.depth = self.elements = 0
        parser = self.parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.tree.data
        parser.EntityDeclHandler = _refuse_entity

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.elements += 1
        if self.depth > MAX_DEPTH:
            raise DataError(f"has elements within elements to a depth of {MAX_DEPTH}; no recording is written so.")
        if self.elements > MAX_ELEMENTS:
            raise DataError(f"has more than {MAX_ELEMENTS:,} elements; no recording is written so.")
        self.tree.start(_local(name), {_local(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self.depth -= 1
        self.tree.end(_local(name))


def _refuse_entity(*_: Any) -> None:
    raise DataError("declares entities, by which XML can grow without end; save it without a document type.")


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def text_at(element: Element | None, path: str) -> str:
    """Return the text of the first element at a path such as ``name/family``, without blanks around; empty if none."""
    inner = None if element is None else element.find(path)
    return "" if inner is None or inner.text is None else inner.text.strip()


def value_at(element: Element | None, path: str, attribute: str = "value") -> str:
    """Return an attribute of the first element at a path, without blanks around; empty if there is none."""
    inner = None if element is None else element.find(path)
    return "" if inner is None else inner.get(attribute, "").strip()


def each(element: Element, *names: str) -> Iterator[Element]:
    """The elements of these names, however deep, in their order."""
    return (inner for inner in element.iter() if inner.tag in names)
