"""The pulse against a rhythm alarm: confirmed, contradicted, unknown.

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

An *asystole of which the ECG is not sure* is found with an arterial pressure that falls without a pulse: swings of the
baseline and P waves are heard as beats then, but a beat without a pulse counts only if it is certain: readable, of
usual height, and normal, supraventricular-like, or ventricular-like in somebody who has had no other beats for ten
seconds. A ventricular run or a tachycardia is not an asystole. A plethysmogram, a pressure that is flat or does not
fall, one that another wave contradicts, and an ECG that cannot be read never raise anything.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from math import ceil, inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.verdicts import Hint
from ectopy.detector import Verdict as BeatVerdict
from ectopy.formats.pulse_channels import PRESSURE_UNIT, is_pressure_name
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.pulse_stream import PulsePiece
from ectopy.monitor.rhythm_input import ConditionReading, JudgedBeats
from ectopy.presentation import short_repr
from ectopy.signal.array_columns import join
from ectopy.signal.pulse_detection import Pulses, PulseState, pulse_end, pulse_step
from ectopy.signal.state_replace import replace

JUDGED = (
    "asystole",
    "extreme bradycardia",
    "extreme tachycardia",
    "ventricular tachycardia",
    "ventricular fibrillation",
)
"""Conditions that the pulse can confirm or contradict."""

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
_FORGOTTEN_S = 60.0

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

_SMALL = 0.15  # of the usual amplitude: a smaller pulse does not count
_LOST_S = 10.0
_LATE_S = 1.0
_LEAST_BEATS = 4
_LEVEL_S = 3
_AIR_MMHG = 5.0
_KEPT_CERTAIN = 16
_LATELY_S = 10.0
_FAST = frozenset({"extreme tachycardia", "ventricular tachycardia", "ventricular run", "ventricular fibrillation"})
_PULSE_LASTS_S = 0.75  # from its onset until the pressure only falls
_LEVEL_SHARE = 0.05  # of the usual amplitude: levels that differ by less are the same
_FALL_SHARE = 0.1

_CONFIRMED = ConditionReading("not confirmed by pulse", False)
_NO_WAVES = (ConditionReading("loss of pulse", False), ConditionReading("probe off", False))
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


@dataclass(frozen=True, slots=True)
class Wave:
    """State of one pulse wave.

    Attributes
    ----------
    pulses : Pulses
        The last ones.
    low, high : ndarray of float64
        Lowest and highest value of each of the last seconds; NaN = no sample.
    delays_s : tuple of (float, float)
        The least and the greatest usual time from the R peak to the onset of the pulse: in a very regular rhythm it may
        not be certain which pulse belongs to which beat. NaN = not learned, or not believed.
    amplitude : float
        Usual amplitude of a pulse; NaN = not learned.
    floor : float
        Usual lowest value.
    pulse_s : float
        The newest pulse that is not far smaller than usual; before the first one, when the wave began.
    has_lost_pulse : bool
        Whether the pulse has been lost, and has not come again.
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
    floor: float = nan
    pulse_s: float = -inf
    has_lost_pulse: bool = False


@dataclass(frozen=True, slots=True)
class PulseMemory:
    """State of the pulse waves of a patient; of bounded size.

    Attributes
    ----------
    beats_s : ndarray of float64
        The last normal beats.
    unlearned : int
        How many of them have come since the delays were learned.
    certain_s : tuple of float
        The last beats that are certain: readable, of usual height, and normal, supraventricular-like, or
        ventricular-like without another one in the ten seconds before.
    judged_s : float
        The newest beat judged.
    """

    __repr__ = short_repr

    waves: tuple[Wave, ...] = ()
    beats_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    unlearned: int = 0
    certain_s: tuple[float, ...] = ()
    judged_s: float = -inf


