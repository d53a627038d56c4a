"""Announcements of fibrillation, flutter, ventricular tachycardia and asystole: share, delay, and false alarms.

The records are those of the MIT-BIH Malignant Ventricular Arrhythmia Database (doi:10.13026/C22P44), whose annotations
mark changes of rhythm; one that says ``(NOISE`` says that the signal is noisy and the rhythm before goes on.

An *episode* lasts from the mark of its kind to the next mark of another one, or to the end of the recording. Where the
same kind is marked again, directly or after nothing but noise, it is one episode, noise included; where another rhythm
or the end of the recording follows, it ends where the noise begins. Episodes of at least 5 s are looked for.

An episode is *announced* where an alarm of high priority about the patient

- calls (is raised, returns, or rises to that priority) from its start to its end, or to 10 s after its definition is
  met if that is later; or
- was active before it began, and still is at its end, or 10 s after its definition is met if that is earlier; and its
  condition was there after the start of the episode, not only before it.

Its condition may be any, as somebody comes and looks; but one of a fast rhythm (`FAST`) does not announce asystole.

The definitions are those of the PhysioNet/CinC Challenge 2015 (doi:10.1109/CIC.2015.7408639): fibrillation and flutter
for 4 s, 4 s without a beat, 5 ventricular beats above 100 per minute, which take 2.4 s at most. *Delays* are from the
start of the episode to the first call; an alarm that was active before has none.

A high-priority alarm is *false* where it calls outside of all episodes, short ones included: more than 2 s before the
start of the next one and more than 10 s after the end of the last one. The hours that false ones are divided by are
those outside of the episodes with these margins. Those in annotated noise are counted separately, too; and so are
those of a rhythm that the mark there says itself (`NAMED`): runs of ventricular beats in high-grade ventricular ectopic
activity, a slow rhythm in a ventricular escape rhythm or a sinus bradycardia, a fast one in a supraventricular
tachyarrhythmia. They count as false all the same, as no episode of theirs is annotated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.arguments import Progress, silent
from ectopy.benchmarks.replayed_alarms import Excerpt, Spell, measure_records, read_record, watch_together
from ectopy.datasets.labelled_recording import LabelledRhythms
from ectopy.errors import DataError
from ectopy.evaluation.metrics import percentile, ratio
from ectopy.monitor import Limits, Monitor
from ectopy.presentation import short_repr
from ectopy.recording import Recording

FOLDER = "vfdb"
KIND_OF_MARK: Mapping[str, str] = {"(VF": "VF", "(VFIB": "VF", "(VFL": "VFL", "(VT": "VT", "(ASYS": "ASYS"}
DEFINITION_S: Mapping[str, float] = {"VF": 4.0, "VFL": 4.0, "VT": 2.4, "ASYS": 4.0}
"""Time that each kind lasts until its definition is met."""
FAST = ("extreme tachycardia", "ventricular tachycardia", "ventricular fibrillation")
NAMED: Mapping[str, str] = {
    "(HGEA": "ventricular tachycardia",
    "(VER": "extreme bradycardia",
    "(SBR": "extreme bradycardia",
    "(SVTA": "extreme tachycardia",
}
"""Marks of rhythms without episodes, and the condition that is a part of each."""
NOISE = "(NOISE"

SHORTEST_S = 5.0
GRACE_S = 10.0
BEFORE_S, AFTER_S = 2.0, 10.0
LEAD_IN_S = 60.0

_TOGETHER = 4
_HOUR_S = 3600.0
_SUFFIXES = (".hea", ".dat", ".atr")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch with one mark of rhythm such as ``(VT``, empty before the first one; in noise the one `before`."""

    mark: str
    start_s: float
    end_s: float
    before: str = ""


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode by the reference, of the kind ``VF``, ``VFL``, ``VT`` or ``ASYS``; seconds of the recording."""

    kind: str
    start_s: float
    end_s: float

    @property
    def met_s(self) -> float:
        """Return when its definition is met."""
        return self.start_s + DEFINITION_S[self.kind]

    @property
    def last_call_s(self) -> float:
        """Time until which a call announces it."""
        return max(self.end_s, self.met_s + GRACE_S)

    @property
    def still_active_s(self) -> float:
        """Time until which an alarm that was active before must be active to announce it."""
        return min(self.end_s, self.met_s + GRACE_S)

    @property
    def counts(self) -> bool:
        """Return whether it is long enough to be looked for."""
        return self.end_s - self.start_s >= SHORTEST_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """An episode, and the alarm that announces it; None where it is missed."""

    episode: Episode
    by: Spell | None

    @classmethod
    def of(cls, episode: Episode, spells: Sequence[Spell]) -> Outcome:
        """Look for the alarm: one that was active before, else the first that calls in time."""
        names_it = [spell for spell in spells if episode.kind != "ASYS" or spell.condition not in FAST]
        high = sorted((spell for spell in names_it if spell.calls_high), key=lambda spell: spell.start_s)
        before = [
            spell
            for spell in high
            if spell.start_s < episode.start_s
            and spell.end_s >= episode.still_active_s
            and spell.there_s >= episode.start_s
        ]
        calling = [spell for spell in high if episode.start_s <= spell.start_s <= episode.last_call_s]
        return cls(episode, next(iter([*before, *calling]), None))

    @property
    def delay_s(self) -> float | None:
        """From the start of the episode to the call; None where nothing calls, or something was active before."""
        if self.by is None or self.by.start_s < self.episode.start_s:
            return None
        return self.by.start_s - self.episode.start_s

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        delay_s, met_s = self.delay_s, self.episode.met_s - self.episode.start_s
        return {
            "kind": self.episode.kind,
            "start": self.episode.start_s,
            "end": self.episode.end_s,
            "announced": self.by is not None,
            "delay": delay_s,
            "delay_after_definition": None if delay_s is None else delay_s - met_s,
            "active_before": self.by is not None and delay_s is None,
            "by": self.by.summary() if self.by else None,
        }


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """A call of high priority outside of all episodes, and the mark of rhythm there."""

    spell: Spell
    stretch: Stretch

    @property
    def is_named(self) -> bool:
        """Return whether the mark there says the same."""
        return NAMED.get(self.stretch.mark) == self.spell.condition

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        figures = {"rhythm": self.stretch.mark, "rhythm_before_noise": self.stretch.before, "named": self.is_named}
        return self.spell.summary() | figures


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """The episodes of one record, its false alarms, and the hours outside of all episodes by mark of rhythm."""

    __repr__ = short_repr

    record: str
    outcomes: tuple[Outcome, ...]
    false_high: tuple[FalseAlarm, ...]
    hours: Mapping[str, float]

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "record": self.record,
            "episodes": [outcome.summary() for outcome in self.outcomes],
            "false_high": [alarm.summary() for alarm in self.false_high],
            "hours_outside_episodes": sum(self.hours.values()),
        }


@dataclass(frozen=True, slots=True)
class VentricularBenchmark:
    """The episodes of all records."""

    __repr__ = short_repr

    records: tuple[RecordOutcome, ...]

    def summary(self) -> dict[str, Any]:
        """Every figure, for JSON; a figure of nothing is NaN."""
        outcomes = [outcome for record in self.records for outcome in record.outcomes]
        delays = [(outcome.delay_s, outcome.episode.kind) for outcome in outcomes]
        calls = [(delay_s, delay_s - DEFINITION_S[kind]) for delay_s, kind in delays if delay_s is not None]
        false = [alarm for record in self.records for alarm in record.false_high]
        marks = sorted({mark for record in self.records for mark in record.hours})
        hours = {mark: sum(record.hours.get(mark, 0.0) for record in self.records) for mark in marks}
        all_hours, noisy_hours = sum(hours.values()), hours.get(NOISE, 0.0)
        noisy = sum(alarm.stretch.mark == NOISE for alarm in false)
        return {
            "records": [record.summary() for record in self.records],
            "episodes": {
                kind: {
                    "there": sum(outcome.episode.kind == kind for outcome in outcomes),
                    "announced": sum(outcome.episode.kind == kind and outcome.by is not None for outcome in outcomes),
                }
                for kind in DEFINITION_S
            },
            "announced_by_alarms_active_before": sum(o.by is not None and o.delay_s is None for o in outcomes),
            "delay_p50_s": percentile([call[0] for call in calls], 50),
            "delay_p95_s": percentile([call[0] for call in calls], 95),
            "delay_after_definition_p50_s": percentile([call[1] for call in calls], 50),
            "delay_after_definition_p95_s": percentile([call[1] for call in calls], 95),
            "false_high": len(false),
            "false_high_named_by_mark": sum(alarm.is_named for alarm in false),
            "false_high_per_hour": ratio(len(false), all_hours),
            "false_high_per_hour_in_noise": ratio(noisy, noisy_hours),
            "false_high_per_hour_without_noise": ratio(len(false) - noisy, all_hours - noisy_hours),
            "false_high_by_rhythm": {
                mark: {"hours": hours[mark], "false_high": sum(alarm.stretch.mark == mark for alarm in false)}
                for mark in marks
            },
            "hours_outside_episodes": all_hours,
        }


def benchmark_ventricular(folder: Path, progress: Progress = silent) -> VentricularBenchmark:
    """Watch whole records, each as one patient, one worker process per core.

    Parameters
    ----------
    folder : Path
        Holds WFDB records with marks of rhythm: ``.hea``, ``.dat`` and ``.atr``; or a folder ``vfdb`` that does.

    Raises
    ------
    DataError
        If the folder holds no records, or one that cannot be used.
    """
    folder, names = records_in(folder)
    return VentricularBenchmark(tuple(measure_records(partial(_whole, folder), names, _TOGETHER, progress)))


def benchmark_from_start(folder: Path, lead_in_s: float, progress: Progress = silent) -> VentricularBenchmark:
    """Watch each episode of at least 5 s as a new patient, from so many seconds before it until it cannot be announced.

    Parameters and errors are those of `benchmark_ventricular`.
    """
    folder, names = records_in(folder)
    return VentricularBenchmark(tuple(measure_records(partial(_from_start, folder, lead_in_s), names, 1, progress)))


def records_in(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Names of the records with marks of rhythm in a folder, and where they are.

    Raises
    ------
    DataError
        If there are none.
    """
    for here in (folder, folder / FOLDER):
        headers = sorted(here.glob("*.hea")) if here.is_dir() else []
        names = tuple(header.stem for header in headers if all(header.with_suffix(end).is_file() for end in _SUFFIXES))
        if names:
            return here, names
    raise DataError(
        f"the folder {folder} holds no records with marks of rhythm (.hea, .dat and .atr); name one that does, or run "
        f"`ectopy fetch {FOLDER}`."
    )


