"""Data sets that a test needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from ectopy.datasets.data_folders import DATA_VARIABLE, find_dataset


def folder_of(name: str, records: Iterable[str]) -> Path:
    """The folder of a data set with these records; the test is skipped where there is none."""
    folder = find_dataset(name, lambda folder: all((folder / f"{record}.hea").is_file() for record in records))
    if folder is None:
        pytest.skip(
            f"{name} with its records {', '.join(records)} is in no folder of {DATA_VARIABLE} and not in the cache"
        )
    return folder


def example_file(name: str) -> Path:
    """A file of the folder ``formats``, which holds one of each format; the test is skipped where it is missing."""
    folder = find_dataset("formats", lambda folder: (folder / name).is_file())
    if folder is None:
        pytest.skip(f"formats/{name} is in no folder of {DATA_VARIABLE} and not in the cache")
    return folder / name
