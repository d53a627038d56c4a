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
    ReconstructionNetwork,
    features,
    mean_over_leads,
    unit,
)
from ectopy.analysis.slow_waves import without_slow_waves
from ectopy.analysis.template_comparison import own_difference
from ectopy.beats import BEAT_SAMPLES
from ectopy.errors import NotEnoughNormalsError
from ectopy.presentation import short_repr
from ectopy.signal.beat_segments import BeatSegments
from ectopy.training.load_tensorflow import load_tensorflow

if TYPE_CHECKING:
    import keras

CODE = 4
"""Number of forms of usual change; with more, ectopic beats are reconstructed too."""
STEPS = 1000

_HIDDEN = 16
_BATCH = 256
_LEARNING_RATE = 2e-3
_LEAST_CLEARNESS = 0.5
_HEAVY_TAIL = 5.0  # degrees of freedom
_FIRST_LOG_SPREAD = -3.0
_FIRST_FORMS, _FIRST_WEIGHTS = 0.05, 0.02
_STEEPEST = 5.0


@dataclass(frozen=True, slots=True)
class ReconstructionExamples:
    """Normal beats of one patient, and what is known of the patient.

    Attributes
    ----------
    difference_mv : ndarray of float32, shape (n, leads, 140)
    own : ndarray of bool, shape (n, 140)
    noise_mv, weights : ndarray of float64, shape (n, leads)
        These four as in `ectopy.analysis.patient_template.OwnDifference`.
    template_mv, spread_mv : ndarray of float64, shape (leads, 140)
    clearness : ndarray of float64, shape (leads,)
        These three as in `PatientTemplate`.
    """

    __repr__ = short_repr

    difference_mv: NDArray[np.float32]
    own: NDArray[np.bool_]
    noise_mv: NDArray[np.float64]
    weights: NDArray[np.float64]
    template_mv: NDArray[np.float64]
    spread_mv: NDArray[np.float64]
    clearness: NDArray[np.float64]

    @classmethod
    def of(cls, beats: BeatSegments, normal: PatientTemplate) -> ReconstructionExamples:
        """Take normal beats of a patient; best those after the learning time, which the template does not know."""
        difference, own, noise, weights = own_difference(beats, normal)
        return cls(difference.astype(np.float32), own, noise, weights, normal.template, normal.spread, normal.clearness)

    def __len__(self) -> int:
        return len(self.own)

    def errors(self, network: ReconstructionNetwork) -> NDArray[np.float64]:
        """Return the error of each beat, shape (n,)."""
        change = network.predict(self.template_mv, self.clearness, self.spread_mv)
        steady = without_slow_waves(self.difference_mv.astype(np.float64), self.own)
        return mean_over_leads(change.error(steady, self.own, self.noise_mv), self.weights)


def train_reconstruction(
    patients: Sequence[ReconstructionExamples], seed: int, steps: int = STEPS
) -> ReconstructionNetwork:
    """Train the network; a quarter of a minute.

    Parameters
    ----------
    patients : sequence of ReconstructionExamples
    seed : int
    steps : int
        Of the optimiser.

    Raises
    ------
    NotEnoughNormalsError
        If there is no readable beat.
    MissingExtraError
        If TensorFlow is not installed.
    """
    load_tensorflow()
    rows = [_rows(patient) for patient in patients if len(patient)]
    if not sum(len(part[0]) for part in rows):
        raise NotEnoughNormalsError("there are no normal beats from which to learn how beats are reconstructed.")
    return _train(tuple(np.concatenate(column) for column in zip(*rows, strict=True)), seed, steps)


def _rows(patient: ReconstructionExamples) -> tuple[NDArray[np.float32], ...]:
    """Return difference in units of the template, own samples and inputs, one row for each clear lead of each beat."""
    beat, lead = np.nonzero((np.nan_to_num(patient.weights) > 0) & (patient.clearness > _LEAST_CLEARNESS))
    scale = unit(patient.template_mv)
    inputs = features(patient.template_mv, patient.clearness, patient.spread_mv)
    columns = (
        patient.difference_mv[beat, lead] * scale[lead, None],
        patient.own[beat],
        inputs[lead],
    )
    return tuple(column.astype(np.float32) for column in columns)


def build() -> keras.Sequential:
    """Build the network: 281 features to the log spread of 140 samples, and `CODE` forms of 140 samples."""
    import keras

    first = np.zeros((1 + CODE, BEAT_SAMPLES), np.float32)
    first[0] = _FIRST_LOG_SPREAD
    forms = keras.random.normal((CODE, BEAT_SAMPLES), stddev=_FIRST_FORMS)
    first[1:] = keras.ops.convert_to_numpy(forms)
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(_HIDDEN, "tanh"),
            keras.layers.Dense(_HIDDEN, "tanh"),
            keras.layers.Dense(
                first.size,
                kernel_initializer=keras.initializers.RandomNormal(stddev=_FIRST_WEIGHTS),
                bias_initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(first.reshape(shape)),
            ),
        ]
    )


def _train(rows_of: tuple[NDArray[np.float32], ...], seed: int, steps: int) -> ReconstructionNetwork:
    """Maximise the likelihood of normal beats under a multivariate t distribution, so that few odd ones do little."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    network = build()
    # Logit of the share of the patient's own spread.
    logit = tf.Variable([0.0])
    variables = [*network.trainable_variables, logit]
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps, alpha=0.02))
    optimizer.build(variables)
    columns = [tf.constant(column) for column in rows_of]

    @tf.function  # type: ignore[untyped-decorator]
    def step(rows: tf.Tensor) -> None:
        apart, mask, inputs = (tf.gather(column, rows) for column in columns)
        with tf.GradientTape() as tape:
            output = tf.reshape(network(inputs), (-1, 1 + CODE, BEAT_SAMPLES))
            log_spread = output[:, 0] + tf.sigmoid(logit) * inputs[:, -BEAT_SAMPLES:]
            variance = tf.exp(2.0 * log_spread) + LEAST_VARIANCE
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
    for _ in range(steps):
        step(tf.constant(generator.integers(0, len(rows_of[0]), _BATCH)))
    share = tf.sigmoid(logit).numpy()
    return ReconstructionNetwork((*(weight.astype(np.float32) for weight in network.get_weights()), share))
