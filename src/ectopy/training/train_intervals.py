"""Train the network that predicts the next RR interval, on intervals that end at normal beats of many people.

The target is always the interval up to a normal beat. The history before it is that of the recording: with its ectopic
beats, without them, or without most of them, as a detector leaves them out. Into some histories in sinus rhythm
ectopic beats are simulated - single ones, every second to fourth beat, mostly ectopic beats, runs - so that the network
learns to name the next normal beat whatever is between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.interval_model import (
    COMPONENTS,
    FURTHEST,
    HISTORY,
    LEAST_INTERVALS,
    LOG_SCALES,
    IntervalModel,
    features,
)
from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRhythms
from ectopy.errors import NotEnoughNormalsError
from ectopy.presentation import short_repr
from ectopy.signal.lower_median import lower_median
from ectopy.training.load_tensorflow import load_tensorflow

if TYPE_CHECKING:
    import tensorflow

RHYTHMS = ("N", "AFIB", "SBR", "AB", "B", "T")
"""Rhythms in which intervals are learned: sinus rhythm, atrial fibrillation, bradycardia, atrial and ventricular
bigeminy, trigeminy."""

_FIBRILLATION = "AFIB"
_POSSIBLE_S = 0.15, 4.0
_MOST_PER_PATIENT = 6000
_FIRST_BEATS = 60
_EARLY = 0.2
_UNSURE_BEATS, _ONSET_BEATS = 8, 60
_MEASURED_TO_S = 0.003
_LEFT_OUT = 1.0, 0.85, 0.0
_SIMULATED = 0.3
_SHORTENED = 0.25
_ONE_RECORDING = 1000
_WEIGHT_OF = 3000

_HIDDEN = 64
_EPOCHS = 12
_BATCH = 1024
_LEARNING_RATE = 2e-3
_FIRST_LOCATION = 0.1
_FIRST_SCALES = -3.0, -2.5, -2.0
_UNEXPLAINED = 0.002  # share of intervals that no rhythm explains, spread over three units of the log


@dataclass(frozen=True, slots=True)
class IntervalExamples:
    """Intervals of one patient to learn from.

    Attributes
    ----------
    windows : ndarray of float64, shape (n, 50)
        Log of the intervals before, as `IntervalModel.predict` takes them.
    log_s : ndarray of float64, shape (n,)
        Log of the interval up to a normal beat.
    """

    __repr__ = short_repr

    windows: NDArray[np.float64]
    log_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.log_s)


def labelled_examples(
    beats: LabelledBeats, rhythms: LabelledRhythms, generator: np.random.Generator
) -> IntervalExamples:
    """Draw examples from a long recording with labels of beats and rhythms, 12,000 at most.

    Left out as targets are intervals after an ectopic beat; early ones outside of atrial fibrillation, which are mostly
    ectopic beats without a label; and early ones right after its onset.
    """
    rr_s = _intervals(beats.times_s)
    rhythm = rhythms.at(beats.times_s)
    fibrillation = rhythm == _FIBRILLATION
    ectopic = np.isin(beats.classes, ["S", "V", "F"])
    after_ectopic = np.concatenate([[True], ectopic[:-1]])
    log_s = np.log(rr_s)
    before = np.concatenate([np.full(HISTORY, np.nan), log_s])
    usual = lower_median(np.lib.stride_tricks.sliding_window_view(before, HISTORY)[: len(log_s)])
    early = log_s < usual - _EARLY
    since_onset = _beats_since_onset(fibrillation)
    possible = beats.is_normal & np.isfinite(log_s) & np.isin(rhythm, RHYTHMS) & ~after_ectopic
    possible &= ~early | (fibrillation & (since_onset >= _UNSURE_BEATS))
    possible[:_FIRST_BEATS] = False
    # Of each rhythm alike, and beats soon after an onset once more, as they are rare.
    onset = possible & fibrillation & (since_onset < _ONSET_BEATS)
    kinds = [(possible & fibrillation, 1), (possible & ~fibrillation, 1), (onset, 3)]
    rows = np.sort(
        np.concatenate(
            [_draw(generator, np.flatnonzero(kind), _MOST_PER_PATIENT // divisor) for kind, divisor in kinds]
        )
    )
    log_s = np.log(rr_s + generator.normal(0.0, _MEASURED_TO_S, len(rr_s)))
    windows, targets = _histories(log_s, ectopic, rows, generator)
    return _shorten(_simulate_ectopy(windows, targets, fibrillation[rows], generator), generator)


def unlabelled_examples(
    rr_s: NDArray[np.float64], fibrillation: bool, generator: np.random.Generator
) -> IntervalExamples:
    """Take all intervals of a short recording that is as a whole in sinus rhythm or in atrial fibrillation."""
    with np.errstate(invalid="ignore"):
        log_s = np.log(np.where((rr_s > _POSSIBLE_S[0]) & (rr_s < _POSSIBLE_S[1]), rr_s, np.nan))
    finite = log_s[np.isfinite(log_s)]
    windows, targets = _histories(finite, np.zeros(len(finite), np.bool_), np.arange(len(finite)), generator)
    usable = np.isfinite(windows).sum(axis=1) >= 2 * LEAST_INTERVALS
    if not fibrillation:
        usable &= targets >= lower_median(windows) - _EARLY
    windows, targets = windows[usable], targets[usable]
    return _simulate_ectopy(windows, targets, np.full(len(targets), fibrillation), generator)


def train_intervals(patients: Sequence[IntervalExamples], seed: int) -> IntervalModel:
    """Train the network on the examples of many patients; about a minute for 400,000 on two cores.

    Parameters
    ----------
    patients : sequence of IntervalExamples
        A patient counts by at most 3,000 examples.
    seed : int

    Raises
    ------
    NotEnoughNormalsError
        If there are no examples.
    MissingExtraError
        If TensorFlow is not installed.
    """
    tf = load_tensorflow()
    import keras

    patients = [patient for patient in patients if len(patient)]
    if not patients:
        raise NotEnoughNormalsError("there are no RR intervals to learn from; name databases with labelled beats.")
    inputs, usual = features(np.concatenate([patient.windows for patient in patients]))
    targets = np.concatenate([patient.log_s for patient in patients]) - usual
    weights = np.concatenate([np.full(len(patient), _weight(len(patient))) for patient in patients])
    near = np.abs(targets) < FURTHEST
    inputs, targets, weights = inputs[near], targets[near], weights[near]

    def unlikelihood(target: tensorflow.Tensor, output: tensorflow.Tensor) -> tensorflow.Tensor:
        share, location, log_scale = tf.split(output, 3, axis=1)
        log_scale = tf.clip_by_value(log_scale, *LOG_SCALES)
        standard = (target - location) / tf.exp(log_scale)
        log_density = tf.nn.log_softmax(share) - standard - log_scale - 2.0 * tf.nn.softplus(-standard)
        explained = tf.reduce_logsumexp(log_density, axis=1) + np.float32(np.log(1.0 - _UNEXPLAINED))
        unexplained = tf.fill(tf.shape(explained), np.float32(np.log(_UNEXPLAINED / (2 * FURTHEST))))
        return -tf.reduce_logsumexp(tf.stack([explained, unexplained]), axis=0)

    keras.utils.set_random_seed(seed)
    spread = [*np.zeros(COMPONENTS), *np.linspace(-_FIRST_LOCATION, _FIRST_LOCATION, COMPONENTS), *_FIRST_SCALES]
    network = keras.Sequential(
        [
            keras.Input((inputs.shape[1],)),
            keras.layers.Dense(_HIDDEN, "silu"),
            keras.layers.Dense(_HIDDEN, "silu"),
            keras.layers.Dense(
                3 * COMPONENTS, bias_initializer=lambda shape, dtype=None: tf.constant(spread, tf.float32)
            ),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, _EPOCHS * -(-len(inputs) // _BATCH))
    network.compile(keras.optimizers.Adam(rate), loss=unlikelihood)
    network.fit(
        inputs.astype(np.float32),
        targets[:, None].astype(np.float32),
        sample_weight=weights / weights.mean(),
        batch_size=_BATCH,
        epochs=_EPOCHS,
        verbose=0,
    )
    return IntervalModel(tuple(weight.astype(np.float32) for weight in network.get_weights()))


def _weight(examples: int) -> float:
    """Return the weight of each example of a patient: short recordings count double, long ones are limited."""
    return min(1.0, _WEIGHT_OF / examples) if examples > _ONE_RECORDING else 2.0


def _intervals(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the RR interval before each beat; NaN where impossible."""
    rr_s = np.diff(times_s, prepend=np.nan)
    return np.where((rr_s > _POSSIBLE_S[0]) & (rr_s < _POSSIBLE_S[1]), rr_s, np.nan)


