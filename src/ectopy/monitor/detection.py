"""From samples to judged beats, piece by piece: what `ectopy.analysis` finds in a recording, found as it comes.

Once the patient's normal is known, beats, quality and scores are exactly those of the whole recording at once. While it
is being learned, beats are compared with those of other people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.adaptation import Adaptation, judge_adapting
from ectopy.analysis.baseline import (
    Baseline,
    after_learning,
    given_baseline,
    learn_baseline,
    provisional_baseline,
)
from ectopy.analysis.interval_model import WithPredictions
from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.population import heights_mv, median_height_mv
from ectopy.analysis.template_comparison import BeatDifference
from ectopy.analysis.verdicts import Judgement, JudgingRules, PreviousBeat, judge, no_judgement
from ectopy.detector import Verdict
from ectopy.monitor.beat_height import BeatHeights, height_step, qrs_heights_mv
from ectopy.monitor.detection_state import DetectionState, LastBeat, LearningBuffer, SecondsState, filters_for
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import BeatSegments, cut_end, cut_step
from ectopy.signal.fibrillation_waveform import Waveform
from ectopy.signal.front_end import FrontEndOutput, FrontEndState, SignalBlock, end_front_end
from ectopy.signal.heartbeats import known_to, peaks_end, peaks_step
from ectopy.signal.qrs_strength import in_empty_seconds
from ectopy.signal.quality import READABLE, uninformative
from ectopy.signal.state_replace import replace

_SECONDS_KEPT = 8
_MORE = 1.5


@dataclass(frozen=True, slots=True)
class Detected:
    """Results of one more piece of signal; times are seconds from the start of the stream.

    Attributes
    ----------
    complete_to_s : float
        Up to here all heartbeats are final, but for one that is found late, and quality is assessed.
    detected_s : ndarray of float64, shape (n,)
        Heartbeats that became final.
    beats : BeatSegments
        Beats judged.
    intervals_s : ndarray of float64, shape (n,)
        RR interval before each of them; NaN unless it and the beat before are readable: of noise there is no rate.
    judgement : Judgement
        Of these.
    index, word : ndarray, shape (leads, seconds)
        Quality of each lead in the seconds judged.
    learned : bool
        Whether the patient's normal was learned, or learned again, with these beats.
    motionless : bool
        Whether no lead has moved in the newest second: quality is judged over two.
    credible : ndarray of bool, shape (n,)
        Which of the beats are not far lower than the patient's usual ones, nor found where all leads show noise alone;
        see `height_step`.
    clear : ndarray of bool, shape (leads,)
        In which leads a usual QRS complex would have stood out in the newest second, though none did.
    waveform : Waveform
        Whether the leads show fibrillation, in the seconds newly judged for it.
    """

    __repr__ = short_repr

    complete_to_s: float
    detected_s: NDArray[np.float64]
    beats: BeatSegments
    intervals_s: NDArray[np.float64]
    judgement: Judgement
    index: NDArray[np.float64]
    word: NDArray[np.str_]
    learned: bool
    motionless: bool
    credible: NDArray[np.bool_]
    clear: NDArray[np.bool_]
    waveform: Waveform


def next_piece(state: DetectionState, piece: NDArray[np.floating], rate_hz: float) -> SignalBlock:
    """The next samples, shape (samples, leads), for the front end."""
    return SignalBlock(filters_for(rate_hz), state.frontend, np.ascontiguousarray(piece.T, np.float64))


def detect_step(
    state: DetectionState, frontend: FrontEndState, sensed: FrontEndOutput
) -> tuple[DetectionState, Unjudged]:
    """Take what the front end has found in the next samples.

    Parameters
    ----------
    sensed : FrontEndOutput
        Of `next_piece`.

    Returns
    -------
    state : DetectionState
    unjudged : Unjudged
        For `judge_step`.
    """
    filtered = sensed.filtered
    # QRS strength has half the rate of the filtered signal: peaks become seconds, and seconds become beats.
    peaks, peak_positions = peaks_step(state.peaks, sensed.qrs_strength)
    detected_s = peak_positions / (filtered.rate_hz / 2)
    cut, beats = cut_step(state.cut, sensed.early, filtered, detected_s)
    seconds, beats, darkness = _with_quality(state.seconds, beats, cut.told.times_s, sensed.index, sensed.word)
    # A beat counts as final only where its second has been assessed as well.
    complete_to_s = min(known_to(peaks) / (filtered.rate_hz / 2), float(seconds.judged))
    state = replace(state, frontend=frontend, peaks=peaks, cut=cut, seconds=seconds)
    return state, Unjudged(complete_to_s, detected_s, beats, darkness, bool(sensed.still.all()), sensed)


def next_comparison(state: DetectionState, new: Unjudged) -> Comparison | None:
    """Return what the next beats are compared with, as far as that is certain; None without such beats."""
    if not len(new.beats) or state.learning is not None or state.baseline.normal is None:
        return None
    return Comparison(new.beats, state.baseline.normal)


def detect_end(
    state: DetectionState,
    rate_hz: float,
    duration_s: float,
    leads: tuple[str, ...],
    criterion: JudgingRules,
    learning_s: float,
) -> WithPredictions[tuple[DetectionState, Detected]]:
    """Find what remains when the stream ends, so that all beats and seconds are those of the whole recording.

    Parameters
    ----------
    state : DetectionState
        After the last sample.
    rate_hz, duration_s : float
        Of the whole stream.
    leads, criterion, learning_s
        As for `judge_step`.

    Returns
    -------
    state : DetectionState
        Of no use for more samples.
    detected : Detected
    """
    sensed = end_front_end(filters_for(rate_hz), state.frontend)
    detected_s = peaks_end(state.peaks, sensed.qrs_strength) / (sensed.filtered.rate_hz / 2)
    beats = cut_end(state.cut, sensed.early, sensed.filtered, detected_s)
    no_times_s = np.empty(0)
    seconds, beats, darkness = _with_quality(state.seconds, beats, no_times_s, sensed.index, sensed.word, last=True)
    unjudged = Unjudged(duration_s, detected_s, beats, darkness, False, sensed)
    return (yield from judge_step(replace(state, seconds=seconds), unjudged, leads, criterion, learning_s))


class Unjudged(NamedTuple):
    """Results before the beats are judged; as in `Detected`, with the uninformative seconds before each beat."""

    complete_to_s: float
    detected_s: NDArray[np.float64]
    beats: BeatSegments
    darkness: NDArray[np.int64]
    motionless: bool
    sensed: FrontEndOutput


class Comparison(NamedTuple):
    """Beats of a patient, and the normal that they are compared with."""

    beats: BeatSegments
    normal: PatientTemplate


def judge_step(
    state: DetectionState,
    new: Unjudged,
    leads: tuple[str, ...],
    criterion: JudgingRules,
    learning_s: float,
    evidence: BeatDifference | None = None,
) -> WithPredictions[tuple[DetectionState, Detected]]:
    """Judge the next beats, learn from them, and tell which of them are credible; asks for predictions as `judge` does.

    Parameters
    ----------
    new : Unjudged
        Of `detect_step`.
    learning_s : float
        How long the patient's normal is learned from.
    evidence : BeatDifference or None
        What is found by `next_comparison`, where that is known.
    """
    beats, sensed = new.beats, new.sensed
    last, intervals_s = state.last, beats.rr_s
    judged = state
    if not len(beats):
        judgement = no_judgement(state.baseline, criterion)
    else:
        before, judged, judgement = yield from _judge_beats(state, beats, leads, criterion, learning_s, evidence)
        last, intervals_s = _intervals(last, before, beats, judgement, new.darkness)
    # A beat is credible if it is high enough, and does not lie where every lead shows noise alone.
    leads_state = state.frontend.evidence.leads
    in_noise = in_empty_seconds(leads_state, state.peaks.end, beats.times_s * (sensed.filtered.rate_hz / 2))
    heights, credible = height_step(state.heights, qrs_heights_mv(beats), beats.rr_s, in_noise)
    return (
        replace(judged, last=last, heights=heights),
        Detected(
            new.complete_to_s,
            new.detected_s,
            beats,
            intervals_s,
            judgement,
            sensed.index,
            sensed.word,
            learned=_has_learned(state, judged),
            motionless=new.motionless,
            credible=credible,
            clear=leads_state.clear[:, 0],
            waveform=sensed.waveform,
        ),
    )


def _has_learned(before: DetectionState, after: DetectionState) -> bool:
    """Return whether learning has ended, with or without success, or the electrodes were changed."""
    if before.learning is None:
        return after.adaptation.earlier is not before.adaptation.earlier
    return after.baseline is not before.baseline and not after.baseline.provisional


def relearn(state: DetectionState) -> DetectionState:
    """Learn the patient's normal again from now on; the present one serves until then."""
    leads = len(state.baseline.height_mv)
    return replace(state, learning=LearningBuffer.fresh(leads), heights=BeatHeights.fresh(leads))


