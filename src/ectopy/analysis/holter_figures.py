"""All figures of the customary Holter report of a recording: times, rates, hours, ectopic beats, pauses, variability.

The definition of each, with its source, stands in ``docs/holter-figures.md``. Every page, table and answer that states
one of these figures takes it from here. They follow from the beats and their hints alone, so that corrected beats give
corrected figures.

Hours are counted from the start of the recording. Times of day follow from its start by the clock of the recorder,
which a change to summer time does not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.analysis import Analysis
from ectopy.analysis.heart_rate_variability import HeartRateVariability, NormalIntervals, PoincarePlot
from ectopy.analysis.minute_waves import MINUTE_S, MinuteMeasurements
from ectopy.analysis.rhythm_episodes import Rhythm, RhythmEpisode, find_rhythm_episodes, summarise_rhythm
from ectopy.analysis.rhythm_events import EVENT_TITLES, Event, beats_in_a_row
from ectopy.analysis.rhythm_rules import RECORDING, RhythmKind, RhythmLimits
from ectopy.analysis.verdicts import Hint
from ectopy.arguments import checked
from ectopy.detector import Verdict
from ectopy.presentation import finite_or_none, short_repr
from ectopy.recording import Recording
from ectopy.signal.heart_rate import WINDOW_S, heart_rate
from ectopy.signal.quality import QUALITY_WINDOW_S, Quality

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class RecordingTimes:
    """When a recording was made, and how much of it can be read.

    Attributes
    ----------
    start, end : datetime or None
        By the clock of the recorder; None where the file does not state it.
    duration_s : float
    readable_s : float
        Time in which at least one lead can be read.
    readable_percent : float or None
        Its share; None of an empty recording.
    """

    start: datetime | None
    end: datetime | None
    duration_s: float
    readable_s: float
    readable_percent: float | None


@dataclass(frozen=True, slots=True)
class BeatCounts:
    """Number of beats: all of them, and by what they look like."""

    total: int
    normal: int
    ventricular: int
    supraventricular: int
    other: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Heart rates in beats per minute; None where no window has a rate.

    Attributes
    ----------
    minimum_bpm, maximum_bpm : float or None
        Lowest and highest rate of a window of `window_s`, see `ectopy.signal.heart_rate`.
    minimum_at_s, maximum_at_s : float or None
        Where the first such window begins, from the start of the recording.
    mean_bpm : float or None
        Of the windows that have a rate: their intervals over the time of these.
    median_bpm : float or None
        Of the rates from beat to beat.
    window_s : float
    """

    minimum_bpm: float | None
    minimum_at_s: float | None
    mean_bpm: float | None
    maximum_bpm: float | None
    maximum_at_s: float | None
    median_bpm: float | None
    window_s: float = WINDOW_S


