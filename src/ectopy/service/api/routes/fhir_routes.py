"""Interfaces to other systems: FHIR R4, and alarms as HL7 v2."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from ectopy.errors import SettingError
from ectopy.monitor import MonitorState, status
from ectopy.monitor.evidence import strip_s
from ectopy.service import patient_responses
from ectopy.service.api.dependencies import AlarmNumber, Audited, StoreDep, WardDep, WatchedPatient, json_response
from ectopy.service.api.middleware.access_control import AnyCaller
from ectopy.service.api.routes.alarm_routes import find_alarm
from ectopy.service.interop import fhir, hl7
from ectopy.service.monitoring.ward import Ward
from ectopy.service.storage import StoredAlarm
from ectopy.service.storage.stream_clock import origin_at
from ectopy.service.storage.waveform_history import LONGEST_S, WaveformSegment, read_segment

router = APIRouter(tags=["exchange"])

_NEWEST_S = 10.0
_ISSUES = 20
_MOST_ISSUES = 100
_PREFIXES = ("ge", "gt", "le", "lt")
_FHIR: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: {"content": {fhir.MEDIA_TYPE: {"schema": {"type": "object"}}}, "description": "A resource."}},
}

PatientQuery = Annotated[str, Query(min_length=1, max_length=200, description="Id of the patient.")]
Code = Literal[
    "ecg", "heart-rate", "pulse-wave", "11524-6", "8867-4", "http://loinc.org|11524-6", "http://loinc.org|8867-4"
]
Dates = Annotated[
    list[str],
    Query(
        max_length=2,
        description="Of the signal: two times with prefixes `ge` and `lt`, five minutes at most; else the last 10 s.",
        examples=[["ge2026-01-01T00:00:00Z", "lt2026-01-01T00:00:10Z"]],
    ),
]


@router.get("/api/fhir/metadata", **_FHIR)
def capabilities(request: Request, ward: WardDep, caller: AnyCaller) -> Response:
    """Describe the searches that are possible."""
    return _answer(fhir.capabilities(str(request.url_for("capabilities")).removesuffix("/metadata"), ward.clock()))


@router.get("/api/fhir/Observation", dependencies=[Audited("read FHIR Observation", by_query=True)], **_FHIR)
def observations(
    request: Request,
    ward: WardDep,
    patient: PatientQuery,
    code: Code | None = None,
    date: Dates = [],  # noqa: B006
) -> Response:
    """The ECG and the pulse waves of a patient as SampledData, and the heart rate now."""
    state = ward.state(patient)
    resources = []
    if code is None or "heart-rate" in code or "8867-4" in code:
        resources.append(fhir.heart_rate(patient, ward.summary(patient)["heart_rate_bpm"], ward.clock()))
    ecg = code is None or "ecg" in code or "11524-6" in code
    pulse = code in (None, "pulse-wave")
    if ecg or pulse:
        resources += _signal(ward, patient, state, date, ecg=ecg, pulse=pulse)
    return _answer(fhir.searchset(resources, str(request.url), len(resources)))


@router.get("/api/fhir/DetectedIssue", dependencies=[Audited("read FHIR DetectedIssue", by_query=True)], **_FHIR)
def detected_issues(
    request: Request,
    ward: WardDep,
    store: StoreDep,
    patient: PatientQuery,
    count: Annotated[int, Query(alias="_count", ge=1, le=_MOST_ISSUES, description="So many on a page.")] = _ISSUES,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="Only alarms with lower numbers.")] = None,
) -> Response:
    """Alarms of a patient, the newest first, each with the signal that shows it."""
    state = ward.state(patient)
    newest = store.alarms.newest(patient, limit=count + 1, before=before)[::-1]
    page, more = newest[:count], len(newest) > count
    issues = [fhir.detected_issue(patient_responses.alarm(alarm), _strips(ward, alarm, state)) for alarm in page]
    following = str(request.url.include_query_params(before=page[-1].alarm.number)) if more else None
    return _answer(fhir.searchset(issues, str(request.url), store.alarms.count(patient), following))


@router.get(
    "/api/patients/{patient}/alarms/{number}/oru",
    dependencies=[Audited("read HL7 alert")],
    response_class=Response,
    responses={200: {"content": {hl7.MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "ORU^R40^ORU_R40."}},
)
def alert(ward: WardDep, patient: WatchedPatient, number: AlarmNumber) -> Response:
    """An alarm as it stands as a message of HL7 v2, in the shape of the IHE profile Alert Communication Management."""
    name = ward.summary(patient)["name"]
    stored = patient_responses.alarm(find_alarm(ward, patient, number))
    return Response(hl7.alert(stored, name, ward.clock()), media_type=hl7.MEDIA_TYPE)


def _signal(
    ward: Ward, patient: str, state: MonitorState, date: list[str], *, ecg: bool, pulse: bool
) -> list[fhir.Resource]:
    if date:
        start, stop = _span(date)
        origin = origin_at(ward.store, patient, state, stop)
    else:
        origin, stop = status.origin(state), status.newest_sample_time(state)
        start = stop - _NEWEST_S
    segment = read_segment(ward.store, patient, state, origin, start - origin, stop - origin)
    return [] if segment is None else _resources(patient, segment, ecg=ecg, pulse=pulse)


def _resources(patient: str, segment: WaveformSegment, *, ecg: bool = True, pulse: bool = True) -> list[fhir.Resource]:
    leads = [fhir.ecg(patient, segment.waveform, segment.start_time)] if ecg else []
    return leads + (fhir.pulse_waves(patient, segment.waveform, segment.start_time) if pulse else [])


def _strips(ward: Ward, stored: StoredAlarm, state: MonitorState) -> list[fhir.Resource]:
    begin_s, end_s = strip_s(stored.alarm.reading, stored.alarm.present_s)
    segment = read_segment(
        ward.store, stored.patient, state, stored.raised_origin, begin_s, min(end_s, begin_s + LONGEST_S)
    )
    return [] if segment is None else _resources(stored.patient, segment)


def _span(date: list[str]) -> tuple[float, float]:
    """The time between two dates of a search."""
    times = {text[:1]: _time(text[2:]) for text in date if text.startswith(_PREFIXES)}
    if len(date) != 2 or set(times) != {"g", "l"} or not 0 < times["l"] - times["g"] <= LONGEST_S:
        raise SettingError(
            f"a date is given by two times such as ge2026-01-01T00:00:00Z and lt2026-01-01T00:00:10Z, at most "
            f"{LONGEST_S:g} s apart."
        )
    return times["g"], times["l"]


def _time(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise SettingError(f"a time is written with its zone, such as 2026-01-01T00:00:00Z, not as {text[:40]!r}.")


def _answer(resource: fhir.Resource) -> Response:
    response = json_response(resource)
    response.headers["Content-Type"] = fhir.MEDIA_TYPE
    return response
