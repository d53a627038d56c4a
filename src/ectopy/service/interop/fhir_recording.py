"""Results of an analysed recording as a Bundle of HL7 FHIR R4: a preliminary report, its figures, families and events.

Source: https://hl7.org/fhir/R4/diagnosticreport.html and those of `ectopy.service.interop.fhir`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import PurePath
from typing import Any
from uuid import uuid5

from ectopy.analysis import Analysis
from ectopy.analysis.beat_families import BeatFamily, find_families
from ectopy.analysis.recording_results import summary
from ectopy.analysis.rhythm_events import EVENT_TITLES, Event
from ectopy.recording import Recording
from ectopy.service.interop.fhir import (
    CONDITION_SYSTEM,
    LOINC,
    PROCEDURE,
    UCUM,
    VITAL_SIGNS,
    Resource,
    coding,
    concept,
    lead_concept,
    observation,
    sampled_data,
)
from ectopy.signal import ANALYSIS_RATE_HZ


def recording_bundle(
    recording: Recording, analysis: Analysis, events: Sequence[Event], conclusion: str = ""
) -> Resource:
    """Return a report with Observations: rate, beats of each kind, rhythms, each hour, family of beats and event.

    A family has the times of its first and last beat and the mean shape in each lead. Single beats are in no Bundle:
    a day has 100,000.

    Times within the recording are seconds from its first sample. Recorders do not say in which time zone their clock
    is: where the start has none, the report has only its date. Before the statements of what Ectopy is not comes the
    conclusion that a person wrote.
    """
    figures = summary(recording, analysis, events)
    person = recording.patient.identifier or PurePath(recording.source).stem or "unknown"
    when = _when(recording)
    rate = figures["median_rate_bpm"]
    results = [
        observation(
            "heart-rate",
            person,
            0.0,
            VITAL_SIGNS,
            {"coding": [coding(LOINC, "8867-4", "Heart rate")], "text": "Median heart rate"},
            **when,
            **({} if rate is None else {"valueQuantity": _quantity(rate, "beats/minute", "/min")}),
        ),
        *(
            observation(f"beats-{number}", person, 0.0, PROCEDURE, {"text": title}, **when, valueInteger=int(count))
            for number, (title, count) in enumerate(_counts(figures).items())
        ),
        *(
            observation(f"figure-{number}", person, 0.0, PROCEDURE, {"text": title}, **when, valueQuantity=value)
            for number, (title, value) in enumerate(_amounts(figures["holter"]).items())
        ),
        observation(
            "rhythm", person, 0.0, PROCEDURE, {"text": "Rhythms"}, **when, component=_rhythms(figures["holter"])
        ),
        *(_hour(person, hour, when) for hour in figures["holter"]["hours"]),
        *(
            _family(person, number, family, recording, analysis, when)
            for number, family in enumerate(find_families(analysis.beats, analysis.hint), start=1)
        ),
        *(_event(person, number, event, recording, when) for number, event in enumerate(events)),
    ]
    report = {
        "resourceType": "DiagnosticReport",
        "id": "report",
        "status": "preliminary",
        "code": concept(LOINC, "11524-6", "EKG study"),
        "subject": results[0]["subject"],
        **when,
        "result": [{"reference": _urn(result)} for result in results],
        "conclusion": " ".join(filter(None, [conclusion, *figures["statements"]])),
    }
    subject: Resource = {"type": "Patient", "identifier": {"value": person}}
    if recording.patient.name:
        subject["display"] = recording.patient.name
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": _urn(resource), "resource": {**resource, "subject": subject}} for resource in (report, *results)
        ],
    }


def _rhythms(holter: Mapping[str, Any]) -> list[Resource]:
    shares = holter["rhythms"] or {"unknown rhythm": 100.0}
    return [_part(f"Time in {rhythm}", _quantity(share, "%", "%")) for rhythm, share in shares.items()]


def _hour(person: str, hour: Mapping[str, Any], when: Resource) -> Resource:
    beats, rate = hour["beats"], hour["rate"]
    components = [
        _part("Begins after", _quantity(hour["start_s"], "s", "s")),
        _part("Beats", beats["total"]),
        _part("Ventricular beats", beats["ventricular"]),
        _part("Supraventricular beats", beats["supraventricular"]),
    ]
    rates = {"Lowest": rate["minimum_bpm"], "Mean": rate["mean_bpm"], "Highest": rate["maximum_bpm"]}
    components += [
        _part(f"{name} heart rate", _quantity(bpm, "beats/minute", "/min")) for name, bpm in rates.items() if bpm
    ]
    return observation("hour", person, hour["start_s"], PROCEDURE, {"text": "Hour"}, **when, component=components)


def _family(
    person: str, number: int, family: BeatFamily, recording: Recording, analysis: Analysis, when: Resource
) -> Resource:
    times_s = analysis.beats.times_s[family.rows]
    components = [
        _part("First beat after", _quantity(float(times_s[0]), "s", "s")),
        _part("Last beat after", _quantity(float(times_s[-1]), "s", "s")),
    ]
    components += [
        {"code": lead_concept(lead), "valueSampledData": sampled_data(mean_mv, ANALYSIS_RATE_HZ)}
        for lead, mean_mv in zip(recording.leads, family.mean_mv, strict=True)
    ]
    code = {"text": f"Family {number} of beats: {family.hint.value or 'normal'}"}
    return observation(
        f"family-{number}", person, 0.0, PROCEDURE, code, **when, valueInteger=len(family), component=components
    )


def _event(person: str, number: int, event: Event, recording: Recording, when: Resource) -> Resource:
    start = recording.start
    period = when
    if start is not None and start.tzinfo is not None:
        begin, end = (start + timedelta(seconds=seconds) for seconds in (event.start_s, event.end_s))
        period = {"effectivePeriod": {"start": begin.isoformat(), "end": end.isoformat()}}
    title = EVENT_TITLES.get(event.kind, event.kind)
    components = [
        _part("Begins after", _quantity(event.start_s, "s", "s")),
        _part("Duration", _quantity(event.end_s - event.start_s, "s", "s")),
    ]
    if event.rate_bpm is not None:
        components.append(_part("Rate", _quantity(event.rate_bpm, "beats/minute", "/min")))
    if event.coupling_s is not None:
        components.append(_part("Coupling interval", _quantity(event.coupling_s, "s", "s")))
    components.append(_part("Beats", event.beats))
    code = {"coding": [coding(CONDITION_SYSTEM.urn, event.kind.replace(" ", "-"), title)], "text": title}
    return observation(
        f"event-{number}",
        person,
        event.start_s,
        PROCEDURE,
        code,
        **period,
        valueString=event.text,
        component=components,
    )


def _counts(figures: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of beats: all, the abnormal ones, and those with each hint."""
    hints = {f"{hint} beats".capitalize(): count for hint, count in figures["hints"].items()}
    return {"Beats": figures["beats"], "Abnormal beats": figures["abnormal"], **hints}


