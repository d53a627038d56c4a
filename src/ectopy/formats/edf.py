"""EDF and EDF+, the European Data Format.

Signals are read with the package edfio, annotations here: its expressions take for ever on some.

Sources: https://www.edfplus.info/specs/edf.html and https://www.edfplus.info/specs/edfplus.html.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.files import GENERATOR, atomic_path
from ectopy.formats.codes import CODES, NOTE
from ectopy.formats.leads import BLOCK_S, MAX_VALUES, Signal, Stated, check_size, choose_leads, factors, sampling_rate
from ectopy.formats.marks import Mark, each_mark, within
from ectopy.formats.rim import refusing
from ectopy.recording import Annotations, Recording

_ANNOTATIONS_LABEL = "EDF Annotations"
_AFTER_TEXT, _BEFORE_DURATION, _AFTER_ANNOTATION = b"\x14", b"\x15", b"\0"
_FIRST_YEAR = 85  # of two digits, as EDF counts them
_YEARS = range(1985, 2085)  # that EDF can hold
_FACT_BYTES = 28  # of a fact in the header of a file of annotations


def read(path: Path, stated: Stated) -> Recording:
    """Read an EDF or EDF+ file.

    The gaps of a discontinuous file (EDF+D) are NaN. An annotation whose text is a PhysioNet code becomes that mark and
    any other a comment; durations are left out. A file without leads is refused.

    Raises
    ------
    DataError
        If the file is damaged, not whole, too large, or says too little of itself.
    """
    edfio = _package()
    layout = _read_layout(path)
    with refusing(f"{path} is not a whole EDF file; copy it again from its source."):
        file = edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1")
        signals = [Signal(each.label, each.physical_dimension, each.sampling_frequency) for each in file.signals]
        leads = choose_leads(path, signals, stated.unit)
        rate = sampling_rate(path, signals[leads[0]].sampling_rate_hz, stated.sampling_rate_hz)
        chosen = [file.signals[lead] for lead in leads]
        for signal in chosen:
            _check_calibration(path, signal)
        content = np.memmap(path, np.uint8, "r", layout.header_bytes, (layout.records, layout.record_bytes))
        first_onset, starts = _starts(path, layout, content, chosen[0].samples_per_data_record, rate)
        samples = int(starts[-1]) + chosen[0].samples_per_data_record
        check_size(path, samples, len(leads))
        result = _read_samples(chosen, factors(signals, leads, stated.unit), starts, samples, layout.duration_s)
        texts = _texts(layout, content)
        annotations = within((_mark(round((onset - first_onset) * rate), text) for onset, text in texts), samples)
    return Recording(
        result,
        rate,
        tuple(signals[lead].name for lead in leads),
        _start(layout, first_onset),
        annotations if len(annotations) else None,
        str(path),
    )


def write_annotations(
    path: Path,
    annotations: Annotations,
    sampling_rate_hz: float,
    start: datetime | None = None,
    source: str = "",
) -> None:
    """Write an EDF+ file of annotations only, atomically.

    Its header says when the recording began, unless that was before 1985 or after 2084, names Ectopy with its version
    as the equipment, and gives the sampling rate and the source.

    The text of each is its code, ``V``; its comment, where it is a comment; or its code, subtype and note, as in
    ``~ subtype -1`` and ``+ subtype 0 (AFIB``. `read_text` takes it apart again.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    edfio = _package()
    entries = [
        edfio.EdfAnnotation(mark.position / sampling_rate_hz, None, _text(mark)) for mark in each_mark(annotations)
    ]
    if start is not None and start.year not in _YEARS:
        start = None
    # The header has 80 bytes for all of this, words without blanks in ASCII.
    facts = [f"{sampling_rate_hz:g}_Hz", Path(source).name]
    words = [re.sub(r"[^!-~]", "_", fact)[:_FACT_BYTES] for fact in facts if fact]
    origin = edfio.Recording(
        startdate=None if start is None else start.date(),
        equipment_code=GENERATOR.replace(" ", "_"),
        additional=words,
    )
    # edfio makes no file of nothing; an empty text is none.
    file = edfio.Edf(
        [],
        recording=origin,
        starttime=None if start is None else start.time(),
        annotations=entries or [edfio.EdfAnnotation(0, None, "")],
    )
    with atomic_path(path) as temporary:
        file.write(temporary)


# The header, as far as it says how long the file must be: edfio takes what is there.

_FIXED_BYTES = 256
_SIGNAL_BYTES = 256
_LABEL_BYTES = 16
_SAMPLES_OFFSET, _SAMPLES_BYTES = 216, 8
_SAMPLE_BYTES = 2


class _Layout(NamedTuple):
    """What the header says, and how the data records lie in the file.

    `marks_at` are the bytes of a record that hold annotations; `began` is date and time as the header has them, and
    empty in a file made anonymous.
    """

    header_bytes: int
    records: int
    record_bytes: int
    duration_s: float
    marks_at: tuple[slice, ...]
    discontinuous: bool
    began: str


def _read_layout(path: Path) -> _Layout:
    damaged = f"{path} is not a whole EDF file; copy it again from its source."
    with refusing(damaged), path.open("rb") as stream:
        fixed = stream.read(_FIXED_BYTES).decode("latin-1")
        signals = int(fixed[252:256])
        lines = stream.read(_SIGNAL_BYTES * signals).decode("latin-1")
        labels = [lines[_LABEL_BYTES * i : _LABEL_BYTES * (i + 1)].strip() for i in range(signals)]
        counts = [int(lines[begin : begin + _SAMPLES_BYTES]) for begin in _sample_fields(signals)]
        ends = np.cumsum(counts) * _SAMPLE_BYTES
        marks_at = tuple(
            slice(int(end) - count * _SAMPLE_BYTES, int(end))
            for label, count, end in zip(labels, counts, ends, strict=True)
            if label == _ANNOTATIONS_LABEL
        )
        layout = _Layout(
            int(fixed[184:192]),
            int(fixed[236:244]),
            int(ends[-1]),
            float(fixed[244:252]),
            marks_at,
            fixed[192:236].startswith("EDF+D"),
            "" if fixed[88:168].startswith("Startdate X") else fixed[168:184],
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
    import edfio

    return edfio


def _check_calibration(path: Path, signal: Any) -> None:
    low, high = signal.physical_range
    if signal.digital_min == signal.digital_max or low == high or not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"{path} says no range for the lead {signal.label!r}; expected a calibrated signal.")


def _start(layout: _Layout, first_onset: float) -> datetime | None:
    """Time of the first sample; None in a file made anonymous, or whose date cannot be read."""
    fields = re.fullmatch(r"(\d\d).(\d\d).(\d\d)(\d\d).(\d\d).(\d\d)", layout.began)
    if not fields:
        return None
    day, month, year, hour, minute, second = map(int, fields.groups())
    century = 1900 if year >= _FIRST_YEAR else 2000
    try:
        begin = datetime(century + year, month, day, hour, minute, second)
        return begin + timedelta(seconds=first_onset)
    except (ValueError, OverflowError):
        return None


# The samples


def _starts(
    path: Path, layout: _Layout, content: NDArray[np.uint8], record_samples: int, rate: float
) -> tuple[float, NDArray[np.int64]]:
    """When the recording begins, in seconds after the start in the header, and its data records, in samples after."""
    continuous = np.arange(layout.records, dtype=np.int64) * record_samples
    if not layout.marks_at:
        return 0.0, continuous
    if not layout.discontinuous:
        return _onset(content[0, layout.marks_at[0]].tobytes()), continuous
    onsets = np.array([_onset(record[layout.marks_at[0]].tobytes()) for record in content])
    if not np.isfinite(onsets).all() or np.ptp(onsets) * rate > MAX_VALUES:
        raise DataError(f"{path} has data records that are too far apart: split it.")
    starts: NDArray[np.int64] = np.rint((onsets - onsets[0]) * rate).astype(np.int64)
    if np.any(np.diff(starts) < record_samples):
        raise DataError(f"{path} has data records that overlap; expected them in order of time.")
    return float(onsets[0]), starts


def _onset(annotation: bytes) -> float:
    """When an annotation begins, in seconds."""
    return float(annotation.partition(_AFTER_TEXT)[0].partition(_BEFORE_DURATION)[0])


def _texts(layout: _Layout, content: NDArray[np.uint8]) -> Iterator[tuple[float, str]]:
    """Onset and text of each annotation, but for the empty ones that say when a data record begins."""
    for record in content if layout.marks_at else ():
        for place in layout.marks_at:
            for annotation in filter(None, record[place].tobytes().split(_AFTER_ANNOTATION)):
                for text in filter(None, annotation.split(_AFTER_TEXT)[1:]):
                    yield _onset(annotation), text.decode("utf-8", errors="replace")


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
