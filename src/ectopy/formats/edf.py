"""EDF and EDF+, the European Data Format.

Sources: https://www.edfplus.info/specs/edf.html and https://www.edfplus.info/specs/edfplus.html.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, EctopyError, MissingExtraError
from ectopy.files import atomic_path
from ectopy.formats.codes import CODES, NOTE
from ectopy.formats.leads import BLOCK_S, Signal, Stated, check_size, choose_leads, factors, sampling_rate
from ectopy.formats.marks import Mark, each_mark, within
from ectopy.recording import Annotations, Recording

_ANNOTATIONS_LABEL = "EDF Annotations"


def read(path: Path, stated: Stated) -> Recording:
    """Read an EDF or EDF+ file.

    The gaps of a discontinuous file (EDF+D) are NaN. An annotation whose text is a PhysioNet code becomes that mark and
    any other a comment; durations are left out. A file without leads is refused.

    Raises
    ------
    DataError
        If the file is damaged, not whole, too large, or says too little of itself.
    MissingExtraError
        If edfio is not installed.
    """
    edfio = _package()
    layout = _read_layout(path)
    with _refusing(f"{path} is not a whole EDF file; copy it again from its source."):
        file = edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1")
        signals = [Signal(each.label, each.physical_dimension, each.sampling_frequency) for each in file.signals]
        leads = choose_leads(path, signals, stated.unit)
        rate = sampling_rate(path, signals[leads[0]].sampling_rate_hz, stated.sampling_rate_hz)
        chosen = [file.signals[lead] for lead in leads]
        for signal in chosen:
            _check_calibration(path, signal)
        starts = _starts(path, layout, chosen[0].samples_per_data_record, rate)
        samples = int(starts[-1]) + chosen[0].samples_per_data_record
        check_size(path, samples, len(leads))
        result = _read_samples(chosen, factors(signals, leads, stated.unit), starts, samples, layout.duration_s)
        marks = (_mark(round(each.onset * rate), each.text) for each in file.annotations if each.text)
        annotations = within(marks, samples)
    return Recording(
        result,
        rate,
        tuple(signals[lead].name for lead in leads),
        _start(file),
        annotations if len(annotations) else None,
        str(path),
    )


def write_annotations(path: Path, annotations: Annotations, sampling_rate_hz: float) -> None:
    """Write an EDF+ file of annotations only, atomically.

    The text of each is its code, ``V``; its comment, where it is a comment; or its code, subtype and note, as in
    ``~ subtype -1`` and ``+ subtype 0 (AFIB``. `read_text` takes it apart again.

    Raises
    ------
    MissingExtraError
        If edfio is not installed.
    OutputError
        If the file cannot be written.
    """
    edfio = _package()
    entries = [
        edfio.EdfAnnotation(mark.position / sampling_rate_hz, None, _text(mark)) for mark in each_mark(annotations)
    ]
    # edfio makes no file of nothing; an empty text is none.
    file = edfio.Edf([], annotations=entries or [edfio.EdfAnnotation(0, None, "")])
    with atomic_path(path) as temporary:
        file.write(temporary)


# The header, as far as it says how long the file must be: edfio takes what is there.

_FIXED_BYTES = 256
_SIGNAL_BYTES = 256
_LABEL_BYTES = 16
_SAMPLES_OFFSET, _SAMPLES_BYTES = 216, 8
_SAMPLE_BYTES = 2


class _Layout(NamedTuple):
    """How the data records lie in a file. `marks_at` is where in a record the bytes of its annotations are."""

    header_bytes: int
    records: int
    record_bytes: int
    duration_s: float
    marks_at: slice | None
    discontinuous: bool


def _read_layout(path: Path) -> _Layout:
    damaged = f"{path} is not a whole EDF file; copy it again from its source."
    with _refusing(damaged), path.open("rb") as stream:
        fixed = stream.read(_FIXED_BYTES).decode("latin-1")
        signals = int(fixed[252:256])
        lines = stream.read(_SIGNAL_BYTES * signals).decode("latin-1")
        labels = [lines[_LABEL_BYTES * i : _LABEL_BYTES * (i + 1)].strip() for i in range(signals)]
        counts = [int(lines[begin : begin + _SAMPLES_BYTES]) for begin in _sample_fields(signals)]
        ends = np.cumsum(counts) * _SAMPLE_BYTES
        marks_at = None
        if _ANNOTATIONS_LABEL in labels:
            index = labels.index(_ANNOTATIONS_LABEL)
            marks_at = slice(int(ends[index]) - counts[index] * _SAMPLE_BYTES, int(ends[index]))
        layout = _Layout(
            int(fixed[184:192]),
            int(fixed[236:244]),
            int(ends[-1]),
            float(fixed[244:252]),
            marks_at,
            fixed[192:236].startswith("EDF+D"),
        )
        if layout.header_bytes != _FIXED_BYTES + _SIGNAL_BYTES * signals or min(counts) < 0 or layout.record_bytes < 1:
            raise DataError(damaged)
    expected = layout.header_bytes + layout.records * layout.record_bytes
    size = path.stat().st_size
    if layout.records < 1 or size != expected:
        raise DataError(
            f"{path} is cut short or was not closed by its recorder: it has {size:,} bytes, and its header announces "
            f"{layout.records} data records of {layout.record_bytes:,}; copy it again from its source."
        )
    return layout


def _sample_fields(signals: int) -> range:
    begin = _SAMPLES_OFFSET * signals
    return range(begin, begin + _SAMPLES_BYTES * signals, _SAMPLES_BYTES)


def _package() -> Any:
    try:
        import edfio
    except ImportError as error:
        raise MissingExtraError.of("formats", "reading and writing EDF files") from error
    return edfio


@contextmanager
def _refusing(message: str) -> Iterator[None]:
    """Say `message` in place of whatever a damaged file makes go wrong."""
    try:
        yield
    except (EctopyError, MemoryError):
        raise
    except Exception as error:  # edfio lets through what its parsing runs into
        raise DataError(message) from error


def _check_calibration(path: Path, signal: Any) -> None:
    low, high = signal.physical_range
    if signal.digital_min == signal.digital_max or low == high or not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"{path} says no range for the lead {signal.label!r}; expected a calibrated signal.")


def _start(file: Any) -> datetime | None:
    """Time of the first sample; None in a file made anonymous, or whose dates cannot be read."""
    with warnings.catch_warnings():
        # EDF+ holds the date twice; edfio prefers the one with four digits of the year, and warns where they differ.
        warnings.filterwarnings("ignore", "Different values in startdate fields", UserWarning)
        try:
            start: datetime = file.startdatetime
        except (ValueError, OverflowError):
            return None
    return start


# The samples


def _starts(path: Path, layout: _Layout, record_samples: int, rate: float) -> NDArray[np.int64]:
    """Where in the recording each data record begins, in samples."""
    if not layout.discontinuous or layout.marks_at is None:
        return np.arange(layout.records, dtype=np.int64) * record_samples
    content = np.memmap(path, np.uint8, "r", layout.header_bytes, (layout.records, layout.record_bytes))
    onsets = np.array([float(_first_field(record[layout.marks_at])) for record in content])
    starts: NDArray[np.int64] = np.rint((onsets - onsets[0]) * rate).astype(np.int64)
    if np.any(np.diff(starts) < record_samples) or not np.isfinite(onsets).all():
        raise DataError(f"{path} has data records that overlap; expected them in order of time.")
    return starts


def _first_field(annotations: NDArray[np.uint8]) -> bytes:
    """The time at which a data record says it begins."""
    return bytes(annotations).partition(b"\x14")[0]


def _read_samples(
    signals: list[Any], to_millivolt: list[float], starts: NDArray[np.int64], samples: int, duration_s: float
) -> NDArray[np.float32]:
    record_samples = signals[0].samples_per_data_record
    result = np.empty((samples, len(signals)), np.float32)
    gaps = np.append(starts[1:], samples)
    block = max(1, int(BLOCK_S / duration_s))
    with np.errstate(over="ignore"):
        for first in range(0, len(starts), block):
            last = min(first + block, len(starts))
            for column, (signal, factor) in enumerate(zip(signals, to_millivolt, strict=True)):
                values = signal.get_data_slice(first * duration_s, last * duration_s) * factor
                values[~np.isfinite(values.astype(np.float32))] = np.nan
                if starts[last - 1] - starts[first] == (last - first - 1) * record_samples:
                    begin = starts[first]
                    result[begin : begin + len(values), column] = values
                    result[begin + len(values) : gaps[last - 1], column] = np.nan
                    continue
                for record, part in enumerate(values.reshape(-1, record_samples), start=first):
                    begin = starts[record]
                    result[begin : begin + record_samples, column] = part
                    result[begin + record_samples : gaps[record], column] = np.nan
    return result


# The texts of annotations

_EXPLICIT = re.compile(r"(\S) subtype (-?\d{1,3})(?: (.*))?", re.DOTALL)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


def _mark(position: int, text: str) -> Mark:
    if text in CODES:
        return Mark(position, text)
    explicit = _EXPLICIT.fullmatch(text)
    if explicit and explicit[1] in CODES and -128 <= int(explicit[2]) <= 127:
        return Mark(position, explicit[1], int(explicit[2]), explicit[3] or "")
    return Mark(position, NOTE, 0, text)


def _text(mark: Mark) -> str:
    """The shortest text that is read as the mark; what EDF+ cannot hold becomes a space."""
    mark = mark._replace(note=_UNPRINTABLE.sub(" ", mark.note))
    shortest = mark.note if mark.symbol == NOTE and mark.note else mark.symbol
    if _mark(mark.position, shortest) == mark:
        return shortest
    return f"{mark.symbol} subtype {mark.subtype} {mark.note}".rstrip(" " if not mark.note else None)
