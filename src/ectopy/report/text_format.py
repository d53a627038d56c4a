"""Numbers and rules as people read them."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ectopy.beats import NORMAL_LABEL
from ectopy.detector import ThresholdRule
from ectopy.evaluation import class_name
from ectopy.presentation import elapsed as elapsed
from ectopy.report.language import ENGLISH, Language
from ectopy.signal import FilterSettings

NO_NUMBER = "–"
"""Replaces a missing number."""
_MINUS = "−"
_MOST_DECIMALS = 4


def count(number: int, language: Language = ENGLISH) -> str:
    """Write a whole number.

    Examples
    --------
    >>> count(4500)
    '4,500'
    """
    return language.decimal(number)


def beat_count(number: int, kind: str = "") -> str:
    """Write a number of beats.

    Examples
    --------
    >>> beat_count(1), beat_count(4500, "normal")
    ('1 beat', '4,500 normal beats')
    """
    noun = "beat" if number == 1 else "beats"
    return " ".join(filter(None, (count(number), kind, noun)))


def percent(part: int, whole: int, language: Language = ENGLISH) -> str:
    """Write a share with the digits that its counts support, never rounded to none or all.

    Examples
    --------
    >>> percent(1, 3), percent(1243, 4500), percent(0, 9), percent(99_999, 100_000), percent(0, 0)
    ('33 %', '27.6 %', '0 %', '99.999 %', '–')
    """
    if whole == 0:
        return NO_NUMBER
    share = 100 * part / whole
    if part in (0, whole):
        return f"{language.decimal(share)} %"
    decimals = 0 if whole < 100 else 1
    while decimals < _MOST_DECIMALS and round(share, decimals) in (0, 100):
        decimals += 1
    return f"{language.decimal(share, decimals)} %"


def rate(value: float, language: Language = ENGLISH) -> str:
    """Write a share between 0 and 1 whose counts are not at hand.

    Examples
    --------
    >>> rate(0.65777), rate(float("nan"))
    ('65.8 %', '–')
    """
    return NO_NUMBER if math.isnan(value) else f"{language.decimal(100 * value, 1)} %"


def area(value: float) -> str:
    """Write an area under a curve, between 0 and 1.

    Examples
    --------
    >>> area(0.99484)
    '0.9948'
    """
    return f"{value:.4f}"


def score(value: float, language: Language = ENGLISH) -> str:
    """Write a score, with a minus sign that is one.

    Examples
    --------
    >>> score(3.432), score(-0.5), score(float("nan"))
    ('3.43', '−0.50', '–')
    """
    return number(value, 2, language)


def p_value(value: float) -> str:
    """Write a p-value to two digits.

    Examples
    --------
    >>> p_value(1 / 293), p_value(0.5), p_value(float("nan"))
    ('0.0034', '0.5', '–')
    """
    return NO_NUMBER if math.isnan(value) else f"{value:.2g}"


def seconds(value: float, language: Language = ENGLISH) -> str:
    """Write a duration.

    Examples
    --------
    >>> seconds(0.42), seconds(47.25), seconds(125), seconds(7500)
    ('0.4 s', '47 s', '2 min 5 s', '2 h 5 min')
    """
    if value < 10:
        return f"{language.decimal(value, 1)} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(start: datetime | None, seconds: float, language: Language = ENGLISH) -> str:
    """Write a moment as the time of day, where the start is known, else as the time since the start.

    The date stands before it where it is another than that of the start.

    Examples
    --------
    >>> moment(None, 754), moment(datetime(2024, 3, 1, 23, 58), 754)
    ('0:12:34', '2024-03-02 00:10:34')
    """
    return time_of_day(start, seconds, language) or elapsed(seconds)


def time_of_day(start: datetime | None, seconds: float, language: Language = ENGLISH) -> str:
    """Write the time of day, with the date where it is another than that of the start; nothing without a start.

    Examples
    --------
    >>> time_of_day(datetime(2024, 3, 1, 8, 0), 754), time_of_day(None, 754)
    ('08:12:34', '')
    """
    if start is None:
        return ""
    at = start + timedelta(seconds=round(seconds))
    return f"{at:%H:%M:%S}" if at.date() == start.date() else language.moment(at)


def lead(name: str) -> str:
    """Shorten the name of a lead: EDF labels begin with the kind of signal.

    Examples
    --------
    >>> lead("ECG II"), lead("EKG V1"), lead("ECG"), lead("MLII")
    ('II', 'V1', 'ECG', 'MLII')
    """
    return re.sub(r"^(ECG|EKG)[ _-]+(?=\S)", "", name, flags=re.IGNORECASE)


def css_string(text: str) -> str:
    r"""Write a text as a string of a style sheet, with everything but plain characters escaped.

    Examples
    --------
    >>> css_string('a "b" </style>')
    '"a \\22 b\\22  \\3c \\2f style\\3e "'
    """
    plain = "".join(
        character if character.isalnum() or character in " .,:-_()" else f"\\{ord(character):x} " for character in text
    )
    return f'"{plain}"'


def whole(value: float | None, language: Language = ENGLISH) -> str:
    """Write a rate or the like without decimals.

    Examples
    --------
    >>> whole(72.4), whole(float("nan")), whole(None)
    ('72', '–', '–')
    """
    return number(value, 0, language)


def number(value: float | None, places: int, language: Language = ENGLISH) -> str:
    """Write a number with so many decimals.

    Examples
    --------
    >>> number(-0.26, 1), number(-0.01, 1), number(None, 1)
    ('−0.3', '0.0', '–')
    """
    if value is None or math.isnan(value):
        return NO_NUMBER
    return language.decimal(round(value, places) + 0.0, places).replace("-", _MINUS)  # 0 has no sign


def shortest(value: float, language: Language = ENGLISH) -> str:
    """Write a setting such as a sampling rate with the decimals that it has.

    Examples
    --------
    >>> shortest(1000), shortest(62.5)
    ('1000', '62.5')
    """
    plain = f"{value:g}"
    return language.decimal(value, len(plain.partition(".")[2])) if "." in plain else plain


def band(filters: FilterSettings, language: Language = ENGLISH) -> str:
    """Say what a filter lets through.

    Examples
    --------
    >>> band(FilterSettings()), band(FilterSettings(notch_hz=50))
    ('0.5–40 Hz', '0.5–40 Hz, without 50 Hz')
    """
    low, high = (language.decimal(hz, 0 if float(hz).is_integer() else 1) for hz in (filters.low_hz, filters.high_hz))
    if not filters.notch_hz:
        return f"{low}–{high} Hz"
    notch = shortest(filters.notch_hz, language)
    return language.text("{low}–{high} Hz, without {notch} Hz", low=low, high=high, notch=notch)


def missing(where: NDArray[np.bool_]) -> str:
    """Say how much of a beat is missing, for its figure.

    Examples
    --------
    >>> missing(np.array([False, True, True, False]))
    '2 of 4 samples missing'
    """
    return f"{int(where.sum())} of {len(where)} samples missing"


def label(number: int) -> str:
    """Say what a beat is labelled as.

    Examples
    --------
    >>> label(1), label(3), label(0)
    ('labelled normal', 'labelled class 3', 'labelled abnormal, class unknown')
    """
    return "labelled normal" if number == NORMAL_LABEL else f"labelled {class_name(number)}"


def threshold(rule: ThresholdRule, held_out: int) -> str:
    """Say where a threshold comes from, to follow "a beat is judged abnormal above it:".

    Parameters
    ----------
    rule : ThresholdRule
    held_out : int
        How many held-out normals it rests on.

    Examples
    --------
    >>> threshold(ThresholdRule(), 292)
    'about 1 % of normal beats flagged, conformal, from 292 held-out normals'
    >>> threshold(ThresholdRule("mean+kstd"), 292)
    'mean plus 1 standard deviation of the scores of 292 held-out normals'
    """
    rate = f"{100 * rule.target_fpr:g} %"
    normals = f"{count(held_out)} held-out normals"
    deviations = f"{rule.k_std:g} standard deviation{'' if rule.k_std == 1 else 's'}"
    rules = {
        "conformal": f"about {rate} of normal beats flagged, conformal, from {normals}",
        "quantile": f"exceeded by {rate} of the scores of {normals}",
        "mean+kstd": f"mean plus {deviations} of the scores of {normals}",
        "max": f"the largest score of {normals}",
    }
    return rules[rule.name]
