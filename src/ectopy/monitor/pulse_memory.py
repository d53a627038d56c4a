"""The pulse waves of a patient as far as they count for alarms: their last pulses, usual delay and usual amplitude.

The heart beats that are judged normal teach, for each pulse wave, the usual delay from the R peak to the onset of the
pulse and the usual amplitude. The delay is believed if it hardly varies, and varies less than the delay to the pulse of
any beat before or after: otherwise the wave may be late, or have another clock. With that delay each pulse stands for a
beat of the heart, which the wave shows whatever disturbs the ECG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.verdicts import Hint
from ectopy.detector import Verdict
from ectopy.formats.pulse_channels import PRESSURE_UNIT, is_pressure_name
from ectopy.monitor.pulse_stream import PulsePiece
from ectopy.monitor.rhythm_input import JudgedBeats
from ectopy.presentation import short_repr
from ectopy.signal.array_columns import join
from ectopy.signal.pulse_detection import Pulses, PulseState, pulse_end, pulse_step
from ectopy.signal.state_replace import replace

SMALL_SHARE = 0.15
"""Of the usual amplitude; a smaller pulse does not count."""

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
_KEPT_CERTAIN = 16
_LATELY_S = 10.0


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

    @property
    def has_delay(self) -> bool:
        """Return whether the delay has been learned, and is believed."""
        return isfinite(self.delays_s[0])


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
    readable = [each for each in zip(*columns, strict=True) if each[1] != Verdict.UNREADABLE]
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
        large = findings.pulses.amplitude >= SMALL_SHARE * wave.amplitude if isfinite(wave.amplitude) else slice(None)
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
