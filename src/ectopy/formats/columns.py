"""Tables of samples: which columns are leads, in which unit, and where in time their rows lie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.leads import (
    MAX_RATE_HZ,
    Signal,
    Stated,
    check_size,
    choose_leads,
    factors,
    millivolt,
    sampling_rate,
)

_LONGEST_NAME = 200
_MISSING = ("", "?", "na", "nan", "null", "none", "-")
_TIMES = ("time", "time_s", "time (s)", "time [s]")
_WITH_UNIT = re.compile(r"(.*\S)\s*[(\[]\s*(\S+)\s*[)\]]")
_RATE_TOLERANCE = 0.01
"""How far, as a part, a rate is at most from the whole number that is taken for it."""
_BLOCK_ROWS = 2**16
_FARTHEST = 2.0**62
_SHORTEST_STEP_S = 0.1 / MAX_RATE_HZ  # keeps the rate of any times finite
_GAP_STEPS = 1.5
"""Rows that are more steps apart have a gap between them."""
_LARGEST_MISFIT = 0.5
"""Times, which files round, are less far than this from where they belong at a rate, in samples."""


class Columns(NamedTuple):
    """What the columns of a table are.

    `leads` are columns in the order of `names`; `to_millivolt` is one factor for each; `time` is the column of times in
    seconds, where there is one.
    """

    names: tuple[str, ...]
    leads: tuple[int, ...]
    to_millivolt: tuple[float, ...]
    time: int | None


def is_number(cell: str) -> bool:
    """Whether Python reads a cell as a number; ``nan`` and ``inf`` are some."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def number(cell: str) -> float | None:
    """What a cell says: NaN where it says that the value is missing, None where it is text."""
    if is_number(cell):
        return float(cell)
    return np.nan if cell.lower() in _MISSING else None


def numbered(count: int) -> list[str]:
    """Names for columns that have none."""
    return [f"lead {number}" for number in range(1, count + 1)]


def choose_columns(path: Path, names: Sequence[str], stated: Stated) -> Columns:
    """Tell the leads and the time among named columns.

    A name may end in its unit, as in ``II (uV)``; a column without a name, such as an index, is passed over.

    Raises
    ------
    DataError
        If no column is a lead, or one states no unit where the caller states none.
    """
    time = None
    columns: list[int] = []
    signals: list[Signal] = []
    for column, name in enumerate(map(str.strip, names)):
        if len(name) > _LONGEST_NAME:
            raise DataError(f"{path} names a column {name[:30]!r}...; expected at most {_LONGEST_NAME} characters.")
        if re.match(r"time\b|time_", name, re.IGNORECASE):
            if name.lower() not in _TIMES or time is not None:
                raise DataError(f"{path} has the column {name!r}; expected one column 'time', in seconds.")
            time = column
        elif name:
            columns.append(column)
            signals.append(_signal(name))
    leads = choose_leads(path, signals, stated.unit)
    return Columns(
        tuple(signals[lead].name for lead in leads),
        tuple(columns[lead] for lead in leads),
        tuple(factors(signals, leads, stated.unit)),
        time,
    )


def _signal(name: str) -> Signal:
    match = _WITH_UNIT.fullmatch(name)
    if match and millivolt(match[2]) is not None:
        return Signal(match[1], match[2], 0)
    return Signal(name, "", 0)


