"""A simulated ECG whose every beat is known: data where there are none, and the test signal.

The heart's clock and its waves follow ECGSYN [1]_: a phase advances by ``1 / RR(t)``, where
``RR(t)`` has the two spectral peaks of heart-rate variability, and each wave of a beat is a
Gaussian around its place in the cycle. Two departures: the Gaussians are summed directly, as in
[2]_, instead of integrating equations of motion, so that nothing loops over samples; and the paper
stops at sinus rhythm. Ectopic beats, pauses, episodes and the wave tables are ours, set by eye to
textbook durations and amplitudes; the waves of each kind of beat, and of ventricles that flutter or
fibrillate, are in `simulated_arrhythmias`, the pulse wave is in `simulated_pulse`.

It is a drawing of an ECG, good for testing software. No figure measured on it says anything about a
patient.

References
----------
.. [1] McSharry, Clifford, Tarassenko, Smith (2003). A dynamical model for generating synthetic
   electrocardiogram signals. IEEE Trans Biomed Eng 50(3):289-294. doi:10.1109/TBME.2003.808805
.. [2] Sameni, Clifford, Jutten, Shamsollahi (2007). Multichannel ECG and noise modeling:
   application to maternal and fetal ECG signals. EURASIP J Adv Signal Process 2007:043407.
   doi:10.1155/2007/43407
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import check_fields, checked
from ectopy.datasets.simulated_arrhythmias import (
    ATRIAL,
    CODES,
    ESCAPE,
    NORMAL,
    P_WAVE,
    POLYMORPHIC,
    SUPRAVENTRICULAR,
    VENTRICULAR,
    WAVES,
    fibrillation,
    flutter,
    twist,
)
from ectopy.errors import SettingError
from ectopy.recording import Annotations, Recording

LEADS = ("MLII", "V1")
SYMBOLS = ("N", "r", "V", "A", "F")
"""Annotation code of each kind of beat; the place in the tuple plus one is its label."""
_FOLLOWS_RATE = np.array([True, False, False, False, True])
_JITTER = (0.03, 0.08, 0.12)  # between beats, relative: centre, standard deviation, mV
_WINDOW_S = (0.36, 0.80)  # before and after R; beyond it every wave has died away
_BLOCK_BEATS = 512
_BLOCK_SAMPLES = 1 << 20

_CLOCK_HZ = 4.0
_RESPIRATION_HZ = 0.25
_MAINS_HZ = 50.0
_REFRACTORY_S = 0.28
_NOISE_EPISODE_MV = 0.5
_PAUSE_SLOT_S = 10.0
_MAX_RATE_BPM = 350.0
_P_RATE_BPM = 90.0
_HUM_MV = 0.3
_SPIKE_MV, _SPIKE_S = (2.5, -1.5), 0.002
_RATES_BPM = {"adult": 70.0, "infant": 140.0}
_COUPLING_S = {"adult": 0.4, "infant": 0.28}
_SHORTEST_S = {"adult": 0.4, "infant": 0.18}  # T waves move with the RR interval down to here

_EPISODE_RATES_BPM: Mapping[str, float | None] = MappingProxyType(
    {
        "asystole": None,
        "bradycardia": 35.0,
        "tachycardia": 150.0,
        "ventricular_tachycardia": 160.0,
        "polymorphic_tachycardia": 220.0,
        "supraventricular_tachycardia": 200.0,
        "ventricular_flutter": 270.0,
        "coarse_fibrillation": None,
        "fine_fibrillation": None,
        "complete_block": 30.0,
        "ventricular_standstill": None,
        "lead_off": None,
        "noise": None,
        "mains_hum": None,
        "pacing": 70.0,
    }
)
_UNREADABLE = ("lead_off", "noise")
_NO_RHYTHM = (*_UNREADABLE, "mains_hum", "pacing")
_SINUS = ("bradycardia", "tachycardia")
_BEATS_STOP = ("asystole", "complete_block", "ventricular_standstill")
_WAVES_ALONE = ("ventricular_flutter", "coarse_fibrillation", "fine_fibrillation")
_RUN_KINDS = MappingProxyType(
    {
        "ventricular_tachycardia": VENTRICULAR,
        "polymorphic_tachycardia": POLYMORPHIC,
        "supraventricular_tachycardia": SUPRAVENTRICULAR,
    }
)
_NO_ECTOPIC: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that happens to a simulated recording at a set time.

    Attributes
    ----------
    kind : str
        What the heart does:

        - ``"asystole"``: no beat. ``"ventricular_standstill"``: P waves at 90 per minute and no QRS complex.
          ``"complete_block"``: such P waves, and wide escape beats at `rate_bpm`.
        - ``"bradycardia"``, ``"tachycardia"``: sinus rhythm at `rate_bpm`. ``"supraventricular_tachycardia"``: narrow
          beats without a P wave, the first at `start_s`.
        - ``"ventricular_tachycardia"``: ventricular beats at `rate_bpm`, the first at `start_s`.
          ``"polymorphic_tachycardia"``: the same, but they twist around the baseline, at irregular intervals.
        - ``"ventricular_flutter"``: a sine wave at `rate_bpm`; at 120 to 220, a tachycardia like a sine wave.
          ``"coarse_fibrillation"``, ``"fine_fibrillation"``: ventricular fibrillation of about 1.3 and 0.2 mV.

        What else is in the signal, at the same time as any of those or alone:

        - ``"lead_off"``: all leads flat at 0 mV, with mains hum if the recording is noisy.
        - ``"noise"``: muscle noise of 0.5 mV standard deviation on all leads.
        - ``"mains_hum"``: 0.3 mV at 50 Hz. ``"pacing"``: spikes of a pacemaker at `rate_bpm`, which no beat follows.
    start_s, duration_s : float
        Seconds; the start from the beginning of the recording.
    rate_bpm : float or None
        Beats, waves or spikes per minute, at most 350, of the kinds that have a rate; None = the usual one of the kind.

    Raises
    ------
    SettingError
        If the kind is unknown, a time or the rate is impossible, or the kind has no rate.
    """

    kind: str
    start_s: float
    duration_s: float
    rate_bpm: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        kinds = ", ".join(_EPISODE_RATES_BPM)
        _require(self.kind in _EPISODE_RATES_BPM, f"kind must be one of {kinds}, not {self.kind!r}.")
        _require_not_negative(start_s=self.start_s)
        _require_positive(duration_s=self.duration_s)
        if self.rate_bpm is not None:
            has_rate = _EPISODE_RATES_BPM[self.kind] is not None
            _require(has_rate, f"{self.kind} has no rate: leave rate_bpm out.")
            _require_rate(self.rate_bpm)

    @property
    def end_s(self) -> float:
        """End, in seconds from the beginning of the recording."""
        return self.start_s + self.duration_s

    @property
    def _interval_s(self) -> float:
        rate_bpm = self.rate_bpm or _EPISODE_RATES_BPM[self.kind]
        return 60 / rate_bpm if rate_bpm else np.inf


