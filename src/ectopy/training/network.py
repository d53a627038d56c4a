"""Learns normal beats: several autoencoders at once, each kept from one part of the normals.

Cross-fitting lets every normal beat be scored by a member that never saw it, so that the threshold rests on all of them
and none is lost to a validation set. The members share one graph and one optimiser, and are trained together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ectopy.arguments import StepProgress, check_fields
from ectopy.errors import NotEnoughNormalsError, SettingError
from ectopy.presentation import short_repr
from ectopy.training.architectures import Architecture, Branch, architecture
from ectopy.training.augmentation import vary
from ectopy.training.load_tensorflow import load_tensorflow
from ectopy.training.reconstruction_error import cubic_mean_square, tolerant_error

if TYPE_CHECKING:
    import keras

_CHECK_EVERY = 50
_LEAST_COMPILED = 150
_VALIDATION_BATCH = 4096


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Settings of a training.

    Attributes
    ----------
    architecture : str
        A name in `ARCHITECTURES`, or ``"default"``.
    members : int
        How many autoencoders, and into how many parts the normals are split; at least 2.
    max_steps : int
        Optimiser steps at most.
    batch_size : int
        Beats a step.
    learning_rate : float
        At the start; falls to a hundredth along a cosine.
    patience : int
        Steps without a better loss on the held-out normals before training stops.
    """

    architecture: str = "default"
    members: int = 4
    max_steps: int = 1500
    batch_size: int = 32
    learning_rate: float = 2e-3
    patience: int = 500

    def __post_init__(self) -> None:
        check_fields(self)
        architecture(self.architecture)
        if self.members < 2:
            raise SettingError(f"members must be at least 2, so that normals can be held out, not {self.members}.")
        for name in ("max_steps", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 < self.learning_rate < float("inf"):
            raise SettingError(f"learning_rate must be positive, not {self.learning_rate}.")


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network.

    Attributes
    ----------
    network : keras.Model
        Beats of shape (batch, samples) to ``{"reconstruction": (batch, members, samples), "error": (batch, members,
        samples), "mean_square_error": (batch, members), "latent": (batch, members, size)}``, in the unit of the beats;
        the error is that of `ectopy.training.reconstruction_error.tolerant_error`.
    held_out_by : ndarray of int, shape (n,)
        The member that never saw each normal beat.
    steps, training_loss, held_out_loss : tuple
        The learning curve, mean over the members.
    """

    __repr__ = short_repr

    network: keras.Model
    held_out_by: NDArray[np.int_]
    steps: tuple[int, ...]
    training_loss: tuple[float, ...]
    held_out_loss: tuple[float, ...]


def train_network(
    normals: NDArray[np.float32],
    settings: TrainingSettings,
    seed: int,
    progress: StepProgress | None = None,
    groups: NDArray[np.int_] | None = None,
) -> Trained:
    """Train autoencoders on normal beats.

    Parameters
    ----------
    normals : ndarray of float32, shape (n, samples)
        Finite values, n at least ``settings.members``.
    settings : TrainingSettings
    seed : int
        The same seed on the same machine gives the same network. Sets the seeds of `random`, NumPy and TensorFlow.
    progress : callable, optional
        Called with the steps done and the steps at most.
    groups : ndarray of int, shape (n,), optional
        What each beat belongs to, a patient for example; a group is held out as a whole.

    Raises
    ------
    NotEnoughNormalsError
        If there are fewer beats, or groups, than members.
    MissingExtraError
        If TensorFlow is not installed.
    """
    _, parts = np.unique(np.arange(len(normals)) if groups is None else groups, return_inverse=True)
    count = int(parts.max(initial=-1)) + 1
    if count < settings.members:
        unit_name = "normal beats" if groups is None else "groups of normal beats"
        raise NotEnoughNormalsError(
            f"training needs at least {settings.members} {unit_name} (one per member), and there are {count}."
        )
    tensorflow = load_tensorflow()
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    held_out_by = (np.random.default_rng(seed).permutation(count) % settings.members)[parts]
    held_out = held_out_by[:, None] == np.arange(settings.members)

    entry = architecture(settings.architecture)
    network, objective = _build(entry, normals, settings.members, grouped=groups is not None)
    trainer = keras.Model(network.input, objective)
    epochs = -(-settings.max_steps // _CHECK_EVERY)
    steps = min(_CHECK_EVERY, settings.max_steps)
    trainer.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(settings.learning_rate, epochs * steps, alpha=0.01)
        ),
        loss=_already_a_loss,
        # To compile takes seconds, longer than few steps take without.
        jit_compile=settings.max_steps >= _LEAST_COMPILED,
        steps_per_execution=steps,
    )
    trainer.optimizer.build(trainer.trainable_variables)

    learned_weight, held_out_weight = (counted / counted.mean() for counted in (~held_out, held_out))

    def batches() -> Iterator[tuple[NDArray[Any], ...]]:
        rng = np.random.default_rng(seed)
        for rows in _shuffled(len(normals), settings.batch_size, rng):
            yield vary(normals[rows], rng), unused_target, learned_weight[rows]

    unused_target = np.zeros((settings.batch_size, settings.members))
    history = trainer.fit(
        tensorflow.data.Dataset.from_generator(
            batches,
            output_signature=tuple(
                tensorflow.TensorSpec((settings.batch_size, width), tensorflow.float32)
                for width in (normals.shape[1], settings.members, settings.members)
            ),
        ).prefetch(steps),
        validation_data=tensorflow.data.Dataset.from_tensor_slices(
            (normals, np.zeros_like(held_out_weight), held_out_weight.astype(np.float32))
        ).batch(_VALIDATION_BATCH),
        steps_per_epoch=steps,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=-(-settings.patience // steps), restore_best_weights=True),
            *([_reporter(progress, steps, epochs)] if progress else []),
        ],
    ).history
    return Trained(
        network=network,
        held_out_by=held_out_by,
        steps=tuple(steps * (i + 1) for i in range(len(history["loss"]))),
        training_loss=tuple(map(float, history["loss"])),
        held_out_loss=tuple(map(float, history["val_loss"])),
    )


def _build(
    entry: Architecture, normals: NDArray[np.float32], members: int, *, grouped: bool
) -> tuple[keras.Model, keras.KerasTensor]:
    """The network, and its per-member loss of shape (batch, members) on the architecture's scale."""
    import keras
    from keras import layers, ops

    offset, spread = _scale(entry, normals)
    beats = keras.Input((normals.shape[1],), name="beats")
    scaled = layers.Rescaling(1 / spread, -offset / spread)(beats)
    branches = [entry.build(scaled) for _ in range(members)]
    reconstruction = layers.Rescaling(spread, offset)(ops.stack([branch.reconstruction for branch in branches], axis=1))
    error = tolerant_error(beats, reconstruction)
    network = keras.Model(
        beats,
        {
            "reconstruction": reconstruction,
            "error": error,
            "mean_square_error": ops.mean(ops.square(error), axis=-1) if grouped else cubic_mean_square(error),
            "latent": ops.stack([branch.latent for branch in branches], axis=1),
        },
    )
    return network, ops.stack([_loss(entry, scaled, branch) for branch in branches], axis=1)


def _shuffled(count: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int_]]:
    """Rows in endless rounds, each round in a new order, `size` at a time."""
    ahead = np.empty(0, dtype=np.int_)
    while True:
        while len(ahead) < size:
            ahead = np.concatenate([ahead, rng.permutation(count)])
        yield ahead[:size]
        ahead = ahead[size:]


def _scale(entry: Architecture, normals: NDArray[np.float32]) -> tuple[float, float]:
    values = normals.astype(np.float64)
    if entry.scale == "minmax":
        offset, spread = values.min(), values.max() - values.min()
    else:
        offset, spread = values.mean(), values.std()
    return float(offset), float(spread) or 1.0


def _loss(entry: Architecture, scaled: keras.KerasTensor, branch: Branch) -> keras.KerasTensor:
    from keras import ops

    residual = scaled - branch.reconstruction
    size = ops.abs(residual) if entry.loss == "mae" else ops.square(residual)
    error = ops.mean(size, axis=1)
    return error if branch.penalty is None else error + branch.penalty


def _already_a_loss(unused: Any, loss: Any) -> Any:
    return loss


def _reporter(progress: StepProgress, steps: int, epochs: int) -> keras.callbacks.Callback:
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: progress((epoch + 1) * steps, epochs * steps)
    )