def to_samples(values: NDArray[np.float64], columns: Columns) -> NDArray[np.float32]:
    """Rows of lead columns in mV, NaN where they are not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        samples: NDArray[np.float32] = (values * np.array(columns.to_millivolt)).astype(np.float32)
    samples[~np.isfinite(samples)] = np.nan
    return samples


def on_grid(
    path: Path, samples: NDArray[np.float32], times: NDArray[np.float64] | None, stated: Stated
) -> tuple[NDArray[np.float32], float]:
    """Put rows where their times say, with NaN in the gaps.

    Parameters
    ----------
    path : Path
    samples : ndarray of float32, shape (rows, leads)
    times : ndarray of float64, shape (rows,), or None
        Seconds; without them, rows follow each other.
    stated : Stated

    Returns
    -------
    samples : ndarray of float32, shape (samples, leads)
    sampling_rate_hz : float

    Raises
    ------
    DataError
        If there is no rate, the times do not increase, or they do not fit a rate.
    """
    if times is None:
        return samples, sampling_rate(path, None, stated.sampling_rate_hz)
    with np.errstate(over="ignore", invalid="ignore"):
        return _spread(path, samples, times, stated)


def _spread(
    path: Path, samples: NDArray[np.float32], times: NDArray[np.float64], stated: Stated
) -> tuple[NDArray[np.float32], float]:
    if not all(np.all(steps > 0) for _, steps in _steps(times)) or not np.isfinite(times[[0, -1]]).all():
        raise DataError(f"{path} has times that are missing or do not increase; expected seconds in order.")
    rate = sampling_rate(path, None, stated.sampling_rate_hz or _rate_of(path, times))
    runs = _Runs.of(times, rate)
    if runs.misfit(times, rate) >= _LARGEST_MISFIT or 2 * len(runs.rows) > len(times) + 1:
        raise DataError(
            f"{path} has times that are not evenly spaced at {rate:g} Hz; give the right rate with "
            "sampling_rate_hz= (--rate on the command line), or leave the column of times out."
        )
    if len(runs.rows) == 1:
        return samples, rate
    length = int(runs.places[-1]) + len(times) - int(runs.rows[-1])
    check_size(path, length, samples.shape[1])
    spread = np.full((length, samples.shape[1]), np.nan, np.float32)
    for rows, run in runs.blocks(len(times)):
        spread[runs.places[run] + rows - runs.rows[run]] = samples[rows]
    return spread, rate


def _steps(times: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The differences of times, in blocks, each with the row of its first difference."""
    for begin in range(0, len(times) - 1, _BLOCK_ROWS):
        yield begin, np.diff(times[begin : begin + _BLOCK_ROWS + 1])


class _Runs(NamedTuple):
    """Runs of rows without a gap, which follow each other whatever their times were rounded to.

    `rows` are the first row of each, and `places` where it lies, in samples.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, times: NDArray[np.float64], rate: float) -> _Runs:
        gaps = [begin + 1 + np.flatnonzero(steps * rate > _GAP_STEPS) for begin, steps in _steps(times)]
        rows = np.concatenate([np.zeros(1, np.int64), *gaps])
        nearest = np.rint((times[rows] - times[0]) * rate).clip(max=_FARTHEST).astype(np.int64)
        # A run begins after the one before it ends.
        return cls(rows, np.maximum.accumulate(nearest - rows) + rows)

    def blocks(self, count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """So many rows in blocks, and the run of each row."""
        for begin in range(0, count, _BLOCK_ROWS):
            rows = np.arange(begin, min(begin + _BLOCK_ROWS, count))
            yield rows, np.searchsorted(self.rows, rows, side="right") - 1

    def misfit(self, times: NDArray[np.float64], rate: float) -> float:
        """How far a time is at most, in samples, from where it belongs in its run."""
        return max(
            float(np.abs((times[rows] - times[self.rows[run]]) * rate - (rows - self.rows[run])).max())
            for rows, run in self.blocks(len(times))
        )


def _rate_of(path: Path, times: NDArray[np.float64]) -> float:
    """The rate of times that may be rounded and may have gaps; a whole number where one fits."""
    if len(times) < 2:
        raise DataError(f"{path} has a single time; give the rate with sampling_rate_hz= (--rate on the command line).")
    usual = 1 / max(_SHORTEST_STEP_S, float(np.median(np.diff(times[:_BLOCK_ROWS]))))
    starts = _Runs.of(times, usual).rows[1:]
    steps = len(times) - 1 - len(starts)
    in_runs = float(times[-1] - times[0] - np.sum(times[starts] - times[starts - 1]))
    rate = steps / max(_SHORTEST_STEP_S * steps, in_runs)
    whole = float(round(rate))
    fits = abs(whole - rate) <= _RATE_TOLERANCE * rate and _Runs.of(times, whole).misfit(times, whole) < _LARGEST_MISFIT
    return whole if fits else rate
