"""The pages: files that hold no data, and headers that let a browser run nothing else."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parents[1] / "pages"


class Pages(StaticFiles):
    """Files of a folder; ``/patient`` is ``patient.html``."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER, html=True)

    def get_path(self, scope: Scope) -> str:
        """The file for an address."""
        path = super().get_path(scope)
        name = PurePosixPath(path).name
        return f"{path}.html" if name and "." not in name else path
