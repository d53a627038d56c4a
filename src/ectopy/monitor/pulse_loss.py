"""A pulse that stops while the ECG goes on: lost, or no longer measured."""

from __future__ import annotations

from math import isfinite

import numpy as np

from ectopy.formats.pulse_channels import PRESSURE_UNIT
from ectopy.monitor.pulse_memory import PulseMemory, Wave
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.signal.state_replace import replace

_LOST_S = 10.0
_LATE_S = 1.0
_LEAST_BEATS = 4
_LEVEL_S = 3
_AIR_MMHG = 5.0
_NO_WAVES = (ConditionReading("loss of pulse", False), ConditionReading("probe off", False))


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