@checked
def simulate_recording(
    duration_s: float = 300.0,
    *,
    sampling_rate_hz: float = 250.0,
    rate_bpm: float | None = None,
    hrv_sd_ms: float = 40.0,
    ectopic: Mapping[str, float] = _NO_ECTOPIC,
    pauses_per_hour: float = 0.0,
    noise_mv: float = 0.02,
    leads: int = 2,
    episodes: Sequence[Episode] = (),
    patient: Literal["adult", "infant"] = "adult",
    random_state: int = 0,
) -> Recording:
    """Draw an ECG with its true annotations.

    Beats and their shapes depend neither on the sampling rate nor on leads or noise: the same
    `random_state` gives the same heart.

    Parameters
    ----------
    duration_s : float
    sampling_rate_hz : float
    rate_bpm : float, optional
        Sinus rate, at most 350 beats per minute; by default 70, of an infant 140.
    hrv_sd_ms : float
        Standard deviation of the sinus RR interval at `rate_bpm`, in milliseconds.
    ectopic : mapping of str to float
        Fraction of beats of each ectopic kind by annotation code, together at most 0.5, because
        a normal beat comes before each. ``V``: premature ventricular (wide, no P, T opposite, full
        compensatory pause). ``r``: the same, on the T wave of the beat before. ``A``: premature
        supraventricular of any origin (narrow, another P, no full compensatory pause). ``F``:
        fusion of a normal and a ventricular beat.
    pauses_per_hour : float
        Mean number of sinus pauses per hour, at most 360; each adds 1 to 2 s to an RR interval.
    noise_mv : float
        Standard deviation of white (muscle) noise. Baseline wander at the rate of breathing has an
        amplitude of four times, mains hum of half of it. 0 = a clean signal.
    leads : int
        1 = MLII, 2 = MLII and V1.
    episodes : sequence of Episode
        Those that set the rhythm must not overlap.
    patient : {"adult", "infant"}
        An infant has narrower beats, those that are ventricular too, and a high R wave in V1.
    random_state : int

    Returns
    -------
    Recording
        Signal in mV, shape (samples, leads). Annotations: the code of each beat at its R peak or
        main deflection, also ``S`` in a supraventricular tachycardia and ``E`` for an escape beat; ``p`` for a P wave
        that is not conducted; ``[`` and ``]`` where flutter or fibrillation begins and ends; and ``~`` at the start
        and the end of each lead-off or noise episode. Beats in those episodes are annotated too: the heart goes on,
        and without them a loose electrode would be annotated like an asystole. To forgive them, leave out what lies
        between two ``~``.

    Raises
    ------
    SettingError
        If a setting is unknown or impossible.

    Examples
    --------
    >>> recording = simulate_recording(60, ectopic={"V": 0.1}, episodes=[Episode("noise", 20, 5)])
    >>> recording.signal.shape
    (15000, 2)
    """
    _require_positive(duration_s=duration_s, sampling_rate_hz=sampling_rate_hz)
    _require(patient in _RATES_BPM, f"patient must be one of {', '.join(_RATES_BPM)}, not {patient!r}.")
    rate_bpm = _RATES_BPM[patient] if rate_bpm is None else rate_bpm
    _require_rate(rate_bpm)
    _require_not_negative(random_state=random_state)
    _require_not_negative(hrv_sd_ms=hrv_sd_ms, pauses_per_hour=pauses_per_hour, noise_mv=noise_mv)
    most = 3600 / _PAUSE_SLOT_S
    _require(pauses_per_hour <= most, f"pauses_per_hour must be at most {most:g}, not {pauses_per_hour}.")
    unknown = sorted(set(ectopic) - set(SYMBOLS[1:]))
    _require(not unknown, f"ectopic beats must be {', '.join(SYMBOLS[1:])}, not {unknown}.")
    _require_not_negative(**ectopic)
    total = round(sum(ectopic.values()), 9)  # 0.2 + 0.15 + 0.05 + 0.1 is 0.5
    _require(total <= 0.5, f"ectopic fractions must sum to at most 0.5, not {total}.")
    _require(leads in (1, 2), f"leads must be 1 or 2, not {leads}.")
    _require_possible(episodes, duration_s)
    size = round(duration_s * sampling_rate_hz)
    _require(size > 0, f"duration_s must be at least one sample, not {duration_s}.")

    rhythm_rng, shape_rng, noise_rng, episode_rng = np.random.default_rng(random_state).spawn(4)
    interval_s = 60 / rate_bpm
    coupling_s = _COUPLING_S[patient]
    clock = _wind_clock(rhythm_rng, duration_s, interval_s, hrv_sd_ms / 1000, pauses_per_hour, coupling_s, episodes)
    beats = _place_beats(rhythm_rng, episode_rng, clock, ectopic, episodes)
    beats = beats.select(beats.times_s * sampling_rate_hz < size - 0.5)
    signal = _draw_beats(shape_rng, beats, interval_s, size, sampling_rate_hz, leads, patient)
    _add_waves(episode_rng, signal, sampling_rate_hz, episodes)
    _add_noise(noise_rng, signal, sampling_rate_hz, noise_mv, episodes)

    marks = [(t, "~") for e in episodes if e.kind in _UNREADABLE for t in (e.start_s, e.end_s)]
    marks += [mark for e in episodes if e.kind in _WAVES_ALONE for mark in ((e.start_s, "["), (e.end_s, "]"))]
    seconds = np.concatenate([beats.times_s, [at_s for at_s, _ in marks]])
    positions = np.minimum(np.rint(seconds * sampling_rate_hz).astype(np.int64), size - 1)
    symbols = np.concatenate([CODES[beats.kinds], np.array([symbol for _, symbol in marks], "U1")])
    order = np.argsort(positions, kind="stable")
    annotations = Annotations(positions[order], symbols[order])
    source = f"simulated (random_state={random_state})"
    return Recording(signal.T, sampling_rate_hz, LEADS[:leads], annotations=annotations, source=source)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingError(message)


