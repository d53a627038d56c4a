"""Analyse an archive of recordings on Spark: one task for each recording, tables of results, from where it stopped."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from ectopy.analysis.shipped_detector import SHIPPED, bundle_bytes, digest, load_detector
from ectopy.cluster.archive_folder import ArchiveFolder, PublishedRecording
from ectopy.cluster.archive_sources import find_sources
from ectopy.cluster.archive_tables import Source
from ectopy.cluster.archive_task import ArchiveTask, path_key, run_in_worker
from ectopy.errors import EctopyError, OutputError, SettingError, short_text
from ectopy.presentation import short_repr
from ectopy.report import require_extra

MOST_RECORDINGS_OF_BATCH, MOST_BYTES_OF_BATCH = 5_000, 8 * 2**30
"""A batch, which is one partition of each table, ends with that many recordings, or bytes of them."""

_BATCHES_AT_ONCE = 2  # so that no core waits for the last recording of a batch
_LOCAL = re.compile(r"local(?:\[([^,\]]+)(?:,(\d+))?\])?")
_ATTEMPTS = 4
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class ArchiveProgress:
    """How far an archive is.

    Attributes
    ----------
    total, completed, failed : int
        Recordings in all, those that need nothing more, and those of this run that could not be analysed.
    completed_now : int
        Recordings of this run.
    elapsed_s : float
        Since this run began to analyse.
    """

    total: int
    completed: int
    failed: int
    completed_now: int
    elapsed_s: float

    @property
    def per_hour(self) -> float | None:
        """Return the recordings an hour of this run; None before the first one."""
        return 3600 * self.completed_now / self.elapsed_s if self.completed_now and self.elapsed_s > 0 else None

    @property
    def left_s(self) -> float | None:
        """Return the time that remains, at the rate until now; None before the first one."""
        return None if self.per_hour is None else 3600 * (self.total - self.completed) / self.per_hour


@dataclass(frozen=True, slots=True)
class ArchiveSummary:
    """The outcome of a run.

    Attributes
    ----------
    progress : ArchiveProgress
        At the end.
    failed : dict of str to str
        The reason why a recording could not be analysed, by its path; of all runs.
    """

    progress: ArchiveProgress
    failed: dict[str, str]


@dataclass(frozen=True, slots=True)
class Archive:
    """Recordings, and a folder that is ready for their tables; made by `prepare`.

    Attributes
    ----------
    sources : list of Source
    folder : ArchiveFolder
    bundle : bytes
        Content of the detector's file.
    detector_digest : str
    reports : bool
        Whether to write a page for each recording.
    """

    __repr__ = short_repr

    sources: list[Source]
    folder: ArchiveFolder
    bundle: bytes
    detector_digest: str
    reports: bool

    def analyse(self, spark: SparkSession, progress: Callable[[ArchiveProgress], None] | None = None) -> ArchiveSummary:
        """Analyse what the tables do not have yet; see `detect`."""
        with self.folder.locked():
            published = self.folder.published()
            task = ArchiveTask(self.folder, self.detector_digest, self.reports, _last_attempt(spark))
            run = _Run(spark, task, published, self.bundle, self.sources)
            run.complete(progress)
            recordings = self.folder.published()
        failed = {source.path: recordings[source.path].reason for source in self.sources}
        return ArchiveSummary(run.progress(), {path: reason for path, reason in failed.items() if reason is not None})


def prepare(
    paths: Sequence[str | Path], dest: str | Path, *, detector: str = SHIPPED, reports: bool = False
) -> Archive:
    """Find the recordings, and make the folder of the tables, or check it; arguments and errors as of `detect`."""
    if load_detector(detector).recordings is None:
        raise SettingError(f"{detector} is a detector of beats; an archive needs one for recordings, as 'ambulatory'.")
    if reports:
        require_extra()
    folder, detector_digest = ArchiveFolder.at(dest), digest(detector)
    sources = find_sources(paths)
    folder.open(detector_digest)
    return Archive(sources, folder, bundle_bytes(detector), detector_digest, reports)


def detect(
    spark: SparkSession,
    paths: Sequence[str | Path],
    dest: str | Path,
    *,
    detector: str = SHIPPED,
    reports: bool = False,
    progress: Callable[[ArchiveProgress], None] | None = None,
) -> ArchiveSummary:
    """Analyse recordings, and write tables of what is found; see `ectopy.cluster.archive_tables` for their schemas.

    What the tables have of recordings whose files have not changed stays; recordings that could not be analysed are
    tried again. A run that is killed loses the recordings that were being analysed, and nothing else.

    Parameters
    ----------
    spark : SparkSession
        Not of Spark Connect.
    paths : sequence of str or Path
        Files, folders, patterns, and places elsewhere (``s3://``, ``hdfs://``), which every worker can read.
    dest : str or Path
        Folder of the tables, which every worker can write; one run at a time.
    detector : str
        A bundle for recordings, or ``ambulatory``, the shipped one.
    reports : bool
        Whether to write a page for each recording.
    progress : callable, optional
        It is called about twice a second.

    Raises
    ------
    DataError, BundleError
        If there is no recording, or the detector cannot be used.
    SettingError
        If the detector takes beats and not recordings.
    MissingExtraError
        If the extra ``report`` is needed and not installed.
    OutputError
        If tables cannot be written at `dest`.
    EctopyError
        If Spark ends the run.
    """
    return prepare(paths, dest, detector=detector, reports=reports).analyse(spark, progress)


def tolerant_master(master: str) -> str:
    """Return the master, with four attempts for each task where it is this machine, on which Spark has one.

    Examples
    --------
    >>> tolerant_master("local[2]"), tolerant_master("spark://host:7077")
    ('local[2,4]', 'spark://host:7077')
    """
    match = _LOCAL.fullmatch(master)
    return f"local[{match[1] or 1},{match[2] or _ATTEMPTS}]" if match else master


class _Run:
    """One run: the recordings that need something, batch by batch."""

    def __init__(
        self,
        spark: SparkSession,
        task: ArchiveTask,
        published: Mapping[str, PublishedRecording],
        bundle: bytes,
        sources: Sequence[Source],
    ) -> None:
        self._context, self._task, self._published = spark.sparkContext, task, published
        self._bundle = self._context.broadcast(bundle)
        self._completed, self._failed = self._context.accumulator(0), self._context.accumulator(0)
        self._total = len(sources)
        self._pending = [source for source in sources if not self._is_finished(source)]
        self._staged = self._up_to_date(task.folder.staged(), sources)
        self._group = f"ectopy-{uuid.uuid4().hex}"
        self._publishing = Lock()
        self._start_s = time.monotonic()

    def complete(self, progress: Callable[[ArchiveProgress], None] | None) -> None:
        """Analyse and publish what is pending; an `EctopyError` if Spark ends it."""
        first = self._task.folder.next_batch()
        with ThreadPoolExecutor(_BATCHES_AT_ONCE, thread_name_prefix="archive") as pool:
            batches = {
                pool.submit(self._complete_batch, number, batch) for number, batch in enumerate(self._batches(), first)
            }
            try:
                while batches:
                    finished, batches = wait(batches, _POLL_S, FIRST_COMPLETED)
                    if progress is not None:
                        progress(self.progress())
                    for batch in finished:
                        batch.result()
            except BaseException as error:
                for batch in batches:
                    batch.cancel()
                self._context.cancelJobGroup(self._group)
                if isinstance(error, Py4JError):
                    raise _explained(error) from error
                raise

    def progress(self) -> ArchiveProgress:
        """Return how far the run is."""
        completed_now = self._completed.value
        completed = self._total - len(self._pending) + len(self._staged) + completed_now
        elapsed_s = time.monotonic() - self._start_s
        return ArchiveProgress(self._total, completed, self._failed.value, completed_now, elapsed_s)

    def _is_finished(self, source: Source) -> bool:
        """Whether the tables have the recording as it is now."""
        recording = self._published.get(source.path)
        return (
            recording is not None
            and recording.reason is None
            and recording.fingerprint == source.fingerprint
            and (recording.report is not None or not self._task.has_reports)
        )

    def _up_to_date(self, staged: set[str], sources: Sequence[Source]) -> set[str]:
        """Return the keys that are staged and pending, after those of files that have changed since are removed."""
        current = staged & {self._task.key(source) for source in self._pending}
        paths = {path_key(source) for source in sources}
        self._task.folder.discard({key for key in staged - current if key.partition("-")[0] in paths})
        return current

    def _batches(self) -> Iterator[list[Source]]:
        batch: list[Source] = []
        for source in self._pending:
            batch.append(source)
            size = sum(each.bytes for each in batch)
            if len(batch) == MOST_RECORDINGS_OF_BATCH or size >= MOST_BYTES_OF_BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _complete_batch(self, number: int, batch: Sequence[Source]) -> None:
        self._context.setJobGroup(self._group, f"Ectopy: batch {number}, {len(batch)} recordings", True)
        remaining = [source for source in batch if self._task.key(source) not in self._staged]
        if remaining:
            run = partial(run_in_worker, self._task, self._bundle, self._completed, self._failed)
            self._context.parallelize(remaining, len(remaining)).foreach(run)
        keys = [self._task.key(source) for source in batch]
        older = {source.path: self._published[source.path] for source in batch if source.path in self._published}
        publish = partial(self._task.folder.publish, keys=keys, older=older)
        with self._publishing:
            self._context.parallelize([number], 1).foreach(publish)


def _last_attempt(spark: SparkSession) -> int:
    context = spark.sparkContext
    if match := _LOCAL.fullmatch(str(context.master)):
        return int(match[2] or 1) - 1
    return int(context.getConf().get("spark.task.maxFailures", str(_ATTEMPTS)) or _ATTEMPTS) - 1


def _explained(error: Py4JError) -> EctopyError:
    """The error of a worker, or what Spark says of its own, in one sentence."""
    text = str(error)
    if worker := re.search(r"ectopy\.errors\.(\w+): ([^\n]+)", text):
        kind = OutputError if worker[1] == "OutputError" else EctopyError
        return kind(f"{worker[2].rstrip('.')}; start the same command again to go on.")
    reason = next((line for line in text.splitlines() if "SparkException" in line), text.splitlines()[0])
    return EctopyError(f"Spark ended the run: {short_text(reason).rstrip('.')}; start the same command again to go on.")