@dataclass(frozen=True, slots=True)
class Run:
    """A run of ectopic beats.

    Attributes
    ----------
    start_s, end_s : float
        First and last beat, from the start of the recording.
    beats : int
    rate_bpm : float or None
        Mean rate within it.
    coupling_s : float or None
        RR interval before its first beat.
    """

    start_s: float
    end_s: float
    beats: int
    rate_bpm: float | None
    coupling_s: float | None


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one kind; the longest is that with most beats, None without runs."""

    number: int
    beats: int
    longest: Run | None
    fastest: Run | None


@dataclass(frozen=True, slots=True)
class EctopicBeats:
    """Ventricular or supraventricular beats.

    Attributes
    ----------
    total : int
    percent : float or None
        Their share of all beats; None without beats.
    per_hour : float or None
        Their number in an hour of readable time; None where nothing can be read.
    most_in_an_hour : int
        Their number in the hour of the recording with most of them.
    most_start_s : float or None
        Where that hour begins; None without any.
    single : int
        Beats without another of their kind beside them.
    pairs : int
        Two in a row: couplets of ventricular beats.
    runs : Runs
    """

    total: int
    percent: float | None
    per_hour: float | None
    most_in_an_hour: int
    most_start_s: float | None
    single: int
    pairs: int
    runs: Runs


@dataclass(frozen=True, slots=True)
class Pauses:
    """Pauses, and the longest RR interval, whether it is a pause or not.

    Attributes
    ----------
    number : int
    limit_s : float
        RR intervals of at least this length are pauses.
    longest_rr_s, longest_rr_start_s : float or None
        The longest RR interval and the beat that it begins with; None without a known interval.
    """

    number: int
    limit_s: float
    longest_rr_s: float | None
    longest_rr_start_s: float | None


@dataclass(frozen=True, slots=True)
class EventFigures:
    """The events of one kind: how many, their beats and time in all, and the longest; None without events."""

    number: int
    beats: int
    total_s: float
    longest_s: float | None
    longest_start_s: float | None


@dataclass(frozen=True, slots=True)
class AtrialFibrillation:
    """Atrial fibrillation.

    Attributes
    ----------
    burden_percent : float or None
        Its share of the time in which the rhythm is known; None where it is not known at all.
    episodes : int
    longest_s, longest_start_s : float or None
    minimum_bpm, maximum_bpm : float or None
        Lowest and highest mean rate of an episode.
    mean_bpm : float or None
        Over all episodes.
    """

    burden_percent: float | None
    episodes: int
    longest_s: float | None
    longest_start_s: float | None
    minimum_bpm: float | None
    mean_bpm: float | None
    maximum_bpm: float | None


@dataclass(frozen=True, slots=True)
class MinuteValue:
    """A value and the start of the minute that it was measured in."""

    value: float
    start_s: float


@dataclass(frozen=True, slots=True)
class WaveFigures:
    """What the waves of the minutes of some time are like; None = not known.

    Attributes
    ----------
    intervals_ms : dict
        Median of each interval, by the names of `WaveIntervals`.
    longest_ms : dict
        The longest of each.
    st_mv, st_lowest_mv, st_highest_mv : dict
        Median, lowest and highest ST level at J + 80 ms, by lead.
    """

    intervals_ms: dict[str, float | None]
    longest_ms: dict[str, MinuteValue | None]
    st_mv: dict[str, float | None]
    st_lowest_mv: dict[str, MinuteValue | None]
    st_highest_mv: dict[str, MinuteValue | None]


@dataclass(frozen=True, slots=True)
class HourFigures:
    """One hour of the recording, the last one may be shorter; an event belongs to the hour in which it begins.

    Attributes
    ----------
    start_s, end_s : float
        From the start of the recording.
    readable_percent : float
    beats : BeatCounts
    rate : Rates
    events : dict
        Number of events, by each kind of `EVENT_TITLES`.
    rhythms : dict of float
        Percent of the time of the hour in which the rhythm is known, by the value of each `Rhythm` that occurs.
    variability : HeartRateVariability
    waves : WaveFigures or None
        None where the waves have not been measured.
    """

    start_s: float
    end_s: float
    readable_percent: float
    beats: BeatCounts
    rate: Rates
    events: dict[str, int]
    rhythms: dict[str, float]
    variability: HeartRateVariability
    waves: WaveFigures | None


@dataclass(frozen=True, slots=True)
class VariabilityFigures:
    """Heart rate variability of the recording, of its day and its night; these are None without a start."""

    whole: HeartRateVariability
    day: HeartRateVariability | None
    night: HeartRateVariability | None


@dataclass(frozen=True, slots=True)
class HolterFigures:
    """The figures of a recording; None = not known.

    Attributes
    ----------
    times : RecordingTimes
    beats : BeatCounts
    rate : Rates
    hours : tuple of HourFigures
        All hours from the start of the recording to its end.
    ventricular, supraventricular : EctopicBeats
    pauses : Pauses
    events : dict of EventFigures
        By each kind of `EVENT_TITLES`, bigeminy for example, the most serious first.
    rhythms : dict of float
        Percent of the time in which the rhythm is known, by the value of each `Rhythm` that occurs.
    atrial_fibrillation : AtrialFibrillation
    variability : VariabilityFigures
    poincare : PoincarePlot
    waves : WaveFigures or None
        None where the waves have not been measured.
    """

    __repr__ = short_repr

    times: RecordingTimes
    beats: BeatCounts
    rate: Rates
    hours: tuple[HourFigures, ...]
    ventricular: EctopicBeats
    supraventricular: EctopicBeats
    pauses: Pauses
    events: dict[str, EventFigures]
    rhythms: dict[str, float]
    atrial_fibrillation: AtrialFibrillation
    variability: VariabilityFigures
    poincare: PoincarePlot
    waves: WaveFigures | None

    def summary(self) -> dict[str, Any]:
        """Return every figure, for JSON; numbers have six decimals, times are in ISO 8601."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@checked
