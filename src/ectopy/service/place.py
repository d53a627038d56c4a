"""Where the service keeps its data."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from ectopy.files import make_folder


def home() -> Path:
    """The folder of the service: ``ECTOPY_HOME``, or the user's data folder."""
    return Path(os.environ.get("ECTOPY_HOME") or platformdirs.user_data_path("ectopy", appauthor=False))


def store_url(given: str | None) -> str:
    """The database that was asked for - a URL, or the path of an SQLite file - or the usual one in `home`.

    Raises
    ------
    OutputError
        If the usual folder cannot be made.
    """
    if given is None:
        make_folder(home())
        return f"sqlite:///{home() / 'ectopy.db'}"
    return given if "://" in given else f"sqlite:///{given}"
