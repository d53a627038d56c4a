"""The conditions an alarm can be raised for, each with its definition and where that comes from.

Words and codes are those of the IHE profile Alert Communication Management (PCD-04); no conformity to it or to any
alarm standard is claimed. Conditions are judged by `rhythm` and, where they are technical, by `technical`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Priority(IntEnum):
    """How soon somebody has to look."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class AlarmType(StrEnum):
    """What an alarm is about: the patient, the equipment, or advice."""

    PHYSIOLOGICAL = "SP"
    TECHNICAL = "ST"
    ADVISORY = "SA"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that may be wrong.

    Attributes
    ----------
    code : str
    title : str
        What a person is told.
    kind : AlarmType
    priority : Priority
    definition : str
        When it is there.
    source : str
        Where the definition comes from.
    unit : str
        Of the value and limit in its readings; empty where there is none.
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
    unit: str = ""
    onset_s: float = 0.0
    clear_s: float = 5.0
    refractory_s: float = 0.0
    covers: tuple[str, ...] = ()
    returns_within_s: float = 0.0


_CINC = "PhysioNet/CinC Challenge 2015, doi:10.1109/CIC.2015.7408639"
_OURS = "Ectopy"
_SP, _ST, _SA = AlarmType.PHYSIOLOGICAL, AlarmType.TECHNICAL, AlarmType.ADVISORY
_HIGH, _MEDIUM, _LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
_TOLD_AGAIN_S = 3600.0
"""What a patient may have for hours and nobody has to treat at once is told once an hour."""
_COMES_AND_GOES_S = 60.0
"""A rhythm that comes back within this time is the same alarm, as long as nobody has acknowledged it."""

