"""From a trained network to the files of a bundle."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ectopy.model.tensorflow import load_tensorflow
from ectopy.quiet import native_stderr_silenced

if TYPE_CHECKING:
    import keras


def to_litert(network: keras.Model) -> bytes:
    """Convert a network to a LiteRT flatbuffer of 32-bit floats, without loss."""
    tensorflow = load_tensorflow()
    with tempfile.TemporaryDirectory() as folder, native_stderr_silenced():
        network.export(folder, verbose=False)
        graph: bytes = tensorflow.lite.TFLiteConverter.from_saved_model(folder).convert()
    return graph


def to_keras(network: keras.Model) -> bytes:
    """The network as the content of a ``.keras`` file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.save(path)
        return path.read_bytes()


def from_keras(content: bytes) -> keras.Model:
    """Load a network from the content of a ``.keras`` file; executes no code from it."""
    load_tensorflow()
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        path.write_bytes(content)
        return keras.models.load_model(path, compile=False, safe_mode=True)
