"""Which records of the MIT-BIH Arrhythmia Database a folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ectopy.datasets.mitdb import DS1, DS2
from ectopy.errors import DataError, SettingError
from ectopy.formats import read
from ectopy.recording import Recording

SPLITS: Mapping[str, tuple[str, ...]] = {"ds1": DS1, "ds2": DS2}

_SUFFIXES = (".hea", ".dat", ".atr")


def records_in(folder: Path, split: str, least: int = 1) -> tuple[str, ...]:
    """Records of a split that are in a folder with their reference annotations.

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
    wanted = SPLITS[split]
    here = tuple(name for name in wanted if all((folder / f"{name}{end}").is_file() for end in _SUFFIXES))
    if len(here) < least:
        needed = f"{least} {'is' if least == 1 else 'are'}"
        raise DataError(
            f"the folder {folder} holds {len(here)} of the {len(wanted)} records of {split} with .hea, .dat and .atr, "
            f"and {needed} needed; put them there, or run `ectopy fetch mitdb`."
        )
    return here


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
