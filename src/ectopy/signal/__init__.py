"""Samples to beats: filters, where the heartbeats are, how far each lead can be trusted."""

from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered, FilterSettings, filter_signal, filter_twice
from ectopy.signal.heartbeats import find_heartbeats
from ectopy.signal.quality import Quality, QualityInterval
from ectopy.signal.quality_assessment import assess

__all__ = [
    "ANALYSIS_RATE_HZ",
    "FilterSettings",
    "Filtered",
    "Quality",
    "QualityInterval",
    "assess",
    "filter_signal",
    "filter_twice",
    "find_heartbeats",
]
