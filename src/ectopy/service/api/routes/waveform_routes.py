"""The signal of a patient and the beats in it, from the store."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from ectopy.errors import NotFoundError, SettingError
from ectopy.service import patient_responses, patient_schemas
from ectopy.service.api.dependencies import Audited, StoreDep, WardDep, WatchedPatient, json_response
from ectopy.service.storage import MOST_BEATS
from ectopy.service.storage.stream_clock import origin_at
from ectopy.service.storage.waveform_history import LONGEST_S, compare_beat, one_of_each_shape, read_segment

router = APIRouter(prefix="/api/patients/{patient}", tags=["signals"])

_DAYS_S = 31 * 86_400.0
_MOST_STEPS = 5000
_CANDIDATES = 48  # among which one of each shape is chosen
_LATEST = 1e11

Start = Annotated[float, Query(ge=0, le=_LATEST, description="Seconds since 1970.")]
Stop = Annotated[float, Query(ge=0, le=_LATEST, description="Seconds since 1970; this moment is not in it.")]


@router.get("/waveform", response_model=patient_schemas.WaveformShape, dependencies=[Audited("viewed waveform")])
def waveform(ward: WardDep, patient: WatchedPatient, start: Start, stop: Stop) -> Response:
    """Samples of at most five minutes; of several streams in that time, the one with the most of them."""
    _check(start, stop, LONGEST_S)
    state = ward.state(patient)
    origin = origin_at(ward.store, patient, state, stop)
    segment = read_segment(ward.store, patient, state, origin, start - origin, stop - origin)
    if segment is None:
        raise NotFoundError(f"nothing of patient {patient!r} is stored from that time.")
    return json_response(patient_responses.waveform(patient, segment.stream, segment.start_time, segment.waveform))


@router.get("/beats", response_model=list[patient_schemas.BeatShape], dependencies=[Audited("viewed beats")])
def beats(
    store: StoreDep,
    patient: WatchedPatient,
    start: Start,
    stop: Stop,
    limit: Annotated[int, Query(ge=1, le=MOST_BEATS)] = MOST_BEATS,
) -> Response:
    """The first judged beats of at most a day, in order."""
    _check(start, stop, 86_400.0)
    stored = store.beats.first(patient, start, stop, limit)
    return json_response([patient_responses.beat(beat.time, beat.beat) for beat in stored])


@router.get("/trend", response_model=patient_schemas.TrendShape, dependencies=[Audited("viewed trend")])
def trend(
    store: StoreDep,
    patient: WatchedPatient,
    start: Start,
    stop: Stop,
    step_s: Annotated[float, Query(ge=1, le=86_400)] = 60.0,
) -> Response:
    """Beats counted in steps, of at most a month and 5000 steps."""
    _check(start, stop, min(_DAYS_S, _MOST_STEPS * step_s))
    return json_response(patient_responses.trend(store.beats.trend(patient, start, stop, step_s)))


@router.get(
    "/gallery", response_model=list[patient_schemas.BeatComparisonShape], dependencies=[Audited("viewed beats")]
)
def gallery(
    ward: WardDep,
    store: StoreDep,
    patient: WatchedPatient,
    start: Start,
    stop: Stop,
    limit: Annotated[int, Query(ge=1, le=50)] = 12,
) -> Response:
    """One of each shape among the most abnormal beats, beside what a normal one would have been."""
    _check(start, stop, _DAYS_S)
    state = ward.state(patient)
    worst = store.beats.most_abnormal(patient, start, stop, max(limit, _CANDIDATES))
    comparisons = [compare_beat(store, patient, state, beat, ward.detector) for beat in worst]
    examples = one_of_each_shape([comparison for comparison in comparisons if comparison is not None], limit)
    return json_response([patient_responses.beat_comparison(comparison) for comparison in examples])


def _check(start: float, stop: float, longest_s: float) -> None:
    if not 0 < stop - start <= longest_s:
        raise SettingError(f"ask for a time from 'start' to 'stop' that is above 0 and at most {longest_s:g} s long.")
