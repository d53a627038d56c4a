"""Train the network that delineates waves, on marks of cardiologists in the QT Database and in LUDB.

That there may be no P wave, it learns from recordings in atrial fibrillation of the Challenge 2017, too. Few people
were marked, so that each beat is changed at random before each step: time is stretched between the waves, PR is
lengthened, P waves are taken away, noise and a wandering baseline are added, and the lead is inverted. Both databases
count alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import Progress, StepProgress, silent
from ectopy.datasets import cinc2017
from ectopy.datasets.marked_recordings import P_PEAK, QRS_PEAK, READERS, T_PEAK, MarkedRecording, database_of
from ectopy.errors import DatasetUnavailableError, NotEnoughNormalsError
from ectopy.presentation import short_repr
from ectopy.recording import Recording
from ectopy.signal import filter_twice, find_heartbeats
from ectopy.signal.array_columns import join, select
from ectopy.signal.wave_delineation import BEFORE, beat_windows, network_inputs
from ectopy.signal.wave_network import (
    DILATIONS,
    FIRST_LENGTH,
    INPUTS,
    LENGTH,
    MARKS,
    POSITIONS,
    SAMPLES,
    STRIDE,
    WaveNetwork,
)
from ectopy.training.load_tensorflow import load_tensorflow

if TYPE_CHECKING:
    import tensorflow

_NEAR_S = 0.15
_FIBRILLATION = "A"
_EDGE = 2.0  # marks nearer to the ends of a window, in samples, are not learned
_REMOVED = -1.0e4

_CHANNELS, _HIDDEN = 16, 16
_EPOCHS = 60
_BATCH = 64
_LEARNING_RATE = 4e-3
_SPREAD = 0.9  # of a mark, in positions
_BEATS_OF_PERSON, _BEATS_IN_FIBRILLATION = 20, 8

_KNOTS = np.array([0, 34, 68, 84, 98, 108, 116, 126, 140, 166, 196, SAMPLES - 1], np.float64)
_FIDUCIAL_KNOT = 6
_STRETCH = np.array([0.3, 0.3, 0.3, 0.25, 0.12, 0.08, 0.08, 0.12, 0.2, 0.25, 0.25])
_STRETCH_ALL = 0.08
_LONG_PR, _LONGER = 0.1, 36.0
_AFTER_P = 4  # the part between the P wave and the QRS complex
_SHIFT = 8
_WITHOUT_P = 0.12
_AROUND_P = 3
_INVERTED = 0.15
_AMPLITUDE = 0.25
_WANDER, _NOISE, _NOISE_OF_MEAN = 0.02, 0.008, 0.4

_GRID = np.arange(SAMPLES, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class WaveExamples:
    """Marked beats of one person, each lead by itself.

    Attributes
    ----------
    beats, means : ndarray of float32, shape (n, 252)
        From `beat_windows`.
    marks : ndarray of float64, shape (n, 9)
        In samples of the window; NaN = the beat has no such wave, or its mark is not known.
    is_known : ndarray of bool, shape (n, 9)
        Whether a mark, or its absence, can be learned.
    """

    __repr__ = short_repr

    beats: NDArray[np.float32]
    means: NDArray[np.float32]
    marks: NDArray[np.float64]
    is_known: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.beats)

    def __getitem__(self, rows: NDArray[np.intp]) -> WaveExamples:
        return select(self, rows)


def wave_examples(marked: MarkedRecording) -> WaveExamples | None:
    """Return the marked beats of a recording, as Ectopy finds them; None if it finds none."""
    early, filtered = filter_twice(marked.recording.signal, marked.recording.sampling_rate_hz)
    beats_s = find_heartbeats(early)
    if not len(beats_s):
        return None
    positions = np.rint(beats_s * filtered.rate_hz).astype(np.intp)
    examples = []
    for lead, signal in enumerate(filtered.signal):
        marks_s, whole = marked.lead_marks(lead)
        distances_s = np.abs(beats_s[:, None] - marks_s[QRS_PEAK])
        near = distances_s.min(axis=0) < _NEAR_S
        rows = distances_s.argmin(axis=0)[near]
        beats, means = (windows[rows] for windows in beat_windows(signal, positions))
        marks = (marks_s[:, near] * filtered.rate_hz - positions[rows] + BEFORE).T
        is_known = _learnable(marks, whole[near])
        examples.append(WaveExamples(beats, means, marks, is_known))
    return join(examples)


def fibrillation_examples(recording: Recording) -> WaveExamples | None:
    """Return eight beats of a recording in atrial fibrillation: all that is known is that they have no P wave."""
    early, filtered = filter_twice(recording.signal, recording.sampling_rate_hz)
    positions = np.rint(find_heartbeats(early) * filtered.rate_hz).astype(np.intp)
    if not len(positions):
        return None
    rows = np.unique(np.linspace(0, len(positions) - 1, _BEATS_IN_FIBRILLATION).astype(np.intp))
    beats, means = (windows[rows] for windows in beat_windows(filtered.signal[0], positions))
    marks = np.full((len(rows), len(MARKS)), np.nan)
    is_known = np.zeros(marks.shape, np.bool_)
    is_known[:, P_PEAK - 1 : P_PEAK + 2] = True
    return WaveExamples(beats, means, marks, is_known)


def marked_examples(folder: Path) -> Iterator[tuple[MarkedRecording, WaveExamples]]:
    """Read the marked recordings in the folders ``qtdb`` and ``ludb``, those in which Ectopy finds beats.

    A `DataError` if one of the databases is missing, or a recording cannot be read.
    """
    for database in READERS:
        database_of(folder / database)
    for database, reader in READERS.items():
        for marked in reader(folder / database):
            examples = wave_examples(marked)
            if examples is not None:
                yield marked, examples


def collect_people(folder: Path, progress: Progress = silent) -> list[WaveExamples]:
    """Read what the shipped network learned from, in the folders ``qtdb``, ``ludb`` and ``cinc2017``.

    Parameters
    ----------
    folder : Path
    progress : callable
        Called with recordings done, recordings in all (0 = not known), and the current one.

    Raises
    ------
    DatasetUnavailableError
        If a database is missing.
    DataError
        If a recording cannot be read.
    """
    missing = [name for name in (*READERS, cinc2017.NAME) if not (folder / name).is_dir()]
    if missing:
        raise DatasetUnavailableError(
            f"{folder} has no folder {', '.join(missing)}; fetch what is missing with 'ectopy fetch', or name the "
            "folder that holds the three databases."
        )
    people = []
    for number, (marked, examples) in enumerate(marked_examples(folder), start=1):
        progress(number, 0, f"{marked.database} {marked.record}")
        people.append(examples)
    return [*people, *read_fibrillation(folder / cinc2017.NAME)]


def read_fibrillation(folder: Path) -> list[WaveExamples]:
    """Read the recordings of the Challenge 2017 that are in atrial fibrillation; see `fibrillation_examples`."""
    recordings = (each.recording for each in cinc2017.read_cinc2017(folder) if each.label == _FIBRILLATION)
    examples = (fibrillation_examples(recording) for recording in recordings if recording is not None)
    return [example for example in examples if example is not None]


def train_waves(people: Sequence[WaveExamples], seed: int = 0, progress: StepProgress | None = None) -> WaveNetwork:
    """Train the network; about three minutes on one core for 170 people.

    Parameters
    ----------
    people : sequence of WaveExamples
        Each counts by at most 20 beats an epoch.
    seed : int
    progress : callable, optional
        Called with the epochs done and all epochs.

    Raises
    ------
    NotEnoughNormalsError
        If there are fewer than 64 marked beats.
    MissingExtraError
        If TensorFlow is not installed.
    """
    people = [person for person in people if len(person)]
    generator = np.random.default_rng(seed)
    steps = sum(min(len(person), _BEATS_OF_PERSON) for person in people) // _BATCH
    if not steps:
        raise NotEnoughNormalsError("there are too few marked beats to learn from; name the QT Database and LUDB.")
    tf = load_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    network = _network()
    optimiser = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, _EPOCHS * steps))

    @tf.function  # type: ignore[untyped-decorator]
    def step(inputs: tensorflow.Tensor, targets: tensorflow.Tensor, weights: tensorflow.Tensor) -> None:
        with tf.GradientTape() as tape:
            likely = tf.nn.log_softmax(network(inputs, training=True), axis=1)
            loss = -tf.reduce_sum(tf.reduce_sum(targets * likely, axis=1) * weights) / tf.reduce_sum(weights)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimiser.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    for epoch in range(_EPOCHS):
        epoch_beats = _draw(people, generator)
        for start in range(0, steps * _BATCH, _BATCH):
            beats = _vary(epoch_beats[np.arange(start, start + _BATCH)], generator)
            inputs = network_inputs(beats.beats, beats.means)
            step(inputs, _targets(beats.marks), beats.is_known.astype(np.float32))
        if progress:
            progress(epoch + 1, _EPOCHS)
    return _weights_of(network)


def _learnable(marks: NDArray[np.float64], whole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which marks are set, or are absent with their whole wave from a whole beat."""
    is_set = np.isfinite(marks)
    absent = np.zeros(marks.shape, np.bool_)
    for peak in (P_PEAK, T_PEAK):
        absent[:, peak - 1 : peak + 2] = (~is_set[:, peak] & whole)[:, None]
    return is_set | absent