def stretches_of(recording: Recording) -> tuple[Stretch, ...]:
    """The marks of rhythm of a recording, each until the next one.

    Raises
    ------
    DataError
        If it has none.
    """
    marks = recording.annotations
    rhythms = LabelledRhythms.of(marks, recording.sampling_rate_hz) if marks else None
    if not rhythms:
        raise DataError(f"{recording.source} has no marks of rhythm; take it out of the folder.")
    changes = [(at_s, f"({name}") for at_s, name in zip(rhythms.times_s.tolist(), rhythms.names, strict=True)]
    before = ""
    stretches = [Stretch("", 0.0, changes[0][0])] if changes[0][0] > 0 else []
    for (at_s, mark), (end_s, _) in pairwise([*changes, (recording.duration_s, "")]):
        stretches.append(Stretch(mark, at_s, end_s, before if mark == NOISE else ""))
        before = before if mark == NOISE else mark
    return tuple(stretches)


def episodes_of(stretches: Sequence[Stretch]) -> tuple[Episode, ...]:
    """The episodes of all lengths among stretches that follow each other."""
    episodes: list[Episode] = []
    continues = False
    for stretch in stretches:
        if stretch.mark == NOISE:
            continue
        kind = KIND_OF_MARK.get(stretch.mark)
        if kind is None:
            continues = False
        elif continues and episodes[-1].kind == kind:
            episodes[-1] = Episode(kind, episodes[-1].start_s, stretch.end_s)
        else:
            episodes.append(Episode(kind, stretch.start_s, stretch.end_s))
            continues = True
    return tuple(episodes)


