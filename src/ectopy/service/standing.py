"""How a patient is, from the state of the monitor: what a tile on a wall shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ectopy.monitor import MonitorState
from ectopy.monitor.alarm import Alarm, Inactivation, State
from ectopy.monitor.conditions import AlarmType

SILENT_S = 3.0
"""Seconds without samples after which nothing that was found in earlier ones is shown as current."""

_RATE_OVER = 8
_STALE_S = 8.0


class Word(StrEnum):
    """The state of a patient in a word; the first one that fits."""

    DISCHARGED = "discharged"
    NO_DATA = "no data"
    ALARM = "alarm"
    UNREADABLE = "unreadable"
    LEARNING = "learning"
    ABNORMAL = "abnormal"
    NORMAL = "normal"


class Comparison(StrEnum):
    """What the beats of a patient are compared with."""

    OWN = "own normal"
    PROVISIONAL = "provisional normal"
    OTHERS = "other people's normal"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a patient is.

    Attributes
    ----------
    word : Word
    heart_rate_bpm : float or None
        Mean of the last eight intervals; None without data, or where the newest of these beats is more than 8 s old.
    quality : dict of str to str
        By lead, one of `ectopy.signal.quality.WORDS`; empty until the first second is judged, without data, and after
        discharge.
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
        Those that are active or latched, as `active_alarms` has them.
    """

    word: Word
    heart_rate_bpm: float | None
    quality: dict[str, str]
    last_sample_time: float | None
    received: float | None
    compared_with: Comparison
    learning_left_s: float | None
    origin: float
    alarms: tuple[Alarm, ...]

    @property
    def calling(self) -> Alarm | None:
        """The most urgent one that nobody has answered: one that was answered hides none that still calls."""
        return next((alarm for alarm in self.alarms if not _answered(alarm)), None)


def standing(state: MonitorState, now: float, learning_s: float) -> Standing:
    """Return how a patient is.

    Parameters
    ----------
    state : MonitorState
    now : float
        Seconds since 1970.
    learning_s : float
        How long a patient's normal is learned from.
    """
    signal, origin = state.signal, state.epoch or 0.0
    newest = None if signal is None else origin + signal.segment.second(signal.segment.next_position)
    received = None if signal is None else state.received
    if state.discharged:
        return Standing(Word.DISCHARGED, None, {}, newest, received, Comparison.NOTHING, None, origin, ())
    alarms = active_alarms(state)
    word = _word(state, alarms, now)
    silent = word is Word.NO_DATA
    return Standing(
        word=word,
        heart_rate_bpm=None if silent else _heart_rate_bpm(state),
        quality={} if silent else _quality(state),
        last_sample_time=newest,
        received=received,
        compared_with=_compared_with(state),
        learning_left_s=_learning_left_s(state, learning_s),
        origin=origin,
        alarms=alarms,
    )


def active_alarms(state: MonitorState) -> tuple[Alarm, ...]:
    """Alarms that are active or latched: by priority, unanswered first, active before latched, the newest first."""
    alarms = [course.alarm for course in state.alarms.courses.values() if course.alarm is not None]
    return tuple(sorted(alarms, key=_urgency))


def _answered(alarm: Alarm) -> bool:
    return alarm.inactivation is Inactivation.ACKNOWLEDGED


def _urgency(alarm: Alarm) -> tuple[int, bool, bool, float]:
    """Smaller = more urgent."""
    return -alarm.priority, _answered(alarm), alarm.state is not State.ACTIVE, -alarm.raised_s


def _word(state: MonitorState, alarms: tuple[Alarm, ...], now: float) -> Word:
    signal = state.signal
    if signal is None or state.silent or now - state.received > SILENT_S:
        return Word.NO_DATA
    if any(alarm.kind is AlarmType.PHYSIOLOGICAL for alarm in alarms):
        return Word.ALARM
    if signal.words and "good" not in signal.words:
        return Word.UNREADABLE
    if signal.detection.lessons is not None or not signal.words:
        return Word.LEARNING
    return Word.ABNORMAL if state.rhythm.abnormal else Word.NORMAL


def _quality(state: MonitorState) -> dict[str, str]:
    signal = state.signal
    return dict(zip(signal.segment.leads, signal.words, strict=True)) if signal is not None and signal.words else {}


def _compared_with(state: MonitorState) -> Comparison:
    if state.signal is None:
        return Comparison.NOTHING
    baseline = state.signal.detection.baseline
    if baseline.normal is None:
        return Comparison.OTHERS
    return Comparison.PROVISIONAL if baseline.provisional else Comparison.OWN


def _learning_left_s(state: MonitorState, learning_s: float) -> float | None:
    if state.signal is None or state.signal.detection.lessons is None:
        return None
    times_s = state.signal.detection.lessons.beats.times_s
    return learning_s if not len(times_s) else max(learning_s - float(times_s[-1] - times_s[0]), 0.0)


def _heart_rate_bpm(state: MonitorState) -> float | None:
    beats_s = state.rhythm.row_s[-1 - _RATE_OVER :]
    if len(beats_s) < 2 or state.clock_s - beats_s[-1] > _STALE_S:
        return None
    return 60.0 * (len(beats_s) - 1) / (beats_s[-1] - beats_s[0])
