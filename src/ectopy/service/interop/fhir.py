"""Signal, pulse waves, heart rate and alarms as resources of HL7 FHIR R4; pure functions to JSON as Python has it.

A patient is named by a logical reference, an identifier without a server: Ectopy keeps no Patient resources. The strip
of an alarm is contained in its DetectedIssue.

Sources: https://hl7.org/fhir/R4/observation.html, detectedissue.html, capabilitystatement.html,
datatypes.html#SampledData and bundle.html beside it. No conformity to a profile is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from math import floor, log10
from typing import Any
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from ectopy import __version__
from ectopy.disclaimers import STATEMENT
from ectopy.formats.pulse_channels import MOST_PULSE_VALUE, PRESSURE_UNIT, is_pressure_name
from ectopy.monitor.alarm import Phase
from ectopy.monitor.alarm_json import AlarmJson
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.inputs import PulseChunk
from ectopy.presentation import iso_utc
from ectopy.service.interop.nomenclature import (
    ARTERIAL_PRESSURE,
    ECG,
    HEART_RATE,
    MDC_URI,
    PLETHYSMOGRAM,
    Code,
    event_code,
    lead_code,
)
from ectopy.service.storage import Waveform

Resource = dict[str, Any]

MEDIA_TYPE = "application/fhir+json"
LIMIT_MV = 1000.0
"""Beyond this limit a sample is not an ECG: the monitor rejects it, and here it becomes ``U`` or ``L``."""
MV_PER_COUNT = 0.001

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
CONDITION_SYSTEM = UUID("5c2b0c0e-2b6a-4d52-9b0f-5f1f9b1c7a64")
"""Code system of Ectopy's conditions, and namespace of the identifiers made here."""

_DIGITS = 4  # of a pulse wave, after the first
_SEVERITY = {"high": "high", "medium": "moderate", "low": "low"}
PROCEDURE, VITAL_SIGNS = ("procedure", "Procedure"), ("vital-signs", "Vital Signs")
_STRIP = "strip"
_SEARCHED_BY = {
    "Observation": {"patient": "reference", "code": "token", "date": "date"},
    "DetectedIssue": {"patient": "reference"},
}


def sampled_data(samples_mv: NDArray[np.floating], sampling_rate_hz: float) -> Resource:
    """Return samples as SampledData, in counts of a microvolt; its limits are in the unit of the origin, millivolt.

    `samples_mv` has the shape (n,); NaN becomes ``E``.
    """
    origin = {"value": 0, "unit": "mV", "system": UCUM, "code": "mV"}
    return _sampled(np.asarray(samples_mv, np.float64), sampling_rate_hz, origin, MV_PER_COUNT, LIMIT_MV)


def _sampled(
    samples: NDArray[np.float64], sampling_rate_hz: float, origin: Resource, factor: float, limit: float
) -> Resource:
    with np.errstate(invalid="ignore"):
        counts = np.round(np.nan_to_num(np.clip(samples, -limit, limit)) / factor).astype(np.int64)
        marks = np.select([np.isnan(samples), samples > limit, samples < -limit], ["E", "U", "L"], "")
    values = np.where(marks == "", counts.astype(str), marks)
    return {
        "origin": origin,
        "period": 1000.0 / sampling_rate_hz,
        "factor": factor,
        "lowerLimit": -limit,
        "upperLimit": limit,
        "dimensions": 1,
        "data": " ".join(values.tolist()),
    }


def ecg(patient: str, waveform: Waveform, start: float) -> Resource:
    """Return a segment of at least one sample as Observation, one component for each lead.

    `start` is the time of its first sample, seconds since 1970.
    """
    rate_hz = waveform.sampling_rate_hz
    study = {"coding": [coding(LOINC, "11524-6", "EKG study"), _mdc(ECG)], "text": "ECG"}
    components = [
        {"code": lead_concept(lead), "valueSampledData": sampled_data(waveform.signal[:, column], rate_hz)}
        for column, lead in enumerate(waveform.leads)
    ]
    period = _period(start, len(waveform.signal), rate_hz)
    return observation("ecg", patient, start, PROCEDURE, study, **period, component=components)


