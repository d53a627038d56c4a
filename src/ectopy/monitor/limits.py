"""When a rule speaks: limits by profile and patient.

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

For adults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ectopy.errors import SettingError
from ectopy.events import BIGEMINY_PAIRS, IRREGULAR, RUN_BEATS
from ectopy.reprs import short_repr

PROFILES = ("ward", "ambulatory", "exercise")

_USUAL_AGE, _USUAL_RESTING_BPM = 50.0, 70.0
_HIGH_SHARE = 0.95
_ABOVE_MAXIMUM_BPM = 20.0

LIMIT_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "low_bpm": (20, 120),
        "high_bpm": (60, 300),
        "asystole_s": (3, 10),
        "extreme_low_bpm": (10, 60),
        "extreme_low_beats": (3, 20),
        "extreme_high_bpm": (100, 300),
        "extreme_high_beats": (5, 60),
        "clear_bpm": (0, 20),
        "pause_s": (1, 10),
        "vt_beats": (3, 20),
        "vt_bpm": (60, 200),
        "run_beats": (3, 20),
        "svt_beats": (3, 50),
        "svt_bpm": (60, 250),
        "couplets": (0, 50),
        "bigeminy_pairs": (2, 20),
        "irregular_share": (0.02, 1),
        "abnormal_k": (2, 200),
        "abnormal_n": (2, 200),
        "age": (18, 110),
        "resting_bpm": (30, 110),
        "effort_share": (0.1, 1),
        "vigorous_share": (0.1, 1),
        "recovery_bpm": (6, 60),
        "drop_bpm": (10, 120),
        "ectopy_per_min": (1, 60),
    }
)
"""Least and greatest value of each limit."""

WHOLE_LIMITS = (
    "extreme_low_beats",
    "extreme_high_beats",
    "vt_beats",
    "run_beats",
    "svt_beats",
    "couplets",
    "bigeminy_pairs",
    "abnormal_k",
    "abnormal_n",
    "ectopy_per_min",
)
"""Limits that are whole numbers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one patient; the defaults are those of the profile ``ward``.

    Attributes
    ----------
    profile : str
        ``ward``, ``ambulatory`` or ``exercise``.
    low_bpm, high_bpm : float
        Mean rate of eight beats, per minute: 20 to 120 and 60 to 300; not beyond the extreme rates.
    asystole_s : float
        Seconds without a beat, 3 to 10.
    extreme_low_bpm, extreme_high_bpm : float
        Per minute: 10 to 60 and 100 to 300.
    extreme_low_beats, extreme_high_beats : int
        For so many beats in a row: 3 to 20 and 5 to 60.
    clear_bpm : float
        How far back behind its limit a rate must be before it is no longer beyond, 0 to 20 per minute.
    pause_s : float
        RR interval, 1 to 10 s; not more than `asystole_s`.
    vt_beats : int
        Ventricular-like beats in a row that are a tachycardia, 3 to 20.
    vt_bpm : float
        And above which rate, 60 to 200 per minute.
    run_beats : int
        Ventricular-like beats in a row that are a run, 3 to 20.
    svt_beats : int
        Supraventricular-like beats in a row that are told, 3 to 50.
    svt_bpm : float
        And above which rate, 60 to 250 per minute.
    couplets : int
        More couplets in five minutes than this are told, 0 to 50.
    bigeminy_pairs : int
        How often in a row every other beat is ventricular-like, 2 to 20.
    irregular_share : float
        Difference of successive RR intervals, share of the mean, 0.02 to 1.
    abnormal_k, abnormal_n : int
        How many of how many readable beats are abnormal, 2 to 200.
    age : float or None
        Years, 18 to 110.
    resting_bpm : float or None
        Heart rate at rest, 30 to 110 per minute.
    effort_share, vigorous_share : float
        Share of the heart rate reserve at which effort begins, and vigorous effort, 0.1 to 1; 0.4 and 0.6 as in the
        position stand of the American College of Sports Medicine, doi:10.1249/MSS.0b013e318213fefb.
    recovery_bpm : float
        By how much the rate falls in the minute after effort, at least; 6 to 60 per minute, 12 after Cole et al. 1999,
        doi:10.1056/NEJM199910283411804.
    drop_bpm : float
        A larger fall within 20 s is sudden, 10 to 120 per minute.
    ectopy_per_min : int
        Ventricular-like beats a minute that are frequent, 1 to 60; 7 after Frolkis et al. 2003,
        doi:10.1056/NEJMoa022353.

    Raises
    ------
    SettingError
        If a value is out of its range, or two do not agree.
    """

    __repr__ = short_repr

    profile: str = "ward"
    low_bpm: float = 45.0
    high_bpm: float = 130.0
    asystole_s: float = 4.0
    extreme_low_bpm: float = 40.0
    extreme_low_beats: int = 5
    extreme_high_bpm: float = 140.0
    extreme_high_beats: int = 17
    clear_bpm: float = 5.0
    pause_s: float = 3.0
    vt_beats: int = 5
    vt_bpm: float = 100.0
    run_beats: int = RUN_BEATS
    svt_beats: int = 5
    svt_bpm: float = 100.0
    couplets: int = 3
    bigeminy_pairs: int = BIGEMINY_PAIRS
    irregular_share: float = IRREGULAR
    abnormal_k: int = 12
    abnormal_n: int = 20
    age: float | None = None
    resting_bpm: float | None = None
    effort_share: float = 0.4
    vigorous_share: float = 0.6
    recovery_bpm: float = 12.0
    drop_bpm: float = 40.0
    ectopy_per_min: int = 7

    def __post_init__(self) -> None:
        _require(self.profile in PROFILES, f"profile must be one of {', '.join(PROFILES)}, not {self.profile!r}.")
        for name, (least, most) in LIMIT_RANGES.items():
            value = getattr(self, name)
            if value is None:
                continue
            _require(least <= value <= most, f"{name} must be {least:g} to {most:g}, not {value}.")
            _require(name not in WHOLE_LIMITS or value == int(value), f"{name} must be a whole number, not {value}.")
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
        """Limits of a profile; in ``exercise`` an unknown age counts as 50 years, an unknown resting rate as 70.

        Raises
        ------
        SettingError
            If there is no such profile, or age or resting rate is out of range.

        Examples
        --------
        >>> young, old = Limits.of("exercise", age=20), Limits.of("exercise", age=80)
        >>> young.high_bpm, young.extreme_high_bpm, old.high_bpm, old.extreme_high_bpm
        (188.0, 214.0, 148.0, 172.0)
        """
        limits = cls(profile, age=age, resting_bpm=resting_bpm)
        if profile == "ambulatory":
            return cls(
                profile,
                low_bpm=limits.extreme_low_bpm,
                high_bpm=limits.extreme_high_bpm,
                age=age,
                resting_bpm=resting_bpm,
            )
        if profile == "exercise":
            return cls(
                profile,
                high_bpm=float(round(limits.at_reserve(_HIGH_SHARE))),
                extreme_high_bpm=float(round(limits.maximum_bpm + _ABOVE_MAXIMUM_BPM)),
                age=age,
                resting_bpm=resting_bpm,
            )
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
            _require(name in LIMIT_RANGES, f"there is no limit {name!r}; there are {', '.join(LIMIT_RANGES)}.")
        whole = {
            name: int(value) for name, value in values.items() if name in WHOLE_LIMITS and float(value).is_integer()
        }
        return replace(self, **{**values, **whole})  # type: ignore[arg-type]

    @property
    def maximum_bpm(self) -> float:
        """Maximum heart rate for the age, per minute."""
        return 208.0 - 0.7 * (_USUAL_AGE if self.age is None else self.age)

    def at_reserve(self, share: float) -> float:
        """Heart rate at a share of the heart rate reserve, per minute: 0 = at rest, 1 = maximum."""
        resting = _USUAL_RESTING_BPM if self.resting_bpm is None else self.resting_bpm
        return resting + share * (self.maximum_bpm - resting)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingError(message)
