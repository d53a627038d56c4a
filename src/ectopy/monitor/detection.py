"""From samples to judged beats, piece by piece: what `ectopy.analysis` finds in a recording, found as it comes.

Once the patient's normal is known, beats, quality and scores are exactly those of the whole recording at once. While it
is being learned, beats are compared with those of other people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ectopy.baseline import Baseline, given_baseline, learn_baseline
from ectopy.detector import Verdict
from ectopy.detector.patient import PatientNormal
from ectopy.detector.population import heights_mv, median_height_mv, usual_height_mv
from ectopy.judgement import Before, Criterion, Judgement, judge, no_judgement
from ectopy.signal.cut import CutBeats, CutState, cut_step, no_beats
from ectopy.signal.filters import Filter, FilterState, filter_step
from ectopy.signal.heartbeats import HeartbeatState, heartbeats_step, known_to
from ectopy.signal.quality import READABLE, QualityState, dark, quality_step

_SECONDS_KEPT = 8
_LEARNING = "The patient's normal is being learned; until then beats are compared with other people's."


@dataclass(frozen=True, slots=True)
class DetectionState:
    """What detection remembers of a stream; times are seconds from its start.

    Attributes
    ----------
    filters, heartbeats, quality, cut
        Of the steps from samples to beats.
    seconds : ndarray of int64, shape (k,)
        Judged seconds in which beats may still be given: the last 8 and those of beats whose next beat has not come.
    readable : ndarray of bool, shape (leads, k)
        Whether each lead is readable in them.
    waiting : CutBeats
        Beats whose second is not judged yet.
    before : Before
        The last judged beat.
    baseline : Baseline
    lessons : CutBeats
        Beats since the first readable one, while the patient's normal is being learned.
    heights_mv : ndarray of float32, shape (n, leads)
        Of the lessons; NaN where not readable.
    lessons_after : Before
        The beat before them.
    learning : bool
        Whether the patient's normal is being learned.
    dark : ndarray of int64, shape (k,)
        How many seconds up to each of `seconds` tell nothing of the heart.
    readable_before : bool
        Whether the last judged beat was readable.
    dark_before : int
        The `dark` of its second.
    """

    filters: FilterState
    heartbeats: HeartbeatState
    quality: QualityState
    cut: CutState
    seconds: NDArray[np.int64]
    readable: NDArray[np.bool_]
    waiting: CutBeats
    before: Before
    baseline: Baseline
    lessons: CutBeats
    heights_mv: NDArray[np.float32]
    lessons_after: Before
    learning: bool
    dark: NDArray[np.int64]
    readable_before: bool = False
    dark_before: int = 0

    @classmethod
    def fresh(cls, rate_hz: float, leads: int, normal: PatientNormal | None = None) -> DetectionState:
        """Before the first sample of a stream; with the patient's normal where it is known already."""
        none = no_beats(leads)
        unknown = Baseline(None, usual_height_mv(none), _LEARNING)
        return cls(
            filters=filters_for(rate_hz).fresh(leads),
            heartbeats=HeartbeatState.fresh(leads),
            quality=QualityState.fresh(leads),
            cut=CutState.fresh(leads),
            seconds=np.empty(0, np.int64),
            readable=np.empty((leads, 0), np.bool_),
            waiting=none,
            before=Before(),
            baseline=unknown if normal is None else given_baseline(normal),
            lessons=none,
            heights_mv=heights_mv(none),
            lessons_after=Before(),
            dark=np.empty(0, np.int64),
            learning=normal is None,
        )


@dataclass(frozen=True, slots=True)
class Detected:
    """What is new after a piece of signal; times are seconds from the start of the stream.

    Attributes
    ----------
    known_to_s : float
        Up to where all heartbeats are told, but for one that is found late, and quality is judged.
    heard_s : ndarray of float64, shape (n,)
        Heartbeats told.
    beats : CutBeats
        Beats judged.
    intervals_s : ndarray of float64, shape (n,)
        RR interval before each of them; NaN unless it and the beat before are readable: of noise there is no rate.
    judgement : Judgement
        Of these.
    index, word : ndarray, shape (leads, seconds)
        Quality of each lead in the seconds judged.
    learned : bool
        Whether the baseline is a new one.
    """

    known_to_s: float
    heard_s: NDArray[np.float64]
    beats: CutBeats
    intervals_s: NDArray[np.float64]
    judgement: Judgement
    index: NDArray[np.float64]
    word: NDArray[np.str_]
    learned: bool


@lru_cache(maxsize=32)
def filters_for(rate_hz: float) -> Filter:
    """The filters for a sampling rate."""
    return Filter.of(rate_hz)


