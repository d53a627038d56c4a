"""Group the beats of a recording into families of one hint and one shape, so that a person looks at many at once.

Within each hint, beats are compared by the correlation of their QRS complexes, shifted to where they fit best. The beat
with the most similar ones starts the first family, which is these; those that are left give the next in the same way.
Then every beat joins the family whose mean it resembles most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.population import median_height_mv
from ectopy.analysis.verdicts import Hint
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import BEFORE, MARGIN, BeatSegments, centred
from ectopy.signal.similar_beats import normalised

MOST_FAMILIES = 20
"""Number of families that a person looks through."""

_QRS = np.arange(MARGIN + BEFORE - 22, MARGIN + BEFORE + 28)
_SHIFTS = 2 * MARGIN + 1
_AROUND_QRS = slice(_QRS[0] - MARGIN, _QRS[-1] + MARGIN + 1)
_ROUNDING = 1e-6
_SIMILAR = 0.8
_MEMBER = 0.5
_MOST_COMPARED = 800
_AT_ONCE = 2048
_SPREAD = (10.0, 90.0)
_MOST_SPREAD = 300


@dataclass(frozen=True, slots=True)
class BeatFamily:
    """Beats of one hint and shape.

    Attributes
    ----------
    rows : ndarray of intp, shape (k,)
        Which beats of the recording belong to it, in order of time.
    hint : Hint
    mean_mv : ndarray of float64, shape (leads, 140)
        Mean shape at 180 Hz, 52 samples before the fiducial point, median 0; NaN in a lead without a readable beat.
    """

    __repr__ = short_repr

    rows: NDArray[np.intp]
    hint: Hint
    mean_mv: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class BeatSizes:
    """What families need of the beats whatever they are called.

    Attributes
    ----------
    heights_mv : ndarray of float32, shape (n, leads)
        From peak to peak.
    inverse_lengths : ndarray of float32, shape (leads, n, 9)
        One over the length of the QRS complex without its mean, at each shift; 0 where it is flat.
    """

    __repr__ = short_repr

    heights_mv: NDArray[np.float32]
    inverse_lengths: NDArray[np.float32]

    @classmethod
    def of(cls, samples: NDArray[np.float32]) -> BeatSizes:
        """Measure the samples of beats, shape (n, leads, 148)."""
        count, leads, _ = samples.shape
        heights = np.empty((count, leads), np.float32)
        inverse = np.empty((leads, count, _SHIFTS), np.float32)
        for start in range(0, count, _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            heights[rows] = np.ptp(samples[rows, :, MARGIN:-MARGIN], axis=2)
            inverse[:, rows] = _inverse_lengths(_around_qrs(samples, rows))
        return cls(heights, inverse)


def find_families(
    beats: BeatSegments, hints: NDArray[np.str_], most: int = MOST_FAMILIES, sizes: BeatSizes | None = None
) -> tuple[BeatFamily, ...]:
    """Group the readable beats of a recording, the largest family first; beats like no family are in none.

    Parameters
    ----------
    beats : BeatSegments
    hints : ndarray of str, shape (n,)
        A `Hint` per beat.
    most : int
        Number of families at most.
    sizes : BeatSizes, optional
        Of these beats, where they have been measured before.
    """
    sizes = sizes or BeatSizes.of(beats.samples)
    # A lead counts by its height; a beat that cannot be read belongs to none.
    weights = beats.readable * median_height_mv(np.where(beats.readable, sizes.heights_mv, np.float32(np.nan)))
    rows_of = {hint: np.flatnonzero(beats.readable.any(axis=1) & np.equal(hints, hint.value)) for hint in Hint}
    leaders = [leader for hint, rows in rows_of.items() for leader in _leaders(hint, rows, beats, weights, sizes, most)]
    leaders = sorted(leaders, key=lambda leader: leader.beats, reverse=True)[:most]
    families: list[BeatFamily] = []
    for hint, rows in rows_of.items():
        shapes = [leader.shape for leader in leaders if leader.hint is hint]
        if not shapes:
            continue
        # Every beat joins the family that it resembles most.
        likeness = _likeness(rows, beats.samples, weights, sizes, np.array(shapes))
        best = likeness.argmax(axis=1)
        belongs = np.take_along_axis(likeness, best[:, None], axis=1)[:, 0] >= _MEMBER
        members = [rows[belongs & (best == number)] for number in range(len(shapes))]
        families += [BeatFamily(part, hint, _mean(beats, part)) for part in members if len(part)]
    return tuple(sorted(families, key=len, reverse=True))


def family_spread(beats: BeatSegments, family: BeatFamily) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 10th and the 90th percentile of the shapes of a family, over at most 300 of its beats.

    Parameters
    ----------
    beats : BeatSegments
        In which the family was found.
    family : BeatFamily

    Returns
    -------
    low, high : ndarray of float64, shape (leads, 140)
        Millivolt, as `mean_mv` of the family; NaN in a lead without a readable beat.
    """
    count = min(len(family), _MOST_SPREAD)
    rows = family.rows[np.linspace(0, len(family) - 1, count).astype(int)]
    shapes, readable = beats.samples[rows].astype(np.float64), beats.readable[rows]
    spread = np.full((2, *family.mean_mv.shape), np.nan)
    for lead in np.flatnonzero(readable.any(axis=0)):
        shape = centred(shapes[readable[:, lead], lead, MARGIN:-MARGIN])
        spread[:, lead] = np.percentile(shape, _SPREAD, axis=0)
    return spread[0], spread[1]


