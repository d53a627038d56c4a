"""TensorFlow's tutorial "Intro to Autoencoders", part three, as it stands: the baseline to beat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ectopy.training.architectures import ARCHITECTURES
from ectopy.training.load_tensorflow import load_tensorflow


def train_tutorial(normals: NDArray[np.float32], seed: int) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """Train the tutorial's autoencoder the tutorial's way: min-max scaling, Adam, MAE, 20 epochs, batches of 512.

    Parameters
    ----------
    normals : ndarray of float32, shape (n, samples)
    seed : int

    Returns
    -------
    callable
        Beats of shape (m, samples) to their mean absolute reconstruction error, shape (m,).
    """
    load_tensorflow()
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    low, high = float(normals.min()), float(normals.max())
    beats = keras.Input((normals.shape[1],))
    network = keras.Model(beats, ARCHITECTURES["tutorial"].build(beats).reconstruction)
    network.compile(optimizer="adam", loss="mae")
    scaled = (normals - low) / (high - low)
    network.fit(scaled, scaled, epochs=20, batch_size=512, shuffle=True, verbose=0)

    def error(samples: NDArray[np.float32]) -> NDArray[np.float64]:
        inputs = (samples - low) / (high - low)
        reconstruction = np.asarray(network(inputs, training=False))
        errors: NDArray[np.float64] = np.abs(reconstruction - inputs).mean(axis=1, dtype=np.float64)
        return errors

    return error
