"""Files that a command may write: never one that it reads, and one of another program only with --overwrite.

An existing file is replaced without a question only where its content says that Ectopy wrote it, see
`ectopy.files.written_by_ectopy`. Files are compared by device and inode, so links are followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import combinations
from pathlib import Path

from ectopy.errors import OutputError

STANDARD_STREAM = "-"

_DATA_SETS = ("ecg5000", "mitdb", "cinc2015", "vfdb", "qtdb", "ludb", "cinc2017", "ltafdb")
_RECORD_SUFFIXES = (".hea", ".dat", ".mat", ".atr", ".ann")
_MAX_HEADER_BYTES = 2**20


def require_this_machine(path: Path) -> None:
    """Raise OutputError if a file or folder to write is named by a URL."""
    from ectopy.formats.remote import display_url, remote_url

    if (url := remote_url(path)) is not None:
        raise OutputError(
            f"cannot write {display_url(url)}: results are written on this machine; name a file or folder of it, or a "
            "folder elsewhere for the tables of 'ectopy cluster detect'."
        )


def check_outputs(
    outputs: Iterable[Path | str | None], inputs: Iterable[Path | str | None], overwrite: bool = False
) -> None:
    """Raise before anything is read when an output would destroy something, or could not be written.

    Parameters
    ----------
    outputs : iterable of Path, str or None
        Files that the command writes; None and ``-`` do not count.
    inputs : iterable of Path, str or None
        Its sources: files, folders, names of data sets, ``ambulatory``, ``-`` for standard input. With a record come
        the other files of the record, and with a folder the files in it.
    overwrite : bool
        Whether files that Ectopy did not write may be replaced.

    Raises
    ------
    OutputError
        If an output is also an input, two outputs are one file, a file is there that Ectopy did not write, or an output
        is not on this machine.
    """
    from ectopy.files import check_writable, written_by_ectopy

    paths = [Path(output) for output in outputs if output not in (None, STANDARD_STREAM)]
    for path in paths:
        require_this_machine(path)
        check_writable(path)
    for path, other in combinations(paths, 2):
        if path.resolve() == other.resolve() or (_identity(path) and _identity(path) == _identity(other)):
            raise OutputError(f"cannot write two outputs to {other}; name a file for each.")
    existing = [path for path in paths if path.exists()]
    if not existing:
        return
    read = {_identity(file) for source in inputs if source is not None for file in _files_read(source)}
    for path in existing:
        if _identity(path) in read:
            raise OutputError(f"cannot write {path}: the command reads this file; name another one.")
        if not overwrite and not written_by_ectopy(path):
            raise OutputError(
                f"cannot write {path}: it is there already, and does not say that Ectopy wrote it; name another file, "
                "or add --overwrite."
            )


def database_files(store: str | None) -> list[Path]:
    """The files of an SQLite database, by its name or URL; of another database there are none here."""
    if store is None or ("://" in store and not store.startswith("sqlite")):
        return []
    file = store.partition(":///")[2] if "://" in store else store
    return [Path(f"{file}{end}") for end in ("", "-wal", "-shm", "-journal")] if file else []


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None where it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _files_read(source: Path | str) -> Iterator[Path]:
    """All files that belong to a source."""
    from ectopy.analysis.shipped_detector import SHIPPED
    from ectopy.datasets.data_folders import cache_folder, user_folders

    if source == STANDARD_STREAM:
        yield Path("/dev/stdin")
    if source == SHIPPED:
        yield Path(str(files("ectopy") / "ambulatory.ectopy"))
    if source in _DATA_SETS:
        for folder in (*user_folders(), cache_folder()):
            yield from _members(folder / source)
    path = Path(source)
    yield path
    if path.is_dir():
        for member in _members(path):
            yield member
            yield from _record_files(member)
    else:
        yield from _record_files(path)


def _members(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _record_files(path: Path) -> Iterator[Path]:
    """Files of the WFDB record to which a file or name belongs: header, segments, samples, reference annotations."""
    names = {path.name.lower(), path.stem.lower()} if path.suffix else {path.name.lower()}
    for member in _members(path.parent):
        if member.stem.lower() in names and member.suffix.lower() in _RECORD_SUFFIXES:
            yield member
            if member.suffix.lower() == ".hea":
                yield from _named_in_header(member, segments=True)


def _named_in_header(header: Path, segments: bool) -> Iterator[Path]:
    """Files of samples, and segments with theirs, which each line of a header names first."""
    try:
        with header.open("rb") as file:
            lines = file.read(_MAX_HEADER_BYTES).decode("latin-1").splitlines()
    except OSError:
        return
    for line in lines:
        name = line.split(maxsplit=1)[0] if line.split() else "#"
        if name.startswith("#"):
            continue
        yield header.with_name(Path(name).name)
        segment = header.with_name(f"{Path(name).name}.hea")
        if segments and segment.is_file():
            yield segment
            yield from _named_in_header(segment, segments=False)
