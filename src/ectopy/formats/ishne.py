"""ISHNE 1.0, the output format of Holter recorders: samples in one file, beat annotations in another beside it.

Sources: F. Badilini, The ISHNE Holter Standard Output File Format, Ann Noninvasive Electrocardiol 3(3):263-266 (1998),
doi:10.1111/j.1542-474X.1998.tb00353.x, and the annotation format of the Telemetric and Holter ECG Warehouse.
"""

from __future__ import annotations

import binascii
import struct
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ectopy import large_arrays
from ectopy.errors import DataError
from ectopy.files import GENERATOR, atomic_path
from ectopy.formats.annotation_files import Mark, each_mark, within
from ectopy.formats.identity import SEXES, date_of, fact, facts, moment_of, patient
from ectopy.formats.leads import BLOCK_S, Stated, check_size, check_unit, damaged, sampling_rate, unique_names
from ectopy.recording import Annotations, Patient, Recording

MAGIC = b"ISHNE1.0"
ANNOTATION_MAGIC = b"ANN  1.0"
MAX_LEADS = 12
"""Most leads, for which the header has places."""

_HEADER = struct.Struct("<8sH iiii h 40s40s20s hh 3h3h3h3h h 12h12h12h h 40sH 80s80s88s")
_CHECKED_FROM = 10
_CRC_BEGINS = 0xFFFF
_UNKNOWN = -9
_FAULT = -(2**15)
"""The sample by which a recorder says that a lead was faulty."""
_LEADS = {
    **{2: "X", 3: "Y", 4: "Z", 5: "I", 6: "II", 7: "III", 8: "aVR", 9: "aVL", 10: "aVF"},
    **{code: f"V{code - 10}" for code in range(11, 17)},
    **{17: "ES", 18: "AS", 19: "AI"},
}
_PACEMAKERS = {
    **{1: "of unknown type", 2: "single chamber, unipolar", 3: "dual chamber, unipolar"},
    **{4: "single chamber, bipolar", 5: "dual chamber, bipolar"},
}
_BAD_QUALITIES = {
    **{2: "intermittent noise", 3: "frequent noise"},
    **{4: "intermittent disconnection", 5: "frequent disconnection"},
}
_LABELS = {"N": "N", "V": "V", "S": "S", "B": "B", "P": "/", "X": "|", "U": "Q", "F": "F"}
"""PhysioNet codes of the labels of beats."""
_TIMEOUT = "!"
_LONGEST_STEP = 65535
_WRITTEN_LABELS = {
    **dict.fromkeys("N", "N"),
    **dict.fromkeys("LRB", "B"),
    **dict.fromkeys("AaJSejn", "S"),
    **dict.fromkeys("VEr", "V"),
    **dict.fromkeys("F", "F"),
    **dict.fromkeys("/f", "P"),
    **dict.fromkeys("Q?", "U"),
    **dict.fromkeys("|", "X"),
}


class _Header(NamedTuple):
    """Statements of the header; `resolutions_nv` are those of the leads, `data_at` the place of the samples."""

    samples: int
    data_at: int
    patient: Patient
    start: datetime | None
    leads: tuple[str, ...]
    resolutions_nv: tuple[int, ...]
    device: str
    rate_hz: float | None
    notes: tuple[str, ...]


def read(path: Path, stated: Stated) -> Recording:
    """Read a recording, with the beats of the ``.ann`` file beside it where there is one.

    Raises
    ------
    DataError
        If the file is damaged, not whole, or too large. The whole samples of a file that was cut short are read if
        `stated` says so.
    """
    with path.open("rb") as stream:
        mark = stream.read(len(MAGIC))
    if mark == ANNOTATION_MAGIC:
        raise DataError(f"{path} holds the annotations of a Holter recording; name the file of its samples (.ecg).")
    if mark != MAGIC:
        raise DataError(
            f"{path} does not begin as a Holter recording of ISHNE does ({MAGIC.decode()}): it is another kind of "
            f"{path.suffix} file, or damaged."
        )
    header = _read_header(path)
    check_unit(path, ["nV"], stated.unit)
    rate = sampling_rate(path, header.rate_hz, stated.sampling_rate_hz)
    for lead, resolution in zip(header.leads, header.resolutions_nv, strict=True):
        if resolution <= 0:
            raise DataError(f"{path} states a resolution of {resolution} nV for the lead {lead!r}; expected more.")
    samples, notes = _count_samples(path, header, stated.partial)
    check_size(path, samples, len(header.leads))

    signal = large_arrays.empty((samples, len(header.leads)), np.float32)
    steps_mv = (np.array(header.resolutions_nv) * 1e-6).astype(np.float32)
    block = max(1, int(BLOCK_S * rate))
    with path.open("rb") as stream:
        stream.seek(header.data_at)
        for rows in large_arrays.blocks(samples, block, signal):
            part = signal[rows]
            stored = np.fromfile(stream, "<i2", part.size).reshape(part.shape)
            np.multiply(stored, steps_mv, out=part)
            part[stored == _FAULT] = np.nan

    annotations, doubt = _annotations_beside(path, samples, stated.partial)
    return Recording(
        signal,
        rate,
        unique_names(header.leads),
        header.start,
        annotations,
        str(path),
        (*header.notes, *notes, *doubt),
        patient=header.patient,
        device=header.device,
    )


