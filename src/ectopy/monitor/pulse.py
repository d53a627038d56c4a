"""What the pulse says of a rhythm alarm.

The heart beats that are judged normal teach, for each pulse wave, the usual delay from the R peak to the onset of the
pulse and the usual amplitude. The delay is believed if it hardly varies, and varies less than the delay to the pulse of
any beat before or after: otherwise the wave may be late, or have another clock. With that delay each pulse stands for a
beat of the heart, which the wave shows whatever disturbs the ECG.

A rhythm is *contradicted* where the pulse goes on through all of the stretch of signal that an alarm would rest on,
every pulse readable, of usual amplitude and at regular intervals, at another rate than the alarm says. It is
*confirmed* where the pulse stops as the alarm says, or has its rate. All else is *unknown* and changes nothing: a wave
without pulses, one that cannot be read, one that has not been learned yet, an irregular pulse. A patient may have a
pulse in ventricular tachycardia; it then has the rate of the tachycardia, or varies.

Where two waves disagree, nothing is contradicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isfinite, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.monitor.findings import Reading
from ectopy.reprs import short_repr
from ectopy.signal.pulse import Pulses, PulseState, pulse_end, pulse_step

JUDGED = (
    "asystole",
    "extreme bradycardia",
    "extreme tachycardia",
    "ventricular tachycardia",
    "ventricular fibrillation",
)
"""Conditions of which the pulse has a say."""

PRESSURES = frozenset({"ABP", "ART"})
"""Names of waves that are an arterial pressure, whatever their unit."""

_MOST_WAVES = 4
_KEPT_PULSES = 128
_KEPT_BEATS = 60
_LEARN_EVERY = 8  # normal beats
_LEAST_MATCHED = 12
_LEAST_DELAY_S, _MOST_DELAY_S = 0.08, 1.6
_MOST_SPREAD_S = 0.05
_LAGS = np.arange(-3, 6)
_ALIKE, _ALIKE_S = 1.3, 0.002  # spreads of which none is clearly the least
_NOT_BELIEVED = (nan, nan)
_LEVELS_S = 16

_LOOKED_AT_S = 10.0
_CLEAN = ((1.0, 0.2, 0.5, 2.0), (0.6, 0.12, 0.6, 1.6))
"""A pulse is clean with so large a share of readable pulses, intervals that differ so little from their median, and
amplitudes between these shares of the usual one."""
_LEAST_PULSES = 4
_SAME_RATE = 0.1
_LESS_THAN = 0.85  # of the ventricular rate


class Verdict(StrEnum):
    """What the pulse says of a rhythm."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the pulse says of a rhythm, and by which figures.

    Attributes
    ----------
    verdict : Verdict
    text : str
        A clause with the figures; empty where nothing is known.
    rate_bpm : float or None
        Of the pulse.
    """

    verdict: Verdict
    text: str = ""
    rate_bpm: float | None = None


_UNKNOWN = Confirmation(Verdict.UNKNOWN)


class WavePiece(NamedTuple):
    """Samples of a pulse wave; `start_s` is the stream second of the first one."""

    name: str
    unit: str
    rate_hz: float
    start_s: float
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wave:
    """What is known of one pulse wave.

    Attributes
    ----------
    name, unit : str
    detector : PulseState
    pulses : Pulses
        The last ones.
    low, high : ndarray of float64
        Lowest and highest value of each of the last seconds.
    delays_s : tuple of (float, float)
        The least and the greatest usual time from the R peak to the onset of the pulse: in a very regular rhythm it may
        not be certain which pulse belongs to which beat. NaN = not learned, or not believed.
    amplitude : float
        Usual amplitude of a pulse; NaN = not learned.
    """

    __repr__ = short_repr

    name: str
    unit: str
    detector: PulseState
    pulses: Pulses = field(default_factory=Pulses.empty)
    low: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    high: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    delays_s: tuple[float, float] = _NOT_BELIEVED
    amplitude: float = nan


@dataclass(frozen=True, slots=True)
class PulseMemory:
    """What is known of the pulse waves of a patient; of bounded size.

    Attributes
    ----------
    waves : tuple of Wave
    beats_s : ndarray of float64
        The last normal beats.
    unlearned : int
        How many of them have come since the delays were learned.
    """

    __repr__ = short_repr

    waves: tuple[Wave, ...] = ()
    beats_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    unlearned: int = 0


def is_pressure(name: str, unit: str) -> bool:
    """Whether a wave is an arterial pressure."""
    return unit.lower() == "mmhg" or name.upper().split()[0:1] == ["ART"] or name.upper() in PRESSURES


def remember(memory: PulseMemory, pieces: Sequence[WavePiece], normal_s: NDArray[np.float64]) -> PulseMemory:
    """Take the next samples of the pulse waves, and the normal beats judged meanwhile.

    Parameters
    ----------
    memory : PulseMemory
    pieces : sequence of WavePiece
        At most one of each wave; of waves beyond the fourth nothing is kept.
    normal_s : ndarray of float64
        Fiducial points of beats judged normal.

    Returns
    -------
    PulseMemory
        The same object where there are no pulse waves.
    """
    if not pieces and not memory.waves:
        return memory
    waves = {wave.name: wave for wave in memory.waves}
    for piece in pieces:
        known = waves.get(piece.name)
        if known is None and len(waves) >= _MOST_WAVES:
            continue
        waves[piece.name] = _wave_step(known, piece)
    beats_s = np.concatenate([memory.beats_s, normal_s])[-_KEPT_BEATS:] if len(normal_s) else memory.beats_s
    unlearned = memory.unlearned + len(normal_s)
    if unlearned >= _LEARN_EVERY:
        return PulseMemory(tuple(_learn(wave, beats_s) for wave in waves.values()), beats_s, 0)
    return PulseMemory(tuple(waves.values()), beats_s, unlearned)


def remember_end(memory: PulseMemory) -> PulseMemory:
    """Take the last pulses of waves that have ended."""
    waves = []
    for wave in memory.waves:
        detector, findings = pulse_end(wave.detector)
        pulses = wave.pulses.followed_by(findings.pulses)[-_KEPT_PULSES:]
        waves.append(replace(wave, detector=detector, pulses=pulses))
    return replace(memory, waves=tuple(waves))


def _wave_step(wave: Wave | None, piece: WavePiece) -> Wave:
    if wave is None or wave.unit != piece.unit:
        pressure = is_pressure(piece.name, piece.unit)
        fresh = PulseState.fresh(pressure=pressure, rate_hz=piece.rate_hz, start_s=piece.start_s)
        wave = Wave(piece.name, piece.unit, fresh)
    before = wave.detector
    detector, findings = pulse_step(before, piece.samples, piece.rate_hz, piece.start_s)
    if detector.start_s != before.start_s:  # it began anew, and its clock may be another one
        wave = Wave(piece.name, piece.unit, detector)
    pulses = wave.pulses
    if len(findings.pulses):
        pulses = pulses.followed_by(findings.pulses)[-_KEPT_PULSES:]
    low, high = wave.low, wave.high
    if len(findings.low):
        low = np.concatenate([low, findings.low])[-_LEVELS_S:]
        high = np.concatenate([high, findings.high])[-_LEVELS_S:]
    return Wave(wave.name, wave.unit, detector, pulses, low, high, wave.delays_s, wave.amplitude)


def _learn(wave: Wave, beats_s: NDArray[np.float64]) -> Wave:
    """Learn the delay and the amplitude of a wave from the last normal beats."""
    pulses = wave.pulses[wave.pulses.readable]
    delays_s = _delays_s(beats_s, pulses.onset_s)
    if delays_s is None:
        return wave
    return replace(wave, delays_s=delays_s, amplitude=float(np.median(pulses.amplitude[-_KEPT_BEATS:])))


def _delays_s(beats_s: NDArray[np.float64], onset_s: NDArray[np.float64]) -> tuple[float, float] | None:
    """The least and the greatest delay that the pulses may have; NaN if none can be believed, None if none is found."""
    first = np.searchsorted(onset_s, beats_s + _LEAST_DELAY_S)
    inside = (first + _LAGS[0] >= 0) & (first + _LAGS[-1] < len(onset_s))
    first, beats_s = first[inside], beats_s[inside]
    if len(beats_s) < _LEAST_MATCHED:
        return None
    # Delay to the pulse of this beat (lag 0) if it comes within one, and of those before and after; and its spread.
    delays_s = onset_s[first[:, None] + _LAGS] - beats_s[:, None]
    middles_s = np.median(delays_s, axis=0)
    spreads_s = np.median(np.abs(delays_s - middles_s), axis=0)
    least_s = float(spreads_s.min())
    if least_s > _MOST_SPREAD_S:
        return None
    alike = spreads_s <= _ALIKE * least_s + _ALIKE_S
    possible = (middles_s >= _LEAST_DELAY_S) & (middles_s <= _MOST_DELAY_S) & alike
    if not possible.any():
        return _NOT_BELIEVED
    return float(middles_s[possible].min()), float(middles_s[possible].max())


# What the pulse says


def confirmation(memory: PulseMemory, reading: Reading, known_to_s: float) -> Confirmation:
    """Say whether the pulse confirms or contradicts a rhythm.

    Parameters
    ----------
    memory : PulseMemory
    reading : Reading
        Of a condition in `JUDGED` that is there.
    known_to_s : float
        Up to where the ECG has been searched for beats.

    Returns
    -------
    Confirmation
    """
    verdicts = [_of_wave(wave, reading, known_to_s) for wave in memory.waves if isfinite(wave.delays_s[0])]
    told = [each for each in verdicts if each.verdict is not Verdict.UNKNOWN]
    if not told or any(each.verdict is not told[0].verdict for each in told):
        return _UNKNOWN
    return replace(told[0], text=" and ".join(each.text for each in told))


def _stretch(reading: Reading, known_to_s: float) -> tuple[float, float]:
    """From where to where the evidence of a reading lasts."""
    if reading.condition in ("asystole", "ventricular fibrillation"):
        since_s = reading.beats_s[-1] if reading.beats_s else known_to_s - (reading.value or _LOOKED_AT_S)
        return max(since_s, known_to_s - _LOOKED_AT_S), known_to_s
    if not reading.beats_s:
        return known_to_s, known_to_s
    return max(reading.beats_s[0], reading.beats_s[-1] - _LOOKED_AT_S), reading.beats_s[-1]


def _of_wave(wave: Wave, reading: Reading, known_to_s: float) -> Confirmation:
    begin_s, end_s = _stretch(reading, known_to_s)
    steady = _steady(wave, begin_s, end_s)
    if steady is not None and _contradicts(reading, steady):
        text = f"{wave.name} shows a regular pulse of {steady:.0f} per minute"
        return Confirmation(Verdict.CONTRADICTED, text, steady)
    return _UNKNOWN


def _steady(wave: Wave, begin_s: float, end_s: float) -> float | None:
    """Rate of a clean pulse that goes on from `begin_s` to `end_s`; None where it is not clean or not regular."""
    onset_s = wave.pulses.onset_s
    known_to_s = wave.detector.known_to_s
    begin_s, end_s = begin_s + wave.delays_s[0], min(end_s + wave.delays_s[1], known_to_s)
    if end_s < begin_s:
        return None
    first = int(np.searchsorted(onset_s, begin_s)) - 1
    last = int(np.searchsorted(onset_s, end_s, side="right")) + 1
    first = min(first, min(last, len(onset_s)) - _LEAST_PULSES)
    if first < 0:
        return None
    pulses, onset_s = wave.pulses[first:last], onset_s[first:last]
    intervals_s = np.diff(onset_s)
    middle_s = float(np.median(intervals_s))
    uneven = max(float(np.abs(intervals_s / middle_s - 1.0).max()), (end_s - onset_s[-1]) / middle_s - 1.0)
    ratios = pulses.amplitude / wave.amplitude
    least, most = float(ratios.min()), float(ratios.max())
    share = float(pulses.readable.mean())
    for readable, regular, low, high in _CLEAN:
        if share >= readable and uneven <= regular and least >= low and most <= high:
            return 60.0 / middle_s
    return None


def _contradicts(reading: Reading, rate_bpm: float) -> bool:
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
