"""Places in time of the rows of a table: the sampling rate of times that were rounded, and the gaps between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.clocks import parse_clock
from ectopy.formats.leads import MAX_RATE_HZ, MIN_RATE_HZ, check_size, sampling_rate
from ectopy.formats.pulse_channels import HIGHEST_PULSE_HZ, LOWEST_PULSE_HZ, readable_pulse
from ectopy.formats.sample_table import Column, Columns, seconds_of_unit, to_samples, without_levels
from ectopy.recording import PulseWave, Recording

MOST_GAPS = 10
"""Gaps may be so many times as long as what is recorded."""

_BLOCK_ROWS = 2**16
_FARTHEST = 2.0**62
_GAP_STEPS = 1.5
"""Rows that are more steps apart have a gap between them."""
_LINE_ERROR = 4.0
"""Times that were rounded lie in a strip around a straight line that is one unit of rounding wide. A line through n of
them is off by so much of a unit, divided by the square root of n."""
_PACKET = 1.25
"""Times of packets are rounded to a little more than the longest of them."""
_MOST_STATED_STEP = 0.002
"""A rate that the file states was rounded to at most this share of it."""
_AGREES = 1e-5
"""A rate that is stated agrees with that of the times if it differs by less than this share."""
_OPEN_RATE = 0.005
"""The rate has to be stated where equal times leave it open by more than this share."""
_HALVINGS = 12
_FEWEST_JITTERED = 20
"""Fewer times are not taken for even if they jitter."""
_UNIX_S = (1e9, 4.1e9)
"""Seconds since 1970 of the years 2001 to 2099."""
_UNITS_S = (1.0, 1e-3, 1e-6, 1e-9)
_PLAUSIBLE_HZ = (25.0, 5000.0)
"""Rates of an ECG, by which the unit of times is found that state none."""
_RATE_TOLERANCE = 0.01
_DAY_S = 86_400.0


class _Times(NamedTuple):
    """Times of rows.

    `seconds` are from the first row, and `resolution_s` is the unit to which they were rounded.
    """

    seconds: NDArray[np.float64]
    resolution_s: float


class StatedRates(NamedTuple):
    """Sampling rates: that of the file, one unit of its last digit, and that of the caller; None where not stated."""

    in_file_hz: float | None
    step_hz: float
    by_caller_hz: float | None


def order_column(columns: Columns, values: Sequence[Column]) -> int | None:
    """The column that says where rows lie: of times, or one that counts rows where there is none.

    Of several columns of times, the one whose first steps are the most even: the clock of the sensor rather than of its
    receiver.
    """
    if columns.times:
        return min(columns.times, key=lambda column: _unevenness(values[column]))
    return columns.counters[0] if columns.counters else None


def first_start(columns: Columns, values: Sequence[Column]) -> datetime | None:
    """The time of the first row, by any column of times that says it."""
    for column, unit in zip(columns.times, columns.time_units, strict=True):
        first = values[column][0] if len(values[column]) else ""
        if isinstance(first, str):
            clock = parse_clock(first)
            if clock is not None and clock.moment is not None:
                return clock.moment
        else:
            scales = [scale] if (scale := seconds_of_unit(unit)) else _UNITS_S
            for scale in scales:
                if (start := _unix_start(float(first) * scale)) is not None:
                    return start
    return None


def columns_to_read(columns: Columns, values: Sequence[Column]) -> tuple[int, ...]:
    """Return the columns that are read: those of samples, and last the `order_column`, if there is one."""
    by = order_column(columns, values)
    return columns.read if by is None else (*columns.read, by)


def place_rows(
    path: Path,
    columns: Columns,
    blocks: Iterable[NDArray[np.float64]],
    most_rows: int,
    values: Sequence[Column],
    rates: StatedRates,
    start: datetime | None,
) -> Recording:
    """Make a recording of rows, with NaN in the gaps between their times.

    Parameters
    ----------
    blocks : iterable of ndarray of float64, shape (rows, columns)
        Blocks of rows, one after the other, of the `columns_to_read`; of clock times, their seconds.
    most_rows : int
        At least as many as there are rows in all blocks.
    values : sequence of ndarray or of list of str
        The first values of each column; text in a column of clock times.

    Raises
    ------
    DataError
        If there are no rows, there is no rate, times are missing, fall or do not fit one, or gaps are longer than
        `MOST_GAPS` times the rows.
    """
    width = len(columns.read)
    samples = np.empty((most_rows, width), np.float32)
    order = None if order_column(columns, values) is None else np.empty(most_rows)
    rows = 0
    for block in blocks:
        end = rows + len(block)
        samples[rows:end] = to_samples(block[:, :width], columns)
        if order is not None:
            order[rows:end] = block[:, -1]
        rows = end
    check_size(path, rows, width)
    samples, order = samples[:rows], None if order is None else order[:rows]
    columns, leads = without_levels(columns, samples[:, : len(columns.leads)])
    samples = np.hstack([leads, samples[:, -len(columns.pulses) :]]) if columns.pulses else leads
    with np.errstate(all="ignore"):
        times = None
        if columns.times and order is not None:
            times = _times_of(path, columns, values, order, rates.by_caller_hz)
        if times is not None:
            samples, rate = _by_times(path, samples, times, rates)
        else:
            rate = _agreed(path, rates)
            if order is not None and not columns.times:
                samples = _by_counter(path, samples, order)
    if not LOWEST_PULSE_HZ <= rate <= HIGHEST_PULSE_HZ:
        columns = columns.without_pulses
    pulses = tuple(
        PulseWave(pulse.name, pulse.unit.unit, rate, readable_pulse(samples[:, len(columns.leads) + place]))
        for place, pulse in enumerate(columns.pulses)
    )
    leads = np.ascontiguousarray(samples[:, : len(columns.leads)])
    return Recording(leads, rate, columns.names, start=start, source=str(path), notes=columns.notes, pulses=pulses)


def _times_of(
    path: Path, columns: Columns, values: Sequence[Column], order: NDArray[np.float64], rate_hz: float | None
) -> _Times | None:
    """The times of rows; None if the values count them."""
    column = order_column(columns, values)
    assert column is not None
    name = f"column {column + 1}"
    if isinstance(values[column], np.ndarray):
        return _times_of_numbers(path, name, order, columns.time_units[columns.times.index(column)], rate_hz)
    first = str(values[column][0])
    clock = parse_clock(first)
    if clock is None:
        raise DataError(f"{path} has {first[:30]!r} in {name}; expected seconds, or a date and a time of day.")
    return _times_of_clock(path, name, order, clock.moment is not None)


def _unevenness(column: Column) -> float:
    """Return how much the steps between times differ, as a share of them; infinite where times are not in order."""
    if isinstance(column, np.ndarray):
        seconds = column
    else:
        clocks = [parse_clock(cell) for cell in column]
        seconds = np.array([np.nan if clock is None else clock.seconds for clock in clocks])
    with np.errstate(all="ignore"):
        steps = np.diff(seconds)
        if not len(steps) or not np.all(steps >= 0) or not steps.any():
            return np.inf
        return round(float(np.std(steps) / np.mean(steps)), 6)


def _unix_start(seconds: float) -> datetime | None:
    if not _UNIX_S[0] <= seconds <= _UNIX_S[1]:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds, 6))


def _agreed(path: Path, rates: StatedRates) -> float:
    """The rate that file and caller agree on, within the rounding of the one in the file."""
    in_file, by_caller = rates.in_file_hz, rates.by_caller_hz
    step = 0.0 if in_file is None else min(rates.step_hz, _MOST_STATED_STEP * in_file)
    if in_file is not None and by_caller is not None and abs(in_file - by_caller) <= step:
        in_file = by_caller
    return sampling_rate(path, in_file, by_caller)


def _times_of_numbers(
    path: Path, name: str, values: NDArray[np.float64], unit: str, rate_hz: float | None
) -> _Times | None:
    """Times from numbers; None if they count rows."""
    _check_rising(path, name, values)
    scale = seconds_of_unit(unit)
    if scale is None:
        scale = _guess_unit(path, name, values, rate_hz)
    if scale is None:
        return None
    relative = values - values[0]
    resolution = _resolution(relative, _noise(values))
    relative *= scale
    return _Times(relative, resolution * scale)


def _times_of_clock(path: Path, name: str, seconds: NDArray[np.float64], dated: bool) -> _Times:
    """Times from seconds of a clock; without a date they begin again at midnight."""
    if not dated:
        with np.errstate(invalid="ignore"):
            seconds = seconds + _DAY_S * np.r_[0, np.cumsum(np.diff(seconds) < -_DAY_S / 2)]
    _check_rising(path, name, seconds)
    relative = seconds - seconds[0]
    return _Times(relative, _resolution(relative, _noise(seconds)))


def _noise(values: NDArray[np.float64]) -> float:
    """Return how far the difference of two values may be off."""
    return 4 * float(np.finfo(np.float64).eps) * float(np.abs(values[[0, -1]]).max())


def _by_times(
    path: Path, samples: NDArray[np.float32], times: _Times, rates: StatedRates
) -> tuple[NDArray[np.float32], float]:
    """Put rows where their times say."""
    runs, rate = _fit(path, times, rates.by_caller_hz)
    if rates.in_file_hz is not None and abs(rates.in_file_hz - rate) > _RATE_TOLERANCE * rate:
        raise DataError(
            f"{path} states a sampling rate of {rates.in_file_hz:.10g} Hz, and its times have {rate:.6g} Hz; correct "
            "one of them."
        )
    return _spread(path, samples, runs.rows, runs.places(times.seconds, rate)), rate


def _by_counter(path: Path, samples: NDArray[np.float32], counter: NDArray[np.float64]) -> NDArray[np.float32]:
    """Put rows where a counter of samples says; as they are, if the counter starts again or does not count by one."""
    steps = np.diff(counter)
    if not len(steps) or not np.isfinite(steps).all() or steps.min() < 1 or np.median(steps) != 1:
        return samples
    rows = np.r_[0, 1 + np.flatnonzero(steps > 1)]
    if len(rows) == 1 or np.any(steps != np.rint(steps)):
        return samples
    return _spread(path, samples, rows, (counter[rows] - counter[0]).clip(max=_FARTHEST).astype(np.int64))


def _spread(
    path: Path, samples: NDArray[np.float32], rows: NDArray[np.int64], places: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Put runs of rows at their places, with NaN between them; a run is given by its first row."""
    if len(rows) == 1:
        return samples
    length = int(places[-1]) + len(samples) - int(rows[-1])
    if length > (1 + MOST_GAPS) * len(samples):
        raise DataError(
            f"{path} has gaps between its times that are {length / len(samples) - 1:,.1f} times as long as what is "
            f"recorded, and may have {MOST_GAPS} times: split it at the gaps."
        )
    check_size(path, length, samples.shape[1])
    whole = np.full((length, samples.shape[1]), np.nan, np.float32)
    for row, place, end in zip(rows, places, [*rows[1:], len(samples)], strict=True):
        whole[place : place + end - row] = samples[row:end]
    return whole


