"""Which records of the MIT-BIH Arrhythmia Database a folder holds."""

from __future__ import annotations

from pathlib import Path

from ectopy.datasets.mitdb import SPLITS
from ectopy.errors import DataError, SettingError
from ectopy.formats import read
from ectopy.recording import Recording

_SUFFIXES = (".hea", ".dat", ".atr")


def records_in(folder: Path, split: str, least: int = 1) -> tuple[str, ...]:
    """Return the records of a split that are in a folder with their reference annotations.

    Raises
    ------
    SettingError
        If the split is unknown.
    DataError
        If there is no such folder, or it holds fewer than the least.
    """
    if split not in SPLITS:
        raise SettingError(f"unknown split '{split}'; use one of {', '.join(SPLITS)}.")
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; name one that holds records (.hea, .dat and .atr).")
    records = SPLITS[split]
    present = tuple(name for name in records if all((folder / f"{name}{end}").is_file() for end in _SUFFIXES))
    if len(present) < least:
        needed = f"{least} {'is' if least == 1 else 'are'}"
        raise DataError(
            f"the folder {folder} holds {len(present)} of the {len(records)} records of {split} with .hea, .dat and "
            f".atr, and {needed} needed; put them there, or run `ectopy fetch mitdb`."
        )
    return present


def read_annotated(path: Path) -> Recording:
    """Read a record with its reference annotations.

    Raises
    ------
    DataError
        If it cannot be read, or has no annotations.
    """
    recording = read(path)
    if not recording.annotations:
        raise DataError(f"record {path.name} has no reference annotations; take it out of the folder.")
    return recording
