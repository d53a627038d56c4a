"""Analyses one recording, or writes a document about it, in a process of its own, so that it harms no other.

Run with the folder of a recording, and for a document with its path and the version of the corrections; it prints its
progress line by line, and finally an error, if any. It ends with the process that started it, when its standard input
is closed.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ectopy.analysis import analyse
from ectopy.analysis.minute_waves import measure_minutes
from ectopy.analysis.recording_results import write_results
from ectopy.analysis.shipped_detector import ambulatory_digest, load_ambulatory
from ectopy.datasets.builtin_recordings import load_builtin
from ectopy.errors import DataError, EctopyError
from ectopy.formats import read
from ectopy.recording import Recording
from ectopy.report.recording_page import recording_report
from ectopy.service.recordings.result import load_result, save_result
from ectopy.service.recordings.stored_recording import (
    FILES,
    NEW_RESULT,
    RESULT,
    StoredRecording,
    read_result,
    read_stored,
    report_name,
    report_style,
    require_free_disk,
    size_of,
)

_NICE = 10
"""The monitors of patients come first."""

_LARGEST_FILE = 4 * 2**30
_SHARE_OF_MEMORY = 0.5

_VALUES_PER_BYTE, _MORE_VALUES = 8, 2**20
"""Limit of the values of a recording: so many for each byte of its files, and so many more."""

_RESULT_BYTES = 8
"""Upper limit for the size of the result and the report, for each value."""

_log = logging.getLogger(__name__)


def main() -> None:
    """Analyse the recording whose folder is the first argument, or write the document of the second one."""
    folder, *document = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _restrain()
    entry = read_stored(Path(folder))
    if document:
        path, version = document
        error = work(Path(folder), entry, lambda: write_document(Path(folder), Path(path), int(version)))
    else:
        error = work(Path(folder), entry)
    if error:
        _report(error=error)


def work(folder: Path, entry: StoredRecording, task: Callable[[], None] | None = None) -> str:
    """Analyse a recording, or do another task; return one sentence on what is wrong with it, or an empty string."""
    try:
        if task is None:
            _analyse(folder, entry)
        else:
            task()
    except EctopyError as error:
        # For the uploader the file has its original name.
        title = entry.main if entry.main.startswith(entry.name) else entry.name
        return str(error).replace(str(folder / FILES / entry.main), title).replace(f"{folder / FILES}{os.sep}", "")
    except (MemoryError, OSError) as error:
        _log.exception("a recording could not be analysed")
        why = error.strerror if isinstance(error, OSError) and error.strerror else "there is not enough memory"
        subject = "the recording cannot be analysed" if task is None else "the document cannot be written"
        return f"{subject} on this machine: {why.lower()}{'; split it' if task is None else ''}."
    except Exception:
        _log.exception("a recording could not be analysed, or a document on it not written")
        if task is not None:
            return "the document cannot be written; who runs the service finds the reason in its log."
        return "the recording cannot be analysed; it is damaged, or of a kind that is not known."
    return ""


def _analyse(folder: Path, entry: StoredRecording) -> None:
    _report(progress=0.02)
    require_free_disk(folder)
    recording = replace(_read(folder, entry), source=entry.name)
    values = recording.signal.size
    size = size_of(folder / FILES)
    if not entry.named and values > _VALUES_PER_BYTE * size + _MORE_VALUES:
        raise DataError(
            f"{entry.name} has {size:,} bytes, and says that they are {values:,} samples; "
            "most of them would be a gap: cut the recording there."
        )
    require_free_disk(folder, _RESULT_BYTES * values)
    _report(progress=0.2)
    analysis = analyse(recording, load_ambulatory())
    minutes = measure_minutes(recording, analysis)
    _report(progress=0.6)
    require_free_disk(folder, _RESULT_BYTES * values)
    unfinished = folder / f"{RESULT}.part"
    unfinished.mkdir()
    save_result(unfinished, recording, analysis, minutes)
    _report(progress=0.75)
    require_free_disk(folder)
    events = load_result(unfinished).events
    recording_report(unfinished / report_name(), recording, analysis, events, minutes=minutes)
    unfinished.rename(folder / NEW_RESULT)
    _report(progress=1.0)


def write_document(folder: Path, path: Path, version: int) -> None:
    """Write the report or the results of a recording, by the suffix, with the first `version` corrections."""
    result = read_result(folder, version)
    require_free_disk(folder, _RESULT_BYTES * result.recording.signal.size)
    style = report_style(path.name)
    if style is not None:
        recording_report(
            path,
            result.recording,
            result.analysis,
            result.events,
            minutes=result.minutes,
            corrections=result.corrections,
            style=style,
        )
    else:
        write_results(
            path,
            result.recording,
            result.analysis,
            result.events,
            ambulatory_digest(),
            minutes=result.minutes,
            corrections=result.corrections,
        )


def _read(folder: Path, entry: StoredRecording) -> Recording:
    if entry.named:
        return load_builtin(entry.main)
    return read(folder / FILES / entry.main, sampling_rate_hz=entry.sampling_rate_hz, unit=entry.unit)


def _report(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def _restrain() -> None:
    """Lower the priority and the limits of this process, and make it the first to end when memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    if hasattr(os, "nice"):
        os.nice(_NICE)
    try:
        import resource
    except ImportError:  # systems without such limits
        return
    memory = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _SHARE_OF_MEMORY)
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, _LARGEST_FILE)):
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