def holter_figures(
    recording: Recording,
    analysis: Analysis,
    events: Sequence[Event],
    minutes: MinuteMeasurements | None = None,
    limits: RhythmLimits = RECORDING,
) -> HolterFigures:
    """Measure what a Holter report states; under a second for a day.

    Parameters
    ----------
    recording : Recording
    analysis : Analysis
        Of this recording, as analysed or with corrected beats.
    events : sequence of Event
        From `ectopy.analysis.wave_findings.find_all_events`.
    minutes : MinuteMeasurements, optional
        Of this analysis; without it there are no intervals and no ST level.
    limits : RhythmLimits, optional
        Those of the events.
    """
    times = _times(recording, analysis.quality)
    whole = slice(len(analysis))
    rhythm_episodes = find_rhythm_episodes(analysis)
    normal = NormalIntervals.of(analysis, rhythm_episodes)
    if minutes is not None:
        minutes = _without_p_in_fibrillation(minutes, rhythm_episodes)
    day_and_night = (None, None) if recording.start is None else normal.day_and_night(recording.start)
    return HolterFigures(
        times=times,
        beats=_count(analysis, whole),
        rate=_rates(analysis.beats.times_s, analysis.intervals_s, 0.0, recording.duration_s),
        hours=_hours(recording, analysis, events, rhythm_episodes, normal, minutes),
        ventricular=_ectopic(analysis, events, limits, times, Hint.VENTRICULAR, RhythmKind.VENTRICULAR_RUN),
        supraventricular=_ectopic(
            analysis, events, limits, times, Hint.SUPRAVENTRICULAR, RhythmKind.SUPRAVENTRICULAR_RUN
        ),
        pauses=_pauses(analysis, events, limits),
        events={kind: _of_kind([event for event in events if event.kind == kind]) for kind in EVENT_TITLES},
        rhythms=summarise_rhythm(rhythm_episodes)["shares"],
        atrial_fibrillation=_fibrillation(rhythm_episodes),
        variability=VariabilityFigures(normal.variability(), *day_and_night),
        poincare=normal.poincare(),
        waves=None if minutes is None else _waves(minutes, 0.0, recording.duration_s),
    )


def _times(recording: Recording, quality: Quality) -> RecordingTimes:
    duration_s, start = recording.duration_s, recording.start
    readable_s = _readable_s(quality, 0.0, duration_s)
    if start is not None and (offset := start.utcoffset()) is not None:
        start = start.replace(tzinfo=timezone(offset))
    return RecordingTimes(
        start,
        None if start is None else start + timedelta(seconds=duration_s),
        duration_s,
        readable_s,
        _percent(readable_s, duration_s),
    )


def _readable_s(quality: Quality, start_s: float, end_s: float) -> float:
    """Time from one moment to another, at which windows begin or the recording ends, in which a lead is readable."""
    first, stop = round(start_s / QUALITY_WINDOW_S), int(np.ceil(end_s / QUALITY_WINDOW_S))
    readable = np.asarray(quality.readable[:, first:stop].any(axis=0), np.bool_)
    begins_s = start_s + QUALITY_WINDOW_S * np.arange(len(readable))
    return float(np.minimum(end_s - begins_s, QUALITY_WINDOW_S)[readable].sum())


def _count(analysis: Analysis, part: slice) -> BeatCounts:
    verdict, hint = analysis.verdict[part], analysis.hint[part]
    return BeatCounts(
        total=hint.size,
        normal=int(np.equal(verdict, Verdict.NORMAL).sum()),
        ventricular=int(np.equal(hint, Hint.VENTRICULAR).sum()),
        supraventricular=int(np.equal(hint, Hint.SUPRAVENTRICULAR).sum()),
        other=int(np.equal(hint, Hint.OTHER).sum()),
        unreadable=int(np.equal(verdict, Verdict.UNREADABLE).sum()),
    )