def _draw(people: Sequence[WaveExamples], generator: np.random.Generator) -> WaveExamples:
    """Draw beats of each person, and shuffle them."""
    beats = join(
        [person[generator.choice(len(person), min(len(person), _BEATS_OF_PERSON), replace=False)] for person in people]
    )
    return beats[generator.permutation(len(beats))]


def _vary(examples: WaveExamples, generator: np.random.Generator) -> WaveExamples:
    """Change beats at random, as other people's beats would differ."""
    count = len(examples)
    windows = np.stack([examples.beats, examples.means]).astype(np.float64)
    marks, is_known = examples.marks.copy(), examples.is_known.copy()
    for beat in range(count):
        if generator.random() < _WITHOUT_P and np.isfinite(marks[beat, :4]).all():
            _remove_p_wave(windows[:, beat], marks[beat])
        sources, marks[beat] = _stretch(marks[beat], generator)
        for window in windows[:, beat]:
            window[:] = np.interp(sources, _GRID, window)
    # The absence of what was removed is learned; a mark that left the window is not.
    outside = (marks < _EDGE) | (marks > SAMPLES - 1 - _EDGE)
    is_known &= ~outside | (marks == _REMOVED)
    marks[outside] = np.nan
    # Amplitude and polarity, a wandering baseline and noise, of which less remains in the mean of similar beats.
    windows *= np.exp(generator.normal(0.0, _AMPLITUDE, (count, 1))) * generator.choice(
        [-1.0, 1.0], (count, 1), p=[_INVERTED, 1.0 - _INVERTED]
    )
    time = np.linspace(-1.0, 1.0, SAMPLES)
    wave = np.cos(generator.uniform(1.5, 6.0, (count, 1)) * time + generator.uniform(0.0, 6.3, (count, 1)))
    windows += generator.normal(0.0, _WANDER, (count, 1)) * time + generator.normal(0.0, _WANDER, (count, 1)) * wave
    noise = generator.normal(0.0, 1.0, (count, SAMPLES)) * generator.exponential(_NOISE, (count, 1))
    noise[:, 1:] = (noise[:, 1:] + noise[:, :-1]) / 2
    windows += noise * np.array([1.0, _NOISE_OF_MEAN])[:, None, None]
    beats, means = windows.astype(np.float32)
    return WaveExamples(beats, means, marks, is_known)


