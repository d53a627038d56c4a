"""Bedside alarms, true and false: the PhysioNet/Computing in Cardiology Challenge 2015 (doi:10.1109/CIC.2015.7408639).

Each record ends 0 or 30 s after a bedside monitor raised an alarm, at 5:00; experts say whether it was right. The
monitor watches the record from its first sample to 5:06, or to its end, and nothing of the rest. The answer is that
the alarm is right if an alarm of high priority of the same kind is raised, or still active, between 4:44 and 5:06. An
alarm whose condition had been away for longer than its `clear_s` by 4:44 does not count, even if it is still active.
`CONDITIONS_OF_KIND` lists the conditions of each kind.

An alarm of high priority covers others with the same message, which then have no alarm of their own: a ventricular
tachycardia at 180 per minute covers the extreme tachycardia. A condition that meets its definition while such an alarm
is active counts too, because staff is being called at that moment. An alarm of lower priority never counts: a rhythm
that the pulse contradicts, and that is therefore not raised, is an answer that the bedside alarm is false.

The score of the challenge is 100 (TP + TN) / (TP + TN + FP + 5 FN): a missed alarm weighs five times a false one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.arguments import Progress, silent
from ectopy.benchmarks.replayed_alarms import Excerpt, Spell, measure_records, read_record, watch_together
from ectopy.datasets.data_folders import check_records
from ectopy.errors import DataError
from ectopy.evaluation.metrics import ratio
from ectopy.monitor import Limits, Monitor
from ectopy.monitor.conditions import Priority
from ectopy.presentation import short_repr
from ectopy.recording import Recording

CONDITIONS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "Asystole": ("asystole",),
    "Bradycardia": ("extreme bradycardia",),
    "Tachycardia": ("extreme tachycardia",),
    "Ventricular_Flutter_Fib": ("ventricular fibrillation",),
    "Ventricular_Tachycardia": ("ventricular tachycardia",),
}
"""Codes of the conditions whose alarm answers each kind, in the challenge's words.

Fibrillation does not answer ventricular tachycardia, nor the other way round: the experts were asked for the one that
the bedside monitor had named.
"""

NOT_CONFIRMED = "not confirmed by pulse"
"""Code of the condition that tells of a rhythm which the pulse contradicts."""

FROM_S, TO_S = 284.0, 306.0
"""4:44 and 5:06."""

ALARMS_FILE = "ALARMS"
FOLDER = "cinc2015"

_MISSED_WEIGHT = 5
_TOGETHER = 12


@dataclass(frozen=True, slots=True)
class BedsideAlarm:
    """A line of the file ``ALARMS``: its kind is a key of `CONDITIONS_OF_KIND`; true if experts call it right."""

    record: str
    kind: str
    truth: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The monitor's alarms at the time of a bedside alarm.

    Attributes
    ----------
    alarm : BedsideAlarm
    counting : tuple of Spell
        Those of high priority that say the same, between 4:44 and 5:06.
    not_confirmed : tuple of Spell
        Rhythms that were not raised as the pulse contradicts them, at that time.
    """

    __repr__ = short_repr

    alarm: BedsideAlarm
    counting: tuple[Spell, ...]
    not_confirmed: tuple[Spell, ...]

    @classmethod
    def of(cls, alarm: BedsideAlarm, spells: Sequence[Spell]) -> Answer:
        """Choose what counts among all alarms of a record."""
        codes = CONDITIONS_OF_KIND[alarm.kind]
        then = [spell for spell in spells if spell.overlaps(FROM_S, TO_S)]
        return cls(
            alarm,
            tuple(spell for spell in then if spell.condition in codes and spell.priority is Priority.HIGH),
            tuple(spell for spell in then if spell.condition == NOT_CONFIRMED),
        )

    @property
    def answer(self) -> bool:
        """Return whether an alarm of high priority says the same as the bedside monitor."""
        return bool(self.counting)

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "record": self.alarm.record,
            "kind": self.alarm.kind,
            "truth": self.alarm.truth,
            "answer": self.answer,
            "alarms": [spell.summary() for spell in self.counting],
            "not_confirmed_by_pulse": [spell.summary() for spell in self.not_confirmed],
        }


def count_answers(answers: Sequence[Answer]) -> dict[str, int]:
    """Count true alarms raised (``tp``) and missed (``fn``), false ones raised (``fp``) and suppressed (``tn``)."""
    pairs = Counter((answer.alarm.truth, answer.answer) for answer in answers)
    return {"tp": pairs[True, True], "fn": pairs[True, False], "fp": pairs[False, True], "tn": pairs[False, False]}


