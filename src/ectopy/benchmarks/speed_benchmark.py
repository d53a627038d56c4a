"""Speed and memory of detection, each figure from a fresh process with one thread."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ectopy.detector import Detector
from ectopy.processes import peak_rss_mb, run_python

_BATCH_BEATS = 51_200
_REPEATS = 5
_SINGLES = 2_000

_IMPORT = "import time; start = time.perf_counter(); import ectopy; print(time.perf_counter() - start)"


def measure_speed(bundle: Path) -> dict[str, float]:
    """Time a bundle.

    Returns
    -------
    dict
        ``batch_beats_per_s``: beats scored a second in one large array, best of five; ``single_us``: median time for
        one beat; ``import_s``: ``import ectopy``, median of five; ``peak_rss_mb``: memory of a process that loads the
        bundle and detects.

    Raises
    ------
    DataError, BundleError
        If the bundle cannot be used.
    """
    Detector.load(bundle)
    imports = [float(run_python("-c", _IMPORT)) for _ in range(_REPEATS)]
    scoring: dict[str, float] = json.loads(run_python("-m", __name__, str(bundle)))
    return {**scoring, "import_s": float(np.median(imports))}


def _score(bundle: Path) -> dict[str, Any]:
    detector = Detector.load(bundle)
    beats = np.resize(detector.golden, (_BATCH_BEATS, detector.layout.samples))
    batch = [_seconds(lambda: detector.detect(beats)) for _ in range(_REPEATS)]
    single = [_seconds(lambda: detector.score(beats[:1])) for _ in range(_SINGLES)]
    return {
        "batch_beats_per_s": _BATCH_BEATS / min(batch),
        "single_us": float(np.median(single)) * 1e6,
        "peak_rss_mb": peak_rss_mb(),
    }


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(_score(Path(sys.argv[1]))))
