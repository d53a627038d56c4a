"""A simulated ECG whose every beat is known: data where there are none, and the test signal.

The heart's clock and its waves follow ECGSYN [1]_: a phase advances by ``1 / RR(t)``, where
``RR(t)`` has the two spectral peaks of heart-rate variability, and each wave of a beat is a
Gaussian around its place in the cycle. Two departures: the Gaussians are summed directly, as in
[2]_, instead of integrating equations of motion, so that nothing loops over samples; and the paper
stops at sinus rhythm. Ectopic beats, pauses, episodes and the wave tables are ours, set by eye to
textbook durations and amplitudes.

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
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import check_fields, checked
from ectopy.beats import BEAT_SAMPLES, BeatLayout, Beats
from ectopy.errors import DataError, SettingError
from ectopy.recording import Annotations, Recording

SIMULATED_LAYOUT = BeatLayout("simulated", BEAT_SAMPLES, None, "z-score")
LEADS = ("MLII", "V1")
SYMBOLS = ("N", "r", "V", "A", "F")
"""Annotation code of each kind of beat; the place in the tuple plus one is its label."""
_NORMAL, _R_ON_T, _VENTRICULAR, _ATRIAL, _FUSION = range(len(SYMBOLS))

# Per wave (P, Q, R, S, T): centre after R (s), standard deviation (s), mV in MLII, mV in V1.
_NORMAL_WAVES = [
    [-0.165, 0.024, 0.14, 0.06],
    [-0.031, 0.009, -0.12, 0.22],
    [0.000, 0.012, 1.10, -0.85],
    [0.030, 0.010, -0.24, -0.12],
    [0.295, 0.048, 0.30, 0.12],
]
_VENTRICULAR_WAVES = [
    [-0.170, 0.024, 0.00, 0.00],
    [-0.075, 0.022, -0.12, 0.15],
    [0.000, 0.036, 1.35, -1.20],
    [0.085, 0.030, -0.35, -0.20],
    [0.350, 0.065, -0.42, 0.40],
]
_ATRIAL_WAVES = [  # a P from another focus, and a conduction a little aberrant
    [-0.125, 0.018, -0.08, 0.08],
    [-0.030, 0.009, -0.07, 0.24],
    [0.000, 0.012, 1.00, -0.75],
    [0.032, 0.012, -0.36, -0.05],
    [0.285, 0.048, 0.22, 0.10],
]
_FUSION_WAVES = [
    [-0.165, 0.024, 0.14, 0.06],
    [-0.050, 0.015, -0.12, 0.18],
    [0.000, 0.023, 1.20, -1.00],
    [0.055, 0.020, -0.32, -0.15],
    [0.315, 0.058, -0.08, 0.24],
]
_WAVES = np.array([_NORMAL_WAVES, _VENTRICULAR_WAVES, _VENTRICULAR_WAVES, _ATRIAL_WAVES, _FUSION_WAVES])
_FOLLOWS_RATE = np.array([True, False, False, False, True])
_JITTER = (0.03, 0.08, 0.12)  # between beats, relative: centre, standard deviation, mV
_WINDOW_S = (0.36, 0.80)  # before and after R; beyond it every wave has died away
_BLOCK_BEATS = 512
_BLOCK_SAMPLES = 1 << 20

_CLOCK_HZ = 4.0
_RESPIRATION_HZ = 0.25
_MAINS_HZ = 50.0
_REFRACTORY_S = 0.28
_RUN_COUPLING_S = 0.4
_NOISE_EPISODE_MV = 0.5
_PAUSE_SLOT_S = 10.0
_MAX_RATE_BPM = 300.0

_EPISODE_RATES_BPM: Mapping[str, float | None] = MappingProxyType(
    {
        "asystole": None,
        "bradycardia": 35.0,
        "tachycardia": 150.0,
        "ventricular_tachycardia": 160.0,
        "lead_off": None,
        "noise": None,
    }
)
_UNREADABLE = ("lead_off", "noise")
_NO_ECTOPIC: Mapping[str, float] = MappingProxyType({})
# Class counts of the official files of ECG5000, and a seed for each.
_SPLITS = MappingProxyType({"train": (292, (177, 10, 19, 2), 5000), "test": (2627, (1590, 86, 175, 22), 4500)})


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that happens to a simulated recording at a set time.

    Attributes
    ----------
    kind : str
        ``"asystole"``: no beat. ``"bradycardia"``, ``"tachycardia"``: sinus rhythm at `rate_bpm`.
        ``"ventricular_tachycardia"``: ventricular beats at `rate_bpm`, the first at `start_s`.
        ``"lead_off"``: all leads flat at 0 mV, with mains hum if the recording is noisy.
        ``"noise"``: muscle noise of 0.5 mV standard deviation on all leads.
    start_s, duration_s : float
        Seconds; the start from the beginning of the recording.
    rate_bpm : float or None
        Beats per minute, of the three kinds that have a rate; None = 35, 150 and 160.

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
    rate_bpm: float = 70.0,
    hrv_sd_ms: float = 40.0,
    ectopic: Mapping[str, float] = _NO_ECTOPIC,
    pauses_per_hour: float = 0.0,
    noise_mv: float = 0.02,
    leads: int = 2,
    episodes: Sequence[Episode] = (),
    random_state: int = 0,
) -> Recording:
    """Draw an ECG with its true annotations.

    Beats and their shapes depend neither on the sampling rate nor on leads or noise: the same
    `random_state` gives the same heart.

    Parameters
    ----------
    duration_s : float
    sampling_rate_hz : float
    rate_bpm : float
        Sinus rate, at most 300 beats per minute.
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
    random_state : int

    Returns
    -------
    Recording
        Signal in mV, shape (samples, leads). Annotations: the code of each beat at its R peak or
        main deflection, and ``~`` at the start and the end of each lead-off or noise episode. Beats
        in those episodes are annotated too: the heart goes on, and without them a loose electrode
        would be annotated like an asystole. To forgive them, leave out what lies between two ``~``.

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

    rhythm_rng, shape_rng, noise_rng = np.random.default_rng(random_state).spawn(3)
    interval_s = 60 / rate_bpm
    clock = _wind_clock(rhythm_rng, duration_s, interval_s, hrv_sd_ms / 1000, pauses_per_hour, episodes)
    times_s, kinds = _place_beats(rhythm_rng, clock, ectopic, episodes)
    kept = times_s * sampling_rate_hz < size - 0.5
    times_s, kinds = times_s[kept], kinds[kept]
    signal = _draw_beats(shape_rng, times_s, kinds, interval_s, size, sampling_rate_hz, leads)
    _add_noise(noise_rng, signal, sampling_rate_hz, noise_mv, episodes)

    marks = [t for e in episodes if e.kind in _UNREADABLE for t in (e.start_s, e.end_s)]
    seconds = np.concatenate([times_s, marks])
    positions = np.minimum(np.rint(seconds * sampling_rate_hz).astype(np.int64), size - 1)
    symbols = np.concatenate([np.array(SYMBOLS)[kinds], np.full(len(marks), "~")])
    order = np.argsort(positions, kind="stable")
    annotations = Annotations(positions[order], symbols[order])
    source = f"simulated (random_state={random_state})"
    return Recording(signal.T, sampling_rate_hz, LEADS[:leads], annotations=annotations, source=source)


