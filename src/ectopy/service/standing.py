"""How a patient is, from the state of the monitor: what a tile on a wall shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ectopy.monitor import MonitorState
from ectopy.monitor.alarm import Alarm, Inactivation, State
from ectopy.monitor.conditions import AlarmType
from ectopy.monitor.technical import NO_DATA_S

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


@dataclass(frozen=True, slots=True)
class Standing:
    """How a patient is.

    Attributes
    ----------
    word : Word
    heart_rate_bpm : float or None
        Mean of the last eight intervals; None without data, or where the newest of these beats is more than 8 s old.
    quality : dict of str to str
        By lead, one of `ectopy.signal.quality.WORDS`; empty until the first second is judged, and after discharge.
    last_sample_time : float or None
        Of the newest sample, seconds since 1970.
    origin : float
        Time of stream second 0.
    alarms : tuple of Alarm
        Those that are active or latched, as `active_alarms` has them.
    """

    word: Word
    heart_rate_bpm: float | None
    quality: dict[str, str]
    last_sample_time: float | None
    origin: float
    alarms: tuple[Alarm, ...]

    @property
    def calling(self) -> Alarm | None:
        """The most urgent one that nobody has answered: one that was answered hides none that still calls."""
        return next((alarm for alarm in self.alarms if not _answered(alarm)), None)


def standing(state: MonitorState, now: float) -> Standing:
    """How a patient is at a time, seconds since 1970."""
    signal, origin = state.signal, state.epoch or 0.0
    quality = {} if signal is None or not signal.words else dict(zip(signal.segment.leads, signal.words, strict=True))
    newest = None if signal is None else origin + signal.segment.second(signal.segment.wanted)
    if state.discharged:
        return Standing(Word.DISCHARGED, None, {}, newest, origin, ())
    alarms = active_alarms(state)
    word = _word(state, alarms, now)
    rate_bpm = None if word is Word.NO_DATA else _heart_rate_bpm(state)
    return Standing(word, rate_bpm, quality, newest, origin, alarms)


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
    if signal is None or state.silent or now - state.received > NO_DATA_S:
        return Word.NO_DATA
    if any(alarm.kind is AlarmType.PHYSIOLOGICAL for alarm in alarms):
        return Word.ALARM
    if signal.words and "good" not in signal.words:
        return Word.UNREADABLE
    if signal.detection.lessons is not None or not signal.words:
        return Word.LEARNING
    return Word.ABNORMAL if state.rhythm.abnormal else Word.NORMAL


def _heart_rate_bpm(state: MonitorState) -> float | None:
    beats_s = state.rhythm.row_s[-1 - _RATE_OVER :]
    if len(beats_s) < 2 or state.clock_s - beats_s[-1] > _STALE_S:
        return None
    return 60.0 * (len(beats_s) - 1) / (beats_s[-1] - beats_s[0])
