"""Reconstruct beats from what is known of a patient, and measure the error that is left.

A normal beat differs from its template: waves move, grow and shrink together, and the rest is noise. A network that was
trained on normal beats of many patients receives a template and the spread of the patient's beats around it, and
predicts both: a few forms of usual change, whose amounts in a beat are its code, and the spread of each sample around
the reconstruction. With these, the code of a beat is a product with a matrix (factor analysis,
doi:10.1007/BF02293851), and the error is what the code does not explain, and how unusual the code is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.beat_noise import noise_energy
from ectopy.beats import BEAT_SAMPLES
from ectopy.errors import DataError
from ectopy.presentation import short_repr
from ectopy.signal.array_columns import select

FEATURES = 2 * BEAT_SAMPLES + 1
"""Number of inputs of the network for one lead."""
LEAST_VARIANCE = 1e-6

_LEAST_HEIGHT_MV = 0.1
_LEAST_CLEARNESS = 1e-3
_LEAST_SPREAD, _USUAL_LOG_SPREAD = 0.003, -3.0
_LEAST_ERROR = 1e-6
_MOST_RECENT = 1024  # patients; 0.02 MB each

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class UsualChange:
    """How the normal beats of a patient change, lead by lead.

    Attributes
    ----------
    weights : ndarray of float64, shape (..., leads, 140)
        One over the spread of each sample around the reconstruction, 1/mV.
    encoder : ndarray of float64, shape (..., leads, k, 140)
        Matrix from the weighted difference of a beat to its code.
    precision : ndarray of float64, shape (..., leads)
        Mean square of the weights, 1/mV^2.
    """

    __repr__ = short_repr

    weights: Array
    encoder: Array
    precision: Array

    def __getitem__(self, rows: slice) -> UsualChange:
        return select(self, rows)

    @classmethod
    def stacked(cls, changes: Sequence[UsualChange]) -> UsualChange:
        """Stack the changes of patients with equal numbers of leads along a new first axis."""
        columns = zip(*((change.weights, change.encoder, change.precision) for change in changes), strict=True)
        return cls(*map(np.array, columns))

    def error(self, difference_mv: Array, own: NDArray[np.bool_], noise_mv: Array) -> Array:
        """Return the error of each lead of beats, relative to the predicted spread and the beat's noise.

        Parameters
        ----------
        difference_mv : ndarray of float64, shape (n, leads, 140)
            From the template.
        own : ndarray of bool, shape (n, 140)
            Samples that belong to each beat; the others do not count.
        noise_mv : ndarray of float64, shape (n, leads)
            Of each beat, from `ectopy.analysis.beat_noise`.

        Returns
        -------
        ndarray of float64, shape (n, leads)
            Root mean square; at most about 1 for normal beats.
        """
        weighted = difference_mv * self.weights * own[:, None]
        # One product for each beat and lead, so that a beat gives the same bits whatever the beats beside it.
        code = (self.encoder @ weighted[..., None])[..., 0]
        left = np.square(weighted).sum(axis=-1) - np.square(code).sum(axis=-1)
        count = own.sum(axis=-1)[:, None]
        expected = count + self.precision * noise_energy(noise_mv, count)
        error: Array = np.sqrt(np.maximum(left / expected, _LEAST_ERROR**2))
        return error


@dataclass(frozen=True, slots=True)
class ReconstructionNetwork:
    """Weights of the network.

    Attributes
    ----------
    weights : tuple of ndarray of float32
        Matrix and offset of each of three layers: 281 features to the log spread of 140 samples and k forms of 140.
        Last the share by which the patient's own spread enters the spread of the samples.

    Raises
    ------
    DataError
        If the shapes do not fit together.
    """

    __repr__ = short_repr

    weights: tuple[NDArray[np.float32], ...]
    _exact: tuple[Array, ...] = field(init=False, repr=False, compare=False)
    _recent: dict[tuple[bytes, ...], UsualChange] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        *layers, share = self.weights if len(self.weights) == 7 else [np.empty(0)]
        sizes = [FEATURES, *(offset.size for offset in layers[1::2])]
        shapes = [shape for pair in pairwise(sizes) for shape in (pair, pair[1:])]
        outputs = sizes[-1]
        if (
            [layer.shape for layer in layers] != shapes
            or not layers
            or outputs % BEAT_SAMPLES
            or outputs < 2 * BEAT_SAMPLES
            or share.shape != (1,)
        ):
            raise DataError("the weights are not those of a network that reconstructs beats")
        object.__setattr__(self, "_exact", tuple(each.astype(np.float64) for each in self.weights))

    def predict(self, template_mv: Array, clearness: Array, spread_mv: Array) -> UsualChange:
        """Predict how the normal beats of patients change.

        Parameters
        ----------
        template_mv, spread_mv : ndarray of float64, shape (..., leads, 140)
            The usual beat, and the usual distance of each sample from it.
        clearness : ndarray of float64, shape (..., leads)
            As in `ectopy.analysis.patient_template.PatientTemplate`.
        """
        variance, forms = self.outputs(features(template_mv, clearness, spread_mv))
        weights = 1.0 / np.sqrt(variance)
        # The most likely code solves (1 + F F') code = F difference, F the weighted forms; half of the inverse in it.
        weighted = forms * weights[..., None, :]
        lower = np.linalg.cholesky(weighted @ np.swapaxes(weighted, -1, -2) + np.eye(forms.shape[-2]))
        weights *= np.abs(unit(template_mv))[..., None]
        return UsualChange(weights, np.linalg.solve(lower, weighted), np.square(weights).mean(axis=-1))

    def predict_again(self, template_mv: Array, clearness: Array, spread_mv: Array) -> UsualChange:
        """Return the result of `predict` for one patient, from memory where it was asked lately."""
        key = template_mv.tobytes(), clearness.tobytes(), spread_mv.tobytes()
        change = self._recent.get(key)
        if change is None:
            if len(self._recent) >= _MOST_RECENT:
                self._recent.clear()
            change = self._recent[key] = self.predict(template_mv, clearness, spread_mv)
        return change

    def outputs(self, inputs: Array) -> tuple[Array, Array]:
        """Return the variance of each sample, shape (..., 140), and the forms, (..., k, 140), of `features`."""
        first, first_offset, second, second_offset, last, last_offset, share = self._exact
        # One product for each lead, so that a lead gives the same bits whatever the leads beside it.
        hidden = np.tanh(inputs[..., None, :] @ first + first_offset)
        outputs = np.tanh(hidden @ second + second_offset) @ last + last_offset
        outputs = outputs.reshape(*inputs.shape[:-1], -1, BEAT_SAMPLES)
        log_spread = outputs[..., 0, :] + share * inputs[..., -BEAT_SAMPLES:]
        return np.exp(2.0 * log_spread) + LEAST_VARIANCE, outputs[..., 1:, :]


def unit(template_mv: Array) -> Array:
    """Return the factor that gives templates, shape (..., 140), height 1 and the larger deflection upwards."""
    upright = np.where(template_mv.max(axis=-1) + template_mv.min(axis=-1) >= 0, 1.0, -1.0)
    factor: Array = upright / np.maximum(np.ptp(template_mv, axis=-1), _LEAST_HEIGHT_MV)
    return factor


def features(template_mv: Array, clearness: Array, spread_mv: Array) -> Array:
    """Return the inputs of the network, shape (..., leads, 281): template, log of clearness and of spread."""
    scale = unit(template_mv)[..., None]
    log_clearness = np.log(np.maximum(clearness, _LEAST_CLEARNESS))[..., None]
    log_spread = np.log(spread_mv * np.abs(scale) + _LEAST_SPREAD) - _USUAL_LOG_SPREAD
    return np.concatenate([template_mv * scale, log_clearness / 3, log_spread], axis=-1)


def mean_over_leads(errors: Array, weights: Array) -> Array:
    """Return the geometric mean of errors over leads, shape (n,); NaN without a readable lead.

    Parameters
    ----------
    errors, weights : ndarray of float64, shape (n, leads)
        Weights add up to 1.
    """
    mean: Array = np.exp((np.log(errors) * weights).sum(axis=1))
    return mean