def _require_positive(**values: float) -> None:
    for name, value in values.items():
        _require(0 < value < np.inf, f"{name} must be above 0, not {value}.")


def _require_not_negative(**values: float) -> None:
    for name, value in values.items():
        _require(0 <= value < np.inf, f"{name} must be 0 or more, not {value}.")


def _require_rate(rate_bpm: float) -> None:
    possible = 0 < rate_bpm <= _MAX_RATE_BPM
    _require(possible, f"rate_bpm must be above 0, at most {_MAX_RATE_BPM:g}, not {rate_bpm}.")


def _require_possible(episodes: Sequence[Episode], duration_s: float) -> None:
    for e in episodes:
        _require(e.start_s < duration_s, f"{e.kind} must start before {duration_s} s, the end.")
    rhythms = [e for e in episodes if e.kind not in _NO_RHYTHM]
    for a, b in pairwise(sorted(rhythms, key=lambda e: e.start_s)):
        _require(a.end_s <= b.start_s, f"{b.kind} must start after {a.kind} ends at {a.end_s} s.")


class _Clock(NamedTuple):
    """The sinus node, at each knot: cycles passed, seconds stood still."""

    knots_s: NDArray[np.float64]
    cycles: NDArray[np.float64]
    still_s: NDArray[np.float64]