def with_normal(state: DetectionState, normal: PatientTemplate) -> DetectionState:
    """Compare with this normal from now on."""
    return replace(
        state, learning=None, baseline=given_baseline(normal), adaptation=Adaptation.fresh(len(normal.leads))
    )


def _with_quality(
    state: SecondsState,
    beats: BeatSegments,
    uncut_s: NDArray[np.float64],
    index: NDArray[np.float64],
    word: NDArray[np.str_],
    *,
    last: bool = False,
) -> tuple[SecondsState, BeatSegments, NDArray[np.int64]]:
    """Return the beats whose second is assessed, readable only where it is, and the uninformative seconds before each.

    `uncut_s` are beats that are still to come. A beat beyond the last second of the signal belongs to that second.
    """
    new = index.shape[1]
    judged = state.judged + new
    if not (len(beats) or new):
        return state, beats, state.dark[:0]
    numbers, readable, darkness = state.numbers, state.readable, state.dark
    # Append the seconds that were just assessed; uninformative ones are counted cumulatively.
    if new:
        before = darkness[-1] if len(darkness) else 0
        darkness = np.concatenate([darkness, before + np.cumsum(uninformative(word))])
        numbers = np.concatenate([numbers, np.arange(judged - new, judged)])
        readable = np.concatenate([readable, index >= READABLE], axis=1)
    # Beats wait until their second is assessed; they are ready in order of time.
    waiting = BeatSegments.joined([state.waiting, beats])
    of_beats = waiting.times_s.astype(int)
    if last:
        of_beats = np.minimum(of_beats, judged - 1)
    ready = int(np.searchsorted(of_beats, judged))
    # A lead of a beat is readable where its second is.
    places = np.searchsorted(numbers, of_beats[:ready])
    judged_beats = waiting[:ready].masked(readable[:, places].T)
    uninformative_before = darkness[places]
    # Forget seconds that no beat can need: keep the newest, and those of beats that await their next beat.
    if new:
        needed = (numbers >= judged - _SECONDS_KEPT) | (numbers[:, None] == uncut_s.astype(int)).any(axis=1)
        numbers, readable, darkness = numbers[needed], readable[:, needed], darkness[needed]
    return SecondsState(numbers, readable, darkness, waiting[ready:], judged), judged_beats, uninformative_before