class _Runs(NamedTuple):
    """Runs of rows without a gap between them, by their first rows; `total` is the number of rows in all of them."""

    rows: NDArray[np.int64]
    total: int

    @classmethod
    def of(cls, seconds: NDArray[np.float64], longest_step_s: float) -> _Runs:
        gaps = [begin + 1 + np.flatnonzero(steps > longest_step_s) for begin, steps in _steps(seconds)]
        return cls(np.concatenate([np.zeros(1, np.int64), *gaps]), len(seconds))

    def places(self, seconds: NDArray[np.float64], rate_hz: float) -> NDArray[np.int64]:
        """Return the place of each run, in samples; one begins after the one before it ends."""
        nearest = np.rint(seconds[self.rows] * rate_hz).clip(max=_FARTHEST).astype(np.int64)
        return np.maximum.accumulate(nearest - self.rows) + self.rows

    def period_s(self, seconds: NDArray[np.float64]) -> float:
        """Time from row to row: the common slope of the least squares lines through all runs."""
        runs = len(self.rows)
        sums = np.zeros((4, runs))
        for rows, run in self._blocks():
            place, time = (rows - self.rows[run]).astype(np.float64), seconds[rows] - seconds[self.rows[run]]
            for total, terms in zip(sums, (place, time, place * place, place * time), strict=True):
                total += np.bincount(run, terms, runs)
        lengths = np.diff(np.r_[self.rows, self.total])
        place, time, squares, products = sums
        return float(np.sum(products - place * time / lengths) / np.sum(squares - place * place / lengths))

    def width_s(self, seconds: NDArray[np.float64], period_s: float) -> float:
        """Return how wide a strip around a straight line holds the times of any run."""
        lowest, highest = np.full(len(self.rows), np.inf), np.full(len(self.rows), -np.inf)
        for rows, run in self._blocks():
            beside = seconds[rows] - seconds[self.rows[run]] - (rows - self.rows[run]) * period_s
            np.minimum.at(lowest, run, beside)
            np.maximum.at(highest, run, beside)
        return float(np.max(highest - lowest))

    def _blocks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows in blocks, and the run of each row."""
        for begin in range(0, self.total, _BLOCK_ROWS):
            rows = np.arange(begin, min(begin + _BLOCK_ROWS, self.total))
            yield rows, np.searchsorted(self.rows, rows, side="right") - 1


def _fit(path: Path, times: _Times, stated_hz: float | None) -> tuple[_Runs, float]:
    """The rate and the gaps of times; at the rate that the caller states, if any.

    Times are taken for even if rounding explains their steps, then for even with gaps, and last for times that jitter
    by less than half a step.
    """
    seconds = times.seconds
    count = len(seconds)
    if count < 2:
        if stated_hz is None:
            raise DataError(
                f"{path} has a single time; give the rate with sampling_rate_hz= (--rate on the command line)."
            )
        return _Runs.of(seconds, np.inf), sampling_rate(path, None, stated_hz)
    mean_s = float(seconds[-1]) / (count - 1)
    usual_s = float(np.median(np.diff(seconds[:_BLOCK_ROWS]))) or mean_s
    # Times of a whole packet may be equal, and then tell no more than the time of the packet.
    ties = _longest_tie(seconds)
    resolution_s = times.resolution_s + (_PACKET * (ties + 1) * mean_s if ties else 0.0)
    near_s, missing = _near_steps(seconds, usual_s, _GAP_STEPS * usual_s + resolution_s)
    strip_s = (1 + min(_LINE_ERROR / count**0.5, 0.5)) * resolution_s
    attempts = [
        (np.inf, strip_s),
        (near_s + 1.01 * resolution_s, strip_s),
        (_GAP_STEPS * usual_s, strip_s),
    ]
    if missing:
        attempts.reverse()
    if count >= _FEWEST_JITTERED:
        attempts.append((_GAP_STEPS * near_s, near_s))
    even = False
    best_hz = 1 / max(near_s, 0.1 / MAX_RATE_HZ)
    for longest_step_s, tolerance_s in attempts:
        runs = _Runs.of(seconds, longest_step_s)
        # Times that are even at another rate than the stated one do not jitter.
        if 2 * len(runs.rows) > count + 1 or (even and tolerance_s > strip_s):
            continue
        period_s = _period_of_runs(runs, seconds, tolerance_s)
        if period_s is None:
            continue
        even = True
        rate = _rate_of_period(runs, seconds, period_s, tolerance_s, stated_hz)
        if rate is None:
            continue
        sampling_rate(path, rate, None)
        if stated_hz is None and ties and resolution_s > _OPEN_RATE * float(seconds[-1]):
            raise DataError(
                f"{path} repeats its times, which leaves the sampling rate open (about {rate:.4g} Hz): give it with "
                "sampling_rate_hz= (--rate on the command line)."
            )
        return runs, rate
    if stated_hz is not None:
        raise DataError(
            f"{path} has times that are not evenly spaced at {stated_hz:.10g} Hz (about {best_hz:.4g} Hz); give the "
            "right rate with sampling_rate_hz= (--rate on the command line), or leave the column of times out."
        )
    raise DataError(
        f"{path} has times that are not evenly spaced; make them even, or leave the column of times out and give the "
        "rate with sampling_rate_hz= (--rate on the command line)."
    )


def _period_of_runs(runs: _Runs, seconds: NDArray[np.float64], tolerance_s: float) -> float | None:
    """The period at which the times of all runs are even; None if they are not."""
    period_s = runs.period_s(seconds)
    if not 0 < period_s < np.inf:
        return None
    width_s = runs.width_s(seconds, period_s)
    if tolerance_s < width_s <= 2 * tolerance_s:
        period_s, width_s = _narrowest(runs, seconds, period_s, width_s)
    return period_s if width_s <= tolerance_s else None


def _rate_of_period(
    runs: _Runs, seconds: NDArray[np.float64], period_s: float, tolerance_s: float, stated_hz: float | None
) -> float | None:
    """The stated rate, or a whole number, or one of few digits, if the times are even at it.

    None if they are not even at the stated one.
    """
    rate = 1 / period_s
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        return rate
    if stated_hz is not None:
        agrees = abs(stated_hz - rate) <= _AGREES * rate or runs.width_s(seconds, 1 / stated_hz) <= tolerance_s
        return stated_hz if agrees else None
    for digits in range(7):
        rounded = round(rate, digits)
        if abs(rounded - rate) <= _RATE_TOLERANCE * rate and runs.width_s(seconds, 1 / rounded) <= tolerance_s:
            return rounded
    return rate


def _narrowest(runs: _Runs, seconds: NDArray[np.float64], period_s: float, width_s: float) -> tuple[float, float]:
    """The period near another at which the strip is narrowest, and its width, which is convex in the period."""
    reach = width_s / max(len(seconds) - 1, 1)
    low, high = period_s - reach, period_s + reach
    for _ in range(_HALVINGS):
        third = (high - low) / 3
        if runs.width_s(seconds, low + third) < runs.width_s(seconds, high - third):
            high -= third
        else:
            low += third
    best_s = (low + high) / 2
    return best_s, runs.width_s(seconds, best_s)


def _near_steps(seconds: NDArray[np.float64], usual_s: float, longest_s: float) -> tuple[float, bool]:
    """Look at the steps that rounding could explain.

    Returns their mean, and whether those that differ from the usual step are rather a missing row or two: rare, and
    whole multiples of it.
    """
    total, count, odd, least_odd = 0.0, 0, 0, np.inf
    for _, steps in _steps(seconds):
        near = steps[steps <= longest_s]
        unusual = near[np.abs(near - usual_s) > 0.1 * usual_s]
        total, count, odd = total + float(near.sum()), count + len(near), odd + len(unusual)
        least_odd = min(least_odd, float(unusual.min(initial=np.inf)))
    return total / count if count else usual_s, 0 < odd < 3 and least_odd >= 1.9 * usual_s


def _steps(seconds: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The differences of times, in blocks, each with the row of its first difference."""
    for begin in range(0, len(seconds) - 1, _BLOCK_ROWS):
        yield begin, np.diff(seconds[begin : begin + _BLOCK_ROWS + 1])


