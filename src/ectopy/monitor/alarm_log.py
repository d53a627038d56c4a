"""The log of a patient's alarms: entries that are numbered and chained, so that no change to them goes unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

from ectopy.monitor.alarm import Alarm, Transition
from ectopy.monitor.codec import encode
from ectopy.monitor.events import Evidence

GENESIS = "0" * 64


def seal(number: int, at_s: float, change: str, alarm: Alarm, person: str, why: str, previous: str) -> Transition:
    """Entry number `number` of the log, with its digest; `previous` is that of the entry before, or `GENESIS`."""
    entry = Transition(number, at_s, change, alarm, person, why, previous, digest="")
    return replace(entry, digest=_digest(entry))


def seal_with(entries: Sequence[Transition], evidence: Sequence[Evidence | None]) -> tuple[Transition, ...]:
    """Seal entries that follow each other once more, each with what it rests on."""
    sealed: list[Transition] = []
    previous = entries[0].previous
    for entry, beats in zip(entries, evidence, strict=True):
        entry = replace(entry, previous=previous, evidence="" if beats is None else digest_of(beats))
        sealed.append(replace(entry, digest=_digest(entry)))
        previous = sealed[-1].digest
    return tuple(sealed)


def digest_of(evidence: Evidence) -> str:
    """Return the digest of the beats of an alarm for `Transition.evidence`."""
    return hashlib.sha256(encode(evidence)).hexdigest()


def verify(entries: Iterable[Transition], after: int = 0, previous: str = GENESIS) -> int | None:
    """Find the first broken entry of a log.

    Entries missing at the end break no chain: compare the last digest with that in the patient's `PatientAlarms`.

    Parameters
    ----------
    entries : iterable of Transition
        The log of a patient: all of it, or from a checkpoint on.
    after : int
        Number of the last entry before these, which was verified earlier.
    previous : str
        Digest of that entry.

    Returns
    -------
    int or None
        The number that the first entry ought to have that was changed, or stands where another one belongs; None where
        the log is whole.
    """
    for number, entry in enumerate(entries, start=after + 1):
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
    facts["who"] = facts.pop("person")  # the name that the API and stored logs have
    if not entry.evidence:  # as were all entries before there was a digest of it
        del facts["evidence"]
    if entry.alarm.cleared_s is None:  # so that entries written before there was this field keep their digest
        del facts["alarm"]["cleared_s"]
    plain = json.loads(json.dumps(facts), parse_int=float, parse_constant=lambda _: None)
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
