"""Results of a recording as a Bundle, by the rules of https://hl7.org/fhir/R4."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class

from ectopy.analysis import analyse
from ectopy.analysis.rhythm_events import Event
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets import simulate_recording
from ectopy.recording import Patient
from ectopy.service.interop.fhir_recording import recording_bundle
from support.command_line import CommandResult, assert_success
from support.edf_files import edf

PERSON = Patient("<b>=Byron", "P-17")
EVENT = Event("ventricular run", 12.0, 14.5, 5, "5 beats in a row", 130.0)


@pytest.mark.parametrize("start", [None, datetime(2024, 2, 1, 10, 20), datetime(2024, 2, 1, 10, 20, tzinfo=UTC)])
def test_a_bundle_is_valid_and_holds_report_figures_and_events(start: datetime | None):
    recording = replace(simulate_recording(40, sampling_rate_hz=250), start=start, patient=PERSON)
    analysis = analyse(recording, load_ambulatory())
    bundle = recording_bundle(recording, analysis, [EVENT, replace(EVENT, kind="a kind of its own", rate_bpm=None)])
    get_fhir_model_class("Bundle").model_validate_json(json.dumps(bundle))
    report, *results = [entry["resource"] for entry in bundle["entry"]]
    assert [entry["fullUrl"] for entry in bundle["entry"][1:]] == [item["reference"] for item in report["result"]]
    assert all(resource["subject"]["display"] == "<b>=Byron" for resource in (report, *results))
    beats = {
        result["code"]["text"]: result["valueInteger"]
        for result in results
        if "valueInteger" in result and "component" not in result
    }
    assert beats["Beats"] == len(analysis)
    families = [result for result in results if result["code"]["text"].startswith("Family")]
    assert sum(family["valueInteger"] for family in families) <= len(analysis)
    assert families[0]["component"][2]["valueSampledData"]["data"].count(" ") == 139
    hours = [result for result in results if result["code"]["text"] == "Hour"]
    assert [hour["component"][1]["valueInteger"] for hour in hours] == [len(analysis)]
    assert "Time in sinus rhythm" in str(results)
    rates = {
        result["code"]["text"].split()[0]: result["valueQuantity"]["value"]
        for result in results
        if result["id"].startswith("figure-") and result["valueQuantity"]["unit"] == "beats/minute"
    }
    assert rates["Lowest"] <= rates["Mean"] <= rates["Highest"]
    run = next(result for result in results if result.get("valueString") == EVENT.text)
    assert [part["valueQuantity"]["value"] for part in run["component"][:3]] == [12.0, 2.5, 130.0]
    if start is not None and start.tzinfo:
        assert run["effectivePeriod"] == {
            "start": "2024-02-01T10:20:12+00:00",
            "end": "2024-02-01T10:20:14.500000+00:00",
        }
    else:
        assert run.get("effectiveDateTime") == (start and "2024-02-01")


def test_the_command_writes_a_bundle(ectopy: Callable[..., CommandResult], tmp_path: Path):
    signal = simulate_recording(40, sampling_rate_hz=250).signal[:, 0].astype(float)
    path = edf(tmp_path / "day.edf", [signal])
    assert_success(ectopy("detect", path, "-o", tmp_path / "day.fhir.json"))
    assert json.loads((tmp_path / "day.fhir.json").read_text())["resourceType"] == "Bundle"
