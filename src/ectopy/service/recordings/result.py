"""The result of an analysis: files in a folder, which appear together or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.recording_results import summary
from ectopy.analysis.rhythm_events import Event
from ectopy.analysis.verdicts import Hint
from ectopy.detector import Verdict
from ectopy.errors import SettingError
from ectopy.monitor.codec import decode, encode
from ectopy.presentation import finite_or_none
from ectopy.recording import PulseWave, Recording
from ectopy.service.recordings.downsampling import display_columns, pyramid

MOST_COLUMNS = 4000
MOST_BEATS = 500
_SHORTEST_STEP_S = 1.0
_DECIMALS = 4

_SUMMARY, _BEATS, _SIGNAL = "summary.json", "beats.msgpack", "signal.npy"
_PULSES = "pulses.msgpack"
_ECTOPIC = (Hint.VENTRICULAR.value, Hint.SUPRAVENTRICULAR.value)


@dataclass(frozen=True, slots=True)
class BeatTable:
    """The beats of a recording; arrays with one entry per beat, as in `ectopy.analysis.Analysis`."""

    times_s: NDArray[np.float64]
    intervals_s: NDArray[np.float64]
    positions: NDArray[np.int64]
    verdict: NDArray[np.str_]
    hint: NDArray[np.str_]
    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, analysis: Analysis) -> BeatTable:
        """Return the beats of an analysis."""
        return cls(
            analysis.beats.times_s,
            analysis.intervals_s,
            analysis.positions,
            analysis.verdict.astype(np.str_),
            analysis.hint.astype(np.str_),
            analysis.score,
            analysis.p_value,
            tuple(analysis.reason(beat) for beat in range(len(analysis))),
        )

    def rows(self, beats: NDArray[np.intp]) -> list[dict[str, Any]]:
        """Return the beats of these indices for JSON; None for unknown numbers."""
        numbers = (self.times_s, self.intervals_s, self.score, self.p_value)
        time_s, interval_s, score, p_value = (finite_values(column[beats]) for column in numbers)
        texts = (self.verdict[beats].tolist(), self.hint[beats].tolist())
        positions, reasons = self.positions[beats].tolist(), [self.reasons[beat] for beat in beats]
        keys = ("beat", "position", "time_s", "interval_s", "verdict", "hint", "score", "p_value", "reason")
        columns = (beats.tolist(), positions, time_s, interval_s, *texts, score, p_value, reasons)
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Result:
    """An analysed recording; `levels` and `pulse_levels` are the pyramids of its signal and of each pulse wave.

    The signal is a memory map: only the parts in use are read from the disk.
    """

    recording: Recording
    levels: tuple[NDArray[np.float32], ...]
    pulse_levels: tuple[list[NDArray[np.float32]], ...]
    beats: BeatTable
    summary: dict[str, Any]

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
            order = np.argsort(-np.nan_to_num(self.beats.score[beats], nan=-np.inf), kind="stable")
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
            "beats": self.beats.rows(beats),
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
            beats = beats[self.beats.verdict[beats] == verdict.value]
        return self.beats.rows(beats[:limit])

    def trend(self, step_s: float) -> dict[str, Any]:
        """Return heart rate and numbers of beats in steps of `step_s` seconds, at least 1."""
        step_s = max(step_s, _SHORTEST_STEP_S, self.recording.duration_s / MOST_COLUMNS)
        steps = max(int(np.ceil(self.recording.duration_s / step_s)), 1)
        beats = self.beats
        step = np.minimum(beats.times_s // step_s, steps - 1).astype(np.int64)
        interval = np.isfinite(beats.intervals_s)
        intervals = np.bincount(step[interval], minlength=steps)
        total_s = np.bincount(step[interval], beats.intervals_s[interval], minlength=steps)
        with np.errstate(invalid="ignore"):
            rate = 60 * intervals / total_s
        return {
            "time_s": (np.arange(steps) * step_s).tolist(),
            "step_s": step_s,
            "heart_rate_bpm": finite_values(rate),
            "beats": np.bincount(step, minlength=steps).tolist(),
            "abnormal": np.bincount(step[beats.verdict == Verdict.ABNORMAL.value], minlength=steps).tolist(),
            "ectopic": np.bincount(step[np.isin(beats.hint, _ECTOPIC)], minlength=steps).tolist(),
        }

    def _between(self, start_s: float, stop_s: float) -> NDArray[np.intp]:
        first, last = np.searchsorted(self.beats.times_s, [start_s, stop_s])
        return np.arange(first, last)


def save_result(folder: Path, recording: Recording, analysis: Analysis, events: Sequence[Event]) -> None:
    """Write the files that `load_result` reads."""
    facts = {
        **summary(recording, analysis, events),
        "sampling_rate_hz": recording.sampling_rate_hz,
        "start": None if recording.start is None else recording.start.isoformat(),
        "event_list": [
            {"kind": event.kind, "start_s": event.start_s, "end_s": event.end_s, "text": event.text} for event in events
        ],
    }
    (folder / _SUMMARY).write_text(json.dumps(facts))
    (folder / _BEATS).write_bytes(encode(BeatTable.of(analysis)))
    np.save(folder / _SIGNAL, recording.signal)
    if recording.pulses:
        (folder / _PULSES).write_bytes(encode(recording.pulses))
    for number, level in enumerate(pyramid(recording.signal)):
        np.save(_level(folder, number), level)


@lru_cache(maxsize=4)
def load_result(folder: Path) -> Result:
    """Read the files of `save_result`, with a cache of the last four folders."""
    facts = json.loads((folder / _SUMMARY).read_text())
    signal = np.load(folder / _SIGNAL, mmap_mode="r")
    numbers = range(len(list(folder.glob(_level(folder, "*").name))))
    pulses = _pulses(folder)
    return Result(
        Recording(signal, facts["sampling_rate_hz"], tuple(facts["leads"]), source=facts["source"], pulses=pulses),
        tuple(np.load(_level(folder, number), mmap_mode="r") for number in numbers),
        tuple(pyramid(wave.samples[:, np.newaxis]) for wave in pulses),
        decode(BeatTable, (folder / _BEATS).read_bytes()),
        facts,
    )


def _pulses(folder: Path) -> tuple[PulseWave, ...]:
    path = folder / _PULSES
    return decode(tuple[PulseWave, ...], path.read_bytes()) if path.exists() else ()


def finite_values(values: NDArray[np.floating]) -> list[float | None]:
    """Return rounded values for JSON; None for NaN and infinity."""
    return [finite_or_none(value, _DECIMALS) for value in values.tolist()]


def _by_lead(samples: NDArray[np.float32]) -> list[list[float | None]]:
    return [finite_values(column) for column in samples.T]


def _level(folder: Path, number: int | str) -> Path:
    return folder / f"level{number}.npy"
