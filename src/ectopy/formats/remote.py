"""Recordings elsewhere, as ``s3://`` and ``https://`` name them: copied to a temporary folder, and read from there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import has_magic
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ectopy.errors import DataError, EctopyError, MissingExtraError
from ectopy.formats.file_systems import WEB, failure_reason, is_missing, open_file_system
from ectopy.formats.wfdb_header import Header, check_name, read_header

MAX_BYTES = 2**33
"""Largest file that is copied: a day of twelve leads at 1000 Hz has a quarter of it."""
SUFFIXES = (".hea", ".edf", ".bdf", ".ecg", ".scp", ".dcm", ".xml")
"""Suffixes of recordings in a folder elsewhere, whose files are not opened to see what they are."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,2}(?=[^/])", re.ASCII)
_OF_A_RECORD = (".hea", ".dat", ".mat", ".atr")
# Of a file's content or change: S3, Google's and Azure's stores, files, HDFS itself and through the web.
_MARKS = ("ETag", "etag", "LastModified", "last_modified", "mtime", "modification_time", "modificationTime", "updated")
_COPY_BYTES = 2**22
_MOST_SEGMENTS = 10_000


def remote_url(path: str | Path) -> str | None:
    """Return the URL that a path is, also where `Path` has made one slash of two; None where it is a path.

    Examples
    --------
    >>> remote_url(Path("s3://bucket/day.edf")), remote_url("C:/day.edf"), remote_url("day.edf")
    ('s3://bucket/day.edf', None, None)
    """
    text = str(path)
    match = _URL.match(text)
    return f"{match[1]}://{text[match.end() :]}" if match else None


def display_url(url: str) -> str:
    """A URL for people: without a password, and without its query, which may be a signature."""
    scheme, _, rest = url.partition("://")
    place, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def list_recordings(url: str) -> list[str]:
    """URLs of the recordings in a folder or that match a pattern, by their suffixes; else the URL itself.

    A web server has no folders. A pattern that ends in a suffix, as ``*.csv``, names every file with it.
    """
    scheme = url.partition("://")[0].lower()
    if scheme in WEB:
        return [url]
    with _reading(url):
        system, path = open_file_system(url)
        pattern = has_magic(path) and not system.exists(path)
        if not pattern and not system.isdir(path):
            return [url]
        listed = system.glob(path) if pattern else system.ls(path, detail=False)
        suffix = PurePosixPath(path).suffix.lower() if pattern else ""
        suffixes = (suffix,) if suffix and not has_magic(suffix) else SUFFIXES
        names = sorted(str(name) for name in listed if PurePosixPath(str(name)).suffix.lower() in suffixes)
    if not names:
        raise DataError(f"{display_url(url)} holds no recordings; expected files with {', '.join(suffixes)}.")
    if pattern and url.endswith(path):  # with server and user, which the names lack
        return [f"{url.removesuffix(path)}{name}" for name in names]
    if pattern:
        return [str(system.unstrip_protocol(name)) for name in names]
    return [f"{url.rstrip('/')}/{PurePosixPath(name).name}" for name in names]


def file_states(urls: Sequence[str]) -> list[tuple[str, ...]]:
    """Name, size and mark of change (ETag or time) of the files of each recording; empty where there is none.

    Each folder is listed once. To a recording belong the files beside it that are called like it: ``.hea``, ``.dat``,
    ``.mat`` and ``.atr`` of a WFDB record, ``.ann`` of an ISHNE file. A web server has no folders and is not asked: a
    file there counts as unchanged.
    """
    folders: dict[str, dict[str, Any]] = {}
    states: list[tuple[str, ...]] = []
    for url in urls:
        if url.partition("://")[0].lower() in WEB:
            states.append((display_url(url), "0", ""))
            continue
        with _reading(url):
            system, path = open_file_system(url)
            folder, _, name = path.rpartition("/")
            if folder not in folders:
                system.invalidate_cache(folder)
                listed = system.ls(folder, detail=True) if system.isdir(folder) else []
                folders[folder] = {PurePosixPath(str(entry["name"])).name: entry for entry in listed}
        entries = [(each, folders[folder][each]) for each in _files_of(name) if each in folders[folder]]
        states.append(tuple(part for each, entry in entries for part in (each, str(entry["size"]), _mark(entry))))
    return states


def _files_of(name: str) -> list[str]:
    """Names that the files of a recording may have, by that of one of them, or by that of a WFDB record."""
    stem, dot, suffix = name.rpartition(".")
    if f"{dot}{suffix.lower()}" == ".ecg":
        return [name, f"{stem}.ann"]
    record = stem if f"{dot}{suffix.lower()}" in _OF_A_RECORD else name
    return list(dict.fromkeys([name, *(f"{record}{each}" for each in _OF_A_RECORD)]))