def cut_cycles(signal: NDArray[np.floating], positions: NDArray[np.integer]) -> NDArray[np.float32]:
    """Cut a lead from beat to beat, as ECG5000 was cut.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        One lead.
    positions : ndarray of int, shape (n,)
        Sample index of each beat, increasing.

    Returns
    -------
    ndarray of float32, shape (n - 1, 140)
        Row i runs from beat i to beat i + 1, both ends included, stretched by linear interpolation,
        then brought to mean 0 and standard deviation 1 (ddof=1). A flat cycle is a row of zeros.

    Raises
    ------
    DataError
        If the positions are not increasing indices into the signal.
    """
    if np.any(np.diff(positions) <= 0) or np.any((positions < 0) | (positions >= len(signal))):
        raise DataError(f"positions must increase within 0 to {len(signal) - 1}.")
    starts, lengths = positions[:-1, None], np.diff(positions)[:, None]
    places = starts + lengths * np.linspace(0, 1, BEAT_SAMPLES)
    left = np.minimum(places.astype(np.int64), starts + lengths - 1)
    right_share = places - left
    rows = (1 - right_share) * signal[left] + right_share * signal[left + 1]
    flat = np.ptp(rows, axis=1, keepdims=True) == 0
    rows -= rows.mean(axis=1, keepdims=True)
    spread = np.where(flat, np.inf, rows.std(axis=1, ddof=1, keepdims=True))
    cycles: NDArray[np.float32] = (rows / spread).astype(np.float32)
    return cycles


