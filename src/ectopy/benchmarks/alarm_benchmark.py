"""Alarms, right and false: records of the MIT-BIH Arrhythmia Database replayed to the monitor.

Each record is replayed from its first sample as a stream of one-second chunks and judged by the shipped detector,
without the reference; no alarm is acknowledged. An alarm counts each time that it is raised, or returns after its
condition had ended. Reminders and escalations are not counted.

*Ventricular runs* are three or more ventricular beats in a row. One is announced where an alarm of the conditions
``ventricular run``, ``ventricular tachycardia`` or ``ventricular fibrillation`` calls within 10 s of its third beat, or
still is active at that beat, having called for a run shortly before; delays are from the third beat, and only of those
that called. Such an alarm is false where it does not call from the first beat of a run, or the start of an episode of
fibrillation, to 10 s after its end.

*High-priority alarms* are the physiological ones. One is false where the reference does not have the same condition
within 10 s; see `reference_conditions` for the definitions.

*Normal records* are those in which more than 98 % of the reference beats are of the class N. There, alarms of the
condition ``not this patient's normal`` are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.arguments import Progress, silent
from ectopy.benchmarks.reference_conditions import ReferenceConditions, Stretches
from ectopy.benchmarks.replayed_alarms import measure_records
from ectopy.datasets.mitdb_records import read_annotated, records_of
from ectopy.evaluation.metrics import percentile, ratio
from ectopy.monitor import AlarmChanged, Event, Limits, Monitor, MonitorState, replay
from ectopy.monitor.conditions import CONDITIONS, AlarmType, Priority
from ectopy.presentation import short_repr
from ectopy.recording import Recording

TOLERANCE_S = 10.0
NORMAL_SHARE = 0.98
PRIORITIES = {priority: priority.word for priority in sorted(Priority, reverse=True)}

_RUNS = ("ventricular run", "ventricular tachycardia", "ventricular fibrillation")
_NOT_NORMAL = "not this patient's normal"
_HOUR_S, _DAY_H = 3600.0, 24.0


@dataclass(frozen=True, slots=True)
class AlarmEpisode:
    """An alarm from when it is raised or returns until it ends or is latched; seconds of the recording.

    The end is infinite where the recording ends before.
    """

    condition: str
    start_s: float
    end_s: float = float("inf")

    @property
    def priority(self) -> Priority:
        """Priority of its condition."""
        return CONDITIONS[self.condition].priority

    @property
    def physiological(self) -> bool:
        """Return whether it is about the patient."""
        return CONDITIONS[self.condition].kind is AlarmType.PHYSIOLOGICAL


@dataclass(frozen=True, slots=True)
class RecordAlarms:
    """The alarms of one record, and the conditions by the reference."""

    __repr__ = short_repr

    hours: float
    episodes: tuple[AlarmEpisode, ...]
    reference: ReferenceConditions

    @classmethod
    def of(cls, recording: Recording, monitor: Monitor, limits: Limits) -> RecordAlarms:
        """Replay a recording with reference annotations."""
        calls = tuple(alarm_episodes(replay(monitor, recording, MonitorState(limits=limits))))
        return cls(recording.duration_s / _HOUR_S, calls, ReferenceConditions.of(recording))

    @property
    def delays_s(self) -> tuple[float | None, ...]:
        """For each run from its third beat to the first call; None where none calls within 10 s."""
        return tuple(
            min(
                (call.start_s - third for call in self._of_runs if third <= call.start_s <= third + TOLERANCE_S),
                default=None,
            )
            for third in self.reference.runs[:, 1].tolist()
        )

    @property
    def standing(self) -> tuple[bool, ...]:
        """For each run whether an alarm is active at its third beat already."""
        return tuple(
            any(call.start_s < third <= call.end_s for call in self._of_runs)
            for third in self.reference.runs[:, 1].tolist()
        )

    @property
    def false_runs(self) -> tuple[AlarmEpisode, ...]:
        """Calls for a run at a time without one."""
        ventricular = np.concatenate([self.reference.runs[:, [0, 2]], self.reference.fibrillation])
        return tuple(call for call in self._of_runs if not _within(call, ventricular))

    @property
    def false_high(self) -> tuple[AlarmEpisode, ...]:
        """Physiological calls of high priority without their condition in the reference."""
        high = (call for call in self.episodes if call.priority is Priority.HIGH and call.physiological)
        conditions = self.reference.conditions
        return tuple(call for call in high if not _within(call, conditions[call.condition], TOLERANCE_S))

    def count(self, condition: str) -> int:
        """Calls of a condition."""
        return sum(call.condition == condition for call in self.episodes)

    @property
    def normal(self) -> bool:
        """Return whether nearly all beats of the reference are normal."""
        return self.reference.normal_share > NORMAL_SHARE

    @property
    def _of_runs(self) -> tuple[AlarmEpisode, ...]:
        return tuple(call for call in self.episodes if call.condition in _RUNS)

    def summary(self) -> dict[str, Any]:
        """Every figure of the record, for JSON."""
        return {
            "hours": self.hours,
            "alarms": len(self.episodes),
            "alarms_per_hour": len(self.episodes) / self.hours,
            "by_priority": by_priority(self.episodes),
            "by_condition": by_condition(self.episodes),
            "high_priority_false": len(self.false_high),
            "vt_runs": len(self.reference.runs),
            "vt_runs_announced": _announced(self),
            "false_runs": len(self.false_runs),
            "normal_share": self.reference.normal_share,
            "not_normal": self.count(_NOT_NORMAL),
        }


@dataclass(frozen=True, slots=True)
class AlarmBenchmark:
    """The alarms of all records."""

    __repr__ = short_repr

    split: str
    profile: str
    records: dict[str, RecordAlarms]

    def summary(self) -> dict[str, Any]:
        """Every figure, for JSON; a figure of nothing is NaN."""
        results = list(self.records.values())
        hours = sum(result.hours for result in results)
        calls = [call for result in results for call in result.episodes]
        normal = [result for result in results if result.normal]
        delays = [delay for result in results for delay in result.delays_s if delay is not None]
        return {
            "split": self.split,
            "profile": self.profile,
            "hours": hours,
            "records": {name: result.summary() for name, result in self.records.items()},
            "alarms_per_bed_day": _DAY_H * len(calls) / hours,
            "per_bed_day_by_priority": _per_day(by_priority(calls), hours),
            "per_bed_day_by_condition": _per_day(by_condition(calls), hours),
            "high_priority": sum(call.priority is Priority.HIGH and call.physiological for call in calls),
            "high_priority_false_per_hour": sum(len(result.false_high) for result in results) / hours,
            "vt_runs": sum(len(result.reference.runs) for result in results),
            "vt_runs_announced": sum(_announced(result) for result in results),
            "vt_runs_in_standing_alarm": sum(_announced(result) for result in results) - len(delays),
            "false_runs_per_hour": sum(len(result.false_runs) for result in results) / hours,
            "delay_p50_s": percentile(delays, 50),
            "delay_p95_s": percentile(delays, 95),
            "normal_records": len(normal),
            "not_normal_per_hour_on_normal_records": ratio(
                sum(result.count(_NOT_NORMAL) for result in normal), sum(result.hours for result in normal)
            ),
        }


def alarm_episodes(events: Iterator[Event]) -> list[AlarmEpisode]:
    """Return the calls among the events of a patient, in order of their start."""
    calls: list[AlarmEpisode] = []
    open_rows: dict[int, int] = {}
    for event in events:
        if not isinstance(event, AlarmChanged):
            continue
        alarm, change = event.alarm, event.change
        if change in ("raised", "returned"):
            open_rows[alarm.number] = len(calls)
            calls.append(AlarmEpisode(alarm.condition, event.transition.at_s))
        elif change in ("latched", "ended") and alarm.number in open_rows:
            row = open_rows.pop(alarm.number)
            calls[row] = replace(calls[row], end_s=event.transition.at_s)
    return calls


def by_priority(calls: Sequence[AlarmEpisode]) -> dict[str, int]:
    """Count the calls of each priority, technical and advisory ones included."""
    return {name: sum(call.priority is priority for call in calls) for priority, name in PRIORITIES.items()}


def by_condition(calls: Sequence[AlarmEpisode]) -> dict[str, int]:
    """Count the calls of each condition that called, in the order of the conditions."""
    counts = Counter(call.condition for call in calls)
    return {code: counts[code] for code in CONDITIONS if counts[code]}


def benchmark_alarms(
    folder: Path, split: str = "ds1", profile: str = "ward", progress: Progress = silent
) -> AlarmBenchmark:
    """Replay the records of a split, one worker process per core.

    Parameters
    ----------
    folder : Path
        Holds WFDB records with their reference annotations: ``.hea``, ``.dat`` and ``.atr``.
    split : {"ds1", "ds2"}
    profile : {"ward", "ambulatory", "exercise", "child", "infant"}

    Raises
    ------
    SettingError, DataError
        As `records_of`, `read_annotated` and `Limits.of`.
    """
    limits = Limits.of(profile)
    names = records_of(folder, split)
    results = measure_records(partial(_replay, folder, limits), names, 1, progress)
    return AlarmBenchmark(split, profile, dict(zip(names, results, strict=True)))


def _replay(folder: Path, limits: Limits, names: Sequence[str]) -> list[RecordAlarms]:
    return [RecordAlarms.of(read_annotated(folder / name), Monitor.of(load_ambulatory()), limits) for name in names]


def _within(call: AlarmEpisode, stretches: Stretches, before_s: float = 0.0) -> bool:
    starts, ends = stretches[:, 0], stretches[:, 1]
    return bool(np.any((starts - before_s <= call.start_s) & (call.start_s <= ends + TOLERANCE_S)))


def _announced(result: RecordAlarms) -> int:
    return sum(delay is not None or active for delay, active in zip(result.delays_s, result.standing, strict=True))


def _per_day(counts: Mapping[str, int], hours: float) -> dict[str, float]:
    return {name: _DAY_H * count / hours for name, count in counts.items()}
