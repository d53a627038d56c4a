"""Reconstruct beats from a patient's template, and measure what is left in units of normal beats of other patients.

A normal beat differs from its template: waves move, grow and shrink together, and the rest is noise. A network that was
trained on normal beats of many patients receives a template and the spread of the patient's beats around it, and
predicts both: a few forms of usual change, whose amounts in a beat are its code, and the spread of each sample around
the reconstruction. The most likely code of a beat has a closed form (factor analysis, doi:10.1007/BF02293851). The
error of a beat is what its code does not reconstruct, and how unusual the code is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ectopy.analysis.patient_template import PatientTemplate, align
from ectopy.beats import BEAT_SAMPLES
from ectopy.errors import DataError
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import BEFORE, BeatSegments
from ectopy.signal.filters import ANALYSIS_RATE_HZ

PARTS = slice(0, BEAT_SAMPLES), slice(BEFORE - 22, BEFORE + 28), slice(0, BEFORE - 16)
"""Samples of the whole beat, of its QRS complex, and of its P wave."""
FEATURES = 2 * BEAT_SAMPLES + 1
"""Number of inputs of the network for one lead."""
LEVELS = (np.arange(200) + 0.5) / 200
"""Shares of normal beats of other patients whose errors a network's calibration holds."""
TAIL_FROM = 0.98
LEAST_VARIANCE = 1e-6

