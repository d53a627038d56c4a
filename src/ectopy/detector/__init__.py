"""Beats to verdicts, with NumPy and LiteRT only."""

from ectopy.detector.detector import Detection, Detector, Explanation, Progress, Verdict
from ectopy.detector.threshold import THRESHOLDS, ThresholdRule

__all__ = ["THRESHOLDS", "Detection", "Detector", "Explanation", "Progress", "ThresholdRule", "Verdict"]