@checked
def simulate_beats(
    n_normal: int = 292,
    n_abnormal_per_kind: tuple[int, int, int, int] = (177, 10, 19, 2),
    *,
    random_state: int = 0,
) -> Beats:
    """Cut beats with `cut_cycles` from the first lead of simulated recordings, in random order.

    Parameters
    ----------
    n_normal : int
    n_abnormal_per_kind : tuple of four int
        How many of the labels 2 to 5.
    random_state : int

    Returns
    -------
    Beats
        Labels 1 = normal, 2 = R-on-T premature ventricular, 3 = premature ventricular,
        4 = premature supraventricular, 5 = fusion. A row starts at its own beat and ends at the
        next, so a normal beat before a premature one is cut short and ends in another shape.

    Raises
    ------
    SettingError
        If a count is negative or there are not four abnormal kinds.
    """
    _require_not_negative(random_state=random_state)
    wanted = np.array([n_normal, *n_abnormal_per_kind])
    _require(
        len(wanted) == len(SYMBOLS) and bool(np.all(wanted >= 0)),
        f"simulate_beats needs five counts of 0 or more, not {wanted.tolist()}.",
    )
    # Rare kinds get more than their share, so that the others do not wait for them.
    shares = np.where(wanted[1:] > 0, wanted[1:] + 10, 0)
    ectopic = dict(zip(SYMBOLS[1:], 0.15 * shares / max(shares.sum(), 1), strict=True))
    rng = np.random.default_rng(random_state)
    rows, labels = np.empty((0, BEAT_SAMPLES), np.float32), np.empty(0, np.int_)
    while np.any(np.bincount(labels, minlength=len(wanted) + 1)[1:] < wanted):
        recording = simulate_recording(
            900.0,
            rate_bpm=rng.uniform(60, 85),
            ectopic=ectopic,
            noise_mv=0.04,
            leads=1,
            random_state=int(rng.integers(2**32)),
        )
        marks = recording.annotations
        assert marks is not None
        kinds = np.argmax(marks.symbols[:-1, None] == np.array(SYMBOLS), axis=1)
        rows = np.concatenate([rows, cut_cycles(recording.signal[:, 0], marks.positions)])
        labels = np.concatenate([labels, kinds + 1])
    chosen = np.concatenate([np.flatnonzero(labels == 1 + k)[:n] for k, n in enumerate(wanted)])
    chosen = rng.permutation(chosen)
    source = f"simulated beats (random_state={random_state})"
    return Beats(rows[chosen], SIMULATED_LAYOUT, labels[chosen], source)


