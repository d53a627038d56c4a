"""The tables of the first two pages of a report: every figure of a recording with its name, value and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ectopy.analysis.holter_figures import EctopicBeats, HolterFigures, HourFigures, Run
from ectopy.analysis.rhythm_episodes import Rhythm
from ectopy.analysis.rhythm_events import EVENT_TITLES
from ectopy.analysis.rhythm_rules import RhythmKind, RhythmLimits
from ectopy.analysis.wave_rules import WaveKind
from ectopy.report import text_format as fmt
from ectopy.report.language import Language

_IN_OTHER_TABLES = (
    RhythmKind.VENTRICULAR_RUN,
    RhythmKind.COUPLET,
    RhythmKind.SUPRAVENTRICULAR_RUN,
    RhythmKind.PAUSE,
    RhythmKind.ATRIAL_FIBRILLATION,
    RhythmKind.HIGH_RATE,
    RhythmKind.LOW_RATE,
    RhythmKind.BIGEMINY,
    RhythmKind.TRIGEMINY,
    *WaveKind,
)
_QTC = "qtc_framingham_ms"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure: its name, its value, and when or of what it is."""

    name: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures that belong together."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a title for each column; the first cell of a row names it, the last row may be the total."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HolterTables:
    """Write the figures of a recording in a language.

    Attributes
    ----------
    figures : HolterFigures
    start : datetime or None
        Of the recording.
    limits : RhythmLimits
        Those of its events.
    language : Language
    """

    figures: HolterFigures
    start: datetime | None
    limits: RhythmLimits
    language: Language

    def columns(self) -> tuple[tuple[Table, ...], tuple[Table, ...]]:
        """Return the tables of the first page, those of its left and of its right column."""
        left = [self._rate(), self._rhythm(), self._fibrillation(), self._wave_findings()]
        right = [self._ventricular(), self._supraventricular(), self._pauses(), self._other_events()]
        return tuple(filter(_has_rows, left)), tuple(filter(_has_rows, right))

    def hours(self) -> Grid:
        """Return the table with a row for each hour and one for the whole recording."""
        text, figures = self.language.text, self.figures
        columns = [
            text("Begins"),
            text("Beats"),
            text("Min"),
            text("Mean"),
            text("Max"),
            text("VE"),
            text("VE pairs"),
            text("VE runs"),
            text("SVE"),
            text("SVE runs"),
            text("Pauses"),
            text("AF %"),
            text("Readable %"),
        ]
        if figures.waves is not None:
            columns += [text("QTc"), *(text("ST {lead}", lead=fmt.lead(lead)) for lead in self._st_leads())]
        total_events = {kind: events.number for kind, events in figures.events.items()}
        total = self._hour(text("Total"), figures, total_events, figures.times.readable_percent)
        rows = [self._hour(self._hour_name(hour), hour, hour.events, hour.readable_percent) for hour in figures.hours]
        return Grid(text("Hour by hour"), tuple(columns), tuple(rows), total)

    def variability(self) -> Grid:
        """Return the table of heart rate variability: whole recording, day and night."""
        text, figures = self.language.text, self.figures.variability
        periods = {text("whole"): figures.whole}
        if figures.day is not None and figures.night is not None:
            periods |= {text("day"): figures.day, text("night"): figures.night}
        rows = [
            (text("NN intervals used"), *(self._unit(100 * period.share_used, 0, "%") for period in periods.values()))
        ]
        if figures.whole.share_used:
            rows += [
                (name, *(self._number(getattr(period, field), places) for period in periods.values()))
                for field, (name, places) in self._variability_names().items()
            ]
        return Grid(text("Heart rate variability"), ("", *periods), tuple(rows))

    def waves(self) -> tuple[Grid, ...]:
        """Return the intervals and the ST level of each lead, medians; nothing where the waves were not measured."""
        text, waves = self.language.text, self.figures.waves
        if waves is None:
            return ()
        names = {"pr_ms": "PR", "qrs_ms": "QRS", "qt_ms": "QT"}
        names |= {f"qtc_{name.lower()}_ms": f"QTc {name}" for name in ("Bazett", "Fridericia", "Framingham")}
        intervals = (text("Median (ms)"), *(self._number(waves.intervals_ms.get(name), 0) for name in names))
        levels = (text("80 ms after J (mV)"), *(self._number(level, 2) for level in waves.st_mv.values()))
        return (
            Grid(text("Intervals"), ("", *names.values()), (intervals,)),
            Grid(text("ST level"), ("", *map(fmt.lead, waves.st_mv)), (levels,)),
        )

    def criteria(self) -> str:
        """Say from where on beats are a run, a pause or a rate."""
        limits = self.limits
        return self.language.text(
            "Ventricular run: {run_beats} or more ventricular-like beats in a row. Supraventricular run: {svt_beats} "
            "or more supraventricular-like beats in a row. Pause: RR interval of at least {pause_s} s. High rate above "
            "{high_bpm}, low rate below {low_bpm} per minute over eight intervals. Minimum and maximum: over "
            "{window_s} s.",
            run_beats=limits.run_beats,
            svt_beats=limits.svt_beats,
            pause_s=self._number(limits.pause_s, 1),
            high_bpm=fmt.shortest(limits.high_bpm, self.language),
            low_bpm=fmt.shortest(limits.low_bpm, self.language),
            window_s=f"{self.figures.rate.window_s:g}",
        )

    # The first page

    def _rate(self) -> Table:
        text, rate, beats = self.language.text, self.figures.rate, self.figures.beats
        return Table(
            text("Heart rate"),
            (
                Row(text("Minimum"), self._bpm(rate.minimum_bpm), self._at(rate.minimum_at_s)),
                Row(text("Mean"), self._bpm(rate.mean_bpm)),
                Row(text("Maximum"), self._bpm(rate.maximum_bpm), self._at(rate.maximum_at_s)),
                Row(text("Beats"), self._count(beats.total)),
                Row(text("Unreadable beats"), self._count(beats.unreadable), self._of_beats(beats.unreadable)),
                Row(text("High rate"), self._count(self._number_of(RhythmKind.HIGH_RATE)), text("episodes")),
                Row(text("Low rate"), self._count(self._number_of(RhythmKind.LOW_RATE)), text("episodes")),
            ),
        )

    def _rhythm(self) -> Table:
        text = self.language.text
        shares = sorted(self.figures.rhythms.items(), key=lambda item: -item[1])
        rows = [Row(_capital(text(name)), self._unit(share, 1, "%"), text("of the time")) for name, share in shares]
        return Table(text("Rhythm"), tuple(rows))

    def _pauses(self) -> Table:
        text, pauses = self.language.text, self.figures.pauses
        limit = text("from {limit} s", limit=self._number(pauses.limit_s, 1))
        return Table(
            text("Pauses"),
            (
                Row(text("Pauses"), self._count(pauses.number), limit),
                Row(text("Longest RR"), self._unit(pauses.longest_rr_s, 2, "s"), self._at(pauses.longest_rr_start_s)),
            ),
        )

    def _fibrillation(self) -> Table:
        text, fibrillation = self.language.text, self.figures.atrial_fibrillation
        rows = [
            Row(text("Burden"), self._unit(fibrillation.burden_percent, 1, "%"), text("of the time")),
            Row(text("Episodes"), self._count(fibrillation.episodes)),
        ]
        if fibrillation.episodes:
            span = f"{fmt.whole(fibrillation.minimum_bpm)}–{fmt.whole(fibrillation.maximum_bpm)}"
            rates = text("episodes {span}", span=span) if fibrillation.episodes > 1 else ""
            rows += [
                Row(text("Longest"), self._duration(fibrillation.longest_s), self._at(fibrillation.longest_start_s)),
                Row(text("Mean rate"), self._bpm(fibrillation.mean_bpm), rates),
            ]
        return Table(text("Atrial fibrillation or flutter"), tuple(rows))

    def _ventricular(self) -> Table:
        text, ventricular = self.language.text, self.figures.ventricular
        rows = [
            *self._ectopic(ventricular),
            Row(text("Couplets"), self._count(ventricular.pairs)),
            *self._runs(ventricular),
            *self._event_row(RhythmKind.BIGEMINY, text("Bigeminy")),
            *self._event_row(RhythmKind.TRIGEMINY, text("Trigeminy")),
        ]
        return Table(text("Ventricular beats (VE)"), tuple(rows))

    def _supraventricular(self) -> Table:
        text, supraventricular = self.language.text, self.figures.supraventricular
        rows = [
            *self._ectopic(supraventricular),
            Row(text("Pairs"), self._count(supraventricular.pairs)),
            *self._runs(supraventricular),
        ]
        return Table(text("Supraventricular beats (SVE)"), tuple(rows))

    def _wave_findings(self) -> Table:
        text, waves = self.language.text, self.figures.waves
        if waves is None:
            return Table(text("ST and QT"), ())
        qtc = self._unit(waves.intervals_ms.get(_QTC), 0, "ms")
        return Table(
            text("ST and QT"),
            (
                *self._event_row(WaveKind.ST_ELEVATION, text("ST elevation")),
                *self._event_row(WaveKind.ST_DEPRESSION, text("ST depression")),
                Row(text("QTc, median"), qtc, "Framingham"),
                *self._event_row(WaveKind.LONG_QTC),
            ),
        )

    def _other_events(self) -> Table:
        kinds = [kind for kind in EVENT_TITLES if kind not in _IN_OTHER_TABLES and self._number_of(kind)]
        rows = [row for kind in kinds for row in self._event_row(kind)]
        return Table(self.language.text("Other rhythms"), tuple(rows))

    def _ectopic(self, beats: EctopicBeats) -> Iterable[Row]:
        text = self.language.text
        yield Row(text("Total"), self._count(beats.total), self._of_beats(beats.total))
        yield Row(text("Per hour"), self._number(beats.per_hour, 1))
        yield Row(text("Single"), self._count(beats.single))

    def _runs(self, beats: EctopicBeats) -> Iterable[Row]:
        text, runs = self.language.text, beats.runs
        in_all = self.language.counted("{number} beat", "{number} beats", runs.beats) if runs.number else ""
        yield Row(text("Runs"), self._count(runs.number), in_all)
        for name, run in ((text("Longest run"), runs.longest), (text("Fastest run"), runs.fastest)):
            if run is not None:
                yield Row(name, self._run(run), self._at(run.start_s))

    def _run(self, run: Run) -> str:
        beats = self.language.counted("{number} beat", "{number} beats", run.beats)
        return beats if run.rate_bpm is None else f"{beats}, {self._bpm(run.rate_bpm)}"

    def _event_row(self, kind: str, name: str = "") -> Iterable[Row]:
        events = self.figures.events[kind]
        in_all = self._duration(events.total_s) if events.number else ""
        yield Row(name or self.language.text(EVENT_TITLES[kind]), self._count(events.number), in_all)

    def _number_of(self, kind: str) -> int:
        return self.figures.events[kind].number

    # The second page

    def _hour_name(self, hour: HourFigures) -> str:
        return fmt.time_of_day(self.start, hour.start_s, self.language)[-8:-3] or fmt.elapsed(hour.start_s)

    def _hour(
        self, name: str, hour: HourFigures | HolterFigures, events: Mapping[str, int], readable_percent: float | None
    ) -> tuple[str, ...]:
        cells = [
            name,
            self._count(hour.beats.total),
            *(fmt.whole(bpm) for bpm in (hour.rate.minimum_bpm, hour.rate.mean_bpm, hour.rate.maximum_bpm)),
            self._count(hour.beats.ventricular),
            *(self._count(events.get(kind, 0)) for kind in (RhythmKind.COUPLET, RhythmKind.VENTRICULAR_RUN)),
            self._count(hour.beats.supraventricular),
            *(self._count(events.get(kind, 0)) for kind in (RhythmKind.SUPRAVENTRICULAR_RUN, RhythmKind.PAUSE)),
            self._number(hour.rhythms.get(Rhythm.FIBRILLATION, 0.0) if hour.rhythms else None, 0),
            self._number(readable_percent, 0),
        ]
        if self.figures.waves is not None:
            intervals_ms, st_mv = ({}, {}) if hour.waves is None else (hour.waves.intervals_ms, hour.waves.st_mv)
            cells.append(self._number(intervals_ms.get(_QTC), 0))
            cells += [self._number(st_mv.get(lead), 2) for lead in self._st_leads()]
        return tuple(cells)

    def _st_leads(self) -> list[str]:
        return [] if self.figures.waves is None else list(self.figures.waves.st_mv)[:3]

    def _variability_names(self) -> dict[str, tuple[str, int]]:
        triangular = self.language.text("Triangular index")
        return {
            "mean_nn_ms": (self.language.text("Mean NN (ms)"), 0),
            "sdnn_ms": ("SDNN (ms)", 0),
            "sdann_ms": ("SDANN (ms)", 0),
            "rmssd_ms": ("RMSSD (ms)", 0),
            "pnn50_percent": ("pNN50 (%)", 1),
            "triangular_index": (triangular, 1),
            "lf_ms2": ("LF (ms²)", 0),
            "hf_ms2": ("HF (ms²)", 0),
            "lf_hf": ("LF/HF", 2),
            "sd1_ms": ("SD1 (ms)", 0),
            "sd2_ms": ("SD2 (ms)", 0),
        }

    # Values

    def _count(self, number: int) -> str:
        return fmt.count(number, self.language)

    def _number(self, value: float | None, places: int) -> str:
        return fmt.number(value, places, self.language)

    def _unit(self, value: float | None, places: int, unit: str) -> str:
        number = self._number(value, places)
        return number if number == fmt.NO_NUMBER else f"{number} {unit}"

    def _bpm(self, value: float | None) -> str:
        return self._unit(value, 0, self.language.text("/min"))

    def _duration(self, value: float | None) -> str:
        return fmt.NO_NUMBER if value is None else fmt.seconds(value, self.language)

    def _at(self, moment_s: float | None) -> str:
        if moment_s is None:
            return ""
        return fmt.moment(self.start, moment_s, self.language)

    def _of_beats(self, number: int) -> str:
        return fmt.percent(number, self.figures.beats.total, self.language)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _has_rows(table: Table) -> bool:
    return bool(table.rows)