def detect_step(
    state: DetectionState,
    piece: NDArray[np.floating],
    rate_hz: float,
    leads: tuple[str, ...],
    criterion: Criterion,
    learning_s: float,
) -> tuple[DetectionState, Detected]:
    """Take the next samples.

    Parameters
    ----------
    state : DetectionState
    piece : ndarray, shape (samples, leads)
        Millivolt; NaN = no valid sample.
    rate_hz : float
    leads : tuple of str
    criterion : Criterion
    learning_s : float
        How long the patient's normal is learned from.
    """
    chunk = np.asarray(piece.T, np.float64)
    filters, early, filtered = filter_step(filters_for(rate_hz), state.filters, chunk)
    heartbeats, told = heartbeats_step(state.heartbeats, early)
    quality, (index, word) = quality_step(state.quality, rate_hz, chunk, filtered)
    heard_s = told / (filtered.rate_hz / 2)
    cut, beats = cut_step(state.cut, early, filtered, heard_s)
    state = replace(state, filters=filters, heartbeats=heartbeats, quality=quality, cut=cut)
    darkness = state.dark[:0]
    if len(beats) or index.shape[1]:
        state, beats, darkness = _with_quality(state, beats, index, word)
    state, judgement, learned = _judged(state, beats, leads, criterion, learning_s)
    readable = np.not_equal(judgement.verdict, Verdict.UNREADABLE)
    both = readable & np.concatenate([[state.readable_before], readable])[:-1]
    both &= np.diff(darkness, prepend=state.dark_before) == 0
    intervals_s = np.where(both, beats.rr_s, np.nan)
    if len(beats):
        state = replace(state, readable_before=bool(readable[-1]), dark_before=int(darkness[-1]))
    known_to_s = min(known_to(heartbeats) / (filtered.rate_hz / 2), float(quality.seconds))
    return state, Detected(known_to_s, heard_s, beats, intervals_s, judgement, index, word, learned)


def relearn(state: DetectionState) -> DetectionState:
    """Learn the patient's normal anew from now on; the present one serves until then."""
    return replace(state, learning=True, lessons=state.lessons[:0], heights_mv=state.heights_mv[:0])


def with_normal(state: DetectionState, normal: PatientNormal) -> DetectionState:
    """Compare with this normal from now on."""
    return replace(
        state,
        learning=False,
        lessons=state.lessons[:0],
        heights_mv=state.heights_mv[:0],
        baseline=given_baseline(normal),
    )


def _with_quality(
    state: DetectionState, beats: CutBeats, index: NDArray[np.float64], word: NDArray[np.str_]
) -> tuple[DetectionState, CutBeats, NDArray[np.int64]]:
    """The beats whose second is judged, readable only where it is; and the dark seconds before each."""
    judged = state.quality.seconds
    before = state.dark[-1] if len(state.dark) else 0
    darkness = np.concatenate([state.dark, before + np.cumsum(dark(word))])
    seconds = np.concatenate([state.seconds, np.arange(judged - index.shape[1], judged)])
    readable = np.concatenate([state.readable, index >= READABLE], axis=1)
    waiting = CutBeats.joined([state.waiting, beats]) if len(beats) else state.waiting
    of_beats = waiting.times_s.astype(int)
    ready = int(np.searchsorted(of_beats, judged))
    known = waiting[:ready]
    places = np.searchsorted(seconds, of_beats[:ready])
    known = replace(known, readable=known.readable & readable[:, places].T)
    needed = (seconds >= judged - _SECONDS_KEPT) | np.isin(seconds, state.cut.times_s.astype(int))
    state = replace(
        state,
        seconds=seconds[needed],
        readable=readable[:, needed],
        dark=darkness[needed],
        waiting=waiting[ready:],
    )
    return state, known, darkness[places]


def _judged(
    state: DetectionState, beats: CutBeats, leads: tuple[str, ...], criterion: Criterion, learning_s: float
) -> tuple[DetectionState, Judgement, bool]:
    if not len(beats):
        return state, no_judgement(state.baseline, criterion), False
    if not state.learning:
        before, judgement = judge(beats, state.baseline, criterion, state.before)
        return replace(state, before=before), judgement, False
    lessons = CutBeats.joined([state.lessons, beats])
    heights = np.concatenate([state.heights_mv, heights_mv(beats)])
    if not len(state.lessons):
        first = int(np.argmax(beats.readable.any(axis=1))) if beats.readable.any() else len(beats)
        lessons, heights = lessons[first:], heights[first:]
        state = replace(state, lessons_after=state.before)
    if not len(lessons) or lessons.times_s[-1] < lessons.times_s[0] + learning_s:
        before, judgement = judge(beats, _provisional(state.baseline, heights), criterion, state.before)
        return replace(state, before=before, lessons=lessons, heights_mv=heights), judgement, False
    baseline = learn_baseline(lessons, leads, criterion.detector, learning_s)
    # Judged again from the start, so that what follows is as if the normal had been known all along.
    before, judgement = judge(lessons, baseline, criterion, state.lessons_after)
    state = replace(
        state, before=before, baseline=baseline, learning=False, lessons=lessons[:0], heights_mv=heights[:0]
    )
    return state, judgement[-len(beats) :], True


def _provisional(baseline: Baseline, heights: NDArray[np.float32]) -> Baseline:
    """Other people's normal, with the usual height of the beats so far; or the former baseline where there is one."""
    if baseline.normal is not None:
        return baseline
    return replace(baseline, height_mv=median_height_mv(heights))
