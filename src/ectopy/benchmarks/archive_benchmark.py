"""An archive analysed by ``ectopy detect`` and by ``ectopy cluster detect``, each as a command of its own.

Both write the results of all recordings of a folder, on the same cores, one after the other. Seconds are those of the
clock from the start of the command to its end, with that of Spark.
"""

from __future__ import annotations

import json
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ectopy.arguments import Progress, silent
from ectopy.errors import DataError, MissingExtraError
from ectopy.formats.recording_files import find_recordings
from ectopy.processes import core_count, run_python


def benchmark_archive(folder: Path, progress: Progress = silent) -> dict[str, Any]:
    """Analyse the recordings of a folder with both commands.

    Parameters
    ----------
    folder : Path
        Holds recordings, which both commands can read.
    progress : callable
        Called with commands done, commands in all, and the current one.

    Returns
    -------
    dict
        ``recordings``, ``hours`` of signal and ``cores``; ``detect_s`` and ``cluster_s``, the time of each command;
        ``ratio``: the throughput of the cluster as a share of that of ``ectopy detect``.

    Raises
    ------
    DataError
        If the folder holds no recording, or a command cannot read one.
    MissingExtraError
        If PySpark is not installed.
    """
    if find_spec("pyspark") is None:
        raise MissingExtraError.of("spark", "an archive on Spark")
    recordings = find_recordings([folder])
    with TemporaryDirectory() as temporary:
        results, tables, figures = (Path(temporary) / name for name in ("results", "tables", "figures.json"))
        results.mkdir()
        progress(0, 2, "ectopy detect")
        detect_s = _seconds("detect", str(folder), "-o", str(results), "--json", str(figures))
        progress(1, 2, "ectopy cluster detect")
        cluster_s = _seconds("cluster", "detect", str(folder), "-o", str(tables))
        summaries = json.loads(figures.read_text(encoding="utf-8"))["recordings"]
    progress(2, 2, "done")
    return {
        "recordings": len(recordings),
        "hours": sum(row["duration_s"] for row in summaries) / 3600.0,
        "cores": core_count(),
        "detect_s": detect_s,
        "cluster_s": cluster_s,
        "ratio": detect_s / cluster_s,
    }


def _seconds(*arguments: str) -> float:
    """Run a command of Ectopy; return how long it took."""
    started = time.monotonic()
    try:
        run_python("-m", "ectopy", *arguments)
    except subprocess.CalledProcessError as error:
        raise DataError(error.stderr.strip().rpartition("\n")[2].removeprefix("ectopy: ")) from error
    return time.monotonic() - started