def _rates(times_s: NDArray[np.float64], intervals_s: NDArray[np.float64], start_s: float, end_s: float) -> Rates:
    """Rates of the beats of a stretch of time, which begins with a window."""
    rate = heart_rate(times_s - start_s, intervals_s, end_s - start_s)
    mean_bpm, median_bpm = finite_or_none(rate.mean_bpm), finite_or_none(rate.median_bpm)
    if rate.extremes is None:
        return Rates(None, None, mean_bpm, None, None, median_bpm)
    lowest, highest = ((float(rate.bpm[window]), start_s + WINDOW_S * window) for window in rate.extremes)
    return Rates(*lowest, mean_bpm, *highest, median_bpm)


def _hours(
    recording: Recording,
    analysis: Analysis,
    events: Sequence[Event],
    rhythm_episodes: Sequence[RhythmEpisode],
    normal: NormalIntervals,
    minutes: MinuteMeasurements | None,
) -> tuple[HourFigures, ...]:
    times_s, intervals_s, duration_s = analysis.beats.times_s, analysis.intervals_s, recording.duration_s
    starts_s = HOUR_S * np.arange(int(np.ceil(duration_s / HOUR_S)))
    firsts = np.searchsorted(times_s, starts_s).tolist()
    hour_of_event = np.searchsorted(starts_s, [event.start_s for event in events], side="right") - 1
    hours = []
    for hour, start_s in enumerate(starts_s.tolist()):
        part = slice(firsts[hour], [*firsts, len(times_s)][hour + 1])
        inside = np.zeros(len(times_s), np.bool_)
        inside[part] = True
        end_s = min(start_s + HOUR_S, duration_s)
        kinds = [event.kind for event, of_hour in zip(events, hour_of_event == hour, strict=True) if of_hour]
        hours.append(
            HourFigures(
                start_s=start_s,
                end_s=end_s,
                readable_percent=100.0 * _readable_s(analysis.quality, start_s, end_s) / (end_s - start_s),
                beats=_count(analysis, part),
                rate=_rates(times_s[part], intervals_s[part], start_s, end_s),
                events={kind: kinds.count(kind) for kind in EVENT_TITLES},
                rhythms=summarise_rhythm(_within(rhythm_episodes, start_s, end_s))["shares"],
                variability=normal.variability(inside),
                waves=None if minutes is None else _waves(minutes, start_s, end_s),
            )
        )
    return tuple(hours)


def _within(rhythm_episodes: Sequence[RhythmEpisode], start_s: float, end_s: float) -> list[RhythmEpisode]:
    """Return the parts of episodes that lie between two moments."""
    return [
        replace(episode, start_s=max(episode.start_s, start_s), end_s=min(episode.end_s, end_s))
        for episode in rhythm_episodes
        if episode.start_s < end_s and episode.end_s > start_s
    ]


