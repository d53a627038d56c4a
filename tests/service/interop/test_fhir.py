"""Resources of FHIR R4, by the rules of https://hl7.org/fhir/R4."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ectopy.disclaimers import NOT_A_DEVICE
from ectopy.monitor.alarm import AlarmState, Phase
from ectopy.monitor.conditions import CONDITIONS, Priority
from ectopy.monitor.inputs import PulseChunk
from ectopy.presentation import iso_utc
from ectopy.service.interop import fhir
from ectopy.service.interop.nomenclature import MDC_URI, lead_code
from ectopy.service.storage import Waveform
from support.stored_alarms import NOW, stored

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def waveform(*columns: list[float], leads: tuple[str, ...] = ("MLII", "V1")) -> Waveform:
    return Waveform(7, np.array(columns, np.float32).T, 250.0, leads)


STRIP = fhir.ecg("p/1 ü", waveform([0.0], [0.0]), NOW + 90)
PULSE = fhir.pulse_wave("p/1 ü", PulseChunk("PLETH", "NU", 62.5, 0, np.array([0.5, 0.75], np.float32)), NOW + 90)


# SampledData


@given(
    arrays(np.float64, st.integers(1, 200), elements=st.floats(-1000, 1000) | st.just(np.nan)),
    st.sampled_from([100, 128, 130, 250, 257, 360, 500, 1000]),
)
def test_sampled_data_gives_the_samples_back_within_half_a_count(samples, rate_hz):
    data = fhir.sampled_data(samples, rate_hz)
    words = data["data"].split(" ")
    assert len(words) == len(samples) * data["dimensions"]
    values = [np.nan if word == "E" else data["origin"]["value"] + data["factor"] * float(word) for word in words]
    assert np.allclose(values, samples, rtol=0, atol=data["factor"] * 0.501, equal_nan=True)
    assert data["period"] * rate_hz == pytest.approx(1000)


def test_sampled_data_says_what_lies_beyond_its_limits():
    data = fhir.sampled_data(np.array([0.0015, np.inf, 1000.5, -np.inf, -1001, np.nan, 1000, -1000]), 250)
    assert data["data"] == "2 U U L L E 1000000 -1000000"
    assert (data["lowerLimit"], data["upperLimit"]) == (-1000, 1000)
    assert data["origin"] == {"value": 0, "unit": "mV", "system": "http://unitsofmeasure.org", "code": "mV"}


def test_sampled_data_holds_only_what_the_format_allows():
    data = fhir.sampled_data(np.random.default_rng(0).normal(size=1000), 250)
    assert re.fullmatch(r"(-?\d+|E|U|L)( (-?\d+|E|U|L))*", data["data"])


# Observation


def test_ecg_has_a_component_for_each_lead():
    resource = fhir.ecg("p", waveform([0.0, 1.0, np.nan], [0.5, np.nan, -0.5]), NOW)
    assert resource["code"]["coding"][0] == {"system": "http://loinc.org", "code": "11524-6", "display": "EKG study"}
    assert resource["effectivePeriod"] == {"start": "2023-11-14T22:13:20.250Z", "end": "2023-11-14T22:13:20.258Z"}
    first, second = resource["component"]
    assert first["code"] == {"text": "MLII"}
    assert second["code"]["coding"] == [{"system": MDC_URI, "code": "131331", "display": "MDC_ECG_ELEC_POTL_V1"}]
    assert first["valueSampledData"]["data"] == "0 1000 E"
    assert second["valueSampledData"]["data"] == "500 E -500"
    require_observation(resource)


def test_a_pulse_wave_is_an_observation_at_its_own_rate_and_time():
    samples = np.array([80.25, 120.5, np.nan, -3.0], np.float32)
    stretch = replace(waveform([0.0], [0.0]), pulses=(PulseChunk("ABP", "mmHg", 125.0, 5, samples),))
    (resource,) = fhir.pulse_waves("p", stretch, NOW)
    # The ECG begins at 7 / 250 s of the sender's count, and the pulse wave at 5 / 125 s.
    assert resource["effectivePeriod"] == {"start": "2023-11-14T22:13:20.262Z", "end": "2023-11-14T22:13:20.286Z"}
    assert resource["code"] == {
        "coding": [{"system": MDC_URI, "code": "150032", "display": "MDC_PRESS_BLD_ART"}],
        "text": "ABP",
    }
    data = resource["valueSampledData"]
    assert (data["origin"]["code"], data["period"], data["factor"]) == ("mm[Hg]", 8, 0.01)
    assert data["data"] == "8025 12050 E -300"
    require_observation(resource)


@given(
    arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e7, 1e7, width=32) | st.just(np.nan)),
    st.sampled_from([("PLETH", "NU"), ("ABP", "mmHg"), ("ART", "NU")]),
)
def test_a_pulse_wave_keeps_four_digits(samples, kind):
    data = fhir.pulse_wave("p", PulseChunk(*kind, 62.5, 0, samples), NOW)["valueSampledData"]
    values = [np.nan if word == "E" else data["factor"] * float(word) for word in data["data"].split(" ")]
    largest = np.max(np.abs(samples), initial=0.0, where=np.isfinite(samples))
    # Compared in double precision: float32 has no room for a tolerance beside its smallest numbers.
    assert np.allclose(values, samples.astype(float), rtol=0, atol=float(largest) * 0.6e-4, equal_nan=True)


def test_codes_of_leads_are_those_of_the_standard():
    # https://hl7.org/fhir/R4/observation-example-sample-data.json.html has I, II and III.
    assert {lead: lead_code(lead).code for lead in ("I", "II", "III", "aVR", "avf", "V6")} == {
        "I": 131329,
        "II": 131330,
        "III": 131389,
        "aVR": 131390,
        "avf": 131392,
        "V6": 131336,
    }
    assert lead_code("MLII") is None


def test_heart_rate_is_in_ucum():
    resource = fhir.heart_rate("p", 71.26, NOW)
    assert resource["code"]["coding"][0]["code"] == "8867-4"
    assert resource["valueQuantity"] == {
        "value": 71.3,
        "unit": "beats/minute",
        "system": "http://unitsofmeasure.org",
        "code": "/min",
    }
    assert resource["category"][0]["coding"][0]["code"] == "vital-signs"
    require_observation(resource)


def test_unknown_heart_rate_is_said_to_be_absent():
    resource = fhir.heart_rate("p", None, NOW)
    assert "valueQuantity" not in resource
    assert resource["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    require_observation(resource)


def require_observation(resource: dict) -> None:
    assert resource["resourceType"] == "Observation"
    assert ID.fullmatch(resource["id"])
    assert resource["status"] == "final"
    assert resource["subject"]["identifier"]["value"]
    assert NOT_A_DEVICE in resource["note"][0]["text"]
    # obs-6: a value, or why there is none, or components.
    assert sum(key in resource for key in ("valueQuantity", "valueSampledData", "dataAbsentReason", "component")) == 1
    json.dumps(resource, allow_nan=False)


# DetectedIssue


def test_alarm_is_a_detected_issue_with_its_evidence():
    strip = fhir.ecg("p/1 ü", waveform([0.0], [0.0]), NOW + 90)
    resource = fhir.detected_issue(stored(), [strip, PULSE])
    assert resource["resourceType"] == "DetectedIssue"
    assert ID.fullmatch(resource["id"])
    assert (resource["status"], resource["severity"]) == ("preliminary", "high")
    assert resource["patient"]["identifier"]["value"] == "p/1 ü"
    assert resource["identifiedDateTime"] == "2023-11-14T22:15:04.450Z"
    assert {"code": "asystole", "display": "Asystole"}.items() <= resource["code"]["coding"][0].items()
    assert {"code": "199684", "display": "MDC_EVT_ECG_ASYSTOLE"}.items() <= resource["code"]["coding"][1].items()
    assert resource["evidence"][0]["code"] == [{"text": "No QRS complex for 4.2 s."}]
    # A contained resource is referred to from the one that contains it, and has no contained ones itself.
    assert resource["contained"] == [{**strip, "id": "strip"}, {**PULSE, "id": "strip-2"}]
    references = [{"reference": "#strip"}, {"reference": "#strip-2"}]
    assert resource["implicated"] == resource["evidence"][0]["detail"] == references
    assert NOT_A_DEVICE in resource["detail"]
    assert "4.2 s" in resource["detail"]
    json.dumps(resource, allow_nan=False)


def test_alarm_without_a_strip_implicates_nothing():
    resource = fhir.detected_issue(stored())
    assert not {"contained", "implicated", "mitigation"} & set(resource)


def test_ended_alarm_is_final_and_its_acknowledgement_a_mitigation():
    alarm = stored(phase=Phase.END, state=AlarmState.INACTIVE, ended_s=120.0, acknowledged_by="Dr. <b>Who</b>")
    resource = fhir.detected_issue(alarm)
    assert resource["status"] == "final"
    assert resource["mitigation"] == [{"action": {"text": "Acknowledged"}, "author": {"display": "Dr. <b>Who</b>"}}]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_has_codes_and_a_severity(condition):
    resource = fhir.detected_issue(stored(condition))
    severity = {Priority.HIGH: "high", Priority.MEDIUM: "moderate", Priority.LOW: "low"}
    assert resource["severity"] == severity[CONDITIONS[condition].priority]
    assert all(re.fullmatch(r"[^\s]+(\s[^\s]+)*", coding["code"]) for coding in resource["code"]["coding"])


# Bundle


def test_searchset_holds_each_resource_once():
    resources = [fhir.heart_rate("a", 60, NOW), fhir.heart_rate("b", 60, NOW), fhir.heart_rate("a", 60, NOW + 0.5)]
    bundle = fhir.searchset(resources, "http://here/api/fhir/Observation?patient=a", 7)
    assert (bundle["resourceType"], bundle["type"], bundle["total"]) == ("Bundle", "searchset", 7)
    assert [entry["resource"] for entry in bundle["entry"]] == resources
    # bdl-7: fullUrl is unique.
    assert len({entry["fullUrl"] for entry in bundle["entry"]}) == 3
    assert {entry["search"]["mode"] for entry in bundle["entry"]} == {"match"}
    assert bundle["link"] == [{"relation": "self", "url": "http://here/api/fhir/Observation?patient=a"}]


def test_an_empty_searchset_has_no_key_for_entries():
    bundle = fhir.searchset([], "http://here/api/fhir/Observation?patient=a", 0)
    assert bundle["total"] == 0
    # https://hl7.org/fhir/R4/json.html#primitive: arrays cannot be empty.
    assert "entry" not in bundle


# All of them


@pytest.mark.parametrize(
    "resource",
    [
        fhir.ecg("p", waveform([0.0, 1.0, np.nan], [0.5, np.nan, -0.5], leads=("MLII", "mine")), NOW),
        PULSE,
        fhir.heart_rate("p", 71.26, NOW),
        fhir.heart_rate("p", None, NOW),
        fhir.detected_issue(stored()),
        fhir.detected_issue(stored(phase=Phase.END, ended_s=120.0, acknowledged_by="Ada"), [STRIP, PULSE]),
        fhir.searchset(
            [fhir.heart_rate("p", 60, NOW), fhir.detected_issue(stored(), [STRIP])], "http://a", 9, "http://b"
        ),
        fhir.capabilities("http://here/api/fhir", NOW),
    ],
    ids=lambda resource: resource["resourceType"],
)
def test_resources_are_valid(resource: fhir.Resource):
    # R4B, of which there are models, differs from R4 in none of these.
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@given(st.floats(0, 4e9))
def test_instants_are_whole(time):
    assert INSTANT.fullmatch(iso_utc(time))