def _judge_beats(
    state: DetectionState,
    beats: BeatSegments,
    leads: tuple[str, ...],
    criterion: JudgingRules,
    learning_s: float,
    evidence: BeatDifference | None,
) -> WithPredictions[tuple[PreviousBeat, DetectionState, Judgement]]:
    """Judge the next beats, one at least, and learn from them as long as there is something to learn."""
    baseline, before, adaptation = state.baseline, state.last.before, state.adaptation
    if state.learning is None:
        before, baseline, adaptation, judgement = yield from judge_adapting(
            beats, baseline, adaptation, criterion, before, evidence
        )
        return before, replace(state, baseline=baseline, adaptation=adaptation), judgement
    # While learning: compare with what there is, which becomes better with every half as many beats again.
    learning = _append_learning(state.learning, beats, before)
    times_s = learning.beats.times_s
    if not len(times_s) or times_s[-1] < times_s[0] + learning_s:
        before, judgement = yield from judge(beats, _scaled(baseline, learning.heights_mv), criterion, before)
        baseline, learning = _provisional(baseline, learning, leads, criterion)
        return before, replace(state, baseline=baseline, learning=learning), judgement
    # Enough signal: learn the template from all of it.
    learned = learn_baseline(learning.beats, leads, criterion.detector, learning_s)
    if learned.normal is None:
        # Without a template, go on with what there is and start learning again.
        rest = after_learning(learning.beats, learning_s)
        last = before
        before, judgement = yield from judge(beats, _scaled(baseline, learning.heights_mv), criterion, before)
        next_baseline = learned if baseline.normal is None else baseline
        learning = _append_learning(LearningBuffer.fresh(len(leads)), rest, last)
        return before, replace(state, baseline=next_baseline, learning=learning), judgement
    # Judged again from the start, so that what follows is as if the normal had been known all along.
    fresh = Adaptation.fresh(len(leads))
    before, learned, adaptation, judgement = yield from judge_adapting(
        learning.beats, learned, fresh, criterion, learning.after
    )
    state = replace(state, baseline=learned, learning=None, adaptation=adaptation)
    return before, state, judgement[-len(beats) :]


