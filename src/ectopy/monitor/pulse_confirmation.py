"""The pulse against a rhythm alarm: confirmed, contradicted, unknown.

A rhythm is *contradicted* where the pulse goes on through all of the stretch of signal that an alarm would rest on,
every pulse readable, of usual amplitude and at regular intervals, at another rate than the alarm says. It is
*confirmed* where the pulse stops as the alarm says, or has its rate. All else is *unknown* and changes nothing: a wave
without pulses, one that cannot be read, one that has not been learned yet, an irregular pulse. A patient may have a
pulse in ventricular tachycardia; it then has the rate of the tachycardia, or varies.

Where two waves disagree, nothing is contradicted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf

import numpy as np

from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.pulse_memory import PulseMemory, Wave
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.signal.state_replace import replace

JUDGED = (
    "asystole",
    "extreme bradycardia",
    "extreme tachycardia",
    "ventricular tachycardia",
    "ventricular fibrillation",
)
"""Conditions that the pulse can confirm or contradict."""

_LOOKED_AT_S = 10.0
_FIBRILLATION_S = 5.0
_CLEAN = ((1.0, 0.2, 0.5, 2.0), (0.6, 0.12, 0.6, 1.6))
"""A pulse is clean with so large a share of readable pulses, intervals that differ so little from their median, and
amplitudes between these shares of the usual one."""
_CONFIRMING = ((0.6, 0.3, 0.3, 3.0),)
_LEAST_PULSES = 4
_COVERED = 0.7  # of the stretch, which pulses must be known for
_SAME_RATE = 0.1
_STOPPED_S = 3.0
_LESS_THAN = 0.85  # of the ventricular rate

_CONFIRMED = ConditionReading("not confirmed by pulse", False)
_SAME_BEATS = {"asystole": ("pause",), "ventricular tachycardia": ("ventricular run",)}
"""Conditions of lower priority that rest on the beats of another one, or on their absence."""


class Verdict(StrEnum):
    """Verdict of the pulse on a rhythm."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Verdict of the pulse on a rhythm, with its figures.

    Attributes
    ----------
    text : str
        A clause with the figures; empty where nothing is known.
    rate_bpm : float or None
        Of the pulse.
    """

    verdict: Verdict
    text: str = ""
    rate_bpm: float | None = None


_UNKNOWN = Confirmation(Verdict.UNKNOWN)


def confirmation(memory: PulseMemory, reading: ConditionReading, known_to_s: float) -> Confirmation:
    """Say whether the pulse confirms or contradicts a rhythm.

    Parameters
    ----------
    reading : ConditionReading
        Of a condition in `JUDGED` that is there.
    known_to_s : float
        Up to where the ECG has been searched for beats.
    """
    verdicts = [_of_wave(wave, reading, known_to_s) for wave in memory.waves if wave.has_delay]
    decided = [each for each in verdicts if each.verdict is not Verdict.UNKNOWN]
    if not decided or any(each.verdict is not decided[0].verdict for each in decided):
        return _UNKNOWN
    return replace(decided[0], text=" and ".join(each.text for each in decided))


def _stretch(reading: ConditionReading, known_to_s: float) -> tuple[float, float]:
    """From where to where the evidence of a reading lasts; to infinity where it lasts until now."""
    beats_s = reading.beats_s
    if reading.condition == "ventricular fibrillation":
        return known_to_s - _FIBRILLATION_S, inf
    if reading.condition == "asystole":
        since_s = beats_s[-1] if beats_s else known_to_s - (reading.value or 0.0)
        return max(since_s, known_to_s - _LOOKED_AT_S), known_to_s
    if not beats_s:
        return known_to_s, -inf
    return max(beats_s[0], beats_s[-1] - _LOOKED_AT_S), beats_s[-1]


def _of_wave(wave: Wave, reading: ConditionReading, known_to_s: float) -> Confirmation:
    begin_s, end_s = _stretch(reading, known_to_s)
    if end_s == inf:
        end_s = max(known_to_s, wave.detector.known_to_s - wave.delays_s[1])
    rate_bpm = steady_rate_bpm(wave, begin_s, end_s)
    if rate_bpm is not None and _contradicts(reading, rate_bpm):
        return Confirmation(
            Verdict.CONTRADICTED, f"{wave.name} shows a regular pulse of {rate_bpm:.0f} per minute", rate_bpm
        )
    if reading.condition in ("asystole", "ventricular fibrillation"):
        silent_s = wave.detector.known_to_s - max(wave.pulse_s, begin_s + wave.delays_s[0])
        if wave.pulse_s > -inf and silent_s >= _STOPPED_S and _has_samples(wave, silent_s):
            return Confirmation(Verdict.CONFIRMED, f"{wave.name} has shown no pulse for {silent_s:.0f} s")
        return _UNKNOWN
    rate_bpm = steady_rate_bpm(wave, begin_s, end_s, _CONFIRMING)
    if rate_bpm is not None and reading.value and abs(rate_bpm / reading.value - 1.0) <= _SAME_RATE:
        return Confirmation(Verdict.CONFIRMED, f"{wave.name} shows a pulse of {rate_bpm:.0f} per minute", rate_bpm)
    return _UNKNOWN


def _has_samples(wave: Wave, seconds: float) -> bool:
    """Return whether the wave has samples, not all the same, in each of the last seconds."""
    low, high = wave.low[-ceil(seconds) :], wave.high[-ceil(seconds) :]
    return bool(np.isfinite(low).all() and (high > low).any())


def steady_rate_bpm(
    wave: Wave, begin_s: float, end_s: float, criteria: Sequence[tuple[float, float, float, float]] = _CLEAN
) -> float | None:
    """Return the rate of a clean pulse that goes on between two beats; None where it is not clean or not regular."""
    onset_s = wave.pulses.onset_s
    known_to_s = wave.detector.known_to_s
    # The pulses of these beats come later by the delay; most of that time has to be covered by pulses that are known.
    begin_s, whole_s = begin_s + wave.delays_s[0], end_s + wave.delays_s[1]
    end_s = min(whole_s, known_to_s)
    if not end_s - begin_s >= _COVERED * (min(whole_s, begin_s + _LOOKED_AT_S) - begin_s):
        return None
    # From the pulse before to the one after, at least four.
    first = int(np.searchsorted(onset_s, begin_s)) - 1
    last = int(np.searchsorted(onset_s, end_s, side="right")) + 1
    first = min(first, min(last, len(onset_s)) - _LEAST_PULSES)
    if first < 0:
        return None
    pulses, onset_s = wave.pulses[first:last], onset_s[first:last]
    # How far an interval, or the time since the last pulse, is from the median; amplitudes as shares of the usual one.
    intervals_s = np.diff(onset_s)
    middle_s = float(np.median(intervals_s))
    uneven = max(float(np.abs(intervals_s / middle_s - 1.0).max()), (end_s - onset_s[-1]) / middle_s - 1.0)
    ratios = pulses.amplitude / wave.amplitude
    least, most = float(ratios.min()), float(ratios.max())
    share = float(pulses.readable.mean())
    for readable, regular, low, high in criteria:
        if share >= readable and uneven <= regular and least >= low and most <= high:
            return 60.0 / middle_s
    return None


def _contradicts(reading: ConditionReading, rate_bpm: float) -> bool:
    value, limit = reading.value, reading.limit
    match reading.condition:
        case "asystole" | "ventricular fibrillation":
            return True
        case "extreme bradycardia":
            return value is not None and limit is not None and rate_bpm > (1.0 + _SAME_RATE) * max(value, limit)
        case "ventricular tachycardia":
            return value is not None and rate_bpm < _LESS_THAN * value
        case "extreme tachycardia":
            if value is None or limit is None:
                return False
            return rate_bpm < _LESS_THAN * value and rate_bpm < (1.0 - _SAME_RATE) * limit
        case _:
            return False


def apply_pulse(
    memory: PulseMemory, readings: Sequence[ConditionReading], known_to_s: float, active: Collection[str]
) -> tuple[ConditionReading, ...]:
    """Weigh the readings of the rhythm with the pulse.

    A condition that the pulse contradicts is not there, and nor are those that rest on the same beats; that is told by
    ``not confirmed by pulse`` instead. A condition whose alarm is active stays: what has been raised is not withdrawn.

    Parameters
    ----------
    known_to_s : float
        Up to where the ECG has been searched for beats.
    active : collection of str
        Conditions that have an active alarm.

    Returns
    -------
    tuple of ConditionReading
        The same in number and order, and that of ``not confirmed by pulse``.
    """
    judged = [each for each in readings if each.present and each.condition in JUDGED] if memory.waves else []
    if not judged:
        return (*readings, _CONFIRMED)
    changed: dict[str, ConditionReading] = {}
    withheld: list[tuple[ConditionReading, Confirmation]] = []
    for reading in judged:
        pulse = confirmation(memory, reading, known_to_s)
        if pulse.verdict is Verdict.CONFIRMED:
            changed[reading.condition] = replace(reading, text=f"{reading.text} Confirmed by the pulse: {pulse.text}.")
        elif pulse.verdict is Verdict.CONTRADICTED and reading.condition not in active:
            withheld.append((reading, pulse))
            for code in (reading.condition, *_SAME_BEATS.get(reading.condition, ())):
                if code not in active:
                    changed[code] = ConditionReading(code, False)
    unconfirmed = _CONFIRMED
    if withheld:
        reading, pulse = withheld[0]
        texts = [f"{CONDITIONS[each.condition].title}: {each.text} But {its.text}." for each, its in withheld]
        unconfirmed = ConditionReading(
            _CONFIRMED.condition, True, " ".join(texts), pulse.rate_bpm, None, reading.beats_s
        )
    return (*(changed.get(each.condition, each) for each in readings), unconfirmed)
