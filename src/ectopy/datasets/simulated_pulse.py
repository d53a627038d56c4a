"""The pulse wave that belongs to a simulated ECG, and what can be wrong with it.

The heart ejects a stroke with every beat. The arteries store it and let it run off through the capillaries: a
Windkessel of one time constant [1]_, which gives the steep rise, the slow fall, and the fall of the pressure where no
beat comes. A small wave after the end of ejection makes the dicrotic notch. A stroke is as large as the time that the
ventricle had to fill, smaller from a ventricular beat, and there is none from ventricles that flutter or fibrillate.
The pulse arrives about 0.2 s after the R peak, in a finger a little later than in the radial artery; the delay varies
with breathing.

References
----------
.. [1] Westerhof, Lankhaar, Westerhof (2009). The arterial Windkessel. Med Biol Eng Comput 47(2):131-141.
   doi:10.1007/s11517-008-0359-2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import check_fields, checked
from ectopy.errors import SettingError
from ectopy.recording import PulseWave, Recording

ARTEFACTS = ("damped", "flushed", "clipped", "detached")
"""Kinds of artefacts."""

_STROKE = {"N": 1.0, "A": 1.0, "S": 0.9, "F": 0.8, "V": 0.6, "r": 0.6, "E": 0.7}
"""Stroke volume of a beat of each annotation code, relative to that of a normal beat with as much time to fill."""
_NO_FILLING, _FILLING = 0.15, 0.37  # of the usual RR interval: before filling begins, and its time constant
_EJECTION_S = 0.12  # standard deviation of the flow out of the heart, halved where beats come fast
_RUN_OFF_S = {"PLETH": 0.45, "ABP": 1.6, "ART": 1.6}
_DELAY_S = {"PLETH": 0.05, "ABP": 0.0, "ART": 0.0}
_BREATHING_HZ, _DELAY_VARIES_S, _BREATHING_SHARE = 0.25, 0.006, 0.04
_NOTCH_S, _NOTCH_WIDTH_S, _NOTCH_SHARE = 0.30, 0.035, 0.12
_FLOOR_MMHG, _SYSTOLIC_MMHG, _FLUSH_MMHG = 12.0, 125.0, 300.0
_NOISE_SHARE, _NOISE_S = 0.002, 0.015


@dataclass(frozen=True, slots=True)
class PulseArtefact:
    """Something that disturbs a simulated pulse wave for a time.

    Attributes
    ----------
    kind : {"damped", "flushed", "clipped", "detached"}
        ``damped``: a bubble or clot in the line, or a cold finger: the wave is low and round. ``flushed``: the line is
        rinsed, and the pressure is that of the bag, 300 mmHg; of a plethysmogram, the finger is squeezed. ``clipped``:
        what is above half of the pulse is cut off. ``detached``: no pulse; a pressure is that of the room, 0 mmHg.
    start_s, duration_s : float

    Raises
    ------
    SettingError
        If the kind is unknown or a time is impossible.
    """

    kind: str
    start_s: float
    duration_s: float

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kind not in ARTEFACTS:
            raise SettingError(f"kind must be one of {', '.join(ARTEFACTS)}, not {self.kind!r}.")
        if not (0 <= self.start_s < np.inf and 0 < self.duration_s < np.inf):
            raise SettingError("an artefact needs a start of 0 or more and a duration above 0, in seconds.")


@checked
def simulate_pulse(
    recording: Recording,
    name: Literal["PLETH", "ABP", "ART"] = "PLETH",
    *,
    sampling_rate_hz: float = 125.0,
    delay_s: float = 0.2,
    artefacts: Sequence[PulseArtefact] = (),
    random_state: int = 0,
) -> PulseWave:
    """Draw the pulse wave of a recording with true annotations.

    Parameters
    ----------
    recording : Recording
        Its annotations tell where the heart beats, as `simulate_recording` writes them.
    name : {"PLETH", "ABP", "ART"}
        A plethysmogram, without unit and between 0 and 1, or an arterial pressure in mmHg, about 120 over 75.
    sampling_rate_hz : float
        Of the pulse wave.
    delay_s : float
        From the R peak to the onset of the pulse in the radial artery, above 0.
    artefacts : sequence of PulseArtefact
    random_state : int

    Returns
    -------
    PulseWave
        As long as the recording.

    Raises
    ------
    SettingError
        If the recording has no annotations, or a setting is unknown or impossible.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from ectopy.datasets import simulate_recording
    >>> recording = simulate_recording(30)
    >>> replace(recording, pulses=(simulate_pulse(recording, "ABP"),)).pulses[0].unit
    'mmHg'
    """
    if recording.annotations is None:
        raise SettingError("the recording has no annotations, and the pulse follows the beats: take a simulated one.")
    if name not in _DELAY_S:
        raise SettingError(f"name must be one of {', '.join(_DELAY_S)}, not {name!r}.")
    if not (0 < sampling_rate_hz < np.inf and 0 < delay_s < np.inf and random_state >= 0):
        raise SettingError("sampling_rate_hz and delay_s must be above 0, and random_state 0 or more.")
    rng = np.random.default_rng(random_state)
    size = round(recording.duration_s * sampling_rate_hz)
    times_s, strokes, usual_s = _strokes(recording)
    varies_s = _DELAY_VARIES_S * np.sin(2 * np.pi * _BREATHING_HZ * times_s)
    arrives_s = times_s + delay_s + _DELAY_S[name] + varies_s

    wave = _windkessel(arrives_s, strokes, usual_s, size, sampling_rate_hz, _RUN_OFF_S[name])
    breathing = np.sin(2 * np.pi * _BREATHING_HZ * np.arange(size) / sampling_rate_hz)
    wave *= 1 + _BREATHING_SHARE * breathing
    is_pressure = name != "PLETH"
    samples = _FLOOR_MMHG + (_SYSTOLIC_MMHG - _FLOOR_MMHG) * wave if is_pressure else wave
    scale = float(np.ptp(samples)) if size else 0.0
    noise = _smoothed(rng.standard_normal(size), _NOISE_S * sampling_rate_hz) if size else np.empty(0)
    noise *= _NOISE_SHARE * (_SYSTOLIC_MMHG if is_pressure else 1.0)
    samples = samples + noise
    for artefact in artefacts:
        end_s = artefact.start_s + artefact.duration_s
        part = slice(*(min(round(t * sampling_rate_hz), size) for t in (artefact.start_s, end_s)))
        samples[part] = _disturbed(samples[part], noise[part], artefact.kind, is_pressure, sampling_rate_hz, scale)
    return PulseWave(name, "mmHg" if is_pressure else "NU", sampling_rate_hz, samples.astype(np.float32))


def _strokes(recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the times of beats, how much each ejects relative to a usual one, and the usual RR interval in seconds."""
    marks = recording.annotations
    assert marks is not None
    beats = np.isin(marks.symbols, list(_STROKE))
    times_s = marks.positions[beats] / recording.sampling_rate_hz
    symbols = marks.symbols[beats]
    intervals_s = np.diff(times_s)
    sinus = (symbols[1:] == "N") & (symbols[:-1] == "N")
    usual_s = float(np.median(intervals_s[sinus])) if sinus.any() else 0.8
    filling = np.append(usual_s, intervals_s)[: len(times_s)] / usual_s
    filled = 1 - np.exp(-np.maximum(filling - _NO_FILLING, 0) / _FILLING)
    full = 1 - np.exp(-(1 - _NO_FILLING) / _FILLING)
    strokes = filled / full * np.array([_STROKE[symbol] for symbol in symbols.tolist()])
    return times_s, strokes, usual_s


