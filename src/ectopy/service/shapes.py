"""What the service says, as JSON: the shapes, and how they are made from what the rooms below know.

``..._time`` and ``time`` are seconds since 1970, ``..._s`` seconds; positions count the samples of a stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NotRequired

import numpy as np
from numpy.typing import NDArray
from pydantic import with_config
from typing_extensions import TypedDict

from ectopy.monitor import AlarmChanged, BeatJudged, Event, InputRejected, MonitorState, Noticed, QualityChanged, codec
from ectopy.monitor.alarm import Alarm, Transition
from ectopy.monitor.alarm_json import (
    AlarmJson,
    TransitionJson,
    alarm_json,
    change_json,
    transition_json,
)
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.events import Evidence
from ectopy.monitor.limits import LIMITS
from ectopy.monitor.status import PatientStatus, baseline, clock_drift, is_learning, stream
from ectopy.numbers import finite_or_none
from ectopy.service.history import BeatComparison
from ectopy.service.schemas import LimitShape, like
from ectopy.service.storage import Device, StoredAlarm, StoredAudit, StoredEvent, StoredKey, TrendStep, Waveform
from ectopy.statements import STATEMENT

_PULSE_PLACES = 5


_ALARM = AlarmJson(
    patient="bed 3",
    number=7,
    condition="ventricular tachycardia",
    title="Ventricular tachycardia",
    type="SP",
    priority="high",
    phase="start",
    state="active",
    inactivation="enabled",
    text="9 ventricular-like beats in a row at 152.1 per minute; above 100 is a tachycardia.",
    value=152.1,
    limit=100.0,
    unit="/min",
    since_time=1767225600.5,
    since_s=412.5,
    onset_time=1767225603.0,
    onset_s=415.0,
    cleared_time=None,
    cleared_s=None,
    ended_time=None,
    ended_s=None,
    level=0,
    acknowledged_by="",
    acknowledged_until_time=None,
    acknowledged_until_s=None,
    advice=CONDITIONS["ventricular tachycardia"].advice,
    statement=STATEMENT,
)


@with_config(like(**_ALARM))
class AlarmShape(AlarmJson):
    """An alarm as it stands; words of the IHE profile Alert Communication Management."""


@with_config(
    like(
        patient="bed 3",
        name="Anna",
        state="alarm",
        heart_rate_bpm=152.1,
        quality={"MLII": "good", "V1": "noisy"},
        last_sample_time=1767225604.0,
        received_time=1767225604.1,
        compared_with="own normal",
        learning_left_s=None,
        alarm=_ALARM,
        unacknowledged=_ALARM,
        alarms=1,
        audio_paused_until_time=None,
    )
)
class SummaryShape(TypedDict):
    """How a patient is; `alarm` is the most urgent of all `alarms`, `unacknowledged` of those not acknowledged.

    Where `received_time`, when the newest samples came, is more than 3 s ago, the state is "no data", and there is
    neither a rate nor a quality. While beats are compared with "other people's normal", none is ventricular-like.
    """

    patient: str
    name: str
    state: str
    heart_rate_bpm: float | None
    quality: dict[str, str]
    last_sample_time: float | None
    received_time: float | None
    compared_with: str
    learning_left_s: float | None
    alarm: AlarmShape | None
    unacknowledged: AlarmShape | None
    alarms: int
    audio_paused_until_time: float | None


class AlarmOrderShape(AlarmShape):
    """An alarm after an order that has been carried out; `stored` is false while only the memory holds the order."""

    stored: bool


class PatientOrderShape(SummaryShape):
    """A patient after an order that has been carried out; `stored` is false while only the memory holds the order."""

    stored: bool


class BaselineShape(TypedDict):
    """The patient's normal: what beats are compared with; `threshold` is the one of beats compared with it."""

    known: bool
    learning: bool
    doubtful: bool
    text: str
    beats: int | None
    leads: list[str]
    template: list[list[float]] | None
    threshold: float


class EffortShape(TypedDict):
    """Between which heart rates effort is counted: the reserve; supposed where age or resting rate are not known."""

    resting_bpm: float
    maximum_bpm: float


class DetailShape(SummaryShape):
    """How a patient is, and how they are watched.

    `clock_drift` is how many seconds the device's clock gains in a second of the service's, negative where it is slow.
    """

    profile: str
    limits: dict[str, float | None]
    effort: EffortShape
    baseline: BaselineShape
    leads: list[str]
    rate_hz: float | None
    stream: str
    next_position: int | None
    devices: list[str]
    clock_drift: float | None


class DetailOrderShape(DetailShape):
    """A patient after an order that has been carried out; `stored` is false while only the memory holds the order."""

    stored: bool


