"""The networks and their training: the only room that imports TensorFlow."""

from ectopy.model.architectures import ARCHITECTURES, architecture
from ectopy.model.conversion import from_keras, to_keras, to_litert
from ectopy.model.training import Trained, TrainingSettings, train_network
from ectopy.model.tutorial import train_tutorial

__all__ = [
    "ARCHITECTURES",
    "Trained",
    "TrainingSettings",
    "architecture",
    "from_keras",
    "to_keras",
    "to_litert",
    "train_network",
    "train_tutorial",
]