def remember(memory: PulseMemory, pieces: Sequence[PulsePiece], beats: JudgedBeats) -> PulseMemory:
    """Take the next samples of the pulse waves, and the beats judged meanwhile.

    Parameters
    ----------
    pieces : sequence of PulsePiece
        At most one of each wave; of waves beyond the fourth nothing is kept.
    beats : JudgedBeats
        Those that are readable and not ventricular-like teach the delay.

    Returns
    -------
    PulseMemory
        The same object where there are no pulse waves.
    """
    if not pieces and not memory.waves:
        return memory
    # Step the waves; those without samples for a minute are forgotten.
    now_s = max((piece.start_s for piece in pieces), default=-inf)
    waves = {wave.name: wave for wave in memory.waves if wave.detector.end_s > now_s - _FORGOTTEN_S}
    for piece in pieces:
        wave = waves.get(piece.name)
        if wave is None and len(waves) >= _MOST_WAVES:
            continue
        waves[piece.name] = _wave_step(wave, piece)
    # Beats that teach the delay, and beats that are certain.
    columns = (beats.time_s.tolist(), beats.verdict.tolist(), beats.hint.tolist(), beats.credible.tolist())
    readable = [each for each in zip(*columns, strict=True) if each[1] != BeatVerdict.UNREADABLE]
    normal_s = [time_s for time_s, _, hint, _ in readable if hint != Hint.VENTRICULAR]
    # A ventricular-like beat among others may be a swing of the baseline, which looks like one.
    certain = {Hint.EMPTY, Hint.SUPRAVENTRICULAR}
    if len(beats) and not (memory.beats_s[-1:] > beats.time_s[0] - _LATELY_S).any():
        certain.add(Hint.VENTRICULAR)
    certain_s = [time_s for time_s, _, hint, credible in readable if credible and hint in certain]
    beats_s = np.concatenate([memory.beats_s, normal_s])[-_KEPT_BEATS:] if len(normal_s) else memory.beats_s
    unlearned = memory.unlearned + len(normal_s)
    learns = unlearned >= _LEARN_EVERY
    return PulseMemory(
        waves=tuple(_learn(wave, beats_s) if learns else wave for wave in waves.values()),
        beats_s=beats_s,
        unlearned=0 if learns else unlearned,
        certain_s=(*memory.certain_s, *certain_s)[-_KEPT_CERTAIN:],
        judged_s=float(beats.time_s[-1]) if len(beats) else memory.judged_s,
    )


def remember_end(memory: PulseMemory) -> PulseMemory:
    """Take the last pulses of waves that have ended."""
    waves = []
    for wave in memory.waves:
        detector, findings = pulse_end(wave.detector)
        pulses = join([wave.pulses, findings.pulses])[-_KEPT_PULSES:]
        waves.append(replace(wave, detector=detector, pulses=pulses))
    return replace(memory, waves=tuple(waves))


def _wave_step(wave: Wave | None, piece: PulsePiece) -> Wave:
    if wave is None or wave.unit != piece.unit:
        wave = _fresh_wave(piece)
    detector, findings = pulse_step(wave.detector, piece.samples, piece.rate_hz, piece.start_s)
    if detector.start_s != wave.detector.start_s:  # it started again, and its clock may be another one
        wave = _fresh_wave(piece)
    pulses, pulse_s = wave.pulses, wave.pulse_s
    if len(findings.pulses):
        pulses = join([pulses, findings.pulses])[-_KEPT_PULSES:]
        large = findings.pulses.amplitude >= _SMALL * wave.amplitude if isfinite(wave.amplitude) else slice(None)
        pulse_s = max(pulse_s, *findings.pulses.onset_s[large].tolist(), -inf)
    low, high = wave.low, wave.high
    if len(findings.low):
        low = np.concatenate([low, findings.low])[-_LEVELS_S:]
        high = np.concatenate([high, findings.high])[-_LEVELS_S:]
    return replace(wave, detector=detector, pulses=pulses, low=low, high=high, pulse_s=pulse_s)


def _fresh_wave(piece: PulsePiece) -> Wave:
    pressure = piece.unit == PRESSURE_UNIT or is_pressure_name(piece.name)
    detector = PulseState.fresh(pressure=pressure, rate_hz=piece.rate_hz, start_s=piece.start_s)
    return Wave(piece.name, piece.unit, detector, pulse_s=piece.start_s)


def _learn(wave: Wave, beats_s: NDArray[np.float64]) -> Wave:
    """Learn the delay and the amplitude of a wave from the last normal beats."""
    pulses = wave.pulses[wave.pulses.readable]
    delays_s = _delays_s(beats_s, pulses.onset_s)
    if delays_s is None:
        return wave
    return replace(
        wave,
        delays_s=delays_s,
        amplitude=float(np.median(pulses.amplitude[-_KEPT_BEATS:])),
        floor=float(np.median(wave.low)),
    )


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
    # Lags whose spread is close to the least cannot be told apart: the delay may be any of them.
    alike = spreads_s <= _ALIKE * least_s + _ALIKE_S
    possible = (middles_s >= _LEAST_DELAY_S) & (middles_s <= _MOST_DELAY_S) & alike
    if not possible.any():
        return _NOT_BELIEVED
    return float(middles_s[possible].min()), float(middles_s[possible].max())


