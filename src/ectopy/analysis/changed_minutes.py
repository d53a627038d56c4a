"""Waves of the minutes whose beats were corrected, measured again; those of the other minutes stay as they are.

The waves of a minute are those of the mean of its normal beats, see `ectopy.analysis.minute_waves`, delineated with
the minutes around it in view. Most corrections change one minute of a day.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.analysis import Analysis
from ectopy.analysis.minute_waves import MINUTE_S, MinuteMeasurements, measure_minutes
from ectopy.arguments import checked
from ectopy.detector import Verdict
from ectopy.recording import Recording

_NEIGHBOURS = 4
"""Minutes on each side of one with which `ectopy.signal.wave_delineation.delineate` compares it."""

Columns = TypeVar("Columns")


@checked
def measure_changed_minutes(
    measured: MinuteMeasurements, recording: Recording, analysed: Analysis, corrected: Analysis
) -> MinuteMeasurements:
    """Return what `measure_minutes` finds in a corrected analysis.

    Parameters
    ----------
    measured : MinuteMeasurements
        Of `analysed`.
    recording : Recording
    analysed, corrected : Analysis
        Of this recording.
    """
    changed = _changed(len(measured), analysed, corrected)
    if not changed.any():
        return measured
    replaced = _widened(changed)
    # Those around the replaced minutes are in view; the others have no beats to read.
    minute = np.minimum(corrected.beats.times_s // MINUTE_S, len(measured) - 1).astype(np.intp)
    needed = _widened(replaced)[minute]
    part = replace(corrected, beats=corrected.beats.masked(needed[:, None]))
    newest = measure_minutes(recording, part)
    return MinuteMeasurements(
        leads=measured.leads,
        start_s=measured.start_s,
        beats=np.where(replaced, newest.beats, measured.beats),
        rr_s=np.where(replaced, newest.rr_s, measured.rr_s),
        complexes_mv=np.where(replaced[:, None], newest.complexes_mv, measured.complexes_mv),
        intervals=_merged(replaced, newest.intervals, measured.intervals),
        st=_merged(replaced, newest.st, measured.st),
    )


def _changed(minutes: int, analysed: Analysis, corrected: Analysis) -> NDArray[np.bool_]:
    """Find the minutes with other normal beats or other intervals, shape (minutes,)."""
    sides = []
    for analysis in (analysed, corrected):
        normal = np.equal(analysis.verdict, Verdict.NORMAL)[:, None]
        rows = np.hstack([analysis.positions[:, None], analysis.beats.readable & normal, analysis.intervals_s[:, None]])
        bounds = np.searchsorted(analysis.beats.times_s, MINUTE_S * np.arange(minutes + 1)).tolist()
        sides.append([rows[first:stop] for first, stop in pairwise(bounds)])
    pairs = zip(*sides, strict=True)
    return np.array([not np.array_equal(rows, other, equal_nan=True) for rows, other in pairs], np.bool_)


def _widened(minutes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the minutes around those that are true."""
    return np.convolve(minutes, np.ones(2 * _NEIGHBOURS + 1), mode="full")[_NEIGHBOURS : _NEIGHBOURS + len(minutes)] > 0


def _merged(rows: NDArray[np.bool_], first: Columns, other: Columns) -> Columns:
    """Take the minutes of `rows` from the first columns, and the others from the other ones."""
    names: Any = first.__dataclass_fields__  # type: ignore[attr-defined]
    columns = {name: np.where(rows, getattr(first, name), getattr(other, name)) for name in names}
    return type(first)(**columns)
