"""GE MUSE XML (``RestingECG``): leads as base64, with the checksum of each.

GE publishes no standard; the elements are those of MUSE 7 to 9.
"""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.identity import age, calendar_date, date_of, fact, facts, moment_of, patient, reading
from ectopy.formats.leads import (
    MAX_LEADS,
    Stated,
    check_size,
    check_unit,
    damaged,
    millivolt,
    sampling_rate,
    unique_names,
)
from ectopy.formats.limb_leads import with_limb_leads
from ectopy.formats.plausibility import check_gaps, check_step
from ectopy.formats.spelling import stated_number, stated_whole_number
from ectopy.formats.xml_tree import decoded_base64, read_xml, text_at
from ectopy.recording import Patient, Recording

_UNITS = {"MICROVOLTS": "uV", "MILLIVOLTS": "mV", "VOLTS": "V", "NANOVOLTS": "nV"}
_RHYTHM, _MEDIAN = "rhythm", "median"


class _Lead(NamedTuple):
    """A lead in mV, its unit in the file, the place of its first sample, and what is wrong with it."""

    name: str
    unit: str
    first: int
    samples: NDArray[np.float32]
    defects: list[str]


def read(path: Path, stated: Stated) -> Recording:
    """Read the rhythm, not the median beats; III, aVR, aVL and aVF are computed where only I and II are stored.

    Raises
    ------
    DataError
        If the file is damaged, not whole, or has no rhythm. What is intact is read if `stated` says so.
    """
    root, notes = read_xml(path, stated.partial)
    waveforms = [(text_at(waveform, "WaveformType").casefold(), waveform) for waveform in root.iter("Waveform")]
    rhythms = [waveform for kind, waveform in waveforms if kind == _RHYTHM]
    rhythms = rhythms or [waveform for kind, waveform in waveforms if kind != _MEDIAN]
    if not rhythms or rhythms[0].find("LeadData") is None:
        kinds = ", ".join(repr(fact(kind)) for kind, _ in waveforms) or "none"
        raise DataError(f"{path} holds no rhythm; its waveforms are: {kinds}.")
    if len(waveforms) > 1:
        notes.append("Left out: median beats or other waveforms beside the rhythm.")
    waveform = rhythms[0]
    base = stated_number(path, "its sampling rate", text_at(waveform, "SampleBase"))
    exponent = stated_whole_number(path, "the exponent of its rate", text_at(waveform, "SampleExponent") or "0")
    if abs(exponent) > 9:
        raise DataError(f"{path} states a sampling rate of {base:g} times ten to the {exponent}; expected one of Hz.")
    rate = sampling_rate(path, base * 10.0**exponent, stated.sampling_rate_hz)
    elements = waveform.findall("LeadData")
    if len(elements) > MAX_LEADS:
        raise DataError(f"{path} holds {len(elements)} leads, and a recording may have {MAX_LEADS}.")
    if stated.partial:  # of a lead without samples not even the name may be whole
        elements = [element for element in elements if element.find("WaveFormData") is not None]
    if not elements:
        raise DataError(f"{path} is cut short before the samples of its first lead; copy it again from its source.")
    leads = [_lead(path, element, stated) for element in elements]
    check_unit(path, [lead.unit for lead in leads], stated.unit)
    first = min(lead.first for lead in leads)
    samples = max(lead.first + len(lead.samples) for lead in leads) - first
    check_size(path, samples, len(leads))
    check_gaps(path, samples, samples - max(len(lead.samples) for lead in leads), len(leads))
    signal = np.full((samples, len(leads)), np.nan, np.float32)
    for place, lead in enumerate(leads):
        begin = lead.first - first
        signal[begin : begin + len(lead.samples), place] = lead.samples
        notes += lead.defects
    signal, names, added = with_limb_leads(signal, unique_names([lead.name for lead in leads]))
    return Recording(
        signal,
        rate,
        names,
        _start(root),
        None,
        str(path),
        (*notes, *added, *reading(element.text for element in root.iterfind("Diagnosis/DiagnosisStatement/StmtText"))),
        patient=_patient(root),
        device=facts(*(text_at(root, f"TestDemographics/{name}") for name in ("AcquisitionDevice", "CartNumber"))),
    )