def _amounts(holter: Mapping[str, Any]) -> dict[str, Resource]:
    """Figures of a Holter report that are known, by `ectopy.analysis.holter_figures`."""
    rate, pauses, variability = holter["rate"], holter["pauses"], holter["variability"]["whole"]
    window = f"heart rate over {rate['window_s']:g} s"
    amounts = {
        f"Lowest {window}": (rate["minimum_bpm"], "beats/minute", "/min"),
        "Mean heart rate": (rate["mean_bpm"], "beats/minute", "/min"),
        f"Highest {window}": (rate["maximum_bpm"], "beats/minute", "/min"),
        "Longest RR interval": (pauses["longest_rr_s"], "s", "s"),
        "Burden of atrial fibrillation": (holter["atrial_fibrillation"]["burden_percent"], "%", "%"),
        "SDNN": (variability["sdnn_ms"], "ms", "ms"),
    }
    return {title: _quantity(*amount) for title, amount in amounts.items() if amount[0] is not None}


def _when(recording: Recording) -> Resource:
    start = recording.start
    if start is None:
        return {}
    return {"effectiveDateTime": start.isoformat() if start.tzinfo else start.date().isoformat()}


def _part(text: str, value: Resource | int) -> Resource:
    """A component of an Observation: a number of something, or a quantity."""
    return {"code": {"text": text}, "valueInteger" if isinstance(value, int) else "valueQuantity": value}


def _quantity(value: float, unit: str, code: str) -> Resource:
    return {"value": round(value, 3), "unit": unit, "system": UCUM, "code": code}


def _urn(resource: Resource) -> str:
    return uuid5(CONDITION_SYSTEM, str(resource["id"])).urn