def challenge_figures(tp: int, fn: int, fp: int, tn: int) -> dict[str, float]:
    """Return the shares of true alarms raised and false ones suppressed, and the score of the challenge, 0 to 100."""
    score = 100 * ratio(tp + tn, tp + tn + fp + _MISSED_WEIGHT * fn)
    return {"tpr": ratio(tp, tp + fn), "tnr": ratio(tn, tn + fp), "score": score}


@dataclass(frozen=True, slots=True)
class IcuBenchmark:
    """The answers of all records, in the order of ``ALARMS``, with the pulse waves or without."""

    __repr__ = short_repr

    answers: tuple[Answer, ...]
    with_pulse: bool

    def summary(self) -> dict[str, Any]:
        """Every figure, for JSON; a figure of nothing is NaN."""
        of_kind = {kind: [row for row in self.answers if row.alarm.kind == kind] for kind in CONDITIONS_OF_KIND}
        return {
            "with_pulse": self.with_pulse,
            "records": [answer.summary() for answer in self.answers],
            "by_kind": {kind: count_answers(answers) for kind, answers in of_kind.items() if answers},
            **challenge_figures(**count_answers(self.answers)),
        }


def benchmark_icu(folder: Path, with_pulse: bool = True, progress: Progress = silent) -> IcuBenchmark:
    """Ask the monitor about the bedside alarms in a folder, one worker process per core.

    Parameters
    ----------
    folder : Path
        Holds ``ALARMS`` and the WFDB records that it names; or a folder ``cinc2015`` or ``training`` that does.
    with_pulse : bool
        Whether the monitor gets the pulse waves.

    Raises
    ------
    DataError
        As `bedside_alarms` and `read_record`.
    """
    folder, alarms = bedside_alarms(folder)
    answers = measure_records(partial(_answers, folder, with_pulse), alarms, _TOGETHER, progress)
    return IcuBenchmark(tuple(answers), with_pulse)


def bedside_alarms(folder: Path) -> tuple[Path, tuple[BedsideAlarm, ...]]:
    """The bedside alarms of a folder, and where they are.

    Raises
    ------
    DataError
        If there is no file of alarms, it is damaged, or a record that it names is not there.
    """
    here = next(
        (each for each in (folder, folder / FOLDER, folder / "training") if (each / ALARMS_FILE).is_file()), None
    )
    if here is None:
        raise DataError(
            f"the folder {folder} holds no {ALARMS_FILE} of the Challenge 2015; name the one that does, or run "
            f"`ectopy fetch {FOLDER}`."
        )
    alarms = parse_alarms(here / ALARMS_FILE)
    check_records(here, [alarm.record for alarm in alarms], [".hea"], f"its {ALARMS_FILE}", FOLDER)
    return here, alarms


def parse_alarms(path: Path) -> tuple[BedsideAlarm, ...]:
    """Read a file ``ALARMS``: on each line a record, the kind of its alarm, and 1 if that is right, 0 if it is false.

    Raises
    ------
    DataError
        If it cannot be read, or a line is something else.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text; copy it again from its source.") from error
    alarms: dict[str, BedsideAlarm] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record, _, rest = line.partition(",")
        kind, _, truth = rest.partition(",")
        if kind not in CONDITIONS_OF_KIND or truth.strip() not in ("0", "1") or Path(record).name != record:
            raise DataError(
                f"line {number} of {path} is {line!r}; expected a record, one of {', '.join(CONDITIONS_OF_KIND)}, and "
                "0 or 1, separated by commas."
            )
        alarms[record] = BedsideAlarm(record, kind, truth.strip() == "1")
    return tuple(alarms.values())


def visible_part(recording: Recording, with_pulse: bool = True) -> Excerpt:
    """Cut out the part of a record that the monitor sees."""
    return Excerpt.of(recording if with_pulse else replace(recording, pulses=()), end_s=TO_S)


def _answers(folder: Path, with_pulse: bool, alarms: Sequence[BedsideAlarm]) -> list[Answer]:
    excerpts = [visible_part(read_record(folder / alarm.record), with_pulse) for alarm in alarms]
    results = watch_together(Monitor.of(load_ambulatory()), excerpts, Limits())
    return [Answer.of(alarm, spells) for alarm, spells in zip(alarms, results, strict=True)]
