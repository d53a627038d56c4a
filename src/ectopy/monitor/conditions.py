"""The conditions an alarm can be raised for, each with its definition and where that comes from.

Words and codes are those of the IHE profile Alert Communication Management (PCD-04); no conformity to it or to any
alarm standard is claimed. Conditions are judged by `rhythm` and, where they are technical, by `technical`. What those
of rhythm are and how they are called stands in `ectopy.analysis.rhythm_rules`, which recordings are read by as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal

from ectopy.analysis.atrial_fibrillation import LEAST_EPISODE_S
from ectopy.analysis.rhythm_rules import IRREGULAR_S, RATE_APART_S, TITLES, WARD, RhythmKind, definitions


class Priority(IntEnum):
    """Urgency of an alarm."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """The priority as JSON, tables and messages write it."""
        return self.name.lower()


class AlarmType(StrEnum):
    """Subject of an alarm: the patient, the equipment, or advice."""

    PHYSIOLOGICAL = "SP"
    TECHNICAL = "ST"
    ADVISORY = "SA"


class Basis(StrEnum):
    """Data that a condition is judged from."""

    BEATS = "beats"
    """The times of beats; see `ectopy.monitor.rhythm`."""
    SHAPES = "shapes"
    """The names of beats, from their shape and timing; see `ectopy.monitor.rhythm`."""
    OTHER = "other"
    """The waveform, the pulse, the equipment, the service."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that may be wrong.

    Attributes
    ----------
    title : str
        What a person is told.
    definition : str
        When it is there.
    source : str
        Where the definition comes from.
    advice : str
        What to do about it, in one sentence; the deploying organisation's own rules come first.
    unit : str
        Of the value and limit in its readings; empty where there is none.
    heart_rate : {"", "high", "low"}
        Whether the heart beats too fast, or too slowly or not at all; empty where it is about something else.
    onset_s, clear_s : float
        How long it must be there before an alarm starts, beyond what the definition says; and away before it ends.
    returns_within_s : float
        For how long it may be away while its alarm sounds, without that alarm ending: one that comes and goes is one
        alarm. 0 = no longer than `clear_s`.
    refractory_s : float
        How long after its end no new alarm of this condition starts; 0 for high priority.
    covers : tuple of str
        Conditions for which no alarm of their own is raised while this one is active.
    """

    code: str
    title: str
    kind: AlarmType
    priority: Priority
    definition: str
    source: str
    advice: str
    unit: str = ""
    basis: Basis = Basis.OTHER
    heart_rate: Literal["", "high", "low"] = ""
    onset_s: float = 0.0
    clear_s: float = 5.0
    refractory_s: float = 0.0
    covers: tuple[str, ...] = ()
    returns_within_s: float = 0.0


_CINC = "PhysioNet/CinC Challenge 2015, doi:10.1109/CIC.2015.7408639"
_AHA = "AHA practice standards for ECG monitoring in hospital settings, doi:10.1161/CIR.0000000000000527"
_OURS = "Ectopy"
_CERTIFIED = "check the certified monitor"
_SP, _ST, _SA = AlarmType.PHYSIOLOGICAL, AlarmType.TECHNICAL, AlarmType.ADVISORY
_HIGH, _MEDIUM, _LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
_RHYTHM = definitions(WARD)
_ONCE_AN_HOUR_S = 3600.0
"""Conditions that may last for hours without urgent treatment are announced once an hour."""
_COMES_AND_GOES_S = 60.0
"""A rhythm that comes back within this time is the same alarm while that is not acknowledged."""

_FAST_OR_ECTOPIC = (
    "extreme tachycardia",
    "ventricular run",
    "couplet",
    "bigeminy",
    "trigeminy",
    "high rate",
    "not this patient's normal",
    "ectopy with effort",
)
"""Conditions that a ventricular tachycardia explains."""

_ALL = (
    Condition(
        "ventricular fibrillation",
        "Ventricular fibrillation or flutter",
        _SP,
        _HIGH,
        "in four seconds in a row a lead shows fibrillation, flutter or a tachycardia without distinct QRS complexes, "
        "each judged with the three seconds before it, and no lead that can be read shows complexes that stand out",
        "Ectopy, after Amann et al. 2005, doi:10.1186/1475-925X-4-60",
        f"Go to the patient now and {_CERTIFIED}; if there is no pulse, call for help, begin CPR and defibrillate.",
        unit="s",
        covers=("ventricular tachycardia", *_FAST_OR_ECTOPIC),
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        "asystole",
        "Asystole",
        _SP,
        _HIGH,
        "no QRS complex for 4 s; for 6 s if all leads are noisy from the start or no lead moves for a second, "
        "meanwhile, and while it lasts for 6 s if a lead is flat or off",
        _CINC,
        f"Go to the patient now and {_CERTIFIED}; if there is no pulse, call for help and begin CPR.",
        unit="s",
        basis=Basis.BEATS,
        heart_rate="low",
        covers=("pause", "low rate", "extreme bradycardia"),
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        "extreme bradycardia",
        "Extreme bradycardia",
        _SP,
        _HIGH,
        "mean rate of 5 beats in a row, as shown, 40 per minute or less, all of their intervals but one below 45",
        _CINC,
        f"Go to the patient now, look for consciousness and pulse, and {_CERTIFIED}.",
        unit="/min",
        basis=Basis.BEATS,
        heart_rate="low",
        covers=("low rate", "pause"),
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        "ventricular tachycardia",
        "Ventricular tachycardia",
        _SP,
        _HIGH,
        "5 or more ventricular-like beats in a row above 100 per minute, two successive intervals of which are about "
        "equal; 9 if they keep the rate of the beats before",
        _CINC,
        f"Go to the patient now, look for consciousness and pulse, and {_CERTIFIED}.",
        unit="/min",
        basis=Basis.SHAPES,
        covers=_FAST_OR_ECTOPIC,
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        "extreme tachycardia",
        "Extreme tachycardia",
        _SP,
        _HIGH,
        "mean rate of 17 beats in a row, as shown, 140 or more, or of 12 above 150; in exercise from a limit by age",
        _CINC,
        f"Go to the patient now, look for consciousness and pulse, and {_CERTIFIED}.",
        unit="/min",
        basis=Basis.BEATS,
        heart_rate="high",
        covers=("high rate",),
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        RhythmKind.HIGH_RATE.value,
        TITLES[RhythmKind.HIGH_RATE],
        _SP,
        _MEDIUM,
        f"{_RHYTHM[RhythmKind.HIGH_RATE]} (default limits)",
        _OURS,
        f"See the patient soon, and {_CERTIFIED}; look for pain, fever, effort or loss of blood.",
        unit="/min",
        basis=Basis.BEATS,
        heart_rate="high",
        onset_s=3.0,
        refractory_s=RATE_APART_S,
    ),
    Condition(
        RhythmKind.LOW_RATE.value,
        TITLES[RhythmKind.LOW_RATE],
        _SP,
        _MEDIUM,
        f"{_RHYTHM[RhythmKind.LOW_RATE]} (default limits)",
        _OURS,
        f"See the patient soon, and {_CERTIFIED}; look for dizziness and recent medication.",
        unit="/min",
        basis=Basis.BEATS,
        heart_rate="low",
        onset_s=3.0,
        refractory_s=RATE_APART_S,
    ),
    Condition(
        RhythmKind.VENTRICULAR_RUN.value,
        TITLES[RhythmKind.VENTRICULAR_RUN],
        _SP,
        _MEDIUM,
        f"{_RHYTHM[RhythmKind.VENTRICULAR_RUN]}, two successive intervals of which are about equal",
        _AHA,
        f"See the patient soon, {_CERTIFIED}, and look at the strip.",
        unit="beats",
        basis=Basis.SHAPES,
        # Runs that follow each other belong to one alarm.
        clear_s=30.0,
        covers=("couplet", "not this patient's normal"),
    ),
    Condition(
        RhythmKind.SUPRAVENTRICULAR_RUN.value,
        TITLES[RhythmKind.SUPRAVENTRICULAR_RUN],
        _SP,
        _MEDIUM,
        _RHYTHM[RhythmKind.SUPRAVENTRICULAR_RUN],
        f"after the {_AHA}",
        f"See the patient soon, {_CERTIFIED}; a 12-lead ECG can tell what it is.",
        unit="/min",
        basis=Basis.SHAPES,
        refractory_s=600.0,
        covers=("not this patient's normal",),
    ),
    Condition(
        RhythmKind.PAUSE.value,
        TITLES[RhythmKind.PAUSE],
        _SP,
        _MEDIUM,
        f"{_RHYTHM[RhythmKind.PAUSE]} (default limit); 5 s if no lead moves for a second",
        _AHA,
        f"See the patient soon, {_CERTIFIED}, and look at the strip.",
        unit="s",
        basis=Basis.BEATS,
        heart_rate="low",
        refractory_s=60.0,
    ),
    Condition(
        RhythmKind.COUPLET.value,
        TITLES[RhythmKind.COUPLET],
        _SP,
        _LOW,
        f"{_RHYTHM[RhythmKind.COUPLET]}, more often in the last five minutes than the limit",
        _OURS,
        "Look at the strip when there is time, and compare it with earlier ones.",
        unit="couplets",
        basis=Basis.SHAPES,
        refractory_s=_ONCE_AN_HOUR_S,
        covers=("not this patient's normal",),
    ),
    Condition(
        RhythmKind.BIGEMINY.value,
        TITLES[RhythmKind.BIGEMINY],
        _SP,
        _LOW,
        _RHYTHM[RhythmKind.BIGEMINY],
        _AHA,
        "Look at the strip when there is time, and compare it with earlier ones.",
        unit="beats",
        basis=Basis.SHAPES,
        refractory_s=_ONCE_AN_HOUR_S,
        covers=("not this patient's normal",),
    ),
    Condition(
        RhythmKind.TRIGEMINY.value,
        TITLES[RhythmKind.TRIGEMINY],
        _SP,
        _LOW,
        _RHYTHM[RhythmKind.TRIGEMINY],
        "after the marks of the MIT-BIH Arrhythmia Database, doi:10.1109/51.932724",
        "Look at the strip when there is time, and compare it with earlier ones.",
        unit="beats",
        basis=Basis.SHAPES,
        refractory_s=_ONCE_AN_HOUR_S,
        covers=("not this patient's normal",),
    ),
    Condition(
        RhythmKind.ATRIAL_FIBRILLATION.value,
        TITLES[RhythmKind.ATRIAL_FIBRILLATION],
        _SA,
        _LOW,
        _RHYTHM[RhythmKind.ATRIAL_FIBRILLATION],
        "after Sarkar et al. 2008, doi:10.1109/TBME.2007.903707; 30 s: doi:10.1093/eurheartj/ehaa612",
        "Look at the strip, and record a 12-lead ECG, which can tell what it is.",
        unit="log odds",
        basis=Basis.BEATS,
        clear_s=LEAST_EPISODE_S,
        refractory_s=_ONCE_AN_HOUR_S,
        covers=(RhythmKind.IRREGULAR_RHYTHM.value, "not this patient's normal"),
    ),
    Condition(
        RhythmKind.IRREGULAR_RHYTHM.value,
        TITLES[RhythmKind.IRREGULAR_RHYTHM],
        _SP,
        _LOW,
        _RHYTHM[RhythmKind.IRREGULAR_RHYTHM],
        "after Dash et al. 2009, doi:10.1007/s10439-009-9740-z",
        "Look at the strip when there is time; a 12-lead ECG can tell what it is.",
        unit="share",
        basis=Basis.BEATS,
        # One beat out of place, or one that was missed, stays among the 64 for a minute or so.
        onset_s=IRREGULAR_S,
        clear_s=IRREGULAR_S,
        refractory_s=_ONCE_AN_HOUR_S,
        covers=("not this patient's normal",),
    ),
    Condition(
        "not this patient's normal",
        "Not this patient's normal",
        _SP,
        _LOW,
        "k of the last n readable beats judged abnormal, until at most k / 2 are",
        _OURS,
        "Look at the beats when there is time; learn the normal again if this is usual.",
        unit="beats",
        basis=Basis.SHAPES,
        refractory_s=1800.0,
    ),
    Condition(
        "slow recovery",
        "Heart rate does not recover",
        _SP,
        _MEDIUM,
        "a minute after the peak of vigorous effort the rate is falling, but by less than 12 per minute",
        "Cole et al. 1999, doi:10.1056/NEJM199910283411804",
        "Rest, and watch until the rate has come down.",
        unit="/min",
        basis=Basis.BEATS,
        refractory_s=600.0,
    ),
    Condition(
        "sudden drop",
        "Sudden drop of the heart rate",
        _SP,
        _MEDIUM,
        "during effort the mean rate of eight beats falls by more than the limit within 20 s",
        _OURS,
        "Stop the effort, sit down, and see how the person is.",
        unit="/min",
        basis=Basis.BEATS,
        refractory_s=300.0,
    ),
    Condition(
        "ectopy with effort",
        "Ectopic beats grow with effort",
        _SP,
        _MEDIUM,
        "during effort 7 ventricular-like beats a minute or more, and at least twice as many as at rest",
        "after Frolkis et al. 2003, doi:10.1056/NEJMoa022353",
        "Reduce the effort, and have the strip looked at before the next one.",
        unit="/min",
        basis=Basis.SHAPES,
        refractory_s=600.0,
    ),
    Condition(
        "loss of pulse",
        "Loss of the arterial pulse",
        _SP,
        _HIGH,
        "no pulse in an arterial pressure for 10 s, which falls below its usual diastolic value, while the ECG goes "
        "on; not where the line is flushed, damped or open to the air",
        _OURS,
        f"Go to the patient now, look for consciousness and pulse, and {_CERTIFIED}.",
        unit="s",
        clear_s=2.0,
    ),
    Condition(
        "not confirmed by pulse",
        "Not confirmed by the pulse",
        _SA,
        _LOW,
        "a rhythm of high priority, while the pulse goes on clean and regular at another rate",
        "after Plesinger et al. 2016, doi:10.1088/0967-3334/37/8/1313",
        f"Look at the strip of ECG and pulse, and {_CERTIFIED}; check the electrodes.",
        unit="/min",
    ),
    Condition(
        "probe off",
        "Pulse probe off",
        _ST,
        _LOW,
        "no pulse for 10 s in a wave that has shown one, or waves that cannot be analysed for a fault of the software",
        _OURS,
        "Check the pulse probe or the arterial line, and the patient's hand.",
        unit="s",
        clear_s=3.0,
        refractory_s=60.0,
    ),
    Condition(
        "no data",
        "No data",
        _ST,
        _MEDIUM,
        "no samples for 10 s",
        _OURS,
        "Check the device, its battery and its connection.",
        unit="s",
        clear_s=2.0,
        covers=("lead off", "noise"),
    ),
    Condition(
        "lead off",
        "Lead off",
        _ST,
        _MEDIUM,
        "no lead readable for 10 s, one of them off",
        _OURS,
        "Check the electrodes and the cable.",
        unit="s",
        onset_s=10.0,
        clear_s=3.0,
        covers=("noise",),
    ),
    Condition(
        "restarts",
        "Signal keeps starting again",
        _ST,
        _MEDIUM,
        "for 10 s no stretch of 15 s without another stream, rate or set of leads: several devices may send at once",
        _OURS,
        "Let one device alone send for this patient; check its cable and its settings.",
        unit="s",
        onset_s=10.0,
        clear_s=0.0,
    ),
    Condition(
        "two senders",
        "Two senders",
        _ST,
        _MEDIUM,
        "samples of the patient were sent with two keys; those of the second one are refused",
        _OURS,
        "Find out which of the two devices is the patient's, and stop the other one or revoke its key.",
        clear_s=10.0,
    ),
    Condition(
        "noise",
        "Noisy signal",
        _ST,
        _LOW,
        "no lead readable for 20 s, for noise",
        _OURS,
        "Check the electrodes; dry skin, movement and loose cables make noise.",
        unit="s",
        onset_s=20.0,
        refractory_s=60.0,
    ),
    Condition(
        "clock",
        "Clock",
        _ST,
        _LOW,
        "the sender's clock has jumped, or is more than 60 s from the monitor's",
        _OURS,
        "Set the clock of the device.",
        unit="s",
        clear_s=60.0,
    ),
    Condition(
        "detector failed",
        "Detector failed",
        _ST,
        _HIGH,
        "the signal could not be analysed for a fault of the software",
        _OURS,
        "Watch the patient by the certified monitor alone, and tell the operator of the service.",
        clear_s=10.0,
    ),
    Condition(
        "storage failed",
        "Storage failed",
        _ST,
        _MEDIUM,
        "what is watched cannot be stored",
        _OURS,
        "Tell the operator of the service: samples and events cannot be stored.",
        clear_s=10.0,
    ),
    Condition(
        "nobody reached",
        "Nobody could be reached",
        _ST,
        _HIGH,
        "no receiver has taken an alarm within the limit",
        _OURS,
        "Tell the operator of the service, and pass alarms on by hand: messages are not delivered.",
        unit="s",
        clear_s=0.0,
    ),
    Condition(
        "baseline",
        "The patient's normal is not known",
        _SA,
        _LOW,
        "it could not be learned, or is unlike normal beats of other people",
        _OURS,
        "Look at what was learned as the patient's normal; learn it again while the rhythm is usual.",
        refractory_s=600.0,
    ),
)

CONDITIONS = {condition.code: condition for condition in _ALL}
