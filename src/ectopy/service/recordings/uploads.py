"""Which uploaded files make a recording, and under which names they are kept: never those of a path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from ectopy.errors import DataError

MOST_FILES = 64
LONGEST_NAME = 200

_ALONE = (".edf", ".bdf", ".csv", ".tsv", ".txt", ".parquet", ".npy")
_HEADER = ".hea"
_MEMBER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}(\.[A-Za-z0-9]{1,8})?", re.ASCII)
_EXPECTED = (
    "upload one file (.edf, .bdf, .csv, .tsv, .txt, .parquet or .npy), or the files of one WFDB record (.hea, .dat, "
    ".atr) together"
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came: its name says what it is and not where it goes."""

    name: str
    content: BinaryIO


@dataclass(frozen=True, slots=True)
class UploadLayout:
    """How the files of a recording are kept.

    Attributes
    ----------
    title : str
        For people.
    main : str
        The file that is read; the others lie beside it.
    names : tuple of str
        For each file, in their order.
    """

    title: str
    main: str
    names: tuple[str, ...]


def layout_of(given: Sequence[str]) -> UploadLayout:
    """How to keep files of these names.

    A WFDB header names its files, which are kept under these names if they are plain; of another recording the suffix
    is all that is kept.

    Raises
    ------
    DataError
        If they are not the files of one recording.
    """
    if not 1 <= len(given) <= MOST_FILES:
        raise DataError(f"{len(given)} files are not one recording; {_EXPECTED}.")
    titles = [_title(name) for name in given]
    headers = [title for title in titles if _suffix(title) == _HEADER]
    if not headers:
        if len(titles) > 1 or _suffix(titles[0]) not in _ALONE:
            raise DataError(f"{_shown(titles)} is not a recording; {_EXPECTED}.")
        name = f"recording{_suffix(titles[0])}"
        return UploadLayout(titles[0], name, (name,))
    for name in given:
        if not _MEMBER.fullmatch(name):
            raise DataError(f"{name[:LONGEST_NAME]!r} cannot be the name of a file of a WFDB record.")
    if len({name.lower() for name in given}) < len(given):
        raise DataError("two files have the same name; upload each one once.")
    # The header of a record with segments is called like the segments, only shorter.
    main = min(headers, key=len)
    record = main.removesuffix(_HEADER)
    if not all(header.startswith(record) for header in headers):
        raise DataError(f"{_shown(headers)} are headers of several records; upload one recording at a time.")
    if len(headers) == len(titles):
        raise DataError(
            f"{_shown(headers)} describes samples that lie in other files; upload all files of the record together, "
            "such as 100.hea and 100.dat."
        )
    return UploadLayout(record, main, tuple(given))


def _title(name: str) -> str:
    """What a file is called, for people: without folders, in one line."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(character for character in last if character.isprintable())[-LONGEST_NAME:]


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _shown(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:4])
