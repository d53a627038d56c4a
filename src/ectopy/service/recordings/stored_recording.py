"""A recording that is stored: its entry, the names of the files in its folder, and their size."""

from __future__ import annotations

import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from ectopy.analysis.corrections import Corrections
from ectopy.errors import StorageError
from ectopy.files import write_text
from ectopy.report.report_style import ReportStyle
from ectopy.service.recordings.result import Result, load_result
from ectopy.service.recordings.stored_corrections import load_corrections

FILES, RESULT = "files", "result"
NEW_RESULT = "new"
"""The folder of a result that is complete, before it takes the place of the former one."""
RESULT_NAMES = {kind: f"results.{kind}" for kind in ("csv", "json", "edf", "atr", "ann")}
"""Names of the files of results, by their kind."""
SPARE_BYTES = 2**30
"""Free space that uploads and analyses leave on the disk, for the database."""

_REPORT = "report"
_ENTRY = "entry.json"


class Status(StrEnum):
    """State of the analysis of a recording."""

    WAITING = "waiting"
    ANALYSING = "analysing"
    ANALYSED = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A recording in the library.

    Attributes
    ----------
    id : str
        Sixteen hexadecimal digits.
    added : float
        Seconds since 1970.
    main : str
        Name of the file that is read, or of the built-in recording.
    sampling_rate_hz, unit
        As stated for a file that does not state them.
    named : bool
        It has no files, and is one of `ectopy.datasets.builtin_recordings`.
    progress : float
        0 to 1.
    error : str
        One sentence if the last analysis has failed.
    key : int or None
        Id of the key with which it was added.
    size_bytes : int
        Of its files and its result.
    analyses : int
        Results that were stored one after the other; the last one counts until there is another.
    """

    id: str
    name: str
    added: float
    main: str
    sampling_rate_hz: float | None = None
    unit: str | None = None
    named: bool = False
    status: Status = Status.WAITING
    progress: float = 0.0
    error: str = ""
    key: int | None = None
    size_bytes: int = 0
    analyses: int = 0

    @property
    def is_analysed(self) -> bool:
        """True if there is a result, of an earlier analysis where another one is not done."""
        return self.status is Status.ANALYSED or self.analyses > 0


def report_name(kind: str = "html", style: ReportStyle | None = None) -> str:
    """Return the name of the file of a report, ``html`` or ``pdf``."""
    style = style or ReportStyle()
    return f"{_REPORT}-{style.language}-{style.paper}.{kind}"


def report_style(name: str) -> ReportStyle | None:
    """Return how the report of this name looks; None if it is not the name of a report."""
    match Path(name).stem.split("-"):
        case [word, language, paper] if word == _REPORT:
            return ReportStyle(language, paper)
    return None


_FROM_JSON = msgspec.json.Decoder(StoredRecording)


def read_stored(folder: Path) -> StoredRecording:
    """Read the entry in the folder of a recording."""
    return _FROM_JSON.decode((folder / _ENTRY).read_bytes())


def read_result(folder: Path, version: int | None = None) -> Result:
    """Read the result in the folder of a recording, with the first `version` entries of its log, or with all."""
    result = load_result(folder / RESULT)
    log = load_corrections(folder, result.version.analysis)
    return result.corrected(Corrections(log.analysis_digest, log.entries[:version]))


def size_of(folder: Path) -> int:
    """Return the bytes of the files in a folder; a file that is deleted meanwhile counts 0."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.lstat()
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return size


def write_stored(folder: Path, entry: StoredRecording) -> None:
    """Write the entry in the folder of a recording, atomically."""
    write_text(folder / _ENTRY, msgspec.json.encode(entry).decode())


def require_free_disk(folder: str | Path, needed_bytes: int = 0) -> None:
    """Raise StorageError unless the disk of a folder has room for the next bytes, and a reserve after them."""
    if shutil.disk_usage(folder).free < SPARE_BYTES + needed_bytes:
        raise StorageError("the disk is nearly full; make room, and try again.")
