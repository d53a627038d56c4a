"""Detect the onsets of pulses in a pressure wave or a plethysmogram, and whether each pulse can be read.

The wave is averaged to `GRID_HZ` and smoothed. The *slope sum function* adds up the rises of a short window, so that
its peaks are as high as the upstrokes (Zong et al. 2003, `wabp`, doi:10.1109/CIC.2003.1291140). A peak is a pulse if it
is higher than a share of the usual one. The onset is where the tangent of the steepest rise meets the level before it.

A pulse is readable if it resembles the running template of this wave (Li and Clifford 2012,
doi:10.1088/0967-3334/33/9/1491; Orphanidou et al. 2015, doi:10.1109/JBHI.2014.2338351, whose least correlation is
0.86), is wide enough for a pulse, which crosstalk of the ECG is not, and has neither a flat top nor a missing sample.
The result does not depend on the unit: a plethysmogram has none, and that of a pressure is not always stated.

Waves are analysed in blocks of one second from their first sample, so that the result does not depend on the chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from ectopy.presentation import short_repr
from ectopy.signal.array_columns import join, select
from ectopy.signal.state_replace import replace

GRID_HZ = 64
"""Rate to which every wave is averaged."""
HIGHEST_RATE_HZ = 1000
"""Highest sampling rate of a wave."""

_EDGES: NDArray[np.float64] = np.arange(GRID_HZ + 1) / GRID_HZ
_PLACES: NDArray[np.float64] = np.arange(HIGHEST_RATE_HZ + 3.0)
_ALL_VALID: NDArray[np.bool_] = np.ones(GRID_HZ, bool)
_SMOOTHED = 5  # grid samples, 80 ms
_HALF = _SMOOTHED // 2
_RISE = {True: 8, False: 11}  # window of the slope sum function, grid samples: 0.13 s of a pressure, 0.17 s else
_BUFFER = 176
_AHEAD = 40  # grid samples that must follow the steepest rise of a pulse before it is assessed
_AHEAD_AT_END = 16  # the same at the end of the wave
_BEFORE = 26  # in which the level before the upstroke is searched
_TOP = 26  # in which the top is searched
_AROUND = np.arange(-_BEFORE - _HALF - 1, _AHEAD - 1)
_AROUND_FIRST = -int(_AROUND[0])
_APART = 13  # two pulses are at least 0.2 s apart
_SHAPE = (-10, 30)  # grid samples of a pulse that are compared with the template
_SHARE = 0.4  # of the usual slope sum, which a pulse exceeds
_USUAL = 8  # pulses
_DECAY = 0.8  # of the usual slope sum in a second without a pulse
_LEAST_CORRELATION = 0.86
_LEARNED = 8  # pulses over which the template is averaged
_LEAST_LEARNED = 3
_LEAST_WIDTH = 8  # at half height, grid samples, 0.125 s
_FLAT_TOP = 9  # grid samples of equal height, 0.14 s


@dataclass(frozen=True, slots=True)
class Pulses:
    """Pulses in order of time; arrays with one entry per pulse.

    Attributes
    ----------
    onset_s : ndarray of float64
        Where the upstroke begins.
    amplitude : ndarray of float64
        From the level before the upstroke to the top, in the unit of the wave.
    readable : ndarray of bool
        Whether it is certainly a pulse.
    """

    __repr__ = short_repr

    onset_s: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    readable: NDArray[np.bool_]

    @classmethod
    def empty(cls) -> Pulses:
        """Return no pulses."""
        return cls(np.empty(0), np.empty(0), np.empty(0, bool))

    def __len__(self) -> int:
        return len(self.onset_s)

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> Pulses:
        return select(self, rows)


_NO_PULSES = Pulses.empty()


@dataclass(frozen=True, slots=True)
class PulseFindings:
    """Pulses detected in the next samples of a wave.

    Attributes
    ----------
    pulses : Pulses
        New ones.
    low, high : ndarray of float64, shape (seconds,)
        The lowest and the highest value of each second; NaN where no sample is valid.
    """

    __repr__ = short_repr

    pulses: Pulses
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PulseState:
    """State of the detection in one wave.

    Attributes
    ----------
    pressure : bool
        Whether the wave is an arterial pressure, whose upstroke is steeper than that of a plethysmogram.
    rate_hz : float
    start_s : float
        Time of the first sample.
    count : int
        Samples so far.
    pending : ndarray of float32
        The newest samples, whose block is not complete.
    blocks : int
        Number of seconds averaged.
    known : int
        Grid sample up to which pulses have been detected.
    wave : ndarray of float64
        The newest grid samples.
    valid : ndarray of bool
        Which of them are measured.
    steepest : int
        Grid sample of the last pulse.
    usual : ndarray of float64
        Slope sums of the last pulses.
    template : ndarray of float64
        Running average of the shape.
    learned : int
        Number of pulses in the template, at most 8.
    """

    __repr__ = short_repr

    pressure: bool
    rate_hz: float
    start_s: float
    count: int
    pending: NDArray[np.float32]
    blocks: int
    known: int
    wave: NDArray[np.float64]
    valid: NDArray[np.bool_]
    steepest: int
    usual: NDArray[np.float64]
    template: NDArray[np.float64]
    learned: int

    @classmethod
    def fresh(cls, *, pressure: bool, rate_hz: float, start_s: float) -> PulseState:
        """Return the state before the first sample of a wave.

        Three quarters of a second of missing samples come first, so that blocks end where those of the ECG do.
        """
        ahead = ceil(0.75 * rate_hz)
        return cls(
            pressure=pressure,
            rate_hz=rate_hz,
            start_s=start_s - ahead / rate_hz,
            count=ahead,
            pending=np.full(ahead, np.nan, np.float32),
            blocks=0,
            known=-_AHEAD,
            wave=np.zeros(_BUFFER),
            valid=np.zeros(_BUFFER, bool),
            steepest=-_BUFFER,
            usual=np.empty(0),
            template=np.zeros(_SHAPE[1] - _SHAPE[0]),
            learned=0,
        )

    @property
    def end_s(self) -> float:
        """Return the time of the sample after the newest one."""
        return self.start_s + self.count / self.rate_hz

    @property
    def known_to_s(self) -> float:
        """Return the time up to which all pulses are detected."""
        return self.start_s + max(self.known, 0) / GRID_HZ


def pulse_step(
    state: PulseState, samples: NDArray[np.float32], rate_hz: float, start_s: float
) -> tuple[PulseState, PulseFindings]:
    """Detect the pulses in the next samples of a wave.

    Parameters
    ----------
    state : PulseState
    samples : ndarray of float32, shape (n,)
        NaN where there is no valid sample.
    rate_hz : float
        20 to 1000 Hz.
    start_s : float
        Time of the first sample. If it does not follow the last one of the state, or the rate has changed, the wave
        starts again with the template learned so far.

    Returns
    -------
    state : PulseState
    findings : PulseFindings
    """
    if rate_hz != state.rate_hz or abs(start_s - state.end_s) > 1.5 / rate_hz:
        fresh = PulseState.fresh(pressure=state.pressure, rate_hz=rate_hz, start_s=start_s)
        state = replace(fresh, usual=state.usual, template=state.template, learned=state.learned)
    pending = np.concatenate([state.pending, samples])
    state = replace(state, count=state.count + len(samples), pending=pending)
    pulses, low, high = [], [], []
    while (block := _next_block(state)) is not None:
        state, values = block
        state, new = _detect(state, _AHEAD)
        pulses.append(new)
        low.append(values[0])
        high.append(values[1])
    return state, PulseFindings(_joined(pulses), np.array(low), np.array(high))


def pulse_end(state: PulseState) -> tuple[PulseState, PulseFindings]:
    """Detect the last pulses of a wave that has ended, up to a quarter of a second before its end.

    Returns
    -------
    state : PulseState
        Accepts no more samples.
    findings : PulseFindings
    """
    missing = ceil((state.blocks + 1) * state.rate_hz - state.count - 1e-6)
    pending = np.concatenate([state.pending, np.full(missing, np.nan, np.float32)])
    padded = _next_block(replace(state, count=state.count + missing, pending=pending))
    if padded is None:
        return state, PulseFindings(_NO_PULSES, np.empty(0), np.empty(0))
    ended, pulses = _detect(padded[0], _AHEAD_AT_END + ceil(missing / state.rate_hz * GRID_HZ))
    return ended, PulseFindings(pulses, np.empty(0), np.empty(0))


def _joined(pulses: list[Pulses]) -> Pulses:
    filled = [each for each in pulses if len(each)]
    return join(filled) if filled else _NO_PULSES


def _next_block(state: PulseState) -> tuple[PulseState, tuple[float, float]] | None:
    """Average the next second to the grid; None while it is incomplete."""
    rate_hz, first = state.rate_hz, state.count - len(state.pending)
    # The block in samples of `pending`; each sample represents the time until the next one.
    begin = state.blocks * rate_hz - first
    end = rate_hz + begin
    last = ceil(end - 1e-6)
    if len(state.pending) < last:
        return None
    edges = _EDGES * rate_hz + begin
    raw = state.pending[:last].astype(np.float64)
    # Lowest and highest value; neither is finite where a sample is missing.
    values = float(np.minimum.reduce(raw)), float(np.maximum.reduce(raw))
    if isfinite(values[0]) and isfinite(values[1]):
        valid = _ALL_VALID
    else:
        measured = np.isfinite(raw)
        # Missing samples take the last level. A grid sample is valid if it rests on measured samples alone.
        values = (float(raw[measured].min()), float(raw[measured].max())) if measured.any() else (np.nan, np.nan)
        last_valid = np.maximum.accumulate(np.where(measured, np.arange(last), -1))
        level = state.wave[-1] if state.valid.any() or not measured.any() else raw[measured.argmax()]
        raw = np.where(last_valid >= 0, raw[np.maximum(last_valid, 0)], level)
        share = _average(measured.astype(np.float64), edges)
        valid = share > 1.0 - 1e-9
    grid = _average(raw, edges)
    # Where the wave begins, its first value fills the buffer: no step at the start.
    begins = valid.any() and not state.valid.any()
    wave = np.full(_BUFFER, grid[valid.argmax()]) if begins else state.wave
    # The sample in which the block ends is part of the next one as well.
    next_start = int(end + 1e-6)
    after = replace(
        state,
        pending=state.pending[next_start:].copy(),
        blocks=state.blocks + 1,
        wave=np.concatenate([wave[GRID_HZ:], grid]),
        valid=np.concatenate([state.valid[GRID_HZ:], valid]),
    )
    return after, values


def _average(raw: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average samples between successive edges, in samples."""
    # The integral of the samples, interpolated at the edges; less the first sample, which keeps the sums small.
    total = np.zeros(len(raw) + 1)
    np.cumsum(raw - raw[0], out=total[1:])
    integral = np.interp(edges, _PLACES[: len(total)], total)
    means: NDArray[np.float64] = (integral[1:] - integral[:-1]) / (edges[1] - edges[0]) + raw[0]
    return means