def _provisional(
    baseline: Baseline, learning: LearningBuffer, leads: tuple[str, ...], criterion: JudgingRules
) -> tuple[Baseline, LearningBuffer]:
    """Learn a provisional baseline from ten readable beats, and a better one whenever there are half as many again."""
    if np.count_nonzero(learning.beats.readable.any(axis=1)) < learning.due:
        return baseline, learning
    learned = provisional_baseline(learning.beats, leads, criterion.detector)
    learning = replace(learning, due=int(_MORE * learning.due))
    return (baseline if learned.normal is None and baseline.normal is not None else learned), learning


def _append_learning(learning: LearningBuffer, beats: BeatSegments, before: PreviousBeat) -> LearningBuffer:
    """Append beats, from the first readable one."""
    if len(learning.beats):
        heights = np.concatenate([learning.heights_mv, heights_mv(beats)])
        return replace(learning, beats=BeatSegments.joined([learning.beats, beats]), heights_mv=heights)
    first = int(np.argmax(np.append(beats.readable.any(axis=1), True)))
    return LearningBuffer(beats[first:], heights_mv(beats)[first:], before)


def _intervals(
    last: LastBeat, before: PreviousBeat, beats: BeatSegments, judgement: Judgement, darkness: NDArray[np.int64]
) -> tuple[LastBeat, NDArray[np.float64]]:
    """Return the newest beat, and RR intervals between readable beats with no uninformative second between them."""
    readable = np.not_equal(judgement.verdict, Verdict.UNREADABLE)
    both = readable.copy()
    both[1:] &= readable[:-1] & (darkness[1:] == darkness[:-1])
    both[0] &= last.readable and darkness[0] == last.dark
    return LastBeat(before, bool(readable[-1]), int(darkness[-1])), np.where(both, beats.rr_s, np.nan)


def _scaled(baseline: Baseline, heights: NDArray[np.float32]) -> Baseline:
    """Return the baseline; without a template, with the usual height of the beats so far."""
    if baseline.normal is not None:
        return baseline
    return replace(baseline, height_mv=median_height_mv(heights))
