"""Tables of samples: which columns are leads, in which unit, and which tell the time.

Names and units tell first, values where they say nothing: an ECG is never a column that only rises, and never a few
whole numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.clocks import parse_clock
from ectopy.formats.leads import Signal, Stated, check_unit, choose_leads, factors, is_ecg, millivolt, unique_names
from ectopy.formats.pulse_channels import MOST_PULSES, PulseUnit, pulse_unit
from ectopy.formats.spelling import word_set

_LONGEST_NAME = 200
_MISSING = ("", "?", "na", "nan", "null", "none", "-")
_FEWEST_ROWS = 20
"""Values of fewer rows say nothing about a column without a name."""
_LEAST_RISES = 0.05
"""Share of the steps of a column of times that are rises, the others being ties of rounded times."""
_MOST_LEVELS = 10
"""A column of so many different whole numbers, or fewer, holds labels, marks or states."""
_BLOCK_ROWS = 2**16

_WITH_UNIT = re.compile(r"(.*\S)\s*(?:[(\[]\s*(\S+)\s*[)\]]|[/,]\s*(\S+))")
_UNIT_BEHIND = re.compile(r"(.*[^\s_])[\s_]+([A-Za-zµμ]+)")
_PLAIN_UNITS = ("mV", "mv", "uV", "uv", "µV", "μV", "nV")

_SECONDS = {
    1.0: ("s", "sec", "secs", "second", "seconds", "sekunden"),
    1e-3: ("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"),
    1e-6: ("us", "µs", "μs", "usec", "usecs", "micros", "microsecond", "microseconds"),
    1e-9: ("ns", "nsec", "nanos", "nanosecond", "nanoseconds"),
    60.0: ("min", "mins", "minute", "minutes"),
    3600.0: ("h", "hour", "hours"),
}
_UNIT_SECONDS = {unit: seconds for seconds, units in _SECONDS.items() for unit in units}
_CLOCK_UNITS = re.compile(r"\[?(hh?:)?mm?:ss?([.,]\w+)?( [dmy/.-]+)?\]?|date ?time|date|time", re.IGNORECASE)


# What monitors and data loggers write beside an ECG, in small letters.
_OTHER_UNITS = word_set(
    """mmhg cmh2o kpa mbar pa % ohm ohms kohm ω bpm 1/min /min l/min lpm ml/min ml °c degc °f mmol/l mg/dl nu pm
    count counts adc adu lsb digit digits bit bits a.u. au arb arb. g mg m/s2 m/s² m/s^2 dps deg/s rad/s hz khz ut µt
    siemens microsiemens no_units unitless"""
)
_TIME_WORDS = word_set(
    """time times timestamp timestamps datetime date elapsed clock utc epoch unix unixtime t second seconds sec secs
    millisecond milliseconds millis msec ms microseconds micros us nanoseconds nanos ns zeit
    zeitstempel uhrzeit datum"""
)
_COUNTER_WORDS = word_set("index idx row rows id nseq seq sequence frame packet unnamed nr no # counter")
_MAYBE_COUNTER_WORDS = word_set("sample samples number n count counts position pos")
_LABEL_WORDS = word_set(
    """label labels class classes target annotation annotations ann anno beat beats event events marker markers mark
    marks trigger symbol symbols peak peaks rpeak rpeaks onset onsets offset offsets quality sqi leadoff status state
    flag flags activity phase completion rhythm diagnosis battery"""
)
_OTHER_WORDS = word_set(
    """resp respiration respiratory breath breathing rsp spo2 sao2 pleth ppg hr heartrate pulse bpm rr rri ibi nn rate
    abp art bp nibp cvp pap icp pressure co2 etco2 temp temperature acc accel acceleration accelerometer gyro gyroscope
    mag magnetometer eeg emg eog eda gsr imp impedance pcg flow"""
)


class Role(Enum):
    """Role of a column."""

    ECG = "ECG"
    UNKNOWN = "not called ECG"
    TIME = "a time"
    COUNTER = "a counter"
    LABEL = "labels or states"
    OTHER = "not ECG"
    BLANK = "without a name"


class Header(NamedTuple):
    """Name and unit of a column; the unit is empty where the file states none."""

    name: str
    unit: str


class PulseColumn(NamedTuple):
    """A column that holds a pulse wave, by its index."""

    column: int
    name: str
    unit: PulseUnit


class Columns(NamedTuple):
    """Roles of the columns of a table.

    `leads` are columns in the order of `names`; `to_millivolt` is one factor for each. `times` are columns of times,
    those that state a unit first, and `time_units` their units; `counters` are columns that count rows. `doubtful` are
    the leads that neither name nor unit says to be ECG. `pulses` are the columns of pulse waves. `left_out` describes
    the other columns, for people.
    """

    names: tuple[str, ...]
    leads: tuple[int, ...]
    to_millivolt: tuple[float, ...]
    times: tuple[int, ...]
    time_units: tuple[str, ...]
    counters: tuple[int, ...]
    doubtful: tuple[int, ...]
    left_out: tuple[str, ...]
    pulses: tuple[PulseColumn, ...] = ()

    @property
    def read(self) -> tuple[int, ...]:
        """The columns that are read: those of leads, and then those of pulse waves."""
        return (*self.leads, *(pulse.column for pulse in self.pulses))

    @property
    def without_pulses(self) -> Columns:
        """The columns with pulse waves left out."""
        left_out = tuple(f"{pulse.name!r} (a pulse wave)" for pulse in self.pulses)
        return self._replace(left_out=(*self.left_out, *left_out), pulses=())

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence on the columns that were left out, if any were."""
        return (f"Left out: {', '.join(self.left_out)}.",) if self.left_out else ()