def _read_header(path: Path) -> _Header:
    with path.open("rb") as stream:
        fixed = stream.read(_HEADER.size)
        if len(fixed) < _HEADER.size:
            raise DataError(f"{path} ends within its header; copy it again from its source.")
        (_, checksum, variable_bytes, samples, variable_at, data_at, version, first, last, number, sex, _, *rest) = (
            _HEADER.unpack(fixed)
        )
        size = path.stat().st_size
        # The blocks follow each other, so that places which are not stated are certain.
        if variable_at in (0, _UNKNOWN):
            variable_at = _HEADER.size
        variable_end = variable_at + max(variable_bytes, 0)
        if data_at in (0, _UNKNOWN):
            data_at = variable_end
        if not _HEADER.size <= data_at <= size or (variable_bytes > 0 and not _HEADER.size <= variable_at < data_at):
            raise DataError(f"{path} states a header that its {size:,} bytes do not hold; copy it from its source.")
        checked = fixed[_CHECKED_FROM:] + stream.read(min(max(variable_end, _HEADER.size), data_at) - _HEADER.size)
    birth, day, _, clock = (rest[i : i + 3] for i in range(0, 12, 3))
    count, numbers, qualities, resolutions = rest[12], rest[13:25], rest[25:37], rest[37:49]
    pacemaker, recorder, rate, proprietary = rest[49:53]
    if not 1 <= count <= MAX_LEADS:
        raise DataError(f"{path} states {count} leads; expected 1 to {MAX_LEADS}.")
    leads = tuple(_LEADS.get(code, f"lead {place}") for place, code in enumerate(numbers[:count], start=1))
    start = moment_of(date_of(*reversed(day)), tuple(clock))
    notes = []
    if version != 1:
        notes.append(f"{path.name} is of version {version} of the format, and is read as of version 1.")
    # The standard leaves the order of the two bytes open.
    computed = binascii.crc_hqx(checked, _CRC_BEGINS)
    if checksum not in (0, computed, int.from_bytes(computed.to_bytes(2, "little"), "big")):
        notes.append(f"The header of {path.name} does not match its checksum: what it says may be wrong.")
    if start is None:
        notes.append(f"{path.name} does not say when it was recorded.")
    if remark := fact(checked[variable_at - _CHECKED_FROM :] if variable_bytes > 0 else ""):
        notes.append(f"The file remarks: {remark}")
    if pacemaker in _PACEMAKERS:
        notes.append(f"The patient has a pacemaker, {_PACEMAKERS[pacemaker]}.")
    notes += [
        f"The recorder describes lead {lead!r} as of {_BAD_QUALITIES[quality]}."
        for lead, quality in zip(leads, qualities[:count], strict=True)
        if quality in _BAD_QUALITIES
    ]
    return _Header(
        samples,
        data_at,
        patient(facts(first, last), number, SEXES.get(sex, ""), date_of(*reversed(birth))),
        start,
        leads,
        tuple(resolutions[:count]),
        facts(recorder, proprietary),
        float(rate) if rate else None,
        tuple(notes),
    )


def _count_samples(path: Path, header: _Header, partial: bool) -> tuple[int, list[str]]:
    """Return how many samples of each lead are read, and what is to be said of the others."""
    leads = len(header.leads)
    whole, rest = divmod(path.stat().st_size - header.data_at, 2 * leads)
    # Some recorders state the samples of all leads together, and some nothing.
    if not rest and header.samples in (whole, whole * leads):
        return whole, []
    if header.samples < 1:
        return whole, [f"{path.name} does not say how long it is; read are its {whole:,} whole samples of each lead."]
    stated = f"states {header.samples:,} samples of each of its {leads} leads and holds {whole:,}"
    reason = f"is cut short: it {stated}" if whole < header.samples else f"is longer than it says: it {stated}"
    if not partial:
        raise damaged(path, reason)
    return min(whole, header.samples), [f"{path.name} {reason}; read is the intact part."]


