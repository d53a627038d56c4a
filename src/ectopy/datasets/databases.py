"""The databases that Ectopy learns from and is measured on, each through its own reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ectopy.arguments import checked
from ectopy.datasets import cinc2017, ltafdb, ludb, mitdb_records, qtdb
from ectopy.datasets.data_folders import DATA_VARIABLE, find_dataset
from ectopy.datasets.labelled_recording import LabelledRecording
from ectopy.errors import DataError, DatasetUnavailableError, SettingError


class Database(NamedTuple):
    """A database, and how it is read.

    Attributes
    ----------
    title : str
        Its name in a sentence.
    records : callable
        Names of the records in a folder.
    read : callable
        Reads the records in a folder, one at a time.
    """

    title: str
    records: Callable[[Path], tuple[str, ...]]
    read: Callable[[Path], Iterator[LabelledRecording]]


DATABASES = {
    "mitdb": Database("the MIT-BIH Arrhythmia Database", mitdb_records.ds1_records, mitdb_records.read_ds1),
    "qtdb": Database("the QT Database", qtdb.qtdb_records, qtdb.read_qtdb),
    "ludb": Database("the Lobachevsky University Database", ludb.ludb_records, ludb.read_ludb),
    "cinc2017": Database("the Challenge 2017", cinc2017.cinc2017_records, cinc2017.read_cinc2017),
    "ltafdb": Database("the Long-Term AF Database", ltafdb.ltafdb_records, ltafdb.read_ltafdb),
}
"""By the name of the folder. Of the MIT-BIH Arrhythmia Database only DS1, the records for development, is read."""


@checked
def read_database(name: str, folder: Path | None = None) -> Iterator[LabelledRecording]:
    """Read the records of a database in a fixed order, one at a time.

    Parameters
    ----------
    name : str
        One of `DATABASES`.
    folder : Path, optional
        Where it is; by default a folder of that name in the folders of ``ECTOPY_DATA`` or in the user's cache. It may
        hold some of the records.

    Returns
    -------
    iterator of LabelledRecording
        It raises DataError at a record that cannot be read.

    Raises
    ------
    SettingError
        If there is no such database.
    DatasetUnavailableError
        If it is not on this machine.
    DataError
        If the folder has no record of it.
    """
    database = _database(name)
    place = folder or find_database(name)
    if place is None:
        raise DatasetUnavailableError(
            f"{database.title} is not on this machine; run `ectopy fetch {name}`, or put its files into a folder "
            f"{name} inside one that {DATA_VARIABLE} names."
        )
    if not database.records(place):
        raise DataError(f"the folder {place} has no labelled record of {database.title}; run `ectopy fetch {name}`.")
    return database.read(place)


@checked
def find_database(name: str) -> Path | None:
    """Return the first folder on this machine that has labelled records of a database; None where there is none.

    Raises
    ------
    SettingError
        If there is no such database.
    """
    database = _database(name)
    return find_dataset(name, lambda folder: bool(database.records(folder)))


def _database(name: str) -> Database:
    if name not in DATABASES:
        raise SettingError(f"there is no reader of a database {name[:80]!r}; choose one of {', '.join(DATABASES)}.")
    return DATABASES[name]
