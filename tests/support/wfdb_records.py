"""WFDB records in folders of tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ectopy.formats import write_annotations
from ectopy.recording import Recording


def write_record(folder: Path, name: str, recording: Recording) -> None:
    """Write header and samples with the wfdb package, and the annotations if there are any."""
    import wfdb

    leads = len(recording.leads)
    wfdb.wrsamp(
        name,
        fs=recording.sampling_rate_hz,
        units=["mV"] * leads,
        sig_name=list(recording.leads),
        p_signal=recording.signal.astype(np.float64),
        fmt=["16"] * leads,
        write_dir=str(folder),
    )
    if recording.annotations is not None:
        write_annotations(folder / f"{name}.atr", recording.annotations, recording.sampling_rate_hz)


def write_counts(folder: Path, counts: np.ndarray, storage: str = "16", gain: float = 200.0, baseline: int = 0) -> Path:
    """Write whole numbers, of shape (samples, 2), as the leads II and V5 at 250 Hz with the wfdb package."""
    import wfdb

    wfdb.wrsamp(
        "rec",
        fs=250,
        units=["mV"] * 2,
        sig_name=["II", "V5"],
        d_signal=counts,
        fmt=[storage] * 2,
        adc_gain=[gain] * 2,
        baseline=[baseline] * 2,
        write_dir=str(folder),
    )
    return folder / "rec.hea"


def copy_records(source: Path, target: Path, *names: str) -> None:
    """Copy header, samples and reference annotations of records."""
    for name in names:
        for suffix in (".hea", ".dat", ".atr"):
            shutil.copy(source / f"{name}{suffix}", target)
