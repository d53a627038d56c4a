"""How the service turns what it knows into the answers of `ectopy.service.schemas`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.monitor import AlarmChanged, BeatJudged, Event, InputRejected, MonitorState, Notice, QualityChanged, codec
from ectopy.monitor.alarm import Alarm, Transition
from ectopy.monitor.alarm_json import (
    alarm_json,
    change_json,
    transition_json,
)
from ectopy.monitor.events import Evidence
from ectopy.monitor.limits import LIMITS
from ectopy.monitor.status import PatientStatus, baseline, clock_drift, is_learning, stream
from ectopy.presentation import finite_or_none
from ectopy.service import schemas
from ectopy.service.storage import Device, StoredAlarm, StoredAudit, StoredEvent, StoredKey, TrendStep, Waveform
from ectopy.service.storage.waveform_history import BeatComparison

_PULSE_PLACES = 5


SHAPE_RATE_HZ = 180.0
"""Of single beats, as they are judged."""


def alarm(stored: StoredAlarm) -> schemas.AlarmShape:
    """An alarm."""
    return schemas.AlarmShape(**alarm_json(stored.alarm, stored.patient, stored.origin, stored.origins))


def summary(patient: str, name: str, state: MonitorState, status: PatientStatus) -> schemas.SummaryShape:
    """How a patient is."""
    alarms, unacknowledged, rate = status.alarms, status.unacknowledged, status.heart_rate_bpm

    def shape(one: Alarm) -> schemas.AlarmShape:
        return schemas.AlarmShape(**alarm_json(one, patient, status.origin, state.origins.get(one.number)))

    return schemas.SummaryShape(
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
    brief: schemas.SummaryShape, state: MonitorState, devices: list[str], threshold: float
) -> schemas.DetailShape:
    """How a patient is, how they are watched, and by which devices; `threshold` is that of beats with a baseline."""
    segment, limits, drift = stream(state), asdict(state.limits), clock_drift(state)
    return schemas.DetailShape(
        **brief,
        profile=limits.pop("profile"),
        limits=limits,
        effort=schemas.EffortShape(resting_bpm=state.limits.at_reserve(0), maximum_bpm=state.limits.maximum_bpm),
        baseline=_baseline(state, threshold),
        leads=[] if segment is None else list(segment.leads),
        rate_hz=None if segment is None else segment.rate_hz,
        stream="" if segment is None else segment.stream,
        next_position=None if segment is None else segment.next_position,
        devices=devices,
        clock_drift=None if drift is None else round(drift, 7),
    )


def limits() -> list[schemas.LimitShape]:
    """Return what each limit can be set to."""
    return [
        schemas.LimitShape(
            name=name,
            least=one.least,
            most=one.most,
            whole=one.whole,
            label=one.label,
            unit=one.unit,
            group=one.group,
        )
        for name, one in LIMITS.items()
    ]


def device(one: Device) -> schemas.DeviceShape:
    """A device."""
    return schemas.DeviceShape(device=one.device, patient=one.patient, since_time=one.since)


def _baseline(state: MonitorState, threshold: float) -> schemas.BaselineShape:
    learned = baseline(state)
    normal = state.normal if learned is None else learned.normal
    return schemas.BaselineShape(
        known=normal is not None,
        learning=is_learning(state),
        doubtful=learned is not None and learned.doubtful,
        text="" if learned is None else learned.text,
        beats=None if normal is None else normal.beats,
        leads=[] if normal is None else list(normal.leads),
        template=None if normal is None else np.round(normal.template, 4).tolist(),
        threshold=threshold,
    )


def beat(time: float, judged: BeatJudged) -> schemas.BeatShape:
    """A judged beat and when it was."""
    return schemas.BeatShape(
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


def waveform(patient: str, stream: str, start_time: float, found: Waveform) -> schemas.WaveformShape:
    """A stretch of signal, to the microvolt."""
    shape = schemas.WaveformShape(
        patient=patient,
        stream=stream,
        rate_hz=found.sampling_rate_hz,
        leads=list(found.leads),
        start_time=start_time,
        position=found.position,
        samples=lists(found.signal.T),
    )
    if found.pulses:
        begin_s = found.position / found.sampling_rate_hz
        shape["pulses"] = [
            schemas.PulseShape(
                name=pulse.name,
                unit=pulse.unit,
                rate_hz=pulse.sampling_rate_hz,
                start_time=start_time + pulse.position / pulse.sampling_rate_hz - begin_s,
                position=pulse.position,
                samples=np.round(pulse.samples.astype(np.float64), _PULSE_PLACES).tolist(),
            )
            for pulse in found.pulses
        ]
    return shape


def trend(steps: Sequence[TrendStep]) -> schemas.TrendShape:
    """Beats counted in steps."""
    return schemas.TrendShape(
        time=[step.time for step in steps],
        heart_rate_bpm=[None if step.interval_s is None else round(60.0 / step.interval_s, 1) for step in steps],
        beats=[step.beats for step in steps],
        abnormal=[step.abnormal for step in steps],
        ectopic=[step.ectopic for step in steps],
        unreadable=[step.unreadable for step in steps],
    )


def beat_comparison(one: BeatComparison) -> schemas.BeatComparisonShape:
    """A beat beside what was expected."""
    return schemas.BeatComparisonShape(
        beat=beat(one.beat.time, one.beat.beat),
        alike=one.alike,
        leads=list(one.leads),
        rate_hz=SHAPE_RATE_HZ,
        samples=lists(one.samples),
        reconstruction=lists(one.reconstruction),
        error=lists(np.abs(one.samples - one.reconstruction)),
    )


def evidence(origin: float, one: Evidence) -> schemas.EvidenceShape:
    """The beats on which an alarm rests."""
    return schemas.EvidenceShape(
        beat_time=(one.beats_s + origin).tolist(),
        leads=list(one.leads),
        rate_hz=SHAPE_RATE_HZ,
        samples=lists(one.samples),
        reconstruction=lists(one.reconstruction),
        error=lists(one.error),
    )


def transition(time: float, one: Transition, stored: bool) -> schemas.TransitionShape:
    """Something that has happened to an alarm, and whether that is stored."""
    return schemas.TransitionShape(**transition_json(one, time - one.at_s), stored=stored)


def event(stored: StoredEvent) -> dict[str, Any]:
    """Something that was said of a patient, with the keys of an `schemas.EventShape`."""
    facts = {"patient": stored.patient, "time": stored.time}
    return {"id": stored.id, "kind": codec.kind_of(stored.event), **facts, **_facts(stored)}


def _facts(stored: StoredEvent) -> dict[str, Any]:
    one: Event = stored.event
    match one:
        case AlarmChanged():
            return dict(change_json(one, stored.patient, stored.time - one.at_s))
        case QualityChanged():
            return {"lead": one.lead, "word": one.word, "index": one.index}
        case Notice():
            return {"subject": one.subject, "text": one.text}
        case InputRejected():
            return {"reason": one.reason}
        case BeatJudged():
            return dict(beat(stored.time, one))


def key(one: StoredKey) -> schemas.KeyShape:
    """A key, without its secret."""
    return schemas.KeyShape(
        id=one.id,
        name=one.name,
        scopes=list(one.scopes),
        created_time=one.created,
        patients=None if one.patients is None else list(one.patients),
        devices=list(one.devices),
        expires_time=one.expires,
    )


def audit(stored: StoredAudit) -> schemas.AuditShape:
    """Who did or saw what."""
    entry = stored.entry
    return schemas.AuditShape(
        id=stored.id, time=entry.time, who=entry.actor, what=entry.action, patient=entry.patient, detail=entry.detail
    )


def lists(array: NDArray[np.floating]) -> Any:
    """Numbers to three places; NaN becomes null where msgspec writes it."""
    return np.round(array.astype(np.float64), 3).tolist()
