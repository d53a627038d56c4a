"""All that is found in a recording, in one walk: verdicts, waves minute by minute, events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ectopy.analysis.analysis import Analysis, analyse
from ectopy.analysis.corrected_analysis import apply_corrections
from ectopy.analysis.corrections import Corrections
from ectopy.analysis.holter_figures import HolterFigures, holter_figures
from ectopy.analysis.label_import import read_corrections
from ectopy.analysis.minute_waves import MinuteMeasurements, measure_minutes
from ectopy.analysis.patient_template import LEARNING_S, PatientTemplate
from ectopy.analysis.recording_results import provenance, summary
from ectopy.analysis.rhythm_events import Event
from ectopy.analysis.wave_findings import find_all_events
from ectopy.detector import Detector
from ectopy.presentation import short_repr
from ectopy.recording import Recording
from ectopy.signal import FilterSettings


@dataclass(frozen=True, slots=True)
class Findings:
    """An analysed recording with all that reports and results are made from.

    Attributes
    ----------
    recording : Recording
    analysis : Analysis
        With corrected beats where there are corrections.
    minutes : MinuteMeasurements
    events : list of Event
        In order of their start.
    holter : HolterFigures
    corrections : Corrections or None
    """

    __repr__ = short_repr

    recording: Recording
    analysis: Analysis
    minutes: MinuteMeasurements
    events: list[Event]
    holter: HolterFigures
    corrections: Corrections | None = None

    def figures(self, detector_digest: str | None) -> dict[str, Any]:
        """Return where the results come from, and the figures of the recording, for JSON and tables."""
        return provenance(self.recording, detector_digest) | summary(
            self.recording, self.analysis, self.events, minutes=self.minutes, holter=self.holter
        )


def find_all(
    recording: Recording,
    detector: Detector,
    *,
    normal: PatientTemplate | None = None,
    filters: FilterSettings | None = None,
    learning_s: float = LEARNING_S,
    corrections: Path | None = None,
) -> Findings:
    """Judge the beats of a recording, measure its waves, and find its events.

    Parameters
    ----------
    recording : Recording
    detector : Detector
        For recordings, as `ectopy.analysis.shipped_detector.load_ambulatory` gives it.
    normal, filters, learning_s
        As of `ectopy.analysis.analyse`.
    corrections : Path, optional
        A file of corrections or labels to apply, see `ectopy.analysis.label_import.read_corrections`.

    Raises
    ------
    DataError, SettingError
        If the recording cannot be analysed, or the corrections cannot be applied.
    """
    analysis = analyse(recording, detector, normal, filters, learning_s)
    applied = None
    if corrections is not None:
        applied = read_corrections(corrections, analysis, recording.sampling_rate_hz)
        analysis = apply_corrections(analysis, applied, recording.sampling_rate_hz)
    minutes = measure_minutes(recording, analysis, filters)
    events = find_all_events(analysis, minutes, recording.patient.sex)
    holter = holter_figures(recording, analysis, events, minutes)
    return Findings(recording, analysis, minutes, events, holter, applied)
