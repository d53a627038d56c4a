"""Events of the monitor line by line, for people or as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from ectopy import __version__
from ectopy.cli.output.rich_tables import pairs_table
from ectopy.detector import Verdict
from ectopy.monitor import AlarmChanged, BeatJudged, Event, InputRejected, Notice, QualityChanged
from ectopy.monitor.alarm import Alarm
from ectopy.monitor.alarm_json import change_json
from ectopy.monitor.codec import kind_of, to_json
from ectopy.monitor.conditions import CONDITIONS, Priority
from ectopy.monitor.event_counts import EventCounts
from ectopy.presentation import elapsed

STYLES = {Priority.HIGH: "bold red", Priority.MEDIUM: "yellow", Priority.LOW: "cyan"}
_CALLS = ("raised", "returned")
_DIGEST_LENGTH = 16


def event_json(event: Event, digest: str, replay: str | None) -> str:
    """Write an event as a line of JSON: its kind and attributes; a change of an alarm as everywhere else.

    An alarm also has ``software``, ``bundle`` (the SHA-256 of the detector's bundle), and ``replay`` (the command that
    shows it again).
    """
    if not isinstance(event, AlarmChanged):
        return to_json(event)
    about = {"software": f"ectopy {__version__}", "bundle": digest, "replay": replay}
    evidence = {"strip_s": event.strip_s, "evidence": event.evidence}
    return to_json({"kind": kind_of(event), **change_json(event), **evidence, **about})


def event_text(event: Event, replay: str | None) -> Text:
    """Write an event as a line for people; an alarm that starts or returns has the replay command below it."""
    match event:
        case BeatJudged():
            return _line(event.beat_s, "beat", _beat(event), "dim" if event.verdict == Verdict.NORMAL else "")
        case QualityChanged():
            return _line(event.at_s, "quality", f"{event.lead} is {event.word}, index {event.index:.2f}", "dim")
        case Notice():
            return _line(event.at_s, "notice", event.text)
        case InputRejected():
            return _line(event.at_s, "rejected", event.reason, "magenta")
        case AlarmChanged():
            return _alarm(event, replay)


def summary_table(
    source: str, span_s: tuple[float, float], counts: EventCounts, active: Sequence[Alarm], baseline: str, detector: str
) -> Table:
    """Summarise a watch: its span in stream seconds, counts of events, active alarms, baseline and detector."""
    from_s, to_s = span_s
    raised = ", ".join(f"{counts.raised[priority]} {priority.word}" for priority in STYLES)
    rows = {
        "watched": f"{_time(to_s - from_s)}, from {_time(from_s)} to {_time(to_s)}",
        "beats": f"{counts.beats:,}, of which {counts.unreadable:,} not readable",
        "abnormal": f"{counts.abnormal:,}",
        "alarms": raised,
        "active": "\n".join(f"{CONDITIONS[alarm.condition].title}, {alarm.state}" for alarm in active) or "none",
        "patient's normal": baseline,
        "detector": detector,
    }
    return pairs_table(source, rows)


def detector_text(bundle: str, digest: str) -> str:
    """Name the detector and the software."""
    return f"{bundle}, SHA-256 {digest[:_DIGEST_LENGTH]}; Ectopy {__version__}"


def _beat(event: BeatJudged) -> str:
    interval = "" if event.interval_s is None else f", RR {1000 * event.interval_s:.0f} ms"
    verdict = " ".join(filter(None, (event.verdict, event.hint)))
    return f"{verdict}{interval}{f': {event.reason}' if event.reason else ''}"


def _alarm(event: AlarmChanged, replay: str | None) -> Text:
    alarm = event.alarm
    text = f"{CONDITIONS[alarm.condition].title} {event.change}"
    if event.change == "escalated":
        text += f" to level {alarm.level}"
    calls = event.change in _CALLS
    if calls and alarm.latest.text:
        text += f": {alarm.latest.text}"
    line = _line(event.at_s, alarm.priority.name, text, STYLES[alarm.priority])
    if calls and replay:
        line.append(f"\n{'':>10}  {'':8} replay: {replay}", "dim")
    return line


def _line(at_s: float, kind: str, text: str, style: str = "") -> Text:
    line = Text(f"{_time(at_s):>10}  ")
    line.append(f"{kind:8} {text}", style)
    return line


def _time(seconds: float) -> str:
    return elapsed(seconds, places=1)