@with_config(
    like(
        time=1767225600.5,
        position=15000,
        interval_s=0.41,
        verdict="ABNORMAL",
        score=9.1,
        threshold=3.2,
        hint="ventricular-like",
        reason="Its shape is unlike the patient's usual beats.",
        p_value=0.001,
        confidence="learning, 40 s",
    )
)
class BeatShape(TypedDict):
    """A judged beat; `confidence` is empty where the patient's normal is known."""

    time: float
    position: int
    interval_s: float | None
    verdict: str
    hint: str
    score: float | None
    threshold: float | None
    p_value: float | None
    reason: str
    confidence: str


@with_config(
    like(
        patient="bed 3",
        stream="",
        rate_hz=250.0,
        leads=["MLII"],
        start_time=1767225600.0,
        position=15000,
        samples=[[0.01, 0.02, None]],
    )
)
class PulseShape(TypedDict):
    """A stretch of a pulse wave, null where there is no sample."""

    name: str
    unit: str
    rate_hz: float
    start_time: float
    position: int
    samples: list[float | None]


class WaveformShape(TypedDict):
    """A stretch of signal: millivolt, one list for each lead, null where there is no sample; and its pulse waves."""

    patient: str
    stream: str
    rate_hz: float
    leads: list[str]
    start_time: float
    position: int
    samples: list[list[float | None]]
    pulses: NotRequired[list[PulseShape]]


class TrendShape(TypedDict):
    """Beats counted in steps; `time` is where each step begins, and steps without beats are left out."""

    time: list[float]
    heart_rate_bpm: list[float | None]
    beats: list[int]
    abnormal: list[int]
    ectopic: list[int]
    unreadable: list[int]


class BeatComparisonShape(TypedDict):
    """A beat beside what was expected: millivolt at 180 Hz, 140 samples for each lead.

    ``alike`` is how many of the most abnormal beats it stands for, itself included: those of similar shape.
    """

    beat: BeatShape
    alike: int
    leads: list[str]
    rate_hz: float
    samples: list[list[float]]
    reconstruction: list[list[float]]
    error: list[list[float]]


class EvidenceShape(TypedDict):
    """The beats on which an alarm rests: millivolt at 180 Hz, by beat and lead."""

    beat_time: list[float]
    leads: list[str]
    rate_hz: float
    samples: list[list[list[float]]]
    reconstruction: list[list[list[float]]]
    error: list[list[list[float]]]


class TransitionShape(TransitionJson):
    """An entry of the alarm log; `stored` is false while only the memory holds it."""

    stored: bool


@with_config(like(time=1767225630.0, who="desk of ward 3", comment="artefact: tooth brushing"))
class CommentShape(TypedDict):
    """What somebody has said about an alarm."""

    time: float
    who: str
    comment: str


class AlarmDetailShape(AlarmShape):
    """An alarm with everything that explains it."""

    definition: str
    source: str
    evidence: EvidenceShape | None
    history: list[TransitionShape]
    comments: list[CommentShape]
    log_whole: bool | None
    strip: WaveformShape | None
    replay: str
    software: str
    bundle: str


class EventShape(TypedDict):
    """Something that was said of a patient; the other keys depend on the kind."""

    id: int
    kind: str
    patient: str
    time: float


@with_config(like(device="strap-7", patient="bed 3", since_time=1767225600.0))
class DeviceShape(TypedDict):
    """A device, and to whom it is attached since when."""

    device: str
    patient: str | None
    since_time: float


@with_config(
    like(
        id=2,
        name="strap of bed 3",
        scopes=["send"],
        created_time=1767225600.0,
        patients=["bed 3"],
        devices=[],
        expires_time=None,
    )
)
class KeyShape(TypedDict):
    """A key, without its secret; `patients` is for whom it sends, null = for any patient."""

    id: int
    name: str
    scopes: list[str]
    created_time: float
    patients: list[str] | None
    devices: list[str]
    expires_time: float | None


class NewKeyShape(KeyShape):
    """A new key, with its secret, which is shown this once."""

    key: str


@with_config(
    like(
        id=4711,
        time=1767225600.0,
        who="desk of ward 3",
        what="acknowledged alarm",
        patient="bed 3",
        detail="7 pulse is there",
    )
)
class AuditShape(TypedDict):
    """Who did or saw what; later entries have greater ids."""

    id: int
    time: float
    who: str
    what: str
    patient: str
    detail: str


SHAPE_RATE_HZ = 180.0
"""Of single beats, as they are judged."""


def alarm(stored: StoredAlarm) -> AlarmShape:
    """An alarm."""
    return AlarmShape(**alarm_json(stored.alarm, stored.patient, stored.origin, stored.origins))


