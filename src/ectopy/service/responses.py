"""Answers of the service, with the schemas of `ectopy.service.schemas`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.corrections import AddBeat, ChooseStrip, Corrections, DeleteBeats, Relabel, RemoveStrip
from ectopy.monitor import AlarmChanged, BeatJudged, Event, InputRejected, MonitorState, Notice, QualityChanged, codec
from ectopy.monitor.alarm import Alarm, Transition
from ectopy.monitor.alarm_json import alarm_json, change_json, transition_json
from ectopy.monitor.events import Evidence
from ectopy.monitor.limits import LIMITS
from ectopy.monitor.status import PatientStatus, baseline, clock_drift, is_learning, stream
from ectopy.presentation import finite_or_none
from ectopy.service import schemas
from ectopy.service.recordings.result import Result
from ectopy.service.recordings.stored_corrections import AuthorError, OutdatedError, corrected_beats, undone
from ectopy.service.storage import StoredAlarm, StoredEvent, TrendStep, Waveform
from ectopy.service.storage.waveform_history import BeatComparison

_PULSE_PLACES = 5


SHAPE_RATE_HZ = 180.0
"""Sampling rate of single beats, as they are judged."""


def alarm(stored: StoredAlarm) -> schemas.AlarmShape:
    """Answer with an alarm."""
    return schemas.AlarmShape(**alarm_json(stored.alarm, stored.patient, stored.origin, stored.origins))


def summary(patient: str, name: str, state: MonitorState, status: PatientStatus) -> schemas.SummaryShape:
    """Answer with the status of a patient."""
    alarms, unacknowledged, rate = status.alarms, status.unacknowledged, status.heart_rate_bpm

    def shape(alarm: Alarm) -> schemas.AlarmShape:
        return schemas.AlarmShape(**alarm_json(alarm, patient, status.origin, state.origins.get(alarm.number)))

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
    """Answer with a patient, limits, baseline and devices; `threshold` is that of beats with a baseline."""
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
    """Answer with the range of each limit."""
    return [cast(schemas.LimitShape, {"name": name, **asdict(limit)}) for name, limit in LIMITS.items()]


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
        template=None if normal is None or not normal.template.size else np.round(normal.template, 4).tolist(),
        threshold=threshold,
    )


def beat(time: float, judged: BeatJudged) -> schemas.BeatShape:
    """Answer with a judged beat and its time."""
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


def waveform(patient: str, stream: str, start_time: float, stored: Waveform) -> schemas.WaveformShape:
    """Answer with a part of a signal, to the microvolt."""
    shape = schemas.WaveformShape(
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
            schemas.PulseShape(
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


def trend(steps: Sequence[TrendStep]) -> schemas.TrendShape:
    """Answer with beats counted in steps."""
    return schemas.TrendShape(
        time=[step.time for step in steps],
        heart_rate_bpm=[None if step.interval_s is None else round(60.0 / step.interval_s, 1) for step in steps],
        beats=[step.beats for step in steps],
        abnormal=[step.abnormal for step in steps],
        ectopic=[step.ectopic for step in steps],
        unreadable=[step.unreadable for step in steps],
    )


def beat_comparison(comparison: BeatComparison) -> schemas.BeatComparisonShape:
    """Answer with a beat beside its reconstruction."""
    return schemas.BeatComparisonShape(
        beat=beat(comparison.beat.time, comparison.beat.beat),
        alike=comparison.alike,
        leads=list(comparison.leads),
        rate_hz=SHAPE_RATE_HZ,
        samples=lists(comparison.samples),
        reconstruction=lists(comparison.reconstruction),
        error=lists(np.abs(comparison.samples - comparison.reconstruction)),
    )


def evidence(origin: float, beats: Evidence) -> schemas.EvidenceShape:
    """Answer with the beats on which an alarm rests."""
    return schemas.EvidenceShape(
        beat_time=(beats.beats_s + origin).tolist(),
        leads=list(beats.leads),
        rate_hz=SHAPE_RATE_HZ,
        samples=lists(beats.samples),
        reconstruction=lists(beats.reconstruction),
        error=lists(beats.error),
    )


def transition(time: float, change: Transition, stored: bool) -> schemas.TransitionShape:
    """Answer with a change of an alarm, and whether that is stored."""
    return schemas.TransitionShape(**transition_json(change, time - change.at_s), stored=stored)


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


_SUPERSEDED = "the recording was analysed again after these corrections."


def correction_entries(
    corrections: Corrections, sampling_rate_hz: float, begin: int = 0
) -> list[schemas.CorrectionEntryShape]:
    """Answer with the entries of a log, from the one of index `begin`."""
    entries = []
    for index, (entry, is_undone) in enumerate(zip(corrections.entries, undone(corrections), strict=True)):
        if index < begin:
            continue
        correction = entry.correction
        fields = msgspec.to_builtins(correction)
        positions = fields.pop("positions", None) or [fields.pop("position", None)]
        if isinstance(correction, Relabel | DeleteBeats | AddBeat):
            fields["beats"] = corrected_beats(correction)
            fields["start_s"], fields["end_s"] = (round(positions[place] / sampling_rate_hz, 3) for place in (0, -1))
        facts = {"number": index + 1, "by": entry.by, "time": entry.at.timestamp(), "undone": is_undone}
        entries.append(cast(schemas.CorrectionEntryShape, facts | fields))
    return entries


def corrections(result: Result, superseded: Sequence[Corrections]) -> schemas.CorrectionsShape:
    """Answer with the log of corrections of a recording, and with those of its earlier analyses."""
    rate_hz, log = result.recording.sampling_rate_hz, result.corrections
    return schemas.CorrectionsShape(
        analysis=result.version.analysis,
        version=result.version.version,
        entries=correction_entries(log, rate_hz),
        strips=[_strip(strip) for strip in log.strips],
        removed_strips=[_strip(strip) for strip in log.hidden_strips],
        conclusion=log.conclusion,
        superseded=[
            schemas.SupersededShape(
                analysis=earlier.analysis_digest, reason=_SUPERSEDED, entries=correction_entries(earlier, rate_hz)
            )
            for earlier in superseded
        ],
    )


def corrected(result: Result) -> schemas.CorrectedShape:
    """Answer with the newest version and entry."""
    entries = correction_entries(result.corrections, result.recording.sampling_rate_hz, result.version.version - 1)
    return schemas.CorrectedShape(analysis=result.version.analysis, version=result.version.version, entry=entries[0])


def outdated(error: OutdatedError) -> schemas.OutdatedShape:
    """Answer with why a correction was rejected, and with what its author has not seen."""
    result = error.result
    newer = correction_entries(result.corrections, result.recording.sampling_rate_hz, error.number)
    return schemas.OutdatedShape(
        detail=str(error), analysis=result.version.analysis, version=result.version.version, newer=newer
    )


def foreign(error: AuthorError) -> schemas.ForeignShape:
    """Answer with why a correction is not undone, and with that correction."""
    result = error.result
    entry = correction_entries(result.corrections, result.recording.sampling_rate_hz, error.index)[0]
    return schemas.ForeignShape(detail=str(error), entry=entry)


def _strip(strip: ChooseStrip | RemoveStrip) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(strip).items() if name != "type"}
