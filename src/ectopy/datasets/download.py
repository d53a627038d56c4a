"""Download a data set's archive and put its files into a folder, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from ectopy.errors import DataError, DatasetUnavailableError

if TYPE_CHECKING:
    from rich.progress import Progress

CONNECT_TIMEOUT_S = 4.0
READ_TIMEOUT_S = 8.0
_CHUNK_BYTES = 2**16


@contextmanager
def fresh_folder(target: Path, is_complete: Callable[[Path], bool]) -> Iterator[Path]:
    """Give an empty folder that takes the place of `target` when the block ends well.

    On any exception, an interrupt included, it is removed and `target` is left as it was.

    Parameters
    ----------
    target : Path
        What is there is replaced. Folders above it are made.
    is_complete : callable
        Says whether a folder has everything. Where another process has put a complete folder
        there in the meantime, that one stays.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that moving it there is one step.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as name:
        fresh = Path(name) / "fresh"
        fresh.mkdir()
        yield fresh
        try:
            if target.exists():
                target.replace(Path(name) / "replaced")
            fresh.replace(target)
        except OSError:
            if not is_complete(target):
                raise


def download(url: str, file: Path, *, title: str, max_bytes: int, progress: bool) -> None:
    """Download a file over HTTP.

    A server that cannot be reached is given up after a few seconds.

    Parameters
    ----------
    url : str
    file : Path
        Where to put it. After an error it may hold a part.
    title : str
        What it is, for the progress bar.
    max_bytes : int
        A larger file is refused as soon as that shows.
    progress : bool
        Whether to show a progress bar, on standard error, where that is a terminal.

    Raises
    ------
    DatasetUnavailableError
        If the server cannot be reached, refuses, or breaks off.
    DataError
        If the file is too large.
    OSError
        If `file` cannot be written.
    """
    import pooch

    answers: list[Any] = []
    get = pooch.HTTPDownloader(
        chunk_size=_CHUNK_BYTES,
        timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        hooks={"response": lambda answer, **_: answers.append(answer)},
    )
    with file.open("wb") as sink, _progress_bar(progress) as bar:
        task = bar.add_task(title, total=None)

        def count(received: int) -> None:
            if received > max_bytes:
                raise DataError(f"it is larger than {max_bytes / 2**20:.0f} MiB.")
            total = int(answers[-1].headers.get("content-length", 0)) or None
            bar.update(task, total=total, completed=received)

        try:
            get(url, _CountingFile(sink, count), None)
        except DataError:
            raise
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) is not None:  # of the disk, not of the network
                raise
            raise DatasetUnavailableError(f"{url}: {_failure(answers)}.") from error
        finally:
            for answer in answers:
                answer.close()  # pooch leaves it open after an error


def download_files(
    url: str, paths: Sequence[PurePosixPath], folder: Path, *, title: str, max_bytes: int, progress: bool
) -> None:
    """Download files one by one into a folder, under their own names.

    Parameters
    ----------
    url : str
        Where they are; ends with a slash.
    paths : sequence of PurePosixPath
        Of each file, beneath `url`.
    max_bytes : int
        A larger file is refused.
    title, progress
        As for `download`, and so are the errors; the bar counts files.
    """
    with _progress_bar(progress, counts_files=True) as bar:
        task = bar.add_task(title, total=len(paths))
        for path in paths:
            address = url + quote(str(path))
            download(address, folder / path.name, title=path.name, max_bytes=max_bytes, progress=False)
            bar.advance(task)


class _CountingFile:
    """A file for pooch to write into, which reports how many bytes there are before it takes them."""

    def __init__(self, file: BinaryIO, count: Callable[[int], None]) -> None:
        self._file, self._count, self._received = file, count, 0
        self.flush = file.flush

    def write(self, content: bytes) -> None:
        """Take some bytes, unless they are too many."""
        self._received += len(content)
        self._count(self._received)
        self._file.write(content)


def _progress_bar(show: bool, *, counts_files: bool = False) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn() if counts_files else DownloadColumn()
    return Progress(*columns, console=console, disable=not (show and console.is_terminal))


def _failure(answers: Sequence[Any]) -> str:
    """Return what went wrong, by the responses of requests that came before the network failed."""
    if not answers:
        return "the server cannot be reached"
    if not answers[-1].ok:
        return f"the server answered with status {answers[-1].status_code}"
    return "the transfer broke off"


def unpack(archive: Path, folder: Path, files: Sequence[Sequence[str]], *, max_member_bytes: int) -> None:
    """Take files out of a zip archive, from any folder in it, and nothing else.

    Parameters
    ----------
    archive : Path
    folder : Path
        Where to put them, under these names.
    files : sequence of sequences of str
        Alternative names of each file; the first that the archive has is taken.
    max_member_bytes : int
        A file that unpacks to more is refused.

    Raises
    ------
    DataError
        If it is not a whole zip archive, or a file is missing or too large.
    """
    with raising_archive_errors(), zipfile.ZipFile(archive) as content:
        members = {PurePosixPath(info.filename).name: info for info in content.infolist()}
        for names in files:
            name = next((name for name in names if name in members), None)
            if name is None:
                raise DataError(f"it has no {' or '.join(names)}.")
            extract(content, members[name], folder / name, max_member_bytes)


def unpack_matching(archive: Path, folder: Path, is_wanted: Callable[[str], bool], *, max_member_bytes: int) -> None:
    """Take the files whose names are wanted out of a zip archive, from any folder in it.

    Raises
    ------
    DataError
        If it is not a whole zip archive, or a file is too large.
    """
    with raising_archive_errors(), zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            name = PurePosixPath(member.filename).name
            if not member.is_dir() and is_wanted(name):
                extract(content, member, folder / name, max_member_bytes)


@contextmanager
def raising_archive_errors() -> Iterator[None]:
    """Raise DataError where a zip archive turns out to be damaged or encrypted."""
    try:
        yield
    # zipfile calls an encrypted file a RuntimeError.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DataError("it is not a whole zip archive.") from error


def extract(content: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path, max_bytes: int) -> None:
    """Take one file out of a zip archive.

    Raises
    ------
    DataError
        If it is too large, or compressed in an unusual way.
    """
    # The other methods can ask for much memory before they give a byte.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"its {file.name} is compressed in an unusual way.")
    # zipfile never gives more bytes than the archive declares.
    if member.file_size > max_bytes:
        raise DataError(f"its {file.name} unpacks to more than {max_bytes / 2**20:.0f} MiB.")
    with content.open(member) as source, file.open("wb") as sink:
        shutil.copyfileobj(source, sink)