def summary(patient: str, name: str, state: MonitorState, status: PatientStatus) -> SummaryShape:
    """How a patient is."""
    alarms, unacknowledged, rate = status.alarms, status.unacknowledged, status.heart_rate_bpm

    def shape(one: Alarm) -> AlarmShape:
        return AlarmShape(**alarm_json(one, patient, status.origin, state.origins.get(one.number)))

    return SummaryShape(
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


def detail(brief: SummaryShape, state: MonitorState, devices: list[str], threshold: float) -> DetailShape:
    """How a patient is, how they are watched, and by which devices; `threshold` is that of beats with a baseline."""
    segment, limits, drift = stream(state), asdict(state.limits), clock_drift(state)
    return DetailShape(
        **brief,
        profile=limits.pop("profile"),
        limits=limits,
        effort=EffortShape(resting_bpm=state.limits.at_reserve(0), maximum_bpm=state.limits.maximum_bpm),
        baseline=_baseline(state, threshold),
        leads=[] if segment is None else list(segment.leads),
        rate_hz=None if segment is None else segment.rate_hz,
        stream="" if segment is None else segment.stream,
        next_position=None if segment is None else segment.next_position,
        devices=devices,
        clock_drift=None if drift is None else round(drift, 7),
    )


def limits() -> list[LimitShape]:
    """Return what each limit can be set to."""
    return [
        LimitShape(
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


def device(one: Device) -> DeviceShape:
    """A device."""
    return DeviceShape(device=one.device, patient=one.patient, since_time=one.since)


def _baseline(state: MonitorState, threshold: float) -> BaselineShape:
    learned = baseline(state)
    normal = state.normal if learned is None else learned.normal
    return BaselineShape(
        known=normal is not None,
        learning=is_learning(state),
        doubtful=learned is not None and learned.doubtful,
        text="" if learned is None else learned.text,
        beats=None if normal is None else normal.beats,
        leads=[] if normal is None else list(normal.leads),
        template=None if normal is None else np.round(normal.template, 4).tolist(),
        threshold=threshold,
    )


def beat(time: float, judged: BeatJudged) -> BeatShape:
    """A judged beat and when it was."""
    return BeatShape(
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


def waveform(patient: str, stream: str, start_time: float, found: Waveform) -> WaveformShape:
    """A stretch of signal, to the microvolt."""
    shape = WaveformShape(
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
            PulseShape(
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


def trend(steps: Sequence[TrendStep]) -> TrendShape:
    """Beats counted in steps."""
    return TrendShape(
        time=[step.time for step in steps],
        heart_rate_bpm=[None if step.interval_s is None else round(60.0 / step.interval_s, 1) for step in steps],
        beats=[step.beats for step in steps],
        abnormal=[step.abnormal for step in steps],
        ectopic=[step.ectopic for step in steps],
        unreadable=[step.unreadable for step in steps],
    )


def beat_comparison(one: BeatComparison) -> BeatComparisonShape:
    """A beat beside what was expected."""
    return BeatComparisonShape(
        beat=beat(one.beat.time, one.beat.beat),
        alike=one.alike,
        leads=list(one.leads),
        rate_hz=SHAPE_RATE_HZ,
        samples=lists(one.samples),
        reconstruction=lists(one.reconstruction),
        error=lists(np.abs(one.samples - one.reconstruction)),
    )


def evidence(origin: float, one: Evidence) -> EvidenceShape:
    """The beats on which an alarm rests."""
    return EvidenceShape(
        beat_time=(one.beats_s + origin).tolist(),
        leads=list(one.leads),
        rate_hz=SHAPE_RATE_HZ,
        samples=lists(one.samples),
        reconstruction=lists(one.reconstruction),
        error=lists(one.error),
    )


def transition(time: float, one: Transition, stored: bool) -> TransitionShape:
    """Something that has happened to an alarm, and whether that is stored."""
    return TransitionShape(**transition_json(one, time - one.at_s), stored=stored)


def event(stored: StoredEvent) -> dict[str, Any]:
    """Something that was said of a patient, with the keys of an `EventShape`."""
    facts = {"patient": stored.patient, "time": stored.time}
    return {"id": stored.id, "kind": codec.kind_of(stored.event), **facts, **_facts(stored)}


def _facts(stored: StoredEvent) -> dict[str, Any]:
    one: Event = stored.event
    match one:
        case AlarmChanged():
            return dict(change_json(one, stored.patient, stored.time - one.at_s))
        case QualityChanged():
            return {"lead": one.lead, "word": one.word, "index": one.index}
        case Noticed():
            return {"subject": one.subject, "text": one.text}
        case InputRejected():
            return {"reason": one.reason}
        case BeatJudged():
            return dict(beat(stored.time, one))


def key(one: StoredKey) -> KeyShape:
    """A key, without its secret."""
    return KeyShape(
        id=one.id,
        name=one.name,
        scopes=list(one.scopes),
        created_time=one.created,
        patients=None if one.patients is None else list(one.patients),
        devices=list(one.devices),
        expires_time=one.expires,
    )


def audit(stored: StoredAudit) -> AuditShape:
    """Who did or saw what."""
    entry = stored.entry
    return AuditShape(
        id=stored.id, time=entry.time, who=entry.who, what=entry.what, patient=entry.patient, detail=entry.detail
    )


def lists(array: NDArray[np.floating]) -> Any:
    """Numbers to three places; NaN becomes null where msgspec writes it."""
    return np.round(array.astype(np.float64), 3).tolist()
