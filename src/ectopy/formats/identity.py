"""Patients and recorders as headers describe them: text for one line, and dates, sexes and ages in many spellings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date, datetime, time

from ectopy.errors import short_text
from ectopy.recording import Patient

SEXES = {1: "male", 2: "female"}
"""By the number in ISHNE and SCP-ECG files."""

_SEXES = {
    **dict.fromkeys(("f", "female", "w", "weiblich"), "female"),
    **dict.fromkeys(("m", "male", "männlich"), "male"),
}
_UNSTATED = frozenset(("", "-", "--", "---", "?", "x", "n/a", "none", "unknown", "null", "not specified"))
_MOST_YEARS = 150.0
_MOST_STATEMENTS = 12
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"
_YEARS_OF_A_UNIT = {"y": 1.0, "a": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25, "h": 1 / 8766}


def fact(text: str | bytes | None) -> str:
    r"""A text of a header on one line that can be printed; empty where it states nothing.

    Examples
    --------
    >>> fact(b"PageWriter\0\0"), fact(" unknown "), fact(None)
    ('PageWriter', '', '')
    """
    if isinstance(text, bytes):
        text = decoded(text.partition(b"\0")[0])
    tidy = " ".join((text or "").replace("\0", " ").split())
    return "" if tidy.casefold() in _UNSTATED else short_text(tidy)


def decoded(content: bytes) -> str:
    """Text in UTF-8 or else in Latin-1."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def facts(*texts: str | bytes | None) -> str:
    """Texts of a header that state something, each once, with blanks between them."""
    return " ".join(dict.fromkeys(filter(None, map(fact, texts))))


def reading(statements: Iterable[str | bytes | None]) -> list[str]:
    """A note with what a recorder or a reader states of the ECG; none where they state nothing.

    Examples
    --------
    >>> reading(["Sinus rhythm ", None, "Normal ECG"])
    ["The file's own reading, not Ectopy's: Sinus rhythm; Normal ECG."]
    """
    texts = list(dict.fromkeys(filter(None, map(fact, statements))))
    if not texts:
        return []
    more = f"; and {len(texts) - _MOST_STATEMENTS} more" if len(texts) > _MOST_STATEMENTS else ""
    return [f"The file's own reading, not Ectopy's: {'; '.join(texts[:_MOST_STATEMENTS]).rstrip('.')}{more}."]


def patient(
    name: str = "",
    identifier: str | bytes | None = "",
    sex: str | None = "",
    birth_date: date | None = None,
    age_years: float | None = None,
) -> Patient:
    """The patient, without an age that nobody has; sexes are read as ``F``, ``female``, ``M`` and so on."""
    if age_years is not None and not 0 < age_years < _MOST_YEARS:
        age_years = None
    return Patient(fact(name), fact(identifier), _SEXES.get(fact(sex).casefold(), ""), birth_date, age_years)


def age(number: str | float | None, unit: str = "years") -> float | None:
    """An age in years, from a number and a unit such as ``YEARS``, ``months`` or ``D``; None where it is not one."""
    try:
        value = float(number or "nan")
    except ValueError:
        return None
    years = value * _YEARS_OF_A_UNIT.get(unit.strip()[:1].lower(), math.nan)
    return years if 0 < years < _MOST_YEARS else None


def date_of(year: int, month: int, day: int) -> date | None:
    """A date; None where the numbers are not those of one, or stand for an unknown one (1900-01-01)."""
    try:
        moment = date(year, month, day)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1800 and moment != date(1900, 1, 1) else None


def calendar_date(text: str) -> date | None:
    """A date as people write it: 1990-01-31, 31.01.1990, 31 Jan 1990 or Jan 31, 1990; None where it is not one.

    Examples
    --------
    >>> calendar_date("1 Jan 1990"), calendar_date("31.12.1990"), calendar_date("1/2/90")
    (datetime.date(1990, 1, 1), datetime.date(1990, 12, 31), None)
    """
    text = text.strip()
    if match := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text, re.ASCII):
        return date_of(int(match[1]), int(match[2]), int(match[3]))
    if match := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text, re.ASCII):
        return date_of(int(match[3]), int(match[2]), int(match[1]))
    match = re.fullmatch(r"(\d{1,2})[. ]+([A-Za-z]{3})[a-z]*\.? (\d{4})", text, re.ASCII)
    other = re.fullmatch(r"([A-Za-z]{3})[a-z]*\.? (\d{1,2}), (\d{4})", text, re.ASCII)
    if match is None and other is None:
        return None
    day, month, year = match.groups() if match else (other[2], other[1], other[3]) if other else ("", "", "")
    place = _MONTHS.find(month.lower())
    return date_of(int(year), place // 3 + 1, int(day)) if place >= 0 and place % 3 == 0 else None


def moment_of(day: date | None, clock: tuple[int, int, int]) -> datetime | None:
    """A date and a time of day; None where either is not one."""
    try:
        return None if day is None else datetime.combine(day, time(*clock))
    except ValueError:
        return None


def hl7_moment(text: str | None) -> datetime | None:
    """A point in time as in HL7 and DICOM, ``20021122091000.000+0100``: local, to the digits that are there.

    Examples
    --------
    >>> hl7_moment("20021122091000.25-0500"), hl7_moment("200211"), hl7_moment("today")
    (datetime.datetime(2002, 11, 22, 9, 10, 0, 250000), None, None)
    """
    match = re.match(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?(\.\d{1,6})?)?", (text or "").strip(), re.ASCII)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        return datetime(year, month, day, hour, minute, second, int(float(match[7] or 0) * 1e6))
    except ValueError:
        return None


def hl7_start(text: str | None) -> datetime | None:
    """A point in time as of `hl7_moment`; None where it has no time of day, as a date alone does not say it.

    Examples
    --------
    >>> hl7_start("200211220910"), hl7_start("20021122")
    (datetime.datetime(2002, 11, 22, 9, 10), None)
    """
    return hl7_moment(text) if re.match(r"\d{12}", (text or "").strip(), re.ASCII) else None