# What the pulse says


def confirmation(memory: PulseMemory, reading: ConditionReading, known_to_s: float) -> Confirmation:
    """Say whether the pulse confirms or contradicts a rhythm.

    Parameters
    ----------
    reading : ConditionReading
        Of a condition in `JUDGED` that is there.
    known_to_s : float
        Up to where the ECG has been searched for beats.
    """
    verdicts = [_of_wave(wave, reading, known_to_s) for wave in memory.waves if isfinite(wave.delays_s[0])]
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
    rate_bpm = _steady(wave, begin_s, end_s, _CLEAN)
    if rate_bpm is not None and _contradicts(reading, rate_bpm):
        return Confirmation(
            Verdict.CONTRADICTED, f"{wave.name} shows a regular pulse of {rate_bpm:.0f} per minute", rate_bpm
        )
    if reading.condition in ("asystole", "ventricular fibrillation"):
        silent_s = wave.detector.known_to_s - max(wave.pulse_s, begin_s + wave.delays_s[0])
        if wave.pulse_s > -inf and silent_s >= _STOPPED_S and _has_samples(wave, silent_s):
            return Confirmation(Verdict.CONFIRMED, f"{wave.name} has shown no pulse for {silent_s:.0f} s")
        return _UNKNOWN
    rate_bpm = _steady(wave, begin_s, end_s, _CONFIRMING)
    if rate_bpm is not None and reading.value and abs(rate_bpm / reading.value - 1.0) <= _SAME_RATE:
        return Confirmation(Verdict.CONFIRMED, f"{wave.name} shows a pulse of {rate_bpm:.0f} per minute", rate_bpm)
    return _UNKNOWN


def _has_samples(wave: Wave, seconds: float) -> bool:
    """Return whether the wave has samples, not all the same, in each of the last seconds."""
    low, high = wave.low[-ceil(seconds) :], wave.high[-ceil(seconds) :]
    return bool(np.isfinite(low).all() and (high > low).any())


def _steady(
    wave: Wave, begin_s: float, end_s: float, criteria: Sequence[tuple[float, float, float, float]]
) -> float | None:
    """Rate of a clean pulse that goes on from `begin_s` to `end_s`; None where it is not clean or not regular."""
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


# An asystole that the ECG leaves uncertain


def with_asystole(
    memory: PulseMemory,
    readings: Sequence[ConditionReading],
    detected_s: Sequence[float],
    known_to_s: float,
    asystole_s: float,
) -> tuple[ConditionReading, ...]:
    """Say that the heart stands still where an arterial pressure falls without a pulse and no beat is certain.

    Parameters
    ----------
    readings : sequence of ConditionReading
        Of the rhythm, by an ECG that can be read. Only an asystole that is said to be absent is changed.
    detected_s : sequence of float
        The last beats heard; one that is not judged yet may be certain.
    known_to_s : float
        Up to where the ECG has been searched for beats.
    asystole_s : float
        How long an asystole is.

    Returns
    -------
    tuple of Reading
        The same in number and order.
    """
    learned = [wave for wave in memory.waves if isfinite(wave.delays_s[0])]
    if not memory.certain_s or not any(wave.detector.pressure for wave in learned):
        return tuple(readings)
    if any(each.present and each.condition in _FAST for each in readings):
        return tuple(readings)
    # Look between the last certain beats, and from the last one to the first that is not judged yet.
    until_s = min((beat_s for beat_s in detected_s if beat_s > memory.judged_s), default=known_to_s)
    times_s = (*memory.certain_s[-2:], until_s)
    for begin_s, end_s in pairwise(times_s):
        if end_s - begin_s < asystole_s:
            continue
        falling = [wave for wave in learned if wave.detector.pressure and _falls(wave, begin_s, end_s, asystole_s)]
        if falling and all(_steady(wave, begin_s, end_s, _CLEAN) is None for wave in learned):
            text = (
                f"No certain beat for {end_s - begin_s:.1f} s, while {falling[0].name} falls without a pulse; asystole "
                f"begins at {asystole_s:g} s."
            )
            asystole = ConditionReading("asystole", True, text, end_s - begin_s, asystole_s, (begin_s,))
            return tuple(
                asystole if each.condition == asystole.condition and each.present is False else each
                for each in readings
            )
    return tuple(readings)