# Annotations


def _annotations_beside(path: Path, samples: int, partial: bool) -> tuple[Annotations | None, list[str]]:
    beside = next((path.with_suffix(suffix) for suffix in (".ann", ".ANN") if path.with_suffix(suffix).is_file()), None)
    if beside is None:
        return None, []
    try:
        marks = read_annotations(beside)
    except DataError as error:
        if not partial:
            raise
        return None, [f"The annotations are left out: {error}"]
    annotations = within(marks, samples)
    outside = len(marks) - len(annotations)
    doubt = f"{outside:,} of the {len(marks):,} annotations of {beside.name} lie outside of the recording."
    return annotations if len(annotations) else None, [doubt] if outside else []


def read_annotations(path: Path) -> list[Mark]:
    """Read the beats of an ``.ann`` file; a mark that is not a beat of PhysioNet's codes is a comment.

    A `DataError` if the file is something else or cut short.
    """
    content = path.read_bytes()
    if not content.startswith(ANNOTATION_MAGIC):
        raise DataError(f"{path} does not begin as annotations of a Holter recording do ({ANNOTATION_MAGIC.decode()}).")
    if len(content) < _HEADER.size + 4:
        raise DataError(f"{path} ends within its header; copy it again from its source.")
    _, _, variable_bytes, *_ = _HEADER.unpack_from(content)
    begin = _HEADER.size + max(variable_bytes, 0)
    body = content[begin + 4 :]
    if begin + 4 > len(content) or len(body) % 4:
        raise DataError(f"{path} is cut short; copy it again from its source.")
    position = int.from_bytes(content[begin : begin + 4], "little")
    marks = []
    for label, detail, step in struct.iter_unpack("<ccH", body):
        position += step
        if label != _TIMEOUT.encode():
            marks.append(_mark(position, label.decode("latin-1"), detail.decode("latin-1")))
    return marks


def _mark(position: int, label: str, detail: str) -> Mark:
    if _WRITTEN_LABELS.get(detail) == label:  # as `write_annotations` writes it
        return Mark(position, detail)
    if label in _LABELS:
        return Mark(position, _LABELS[label])
    return Mark(position, '"', 0, "calibration pulse" if label == "C" else f"annotation {label!r}")


def write_annotations(
    path: Path,
    annotations: Annotations,
    sampling_rate_hz: float,
    start: datetime | None = None,
    source: str = "",
) -> None:
    """Write beats as an ``.ann`` file, atomically; marks that are not beats have no place in it and are left out.

    The second letter of each is its PhysioNet code, which the format leaves to the program.

    A `DataError` if the sampling rate is not a whole number up to 65,535 Hz.
    """
    if not 1 <= sampling_rate_hz <= 0xFFFF or sampling_rate_hz % 1:
        raise DataError(f"{path} cannot hold {sampling_rate_hz:g} Hz; ISHNE takes whole numbers up to 65,535.")
    day = (start.day, start.month, start.year) if start else (_UNKNOWN,) * 3
    clock = (start.hour, start.minute, start.second) if start else (_UNKNOWN,) * 3
    unknown = (_UNKNOWN,) * 12
    last = int(annotations.positions[-1]) + 1 if len(annotations) else 0
    fixed = _HEADER.pack(
        *(ANNOTATION_MAGIC, 0, 0, last, _HEADER.size, _HEADER.size, 1),
        *(b"", b"", fact(Path(source).stem).encode("latin-1", "replace")[:19], 0, 0),
        *(_UNKNOWN, _UNKNOWN, _UNKNOWN, *day, _UNKNOWN, _UNKNOWN, _UNKNOWN, *clock),
        *(0, *unknown, *unknown, *unknown, 0, b"", int(sampling_rate_hz), GENERATOR.encode(), b"", b""),
    )
    checksum = binascii.crc_hqx(fixed[_CHECKED_FROM:], _CRC_BEGINS)
    body = bytearray((0).to_bytes(4, "little"))
    before = 0
    for mark in each_mark(annotations):
        label = _WRITTEN_LABELS.get(mark.symbol)
        if label is None:
            continue
        step = mark.position - before
        while step > _LONGEST_STEP:
            body += struct.pack("<ccH", _TIMEOUT.encode(), b" ", _LONGEST_STEP)
            step -= _LONGEST_STEP
        body += struct.pack("<ccH", label.encode(), mark.symbol.encode(), step)
        before = mark.position
    with atomic_path(path) as temporary:
        temporary.write_bytes(fixed[:8] + checksum.to_bytes(2, "little") + fixed[_CHECKED_FROM:] + body)
