"""The networks and their training: the only room that imports TensorFlow."""

from ectopy.model.architectures import ARCHITECTURES, architecture
from ectopy.model.conversion import from_keras, to_keras, to_litert
from ectopy.model.tensorflow import load_tensorflow
from ectopy.model.training import Progress, Trained, TrainingSettings, train_network

__all__ = [
    "ARCHITECTURES",
    "Progress",
    "Trained",
    "TrainingSettings",
    "architecture",
    "from_keras",
    "load_tensorflow",
    "to_keras",
    "to_litert",
    "train_network",
]