def _longest_tie(seconds: NDArray[np.float64]) -> int:
    """Most steps of zero in a row."""
    rises = np.concatenate(
        [np.zeros(1, np.int64), *(begin + 1 + np.flatnonzero(steps) for begin, steps in _steps(seconds))]
    )
    return int(np.diff(np.r_[rises, len(seconds)]).max()) - 1


def _check_rising(path: Path, name: str, values: NDArray[np.float64]) -> None:
    falls = any(not np.all(steps >= 0) for _, steps in _steps(values)) or not np.isfinite(values[[0, -1]]).all()
    if falls or (len(values) > 1 and values[0] == values[-1]):
        raise DataError(f"{path} has times that are missing or do not increase in {name}; expected times in order.")


def _guess_unit(path: Path, name: str, values: NDArray[np.float64], rate_hz: float | None) -> float | None:
    """Seconds in one of the values, which state no unit; None if they count rows."""
    for scale in _UNITS_S:
        if _UNIX_S[0] <= values[0] * scale <= _UNIX_S[1]:
            return scale
    if len(values) < 2:
        return 1.0
    steps = np.diff(values[:_BLOCK_ROWS])
    step = float(np.median(steps)) or float(values[-1] - values[0]) / (len(values) - 1)
    step = max(step, 1e-200)
    whole = step == 1 and bool(np.all(steps == np.rint(steps)))
    if rate_hz is not None:
        fitting = [scale for scale in _UNITS_S if abs(rate_hz * step * scale - 1) < 0.5]
        if fitting:
            return fitting[0]
        if whole:
            return None
    if 2 <= 1 / step <= 1e6 or not np.isfinite(step):
        return 1.0
    for scale in _UNITS_S:
        if not whole and _PLAUSIBLE_HZ[0] <= 1 / (step * scale) <= _PLAUSIBLE_HZ[1]:
            return scale
    if whole:
        raise DataError(
            f"{path} has whole numbers in {name} that rise by 1 and state no unit: give the rate with "
            "sampling_rate_hz= (--rate on the command line)."
        )
    return 1.0


def _resolution(relative: NDArray[np.float64], noise: float) -> float:
    """The power of ten of which all values are multiples: what they were rounded to."""
    first_values = relative[:_BLOCK_ROWS]
    for digits in range(10):
        unit = 10.0**-digits
        if float(np.abs(first_values / unit - np.rint(first_values / unit)).max()) * unit <= noise + 1e-6 * unit:
            return unit + noise
    return 1e-9 + noise