def outside(episodes: Sequence[Episode], start_s: float, end_s: float) -> list[tuple[float, float]]:
    """The parts of a stretch in which a call is false: outside of all episodes and their margins."""
    parts: list[tuple[float, float]] = []
    for episode in sorted(episodes, key=lambda episode: episode.start_s):
        if episode.start_s - BEFORE_S > start_s:
            parts.append((start_s, min(episode.start_s - BEFORE_S, end_s)))
        start_s = max(start_s, episode.end_s + AFTER_S)
        if start_s >= end_s:
            return parts
    return [*parts, (start_s, end_s)]


def judge(record: str, stretches: Sequence[Stretch], spells: Sequence[Spell]) -> RecordOutcome:
    """Compare the alarms of a whole record with its marks of rhythm."""
    episodes = episodes_of(stretches)
    hours = dict.fromkeys((stretch.mark for stretch in stretches), 0.0)
    false: list[FalseAlarm] = []
    for stretch in stretches:
        for start_s, end_s in outside(episodes, stretch.start_s, stretch.end_s):
            hours[stretch.mark] += (end_s - start_s) / _HOUR_S
            false += [
                FalseAlarm(spell, stretch) for spell in spells if spell.calls_high and start_s <= spell.start_s < end_s
            ]
    outcomes = tuple(Outcome.of(episode, spells) for episode in episodes if episode.counts)
    return RecordOutcome(record, outcomes, tuple(sorted(false, key=lambda each: each.spell.start_s)), hours)


def _whole(folder: Path, names: Sequence[str]) -> list[RecordOutcome]:
    recordings = [read_record(folder / name) for name in names]
    stretches = [stretches_of(recording) for recording in recordings]
    watched = watch_together(
        Monitor.of(load_ambulatory()), [Excerpt.of(recording) for recording in recordings], Limits()
    )
    return [judge(*each) for each in zip(names, stretches, watched, strict=True)]


def _from_start(folder: Path, lead_in_s: float, names: Sequence[str]) -> list[RecordOutcome]:
    results = []
    for name in names:
        recording = read_record(folder / name)
        episodes = [episode for episode in episodes_of(stretches_of(recording)) if episode.counts]
        excerpts = [Excerpt.of(recording, episode.start_s - lead_in_s, episode.last_call_s) for episode in episodes]
        watched = watch_together(Monitor.of(load_ambulatory()), excerpts, Limits())
        outcomes = tuple(Outcome.of(episode, spells) for episode, spells in zip(episodes, watched, strict=True))
        results.append(RecordOutcome(name, outcomes, (), {}))
    return results
