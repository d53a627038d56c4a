"""Everything that the monitor of one patient remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.monitor.alarms import PatientAlarms
from ectopy.monitor.chunk_assembly import Segment
from ectopy.monitor.clock_pace import Pace
from ectopy.monitor.detection_state import DetectionState, LeadMemory
from ectopy.monitor.fibrillation_rule import WaveformState
from ectopy.monitor.limits import Limits
from ectopy.monitor.pulse_memory import PulseMemory
from ectopy.monitor.pulse_stream import PulseStream
from ectopy.monitor.rhythm_state import RhythmState
from ectopy.monitor.technical import TechnicalState
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import BeatSegments, no_beats
from ectopy.signal.state_replace import replace


@dataclass(frozen=True, slots=True)
class Signal:
    """The signal of one segment.

    Attributes
    ----------
    origin : int
        Position at which detection began.
    recent : BeatSegments
        The last judged beats, from which alarms take their evidence.
    words : tuple of str
        Quality of each lead in the newest judged second; empty until there is one.
    ended : bool
        Whether the stream has ended, and everything of it is judged.
    """

    __repr__ = short_repr

    segment: Segment
    origin: int
    detection: DetectionState
    recent: BeatSegments
    words: tuple[str, ...] = ()
    ended: bool = False

    @property
    def origin_s(self) -> float:
        """The stream second at which detection began."""
        return self.segment.second(self.origin)

    def without_samples(self) -> Signal:
        """Return what remains without more samples: where the signal ended, and what beats were compared with."""
        leads = len(self.segment.leads)
        no_samples = np.empty((0, leads), np.float32)
        fresh = DetectionState.fresh(self.segment.rate_hz, leads)
        return Signal(
            replace(self.segment, samples=no_samples, buffered=()),
            self.origin,
            replace(fresh, baseline=self.detection.baseline, learning=None),
            no_beats(leads),
        )


@dataclass(frozen=True, slots=True)
class MonitorState:
    """Everything the monitor of one patient remembers; of bounded size.

    Attributes
    ----------
    normal : PatientTemplate or None
        The patient's own normal, as learned or given; None while it is being learned.
    signal : Signal or None
        None before the first samples.
    events : int
        How many events there have been.
    epoch : float or None
        Time of stream second 0 by the monitor's clock; None before the first input.
    clock_s : float
        The latest stream second that anything happened at.
    received : float
        When the newest samples came, or watching began.
    sent_offset_s : float or None
        The sender's clock at stream second 0; None where it has none.
    silent : bool
        Whether no samples come, which has been told.
    discharged : bool
        Whether the patient is not watched any more: samples are refused, and nothing raises an alarm.
    leads : dict of str to LeadMemory
        What is known of the leads of former segments, by name, for when they come again; at most 32.
    pace : Pace
        How late samples come, and how the device's clock drifts.
    origins : dict of int to (float, float)
        By number of each alarm that is not over, the `epoch` when it was raised, and when its condition was there last.
    has_second_clock : bool
        Whether ticks say by how much the clock was set.
    leap_s : float
        By how much it was set forwards since the newest samples: so much time may have passed instead, for a machine
        that was stopped as a whole.
    pulses : PulseStream
        Samples of the pulse waves that have not been analysed.
    pulse : PulseMemory
        What is known of the pulse waves.
    """

    __repr__ = short_repr

    limits: Limits = field(default_factory=lambda: Limits.of("ward"))
    normal: PatientTemplate | None = None
    signal: Signal | None = None
    rhythm: RhythmState = field(default_factory=RhythmState)
    waveform: WaveformState = field(default_factory=WaveformState)
    technical: TechnicalState = field(default_factory=TechnicalState)
    alarms: PatientAlarms = field(default_factory=PatientAlarms.fresh)
    events: int = 0
    epoch: float | None = None
    clock_s: float = 0.0
    received: float = 0.0
    sent_offset_s: float | None = None
    silent: bool = False
    discharged: bool = False
    leads: dict[str, LeadMemory] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    origins: dict[int, tuple[float, float]] = field(default_factory=dict)
    has_second_clock: bool = False
    leap_s: float = 0.0
    pulses: PulseStream = field(default_factory=PulseStream)
    pulse: PulseMemory = field(default_factory=PulseMemory)
