"""Brings TensorFlow in, quietly, or says how to get it."""

from __future__ import annotations

import os
from typing import Any

from ectopy.errors import MissingExtraError
from ectopy.processes import delayed_interrupt, native_stderr_silenced


def load_tensorflow() -> Any:
    """Import TensorFlow without the banners its C++ core prints.

    Raises
    ------
    MissingExtraError
        If TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with native_stderr_silenced(), delayed_interrupt():
            import keras  # noqa: F401
            import tensorflow
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("train", "training") from error
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow
