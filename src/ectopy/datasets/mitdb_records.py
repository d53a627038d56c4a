"""Records of the MIT-BIH Arrhythmia Database in a folder, and those of DS1 with their labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ectopy.datasets.data_folders import check_records
from ectopy.datasets.labelled_recording import LabelledRecording
from ectopy.datasets.mitdb import DS1, SPLITS, SUFFIXES
from ectopy.errors import DataError, SettingError
from ectopy.formats import read
from ectopy.recording import Recording

NAME = "mitdb"


def records_of(folder: Path, split: str) -> tuple[str, ...]:
    """Return the records of a split, which are all in a folder with their reference annotations.

    Raises
    ------
    SettingError
        If the split is unknown.
    DataError
        If there is no such folder, or it lacks some of them.
    """
    if split not in SPLITS:
        raise SettingError(f"unknown split '{split}'; use one of {', '.join(SPLITS)}.")
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; name one that holds records (.hea, .dat and .atr).")
    check_records(folder, SPLITS[split], SUFFIXES, split, NAME)
    return SPLITS[split]


def ds1_records(folder: Path) -> tuple[str, ...]:
    """Names of the records of DS1 that are in a folder with their reference annotations; none where there is none."""
    return tuple(name for name in DS1 if all((folder / f"{name}{end}").is_file() for end in SUFFIXES))


def read_ds1(folder: Path) -> Iterator[LabelledRecording]:
    """Read the records of DS1 that are in a folder, one at a time."""
    for name in ds1_records(folder):
        yield LabelledRecording.of(NAME, name, read(folder / name))


def read_annotated(path: Path) -> Recording:
    """Read a record with its reference annotations.

    Raises
    ------
    DataError
        If it cannot be read, or has no annotations.
    """
    recording = read(path)
    if not recording.annotations:
        raise DataError(f"record {path.name} has no reference annotations; put its .atr beside it.")
    return recording
