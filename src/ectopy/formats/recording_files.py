"""Which recordings paths name: files, folders, patterns and places elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from glob import has_magic
from pathlib import Path

from ectopy.errors import DataError
from ectopy.formats.content import is_recording
from ectopy.formats.remote import list_recordings, remote_url
from ectopy.formats.wfdb_header import find_header, read_header, segment_names


def find_recordings(paths: Sequence[str | Path]) -> list[Path]:
    """List files, and the recordings of folders and patterns without the segments of other records, each once.

    In a folder a file is a recording by its content, elsewhere (``s3://``) by its suffix; tables and arrays, which may
    hold anything, have to be named. A pattern, as of `glob` with ``**`` for folders in folders, names what it matches
    as a folder does, and where it ends in a suffix, as ``*.csv``, every file with it.

    Raises
    ------
    DataError
        If a folder or pattern holds none.
    """
    recordings: list[Path] = []
    for path in map(Path, paths):
        if url := remote_url(path):
            recordings += map(Path, list_recordings(url))
        elif path.is_dir():
            inside = _without_segments(item for item in path.iterdir() if item.is_file() and is_recording(item))
            if not inside:
                raise DataError(f"{path} holds no recordings; name a table or an array by its file.")
            recordings += inside
        elif has_magic(str(path)) and not path.exists():
            recordings += _matching(path)
        else:
            recordings.append(path)
    return list(dict.fromkeys(recordings))


def files_of(recording: Path) -> list[Path]:
    """List the files of a recording that are there: of a WFDB record those that its headers name, and its annotations.

    Empty where there is no such recording.
    """
    header = find_header(recording) if recording.suffix.lower() in (".hea", ".dat") or not recording.exists() else None
    if header is not None:
        files = [header, header.with_suffix(".atr"), *_files_named_by(header)]
    else:
        files = [recording, *([recording.with_suffix(".ann")] if recording.suffix.lower() == ".ecg" else [])]
    return [file for file in dict.fromkeys(files) if file.is_file()]


def _files_named_by(header: Path) -> list[Path]:
    try:
        content = read_header(header)
    except (DataError, OSError):
        return []
    files = [header.with_name(line.file) for line in content.lines]
    for name in segment_names(header):
        segment = header.with_name(f"{name}.hea")
        files += [segment, *(_files_named_by(segment) if not segment_names(segment) else [])]
    return files


def _matching(pattern: Path) -> list[Path]:
    any_content = bool(pattern.suffix) and not has_magic(pattern.suffix)
    matches = list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    recordings = _without_segments(item for item in matches if item.is_file() and (any_content or is_recording(item)))
    if not recordings:
        raise DataError(f"{pattern} matches no recordings; name a table or an array by its file or its suffix.")
    return recordings


def _without_segments(files: Iterable[Path]) -> list[Path]:
    """Sort files, and leave out the headers that another header in the same folder lists as its segments."""
    inside = sorted(files)
    segments = {(item.parent, name.casefold()) for item in inside for name in segment_names(item)}
    return [
        item for item in inside if item.suffix.lower() != ".hea" or (item.parent, item.stem.casefold()) not in segments
    ]
