"""Files appear whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ectopy.errors import OutputError


def check_writable(path: Path) -> None:
    """Raise before long work starts when `path` could not be written at its end.

    Raises
    ------
    OutputError
        If the folder does not exist or cannot be written, or `path` is a folder.
    """
    folder = path.parent
    try:
        folder_is_there, path_is_folder = folder.is_dir(), path.is_dir()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; name another file.") from error
    if not folder_is_there:
        raise OutputError(f"cannot write {path}: the folder {folder} does not exist; create it first.")
    if path_is_folder:
        raise OutputError(f"cannot write {path}: it is a folder; name a file.")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write {path}: no permission to write in {folder}; choose another folder.")


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {path}: {error.strerror or error}.") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    On any exception, an interrupt included, the temporary file is removed and `path` is left as it was.

    Raises
    ------
    OutputError
        If the file cannot be written.
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
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