_LEAST_HEIGHT_MV = 0.1
_LEAST_SPREAD, _USUAL_LOG_SPREAD = 0.003, -3.0
_UNKNOWN_SPREAD_MV = 0.1
_FEWEST_BEATS = 4
_LEAST_CLEARNESS = 1e-3
_LEAST_NOISE, _LEAST_ERROR = 1e-3, 1e-6
_RAREST = 1e-300
_NEXT_BEAT_S, _PREVIOUS_BEAT_S, _CORE_S = 0.12, 0.25, 0.08
_FEWEST_SAMPLES = 9  # 50 ms
_POSITIONS_S = (np.arange(BEAT_SAMPLES) - BEFORE) / ANALYSIS_RATE_HZ
_AT_ONCE = 256  # beats

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReconstructionNetwork:
    """Weights of the network, and the errors of normal beats of patients it was not trained on.

    Attributes
    ----------
    layers : tuple of ndarray of float32
        Matrix and offset of each of three layers: 281 features to the log spread of 140 samples and k forms of 140.
    shares : ndarray of float32, shape (2,)
        By which the patient's own spread, and the noise of a beat, enter the spread of its samples.
    errors : ndarray of float32, shape (3, 200)
        Quantiles of the error of the whole beat, the QRS complex and the P wave.
    tails : ndarray of float32, shape (3,)
        Mean of the log of the largest 2 % of these errors above the quantile of 0.98: a Pareto tail.

    Raises
    ------
    DataError
        If the shapes do not fit together.
    """

    __repr__ = short_repr

    layers: tuple[NDArray[np.float32], ...]
    shares: NDArray[np.float32]
    errors: NDArray[np.float32]
    tails: NDArray[np.float32]
    _exact: tuple[Array, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sizes = [FEATURES, *(offset.size for offset in self.layers[1::2])]
        shapes = [shape for pair in pairwise(sizes) for shape in (pair, pair[1:])]
        if (
            [layer.shape for layer in self.layers] != shapes
            or len(shapes) != 6
            or sizes[-1] % BEAT_SAMPLES
            or sizes[-1] < 2 * BEAT_SAMPLES
            or (self.shares.shape, self.errors.shape, self.tails.shape)
            != ((2,), (len(PARTS), len(LEVELS)), (len(PARTS),))
        ):
            raise DataError("the weights are not those of a network that reconstructs beats.")
        object.__setattr__(self, "_exact", tuple(layer.astype(np.float64) for layer in self.layers))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]]) -> ReconstructionNetwork:
        """Return the network of `arrays`.

        Raises
        ------
        DataError
            If an array is missing or does not fit.
        """
        try:
            layers = tuple(arrays[f"{name}_{number}"] for number in range(3) for name in ("matrix", "offset"))
            return cls(layers, arrays["shares"], arrays["errors"], arrays["tails"])
        except KeyError as error:
            raise DataError(f"the network that reconstructs beats lacks its {error}.") from error

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return all arrays by name."""
        layers = {
            f"{name}_{number}": self.layers[2 * number + is_offset]
            for number in range(3)
            for is_offset, name in enumerate(("matrix", "offset"))
        }
        return layers | {"shares": self.shares, "errors": self.errors, "tails": self.tails}

    def predict(self, inputs: Array) -> UsualChange:
        """Predict how the normal beats of a patient change.

        Parameters
        ----------
        inputs : ndarray of float64, shape (leads, 281)
            From `features`.
        """
        first, first_offset, second, second_offset, last, last_offset = self._exact
        # Lead by lead, so that a lead gives the same bits whatever the leads beside it.
        outputs = [
            np.tanh(np.tanh(row @ first + first_offset) @ second + second_offset) @ last + last_offset for row in inputs
        ]
        predicted = np.array(outputs).reshape(len(inputs), -1, BEAT_SAMPLES)
        log_spread = predicted[:, 0] + float(self.shares[0]) * inputs[:, -BEAT_SAMPLES:]
        return UsualChange(np.exp(2.0 * log_spread) + LEAST_VARIANCE, predicted[:, 1:])

    def deviates(self, errors: Array) -> Array:
        """Return the rank of errors among those of other patients as standard normal deviates.

        Parameters
        ----------
        errors : ndarray of float64, shape (3, n)
            Of the whole beat, the QRS complex and the P wave.
        """
        ranks = []
        for error, quantiles, tail in zip(errors, self.errors.astype(np.float64), self.tails, strict=True):
            above = 1.0 - np.interp(error, quantiles, LEVELS)
            start = float(np.interp(TAIL_FROM, LEVELS, quantiles))
            beyond = np.maximum(np.log(np.maximum(error, _LEAST_ERROR) / start), 0.0)
            ranks.append(np.where(error > start, (1.0 - TAIL_FROM) * np.exp(-beyond / float(tail)), above))
        deviates: Array = -ndtri(np.maximum(np.array(ranks), _RAREST))
        return deviates


@dataclass(frozen=True, slots=True)
class UsualChange:
    """How the normal beats of a patient change, in each of their leads, or in each lead of each of n.

    Attributes
    ----------
    variance : ndarray of float64, shape (..., leads, 140)
        Of each sample around the reconstruction, in the unit of `unit`.
    forms : ndarray of float64, shape (..., leads, k, 140)
        Change of the beat for each number of its code.
    """

    __repr__ = short_repr

    variance: Array
    forms: Array

    def __getitem__(self, rows: NDArray[np.intp]) -> UsualChange:
        return UsualChange(self.variance[rows], self.forms[rows])

    @classmethod
    def stacked(cls, changes: Sequence[UsualChange]) -> UsualChange:
        """Stack those of patients with equal numbers of leads."""
        return cls(*(np.stack([getattr(change, each.name) for change in changes]) for each in fields(cls)))


@dataclass(frozen=True, slots=True)
class ReconstructionError:
    """Errors of beats as standard normal deviates of normal beats of other patients, shape (n,); NaN = not readable.

    Attributes
    ----------
    whole : ndarray of float64
        Of the whole beat.
    qrs : ndarray of float64
        Of its QRS complex, 0.12 s before to 0.16 s after the fiducial point.
    p_wave : ndarray of float64
        Of what comes before the QRS complex, 0.29 to 0.09 s before the fiducial point: a P wave that is missing, early
        or of another form. NaN also where the beat before is so near that no P wave can be seen.
    """

    __repr__ = short_repr

    whole: Array
    qrs: Array
    p_wave: Array

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, rows: slice) -> ReconstructionError:
        return ReconstructionError(self.whole[rows], self.qrs[rows], self.p_wave[rows])

    @classmethod
    def joined(cls, parts: Sequence[ReconstructionError]) -> ReconstructionError:
        """Join one or more parts in their order."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))


def learn_spread(beats: BeatSegments, normal: PatientTemplate, rows: NDArray[np.intp]) -> Array:
    """Return the usual distance of each sample from the template, shape (leads, 140), millivolt.

    Parameters
    ----------
    beats : BeatSegments
    normal : PatientTemplate
    rows : ndarray of int, shape (k,)
        Beats the template was learned from, as `learning_beats` names them; ectopic ones may be among them.
    """
    distance = np.abs(align(beats, normal, rows) - normal.template)
    readable = beats.readable[rows]
    spread = np.full(normal.template.shape, _UNKNOWN_SPREAD_MV)
    for lead in np.flatnonzero(readable.sum(axis=0) >= _FEWEST_BEATS):
        spread[lead] = 1.4826 * np.median(distance[readable[:, lead], lead], axis=0)
    return spread