def _remove_p_wave(windows: NDArray[np.float64], marks: NDArray[np.float64]) -> None:
    """Draw a straight line in the place of a P wave."""
    first = max(int(marks[0]) - _AROUND_P, 1)
    last = min(int(marks[2]) + _AROUND_P, int(marks[3]) - 1)
    if last > first:
        line = np.arange(first, last + 1)
        for window in windows:
            window[line] = np.interp(line, [first - 1, last + 1], window[[first - 1, last + 1]])
        marks[:3] = _REMOVED


def _stretch(
    marks: NDArray[np.float64], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stretch time between knots, around the fiducial point, and shift all: sources of the samples, and new marks."""
    lengths = np.diff(_KNOTS) * np.exp(generator.normal(0.0, _STRETCH) + generator.normal(0.0, _STRETCH_ALL))
    if generator.random() < _LONG_PR:
        lengths[_AFTER_P] += generator.uniform(0.0, _LONGER)
    knots = np.concatenate([[0.0], np.cumsum(lengths)])
    knots += _KNOTS[_FIDUCIAL_KNOT] - knots[_FIDUCIAL_KNOT] + generator.integers(-_SHIFT, _SHIFT + 1)
    moved = np.interp(marks, _KNOTS, knots)
    return np.interp(_GRID, knots, _KNOTS), np.where(marks == _REMOVED, _REMOVED, moved)


def _targets(marks: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return how likely each mark should be at each position, shape (n, 127, 9)."""
    positions = np.arange(POSITIONS)[:, None]
    near = np.exp(-0.5 * np.square((positions - marks[:, None] / STRIDE) / _SPREAD))
    absent = np.isnan(marks)[:, None]
    near = np.where(absent, 0.0, near / np.maximum(near.sum(axis=1, keepdims=True), 1e-9))
    return np.concatenate([near, absent], axis=1).astype(np.float32)


def _network() -> Any:
    """Build the network of `WaveNetwork` with Keras; its layers are named as the weights there."""
    from keras import Input, Model, layers

    inputs = Input((SAMPLES, INPUTS))
    first = layers.Conv1D(_CHANNELS, FIRST_LENGTH, STRIDE, "same", activation="relu", name="first")
    values = first(inputs)
    for dilation in DILATIONS:
        layer = layers.Conv1D(
            _CHANNELS, LENGTH, padding="same", dilation_rate=dilation, activation="relu", name=f"dilated_{dilation}"
        )
        values = layers.Add()([values, layer(values)])
    positions = layers.EinsumDense("npc,cm->npm", output_shape=(POSITIONS, len(MARKS)), bias_axes="pm", name="marks")(
        values
    )
    pooled = layers.Concatenate()([layers.GlobalMaxPooling1D()(values), layers.GlobalAveragePooling1D()(values)])
    hidden = layers.Dense(_HIDDEN, "relu", name="hidden")(pooled)
    absent = layers.Reshape((1, len(MARKS)))(layers.Dense(len(MARKS), name="absent")(hidden))
    return Model(inputs, layers.Concatenate(axis=1)([positions, absent]))


def _weights_of(network: Any) -> WaveNetwork:
    first, first_offset = network.get_layer("first").get_weights()
    dilated = [network.get_layer(f"dilated_{dilation}").get_weights() for dilation in DILATIONS]
    return WaveNetwork(
        first,
        first_offset,
        np.stack([kernel for kernel, _ in dilated]),
        np.stack([offset for _, offset in dilated]),
        *network.get_layer("marks").get_weights(),
        *network.get_layer("hidden").get_weights(),
        *network.get_layer("absent").get_weights(),
    )
