"""From a recording to verdicts: filter, detect beats, learn the patient's template, compare, judge."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.adaptation import Adaptation, judge_adapting
from ectopy.analysis.atrial_fibrillation import find_fibrillation
from ectopy.analysis.baseline import Baseline, after_learning, find_baseline, given_baseline, learn_baseline
from ectopy.analysis.interval_model import Timing, predicting
from ectopy.analysis.patient_template import LEARNING_S, PatientTemplate
from ectopy.analysis.rhythm_signs import RhythmSigns, find_signs
from ectopy.analysis.template_comparison import BeatDifference
from ectopy.analysis.verdicts import SYMBOLS, Hint, Judgement, JudgingRules, PreviousBeat, reason
from ectopy.arguments import checked
from ectopy.detector import Detector, Verdict
from ectopy.errors import SettingError
from ectopy.presentation import short_repr
from ectopy.recording import Annotations, Recording
from ectopy.signal import FilterSettings
from ectopy.signal.beat_segments import BeatSegments, no_beats
from ectopy.signal.heart_rate import known_intervals
from ectopy.signal.quality import Quality
from ectopy.signal.recording_signal import ReadRecording, read_recording


@dataclass(frozen=True)
class Analysis:
    """Beats, quality and verdicts of one recording; arrays have one entry per beat.

    Attributes
    ----------
    beats : BeatSegments
    quality : Quality
    positions : ndarray of int64, shape (n,)
        Fiducial points, in samples of the recording.
    verdict : ndarray of str, shape (n,)
        A `Verdict` per beat: ABNORMAL where the score is above the threshold or a rule gives a hint.
    hint : ndarray of str, shape (n,)
        A `Hint` per beat.
    score, p_value : ndarray of float64, shape (n,)
        Larger and smaller = more abnormal; NaN = unreadable.
    shape, p_wave : ndarray of float64, shape (n,)
        Parts of the score, standard normal deviates; NaN = unreadable, or not known.
    timing : Timing
        Part of the timing in it.
    threshold : float
        The score above which a beat is abnormal.
    difference : BeatDifference or None
        From the patient's template; None where that could not be learned.
    normal : PatientTemplate or None
        The patient's template at the end; it follows slow changes and a change of electrodes.
    baseline : str
        One sentence on the template: learned, given, or the reason that there is none.
    missed : ndarray of bool, shape (n,)
        Whether a readable lead shows other heartbeats before this one, see `ectopy.signal.missed_beats`, or a person
        marked noise there.
    learned_to_s : float
        End of learning the template; 0 where it was given or could not be learned.
    correction : ndarray of str, shape (n,), or None
        What a person corrected of each beat, in one sentence, empty where nothing; None = no corrections. See
        `ectopy.analysis.corrections`.
    signs : RhythmSigns
        What the signal shows of the rhythm besides the beats.
    """

    __repr__ = short_repr

    beats: BeatSegments
    quality: Quality
    positions: NDArray[np.int64]
    verdict: NDArray[np.str_]
    hint: NDArray[np.str_]
    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    shape: NDArray[np.float64]
    p_wave: NDArray[np.float64]
    timing: Timing
    threshold: float
    difference: BeatDifference | None
    normal: PatientTemplate | None
    baseline: str
    missed: NDArray[np.bool_]
    learned_to_s: float = 0.0
    correction: NDArray[np.str_] | None = None
    signs: RhythmSigns = field(default_factory=RhythmSigns)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def abnormal(self) -> NDArray[np.bool_]:
        """Return which beats are judged abnormal."""
        return np.equal(self.verdict, Verdict.ABNORMAL)

    @cached_property
    def ectopic(self) -> NDArray[np.bool_]:
        """Return which beats are ventricular-like, supraventricular-like or cannot be read, shape (n,).

        Those that a person calls *other* belong to them: they are not of the usual rhythm.
        """
        ectopic = np.isin(self.hint, [Hint.VENTRICULAR, Hint.SUPRAVENTRICULAR])
        ectopic = ectopic | np.equal(self.verdict, Verdict.UNREADABLE) | self.corrected_to_other
        ectopic.flags.writeable = False
        return ectopic

    @property
    def corrected_to_other(self) -> NDArray[np.bool_]:
        """Return which beats a person calls *other*, shape (n,)."""
        if self.correction is None:
            return np.zeros(len(self), np.bool_)
        return np.equal(self.hint, Hint.OTHER) & np.not_equal(self.correction, "")

    @cached_property
    def intervals_s(self) -> NDArray[np.float64]:
        """Return the RR interval before each beat, shape (n,); NaN = not known, see `known_intervals`."""
        readable = np.not_equal(self.verdict, Verdict.UNREADABLE)
        intervals_s = known_intervals(
            self.beats.rr_s, readable, self.quality.uninformative_before(self.beats.times_s), self.missed
        )
        intervals_s.flags.writeable = False
        return intervals_s

    @cached_property
    def irregular_stretches(self) -> tuple[tuple[int, int], ...]:
        """Return the first and last beat of each stretch that `find_fibrillation` tells by its intervals."""
        return tuple(find_fibrillation(self.beats.times_s, self.intervals_s, self.ectopic))

    @property
    def judgement(self) -> Judgement:
        """Return verdicts, hints and scores alone."""
        return Judgement(*(getattr(self, field.name) for field in fields(Judgement)))

    def reason(self, beat: int) -> str:
        """Explain the verdict on a beat: who corrected it, and its shape and timing, with the figures."""
        correction = "" if self.correction is None else str(self.correction[beat])
        if correction and (self.verdict[beat] == Verdict.UNREADABLE or np.isnan(self.score[beat])):
            return correction
        return f"{correction} {reason(self.beats, self.judgement, beat)}".strip()

    def annotations(self) -> Annotations:
        """Return PhysioNet codes: N, V = ventricular-like, S = supraventricular-like, Q = other, ? = unreadable."""
        symbols = np.full(len(self), "N")
        for hint, symbol in SYMBOLS.items():
            symbols[np.equal(self.hint, hint)] = symbol
        symbols[np.equal(self.verdict, Verdict.UNREADABLE)] = "?"
        return Annotations(self.positions, symbols)


@checked
def analyse(
    recording: Recording,
    detector: Detector,
    normal: PatientTemplate | None = None,
    filters: FilterSettings | None = None,
    learning_s: float = LEARNING_S,
) -> Analysis:
    """Find the beats of a recording that are not this patient's normal.

    Parameters
    ----------
    recording : Recording
        100 to 1000 Hz.
    detector : Detector
        A population model for recordings, such as the shipped ``ambulatory``.
    normal : PatientTemplate, optional
        A baseline saved earlier; learned from the start of the recording where none is given.
    filters : FilterSettings, optional
    learning_s : float
        Time that the template is learned from, seconds from the first readable beat; 300 by default.

    Raises
    ------
    LayoutError
        If the detector is not one for recordings, or the baseline has other leads.
    SettingError
        If the sampling rate is out of range, or the time to learn from is.
    DataError
        If the signal is an ECG whose unit is not the one stated.
    """
    require_learning_time(learning_s)
    judge = _BeatJudge(recording.leads, JudgingRules.of(detector), normal, learning_s)
    # The beats of a long recording are judged while the rest of it is being filtered.
    read = read_recording(recording, filters, judge.step)
    analysis = _with_verdicts(read, recording.sampling_rate_hz, judge)
    signs = find_signs(recording, analysis.beats, analysis.intervals_s, analysis.ectopic, filters)
    return replace(analysis, signs=signs)


def analyse_beats(
    read: ReadRecording, leads: tuple[str, ...], sampling_rate_hz: float, rules: JudgingRules
) -> Analysis:
    """Judge the beats of a recording that has been read, as `analyse` does.

    Parameters
    ----------
    read : ReadRecording
    leads : tuple of str
    sampling_rate_hz : float
        Of the recording.
    rules : JudgingRules
    """
    return _with_verdicts(read, sampling_rate_hz, _BeatJudge(leads, rules, None, LEARNING_S))


class _BeatJudge:
    """Judges the beats of a recording in order; the result does not depend on how they are divided."""

    def __init__(
        self, leads: tuple[str, ...], rules: JudgingRules, normal: PatientTemplate | None, learning_s: float
    ) -> None:
        self._leads, self._rules, self._learning_s = leads, rules, learning_s
        self._baseline = None if normal is None else given_baseline(normal)
        self._before, self._adaptation = PreviousBeat(), Adaptation.fresh(len(leads))
        self._judgements, self._count = list[Judgement](), 0
        self._first: BeatSegments | None = no_beats(len(leads))

    def step(self, beats: BeatSegments) -> None:
        """Judge the next beats once the patient's template is known.

        Where it cannot be learned from the first beats, all wait for `finish`, since it may be learned from any later
        ones.
        """
        if self._baseline is None and self._first is not None:
            self._first = BeatSegments.joined([self._first, beats])
            if not len(after_learning(self._first, self._learning_s)):
                return
            learned = learn_baseline(self._first, self._leads, self._rules.detector, self._learning_s)
            beats, self._first = self._first, None
            self._baseline = learned if learned.normal is not None else None
        if self._baseline is not None:
            self._judge(beats, self._baseline)

    def finish(self, beats: BeatSegments) -> tuple[Baseline, Judgement]:
        """Judge the rest; `beats` are all of the recording. Return the baseline at the end and all judgements."""
        baseline = self._baseline or find_baseline(beats, self._leads, self._rules.detector, self._learning_s)
        baseline = self._judge(beats[self._count :], baseline)
        return baseline, Judgement.joined(self._judgements)

    def _judge(self, beats: BeatSegments, baseline: Baseline) -> Baseline:
        judging = judge_adapting(beats, baseline, self._adaptation, self._rules, self._before)
        self._before, self._baseline, self._adaptation, judgement = predicting(self._rules.intervals, judging)
        self._judgements.append(judgement)
        self._count += len(beats)
        return self._baseline


def _with_verdicts(read: ReadRecording, sampling_rate_hz: float, judge: _BeatJudge) -> Analysis:
    beats = read.beats
    baseline, judgement = judge.finish(beats)
    return Analysis(
        beats=beats,
        quality=read.quality,
        positions=np.round(beats.times_s * sampling_rate_hz).astype(np.int64),
        **{field.name: getattr(judgement, field.name) for field in fields(judgement)},
        normal=baseline.normal,
        baseline=baseline.text,
        missed=read.missed,
        learned_to_s=0.0 if baseline.normal is None else baseline.learned_to_s,
    )


def require_learning_time(learning_s: float) -> None:
    """Raise SettingError if the time to learn from lies outside 30 to 3600 s."""
    if not 30 <= learning_s <= 3600:
        raise SettingError(f"the patient's normal is learned from 30 to 3600 seconds, not {learning_s:g}.")