def _wind_clock(
    rng: np.random.Generator,
    duration_s: float,
    interval_s: float,
    hrv_sd_s: float,
    pauses_per_hour: float,
    coupling_s: float,
    episodes: Sequence[Episode],
) -> _Clock:
    # One pause per slot, in its first half: two in a row would be an asystole nobody asked for.
    slots = np.arange(0, duration_s, _PAUSE_SLOT_S)
    slots = slots[rng.random(len(slots)) < pauses_per_hour * _PAUSE_SLOT_S / 3600]
    pauses = slots + rng.uniform(0, _PAUSE_SLOT_S / 2, len(slots))
    stops = [(start, start + rng.uniform(1, 2)) for start in pauses]
    stops += [(e.start_s, e.end_s) for e in episodes if e.kind in _BEATS_STOP]
    runs = [e for e in episodes if e.kind in _RUN_KINDS or e.kind in _WAVES_ALONE]
    stops += [(e.start_s - coupling_s, e.end_s) for e in runs]
    paced = [e for e in episodes if e.kind in _SINUS]
    edges = [*np.ravel(stops), *(t for e in paced for t in (e.start_s, e.end_s)), duration_s]
    ticks = np.arange(0, duration_s, 1 / _CLOCK_HZ)
    knots = np.union1d(ticks, np.clip(edges, 0, duration_s))

    interval = interval_s + hrv_sd_s * _variability(rng, (knots[1:] + knots[:-1]) / 2)
    interval = np.maximum(interval, 0.3 * interval_s)
    for e in paced:
        inside = slice(*np.searchsorted(knots, (e.start_s, e.end_s)))
        # In a faster rhythm the share of the variability falls with the interval (Sacha 2014, doi:10.1111/anec.12148).
        varying = (interval[inside] / interval_s - 1.0) * min(e._interval_s / interval_s, 1.0)
        interval[inside] = e._interval_s * (1.0 + varying)
    still = np.zeros(len(interval), bool)
    for stop in stops:
        still[slice(*np.searchsorted(knots, stop))] = True
    step = np.diff(knots)
    cycles = np.cumsum(np.where(still, 0, step / interval))
    return _Clock(knots, np.append(0, cycles), np.append(0, np.cumsum(np.where(still, step, 0))))


