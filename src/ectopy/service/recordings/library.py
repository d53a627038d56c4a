"""The recordings that were uploaded or named: their files, their analysis one after the other, and what came of it."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import msgspec

from ectopy.datasets.builtin_recordings import builtin_names
from ectopy.errors import DataError, OutputError, SettingError, StorageError
from ectopy.files import make_folder, write_text
from ectopy.processes import ONE_THREAD
from ectopy.service.recordings.result import Result, load_result
from ectopy.service.recordings.uploads import Upload, layout_of

MOST_RECORDINGS = 500
LARGEST_UPLOAD = 512 * 2**20
MOST_BYTES = 20 * 10**9
SHARE_OF_KEY = 0.5
"""How much of the number and the bytes of all recordings one key may have uploaded."""

TIME_LIMIT_S = 1800.0

FILES, RESULT, REPORT = "files", "result", "report.html"
_ENTRY = "entry.json"
_UNFINISHED = ".part-"
_ID = re.compile(r"[0-9a-f]{16}")
_BLOCK = 2**20
SPARE_BYTES = 2**30
"""What uploads and analyses leave free on the disk; the database needs it more."""

_log = logging.getLogger(__name__)


class Status(StrEnum):
    """How far the analysis of a recording is."""

    WAITING = "waiting"
    ANALYSING = "analysing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A recording in the library.

    Attributes
    ----------
    id : str
        Sixteen hexadecimal digits.
    name : str
        For people.
    added : float
        When it was added, seconds since 1970.
    main : str
        Name of the file that is read; of one that has no files, its name on this machine.
    sampling_rate_hz : float or None
        As stated for a file that states none.
    unit : str or None
        The same.
    named : bool
        Whether it has no files, and is one of `ectopy.datasets.builtin_recordings`.
    status : Status
    progress : float
        0 to 1.
    error : str
        One sentence where it has failed.
    key : int or None
        Id of the key with which it was added.
    size_bytes : int
        Of its files, and of what was found in them.
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

    @property
    def is_analysed(self) -> bool:
        """Whether it is analysed."""
        return self.status is Status.DONE


def read_stored(folder: Path) -> StoredRecording:
    """The entry in the folder of a recording."""
    return msgspec.json.decode((folder / _ENTRY).read_bytes(), type=StoredRecording)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class Library:
    """Recordings in a folder. What was being analysed when the process ended is analysed anew at the next start.

    Parameters
    ----------
    folder : Path
        Made if need be.
    largest_bytes : int
        Of one upload.
    most_bytes : int
        Of all recordings, and what was found in them.
    time_limit_s : float
        Of one analysis.
    clock : callable
        Gives seconds since 1970.

    Raises
    ------
    OutputError
        If the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        largest_bytes: int = LARGEST_UPLOAD,
        time_limit_s: float = TIME_LIMIT_S,
        clock: Callable[[], float] = time.time,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._folder, self._largest, self._limit_s, self._clock = folder, largest_bytes, time_limit_s, clock
        self._most_bytes = most_bytes
        make_folder(folder)
        self._changed = threading.Condition()
        self._entries: dict[str, StoredRecording] = {}
        self._stopping = False
        self._process: tuple[str, subprocess.Popen[str]] | None = None
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        for path in folder.iterdir():
            if path.name.startswith(_UNFINISHED):
                shutil.rmtree(path, ignore_errors=True)
            elif _ID.fullmatch(path.name):
                self._go_on(path)

    def start(self) -> None:
        """Begin to analyse."""
        self._thread.start()

    def stop(self) -> None:
        """End at once; an analysis that is under way begins anew at the next start."""
        with self._changed:
            self._stopping = True
            self._end_process()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    # What there is

    def entries(self) -> list[StoredRecording]:
        """All recordings, the newest first."""
        with self._changed:
            return sorted(self._entries.values(), key=lambda entry: (-entry.added, entry.id))

    def entry(self, id: str) -> StoredRecording:
        """One recording.

        Raises
        ------
        SettingError
            If there is none of that id.
        """
        with self._changed:
            if id not in self._entries:
                raise SettingError(f"there is no recording {id[:80]!r}; list the recordings to see which there are.")
            return self._entries[id]

    def result(self, id: str) -> Result:
        """What was found in a recording.

        Raises
        ------
        SettingError
            If there is none of that id.
        DataError
            If it is not analysed.
        """
        return load_result(self._analysed_folder(id) / RESULT)

    def report(self, id: str) -> Path:
        """The page about a recording.

        Raises
        ------
        SettingError
            If there is none of that id.
        DataError
            If it is not analysed.
        """
        return self._analysed_folder(id) / RESULT / REPORT

    def _analysed_folder(self, id: str) -> Path:
        entry = self.entry(id)
        if not entry.is_analysed:
            why = entry.error or "wait until it is"
            raise DataError(f"the recording {entry.name!r} is not analysed; {why.rstrip('.')}.")
        return self._folder / entry.id

    # What is ordered

    def check_room(self, key: int | None = None) -> None:
        """Check that another upload may come, or more of one.

        Parameters
        ----------
        key : int or None
            Id of the key with which it comes.

        Raises
        ------
        StorageError
            If there is no room on a disk, or there are too many recordings: in all, or of this key.
        """
        self._check_disk()
        with self._changed:
            entries = list(self._entries.values())
        for whose, share in ((entries, 1.0), ([one for one in entries if one.key == key], SHARE_OF_KEY)):
            what = "there are" if share == 1.0 else "with this key there are"
            if len(whose) >= share * MOST_RECORDINGS:
                raise StorageError(f"{what} {len(whose)} recordings already; delete some first.")
            if sum(one.size_bytes for one in whose) >= share * self._most_bytes:
                raise StorageError(
                    f"{what} recordings of {share * self._most_bytes / 1e9:g} GB already; delete some first."
                )

    def add(
        self,
        files: Sequence[Upload],
        sampling_rate_hz: float | None = None,
        unit: str | None = None,
        key: int | None = None,
    ) -> StoredRecording:
        """Keep the files of a recording, and have it analysed.

        Parameters
        ----------
        files : sequence of Upload
        sampling_rate_hz, unit : optional
            For files that do not say.
        key : int or None
            Id of the key with which they were uploaded.

        Raises
        ------
        DataError
            If these are not the files of one recording, or too large.
        StorageError
            If there is no room.
        """
        layout = layout_of([file.name for file in files])
        entry = StoredRecording(
            secrets.token_hex(8), layout.title, self._clock(), layout.main, sampling_rate_hz, unit, key=key
        )
        return self._keep(entry, dict(zip(layout.names, (file.content for file in files), strict=True)))

    def add_builtin(self, name: str, key: int | None = None) -> StoredRecording:
        """Have a recording analysed that this machine has, as if its files had been uploaded.

        Parameters
        ----------
        name : str
            One of `ectopy.datasets.builtin_recordings.builtin_names`.
        key : int or None
            Id of the key with which it was chosen.

        Raises
        ------
        SettingError
            If there is none of that name.
        StorageError
            If there is no room.
        """
        if name not in builtin_names():
            raise SettingError(f"this machine has no recording {name[:80]!r}; list the names to see which there are.")
        return self._keep(StoredRecording(secrets.token_hex(8), name, self._clock(), name, named=True, key=key), {})

    def _keep(self, entry: StoredRecording, files: Mapping[str, BinaryIO]) -> StoredRecording:
        self.check_room(entry.key)
        unfinished = self._folder / f"{_UNFINISHED}{entry.id}"
        try:
            (unfinished / FILES).mkdir(parents=True)
            room = self._largest
            for name, content in files.items():
                room = self._copy(content, unfinished / FILES / name, room)
            entry = replace(entry, size_bytes=self._largest - room)
            _write(unfinished, entry)
            unfinished.rename(self._folder / entry.id)
        except OSError as error:
            raise StorageError(f"the recording cannot be kept: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        with self._changed:
            self._entries[entry.id] = entry
            self._changed.notify_all()
        return entry

    def delete(self, id: str) -> None:
        """Delete a recording and all that was found in it.

        Raises
        ------
        SettingError
            If there is none of that id.
        """
        entry = self.entry(id)
        with self._changed:
            self._entries.pop(id, None)
            if self._process is not None and self._process[0] == id:
                self._end_process()
        gone = self._folder / f"{_UNFINISHED}{entry.id}"
        with suppress(OSError):  # two at the same time delete it once
            (self._folder / entry.id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def apply_retention(self, older_than: float | None = None, larger_than_bytes: int | None = None) -> int:
        """Delete the oldest recordings, and what was found in them; how many.

        One that waits or is being analysed stays.

        Parameters
        ----------
        older_than : float or None
            Seconds since 1970.
        larger_than_bytes : int or None
            Of all together.
        """
        finished = [entry for entry in self.entries() if entry.status in (Status.DONE, Status.FAILED)]
        gone = {entry.id for entry in finished if older_than is not None and entry.added < older_than}
        if larger_than_bytes is not None:
            excess = sum(_size(self._folder / entry.id) for entry in self.entries() if entry.id not in gone)
            for entry in reversed(finished):
                if excess <= larger_than_bytes:
                    break
                if entry.id not in gone:
                    gone.add(entry.id)
                    excess -= _size(self._folder / entry.id)
        for id in gone:
            with suppress(SettingError):  # somebody has deleted it meanwhile
                self.delete(id)
        return len(gone)

    def _copy(self, source: BinaryIO, target: Path, room: int) -> int:
        """Copy a file; how much room is left."""
        with target.open("xb") as file:
            while block := source.read(_BLOCK):
                room -= len(block)
                if room < 0:
                    raise DataError(f"an upload has at most {self._largest / 2**20:.0f} MiB; split the recording.")
                self._check_disk()
                file.write(block)
        return room

    def _check_disk(self) -> None:
        """Check the disk of the recordings, and that on which uploads lie while they come."""
        if min(shutil.disk_usage(folder).free for folder in (self._folder, tempfile.gettempdir())) < SPARE_BYTES:
            raise StorageError("the disk is nearly full; make room first.")

    # Analysis

    def _go_on(self, folder: Path) -> None:
        """Know what an earlier process has left."""
        try:
            entry = read_stored(folder)
        except (OSError, msgspec.DecodeError):
            _log.exception("a recording cannot be read, and is left alone")
            return
        if entry.status is Status.ANALYSING:
            entry = replace(entry, status=Status.WAITING, progress=0.0)
        if not entry.size_bytes:
            entry = replace(entry, size_bytes=size_of(folder))
        self._entries[entry.id] = entry

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            try:
                self._analyse(entry)
            except Exception:
                _log.exception("a recording could not be analysed")
                self._set(entry.id, status=Status.FAILED, error="the recording cannot be analysed now.")

    def _next(self) -> StoredRecording | None:
        """The recording that has waited longest; None at the end."""
        with self._changed:
            while not self._stopping:
                waiting = [entry for entry in self._entries.values() if entry.status is Status.WAITING]
                if waiting:
                    return min(waiting, key=lambda entry: (entry.added, entry.id))
                self._changed.wait()
        return None

    def _analyse(self, entry: StoredRecording) -> None:
        folder = self._folder / entry.id
        self._set(entry.id, status=Status.ANALYSING, progress=0.0)
        for left in (f"{RESULT}.part", RESULT):
            shutil.rmtree(folder / left, ignore_errors=True)
        command = [sys.executable, "-m", "ectopy.service.recordings.worker", str(folder)]
        with subprocess.Popen(
            command, env=os.environ | ONE_THREAD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            with self._changed:
                self._process = entry.id, process
                if self._stopping or entry.id not in self._entries:
                    self._end_process()
            limit = threading.Timer(self._limit_s, process.kill)
            limit.start()
            error = self._listen(entry.id, process)
            limit.cancel()
        with self._changed:
            self._process = None
            if self._stopping:
                return
        if not error and not (folder / RESULT).is_dir():
            error = (
                "the analysis has ended early; the recording is damaged, too large for this machine, "
                f"or takes more than {self._limit_s:g} s."
            )
        if error:
            self._set(entry.id, status=Status.FAILED, error=error)
        else:
            self._set(entry.id, status=Status.DONE, progress=1.0, size_bytes=size_of(folder))

    def _listen(self, id: str, process: subprocess.Popen[str]) -> str:
        """Note how far it is; what is wrong in the end."""
        error = ""
        for line in process.stdout or ():
            words = json.loads(line)
            error = words.get("error", error)
            with self._changed:
                if id in self._entries and "progress" in words:
                    self._entries[id] = replace(self._entries[id], progress=words["progress"])
        return error

    def _set(self, id: str, **changes: object) -> None:
        with self._changed:
            if id in self._entries:
                entry = self._entries[id] = replace(self._entries[id], **changes)  # type: ignore[arg-type]
                try:
                    _write(self._folder / id, entry)
                except (OutputError, OSError):
                    _log.exception("how far a recording is cannot be noted; the next start analyses it anew")

    def _end_process(self) -> None:
        if self._process is not None:
            self._process[1].kill()


def _size(folder: Path) -> int:
    """Bytes of the files in a folder; one that goes meanwhile counts nothing."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.lstat()
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return size


def _write(folder: Path, entry: StoredRecording) -> None:
    write_text(folder / _ENTRY, msgspec.json.encode(entry).decode())
