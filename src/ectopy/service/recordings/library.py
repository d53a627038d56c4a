"""The library of recordings: their files, their analyses one after the other, and the results."""

from __future__ import annotations

import json
import logging
import re
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from ectopy.analysis.corrections import Correction, Corrections, undo
from ectopy.datasets.builtin_recordings import builtin_names
from ectopy.errors import DataError, NotFoundError, OutputError, SettingError, StorageError
from ectopy.files import make_folder
from ectopy.service.recordings.result import EarlierResultError, Result, ResultVersion
from ectopy.service.recordings.stored_corrections import (
    check_author,
    check_room,
    check_version,
    corrections_path,
    save_corrections,
    superseded_corrections,
)
from ectopy.service.recordings.stored_recording import (
    FILES,
    NEW_RESULT,
    RESULT,
    Status,
    StoredRecording,
    read_result,
    read_stored,
    report_name,
    require_free_disk,
    size_of,
    write_stored,
)
from ectopy.service.recordings.uploads import Upload, layout_of
from ectopy.service.recordings.worker_processes import WorkerProcesses

MOST_RECORDINGS = 500
LARGEST_UPLOAD = 512 * 2**20
MOST_BYTES = 20 * 10**9
SHARE_OF_KEY = 0.5
"""Share of the number and the bytes of all recordings that one key may upload."""

TIME_LIMIT_S = 1800.0

_FORMER_RESULT = "former"
_DOCUMENTS = "documents"
_UNFINISHED = ".part-"
_ID = re.compile(r"[0-9a-f]{16}")
_BLOCK = 2**20
_MOST_LOADED = 4
_MOST_WAITING = 8
"""Requests that wait for a document at once."""

_log = logging.getLogger(__name__)