def reconstruction_error(
    beats: BeatSegments, normal: PatientTemplate, spread_mv: Array, network: ReconstructionNetwork
) -> ReconstructionError:
    """Measure what a patient's usual changes do not explain of beats; the same bits however beats are divided.

    Only samples that belong to the beat count, from `own_samples`. A lead counts by its clearness.

    Parameters
    ----------
    beats : BeatSegments
    normal : PatientTemplate
    spread_mv : ndarray of float64, shape (leads, 140)
        From `learn_spread`.
    network : ReconstructionNetwork

    Raises
    ------
    DataError
        If the beats have other leads.
    """
    return reconstruction_errors([(beats, normal, spread_mv)], network)[0]


def reconstruction_errors(
    patients: Sequence[tuple[BeatSegments, PatientTemplate, Array]], network: ReconstructionNetwork
) -> list[ReconstructionError]:
    """Measure the beats of many patients: equal to `reconstruction_error` of each, but faster.

    Raises
    ------
    DataError
        If the beats of a patient have other leads than the template.
    """
    for beats, normal, _ in patients:
        if beats.samples.shape[1] != len(normal.leads):
            raise DataError(f"the baseline has {len(normal.leads)} leads and the recording {beats.samples.shape[1]}.")
    alike: dict[int, list[int]] = {}
    for number, (_, normal, _) in enumerate(patients):
        alike.setdefault(len(normal.leads), []).append(number)
    errors: dict[int, ReconstructionError] = {}
    for numbers in alike.values():
        errors |= zip(numbers, _errors_alike([patients[number] for number in numbers], network), strict=True)
    return [errors[number] for number in range(len(patients))]


