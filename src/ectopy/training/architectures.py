"""The autoencoders, by name.

An architecture is a function that takes one member's input, beats of shape (batch, samples) on the scale named in its
entry, and returns a `Branch`. Stock Keras layers only: a saved network then loads without Ectopy, and converts to
LiteRT as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from ectopy.errors import SettingError

if TYPE_CHECKING:
    from keras import KerasTensor


class Branch(NamedTuple):
    """One autoencoder's outputs.

    Attributes
    ----------
    reconstruction : KerasTensor, shape (batch, samples)
    latent : KerasTensor, shape (batch, latent size)
    penalty : KerasTensor of shape (batch,), or None
        Added to the beat's reconstruction loss.
    """

    reconstruction: KerasTensor
    latent: KerasTensor
    penalty: KerasTensor | None = None


def tutorial(beat: KerasTensor) -> Branch:
    """The autoencoder of TensorFlow's tutorial "Intro to Autoencoders": 32-16-8-16-32, ReLU, sigmoid output."""
    from keras import layers, ops

    x = layers.Dense(32, activation="relu")(beat)
    x = layers.Dense(16, activation="relu")(x)
    latent = layers.Dense(8, activation="relu")(x)
    x = layers.Dense(16, activation="relu")(latent)
    x = layers.Dense(32, activation="relu")(x)
    x = layers.Dense(beat.shape[1])(x)
    # The sigmoid written out: LiteRT's own is an approximation, good to three digits only.
    return Branch(1.0 / (1.0 + ops.exp(-x)), latent)


def dense(beat: KerasTensor) -> Branch:
    """Denoising, fully connected: 64-32-8-32-64, linear code and output."""
    from keras import layers

    x = layers.GaussianNoise(0.3)(beat)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dense(32, activation="relu")(x)
    latent = layers.Dense(8)(x)
    x = layers.Dense(32, activation="relu")(latent)
    x = layers.Dense(64, activation="relu")(x)
    return Branch(layers.Dense(beat.shape[1])(x), latent)


def conv(beat: KerasTensor) -> Branch:
    """Masked and denoising, with a convolutional encoder and a small dense decoder, which is cheap to run.

    Whole stretches of ten samples are hidden while training, so that a stretch must follow from the rest of the beat.
    """
    from keras import layers, ops

    x = _hide_stretches(layers.GaussianNoise(0.2)(beat), length=10, share=0.2)
    x = ops.expand_dims(x, axis=-1)
    x = layers.Conv1D(8, 9, strides=4, padding="same", activation="relu")(x)
    x = layers.Conv1D(16, 5, strides=2, padding="same", activation="relu")(x)
    latent = layers.Dense(8)(layers.Flatten()(x))
    x = layers.Dense(32, activation="relu")(latent)
    return Branch(layers.Dense(beat.shape[1])(x), latent)


def lstm(beat: KerasTensor) -> Branch:
    """Encoder-decoder LSTM after Malhotra et al. 2016 (arXiv:1607.00148), reading fourteen samples a step."""
    from keras import layers, ops

    samples, stride = beat.shape[1], 14
    steps = -(-samples // stride)
    x = layers.GaussianNoise(0.3)(beat)
    x = ops.pad(x, ((0, 0), (0, steps * stride - samples)))
    x = ops.reshape(x, (-1, steps, stride))
    x = layers.LSTM(32, unroll=True)(x)
    latent = layers.Dense(8)(x)
    x = layers.RepeatVector(steps)(latent)
    x = layers.LSTM(32, return_sequences=True, unroll=True)(x)
    x = layers.Flatten()(layers.Dense(stride)(x))
    return Branch(x[:, :samples], latent)


def vae(beat: KerasTensor) -> Branch:
    """Variational autoencoder after Kingma & Welling 2014 (arXiv:1312.6114), beta = 0.01; the code is the mean."""
    from keras import layers, ops

    x = layers.Dense(64, activation="relu")(beat)
    x = layers.Dense(32, activation="relu")(x)
    mean = layers.Dense(8)(x)
    log_variance = layers.Dense(8)(x)
    # Noise of unit variance while training, none when scoring.
    draw = layers.GaussianNoise(1.0)(ops.zeros_like(mean))
    x = mean + ops.exp(log_variance / 2) * draw
    x = layers.Dense(32, activation="relu")(x)
    x = layers.Dense(64, activation="relu")(x)
    divergence = ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0, axis=1) / 2
    return Branch(layers.Dense(beat.shape[1])(x), mean, 0.01 * divergence)


def _hide_stretches(beat: KerasTensor, length: int, share: float) -> KerasTensor:
    """Dropout of whole stretches, while training only."""
    from keras import layers, ops

    samples = beat.shape[1]
    stretches = -(-samples // length)
    x = ops.pad(beat, ((0, 0), (0, stretches * length - samples)))
    x = ops.reshape(x, (-1, stretches, length))
    x = layers.Dropout(share, noise_shape=(None, stretches, 1))(x)
    return ops.reshape(x, (-1, stretches * length))[:, :samples]


@dataclass(frozen=True, slots=True)
class Architecture:
    """An autoencoder and what it expects.

    Attributes
    ----------
    build : callable
        Beats of one member to a `Branch`.
    scale : {"standard", "minmax"}
        What the beats are brought to before `build` sees them: mean 0 and standard deviation 1, or the range 0 to 1,
        over all samples of all training beats.
    loss : {"mse", "mae"}
        Reconstruction loss, on that scale.
    """

    build: Callable[[KerasTensor], Branch]
    scale: Literal["standard", "minmax"] = "standard"
    loss: Literal["mse", "mae"] = "mse"


DEFAULT = "conv"

ARCHITECTURES: dict[str, Architecture] = {
    "tutorial": Architecture(tutorial, scale="minmax", loss="mae"),
    "dense": Architecture(dense),
    "conv": Architecture(conv),
    "lstm": Architecture(lstm),
    "vae": Architecture(vae),
}


def architecture(name: str) -> Architecture:
    """Look an architecture up; ``"default"`` is the one chosen by measurement.

    Raises
    ------
    SettingError
        If there is none of that name.
    """
    entry = ARCHITECTURES.get(DEFAULT if name == "default" else name)
    if entry is None:
        raise SettingError(f"unknown architecture '{name}'; use default, {', '.join(ARCHITECTURES)}.")
    return entry
