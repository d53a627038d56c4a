"""Train the network that reconstructs beats from a patient's template, on normal beats of many patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.reconstruction import (
    FEATURES,
    LEAST_VARIANCE,
    LEVELS,
    PARTS,
    TAIL_FROM,
    ReconstructionNetwork,
    differences,
    features,
    noise,
    own_samples,
    part_errors,
)
from ectopy.arguments import StepProgress
from ectopy.beats import BEAT_SAMPLES
from ectopy.errors import NotEnoughNormalsError
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import BeatSegments
from ectopy.training.load_tensorflow import load_tensorflow

if TYPE_CHECKING:
    import keras

CODE = 4
"""Number of forms of usual change; with more, ectopic beats are reconstructed too."""
MOST_BEATS = 150
"""Number of beats of one patient in the training."""

_HIDDEN = 16
_STEPS = 1000
_BATCH = 256
_LEARNING_RATE = 2e-3
_REPORT_EVERY = 50
_HELD_OUT = 5  # every fifth patient
_LEAST_CLEARNESS = 0.5
_HEAVY_TAIL = 5.0  # degrees of freedom
_FIRST_LOG_SPREAD = -3.0
_FIRST_FORMS, _FIRST_WEIGHTS = 0.05, 0.02
_STEEPEST = 5.0
_LEAST_TAIL = 0.01


@dataclass(frozen=True, slots=True)
class ReconstructionExamples:
    """Normal beats of one patient.

    Attributes
    ----------
    difference : ndarray of float64, shape (n, leads, 140)
        From `ectopy.analysis.reconstruction.differences`.
    weights : ndarray of float64, shape (n, leads)
    own : ndarray of bool, shape (n, 140)
    inputs : ndarray of float64, shape (leads, 281)
    clearness : ndarray of float64, shape (leads,)
    """

    __repr__ = short_repr

    difference: NDArray[np.float64]
    weights: NDArray[np.float64]
    own: NDArray[np.bool_]
    inputs: NDArray[np.float64]
    clearness: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.own)


def reconstruction_examples(
    beats: BeatSegments, normal: PatientTemplate, spread_mv: NDArray[np.float64], rows: NDArray[np.intp]
) -> ReconstructionExamples:
    """Take normal beats of a recording: evenly spaced, 150 at most.

    Parameters
    ----------
    beats : BeatSegments
    normal : PatientTemplate
    spread_mv : ndarray of float64, shape (leads, 140)
        From `ectopy.analysis.reconstruction.learn_spread`.
    rows : ndarray of int, shape (k,)
        The normal beats; best those after the learning time, as beats that have learned a template resemble it.
    """
    rows = rows[beats.readable[rows].any(axis=1)]
    if len(rows) > MOST_BEATS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_BEATS).astype(int)]
    difference, weights = differences(beats, normal, rows)
    inputs = features(normal, spread_mv)
    return ReconstructionExamples(difference, weights, own_samples(beats[rows]), inputs, normal.clearness)


def train_reconstruction(
    patients: Sequence[ReconstructionExamples], seed: int, progress: StepProgress | None = None
) -> ReconstructionNetwork:
    """Train the network; half a minute for 30,000 beats. Every fifth patient is held out and calibrates the errors.

    Parameters
    ----------
    patients : sequence of ReconstructionExamples
    seed : int
    progress : callable, optional
        Called with the steps done and the steps at most.

    Raises
    ------
    NotEnoughNormalsError
        If there are fewer than five patients with beats, or none of the held-out beats shows a P wave's place.
    MissingExtraError
        If TensorFlow is not installed.
    """
    patients = [patient for patient in patients if len(patient)]
    if len(patients) < _HELD_OUT:
        raise NotEnoughNormalsError(
            f"the network that reconstructs beats needs normal beats of at least {_HELD_OUT} patients, and there are "
            f"{len(patients)}."
        )
    load_tensorflow()
    learned = [patient for number, patient in enumerate(patients) if number % _HELD_OUT != _HELD_OUT - 1]
    network, shares = _train(_rows(learned), seed, progress)
    layers = tuple(weight.astype(np.float32) for weight in network.get_weights())
    return calibrated(layers, shares, patients[_HELD_OUT - 1 :: _HELD_OUT])


def calibrated(
    layers: tuple[NDArray[np.float32], ...],
    shares: NDArray[np.float32],
    patients: Sequence[ReconstructionExamples],
) -> ReconstructionNetwork:
    """Return the network with the errors of the normal beats of `patients`."""
    blank = np.ones((len(PARTS), len(LEVELS)), np.float32)
    network = ReconstructionNetwork(layers, shares, blank, blank[:, 0])
    errors = np.concatenate(
        [
            part_errors(each.difference, each.own, each.weights, network.predict(each.inputs), float(shares[1]))
            for each in patients
        ],
        axis=1,
    )
    quantiles, tails = blank.copy(), blank[:, 0].copy()
    for part, of_part in enumerate(errors):
        finite = of_part[np.isfinite(of_part)]
        if not len(finite):
            raise NotEnoughNormalsError(
                "no normal beat has the samples that the network needs to calibrate its errors."
            )
        quantiles[part] = np.quantile(finite, LEVELS)
        # Beyond the start of the tail the rank falls with the log of the error, by the mean excess of the largest.
        start = np.quantile(finite, TAIL_FROM)
        tails[part] = max(np.log(finite[finite >= start] / start).mean(), _LEAST_TAIL)
    return ReconstructionNetwork(layers, shares, quantiles, tails)


def _rows(patients: Sequence[ReconstructionExamples]) -> tuple[NDArray[np.float32], ...]:
    """Return difference, own samples, inputs and noise, one row for each clear lead of each beat."""
    columns = []
    for patient in patients:
        beat, lead = np.nonzero((np.nan_to_num(patient.weights) > 0) & (patient.clearness > _LEAST_CLEARNESS))
        fast = noise(patient.difference, patient.own)[beat, lead]
        columns.append((patient.difference[beat, lead], patient.own[beat], patient.inputs[lead], fast[:, None]))
    return tuple(np.concatenate(column).astype(np.float32) for column in zip(*columns, strict=True))


def build(hidden: int = _HIDDEN, code: int = CODE) -> keras.Sequential:
    """Build the network: 281 features to the log spread of 140 samples, and `code` forms of 140 samples."""
    import keras

    first = np.zeros((1 + code, BEAT_SAMPLES), np.float32)
    first[0] = _FIRST_LOG_SPREAD
    forms = keras.random.normal((code, BEAT_SAMPLES), stddev=_FIRST_FORMS)
    first[1:] = keras.ops.convert_to_numpy(forms)
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(hidden, "tanh"),
            keras.layers.Dense(hidden, "tanh"),
            keras.layers.Dense(
                first.size,
                kernel_initializer=keras.initializers.RandomNormal(stddev=_FIRST_WEIGHTS),
                bias_initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(first.reshape(shape)),
            ),
        ]
    )


def _train(
    rows_of: tuple[NDArray[np.float32], ...], seed: int, progress: StepProgress | None
) -> tuple[keras.Sequential, NDArray[np.float32]]:
    """Maximise the likelihood of normal beats under a multivariate t distribution, so that few odd ones do little."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    network = build()
    # Logits of the share of the patient's own spread, and log of that of the noise of a beat.
    raw = tf.Variable([0.0, 0.0])
    variables = [*network.trainable_variables, raw]
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, _STEPS, alpha=0.02))
    optimizer.build(variables)
    columns = [tf.constant(column) for column in rows_of]

    @tf.function  # type: ignore[untyped-decorator]
    def step(rows: tf.Tensor) -> None:
        apart, mask, features_of, noise_of_rows = (tf.gather(column, rows) for column in columns)
        with tf.GradientTape() as tape:
            output = tf.reshape(network(features_of), (-1, 1 + CODE, BEAT_SAMPLES))
            log_spread = output[:, 0] + tf.sigmoid(raw[0]) * features_of[:, -BEAT_SAMPLES:]
            variance = tf.exp(2.0 * log_spread) + LEAST_VARIANCE + tf.square(tf.exp(raw[1]) * noise_of_rows)
            precision, forms = mask / variance, output[:, 1:]
            # Mahalanobis distance and determinant of the covariance, diagonal plus forms, by Woodbury's identity.
            weighted = forms * precision[:, None]
            lower = tf.linalg.cholesky(tf.matmul(weighted, forms, transpose_b=True) + tf.eye(CODE))
            code = tf.linalg.triangular_solve(lower, tf.matmul(weighted, apart[..., None]))[..., 0]
            distance = tf.reduce_sum(precision * tf.square(apart), 1) - tf.reduce_sum(tf.square(code), 1)
            log_volume = tf.reduce_sum(mask * tf.math.log(variance), 1)
            log_volume += 2.0 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(lower)), 1)
            count = tf.reduce_sum(mask, 1)
            tail = (_HEAVY_TAIL + count) * tf.math.log1p(distance / _HEAVY_TAIL)
            loss = tf.reduce_mean((log_volume + tail) / (2.0 * count))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(
            zip([tf.clip_by_norm(gradient, _STEEPEST) for gradient in gradients], variables, strict=True)
        )

    generator = np.random.default_rng(seed)
    for number in range(_STEPS):
        step(tf.constant(generator.integers(0, len(rows_of[0]), _BATCH)))
        if progress and (number + 1) % _REPORT_EVERY == 0:
            progress(number + 1, _STEPS)
    shares = np.array([tf.sigmoid(raw[0]), tf.exp(raw[1])], np.float32)
    return network, shares
