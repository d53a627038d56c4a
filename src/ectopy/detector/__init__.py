"""Beats to verdicts, with NumPy and LiteRT only."""

from ectopy.detector.detector import Detection, Detector, Explanation, Verdict
from ectopy.detector.threshold import THRESHOLDS, ThresholdRule

__all__ = ["THRESHOLDS", "Detection", "Detector", "Explanation", "ThresholdRule", "Verdict"]
