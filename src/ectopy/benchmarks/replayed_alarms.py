"""Recordings replayed to monitors, several at a time, and when their alarms were active.

A recording is watched from its first sample, in chunks of one second, by a monitor that has not seen the patient
before; nobody acknowledges anything. Recordings that are watched at the same time share the work of the front end, as
the patients of a ward do, and do not influence each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from ectopy.arguments import Progress
from ectopy.formats import read
from ectopy.monitor import AlarmChanged, Event, Limits, Monitor, MonitorState
from ectopy.monitor.alarm import AlarmState
from ectopy.monitor.alarms import active
from ectopy.monitor.conditions import CONDITIONS, AlarmType, Priority
from ectopy.monitor.inputs import Chunk, End
from ectopy.monitor.replay import cut, pulse_chunk
from ectopy.presentation import short_repr
from ectopy.processes import in_processes
from ectopy.recording import Recording
from ectopy.signal.amplitude import require_plausible_start

_Record = TypeVar("_Record")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of a recording that a monitor sees.

    Attributes
    ----------
    recording : Recording
        That part alone.
    start_s : float
        Where it begins in the whole recording.
    to_the_end : bool
        Whether the whole recording ends with it: then its last beats are judged too. Otherwise the monitor is not told
        that nothing follows.
    """

    __repr__ = short_repr

    recording: Recording
    start_s: float = 0.0
    to_the_end: bool = True

    @classmethod
    def of(cls, recording: Recording, start_s: float = 0.0, end_s: float = inf) -> Excerpt:
        """Cut a part out of a recording with its pulse waves, without annotations."""
        rate_hz = recording.sampling_rate_hz
        first = max(round(start_s * rate_hz), 0)
        stop = len(recording.signal) if end_s == inf else min(round(end_s * rate_hz), len(recording.signal))
        pulses = tuple(
            replace(wave, samples=pulse_chunk(wave, first / rate_hz, stop / rate_hz).samples)
            for wave in recording.pulses
        )
        part = replace(recording, signal=recording.signal[first:stop], annotations=None, pulses=pulses)
        return cls(part, first / rate_hz, stop == len(recording.signal))


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch in which an alarm is active with one priority; seconds from the start of the whole recording.

    Attributes
    ----------
    condition : str
    priority : Priority
        Of the alarm, which may be lower than that of its condition.
    start_s, end_s : float
        The alarm is raised, returns, or changes its priority; it ends, is latched, or changes its priority. The end is
        infinite where the alarm is still active when watching ends.
    text : str
        The rule with its figures.
    there_s : float
        Where its condition had been away for its `clear_s` and was not back in this stretch; infinite where there is
        no such time. The alarm of a condition that comes and goes is active for longer.
    covered_by : str
        Condition of the active alarm of high priority that says the same, where this condition therefore has no alarm
        of its own; empty where it has.
    """

    condition: str
    priority: Priority
    start_s: float
    end_s: float = inf
    text: str = ""
    there_s: float = inf
    covered_by: str = ""

    @property
    def calls_high(self) -> bool:
        """Return whether it is an alarm of high priority about the patient."""
        physiological = CONDITIONS[self.condition].kind is AlarmType.PHYSIOLOGICAL
        return physiological and self.priority is Priority.HIGH and not self.covered_by

    def overlaps(self, start_s: float, end_s: float) -> bool:
        """Return whether the alarm is active, and its condition there, at any time from the start to the end."""
        return self.start_s <= end_s and min(self.end_s, self.there_s) >= start_s

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        figures = {
            "condition": self.condition,
            "priority": self.priority.word,
            "start": self.start_s,
            "end": self.end_s,
            "text": self.text,
        }
        return figures | ({"covered_by": self.covered_by} if self.covered_by else {})


def read_record(path: Path) -> Recording:
    """Read a recording whose unit is the one that it states.

    Raises
    ------
    DataError
        If it cannot be read, or is an ECG in another unit.
    """
    recording = read(path)
    require_plausible_start(recording)
    return recording


def watch_together(monitor: Monitor, excerpts: Sequence[Excerpt], limits: Limits) -> list[tuple[Spell, ...]]:
    """Replay several excerpts at a time, each as a new patient.

    Returns
    -------
    list of tuple of Spell
        Of each excerpt, in order of their start.
    """
    watched = [_Watched(excerpt, limits) for excerpt in excerpts]
    while running := [(each, step) for each in watched if (step := next(each.inputs, None)) is not None]:
        outcomes = monitor.step_together([(each.state, step) for each, step in running])
        for (each, _), outcome in zip(running, outcomes, strict=True):
            if isinstance(outcome, Exception):
                raise outcome
            each.take(*outcome)
    return [each.spells() for each in watched]


def measure_records(
    function: Callable[[Sequence[_Record]], list[_Result]],
    records: Sequence[_Record],
    together: int,
    progress: Progress,
) -> list[_Result]:
    """Measure records in groups, one worker process per core; return the results in the order of the records."""
    groups = [records[first : first + together] for first in range(0, len(records), together)]
    results: dict[int, list[_Result]] = {}
    progress(0, len(records), "replaying")
    for row, group in in_processes(function, groups):
        results[row] = group
        progress(sum(map(len, results.values())), len(records), "replaying")
    return [result for row in sorted(results) for result in results[row]]


class _Watched:
    """One excerpt while it is watched."""

    def __init__(self, excerpt: Excerpt, limits: Limits) -> None:
        self.inputs = _inputs(excerpt)
        self.state = MonitorState(limits=limits)
        self._offset_s = excerpt.start_s
        self._spells: list[Spell] = []
        self._open: dict[int | str, int] = {}

    def take(self, state: MonitorState, events: Sequence[Event]) -> None:
        """Follow the alarms through one step."""
        self.state = state
        for event in events:
            if isinstance(event, AlarmChanged):
                alarm = event.alarm
                is_active = alarm.state is AlarmState.ACTIVE
                spell = Spell(alarm.condition, alarm.priority, event.transition.at_s, text=alarm.latest.text)
                self._follow(alarm.number, spell, is_active)
        self._follow_conditions(state)
        self._follow_covered(state)

    def spells(self) -> tuple[Spell, ...]:
        """All of them, at the times of the whole recording."""
        shifted = (
            replace(
                spell,
                start_s=spell.start_s + self._offset_s,
                end_s=spell.end_s + self._offset_s,
                there_s=spell.there_s + self._offset_s,
            )
            for spell in self._spells
        )
        return tuple(sorted(shifted, key=lambda spell: spell.start_s))

    def _follow(self, key: int | str, spell: Spell, is_active: bool) -> None:
        place = self._open.get(key)
        if place is not None:
            current = self._spells[place]
            if is_active and (current.priority, current.covered_by) == (spell.priority, spell.covered_by):
                return
            self._spells[place] = replace(current, end_s=spell.start_s)
            del self._open[key]
        if is_active:
            self._open[key] = len(self._spells)
            self._spells.append(spell)

    def _follow_conditions(self, state: MonitorState) -> None:
        """Follow until when the conditions of active alarms are there."""
        for timer in state.alarms.timers.values():
            place = None if timer.alarm is None else self._open.get(timer.alarm.number)
            if place is None or timer.alarm is None:
                continue
            is_away = not timer.present and timer.lasted_s >= CONDITIONS[timer.alarm.condition].clear_s
            spell = self._spells[place]
            if is_away != (spell.there_s < inf):
                self._spells[place] = replace(spell, there_s=timer.last_reading_s if is_away else inf)

    def _follow_covered(self, state: MonitorState) -> None:
        """Follow conditions of high priority that have no alarm only because one that covers them is active."""
        covering = {
            code: alarm.condition
            for alarm in active(state.alarms)
            if alarm.state is AlarmState.ACTIVE and alarm.priority is Priority.HIGH
            for code in CONDITIONS[alarm.condition].covers
            if CONDITIONS[code].priority is Priority.HIGH
        }
        for code in covering.keys() | {key for key in self._open if isinstance(key, str)}:
            timer = state.alarms.timers.get(code)
            is_there = timer is not None and timer.present and timer.lasted_s >= CONDITIONS[code].onset_s
            has_alarm = timer is not None and timer.alarm is not None and timer.alarm.state is AlarmState.ACTIVE
            text = timer.evidence.text if timer is not None else ""
            spell = Spell(
                code, CONDITIONS[code].priority, state.alarms.at_s, text=text, covered_by=covering.get(code, "")
            )
            self._follow(code, spell, code in covering and is_there and not has_alarm)


def _inputs(excerpt: Excerpt) -> Iterator[Chunk | End]:
    yield from cut(excerpt.recording)
    if excerpt.to_the_end:
        yield End(excerpt.recording.duration_s)
