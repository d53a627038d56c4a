"""Time and memory for a long recording, each figure from a fresh process with one thread.

The recording is half an hour of one simulated lead at 360 Hz, with ectopic beats and noise, repeated in memory. Seconds
are processor time from samples in memory to verdicts, so that other programs on the machine do not count; loading
Ectopy and the detector do not count either. Memory is the most that the process has had, the samples included.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import numpy as np

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.beat_families import find_families
from ectopy.analysis.corrected_analysis import analysis_digest, apply_corrections
from ectopy.analysis.corrections import BeatLabel, Corrections, Relabel
from ectopy.analysis.holter_figures import holter_figures
from ectopy.analysis.rhythm_events import find_events
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.arguments import Progress, silent
from ectopy.datasets import simulate_recording
from ectopy.detector import Verdict
from ectopy.errors import SettingError
from ectopy.processes import peak_rss_mb, run_python, share_cores
from ectopy.recording import Recording

MOST_HOURS = 168.0
NEUROKIT_MINUTES = 10

_SCALING_HOURS = (1.0, 6.0, 24.0)
_RATE_HZ = 360.0
_REPEATED_S = 1800.0
_PEER = "neurokit2"
_RELABELLED = 10_000
_WARM_UP_HOURS = 1 / 60
_START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def benchmark_holter(hours: float = 24.0, progress: Progress = silent) -> dict[str, Any]:
    """Analyse a long recording, shorter ones for comparison, and ten minutes with NeuroKit2's ``ecg_process``.

    Parameters
    ----------
    hours : float
        Above 0, at most 168.

    Returns
    -------
    dict
        ``hours``, ``seconds``, ``beats``, ``peak_rss_mb``; ``correction_seconds``, to relabel 10,000 beats and find
        events, families and all figures again; ``times_neurokit``: how many times as long NeuroKit2 would
        take, scaled linearly from ``neurokit_minutes``, None where it is not installed; ``scaling``: seconds by hours.

    Raises
    ------
    SettingError
        If the hours are out of range.
    """
    if not 0 < hours <= MOST_HOURS:
        raise SettingError(f"hours must lie above 0 and be at most {MOST_HOURS:g}, not {hours:g}.")
    lengths = [shorter for shorter in _SCALING_HOURS if shorter < hours] + [hours]
    runs = len(lengths) + 1
    measured: dict[float, dict[str, float]] = {}
    for length in lengths:
        progress(len(measured), runs, f"{length:g} h")
        measured[length] = json.loads(run_python("-m", __name__, str(length)))
    progress(len(lengths), runs, f"NeuroKit2, {NEUROKIT_MINUTES} minutes")
    times = None
    if find_spec(_PEER):
        peer_s = float(run_python("-m", __name__, str(NEUROKIT_MINUTES / 60), _PEER))
        times = peer_s * hours * 60 / NEUROKIT_MINUTES / measured[hours]["seconds"]
    progress(runs, runs, "done")
    return {
        "hours": hours,
        **measured[hours],
        "times_neurokit": times,
        "neurokit_minutes": NEUROKIT_MINUTES,
        "scaling": {f"{length:g}": figures["seconds"] for length, figures in measured.items()},
    }


def long_recording(hours: float) -> Recording:
    """One lead of so many hours."""
    part = simulate_recording(
        _REPEATED_S, sampling_rate_hz=_RATE_HZ, ectopic={"V": 0.02, "A": 0.01}, noise_mv=0.03, leads=1
    )
    signal = np.resize(part.signal, (round(hours * 3600 * _RATE_HZ), 1))
    return Recording(signal, _RATE_HZ, part.leads, _START, source=part.source)


def _analyse(hours: float) -> dict[str, float]:
    share_cores()  # one process does all, whose time is measured
    recording, detector = long_recording(hours), load_ambulatory()
    analyse(long_recording(_WARM_UP_HOURS), detector)  # imports on first use, as the peer's
    started = time.process_time()
    analysis = analyse(recording, detector)
    seconds, peak_mb = time.process_time() - started, peak_rss_mb()
    return {
        "seconds": seconds,
        "beats": len(analysis),
        "peak_rss_mb": peak_mb,
        "correction_seconds": _correct(recording, analysis),
    }


def _correct(recording: Recording, analysis: Analysis) -> float:
    """Seconds from relabelling to all that a reader sees of it."""
    normal = analysis.positions[np.equal(analysis.verdict, Verdict.NORMAL)]
    relabel = Relabel(tuple(normal[:_RELABELLED].tolist()), BeatLabel.VENTRICULAR)
    started = time.process_time()
    corrections = Corrections(analysis_digest(analysis)).followed_by(relabel, "benchmark", _START)
    corrected = apply_corrections(analysis, corrections, recording.sampling_rate_hz)
    events = find_events(corrected)
    find_families(corrected.beats, corrected.hint)
    holter_figures(recording, corrected, events)
    return time.process_time() - started


def _process_with_neurokit(hours: float) -> float:
    import neurokit2

    lead = long_recording(hours).signal[:, 0].astype(np.float64)
    with warnings.catch_warnings(action="ignore"):
        neurokit2.ecg_process(lead[: 60 * round(_RATE_HZ)], sampling_rate=round(_RATE_HZ))  # imports on first use
        started = time.process_time()
        neurokit2.ecg_process(lead, sampling_rate=round(_RATE_HZ))
        return time.process_time() - started


if __name__ == "__main__":
    measure = _process_with_neurokit if _PEER in sys.argv else _analyse
    print(json.dumps(measure(float(sys.argv[1]))))
