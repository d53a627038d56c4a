"""An analysed recording as a service shows it; its files appear together or not at all."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.beat_families import BeatFamily, BeatSizes, family_spread, find_families
from ectopy.analysis.changed_minutes import measure_changed_minutes
from ectopy.analysis.corrected_analysis import analysis_digest, apply_corrections
from ectopy.analysis.corrections import Corrections
from ectopy.analysis.minute_waves import MinuteMeasurements
from ectopy.analysis.recording_results import family_rows, summary
from ectopy.analysis.rhythm_episodes import RhythmEpisode, find_rhythm_episodes
from ectopy.analysis.rhythm_events import Event, by_severity, find_events
from ectopy.analysis.verdicts import Hint
from ectopy.analysis.wave_findings import find_wave_events
from ectopy.detector import Verdict
from ectopy.errors import DataError, NotFoundError, SettingError
from ectopy.monitor.codec import decode, encode
from ectopy.presentation import finite_or_none
from ectopy.recording import Recording
from ectopy.service.recordings.downsampling import display_columns, pyramid

MOST_COLUMNS = 4000
MOST_BEATS = 500
MOST_POSITIONS = 200_000
_SHORTEST_STEP_S = 1.0
_DECIMALS = 4

_RECORDING, _ANALYSIS, _MINUTES = "recording.msgpack", "analysis.msgpack", "minutes.msgpack"
_FINDINGS = "findings.msgpack"
_SIGNAL, _SEGMENTS = "signal.npy", "segments.npy"
_ECTOPIC = (Hint.VENTRICULAR.value, Hint.SUPRAVENTRICULAR.value)

T = TypeVar("T")


class _ComputedOnce(cached_property[T]):
    """A property that is computed at its first use, by one thread at a time."""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> T:  # type: ignore[override]
        with instance.__dict__.setdefault(f"lock of {self.attrname}", threading.RLock()):
            value: T = super().__get__(instance, owner)
            return value


class ResultVersion(NamedTuple):
    """Digest of the analysis, and number of the entries in the log of its corrections."""

    analysis: str
    version: int


class Findings(NamedTuple):
    """What follows from an analysis and is stored with it, so that a page opens, and is corrected, at once."""

    rhythm_events: tuple[Event, ...]
    events: tuple[Event, ...]
    episodes: tuple[RhythmEpisode, ...]
    families: tuple[BeatFamily, ...]
    beat_sizes: BeatSizes
    summary: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """An analysed recording; what follows from its analysis is computed when it is asked for the first time.

    Without corrections it is stored with the analysis.

    The signal and the segments of the beats are memory maps: only the parts in use are read from the disk.

    Attributes
    ----------
    recording : Recording
    levels, pulse_levels : tuple
        The pyramids of its signal and of each pulse wave; see `ectopy.service.recordings.downsampling.pyramid`.
    analysed : Analysis
        As the program found it.
    measured : (Analysis, MinuteMeasurements)
        An analysis of the recording whose waves are measured: this one, or one with other corrections.
    corrections : Corrections
        Made on it.
    analysis : Analysis
        With the corrections.
    """

    recording: Recording
    levels: tuple[NDArray[np.float32], ...]
    pulse_levels: tuple[list[NDArray[np.float32]], ...]
    analysed: Analysis
    measured: tuple[Analysis, MinuteMeasurements]
    corrections: Corrections
    analysis: Analysis

    @property
    def version(self) -> ResultVersion:
        """Return what a person has seen who has seen this."""
        return ResultVersion(self.corrections.analysis_digest, len(self.corrections.entries))

    def corrected(self, corrections: Corrections) -> Result:
        """Return the same recording with these corrections; errors are those of `apply_corrections`."""
        analysis = apply_corrections(self.analysed, corrections, self.recording.sampling_rate_hz)
        # The minutes that were measured last differ least.
        measured = (self.analysis, self.minutes) if "minutes" in self.__dict__ else self.measured
        corrected = replace(self, measured=measured, corrections=corrections, analysis=analysis)
        if analysis is self.analysis:  # only the report was corrected
            corrected._take(self, *Findings._fields, "minutes")
        if analysis.beats.samples is self.analysis.beats.samples:
            corrected._take(self, "beat_sizes")
        return corrected

    def _take(self, other: Result, *names: str) -> None:
        """Take over what another result has computed."""
        self.__dict__.update((name, other.__dict__[name]) for name in names if name in other.__dict__)

    @_ComputedOnce
    def intervals_s(self) -> NDArray[np.float64]:
        """Return the RR interval before each beat, shape (n,); NaN = not known."""
        return self.analysis.intervals_s

    @_ComputedOnce
    def minutes(self) -> MinuteMeasurements:
        """Return the waves of each minute."""
        analysed, measured = self.measured
        return measure_changed_minutes(measured, self.recording, analysed, self.analysis)

    @_ComputedOnce
    def rhythm_events(self) -> tuple[Event, ...]:
        """Return the events of the rhythm, in order of their start; they are there before the waves are measured."""
        return tuple(find_events(self.analysis))

    @_ComputedOnce
    def events(self) -> tuple[Event, ...]:
        """Return the events of the rhythm and of the waves, in order of their start."""
        of_waves = find_wave_events(self.minutes, self.analysis, self.recording.patient.sex)
        return tuple(sorted([*self.rhythm_events, *of_waves], key=lambda event: (event.start_s, event.kind)))

    @_ComputedOnce
    def episodes(self) -> tuple[RhythmEpisode, ...]:
        """Return the episodes of one rhythm, in order of time."""
        return tuple(find_rhythm_episodes(self.analysis))

    @_ComputedOnce
    def families(self) -> tuple[BeatFamily, ...]:
        """Return the families of beats, the largest first."""
        return find_families(self.analysis.beats, self.analysis.hint, sizes=self.beat_sizes)

    @_ComputedOnce
    def beat_sizes(self) -> BeatSizes:
        """Return what families need of the beats whatever they are called."""
        return BeatSizes.of(self.analysis.beats.samples)

    @_ComputedOnce
    def family_of(self) -> NDArray[np.int64]:
        """Return the number of the family of each beat, from 1, shape (n,); 0 = none."""
        numbers = np.zeros(len(self.analysis), np.int64)
        for number, family in enumerate(self.families, start=1):
            numbers[family.rows] = number
        return numbers

    @_ComputedOnce
    def summary(self) -> dict[str, Any]:
        """Return the figures of the recording and its events, for JSON."""
        start = self.recording.start
        return {
            **summary(self.recording, self.analysis, self.events, minutes=self.minutes),
            "sampling_rate_hz": self.recording.sampling_rate_hz,
            "start": None if start is None else start.isoformat(),
            "event_list": [
                {"kind": event.kind, "start_s": event.start_s, "end_s": event.end_s, "text": event.text}
                for event in self.events
            ],
        }

    def signal(self, start_s: float, stop_s: float, columns: int, lead: int | None = None) -> dict[str, Any]:
        """Return the signal in at most 4000 columns, and its beats; of more than 500 those with the highest scores.

        With the number of a lead only that one, without pulse waves; a `SettingError` if there is no such lead.
        """
        recording = self.recording
        columns = min(max(columns, 1), MOST_COLUMNS)
        if lead is not None and lead >= len(recording.leads):
            raise SettingError(f"lead {lead} of {len(recording.leads)} does not exist; the first is 0.")
        leads = slice(None) if lead is None else slice(lead, lead + 1)
        pulses = recording.pulses if lead is None else ()
        samples, levels = recording.signal[:, leads], [level[:, :, leads] for level in self.levels]
        part = display_columns(samples, levels, recording.sampling_rate_hz, start_s, stop_s, columns)
        all_beats = beats = self._between(part.start_s, part.start_s + part.step_s * len(part.low))
        if len(beats) > MOST_BEATS:
            order = np.argsort(-np.nan_to_num(self.analysis.score[beats], nan=-np.inf), kind="stable")
            beats = np.sort(beats[order[:MOST_BEATS]])
        return {
            "start_s": part.start_s,
            "step_s": part.step_s,
            "duration_s": recording.duration_s,
            "sampling_rate_hz": recording.sampling_rate_hz,
            "leads": list(recording.leads[leads]),
            **({"samples": _by_lead(part.low)} if part.has_all_samples else {}),
            **({} if part.has_all_samples else {"low": _by_lead(part.low), "high": _by_lead(part.high)}),
            **({"pulses": self._pulses(start_s, stop_s, columns)} if pulses else {}),
            "beats": self._rows(beats),
            "beats_there": len(all_beats),
        }

    def _pulses(self, start_s: float, stop_s: float, columns: int) -> list[dict[str, Any]]:
        waves: list[dict[str, Any]] = []
        for wave, levels in zip(self.recording.pulses, self.pulse_levels, strict=True):
            samples, rate_hz = wave.samples[:, np.newaxis], wave.sampling_rate_hz
            part = display_columns(samples, levels, rate_hz, start_s, stop_s, columns)
            low, high = finite_values(part.low[:, 0]), finite_values(part.high[:, 0])
            values = {"samples": low} if part.has_all_samples else {"low": low, "high": high}
            place = {"start_s": part.start_s, "step_s": part.step_s}
            waves.append({"name": wave.name, "unit": wave.unit, **place, **values})
        return waves

    def beat_rows(
        self, start_s: float, stop_s: float, limit: int, verdict: Verdict | None = None
    ) -> list[dict[str, Any]]:
        """Return the first beats from a second to before another, of one verdict or of all."""
        beats = self._between(start_s, stop_s)
        if verdict is not None:
            beats = beats[self.analysis.verdict[beats] == verdict.value]
        beats = beats[:limit]
        families = self.family_of[beats].tolist()
        return [row | {"family": family or None} for row, family in zip(self._rows(beats), families, strict=True)]

    def event_rows(self, waves: bool = True) -> list[dict[str, Any]]:
        """Return the events in order of their start, for JSON; the most serious one has the rank 1."""
        events = self.events if waves else self.rhythm_events
        rank = {id(event): number for number, event in enumerate(by_severity(events), start=1)}
        return [
            {**asdict(event), "rate_bpm": finite_or_none(event.rate_bpm, _DECIMALS), "rank": rank[id(event)]}
            for event in events
        ]

    def episode_rows(self) -> list[dict[str, Any]]:
        """Return the episodes of one rhythm in order of time, for JSON."""
        return [
            {**asdict(episode), "rate_bpm": finite_or_none(episode.rate_bpm, _DECIMALS)} for episode in self.episodes
        ]

    def family_rows(self) -> list[dict[str, Any]]:
        """Return the families of beats, the largest first, with the spread of their shapes, for JSON."""
        spreads = [family_spread(self.analysis.beats, family) for family in self.families]
        return [
            {**row, "low_mv": _by_lead(low.T), "high_mv": _by_lead(high.T)}
            for row, (low, high) in zip(family_rows(self.analysis, self.families), spreads, strict=True)
        ]

    def family(self, number: int) -> BeatFamily:
        """Return the family of a number, from 1; a `NotFoundError` if there is none."""
        if not 1 <= number <= len(self.families):
            raise NotFoundError(f"there is no family {number}; they are numbered from 1 to {len(self.families)}.")
        return self.families[number - 1]

    def family_beats(self, number: int, start_s: float, stop_s: float, limit: int, backwards: bool) -> dict[str, Any]:
        """Return the beats of a family between two times, for JSON: the first ones, or the last ones in reverse order.

        A `NotFoundError` if there is no family with this number.
        """
        if not 1 <= number <= len(self.families):
            raise NotFoundError(
                f"there is no family {number}; the families are numbered from 1 to {len(self.families)}."
            )
        rows = self.families[number - 1].rows
        times_s = self.analysis.beats.times_s[rows]
        rows = rows[(times_s >= start_s) & (times_s < stop_s)]
        total = len(rows)
        rows = (rows[::-1] if backwards else rows)[:limit]
        return {
            "family": number,
            "total": total,
            "beats": rows.tolist(),
            "positions": self.analysis.positions[rows].tolist(),
            "times_s": finite_values(self.analysis.beats.times_s[rows]),
        }

    def _rows(self, beats: NDArray[np.intp]) -> list[dict[str, Any]]:
        """Return the beats of these indices for JSON; None for unknown numbers."""
        analysis = self.analysis
        numbers = (analysis.beats.times_s, self.intervals_s, analysis.score, analysis.p_value)
        time_s, interval_s, score, p_value = (finite_values(column[beats]) for column in numbers)
        texts = (analysis.verdict[beats].astype(np.str_).tolist(), analysis.hint[beats].astype(np.str_).tolist())
        indices = beats.tolist()
        positions, reasons = analysis.positions[beats].tolist(), [analysis.reason(beat) for beat in indices]
        keys = ("beat", "position", "time_s", "interval_s", "verdict", "hint", "score", "p_value", "reason")
        columns = (indices, positions, time_s, interval_s, *texts, score, p_value, reasons)
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]

    def trend(self, step_s: float) -> dict[str, Any]:
        """Return heart rate and numbers of beats in steps of `step_s` seconds, at least 1."""
        step_s = max(step_s, _SHORTEST_STEP_S, self.recording.duration_s / MOST_COLUMNS)
        steps = max(int(np.ceil(self.recording.duration_s / step_s)), 1)
        analysis, intervals_s = self.analysis, self.intervals_s
        step = np.minimum(analysis.beats.times_s // step_s, steps - 1).astype(np.int64)
        interval = np.isfinite(intervals_s)
        intervals = np.bincount(step[interval], minlength=steps)
        total_s = np.bincount(step[interval], intervals_s[interval], minlength=steps)
        with np.errstate(invalid="ignore"):
            rate = 60 * intervals / total_s
        return {
            "time_s": (np.arange(steps) * step_s).tolist(),
            "step_s": step_s,
            "heart_rate_bpm": finite_values(rate),
            "beats": np.bincount(step, minlength=steps).tolist(),
            "abnormal": np.bincount(step[analysis.abnormal], minlength=steps).tolist(),
            "ectopic": np.bincount(step[np.isin(analysis.hint, _ECTOPIC)], minlength=steps).tolist(),
        }

    def _between(self, start_s: float, stop_s: float) -> NDArray[np.intp]:
        first, last = np.searchsorted(self.analysis.beats.times_s, [start_s, stop_s])
        return np.arange(first, last)


def save_result(folder: Path, recording: Recording, analysis: Analysis, measured: MinuteMeasurements) -> None:
    """Write the files that `load_result` reads."""
    # An encoded time keeps no time zone.
    start = None if recording.start is None else recording.start.isoformat()
    header = replace(recording, signal=recording.signal[:0], start=None)
    (folder / _RECORDING).write_bytes(encode((start, header)))
    np.save(folder / _SIGNAL, recording.signal)
    for number, level in enumerate(pyramid(recording.signal)):
        np.save(_level(folder, number), level)
    segments = analysis.beats.samples
    (folder / _ANALYSIS).write_bytes(encode(replace(analysis, beats=replace(analysis.beats, samples=segments[:0]))))
    np.save(folder / _SEGMENTS, segments)
    (folder / _MINUTES).write_bytes(encode(measured))
    result = _load(folder)
    findings = Findings(*[getattr(result, name) for name in Findings._fields])
    (folder / _FINDINGS).write_bytes(encode(findings))


class EarlierResultError(DataError):
    """A result was stored by another version of Ectopy, and its recording is to be analysed again."""

    def __init__(self) -> None:
        super().__init__("it was analysed by an earlier version of Ectopy; analyse it again.")


def load_result(folder: Path) -> Result:
    """Read the files of `save_result`, as they were analysed, without corrections.

    Raises
    ------
    EarlierResultError
        If another version of Ectopy stored them.
    """
    try:
        result = _load(folder)
        findings = decode(Findings, (folder / _FINDINGS).read_bytes())
    except (DataError, FileNotFoundError) as error:
        raise EarlierResultError from error
    result.__dict__.update(findings._asdict())
    return result


def _load(folder: Path) -> Result:
    """Read a result without its findings."""
    start, header = decode(tuple[str | None, Recording], (folder / _RECORDING).read_bytes())
    analysis = decode(Analysis, (folder / _ANALYSIS).read_bytes())
    minutes = decode(MinuteMeasurements, (folder / _MINUTES).read_bytes())
    segments = np.load(folder / _SEGMENTS, mmap_mode="r")
    analysis = replace(analysis, beats=replace(analysis.beats, samples=segments))
    numbers = range(len(list(folder.glob(_level(folder, "*").name))))
    return Result(
        replace(
            header,
            signal=np.load(folder / _SIGNAL, mmap_mode="r"),
            start=None if start is None else datetime.fromisoformat(start),
        ),
        tuple(np.load(_level(folder, number), mmap_mode="r") for number in numbers),
        tuple(pyramid(wave.samples[:, np.newaxis]) for wave in header.pulses),
        analysis,
        (analysis, minutes),
        Corrections(analysis_digest(analysis)),
        analysis,
    )


def finite_values(values: NDArray[np.floating]) -> list[float | None]:
    """Return rounded values for JSON; None for NaN and infinity."""
    return [finite_or_none(value, _DECIMALS) for value in values.tolist()]


def positions_between(analysis: Analysis, start_s: float, end_s: float) -> tuple[int, ...]:
    """Return the positions of the beats from one time to another, both included; times may be rounded as in JSON."""
    times_s, rounding_s = analysis.beats.times_s, 10.0**-_DECIMALS
    inside = (times_s >= start_s - rounding_s) & (times_s <= end_s + rounding_s)
    return tuple(analysis.positions[inside].tolist())


def _by_lead(samples: NDArray[np.floating]) -> list[list[float | None]]:
    return [finite_values(column) for column in samples.T]


def _level(folder: Path, number: int | str) -> Path:
    return folder / f"level{number}.npy"
