"""DICOM waveforms, read with the package pydicom: resting, general and ambulatory ECG.

Source: DICOM PS3.3, C.10.9 (waveform module), and PS3.10 (files).
"""

from __future__ import annotations

import io
import re
import warnings
import zlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, MissingExtraError
from ectopy.formats.annotation_codes import NOTE
from ectopy.formats.annotation_files import Mark, within
from ectopy.formats.content import format_of
from ectopy.formats.identity import age, fact, facts, hl7_moment, hl7_start, patient, reading
from ectopy.formats.leads import (
    Signal,
    Stated,
    check_size,
    check_unit,
    choose_leads,
    damaged,
    factors,
    left_out,
    sampling_rate,
    unique_names,
)
from ectopy.formats.library_errors import raising_data_error
from ectopy.formats.limb_leads import with_limb_leads
from ectopy.formats.mdc_leads import lead_name
from ectopy.formats.plausibility import check_gaps, check_step
from ectopy.formats.spelling import readable_unit
from ectopy.recording import Annotations, Patient, Recording

MAX_BYTES = 2**30
"""Largest data set, also of one that is packed (deflated)."""

MAX_CHANNELS = 1024

_DEFLATED = "1.2.840.10008.1.2.1.99"
_BEFORE_DATA = 144  # bytes of the preamble, the mark, and the length of the file's meta information
_KINDS = {"SS": "i2", "US": "u2", "SB": "i1", "UB": "u1", "SL": "i4", "UL": "u4"}
_MEDIAN = re.compile("median|average|representative", re.IGNORECASE)
_MDC_LEAD = re.compile(r"2:(\d{1,3})|5\.6\.3-9-(\d{1,3})", re.ASCII)
"""Codes of leads, in ISO/IEEE 11073 and as older files write those of SCP-ECG."""
_READ_BYTES = 2**20
_WAVEFORMS, _STANDARD = "Waveform", "1.2.840.10008."
"""Word in the name of each class of waveforms, and the begin of a class without a name, as half of one is."""
_WAVEFORM_DATA = b"\x00\x54\x10\x10"
_ENDS = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
"""Tag of the samples, and the delimiters of an item and a sequence, in a little-endian file."""


class _Group(NamedTuple):
    """Channels that were sampled together: when they begin, and their samples as they are stored."""

    number: int
    label: str
    begins_s: float
    rate_hz: float
    channels: list[Any]
    stored: NDArray[Any]


def read(path: Path, stated: Stated) -> Recording:
    """Read the leads of all groups of channels with the rate of the longest, but for those of median beats.

    A text that annotates a sample becomes a comment.

    Raises
    ------
    DataError
        If the file is an image or something else without waveforms, damaged, not whole, or too large. The whole
        samples of a file that was cut short are read if `stated` says so.
    MissingExtraError
        If pydicom is not installed.
    """
    dataset = _read_dataset(path, stated.partial)
    with (
        warnings.catch_warnings(),
        raising_data_error(f"{path} has a waveform that is damaged or cut short; copy it again from its source."),
    ):
        warnings.simplefilter("ignore")  # on values that do not matter here
        return _recording(path, dataset, stated)


def _read_dataset(path: Path, partial: bool) -> Any:
    try:
        import pydicom
    except ImportError as error:
        raise MissingExtraError.of("formats", "reading DICOM") from error
    with (
        warnings.catch_warnings(),
        raising_data_error(f"{path} is not a whole DICOM file; copy it again from its source."),
    ):
        warnings.simplefilter("ignore")
        _check_size(path)
        try:
            dataset = pydicom.dcmread(path, force=True)
        except OSError as error:
            if error.errno or not partial:  # pydicom says so, without a number, where no end of a sequence comes
                raise error if error.errno else damaged(path, "is cut short") from error
            dataset = _read_cut(path)
        kind = fact(dataset.SOPClassUID.name) if "SOPClassUID" in dataset else ""
        image, waveform = "PixelData" in dataset or "Rows" in dataset, "WaveformSequence" in dataset
    if waveform:
        return dataset
    if image:
        described = f"is DICOM with an image ({kind or 'of an unknown class'}); expected an ECG waveform"
    elif kind and _WAVEFORMS not in kind and not kind.startswith(_STANDARD):
        described = f"is DICOM without a waveform ({kind}); expected an ECG waveform"
    elif format_of(path) != "dicom":
        described = "does not begin as a DICOM file does: it is something else, or damaged"
    else:  # which stands at the end
        described = "is DICOM and ends before its waveform; it is cut short: copy it again from its source"
    raise DataError(f"{path} {described}.")


