"""Files appear whole or not at all; archives and arrays are unpacked within a limit."""

from __future__ import annotations

import io
import math
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, OutputError

GENERATOR = f"Ectopy {version('ectopy')}"
"""The name by which a file of results says who wrote it."""

_WRITTEN_BY = re.compile(rb"Ectopy[ _]\d+\.\d+")
_SEARCHED_BYTES = 4096
_MOST_MEMBERS = 64
_DIRECTORY_ENTRY = b"PK\x01\x02"


def check_writable(path: Path) -> None:
    """Raise before long work starts when `path` could not be written at its end.

    An `OutputError` if the folder does not exist or cannot be written, or `path` is a folder, a device or the like.
    """
    folder = path.parent
    try:
        folder_is_there, path_is_folder = folder.is_dir(), path.is_dir()
        path_is_special = path.exists() and not path_is_folder and not path.is_file()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; name another file.") from error
    if not folder_is_there:
        raise OutputError(f"cannot write {path}: the folder {folder} does not exist; create it first.")
    if path_is_folder:
        raise OutputError(f"cannot write {path}: it is a folder; name a file.")
    if path_is_special:
        raise OutputError(f"cannot write {path}: it is not a regular file; name another one.")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write {path}: no permission to write in {folder}; choose another folder.")


def written_by_ectopy(path: Path) -> bool:
    """Check that a file says that Ectopy wrote it: "Ectopy", a blank or ``_`` and a version in its first or last 4 KiB.

    Pages, JSON, CSV, EDF, plots, bundles and saved baselines do; a WFDB annotation file has no place for it.
    """
    try:
        with path.open("rb") as file:
            first = file.read(_SEARCHED_BYTES)
            file.seek(max(file.seek(0, os.SEEK_END) - _SEARCHED_BYTES, 0))
            return bool(_WRITTEN_BY.search(first) or _WRITTEN_BY.search(file.read()))
    except OSError:
        return False


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there; an `OutputError` if it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {path}: {error.strerror or error}.") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    On any exception, an interrupt included, the temporary file is removed and `path` is left as it was. An
    `OutputError` if the file cannot be written.
    """
    check_writable(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}.") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def packed(members: Mapping[str, bytes]) -> bytes:
    """A zip archive of these files, without the time at which it was made: the same files give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.comment = GENERATOR.encode()
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def unpacked(content: bytes, most_bytes: int) -> dict[str, bytes]:
    """Unpack a zip archive of a few members, whose sizes are added up, to at most `most_bytes`, before the first one.

    A `DataError` if the archive is damaged, packed in another way, or holds more.
    """
    # An entry of the directory takes a dozen times its size in memory, so entries are counted before they are read.
    if content.count(_DIRECTORY_ENTRY) > _MOST_MEMBERS:
        raise DataError(f"it holds more than {_MOST_MEMBERS} members")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # zipfile says nothing of a comment that is cut short.
            begin = len(content) - len(archive.comment)
            if int.from_bytes(content[begin - 2 : begin], "little") != len(archive.comment):
                raise DataError("it is cut short within its last bytes")
            entries = archive.infolist()
            if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
                raise DataError("it is packed in another way than deflate")
            if len({entry.filename for entry in entries}) < len(entries):
                raise DataError("it holds two members of one name")
            if sum(entry.file_size for entry in entries) > most_bytes:
                raise DataError(f"it unpacks to more than {most_bytes >> 20} MiB")
            # zipfile never gives more bytes than the archive declares.
            return {entry.filename: archive.read(entry) for entry in entries}
    except DataError:
        raise
    except Exception as error:  # zipfile and zlib raise nearly everything on damaged archives
        raise DataError(str(error) or type(error).__name__) from error


def array_bytes(array: NDArray[Any]) -> bytes:
    """An array as the content of an ``.npy`` file, which `read_array` reads."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def read_array(content: bytes) -> NDArray[Any]:
    """Read an ``.npy`` file of numbers or text, never of objects; a `DataError` unless its header fits its size."""
    stream = io.BytesIO(content)
    try:
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = header[np.lib.format.read_magic(stream)](stream)
    except (ValueError, KeyError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise DataError("it is not an .npy file") from error
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind not in "fiubU" or not dtype.itemsize or size != len(content) - stream.tell():
        raise DataError("it is not a whole .npy file of numbers")
    array = np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
    return array.copy()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