class Library:
    """Recordings in a folder. An analysis that the end of the process interrupts is repeated at the next start.

    Parameters
    ----------
    folder : Path
        Created if it does not exist; an `OutputError` if it cannot be created.
    largest_bytes, most_bytes : int
        Limits of one upload, and of all recordings with their results.
    time_limit_s : float
        Limit of one analysis.
    clock : callable
        Returns seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        largest_bytes: int = LARGEST_UPLOAD,
        time_limit_s: float = TIME_LIMIT_S,
        clock: Callable[[], float] = time.time,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._folder, self._largest, self._clock = folder, largest_bytes, clock
        self._most_bytes = most_bytes
        make_folder(folder)
        self._changed = threading.Condition()
        self._entries: dict[str, StoredRecording] = {}
        self._stopping = False
        self._workers = WorkerProcesses(time_limit_s)
        self._analysing: tuple[str, subprocess.Popen[str]] | None = None
        self._loading = threading.Lock()
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._correcting, self._writing = threading.Lock(), threading.Lock()
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        for path in folder.iterdir():
            if path.name.startswith(_UNFINISHED):
                shutil.rmtree(path, ignore_errors=True)
            elif _ID.fullmatch(path.name):
                self._load(path)

    def start(self) -> None:
        """Start the thread that runs the analyses."""
        self._thread.start()

    def stop(self) -> None:
        """End at once; an unfinished analysis is repeated at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._workers.stop()
        if self._thread.is_alive():
            self._thread.join()

    # Queries

    def entries(self) -> list[StoredRecording]:
        """Return all recordings, the newest first."""
        with self._changed:
            return sorted(self._entries.values(), key=lambda entry: (-entry.added, entry.id))

    def entry(self, id: str) -> StoredRecording:
        """Return one recording; a `NotFoundError` if there is none with this id."""
        with self._changed:
            if id not in self._entries:
                raise NotFoundError(f"there is no recording {id[:80]!r}; list the recordings to see which there are.")
            return self._entries[id]

    def result(self, id: str) -> Result:
        """Return the corrected result of a recording.

        A `DataError` if there is no recording with this id, no result, or one of an earlier version of Ectopy.
        """
        with self._loading:
            folder = self._analysed_folder(id)
            if id not in self._results:
                try:
                    self._results[id] = read_result(folder)
                except EarlierResultError as error:
                    if self.entry(id).status is Status.ANALYSED:
                        self._set(id, status=Status.FAILED, error=str(error), analyses=0)
                    raise
            self._results.move_to_end(id)
            if len(self._results) > _MOST_LOADED:
                self._results.popitem(last=False)
            return self._results[id]

    def superseded_corrections(self, id: str) -> list[Corrections]:
        """Return the corrections of earlier analyses of a recording; errors as in `result`."""
        return superseded_corrections(self._analysed_folder(id), self.result(id).version.analysis)

    def corrections_file(self, id: str) -> Path:
        """Return the file of the corrections of a recording, for `Corrections.load`; errors as in `result`."""
        corrections = self.result(id).corrections
        path = corrections_path(self._folder / id, corrections.analysis_digest)
        if not path.exists():
            save_corrections(self._folder / id, corrections)
        return path

    def document(self, id: str, name: str) -> Path:
        """Return the report or the results of a corrected recording as a file, which is written when it is first asked.

        Parameters
        ----------
        id : str
        name : str
            From `report_name`, or one of `RESULT_NAMES`.

        Raises
        ------
        DataError
            If there is no recording with this id, or no result.
        StorageError
            If it cannot be written, or others wait for theirs.
        """
        folder, (digest, version) = self._folder / id, self.result(id).version
        if name == report_name() and not version:
            return folder / RESULT / name  # written with the analysis
        documents = folder / _DOCUMENTS / f"{digest}-{version}"
        if not (documents / name).exists():
            # Whoever waits for one keeps a thread, of which other requests need some.
            if not self._waiting.acquire(blocking=False):
                raise StorageError("reports and results of other recordings are being written; try again.")
            try:
                with self._writing:
                    if not (documents / name).exists():
                        self._write_document(folder, documents, name, version)
                        self._set(id, size_bytes=size_of(folder))
            finally:
                self._waiting.release()
        return documents / name

    def _write_document(self, folder: Path, documents: Path, name: str, version: int) -> None:
        try:
            documents.parent.mkdir(exist_ok=True)
            documents.mkdir(exist_ok=True)
            # Those before the last ones, which may still be read.
            for older in sorted(documents.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns)[:-2]:
                shutil.rmtree(older, ignore_errors=True)
        except OSError as problem:
            self.entry(folder.name)
            raise StorageError(f"the document cannot be written: {problem.strerror or problem}.") from problem
        with self._workers.start(folder, str(documents / name), str(version)) as process:
            error = self._listen("", process)
        if error or not (documents / name).exists():
            self.entry(folder.name)  # it may have been deleted meanwhile
            raise StorageError(
                error or f"the document takes more than {self._workers.limit_s:g} s, or too much memory."
            )

    def _analysed_folder(self, id: str) -> Path:
        entry = self.entry(id)
        if not entry.is_analysed:
            why = entry.error or "wait until it is"
            raise DataError(f"the recording {entry.name!r} is not analysed; {why.rstrip('.')}.")
        return self._folder / entry.id

    # Changes

    def check_room(self, key: int | None = None) -> None:
        """Check that there is room for another upload, or for more of one.

        A `StorageError` if a disk is full, or there are too many recordings: in all, or of this key.
        """
        self._check_disk()
        with self._changed:
            entries = list(self._entries.values())
        own = [entry for entry in entries if entry.key == key]
        for recordings, share, subject in ((entries, 1.0, "there are"), (own, SHARE_OF_KEY, "with this key there are")):
            if len(recordings) >= share * MOST_RECORDINGS:
                raise StorageError(f"{subject} {len(recordings)} recordings already; delete some first.")
            limit = share * self._most_bytes
            if sum(entry.size_bytes for entry in recordings) >= limit:
                raise StorageError(f"{subject} recordings of {limit / 1e9:g} GB already; delete some first.")

    def add(
        self,
        files: Sequence[Upload],
        sampling_rate_hz: float | None = None,
        unit: str | None = None,
        key: int | None = None,
    ) -> StoredRecording:
        """Store the files of a recording, and queue it for analysis; see `StoredRecording`.

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
        return self._store(entry, dict(zip(layout.names, (file.content for file in files), strict=True)))

    def add_builtin(self, name: str, key: int | None = None) -> StoredRecording:
        """Queue a built-in recording for analysis, as if its files had been uploaded.

        Raises
        ------
        SettingError
            If `name` is not one of `ectopy.datasets.builtin_recordings.builtin_names`.
        StorageError
            If there is no room.
        """
        if name not in builtin_names():
            raise SettingError(f"this machine has no recording {name[:80]!r}; list the names to see which there are.")
        return self._store(StoredRecording(secrets.token_hex(8), name, self._clock(), name, named=True, key=key), {})

    def _store(self, entry: StoredRecording, files: Mapping[str, BinaryIO]) -> StoredRecording:
        self.check_room(entry.key)
        unfinished = self._folder / f"{_UNFINISHED}{entry.id}"
        try:
            (unfinished / FILES).mkdir(parents=True)
            room = self._largest
            for name, content in files.items():
                room = self._copy(content, unfinished / FILES / name, room)
            entry = replace(entry, size_bytes=self._largest - room)
            write_stored(unfinished, entry)
            unfinished.rename(self._folder / entry.id)
        except OSError as error:
            raise StorageError(f"the recording cannot be stored: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        with self._changed:
            self._entries[entry.id] = entry
            self._changed.notify_all()
        return entry

    def correct(self, id: str, version: ResultVersion, by: str, correction: Callable[[Result], Correction]) -> Result:
        """Append a correction, and return the corrected result.

        Parameters
        ----------
        id : str
        version : ResultVersion
            The newest one that the person has seen who corrects.
        by : str
            Name of the person.
        correction : callable
            Makes the correction from the result that it is made on.

        Raises
        ------
        DataError
            If there is no recording with this id, or no result; if the correction cannot be applied, or has no room.
        ConflictError
            If the person has not seen the newest state: nothing is changed.
        """

        def append(result: Result, at: datetime) -> Corrections:
            newest = correction(result)
            check_room(result.corrections, newest)
            return result.corrections.followed_by(newest, by, at)

        return self._change_corrections(id, version, append)

    def undo(self, id: str, version: ResultVersion, by: str, author: str) -> Result:
        """Take back the last correction that is in force, if it is of this author; return the result, see `correct`."""

        def take_back(result: Result, at: datetime) -> Corrections:
            check_author(result, author)
            return undo(result.corrections, by, at)

        return self._change_corrections(id, version, take_back)

    def _change_corrections(
        self, id: str, version: ResultVersion, change: Callable[[Result, datetime], Corrections]
    ) -> Result:
        with self._correcting:
            result = self.result(id)
            check_version(result, version)
            corrections = change(result, datetime.fromtimestamp(self._clock(), UTC))
            corrected = result.corrected(corrections)
            save_corrections(self._folder / id, corrections)
            with self._loading:
                # Unless it is being analysed again.
                if self._results.get(id) is result:
                    self._results[id] = corrected
        return corrected

    def analyse_again(self, id: str) -> StoredRecording:
        """Queue a recording for another analysis, which replaces its result when it is done.

        Nothing is changed where one waits, or is running.

        Raises
        ------
        NotFoundError
            If there is none with this id.
        """
        with self._changed:
            entry = self.entry(id)
            if entry.status in (Status.ANALYSED, Status.FAILED):
                analyses = max(entry.analyses, int(entry.is_analysed))
                self._set(id, status=Status.WAITING, progress=0.0, error="", analyses=analyses)
                self._changed.notify_all()
            return self._entries[id]

    def delete(self, id: str) -> None:
        """Delete a recording and its result; a `NotFoundError` if there is none with this id."""
        entry = self.entry(id)
        with self._changed:
            self._entries.pop(id, None)
            if self._analysing is not None and self._analysing[0] == id:
                self._analysing[1].kill()
        with self._loading:
            self._results.pop(id, None)
        deleted = self._folder / f"{_UNFINISHED}{entry.id}"
        with suppress(OSError):  # another thread may delete it at the same time
            (self._folder / entry.id).rename(deleted)
        shutil.rmtree(deleted, ignore_errors=True)

    def apply_retention(self, older_than: float | None = None, larger_than_bytes: int | None = None) -> int:
        """Delete the oldest recordings with their results, and return their number.

        Recordings that wait for analysis, or are being analysed, stay. `older_than` is in seconds since 1970;
        `larger_than_bytes` is the limit of all together.
        """
        finished = [entry for entry in self.entries() if entry.status in (Status.ANALYSED, Status.FAILED)]
        outdated = {entry.id for entry in finished if older_than is not None and entry.added < older_than}
        if larger_than_bytes is not None:
            excess = sum(size_of(self._folder / entry.id) for entry in self.entries() if entry.id not in outdated)
            for entry in reversed(finished):
                if excess <= larger_than_bytes:
                    break
                if entry.id not in outdated:
                    outdated.add(entry.id)
                    excess -= size_of(self._folder / entry.id)
        for id in outdated:
            with suppress(NotFoundError):  # another thread may have deleted it
                self.delete(id)
        return len(outdated)

    def _copy(self, source: BinaryIO, target: Path, room: int) -> int:
        """Copy a file, and return the remaining room."""
        with target.open("xb") as file:
            while block := source.read(_BLOCK):
                room -= len(block)
                if room < 0:
                    raise DataError(f"an upload has at most {self._largest / 2**20:.0f} MiB; split the recording.")
                self._check_disk()
                file.write(block)
        return room

    def _check_disk(self) -> None:
        """Check the disk of the recordings, and that of unfinished uploads."""
        for folder in (self._folder, tempfile.gettempdir()):
            require_free_disk(folder)

    # Analysis

    def _load(self, folder: Path) -> None:
        """Load the entry of an earlier process."""
        try:
            entry = read_stored(folder)
        except (OSError, msgspec.DecodeError):
            _log.exception("a recording cannot be read, and is left alone")
            return
        if entry.status is Status.ANALYSING:
            entry = replace(entry, status=Status.WAITING, progress=0.0)
        if not entry.size_bytes:
            entry = replace(entry, size_bytes=size_of(folder))
        # The process ended while a new result took the place of the former one.
        if (folder / _FORMER_RESULT).is_dir() and not (folder / RESULT).exists():
            (folder / _FORMER_RESULT).rename(folder / RESULT)
        self._entries[entry.id] = entry

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            try:
                self._analyse(entry)
            except Exception:
                _log.exception("a recording could not be analysed")
                self._fail(entry, "the recording cannot be analysed now.")

    def _next(self) -> StoredRecording | None:
        """Wait for a recording and return the oldest; None at the end."""
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
        for unfinished in (f"{RESULT}.part", NEW_RESULT, _FORMER_RESULT):
            shutil.rmtree(folder / unfinished, ignore_errors=True)
        with self._workers.start(folder) as process:
            with self._changed:
                self._analysing = entry.id, process
                if entry.id not in self._entries:
                    process.kill()
            error = self._listen(entry.id, process)
        with self._changed:
            self._analysing = None
            if self._stopping:
                return
        if not error and not (folder / NEW_RESULT).is_dir():
            error = (
                "the analysis has ended early; the recording is damaged, too large for this machine, "
                f"or takes more than {self._workers.limit_s:g} s."
            )
        if not error:
            self._replace_result(folder)
            analyses, size = entry.analyses + 1, size_of(folder)
            self._set(entry.id, status=Status.ANALYSED, progress=1.0, analyses=analyses, size_bytes=size)
        else:
            self._fail(entry, error)

    def _fail(self, entry: StoredRecording, error: str) -> None:
        """Note why an analysis has failed; a result of an earlier one stays."""
        if entry.analyses:
            error = f"it could not be analysed again, and the analysis before is kept: {error}"
        status = Status.ANALYSED if entry.analyses else Status.FAILED
        self._set(entry.id, status=status, progress=1.0, error=error)

    def _replace_result(self, folder: Path) -> None:
        """Put the new result of a recording in the place of the former one, and delete what was written from that."""
        with self._writing, self._correcting, self._loading:
            if (folder / RESULT).exists():
                (folder / RESULT).rename(folder / _FORMER_RESULT)
            (folder / NEW_RESULT).rename(folder / RESULT)
            self._results.pop(folder.name, None)
            for former in (_FORMER_RESULT, _DOCUMENTS):
                shutil.rmtree(folder / former, ignore_errors=True)

    def _listen(self, id: str, process: subprocess.Popen[str]) -> str:
        """Note the progress of an analysis, and return its error."""
        error = ""
        for line in process.stdout or ():
            facts = json.loads(line)
            error = facts.get("error", error)
            with self._changed:
                if id in self._entries and "progress" in facts:
                    self._entries[id] = replace(self._entries[id], progress=facts["progress"])
        return error

    def _set(self, id: str, **changes: object) -> None:
        with self._changed:
            if id in self._entries:
                entry = self._entries[id] = replace(self._entries[id], **changes)  # type: ignore[arg-type]
                try:
                    write_stored(self._folder / id, entry)
                except (OutputError, OSError):
                    _log.exception("the state of a recording cannot be stored; the next start analyses it again")