def _read_cut(path: Path) -> Any:
    """Read a data set that ends within the samples of a sequence whose length it does not state.

    pydicom reads no such sequence without its end: the samples are filled up, and what ends the item and the sequence
    is put behind them. Of samples in an other place than at the end nothing is known.
    """
    import pydicom

    content = path.read_bytes()
    place = content.rfind(_WAVEFORM_DATA)
    explicit = content[place + 4 : place + 6] in (b"OW", b"OB")
    begin = place + (12 if explicit else 8)
    end = begin + int.from_bytes(content[begin - 4 : begin], "little")
    if place < 0 or end - len(content) > MAX_BYTES:
        raise DataError(f"{path} is cut short before its samples; copy it again from its source.")
    whole = content[:end] + bytes(max(end - len(content), 0)) + _ENDS
    dataset = pydicom.dcmread(io.BytesIO(whole), force=True)
    dataset.WaveformSequence[-1].WaveformData = content[begin:end]
    return dataset


def _check_size(path: Path) -> None:
    """Raise DataError where a file, or what it unpacks to, is too large."""
    from pydicom.filereader import read_file_meta_info

    size = path.stat().st_size
    with path.open("rb") as stream:
        marked = stream.read(132)[128:] == b"DICM"
    meta = read_file_meta_info(path) if marked else None
    if meta is not None and meta.get("TransferSyntaxUID") == _DEFLATED:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        size = 0
        with path.open("rb") as stream:
            stream.seek(_BEFORE_DATA + meta.FileMetaInformationGroupLength)
            rest = stream.read(_READ_BYTES)
            while rest and not unpacker.eof and size <= MAX_BYTES:
                size += len(unpacker.decompress(rest, _READ_BYTES))
                rest = unpacker.unconsumed_tail or stream.read(_READ_BYTES)
    if size > MAX_BYTES:
        raise DataError(f"{path} has more than {MAX_BYTES >> 20:,} MiB of DICOM; no ECG has: split it.")


def _recording(path: Path, dataset: Any, stated: Stated) -> Recording:
    groups, notes = _groups(path, dataset, stated.partial)
    longest = max(groups, key=lambda group: len(group.stored))
    alike = [group for group in groups if group.rate_hz == longest.rate_hz]
    if len(alike) < len(dataset.WaveformSequence):
        notes.append("Left out: groups of channels that are median beats, or have another sampling rate.")
    channels = [(group, place) for group in alike for place in range(len(group.channels))]
    signals = [_signal(path, group, group.channels[place], stated.unit) for group, place in channels]
    leads = choose_leads(path, signals, stated.unit)
    check_unit(path, [signals[lead].unit for lead in leads], stated.unit)
    rate = sampling_rate(path, longest.rate_hz, stated.sampling_rate_hz)

    # A lead that several groups hold, one after the other, is one.
    first_s = min(group.begins_s for group in alike)
    begins = {group.number: round((group.begins_s - first_s) * rate) for group in alike}
    samples = max(begins[group.number] + len(group.stored) for group in alike)
    columns: dict[str, list[int]] = {}
    for lead, name in zip(leads, _unique_in_groups(channels, signals, leads), strict=True):
        columns.setdefault(name, []).append(lead)
    check_size(path, samples, len(columns))
    check_gaps(path, samples, samples - max(len(group.stored) for group in alike), len(columns))
    signal = np.full((samples, len(columns)), np.nan, np.float32)
    for column, members in enumerate(columns.values()):
        for lead, factor in zip(members, factors(signals, members, stated.unit), strict=True):
            group, place = channels[lead]
            values = _values(path, group, place, signals[lead].name, factor)
            begin = begins[group.number]
            empty = np.isnan(signal[begin : begin + len(values), column])
            signal[begin : begin + len(values), column][empty] = values[empty]
    signal, names, added = with_limb_leads(signal, tuple(columns))
    start = _start(dataset)
    return Recording(
        signal,
        rate,
        names,
        start and start + timedelta(seconds=first_s),
        _comments(dataset, begins, samples),
        str(path),
        (*notes, *left_out(signals, leads), *added, *reading(_statements(dataset))),
        patient=_patient(dataset),
        device=facts(*(str(dataset.get(name, "")) for name in _DEVICE)),
    )


