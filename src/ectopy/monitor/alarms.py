"""The alarms of one patient: readings, time and orders in; the next state and what has changed out.

All times are stream seconds, and those of changes never run backwards: one that is earlier than the newest change
counts as that one. How long a condition has been there or away is counted by the times of its readings alone.

*Start and end.* A condition has an alarm from the reading at which it has been there for its `onset_s`, until the one
at which it has been away for its `clear_s`. A reading holds until the next one of the same condition. One that cannot
tell (`present` is None) starts nothing and ends nothing: time counts only between two readings that agree and have none
such between them, and goes on from what had been counted before.

*Coming and going.* The condition of an alarm that sounds may be away for its `returns_within_s`: if it is back before
that, the alarm has been active all along, and has continued. One that is acknowledged or paused does not sound, and
ends or is latched after `clear_s`, so that the next occurrence is announced.

*Latching.* An unacknowledged alarm of a latching priority outlasts its condition until it is acknowledged. If
the condition returns before that, the same alarm becomes active again.

*Covering.* While the alarm of a condition is active, acknowledged or not, and the condition not away for its `clear_s`,
the conditions it covers raise none. One that is there after that raises its own then; of high priority even if it
cannot be told at that moment, so that it is never without an alarm. An alarm that is older than the one that covers its
condition goes on as before: an alarm ends only when its condition has gone. One that is latched does not
become active again before that, either.

*Acknowledging* silences one alarm for a time, at most until it ends; when the condition returns, that is a new alarm.
An alarm whose condition has been away for `clear_s` ends at once.

*Audio pause* silences all alarms of the patient for a time, at most until one of high priority starts or returns.

*Discharge* ends all alarms of the patient, whether or not their conditions are there. What was known of conditions is
forgotten: one that is there afterwards raises a new alarm.

*Escalation.* The level of an unacknowledged alarm rises from time to time, up to the most; be it active or latched,
heard or paused. The time counts from when people could hear of it: of samples that come more than ten seconds
late from when they came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ectopy.errors import SettingError
from ectopy.monitor.alarm import Alarm, AlarmState, Inactivation, Phase, Transition
from ectopy.monitor.alarm_log import GENESIS, seal
from ectopy.monitor.alarm_settings import AlarmSettings
from ectopy.monitor.clock_pace import LATE_S
from ectopy.monitor.condition_timing import ConditionTimer, update_timer
from ectopy.monitor.conditions import CONDITIONS, Condition, Priority
from ectopy.monitor.inputs import Command, CommandKind
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.presentation import short_repr
from ectopy.signal.state_replace import replace


@dataclass(frozen=True, slots=True)
class PatientAlarms:
    """Everything the alarms of a patient depend on. Its dictionaries are never changed.

    Attributes
    ----------
    at_s : float
        When it last changed.
    timers : dict of str to ConditionTimer
        By condition; those that are away and have no alarm are left out.
    refractory_until_s : dict of str to float
        By condition: no new alarm before that.
    alarms : int
        How many alarms there have been.
    entries : int
        How many entries the log has.
    digest : str
        Of the last entry of the log.
    """

    __repr__ = short_repr

    at_s: float
    timers: dict[str, ConditionTimer]
    refractory_until_s: dict[str, float]
    audio_paused_until_s: float | None
    alarms: int
    entries: int
    digest: str

    @classmethod
    def fresh(cls) -> PatientAlarms:
        """Return the state of a new patient."""
        return cls(0.0, {}, {}, None, 0, 0, GENESIS)


def update_conditions(
    state: PatientAlarms,
    settings: AlarmSettings,
    at_s: float,
    readings: Sequence[ConditionReading],
    now_s: float | None = None,
) -> tuple[PatientAlarms, tuple[Transition, ...]]:
    """Take new readings, after everything that is due by then.

    Parameters
    ----------
    readings : sequence of ConditionReading
        At most one for each condition; for one that has none, its last reading holds.
    now_s : float or None
        What the stream second of now is, where the readings are of samples that may have come late; None = `at_s`.

    Returns
    -------
    state : PatientAlarms
        The same object where nothing has changed.
    transitions : tuple of Transition
        Alarms that end come before those that start, and more urgent ones before others.
    """
    reading_s, at_s = float(at_s), max(float(at_s), state.at_s)
    state, due = expire(state, settings, at_s)
    timers_before = state.timers
    news: dict[str, ConditionTimer | None] = {}
    for reading in readings:
        code = reading.condition
        if reading.present or code in timers_before:
            before = timers_before.get(code)
            after = update_timer(before, reading, reading_s)
            if after is not before:
                news[code] = after
    if not news:
        return state, due
    # End before starting, so that a covering alarm that ends lets the covered condition raise its own.
    back = [code for code, timer in news.items() if timer and timer.present and is_held(timers_before.get(code))]
    timers = {code: timer for code, timer in (timers_before | news).items() if timer is not None}
    changes = _Changes(replace(state, at_s=at_s, timers=timers), settings, now_s=now_s)
    for code in sorted(timers, key=_RANK.__getitem__):
        _end(changes, at_s, code)
    for code in sorted(changes.state.timers, key=_RANK.__getitem__):
        _start(changes, at_s, code)
    for code in sorted(back, key=_RANK.__getitem__):
        _return(changes, at_s, changes.state.timers[code], "continued")
    return changes.state, (*due, *changes.entries)


def expire(state: PatientAlarms, settings: AlarmSettings, now_s: float) -> tuple[PatientAlarms, tuple[Transition, ...]]:
    """Do what is due by now: end acknowledgements and audio pauses, escalate unacknowledged alarms.

    It does not matter how often it is called before the next readings or order: each transition carries the time at
    which it was due, and those that are due at the time of readings or of an order come before them.

    Returns
    -------
    state : PatientAlarms
        The same object where nothing is due.
    transitions : tuple of Transition
        In order of their times.
    """
    changes = _Changes(state, settings)
    while (deadline := min(_deadlines(changes.state), default=None)) is not None and deadline.due_s <= now_s:
        match deadline.kind:
            case _Kind.AUDIO_PAUSE:
                _end_audio_pause(changes, deadline.due_s)
                for alarm in _sounding(changes.state)[:1]:
                    changes.record_change(deadline.due_s, "reminded", alarm)
            case _Kind.ACKNOWLEDGEMENT:
                _sound_again(changes, deadline.due_s, "acknowledgement expired", _alarm(changes.state, deadline.alarm))
            case _Kind.ESCALATION:
                _escalate(changes, deadline.due_s, _alarm(changes.state, deadline.alarm))
    return changes.state, tuple(changes.entries)


def apply_command(
    state: PatientAlarms, settings: AlarmSettings, at_s: float, command: Command
) -> tuple[PatientAlarms, tuple[Transition, ...]]:
    """Carry out a command, after everything that is due by then.

    Acknowledging an alarm again restarts its time. Acknowledging a latched alarm ends it.

    Raises
    ------
    SettingError
        If the command names no person, is not about alarms, or could change nothing.
    """
    if not command.person.strip():
        raise SettingError("A command needs the name of the person who gives it.")
    at_s = max(float(at_s), state.at_s)
    state, due = expire(state, settings, at_s)
    changes = _Changes(state, settings, command)
    match command.kind:
        case CommandKind.ACKNOWLEDGE:
            _acknowledge(changes, at_s, _alarm(state, command.alarm), command.person)
        case CommandKind.UNACKNOWLEDGE:
            _take_back(changes, at_s, _alarm(state, command.alarm))
        case CommandKind.PAUSE_AUDIO:
            _pause_audio(changes, at_s)
        case CommandKind.RESUME_AUDIO:
            _resume_audio(changes, at_s)
        case CommandKind.DISCHARGE:
            _discharge(changes, at_s)
        case _:
            raise SettingError(f"'{command.kind}' is not a command about alarms.")
    return changes.state, (*due, *changes.entries)


def active(state: PatientAlarms) -> tuple[Alarm, ...]:
    """Alarms that are active or latched, the most urgent one first.

    That is by priority; then unacknowledged ones, those whose condition is present, and the newest.
    """
    ranked = [
        (
            -timer.alarm.priority,
            timer.alarm.inactivation is Inactivation.ACKNOWLEDGED,
            timer.alarm.state is AlarmState.LATCHED or _has_gone(timer, code),
            -timer.alarm.number,
            timer.alarm,
        )
        for code, timer in state.timers.items()
        if timer.alarm is not None
    ]
    return tuple(alarm for *_, alarm in sorted(ranked, key=lambda rank: rank[:-1]))


# A condition comes after those that cover it.
_RANK = {
    condition.code: rank
    for rank, condition in enumerate(sorted(CONDITIONS.values(), key=lambda condition: -condition.priority))
}
_COVERED_BY = {code: tuple(other.code for other in CONDITIONS.values() if code in other.covers) for code in CONDITIONS}


class _Kind(IntEnum):
    """Kinds of deadlines; in this order where several are due at once."""

    AUDIO_PAUSE = 0
    ACKNOWLEDGEMENT = 1
    ESCALATION = 2


class _Deadline(NamedTuple):
    due_s: float
    kind: _Kind
    alarm: int


def _deadlines(state: PatientAlarms) -> Iterator[_Deadline]:
    if state.audio_paused_until_s is not None:
        yield _Deadline(state.audio_paused_until_s, _Kind.AUDIO_PAUSE, 0)
    for timer in state.timers.values():
        if timer.alarm is None:
            continue
        if timer.alarm.acknowledged_until_s is not None:
            yield _Deadline(timer.alarm.acknowledged_until_s, _Kind.ACKNOWLEDGEMENT, timer.alarm.number)
        if timer.escalates_s is not None:
            yield _Deadline(timer.escalates_s, _Kind.ESCALATION, timer.alarm.number)


def _sounding(state: PatientAlarms) -> list[Alarm]:
    return [alarm for alarm in active(state) if alarm.inactivation is Inactivation.ENABLED]


def _alarm(state: PatientAlarms, number: int | None) -> Alarm:
    if number is None:
        raise SettingError("The command must name its alarm.")
    for alarm in active(state):
        if alarm.number == number:
            return alarm
    if 1 <= number <= state.alarms:
        raise SettingError(f"Alarm {number} has ended; only active and latched alarms take commands.")
    raise SettingError(f"There is no alarm {number}: this patient has had {state.alarms}.")


def next_deadline_s(state: PatientAlarms) -> float | None:
    """Return the stream second at which `expire` has something to do next; None if time changes nothing."""
    return min((deadline.due_s for deadline in _deadlines(state)), default=None)


class _Changes:
    """The state while it changes, and the new entries of the log."""

    def __init__(
        self,
        state: PatientAlarms,
        settings: AlarmSettings,
        command: Command | None = None,
        now_s: float | None = None,
    ) -> None:
        self.state = state
        self._now_s = now_s
        self.settings = settings
        self.entries: list[Transition] = []
        self._person = command.person if command else ""
        self._why = command.why if command else ""

    def record(self, at_s: float, change: str, alarm: Alarm, escalates_s: float | None) -> None:
        """Write down what has become of an alarm."""
        state, code = self.state, alarm.condition
        started, ended = alarm.number > state.alarms, alarm.ended_s is not None
        alarm = replace(alarm, phase=Phase.START if started else Phase.END if ended else Phase.CONTINUE)
        entry = seal(state.entries + 1, at_s, change, alarm, self._person, self._why, state.digest)
        timers, refractory = dict(state.timers), state.refractory_until_s
        if ended:
            timer = timers.pop(code)
            if timer.present:
                timers[code] = replace(timer, alarm=None, escalates_s=None)
            if CONDITIONS[code].refractory_s > 0:
                refractory = refractory | {code: at_s + CONDITIONS[code].refractory_s}
        else:
            timers[code] = replace(timers[code], alarm=alarm, escalates_s=escalates_s)
        self.entries.append(entry)
        self.state = replace(
            state,
            at_s=at_s,
            timers=timers,
            refractory_until_s=refractory,
            alarms=max(state.alarms, alarm.number),
            entries=entry.number,
            digest=entry.digest,
        )

    def record_change(self, at_s: float, change: str, alarm: Alarm) -> None:
        """Write down a change that its escalation does not depend on."""
        self.record(at_s, change, alarm, self.state.timers[alarm.condition].escalates_s)

    def escalation(self, at_s: float, priority: Priority) -> float | None:
        """Return when an alarm is escalated if it stays unacknowledged from now on."""
        after_s = self.settings.of(priority).escalate_after_s
        if after_s is None or self.settings.most_escalations == 0:
            return None
        # However samples are cut into chunks of a few seconds, the time counts from the same moment.
        late = self._now_s is not None and self._now_s - at_s > LATE_S
        return (self._now_s if late and self._now_s is not None else at_s) + after_s

    @property
    def initial_inactivation(self) -> Inactivation:
        """Inactivation of an unacknowledged alarm."""
        paused = self.state.audio_paused_until_s is not None
        return Inactivation.AUDIO_PAUSED if paused else Inactivation.ENABLED


def _end(changes: _Changes, at_s: float, code: str) -> None:
    """End or latch the alarm of a condition that has been away for long enough."""
    timer = changes.state.timers[code]
    alarm = timer.alarm
    if alarm is None or alarm.state is AlarmState.LATCHED or timer.present or timer.lasted_s < _stays_s(alarm):
        return
    alarm = replace(alarm, cleared_s=timer.since_s)
    if changes.settings.of(alarm.priority).latching and alarm.inactivation is not Inactivation.ACKNOWLEDGED:
        changes.record_change(at_s, "latched", replace(alarm, state=AlarmState.LATCHED))
    else:
        changes.record(at_s, "ended", replace(alarm, state=AlarmState.INACTIVE, ended_s=at_s), None)


def _stays_s(alarm: Alarm) -> float:
    """Return how long the condition of an alarm must be away until it ends or is latched."""
    condition = CONDITIONS[alarm.condition]
    sounds = alarm.inactivation is Inactivation.ENABLED
    return max(condition.clear_s, condition.returns_within_s) if sounds else condition.clear_s


def _start(changes: _Changes, at_s: float, code: str) -> None:
    """Raise the alarm of a condition that has been there for long enough, or make its latched one active again."""
    timer, condition = changes.state.timers[code], CONDITIONS[code]
    if not timer.present or timer.lasted_s < condition.onset_s:
        return
    if timer.alarm is None:
        if _may_raise(changes.state, at_s, condition, timer):
            _raise(changes, at_s, condition, timer)
    elif timer.alarm.state is AlarmState.LATCHED and not _is_covered(changes.state, condition.code):
        _return(changes, at_s, timer, "returned")


def _may_raise(state: PatientAlarms, at_s: float, condition: Condition, timer: ConditionTimer) -> bool:
    if timer.unknown and condition.priority is not Priority.HIGH:
        return False
    if at_s < state.refractory_until_s.get(condition.code, 0.0):
        return False
    return not _is_covered(state, condition.code)


def _is_covered(state: PatientAlarms, covered: str) -> bool:
    return any(_covers(state.timers.get(code), code) for code in _COVERED_BY[covered])


def _covers(timer: ConditionTimer | None, code: str) -> bool:
    return timer is not None and timer.is_active and not _has_gone(timer, code)


def is_held(timer: ConditionTimer | None) -> bool:
    """Return whether an alarm is active only because its condition may come back."""
    return timer is not None and timer.alarm is not None and timer.is_active and _has_gone(timer, timer.alarm.condition)


def _has_gone(timer: ConditionTimer, code: str) -> bool:
    """Return whether a condition has been away for long enough to end its alarm, if that does not sound."""
    return not timer.present and timer.lasted_s >= CONDITIONS[code].clear_s


def _raise(changes: _Changes, at_s: float, condition: Condition, timer: ConditionTimer) -> None:
    high = condition.priority is Priority.HIGH
    alarm = Alarm(
        number=changes.state.alarms + 1,
        condition=condition.code,
        kind=condition.kind,
        priority=condition.priority,
        phase=Phase.START,
        state=AlarmState.ACTIVE,
        inactivation=Inactivation.ENABLED if high else changes.initial_inactivation,
        present_s=timer.since_s,
        raised_s=at_s,
        reading=timer.evidence,
        latest=timer.evidence,
    )
    changes.record(at_s, "raised", alarm, changes.escalation(at_s, condition.priority))
    if high:
        _end_audio_pause(changes, at_s)


def _return(changes: _Changes, at_s: float, timer: ConditionTimer, change: str) -> None:
    alarm = timer.alarm
    assert alarm is not None
    # A chain of escalations that is on its way goes on, or a condition that comes and goes would never be escalated.
    level, escalates_s = alarm.level, timer.escalates_s
    if escalates_s is None:
        level, escalates_s = 0, changes.escalation(at_s, alarm.priority)
    high = alarm.priority is Priority.HIGH
    inactivation = Inactivation.ENABLED if high else alarm.inactivation
    returned = replace(
        alarm, state=AlarmState.ACTIVE, inactivation=inactivation, present_s=timer.since_s, level=level, cleared_s=None
    )
    changes.record(at_s, change, returned, escalates_s)
    if high:
        _end_audio_pause(changes, at_s)


def _escalate(changes: _Changes, at_s: float, alarm: Alarm) -> None:
    risen = replace(alarm, level=alarm.level + 1)
    last = risen.level >= changes.settings.most_escalations
    changes.record(at_s, "escalated", risen, None if last else changes.escalation(at_s, alarm.priority))


def _acknowledge(changes: _Changes, at_s: float, alarm: Alarm, person: str) -> None:
    acknowledged = replace(
        alarm,
        inactivation=Inactivation.ACKNOWLEDGED,
        level=0,
        acknowledged_by=person,
        acknowledged_until_s=at_s + changes.settings.of(alarm.priority).acknowledged_s,
    )
    changes.record(at_s, "acknowledged", acknowledged, None)
    if alarm.state is AlarmState.LATCHED:
        changes.record(at_s, "ended", replace(acknowledged, state=AlarmState.INACTIVE, ended_s=at_s), None)
    else:
        _end(changes, at_s, alarm.condition)


def _take_back(changes: _Changes, at_s: float, alarm: Alarm) -> None:
    if alarm.inactivation is not Inactivation.ACKNOWLEDGED:
        raise SettingError(f"Alarm {alarm.number} is not acknowledged, so there is nothing to take back.")
    _sound_again(changes, at_s, "unacknowledged", alarm)


def _sound_again(changes: _Changes, at_s: float, change: str, alarm: Alarm) -> None:
    """Take an acknowledgement away."""
    unseen = replace(alarm, inactivation=changes.initial_inactivation, acknowledged_by="", acknowledged_until_s=None)
    changes.record(at_s, change, unseen, changes.escalation(at_s, alarm.priority))


def _pause_audio(changes: _Changes, at_s: float) -> None:
    sounding = _sounding(changes.state)
    if not sounding:
        raise SettingError("There is nothing to pause: no alarm of this patient sounds.")
    changes.state = replace(changes.state, audio_paused_until_s=at_s + changes.settings.audio_pause_s)
    for alarm in sounding:
        changes.record_change(at_s, "audio paused", replace(alarm, inactivation=Inactivation.AUDIO_PAUSED))
        _end(changes, at_s, alarm.condition)


def _resume_audio(changes: _Changes, at_s: float) -> None:
    if changes.state.audio_paused_until_s is None:
        raise SettingError("The audio of this patient is not paused.")
    _end_audio_pause(changes, at_s)


def _discharge(changes: _Changes, at_s: float) -> None:
    for alarm in active(changes.state):
        changes.record(at_s, "discharged", replace(alarm, state=AlarmState.INACTIVE, ended_s=at_s), None)
    changes.state = replace(changes.state, at_s=at_s, timers={}, refractory_until_s={}, audio_paused_until_s=None)


def _end_audio_pause(changes: _Changes, at_s: float) -> None:
    changes.state = replace(changes.state, at_s=at_s, audio_paused_until_s=None)
    for alarm in active(changes.state):
        if alarm.inactivation is Inactivation.AUDIO_PAUSED:
            changes.record_change(at_s, "audio resumed", replace(alarm, inactivation=Inactivation.ENABLED))