def _mark(entry: Mapping[str, Any]) -> str:
    return str(next((entry[key] for key in _MARKS if entry.get(key)), ""))


@contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """Copy a file, and what belongs to it, to a temporary folder; errors in the block name the URL.

    To a WFDB header belong the files and segments that it names and the ``.atr`` annotations, to an ISHNE file its
    ``.ann``. A WFDB record may be named by its samples, or without a suffix.

    Raises
    ------
    DataError
        If the file does not exist, cannot be read, or is too large.
    MissingExtraError
        If the package for such a place is not installed.
    """
    with TemporaryDirectory(prefix="ectopy-") as folder:
        with _reading(url):
            system, path = open_file_system(url)
            path = _header_of(system, path) or path
        name = PurePosixPath(path.partition("?")[0] if "://" in path else path).name or "recording"
        target = Path(folder) / re.sub(r"[^\w.+-]", "_", name)
        try:
            with _reading(url):
                _copy_recording(system, path, target)
            yield target
        except EctopyError as error:
            message = str(error).replace(str(target), display_url(url)).replace(f"{folder}/", f"{display_url(url)}: ")
            raise type(error)(message) from error


@contextmanager
def _reading(url: str) -> Iterator[None]:
    """Say in one sentence what goes wrong on the way."""
    try:
        yield
    except (EctopyError, MemoryError):
        raise
    except ImportError as error:
        raise MissingExtraError.of("remote", f"reading {display_url(url)}") from error
    except Exception as error:  # every place has errors of its own
        if is_missing(error):
            raise DataError(f"{display_url(url)} does not exist.") from error
        reason = failure_reason(error).replace(url, display_url(url))
        raise DataError(f"{display_url(url)} cannot be read: {reason}.") from error


def _header_of(system: Any, path: str) -> str | None:
    """Path of the header of a WFDB record that is named by its samples or without a suffix; None of other files."""
    name = PurePosixPath(path)
    if "?" in path or name.suffix.lower() not in ("", ".dat"):
        return None
    header = f"{path[: len(path) - len(name.suffix)]}.hea"
    return header if system.exists(header) else None


def _copy_recording(system: Any, path: str, target: Path) -> None:
    """Copy a file and what belongs to it; a `DataError` if it is a folder."""
    try:
        _copy(system, path, target)
        is_empty = target.stat().st_size == 0
    except Exception as error:
        if is_missing(error) and _is_folder(system, path):
            raise DataError(f"{target} is a folder; name a recording in it.") from error
        raise
    # A folder of an object store, or of HDFS through the web, is read like an empty file.
    if is_empty and _is_folder(system, path):
        raise DataError(f"{target} is a folder; name a recording in it.")
    _copy_companions(system, path, target)


def _is_folder(system: Any, path: str) -> bool:
    """Whether a path is a folder, or a bucket, that is there; a web server has none."""
    return "://" not in path and system.exists(path) and system.isdir(path)


def _copy(system: Any, path: str, target: Path) -> None:
    size = 0
    with system.open(path, "rb") as source, target.open("wb") as stream:
        while content := source.read(_COPY_BYTES):
            size += len(content)
            if size > MAX_BYTES:
                raise DataError(f"{target} has more than {MAX_BYTES:,} bytes; copy it here and split it.")
            stream.write(content)


def _copy_companions(system: Any, path: str, target: Path) -> None:
    match target.suffix.lower():
        case ".hea":
            _copy_record(system, path, target)
        case ".ecg":
            _copy_beside(system, path, target, target.with_suffix(".ann").name, optional=True)


def _copy_record(system: Any, path: str, target: Path) -> None:
    """Copy what a header names, and what the headers of its segments name."""
    header = read_header(target)
    _copy_beside(system, path, target, target.with_suffix(".atr").name, optional=True)
    parts: list[Header] = [header]
    for name in dict.fromkeys(name for name, _ in header.segments[:_MOST_SEGMENTS] if name != "~"):
        _copy_beside(system, path, target, f"{name}.hea")
        parts.append(read_header(target.with_name(f"{name}.hea")))
    for name in dict.fromkeys(line.file for part in parts for line in part.lines if line.file != "~"):
        _copy_beside(system, path, target, name)


def _copy_beside(system: Any, path: str, target: Path, name: str, optional: bool = False) -> None:
    check_name(target, name)
    beside = f"{path.rpartition('/')[0]}/{name}"
    try:
        _copy(system, beside, target.with_name(name))
    except FileNotFoundError:
        target.with_name(name).unlink(missing_ok=True)
        if not optional:
            raise DataError(f"{target} names the file {name}, which is not beside it; put it there.") from None
