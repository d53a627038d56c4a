"""SCP-ECG, the standard communications protocol for computer-assisted electrocardiography: sections 0 to 6 and 8 of it.

Source: EN 1064:2005+A1:2007 (ANSI/AAMI EC71), clauses 5.2 (record), 5.3 (pointers), 5.4 (patient and device), 5.5
(Huffman tables), 5.6 (leads), 5.7 (QRS complexes), 5.8 (reference beat), 5.9 (rhythm) and 5.11 (interpretation).
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.identity import SEXES, age, date_of, decoded, facts, moment_of, patient, reading
from ectopy.formats.leads import MAX_LEADS, Stated, check_size, check_unit, damaged, sampling_rate, unique_names
from ectopy.formats.limb_leads import with_limb_leads
from ectopy.formats.mdc_leads import lead_name
from ectopy.formats.plausibility import check_step
from ectopy.formats.scp_codes import Table, decode, read_tables, stretch, undo_differences
from ectopy.recording import Patient, Recording

MAX_BYTES = 2**27
"""Largest record."""

_HEADER_BYTES = 16
_POINTER_BYTES = 10
_CRC_BEGINS = 0xFFFF
_NAMED = {1: "patient", 3: "leads", 6: "rhythm"}
_HIGHEST_FACTOR = 20
_MOST_STATEMENTS = 30
_AGE_UNITS = {1: "years", 2: "months", 3: "weeks", 4: "days", 5: "hours"}

_Sections = dict[int, bytes]


class _Lead(NamedTuple):
    """A lead of section 3: its name, and its first and last sample, from 1."""

    name: str
    first: int
    last: int


class _Beat(NamedTuple):
    """A QRS complex of section 4; samples from 1, the last ones within."""

    kind: int
    first: int
    fiducial: int
    last: int


class _Beats(NamedTuple):
    """Section 4: length and fiducial point of the reference beat, the complexes, and the protected zones."""

    reference_ms: int
    fiducial: int
    beats: tuple[_Beat, ...]
    zones: tuple[tuple[int, int], ...]


class _Samples(NamedTuple):
    """Section 5 or 6: one step in mV, time from sample to sample, order of differences, and the content of each lead.

    Where it is `bimodal`, samples between QRS complexes are fewer.
    """

    step_mv: float
    interval_us: int
    order: int
    bimodal: bool
    content: tuple[bytes, ...]


def read(path: Path, stated: Stated) -> Recording:
    """Read the rhythm of a record, with the reference beat added where it was subtracted.

    Raises
    ------
    DataError
        If the record is damaged, not whole, too large, or has no rhythm. What is intact of a record that was cut short
        or has a wrong checksum is read if `stated` says so; samples that are missing are NaN.
    """
    sections, notes = _read_sections(path, stated.partial)
    for number in (3, 6):
        if number not in sections:
            raise DataError(f"{path} has no section {number} ({_NAMED[number]}); expected a rhythm of SCP-ECG.")
    leads, subtracted = _leads(path, sections[3])
    try:
        tables = read_tables(sections[2]) if 2 in sections else []
    except ValueError as error:
        raise DataError(f"{path} has Huffman tables that cannot be read: {error}.") from error
    rhythm = _samples(path, sections[6], len(leads), 6)
    beats = _beats(path, sections[4]) if 4 in sections else None
    reference = _samples(path, sections[5], len(leads), 5) if subtracted and 5 in sections else None
    if (subtracted and (reference is None or beats is None)) or (rhythm.bimodal and beats is None):
        raise DataError(f"{path} subtracts a reference beat that it does not hold; copy it again from its source.")

    # Positions count samples of the faster rate, that of the reference beat.
    factor, interval_us = 1, rhythm.interval_us
    if 5 in sections and (subtracted or rhythm.bimodal):
        interval_us = (reference or _samples(path, sections[5], len(leads), 5)).interval_us
        factor = round(rhythm.interval_us / interval_us)
        if not 1 <= factor <= _HIGHEST_FACTOR or factor * interval_us != rhythm.interval_us:
            raise DataError(
                f"{path} states times between samples that do not fit: {rhythm.interval_us} us in section 6."
            )
    check_unit(path, ["nV"], stated.unit)
    rate = sampling_rate(path, 1e6 / interval_us, stated.sampling_rate_hz)
    first = min(lead.first for lead in leads)
    samples = max(lead.last for lead in leads) - first + 1
    # No code is shorter than a bit.
    most = 8 * factor * max(len(content) for content in rhythm.content)
    if samples > most and not stated.partial:
        raise DataError(f"{path} states {samples:,} samples of each lead, which its section 6 cannot hold.")
    samples = min(samples, most)
    check_size(path, samples, len(leads))

    signal = np.full((samples, len(leads)), np.nan, np.float32)
    incomplete = []
    for place, lead in enumerate(leads):
        begin, length = lead.first - first, lead.last - lead.first + 1
        values = _rhythm(rhythm, place, lead, tables, beats, factor, max(0, min(length, samples - begin)))
        if reference is not None and beats is not None:
            _smooth(values, lead, beats, min(rhythm.step_mv, reference.step_mv))
            _add_reference(values, lead, reference, place, tables, beats)
        signal[begin : begin + len(values), place] = values
        if len(values) < length or np.isnan(values).any():
            incomplete.append(lead.name)
    if incomplete:
        lacking = f"holds fewer samples than it states of {', '.join(map(repr, incomplete[:8]))}"
        if not stated.partial:
            raise damaged(path, lacking)
        notes.append(f"{path.name} {lacking}; these are missing.")
    subject, device, start, doubt = _patient(path, sections.get(1, b""))
    signal, names, added = with_limb_leads(signal, unique_names([lead.name for lead in leads]))
    return Recording(
        signal,
        rate,
        names,
        start,
        None,
        str(path),
        (*notes, *doubt, *added, *reading(_statements(sections.get(8, b"")))),
        patient=subject,
        device=device,
    )


# The record and its sections


def _read_sections(path: Path, partial: bool) -> tuple[_Sections, list[str]]:
    """Return the contents of the sections behind their headers, and what is to be said of them."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{path} has {size:,} bytes; expected a record of SCP-ECG of up to {MAX_BYTES:,}.")
    content = path.read_bytes()
    if len(content) < 6 + _HEADER_BYTES:
        raise DataError(f"{path} ends within its first section; copy it again from its source.")
    checksum, length = struct.unpack_from("<HI", content)
    defects = []
    if len(content) < length:
        defects.append(f"is cut short: it states {length:,} bytes and has {len(content):,}")
    elif checksum not in (0, binascii.crc_hqx(content[2:length], _CRC_BEGINS)):
        defects.append("does not match its checksum: it was damaged or changed")
    sections: _Sections = {}
    for number, header, body, whole in _pointers(path, content):
        if number in sections:
            continue
        sections[number] = body
        stated = int.from_bytes(header[:2], "little")
        if number not in range(1, 7) or not body:
            continue
        if not whole:
            defects.append(f"ends within its section {number}")
        elif stated not in (0, binascii.crc_hqx(header[2:] + body, _CRC_BEGINS)):
            defects.append(f"has a section {number} that does not match its checksum")
    if defects and not partial:
        raise damaged(path, defects[0])
    return {number: body for number, body in sections.items() if body}, [f"{path.name} {text}." for text in defects]


