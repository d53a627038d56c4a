"""Limits at which a rule speaks, by profile and patient.

Those of rhythm are declared in `ectopy.analysis.rhythm_rules`, where those of recordings stand beside them.

``ward``
    Rates wider apart than the usual 50 and 120, because narrow limits are a main cause of alarms that nobody needs
    (Drew et al. 2014, doi:10.1371/journal.pone.0110274).
``ambulatory``
    People sleep and climb stairs: rates as far apart as the extreme ones.
``exercise``
    A high rate is expected, and the upper limits follow the age and the resting rate. *High* is 95 % of the heart rate
    reserve (Karvonen, Kentala, Mustala 1957, Ann Med Exp Biol Fenn 35:307-315). *Extreme* is 20 per minute above the
    maximum for the age, 208 - 0.7 * age (Tanaka et al. 2001, doi:10.1016/S0735-1097(00)01054-8), from which people
    stray by about 10. Recovery, sudden drops and ectopy are watched as well; see `exercise`.
``child``
    From one to 18 years. *Low* and *high* are the first and the 99th centile of healthy children of that age (Fleming
    et al. 2011, doi:10.1016/S0140-6736(10)62226-X), *high* not below that of an adult in the ward. *Extremely high* is
    180, from where a supraventricular tachycardia is likely, *extremely low* 60, from where a child with poor perfusion
    is resuscitated, and a ventricular tachycardia is faster than 120 (American Heart Association, Pediatric Basic and
    Advanced Life Support 2020, doi:10.1161/CIR.0000000000000901). An extremely low rate is at least ten below a low
    one, and not below the adult's.
``infant``
    Up to one year, by the same sources; *extremely high* is 220. In healthy newborns the mean of the slowest five beats
    of a day is 87 per minute, standard deviation 12 (Southall et al. 1980, doi:10.1136/hrt.43.1.14). Pauses of more
    than two seconds are abnormal (Schwartz et al. 2002, doi:10.1053/euhj.2002.3274); an asystole is announced after
    three, in which six beats are missing or so, as after four seconds in an adult.

The other profiles are for adults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, get_args, get_origin, get_type_hints

from ectopy.analysis.rhythm_rules import RHYTHM_RANGES as _RANGES
from ectopy.analysis.rhythm_rules import WARD, RhythmLimits
from ectopy.errors import SettingError
from ectopy.presentation import short_repr

PROFILES = ("ward", "ambulatory", "exercise", "child", "infant")

_USUAL_AGE, _USUAL_RESTING_BPM = 50.0, 70.0
_HIGH_SHARE = 0.95
_ABOVE_MAXIMUM_BPM = 20.0
_ADULT_YEARS = (18.0, 110.0)
_YEARS = {"child": (1.0, 18.0), "infant": (0.0, 1.0)}
_USUAL_CHILD_YEARS = 5.0
_ANY_INFANT = (93.0, 181.0)
_CENTILES = (  # years up to which, first and 99th centile of the heart rate
    (0.25, 107.0, 181.0),
    (0.5, 104.0, 175.0),
    (0.75, 98.0, 168.0),
    (1.0, 93.0, 161.0),
    (1.5, 88.0, 156.0),
    (2.0, 82.0, 149.0),
    (3.0, 76.0, 142.0),
    (4.0, 70.0, 136.0),
    (6.0, 65.0, 131.0),
    (8.0, 59.0, 123.0),
    (12.0, 52.0, 115.0),
    (15.0, 47.0, 108.0),
    (18.0, 43.0, 104.0),
)
_RESUSCITATED_BPM = 60.0
_FAST_BPM = {"child": 180.0, "infant": 220.0}
_CHILD_VT_BPM = 120.0

_RATE, _RHYTHM, _PERSON = "Heart rate", "Rhythm", "Person and effort"


@dataclass(frozen=True, slots=True)
class Limit:
    """The range of a limit, and its label in a form.

    Attributes
    ----------
    group : str
        Heading under which a form shows it; empty = not in a form.
    whole : bool
        Whether only whole numbers count; follows from the type of the limit.
    """

    least: float
    most: float
    label: str = ""
    unit: str = ""
    group: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one patient, each with what it can be set to; the defaults are those of the profile ``ward``.

    Attributes
    ----------
    profile : str
        ``ward``, ``ambulatory``, ``exercise``, ``child`` or ``infant``.
    low_bpm, high_bpm : float
        Mean rate of eight beats, per minute; not beyond the extreme rates.
    asystole_s : float
        Seconds without a beat.
    extreme_low_bpm, extreme_high_bpm : float
        Per minute.
    extreme_low_beats, extreme_high_beats : int
        For so many beats in a row.
    clear_bpm : float
        How far back behind its limit a rate must be before it is no longer beyond, per minute.
    pause_s : float
        RR interval, s; not more than `asystole_s`.
    vt_beats : int
        Ventricular-like beats in a row that are a tachycardia.
    vt_bpm : float
        And above which rate, per minute.
    run_beats : int
        Ventricular-like beats in a row that are a run.
    svt_beats : int
        Supraventricular-like beats in a row that raise an alarm.
    svt_bpm : float
        And above which rate, per minute.
    couplets : int
        More couplets in five minutes than this raise an alarm.
    bigeminy_pairs : int
        How often in a row every other beat is ventricular-like, and in trigeminy every third one.
    irregular_share : float
        Difference of successive RR intervals, share of the mean.
    abnormal_k, abnormal_n : int
        How many of how many readable beats are abnormal.
    age : float or None
        Years: 18 to 110, of a child 1 to 18, of an infant 0 to 1.
    resting_bpm : float or None
        Heart rate at rest, per minute.
    effort_share, vigorous_share : float
        Share of the heart rate reserve at which effort begins, and vigorous effort; 0.4 and 0.6 as in the
        position stand of the American College of Sports Medicine, doi:10.1249/MSS.0b013e318213fefb.
    recovery_bpm : float
        By how much the rate falls in the minute after effort, at least, per minute; 12 after Cole et al. 1999,
        doi:10.1056/NEJM199910283411804.
    drop_bpm : float
        A larger fall within 20 s is sudden, per minute.
    ectopy_per_min : int
        Ventricular-like beats a minute that are frequent; 7 after Frolkis et al. 2003,
        doi:10.1056/NEJMoa022353.

    Raises
    ------
    SettingError
        If a value is out of its range, or two do not agree.
    """

    __repr__ = short_repr

    profile: str = "ward"
    low_bpm: Annotated[float, Limit(*_RANGES["low_bpm"], "Low below", "/min", _RATE)] = WARD.low_bpm
    high_bpm: Annotated[float, Limit(*_RANGES["high_bpm"], "High above", "/min", _RATE)] = WARD.high_bpm
    asystole_s: Annotated[float, Limit(3, 10, "Asystole after", "s", _RATE)] = 4.0
    extreme_low_bpm: Annotated[float, Limit(10, 100, "Extremely low up to", "/min", _RATE)] = 40.0
    extreme_low_beats: Annotated[int, Limit(3, 20)] = 5
    extreme_high_bpm: Annotated[float, Limit(100, 320, "Extremely high from", "/min", _RATE)] = 140.0
    extreme_high_beats: Annotated[int, Limit(5, 60)] = 17
    clear_bpm: Annotated[float, Limit(*_RANGES["clear_bpm"])] = WARD.clear_bpm
    pause_s: Annotated[float, Limit(*_RANGES["pause_s"], "Pause from", "s", _RATE)] = WARD.pause_s
    vt_beats: Annotated[int, Limit(3, 20, "Ventricular tachycardia from", "beats", _RHYTHM)] = 5
    vt_bpm: Annotated[float, Limit(60, 200, "and above", "/min", _RHYTHM)] = 100.0
    run_beats: Annotated[int, Limit(*_RANGES["run_beats"], "Ventricular run from", "beats", _RHYTHM)] = WARD.run_beats
    svt_beats: Annotated[int, Limit(*_RANGES["svt_beats"], "Supraventricular run from", "beats", _RHYTHM)] = (
        WARD.svt_beats
    )
    svt_bpm: Annotated[float, Limit(*_RANGES["svt_bpm"], "and above", "/min", _RHYTHM)] = WARD.svt_bpm
    couplets: Annotated[int, Limit(0, 50, "Couplets in 5 min, more than", "", _RHYTHM)] = 3
    bigeminy_pairs: Annotated[int, Limit(*_RANGES["bigeminy_pairs"])] = WARD.bigeminy_pairs
    irregular_share: Annotated[float, Limit(*_RANGES["irregular_share"])] = WARD.irregular_share
    abnormal_k: Annotated[int, Limit(2, 200, "Not this patient's normal from", "beats", _RHYTHM)] = 12
    abnormal_n: Annotated[int, Limit(2, 200, "of the last", "beats", _RHYTHM)] = 20
    age: Annotated[float | None, Limit(0, 110, "Age", "years", _PERSON)] = None
    resting_bpm: Annotated[float | None, Limit(30, 110, "Heart rate at rest", "/min", _PERSON)] = None
    effort_share: Annotated[float, Limit(0.1, 1)] = 0.4
    vigorous_share: Annotated[float, Limit(0.1, 1)] = 0.6
    recovery_bpm: Annotated[float, Limit(6, 60, "Recovery in a minute, at least", "/min", _PERSON)] = 12.0
    drop_bpm: Annotated[float, Limit(10, 120, "Sudden drop, more than", "/min", _PERSON)] = 40.0
    ectopy_per_min: Annotated[int, Limit(1, 60, "Ectopic beats with effort from", "/min", _PERSON)] = 7

    def __post_init__(self) -> None:
        _require(self.profile in PROFILES, f"profile must be one of {', '.join(PROFILES)}, not {self.profile!r}.")
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            if value is None:
                continue
            fits = limit.least <= value <= limit.most
            _require(fits, f"{name} must be {limit.least:g} to {limit.most:g}, not {value}.")
            _require(not limit.whole or value == int(value), f"{name} must be a whole number, not {value}.")
        youngest, oldest = _YEARS.get(self.profile, _ADULT_YEARS)
        if self.age is not None:
            fits = youngest <= self.age <= oldest
            _require(fits, f"age must be {youngest:g} to {oldest:g} in the profile {self.profile}, not {self.age}.")
        for low, high in (
            ("extreme_low_bpm", "low_bpm"),
            ("high_bpm", "extreme_high_bpm"),
            ("pause_s", "asystole_s"),
            ("abnormal_k", "abnormal_n"),
            ("effort_share", "vigorous_share"),
        ):
            below, above = getattr(self, low), getattr(self, high)
            _require(below <= above, f"{low} must be at most {high}, {above:g}, not {below:g}.")
        _require(self.low_bpm < self.high_bpm, f"low_bpm must be below high_bpm, {self.high_bpm:g}.")

    @classmethod
    def of(cls, profile: str, age: float | None = None, resting_bpm: float | None = None) -> Limits:
        """Limits of a profile.

        In ``exercise`` an unknown age counts as 50 years and an unknown resting rate as 70. In ``child`` an unknown age
        counts as 5 years; in ``infant`` the limits are then the widest of the first year.

        Raises
        ------
        SettingError
            If there is no such profile, or age or resting rate is out of range.

        Examples
        --------
        >>> young, old = Limits.of("exercise", age=20), Limits.of("exercise", age=80)
        >>> young.high_bpm, young.extreme_high_bpm, old.high_bpm, old.extreme_high_bpm
        (188.0, 214.0, 148.0, 172.0)
        >>> infant = Limits.of("infant", age=0.2)
        >>> infant.extreme_low_bpm, infant.low_bpm, infant.high_bpm, infant.extreme_high_bpm
        (60.0, 107.0, 181.0, 220.0)
        """
        limits = cls(profile, age=age, resting_bpm=resting_bpm)
        if profile == "ambulatory":
            return limits.changed({"low_bpm": limits.extreme_low_bpm, "high_bpm": limits.extreme_high_bpm})
        if profile == "exercise":
            high_bpm = float(round(limits.at_reserve(_HIGH_SHARE)))
            extreme_bpm = float(round(limits.maximum_bpm + _ABOVE_MAXIMUM_BPM))
            return limits.changed({"high_bpm": high_bpm, "extreme_high_bpm": extreme_bpm})
        if profile == "child":
            low_bpm, high_bpm = _centiles(_USUAL_CHILD_YEARS if age is None else age)
            return limits.changed(_young(profile, low_bpm, max(high_bpm, limits.high_bpm)))
        if profile == "infant":
            low_bpm, high_bpm = _ANY_INFANT if age is None else _centiles(age)
            return limits.changed(_young(profile, low_bpm, high_bpm) | {"pause_s": 2.0, "asystole_s": 3.0})
        return limits

    def changed(self, values: Mapping[str, float]) -> Limits:
        """The same with other values of some limits, by their names.

        Raises
        ------
        SettingError
            If there is no limit of such a name, a value is out of its range, or two do not agree.

        Examples
        --------
        >>> Limits.of("ward").changed({"high_bpm": 110, "couplets": 0}).high_bpm
        110
        """
        for name in values:
            _require(name in LIMITS, f"there is no limit {name!r}; there are {', '.join(LIMITS)}.")
        whole = {name: int(value) for name, value in values.items() if LIMITS[name].whole and float(value).is_integer()}
        return replace(self, **{**values, **whole})  # type: ignore[arg-type]

    @property
    def rhythm(self) -> RhythmLimits:
        """Limits that recordings are read by as well, see `ectopy.analysis.rhythm_events.find_events`."""
        return RhythmLimits(**{name: getattr(self, name) for name in ("profile", *_RANGES)})

    @property
    def maximum_bpm(self) -> float:
        """Maximum heart rate for the age, per minute."""
        return 208.0 - 0.7 * (_USUAL_AGE if self.age is None else self.age)

    def at_reserve(self, share: float) -> float:
        """Heart rate at a share of the heart rate reserve, per minute: 0 = at rest, 1 = maximum."""
        resting = _USUAL_RESTING_BPM if self.resting_bpm is None else self.resting_bpm
        return resting + share * (self.maximum_bpm - resting)


def _declared() -> Iterator[tuple[str, Limit]]:
    """Yield the limits with their declarations, in the order of the fields."""
    for name, hint in get_type_hints(Limits, include_extras=True).items():
        if get_origin(hint) is Annotated:
            type_, limit = get_args(hint)
            yield name, replace(limit, whole=type_ is int)


LIMITS: Mapping[str, Limit] = MappingProxyType(dict(_declared()))
"""Range and label of each limit, by its name."""


def _centiles(age: float) -> tuple[float, float]:
    """First and 99th centile of the heart rate at an age in years."""
    return next((low, high) for years, low, high in _CENTILES if age <= years)


def _young(profile: str, low_bpm: float, high_bpm: float) -> dict[str, float]:
    """Rates of a child or an infant whose usual rates lie between these."""
    return {
        "low_bpm": low_bpm,
        "high_bpm": high_bpm,
        "extreme_low_bpm": min(_RESUSCITATED_BPM, max(low_bpm - 10.0, 40.0)),
        "extreme_high_bpm": _FAST_BPM[profile],
        "vt_bpm": _CHILD_VT_BPM,
    }


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingError(message)
