"""The folder of the service's data."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from ectopy.files import make_folder

_PRIVATE = 0o700


def home() -> Path:
    """Return the folder of the service: ``ECTOPY_HOME``, or the user's data folder."""
    return Path(os.environ.get("ECTOPY_HOME") or platformdirs.user_data_path("ectopy", appauthor=False))


def make_home(folder: Path) -> None:
    """Make the folder of the service unless it exists; no other user of the machine may read it.

    An `OutputError` if it cannot be made.
    """
    if not folder.exists():
        make_folder(folder)
        folder.chmod(_PRIVATE)