def _pointers(path: Path, content: bytes) -> Iterator[tuple[int, bytes, bytes, bool]]:
    """The sections that section 0 points to: number, header, content, and whether they are whole."""
    table = content[6 + _HEADER_BYTES : 6 + int.from_bytes(content[10:14], "little")]
    for number, length, index in struct.iter_unpack("<HII", table[: len(table) // _POINTER_BYTES * _POINTER_BYTES]):
        if length == 0 or number == 0:
            continue
        if length < _HEADER_BYTES or index < 1:
            raise DataError(f"{path} points to a section {number} of {length} bytes; copy it again from its source.")
        begin = index - 1
        section = content[begin : begin + length]
        yield number, section[:_HEADER_BYTES], section[_HEADER_BYTES:], len(section) == length


# Sections 1 and 3 to 6


def _patient(path: Path, section: bytes) -> tuple[Patient, str, datetime | None, list[str]]:
    """Read section 1: the patient, the device, the time of acquisition, and what is to be said if it is missing."""
    fields: dict[int, bytes] = {}
    place = 0
    while place + 3 <= len(section) and section[place] != 255:
        tag, length = struct.unpack_from("<BH", section, place)
        fields.setdefault(tag, section[place + 3 : place + 3 + length])
        place += 3 + length
    birth, day, clock = fields.get(5, b""), fields.get(25, b""), fields.get(26, b"")
    years = fields.get(4, b"")
    subject = patient(
        facts(*(fields.get(tag) for tag in (1, 0, 3))),
        fields.get(2),
        SEXES.get(fields.get(8, b"\0")[0] if fields.get(8) else 0, ""),
        _date(birth),
        age(int.from_bytes(years[:2], "little"), _AGE_UNITS.get(years[2], "")) if len(years) == 3 else None,
    )
    start = moment_of(_date(day), (clock[0], clock[1], clock[2])) if len(clock) >= 3 else None
    doubt = [] if start else [f"{path.name} does not say when it was recorded."]
    return subject, _device(fields.get(14, b"")), start, doubt


def _date(content: bytes) -> date | None:
    return date_of(*struct.unpack("<HBB", content)) if len(content) == 4 else None


def _device(content: bytes) -> str:
    """Read the machine of tag 14: a model, then texts, of which the second is its number and the last its maker."""
    texts = [decoded(text) for text in content[36:].split(b"\0")]
    _, number, _, _, maker = (*texts, "", "", "", "", "")[:5]
    return facts(maker, content[8:14], number)


def _statements(section: bytes) -> list[bytes]:
    """Read section 8: the interpretation in words; not what is a page of print."""
    statements, place = [], 9
    for _ in range(section[8] if len(section) > 8 else 0):
        length = int.from_bytes(section[place + 1 : place + 3], "little")
        statements.append(section[place + 3 : place + 3 + length])
        place += 3 + length
    return statements if len(statements) <= _MOST_STATEMENTS else []


def _leads(path: Path, section: bytes) -> tuple[list[_Lead], bool]:
    """Read section 3: the leads, and whether the reference beat is subtracted from them."""
    count = section[0] if section else 0
    if not 1 <= count <= MAX_LEADS or len(section) < 2 + 9 * count:
        raise DataError(f"{path} states {count} leads; expected 1 to {MAX_LEADS}, and a whole section 3.")
    leads = [
        _Lead(lead_name(code), first, last)
        for first, last, code in struct.iter_unpack("<IIB", section[2 : 2 + 9 * count])
    ]
    if any(lead.last < lead.first for lead in leads):
        raise DataError(f"{path} states a lead that ends before it begins; copy it again from its source.")
    return leads, bool(section[1] & 1)


def _beats(path: Path, section: bytes) -> _Beats:
    reference_ms, fiducial, count = struct.unpack("<HHH", section[:6].ljust(6, b"\0"))
    zones_at = 6 + 14 * count
    if len(section) < zones_at:
        raise DataError(f"{path} states {count:,} QRS complexes that its section 4 does not hold.")
    beats = tuple(_Beat(*fields) for fields in struct.iter_unpack("<HIII", section[6:zones_at]))
    zones = section[zones_at : zones_at + 8 * count]
    zones = zones[: len(zones) // 8 * 8]
    return _Beats(reference_ms, fiducial, beats, tuple(struct.iter_unpack("<II", zones)))


def _samples(path: Path, section: bytes, leads: int, number: int) -> _Samples:
    if len(section) < 6 + 2 * leads:
        raise DataError(f"{path} ends within its section {number}; copy it again from its source.")
    step_nv, interval_us, order, bimodal = struct.unpack_from("<HHBB", section)
    if order > 2 or not interval_us:
        raise DataError(
            f"{path} states differences of order {order} and {interval_us} us between samples in section {number}; "
            "expected an order up to 2 and a time above 0."
        )
    check_step(path, f"section {number}", step_nv * 1e-6)
    lengths = struct.unpack_from(f"<{leads}H", section, 6)
    ends = (6 + 2 * leads + np.cumsum(lengths)).tolist()
    content = tuple(section[end - length : end] for end, length in zip(ends, lengths, strict=True))
    return _Samples(step_nv * 1e-6, interval_us, order, number == 6 and bimodal == 1, content)


# The samples


def _rhythm(
    rhythm: _Samples, place: int, lead: _Lead, tables: Sequence[Table], beats: _Beats | None, factor: int, samples: int
) -> NDArray[np.float64]:
    """Decode the rhythm of a lead at the faster rate, in mV; NaN where the file holds nothing."""
    zones = _zones(beats, lead, samples) if rhythm.bimodal and beats is not None else []
    protected = sum(zone.stop - zone.start for zone in zones)
    most = protected + -(-(samples - protected) // factor) + len(zones)
    counts = undo_differences(decode(rhythm.content[place], tables, most), rhythm.order)
    return stretch(counts.astype(np.float64) * rhythm.step_mv, samples, zones, factor)


def _zones(beats: _Beats, lead: _Lead, samples: int) -> list[slice]:
    """Protected zones on a lead, in order, none within another."""
    zones: list[slice] = []
    end = 0
    for first, last in sorted(beats.zones):
        begin, stop = max(first - lead.first, end), min(last - lead.first + 1, samples)
        if last >= first and first and begin < stop:
            zones.append(slice(begin, stop))
            end = stop
    return zones


def _smooth(values: NDArray[np.float64], lead: _Lead, beats: _Beats, step_mv: float) -> None:
    """Take the mean of three samples between the zones, where steps are coarse, as Annex C suggests.

    It is a whole number of steps, away from 0. The zones are the protected ones, and where there are none those of the
    reference beat. A piece between two zones begins two samples behind the one and ends with the first sample of the
    other; its own first and last sample stay.
    """
    protected = [zone for zone in beats.zones if zone[0] and zone[1] > zone[0]]
    subtracted = [(beat.first, beat.last) for beat in beats.beats if beat.kind == 0 and beat.last > beat.first]
    zones = sorted(protected or subtracted)
    highest = len(values) - 1
    begins = [0, *(max(last - lead.first + 2, 0) for _, last in zones)]
    ends = [*(min(max(first - lead.first, 0), highest) for first, _ in zones), highest]
    sums = np.rint((values[:-2] + values[1:-1] + values[2:]) / step_mv)
    means = np.sign(sums) * np.ceil(np.abs(sums) / 3) * step_mv
    for begin, end in zip(begins, ends, strict=True):
        if end - begin >= 2:
            values[begin + 1 : end] = means[begin : end - 1]


def _add_reference(
    values: NDArray[np.float64], lead: _Lead, reference: _Samples, place: int, tables: Sequence[Table], beats: _Beats
) -> None:
    """Add the reference beat to the complexes of its kind, from which it was subtracted."""
    length = beats.reference_ms * 1000 // reference.interval_us
    shape = undo_differences(decode(reference.content[place], tables, length), reference.order) * reference.step_mv
    for beat in beats.beats:
        if beat.kind != 0 or beat.last < beat.first:
            continue
        # Sample `fiducial` of the complex lies on that of the reference beat; both are counted from 1.
        shift = beats.fiducial - beat.fiducial
        first = max(beat.first, lead.first, 1 - shift)
        stop = min(beat.last + 1, lead.first + len(values), len(shape) + 1 - shift)
        if first < stop:
            values[first - lead.first : stop - lead.first] += shape[first + shift - 1 : stop + shift - 1]
