"""Rules that all formats share: which signals are leads, in which unit, at which rate, and how much is too much."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ectopy.errors import DataError, SettingError

MAX_LEADS = 64
"""Most leads that are read from one recording."""
MAX_VALUES = 2**30
"""Most values, samples times leads, that are read from one recording: 4 GiB, or two weeks of three leads at 250 Hz."""
MIN_RATE_HZ = 1.0
MAX_RATE_HZ = 100_000.0
_NAMED = 8
"""Most signals that a note names."""
BLOCK_S = 600.0
"""Long recordings are read in blocks of this many seconds."""

_MILLIVOLT = {"V": 1e3, "mV": 1.0, "uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "ÂµV": 1e-3, "nV": 1e-6}
# The last-but-one is a micro sign in UTF-8 that was read as Latin-1.
_FACTORS = _MILLIVOLT | {unit.lower(): factor for unit, factor in _MILLIVOLT.items()}
_SAYS_ECG = re.compile(r"(?<![A-Za-z])(?i:ecg|ekg)|(?<=[a-z])E[CcKk][Gg]")
_PULSE_NAME = re.compile(r"(?<![a-z])(pleth|plethysmogra(m|ph|phy)|ppg|abp|art|aobp|ibp)(?![a-z])")
# Numbers that a monitor computes from a pulse wave.
_OF_A_PULSE = re.compile(r"(?<![a-z])(mean|map|mbp|sys|sbp|systolic|dia|dbp|diastolic|hr|pr|rate)(?![a-z])")
_LEAD_NAME = re.compile(r"(i{1,3}|av[rlf]|m?v(\d{1,2}|[xyz])?r?|ml(i{1,3}|[1-3])|m?cl?m?[1-9]|lead.*)", re.IGNORECASE)


class Stated(NamedTuple):
    """Statements of the caller on a file, for what the file itself leaves open; None where nothing is said.

    `partial` asks for the intact part of a file that is not whole.
    """

    sampling_rate_hz: float | None
    unit: str | None
    partial: bool = False


class Signal(NamedTuple):
    """One signal of a file; `unit` is empty where the file states none."""

    name: str
    unit: str
    sampling_rate_hz: float


def millivolt(unit: str) -> float | None:
    """Return what one of `unit` is in mV; None where it is not an unit of voltage."""
    return _FACTORS.get(unit.strip())


def check_stated(sampling_rate_hz: float | None, unit: str | None) -> Stated:
    """Return what a caller states on a file; a `SettingError` if the rate is out of range or the unit is unknown."""
    if sampling_rate_hz is not None and not MIN_RATE_HZ <= sampling_rate_hz <= MAX_RATE_HZ:
        raise SettingError(
            f"the sampling rate must be from {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz, not {sampling_rate_hz} Hz."
        )
    if unit is not None and millivolt(unit) is None:
        raise SettingError(f"the unit {unit!r} is unknown; known are V, mV, uV and nV.")
    return Stated(None if sampling_rate_hz is None else float(sampling_rate_hz), unit)


def choose_leads(path: Path, signals: Sequence[Signal], unit: str | None) -> list[int]:
    """Return which signals are read, by their index.

    Those in a unit of voltage; where some of them are called ECG or EKG, only these and those called like a lead (II,
    aVR, V5, ...), so that the EEG of a sleep study stays out. Where they have several sampling rates, those with the
    highest: a slower one is left out rather than resampled. One that is called like a pulse wave is left out where
    there are others.

    Raises
    ------
    DataError
        If there is no such signal, one that looks like a lead states no unit and `unit` is None, or there are too many.
    """
    units = [signal.unit or ("" if is_pulse_name(signal.name) else unit) or "" for signal in signals]
    leads = [index for index, stated in enumerate(units) if millivolt(stated) is not None]
    leads = [index for index in leads if not is_pulse_name(signals[index].name)] or leads
    for index, signal in enumerate(signals):
        if not units[index] and (is_ecg(signal.name) or (not leads and not is_pulse_name(signal.name))):
            raise DataError(
                f"{path} states no unit for the lead {signal.name!r}: "
                "give V, mV or uV with unit= (--unit on the command line)."
            )
    if not leads:
        units_in_file = ", ".join(sorted({repr(stated) for stated in units})) or "none at all"
        raise DataError(f"{path} holds no lead: expected a signal in V, mV or uV and found {units_in_file[:200]}.")
    if any(_SAYS_ECG.search(signals[index].name) for index in leads):
        leads = [index for index in leads if is_ecg(signals[index].name)]
    fastest = max(signals[index].sampling_rate_hz for index in leads)
    leads = [index for index in leads if signals[index].sampling_rate_hz == fastest]
    if len(leads) > MAX_LEADS:
        raise DataError(f"{path} holds {len(leads)} leads, and a recording may have {MAX_LEADS}: split it.")
    return leads


def is_ecg(name: str) -> bool:
    """Return whether a signal is called ECG or EKG, or like a lead."""
    return bool(_SAYS_ECG.search(name) or _LEAD_NAME.fullmatch(name.strip()))


def is_pulse_name(name: str) -> bool:
    """Check that a signal is called like a pulse wave: a plethysmogram or an arterial pressure, not a mean of one."""
    lower = name.casefold()
    return bool(_PULSE_NAME.search(lower)) and not _OF_A_PULSE.search(lower)


def unique_names(names: Sequence[str], separator: str = " ") -> tuple[str, ...]:
    """Number names that are there already, upper and lower case alike: ECG, ECG and ECG become ECG, ECG 2 and ECG 3.

    Examples
    --------
    >>> unique_names(["ECG", "ECG", "V5", "ECG 2", "ECG"])
    ('ECG', 'ECG 3', 'V5', 'ECG 2', 'ECG 4')
    """
    result: list[str] = []
    present, numbers = {name.casefold() for name in names}, dict[str, int]()
    for name in names:
        unique, number = name, numbers.get(name.casefold(), 1)
        while number > 1 and unique.casefold() in present:
            unique, number = f"{name}{separator}{number}", number + 1
        numbers[name.casefold()] = max(number, 2)
        result.append(unique)
    return tuple(result)


def left_out(signals: Sequence[Signal], read: Sequence[int]) -> list[str]:
    """A note on the signals that are not read, if there are any."""
    descriptions = [
        f"{signal.name!r} in {signal.unit or 'no unit'} at {signal.sampling_rate_hz:g} Hz"
        for index, signal in enumerate(signals)
        if index not in read
    ]
    more = f" and {len(descriptions) - _NAMED} more" if len(descriptions) > _NAMED else ""
    return (
        [f"Left out, as neither ECG nor pulse wave, or slower: {', '.join(descriptions[:_NAMED])}{more}."]
        if descriptions
        else []
    )


def factors(signals: Sequence[Signal], leads: Sequence[int], unit: str | None) -> list[float]:
    """Return what the values of each chosen lead are to be multiplied with to become mV."""
    return [millivolt(signals[index].unit or unit or "") or math.nan for index in leads]


def sampling_rate(path: Path, in_file_hz: float | None, stated_hz: float | None) -> float:
    """Return the rate that the file states or, where it states none, the caller.

    A `DataError` if neither does, they contradict each other, or the rate is out of range.
    """
    rate = stated_hz if in_file_hz is None else in_file_hz
    if rate is None:
        raise DataError(
            f"{path} states no sampling rate: give it in Hz with sampling_rate_hz= (--rate on the command line)."
        )
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise DataError(
            f"{path} has a sampling rate of {rate:g} Hz; expected one from {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz."
        )
    if stated_hz is not None and not math.isclose(rate, stated_hz, rel_tol=1e-6):
        raise DataError(f"{path} states a sampling rate of {rate:.10g} Hz, not {stated_hz:.10g} Hz: leave yours out.")
    return rate


def check_unit(path: Path, in_file: Iterable[str], stated: str | None) -> None:
    """Raise DataError where the caller states a unit that no lead of a file needs or has.

    `in_file` are the units of the leads, empty where the file states none.
    """
    units = sorted(set(in_file))
    if stated is not None and all(unit and millivolt(unit) != millivolt(stated) for unit in units):
        raise DataError(f"{path} states the unit {' and '.join(units)}, not {stated}: leave yours out.")


def damaged(path: Path, flaw: str) -> DataError:
    """Return the error of a file whose intact part can be read, where that is not what the caller asks for."""
    return DataError(
        f"{path} {flaw}; copy it again from its source, or read the intact part with partial=True (--partial on the "
        "command line)."
    )


def check_size(path: Path, samples: int, leads: int) -> None:
    """Raise DataError where a recording has no samples, or more than fit into memory."""
    if samples < 1:
        raise DataError(f"{path} holds no samples; expected a recording.")
    if samples * leads > MAX_VALUES:
        raise DataError(
            f"{path} claims {samples:,} samples of {leads} lead{'s' * (leads != 1)}, and a recording may have "
            f"{MAX_VALUES:,} values: split it."
        )
