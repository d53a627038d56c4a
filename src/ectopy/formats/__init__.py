"""Files of continuous ECG, one module for each format, read to a Recording; and annotations, written back.

A file is recognised by its content; where that does not say its format, by its suffix:

==============================  ===========================================================================
``wfdb``                        PhysioNet's records, by header (.hea), samples or name of the record
``edf``                         EDF and EDF+, BDF and BDF+, continuous or not
``ishne``                       ISHNE 1.0 of Holter recorders (.ecg), with beat annotations (.ann) beside it
``scp``                         SCP-ECG
``dicom``                       DICOM waveforms
``aecg``, ``muse``, ``sierra``  XML: HL7 annotated ECG, GE MUSE, Philips Sierra
``csv``                         text: one row a sample, one column a lead
``parquet``, ``npy``            the same as Parquet; NumPy array of shape (samples,) or (samples, leads)
==============================  ===========================================================================
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from ectopy.arguments import checked
from ectopy.errors import DataError, SettingError
from ectopy.files import written_by_ectopy
from ectopy.formats import (
    aecg,
    annotation_files,
    csv,
    dicom,
    edf,
    ishne,
    muse,
    npy,
    parquet,
    scp,
    sierra,
    wfdb,
    wfdb_annotations,
)
from ectopy.formats.annotation_files import Span
from ectopy.formats.content import format_of, is_text
from ectopy.formats.leads import Stated, check_stated
from ectopy.formats.plausibility import check_values
from ectopy.formats.remote import display_url, local_copy, remote_url
from ectopy.formats.wfdb_header import find_header
from ectopy.recording import Annotations, Recording

__all__ = ["check_annotation_suffix", "read", "read_annotations", "write_annotations"]

_READERS: dict[str, Callable[[Path, Stated], Recording]] = {
    "wfdb": wfdb.read,
    "edf": edf.read,
    "csv": csv.read,
    "parquet": parquet.read,
    "npy": npy.read,
    "ishne": ishne.read,
    "scp": scp.read,
    "dicom": dicom.read,
    "aecg": aecg.read,
    "muse": muse.read,
    "sierra": sierra.read,
}
_SUFFIXES = {
    **{".hea": "wfdb", ".dat": "wfdb", ".edf": "edf", ".bdf": "edf", ".ecg": "ishne", ".scp": "scp", ".dcm": "dicom"},
    **{".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".npy": "npy"},
}
"""Format of a file whose content does not say it."""
_WRITERS: dict[str, Callable[[Path, Annotations, float], None]] = {
    ".csv": annotation_files.write_csv,
    ".json": annotation_files.write_json,
}
_RESULTS = ".csv", ".json", ".html"
_ANNOTATOR = re.compile(r"\.[A-Za-z]\w*", re.ASCII)


@checked
def read(
    path: str | Path, *, sampling_rate_hz: float | None = None, unit: str | None = None, partial: bool = False
) -> Recording:
    """Read a continuous ECG.

    Invalid samples and gaps become NaN. Of a file with other signals, those in a unit of voltage are read; where some
    are called ECG, only these and those called like a lead; and where they have several rates, those with the highest.

    Parameters
    ----------
    path : str or Path
        A file of any format of the module, the name of a WFDB record, or a URL (``s3://``, ``https://``) of such a
        file.
    sampling_rate_hz : float, optional
        For a file that states none; from 1 to 100,000.
    unit : {"V", "mV", "uV", "nV"}, optional
        For leads whose unit the file does not state, or spells in a way that cannot be read.
    partial : bool
        Whether to read the intact part of a file that is not whole or has a wrong checksum; `Recording.notes` says what
        is missing. Of Parquet and NPY there is no such part.

    Returns
    -------
    Recording
        In mV, with the annotations that the file holds, or that lie beside a WFDB record as ``.atr``; annotations
        outside of the recording are left out. At most 64 leads, with different names, and 2**30 values, none of them
        beyond 10 V.

    Raises
    ------
    DataError
        If the file is missing, of an unknown format, damaged, not whole, too large, has values that no ECG has, or does
        not state a rate or unit that the caller does not state either, or states another one than the caller.
    SettingError
        If `path` is not a path, or `sampling_rate_hz` or `unit` is invalid.
    MissingExtraError
        If the format needs the extra ``formats``, or a URL the extra ``remote``, which is not installed.
    """
    stated = check_stated(sampling_rate_hz, unit)._replace(partial=partial)
    if not isinstance(path, str | os.PathLike):
        raise SettingError(f"a recording is read from a path, not from {type(path).__name__}.")
    if url := remote_url(path):
        with local_copy(url) as copy:
            return replace(_read(copy, stated), source=display_url(url))
    return _read(Path(path), stated)


def _read(path: Path, stated: Stated) -> Recording:
    if path.suffix.lower() in _RESULTS and written_by_ectopy(path):
        raise DataError(f"{path} holds results of Ectopy, not a recording; name the recording itself.")
    try:
        recording = _reader(path)(path, stated)
        check_values(path, recording)
        return recording
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit into the memory of this machine; split it.") from error


@checked
def read_annotations(path: str | Path, sampling_rate_hz: float) -> Annotations:
    """Read marks on a recording that this or another program wrote; the format is told by the content.

    Parameters
    ----------
    path : str or Path
        EDF+ or BDF+ with or without leads, ISHNE's ``.ann``, a WFDB annotation file such as ``100.atr``, or CSV or JSON
        with a ``symbol`` and a ``position``, or a ``time_s``, for each mark, as results of Ectopy have them.
    sampling_rate_hz : float
        Of the recording; positions are moved to it where the file states its own.

    Raises
    ------
    DataError
        If the file is missing, damaged, too large or something else.
    """
    path = Path(path)
    check_stated(sampling_rate_hz, None)
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
        if head.startswith(ishne.ANNOTATION_MAGIC):
            return annotation_files.collect(ishne.read_annotations(path))
        if format_of(path) == "edf":
            return edf.read_annotations(path, sampling_rate_hz)
        if head and is_text(path):
            is_json = head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")
            return (annotation_files.read_json if is_json else annotation_files.read_csv)(path, sampling_rate_hz)
        return wfdb_annotations.read_annotations(path, sampling_rate_hz)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}; name a file of annotations.") from error


@checked
def write_annotations(
    path: str | Path,
    annotations: Annotations,
    sampling_rate_hz: float,
    *,
    start: datetime | None = None,
    source: str = "",
    spans: Sequence[Span] = (),
) -> None:
    """Write marks on a recording, atomically.

    Parameters
    ----------
    path : str or Path
        ``.csv``, ``.json``, ``.edf`` (EDF+, annotations only), ``.ann`` (ISHNE, beats only), or the name of a WFDB
        record with an annotator as its suffix, ``100.atr`` or ``100.ecto``.
    annotations : Annotations
    sampling_rate_hz : float
        What the positions count.
    start : datetime, optional
        When the recording began, for an EDF file.
    source : str, optional
        Where the recording comes from, for an EDF file.
    spans : sequence of Span, optional
        What lasts, for an EDF file; the other formats have no place for it.

    Raises
    ------
    SettingError
        If the suffix is not an annotator, or the rate is missing.
    DataError
        If a position is negative, or a WFDB file cannot hold a symbol or note.
    OutputError
        If the file cannot be written.
    MissingExtraError
        If the format needs the extra ``formats``, which is not installed.
    """
    path = Path(path)
    check_annotation_suffix(path)
    check_stated(sampling_rate_hz, None)
    if np.any(annotations.positions < 0):
        raise DataError(f"{path} cannot hold the position {annotations.positions.min()}; expected positions from 0.")
    if path.suffix.lower() == ".edf":
        edf.write_annotations(path, annotations, sampling_rate_hz, start, source, spans)
    elif path.suffix.lower() == ".ann":
        ishne.write_annotations(path, annotations, sampling_rate_hz, start, source)
    else:
        _WRITERS.get(path.suffix.lower(), wfdb_annotations.write_annotations)(path, annotations, sampling_rate_hz)


def check_annotation_suffix(path: Path) -> None:
    """Raise SettingError unless annotations can be written to a file of that name."""
    suffix = path.suffix.lower()
    if suffix == ".edf" or suffix in _WRITERS or (_ANNOTATOR.fullmatch(suffix) and suffix not in _SUFFIXES):
        return
    raise SettingError(
        f"annotations are written as .csv, .json, .edf, .ann or a WFDB annotator such as .atr, not as '{path.name}'."
    )


def _reader(path: Path) -> Callable[[Path, Stated], Recording]:
    """The reader of a file that can be read at all."""
    expected = (
        "name a recording: a WFDB record (.hea), EDF, BDF, ISHNE, SCP-ECG, DICOM, XML of aECG, MUSE or Sierra, .csv, "
        ".txt, .parquet or .npy"
    )
    if path.name and not path.is_file() and find_header(path):
        return wfdb.read
    if path.is_dir():
        raise DataError(f"{path} is a folder; {expected}.")
    if not path.exists():
        raise DataError(f"{path} does not exist; {expected}.")
    if not path.is_file():
        raise DataError(f"{path} is not a regular file; {expected}.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; {expected}.")
    if path.suffix.lower() == ".hea":
        return wfdb.read
    name = format_of(path) or _SUFFIXES.get(path.suffix.lower())
    if name is None and (header := find_header(path.with_suffix(""))):  # as of the .mat files of PhysioNet
        return lambda _, stated: wfdb.read(header, stated)
    if name is None and is_text(path):
        name = "csv"
    if name is None:
        raise DataError(f"{path} is of an unknown format; {expected}.")
    return _READERS[name]