class _Leader(NamedTuple):
    """Shape of a family to be, with the number of beats that resemble it, shape (leads, 50)."""

    hint: Hint
    shape: NDArray[np.float64]
    beats: float


def _leaders(
    hint: Hint,
    rows: NDArray[np.intp],
    beats: BeatSegments,
    weights: NDArray[np.float64],
    sizes: BeatSizes,
    most: int,
) -> Iterator[_Leader]:
    """Find the shapes of the families of one hint, among beats that are spread evenly over the recording."""
    compared = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_COMPARED)).astype(int))]
    units = _units(beats.samples[compared])
    alike = _likeness(compared, beats.samples, weights, sizes, units) >= _SIMILAR
    alike |= alike.T
    left = np.ones(len(compared), np.bool_)
    for _ in range(most):
        if not left.any():
            return
        count = np.where(left, (alike & left[:, None]).sum(axis=0), 0)
        leader = int(count.argmax())
        family = alike[:, leader] & left
        family[leader] = True
        yield _Leader(hint, normalised(units[family].mean(axis=0)), family.mean() * len(rows))
        left &= ~family


def _likeness(
    rows: NDArray[np.intp],
    samples: NDArray[np.float32],
    weights: NDArray[np.float64],
    sizes: BeatSizes,
    units: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return the correlation of n beats with m shapes, shape (n, m): the best of all shifts, weighted mean of leads."""
    best = np.full((len(rows), len(units)), -1.0, np.float32)
    shapes = np.ascontiguousarray(np.moveaxis(units, 0, -1), np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        around = _around_qrs(samples, part)
        # The shapes have mean 0, so that a complex needs no mean of its own, but its length.
        shares = (weights[part] / weights[part].sum(axis=1, keepdims=True)).T.astype(np.float32)
        factors = shares[..., None] * sizes.inverse_lengths[:, part]
        for shift in range(_SHIFTS):
            products = around[..., shift : shift + len(_QRS)] @ shapes
            products *= factors[..., shift, None]
            np.maximum(best[start : start + _AT_ONCE], products.sum(axis=0), out=best[start : start + _AT_ONCE])
    return best


def _around_qrs(samples: NDArray[np.float32], rows: slice | NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the samples of the QRS complexes at all shifts around their mean, shape (leads, n, 58)."""
    around = np.ascontiguousarray(np.swapaxes(samples[rows, :, _AROUND_QRS], 0, 1))
    around -= around.mean(axis=-1, keepdims=True)
    return around


def _inverse_lengths(around: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return one over the length of the QRS complex without its mean at each shift, shape (leads, n, 9); 0 if flat."""
    width = len(_QRS)
    summed = np.zeros((2, *around.shape[:2], around.shape[2] + 1))
    np.cumsum(around, axis=-1, dtype=np.float64, out=summed[0, ..., 1:])
    np.cumsum(around * around, axis=-1, dtype=np.float64, out=summed[1, ..., 1:])
    total, power = summed[..., width:] - summed[..., :-width]
    about_mean = power - total * total / width
    is_flat = about_mean <= _ROUNDING * power
    return np.asarray(np.where(is_flat, 0.0, 1.0 / np.sqrt(np.where(is_flat, 1.0, about_mean))))


def _units(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the QRS complexes of beats, mean 0 and length 1 in each lead, shape (n, leads, 50)."""
    qrs = samples[..., _QRS].astype(np.float64)
    return normalised(qrs - qrs.mean(axis=-1, keepdims=True))


def _mean(beats: BeatSegments, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean shape of beats over those that are readable in each lead."""
    total = np.zeros(beats.samples.shape[1:])
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        samples, readable = beats.samples[part], beats.readable[part]
        if not readable.all():
            samples = np.where(readable[..., None], samples, 0.0)
        total += samples.sum(axis=0, dtype=np.float64)
    count = beats.readable[rows].sum(axis=0)[:, None]
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return centred(mean[:, MARGIN:-MARGIN])
