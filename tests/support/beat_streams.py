"""Makes of beats what detection and analysis would give: findings every half second, with their delays; an analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ectopy.analysis import Analysis
from ectopy.analysis.interval_model import Timing
from ectopy.analysis.verdicts import Hint
from ectopy.detector import Verdict
from ectopy.monitor.limits import Limits
from ectopy.monitor.rhythm import rhythm_step
from ectopy.monitor.rhythm_input import ConditionReading, DetectorOutput, JudgedBeats
from ectopy.monitor.rhythm_state import RhythmState
from ectopy.signal import Quality
from ectopy.signal.array_columns import select
from ectopy.signal.beat_segments import BeatSegments

PIECE_S, DELAY_S = 0.5, 1.9
GOOD = ("good", "good")
Words = tuple[str, ...] | Callable[[float], tuple[str, ...]]

_KINDS = {
    "N": (Verdict.NORMAL, Hint.EMPTY),
    "V": (Verdict.ABNORMAL, Hint.VENTRICULAR),
    "S": (Verdict.ABNORMAL, Hint.SUPRAVENTRICULAR),
    "A": (Verdict.ABNORMAL, Hint.OTHER),
    "?": (Verdict.UNREADABLE, Hint.EMPTY),
}


def judged(times_s: Sequence[float], letters: str, after_gap: int | None = None) -> JudgedBeats:
    """All beats with their verdicts: N normal, V, S, A abnormal, ? unreadable; one may be the first after a gap."""
    times = np.array(times_s, float)
    verdicts = np.array([_KINDS[letter][0].value for letter in letters], "U10")
    unreadable = verdicts == "UNREADABLE"
    intervals = np.diff(times, prepend=np.nan)
    intervals[unreadable | np.append(True, unreadable)[: len(times)]] = np.nan
    if after_gap is not None:
        intervals[after_gap] = np.nan
    hints = np.array([_KINDS[letter][1].value for letter in letters], "U21")
    return JudgedBeats(times, intervals, verdicts, hints, np.ones(len(times), np.bool_))


def findings_of(
    times_s: Sequence[float],
    letters: str = "",
    words: Words = GOOD,
    from_s: float = 0.0,
    to_s: float | None = None,
    after_gap: int | None = None,
) -> list[DetectorOutput]:
    """A beat is heard 1.9 s after it, at the end of a piece, and judged when the next one is heard."""
    beats = judged(times_s, letters or "N" * len(times_s), after_gap)
    to_s = max(times_s, default=from_s) + 3 if to_s is None else to_s
    ends = from_s + PIECE_S * np.arange(1, int((to_s - from_s) / PIECE_S) + 1)
    numbers = np.searchsorted(beats.time_s, np.append(-np.inf, ends - DELAY_S), side="right")
    outputs = []
    for end, first, last in zip(ends.tolist(), numbers[:-1].tolist(), numbers[1:].tolist(), strict=True):
        part = select(beats, slice(max(first - 1, 0), max(last - 1, 0)))
        now = words(end) if callable(words) else words
        outputs.append(DetectorOutput(end, end - DELAY_S, beats.time_s[first:last], part, now))
    return outputs


def readings_of(
    findings: Iterable[DetectorOutput], limits: Limits | None = None
) -> list[tuple[float, dict[str, ConditionReading]]]:
    """What the rules say after each of the findings, by condition."""
    state, limits, readings_at = RhythmState(), limits or Limits(), []
    for each in findings:
        state, readings = rhythm_step(state, limits, each)
        readings_at.append((each.at_s, {reading.condition: reading for reading in readings}))
    return readings_at


def present(readings_at: list[tuple[float, dict[str, ConditionReading]]]) -> set[str]:
    """Conditions that were there at some time."""
    return {code for _, readings in readings_at for code, reading in readings.items() if reading.present}


def first_present(
    readings_at: list[tuple[float, dict[str, ConditionReading]]], code: str, after_s: float = 0.0
) -> float:
    """When a condition was first said to be there; infinite = never."""
    return next((at_s for at_s, readings in readings_at if at_s >= after_s and readings[code].present), float("inf"))


def at_rates(*parts: tuple[int, float], start_s: float = 0.3) -> list[float]:
    """Times of beats: so many intervals at such a rate, one part after the other."""
    intervals = [60 / rate_bpm for count, rate_bpm in parts for _ in range(count)]
    return (start_s + np.cumsum([0.0, *intervals])).tolist()


def analysis_of(letters: str, rr_s: list[float] | None = None) -> Analysis:
    """An analysis with the given kinds of beats, 0.8 s apart where nothing else is said."""
    n = len(letters)
    rr = np.array(rr_s if rr_s is not None else [np.nan, *[0.8] * (n - 1)][:n])
    zeros = np.zeros(n)
    beats = BeatSegments(
        np.cumsum(np.nan_to_num(rr)),
        np.zeros((n, 1, 148), np.float32),
        np.ones((n, 1), bool),
        zeros,
        zeros,
        zeros,
        rr,
    )
    hint = np.array([_KINDS[letter][1].value for letter in letters], dtype="U21")
    verdict = np.where(hint == "", "NORMAL", "ABNORMAL")
    quality = Quality(np.ones((1, 1)), np.array([["good"]]), 1.0)
    return Analysis(
        beats=beats,
        quality=quality,
        positions=np.arange(n),
        verdict=verdict,
        hint=hint,
        score=zeros,
        p_value=zeros,
        shape=zeros,
        p_wave=np.full(n, np.nan),
        timing=Timing(zeros, zeros),
        threshold=0.0,
        difference=None,
        normal=None,
        baseline="",
        missed=np.zeros(n, bool),
    )
