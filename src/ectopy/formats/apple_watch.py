"""The lines above an ECG of an Apple Watch, which the Health app exports in the language of the telephone.

Their order is the same in all languages: name, date of birth, date of the recording, classification, symptoms, version,
device, sampling rate, lead and unit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ectopy.formats.clocks import parse_date_time
from ectopy.formats.identity import calendar_date
from ectopy.formats.leads import millivolt

_MOST_LINES = 20
_PAIR = re.compile(r"\s*([^,;\t]+?)\s*[,;\t]\s*\"?(.*?)\"?[\s,;]*")
_DEVICE = re.compile(r"Watch\d{1,2},\d{1,2}", re.ASCII)
_AMOUNT = re.compile(r"(\d{3,4}(?:[.,]\d+)?)\s*[^\d\s.,;:/%]+")
"""The sampling rate, with the word for hertz."""
_LEAD = re.compile(r"\b(I{1,3}|aV[RLF]|V[1-6])\b", re.ASCII)


def in_english(texts: Sequence[str]) -> list[str]:
    """Lines of a file, of which those above the ECG of an Apple Watch have the words of the English version.

    Lines of other files are returned as they are; so are dates of birth that cannot be read, and readings of the ECG.

    Examples
    --------
    >>> in_english(["Nom,A. B.", 'Appareil,"Watch6,2"', "Fréquence,512 hertz", "Dérivation,I", "Unité,µV", "1,5"])
    ['Name,A. B.', 'Device,"Watch6,2"', 'Sample Rate,512 Hz', 'Lead,I', 'Unit,µV', '1,5']
    """
    result = list(texts)
    pairs = [_PAIR.fullmatch(text) if len(text) < 200 else None for text in texts[:_MOST_LINES]]
    values = [pair[2] if pair else "" for pair in pairs]
    device = next((place for place, value in enumerate(values) if _DEVICE.fullmatch(value)), None)
    if device is None:
        return result
    below = range(device + 1, len(values))
    rate = next(((place, amount[1]) for place in below if (amount := _AMOUNT.fullmatch(values[place]))), None)
    unit = next((place for place in below if millivolt(values[place]) is not None), None)
    if rate is None or unit is None:
        return result
    lead = _LEAD.search(values[unit - 1])
    start = next((place for place, value in enumerate(values[:device]) if parse_date_time(value)), None)
    words = {
        0: f"Name,{values[0]}",
        device: f'Device,"{values[device]}"',
        rate[0]: f"Sample Rate,{rate[1]} Hz",
        unit: f"Unit,{values[unit]}",
    }
    if unit - 1 not in words:
        words[unit - 1] = f"Lead,{lead[0] if lead else 'I'}"
    if calendar_date(values[1]) is not None:
        words[1] = f'Date of Birth,"{values[1]}"'
    if start is not None:
        words[start] = f"Recorded Date,{values[start]}"
    for place, text in words.items():
        result[place] = text
    return result
