"""Numbers and units of voltage as headers of recordings spell them, where what they mean is certain."""

from __future__ import annotations

import re
from pathlib import Path

from ectopy.errors import DataError

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE_NUMBER = re.compile(r"([+-]?\d+)(?:\.0*|,0{0,2})?", re.ASCII)
"""A comma and three zeros may also separate thousands."""
_GROUP_OR_DECIMALS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)

_UNITS = {
    "V": ("v", "volt", "volts"),
    "mV": ("mv", "mvolt", "mvolts", "millivolt", "millivolts", "millivol"),
    "uV": ("uv", "uvolt", "uvolts", "microv", "microvolt", "microvolts", "microvol", "mcv", "muv"),
    "nV": ("nv", "nvolt", "nvolts", "nanovolt", "nanovolts"),
}
_SPELLINGS = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings}
# A micro sign in some encoding, or what a program wrote for a character that it lacked: all other prefixes are ASCII.
_MICRO = re.compile(r"([^\x00-\x7f]{1,3}|[.?])v(olts?)?")
_UNSTATED = frozenset(("", "-", "--", "?", "n/a", "na", "none", "unknown"))
_VOLTAGE = re.compile(r"\S{0,6}v(ol?|olts?)?|\S{0,3}volt\S*")


def word_set(words: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words.split())


def parse_number(text: str) -> float:
    """Read a decimal number, also with a comma for the point.

    A `ValueError` if the text is anything else, or its comma may separate thousands: ``1,000``.
    """
    text = text.strip()
    if not _NUMBER.fullmatch(text) or _GROUP_OR_DECIMALS.fullmatch(text):
        raise ValueError(text)
    return float(text.replace(",", "."))


def stated_number(path: Path, subject: str, text: str) -> float:
    """Read the number that a header states of a subject; raise DataError unless it is certain."""
    text = text.strip(" \0")
    try:
        return parse_number(text)
    except ValueError as error:
        raise DataError(f"{path} states {subject} as {text!r}, which is not certain; expected a number.") from error


def stated_whole_number(path: Path, subject: str, text: str) -> int:
    """Read the whole number that a header states of a subject; raise DataError if it is not one."""
    text = text.strip(" \0")
    match = WHOLE_NUMBER.fullmatch(text)
    if match is None:
        raise DataError(f"{path} states {subject} as {text!r}; expected a whole number.")
    return int(match[1])


def spell_unit(text: str) -> str:
    """The usual spelling of a unit of voltage: V, mV, uV or nV; empty where none is stated; another unit as it is."""
    text = text.strip("\0 \t")
    spelling = text.strip("[]()").replace(" ", "").casefold()
    if spelling in _UNSTATED:
        return ""
    return _SPELLINGS.get(spelling) or ("uV" if _MICRO.fullmatch(spelling) else text)


def readable_unit(path: Path, signal: str, text: str, unit: str | None) -> str:
    """Return the unit of a signal in its usual spelling; the caller's where it cannot be read but looks like voltage.

    A `DataError` if the unit looks like one of voltage and cannot be read, and the caller states none.
    """
    spelt = spell_unit(text)
    if spelt in _UNITS or not _VOLTAGE.fullmatch(spelt.casefold()):
        return spelt
    if unit is None:
        raise DataError(
            f"{path} states the unit {spelt[:20]!r} for the signal {signal!r}, which is not a unit of voltage: "
            "give V, mV or uV with unit= (--unit on the command line)."
        )
    return unit