def _windkessel(
    arrives_s: NDArray[np.float64],
    strokes: NDArray[np.float64],
    usual_s: float,
    size: int,
    rate_hz: float,
    run_off_s: float,
) -> NDArray[np.float64]:
    """The wave, shape (size,): 1 = top of a usual pulse, 0 = empty arteries."""
    from scipy.signal import lfilter

    # Start as if the heart had been beating for a while.
    lead_s = 8 * run_off_s
    before_s = np.arange(arrives_s[0] - usual_s, -lead_s, -usual_s) if len(arrives_s) else np.empty(0)
    places = np.append(before_s, arrives_s)
    heights = np.append(np.ones(len(before_s)), strokes)
    lead = round(lead_s * rate_hz)

    # Flow out of the heart: a bell per beat, which begins when the pulse arrives.
    width_s = min(_EJECTION_S, 0.15 * usual_s + 0.02) / 2
    flow = _impulses(places + 2 * width_s, heights, lead, size, rate_hz)
    flow = _smoothed(flow, width_s * rate_hz, truncate=3)
    # What has come in and has not yet run off.
    decay = np.exp(-1 / (run_off_s * rate_hz))
    stored = lfilter([1.0], [1.0, -decay], flow)
    # The reflected wave after the valve has closed.
    late_s = min(_NOTCH_S, 0.6 * usual_s)
    notch = _impulses(places + late_s + 2 * width_s, heights, lead, size, rate_hz)
    notch = _smoothed(notch, _NOTCH_WIDTH_S * rate_hz) * _NOTCH_WIDTH_S * rate_hz * np.sqrt(2 * np.pi)
    wave = (stored + _NOTCH_SHARE * notch)[lead : lead + size]
    usual: float = 1 / (1 - np.exp(-usual_s / run_off_s))  # top of the wave where every stroke is 1
    scaled: NDArray[np.float64] = wave / usual
    return scaled


def _impulses(
    places_s: NDArray[np.float64], heights: NDArray[np.float64], lead: int, size: int, rate_hz: float
) -> NDArray[np.float64]:
    """Heights at their times, each shared between the two samples around it."""
    total = lead + size + 2
    places = places_s * rate_hz + lead
    inside = (places >= 0) & (places < total - 1)
    left = places[inside].astype(np.int64)
    share = places[inside] - left
    impulses = np.zeros(total)
    np.add.at(impulses, left, (1 - share) * heights[inside])
    np.add.at(impulses, left + 1, share * heights[inside])
    return impulses


def _smoothed(samples: NDArray[np.float64], width: float, truncate: float = 4.0) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    smoothed: NDArray[np.float64] = gaussian_filter1d(samples, width, truncate=truncate)
    return smoothed


def _disturbed(
    samples: NDArray[np.float64],
    noise: NDArray[np.float64],
    kind: str,
    is_pressure: bool,
    rate_hz: float,
    scale: float,
) -> NDArray[np.float64]:
    if kind == "damped":
        mean = _smoothed(samples, 1.0 * rate_hz)
        return np.asarray(mean + 0.15 * (_smoothed(samples, 0.12 * rate_hz) - mean) + noise)
    if kind == "flushed":
        return (_FLUSH_MMHG if is_pressure else 1.5 * scale) + noise
    if kind == "clipped":
        return np.minimum(samples, np.median(samples)) if len(samples) else samples
    return noise
