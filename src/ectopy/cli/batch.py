"""Analyses recordings, several at a time; a bad one does not stop the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ectopy.analysis.patient_template import LEARNING_S, PatientTemplate
from ectopy.analysis.recording_findings import Findings, find_all
from ectopy.analysis.recording_results import RESULT_KINDS, check_results, write_results
from ectopy.analysis.shipped_detector import digest, load_detector
from ectopy.analysis.wave_intervals import measure_waves
from ectopy.arguments import Progress
from ectopy.cli.output_files import require_this_machine
from ectopy.errors import DataError, EctopyError, SettingError
from ectopy.files import check_writable, make_folder, write_text
from ectopy.formats import read
from ectopy.formats.leads import unique_names
from ectopy.presentation import short_repr
from ectopy.processes import in_processes
from ectopy.report.report_style import ReportStyle
from ectopy.signal import FilterSettings
from ectopy.signal.filter_process import LEAST_VALUES, process_ahead

FHIR_SUFFIX = ".fhir.json"
"""Results that are written as a Bundle of FHIR."""
_FILE_SUFFIXES = (*RESULT_KINDS, ".html", ".htm", ".pdf")


@dataclass(frozen=True, slots=True)
class Job:
    """A recording, the bundle (a path, or ``"ambulatory"``) that judges it, and the results to make from it.

    `results` and `report` are files to write, and `sampling_rate_hz` and `unit` are for files that do not state them.
    `baseline` is a saved baseline to use, and `save_baseline` the file for this patient's. `corrections` are applied to
    the analysis. `report_style` is how the report looks.
    """

    __repr__ = short_repr

    recording: Path
    bundle: str
    results: Path | None = None
    report: Path | None = None
    sampling_rate_hz: float | None = None
    unit: str | None = None
    target_fpr: float | None = None
    filters: FilterSettings | None = None
    learning_s: float = LEARNING_S
    baseline: Path | None = None
    save_baseline: Path | None = None
    partial: bool = False
    waves: bool = False
    corrections: Path | None = None
    report_style: ReportStyle | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a job: a summary, or one sentence on the error."""

    __repr__ = short_repr

    job: Job
    summary: dict[str, Any] | None
    error: str | None


def expand_jobs(
    job: Job, recordings: Sequence[Path], results: Path | None, report: Path | None, report_suffix: str = ".html"
) -> list[Job]:
    """Copy a job for each recording; results and reports of several go into folders, named after the recordings.

    Those of one recording do, too, where the folder exists. A second recording with the name ``100`` has the results
    ``100-2.csv``. The suffix of reports in a folder is `report_suffix`.

    Raises
    ------
    SettingError
        If results are asked for as a file of a kind that cannot be written, or one baseline for several patients.
    OutputError
        If a file or folder cannot be written.
    """
    for path in filter(None, (results, report, job.save_baseline)):
        require_this_machine(path)
    if len(recordings) == 1:
        name = recordings[0].stem
        if results is not None:
            results = results / f"{name}.csv" if results.is_dir() else results
            check_results(results)
            if results.name.endswith(FHIR_SUFFIX):
                import ectopy.service.interop.fhir_recording  # noqa: F401 - what is missing is told before the work
        if report is not None and report.is_dir():
            report = report / f"{name}{report_suffix}"
        for path in filter(None, (results, report, job.save_baseline)):
            check_writable(path)
        return [replace(job, recording=recordings[0], results=results, report=report)]
    if job.baseline is not None or job.save_baseline is not None:
        raise SettingError("a baseline belongs to one patient; name one recording at a time.")
    if job.corrections is not None:
        raise SettingError("corrections belong to one recording; name one at a time.")
    for folder in filter(None, (results, report)):
        if folder.suffix.lower() in _FILE_SUFFIXES and not folder.is_dir():
            raise SettingError(
                f"what is written of several recordings goes into a folder, and '{folder}' names a file."
            )
        make_folder(folder)
    names = unique_names([recording.stem for recording in recordings], "-")
    return [
        replace(
            job,
            recording=recording,
            results=results / f"{name}.csv" if results is not None else None,
            report=report / f"{name}{report_suffix}" if report is not None else None,
        )
        for recording, name in zip(recordings, names, strict=True)
    ]


def run(job: Job) -> Outcome:
    """Analyse one recording and write the results; an expected error becomes part of the outcome."""
    with process_ahead() if _is_large(job.recording) else nullcontext():
        return _run(job)


def _is_large(path: Path) -> bool:
    """Return whether a file may hold so many samples that two processes read them."""
    return path.is_file() and path.stat().st_size >= LEAST_VALUES


def _run(job: Job) -> Outcome:
    try:
        recording = read(job.recording, sampling_rate_hz=job.sampling_rate_hz, unit=job.unit, partial=job.partial)
        normal = None if job.baseline is None else PatientTemplate.load(job.baseline)
        detector, detector_digest = load_detector(job.bundle, job.target_fpr), digest(job.bundle)
        findings = find_all(
            recording,
            detector,
            normal=normal,
            filters=job.filters,
            learning_s=job.learning_s,
            corrections=job.corrections,
        )
        if job.results is not None:
            _write_results(job, job.results, findings, detector_digest)
        if job.report is not None:
            from ectopy.report.recording_page import recording_report

            recording_report(
                job.report,
                recording,
                findings.analysis,
                findings.events,
                job.filters,
                minutes=findings.minutes,
                corrections=findings.corrections,
                style=job.report_style,
                figures=findings.holter,
            )
        if job.save_baseline is not None:
            if findings.analysis.normal is None:
                raise DataError(f"{job.recording}: {findings.analysis.baseline}")
            findings.analysis.normal.save(job.save_baseline)
        return Outcome(job, findings.figures(detector_digest), None)
    except EctopyError as error:
        return Outcome(job, None, str(error))


def _write_results(job: Job, results: Path, findings: Findings, detector_digest: str) -> None:
    recording, analysis = findings.recording, findings.analysis
    if results.name.endswith(FHIR_SUFFIX):
        from ectopy.service.interop.fhir_recording import recording_bundle

        conclusion = findings.corrections.conclusion if findings.corrections else ""
        bundle = recording_bundle(recording, analysis, findings.events, conclusion)
        write_text(results, json.dumps(bundle, indent=1) + "\n")
        return
    measured = measure_waves(recording, analysis, job.filters) if job.waves else None
    write_results(
        results,
        recording,
        analysis,
        findings.events,
        detector_digest,
        measured=measured,
        minutes=findings.minutes,
        corrections=findings.corrections,
    )


def run_all(jobs: Sequence[Job], progress: Progress) -> list[Outcome]:
    """Run jobs, one worker per core where there are several; outcomes in the order of the jobs."""
    outcomes: dict[int, Outcome] = {}
    for row, outcome in in_processes(run, jobs):
        outcomes[row] = outcome
        progress(len(outcomes), len(jobs), outcome.job.recording.name)
    return [outcomes[row] for row in range(len(jobs))]