@checked
def load_simulated(split: Literal["train", "test", "all"] = "all") -> Beats:
    """Load the simulated stand-in for ECG5000, with the class counts of its official files.

    Parameters
    ----------
    split : {"train", "test", "all"}
        500 beats, 4,500 others, or first these and then those.

    Returns
    -------
    Beats
        As `simulate_beats` gives them, always the same.

    Raises
    ------
    SettingError
        If there is no such split.
    """
    _require(split in (*_SPLITS, "all"), f"split must be train, test or all, not {split!r}.")
    parts = [
        simulate_beats(n_normal, n_abnormal, random_state=seed)
        for name, (n_normal, n_abnormal, seed) in _SPLITS.items()
        if split in (name, "all")
    ]
    samples = np.concatenate([part.samples for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return Beats(samples, SIMULATED_LAYOUT, labels, f"simulated beats ({split})")


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
    rhythms = [e for e in episodes if e.kind not in _UNREADABLE]
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
    episodes: Sequence[Episode],
) -> _Clock:
    # One pause per slot, in its first half: two in a row would be an asystole nobody asked for.
    slots = np.arange(0, duration_s, _PAUSE_SLOT_S)
    slots = slots[rng.random(len(slots)) < pauses_per_hour * _PAUSE_SLOT_S / 3600]
    pauses = slots + rng.uniform(0, _PAUSE_SLOT_S / 2, len(slots))
    stops = [(start, start + rng.uniform(1, 2)) for start in pauses]
    stops += [(e.start_s, e.end_s) for e in episodes if e.kind == "asystole"]
    runs = [e for e in episodes if e.kind == "ventricular_tachycardia"]
    stops += [(e.start_s - _RUN_COUPLING_S, e.end_s) for e in runs]
    paced = [e for e in episodes if e.kind in ("bradycardia", "tachycardia")]
    edges = [*np.ravel(stops), *(t for e in paced for t in (e.start_s, e.end_s)), duration_s]
    ticks = np.arange(0, duration_s, 1 / _CLOCK_HZ)
    knots = np.union1d(ticks, np.clip(edges, 0, duration_s))

    interval = interval_s + hrv_sd_s * _variability(rng, (knots[1:] + knots[:-1]) / 2)
    interval = np.maximum(interval, 0.3 * interval_s)
    for e in paced:
        inside = slice(*np.searchsorted(knots, (e.start_s, e.end_s)))
        interval[inside] *= e._interval_s / interval_s
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


def _place_beats(
    rng: np.random.Generator,
    clock: _Clock,
    ectopic: Mapping[str, float],
    episodes: Sequence[Episode],
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """When each beat is, in seconds and in order, and of what kind."""
    # A premature supraventricular beat resets the sinus node: it shortens its own step of the clock
    # and the next one counts from it. Two steps last 1.6 cycles at least, so `count` is enough.
    count = int(clock.cycles[-1] / 0.8) + 3
    kinds = _draw_kinds(rng, count, ectopic)
    reset = np.flatnonzero(kinds == _ATRIAL)
    steps = np.ones(count)
    steps[reset] = rng.uniform(0.62, 0.78, len(reset))
    steps[reset + 1] = rng.uniform(1.0, 1.1, len(reset))
    steps[0] = rng.random()
    cycles = np.cumsum(steps)
    times = np.interp(cycles, clock.cycles, clock.knots_s)

    # Beside a stop of the clock nothing is premature.
    still = np.interp(times, clock.knots_s, clock.still_s)
    kinds[1:-1][still[2:] > still[:-2]] = _NORMAL

    # A ventricular beat leaves the sinus node alone: it takes the place of a sinus beat, early, and
    # the beat after it is on time. That is the full compensatory pause.
    interval = np.diff(times, prepend=0)
    on_t = rng.uniform(0.35, 0.41, count) * np.sqrt(np.clip(interval, 0.4, 1.2))
    early = rng.uniform(0.58, 0.75, count) * interval
    fused = rng.uniform(0.92, 0.98, count) * interval
    coupling = np.choose(kinds, [interval, on_t, early, interval, fused])
    times -= interval - np.minimum(np.maximum(coupling, _REFRACTORY_S), interval)

    kept = cycles < clock.cycles[-1]
    runs = [
        e.start_s + e._interval_s * np.arange(int(e.duration_s / e._interval_s + 1e-9))
        for e in episodes
        if e.kind == "ventricular_tachycardia"
    ]
    times = np.concatenate([times[kept], *runs])
    kinds = np.append(kinds[kept], np.full(len(times) - kept.sum(), _VENTRICULAR))
    order = np.argsort(times, kind="stable")
    return times[order], kinds[order]


def _draw_kinds(rng: np.random.Generator, count: int, ectopic: Mapping[str, float]) -> NDArray[np.int_]:
    """Kind of each beat; at least one normal beat before each ectopic one, and one at the end."""
    kinds = np.full(count, _NORMAL)
    fractions = np.array([ectopic.get(symbol, 0.0) for symbol in SYMBOLS[1:]])
    total = fractions.sum()
    if total > 0:
        places = np.cumsum(1 + rng.geometric(min(total / (1 - total), 1), count))
        places = places[places < count - 1]
        kinds[places] = 1 + rng.choice(len(fractions), len(places), p=fractions / total)
    return kinds


def _draw_beats(
    rng: np.random.Generator,
    times_s: NDArray[np.float64],
    kinds: NDArray[np.int_],
    interval_s: float,
    size: int,
    sampling_rate_hz: float,
    leads: int,
) -> NDArray[np.float32]:
    """Clean signal in mV, shape (leads, size)."""
    # P and T move with the root of the interval (Bazett), which follows the rate with a delay.
    interval = np.diff(times_s, prepend=times_s[:1] - interval_s)
    recent = (interval + np.append(interval[:1], interval[:-1])) / 2
    stretch = np.sqrt(np.clip(recent, 0.4, 1.2))[:, None] ** _FOLLOWS_RATE
    jitter = np.exp(rng.standard_normal((len(times_s), 5, 3)) * _JITTER)
    waves = _WAVES[kinds]
    nearest = np.rint(times_s * sampling_rate_hz).astype(np.int64)
    remainder = times_s - nearest / sampling_rate_hz
    centre = waves[..., 0] * stretch * jitter[..., 0] + remainder[:, None]
    width = waves[..., 1] * stretch * jitter[..., 1]
    height = waves[..., 2:] * jitter[..., 2:]

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
            beats = np.einsum("bw,bws->bs", h[..., lead], shapes)
            np.add.at(padded[lead], index, beats.ravel())
    return padded[:, before : before + size]


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
            elif e.kind == "lead_off":
                part[:] = sine(noise_mv, _MAINS_HZ, begin, end)
