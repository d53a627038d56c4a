"""WFDB, the format of PhysioNet: a header, files of samples, and files of annotations.

This module reads records, with headers from `wfdb_header`, segments from `wfdb_segments`, blocks of samples from
`wfdb_samples` and annotations from `wfdb_annotations`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy import large_arrays
from ectopy.errors import DataError
from ectopy.formats.identity import patient
from ectopy.formats.leads import (
    BLOCK_S,
    Signal,
    Stated,
    check_size,
    check_unit,
    choose_leads,
    factors,
    left_out,
    millivolt,
    sampling_rate,
    unique_names,
)
from ectopy.formats.library_errors import raising_data_error
from ectopy.formats.plausibility import check_gaps, check_step
from ectopy.formats.pulse_channels import choose_pulses, contradictions, pulse_unit, readable_pulse
from ectopy.formats.spelling import readable_unit
from ectopy.formats.wfdb_annotations import annotations_beside
from ectopy.formats.wfdb_header import Header, Line, read_comments, read_header
from ectopy.formats.wfdb_samples import NULL, DataFile, invalid_sample
from ectopy.formats.wfdb_segments import GAP, Part, find_columns, measure_segment, read_pattern, read_segments
from ectopy.recording import Patient, PulseWave, Recording

_BLOCK_VALUES = 2**24
_CHECKSUM_MODULUS = 2**16
_AGE = re.compile(r"\b<?age>?[\s:=]*(\d{1,3})\b", re.ASCII | re.IGNORECASE)
_SEX = re.compile(r"<?(?:sex|gender)>?[\s:=]*([a-z]+)\b", re.ASCII | re.IGNORECASE)
_AGE_AND_SEX = re.compile(r"(\d{1,3}) ([MF])\b", re.ASCII)

_Samples = NDArray[np.float32]


def read(path: Path, stated: Stated) -> Recording:
    """Read a record, by its header, its file of samples or its name, with its ``.atr`` annotations if it has them.

    A lead without a unit is in mV if it has a gain, as the specification says; one without a gain is not calibrated,
    and the unit of its 200 steps is asked for. Where signals have several samples per frame, the leads with the most
    are read, and annotations are moved to their sampling rate. Pulse waves keep their own rate. Segments that lack a
    signal leave NaN in it. A signal whose samples do not add up to the checksum in the header is named in the notes,
    and so is a pulse wave that cannot be read.

    Raises
    ------
    DataError
        If the record is damaged, not whole, too large, or says too little of itself. A record whose data file is
        shorter than its header says is read as far as it goes if `stated` says so.
    MissingExtraError
        If the record is compressed and soundfile is not installed.
    """
    header = read_header(path)
    record = header.path.with_suffix("")
    frame_rate = header.frame_rate_hz
    if frame_rate is None:
        frame_rate = sampling_rate(header.path, None, stated.sampling_rate_hz)
        stated = stated._replace(sampling_rate_hz=None)
    segments = read_segments(header)
    pattern = read_pattern(header, segments)
    signals = _signals(pattern, range(len(pattern.lines)), frame_rate, stated.unit)
    leads = choose_leads(header.path, signals, stated.unit)
    check_unit(header.path, [signals[lead].unit for lead in leads], stated.unit)
    per_frame = pattern.lines[leads[0]].per_frame
    rate = sampling_rate(header.path, per_frame * frame_rate, stated.sampling_rate_hz)
    names = unique_names([signal.name for signal in signals])
    lead_names = tuple(names[lead] for lead in leads)
    pulses = choose_pulses(signals, leads)

    # Nothing is read before it is known that it fits and all of it is there.
    check_size(header.path, sum(segment.frames for segment in segments) * per_frame, len(leads))
    parts, notes = [], [*header.notes, *left_out(signals, [*leads, *pulses]), *contradictions(signals, leads)]
    for segment in segments:
        part, note = measure_segment(header, segment, find_columns(header, segment, lead_names, leads), stated.partial)
        parts.append(part)
        notes += [note] if note else []
        notes += [
            f"The header names {name}, which is not there; read is {file.path.name}."
            for name, file in part.files.items()
            if file.path.name.casefold() != name.casefold()
        ]
    frames = sum(part.frames for part in parts)
    check_size(header.path, frames * per_frame, len(leads))
    missing = sum(part.frames - part.intact for part in parts)
    check_gaps(header.path, frames * per_frame, missing * per_frame, len(leads))

    result = large_arrays.empty((frames * per_frame, len(leads)), np.float32)
    begin = 0
    wrong: dict[str, list[str]] = {}
    for part in parts:
        end = begin + part.frames * per_frame
        for lead in _fill(part, lead_names, per_frame, frame_rate, stated.unit, result[begin:end]):
            wrong.setdefault(lead, []).append(part.segment.header.path.stem if part.segment.header else GAP)
        begin = end
    notes += [_checksum_note(f"lead {lead!r}", records) for lead, records in wrong.items()]
    waves = []
    for pulse in pulses:
        try:
            wave, sentences = _read_pulse(header, parts, pattern.lines[pulse], names[pulse], pulse, frame_rate)
            waves.append(wave)
            notes += sentences
        except DataError as error:  # an ECG is read without a pulse wave that is damaged
            notes.append(f"The pulse wave {names[pulse]!r} is left out: {error}")
    return Recording(
        result,
        rate,
        lead_names,
        header.start,
        annotations_beside(record, frame_rate, rate, len(result)),
        str(path),
        tuple(notes),
        tuple(waves),
        _patient(header),
    )


def _signals(header: Header, indices: Iterable[int], frame_rate_hz: float, unit: str | None) -> list[Signal]:
    """The signals of a header, with their units as they are usually spelt."""
    lines = [header.lines[index] for index in indices]
    return [
        Signal(line.name, readable_unit(header.path, line.name, line.unit, unit), line.per_frame * frame_rate_hz)
        for line in lines
    ]


def _patient(header: Header) -> Patient:
    """The patient as comments usually describe them: ``Age: 74``, ``<sex>: F``, or ``69 M`` at the beginning."""
    comments = read_comments(header.path)
    text = "\n".join(comments)
    years, sex = _AGE.search(text), _SEX.search(text)
    if not years and not sex and comments and (first := _AGE_AND_SEX.match(comments[0])):
        return patient(sex=first[2], age_years=float(first[1]))
    return patient(sex=sex[1] if sex else "", age_years=float(years[1]) if years else None)


class _Column(NamedTuple):
    """A signal of a segment: its place in the recording, its index and line in the header, and the factor to its unit.

    That is millivolt, or the unit of a pulse wave.
    """

    place: int
    column: int
    line: Line
    factor: float


def _fill(
    part: Part,
    names: Sequence[str],
    per_frame: int,
    frame_rate_hz: float,
    unit: str | None,
    target: _Samples,
) -> list[str]:
    """Read the leads of a segment into the columns of `target`, and NaN where there is nothing.

    Return the leads whose samples do not add up to their checksum.
    """
    header = part.segment.header
    if header is None or not len(target):
        target[:] = np.nan
        return []
    leads = _leads(header, part.columns, names, per_frame, frame_rate_hz, unit)
    return [names[place] for place in _fill_columns(header, part, leads, per_frame, frame_rate_hz, target)]


def _fill_columns(
    header: Header, part: Part, leads: Sequence[_Column], per_frame: int, frame_rate_hz: float, target: _Samples
) -> list[int]:
    """Read signals of a segment into the columns of `target`; return the columns that have a wrong checksum."""
    target[part.intact * per_frame :] = np.nan
    target[:, sorted(set(range(target.shape[1])) - {lead.place for lead in leads})] = np.nan
    wrong = []
    with raising_data_error(f"{header.path} has data files that cannot be read; copy the record again."):
        for name, file in part.files.items():
            together = [column for column, line in enumerate(header.lines) if line.file == name]
            inside = {together.index(lead.column): lead for lead in leads if lead.line.file == name}
            block = max(1, min(int(BLOCK_S * frame_rate_hz), _BLOCK_VALUES // file.frame_values))
            wrong += _fill_from(file, inside, per_frame, block, target[: part.intact * per_frame])
    for lead in leads:
        _unskew(target[:, lead.place], lead.line.skew * per_frame)
    # A checksum is one of all samples.
    verifiable = part.intact == part.segment.frames and header.frames is not None
    return sorted(wrong) if verifiable else []


def _read_pulse(
    header: Header, parts: Sequence[Part], line: Line, name: str, column: int, frame_rate_hz: float
) -> tuple[PulseWave, list[str]]:
    """Read a pulse wave beside the leads in `parts`, with notes; where its data file ends before theirs it is NaN."""
    unit = pulse_unit(line.name, line.unit)
    assert unit is not None
    per_frame = line.per_frame
    check_size(header.path, sum(part.frames for part in parts) * per_frame, 1)
    result = np.full((sum(part.frames for part in parts) * per_frame, 1), np.nan, np.float32)
    wrong, notes = [], []
    begin = 0
    for lead_part in parts:
        target = result[begin : begin + lead_part.frames * per_frame]
        begin += len(target)
        segment = lead_part.segment
        if segment.header is None or not len(target):
            continue
        part, note = measure_segment(header, segment, find_columns(header, segment, (name,), (column,)), partial=True)
        notes += [note] if note and lead_part.intact == segment.frames else []
        for place in part.columns:
            if place is None or segment.header.lines[place].storage == NULL:
                continue
            own = segment.header.lines[place]
            own_unit = pulse_unit(own.name, own.unit)
            if own.per_frame != per_frame or own_unit is None or own_unit.unit != unit.unit:
                notes.append(f"{segment.header.path} has the pulse wave {name!r} in another unit or at another rate.")
                continue
            part = part._replace(intact=min(part.intact, lead_part.frames))
            columns = [_Column(0, place, own, own_unit.factor)]
            if _fill_columns(segment.header, part, columns, per_frame, frame_rate_hz, target):
                wrong.append(segment.header.path.stem)
    notes += [_checksum_note(f"pulse wave {name!r}", wrong)] if wrong else []
    return PulseWave(name, unit.unit, per_frame * frame_rate_hz, readable_pulse(result[:, 0])), notes


def _leads(
    header: Header,
    columns: Sequence[int | None],
    names: Sequence[str],
    per_frame: int,
    frame_rate_hz: float,
    unit: str | None,
) -> list[_Column]:
    """The leads that a segment has samples of."""
    places = [
        place for place, column in enumerate(columns) if column is not None and header.lines[column].storage != NULL
    ]
    present = [column for column in columns if column is not None and header.lines[column].storage != NULL]
    if not present:
        return []
    if any(header.lines[column].per_frame != per_frame for column in present):
        raise DataError(f"{header.path} has another number of samples per frame than the rest of the record.")
    signals = _signals(header, present, frame_rate_hz, unit)
    choose_leads(header.path, signals, unit)  # raises where a segment states no unit and its record does
    for signal in signals:
        if millivolt(signal.unit or unit or "") is None:
            raise DataError(
                f"{header.path} states the unit {signal.unit!r} for the lead {signal.name!r}; expected V, mV or uV, as "
                "in the rest of the record."
            )
    leads = [
        _Column(place, column, header.lines[column], factor)
        for place, column, factor in zip(places, present, factors(signals, range(len(signals)), unit), strict=True)
    ]
    for lead in leads:
        check_step(header.path, names[lead.place], lead.factor / lead.line.gain)
    return leads


def _fill_from(file: DataFile, leads: dict[int, _Column], per_frame: int, block: int, target: _Samples) -> list[int]:
    """Read leads, by their index in a file, in blocks of frames; return the columns that have a wrong checksum."""
    frames = len(target) // per_frame
    sums = dict.fromkeys(leads, 0)
    before = file.initial
    for part in large_arrays.blocks(frames, block, target):
        begin, end = part.start, part.stop
        digital = file.read(begin, end, before)
        before = tuple(int(samples[-1]) for samples in digital)
        for index, lead in leads.items():
            samples = digital[index]
            sums[index] += int(samples.sum(dtype=np.int64))
            values = (samples - lead.line.baseline) / lead.line.gain * lead.factor
            values[samples == invalid_sample(file.storage)] = np.nan
            target[begin * per_frame : end * per_frame, lead.place] = values
    # Programs that do not count write a checksum of 0.
    return [
        lead.place
        for index, lead in leads.items()
        if lead.line.checksum and (sums[index] - lead.line.checksum) % _CHECKSUM_MODULUS
    ]


def _checksum_note(signal: str, records: Sequence[str]) -> str:
    more = f" and {len(records) - 1} more" if len(records) > 1 else ""
    return (
        f"The samples of the {signal} do not add up to the checksum in the header of {records[0]}{more}: "
        "the data file was changed or damaged; copy the record again."
    )


def _unskew(samples: _Samples, late: int) -> None:
    """Move a signal that is stored so many samples late to where it belongs."""
    if late:
        late = min(late, len(samples))
        samples[: len(samples) - late] = samples[late:].copy()
        samples[len(samples) - late :] = np.nan