def _variability(rng: np.random.Generator, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heart-rate variability of ECGSYN, standard deviation 1: random phases, two spectral peaks.

    They lie at 0.1 Hz (Mayer waves) and 0.25 Hz (breathing), 0.01 Hz wide, power ratio 0.5.
    """
    size = int(max(times_s[-1], 600) * _CLOCK_HZ) + 2  # a short series would fall between the peaks
    frequency = np.fft.rfftfreq(size, 1 / _CLOCK_HZ)
    low, high = (np.exp(-0.5 * ((frequency - f) / 0.01) ** 2) for f in (0.1, _RESPIRATION_HZ))
    phases = np.exp(2j * np.pi * rng.random(len(frequency)))
    series = np.fft.irfft(np.sqrt(0.5 * low + high) * phases, size)
    series /= series.std()
    return np.asarray(np.interp(times_s, np.arange(size) / _CLOCK_HZ, series))


class _PlacedBeats(NamedTuple):
    """Times of beats in order, their kinds, and their heights relative to the usual one in both leads."""

    times_s: NDArray[np.float64]
    kinds: NDArray[np.int_]
    heights: NDArray[np.float64]

    def select(self, rows: NDArray[Any]) -> _PlacedBeats:
        """Those of these places, or where this is true."""
        return _PlacedBeats(self.times_s[rows], self.kinds[rows], self.heights[rows])


def _place_beats(
    rng: np.random.Generator,
    episode_rng: np.random.Generator,
    clock: _Clock,
    ectopic: Mapping[str, float],
    episodes: Sequence[Episode],
) -> _PlacedBeats:
    # A premature supraventricular beat resets the sinus node: it shortens its own step of the clock
    # and the next one counts from it. Two steps last 1.6 cycles at least, so `count` is enough.
    count = int(clock.cycles[-1] / 0.8) + 3
    kinds = _draw_kinds(rng, count, ectopic)
    reset = np.flatnonzero(kinds == ATRIAL)
    steps = np.ones(count)
    steps[reset] = rng.uniform(0.62, 0.78, len(reset))
    steps[reset + 1] = rng.uniform(1.0, 1.1, len(reset))
    steps[0] = rng.random()
    cycles = np.cumsum(steps)
    times = np.interp(cycles, clock.cycles, clock.knots_s)

    # Beside a stop of the clock nothing is premature.
    still = np.interp(times, clock.knots_s, clock.still_s)
    kinds[1:-1][still[2:] > still[:-2]] = NORMAL

    # A ventricular beat leaves the sinus node alone: it takes the place of a sinus beat, early, and
    # the beat after it is on time. That is the full compensatory pause.
    interval = np.diff(times, prepend=0)
    on_t = rng.uniform(0.35, 0.41, count) * np.sqrt(np.clip(interval, 0.4, 1.2))
    early = rng.uniform(0.58, 0.75, count) * interval
    fused = rng.uniform(0.92, 0.98, count) * interval
    coupling = np.choose(kinds, [interval, on_t, early, interval, fused])
    times -= interval - np.minimum(np.maximum(coupling, _REFRACTORY_S), interval)

    has_time = cycles < clock.cycles[-1]
    sinus = _PlacedBeats(times[has_time], kinds[has_time], np.ones((int(has_time.sum()), 2)))
    parts = [sinus, *(part for e in episodes for part in _beats_of(episode_rng, e))]
    together = _PlacedBeats(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return together.select(np.argsort(together.times_s, kind="stable"))


def _beats_of(rng: np.random.Generator, episode: Episode) -> Iterator[_PlacedBeats]:
    """The beats that an episode adds to those of the sinus node."""
    start_s, interval_s = episode.start_s, episode._interval_s
    if episode.kind in _RUN_KINDS:
        count = int(episode.duration_s / interval_s + 1e-9)
        times_s = start_s + interval_s * np.arange(count)
        heights = None
        if episode.kind == "polymorphic_tachycardia":
            times_s[1:] += 0.08 * interval_s * rng.uniform(-1, 1, len(times_s[1:]))
            heights = twist(rng, count)
        yield _beats_at(times_s, _RUN_KINDS[episode.kind], heights)
    if episode.kind in ("complete_block", "ventricular_standstill"):
        step_s = 60 / _P_RATE_BPM
        yield _beats_at(np.arange(start_s + step_s * rng.random(), episode.end_s, step_s), P_WAVE)
    if episode.kind == "complete_block":
        yield _beats_at(np.arange(start_s + 0.6 * interval_s, episode.end_s, interval_s), ESCAPE)


def _beats_at(times_s: NDArray[Any], kind: int, heights: NDArray[np.float64] | None = None) -> _PlacedBeats:
    usual = np.ones((len(times_s), 2))
    return _PlacedBeats(times_s.astype(np.float64), np.full(len(times_s), kind), usual if heights is None else heights)


def _draw_kinds(rng: np.random.Generator, count: int, ectopic: Mapping[str, float]) -> NDArray[np.int_]:
    """Kind of each beat; at least one normal beat before each ectopic one, and one at the end."""
    kinds = np.full(count, NORMAL)
    fractions = np.array([ectopic.get(symbol, 0.0) for symbol in SYMBOLS[1:]])
    total = fractions.sum()
    if total > 0:
        places = np.cumsum(1 + rng.geometric(min(total / (1 - total), 1), count))
        places = places[places < count - 1]
        kinds[places] = 1 + rng.choice(len(fractions), len(places), p=fractions / total)
    return kinds


def _draw_beats(
    rng: np.random.Generator,
    beats: _PlacedBeats,
    interval_s: float,
    size: int,
    sampling_rate_hz: float,
    leads: int,
    patient: str,
) -> NDArray[np.float32]:
    """Clean signal in mV, shape (leads, size)."""
    times_s, kinds, heights = beats
    # P and T move with the root of the interval (Bazett), which follows the rate with a delay.
    interval = np.diff(times_s, prepend=times_s[:1] - interval_s)
    recent = (interval + np.append(interval[:1], interval[:-1])) / 2
    shortest_s = np.where(kinds == SUPRAVENTRICULAR, _SHORTEST_S["infant"], _SHORTEST_S[patient])
    stretch = np.sqrt(np.clip(recent, shortest_s, 1.2))[:, None] ** _FOLLOWS_RATE
    jitter = np.exp(rng.standard_normal((len(times_s), 5, 3)) * _JITTER)
    waves = WAVES[patient][kinds]
    nearest = np.rint(times_s * sampling_rate_hz).astype(np.int64)
    remainder = times_s - nearest / sampling_rate_hz
    centre = waves[..., 0] * stretch * jitter[..., 0] + remainder[:, None]
    width = waves[..., 1] * stretch * jitter[..., 1]
    height = waves[..., 2:] * jitter[..., 2:] * heights[:, None]

    before, after = (round(seconds * sampling_rate_hz) + 1 for seconds in _WINDOW_S)
    offsets = np.arange(-before, after)
    seconds = (offsets / sampling_rate_hz).astype(np.float32)
    padded = np.zeros((leads, before + size + after), np.float32)
    for start in range(0, len(times_s), _BLOCK_BEATS):
        block = slice(start, start + _BLOCK_BEATS)
        c, w, h = (values[block, :].astype(np.float32) for values in (centre, width, height))
        shapes = np.exp(-0.5 * ((seconds - c[..., None]) / w[..., None]) ** 2)
        index = (before + nearest[block, None] + offsets).ravel()
        for lead in range(leads):
            shapes_mv = np.einsum("bw,bws->bs", h[..., lead], shapes)
            np.add.at(padded[lead], index, shapes_mv.ravel())
    return padded[:, before : before + size]


def _add_waves(
    rng: np.random.Generator, signal: NDArray[np.float32], sampling_rate_hz: float, episodes: Sequence[Episode]
) -> None:
    """Add flutter and fibrillation to a signal of shape (leads, samples), in place."""
    leads, size = signal.shape
    for e in episodes:
        if e.kind not in _WAVES_ALONE:
            continue
        begin, end = (min(round(at_s * sampling_rate_hz), size) for at_s in (e.start_s, e.end_s))
        times_s = np.arange(begin, end) / sampling_rate_hz
        if e.kind == "ventricular_flutter":
            waves = flutter(rng, 60 / e._interval_s, e.start_s, e.end_s, times_s)
        else:
            waves = fibrillation(rng, e.kind, e.start_s, e.end_s, times_s)
        signal[:, begin:end] += waves[:leads].astype(np.float32)


def _add_noise(
    rng: np.random.Generator,
    signal: NDArray[np.float32],
    sampling_rate_hz: float,
    noise_mv: float,
    episodes: Sequence[Episode],
) -> None:
    """Add noise to a signal of shape (leads, samples), and take leads off, in place."""

    def sine(amplitude_mv: float, frequency_hz: float, begin: int, end: int) -> NDArray[np.float32]:
        turns = np.arange(begin, end) * (frequency_hz / sampling_rate_hz) % 1
        return np.asarray(amplitude_mv * np.sin(2 * np.pi * turns), np.float32)

    def blocks(begin: int, end: int) -> Iterator[tuple[int, int]]:
        return pairwise([*range(begin, end, _BLOCK_SAMPLES), end])

    size = signal.shape[1]
    for begin, end in blocks(0, size if noise_mv > 0 else 0):
        part = signal[:, begin:end]
        part += np.float32(noise_mv) * rng.standard_normal(part.shape, np.float32)
        part += sine(4 * noise_mv, _RESPIRATION_HZ, begin, end)
        part += sine(noise_mv / 2, _MAINS_HZ, begin, end)
    for e in sorted(episodes, key=lambda e: e.kind == "lead_off"):  # a loose lead has no noise
        edges = (min(round(t * sampling_rate_hz), size) for t in (e.start_s, e.end_s))
        for begin, end in blocks(*edges):
            part = signal[:, begin:end]
            if e.kind == "noise":
                part += np.float32(_NOISE_EPISODE_MV) * rng.standard_normal(part.shape, np.float32)
            elif e.kind == "mains_hum":
                part += sine(_HUM_MV, _MAINS_HZ, begin, end)
            elif e.kind == "pacing":
                since_s = np.arange(begin, end) / sampling_rate_hz - e.start_s + 1e-9
                spike = since_s % e._interval_s < max(_SPIKE_S, 1 / sampling_rate_hz) - 1e-6
                part += np.array(_SPIKE_MV[: len(part)], np.float32)[:, None] * spike
            elif e.kind == "lead_off":
                part[:] = sine(noise_mv, _MAINS_HZ, begin, end)
