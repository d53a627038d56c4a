"""Philips Sierra XML (``restingecgdata``), versions 1.03 and 1.04: all leads in one text, as a rule compressed (XLI).

Philips publishes no standard; the package sierraecg knows the compression, and the schema of version 1.03
(SierraECG.xsd) the encodings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, MissingExtraError
from ectopy.formats.calibration_pulse import pulse_note
from ectopy.formats.identity import age, date_of, fact, facts, moment_of, patient, reading
from ectopy.formats.leads import MAX_LEADS, Stated, check_size, check_unit, damaged, sampling_rate, unique_names
from ectopy.formats.library_errors import raising_data_error
from ectopy.formats.plausibility import check_step
from ectopy.formats.spelling import stated_number, stated_whole_number
from ectopy.formats.xml_tree import decoded_base64, read_xml, text_at, value_at
from ectopy.recording import Patient, Recording

VERSIONS = ("1.03", "1.04", "1.04.01", "1.04.02")
MAX_SAMPLES = 2**21
"""Most samples of a lead: a resting ECG has a few thousand, and XLI is unpacked one by one."""

_STANDARD_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_STANDARD_SYSTEMS = ("STD-12", "10-WIRE")
_XLI_HEADER_BYTES = 8


def read(path: Path, stated: Stated) -> Recording:
    """Read the rhythm.

    Raises
    ------
    DataError
        If the file is of another version, damaged, not whole, or unpacks to more than it states. What is intact is
        read if `stated` says so.
    MissingExtraError
        If sierraecg is not installed.
    """
    root, notes = read_xml(path, stated.partial)
    kind, version = (fact(text_at(root, f"documentinfo/{name}")) for name in ("documenttype", "documentversion"))
    if kind not in ("SierraECG", "PhilipsECG") or version not in VERSIONS:
        raise DataError(
            f"{path} is of type {kind or 'unknown'!r} and version {version or 'unknown'!r}; Sierra XML is read in the "
            f"versions {', '.join(VERSIONS)}."
        )
    acquisition, waveforms = root.find("dataacquisition"), root.find(".//parsedwaveforms")
    if acquisition is None or waveforms is None:
        raise DataError(f"{path} holds no rhythm (parsedwaveforms); expected a whole Sierra file.")
    traits = acquisition.find("signalcharacteristics")
    rate_hz = stated_number(path, "its sampling rate", text_at(traits, "samplingrate"))
    check_unit(path, ["uV"], stated.unit)
    rate = sampling_rate(path, rate_hz, stated.sampling_rate_hz)
    step_uv = stated_number(path, "its step", text_at(traits, "signalresolution") or text_at(traits, "resolution"))
    check_step(path, "I", step_uv * 1e-3)
    offset = stated_number(path, "its offset", text_at(traits, "signaloffset") or "0")
    names = _names(path, traits, waveforms)
    duration_ms = stated_number(path, "its length in ms", waveforms.get("durationperchannel", ""))
    samples = round(duration_ms * rate / 1000)
    if samples > MAX_SAMPLES:
        raise DataError(f"{path} states {samples:,} samples of each lead; expected up to {MAX_SAMPLES:,}.")
    check_size(path, samples, len(names))
    packed = _is_packed(path, waveforms)
    if packed:
        parts = _unpack(path, _content(path, waveforms, stated.partial), samples)
    else:
        parts = _one_after_another(_plain_counts(path, waveforms, samples * len(names), stated.partial), samples)

    counts = np.full((samples, len(names)), np.nan)
    for place, part in zip(range(len(names)), parts, strict=False):
        counts[: len(part), place] = part[:samples]
    if packed or not _has_whole_limb_leads(counts, names):
        _undo_redundancy(counts, names)
    if np.isnan(counts).any():
        lacking = f"states {samples:,} samples of {len(names)} leads and does not hold them"
        if not stated.partial:
            raise damaged(path, lacking)
        notes.append(f"{path.name} {lacking}; the rest is missing.")
    with np.errstate(over="ignore", invalid="ignore"):  # such values are refused later
        signal = ((counts - offset) * (step_uv * 1e-3)).astype(np.float32)
    notes += pulse_note(signal, rate)
    day = _date(acquisition.get("date", ""))
    clock = re.fullmatch(r"(\d\d):(\d\d):(\d\d)", acquisition.get("time", ""), re.ASCII)
    return Recording(
        signal,
        rate,
        unique_names(names),
        moment_of(day, (int(clock[1]), int(clock[2]), int(clock[3]))) if clock else None,
        None,
        str(path),
        (*notes, *reading(element.text for element in root.iter("leftstatement"))),
        patient=_patient(root),
        device=_device(acquisition),
    )


def _names(path: Path, traits: Element | None, waveforms: Element) -> tuple[str, ...]:
    """The leads: as version 1.04 names them, or the twelve of the standard."""
    if labels := waveforms.get("leadlabels", "").split():
        count = stated_whole_number(path, "the number of leads", waveforms.get("numberofleads") or str(len(labels)))
        names = tuple(fact(label) or "lead" for label in labels[: max(count, 0)])
    else:
        count = stated_whole_number(path, "the number of leads", text_at(traits, "numberchannelsallocated"))
        standard = _STANDARD_LEADS if text_at(traits, "acquisitiontype") in _STANDARD_SYSTEMS else ()
        valid = stated_whole_number(
            path, "the number of valid leads", text_at(traits, "numberchannelsvalid") or str(count)
        )
        count = min(count, max(valid, len(standard)))  # the others are reserved, and empty
        names = tuple([*standard, *(f"lead {place}" for place in range(1, MAX_LEADS + 2))][: max(count, 0)])
    if not 1 <= len(names) <= MAX_LEADS:
        raise DataError(f"{path} states {count} leads; expected 1 to {MAX_LEADS}.")
    return names


def _is_packed(path: Path, waveforms: Element) -> bool:
    """Return whether the samples are compressed; version 1.03 names the method also where they are not."""
    method = waveforms.get("compression") or waveforms.get("compressmethod") or "Uncompressed"
    if method not in ("XLI", "Uncompressed"):
        raise DataError(f"{path} holds samples compressed by {fact(method)!r}; expected XLI.")
    return method == "XLI" and waveforms.get("compressflag", "True").casefold() != "false"


def _content(path: Path, waveforms: Element, partial: bool) -> bytes:
    encoding = waveforms.get("dataencoding", "Base64")
    if encoding != "Base64":
        raise DataError(f"{path} holds samples encoded as {fact(encoding)!r}; expected Base64.")
    return decoded_base64(path, "samples", waveforms.text or "", partial)


def _plain_counts(path: Path, waveforms: Element, expected: int, partial: bool) -> NDArray[np.float64]:
    """Samples that are not compressed: as numbers in words of 16 bits, or as text."""
    if waveforms.get("dataencoding") != "Plain":
        content = _content(path, waveforms, partial)
        return np.frombuffer(content[: len(content) // 2 * 2], "<i2").astype(np.float64)
    words = (waveforms.text or "").split()
    if partial and len(words) < expected:  # the last number may lack digits
        words = words[:-1]
    try:
        return np.array(words, np.int64).astype(np.float64)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path} holds samples that are not whole numbers; copy it again from its source.") from error


def _one_after_another(counts: NDArray[np.float64], samples: int) -> Iterator[NDArray[np.float64]]:
    """The samples of one lead after the other."""
    return (counts[begin : begin + samples] for begin in range(0, len(counts), samples))


def _unpack(path: Path, content: bytes, samples: int) -> Iterator[NDArray[np.float64]]:
    """Unpack XLI, lead by lead, and no more than the samples that are stated.

    Each lead has a header with the length of its codes and its first value; LZW codes of ten bits give the high bytes
    of all samples and then the low ones, and these second differences.
    """
    try:
        from sierraecg.lzw import LzwDecoder
        from sierraecg.xli import xli_decode_deltas
    except ImportError as error:
        raise MissingExtraError.of("formats", "reading Philips Sierra XML") from error
    place = 0
    while place + _XLI_HEADER_BYTES <= len(content):
        size = int.from_bytes(content[place : place + 4], "little")
        first = int.from_bytes(content[place + 6 : place + 8], "little", signed=True)
        place += _XLI_HEADER_BYTES
        decoder = LzwDecoder(content[place : place + size], bits=10)
        place += size
        unpacked: list[int] = []
        with raising_data_error(f"{path} holds compressed samples that are damaged; copy it again from its source."):
            while len(unpacked) <= 2 * samples + 1 and (byte := decoder.read()) >= 0:
                unpacked.append(byte)
            if len(unpacked) > 2 * samples + 1:
                raise DataError(f"{path} unpacks to more samples than the {samples:,} that it states.")
            whole = len(unpacked) == 2 * samples
            counts = xli_decode_deltas([*unpacked, *[0] * (len(unpacked) % 2)], first) if whole else np.empty(0)
        yield counts.astype(np.float64)


def _has_whole_limb_leads(counts: NDArray[np.float64], names: tuple[str, ...]) -> bool:
    """Return whether lead III is stored as it is: nearer to what I and II say of it than to nothing."""
    if names[:3] != _STANDARD_LEADS[:3]:
        return False
    first, second, third = counts[:, :3].T
    return bool(np.nansum(np.abs(third - (second - first))) < np.nansum(np.abs(third)))


def _undo_redundancy(counts: NDArray[np.float64], names: tuple[str, ...]) -> None:
    """Restore the limb leads, of which only the difference from what I and II say is stored."""
    if names[:6] != _STANDARD_LEADS[:6]:
        return
    first, second, third, right, left, foot = counts[:, :6].T
    counts[:, 2] = second - first - third
    counts[:, 3] = -right - np.floor((first + second) / 2)
    counts[:, 4] = np.floor((first - third) / 2) - left
    counts[:, 5] = np.floor((second + third) / 2) - foot


def _patient(root: Element) -> Patient:
    person = root.find("patient/generalpatientdata")
    return patient(
        facts(*(text_at(person, f"name/{part}") for part in ("firstname", "middlename", "lastname"))),
        text_at(person, "patientid") or text_at(person, "MRN"),
        text_at(person, "sex"),
        _date(text_at(person, "age/dateofbirth")),
        age(text_at(person, "age/years")),
    )


def _device(acquisition: Element) -> str:
    return facts(
        text_at(acquisition, "machine"),
        value_at(acquisition, "machine", "detaildescription"),
        value_at(acquisition, "machine", "machineid"),
    )


def _date(text: str) -> date | None:
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text.strip(), re.ASCII)
    return date_of(int(match[1]), int(match[2]), int(match[3])) if match else None