def _lead(path: Path, element: Element, stated: Stated) -> _Lead:
    name = fact(text_at(element, "LeadID")) or "lead"
    subject = f"samples of the lead {name!r}"
    if text_at(element, "LeadSampleSize") not in ("", "2"):
        raise DataError(f"{path} holds {subject} of {text_at(element, 'LeadSampleSize')} bytes; expected 2.")
    spelling = text_at(element, "LeadAmplitudeUnits").upper()
    unit = _UNITS.get(spelling, "")
    to_millivolt = millivolt(unit or ("" if spelling else stated.unit or ""))
    if to_millivolt is None and not spelling:
        raise DataError(
            f"{path} states no unit for the lead {name!r}: give V, mV or uV with unit= (--unit on the command line)."
        )
    if to_millivolt is None:
        raise DataError(
            f"{path} states the unit {fact(spelling)!r} of the lead {name!r}; expected MICROVOLTS or the like."
        )
    step = stated_number(path, f"the step of {name!r}", text_at(element, "LeadAmplitudeUnitsPerBit")) * to_millivolt
    check_step(path, name, step)
    baseline = stated_number(path, f"the baseline of {name!r}", text_at(element, "FirstSampleBaseline") or "0")
    first = stated_whole_number(path, f"the first of the {subject}", text_at(element, "LeadOffsetFirstSample") or "0")
    content = decoded_base64(path, subject, text_at(element, "WaveFormData"), stated.partial)
    samples = np.frombuffer(content[: len(content) // 2 * 2], "<i2")

    defects = []
    count = stated_whole_number(path, f"the number of {subject}", text_at(element, "LeadSampleCountTotal") or "-1")
    checksum = text_at(element, "LeadDataCRC32")
    if count >= 0 and count != len(samples):
        defects.append(f"states {count:,} {subject} and holds {len(samples):,}")
    elif checksum not in ("", "0", str(zlib.crc32(content)), str(zlib.crc32(content) - 2**32)):
        defects.append(f"holds {subject} that do not match their checksum")
    if defects and not stated.partial:
        raise damaged(path, defects[0])
    if text_at(element, "LeadOff").upper() == "TRUE":
        defects.append(f"says that the electrode of the lead {name!r} was off")
    with np.errstate(over="ignore", invalid="ignore"):  # such values are refused later
        values = ((samples.astype(np.float64) - baseline) * step).astype(np.float32)
    return _Lead(name, unit, first, values, [f"{path.name} {defect}." for defect in defects])


def _patient(root: Element) -> Patient:
    person = root.find("PatientDemographics")
    return patient(
        facts(text_at(person, "PatientFirstName"), text_at(person, "PatientLastName")),
        text_at(person, "PatientID"),
        text_at(person, "Gender"),
        _date(text_at(person, "DateofBirth")),
        age(text_at(person, "PatientAge"), text_at(person, "AgeUnits") or "years"),
    )


def _start(root: Element) -> datetime | None:
    test = root.find("TestDemographics")
    for form in ("%H:%M:%S", "%H:%M", "%I:%M:%S%p", "%I:%M%p"):
        with suppress(ValueError):
            clock = datetime.strptime(text_at(test, "AcquisitionTime").replace(" ", ""), form)
            return moment_of(_date(text_at(test, "AcquisitionDate")), (clock.hour, clock.minute, clock.second))
    return None


def _date(text: str) -> date | None:
    """A date as MUSE writes it, month, day, year; or any that is certain."""
    match = re.fullmatch(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4})", text, re.ASCII)
    return date_of(int(match[3]), int(match[1]), int(match[2])) if match else calendar_date(text)
