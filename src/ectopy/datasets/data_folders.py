"""Folders in which data sets are looked for: the folders a user names, then the user's cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

DATA_VARIABLE = "ECTOPY_DATA"


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
