"""Inspect a recording before its beats are judged: leads, quality and heart rate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.formats.annotation_codes import NOTE
from ectopy.presentation import finite_or_none, short_repr
from ectopy.recording import Recording
from ectopy.signal.filters import FilterSettings
from ectopy.signal.heart_rate import HeartRate, heart_rate, known_intervals
from ectopy.signal.quality import QUALITY_WORDS, Quality, QualityInterval
from ectopy.signal.recording_signal import read_recording


@dataclass(frozen=True, slots=True)
class Inspection:
    """A recording with its quality and heart rate.

    Attributes
    ----------
    recording : Recording
    quality : Quality
    heartbeats_s : ndarray of float64, shape (n,)
        Seconds from the first sample: the same beats as in an analysis.
    readable : ndarray of bool, shape (n,)
        Whether each of them can be read in at least one lead.
    rate : HeartRate
        Of the intervals between readable beats.
    """

    __repr__ = short_repr

    recording: Recording
    quality: Quality
    heartbeats_s: NDArray[np.float64]
    readable: NDArray[np.bool_]
    rate: HeartRate

    @property
    def unreadable(self) -> list[QualityInterval]:
        """Return the intervals that are not good, by lead and time."""
        return [stretch for stretch in self.quality.intervals() if stretch.word != QUALITY_WORDS[0]]

    def shares(self) -> list[dict[str, float]]:
        """Return the share of each word among the windows of each lead."""
        return [{word: float(np.mean(words == word)) for word in QUALITY_WORDS} for words in self.quality.word]

    def summary(self) -> dict[str, Any]:
        """Return every figure, for JSON."""
        recording = self.recording
        rates_bpm = self.rate.bpm[np.isfinite(self.rate.bpm)]
        pulses = [
            {"name": wave.name, "unit": wave.unit, "sampling_rate_hz": wave.sampling_rate_hz}
            for wave in recording.pulses
        ]
        return {
            "source": recording.source,
            **origin(recording),
            "start": recording.start.isoformat() if recording.start else None,
            "duration_s": recording.duration_s,
            "sampling_rate_hz": recording.sampling_rate_hz,
            "notes": list(recording.notes),
            "leads": [
                {"name": name, "mean_index": float(index.mean()), "quality": shares}
                for name, index, shares in zip(recording.leads, self.quality.index, self.shares(), strict=True)
            ],
            **({"pulses": pulses} if pulses else {}),
            "unreadable": [{**asdict(stretch), "lead": recording.leads[stretch.lead]} for stretch in self.unreadable],
            "beats": len(self.heartbeats_s),
            "beats_unreadable": int(np.sum(~self.readable)),
            "heart_rate_bpm": {
                "median": finite_or_none(self.rate.median_bpm, 6),
                "mean": finite_or_none(self.rate.mean_bpm, 6),
                "min": finite_or_none(rates_bpm.min(initial=np.inf), 6),
                "max": finite_or_none(rates_bpm.max(initial=-np.inf), 6),
            },
        }


def origin(recording: Recording) -> dict[str, Any]:
    """Return the patient, the recorder and the diary, for JSON, as the file states them; empty or None = not stated."""
    patient = recording.patient
    birth = patient.birth_date
    return {
        "patient": {**asdict(patient), "birth_date": birth and birth.isoformat()} if patient else None,
        "device": recording.device,
        "diary": [{"time_s": round(time_s, 3), "text": text} for time_s, text in diary(recording)],
    }


def diary(recording: Recording) -> list[tuple[float, str]]:
    """Return the comments on a recording, as marks of a diary, with their seconds from its start."""
    marks = recording.annotations
    if marks is None or marks.notes is None:
        return []
    return [
        (position / recording.sampling_rate_hz, note)
        for position, symbol, note in zip(marks.positions.tolist(), marks.symbols.tolist(), marks.notes, strict=True)
        if symbol == NOTE and note
    ]


def described(recording: Recording) -> dict[str, str]:
    """Return the patient and the recorder in words, as far as the file states them; empty = not stated."""
    patient = recording.patient
    born = f"born {patient.birth_date.isoformat()}" if patient.birth_date else ""
    age = f"{patient.age_years:.0f} years" if patient.age_years is not None else ""
    person = ", ".join(filter(None, (patient.name, patient.identifier, patient.sex, born, age)))
    return {"Patient": person, "Recorder": recording.device}


def inspect(recording: Recording, settings: FilterSettings | None = None) -> Inspection:
    """Filter a recording, assess its leads, and detect its heartbeats, as `ectopy.analysis.analyse` does.

    Parameters
    ----------
    recording : Recording
    settings : FilterSettings, optional

    Raises
    ------
    SettingError
        If its sampling rate lies outside 100 to 1000 Hz.
    DataError
        If the signal is an ECG whose unit is not the one stated.
    """
    read = read_recording(recording, settings)
    beats = read.beats
    readable = np.asarray(beats.readable.any(axis=1), np.bool_)
    intervals_s = known_intervals(beats.rr_s, readable, read.quality.uninformative_before(beats.times_s), read.missed)
    rate = heart_rate(beats.times_s, intervals_s, recording.duration_s)
    return Inspection(recording, read.quality, beats.times_s, readable, rate)