def _errors_alike(
    patients: Sequence[tuple[BeatSegments, PatientTemplate, Array]], network: ReconstructionNetwork
) -> list[ReconstructionError]:
    """Measure beats of patients with equal numbers of leads."""
    counts = [len(beats) for beats, _, _ in patients]
    beats, normal = BeatSegments.joined([beats for beats, _, _ in patients]), patients[0][1]
    changes = [network.predict(features(normal, spread_mv)) for _, normal, spread_mv in patients]
    change, together = changes[0], len(patients) > 1
    if together:
        change = UsualChange.stacked(changes)
        template, clearness = (
            np.array(each) for each in zip(*((n.template, n.clearness) for _, n, _ in patients), strict=True)
        )
    owner = np.repeat(np.arange(len(patients)), counts)
    parts = [np.empty((len(PARTS), 0))]
    for start in range(0, len(beats), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        block, of_block = beats[rows], change
        if together:
            # Every beat has the template of its own patient.
            own = owner[rows]
            normal, of_block = replace(normal, template=template[own], clearness=clearness[own]), change[own]
        difference, weights = differences(block, normal, slice(None))
        parts.append(part_errors(difference, own_samples(block), weights, of_block, float(network.shares[1])))
    deviates = network.deviates(np.concatenate(parts, axis=1))
    ends = np.cumsum(counts).tolist()
    return [ReconstructionError(*deviates[:, end - count : end]) for end, count in zip(ends, counts, strict=True)]


def differences(beats: BeatSegments, normal: PatientTemplate, rows: slice | NDArray[np.integer]) -> tuple[Array, Array]:
    """Return the differences of beats from the template in the unit of `unit`, and the weights of their leads.

    Returns
    -------
    difference : ndarray of float64, shape (k, leads, 140)
    weights : ndarray of float64, shape (k, leads)
        Share of each lead by its clearness; NaN without a readable lead.
    """
    difference = (align(beats, normal, rows) - normal.template) * unit(normal.template)[..., None]
    weights = np.where(beats.readable[rows], normal.clearness, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return difference, weights / np.where(total > 0, total, np.nan)


def own_samples(beats: BeatSegments) -> NDArray[np.bool_]:
    """Return which samples belong to beats and not to their neighbours, shape (n, 140).

    They begin 0.25 s after the fiducial point of the beat before and end 0.12 s before that of the next one, where
    these are known; the 0.16 s around their own always belong to them.
    """
    since_s = np.where(np.isfinite(beats.rr_s), _PREVIOUS_BEAT_S - beats.rr_s, -np.inf)
    next_s = beats.next_s
    until_s = np.where(np.isfinite(next_s) & (beats.delay != 0), next_s - _NEXT_BEAT_S, np.inf)
    own: NDArray[np.bool_] = np.minimum(since_s, -_CORE_S)[:, None] <= _POSITIONS_S
    return own & (np.maximum(until_s, _CORE_S)[:, None] >= _POSITIONS_S)


def part_errors(
    difference: Array, own: NDArray[np.bool_], weights: Array, change: UsualChange, noise_share: float
) -> Array:
    """Return root mean square errors of beats in the predicted spread, geometric mean over the leads.

    Parameters
    ----------
    difference : ndarray of float64, shape (n, leads, 140)
    own : ndarray of bool, shape (n, 140)
        From `own_samples`.
    weights : ndarray of float64, shape (n, leads)
    change : UsualChange
    noise_share : float
        By which the noise of a beat enters the spread of its samples.

    Returns
    -------
    ndarray of float64, shape (3, n)
        Of the whole beat, the QRS complex and the P wave; NaN where too few of its samples belong to a beat.
    """
    variance = change.variance + np.square(noise_share * noise(difference, own))[..., None]
    precision = own[:, None] / variance
    errors = [
        _error(difference[..., part], precision[..., part], change.forms[..., part], own[:, part]) for part in PARTS
    ]
    mean: Array = np.exp((np.log(errors) * weights).sum(axis=2))
    return mean


def _error(difference: Array, precision: Array, forms: Array, own: NDArray[np.bool_]) -> Array:
    """Return the root mean square error of some samples."""
    # The most likely code solves (1 + F P F') code = F P difference; products of each beat alone, so that a beat gives
    # the same bits whatever the beats beside it.
    weighted = forms * precision[..., None, :]
    system = weighted @ np.swapaxes(forms, -1, -2) + np.eye(forms.shape[-2])
    target = weighted @ difference[..., None]
    code = np.linalg.solve(system, target)
    # Energy of what is left, plus that of the code.
    squares = (precision * np.square(difference)).sum(axis=-1) - (target * code).sum(axis=(-2, -1))
    count = own.sum(axis=-1)[:, None]
    mean = np.maximum(squares / np.maximum(count, 1), _LEAST_ERROR**2)
    error: Array = np.where(count >= _FEWEST_SAMPLES, np.sqrt(mean), np.nan)
    return error


def unit(template: Array) -> Array:
    """Return the factor that gives templates, shape (leads, 140), height 1 and the larger deflection upwards."""
    upright = np.where(template.max(axis=-1) + template.min(axis=-1) >= 0, 1.0, -1.0)
    factor: Array = upright / np.maximum(np.ptp(template, axis=-1), _LEAST_HEIGHT_MV)
    return factor


def features(normal: PatientTemplate, spread_mv: Array) -> Array:
    """Return the inputs of the network for each lead, shape (leads, 281): template, log clearness, log spread."""
    scale = unit(normal.template)[:, None]
    clearness = np.log(np.maximum(normal.clearness, _LEAST_CLEARNESS))[:, None]
    log_spread = np.log(spread_mv * np.abs(scale) + _LEAST_SPREAD) - _USUAL_LOG_SPREAD
    return np.concatenate([normal.template * scale, clearness / 3, log_spread], axis=1)


def noise(difference: Array, own: NDArray[np.bool_]) -> Array:
    """Return the fast noise of beats, shape (n, leads): standard deviation, from their difference from the template.

    The median of the second difference in time of their own samples: waves are slow, and fast only in few samples.
    """
    inner = own[:, None, 2:]
    bend = np.sort(np.where(inner, np.abs(np.diff(difference, 2, axis=-1)), np.inf), axis=-1)
    middle = np.broadcast_to((inner.sum(axis=-1, keepdims=True) - 1) // 2, (*bend.shape[:-1], 1))
    deviation: Array = np.take_along_axis(bend, middle, axis=-1)[..., 0] / (0.6745 * np.sqrt(6.0)) + _LEAST_NOISE
    return deviation
