"""What docs/alarms.md says of conditions and limits is what the code does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ectopy.monitor.alarms import AlarmSettings
from ectopy.monitor.conditions import CONDITIONS, AlarmType, Priority
from ectopy.monitor.limits import PROFILES, Limits
from ectopy.statements import STATEMENTS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "alarms.md"
SHOWN = {
    "high_bpm": "high rate, /min",
    "low_bpm": "low rate, /min",
    "extreme_high_bpm": "extreme tachycardia, /min",
    "extreme_low_bpm": "extreme bradycardia, /min",
    "clear_bpm": "rates end so far behind their limit, /min",
    "asystole_s": "asystole, s",
    "pause_s": "pause, s",
    "vt_beats": "ventricular tachycardia, beats",
    "vt_bpm": "ventricular tachycardia, /min",
    "run_beats": "ventricular run, beats",
    "couplets": "couplets in five minutes, more than",
    "bigeminy_pairs": "bigeminy, times in a row",
    "irregular_share": "irregular rhythm, share of the mean interval",
    "abnormal_k": "not this patient's normal: k",
    "abnormal_n": "of n beats",
}


def table(*rows: Iterable[object]) -> str:
    """A Markdown table, the first row its head."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * lines[0].count(" | ") + " --- |", *lines[1:]])


def conditions_table() -> str:
    head = ("condition", "priority", "definition", "source", "starts after, s", "ends after, s", "again after, s")
    kinds = {AlarmType.PHYSIOLOGICAL: "", AlarmType.TECHNICAL: ", technical", AlarmType.ADVISORY: ", advisory"}
    return table(
        head,
        *(
            (
                each.code,
                each.priority.name.lower() + kinds[each.kind],
                each.definition,
                each.source,
                f"{each.onset_s:g}",
                f"{each.clear_s:g}",
                f"{each.refractory_s:g}" if each.refractory_s else "",
            )
            for each in CONDITIONS.values()
        ),
    )


def limits_table() -> str:
    limits = [Limits.of(profile) for profile in PROFILES]
    return table(
        ("limit", *(f"`{profile}`" for profile in PROFILES)),
        *((text, *(f"{getattr(each, name):g}" for each in limits)) for name, text in SHOWN.items()),
    )


def priorities_table() -> str:
    settings = AlarmSettings()
    rows = []
    for priority in sorted(Priority, reverse=True):
        rules = settings.of(priority)
        escalated = "never" if rules.escalate_after_s is None else f"{rules.escalate_after_s:g}"
        rows.append((priority.name.lower(), "yes" if rules.latching else "no", f"{rules.acknowledged_s:g}", escalated))
    return table(("priority", "latching", "acknowledged for, s", "escalated every, s"), *rows)


def test_conditions_are_those_of_the_code():
    assert conditions_table() in PAGE.read_text()


def test_limits_are_those_of_the_profiles():
    assert limits_table() in PAGE.read_text()


def test_priorities_behave_as_the_page_says():
    assert priorities_table() in PAGE.read_text()


def test_covers_are_those_of_the_code():
    page = PAGE.read_text()
    for each in CONDITIONS.values():
        if each.covers:
            assert f"- *{each.code}*: {', '.join(each.covers)}\n" in page


def test_the_page_says_what_ectopy_is_not():
    page = " ".join(PAGE.read_text().split())
    assert all(statement in page for statement in STATEMENTS)
