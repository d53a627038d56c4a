"""The networks and their training: the only room that imports TensorFlow."""

from ectopy.training.architectures import ARCHITECTURES, architecture
from ectopy.training.conversion import from_keras, to_keras, to_litert
from ectopy.training.network import Trained, TrainingSettings, train_network
from ectopy.training.tutorial import train_tutorial

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
