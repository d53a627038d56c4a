"""Recordings that people upload or name: kept, analysed in a process of their own, and shown at any zoom.

``uploads`` says which files make a recording; ``library`` keeps them and has them analysed one after the other;
``worker`` is that process; ``result`` is what it leaves, and ``view`` what a screen needs of it; ``load_builtin`` finds
recordings that come with Ectopy.
"""

from ectopy.service.recordings.library import Entry, Library, Status
from ectopy.service.recordings.result import Result
from ectopy.service.recordings.uploads import Upload

__all__ = ["Entry", "Library", "Result", "Status", "Upload"]
