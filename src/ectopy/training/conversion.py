"""From a trained network to the files of a bundle."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ectopy.files import packed
from ectopy.processes import native_stderr_silenced
from ectopy.training.load_tensorflow import load_tensorflow

if TYPE_CHECKING:
    import keras

_METADATA, _CONFIG = "metadata.json", "config.json"


def to_litert(network: keras.Model) -> bytes:
    """Convert a network to a LiteRT flatbuffer of 32-bit floats, without loss."""
    tensorflow = load_tensorflow()
    with tempfile.TemporaryDirectory() as folder, native_stderr_silenced():
        network.export(folder, verbose=False)
        graph: bytes = tensorflow.lite.TFLiteConverter.from_saved_model(folder).convert()
    return graph


def to_keras(network: keras.Model) -> bytes:
    """The network as the content of a ``.keras`` file; the same network gives the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.save(path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members[_METADATA])
    del metadata["date_saved"]
    config = _numbered(members[_CONFIG].decode())
    return packed(members | {_METADATA: json.dumps(metadata).encode(), _CONFIG: config.encode()})


def _numbered(config: str) -> str:
    """With numbers for the objects that Keras names by their addresses in memory."""
    numbers: dict[str, str] = {}
    return re.sub(
        r'(?<="shared_object_id": )\d+', lambda match: numbers.setdefault(match[0], str(len(numbers) + 1)), config
    )


def from_keras(content: bytes) -> keras.Model:
    """Load a network from the content of a ``.keras`` file; executes no code from it."""
    load_tensorflow()
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        path.write_bytes(content)
        return keras.models.load_model(path, compile=False, safe_mode=True)
