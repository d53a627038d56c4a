"""Counts of the monitor's events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ectopy.detector import Verdict
from ectopy.monitor import AlarmChanged, BeatJudged, Event, InputRejected
from ectopy.monitor.conditions import Priority


@dataclass(slots=True)
class EventCounts:
    """Counts of events.

    Attributes
    ----------
    provisional : int
        Beats that were judged before the patient's normal was known.
    raised : counter of Priority
        Alarms that started.
    rejected : int
        Inputs that were rejected.
    rejection : str
        Why the newest of these was.
    """

    beats: int = 0
    abnormal: int = 0
    unreadable: int = 0
    provisional: int = 0
    raised: Counter[Priority] = field(default_factory=Counter)
    rejected: int = 0
    rejection: str = ""

    def take(self, events: Iterable[Event]) -> None:
        """Count more events."""
        for event in events:
            match event:
                case BeatJudged():
                    self.beats += 1
                    self.abnormal += event.verdict == Verdict.ABNORMAL
                    self.provisional += bool(event.confidence)
                    self.unreadable += event.verdict == Verdict.UNREADABLE
                case AlarmChanged() if event.change == "raised":
                    self.raised[event.alarm.priority] += 1
                case InputRejected():
                    self.rejected += 1
                    self.rejection = event.reason
