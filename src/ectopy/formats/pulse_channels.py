"""Pulse waves among other signals: recognised by name and unit together, in files and in what devices send."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.formats.leads import Signal, is_ecg, is_pulse_name, millivolt
from ectopy.formats.spelling import word_set

MOST_PULSES = 4
"""Most pulse waves of a recording or a stream."""
LOWEST_PULSE_HZ, HIGHEST_PULSE_HZ = 20.0, 1000.0
"""Sampling rates of a pulse wave; slower signals are numbers that a monitor shows, such as the mean pressure."""
PRESSURE_UNIT, NO_UNIT = "mmHg", "NU"
"""Units of pulse waves as the monitor takes them."""
MOST_PULSE_VALUE = 1e7
"""Largest value of a pulse wave: a converter of 24 bits counts to 8.4 million either way."""

_PRESSURE = re.compile(r"(?<![a-z])(abp|art|aobp|ibp)(?![a-z])")
_PRESSURE_UNITS = {"mmhg": 1.0, "torr": 1.0, "kpa": 7.500617}
_NO_ECG = re.compile(r"(?<![A-Za-z])(EEG|EOG|EMG)(?![A-Za-z])", re.IGNORECASE)
_NO_UNITS = {"", *word_set("- ? n/a none nu n.u. au a.u. arb arb. % adc adu count counts lsb")}


def is_pressure_name(name: str) -> bool:
    """Return whether a pulse wave of this name is an arterial pressure, whatever its unit."""
    return _PRESSURE.search(name.lower()) is not None


class PulseUnit(NamedTuple):
    """Unit of a pulse wave, ``mmHg`` or ``NU``, and the factor by which its values are multiplied to be in it."""

    unit: str
    factor: float


@lru_cache(maxsize=256)
def pulse_unit(name: str, unit: str) -> PulseUnit | None:
    """The unit of a pulse wave; None if the name and the unit together are not those of one.

    A plethysmogram has no unit. An arterial pressure has a unit of pressure, or none where it is not calibrated.

    Examples
    --------
    >>> pulse_unit("ABP", "mmHg")
    PulseUnit(unit='mmHg', factor=1.0)
    >>> pulse_unit("SpO2 Pleth", "")
    PulseUnit(unit='NU', factor=1.0)
    >>> pulse_unit("ABP", "mV"), pulse_unit("ABP mean", "mmHg"), pulse_unit("RESP", "NU")
    (None, None, None)
    """
    if not is_pulse_name(name):
        return None
    spelt = unit.strip().strip("[]()").replace(" ", "").casefold()
    if spelt in _PRESSURE_UNITS and _PRESSURE.search(name.casefold()):
        return PulseUnit(PRESSURE_UNIT, _PRESSURE_UNITS[spelt])
    return PulseUnit(NO_UNIT, 1.0) if spelt in _NO_UNITS else None


def choose_pulses(signals: Sequence[Signal], leads: Sequence[int]) -> list[int]:
    """Return which signals are pulse waves, by their index: the first four that are not leads."""
    pulses = [
        index
        for index, signal in enumerate(signals)
        if index not in leads
        and LOWEST_PULSE_HZ <= signal.sampling_rate_hz <= HIGHEST_PULSE_HZ
        and pulse_unit(signal.name, signal.unit) is not None
    ]
    return pulses[:MOST_PULSES]


def contradictions(signals: Sequence[Signal], leads: Sequence[int]) -> list[str]:
    """Notes on signals whose name says one thing and whose unit another, and on leads that are called no ECG at all."""
    notes = []
    names = [signals[lead].name for lead in leads]
    if names and all(_NO_ECG.search(name) for name in names):
        notes.append(f"None of the signals is called an ECG: {', '.join(names[:8])}; heartbeats in them mean nothing.")
    for index, (name, unit, _) in enumerate(signals):
        if is_pulse_name(name) and millivolt(unit) is not None:
            read = ", and is read as a lead" if index in leads else ""
            notes.append(f"{name!r} is called like a pulse wave but is in {unit}{read}: are names or units swapped?")
        elif is_ecg(name) and unit.strip().casefold() in ("nu", *_PRESSURE_UNITS):
            notes.append(f"{name!r} is called like a lead but is in {unit}: are names or units swapped?")
    return notes


def readable_pulse(samples: NDArray[Any], factor: float = 1.0) -> NDArray[np.float32]:
    """Samples of a pulse wave times a factor, NaN for what none can be: infinite, or beyond `MOST_PULSE_VALUE`."""
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = samples if factor == 1.0 else samples * factor
        possible = np.abs(scaled) <= MOST_PULSE_VALUE
        if not possible.all():
            scaled = np.where(possible, scaled, np.nan)
        return scaled.astype(np.float32, copy=False)
