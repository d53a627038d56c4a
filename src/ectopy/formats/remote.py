"""Recordings elsewhere, as ``s3://`` and ``https://`` name them: copied to a temporary folder, and read from there.

The package fsspec knows the places, and takes credentials from where each of them usually has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import has_magic
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ectopy.errors import DataError, EctopyError, MissingExtraError, short_text
from ectopy.formats.wfdb_header import Header, check_name, read_header

MAX_BYTES = 2**33
"""Largest file that is copied: a day of twelve leads at 1000 Hz has a quarter of it."""
SILENCE_S = 60.0
"""Longest time that a web server may say nothing."""
SUFFIXES = (".hea", ".edf", ".bdf", ".ecg", ".scp", ".dcm", ".xml")
"""Suffixes of recordings in a folder elsewhere, whose files are not opened to see what they are."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,2}(?=[^/])", re.ASCII)
_WEB = ("http", "https")
_COMPANIONS = {".hea": (".dat", ".mat", ".atr"), ".ecg": (".ann",)}
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
    if scheme in _WEB:
        return [url]
    with _reading(url):
        system, path = _file_system(url)
        pattern = has_magic(path) and not system.exists(path)
        if not pattern and not system.isdir(path):
            return [url]
        listed = system.glob(path) if pattern else system.ls(path, detail=False)
        suffix = PurePosixPath(path).suffix.lower() if pattern else ""
        suffixes = (suffix,) if suffix and not has_magic(suffix) else SUFFIXES
        names = sorted(str(name) for name in listed if PurePosixPath(str(name)).suffix.lower() in suffixes)
    if not names:
        raise DataError(f"{display_url(url)} holds no recordings; expected files with {', '.join(suffixes)}.")
    if pattern:
        return [str(system.unstrip_protocol(name)) for name in names]
    return [f"{url.rstrip('/')}/{PurePosixPath(name).name}" for name in names]


def file_states(urls: Sequence[str]) -> list[tuple[str, ...]]:
    """Name, size and mark of change (ETag or time) of the files of each recording; empty where there is none.

    Each folder is listed once. To a recording belong the files beside it that are called like it: ``.dat``, ``.mat``
    and ``.atr`` of a WFDB header, ``.ann`` of an ISHNE file. A web server has no folders and is not asked: a file
    there counts as unchanged.
    """
    folders: dict[str, dict[str, Any]] = {}
    states: list[tuple[str, ...]] = []
    for url in urls:
        if url.partition("://")[0].lower() in _WEB:
            states.append((display_url(url), "0", ""))
            continue
        with _reading(url):
            system, path = _file_system(url)
            folder, _, name = path.rpartition("/")
            if folder not in folders:
                system.invalidate_cache(folder)
                listed = system.ls(folder, detail=True) if system.isdir(folder) else []
                folders[folder] = {PurePosixPath(str(entry["name"])).name: entry for entry in listed}
        stem = PurePosixPath(name)
        names = [name, *(stem.with_suffix(suffix).name for suffix in _COMPANIONS.get(stem.suffix.lower(), ()))]
        entries = [(each, folders[folder][each]) for each in names if each in folders[folder]]
        states.append(tuple(part for each, entry in entries for part in (each, str(entry["size"]), _mark(entry))))
    return states


def _mark(entry: Mapping[str, Any]) -> str:
    return str(next((entry[key] for key in ("ETag", "LastModified", "mtime", "last_modified") if entry.get(key)), ""))


@contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """Copy a file, and what belongs to it, to a temporary folder; errors in the block name the URL.

    To a WFDB header belong the files and segments that it names and the ``.atr`` annotations, to an ISHNE file its
    ``.ann``.

    Raises
    ------
    DataError
        If the file does not exist, cannot be read, or is too large.
    MissingExtraError
        If the package for such a place is not installed.
    """
    with TemporaryDirectory(prefix="ectopy-") as folder:
        with _reading(url):
            system, path = _file_system(url)
        name = PurePosixPath(path.partition("?")[0] if "://" in path else path).name or "recording"
        target = Path(folder) / re.sub(r"[^\w.+-]", "_", name)
        try:
            with _reading(url):
                _copy(system, path, target)
                _copy_companions(system, path, target)
            yield target
        except EctopyError as error:
            message = str(error).replace(str(target), display_url(url)).replace(f"{folder}/", f"{display_url(url)}: ")
            raise type(error)(message) from error


def _file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError.of("remote", "reading from elsewhere") from error
    options: dict[str, Any] = {}
    if url.partition("://")[0].lower() in _WEB:
        from aiohttp import ClientTimeout

        # However long a large file takes, a server that says nothing for a minute is given up.
        options["client_kwargs"] = {"timeout": ClientTimeout(total=None, sock_connect=SILENCE_S, sock_read=SILENCE_S)}
    system, path = url_to_fs(url, **options)
    return system, str(path)


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
        raise DataError(f"{display_url(url)} {_reason(error, url)}.") from error


def _reason(error: Exception, url: str) -> str:
    """Why a file cannot be read: that of the web server, which fsspec takes for a file that is missing, goes first."""
    cause: BaseException = error.__cause__ or error
    kinds, status = {type(error).__name__, type(cause).__name__}, getattr(cause, "status", None)
    if "TooManyRedirects" in kinds:
        return "cannot be read: its server leads in a circle"
    if kinds & {"ClientPayloadError", "ServerDisconnectedError"}:
        return "cannot be read: the connection ended before the whole file was there; try again"
    if status in (401, 403, 407):
        return f"cannot be read without permission: its server answers {status}; log in, or ask for access"
    if isinstance(status, int) and (status >= 500 or status == 429):
        return f"cannot be read now: its server answers {status}; try again later"
    if isinstance(cause, TimeoutError):
        return f"cannot be read: its server was silent for {SILENCE_S:g} s; try again later"
    if "ClientConnectorError" in {kind.__name__ for kind in type(cause).__mro__}:
        return "cannot be read: its server cannot be reached"
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    reason = short_text(str(error).replace(url, display_url(url)) or type(error).__name__)
    return f"cannot be read: {reason.rstrip('.')}"


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
