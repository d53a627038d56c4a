"""XML from strangers: parsed by expat to a tree without namespaces, within limits, without entities of the file's own.

A document type is accepted, since GE MUSE writes one, but nothing is fetched or replaced by what it declares.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ectopy.errors import DataError, short_text
from ectopy.formats.leads import damaged

MAX_BYTES = 2**29
"""Largest document; a day of three leads as text has a third of it."""
MAX_ELEMENTS = 1_000_000
MAX_DEPTH = 100

_PIECE_BYTES = 2**20
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_EAST_ASIAN = frozenset(("gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"))
"""Encodings of several bytes that expat does not know."""


class _RootError(Exception):
    """Stops parsing at the first element."""


def root_name(head: bytes) -> str:
    """Return the name of the outermost element of a document that begins so; empty where it is not one of XML.

    A `DataError` if it declares entities before.
    """
    names: list[str] = []

    def begin(name: str, _: dict[str, str]) -> None:
        names.append(_local(name))
        raise _RootError

    decoder = _decoder(head)
    parser = expat.ParserCreate("utf-8" if decoder else None)
    parser.StartElementHandler = begin
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(decoder.decode(head).encode() if decoder else head, False)
    except _RootError:
        return names[0]
    except DataError:
        raise
    except (expat.ExpatError, ValueError, LookupError):
        pass
    return ""


def read_xml(path: Path, partial: bool = False) -> tuple[Element, list[str]]:
    """Parse a document; names of elements and attributes without their namespaces.

    Parameters
    ----------
    path : Path
    partial : bool
        Whether to return what stands before the first error, and a note on it.

    Raises
    ------
    DataError
        If it is not well formed, ends early, declares entities, or is larger or deeper than a recording is.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{path} has {size:,} bytes of XML; expected up to {MAX_BYTES:,}.")
    with path.open("rb") as stream:
        decoder = _decoder(stream.read(_PIECE_BYTES))
    reader = _Reader("utf-8" if decoder else None)
    try:
        with path.open("rb") as stream:
            while content := stream.read(_PIECE_BYTES):
                reader.parser.Parse(decoder.decode(content).encode() if decoder else content, False)
        reader.parser.Parse(b"", True)
    except DataError as error:
        raise DataError(f"{path} {error}") from error
    except (expat.ExpatError, ValueError, LookupError) as error:
        place = f"line {error.lineno}" if isinstance(error, expat.ExpatError) else "its encoding"
        reason = f"is not whole, well-formed XML ({place}: {short_text(error)})"
        if not partial or not reader.elements:
            raise damaged(path, reason) from error
        return reader.end(), [f"{path.name} {reason}; read is what stands before."]
    return reader.end(), []


class _Reader:
    """A parser whose handlers build a tree and count."""

    def __init__(self, encoding: str | None) -> None:
        self.elements = 0
        self._tree = TreeBuilder()
        self._open: list[str] = []
        parser = self.parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._tree.data
        parser.EntityDeclHandler = _refuse_entity

    def end(self) -> Element:
        """The tree, with the elements ended that are still open."""
        while self._open:
            self._tree.end(self._open.pop())
        return self._tree.close()

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if len(self._open) == MAX_DEPTH:
            raise DataError(f"has elements within elements to a depth of {MAX_DEPTH}; no recording is written so.")
        if self.elements > MAX_ELEMENTS:
            raise DataError(f"has more than {MAX_ELEMENTS:,} elements; no recording is written so.")
        self._open.append(_local(name))
        self._tree.start(_local(name), {_local(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._tree.end(self._open.pop())


def _decoder(head: bytes) -> codecs.IncrementalDecoder | None:
    """What decodes a document in an encoding of East Asia, as its first line declares it; None for all others."""
    match = _DECLARED.match(head)
    name = match[1].decode().lower() if match else ""
    return codecs.getincrementaldecoder(name)() if name in _EAST_ASIAN else None


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


def decoded_base64(path: Path, subject: str, text: str, partial: bool) -> bytes:
    """Bytes that a document holds as base64; a `DataError` if they are damaged. `partial` takes what stands before."""
    compact = "".join(text.split())
    try:
        return base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError) as error:
        if not partial:
            raise DataError(f"{path} holds {subject} that are not base64; copy it again from its source.") from error
    intact = re.match(r"(?:[A-Za-z0-9+/]{4})*", compact)
    return base64.b64decode(intact[0] if intact else "")
