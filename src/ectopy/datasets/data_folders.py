"""Folders in which data sets are looked for: those a user names, then the user's cache; and what must be in one."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

from ectopy.errors import DataError

DATA_VARIABLE = "ECTOPY_DATA"

_MOST_NAMED = 24


def user_folders() -> list[Path]:
    """Folders that the user names in the environment variable ``ECTOPY_DATA``, in their order.

    Several are separated as in ``PATH``.
    """
    names = os.environ.get(DATA_VARIABLE, "").split(os.pathsep)
    return [Path(name).expanduser() for name in names if name.strip()]


def cache_folder() -> Path:
    """Folder where downloaded data sets are kept; it need not exist yet."""
    import platformdirs

    return platformdirs.user_cache_path("ectopy", appauthor=False)


def find_dataset(name: str, holds: Callable[[Path], bool]) -> Path | None:
    """First folder called `name` that holds the data set: the user's folders, then the cache.

    Parameters
    ----------
    name : str
        Name of the data set's folder, for example ``"ecg5000"``.
    holds : callable
        Says whether a folder has every file of the data set.

    Returns
    -------
    Path or None
        None where no folder holds the data set.
    """
    candidates = [folder / name for folder in (*user_folders(), cache_folder())]
    return next((folder for folder in candidates if holds(folder)), None)


def check_records(folder: Path, records: Collection[str], suffixes: Collection[str], group: str, database: str) -> None:
    """Raise DataError unless a folder holds all records of a group, whose figures are not those of some of them.

    Parameters
    ----------
    records, suffixes : collection of str
        Names of the records, and the endings of the files of each.
    group, database : str
        What the records are called together, and which data set to fetch.
    """
    missing = [record for record in records if not all((folder / f"{record}{end}").is_file() for end in suffixes)]
    if missing:
        names = ", ".join(missing[:_MOST_NAMED])
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        raise DataError(
            f"the folder {folder} lacks {len(missing)} of the {len(records)} records of {group}: {names}{more}; "
            f"put the files of each there ({', '.join(suffixes)}), or run `ectopy fetch {database}`."
        )
