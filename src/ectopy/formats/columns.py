"""Tables of samples: which columns are leads, in which unit, and where in time their rows lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.leads import Signal, Stated, check_size, choose_leads, factors, millivolt, sampling_rate

_TIMES = ("time", "time_s", "time (s)", "time [s]")
_WITH_UNIT = re.compile(r"(.*\S)\s*[(\[]\s*(\S+)\s*[)\]]")
_RATE_TOLERANCE = 0.01
"""How far, as a part, a rate is at most from the whole number that is taken for it."""
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
    if not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
        raise DataError(f"{path} has times that are missing or do not increase; expected seconds in order.")
    rate = sampling_rate(path, None, stated.sampling_rate_hz or _rate_of(path, times))
    rows = _Rows.of(times, rate)
    if rows.misfit >= _LARGEST_MISFIT or (len(times) > 1 and np.median(np.diff(rows.places)) != 1):
        raise DataError(
            f"{path} has times that are not evenly spaced at {rate:g} Hz; give the right rate with "
            "sampling_rate_hz= (--rate on the command line), or leave the column of times out."
        )
    length = int(rows.places[-1]) + 1
    if length == len(samples):
        return samples, rate
    check_size(path, length, samples.shape[1])
    spread = np.full((length, samples.shape[1]), np.nan, np.float32)
    spread[rows.places] = samples
    return spread, rate


class _Rows(NamedTuple):
    """Where rows lie, in samples, and how far at most their times are from there but for a shift at each gap."""

    places: NDArray[np.int64]
    misfit: float

    @classmethod
    def of(cls, times: NDArray[np.float64], rate: float) -> _Rows:
        exact = (times - times[0]) * rate
        begins = np.append(True, np.diff(exact) > _GAP_STEPS)
        first = np.flatnonzero(begins)
        # Rows without a gap between them follow each other, whatever their times were rounded to.
        run = np.cumsum(begins) - 1
        in_run = np.arange(len(times)) - first[run]
        misfit = float(np.abs(exact - exact[first][run] - in_run).max())
        before = np.append(0, np.cumsum(np.diff(first)))
        starts = np.maximum.accumulate(np.rint(exact[first]).astype(np.int64) - before) + before
        return cls(starts[run] + in_run, misfit)


def _rate_of(path: Path, times: NDArray[np.float64]) -> float:
    """The rate of times that may be rounded and may have gaps; a whole number where one fits."""
    if len(times) < 2:
        raise DataError(f"{path} has a single time; give the rate with sampling_rate_hz= (--rate on the command line).")
    steps = np.diff(times)
    rate = float(1 / steps[steps <= _GAP_STEPS * np.median(steps)].mean())
    whole = float(round(rate))
    fits = abs(whole - rate) <= _RATE_TOLERANCE * rate and _Rows.of(times, whole).misfit < _LARGEST_MISFIT
    return whole if fits else rate
