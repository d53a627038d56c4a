"""The recordings of an archive and the state of their files, by which a later run knows which have changed."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from ectopy.cluster.archive_tables import Source
from ectopy.errors import DataError
from ectopy.formats.recording_files import files_of, find_recordings
from ectopy.formats.remote import display_url, file_states, remote_url


def find_sources(paths: Sequence[str | Path]) -> list[Source]:
    """List the recordings that paths name, each once, with size and fingerprint of its files.

    Parameters
    ----------
    paths : sequence of str or Path
        As of `ectopy.formats.recording_files.find_recordings`.

    Raises
    ------
    DataError
        If there is none, or one that is named does not exist.
    """
    recordings = find_recordings(paths)
    urls = {recording: url for recording in recordings if (url := remote_url(recording))}
    remote = dict(zip(urls, file_states(list(urls.values())), strict=True))
    sources: dict[str, Source] = {}
    for recording in recordings:
        if recording in urls:
            location, path, state = urls[recording], display_url(urls[recording]), remote[recording]
        else:
            location = path = str(recording.absolute())
            state = _state(Path(location))
        if not state:
            raise DataError(f"{path} does not exist; name recordings, folders of them, or a pattern.")
        size = sum(map(int, state[1::3]))
        sources[path] = Source(location, path, size, sha256("\0".join(state).encode()).hexdigest())
    if not sources:
        raise DataError("no recording is named; name files, folders or patterns.")
    return list(sources.values())


def _state(recording: Path) -> tuple[str, ...]:
    """Name, size and time of change of each file."""
    statuses = [(file.name, file.stat()) for file in files_of(recording)]
    return tuple(part for name, status in statuses for part in (name, str(status.st_size), str(status.st_mtime_ns)))
