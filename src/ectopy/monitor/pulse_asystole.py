"""An asystole of which the ECG is not sure, found with an arterial pressure that falls without a pulse.

Swings of the baseline and P waves are heard as beats then, but a beat without a pulse counts only if it is certain:
readable, of usual height, and normal, supraventricular-like, or ventricular-like in somebody who has had no other beats
for ten seconds. A ventricular run or a tachycardia is not an asystole. A plethysmogram, a pressure that is flat or does
not fall, one that another wave contradicts, and an ECG that cannot be read never raise anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ectopy.monitor.pulse_confirmation import steady_rate_bpm
from ectopy.monitor.pulse_memory import SMALL_SHARE, PulseMemory, Wave
from ectopy.monitor.rhythm_input import ConditionReading

_FAST = frozenset({"extreme tachycardia", "ventricular tachycardia", "ventricular run", "ventricular fibrillation"})
_PULSE_LASTS_S = 0.75  # from its onset until the pressure only falls
_LEVEL_SHARE = 0.05  # of the usual amplitude: levels that differ by less are the same
_FALL_SHARE = 0.1
_LAST_PULSES = 4


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
    tuple of ConditionReading
        The same in number and order.
    """
    learned = [wave for wave in memory.waves if wave.has_delay]
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
        if falling and all(steady_rate_bpm(wave, begin_s, end_s) is None for wave in learned):
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
    large = wave.pulses.amplitude >= SMALL_SHARE * wave.amplitude
    known_to_s = wave.detector.known_to_s
    onsets_s = (*wave.pulses.onset_s[large][-_LAST_PULSES:].tolist(), known_to_s)
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