def pulse_wave(patient: str, wave: PulseChunk, start: float) -> Resource:
    """Return at least one sample of a pulse wave as Observation, in counts of about 1/10,000 of the largest value.

    `start` is the time of its first sample, seconds since 1970.
    """
    samples = wave.samples.astype(np.float64)
    largest = float(np.max(np.abs(samples), initial=0.0, where=np.isfinite(samples)))
    factor = 10.0 ** (floor(log10(largest)) - _DIGITS) if largest > 0.0 else 1.0
    pressure = wave.unit == PRESSURE_UNIT
    unit = {"unit": "mmHg", "code": "mm[Hg]"} if pressure else {"unit": "no unit", "code": "1"}
    origin = {"value": 0, "system": UCUM, **unit}
    code = ARTERIAL_PRESSURE if pressure or is_pressure_name(wave.name) else PLETHYSMOGRAM
    kind = f"pulse-{sha256(wave.name.encode()).hexdigest()[:8]}"
    concept = {"coding": [_mdc(code)], "text": wave.name}
    period = _period(start, len(samples), wave.sampling_rate_hz)
    data = _sampled(samples, wave.sampling_rate_hz, origin, factor, MOST_PULSE_VALUE)
    return observation(kind, patient, start, PROCEDURE, concept, **period, valueSampledData=data)


def pulse_waves(patient: str, waveform: Waveform, start: float) -> list[Resource]:
    """Return the pulse waves of a segment as Observations; `start` is the time of its first sample of ECG."""
    begin_s = waveform.position / waveform.sampling_rate_hz
    return [
        pulse_wave(patient, wave, start + wave.position / wave.sampling_rate_hz - begin_s)
        for wave in waveform.pulses
        if len(wave.samples)
    ]


def heart_rate(patient: str, rate_bpm: float | None, at: float) -> Resource:
    """Return a heart rate, or that it is unknown, as Observation; `at` is its time, seconds since 1970."""
    value: Resource = (
        {"dataAbsentReason": concept(_ABSENT, "unknown", "Unknown")}
        if rate_bpm is None
        else {"valueQuantity": {"value": round(rate_bpm, 1), "unit": "beats/minute", "system": UCUM, "code": "/min"}}
    )
    code = {"coding": [coding(LOINC, "8867-4", "Heart rate"), _mdc(HEART_RATE)], "text": "Heart rate"}
    return observation("heart-rate", patient, at, VITAL_SIGNS, code, effectiveDateTime=iso_utc(at), **value)


def observation(
    kind: str, patient: str, at: float, category: tuple[str, str], code: Resource, **fields: object
) -> Resource:
    """Return an Observation of Ectopy; kind, patient and `at`, seconds, make its id."""
    return {
        "resourceType": "Observation",
        "id": _id(kind, patient, at),
        "status": "final",
        "category": [concept(_CATEGORIES, *category)],
        "code": code,
        "subject": _patient(patient),
        "device": _software(),
        "note": [{"text": STATEMENT}],
        **fields,
    }


def _period(start: float, samples: int, rate_hz: float) -> Resource:
    return {"effectivePeriod": {"start": iso_utc(start), "end": iso_utc(start + (samples - 1) / rate_hz)}}


