"""Patient status: the one way to read a monitor's state from outside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ectopy.analysis.baseline import Baseline
from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.rhythm_rules import RATE_OVER
from ectopy.monitor.alarm import Alarm, Inactivation
from ectopy.monitor.alarms import active, is_held
from ectopy.monitor.chunk_assembly import Segment
from ectopy.monitor.conditions import AlarmType
from ectopy.monitor.inputs import Chunk
from ectopy.monitor.monitor_state import MonitorState
from ectopy.signal.state_replace import replace

SILENT_S = 3.0
"""Seconds without samples after which nothing that was found in earlier ones is shown as current."""

_STALE_S = 8.0


class PatientState(StrEnum):
    """The state of a patient in a word; the first one that fits."""

    DISCHARGED = "discharged"
    NO_DATA = "no data"
    ALARM = "alarm"
    UNREADABLE = "unreadable"
    LEARNING = "learning"
    ABNORMAL = "abnormal"
    NORMAL = "normal"


class Comparison(StrEnum):
    """Normal that the beats of a patient are compared with."""

    OWN = "own normal"
    PROVISIONAL = "provisional normal"
    OTHER_PEOPLE = "other people's normal"
    NO_NORMAL = "nothing"


@dataclass(frozen=True, slots=True)
class PatientStatus:
    """Status of a patient.

    Attributes
    ----------
    heart_rate_bpm : float or None
        Mean of the last eight intervals; None without data, or where the newest of these beats is more than 8 s old.
    quality : dict of str to str
        By lead, one of `ectopy.signal.quality.QUALITY_WORDS`; empty until the first second is judged, without data, and
        after discharge.
    last_sample_time : float or None
        Of the newest sample, seconds since 1970.
    received : float or None
        When the newest samples came, seconds since 1970.
    compared_with : Comparison
        Without the patient's own normal no beat is called ventricular-like, so that nothing raises an alarm of these.
    learning_left_s : float or None
        How much more signal the patient's normal is learned from; None while it is not being learned.
    origin : float
        Time of stream second 0.
    alarms : tuple of Alarm
        Those that are active or latched, the most urgent one first.
    """

    state: PatientState
    heart_rate_bpm: float | None
    quality: dict[str, str]
    last_sample_time: float | None
    received: float | None
    compared_with: Comparison
    learning_left_s: float | None
    origin: float
    alarms: tuple[Alarm, ...]
    audio_paused_until_time: float | None

    @property
    def unacknowledged(self) -> Alarm | None:
        """The most urgent unacknowledged alarm."""
        return next((alarm for alarm in self.alarms if alarm.inactivation is not Inactivation.ACKNOWLEDGED), None)


def patient_status(state: MonitorState, now: float, learning_s: float) -> PatientStatus:
    """Return how a patient is.

    Parameters
    ----------
    now : float
        Seconds since 1970.
    learning_s : float
        How long a patient's normal is learned from.
    """
    alarms, paused_s = active_alarms(state), state.alarms.audio_paused_until_s
    word = _state(state, alarms, now)
    discharged, silent = word is PatientState.DISCHARGED, word in (PatientState.DISCHARGED, PatientState.NO_DATA)
    return PatientStatus(
        state=word,
        heart_rate_bpm=None if silent else _heart_rate_bpm(state),
        quality={} if silent else _quality(state),
        last_sample_time=None if state.signal is None else newest_sample_time(state),
        received=None if state.signal is None else state.received,
        compared_with=Comparison.NO_NORMAL if discharged else _compared_with(state),
        learning_left_s=None if discharged else _learning_left_s(state, learning_s),
        origin=origin(state),
        alarms=alarms,
        audio_paused_until_time=None if paused_s is None else origin(state) + paused_s,
    )


def active_alarms(state: MonitorState) -> tuple[Alarm, ...]:
    """Return alarms that are active or latched, the most urgent first, as people are to see them.

    An alarm can stay active only because its condition may return: here its `cleared_s` says when that went away.
    """
    conditions = state.alarms.timers
    return tuple(
        replace(alarm, cleared_s=conditions[alarm.condition].since_s) if is_held(conditions[alarm.condition]) else alarm
        for alarm in active(state.alarms)
    )


def origin(state: MonitorState) -> float:
    """Time of stream second 0, seconds since 1970; 0 before the first input."""
    return state.epoch or 0.0


def stream(state: MonitorState) -> Segment | None:
    """Return the stretch of the stream that comes now; None before the first samples."""
    return None if state.signal is None else state.signal.segment


def next_position(state: MonitorState) -> int | None:
    """Position of the sample that comes next; None before the first one."""
    segment = stream(state)
    return None if segment is None else segment.next_position


def continues(state: MonitorState, chunk: Chunk) -> bool:
    """Return whether a chunk belongs to the stretch of the stream that comes now."""
    segment = stream(state)
    return segment is not None and segment.continued_by(chunk)


def newest_sample_time(state: MonitorState) -> float:
    """Return the time of the newest sample, seconds since 1970; the time of stream second 0 before the first one."""
    segment = stream(state)
    return origin(state) + (0.0 if segment is None else segment.second(segment.next_position))


def baseline(state: MonitorState) -> Baseline | None:
    """Return what beats are compared with, and how that was learned; None before the first samples."""
    return None if state.signal is None else state.signal.detection.baseline


def normal(state: MonitorState) -> PatientTemplate | None:
    """Return the patient's template; None where beats are not compared with one.

    A viewer may not have its samples yet: then they have the shape (leads, 0).
    """
    learned = baseline(state)
    return None if learned is None else learned.normal


def is_learning(state: MonitorState) -> bool:
    """Return whether the patient's normal is being learned, or will be with the first samples."""
    return state.signal is None or state.signal.detection.learning is not None