_ALL = (
    Condition(
        "ventricular fibrillation",
        "Ventricular fibrillation or flutter",
        _SP,
        _HIGH,
        "in four seconds in a row a lead shows fibrillation, flutter or a tachycardia without distinct QRS complexes, "
        "each judged with the three seconds before it, and no lead that can be read shows complexes that stand out",
        "Ectopy, after Amann et al. 2005, doi:10.1186/1475-925X-4-60",
        "s",
        covers=(
            "ventricular tachycardia",
            "extreme tachycardia",
            "ventricular run",
            "couplet",
            "bigeminy",
            "high rate",
            "not this patient's normal",
            "ectopy with effort",
        ),
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        "asystole",
        "Asystole",
        _SP,
        _HIGH,
        "no QRS complex for 4 s; while it lasts for 6 s if a lead is flat or off or all leads are noisy from the "
        "start, and for 6 s if no lead moves for a second, meanwhile",
        _CINC,
        "s",
        covers=("pause", "low rate", "extreme bradycardia"),
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        "extreme bradycardia",
        "Extreme bradycardia",
        _SP,
        _HIGH,
        "mean rate of 5 beats in a row below 40 per minute, all of their intervals but one below 45",
        _CINC,
        "/min",
        covers=("low rate", "pause"),
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        "ventricular tachycardia",
        "Ventricular tachycardia",
        _SP,
        _HIGH,
        "5 or more ventricular-like beats in a row above 100 per minute; 9 if they keep the rate of the beats before",
        _CINC,
        "/min",
        covers=(
            "extreme tachycardia",
            "ventricular run",
            "couplet",
            "bigeminy",
            "high rate",
            "not this patient's normal",
            "ectopy with effort",
        ),
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        "extreme tachycardia",
        "Extreme tachycardia",
        _SP,
        _HIGH,
        "mean rate of 17 beats in a row above 140 per minute, or of 12 above 150; in exercise above a limit by age",
        _CINC,
        "/min",
        covers=("high rate",),
        returns_within_s=_COMES_AND_GOES_S,
    ),
    Condition(
        "high rate",
        "High heart rate",
        _SP,
        _MEDIUM,
        "mean rate of eight beats above the patient's limit",
        _OURS,
        "/min",
        onset_s=3.0,
        refractory_s=60.0,
    ),
    Condition(
        "low rate",
        "Low heart rate",
        _SP,
        _MEDIUM,
        "rate of eight beats below the patient's limit, by mean and by median",
        _OURS,
        "/min",
        onset_s=3.0,
        refractory_s=60.0,
    ),
    Condition(
        "ventricular run",
        "Ventricular run",
        _SP,
        _MEDIUM,
        "3 or more ventricular-like beats in a row",
        "AHA practice standards for ECG monitoring in hospital settings, doi:10.1161/CIR.0000000000000527",
        "beats",
        refractory_s=20.0,
        covers=("couplet", "not this patient's normal"),
    ),
    Condition(
        "supraventricular run",
        "Supraventricular run",
        _SP,
        _MEDIUM,
        "5 or more supraventricular-like beats in a row above 100 per minute",
        "after the AHA practice standards for ECG monitoring in hospital settings, doi:10.1161/CIR.0000000000000527",
        "/min",
        refractory_s=600.0,
        covers=("not this patient's normal",),
    ),
    Condition(
        "pause",
        "Pause",
        _SP,
        _MEDIUM,
        "RR interval of at least the patient's limit, 3 s by default; 5 s if no lead moves for a second",
        "AHA practice standards for ECG monitoring in hospital settings, doi:10.1161/CIR.0000000000000527",
        "s",
        refractory_s=60.0,
    ),
    Condition(
        "couplet",
        "Ventricular couplets",
        _SP,
        _LOW,
        "2 ventricular-like beats in a row, more often in the last five minutes than the limit",
        _OURS,
        "couplets",
        refractory_s=_TOLD_AGAIN_S,
        covers=("not this patient's normal",),
    ),
    Condition(
        "bigeminy",
        "Ventricular bigeminy",
        _SP,
        _LOW,
        "every other beat ventricular-like, three times in a row",
        "AHA practice standards for ECG monitoring in hospital settings, doi:10.1161/CIR.0000000000000527",
        "beats",
        refractory_s=_TOLD_AGAIN_S,
        covers=("not this patient's normal",),
    ),
    Condition(
        "irregular rhythm",
        "Irregular rhythm",
        _SP,
        _LOW,
        "among 64 beats without ectopic ones, successive RR intervals differ by more than a tenth of the mean, RMS",
        "after Dash et al. 2009, doi:10.1007/s10439-009-9740-z",
        "share",
        # One beat out of place, or one that was missed, stays among the 64 for a minute or so.
        onset_s=120.0,
        clear_s=120.0,
        refractory_s=_TOLD_AGAIN_S,
        covers=("not this patient's normal",),
    ),
    Condition(
        "not this patient's normal",
        "Not this patient's normal",
        _SP,
        _LOW,
        "k of the last n readable beats judged abnormal, until at most k / 2 are",
        _OURS,
        "beats",
        refractory_s=1800.0,
    ),
    Condition(
        "slow recovery",
        "Heart rate does not recover",
        _SP,
        _MEDIUM,
        "a minute after the peak of vigorous effort the rate is falling, but by less than 12 per minute",
        "Cole et al. 1999, doi:10.1056/NEJM199910283411804",
        "/min",
        refractory_s=600.0,
    ),
    Condition(
        "sudden drop",
        "Sudden drop of the heart rate",
        _SP,
        _MEDIUM,
        "during effort the mean rate of eight beats falls by more than the limit within 20 s",
        _OURS,
        "/min",
        refractory_s=300.0,
    ),
    Condition(
        "ectopy with effort",
        "Ectopic beats grow with effort",
        _SP,
        _MEDIUM,
        "during effort 7 ventricular-like beats a minute or more, and at least twice as many as at rest",
        "after Frolkis et al. 2003, doi:10.1056/NEJMoa022353",
        "/min",
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
        "s",
        clear_s=2.0,
    ),
    Condition(
        "not confirmed by pulse",
        "Not confirmed by the pulse",
        _SA,
        _LOW,
        "a rhythm of high priority, while the pulse goes on clean and regular at another rate",
        "after Plesinger et al. 2016, doi:10.1088/0967-3334/37/8/1313",
        "/min",
    ),
    Condition(
        "probe off",
        "Pulse probe off",
        _ST,
        _LOW,
        "no pulse for 10 s in a wave that has shown one, or waves that cannot be analysed for a fault of the software",
        _OURS,
        "s",
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
        "s",
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
        "s",
        10.0,
        3.0,
        covers=("noise",),
    ),
    Condition(
        "restarts",
        "Signal keeps beginning anew",
        _ST,
        _MEDIUM,
        "for 10 s no stretch of 15 s without another stream, rate or set of leads: several devices may send at once",
        _OURS,
        "s",
        10.0,
        0.0,
    ),
    Condition(
        "two senders",
        "Two senders",
        _ST,
        _MEDIUM,
        "samples of the patient were sent with two keys; those of the second one are refused",
        _OURS,
        clear_s=10.0,
    ),
    Condition("noise", "Noisy signal", _ST, _LOW, "no lead readable for 20 s, for noise", _OURS, "s", 20.0, 5.0, 60.0),
    Condition(
        "clock",
        "Clock",
        _ST,
        _LOW,
        "the sender's clock has jumped, or is more than 60 s from the monitor's",
        _OURS,
        "s",
        clear_s=60.0,
    ),
    Condition(
        "detector failed",
        "Detector failed",
        _ST,
        _HIGH,
        "the signal could not be analysed for a fault of the software",
        _OURS,
        clear_s=10.0,
    ),
    Condition(
        "storage failed", "Storage failed", _ST, _MEDIUM, "what is watched cannot be stored", _OURS, clear_s=10.0
    ),
    Condition(
        "nobody reached",
        "Nobody could be reached",
        _ST,
        _HIGH,
        "no receiver has taken an alarm within the limit",
        _OURS,
        "s",
        clear_s=0.0,
    ),
    Condition(
        "baseline",
        "The patient's normal is not known",
        _SA,
        _LOW,
        "it could not be learned, or is unlike normal beats of other people",
        _OURS,
        refractory_s=600.0,
    ),
)

CONDITIONS = {condition.code: condition for condition in _ALL}