def detected_issue(alarm: AlarmJson, strips: Sequence[Resource] = ()) -> Resource:
    """Return an alarm as DetectedIssue, preliminary until it has ended.

    `strips` are the signal of the alarm, from `ecg`, and the pulse waves of that time; the result contains them.
    """
    condition = CONDITIONS[alarm["condition"]]
    evidence: Resource = {"code": [{"text": alarm["text"] or condition.definition}]}
    contained: Resource = {}
    if strips:
        names = [_STRIP, *(f"{_STRIP}-{number}" for number in range(2, len(strips) + 1))]
        references = [{"reference": f"#{name}"} for name in names]
        evidence["detail"] = references
        contained = {
            "contained": [{**strip, "id": name} for strip, name in zip(strips, names, strict=True)],
            "implicated": references,
        }
    acknowledged = {"action": {"text": "Acknowledged"}, "author": {"display": alarm["acknowledged_by"]}}
    return {
        "resourceType": "DetectedIssue",
        "id": _id("alarm", alarm["patient"], alarm["number"]),
        "identifier": [{"value": f"{alarm['patient']}/{alarm['number']}"}],
        "status": "final" if alarm["phase"] == Phase.END else "preliminary",
        "code": {
            "coding": [coding(CONDITION_SYSTEM.urn, condition.code, condition.title), _mdc(event_code(condition))],
            "text": condition.title,
        },
        "severity": _SEVERITY[alarm["priority"]],
        "patient": _patient(alarm["patient"]),
        "author": _software(),
        "evidence": [evidence],
        "detail": " ".join((f"{condition.title}: {condition.definition}.", alarm["text"], STATEMENT)),
        **({} if alarm["onset_time"] is None else {"identifiedDateTime": iso_utc(alarm["onset_time"])}),
        **contained,
        **({"mitigation": [acknowledged]} if alarm["acknowledged_by"] else {}),
    }


def searchset(resources: Sequence[Resource], url: str, total: int, next_url: str | None = None) -> Resource:
    """Return resources as the answer to a search at `url`, which has `total` of them on all pages."""
    links: list[Resource] = [{"relation": "self", "url": url}, {"relation": "next", "url": next_url}]
    entries = [
        {"fullUrl": uuid5(CONDITION_SYSTEM, resource["id"]).urn, "resource": resource, "search": {"mode": "match"}}
        for resource in resources
    ]
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": total,
        "link": [link for link in links if link["url"]],
        **({"entry": entries} if entries else {}),  # FHIR has no empty arrays
    }


def capabilities(url: str, at: float) -> Resource:
    """Return the resources and searches at `url` as CapabilityStatement of the time `at`, seconds since 1970."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": iso_utc(at),
        "kind": "instance",
        "software": {"name": "Ectopy", "version": __version__},
        "implementation": {"description": STATEMENT, "url": url},
        "fhirVersion": "4.0.1",
        "format": [MEDIA_TYPE],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "A key with the scope 'view', as Authorization: Bearer KEY."},
                "resource": [
                    {
                        "type": kind,
                        "interaction": [{"code": "search-type"}],
                        "searchParam": [{"name": name, "type": type_} for name, type_ in parameters.items()],
                    }
                    for kind, parameters in _SEARCHED_BY.items()
                ],
            }
        ],
    }


def _id(kind: str, patient: str, number: float) -> str:
    """Return an identifier of characters that FHIR allows; a patient's id may have others."""
    return f"{kind}-{sha256(patient.encode()).hexdigest()[:16]}-{f'{number:.3f}'.removesuffix('.000')}"


def _patient(patient: str) -> Resource:
    return {"type": "Patient", "identifier": {"value": patient}}


def _software() -> Resource:
    return {"display": f"Ectopy {__version__}"}


def lead_concept(lead: str) -> Resource:
    """Return a lead as CodeableConcept, with its code where it has one."""
    code = lead_code(lead)
    return {"coding": [_mdc(code)], "text": lead} if code else {"text": lead}


def concept(system: str, code: str, display: str) -> Resource:
    """Return a CodeableConcept with one coding."""
    return {"coding": [coding(system, code, display)]}


def _mdc(code: Code) -> Resource:
    return coding(MDC_URI, str(code.code), code.name)


def coding(system: str, code: str, display: str) -> Resource:
    """Return a Coding."""
    return {"system": system, "code": code, "display": display}
