"""Answers about patients, with the schemas of `ectopy.service.patient_schemas`; about limits, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ectopy.monitor import AlarmChanged, BeatJudged, Event, InputRejected, MonitorState, Notice, QualityChanged, codec
from ectopy.monitor.alarm import Alarm, Transition
from ectopy.monitor.alarm_json import alarm_json, change_json, transition_json
from ectopy.monitor.events import Evidence
from ectopy.monitor.limits import LIMITS
from ectopy.monitor.status import PatientStatus, baseline, clock_drift, is_learning, stream
from ectopy.presentation import finite_or_none
from ectopy.service import patient_schemas, schemas
from ectopy.service.storage import StoredAlarm, StoredEvent, TrendStep, Waveform
from ectopy.service.storage.waveform_history import BeatComparison

_PULSE_PLACES = 5

SHAPE_RATE_HZ = 180.0
"""Sampling rate of single beats, as they are judged."""


def alarm(stored: StoredAlarm) -> patient_schemas.AlarmShape:
    """Answer with an alarm."""
    return patient_schemas.AlarmShape(**alarm_json(stored.alarm, stored.patient, stored.origin, stored.origins))


def summary(patient: str, name: str, state: MonitorState, status: PatientStatus) -> patient_schemas.SummaryShape:
    """Answer with the status of a patient."""
    alarms, unacknowledged, rate = status.alarms, status.unacknowledged, status.heart_rate_bpm

    def shape(alarm: Alarm) -> patient_schemas.AlarmShape:
        return patient_schemas.AlarmShape(**alarm_json(alarm, patient, status.origin, state.origins.get(alarm.number)))

    return patient_schemas.SummaryShape(
        patient=patient,
        name=name,
        state=status.state.value,
        heart_rate_bpm=None if rate is None else round(rate, 1),
        quality=status.quality,
        last_sample_time=status.last_sample_time,
        received_time=status.received,
        compared_with=status.compared_with.value,
        learning_left_s=status.learning_left_s,
        alarm=shape(alarms[0]) if alarms else None,
        unacknowledged=None if unacknowledged is None else shape(unacknowledged),
        alarms=len(alarms),
        audio_paused_until_time=status.audio_paused_until_time,
    )


def detail(
    brief: patient_schemas.SummaryShape, state: MonitorState, devices: list[str], threshold: float
) -> patient_schemas.DetailShape:
    """Answer with a patient, limits, baseline and devices; `threshold` is that of beats with a baseline."""
    segment, limits, drift = stream(state), asdict(state.limits), clock_drift(state)
    return patient_schemas.DetailShape(
        **brief,
        profile=limits.pop("profile"),
        limits=limits,
        effort=patient_schemas.EffortShape(
            resting_bpm=state.limits.at_reserve(0), maximum_bpm=state.limits.maximum_bpm
        ),
        baseline=_baseline(state, threshold),
        leads=[] if segment is None else list(segment.leads),
        rate_hz=None if segment is None else segment.rate_hz,
        stream="" if segment is None else segment.stream,
        next_position=None if segment is None else segment.next_position,
        devices=devices,
        clock_drift=None if drift is None else round(drift, 7),
    )


def limits() -> list[schemas.LimitShape]:
    """Answer with the range of each limit."""
    return [cast(schemas.LimitShape, {"name": name, **asdict(limit)}) for name, limit in LIMITS.items()]


def _baseline(state: MonitorState, threshold: float) -> patient_schemas.BaselineShape:
    learned = baseline(state)
    normal = state.normal if learned is None else learned.normal
    return patient_schemas.BaselineShape(
        known=normal is not None,
        learning=is_learning(state),
        doubtful=learned is not None and learned.doubtful,
        text="" if learned is None else learned.text,
        beats=None if normal is None else normal.beats,
        leads=[] if normal is None else list(normal.leads),
        template=None if normal is None or not normal.template.size else np.round(normal.template, 4).tolist(),
        threshold=threshold,
    )


def beat(time: float, judged: BeatJudged) -> patient_schemas.BeatShape:
    """Answer with a judged beat and its time."""
    return patient_schemas.BeatShape(
        time=time,
        position=judged.position,
        interval_s=finite_or_none(judged.interval_s),
        verdict=judged.verdict,
        hint=judged.hint,
        score=finite_or_none(judged.score),
        threshold=finite_or_none(judged.threshold),
        p_value=finite_or_none(judged.p_value),
        reason=judged.reason,
        confidence=judged.confidence,
    )


def waveform(patient: str, stream: str, start_time: float, stored: Waveform) -> patient_schemas.WaveformShape:
    """Answer with a part of a signal, to the microvolt."""
    shape = patient_schemas.WaveformShape(
        patient=patient,
        stream=stream,
        rate_hz=stored.sampling_rate_hz,
        leads=list(stored.leads),
        start_time=start_time,
        position=stored.position,
        samples=lists(stored.signal.T),
    )
    if stored.pulses:
        begin_s = stored.position / stored.sampling_rate_hz
        shape["pulses"] = [
            patient_schemas.PulseShape(
                name=pulse.name,
                unit=pulse.unit,
                rate_hz=pulse.sampling_rate_hz,
                start_time=start_time + pulse.position / pulse.sampling_rate_hz - begin_s,
                position=pulse.position,
                samples=np.round(pulse.samples.astype(np.float64), _PULSE_PLACES).tolist(),
            )
            for pulse in stored.pulses
        ]
    return shape


def trend(steps: Sequence[TrendStep]) -> patient_schemas.TrendShape:
    """Answer with beats counted in steps."""
    return patient_schemas.TrendShape(
        time=[step.time for step in steps],
        heart_rate_bpm=[None if step.interval_s is None else round(60.0 / step.interval_s, 1) for step in steps],
        beats=[step.beats for step in steps],
        abnormal=[step.abnormal for step in steps],
        ectopic=[step.ectopic for step in steps],
        unreadable=[step.unreadable for step in steps],
    )


def beat_comparison(comparison: BeatComparison) -> patient_schemas.BeatComparisonShape:
    """Answer with a beat beside its reconstruction."""
    return patient_schemas.BeatComparisonShape(
        beat=beat(comparison.beat.time, comparison.beat.beat),
        alike=comparison.alike,
        leads=list(comparison.leads),
        rate_hz=SHAPE_RATE_HZ,
        samples=lists(comparison.samples),
        reconstruction=lists(comparison.reconstruction),
        error=lists(np.abs(comparison.samples - comparison.reconstruction)),
    )


def evidence(origin: float, beats: Evidence) -> patient_schemas.EvidenceShape:
    """Answer with the beats on which an alarm rests."""
    return patient_schemas.EvidenceShape(
        beat_time=(beats.beats_s + origin).tolist(),
        leads=list(beats.leads),
        rate_hz=SHAPE_RATE_HZ,
        samples=lists(beats.samples),
        reconstruction=lists(beats.reconstruction),
        error=lists(beats.error),
    )


def transition(time: float, change: Transition, stored: bool) -> patient_schemas.TransitionShape:
    """Answer with a change of an alarm, and whether that is stored."""
    return patient_schemas.TransitionShape(**transition_json(change, time - change.at_s), stored=stored)


def event(stored: StoredEvent) -> dict[str, Any]:
    """Answer with an event of a patient: id, kind, patient, number and time; the other keys depend on the kind."""
    facts = {"patient": stored.patient, "number": stored.event.number, "time": stored.time}
    return {"id": stored.id, "kind": codec.kind_of(stored.event), **facts, **_facts(stored)}


def _facts(stored: StoredEvent) -> dict[str, Any]:
    event: Event = stored.event
    match event:
        case AlarmChanged():
            return dict(change_json(event, stored.patient, stored.time - event.at_s))
        case QualityChanged():
            return {"lead": event.lead, "word": event.word, "index": event.index}
        case Notice():
            return {"subject": event.subject, "text": event.text}
        case InputRejected():
            return {"reason": event.reason}
        case BeatJudged():
            return dict(beat(stored.time, event))


def lists(array: NDArray[np.floating]) -> Any:
    """Round numbers to three places; NaN becomes null where msgspec writes it."""
    return np.round(array.astype(np.float64), 3).tolist()
