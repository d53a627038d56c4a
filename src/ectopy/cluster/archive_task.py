"""What a worker of Spark does with one recording of an archive: analyse it, and stage its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from pyspark import TaskContext

from ectopy.analysis.recording_findings import Findings, find_all
from ectopy.analysis.shipped_detector import load_detector
from ectopy.cluster.archive_folder import ArchiveFolder
from ectopy.cluster.archive_tables import FAILED, Source, failure_rows, finding_rows
from ectopy.detector import Detector
from ectopy.errors import EctopyError, short_text
from ectopy.files import GENERATOR
from ectopy.formats import read
from ectopy.processes import share_cores


@dataclass(frozen=True, slots=True)
class ArchiveTask:
    """The analysis of one recording, as it goes to the workers.

    Attributes
    ----------
    folder : ArchiveFolder
    detector_digest : str
    has_reports : bool
    last_attempt : int
        Number of the attempt, from 0, with which Spark gives up a task. It does not analyse: a recording that has ended
        the processes before it would end this one too, and the whole run with it.
    generator : str
        Version of Ectopy that the driver has, and the workers must have.
    """

    folder: ArchiveFolder
    detector_digest: str
    has_reports: bool
    last_attempt: int
    generator: str = GENERATOR

    def key(self, source: Source) -> str:
        """Return the name under which a recording is staged: of its path, the state of its files, and what is made."""
        return f"{path_key(source)}-{source.fingerprint[:32]}{'-page' if self.has_reports else ''}"

    def run(self, source: Source, bundle: bytes, attempt: int) -> str:
        """Analyse a recording and stage its rows, or the reason that there are none; return its status.

        Raises
        ------
        OutputError
            If nothing can be written.
        EctopyError
            If this worker has another version of Ectopy.
        """
        if self.generator != GENERATOR:
            raise EctopyError(f"a worker has {GENERATOR} and the driver {self.generator}; install one version on all.")
        tables = self._analyse(source, bundle, attempt)
        self.folder.stage(self.key(source), tables)
        return str(tables["recordings"]["status"][0].as_py())

    def _analyse(self, source: Source, bundle: bytes, attempt: int) -> dict[str, Any]:
        if 0 < self.last_attempt <= attempt:
            reason = f"{source.path} ended the process that analysed it {attempt} times; it may need more memory."
            return failure_rows(source, reason, self.detector_digest, datetime.now(UTC))
        try:
            findings = find_all(read(source.location), _detector(self.detector_digest, bundle))
            page = self._draw(source, findings) if self.has_reports else None
        except EctopyError as error:
            return failure_rows(source, str(error), self.detector_digest, datetime.now(UTC))
        except MemoryError:
            reason = f"{source.path} does not fit into the memory of a worker; split it, or give workers more."
            return failure_rows(source, reason, self.detector_digest, datetime.now(UTC))
        except Exception as error:  # one recording that nobody foresaw does not stop a million others
            reason = f"{source.path} cannot be analysed: {type(error).__name__}: {short_text(error)}."
            return failure_rows(source, reason, self.detector_digest, datetime.now(UTC))
        report = None if page is None else self.folder.write_report(self._page_name(source), page)
        return finding_rows(source, findings, self.detector_digest, datetime.now(UTC), report)

    def _draw(self, source: Source, findings: Findings) -> bytes:
        from ectopy.report.recording_page import recording_report

        with TemporaryDirectory(prefix="ectopy-") as folder:
            page = Path(folder) / "page.html"
            recording_report(page, findings.recording, findings.analysis, findings.events, minutes=findings.minutes)
            return page.read_bytes()

    def _page_name(self, source: Source) -> str:
        """A name that people recognise, and that no other recording has."""
        return f"{PurePosixPath(source.path).stem}-{path_key(source)[:8]}.html"


def path_key(source: Source) -> str:
    """Return the part of keys that a recording has whatever the state of its files."""
    return sha256(source.path.encode()).hexdigest()[:32]


def run_in_worker(task: ArchiveTask, bundle: Any, completed: Any, failed: Any, source: Source) -> None:
    """Run a task on a worker of Spark, with the broadcast bundle, and count it in Spark's accumulators."""
    share_cores()
    context = TaskContext.get()
    status = task.run(source, bundle.value, 0 if context is None else context.attemptNumber())
    completed.add(1)
    if status == FAILED:
        failed.add(1)


@lru_cache(maxsize=1)
def _detector(digest: str, bundle: bytes) -> Detector:
    """Load the detector once in each worker process."""
    with TemporaryDirectory(prefix="ectopy-") as folder:
        path = Path(folder) / f"{digest}.ectopy"
        path.write_bytes(bundle)
        return load_detector(str(path))