def _beats_since_onset(fibrillation: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Count the beats since atrial fibrillation began; in other rhythms the number means nothing."""
    places = np.arange(len(fibrillation))
    begins = fibrillation & ~np.concatenate([[False], fibrillation[:-1]])
    return places - np.maximum.accumulate(np.where(begins, places, 0))


def _draw(generator: np.random.Generator, rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    return generator.choice(rows, min(most, len(rows)), replace=False) if len(rows) else rows


def _histories(
    log_s: NDArray[np.float64], ectopic: NDArray[np.bool_], rows: NDArray[np.intp], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the fifty intervals before each row and its own; a third of the rows with all, most, no ectopic beats."""
    part = generator.integers(0, len(_LEFT_OUT), len(rows))
    windows = np.empty((len(rows), HISTORY))
    for number, share in enumerate(_LEFT_OUT):
        keep = np.isfinite(log_s) & ~(ectopic & (generator.random(len(log_s)) < share))
        line = np.concatenate([np.full(HISTORY, np.nan), log_s[keep]])
        before = np.concatenate([[0], np.cumsum(keep)])[:-1]
        of_part = part == number
        windows[of_part] = line[before[rows[of_part]][:, None] + np.arange(HISTORY)]
    usable = np.isfinite(windows).sum(axis=1) >= LEAST_INTERVALS
    windows[~usable] = np.nan
    return windows, log_s[rows]


def _simulate_ectopy(
    windows: NDArray[np.float64],
    targets: NDArray[np.float64],
    fibrillation: NDArray[np.bool_],
    generator: np.random.Generator,
) -> IntervalExamples:
    """Put ectopic beats into three in ten histories outside of atrial fibrillation."""
    windows, targets = windows.copy(), targets.copy()
    usable = np.isfinite(windows).sum(axis=1) >= LEAST_INTERVALS
    for row in np.flatnonzero((generator.random(len(windows)) < _SIMULATED) & ~fibrillation & usable).tolist():
        windows[row], targets[row] = _with_ectopy(windows[row], targets[row], generator)
    return IntervalExamples(windows[usable], targets[usable])


def _with_ectopy(
    window: NDArray[np.float64], target: float, generator: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """Put ectopic beats of one kind into a history; the target follows as a normal beat."""
    ectopic = _ectopic_beats(generator)
    after = np.concatenate([[False], ectopic]) & ~np.concatenate([ectopic, [False]])
    coupling = np.log(generator.uniform(0.4, 0.85))
    # The pause is compensatory, or the sinus node is reset.
    pause = np.log(2.0 - np.exp(coupling)) if generator.random() < 0.5 else np.log(generator.uniform(0.92, 1.3))
    line = window + np.where(ectopic, coupling + generator.normal(0.0, 0.03, HISTORY), 0.0)
    line += np.where(after[:-1], pause + generator.normal(0.0, 0.03, HISTORY), 0.0)
    if ectopic[-1] and generator.random() < 0.3:
        target += pause
    if generator.random() < 0.5:
        left = line[~(ectopic & (generator.random(HISTORY) < 0.9))]
        if np.isfinite(left).sum() >= LEAST_INTERVALS:
            line = np.concatenate([np.full(HISTORY - len(left), np.nan), left])
    return line, target


def _ectopic_beats(generator: np.random.Generator) -> NDArray[np.bool_]:
    """Choose which of fifty beats are ectopic."""
    places, kind = np.arange(HISTORY), generator.random()
    ectopic = np.zeros(HISTORY, np.bool_)
    if kind < 0.35:  # single beats, never two in a row
        ectopic = generator.random(HISTORY) < generator.choice([0.02, 0.05, 0.1, 0.2, 0.3])
        ectopic[1:] &= ~ectopic[:-1]
    elif kind < 0.6:  # every second to fourth beat, from some beat on
        every, begins = int(generator.integers(2, 5)), int(generator.integers(0, 48)) * (generator.random() < 0.5)
        ectopic = (places >= begins) & ((places + generator.integers(0, every)) % every == 0)
    elif kind < 0.7:  # all but every third to fifth
        every = int(generator.integers(3, 6))
        ectopic = (places + generator.integers(0, every)) % every != 0
    else:  # a run, up to now or not long ago
        ends = HISTORY - int(generator.integers(0, 12)) * (generator.random() < 0.6)
        ectopic[max(0, ends - int(generator.integers(2, 40))) : ends] = True
    return ectopic


def _shorten(examples: IntervalExamples, generator: np.random.Generator) -> IntervalExamples:
    """Cut a quarter of the histories to their last 4 to 49 intervals, as if the recording had begun lately."""
    windows = examples.windows.copy()
    left = np.where(
        generator.random(len(windows)) < _SHORTENED, generator.integers(LEAST_INTERVALS, HISTORY, len(windows)), HISTORY
    )
    windows[np.arange(HISTORY) < HISTORY - left[:, None]] = np.nan
    return IntervalExamples(windows, examples.log_s)
