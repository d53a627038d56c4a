"""Recordings that people upload or name: stored, analysed in a process of their own, and displayed at any zoom.

`uploads` decides which files make a recording; `library` stores them, as `stored_recording` says, and runs the analyses
one after the other; `worker` is the process of an analysis, `result` what it writes, and `downsampling` what a screen
needs of a signal.
"""

from ectopy.service.recordings.library import Library
from ectopy.service.recordings.result import Result
from ectopy.service.recordings.stored_recording import Status, StoredRecording
from ectopy.service.recordings.uploads import Upload

__all__ = ["Library", "Result", "Status", "StoredRecording", "Upload"]
