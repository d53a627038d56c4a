"""A folder with a recording of each format that needs nothing stated."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

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
