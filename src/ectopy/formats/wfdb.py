"""WFDB annotation files, the format of PhysioNet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ectopy.errors import DataError, MissingExtraError
from ectopy.recording import Annotations


class Timing(NamedTuple):
    """Sampling rate in Hz that positions are counted in, and the recording's length in samples; None where unknown."""

    sampling_rate_hz: float | None
    samples: int | None


def read_annotations(path: Path) -> Annotations:
    """Read an annotation file, for example ``mitdb/100.atr``.

    Raises
    ------
    DataError
        If the file is missing, empty or not a WFDB annotation file.
    MissingExtraError
        Without the package ``wfdb``.
    """
    marks = _marks(path)
    return Annotations(
        np.asarray(marks.sample, dtype=np.int64), np.array(marks.symbol, dtype=np.str_), marks.subtype.astype(np.int8)
    )


def annotation_timing(path: Path) -> Timing:
    """Rate and length that belong to an annotation file: from its own notes, else from the header beside it.

    Raises
    ------
    DataError
        If the file or its header cannot be used.
    MissingExtraError
        Without the package ``wfdb``.
    """
    rate = _marks(path).fs
    record = path.with_suffix("")
    if not Path(f"{record}.hea").is_file():
        return Timing(rate, None)
    header = _read(f"{record}.hea", lambda wfdb: wfdb.rdheader(str(record.absolute())))
    rate = rate or header.fs
    return Timing(rate, round(header.sig_len * rate / header.fs) if header.sig_len else None)


def _marks(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"there is no annotation file {path}; name one that exists.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; name a file with WFDB annotations.")
    return _read(path, lambda wfdb: wfdb.rdann(str(path.absolute().with_suffix("")), path.suffix.removeprefix(".")))


def _read(path: Path | str, read: Any) -> Any:
    try:
        import wfdb
    except ImportError as error:
        raise MissingExtraError.of("formats", "reading WFDB files") from error
    try:
        return read(wfdb)
    except Exception as error:
        raise DataError(f"{path} is not a WFDB file that can be read: {type(error).__name__} {error}.") from error