def _ectopic(
    analysis: Analysis,
    events: Sequence[Event],
    limits: RhythmLimits,
    times: RecordingTimes,
    hint: Hint,
    run: RhythmKind,
) -> EctopicBeats:
    of_kind = np.equal(analysis.hint, hint)
    lengths = [last - first + 1 for first, last in beats_in_a_row(analysis, of_kind, limits)]
    total = int(of_kind.sum())
    by_hour = np.bincount((analysis.beats.times_s[of_kind] // HOUR_S).astype(np.int64), minlength=1)
    busiest = int(by_hour.argmax())
    return EctopicBeats(
        total=total,
        percent=_percent(total, len(analysis)),
        per_hour=HOUR_S * total / times.readable_s if times.readable_s > 0 else None,
        most_in_an_hour=int(by_hour[busiest]),
        most_start_s=busiest * HOUR_S if total else None,
        single=lengths.count(1),
        pairs=lengths.count(2),
        runs=_runs([event for event in events if event.kind == run]),
    )


def _runs(events: Sequence[Event]) -> Runs:
    runs = [Run(event.start_s, event.end_s, event.beats, event.rate_bpm, event.coupling_s) for event in events]
    return Runs(
        number=len(runs),
        beats=sum(run.beats for run in runs),
        longest=max(runs, key=lambda run: (run.beats, run.end_s - run.start_s), default=None),
        fastest=max(runs, key=lambda run: (run.rate_bpm or 0.0, run.beats), default=None),
    )


def _pauses(analysis: Analysis, events: Sequence[Event], limits: RhythmLimits) -> Pauses:
    number = sum(event.kind == RhythmKind.PAUSE for event in events)
    intervals_s = analysis.intervals_s
    if not np.isfinite(intervals_s).any():
        return Pauses(number, limits.pause_s, None, None)
    beat = int(np.nanargmax(intervals_s))
    begins_s = float(analysis.beats.times_s[beat - 1])
    return Pauses(number, limits.pause_s, float(intervals_s[beat]), begins_s)


def _of_kind(events: Sequence[Event]) -> EventFigures:
    longest = max(events, key=lambda event: event.duration_s, default=None)
    return EventFigures(
        number=len(events),
        beats=sum(event.beats for event in events),
        total_s=sum(event.duration_s for event in events),
        longest_s=None if longest is None else longest.duration_s,
        longest_start_s=None if longest is None else longest.start_s,
    )


def _fibrillation(rhythm_episodes: Sequence[RhythmEpisode]) -> AtrialFibrillation:
    figures = summarise_rhythm(rhythm_episodes)["atrial_fibrillation"]
    episodes = [episode for episode in rhythm_episodes if episode.rhythm == Rhythm.FIBRILLATION]
    longest = max(episodes, key=lambda episode: episode.duration_s, default=None)
    rates_bpm = [episode.rate_bpm for episode in episodes if episode.rate_bpm is not None]
    return AtrialFibrillation(
        burden_percent=figures["burden"],
        episodes=figures["episodes"],
        longest_s=None if longest is None else longest.duration_s,
        longest_start_s=None if longest is None else longest.start_s,
        minimum_bpm=min(rates_bpm, default=None),
        mean_bpm=figures["mean_rate_bpm"],
        maximum_bpm=max(rates_bpm, default=None),
    )


def _without_p_in_fibrillation(
    minutes: MinuteMeasurements, rhythm_episodes: Sequence[RhythmEpisode]
) -> MinuteMeasurements:
    """Where the atria fibrillate there is no P wave, whatever the mean of the beats of a minute looks like."""
    ends_s = minutes.start_s + MINUTE_S
    fibrillating = np.zeros(len(minutes), np.bool_)
    for episode in rhythm_episodes:
        if episode.rhythm == Rhythm.FIBRILLATION:
            fibrillating |= (minutes.start_s < episode.end_s) & (ends_s > episode.start_s)
    p_ms, pr_ms = (np.where(fibrillating, np.nan, ms) for ms in (minutes.intervals.p_ms, minutes.intervals.pr_ms))
    return replace(minutes, intervals=replace(minutes.intervals, p_ms=p_ms, pr_ms=pr_ms))


def _waves(minutes: MinuteMeasurements, start_s: float, end_s: float) -> WaveFigures:
    part = (minutes.start_s >= start_s) & (minutes.start_s < end_s)
    starts_s = minutes.start_s[part]
    intervals_ms = {name: values[part] for name, values in asdict(minutes.intervals).items()}
    levels_mv = {lead: values[part] for lead, values in zip(minutes.leads, minutes.st.level_80_mv, strict=True)}
    return WaveFigures(
        intervals_ms={name: _median(values) for name, values in intervals_ms.items()},
        longest_ms={name: _highest(values, starts_s) for name, values in intervals_ms.items()},
        st_mv={lead: _median(values) for lead, values in levels_mv.items()},
        st_lowest_mv={lead: _highest(values, starts_s, sign=-1) for lead, values in levels_mv.items()},
        st_highest_mv={lead: _highest(values, starts_s) for lead, values in levels_mv.items()},
    )


def _highest(values: NDArray[np.float64], starts_s: NDArray[np.float64], sign: int = 1) -> MinuteValue | None:
    """Return the first highest value, the lowest for a negative sign; None if all are NaN."""
    if not np.isfinite(values).any():
        return None
    place = int(np.nanargmax(sign * values))
    return MinuteValue(float(values[place]), float(starts_s[place]))


def _median(values: NDArray[np.float64]) -> float | None:
    is_known = np.isfinite(values)
    return float(np.median(values[is_known])) if is_known.any() else None


def _percent(part: float, whole: float) -> float | None:
    return 100.0 * part / whole if whole > 0 else None


def _plain(value: Any) -> Any:
    """Make a value fit for JSON."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return finite_or_none(value, 6) if isinstance(value, float) else value
