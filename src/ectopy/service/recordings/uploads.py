"""Uploaded files that make a recording, and the names under which they are stored, never those of a path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from ectopy.errors import DataError

MOST_FILES = 64
LONGEST_NAME = 200

_ALONE = (".edf", ".bdf", ".ecg", ".scp", ".dcm", ".xml", ".csv", ".tsv", ".txt", ".parquet", ".npy")
_HEADER = ".hea"
_MEMBER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}(\.[A-Za-z0-9]{1,8})?", re.ASCII)
_EXPECTED = f"upload one file ({', '.join(_ALONE)}), or the files of one WFDB record (.hea, .dat, .atr) together"


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file; its name tells the format, but not the path."""

    name: str
    content: BinaryIO


@dataclass(frozen=True, slots=True)
class UploadLayout:
    """Names of the files of a recording: `main` is the one that is read, `names` are those of all, in order."""

    title: str
    main: str
    names: tuple[str, ...]


def layout_of(file_names: Sequence[str]) -> UploadLayout:
    """Return the layout of files with these names; a `DataError` if these are not the files of one recording.

    A WFDB header refers to its files by name, so these keep their names, which must be plain; any other recording keeps
    only its suffix.
    """
    if not file_names:
        raise DataError(
            f"there is no file; send each one as the form field 'files', in multipart/form-data: {_EXPECTED}."
        )
    if len(file_names) > MOST_FILES:
        raise DataError(f"{len(file_names)} files are not one recording; {_EXPECTED}.")
    titles = [_title(name) for name in file_names]
    headers = [title for title in titles if _suffix(title) == _HEADER]
    if not headers:
        if len(titles) > 1 or _suffix(titles[0]) not in _ALONE:
            verb = "is not a recording" if len(titles) == 1 else "are not one recording"
            raise DataError(f"{_listed(titles)} {verb}; {_EXPECTED}.")
        name = f"recording{_suffix(titles[0])}"
        return UploadLayout(titles[0], name, (name,))
    for name in file_names:
        if not _MEMBER.fullmatch(name):
            raise DataError(f"{name[:LONGEST_NAME]!r} cannot be the name of a file of a WFDB record.")
    if len({name.lower() for name in file_names}) < len(file_names):
        raise DataError("two files have the same name; upload each one once.")
    # The headers of segments are named like that of the record, with a suffix.
    main = min(headers, key=len)
    record = main.removesuffix(_HEADER)
    if not all(header.startswith(record) for header in headers):
        raise DataError(f"{_listed(headers)} are headers of several records; upload one recording at a time.")
    if len(headers) == len(titles):
        verb = "describes" if len(headers) == 1 else "describe"
        raise DataError(
            f"{_listed(headers)} {verb} samples that lie in other files; upload all files of the record together, "
            "such as 100.hea and 100.dat."
        )
    return UploadLayout(record, main, tuple(file_names))


def _title(name: str) -> str:
    """Return the name of a file for people: without folders, on one line."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(character for character in last if character.isprintable())[-LONGEST_NAME:]


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:4])