def _detect(state: PulseState, ahead: int) -> tuple[PulseState, Pulses]:
    """Detect the new pulses whose steepest rise is followed by at least `ahead` grid samples."""
    window, wave = _RISE[state.pressure], state.wave
    begin = state.blocks * GRID_HZ - _BUFFER  # grid sample of the first one in the buffer
    # Rise from sample to sample of the wave, smoothed by a moving average.
    rise = np.zeros(_BUFFER)
    np.subtract(wave[_SMOOTHED:], wave[:-_SMOOTHED], out=rise[_HALF + 1 : _BUFFER - _HALF])
    rise *= 1.0 / _SMOOTHED
    # The slope sum function.
    up = np.maximum(rise, 0.0).cumsum()
    slope_sum = np.zeros(_BUFFER)
    np.subtract(up[window:], up[:-window], out=slope_sum[window:])
    # Peaks above a share of the usual slope sum, the median of the last pulses; only the highest within 0.2 s.
    sizes = sorted(state.usual.tolist())
    usual = sizes[len(sizes) // 2] if sizes else float(slope_sum.max())
    middle = slope_sum[1:-1]
    higher = (middle > slope_sum[:-2]) & (middle >= slope_sum[2:]) & (middle > _SHARE * usual)
    peaks = [peak + 1 for peak in higher.nonzero()[0].tolist()]
    low, high = max(state.known - begin, _AROUND_FIRST), _BUFFER - ahead
    accepted = []
    last = state.steepest - begin
    for at, size in _steepest(peaks, slope_sum, rise, window, low, high):
        if at - last >= _APART and usual > 0.0:
            accepted.append((at, size))
            last = at
    if not accepted:
        return replace(state, known=begin + high, usual=state.usual * _DECAY), _NO_PULSES
    places = np.array([at for at, _ in accepted])
    # The wave around each pulse, raw and smoothed.
    around = wave[np.minimum(places[:, None] + _AROUND, _BUFFER - 1)]
    total = around.cumsum(axis=1)
    smooth = (total[:, _SMOOTHED:] - total[:, :-_SMOOTHED]) / _SMOOTHED
    # Level before, amplitude, and the onset where the tangent of the steepest rise meets that level.
    before = np.minimum.reduce(smooth[:, : _BEFORE + 1], axis=1)
    amplitude = np.maximum.reduce(smooth[:, _BEFORE : _BEFORE + _TOP], axis=1) - before
    behind = ((smooth[:, _BEFORE - 1] + smooth[:, _BEFORE]) / 2 - before) / rise[places]
    onset = places - 0.5 - np.minimum(behind, _BEFORE)
    # Width at half height, and length of a flat top.
    raised = around[:, _HALF + 1 + _BEFORE - _TOP // 4 : -_HALF] - before[:, None]
    height = amplitude[:, None]
    width = np.add.reduce(raised[:, : _TOP + _TOP // 4] > height / 2, axis=1, dtype=np.intp)
    top = np.maximum.reduce(raised, axis=1, keepdims=True)
    flat = np.add.reduce(raised >= top - 1e-6 * height, axis=1, dtype=np.intp)
    follows = min(ahead, _AHEAD_AT_END if ahead != _AHEAD else _AHEAD)
    measured = np.logical_and.reduce(state.valid[places[:, None] + _AROUND[: _AROUND_FIRST + follows]], axis=1)
    # Correlation with the template, which is then moved towards this pulse. Shapes have mean 0 and length 1.
    template, learned = state.template, state.learned
    correlation = []
    shapes = smooth[:, _BEFORE + _SHAPE[0] : _BEFORE + min(_SHAPE[1], follows - _HALF)]
    shapes = shapes - np.add.reduce(shapes, axis=1, keepdims=True) / shapes.shape[1]
    shapes /= np.sqrt(np.add.reduce(shapes * shapes, axis=1, keepdims=True)) + 1e-30
    if ahead != _AHEAD:  # the last pulses of a wave are shorter
        template = template[: shapes.shape[1]] - template[: shapes.shape[1]].mean()
    for shape in shapes:
        length = sqrt(template @ template)
        correlation.append(shape @ template / length if length > 0.0 else 0.0)
        learned = min(learned + 1, _LEARNED)
        template = template + (shape - template) / learned
    readable = (
        (np.array(correlation) >= _LEAST_CORRELATION)
        & (width >= _LEAST_WIDTH)
        & (flat < _FLAT_TOP)
        & measured
        & (learned >= _LEAST_LEARNED)
    )
    after = replace(
        state,
        known=begin + high,
        steepest=begin + int(places[-1]),
        usual=np.concatenate([state.usual, [size for _, size in accepted]])[-_USUAL:],
        template=template,
        learned=learned,
    )
    onset_s = state.start_s + (begin + onset + 0.5) / GRID_HZ - 0.5 / state.rate_hz
    return after, Pulses(onset_s, amplitude, readable)


def _steepest(
    peaks: list[int], slope_sum: NDArray[np.float64], rise: NDArray[np.float64], window: int, low: int, high: int
) -> list[tuple[int, float]]:
    """Return where each upstroke between `low` and `high` is steepest, with its slope sum."""
    heights = slope_sum[peaks].tolist() if peaks else []
    upstrokes = []
    for peak, height in zip(peaks, heights, strict=True):
        first = peak - window + 1
        if first < 1 or peak < low or first >= high:
            continue
        if height >= max(other for at, other in zip(peaks, heights, strict=True) if abs(at - peak) < _APART):
            at = first + int(rise[first : peak + 1].argmax())
            if low <= at < high:
                upstrokes.append((at, height))
    return upstrokes