def _falls(wave: Wave, begin_s: float, end_s: float, asystole_s: float) -> bool:
    """Return whether a pressure has no pulse for as long as an asystole between two beats, and only falls meanwhile."""
    large = wave.pulses.amplitude >= _SMALL * wave.amplitude
    known_to_s = wave.detector.known_to_s
    onsets_s = (*wave.pulses.onset_s[large][-_LEAST_PULSES:].tolist(), known_to_s)
    for before_s, after_s in pairwise(onsets_s):
        first_s, last_s = max(before_s, begin_s + wave.delays_s[0]), min(after_s, end_s + wave.delays_s[1])
        if last_s - first_s < asystole_s:
            continue
        # The seconds between the end of the one pulse and the beginning of the next: the level falls less and less, as
        # blood runs off. A line that is flushed, clamped, opened to the air or taken off does not.
        newest_s = wave.detector.start_s + wave.detector.blocks
        seconds_s = newest_s - np.arange(len(wave.high), 0, -1)
        inside = (seconds_s >= before_s + _PULSE_LASTS_S) & (seconds_s + 1.0 <= after_s)
        low, high = wave.low[inside], wave.high[inside]
        falls = -np.diff(high)
        if len(falls) < 2 or not (np.isfinite(low) & (high > low)).all():
            continue
        same = _LEVEL_SHARE * wave.amplitude
        if (falls > -same).all() and (np.diff(falls) < same).all() and falls.sum() >= _FALL_SHARE * wave.amplitude:
            return float(high[-1]) < wave.floor
    return False


# Readings


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
    tuple of Reading
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


def pulse_readings(
    memory: PulseMemory, at_s: float, *, beats: int
) -> tuple[PulseMemory, tuple[ConditionReading, ConditionReading]]:
    """Judge ``loss of pulse`` and ``probe off``.

    Parameters
    ----------
    at_s : float
        Up to where the ECG has been analysed.
    beats : int
        How many beats were heard in the last ten seconds.
    """
    if not memory.waves:
        return memory, _NO_WAVES
    waves = tuple(_update_loss(wave, beats) for wave in memory.waves)
    pulseless = next((wave for wave in waves if wave.has_lost_pulse), None)
    off = next((wave for wave in waves if not wave.has_lost_pulse and _is_off(wave, at_s)), None)
    loss, probe = _NO_WAVES
    if pulseless is not None:
        silent_s = pulseless.detector.known_to_s - pulseless.pulse_s
        text = (
            f"{pulseless.name} has shown no pulse for {silent_s:.0f} s and has fallen below {pulseless.floor:.0f}, "
            "while the ECG goes on."
        )
        loss = ConditionReading(loss.condition, True, text, silent_s, _LOST_S)
    if off is not None:
        silent_s = at_s - off.pulse_s
        probe = ConditionReading(
            probe.condition, True, f"{off.name} has shown no pulse for {silent_s:.0f} s.", silent_s, _LOST_S
        )
    if waves == memory.waves:
        return memory, (loss, probe)
    return replace(memory, waves=waves), (loss, probe)


def _update_loss(wave: Wave, beats: int) -> Wave:
    """A wave after it was looked at whether its pulse is lost."""
    silent_s = wave.detector.known_to_s - wave.pulse_s
    if silent_s < _LOST_S:
        return replace(wave, has_lost_pulse=False) if wave.has_lost_pulse else wave
    if wave.has_lost_pulse or not wave.detector.pressure or not isfinite(wave.amplitude) or beats < _LEAST_BEATS:
        return wave
    low, high = wave.low[-_LEVEL_S:], wave.high[-_LEVEL_S:]
    if len(low) < _LEVEL_S or not np.isfinite(low).all():
        return wave
    # A heart that moves no blood lets the pressure fall below the usual diastolic one, but not to that of the air.
    open_to_air = wave.unit == PRESSURE_UNIT and float(high.max()) < _AIR_MMHG
    fallen = float(high.max()) < wave.floor and float(high.max()) > float(low.min())
    return replace(wave, has_lost_pulse=True) if fallen and not open_to_air else wave


def _is_off(wave: Wave, at_s: float) -> bool:
    return isfinite(wave.amplitude) and at_s - wave.pulse_s >= _LOST_S + _LATE_S
