"""The log of a patient's alarms: entries that are numbered and chained, so that no change to them goes unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, replace

from ectopy.monitor.alarm import Alarm, Transition

GENESIS = "0" * 64


def seal(number: int, at_s: float, change: str, alarm: Alarm, who: str, why: str, previous: str) -> Transition:
    """Entry number `number` of the log, with its digest; `previous` is that of the entry before, or `GENESIS`."""
    entry = Transition(number, at_s, change, alarm, who, why, previous, digest="")
    return replace(entry, digest=_digest(entry))


def verify(entries: Iterable[Transition]) -> int | None:
    """Find the first broken entry of a log.

    Entries missing at the end break no chain: compare the last digest with that in the patient's `AlarmState`.

    Parameters
    ----------
    entries : iterable of Transition
        The whole log of a patient, from its first entry.

    Returns
    -------
    int or None
        The number that the first entry ought to have that was changed, or stands where another one belongs; None where
        the log is whole.
    """
    previous = GENESIS
    for number, entry in enumerate(entries, start=1):
        if (entry.number, entry.previous, entry.digest) != (number, previous, _digest(entry)):
            return number
        previous = entry.digest
    return None


def _digest(entry: Transition) -> str:
    """SHA-256 of everything in an entry but its digest, as JSON with sorted keys.

    Stores differ in whether they keep 5.0 apart from 5, and NaN apart from nothing; the digest does neither.
    """
    facts = asdict(entry)
    del facts["digest"]
    if entry.alarm.cleared_s is None:  # so that entries written before there was this field keep their digest
        del facts["alarm"]["cleared_s"]
    plain = json.loads(json.dumps(facts), parse_int=float, parse_constant=lambda _: None)
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