def clock_drift(state: MonitorState) -> float | None:
    """Seconds that the device's clock gains in a second of the monitor's; None where it is not known."""
    return state.pace.drift


def is_reported(state: MonitorState, condition: str) -> bool:
    """Return whether a condition is present, or was and its alarm is not over."""
    return condition in state.alarms.timers


def is_present(state: MonitorState, condition: str) -> bool:
    """Return whether a condition is present, by the newest reading."""
    timer = state.alarms.timers.get(condition)
    return timer is not None and timer.present


def _state(state: MonitorState, alarms: tuple[Alarm, ...], now: float) -> PatientState:
    signal = state.signal
    if state.discharged:
        return PatientState.DISCHARGED
    if signal is None or state.silent or now - state.received > SILENT_S:
        return PatientState.NO_DATA
    if any(alarm.kind is AlarmType.PHYSIOLOGICAL for alarm in alarms):
        return PatientState.ALARM
    if signal.words and "good" not in signal.words:
        return PatientState.UNREADABLE
    if is_learning(state) or not signal.words:
        return PatientState.LEARNING
    return PatientState.ABNORMAL if state.rhythm.abnormal else PatientState.NORMAL


def _quality(state: MonitorState) -> dict[str, str]:
    signal = state.signal
    return dict(zip(signal.segment.leads, signal.words, strict=True)) if signal is not None and signal.words else {}


def _compared_with(state: MonitorState) -> Comparison:
    learned = baseline(state)
    if learned is None:
        return Comparison.NO_NORMAL
    if learned.normal is None:
        return Comparison.OTHER_PEOPLE
    return Comparison.PROVISIONAL if learned.provisional else Comparison.OWN


def _learning_left_s(state: MonitorState, learning_s: float) -> float | None:
    if state.signal is None or state.signal.detection.learning is None:
        return None
    times_s = state.signal.detection.learning.beats.times_s
    return learning_s if not len(times_s) else max(learning_s - float(times_s[-1] - times_s[0]), 0.0)


def _heart_rate_bpm(state: MonitorState) -> float | None:
    beats_s = state.rhythm.row_s[-1 - RATE_OVER :]
    if len(beats_s) < 2 or state.clock_s - beats_s[-1] > _STALE_S:
        return None
    return 60.0 * (len(beats_s) - 1) / (beats_s[-1] - beats_s[0])
