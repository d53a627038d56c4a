"""Ectopy learns what a normal heartbeat looks like and says when one is not.

Not a cleared medical device: for research and integration, secondary to a certified monitor.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ectopy.analysis import Analysis, analyse
    from ectopy.analysis.rhythm_events import find_events
    from ectopy.analysis.shipped_detector import load_ambulatory
    from ectopy.beats import BeatLayout, Beats
    from ectopy.detector import Detection, Detector, Explanation, ThresholdRule, Verdict
    from ectopy.formats import read
    from ectopy.recording import Annotations, Recording
    from ectopy.training.estimator import AutoencoderDetector
    from ectopy.training.training import train

# What is imported when it is first used: scikit-learn and TensorFlow are optional, and slow to start.
_HOME = {
    "Analysis": "analysis",
    "Annotations": "recording",
    "AutoencoderDetector": "training.estimator",
    "BeatLayout": "beats",
    "Beats": "beats",
    "Detection": "detector",
    "Detector": "detector",
    "Explanation": "detector",
    "Recording": "recording",
    "ThresholdRule": "detector",
    "Verdict": "detector",
    "analyse": "analysis",
    "find_events": "analysis.rhythm_events",
    "load_ambulatory": "analysis.shipped_detector",
    "read": "formats",
    "train": "training.training",
}

__all__ = [
    "Analysis",
    "Annotations",
    "AutoencoderDetector",
    "BeatLayout",
    "Beats",
    "Detection",
    "Detector",
    "Explanation",
    "Recording",
    "ThresholdRule",
    "Verdict",
    "__version__",
    "analyse",
    "find_events",
    "load_ambulatory",
    "read",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"ectopy.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ectopy' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