Column = NDArray[np.float64] | Sequence[str]
"""First values of a column: numbers, or text."""


def is_number(cell: str) -> bool:
    """Return whether Python reads a cell as a number; ``nan`` and ``inf`` are some."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def number(cell: str) -> float | None:
    """Return what a cell says: NaN where it says that the value is missing, None where it is text."""
    if is_number(cell):
        return float(cell)
    return np.nan if cell.lower() in _MISSING else None


def header_of(name: str, unit: str) -> Header:
    """Divide a name from the unit that it may end in, as in ``II (uV)``, ``II / uV`` or ``ecg_uV``."""
    name = name.strip()
    if len(name) > _LONGEST_NAME:  # and longer than the expressions should be tried on
        return Header(name, "")
    if unit.strip() and unit.strip() not in ("-", "?"):
        return Header(name, unit.strip())
    if match := _WITH_UNIT.fullmatch(name):
        inside = match[2] or match[3]
        if is_known_unit(inside):
            return Header(match[1], inside)
    if (match := _UNIT_BEHIND.fullmatch(name)) and (
        match[2] in _PLAIN_UNITS or (match[2] in _UNIT_SECONDS and _words(match[1]) & _TIME_WORDS)
    ):
        return Header(match[1], match[2])
    return Header(name, "")


def is_known_unit(text: str) -> bool:
    """Return whether text is a unit: of voltage, of time, or of what is recorded beside an ECG."""
    lower = text.strip().lower()
    return (
        millivolt(text) is not None
        or lower in _UNIT_SECONDS
        or lower in _OTHER_UNITS
        or _CLOCK_UNITS.fullmatch(lower) is not None
    )


def seconds_of_unit(unit: str) -> float | None:
    """Return how many seconds one of a unit of time is; None if it is not one."""
    return _UNIT_SECONDS.get(unit.strip().lower())


def is_time_name(name: str) -> bool:
    """Return whether a column is called like a time."""
    return bool(_words(name) & _TIME_WORDS)


def choose_columns(
    path: Path, headers: Sequence[Header | None], values: Sequence[Column], stated: Stated, unit_in_file: str = ""
) -> Columns:
    """Tell leads, times and counters among columns.

    Parameters
    ----------
    headers : sequence of Header or None
        None for a column that the file does not name; with an empty name, a column is passed over, such as an index.
    values : sequence of ndarray of float64 or of list of str
        The first values of each column, or none.
    unit_in_file : str
        Of all leads that have no unit of their own.

    Raises
    ------
    DataError
        If no column is a lead, one states no unit where the caller states none, or all of them are in another one.
    """
    for header in headers:
        if header is not None and len(header.name) > _LONGEST_NAME:
            raise DataError(
                f"{path} names a column {header.name[:30]!r}...; expected at most {_LONGEST_NAME} characters."
            )
    roles = [_role(header, column) for header, column in zip(headers, values, strict=True)]
    # Where a column is called like an ECG, one that is not so called has no claim to be one.
    usable = [index for index, role in enumerate(roles) if role is Role.ECG] or [
        index for index, role in enumerate(roles) if role is Role.UNKNOWN
    ]
    if not usable:
        columns = ", ".join(_described(index, headers[index], role) for index, role in enumerate(roles))
        raise DataError(f"{path} holds no lead: expected a column of ECG in V, mV or uV and found {columns[:200]}.")
    signals = [_signal(position, headers[index], unit_in_file) for position, index in enumerate(usable, start=1)]
    lead_places = choose_leads(path, signals, stated.unit)
    check_unit(path, [signals[index].unit for index in lead_places], stated.unit)
    leads = tuple(usable[index] for index in lead_places)
    waves = [
        (index, header.name, unit)
        for index, (header, role, column) in enumerate(zip(headers, roles, values, strict=True))
        if role is Role.OTHER and header is not None and isinstance(column, np.ndarray)
        if (unit := pulse_unit(header.name, header.unit)) is not None
    ][:MOST_PULSES]
    read = {*leads, *(index for index, _, _ in waves)}
    times = sorted(
        (index for index, role in enumerate(roles) if role is Role.TIME),
        key=lambda column: not _time_unit(headers[column]),
    )
    return Columns(
        unique_names([signals[index].name for index in lead_places]),
        leads,
        tuple(factors(signals, lead_places, stated.unit)),
        tuple(times),
        tuple(_time_unit(headers[index]) for index in times),
        tuple(index for index, role in enumerate(roles) if role is Role.COUNTER),
        tuple(index for index in leads if roles[index] is Role.UNKNOWN),
        tuple(
            _described(index, headers[index], role)
            for index, role in enumerate(roles)
            if index not in read and role not in (Role.TIME, Role.BLANK) and headers[index] != Header("", "")
        ),
        tuple(
            PulseColumn(index, name, unit)
            for (index, _, unit), name in zip(waves, unique_names([name for _, name, _ in waves]), strict=True)
        ),
    )


def without_levels(columns: Columns, samples: NDArray[np.float32]) -> tuple[Columns, NDArray[np.float32]]:
    """Leave out what only the values show not to be ECG: a few whole numbers, as of labels.

    `samples` are all rows, in mV, shape (rows, leads).
    """
    if len(samples) < _FEWEST_ROWS or not columns.doubtful or len(columns.leads) == 1:
        return columns, samples
    levels = [
        _levels(samples[:, place].astype(np.float64) / columns.to_millivolt[place])
        for place in range(len(columns.leads))
    ]
    few = [
        lead in columns.doubtful
        and values is not None
        and len(values) > 1
        and all(value == int(value) for value in values)
        for lead, values in zip(columns.leads, levels, strict=True)
    ]
    if not any(few) or all(values is not None for values in levels):
        return columns, samples
    remaining = [place for place, has_few in enumerate(few) if not has_few]
    names = [columns.names[place] for place in remaining]
    if all(re.fullmatch(r"lead \d+", name) for name in columns.names):
        names = numbered(len(remaining))
    left_out = [_described(columns.leads[place], None, Role.LABEL) for place, has_few in enumerate(few) if has_few]
    columns = columns._replace(
        names=tuple(names),
        leads=tuple(columns.leads[place] for place in remaining),
        to_millivolt=tuple(columns.to_millivolt[place] for place in remaining),
        left_out=(*columns.left_out, *left_out),
    )
    return columns, np.ascontiguousarray(samples[:, remaining])


def numbered(count: int) -> list[str]:
    """Names for leads that have none."""
    return [f"lead {number}" for number in range(1, count + 1)]


def to_samples(values: NDArray[np.float64], columns: Columns) -> NDArray[np.float32]:
    """Rows of the columns that are read, leads in mV and pulse waves in their unit; NaN where they are not finite."""
    factors = (*columns.to_millivolt, *(pulse.unit.factor for pulse in columns.pulses))
    with np.errstate(over="ignore", invalid="ignore"):
        samples: NDArray[np.float32] = (values * np.array(factors)).astype(np.float32)
    samples[~np.isfinite(samples)] = np.nan
    return samples


def _signal(position: int, header: Header | None, unit_in_file: str) -> Signal:
    if header is None:
        return Signal(f"lead {position}", unit_in_file, 0)
    return Signal(header.name, header.unit or unit_in_file, 0)


def _described(index: int, header: Header | None, role: Role) -> str:
    if header is None or not header.name:
        return f"column {index + 1} ({role.value})"
    other = role is Role.OTHER and header.unit and millivolt(header.unit) is None
    return f"{header.name!r} ({f'in {header.unit}' if other else role.value})"


def _role(header: Header | None, column: Column) -> Role:
    numbers = np.asarray(column, np.float64) if isinstance(column, np.ndarray) else None
    if header is None:
        return _role_of_values(numbers, column)
    if not header.name and not header.unit:
        # An index without a name: of times, of row numbers that may have gaps, or of anything else.
        role = _role_of_values(numbers, column)
        return role if role in (Role.TIME, Role.COUNTER) else Role.BLANK
    role = _role_of_name(header, numbers)
    if role is not Role.UNKNOWN:
        return role
    if millivolt(header.unit) is not None:
        return Role.UNKNOWN
    return _role_of_values(numbers, column)


def _role_of_name(header: Header, numbers: NDArray[np.float64] | None) -> Role:
    words = _words(header.name)
    lead = bool(re.fullmatch(r"[A-Za-z]+\d{0,2}[Rr]?|lead \w+", header.name.strip())) and is_ecg(header.name)
    if seconds_of_unit(header.unit) is not None or _CLOCK_UNITS.fullmatch(header.unit):
        return Role.OTHER if words & _OTHER_WORDS else Role.TIME
    if header.unit and millivolt(header.unit) is None:
        return Role.OTHER
    ecg_values = is_ecg(header.name) and numbers is not None and not _rises(numbers, 2)
    if words & _TIME_WORDS and not ecg_values:
        return Role.TIME
    if lead and not words & _LABEL_WORDS:
        return Role.ECG
    if words & _LABEL_WORDS:
        return Role.LABEL
    if words & _OTHER_WORDS or re.search(r"heart ?rate", " ".join(header.name.lower().split("_"))):
        return Role.OTHER
    if is_ecg(header.name):
        return Role.ECG
    if words & _COUNTER_WORDS:
        return Role.COUNTER
    if words & _MAYBE_COUNTER_WORDS and numbers is not None and _rises(numbers, 2):
        return Role.COUNTER
    return Role.UNKNOWN


def _role_of_values(numbers: NDArray[np.float64] | None, column: Column) -> Role:
    if numbers is None:
        return Role.TIME if column and all(parse_clock(str(cell)) for cell in column) else Role.LABEL
    if not _rises(numbers, _FEWEST_ROWS):
        return Role.UNKNOWN
    return Role.COUNTER if _counts(numbers) else Role.TIME


def _rises(numbers: NDArray[np.float64], fewest: int) -> bool:
    """Return whether a column never falls and keeps rising."""
    if len(numbers) < fewest or not np.isfinite(numbers).all():
        return False
    steps = np.diff(numbers)
    return bool(np.all(steps >= 0) and np.sum(steps > 0) >= max(_LEAST_RISES * len(steps), 1))


def _counts(numbers: NDArray[np.float64]) -> bool:
    """Return whether a column that rises counts its rows."""
    return bool(np.all(numbers == np.floor(numbers)) and np.median(np.diff(numbers)) == 1)


def _levels(values: NDArray[np.float64]) -> set[float] | None:
    """The different values of a column; None if there are more than a few."""
    levels: set[float] = set()
    for begin in range(0, len(values), _BLOCK_ROWS):
        block = np.unique(values[begin : begin + _BLOCK_ROWS])
        levels.update(np.round(block[np.isfinite(block)], 3).tolist())
        if len(levels) > _MOST_LEVELS:
            return None
    return levels


def _time_unit(header: Header | None) -> str:
    """The unit that a column of times states, in brackets or as its name; empty if it states none."""
    if header is None:
        return ""
    if header.unit:
        return header.unit
    return next((word for word in sorted(_words(header.name)) if word in _UNIT_SECONDS and len(word) > 1), "")


def _words(name: str) -> set[str]:
    """The words of a name, with and without a break where a capital follows a small letter."""
    broken = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return {word for text in (name, broken) for word in re.split(r"[^0-9a-zµμ#äöüß]+", text.lower()) if word}
