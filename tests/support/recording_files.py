"""A folder with a recording of each format that needs nothing stated, and a signal to write."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from support.fuzzing import subjects

FORMATS = ("wfdb212", "segments", "edf", "bdf", "csv", "parquet", "ishne", "scp", "dicom", "aecg", "muse", "sierra")


def write_formats(folder: Path) -> list[Path]:
    """Write a sound recording of ten seconds in each format, in a folder of its own; return the files to read."""
    with TemporaryDirectory() as scratch:
        sound = {name: subject.files for name, subject in subjects(Path(scratch)).items() if name in FORMATS}
    for name, files in sound.items():
        (folder / name).mkdir(parents=True)
        for file, content in files.items():
            (folder / name / file).write_bytes(content)
    return [_main(folder / name) for name in sound]


def _main(folder: Path) -> Path:
    files = sorted(file for file in folder.iterdir() if file.suffix != ".ann")
    return next((file for file in files if file.name == "r.hea"), files[0])


def wave(samples: int, count: int = 2) -> np.ndarray:
    """Some mV in each of several leads, in whole steps of 5 µV."""
    steps = np.arange(samples)[:, np.newaxis] * (np.arange(count) + 1)
    return (steps % 300 - 100) / 200