_DEVICE = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber")


# The waveform module


def _groups(path: Path, dataset: Any, partial: bool) -> tuple[list[_Group], list[str]]:
    """The groups of channels that are not median beats, and what is to be said of them."""
    little = not hasattr(dataset, "original_encoding") or dataset.original_encoding[1] is not False
    groups: list[_Group] = []
    notes: list[str] = []
    for number, item in enumerate(dataset.WaveformSequence, start=1):
        if partial and groups and "WaveformData" not in item:
            notes.append(f"{path.name} is cut short in its group {number} of channels, which is missing.")
            continue
        label = str(item.get("MultiplexGroupLabel", ""))
        count, samples = int(item.NumberOfWaveformChannels), int(item.NumberOfWaveformSamples)
        kind = _KINDS.get(str(item.WaveformSampleInterpretation))
        if kind is None or int(item.WaveformBitsAllocated) != 8 * int(kind[1]):
            raise DataError(
                f"{path} stores samples as {fact(str(item.WaveformSampleInterpretation))!r} of "
                f"{item.WaveformBitsAllocated} bits; expected whole numbers of 8, 16 or 32 bits."
            )
        if not 1 <= count <= MAX_CHANNELS or len(item.ChannelDefinitionSequence) != count:
            raise DataError(f"{path} states {count:,} channels and describes {len(item.ChannelDefinitionSequence):,}.")
        check_size(path, samples, count)
        content = bytes(item.WaveformData)
        width = count * int(kind[1])
        whole = min(samples, len(content) // width)
        if whole < samples:
            lacking = f"states {samples:,} samples of {count} channels and holds {whole:,}"
            if not partial:
                raise damaged(path, lacking)
            notes.append(f"{path.name} {lacking}; the rest is missing.")
        if _MEDIAN.search(label):
            continue
        stored = np.frombuffer(content[: whole * width], f"{'<' if little else '>'}{kind}").reshape(whole, count)
        begins_s = float(item.get("MultiplexGroupTimeOffset", None) or 0) / 1000
        channels = list(item.ChannelDefinitionSequence)
        groups.append(_Group(number, label, begins_s, float(item.SamplingFrequency), channels, _padded(item, stored)))
    if not groups:
        raise DataError(f"{path} holds median beats only; expected a rhythm.")
    return groups, notes


def _padded(item: Any, stored: NDArray[Any]) -> NDArray[Any]:
    """The samples, NaN where they have the value that stands for none."""
    padding = item.get("WaveformPaddingValue", None)
    if padding is None:
        return stored
    content = padding if isinstance(padding, bytes) else int(padding).to_bytes(stored.itemsize, "little", signed=True)
    value = np.frombuffer(content[: stored.itemsize], stored.dtype.newbyteorder("<"))
    return np.where(stored == value, np.nan, stored) if len(value) else stored


def _signal(path: Path, group: _Group, channel: Any, unit: str | None) -> Signal:
    name = _name(channel)
    units = channel.get("ChannelSensitivityUnitsSequence", None)
    spelt = fact(str(units[0].get("CodeValue", ""))) if units else ""
    return Signal(name, readable_unit(path, name, spelt, unit), group.rate_hz)


def _name(channel: Any) -> str:
    source = channel.get("ChannelSourceSequence", None)
    code = str(source[0].get("CodeValue", "")) if source else ""
    if match := _MDC_LEAD.fullmatch(code):
        return lead_name(int(match[1] or match[2]))
    meaning = fact(str(source[0].get("CodeMeaning", ""))) if source else ""
    name = meaning or fact(str(channel.get("ChannelLabel", "")))
    return re.split(r"\s*[(,]", name.removeprefix("Lead "))[0] or "lead"  # "aVR, augmented voltage, right"


def _unique_in_groups(channels: list[tuple[_Group, int]], signals: list[Signal], leads: list[int]) -> list[str]:
    """Names of leads, numbered where one group has the same twice."""
    result: list[str] = []
    for number in dict.fromkeys(channels[lead][0].number for lead in leads):
        result += unique_names([signals[lead].name for lead in leads if channels[lead][0].number == number])
    return result


def _values(path: Path, group: _Group, place: int, name: str, factor: float) -> NDArray[np.float32]:
    """A channel in mV: the stored samples times the sensitivity and its correction, and the baseline."""
    channel = group.channels[place]
    step = float(channel.get("ChannelSensitivity", 1)) * float(
        channel.get("ChannelSensitivityCorrectionFactor", 1) or 1
    )
    check_step(path, name, step * factor)
    baseline = float(channel.get("ChannelBaseline", 0) or 0)
    with np.errstate(over="ignore", invalid="ignore"):  # such values are refused later
        return ((group.stored[:, place] * step + baseline) * factor).astype(np.float32)


def _statements(dataset: Any) -> list[str]:
    """Texts that annotate the whole recording."""
    return [
        str(item.get("UnformattedTextValue", ""))
        for item in dataset.get("WaveformAnnotationSequence", None) or ()
        if item.get("ReferencedSamplePositions", None) is None
    ]


def _comments(dataset: Any, begins: dict[int, int], samples: int) -> Annotations | None:
    """Texts that annotate a sample, which are counted from 1 within their group."""
    marks = []
    for item in dataset.get("WaveformAnnotationSequence", None) or ():
        text = fact(str(item.get("UnformattedTextValue", "")))
        positions = item.get("ReferencedSamplePositions", None)
        group = (item.get("ReferencedWaveformChannels", None) or [1])[0]
        if text and positions is not None and group in begins:
            first = positions if isinstance(positions, int) else positions[0]
            marks.append(Mark(begins[group] + int(first) - 1, NOTE, 0, text))
    annotations = within(marks, samples)
    return annotations if len(annotations) else None


# Patient and time


def _start(dataset: Any) -> datetime | None:
    moments = [str(dataset.get("AcquisitionDateTime", ""))]
    moments += [
        f"{dataset.get(f'{of}Date', '') or ''}{dataset.get(f'{of}Time', '') or ''}"
        for of in ("Acquisition", "Content", "Series", "Study")
    ]
    return next(filter(None, map(hl7_start, moments)), None)


def _patient(dataset: Any) -> Patient:
    name = dataset.get("PatientName", "")
    parts = (getattr(name, part, "") for part in ("given_name", "middle_name", "family_name"))
    years = re.fullmatch(r"(\d{3})([DWMY])", str(dataset.get("PatientAge", "")), re.ASCII)
    born = hl7_moment(str(dataset.get("PatientBirthDate", "")))
    return patient(
        facts(*parts),
        str(dataset.get("PatientID", "")),
        str(dataset.get("PatientSex", "")),
        born.date() if born else None,
        age(years[1], years[2]) if years else None,
    )
